#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every suite of iscsi-test-cu of libiscsi.  What it skips counts as passed for it, so the
# skips are compared with those that there may be.
. "$(dirname "$0")/target.lib"
requires "$TARGET" iscsi-test-cu

# What is skipped, by suite: commands of removable media, or that are not served (SANITIZE,
# WRITE ATOMIC), a second path, a read-only LUN, WRITE SAME up to the end (WSNZ).
may_skip='
MultipathIO 4
PreventAllow 8
ReadOnly 1
Sanitize 11
StartStopUnit 1
WriteAtomic16 11
WriteSame10 1
WriteSame16 1
'

# suites LUN SUITE...: one process each, for one can spoil the next
suites() {
	local suite skips allowed lun=$1
	shift
	for suite; do
		timeout 60 iscsi-test-cu -d -n -t "ALL.$suite" "$(url "$lun")" >log 2>&1 ||
			fail "$suite: $(grep -E 'FAIL|CU_|had failures' log | tail -n 5)"
		grep -q "Tests completed with return value: 0" log || fail "$suite: $(tail -n 3 log)"
		skips=$(grep -c SKIPPED log || :)
		allowed=$(awk -v suite="$suite" '$1 == suite { print $2 }' <<<"$may_skip")
		is "${allowed:-0}" "$skips" "$suite, skipped"
	done
}

array() {
	start --target "$iqn" --lun 0=a,size=100M --lun 1=b,size=100M,physical=512
}

all=$(iscsi-test-cu -l 2>&1 | sed -n 's/^ALL\.\([A-Za-z0-9]*\)$/\1/p' | sort -u)

test_copies() {
	array
	suites 0 ExtendedCopy ReceiveCopyResults
	stop
}

# It takes the next block for the start of the next physical one.
test_status_of_blocks_with_physical_blocks_of_512_bytes() {
	array
	suites 1 GetLBAStatus
	stop
}

test_reservations() {
	array
	# shellcheck disable=SC2046 # words
	suites 0 $(grep -E '^(Prin|Prout|Reserve)' <<<"$all")
	stop
}

test_the_protocol() {
	array
	# shellcheck disable=SC2046 # words
	suites 0 $(grep -E '^iSCSI' <<<"$all")
	stop
}

test_all_other_commands() {
	array
	# shellcheck disable=SC2046 # words
	suites 0 $(grep -vE '^(ExtendedCopy|ReceiveCopyResults|GetLBAStatus|Prin.*|Prout.*|Reserve6|iSCSI.*)$' <<<"$all")
	stop
}

test_two_paths() {
	array
	timeout 60 iscsi-test-cu -d -n -t ALL.MultipathIO "$(url 0)" "$(url 0)" >log 2>&1 || fail "$(tail -n 30 log)"
	is 0 "$(grep -c SKIPPED log)" "skipped"
	stop
}

run_tests "$@"
