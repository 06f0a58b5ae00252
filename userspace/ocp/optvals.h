/* SPDX-License-Identifier: GPL-2.0-or-later */
/* optvals.h - values of options: words, lists, numbers, with cp's messages. */
#ifndef OCP_OPTVALS_H
#define OCP_OPTVALS_H

/* A word an option takes; a list of them ends with a NULL name. */
struct word {
	const char *name;
	int value;
};

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

#endif
