#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp-send --walk of what differs: chains of streams give the tree at each stage.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/sendlib.lib"
EDITS=$SRC/selftests/stream/edits.py
requires python3

# stages TOP THERE SEED OPTION...: three stages of one tree, sent by send_stage and compared
stages() {
	local top=$1 there=$2 seed=$3 stage last
	shift 3
	mkdir "$there/$seed"
	python3 "$EDITS" "$top/t" "$seed.0" 60
	for stage in 0 1 2; do
		send_stage "$top" "$stage" "$@"
		btrfs -q receive -f stream "$there/$seed" || fail "seed $seed, stage $stage"
		last=("$top/t" "$seed.$((stage + 1))" 20)
		[ "$stage" -lt 2 ] || last=()
		python3 "$EDITS" equal "$look" "$there/$seed/s$stage" "${last[@]}" || {
			"$RECEIVE" --dump -f stream
			fail "seed $seed, stage $stage"
		}
	done
}

# Of snapshots, against the one before on disk.
send_snapshot() {
	look=$1/s$2
	btrfs -q subvolume snapshot -r "$1/t" "$look"
	if [ "$2" = 0 ]; then
		"$SEND" --walk "${@:3}" -f stream "$look"
	else
		"$SEND" --walk "${@:3}" -f stream -p "$1/s$(($2 - 1))" "$look"
	fi
}

# Of the tree itself, against a manifest.
send_since() {
	look=$1/t
	if [ "$2" = 0 ]; then
		"$SEND" "${@:3}" --manifest=m --name "s$2" -f stream "$look"
	else
		"$SEND" "${@:3}" --since=m --manifest=m --name "s$2" -f stream "$look"
	fi
}

# Of the tree against a copy, whose inodes are others.
send_against_copy() {
	look=$1/t
	send_against "$@"
	rm -rf "$1/old"
	cp -a --reflink=auto "$1/t" "$1/old"
}

send_against() {
	if [ "$2" = 0 ]; then
		"$SEND" --walk --manifest=m --name "s$2" -f stream "$1/t"
	else
		"$SEND" --walk --manifest=m --since=m -p "$1/old" --name "s$2" -f stream "$1/t"
	fi
}

test_chains_of_snapshots() {
	requires btrfs
	send_stage() { send_snapshot "$@"; }
	fs=$(make_fs btrfs 300M compress=zstd)
	there=$(make_fs btrfs 300M)
	for seed in 1 2; do
		top=$fs/$seed
		mkdir "$top"
		btrfs -q subvolume create "$top/t"
		stages "$top" "$there" "$seed" --proto "$seed"
	done
}

test_chains_by_manifest() {
	requires btrfs ext4
	send_stage() { send_since "$@"; }
	fs=$(make_fs ext4 300M)
	there=$(make_fs btrfs 300M)
	for seed in 3 4; do
		top=$fs/$seed
		mkdir -p "$top/t"
		# shellcheck disable=SC2046 # one word or none
		stages "$top" "$there" "$seed" $([ "$seed" = 3 ] || echo --checksum)
	done
}

test_chains_against_a_copy() {
	requires btrfs xfs
	send_stage() { send_against_copy "$@"; }
	top=$(make_fs xfs 300M)
	there=$(make_fs btrfs 300M)
	mkdir "$top/t"
	stages "$top" "$there" 5
}

test_only_what_differs_is_sent() {
	mkdir -p t/d/e
	head -c 8000000 /dev/urandom >t/big
	"$SEND" --checksum --manifest=m -f full t
	echo x | dd of=t/big bs=1 seek=5000000 conv=notrunc status=none
	mv t/d/e t/f
	"$SEND" --since=m --manifest=m2 --name t2 -f part t
	[ "$(stat -c %s part)" -lt 1100000 ] || fail "$(stat -c %s part) bytes"
	[ "$(commands part rename)" -ge 1 ]
	is 0 "$(commands part mkdir)"
	mkdir there
	"$RECEIVE" -f full there
	"$RECEIVE" -f part there
	python3 "$EDITS" equal t there/t2
}

test_snapshots_of_one_file_system_are_compared_by_their_extents() {
	requires btrfs
	top=$(make_fs btrfs 200M)
	btrfs -q subvolume create "$top/t"
	head -c 8000000 /dev/urandom >"$top/t/big"
	btrfs -q subvolume snapshot -r "$top/t" "$top/s1"
	echo x | dd of="$top/t/big" bs=1 seek=5000000 conv=notrunc status=none
	btrfs -q subvolume snapshot -r "$top/t" "$top/s2"
	"$SEND" --walk -p "$top/s1" "$top/s2" >stream
	[ "$(stat -c %s stream)" -lt 10000 ] || fail "$(stat -c %s stream) bytes"
}

test_a_manifest_that_is_not_whole_is_refused() {
	local size n
	mkdir t
	echo x >t/a
	setfattr -n user.a -v b t/a
	"$SEND" --checksum --manifest=m t >full
	size=$(stat -c %s m)
	for ((n = 0; n < size; n += 7)); do
		head -c "$n" m >piece
		run "$SEND" --since=piece -f part t
		is 1 "$status" "$n bytes"
		like "*piece: reading it: it *" "$out"
	done
	for ((n = 0; n < size; n += 5)); do
		"$O/selftests/stream/mkstream" flip "$n" 4 <m >piece
		run "$SEND" --since=piece -f part t
		is 1 "$status" "byte $n"
	done
	[ ! -e part ]
}

test_what_a_parent_was_called_must_be_known() {
	mkdir t u
	run "$SEND" --walk -p t -f stream u
	is 1 "$status"
	like "*nobody knows what its stream was called*" "$out"
	"$SEND" --walk -p t --parent-uuid=01234567-89ab-cdef-0123-456789abcdef:7 -f stream u
	like "*parent_uuid=01234567-89ab-cdef-0123-456789abcdef parent_transid=7*" \
		"$("$RECEIVE" --dump -f stream)"
	run "$SEND" --walk -p t --parent-uuid=0123 -f stream u
	is 1 "$status"
}

run_tests "$@"
