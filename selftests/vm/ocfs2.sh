#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Reflinks of ocfs2, by cp and by ocp.
. "$(dirname "$0")/guest.lib"

load ocfs2 ocfs2_stack_o2cb
dir=$(ocfs2_disk 128)
head -c 3M /dev/urandom >"$dir/a"
sync

# shared FILE: all of its extents are
shared() {
	filefrag -v "$1"
	! filefrag -v "$1" | awk '/^ *[0-9]+:/ && !/shared/' | grep .
}

test_FICLONE() {
	cp --reflink=always "$dir/a" "$dir/b"
	same "$dir/a" "$dir/b"
	shared "$dir/b"
}

test_ocp_clones() {
	run "$OCP" --explain "$dir/a" "$dir/c"
	is 0 "$status" "status"
	like "*  clone *3.0 MiB*" "$out"
	same "$dir/a" "$dir/c"
	shared "$dir/c"
}

test_ocp_reads_and_writes_what_must_not_be_shared() {
	"$OCP" --offload=never --explain "$dir/a" "$dir/d"
	same "$dir/a" "$dir/d"
	! shared "$dir/d"
}

run_tests "$@"
