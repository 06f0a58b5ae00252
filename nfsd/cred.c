// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cred.c - a worker's ids for files: credentials(7).
 *
 * The file system ids and the supplementary groups of one thread, by the system calls
 * themselves: the library's setgroups(2) would change every thread.  With the uid, the
 * kernel also takes the capabilities that reach around permissions, and gives them back
 * with uid 0.
 */
#include <grp.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "nfsd/export.h"
#include "nfsd/nfsd.h"

static bool same(const struct who *a, const struct who *b)
{
	return a->uid == b->uid && a->gid == b->gid && a->ngroups == b->ngroups &&
	       !memcmp(a->group, b->group, a->ngroups * sizeof(a->group[0]));
}

/* Root first: only it may change groups. */
static void become(struct worker *w, const struct who *who)
{
	if (!w->s->privileged || same(&w->as, who))
		return;
	setfsuid(0);
	syscall(SYS_setgroups, (size_t)who->ngroups, who->group);
	setfsgid(who->gid);
	setfsuid(who->uid);
	w->as = *who;
}

void cred_root(struct worker *w)
{
	static const struct who root;

	become(w, &root);
}

void cred_map(const struct compound *c, const struct obj *obj, struct who *who)
{
	const struct rpc_cred *cred = &c->call->cred;
	const struct client_opts *opts = obj->opts;

	memset(who, 0, sizeof(*who));
	who->uid = opts->anonuid;
	who->gid = opts->anongid;
	if (cred->flavor != RPC_AUTH_SYS || opts->all_squash)
		return;
	if (cred->uid != 0 || !opts->root_squash)
		who->uid = cred->uid;
	if (cred->gid != 0 || !opts->root_squash)
		who->gid = cred->gid;
	if (cred->uid == 0 && opts->root_squash)
		return;
	for (uint32_t i = 0; i < cred->ngroups; i++)
		if (cred->group[i] != 0 || !opts->root_squash)
			who->group[who->ngroups++] = cred->group[i];
}

void cred_caller(struct compound *c, const struct obj *obj)
{
	struct who who;

	if (!c->s->privileged || !obj->opts)
		return;
	cred_map(c, obj, &who);
	become(c->w, &who);
}
