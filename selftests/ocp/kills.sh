#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One copy is killed (SIGKILL) 200 times at random moments and goes on each time.
. "$(dirname "$0")/../lib.sh"
[ -x "$OCP" ] || skip "no ocp in this build"
requires python3

# kills MORE-OPTION...: SEED= gives other moments
kills() {
	if [ "$(id -u)" = 0 ]; then # syncing costs nothing there, so that runs come further
		mkdir mem
		mount -t tmpfs -o size=1G tmpfs mem
		cd mem
	fi
	SEED=${SEED-20261126} KILLS=${KILLS-200} python3 "$SRC/selftests/ocp/kills.py" "$OCP" "$@"
}

test_a_copy_killed_200_times_ends_equal_and_copies_nothing_twice_but_a_range_a_worker() {
	kills
}

test_a_part_of_a_copy_killed_40_times_goes_on_too() {
	KILLS=40 kills --shard=1/2
}

run_tests "$@"
