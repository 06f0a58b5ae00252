// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * state.c - open files: OPEN, CLOSE, and what becomes of them when the server
 * forgets: RFC 8881 sections 8.4 and 9.
 *
 * Each open has an owner of its own, so that closing one leaves the others alone.
 * Stateids go out with seqid 0, "the newest", so replies may come in any order.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "fs/nfs/nfs.h"

#define CLAIM_MS    30000u
#define OWNER_CHARS 24u

static struct nfs_file *file_get(struct nfs_file *nf)
{
	atomic_fetch_add(&nf->refs, 1);
	return nf;
}

void nfs_file_put(struct nfs_file *nf)
{
	if (!nf || atomic_fetch_sub(&nf->refs, 1) != 1)
		return;
	rpc_rec_put(nf->page);
	pthread_mutex_destroy(&nf->lock);
	pthread_mutex_destroy(&nf->reopen);
	free(nf);
}

/* The file is open: recovery has to know it. */
static void list_add(struct nfs_file *nf, const struct nfs4_stateid *stateid)
{
	struct nfs_client *clp = nf->clp;

	pthread_mutex_lock(&clp->lock);
	nf->stateid = *stateid;
	nf->stateid.seqid = 0;
	if (!nf->open) {
		nf->open = true;
		nf->prev = NULL;
		nf->next = clp->files;
		if (clp->files)
			clp->files->prev = nf;
		clp->files = nf;
	}
	pthread_mutex_unlock(&clp->lock);
}

static void list_del(struct nfs_file *nf)
{
	struct nfs_client *clp = nf->clp;

	pthread_mutex_lock(&clp->lock);
	if (nf->open) {
		nf->open = false;
		if (nf->prev)
			nf->prev->next = nf->next;
		else
			clp->files = nf->next;
		if (nf->next)
			nf->next->prev = nf->prev;
	}
	pthread_mutex_unlock(&clp->lock);
}

static struct nfs4_owner owner_of(const struct nfs_file *nf, char *buf)
{
	snprintf(buf, OWNER_CHARS, "open %llu", (unsigned long long)nf->owner);
	return (struct nfs4_owner){.owner = xdr_str(buf)}; /* the session says whose it is */
}

static uint32_t access_of(int oflags)
{
	switch (oflags & O_ACCMODE) {
	case O_RDONLY:
		return OPEN4_SHARE_ACCESS_READ;
	case O_WRONLY:
		return OPEN4_SHARE_ACCESS_WRITE;
	default:
		return OPEN4_SHARE_ACCESS_BOTH;
	}
}

/* A delegation that nobody asked for goes back. */
static void give_back(struct nfs_file *nf, const struct nfs4_delegation *deleg)
{
	struct nfs4_stateid_args args = {deleg->stateid};
	struct nfs4_void none;
	struct nfs_req req;

	if (deleg->type != OPEN_DELEGATE_READ && deleg->type != OPEN_DELEGATE_WRITE)
		return;
	nfs_begin(&req, nf->clp);
	nfs_add(&req, OP_PUTFH, &nf->fh, &none);
	nfs_add(&req, OP_DELEGRETURN, &args, &none);
	nfs_call(&req);
	nfs_end(&req);
}

static struct nfs_file *file_new(struct nfs_client *clp)
{
	struct nfs_file *nf = calloc(1, sizeof(*nf));

	if (!nf)
		return NULL;
	atomic_init(&nf->refs, 1);
	nf->clp = clp;
	pthread_mutex_init(&nf->lock, NULL);
	pthread_mutex_init(&nf->reopen, NULL);
	pthread_mutex_lock(&clp->lock);
	nf->owner = ++clp->next_owner;
	pthread_mutex_unlock(&clp->lock);
	return nf;
}

/* nfs_adopt - @child is the file at @node, not opened for data */
int nfs_adopt(struct file *child, struct nfs_client *clp, const struct nfs_node *node)
{
	struct nfs_file *nf = file_new(clp);
	int err = nf ? nfs_fs_get(clp, &node->fh, &node->fsid, &nf->fs) : -ENOMEM;

	if (err) {
		nfs_file_put(nf);
		return err;
	}
	nf->fh = node->fh;
	child->private = nf;
	child->fd = -1;
	child->seen = node->stx;
	nfs_set_dev(nf->fs, &child->seen);
	child->id = (struct file_id){
		.dev = (uint64_t)child->seen.stx_dev_major << 32 | child->seen.stx_dev_minor,
		.ino = child->seen.stx_ino,
		.mount = (uintptr_t)clp,
		.type = child->seen.stx_mode & S_IFMT,
	};
	return 0;
}

static int open_existing(struct nfs_file *nf, uint32_t claim, bool recovering, uint32_t *status)
{
	char owner[OWNER_CHARS];
	struct nfs4_open_args args = {
		.share_access = nf->access |
				(claim == CLAIM_PREVIOUS ? 0 : OPEN4_SHARE_ACCESS_WANT_NO_DELEG),
		.owner = owner_of(nf, owner),
		.opentype = OPEN4_NOCREATE,
		.claim = claim,
		.delegate_type = OPEN_DELEGATE_NONE,
	};
	struct nfs4_open_res res;
	struct nfs4_void none;
	struct nfs_req req;
	int err;

	nfs_begin(&req, nf->clp);
	req.once = true;
	nfs_add(&req, OP_PUTFH, &nf->fh, &none);
	nfs_add(&req, OP_OPEN, &args, &res);
	err = recovering ? nfs_call_slot0(&req, nfs_patience(nf->clp, CLAIM_MS)) : nfs_call(&req);
	*status = req.status;
	if (!err && !req.status)
		list_add(nf, &res.stateid);
	nfs_end(&req);
	if (!err && !*status && !recovering)
		give_back(nf, &res.delegation);
	return err;
}

/* nfs_open_fh - open the file that @nf stands for */
int nfs_open_fh(struct nfs_file *nf, uint32_t access)
{
	uint32_t status;
	int err;

	nf->access = access;
	err = open_existing(nf, CLAIM_FH, false, &status);
	return err ? err : nfs4_status_errno(status);
}

static void creation(struct nfs4_open_args *args, const struct file *child,
		     const struct nfs_client *clp, bool excl_mode)
{
	if (!(child->oflags & O_CREAT)) {
		args->opentype = OPEN4_NOCREATE;
		return;
	}
	args->opentype = OPEN4_CREATE;
	args->createmode = UNCHECKED4;
	if (child->oflags & O_EXCL)
		args->createmode = excl_mode ? EXCLUSIVE4_1 : GUARDED4;
	if (args->createmode == EXCLUSIVE4_1 &&
	    getrandom(args->createverf, sizeof(args->createverf), 0) < 0)
		args->createmode = GUARDED4;
}

/* The reply to an OPEN by name: fh and attributes are in @node. */
static int opened(struct file *child, struct nfs_file *nf, const struct nfs4_open_res *res,
		  const struct nfs_node *node)
{
	int err = nfs_fs_get(nf->clp, &node->fh, &node->fsid, &nf->fs);

	nf->fh = node->fh;
	list_add(nf, &res->stateid);
	give_back(nf, &res->delegation);
	if (!err && !S_ISREG(node->stx.stx_mode))
		err = -EREMOTEIO;
	if (err) {
		nfs_close(nf);
		return err;
	}
	child->private = nf;
	child->fd = -1;
	child->fresh = (child->oflags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
	child->seen = node->stx;
	nfs_set_dev(nf->fs, &child->seen);
	child->id = (struct file_id){
		.dev = (uint64_t)child->seen.stx_dev_major << 32 | child->seen.stx_dev_minor,
		.ino = child->seen.stx_ino,
		.mount = (uintptr_t)nf->clp,
		.type = S_IFREG,
	};
	return 0;
}

static int send_open(struct nfs_file *nf, const struct nfs4_fh *dir, struct nfs4_open_args *args,
		     struct nfs4_open_res *res, struct nfs_node *node)
{
	struct nfs4_map_args map = {nfs_stat_map};
	struct nfs4_fattr_args attr;
	struct nfs4_void none;
	struct nfs4_fh at = *dir;
	struct nfs_req req;
	int err;

	nfs_begin(&req, nf->clp);
	req.once = true;
	nfs_add(&req, OP_PUTFH, &at, &none);
	nfs_add(&req, OP_OPEN, args, res);
	nfs_add(&req, OP_GETFH, &none, &node->fh);
	nfs_add(&req, OP_GETATTR, &map, &attr);
	err = nfs_result(&req, nfs_call(&req));
	if (!err)
		err = nfs_stat(&attr.attr, node);
	nfs_end(&req);
	/* Not a regular file: POSIX has a word for each. */
	if (req.status == NFS4ERR_SYMLINK)
		err = -ELOOP;
	else if (req.status == NFS4ERR_WRONG_TYPE)
		err = -ENXIO;
	return err;
}

/*
 * nfs_open_name - OPEN by @name below @dir, creating it as child->oflags say
 *
 * -ELOOP for a symbolic link, -EISDIR, -ENXIO for anything else that is no file.
 */
int nfs_open_name(struct nfs_client *clp, const struct nfs4_fh *dir, const char *name,
		  struct file *child, mode_t mode)
{
	struct nfs_file *nf = file_new(clp);
	struct nfs4_attrs a = {.map = {.word = {0, 1u << (FATTR4_MODE - 32)}},
			       .mode = mode & 07777 & ~clp->room->umask};
	struct nfs4_open_args args = {.claim = CLAIM_NULL, .name = xdr_str(name)};
	struct nfs4_open_res res;
	struct nfs_node node;
	char owner[OWNER_CHARS];
	uint8_t buf[16];
	int err;

	if (!nf)
		return -ENOMEM;
	nf->access = access_of(child->oflags);
	args.share_access = nf->access | OPEN4_SHARE_ACCESS_WANT_NO_DELEG;
	args.owner = owner_of(nf, owner);
	creation(&args, child, clp, true);
	err = nfs_pack(&a, &args.createattrs, buf, sizeof(buf));
	if (!err)
		err = send_open(nf, dir, &args, &res, &node);
	/* Not every server takes a mode with a verifier. */
	if (args.createmode == EXCLUSIVE4_1 && (err == -EINVAL || err == -EOPNOTSUPP)) {
		args.createmode = GUARDED4;
		err = send_open(nf, dir, &args, &res, &node);
	}
	if (!err)
		err = opened(child, nf, &res, &node);
	if (err)
		nfs_file_put(nf);
	return err;
}

/* nfs_stateid - to read and write with; the anonymous one where the file is not open */
struct nfs4_stateid nfs_stateid(struct nfs_file *nf)
{
	struct nfs4_stateid stateid;

	pthread_mutex_lock(&nf->clp->lock);
	stateid = nf->stateid;
	pthread_mutex_unlock(&nf->clp->lock);
	return stateid;
}

static bool state_lost(uint32_t status)
{
	switch (status) {
	case NFS4ERR_BAD_STATEID:
	case NFS4ERR_STALE_STATEID:
	case NFS4ERR_OLD_STATEID:
	case NFS4ERR_EXPIRED:
	case NFS4ERR_ADMIN_REVOKED:
	case NFS4ERR_DELEG_REVOKED:
		return true;
	default:
		return false;
	}
}

static void free_stateid(struct nfs_file *nf, const struct nfs4_stateid *stateid)
{
	struct nfs4_stateid_args args = {*stateid};
	struct nfs4_void none;
	struct nfs_req req;

	nfs_begin(&req, nf->clp);
	nfs_add(&req, OP_FREE_STATEID, &args, &none);
	nfs_call(&req);
	nfs_end(&req);
}

/**
 * nfs_state_again - the server does not know a stateid (any more)
 * @used: what the request had
 * @status: what it got
 * @tries: of this operation, from 0
 * @err: an error of opening the file again
 *
 * Return: true when the request may be tried again.
 */
bool nfs_state_again(struct nfs_file *nf, const struct nfs4_stateid *used, uint32_t status,
		     unsigned *tries, int *err)
{
	struct nfs4_stateid now;
	uint32_t got = NFS4_OK;

	if (!state_lost(status) || ++*tries > NFS_TRIES || !nf->open)
		return false;
	pthread_mutex_lock(&nf->reopen);
	now = nfs_stateid(nf);
	if (!memcmp(&now, used, sizeof(now))) {
		if (status == NFS4ERR_EXPIRED || status == NFS4ERR_ADMIN_REVOKED)
			free_stateid(nf, used);
		*err = open_existing(nf, CLAIM_FH, false, &got);
		if (!*err)
			*err = nfs4_status_errno(got);
	}
	pthread_mutex_unlock(&nf->reopen);
	return !*err;
}

/* CLOSE, and COMMIT before it where there is something to commit: the outcome of that. */
static int send_close(struct nfs_file *nf, struct nfs_commit *c, bool *closed)
{
	struct nfs4_close_args args = {.stateid = nfs_stateid(nf)};
	bool commits = c->dirty || c->touched;
	struct nfs4_stateid_args res;
	struct nfs4_void none;
	struct nfs_req req;
	int err;

	nfs_begin(&req, nf->clp);
	req.once = true;
	nfs_add(&req, OP_PUTFH, &nf->fh, &none);
	if (commits)
		nfs_add(&req, OP_COMMIT, &c->args, &c->res);
	nfs_add(&req, OP_CLOSE, &args, &res);
	err = nfs_call(&req);
	nfs_end(&req);
	*closed = err || req.done == req.n;
	/* A CLOSE that fails loses nothing: what the server keeps ends with the lease. */
	if (!err && !(commits && *closed))
		err = nfs4_status_errno(req.status);
	return commits ? nfs_commit_end(nf, c, req.boots, err) : nfs_commit_end(nf, c, 0, 0);
}

/* nfs_close - the end of an open file; what was written is committed in the same go */
int nfs_close(struct nfs_file *nf)
{
	struct nfs_commit c, none = {.writes = 0};
	bool closed;
	int err;

	if (!nf->open)
		return 0;
	nfs_commit_begin(nf, &c);
	err = send_close(nf, &c, &closed);
	if (!closed && (c.dirty || c.touched)) /* COMMIT failed before it */
		send_close(nf, &none, &closed);
	list_del(nf);
	return err;
}

/* Claims one file; an error means that the connection is gone again. */
static int claim(struct nfs_file *nf)
{
	uint32_t status;
	int err = open_existing(nf, CLAIM_PREVIOUS, true, &status);

	if (err || !status)
		return err;
	switch (status) {
	case NFS4ERR_DELAY:
	case NFS4ERR_GRACE:
		return -EAGAIN;
	case NFS4ERR_BADSESSION:
	case NFS4ERR_DEADSESSION:
	case NFS4ERR_SEQ_MISORDERED:
		return -ESTALE;
	default: /* too late, or refused: nfs_state_again() will open it as it is now */
		return 0;
	}
}

/* nfs_reclaim - after a restart of the server, all that is open */
int nfs_reclaim(struct nfs_client *clp)
{
	struct nfs_file *nf, **list;
	size_t n = 0, i;
	int err = 0;

	pthread_mutex_lock(&clp->lock);
	for (nf = clp->files; nf; nf = nf->next)
		n++;
	list = n ? malloc(n * sizeof(struct nfs_file *)) : NULL;
	n = 0;
	for (nf = list ? clp->files : NULL; nf; nf = nf->next)
		list[n++] = file_get(nf);
	pthread_mutex_unlock(&clp->lock);
	for (i = 0; i < n; i++) {
		if (!err)
			err = claim(list[i]);
		nfs_file_put(list[i]);
	}
	free(list);
	return err;
}
