/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * paths.h - the way to a file by its handle, where files cannot be opened by handle:
 * without CAP_DAC_READ_SEARCH, or on storage that gives no handles.
 *
 * A table in the state directory keeps in which directory, under which name, each
 * handle that was given out is found.  What is renamed through the server is written
 * down; what others rename within its directory is found there again.
 */
#ifndef NFSD_PATHS_H
#define NFSD_PATHS_H

#include "nfsd/export.h"
#include "nfsd/nfsd.h"

/* When an export of @e needs it: 0, or a negative errno and a message. */
int paths_open(struct nfsd *s, const struct exports *e);
void paths_close(struct nfsd *s);

/* As cr_get_handle(), and of anything where @ex needs no more than a name for a file. */
int path_handle(const struct export *ex, struct file *file, const char *name,
		struct file_handle_bytes *h);
/* Opened with O_PATH: 0, -ESTALE, or another negative errno. */
int path_open(struct nfsd *s, const struct export *ex, const struct file_handle_bytes *h,
	      struct file **filep);
/* @h is found in @dir as @name from now on, or no longer.  Nothing where @ex goes by handle. */
void path_learn(struct nfsd *s, const struct export *ex, const struct file_handle_bytes *h,
		const struct file_handle_bytes *dir, const char *name);
void path_forget(struct nfsd *s, const struct export *ex, const struct file_handle_bytes *h,
		 const struct file_handle_bytes *dir, const char *name);
/*
 * Around a rename and what is written down of it: in between, a file would be found neither
 * where it was nor where it is, nor would what is below it.
 */
bool path_moves(struct nfsd *s, const struct export *ex);
void path_moved(struct nfsd *s, bool moves);

#endif
