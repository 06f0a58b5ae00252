#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp on LUNs of LIO, the kernel's target, whose EXTENDED COPY takes one segment a command.
. "$(dirname "$0")/scsi.lib"
requires sg_turs ext4

backstore copy1 24 # MiB
backstore copy2 24
iscsi_target 3262 copy1 copy2

url() {
	echo "iscsi://127.0.0.1:3262/$iqn/$1"
}

test_iSCSI_LUNs_by_URL() {
	fill "$(url 0)"
	"$OCP" --explain --offload=always "$(url 0)" "$(url 1)"
	"$OCP" "$(url 1)" back
	cmp -n "$(stat -c %s image)" image back
}

no_sessions() {
	[ -z "$(tr -d '\0' <"$1/dynamic_sessions")" ]
}

# The target's group is taken out of service in the middle, which ends its sessions.
test_a_session_with_LIO_is_made_anew() {
	local group=$lio/iscsi/$iqn/tpgt_1 copy
	fill "$(url 0)"
	"$OCP" --offload=never --bwlimit=4M "$(url 0)" "$(url 1)" &
	copy=$!
	undo "kill $copy"
	soon 30 cmp -n 65536 image "$TEST_DIR/copy2.lun"
	echo 0 >"$group/enable"
	soon 30 no_sessions "$group"
	echo 1 >"$group/enable"
	wait "$copy" || fail "the copy ended"
	cmp -n "$(stat -c %s image)" image "$TEST_DIR/copy2.lun"
}

test_disks_copy_by_themselves_and_caches_agree() {
	local a b
	loop_luns 1 copy1 copy2
	read -r -d "" a b <<<"$luns" || :
	fill "/dev/$a"
	head -c 24M /dev/zero | tr '\0' x >"/dev/$b"
	warm "/dev/$b"
	"$OCP" --probe "/dev/$a" "/dev/$b" >said
	grep -qx "  offload  possible" said || fail "$(cat said)"
	grep -q "^  copies by itself: EXTENDED COPY (LID1)" said || fail "$(cat said)"
	is x "$(head -c 1 "/dev/$b")" "after a probe"
	"$OCP" --explain --offload=always "/dev/$a" "/dev/$b" >said
	grep -qx "  bytes 0 to 25165823: offload, EXTENDED COPY (LID1)" said || fail "$(cat said)"
	cmp "/dev/$a" "/dev/$b"
	cmp -n "$(stat -c %s image)" image "/dev/$b"
}

test_what_does_not_copy_by_itself_is_streamed_and_said() {
	local debug
	debug_disk 32
	debug=$luns
	loop_luns 1 copy1
	fill "/dev/$luns"
	"$OCP" --explain "/dev/$luns" "/dev/$debug" >said
	grep -q "not by offload: the array has no EXTENDED COPY" said || fail "$(cat said)"
	cmp -n "$(stat -c %s image)" image "/dev/$debug"
	"$OCP" --explain image "/dev/$luns" >said
	grep -q "not by offload: one is a file, the other a block device" said || fail "$(cat said)"
}

test_a_disk_that_is_mounted_is_refused() {
	loop_luns 1 copy1
	mkfs.ext4 -q "/dev/$luns"
	mkdir m
	mount "/dev/$luns" m
	echo image >image
	run "$OCP" image "/dev/$luns"
	umount m
	is 1 "$status"
	like "*which is mounted on '$PWD/m'*" "$out"
}

run_tests "$@"
