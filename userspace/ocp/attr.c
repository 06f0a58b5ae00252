// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attr.c - owner, mode and times, in an order in which none spoils another.
 *
 * Owner first, because chown(2) clears set-id bits and capabilities; extended
 * attributes next, which a read-only mode would forbid; mode and ACL; times
 * last.  What is already right is left alone: that is a system call per file.
 */
#include <errno.h>

#include "ocp.h"

struct iattr attr_of(const struct statx *stx)
{
	return (struct iattr){
		.mode = stx->stx_mode & 07777,
		.uid = stx->stx_uid,
		.gid = stx->stx_gid,
		.atime = {stx->stx_atime.tv_sec, stx->stx_atime.tv_nsec},
		.mtime = {stx->stx_mtime.tv_sec, stx->stx_mtime.tv_nsec},
	};
}

/*
 * attr_create_mode - the mode to make a regular file with
 *
 * Its final one where nobody can open it before it is complete; else, when it
 * is going to change its owner, only for us.  Write permission is added where
 * extended attributes have to be set.
 */
mode_t attr_create_mode(const struct ocp *ocp, struct attr_pair *p)
{
	const struct ocp_opts *o = ocp->o;
	mode_t mode = o->no_mode ? 0666 : p->want.mode & 0777;

	p->extra = p->xattrs > 0 && !ocp->root ? 0200 & ~mode : 0;
	if (p->named && (o->preserve & PRESERVE_OWNERSHIP))
		mode &= 0700;
	return mode | p->extra;
}

/* chown(2): those who may not give files away keep what they can, in silence, as cp does. */
static int apply_owner(struct worker *w, struct attr_pair *p)
{
	struct iattr attr = {.valid = ATTR_OWNER, .uid = p->want.uid, .gid = p->want.gid};
	int err;

	if (!(w->ocp->o->preserve & PRESERVE_OWNERSHIP))
		return 0;
	if (p->want.uid == p->have.uid && p->want.gid == p->have.gid)
		return 0;
	err = cr_setattr(p->out, p->out_name, &attr);
	if (!S_ISDIR(p->type))
		p->have.mode &= ~(mode_t)06000;
	if (!err)
		return 0;
	p->owner_failed = true;
	if (w->ocp->root || (err != -EPERM && err != -EINVAL)) {
		item_error(w, p->it, err, MSG_OWNER);
		return err;
	}
	attr.uid = (uid_t)-1;
	cr_setattr(p->out, p->out_name, &attr);
	return 0;
}

/* The mode that @p shall have in the end; false where it stays as it is. */
static bool wanted_mode(const struct ocp *ocp, const struct attr_pair *p, mode_t *mode)
{
	const struct ocp_opts *o = ocp->o;

	if (o->preserve & PRESERVE_MODE) {
		*mode = p->want.mode & (p->owner_failed ? 0777 : 07777);
		return true;
	}
	if (!p->made)
		return false;
	if (o->no_mode)
		*mode = (S_ISDIR(p->type) || S_ISSOCK(p->type) ? 0777 : 0666) & ~ocp->umask;
	else if (o->preserve & PRESERVE_OWNERSHIP)
		*mode = p->want.mode & 0777 & ~ocp->umask;
	else if (p->extra)
		*mode = p->have.mode & ~p->extra;
	else
		return false;
	return true;
}

static int apply_mode(struct worker *w, struct attr_pair *p)
{
	struct iattr attr = {.valid = ATTR_MODE};
	int err;

	if (S_ISLNK(p->type) || !wanted_mode(w->ocp, p, &attr.mode))
		return 0;
	if (attr.mode == p->have.mode && p->made)
		return 0;
	err = cr_setattr(p->out, p->out_name, &attr);
	if (err)
		item_error(w, p->it, err, MSG_MODE);
	else
		p->have.mode = attr.mode;
	return err;
}

static int apply_times(struct worker *w, struct attr_pair *p)
{
	struct iattr attr = p->want;
	int err;

	if (!(w->ocp->o->preserve & PRESERVE_TIMES))
		return 0;
	attr.valid = ATTR_TIMES;
	err = cr_setattr(p->out, p->out_name, &attr);
	if (err)
		item_error(w, p->it, err, MSG_TIMES);
	return err;
}

/* attr_apply - all that was asked to be kept; errors are reported here, the first is returned */
int attr_apply(struct worker *w, struct attr_pair *p)
{
	int (*const steps[])(struct worker *, struct attr_pair *) = {
		apply_owner, xattr_apply, apply_mode, acl_apply, apply_times,
	};
	int err = 0;

	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int e = steps[i](w, p);

		err = err ? err : e;
	}
	return err;
}
