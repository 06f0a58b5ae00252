#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The manual pages are clean, and what they show works.
. "$(dirname "$0")/../lib.sh"

test_pages_are_clean() {
	requires mandoc
	mandoc -T lint -W warning "$SRC"/man/*.[1-9]
}

# The program of copy_range(3), built as the page says.
test_the_example_of_the_library_copies() {
	requires mandoc "$O/libcopy_range.so.0"
	mandoc -T ascii "$SRC/man/copy_range.3" | sed 's/.\x08//g' |
		sed '1,/^EXAMPLES/d' | sed -n '/#include/,/^     }/p' >example.c
	grep -q main example.c
	ln -s "$O/libcopy_range.so.0" libcopy_range.so
	# shellcheck disable=SC2086
	${CC:-cc} -Wall -Wextra -Werror ${SAN:+-fsanitize=$SAN} -I"$SRC/include" -o example example.c \
		-L. -lcopy_range -Wl,-rpath,"$O"
	echo hello >a
	like "6 bytes, most by *" "$(./example a b)"
	same a b
	run ./example nowhere b
	is "1 No such file or directory" "$status $out"
}

# Each command that the examples of ocp(1) show, with its paths made harmless.
examples() {
	mandoc -T ascii "$SRC/man/ocp.1" | sed 's/.\x08//g' | sed -n '/^EXAMPLES/,/^SEE/s/^ *[#$] \(ocp .*\)/\1/p'
}

test_examples_run() {
	local command
	requires mandoc
	mkdir -p srv/images mnt/backup mnt/data mnt/archive photos data dev/shm var/lib net etc tree
	for command in disk.img dev/shm/disk.img net/big.tar new.conf etc/app.conf db.sqlite \
		srv/images/x data/x tree/x photos/x; do
		echo content >"$command"
	done
	[ "$(examples | wc -l)" -ge 8 ]
	# Servers are where nfs/client.sh and scsi/iscsi.sh have them.
	examples | grep -vE '(nfs|iscsi)://' | sed -E 's,(^| )/,\1,g' | while read -r command; do
		run bash -c "\"$OCP\" ${command#ocp}"
		# What this file system cannot do may fail, but in its own words.
		[ "$status" = 0 ] || like "*Operation not supported" "$out" "$command"
	done
}

run_tests "$@"
