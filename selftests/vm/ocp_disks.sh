#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp on local file systems of a kernel that is older than the one it was written on.
. "$(dirname "$0")/guest.lib"
requires btrfs xfs ext4 jq

# text: 2.3 MiB that compress well, without repeating
text() {
	seq 1000000 1300000
}

# by STRATEGY SOURCE TARGET: the whole of it, and the copy is the same from the disk
by() {
	"$OCP" --explain --json=report "$2" "$3"
	jq -e --arg name "$1" --argjson size "$(stat -c %s "$2")" \
		'.strategies | map_values(.bytes) | . == {($name): $size}' report ||
		fail "not all by $1: $(cat report)"
	sync
	echo 3 >/proc/sys/vm/drop_caches
	same "$2" "$3"
}

test_clone_on_xfs() {
	local dir
	dir=$(make_fs xfs 300M)
	text >"$dir/a"
	by clone "$dir/a" "$dir/b"
}

test_clone_on_btrfs() {
	local dir
	dir=$(make_fs btrfs 128M)
	text >"$dir/a"
	by clone "$dir/a" "$dir/b"
}

test_offload_on_ext4() {
	local dir
	dir=$(make_fs ext4 64M)
	text >"$dir/a"
	by offload "$dir/a" "$dir/b"
}

test_stream_from_xfs_to_ext4() {
	local from to
	from=$(make_fs xfs 300M)
	to=$(make_fs ext4 64M)
	text >"$from/a"
	by stream "$from/a" "$to/a"
}

# encoded ALGORITHM: compressed extents of one btrfs move to another as they are stored
encoded() {
	local from to
	from=$(make_fs btrfs 128M "compress-force=$1")
	to=$(make_fs btrfs 128M)
	text >"$from/a"
	sync
	by encoded "$from/a" "$to/a"
	# Not compressed by this mount, so what is small came as it was.
	filefrag -v "$to/a" | tail -n 5
	filefrag -v "$to/a" | grep -c encoded
}

test_encoded_zstd() {
	encoded zstd
}

test_encoded_lzo() {
	encoded lzo
}

test_encoded_zlib() {
	encoded zlib
}

test_probe_says_so() {
	local dir
	dir=$(make_fs btrfs 128M)
	run "$OCP" --probe "$dir" "$dir"
	is 0 "$status" "status"
	like "*clone*" "$out"
}

run_tests "$@"
