#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel's NFS client and server: what a copy is on the wire and in the
# counters.  Nothing of this project runs here, so it proves the fixtures.
. "$(dirname "$0")/nfs.lib"

knfsd 20490
export_fs plain ext4 64M
export_fs shares xfs 300M
nfs_mount / /mnt 20490
head -c 5M /dev/urandom | tee /export/plain/a >/export/shares/a

# watched DIR COMMAND...: leave in $seen what a command put on the wire for that mount,
# with which the counters of server and client agree
watched() {
	local dir=$1 copies clones before
	shift
	drop_caches
	copies=$(served 60) clones=$(served 71)
	before=$(sent_all "$dir")
	capture wire.pcap "tcp port 20490"
	"$@"
	captured
	seen=$(on_wire wire.pcap)
	copies=$(($(served 60) - copies)) clones=$(($(served 71) - clones))
	echo "on the wire: $seen"
	is "$copies $clones" "$(times COPY "$seen") $(times CLONE "$seen")" "server's counters and the wire"
	is "$(times COPY "$seen")" "$(($(sent "$dir" COPY) - $(times COPY "$before")))" "the client's COPY counter"
}

test_copy_file_range_is_COPY() {
	watched /mnt/plain xfs_io -f -c "copy_range /mnt/plain/a" /mnt/plain/b
	same /export/plain/a /export/plain/b
	is "0 0" "$(times READ "$seen") $(times WRITE "$seen")" "READ and WRITE"
	case $VM_GUEST in
	6.1.*) is "1 1" "$(times COPY "$seen") $(times CB_OFFLOAD "$seen")" "one asynchronous COPY" ;;
	*) is "2 0" "$(times COPY "$seen") $(times CB_OFFLOAD "$seen")" "two synchronous COPY, of 4 MiB at most" ;;
	esac
}

test_FICLONE_is_CLONE() {
	watched /mnt/shares cp --reflink=always /mnt/shares/a /mnt/shares/b
	same /export/shares/a /export/shares/b
	is "1 0 0 0" "$(times CLONE "$seen") $(times COPY "$seen") $(times READ "$seen") $(times WRITE "$seen")" \
		"CLONE, COPY, READ and WRITE"
}

test_a_copy_through_the_client_is_READ_and_WRITE() {
	watched /mnt/plain dd if=/mnt/plain/a of=/mnt/plain/c bs=1M count=1 conv=fsync status=none
	is 0 "$(times COPY "$seen")"
	[ "$(($(times READ "$seen") + $(times READ_PLUS "$seen")))" -gt 0 ]
	[ "$(times WRITE "$seen")" -gt 0 ]
}

run_tests "$@"
