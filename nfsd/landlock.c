// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * landlock.c - who takes the server over gets at no files but its own: landlock(7).
 *
 * What is exported and the state directory can be used, a few system folders be read, and
 * nothing else be opened, made or removed, for good: exports that a later SIGHUP
 * adds elsewhere are refused.
 *
 * The kernel judges a file by the directories above it.  One that is opened by its
 * handle has none there while it is not in the kernel's cache, and is refused wherever it
 * lies (EACCES; EXDEV for a link to it).  So this is for servers that find files by
 * their names: those that run without root, or are told to.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "nfsd/export.h"

#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14) /* Linux 6.2 */
#endif

#define ABI_REFER    2 /* Linux 5.19: before it nothing can be renamed to another directory */
#define ABI_TRUNCATE 3

#define READS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define USES                                                                                       \
	(READS | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                   \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |                           \
	 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                               \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |                             \
	 LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER)

static int complain(const char *what, int err)
{
	fprintf(stderr, "ocp-nfsd: --landlock: %s%s%s\n", what, err ? ": " : "",
		err ? strerror(-err) : "");
	return err ? err : -EINVAL;
}

static int allow_fd(int rules, int fd, uint64_t access)
{
	const struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = fd};

	return syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) ? -errno
											   : 0;
}

/* What is not there needs no rule. */
static int allow(int rules, const char *path, uint64_t access)
{
	int fd = open(path, O_PATH | O_CLOEXEC), err;

	if (fd < 0)
		return 0;
	err = allow_fd(rules, fd, access);
	close(fd);
	return err;
}

/* By its folder: editors put another file in the place of the old one. */
static int allow_exports_file(int rules, const char *name)
{
	char dir[4200];
	char *slash;

	snprintf(dir, sizeof(dir), "%s%s", *name == '/' ? "" : "./", name);
	slash = strrchr(dir, '/');
	slash[slash == dir] = '\0';
	return allow(rules, dir, READS);
}

static int allow_all(const struct nfsd *s, const struct exports *e, int rules, uint64_t uses)
{
	/* Descriptors and mounts; names of users and hosts; libraries that those load. */
	static const char *const read[] = {"/proc", "/etc", "/usr", "/lib", "/lib64"};
	int err = allow(rules, s->opt.state_dir, uses);

	for (unsigned i = 0; i < sizeof(read) / sizeof(read[0]) && !err; i++)
		err = allow(rules, read[i], READS);
	if (!err && s->opt.exports_file)
		err = allow_exports_file(rules, s->opt.exports_file);
	for (const struct export *ex = e->list; ex && !err; ex = ex->next)
		err = allow_fd(rules, cr_file_fd(ex->root), uses);
	return err;
}

static int restrict_to(const struct nfsd *s, const struct exports *e, uint64_t uses)
{
	const struct landlock_ruleset_attr attr = {.handled_access_fs =
							   uses | LANDLOCK_ACCESS_FS_EXECUTE};
	int rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	int err = rules < 0 ? -errno : allow_all(s, e, rules, uses);

	if (!err && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		     syscall(SYS_landlock_restrict_self, rules, 0)))
		err = -errno;
	if (rules >= 0)
		close(rules);
	return err;
}

/* Why the exports cannot be what the server is confined to, or NULL. */
static const char *unfit(const struct exports *e)
{
	for (const struct export *ex = e->list; ex; ex = ex->next) {
		if (cr_file_fd(ex->root) < 0)
			return "an export is no folder of this machine";
		if (!ex->by_path)
			return "files are opened by their handles";
	}
	return NULL;
}

/**
 * landlock_confine - for all threads that are made from now on, as --landlock says
 *
 * Return: 0, confined (s->landlocked) or not; an error, when it has to be and cannot,
 * after a message.
 */
int landlock_confine(struct nfsd *s, const struct exports *e)
{
	bool must = s->opt.landlock == NFSD_LANDLOCK_ON;
	const char *why = unfit(e);
	uint64_t uses = USES;
	long abi;
	int err;

	if (s->opt.landlock == NFSD_LANDLOCK_OFF)
		return 0;
	if (why)
		return must ? complain(why, 0) : 0;
	abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < ABI_REFER)
		return must ? complain("this kernel cannot, Linux 5.19 can", 0) : 0;
	if (abi >= ABI_TRUNCATE)
		uses |= LANDLOCK_ACCESS_FS_TRUNCATE;
	err = restrict_to(s, e, uses);
	if (err)
		return complain("cannot confine itself", err);
	s->landlocked = true;
	return 0;
}
