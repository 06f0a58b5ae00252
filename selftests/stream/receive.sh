#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp-receive: full streams of btrfs send become directories on any file system, and
# what is refused.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/streams.lib"

# received TARGET: every kind of stream there equals its source
received() {
	local kind
	for kind in "--proto 1" "--proto 2" "--proto 2 --compressed-data"; do
		# shellcheck disable=SC2086 # several words
		btrfs send -q $kind "$source" >stream || skip "no streams with $kind"
		"$RECEIVE" --devices -f stream "$1"
		equal "$source" "$1/one"
		is one "$(visible "$1")"
		remove "$1/one"
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

test_streams_become_subvolumes_of_btrfs() {
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
	is ".ocp-receive .vol.receiving" "$(cd box/in && echo .[!.]*)"
	is "" "$(visible box/in)"
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
	like "*one: what was received of it is in .one.receiving; --resume goes on *" "$out"
	is "" "$(visible in)"
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
		rm -rf in/.vol.receiving in/.ocp-receive
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
	like "*what an earlier run has left stands in the way: *: vol" "$out"
}

# ext4 gives the number of an inode that was removed to the next one.
test_another_directory_under_its_name_is_no_parent() {
	local dir top ino
	requires ext4
	source_tree
	top=${source%/*}
	dir=$(make_fs ext4 64M)
	btrfs -q subvolume snapshot -r "$top/s" "$top/two"
	btrfs send -q -p "$source" "$top/two" >stream
	btrfs send -q "$source" | "$RECEIVE" --devices "$dir"
	ino=$(stat -c %i "$dir/one")
	rm -r "$dir/one"
	mkdir "$dir/one"
	[ "$ino" = "$(stat -c %i "$dir/one")" ] || skip "this ext4 gave it another number"
	run "$RECEIVE" --devices -f stream "$dir"
	is 1 "$status"
	like "*the subvolume it builds on was not received here*" "$out"
	is "one" "$(visible "$dir")"
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
	like "*the subvolume it builds on was not received here: uuid *: two" "$out"
}

run_tests "$@"
