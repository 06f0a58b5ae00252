# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# agree.sh - the same command line for cp and for ocp, on two copies of one
# scene: exit status, messages and what is there afterwards must be the same.

# scene: made anew for each of the two; a test may have its own
scene() {
	mkdir -p d/sub/deep d/empty e t
	echo one >f
	echo two >g
	echo three >d/a
	echo four >d/sub/b
	echo five >d/sub/deep/c
	: >d/nothing
	ln d/a d/sub/a-again
	ln -s a d/link
	ln -s sub d/dirlink
	ln -s nowhere d/dangling
	ln -s f flink
	ln -s d dlink
	ln -s nowhere dangling
	mkfifo d/pipe
	echo old >t/f
	ln -s ../g t/g
	ln -s nowhere t/lost
	chmod 640 d/a
	chmod 755 f
	chmod 4711 d/sub/b
	chmod 555 d/sub/deep
	find . -exec touch -h -d '2001-02-03 04:05:06.789012345' {} +
	touch -d 2010-01-01 t/f
}

# portrait: everything about what is below here but times of today and inode numbers
portrait() {
	find . -printf '%P|%y|%m|%U:%G|%n|%l|%TY-%Tm-%Td %TT|\n' |
		sed -E "s/\|$(date +%Y)-[0-9-]+ [0-9:.]+\|/|now|/" |
		awk -F'|' -v OFS='|' '{ sub(/ .*/, "", $NF) } 1' | LC_ALL=C sort
	find . -type f -exec sha256sum {} + | LC_ALL=C sort -k 2
	find . -type f -links +1 -printf '%i %P\n' | LC_ALL=C sort | awk '
		{ group[$1] = group[$1] " " $2 }
		END { for (i in group) print "linked:" group[i] }' | LC_ALL=C sort
}

# one PROGRAM DIR ARGUMENT...: run it in a new scene in DIR
one() {
	local program=$1 dir=$2 status=0
	shift 2
	mkdir "$dir"
	(
		cd "$dir"
		scene
		status=0
		LC_ALL=C timeout 60 "$program" "$@" >../"$dir".out 2>../"$dir".err </dev/null || status=$?
		echo "exit $status"
		portrait
	) >"$dir".end
	LC_ALL=C sort -o "$dir".out "$dir".out
	LC_ALL=C sort -o "$dir".err "$dir".err
	sed -i "s/^${program##*/}: /cp: /; s/'${program##*/} --help'/'cp --help'/" "$dir".err
}

# agree ARGUMENT...
agree() {
	local part
	rm -rf "$T/cp" "$T/ocp"
	cd "$T"
	one cp cp "$@"
	one "$OCP" ocp "$@"
	for part in end out err; do
		diff -u cp.$part ocp.$part || fail "cp $*: not the same $part"
	done
	chmod -R u+rwx cp ocp
}
