// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * agree_random.c - random ranges, by copy_file_range(2), by copy_range(), and on
 * two arrays in memory.
 *
 * Each world has two files; operations copy within one or between both, write,
 * punch, and cut.  Where the kernel stops short it is called again, so that all
 * three worlds stay equal.
 */
#include <linux/falloc.h>
#include <sys/syscall.h>

#include "agree.h"

#define FILE_MAX  ((size_t)160 << 10)
#define CHECK_ALL 500 /* operations between two looks at everything */

ssize_t copy_kernel(int in, off_t *off_in, int out, off_t *off_out, size_t len)
{
	/* For a library that stands before the C library's function. */
	if (getenv("AGREE_LIBC"))
		return copy_file_range(in, off_in, out, off_out, len, 0);
	return syscall(SYS_copy_file_range, in, off_in, out, off_out, len, 0u);
}

ssize_t copy_ours(int in, off_t *off_in, int out, off_t *off_out, size_t len)
{
	return copy_range(in, off_in, out, off_out, len, 0);
}

struct model {
	unsigned char data[FILE_MAX];
	size_t size;
};

struct worlds {
	struct model model[2];
	int kernel[2], ours[2];
	uint64_t state;
	unsigned long op, seed;
	char what[200];
};

struct op {
	unsigned in, out; /* which of the two files */
	size_t pos_in, pos_out, len;
	bool null;
	unsigned flags;
};

static uint64_t dice(struct worlds *w, uint64_t sides)
{
	w->state += 0x9e3779b97f4a7c15u;
	uint64_t x = w->state;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return (x ^ (x >> 31)) % sides;
}

/* Half of them on a block, some just beside one. */
static size_t dice_pos(struct worlds *w, size_t max)
{
	size_t pos = dice(w, max + 1);

	switch (dice(w, 4)) {
	case 0:
	case 1:
		return pos & ~(size_t)4095;
	case 2:
		pos = (pos & ~(size_t)4095) + dice(w, 3);
		return pos ? pos - 1 : 0;
	default:
		return pos;
	}
}

static int wrong(struct worlds *w, const char *where)
{
	printf("# AGREE_SEED=%lu operation %lu, %s: %s\n", w->seed, w->op, w->what, where);
	return 1;
}

static int check_file(struct worlds *w, unsigned i, size_t from, size_t len)
{
	static unsigned char buf[FILE_MAX];
	const struct model *m = &w->model[i];
	const int fds[2] = {w->kernel[i], w->ours[i]};

	for (unsigned k = 0; k < 2; k++) {
		size_t want = from < m->size ? m->size - from : 0;

		if (want > len)
			want = len;
		if (size_of_fd(fds[k]) != (off_t)m->size)
			return wrong(w, k ? "our size" : "the kernel's size");
		if (pread(fds[k], buf, len, (off_t)from) != (ssize_t)want ||
		    memcmp(buf, m->data + from, want) != 0)
			return wrong(w, k ? "our bytes" : "the kernel's bytes");
	}
	return 0;
}

static int check_all(struct worlds *w)
{
	return check_file(w, 0, 0, FILE_MAX) || check_file(w, 1, 0, FILE_MAX);
}

static void model_resize(struct model *m, size_t size)
{
	if (size > m->size)
		memset(m->data + m->size, 0, size - m->size);
	m->size = size;
}

static int change_write(struct worlds *w, unsigned i)
{
	size_t pos = dice_pos(w, FILE_MAX - 1), len = 1 + dice(w, 20000);
	struct model *m = &w->model[i];

	if (len > FILE_MAX - pos)
		len = FILE_MAX - pos;
	snprintf(w->what, sizeof(w->what), "write %u at %zu, %zu", i, pos, len);
	if (pos + len > m->size)
		model_resize(m, pos + len);
	content_fill(m->data + pos, len, (unsigned)dice(w, 1000), (off_t)pos);
	if (pwrite(w->kernel[i], m->data + pos, len, (off_t)pos) != (ssize_t)len ||
	    pwrite(w->ours[i], m->data + pos, len, (off_t)pos) != (ssize_t)len)
		return wrong(w, strerror(errno));
	return 0;
}

static int change_punch(struct worlds *w, unsigned i)
{
	const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	size_t pos = dice_pos(w, FILE_MAX - 1), len = 1 + dice(w, 40000);
	struct model *m = &w->model[i];

	snprintf(w->what, sizeof(w->what), "punch %u at %zu, %zu", i, pos, len);
	if (fallocate(w->kernel[i], mode, (off_t)pos, (off_t)len) ||
	    fallocate(w->ours[i], mode, (off_t)pos, (off_t)len))
		return wrong(w, strerror(errno));
	if (pos < m->size)
		memset(m->data + pos, 0, len < m->size - pos ? len : m->size - pos);
	return 0;
}

static int change_cut(struct worlds *w, unsigned i)
{
	size_t size = dice_pos(w, FILE_MAX / 2);

	snprintf(w->what, sizeof(w->what), "cut %u to %zu", i, size);
	model_resize(&w->model[i], size);
	if (ftruncate(w->kernel[i], (off_t)size) || ftruncate(w->ours[i], (off_t)size))
		return wrong(w, strerror(errno));
	return 0;
}

/* What must come of it: a count, or -EINVAL for overlap; the model is brought there. */
static ssize_t model_copy(struct worlds *w, struct op *op)
{
	struct model *in = &w->model[op->in], *out = &w->model[op->out];
	size_t n = op->pos_in < in->size ? in->size - op->pos_in : 0;

	if (n > op->len)
		n = op->len;
	if (n > FILE_MAX - op->pos_out) /* keeps the files small */
		n = op->len = FILE_MAX - op->pos_out;
	if (in == out && op->pos_out + n > op->pos_in && op->pos_out < op->pos_in + n)
		return -EINVAL;
	if (!n)
		return 0;
	if (op->pos_out + n > out->size)
		model_resize(out, op->pos_out + n);
	memmove(out->data + op->pos_out, in->data + op->pos_in, n);
	return (ssize_t)n;
}

/* One call, with offsets or positions, which must end where the count says. */
static ssize_t one_call(struct worlds *w, const struct op *op, const int *fds, unsigned flags)
{
	off_t a = (off_t)op->pos_in, b = (off_t)op->pos_out, *pa = &a, *pb = &b;
	bool kernel = fds == w->kernel;
	int in = fds[op->in], out = fds[op->out];
	ssize_t n;

	if (op->null) {
		lseek(in, a, SEEK_SET);
		lseek(out, b, SEEK_SET);
		pa = pb = NULL;
	}
	n = kernel ? copy_kernel(in, pa, out, pb, op->len)
		   : copy_range(in, pa, out, pb, op->len, flags);
	if (n < 0)
		return -errno;
	if (op->null && (lseek(in, 0, SEEK_CUR) != a + n || lseek(out, 0, SEEK_CUR) != b + n))
		return -ERANGE;
	if (!op->null && (a != (off_t)op->pos_in + n || b != (off_t)op->pos_out + n))
		return -ERANGE;
	return n;
}

/* The kernel, again where it stops short of @want: a file copied into itself may have grown. */
static ssize_t kernel_copy(struct worlds *w, struct op op, ssize_t want)
{
	ssize_t sum = 0, n;

	do {
		n = one_call(w, &op, w->kernel, 0);
		if (n < 0)
			return sum ? sum : n;
		sum += n;
		op.pos_in += (size_t)n;
		op.pos_out += (size_t)n;
		op.len = want > sum ? (size_t)(want - sum) : 0;
	} while (n && op.len);
	return sum;
}

static int do_copy(struct worlds *w)
{
	static const unsigned ways[6] = {0, 0, 0, 0, COPY_RANGE_NO_CLONE, ONLY_STREAM};
	struct op op = {.in = (unsigned)dice(w, 2), .out = (unsigned)dice(w, 2)};
	ssize_t want, kernel, ours;

	op.pos_in = dice_pos(w, FILE_MAX - 1);
	op.pos_out = dice(w, 3) ? dice_pos(w, FILE_MAX - 1) : op.pos_in;
	op.len = dice(w, 8) ? dice_pos(w, dice(w, 4) ? 20000 : FILE_MAX) : FILE_MAX;
	op.null = op.in != op.out && dice(w, 4) == 0;
	op.flags = ways[dice(w, 6)];
	want = model_copy(w, &op);
	snprintf(w->what, sizeof(w->what), "copy %u at %zu to %u at %zu, %zu bytes%s, flags %x",
		 op.in, op.pos_in, op.out, op.pos_out, op.len, op.null ? ", positions" : "",
		 op.flags);
	ours = one_call(w, &op, w->ours, op.flags);
	kernel = kernel_copy(w, op, want);
	if (ours != want || kernel != want) {
		printf("# model %zd, kernel %zd, ours %zd\n", want, kernel, ours);
		return wrong(w, "the count");
	}
	return check_file(w, op.out, op.pos_out & ~(size_t)4095, op.len + 8192);
}

static int do_op(struct worlds *w)
{
	unsigned i = (unsigned)dice(w, 2);

	switch (dice(w, 24)) {
	case 0:
	case 1:
		return change_write(w, i);
	case 2:
		return change_punch(w, i);
	case 3:
		return dice(w, 4) ? 0 : change_cut(w, i);
	default:
		w->op++;
		return do_copy(w);
	}
}

static void files_open(struct worlds *w, const char *dir)
{
	w->kernel[0] = file_open(dir, "kernel-0", O_RDWR | O_CREAT);
	w->kernel[1] = file_open(dir, "kernel-1", O_RDWR | O_CREAT);
	w->ours[0] = file_open(dir, "ours-0", O_RDWR | O_CREAT);
	w->ours[1] = file_open(dir, "ours-1", O_RDWR | O_CREAT);
}

int random_agrees(const char *dir, unsigned long seed, unsigned long ops)
{
	struct worlds *w = calloc(1, sizeof(*w));
	unsigned long next = CHECK_ALL;
	int err = 0;

	if (!w)
		return 1;
	w->seed = seed;
	w->state = seed;
	files_open(w, dir);
	while (w->op < ops && !err) {
		err = do_op(w);
		if (!err && w->op >= next) {
			err = check_all(w);
			next += CHECK_ALL;
		}
	}
	if (!err)
		err = check_all(w);
	for (unsigned i = 0; i < 2; i++) {
		close(w->kernel[i]);
		close(w->ours[i]);
	}
	free(w);
	return err;
}
