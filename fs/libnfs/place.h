/* SPDX-License-Identifier: GPL-2.0-or-later */
/* place.h - where a URL leads to, without the names that libnfs and fs/nfs both have. */
#ifndef CR_LN_PLACE_H
#define CR_LN_PLACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LN_PATH	  4096u
#define LN_GROUPS 16u

/* A server, and who asks it. */
struct ln_place {
	char address[64];	  /* as a number: by it files are told apart */
	unsigned version;	  /* 3 or 4 */
	bool chosen;		  /* by the URL; else because the server speaks nothing newer */
	uint16_t port, mountport; /* 0: as the portmapper says */
	unsigned timeout;	  /* s */
	uint32_t uid, gid, ngroups;
	uint32_t group[LN_GROUPS];
};

/* The same for each version that may be, in the order of trying. */
struct place_wanted {
	struct ln_place place[2];
	unsigned n;
	char path[LN_PATH]; /* with its first slash, without its last */
};

/* @text is what follows "nfs://"; 0, -EINVAL, -EPROTONOSUPPORT: neither 3 nor 4.0 is wanted */
int place_parse(const char *text, struct place_wanted *want);
mode_t place_umask(void);

#endif
