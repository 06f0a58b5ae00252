// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * copy_file_range(2) of this kernel and copy_range() side by side: every kind
 * of descriptor against every other, over ranges that matter, on equal files.
 * Result, errno, offsets, file positions and content must agree, but for what
 * copy_range() promises beyond the system call:
 *
 *   negative offset		EINVAL, where the kernel has two answers
 *   offset + length wraps	shortened, not EOVERFLOW
 *   nothing left in the source	0, not EFBIG, wherever the target offset is
 *   EXDEV			copies
 *   O_DIRECT			copies any range
 *   a short count		goes on; the kernel's own next calls must agree
 *
 * agree_random.c adds random ranges against a model.
 */
#include <linux/fs.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "agree.h"
#include "kselftest_harness.h"

#define IN_SIZE	 10000
#define OUT_SIZE 9000
#define IN_SEED	 1
#define OUT_SEED 2

/* What is at the two ends; the first ones can be copied. */
enum kind {
	RW,
	OTHER_FS,
	MEMFD,
	DIRECT,
	PROC,	     /* source */
	SAME,	     /* target: the source's descriptor */
	AGAIN,	     /* target: the source's file once more */
	APPEND_ATTR, /* target */
	IMMUTABLE,   /* target */
	RO,
	WO,
	APPEND,
	OPATH,
	MODE_3,
	DIRECTORY,
	PIPE,
	SOCKET,
	CHARACTER,
	CLOSED,
	KINDS
};

static const char *const kind_names[KINDS] = {
	"rw",	     "other fs",	 "memfd",     "direct", "proc",	  "same fd",
	"same file", "append attribute", "immutable", "ro",	"wo",	  "append",
	"o_path",    "mode 3",		 "directory", "pipe",	"socket", "character",
	"closed"};

struct range {
	off_t in, out;
	size_t len;
};

static const struct range ranges[] = {
	{0, 0, 0},
	{0, 0, 1},
	{0, 0, 4096},
	{0, 0, IN_SIZE},
	{0, 0, SIZE_MAX},
	{1, 1, SIZE_MAX},
	{4096, 4096, SIZE_MAX / 2 + 1},
	{4096, 0, 5000},
	{4096, 4096, 4096},
	{1000, 3000, 5000},
	{0, 5000, 5000},
	{0, 4999, 5000},
	{5000, 0, 5000},
	{5000, 1, SIZE_MAX},
	{9990, 0, 20},
	{0, 100000, 500},
	{IN_SIZE, 0, 10},
	{2 * IN_SIZE, 5, 10},
	{IN_SIZE, INT64_MAX, 10},
	{0, INT64_MAX, 10},
	{0, INT64_MAX - 3, 10},
	{0, INT64_MAX - 4095, 4095},
	{-1, 0, 10},
	{-1, 0, 0},
	{0, -1, 10},
	{0, -16384, 0},
	{-1, -1, SIZE_MAX},
	{INT64_MIN, 0, 1},
};

/* One of the two worlds: a set of files, and who copies there. */
struct side {
	copy_call *copy;
	char dir[256], other_dir[256];
	int in[KINDS], out[KINDS];
};

struct outcome {
	ssize_t n;
	int err;
	off_t off[2], pos[2];
};

FIXTURE(agree)
{
	char dir[200], other[200];
	struct side kernel, ours;
};

FIXTURE_VARIANT(agree)
{
	const char *fs, *other;
	unsigned long random; /* operations */
};

/* Clones wait for the device: fewer there. */
FIXTURE_VARIANT_ADD(agree, btrfs){.fs = "btrfs", .other = "tmpfs", .random = 10000};
FIXTURE_VARIANT_ADD(agree, xfs){.fs = "xfs", .other = "tmpfs", .random = 5000};
FIXTURE_VARIANT_ADD(agree, ext4){.fs = "ext4", .other = "tmpfs", .random = 50000};
FIXTURE_VARIANT_ADD(agree, tmpfs){.fs = "tmpfs", .other = "ext4", .random = 50000};

static void open_files(struct side *s)
{
	s->in[RW] = file_open(s->dir, "in", O_RDWR | O_CREAT);
	s->out[RW] = file_open(s->dir, "out", O_RDWR | O_CREAT);
	s->out[APPEND_ATTR] = file_open(s->dir, "append", O_RDWR | O_CREAT);
	s->out[IMMUTABLE] = file_open(s->dir, "immutable", O_RDWR | O_CREAT);
	s->in[OTHER_FS] = file_open(s->other_dir, "in", O_RDWR | O_CREAT);
	s->out[OTHER_FS] = file_open(s->other_dir, "out", O_RDWR | O_CREAT);
	s->in[MEMFD] = memfd_create("in", MFD_CLOEXEC);
	s->out[MEMFD] = memfd_create("out", MFD_CLOEXEC);
	s->in[DIRECT] = file_open(s->dir, "in", O_RDWR | O_DIRECT);
	s->out[DIRECT] = file_open(s->dir, "out", O_RDWR | O_DIRECT);
	s->in[PROC] = open("/proc/version", O_RDONLY);
	s->out[AGAIN] = file_open(s->dir, "in", O_RDWR);
	s->in[RO] = file_open(s->dir, "in", O_RDONLY);
	s->out[RO] = file_open(s->dir, "out", O_RDONLY);
	s->in[WO] = file_open(s->dir, "in", O_WRONLY);
	s->out[WO] = file_open(s->dir, "out", O_WRONLY);
	s->in[APPEND] = file_open(s->dir, "in", O_RDWR | O_APPEND);
	s->out[APPEND] = file_open(s->dir, "out", O_RDWR | O_APPEND);
	s->in[OPATH] = file_open(s->dir, "in", O_PATH);
	s->out[OPATH] = file_open(s->dir, "out", O_PATH);
	s->in[MODE_3] = file_open(s->dir, "in", O_ACCMODE);
	s->out[MODE_3] = file_open(s->dir, "out", O_ACCMODE);
}

static void open_others(struct side *s)
{
	int fds[2];

	s->in[DIRECTORY] = s->out[DIRECTORY] = file_open(s->dir, ".", O_RDONLY | O_DIRECTORY);
	if (pipe2(fds, O_CLOEXEC))
		_exit(KSFT_FAIL);
	s->in[PIPE] = fds[0];
	s->out[PIPE] = fds[1];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
		_exit(KSFT_FAIL);
	s->in[SOCKET] = fds[0];
	s->out[SOCKET] = fds[1];
	s->in[CHARACTER] = s->out[CHARACTER] = open("/dev/zero", O_RDWR | O_CLOEXEC);
	s->in[CLOSED] = s->out[CLOSED] = -1;
}

static void make_folder(char *path, size_t size, const char *dir, const char *name)
{
	int n = snprintf(path, size, "%s/%s", dir, name);

	if (n < 0 || (size_t)n >= size || mkdir(path, 0700))
		_exit(KSFT_FAIL);
}

static void side_open(struct side *s, const char *dir, const char *other)
{
	const char *name = s->copy == copy_kernel ? "kernel" : "ours";

	for (unsigned k = 0; k < KINDS; k++)
		s->in[k] = s->out[k] = -2;
	make_folder(s->dir, sizeof(s->dir), dir, name);
	make_folder(s->other_dir, sizeof(s->other_dir), other, name);
	open_files(s);
	open_others(s);
}

static void attributes(const struct side *s, bool on)
{
	inode_flags(s->out[APPEND_ATTR], on ? FS_APPEND_FL : 0, on ? 0 : FS_APPEND_FL);
	inode_flags(s->out[IMMUTABLE], on ? FS_IMMUTABLE_FL : 0, on ? 0 : FS_IMMUTABLE_FL);
}

static void reset_file(int fd, size_t size, unsigned seed)
{
	if (ftruncate(fd, (off_t)size))
		_exit(KSFT_FAIL);
	put(fd, 0, size, seed);
}

/* All files as they were. */
static void side_reset(const struct side *s)
{
	attributes(s, false);
	for (unsigned k = RW; k <= MEMFD; k++) {
		reset_file(s->in[k], IN_SIZE, IN_SEED);
		reset_file(s->out[k], OUT_SIZE, OUT_SEED);
	}
	reset_file(s->out[APPEND_ATTR], OUT_SIZE, OUT_SEED);
	reset_file(s->out[IMMUTABLE], OUT_SIZE, OUT_SEED);
	attributes(s, true);
}

FIXTURE_SETUP(agree)
{
	if (!fs_path(variant->fs) || !fs_path(variant->other))
		SKIP(return, "%s%s", fs_why(variant->fs), fs_why(variant->other));
	dir_make(variant->fs, self->dir, sizeof(self->dir));
	dir_make(variant->other, self->other, sizeof(self->other));
	self->kernel.copy = copy_kernel;
	self->ours.copy = copy_ours;
	side_open(&self->kernel, self->dir, self->other);
	side_open(&self->ours, self->dir, self->other);
	side_reset(&self->kernel);
	side_reset(&self->ours);
}

FIXTURE_TEARDOWN(agree)
{
	attributes(&self->kernel, false);
	attributes(&self->ours, false);
	dir_remove(self->dir);
	dir_remove(self->other);
}

struct pair {
	enum kind in, out;
	struct range r;
	bool null; /* positions instead of offsets */
};

static int end_of(const struct side *s, const struct pair *p, bool out)
{
	if (out && p->out == SAME)
		return s->in[p->in];
	return out ? s->out[p->out] : s->in[p->in];
}

static struct outcome run(const struct side *s, const struct pair *p)
{
	int in = end_of(s, p, false), out = end_of(s, p, true);
	struct outcome o = {.off = {p->r.in, p->r.out}};

	lseek(in, p->null ? p->r.in : 11, SEEK_SET);
	if (in != out)
		lseek(out, p->null ? p->r.out : 22, SEEK_SET);
	o.n = s->copy(in, p->null ? NULL : &o.off[0], out, p->null ? NULL : &o.off[1], p->r.len);
	o.err = o.n < 0 ? errno : 0;
	o.pos[0] = lseek(in, 0, SEEK_CUR);
	o.pos[1] = lseek(out, 0, SEEK_CUR);
	return o;
}

static off_t source_size(const struct side *s, const struct pair *p)
{
	static char text[512];

	return p->in == PROC ? pread(s->in[PROC], text, sizeof(text), 0) : IN_SIZE;
}

/* What copy_range() counts when it copies. */
static ssize_t whole(const struct side *s, const struct pair *p)
{
	off_t left = source_size(s, p) - p->r.in, room = INT64_MAX - p->r.out;
	size_t n = p->r.len;

	if (left <= 0)
		return 0;
	if (n > (size_t)left)
		n = (size_t)left;
	return (ssize_t)(n > (size_t)room ? (size_t)room : n);
}

static bool wraps(const struct range *r)
{
	return r->len > SIZE_MAX - (size_t)r->in || r->len > SIZE_MAX - (size_t)r->out;
}

/* A regular file; whether its mode allows the copy is another question. */
static bool is_file(enum kind k)
{
	return k <= APPEND;
}

static bool overlaps(const struct side *s, const struct pair *p)
{
	ssize_t n = whole(s, p);

	if (p->out != SAME && p->out != AGAIN)
		return false;
	return p->r.out + n > p->r.in && p->r.out < p->r.in + n;
}

/* Files of ext4 end long before offsets do. */
static bool too_far(const struct side *s, const struct pair *p)
{
	return p->r.out == INT64_MAX || lseek(s->out[p->out], p->r.out, SEEK_SET) < 0;
}

/* The errno that copy_range() must give, 0 for a count, when the kernel gave @k. */
static int wanted_err(const struct side *s, const struct pair *p, const struct outcome *k)
{
	const bool direct =
		(p->in == DIRECT && is_file(p->out)) || (p->out == DIRECT && is_file(p->in));
	const bool at_eof = p->r.in >= source_size(s, p);

	if (k->err == EBADF || k->err == EISDIR)
		return k->err;
	if (p->r.in < 0 || p->r.out < 0)
		return EINVAL;
	if (k->err == EXDEV && p->out == IMMUTABLE)
		return EPERM;
	if (k->err == EXDEV && too_far(s, p) && p->r.len && !at_eof)
		return EFBIG;
	if (k->err == EOVERFLOW && overlaps(s, p))
		return EINVAL;
	if (k->err == EXDEV || (k->err == EOVERFLOW && wraps(&p->r)) ||
	    (k->err == EFBIG && at_eof) || (k->err == EINVAL && direct))
		return 0;
	return k->err;
}

/* The kernel goes on where it stopped short; what is left is its next error. */
static void finish(const struct side *s, const struct pair *p, ssize_t done, ssize_t want)
{
	off_t in = p->r.in + done, out = p->r.out + done;

	while (done < want) {
		ssize_t n = s->copy(end_of(s, p, false), &in, end_of(s, p, true), &out,
				    (size_t)(want - done));

		if (n <= 0)
			break;
		done += n;
	}
}

/* A descriptor for reading what the copy wrote. */
static int target_of(const struct side *s, const struct pair *p)
{
	if (p->out == SAME || p->out == AGAIN)
		return s->in[RW];
	return p->out == WO || p->out == DIRECT ? s->out[RW] : s->out[p->out];
}

/* Both worlds around the target's range and at its start. */
static bool same_target(const struct side *a, const struct side *b, const struct pair *p)
{
	static char x[40000], y[sizeof(x)];
	const off_t from[2] = {0, p->r.out > 100 ? p->r.out - 100 : 0};
	int fa = target_of(a, p), fb = target_of(b, p);

	if (size_of_fd(fa) != size_of_fd(fb))
		return false;
	for (unsigned i = 0; i < 2; i++) {
		off_t room = INT64_MAX - from[i];
		size_t len = room < (off_t)sizeof(x) ? (size_t)room : sizeof(x);
		ssize_t n = pread(fa, x, len, from[i]);

		if (n < 0 || pread(fb, y, len, from[i]) != n || memcmp(x, y, (size_t)n) != 0)
			return false;
	}
	return true;
}

/* What ours says of itself is true: counts, offsets, positions, bytes. */
static bool consistent(const struct side *s, const struct pair *p, const struct outcome *o)
{
	const off_t off_in = p->r.in + (p->null ? 0 : o->n),
		    off_out = p->r.out + (p->null ? 0 : o->n);
	const off_t pos_in = p->null ? p->r.in + o->n : 11;

	if (o->n != whole(s, p) || o->off[0] != off_in || o->off[1] != off_out)
		return false;
	if (o->pos[0] != pos_in)
		return false;
	if (p->out != SAME && o->pos[1] != (p->null ? p->r.out + o->n : 22))
		return false;
	if (o->n <= 0 || p->in == PROC)
		return true;
	return differs(target_of(s, p), p->r.out, (size_t)o->n, IN_SEED, p->r.in) < 0;
}

static bool agrees(const struct side *kernel, const struct side *ours, const struct pair *p)
{
	const bool direct = p->in == DIRECT || p->out == DIRECT;
	struct outcome k = run(kernel, p), o = run(ours, p);
	int want = wanted_err(kernel, p, &k);
	bool ok;

	if (want)
		ok = o.n == -1 && o.err == want && o.off[0] == p->r.in && o.off[1] == p->r.out;
	else
		ok = o.n >= k.n && consistent(ours, p, &o);
	if (k.n == o.n)
		ok &= !memcmp(k.off, o.off, sizeof(k.off)) && !memcmp(k.pos, o.pos, sizeof(k.pos));
	if (ok && k.n >= 0 && o.n > 0 && !direct) {
		finish(kernel, p, k.n, o.n);
		ok = same_target(kernel, ours, p);
	}
	if (!ok)
		printf("# %s to %s, %lld to %lld, %zu bytes, %s: kernel %zd (%s), ours %zd (%s), "
		       "offsets %lld %lld, positions %lld %lld\n",
		       kind_names[p->in], kind_names[p->out], (long long)p->r.in,
		       (long long)p->r.out, p->r.len, p->null ? "positions" : "offsets", k.n,
		       strerror(k.err), o.n, strerror(o.err), (long long)o.off[0],
		       (long long)o.off[1], (long long)o.pos[0], (long long)o.pos[1]);
	if (k.n > 0 || o.n > 0) {
		side_reset(kernel);
		side_reset(ours);
	}
	return ok;
}

static bool pair_exists(const struct side *s, const struct pair *p)
{
	if (s->in[p->in] == -2)
		return false;
	if (p->out == SAME)
		return p->in == RW;
	if (p->out == AGAIN)
		return p->in == RW || p->in == RO;
	return s->out[p->out] != -2;
}

/* Files of ext4 have no positions beyond their largest size. */
static bool positions_exist(const struct side *s, const struct pair *p)
{
	if (p->r.in < 0 || p->r.out < 0)
		return false;
	return lseek(end_of(s, p, true), p->r.out, SEEK_SET) >= 0 || !is_file(p->out);
}

TEST_F_TIMEOUT(agree, every_kind_of_descriptor, 60)
{
	unsigned calls = 0;

	for (unsigned in = 0; in < KINDS; in++)
		for (unsigned out = 0; out < KINDS; out++)
			for (unsigned i = 0; i < 2 * ARRAY_SIZE(ranges); i++) {
				struct pair p = {in, out, ranges[i / 2], i & 1};

				if (!pair_exists(&self->ours, &p))
					continue;
				if (p.null && !positions_exist(&self->ours, &p))
					continue;
				EXPECT_TRUE(agrees(&self->kernel, &self->ours, &p));
				calls++;
			}
	TH_LOG("%u calls of each", calls);
}

static volatile sig_atomic_t xfsz;

static void on_xfsz(int sig)
{
	(void)sig;
	xfsz++;
}

static int signals_of(const struct side *s, const struct pair *p, struct outcome *o)
{
	xfsz = 0;
	*o = run(s, p);
	return xfsz;
}

/* Crossing RLIMIT_FSIZE, at it, beyond it; XFS and btrfs stop at the last block before it. */
TEST_F(agree, size_limit)
{
	const struct rlimit lim = {20000, 20000};
	const struct range near[] = {{0, 15000, 5000},	   {0, 15000, IN_SIZE}, {0, 16384, 8192},
				     {0, 19999, 2},	   {0, 20000, 1},	{0, 20001, IN_SIZE},
				     {0, 1 << 30, 10},	   {IN_SIZE, 20000, 1}, {0, 20000, 0},
				     {5000, 20000, 10000}, {1, 0, IN_SIZE}};

	signal(SIGXFSZ, on_xfsz);
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &lim));
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(near); i++) {
		struct pair p = {RW, RW, near[i / 2], i & 1};
		const bool at_eof = p.r.in >= IN_SIZE;
		struct outcome k, o;
		int sig = signals_of(&self->kernel, &p, &k);

		/* Nothing to copy is no error of ours. */
		EXPECT_EQ(at_eof || !p.r.len ? 0 : sig, signals_of(&self->ours, &p, &o));
		EXPECT_EQ(at_eof || !p.r.len ? 0 : k.err, o.err)
		{
			TH_LOG("0 to %lld, %zu bytes", (long long)p.r.out, p.r.len);
		}
		if (k.n > 0) {
			EXPECT_LE(k.n, o.n);
			finish(&self->kernel, &p, k.n, o.n);
			EXPECT_TRUE(same_target(&self->kernel, &self->ours, &p));
		}
		side_reset(&self->kernel);
		side_reset(&self->ours);
	}
}

TEST_F_TIMEOUT(agree, random_ranges, 60)
{
	const char *text = getenv("AGREE_SEED"), *count = getenv("AGREE_OPS");
	unsigned long seed = text ? strtoul(text, NULL, 0) : 20260101;
	unsigned long ops = count ? strtoul(count, NULL, 0) : variant->random;

	TH_LOG("AGREE_SEED=%lu AGREE_OPS=%lu", seed, ops);
	EXPECT_EQ(0, random_agrees(self->ours.dir, seed, ops));
}

COPYTEST_MAIN("btrfs", "xfs", "ext4", "tmpfs")
