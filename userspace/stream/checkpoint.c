// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Going on where an earlier run has ended.
 *
 * After the death of the process alone, exactly there.  After that of the machine,
 * at the last checkpoint: a snapshot of what was received by then, which btrfs has
 * on the disk when it is made.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"

static int start(struct apply *a, const struct state_position *pos)
{
	int err = state_start(a->state, pos);

	if (err)
		refuse(a, err, "cannot keep the state of this receive in " RECEIVE_DIR);
	return err;
}

/* A new receive: what is left of an earlier one counts only as long as its files are there. */
static int begin_anew(struct apply *a, const char *name)
{
	struct statx stx;
	char temp[300];
	int err = state_load(a->state);

	snprintf(temp, sizeof(temp), ".%.230s.receiving", name);
	if (err != -ENOENT && !cr_getattr(a->target, temp, &stx))
		return refuse(a, -EEXIST,
			      "what an earlier run has left stands in the way: go on with "
			      "--resume, or remove it");
	if (!err)
		state_remove(a->state);
	state_free(a->state);
	a->state = state_new(a->target, name);
	return a->state ? start(a, NULL) : -ENOMEM;
}

/* In the place of what was received since: that is not known to be whole. */
static int go_back(struct apply *a, const char *temp, const char *checkpoint)
{
	struct file *snap;
	int err = cr_openat(a->target, checkpoint, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
			    0, &snap);

	if (err)
		return refuse(a, err, "the checkpoint to go on from is gone");
	err = copytree_remove(a->target, temp);
	if (!err)
		err = cr_snap_create(snap, a->target, temp, 0);
	cr_close(snap);
	if (err)
		return refuse(a, err, "cannot go back to the checkpoint");
	a->resume.root_ino = SUBVOL_ROOT_INO;
	say(a, "going back to the checkpoint of command %llu", (unsigned long long)a->resume.done);
	return 0;
}

static int cannot_resume(struct apply *a, int err)
{
	switch (err) {
	case -ENOENT:
		return refuse(a, err, "there is nothing to go on with");
	case -EBUSY:
		return refuse(a, err, "another ocp-receive is at work on it");
	case -ESTALE:
		return refuse(a, err,
			      "the machine was restarted since, and what was received is not "
			      "known to be on the disk: remove it and begin anew");
	case -EUCLEAN:
		return refuse(a, err, "the state in " RECEIVE_DIR " is damaged");
	default:
		return err;
	}
}

static int go_on(struct apply *a)
{
	char temp[STATE_NAME], checkpoint[STATE_NAME];
	int err = state_load(a->state);

	if (!err)
		err = state_position(a->state, &a->resume, temp, checkpoint);
	if (err)
		return cannot_resume(a, err);
	if (*checkpoint)
		err = go_back(a, temp, checkpoint);
	if (!err && *state_checkpoint(a->state)) {
		a->checkpoint = strdup(state_checkpoint(a->state));
		err = a->checkpoint ? 0 : -ENOMEM;
	}
	if (!err)
		say(a, "going on after command %llu", (unsigned long long)a->resume.done);
	return err ? err : start(a, &a->resume);
}

int apply_begin_state(struct apply *a, const char *name)
{
	int err;

	a->state = state_new(a->target, name);
	if (!a->state)
		return -ENOMEM;
	err = a->o.resume ? go_on(a) : begin_anew(a, name);
	if (err) {
		state_free(a->state);
		a->state = NULL;
	}
	return err;
}

void checkpoint_drop(struct apply *a)
{
	if (!a->checkpoint)
		return;
	copytree_remove(a->target, a->checkpoint);
	free(a->checkpoint);
	a->checkpoint = NULL;
}

/* Only root may remove a snapshot again; others could not get rid of them. */
int apply_checkpoint(struct apply *a)
{
	char name[STATE_NAME];
	int err;

	if (!a->subvolume || a->fsuid || !a->state || !a->root || a->count <= a->resume.begun)
		return 0;
	err = queue_wait(a->queue, NULL);
	if (err)
		return err;
	snprintf(name, sizeof(name), "%.240s.%c", a->temp,
		 a->checkpoint && a->checkpoint[strlen(a->checkpoint) - 1] == 'a' ? 'b' : 'a');
	err = copytree_remove(a->target, name);
	if (!err)
		err = cr_snap_create(a->root, a->target, name, 0);
	if (!err)
		err = cr_sync_fs(a->target);
	if (!err)
		err = state_save(a->state, name);
	if (err)
		return refuse(a, err, "cannot make a checkpoint");
	checkpoint_drop(a);
	a->checkpoint = strdup(name);
	return a->checkpoint ? 0 : -ENOMEM;
}

int apply_complete(struct apply *a)
{
	if (a->count < a->resume.done)
		return refuse(a, -EUCLEAN,
			      "the stream is shorter than what the earlier run has received");
	checkpoint_drop(a);
	state_remove(a->state);
	return 0;
}

bool apply_stop(struct apply *a)
{
	queue_wait(a->queue, NULL);
	if (!a->state)
		return false;
	if (!a->name && a->count > a->resume.done) {
		state_remove(a->state);
		return false;
	}
	/* Still skimming: nothing was changed, and what is kept stays as it was. */
	if (!a->root || a->count <= a->resume.done || cr_sync_fs(a->root) ||
	    state_save(a->state, NULL))
		return true;
	state_drop_record(a->state);
	checkpoint_drop(a);
	return true;
}
