#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# boot: lsm=capability,selinux
# Contexts of SELinux: ocp gives the copies of trees those that cp gives them.
. "$(dirname "$0")/guest.lib"
requires secilc

# One policy for the life of this guest; what it says of paths is below $W.
export LC_ALL=C
W=$T/w
mount -t selinuxfs selinuxfs /sys/fs/selinux
mkdir -p /etc/selinux/test/contexts/files "$W"
printf 'SELINUX=enforcing\nSELINUXTYPE=test\n' >/etc/selinux/config
cat >/etc/selinux/test/contexts/files/file_contexts <<END
$W/[a-z]*/home(/.*)? u:object_r:home_t:s0
$W/[a-z]*/home/.* -l u:object_r:link_t:s0
$W/[a-z]*/none(/.*)? <<none>>
$W/[a-z]*/shut(/.*)? u:object_r:shut_t:s0
END
secilc -c 33 -o "$T/policy" -f /dev/null "$SRC/selftests/vm/selinux.cil"
cat "$T/policy" >/sys/fs/selinux/load
mount -t tmpfs tmpfs "$W"
undo "umount $W"

# as CONTEXT: what this shell makes itself gets it
as() {
	printf %s "$1" >/proc/self/attr/fscreate
}

# What is copied, and where to: the same for both.
mkdir "$W/model"
cd "$W/model"
mkdir home none shut d
echo made >f
as u:object_r:one_t:s0
echo one >one
as u:object_r:two_t:s0:c0
echo two >two
echo old >home/old
echo old >d/old
as ''
ln -s one link
mkdir many
touch many/{named,a,b,c,d}
echo target >home/target
ln -s target home/link
mkdir -p tree/sub
as v:object_r:two_t:s0
echo two >tree/two
echo two >tree/sub/two
as ''
ln -s two tree/sub/link
echo made >tree/sub/made
mkfifo tree/fifo
cp -a "$W/model" "$W/cp"
cp -a "$W/model" "$W/ocp"
# From here on what is refused is refused.
echo 1 >/sys/fs/selinux/enforce

# contexts DIR: of all that is below
contexts() {
	(cd "$1" && ls -1RAZ)
}

# both ARG...: cp and ocp say the same of this, in folders that are alike; leaves it in
# $out and $status
both() {
	local wanted
	cd "$W/cp"
	run cp "$@"
	wanted="${out//cp: /ocp: } [$status]"
	cd "$W/ocp"
	run "$OCP" "$@"
	is "$wanted" "$out [$status]" "ocp $*"
}

# alike [FILE CONTEXT]...: and have made the same of them, the latter with such contexts
alike() {
	local files=() wanted=''
	for (( ; $#; )); do
		files+=("$1") wanted+="$1 $2"$'\n'
		shift 2
	done
	contexts "$W/cp" >"$T/cp.contexts"
	contexts "$W/ocp" >"$T/ocp.contexts"
	diff "$T/cp.contexts" "$T/ocp.contexts" || fail "cp's contexts on the left, ocp's on the right"
	[ ${#files[@]} = 0 ] || is "$wanted" "$(cd "$W/ocp" && stat -c '%n %C' "${files[@]}")"$'\n'
}

test_Z_gives_new_files_the_type_of_their_path() {
	both -Z one home/new
	both -Z one two f home/
	both -rZ tree home
	both -aZ tree home/archive
	both -r --context tree d
	alike home/new u:object_r:home_t:s0 home/tree/sub/link u:object_r:link_t:s0 \
		home/tree/fifo u:object_r:home_t:s0 home/archive/two u:object_r:home_t:s0
}

test_Z_takes_absolute_names() {
	cp -Z "$W/model/one" "$W/cp/home/absolute"
	"$OCP" -Z "$W/model/one" "$W/ocp/home/absolute"
	alike home/absolute u:object_r:home_t:s0
}

test_Z_changes_the_type_of_an_existing_file_alone() {
	both -Z one home/old
	both -Z two d/old
	both -aT tree home/over
	both -aZT tree home/over
	alike home/old u:object_r:home_t:s0:c0 home/over/two v:object_r:home_t:s0
}

test_Z_leaves_to_the_kernel_what_policy_does_not_name() {
	both -Z one none/
	both -Z two d/
	alike none/one u:object_r:made_t:s0 d/two u:object_r:made_t:s0
}

test_Z_of_parents() {
	both -Z --parents tree/sub/two home
	both -Z --parents tree/sub/made home
	alike home/tree/sub u:object_r:home_t:s0
}

test_plain_copies_get_what_the_kernel_gives() {
	both one d/plain
	both -r tree d/plains
	alike d/plain u:object_r:made_t:s0
}

test_kernel_goes_by_the_name_that_a_file_gets() {
	both one d/named
	both -r tree none/named
	both -r many d/
	alike d/named u:object_r:two_t:s0 none/named u:object_r:two_t:s0 d/many/named u:object_r:two_t:s0
}

test_preserve_context_keeps_that_of_new_and_existing_files() {
	both --preserve=context one two d/
	both --preserve=context one d/old
	both --preserve=context two home/link
	both -r --preserve=context tree d
	both -P --preserve=context link d/
	both --preserve=context --parents tree/sub/two none
	alike d/one u:object_r:one_t:s0 d/old u:object_r:one_t:s0 home/target u:object_r:two_t:s0:c0
}

test_archive_keeps_contexts_of_a_tree() {
	both -a tree d/archive
	both -aT home d/archive
	both -a --no-preserve=context tree d/archive2
	both --preserve=xattr two d/xattr
	alike d/archive/sub/two v:object_r:two_t:s0
}

test_context_is_that_of_all_new_files() {
	both --context=u:object_r:two_t:s0 one d/ctx
	both --context=u:object_r:two_t:s0 f home/old
	both -r --context=v:object_r:one_t:s0:c0 tree d/ctxs
	alike d/ctx u:object_r:two_t:s0 d/ctxs/sub/link v:object_r:one_t:s0:c0
}

# cp's -a copies the attribute over it.
test_context_is_stronger_than_archive() {
	(cd "$W/ocp" && "$OCP" -a --context=u:object_r:one_t:s0 tree d/strong)
	is "" "$(find "$W/ocp/d/strong" ! -context u:object_r:one_t:s0)"
	rm -r "$W/ocp/d/strong"
}

# cp's copy of a file gets the context of the link to it.
test_a_followed_link_gives_the_context_of_its_file() {
	(cd "$W/ocp" && "$OCP" --preserve=context link d/followed)
	is u:object_r:one_t:s0 "$(stat -c %C "$W/ocp/d/followed")"
	rm "$W/ocp/d/followed"
}

test_contradictions_and_unknown_contexts_end_the_run() {
	both --preserve=context -Z one d/x
	both --preserve=context --context=u:object_r:one_t:s0 one d/x
	both --context=bogus one d/x
	is 1 "$status"
	LC_ALL=C.UTF-8 both --context=bogus one d/x
}

test_refused_contexts_are_errors() {
	both -Z one shut/
	is 1 "$status"
	like "*cannot create regular file 'shut/one': Permission denied" "$out"
	both --context=u:object_r:shut_t:s0 one d/x
	is 1 "$status"
	[ ! -e "$W/ocp/d/x" ]
}

# shut FILE: in both folders
shut() {
	local dir
	echo 0 >/sys/fs/selinux/enforce
	for dir in cp ocp; do
		chcon u:object_r:shut_t:s0 "$W/$dir/$1"
	done
	echo 1 >/sys/fs/selinux/enforce
}

test_what_cannot_be_kept_is_an_error_only_by_name() {
	echo new >"$W/cp/refused"
	echo new >"$W/ocp/refused"
	shut refused
	both --preserve=context refused d/y
	is 1 "$status"
	both -a refused d/y
	both --preserve=context refused d/old
	is 1 "$status"
	both --preserve=all refused d/old
	like "*failed to set the security context of 'd/old': Permission denied" "$out"
	is 0 "$status"
	both -a refused d/old
	is "" "$out"
	both --preserve=context one /proc/sys/kernel/hostname
	is 1 "$status"
	alike
}

test_workers_do_not_mix_contexts() {
	local i
	mkdir "$W/many"
	for i in {1..100}; do
		as u:object_r:one_t:s0
		: >"$W/many/$i"
		as v:object_r:two_t:s0:c0
		: >"$W/many/other $i"
	done
	as ''
	"$OCP" -a -j 4 "$W/many" "$W/many2"
	is "$(contexts "$W/many")" "$(contexts "$W/many2")"
	"$OCP" -r -j 4 --context=u:object_r:one_t:s0 "$W/many" "$W/many3"
	is "" "$(find "$W/many3" ! -context u:object_r:one_t:s0)"
}

# It is not the client's kernel that labels what a server makes.
test_it_does_not_apply_to_a_room_elsewhere() {
	mkdir "$T/served"
	start_server 2049 "$O/ocp-nfsd" --foreground --listen 127.0.0.1:2049 --state "$T/state" \
		--export "$T/served *(rw,no_root_squash,insecure)"
	run "$OCP" -Z "$W/model/one" "$W/model/two" "nfs://127.0.0.1$T/served/"
	is 0 "$status"
	like "ocp: warning: ignoring --context: 'nfs://127.0.0.1$T/served/"???"' is not in a file system of this machine" "$out"
	run "$OCP" -a "$W/model/one" "nfs://127.0.0.1$T/served/a"
	is "0:" "$status:$out"
	run "$OCP" --preserve=context "$W/model/one" "nfs://127.0.0.1$T/served/x"
	is 1 "$status"
	like "ocp: failed to set the security context of 'nfs://127.0.0.1$T/served/x': *" "$out"
	[ ! -e "$T/served/x" ]
}

run_tests "$@"
