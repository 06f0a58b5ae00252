#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# queue_depth.sh - sweeps the stream's engines over queue depth, buffer size and
# O_DIRECT, with GNU cp beside them in the same interleaved rounds.
#
#	bench/queue_depth.sh [MIB [ROUNDS [PAIR...]]]
#
# PAIR is ext4-ext4, tmpfs-ext4 or xfs-btrfs, followed by -cold or -warm.  Needs
# root, a build (make all bench), and on $TMPDIR's disk six times MIB.  Every file
# system lies on a loop device of its own with direct I/O, all on that one disk.
#
# The plans of a round run in random order, each after as much memory was written
# and freed as it will need: on a virtual machine the first touch of a page may cost
# more than the copy, and would hit whoever comes first.
#
# Prints per pair: median wall seconds, the ratio to cp's (above 1: faster than
# cp), and median processor seconds of the process.

set -eu

mib=${1:-1024}
rounds=${2:-3}
shift $(($# < 2 ? $# : 2))
[ $# -gt 0 ] || set -- ext4-ext4-cold ext4-ext4-warm tmpfs-ext4-warm xfs-btrfs-cold xfs-btrfs-warm

src=$(cd "$(dirname "$0")/.." && pwd)
engine=${O:-$src/build}/bench/stream_engine
[ -x "$engine" ] || { echo "build it first: make all bench" >&2; exit 1; }

if [ -z "${BENCH_NS-}" ]; then
	BENCH_NS=1 exec unshare --mount -- "$0" "$mib" "$rounds" "$@"
fi

dir=$(mktemp -d "${TMPDIR:-/var/tmp}/queue_depth.XXXXXX")
loops=
mkdir "$dir/memory"
mount -t tmpfs -o size="$((mib * 2 + 64))M" tmpfs "$dir/memory"
cleanup() {
	for loop in $loops; do
		umount "$loop" 2>/dev/null || :
		losetup -d "$loop" || :
	done
	umount "$dir/a-tmpfs" "$dir/memory" 2>/dev/null || :
	rm -rf --one-file-system "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

# file_system NAME TYPE: made at $dir/NAME, once
file_system() {
	local loop
	[ ! -d "$dir/$1" ] || return 0
	mkdir "$dir/$1"
	if [ "$2" = tmpfs ]; then
		mount -t tmpfs -o size="$((mib + 64))M" tmpfs "$dir/$1"
		return
	fi
	truncate -s "$((mib * 2 + 1024))M" "$dir/$1.img"
	"mkfs.$2" -q "$dir/$1.img" >/dev/null
	loop=$(losetup --direct-io=on --find --show "$dir/$1.img")
	loops="$loops $loop"
	rm "$dir/$1.img"
	mount "$loop" "$dir/$1"
}

plans() {
	local d k
	echo cp
	for d in 1 2 4 8; do
		for k in 256 512 1024; do
			echo "threads $d $k buffered"
		done
	done
	echo "threads 4 512 in"
	echo "threads 8 1024 both"
	for d in 4 8 16; do
		for k in 512 1024; do
			echo "uring $d $k in"
			echo "uring $d $k both"
		done
	done
	echo "uring 8 512 buffered"
	echo "aio 8 1024 both"
	echo "aio 16 1024 both"
}

# once FROM TO CACHE PLAN...: "wall cpu" in seconds
once() {
	local from=$1 to=$2 cache=$3
	shift 3
	rm -f "$to"
	sync -f "$(dirname "$to")"
	head -c "$((mib * 2))M" /dev/zero >"$dir/memory/x"
	rm "$dir/memory/x"
	if [ "$cache" = cold ]; then
		dd if="$from" iflag=nocache count=0 status=none
	else
		cat "$from" >/dev/null
	fi
	if [ "$1" = cp ]; then
		set -- cp --reflink=never
	else
		set -- "$engine" "$@"
	fi
	TIMEFORMAT="%R %U %S"
	{ time "$@" "$from" "$to" >/dev/null; } 2>&1 | awk '{ print $1, $2 + $3 }'
}

median() {
	sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# pair FROM-TYPE TO-TYPE CACHE
pair() {
	local from=$dir/a-$1/src to=$dir/b-$2/dst plan n wall cpu cp=
	file_system "a-$1" "$1"
	file_system "b-$2" "$2"
	[ -e "$from" ] || head -c "${mib}M" /dev/urandom >"$from"
	sync -f "$from"
	rm -f "$dir"/figures.*
	for _ in $(seq "$rounds"); do
		while read -r n plan; do
			# shellcheck disable=SC2086
			once "$from" "$to" "$3" $plan >>"$dir/figures.$n" </dev/null
		done < <(plans | nl | shuf)
	done
	echo
	echo "$1 -> $2, $3, $mib MiB, $rounds rounds, load $(cut -d' ' -f1 /proc/loadavg)"
	echo
	echo "| engine | depth | KiB | O_DIRECT | wall | cp/wall | cpu |"
	echo "|---|---|---|---|---|---|---|"
	n=0
	while read -r plan; do
		n=$((n + 1))
		wall=$(cut -d' ' -f1 "$dir/figures.$n" | median)
		cpu=$(cut -d' ' -f2 "$dir/figures.$n" | median)
		cp=${cp:-$wall}
		echo "$plan" | awk -v w="$wall" -v c="$cpu" -v cp="$cp" \
			'{ printf "| %s | %s | %s | %s | %.2f | %.2f | %.2f |\n", $1, $2, $3, $4, w, cp / w, c }'
	done < <(plans)
}

echo "$(nproc) processors, $(awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo) MiB, Linux $(uname -r), $(cp --version | head -n 1)"
for name; do
	IFS=- read -r from to cache <<<"$name"
	pair "$from" "$to" "$cache"
done
