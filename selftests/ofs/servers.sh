#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Rooms of ocp-mount that are on a server.
# shellcheck source=selftests/nfs/nfsd.lib
. "$(dirname "$0")/../nfs/nfsd.lib"
# shellcheck source=selftests/nfs/client.lib
. "$(dirname "$0")/../nfs/client.lib"
# shellcheck source=selftests/ofs/ofs.lib
. "$(dirname "$0")/ofs.lib"

test_cp_between_folders_of_a_server_moves_no_data() {
	mkdir "$dir/a" "$dir/b"
	head -c 20M /dev/urandom >"$dir/a/in"
	proxy
	mounted "$via/a" "$via/b"
	cp m/a/in m/b/out
	same "$dir/a/in" "$dir/b/out"
	say bytes
	[ $((up + down)) -lt 100000 ] || fail "$up bytes there, $down back"
	unmounted
	rm -r "$dir/a" "$dir/b"
}

test_free_space_is_that_of_the_server() {
	mkdir here
	mounted here "$url"
	is "$(stat -fc '%b %s %l' "$dir")" "$(stat -fc '%b %s %l' "m/${url##*/}")"
	[ "$(stat -fc %a "m/${url##*/}")" -gt 0 ]
	unmounted
}

test_trees_go_there_and_back() {
	mkdir here "$dir/there"
	make_tree here/tree
	list_tree here/tree >wanted
	mounted here "$url/there"
	cp -a m/here/tree m/there/
	list_tree "$dir/there/tree" | diff wanted -
	cp -a m/there/tree m/there/again
	list_tree m/there/again | diff wanted -
	mv m/there/again m/there/moved
	cp -a m/there/moved m/here/back
	list_tree here/back | diff wanted -
	# A move to another room is a copy.
	mv m/here/back m/there/gone
	list_tree "$dir/there/gone" | diff wanted -
	rm -r m/there/*
	is "" "$(ls "$dir/there")"
	unmounted
	rmdir "$dir/there"
}

test_random_operations() {
	mkdir "$dir/x"
	mounted "$url/x"
	timeout 100 python3 "$SRC/selftests/vm/fsx.py" m/x/fsx mirror 200 "${FSX_SEED-1}"
	same "$dir/x/fsx" mirror
	unmounted
	rm -r "$dir/x"
}

test_locks_hold_within_the_mount() {
	mkdir "$dir/x"
	touch "$dir/x/f"
	mounted "$url/x"
	exec 5<m/x/f
	flock 5
	run flock -n m/x/f true
	is 1 "$status"
	exec 5>&-
	flock -n m/x/f true
	unmounted
	rm -r "$dir/x"
}

test_a_server_that_restarts_is_gone_on_with() {
	mkdir "$dir/x"
	head -c 3M /dev/urandom >in
	mounted "$url/x"
	exec 5>m/x/f
	head -c 1M in >&5
	restarted 5>&- # or the server has the file open, too
	tail -c +1048577 in >&5
	exec 5>&-
	same in "$dir/x/f"
	unmounted
	rm -r "$dir/x"
}

# A server that is gone for good leaves no mount that cannot be ended.
test_the_mount_ends_without_the_server() {
	mkdir "$dir/y"
	proxy
	mounted "$via/y"
	touch m/y/f
	say hang
	timeout 60 ls m/y/not_there >/dev/null 2>&1 &
	sleep 0.3
	kill -TERM "$daemon"
	wait "$daemon" || :
	wait $! || :
	mountpoint -q m && fail "still mounted"
	rm -r "$dir/y"
}

# A unit of an array is a file at the top, or below its target.
test_units_of_an_array_are_files() {
	requires "$O/ocp-target"
	local iqn=iqn.2026-11.test:array port pid
	grep -q CONFIG_FS_BLOCK=y "$O/.config" || skip "no iSCSI initiator in this build"
	head -c 8M /dev/urandom >disk
	truncate -s 8M copy
	mkdir here
	head -c 3M /dev/urandom >here/file
	"$O/ocp-target" --foreground --listen 127.0.0.1:0 --target "$iqn" --lun 0=disk --lun 1=copy 2>serve.log &
	pid=$!
	defer "kill $pid"
	eventually grep -q 'serving on' serve.log
	port=$(sed -n 's/.*serving on 127.0.0.1:\([0-9]*\)$/\1/p' serve.log)
	mounted here "unit=iscsi://127.0.0.1:$port/$iqn/0" "array=iscsi://127.0.0.1:$port/$iqn"
	is 8388608 "$(stat -c %s m/unit)"
	same disk m/unit
	cp m/unit m/here/image
	same disk here/image
	dd if=m/unit of=m/array/1 bs=1M conv=notrunc,fsync status=none
	same disk copy
	python3 - <<-'END'
		import os
		i, o = os.open("m/here/file", os.O_RDONLY), os.open("m/unit", os.O_WRONLY)
		assert os.copy_file_range(i, o, 3 << 20) == 3 << 20
		os.fsync(o)
	END
	cmp -n 3145728 here/file disk
	unmounted
}

run_tests "$@"
