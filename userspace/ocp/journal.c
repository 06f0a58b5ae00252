// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * journal.c - the file beside a copy that is not done: two records, written in
 * turn, each with a sequence number and a sum.  Whatever ends a write in the middle,
 * the other record is whole and says no more than was true.
 */
#include "journal.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "lib/bytes.h"

#define MAGIC	  0x316c6e726a70636fu /* "ocpjrnl1" */
#define SLOT	  4096		      /* apart, so that no storage writes both at once */
#define SUM_AT	  (JOURNAL_RECORD - 8)
#define FNV_START 14695981039346656037u
#define FNV_PRIME 1099511628211u

static uint64_t sum_of(const uint8_t *record)
{
	uint64_t h = FNV_START;

	for (unsigned i = 0; i < SUM_AT; i++)
		h = (h ^ record[i]) * FNV_PRIME;
	return h;
}

bool journal_parse(const uint8_t *r, uint64_t *seq, struct journal_state *s)
{
	if (get_le64(r) != MAGIC || get_le64(r + SUM_AT) != sum_of(r))
		return false;
	*seq = get_le64(r + 8);
	s->ino = get_le64(r + 16);
	s->size = get_le64(r + 24);
	s->mtime = (int64_t)get_le64(r + 32);
	s->ctime = (int64_t)get_le64(r + 40);
	s->mtime_ns = get_le32(r + 48);
	s->ctime_ns = get_le32(r + 52);
	s->partial_ino = get_le64(r + 56);
	s->done = get_le64(r + 64);
	s->flags = get_le32(r + 72);
	memcpy(s->boot, r + 76, JOURNAL_BOOT);
	return s->done <= INT64_MAX;
}

static void record_make(uint8_t *r, uint64_t seq, const struct journal_state *s)
{
	memset(r, 0, JOURNAL_RECORD);
	put_le64(r, MAGIC);
	put_le64(r + 8, seq);
	put_le64(r + 16, s->ino);
	put_le64(r + 24, s->size);
	put_le64(r + 32, (uint64_t)s->mtime);
	put_le64(r + 40, (uint64_t)s->ctime);
	put_le32(r + 48, s->mtime_ns);
	put_le32(r + 52, s->ctime_ns);
	put_le64(r + 56, s->partial_ino);
	put_le64(r + 64, s->done);
	put_le32(r + 72, s->flags);
	memcpy(r + 76, s->boot, JOURNAL_BOOT);
	put_le64(r + SUM_AT, sum_of(r));
}

static int read_records(struct journal *j)
{
	uint8_t record[JOURNAL_RECORD];
	struct journal_state state;
	uint64_t seq;

	for (unsigned slot = 0; slot < 2; slot++) {
		ssize_t n = cr_read(j->file, record, sizeof(record), slot * SLOT);

		if (n < 0)
			return (int)n;
		if (n != sizeof(record) || !journal_parse(record, &seq, &state) ||
		    (j->found && seq <= j->seq))
			continue;
		j->seq = seq;
		j->now = state;
		j->found = true;
	}
	return 0;
}

/* A name that anybody could have put there is not believed.  -ESTALE: it is gone by now. */
static int check_ours(struct file *file)
{
	struct statx stx;
	int err = cr_getattr(file, NULL, &stx);

	if (err)
		return err;
	if (!stx.stx_nlink)
		return -ESTALE;
	if (!S_ISREG(stx.stx_mode) || stx.stx_nlink != 1 || stx.stx_uid != geteuid())
		return -EPERM;
	return 0;
}

/* Two runs would write over each other's bytes. */
static int lock(struct file *file)
{
	int fd = cr_file_fd(file);

	if (fd < 0 || !flock(fd, LOCK_EX | LOCK_NB))
		return 0;
	return errno == EWOULDBLOCK ? -EBUSY : 0; /* some file systems have no locks */
}

int journal_open(struct file *dir, const char *name, struct journal *j)
{
	const int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int err;

	*j = (struct journal){0};
	do { /* the run that had it may have ended, and removed it, before we have the lock */
		err = cr_openat(dir, name, flags, 0600, &j->file);
		if (err)
			return err == -ELOOP ? -EPERM : err;
		err = lock(j->file);
		if (!err)
			err = check_ours(j->file);
		if (!err)
			err = read_records(j);
		if (err)
			journal_close(j);
	} while (err == -ESTALE);
	return err;
}

int journal_put(struct journal *j)
{
	uint8_t record[JOURNAL_RECORD];
	ssize_t n;

	record_make(record, ++j->seq, &j->now);
	n = cr_write(j->file, record, sizeof(record), (off_t)(j->seq % 2 * SLOT));
	return n < 0 ? (int)n : n == sizeof(record) ? 0 : -ENOSPC;
}

void journal_close(struct journal *j)
{
	cr_close(j->file);
	j->file = NULL;
}

void journal_source(struct journal_state *s, const struct statx *stx)
{
	s->ino = stx->stx_ino;
	s->size = stx->stx_size;
	s->mtime = stx->stx_mtime.tv_sec;
	s->mtime_ns = stx->stx_mtime.tv_nsec;
	s->ctime = stx->stx_ctime.tv_sec;
	s->ctime_ns = stx->stx_ctime.tv_nsec;
}

bool journal_same_source(const struct journal_state *s, const struct statx *stx)
{
	struct journal_state now = {0};

	journal_source(&now, stx);
	return s->ino == now.ino && s->size == now.size && s->mtime == now.mtime &&
	       s->mtime_ns == now.mtime_ns && s->ctime == now.ctime && s->ctime_ns == now.ctime_ns;
}

bool journal_boot(uint8_t boot[JOURNAL_BOOT])
{
	FILE *in = fopen("/proc/sys/kernel/random/boot_id", "re");
	unsigned digits = 0;
	int c;

	memset(boot, 0, JOURNAL_BOOT);
	while (in && digits < 2 * JOURNAL_BOOT && (c = fgetc(in)) != EOF) {
		if (!isxdigit(c))
			continue;
		c = isdigit(c) ? c - '0' : tolower(c) - 'a' + 10;
		boot[digits / 2] = (uint8_t)(boot[digits / 2] << 4 | c);
		digits++;
	}
	if (in)
		fclose(in);
	return digits == 2 * JOURNAL_BOOT;
}
