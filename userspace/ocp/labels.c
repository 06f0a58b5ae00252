// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * labels.c - SELinux by libselinux.
 *
 * The context that new files get is the calling thread's (/proc/thread-self/attr/fscreate);
 * libselinux remembers it by thread and writes only what is new.  Lookups are made one at
 * a time, because old versions of it keep state in the handle.
 */
#include "labels.h"

#include <dlfcn.h>
#include <pthread.h>
#include <selinux/context.h>
#include <selinux/label.h>
#include <selinux/selinux.h>
#include <stdlib.h>
#include <string.h>

#define LIBRARY "libselinux.so.1"

#define CALLS(X)                                                                                   \
	X(is_selinux_enabled)                                                                      \
	X(getcon_raw)                                                                              \
	X(freecon)                                                                                 \
	X(setfscreatecon_raw)                                                                      \
	X(selinux_trans_to_raw_context)                                                            \
	X(security_compute_create_name_raw)                                                        \
	X(mode_to_security_class)                                                                  \
	X(selabel_open)                                                                            \
	X(selabel_close)                                                                           \
	X(selabel_lookup_raw)                                                                      \
	X(context_new)                                                                             \
	X(context_free)                                                                            \
	X(context_type_get)                                                                        \
	X(context_type_set)                                                                        \
	X(context_str)

struct calls {
#define CALL(name) __typeof__ (&(name))(name);
	CALLS(CALL)
#undef CALL
};

struct labels {
	struct calls lib;
	void *handle;
	struct selabel_handle *policy; /* -Z */
	pthread_mutex_t lock;	       /* of what is asked of it */
	char *own;		       /* context of this process */
	char *use;		       /* --context=CTX */
};

static int load(struct labels *l)
{
	l->handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!l->handle)
		return -ELIBACC;
#define LOOK_UP(name)                                                                              \
	*(void **)&l->lib.name = dlsym(l->handle, #name);                                          \
	if (!l->lib.name)                                                                          \
		return -ELIBBAD;
	CALLS(LOOK_UP)
#undef LOOK_UP
	return 0;
}

int labels_open(struct labels **lp)
{
	struct labels *l;
	int err;

	*lp = NULL;
	if (!labels_kernel())
		return 0;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	pthread_mutex_init(&l->lock, NULL);
	err = load(l);
	if (!err && l->lib.is_selinux_enabled() > 0) {
		err = l->lib.getcon_raw(&l->own) ? -errno : 0;
		*lp = err ? NULL : l;
	}
	if (!*lp)
		labels_free(l);
	return err;
}

/* The library stays: it keeps something for each thread, and cleans up when threads end. */
void labels_free(struct labels *l)
{
	if (!l)
		return;
	if (l->policy)
		l->lib.selabel_close(l->policy);
	if (l->own)
		l->lib.freecon(l->own);
	if (l->use)
		l->lib.freecon(l->use);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

int labels_use_policy(struct labels *l)
{
	if (l->policy)
		return 0;
	l->policy = l->lib.selabel_open(SELABEL_CTX_FILE, NULL, 0);
	return l->policy ? 0 : -errno;
}

int labels_use(struct labels *l, const char *context)
{
	if (l->use)
		l->lib.freecon(l->use);
	l->use = NULL;
	if (l->lib.selinux_trans_to_raw_context(context, &l->use))
		return -errno;
	return labels_create_as(l, NULL);
}

int labels_create_as(struct labels *l, const char *label)
{
	return l->lib.setfscreatecon_raw(label ? label : l->use) ? -errno : 0;
}

/* The type in @with takes the place of that in @base. */
static int with_type(struct labels *l, const char *base, const char *with, char **labelp)
{
	context_t to = l->lib.context_new(base), from = l->lib.context_new(with);
	const char *type = from ? l->lib.context_type_get(from) : NULL, *text = NULL;
	int err = 0;

	if (to && type && !l->lib.context_type_set(to, type))
		text = l->lib.context_str(to);
	*labelp = text ? strdup(text) : NULL;
	if (!*labelp)
		err = to && from ? -ENOMEM : -EINVAL;
	if (to)
		l->lib.context_free(to);
	if (from)
		l->lib.context_free(from);
	return err;
}

int labels_for_old(struct labels *l, const char *path, mode_t mode, const char *old, char **labelp)
{
	char *found;
	int err = 0;

	pthread_mutex_lock(&l->lock);
	if (l->lib.selabel_lookup_raw(l->policy, &found, path, (int)mode))
		err = errno == ENOENT ? -ENODATA : -errno;
	pthread_mutex_unlock(&l->lock);
	if (err)
		return err;
	err = with_type(l, old, found, labelp);
	l->lib.freecon(found);
	return err;
}

int labels_by_kernel(struct labels *l, const char *name, mode_t mode, const char *dir,
		     char **labelp)
{
	security_class_t class = l->lib.mode_to_security_class(mode);
	char *made = NULL;

	if (!class)
		return -EINVAL;
	if (l->lib.security_compute_create_name_raw(l->own, dir, class, name, &made))
		return -errno;
	*labelp = made ? strdup(made) : NULL;
	l->lib.freecon(made);
	return *labelp ? 0 : -ENOMEM;
}

int labels_for_new(struct labels *l, const char *path, mode_t mode, const char *dir, char **labelp)
{
	char *base = NULL;
	int err = labels_by_kernel(l, NULL, mode, dir, &base);

	if (!err && base)
		err = labels_for_old(l, path, mode, base, labelp);
	free(base);
	return err;
}
