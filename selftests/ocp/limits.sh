#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What is left out, how fast it goes, when it ends, what is synced.
. "$(dirname "$0")/../lib.sh"
[ -x "$OCP" ] || skip "no ocp in this build"
faults=$("$OCP" -T "fault::$0" "$TEST_DIR/probe" 2>/dev/null && echo yes) || :

with_faults() {
	[ -n "$faults" ] || skip "this build has no fault room"
}

# as_rsync RULE...: the same names as rsync
as_rsync() {
	rm -rf want seen
	rsync -a "$@" src/ want
	"$OCP" -a "$@" -T src seen
	diff <(cd want && find . | sort) <(cd seen && find . | sort) || fail "with $*"
}

test_what_rsync_leaves_out_is_left_out() {
	requires rsync
	mkdir -p src/build/obj src/a/build src/a/b/c src/tmp
	touch src/x.o src/x.c src/a/y.o src/a/tmp src/a/b/c/z.o src/build/obj/q src/a/build/r src/tmp/t
	as_rsync --exclude='*.o'
	as_rsync --exclude=/build
	as_rsync --exclude=build/
	as_rsync --exclude=tmp/
	as_rsync --exclude=/tmp/ --exclude=b/c
	as_rsync --include=y.o --exclude='*.o'
	as_rsync --exclude='*.o' --include=y.o
	as_rsync --include='*/' --include='*.c' --exclude='*'
	as_rsync --exclude='a/**'
	as_rsync --exclude='/a/*/c'
	as_rsync --exclude='[a-b]' --exclude='?.c'
	as_rsync --include=/a --include=/a/b --include='/a/b/**' --exclude='*'
}

test_rules_hold_where_links_are_followed() {
	mkdir -p src/real src/other
	touch src/real/f src/other/g
	ln -s real src/link
	ln -s other/g src/glink
	"$OCP" -rL --exclude='*link/' -T src dst
	[ ! -e dst/link ] && [ -e dst/real/f ] && [ -e dst/glink ]
}

test_operands_are_copied_whatever_the_rules() {
	mkdir dst
	touch x.o
	"$OCP" --exclude='*.o' x.o dst
	[ -e dst/x.o ]
}

# takes LEAST MOST COMMAND...: seconds
takes() {
	local least=$1 most=$2 start
	shift 2
	start=$(date +%s%N)
	"$@"
	is yes "$(awk -v t=$((($(date +%s%N) - start) / 1000000)) -v a="$least" -v b="$most" \
		'BEGIN { print (t >= a * 1000 && t <= b * 1000 ? "yes" : t " ms") }')" "$*"
}

test_a_rate_holds_for_all_workers_together() {
	mkdir src
	for i in 1 2 3 4; do
		head -c 500000 /dev/urandom >"src/$i"
	done
	takes 0.9 60 "$OCP" -r -j4 --bwlimit=2MB -T src dst
	diff -r src dst
}

test_a_rate_holds_for_one_file_by_any_strategy() {
	head -c 2000001 /dev/urandom >a
	takes 0.9 60 "$OCP" --offload=never --bwlimit=2MB a b
	same a b
	takes 0.9 60 "$OCP" --reflink=never --bwlimit=2MB a c
	same a c
	takes 0.9 60 bash -c "cat a | '$OCP' --bwlimit=2MB /dev/stdin d"
	same a d
}

test_encoded_extents_count_as_stored() {
	requires btrfs
	local src dst
	src=$(make_fs btrfs 128M compress-force=zstd)
	dst=$(make_fs btrfs 128M)
	(head -c 1500000 /dev/urandom && yes | head -c 100000000) >"$src/a"
	sync -f "$src"
	takes 0.6 40 "$OCP" --bwlimit=2MB "$src/a" "$dst/a"
	same "$src/a" "$dst/a"
}

test_clones_and_holes_cost_nothing() {
	requires btrfs
	local dir
	dir=$(make_fs btrfs 256M)
	head -c 40000001 /dev/urandom >"$dir/a"
	takes 0 20 "$OCP" --bwlimit=1MB "$dir/a" "$dir/b"
	same "$dir/a" "$dir/b"
	truncate -s 200M sparse
	echo end >>sparse
	truncate -s 300M sparse
	takes 0 20 "$OCP" --bwlimit=1MB sparse copy
	same sparse copy
	[ "$(stat -c %b copy)" -lt 1000 ]
}

test_what_has_no_size_is_copied_within_a_rate() {
	"$OCP" --bwlimit=10G /proc/kallsyms a
	[ "$(wc -c <a)" = "$(wc -c </proc/kallsyms)" ]
}

test_a_signal_ends_the_wait() {
	head -c 4000000 /dev/urandom >a
	takes 0 15 timeout --preserve-status -s INT 1 "$OCP" --bwlimit=100K a b || :
	[ ! -e b ]
}

test_the_priority_is_set() {
	requires ionice
	mkfifo pipe
	"$OCP" --ioprio=best-effort:6 pipe out &
	defer "kill $! 2>/dev/null || :"
	exec 8>pipe
	for _ in $(seq 100); do
		like "*prio*" "$(ionice -p $!)"
		[ "$(ionice -p $!)" != "best-effort: prio 6" ] || break
	done
	is "best-effort: prio 6" "$(ionice -p $!)"
	exec 8>&-
	wait $!
}

test_it_stops_after_so_many_errors() {
	with_faults
	mkdir src
	for i in $(seq 20); do
		echo "$i" >"src/$i"
	done
	run "$OCP" -r -j1 --stop-after-errors=3 -T "fault:read=EIO,copy_range=EIO:$T/src" dst
	is 1 "$status"
	like "*ocp: stopping after 3 errors" "$out"
	is 4 "$(wc -l <<<"$out")" "lines of: $out"
	run "$OCP" -r -j1 --stop-after-errors=30 -T "fault:read=EIO,copy_range=EIO:$T/src" dst2
	is 20 "$(wc -l <<<"$out")"
}

test_a_file_that_cannot_be_synced_gets_no_name() {
	with_faults
	mkdir src
	echo x >src/a
	run "$OCP" -r --sync=file -T src "fault:sync=EIO:$T/dst"
	is 1 "$status"
	like "*ocp: cannot sync '*/dst/a': Input/output error*" "$out"
	[ ! -e dst/a ]
	"$OCP" -r -T src "fault:sync=EIO:$T/dst3"
}

test_a_directory_that_cannot_be_synced_is_told() {
	with_faults
	mkdir -p src/sub
	run "$OCP" -r --sync=file -T src "fault:sync(sub)=EIO:$T/dst"
	is 1 "$status" "$out"
	like "*ocp: cannot sync '*/dst/sub*': Input/output error*" "$out"
}

# LeakSanitizer cannot work below strace.
traced() {
	ASAN_OPTIONS=detect_leaks=0 strace "$@"
}

test_each_file_and_directory_is_synced_once() {
	requires strace
	mkdir -p src/sub
	echo x >src/a
	echo x >src/sub/b
	traced -f -qq -e trace=fsync,fdatasync,syncfs -o log "$OCP" -r --sync=file -T src dst
	is 5 "$(grep -c 'fsync.*= 0' log)" "syncs: $(cat log)" # two files, two directories, the one they are in
	traced -f -qq -e trace=fsync,fdatasync,syncfs -o log "$OCP" -r --sync=all -T src dst2
	is 1 "$(grep -c . log)" "syncs: $(cat log)"
	grep -q 'syncfs(.*= 0' log
	traced -f -qq -e trace=fsync,fdatasync,syncfs -o log "$OCP" -r -T src dst3
	is 0 "$(grep -c . log || :)"
}

run_tests "$@"
