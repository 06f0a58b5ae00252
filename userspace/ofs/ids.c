// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ids.c - whose a new file is, and with which mode.
 *
 * A mount of root's that others use makes files with the ids of who asks: the file
 * system ids and groups of this one thread, by the system calls themselves, as the
 * library's setgroups(2) is for all threads.  What they may do was checked by the kernel
 * (default_permissions), and on the way by the file system below as well.
 *
 * The umask is applied below and not by the kernel, so that a default ACL of the folder
 * takes its place where there is one (acl(5)).  For that each thread has one of its own.
 */
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>

#include "ofs.h"

#define GROUPS_MAX 1024

static _Thread_local struct {
	bool apart; /* has an umask of its own */
	bool other; /* has other ids than the process */
	mode_t mask;
} self;

static void set_mask(mode_t mask)
{
	if (!self.apart) {
		if (unshare(CLONE_FS))
			return;
		self.apart = true;
		self.mask = 0;
	}
	if (self.mask != mask)
		umask(mask);
	self.mask = mask;
}

void ids_enter(fuse_req_t req)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	gid_t groups[GROUPS_MAX];
	int n;

	set_mask(ctx->umask);
	if (!ofs_of(req)->as_caller || (!ctx->uid && !ctx->gid))
		return;
	n = fuse_req_getgroups(req, GROUPS_MAX, groups);
	n = n < 0 ? 0 : n > GROUPS_MAX ? GROUPS_MAX : n;
	syscall(SYS_setgroups, (size_t)n, groups);
	setfsgid(ctx->gid);
	setfsuid(ctx->uid);
	self.other = true;
}

void ids_leave(fuse_req_t req)
{
	if (!self.other)
		return;
	setfsuid(0);
	setfsgid(0);
	syscall(SYS_setgroups, (size_t)0, NULL);
	self.other = false;
}

/* A room that is not of this machine knows no umask. */
mode_t ids_mode(fuse_req_t req, const struct node *dir, mode_t mode)
{
	if (cr_file_fd(dir->file) >= 0 && self.apart)
		return mode;
	return mode & ~fuse_req_ctx(req)->umask;
}
