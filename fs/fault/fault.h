/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fault.h - the rules by which a stacked file breaks: rules.c finds them, fault.c obeys. */
#ifndef CR_FAULT_H
#define CR_FAULT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* One row per method that can break.  The order is that of struct file_operations. */
#define FAULT_METHODS(ROW)                                                                         \
	ROW(open)                                                                                  \
	ROW(release)                                                                               \
	ROW(read)                                                                                  \
	ROW(write)                                                                                 \
	ROW(seek)                                                                                  \
	ROW(allocate)                                                                              \
	ROW(truncate)                                                                              \
	ROW(sync)                                                                                  \
	ROW(sync_fs)                                                                               \
	ROW(flush)                                                                                 \
	ROW(settle)                                                                                \
	ROW(busy)                                                                                  \
	ROW(read_encoded)                                                                          \
	ROW(write_encoded)                                                                         \
	ROW(extents)                                                                               \
	ROW(unwritten)                                                                             \
	ROW(clone_range)                                                                           \
	ROW(copy_range)                                                                            \
	ROW(getattr)                                                                               \
	ROW(access)                                                                                \
	ROW(statfs)                                                                                \
	ROW(setattr)                                                                               \
	ROW(listxattr)                                                                             \
	ROW(getxattr)                                                                              \
	ROW(setxattr)                                                                              \
	ROW(removexattr)                                                                           \
	ROW(fileattr_get)                                                                          \
	ROW(fileattr_set)                                                                          \
	ROW(enable_verity)                                                                         \
	ROW(readdir)                                                                               \
	ROW(mkdir)                                                                                 \
	ROW(mknod)                                                                                 \
	ROW(symlink)                                                                               \
	ROW(readlink)                                                                              \
	ROW(link)                                                                                  \
	ROW(unlink)                                                                                \
	ROW(rename)                                                                                \
	ROW(subvol_create)                                                                         \
	ROW(snap_create)                                                                           \
	ROW(snap_destroy)                                                                          \
	ROW(subvol_info)                                                                           \
	ROW(subvol_setflags)                                                                       \
	ROW(set_received_subvol)                                                                   \
	ROW(subvol_find)

#define FAULT_ENUM(name) FAULT_##name,
enum fault_method { FAULT_METHODS(FAULT_ENUM) FAULT_ANY };

struct fault_set;

/* What the rules want of one call, once its delays and signals are over. */
struct fault_hit {
	int err;      /* negative errno to answer, or 0 */
	uint64_t max; /* bytes that may move, before err is answered too */
	bool flip;    /* spoil what was read */
};

/**
 * fault_set_parse - rules from their text
 * @text: RULES up to a ':' or the end; see fault.c
 * @len: of it
 * @setp: the rules, to be freed by free()
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int fault_set_parse(const char *text, size_t len, struct fault_set **setp);

/* Whether @set was made from this text. */
bool fault_set_is(const struct fault_set *set, const char *text, size_t len);
struct fault_set **fault_set_next(struct fault_set *set);

/* Count one call of @method on a file called @name, and do what the rules say about it. */
struct fault_hit fault_hit(struct fault_set *set, enum fault_method method, const char *name);

#endif
