#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel's NFS client and server: what a copy is on the wire and in the counters.  What
# needs nothing of this project proves the fixtures; then ocp, whose word is compared
# with the wire.  All copies are made first, under one capture, because each start of
# tshark takes seconds.
. "$(dirname "$0")/nfs.lib"

knfsd 20490
export_fs plain ext4 64M
export_fs shares xfs 300M
nfs_mount / /mnt 20490
head -c 5M /dev/urandom | tee /export/plain/a >/export/shares/a
for dir in /mnt/plain /mnt/shares; do
	ls "$dir" >/dev/null # mounted by this first look
done

# copy NAME DIR COMMAND...: a copy to a file below the mount DIR; its output, and what the
# counters of server and client say of it, are kept for the tests
copy() {
	local name=$1 dir=$2 copies clones sent
	shift 2
	drop_caches
	copies=$(served 60) clones=$(served 71) sent=$(sent "$dir" COPY)
	mark "$name"
	run "$@"
	mark "after $name"
	printf '%s\n' "$out" >"$TEST_DIR/$name.out"
	echo "$status" >"$TEST_DIR/$name.status"
	echo "$(($(served 60) - copies)) $(($(served 71) - clones)) $(($(sent "$dir" COPY) - sent))" >"$TEST_DIR/$name.counted"
}

capture "$TEST_DIR/wire.pcap" "tcp port 20490"
copy range /mnt/plain xfs_io -f -c "copy_range /mnt/plain/a" /mnt/plain/range
copy ficlone /mnt/shares cp --reflink=always /mnt/shares/a /mnt/shares/ficlone
copy dd /mnt/plain dd if=/mnt/plain/a of=/mnt/plain/dd bs=1M count=1 conv=fsync status=none
copy offload /mnt/plain "$OCP" --explain /mnt/plain/a /mnt/plain/offload
copy clone /mnt/shares "$OCP" --explain /mnt/shares/a /mnt/shares/clone
copy between /mnt/shares "$OCP" --explain /mnt/plain/a /mnt/shares/between
copy stream /mnt/plain "$OCP" --explain --offload=never /mnt/plain/dd /mnt/plain/stream
captured
operations "$TEST_DIR/wire.pcap" >"$TEST_DIR/wire"

# look NAME DIR [SOURCE]: the copy was made and is right; leaves its operations in $seen, what
# it said in $out, and in $data how often READ, READ_PLUS and WRITE were called
look() {
	out=$(cat "$TEST_DIR/$1.out")
	seen=$(section "$1" "$TEST_DIR/wire")
	echo "$out"
	echo "on the wire: $seen"
	is 0 "$(cat "$TEST_DIR/$1.status")" "status"
	same "/export/plain/${3-a}" "/export/$2/$1"
	data="$(times READ "$seen") $(times READ_PLUS "$seen") $(times WRITE "$seen")"
	is "$(cat "$TEST_DIR/$1.counted")" "$(times COPY "$seen") $(times CLONE "$seen") $(times COPY "$seen")" \
		"the counters and the wire"
}

# knfsd of 6.1 makes all of it one asynchronous COPY, that of 6.12 answers each
# when it is done and does 4 MiB at most.  A CB_OFFLOAD that overtakes the reply of its
# COPY is answered with NFS4ERR_DELAY, and comes again.
copies_of_5_MiB() {
	case $VM_GUEST in
	6.1.*)
		is 1 "$(times COPY "$seen")" "COPY"
		[ "$(times CB_OFFLOAD "$seen")" -gt 0 ]
		;;
	*) is "2 0" "$(times COPY "$seen") $(times CB_OFFLOAD "$seen")" "COPY and CB_OFFLOAD" ;;
	esac
	is "0 0 0" "$data" "READ, READ_PLUS and WRITE"
}

test_copy_file_range_is_COPY() {
	look range plain
	copies_of_5_MiB
}

test_FICLONE_is_CLONE() {
	look ficlone shares
	is "1 0" "$(times CLONE "$seen") $(times COPY "$seen")" "CLONE and COPY"
	is "0 0 0" "$data" "READ, READ_PLUS and WRITE"
}

test_reads_and_writes_are_seen() {
	cmp -n 1M /export/plain/a /export/plain/dd
	look dd plain dd
	[ "$(($(times READ "$seen") + $(times READ_PLUS "$seen")))" -gt 0 ]
	[ "$(times WRITE "$seen")" -gt 0 ]
}

test_ocp_offload_is_COPY_and_no_data() {
	look offload plain
	like "*  offload *5.0 MiB in *, nothing through this process*" "$out"
	copies_of_5_MiB
}

test_ocp_clone_is_CLONE_and_no_data() {
	look clone shares
	like "*  clone *5.0 MiB in 1 range, nothing through this process*" "$out"
	is "1 0" "$(times CLONE "$seen") $(times COPY "$seen")" "CLONE and COPY"
	is "0 0 0" "$data" "READ, READ_PLUS and WRITE"
}

test_ocp_offload_between_exports_is_COPY() {
	look between shares
	like "*  offload *5.0 MiB in *, nothing through this process*" "$out"
	copies_of_5_MiB
}

test_ocp_reads_and_writes_where_told_to() {
	look stream plain dd
	like "*  stream *1.0 MiB*" "$out"
	is 0 "$(times COPY "$seen")"
	[ "$(times WRITE "$seen")" -gt 0 ]
}

run_tests "$@"
