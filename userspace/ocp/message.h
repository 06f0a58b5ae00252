/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message.h - cp's sentences and the operation each is about. */
#ifndef OCP_MESSAGE_H
#define OCP_MESSAGE_H

#include "report.h"

struct message {
	const char *operation; /* as --json names it */
	const char *
		text; /* %1 and %2 are the paths, %3 the first where only what needs it is quoted */
};

const struct message *message_of(enum ocp_msg msg);

/**
 * message_text - the sentence with its paths quoted in it
 * Return: a string of malloc(), or NULL without memory.
 */
char *message_text(enum ocp_msg msg, const char *path, const char *path2);

#endif
