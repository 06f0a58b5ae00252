#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2015 # A && B || fail: fail does not return
# The kernel's client on ocp-nfsd: mount, files, locks, xattrs, copies, umount.
. "$(dirname "$0")/nfs.lib"

load nfs
load nfsv4
requires xfs
requires ext4
xfs=$(make_fs xfs 300)
mkdir "$xfs/srv"
plain=$(make_fs ext4 64)
start_server 2049 "$O/ocp-nfsd" --foreground --listen 127.0.0.1:2049 --state "$T/state" --lease 10 \
	--export "$xfs/srv *(rw,no_root_squash,insecure)" --export "$plain *(rw,insecure)"
nfs_mount "$xfs/srv" /mnt 2049

test_files_and_directories() {
	mkdir /mnt/d /mnt/d/e
	echo hello >/mnt/d/a
	[ "$(cat "$xfs/srv/d/a")" = hello ] || fail "not on the server"
	cp -a /etc/security /mnt/d/e
	diff -r --no-dereference /etc/security /mnt/d/e/security
	seq -f '/mnt/d/e/file %g' 100 | xargs -d '\n' touch
	drop_caches
	[ "$(find /mnt/d/e -name 'file *' | wc -l)" = 100 ] || fail "entries are missing"
	rm -r /mnt/d
	[ ! -e "$xfs/srv/d" ] || fail "still there"
}

test_attributes() {
	touch -d '2001-02-03 04:05:06.789' /mnt/f
	chmod 4751 /mnt/f
	chown 12:34 /mnt/f
	truncate -s 12345 /mnt/f
	touch -d '2001-02-03 04:05:06.789' /mnt/f
	drop_caches
	[ "$(stat -c '%a %u %g %s %.3Y' "$xfs/srv/f")" = "$(stat -c '%a %u %g %s %.3Y' /mnt/f)" ] || fail "differ"
	[ "$(stat -c '%u %g %s %.3Y' /mnt/f)" = "12 34 12345 981173106.789" ] || fail "$(stat /mnt/f)"
	mkfifo -m 600 /mnt/fifo
	mknod /mnt/null c 1 3
	[ "$(stat -c '%F %t %T' /mnt/null)" = "character special file 1 3" ] || fail "$(stat /mnt/null)"
	rm /mnt/f /mnt/fifo /mnt/null
	df /mnt | tail -n 1 | awk '$2 < 100000 { exit 1 }'
}

test_links_and_renames() {
	echo one >/mnt/one
	ln /mnt/one /mnt/two
	[ "$(stat -c %h /mnt/one)" = 2 ] || fail "no hard link"
	ln -s one /mnt/sym
	[ "$(readlink /mnt/sym)" = one ] && [ "$(cat /mnt/sym)" = one ] || fail "no symbolic link"
	mkdir /mnt/x /mnt/y
	mv /mnt/two /mnt/x/three
	[ "$(cat /mnt/x/three)" = one ] || fail "lost on the way"
	echo other >/mnt/x/other
	mv -f /mnt/x/other /mnt/x/three
	[ "$(cat /mnt/x/three)" = other ] || fail "not replaced"
	! rmdir /mnt/x 2>/dev/null || fail "removed what was not empty"
	exec 3</mnt/one
	rm /mnt/one
	[ "$(cat <&3)" = one ] || fail "removed under who has it open"
	exec 3<&-
	rm -r /mnt/x /mnt/y /mnt/sym
}

test_users_permissions() {
	local run="setpriv --reuid 1000 --regid 1000 --clear-groups"
	mkdir -m 777 /mnt/open
	mkdir -m 700 /mnt/shut
	$run sh -c 'echo mine >/mnt/open/f' || fail "may not create"
	[ "$(stat -c '%u %g' "$xfs/srv/open/f")" = "1000 1000" ] || fail "not his"
	! $run ls /mnt/shut 2>/dev/null || fail "sees what is not his"
	! $run chown 0 /mnt/open/f 2>/dev/null || fail "gives it away"
	echo "root's" >/mnt/open/r
	chmod 600 /mnt/open/r
	! $run cat /mnt/open/r 2>/dev/null || fail "reads what is not his"
	$run sh -c 'umask 222; echo x >/mnt/open/w && cat /mnt/open/w' >/dev/null || fail "cannot write what he made read-only"
	rm -r /mnt/open /mnt/shut
}

test_exclusive_creation() {
	python3 - <<-END
	import os
	fd = os.open("/mnt/excl", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o640)
	os.write(fd, b"x")
	assert os.fstat(fd).st_mode & 0o7777 == 0o640, oct(os.fstat(fd).st_mode)
	try:
	    os.open("/mnt/excl", os.O_CREAT | os.O_EXCL | os.O_RDWR)
	    raise SystemExit("made twice")
	except FileExistsError:
	    pass
	os.close(fd)
	import time
	assert abs(os.stat("/mnt/excl").st_mtime - time.time()) < 100, os.stat("/mnt/excl")
	os.unlink("/mnt/excl")
	END
}

test_locks() {
	python3 - <<-END
	import fcntl, os, sys
	a = open("/mnt/lock", "w+")
	a.write("x" * 100); a.flush()
	fcntl.lockf(a, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 5)
	r, w = os.pipe()
	def other(start, length, kind):
	    pid = os.fork()
	    if pid == 0:
	        f = open("/mnt/lock", "r+")
	        try:
	            fcntl.lockf(f, kind | fcntl.LOCK_NB, length, start)
	            os._exit(0)
	        except OSError:
	            os._exit(1)
	    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
	assert other(5, 1, fcntl.LOCK_SH) == 1, "shared over exclusive"
	assert other(14, 5, fcntl.LOCK_EX) == 1, "overlap"
	assert other(15, 5, fcntl.LOCK_EX) == 0, "behind it"
	assert other(0, 5, fcntl.LOCK_EX) == 0, "before it"
	fcntl.lockf(a, fcntl.LOCK_UN, 2, 9)
	assert other(9, 2, fcntl.LOCK_EX) == 0, "hole in the middle"
	assert other(8, 1, fcntl.LOCK_EX) == 1, "left of the hole"
	fcntl.lockf(a, fcntl.LOCK_UN)
	assert other(0, 0, fcntl.LOCK_EX) == 0, "all unlocked"
	a.close()
	END
	rm /mnt/lock
}

test_extended_attributes() {
	: >/mnt/x
	setfattr -n user.colour -v blue /mnt/x
	setfattr -n user.empty /mnt/x
	[ "$(getfattr --absolute-names --only-values -n user.colour "$xfs/srv/x")" = blue ] || fail "not on the server"
	[ "$(getfattr --absolute-names --only-values -n user.colour /mnt/x)" = blue ] || fail "not through the mount"
	[ "$(getfattr --absolute-names /mnt/x | grep -c ^user)" = 2 ] || fail "not listed"
	setfattr -x user.colour /mnt/x
	! getfattr -n user.colour /mnt/x 2>/dev/null || fail "not removed"
	rm /mnt/x
}

test_random_operations_give_the_bytes_of_a_local_file() {
	timeout 100 python3 "$(dirname "$0")/fsx.py" /mnt/fsx "$T/fsx" 150 "${VM_SEED:-1}"
	cmp "$xfs/srv/fsx" "$T/fsx"
	rm /mnt/fsx
}

test_holes_are_found() {
	truncate -s 1M /mnt/holes
	printf x | dd of=/mnt/holes bs=1 seek=512K conv=notrunc status=none
	sync /mnt/holes
	xfs_io -c 'seek -h 0' -c 'seek -d 0' /mnt/holes | tee "$T/seek"
	grep -q "^HOLE.*0" "$T/seek" && grep -q "^DATA.*524288" "$T/seek" || fail "not found"
	fallocate --punch-hole -o 512K -l 64K /mnt/holes
	fallocate -l 2M /mnt/holes
	[ "$(stat -c %s "$xfs/srv/holes")" = 2097152 ] || fail "not longer"
	rm /mnt/holes
}

# Linux 6.12 reads all with READ_PLUS, 6.1 nothing.
test_holes_are_read_as_holes() {
	local got
	truncate -s 8M "$xfs/srv/holes"
	for i in 0 1 3 10 11 12 40 41 300 301 303 1500; do
		head -c $((1000 + i * 20)) /dev/urandom | dd of="$xfs/srv/holes" bs=4K seek="$i" conv=notrunc status=none
	done
	drop_caches
	capture read.pcap "tcp port 2049"
	cmp "$xfs/srv/holes" /mnt/holes
	captured
	dd if=/mnt/holes of=part iflag=direct,skip_bytes,count_bytes bs=64K skip=38000 count=300000 status=none
	cmp -n 300000 -i 38000:0 "$xfs/srv/holes" part
	rm /mnt/holes
	case $VM_GUEST in
	6.1.*) [ "$(sent /mnt READ_PLUS)" = 0 ] || fail "it does: $(sent_all /mnt)" ;;
	*)
		got=$(decode read.pcap "nfs.opcode == 68 or _ws.malformed" _ws.malformed rpc.msgtyp nfs.content.type)
		echo "$got"
		! grep -q "^." <(cut -f 1 <<<"$got") || fail "malformed"
		grep -q "^	1	.*0,1" <<<"$got" || fail "no hole was told"
		[ "$(wc -c <read.pcap)" -lt 1000000 ] || fail "holes were sent"
		;;
	esac
}

test_copies_stay_on_the_server() {
	local read
	head -c 32M /dev/urandom >/mnt/src
	sync
	read=$(($(sent /mnt READ) + $(sent /mnt READ_PLUS)))
	xfs_io -f -c "copy_range /mnt/src" /mnt/copied
	cmp "$xfs/srv/src" "$xfs/srv/copied"
	[ "$(sent /mnt COPY)" -ge 1 ] && [ "$(sent /mnt COPY)" -le 2 ] || fail "$(sent_all /mnt)"
	cp --reflink=always /mnt/src /mnt/cloned
	cmp "$xfs/srv/src" "$xfs/srv/cloned"
	[ "$(sent /mnt CLONE)" -ge 1 ] || fail "$(sent_all /mnt)"
	filefrag -v "$xfs/srv/cloned" | grep -q shared || fail "not shared"
	filefrag -v "$xfs/srv/copied" | grep -q shared || fail "copied, not shared"
	[ $(($(sent /mnt READ) + $(sent /mnt READ_PLUS))) = "$read" ] || fail "data came here: $(sent_all /mnt)"
	rm /mnt/src /mnt/copied /mnt/cloned
}

test_a_copy_of_parts_is_exact() {
	head -c 3M /dev/urandom >/mnt/src
	head -c 3M /dev/urandom >/mnt/dst
	cp /mnt/src "$T/src" && cp /mnt/dst "$T/dst"
	xfs_io -c "copy_range -s 12345 -d 654321 -l 1000001 /mnt/src" /mnt/dst
	dd if="$T/src" of="$T/dst" bs=1M iflag=skip_bytes,count_bytes oflag=seek_bytes skip=12345 seek=654321 count=1000001 conv=notrunc status=none
	cmp "$xfs/srv/dst" "$T/dst"
	cmp /mnt/dst "$T/dst"
	rm /mnt/src /mnt/dst
}

test_the_pseudo_root_leads_to_every_export() {
	nfs_mount / /root4 2049
	[ -d "/root4$xfs/srv" ] && ls "/root4$plain" >/dev/null || fail "not found"
	! touch /root4/x 2>/dev/null || fail "written to"
	umount "/root4$plain" "/root4$xfs/srv" || :
	umount /root4
}

test_root_is_squashed() {
	chmod 777 "$plain"
	nfs_mount "$plain" /plain 2049
	: >/plain/f
	[ "$(stat -c '%u %g' "$plain/f")" = "65534 65534" ] || fail "$(stat "$plain/f")"
	umount /plain
}

test_git_clone() {
	command -v git >/dev/null || skip "no git"
	git init -q "$T/repo"
	cp -r /etc/pam.d "$T/repo"
	git -C "$T/repo" add .
	git -C "$T/repo" -c user.name=a -c user.email=b commit -qm one
	git clone -q "$T/repo" /mnt/clone
	git -C /mnt/clone fsck
	[ -z "$(git -C /mnt/clone status --porcelain)" ] || fail "differs"
	rm -rf /mnt/clone
}

test_umount() {
	mkdir /mnt/last
	umount /mnt
	[ -d "$xfs/srv/last" ] || fail "not there"
}

run_tests "$@"
