/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.h - the command line of ocp-nfsd. */
#ifndef NFSD_OPTIONS_H
#define NFSD_OPTIONS_H

#include "nfsd/nfsd.h"

/* False: a message is on stderr. --help and --version end the program. */
bool options_parse(int argc, char **argv, struct nfsd_options *opt);
void options_free(struct nfsd_options *opt);

#endif
