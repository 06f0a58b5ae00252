#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp-receive --path: some files out of a stream, under the names that they have at its end.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/streams.lib"

# names DIR: all below it, in order
names() {
	(cd "$1" && find . -mindepth 1 -printf '%P\n' | LC_ALL=C sort | xargs)
}

# script: commands of standard input as a stream, in file stream
script() {
	"$MK" script 2 >stream
}

# take PATTERN...: out of file stream into in
take() {
	local p args=()
	for p in "$@"; do
		args+=("--path=$p")
	done
	mkdir -p in
	run "$RECEIVE" "${args[@]}" -f stream in
}

# nothing: the last run failed and left nothing at all
nothing() {
	is 1 "$status" "status of: $out"
	is "" "$(ls -A in)"
}

# moved_tree: $source, in which directories are younger than what is in them
moved_tree() {
	local top
	requires btrfs rsync setfattr
	top=$(make_fs btrfs 200M compress-force=zstd)
	btrfs -q subvolume create "$top/s"
	tree "$top/s"
	mkdir -p "$top/s/young/er"
	chown 5:6 "$top/s/young"
	chmod 751 "$top/s/young/er"
	setfattr -n user.dir -v yes "$top/s/young"
	mv "$top/s/seq" "$top/s/young/er/seq"
	mv "$top/s/d" "$top/s/young/d"
	touch -d 1995-05-05T05:05:05.5 "$top/s/young/er" "$top/s/young"
	btrfs -q subvolume snapshot -r "$top/s" "$top/one"
	source=$top/one
}

# copied PATH...: rsync's copy of these alone from $source, in want
copied() {
	rm -rf want
	mkdir want
	(cd "$source" && rsync -aHAXR "$@" "$T/want/")
	touch -r "$source" want
	chmod --reference="$source" want
}

test_files_of_every_kind_of_stream_with_the_directories_above() {
	local kind
	moved_tree
	copied young/er/seq
	for kind in "--proto 1" "--proto 2" "--proto 2 --compressed-data"; do
		# shellcheck disable=SC2086 # several words
		btrfs send -q $kind "$source" >stream || skip "no streams with $kind"
		take young/er/seq
		is "0 " "$status $out"
		is "young young/er young/er/seq" "$(names in/one)"
		equal want in/one
		is "$(stat -c '%u %g %a %y' "$source/young")" "$(stat -c '%u %g %a %y' in/one/young)"
		is yes "$(getfattr --only-values -n user.dir in/one/young)"
		is one "$(ls -A in)"
		rm -r in
	done
}

test_a_directory_comes_with_all_below_it() {
	moved_tree
	btrfs send -q "$source" >stream
	take /young/d/
	is "0 " "$status $out"
	equal "$source/young/d" in/one/young/d
	is "young young/d" "$(names in/one | tr ' ' '\n' | grep -v '^young/d/' | xargs)"
	is "$(stat -c '%a %.9Y' "$source/young/d/e")" "$(stat -c '%a %.9Y' in/one/young/d/e)"
}

test_from_a_pipe_and_several_patterns() {
	moved_tree
	mkdir in tmp
	btrfs send -q "$source" | TMPDIR=$T/tmp "$RECEIVE" --path 'young/*/seq' --path zeros in
	is "young young/er young/er/seq zeros" "$(names in/one)"
	cmp "$source/zeros" in/one/zeros
	is "" "$(ls -A tmp)"
}

test_hard_links_by_any_of_their_names() {
	script <<-'END'
		mkfile path=o1 ino=257
		rename path=o1 path_to=a
		write path=a file_offset=0 data=first
		link path=b path_link=a
		mkdir path=o2 ino=258
		link path=o2/c path_link=b
		rename path=o2 path_to=d
		unlink path=a
	END
	take d
	is "0 " "$status $out"
	is "d d/c" "$(names in/vol)"
	is first "$(cat in/vol/d/c)"
	rm -r in
	take b 'd/?'
	is "b d d/c" "$(names in/vol)"
	is "2 2" "$(stat -c %h in/vol/b in/vol/d/c | xargs)"
	rm -r in
	take a
	nothing
}

test_what_is_cloned_need_not_be_taken() {
	seq 1 5000 >plain
	script <<-'END'
		mkfile path=first ino=257
		write path=first file_offset=0 data=@plain
		chown path=first uid=77 gid=77
		mkfile path=second ino=258
		clone path=second file_offset=0 clone_len=16384 clone_uuid=0123456789abcdef clone_ctransid=7 clone_path=first clone_offset=0
		mkfile path=gone ino=260
		clone path=gone file_offset=0 clone_len=8192 clone_uuid=0123456789abcdef clone_ctransid=7 clone_path=second clone_offset=4096
		mkfile path=third ino=259
		clone path=third file_offset=0 clone_len=8192 clone_uuid=0123456789abcdef clone_ctransid=7 clone_path=gone clone_offset=0
		write path=first file_offset=0 data=changed
		unlink path=gone
		mkfile path=.ocp-sources ino=261
	END
	take third
	is "0 " "$status $out"
	is third "$(names in/vol)"
	same <(tail -c +4097 plain | head -c 8192) in/vol/third
	rm -r in
	take second third .ocp-sources
	is ".ocp-sources second third" "$(names in/vol)"
	same <(head -c 16384 plain) in/vol/second
}

test_renames_are_followed_to_the_end() {
	script <<-'END'
		mkdir path=x ino=257
		mkdir path=y ino=258
		mkfile path=x/f ino=259
		write path=x/f file_offset=0 data=x
		mkfile path=y/f ino=260
		write path=y/f file_offset=0 data=y
		rename path=x path_to=tmp
		rename path=y path_to=x
		rename path=tmp path_to=y
		mkfile path=o3 ino=261
		write path=o3 file_offset=0 data=new
		rename path=o3 path_to=y/f
		mkdir path=road ino=262
		mkfile path=road/g ino=263
		rename path=road/g path_to=y/g
		rmdir path=road
		write path=y/g file_offset=0 data=late
	END
	take x/f y/g
	is "0 " "$status $out"
	is "x x/f y y/g" "$(names in/vol)"
	is "y late" "$(cat in/vol/x/f) $(cat in/vol/y/g)"
	rm -r in
	take 'y/**'
	is "y y/f y/g" "$(names in/vol)"
	is new "$(cat in/vol/y/f)"
}

test_names_with_any_byte() {
	"$MK" names >stream
	take 'a\*1' $'a\x011' $'a\3771'
	is "0 " "$status $out"
	is 3 "$(find in/vol -type f -printf x | wc -c)"
	[ -f in/vol/$'a\3771' ] && [ -f "in/vol/a*1" ]
}

test_what_matches_nothing_makes_nothing() {
	"$MK" path file >stream
	take file other
	nothing
	like "*other: --path matches nothing in the input" "$out"
}

test_a_damaged_stream_makes_nothing() {
	"$MK" path file >whole
	size=$(stat -c %s whole)
	"$MK" flip $((size - 3)) 1 <whole >stream
	take file
	nothing
	like "*offset *command 3 (end): wrong checksum*" "$out"
	head -c -1 whole >stream
	take file
	nothing
	for _ in 1 2; do
		run "$RECEIVE" --path file in <stream
		nothing
	done
}

test_what_goes_wrong_leaves_nothing() {
	script <<-'END'
		mkfile path=f ino=257
		write path=f file_offset=0 data=abc
		mknod path=null ino=262 mode=8630 rdev=259
	END
	take f null
	nothing
	like "*command 4 (mknod): a device, which only --devices allows: null" "$out"
	take f
	is "0 " "$status $out"
	rm -r in/vol
	run "$RECEIVE" --path f -f stream "fault:write(f)@1=ENOSPC:$T/in"
	nothing
	like "*(write): No space left on device: f" "$out"
}

test_no_way_out_of_the_target() {
	mkdir box
	echo safe >box/outside
	for how in "l ../../outside l" "l/evil ../.. l/evil" "l/evil $T/box l/evil"; do
		# shellcheck disable=SC2086 # several words
		set -- $how
		"$MK" trap "$2" "$3" >stream
		mkdir box/in
		run "$RECEIVE" --path "$1" --path l -f stream box/in
		is 1 "$status" "$how: $out"
		is "in outside" "$(names box)"
		rmdir box/in
	done
	is safe "$(cat box/outside)"
}

test_an_incremental_stream_is_refused() {
	local top
	moved_tree
	top=${source%/*}
	change "$top/s/young" 2>/dev/null || :
	btrfs -q subvolume snapshot -r "$top/s" "$top/two"
	btrfs send -q -p "$source" "$top/two" >stream
	take zeros
	nothing
	like "*command 1 (snapshot): an incremental stream has only what has changed*: two" "$out"
}

# It must not become the parent of an incremental stream.
test_on_btrfs_a_part_is_a_plain_directory() {
	local dir
	moved_tree
	dir=$(make_fs btrfs 200M)
	btrfs send -q --proto 2 --compressed-data "$source" >stream || skip "no compressed streams"
	"$RECEIVE" --verify --path young/er -f stream "$dir"
	[ "$(stat -c %i "$dir/one")" != 256 ]
	is one "$(ls -A "$dir")"
	sync -f "$dir"
	filefrag -v "$dir/one/young/er/seq" | grep -q encoded
	run "$RECEIVE" --path young/er -f stream "$dir"
	is 1 "$status"
	like "*the target has this name already: one" "$out"
}

test_several_subvolumes_each_by_itself() {
	local top n
	requires btrfs
	top=$(make_fs btrfs 200M)
	for n in a b c; do
		btrfs -q subvolume create "$top/$n"
		echo "$n" >"$top/$n/all"
		[ "$n" = b ] || echo "$n" >"$top/$n/$n"
		btrfs -q property set "$top/$n" ro true
	done
	btrfs send -q -e "$top/a" "$top/b" "$top/c" >stream
	btrfs send -q "$top/b" | cat >>stream
	take a
	is "a a/a" "$(names in)"
	rm -r in
	take 'c' '?'
	is "a a/a c c/c" "$(names in)"
	rm -r in
	mkdir in
	"$RECEIVE" -e --path all -f stream in
	is "a a/all b b/all c c/all" "$(names in)"
	is "b c" "$(cat in/b/all) $(cat in/c/all)"
}

test_a_pipe_needs_room_for_its_copy() {
	requires tmpfs
	mkdir in tmp
	mount -t tmpfs -o size=8k none tmp
	head -c 60000 /dev/urandom >data
	script <<-'END'
		mkfile path=f ino=257
		write path=f file_offset=0 data=@data
	END
	run bash -c "cat stream | TMPDIR=$T/tmp '$RECEIVE' --path f in"
	nothing
	like "*cannot keep a copy of the input, *: No space left on device. Set TMPDIR *" "$out"
	run bash -c "cat stream | TMPDIR=$T/none '$RECEIVE' --path f in"
	nothing
	like "*cannot keep a copy of the input, *: No such file or directory. Set TMPDIR *" "$out"
	"$RECEIVE" --path f in <stream
	same data in/vol/f
}

test_options_that_do_not_go_with_it() {
	local other
	for other in --list --dump; do
		run "$RECEIVE" --path x "$other" -f /dev/null
		like "*--path, --resume and --verify are for receiving*" "$out"
	done
	run "$RECEIVE" --path x --resume -f /dev/null in
	like "*not with --resume*" "$out"
}

run_tests "$@"
