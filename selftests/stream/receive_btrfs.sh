#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp-receive into btrfs, beside btrfs receive of the same streams.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/streams.lib"
requires btrfs rsync setfattr filefrag jq

# both DIR STREAM: received by btrfs-progs into DIR/theirs, by us into DIR/ours
both() {
	mkdir -p "$1/theirs" "$1/ours"
	btrfs -q receive -f "$2" "$1/theirs"
	"$RECEIVE" --devices --json -f "$2" "$1/ours" >summary
}

# extents FILE: what of it is stored how, without addresses
extents() {
	filefrag -v "$1" | awk '/^ *[0-9]+:/ { sub(/^.*: +[0-9]+: */, ""); print }' | sed 's/last,\?//; s/^[0-9]*: *//'
}

# encoded FILE: extents of it that are compressed
encoded() {
	filefrag -v "$1" | grep -c encoded || :
}

test_the_same_as_btrfs_receive_for_every_stream() {
	local how kind dir
	for how in zstd zlib lzo; do
		source_tree "compress-force=$how"
		dir=$(make_fs btrfs 256M)
		for kind in "--proto 1" "--proto 2" "--proto 2 --compressed-data"; do
			# shellcheck disable=SC2086 # several words
			btrfs send -q $kind "$source" >stream || skip "no streams with $kind"
			both "$dir" stream
			equal "$dir/theirs/one" "$dir/ours/one"
			equal "$source" "$dir/ours/one"
			is "$(extents "$dir/theirs/one/seq")" "$(extents "$dir/ours/one/seq")" "$how $kind"
			btrfs -q subvolume delete "$dir"/*/one
		done
	done
}

test_extents_stay_compressed() {
	local how dir
	for how in zstd zlib lzo; do
		source_tree "compress-force=$how"
		dir=$(make_fs btrfs 256M)
		btrfs send -q --proto 2 --compressed-data "$source" >stream || skip "no compressed streams"
		"$RECEIVE" --devices --json -f stream "$dir" >summary
		sync -f "$dir"
		[ "$(encoded "$source/seq")" -gt 1 ]
		is "$(encoded "$source/seq")" "$(encoded "$dir/one/seq")" "$how"
		is 0 "$(jq .decoded_extents summary)"
		[ "$(jq .encoded_bytes summary)" -gt 500000 ]
	done
}

test_marked_as_received_and_read_only() {
	local dir
	source_tree
	dir=$(make_fs btrfs 256M)
	btrfs send -q "$source" | "$RECEIVE" --devices "$dir"
	is "$(btrfs subvolume show "$source" | awk '/^\tUUID:/ { print $2 }')" \
		"$(btrfs subvolume show "$dir/one" | awk '/Received UUID:/ { print $3 }')"
	is ro=true "$(btrfs property get "$dir/one" ro)"
	is one "$(ls -A "$dir")"
}

# chained DIR: $source, changed, a snapshot, a stream between them received there
chained() {
	local top=${source%/*}
	change "$top/s"
	btrfs -q subvolume snapshot -r "$top/s" "$top/two"
	btrfs -q subvolume snapshot "$top/one" "$top/third"
	cp --reflink=always "$top/two/seq" "$top/third/of two"
	cp --reflink=always "$top/one/zeros" "$top/third/of one"
	btrfs -q subvolume snapshot -r "$top/third" "$top/three"
	btrfs send -q --proto 2 --compressed-data "$top/one" >first || skip "no compressed streams"
	btrfs send -q --proto 2 --compressed-data -p "$top/one" "$top/two" >second
	btrfs send -q --proto 2 -p "$top/one" -c "$top/two" "$top/three" >third
	"$RECEIVE" --dump -f third | grep -q 'clone.*clone_uuid='
	cat first second third | "$RECEIVE" --devices "$1"
	equal "$top/two" "$1/two"
	equal "$top/three" "$1/three"
}

test_chains_on_btrfs_share_as_their_sources_do() {
	local dir
	source_tree
	dir=$(make_fs btrfs 256M)
	chained "$dir"
	is "$(btrfs subvolume show "$dir/one" | awk '/^\tUUID:/ { print $2 }')" \
		"$(btrfs subvolume show "$dir/two" | awk '/Parent UUID:/ { print $3 }')"
	sync -f "$dir"
	filefrag -v "$dir/three/of two" | grep -q shared
	filefrag -v "$dir/two/clone of seq" | grep -q shared
	btrfs -q receive -f second "$dir" 2>/dev/null && fail "the name is taken"
	mkdir "$dir/theirs"
	btrfs -q receive -f second "$dir/theirs"
	equal "$dir/theirs/two" "$dir/two"
}

test_chains_elsewhere() {
	source_tree
	requires ext4
	chained "$(make_fs ext4 96M)"
}

test_chains_on_xfs_keep_reflinks() {
	local dir
	requires xfs
	source_tree
	dir=$(make_fs xfs 300M)
	chained "$dir"
	filefrag -v "$dir/three/of two" | grep -q shared
	filefrag -v "$dir/two/zeros" | grep -q shared
	[ -f "$dir/.ocp-receive/$(btrfs subvolume show "$source" | awk '/^\tUUID:/ { print $2 }')" ]
}

test_a_parent_that_is_not_there_is_named() {
	local top dir
	source_tree
	dir=$(make_fs btrfs 256M)
	top=${source%/*}
	btrfs -q subvolume snapshot -r "$top/s" "$top/two"
	btrfs send -q -p "$source" "$top/two" >stream
	run "$RECEIVE" -f stream "$dir"
	is 1 "$status"
	like "*not received here: uuid $(btrfs subvolume show "$source" | awk '/^\tUUID:/ { print $2 }'): two" "$out"
	is "" "$(ls -A "$dir")"
}

test_refused_payloads_are_written_decompressed() {
	local dir
	source_tree
	dir=$(make_fs btrfs 256M nodatacow)
	btrfs send -q --proto 2 --compressed-data "$source" >stream || skip "no compressed streams"
	"$RECEIVE" --devices --json -f stream "$dir" >summary
	equal "$source" "$dir/one"
	is 0 "$(jq .encoded_extents summary)"
	[ "$(jq .decoded_bytes summary)" -gt 500000 ]
}

test_force_decompress() {
	local dir
	source_tree
	dir=$(make_fs btrfs 256M)
	btrfs send -q --proto 2 --compressed-data "$source" >stream || skip "no compressed streams"
	"$RECEIVE" --devices --force-decompress --json -f stream "$dir" >summary
	equal "$source" "$dir/one"
	is 0 "$(jq .encoded_extents summary)"
	is 0 "$(encoded "$dir/one/seq")"
}

test_trust_and_verify() {
	local dir
	source_tree
	dir=$(make_fs btrfs 256M)
	btrfs send -q --proto 2 --compressed-data "$source" >stream || skip "no compressed streams"
	"$RECEIVE" --devices --trust -f stream "$dir"
	equal "$source" "$dir/one"
	btrfs -q subvolume delete "$dir/one"
	"$RECEIVE" -v --devices --verify -f stream "$dir" 2>out
	equal "$source" "$dir/one"
	grep -E 'verified [0-9]{6,} bytes in [1-9]' out
}

test_verify_finds_a_wrong_byte() {
	local dir
	source_tree
	mkdir in
	btrfs send -q "$source" >stream
	run "$RECEIVE" --devices --verify -f stream "fault:read(zeros)@1=flip:$T/in"
	is 1 "$status"
	like "*ranges read back differ from the stream, the first at 0 of zeros*" "$out"
	is "" "$(visible in)"
}

# What a user may: subvolumes, but not the marks; the parent is found all the same.
test_without_being_root() {
	local dir top as
	requires setpriv
	source_tree
	dir=$(make_fs btrfs 256M)
	top=${source%/*}
	btrfs -q subvolume create "$top/mine"
	seq 1 30000 >"$top/mine/seq"
	mkdir "$top/mine/d"
	touch -d 2001-01-01 "$top/mine/d/f" "$top/mine/d"
	chmod 555 "$top/mine/d"
	chown -R 1234:1234 "$top/mine"
	btrfs -q subvolume snapshot -r "$top/mine" "$top/m1"
	echo more >"$top/mine/more"
	chown 1234:1234 "$top/mine/more"
	btrfs -q subvolume snapshot -r "$top/mine" "$top/m2"
	btrfs send -q --proto 2 --compressed-data "$top/m1" >first || skip "no compressed streams"
	btrfs send -q --proto 2 --compressed-data -p "$top/m1" "$top/m2" >second
	mkdir "$dir/home"
	chown 1234:1234 "$dir/home"
	as="setpriv --reuid 1234 --regid 1234 --clear-groups"
	# From within: the folders above are root's.  The words are several.
	# shellcheck disable=SC2086
	(cd "$dir/home" && $as "$RECEIVE" .) <first 2>out || fail "$(cat out)"
	# shellcheck disable=SC2086
	(cd "$dir/home" && $as "$RECEIVE" .) <second 2>>out || fail "$(cat out)"
	equal "$top/m1" "$dir/home/m1"
	equal "$top/m2" "$dir/home/m2"
	is ro=true "$(btrfs property get "$dir/home/m2" ro)"
}

run_tests "$@"
