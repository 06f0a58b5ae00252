# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# bash completion for ocp-send(1); needs nothing but bash itself.

_ocp_send() {
	local word cur=${COMP_WORDS[COMP_CWORD]}
	COMPREPLY=()
	[[ $cur == -* ]] || return 0
	for word in --file= --parent= --clone-source= --no-end --proto= --compressed-data \
		--no-compressed-data --no-data --walk --kernel --manifest= --since= --checksum \
		--trust-mtime --parent-uuid= --name= --cross-mounts --keep-going --dry-run --progress= \
		--json --quiet --verbose --help --version; do
		[[ $word != "$cur"* ]] || COMPREPLY+=("$word")
	done
	[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null
}

complete -o bashdefault -o default -F _ocp_send ocp-send
