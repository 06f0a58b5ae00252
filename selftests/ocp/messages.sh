#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Wrong command lines and plain faults: ocp answers what cp answers, but for the name.
. "$(dirname "$0")/../lib.sh"
requires cp

# as_cp ARG...: the same output, streams apart, and status
as_cp() {
	local tool wanted
	for tool in cp "$OCP"; do
		rm -rf w && mkdir w && (
			cd w && mkdir d full && : >a && : >b && : >full/a && ln -s nowhere dangling
			status=0
			"$tool" "$@" >../out 2>../err </dev/null || status=$?
			echo "status $status" >>../err
			sed "s/^cp: /ocp: /; s/'cp --help'/'ocp --help'/" ../err
			cat ../out
			find . -type f -o -type l | sort
		) >"$(basename "$tool").said"
	done
	wanted=$(cat cp.said)
	is "$wanted" "$(cat ocp.said)" "ocp $*"
}

test_operands() {
	as_cp
	as_cp a
	as_cp -T a b c
	as_cp -t d -T a
	as_cp -t d -t full a
	as_cp a b nowhere
	as_cp a b b
	as_cp -t nowhere a
	as_cp -t a b
	as_cp --parents a b
	as_cp -l -s a b
}

test_options() {
	as_cp --foo a b
	as_cp -Q a b
	as_cp --re a b
	as_cp --force=1 a b
	as_cp -t
	as_cp --reflink=always --sparse=never a b
}

# In the C locale quotes are plain in both.
test_words() {
	export LC_ALL=C
	as_cp --sparse=x a b
	as_cp --sparse a b
	as_cp --reflink=x a b
	as_cp --backup=x a b
	as_cp --preserve=context a b
}

test_contexts_without_selinux() {
	[ ! -e /sys/fs/selinux/enforce ] || skip "this kernel has SELinux"
	as_cp -Z a x
	as_cp --context a x
	as_cp --context=c a x
	as_cp -a --preserve=context a x
	as_cp --preserve=context -Z a x
	as_cp -a --no-preserve=context a x
}

test_words_in_utf8() {
	export LC_ALL=C.UTF-8
	as_cp --sparse=x a b
}

test_faults() {
	as_cp nowhere x
	as_cp '' x
	as_cp a ''
	as_cp a nowhere/x
	as_cp a nowhere/
	as_cp d x
	as_cp a a
	as_cp -r d d
	as_cp a dangling
	as_cp -T a d
	as_cp -r d a
	as_cp a d a
	as_cp a full/a d
}

test_names_in_front_of_a_message() {
	local name
	for name in 'x' 'x y' 'x:y' 'x#' 'x{y}' '~x' "x'y" 'x=y' '{x' '@%+,]_'; do
		as_cp -s a "d/$name"
	done
}

test_lines_and_errors_in_one_file_keep_their_order() {
	: >a && : >b && mkdir c d
	cp -v a nowhere b c >wanted 2>&1 || :
	"$OCP" -j1 -v a nowhere b d >seen 2>&1 || :
	is "$(sed "s/^cp:/ocp:/; s,'c/,'d/," wanted)" "$(cat seen)"
}

test_verbose() {
	as_cp -v a x
	as_cp -v a b d
	as_cp -nv a b
	as_cp -v --remove-destination a b
	as_cp -vs a x
	as_cp -vl a x
	as_cp -vlf a b
	as_cp -vsf a x
}

run_tests "$@"
