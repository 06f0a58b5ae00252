#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp-send by the kernel: the same streams as btrfs send, and what is refused.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/sendlib.lib"

# snapshots: $top with snapshots one, two and three of a growing subvolume
snapshots() {
	tree_tools
	top=$(make_fs btrfs 300M compress-force=zstd)
	btrfs -q subvolume create "$top/s"
	tree "$top/s"
	btrfs -q subvolume snapshot -r "$top/s" "$top/one"
	mv "$top/s/seq" "$top/s/d/moved"
	echo more >>"$top/s/small"
	btrfs -q subvolume snapshot -r "$top/s" "$top/two"
	rm -r "$top/s/d"
	btrfs -q subvolume snapshot -r "$top/s" "$top/three"
}

test_streams_are_those_of_btrfs_send() {
	local kind
	snapshots
	for kind in "--proto 1" "--proto 2 --no-compressed-data" "--proto 2 --compressed-data" "--no-data --proto 2"; do
		# shellcheck disable=SC2086 # several words
		btrfs send -q ${kind/--no-compressed-data/} "$top/two" >theirs || skip "no streams with $kind"
		# shellcheck disable=SC2086
		"$SEND" $kind "$top/two" >written
		same theirs written
		# shellcheck disable=SC2086
		"$SEND" $kind "$top/two" | cmp - theirs
		# shellcheck disable=SC2086
		"$SEND" $kind -f named "$top/two"
		same theirs named
	done
	"$SEND" "$top/two" >best
	btrfs send -q --proto 0 --compressed-data "$top/two" | cmp - best
}

test_behind_something_else_in_a_file() {
	snapshots
	"$SEND" "$top/one" >alone
	echo 12345 >written
	"$SEND" "$top/one" >>written
	tail -c +7 written | cmp - alone
	{
		echo 12345
		"$SEND" "$top/one"
		echo end
	} >written
	tail -c +7 written | head -c -4 | cmp - alone
}

test_chains_are_received() {
	snapshots
	there=$(make_fs btrfs 300M)
	"$SEND" "$top/one" | btrfs -q receive "$there"
	"$SEND" -p "$top/one" "$top/two" | btrfs -q receive "$there"
	"$SEND" -c "$top/one" -c "$top/two" "$top/three" | "$RECEIVE" --devices "$there"
	equal "$top/two" "$there/two"
	equal "$top/three" "$there/three"
}

test_the_parent_among_clone_sources_is_that_of_btrfs_send() {
	snapshots
	"$SEND" --proto 1 -c "$top/one" -c "$top/two" "$top/three" >ours
	btrfs send -q --proto 1 -c "$top/one" -c "$top/two" "$top/three" >theirs
	same theirs ours
	btrfs -q subvolume create "$top/other"
	btrfs -q subvolume snapshot -r "$top/other" "$top/stranger"
	run "$SEND" -f stream -c "$top/stranger" "$top/one"
	is 1 "$status"
	like "*none of the clone sources is its parent*" "$out"
}

test_several_subvolumes() {
	snapshots
	"$SEND" -p "$top/one" "$top/two" "$top/three" >ours
	btrfs send -q --proto 0 --compressed-data -p "$top/one" "$top/two" "$top/three" | cmp - ours
	"$SEND" -e "$top/one" "$top/two" >ours
	btrfs send -q --proto 0 --compressed-data -e "$top/one" "$top/two" | cmp - ours
	"$SEND" --walk -e "$top/one" "$top/two" >ours
	is 1 "$(grep -ao btrfs-stream ours | wc -l)"
	is 2 "$(commands ours subvol)"
}

# refused TEXT ARGUMENT...
refused() {
	local text=$1
	shift
	run "$SEND" -f stream "$@"
	is 1 "$status" "$*"
	like "ocp-send: $text" "$out"
	[ ! -e stream ]
}

test_what_cannot_be_sent_is_said() {
	snapshots
	other=$(make_fs btrfs 200M)
	btrfs -q subvolume snapshot -r "$other" "$other/x"
	refused "*/s: not read-only; make a read-only snapshot of it, or use --walk" "$top/s"
	refused "*/d: it is not a subvolume" --kernel "$top/two/d"
	refused "$T: it is not on btrfs" --kernel "$T"
	refused "*/s: not read-only; only what cannot change *" -p "$top/s" "$top/two"
	refused "*/x: not on the file system of the subvolume to be sent" -p "$other/x" "$top/two"
	refused "*/d: not a subvolume" -c "$top/two/d" "$top/two"
	refused "*/none: opening it: No such file or directory" "$top/none"
	refused "*version*" --kernel --proto 3 "$top/one"
	refused "*compressed data need version 2*" --proto 1 --compressed-data "$top/one"
	refused "missing subvolume or tree*"
}

test_no_stream_goes_to_a_terminal() {
	requires script
	mkdir t
	run timeout 20 script -qec "'$SEND' --walk t" /dev/null </dev/null
	is 1 "$status"
	like "*a stream is not for a terminal*" "$out"
}

test_summaries() {
	requires jq
	snapshots
	"$SEND" --json -f stream "$top/one" >summary
	is "kernel true $(stat -c %s stream)" "$(jq -r '"\(.way) \(.whole) \(.bytes)"' summary)"
	"$SEND" --walk --json -f stream "$top/one" >summary
	is "walk true $(stat -c %s stream)" "$(jq -r '"\(.way) \(.whole) \(.bytes)"' summary)"
	like "*of data would be sent*" "$("$SEND" --dry-run "$top/one" 2>&1)"
	like "*of data would be sent*" "$("$SEND" --walk --dry-run "$top/one" 2>&1)"
}

# options: long ones, from the table itself
options() {
	sed -n 's/.*{.*, \(no\|required\)_argument, "\([a-z-]*\)",.*/\2/p' \
		"$SRC/userspace/stream/send_options.c"
}

test_manual_and_completions_know_every_option() {
	local option
	options | grep -qx manifest
	for option in $(options); do
		grep -q -e "[\\]-$option\>" "$SRC/man/ocp-send.1" || fail "no --$option in the manual"
		grep -q -e "--${option}[]'=,}\[]" "$SRC/completions/_ocp-send" || fail "no --$option in zsh's"
		like "--$option*" "$(complete_line ocp-send "--$option")"
		[ "$option" = version ] || "$SEND" --help | grep -q -e "--$option" || fail "no --$option in --help"
	done
}

# complete_line WORD...: what bash would offer for the last word
complete_line() {
	bash --norc -c '. "$0" && COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) && _ocp_send 2>/dev/null
		echo "${COMPREPLY[*]}"' "$SRC/completions/ocp-send.bash" "$@"
}

run_tests "$@"
