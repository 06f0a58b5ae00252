// SPDX-License-Identifier: GPL-2.0-or-later
/* rules.c - the rules of the fault room: from text, and what they say about a call. */
#include <errno.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fs/fault/fault.h"

#define RULES_MAX   64
#define TEXT_MAX    4096
#define GLOB_MAX    64
#define ERRNO_MAX   133 /* EHWPOISON, the last one of Linux */
#define DELAY_MAX   ((uint64_t)3600000)
#define MS_PER_S    1000
#define NS_PER_MS   1000000
#define NUMBER_BASE 10

enum when { WHEN_AT, WHEN_FROM, WHEN_EVERY };
enum action { DO_ERRNO, DO_SHORT, DO_DELAY, DO_SIGNAL, DO_FLIP };

struct rule {
	enum fault_method method;
	char glob[GLOB_MAX]; /* empty: any name */
	enum when when;
	uint64_t n;
	enum action action;
	uint64_t arg;
	atomic_uint_fast64_t calls;
};

struct fault_set {
	struct fault_set *next;
	unsigned count;
	struct rule rules[RULES_MAX];
	size_t len;
	char text[];
};

#define FAULT_NAME(name) #name,
static const char *const method_names[FAULT_ANY] = {FAULT_METHODS(FAULT_NAME)};

static bool word_is(const char *word, size_t len, const char *name)
{
	return strlen(name) == len && !memcmp(word, name, len);
}

static int parse_method(const char *word, size_t len, struct rule *rule)
{
	unsigned m = 0;

	if (word_is(word, len, "*")) {
		rule->method = FAULT_ANY;
		return 0;
	}
	while (m < FAULT_ANY && !word_is(word, len, method_names[m]))
		m++;
	rule->method = m;
	return m < FAULT_ANY ? 0 : -EINVAL;
}

/* Digits at *at: at least one, and a sane number. */
static int parse_number(const char **at, const char *end, uint64_t *n)
{
	const char *start = *at;

	*n = 0;
	for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
		if (*n > INT64_MAX / NUMBER_BASE - 1)
			return -EINVAL;
		*n = *n * NUMBER_BASE + (uint64_t)(**at - '0');
	}
	return *at > start ? 0 : -EINVAL;
}

/* N, N+ or N*. */
static int parse_when(const char *word, size_t len, struct rule *rule)
{
	const char *at = word, *end = word + len;
	int err = parse_number(&at, end, &rule->n);

	if (err || !rule->n || end - at > 1)
		return -EINVAL;
	if (at == end)
		rule->when = WHEN_AT;
	else if (*at == '+')
		rule->when = WHEN_FROM;
	else if (*at == '*')
		rule->when = WHEN_EVERY;
	else
		return -EINVAL;
	return 0;
}

static int parse_errno(const char *word, size_t len, struct rule *rule)
{
	for (int e = 1; e <= ERRNO_MAX; e++) {
		const char *name = strerrorname_np(e);

		if (name && word_is(word, len, name)) {
			rule->action = DO_ERRNO;
			rule->arg = (uint64_t)e;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_action(const char *word, size_t len, struct rule *rule)
{
	static const struct {
		const char *name;
		enum action action;
		uint64_t arg;
	} words[] = {
		{"kill", DO_SIGNAL, SIGKILL},	{"int", DO_SIGNAL, SIGINT},
		{"term", DO_SIGNAL, SIGTERM},	{"hup", DO_SIGNAL, SIGHUP},
		{"usr1", DO_SIGNAL, SIGUSR1},	{"flip", DO_FLIP, 0},
		{"short", DO_SHORT, INT64_MAX}, {"delay", DO_DELAY, DELAY_MAX},
	};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t n = strlen(words[i].name);
		bool number = words[i].action == DO_SHORT || words[i].action == DO_DELAY;
		const char *at = word + n;

		if (len < n || memcmp(word, words[i].name, n) != 0 || (!number && len > n))
			continue;
		rule->action = words[i].action;
		rule->arg = words[i].arg;
		if (!number)
			return 0;
		if (parse_number(&at, word + len, &rule->arg) || at != word + len)
			return -EINVAL;
		return rule->arg > words[i].arg ? -EINVAL : 0;
	}
	return parse_errno(word, len, rule);
}

/* METHOD[(GLOB)][@WHEN]=ACTION */
static int parse_rule(const char *word, size_t len, struct rule *rule)
{
	const char *eq = memchr(word, '=', len), *at, *open, *end;
	int err;

	if (!eq)
		return -EINVAL;
	end = eq;
	at = memchr(word, '@', (size_t)(end - word));
	rule->when = WHEN_FROM;
	rule->n = 1;
	if (at && parse_when(at + 1, (size_t)(end - at - 1), rule))
		return -EINVAL;
	end = at ? at : end;
	open = memchr(word, '(', (size_t)(end - word));
	if (open) {
		size_t n = (size_t)(end - open);

		if (n < 2 || n - 2 >= GLOB_MAX || end[-1] != ')')
			return -EINVAL;
		memcpy(rule->glob, open + 1, n - 2);
		end = open;
	}
	err = parse_method(word, (size_t)(end - word), rule);
	return err ? err : parse_action(eq + 1, (size_t)(word + len - eq - 1), rule);
}

int fault_set_parse(const char *text, size_t len, struct fault_set **setp)
{
	struct fault_set *set;
	size_t at = 0;
	int err = 0;

	if (len > TEXT_MAX)
		return -EINVAL;
	set = calloc(1, sizeof(*set) + len);
	if (!set)
		return -ENOMEM;
	memcpy(set->text, text, len);
	set->len = len;
	while (at < len && !err) {
		const char *comma = memchr(text + at, ',', len - at);
		size_t n = comma ? (size_t)(comma - text) - at : len - at;

		if (set->count == RULES_MAX)
			err = -EINVAL;
		else
			err = parse_rule(text + at, n, &set->rules[set->count++]);
		at += n + 1;
	}
	if (err) {
		free(set);
		return err;
	}
	*setp = set;
	return 0;
}

bool fault_set_is(const struct fault_set *set, const char *text, size_t len)
{
	return set->len == len && !memcmp(set->text, text, len);
}

struct fault_set **fault_set_next(struct fault_set *set)
{
	return &set->next;
}

/* Counts the call; true when the rule is about this one. */
static bool rule_due(struct rule *rule, enum fault_method method, const char *name)
{
	uint64_t call;

	if (rule->method != method && rule->method != FAULT_ANY)
		return false;
	if (rule->glob[0] && fnmatch(rule->glob, name, 0) != 0)
		return false;
	call = atomic_fetch_add(&rule->calls, 1) + 1;
	switch (rule->when) {
	case WHEN_AT:
		return call == rule->n;
	case WHEN_FROM:
		return call >= rule->n;
	case WHEN_EVERY:
		return call % rule->n == 0;
	}
	return false;
}

/* The whole time, whatever signals come: slow storage does not hear them. */
static void wait_ms(uint64_t ms)
{
	struct timespec left = {
		.tv_sec = (time_t)(ms / MS_PER_S),
		.tv_nsec = (long)(ms % MS_PER_S) * NS_PER_MS,
	};

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

struct fault_hit fault_hit(struct fault_set *set, enum fault_method method, const char *name)
{
	struct fault_hit hit = {.max = UINT64_MAX};

	for (unsigned i = 0; i < set->count; i++) {
		struct rule *rule = &set->rules[i];

		if (!rule_due(rule, method, name))
			continue;
		switch (rule->action) {
		case DO_ERRNO:
			hit.err = hit.err ? hit.err : -(int)rule->arg;
			break;
		case DO_SHORT:
			hit.max = rule->arg < hit.max ? rule->arg : hit.max;
			break;
		case DO_DELAY:
			wait_ms(rule->arg);
			break;
		case DO_SIGNAL: /* to the process: a worker may block signals */
			kill(getpid(), (int)rule->arg);
			break;
		case DO_FLIP:
			hit.flip = true;
			break;
		}
	}
	if (hit.err && hit.max == UINT64_MAX)
		hit.max = 0;
	return hit;
}
