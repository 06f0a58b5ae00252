// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer target for fs/nfs, the client: a server that answers anything.  The input
 * is a tape; each of its words names a call of the room, and what that call asks the
 * server gets its answer from the bytes behind.  Sessions and connections are left out:
 * the functions of call.c, client.c and recover.c that are needed stand here.
 *
 *	make fuzz; build/selftests/fuzz/nfs_fuzz -max_total_time=60
 */
#include <errno.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/nfs/nfs.h"
#include "lib/dirbuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CALLS_MAX 400u

static struct xdr tape;
static unsigned calls;
static uint64_t now;
static struct nfs_fs fs;
static struct nfs_client clp;
static struct nfs_room room;

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* Instead of call.c, client.c, ev.c and the connection ------------------------------- */

uint64_t ev_now(void)
{
	return now += 50;
}

void nfs_cond_init(pthread_cond_t *cond)
{
	pthread_cond_init(cond, NULL);
}

void nfs_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, unsigned ms)
{
	now += ms;
}

uint32_t nfs_patience(const struct nfs_client *c, uint32_t most)
{
	return most;
}

void rpc_rec_put(struct rpc_rec *rec)
{
	if (rec && atomic_fetch_sub(&rec->refs, 1) == 1)
		free(rec);
}

void nfs_begin(struct nfs_req *req, struct nfs_client *c)
{
	*req = (struct nfs_req){.clp = c};
}

void nfs_add(struct nfs_req *req, uint32_t op, void *args, void *res)
{
	if (req->n < NFS_REQ_OPS)
		req->op[req->n] = (struct nfs_op){op, 0, args, res};
	req->n++;
}

void nfs_end(struct nfs_req *req)
{
	rpc_rec_put(req->rec);
	req->rec = NULL;
}

/* What is asked for has to be something that can be said. */
static void say(struct nfs_req *req)
{
	static uint8_t buf[256u << 10];
	struct nfs4_call_head head = {.minor = 2};
	struct xdr x;

	xdr_encode(&x, buf, sizeof(buf));
	nfs4_call_begin(&x, &head);
	for (unsigned i = 0; i < req->n; i++)
		nfs4_put_op(&x, &head, req->op[i].op, req->op[i].args);
	nfs4_call_end(&x, &head);
	check(!x.error);
}

/* The rest of the tape, in memory that ends with the request: a quarter of it are errors. */
int nfs_call(struct nfs_req *req)
{
	size_t left = xdr_left(&tape);
	struct rpc_rec *rec;
	struct xdr x;

	if (++calls > CALLS_MAX || left < 4)
		return -ECONNRESET;
	if (req->n > NFS_REQ_OPS)
		return -EMSGSIZE;
	say(req);
	rec = malloc(sizeof(*rec) + left);
	check(rec != NULL);
	atomic_init(&rec->refs, 1);
	rec->len = (uint32_t)left;
	memcpy(rec->data, tape.p, left);
	xdr_decode(&x, rec->data, left);
	req->done = 0;
	while (req->done < req->n) {
		struct nfs_op *op = &req->op[req->done++];
		uint32_t v = xdr_get_u32(&x);

		op->status = req->status = (v & 3) == 3 ? v >> 2 : NFS4_OK;
		nfs4_op(op->op)->res(&x, op->res, op->status);
		if (x.error || op->status)
			break;
	}
	tape.p += (size_t)(x.p - x.base);
	rpc_rec_put(req->rec);
	req->rec = rec;
	return x.error;
}

int nfs_call_slot0(struct nfs_req *req, uint32_t timeout_ms)
{
	return nfs_call(req);
}

int nfs_fs_get(struct nfs_client *c, const struct nfs4_fh *fh, const struct nfs4_fsid *fsid,
	       struct nfs_fs **fsp)
{
	check(fh->len <= sizeof(fh->data));
	*fsp = &fs;
	return 0;
}

void rpc_reply_begin(const struct rpc_call *call, struct xdr *x)
{
	xdr_put_u32(x, call->xid);
}

int rpc_reply_error(const struct rpc_call *call, enum rpc_accept why, uint32_t low, uint32_t high)
{
	return 0;
}

int rpc_send(struct rpc_conn *conn, struct xdr *x)
{
	check(!x->error);
	return 0;
}

void rpc_call_done(struct rpc_call *call)
{
}

/* The calls -------------------------------------------------------------------------- */

static struct file file[2];

static void replace(unsigned i, struct file *child)
{
	nfs_close(nfs_of(&file[i]));
	nfs_file_put(nfs_of(&file[i]));
	file[i] = *child;
}

static void walk(unsigned i, const char *name, bool follow)
{
	const struct nfs_path path = {&nfs_of(&file[i])->fh, name, strlen(name)};
	struct file child = {.oflags = O_RDWR};
	struct nfs_node node;

	if (nfs_walk(&clp, &path, follow, &node) || nfs_adopt(&child, &clp, &node))
		return;
	nfs_open_fh(nfs_of(&child), OPEN4_SHARE_ACCESS_BOTH);
	replace(i, &child);
}

static void open_name(unsigned i, int flags)
{
	struct file child = {.oflags = flags};

	if (!nfs_open_name(&clp, &nfs_of(&file[i])->fh, "name", &child, 0644))
		replace(1 - i, &child);
}

/* Into memory of just this size; of a file with holes by READ_PLUS. */
static void read_some(struct file *f, size_t len, bool sparse)
{
	char *buf = malloc(len ? len : 1);
	ssize_t n;

	f->seen.stx_size = sparse ? 1u << 30 : 0;
	n = nfs_read(f, buf, len, 0);
	check(n <= (ssize_t)len);
	for (ssize_t i = 0; i < n; i++) /* all of it was set: seen by MSan, and by the optimiser */
		now += (uint8_t)buf[i] & 1;
	free(buf);
}

static void write_some(struct file *f, size_t len)
{
	static const char data[5000];

	check(nfs_write(f, data, len % sizeof(data), (off_t)len) <= (ssize_t)(len % sizeof(data)));
}

static void list(struct file *f)
{
	struct dirent_view view;
	struct dirbuf buf = {.size = 1024};

	buf.data = malloc(buf.size);
	while (nfs_readdir(f, &buf) > 0) {
		while (dirbuf_next(&buf, &view))
			check(strlen(view.name) <= NFS4_NAME_MAX && !strchr(view.name, '/'));
		buf.at = buf.len = 0;
	}
	free(buf.data);
}

static void xattrs(struct file *f, size_t len)
{
	char *buf = malloc(len ? len : 1);
	struct iovec val = {buf, len};
	ssize_t n = nfs_listxattr(f, NULL, buf, len);

	check(n <= (ssize_t)len || !len);
	for (ssize_t at = 0; len && at < n; at += (ssize_t)strlen(buf + at) + 1)
		check(memchr(buf + at, '\0', (size_t)(n - at)) != NULL);
	n = nfs_getxattr(f, NULL, "user.a", &val);
	check(n <= (ssize_t)len || !len);
	free(buf);
}

static void link_text(struct file *f, size_t len)
{
	char *buf = malloc(len ? len : 1);

	check(nfs_readlink(f, "link", buf, len) <= (ssize_t)len);
	free(buf);
}

static void change(struct file *f, unsigned how)
{
	switch (how % 6) {
	case 0:
		nfs_mkdir(f, "d", 0755);
		break;
	case 1:
		nfs_mknod(f, "p", S_IFIFO | 0644, 0);
		break;
	case 2:
		nfs_symlink(f, "s", "target");
		break;
	case 3:
		nfs_link(f, "a", f, "b");
		break;
	case 4:
		nfs_unlink(f, "a", how & 8 ? AT_REMOVEDIR : 0);
		break;
	default:
		nfs_rename(f, "a", f, "b", how & 8 ? 1 : 0);
	}
}

static void copy(unsigned how, uint64_t len)
{
	struct copy_progress progress = {0};
	struct copy_result res = {0};
	struct copy_grant grant;
	const struct copy_req req = {
		.in = &file[0], .out = &file[1], .len = len, .progress = &progress};
	int err;

	if (how % 3 == 0)
		err = nfs_clone_range(&req, &res);
	else if (how % 3 == 1)
		err = nfs_copy_range(&req, &res);
	else if (!(err = nfs_grant(&req, &grant, &res))) {
		err = nfs_redeem(&req, &grant, &res);
		nfs_revoke(&file[0], &grant);
	}
	check(err <= 0 && res.bytes <= len && !progress.bytes);
}

static void called_back(void)
{
	struct rpc_call call = {.prog = NFS_CB_PROGRAM, .vers = NFS4_CB_VERSION, .proc = 1};

	xdr_decode(&call.args, tape.p, xdr_left(&tape));
	nfs_callback(&clp, &call);
	tape.p += (size_t)(call.args.p - call.args.base);
}

static void attributes(struct file *f, unsigned how)
{
	const struct iattr attr = {.valid = ATTR_MODE | ATTR_OWNER | ATTR_TIMES, .mode = 0600};
	struct statx stx;

	if (how % 2)
		nfs_setattr(f, how & 2 ? "name" : NULL, &attr);
	else
		nfs_getattr(f, how & 2 ? "name" : NULL, &stx);
}

static void one(void)
{
	uint32_t v = xdr_get_u32(&tape);
	unsigned how = v >> 8 & 0xff, i = how & 1;
	size_t len = v >> 16;

	switch (v % 16) {
	case 0:
		walk(i, "a/../b/c", how & 2);
		break;
	case 1:
		open_name(i, how & 2 ? O_RDWR | O_CREAT | O_EXCL : O_RDONLY);
		break;
	case 2:
		read_some(&file[i], how & 4 ? len % 64 : len, how & 2);
		break;
	case 3:
		write_some(&file[i], len);
		break;
	case 4:
		nfs_seek(&file[i], (off_t)len, how & 2 ? SEEK_DATA : SEEK_HOLE);
		break;
	case 5:
		nfs_allocate(&file[i], how & 2 ? 0 : FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			     (off_t)len + 1);
		break;
	case 6:
		list(&file[i]);
		break;
	case 7:
		attributes(&file[i], how);
		break;
	case 8:
		xattrs(&file[i], len % 512);
		break;
	case 9:
		link_text(&file[i], len % 300);
		break;
	case 10:
		change(&file[i], how);
		break;
	case 11:
	case 12:
		copy(how, (uint64_t)len * 4096 + how);
		break;
	case 13:
		nfs_commit(nfs_of(&file[i]));
		break;
	case 14:
		called_back();
		break;
	default:
		nfs_reclaim(&clp);
	}
}

static void begin(void)
{
	static const struct nfs_node node = {
		.fh = {4, "file"},
		.stx = {.stx_mask = STATX_BASIC_STATS, .stx_mode = S_IFREG | 0644, .stx_ino = 7}};

	fs = (struct nfs_fs){.rsize = 4096, .wsize = 4096, .clone_block = 4096};
	clp = (struct nfs_client){.room = &room, .minor = 2, .conn_up = true, .session_up = true};
	clp.url.timeout = 10;
	clp.s.maxops = NFS_REQ_OPS;
	clp.addr.ss_family = AF_INET;
	pthread_mutex_init(&clp.lock, NULL);
	pthread_cond_init(&clp.changed, NULL);
	calls = 0;
	now = 1000;
	for (unsigned i = 0; i < 2; i++) {
		file[i] = (struct file){.oflags = O_RDWR};
		check(!nfs_adopt(&file[i], &clp, &node));
		file[i].id.ino = i;
		nfs_open_fh(nfs_of(&file[i]), OPEN4_SHARE_ACCESS_BOTH);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *exactly = malloc(size ? size : 1);

	if (size)
		memcpy(exactly, data, size);
	xdr_decode(&tape, exactly, size);
	begin();
	while (!tape.error && xdr_left(&tape) >= 4 && calls < CALLS_MAX)
		one();
	for (unsigned i = 0; i < 2; i++) {
		nfs_close(nfs_of(&file[i]));
		nfs_file_put(nfs_of(&file[i]));
	}
	check(!clp.files && !clp.copies && !clp.copies_starting);
	free(exactly);
	return 0;
}
