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

/* "1.0 GiB of 2.0 GiB  3 of 10 files", as far as it is known. */
static void put_amount(struct out *out, const struct bar *bar)
{
	const char *of = bar->counted ? "of" : "of at least";
	char a[SIZE_TEXT], b[SIZE_TEXT];

	put(out, "%s", size_text(bar->done, a));
	if (bar->total && (bar->counted || bar->total > bar->done))
		put(out, " %s %s", of, size_text(bar->total, b));
	if (bar->all_files > 1 && (bar->counted || bar->all_files > bar->files))
		put(out, "  %" PRIu64 " of %" PRIu64 " files", bar->files, bar->all_files);
	else if (bar->files && !(bar->counted && bar->all_files < 2))
		put(out, "  %" PRIu64 " %s", bar->files, bar->files == 1 ? "file" : "files");
}

/* A single file is its bytes. */
static uint64_t work(const struct bar *bar, uint64_t bytes, uint64_t files)
{
	return bar_work(bytes, bar->all_files > 1 ? files : 0);
}

static void put_share(struct out *out, const struct bar *bar, unsigned columns)
{
	uint64_t done = work(bar, bar->done, bar->files);
	uint64_t all = work(bar, bar->total, bar->all_files);

	put_cells(out, done >= all ? 100 : (unsigned)((double)done / (double)all * 100),
		  columns < 100 ? CELLS / 2 : CELLS);
}

/* Seconds until the end as it goes now, and one more; 0: nobody knows. */
static uint64_t time_left(const struct bar *bar)
{
	uint64_t done = work(bar, bar->done, bar->files);
	uint64_t all = work(bar, bar->total, bar->all_files);
	uint64_t rate = bar->left_rate ? bar->left_rate : bar->rate;

	if (bar->all_files > 1)
		rate = bar->work_rate;

	return bar->counted && rate && all > done ? (all - done) / rate + 1 : 0;
}

size_t bar_line(const struct bar *bar, unsigned columns, char *text, size_t size)
{
	struct out out = {text, size, 0};
	uint64_t left = time_left(bar);
	char rate[SIZE_TEXT];

	*text = '\0';
	if (bar->counted && (bar->total || bar->all_files))
		put_share(&out, bar, columns);
	put_amount(&out, bar);
	if (bar->rate)
		put(&out, " %s/s", size_text(bar->rate, rate));
	if (left)
		put_time(&out, left - 1);
	if (*bar->strategy)
		put(&out, "  %s", bar->strategy);
	/* All or nothing is what the strategy says. */
	if (bar->offloaded > 0 && bar->offloaded < 100)
		put(&out, "  %d%% offloaded", bar->offloaded);
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
