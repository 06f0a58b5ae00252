#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What files are on a mount of ocp-mount is what they are below it; programs of others.
# shellcheck source=selftests/ofs/ofs.lib
. "$(dirname "$0")/ofs.lib"

# two: folders a and b, mounted
two() {
	mkdir -p a b
	mounted "$@" a b
}

test_random_operations_agree_with_a_file_beside() {
	two
	timeout 100 python3 "$SRC/selftests/vm/fsx.py" m/a/fsx mirror 300 "${FSX_SEED-1}"
	same a/fsx mirror
	unmounted
}

test_attributes_go_through() {
	two
	echo x >m/a/f
	chown 12:34 m/a/f
	chmod 4751 m/a/f
	touch -d 2001-02-03T04:05:06.123456789Z m/a/f
	is "4751 12 34 $(date -d 2001-02-03T04:05:06Z +%s).123456789" "$(stat -c '%a %u %g %.9Y' a/f)"
	is "$(stat -c '%f %u %g %s %b %h %.9X %.9Y %.9Z' a/f)" "$(stat -c '%f %u %g %s %b %h %.9X %.9Y %.9Z' m/a/f)"
	touch -a -d 2002-03-04T05:06:07.000000008Z m/a/f
	is "$(stat -c '%.9X %.9Y' a/f)" "$(stat -c '%.9X %.9Y' m/a/f)"
	ln -s nowhere m/a/l
	touch -h -d 2003-02-03T04:05:06Z m/a/l
	chown -h 5:6 m/a/l
	is "5 6 $(date -d 2003-02-03T04:05:06Z +%s)" "$(stat -c '%u %g %Y' a/l)"
	truncate -s 100000 m/a/f
	is 100000 "$(stat -c %s a/f)"
	mknod m/a/dev c 1 3
	is "character special file 1 3" "$(stat -c '%F %t %T' a/dev)"
	is "$(stat -fc '%b %s' a)" "$(stat -fc '%b %s' m/a)"
	unmounted
}

test_names_go_through() {
	two
	mkdir -p m/a/d/e
	echo one >m/a/one
	ln m/a/one m/a/d/two
	is 2 "$(stat -c %h a/one)"
	mv m/a/one m/a/d/e/three
	same a/d/two a/d/e/three
	echo other >m/b/other
	# Within one file system a move between rooms is one rename.
	mv m/b/other m/a/
	is other "$(cat a/other)"
	run mv -T m/a/d m/a/d/e/x
	is 1 "$status"
	run rmdir m/a/d
	like "*Directory not empty" "$out"
	run rmdir m/a/other
	like "*Not a directory" "$out"
	rm -r m/a/d
	is other "$(cd a && echo *)"
	run cat m/a/one
	like "*No such file*" "$out"
	python3 - <<-'END'
		import ctypes, os
		libc = ctypes.CDLL(None, use_errno=True)
		def renameat2(a, b, flags):
		    r = libc.renameat2(-100, a.encode(), -100, b.encode(), flags)
		    return -ctypes.get_errno() if r else 0
		for n in "xy":
		    open("m/a/" + n, "w").write(n)
		assert renameat2("m/a/x", "m/a/y", 1) == -17       # RENAME_NOREPLACE
		assert renameat2("m/a/x", "m/a/y", 2) == 0         # RENAME_EXCHANGE
		assert open("a/x").read() == "y" and open("a/y").read() == "x"
	END
	unmounted
}

# More than fits one answer, removed while it is read; places can be gone back to.
test_large_folders() {
	two
	mkdir a/d
	(cd a/d && seq -f 'a long name so that answers are many %g' 1200 | xargs -d '\n' touch)
	is 1200 "$(find m/a/d -type f | wc -l)"
	# shellcheck disable=SC2012 # it is ls that asks for attributes
	is 1203 "$(ls -la m/a/d | wc -l)"
	python3 - <<-'END'
		import ctypes
		libc = ctypes.CDLL(None)
		libc.opendir.restype = libc.readdir.restype = ctypes.c_void_p
		libc.telldir.restype = ctypes.c_long
		dir = ctypes.c_void_p(libc.opendir(b"m/a/d"))
		name = lambda: ctypes.string_at(libc.readdir(dir) + 19)
		seen = [(libc.telldir(dir), name()) for i in range(1000)]
		for place, wanted in seen[::-177]:
		    libc.seekdir(dir, ctypes.c_long(place))
		    assert name() == wanted
		libc.rewinddir(dir)
		assert name() == b"."
	END
	rm -r m/a/d
	[ ! -e a/d ]
	unmounted
}

test_extended_attributes_go_through() {
	requires setfattr
	two
	touch m/a/f
	setfattr -n user.x -v one m/a/f || skip "no extended attributes here"
	setfattr -n user.large -v "$(head -c 3000 /dev/zero | tr '\0' x)" m/a/f
	is "$(getfattr -d --absolute-names "$PWD/a/f" | tail -n +2)" "$(getfattr -d --absolute-names "$PWD/m/a/f" | tail -n +2)"
	setfattr -x user.x m/a/f
	run getfattr -n user.x m/a/f
	like "*No such attribute" "$out"
	run setfattr -h -n user.x -v y m/a
	is 0 "$status"
	unmounted
}

test_space_and_holes_go_through() {
	requires ext4
	mkdir b
	a=$(make_fs ext4 64M)
	mounted a="$a" b
	fallocate -l 1M m/a/f
	is "1048576 2048" "$(stat -c '%s %b' "$a/f")"
	fallocate -n -o 1M -l 1M m/a/f
	is 1048576 "$(stat -c %s "$a/f")"
	fallocate -p -o 4096 -l 8192 m/a/f
	truncate -s 4M m/a/s
	printf data | dd of=m/a/s bs=1 seek=2M conv=notrunc status=none
	python3 - "$a/s" <<-'END'
		import os, sys
		fd, beside = os.open("m/a/s", os.O_RDONLY), os.open(sys.argv[1], os.O_RDONLY)
		assert os.lseek(fd, 0, os.SEEK_DATA) == 2 << 20
		hole = os.lseek(fd, 2 << 20, os.SEEK_HOLE)
		assert 2 << 20 < hole == os.lseek(beside, 2 << 20, os.SEEK_HOLE) < 3 << 20
		try:
		    os.lseek(fd, 3 << 20, os.SEEK_DATA)
		    raise SystemExit("data in a hole")
		except OSError as e:
		    assert e.errno == 6
	END
	chattr +A m/a/s
	lsattr m/a/s | grep A
	unmounted
}

# From beside the mount, and back.
test_changes_beside_the_mount_are_seen() {
	two -o attr_timeout=0,entry_timeout=0
	head -c 100000 /dev/zero >m/a/f
	is 100000 "$(wc -c <m/a/f)"
	printf changed >a/f
	is changed "$(cat m/a/f)"
	echo again >a/f
	is again "$(cat m/a/f)"
	rm a/f
	[ ! -e m/a/f ]
	mkdir a/f
	[ -d m/a/f ]
	is "" "$(ls m/b)"
	touch b/new
	is new "$(ls m/b)"
	unmounted
}

# With the timeouts as they are: whoever opens a file reads what is there then.
test_an_open_sees_what_was_closed_before() {
	two
	head -c 100000 /dev/zero | tr '\0' x >a/f
	for i in $(seq 5); do
		printf "%s" "$i and more" | dd of=a/f conv=notrunc status=none
		is "$i and more" "$(head -c 10 m/a/f)"
		printf "%s" "$i and less" | dd of=a/f conv=notrunc status=none
		is "$i and less" "$(head -c 10 m/a/f)"
	done
	unmounted
}

test_appends_from_both_sides_are_kept() {
	two
	for _ in 1 2 3; do
		echo here >>m/a/f
		echo there >>a/f
	done
	is "here there here there here there" "$(xargs <a/f)"
	unmounted
}

test_a_removed_file_stays_for_who_has_it_open() {
	two
	echo hello >m/a/f
	exec 5<>m/a/f
	rm m/a/f
	[ ! -e a/f ]
	is hello "$(cat <&5)"
	echo more >&5
	exec 5>&-
	unmounted
}

test_memory_maps() {
	two
	python3 - <<-'END'
		import mmap
		with open("m/a/f", "wb+") as f:
		    f.truncate(100000)
		    with mmap.mmap(f.fileno(), 0) as m:
		        m[5000:5005] = b"hello"
		        m.flush()
		        assert open("a/f", "rb").read()[5000:5005] == b"hello"
	END
	cp /bin/true a/program
	m/a/program
	unmounted
}

# try_lock FILE: prints what a program that wants it gets, by both kinds of locks
try_lock() {
	python3 - "$1" <<-'END'
		import fcntl, sys
		f = open(sys.argv[1], "r+")
		said = []
		for lock in (fcntl.lockf, fcntl.flock):
		    try:
		        lock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
		        said.append("free")
		    except BlockingIOError:
		        said.append("taken")
		print(*said)
	END
}

# hold FILE: as "try_lock", and keeps both until $holder is told to go
hold() {
	mkfifo go
	python3 - "$1" <<-'END' &
		import fcntl, sys
		f = open(sys.argv[1], "r+")
		fcntl.lockf(f, fcntl.LOCK_EX, 10)
		fcntl.flock(f, fcntl.LOCK_EX)
		open("holds", "w")
		open("go").read()
	END
	holder=$!
	defer "kill $holder 2>/dev/null || :"
	eventually test -e holds
}

test_locks_hold_on_both_sides() {
	two
	touch a/f
	hold m/a/f
	is "taken taken" "$(try_lock m/a/f)"
	is "taken taken" "$(try_lock a/f)"
	echo >go
	wait "$holder"
	rm go holds
	hold a/f
	is "taken taken" "$(try_lock m/a/f)"
	echo >go
	wait "$holder"
	is "free free" "$(try_lock m/a/f)"
	unmounted
}

test_a_lock_is_waited_for() {
	two
	touch a/f
	hold m/a/f
	python3 -c '
import fcntl
f = open("m/a/f", "r+")
fcntl.lockf(f, fcntl.LOCK_EX)
open("got range", "w")
fcntl.flock(f, fcntl.LOCK_EX)
open("got", "w")' &
	waiter=$!
	cat m/a/f # others are served
	[ ! -e "got range" ]
	echo >go
	wait "$holder" "$waiter"
	[ -e got ]
	# One who waits can be interrupted.
	rm go holds
	hold m/a/f
	python3 -c '
import fcntl
fcntl.flock(open("m/a/f", "r+"), fcntl.LOCK_EX)' &
	waiter=$!
	sleep 0.2
	kill -KILL "$waiter"
	wait "$waiter" || is 137 $?
	kill "$holder"
	wait "$holder" || :
	unmounted
}

# Files that the kernel reads and writes by itself --------------------------------------

test_the_kernel_reads_and_writes_by_itself() {
	mkdir a
	head -c 20M /dev/urandom >in
	cp in a/in
	passes_through a
	before=$(moved_by_daemon)
	same in m/a/in
	dd if=in of=m/a/out bs=1M status=none
	[ $(($(moved_by_daemon) - before)) -lt 1000000 ] || fail "it came to the daemon"
	same in a/out
	unmounted
	mounted -o passthrough=no a
	before=$(moved_by_daemon)
	same in m/a/in
	[ $(($(moved_by_daemon) - before)) -gt 20000000 ] || fail "what -o says is not done"
	unmounted
}

# All opens of a file are to be alike to the kernel: those with O_DIRECT too, and the last
# close ends it.  What is done by requests and what is not see each other's bytes.
test_ways_into_one_file_agree() {
	requires ext4
	a=$(make_fs ext4 64M)
	passes_through a="$a"
	python3 - "$a/f" <<-'END'
		import mmap, os, sys
		f = "m/a/f"
		w = os.open(f, os.O_RDWR | os.O_CREAT)
		r = os.open(f, os.O_RDONLY)
		d = os.open(f, os.O_RDWR | os.O_DIRECT)
		p = os.open(f, os.O_WRONLY | os.O_APPEND)
		page = mmap.mmap(-1, 4096)
		page[:] = b"d" * 4096
		assert os.write(w, b"w" * 10000) == 10000
		assert os.fstat(r).st_size == 10000
		assert os.pread(d, 5000, 7000) == b"w" * 3000
		assert os.pwrite(d, page, 4096) == 4096
		assert os.pread(r, 2, 4095) == b"wd"
		assert os.write(p, b"appended") == 8
		assert os.pread(w, 100, 10000) == b"appended"
		with mmap.mmap(w, 8192) as m:
		    assert m[4095:4097] == b"wd"
		    m[0:4] = b"mmap"
		    assert os.pread(d, 5, 0) == b"mmapw"
		assert os.copy_file_range(r, w, 4, 0, 20000) == 4
		assert os.fstat(d).st_size == 20004
		assert os.pread(r, 10, 20000) == b"mmap"
		os.ftruncate(w, 5)
		assert os.pread(r, 10, 0) == b"mmapw"
		os.posix_fallocate(w, 0, 9000)
		assert os.lseek(r, 0, os.SEEK_END) == 9000
		assert os.read(os.open(sys.argv[1], os.O_RDONLY), 6) == b"mmapw\0"
		for fd in (w, r, d, p):
		    os.close(fd)
		d = os.open(f, os.O_RDWR | os.O_DIRECT)
		w = os.open(f, os.O_RDWR)
		os.pwrite(w, b"again", 0)
		assert os.pread(d, 5, 0) == b"again"
	END
	unmounted
}

# A room that is itself such a mount: the kernel does not let one stand on another.
test_a_room_of_another_mount() {
	mkdir -p a lower
	head -c 300000 /dev/urandom >in
	"$MOUNT" a lower
	defer "umount '$T/lower' 2>/dev/null || umount -l '$T/lower' 2>/dev/null || :"
	passes_through lower/a
	cp in m/a/f
	same in a/f
	before=$(moved_by_daemon)
	same in m/a/f
	[ $(($(moved_by_daemon) - before)) -gt 300000 ] || fail "one stands on another"
	unmounted
	umount lower
}

test_a_lock_goes_with_its_open_file() {
	two
	touch a/f
	exec 5<>m/a/f 6<>m/a/f
	flock 5
	run flock -n a/f true
	is 1 "$status"
	exec 5>&-
	eventually flock -n a/f true
	exec 6>&-
	unmounted
}

# Programs ---------------------------------------------------------------------------

# make_tree DIR: some of each kind
make_tree() {
	mkdir -p "$1/deep/er" "$1/empty"
	for i in 1 2 3 4 5 6 7 8 9; do
		head -c $((i * 9970)) /dev/urandom >"$1/deep/f$i"
	done
	truncate -s 2M "$1/sparse"
	printf hello | dd of="$1/sparse" bs=1 seek=1000000 conv=notrunc status=none
	ln "$1/deep/f2" "$1/deep/er/hard"
	mkfifo "$1/pipe"
	ln -s deep/f1 "$1/link"
	chmod 4755 "$1/deep/f3"
	chown 1234:2345 "$1/deep/f5" "$1/deep/er"
	find "$1" -depth -exec touch -h -d 2001-02-03T04:05:06.123456789Z {} + # rsync looks at seconds
}

# list_tree DIR
list_tree() {
	(cd "$1" && find . -printf '%p %y %m %U %G %n %T@ %l\n' | grep -v '^[.] ' | sort &&
		find . -type f -print0 | sort -z | xargs -0 md5sum)
}

test_cp_tar_and_rsync_of_a_tree() {
	two
	make_tree a/tree
	list_tree a/tree >wanted
	cp -a m/a/tree m/b/copied
	list_tree b/copied | diff wanted -
	[ "$(stat -c %b b/copied/sparse)" -lt 100 ]
	tar --format=posix -C m/a -cf m/b/t.tar tree
	mkdir m/b/x
	tar -C m/b/x -xpf m/b/t.tar
	list_tree b/x/tree | diff wanted -
	requires rsync
	rsync -aHS m/a/tree/ m/b/synced
	list_tree b/synced | diff wanted -
	rm -r m/b/*
	is "" "$(ls b)"
	unmounted
}

test_dd() {
	two
	head -c 3000001 /dev/urandom >in
	dd if=in of=m/a/f bs=64k status=none
	dd if=m/a/f of=m/b/f bs=1M conv=fsync status=none
	dd if=m/b/f of=out bs=1000003 iflag=fullblock status=none
	same in out
	dd if=m/b/f of=m/a/direct bs=64k iflag=direct oflag=direct conv=notrunc status=none
	same in a/direct
	unmounted
}

test_git() {
	requires git
	two
	export HOME=$PWD GIT_CONFIG_NOSYSTEM=1
	git config --global user.email a@b.c
	git config --global user.name a
	git config --global --add safe.directory '*'
	git init -q m/a/repo
	(cd m/a/repo && cp -r "$SRC/userspace/ofs" . && git add . && git commit -qm first)
	git clone -q m/a/repo m/b/clone
	diff -r "$SRC/userspace/ofs" b/clone/ofs
	(cd m/b/clone && git fsck && git gc -q && is "" "$(git status --porcelain)")
	unmounted
}

test_sqlite() {
	two
	python3 - <<-'END'
		import sqlite3
		for mode in ("delete", "wal"):
		    db = sqlite3.connect("m/a/db")
		    db.execute("pragma journal_mode=" + mode)
		    db.execute("create table if not exists t (n integer)")
		    with db:
		        db.executemany("insert into t values (?)", [(i,) for i in range(3000)])
		    other = sqlite3.connect("a/db" if mode == "delete" else "m/a/db", timeout=0)
		    db.execute("begin immediate")
		    try:
		        other.execute("begin immediate")
		        raise SystemExit("two writers")
		    except sqlite3.OperationalError:
		        pass
		    db.rollback()
		    assert db.execute("pragma integrity_check").fetchone() == ("ok",)
		    other.close()
		    db.close()
		assert sqlite3.connect("a/db").execute("select count(*) from t").fetchone() == (6000,)
	END
	unmounted
}

test_qemu_img() {
	requires qemu-img
	two
	truncate -s 8M m/a/raw
	head -c 500000 /dev/urandom | dd of=m/a/raw bs=1M seek=3 conv=notrunc status=none
	qemu-img convert -f raw -O qcow2 m/a/raw m/b/qcow2
	qemu-img convert -f qcow2 -O raw m/b/qcow2 m/b/raw
	same a/raw b/raw
	qemu-img check -q m/b/qcow2
	unmounted
}

test_python_shutil() {
	two
	make_tree a/tree
	rm a/tree/pipe
	python3 - <<-'END'
		import os, shutil
		shutil.copytree("m/a/tree", "m/b/tree", symlinks=True)
		shutil.move("m/b/tree", "m/b/moved")
		shutil.make_archive("m/b/archive", "zip", "m/b/moved")
		with open("m/a/tree/deep/f9", "rb") as i, open("m/b/sent", "wb") as o:
		    os.copy_file_range(i.fileno(), o.fileno(), 1 << 30)
		    assert i.tell() == o.tell() == 89730 or o.seek(0, 1) == 0
	END
	diff -r --no-dereference a/tree b/moved
	same a/tree/deep/f9 b/sent
	unmounted
}

run_tests "$@"
