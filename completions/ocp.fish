# SPDX-License-Identifier: GPL-2.0-or-later
# fish completion for ocp(1).

set -l when 'auto always never'
set -l attributes 'mode ownership timestamps links xattr context sharing all'

# The items of a comma list, behind those that stand there.
function __ocp_list
    set -l done (string replace -r '[^,]*$' '' -- (string replace -r '^--[a-z-]+=' '' -- (commandline -ct)))
    for item in $argv
        echo $done$item
    end
end

complete -c ocp -s a -l archive -d 'same as -dR --preserve=all'
complete -c ocp -s R -s r -l recursive -d 'copy directories and what is below them'
complete -c ocp -s d -d 'same as -P --preserve=links'
complete -c ocp -s H -d 'follow symbolic links given as source'
complete -c ocp -s L -l dereference -d 'follow all symbolic links'
complete -c ocp -s P -l no-dereference -d 'copy symbolic links as links'
complete -c ocp -s l -l link -d 'make hard links'
complete -c ocp -s s -l symbolic-link -d 'make symbolic links'
complete -c ocp -l attributes-only -d 'attributes without the data'
complete -c ocp -l copy-contents -d 'read special files'
complete -c ocp -s x -l one-file-system -d 'do not enter other file systems'
complete -c ocp -l exclude -x -d 'leave out'
complete -c ocp -l include -x -d 'do not leave out'
complete -c ocp -l files0-from -r -F -d 'names of sources'
complete -c ocp -l shard -x -d 'part of a tree, i/n'
complete -c ocp -s t -l target-directory -x -a '(__fish_complete_directories)' -d 'copy into directory'
complete -c ocp -s T -l no-target-directory -d 'destination is no directory to copy into'
complete -c ocp -l parents -d 'keep the whole path of each source'
complete -c ocp -l strip-trailing-slashes -d 'from each source'
complete -c ocp -l keep-directory-symlink -d 'follow links to directories in the destination'
complete -c ocp -s i -l interactive -d 'ask before replacing'
complete -c ocp -s n -l no-clobber -d 'skip files that exist'
complete -c ocp -s u -d 'replace older files'
complete -c ocp -l update -a 'all none none-fail older' -f -d 'which files to replace'
complete -c ocp -s f -l force -d 'remove a file that cannot be opened'
complete -c ocp -l remove-destination -d 'remove each existing file first'
complete -c ocp -l resume -d 'go on with an interrupted copy'
complete -c ocp -l checksum -d 'with --resume, compare bytes'
complete -c ocp -l atomic -d 'write under a temporary name, then rename'
complete -c ocp -s b -d 'keep a replaced file'
complete -c ocp -l backup -a 'none numbered existing simple' -f -d 'keep a replaced file'
complete -c ocp -s S -l suffix -x -d 'of a simple backup'
complete -c ocp -s p -d 'same as --preserve=mode,ownership,timestamps'
complete -c ocp -l preserve -a "(__ocp_list $attributes)" -f -d 'keep attributes'
complete -c ocp -l no-preserve -x -a "(__ocp_list $attributes)" -d 'do not keep attributes'
complete -c ocp -s Z -l context -d 'SELinux: the type of policy, or a context'
complete -c ocp -l reflink -a $when -f -d 'share blocks'
complete -c ocp -l sparse -x -a $when -d holes
complete -c ocp -l offload -x -a "(__ocp_list auto always never clone offload encoded grant stream)" -d strategies
complete -c ocp -l recompress -x -a 'keep auto' -d 'compressed extents'
complete -c ocp -l verify -d 'read each copy back and compare'
complete -c ocp -l manifest -r -F -d 'list for xxhsum -c, with --verify'
complete -c ocp -l sync -x -a 'none file all' -d 'make durable'
complete -c ocp -l bwlimit -x -d 'bytes a second'
complete -c ocp -l ioprio -x -a 'idle best-effort realtime' -d 'priority of input and output'
complete -c ocp -s j -l jobs -x -a '1 2 4 8 16' -d workers
complete -c ocp -s v -l verbose -d 'name each file'
complete -c ocp -l debug -d "cp's line about offload and reflink"
complete -c ocp -l explain -d 'strategies of each file'
complete -c ocp -l json -a lines -d 'summary in JSON'
complete -c ocp -l progress -a $when -f -d 'progress line'
complete -c ocp -l summary -d 'figures and reasons at the end'
complete -c ocp -l stop-after-errors -x -d 'end with the Nth error'
complete -c ocp -l dry-run -d 'say what would be done'
complete -c ocp -l probe -d 'say what is possible between two places'
complete -c ocp -l help -d 'say what the options are'
complete -c ocp -l version -d 'say the version'

complete -c ocp-mpi -w ocp
