// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each stream engine on real files: the bytes are the same whatever the range,
 * and what happens meanwhile leaves an exact count.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fixture.h"
#include "kernel/stream.h"
#include "kselftest_harness.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif
#define KIB	    ((size_t)1 << 10)
#define MIB	    ((size_t)1 << 20)
#define STREAM_ONLY (COPY_RANGE_STRATEGIES & ~COPY_RANGE_NO_STREAM)

#ifdef CONFIG_STREAM_URING
#define URING (&stream_uring)
#else
#define URING NULL
#endif
#ifdef CONFIG_STREAM_AIO
#define AIO (&stream_aio)
#else
#define AIO NULL
#endif

FIXTURE(engine)
{
	char in[300], out[300];
	struct cr_ns *ns;
	struct copy_req req;
	struct copy_result res;
	struct copy_progress progress;
	struct stream_plan plan;
	char *model[2];
	int stop;
};

FIXTURE_VARIANT(engine)
{
	const char *type;
	const struct stream_engine *engine;
	unsigned depth;
	bool direct_in, direct_out;
};

FIXTURE_VARIANT_ADD(engine, one){"ext4", &stream_threads, 1, false, false};
FIXTURE_VARIANT_ADD(engine, threads){"ext4", &stream_threads, 4, false, false};
FIXTURE_VARIANT_ADD(engine, threads_btrfs){"btrfs", &stream_threads, 3, false, false};
FIXTURE_VARIANT_ADD(engine, threads_direct){"ext4", &stream_threads, 4, true, true};
FIXTURE_VARIANT_ADD(engine, uring){"ext4", URING, 8, false, false};
FIXTURE_VARIANT_ADD(engine, uring_direct_in){"ext4", URING, 8, true, false};
FIXTURE_VARIANT_ADD(engine, uring_direct){"ext4", URING, 8, true, true};
FIXTURE_VARIANT_ADD(engine, uring_direct_xfs){"xfs", URING, 4, true, true};
FIXTURE_VARIANT_ADD(engine, uring_direct_btrfs){"btrfs", URING, 4, true, true};
FIXTURE_VARIANT_ADD(engine, uring_tmpfs){"tmpfs", URING, 4, true, true};
FIXTURE_VARIANT_ADD(engine, aio){"ext4", AIO, 8, true, true};
FIXTURE_VARIANT_ADD(engine, aio_xfs){"xfs", AIO, 4, true, true};

/* Never zero: zeros in a copy of it were not read. */
static void fill(char *buf, size_t len, uint32_t seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		buf[i] = (char)(1 + (seed >> 24) % 255);
	}
}

static int write_all(int fd, const char *buf, size_t len, off_t pos)
{
	while (len) {
		ssize_t n = pwrite(fd, buf, len, pos);

		if (n <= 0)
			return -1;
		buf += n;
		pos += n;
		len -= (size_t)n;
	}
	return 0;
}

/* A file of @len bytes and the model of it, with @room bytes. */
static char *make_file(const char *name, size_t len, size_t room, char **modelp)
{
	char *model = *modelp = malloc(room + 1);
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600), err;

	if (!model || fd < 0)
		return NULL;
	fill(model, len, (uint32_t)(len + room));
	err = write_all(fd, model, len, 0);
	close(fd);
	return err ? NULL : model;
}

static char *make_in(FIXTURE_DATA(engine) * self, size_t len)
{
	return make_file(self->in, len, len, &self->model[0]);
}

static bool file_is(const char *name, const char *model, size_t len)
{
	int fd = open(name, O_RDONLY);
	char buf[65536];
	size_t at = 0;
	ssize_t n;

	while (at < len && (n = read(fd, buf, MIN(len - at, sizeof(buf)))) > 0) {
		if (memcmp(buf, model + at, (size_t)n))
			break;
		at += (size_t)n;
	}
	close(fd);
	return at == len;
}

static size_t file_size(const char *name)
{
	struct stat st;

	return stat(name, &st) ? 0 : (size_t)st.st_size;
}

static int open_both(FIXTURE_DATA(engine) * self, int oflags)
{
	int err = cr_open(self->ns, self->in, O_RDONLY | oflags, 0, &self->req.in);

	return err ? err
		   : cr_open(self->ns, self->out, O_RDWR | O_CREAT | oflags, 0600, &self->req.out);
}

FIXTURE_SETUP(engine)
{
	const char *dir;

	if (!variant->engine)
		SKIP(return, "not in this build");
	dir = fixture_fs(variant->type, 320, NULL);
	if (!dir)
		SKIP(return, "%s", fixture_why());
	snprintf(self->in, sizeof(self->in), "%s/in", dir);
	snprintf(self->out, sizeof(self->out), "%s/out", dir);
	self->ns = cr_ns_new();
	self->req.progress = &self->progress;
	self->req.stop = &self->stop;
	self->plan = (struct stream_plan){.engine = variant->engine,
					  .depth = variant->depth,
					  .buf = 64 * KIB,
					  .direct_in = variant->direct_in,
					  .direct_out = variant->direct_out,
					  .walk = true};
}

FIXTURE_TEARDOWN(engine)
{
	cr_close(self->req.in);
	cr_close(self->req.out);
	cr_ns_free(self->ns);
	free(self->model[0]);
	free(self->model[1]);
}

/* Holes of many sizes, the last one at the end. */
static void punch_some(const char *name, char *model, size_t len, unsigned *seed)
{
	int fd = open(name, O_WRONLY);

	for (unsigned i = 0; i < 6; i++) {
		size_t pos = (size_t)rand_r(seed) % len, n = (size_t)rand_r(seed) % (300 * KIB);

		pos &= ~(size_t)4095;
		n = MIN(i ? n : len, len - pos);
		if (!i && pos < len / 2)
			continue;
		if (!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)pos,
			       (off_t)n))
			memset(model + pos, 0, n);
	}
	close(fd);
}

TEST_F(engine, copies_any_range)
{
	const size_t len = 3 * MIB + 1234, bufs[] = {4096, 64 * KIB, 132 * KIB};
	char *in = make_in(self, len), *out = make_file(self->out, len, 2 * len, &self->model[1]);
	unsigned seed = 42;

	ASSERT_TRUE(in && out);
	punch_some(self->in, in, len, &seed);
	ASSERT_EQ(0, open_both(self, 0));
	for (unsigned i = 0; i < 30; i++) {
		size_t align = (size_t[]){1, 512, 4096}[i % 3], size = file_size(self->out);
		size_t a = (size_t)rand_r(&seed) % len / align * align;
		size_t b = (size_t)rand_r(&seed) % len / align * align;
		size_t n = (size_t)rand_r(&seed) % (len - a);

		self->req.pos_in = (int64_t)a;
		self->req.pos_out = (int64_t)b;
		self->req.len = n;
		self->plan.buf = bufs[i % 3];
		memset(&self->res, 0, sizeof(self->res));
		ASSERT_EQ(0, stream_run(&self->req, &self->res, &self->plan));
		ASSERT_EQ(n, self->res.bytes);
		memcpy(out + b, in + a, n);
		ASSERT_EQ(MAX(size, b + n), file_size(self->out));
		ASSERT_TRUE(file_is(self->out, out, file_size(self->out)))
		{
			TH_LOG("round %u: %zu to %zu, %zu bytes", i, a, b, n);
		}
	}
	EXPECT_NE(0, self->res.by[COPY_STREAM].moved);
}

/* The caller's descriptors want aligned everything, the range does not have it. */
TEST_F(engine, copies_between_direct_descriptors)
{
	const size_t len = 2 * MIB + 77;
	char *in = make_in(self, len),
	     *out = make_file(self->out, 3 * MIB, 3 * MIB, &self->model[1]);

	ASSERT_TRUE(in && out);
	if (open_both(self, O_DIRECT))
		SKIP(return, "no O_DIRECT on %s", variant->type);
	setenv("CR_ENGINE", variant->engine->name, 1);
	self->req.flags = STREAM_ONLY;
	self->req.pos_in = 13;
	self->req.pos_out = 5000;
	self->req.len = len - 13;
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(len - 13, self->res.bytes);
	memcpy(out + 5000, in + 13, len - 13);
	EXPECT_TRUE(file_is(self->out, out, 3 * MIB));
	self->req.len = 99;
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(99, self->res.bytes);
}

/* A thread that does something once the copy has come to @at. */
struct meanwhile {
	pthread_t thread;
	struct copy_progress *progress;
	uint64_t at;
	int *stop;
	const char *truncate, *append;
	size_t len;
	char *model;
};

static void *meanwhile_main(void *arg)
{
	struct meanwhile *m = arg;
	int fd;

	while (__atomic_load_n(&m->progress->bytes, __ATOMIC_RELAXED) < m->at)
		sched_yield();
	if (m->stop)
		__atomic_store_n(m->stop, 1, __ATOMIC_RELAXED);
	if (m->truncate && truncate(m->truncate, (off_t)m->len))
		abort();
	if (m->append) {
		fd = open(m->append, O_WRONLY | O_APPEND);
		if (write(fd, m->model + m->len, 3 * MIB) != (ssize_t)(3 * MIB))
			abort();
		close(fd);
	}
	return NULL;
}

TEST_F(engine, ends_where_the_source_shrank_to)
{
	const size_t len = 48 * MIB, cut = 40 * MIB + 321;
	struct meanwhile m = {
		.progress = &self->progress, .at = 2 * MIB, .truncate = self->in, .len = cut};
	char *in = make_in(self, len);

	ASSERT_TRUE(in);
	ASSERT_EQ(0, open_both(self, 0));
	self->req.len = len;
	pthread_create(&m.thread, NULL, meanwhile_main, &m);
	EXPECT_EQ(0, stream_run(&self->req, &self->res, &self->plan));
	pthread_join(m.thread, NULL);
	EXPECT_LE(cut, self->res.bytes);
	EXPECT_GE(len, self->res.bytes);
	EXPECT_EQ(self->res.bytes, file_size(self->out));
	EXPECT_TRUE(file_is(self->out, in, self->res.bytes));
}

TEST_F(engine, follows_a_source_that_grows)
{
	const size_t len = 32 * MIB + 99;
	char *in = make_in(self, len + 3 * MIB);
	struct meanwhile m = {.progress = &self->progress,
			      .at = 1 * MIB,
			      .append = self->in,
			      .len = len,
			      .model = in};

	ASSERT_TRUE(in);
	ASSERT_EQ(0, truncate(self->in, (off_t)len));
	ASSERT_EQ(0, open_both(self, 0));
	setenv("CR_ENGINE", variant->engine->name, 1);
	self->req.flags = STREAM_ONLY;
	self->req.len = COPY_LEN_EOF;
	pthread_create(&m.thread, NULL, meanwhile_main, &m);
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	pthread_join(m.thread, NULL);
	EXPECT_LE(len, self->res.bytes);
	EXPECT_EQ(self->res.bytes, file_size(self->out));
	EXPECT_TRUE(file_is(self->out, in, self->res.bytes));
}

TEST_F(engine, stops_soon_with_an_exact_count)
{
	const size_t len = 64 * MIB;
	struct meanwhile m = {.progress = &self->progress, .at = 2 * MIB, .stop = &self->stop};
	char *in = make_in(self, len);

	ASSERT_TRUE(in);
	ASSERT_EQ(0, open_both(self, 0));
	self->req.len = len;
	pthread_create(&m.thread, NULL, meanwhile_main, &m);
	EXPECT_EQ(0, stream_run(&self->req, &self->res, &self->plan));
	pthread_join(m.thread, NULL);
	EXPECT_EQ(1, self->res.stopped);
	EXPECT_GT(len, self->res.bytes);
	EXPECT_EQ(self->res.bytes, file_size(self->out));
	EXPECT_TRUE(file_is(self->out, in, self->res.bytes));
}

TEST_F(engine, counts_exactly_when_the_disk_is_full)
{
	const char *small = strcmp(variant->type, "tmpfs") ? fixture_fs("ext4", 24, NULL)
							   : fixture_fs("tmpfs", 24, NULL);
	const size_t len = 48 * MIB;
	char *in = make_in(self, len);

	ASSERT_TRUE(in && small);
	snprintf(self->out, sizeof(self->out), "%s/out", small);
	ASSERT_EQ(0, open_both(self, 0));
	self->req.len = len;
	EXPECT_EQ(-ENOSPC, stream_run(&self->req, &self->res, &self->plan));
	EXPECT_LT(4 * MIB, self->res.bytes);
	EXPECT_GE(24 * MIB, self->res.bytes);
	EXPECT_EQ(self->res.bytes, file_size(self->out));
	EXPECT_TRUE(file_is(self->out, in, self->res.bytes));
}

/* By the stream as users get it: the engine named, and its buffers bound. */
TEST_F(engine, stays_within_its_memory)
{
	const size_t len = 64 * MIB;
	struct rusage before, after;

	if (SANITIZED)
		SKIP(return, "a sanitizer's own memory is in the figure");
	ASSERT_EQ(0, open_both(self, O_CREAT));
	ASSERT_TRUE(make_in(self, len));
	free(self->model[0]);
	self->model[0] = NULL;
	setenv("CR_ENGINE", variant->engine->name, 1);
	self->req.flags = STREAM_ONLY;
	self->req.len = len;
	self->req.mem_max = MIB;
	getrusage(RUSAGE_SELF, &before);
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	getrusage(RUSAGE_SELF, &after);
	EXPECT_EQ(len, self->res.bytes);
	EXPECT_GT(before.ru_maxrss + 2048, after.ru_maxrss);
}

/* The engine is asked for a ring or a context, and the kernel says no. */
static int forbid(int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return fixture_seccomp(filter, ARRAY_SIZE(filter));
}

TEST_F(engine, is_replaced_by_threads_where_it_is_forbidden)
{
	const size_t len = 5 * MIB + 5;
	char *in = make_in(self, len);

	ASSERT_TRUE(in);
	if (variant->engine == &stream_threads)
		SKIP(return, "threads need no permission");
	ASSERT_EQ(0, open_both(self, 0));
	if (forbid(EPERM))
		SKIP(return, "no seccomp filters");
	self->req.len = len;
	EXPECT_EQ(STREAM_NOT_STARTED, stream_run(&self->req, &self->res, &self->plan));
	EXPECT_EQ(0, self->res.bytes);
	setenv("CR_ENGINE", variant->engine->name, 1);
	self->req.flags = STREAM_ONLY;
	EXPECT_EQ(0, cr_copy_range(&self->req, &self->res));
	EXPECT_EQ(len, self->res.bytes);
	EXPECT_TRUE(file_is(self->out, in, len));
}

/* What decides for O_DIRECT. */
TEST(a_source_is_cold_until_it_was_read)
{
	const char *dir = fixture_fs("ext4", 64, NULL);
	struct copy_req req = {.len = 8 * MIB};
	struct cr_ns *ns = cr_ns_new();
	char name[300], *model = NULL;

	if (!dir)
		SKIP(return, "%s", fixture_why());
	snprintf(name, sizeof(name), "%s/in", dir);
	ASSERT_TRUE(make_file(name, 8 * MIB, 8 * MIB, &model));
	fixture_remount(dir, NULL);
	ASSERT_EQ(0, cr_open(ns, name, O_RDONLY, 0, &req.in));
	EXPECT_TRUE(source_is_cold(&req, req.len));
	EXPECT_TRUE(file_is(name, model, 8 * MIB));
	EXPECT_FALSE(source_is_cold(&req, req.len));
	cr_close(req.in);
	cr_ns_free(ns);
	free(model);
}

TEST_HARNESS_MAIN
