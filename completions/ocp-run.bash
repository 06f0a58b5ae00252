# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# bash completion for ocp-run(1): its options, then those of the program.

_ocp_run() {
	local word i=1 cur=${COMP_WORDS[COMP_CWORD]} head
	COMPREPLY=()
	# An option with "=" is three words here.
	while ((i < COMP_CWORD)) && [[ ${COMP_WORDS[i]} == -* || ${COMP_WORDS[i]} == = ||
		${COMP_WORDS[i - 1]} == = ]]; do
		((i++))
	done
	if ((i < COMP_CWORD)); then
		! declare -F _command_offset >/dev/null || _command_offset "$i"
		return 0
	fi
	if [[ $cur == = || ${COMP_WORDS[COMP_CWORD - 1]} == = ]]; then
		[[ $cur != = ]] || cur=
		[[ ${COMP_WORDS[COMP_CWORD - 1]} == --offload || ${COMP_WORDS[COMP_CWORD - 2]} == --offload ]] ||
			return 0
		head=${cur%"${cur##*,}"}
		for word in auto always never clone offload encoded grant stream; do
			[[ $head$word != "$cur"* ]] || COMPREPLY+=("$head$word")
		done
		return 0
	fi
	if [[ $cur != -* ]]; then
		mapfile -t COMPREPLY < <(compgen -c -- "$cur")
		return 0
	fi
	for word in --trace --trace= --explain --json --json= --offload= --clone-copies --help --version; do
		[[ $word != "$cur"* ]] || COMPREPLY+=("$word")
	done
	[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null
}

complete -o bashdefault -o default -F _ocp_run ocp-run
