// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dirbuf.c - walking a piece of a directory.
 *
 * Entries have the layout of struct linux_dirent64 (getdents64(2)), the form
 * that the busiest room gets for nothing: ino 8 bytes, off 8, reclen 2, type 1,
 * name with its NUL, the whole a multiple of 8.
 */
#include <string.h>

#include "lib/dirbuf.h"

enum { ENT_NEXT = 8, ENT_RECLEN = 16, ENT_TYPE = 18, ENT_NAME = 19 };

static bool is_dot(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

bool dirbuf_next(struct dirbuf *buf, struct dirent_view *view)
{
	while (buf->at + ENT_NAME < buf->len) {
		const char *ent = buf->data + buf->at;
		uint16_t reclen;

		memcpy(&reclen, ent + ENT_RECLEN, sizeof(reclen));
		if (reclen <= ENT_NAME || reclen > buf->len - buf->at ||
		    !memchr(ent + ENT_NAME, '\0', reclen - ENT_NAME))
			break;
		buf->at += reclen;
		memcpy(&view->ino, ent, sizeof(view->ino));
		memcpy(&view->next, ent + ENT_NEXT, sizeof(view->next));
		view->type = (unsigned char)ent[ENT_TYPE];
		view->name = ent + ENT_NAME;
		if (!is_dot(view->name))
			return true;
	}
	return false;
}

bool dirbuf_put(struct dirbuf *buf, const struct dirent_view *view)
{
	size_t name = strlen(view->name) + 1;
	size_t reclen = (ENT_NAME + name + 7) & ~(size_t)7;
	uint16_t len16 = (uint16_t)reclen;
	char *ent = buf->data + buf->len;

	if (name > 4096 || reclen > buf->size - buf->len)
		return false;
	memset(ent, 0, reclen);
	memcpy(ent, &view->ino, sizeof(view->ino));
	memcpy(ent + ENT_NEXT, &view->next, sizeof(view->next));
	memcpy(ent + ENT_RECLEN, &len16, sizeof(len16));
	ent[ENT_TYPE] = (char)view->type;
	memcpy(ent + ENT_NAME, view->name, name);
	buf->len += reclen;
	return true;
}
