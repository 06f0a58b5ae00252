/* SPDX-License-Identifier: GPL-2.0-or-later */
/* optvals.h - values of options: words, lists, numbers, with cp's messages. */
#ifndef OCP_OPTVALS_H
#define OCP_OPTVALS_H

#include <stdint.h>

/* A word an option takes; a list of them ends with a NULL name. */
struct word {
	const char *name;
	int value;
};

/** put_quoted - a word, not a name, in the quotes of the locale, on standard error */
void put_quoted(const char *text);

/**
 * word_match - the value of @arg among @words, which may be shortened
 * @option: for the message
 *
 * Words of equal value are one meaning, so "ye" is no doubt between two of them.
 * Return: 0 and *@value, or -1 after the message that lists the words.
 */
int word_match(const char *option, const char *arg, const struct word *words, int *value);

/**
 * word_mask - the OR of 1 << value over a comma list
 * Return: 0 and *@mask, or -1 after a message.
 */
int word_mask(const char *option, const char *arg, const struct word *words, unsigned *mask);

/** number_match - a decimal from 1 to @max; 0 and *@value, or -1 after "invalid @what: 'arg'" */
int number_match(const char *what, const char *arg, unsigned max, unsigned *value);

/**
 * rate_match - bytes a second as rsync's --bwlimit has it
 *
 * A number, perhaps with a fraction, and B, K or KiB (1024), KB (1000), M, G, T
 * alike; without a unit it is K.  0 is no limit.
 * Return: 0 and *@value, or -1 after a message.
 */
int rate_match(const char *what, const char *arg, uint64_t *value);

/** shard_match - "I/N" with 1 <= I <= N; 0, or -1 after a message */
int shard_match(const char *arg, unsigned *shard, unsigned *shards);

/** ioprio_match - idle, best-effort or realtime, with :LEVEL 0 to 7; as rate_match() */
int ioprio_match(const char *option, const char *arg, int *value);

#endif
