// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mount.c - namespaces, the mounts they have seen, and what pairs of mounts
 * refused.  Lists only grow while a namespace lives, so they are read without
 * its lock.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core.h"

static unsigned fs_type_count(void)
{
	unsigned n = 0;

	while (cr_fs_types[n])
		n++;
	return n;
}

struct cr_ns *cr_ns_new(void)
{
	struct rlimit lim = {.rlim_cur = RLIM_INFINITY};
	struct cr_ns *ns = calloc(1, sizeof(*ns));

	if (!ns)
		return NULL;
	ns->rooms = calloc(fs_type_count() + 1, sizeof(*ns->rooms));
	if (!ns->rooms) {
		free(ns);
		return NULL;
	}
	pthread_mutex_init(&ns->lock, NULL);
	getrlimit(RLIMIT_FSIZE, &lim);
	ns->file_limit = lim.rlim_cur == RLIM_INFINITY ? UINT64_MAX : lim.rlim_cur;
	return ns;
}

void cr_ns_stop(struct cr_ns *ns, const int *stop)
{
	ns->stop = stop;
}

void cr_ns_free(struct cr_ns *ns)
{
	struct mount_pair *pair;
	struct mount *mnt;

	if (!ns)
		return;
	for (unsigned i = 0; cr_fs_types[i]; i++)
		if (ns->rooms[i] && cr_fs_types[i]->stop)
			cr_fs_types[i]->stop(ns->rooms[i]);
	while ((mnt = ns->mounts)) {
		ns->mounts = mnt->next;
		free(mnt);
	}
	while ((pair = ns->pairs)) {
		ns->pairs = pair->next;
		free(pair);
	}
	pthread_mutex_destroy(&ns->lock);
	free(ns->rooms);
	free(ns);
}

struct cr_ns *ns_of(const struct file *file)
{
	return ((const struct core_file *)file)->ns;
}

static struct mount *mount_find(struct cr_ns *ns, const struct file *file, const void *family)
{
	for (struct mount *m = ns->mounts; m; m = m->next)
		if (m->dev == file->id.dev && m->mnt_id == file->id.mount &&
		    m->type->family == family)
			return m;
	return NULL;
}

/*
 * First file on a mount: the rooms of the family are asked, the last in the
 * table first, who knows it best.
 */
static struct mount *mount_make(struct cr_ns *ns, struct file *file, const struct fs_type *opener)
{
	struct mount *mnt = calloc(1, sizeof(*mnt));
	unsigned i = fs_type_count();

	if (!mnt)
		return NULL;
	mnt->type = opener;
	mnt->dev = file->id.dev;
	mnt->mnt_id = file->id.mount;
	mnt->block_size = 1;
	mnt->compression = COMPRESSION_UNKNOWN;
	memcpy(mnt->fsid, &mnt->dev, sizeof(mnt->dev));
	while (i-- > 0) {
		const struct fs_type *type = cr_fs_types[i];

		if (type->family == opener->family && type->claim && type->claim(file, mnt)) {
			mnt->type = type;
			break;
		}
	}
	mnt->next = ns->mounts;
	ns->mounts = mnt;
	return mnt;
}

int mount_attach(struct cr_ns *ns, struct file *file, const struct fs_type *opener)
{
	struct mount *mnt = mount_find(ns, file, opener->family);

	if (!mnt) {
		pthread_mutex_lock(&ns->lock);
		mnt = mount_find(ns, file, opener->family);
		if (!mnt)
			mnt = mount_make(ns, file, opener);
		pthread_mutex_unlock(&ns->lock);
	}
	if (!mnt)
		return -ENOMEM;
	file->mnt = mnt;
	file->op = mnt->type->op;
	return 0;
}

static struct mount_pair *pair_find(struct cr_ns *ns, const struct mount *in,
				    const struct mount *out)
{
	for (struct mount_pair *p = ns->pairs; p; p = p->next)
		if (p->in == in && p->out == out)
			return p;
	return NULL;
}

struct mount_pair *pair_of(struct cr_ns *ns, const struct mount *in, const struct mount *out)
{
	struct mount_pair *pair = pair_find(ns, in, out);

	if (pair)
		return pair;
	pthread_mutex_lock(&ns->lock);
	pair = pair_find(ns, in, out);
	if (!pair)
		pair = calloc(1, sizeof(*pair));
	if (pair && !pair->in) {
		pair->in = in;
		pair->out = out;
		pair->next = ns->pairs;
		ns->pairs = pair;
	}
	pthread_mutex_unlock(&ns->lock);
	return pair;
}
