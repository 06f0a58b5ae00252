// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pr.c - PERSISTENT RESERVE OUT (SPC-4, 6.16).
 *
 * A service action changes a copy; when that is durable, if it has to be, it takes the
 * place of what was there.  So nothing is ever half done, and no answer is given for what a
 * crash could take back.
 */
#include "pr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/bytes.h"
#include "lu.h"
#include "tpc.h"

#define LIST_LEN  24
#define SPEC_I_PT 0x08
#define ALL_TG_PT 0x04
#define APTPL	  0x01
#define NOT_FOUND REGISTRATIONS_MAX

struct prout {
	struct scsi_task *t;
	uint64_t key, action_key;
	uint8_t sa, type, flags;
	struct pr now; /* what is changed */
	unsigned self; /* our registration in it, or NOT_FOUND */
	/* Who is told of it, and whose commands end, by their registrations before. */
	uint64_t unregistered; /* a bit each */
	bool abort;
	enum attention others; /* for those that stay; ATTENTIONS: nothing */
};

static bool all_registrants(uint8_t type)
{
	return type == PR_WRITE_ALL || type == PR_EXCLUSIVE_ALL;
}

static bool of_nexus(const struct registration *r, const struct nexus *n)
{
	return memcmp(r->isid, n->isid, sizeof(r->isid)) == 0 &&
	       strcmp(r->initiator, n->initiator) == 0 && strcmp(r->target, n->target->name) == 0;
}

static unsigned find(const struct pr *pr, const struct nexus *n)
{
	for (unsigned i = 0; i < pr->n; i++)
		if (of_nexus(&pr->reg[i], n))
			return i;
	return NOT_FOUND;
}

static bool holds(const struct pr *pr, unsigned i)
{
	return pr->type != PR_NONE && i != NOT_FOUND &&
	       (all_registrants(pr->type) || pr->holder == i);
}

bool pr_allows(const struct pr *pr, const struct nexus *nexus, unsigned flags)
{
	unsigned self;

	if (pr->type == PR_NONE)
		return true;
	self = find(pr, nexus);
	switch (pr->type) {
	case PR_WRITE_EXCLUSIVE:
		return !(flags & CMD_WRITES) || holds(pr, self);
	case PR_EXCLUSIVE:
		return holds(pr, self);
	case PR_WRITE_REGISTRANTS:
	case PR_WRITE_ALL:
		return !(flags & CMD_WRITES) || self != NOT_FOUND;
	default:
		return self != NOT_FOUND;
	}
}

static void conflict(struct prout *p)
{
	p->t->status = STATUS_RESERVATION_CONFLICT;
}

static void no_reservation(struct pr *pr)
{
	pr->type = PR_NONE;
	pr->holder = 0;
}

/* Take @i out; a reservation that it alone held goes, too. */
static void take_out(struct pr *pr, unsigned i)
{
	if (pr->type != PR_NONE && !all_registrants(pr->type) && pr->holder == i)
		no_reservation(pr);
	else if (pr->holder > i)
		pr->holder--;
	memmove(&pr->reg[i], &pr->reg[i + 1], (pr->n - i - 1) * sizeof(pr->reg[0]));
	pr->n--;
	if (!pr->n)
		no_reservation(pr);
}

static bool told_of_release(uint8_t type)
{
	return type == PR_WRITE_REGISTRANTS || type == PR_EXCLUSIVE_REGISTRANTS ||
	       all_registrants(type);
}

static void add(struct prout *p)
{
	const struct nexus *n = p->t->nexus;
	struct registration *r;

	if (p->now.n == REGISTRATIONS_MAX) {
		task_check(p->t, KEY_ILLEGAL_REQUEST, ASC_INSUFFICIENT_REGISTRATIONS);
		return;
	}
	r = &p->now.reg[p->now.n++];
	*r = (struct registration){.key = p->action_key};
	memcpy(r->initiator, n->initiator, sizeof(r->initiator));
	memcpy(r->target, n->target->name, sizeof(r->target));
	memcpy(r->isid, n->isid, sizeof(r->isid));
}

static void do_register(struct prout *p)
{
	struct pr *pr = &p->now;
	uint8_t type = pr->type;

	if (p->sa == SA_PROUT_REGISTER &&
	    p->key != (p->self == NOT_FOUND ? 0 : pr->reg[p->self].key)) {
		conflict(p);
		return;
	}
	pr->generation++;
	pr->aptpl = p->flags & APTPL;
	if (p->self == NOT_FOUND && p->action_key) {
		add(p);
	} else if (p->self != NOT_FOUND && p->action_key) {
		pr->reg[p->self].key = p->action_key;
	} else if (p->self != NOT_FOUND) {
		take_out(pr, p->self);
		if (type != pr->type && told_of_release(type))
			p->others = ATTENTION_RELEASED;
	}
}

static void do_reserve(struct prout *p)
{
	struct pr *pr = &p->now;

	if (pr->type == PR_NONE) {
		pr->type = p->type;
		pr->holder = p->self;
	} else if (!holds(pr, p->self) || pr->type != p->type) {
		conflict(p);
	}
}

static void do_release(struct prout *p)
{
	struct pr *pr = &p->now;

	if (!holds(pr, p->self))
		return;
	if (pr->type != p->type) {
		task_check(p->t, KEY_ILLEGAL_REQUEST, ASC_INVALID_RELEASE);
		return;
	}
	if (told_of_release(pr->type))
		p->others = ATTENTION_RELEASED;
	no_reservation(pr);
}

static void do_clear(struct prout *p)
{
	p->now.generation++;
	p->now.n = 0;
	no_reservation(&p->now);
	p->others = ATTENTION_PREEMPTED;
}

/* Who has the key to be preempted; 0 stands for all, where all hold. */
static bool is_victim(const struct prout *p, unsigned i, bool all)
{
	return i != p->self && (all || p->now.reg[i].key == p->action_key);
}

static void do_preempt(struct prout *p)
{
	struct pr *pr = &p->now;
	const struct pr before = *pr;
	bool all = all_registrants(pr->type) && !p->action_key, takes, found = false;

	if (!p->action_key && !all) {
		task_bad_list(p->t, 8);
		return;
	}
	takes = all || (pr->type != PR_NONE && !all_registrants(pr->type) &&
			pr->reg[pr->holder].key == p->action_key);
	for (unsigned i = 0; i < pr->n; i++)
		if (is_victim(p, i, all))
			p->unregistered |= (uint64_t)1 << i;
		else if (pr->reg[i].key == p->action_key)
			found = true;
	if (!p->unregistered && !found && !all) {
		conflict(p);
		return;
	}
	pr->generation++;
	for (unsigned i = before.n; i-- > 0;)
		if (p->unregistered >> i & 1) {
			take_out(pr, i);
			p->self -= p->self > i;
		}
	if (takes) {
		pr->type = p->type;
		pr->holder = p->self;
		if (before.type != p->type)
			p->others = ATTENTION_RELEASED;
	}
	p->abort = p->sa == SA_PROUT_PREEMPT_AND_ABORT;
}

static void act(struct prout *p)
{
	bool registers = p->sa == SA_PROUT_REGISTER || p->sa == SA_PROUT_REGISTER_AND_IGNORE;

	if (!registers && (p->self == NOT_FOUND || p->now.reg[p->self].key != p->key)) {
		conflict(p);
		return;
	}
	switch (p->sa) {
	case SA_PROUT_RESERVE:
		do_reserve(p);
		break;
	case SA_PROUT_RELEASE:
		do_release(p);
		break;
	case SA_PROUT_CLEAR:
		do_clear(p);
		break;
	case SA_PROUT_PREEMPT:
	case SA_PROUT_PREEMPT_AND_ABORT:
		do_preempt(p);
		break;
	default:
		do_register(p);
		break;
	}
}

static bool valid_type(uint8_t type)
{
	return type == PR_WRITE_EXCLUSIVE || type == PR_EXCLUSIVE ||
	       (type >= PR_WRITE_REGISTRANTS && type <= PR_EXCLUSIVE_ALL);
}

static bool has_type(uint8_t sa)
{
	return sa == SA_PROUT_RESERVE || sa == SA_PROUT_RELEASE || sa == SA_PROUT_PREEMPT ||
	       sa == SA_PROUT_PREEMPT_AND_ABORT;
}

static bool decode(struct prout *p)
{
	struct scsi_task *t = p->t;

	if (t->want != LIST_LEN || t->len != LIST_LEN) {
		task_check(t, KEY_ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH);
		return false;
	}
	p->sa = t->cdb[1] & 0x1f;
	p->type = t->cdb[2] & 0x0f;
	p->key = get_be64(t->data);
	p->action_key = get_be64(t->data + 8);
	p->flags = t->data[20];
	if (has_type(p->sa) && ((t->cdb[2] & 0xf0) || !valid_type(p->type))) {
		task_bad_cdb(t, 2);
		return false;
	}
	if ((p->flags & (SPEC_I_PT | ALL_TG_PT)) ||
	    ((p->flags & APTPL) && !t->nexus->target->engine->state)) {
		task_bad_list(t, 20);
		return false;
	}
	return true;
}

/* Durable, if it was kept or is to be kept from now on. */
static int keep(struct prout *p)
{
	struct engine *e = p->t->nexus->target->engine;
	struct lu *lu = p->t->lu;

	if (!e->state || (!lu->pr.aptpl && !p->now.aptpl))
		return 0;
	return state_save(e->state, lu->serial, &p->now);
}

/* Nothing of @n that was sent before runs on after this. */
static void abort_nexus(struct nexus *n, struct lu *lu)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	for (unsigned i = 0; i < n->target->n; i++) {
		if (n->target->lun[i].lu != lu)
			continue;
		atomic_fetch_add(&n->epoch[i], 1);
		copy_ops_stop_on(n, lu);
		while (atomic_load(&n->running[i]))
			nanosleep(&pause, NULL);
	}
	attention_one(n, lu, ATTENTION_CLEARED);
}

struct told {
	struct nexus *nexus;
	enum attention what;
	bool abort;
};

/* Nexuses that are there now and have to know, each held. */
static unsigned collect(const struct prout *p, const struct pr *before, struct told *told)
{
	struct engine *e = p->t->nexus->target->engine;
	unsigned n = 0;

	pthread_mutex_lock(&e->nexus_lock);
	for (struct nexus *x = e->nexuses; x && n < REGISTRATIONS_MAX; x = x->next) {
		unsigned i = x == p->t->nexus ? NOT_FOUND : find(before, x);
		bool out = i != NOT_FOUND && (p->unregistered >> i & 1);

		if (i == NOT_FOUND || (!out && p->others == ATTENTIONS))
			continue;
		nexus_get(x);
		told[n++] =
			(struct told){x, out ? ATTENTION_UNREGISTERED : p->others, out && p->abort};
	}
	pthread_mutex_unlock(&e->nexus_lock);
	return n;
}

static void tell(const struct prout *p, struct told *told, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		attention_one(told[i].nexus, p->t->lu, told[i].what);
		if (told[i].abort)
			abort_nexus(told[i].nexus, p->t->lu);
		nexus_put(told[i].nexus);
	}
}

/* With lu->lock held: what was there goes to @old, what is now takes its place. */
static void exchange(struct prout *p, struct pr *old)
{
	struct lu *lu = p->t->lu;
	int err;

	p->self = find(&p->now, p->t->nexus);
	if (lu->reserved && lu->reserved != p->t->nexus) {
		conflict(p);
		return;
	}
	act(p);
	if (p->t->status != STATUS_GOOD)
		return;
	err = keep(p);
	if (err) {
		task_check(p->t, KEY_HARDWARE_ERROR, ASC_INTERNAL_FAILURE);
		return;
	}
	*old = lu->pr;
	lu->pr = p->now;
	p->now.reg = NULL;
}

void cmd_pr_out(struct scsi_task *t)
{
	struct told told[REGISTRATIONS_MAX];
	struct prout p = {.t = t, .others = ATTENTIONS};
	struct pr old = {0};
	unsigned n = 0;

	if (!decode(&p))
		return;
	p.now.reg = calloc(REGISTRATIONS_MAX, sizeof(p.now.reg[0]));
	if (!p.now.reg) {
		t->status = STATUS_BUSY;
		return;
	}
	pthread_mutex_lock(&t->lu->lock);
	if (t->lu->pr.n)
		memcpy(p.now.reg, t->lu->pr.reg, t->lu->pr.n * sizeof(p.now.reg[0]));
	old.reg = p.now.reg;
	p.now = t->lu->pr;
	p.now.reg = old.reg;
	old.reg = NULL;
	exchange(&p, &old);
	pthread_mutex_unlock(&t->lu->lock);
	if (t->status == STATUS_GOOD) {
		n = collect(&p, &old, told);
		tell(&p, told, n);
	}
	free(old.reg);
	free(p.now.reg);
}
