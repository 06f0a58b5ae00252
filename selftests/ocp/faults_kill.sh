#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ocp is killed (SIGKILL) at each single call that it makes while it copies a
# tree: what has its final name is complete, and a second run makes it whole.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/faults.lib"

after_each() {
	is 137 "$status"
	complete src dst old
	leftovers . | xargs rm -rf
	[ ! -d old ] || set -- --atomic
	"$OCP" -a "$@" -T src dst
	listing dst | diff want -
}

# every_kill SIDE OPTION...
every_kill() {
	local side=$1
	shift
	make_tree src
	each_call kill "$side" -a "$@"
}

test_every_call_of_the_target() {
	every_kill dst
}

test_every_call_of_the_source() {
	every_kill src
}

test_every_call_with_temporary_names() {
	more_rules=',open(.)=EOPNOTSUPP'
	every_kill dst --offload=never
}

test_every_call_with_atomic_replacing() {
	old_tree
	every_kill dst --atomic
}

test_a_file_without_a_name_leaves_nothing_at_all() {
	local n calls
	one_file
	calls=$(calls_of dst)
	for ((n = 1; n <= calls; n++)); do
		rm -f dst
		run "$OCP" -T "fault::$T/src" "fault:*@$n=kill:$T/dst"
		is 137 "$status"
		is "" "$(leftovers .)"
		[ ! -e dst ] || same src dst
	done
}

test_with_several_workers() {
	local n
	make_tree src
	listing src >want
	for n in 5 17 30 42 55 68; do
		rm -rf dst
		run "$OCP" -a -j4 -T "fault::$T/src" "fault:*@$n=kill:$T/dst"
		(after_each) || fail "killed at call $n"
	done
}

run_tests "$@"
