// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flags.c - attributes of chattr(1), which cp loses.
 *
 * Those that say how data is stored (+C no copy on write, +c +m compression)
 * are set while the file is empty; +i and +a forbid what we still have to do,
 * so all others come after everything else.
 */
#include <errno.h>
#include <linux/fs.h>
#include <stdlib.h>

#include "ocp.h"

#define FLAGS_EARLY (FS_COMPR_FL | FS_NOCOMP_FL | FS_NOCOW_FL)
#define FLAGS_LATE                                                                                 \
	(FS_SYNC_FL | FS_DIRSYNC_FL | FS_NODUMP_FL | FS_NOATIME_FL | FS_IMMUTABLE_FL | FS_APPEND_FL)
#define FLAGS_KEPT (FLAGS_EARLY | FLAGS_LATE)

/* flags_of - the flags of @file that are kept, 0 where there are none */
uint32_t flags_of(struct file *file)
{
	struct fileattr fa;

	return cr_fileattr_get(file, &fa) ? 0 : fa.flags & FLAGS_KEPT;
}

/* flags_read - the source's flags; most files have none, and then nothing is asked again */
void flags_read(struct worker *w, struct attr_pair *p)
{
	if (!(w->ocp->o->preserve & PRESERVE_FLAGS) || !p->in || p->in_name)
		return;
	p->flags = flags_of(p->in);
	p->has_flags = p->flags || !p->made || p->it->dir->flags;
}

/* Set @want of the flags in @mask, the others stay. */
static int set_flags(struct attr_pair *p, uint32_t mask, uint32_t want)
{
	struct fileattr fa, clear;
	int err = cr_fileattr_get(p->out, &fa);

	if (err)
		return want ? err : 0;
	clear.flags = fa.flags & ~mask;
	if ((fa.flags & mask) == (want & mask))
		return 0;
	fa.flags = clear.flags | (want & mask);
	err = cr_fileattr_set(p->out, &fa);
	if (err != -EINVAL)
		return err;
	/* btrfs does not go from compressed to nodatacow, or back, in one step. */
	err = cr_fileattr_set(p->out, &clear);
	return err ? err : cr_fileattr_set(p->out, &fa);
}

/* What is refused together may be taken one by one; the first error is returned. */
static int set_each(struct attr_pair *p)
{
	int err = 0;

	for (uint32_t bit = 1; bit; bit <<= 1) {
		int e = bit & FLAGS_KEPT ? set_flags(p, bit, p->flags) : 0;

		err = err ? err : e;
	}
	return err;
}

void flags_before_data(struct worker *w, struct attr_pair *p)
{
	if (p->has_flags) /* what cannot be kept is told by flags_last() */
		set_flags(p, FLAGS_EARLY, p->flags);
}

/* flags_last - all flags; where some are refused (not of this file system, not for us), the others
 */
void flags_last(struct worker *w, struct attr_pair *p)
{
	const struct ocp_opts *o = w->ocp->o;
	int err;
	char *dst;

	if (!p->has_flags)
		return;
	err = set_flags(p, FLAGS_KEPT, p->flags);
	if (err)
		err = set_each(p);
	if (!err || o->reduce_diagnostics)
		return;
	dst = path_dst(p->it->dir->node, p->it->dname);
	report_warn(w->ocp->report, err, MSG_FLAGS, dst, NULL);
	free(dst);
}
