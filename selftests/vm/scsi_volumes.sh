#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp on what stands on LUNs of LIO: partitions, volumes, stripes, paths.
. "$(dirname "$0")/scsi.lib"
requires sg_turs

backstore copy1 24 # MiB
backstore copy2 24

# One of 20 MiB from 1 MiB on.
partition() {
	dd if=/dev/zero of="/dev/$1" bs=512 count=1 conv=notrunc status=none
	printf '\0\0\0\0\203\0\0\0\0\010\0\0\0\240\0\0' | dd of="/dev/$1" bs=1 seek=446 conv=notrunc status=none
	printf '\125\252' | dd of="/dev/$1" bs=1 seek=510 conv=notrunc status=none
	partx -d "/dev/$1" 2>/dev/null || :
	partx -a "/dev/$1"
	soon 10 test -b "/dev/${1}1"
}

test_a_partition_is_a_part_of_its_disk() {
	local a b
	loop_luns 1 copy1 copy2
	read -r -d "" a b <<<"$luns" || :
	head -c 24M /dev/urandom >"/dev/$a"
	head -c 24M /dev/zero | tr '\0' x >"/dev/$b"
	partition "$a"
	partition "$b"
	warm "/dev/$b" "/dev/${b}1"
	"$OCP" --explain --offload=always "/dev/${a}1" "/dev/${b}1"
	cmp "/dev/${a}1" "/dev/${b}1"
	cmp -i 1048576 -n 20971520 "/dev/$a" "/dev/$b"
	is x "$(tail -c 1 "/dev/$b")"
	# A part of a disk is not copied over itself.
	run "$OCP" --offload=always "/dev/${a}1" "/dev/$a"
	is 1 "$status" "$out"
}

test_logical_volumes_are_followed_to_their_disks() {
	local a b disk
	loop_luns 1 copy1 copy2
	read -r -d "" a b <<<"$luns" || :
	# Without what another test has left on them.
	for disk in $luns; do
		dd if=/dev/zero of="/dev/$disk" bs=1M count=1 conv=notrunc status=none
		blockdev --rereadpt "/dev/$disk"
	done
	# The second one goes on where there is room behind the third, and on the other disk.
	lvm_volume group one 12 "/dev/$a" "/dev/$b"
	lvm_volume group two 4 "/dev/$b"
	lvm_volume group three 4 "/dev/$b"
	lvm lvextend -qq --size 12M group/two "/dev/$b" "/dev/$a"
	head -c 12M /dev/urandom >/dev/group/one
	head -c 12M /dev/zero | tr '\0' x >/dev/group/two
	warm /dev/group/two "/dev/$b"
	"$OCP" --explain --offload=always /dev/group/one /dev/group/two
	cmp /dev/group/one /dev/group/two
	# Of other types of the device mapper it is said which.
	load dm_snapshot
	dmsetup create origin --table "0 16384 snapshot-origin /dev/$a"
	undo "dmsetup remove origin"
	"$OCP" --explain /dev/mapper/origin /dev/group/two >said
	grep -q "not by offload: what snapshots depend on (dm-snapshot)" said || fail "$(cat said)"
	cmp -n 8388608 /dev/mapper/origin /dev/group/two
}

test_stripes_are_followed_to_their_disks() {
	local a b disk from to
	loop_luns 1 copy1 copy2
	read -r -d "" a b <<<"$luns" || :
	for disk in $luns; do
		dd if=/dev/zero of="/dev/$disk" bs=1M count=1 conv=notrunc status=none
		blockdev --rereadpt "/dev/$disk"
	done
	lvm_volume stripes linear 8 "/dev/$a" "/dev/$b"
	# The second has its stripes the other way round, and in other chunks.
	lvm lvcreate -qq --yes --wipesignatures n --zero n --size 8M --name one --stripes 2 --stripesize 64k stripes "/dev/$a" "/dev/$b"
	lvm lvcreate -qq --yes --wipesignatures n --zero n --size 8M --name two --stripes 2 --stripesize 256k stripes "/dev/$b" "/dev/$a"
	like "* striped 2 128 *" "$(dmsetup table stripes-one)"
	for from in linear one two; do
		for to in linear one two; do
			[ "$from" != "$to" ] || continue
			head -c 8M /dev/urandom >"/dev/stripes/$from"
			head -c 8M /dev/zero | tr '\0' x >"/dev/stripes/$to"
			warm "/dev/stripes/$to" "/dev/$b"
			"$OCP" --explain --offload=always "/dev/stripes/$from" "/dev/stripes/$to"
			cmp "/dev/stripes/$from" "/dev/stripes/$to"
			cat "/dev/stripes/$to" >cached
			echo 3 >/proc/sys/vm/drop_caches
			cmp cached "/dev/stripes/$to"
		done
	done
}

test_a_path_of_a_multipath_device_is_taken() {
	local a b c d
	loop_luns 2 copy1 copy2
	read -r -d "" a b c d <<<"$luns" || :
	multipath first "$a" "$c"
	multipath second "$b" "$d"
	fill /dev/mapper/first
	"$OCP" --explain --offload=always /dev/mapper/first /dev/mapper/second
	cmp /dev/mapper/first /dev/mapper/second
}

run_tests "$@"
