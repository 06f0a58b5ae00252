#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# syscalls.sh - system calls per file of a tree of small files, ocp beside cp.
#
#	bench/syscalls.sh [FILES [TYPE...]]
#
# TYPE is a file system out of ext4, xfs, btrfs; each lies on a loop device.  Needs
# root, strace and a build.  Figures are counts, so a busy machine does not matter.
# Calls that a run makes anyway (start of the program, threads) are in them: take
# enough files.  Waiting for each other (futex) and the clock of the progress line
# (rt_sigtimedwait) depend on time, which strace stretches, and are left out.

set -eu

files=${1:-5000}
shift $(($# < 1 ? $# : 1))
[ $# -gt 0 ] || set -- ext4 xfs btrfs

src=$(cd "$(dirname "$0")/.." && pwd)
ocp=${O:-$src/build}/ocp
[ -x "$ocp" ] || { echo "build it first: make" >&2; exit 1; }

if [ -z "${BENCH_NS-}" ]; then
	BENCH_NS=1 exec unshare --mount -- "$0" "$files" "$@"
fi

dir=$(mktemp -d "${TMPDIR:-/var/tmp}/syscalls.XXXXXX")
cleanup() {
	umount "$dir"/mnt.* 2>/dev/null || :
	rm -rf --one-file-system "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

# One directory for 7 files, one symbolic link for 25; 100 to 6000 bytes each.
make_tree() {
	awk -v n="$files" -v dir="$1" 'BEGIN {
		for (i = 0; i < n; i++) {
			d = dir "/" int(i / 343) "/" int(i / 7)
			if (i % 7 == 0) system("mkdir -p " d)
			f = d "/file" i
			printf "%*s", 100 + i % 60 * 100, "x" >f
			close(f)
			if (i % 25 == 0) system("ln -s file" i " " d "/link" i)
		}
	}'
}

# counts LOG: name and calls of strace -c, the frequent ones
counts() {
	awk -v n="$files" '
		$NF == "total" || $4 !~ /^[0-9]+$/ || $NF ~ /^(futex|rt_sigtimedwait)$/ { next }
		{ sum += $4; if ($4 * 20 >= n) list = list sprintf(" %s %.2f,", $NF, $4 / n) }
		END { sub(/,$/, "", list); printf "%.2f |%s\n", sum / n, list }' "$1"
}

# row TYPE WHAT COMMAND...
row() {
	local type=$1 what=$2
	shift 2
	rm -rf "$dir/mnt.$type/copy"
	strace -f -c -o "$dir/log" "$@" "$dir/mnt.$type/tree" "$dir/mnt.$type/copy"
	echo "| $type | $what | $(counts "$dir/log") |"
}

echo "$(uname -r | sed 's/\([0-9]*\.[0-9]*\).*/Linux \1/'), $(cp --version | head -n 1), $files files, system calls per file"
echo
echo "| within one | command | calls per file | which, 0.05 per file and more |"
echo "|---|---|---|---|"
for type; do
	truncate -s 2G "$dir/$type.img"
	"mkfs.$type" -q "$dir/$type.img" >/dev/null
	mkdir "$dir/mnt.$type"
	mount -o loop "$dir/$type.img" "$dir/mnt.$type"
	make_tree "$dir/mnt.$type/tree"
	row "$type" "cp -r" cp -r
	row "$type" "ocp -r" "$ocp" -r
	row "$type" "cp -a" cp -a
	row "$type" "ocp -a" "$ocp" -a
	row "$type" "ocp -a --sync=file" "$ocp" -a --sync=file
	row "$type" "ocp -a --resume" "$ocp" -a --resume
	umount "$dir/mnt.$type"
	rm "$dir/$type.img"
done
