#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The style checks find what they are for, in a small tree that breaks one rule.
. "$(dirname "$0")/../lib.sh"

# tree: a source tree without a fault, in the present folder
tree() {
	mkdir -p include kernel fs/mem lib userspace/ocp
	touch include/copy_range.h include/attr.h lib/bytes.h fs/rooms.h
	echo '#include "attr.h"' | tee include/fs.h >include/vfs.h
	echo '#include "fs.h"' >kernel/core.h
	echo '#include "core.h"' >kernel/a.c
	printf '#include "%s"\n' fs.h fs/rooms.h >fs/types.c
	echo 'const void *const cr_fs_types[] = { NULL };' >>fs/types.c
	printf '#include "%s"\n' fs.h lib/bytes.h >fs/mem/mem.c
	printf '#include "%s"\n' vfs.h ../../include/copy_range.h >userspace/ocp/ocp.h
	echo '#include "ocp.h"' >userspace/ocp/main.c
}

# refused FILE PATTERN: with what stands on standard input in FILE
refused() {
	cat >"$1"
	run sh "$SRC/scripts/$check" "$T"
	like "$2" "$out"
	is 1 "$(("$status" != 0))" "status not 0"
	rm "$1"
}

# refused_include FILE RESOLVED PATTERN [AS-WRITTEN]
refused_include() {
	refused "$1" "*$1: includes $2: $3*" <<<"#include \"${4-$2}\""
}

test_right_includes_pass() {
	tree
	run sh "$SRC/scripts/check-includes" "$T"
	is "" "$out"
	is 0 "$status"
}

test_wrong_includes_are_found() {
	check="check-includes"
	tree
	refused_include userspace/ocp/x.c include/fs.h "doors" fs.h
	refused_include userspace/ocp/x.c kernel/core.h "includes go" kernel/core.h
	refused_include userspace/ocp/x.c kernel/core.h "includes go" ../../kernel/core.h
	refused_include fs/mem/x.c include/vfs.h "rooms" vfs.h
	refused_include fs/mem/x.c kernel/core.h "includes go"
	refused_include fs/mem/x.c fs/rooms.h "fs/types.c alone"
	refused_include kernel/x.c userspace/ocp/ocp.h "includes go"
	refused_include lib/x.c kernel/core.h "includes go"
	refused_include lib/x.c include/vfs.h "lib is a leaf" vfs.h
	refused_include include/x.h lib/bytes.h "include/ leads"
	refused_include kernel/x.c kernel/a.c "a .c file" a.c
}

test_second_list_of_rooms_is_found() {
	check="check-includes"
	tree
	refused kernel/x.c "*kernel/x.c*fs/types.c*" <<<'const int cr_fs_types[] = { 1 };'
}

# lines N TEXT
lines() {
	yes "$2" | head -n "$1"
}

test_right_sizes_pass() {
	{
		echo 'int f(int a, int b, int c, int d, void (*e)(int, int))'
		echo '{'
		lines 97 '	a++;'
		echo '}'
		lines 500 '/* */'
	} >a.c
	run sh "$SRC/scripts/check-sizes" "$T"
	is "" "$out"
	is 0 "$status"
}

test_wrong_sizes_are_found() {
	check="check-sizes"
	lines 601 '/* */' | refused a.h "*a.h: 601 lines*"
	lines 601 '# x' | refused a.sh "*a.sh: 601 lines*"
	{
		echo 'static int f(void)'
		echo '{'
		lines 98 '	g();'
		echo '}'
	} | refused a.c "*a.c:1: function of 101 lines*"
	refused a.c "*a.c:2: more than 5 parameters*" <<-'END'
		int x;
		int f(int a, int b, int c,
		      int d, int e, int f)
		{
		}
	END
	refused a.c "*a.c:3: #if inside a function*" <<-'END'
		void f(void)
		{
		#ifdef X
		#endif
		}
	END
}

run_tests "$@"
