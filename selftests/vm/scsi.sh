#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# EXTENDED COPY between LUNs of the kernel's target, what scsi_debug lacks, and what can be
# stacked on a LUN.  Nothing of this project runs here, so it proves the fixtures.
. "$(dirname "$0")/scsi.lib"

backstore src 16
backstore dst 16
head -c 16M /dev/urandom >"$T/src.lun"
src=$T/src.lun dst=$T/dst.lun

# moves SOURCE TARGET [OPTION]: by EXTENDED COPY, and the target's file shows it
moves() {
	truncate -s 0 "$dst"
	truncate -s 16M "$dst"
	sg_xcopy if="$(sg "$1")" of="$(sg "$2")" bs=512 count=32768 ${3:+"$3"}
	same "$src" "$dst"
}

test_sg_xcopy_between_two_LUNs_of_tcm_loop() {
	loop_luns 1 src dst
	# shellcheck disable=SC2086 # two words
	set -- $luns
	moves "$@" --on_src
	moves "$@" --on_dst
}

test_sg_xcopy_between_two_LUNs_over_iSCSI() {
	iscsi_target 3260 src dst
	iscsi_login 3260 2
	capture wire.pcap "tcp port 3260"
	# shellcheck disable=SC2086 # two words
	moves $luns
	captured
	decode wire.pcap "iscsi.opcode == 1" scsi_sbc.opcode scsi.spc.opcode >commands
	cat commands
	is 1 "$(grep -c 0x83 commands)" "EXTENDED COPY"
	is 0 "$(grep -cE '0x(08|28|a8|88|0a|2a|aa|8a)' commands)" "READ and WRITE"
}

test_scsi_debug_has_no_EXTENDED_COPY() {
	debug_disk 8
	run sg_raw "$(sg "$luns")" 83 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
	# shellcheck disable=SC2154 # set by run
	like "*Illegal Request*" "$out"
}

test_multipath_on_two_paths_to_a_LUN() {
	loop_luns 2 src
	# shellcheck disable=SC2086 # two words
	multipath both $luns
	cmp "$src" /dev/mapper/both
	like "*multipath*" "$(dmsetup table both)"
	dmsetup status both
}

test_LVM_on_a_LUN() {
	loop_luns 1 src
	lvm_volume group volume 8 "/dev/$luns"
	head -c 8M /dev/urandom >data
	dd if=data of=/dev/group/volume bs=1M oflag=direct status=none
	dd if=/dev/group/volume of=back bs=1M iflag=direct status=none
	same data back
	like "* linear *" "$(dmsetup table group-volume)"
}

run_tests "$@"
