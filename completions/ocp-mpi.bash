# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# bash completion for ocp-mpi(1): that of ocp(1), which has its options.
# shellcheck disable=SC1091 # of the same folder
declare -F _ocp >/dev/null || . "${BASH_SOURCE[0]%/*}/ocp" 2>/dev/null || :
complete -o bashdefault -o default -F _ocp ocp-mpi
