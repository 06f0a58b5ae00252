#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp-run is what the shell sees of the program: statuses, signals, the terminal, ends.
. "$(dirname "$0")/../lib.sh"
RUN=$O/ocp-run
requires "$RUN"
"$RUN" true || skip "no seccomp notifications here"

test_statuses_are_the_programs() {
	run "$RUN" sh -c 'exit 7'
	is 7 "$status"
	run "$RUN" ./nowhere
	like "127 *ocp-run: ./nowhere: No such file or directory" "$status $out"
	: >plain
	run "$RUN" ./plain
	like "126 *Permission denied" "$status $out"
	run "$RUN" --no-such-option true
	like "125 *" "$status $out"
	run "$RUN"
	like "125 *missing program*" "$status $out"
	run "$RUN" --offload=sideways true
	like "125 *sideways*" "$status $out"
	run "$RUN" --trace=/nowhere/x true
	like "125 *nowhere/x: No such file*" "$status $out"
}

test_it_dies_of_the_same_signal() {
	run python3 -c 'import subprocess, sys
print(subprocess.run(sys.argv[1:]).returncode)' "$RUN" sh -c 'kill -USR1 $$'
	is "-10" "$out"
}

test_options_of_the_program_are_its_own() {
	is "--trace" "$("$RUN" echo --trace)"
	is "x y" "$("$RUN" --explain -- echo x y 2>&1)"
}

test_descriptors_environment_and_masks_are_the_programs() {
	is "$(sh -c 'ls /proc/self/fd | tr "\n" " "')" "$("$RUN" --trace=t --json=j sh -c 'ls /proc/self/fd | tr "\n" " "')"
	is "$(grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status)" \
		"$("$RUN" grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status)"
	is "$(env -u OCP_RUN env | grep -v ^_=)" "$("$RUN" env | grep -vE '^(_|OCP_RUN)=')"
}

test_root_keeps_what_privileges_it_has() {
	requires root
	is "NoNewPrivs:	0" "$("$RUN" grep NoNewPrivs /proc/self/status)"
}

test_others_get_no_new_privileges() {
	requires root setpriv
	chmod 755 . "$TEST_DIR"
	cp "$RUN" ./ocp-run
	is "NoNewPrivs:	1" "$(setpriv --reuid 1000 --clear-groups ./ocp-run grep NoNewPrivs /proc/self/status)"
}

test_signals_are_handed_on() {
	local pid
	"$RUN" sh -c 'trap "echo got; exit 3" TERM; echo ready; while :; do sleep 0.01; done' >out &
	pid=$!
	until grep -q ready out; do sleep 0.01; done
	kill -TERM "$pid"
	status=0
	wait "$pid" || status=$?
	is 3 "$status"
	grep -q got out
}

# In a terminal, with a shell that has jobs: Control-Z, fg, Control-C.
test_a_shell_can_stop_continue_and_interrupt_it() {
	requires python3
	cat >jobs.py <<-'END'
		import os, pty, select, sys, time
		pid, fd = pty.fork()
		if pid == 0:
		    os.environ["PS1"] = "$ "
		    os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
		seen = b""
		def until(text, limit=20):
		    global seen
		    end = time.time() + limit
		    while text not in seen:
		        if time.time() > end:
		            sys.exit("no %r in %r" % (text, seen))
		        if select.select([fd], [], [], 0.1)[0]:
		            seen += os.read(fd, 4096)
		    seen = seen[seen.index(text) + len(text):]
		def send(text):
		    os.write(fd, text)
		until(b"$ ")
		send(b"%s sh -c 'echo up; exec sleep 60'\n" % sys.argv[1].encode())
		until(b"up\r\n")
		send(b"\x1a")
		until(b"Stopped")
		send(b"fg\n")
		until(b"exec sleep 60'")
		# The shell says that first, and then gives away the terminal.
		end = time.time() + 20
		while os.tcgetpgrp(fd) == pid and time.time() < end:
		    time.sleep(0.01)
		send(b"\x03")
		send(b"echo status=$?\n")
		until(b"status=130")
		send(b"exit\n")
		os.waitpid(pid, 0)
	END
	timeout 60 python3 jobs.py "$RUN"
}

# copier: copy.py FROM TO [FILE] copies, when there is FILE, and says with what result
copier() {
	cat >copy.py <<-'END'
		import os, sys, time
		i, o = os.open(sys.argv[1], os.O_RDONLY), os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT)
		if len(sys.argv) > 3:
		    print("ready", flush=True)
		    while not os.path.exists(sys.argv[3]):
		        time.sleep(0.01)
		try:
		    print(os.copy_file_range(i, o, 100), flush=True)
		except OSError as e:
		    print(os.strerror(e.errno), flush=True)
	END
	requires python3 root
	other=$(make_fs tmpfs 16M)
	head -c 100 /dev/zero | tr '\0' x >in
}

test_calls_fail_when_the_launcher_was_killed() {
	local pid
	copier
	"$RUN" python3 copy.py in "$other/out" go >out &
	pid=$!
	until grep -q ready out; do sleep 0.01; done
	kill -KILL "$pid"
	status=0
	wait "$pid" || status=$?
	is 137 "$status"
	: >go
	until [ "$(wc -l <out)" = 2 ]; do sleep 0.01; done
	is "Function not implemented" "$(tail -n 1 out)"
}

test_what_outlives_the_program_is_served_on() {
	copier
	"$RUN" --trace=trace sh -c "python3 copy.py in $other/out go >out & echo \$! >pid"
	until grep -q ready out; do sleep 0.01; done
	: >go
	until [ "$(wc -l <out)" = 2 ]; do sleep 0.01; done
	is 100 "$(tail -n 1 out)"
	same in "$other/out"
	grep -q ' = 100: stream' trace
	# And ends with the last one.
	until ! pgrep -f "$RUN.*--trace=trace" >/dev/null; do sleep 0.01; done
}

test_one_below_another_is_served_by_the_outer_one() {
	copier
	is 100 "$("$RUN" --trace=outer "$RUN" --trace=inner python3 copy.py in "$other/out" 2>&1)"
	grep -q 'copy_file_range' outer
	[ ! -s inner ]
}

test_another_supervisor_is_told() {
	requires python3
	# No OCP_RUN in the environment: somebody else's filter.
	run "$RUN" env -u OCP_RUN "$RUN" echo runs
	like "0 *another supervisor*" "$status $out"
	like "*runs*" "$out"
}

test_a_program_with_fewer_rights_is_left_to_the_kernel() {
	requires setpriv
	copier
	setpriv --bounding-set=-all true || skip "capabilities cannot be dropped here"
	is "Invalid cross-device link" \
		"$("$RUN" --trace=trace setpriv --bounding-set=-all python3 copy.py in "$other/out")"
	grep -q 'left to the kernel: the program has other rights' trace
}

test_a_script_with_shebang_and_its_children() {
	copier
	printf '#!/bin/sh\n(python3 copy.py in %s/out; python3 copy.py in %s/out2)\n' "$other" "$other" >script
	chmod +x script
	is "100
100" "$("$RUN" ./script)"
}

test_a_program_of_32_bits() {
	copier
	echo 'int main(void) { return 0; }' >x.c
	${CC:-cc} -m32 -static -o x x.c 2>/dev/null || skip "no compiler for 32 bits"
	"$RUN" --trace=trace ./x
}

# Long options, from the table itself.
options() {
	sed -n 's/.*{OPT_[A-Z_]*, [a-z]*_argument, "\([a-z-]*\)",.*/\1/p' "$SRC/userspace/run/options.c"
}

# complete_line WORD...: what bash would offer for the last word
complete_line() {
	bash --norc -c '. "$0" && COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) && _ocp_run 2>/dev/null
		echo "${COMPREPLY[*]}"' "$SRC/completions/ocp-run.bash" "$@"
}

test_manual_and_completions_know_every_option() {
	local option
	options | grep -q clone-copies
	for option in $(options); do
		like "--$option*" "$(complete_line ocp-run "--$option")"
		grep -q -e "[\\]-$option\>" "$SRC/man/ocp-run.1" || fail "no --$option in the manual"
		grep -q -e "--${option}[]'=,}\[]" "$SRC/completions/_ocp-run" || fail "no --$option for zsh"
	done
}

test_bash_completes_lists_and_programs() {
	is "clone,stream" "$(complete_line ocp-run --offload = clone,s)"
	is "" "$(complete_line ocp-run --json = file)"
	like "*mktemp*" "$(complete_line ocp-run --explain mktem)"
}

test_json_tells_how_it_ended() {
	requires jq
	"$RUN" --json=j true
	jq -e '.program == "true" and .exit_status == 0 and .bytes == 0' j
	run "$RUN" --json=j sh -c 'kill -TERM $$'
	jq -e '.signal == 15' j
}

run_tests "$@"
