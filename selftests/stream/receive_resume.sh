#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp-receive --resume: after a kill at any call, a stream that breaks off, a full disk.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/streams.lib"
requires btrfs rsync setfattr

# chain: a full stream and one upon it, in file chain; their sources are $one and $two
chain() {
	source_tree compress-force=zstd
	one=$source
	top=${one%/*}
	change "$top/s"
	btrfs -q subvolume snapshot -r "$top/s" "$top/two"
	two=$top/two
	btrfs send -q --proto 2 --compressed-data "$one" >chain || skip "no compressed streams"
	btrfs send -q --proto 2 --compressed-data -p "$one" "$two" | cat >>chain # splice takes no file to append to
}

# resumed DIR: both are there and nothing else
resumed() {
	equal "$one" "$1/one" && equal "$two" "$1/two"
	is "one two" "$(visible "$1" | tr ' ' '\n' | sort | xargs)"
	is "" "$(find "$1" -maxdepth 1 -name '.*.receiving*')"
	is "" "$(find "$1" -path '*/.ocp-receive/*.state')"
}

# cleared DIR: nothing is in it any more
cleared() {
	find "$1" -mindepth 1 -maxdepth 1 ! -name lost+found | while read -r name; do
		remove "$name"
	done
}

# kill_everywhere DIR STEP: kill -9 at every STEPth call of a method, then go on.
# By hand, STEP=1 takes them all.
kill_everywhere() {
	local n calls=0 status=137
	for ((n = 1; status == 137; n += $2)); do
		status=0
		"$RECEIVE" --devices -f chain "fault:*@$n=kill:$1" >out 2>&1 || status=$?
		[ "$status" = 0 ] || [ "$status" = 137 ] || fail "call $n: status $status: $(cat out)"
		if [ "$status" = 137 ]; then
			calls=$((calls + 1))
			if [ -d "$1/.ocp-receive" ] && ls "$1"/.ocp-receive/*.state >/dev/null 2>&1; then
				run "$RECEIVE" --devices --resume -f chain "$1"
			else
				cleared "$1"
				run "$RECEIVE" --devices -f chain "$1"
			fi
			is 0 "$status" "going on after call $n: $out"
			status=137
		fi
		resumed "$1" || fail "after call $n"
		cleared "$1"
	done
	[ "$calls" -ge 3 ] || fail "killed only $calls times"
}

test_killed_at_any_call_on_btrfs() {
	chain
	kill_everywhere "$(make_fs btrfs 256M)" "${STEP:-149}"
}

test_killed_at_any_call_elsewhere() {
	requires ext4
	chain
	kill_everywhere "$(make_fs ext4 64M)" "${STEP:-151}"
}

test_killed_again_and_again() {
	local dir n=150 status=137 rounds=0
	chain
	dir=$(make_fs btrfs 256M)
	"$RECEIVE" --devices -f chain "fault:*@60=kill:$dir" >out 2>&1 || :
	while [ "$status" = 137 ]; do
		status=0
		"$RECEIVE" --devices --resume -f chain "fault:*@$n=kill:$dir" >out 2>&1 || status=$?
		n=$((n + 41))
		rounds=$((rounds + 1))
		[ "$rounds" -lt 200 ] || fail "no progress"
	done
	is 0 "$status" "$(cat out)"
	[ "$rounds" -gt 2 ]
	resumed "$dir"
}

test_a_stream_that_breaks_off_anywhere() {
	local size n dir
	chain
	size=$(stat -c %s chain)
	dir=$(make_fs btrfs 256M)
	for ((n = 150; n < size; n += size / 4 + 1)); do
		run "$RECEIVE" --devices -f <(head -c "$n" chain) "$dir"
		is 1 "$status" "$n bytes"
		like "*the stream ends*" "$out"
		"$RECEIVE" --devices --resume -f chain "$dir"
		resumed "$dir"
		cleared "$dir"
	done
}

test_a_signal_ends_it_and_it_goes_on() {
	local dir size
	chain
	dir=$(make_fs btrfs 256M)
	size=$(stat -c %s chain)
	mkfifo pipe
	"$RECEIVE" --devices "$dir" <pipe 2>out &
	exec 8>pipe
	head -c $((size / 2)) chain >&8
	until find "$dir" -maxdepth 1 -name '.*.receiving' | grep -q .; do
		kill -0 $!
		sleep 0.02
	done
	kill -TERM $!
	status=0
	wait $! || status=$?
	exec 8>&-
	is 143 "$status"
	like "*interrupted*" "$(cat out)"
	"$RECEIVE" --devices --resume -f chain "$dir"
	resumed "$dir"
}

test_a_signal_ends_reading_a_file_too() {
	local n
	head -c 1000000 /dev/urandom >noise
	for n in 1 2 3 4 5 6; do
		echo "mkfile path=$n ino=25$n"
		echo "write path=$n file_offset=0 data=@noise"
	done | "$MK" script 2 >stream
	mkdir in
	run "$RECEIVE" -f stream "fault:write@1=term:$T/in"
	is 143 "$status" "$out"
	like "*interrupted*" "$out"
	"$RECEIVE" --resume -f stream in
	same noise in/vol/6
}

test_another_stream_is_refused_and_nothing_changes() {
	local size dir
	chain
	dir=$(make_fs btrfs 256M)
	size=$(stat -c %s chain)
	head -c $((size / 3)) chain >part
	run "$RECEIVE" --devices -f part "$dir"
	is 1 "$status"
	find "$dir/.one.receiving" -printf '%P %s %T@\n' | sort >before
	touch "$top/s/new"
	btrfs -q subvolume delete "$one" "$two"
	btrfs -q subvolume snapshot -r "$top/s" "$one"
	btrfs send -q --proto 2 --compressed-data "$one" >other
	run "$RECEIVE" --devices --resume -f other "$dir"
	is 1 "$status"
	like "*this is not the stream that the earlier run received*" "$out"
	find "$dir/.one.receiving" -printf '%P %s %T@\n' | sort >after
	same before after
}

test_a_full_disk_and_then_room() {
	local dir
	requires ext4
	chain
	dir=$(make_fs ext4 24M)
	cat /dev/zero >"$dir/ballast" 2>/dev/null || truncate -s -300K "$dir/ballast"
	run "$RECEIVE" --devices -f chain "$dir"
	is 1 "$status"
	like "*No space left*" "$out"
	rm "$dir/ballast"
	"$RECEIVE" --devices --resume -f chain "$dir"
	resumed "$dir"
}

# A machine that went down has lost what was in memory: the record is no more.
test_a_checkpoint_is_gone_back_to() {
	local dir n size
	chain
	dir=$(make_fs btrfs 256M)
	size=$(stat -c %s chain)
	mkfifo pipe
	"$RECEIVE" --devices --checkpoint=1 "$dir" <pipe 2>out &
	pid=$!
	exec 8>pipe
	head -c $((size / 3)) chain >&8
	# A second later, by its own clock, more makes it due.  It counts when the state names it,
	# not when it is made.
	for n in $(seq 0 19); do
		sleep 0.5
		tail -c +$((size / 3 + n * (size / 100) + 1)) chain | head -c $((size / 100)) >&8
		! grep -aq 'receiving\.a' "$dir/.ocp-receive/one.state" 2>/dev/null || break
	done
	for _ in $(seq 600); do
		! grep -aq 'receiving\.a' "$dir/.ocp-receive/one.state" 2>/dev/null || break
		sleep 0.05
	done
	ls -d "$dir"/.*.receiving.a
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null || :
	exec 8>&-
	grep -ao 'ocp-receive\.[0-9a-f]*' "$dir"/.ocp-receive/one.state >record
	rm "/dev/shm/$(cat record)"
	echo more >"$(echo "$dir"/.*.receiving)/not-in-the-checkpoint"
	"$RECEIVE" -v --devices --resume -f chain "$dir" 2>out
	grep "going back to the checkpoint" out
	resumed "$dir"
}

test_without_record_and_checkpoint_it_is_refused() {
	local dir=in
	chain
	mkdir in
	"$RECEIVE" --devices -f chain "fault:*@200=kill:$dir" >out 2>&1 || :
	rm "/dev/shm/$(grep -ao 'ocp-receive\.[0-9a-f]*' "$dir"/.ocp-receive/one.state)"
	run "$RECEIVE" --devices --resume -f chain "$dir"
	is 1 "$status"
	like "*not known to be on the disk*" "$out"
}

test_nothing_to_go_on_with() {
	chain
	mkdir in
	run "$RECEIVE" --resume -f chain in
	is 1 "$status"
	like "*there is nothing to go on with*" "$out"
	is "" "$(ls -A in)"
}

test_no_two_at_once() {
	chain
	mkdir in
	mkfifo pipe
	"$RECEIVE" --devices in <pipe 2>log &
	exec 8>pipe
	head -c $(($(stat -c %s chain) / 4)) chain >&8
	for _ in $(seq 200); do
		[ ! -d in/.one.receiving ] || break
		sleep 0.05
	done
	[ -d in/.one.receiving ] || fail "$(cat log)"
	run "$RECEIVE" --devices --resume -f chain in
	is 1 "$status"
	like "*another ocp-receive is at work*" "$out"
	exec 8>&-
	wait || :
}

run_tests "$@"
