// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The command line of ocp-mount, as other FUSE programs have it, and that of
 * mount.fuse.ofs, as mount(8) calls it.  What libfuse and the kernel know of -o goes on
 * to them.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ofs.h"

#define TIMEOUT 1.0 /* seconds that the kernel believes a name or attributes */
#define THREADS 16u
#define HELPER	"mount.fuse.ofs"

enum { KEY_ALLOW, KEY_IGNORED, KEY_HELP, KEY_VERSION, KEY_FOREGROUND, KEY_DEBUG, KEY_SINGLE };

#define ROW(text, member)                                                                          \
	{                                                                                          \
		text, offsetof(struct ofs_opts, member), 1                                         \
	}

static const struct fuse_opt specs[] = {
	ROW("entry_timeout=%lf", entry_timeout),
	ROW("attr_timeout=%lf", attr_timeout),
	ROW("negative_timeout=%lf", negative_timeout),
	ROW("max_threads=%u", threads),
	ROW("clone_fd", clone_fd),
	ROW("passthrough=no", no_passthrough),
	FUSE_OPT_KEY("passthrough=auto", KEY_IGNORED),
	FUSE_OPT_KEY("allow_other", KEY_ALLOW),
	FUSE_OPT_KEY("allow_root", KEY_ALLOW),
	FUSE_OPT_KEY("-f", KEY_FOREGROUND),
	FUSE_OPT_KEY("--foreground", KEY_FOREGROUND),
	FUSE_OPT_KEY("-d", KEY_DEBUG),
	FUSE_OPT_KEY("debug", KEY_DEBUG),
	FUSE_OPT_KEY("-s", KEY_SINGLE),
	FUSE_OPT_KEY("-h", KEY_HELP),
	FUSE_OPT_KEY("--help", KEY_HELP),
	FUSE_OPT_KEY("-V", KEY_VERSION),
	FUSE_OPT_KEY("--version", KEY_VERSION),
	/* Words of fstab(5) for others. */
	FUSE_OPT_KEY("auto", KEY_IGNORED),
	FUSE_OPT_KEY("noauto", KEY_IGNORED),
	FUSE_OPT_KEY("user", KEY_IGNORED),
	FUSE_OPT_KEY("nouser", KEY_IGNORED),
	FUSE_OPT_KEY("users", KEY_IGNORED),
	FUSE_OPT_KEY("defaults", KEY_IGNORED),
	FUSE_OPT_KEY("nofail", KEY_IGNORED),
	FUSE_OPT_KEY("_netdev", KEY_IGNORED),
	FUSE_OPT_KEY("x-", KEY_IGNORED),
	FUSE_OPT_KEY("-n", KEY_IGNORED),
	FUSE_OPT_KEY("-v", KEY_IGNORED),
	FUSE_OPT_END,
};

void ofs_usage(void)
{
	printf("Usage: %s [OPTION]... [NAME=]PATH-OR-URL... MOUNTPOINT\n"
	       "Mount folders and servers as the top folders of one file system; see "
	       "ocp-mount(8).\n"
	       "  -f, --foreground       stay in the foreground\n"
	       "  -d                     the same, and say every request\n"
	       "  -s                     one thread for requests\n"
	       "  -o OPTION[,OPTION]...  allow_other, ro, auto_unmount, entry_timeout=SECONDS,\n"
	       "                         attr_timeout=SECONDS, negative_timeout=SECONDS,\n"
	       "                         max_threads=N, clone_fd, passthrough=no, and those of\n"
	       "                         mount.fuse3(8)\n"
	       "  -h, --help; -V, --version   say this, or the version\n",
	       program_invocation_short_name);
}

static int complain(const char *text, const char *arg)
{
	fprintf(stderr, "%s: %s%s%s\n", program_invocation_short_name, text, arg ? ": " : "",
		arg ? arg : "");
	return -EINVAL;
}

/* What a room is called where nobody says: its last component, or the server. */
static char *name_from(const char *where)
{
	const char *from = strstr(where, "://"), *end, *at;

	from = from ? from + 3 : where;
	end = from != where ? from + strcspn(from, "?") : from + strlen(from);
	while (end > from && end[-1] == '/')
		end--;
	for (at = end; at > from && at[-1] != '/'; at--)
		;
	if (at == from && from != where) { /* user@host:port */
		const char *user = memchr(at, '@', (size_t)(end - at));

		at = user ? user + 1 : at;
		if (*at != '[')
			end = at + strcspn(at, ":/?");
	}
	return strndup(at, (size_t)(end - at));
}

/* @arg is taken. */
static int add_room(struct ofs_opts *o, char *arg)
{
	const char *eq = arg + strcspn(arg, "=/");
	struct room *rooms = realloc(o->rooms, (o->nrooms + 1) * sizeof(*rooms)), *room;

	if (!rooms) {
		free(arg);
		return -ENOMEM;
	}
	o->rooms = rooms;
	room = &rooms[o->nrooms++];
	*room = (struct room){.arg = arg, .where = arg};
	if (*eq == '=') {
		room->where = eq + 1;
		room->name = strndup(arg, (size_t)(eq - arg));
	} else {
		room->name = name_from(arg);
	}
	if (!room->name)
		return -ENOMEM;
	if (!room->name[0] || !strcmp(room->name, ".") || !strcmp(room->name, ".."))
		return complain("this room has no name to go by; give it one, NAME=PATH", arg);
	if (strlen(room->name) > 255)
		return complain("this name is too long", room->name);
	for (unsigned i = 0; i + 1 < o->nrooms; i++)
		if (!strcmp(o->rooms[i].name, room->name)) {
			complain("two rooms would have one name; give this one another, NAME=PATH",
				 arg);
			return -EEXIST;
		}
	return 0;
}

/* The last word is the mount point: each word becomes a room when another one follows. */
static int add_word(struct ofs_opts *o, const char *arg)
{
	char *before = o->mountpoint;

	o->mountpoint = strdup(arg);
	if (!o->mountpoint)
		return -ENOMEM;
	return before ? add_room(o, before) : 0;
}

/* "mount -t fuse.ofs": the source holds all rooms, between blanks. */
static int add_source(struct ofs_opts *o, const char *arg)
{
	char *words = strdup(arg), *save = NULL;
	int err = words ? 0 : -ENOMEM;

	for (char *w = err ? NULL : strtok_r(words, " \t", &save); w && !err;
	     w = strtok_r(NULL, " \t", &save))
		err = add_word(o, w);
	free(words);
	return err;
}

static bool is_helper(void)
{
	return !strcmp(program_invocation_short_name, HELPER);
}

/* 0: taken; 1: libfuse's; -1: wrong. */
static int take(void *data, const char *arg, int key, struct fuse_args *out)
{
	struct ofs_opts *o = data;

	switch (key) {
	case FUSE_OPT_KEY_NONOPT:
		return (is_helper() ? add_source(o, arg) : add_word(o, arg)) ? -1 : 0;
	case KEY_ALLOW:
		o->allow_other = true;
		return 1;
	case KEY_FOREGROUND:
		o->foreground = true;
		return 0;
	case KEY_DEBUG:
		o->debug = o->foreground = true;
		return 1;
	case KEY_SINGLE:
		o->single = true;
		return 0;
	case KEY_HELP:
		o->help = true;
		return 0;
	case KEY_VERSION:
		o->version = true;
		return 0;
	case KEY_IGNORED:
		return 0;
	default: /* "x-systemd.automount", "comment=" and their like say nothing to us */
		return strncmp(arg, "x-", 2) != 0 && strncmp(arg, "comment=", 8) != 0;
	}
}

/* What mount(8) shows as the source: the rooms. */
static int add_source_name(const struct ofs_opts *o, struct fuse_args *args)
{
	char *text = NULL, *escaped = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int err;

	if (!f)
		return -ENOMEM;
	for (unsigned i = 0; i < o->nrooms; i++)
		fprintf(f, "%s%s", i ? " " : "fsname=", o->rooms[i].where);
	err = fclose(f) ? -ENOMEM : 0;
	if (!err && (fuse_opt_add_opt_escaped(&escaped, text) ||
		     fuse_opt_add_opt(&escaped, "subtype=ofs") || fuse_opt_add_arg(args, "-o") ||
		     fuse_opt_add_arg(args, escaped)))
		err = -ENOMEM;
	free(escaped);
	free(text);
	return err;
}

int ofs_options(struct ofs_opts *o, struct fuse_args *args)
{
	int err;

	*o = (struct ofs_opts){
		.entry_timeout = TIMEOUT, .attr_timeout = TIMEOUT, .threads = THREADS};
	if (fuse_opt_parse(args, o, specs, take) < 0)
		return -EINVAL;
	if (o->help || o->version)
		return 0;
	if (!o->nrooms) {
		complain(o->mountpoint ? "one folder or URL, and then the mount point, are needed"
				       : "missing folders or URLs, and a mount point",
			 NULL);
		return -EINVAL;
	}
	if (o->entry_timeout < 0 || o->attr_timeout < 0 || o->negative_timeout < 0)
		return complain("a timeout is not negative", NULL);
	err = add_source_name(o, args);
	if (!err && o->allow_other &&
	    (fuse_opt_add_arg(args, "-o") || fuse_opt_add_arg(args, "default_permissions")))
		err = -ENOMEM;
	return err;
}

void ofs_options_free(struct ofs_opts *o)
{
	for (unsigned i = 0; i < o->nrooms; i++) {
		free(o->rooms[i].name);
		free(o->rooms[i].arg);
	}
	free(o->rooms);
	free(o->mountpoint);
}
