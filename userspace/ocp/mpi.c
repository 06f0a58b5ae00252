// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ocp-mpi - one tree, copied by many ranks of an MPI job between shared file systems.
 *
 * Each rank runs the core of ocp for one shard of the tree (shard.c), always with --resume.
 * Three steps, in each of which all ranks work:
 *
 *   1  directories, links and all files but large ones, of which the partial files are made
 *   2  large files, one after the other: mpi_ranges.c
 *   3  large files get their attributes and names, by the core, from whoever has them
 *
 * Where there is no large file the first step is all.  At the end rank 0 has the reports
 * of all, says what there is to say, and takes the journals away.
 */
#include "mpi_group.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "filter.h"

#define SPLIT ((uint64_t)64 << 20)

/* Of one rank's first step: team first. */
struct step {
	struct team team;
	struct group *g;
	pthread_mutex_t lock;
	FILE *list; /* as struct group's */
	bool told;  /* rank 0 has said whose the tree is */
	bool lost;  /* no memory for a name */
};

/* The command line ------------------------------------------------------------------ */

static int refuse(struct group *g, const char *why)
{
	if (!g->rank)
		fprintf(stderr, "%s: %s\n", program_invocation_short_name, why);
	return EXIT_FAILURE;
}

/* What cannot be shared out; -1 to go on. */
static int check(struct group *g, const struct ocp_opts *o)
{
	const char *dest = o->target ? o->target : o->dest;

	if (o->shards || o->interactive || o->probe || o->parents)
		return refuse(g, "--shard, -i, --probe and --parents make no sense here");
	if (o->files0_from || o->nsources != 1)
		return refuse(g, "one SOURCE is copied, a tree as a rule");
	if (!(o->preserve & PRESERVE_MODE) || !(o->preserve & PRESERVE_TIMES))
		return refuse(g, "needs -a or -p");
	if (!strncmp(o->sources[0], "nfs://", 6) || !strncmp(dest, "nfs://", 6))
		return refuse(g, "copies between mounted file systems, which every rank sees");
	if (o->json_lines && o->json_file)
		return refuse(g, "--json=lines of several ranks goes to standard output");
	return -1;
}

/* Rank 0 reads it first, so that a mistake is told once; --resume is always meant. */
static int parse(struct group *g, struct ocp_opts *o, int argc, char **argv)
{
	char **args = calloc((size_t)argc + 2, sizeof(*args));
	int status = EXIT_FAILURE;

	if (args) {
		args[0] = argv[0];
		args[1] = (char *)"--resume";
		memcpy(args + 2, argv + 1, (size_t)(argc - 1) * sizeof(*args));
	}
	if (!g->rank && args)
		status = opts_parse(o, argc + 1, args);
	group_tell(g, &status, sizeof(status), 0);
	if (status < 0 && g->rank)
		status = args ? opts_parse(o, argc + 1, args) : EXIT_FAILURE;
	if (status < 0)
		status = check(g, o);
	g->args = args;
	return status;
}

/* The part of a path behind its last slash, as the core names a target by it. */
static char *base_of(const char *path)
{
	const char *end = path + strlen(path), *at;

	while (end > path + 1 && end[-1] == '/')
		end--;
	for (at = end; at > path && at[-1] != '/'; at--)
		;
	if (end - at == 0 || (end - at == 2 && at[0] == '.' && at[1] == '.'))
		return strdup(".");
	return strndup(at, (size_t)(end - at));
}

/* Where the tree goes: the directory it is made in, open, and the name there, of malloc(). */
static int tree_place(struct ocp *ocp, struct file **dir, char **name)
{
	const struct ocp_opts *o = ocp->o;
	char *path = NULL;
	int err = -ENOMEM;

	*name = base_of(o->target ? o->sources[0] : o->dest);
	if (*name && !o->target) {
		size_t len = strlen(o->dest);

		while (len > 1 && o->dest[len - 1] == '/')
			len--;
		while (len && o->dest[len - 1] != '/')
			len--;
		path = strndup(o->dest, len);
	}
	if (*name && (path || o->target))
		err = cr_open(ocp->ns,
			      o->target ? o->target
			      : *path	? path
					: ".",
			      O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, dir);
	free(path);
	if (err) {
		free(*name);
		*name = NULL;
	}
	return err;
}

/* Whether an earlier job made what stands at the destination, as the core asks for one rank. */
static bool goes_on(struct ocp *ocp)
{
	struct ocp_opts o = *ocp->o;
	struct ocp one = *ocp;
	bool found = false;
	struct file *dir;
	char *name;

	if (tree_place(ocp, &dir, &name))
		return false;
	one.o = &o;
	for (o.shard = 1; o.shard <= o.shards && !found; o.shard++)
		found = resume_has_tree(&one, dir, name);
	cr_close(dir);
	free(name);
	return found;
}

/* Into the destination or to its name: all must do the same, so one looks. */
static void settle_target(struct group *g, struct ocp_opts *o)
{
	struct file *dir;
	char into = false;

	if (o->target || o->no_target_dir)
		return;
	if (!g->rank && !goes_on(g->ocp) &&
	    !cr_open(g->ocp->ns, o->dest, O_PATH | O_DIRECTORY | O_CLOEXEC, 0, &dir)) {
		cr_close(dir);
		into = true;
	}
	group_tell(g, &into, sizeof(into), 0);
	if (into) {
		o->target = o->dest;
		o->dest = NULL;
	} else {
		o->no_target_dir = true;
	}
}

/* The first step -------------------------------------------------------------------- */

/* Rank 0 has made the tree's directory: what is in it by now is of such jobs, or not. */
static void begun(struct team *team, bool made)
{
	struct step *step = (struct step *)team;

	if (!step->told) {
		step->told = true;
		group_tell(step->g, &made, sizeof(made), 0);
	}
}

static void large(struct team *team, const struct node *dir, const char *name, const char *dname)
{
	struct step *step = (struct step *)team;
	char *src = path_src(dir, name), *dst = path_dst(dir, dname), *below = path_below(dir);

	pthread_mutex_lock(&step->lock);
	if (src && dst && below)
		fprintf(step->list, "%d%c%s%c%s%c%s%s%c", step->g->rank, 0, src, 0, dst, 0, below,
			name, 0);
	else
		step->lost = true;
	pthread_mutex_unlock(&step->lock);
	free(src);
	free(dst);
	free(below);
}

static int first_step(struct group *g, char **list, size_t *len)
{
	struct step step = {.team = {.split = SPLIT, .large = large}, .g = g};
	int err;

	pthread_mutex_init(&step.lock, NULL);
	step.list = open_memstream(list, len);
	if (g->rank)
		group_tell(g, &step.team.made, sizeof(step.team.made), 0);
	else
		step.team.begun = begun;
	g->ocp->team = &step.team;
	if (step.list)
		ocp_run(g->ocp);
	if (!g->rank)
		begun(&step.team, false); /* it was no tree, or could not be made */
	g->ocp->team = NULL;
	err = !step.list || fclose(step.list) || step.lost ? -ENOMEM : 0;
	pthread_mutex_destroy(&step.lock);
	return err;
}

/* The list of all ranks, taken apart. */
static int list_read(struct group *g, size_t total)
{
	size_t texts = 0, n = 0;
	const char *at = g->list, *end = g->list + total;

	for (const char *c = at; c < end; c++)
		texts += !*c;
	g->files = calloc(texts / 4 + 1, sizeof(*g->files));
	if (!g->files)
		return -ENOMEM;
	for (; n < texts / 4; n++) {
		struct shared_file *f = &g->files[n];

		f->owner = (int)strtol(at, NULL, 10);
		f->src = at + strlen(at) + 1;
		f->dst = f->src + strlen(f->src) + 1;
		f->below = f->dst + strlen(f->dst) + 1;
		at = f->below + strlen(f->below) + 1;
	}
	g->nfiles = n;
	return 0;
}

/* The third step -------------------------------------------------------------------- */

/* A filter, and its patterns, which it does not copy. */
struct pattern {
	struct pattern *next;
	char text[];
};

struct only {
	struct filter *filter;
	struct pattern *patterns;
};

/* A rule for exactly the first @len bytes of @below. */
static int only(struct only *only, const char *below, size_t len, bool dir)
{
	struct pattern *pattern = malloc(sizeof(*pattern) + 2 * len + 3);
	char *to;

	if (!pattern)
		return -ENOMEM;
	pattern->next = only->patterns;
	only->patterns = pattern;
	to = pattern->text;
	*to++ = '/';
	for (size_t i = 0; i < len; i++) {
		if (strchr("*?[\\", below[i]))
			*to++ = '\\';
		*to++ = below[i];
	}
	if (dir)
		*to++ = '/';
	*to = '\0';
	return filter_add(&only->filter, true, pattern->text);
}

static int only_file(struct only *o, const char *below)
{
	int err = 0;

	for (const char *at = below; !err && (at = strchr(at, '/')); at++)
		err = only(o, below, (size_t)(at - below), true);
	return err ? err : only(o, below, strlen(below), false);
}

/* The core again, for the large files of this rank and the directories on the way to them. */
static void third_step(struct group *g, const bool *good)
{
	struct ocp_opts o = *g->o;
	struct ocp again = *g->ocp;
	struct only rules = {0};
	unsigned mine = 0;
	int err = 0;

	for (size_t i = 0; i < g->nfiles && !err; i++)
		if (g->files[i].owner == g->rank && good[i]) {
			err = only_file(&rules, g->files[i].below);
			mine++;
		}
	if (!err && mine)
		err = filter_add(&rules.filter, false, "*");
	o.filter = rules.filter;
	again.o = &o;
	again.again = true;
	again.progress = NULL;
	if (err)
		report_error(g->ocp->report, err, MSG_NO_MEMORY, NULL, NULL);
	else if (mine)
		ocp_run(&again);
	filter_free(rules.filter);
	for (struct pattern *p; (p = rules.patterns);) {
		rules.patterns = p->next;
		free(p);
	}
}

static void large_files(struct group *g, char *list, size_t len, int err)
{
	bool *good;
	size_t total;

	err = group_worst(g, err);
	g->list = err ? NULL : group_gather(g, list, len, &total);
	if (!err && !g->list)
		err = -ENOMEM;
	if (!err)
		err = list_read(g, total);
	good = err ? NULL : calloc(g->nfiles + 1, sizeof(*good));
	if (!err && !good)
		err = -ENOMEM;
	if (group_worst(g, err) || !good) {
		if (err)
			report_error(g->ocp->report, err, MSG_NO_MEMORY, NULL, NULL);
		free(good);
		return;
	}
	g->ocp->ns = cr_ns_new();
	for (size_t i = 0; i < g->nfiles; i++)
		good[i] = !ranges_copy(g, &g->files[i]);
	cr_ns_free(g->ocp->ns);
	g->ocp->ns = NULL;
	third_step(g, good);
	free(good);
}

/* The end ----------------------------------------------------------------------------- */

/* Nothing will have to go on: the journals go. */
static void forget(struct group *g)
{
	struct file *dir;
	char *name;

	g->ocp->ns = cr_ns_new();
	if (g->ocp->ns && !tree_place(g->ocp, &dir, &name)) {
		resume_tree_forget(g->ocp, dir, name);
		cr_close(dir);
		free(name);
	}
	cr_ns_free(g->ocp->ns);
	g->ocp->ns = NULL;
}

/* One report of all; the exit status, the same everywhere. */
static int finish(struct group *g)
{
	struct report *r = g->ocp->report;
	uint64_t len = 0;
	int status = 0;

	for (int from = 1; from < g->size; from++) {
		void *data = NULL;
		size_t n = 0;

		if (g->rank == from) {
			data = report_pack(r, &n);
			len = data ? n : 0;
		}
		group_tell(g, &len, sizeof(len), from);
		if (g->rank != from && len && len < INT32_MAX)
			data = malloc(len);
		if (!group_worst(g, data ? 0 : -ENOMEM))
			group_tell(g, data, (int)len, from);
		if (!g->rank && (!data || report_add(r, data, len)))
			report_error(r, ENOMEM, MSG_NO_MEMORY, NULL, NULL);
		free(data);
	}
	if (!g->rank) {
		if (!report_errors(r))
			forget(g);
		status = report_finish(r);
	}
	group_tell(g, &status, sizeof(status), 0);
	return status;
}

/* What each rank does by itself. */
static int set_up(struct group *g, struct ocp_opts *o)
{
	o->shard = (unsigned)g->rank + 1;
	o->shards = (unsigned)g->size;
	if (o->manifest) {
		if (asprintf(&g->manifest, "%s.%d", o->manifest, g->rank) < 0)
			return -1;
		o->manifest = g->manifest;
	}
	if (g->rank) {
		o->json = o->json_lines;
		o->summary = false;
		o->progress = WHEN_NEVER;
	}
	return ocp_set_ioprio(o) ? -1 : 0;
}

static int run(struct group *g, struct ocp_opts *o)
{
	struct ocp *ocp = g->ocp;
	char *list = NULL;
	size_t len = 0;
	int err = set_up(g, o), status;

	ocp->workers = opts_jobs(o);
	ocp->root = geteuid() == 0;
	ocp->umask = umask(0);
	umask(ocp->umask);
	ocp_block_usr1();
	ocp->progress = progress_new(o->dry_run ? WHEN_NEVER : o->progress, ocp->workers);
	ocp->report = err ? NULL : report_new(o, ocp->progress);
	if (group_worst(g, ocp->report ? 0 : -EINVAL))
		return EXIT_FAILURE;
	if (g->rank)
		report_collect(ocp->report);
	ocp->stop = ocp_signals();
	report_stops(ocp->report, ocp->stop);
	ocp->ns = cr_ns_new();
	settle_target(g, o);
	cr_ns_free(ocp->ns);
	ocp->ns = NULL;
	err = first_step(g, &list, &len);
	progress_free(ocp->progress);
	ocp->progress = NULL;
	group_check(g);
	large_files(g, list, len, err);
	status = finish(g);
	free(list);
	free(g->list);
	free(g->files);
	return status;
}

int main(int argc, char **argv)
{
	struct ocp_opts o = {0};
	struct ocp ocp = {.o = &o};
	struct group g = {.o = &o, .ocp = &ocp};
	int got, status;

	setlocale(LC_ALL, "");
	if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &got) != MPI_SUCCESS)
		return EXIT_FAILURE;
	MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
	MPI_Comm_rank(MPI_COMM_WORLD, &g.rank);
	MPI_Comm_size(MPI_COMM_WORLD, &g.size);
	status = parse(&g, &o, argc, argv);
	if (status < 0)
		status = run(&g, &o);
	opts_free(&o);
	free(g.args);
	free(g.manifest);
	MPI_Finalize();
	return status;
}
