#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What goes wrong in a test must be seen: the harness on samples that go wrong.
. "$(dirname "$0")/../lib.sh"

samples=$O/selftests/harness/samples
requires "$samples"

# sample NAME: leaves $status and $out
sample() {
	run "$samples" "$1"
}

test_passing_test_passes() {
	sample passes
	is 0 "$status"
	like "KTAP version 1
1..1
ok 1 global.passes*" "$out"
}

test_all_failed_expectations_are_shown() {
	sample expects_two_wrong_things
	is 1 "$status"
	like "*Expected 1 (1) == 2 (2)*the block ran*Expected 'left' == 'right'*went on*" "$out"
	like "*
not ok 1 global.expects_two_wrong_things*" "$out"
}

test_failed_assert_ends_the_test_after_teardown() {
	sample fails_an_assert
	is 1 "$status"
	like "*# setup*Expected*# teardown*not ok 1*" "$out"
	case $out in *"never here"*) fail "went on" ;; esac
}

test_failed_setup_ends_the_test() {
	sample is_not_run
	like "*not ok 1 *" "$out"
	case $out in *"never here"*) fail "went on" ;; esac
}

test_skip_shows_its_reason() {
	sample skips
	is 0 "$status"
	like "*
ok 1 global.skips # SKIP no such thing here*" "$out"
}

test_skip_in_setup_skips_test_and_teardown() {
	sample is_skipped_by_setup
	is 0 "$status"
	like "*
ok 1 absent.is_skipped_by_setup # SKIP nothing to set up*" "$out"
	case $out in *Expected*) fail "went on" ;; esac
}

test_crash_is_a_failure() {
	sample aborts
	is 1 "$status"
	like "*not ok 1 global.aborts # killed by signal 6*" "$out"
}

test_leaving_early_is_a_failure() {
	sample leaves_by_exit
	like "*not ok 1 global.leaves_by_exit # exited with status 23*" "$out"
	sample leaves_by_exit_1
	like "*not ok 1 *status 1 outside of a check*" "$out"
}

test_hang_is_a_failure() {
	sample hangs
	is 1 "$status"
	like "*not ok 1 torn.hangs # TIMEOUT after * s*" "$out"
}

test_signal_that_does_not_come_is_a_failure() {
	sample survives_its_signal
	like "*not ok 1 *not killed by signal 10*" "$out"
}

test_failure_in_a_child_or_thread_counts() {
	sample fails_in_a_child
	like "*Expected 1*not ok 1 *" "$out"
	sample asserts_in_a_thread
	like "*Expected 1*not ok 1 *" "$out"
}

test_processes_left_by_a_test_are_killed() {
	LEFT=$T/left sample leaves_a_process
	like "*
ok 1 *" "$out"
	# Dying takes a moment, and a zombie may wait for its reaper.
	for _ in {1..250}; do
		grep -q '^State:.[^ZX]' "/proc/$(cat left)/status" 2>/dev/null || return 0
		sleep 0.02
	done
	fail "process $(cat left) is still there"
}

test_no_matching_test_is_a_failure() {
	sample no_such_test
	is 1 "$status"
}

# Loop devices whose storage was in $T.
loops_left() {
	cat /sys/block/loop*/loop/backing_file 2>/dev/null | grep "^$T" || :
}

test_killed_test_leaves_no_mount() {
	requires ext4
	TMPDIR=$T sample dies_with_a_mount
	like "*/dev/loop*ext4*killed by signal 9*" "$out"
	is "" "$(grep "$T" /proc/self/mounts)" mounts
	is "" "$(loops_left)" "loop devices"
}

test_loop_devices_are_made_in_parallel() {
	local i pids=()
	requires ext4
	for i in 1 2 3 4 5 6 7 8; do
		mkdir "$i"
		TMPDIR=$T "$O/selftests/mkfixture" ext4 8 "$T/$i" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	is 8 "$(grep -c "$T" /proc/self/mounts)" mounts
	umount [1-8]
	is "" "$(loops_left)" "loop devices"
}

run_tests "$@"
