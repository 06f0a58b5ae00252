#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each fuzz target for 20 seconds, from a fixed seed.  Longer runs are by hand.
. "$(dirname "$0")/../lib.sh"

# fuzz NAME
fuzz() {
	fuzz=$O/selftests/fuzz/$1
	[ -x "$fuzz" ] || skip "not built: clang has no libFuzzer"
	"$fuzz" -seed=1 -max_total_time=20 -max_len=8192 -rss_limit_mb=1024 -print_final_stats=1 \
		-verbosity=0
}

test_codec() {
	fuzz codec_fuzz
}

test_stream() {
	fuzz stream_fuzz
}

run_tests "$@"
