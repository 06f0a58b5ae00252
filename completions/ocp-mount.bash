# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# bash completion for ocp-mount(8).

_ocp_mount() {
	local word cur=${COMP_WORDS[COMP_CWORD]} head
	COMPREPLY=()
	if [[ ${COMP_WORDS[COMP_CWORD - 1]-} == -o ]]; then
		head=${cur%"${cur##*,}"}
		for word in allow_other auto_unmount ro entry_timeout= attr_timeout= \
			negative_timeout= max_threads= clone_fd passthrough=no; do
			[[ $head$word != "$cur"* ]] || COMPREPLY+=("$head$word")
		done
		compopt -o nospace 2>/dev/null
		return 0
	fi
	if [[ $cur == -* ]]; then
		for word in -d -f --foreground -s -o -h --help -V --version; do
			[[ $word != "$cur"* ]] || COMPREPLY+=("$word")
		done
		return 0
	fi
	mapfile -t COMPREPLY < <(compgen -d -- "$cur")
}

complete -o filenames -F _ocp_mount ocp-mount
