/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * labels.h - SELinux: contexts that new files get, and those that policy has for paths.
 *
 * Contexts are in the form the kernel stores (security.selinux).  Functions return 0 or
 * a negative errno.
 */
#ifndef OCP_LABELS_H
#define OCP_LABELS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>

#define LABEL_XATTR "security.selinux"
#define LABEL_MAX   4096 /* bytes of a context that is taken from a file */

struct labels;

/* Whether the kernel has SELinux at all; that it is in use is more. */
static inline bool labels_kernel(void)
{
	return !access("/sys/fs/selinux/enforce", F_OK);
}

#ifdef CONFIG_OCP_SELINUX

/**
 * labels_open - SELinux as this process meets it
 * @lp: NULL where it is not in use
 *
 * libselinux is loaded only where the kernel has SELinux: a copy elsewhere does not wait
 * for it.  -ELIBACC, -ELIBBAD: it cannot be loaded.
 */
int labels_open(struct labels **lp);
void labels_free(struct labels *l);

/** labels_use_policy - -Z: read what policy has for paths (file_contexts) */
int labels_use_policy(struct labels *l);

/**
 * labels_use - what @context, as people write it, is what files get from now on where
 * labels_create_as() is given none
 *
 * It is tried on the calling thread: -EINVAL for one that policy does not know.
 */
int labels_use(struct labels *l, const char *context);

/**
 * labels_create_as - what the calling thread makes from now on gets @label
 * @label: NULL: that of labels_use(), or what the kernel finds right
 */
int labels_create_as(struct labels *l, const char *label);

/**
 * labels_for_old - @old, the context of an existing file, with the type for its path
 * @path: absolute
 * @labelp: of malloc()
 *
 * -ENODATA: policy has none for it.
 */
int labels_for_old(struct labels *l, const char *path, mode_t mode, const char *old, char **labelp);

/**
 * labels_for_new - what this process would give a file made in a directory, with the
 * type for its path
 * @dir: context of the directory
 */
int labels_for_new(struct labels *l, const char *path, mode_t mode, const char *dir, char **labelp);

/**
 * labels_by_kernel - what the kernel would give a file that this process makes as @name
 *
 * Policy may go by names, which a file that has none yet, or another, would miss.
 */
int labels_by_kernel(struct labels *l, const char *name, mode_t mode, const char *dir,
		     char **labelp);

#else

static inline int labels_open(struct labels **lp)
{
	*lp = NULL;
	return labels_kernel() ? -EOPNOTSUPP : 0;
}
static inline void labels_free(struct labels *l)
{
}
static inline int labels_use_policy(struct labels *l)
{
	return -EOPNOTSUPP;
}
static inline int labels_use(struct labels *l, const char *context)
{
	return -EOPNOTSUPP;
}
static inline int labels_create_as(struct labels *l, const char *label)
{
	return -EOPNOTSUPP;
}
static inline int labels_for_old(struct labels *l, const char *path, mode_t mode, const char *old,
				 char **labelp)
{
	return -EOPNOTSUPP;
}
static inline int labels_for_new(struct labels *l, const char *path, mode_t mode, const char *dir,
				 char **labelp)
{
	return -EOPNOTSUPP;
}
static inline int labels_by_kernel(struct labels *l, const char *name, mode_t mode, const char *dir,
				   char **labelp)
{
	return -EOPNOTSUPP;
}

#endif
#endif
