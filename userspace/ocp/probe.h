/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probe.h - ocp --probe A B. */
#ifndef OCP_PROBE_H
#define OCP_PROBE_H

#include "opts.h"

/** probe_run - say what would be possible between sources[0] and dest; returns the exit status */
int probe_run(const struct ocp_opts *o);

#endif
