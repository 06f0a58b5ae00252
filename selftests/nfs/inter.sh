#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copies from one ocp-nfsd to another: the data go between the servers alone.

. "$(dirname "$0")/../lib.sh"

# shellcheck source=selftests/nfs/serve.lib
. "$(dirname "$0")/serve.lib"

# two OPTION...: server a, and server b with these options; $a and $b are their URLs
two() {
	serve a
	a=nfs://127.0.0.1:$port$T/a
	a_port=$port
	serve b "$@"
	b=nfs://127.0.0.1:$port$T/b
	b_port=$port
}

# watched: $a and $b lead through proxies that count
watched() {
	mkfifo a.in a.out b.in b.out
	"$O/selftests/nfs/proxy" "$a_port" <a.in >a.out &
	defer "kill $! 2>/dev/null || :"
	"$O/selftests/nfs/proxy" "$b_port" <b.in >b.out &
	defer "kill $! 2>/dev/null || :"
	exec 5>a.in 6<a.out 7>b.in 8<b.out
	read -r port <&6
	a=nfs://127.0.0.1:$port$T/a
	read -r port <&8
	b=nfs://127.0.0.1:$port$T/b
}

# passed: bytes on the client's connections so far
passed() {
	local up down more less
	echo bytes >&5
	read -r up down <&6
	echo bytes >&7
	read -r more less <&8
	echo $((up + down + more + less))
}

test_data_go_between_the_servers_alone() {
	two --inter-server=127.0.0.0/8
	watched
	head -c 10M /dev/urandom >a/from
	truncate -s 30M a/from
	echo end >>a/from
	run timeout 60 "$OCP" --explain "$a/from" "$b/to"
	echo "$out"
	like "*grant *nothing through this process*" "$out"
	same a/from b/to
	[ "$(passed)" -lt 100000 ]
	[ "$(stat -c %b b/to)" -lt 25000 ] # holes stay holes
}

test_a_tree_with_the_identity_of_the_URL() {
	two --inter-server=127.0.0.1
	mkdir a/tree a/tree/private
	head -c 2M /dev/urandom >a/tree/private/large
	head -c 2K /dev/urandom >a/tree/private/small
	chmod 700 a/tree/private
	chmod 600 a/tree/private/*
	chown -R 1234:2345 a/tree
	chmod 1777 b
	run timeout 60 "$OCP" -r --explain "$a/tree?uid=1234&gid=2345" "$b?uid=1234&gid=2345"
	echo "$out"
	like "*grant *2.0 MiB*" "$out"
	like "*not by grant: so short a range is copied before*" "$out"
	same a/tree/private/large b/tree/private/large
	same a/tree/private/small b/tree/private/small
	is 1234:2345 "$(stat -c %u:%g b/tree/private/large)"
}

test_nothing_is_read_from_elsewhere_unless_allowed() {
	local option
	for option in off 10.0.0.0/8,::1; do
		two "--inter-server=$option"
		head -c 2M /dev/urandom >a/from
		run timeout 60 "$OCP" --explain "$a/from" "$b/to"
		[ "$option" = off ] || like "*not by grant: *may not copy from the source's*" "$out"
		like "*not by grant: the NFS server of the destination *not copy from *" "$out"
		same a/from b/to
		run timeout 60 "$OCP" --offload=always "$a/from" "$b/always"
		is 1 "$status"
		is "" "$(find b -name '*always*')"
		kill -KILL "$(cat a.pid)" "$(cat b.pid)"
	done
	run "$O/ocp-nfsd" --inter-server=somewhere
	is 2 "$status"
	like "*--inter-server: neither * nor an address*somewhere*" "$out"
}

test_a_source_that_dies_leaves_no_half_file() {
	two --inter-server=127.0.0.1
	head -c 200M /dev/zero >a/from
	timeout 60 "$OCP" "$a/from?timeout=2" "$b/to" 2>said &
	begun $! b
	kill -KILL "$(cat a.pid)"
	if wait $!; then
		same a/from b/to # it was done already
	else
		is "" "$(find b -type f)"
		like "*from*: *" "$(cat said)"
	fi
}

# said OPERATION: how often ocp has sent this one, whose first argument is a stateid
said() {
	grep -c "$(printf '\\\\x00\\\\x00\\\\x00\\\\x%02x\\\\x00\\\\x00\\\\x00\\\\x01' "$1")" trace || :
}

test_a_signal_ends_it_at_both_servers() {
	requires strace
	two --inter-server=127.0.0.1
	head -c 300M /dev/zero >a/from
	strace -f -xx -s 600 -e trace=sendmsg,sendto,write,writev -o trace \
		"$OCP" "$a/from" "$b/to" 2>/dev/null &
	begun $! b
	kill -TERM "$(pgrep -P $!)" || : # it was done already
	wait $! || true
	is "" "$(find b -type f ! -name to)"
	if [ -e b/to ]; then # it was done already
		same a/from b/to
	else
		is 2 "$(said 66)" "OFFLOAD_CANCEL of the copy and of the grant"
	fi
}

run_tests "$@"
