// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * node.c - the files that the kernel knows.
 *
 * Each keeps its file opened with O_PATH, so that nothing that happens to names makes
 * it another one, and no way leads out of the room: a name is looked up alone, and a
 * symbolic link is given to the kernel as it is.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "ofs.h"

#define BUCKETS_MIN 1024
#define PATIENCE    100u /* times of prune_more() */

static uint64_t mix(uint64_t v)
{
	v ^= v >> 30;
	v *= 0xbf58476d1ce4e5b9u;
	v ^= v >> 27;
	v *= 0x94d049bb133111ebu;
	return v ^ v >> 31;
}

/* The same on each mount, for each file: what tells files apart below, made one number. */
uint64_t node_ino(const struct file_id *id)
{
	uint64_t ino = mix(mix(id->dev + 0x9e3779b97f4a7c15u) ^ id->ino);

	return ino > FUSE_ROOT_ID ? ino : ino + 2;
}

static size_t bucket_of(const struct nodes *t, const struct file_id *id)
{
	return (node_ino(id) ^ mix(id->mount)) & (t->nbuckets - 1);
}

int nodes_init(struct nodes *t)
{
	pthread_mutex_init(&t->lock, NULL);
	t->nbuckets = BUCKETS_MIN;
	t->bucket = calloc(t->nbuckets, sizeof(struct node *));
	return t->bucket ? 0 : -ENOMEM;
}

static void node_free(struct node *node)
{
	locks_free(node);
	cr_close(node->file);
	pthread_mutex_destroy(&node->lock);
	free(node);
}

void opened_add(struct nodes *t, struct opened *it, void (*end)(struct opened *self))
{
	pthread_mutex_lock(&t->lock);
	*it = (struct opened){.next = t->opened, .end = end};
	if (it->next)
		it->next->prev = it;
	t->opened = it;
	pthread_mutex_unlock(&t->lock);
}

void opened_del(struct nodes *t, struct opened *it)
{
	pthread_mutex_lock(&t->lock);
	if (it->prev)
		it->prev->next = it->next;
	else
		t->opened = it->next;
	if (it->next)
		it->next->prev = it->prev;
	pthread_mutex_unlock(&t->lock);
}

/* Nobody uses the mount any more; what programs left open is closed, and so is all else. */
void nodes_free(struct nodes *t)
{
	while (t->opened) {
		struct opened *it = t->opened;

		t->opened = it->next;
		it->end(it);
	}
	for (size_t i = 0; i < t->nbuckets && t->bucket; i++)
		while (t->bucket[i]) {
			struct node *node = t->bucket[i];

			t->bucket[i] = node->next;
			node_free(node);
		}
	free(t->bucket);
	t->bucket = NULL;
	pthread_mutex_destroy(&t->lock);
}

/* Twice as many buckets; without memory it stays as it is. */
static void nodes_grow(struct nodes *t)
{
	struct node **old = t->bucket, **bucket = calloc(t->nbuckets * 2, sizeof(struct node *));
	size_t n = t->nbuckets;

	if (!bucket)
		return;
	t->bucket = bucket;
	t->nbuckets *= 2;
	for (size_t i = 0; i < n; i++)
		while (old[i]) {
			struct node *node = old[i];
			size_t to = bucket_of(t, &node->id);

			old[i] = node->next;
			node->next = bucket[to];
			bucket[to] = node;
		}
	free(old);
}

static bool is_same(const struct node *node, const struct file_id *id, const struct statx *stx)
{
	if (node->id.ino != id->ino || node->id.dev != id->dev || node->id.mount != id->mount ||
	    node->id.type != id->type)
		return false;
	return !node->known_birth || !(stx->stx_mask & STATX_BTIME) ||
	       (node->born.tv_sec == stx->stx_btime.tv_sec &&
		node->born.tv_nsec == stx->stx_btime.tv_nsec);
}

static struct node *node_new(struct file *file, const struct statx *stx)
{
	struct node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->file = file;
	node->id = *cr_file_id(file);
	node->known_birth = stx->stx_mask & STATX_BTIME;
	node->born = stx->stx_btime;
	pthread_mutex_init(&node->lock, NULL);
	locks_init(node);
	return node;
}

static void node_add(struct nodes *t, struct node *node)
{
	struct node **head;

	if (t->n >= t->nbuckets)
		nodes_grow(t);
	head = &t->bucket[bucket_of(t, &node->id)];
	node->next = *head;
	*head = node;
	node->hashed = true;
	t->n++;
}

int node_get(struct nodes *t, struct file *file, struct node **nodep)
{
	const struct file_id *id = cr_file_id(file);
	struct node *node, *found = NULL;
	struct statx stx;
	int err = cr_getattr_open(file, &stx);

	if (err) {
		cr_close(file);
		return err;
	}
	pthread_mutex_lock(&t->lock);
	for (node = t->bucket[bucket_of(t, id)]; node && !found; node = node->next)
		if (is_same(node, id, &stx))
			found = node;
	if (!found) {
		found = node_new(file, &stx);
		if (found)
			node_add(t, found);
		file = found ? NULL : file;
	}
	if (found)
		found->lookups++;
	pthread_mutex_unlock(&t->lock);
	cr_close(file);
	*nodep = found;
	return found ? 0 : -ENOMEM;
}

void node_forget(struct nodes *t, struct node *node, uint64_t n)
{
	struct node **at;
	bool last;

	if (!node)
		return;
	pthread_mutex_lock(&t->lock);
	node->lookups -= n < node->lookups ? n : node->lookups;
	last = !node->lookups;
	if (last) {
		at = &t->bucket[bucket_of(t, &node->id)];
		while (*at && *at != node)
			at = &(*at)->next;
		if (*at)
			*at = node->next;
		t->n--;
	}
	pthread_mutex_unlock(&t->lock);
	if (last)
		node_free(node);
}

static struct timespec to_timespec(struct statx_timestamp t)
{
	return (struct timespec){.tv_sec = t.tv_sec, .tv_nsec = t.tv_nsec};
}

void node_stat(const struct file_id *id, const struct statx *stx, struct stat *st)
{
	*st = (struct stat){
		.st_ino = node_ino(id),
		.st_mode = stx->stx_mode,
		.st_nlink = stx->stx_nlink,
		.st_uid = stx->stx_uid,
		.st_gid = stx->stx_gid,
		.st_rdev = makedev(stx->stx_rdev_major, stx->stx_rdev_minor),
		.st_size = (off_t)stx->stx_size,
		.st_blksize = (blksize_t)stx->stx_blksize,
		.st_blocks = (blkcnt_t)stx->stx_blocks,
		.st_atim = to_timespec(stx->stx_atime),
		.st_mtim = to_timespec(stx->stx_mtime),
		.st_ctim = to_timespec(stx->stx_ctime),
	};
}

int node_lookup(struct ofs *o, struct node *dir, const char *name, struct fuse_entry_param *e)
{
	struct node *node;
	struct statx stx;
	struct file *file;
	int err;

	memset(e, 0, sizeof(*e));
	e->attr_timeout = o->opts->attr_timeout;
	e->entry_timeout = o->opts->entry_timeout;
	if (!dir)
		return root_lookup(o, name, e);
	prune(o);
	err = cr_openat(dir->file, name, O_PATH | O_NOFOLLOW, 0, &file);
	for (unsigned i = 0; err == -EMFILE && i < PATIENCE && prune_more(o); i++)
		err = cr_openat(dir->file, name, O_PATH | O_NOFOLLOW, 0, &file);
	if (err)
		return err;
	err = cr_getattr_open(file, &stx);
	if (err) {
		cr_close(file);
		return err;
	}
	err = node_get(&o->nodes, file, &node);
	if (err)
		return err;
	e->ino = (uintptr_t)node;
	node_stat(&node->id, &stx, &e->attr);
	return 0;
}

/* The top of the mount ------------------------------------------------------------- */

int root_lookup(struct ofs *o, const char *name, struct fuse_entry_param *e)
{
	for (unsigned i = 0; i < o->opts->nrooms; i++) {
		struct node *top = o->opts->rooms[i].top;
		struct statx stx;
		int err;

		if (strcmp(o->opts->rooms[i].name, name) != 0)
			continue;
		err = cr_getattr(top->file, NULL, &stx);
		if (err)
			return err;
		pthread_mutex_lock(&o->nodes.lock);
		top->lookups++;
		pthread_mutex_unlock(&o->nodes.lock);
		e->ino = (uintptr_t)top;
		node_stat(&top->id, &stx, &e->attr);
		return 0;
	}
	return -ENOENT;
}

void root_stat(const struct ofs *o, struct stat *st)
{
	*st = (struct stat){
		.st_ino = FUSE_ROOT_ID,
		.st_mode = S_IFDIR | 0555,
		.st_nlink = 2 + o->opts->nrooms,
		.st_uid = geteuid(),
		.st_gid = getegid(),
		.st_blksize = 4096,
		.st_atim = {.tv_sec = o->since},
		.st_mtim = {.tv_sec = o->since},
		.st_ctim = {.tv_sec = o->since},
	};
}

/* What requests ask for ------------------------------------------------------------ */

void node_reply(fuse_req_t req, struct node *dir, const char *name, int err)
{
	struct ofs *o = ofs_of(req);
	struct fuse_entry_param e;

	if (!err)
		err = node_lookup(o, dir, name, &e);
	if (err)
		fuse_reply_err(req, reply_error(err));
	else if (fuse_reply_entry(req, &e) < 0) /* who asked is gone, and knows nothing of it */
		node_forget(&o->nodes, node_of(e.ino), 1);
}

void ofs_lookup(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	struct ofs *o = ofs_of(req);
	struct fuse_entry_param e;
	int err = node_lookup(o, node_of(dir), name, &e);

	if (err == -ENOENT && o->opts->negative_timeout > 0) {
		memset(&e, 0, sizeof(e));
		e.entry_timeout = o->opts->negative_timeout;
		fuse_reply_entry(req, &e);
		return;
	}
	if (err)
		fuse_reply_err(req, reply_error(err));
	else if (fuse_reply_entry(req, &e) < 0)
		node_forget(&o->nodes, node_of(e.ino), 1);
}

void ofs_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
	node_forget(&ofs_of(req)->nodes, node_of(ino), n);
	fuse_reply_none(req);
}

void ofs_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		node_forget(&ofs_of(req)->nodes, node_of(forgets[i].ino), forgets[i].nlookup);
	fuse_reply_none(req);
}
