// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ocp - copy files and trees like cp(1), by the cheapest way the storage has.
 *
 *   opts.c       what the command line says
 *   run.c        what a run needs
 *   plan.c       operands: where each of them goes
 *   entry.c      one name: target.c settles what stands at its destination, then
 *                walk.c makes a directory, data.c a file, make.c anything else
 *   attr.c ...   owner, xattr.c, mode, times, flags.c, in an order that works
 *   report.c     everything that is said
 *
 * The walk feeds a pool of workers (pool.c): each takes a subdirectory or a
 * batch of names of one directory.  A directory is finished, with its own
 * attributes, by whichever worker ends the last thing below it (dir.c).  Every
 * file is reached by one name relative to an open directory, never by a path,
 * so trees may be deeper than PATH_MAX and cannot be swapped under us.
 *
 * Bytes move in one place: cr_copy_range(), called by data.c.
 *
 * SIGINT and friends set a flag; workers give up the file in hand, which has
 * no name yet unless it is written in place, and the exit status is 128 + the
 * signal.  The same signal again kills at once.
 */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ocp.h"
#include "probe.h"

int main(int argc, char **argv)
{
	struct ocp_opts o;
	struct ocp ocp = {.o = &o};
	int rc;

	setlocale(LC_ALL, "");
	rc = opts_parse(&o, argc, argv);
	if (rc < 0 && o.probe)
		rc = probe_run(&o);
	if (rc >= 0) {
		opts_free(&o);
		return rc;
	}
	if (ocp_set_ioprio(&o))
		return EXIT_FAILURE;
	ocp.workers = o.interactive ? 1 : opts_jobs(&o);
	ocp.root = geteuid() == 0;
	ocp.umask = umask(0);
	umask(ocp.umask);
	ocp_block_usr1();
	ocp.progress = progress_new(o.dry_run ? WHEN_NEVER : o.progress, ocp.workers);
	if (!ocp.progress && !o.dry_run)
		ocp.progress = progress_on_signal(ocp.workers);
	ocp.report = report_new(&o, ocp.progress);
	if (!ocp.report)
		return EXIT_FAILURE;
	ocp.stop = ocp_signals();
	report_stops(ocp.report, ocp.stop);
	ocp_run(&ocp);
	progress_free(ocp.progress);
	rc = report_finish(ocp.report);
	opts_free(&o);
	return ocp_signal() ? 128 + ocp_signal() : rc;
}
