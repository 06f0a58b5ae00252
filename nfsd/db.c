// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * db.c - what survives the server: its keys, how often it was started, and the clients
 * that may reclaim what they had open.
 *
 * A client is recorded before its RECLAIM_COMPLETE is answered, and before it that can
 * it open nothing: so no client has state that the next start does not know of.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/bytes.h"
#include "nfsd/state.h"

#define DB_NAME "ocp-nfsd.db"
#define DB_WAIT 5000 /* ms for another process that has it open */

static const char schema[] =
	"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
	"CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value BLOB NOT NULL);"
	"CREATE TABLE IF NOT EXISTS client(owner BLOB PRIMARY KEY, boot INTEGER NOT NULL);";

struct nfsd_db {
	sqlite3 *sql;
	sqlite3_stmt *has, *add, *remove, *waiting, *end;
};

static int complain(struct nfsd *s, const char *what)
{
	fprintf(stderr, "ocp-nfsd: %s/%s: %s: %s\n", s->opt.state_dir, DB_NAME, what,
		s->db && s->db->sql ? sqlite3_errmsg(s->db->sql) : strerror(errno));
	return -EIO;
}

static int run(struct nfsd_db *db, const char *text)
{
	return sqlite3_exec(db->sql, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : -EIO;
}

/* 16 bytes under this name; made when they are not there yet. */
static int meta_bytes(struct nfsd_db *db, const char *name, uint8_t value[16])
{
	sqlite3_stmt *st;
	int err = -EIO;

	if (sqlite3_prepare_v2(db->sql, "SELECT value FROM meta WHERE name=?", -1, &st, NULL))
		return -EIO;
	sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
	if (sqlite3_step(st) == SQLITE_ROW && sqlite3_column_bytes(st, 0) == 16) {
		memcpy(value, sqlite3_column_blob(st, 0), 16);
		err = 0;
	}
	sqlite3_finalize(st);
	if (!err)
		return 0;
	if (getrandom(value, 16, 0) != 16)
		return -EIO;
	if (sqlite3_prepare_v2(db->sql, "INSERT OR REPLACE INTO meta VALUES(?,?)", -1, &st, NULL))
		return -EIO;
	sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_blob(st, 2, value, 16, SQLITE_STATIC);
	err = sqlite3_step(st) == SQLITE_DONE ? 0 : -EIO;
	sqlite3_finalize(st);
	return err;
}

static int count_boot(struct nfsd *s)
{
	static const char more[] = "INSERT INTO meta VALUES('boot',1) ON CONFLICT(name) DO UPDATE "
				   "SET value=value+1 RETURNING value";
	sqlite3_stmt *st;
	int err = -EIO;

	if (sqlite3_prepare_v2(s->db->sql, more, -1, &st, NULL))
		return -EIO;
	if (sqlite3_step(st) == SQLITE_ROW) {
		s->boot = (uint32_t)sqlite3_column_int64(st, 0);
		err = sqlite3_step(st) == SQLITE_DONE ? 0 : -EIO;
	}
	sqlite3_finalize(st);
	return err;
}

static int prepare(struct nfsd_db *db)
{
	const struct {
		const char *text;
		sqlite3_stmt **st;
	} all[] = {
		{"SELECT 1 FROM client WHERE owner=?", &db->has},
		{"INSERT OR REPLACE INTO client VALUES(?,?)", &db->add},
		{"DELETE FROM client WHERE owner=?", &db->remove},
		{"SELECT count(*) FROM client WHERE boot<>?", &db->waiting},
		{"DELETE FROM client WHERE boot<>?", &db->end},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (sqlite3_prepare_v2(db->sql, all[i].text, -1, all[i].st, NULL))
			return -EIO;
	return 0;
}

void db_private(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd >= 0)
		close(fd); /* SQLite gives its other files the same mode; it says what is wrong */
}

int db_open(struct nfsd *s)
{
	char path[4200];
	uint64_t verf;

	if (mkdir(s->opt.state_dir, 0700) < 0 && errno != EEXIST)
		return complain(s, "cannot make the folder");
	snprintf(path, sizeof(path), "%s/%s", s->opt.state_dir, DB_NAME);
	db_private(path); /* the key of file handles is in it */
	s->db = calloc(1, sizeof(*s->db));
	if (!s->db)
		return complain(s, "cannot open it");
	if (sqlite3_open_v2(path, &s->db->sql,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX,
			    NULL))
		return complain(s, "cannot open it");
	sqlite3_busy_timeout(s->db->sql, DB_WAIT);
	if (run(s->db, schema) || meta_bytes(s->db, "handle key", s->key) ||
	    meta_bytes(s->db, "server id", s->server_id) || count_boot(s) || prepare(s->db))
		return complain(s, "cannot be used");
	if (getrandom(&verf, sizeof(verf), 0) != sizeof(verf))
		return complain(s, "no random numbers");
	atomic_store(&s->write_verf, verf);
	return 0;
}

void db_close(struct nfsd *s)
{
	struct nfsd_db *db = s->db;

	if (!db)
		return;
	sqlite3_finalize(db->has);
	sqlite3_finalize(db->add);
	sqlite3_finalize(db->remove);
	sqlite3_finalize(db->waiting);
	sqlite3_finalize(db->end);
	sqlite3_close(db->sql);
	free(db);
	s->db = NULL;
}

static int step(sqlite3_stmt *st)
{
	int got = sqlite3_step(st);

	sqlite3_reset(st);
	return got;
}

static void bind_owner(sqlite3_stmt *st, const struct xdr_bytes *owner)
{
	sqlite3_bind_blob(st, 1, owner->len ? owner->data : "", (int)owner->len, SQLITE_TRANSIENT);
}

bool db_has_client(struct nfsd *s, const struct xdr_bytes *owner)
{
	bind_owner(s->db->has, owner);
	return step(s->db->has) == SQLITE_ROW;
}

int db_add_client(struct nfsd *s, const struct xdr_bytes *owner)
{
	bind_owner(s->db->add, owner);
	sqlite3_bind_int64(s->db->add, 2, s->boot);
	return step(s->db->add) == SQLITE_DONE ? 0 : complain(s, "cannot record a client");
}

void db_remove_client(struct nfsd *s, const struct xdr_bytes *owner)
{
	bind_owner(s->db->remove, owner);
	if (step(s->db->remove) != SQLITE_DONE)
		complain(s, "cannot remove a client");
}

unsigned db_waiting(struct nfsd *s)
{
	unsigned n = 0;

	sqlite3_bind_int64(s->db->waiting, 1, s->boot);
	if (sqlite3_step(s->db->waiting) == SQLITE_ROW)
		n = (unsigned)sqlite3_column_int64(s->db->waiting, 0);
	sqlite3_reset(s->db->waiting);
	return n;
}

void db_end_grace(struct nfsd *s)
{
	sqlite3_bind_int64(s->db->end, 1, s->boot);
	if (step(s->db->end) != SQLITE_DONE)
		complain(s, "cannot end the grace period");
}
