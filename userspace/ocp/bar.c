/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bar.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "size.h"

#define CELLS	       20u
#define NAME_MAX_CHARS 255u

/* A text that grows to the right and stops at its end. */
struct out {
	char *text;
	size_t size, len;
};

static void __attribute__((format(printf, 2, 3))) put(struct out *out, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(out->text + out->len, out->size - out->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		out->len += (size_t)n < out->size - out->len ? (size_t)n : out->size - out->len - 1;
}

static void put_cells(struct out *out, unsigned percent, unsigned cells)
{
	unsigned full = percent * cells / 100;

	put(out, "[%.*s%*s] %u%%  ", (int)full, "####################", (int)(cells - full), "",
	    percent);
}

static void put_time(struct out *out, uint64_t seconds)
{
	if (seconds >= 100 * 3600)
		put(out, " days left");
	else if (seconds >= 3600)
		put(out, " %u:%02u:%02u left", (unsigned)(seconds / 3600),
		    (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
	else
		put(out, " %u:%02u left", (unsigned)(seconds / 60), (unsigned)(seconds % 60));
}

/* Characters of @name in @wide, what cannot be shown as '?'. */
static size_t decode(const char *name, wchar_t *wide)
{
	mbstate_t state = {0};
	size_t len = strlen(name), n, count = 0;

	for (; len && count < NAME_MAX_CHARS; name += n, len -= n, count++) {
		n = mbrtowc(&wide[count], name, len, &state);
		if (n > len) { /* no character, or cut off */
			memset(&state, 0, sizeof(state));
			n = 1;
			wide[count] = L'?';
		} else if (wcwidth(wide[count]) < 0) {
			wide[count] = L'?';
		}
	}
	return count;
}

/* Where the tail of at most @columns columns begins. */
static size_t tail(const wchar_t *wide, size_t count, unsigned columns)
{
	unsigned used = 0;

	while (count) {
		used += (unsigned)wcwidth(wide[count - 1]);
		if (used > columns)
			break;
		count--;
	}
	return count;
}

/* The end of @name, since paths differ there; dots for what is lost. */
static void put_name(struct out *out, const char *name, unsigned columns)
{
	wchar_t wide[NAME_MAX_CHARS];
	char one[MB_LEN_MAX];
	mbstate_t state = {0};
	size_t len = strlen(name), count, first;
	bool cut = len > NAME_MAX_CHARS;

	if (cut)
		name += len - NAME_MAX_CHARS;
	count = decode(name, wide);
	first = tail(wide, count, columns);
	cut |= first > 0;
	if (cut) {
		first = tail(wide, count, columns > 3 ? columns - 3 : 0);
		put(out, "...");
	}
	for (; first < count; first++) {
		size_t n = wcrtomb(one, wide[first], &state);

		if (n <= sizeof(one))
			put(out, "%.*s", (int)n, one);
	}
}

size_t bar_line(const struct bar *bar, unsigned columns, char *text, size_t size)
{
	struct out out = {text, size, 0};
	char a[SIZE_TEXT], b[SIZE_TEXT];
	uint64_t left = bar->total > bar->done ? bar->total - bar->done : 0;

	*text = '\0';
	if (bar->total) {
		double share = (double)bar->done / (double)bar->total;

		put_cells(&out, share >= 1 ? 100 : (unsigned)(share * 100),
			  columns < 100 ? CELLS / 2 : CELLS);
		put(&out, "%s of %s", size_text(bar->done, a), size_text(bar->total, b));
	} else {
		put(&out, "%s", size_text(bar->done, a));
		if (bar->files)
			put(&out, "  %" PRIu64 " %s", bar->files,
			    bar->files == 1 ? "file" : "files");
	}
	if (bar->rate)
		put(&out, " %s/s", size_text(bar->rate, a));
	if (bar->rate && left)
		put_time(&out, left / bar->rate);
	if (*bar->strategy)
		put(&out, "  %s", bar->strategy);
	if (bar->percent >= 0)
		put(&out, "  %d%% of", bar->percent);
	/* All so far is ASCII: a byte is a column. */
	if (out.len > columns) {
		out.len = columns;
		text[out.len] = '\0';
	}
	if (*bar->name && out.len + 2 + 8 <= columns) {
		put(&out, "%s", bar->percent >= 0 ? " " : "  ");
		put_name(&out, bar->name, columns - (unsigned)out.len);
	}
	return out.len;
}
