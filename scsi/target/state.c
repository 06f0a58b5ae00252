// SPDX-License-Identifier: GPL-2.0-or-later
/* state.c - reservations that outlive the server, in SQLite. */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pr.h"

#define FILE_NAME "ocp-target.sqlite"
#define VERSION	  1

struct state {
	sqlite3 *db;
	pthread_mutex_t lock;
};

static const char schema[] =
	"PRAGMA locking_mode = EXCLUSIVE;"
	"PRAGMA synchronous = FULL;"
	"BEGIN EXCLUSIVE;"
	"CREATE TABLE IF NOT EXISTS unit ("
	"  serial TEXT PRIMARY KEY, generation INTEGER, type INTEGER, holder INTEGER);"
	"CREATE TABLE IF NOT EXISTS registration ("
	"  serial TEXT, position INTEGER, key INTEGER, initiator TEXT, target TEXT, isid BLOB,"
	"  PRIMARY KEY (serial, position));"
	"COMMIT;";

static int errno_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return 0;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_CANTOPEN:
		return -ENOENT;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return -EBADMSG;
	default:
		return -EIO;
	}
}

/* A file of a version that we do not know is not touched. */
static int version_is(sqlite3 *db, int *version)
{
	sqlite3_stmt *s;
	int rc = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &s, NULL);

	if (rc == SQLITE_OK) {
		rc = sqlite3_step(s);
		*version = sqlite3_column_int(s, 0);
	}
	sqlite3_finalize(s);
	return errno_of(rc);
}

static int set_up(struct state *s, const char **what)
{
	int version = 0, err = version_is(s->db, &version);

	if (!err && version != 0 && version != VERSION) {
		*what = "it was made by another version of ocp-target";
		return -EINVAL;
	}
	if (!err)
		err = errno_of(sqlite3_exec(s->db, schema, NULL, NULL, NULL));
	if (!err)
		err = errno_of(sqlite3_exec(s->db, "PRAGMA user_version = 1", NULL, NULL, NULL));
	*what = err == -EBUSY ? "another ocp-target uses it" : sqlite3_errmsg(s->db);
	return err;
}

int state_open(const char *dir, struct state **statep, char *why, size_t room)
{
	struct state *s = calloc(1, sizeof(*s));
	const char *what = "no memory";
	char *path = NULL;
	int err;

	if (!s || asprintf(&path, "%s/%s", dir, FILE_NAME) < 0) {
		free(s);
		return -ENOMEM;
	}
	pthread_mutex_init(&s->lock, NULL);
	err = errno_of(sqlite3_open(path, &s->db));
	if (err)
		what = s->db ? sqlite3_errmsg(s->db) : what;
	else
		err = set_up(s, &what);
	if (err)
		snprintf(why, room, "%s: %s", path, what);
	free(path);
	if (err)
		state_close(s);
	else
		*statep = s;
	return err;
}

void state_close(struct state *s)
{
	sqlite3_close(s->db);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* Run one statement with @serial as its first parameter and those that were bound before. */
static int run(sqlite3_stmt *s, const char *serial)
{
	int rc = sqlite3_bind_text(s, 1, serial, -1, SQLITE_STATIC);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	sqlite3_reset(s);
	return errno_of(rc);
}

static int forget(sqlite3 *db, const char *text, const char *serial)
{
	sqlite3_stmt *s;
	int err = errno_of(sqlite3_prepare_v2(db, text, -1, &s, NULL));

	if (!err)
		err = run(s, serial);
	sqlite3_finalize(s);
	return err;
}

static int put_unit(sqlite3 *db, const char *serial, const struct pr *pr)
{
	sqlite3_stmt *s;
	int err = errno_of(
		sqlite3_prepare_v2(db, "INSERT INTO unit VALUES (?, ?, ?, ?)", -1, &s, NULL));

	if (!err) {
		sqlite3_bind_int64(s, 2, pr->generation);
		sqlite3_bind_int(s, 3, pr->type);
		sqlite3_bind_int(s, 4, (int)pr->holder);
		err = run(s, serial);
	}
	sqlite3_finalize(s);
	return err;
}

static int put_registrations(sqlite3 *db, const char *serial, const struct pr *pr)
{
	sqlite3_stmt *s;
	int err = errno_of(sqlite3_prepare_v2(
		db, "INSERT INTO registration VALUES (?, ?, ?, ?, ?, ?)", -1, &s, NULL));

	for (unsigned i = 0; !err && i < pr->n; i++) {
		const struct registration *r = &pr->reg[i];

		sqlite3_bind_int(s, 2, (int)i);
		sqlite3_bind_int64(s, 3, (sqlite3_int64)r->key);
		sqlite3_bind_text(s, 4, r->initiator, -1, SQLITE_STATIC);
		sqlite3_bind_text(s, 5, r->target, -1, SQLITE_STATIC);
		sqlite3_bind_blob(s, 6, r->isid, sizeof(r->isid), SQLITE_STATIC);
		err = run(s, serial);
	}
	sqlite3_finalize(s);
	return err;
}

static int replace(sqlite3 *db, const char *serial, const struct pr *pr)
{
	int err = forget(db, "DELETE FROM unit WHERE serial = ?", serial);

	if (!err)
		err = forget(db, "DELETE FROM registration WHERE serial = ?", serial);
	if (err || !pr->aptpl)
		return err;
	err = put_unit(db, serial, pr);
	return err ? err : put_registrations(db, serial, pr);
}

int state_save(struct state *s, const char *serial, const struct pr *pr)
{
	int err;

	pthread_mutex_lock(&s->lock);
	err = errno_of(sqlite3_exec(s->db, "BEGIN", NULL, NULL, NULL));
	if (!err) {
		err = replace(s->db, serial, pr);
		if (!err)
			err = errno_of(sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL));
		if (err)
			sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	}
	pthread_mutex_unlock(&s->lock);
	return err;
}

static bool get_text(sqlite3_stmt *s, int column, char *to, size_t room)
{
	const unsigned char *text = sqlite3_column_text(s, column);

	return text && (size_t)snprintf(to, room, "%s", text) < room;
}

static bool get_registration(sqlite3_stmt *s, struct registration *r)
{
	r->key = (uint64_t)sqlite3_column_int64(s, 0);
	if (!get_text(s, 1, r->initiator, sizeof(r->initiator)) ||
	    !get_text(s, 2, r->target, sizeof(r->target)) ||
	    sqlite3_column_bytes(s, 3) != sizeof(r->isid))
		return false;
	memcpy(r->isid, sqlite3_column_blob(s, 3), sizeof(r->isid));
	return true;
}

static int get_registrations(struct state *st, const char *serial, struct pr *pr)
{
	sqlite3_stmt *s;
	int rc = sqlite3_prepare_v2(st->db,
				    "SELECT key, initiator, target, isid FROM registration"
				    " WHERE serial = ? ORDER BY position",
				    -1, &s, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(s, 1, serial, -1, SQLITE_STATIC);
	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		rc = sqlite3_step(s);
		if (rc != SQLITE_ROW)
			break;
		if (pr->n == REGISTRATIONS_MAX || !get_registration(s, &pr->reg[pr->n])) {
			rc = SQLITE_CORRUPT;
			break;
		}
		pr->n++;
	}
	sqlite3_finalize(s);
	return errno_of(rc);
}

static int get_unit(struct state *st, const char *serial, struct pr *pr)
{
	sqlite3_stmt *s;
	int rc = sqlite3_prepare_v2(
		st->db, "SELECT generation, type, holder FROM unit WHERE serial = ?", -1, &s, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(s, 1, serial, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		pr->aptpl = true;
		pr->generation = (uint32_t)sqlite3_column_int64(s, 0);
		pr->type = (uint8_t)sqlite3_column_int(s, 1);
		pr->holder = (unsigned)sqlite3_column_int(s, 2);
	}
	sqlite3_finalize(s);
	return errno_of(rc);
}

int state_load(struct state *s, const char *serial, struct pr *pr)
{
	int err;

	*pr = (struct pr){.reg = calloc(REGISTRATIONS_MAX, sizeof(pr->reg[0]))};
	if (!pr->reg)
		return -ENOMEM;
	pthread_mutex_lock(&s->lock);
	err = get_unit(s, serial, pr);
	if (!err && pr->aptpl)
		err = get_registrations(s, serial, pr);
	pthread_mutex_unlock(&s->lock);
	if (!err && pr->type != PR_NONE && (pr->holder >= pr->n || pr->type > PR_EXCLUSIVE_ALL))
		err = -EBADMSG;
	return err;
}
