# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=dash
#
# lib.sh - for shell tests, which look like this:
#
#	#!/bin/bash
#	# SPDX-License-Identifier: GPL-2.0-or-later
#	# What is tested here.
#	. "$(dirname "$0")/../lib.sh"
#	requires btrfs
#
#	test_copies_a_file() {
#		local dir
#		dir=$(make_fs btrfs 256M compress=zstd)
#		echo hello >"$dir/a"
#		"$OCP" "$dir/a" "$dir/b"
#		is hello "$(cat "$dir/b")"
#	}
#
#	run_tests "$@"
#
# Each test_ function runs in a subshell with set -e, in an empty directory $T of its
# own that is removed afterwards; what it prints is shown when it fails.  It fails
# when a command fails, or by fail; skip REASON leaves it out.
#
# $SRC is the source, $O the build folder, $OCP the program.  Mounts are private
# to the script where it runs as root, so that nothing survives even a kill.

SRC=$(cd "$(dirname "$0")/../.." && pwd)
O=$(cd "${O:-$SRC/build}" 2>/dev/null && pwd || echo "$SRC/build")
OCP=$O/ocp
export SRC O OCP

if [ -z "${SELFTEST_NS-}" ] && [ "$(id -u)" = 0 ] && [ -x "$0" ] &&
	unshare --mount true 2>/dev/null; then
	SELFTEST_NS=1 exec unshare --mount -- "$(dirname "$0")/${0##*/}" "$@"
fi

TEST_DIR=$(mktemp -d "${TMPDIR:-/tmp}/selftest.XXXXXX") || exit 1
T=$TEST_DIR
ktap_count=0
ktap_failed=0
ktap_planned=
in_test=

# Cleaning up ------------------------------------------------------------------

# unmount_below DIR: what was mounted last first
unmount_below() {
	awk -v dir="$1/" 'index($5 "/", dir) == 1 { print $5 }' /proc/self/mountinfo | tac |
		while read -r mounted; do
			umount "$mounted" 2>/dev/null || umount --lazy "$mounted"
		done
}

# defer COMMAND: run it by sh at the end of the test, the last one first
defer() {
	printf '%s\n' "$1" >>"$T/.defer"
}

# remove_dir DIR: undo all that was made for it
remove_dir() {
	if [ -s "$1/.defer" ]; then
		tac "$1/.defer" | while read -r command; do
			sh -c "$command" </dev/null || echo "# cleaning up: $command failed"
		done
	fi
	unmount_below "$1"
	chmod -R u+rwx "$1" 2>/dev/null || :
	rm -rf --one-file-system "$1"
}

cleanup() {
	trap '' INT TERM HUP
	cd /
	remove_dir "$TEST_DIR"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# What is needed ---------------------------------------------------------------

# skip REASON: leave out this test, or outside of tests the whole script
skip() {
	if [ -n "$in_test" ]; then
		printf '%s\n' "$*" >"$TEST_DIR/reason"
	else
		echo "KTAP version 1"
		echo "1..0 # SKIP $*"
	fi
	exit 4
}

# requires WHAT...: root, loop, a file system type, a path, or a program
requires() {
	local what
	for what; do
		case $what in
		root) [ "$(id -u)" = 0 ] || skip "needs root" ;;
		loop)
			requires root
			[ -w /dev/loop-control ] || skip "no loop devices"
			;;
		btrfs | xfs | ext4)
			requires loop "mkfs.$what"
			has_fs "$what"
			;;
		tmpfs)
			requires root
			has_fs tmpfs
			;;
		/*) [ -e "$what" ] || skip "no $what" ;;
		*) command -v "$what" >/dev/null || skip "no $what" ;;
		esac
	done
}

has_fs() {
	grep -qw "$1" /proc/filesystems || modprobe -q "$1" 2>/dev/null || skip "this kernel has no $1"
}

# Fixtures ---------------------------------------------------------------------

# megabytes SIZE: 256, 256M or 2G as MiB
megabytes() {
	case $1 in
	*G) echo $((${1%G} * 1024)) ;;
	*) echo "${1%M}" ;;
	esac
}

# make_fs TYPE[:MKFS-OPTIONS] SIZE [MOUNT-OPTIONS]: prints the mount point
# Smallest: btrfs 112M, xfs 300M.  Space is taken as it is written.
make_fs() {
	local dir
	dir=$(mktemp -d "$T/mnt.XXXXXX") || return
	if [ $# -gt 2 ]; then
		"$O/selftests/mkfixture" "$1" "$(megabytes "$2")" "$dir" "$3" >&2 2>"$TEST_DIR/reason" || return
	else
		"$O/selftests/mkfixture" "$1" "$(megabytes "$2")" "$dir" >&2 2>"$TEST_DIR/reason" || return
	fi
	echo "$dir"
}

# remount DIR [OPTIONS]: unmount and mount again, so that caches are cold
remount() {
	local dev type opts
	dev=$(findmnt --noheadings --nofsroot --output SOURCE --mountpoint "$1") || return
	type=$(findmnt --noheadings --output FSTYPE --mountpoint "$1")
	opts=${2-$(findmnt --noheadings --output OPTIONS --mountpoint "$1")}
	# Held open, or the loop device would go with the mount.
	exec 9<"$dev"
	umount "$1" && mount -t "$type" ${opts:+-o "$opts"} "$dev" "$1"
	exec 9<&-
	mountpoint -q "$1"
}

# Results ----------------------------------------------------------------------

# ktap_plan N: before the first result, for scripts that do without run_tests
ktap_plan() {
	ktap_planned=$1
	echo "KTAP version 1"
	echo "1..$1"
}

ok() {
	ktap_count=$((ktap_count + 1))
	echo "ok $ktap_count $1"
}

not_ok() {
	ktap_count=$((ktap_count + 1))
	ktap_failed=$((ktap_failed + 1))
	echo "not ok $ktap_count $1"
}

# ok_skip NAME REASON
ok_skip() {
	ktap_count=$((ktap_count + 1))
	echo "ok $ktap_count $1 # SKIP $2"
}

# ktap_end: last line of a script that gave its results itself
ktap_end() {
	[ -n "$ktap_planned" ] || echo "1..$ktap_count"
	[ "$ktap_failed" = 0 ] && [ "$ktap_count" -gt 0 ] &&
		[ "${ktap_planned:-$ktap_count}" = "$ktap_count" ]
	exit
}

# Inside a test ----------------------------------------------------------------

fail() {
	printf '%s\n' "$*" >&2
	exit 1
}

# is WANTED SEEN [WHAT]
is() {
	[ "$1" = "$2" ] || fail "${3:-seen}: wanted '$1', got '$2'"
}

# like PATTERN SEEN [WHAT]: a pattern of case
like() {
	# shellcheck disable=SC2254 # it is meant as a pattern
	case $2 in
	$1) ;;
	*) fail "${3:-seen}: wanted '$1', got '$2'" ;;
	esac
}

# same FILE FILE: equal bytes
same() {
	cmp "$1" "$2" || fail "$1 and $2 differ"
}

# run COMMAND...: leaves $status and $out (both streams); never fails by itself
run() {
	status=0
	# shellcheck disable=SC2034 # for the caller
	out=$("$@" 2>&1) || status=$?
}

# run_tests [TEST...]: run all test_ functions of the script, or these, and leave
run_tests() {
	local name
	# shellcheck disable=SC2046 # names have no blanks
	[ $# -gt 0 ] || set -- $(sed -n 's/^\(test_[A-Za-z0-9_]*\)().*/\1/p' "$0")
	ktap_plan $#
	for name; do
		run_test "$name"
	done
	ktap_end
}

run_test() {
	local status
	T=$TEST_DIR/$1
	mkdir "$T"
	rm -f "$TEST_DIR/reason"
	set +e
	(
		in_test=$1
		[ -z "${BASH_VERSION-}" ] || trap_errors
		cd "$T" || exit
		set -e
		"$1"
	) >"$TEST_DIR/log" 2>&1 </dev/null
	status=$?
	remove_dir "$T"
	T=$TEST_DIR
	if [ $status = 0 ]; then
		ok "$1"
	elif [ $status = 4 ]; then
		ok_skip "$1" "$(tail -n 1 "$TEST_DIR/reason" 2>/dev/null || tail -n 1 "$TEST_DIR/log")"
	else
		sed 's/^/# /' "$TEST_DIR/log"
		echo "# $1: status $status"
		not_ok "$1"
	fi
}

# bash can say which command failed.
trap_errors() {
	# shellcheck disable=SC3041,SC3047
	set -E
	# shellcheck disable=SC2154,SC3047,SC3028
	trap 'echo "${0##*/}:$LINENO: status $?: $BASH_COMMAND" >&2' ERR
}
