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

# What is stored belongs to another system: its disk is copied here.
test_contexts_are_extended_attributes_without_selinux() {
	requires root setfattr
	[ ! -e /sys/fs/selinux/enforce ] || skip "this kernel has SELinux"
	: >labelled
	setfattr -n security.selinux -v system_u:object_r:etc_t:s0 labelled || skip "no security attributes here"
	"$OCP" -a labelled archive
	"$OCP" -a --no-preserve=context labelled attribute
	"$OCP" -p labelled plain
	is system_u:object_r:etc_t:s0 "$(getfattr --only-values -n security.selinux archive)"
	is system_u:object_r:etc_t:s0 "$(getfattr --only-values -n security.selinux attribute)"
	is "" "$(getfattr -m security.selinux plain)"
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
	cd "$dir" # the way to it may be closed to others
	flagged f d data
	chmod 644 f
	chattr +i f
	run setpriv --reuid=1000 --regid=1000 --clear-groups "$OCP" --preserve=all f g
	is 0 "$status" "$out"
	is "ocp: preserving file flags for 'g': Operation not permitted" "$out"
	kept d g
	is data "$(cat g)"
	run setpriv --reuid=1000 --regid=1000 --clear-groups "$OCP" -a f h
	is 0 "$status"
	is "" "$out"
	cd "$T"
}

# unwritten FILE: where it has space that is reserved only, in KiB, beyond its end too
unwritten() {
	filefrag -s -b1024 -v "$1" | awk -F '[ .:]+' '
		/^ *[0-9]+: .*unwritten/ {
			if (last && $3 != last) print first "-" last
			if (!last || $3 != last) first = $3
			last = $4 + 1
		}
		END { if (last) print first "-" last }'
}

# reserving DIR: files of all kinds
reserving() {
	fallocate -l 4M "$1/inside"
	head -c 1M /dev/urandom | dd of="$1/inside" conv=notrunc bs=1M seek=1 status=none
	head -c 303104 /dev/urandom >"$1/beyond"
	fallocate -n -l 8M "$1/beyond"
	fallocate -l 1M "$1/all"
	: >"$1/empty"
	fallocate -n -l 2M "$1/empty"
	head -c 300000 /dev/zero | tr '\0' x >"$1/none"
	truncate -s 4M "$1/none"
	sync
}

# reserved DIR
reserved() {
	is "0-1024
2048-4096" "$(unwritten "$1/inside")" "$1/inside"
	is 296-8192 "$(unwritten "$1/beyond")" "$1/beyond"
	is 0-1024 "$(unwritten "$1/all")" "$1/all"
	is 0-2048 "$(unwritten "$1/empty")" "$1/empty"
	is "" "$(unwritten "$1/none")" "$1/none"
}

# keeps_reserved FROM TO
keeps_reserved() {
	requires "$1" "$2" filefrag
	local src dst way
	src=$(make_fs "$1" 400M)
	dst=$(make_fs "$2" 400M)
	reserving "$src"
	reserved "$src"
	for way in auto stream; do
		mkdir "$dst/$way"
		"$OCP" -a --offload="$way" "$src/inside" "$src/beyond" "$src/all" "$src/empty" "$src/none" "$dst/$way"
		reserved "$dst/$way"
	done
	# Not before: once it is read, such space is cached, and then it counts as data.
	for file in inside beyond all empty none; do
		same "$src/$file" "$dst/auto/$file"
		same "$src/$file" "$dst/stream/$file"
	done
	"$OCP" -r "$src/inside" "$dst/plain"
	is "" "$(unwritten "$dst/plain")"
}

test_reserved_space_is_kept_from_ext4_to_ext4() { keeps_reserved ext4 ext4; }
test_reserved_space_is_kept_from_xfs_to_ext4() { keeps_reserved xfs ext4; }
test_reserved_space_is_kept_from_ext4_to_xfs() { keeps_reserved ext4 xfs; }
test_reserved_space_is_kept_from_btrfs_to_btrfs() { keeps_reserved btrfs btrfs; }
test_reserved_space_is_kept_from_btrfs_to_ext4() { keeps_reserved btrfs ext4; }

test_reserved_space_is_kept_by_clones() {
	requires btrfs xfs filefrag
	local dir
	for type in btrfs xfs; do
		dir=$(make_fs "$type" 400M)
		mkdir "$dir/a"
		reserving "$dir/a"
		"$OCP" -a "$dir/a" "$dir/b"
		reserved "$dir/b"
		diff -r "$dir/a" "$dir/b"
	done
}

test_reserved_space_beside_compressed_extents_is_kept() {
	requires btrfs filefrag
	local src dst
	src=$(make_fs btrfs 200M compress=zstd)
	dst=$(make_fs btrfs 200M)
	yes text | head -c 2M >"$src/f"
	sync
	fallocate -l 4M "$src/f"
	sync
	is 2048-4096 "$(unwritten "$src/f")"
	"$OCP" -a "$src/f" "$dst/f"
	is 2048-4096 "$(unwritten "$dst/f")"
	same "$src/f" "$dst/f"
}

test_what_xfs_reserves_by_itself_is_not_kept() {
	requires xfs ext4 filefrag
	local src dst
	src=$(make_fs xfs 400M)
	dst=$(make_fs ext4 100M)
	exec 3>"$src/f" # not closed: it goes then
	head -c 5000000 /dev/urandom >&3
	sync
	[ "$(stat -c %b "$src/f")" -gt 9770 ] || skip "nothing was reserved"
	"$OCP" -a "$src/f" "$dst/f"
	is "" "$(unwritten "$dst/f")"
	same "$src/f" "$dst/f"
}

test_space_that_cannot_be_reserved_is_told_and_given_back() {
	requires ext4
	local src dst free
	src=$(make_fs ext4 400M)
	dst=$(make_fs ext4 64M)
	fallocate -l 200M "$src/f"
	free=$(stat -f -c %a "$dst")
	run "$OCP" --preserve=all "$src/f" "$dst/f"
	is 0 "$status"
	is "ocp: reserving space for '$dst/f': No space left on device" "$out"
	[ "$(stat -f -c %a "$dst")" -gt $((free - 1000)) ]
	run "$OCP" -a "$src/f" "$dst/g"
	is 0 "$status"
	is "" "$out"
	same "$src/f" "$dst/g"
}

run_tests "$@"
