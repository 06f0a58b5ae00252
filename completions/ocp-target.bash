# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# bash completion for ocp-target(8); needs nothing but bash itself.

_ocp_target() {
	local word cur=${COMP_WORDS[COMP_CWORD]}
	COMPREPLY=()
	[[ $cur == -* ]] || return 0
	for word in --listen= --target= --lun= --chap= --chap-mutual= --state= --config= --foreground \
		--list --verbose --help --version; do
		[[ $word != "$cur"* ]] || COMPREPLY+=("$word")
	done
	[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null
}

complete -o bashdefault -o default -F _ocp_target ocp-target
