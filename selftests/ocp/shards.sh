#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Many runs that copy one tree together, lists of sources, and a line an event.
. "$(dirname "$0")/../lib.sh"
[ -x "$OCP" ] || skip "no ocp in this build"
faults=$("$OCP" -T "fault::$0" "$TEST_DIR/probe" 2>/dev/null && echo yes) || :

# big_tree DIR: files, links of both kinds, empty directories, odd modes and times
big_tree() {
	local i
	mkdir -p "$1"
	for i in $(seq 12); do
		mkdir -p "$1/d$i/e/f" "$1/d$i/empty"
		echo "$i" >"$1/d$i/a"
		seq "$i" >"$1/d$i/e/b"
		seq "$((i * 100))" >"$1/d$i/e/f/c"
		ln "$1/d$i/a" "$1/d$i/e/link"
		ln -s ../a "$1/d$i/e/symlink"
	done
	ln "$1/d1/a" "$1/d12/e/f/far"
	mkfifo "$1/d3/fifo"
	chmod 750 "$1/d2" "$1/d3/e"
	chmod 555 "$1/d4" "$1/d4/e"
	find "$1" -depth -exec touch -h -d '2001-02-03 04:05:06.5' {} +
}

# listing DIR: what -a keeps; links as groups of names
listing() {
	(
		cd "$1" || exit
		find . \( -type d -printf '%P d %m %U:%G %T@\n' \) -o -printf '%P %y %m %U:%G %s %n %T@ %l\n' | sort
		find . -type f -exec sha256sum {} + | sort -k 2
		find . -type f -links +1 -printf '%i %P\n' | sort |
			awk '{ names[$1] = names[$1] " " $2 } END { for (i in names) print names[i] }' | sort
	)
}

# parts N ORDER...: what each of these runs leaves together
parts() {
	local n=$1
	shift
	rm -rf dst
	for i; do
		"$OCP" -a --shard="$i/$n" -T src dst
	done
	listing dst | diff want - || fail "$n parts in the order $*"
}

test_parts_make_exactly_the_tree_in_any_order() {
	big_tree src
	listing src >want
	parts 1 1
	parts 2 1 2
	parts 2 2 1
	parts 3 3 1 2
	parts 7 7 6 5 4 3 2 1
}

test_parts_run_at_once() {
	local i round
	big_tree src
	listing src >want
	for round in 1 2 3 4 5; do
		rm -rf dst
		for i in 1 2 3 4; do
			"$OCP" -a --shard="$i/4" -T src dst &
		done
		for i in 1 2 3 4; do
			wait -n
		done
		listing dst | diff want - || fail "round $round"
	done
}

test_parts_of_a_user_with_directories_he_may_not_write_to() {
	requires root setpriv
	big_tree src
	chown -R 1000:1000 .
	find src -depth -exec touch -h -d '2001-02-03 04:05:06.5' {} +
	chmod 755 ..
	listing src >want
	for i in 3 1 2; do
		setpriv --reuid=1000 --regid=1000 --clear-groups "$OCP" -a --shard="$i/3" -T src dst
	done
	listing dst | diff want -
}

test_every_file_belongs_to_one_part() {
	big_tree src
	for i in 1 2 3; do
		"$OCP" -r --shard="$i/3" -T src "part$i"
		(cd "part$i" && find . ! -type d) >>all
		[ "$(find "part$i" -type f | wc -l)" -gt 5 ]
	done
	is "$(cd src && find . ! -type d | sort)" "$(sort all)"
}

test_the_parts_do_not_depend_on_where_a_run_starts() {
	big_tree src
	mkdir one two
	"$OCP" -a --shard=1/2 src one
	(cd /tmp && "$OCP" -a --shard=1/2 "$T/src" "$T/two")
	diff <(cd one && find . | sort) <(cd two && find . | sort)
}

test_files_on_the_command_line_are_shared_out_too() {
	touch a b c d e f
	mkdir dst
	for i in 1 2 3; do
		"$OCP" --shard="$i/3" a b c d e f dst
	done
	is "a b c d e f" "$(cd dst && echo *)"
}

test_names_come_from_a_file_or_a_pipe() {
	mkdir -p 'x/sub dir' dst dst2 dst3
	touch x/a $'x/new\nline' 'x/sub dir/b'
	printf '%s\0' x/a $'x/new\nline' 'x/sub dir' >list
	"$OCP" -r --files0-from=list dst
	[ -e dst/a ] && [ -e $'dst/new\nline' ] && [ -e 'dst/sub dir/b' ]
	find x -type f -print0 | "$OCP" --parents --files0-from=- -t dst2
	diff -r x dst2/x
	printf x/a | "$OCP" --files0-from=- dst3
	[ -e dst3/a ]
	: | "$OCP" --files0-from=- dst3
}

test_one_name_needs_a_directory_too() {
	touch a
	run "$OCP" --files0-from=<(printf 'a\0') nowhere
	is 1 "$status"
	[ ! -e nowhere ]
}

test_an_empty_name_is_refused() {
	mkdir dst
	touch a b
	run "$OCP" --files0-from=<(printf 'a\0\0b\0') dst
	is 1 "$status"
	like "ocp: *:2: invalid zero-length file name" "$out"
	is "" "$(ls dst)"
}

test_many_names() {
	mkdir src dst
	(cd src && seq 3000 | xargs touch)
	find src -type f -print0 | "$OCP" --files0-from=- dst
	diff -r src dst
}

test_a_line_for_each_file_and_the_summary_last() {
	requires jq
	mkdir -p src/sub
	seq 10 >src/a
	seq 20 >src/sub/b
	: >$'src/\xff'
	"$OCP" -r --json=lines -T src dst >out
	is 4 "$(jq -c . <out | wc -l)"
	is summary "$(tail -n 1 out | jq -r .type)"
	is 3 "$(tail -n 1 out | jq .files)"
	is 0 "$(tail -n 1 out | jq .failed)"
	is "dst/sub/b true 51" "$(jq -r 'select(.source == "src/sub/b") | "\(.destination) \(.done) \(.bytes)"' out)"
	is 51 "$(jq -r 'select(.source == "src/sub/b") | [.strategies[].bytes] | add' out)"
	is 7372632fff "$(jq -r 'select(.source_hex) | .source_hex' out)"
	"$OCP" -r --json=lines:lines.json -T src dst2 >out
	is 4 "$(wc -l <lines.json)"
	is "" "$(cat out)"
}

test_errors_are_lines_when_they_happen() {
	requires jq
	[ -n "$faults" ] || skip "this build has no fault room"
	seq 10 >a
	run "$OCP" --json=lines:log -T a "fault:write=ENOSPC,copy_range=ENOSPC:$T/b"
	is 1 "$status"
	is "error file summary" "$(jq -r .type log | xargs)"
	is ENOSPC "$(jq -r 'select(.type == "error") | .errno' log)"
	is false "$(jq -r 'select(.type == "file") | .done' log)"
	is 1 "$(jq -r 'select(.type == "summary") | .failed' log)"
}

test_lines_are_there_while_it_goes_on() {
	mkfifo pipe
	echo x >a
	mkdir dst
	"$OCP" -v --json=lines a pipe dst >out 2>/dev/null & # -v: one after the other
	defer "kill $! 2>/dev/null || :"
	for _ in $(seq 200); do
		! grep -q '"type":"file"' out || break
		sleep 0.05
	done
	grep -q '"source":"a"' out
	: >pipe
	wait $!
}

run_tests "$@"
