#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copies on a mount of ocp-mount: whatever way they go, they are exact, and end as they should.
# shellcheck source=selftests/ofs/ofs.lib
. "$(dirname "$0")/ofs.lib"

# on_the_mount PROGRAM [PATTERN...]: tests of copies, on folders of these names.  Children of
# fork(2) end without the threads of their parents, which the thread sanitizer calls a leak.
on_the_mount() {
	local program=$1
	shift
	TSAN_OPTIONS=report_thread_leaks=0 COPYTEST_ON=$m OCP_RUN=1 "$O/selftests/$program" "$@"
}

# calls of copy_file_range(2).  Those left out want what the kernel decides by itself for
# FUSE: EOVERFLOW, EFBIG and SIGXFSZ where nothing would be copied; and clones.
test_calls_between_rooms() {
	requires tmpfs ext4 xfs
	mounted -o allow_other tmpfs="$(make_fs tmpfs 64M)" ext4="$(make_fs ext4 64M)" xfs="$(make_fs xfs 300M)"
	on_the_mount unchanged/calls '*offsets*' '*positions*' '*errno*' '*pointers*' '*descriptors*' \
		'*immutable*' '*holes*' '*threads*' '*child_of_fork*' '*forks*' '*sendfile*'
	unmounted
}

test_calls_at_the_limit_of_file_sizes() {
	requires tmpfs ext4 xfs
	! nm -D "$O/selftests/unchanged/limits" | grep -q __tsan_ || skip "the thread sanitizer delays signals"
	mounted -o allow_other tmpfs="$(make_fs tmpfs 64M)" ext4="$(make_fs ext4 64M)" xfs="$(make_fs xfs 300M)"
	on_the_mount unchanged/limits '*at_the_limit_it*'
	unmounted
}

# What copy_range() promises, where its two files are on the mount.
test_semantics_of_copy_range() {
	requires ext4
	mounted -o allow_other ext4="$(make_fs ext4 128M)"
	on_the_mount core/semantics_range 'call.ext4.*'
	on_the_mount core/semantics_files 'call.ext4.*'
	on_the_mount core/semantics_live 'call.ext4.source_that*' 'call.ext4.disjoint*'
	unmounted
}

# What the kernel's own call answers there, for random ranges, against a model.
test_random_ranges_agree_with_a_model() {
	requires ext4 tmpfs
	mounted tmpfs="$(make_fs tmpfs 64M)" ext4="$(make_fs ext4 128M)"
	AGREE_OPS=150 on_the_mount core/agree '*ext4.random_ranges'
	unmounted
}

test_cp_within_a_room_shares_blocks() {
	requires xfs
	a=$(make_fs xfs 300M)
	head -c 20M /dev/urandom >"$a/in"
	mounted a="$a"
	before=$(moved_by_daemon)
	cp "$m/a/in" "$m/a/out"
	[ $(($(moved_by_daemon) - before)) -lt 1000000 ] || fail "it was read and written"
	same "$a/in" "$a/out"
	xfs_io -r -c "fiemap -v" "$a/out" | grep -q '0x2[0-9a-f]*$' || fail "nothing is shared"
	run cp --reflink=always "$m/a/in" "$m/a/no"
	like "1 *Operation not supported" "$status $out"
	unmounted
}

test_compressed_extents_move_as_they_are() {
	requires btrfs
	a=$(make_fs btrfs 256M compress-force=zstd)
	b=$(make_fs btrfs 256M)
	yes "a line that compresses well" | head -c 20000000 >"$a/in"
	sync -f "$a"
	mounted a="$a" b="$b"
	cp "$m/a/in" "$m/b/out"
	same "$a/in" "$b/out"
	sync -f "$b"
	[ "$(btrfs filesystem df -b "$b" | sed -n 's/^Data.*used=//p')" -lt 2000000 ] || fail "decompressed"
	unmounted
}

test_holes_stay_holes() {
	requires ext4 xfs
	a=$(make_fs ext4 64M)
	b=$(make_fs xfs 300M)
	truncate -s 30M "$a/in"
	head -c 100000 /dev/urandom | dd of="$a/in" bs=1M seek=20 conv=notrunc status=none
	mounted a="$a" b="$b"
	python3 - <<-'END'
		import os
		i, o = os.open("m/a/in", os.O_RDONLY), os.open("m/b/out", os.O_WRONLY | os.O_CREAT)
		n = os.copy_file_range(i, o, 1 << 30)
		assert n == 30 << 20, n
	END
	same "$a/in" "$b/out"
	[ "$(stat -c %b "$b/out")" -lt 1000 ]
	unmounted
}

long=160000000

# A copy that takes many seconds if nobody stops it: to a loop device that is written through.
slow_room() {
	requires ext4
	a=$(make_fs tmpfs 200M)
	b=$(make_fs ext4 256M sync)
	yes | head -c "$long" >"$a/in"
	mounted a="$a" b="$b"
	cat >copy.py <<-'END'
		import os, signal, sys
		def on_alarm(*a):
		    pass
		signal.signal(signal.SIGALRM, on_alarm)
		i = os.open(sys.argv[1], os.O_RDONLY)
		o = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_SYNC)
		open("begins", "w").close()
		try:
		    print(os.copy_file_range(i, o, 1 << 30), flush=True)
		except OSError as e:
		    print("error", e.errno, flush=True)
	END
}

# copying: a program copies now, as $program
copying() {
	python3 copy.py "$m/a/in" "$m/b/out" >count 2>&1 &
	program=$!
	eventually test -s "$b/out"
}

test_a_signal_ends_a_long_copy_with_its_count() {
	slow_room
	copying
	# Other requests go on.
	[ -d "$m/a" ]
	echo x >"$m/a/other"
	is x "$(cat "$m/a/other")"
	kill -ALRM "$program"
	wait "$program"
	n=$(cat count)
	[ "$n" -gt 0 ]
	[ "$n" -lt "$long" ]
	cmp -n "$n" "$a/in" "$b/out"
	[ "$(stat -c %s "$b/out")" -lt "$long" ]
	unmounted
}

test_a_killed_program_ends_its_copy() {
	slow_room
	copying
	kill -KILL "$program"
	wait "$program" || is 137 $?
	n=$(stat -c %s "$b/out")
	[ "$n" -lt "$long" ] || fail "all of it"
	sleep 0.2
	is "$n" "$(stat -c %s "$b/out")" "it went on"
	unmounted
}

test_the_end_of_the_mount_ends_copies() {
	slow_room
	copying
	kill -TERM "$daemon"
	wait "$daemon" || fail "$(cat "$T/daemon.log")"
	wait "$program"
	like "[1-9]*" "$(cat count)"
	[ "$(stat -c %s "$b/out")" -lt "$long" ]
}

# Nobody hangs, and what is there does not look whole.
test_death_of_the_daemon_leaves_nothing_that_looks_whole() {
	slow_room
	copying
	python3 -c '
import fcntl, sys
f = open("m/a/in", "r+")
fcntl.flock(f, fcntl.LOCK_EX)
open("locked", "w")
sys.stdin.read()
f.write("x")' 2>/dev/null &
	holder=$!
	kill -KILL "$daemon"
	wait "$daemon" || is 137 $?
	wait "$program"
	like "error *" "$(cat count)"
	wait "$holder" || :
	[ "$(stat -c %s "$b/out")" -lt "$long" ]
	run ls "$m/a"
	like "*Transport endpoint is not connected" "$out"
	umount "$m"
}

# More than are done at once, each exact, while others are served.
test_many_copies_at_once() {
	mkdir a b
	head -c 3M /dev/urandom >a/in
	mounted a b
	seq 20 | xargs -P 20 -I{} cp m/a/in m/b/out{}
	for i in $(seq 20); do
		same a/in "b/out$i"
	done
	unmounted
}

run_tests "$@"
