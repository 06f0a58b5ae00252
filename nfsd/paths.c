// SPDX-License-Identifier: GPL-2.0-or-later
/* paths.c - see paths.h. */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bytes.h"
#include "lib/thread.h"
#include "nfsd/paths.h"

#define DB_NAME	  "ocp-nfsd-names.db"
#define DEPTH_MAX 1000u
#define NAMES_MAX 8u	 /* of one file, that are tried */
#define SCAN_MAX  10000u /* entries that are looked at to find a renamed one */
#define RECENT	  8192u	 /* rows known to be there */
#define PLAIN	  (-1)	 /* type of a handle that is made here */

static const char schema[] =
	"PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;" /* kill -9 loses nothing */
	"CREATE TABLE IF NOT EXISTS name(export INTEGER, handle BLOB, dir BLOB, name BLOB,"
	" PRIMARY KEY(export, handle, dir, name)) WITHOUT ROWID;";

struct paths {
	pthread_rwlock_t ways; /* held for writing by renames, for reading by who goes by names */
	pthread_mutex_t lock;  /* of all below */
	sqlite3 *sql;
	sqlite3_stmt *get, *put, *del;
	uint64_t recent[RECENT];
};

struct row {
	struct file_handle_bytes dir;
	char name[NFSD_NAME];
};

static int complain(struct nfsd *s, const char *what)
{
	fprintf(stderr, "ocp-nfsd: %s/%s: %s: %s\n", s->opt.state_dir, DB_NAME, what,
		s->paths && s->paths->sql ? sqlite3_errmsg(s->paths->sql) : "no memory");
	return -EIO;
}

int paths_open(struct nfsd *s, const struct exports *e)
{
	const struct export *ex = e->list;
	struct paths *p;
	char path[4200];

	while (ex && !ex->by_path)
		ex = ex->next;
	if (!ex || s->paths)
		return 0;
	p = s->paths = calloc(1, sizeof(*s->paths));
	if (!p)
		return complain(s, "cannot open it");
	pthread_mutex_init(&p->lock, NULL);
	rwlock_init(&p->ways);
	snprintf(path, sizeof(path), "%s/%s", s->opt.state_dir, DB_NAME);
	db_private(path);
	if (sqlite3_open_v2(path, &p->sql,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL))
		return complain(s, "cannot open it");
	sqlite3_busy_timeout(p->sql, 5000);
	if (sqlite3_exec(p->sql, schema, NULL, NULL, NULL) ||
	    sqlite3_prepare_v2(p->sql, "SELECT dir, name FROM name WHERE export=? AND handle=?", -1,
			       &p->get, NULL) ||
	    sqlite3_prepare_v2(p->sql, "INSERT OR IGNORE INTO name VALUES(?,?,?,?)", -1, &p->put,
			       NULL) ||
	    sqlite3_prepare_v2(p->sql,
			       "DELETE FROM name WHERE export=? AND handle=? AND dir=? AND name=?",
			       -1, &p->del, NULL))
		return complain(s, "cannot be used");
	return 0;
}

void paths_close(struct nfsd *s)
{
	struct paths *p = s->paths;

	if (!p)
		return;
	sqlite3_finalize(p->get);
	sqlite3_finalize(p->put);
	sqlite3_finalize(p->del);
	sqlite3_close(p->sql);
	pthread_rwlock_destroy(&p->ways);
	pthread_mutex_destroy(&p->lock);
	free(p);
	s->paths = NULL;
}

/* The inode and when it was made: an inode number that is used again is another file. */
static int plain_handle(struct file *file, const char *name, struct file_handle_bytes *h)
{
	struct statx stx;
	int err = cr_getattr(file, name, &stx);

	if (err)
		return err;
	*h = (struct file_handle_bytes){.type = PLAIN, .len = 24};
	put_le64(h->bytes, stx.stx_ino);
	if (stx.stx_mask & STATX_BTIME) {
		put_le64(h->bytes + 8, (uint64_t)stx.stx_btime.tv_sec);
		put_le32(h->bytes + 16, stx.stx_btime.tv_nsec);
	}
	put_le32(h->bytes + 20, stx.stx_dev_minor);
	return 0;
}

int path_handle(const struct export *ex, struct file *file, const char *name,
		struct file_handle_bytes *h)
{
	int err = cr_get_handle(file, name, h);

	if (ex->by_path && (err == -EOPNOTSUPP || err == -EPERM || err == -EOVERFLOW))
		err = plain_handle(file, name, h);
	return err;
}

/* Columns 1 to 4 of a statement, of which it has some. */
static void set_columns(sqlite3_stmt *st, const struct export *ex,
			const struct file_handle_bytes *h, const struct file_handle_bytes *dir,
			const char *name)
{
	sqlite3_bind_int64(st, 1, (int64_t)ex->id);
	sqlite3_bind_blob(st, 2, h, (int)sizeof(*h), SQLITE_TRANSIENT);
	if (!dir)
		return;
	sqlite3_bind_blob(st, 3, dir, (int)sizeof(*dir), SQLITE_TRANSIENT);
	sqlite3_bind_blob(st, 4, name, (int)strlen(name), SQLITE_TRANSIENT);
}

static uint64_t hash(const struct nfsd *s, const struct export *ex,
		     const struct file_handle_bytes *h, const struct file_handle_bytes *dir,
		     const char *name)
{
	return ex->id ^ siphash(s->key, h, sizeof(*h)) ^ 3 * siphash(s->key, dir, sizeof(*dir)) ^
	       5 * siphash(s->key, name, strlen(name));
}

void path_learn(struct nfsd *s, const struct export *ex, const struct file_handle_bytes *h,
		const struct file_handle_bytes *dir, const char *name)
{
	struct paths *p = s->paths;
	uint64_t key;

	if (!ex->by_path || !p)
		return;
	key = hash(s, ex, h, dir, name);
	pthread_mutex_lock(&p->lock);
	if (p->recent[key % RECENT] != key) {
		set_columns(p->put, ex, h, dir, name);
		if (sqlite3_step(p->put) == SQLITE_DONE)
			p->recent[key % RECENT] = key;
		else
			complain(s, "cannot write down a name");
		sqlite3_reset(p->put);
	}
	pthread_mutex_unlock(&p->lock);
}

void path_forget(struct nfsd *s, const struct export *ex, const struct file_handle_bytes *h,
		 const struct file_handle_bytes *dir, const char *name)
{
	struct paths *p = s->paths;

	if (!ex->by_path || !p)
		return;
	pthread_mutex_lock(&p->lock);
	p->recent[hash(s, ex, h, dir, name) % RECENT] = 0;
	set_columns(p->del, ex, h, dir, name);
	sqlite3_step(p->del);
	sqlite3_reset(p->del);
	pthread_mutex_unlock(&p->lock);
}

static unsigned names_of(struct paths *p, const struct export *ex,
			 const struct file_handle_bytes *h, struct row *row)
{
	unsigned n = 0;

	pthread_mutex_lock(&p->lock);
	set_columns(p->get, ex, h, NULL, NULL);
	while (n < NAMES_MAX && sqlite3_step(p->get) == SQLITE_ROW) {
		int len = sqlite3_column_bytes(p->get, 1);

		if (sqlite3_column_bytes(p->get, 0) != sizeof(row->dir) || len <= 0 ||
		    len >= (int)NFSD_NAME)
			continue;
		memcpy(&row[n].dir, sqlite3_column_blob(p->get, 0), sizeof(row->dir));
		memcpy(row[n].name, sqlite3_column_blob(p->get, 1), (size_t)len);
		row[n++].name[len] = '\0';
	}
	sqlite3_reset(p->get);
	pthread_mutex_unlock(&p->lock);
	return n;
}

static bool same(const struct file_handle_bytes *a, const struct file_handle_bytes *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* What is looked for. */
struct quest {
	struct nfsd *s;
	const struct export *ex;
	const struct file_handle_bytes *h;
};

/* The file of that name, if it is the one, and on the export's file system. */
static int try_name(const struct quest *q, struct file *dir, const char *name, struct file **filep)
{
	struct file_handle_bytes found;
	int err;

	if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return -ESTALE;
	err = cr_openat(dir, name, O_PATH | O_NOFOLLOW, 0, filep);
	if (err)
		return err;
	if (cr_file_id(*filep)->mount == cr_file_id(q->ex->root)->mount &&
	    !path_handle(q->ex, *filep, NULL, &found) && same(&found, q->h))
		return 0;
	cr_close(*filep);
	*filep = NULL;
	return -ESTALE;
}

/* Somebody has renamed it in its directory. */
static int scan(const struct quest *q, struct file *dir, const struct row *row, struct file **filep)
{
	char *room = malloc(NFSD_DIR_ROOM);
	struct dirbuf buf = {.data = room, .size = NFSD_DIR_ROOM};
	struct file_handle_bytes found;
	struct dirent_view e;
	struct file *open;
	unsigned n = 0;
	int err = room ? cr_openat(dir, "", O_RDONLY | O_DIRECTORY, 0, &open) : -ENOMEM;

	if (err) {
		free(room);
		return err;
	}
	err = -ESTALE;
	while (err && n < SCAN_MAX && cr_readdir(open, &buf) > 0)
		while (err && n++ < SCAN_MAX && dirbuf_next(&buf, &e)) {
			if (path_handle(q->ex, open, e.name, &found) || !same(&found, q->h))
				continue;
			err = try_name(q, dir, e.name, filep);
			if (!err)
				path_learn(q->s, q->ex, q->h, &row->dir, e.name);
		}
	cr_close(open);
	free(room);
	return err;
}

static int open_at_depth(struct nfsd *s, const struct export *ex, const struct file_handle_bytes *h,
			 unsigned depth, struct file **filep)
{
	const struct quest q = {s, ex, h};
	struct file_handle_bytes root;
	struct row *row;
	struct file *dir;
	unsigned n;
	int err = path_handle(ex, ex->root, NULL, &root);

	if (err || same(h, &root))
		return err ? err : cr_openat(ex->root, "", O_PATH, 0, filep);
	row = depth ? malloc(NAMES_MAX * sizeof(*row)) : NULL;
	if (!row)
		return -ESTALE;
	n = names_of(s->paths, ex, h, row);
	err = -ESTALE;
	for (unsigned i = 0; i < n && err; i++) {
		err = open_at_depth(s, ex, &row[i].dir, depth - 1, &dir);
		if (err)
			continue;
		err = try_name(&q, dir, row[i].name, filep);
		if (err == -ESTALE || err == -ENOENT) {
			path_forget(s, ex, h, &row[i].dir, row[i].name);
			err = scan(&q, dir, &row[i], filep);
		}
		cr_close(dir);
	}
	free(row);
	return err == -ENOENT ? -ESTALE : err;
}

int path_open(struct nfsd *s, const struct export *ex, const struct file_handle_bytes *h,
	      struct file **filep)
{
	int err;

	if (!s->paths)
		return -ESTALE;
	pthread_rwlock_rdlock(&s->paths->ways);
	err = open_at_depth(s, ex, h, DEPTH_MAX, filep);
	pthread_rwlock_unlock(&s->paths->ways);
	return err;
}

bool path_moves(struct nfsd *s, const struct export *ex)
{
	bool moves = ex->by_path && s->paths;

	if (moves)
		pthread_rwlock_wrlock(&s->paths->ways);
	return moves;
}

void path_moved(struct nfsd *s, bool moves)
{
	if (moves)
		pthread_rwlock_unlock(&s->paths->ways);
}
