#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp on URLs of a server that others wrote: nfs-ganesha of Debian 12, which has neither
# CLONE nor COPY (packages nfs-ganesha, nfs-ganesha-vfs).

# start_server PORT
start_server() {
	requires root ganesha.nfsd python3
	dir=$TEST_DIR/export path=/export
	port=$1
	[ "$port" != 0 ] || port=$(python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	mkdir -p "$dir"
	cat >"$TEST_DIR/ganesha.conf" <<-END
		NFS_CORE_PARAM { Protocols = 4; NFS_Port = $port; Bind_addr = 127.0.0.1;
			Enable_NLM = false; Enable_RQUOTA = false; fsid_device = true; }
		NFSV4 { Grace_Period = 5; Lease_Lifetime = 9; Minor_Versions = 1, 2;
			Only_Numeric_Owners = true; RecoveryRoot = $TEST_DIR/recovery; }
		EXPORT { Export_Id = 7; Path = $dir; Pseudo = $path; Access_Type = RW;
			Squash = No_Root_Squash; SecType = sys; Transports = TCP; Protocols = 4;
			PrivilegedPort = false; FSAL { Name = VFS; } }
	END
	ganesha.nfsd -F -f "$TEST_DIR/ganesha.conf" -L "$TEST_DIR/ganesha.log" -p "$TEST_DIR/ganesha.pid" \
		>/dev/null 2>&1 &
	echo $! >"$TEST_DIR/server.pid"
	disown
	for _ in $(seq 600); do
		! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || return 0
		kill -0 "$(cat "$TEST_DIR/server.pid")" 2>/dev/null || break
		sleep 0.1
	done
	skip "nfs-ganesha does not serve: $(tail -n 1 "$TEST_DIR/ganesha.log")"
}

# shellcheck source=selftests/nfs/client.lib
. "$(dirname "$0")/client.lib"

test_what_the_server_cannot_do_is_said() {
	head -c 1M /dev/urandom >"$dir/from"
	run timeout 60 "$OCP" --explain "$url/from" "$url/to"
	same "$dir/from" "$dir/to"
	like "*not by clone: *NFS4ERR_NOTSUPP*" "$out"
	like "*not by offload: *NFS4ERR_NOTSUPP*" "$out"
	rm "$dir/from" "$dir/to"
}

# Neither lets the other kind of server read, nor reads itself from one.
test_no_copies_between_it_and_other_servers() {
	local nfsd=$O/ocp-nfsd other
	[ -x "$nfsd" ] || skip "no ocp-nfsd in this build"
	mkdir "$T/other"
	"$nfsd" -l 127.0.0.1:0 -e "$T/other *(rw,no_root_squash,insecure)" -s "$T/state" -f \
		--inter-server=127.0.0.1 2>"$T/log" &
	defer "kill $!"
	until grep -q serving "$T/log"; do
		kill -0 $!
		sleep 0.05
	done
	other=nfs://$(sed -n 's/.*serving on //p' "$T/log")$T/other
	head -c 2M /dev/urandom >"$dir/from"
	run timeout 60 "$OCP" --explain "$url/from" "$other/to"
	same "$dir/from" "$T/other/to"
	like "*not by grant: the NFS server of the source lets no other server read*" "$out"
	run timeout 60 "$OCP" --explain "$other/to" "$url/back"
	same "$dir/from" "$dir/back"
	like "*not by grant: the NFS server of the destination does not copy from other *" "$out"
	rm "$dir/from" "$dir/back"
}

# shellcheck disable=SC2046 # names have no blanks
[ $# -gt 0 ] || set -- $(sed -n 's/^\(test_[A-Za-z0-9_]*\)().*/\1/p' "$(dirname "$0")/client.lib" "$0")
run_tests "$@"
