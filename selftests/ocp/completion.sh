#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The completions load and know every option, as does the manual.
. "$(dirname "$0")/../lib.sh"

# Long options, from the table itself.
options() {
	sed -n 's/.*{.*, \(NO\|OPTIONAL\|REQUIRED\), "\([a-z-]*\)",.*/\2/p' \
		"$SRC/userspace/ocp/options.c" | grep -vx path
}

# complete_line WORD...: what bash would offer for the last word
complete_line() {
	bash --norc -c '. "$0" && COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) && _ocp 2>/dev/null
		echo "${COMPREPLY[*]}"' "$SRC/completions/ocp.bash" "$@"
}

test_bash_loads_it_for_ocp() {
	bash --norc -c ". '$SRC/completions/ocp.bash' && complete -p ocp"
}

test_bash_offers_every_long_option() {
	local option
	options | grep -q archive
	for option in $(options); do
		like "--$option*" "$(complete_line ocp "--$option")"
	done
}

test_bash_completes_words_and_lists() {
	is "auto always never" "$(complete_line ocp --sparse =)"
	is "none none-fail" "$(complete_line ocp --update = no)"
	is "clone,stream" "$(complete_line ocp --offload = clone,s)"
	is "xattr" "$(complete_line ocp --preserve = x)"
	is "--explain" "$(complete_line ocp a b --expl)"
	is "" "$(complete_line ocp file)"
}

test_zsh_knows_every_long_option() {
	local option
	for option in $(options); do
		grep -q -e "--${option}[]'=,}\[]" "$SRC/completions/_ocp" || fail "no --$option"
	done
}

test_zsh_loads_it() {
	requires zsh
	zsh -n "$SRC/completions/_ocp"
}

test_the_manual_has_every_option() {
	local option
	for option in $(options); do
		grep -q -e "[\\]-$option\>" "$SRC/man/ocp.1" || fail "no --$option"
	done
}

run_tests "$@"
