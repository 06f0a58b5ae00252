#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What make install leaves is usable: headers, libraries, pkg-config, programs.
. "$(dirname "$0")/../lib.sh"

CC=${CC:-gcc}
lib=$O/libcopy_range.so.0
requires "$lib" make pkg-config "$CC"
if nm -D --undefined-only "$lib" | grep -qE ' __(a|t|ub)san_'; then
	skip "the library is built with a sanitizer, which every user would need too"
fi

# Once for all tests, as a user would: into a folder, found by pkg-config.
root=$TEST_DIR/root
unset MAKEFLAGS MAKEOVERRIDES MAKELEVEL MFLAGS
if ! make -s -C "$SRC" O="$O" install DESTDIR="$root" >"$TEST_DIR/install.log" 2>&1; then
	sed 's/^/# /' "$TEST_DIR/install.log"
	ktap_plan 1
	not_ok make_install
	ktap_end
fi
pc=$(find "$root" -name copy_range.pc)
export PKG_CONFIG_PATH=${pc%/*} PKG_CONFIG_SYSROOT_DIR=$root

# a_user: a program that copies 100000 bytes by the library
a_user() {
	cat >user.c <<-'END'
		#define _GNU_SOURCE
		#include <copy_range.h>
		#include <errno.h>
		#include <stdio.h>
		#include <stdlib.h>
		#include <string.h>
		#include <sys/mman.h>
		#include <unistd.h>

		int main(void)
		{
			int in = memfd_create("in", 0), out = memfd_create("out", 0);
			char a[100000], b[sizeof(a)] = { 0 };
			struct cr_ns *ns = cr_ns_new();
			struct file *file = NULL;
			off_t at = 0;

			memset(a, 'x', sizeof(a));
			if (write(in, a, sizeof(a)) != sizeof(a))
				return 1;
			while (at < (off_t)sizeof(a)) {
				ssize_t n = copy_range(in, &at, out, NULL, sizeof(a), 0);

				if (n <= 0) {
					fprintf(stderr, "copy_range: %zd, errno %d\n", n, errno);
					return 1;
				}
			}
			if (pread(out, b, sizeof(b), 0) != sizeof(b) || memcmp(a, b, sizeof(a)))
				return 2;
			if (!ns || cr_open_fd(ns, in, &file) || cr_close(file))
				return 3;
			cr_ns_free(ns);
			puts(copy_strategy_name(COPY_CLONE));
			return 0;
		}
	END
}

flags() {
	pkg-config "$@" copy_range
}

test_program_runs_with_the_shared_library() {
	a_user
	# shellcheck disable=SC2046 # several words
	$CC -Wall -Wextra -Werror -o user user.c $(flags --cflags --libs)
	readelf -d user | grep 'NEEDED.*\[libcopy_range.so.0\]'
	is clone "$(LD_LIBRARY_PATH=$(flags --variable=libdir | sed "s|^$root||;s|^|$root|") ./user)"
}

test_program_runs_with_the_static_archive() {
	a_user
	# shellcheck disable=SC2046 # several words
	$CC -o user user.c -static $(flags --static --cflags --libs)
	is clone "$(./user)"
}

test_static_archive_has_public_names_only() {
	local archive
	archive=$(find "$root" -name libcopy_range.a)
	is "$(public_names)" "$(nm -g --defined-only "$archive" |
		awk 'NF == 3 && $2 != "w" && $2 != "W" { print $3 }' | sort)"
}

# The names of the version script.
public_names() {
	sed -n '/global:/,/local:/s/^[ \t]*\([a-z][a-z0-9_]*\);.*/\1/p' "$SRC/lib/libcopy_range.map" |
		sort
}

test_shared_library_exports_the_version_script() {
	is "$(public_names)" "$(nm -D --defined-only "$lib" |
		awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort)"
}

test_every_public_name_is_declared_and_the_other_way_round() {
	local header
	header=$(find "$root" -name copy_range.h)
	is "$(public_names)" "$($CC -E -P -x c "$header" | tr -d '\n' | tr ';' '\n' |
		sed -n '/typedef/d;s/.*[ *]\(\(cr_\|copy_\)[a-z0-9_]*\)(.*/\1/p' | sort)"
}

test_the_preload_library_is_where_the_linker_finds_it() {
	local preload
	requires "$O/libocp-preload.so"
	preload=$(find "$root" -name libocp-preload.so)
	[ -x "$preload" ]
	echo hello >a
	LD_PRELOAD=$preload cp a b
	same a b
}

test_every_program_has_a_manual_and_completions() {
	local program name
	for program in "$root"/usr/*/bin/* "$root"/usr/bin/*; do
		[ -e "$program" ] || continue
		name=${program##*/}
		[ -n "$(find "$root" -path "*/man[18]/$name.[18]")" ] || fail "no manual of $name"
		[ -n "$(find "$root" -path "*/completions/$name")" ] || fail "no completion of $name"
		[ -n "$(find "$root" -name "_$name")" ] || fail "no completion of $name for zsh"
	done
}

test_header_is_usable_from_cxx() {
	requires g++
	echo '#include <copy_range.h>' >user.cc
	# shellcheck disable=SC2046 # several words
	g++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only $(flags --cflags) user.cc
}

test_header_is_usable_from_strict_c() {
	echo '#include <copy_range.h>' >user.c
	# shellcheck disable=SC2046 # several words
	$CC -std=c99 -Wall -Wextra -Wpedantic -Werror -fsyntax-only $(flags --cflags) user.c
}

test_version_is_that_of_the_makefile() {
	is "$(sed -n 's/^VERSION[ \t]*:= *//p' "$SRC/Makefile")" "$(flags --modversion)"
}

test_every_installed_path_is_below_the_prefix() {
	is "" "$(find "$root" -mindepth 1 -not -path "$root/usr*")"
}

run_tests "$@"
