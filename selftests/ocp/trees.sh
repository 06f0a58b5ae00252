#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Trees as they come: deep, wide, with odd names, odd rights; and being interrupted.
. "$(dirname "$0")/../lib.sh"

# no_difference SRC DST: nothing that rsync would still have to do
no_difference() {
	is "" "$(rsync -naciHAX --delete "$1/" "$2/")" "differences"
}

# deep_tree DIR LEVELS: names of 200 bytes, a file and a side branch at each level
deep_tree() {
	local name i
	name=$(printf 'd%.0s' {1..200})
	mkdir "$1"
	(
		cd "$1" || exit
		for ((i = 0; i < $2; i++)); do
			mkdir side "$name"
			echo "$i" >file
			echo "$i" >side/file
			cd -P "./$name" || exit
		done
	)
}

# depth DIR: levels of it whose files are right
depth() {
	local i=0
	(
		cd "$1" || exit
		while [ -e file ] && [ "$(cat file side/file)" = "$i"$'\n'"$i" ]; do
			i=$((i + 1))
			cd -P ./ddd* || exit
		done
		echo "$i"
	)
}

test_deeper_than_PATH_MAX_with_few_descriptors() {
	local jobs
	deep_tree src 60
	for jobs in 1 4; do
		(
			ulimit -n 64
			"$OCP" -a -j "$jobs" src "dst$jobs"
		)
		is 60 "$(depth "dst$jobs")"
	done
}

test_names_of_any_bytes() {
	local name
	mkdir src
	for name in 'a b' $'new\nline' $'\001\377' "-r" "'" '"' "$(printf 'x%.0s' {1..255})" .hidden '*'; do
		echo "$name" >"src/$name"
		mkdir "src/d${name:0:200}"
		touch "src/d${name:0:200}/"{1,2,3,4}
	done
	"$OCP" -a src dst
	no_difference src dst
	"$OCP" -a src/* dst
	touch -r src dst
	no_difference src dst
}

test_hard_links_across_directories_and_operands() {
	mkdir -p src/{a,b,c}/{1,2} dst
	echo one >src/a/1/f
	ln src/a/1/f src/b/2/f
	ln src/a/1/f src/c/f
	echo two >src/b/g
	ln src/b/g src/c/2/h
	"$OCP" -a src/a src/b src/c dst
	is 1 "$(stat -c %i dst/a/1/f dst/b/2/f dst/c/f | sort -u | wc -l)"
	is 1 "$(stat -c %i dst/b/g dst/c/2/h | sort -u | wc -l)"
	touch -r src dst
	no_difference src dst
}

test_acl_and_xattr() {
	requires setfacl setfattr
	mkdir -p src/sub plain with
	echo x >src/acl
	echo y >src/none
	setfattr -n user.colour -v blue src/acl src/sub
	setfacl -m u:1234:rw,g:77:r src/acl 2>/dev/null || skip "no ACLs here"
	setfacl -d -m u:1234:rwx src/sub
	"$OCP" -a src plain
	no_difference src plain/src
	setfacl -d -m u:99:rwx,o::r with
	"$OCP" -a src with
	no_difference src with/src
	"$OCP" -rp src with/p
	is "$(cd src && getfacl -R .)" "$(cd with/p && getfacl -R .)"
}

test_without_rights_to_give_files_away() {
	requires root setpriv
	mkdir src
	echo x >src/f
	chmod 6755 src/f
	chown 7:7 src/f
	mkdir -m 555 src/ro
	echo y >src/ro/g
	chmod 444 src/ro/g
	chmod 755 .
	mkdir -m 777 out
	setpriv --reuid=1000 --regid=1000 --clear-groups "$OCP" -a src out/dst
	is "1000 755" "$(stat -c '%u %a' out/dst/f)"
	is "555 444" "$(stat -c %a out/dst/ro out/dst/ro/g | xargs)"
}

test_an_unreadable_file_is_told_and_the_rest_is_copied() {
	requires root setpriv
	mkdir -m 755 src
	echo x >src/a
	echo x >src/b
	echo x >src/c
	chmod 000 src/b
	chmod 755 .
	mkdir -m 777 out
	run setpriv --reuid=1000 --regid=1000 --clear-groups env LC_ALL=C "$OCP" -r src out/dst
	is 1 "$status"
	is "ocp: cannot open 'src/b' for reading: Permission denied" "$out"
	is "a c" "$(cd out/dst && echo *)"
}

test_into_itself_makes_nothing() {
	mkdir -p src/sub
	LC_ALL=C run "$OCP" -a src src/sub
	is 1 "$status"
	is "ocp: cannot copy a directory, 'src', into itself, 'src/sub/src'" "$out"
	is "" "$(ls -A src/sub)"
}

test_a_full_disk() {
	requires tmpfs
	mkdir small src
	mount -t tmpfs -o size=1m none small
	head -c 300K /dev/urandom >src/a
	head -c 3M /dev/urandom >src/big
	head -c 200K /dev/urandom >src/c
	LC_ALL=C run "$OCP" -r src small/dst
	is 1 "$status"
	is "ocp: error writing 'small/dst/big': No space left on device" "$out"
	same src/a small/dst/a
	same src/c small/dst/c
	is "a c" "$(cd small/dst && echo *)"
	is "" "$(find small -name '.*.ocp-*')"
}

test_SIGTERM_leaves_only_whole_files() {
	local i pid
	mkdir src
	for i in 1 2 3 4; do
		mkdir "src/$i"
		head -c 200K /dev/urandom | tee "src/$i"/{a,b,c,d} >/dev/null
	done
	mkfifo gate
	mkdir out
	# The copy of the pipe's content waits: what the signal meets is in the middle.
	LC_ALL=C "$OCP" -r --copy-contents src gate out 2>err &
	pid=$!
	exec 7>gate
	echo part >&7
	until [ "$(find out/src -name '.*.ocp-*' -prune -o -type f -print 2>&1 | wc -l)" = 16 ]; do :; done
	kill -TERM "$pid"
	i=0
	wait "$pid" || i=$?
	exec 7>&-
	is 143 "$i"
	is "" "$(diff -r src out/src)"
	[ ! -e out/gate ] || fail "an incomplete file has its name"
	is "" "$(find out -name '.*.ocp-*')"
}

# Wherever the signal meets the walk: no directory keeps its temporary name.
test_SIGTERM_at_any_moment_leaves_no_temporary_name() {
	local i n pid
	for n in 0 1 2 3 4 5 6 7 8 9; do
		for i in 0 1 2 3 4 5 6 7 8 9; do
			mkdir -p "src/$n/$i"
			echo "$n$i" | tee "src/$n/$i"/{a,b,c,d} >/dev/null
		done
	done
	for i in 0 1 2 3 4; do
		for n in 0 1 2 3 4 5; do
			rm -rf out
			mkdir out
			"$OCP" -a src out 2>err &
			pid=$!
			sleep "0.00$n"
			kill -TERM "$pid" 2>/dev/null || :
			wait "$pid" || :
			is "" "$(find out -name '.*.ocp-*')"
			is "" "$(diff -r src out/src 2>&1 | grep -v '^Only in src' | grep -v 'No such file')"
		done
	done
}

test_files_of_a_new_directory_get_their_own_modes_and_owners() {
	local n mode
	requires root
	mkdir -p src/d ours theirs
	n=0
	for mode in 644 644 644 644 644 644 600 4755 644 644; do
		n=$((n + 1))
		echo "$n" >"src/d/$n"
		chown "$((n % 3 * 1000)):$((n % 2 * 1000))" "src/d/$n"
		chmod "$mode" "src/d/$n"
	done
	for dst in ours theirs; do
		chgrp 1234 "$dst"
		chmod g+s "$dst"
	done
	"$OCP" -a src ours
	cp -a src theirs
	is "$(cd theirs && stat -c '%n %a %u %g' src/d/*)" "$(cd ours && stat -c '%n %a %u %g' src/d/*)"
	umask 027
	"$OCP" -r src ours/plain
	cp -r src theirs/plain
	is "$(cd theirs && stat -c '%n %a %u %g' plain/d/*)" "$(cd ours && stat -c '%n %a %u %g' plain/d/*)"
}

test_dry_run_makes_nothing() {
	mkdir -p src/d dst
	touch src/d/f
	ln -s f src/d/l
	"$OCP" -a --dry-run src dst >said
	is "" "$(ls -A dst)"
	like "*src/d/f*dst/src/d/f*" "$(cat said)"
}

test_link_to_a_directory_in_the_target_is_not_followed() {
	mkdir -p src/d elsewhere dst/src
	touch src/d/f
	ln -s "$T/elsewhere" dst/src/d
	LC_ALL=C run "$OCP" -r src dst
	is 1 "$status"
	is "ocp: cannot overwrite non-directory 'dst/src/d' with directory 'src/d'" "$out"
	is "" "$(ls -A elsewhere)"
}

# Where cp clones the file, zeros and all.
test_sparse_always_makes_holes_where_files_could_be_cloned() {
	requires btrfs xfs
	local dir
	for type in btrfs xfs; do
		dir=$(make_fs "$type" 300M)
		head -c 4M /dev/zero >"$dir/a"
		head -c 1M /dev/urandom >>"$dir/a"
		head -c 100000 /dev/zero >>"$dir/a"
		"$OCP" --sparse=always "$dir/a" "$dir/b"
		sync
		same "$dir/a" "$dir/b"
		[ "$(stat -c %b "$dir/b")" -lt 2100 ] || fail "$type: $(stat -c %b "$dir/b") blocks"
	done
}

test_three_thousand_levels_take_little_memory() {
	requires python3 jq /usr/bin/time
	! nm "$OCP" | grep -q __asan_init || skip "a sanitizer's memory is not the program's"
	python3 -IS - <<-'END'
		import os
		at = os.open(".", os.O_RDONLY)
		for _ in range(3000):
		    os.mkdir("directory", dir_fd=at)
		    down = os.open("directory", os.O_RDONLY, dir_fd=at)
		    os.close(at)
		    at = down
		os.close(os.open("end", os.O_CREAT | os.O_WRONLY, dir_fd=at))
	END
	/usr/bin/time -f %M -o kib "$OCP" -a --json=report directory copy
	is "3000 1" "$(jq -r '[.directories, .files] | join(" ")' report)"
	[ "$(cat kib)" -lt 16384 ] || fail "$(cat kib) KiB"
}

run_tests "$@"
