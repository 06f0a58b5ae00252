# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# bash completion for ocp-receive(1); needs nothing but bash itself.

_ocp_receive() {
	local word cur=${COMP_WORDS[COMP_CWORD]}
	COMPREPLY=()
	[[ $cur == -* ]] || return 0
	for word in --dump --list --json --file= --path= --devices --resume --verify --trust --force-decompress \
		--jobs= --checkpoint= --progress= --end --verbose --help --version; do
		[[ $word != "$cur"* ]] || COMPREPLY+=("$word")
	done
	[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null
}

complete -o bashdefault -o default -F _ocp_receive ocp-receive
