#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp-nfsd confined to what it exports: --landlock.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=selftests/nfs/serve.lib
. "$(dirname "$0")/serve.lib"
requires setpriv

# can_confine: the kernel has Landlock; asked by a server that has to
can_confine() {
	chmod 755 "$T" "$TEST_DIR"
	mkdir -p "$T/etc" "$T/in/below" "$T/out" "$T/a.state"
	chmod 777 "$T/in" "$T/in/below" "$T/out" "$T/a.state"
	echo "$T/in *(rw,insecure)" >"$T/etc/exports"
	start probe 127.0.0.1:0 "--export=$T/in *(rw)" --landlock=on && stop_it probe && return
	! grep -q 'this kernel cannot' "$T/probe.log" || skip "no Landlock"
	fail "$(cat "$T/probe.log")"
}

stop_it() {
	kill "$(cat "$T/$1.pid")"
}

# reload PATTERN: SIGHUP, until the log says so
reload() {
	kill -HUP "$(cat "$T/a.pid")"
	for _ in $(seq 1200); do
		! grep -q "$1" "$T/a.log" || return 0
		sleep 0.05
	done
	fail "$(cat "$T/a.log")"
}

as_user() {
	AS="setpriv --reuid 65534 --regid 65534 --clear-groups" EXPORTS="--exports=$T/etc/exports" serve a "$@"
}

test_without_root_nothing_outside_of_the_exports_can_be_opened() {
	can_confine
	as_user
	echo "$T/out *(rw,insecure)" >>"$T/etc/exports"
	reload 'stay as they were'
	like "*$T/out: cannot export: Permission denied: the server confined itself*" "$(cat "$T/a.log")"
}

test_landlock_off_opens_what_is_exported_later() {
	can_confine
	as_user --landlock=off
	echo "$T/out *(rw,insecure)" >>"$T/etc/exports"
	reload 'exports read'
}

test_what_is_below_an_export_can_be_exported_later() {
	can_confine
	as_user
	echo "$T/in/below *(rw,insecure)" >>"$T/etc/exports"
	reload 'exports read'
}

test_another_exports_file_in_the_place_of_the_old_one_is_read() {
	can_confine
	as_user
	echo "$T/in *(ro,insecure)" >"$T/etc/new"
	mv "$T/etc/new" "$T/etc/exports"
	reload 'exports read'
	echo hello >"$T/file"
	run timeout 30 "$OCP" "$T/file" "nfs://127.0.0.1:$port$T/in/file"
	is 1 "$status" "status"
	like "*Read-only file system*" "$out"
}

# Copies, names, links and devices of a confined server of root.
test_a_confined_server_serves_all() {
	can_confine
	EXPORTS="--export=$T/in *(rw,no_root_squash,insecure)" serve a --landlock=on
	local url=nfs://127.0.0.1:$port$T/in
	mkdir -p "$T/tree/deep" "$T/back"
	head -c 3M /dev/urandom >"$T/tree/large"
	ln "$T/tree/large" "$T/tree/deep/hard"
	ln -s large "$T/tree/link"
	mkfifo "$T/tree/pipe"
	mknod "$T/tree/dev" c 1 3
	chown 1234:2345 "$T/tree/deep"
	timeout 60 "$OCP" -a "$T/tree" "$url/there"
	timeout 60 "$OCP" -a "$url/there" "$url/again"
	kill -KILL "$(cat "$T/a.pid")"
	EXPORTS="--export=$T/in *(rw,no_root_squash,insecure)" serve a --landlock=on
	timeout 60 "$OCP" -a "$url/again" "$T/back/tree"
	(cd "$T/tree" && find . -printf '%p %y %m %U %G %n\n' | sort) >"$T/wanted"
	(cd "$T/back/tree" && find . -printf '%p %y %m %U %G %n\n' | sort) | diff "$T/wanted" -
	same "$T/tree/large" "$T/back/tree/large"
}

test_what_cannot_be_confined_is_not_served_when_it_has_to_be() {
	can_confine
	! start b 127.0.0.1:0 "--export=nfs://127.0.0.1:1/x *(rw)" --landlock=on || fail "it serves"
	start b 127.0.0.1:0 "--export=mem:x *(rw)" --landlock=on && fail "it serves"
	run "$O/ocp-nfsd" --landlock=perhaps
	is 2 "$status" "status"
	like "*not auto, on or off*" "$out"
}

run_tests "$@"
