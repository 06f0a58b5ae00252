#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Links that break and targets that are killed while ocp copies from LUN to LUN: the copy is
# whole, or an error.
. "$(dirname "$0")/target.lib"
requires "$TARGET" "$OCP" python3
ldconfig -p 2>/dev/null | grep -q "libiscsi\.so\.7" || requires /usr/lib/x86_64-linux-gnu/libiscsi.so.7

# units: two of 24 MiB, with data and something else
units() {
	head -c 24M /dev/urandom >a
	head -c 24M /dev/zero | tr '\0' x >b
	start --target "$iqn" --lun 0=a --lun 1=b
}

# broken OPCODE N [COMMAND...]: $port is that of a link that breaks then
broken() {
	: >cut.port # which may be there from the last one
	python3 "$SRC/selftests/scsi/cut.py" "$port" "$@" >cut.port 2>cut.log &
	defer "kill $! 2>/dev/null || :"
	until port=$(cat cut.port) && [ -n "$port" ]; do
		kill -0 $! || fail "$(cat cut.log)"
		sleep 0.02
	done
}

# again: what kills the target and starts it anew, as a command for broken
again() {
	cat >again.sh <<-END
		kill -9 $pid
		while kill -0 $pid 2>/dev/null; do sleep 0.01; done
		cd "$PWD"
		nohup "$TARGET" --foreground --verbose --listen 127.0.0.1:$port --target $iqn $* 2>>serve.log >/dev/null </dev/null &
		echo \$! >again.pid
	END
	defer "kill \$(cat $PWD/again.pid) 2>/dev/null || :"
}

XCOPY=0x83
READ=0x88
WRITE=0x8a

# whole OPTION...: ocp copies LUN 0 to LUN 1
whole() {
	run "$OCP" --explain "$@" "$(url 0)?timeout=60" "$(url 1)?timeout=60"
	is 0 "$status" "$out"
	same a b
}

test_a_link_that_breaks_while_the_array_copies() {
	units
	broken "$XCOPY" 1
	whole --offload=always
	like "*offload*nothing through this process*" "$out"
}

test_a_link_that_breaks_while_data_are_read() {
	units
	broken "$READ" 3
	whole --offload=never
}

test_a_link_that_breaks_while_data_are_written() {
	units
	broken "$WRITE" 5
	whole --offload=never
}

test_a_target_that_is_killed_while_it_copies() {
	units
	again --lun 0=a --lun 1=b
	broken "$XCOPY" 1 sh again.sh
	whole --offload=always
	[ -s again.pid ] || fail "it was not killed"
}

test_a_target_that_is_killed_while_data_are_written() {
	units
	again --lun 0=a --lun 1=b
	broken "$WRITE" 4 sh again.sh
	whole --offload=never
	[ -s again.pid ] || fail "it was not killed"
}

test_a_target_that_stays_away_is_an_error_in_the_end() {
	local opcode offload
	for opcode in "$XCOPY" "$READ" "$WRITE"; do
		offload=never
		[ "$opcode" != "$XCOPY" ] || offload=always
		units
		broken "$opcode" 1 kill -9 "$pid"
		run "$OCP" --offload="$offload" "$(url 0)?timeout=1" "$(url 1)?timeout=1"
		is 1 "$status" "$out"
		like "ocp: *$(url 1)*Connection timed out*" "$out"
	done
}

test_a_file_that_is_not_whole_gets_no_name() {
	units
	broken "$READ" 2 kill -9 "$pid"
	run "$OCP" "$(url 0)?timeout=1" out
	is 1 "$status" "$out"
	like "ocp: *$(url 0)*" "$out"
	[ ! -e out ] || fail "it has its name"
}

test_another_LUN_by_the_same_number_is_not_written() {
	units
	cp b other
	again --lun 0=a --lun 1=other
	broken "$WRITE" 4 sh again.sh
	run "$OCP" --offload=never "$(url 0)?timeout=60" "$(url 1)?timeout=60"
	is 1 "$status" "$out"
	like "*Stale file handle*" "$out"
	head -c 24M /dev/zero | tr '\0' x | cmp - other
}

test_a_sync_after_a_restart_tells_of_what_may_be_lost() {
	units
	again --lun 0=a --lun 1=b
	broken "$WRITE" 4 sh again.sh
	run "$OCP" --offload=never --sync=file "$(url 0)?timeout=60" "$(url 1)?timeout=60"
	is 1 "$status" "$out"
	like "*cannot sync*$(url 1)*Input/output error*" "$out"
}

test_a_signal_ends_the_wait_for_a_target() {
	local copy
	units
	broken "$WRITE" 1 kill -9 "$pid"
	"$OCP" --offload=never "$(url 0)?timeout=600" "$(url 1)?timeout=600" 2>said &
	copy=$!
	defer "kill -9 $copy 2>/dev/null || :"
	while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
	kill "$copy"
	if wait "$copy"; then
		fail "it went well without the target"
	fi
	like "*interrupted*" "$(cat said)"
}

run_tests "$@"
