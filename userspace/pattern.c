// SPDX-License-Identifier: GPL-2.0-or-later
#include "pattern.h"

#include <stdbool.h>

/* One byte of a set, perhaps behind a backslash; false at the end. */
static bool set_byte(struct span *p, unsigned char *byte)
{
	if (p->at < p->end && *p->at == '\\' && p->at + 1 < p->end)
		p->at++;
	if (p->at == p->end)
		return false;
	*byte = *p->at++;
	return true;
}

/*
 * The set behind '[' at p->at, and whether it has @c.  Moves p->at behind it; a set
 * without an end is no set: -1, and nothing moves.
 */
static int set_has(struct span *p, unsigned char c)
{
	struct span s = *p;
	bool not = s.at < s.end && (*s.at == '!' || *s.at == '^'), has = false, first = true;
	unsigned char from, to;

	s.at += not ;
	for (; s.at < s.end && (first || *s.at != ']'); first = false) {
		if (!set_byte(&s, &from))
			return -1;
		to = from;
		if (s.at + 1 < s.end && *s.at == '-' && s.at[1] != ']') {
			s.at++;
			if (!set_byte(&s, &to))
				return -1;
		}
		has |= c >= from && c <= to;
	}
	if (s.at == s.end)
		return -1;
	p->at = s.at + 1;
	return has != not ;
}

/* One byte of @t by what is no star; moves both. */
static bool match_one(struct span *p, struct span *t)
{
	unsigned char c = *t->at++, want = *p->at++;
	int has;

	if (want == '?')
		return c != '/';
	if (want == '[') {
		has = set_has(p, c);
		if (has >= 0)
			return has && c != '/';
	}
	if (want == '\\' && p->at < p->end)
		want = *p->at++;
	return c == want;
}

/*
 * Where to go on when a star has taken too little.  Only the last star of each kind is
 * kept: what an earlier one could take the later one can leave out as well.  A single
 * star stops at a slash, so then the last double one is asked.
 */
struct retry {
	const unsigned char *pattern, *text; /* NULL: none */
};

static bool retry(struct span *p, struct span *t, struct retry *one, struct retry *two)
{
	if (one->pattern && one->text < t->end && *one->text != '/') {
		one->text++;
		p->at = one->pattern;
		t->at = one->text;
		return true;
	}
	if (!two->pattern || two->text == t->end)
		return false;
	two->text++;
	p->at = two->pattern;
	t->at = two->text;
	*one = (struct retry){0};
	return true;
}

bool pattern_match(struct span p, struct span t)
{
	struct retry one = {0}, two = {0};

	for (;;) {
		if (p.at < p.end && *p.at == '*') {
			bool twice = p.at + 1 < p.end && p.at[1] == '*';

			while (p.at < p.end && *p.at == '*')
				p.at++;
			if (twice) {
				two = (struct retry){p.at, t.at};
				one = (struct retry){0};
			} else {
				one = (struct retry){p.at, t.at};
			}
			continue;
		}
		if (p.at == p.end && t.at == t.end)
			return true;
		if (p.at < p.end && t.at < t.end && match_one(&p, &t))
			continue;
		if (!retry(&p, &t, &one, &two))
			return false;
	}
}
