#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp on URLs of servers that speak only NFS 3 or 4.0: nfs-ganesha of Debian 12.

# Version 3 of ganesha wants a portmapper, whose port is fixed: both get a network of their own.
if [ "$(id -u)" = 0 ] && [ -z "${OLD_NET-}" ] && unshare --net true 2>/dev/null; then
	OLD_NET=1 exec unshare --net -- "$(dirname "$0")/${0##*/}" "$@"
fi

grep -q '^#define CONFIG_FS_LIBNFS 1' "${O:-build}/include/generated/autoconf.h" || no_libnfs=1

portmapper() {
	[ -n "${OLD_NET-}" ] || skip "no network of its own"
	ip link set lo up
	mount -t tmpfs none /run
	mkdir -p /run/rpcbind /run/lock
	rpcbind -f -i -w &
	echo "kill $! 2>/dev/null" >>"$TEST_DIR/.defer"
	disown
	for _ in $(seq 600); do
		! (: <"/dev/tcp/127.0.0.1/111") 2>/dev/null || return 0
		sleep 0.1
	done
	fail "rpcbind does not serve"
}

# start_server PORT: $protocols and $minors are what it speaks
start_server() {
	[ -z "${no_libnfs-}" ] || skip "no libnfs in this build"
	needs_ganesha
	requires rpcbind
	[ "$1" != 0 ] || portmapper
	dir=$TEST_DIR/export path=$dir
	port=$1
	[ "$port" != 0 ] || port=$(free_port)
	mountport=${mountport-$(free_port)}
	mkdir -p "$dir"
	gone "$port" "$mountport"
	ganesha "$port" "${protocols-3, 4}" "${minors-0}" "MNT_Port = $mountport; mount_path_pseudo = false;"
}

# shellcheck source=selftests/nfs/ganesha.lib
. "$(dirname "$0")/ganesha.lib"
# shellcheck source=selftests/nfs/client.lib
. "$(dirname "$0")/client.lib"

# micro: times as version 3 gets them from libnfs
micro() {
	sed -E 's/(\.[0-9]{6})[0-9]*$/\1/'
}

# old_tree VERSION FILTER: three copies of a tree, each compared
old_tree() {
	local end="?version=$1&mountport=$mountport" filter=$2 first=there.$RANDOM second=again.$RANDOM
	make_tree "$T/tree"
	list_tree "$T/tree" | $filter >"$T/wanted"
	timeout 100 "$OCP" -a "$T/tree" "$url/$first$end"
	list_tree "$dir/$first" | $filter | diff "$T/wanted" -
	timeout 100 "$OCP" -a "$url/$first$end" "$url/$second$end"
	list_tree "$dir/$second" | $filter | diff "$T/wanted" -
	timeout 100 "$OCP" -a "$url/$second$end" "$T/back"
	list_tree "$T/back" | $filter | diff "$T/wanted" -
	rm -rf "${dir:?}/$first" "${dir:?}/$second"
}

test_trees_go_there_and_back_by_version_3() {
	old_tree 3 micro
}

test_trees_go_there_and_back_by_version_4_0() {
	old_tree 4.0 cat
}

# Directories get their names when others are at work in them: with nothing but small
# ones, that is all the time.  libnfs asks by paths.
renamed_dirs() {
	local end="?version=$1&mountport=$mountport" a b
	for a in $(seq 40); do
		for b in $(seq 6); do
			mkdir -p "$T/tree/$a/$b/empty"
			echo "$a.$b" >"$T/tree/$a/$b/small"
		done
	done
	for a in 1 2 3; do
		timeout 100 "$OCP" -aj 16 "$T/tree" "$url/many.$1.$a$end"
		diff -r "$T/tree" "$dir/many.$1.$a"
	done
	rm -r "$dir"/many.*
}

test_directories_are_renamed_with_others_at_work_below_version_3() {
	renamed_dirs 3
}

test_directories_are_renamed_with_others_at_work_below_version_4_0() {
	renamed_dirs 4.0
}

# A rename of what nobody has open waits for nobody, and nobody for it.
test_files_are_replaced_with_others_at_work_by_version_3() {
	local end="?version=3&mountport=$mountport" a
	for a in $(seq 400); do
		mkdir -p "$T/tree/$((a % 10))"
		echo "$a" >"$T/tree/$((a % 10))/$a"
	done
	timeout 100 "$OCP" -aj 16 "$T/tree" "$url/replaced$end"
	find "$T/tree" -type f -exec sed -i 's/^/new /' {} +
	timeout 100 "$OCP" -aj 16 --atomic -T "$T/tree" "$url/replaced$end"
	diff -r "$T/tree" "$dir/replaced"
	rm -r "$dir/replaced"
}

test_why_the_server_does_not_copy_is_said() {
	head -c 3M /dev/urandom >"$dir/from"
	run timeout 60 "$OCP" --explain "$url/from?version=3&mountport=$mountport" \
		"$url/to?version=3&mountport=$mountport"
	same "$dir/from" "$dir/to"
	like "*not by offload: *asks for NFS 3*" "$out"
	run timeout 60 "$OCP" --explain "$url/from?version=4.0" "$url/to?version=4.0"
	like "*not by clone: *asks for NFS 4.0*" "$out"
	rm "$dir/from" "$dir/to"
}

test_without_a_version_the_newest_that_the_server_speaks_is_found() {
	head -c 3M /dev/urandom >"$dir/old"
	run timeout 60 "$OCP" --explain "$url/old?mountport=$mountport" "$url/new?mountport=$mountport"
	same "$dir/old" "$dir/new"
	like "*the server speaks NFS 3, neither 4.2 nor 4.1*" "$out"
	run timeout 60 "$OCP" --explain "$url/old?version=4" "$url/new?version=4"
	like "*the server speaks NFS 4.0, neither 4.2 nor 4.1*" "$out"
	run timeout 60 "$OCP" "$url/old?version=4.1" "$T/x"
	like "*Protocol not supported*" "$out"
	rm "$dir/old" "$dir/new"
}

test_a_server_that_refuses_version_4_is_asked_by_3() {
	stop_server
	protocols=3 start_server "$port"
	head -c 3M /dev/urandom >"$dir/one"
	run timeout 60 "$OCP" --explain "$url/one?mountport=$mountport" "$url/two?mountport=$mountport"
	same "$dir/one" "$dir/two"
	like "*the server speaks NFS 3, neither 4.2 nor 4.1*" "$out"
	rm "$dir/one" "$dir/two"
	stop_server
	start_server "$port"
}

test_a_restart_of_a_server_of_version_3_is_waited_out() {
	head -c 60M /dev/urandom >"$T/file"
	proxy --slow 50
	timeout 100 "$OCP" "$T/file" "$via/written?version=3&mountport=$mountport" &
	copy=$!
	flowing "$copy"
	restarted
	wait "$copy"
	same "$T/file" "$dir/written"
	rm "$dir/written"
}

test_a_hung_server_of_version_3_is_given_up_in_time() {
	head -c 60M /dev/urandom >"$T/file"
	proxy --slow 50
	timeout 60 "$OCP" "$T/file" "$via/hung?version=3&mountport=$mountport&timeout=3" \
		>"$T/said" 2>&1 &
	flowing $!
	say hang
	wait $! || status=$?
	is 1 "${status-0}" "status"
	like "*timed out*" "$(cat "$T/said")"
}

test_a_signal_ends_it_before_a_hung_server_of_version_3() {
	head -c 60M /dev/urandom >"$T/file"
	proxy --slow 50
	timeout 60 "$OCP" "$T/file" "$via/stopped?version=3&mountport=$mountport" >"$T/said" 2>&1 &
	flowing $!
	say hang
	kill -TERM $!
	wait $! || status=$?
	[ "${status-0}" != 124 ]
}

test_a_file_is_not_copied_over_itself_by_version_3() {
	echo precious >"$dir/self"
	run timeout 60 "$OCP" "$url/self?version=3&mountport=$mountport" \
		"nfs://localhost:$port$path/self?version=3&mountport=$mountport"
	is 1 "$status" "status"
	like "*are the same file*" "$out"
	is precious "$(cat "$dir/self")"
}

test_the_URL_says_who_writes_by_version_3() {
	requires root
	local end="version=3&mountport=$mountport"
	mkdir -m 755 "$dir/theirs"
	chown 1234:2345 "$dir/theirs"
	echo hello >"$T/file"
	timeout 60 "$OCP" "$T/file" "$url/theirs/one?uid=1234&gid=2345&$end"
	is "1234 2345" "$(stat -c '%u %g' "$dir/theirs/one")" "owner"
	run timeout 60 "$OCP" "$T/file" "$url/theirs/two?uid=1235&gid=2346&$end"
	is 1 "$status" "status"
	like "*Permission denied*" "$out"
}

# shellcheck disable=SC2046 # names have no blanks
[ $# -gt 0 ] || set -- $(sed -n 's/^\(test_[A-Za-z0-9_]*\)().*/\1/p' "$0")
run_tests "$@"
