#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Programs that others wrote, under ocp-run and with libocp-preload.so: cross-device copies work.
. "$(dirname "$0")/../lib.sh"
requires root loop "$O/ocp-run"
RUN=$O/ocp-run
PRELOAD=$O/libocp-preload.so

# needs_preload: the library, where it can be loaded
needs_preload() {
	requires "$PRELOAD"
	! nm -D --undefined-only "$PRELOAD" | grep -qE ' __(a|t|ub)san_' ||
		skip "a sanitizer's runtime must be loaded before any other library"
}

# two_fs: an ext4 in $a with a file of 5 MB and one with a hole behind these, an XFS in $b
two_fs() {
	requires ext4 xfs
	a=$(make_fs ext4 256M)
	b=$(make_fs xfs 300M)
	head -c 5000000 /dev/urandom >"$a/in"
	cp "$a/in" "$a/dense"
	truncate -s 40M "$a/in"
	echo end >>"$a/in"
}

# served FILE: the trace tells of bytes, and the kernel was asked in vain
served() {
	grep -q 'copy_file_range .* = [1-9][0-9]*: .*not by offload: the files are on different' "$1"
}

# small FILE: less than 10 MB of it are data, and not holes or space that is only reserved.
# (XFS reserves beyond the end of a file that grows; what of this lies before a later end
# is data for lseek(2) for as long as there are pages of zeros of it.)
small() {
	command python3 - "$1" <<-'END'
		import os, sys
		fd = os.open(sys.argv[1], os.O_RDONLY)
		os.fsync(fd)
		os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
		at, data, end = 0, 0, os.fstat(fd).st_size
		while at < end:
		    at = os.lseek(fd, at, os.SEEK_DATA)
		    hole = os.lseek(fd, at, os.SEEK_HOLE)
		    data, at = data + hole - at, hole
		sys.exit(not data < 10000000)
	END
}

# Of what has holes cp copies each run of data by itself.
test_cp_under_the_launcher() {
	two_fs
	"$RUN" --trace=trace cp --reflink=auto "$a/in" "$a/dense" "$b"
	same "$a/in" "$b/in"
	same "$a/dense" "$b/dense"
	served trace
}

test_cp_with_the_library() {
	needs_preload
	two_fs
	OCP_TRACE=trace LD_PRELOAD=$PRELOAD cp --reflink=auto "$a/in" "$a/dense" "$b"
	same "$a/in" "$b/in"
	same "$a/dense" "$b/dense"
	served trace
}

# A clone is a promise, unless somebody says that it is none.
test_cp_reflink_always() {
	two_fs
	run "$RUN" cp --reflink=always "$a/in" "$b/out"
	like "1 *failed to clone*" "$status $out"
	"$RUN" --clone-copies --trace=trace cp --reflink=always "$a/in" "$b/out"
	same "$a/in" "$b/out"
	small "$b/out"
	grep -q '^[0-9]* FICLONE .* = 0: stream' trace
	# Where the file system has no reflinks, too.
	"$RUN" --clone-copies cp --reflink=always "$a/in" "$a/out"
	same "$a/in" "$a/out"
	# And a clone that the kernel can make is one.
	"$RUN" --clone-copies --trace=trace2 cp --reflink=always "$b/out" "$b/clone"
	same "$b/out" "$b/clone"
	grep -q 'FICLONE .*left to the kernel: it can do this' trace2
}

test_cp_reflink_always_with_the_library() {
	needs_preload
	two_fs
	run env LD_PRELOAD="$PRELOAD" cp --reflink=always "$a/in" "$b/out"
	like "1 *failed to clone*" "$status $out"
	OCP_CLONE=copy LD_PRELOAD=$PRELOAD cp --reflink=always "$a/in" "$b/out"
	same "$a/in" "$b/out"
}

test_xfs_io_copies_across() {
	requires xfs_io
	two_fs
	: >"$b/out"
	run xfs_io -c "copy_range $a/in" "$b/out"
	like "*Invalid cross-device link" "$out" "without"
	"$RUN" --trace=trace xfs_io -c "copy_range -s 1000 -d 4096 -l 3000000 $a/in" "$b/out"
	cmp <(tail -c +1001 "$a/in" | head -c 3000000) <(tail -c +4097 "$b/out")
	served trace
}

python_copies() {
	cat >copy.py <<-'END'
		import os, shutil, sys
		a, b = sys.argv[1:]
		with open(a + "/in", "rb") as i, open(b + "/out", "wb") as o:
		    left = os.fstat(i.fileno()).st_size
		    while left:
		        n = os.copy_file_range(i.fileno(), o.fileno(), left)
		        assert 0 < n <= left
		        left -= n
		    assert i.tell() == os.lseek(o.fileno(), 0, os.SEEK_CUR)
		shutil.copyfile(a + "/in", b + "/sent")
		shutil.copyfile(b + "/out", b + "/inside")
	END
	python3 copy.py "$a" "$b"
	same "$a/in" "$b/out"
	same "$a/in" "$b/sent"
	same "$a/in" "$b/inside"
}

test_python_under_the_launcher() {
	requires python3
	two_fs
	python3() { "$RUN" --trace=trace python3 "$@"; }
	python_copies
	small "$b/out"
	served trace
}

test_python_with_the_library() {
	requires python3
	needs_preload
	two_fs
	python3() { OCP_TRACE=trace LD_PRELOAD=$PRELOAD command python3 "$@"; }
	python_copies
	small "$b/out"
	served trace
	# shutil's sendfile(2) within the XFS became a clone.
	grep -q 'sendfile .*: clone' trace
}

# There are programs that take less for an error, between files.
test_sendfile_goes_to_the_end_with_the_library() {
	requires python3
	needs_preload
	two_fs
	truncate -s 300M "$b/long"
	echo end >>"$b/long"
	cat >send.py <<-'END'
		import os, sys
		i = os.open(sys.argv[1] + "/long", os.O_RDONLY)
		o = os.open(sys.argv[1] + "/sent", os.O_RDWR | os.O_CREAT)
		size = os.fstat(i).st_size
		sent = os.sendfile(o, i, 10, size)
		assert sent == size - 10, sent
		assert os.lseek(o, 0, os.SEEK_CUR) == sent
		os.lseek(o, 0, os.SEEK_SET)
		assert os.sendfile(o, i, 0, size) == size
	END
	OCP_TRACE=trace LD_PRELOAD=$PRELOAD python3 send.py "$b"
	same "$b/long" "$b/sent"
	grep -q 'sendfile .*: clone' trace
}

# More at once than are copied at once, and each is told the truth.
test_many_threads_of_python() {
	requires python3
	two_fs
	cat >threads.py <<-'END'
		import os, sys, threading
		a, b = sys.argv[1:]
		def copy(n):
		    i = os.open(a + "/dense", os.O_RDONLY)
		    o = os.open("%s/out-%d" % (b, n), os.O_WRONLY | os.O_CREAT | os.O_SYNC)
		    while os.copy_file_range(i, o, 2000000):
		        pass
		threads = [threading.Thread(target=copy, args=(n,)) for n in range(12)]
		for t in threads:
		    t.start()
		for t in threads:
		    t.join()
	END
	"$RUN" --json=sums python3 threads.py "$a" "$b"
	for n in $(seq 0 11); do
		same "$a/dense" "$b/out-$n"
	done
	jq -e '.bytes == 60000000 and .calls_failed == 0' sums
}

# No C library of the machine's is asked, no library can be loaded.
test_a_static_program() {
	two_fs
	cat >copy.c <<-'END'
		#define _GNU_SOURCE
		#include <unistd.h>
		int main(void)
		{
			ssize_t n;

			do
				n = copy_file_range(0, NULL, 1, NULL, 1 << 30, 0);
			while (n > 0);
			return n < 0;
		}
	END
	${CC:-cc} -static -o copy copy.c || skip "no static C library"
	run sh -c './copy <"$0" >"$1"' "$a/in" "$b/out"
	is 1 "$status" without
	"$RUN" ./copy <"$a/in" >"$b/out"
	same "$a/in" "$b/out"
	small "$b/out"
}

# Its system calls have other numbers, its pointers another size.
test_a_32_bit_program() {
	two_fs
	cat >copy.c <<-'END'
		#define _GNU_SOURCE
		#define _FILE_OFFSET_BITS 64
		#include <unistd.h>
		int main(void)
		{
			off_t from = 1000, to = 4096;

			if (copy_file_range(0, &from, 1, &to, 3000000, 0) != 3000000)
				return 2;
			return from != 3001000 || to != 3004096 || lseek(0, 0, SEEK_CUR);
		}
	END
	for how in -m32 "-m32 -static"; do
		# shellcheck disable=SC2086 # several words
		${CC:-cc} $how -o copy copy.c || skip "no 32-bit C library (gcc-multilib)"
		run sh -c './copy <"$0" >"$1"' "$a/dense" "$b/out"
		is 2 "$status" without
		"$RUN" ./copy <"$a/dense" >"$b/out"
		cmp <(tail -c +1001 "$a/dense" | head -c 3000000) <(tail -c +4097 "$b/out")
	done
	# A library of 64 bits is not for it: it does as without.
	needs_preload
	LD_PRELOAD=$PRELOAD run sh -c './copy <"$0" >"$1"' "$a/dense" "$b/out"
	is 2 "$status" "with the library"
}

# os.File.ReadFrom() of Go tries copy_file_range(2) by a system call of its own.
test_a_go_program() {
	requires go
	two_fs
	cat >copy.go <<-'END'
		package main

		import (
			"io"
			"os"
		)

		func main() {
			in, err := os.Open(os.Args[1])
			if err == nil {
				var out *os.File
				out, err = os.Create(os.Args[2])
				if err == nil {
					_, err = io.Copy(out, in)
				}
			}
			if err != nil {
				panic(err)
			}
		}
	END
	HOME=$PWD GOFLAGS=-mod=mod GO111MODULE=off go build -o copy copy.go
	"$RUN" --trace=trace ./copy "$a/in" "$b/out"
	same "$a/in" "$b/out"
	served trace
}

# two_btrfs: a compressed one with a file of 20 MB, one that does not compress
two_btrfs() {
	requires btrfs
	a=$(make_fs btrfs 256M compress-force=zstd)
	b=$(make_fs btrfs 256M)
	yes "a line that compresses well" | head -c 20000000 >"$a/in"
	sync -f "$a"
}

# The source is read as root alone may, and moves as it is stored.
test_compressed_extents_of_one_btrfs_go_to_another() {
	two_btrfs
	"$RUN" --json=sums cp "$a/in" "$b/out"
	same "$a/in" "$b/out"
	jq -e '.strategies.encoded | .bytes == 20000000 and .moved < 2000000' sums
	"$RUN" --offload=never --json=sums cp "$a/in" "$b/out2"
	jq -e '.strategies | has("stream") and (has("encoded") | not)' sums
}

test_compressed_extents_with_the_library() {
	needs_preload
	two_btrfs
	OCP_TRACE=trace LD_PRELOAD=$PRELOAD cp "$a/in" "$b/out"
	same "$a/in" "$b/out"
	grep -q ': encoded 20000000 bytes' trace
}

test_a_program_within_one_file_system_is_left_to_the_kernel() {
	local dir
	requires xfs
	dir=$(make_fs xfs 300M)
	head -c 100000 /dev/urandom >"$dir/in"
	"$RUN" --json=sums --trace=trace xfs_io -f -c "copy_range $dir/in" "$dir/out"
	same "$dir/in" "$dir/out"
	jq -e '.calls_served == 0 and .calls_left_to_kernel >= 1 and .bytes == 0' sums
	grep -q 'left to the kernel: it can do this' trace
}

# The descriptors that were taken are given back before the program goes on.
test_a_mount_is_free_as_soon_as_the_program_is() {
	two_fs
	for _ in $(seq 20); do
		"$RUN" cp "$a/dense" "$b/out"
		umount "$b" || fail "still in use"
		b=$(make_fs tmpfs 16M)
	done
}

run_tests "$@"
