#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ocp does what cp does: one command line a line.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/agree.lib"

test_a_file_to_a_new_name() { agree f new; }
test_a_file_over_another() { agree f g; }
test_a_file_into_a_directory() { agree f e; }
test_a_file_over_one_in_a_directory() { agree f t; }
test_several_files_into_a_directory() { agree f g e; }
test_several_files_with_t() { agree -t e f g; }
test_several_files_to_what_is_no_directory() { agree f g d/a f; }
test_several_files_to_what_does_not_exist() { agree f g nowhere; }
test_t_that_does_not_exist() { agree -t nowhere f; }
test_a_missing_source() { agree nope e; }
test_a_missing_source_among_others() { agree f nope g e; }
test_a_missing_target_directory() { agree f nodir/x; }
test_a_file_to_a_name_with_a_slash() { agree f new/; }
test_a_target_below_a_file() { agree f g/x; }
test_a_target_that_is_a_file_with_a_slash() { agree f g/; }
test_a_directory_without_r() { agree d e; }
test_a_directory_to_a_new_name() { agree -r d new; }
test_a_directory_into_a_directory() { agree -r d e; }
test_a_directory_with_T() { agree -rT d e; }
test_a_directory_to_a_name_with_a_slash() { agree -r d new/; }
test_a_directory_with_a_slash() { agree -r d/ new; }
test_a_directory_s_content() { agree -r d/. e; }
test_a_directory_over_a_file() { agree -rT d f; }
test_a_file_over_a_directory() { agree -T f e; }
test_a_directory_below_nothing() { agree -r d nodir/x; }
test_archive() { agree -a d new; }
test_archive_into() { agree -a d f flink e; }
test_archive_twice_over() { agree -a d/. d/. e; }
test_preserve() { agree -p f d/a d/sub/b e; }
test_preserve_recursive() { agree -rp d new; }
test_preserve_mode_only() { agree -r --preserve=mode d new; }
test_preserve_timestamps_only() { agree -r --preserve=timestamps d new; }
test_preserve_links_only() { agree -r --preserve=links d new; }
test_no_preserve_mode() { agree -r --no-preserve=mode d new; }
test_archive_without_links() { agree -a --no-preserve=links d new; }
test_archive_without_timestamps() { agree -a --no-preserve=timestamps d new; }
test_d() { agree -d d/link flink e; }
test_links_are_followed_by_default() { agree flink d/link e; }
test_P() { agree -P flink e; }
test_P_dangling() { agree -P dangling e; }
test_a_dangling_link() { agree dangling e; }
test_L() { rm -f d/dangling; agree -rL d/sub d/link e; }
test_L_with_a_dangling_link() { agree -rL d new; }
test_H() { agree -rH dlink flink e; }
test_a_link_to_a_directory_is_kept() { agree -r dlink new; }
test_a_link_to_a_directory_with_a_slash() { agree -r dlink/ new; }
test_through_a_link() { agree f t/g; }
test_through_a_dangling_link() { agree f t/lost; }
test_through_a_dangling_link_with_f() { agree -f f t/lost; }
test_through_a_dangling_link_as_posix_wants_it() {
	export POSIXLY_CORRECT=1
	agree f t/lost
}
test_through_a_dangling_link_just_made() { agree -dR t/lost u/lost e; }
test_over_a_link_to_itself() { agree -f f t/loop; }
test_remove_destination_of_a_link() { agree --remove-destination f t/g; }
test_remove_destination() { agree --remove-destination f g; }
test_archive_over_a_link() { agree -a f t/g; }
test_a_link_over_a_file() { agree -P flink g; }
test_a_link_over_what_it_points_to() { agree -P flink f; }
test_a_link_over_a_link() { agree -a flink t/g; }
test_the_same_file() { agree f f; }
test_the_same_file_through_a_link() { agree f flink; }
test_the_same_file_from_a_link() { agree flink f; }
test_the_same_file_by_hard_links() { agree d/a d/sub/a-again; }
test_the_same_file_by_hard_links_with_f() { agree -f d/a d/sub/a-again; }
test_remove_destination_of_a_hard_link() { agree --remove-destination d/a d/sub/a-again; }
test_the_same_file_in_its_directory() { agree f .; }
test_n() { agree -n f g; }
test_n_new() { agree -n f new; }
test_n_tree() { agree -rnT d t; }
test_u_newer() { agree -u f t/f; }
test_u_older() { agree -u t/f f; }
test_u_new() { agree -u f new; }
test_u_tree() { agree -au d/. t; }
test_f() { agree -f f g; }
test_i_without_an_answer() { agree -i f g; }
test_l() { agree -l f new; }
test_l_tree() { agree -rl d new; }
test_l_exists() { agree -l f g; }
test_l_exists_with_f() { agree -lf f g; }
test_l_of_a_link() { agree -l flink new; }
test_l_of_a_link_itself() { agree -lP flink new; }
test_l_of_itself() { agree -l f f; }
test_l_through_a_link() { agree -l f flink; }
test_l_of_a_link_onto_its_file() { agree -lP flink f; }
test_l_onto_a_link_with_f() { agree -lf g flink; }
test_s_over_a_hard_link_with_f() { agree -sf d/a d/sub/a-again; }
test_s_here() { agree -s f new; }
test_s_elsewhere() { agree -s f e; }
test_s_absolute() { agree -s /etc/hostname e; }
test_s_tree_is_refused() { agree -rs d new; }
test_s_exists() { agree -s f g; }
test_s_exists_with_f() { agree -sf f g; }
test_parents() { agree --parents d/sub/b e; }
test_parents_of_a_directory() { agree -r --parents d/sub e; }
test_parents_preserving() { agree -a --parents d/sub/deep/c e; }
test_parents_two() { agree --parents d/sub/b d/a e; }
test_parents_of_a_missing_file() { agree --parents d/nope e; }
test_parents_into_a_file() { agree --parents d/a g; }
test_parents_verbose() { agree -v --parents d/sub/b e; }
test_attributes_only() { agree -p --attributes-only f g; }
test_attributes_only_onto_a_hard_link() { agree -a --attributes-only f d/a; }
test_attributes_only_of_a_link() { agree -a --attributes-only flink g; }
test_attributes_only_new() { agree --attributes-only f new; }
test_special_files_with_r() { agree -r d/pipe e; }
test_one_name_twice() { agree f d/../f e; }
test_one_source_twice() { agree f f e; }
test_one_directory_twice() { agree -r d d e; }
test_two_directories_of_one_name() { agree -r d/sub t/../d/sub e; }
test_one_destination_twice() { agree f t/f e; }
test_verbose() { agree -v f e; }
test_verbose_tree() { agree -rv d new; }
test_verbose_removal() { agree -v --remove-destination f g; }
test_a_source_of_dotdot() { agree -r d/sub/.. e; }
test_empty_operand() { agree '' e; }
test_empty_target() { agree f ''; }
test_strip_trailing_slashes() { agree --strip-trailing-slashes -r dlink/ e; }
test_a_file_with_a_slash() { agree f/ e; }
test_device_null() { agree /dev/null new; }
test_onto_device_null() { agree f /dev/null; }
test_proc() { agree /proc/sys/kernel/ostype new; }
test_no_operand() { agree; }
test_one_operand() { agree f; }
test_backup_of_nothing_new() { agree -aT d/sub new; }
test_sticky_and_setgid_directory() { agree -r s new; }
test_sticky_and_setgid_preserved() { agree -a s new; }

run_tests "$@"
