// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ocp-target: files as LUNs of a software array.
 *
 *	server.c	one thread: connections, sessions, tasks; sockets only
 *	conn.c		bytes <-> PDUs; pdu.c, login.c, command.c, manage.c: what PDUs mean
 *	cmd.c		one SCSI command, checked by its row of cmd_table.c, then done by
 *	spc.c, sbc.c, provisioning.c, mode.c, pr.c, tpc.c, tokens.c
 *	lu.c		a file as a logical unit, on workers; copies are cr_copy_range()
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "iscsi.h"
#include "lu.h"
#include "options.h"

#define DEFAULT_LISTEN "127.0.0.1:3260"
#define PHYSICAL_4K    3
#define MEMORY_KEPT    (64 << 20)
#define SECRET_MIN     12 /* RFC 7143, 9.2.1: 96 bits */

/* What was the matter with @where. */
static int fail(const char *where, const char *what, const char *why)
{
	fprintf(stderr, "ocp-target: %s: %s%s%s\n", where, what, *what && *why ? ": " : "", why);
	return -EINVAL;
}

/* Secrets
 * ------------------------------------------------------------------------------------------ */

static int read_secret(const char *file, char *secret, size_t room, const char **why)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0) {
		*why = strerror(errno);
		if (fd >= 0)
			close(fd);
		return -EINVAL;
	}
	n = read(fd, secret, room - 1);
	close(fd);
	*why = n < 0 ? strerror(errno) : NULL;
	while (n > 0 && isspace((unsigned char)secret[n - 1]))
		n--;
	if (!*why && (st.st_mode & 077))
		*why = "others than its owner may read it: chmod 600 it";
	else if (!*why && (n < SECRET_MIN || n >= (ssize_t)room - 1))
		*why = "a secret has 12 to 254 bytes";
	secret[n > 0 ? n : 0] = 0;
	return *why ? -EINVAL : 0;
}

static int set_auth(struct auth *auth, const struct setting *set)
{
	const char *colon = strchr(set->value, ':'), *why;

	if (!colon || colon == set->value || (size_t)(colon - set->value) >= sizeof(auth->user))
		return fail(set->where, set->value, "not USER:FILE");
	memcpy(auth->user, set->value, (size_t)(colon - set->value));
	auth->user[colon - set->value] = 0;
	if (read_secret(colon + 1, auth->secret, sizeof(auth->secret), &why))
		return fail(set->where, colon + 1, why);
	return 0;
}

/* LUNs
 * --------------------------------------------------------------------------------------------- */

/* A number with one of K, M, G, T behind it. */
static bool parse_size(const char *text, uint64_t *size)
{
	static const char units[] = "KMGT";
	const char *unit;
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || errno || (*end && end[1]))
		return false;
	unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
	if (*end && !unit)
		return false;
	for (const char *u = units; unit && u <= unit; u++) {
		if (n > INT64_MAX / 1024)
			return false;
		n *= 1024;
	}
	*size = n;
	return n && n % BLOCK == 0 && n <= INT64_MAX;
}

/* Cuts ",size=...", ",physical=..." and ",ro" off its end; what is left is the file. */
static bool parse_lun(char *text, struct lun_spec *spec)
{
	char *end, *comma;
	unsigned long n = strtoul(text, &end, 10);

	*spec = (struct lun_spec){.number = (unsigned)n, .physical = PHYSICAL_4K};
	if (!isdigit((unsigned char)*text) || *end != '=' || n > 16383)
		return false;
	spec->file = end + 1;
	while ((comma = strrchr(spec->file, ','))) {
		if (!strcmp(comma, ",ro"))
			spec->ro = true;
		else if (!strcmp(comma, ",physical=512"))
			spec->physical = 0;
		else if (!strcmp(comma, ",physical=4096"))
			spec->physical = PHYSICAL_4K;
		else if (strncmp(comma, ",size=", 6) != 0)
			break;
		else if (!parse_size(comma + 6, &spec->size))
			return false;
		*comma = 0;
	}
	return *spec->file;
}

static int add_lun(struct target *target, const struct setting *set)
{
	struct lun_spec spec;
	char why[256];

	if (!target)
		return fail(set->where, set->value, "name a target before its LUNs");
	if (!parse_lun(set->value, &spec))
		return fail(
			set->where, set->value,
			"not N=FILE[,size=SIZE][,physical=512][,ro]; SIZE is a multiple of 512");
	return target_add_lun(target, &spec, why, sizeof(why)) ? fail(set->where, spec.file, why)
							       : 0;
}

static int add_target(struct server *s, const struct setting *set, struct target **target)
{
	int err = target_add(&s->engine, set->value, target);

	if (err == -EINVAL)
		return fail(set->where, set->value,
			    "not an iSCSI name such as iqn.2026-11.org.example:disk");
	return err ? fail(set->where, set->value, strerror(-err)) : 0;
}

static int configure(struct server *s, const struct options *o)
{
	struct target *target = NULL;
	int err = 0;

	for (unsigned i = 0; i < o->n && !err; i++) {
		if (o->set[i].option == SET_TARGET)
			err = add_target(s, &o->set[i], &target);
		else if (o->set[i].option == SET_LUN)
			err = add_lun(target, &o->set[i]);
		else if (o->set[i].option == SET_CHAP)
			err = set_auth(&s->in, &o->set[i]);
		else if (o->set[i].option == SET_CHAP_MUTUAL)
			err = set_auth(&s->out, &o->set[i]);
	}
	if (!err && !s->engine.targets)
		err = fail("nothing to serve", "give --target and --lun", "");
	if (!err && *s->out.user && !*s->in.user)
		err = fail("--chap-mutual", "it needs --chap", "");
	/* RFC 7143, 9.2.1: else an answer to one challenge is an answer to the other. */
	if (!err && *s->out.user && !strcmp(s->in.secret, s->out.secret))
		err = fail("--chap-mutual", "the two secrets have to differ", "");
	return err;
}

static int list(const struct server *s)
{
	for (const struct target *t = s->engine.targets; t; t = t->next) {
		printf("%s\n", t->name);
		for (unsigned i = 0; i < t->n; i++)
			printf("    %u  %" PRIu64 " bytes  %s  %s%s\n", t->lun[i].number,
			       t->lun[i].lu->blocks * BLOCK, t->lun[i].lu->serial,
			       t->lun[i].lu->name, t->lun[i].ro ? "  (read-only)" : "");
	}
	return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Serving
 * ------------------------------------------------------------------------------------------- */

static int listen_all(struct server *s, const struct options *o, char *text, size_t room)
{
	size_t len = 0;
	int err = 0;

	for (unsigned i = 0; i < o->n || !s->n_listen; i++) {
		const char *address = i < o->n ? o->set[i].value : DEFAULT_LISTEN, *why;
		char where[80];

		if (i < o->n && o->set[i].option != SET_LISTEN)
			continue;
		err = server_listen(s, address, where, sizeof(where), &why);
		if (err)
			return fail(i < o->n ? o->set[i].where : "--listen", address,
				    why ? why : strerror(-err));
		len += (size_t)snprintf(text + len, room - len, " %s", where);
		if (len >= room)
			len = room - 1;
	}
	return 0;
}

static void copied(void *arg, const struct copy_result *res)
{
	char line[512];
	int len = 0;

	for (unsigned i = 0; i < COPY_STRATEGIES; i++)
		if (res->by[i].bytes)
			len += snprintf(line + len, sizeof(line) - (size_t)len,
					" %s %" PRIu64 " bytes (%" PRIu64 " read)",
					copy_strategy_name(i), res->by[i].bytes, res->by[i].moved);
	fprintf(stderr, "ocp-target: copied:%s\n", len ? line : " nothing");
}

/* From here on nobody waits for us but through the network. */
static void leave_terminal(int ready)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		close(null);
	}
	if (write(ready, "", 1) != 1)
		exit(EXIT_FAILURE);
	close(ready);
}

static int serve(struct server *s, const struct options *o, int ready)
{
	char where[1024];
	int err = listen_all(s, o, where, sizeof(where));

	if (err)
		return err;
	err = server_init(s);
	if (err)
		return fail("cannot serve", "", strerror(-err));
	if (o->verbose)
		s->engine.copied = copied;
	fprintf(stderr, "ocp-target: serving on%s\n", where);
	if (ready >= 0)
		leave_terminal(ready);
	err = server_run(s);
	server_end(s);
	return err;
}

static int run(const struct options *o, int ready)
{
	struct server *s = calloc(1, sizeof(*s));
	const char *state = NULL;
	char why[512] = "";
	int err;

	if (!s)
		return EXIT_FAILURE;
	s->verbose = o->verbose;
	for (unsigned i = 0; i < o->n; i++)
		if (o->set[i].option == SET_STATE)
			state = o->set[i].value;
	err = engine_init(&s->engine, state, why, sizeof(why));
	if (err) {
		fail(state ? "--state" : "cannot begin", "", why);
	} else {
		err = configure(s, o);
		if (!err)
			err = o->list ? list(s) : serve(s, o, ready);
		engine_end(&s->engine);
	}
	free(s);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* The parent ends when the child serves, or with it. */
static int in_background(const struct options *o)
{
	int ready[2], status;
	char byte;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0) {
		perror("ocp-target: pipe");
		return EXIT_FAILURE;
	}
	pid = fork();
	if (pid < 0) {
		perror("ocp-target: fork");
		return EXIT_FAILURE;
	}
	if (!pid) {
		close(ready[0]);
		setsid();
		return run(o, ready[1]);
	}
	close(ready[1]);
	status = read(ready[0], &byte, 1) == 1 ? EXIT_SUCCESS : EXIT_FAILURE;
	close(ready[0]);
	return status;
}

/*
 * Buffers of large commands come and go: pages that are given back to the system cost as much, when
 * they are had anew, as copying the data that they are for.
 */
static void keep_memory(void)
{
	mallopt(M_MMAP_THRESHOLD, TRANSFER_MAX);
	mallopt(M_TRIM_THRESHOLD, MEMORY_KEPT);
}

int main(int argc, char **argv)
{
	struct options o;
	int status = options_parse(&o, argc, argv);

	keep_memory();
	if (status < 0)
		status = o.foreground || o.list ? run(&o, -1) : in_background(&o);
	options_free(&o);
	return status;
}
