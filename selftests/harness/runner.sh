#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The runner and lib.sh on test scripts that go wrong.
. "$(dirname "$0")/../lib.sh"

# script NAME: an executable from standard input
script() {
	{
		echo "#!/bin/bash"
		cat
	} >"$T/$1"
	chmod +x "$T/$1"
}

# gives SUMMARY STATUS [SECONDS]: what the runner ends with for the script t
gives() {
	run "$SRC/selftests/run" -t "${3-100}" "$T/t"
	is "$1" "$(echo "$out" | tail -n 1)" "last line"
	is "$2" "$status" "exit status"
}

test_counts_cases() {
	script t <<-'END'
		echo "1..4"
		echo "ok 1 a"
		echo "ok 2 b # SKIP no c"
		echo "# why it failed"
		echo "not ok 3 c"
		echo "ok 4 - d"
		exit 1
	END
	gives "2 passed, 1 failed, 1 skipped" 1
	like "*# why it failed*not ok 1 $T/t*" "$out"
	like "*# Failed:
#   $T/t: c
*" "$out"
}

# now_and_then SAYS: fails in its first run
now_and_then() {
	script t <<-END
		echo "1..1"
		[ ! -e "$T/ran" ] || exec echo "ok 1 a"
		touch "$T/ran"
		echo "# $1"
		echo "not ok 1 a"
		exit 1
	END
}

test_what_failed_once_is_run_again_and_named() {
	now_and_then "bad luck"
	run "$SRC/selftests/run" -r "$T/t"
	is 0 "$status" "exit status"
	like "*# first run: bad luck*ok 1 $T/t*# Failed in the first run:
#   $T/t: a
1 passed, 0 failed, 0 skipped" "$out"
}

test_what_fails_twice_failed() {
	script t <<-'END'
		echo "1..1"
		echo "not ok 1 a"
		exit 1
	END
	run "$SRC/selftests/run" -r "$T/t"
	is 1 "$status" "exit status"
	like "*# Failed:
#   $T/t: a
0 passed, 1 failed, 0 skipped" "$out"
}

test_what_a_sanitizer_found_is_not_run_again() {
	now_and_then "WARNING: ThreadSanitizer: data race"
	run "$SRC/selftests/run" -r "$T/t"
	is 1 "$status" "exit status"
}

test_counts_cases_of_subtests() {
	script t <<-'END'
		echo "1..3"
		echo "  1..2"
		echo "    1..2"
		echo "    ok 1 a"
		echo "    not ok 2 b"
		echo "  not ok 1 inner"
		echo "  ok 2 c # SKIP no d"
		echo "not ok 1 outer"
		echo "  ok 1 e"
		echo "not ok 2 died afterwards"
		echo "ok 3 f"
		exit 1
	END
	gives "3 passed, 2 failed, 1 skipped" 1
	like "*# Failed:
#   $T/t: outer: inner: b
#   $T/t: died afterwards
*" "$out"
}

test_hides_diagnostics_of_what_passed() {
	script t <<-'END'
		echo "1..1"
		echo "# chatter"
		echo "ok 1 a"
	END
	gives "1 passed, 0 failed, 0 skipped" 0
	case $out in *chatter*) fail "$out" ;; esac
	run "$SRC/selftests/run" -v "$T/t"
	like "*# chatter*" "$out"
}

test_silence_is_a_failure() {
	script t <<<"exit 0"
	gives "0 passed, 1 failed, 0 skipped" 1
}

test_missing_program_is_a_failure() {
	gives "0 passed, 1 failed, 0 skipped" 1
}

test_nothing_to_run_is_a_failure() {
	run "$SRC/selftests/run"
	is 1 "$status"
	is "0 passed, 0 failed, 0 skipped" "$(echo "$out" | tail -n 1)"
}

test_results_without_plan_are_a_failure() {
	script t <<<"echo ok 1 a"
	gives "1 passed, 1 failed, 0 skipped" 1
}

test_fewer_results_than_planned_are_a_failure() {
	script t <<-'END'
		echo "1..2"
		echo "ok 1 a"
	END
	gives "1 passed, 1 failed, 0 skipped" 1
}

test_death_after_the_last_result_is_a_failure() {
	script t <<-'END'
		echo "1..1"
		echo "ok 1 a"
		kill -SEGV $$
	END
	gives "1 passed, 1 failed, 0 skipped" 1
	like "*killed by signal 11*" "$out"
}

test_bad_exit_after_good_results_is_a_failure() {
	script t <<-'END'
		echo "1..1"
		echo "ok 1 a"
		exit 1
	END
	gives "1 passed, 1 failed, 0 skipped" 1
}

test_hang_is_a_failure() {
	script t <<-'END'
		echo "1..1"
		sleep 1000
	END
	gives "0 passed, 1 failed, 0 skipped" 1 2
	like "*still running after 2 s*" "$out"
}

test_whole_program_may_be_skipped() {
	script t <<-'END'
		echo "1..0 # SKIP no moon"
		exit 4
	END
	gives "0 passed, 0 failed, 1 skipped" 0
	like "*ok 1 $T/t # SKIP no moon*" "$out"
	script t <<<"echo no sun; exit 4"
	gives "0 passed, 0 failed, 1 skipped" 0
	like "*ok 1 $T/t # SKIP no sun*" "$out"
}

test_signals_have_their_defaults() {
	script t <<-'END'
		echo "1..1"
		sh -c 'kill -INT $$'
		[ $? = 130 ] && echo "ok 1 a"
	END
	gives "1 passed, 0 failed, 0 skipped" 0
}

test_mounts_and_processes_end_with_the_test() {
	requires root tmpfs
	mkdir "$T/m"
	script t <<-END
		mount -t tmpfs none "$T/m" || exit
		touch "$T/m/there" "$T/mounted"
		exec -a left-by-$$ sleep 1000 &
		echo "1..1"
		echo "ok 1 a"
	END
	gives "1 passed, 0 failed, 0 skipped" 0
	[ -e mounted ] || fail "the test did not mount"
	is "" "$(ls m)" "left in the mount point"
	run pgrep -f "^left-by-$$"
	is 1 "$status" "status of pgrep"
}

test_interrupted_runner_leaves_nothing() {
	local pid
	script t <<-END
		echo \$\$ >"$T/started"
		exec -a left-by-$$ sleep 1000
	END
	mkfifo "$T/wait"
	TMPDIR=$T "$SRC/selftests/run" "$T/t" >out &
	pid=$!
	while [ ! -s started ]; do
		kill -0 "$pid"
		read -r -t 0.02 <>"$T/wait" || :
	done
	kill -TERM "$pid"
	status=0
	wait "$pid" || status=$?
	is 143 "$status" "status of the runner"
	run pgrep -f "^left-by-$$"
	is 1 "$status" "status of pgrep"
	is "" "$(find "$T" -name 'selftests.*')" "left over"
}

# a_lib_script: t gets a test script with standard input as its tests
a_lib_script() {
	mkdir -p "$T/selftests/x"
	cp "$SRC/selftests/lib.sh" "$T/selftests/"
	# shellcheck disable=SC2016 # for the script to expand
	{
		echo '. "$(dirname "$0")/../lib.sh"'
		cat
		echo 'run_tests "$@"'
	} | script selftests/x/t
}

test_lib_reports_each_test_function() {
	a_lib_script <<-'END'
		test_a() { true; }
		test_b() { echo said; false; true; }
		test_c() { is 1 2 number; }
		test_d() { skip no moon; }
		test_e() { requires no-such-program; }
		test_f() { [ "$(pwd)" = "$T" ] && rmdir "$T" && mkdir "$T"; }
	END
	run "$T/selftests/x/t"
	is 1 "$status"
	like "*ok 1 test_a*# said*not ok 2 test_b*number: wanted '1', got '2'*not ok 3 test_c*" "$out"
	like "*ok 4 test_d # SKIP no moon*ok 5 test_e # SKIP no no-such-program
ok 6 test_f" "$out"
}

test_lib_cleans_up_after_itself() {
	a_lib_script <<-END
		test_a() {
			defer "touch $T/deferred"
			mkdir -p a/b
			touch a/b/c
			chmod 0 a/b
			false
		}
	END
	mkdir tmp
	TMPDIR=$T/tmp run "$T/selftests/x/t"
	is 1 "$status"
	[ -e deferred ] || fail "defer did not run: $out"
	is "" "$(ls tmp)" "left over"
}

test_lib_unmounts_file_systems() {
	requires ext4
	a_lib_script <<-END
		test_a() {
			local dir
			dir=\$(make_fs ext4 16M noatime)
			touch "\$dir/kept"
			findmnt -n -o OPTIONS "\$dir" | grep noatime
			remount "\$dir" ro
			[ -e "\$dir/kept" ]
			findmnt -n -o OPTIONS "\$dir" | grep -w ro
			findmnt -n -o SOURCE "\$dir" >"$T/device"
		}
	END
	O=$O run "$T/selftests/x/t"
	is 0 "$status" "$out"
	run grep "$T" "/sys/block/$(basename "$(cat device)")/loop/backing_file"
	[ "$status" != 0 ] || fail "still there: $out"
}

run_tests "$@"
