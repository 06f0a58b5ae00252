#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp and iscsi:// URLs, over real sockets.
. "$(dirname "$0")/target.lib"
requires "$TARGET" "$OCP"
ldconfig -p 2>/dev/null | grep -q "libiscsi\.so\.7" || requires /usr/lib/x86_64-linux-gnu/libiscsi.so.7

# image NAME: 12 MiB with data, a hole and data, and a part of a block at the end
image() {
	head -c 4M /dev/urandom >"$1"
	truncate -s 8M "$1"
	head -c 4M /dev/urandom >>"$1"
	echo end >>"$1"
}

# moved COMMAND...: bytes that it reads and writes; what crosses the loopback device is others' too
moved() {
	strace -f -qq -o trace -e trace=read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg,pread64,pwrite64 "$@"
	awk '$(NF - 1) == "=" && $NF > 0 { sum += $NF } END { print sum + 0 }' trace
}

test_an_image_is_written_and_read_back_with_its_holes() {
	image in
	head -c 16M /dev/urandom >a
	cp a old
	start --target "$iqn" --lun 0=a
	"$OCP" --explain in "$(url 0)" >said
	grep -q "4.0 MiB kept as holes" said
	cmp -n "$(stat -c %s in)" in a
	cmp -i "$(stat -c %s in)" old a # what is behind it stays
	[ "$(($(stat -c %b a) / 2))" -lt 13000 ] || fail "the hole takes space: $(stat -c %b a) sectors"
	"$OCP" "$(url 0)" out
	same a out
	[ "$(($(stat -c %b out) / 2))" -lt 13000 ] || fail "the hole was filled: $(stat -c %b out) sectors"
	stop
}

test_the_array_copies_and_nothing_crosses_the_network() {
	local dir bytes
	requires xfs strace
	dir=$(make_fs xfs 1G)
	yes "not zero" | head -c 200M >"$dir/a"
	start --target "$iqn" --lun "0=$dir/a" --lun "1=$dir/b,size=200M"
	# shellcheck disable=SC2016 # for bash -c to expand
	bytes=$(moved bash -c '"$OCP" --explain --offload=always "$@" >said' - "$(url 0)" "$(url 1)")
	[ "$bytes" -lt 200000 ] || fail "data went over the wire: $bytes bytes"
	[ "$bytes" -gt 1000 ] || fail "nothing was counted: $(head trace)"
	grep -q "offload  200.0 MiB .*nothing through this process" said
	grep -qx "  bytes 0 to 209715199: offload, EXTENDED COPY (LID[14])" said || fail "$(cat said)"
	same "$dir/a" "$dir/b"
	if grep -E "copied: .*(stream|offload|encoded)" serve.log; then
		fail "data were moved by the target"
	fi
	stop
}

test_between_targets_of_one_array_too() {
	image a
	start --target "$iqn.0" --lun 0=a,size=16M --target "$iqn" --lun 0=b,size=16M
	run "$OCP" --explain "$(url 0 | sed "s/array/array.0/")" "$(url 0)"
	is 0 "$status" "$out"
	# A session sees no unit of another target: that is told, and the data are moved.
	like "*bytes 0 to 16777215: stream; not offloaded: the array does not reach the other one*" "$out"
	same a b
	stop
}

# By another name of the portal it is another session, as from another host.
test_a_token_of_one_session_is_used_by_another() {
	local far
	image a
	head -c 16M /dev/urandom >b
	start --target "$iqn" --lun 0=a,size=16M --lun 1=b
	far=$(url 1 | sed "s/127.0.0.1/localhost/")
	"$OCP" --explain --offload=grant "$(url 0)" "$far" >said
	grep -q "^  grant    16.0 MiB .*nothing through this process" said || fail "$(cat said)"
	same a b
	stop
}

test_probe_asks_the_array_and_writes_nothing() {
	image a
	head -c 16M /dev/urandom >b
	cp b old
	start --target "$iqn" --lun 0=a,size=16M --lun 1=b
	"$OCP" --probe "$(url 0)" "$(url 1)" >said
	grep -qx "  offload  possible" said || fail "$(cat said)"
	grep -qx "  stream   possible" said || fail "$(cat said)"
	grep -q "^  unit: COPYRNGE .*, 32768 blocks of 512 bytes" said || fail "$(cat said)"
	grep -qx "  copies by itself: EXTENDED COPY (LID1, LID4), tokens (ODX)" said || fail "$(cat said)"
	grep -q "^  EXTENDED COPY: .* descriptors 02h" said || fail "$(cat said)"
	"$OCP" --probe --json a "$(url 1)" | grep -q '"destination_says":"unit: COPYRNGE' || fail "not in JSON"
	same b old
	stop
}

test_CHAP() {
	(umask 077 && printf 'twelve-bytes-1\n' >secret)
	image a
	start --target "$iqn" --lun 0=a,size=16M --chap "alice:secret"
	"$OCP" "$(url 0 alice%twelve-bytes-1@)" out
	same a out
	LIBISCSI_CHAP_PASSWORD=twelve-bytes-1 "$OCP" "$(url 0 alice@)" out
	run "$OCP" "$(url 0)" out2
	is 1 "$status"
	like "*Permission denied*" "$out"
	run "$OCP" "$(url 0 alice%twelve-bytes-2@)" out2
	like "*Permission denied*" "$out"
	[ ! -e out2 ]
	stop
}

test_the_target_proves_who_it_is() {
	local alice=alice%twelve-bytes-1@ query
	(umask 077 && printf 'twelve-bytes-1\n' >in.secret && printf 'twelve-bytes-2\n' >out.secret)
	image a
	start --target "$iqn" --lun 0=a,size=16M --chap alice:in.secret --chap-mutual array:out.secret
	"$OCP" "$(url 0 "$alice")?target_user=array&target_password=twelve-bytes-2" out
	same a out
	LIBISCSI_CHAP_TARGET_USERNAME=array LIBISCSI_CHAP_TARGET_PASSWORD=twelve-bytes-2 \
		"$OCP" "$(url 0 "$alice")" out
	for query in "target_user=array&target_password=twelve-bytes-9" \
		"target_user=other&target_password=twelve-bytes-2"; do
		run "$OCP" "$(url 0 "$alice")?$query" out2
		is 1 "$status" "$query"
		like "*Permission denied*" "$out"
	done
	for query in target_user=array target_users=array; do
		run "$OCP" "$(url 0 "$alice")?$query" out2
		like "*Invalid argument*" "$out" "$query"
	done
	stop
	# A target that proves nothing is not taken for it.
	start --target "$iqn" --lun 0=a,size=16M --chap alice:in.secret
	run "$OCP" "$(url 0 "$alice")?target_user=array&target_password=twelve-bytes-2" out2
	is 1 "$status" "no proof"
	stop
	start --target "$iqn" --lun 0=a,size=16M
	run "$OCP" "$(url 0 "$alice")?target_user=array&target_password=twelve-bytes-2" out2
	is 1 "$status" "no CHAP"
	like "*Permission denied*" "$out"
	[ ! -e out2 ]
	stop
}

test_what_cannot_be_is_said() {
	local url said
	truncate -s 1M a
	truncate -s 2M large
	start --target "$iqn" --lun 0=a
	while read -r url said; do
		run "$OCP" "$url" out
		is 1 "$status" "$url"
		like "*$url*$said*" "$out"
		[ ! -e out ]
	done <<-END
		$(url 5) No such file or directory
		$(url x) No such file or directory
		$(url 99999) No such file or directory
	END
	run "$OCP" "iscsi://127.0.0.1:$port/iqn.2026-11.test:other/0" out
	like "*No such file or directory*" "$out"
	run "$OCP" iscsi://127.0.0.1:1/iqn/0 out
	like "*Connection refused*" "$out"
	run "$OCP" large "$(url 0)"
	is 1 "$status"
	like "*$(url 0)*No space left on device*" "$out"
	run "$OCP" a "$(url 1)"
	is 1 "$status"
	like "*cannot create*$(url 1)*" "$out"
	stop
}

test_a_link_that_is_lost_is_an_error() {
	head -c 64M /dev/urandom >a
	start --target "$iqn" --lun 0=a
	"$OCP" --bwlimit=8M "$(url 0)?timeout=1" out 2>said &
	copy=$!
	defer "kill $copy 2>/dev/null || :"
	until [ -n "$(find . "/proc/$copy/fd" -lname '*/#*' -o -name '.out.ocp-*' 2>/dev/null)" ]; do
		kill -0 "$copy" 2>/dev/null || fail "it ended: $(cat said)"
		sleep 0.02
	done
	kill -9 "$pid"
	if wait "$copy"; then
		fail "it went well without the target"
	fi
	grep -q "$(url 0)" said
	[ ! -e out ]
}

# tgt of Debian has no EXTENDED COPY.
test_a_target_without_EXTENDED_COPY() {
	requires tgtd tgtadm
	image a
	truncate -s 16M a b
	export TGT_IPC_SOCKET=$T/ipc
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	tgtd -f -C 77 --iscsi "portal=127.0.0.1:$port" 2>tgt.log &
	pid=$!
	defer "kill -9 $pid 2>/dev/null || :"
	for _ in $(seq 200); do
		tgtadm -C 77 --lld iscsi --op new --mode target --tid 1 -T "$iqn" 2>/dev/null && break
		sleep 0.05
	done
	tgtadm -C 77 --lld iscsi --op new --mode logicalunit --tid 1 --lun 1 -b "$PWD/a"
	tgtadm -C 77 --lld iscsi --op new --mode logicalunit --tid 1 --lun 2 -b "$PWD/b"
	tgtadm -C 77 --lld iscsi --op bind --mode target --tid 1 -I ALL
	"$OCP" --explain "$(url 1)" "$(url 2)" >said
	grep -q "not by offload: the array has no EXTENDED COPY" said
	same a b
	run "$OCP" --offload=always "$(url 1)" "$(url 2)"
	is 1 "$status"
	# LUN 0 there is no disk.
	run "$OCP" "$(url 0)" out
	like "*Wrong medium type*" "$out"
}

run_tests "$@"
