#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp on nfs:// URLs, with the kernel's server: trees there and back, and what a copy on
# the server is on the wire.  Copies first, under one capture: tshark takes seconds to start.
. "$(dirname "$0")/nfs.lib"

knfsd 20490
export_fs plain ext4 64M
export_fs shares xfs 300M
url=nfs://127.0.0.1:20490
head -c 5M /dev/urandom | tee /export/plain/a >/export/shares/a
head -c 70000 /dev/urandom >/export/plain/small

# copy NAME SOURCE TARGET [OPTION...]: what ocp said is kept for the tests
copy() {
	local name=$1 from=$2 to=$3
	shift 3
	mark "$name"
	run timeout 60 "$OCP" "$@" "$from" "$to"
	mark "after $name"
	printf '%s\n' "$out" >"$TEST_DIR/$name.out"
	echo "$status" >"$TEST_DIR/$name.status"
}

capture "$TEST_DIR/wire.pcap" "tcp port 20490"
copy offload "$url/plain/a" "$url/plain/offload" --explain
copy clone "$url/shares/a" "$url/shares/clone" --explain
copy between "$url/plain/a" "$url/shares/between" --explain
copy stream "$url/plain/small" "$url/plain/stream" --explain --offload=never
copy range "$url/shares/a" "$url/shares/range" --explain --reflink=never
captured
operations "$TEST_DIR/wire.pcap" >"$TEST_DIR/wire"

# look NAME DIR SOURCE: the copy was made and is right; its operations are in $seen
look() {
	out=$(cat "$TEST_DIR/$1.out")
	seen=$(section "$1" "$TEST_DIR/wire")
	echo "$out"
	echo "on the wire: $seen"
	is 0 "$(cat "$TEST_DIR/$1.status")" "status"
	same "$3" "/export/$2/$1"
	data="$(times READ "$seen") $(times READ_PLUS "$seen") $(times WRITE "$seen")"
}

test_a_clone_is_one_CLONE_and_no_data() {
	look clone shares /export/shares/a
	like "*  clone *" "$out"
	is "1 0" "$(times CLONE "$seen") $(times COPY "$seen")" "CLONE and COPY"
	is "0 0 0" "$data" "READ, READ_PLUS and WRITE"
}

test_what_cannot_be_cloned_is_COPY_and_no_data() {
	look offload plain /export/plain/a
	like "*  offload *" "$out"
	is "0 0 0" "$data" "READ, READ_PLUS and WRITE"
	[ "$(times COPY "$seen")" -ge 1 ]
}

test_two_exports_of_one_server_are_COPY_and_no_data() {
	look between shares /export/plain/a
	like "*  offload *" "$out"
	is "0 0 0" "$data" "READ, READ_PLUS and WRITE"
	[ "$(times COPY "$seen")" -ge 1 ]
}

test_a_copy_that_may_not_be_cloned_is_COPY() {
	look range shares /export/shares/a
	is "0" "$(times CLONE "$seen")" "CLONE"
	is "0 0 0" "$data" "READ, READ_PLUS and WRITE"
}

test_the_stream_reads_and_writes() {
	look stream plain /export/plain/small
	is "1 0 1" "$data" "READ, READ_PLUS and WRITE"
}

# It lets ours read, as the RFC wants, and does not read from ours unless told to.
test_copies_between_it_and_ours() {
	local other=nfs://127.0.0.1:20491$T/other
	mkdir other
	start_server 20491 "$O/ocp-nfsd" --listen 127.0.0.1:20491 --foreground \
		--export "$T/other *(rw,no_root_squash,insecure)" --state "$T/state" \
		--inter-server=127.0.0.1
	run timeout 60 "$OCP" --explain "$url/plain/a" "$other/to"
	echo "$out"
	same /export/plain/a other/to
	like "*  grant *nothing through this process*" "$out"
	run timeout 60 "$OCP" --explain "$other/to" "$url/plain/back"
	echo "$out"
	same /export/plain/a /export/plain/back
	like "*not by grant: the NFS server of the destination does not copy from other*" "$out"
	rm /export/plain/back
}

test_nothing_that_was_said_is_malformed() {
	is "" "$(decode "$TEST_DIR/wire.pcap" "_ws.malformed" frame.number)"
	[ -n "$(decode "$TEST_DIR/wire.pcap" "nfs.opcode == 60" frame.number)" ]
}

# a tree with all kinds of things at $1
make_tree() {
	mkdir -p "$1/deep/er" "$1/empty"
	head -c 30000 /dev/urandom | (cd "$1/deep" && split -b 4000 --numeric-suffixes=1 -a 1 - f)
	printf hello | dd of="$1/sparse" bs=1 seek=1000000 status=none
	truncate -s 2M "$1/sparse"
	ln -s deep/f1 "$1/link"
	ln "$1/deep/f2" "$1/deep/er/hard"
	mkfifo "$1/pipe"
	mknod "$1/dev" c 1 3
	chmod 4755 "$1/deep/f3"
	chmod 0 "$1/deep/f4"
	chown 1234:2345 "$1/deep/f5" "$1/deep/er"
	touch "$1/deep/a name" "$1/deep/what?"
	setfattr -n user.colour -v blue "$1/deep/f6"
	setfattr -n user.empty "$1/deep"
	touch -h -d 2001-02-03T04:05:06.123456789Z "$1/link" "$1/deep/f7" "$1/pipe"
	touch -d 2002-02-03 "$1/deep/er" "$1/deep"
}

# all that -a keeps, of the tree $1
list_tree() {
	(cd "$1" && find . -printf '%p %y %m %U %G %n %T@ %l\n' | sort &&
		find . -type f -print0 | sort -z | xargs -0 md5sum &&
		getfattr -R -d -m '^user' . 2>/dev/null)
}

test_trees_go_there_and_back() {
	make_tree /export/plain/here # tmpfs of 6.1 has no extended attributes
	list_tree /export/plain/here >"$T/wanted"
	timeout 60 "$OCP" -a /export/plain/here "$url/plain/tree"
	list_tree /export/plain/tree | diff "$T/wanted" -
	timeout 60 "$OCP" -a "$url/plain/tree" "$url/shares/tree"
	list_tree /export/shares/tree | diff "$T/wanted" -
	timeout 60 "$OCP" -a "$url/shares/tree" /export/plain/back
	list_tree /export/plain/back | diff "$T/wanted" -
}

test_holes_stay_holes() {
	printf hello | dd of=/export/plain/holes bs=1 seek=5000000 status=none
	truncate -s 20M /export/plain/holes
	timeout 60 "$OCP" "$url/plain/holes" "$url/shares/holes"
	same /export/plain/holes /export/shares/holes
	[ "$(stat -c %b /export/shares/holes)" -lt 1000 ]
}

test_a_file_is_not_copied_over_itself() {
	cp /export/plain/a /export/plain/self
	run timeout 60 "$OCP" "$url/plain/self" nfs://localhost:20490/plain/self
	is 1 "$status" "status"
	same /export/plain/a /export/plain/self
}

# knfsd of 6.1 forgets a copy when it has sent CB_OFFLOAD, that of 6.12 sends none.
test_a_lost_CB_OFFLOAD_does_not_hang() {
	mkfifo in out
	"$O/selftests/nfs/proxy" 20490 --deaf <in >out &
	defer "kill $! 2>/dev/null || :"
	exec 7>in 8<out
	read -r port <&8
	timeout 60 "$OCP" --explain nfs://127.0.0.1:"$port"/plain/a nfs://127.0.0.1:"$port"/plain/deaf
	same /export/plain/a /export/plain/deaf
}

run_tests "$@"
