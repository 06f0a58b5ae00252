# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# bash completion for ocp(1); needs nothing but bash itself.

# _ocp_list WORD...: complete the last item of the comma list in $cur
_ocp_list() {
	local before='' item
	[[ $cur != *,* ]] || before=${cur%,*},
	for item; do
		[[ ,$before != *,"$item",* && $item == "${cur##*,}"* ]] || continue
		COMPREPLY+=("$before$item")
	done
	compopt -o nospace 2>/dev/null
}

_ocp_words() {
	local word
	for word; do
		[[ $word != "$cur"* ]] || COMPREPLY+=("$word")
	done
}

# _ocp_value OPTION: values of an option that has words; false for others
_ocp_value() {
	case $1 in
	--offload) _ocp_list auto always never clone offload encoded grant stream ;;
	--preserve | --no-preserve)
		_ocp_list mode ownership timestamps links xattr context sharing all
		;;
	--reflink | --sparse | --progress) _ocp_words auto always never ;;
	--update) _ocp_words all none none-fail older ;;
	--recompress) _ocp_words keep auto ;;
	--sync) _ocp_words none file all ;;
	--ioprio) _ocp_words idle best-effort realtime ;;
	--backup) _ocp_words none numbered existing simple ;;
	-j | --jobs) _ocp_words 1 2 4 8 16 ;;
	*) return 1 ;;
	esac
}

_ocp() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	COMPREPLY=()
	# bash takes --x=y for three words.
	if [[ $cur == = ]]; then
		cur=
		_ocp_value "$prev"
		return
	fi
	if [[ $prev == = ]]; then
		_ocp_value "${COMP_WORDS[COMP_CWORD - 2]}"
		return
	fi
	case $prev in
	-j | --jobs | --offload | --sparse | --recompress | --no-preserve | \
		--sync | --ioprio)
		_ocp_value "$prev"
		return
		;;
	-t | --target-directory)
		compopt -o dirnames 2>/dev/null
		return
		;;
	esac
	[[ $cur == -* ]] || return 0
	_ocp_words --archive --recursive --dereference --no-dereference --link --symbolic-link \
		--attributes-only --copy-contents --one-file-system --target-directory= \
		--no-target-directory --parents --strip-trailing-slashes --keep-directory-symlink \
		--interactive --no-clobber --update --force --remove-destination --atomic \
		--preserve --no-preserve= --context --reflink --sparse= --offload= --recompress= \
		--jobs= --verbose --debug --explain --json --progress --dry-run --probe --verify --manifest= --sync= \
		--bwlimit= --ioprio= --exclude= --include= --files0-from= --shard= --resume --checksum --stop-after-errors= \
		--summary --help \
		--version --backup --suffix=
	[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null
}

complete -o bashdefault -o default -F _ocp ocp
