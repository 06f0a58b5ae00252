// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a directory was received from, where the file system cannot keep that:
 * .ocp-receive/UUID in the target, a line for each thing.  It counts as long as
 * the directory of that name is the same one.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "receive.h"

#define RECORD_MAX 2048

void record_of(struct record *r, struct file *root)
{
	struct statx stx;

	r->ino = cr_file_id(root)->ino;
	r->born = (struct statx_timestamp){0};
	if (!cr_getattr(root, NULL, &stx) && (stx.stx_mask & STATX_BTIME))
		r->born = stx.stx_btime;
}

/* One of the two may not know the time. */
bool record_is_of(const struct record *r, struct file *root)
{
	struct record is;

	record_of(&is, root);
	if (is.ino != r->ino)
		return false;
	if ((!is.born.tv_sec && !is.born.tv_nsec) || (!r->born.tv_sec && !r->born.tv_nsec))
		return true;
	return is.born.tv_sec == r->born.tv_sec && is.born.tv_nsec == r->born.tv_nsec;
}

static int open_records(struct apply *a, struct file **dirp)
{
	return cr_openat(a->target, RECEIVE_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0,
			 dirp);
}

static int write_text(struct file *dir, const char *name, const char *text)
{
	char temp[UUID_TEXT + 8];
	struct file *file;
	size_t len = strlen(text);
	ssize_t n;
	int err;

	snprintf(temp, sizeof(temp), "%s.new", name);
	err = cr_openat(dir, temp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600,
			&file);
	if (err)
		return err;
	n = cr_write(file, text, len, 0);
	err = n < 0 ? (int)n : (size_t)n < len ? -EIO : 0;
	cr_close(file);
	return err ? err : cr_rename(dir, temp, name, 0);
}

int record_write(struct apply *a, const struct record *r)
{
	char uuid[UUID_TEXT], name[4 * sizeof(r->name)], text[RECORD_MAX];
	struct file *dir;
	int err = cr_mkdir(a->target, RECEIVE_DIR, 0700);

	if (err && err != -EEXIST)
		return err;
	err = open_records(a, &dir);
	if (err)
		return err;
	uuid_text(uuid, r->uuid);
	stream_escape(name, sizeof(name), (const uint8_t *)r->name, strlen(r->name));
	snprintf(text, sizeof(text),
		 "uuid %s\nctransid %" PRIu64 "\ninode %" PRIu64 "\nborn %lld %u\nname %s\n", uuid,
		 r->ctransid, r->ino, (long long)r->born.tv_sec, r->born.tv_nsec, name);
	err = write_text(dir, uuid, text);
	cr_close(dir);
	return err ? refuse(a, err, "cannot write a record in " RECEIVE_DIR) : 0;
}

/* What stream_escape() made, back. */
static bool unescape(char *to, size_t size, const char *text, size_t len)
{
	static const char letters[] = "a\ab\be\033f\fn\nr\rt\tv\v  \\\\";
	size_t put = 0, i = 0;

	while (i < len) {
		unsigned c = (unsigned char)text[i++];

		if (c == '\\' && i < len) {
			const char *l = NULL;

			c = (unsigned char)text[i++];
			for (const char *k = letters; *k && !l; k += 2)
				l = (unsigned char)*k == c ? k : NULL;
			if (l) {
				c = (unsigned char)l[1];
			} else {
				if (i + 2 > len)
					return false;
				c = (c - '0') << 6 | (unsigned)(text[i] - '0') << 3 |
				    (unsigned)(text[i + 1] - '0');
				i += 2;
			}
		}
		if (put + 1 >= size || !c || c > 255 || c == '/')
			return false;
		to[put++] = (char)c;
	}
	to[put] = '\0';
	return put && strcmp(to, ".") != 0 && strcmp(to, "..") != 0;
}

/* The rest of the line that begins with @key. */
static const char *line(const char *text, const char *key, size_t *len)
{
	const char *at = text, *end;
	size_t n = strlen(key);

	while (at && (strncmp(at, key, n) != 0 || at[n] != ' ')) {
		at = strchr(at, '\n');
		at = at ? at + 1 : NULL;
	}
	if (!at)
		return NULL;
	at += n + 1;
	end = strchr(at, '\n');
	*len = end ? (size_t)(end - at) : 0;
	return end ? at : NULL;
}

static bool parse(const char *text, struct record *r)
{
	const char *ctransid, *ino, *name, *born;
	char *end;
	size_t len;

	ctransid = line(text, "ctransid", &len);
	ino = line(text, "inode", &len);
	name = line(text, "name", &len);
	if (!ctransid || !ino || !name || !unescape(r->name, sizeof(r->name), name, len))
		return false;
	r->ctransid = strtoull(ctransid, NULL, 10);
	r->ino = strtoull(ino, NULL, 10);
	r->born = (struct statx_timestamp){0};
	born = line(text, "born", &len);
	if (born) { /* of an earlier version it has none */
		r->born.tv_sec = strtoll(born, &end, 10);
		r->born.tv_nsec = (uint32_t)strtoul(end, NULL, 10);
	}
	return true;
}

int record_read(struct apply *a, const uint8_t *uuid, struct record *r)
{
	char name[UUID_TEXT], text[RECORD_MAX];
	struct file *dir, *file;
	ssize_t n = 0;
	int err = open_records(a, &dir);

	if (err)
		return err;
	uuid_text(name, uuid);
	err = cr_openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0, &file);
	cr_close(dir);
	if (err)
		return err;
	n = cr_read(file, text, sizeof(text) - 1, 0);
	cr_close(file);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	memcpy(r->uuid, uuid, sizeof(r->uuid));
	return parse(text, r) ? 0 : -EUCLEAN;
}
