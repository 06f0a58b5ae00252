#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The runner of guest tests, on guests that go wrong; and processes of this machine
# and of a guest that reach each other.
. "$(dirname "$0")/../lib.sh"
requires python3
VM=$SRC/selftests/vm/run
why=$("$SRC/selftests/vm/fetch" 6.1 2>&1 >/dev/null) || skip "$why"
why=$("$SRC/selftests/vm/fetch" tools 2>&1 >/dev/null) || skip "$why"
for tool in qemu-system-x86_64 busybox cpio; do
	requires "$tool"
done

# script NAME: a guest test, from standard input
script() {
	{
		echo "#!/bin/bash"
		cat
	} >"$T/$1"
	chmod +x "$T/$1"
}

# nothing_left: neither processes nor files
nothing_left() {
	is "" "$(pgrep -fa "$T" || :)" "processes left"
	is "" "$(ls "$TMPDIR")" "files left"
}

# guest ARGUMENT...: leaves $status and $out, and a look at what is left
guest() {
	mkdir -p "$T/tmp"
	export TMPDIR=$T/tmp
	run "$VM" "$@"
	nothing_left
}

test_crash_fails_its_test_and_the_next_one_runs() {
	script crash <<-'END'
		echo "1..2"
		echo "ok 1 before"
		echo 1 >/proc/sys/kernel/sysrq
		echo c >/proc/sysrq-trigger
		sleep 30
	END
	script after <<-'END'
		echo "1..1"
		echo "ok 1 after"
	END
	guest -t 60 "$T/crash" "$T/after"
	is 1 "$status" "status"
	like "*
  ok 1 before
*sysrq triggered crash*
not ok 1 $T/crash
*  ok 1 after
ok 2 $T/after
*Bail out! the guest died*
2 passed, 1 failed, 0 skipped" "$out"
}

test_hanging_guest_fails_its_test_within_the_limit() {
	local began=$SECONDS
	script hang <<-'END'
		echo "1..1"
		echo freeze >/sys/power/state
		echo "ok 1 not reached"
	END
	guest -t 5 "$T/hang"
	is 1 "$status" "status"
	like "*the guest hangs: silent for 20 s*not ok 1 $T/hang*
0 passed, 1 failed, 0 skipped" "$out"
	[ $((SECONDS - began)) -lt 600 ] # a guest takes a minute to boot where all is busy
}

test_hanging_test_is_killed_and_the_next_one_runs() {
	script hang <<-'END'
		echo "1..1"
		sleep 1000
	END
	script after <<-'END'
		echo "1..1"
		echo "ok 1 after"
	END
	guest -t 15 "$T/hang" "$T/after"
	is 1 "$status" "status"
	like "*still running after 15 s*not ok 1 *ok 2 *1 passed, 1 failed, 0 skipped" "$out"
}

test_killed_runner_leaves_no_guest() {
	local pid
	script long <<-'END'
		echo "1..1"
		touch /vm/share/runs
		sleep 1000
	END
	mkdir share tmp
	TMPDIR=$T/tmp "$VM" -s share "$T/long" &
	pid=$!
	until [ -e share/runs ]; do sleep 0.2; done
	kill "$pid"
	wait "$pid" || :
	TMPDIR=$T/tmp nothing_left
	rm share/runs
	TMPDIR=$T/tmp "$VM" -s share "$T/long" &
	pid=$!
	until [ -e share/runs ]; do sleep 0.2; done
	kill -KILL "$pid"
	wait "$pid" || :
	rm -r tmp/*
	TMPDIR=$T/tmp nothing_left
}

# free_port: one that nobody uses on this machine
free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

test_this_machine_and_the_guest_reach_each_others_servers() {
	local port back
	port=$(free_port) back=$(free_port)
	mkdir www share
	echo "from the machine" >www/index.html
	(cd www && exec python3 -m http.server --bind 127.0.0.1 "$back") &
	defer "kill $!"
	script both <<-END
		echo "1..1"
		exec 3<>/dev/tcp/10.0.2.100/8080
		printf 'GET / HTTP/1.0\r\n\r\n' >&3
		grep "from the machine" <&3 && echo "ok 1 reached" || echo "not ok 1 reached"
		cd "\$TMPDIR" && echo "from the guest" >index.html
		python3 -m http.server 80 2>&1 &
		until (exec 3<>/dev/tcp/127.0.0.1/80) 2>/dev/null; do sleep 0.1; done
		touch /vm/share/ready
		until [ -e /vm/share/stop ]; do sleep 0.1; done
	END
	"$VM" -s share -f "$port:80" -b "8080:$back" "$T/both" >out 2>&1 &
	until [ -e share/ready ]; do kill -0 $! || { cat out && fail "no guest"; }; sleep 0.2; done
	run python3 -c "import urllib.request as u; print(u.urlopen('http://127.0.0.1:$port/').read())"
	touch share/stop
	wait $! || { cat out && fail "guest failed"; }
	like "*from the guest*" "$out"
}

test_kernel_that_cannot_be_had_is_a_skip() {
	run "$VM" -k 5.4 nfs
	is 4 "$status"
	like "*1..0 # SKIP fetch: no such kernel: 5.4*" "$out"
}

run_tests "$@"
