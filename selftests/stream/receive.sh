#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp-receive: full streams of btrfs send become directories on any file system.
. "$(dirname "$0")/../lib.sh"
RECEIVE=$O/ocp-receive
MK=$O/selftests/stream/mkstream
requires "$RECEIVE" "$MK"

# tree DIR: something of every kind
tree() {
	mkdir -p "$1/d/e"
	seq 1 40000 >"$1/seq"
	head -c 300000 /dev/zero >"$1/zeros"
	echo hello >"$1/small"
	truncate -s 1M "$1/hole"
	ln -s ../../etc/passwd "$1/sym link"
	ln "$1/small" "$1/d/hard"
	mkfifo "$1/d/fifo"
	mknod "$1/dev" b 8 257
	echo x >"$1/$(printf 'we\nird\tn\\am\001e\377')"
	cp --reflink=always "$1/seq" "$1/d/e/clone"
	setfattr -n user.a -v 'va"l' "$1/small"
	chown 1:2 "$1/small" "$1/d"
	chmod 4755 "$1/small"
	chmod 1777 "$1/d"
	touch -d 1990-01-01T00:00:00.123456789 "$1/seq" "$1/d/e"
}

# source_tree: $source, a read-only snapshot with that in it
source_tree() {
	local top
	requires btrfs rsync setfattr
	top=$(make_fs btrfs 200M "${1-compress-force=zstd}")
	btrfs -q subvolume create "$top/s"
	tree "$top/s"
	btrfs -q subvolume snapshot -r "$top/s" "$top/one"
	source=$top/one
}

# equal DIR DIR: contents, names, all attributes to the nanosecond
equal() {
	is "" "$(rsync --dry-run -aHAXc --devices --specials --itemize-changes --delete "$1/" "$2/")"
	diff <(cd "$1" && find . -printf '%P %M %U %G %T@ %s\n' | grep -v '^[^ ]* d' | sort) \
		<(cd "$2" && find . -printf '%P %M %U %G %T@ %s\n' | grep -v '^[^ ]* d' | sort)
}

# received TARGET: every kind of stream there equals its source
received() {
	local kind
	for kind in "--proto 1" "--proto 2" "--proto 2 --compressed-data"; do
		# shellcheck disable=SC2086 # several words
		btrfs send -q $kind "$source" >stream || skip "no streams with $kind"
		"$RECEIVE" --devices -f stream "$1"
		equal "$source" "$1/one"
		is one "$(find "$1" -mindepth 1 -maxdepth 1 ! -name lost+found -printf '%f')"
		rm -r "$1/one"
	done
}

test_streams_become_directories_of_ext4() {
	requires ext4
	source_tree
	received "$(make_fs ext4 64M)"
}

test_streams_become_directories_of_xfs() {
	requires xfs
	source_tree
	received "$(make_fs xfs 300M)"
}

test_streams_become_directories_of_btrfs() {
	source_tree
	received "$(make_fs btrfs 200M)"
}

test_lzo_and_zlib_are_decoded() {
	local how
	for how in lzo zlib; do
		source_tree "compress-force=$how"
		mkdir "$how"
		btrfs send -q --proto 2 --compressed-data "$source" | "$RECEIVE" --devices "$how" ||
			skip "no compressed streams"
		cmp "$source/seq" "$how/one/seq"
		cmp "$source/zeros" "$how/one/zeros"
	done
}

test_clones_share_blocks_where_the_target_can() {
	requires xfs filefrag
	source_tree
	dir=$(make_fs xfs 300M)
	btrfs send -q "$source" | "$RECEIVE" --devices "$dir"
	filefrag -v "$dir/one/d/e/clone" | grep -q shared
}

# nothing_outside: a stream in file stream is refused and leaves no file but its own
nothing_outside() {
	mkdir -p box/in
	echo safe >box/outside
	run "$RECEIVE" -f stream box/in
	is 1 "$status"
	is safe "$(cat box/outside)"
	is "in outside" "$(cd box && echo *)"
	is .vol.receiving "$(ls -A box/in)"
}

test_no_way_out_by_names() {
	"$MK" path ../../outside >stream
	nothing_outside
	like "*path refused*" "$out"
}

test_no_way_out_by_links() {
	"$MK" trap ../../outside l >stream
	nothing_outside
	like "*command 3 (write): *: l*" "$out"
	rm -r box
	"$MK" trap ../.. l/evil >stream
	nothing_outside
	like "*command 3 (mkfile): *: l/evil*" "$out"
	rm -r box
	"$MK" trap "$T/box" l/evil >stream
	nothing_outside
}

test_devices_need_their_option() {
	source_tree
	btrfs send -q "$source" >stream
	mkdir in
	run "$RECEIVE" -f stream in
	is 1 "$status"
	like "*(mknod): a device, which only --devices allows: *" "$out"
	like "*one: what was received of it is in .one.receiving" "$out"
	is .one.receiving "$(ls -A in)"
}

test_a_truncated_stream_never_looks_complete() {
	local n size
	mkdir in
	"$MK" path file >stream
	size=$(stat -c %s stream)
	for ((n = 0; n < size; n++)); do
		run "$RECEIVE" -f <(head -c "$n" stream) in
		is 1 "$status" "$n bytes"
		[ ! -e in/vol ] || fail "complete after $n bytes"
		rm -rf in/.vol.receiving
	done
	"$RECEIVE" -f stream in
	[ -f in/vol/file ]
}

test_what_stands_there_is_kept() {
	"$MK" path file >stream
	mkdir -p in/vol
	run "$RECEIVE" -f stream in
	is 1 "$status"
	like "*the target has this name already: vol" "$out"
	rmdir in/vol
	mkdir in/.vol.receiving
	run "$RECEIVE" -f stream in
	like "*what an earlier run has left stands in the way: vol" "$out"
}

test_what_is_not_served_is_said() {
	source_tree
	top=${source%/*}
	mkdir in
	btrfs send -q --no-data "$source" >stream
	run "$RECEIVE" --devices -f stream in
	like "*a stream without data*" "$out"
	btrfs -q subvolume snapshot -r "$top/s" "$top/two"
	btrfs send -q -p "$source" "$top/two" >stream
	run "$RECEIVE" -f stream in
	is 1 "$status"
	like "*an incremental stream, which this version does not serve: two" "$out"
}

run_tests "$@"
