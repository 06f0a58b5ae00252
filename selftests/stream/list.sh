#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp-receive: --list, --json, and what the command line says about itself.
. "$(dirname "$0")/../lib.sh"
RECEIVE=$O/ocp-receive
MK=$O/selftests/stream/mkstream
requires "$RECEIVE" "$MK"

# has LINE: whether standard output held it, blanks aside
has() {
	tr -s ' ' <list | grep -qx " *$1" || fail "no line '$1' in: $(cat list)"
}

test_a_list_of_a_real_compressed_stream() {
	requires btrfs
	dir=$(make_fs btrfs 200M compress-force=zstd)
	btrfs -q subvolume create "$dir/s"
	head -c 300000 /dev/zero >"$dir/s/zeros"
	btrfs -q subvolume snapshot -r "$dir/s" "$dir/one"
	echo more >"$dir/s/plain"
	cp --reflink=always "$dir/s/zeros" "$dir/s/clone"
	btrfs -q subvolume snapshot -r "$dir/s" "$dir/two"
	{
		btrfs send -q --proto 2 --compressed-data "$dir/one" || skip "no streams of version 2"
		btrfs send -q --proto 2 -p "$dir/one" "$dir/two"
	} >stream
	"$RECEIVE" --list -f stream >list
	has one
	has "kind full"
	has "encoded data 12288 bytes for 300000 bytes of files"
	has two
	has "kind incremental"
	has "plain data 5 bytes"
	has "cloned 300000 bytes"
	uuid=$(btrfs subvolume show "$dir/one" | awk '$1 == "UUID:" { print $2 }')
	has "uuid $uuid"
	has "parent uuid $uuid"
	# All bytes are accounted for: two headers of 17 bytes beside the commands.
	is "$(stat -c %s stream)" "$(awk '$1 == "commands" { n += $3 + 17 } END { print n }' list)"
}

test_json_says_the_same() {
	requires jq
	"$MK" all 2 >stream
	"$RECEIVE" --list --json -f stream >list
	is true "$(jq .complete list)"
	is "path path" "$(jq -r '[.subvolumes[].name] | join(" ")' list)"
	is "false true" "$(jq -r '[.subvolumes[].incremental] | join(" ")' list)"
	is 6 "$(jq '.subvolumes[1].data_bytes' list)"
	is 4096 "$(jq '.subvolumes[1].unencoded_bytes' list)"
	is 24 "$(jq '.subvolumes[1].command_count' list)"
	is 1 "$(jq '.subvolumes[1].commands.chmod.count' list)"
}

test_json_of_a_broken_stream_is_whole() {
	requires jq
	"$MK" all 2 | head -c 400 >stream
	run "$RECEIVE" --list --json -f stream
	is 1 "$status"
	is false "$("$RECEIVE" --list --json -f stream 2>/dev/null | jq .complete)"
	is false "$("$RECEIVE" --list --json </dev/null 2>/dev/null | jq .complete)"
}

test_wrong_use_is_said() {
	run "$RECEIVE"
	like "ocp-receive: missing directory*--help*" "$out"
	is 1 "$status"
	run "$RECEIVE" --dump --list
	like "*exclude each other*" "$out"
	run "$RECEIVE" --json --dump
	like "*--json goes with --list*" "$out"
	run "$RECEIVE" --jobs=0 .
	like "*--jobs is a number from 1 to 64*" "$out"
	run "$RECEIVE" --checkpoint=x .
	like "*--checkpoint is a number*" "$out"
	run "$RECEIVE" --progress=x .
	like "*--progress is auto*" "$out"
	run "$RECEIVE" --resume --verify .
	like "*not with --resume*" "$out"
	run "$RECEIVE" --resume --list
	like "*are for receiving*" "$out"
	run "$RECEIVE" --dump file
	like "*no operand*" "$out"
	run "$RECEIVE" --dump -f nowhere
	is "1 ocp-receive: nowhere: No such file or directory" "$status $out"
	run "$RECEIVE" --dump -f .
	like "1 ocp-receive: .: offset 0: cannot read: Is a directory" "$status $out"
}

test_help_and_version() {
	like "Usage: ocp-receive *" "$("$RECEIVE" --help)"
	like "ocp-receive (copy_range) *" "$("$RECEIVE" --version)"
}

# options: long ones, from the table itself
options() {
	sed -n 's/.*{.*, \(no\|required\)_argument, "\([a-z-]*\)",.*/\2/p' \
		"$SRC/userspace/stream/options.c"
}

test_manual_and_completions_know_every_option() {
	local option
	options | grep -qx dump
	for option in $(options); do
		grep -q -e "[\\]-$option\>" "$SRC/man/ocp-receive.1" || fail "no --$option in the manual"
		grep -q -e "--${option}[]'=,}\[]" "$SRC/completions/_ocp-receive" || fail "no --$option in zsh's"
		like "--$option*" "$(complete_line ocp-receive "--$option")"
	done
}

# complete_line WORD...: what bash would offer for the last word
complete_line() {
	bash --norc -c '. "$0" && COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) && _ocp_receive 2>/dev/null
		echo "${COMPREPLY[*]}"' "$SRC/completions/ocp-receive.bash" "$@"
}

test_examples_of_the_manual_run() {
	local command
	requires mandoc
	"$MK" all 2 >home.stream
	mkdir bin
	ln -s "$RECEIVE" bin/ocp-receive
	mandoc -T ascii "$SRC/man/ocp-receive.1" | sed 's/.\x08//g' |
		sed -n '/^EXAMPLES/,/^SEE/s/^ *[$] \(.*\)/\1/p' >commands
	[ "$(wc -l <commands)" -ge 3 ]
	while read -r command; do
		case $command in *jq*) command -v jq >/dev/null || continue ;; esac
		PATH=$T/bin:$PATH bash -o pipefail -c "$command" || fail "$command"
	done <commands
}

run_tests "$@"
