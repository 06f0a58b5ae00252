#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# --resume: a copy that was killed goes on, and ends as if it had not been.
. "$(dirname "$0")/../lib.sh"
[ -x "$OCP" ] || skip "no ocp in this build"
faults=$("$OCP" -T "fault::$0" "$TEST_DIR/probe" 2>/dev/null && echo yes) || :

with_faults() {
	[ -n "$faults" ] || skip "this build has no fault room"
}

# listing DIR: all that -a keeps
listing() {
	(
		cd "$1" || exit
		find . \( -type d -printf '%P d %m %U:%G %T@\n' \) -o -printf '%P %y %m %U:%G %s %n %T@ %l\n' | sort
		find . -type f -exec sha256sum {} + | sort -k 2
	)
}

# large: 100 MiB in $T/a
large() {
	[ -e "$TEST_DIR/large" ] || head -c 104857600 /dev/urandom >"$TEST_DIR/large"
	cp "$TEST_DIR/large" a
}

# killed SECONDS OPTION...: SIGKILL after that time, at a rate that makes it too short
killed() {
	local time=$1
	shift
	"$OCP" --resume "$@" &
	sleep "$time"
	kill -KILL $! || :
	wait $! || :
}

# interrupted: a partial copy of a in b, of at least one range
interrupted() {
	local rate
	large
	for rate in 60M 20M 5M; do # slower where it came to its end before that was seen
		"$OCP" -p --resume --bwlimit="$rate" a b &
		until [ "$(stat -c %s .b.ocp-partial 2>/dev/null || echo 0)" -gt 40000000 ]; do
			kill -0 $! 2>/dev/null || break
			sleep 0.02
		done
		kill -KILL $! 2>/dev/null || :
		wait $! || :
		[ -e b ] || break
		rm b
	done
	[ ! -e b ] && [ -s .b.ocp-partial ] && [ -s .b.ocp-journal ]
}

clean() {
	is "" "$(find . -name '.*.ocp-*')" "left behind"
}

test_a_large_file_goes_on_where_it_was_killed() {
	requires jq
	interrupted
	"$OCP" -p --resume --json=report a b
	same a b
	clean
	is "$(stat -c %Y a)" "$(stat -c %Y b)"
	[ "$(jq .bytes report)" -le $((104857600 - (40000000 - 16777216))) ] || fail "copied again: $(cat report)"
}

test_a_signal_keeps_all_that_was_copied() {
	requires jq
	local kept
	large
	"$OCP" -p --resume --bwlimit=5M a b 2>said &
	until [ "$(stat -c %s .b.ocp-partial 2>/dev/null || echo 0)" -gt 0 ]; do
		kill -0 $!
		sleep 0.02
	done
	kill -TERM $!
	! wait $! || skip "it was not to be interrupted"
	like "*interrupted: 'b' was not completed*" "$(cat said)"
	kept=$(stat -c %s .b.ocp-partial)
	"$OCP" -p --resume --json=report a b
	same a b
	clean
	is $((104857600 - kept)) "$(jq .bytes report)"
}

test_holes_stay_holes_across_an_interruption() {
	truncate -s 60M a
	head -c 50000000 /dev/urandom >>a
	truncate -s 200M a
	killed 0.5 -p --bwlimit=60M a b
	killed 0.4 -p --bwlimit=60M a b
	"$OCP" -p --resume a b
	same a b
	[ "$(stat -c %b b)" -le "$(($(stat -c %b a) + 100))" ]
}

test_a_source_that_has_changed_is_copied_from_the_start() {
	requires jq
	interrupted
	printf x | dd of=a conv=notrunc status=none
	"$OCP" -p --resume --json=report a b
	same a b
	clean
	is 104857600 "$(jq .bytes report)"
}

test_a_source_with_its_old_time_is_no_longer_the_same() {
	interrupted
	touch -r a ref
	printf x | dd of=a conv=notrunc status=none
	touch -r ref a
	"$OCP" -p --resume a b
	same a b
}

test_a_damaged_journal_is_not_believed() {
	interrupted
	printf '\0\0\0\0' | dd of=.b.ocp-journal bs=1 seek=64 conv=notrunc status=none
	printf '\0\0\0\0' | dd of=.b.ocp-journal bs=1 seek=4160 conv=notrunc status=none
	"$OCP" -p --resume a b
	same a b
	clean
}

test_a_partial_file_that_is_shorter_or_another_is_not_believed() {
	interrupted
	truncate -s 1M .b.ocp-partial
	"$OCP" -p --resume a b
	same a b
	rm b
	interrupted
	head -c 100M /dev/zero >x
	mv x .b.ocp-partial
	"$OCP" -p --resume a b
	same a b
	clean
}

test_checksum_finds_a_partial_file_that_is_spoilt() {
	interrupted
	printf 'spoilt' | dd of=.b.ocp-partial seek=1000 bs=1 conv=notrunc status=none
	"$OCP" -p --resume --checksum a b
	same a b
	clean
}

test_a_journal_of_somebody_else_is_refused() {
	requires root
	seq 1000 >a
	head -c 40000000 /dev/zero >>a
	touch .b.ocp-journal
	chown 1000 .b.ocp-journal
	run "$OCP" -p --resume a b
	is 1 "$status"
	is "ocp: cannot keep the journal './.b.ocp-journal': Operation not permitted" "${out/\'.b/\'./.b}"
	[ ! -e b ]
}

test_two_at_once_are_refused() {
	large
	"$OCP" -p --resume --bwlimit=5M a b &
	defer "kill $! 2>/dev/null || :"
	until [ -e .b.ocp-partial ]; do
		kill -0 $!
		sleep 0.02
	done
	run "$OCP" -p --resume a b
	is 1 "$status"
	like "ocp: another ocp --resume copies this: it has locked *" "$out"
	kill $!
	wait $! || :
	"$OCP" -p --resume a b
	same a b
}

test_a_tree_killed_at_many_calls_becomes_whole() {
	with_faults
	local n
	mkdir -p src/d/e
	seq 1000 >src/a
	seq 3000 >src/d/b
	ln src/a src/d/l
	seq 10 >src/d/e/c
	listing src >want
	for n in $(seq 1 5 90); do
		rm -rf dst .dst*
		run "$OCP" -aj1 --resume -T src "fault:*@$n=kill:$T/dst"
		"$OCP" -a --resume -T src dst
		listing dst | diff want - || fail "killed at call $n"
		clean
	done
}

# half_a_tree: src, and dst with half of it and a journal
half_a_tree() {
	with_faults
	mkdir src
	for i in 1 2 3 4 5 6; do
		echo "contents $i" >"src/$i"
	done
	run "$OCP" -aj1 --resume -T src "fault:open(.)@4=kill:$T/dst"
	[ -e .dst.ocp-journal ]
	changed=$(cd dst && echo [1-6] | cut -d ' ' -f 1)
	[ -e "dst/$changed" ]
	cp -p "dst/$changed" ref
	printf 'CONTENTS' | dd of="dst/$changed" conv=notrunc status=none
	touch -r ref "dst/$changed"
}

test_what_such_a_run_made_is_whole_by_size_and_time() {
	half_a_tree
	"$OCP" -a --resume -T src dst
	like "CONTENTS*" "$(cat "dst/$changed")" # nobody has read it
	clean
}

test_checksum_compares_it_all_the_same() {
	half_a_tree
	"$OCP" -a --resume --checksum -T src dst
	diff -r src dst
}

test_after_a_restart_of_the_machine_contents_are_compared() {
	half_a_tree
	echo 11111111-2222-3333-4444-555555555555 >boot
	mount --bind boot /proc/sys/kernel/random/boot_id || skip "cannot make it look like another boot"
	defer "umount /proc/sys/kernel/random/boot_id"
	"$OCP" -a --resume -T src dst
	diff -r src dst
	clean
}

test_without_a_journal_contents_are_compared() {
	half_a_tree
	rm .dst.ocp-journal
	"$OCP" -a --resume -T src dst
	diff -r src dst
}

test_a_directory_that_took_its_place_is_compared() {
	half_a_tree
	cp -a dst other
	rm -r dst
	mv other dst
	"$OCP" -a --resume -T src dst
	diff -r src dst
}

test_the_right_size_alone_is_never_whole() {
	mkdir src dst
	seq 1000 >src/a
	truncate -s "$(stat -c %s src/a)" dst/a
	fallocate -l "$(stat -c %s src/a)" dst/b
	cp -p src/a src/b
	touch -r src/a dst/b # an unfinished preallocation of the same age
	"$OCP" -a --resume -T src dst
	diff -r src dst
}

test_an_error_keeps_the_journal_and_the_next_run_ends_it() {
	with_faults
	mkdir src
	seq 10 >src/a
	seq 20 >src/b
	run "$OCP" -a --resume -T src "fault:write=ENOSPC,copy_range=ENOSPC:$T/dst"
	is 1 "$status"
	[ -e .dst.ocp-journal ]
	"$OCP" -a --resume -T src dst
	diff -r src dst
	clean
}

test_what_differs_when_it_is_read_back_is_not_kept() {
	with_faults
	large
	run "$OCP" -p --resume --verify -T a "fault:read(*partial)=flip:$T/b"
	is 1 "$status"
	like "*differs*" "$out"
	clean
	"$OCP" -p --resume --verify a b
	same a b
}

test_attributes_of_what_is_there_are_set_again() {
	mkdir src dst
	seq 10 >src/a
	cp -p src/a dst/a
	chmod 600 src/a
	"$OCP" -a --resume -T src dst
	is 600 "$(stat -c %a dst/a)"
}

# After a crash it would speak of a file that has the same number and other bytes.
test_a_journal_of_another_partial_file_is_taken_back_on_the_storage() {
	with_faults
	interrupted
	rm .b.ocp-partial
	run "$OCP" -p --resume -T a "fault:sync(.b.ocp-journal)=EIO:$T/b"
	is 1 "$status"
	like "*.ocp-journal*Input/output error*" "$out"
	[ ! -e b ]
	"$OCP" -p --resume a b
	same a b
	clean
}

# The kernel tells once of what it could not write: a second sync does not make it safe.
test_what_could_not_be_synced_is_copied_again() {
	with_faults
	local size
	large
	run "$OCP" -p --resume -T a "fault:clone_range=EOPNOTSUPP,sync(.b.ocp-partial)@3=EIO:$T/b"
	is 1 "$status"
	size=$(stat -c %s .b.ocp-partial)
	dd if=/dev/zero of=.b.ocp-partial bs=4096 count=1 seek=$((size / 4096 - 1)) conv=notrunc status=none
	"$OCP" -p --resume -T a b
	same a b
	clean
}

test_long_names_get_partial_files_too() {
	local name
	name=$(printf '%0250d' 1)
	large
	mkdir src
	mv a "src/$name"
	head -c 40000000 /dev/urandom >"src/${name}23"
	killed 0.5 -a --bwlimit=60M -T src dst
	"$OCP" -a --resume -T src dst
	diff -r src dst
	clean
}

run_tests "$@"
