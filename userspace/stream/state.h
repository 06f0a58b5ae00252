/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state.h - how far a receive has got, so that another run can go on.
 *
 * The commands before a position are done, but for some ops under way (slots); the
 * command after it may have been begun.  Two places keep that:
 *
 *   record  in /dev/shm, mapped: it follows each command, and survives the death of
 *           the process but no reboot
 *   file    .ocp-receive/NAME.state in the target: which record that is, and the last
 *           position that is on the disk for sure, with the checkpoint that holds the
 *           files as they were there
 *
 * A hash over all commands tells whether a stream is the same one up to there.
 */
#ifndef STREAM_STATE_H
#define STREAM_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format.h"

#define STATE_SLOTS 512u
#define STATE_NAME  256u

struct file;
struct op;
struct state;

/* Where a receive stands.  Commands are counted from 1 over the whole input. */
struct state_position {
	uint64_t done;	 /* the last command that is over, but for those of slots */
	uint64_t begun;	 /* done, or the last one that may have had an effect */
	uint64_t hash;	 /* over all commands up to done */
	uint64_t subvol; /* the command that began the subvolume in hand; 0: none is */
	uint64_t root_ino;
	uint64_t slots[STATE_SLOTS]; /* commands under way; 0: none */
};

/**
 * state_new - keep the state of a receive into @target
 * @name: of the first subvolume
 *
 * Return: it, or NULL without memory.  Nothing is written yet.
 */
struct state *state_new(struct file *target, const char *name);

/** state_load - what an earlier run has left.  Return: 0; -ENOENT; -EUCLEAN: damaged */
int state_load(struct state *s);

/**
 * state_position - where to go on after state_load()
 * @checkpoint: "": with the files as that run left them; or the name of the snapshot that
 *	must be put in the place of @temp
 *
 * Return: 0; -EBUSY: that run is still at work; -ESTALE: the machine was restarted since,
 * and nothing was on the disk for sure.
 */
int state_position(struct state *s, struct state_position *pos, char temp[STATE_NAME],
		   char checkpoint[STATE_NAME]);

/** state_checkpoint - the snapshot that the file names, or "" */
const char *state_checkpoint(const struct state *s);

/**
 * state_start - begin a record, and write the file
 * @pos: of an earlier run that is gone on with, or NULL
 *
 * A checkpoint of the earlier run stays the one to go back to.
 */
int state_start(struct state *s, const struct state_position *pos);

/* All of these do nothing for NULL. */

/** state_command - hash the next command.  Return: the hash so far */
uint64_t state_command(struct state *s, const struct stream_cmd *cmd);

/** state_subvol - command @count began a subvolume, and this is its directory */
void state_subvol(struct state *s, uint64_t count, uint64_t root_ino, const char *temp);

/** state_begun - up to command @count they may have an effect from now on */
void state_begun(struct state *s, uint64_t count);
void state_done(struct state *s, uint64_t count, uint64_t hash);

/* No op of command @count is under way any more, nor was any of an earlier run. */
void state_forget(struct state *s, uint64_t count);

void state_slot_set(struct state *s, struct op *op);
void state_slot_clear(struct state *s, int slot);

/**
 * state_save - what is on the disk now
 * @checkpoint: name of a snapshot that has the files as they are now, or NULL: the
 *	files themselves, because the run ends here
 */
int state_save(struct state *s, const char *checkpoint);

/** state_drop_record - after state_save() of the files themselves it adds nothing */
void state_drop_record(struct state *s);

/** state_remove - nothing is left to go on with */
void state_remove(struct state *s);
void state_free(struct state *s);

#endif
