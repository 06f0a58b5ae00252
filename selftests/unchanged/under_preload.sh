#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Programs that check each call, with libocp-preload.so; what they skip is not for this way.
. "$(dirname "$0")/../lib.sh"
PRELOAD=$O/libocp-preload.so
requires root loop "$PRELOAD"
if nm -D --undefined-only "$PRELOAD" | grep -qE ' __(a|t|ub)san_'; then
	skip "a sanitizer's runtime must be loaded before any other library"
fi

# checked PROGRAM: all that it checks is right
checked() {
	LD_PRELOAD=$PRELOAD "$O/selftests/unchanged/$1"
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

# The call and copy_range() side by side, where both are served now.
test_every_kind_of_descriptor_agrees_with_copy_range() {
	AGREE_LIBC=1 OCP_TRACE=trace LD_PRELOAD=$PRELOAD "$O/selftests/core/agree" '*tmpfs.every*' '*size_limit'
	[ "$(grep -c copy_file_range trace)" -gt 500 ]
}

test_it_exports_what_it_stands_before_and_no_more() {
	is "copy_file_range ioctl sendfile sendfile64" \
		"$(nm -D --defined-only "$PRELOAD" | awk '{ print $3 }' | sort | xargs)"
}

test_a_program_with_the_same_names_inside_is_left_alone() {
	cat >clash.c <<-'END'
		#include <stdio.h>
		int cr_copy_range(void), ZSTD_compressBound(void), served_copy(void);
		int cr_copy_range(void) { return puts("mine"); }
		int ZSTD_compressBound(void) { return puts("mine"); }
		int served_copy(void) { return puts("mine"); }
		#define _GNU_SOURCE
		long copy_file_range(int, long *, int, long *, unsigned long, unsigned);
		int main(void)
		{
			cr_copy_range();
			while (copy_file_range(0, 0, 1, 0, 1 << 20, 0) > 0)
				;
			perror("copy");
			return 0;
		}
	END
	${CC:-cc} -rdynamic -o clash clash.c
	local a
	a=$(make_fs tmpfs 16M)
	echo hello >"$a/in"
	LD_PRELOAD=$PRELOAD ./clash <"$a/in" >out
	is "hello" "$(head -n 1 out)"
}

test_every_program_runs_as_before() {
	is "$(sh -c 'echo a | cat; ls /; awk "BEGIN { print 1 / 3 }"')" \
		"$(LD_PRELOAD=$PRELOAD sh -c 'echo a | cat; ls /; awk "BEGIN { print 1 / 3 }"')"
}

test_wrong_words_in_the_environment_are_told() {
	like "*OCP_OFFLOAD*sideways*" "$(OCP_OFFLOAD=sideways LD_PRELOAD=$PRELOAD /bin/true 2>&1)"
	like "*OCP_CLONE*" "$(OCP_CLONE=yes LD_PRELOAD=$PRELOAD /bin/true 2>&1)"
}

run_tests "$@"
