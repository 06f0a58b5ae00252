#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp-send of trees that are walked, read by btrfs receive and by ocp-receive.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/sendlib.lib"

# both_ways TREE [VERSION]...: each version, by both receivers, equals the tree
both_ways() {
	local proto there tree=$1
	shift
	there=$(make_fs btrfs 300M)
	for proto in "${@:-2}"; do
		mkdir "$there/a" "$there/b"
		"$SEND" --walk --proto "$proto" --name one -f stream "$tree"
		btrfs -q receive -f stream "$there/a"
		equal "$tree" "$there/a/one"
		"$RECEIVE" --devices -f stream "$there/b"
		equal "$tree" "$there/b/one"
		rm -r stream
		btrfs -q subvolume delete "$there/a/one" "$there/b/one"
		rmdir "$there/a" "$there/b"
	done
}

# walked FS OPTIONS [VERSION]...
walked() {
	local top
	tree_tools
	requires "$1"
	top=$(make_fs "$1" 300M ${2:+"$2"})
	mkdir "$top/tree"
	tree "$top/tree"
	both_ways "$top/tree" "${@:3}"
}

test_trees_of_ext4() {
	walked ext4 '' 1 2
}

test_trees_of_xfs() {
	walked xfs ''
}

test_trees_of_btrfs_plain() {
	walked btrfs ''
}

test_trees_of_btrfs_zstd() {
	walked btrfs compress-force=zstd 1 2
}

test_trees_of_btrfs_lzo_and_zlib() {
	walked btrfs compress-force=lzo
	walked btrfs compress-force=zlib
}

test_trees_of_tmpfs() {
	tree_tools
	mkdir mnt
	mount -t tmpfs -o size=100M none mnt
	mkdir mnt/tree
	tree mnt/tree
	# tmpfs keeps no user attributes before Linux 6.6, and equal() compares what it has
	both_ways mnt/tree
}

test_holes_are_not_sent_and_stay_holes() {
	tree_tools
	requires ext4
	top=$(make_fs ext4 100M)
	mkdir "$top/t"
	truncate -s 64M "$top/t/sparse"
	echo x | dd of="$top/t/sparse" bs=1 seek=30000000 conv=notrunc status=none
	"$SEND" --walk -f stream "$top/t"
	[ "$(stat -c %s stream)" -lt 20000 ]
	there=$(make_fs btrfs 200M)
	btrfs -q receive -f stream "$there"
	same "$top/t/sparse" "$there/t/sparse"
	[ "$(blocks "$there/t/sparse")" -le 64 ]
}

test_compressed_extents_go_as_they_are() {
	local how
	tree_tools
	for how in zstd lzo zlib; do
		top=$(make_fs btrfs 200M "compress-force=$how")
		mkdir "$top/t"
		yes some words that come again | head -c 4000000 >"$top/t/seq"
		sync -f "$top"
		"$SEND" --walk -f stream "$top/t"
		[ "$(stat -c %s stream)" -lt $(($(stat -c %s "$top/t/seq") * 3 / 4)) ]
		is 0 "$(commands stream write)" "$how, plain"
		there=$(make_fs btrfs 200M)
		btrfs -q receive -f stream "$there"
		same "$top/t/seq" "$there/t/seq"
		[ "$(du -k "$there/t/seq" | cut -f 1)" -gt 1 ]
		"$SEND" --walk --no-compressed-data "$top/t" >stream
		is 0 "$(commands stream encoded_write)" "$how, encoded"
	done
}

# shared DIR: 2 MB twice, once with a hole in the sharing
shared() {
	mkdir "$1/t"
	head -c 2000000 /dev/urandom >"$1/t/a"
	cp --reflink=always "$1/t/a" "$1/t/b"
	cp --reflink=always "$1/t/a" "$1/t/c"
	head -c 4096 /dev/urandom | dd of="$1/t/c" bs=4096 seek=100 conv=notrunc status=none
	sync -f "$1"
}

# sent_once TOP: its stream has the bytes once, and they are shared again
sent_once() {
	"$SEND" --walk -f stream "$1/t"
	[ "$(stat -c %s stream)" -lt 2100000 ] || fail "$(stat -c %s stream) bytes"
	there=$(make_fs btrfs 200M)
	btrfs -q receive -f stream "$there"
	cmp "$1/t/b" "$there/t/b"
	cmp "$1/t/c" "$there/t/c"
	filefrag -v "$there/t/c" | grep -q shared
}

test_what_is_shared_is_sent_once_from_btrfs() {
	tree_tools
	top=$(make_fs btrfs 200M)
	shared "$top"
	sent_once "$top"
}

test_what_is_shared_is_sent_once_from_xfs() {
	tree_tools
	requires xfs
	top=$(make_fs xfs 300M)
	shared "$top"
	sent_once "$top"
}

test_reserved_space_is_reserved() {
	tree_tools
	top=$(make_fs btrfs 200M)
	mkdir "$top/t"
	fallocate -l 3M "$top/t/in"
	echo x >"$top/t/beyond"
	fallocate -n -l 2M "$top/t/beyond"
	there=$(make_fs btrfs 200M)
	"$SEND" --walk "$top/t" | btrfs -q receive "$there"
	equal "$top/t" "$there/t"
	is "$(blocks "$top/t/in")" "$(blocks "$there/t/in")"
	is "$(blocks "$top/t/beyond")" "$(blocks "$there/t/beyond")"
}

test_other_file_systems_stay_empty_directories() {
	tree_tools
	mkdir -p t/mnt
	mount -t tmpfs none t/mnt
	echo x >t/mnt/inside
	there=$(make_fs btrfs 200M)
	"$SEND" --walk t | btrfs -q receive "$there"
	is "" "$(ls "$there/t/mnt")"
	"$SEND" --walk --name all --cross-mounts t | btrfs -q receive "$there"
	is x "$(cat "$there/all/mnt/inside")"
}

test_names_with_every_byte_and_many_links() {
	tree_tools
	mkdir t
	python3 -c 'for i in range(1, 256):
	if i != 47: open(b"t/x" + bytes([i]) + b"y", "w")'
	echo linked >t/l
	python3 -c 'import os
for i in range(500): os.link("t/l", "t/l%d" % i)'
	there=$(make_fs btrfs 200M)
	"$SEND" --walk t | btrfs -q receive "$there"
	diff <(ls -b t) <(ls -b "$there/t")
	is 501 "$(stat -c %h "$there/t/l7")"
}

# deep N: directories below each other, N of them with names of 200 bytes
deep() {
	local i name
	name=$(printf 'd%.0s' {1..200})
	for ((i = 0; i < $1; i++)); do
		mkdir "$name"
		cd "$name"
	done
	echo bottom >f
	cd "$T"
}

test_paths_beyond_what_a_call_takes() {
	tree_tools
	mkdir -p outer/t
	cd outer
	deep 12
	cd "$T"
	mkdir t
	cd t
	deep 20
	"$SEND" --walk -f stream t
	mkdir there
	"$RECEIVE" -f stream there
	is "" "$(diff -r t there/t)"
	cd "$T/t"
	deep_under=$(find . -name f)
	[ ${#deep_under} -gt 4000 ]
}

test_what_no_stream_holds_is_said() {
	mkdir t
	cd t
	deep 21
	run "$SEND" --walk -f stream t
	is 1 "$status"
	like "*no stream holds such a path*" "$out"
	[ ! -e stream ]
}

test_it_works_without_root() {
	requires setpriv
	mkdir t there
	seq 1 100000 >t/a
	ln t/a t/b
	ln -s x t/l
	chmod 755 "$TEST_DIR" "$T"
	chown -R 65534:65534 t there
	setpriv --reuid=65534 --regid=65534 --clear-groups "$SEND" t 2>said >stream
	like "*walking the tree: *" "$(cat said)"
	setpriv --reuid=65534 --regid=65534 --clear-groups "$RECEIVE" -f stream there
	same t/a there/t/a
	is 2 "$(stat -c %h there/t/b)"
}

test_what_cannot_be_read_ends_it_or_is_left_out() {
	requires setpriv
	mkdir t
	echo x >t/a
	echo secret >t/b
	echo x >t/c
	chown -R 65534:65534 t
	chmod 0 t/b
	chmod 755 "$TEST_DIR" "$T"
	as="setpriv --reuid=65534 --regid=65534 --clear-groups"
	# shellcheck disable=SC2086 # several words
	run $as "$SEND" -q t
	is 1 "$status"
	like "*: b: opening it: Permission denied*" "$(printf %s "$out" | tr -d '\0')"
	# shellcheck disable=SC2086
	run $as sh -c "'$SEND' -q --keep-going t >/dev/null"
	is 1 "$status"
	mkdir there
	chown 65534 there
	# shellcheck disable=SC2086
	$as "$SEND" -q --keep-going t 2>/dev/null | $as "$RECEIVE" there
	is "a c" "$(cd there/t && echo *)"
}

test_a_read_error_in_the_middle() {
	tree_tools
	mkdir t
	head -c 5000000 /dev/urandom >t/big
	echo x >t/z
	run "$SEND" --walk -f stream "fault:read@20=EIO:$T/t"
	is 1 "$status"
	like "*: reading it: Input/output error*" "$out"
	[ ! -e stream ]
	"$SEND" --walk --keep-going -f stream "fault:read@20=EIO:$T/t" 2>said || status=$?
	like "*reading it: Input/output error*" "$(cat said)"
	mkdir there
	"$RECEIVE" -f stream there
	is z "$(ls there/t)"
}

test_a_file_that_changes_is_noticed() {
	mkdir t
	head -c 3000000 /dev/zero >t/a
	(
		until [ -e stop ]; do
			echo x >>t/a
			sleep 0.02
		done
	) &
	run "$SEND" --walk -f stream "fault:read@2=delay1500:$T/t"
	touch stop
	wait
	is 1 "$status"
	like "*: a: changed while it was read*" "$out"
	mkdir there
	"$RECEIVE" -f stream there
}

test_a_signal_leaves_no_file() {
	local sig
	mkdir t out
	head -c 20000000 /dev/urandom >t/b # so that much is still to come
	for sig in int:130 term:143 hup:129; do
		run python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' \
			"$SEND" --walk -f out/stream --manifest=out/m "fault:read@9=${sig%:*}:$T/t"
		is "${sig#*:}" "$status"
		is "" "$(ls -A out)" "$sig"
	done
}

test_a_reader_that_goes_away_ends_it_quietly() {
	mkdir t
	head -c 3000000 /dev/zero >t/a
	set +e
	"$SEND" --walk t 2>said | head -c 100 >/dev/null
	status=${PIPESTATUS[0]}
	set -e
	is 141 "$status"
	is "" "$(cat said)"
}

test_full_output_is_said() {
	requires /dev/full
	mkdir t
	echo x >t/a
	run sh -c "'$SEND' --walk t >/dev/full"
	is 1 "$status"
	like "*stdout: writing: No space left on device" "$out"
}

run_tests "$@"
