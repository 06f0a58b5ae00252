#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tools of sg3_utils against ocp-target: sg_bridge.so takes their SG_IO to LUNs by iSCSI.
. "$(dirname "$0")/target.lib"
bridge=$O/selftests/scsi/sg_bridge.so
requires "$TARGET" "$bridge" sg_xcopy sg_vpd sg_copy_results

# sg TOOL [ARG...]: with LUNs 0 and 1 as /dev/sg90 and /dev/sg91
sg() {
	SG_BRIDGE="/dev/sg90=$(url 0) /dev/sg91=$(url 1)" timeout 60 env LD_PRELOAD="$bridge" "$@"
}

test_sg_xcopy_copies_a_LUN() {
	head -c 40M /dev/urandom >a
	start --target "$iqn" --lun 0=a --lun 1=b,size=40M
	sg sg_xcopy if=/dev/sg90 of=/dev/sg91 bs=512 2>said
	grep -q "81920 blocks, 2 commands" said
	same a b
	grep -q "copied:" serve.log
	stop
}

test_sg_xcopy_copies_a_part() {
	head -c 10M /dev/urandom >a
	head -c 10M /dev/urandom >b
	cp b want
	dd if=a of=want bs=512 skip=7 seek=1000 count=9001 conv=notrunc status=none
	start --target "$iqn" --lun 0=a --lun 1=b
	sg sg_xcopy if=/dev/sg90 of=/dev/sg91 bs=512 skip=7 seek=1000 count=9001
	same want b
	stop
}

# Segments of 65535 blocks do not end where a block of the file system does.
test_all_of_a_segment_but_its_ends_is_cloned() {
	local dir
	requires xfs
	dir=$(make_fs xfs 500M)
	head -c 100M /dev/urandom >"$dir/a"
	start --target "$iqn" --lun "0=$dir/a" --lun "1=$dir/b,size=100M"
	sg sg_xcopy if=/dev/sg90 of=/dev/sg91 bs=512
	same "$dir/a" "$dir/b"
	awk '/copied:/ { for (i = 1; i < NF; i++) if ($i == "clone") c += $(i + 1); else if ($i == "bytes") all += $(i - 1) }
		END { print c, all; exit !(all == 104857600 && c > all - 64 * 4096) }' serve.log
	stop
}

test_what_is_read_only_is_not_copied_to() {
	head -c 1M /dev/urandom >a
	head -c 1M /dev/urandom >b
	cp b old
	start --target "$iqn" --lun 0=a --lun 1=b,ro
	run sg sg_xcopy if=/dev/sg90 of=/dev/sg91 bs=512
	[ "$status" != 0 ] || fail "$out"
	same old b
	stop
}

test_pages_are_understood() {
	start --target "$iqn" --lun 0=a,size=10M --lun 1=b,size=10M
	sg sg_vpd --page=di /dev/sg90 | grep -q "designator type: NAA"
	sg sg_vpd --page=bl /dev/sg90 | grep -q "Maximum unmap LBA count"
	sg sg_vpd --page=lbpv /dev/sg90 | grep -q "Unmap command supported (LBPU): 1"
	sg sg_vpd --page=tpc /dev/sg90 >tpc
	grep -q "Extended copy(LID1)" tpc
	grep -q "Populate token" tpc
	grep -q "block<o> -> block<o>" tpc
	sg sg_copy_results --params /dev/sg91 >params
	grep -q "Supports no list identifier (SNLID): yes" params
	grep -q "Data segment granularity: 512 bytes" params
	stop
}

run_tests "$@"
