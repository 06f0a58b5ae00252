// SPDX-License-Identifier: GPL-2.0-or-later
/* engine.c - targets, their LUNs, and the nexuses that see them. */
#include "engine.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lu.h"
#include "tpc.h"

#define COPY_WORKERS 2
#define MEMORY_MAX   ((size_t)256 << 20)

int engine_init(struct engine *e, const char *state_dir, char *why, size_t room)
{
	int err;

	*e = (struct engine){.memory_max = MEMORY_MAX};
	pthread_mutex_init(&e->nexus_lock, NULL);
	pthread_mutex_init(&e->ops_lock, NULL);
	pthread_mutex_init(&e->token_lock, NULL);
	snprintf(why, room, "%s", strerror(ENOMEM));
	e->ns = cr_ns_new();
	e->copies = workers_new(COPY_WORKERS);
	err = e->ns && e->copies ? 0 : -ENOMEM;
	if (!err && state_dir)
		err = state_open(state_dir, &e->state, why, room);
	if (err)
		engine_end(e);
	return err;
}

void engine_end(struct engine *e)
{
	workers_free(e->copies);
	tokens_drop_all(e);
	while (e->targets) {
		struct target *t = e->targets;

		e->targets = t->next;
		free(t);
	}
	while (e->lus) {
		struct lu *lu = e->lus;

		e->lus = lu->next;
		lu_close(lu);
	}
	if (e->state)
		state_close(e->state);
	cr_ns_free(e->ns);
	pthread_mutex_destroy(&e->token_lock);
	pthread_mutex_destroy(&e->ops_lock);
	pthread_mutex_destroy(&e->nexus_lock);
	*e = (struct engine){0};
}

void engine_tick(struct engine *e)
{
	tokens_expire(e);
}

/* RFC 7143, 4.2.7: iqn., eui. or naa., and nothing that has a meaning elsewhere. */
static bool is_iscsi_name(const char *name)
{
	size_t len = strlen(name);

	if (len < 5 || len > NAME_MAX_ISCSI)
		return false;
	if (strncmp(name, "iqn.", 4) != 0 && strncmp(name, "eui.", 4) != 0 &&
	    strncmp(name, "naa.", 4) != 0)
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("-.:", *name))
			return (unsigned char)*name >= 0x80;
	return true;
}

struct target *target_find(struct engine *e, const char *name)
{
	struct target *t = e->targets;

	while (t && strcasecmp(t->name, name) != 0)
		t = t->next;
	return t;
}

int target_add(struct engine *e, const char *name, struct target **targetp)
{
	struct target *t, **last = &e->targets;

	if (!is_iscsi_name(name))
		return -EINVAL;
	if (target_find(e, name))
		return -EEXIST;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->engine = e;
	snprintf(t->name, sizeof(t->name), "%s", name);
	while (*last)
		last = &(*last)->next;
	*last = *targetp = t;
	return 0;
}

int target_add_lun(struct target *t, const struct lun_spec *spec, char *why, size_t room)
{
	struct lu_answer answer = {.why = why, .room = room};
	unsigned at = 0;
	int err;

	if (t->n == LUNS_MAX) {
		snprintf(why, room, "a target has no more than %d LUNs", LUNS_MAX);
		return -EINVAL;
	}
	while (at < t->n && t->lun[at].number < spec->number)
		at++;
	if (at < t->n && t->lun[at].number == spec->number) {
		snprintf(why, room, "this LUN is there already");
		return -EEXIST;
	}
	err = lu_open(t->engine, t->name, spec, &answer);
	if (err)
		return err;
	for (unsigned i = 0; i < t->n; i++)
		if (t->lun[i].lu == answer.lu) {
			snprintf(why, room, "the same file is LUN %u already", t->lun[i].number);
			return -EEXIST;
		}
	memmove(&t->lun[at + 1], &t->lun[at], (t->n - at) * sizeof(t->lun[0]));
	t->lun[at] = (struct lun){.number = spec->number, .ro = spec->ro, .lu = answer.lu};
	t->n++;
	return 0;
}

struct nexus *nexus_new(struct target *t, const char *initiator, const uint8_t isid[6])
{
	struct nexus *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->target = t;
	snprintf(n->initiator, sizeof(n->initiator), "%s", initiator);
	memcpy(n->isid, isid, sizeof(n->isid));
	atomic_init(&n->refs, 1);
	for (unsigned i = 0; i < LUNS_MAX; i++)
		atomic_init(&n->attention[i], 1u << ATTENTION_POWER_ON);
	pthread_mutex_lock(&t->engine->nexus_lock);
	n->next = t->engine->nexuses;
	t->engine->nexuses = n;
	pthread_mutex_unlock(&t->engine->nexus_lock);
	return n;
}

void nexus_get(struct nexus *nexus)
{
	atomic_fetch_add(&nexus->refs, 1);
}

void nexus_put(struct nexus *nexus)
{
	struct engine *e = nexus->target->engine;

	if (atomic_fetch_sub(&nexus->refs, 1) > 1)
		return;
	pthread_mutex_lock(&e->nexus_lock);
	for (struct nexus **at = &e->nexuses; *at; at = &(*at)->next)
		if (*at == nexus) {
			*at = nexus->next;
			break;
		}
	pthread_mutex_unlock(&e->nexus_lock);
	copy_ops_drop(nexus);
	free(nexus);
}

bool nexus_busy(struct nexus *nexus)
{
	return atomic_load(&nexus->busy) != 0;
}

void nexus_lost(struct nexus *nexus)
{
	atomic_store(&nexus->gone, true);
	for (unsigned i = 0; i < nexus->target->n; i++) {
		struct lu *lu = nexus->target->lun[i].lu;

		pthread_mutex_lock(&lu->lock);
		if (lu->reserved == nexus)
			lu->reserved = NULL;
		pthread_mutex_unlock(&lu->lock);
	}
	copy_ops_stop(nexus);
}

void attention_one(struct nexus *nexus, struct lu *lu, enum attention what)
{
	for (unsigned i = 0; i < nexus->target->n; i++)
		if (nexus->target->lun[i].lu == lu)
			atomic_fetch_or(&nexus->attention[i], 1u << what);
}

void attention_raise(struct engine *e, struct lu *lu, enum attention what,
		     const struct nexus *except)
{
	pthread_mutex_lock(&e->nexus_lock);
	for (struct nexus *n = e->nexuses; n; n = n->next)
		if (n != except)
			attention_one(n, lu, what);
	pthread_mutex_unlock(&e->nexus_lock);
}

void lu_reset(struct engine *e, struct lu *lu)
{
	pthread_mutex_lock(&lu->lock);
	lu->reserved = NULL;
	lu->mode = (struct lu_mode){.wce = true};
	pthread_mutex_unlock(&lu->lock);
	copy_ops_stop_lu(e, lu);
	attention_raise(e, lu, ATTENTION_RESET, NULL);
}
