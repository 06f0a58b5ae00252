#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp-mount on this kernel: files, copies, the end; and whether the kernel reads by itself.
. "$(dirname "$0")/guest.lib"
load fuse
# shellcheck source=selftests/ofs/ofs.lib
. "$(dirname "$0")/../ofs/ofs.lib"
requires ext4 xfs

# A tree with cp, which asks for copies; one call across two file systems, in full.
test_copies_between_folders() {
	local a b
	a=$(make_fs ext4 64M)
	b=$(make_fs xfs 300M)
	mounted a="$a" b="$b"
	head -c 3000001 /dev/urandom >"$a/in"
	cp -a /etc/security m/a/tree
	cp -a m/a/tree m/b/
	diff -r --no-dereference /etc/security "$b/tree"
	cp m/a/in m/b/out
	same "$a/in" "$b/out"
	is 3000001 "$(python3 -c '
import os
i, o = os.open("m/b/out", os.O_RDONLY), os.open("m/a/back", os.O_WRONLY | os.O_CREAT)
print(os.copy_file_range(i, o, 1 << 30))')"
	same "$a/in" "$a/back"
	dd if=m/a/in of=m/b/direct bs=64k iflag=direct oflag=direct status=none
	same "$a/in" "$b/direct"
	rm -r m/b/tree
	[ ! -e "$b/tree" ] || fail "still there"
	unmounted
}

test_locks_and_names() {
	mkdir a
	mounted a
	touch m/a/f
	exec 5<m/a/f
	flock 5
	run flock -n a/f true
	is 1 "$status"
	exec 5>&-
	mv m/a/f m/a/g
	is g "$(ls a)"
	unmounted
}

test_the_kernel_reads_and_writes_by_itself() {
	local a
	a=$(make_fs ext4 64M)
	head -c 3M /dev/urandom >"$a/in"
	passes_through a="$a"
	before=$(moved_by_daemon)
	same "$a/in" m/a/in
	dd if="$a/in" of=m/a/out bs=64k status=none
	[ $(($(moved_by_daemon) - before)) -lt 1000000 ] || fail "it came to the daemon"
	same "$a/in" "$a/out"
	unmounted
}

run_tests "$@"
