#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp-target's LUNs as disks of Linux: sd, and file systems on them.
. "$(dirname "$0")/open_iscsi.lib"
requires ext4 fio

test_sd_learns_what_the_LUNs_can() {
	local queue
	login
	queue=/sys/block/${a#/dev/}/queue
	is 67108864 "$(blockdev --getsize64 "$a")"
	is 4096 "$(cat "$queue/physical_block_size")"
	[ "$(cat "$queue/discard_max_bytes")" -gt 0 ] || fail "it does not discard"
	like "*LUN 1*" "$(iscsiadm --mode session --print 3 | sed 's/Lun: /LUN /')"
	iscsiadm --mode session --rescan
	node --logout
	[ ! -e "/sys/block/${a#/dev/}" ] || fail "still there"
}

# verified DEVICE: what fio writes is what it reads from the disk afterwards
verified() {
	fio --name=verify --filename="$1" --size=16M --bsrange=4k-128k --rw=randwrite --direct=1 --ioengine=libaio \
		--iodepth=16 --verify=crc32c --verify_fatal=1 --do_verify=1 --minimal >fio.out || fail "$(cat fio.out)"
}

test_fio_verifies_a_disk() {
	login
	verified "$a"
}

# on TYPE: a file system is made, written, read back and trimmed
on() {
	local before
	login
	blkdiscard --force "$c"
	"mkfs.$1" -q "$c" || fail "no file system"
	mkdir -p m
	mount -t "$1" "$c" m
	undo "umount $PWD/m"
	verified m/file
	cp -r /etc/security m/
	sync
	before=$(taken "$array/c")
	umount m
	mount -t "$1" "$c" m
	diff -r --no-dereference /etc/security m/security
	rm m/file
	sync
	fstrim -v m
	[ "$(taken "$array/c")" -lt $((before - 8192)) ] || fail "nothing was given back: $before, $(taken "$array/c") KiB"
	diff -r --no-dereference /etc/security m/security
	umount m
}

test_ext4_on_a_LUN() {
	on ext4
	e2fsck -fn "$c"
}

test_XFS_on_a_LUN() {
	on xfs
	xfs_repair -n "$c"
}

test_blkdiscard_makes_holes_and_zeros() {
	login
	head -c 64M /dev/urandom >"$a"
	sync "$a"
	[ "$(taken "$array/a")" -ge 65536 ] || fail "not written"
	blkdiscard --force --offset 8M --length 48M "$a"
	[ "$(taken "$array/a")" -lt 20000 ] || fail "not given back"
	cmp -n $((48 << 20)) /dev/zero "$a" -i 0:$((8 << 20))
	blkdiscard --force --zeroout --offset 0 --length 1M "$a"
	cmp -n $((1 << 20)) /dev/zero "$a"
}

# CRC32C of both kinds by another implementation.
test_digests_of_headers_and_data() {
	node --op update --name 'node.conn[0].iscsi.HeaderDigest' --value CRC32C
	undo "iscsiadm --mode node --targetname $target --op update --name 'node.conn[0].iscsi.HeaderDigest' --value None"
	node --op update --name 'node.conn[0].iscsi.DataDigest' --value CRC32C
	undo "iscsiadm --mode node --targetname $target --op update --name 'node.conn[0].iscsi.DataDigest' --value None"
	login
	is 1 "$(cat /sys/class/iscsi_connection/*/header_digest)"
	is 1 "$(cat /sys/class/iscsi_connection/*/data_digest)"
	verified "$a"
}

run_tests "$@"
