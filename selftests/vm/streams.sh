#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Send streams where the kernel is older than the one they were tried on first: of its send to
# ocp-receive, of ocp-send to btrfs receive, and encoded writes.
. "$(dirname "$0")/guest.lib"
. "$(dirname "$0")/../stream/streams.lib"
SEND=$O/ocp-send
requires btrfs xfs rsync setfattr filefrag jq "$SEND"

# top: one and two, snapshots with something of every kind
top=$(make_fs btrfs 200M compress-force=zstd)
there=$(make_fs btrfs 200M)
btrfs -q subvolume create "$top/s"
tree "$top/s"
btrfs -q subvolume snapshot -r "$top/s" "$top/one"
seq 1 45000 >"$top/s/seq"
mv "$top/s/small" "$top/s/d/e/moved"
rm "$top/s/zeros"
cp --reflink=always "$top/one/seq" "$top/s/again"
btrfs -q subvolume snapshot -r "$top/s" "$top/two"

# to: a directory to receive in
to() {
	mktemp -d "$there/XXXXXX"
}

# compressed FILE: how many extents of it are
compressed() {
	sync -f "$1"
	filefrag -v "$1" | grep -c encoded || :
}

test_every_stream_of_this_kernel_is_received() {
	local kind to
	for kind in "--proto 1" "--proto 2"; do
		# shellcheck disable=SC2086 # several words
		btrfs send -q $kind "$top/one" >stream
		to=$(to)
		"$RECEIVE" --devices -f stream "$to"
		equal "$top/one" "$to/one"
	done
}

test_compressed_extents_are_planted_by_encoded_writes() {
	local to
	to=$(to)
	btrfs send -q --proto 2 --compressed-data "$top/one" >stream
	"$RECEIVE" --devices --json -f stream "$to" >summary
	is 0 "$(jq .decoded_extents summary)"
	[ "$(jq .encoded_bytes summary)" -gt 200000 ]
	is "$(compressed "$top/one/seq")" "$(compressed "$to/one/seq")"
	echo 3 >/proc/sys/vm/drop_caches
	equal "$top/one" "$to/one"
}

test_an_incremental_stream_finds_its_parent() {
	local to
	to=$(to)
	{
		btrfs send -q --proto 2 --compressed-data "$top/one"
		btrfs send -q --proto 2 --compressed-data -p "$top/one" "$top/two" | cat
	} >stream
	"$RECEIVE" --devices -f stream "$to"
	btrfs subvolume show "$to/two" | grep "Parent UUID:.*-.*-"
	equal "$top/two" "$to/two"
}

test_another_file_system_gets_directories_that_share_blocks() {
	local dir
	dir=$(make_fs xfs 300M)
	{
		btrfs send -q --proto 1 "$top/one"
		btrfs send -q --proto 1 -p "$top/one" "$top/two" | cat
	} >stream
	"$RECEIVE" --devices -f stream "$dir"
	filefrag -v "$dir/two/again" | grep -q shared
	equal "$top/two" "$dir/two"
}

# What btrfs receive makes of it on 6.1 lacks the root's time, as of btrfs send's.
test_ocp_send_gives_the_stream_of_btrfs_send() {
	"$SEND" -q "$top/one" >stream
	same stream <(btrfs send -q --proto 2 --compressed-data "$top/one")
	"$RECEIVE" --list --json -f stream | jq -e '.complete and .subvolumes[0].stream_version == 2'
	btrfs -q receive -f stream "$(to)"
}

test_walked_trees_are_taken_by_btrfs_receive() {
	local to
	to=$(to)
	"$SEND" -q --walk "$top/one" >stream
	[ "$("$RECEIVE" --list --json -f stream | jq '.subvolumes[0].encoded_bytes')" -gt 10000 ]
	btrfs -q receive -f stream "$to"
	equal "$top/one" "$to/one"
}

test_single_files_come_out() {
	local to
	to=$(to)
	btrfs send -q --proto 2 --compressed-data "$top/two" | "$RECEIVE" --path d/e "$to"
	cmp "$top/two/d/e/clone" "$to/two/d/e/clone"
	is "d d/e d/e/clone d/e/moved" "$(cd "$to/two" && find . -mindepth 1 -printf '%P\n' | sort | xargs)"
}

# verity_digest FILE: what the kernel says; sealed FILE SALT: what it must be, of one block (fs-verity's
# documentation: the descriptor, and a tree of one level)
verity_digest() {
	python3 - "$1" <<-'END'
		import fcntl, os, struct, sys
		answer = bytearray(struct.pack("=HH", 0, 32) + bytes(32))
		fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0xC0046686, answer)
		print(answer[4:].hex())
	END
}
sealed() {
	python3 - "$1" "$2" <<-'END'
		import hashlib, struct, sys
		data, salt = open(sys.argv[1], "rb").read(), sys.argv[2].encode()
		root = hashlib.sha256(salt.ljust(64, b"\0") + data.ljust(4096, b"\0")).digest()
		print(hashlib.sha256(struct.pack("=4BIQ64s32s144x", 1, 1, 12, len(salt), 0, len(data),
		                                 root, salt)).hexdigest())
	END
}

# Version 3, which no kernel sends unless it was built for trying such things.
test_verity_is_enabled_as_the_stream_says() {
	local fs dir
	for fs in btrfs "ext4:-O verity -b 4096"; do
		dir=$(make_fs "$fs" 200M)
		"$MK" script 3 >stream <<-'END'
			mkfile path=f ino=257
			write path=f file_offset=0 data=sealed
			chmod path=f mode=420
			enable_verity path=f verity_algorithm=1 verity_block_size=4096 verity_salt_data=salt verity_sig_data=
			utimes path=f atime=1.0 mtime=1.0 ctime=1.0
		END
		run "$RECEIVE" -f stream "$dir"
		is "0 " "$status $out"
		is sealed "$(cat "$dir/vol/f")"
		is "$(sealed "$dir/vol/f" salt)" "$(verity_digest "$dir/vol/f")"
		like "* 1970-01-01 00:00:01*" "$(TZ=UTC stat -c ' %y' "$dir/vol/f")"
	done
}

# Larger sectors than pages came with Linux 6.15, as an experiment.
test_other_sector_sizes() {
	local size mounted=''
	truncate -s 300M image
	mkdir mnt
	for size in 8k 16k 64k; do
		mkfs.btrfs -qf -s "$size" image >/dev/null 2>&1 || continue
		mount -o loop image mnt 2>/dev/null || continue
		mounted+=" $size"
		btrfs send -q --proto 2 --compressed-data "$top/one" | "$RECEIVE" --devices mnt
		equal "$top/one" mnt/one
		umount mnt
	done
	[ -n "$mounted" ] || skip "no sectors but those of $(getconf PAGESIZE) bytes can be mounted"
}

run_tests "$@"
