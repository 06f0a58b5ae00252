#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp on URLs of the kernel's NFS server where it speaks 3 and 4.0 alone.
. "$(dirname "$0")/nfs.lib"

knfsd 20490 20048
export_fs plain ext4 64M

# there_and_back DIR OPTIONS: a tree to that directory of the server and back
there_and_back() {
	local url=nfs://127.0.0.1:20490$1
	shift
	mkdir -p "$T/tree/deep" "$T/tree/empty"
	head -c 3M /dev/urandom >"$T/tree/large"
	head -c 3000 /dev/urandom >"$T/tree/deep/small"
	ln "$T/tree/large" "$T/tree/deep/hard"
	ln -s large "$T/tree/link"
	mkfifo "$T/tree/pipe"
	mknod "$T/tree/dev" c 1 3
	chown 1234:2345 "$T/tree/deep" "$T/tree/deep/small"
	chmod 4750 "$T/tree/deep/small"
	touch -d 2001-02-03T04:05:06.123456Z "$T/tree/deep/small" "$T/tree/deep"
	listed "$T/tree" >"$T/wanted"
	timeout 100 "$OCP" -a "$T/tree" "$url/tree$1"
	listed /export/plain/tree | diff "$T/wanted" -
	timeout 100 "$OCP" -a "$url/tree$1" "$T/back"
	listed "$T/back" | diff "$T/wanted" -
	rm -r /export/plain/tree
}

listed() {
	(cd "$1" && find . -printf '%p %y %m %U %G %n %l\n' | sort && stat -c '%n %Y' deep deep/small large &&
		md5sum large deep/small)
}

test_version_3() {
	there_and_back /export/plain "?version=3&mountport=20048"
}

test_version_4_0() {
	there_and_back /plain "?version=4.0"
}

test_without_a_version_it_is_3_and_said() {
	head -c 1M /dev/urandom >/export/plain/from
	run timeout 60 "$OCP" --explain "nfs://127.0.0.1:20490/export/plain/from?mountport=20048" \
		"nfs://127.0.0.1:20490/export/plain/to?mountport=20048"
	same /export/plain/from /export/plain/to
	like "*the server speaks NFS 3, neither 4.2 nor 4.1*" "$out"
}

run_tests "$@"
