// SPDX-License-Identifier: GPL-2.0-or-later
/* xattr.c - extended attributes, and access control lists, which are stored as such. */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "labels.h"
#include "ocp.h"

#define LIST_MAX  ((size_t)64 << 10) /* the kernel's XATTR_LIST_MAX and XATTR_SIZE_MAX */
#define VALUE_MAX ((size_t)64 << 10)

#define ACL_ACCESS  "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"

static bool begins(const char *key, const char *prefix)
{
	return !strncmp(key, prefix, strlen(prefix));
}

/*
 * What is no attribute to carry over: permissions in another form, or a
 * statement about this very inode.  As /etc/xattr.conf has it.
 */
static bool is_skipped(const struct ocp_opts *o, const char *key)
{
	if (!strcmp(key, LABEL_XATTR) && o->contexts) /* see context.c */
		return true;
	if (!(o->preserve & PRESERVE_XATTR))
		return true;
	return begins(key, "system.posix_acl_") || begins(key, "system.nfs4") ||
	       begins(key, "nfs4acl") || !strcmp(key, "security.evm") ||
	       !strcmp(key, "security.ima") || begins(key, "trusted.SGI_ACL_") ||
	       begins(key, "xfsroot.") || begins(key, "afs.");
}

/* Compression of btrfs must be known before there is data. */
static bool is_early(const char *key)
{
	return begins(key, "btrfs.");
}

static void complain(struct worker *w, const struct attr_pair *p, int err, enum ocp_msg msg,
		     const char *key)
{
	const struct ocp_opts *o = w->ocp->o;
	bool strict = o->preserve_strict & PRESERVE_XATTR;
	char *path;

	if (!strict && (o->reduce_diagnostics || err == -EOPNOTSUPP))
		return;
	path = msg == MSG_SETXATTR ? path_dst(p->it->dir->node, p->it->dname)
				   : path_src(p->it->dir->node, p->it->name);
	if (strict)
		report_error(w->ocp->report, err, msg, path, key);
	else
		report_warn(w->ocp->report, err, msg, path, key);
	free(path);
}

/* xattr_list - the names on the source, kept in the worker until the next call */
void xattr_list(struct worker *w, struct attr_pair *p)
{
	p->xattrs = -1;
	if (!(w->ocp->o->preserve & PRESERVE_XATTR))
		return;
	p->xattrs = cr_listxattr(p->in, p->in_name, w->xattrs, LIST_MAX);
	if (p->xattrs >= 0)
		return;
	if (p->xattrs != -EOPNOTSUPP)
		complain(w, p, (int)p->xattrs, MSG_LISTXATTR, NULL);
	p->xattrs = 0;
}

static bool has_xattr(const struct worker *w, const struct attr_pair *p, const char *key)
{
	for (const char *at = w->xattrs; at < w->xattrs + p->xattrs; at += strlen(at) + 1)
		if (!strcmp(at, key))
			return true;
	return false;
}

static int copy_one(struct worker *w, struct attr_pair *p, const char *key)
{
	struct xattr xattr = {.key = key, .value = w->xattrs + LIST_MAX};
	ssize_t n = cr_getxattr(p->in, p->in_name, key, w->xattrs + LIST_MAX, VALUE_MAX);
	int err;

	if (n == -ENODATA) /* gone since it was listed */
		return 0;
	if (n < 0) {
		complain(w, p, (int)n, MSG_GETXATTR, key);
		return (int)n;
	}
	xattr.len = (size_t)n;
	err = cr_setxattr(p->out, p->out_name, &xattr);
	if (err)
		complain(w, p, err, MSG_SETXATTR, key);
	return err;
}

static int copy_some(struct worker *w, struct attr_pair *p, bool early)
{
	int err = 0;

	for (const char *at = w->xattrs; at < w->xattrs + p->xattrs; at += strlen(at) + 1) {
		if (is_skipped(w->ocp->o, at) || (is_early(at) ? p->early && !early : early))
			continue;
		err = copy_one(w, p, at) ? -EIO : err;
	}
	return err;
}

int xattr_before_data(struct worker *w, struct attr_pair *p)
{
	p->early = true;
	return p->xattrs > 0 ? copy_some(w, p, true) : 0;
}

int xattr_apply(struct worker *w, struct attr_pair *p)
{
	return p->xattrs > 0 ? copy_some(w, p, false) : 0;
}

/* Linux include/uapi/linux/posix_acl_xattr.h: a version, then tag, permissions and id each. */
struct acl_entry {
	uint16_t tag, perm;
	uint32_t id;
};
struct acl {
	uint32_t version;
	struct acl_entry entry[3];
};
#define ACL_VERSION   2
#define ACL_USER_OBJ  0x01
#define ACL_GROUP_OBJ 0x04
#define ACL_OTHER     0x20

/* An ACL that says no more than the mode: the kernel stores the mode and drops the list. */
static int set_plain(struct attr_pair *p)
{
	const uint16_t tags[] = {ACL_USER_OBJ, ACL_GROUP_OBJ, ACL_OTHER};
	struct acl acl = {.version = htole32(ACL_VERSION)};
	struct xattr xattr = {ACL_ACCESS, &acl, sizeof(acl), 0};

	for (unsigned i = 0; i < 3; i++)
		acl.entry[i] = (struct acl_entry){
			.tag = htole16(tags[i]),
			.perm = htole16((p->have.mode >> (6 - 3 * i)) & 7),
			.id = htole32(UINT32_MAX),
		};
	return cr_setxattr(p->out, p->out_name, &xattr);
}

/* An empty default ACL is none. */
static int clear_default(struct attr_pair *p)
{
	uint32_t version = htole32(ACL_VERSION);
	struct xattr xattr = {ACL_DEFAULT, &version, sizeof(version), 0};

	return cr_setxattr(p->out, p->out_name, &xattr);
}

/* Copy one list; 1 where the source has none. */
static int copy_acl(struct worker *w, struct attr_pair *p, const char *key)
{
	struct xattr xattr = {.key = key, .value = w->xattrs + LIST_MAX};
	ssize_t n;

	if (p->xattrs >= 0 && !has_xattr(w, p, key))
		return 1;
	n = cr_getxattr(p->in, p->in_name, key, w->xattrs + LIST_MAX, VALUE_MAX);
	if (n == -ENODATA || n == -EOPNOTSUPP)
		return 1;
	if (n < 0)
		return (int)n;
	xattr.len = (size_t)n;
	return cr_setxattr(p->out, p->out_name, &xattr);
}

static bool has_acl(struct attr_pair *p)
{
	return p->made ? p->acl : cr_getxattr(p->out, p->out_name, ACL_ACCESS, NULL, 0) > 0;
}

/* acl_apply - with the mode go its lists: those of the source, and no others */
int acl_apply(struct worker *w, struct attr_pair *p)
{
	int err;

	if (!(w->ocp->o->preserve & PRESERVE_MODE) || S_ISLNK(p->type))
		return 0;
	err = copy_acl(w, p, ACL_ACCESS);
	if (err == 1)
		err = has_acl(p) ? set_plain(p) : 0;
	if (!err && S_ISDIR(p->type)) {
		err = copy_acl(w, p, ACL_DEFAULT);
		if (err == 1)
			err = p->acl ? clear_default(p) : 0;
	}
	if (err)
		item_error(w, p->it, err, MSG_MODE);
	return err;
}

/* acl_has_default - whether new files in @dir get an ACL from it */
bool acl_has_default(struct file *dir)
{
	return cr_getxattr(dir, NULL, ACL_DEFAULT, NULL, 0) > 0;
}
