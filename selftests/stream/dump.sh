#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp-receive --dump: real streams as btrfs receive shows them, and broken ones refused.
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
	ln -s 'tar get' "$1/sym link"
	ln "$1/small" "$1/d/hard"
	mkfifo "$1/fifo"
	mknod "$1/dev" b 8 1
	echo x >"$1/$(printf 'we\nird\tn\\am\001e\377')"
	cp --reflink=always "$1/seq" "$1/clone"
	chown 1:2 "$1/small"
	chmod 4755 "$1/small"
	setfattr -n user.a -v 'va"l' "$1/small"
}

# change DIR: each way in which what tree made can become something else
change() {
	rm "$1/zeros" "$1/d/hard"
	mv "$1/d/e" "$1/f"
	rmdir "$1/d"
	fallocate -p -o 8192 -l 16384 "$1/seq"
	chattr +A "$1/seq"
	cp --reflink=always "$1/seq" "$1/clone2"
	truncate -s 3 "$1/clone"
	setfattr -x user.a "$1/small"
	echo new >"$1/new"
}

# snapshots: $dir with subvolumes one and two, read-only
snapshots() {
	requires btrfs setfattr chattr
	dir=$(make_fs btrfs 200M compress-force=zstd)
	btrfs -q subvolume create "$dir/s"
	tree "$dir/s"
	btrfs -q subvolume snapshot -r "$dir/s" "$dir/one"
	change "$dir/s"
	btrfs -q subvolume snapshot -r "$dir/s" "$dir/two"
}

# send ARGUMENT...: to the file stream
send() {
	btrfs send -q "$@" >stream
}

# theirs FILE, ours FILE: without attributes of inodes, which btrfs-progs 6.2 prints as
# decimal digits after 0x
theirs() {
	btrfs receive --dump <"$1" | sed 's/fileattr=.*//'
}

ours() {
	"$RECEIVE" --dump -f "$1" | sed 's/fileattr=.*//'
}

same_dump() {
	theirs "$1" >theirs.txt
	ours "$1" >ours.txt
	[ -s ours.txt ]
	diff theirs.txt ours.txt
}

test_full_streams_of_version_1_are_shown_as_by_btrfs() {
	snapshots
	send --proto 1 "$dir/one"
	same_dump stream
	grep -q '^write ' ours.txt
}

test_full_streams_of_version_2_are_shown_as_by_btrfs() {
	snapshots
	send --proto 2 "$dir/one" || skip "no streams of version 2"
	same_dump stream
}

test_compressed_streams_are_shown_as_by_btrfs() {
	snapshots
	send --proto 2 --compressed-data "$dir/one" || skip "no streams of version 2"
	same_dump stream
	grep -q '^encoded_write ' ours.txt
}

test_incremental_streams_are_shown_as_by_btrfs() {
	snapshots
	send --proto 2 -p "$dir/one" "$dir/two" || skip "no streams of version 2"
	same_dump stream
	grep -q '^snapshot ' ours.txt
	send --proto 1 -p "$dir/one" "$dir/two"
	same_dump stream
}

test_streams_without_data_are_shown_as_by_btrfs() {
	snapshots
	send --no-data "$dir/one"
	same_dump stream
	grep -q '^update_extent ' ours.txt
}

test_several_subvolumes_in_one_file() {
	local name
	snapshots
	# btrfs-progs 6.2 shows the first stream of a file only.
	for name in one two; do
		send "$dir/$name"
		cat stream >>streams
		theirs stream >>theirs.txt
	done
	diff theirs.txt <(ours streams)
	send -e "$dir/one" "$dir/two"
	"$RECEIVE" --dump <stream >ours.txt
	is 2 "$(grep -c '^subvol' ours.txt)"
}

test_every_command_is_shown_as_by_btrfs() {
	requires btrfs
	for version in 1 2; do
		"$MK" all "$version" >stream
		# What is after a NUL in the value of an attribute is not shown by theirs.
		diff <(theirs stream) <(ours stream | sed 's/data=by.000tes/data=by/')
	done
}

test_every_byte_in_names_is_shown_as_by_btrfs() {
	requires btrfs
	"$MK" names >stream
	same_dump stream
	is 255 "$(wc -l <ours.txt)"
}

test_verity_of_version_3_is_shown() {
	"$MK" all 3 >stream
	like "enable_verity *algorithm=254 block_size=* salt_len=6 sig_len=6" \
		"$(ours stream | tail -n 1)"
}

test_binary_values_do_not_reach_the_terminal() {
	"$MK" all 1 >stream
	like "* data=by\\\\000tes len=6" "$(ours stream | grep set_xattr)"
}

# small_stream: of a real subvolume, a kilobyte
small_stream() {
	requires btrfs
	dir=$(make_fs btrfs 112M)
	btrfs -q subvolume create "$dir/s"
	echo hello >"$dir/s/file"
	ln -s file "$dir/s/link"
	btrfs property set "$dir/s" ro true
	send "$dir/s"
	size=$(stat -c %s stream)
	[ "$size" -gt 300 ] && [ "$size" -lt 2000 ]
	"$RECEIVE" --dump <stream >/dev/null
}

# refused WHAT: broken is no stream, and that is said with its place
refused() {
	run "$RECEIVE" --dump -f broken
	is 1 "$status" "status with $1"
	like "ocp-receive: broken: offset *: *" "$(printf '%s\n' "$out" | tail -n 1)" "with $1"
}

# all_refused cuts|flips: what mkstream makes of the small stream, with one process for each
all_refused() {
	local n line
	small_stream
	mkdir all
	"$MK" "$1" all <stream
	for ((n = 0; n < size; n++)); do
		! "$RECEIVE" --dump -f "all/$n" >/dev/null 2>said || fail "$1: $n is taken"
		read -r line <said
		[[ $line == "ocp-receive: all/$n: offset "*": "* ]] || fail "$1: $n: $line"
	done
}

test_a_real_stream_truncated_anywhere_is_refused() {
	all_refused cuts
}

# The version alone has no checksum: 1 may become 3 there and nobody can tell.
test_a_real_stream_with_any_byte_changed_is_refused() {
	all_refused flips
}

test_what_is_right_before_the_error_is_shown() {
	"$MK" path x | head -c 80 >broken
	run "$RECEIVE" --dump -f broken
	is 1 "$status"
	like "subvol *ocp-receive: broken: offset 80, command 2 (mkfile): the stream ends within *" "$out"
}

test_names_that_lead_out_are_refused() {
	local path
	for path in ../x /etc/x a/../x a//x . ..; do
		"$MK" path "$path" >broken
		refused "$path"
		like "*path refused, *" "$out"
	done
}

test_a_pipe_that_nobody_reads_is_an_error() {
	requires /dev/full
	"$MK" all 2 >stream
	run bash -c "'$RECEIVE' --dump -f stream >/dev/full"
	is "1 ocp-receive: stdout: No space left on device" "$status $out"
}

run_tests "$@"
