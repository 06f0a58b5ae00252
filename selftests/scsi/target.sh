#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp-target over real sockets, by programs that others wrote.
. "$(dirname "$0")/target.lib"
requires "$TARGET"

test_targets_and_LUNs_are_found() {
	requires iscsi-ls iscsi-inq iscsi-readcapacity16
	start --target "$iqn" --lun 0=a,size=10M --lun 7=b,size=20M --target "$iqn.2" --lun 0=c,size=1M
	iscsi-ls -s "iscsi://127.0.0.1:$port" >list
	is 2 "$(grep -c ^Target list)"
	grep "^Target:$iqn Portal:127.0.0.1:$port,1" list
	grep "^Lun:7 .*(Size:19M)" list
	iscsi-inq "$(url 0)" | grep "Vendor:COPYRNGE"
	iscsi-inq -e 1 -c 131 "$(url 0)" | grep -q "NAA"
	iscsi-readcapacity16 "$(url 7)" | grep -q "Total size:20971520"
	stop
}

# image NAME: 24 MiB with data, a hole and data
image() {
	head -c 8M /dev/urandom >"$1"
	truncate -s 16M "$1"
	head -c 8M /dev/urandom >>"$1"
}

test_qemu_writes_and_reads_back() {
	requires qemu-img
	image in
	start --target "$iqn" --lun 0=a,size=24M
	qemu-img convert -n -f raw -O raw in "$(url 0)" 2>err || skip "qemu has no iSCSI: $(cat err)"
	same in a
	qemu-img convert -f raw -O raw "$(url 0)" out
	same in out
	qemu-img compare -f raw -F raw in "$(url 0)"
	stop
}

# Each is a request to the core; on XFS nothing is read.
test_qemu_lets_the_array_copy() {
	local dir
	requires qemu-img xfs
	dir=$(make_fs xfs 300M)
	image "$dir/a"
	start --target "$iqn" --lun "0=$dir/a" --lun "1=$dir/b,size=24M"
	qemu-img convert -n -C -W -f raw -O raw "$(url 0)" "$(url 1)" 2>err || skip "$(cat err)"
	same "$dir/a" "$dir/b"
	grep -q "copied: clone" serve.log
	if grep -E "copied: .*(stream|offload|encoded)" serve.log; then
		fail "data were moved"
	fi
	stop
}

test_a_copy_of_1_GiB_is_a_clone() {
	local dir bytes
	requires xfs "$O/selftests/scsi/offload"
	dir=$(make_fs xfs 4G)
	yes "not zero" | head -c 1G >"$dir/a"
	start --target "$iqn" --lun "0=$dir/a" --lun "1=$dir/b,size=1G"
	read -r bytes _ <<<"$("$O/selftests/scsi/offload" xcopy "$(url 0)" "$(url 1)" 1024)"
	[ "$bytes" -gt 500 ] || fail "nothing was counted: $bytes"
	[ "$bytes" -lt 100000 ] || fail "data went over the wire: $bytes bytes"
	is 1073741824 "$(awk '/copied: clone/ && /(0 read)/ { sum += $4 } END { print sum }' serve.log)"
	same "$dir/a" "$dir/b"
	: >"$dir/b"
	truncate -s 1G "$dir/b"
	read -r bytes _ <<<"$("$O/selftests/scsi/offload" odx "$(url 0)" "$(url 1)" 1024)"
	[ "$bytes" -lt 100000 ] || fail "data went over the wire: $bytes bytes"
	same "$dir/a" "$dir/b"
	if grep -E "copied: .*(stream|offload|encoded)" serve.log; then
		fail "data were moved"
	fi
	stop
}

secrets() {
	(umask 077 && printf 'twelve-bytes-1\n' >in.secret && printf 'twelve-bytes-2\n' >out.secret)
}

test_CHAP_lets_in_who_knows_the_secret() {
	requires iscsi-inq
	secrets
	start --target "$iqn" --lun 0=a,size=1M --chap "alice:in.secret" --chap-mutual "array:out.secret"
	iscsi-inq "$(url 0 alice%twelve-bytes-1@)" >/dev/null
	for wrong in "" alice%twelve-bytes-3@ bob%twelve-bytes-1@; do
		run iscsi-inq "$(url 0 "$wrong")"
		[ "$status" != 0 ] || fail "let in: '$wrong'"
	done
	# Both ways, right and wrong.
	iscsi-inq "$(url 0 alice%twelve-bytes-1@)?target_user=array&target_password=twelve-bytes-2" >/dev/null
	run iscsi-inq "$(url 0 alice%twelve-bytes-1@)?target_user=array&target_password=twelve-bytes-9"
	[ "$status" != 0 ] || fail "it took a wrong answer"
	iscsi-ls "iscsi://alice%twelve-bytes-1@127.0.0.1:$port" | grep -q "$iqn"
	run iscsi-ls "iscsi://127.0.0.1:$port"
	[ "$status" != 0 ] || fail "targets were told to a stranger"
	stop
}

test_what_cannot_be_served_is_said() {
	secrets
	chmod 644 out.secret
	truncate -s 1M have
	mkdir dir
	local options said
	while IFS='|' read -r options said; do
		# shellcheck disable=SC2086 # several words
		run "$TARGET" --foreground --listen 127.0.0.1:0 $options
		is 1 "$status" "$options"
		like "*$said*" "$out" "$options"
	done <<-END
		|nothing to serve
		--lun 0=have|name a target before
		--target disk|not an iSCSI name
		--target $iqn --lun 0=nothing|cannot be opened: No such file
		--target $iqn --lun 0=dir|directory
		--target $iqn --lun x=have|not N=FILE
		--target $iqn --lun 0=have,size=100|a multiple of 512
		--target $iqn --lun 0=have,size=512|is not cut
		--target $iqn --lun 0=have --lun 0=in.secret|this LUN is there already
		--target $iqn --lun 0=have --lun 1=./have|the same file is LUN 0
		--target $iqn --target $iqn|File exists
		--target $iqn --lun 0=have --chap alice|not USER:FILE
		--target $iqn --lun 0=have --chap alice:out.secret|chmod 600
		--target $iqn --lun 0=have --chap-mutual a:in.secret|needs --chap
		--target $iqn --lun 0=have --chap a:in.secret --chap-mutual b:in.secret|have to differ
		--target $iqn --lun 0=have --state nowhere|nowhere
		--target $iqn --lun 0=have --listen 127.0.0.1:x|127.0.0.1:x
		--config nothing|nothing: cannot be read
	END
	is 1048576 "$(stat -c %s have)"
}

test_a_file_that_is_served_is_not_served_twice() {
	truncate -s 1M a
	start --target "$iqn" --lun 0=a
	run "$TARGET" --foreground --listen 127.0.0.1:0 --target "$iqn" --lun 0=a
	is 1 "$status"
	like "*another process*" "$out"
	stop
}

test_the_same_from_a_file() {
	requires iscsi-ls
	cat >conf <<-END
		# an array
		target $iqn
		  lun 0=a,size=1M
		lun 1=b,size=2M

		state .
	END
	is "$iqn" "$("$TARGET" --config conf --list | head -n 1)"
	like "*1  2097152 bytes *  b*" "$("$TARGET" --config conf --list)"
	start --config conf
	iscsi-ls -s "iscsi://127.0.0.1:$port" | grep -q "^Lun:1 "
	stop
	echo "lun 2=a b" >>conf
	echo "speed 9" >>conf
	run "$TARGET" --config conf --list
	like "*conf:8: not an option*" "$out"
}

test_it_goes_to_the_background() {
	requires iscsi-ls
	"$TARGET" --listen 127.0.0.1:0 --target "$iqn" --lun 0=a,size=1M 2>said
	port=$(sed -n 's/.*serving on 127.0.0.1:\([0-9]*\)$/\1/p' said)
	pid=$(fuser a 2>/dev/null | tr -d ' ')
	[ -n "$pid" ] || pid=$(pgrep -f "^$TARGET .*--lun 0=a,size=1M\$" -n)
	defer "kill $pid"
	iscsi-ls "iscsi://127.0.0.1:$port" | grep -q "$iqn"
	run "$TARGET" --listen "127.0.0.1:$port" --target "$iqn" --lun 0=b,size=1M
	is 1 "$status"
	like "*Address already in use*" "$out"
}

test_what_was_written_and_flushed_survives_kill_9() {
	requires qemu-io
	start --target "$iqn" --lun 0=a,size=16M
	qemu-io -f raw -c 'write -P 0x5a 0 4M' -c flush "$(url 0)" >/dev/null 2>err || skip "$(cat err)"
	kill -9 "$pid"
	wait "$pid" || :
	head -c 4M /dev/zero | tr '\0' Z >want
	cmp -n 4194304 want a
	start --target "$iqn" --lun 0=a
	qemu-io -f raw -c 'read -P 0x5a 0 4M' "$(url 0)" >out
	grep -q "read 4194304/4194304" out
	if grep -q "Pattern verification failed" out; then
		fail "other data"
	fi
	stop
}

# Long options, from the table itself.
test_completions_and_the_manual_know_every_option() {
	local option
	# shellcheck disable=SC2013 # they are words
	for option in $(sed -n 's/.*{\(SET\|OPT\)_[A-Z_]*, [a-z_]*_argument, "\([a-z-]*\)".*/\2/p' "$SRC/scsi/target/options.c"); do
		echo "$option" >>options
		grep -q -e "--$option\>" "$SRC/completions/ocp-target.bash" || fail "bash: no --$option"
		grep -q -e "--$option\>" "$SRC/completions/_ocp-target" || fail "zsh: no --$option"
		sed 's/\\-/-/g' "$SRC/man/ocp-target.8" | grep -q -e "-$option\>" || fail "manual: no --$option"
	done
	[ "$(wc -l <options)" -ge 10 ]
	is "--listen=" "$(bash --norc -c ". '$SRC/completions/ocp-target.bash'
		COMP_WORDS=(ocp-target --liste) COMP_CWORD=1; _ocp_target 2>/dev/null; echo \"\${COMPREPLY[*]}\"")"
}

run_tests "$@"
