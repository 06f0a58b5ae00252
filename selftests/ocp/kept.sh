#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What cp loses and -a keeps: attributes of chattr(1), space that is reserved.
. "$(dirname "$0")/../lib.sh"
requires root chattr lsattr

# flags FILE: its letters, those that every file of its kind has left out
flags() {
	lsattr -d "$1" | sed 's/ .*//; s/[-eI]//g'
}

# kept LETTERS FILE
kept() {
	is "$1" "$(flags "$2")" "attributes of $2"
}

# flagged FILE LETTERS DATA: a file with these from the start
flagged() {
	: >"$1"
	[ -z "$2" ] || chattr "+$2" "$1"
	printf %s "$3" >"$1"
}

# thaw DIR: so that it can be removed
thaw() {
	defer "chattr -R -i -a '$1'"
}

test_btrfs_keeps_nodatacow_and_compression() {
	requires btrfs
	local src dst
	src=$(make_fs btrfs 128M)
	dst=$(make_fs btrfs 128M compress=zstd)
	mkdir "$src/d"
	flagged "$src/d/C" C "no copy on write"
	flagged "$src/d/c" c compressed
	flagged "$src/d/m" m "never compressed"
	flagged "$src/d/none" "" nothing
	"$OCP" -a "$src/d" "$dst/d"
	"$OCP" -a --reflink=never "$src/d" "$src/streamed"
	"$OCP" -a "$src/d" "$src/cloned"
	for d in "$dst/d" "$src/streamed" "$src/cloned"; do
		kept C "$d/C"
		kept c "$d/c"
		kept m "$d/m"
		kept "" "$d/none"
		diff -r "$src/d" "$d"
	done
	"$OCP" -r "$src/d" "$dst/plain"
	kept "" "$dst/plain/C"
}

test_nodatacow_is_kept_where_a_file_is_replaced() {
	requires btrfs
	local dir
	dir=$(make_fs btrfs 128M)
	flagged "$dir/a" C new
	flagged "$dir/b" c "old and longer"
	flagged "$dir/c" "" "old and longer"
	"$OCP" -a --reflink=never "$dir/a" "$dir/b"
	"$OCP" -a --atomic "$dir/a" "$dir/c"
	kept C "$dir/b"
	kept C "$dir/c"
	same "$dir/a" "$dir/b"
	same "$dir/a" "$dir/c"
}

test_directories_hand_their_flags_on_as_in_the_source() {
	requires btrfs
	local dir
	dir=$(make_fs btrfs 128M)
	mkdir -p "$dir/a/sub"
	chattr +C "$dir/a"
	flagged "$dir/a/in" "" inherits
	echo not >"$dir/a/sub/f"
	mv "$dir/a/sub/f" "$dir/a/moved"
	"$OCP" -a "$dir/a" "$dir/b"
	kept C "$dir/b"
	kept C "$dir/b/in"
	kept "" "$dir/b/sub"
	kept "" "$dir/b/moved"
}

# immutable FS: both kinds of protection, set when all else is done
immutable() {
	local dir
	dir=$(make_fs "$1" "$2")
	thaw "$dir"
	mkdir "$dir/a" "$dir/a/d"
	flagged "$dir/a/i" "" immutable
	flagged "$dir/a/a" "" "append only"
	echo x >"$dir/a/d/f"
	chmod 640 "$dir/a/i"
	setfattr -n user.x -v y "$dir/a/i"
	touch -d "2001-02-03 04:05:06.7" "$dir/a/i" "$dir/a/a" "$dir/a/d"
	chattr +i "$dir/a/i" "$dir/a/d"
	chattr +a "$dir/a/a"
	"$OCP" -a "$dir/a" "$dir/b"
	kept i "$dir/b/i"
	kept a "$dir/b/a"
	kept i "$dir/b/d"
	diff -r "$dir/a" "$dir/b"
	is "$(cd "$dir/a" && stat -c '%n %a %U %y' i a d)" "$(cd "$dir/b" && stat -c '%n %a %U %y' i a d)"
	is y "$(getfattr --only-values -n user.x "$dir/b/i")"
}

test_btrfs_immutable_and_append_only_are_set_last() {
	requires btrfs setfattr
	immutable btrfs 128M
}

test_ext4_immutable_and_append_only_are_set_last() {
	requires ext4 setfattr
	immutable ext4 64M
}

test_xfs_immutable_and_append_only_are_set_last() {
	requires xfs setfattr
	immutable xfs 300M
}

test_ext4_keeps_all_it_knows() {
	requires ext4
	local dir
	dir=$(make_fs ext4 64M)
	flagged "$dir/f" AdS x
	mkdir "$dir/d"
	chattr +DS "$dir/d"
	"$OCP" -a "$dir/f" "$dir/g"
	"$OCP" -a "$dir/d" "$dir/e"
	is "$(flags "$dir/f")" "$(flags "$dir/g")"
	like "*S*" "$(flags "$dir/g")"
	like "*A*" "$(flags "$dir/g")"
	like "*d*" "$(flags "$dir/g")"
	is "$(flags "$dir/d")" "$(flags "$dir/e")"
	like "*D*" "$(flags "$dir/e")"
}

test_what_the_target_does_not_know_is_a_warning_with_all_and_silent_with_a() {
	requires btrfs ext4
	local src dst
	src=$(make_fs btrfs 128M)
	dst=$(make_fs ext4 64M)
	flagged "$src/f" C data
	chattr +d "$src/f"
	run "$OCP" --preserve=all "$src/f" "$dst/f"
	is 0 "$status"
	is "ocp: preserving file flags for '$dst/f': Operation not supported" "$out"
	kept d "$dst/f"
	run "$OCP" -a "$src/f" "$dst/g"
	is 0 "$status"
	is "" "$out"
	kept d "$dst/g"
}

test_without_root_the_others_are_kept_and_a_warning_says_so() {
	requires ext4 setpriv
	local dir
	dir=$(make_fs ext4 64M)
	thaw "$dir"
	chmod 777 "$dir"
	chmod 755 "$T" "$(dirname "$T")"
	flagged "$dir/f" d data
	chmod 644 "$dir/f"
	chattr +i "$dir/f"
	run setpriv --reuid=65534 --regid=65534 --clear-groups "$OCP" --preserve=all "$dir/f" "$dir/g"
	is 0 "$status"
	is "ocp: preserving file flags for '$dir/g': Operation not permitted" "$out"
	kept d "$dir/g"
	is data "$(cat "$dir/g")"
	run setpriv --reuid=65534 --regid=65534 --clear-groups "$OCP" -a "$dir/f" "$dir/h"
	is 0 "$status"
	is "" "$out"
}

run_tests "$@"
