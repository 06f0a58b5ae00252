// SPDX-License-Identifier: GPL-2.0-or-later
/* options.c - the command line of ocp-nfsd. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nfsd/export.h"
#include "nfsd/options.h"

#define LEASE	   90u
#define LEASE_MIN  2u
#define LEASE_MAX  3600u
#define WORKERS	   16u
#define THREAD_MAX 256u
#define COPY_WAIT  1000u
#define EXPORTS	   "/etc/exports"
#define STATE_DIR  "/var/lib/ocp-nfsd"

static const char help[] =
	"Usage: ocp-nfsd [OPTION]...\n"
	"Serve folders by NFSv4.1 and NFSv4.2.\n"
	"\n"
	"  -e, --export 'PATH CLIENT(OPTION,...)'  export PATH, as a line of exports(5);\n"
	"                       repeatable; then " EXPORTS " is not read\n"
	"  -E, --exports FILE   exports are in FILE (default: " EXPORTS ")\n"
	"  -l, --listen ADDRESS:PORT  default: all addresses, port 2049; port 0: any\n"
	"  -s, --state DIR      keys and clients are kept here (default: " STATE_DIR ")\n"
	"  -f, --foreground     stay in the foreground\n"
	"      --lease SECONDS  how long clients may be silent (default: 90)\n"
	"      --copy-wait MS   a COPY that takes longer goes on after its reply (default: 1000)\n"
	"      --inter-server=off|LIST  addresses and networks of other servers from which\n"
	"                       clients may have files copied here (default: off)\n"
	"      --landlock=auto|on|off  confine the server to what it exports: where it finds "
	"files\n"
	"                       by name, as it does without root (default); always, or end; never\n"
	"      --workers N      operations carried out at a time (default: 16)\n"
	"  -h, --help           show this and exit\n"
	"  -V, --version        show the version and exit\n"
	"\n"
	"A line on stderr says when it serves. SIGHUP reads the exports anew.\n";

enum { OPT_LEASE = 256, OPT_WORKERS, OPT_COPY_WAIT, OPT_INTER, OPT_LANDLOCK };

static const struct option longs[] = {
	{"export", required_argument, NULL, 'e'},
	{"exports", required_argument, NULL, 'E'},
	{"listen", required_argument, NULL, 'l'},
	{"state", required_argument, NULL, 's'},
	{"foreground", no_argument, NULL, 'f'},
	{"lease", required_argument, NULL, OPT_LEASE},
	{"landlock", required_argument, NULL, OPT_LANDLOCK},
	{"workers", required_argument, NULL, OPT_WORKERS},
	{"copy-wait", required_argument, NULL, OPT_COPY_WAIT},
	{"inter-server", required_argument, NULL, OPT_INTER},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

static bool complain(const char *what, const char *value)
{
	fprintf(stderr, "ocp-nfsd: %s: %s\nTry 'ocp-nfsd --help'.\n", what, value);
	return false;
}

static bool number(const char *text, unsigned min, unsigned max, unsigned *value)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || v < min || v > max)
		return false;
	*value = (unsigned)v;
	return true;
}

static bool add_export(struct nfsd_options *opt, const char *line)
{
	const char **more = realloc(opt->exports, (opt->nexports + 1) * sizeof(*more));

	if (!more)
		return complain("no memory", line);
	opt->exports = more;
	opt->exports[opt->nexports++] = line;
	return true;
}

static bool set_inter(struct nfsd_options *opt, const char *list)
{
	char why[200];

	network_free(opt->inter);
	opt->inter = NULL;
	if (!strcmp(list, "off"))
		return true;
	opt->inter = network_parse(list, why, sizeof(why));
	return opt->inter || complain("--inter-server", why);
}

static bool set_landlock(struct nfsd_options *opt, const char *arg)
{
	static const char *const words[] = {[NFSD_LANDLOCK_AUTO] = "auto",
					    [NFSD_LANDLOCK_ON] = "on",
					    [NFSD_LANDLOCK_OFF] = "off"};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(words[i], arg)) {
			opt->landlock = i;
			return true;
		}
	return complain("not auto, on or off", arg);
}

static bool take(struct nfsd_options *opt, int c, const char *arg)
{
	switch (c) {
	case 'e':
		return add_export(opt, arg);
	case 'E':
		opt->exports_file = arg;
		return true;
	case 'l':
		return !rpc_addr_parse(arg, &opt->listen) ||
		       complain("not an ADDRESS:PORT, such as 127.0.0.1:2049 or [::1]:2049", arg);
	case 's':
		opt->state_dir = arg;
		return true;
	case 'f':
		opt->foreground = true;
		return true;
	case OPT_LEASE:
		return number(arg, LEASE_MIN, LEASE_MAX, &opt->lease) ||
		       complain("not a number of seconds from 2 to 3600", arg);
	case OPT_LANDLOCK:
		return set_landlock(opt, arg);
	case OPT_WORKERS:
		return number(arg, 1, THREAD_MAX, &opt->workers) ||
		       complain("not a number from 1 to 256", arg);
	case OPT_COPY_WAIT:
		return number(arg, 0, 60000, &opt->copy_wait) ||
		       complain("not a number of milliseconds up to 60000", arg);
	case OPT_INTER:
		return set_inter(opt, arg);
	case 'h':
		fputs(help, stdout);
		exit(fflush(stdout) ? 1 : 0);
	case 'V':
		puts("ocp-nfsd " CR_VERSION);
		exit(fflush(stdout) ? 1 : 0);
	default:
		fprintf(stderr, "Try 'ocp-nfsd --help'.\n");
		return false;
	}
}

bool options_parse(int argc, char **argv, struct nfsd_options *opt)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int c;

	*opt = (struct nfsd_options){
		.state_dir = STATE_DIR, .lease = LEASE, .workers = WORKERS, .copy_wait = COPY_WAIT};
	rpc_addr_parse(":2049", &opt->listen);
	opt->loops = cpus > 4 ? 4 : cpus > 1 ? (unsigned)cpus : 1;
	while ((c = getopt_long(argc, argv, "e:E:l:s:fhV", longs, NULL)) >= 0)
		if (!take(opt, c, optarg))
			return false;
	if (optind < argc)
		return complain("takes no operand", argv[optind]);
	if (!opt->exports_file && !opt->nexports)
		opt->exports_file = EXPORTS;
	return true;
}

void options_free(struct nfsd_options *opt)
{
	free(opt->exports);
	network_free(opt->inter);
}
