# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# bash completion for ocp-nfsd(8); needs nothing but bash itself.

_ocp_nfsd() {
	local word cur=${COMP_WORDS[COMP_CWORD]}
	COMPREPLY=()
	[[ $cur == -* ]] || return 0
	for word in --export= --exports= --listen= --state= --foreground --lease= --copy-wait= --inter-server= --landlock= --workers= --help --version; do
		[[ $word != "$cur"* ]] || COMPREPLY+=("$word")
	done
	[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null
}

complete -o bashdefault -o default -F _ocp_nfsd ocp-nfsd
