#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copies between ocp-target's LUNs that are disks of Linux, and disks that go away meanwhile.
. "$(dirname "$0")/open_iscsi.lib"

test_sg_xcopy_is_a_clone() {
	login
	head -c 64M /dev/urandom >"$a"
	sync "$a"
	: >"$log"
	sg_xcopy if="$(sg "${a#/dev/}")" of="$(sg "${b#/dev/}")" bs=512 count=131072
	same "$array/a" "$array/b"
	grep -q "copied: clone" "$log" || fail "$(cat "$log")"
}

test_ocp_lets_the_disks_copy() {
	login
	head -c 64M /dev/urandom >"$a"
	"$OCP" --offload=always "$a" "$b"
	same "$array/a" "$array/b"
}

# begun: the copy in $copy has written something of $array/b, which was a hole
begun() {
	[ "$(du -k "$array/b" | cut -f 1)" -gt 1024 ]
}

# unplugged COMMAND...: while ocp copies from one disk to another it ends with an error
unplugged() {
	login
	blkdiscard --force "$b"
	head -c 64M /dev/urandom >"$a"
	sync "$a"
	"$OCP" --offload=never --bwlimit=4M "$a" "$b" 2>said &
	copy=$!
	undo "kill $copy"
	soon 30 begun
	"$@"
	if wait "$copy"; then
		fail "it went well without the disk"
	fi
	grep -qE "ocp: .*($a|$b)" said || fail "$(cat said)"
	cat said
}

test_a_logout_during_a_copy_is_an_error() {
	unplugged node --logout
}

test_a_target_that_is_killed_during_a_copy_is_an_error() {
	unplugged kill -9 "$server"
	# shellcheck disable=SC2317 # what is left of the session goes
	node --logout || :
}

run_tests "$@"
