#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# --explain, --json, --debug, --probe and --progress of real copies.
. "$(dirname "$0")/../lib.sh"
requires jq

# json FILTER: true of the last summary
json() {
	jq -e "$1" j >/dev/null || fail "not so: $1 of $(cat j)"
}

test_explain_names_the_strategy_and_why_no_better_one() {
	requires ext4
	local dir
	dir=$(make_fs ext4 64M)
	head -c 300000 /dev/urandom >"$dir/a"
	run "$OCP" --explain "$dir/a" "$dir/b"
	is 0 "$status"
	like "*'$dir/b': 292.9 KiB (300000 bytes)
  offload  292.9 KiB in * range*, nothing through this process
  not by clone: this file system cannot share blocks (no reflink)" "$out"
}

test_explain_of_a_clone_has_no_reasons() {
	requires btrfs
	local dir
	dir=$(make_fs btrfs 128M)
	head -c 300000 /dev/urandom >"$dir/a"
	run "$OCP" --explain "$dir/a" "$dir/b"
	like "*  clone    292.9 KiB in 1 range, nothing through this process" "$out"
	[ "$(echo "$out" | wc -l)" = 2 ]
}

test_explain_of_a_copy_that_fails_says_what_was_tried() {
	requires ext4
	local dir
	dir=$(make_fs ext4 64M)
	echo x >"$dir/a"
	run "$OCP" --explain --reflink=always "$dir/a" "$dir/b"
	is 1 "$status"
	like "*0 bytes, then: Operation not supported*not by clone: this file system*" "$out"
	[ ! -e "$dir/b" ]
}

test_debug_is_the_line_of_cp() {
	requires ext4 btrfs
	local dir
	dir=$(make_fs ext4 64M)
	echo x >"$dir/a"
	is "copy offload: yes, reflink: unsupported, sparse detection: no" \
		"$("$OCP" --debug "$dir/a" "$dir/b" | sed 1d)"
	is "copy offload: avoided, reflink: unsupported, sparse detection: zeros" \
		"$("$OCP" --debug --sparse=always "$dir/a" "$dir/b" | sed 1d)"
	truncate -s 1M "$dir/a"
	is "copy offload: yes, reflink: unsupported, sparse detection: SEEK_HOLE" \
		"$("$OCP" --debug "$dir/a" "$dir/b" | sed 1d)"
	dir=$(make_fs btrfs 128M)
	echo xy >"$dir/a"
	is "copy offload: unknown, reflink: yes, sparse detection: unknown" \
		"$("$OCP" --debug "$dir/a" "$dir/b" | sed 1d)"
	is "copy offload: avoided, reflink: no, sparse detection: no" \
		"$("$OCP" --debug --reflink=never "$dir/a" "$dir/b" | sed 1d)"
}

test_json_counts_what_was_made() {
	mkdir -p s/d/e
	head -c 100000 /dev/urandom >s/a
	: >s/empty
	ln s/a s/d/hard
	ln -s a s/sym
	mkfifo s/d/e/pipe
	"$OCP" -a --json=j s t
	json '.directories == 3 and .symlinks == 1 and .specials == 1 and .hardlinks == 1'
	json '.files == 2 and .bytes == 100000 and .errors == [] and .errors_dropped == 0'
	json '[.strategies[].bytes] | add == 100000'
	json '.seconds > 0 and .seconds < 60'
}

test_json_tells_errors_and_why_strategies_declined() {
	requires tmpfs
	local dir
	dir=$(make_fs tmpfs 64M)
	echo x >a
	run "$OCP" --json=j a nowhere "$dir"
	is 1 "$status"
	json '.errors == [{path: "nowhere", operation: "stat",
		error: "No such file or directory", errno: "ENOENT"}]'
	json '.files == 1 and .strategies == {stream: {bytes: 2, ranges: 1, moved: 2}}'
	json '[.declined[] | .strategy] | index("clone") and index("offload")'
	json '.declined[] | select(.strategy == "clone") |
		.reason == "the files are on different file systems" and .count == 1'
}

test_json_is_valid_whatever_names_are() {
	local name
	for name in $'new\nline' $'\xff\xfe' 'quo"te' 'back\slash' $'caf\xc3\xa9' $'\x01'; do
		run "$OCP" --json "$name" x
		echo "$out" | sed -n '/^{/p' >j
		json '.errors | length == 1'
	done
	run "$OCP" --json=j $'a\xff' x
	json '.errors[0].path_hex == "61ff"'
	is "$(printf 'a\357\277\275')" "$(jq -r '.errors[0].path' j)"
}

test_json_on_standard_output_is_alone_there() {
	echo x >a
	"$OCP" -v --explain --json a b >j 2>err
	json '.files == 1'
	like "*'a' -> 'b'*" "$(cat err)"
}

test_json_file_that_cannot_be_made_ends_it_before_anything_is_copied() {
	echo x >a
	run "$OCP" --json=no/where a b
	is "1 ocp: cannot create 'no/where': No such file or directory" "$status $out"
	[ ! -e b ]
}

test_offload_always_fails_rather_than_stream() {
	requires tmpfs
	local dir
	dir=$(make_fs tmpfs 16M)
	echo x >a
	run "$OCP" --offload=always a "$dir/b"
	is 1 "$status"
	[ ! -e "$dir/b" ]
	"$OCP" --offload=never --json=j a b
	json '.strategies | keys == ["stream"]'
}

test_probe_tells_what_is_possible() {
	requires btrfs tmpfs
	local here there
	here=$(make_fs btrfs 128M)
	there=$(make_fs tmpfs 16M)
	head -c 100000 /dev/urandom >"$here/a"
	"$OCP" --probe --json "$here/a" "$here" >j
	json '.best == "clone" and .source_type == "btrfs" and .strategies.clone.possible'
	"$OCP" --probe --json="$T/j" "$here" "$there/new" | grep '^  stream   possible$'
	json '.best == "stream" and .destination_type == "tmpfs"'
	json '.strategies.clone == {possible: false, reason: "the files are on different file systems"}'
	is a "$(ls -A "$here")"
	is "" "$(ls -A "$there")"
}

test_probe_of_an_empty_folder_and_of_none() {
	mkdir e
	"$OCP" --probe e . >out
	grep '^  stream   possible$' out
	is "" "$(ls -A e)"
	run "$OCP" --probe nowhere .
	is "1 ocp: cannot open 'nowhere' for reading: No such file or directory" "$status $out"
	run "$OCP" --probe --offload=clone e /proc
	is 1 "$status"
}

# in_pty COMMAND: with a terminal as all three streams, what was on it
in_pty() {
	script --quiet --return --command "$*" /dev/null </dev/null
}

# A source that lasts, being a pipe that is fed slowly: slowly SECONDS OCP-ARGUMENT...
slowly() {
	local seconds=$1
	shift
	in_pty "(for i in \$(seq $((seconds * 5))); do sleep 0.2; echo \$i; done) |
		TERM=xterm $OCP $* /dev/stdin x"
}

test_progress_is_on_a_terminal_when_wanted() {
	requires script
	slowly 1 --progress=always >seen
	like '*/dev/stdin*'$'\r\e[K' "$(cat seen)"
	slowly 1 --progress=never >seen
	is "" "$(cat seen)"
}

test_progress_is_in_no_file_unless_wanted() {
	head -c 3000000 /dev/urandom >a
	is "" "$("$OCP" --progress=auto a d 2>&1)"
	is "" "$("$OCP" --progress=never a e 2>&1)"
	like "*2.8 MiB*" "$("$OCP" --progress=always a f 2>&1)"
	run "$OCP" --progress=always a f
	[[ $out != *$'\e'* ]]
}

test_progress_comes_by_itself_after_two_seconds() {
	requires script
	local began
	slowly 3 >seen
	grep -q $'\e\\[K' seen || fail "no bar in $(cat -v seen)"
	# A busy machine may make two seconds of it: then that says nothing.
	for _ in $(seq 20); do
		began=${EPOCHREALTIME/[.,]/}
		slowly 1 >seen
		[ $((${EPOCHREALTIME/[.,]/} - began)) -gt 1900000 ] || break
	done
	is "" "$(cat seen)"
}

test_progress_of_a_tree_has_a_percentage_when_it_is_counted() {
	requires script
	mkdir -p src/a/b
	for n in $(seq 15); do
		head -c 1000 /dev/urandom >"src/$n"
		head -c 3000 /dev/urandom >"src/a/b/$n"
	done
	ln src/1 src/a/again
	ln -s a src/link
	in_pty "TERM=xterm $OCP -a -j1 --progress=always fault:read=delay120:$T/src x" >seen
	diff -r --no-dereference src x
	like "*[0-9]% *KiB of 58.5 KiB  [1-9]* of 3[01] files*0:0[0-9] left*" "$(cat seen)"
	# Nothing was known at first.
	like "*KiB  [1-9] files*" "$(head -c 2000 seen)"
}

test_progress_does_not_wait_for_what_is_skipped() {
	requires script
	mkdir src x
	for n in $(seq 30); do
		head -c 1000 /dev/urandom >"src/$n"
	done
	head -c 1000000 /dev/zero >src/there
	cp src/there x
	in_pty "TERM=xterm $OCP -nrTj1 --progress=always fault:read=delay120:$T/src x" >seen
	like "*[0-9]% *KiB of 29.2 KiB  [1-9]* of 30 files*" "$(cat seen)"
}

run_tests "$@"
