#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp-mpi: several ranks copy one tree, and one that is lost ends them all.
. "$(dirname "$0")/../lib.sh"
requires mpirun mpicc jq make "$OCP"

# Not in the default build, so made here.
mpi=$O/ocp-mpi
unset MAKEFLAGS MAKEOVERRIDES MAKELEVEL MFLAGS
if ! make -s -C "$SRC" O="$O" "$mpi" >"$TEST_DIR/make.log" 2>&1; then
	sed 's/^/# /' "$TEST_DIR/make.log"
	ktap_plan 1
	not_ok it_builds
	ktap_end
fi
# Nothing but memory between ranks, whatever networks there are.  Its files are called by process
# numbers, which are the same in every PID namespace: in a folder of their own they meet no others.
ranks=(mpirun --oversubscribe --mca btl "self,vader" --mca btl_vader_single_copy_mechanism none
	--mca btl_vader_backing_directory "$TEST_DIR")
[ "$(id -u)" != 0 ] || ranks+=(--allow-run-as-root)

# ranks N OPTION...
ranks() {
	local n=$1
	shift
	timeout 120 "${ranks[@]}" -n "$n" "$mpi" "$@"
}

# In memory where it may be: the large file is synced range by range.
tree() {
	local i
	if [ "$(id -u)" = 0 ]; then
		mkdir mem
		mount -t tmpfs -o size=1G tmpfs mem
		cd mem
	fi
	mkdir -p src/a/b src/c
	for i in $(seq 40); do
		echo "$i" >"src/a/$i"
		seq "$i" >"src/a/b/$i"
	done
	ln src/a/1 src/c/link
	ln -s ../a src/c/symlink
	head -c 1000000 /dev/urandom >"src/c/large [1]"
	truncate -s 80000001 "src/c/large [1]"
	head -c 70000000 /dev/zero | tr '\0' x >src/a/b/large
	chmod 444 src/a/b/large
	chmod 555 src/c
	find src -depth -exec touch -h -d '2001-02-03 04:05:06.7' {} +
}

listing() {
	(
		cd "$1" || exit
		find . \( -type d -printf '%P d %m %U:%G %T@\n' \) -o -printf '%P %y %m %U:%G %s %n %T@ %l\n' | sort
		find . -type f -exec cksum {} + | sort -k 3
	)
}

equal() {
	diff <(listing src) <(listing "${1-dst}")
	is "" "$(find . -name '.*.ocp-*')" "left behind"
}

test_several_ranks_make_the_tree_and_one_summary() {
	tree
	ranks 3 -a --json=report src dst
	equal
	is "82 4 1 1 0" "$(jq -r '[.files, .directories, .symlinks, .hardlinks, .failed] | join(" ")' report)"
	is "$(find src -type f ! -name link -printf '%s\n' | paste -sd + | bc)" "$(jq .bytes report)"
}

test_one_rank_is_enough() {
	tree
	ranks 1 -a src dst
	equal
}

test_what_is_verified_is_listed_by_rank() {
	requires xxhsum
	tree
	ranks 2 -a --verify --manifest=list src dst
	equal
	is 83 "$(cat list.0 list.1 | wc -l)"
	xxhsum --quiet -c list.0 list.1
}

test_all_ranks_agree_on_where_it_goes() {
	tree
	rm "src/c/large [1]" src/a/b/large
	ranks 3 -a src dst
	ranks 3 -a src dst
	equal dst/src
	rm -r dst/src
	touch -d '2001-02-03 04:05:06.7' dst
	equal
}

test_errors_of_any_rank_are_in_the_summary_and_the_status() {
	tree
	rm "src/c/large [1]" src/a/b/large
	mkdir -p dst/a/{1,2,3,4,5,6}
	run ranks 3 -aT --json=report src dst
	is 1 "$status"
	is 6 "$(jq .failed report)"
	is 6 "$(jq '[.errors[] | select(.path | startswith("dst/a/"))] | length' report)"
	like "*cannot overwrite directory 'dst/a/1' with non-directory*" "$out"
}

test_a_lost_rank_ends_the_run_and_the_same_line_goes_on() {
	local n
	tree
	"${ranks[@]}" -n 3 "$mpi" -a --bwlimit=4M src dst >said 2>&1 &
	for n in $(seq 400); do
		[ -z "$(find . -name '.large.ocp-partial' -size +0)" ] || break
		sleep 0.05
	done
	kill -KILL "$(pgrep -P $! -x ocp-mpi | tail -n 1)"
	! wait $! || fail "exit status 0"
	grep "exited on signal 9" said
	like "*rank * of 3 was told to end (signal 15), perhaps because another rank is lost; the same command goes on*" \
		"$(cat said)"
	[ ! -e dst/a/b/large ]
	ranks 3 -a --json=report src dst
	equal
	[ "$(jq .files report)" -lt 40 ] || fail "copied again: $(cat report)"
}

test_a_wrong_command_line_is_said_once() {
	run ranks 3 -a nowhere
	is 1 "$status"
	is 1 "$(grep -c "missing destination" <<<"$out")"
	run ranks 2 -a --shard=1/2 a b
	is 1 "$status"
	is 1 "$(grep -c "make no sense here" <<<"$out")"
}

run_tests "$@"
