#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each fuzz target for 5 seconds, from a fixed seed.  Longer runs are by hand.
. "$(dirname "$0")/../lib.sh"

# fuzz NAME [ARGUMENT]...
fuzz() {
	fuzz=$O/selftests/fuzz/$1
	shift
	[ -x "$fuzz" ] || skip "not built here: make says no to FUZZ_CC, or clang has no libFuzzer"
	"$fuzz" -seed=1 -max_total_time=5 -max_len=8192 -rss_limit_mb=1024 -print_final_stats=1 \
		-verbosity=0 "$@"
}

# kept NAME: a folder of what long runs found to go new ways, to begin with
kept() {
	requires xz tar
	mkdir "$1"
	tar -xJf "$SRC/selftests/fuzz/corpus/$1.tar.xz" -C "$1"
}

test_codec() {
	fuzz codec_fuzz
}

test_stream() {
	fuzz stream_fuzz
}

# Two bytes say how it is received: whole, in part, broken off and gone on with.
test_apply() {
	local mk=$O/selftests/stream/mkstream how n=0
	requires "$mk"
	mkdir seeds
	for how in '\200\001' '\240\001' '\300\005'; do
		n=$((n + 1))
		{ printf "%b" "$how" && "$mk" all 2; } >"seeds/all-$n"
		{ printf "%b" "$how" && "$mk" trap ../.. l/evil; } >"seeds/trap-$n"
		{ printf "%b" "$how" && "$mk" script 2; } >"seeds/moves-$n" <<-'END'
			mkfile path=o257-7-0 ino=257
			rename path=o257-7-0 path_to=a
			write path=a file_offset=0 data=first
			mkdir path=d ino=258
			link path=d/a path_link=a
			clone path=d/a file_offset=4096 clone_len=5 clone_uuid=0123456789abcdef clone_ctransid=7 clone_path=a clone_offset=0
			set_xattr path=a xattr_name=user.a xattr_data=1
			chmod path=d mode=320
			symlink path=l ino=259 path_link=../..
			rename path=d path_to=e
			unlink path=a
			truncate path=e/a size=70000
			utimes path=e atime=1.0 mtime=1.0 ctime=1.0
		END
	done
	fuzz apply_fuzz -len_control=0 seeds
}

test_manifest() {
	fuzz manifest_fuzz
}

test_nfs4() {
	kept nfs4
	fuzz nfs4_fuzz nfs4
}

test_nfs_client() {
	kept nfs
	fuzz nfs_fuzz nfs
}

test_nfs_server() {
	requires root
	kept nfsd
	fuzz nfsd_fuzz nfsd
}

test_filter() {
	fuzz filter_fuzz
}

test_scsi() {
	fuzz scsi_fuzz
}

run_tests "$@"
