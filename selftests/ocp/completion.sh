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

# zsh_line LINE: what a line becomes by one TAB, in an interactive zsh of its own
zsh_line() {
	cat >tab.zsh <<-'END'
		zmodload zsh/zpty || exit 4
		zpty -b z "TERM=dumb zsh -f -i"
		zpty -w z "PS1=; fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -d $3
			show() { print -r -- \"<<\$BUFFER>>\"; zle kill-buffer }; zle -N show
			bindkey '^X' show; bindkey '^I' complete-word; print rea''dy"
		zpty -r -m z line '*ready*' || exit 1
		zpty -w -n z "$2"$'\t'$'\x18'
		zpty -r -m z line '*<<*>>*' || exit 1
		line=${line##*<<}
		print -r -- "${line%%>>*}"
		zpty -d z
	END
	timeout 20 zsh -f tab.zsh "$SRC/completions" "$1" "$PWD/dump"
}

test_zsh_completes_options_words_and_lists() {
	requires zsh
	zsh -fc 'zmodload zsh/zpty' || skip "this zsh has no zpty"
	is "ocp --explain " "$(zsh_line "ocp --expl")"
	is "ocp --sparse=always " "$(zsh_line "ocp --sparse=al")"
	is "ocp --backup=numbered " "$(zsh_line "ocp --backup=num")"
	is "ocp --offload=clone,stream," "$(zsh_line "ocp --offload=clone,str")"
	echo x >a-file
	is "ocp -a a-file " "$(zsh_line "ocp -a a-f")"
}

test_fish_knows_every_long_option() {
	local option
	for option in $(options); do
		grep -q -e "^complete -c ocp .*-l $option\>" "$SRC/completions/ocp.fish" || fail "no --$option"
	done
}

# fish_line LINE: what fish would offer at its end, the words alone
fish_line() {
	HOME=$PWD XDG_CONFIG_HOME=$PWD fish -N -c "source '$SRC/completions/ocp.fish'; complete -C '$1'" |
		cut -f 1 | tr '\n' ' '
}

test_fish_completes_options_words_and_lists() {
	requires fish
	is "--explain " "$(fish_line "ocp --expl")"
	is "--sparse=always " "$(fish_line "ocp --sparse=al")"
	is "--offload=clone,stream " "$(fish_line "ocp --offload=clone,str")"
	echo x >a-file
	is "a-file " "$(fish_line "ocp -a a-f")"
}

test_the_manual_has_every_option() {
	local option
	for option in $(options); do
		grep -q -e "[\\]-$option\>" "$SRC/man/ocp.1" || fail "no --$option"
	done
}

run_tests "$@"
