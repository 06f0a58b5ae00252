#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp-mount's command line, its mount and its end; who may do what on it.
# shellcheck source=selftests/ofs/ofs.lib
. "$(dirname "$0")/ofs.lib"

# two: folders a and b
two() {
	mkdir a b m
	echo hello >a/file
}

test_the_command_returns_when_it_is_mounted() {
	two
	"$MOUNT" a b m
	is "a b" "$(echo m/* | sed 's,m/,,g')"
	is hello "$(cat m/a/file)"
	is fuse.ofs "$(findmnt -no FSTYPE m)"
	is "a b" "$(findmnt -no SOURCE m)"
	umount m
}

test_names_are_given_or_derived() {
	two
	mkdir -p c/a
	mounted a/ other=c/a "./b"
	is "a b other" "$(cd m && echo *)"
	unmounted
}

test_what_cannot_be_is_said() {
	two
	mkdir -p c/a
	run "$MOUNT" a c/a m
	like "1 *NAME=PATH: c/a*" "$status $out"
	run "$MOUNT" nowhere m
	like "1 *nowhere: No such file*" "$status $out"
	run "$MOUNT" a/file m
	like "1 *a/file: Not a directory*" "$status $out"
	run "$MOUNT" a nowhere
	like "1 *nowhere: No such file*" "$status $out"
	run "$MOUNT" /
	is 1 "$status"
	run "$MOUNT" .. m
	like "1 *NAME=PATH*" "$status $out"
	run "$MOUNT" up=.. m
	like "1 *inside of the room*" "$status $out"
	run "$MOUNT" -o colour=blue a m
	like "1 *colour=blue*" "$status $out"
	run "$MOUNT" nfs://127.0.0.1:1/x m
	like "1 *Connection refused*" "$status $out"
	is "" "$(findmnt -no TARGET m)"
}

test_the_top_takes_nothing() {
	two
	mounted a b
	run mkdir m/c
	like "1 *Operation not permitted" "$status $out"
	run mv m/a m/b/
	is 1 "$status"
	run rmdir m/b
	is 1 "$status"
	run cp -r m/a m/c
	is 1 "$status"
	[ -d b ]
	unmounted
}

test_signals_end_it() {
	two
	for signal in TERM HUP; do
		mounted a b
		kill -"$signal" "$daemon"
		wait "$daemon"
		run mountpoint -q m
		is 32 "$status" "of a mount point"
	done
}

# Each file that the kernel knows takes a descriptor.
test_the_limit_of_open_files_is_raised() {
	two
	mkdir a/many
	(cd a/many && seq 300 | xargs touch)
	(
		ulimit -Sn 100
		mounted a
		is 300 "$(find m/a/many -type f -size 0 | wc -l)"
		unmounted
	)
}

# With more files than descriptors the kernel is asked to forget some.
test_more_files_than_may_be_open() {
	two
	mkdir a/many
	(cd a/many && seq 3000 | xargs touch)
	mounted -d a
	unmounted_loudly
	minor=$(sed -n 's/^INIT: 7\.\([0-9]*\)$/\1/p' daemon.log | head -n 1)
	[ "$minor" -ge 45 ] || skip "no prune notification before FUSE 7.45 (Linux 6.18), this is 7.$minor"
	printf '#!/bin/sh\nulimit -n 400\nexec setpriv --bounding-set=-sys_resource "%s" "$@"\n' "$MOUNT" >few
	chmod +x few
	MOUNT=$T/few
	mounted a
	is 3000 "$(find m/a/many -type f -size 0 | wc -l)"
	exec 5<m/a/many/7
	is 3000 "$(find m/a/many -type f -size 0 | wc -l)"
	is "" "$(cat <&5)"
	exec 5<&-
	unmounted
}

# As mount(8) finds and calls it for a line of fstab(5).
test_mount_calls_it() {
	two
	ln -s "$MOUNT" mount.fuse.ofs
	./mount.fuse.ofs "x=a b" m -o rw,noauto,_netdev,x-systemd.automount,noatime
	is "b x" "$(cd m && echo *)"
	findmnt -no OPTIONS m | grep noatime
	umount m
	# Where it looks for helpers, for this script alone.
	mkdir sbin
	mv mount.fuse.ofs sbin
	mount -t overlay -o "lowerdir=$PWD/sbin:/usr/sbin" overlay /usr/sbin || skip "no overlays here"
	defer "umount -l /usr/sbin"
	[ -e /sbin/mount.fuse.ofs ]
	printf '%s\\040%s %s fuse.ofs noauto,noatime 0 0\n' "x=$PWD/a" "$PWD/b" "$PWD/m" >fstab
	mount --fstab fstab m
	is "b x" "$(cd m && echo *)"
	is hello "$(cat m/x/file)"
	umount m
}

test_readonly() {
	two
	mounted -o ro a b
	is hello "$(cat m/a/file)"
	run touch m/a/new
	like "*Read-only file system" "$out"
	unmounted
}

# Paths of links are the kernel's to walk: no way leads out of a room through us.
test_links_are_followed_by_the_kernel_alone() {
	two
	ln -s /etc/hostname a/absolute
	ln -s ../../b a/up
	ln -s file a/near
	echo beside >b/x
	mounted a
	is /etc/hostname "$(readlink m/a/absolute)"
	is ../../b "$(readlink m/a/up)"
	is hello "$(cat m/a/near)"
	# From m/a, ../../b is the folder beside m.
	is beside "$(cat m/a/up/x)"
	unmounted
}

test_numbers_of_files_are_the_same_in_each_mount() {
	two
	mkdir a/d
	ln a/file a/d/hard
	mounted a
	stat -c %i m/a/file m/a/d m/a >before
	is "$(stat -c %i m/a/file)" "$(stat -c %i m/a/d/hard)"
	# readdir and stat agree.
	is "$(stat -c %i m/a/file)" "$(command ls -i --color=never m/a | awk '$2 == "file" { print $1 }')"
	unmounted
	mounted b a
	is "$(cat before)" "$(stat -c %i m/a/file m/a/d m/a)"
	unmounted
}

# as USER COMMAND...
as() {
	local user=$1
	shift
	setpriv --reuid="$user" --regid="$(id -g "$user" 2>/dev/null || echo "$user")" --groups=2345 -- "$@"
}

test_others_make_files_of_their_own() {
	two
	chmod 1777 a
	mkdir a/group a/closed
	chgrp 2345 a/group
	chmod 770 a/group
	chmod 700 a/closed
	mounted -o allow_other a
	(umask 027 && as 1234 sh -c 'echo x >m/a/new && mkdir m/a/dir && ln -s x m/a/link && mkfifo m/a/pipe')
	is "1234 1234 640" "$(stat -c '%u %g %a' a/new)"
	is "1234 1234 750" "$(stat -c '%u %g %a' a/dir)"
	is "1234 1234" "$(stat -c '%u %g' a/link)"
	is "1234 1234 640" "$(stat -c '%u %g %a' a/pipe)"
	# By a group that is not the first.
	as 1234 touch m/a/group/in
	is "1234 1234" "$(stat -c '%u %g' a/group/in)"
	run as 1234 touch m/a/closed/in
	like "*Permission denied" "$out"
	run as 1235 rm m/a/new
	like "*Operation not permitted" "$out"
	run as 1235 sh -c 'echo y >m/a/new'
	is 2 "$status"
	# And root's stay root's.
	touch m/a/roots
	is "0 0" "$(stat -c '%u %g' a/roots)"
	unmounted
}

test_acls_hold_and_are_inherited() {
	requires setfacl
	two
	mkdir a/d
	setfacl -m u:1234:rwx,d:u:1234:rw a/d 2>/dev/null || skip "no ACLs here"
	mounted -o allow_other a
	as 1234 touch m/a/d/mine
	run as 1235 touch m/a/d/not
	like "*Permission denied" "$out"
	(umask 077 && echo x >m/a/d/inherits)
	getfacl -cn a/d/inherits | grep '^user:1234:rw-'
	getfacl -cn m/a/d/inherits | diff - <(getfacl -cn a/d/inherits)
	as 1234 sh -c 'echo y >>m/a/d/inherits'
	setfacl -m u:1234:- m/a/d/inherits
	run as 1234 cat m/a/d/inherits
	like "*Permission denied" "$out"
	unmounted
}

test_set_id_bits_go_when_others_write() {
	two
	echo program >a/setid
	chown 1234:1234 a/setid
	chmod 6777 a/setid
	mounted -o allow_other a
	as 1235 sh -c 'echo x >>m/a/setid'
	is 777 "$(stat -c %a a/setid)" "after a write"
	chmod 6777 m/a/setid
	as 1235 truncate -s 2 m/a/setid
	is 777 "$(stat -c %a a/setid)" "after truncation"
	unmounted
}

# fusermount3 mounts for who may write the mount point.
test_without_root() {
	getent passwd nobody >/dev/null || skip "no user nobody"
	# The folders above $T are not everybody's.
	dir=$(mktemp -d /tmp/ofs.XXXXXX)
	defer "fusermount3 -qu $dir/m; rm -rf --one-file-system $dir"
	cd "$dir"
	two
	[ -u "$(command -v fusermount3)" ] || skip "fusermount3 is not set-id"
	chmod 755 .
	chown nobody: a b m
	defer "chmod $(stat -c %a /dev/fuse) /dev/fuse"
	chmod 666 /dev/fuse
	as nobody "$MOUNT" a b m
	as nobody sh -c 'echo mine >m/b/file && cat m/a/file && cp m/a/file m/b/copy'
	is nobody "$(stat -c %U b/file)"
	same a/file b/copy
	run cat m/a/file # not even root
	like "*Permission denied" "$out"
	as nobody fusermount3 -u m
}

run_tests "$@"
