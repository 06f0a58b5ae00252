#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# call_cost.sh - what copy_file_range(2) costs a program by itself, under ocp-run and
# with libocp-preload.so, by the size of the call.
#
#	bench/call_cost.sh [ROUNDS]
#
# Within one ext4 ocp-run leaves the call to the kernel, and the library is not
# asked; from a tmpfs to that ext4 both do it, and a program by itself reads and
# writes after EXDEV.  Rounds are interleaved, medians printed, in microseconds a
# call.  Needs root and a build (make all bench).
set -eu

rounds=${1:-5}
src=$(cd "$(dirname "$0")/.." && pwd)
build=${O:-$src/build}
[ -x "$build/bench/call_cost" ] || { echo "build it first: make all bench" >&2; exit 1; }
[ -n "${BENCH_NS-}" ] || BENCH_NS=1 exec unshare --mount -- "$0" "$rounds"

dir=$(mktemp -d "${TMPDIR:-/var/tmp}/call_cost.XXXXXX")
loop=
cleanup() {
	umount "$dir/tmpfs" "$dir/ext4" 2>/dev/null || :
	[ -z "$loop" ] || losetup -d "$loop" || :
	rm -rf --one-file-system "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

mkdir "$dir/tmpfs" "$dir/ext4"
mount -t tmpfs tmpfs "$dir/tmpfs"
truncate -s 256M "$dir/img"
mkfs.ext4 -q "$dir/img"
loop=$(losetup --find --show "$dir/img")
rm "$dir/img"
mount "$loop" "$dir/ext4"
head -c 4M /dev/urandom | tee "$dir/tmpfs/in" >"$dir/ext4/in"

# once WAY FROM BYTES: microseconds a call
once() {
	local way=$1 from=$2 bytes=$3 calls=$(($3 > 4096 ? 2000 : 20000))
	set -- "$build/bench/call_cost" "$dir/$from/in" "$dir/ext4/out" "$bytes" "$calls"
	case $way in
	bare) "$@" ;;
	ocp-run) "$build/ocp-run" "$@" ;;
	preload) LD_PRELOAD=$build/libocp-preload.so "$@" ;;
	esac
}

median() {
	sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

echo "$(nproc) processors, Linux $(uname -r), $rounds rounds, load $(cut -d' ' -f1 /proc/loadavg)"
echo
echo "| from -> to | bytes | bare | ocp-run | preload |"
echo "|---|---|---|---|---|"
for from in ext4 tmpfs; do
	for bytes in 4096 65536 1048576; do
		rm -f "$dir"/figures.*
		for _ in $(seq "$rounds"); do
			for way in bare ocp-run preload; do
				once $way $from $bytes >>"$dir/figures.$way"
			done
		done
		echo "| $from -> ext4 | $bytes | $(median <"$dir/figures.bare") | $(median <"$dir/figures.ocp-run") | $(median <"$dir/figures.preload") |"
	done
done
