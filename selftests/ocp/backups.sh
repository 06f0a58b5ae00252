#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# -b, --backup, -S: as cp does, and nothing is lost when the copy fails.
# shellcheck disable=SC2031 # status is that of run
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/agree.lib"

unset VERSION_CONTROL SIMPLE_BACKUP_SUFFIX

test_b() { agree -b f g; }
test_b_of_nothing() { agree -b f new; }
test_b_says_it_with_v() { agree -bv f g; }
test_backup_without_a_word() { agree --backup f g; }
test_every_word() {
	local word
	for word in none off simple never existing nil numbered t num sim; do
		agree --backup="$word" f g
	done
}
test_an_empty_word() { agree --backup= f g; }
test_a_wrong_word() { agree --backup=foo f g; }
test_an_ambiguous_word() { agree --backup=n f g; }
test_the_word_of_the_environment() {
	local word
	for word in none simple existing numbered t foo ""; do
		VERSION_CONTROL=$word agree -b f g
		VERSION_CONTROL=$word agree --backup=simple f g
	done
}
test_a_suffix() { agree -b -S .old f g; }
test_a_suffix_alone() { agree --suffix=.old f g; }
test_a_suffix_with_a_slash() { agree -b -S x/y f g; }
test_an_empty_suffix() { agree -b -S "" f g; }
test_the_suffix_of_the_environment() {
	local suffix
	for suffix in .bak a/b ""; do
		SIMPLE_BACKUP_SUFFIX=$suffix agree -b f g
		SIMPLE_BACKUP_SUFFIX=$suffix agree -b -S .x f g
	done
}
test_not_with_n() { agree -bn f g; }
test_with_u() { touch f; agree -bu t/f f; }
test_with_i() { agree -bi f g; }
test_with_remove_destination() { agree -bv --remove-destination f g; }
test_with_f() { agree -bf f g; }
test_into_a_directory() { agree -b f flink t; }
test_of_a_link() { agree -b f t/g; }
test_of_a_dangling_link() { agree -b f t/lost; }
test_a_link_over_a_file() { agree -bP flink g; }
test_a_link_over_what_it_points_to() { agree -bP flink f; }
test_what_a_link_points_to_over_it() { agree -b f flink; }
test_through_a_link_over_what_it_points_to() { agree -b flink f; }
test_a_link_over_a_link() { agree -bP flink dangling; }
test_of_itself() { agree -b f f; }
test_of_itself_spelt_otherwise() { agree -b f ./f; }
test_of_itself_with_f() { agree -bf f f; }
test_of_itself_with_f_numbered() { agree -f --backup=numbered f f; }
test_of_itself_with_f_spelt_otherwise() { agree -bf f ./f; }
test_of_itself_with_f_and_no_backup() { agree -f --backup=none f f; }
test_of_itself_with_f_in_a_directory() { agree -bf d/a d; }
test_of_a_link_to_itself_with_f() { agree -bf flink flink; }
test_hard_links_to_each_other() { agree -b d/a d/sub/a-again; }
test_hard_links_with_l() { agree -bl f g; }
test_symbolic_links_with_s() { agree -bs f g; }
test_a_directory_over_a_file() { agree -bRT d f; }
test_a_file_over_a_directory() { agree -bT f e; }
test_a_directory_into_a_directory() { agree -bR d e; }
test_special_files() { agree -bRT d/pipe g; }
test_attributes_only() { agree -b --attributes-only f g; }
test_parents() { agree -b --parents d/a e; }
test_a_missing_source() { agree -b nope g; }
test_the_same_name_twice() { agree -b f t/f e; }
test_the_same_name_twice_numbered() { agree --backup=numbered f t/f e; }
test_a_file_twice() { agree -b f f t; }
test_a_file_twice_numbered() { agree --backup=numbered f ./f f t; }

scene_of_backups() {
	mkdir s t
	for n in a b c; do
		echo "new-$n" >"s/$n"
		echo "old-$n" >"t/$n"
	done
	echo older >t/a~
	echo 3 >"t/b.~3~"
	echo x >"t/b.~03~"
	echo x >"t/b.~9~x"
	echo 10 >"t/b.~10~"
	echo 1 >"t/bb.~77~"
	cp t/a "s/a~"
}

# What is in the source as a~ would be the backup, or not, by the order of names.
test_trees() {
	scene() {
		scene_of_backups
		rm s/a~
	}
	agree -rbT s t
	agree -rT --backup=numbered s t
	agree -rbT --backup=simple s t
}

test_a_backup_that_would_be_the_source() {
	scene() { scene_of_backups; }
	agree -b --backup=simple t/a~ t/a
	agree -b "t/b.~10~" t/b
	agree -b t/a~ t
}

# Nothing lost ---------------------------------------------------------------------

# fails WHAT-FAULTS: a copy that fails leaves the old file where it was
fails() {
	rm -rf d
	mkdir d
	head -c 300000 /dev/urandom >d/a
	echo old >d/b
	run "$OCP" --backup=numbered --offload=stream "fault:$1:$T/d/a" "fault:$1:$T/d/b"
	is 1 "$status"
	is old "$(cat d/b)"
	is "a
b" "$(ls -A d)"
}

test_a_copy_that_fails_gives_the_old_file_its_name_again() {
	fails "write@1+=ENOSPC"
	like "*No space left*" "$out"
	fails "read@1+=EIO"
	fails "open(b)@1+=EACCES,open(a)@2=EACCES"
	fails "link=EACCES"
}

test_a_link_that_fails_gives_the_old_file_its_name_again() {
	mkdir d
	ln -s x d/a
	echo old >d/b
	run "$OCP" -bP "fault:symlink=EPERM:$T/d/a" "fault:symlink=EPERM:$T/d/b"
	is 1 "$status"
	is old "$(cat d/b)"
	[ ! -e d/b~ ]
}

test_an_old_file_that_cannot_be_moved_back_is_told_of() {
	mkdir d
	echo new >d/a
	echo old >d/b
	run "$OCP" -b "fault:read=EIO,rename@2+=EACCES,link=EACCES:$T/d/a" "fault:read=EIO,rename@2+=EACCES,link=EACCES:$T/d/b"
	is 1 "$status"
	like "*cannot un-backup '*d/b': Permission denied*" "$out"
	is old "$(cat d/b~)"
}

test_an_old_file_that_cannot_be_moved_stays() {
	mkdir d
	echo new >d/a
	echo old >d/b
	run "$OCP" -b "fault:rename=EACCES:$T/d/a" "fault:rename=EACCES:$T/d/b"
	is 1 "$status"
	like "*cannot backup '*d/b': Permission denied" "$out"
	is old "$(cat d/b)"
}

test_a_signal_gives_the_old_file_its_name_again() {
	mkdir d
	head -c 3000000 /dev/urandom >d/a
	echo old >d/b
	run "$OCP" -b --offload=stream "fault:read@2=term,read=delay100:$T/d/a" "fault:read@2=term,read=delay100:$T/d/b"
	is 143 "$status"
	is old "$(cat d/b)"
	is "a
b" "$(ls -A d)"
}

test_a_name_too_long_for_its_suffix_is_cut() {
	local name
	name=$(printf 'n%.0s' $(seq 255))
	echo new >a
	echo old >"$name"
	"$OCP" --backup=simple -S .old a "$name"
	is new "$(cat "$name")"
	is old "$(cat "$(printf 'n%.0s' $(seq 251)).old")"
	run "$OCP" --backup=numbered a "$name"
	is 1 "$status"
	like "*cannot backup*: File name too long" "$out"
	is new "$(cat "$name")"
}

test_a_dry_run_moves_nothing() {
	echo new >a
	echo old >b
	"$OCP" -b --dry-run a b
	is old "$(cat b)"
	[ ! -e b~ ]
}

run_tests "$@"
