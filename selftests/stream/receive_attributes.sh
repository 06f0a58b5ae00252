#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp-receive: what hangs on names and inodes, beside btrfs receive of the same stream.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/streams.lib"
requires btrfs getfattr setfattr

# begin: $top/s, a subvolume to fill
begin() {
	top=$(make_fs btrfs 200M)
	btrfs -q subvolume create "$top/s"
	cd "$top/s" || return
}

# inodes DIR: a line for each name in it, with all its attributes
inodes() {
	(
		cd "$1"
		find . -printf '%P %y %m %U %G %T@ %n %l\0' | LC_ALL=C sort -z | tr '\0' '\n'
		find . -print0 | LC_ALL=C sort -z | xargs -0 getfattr -hd -e hex -m -
	)
}

# judged: the snapshot one of $top/s, received three times; equal in all of it
judged() {
	local dir
	cd "$T"
	btrfs -q subvolume snapshot -r "$top/s" "$top/one"
	btrfs send -q --proto 2 "$top/one" >stream
	dir=$(make_fs btrfs 200M)
	mkdir "$dir/theirs" "$dir/ours"
	btrfs -q receive -f stream "$dir/theirs"
	"$RECEIVE" -f stream "$dir/ours"
	inodes "$dir/theirs/one" >theirs
	inodes "$dir/ours/one" >ours
	same theirs ours
	same <(inodes "$top/one") ours
	received=$dir
}

# plain_links: inodes without the link counts of directories, which are counted in two ways
plain_links() {
	LC_ALL=C sed 's/^\(.* d [0-7]* .* \)[0-9]* $/\1/'
}

# elsewhere: and as a directory of XFS
elsewhere() {
	local dir
	requires xfs
	dir=$(make_fs xfs 300M)
	"$RECEIVE" -f stream "$dir"
	inodes "$dir/one" >there
	# XFS shows its own form of ACLs, too.
	same <(plain_links <ours) <(grep -av '^trusted\.SGI_ACL' there | plain_links)
}

# again: the incremental stream to what $top/s is now, by both
again() {
	cd "$T"
	btrfs -q subvolume snapshot -r "$top/s" "$top/two"
	btrfs send -q --proto 2 -p "$top/one" "$top/two" >stream
	btrfs -q receive -f stream "$received/theirs"
	"$RECEIVE" -f stream "$received/ours"
	same <(inodes "$received/theirs/two") <(inodes "$received/ours/two")
	same <(inodes "$top/two") <(inodes "$received/ours/two")
}

test_acls_for_access_and_default() {
	requires setfacl getfacl
	begin
	mkdir d
	echo x >f
	setfacl -m u:33:rwx,g:44:r,m::rx f
	setfacl -d -m u:34:rx,o::- d
	mkdir d/inherits
	echo y >d/inherits/too
	chown 5:6 f d/inherits/too
	judged
	grep -q 'system.posix_acl_access\|posix_acl_default' ours
	is "$(cd "$top/one" && getfacl -R . 2>/dev/null)" \
		"$(cd "$received/ours/one" && getfacl -R . 2>/dev/null)"
	elsewhere
	cd "$top/s"
	setfacl -b f
	setfacl -k d
	again
}

# chown takes capabilities away, so they must come last; the next stream gives another owner.
test_capabilities_outlive_owners() {
	requires setcap getcap
	begin
	echo x >program
	chown 7:8 program
	setcap cap_net_raw,cap_sys_admin+ep program
	echo y >other
	setcap cap_chown+ei other
	ln other "other name"
	judged
	is "$(cd "$top/one" && getcap -- *)" "$(cd "$received/ours/one" && getcap -- *)"
	like '*program cap_*=ep*' "$(cd "$received/ours/one" && getcap -- *)"
	elsewhere
	cd "$top/s"
	chown 9:9 program
	setcap cap_net_raw+ep program
	echo more >>other
	setcap cap_chown+ei other
	again
	like '*program cap_net_raw=ep*' "$(cd "$received/ours/two" && getcap -- *)"
}

test_extended_attributes_of_each_kind() {
	begin
	mkdir d
	echo x >d/f
	ln -s nowhere l
	mkfifo fifo
	setfattr -n user.empty -v "" d/f
	setfattr -n user.bytes -v 0x00ff0a3d22 d/f
	setfattr -n user.long -v "0x$(head -c 3000 /dev/urandom | od -An -v -tx1 | tr -d ' \n')" d/f
	setfattr -n "user.$(printf 'n%.0s' $(seq 250))" -v long-name d/f
	setfattr -n trusted.t -v 1 d/f
	setfattr -n user.on-directory -v yes d
	setfattr -n trusted.on-directory -v yes d
	setfattr -n user.on-root -v yes .
	setfattr -h -n trusted.on-link -v yes l
	setfattr -n trusted.on-fifo -v yes fifo
	setfattr -n security.mine -v yes d/f
	judged
	is 11 "$(grep -c '^user\.\|^trusted\.\|^security\.mine' ours)"
	elsewhere
	cd "$top/s"
	setfattr -x user.empty d/f
	setfattr -n trusted.t -v 2 d/f
	setfattr -x user.on-root .
	again
}

test_modes_with_set_uid_set_gid_and_sticky_bits() {
	local mode
	begin
	for mode in 4755 2755 6711 4000 1644 7777; do
		echo x >"f$mode"
		mkdir "d$mode"
		chown 11:12 "f$mode" "d$mode"
		chmod "$mode" "f$mode" "d$mode"
	done
	echo x >d6711/in
	judged
	is "6711 11 12" "$(stat -c '%a %u %g' "$received/ours/one/f6711")"
	elsewhere
	cd "$top/s"
	echo more >>f4755
	chmod 4755 f4755
	# With a mode of its own: that of a chown alone is lost by btrfs send.
	chown 13:14 f2755
	chmod 2750 f2755
	again
}

# As long as a path of a stream can be.  Not by btrfs send, which takes half a minute for it.
test_a_tree_of_2000_directories_in_each_other() {
	local deep dir n
	deep=$(printf 'd/%.0s' $(seq 2000))
	for n in $(seq 2 2 4000); do
		echo "mkdir path=${deep:0:n-1} ino=$((256 + n))"
	done >commands
	cat >>commands <<-END
		mkfile path=${deep}f ino=9999
		write path=${deep}f file_offset=0 data=bottom
		chown path=${deep}f uid=5 gid=6
		utimes path=${deep}f atime=100.5 mtime=200.7 ctime=1.0
		chmod path=${deep%/} mode=448
		utimes path=${deep%/} atime=300.5 mtime=400.7 ctime=1.0
	END
	"$MK" script 2 <commands >stream
	dir=$(make_fs btrfs 200M)
	# btrfs receive puts the target's name before each path: a short one, or it is too long.
	mount --bind "$dir" /mnt
	defer "umount /mnt"
	btrfs -q receive -f stream /mnt
	"$RECEIVE" -f stream .
	same <(cd "$dir/vol" && find . -mindepth 1999 -printf '%p %y %m %U %G %T@\n' | tail -n 2 | cut -c 3990-) \
		<(cd vol && find . -mindepth 1999 -printf '%p %y %m %U %G %T@\n' | tail -n 2 | cut -c 3990-)
	is 2002 "$(find vol -printf x | wc -c)"
	is bottom "$(cd vol && cat "${deep}f")"
	mkdir in
	"$RECEIVE" --path "${deep}f" -f stream in
	is bottom "$(cd in/vol && cat "${deep}f")"
}

test_names_of_255_bytes_with_any_bytes() {
	begin
	python3 - <<-'END'
		import os
		some = bytes(b for b in range(1, 256) if b != 0x2f) + b"x"
		for kind in range(6):
		    name = some[kind * 40:] + some[:kind * 40]
		    assert len(name) == 255
		    os.mkdir(name) if kind % 2 else open(name, "wb").write(name)
		    if kind % 2:
		        os.symlink(name, name + b"/" + name)
		open(b"\xff" * 255, "w").close()
	END
	judged
	is 10 "$(find "$received/ours/one" -mindepth 1 -printf x | wc -c)"
	elsewhere
	cd "$top/s"
	python3 -c 'import os
for n in os.listdir(b"."): os.rename(n, n[1:] + n[:1]) if n[0] != 0x2e and n[1] != 0x2e else None'
	again
}

run_tests "$@"
