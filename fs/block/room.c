// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * room.c - logical units of iSCSI targets, without a kernel's initiator; the room's table is
 * at the end.
 *
 *	room.c	sessions and units of a namespace	url.c	what a URL says
 *	unit.c	a unit as a file	data.c	its bytes	copy.c	what the array copies
 *
 * A target is a directory whose names are the numbers of its units.  One session serves all
 * units of a target; sessions and units stay until the namespace ends.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/block/block.h"

struct block_session {
	struct block_session *next;
	struct iscsi_place place;
	struct iscsi_session *iscsi;
	uint64_t number;
};

struct block_room {
	pthread_mutex_t lock;
	struct block_session *sessions;
	struct block_unit *units;
	uint64_t next;
	const int *stop;
};

static int block_start(void **roomp)
{
	struct block_room *room = calloc(1, sizeof(*room));

	if (!room)
		return -ENOMEM;
	pthread_mutex_init(&room->lock, NULL);
	*roomp = room;
	return 0;
}

static void block_stop(void *arg)
{
	struct block_room *room = arg;
	struct block_session *s;
	struct block_unit *unit;

	while ((unit = room->units)) {
		room->units = unit->next;
		scsi_lu_end(&unit->lu);
		pthread_mutex_destroy(&unit->tail);
		free(unit);
	}
	while ((s = room->sessions)) {
		room->sessions = s->next;
		iscsi_session_close(s->iscsi);
		free(s);
	}
	pthread_mutex_destroy(&room->lock);
	free(room);
}

static void block_heed(void *arg, const int *stop)
{
	((struct block_room *)arg)->stop = stop;
}

static bool same_place(const struct iscsi_place *a, const struct iscsi_place *b)
{
	return !strcmp(a->portal, b->portal) && !strcmp(a->target, b->target) &&
	       !strcmp(a->user, b->user) && !strcmp(a->password, b->password) &&
	       !strcmp(a->peer, b->peer) && !strcmp(a->peer_password, b->peer_password);
}

/* The room is locked. */
static int session_get(struct block_room *room, const struct iscsi_place *place,
		       struct block_session **sp)
{
	struct block_session *s;
	int err;

	for (s = room->sessions; s; s = s->next)
		if (same_place(&s->place, place) && iscsi_session_alive(s->iscsi)) {
			*sp = s;
			return 0;
		}
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->place = *place;
	err = iscsi_session_open(place, room->stop, &s->iscsi);
	if (err) {
		free(s);
		return err;
	}
	s->number = ++room->next;
	s->next = room->sessions;
	*sp = room->sessions = s;
	return 0;
}

/* The room is locked. */
static int unit_get(struct block_room *room, struct block_session *s, unsigned lun,
		    struct block_unit **up)
{
	struct block_unit *unit;
	int err;

	for (unit = room->units; unit; unit = unit->next)
		if (unit->session == s && unit->lu.lun == lun) {
			*up = unit;
			return 0;
		}
	unit = calloc(1, sizeof(*unit));
	if (!unit)
		return -ENOMEM;
	unit->session = s;
	unit->lu.transport = &iscsi_transport;
	unit->lu.port = s->iscsi;
	unit->lu.lun = lun;
	err = block_unit_init(unit);
	if (err) {
		free(unit);
		return err == -ENODEV ? -ENOENT : err;
	}
	unit->number = ++room->next;
	unit->next = room->units;
	*up = room->units = unit;
	return 0;
}

static int adopt_target(struct file *child, struct block_session *s)
{
	struct block_file *bf;

	if ((child->oflags & O_ACCMODE) != O_RDONLY && !(child->oflags & O_PATH))
		return -EISDIR;
	bf = calloc(1, sizeof(*bf));
	if (!bf)
		return -ENOMEM;
	bf->session = s;
	child->id = (struct file_id){.ino = s->number, .mount = s->number, .type = S_IFDIR};
	child->private = bf;
	return 0;
}

static int block_open(struct file *child, const char *name, mode_t mode)
{
	struct block_room *room = child->room;
	struct block_session *s = NULL;
	struct block_unit *unit = NULL;
	struct block_url url;
	int err = block_url_parse(name, &url);

	if (err)
		return err;
	pthread_mutex_lock(&room->lock);
	err = session_get(room, &url.place, &s);
	if (!err && url.lun >= 0)
		err = unit_get(room, s, (unsigned)url.lun, &unit);
	pthread_mutex_unlock(&room->lock);
	if (err)
		return err;
	return unit ? block_adopt(child, unit) : adopt_target(child, s);
}

/* The unit that is called @name below @dir. */
static int unit_of(struct file *dir, const char *name, struct block_unit **up)
{
	struct block_session *s = block_of(dir)->session;
	struct block_room *room = dir->room;
	char *end;
	unsigned long lun = strtoul(name, &end, 10);
	int err;

	if (block_of(dir)->unit)
		return -ENOTDIR;
	if (*name < '0' || *name > '9' || *end || lun > 16383)
		return -ENOENT;
	pthread_mutex_lock(&room->lock);
	err = unit_get(room, s, (unsigned)lun, up);
	pthread_mutex_unlock(&room->lock);
	return err;
}

static int block_openat(struct file *dir, const char *name, mode_t mode, struct file *child)
{
	struct block_unit *unit;
	int err;

	if ((child->oflags & O_TMPFILE) == O_TMPFILE)
		return -EOPNOTSUPP;
	if (!*name && block_of(dir)->unit)
		return block_adopt(child, block_of(dir)->unit);
	if (!*name || !strcmp(name, "."))
		return block_of(dir)->unit ? -ENOTDIR : adopt_target(child, block_of(dir)->session);
	err = unit_of(dir, name, &unit);
	if (err == -ENOENT && (child->oflags & O_CREAT))
		return -EROFS; /* units are made by the array's administrator */
	return err ? err : block_adopt(child, unit);
}

static int block_getattr(struct file *file, const char *name, struct statx *stx)
{
	struct block_unit *unit = block_of(file)->unit;
	int err = name ? unit_of(file, name, &unit) : 0;

	if (err)
		return err;
	if (unit)
		block_stat(unit, stx);
	else
		*stx = (struct statx){.stx_mask = STATX_BASIC_STATS,
				      .stx_mode = S_IFDIR | 0700,
				      .stx_nlink = 2,
				      .stx_ino = file->id.ino};
	return 0;
}

static const struct file_operations block_file_operations = {
	BLOCK_FILE_METHODS,
	.getattr = block_getattr,
	.openat = block_openat,
};

const struct fs_type block_fs_type = {
	.name = "block",
	.scheme = "iscsi://",
	.family = &block_fs_type,
	.op = &block_file_operations,
	.start = block_start,
	.stop = block_stop,
	.heed = block_heed,
	.open = block_open,
	.claim = block_claim,
};
