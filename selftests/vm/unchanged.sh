#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Programs under ocp-run, where pidfds are of processes alone (before Linux 6.9) and where not.
. "$(dirname "$0")/guest.lib"
RUN=$O/ocp-run
requires ext4 xfs "$RUN" "$O/selftests/unchanged/calls"

# Every case of these must pass; a failed one is shown.
test_calls_between_file_systems() {
	"$RUN" "$O/selftests/unchanged/calls"
}

test_calls_at_the_limit_of_file_sizes() {
	"$RUN" "$O/selftests/unchanged/limits" 'calls.ext4_to_tmpfs.*'
}

test_a_signal_ends_a_copy_with_the_exact_count() {
	"$RUN" "$O/selftests/unchanged/long" 'calls.tmpfs_to_xfs.a_signal*'
}

test_cp_copies_across() {
	local other
	other=$(make_fs tmpfs 16M)
	head -c 300000 /dev/urandom >a
	"$RUN" --trace=trace cp a "$other/b"
	same a "$other/b"
	grep 'copy_file_range .* = 300000: stream' trace
}

run_tests "$@"
