// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * codec - what decoding and encoding btrfs extents costs
 *
 *	tar cf t.tar /usr/share/perl /usr/bin; make bench; build/bench/codec t.tar
 *
 * Cuts up to 32 MiB of the file into extents of 128 KiB, encodes those that
 * shrink and decodes them again, in memory, one thread; CPU time of the fastest
 * of three rounds.  zlib(3) runs beside our zlib codec because it was the other
 * candidate.  Debian 12 (libdeflate 1.14, zlib 1.2.13, libzstd 1.5.4, lzo2 2.10)
 * on two shared cores, MB/s of plain bytes; compare lines, not machines:
 *
 *	                 level    size      encode      decode
 *	zlib library         1   36.9%          79         225
 *	zlib library         3   35.3%          59         240
 *	zlib library         6   32.9%          27         247
 *	zlib library         9   32.6%           9         251
 *	codec zlib           1   35.3%         166         637
 *	codec zlib           3   33.7%         109         636
 *	codec zlib           6   32.3%          67         653
 *	codec zlib           9   32.0%          17         655
 *	  fresh context      3   33.7%         107         627
 *	codec zstd           1   35.5%         278        1017
 *	codec zstd           3   33.7%         209        1049
 *	codec zstd           9   31.0%          51        1051
 *	  fresh context      3   33.7%         201         885
 *	codec lzo 4K         0   53.8%         422         541
 *	  fresh context      0   53.8%         423         529
 *
 * So libdeflate: 2.6 times as fast in decoding, 1.8 to 2.5 times in encoding,
 * and smaller at each level.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "lib/codec.h"

#define EXTENT	 ENCODED_MAX
#define FILE_MAX ((size_t)32 << 20)
#define ROUNDS	 3
#define NSEC	 1000000000ull

/* One extent of the file and what became of it. */
struct extent {
	const uint8_t *plain;
	size_t plain_len;
	uint8_t *payload;
	int payload_len; /* 0: did not shrink */
};

struct bench {
	struct extent *extents;
	size_t n;
	struct codec_ctx *ctx;
	uint8_t *scratch;
};

struct way {
	const char *name;
	uint32_t compression; /* ENCODED_NONE: zlib, by zlib itself */
	int level;
	bool fresh; /* a new context for each call */
};

static const struct way ways[] = {
	{"zlib library", ENCODED_NONE, 1, false},     {"zlib library", ENCODED_NONE, 3, false},
	{"zlib library", ENCODED_NONE, 6, false},     {"zlib library", ENCODED_NONE, 9, false},
	{"codec zlib", ENCODED_ZLIB, 1, false},	      {"codec zlib", ENCODED_ZLIB, 3, false},
	{"codec zlib", ENCODED_ZLIB, 6, false},	      {"codec zlib", ENCODED_ZLIB, 9, false},
	{"  fresh context", ENCODED_ZLIB, 3, true},   {"codec zstd", ENCODED_ZSTD, 1, false},
	{"codec zstd", ENCODED_ZSTD, 3, false},	      {"codec zstd", ENCODED_ZSTD, 9, false},
	{"  fresh context", ENCODED_ZSTD, 3, true},   {"codec lzo 4K", ENCODED_LZO_4K, 0, false},
	{"  fresh context", ENCODED_LZO_4K, 0, true},
};

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NSEC + (uint64_t)ts.tv_nsec;
}

static int zlib_encode(const struct extent *e, int level)
{
	uLongf n = e->plain_len > 4096 ? e->plain_len - 4096 : 0;

	return compress2(e->payload, &n, e->plain, e->plain_len, level) == Z_OK ? (int)n : -E2BIG;
}

static int zlib_decode(const struct extent *e, uint8_t *out)
{
	uLongf n = e->plain_len;

	if (uncompress(out, &n, e->payload, (uLong)e->payload_len) != Z_OK)
		return -EUCLEAN;
	return (int)n;
}

static int encode(struct bench *b, const struct way *w, struct extent *e)
{
	const struct iovec in = {(void *)e->plain, e->plain_len}, out = {e->payload, EXTENT};

	if (w->compression == ENCODED_NONE)
		return zlib_encode(e, w->level);
	return codec_encode(w->fresh ? NULL : b->ctx, w->compression, w->level, &in, &out);
}

static int decode(struct bench *b, const struct way *w, const struct extent *e)
{
	const struct iovec in = {e->payload, (size_t)e->payload_len}, out = {b->scratch, EXTENT};

	if (w->compression == ENCODED_NONE)
		return zlib_decode(e, b->scratch);
	return codec_decode(w->fresh ? NULL : b->ctx, w->compression, &in, &out);
}

static void encode_all(struct bench *b, const struct way *w)
{
	for (size_t i = 0; i < b->n; i++) {
		int ret = encode(b, w, &b->extents[i]);

		b->extents[i].payload_len = ret < 0 ? 0 : ret;
	}
}

static void decode_all(struct bench *b, const struct way *w)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct extent *e = &b->extents[i];

		if (!e->payload_len)
			continue;
		if (decode(b, w, e) != (int)e->plain_len) {
			fprintf(stderr, "codec: %s: extent %zu does not come back\n", w->name, i);
			exit(1);
		}
	}
}

/* The fastest of the rounds, in nanoseconds. */
static uint64_t best(struct bench *b, const struct way *w,
		     void (*run)(struct bench *, const struct way *))
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t start = now(), took;

		run(b, w);
		took = now() - start;
		least = took < least ? took : least;
	}
	return least;
}

static void report(struct bench *b, const struct way *w)
{
	uint64_t encode_ns, decode_ns, plain = 0, shrunk = 0, payload = 0;

	if (w->compression != ENCODED_NONE && !codec_name(w->compression))
		return;
	encode_ns = best(b, w, encode_all);
	decode_ns = best(b, w, decode_all);
	for (size_t i = 0; i < b->n; i++) {
		const struct extent *e = &b->extents[i];

		plain += e->plain_len;
		shrunk += e->payload_len ? e->plain_len : 0;
		payload += e->payload_len ? (uint64_t)e->payload_len : e->plain_len;
	}
	printf("%-16s %5d  %5.1f%%  %10.0f  %10.0f\n", w->name, w->level,
	       100.0 * (double)payload / (double)plain, (double)plain * 1000 / (double)encode_ns,
	       (double)shrunk * 1000 / (double)decode_ns);
}

static uint8_t *load(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *data;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st)) {
		fprintf(stderr, "codec: %s: open: %s\n", path, strerror(errno));
		exit(1);
	}
	*len = (uint64_t)st.st_size < FILE_MAX ? (size_t)st.st_size : FILE_MAX;
	data = malloc(*len + 1);
	n = data ? pread(fd, data, *len, 0) : -1;
	close(fd);
	if (n <= 0 || (size_t)n != *len) {
		fprintf(stderr, "codec: %s: read: %s\n", path, n ? strerror(errno) : "empty");
		exit(1);
	}
	return data;
}

static void cut(struct bench *b, const uint8_t *data, size_t len, uint8_t *payloads)
{
	for (size_t i = 0; i < b->n; i++) {
		size_t at = i * EXTENT;

		b->extents[i].plain = data + at;
		b->extents[i].plain_len = len - at < EXTENT ? len - at : EXTENT;
		b->extents[i].payload = payloads + at;
	}
}

static void run(struct bench *b)
{
	printf("%zu extents; MB/s of plain bytes\n", b->n);
	printf("%-16s %5s  %6s  %10s  %10s\n", "", "level", "size", "encode", "decode");
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		report(b, &ways[i]);
}

int main(int argc, char **argv)
{
	uint8_t *data, *payloads;
	struct bench b = {0};
	size_t len;
	int ret = 1;

	if (argc != 2) {
		fprintf(stderr, "usage: codec FILE\n");
		return 2;
	}
	data = load(argv[1], &len);
	b.n = (len + EXTENT - 1) / EXTENT;
	b.extents = calloc(b.n, sizeof(*b.extents));
	b.scratch = malloc(EXTENT);
	b.ctx = codec_ctx_new();
	payloads = malloc(b.n * EXTENT);
	if (b.extents && b.scratch && b.ctx && payloads) {
		cut(&b, data, len, payloads);
		run(&b);
		ret = 0;
	} else {
		fprintf(stderr, "codec: no memory\n");
	}
	codec_ctx_free(b.ctx);
	free(b.extents);
	free(b.scratch);
	free(payloads);
	free(data);
	return ret;
}
