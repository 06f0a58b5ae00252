#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Each single call that ocp makes while it copies a tree fails once: either that
# does not show in the copy, or it is said and the exit status tells.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/faults.lib"

# every_error SIDE OPTION...
every_error() {
	local side=$1
	shift
	make_tree src
	each_call every "$side" -a --preserve=xattr "$@"
}

test_every_call_of_the_target() {
	every_error dst
}

test_every_call_of_the_source() {
	every_error src
}

test_every_call_with_temporary_names() {
	more_rules=',open(.)=EOPNOTSUPP'
	every_error dst --offload=never
}

test_every_call_with_atomic_replacing() {
	old_tree
	every_error dst --atomic
}

run_tests "$@"
