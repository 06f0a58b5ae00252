#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# --summary, and what SIGUSR1 prints.
. "$(dirname "$0")/../lib.sh"
[ -x "$OCP" ] || skip "no ocp in this build"

test_the_summary_counts_everything() {
	mkdir -p src/sub
	seq 1000 >src/a
	ln src/a src/sub/b
	ln -s a src/l
	mkfifo src/p
	run "$OCP" -a --summary --offload=never -T src dst
	like "1 file, 2 directories, 1 symbolic link, 1 hard link, 1 special file, 3.8 KiB in *.* s, * B/s
  stream   3.8 KiB (100%)" "${out//iB\/s/ B/s}"
	run "$OCP" -a --summary --verify -T src dst2
	like "*, 1 verified*" "$out"
}

test_the_summary_says_why_and_what_to_do() {
	requires ext4 tmpfs
	local dir
	dir=$(make_fs ext4 64M)
	mkdir src
	seq 1000 >src/a
	seq 1001 >src/b
	run "$OCP" -r --summary src "$dir/"
	like "2 files, *Why not all was offloaded, and what to do about it:
  the files are on different file systems (* times)
    -> *" "$out"
	[ "$(grep -c '^  .* time' <<<"$out")" -le 3 ]
	! grep -q 'hands out grants' <<<"$out"
}

test_nothing_is_advised_where_nothing_was_streamed() {
	requires btrfs
	local dir
	dir=$(make_fs btrfs 128M)
	head -c 1000000 /dev/urandom >"$dir/a"
	run "$OCP" --summary "$dir/a" "$dir/b"
	like "1 file, 976.5 KiB in *
  clone    976.5 KiB (100%)" "$out"
}

# Every sentence that has an advice is one that some strategy says.
test_advice_is_to_what_is_really_said() {
	local reason
	sed -n 's/^\t{"\(.*\)",\(.*\)*$/\1/p' "$SRC/userspace/ocp/recap.c" >reasons
	[ "$(wc -l <reasons)" -gt 15 ]
	while read -r reason; do
		grep -rqF -- "\"$reason\"" "$SRC/kernel" "$SRC/fs" || fail "nobody says: $reason"
	done < <(sed 's/",.*//' reasons)
}

test_errors_are_counted() {
	run "$OCP" -r --summary nowhere /proc/self/comm .
	is 1 "$status"
	like "*, 1 error*" "$out"
}

test_without_a_terminal_there_is_no_summary() {
	seq 10 >a
	run "$OCP" a b
	is "" "$out"
}

test_SIGUSR1_prints_progress_and_the_copy_goes_on() {
	head -c 3000000 /dev/urandom >a
	"$OCP" --bwlimit=1MB a b 2>err &
	# Ready for it when it is blocked: bit 9.
	until ((0x$(sed -n 's/^SigBlk:[[:space:]]*//p' /proc/$!/status) & 0x200)); do
		sleep 0.01
	done
	# The first lines may be of the time before there was anything to tell.
	for _ in $(seq 200); do
		kill -USR1 $! 2>/dev/null || break
		sleep 0.05
		! grep -q 'iB.*a$' err || break
	done
	wait $!
	same a b
	grep -q 'iB.*a$' err || fail "$(cat err)"
}

test_SIGUSR1_harms_nobody() {
	seq 10 >a
	for _ in $(seq 20); do
		"$OCP" a b &
		kill -USR1 $! 2>/dev/null || :
		wait $! || is 138 $? # before it was ready for it
	done
	mkdir src
	for i in $(seq 300); do
		echo "$i" >"src/$i"
	done
	"$OCP" -r src dst 2>err &
	kill -USR1 $! 2>/dev/null || :
	wait $! || :
}

run_tests "$@"
