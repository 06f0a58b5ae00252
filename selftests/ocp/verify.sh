#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# --verify reads copies back from their storage; --manifest lists them for xxhsum.
. "$(dirname "$0")/../lib.sh"
"$OCP" --verify /dev/null "$TEST_DIR/probe" 2>/dev/null || skip "this build cannot --verify"
faults=$("$OCP" -T "fault::$0" "$TEST_DIR/probe" 2>/dev/null && echo yes) || :

with_faults() {
	[ -n "$faults" ] || skip "this build has no fault room"
}

# some_tree DIR
some_tree() {
	mkdir -p "$1/sub dir/deep"
	seq 200000 >"$1/big"
	: >"$1/empty"
	echo x >"$1/sub dir/back\\slash"
	truncate -s 3M "$1/sub dir/sparse"
	echo end >>"$1/sub dir/sparse"
	seq 10 >"$1/sub dir/deep/f"
	ln "$1/big" "$1/sub dir/link"
}

test_a_tree_is_verified_and_listed_as_xxhsum_reads_it() {
	requires xxhsum
	some_tree src
	"$OCP" -a --verify --manifest=list src dst
	diff -r src dst
	is 6 "$(wc -l <list)"
	xxhsum --quiet --strict -c list
	(cd src && find . -type f ! -path ./big -exec xxhsum -H2 {} + | sed 's,  \./,  dst/,' | sort) >want
	grep -v ' dst/big$' list | sort | diff want -
}

# verified TYPE SIZE OPTION...: within one file system of this type
verified() {
	requires "$1"
	local dir
	dir=$(make_fs "$1" "$2")
	shift 2
	some_tree "$dir/src"
	head -c 5000001 /dev/urandom >"$dir/src/random"
	"$OCP" -a --verify "$@" "$dir/src" "$dir/dst"
	diff -r "$dir/src" "$dir/dst"
}

test_ext4_copies_are_verified() { verified ext4 64M; }
test_xfs_clones_are_verified() { verified xfs 300M --reflink=auto; }
test_btrfs_clones_are_verified() { verified btrfs 128M --reflink=auto; }
test_btrfs_streamed_copies_are_verified() { verified btrfs 128M --offload=never; }

test_times_of_access_stay_those_of_the_source() {
	seq 1000 >a
	touch -a -d 2001-02-03 a
	touch -m -d 2001-02-04 a
	"$OCP" -p --verify a b
	is "$(stat -c '%X %Y' a | sed 's/.* //')" "$(stat -c %Y b)"
	is "$(date -d 2001-02-03 +%s)" "$(stat -c %X b)"
}

test_a_difference_names_file_and_byte_and_leaves_no_name() {
	with_faults
	seq 1000 >a
	run "$OCP" --verify --manifest=list -T a "fault:read@1=flip:$T/b"
	is 1 "$status" "$out"
	like "ocp: when read back, 'fault:*/b' differs from 'a' at byte *" "$out"
	[ ! -e b ]
	[ ! -s list ]
	is "" "$(find . -name '.*.ocp-*')"
}

test_a_difference_in_a_tree_leaves_the_other_files() {
	with_faults
	some_tree src
	rm "src/sub dir/link"
	run "$OCP" -a --verify -T src "fault:open(.)=EOPNOTSUPP,read(*big*)=flip:$T/dst"
	is 1 "$status"
	[ ! -e dst/big ] || fail "dst/big has a name"
	same src/empty dst/empty
	same "src/sub dir/deep/f" "dst/sub dir/deep/f"
}

test_a_copy_that_cannot_be_read_back_is_an_error() {
	with_faults
	seq 1000 >a
	run "$OCP" --verify -T a "fault:read=EIO:$T/b"
	is 1 "$status"
	like "ocp: cannot read back 'fault:*/b': Input/output error" "$out"
	[ ! -e b ]
	run "$OCP" --verify -T a "fault:sync=ENOSPC:$T/b"
	is 1 "$status"
	[ ! -e b ]
}

test_what_stood_there_is_written_in_place_and_reported() {
	with_faults
	seq 1000 >a
	echo old >b
	run "$OCP" --verify -T a "fault:read@1=flip:$T/b"
	is 1 "$status"
	same a b
	echo old >b
	run "$OCP" --verify --atomic -T a "fault:read@1=flip:$T/b"
	is 1 "$status"
	is old "$(cat b)"
}

test_pipes_are_compared_by_their_sum() {
	with_faults
	seq 100000 >a
	"$OCP" --verify /dev/stdin b <<<"$(cat a)"
	same a b
	run bash -c "cat a | '$OCP' --verify -T /dev/stdin 'fault:read@1=flip:$T/c'"
	is 1 "$status"
	like "ocp: when read back, *" "$out"
	[ ! -e c ]
}

test_a_device_is_no_copy_to_read_back() {
	seq 10 >a
	"$OCP" --verify a /dev/null
}

test_names_with_line_ends_are_escaped() {
	mkdir src
	printf 1 >$'src/a\nb\\c'
	"$OCP" -r --verify --manifest=list src dst
	like '\\*  dst/a\\nb\\\\c' "$(cat list)"
	is 1 "$(wc -l <list)"
}

test_a_manifest_has_every_hard_link() {
	mkdir src
	seq 10 >src/a
	ln src/a src/b
	ln src/a src/c
	echo other >src/d
	"$OCP" -a --verify --manifest=list src dst
	is "dst/a dst/b dst/c dst/d" "$(sed 's/^[^ ]*  //' list | sort | paste -sd ' ')"
	is 2 "$(cut -c -32 list | sort -u | wc -l)"
}

test_a_manifest_has_what_resume_finds_whole() {
	mkdir src
	seq 10 >src/a
	seq 20 >src/b
	ln src/a src/link
	"$OCP" -a --resume -T src dst
	rm dst/b
	"$OCP" -a --resume --verify --manifest=list -T src dst
	is "dst/a dst/b dst/link" "$(sed 's/^[^ ]*  //' list | sort | paste -sd ' ')"
	"$OCP" -a --verify --manifest=again -T src dst2
	is "$(cut -c -32 again | sort)" "$(cut -c -32 list | sort)"
}

test_a_manifest_needs_verify_and_a_place() {
	seq 10 >a
	run "$OCP" --manifest=list a b
	is 1 "$status"
	like "*--manifest needs --verify*" "$out"
	run "$OCP" --verify --manifest=no/list a b
	is 1 "$status"
	like "ocp: cannot create 'no/list': No such file or directory" "$out"
	[ ! -e b ]
}

# Spoils the storage under ocp, once it has synced the copy: what memory holds is right.
spoil_under() {
	cat >spoil.c <<-'END'
		#include <dlfcn.h>
		#include <stdlib.h>
		int fdatasync(int fd)
		{
			int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
			int ret = real(fd);
			const char *cmd = getenv("SPOIL");

			unsetenv("LD_PRELOAD");
			return cmd && system(cmd) ? -1 : ret;
		}
	END
	${CC:-cc} -D_GNU_SOURCE -shared -fPIC -o spoil.so spoil.c
	cat >spoil.py <<-'END'
		import mmap, os, sys
		f = os.open(sys.argv[1], os.O_RDWR)
		m = mmap.mmap(f, os.fstat(f).st_size)
		at = m.rfind(b"the last words of the copy")
		while at >= 0:
		    m[at] = ord("T")
		    at = m.rfind(b"the last words of the copy", 0, at)
		m.flush()
	END
}

# spoiled TYPE SIZE
spoiled() {
	requires "$1" python3
	! nm "$OCP" | grep -q __asan_init || skip "sanitizers do not go with LD_PRELOAD"
	spoil_under
	truncate -s "$2" disk
	"mkfs.$1" -q disk
	mkdir dir
	mount -o loop disk dir
	(head -c 1000000 /dev/urandom && echo "the last words of the copy") >a
	run env LD_PRELOAD="$PWD/spoil.so" SPOIL="python3 $PWD/spoil.py '$PWD/disk'" "$OCP" --verify a dir/b
	is 1 "$status" "$out"
	is "ocp: when read back, 'dir/b' differs from 'a' at byte 1000000" "$out"
	[ ! -e dir/b ]
}

test_ext4_is_read_past_the_cache() { spoiled ext4 64M; }
test_xfs_is_read_past_the_cache() { spoiled xfs 300M; }

run_tests "$@"
