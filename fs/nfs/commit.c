// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * commit.c - what was written gets to stable storage, or is known to be lost.
 *
 * Writes are unstable: the server may lose them until a COMMIT, and says by its
 * write verifier whether it did (RFC 8881 section 18.3).  Where operations give no
 * verifier, the server's forgetting us tells of its restart.  What may be lost is kept
 * as one span around it all.  Who copies asks by nfs_settle() and writes the span
 * again; for everybody else the file's next flush, sync and close is an error, until
 * that has been done: nothing is lost in silence.
 */
#include <errno.h>
#include <string.h>

#include "fs/nfs/nfs.h"

static bool is_empty(const struct nfs_span *span)
{
	return span->from >= span->to;
}

static void widen(struct nfs_span *span, const struct nfs_span *by)
{
	if (is_empty(by))
		return;
	if (is_empty(span)) {
		*span = *by;
		return;
	}
	span->from = by->from < span->from ? by->from : span->from;
	span->to = by->to > span->to ? by->to : span->to;
}

static const struct nfs_span nothing;

/* nf->lock is held */
static void lose(struct nfs_file *nf)
{
	widen(&nf->lost, &nf->unsafe);
	nf->unsafe = nothing;
	nf->losses++;
}

/* nfs_wrote - the server has taken @span; @verf: the instance of it that has */
void nfs_wrote(struct nfs_file *nf, const struct nfs_span *span, uint32_t committed,
	       const uint8_t *verf)
{
	pthread_mutex_lock(&nf->lock);
	nf->writes++;
	if (committed != FILE_SYNC4) {
		if (nf->dirty && memcmp(nf->verf, verf, sizeof(nf->verf)) != 0)
			lose(nf);
		nf->dirty = true;
		memcpy(nf->verf, verf, sizeof(nf->verf));
		widen(&nf->unsafe, span);
	}
	pthread_mutex_unlock(&nf->lock);
}

/*
 * nfs_touched - changed by an operation that gives no verifier
 *
 * Whether the server lost it is told by its forgetting us: @boots, of the request.
 */
void nfs_touched(struct nfs_file *nf, const struct nfs_span *span, uint32_t boots)
{
	pthread_mutex_lock(&nf->lock);
	nf->writes++;
	if (!nf->touched)
		nf->boots = boots;
	nf->touched = true;
	widen(&nf->unsafe, span);
	pthread_mutex_unlock(&nf->lock);
}

/* nfs_commit_begin - what a COMMIT would be about; false: there is nothing to commit */
bool nfs_commit_begin(struct nfs_file *nf, struct nfs_commit *c)
{
	memset(c, 0, sizeof(*c));
	pthread_mutex_lock(&nf->lock);
	c->dirty = nf->dirty;
	c->touched = nf->touched;
	c->writes = nf->writes;
	pthread_mutex_unlock(&nf->lock);
	return c->dirty || c->touched;
}

/* The server has answered a COMMIT.  nf->lock is held. */
static void committed(struct nfs_file *nf, const struct nfs_commit *c, uint32_t boots)
{
	if ((c->dirty && memcmp(nf->verf, c->res.verf, sizeof(nf->verf)) != 0) ||
	    (c->touched && nf->boots != boots)) {
		lose(nf);
		nf->dirty = nf->touched = false;
	} else if (nf->writes == c->writes) {
		nf->unsafe = nothing;
		nf->dirty = nf->touched = false;
	}
}

/* nfs_commit_end - @err of the COMMIT, if one was sent; @boots of its request */
int nfs_commit_end(struct nfs_file *nf, const struct nfs_commit *c, uint32_t boots, int err)
{
	pthread_mutex_lock(&nf->lock);
	if ((c->dirty || c->touched) && !err)
		committed(nf, c, boots);
	if (!is_empty(&nf->lost))
		err = -EIO;
	pthread_mutex_unlock(&nf->lock);
	return err;
}

/**
 * nfs_commit - all that was written is on stable storage
 *
 * Return: 0; -EIO when the server restarted and lost some of it: from then on
 * always, until nfs_settle() has heard that it was written again.
 */
int nfs_commit(struct nfs_file *nf)
{
	struct nfs_commit c;
	struct nfs4_void none;
	struct nfs_req req = {.boots = 0};
	int err = 0;

	if (nfs_commit_begin(nf, &c)) {
		nfs_begin(&req, nf->clp);
		nfs_add(&req, OP_PUTFH, &nf->fh, &none);
		nfs_add(&req, OP_COMMIT, &c.args, &c.res);
		err = nfs_result(&req, nfs_call(&req));
		nfs_end(&req);
	}
	return nfs_commit_end(nf, &c, req.boots, err);
}

int nfs_sync(struct file *file, bool data_only)
{
	return nfs_commit(nfs_of(file));
}

int nfs_flush(struct file *file)
{
	return nfs_commit(nfs_of(file));
}

/* nfs_settle - see file_operations.settle; what was lost after it was told is lost still */
int nfs_settle(struct file *file, struct file_range *range)
{
	struct nfs_file *nf = nfs_of(file);
	int err;

	pthread_mutex_lock(&nf->lock);
	if (range->len && nf->losses == nf->told && nf->lost.from >= range->pos &&
	    nf->lost.to <= range->pos + range->len)
		nf->lost = nothing;
	pthread_mutex_unlock(&nf->lock);
	err = nfs_commit(nf);
	pthread_mutex_lock(&nf->lock);
	range->len = 0;
	if (!is_empty(&nf->lost)) {
		*range = (struct file_range){nf->lost.from, nf->lost.to - nf->lost.from};
		nf->told = nf->losses;
		err = 0;
	}
	pthread_mutex_unlock(&nf->lock);
	return err;
}
