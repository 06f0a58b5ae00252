#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Programs that check each call, under ocp-run; what they skip is not for this way.
. "$(dirname "$0")/../lib.sh"
requires root loop "$O/ocp-run"
RUN=$O/ocp-run

# checked PROGRAM: all that it checks is right
checked() {
	"$RUN" "$O/selftests/unchanged/$1"
}

test_calls_between_file_systems() {
	checked calls
}

test_calls_at_the_limit_of_file_sizes() {
	checked limits
}

test_calls_that_take_long() {
	checked long
}

# The system call and copy_range() side by side, where both are served now.
test_every_kind_of_descriptor_agrees_with_copy_range() {
	"$RUN" --json=sums "$O/selftests/core/agree" '*tmpfs.every*' '*size_limit'
	jq -e '.calls_served > 500 and .calls_left_to_kernel > 5000' sums
}

test_semantics_within_a_file_system_are_the_kernels() {
	AGREE_OPS=300 "$RUN" --json=sums "$O/selftests/core/agree" '*random_ranges'
	jq -e '.calls_left_to_kernel > 500' sums
}

run_tests "$@"
