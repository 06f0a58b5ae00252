/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fixture.h - real file systems for tests.
 *
 * A fixture belongs to the process that made it: mounts live in a mount
 * namespace of its own, loop devices clear themselves, their storage is a file
 * without a name.  So nothing is left behind however the process ends, except
 * after SIGKILL an empty directory below $TMPDIR.
 *
 * A fixture that cannot exist here (not root, no mkfs) is NULL, and
 * fixture_why() says why: SKIP(return, "%s", fixture_why()).  One that fails
 * otherwise says so on stdout and ends the process with KSFT_FAIL.
 *
 * Call these before the test starts threads: a namespace is entered by the
 * calling thread and inherited by those it makes.
 */
#ifndef SELFTESTS_FIXTURE_H
#define SELFTESTS_FIXTURE_H

/**
 * fixture_fs - make and mount a file system
 * @type: "btrfs", "xfs", "ext4" or "tmpfs"; options for mkfs may follow after
 *        a colon: "xfs:-m reflink=0"
 * @size_mb: size in MiB; storage is allocated as it is written.  Smallest:
 *        btrfs 112, xfs 300
 * @opts: mount options such as "compress-force=zstd:3", or NULL
 *
 * Return: the path of the mount point, valid until the process ends, or NULL.
 */
const char *fixture_fs(const char *type, unsigned int size_mb, const char *opts);

/**
 * fixture_dir - a directory of the test's own below $TMPDIR, removed at exit
 *
 * Needs no rights; the same one on each call.
 */
const char *fixture_dir(void);

/**
 * fixture_loop - a block device over a file without a name
 *
 * Return: the path "/dev/loopN", valid until the process ends, or NULL.
 */
const char *fixture_loop(unsigned int size_mb);

/**
 * fixture_remount - unmount and mount again what fixture_fs() made: caches are cold then
 * @path: from fixture_fs(); no file below it may be open
 * @opts: mount options instead of those given before; NULL keeps them
 */
void fixture_remount(const char *path, const char *opts);

/** fixture_run - run a shell command; its output becomes diagnostics.  Return: exit status */
int fixture_run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

struct sock_filter;
/** fixture_seccomp - system calls of this process go by @filter from now on.  Return: 0, -errno */
int fixture_seccomp(struct sock_filter *filter, unsigned short n);

/** fixture_why - why the last fixture was NULL */
const char *fixture_why(void);

/*
 * For selftests/mkfixture: as fixture_fs(), but on the directory @dir, in the
 * present namespace, and left mounted.  The loop device goes with the mount.
 * Return: 0, or -1 and fixture_why().
 */
int fixture_mount(const char *dir, const char *type, unsigned int size_mb, const char *opts);

#endif
