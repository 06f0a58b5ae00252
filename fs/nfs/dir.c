// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dir.c - directories: what is in them, what is made in them and removed.
 *
 * Changes are done once, however often the connection breaks (call.c).  Only where
 * the server itself lost the session (req.uncertain) a change may have been done
 * already: then an answer that says so counts as done.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "fs/nfs/nfs.h"
#include "lib/dirbuf.h"

#define PAGE_BYTES 32768u /* of a READDIR's reply */

static unsigned char dirent_type(uint32_t type)
{
	static const unsigned char types[] = {
		[NF4REG] = DT_REG, [NF4DIR] = DT_DIR,	[NF4BLK] = DT_BLK,   [NF4CHR] = DT_CHR,
		[NF4LNK] = DT_LNK, [NF4SOCK] = DT_SOCK, [NF4FIFO] = DT_FIFO,
	};

	return type < sizeof(types) ? types[type] : DT_UNKNOWN;
}

/* One entry into @buf: 1, 0 it does not fit, or an error. */
static int put_entry(const struct nfs4_entry *entry, struct dirbuf *buf)
{
	struct dirent_view view = {.type = DT_UNKNOWN};
	struct nfs4_attrs a;
	char name[NFS4_NAME_MAX + 1];

	if (!entry->name.len || entry->name.len > NFS4_NAME_MAX)
		return -EREMOTEIO;
	if (memchr(entry->name.data, '/', entry->name.len) ||
	    memchr(entry->name.data, 0, entry->name.len))
		return -EREMOTEIO;
	memcpy(name, entry->name.data, entry->name.len);
	name[entry->name.len] = '\0';
	if (!nfs4_attrs_decode(&entry->attr, &a)) {
		if (nfs4_bit(&a.map, FATTR4_TYPE))
			view.type = dirent_type(a.type);
		if (nfs4_bit(&a.map, FATTR4_FILEID))
			view.ino = a.fileid;
	}
	view.name = name;
	return dirbuf_put(buf, &view);
}

/* What is left of the page into @buf; nf->lock is held.  Entries put, or an error. */
static ssize_t take_page(struct nfs_file *nf, struct dirbuf *buf)
{
	ssize_t n = 0;

	while (xdr_left(&nf->page_at)) {
		struct xdr before = nf->page_at;
		struct nfs4_entry entry;
		int put;

		if (xdr_get_u32(&nf->page_at) != 1)
			return -EREMOTEIO;
		nfs4_entry(&nf->page_at, &entry);
		put = nf->page_at.error ? -EREMOTEIO : put_entry(&entry, buf);
		if (put < 0)
			return put;
		if (!put) {
			nf->page_at = before;
			return n ? n : -EINVAL;
		}
		nf->cookie = entry.cookie;
		n++;
	}
	rpc_rec_put(nf->page);
	nf->page = NULL;
	return n;
}

static int get_page(struct nfs_file *nf)
{
	struct nfs4_readdir_args args = {
		.cookie = nf->cookie,
		.dircount = PAGE_BYTES / 4,
		.maxcount = PAGE_BYTES,
		.attrs = {.word = {1u << FATTR4_TYPE | 1u << FATTR4_FILEID |
				   1u << FATTR4_RDATTR_ERROR}}};
	struct nfs4_readdir_res res;
	struct nfs4_void none;
	struct nfs_req req;
	int err;

	memcpy(args.verf, nf->cookie_verf, sizeof(args.verf));
	nfs_begin(&req, nf->clp);
	nfs_add(&req, OP_PUTFH, &nf->fh, &none);
	nfs_add(&req, OP_READDIR, &args, &res);
	err = nfs_result(&req, nfs_call(&req));
	if (!err && !res.entries.len && !res.eof)
		err = -EREMOTEIO;
	if (!err) {
		memcpy(nf->cookie_verf, res.verf, sizeof(nf->cookie_verf));
		nf->dir_end = res.eof;
		xdr_decode(&nf->page_at, res.entries.data, res.entries.len);
		nf->page = req.rec;
		req.rec = NULL;
	}
	nfs_end(&req);
	return err;
}

ssize_t nfs_readdir(struct file *file, struct dirbuf *buf)
{
	struct nfs_file *nf = nfs_of(file);
	ssize_t n = 0;
	int err = 0;

	pthread_mutex_lock(&nf->lock);
	while (!n && !err && (nf->page || !nf->dir_end)) {
		err = nf->page ? 0 : get_page(nf);
		if (!err)
			n = take_page(nf, buf);
	}
	pthread_mutex_unlock(&nf->lock);
	return err ? err : n;
}

/* Whether @name is there and, with @type, of that type: what an uncertain change has left. */
static bool stands(struct file *dir, const char *name, mode_t type)
{
	struct statx stx;

	return !nfs_getattr(dir, name, &stx) && (!type || (stx.stx_mode & S_IFMT) == type);
}

static int create(struct file *dir, struct nfs4_create_args *args, const char *name, mode_t mode)
{
	struct nfs_file *nf = nfs_of(dir);
	struct nfs4_attrs a = {.map = {.word = {0, 1u << (FATTR4_MODE - 32)}}};
	struct nfs4_create_res res;
	struct nfs4_void none;
	struct nfs_req req;
	uint8_t buf[16];
	int err;

	a.mode = mode & 07777;
	if ((mode & S_IFMT) != S_IFLNK)
		a.mode &= ~nf->clp->room->umask;
	args->name = xdr_str(name);
	err = nfs_pack(&a, &args->attr, buf, sizeof(buf));
	if (err)
		return err;
	nfs_begin(&req, nf->clp);
	req.once = true;
	nfs_add(&req, OP_PUTFH, &nf->fh, &none);
	nfs_add(&req, OP_CREATE, args, &res);
	err = nfs_result(&req, nfs_call(&req));
	nfs_end(&req);
	return err == -EEXIST && req.uncertain && stands(dir, name, mode & S_IFMT) ? 0 : err;
}

int nfs_mkdir(struct file *dir, const char *name, mode_t mode)
{
	struct nfs4_create_args args = {.type = NF4DIR};

	return create(dir, &args, name, (mode & 07777) | S_IFDIR);
}

int nfs_symlink(struct file *dir, const char *name, const char *target)
{
	struct nfs4_create_args args = {.type = NF4LNK, .link = xdr_str(target)};

	return create(dir, &args, name, S_IFLNK | 0777);
}

/* An empty file, as mknod(2) makes one. */
static int make_file(struct file *dir, const char *name, mode_t mode)
{
	struct nfs_file *nf = nfs_of(dir);
	struct file child = {.oflags = O_CREAT | O_EXCL | O_WRONLY};
	int err = nfs_open_name(nf->clp, &nf->fh, name, &child, mode);

	if (err)
		return err;
	err = nfs_close(nfs_of(&child));
	nfs_file_put(nfs_of(&child));
	return err;
}

int nfs_mknod(struct file *dir, const char *name, mode_t mode, dev_t dev)
{
	struct nfs4_create_args args = {.major = major(dev), .minor = minor(dev)};

	switch (mode & S_IFMT) {
	case S_IFBLK:
		args.type = NF4BLK;
		break;
	case S_IFCHR:
		args.type = NF4CHR;
		break;
	case S_IFIFO:
		args.type = NF4FIFO;
		break;
	case S_IFSOCK:
		args.type = NF4SOCK;
		break;
	case S_IFREG:
	case 0:
		return make_file(dir, name, mode);
	default:
		return -EINVAL;
	}
	return create(dir, &args, name, mode);
}

/* nfs_link_text - of the link @name below @fh, or @fh itself (NULL); its length, cut at @size */
ssize_t nfs_link_text(struct nfs_client *clp, const struct nfs4_fh *fh, const char *name, char *buf,
		      size_t size)
{
	struct nfs4_name_args look = {.name = xdr_str(name ? name : "")}, res;
	struct nfs4_void none;
	struct nfs4_fh at = *fh;
	struct nfs_req req;
	ssize_t n;

	nfs_begin(&req, clp);
	nfs_add(&req, OP_PUTFH, &at, &none);
	if (name)
		nfs_add(&req, OP_LOOKUP, &look, &none);
	nfs_add(&req, OP_READLINK, &none, &res);
	n = nfs_result(&req, nfs_call(&req));
	if (!n && (!res.name.len || memchr(res.name.data, 0, res.name.len)))
		n = -EREMOTEIO;
	if (!n) {
		n = (ssize_t)(res.name.len < size ? res.name.len : size);
		memcpy(buf, res.name.data, (size_t)n);
	}
	nfs_end(&req);
	return req.status == NFS4ERR_WRONG_TYPE ? -EINVAL : n;
}

ssize_t nfs_readlink(struct file *dir, const char *name, char *buf, size_t size)
{
	struct nfs_file *nf = nfs_of(dir);

	return nfs_link_text(nf->clp, &nf->fh, name, buf, size);
}

int nfs_link(struct file *olddir, const char *old, struct file *dir, const char *name)
{
	struct nfs_file *from = nfs_of(olddir), *to = nfs_of(dir);
	struct nfs4_name_args look = {.name = xdr_str(old ? old : "")};
	struct nfs4_name_args args = {.name = xdr_str(name)};
	struct nfs4_change_res res;
	struct nfs4_void none;
	struct nfs_req req;
	int err;

	if (from->clp != to->clp)
		return -EXDEV;
	nfs_begin(&req, to->clp);
	req.once = true;
	nfs_add(&req, OP_PUTFH, &from->fh, &none);
	if (old)
		nfs_add(&req, OP_LOOKUP, &look, &none);
	nfs_add(&req, OP_SAVEFH, &none, &none);
	nfs_add(&req, OP_PUTFH, &to->fh, &none);
	nfs_add(&req, OP_LINK, &args, &res);
	err = nfs_result(&req, nfs_call(&req));
	nfs_end(&req);
	return err == -EEXIST && req.uncertain && stands(dir, name, 0) ? 0 : err;
}

/* REMOVE takes directories too: what is one is refused first, unless one is meant. */
int nfs_unlink(struct file *dir, const char *name, int flags)
{
	struct nfs_file *nf = nfs_of(dir);
	struct nfs4_name_args args = {.name = xdr_str(name)};
	struct nfs4_attrs a = {.map = {.word = {1u << FATTR4_TYPE}}, .type = NF4DIR};
	struct nfs4_fattr_args is;
	struct nfs4_change_res res;
	struct nfs4_void none;
	struct nfs_req req;
	uint8_t buf[8];
	bool whole = flags & AT_REMOVEDIR;
	int err = nfs_pack(&a, &is.attr, buf, sizeof(buf));

	if (err)
		return err;
	nfs_begin(&req, nf->clp);
	req.once = true;
	nfs_add(&req, OP_PUTFH, &nf->fh, &none);
	nfs_add(&req, OP_LOOKUP, &args, &none);
	nfs_add(&req, whole ? OP_VERIFY : OP_NVERIFY, &is, &none);
	nfs_add(&req, OP_PUTFH, &nf->fh, &none);
	nfs_add(&req, OP_REMOVE, &args, &res);
	err = nfs_result(&req, nfs_call(&req));
	nfs_end(&req);
	if (req.done == 3 && (req.status == NFS4ERR_SAME || req.status == NFS4ERR_NOT_SAME))
		return whole ? -ENOTDIR : -EISDIR;
	return err == -ENOENT && req.uncertain ? 0 : err;
}

/* The protocol has no flags: who must not replace anything makes a link first. */
int nfs_rename(struct file *olddir, const char *old, struct file *dir, const char *name,
	       unsigned flags)
{
	struct nfs_file *from = nfs_of(olddir), *to = nfs_of(dir);
	struct nfs4_rename_args args = {xdr_str(old), xdr_str(name)};
	struct nfs4_rename_res res;
	struct nfs4_void none;
	struct nfs_req req;
	int err;

	if (flags)
		return -EINVAL;
	if (from->clp != to->clp)
		return -EXDEV;
	nfs_begin(&req, to->clp);
	req.once = true;
	nfs_add(&req, OP_PUTFH, &from->fh, &none);
	nfs_add(&req, OP_SAVEFH, &none, &none);
	nfs_add(&req, OP_PUTFH, &to->fh, &none);
	nfs_add(&req, OP_RENAME, &args, &res);
	err = nfs_result(&req, nfs_call(&req));
	nfs_end(&req);
	return err == -ENOENT && req.uncertain && stands(dir, name, 0) ? 0 : err;
}
