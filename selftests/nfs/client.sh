#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp on URLs of the project's own server.

# shellcheck source=selftests/nfs/nfsd.lib
. "$(dirname "$0")/nfsd.lib"
# shellcheck source=selftests/nfs/client.lib
. "$(dirname "$0")/client.lib"

test_the_server_copies_and_no_data_passes() {
	head -c 5M /dev/urandom >"$dir/from"
	proxy
	run timeout 60 "$OCP" --explain "$via/from" "$via/to"
	echo "$out"
	like "*nothing through this process*" "$out"
	same "$dir/from" "$dir/to"
	say bytes
	[ $((up + down)) -lt 100000 ]
	rm "$dir/from" "$dir/to"
}

# A server whose disk is busy when the signal comes has the file removed all the same.
test_a_signal_while_the_server_stalls_leaves_nothing_behind() {
	head -c 60M /dev/zero >"$T/file"
	proxy --slow 50
	timeout 60 "$OCP" "$T/file" "$via/stalled" &
	flowing $!
	say hang
	sleep 0.5 # nothing is on its way any more
	kill -TERM $!
	sleep 4 # longer than what tidies up has otherwise
	say go
	wait $! || true
	nothing_left stalled
}

# shellcheck disable=SC2046 # names have no blanks
[ $# -gt 0 ] || set -- $(sed -n 's/^\(test_[A-Za-z0-9_]*\)().*/\1/p' "$(dirname "$0")/client.lib" "$0")
run_tests "$@"
