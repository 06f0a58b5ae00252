#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp-receive: each command by itself, damaged streams, and streams that mean harm.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/streams.lib"

# script [VERSION]: commands of standard input as a stream, in file stream
script() {
	"$MK" script "${1:-2}" >stream
}

# receive_script [VERSION] [OPTION]...: commands of standard input, received in dir in
receive_script() {
	local version=${1:-2}
	[ $# -lt 1 ] || shift
	script "$version"
	mkdir -p in
	run "$RECEIVE" "$@" -f stream in
}

# in_memory: dir in, where syncing costs nothing
in_memory() {
	requires tmpfs
	mkdir in
	mount -t tmpfs none in
}

# harmless: the last run failed, and nothing is there but what is marked as unfinished
harmless() {
	is 1 "$status" "status of: $out"
	is "" "$(visible in)"
	is safe "$(cat outside)"
	is 600 "$(stat -c %a outside)"
	is 1 "$(stat -c %h outside)"
}

outside() {
	echo safe >outside
	chmod 600 outside
}

test_every_command_of_names_and_attributes() {
	requires root getfattr
	receive_script 2 --devices <<-'END'
		mkdir path=o1 ino=257
		rename path=o1 path_to=d
		mkfile path=d/f ino=258
		write path=d/f file_offset=3 data=abc
		truncate path=d/f size=5
		set_xattr path=d/f xattr_name=user.a xattr_data=1
		set_xattr path=d/f xattr_name=user.b xattr_data=2
		remove_xattr path=d/f xattr_name=user.a
		link path=d/g path_link=d/f
		symlink path=l ino=259 path_link=../../etc/passwd
		chown path=l uid=5 gid=6
		mkfifo path=fifo ino=260 rdev=0 mode=0
		mksock path=sock ino=261 rdev=0 mode=0
		mknod path=null ino=262 mode=8630 rdev=259
		mkfile path=gone ino=263
		unlink path=gone
		mkdir path=gone ino=264
		rmdir path=gone
		chown path=d/f uid=7 gid=8
		chmod path=d/f mode=2541
		utimes path=d/f atime=100.5 mtime=-200.7 ctime=1.0 otime=1.0
		utimes path=d atime=300.5 mtime=400.000000007 ctime=1.0
		chmod path= mode=493
	END
	is "0 " "$status $out"
	is "$(printf '\0\0\0ab' | od -c)" "$(od -c <in/vol/d/f)"
	is "7 8 4755 2 -200.7" "$(stat -c '%u %g %a %h' in/vol/d/f) $(stat -c %.9Y in/vol/d/f | sed 's/-199.999999993/-200.7/')"
	is 400.000000007 "$(stat -c %.9Y in/vol/d)"
	is 2 "$(getfattr --only-values -n user.b in/vol/d/g)"
	! getfattr -n user.a in/vol/d/f 2>/dev/null || fail "still there"
	is ../../etc/passwd "$(readlink in/vol/l)"
	is "5 6" "$(stat -c '%u %g' in/vol/l)"
	is "fifo socket character special file" \
		"$(stat -c %F in/vol/fifo) $(stat -c %F in/vol/sock) $(stat -c %F in/vol/null)"
	is 1:3 "$(stat -c %t:%T in/vol/null)"
	is "d fifo l null sock" "$(visible in/vol | tr ' ' '\n' | sort | xargs)"
	is 755 "$(stat -c %a in/vol)"
}

test_every_command_of_contents() {
	seq 1 5000 >plain
	zstd -q -o z plain || skip "no zstd"
	receive_script 2 <<-END
		mkfile path=f ino=257
		encoded_write path=f file_offset=0 unencoded_file_len=$(stat -c %s plain) unencoded_len=$(stat -c %s plain) unencoded_offset=0 compression=2 data=@z
		mkfile path=g ino=258
		clone path=g file_offset=4096 clone_len=8192 clone_uuid=0123456789abcdef clone_ctransid=7 clone_path=f clone_offset=4096
		fallocate path=g fallocate_mode=3 file_offset=8192 size=2048
		fallocate path=g fallocate_mode=1 file_offset=20000 size=4096
		fallocate path=g fallocate_mode=0 file_offset=20000 size=5000
		mkfile path=h ino=259
		encoded_write path=h file_offset=0 unencoded_file_len=100 unencoded_len=$(stat -c %s plain) unencoded_offset=4096 compression=2 data=@z
	END
	is "0 " "$status $out"
	same plain in/vol/f
	head -c 12288 plain | tail -c 8192 >want
	dd if=/dev/zero of=want bs=1 seek=4096 count=2048 conv=notrunc status=none
	same want <(tail -c +4097 in/vol/g | head -c 8192)
	is 25000 "$(stat -c %s in/vol/g)"
	same <(tail -c +4097 plain | head -c 100) in/vol/h
}

test_inode_flags_are_mapped() {
	requires ext4 lsattr
	dir=$(make_fs ext4 64M)
	script 2 <<-'END'
		mkfile path=f ino=257
		fileattr path=f fileattr=0x300
		mkfile path=fixed ino=258
		fileattr path=fixed fileattr=0x40
		write path=fixed file_offset=0 data=later
		utimes path=fixed atime=1.0 mtime=1.0 ctime=1.0
	END
	"$RECEIVE" -f stream "$dir"
	like "*d*A*" "$(lsattr "$dir/vol/f" | cut -d' ' -f1)"
	like "*i*" "$(lsattr "$dir/vol/fixed" | cut -d' ' -f1)"
	is later "$(cat "$dir/vol/fixed")"
	is 1 "$(stat -c %Y "$dir/vol/fixed")"
	chattr -i "$dir/vol/fixed"
}

test_verity() {
	requires ext4
	dir=$(make_fs "ext4:-O verity -b 4096" 64M) || skip "no ext4 with verity"
	script 3 <<-'END'
		mkfile path=f ino=257
		write path=f file_offset=0 data=sealed
		chmod path=f mode=420
		enable_verity path=f verity_algorithm=1 verity_block_size=4096 verity_salt_data=salt verity_sig_data=
		utimes path=f atime=1.0 mtime=1.0 ctime=1.0
	END
	run "$RECEIVE" -f stream "$dir"
	[ "$status" = 0 ] || case $out in *"does not have"*) skip "this kernel has no fs-verity" ;; *) fail "$out" ;; esac
	is sealed "$(cat "$dir/vol/f")"
	! echo x 2>/dev/null >>"$dir/vol/f" || fail "can be written to"
}

test_verity_that_is_not_there_is_an_error() {
	requires tmpfs
	mkdir small
	mount -t tmpfs none small
	script 3 <<-'END'
		mkfile path=f ino=257
		enable_verity path=f verity_algorithm=1 verity_block_size=4096 verity_salt_data= verity_sig_data=
	END
	run "$RECEIVE" -f stream small
	is 1 "$status"
	like "*fs-verity, which this file system does not have: f*" "$out"
}

# attacks: each line of standard input a way out, in a stream of its own
test_no_command_leads_out() {
	local line
	outside
	in_memory
	while read -r line; do
		printf 'symlink path=l ino=257 path_link=%s/outside\nsymlink path=up ino=258 path_link=%s\nmkfile path=f ino=259\n%s\n' "$T" "$T" "$line" >commands
		receive_script 3 <commands
		harmless
		rm -r in/.[!.]*
	done <<-'END'
		write path=l file_offset=0 data=evil
		truncate path=l size=0
		chmod path=l mode=511
		set_xattr path=up/outside xattr_name=user.x xattr_data=1
		fileattr path=up/outside fileattr=0x40
		clone path=l file_offset=0 clone_len=4 clone_uuid=0123456789abcdef clone_ctransid=7 clone_path=f clone_offset=0
		clone path=f file_offset=0 clone_len=4 clone_uuid=0123456789abcdef clone_ctransid=7 clone_path=l clone_offset=0
		clone path=f file_offset=0 clone_len=4 clone_uuid=0123456789abcdef clone_ctransid=7 clone_path=up/outside clone_offset=0
		clone path=f file_offset=0 clone_len=4 clone_uuid=fedcba9876543210 clone_ctransid=7 clone_path=../outside clone_offset=0
		write path=up/outside file_offset=0 data=evil
		write path=../outside file_offset=0 data=evil
		rename path=f path_to=up/outside
		rename path=up/outside path_to=stolen
		rename path=f path_to=../f
		link path=stolen path_link=up/outside
		link path=stolen path_link=../outside
		unlink path=up/outside
		unlink path=../outside
		chown path=up/outside uid=1 gid=1
		utimes path=up/outside atime=1.0 mtime=1.0 ctime=1.0
		mkfile path=up/evil ino=260
		mkfile path=/evil ino=260
		mkdir path=up/evil ino=260
		rmdir path=up
		fallocate path=l fallocate_mode=0 file_offset=0 size=9999
		enable_verity path=l verity_algorithm=1 verity_block_size=4096 verity_salt_data= verity_sig_data=
		mknod path=f2 ino=260 mode=8630 rdev=259
		update_extent path=f file_offset=0 size=10
		rename path=nothing path_to=x
		rename path=l path_to=l/below
	END
}

test_a_target_of_a_symlink_is_not_changed_by_its_attributes() {
	outside
	receive_script 2 <<-'END'
		symlink path=l ino=257 path_link=../../outside
		chown path=l uid=0 gid=0
		utimes path=l atime=1.0 mtime=1.0 ctime=1.0
	END
	is 0 "$status"
	[ "$(stat -c %Y outside)" -gt 1 ]
}

test_what_does_not_decode_is_never_planted() {
	local kind
	requires btrfs zstd
	dir=$(make_fs btrfs 128M)
	ln -s "$dir" in
	outside
	head -c 20000 /dev/urandom >noise
	seq 1 5000 >plain
	zstd -q -o z plain
	head -c 3000 z >short
	cat z z >two
	for kind in 1 2 3 4 5 6 7; do
		receive_script 2 <<-END
			mkfile path=f ino=257
			encoded_write path=f file_offset=0 unencoded_file_len=65536 unencoded_len=65536 unencoded_offset=0 compression=$kind data=@noise
		END
		is 1 "$status" "compression $kind"
		like "*the compressed data are damaged: f*" "$out"
		is "" "$(visible "$dir")"
		btrfs -q subvolume delete "$dir/.vol.receiving"
	done
	for kind in short two; do
		receive_script 2 <<-END
			mkfile path=f ino=257
			encoded_write path=f file_offset=0 unencoded_file_len=23893 unencoded_len=23893 unencoded_offset=0 compression=2 data=@$kind
		END
		is 1 "$status" "$kind"
		btrfs -q subvolume delete "$dir/.vol.receiving"
	done
	# Less than promised, which the kernel would fill with zeros.
	receive_script 2 <<-END
		mkfile path=f ino=257
		encoded_write path=f file_offset=0 unencoded_file_len=65536 unencoded_len=65536 unencoded_offset=0 compression=2 data=@z
	END
	is 1 "$status"
}

# damaged EVERY: each so many bytes of a stream of every kind of command turned round
damaged() {
	local n size
	"$MK" script 2 >stream <<-'END'
		mkfile path=o1 ino=257
		rename path=o1 path_to=f
		write path=f file_offset=0 data=hello
		mkdir path=d ino=258
		link path=d/g path_link=f
		set_xattr path=f xattr_name=trusted.a xattr_data=1
		chown path=f uid=0 gid=0
		chmod path=f mode=420
		utimes path=f atime=1.0 mtime=1.0 ctime=1.0
		utimes path=d atime=1.0 mtime=1.0 ctime=1.0
	END
	size=$(stat -c %s stream)
	in_memory
	outside
	for ((n = 0; n < size; n += $1)); do
		# The version has no checksum: another known one may go unnoticed.
		[ "$n" -lt 13 ] || [ "$n" -gt 16 ] || continue
		"$MK" flip "$n" 255 <stream >broken
		run "$RECEIVE" -f broken in
		harmless
		rm -rf in/.[!.]*
		run "$RECEIVE" -f <(head -c "$n" stream) in
		harmless
		rm -rf in/.[!.]*
	done
	"$RECEIVE" -f stream in
	is hello "$(cat in/vol/d/g)"
}

test_a_stream_damaged_or_cut_anywhere_leaves_nothing_that_looks_whole() {
	damaged "${STEP:-29}" # 1 by hand
}

test_calls_that_fail_leave_nothing_that_looks_whole() {
	local n status=1
	"$MK" script 2 >stream <<-'END'
		mkfile path=o1 ino=257
		rename path=o1 path_to=f
		write path=f file_offset=0 data=hello
		mkdir path=d ino=258
		chmod path=f mode=420
		utimes path=f atime=1.0 mtime=1.0 ctime=1.0
		utimes path=d atime=1.0 mtime=1.0 ctime=1.0
	END
	in_memory
	for ((n = 2; n < 200 && status; n += ${STEP:-9})); do
		status=0
		"$RECEIVE" -f stream "fault:*@$n=EIO:$T/in" >out 2>&1 || status=$?
		if [ "$status" = 0 ]; then
			is hello "$(cat in/vol/f)" "call $n"
			rm -rf in/vol
			# A call whose failure changes nothing, or the end.
			grep -q . out || status=$((n < 60))
		else
			is "" "$(visible in)" "call $n: $(cat out)"
		fi
		rm -rf in/.[!.]*
	done
}

test_json_tells_what_was_done() {
	requires jq
	mkdir in
	script 2 <<-'END'
		mkfile path=f ino=257
		write path=f file_offset=0 data=hello
	END
	is "true 4 1 5" "$("$RECEIVE" --json -f stream in | jq -r '"\(.complete) \(.commands) \(.files) \(.data_bytes)"')"
	run "$RECEIVE" --json -f stream in
	is false "$("$RECEIVE" --json -f stream in 2>/dev/null | jq .complete)"
}

test_end_stops_at_the_first_end() {
	mkdir in
	"$MK" path file >stream
	run "$RECEIVE" -f <(cat stream; echo rubbish) in
	is 1 "$status"
	rm -rf in/vol in/.[!.]*
	"$RECEIVE" -e -f <(cat stream; echo rubbish) in
	[ -f in/vol/file ]
}

run_tests "$@"
