/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.h - the command line of ocp-target, which a file can hold as well. */
#ifndef SCSI_TARGET_OPTIONS_H
#define SCSI_TARGET_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* What was asked for, in order. */
struct setting {
	int option;
	char *value;
	char *where; /* "--lun" or "FILE:LINE", for messages */
};

enum { SET_LISTEN = 256, SET_TARGET, SET_LUN, SET_CHAP, SET_CHAP_MUTUAL, SET_STATE };

struct options {
	bool foreground, list, verbose;
	struct setting *set;
	unsigned n;
};

/* Return: -1, or the status to end with. */
int options_parse(struct options *o, int argc, char **argv);
void options_free(struct options *o);

#endif
