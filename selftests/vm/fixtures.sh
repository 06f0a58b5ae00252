#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What no other guest test uses of the fixtures.
. "$(dirname "$0")/nfs.lib"

test_a_server_of_ours_listens_when_it_has_started() {
	mkdir www
	echo hello >www/index.html
	start_server 8080 python3 -m http.server --directory www 8080
	exec 3<>/dev/tcp/127.0.0.1/8080
	printf 'GET / HTTP/1.0\r\n\r\n' >&3
	grep -x hello <&3
}

test_a_server_that_ends_is_told() {
	run start_server 8080 sh -c 'echo no such option; exit 1'
	# shellcheck disable=SC2154 # set by run
	[ "$status" != 0 ]
	# shellcheck disable=SC2154 # likewise
	like "*no such option*" "$out"
}

test_servers_end_with_their_test() {
	! listens 8080
}

test_a_mount_of_any_port_and_its_end() {
	knfsd 2050
	nfs_mount / /mnt 2050 127.0.0.1 noac
	echo hello >/mnt/a
	is hello "$(cat /export/a)"
	grep -q '^WRITE ' <(sent_all /mnt)
}

test_a_kernel_server_ends_with_its_test() {
	if listens 2050 || mountpoint -q /mnt || mountpoint -q /export; then
		fail "still there"
	fi
}

run_tests "$@"
