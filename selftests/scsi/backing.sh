#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What is behind a LUN: block devices, files of an NFS server, file systems that share blocks.
. "$(dirname "$0")/target.lib"
requires "$TARGET" "$OCP"
ldconfig -p 2>/dev/null | grep -q "libiscsi\.so\.7" || requires /usr/lib/x86_64-linux-gnu/libiscsi.so.7

# image NAME: 12 MiB with data, a hole and data
image() {
	head -c 4M /dev/urandom >"$1"
	truncate -s 8M "$1"
	head -c 4M /dev/urandom >>"$1"
}

# device FILE: $device is a loop device on it until the test ends
device() {
	requires loop losetup
	device=$(losetup --find --show "$1")
	defer "losetup --detach $device"
}

# refused OPTION...: ocp-target does not begin; $out is why
refused() {
	run timeout 20 "$TARGET" --foreground --listen 127.0.0.1:0 --target "$iqn" "$@"
	is 1 "$status" "$out"
}

test_a_block_device_is_a_LUN() {
	image in
	head -c 16M /dev/urandom >disk
	cp disk old
	device disk
	start --target "$iqn" --lun "0=$device"
	"$OCP" in "$(url 0)"
	"$OCP" "$(url 0)" out
	cmp -n "$(stat -c %s in)" in out
	is 16777216 "$(stat -c %s out)"
	stop
	cmp -n "$(stat -c %s in)" in "$device"
	cmp -i "$(stat -c %s in)" old "$device"
	# What was unmapped is a hole of the file behind the device.
	[ "$(stat -c %b disk)" -lt 26000 ] || fail "the hole takes space: $(stat -c %b disk) sectors"
}

test_a_device_that_is_in_use_is_refused() {
	requires ext4
	truncate -s 16M disk
	device disk
	mkfs.ext4 -q "$device"
	mkdir mnt
	mount "$device" mnt
	refused --lun "0=$device"
	like "*cannot be opened: Device or resource busy*" "$out"
	umount mnt
	start --target "$iqn" --lun "0=$device"
	refused --lun "0=$device"
	like "*$device*busy*" "$out"
	stop
}

test_one_device_of_two_targets_is_one_unit() {
	truncate -s 16M disk
	device disk
	refused --lun "0=$device" --lun "1=$device"
	like "*the same file is LUN 0*" "$out"
	image in
	start --target "$iqn" --lun "0=$device" --target "$iqn.2" --lun "5=$device"
	"$OCP" in "$(url 0)"
	"$OCP" "iscsi://127.0.0.1:$port/$iqn.2/5" out
	cmp -n "$(stat -c %s in)" in out
	stop
}

test_a_size_that_is_not_the_devices_is_refused() {
	truncate -s 16M disk
	device disk
	refused --lun "0=$device,size=8M"
	like "*larger than size=*" "$out"
	refused --lun "0=$device,size=32M"
	like "*cannot be made as large*" "$out"
	is 16777216 "$(stat -c %s disk)"
	# One that is neither.
	refused --lun 0=/dev/null
	like "*neither a regular file nor a block device*" "$out"
}

test_devices_copy_by_the_target() {
	head -c 16M /dev/urandom >disk
	truncate -s 16M disk2
	device disk
	first=$device
	device disk2
	start --target "$iqn" --lun "0=$first" --lun "1=$device"
	"$OCP" --offload=always "$(url 0)" "$(url 1)"
	grep -q "copied:" serve.log
	cmp "$first" "$device"
	stop
}

# Nothing is shared by devices: the token stands for the LUN itself.
test_a_token_of_a_device_is_redeemed() {
	requires "$O/selftests/scsi/offload"
	head -c 16M /dev/urandom >disk
	truncate -s 16M disk2
	device disk
	first=$device
	device disk2
	start --target "$iqn" --lun "0=$first" --lun "1=$device"
	"$O/selftests/scsi/offload" odx "$(url 0)" "$(url 1)" 16
	cmp "$first" "$device"
	stop
}

# serve DIR: ocp-nfsd exports it; $export is its URL
serve() {
	[ -x "$O/ocp-nfsd" ] || skip "no ocp-nfsd in this build"
	requires root
	"$O/ocp-nfsd" --listen 127.0.0.1:0 --export "$1 *(rw,no_root_squash,insecure)" \
		--state "$T/state" --lease 10 --foreground 2>nfsd.log &
	nfsd=$!
	defer "kill $nfsd 2>/dev/null || :"
	until nfs_port=$(sed -n 's/.*serving on 127.0.0.1:\([0-9]*\).*/\1/p' nfsd.log) && [ -n "$nfs_port" ]; do
		kill -0 "$nfsd" 2>/dev/null || fail "ocp-nfsd did not begin: $(cat nfsd.log)"
		sleep 0.02
	done
	export=nfs://127.0.0.1:$nfs_port$1
}

test_a_file_of_an_NFS_server_is_a_LUN() {
	mkdir srv
	serve "$PWD/srv"
	image in
	start --target "$iqn" --lun "0=$export/a,size=16M"
	is 16777216 "$(stat -c %s srv/a)"
	"$OCP" in "$(url 0)"
	cmp -n "$(stat -c %s in)" in srv/a
	"$OCP" "$(url 0)" out
	cmp -n "$(stat -c %s in)" in out
	stop
	refused --lun "0=$export/none"
	like "*cannot be opened: No such file*" "$out"
}

# The target asks the NFS server to copy: neither moves the data over the network.
test_copies_of_LUNs_on_an_NFS_server_are_made_there() {
	local dir
	requires xfs
	dir=$(make_fs xfs 500M)
	serve "$dir"
	head -c 64M /dev/urandom >"$dir/a"
	start --target "$iqn" --lun "0=$export/a" --lun "1=$export/b,size=64M"
	"$OCP" --offload=always "$(url 0)" "$(url 1)"
	same "$dir/a" "$dir/b"
	is 67108864 "$(awk '/copied: (clone|offload)/ && /(0 read)/ { sum += $4 } END { print sum }' serve.log)"
	stop
}

# clones FSTYPE OPTIONS: a copy of LUNs there is a clone, and so is what a token brings
clones() {
	local dir
	requires "$1" "$O/selftests/scsi/offload"
	dir=$(make_fs "$1" 700M "$2")
	head -c 200M /dev/urandom >"$dir/a"
	start --target "$iqn" --lun "0=$dir/a" --lun "1=$dir/b,size=200M" --lun "2=$dir/c,size=200M"
	"$OCP" --offload=always "$(url 0)" "$(url 1)"
	same "$dir/a" "$dir/b"
	"$O/selftests/scsi/offload" odx "$(url 0)" "$(url 2)" 200
	same "$dir/a" "$dir/c"
	if grep -E "copied: .*(stream|offload|encoded)" serve.log; then
		fail "data were moved"
	fi
	is 419430400 "$(awk '/copied: clone/ { sum += $4 } END { print sum }' serve.log)"
	stop
}

test_copies_of_LUNs_on_btrfs_are_clones() {
	clones btrfs noatime
}

test_copies_of_LUNs_on_compressed_btrfs_are_clones() {
	clones btrfs compress-force=zstd
}

test_copies_of_LUNs_on_XFS_are_clones() {
	clones xfs noatime
}

run_tests "$@"
