#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ocp when things go wrong: what it says, what it exits with, what it leaves behind.
#
# The fault room makes calls fail at a known place: "fault:RULES:PATH", see
# fs/fault/fault.c.  A file that was not there before has its name only when it is
# complete; one that was there is written in place as cp does, or with --atomic
# has either its old or its new content; what may remain after kill -9, and
# only then, is called .NAME.ocp-XXXXXX.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/faults.lib"

# One file ------------------------------------------------------------------------

# Both ways of making a new file: without a name, and under a temporary one.
new_file_ways=('' ',open(.)=EOPNOTSUPP')

test_no_space_for_a_new_file() {
	one_file
	for way in "${new_file_ways[@]}"; do
		ocp_on "copy_range=EXDEV,clone_range=EXDEV,write@2+=ENOSPC$way"
		said 1 "ocp: error writing 'fault:*/dst': No space left on device"
		[ ! -e dst ] || fail "dst exists"
		is "" "$(leftovers .)"
	done
}

test_no_space_for_an_offloaded_file() {
	one_file
	ocp_on "clone_range=EXDEV,copy_range=ENOSPC,write=EDOM"
	said 1 "ocp: error writing 'fault:*/dst': No space left on device"
	[ ! -e dst ] || fail "dst exists"
	is "" "$(leftovers .)"
}

test_an_unreadable_source() {
	one_file
	for way in "${new_file_ways[@]}"; do
		run "$OCP" --offload=never "fault:read@2+=EIO:$T/src" "fault:open(.)=EOPNOTSUPP:$T/dst"
		said 1 "ocp: *'fault:*/src'*: Input/output error"
		[ ! -e dst ] || fail "dst exists"
		is "" "$(leftovers .)"
	done
}

test_interrupted_and_short_calls_do_not_show() {
	one_file
	run "$OCP" --offload=never "fault:read@3*=EINTR,read@5*=short100:$T/src" \
		"fault:write@2*=EINTR,write@3*=short70000:$T/dst"
	said 0 ""
	same src dst
}

# What a network file system says at close, of a file without a name and of one with flags.
test_a_failed_write_that_closing_would_tell_is_heard_before_the_file_has_its_name() {
	one_file
	for way in "${new_file_ways[@]}"; do
		[ -z "$way" ] || chattr +d src 2>/dev/null || continue
		ocp_on "flush=ENOSPC,link(dst)=EDOM,rename=EDOM$way" -a
		said 1 "ocp: failed to close 'fault:*/dst': No space left on device"
		[ ! -e dst ] || fail "dst exists"
		is "" "$(leftovers .)"
	done
}

test_a_close_that_fails_after_the_file_has_its_name_takes_it_away() {
	one_file
	ocp_on "release(.)=EIO"
	said 1 "ocp: failed to close 'fault:*/dst': Input/output error"
	[ ! -e dst ] || fail "dst exists"
}

test_a_close_that_fails() {
	one_file
	ocp_on "release(.dst.ocp-*)=EIO,open(.)=EOPNOTSUPP"
	said 1 "ocp: failed to close 'fault:*/dst': Input/output error"
	[ ! -e dst ] || fail "dst exists"
	is "" "$(leftovers .)"
}

test_a_name_that_cannot_be_given() {
	one_file
	ocp_on "rename=EIO,open(.)=EOPNOTSUPP"
	said 1 "ocp: cannot create regular file 'fault:*/dst': Input/output error"
	[ ! -e dst ] || fail "dst exists"
	is "" "$(leftovers .)"
	ocp_on "link=EIO"
	said 1 "ocp: cannot create regular file 'fault:*/dst': Input/output error"
	[ ! -e dst ] || fail "dst exists"
}

test_in_place_the_inode_stays_and_part_of_the_content_is_new() {
	local inode
	one_file
	seq 600000 700000 >dst
	inode=$(stat -c %i dst)
	ocp_on "write@2+=ENOSPC" --offload=never
	said 1 "ocp: error writing 'fault:*/dst': No space left on device"
	is "$inode" "$(stat -c %i dst)"
	cmp -n "$(stat -c %s dst)" src dst
	is "" "$(leftovers .)"
}

test_atomic_keeps_the_old_content() {
	local rules
	one_file
	echo old >dst
	for rules in 'write@2+=ENOSPC' 'write@1=EIO' 'rename=EIO' 'release(.dst.ocp-*)=EIO' \
		'open(.dst.ocp-*)=EDQUOT' 'truncate=EIO,write@3=EIO'; do
		ocp_on "$rules" --atomic --offload=never
		said 1 "ocp: *dst'*: *"
		is old "$(cat dst)"
		is "" "$(leftovers .)"
	done
}

test_errors_are_in_json() {
	one_file
	ocp_on "write@2+=ENOSPC" --offload=never --json=out.json
	is 1 "$status"
	tr -d ' \n\t' <out.json >flat
	like '*"errors":\[{"path":"fault:*/dst","operation":"write","error":"*","errno":"ENOSPC"}\]*' \
		"$(cat flat)"
}

# Trees that break at one place ------------------------------------------------------

# RULES of the source | RULES of the target | message | name that must be missing
# Where the last is empty, the tree is all there.
places='
|mkdir(d)=ENOSPC,mkdir(.d.ocp-*)=ENOSPC|cannot create directory *d*: No space left on device|d
|symlink=EIO|cannot create symbolic link *symlink*: Input/output error|d/symlink
|mknod=EPERM|cannot create fifo *fifo*: Operation not permitted|d/fifo
|setattr=EIO|preserving times for *: Input/output error|
|setxattr=ENOSPC|setting attribute *user.test* for *big*: No space left on device|
open(e)=EMFILE||cannot access *e*: Too many open files|d/e/deep
readdir(d)=EIO||cannot access *d*: Input/output error|d/text
open(deep)=EACCES||cannot open *deep* for reading: Permission denied|d/e/deep
getattr(deep)=EIO||*deep*: Input/output error|d/e/deep
readlink=EIO||cannot read symbolic link *symlink*: Input/output error|d/symlink
|link(hardlink)=EMLINK,link(text)=EMLINK|*: Too many links|
|open(e)=EIO|*d/e*: Input/output error|d/e/deep
'

test_each_place_has_its_message_and_the_rest_is_copied() {
	local at_src at_dst message missing
	make_tree src
	while IFS='|' read -r at_src at_dst message missing; do
		[ -n "$message" ] || continue
		rm -rf dst
		run "$OCP" -a --preserve=xattr -T "fault:$at_src:$T/src" "fault:$at_dst:$T/dst"
		# shellcheck disable=SC2254 # a pattern
		case $out in
		*"ocp: "$message*) ;;
		*) fail "$at_src|$at_dst: wanted '$message', got '$out'" ;;
		esac
		is 1 "$status" "exit status of $at_src|$at_dst"
		if [ -n "$missing" ] && [ -e "dst/$missing" ]; then fail "$missing is there"; fi
		is "" "$(leftovers dst)"
		complete src dst
		same src/sparse dst/sparse
		same src/ro/file dst/ro/file
	done <<<"$places"
}

# Signals ------------------------------------------------------------------------------

test_int_and_term_end_it_with_nothing_left() {
	local way signal
	one_file
	for signal in int:130 term:143 hup:129; do
		for way in "${new_file_ways[@]}"; do
			ocp_on "write@2=${signal%:*}$way" --offload=never
			said "${signal#*:}" "ocp: interrupted: *dst' was not completed"
			[ ! -e dst ] || fail "dst exists"
			is "" "$(leftovers .)"
		done
	done
}

test_int_during_an_offload() {
	one_file
	ocp_on "clone_range=EXDEV,copy_range=short65536,copy_range@2=int"
	said 130 "ocp: interrupted: *dst' was not completed"
	[ ! -e dst ] || fail "dst exists"
}

test_int_ends_a_tree_at_the_file_in_hand() {
	make_tree src
	ocp_on "write@3=int" -a -j1 --offload=never
	is 130 "$status"
	complete src dst
	is "" "$(leftovers dst)"
}

test_int_with_atomic_keeps_the_old_content() {
	one_file
	echo old >dst
	ocp_on "write@2=int" --atomic --offload=never
	is 130 "$status"
	is old "$(cat dst)"
	is "" "$(leftovers .)"
}

test_int_in_place_leaves_what_was_copied() {
	local inode
	one_file
	seq 600000 700000 >dst
	inode=$(stat -c %i dst)
	ocp_on "write@2=int" --offload=never
	is 130 "$status"
	is "$inode" "$(stat -c %i dst)"
	cmp -n "$(stat -c %s dst)" src dst
}

# slow_start [MS]: ocp in the background, inside a copy that takes ten seconds: a few reads of
# 1.5, or of so many milliseconds.  A shell makes such a process ignore SIGINT, and so does ocp
# then: TERM is sent instead.
slow_start() {
	"$OCP" --offload=never "fault:read=delay${1-1500}:$T/src" "$T/dst" 2>err &
	pid=$!
	for _ in $(seq 100); do
		grep -q "$T/src" <(ls -l "/proc/$pid/fd" 2>/dev/null) && return
		sleep 0.05
	done
	fail "it does not start"
}

test_a_signal_from_outside_ends_a_slow_copy_soon() {
	local start=$SECONDS status=0
	one_file
	slow_start 3000 # twenty seconds
	kill -TERM "$pid"
	wait "$pid" || status=$?
	is 143 "$status"
	[ $((SECONDS - start)) -lt 12 ] || fail "took $((SECONDS - start)) s"
	[ ! -e dst ] || fail "dst exists"
}

test_the_second_signal_kills_at_once() {
	local status=0
	one_file
	slow_start 60000
	kill -TERM "$pid"
	# What comes within a moment of the first is the first; on a busy machine that is soon said.
	for _ in $(seq 50); do
		sleep 0.4
		kill -TERM "$pid" 2>/dev/null || break
	done
	kill -KILL "$pid" 2>/dev/null || :
	wait "$pid" || status=$?
	is 143 "$status"
	[ ! -e dst ] || fail "dst exists"
	! grep -q "was not completed" err
}

# twice: the signal, and once more as soon as the first was taken; $took are milliseconds
twice() {
	local line pending=1 began=${EPOCHREALTIME/[.,]/}
	kill -TERM "$pid"
	while [ "$pending" = 1 ]; do
		pending=
		while read -r line; do
			case $line in
			SigPnd:*0000 | ShdPnd:*0000) ;;
			SigPnd:* | ShdPnd:*) pending=1 ;;
			esac
		done <"/proc/$pid/status"
	done
	kill -TERM "$pid"
	took=$(((${EPOCHREALTIME/[.,]/} - began) / 1000))
}

# As timeout(1) sends them: to the program, and to its process group.
test_a_signal_sent_twice_in_a_moment_is_one() {
	local status took
	one_file
	# Where the machine was busy with something else for longer than a moment, again.
	for _ in $(seq 20); do
		status=0
		slow_start
		twice
		wait "$pid" || status=$?
		is 143 "$status"
		[ "$took" -gt 200 ] || break
	done
	like "*was not completed*" "$(cat err)"
}

# Files that change meanwhile -------------------------------------------------------------

test_a_source_that_shrinks_gives_what_is_there() {
	one_file
	run "$OCP" --offload=never "fault:read@3+=short0:$T/src" "$T/dst"
	[ -s dst ] || fail "nothing copied"
	[ "$(stat -c %s dst)" -lt "$(stat -c %s src)" ] || fail "too much"
	cmp -n "$(stat -c %s dst)" src dst
	[ "$status" = 0 ] || like "ocp: *src'*" "$out"
}

test_a_source_cut_while_it_is_copied() {
	local status=0
	one_file
	slow_start
	truncate -s 100000 src
	wait "$pid" || status=$?
	# What is beyond the cut was read before it, or is not there.
	cmp -n 100000 src dst
	[ "$status" = 0 ] || like "ocp: *src'*" "$(cat err)"
}

test_a_target_directory_removed_under_us() {
	one_file
	mkdir gone
	"$OCP" --offload=never "fault:read=delay300:$T/src" "$T/gone/dst" 2>err &
	pid=$!
	for _ in $(seq 100); do
		grep -q "$T/gone" <(ls -l "/proc/$pid/fd" 2>/dev/null) && break
		sleep 0.05
	done
	rm -rf gone
	status=0
	wait "$pid" || status=$?
	is 1 "$status"
	like "ocp: *gone/dst'*: No such file or directory" "$(cat err)"
}

test_a_target_file_removed_under_us_is_no_error_as_in_cp() {
	one_file
	echo old >dst
	slow_start
	rm dst
	status=0
	wait "$pid" || status=$?
	is 0 "$status"
	[ ! -e dst ] || fail "it came back"
}

# Real file systems -------------------------------------------------------------------------

full_disk() {
	local dir free
	requires "$1"
	dir=$(make_fs "$1" "$2")
	head -c 400M /dev/zero | tr '\0' x >"$T/src"
	sync -f "$dir"
	run "$OCP" "$T/src" "$dir/dst"
	said 1 "ocp: error writing '$dir/dst': No space left on device"
	[ ! -e "$dir/dst" ] || fail "dst exists"
	is "" "$(leftovers "$dir")"
	# The space is free again: half as much fits now.
	sync -f "$dir"
	free=$(stat -f -c '%a * %S / 2' "$dir")
	truncate -s $((free)) "$T/src"
	"$OCP" "$T/src" "$dir/half"
	same "$T/src" "$dir/half"
}

test_a_full_ext4() {
	full_disk ext4 64M
}

test_a_full_xfs() {
	full_disk xfs 300M
}

test_a_full_btrfs() {
	full_disk btrfs 128M
}

test_a_full_disk_ends_some_files_of_a_tree() {
	local dir n
	requires ext4
	dir=$(make_fs ext4 32M)
	mkdir src
	for n in $(seq 12); do
		head -c 4M /dev/urandom >"src/$n"
	done
	run "$OCP" -r -T src "$dir/dst"
	is 1 "$status"
	like "*error writing '$dir/dst/*': No space left on device*" "$out"
	complete src "$dir/dst"
	is "" "$(leftovers "$dir")"
	n=$(find "$dir/dst" -type f | wc -l)
	case $n in
	0 | 12) fail "$n files" ;;
	esac
}

test_a_read_only_target() {
	local dir
	requires ext4
	dir=$(make_fs ext4 32M)
	one_file
	mount -o remount,ro "$dir"
	run "$OCP" src "$dir/dst"
	said 1 "ocp: cannot create regular file '$dir/dst': Read-only file system"
}

test_a_file_size_limit() {
	one_file
	status=0
	(
		ulimit -f 100
		"$OCP" src dst 2>err
	) || status=$?
	[ "$status" -ne 0 ] || fail "success"
	[ ! -e dst ] || fail "dst exists"
}

run_tests "$@"
