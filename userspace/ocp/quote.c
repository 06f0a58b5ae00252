/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules, found by feeding every byte to GNU cp 9.1:
 *  - 'name' as a rule;
 *  - "name" when it holds a single quote and nothing that a shell or C would
 *    see inside double quotes: only these characters are safe there;
 *  - otherwise a single quote is '\'' and a run of bytes that are not
 *    printable is '$'\t\001'' within.
 * One difference: a name that has a single quote and ends in such a run gets
 * an empty '' too many from GNU, or loses its first '$'; here it stays right.
 */
#include "quote.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

/* ASCII that may stand in "..."; # and ~ only in front. */
static bool safe_in_double(const char *name, size_t at, size_t len)
{
	unsigned char c = (unsigned char)name[at];

	if (c == '#' || c == '~')
		return !at;
	if (c == '{' || c == '}')
		return len == 1;
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
		return true;
	return c >= 0x80 || (c && strchr(" %+,-./:@]_'", c));
}

/* Bytes of the character at @at, and whether it can be shown. */
static size_t character(const char *name, size_t len, size_t at, mbstate_t *state, bool *show)
{
	wchar_t wc;
	size_t n = mbrtowc(&wc, name + at, len - at, state);

	if (n == (size_t)-1) { /* no character: this byte alone */
		memset(state, 0, sizeof(*state));
		*show = false;
		return 1;
	}
	if (n == (size_t)-2) { /* cut off: all the rest */
		*show = false;
		return len - at;
	}
	*show = wc && iswprint((wint_t)wc);
	return n ? n : 1;
}

static bool fits_double(const char *name, size_t len)
{
	mbstate_t state = {0};
	bool show, single = false;
	size_t i, n;

	for (i = 0; i < len; i += n) {
		n = character(name, len, i, &state, &show);
		if (!show || !safe_in_double(name, i, len))
			return false;
		single |= name[i] == '\'';
	}
	return single;
}

static char *put_escaped(char *to, unsigned char c)
{
	static const char letters[] = "\aa\bb\ff\nn\rr\tt\vv";
	const char *l = c ? strchr(letters, c) : NULL;

	*to++ = '\\';
	if (l && c < 0x20) {
		*to++ = l[1];
		return to;
	}
	*to++ = (char)('0' + (c >> 6));
	*to++ = (char)('0' + (c >> 3 & 7));
	*to++ = (char)('0' + (c & 7));
	return to;
}

static char *put_single(char *to, const char *name, size_t len)
{
	mbstate_t state = {0};
	bool show, in_escape = false;
	size_t i, n;

	*to++ = '\'';
	for (i = 0; i < len; i += n) {
		n = character(name, len, i, &state, &show);
		if (!show && !in_escape) {
			to = mempcpy(to, "'$'", 3);
			in_escape = true;
		}
		if (!show) {
			for (size_t k = 0; k < n; k++)
				to = put_escaped(to, (unsigned char)name[i + k]);
			continue;
		}
		if (name[i] == '\'') {
			to = mempcpy(to, "'\\''", 4);
			in_escape = false;
			continue;
		}
		if (in_escape)
			to = mempcpy(to, "''", 2);
		in_escape = false;
		to = mempcpy(to, name + i, n);
	}
	*to++ = '\'';
	return to;
}

char *quote_name_n(const char *name, size_t len)
{
	/* The worst byte: \001 between two that show, 3 + 4 + 2. */
	char *text, *to;

	if (len > (SIZE_MAX - 3) / 9)
		return NULL;
	text = malloc(len * 9 + 3);
	if (!text)
		return NULL;
	if (fits_double(name, len)) {
		text[0] = '"';
		to = mempcpy(text + 1, name, len);
		*to++ = '"';
	} else {
		to = put_single(text, name, len);
	}
	*to = '\0';
	return text;
}

char *quote_name(const char *name)
{
	return quote_name_n(name, strlen(name));
}

/* Nothing in it means anything to a shell, nor ends the name in "NAME: message". */
static bool plain(const char *name)
{
	mbstate_t state = {0};
	size_t len = strlen(name), i, n;
	bool show;

	for (i = 0; i < len; i += n) {
		n = character(name, len, i, &state, &show);
		if (!show || strchr(" !\"$&'()*:;<=>?[\\^`|", name[i]))
			return false;
	}
	if (strchr("{}", *name) && len == 1)
		return false;
	return len && !strchr("#~", *name);
}

char *quote_needed(const char *name)
{
	return plain(name) ? strdup(name) : quote_name(name);
}
