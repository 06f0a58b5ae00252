#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp-nfsd with its own client: what options, signals, versions and restarts change.

. "$(dirname "$0")/../lib.sh"

# shellcheck source=selftests/nfs/serve.lib
. "$(dirname "$0")/serve.lib"

test_by_IPv6() {
	grep -q . /proc/net/if_inet6 || skip "no IPv6 here"
	LISTEN='[::1]' serve a
	head -c 2M /dev/urandom >a/from
	run timeout 60 "$OCP" --explain "nfs://[::1]:$port$T/a/from" "nfs://[::1]:$port$T/a/to"
	like "*nothing through this process*" "$out"
	same a/from a/to
}

test_by_NFS_4_1_all_is_copied_and_nothing_by_the_server() {
	serve a
	mkdir -p a/tree/deep
	seq 100000 >a/tree/deep/f
	ln a/tree/deep/f a/tree/hard
	ln -s deep a/tree/link
	run timeout 60 "$OCP" -a --explain "nfs://127.0.0.1:$port$T/a/tree?version=4.1" \
		"nfs://127.0.0.1:$port$T/a/copy?version=4.1"
	like "*not by offload: the server speaks NFS 4.1, which has no copying*" "$out"
	diff -r a/tree a/copy
	is 2 "$(stat -c %h a/copy/hard)"
	is deep "$(readlink a/copy/link)"
}

# Everything is nobody's then; cp finds it all the same.
test_run_by_nobody() {
	requires setpriv
	mkdir -p a a.state tree/sub/deep
	chown 65534:65534 a a.state
	chmod 711 "$TEST_DIR" .
	cp "$O/ocp-nfsd" .
	seq 100000 >tree/sub/deep/f
	ln tree/sub/deep/f tree/sub/hard
	ln -s sub tree/link
	for i in $(seq 50); do echo "$i" >"tree/sub/$i"; done
	AS="setpriv --reuid 65534 --regid 65534 --clear-groups" O=. serve a
	timeout 60 "$OCP" -r "$T/tree" "nfs://127.0.0.1:$port$T/a/there"
	run timeout 60 "$OCP" -r --explain "nfs://127.0.0.1:$port$T/a/there" \
		"nfs://127.0.0.1:$port$T/a/copy"
	like "*offload *nothing through this process*" "$out"
	timeout 60 "$OCP" -r "nfs://127.0.0.1:$port$T/a/copy" back
	diff -r tree back
	is 65534 "$(stat -c %u a/copy/sub/1)"
}

# By ocp-receive, in full and what has changed since; a pipe has no attributes to list.
test_streams_are_received() {
	local send=$O/ocp-send receive=$O/ocp-receive
	[ -x "$send" ] || skip "no ocp-send in this build"
	[ -x "$receive" ] || skip "no ocp-receive in this build"
	serve a
	mkdir -p one/sub
	seq 200000 >one/sub/f
	ln one/sub/f one/hard
	ln -s sub/f one/sym
	mkfifo one/pipe
	truncate -s 3M one/hole
	"$send" --manifest=m one >full
	cp -a one two
	echo more >>two/sub/f
	mv two/hard two/harder
	rm two/hole
	timeout 60 "$receive" -f full "nfs://127.0.0.1:$port$T/a"
	diff -r --no-dereference -x pipe one a/one
	is 2 "$(stat -c %h a/one/hard)"
	is 0 "$(stat -c %b a/one/hole)"
	[ -p a/one/pipe ] || fail "the pipe is none"
	"$send" --since=m two >changes
	timeout 60 "$receive" -f changes "nfs://127.0.0.1:$port$T/a"
	diff -r --no-dereference -x pipe two a/two
	[ -p a/two/pipe ] || fail "the pipe is none"
}

# By READ_PLUS: --sparse=never reads all of the file.
test_holes_are_not_sent_where_they_are_read() {
	serve a
	truncate -s 40M a/holes
	seq 10000 | dd of=a/holes bs=1M seek=20 conv=notrunc status=none
	mkfifo in out
	"$O/selftests/nfs/proxy" "$port" <in >out &
	defer "kill $! 2>/dev/null || :"
	exec 5>in 6<out
	read -r port <&6
	timeout 60 "$OCP" --sparse=never "nfs://127.0.0.1:$port$T/a/holes" copy
	same a/holes copy
	echo bytes >&5
	read -r up down <&6
	[ $((up + down)) -lt 1000000 ] || fail "$((up + down)) bytes for 50 kB"
}

test_it_starts_no_program_whoever_asks() {
	serve a
	like "*NoNewPrivs:*1*Seccomp:*2*" "$(cat "/proc/$(cat a.pid)/status")"
}

# As a service manager starts it: the socket is there before.
test_a_socket_that_is_handed_over() {
	requires python3
	mkdir a
	echo hello >a/f
	python3 - "$O/ocp-nfsd" "$T" <<-'END' 2>log &
		import os, socket, sys
		s = socket.socket()
		s.bind(("127.0.0.1", 0))
		s.listen()
		os.dup2(s.fileno(), 3)
		os.set_inheritable(3, True)
		os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
		top = sys.argv[2]
		os.execv(sys.argv[1], ["ocp-nfsd", "-f", "-e", top + "/a *(ro,insecure)", "-s", top + "/st",
		                       "-l", "127.0.0.1:1"])
	END
	defer "kill -KILL $!"
	until grep -q serving log; do
		kill -0 $! || fail "$(cat log)"
		sleep 0.05
	done
	timeout 60 "$OCP" "nfs://$(sed -n 's/.*serving on //p' log)$T/a/f" got
	is hello "$(cat got)"
	LISTEN_FDS=2 run sh -c 'LISTEN_PID=$$ exec "$O/ocp-nfsd" -f'
	is 1 "$status"
	like "*the inherited socket*" "$out"
}

test_HUP_reads_the_exports_anew() {
	mkdir one two
	echo hello | tee one/f two/f >/dev/null
	echo "$T/one *(ro,insecure)" >exports
	EXPORTS="--exports=$T/exports" serve a
	timeout 60 "$OCP" "nfs://127.0.0.1:$port$T/one/f" got
	run timeout 60 "$OCP" "nfs://127.0.0.1:$port$T/two/f" not
	is 1 "$status"

	echo "$T/two *(ro,insecure)" >exports
	kill -HUP "$(cat a.pid)"
	until grep -q 'exports read' a.log; do sleep 0.02; done
	timeout 60 "$OCP" "nfs://127.0.0.1:$port$T/two/f" got2
	run timeout 60 "$OCP" "nfs://127.0.0.1:$port$T/one/f" not
	is 1 "$status"

	echo "$T/two *(colour)" >exports
	kill -HUP "$(cat a.pid)"
	until grep -q 'stay as they were' a.log; do sleep 0.02; done
	like "*unknown option: colour*" "$(cat a.log)"
	timeout 60 "$OCP" "nfs://127.0.0.1:$port$T/two/f" got3
}

# The server forgets the copy: it is asked for once more.
test_a_copy_goes_on_after_a_restart_of_the_server() {
	serve a --copy-wait=0
	head -c 60M /dev/zero >a/from
	timeout 100 "$OCP" --explain --offload=offload "nfs://127.0.0.1:$port$T/a/from" \
		"nfs://127.0.0.1:$port$T/a/to" >said 2>&1 &
	copy=$!
	begun "$copy" a
	kill -KILL "$(cat a.pid)"
	serve a --copy-wait=0
	if wait "$copy"; then
		same a/from a/to
	else # it was done before: that may be lost, so there is no file then
		grep -v 'forgot the copy' said >less
		diff said less
		like "*Input/output error*" "$(cat said)"
		is "" "$(find a -name '*to*')"
	fi
}

# The connection is lost while the server copies; its callback never comes.
test_a_copy_goes_on_over_a_lost_connection() {
	serve a --copy-wait=0
	mkfifo in out
	"$O/selftests/nfs/proxy" "$port" --deaf <in >out &
	defer "kill $! 2>/dev/null || :"
	exec 7>in 8<out
	read -r port <&8
	head -c 200M /dev/zero >a/from
	timeout 100 "$OCP" --explain --offload=offload "nfs://127.0.0.1:$port$T/a/from" \
		"nfs://127.0.0.1:$port$T/a/to" >said 2>&1 &
	begun $! a
	echo cut >&7
	read -r _ <&8
	wait $! || fail "$(cat said)"
	same a/from a/to
	like "*nothing through this process*" "$(cat said)"
}

run_tests "$@"
