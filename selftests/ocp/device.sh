#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Block devices as sources and targets.
. "$(dirname "$0")/../lib.sh"
requires loop losetup

# device SIZE: a loop device on ./disk, which is a hole; the test ends with it
device() {
	rm -f disk
	truncate -s "$1" disk
	dev=$(losetup --show -f disk)
	defer "losetup -d $dev"
}

test_an_image_is_written_with_its_holes_and_read_back() {
	device 24M
	head -c 5M /dev/urandom >in
	truncate -s 12M in
	head -c 2000001 /dev/urandom >>in
	"$OCP" --explain in "$dev" >said
	grep -q "7.0 MiB kept as holes" said
	grep -q "not by clone: block devices share no blocks" said
	cmp -n "$(stat -c %s in)" in "$dev"
	[ "$(($(stat -c %b disk) / 2))" -lt 9000 ] || fail "the hole takes space: $(stat -c %b disk) sectors"
	"$OCP" "$dev" out
	is 25165824 "$(stat -c %s out)"
	same "$dev" out
}

test_what_is_behind_a_short_image_stays() {
	device 8M
	yes | head -c 8M >old
	"$OCP" old "$dev"
	head -c 1000001 /dev/urandom >in
	"$OCP" --verify in "$dev"
	cmp -n 1000001 in "$dev"
	cmp -i 1000001 old "$dev"
}

test_a_device_is_copied_to_a_device_and_verified() {
	device 8M
	one=$dev
	mv disk disk.1
	device 8M
	head -c 8M /dev/urandom >"$one"
	"$OCP" --verify "$one" "$dev"
	same "$one" "$dev"
}

test_one_that_is_too_small_is_not_begun() {
	device 8M
	head -c 9M /dev/urandom >in
	run "$OCP" in "$dev"
	is 1 "$status"
	like "*$dev*No space left on device*" "$out"
	is 0 "$(stat -c %b disk)"
}

test_one_that_is_mounted_is_refused_and_said_where() {
	requires ext4
	device 16M
	mkfs.ext4 -q "$dev"
	mkdir "a place"
	mount "$dev" "a place"
	before=$(md5sum <disk)
	head -c 1M /dev/urandom >in
	run "$OCP" in "$dev"
	is 1 "$status"
	like "*not writing to '$dev', which is mounted on '$PWD/a place': Device or resource busy*" "$out"
	run "$OCP" -f in "$dev"
	is 1 "$status"
	[ -b "$dev" ] || fail "--force has removed the device"
	sync "a place"
	is "$before" "$(md5sum <disk)"
	# Reading it is allowed, as ever.
	"$OCP" "$dev" out
	umount "a place"
	"$OCP" in "$dev"
	cmp -n 1048576 in "$dev"
}

test_a_disk_with_a_mounted_partition_is_refused() {
	requires ext4 partx
	device 32M
	# One of 30 MiB from 1 MiB on, of type 83h.
	printf '\0\0\0\0\203\0\0\0\0\010\0\0\0\360\0\0' | dd of="$dev" bs=1 seek=446 conv=notrunc status=none
	printf '\125\252' | dd of="$dev" bs=1 seek=510 conv=notrunc status=none
	partx -a "$dev" 2>err || skip "no partitions of loop devices here: $(cat err)"
	defer "partx -d $dev 2>/dev/null || :"
	for _ in $(seq 100); do
		[ -b "${dev}p1" ] && break
		sleep 0.02
	done
	[ -b "${dev}p1" ] || skip "no partitions of loop devices here"
	mkfs.ext4 -q "${dev}p1"
	mkdir m
	mount "${dev}p1" m
	head -c 1M /dev/urandom >in
	run "$OCP" in "$dev"
	is 1 "$status"
	like "*which is mounted on '$PWD/m'*" "$out"
	umount m
	"$OCP" in "$dev"
}

test_swap_is_refused() {
	requires mkswap swapon swapoff
	device 16M
	mkswap -q "$dev" 2>/dev/null
	swapon "$dev" 2>err || skip "no swap here: $(cat err)"
	defer "swapoff $dev 2>/dev/null || :"
	head -c 1M /dev/urandom >in
	run "$OCP" in "$dev"
	swapoff "$dev"
	is 1 "$status"
	like "*which is used by 'swap'*" "$out"
}

run_tests "$@"
