// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * disk.c - SCSI disks of this machine copy by themselves, and the kernel's caches agree.
 *
 * The kernel never hears of such a copy.  What it has cached of the source and not written
 * yet would be missed; what it has of the target would be read afterwards, or, worse, written
 * over the copy.  A disk, each of its partitions and each device that is made of them have
 * caches of their own.
 *
 * Volumes have their blocks on one disk or on several, here and there: a part of a request
 * becomes a list of pieces, and what goes from one disk to another is asked for at once.
 */
#include "fs/block/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fs/block/block.h"

#define DISKS_MAX  32u
#define PIECES_MAX 4096u
/* What is taken at once of a request that is in pieces. */
#define WINDOW ((uint64_t)256 << 20)

#define REFUSAL(text, err)                                                                         \
	((struct copy_why){.reason = (text), .error = (err), .scope = COPY_THIS_FILE})

/* A device by its name below /dev, if that is what it should be. */
static int node_open(const char *name, dev_t dev)
{
	char path[128];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && (fstat(fd, &st) || !S_ISBLK(st.st_mode) || (dev && st.st_rdev != dev))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Nothing of it waits to be written; with @drop nothing is cached. */
static int settle_node(const char *name, dev_t dev, bool drop)
{
	int fd = node_open(name, dev), err = 0;

	if (fd < 0)
		return -ENODEV;
	if (fsync(fd) || (drop && ioctl(fd, BLKFLSBUF, 0)))
		err = -errno;
	close(fd);
	return err;
}

static int settle_partitions(const struct disk_node *disk, bool drop)
{
	char path[64];
	struct dirent *e;
	DIR *dir;
	int err = 0;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(disk->dev), minor(disk->dev));
	dir = opendir(path);
	if (!dir)
		return -errno;
	/* The stream is ours alone: NOLINTNEXTLINE(concurrency-mt-unsafe) */
	while (!err && (e = readdir(dir)))
		if (!strncmp(e->d_name, disk->name, strlen(disk->name)))
			err = settle_node(e->d_name, 0, drop);
	closedir(dir);
	return err;
}

/* All devices between a file and its disks. */
static int settle(const struct disk_map *map, bool drop)
{
	int err = 0;

	for (const struct disk_node *n = map->nodes; n && !err; n = n->next) {
		err = settle_node(n->name, n->dev, drop);
		if (!err && n->kind == IS_DISK)
			err = settle_partitions(n, drop);
	}
	return err;
}

/* A disk that commands go to. */
struct disk {
	dev_t dev;
	struct sgio_port port;
	struct scsi_lu lu;
	bool target; /* it was asked what a target is asked */
};

/* A part of the request that is on one disk at each end. */
struct piece {
	unsigned src, dst; /* disks */
	struct xcopy_extent e;
};

struct plan {
	const struct copy_req *req;
	dev_t dev[2];		/* of the files */
	struct disk_map map[2]; /* below them */
	struct disk disk[DISKS_MAX];
	unsigned disks, pieces;
	struct piece piece[PIECES_MAX];
	uint64_t len;
	const char *reason; /* why it is not asked */
};

static void plan_free(struct plan *p)
{
	for (unsigned i = 0; i < p->disks; i++) {
		scsi_lu_end(&p->disk[i].lu);
		close(p->disk[i].port.fd);
	}
	disk_map_free(&p->map[0]);
	disk_map_free(&p->map[1]);
	free(p);
}

static int disk_open(struct plan *p, const struct disk_node *node, bool target)
{
	struct disk *disk = &p->disk[p->disks];
	int err;

	p->reason = "it is on too many disks";
	if (p->disks == DISKS_MAX)
		return -ENODEV;
	p->reason = "the disk below it cannot be opened";
	*disk = (struct disk){
		.dev = node->dev, .port = {node_open(node->name, node->dev)}, .target = target};
	if (disk->port.fd < 0)
		return -ENODEV;
	disk->lu.transport = &sgio_transport;
	disk->lu.port = &disk->port;
	scsi_lu_init(&disk->lu);
	err = target ? scsi_probe(&disk->lu) : scsi_probe_source(&disk->lu);
	if (!err) {
		p->disks++;
		return 0;
	}
	scsi_lu_end(&disk->lu);
	close(disk->port.fd);
	p->reason = err == -EPERM ? "commands to disks are not permitted here (CAP_SYS_RAWIO)"
				  : "the disk does not answer as one";
	return -ENODEV;
}

static int disk_of(struct plan *p, const struct disk_node *node, bool target, unsigned *index)
{
	for (*index = 0; *index < p->disks; ++*index)
		if (p->disk[*index].dev == node->dev)
			break;
	if (*index < p->disks && (p->disk[*index].target || !target))
		return 0;
	if (*index < p->disks) {
		p->reason = "the disk does not answer as one";
		p->disk[*index].target = true;
		return scsi_probe(&p->disk[*index].lu) ? -ENODEV : 0;
	}
	return disk_open(p, node, target);
}

/* Pieces that go on from each other are one. */
static void add(struct plan *p, const struct piece *new)
{
	struct piece *last = p->pieces ? &p->piece[p->pieces - 1] : NULL;

	p->len += new->e.len;
	if (last && last->src == new->src && last->dst == new->dst &&
	    last->e.from + last->e.len == new->e.from && last->e.to + last->e.len == new->e.to)
		last->e.len += new->e.len;
	else
		p->piece[p->pieces++] = *new;
}

static uint64_t min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What of the request comes next: 0, or -ENODEV and p->reason. */
static int next_piece(struct plan *p)
{
	const struct copy_req *req = p->req;
	struct disk_place src, dst;
	struct piece piece;
	int err = disk_resolve(&p->map[0], p->dev[0], (uint64_t)req->pos_in + p->len, &src,
			       &p->reason);

	if (!err)
		err = disk_resolve(&p->map[1], p->dev[1], (uint64_t)req->pos_out + p->len, &dst,
				   &p->reason);
	if (!err)
		err = disk_of(p, src.disk, false, &piece.src);
	if (!err)
		err = disk_of(p, dst.disk, true, &piece.dst);
	if (err)
		return err;
	piece.e = (struct xcopy_extent){p->len, src.start, dst.start,
					min64(req->len - p->len, min64(src.len, dst.len))};
	add(p, &piece);
	return 0;
}

static int device_of(const struct file *file, dev_t *dev)
{
	struct statx stx;

	if (statx(file->fd, "", AT_EMPTY_PATH, STATX_TYPE, &stx))
		return -errno;
	*dev = makedev(stx.stx_rdev_major, stx.stx_rdev_minor);
	return 0;
}

/* As much of the request as is taken at once. */
static int plan_make(struct plan *p)
{
	int err;

	p->reason = "one is a file, the other a block device";
	if (!S_ISBLK(p->req->in->id.type) || !S_ISBLK(p->req->out->id.type))
		return -ENODEV;
	err = device_of(p->req->in, &p->dev[0]);
	if (!err)
		err = device_of(p->req->out, &p->dev[1]);
	if (!err)
		err = next_piece(p);
	while (!err && p->len < p->req->len && p->len < WINDOW && p->pieces < PIECES_MAX &&
	       !next_piece(p))
		;
	return err;
}

/* Whether something of it is a volume: those can be moved while they are used. */
static bool movable(const struct plan *p)
{
	for (unsigned i = 0; i < 2; i++)
		for (const struct disk_node *n = p->map[i].nodes; n; n = n->next)
			if (n->kind == IS_MAPPED)
				return true;
	return false;
}

/* Whether a byte is not where it was. */
static bool moved(const struct plan *p)
{
	struct disk_map map = {NULL};
	struct disk_place now;
	const char *reason;
	bool same = true;

	for (unsigned i = 0; i < 2 * p->pieces && same; i++) {
		const struct piece *piece = &p->piece[i / 2];
		uint64_t pos = (uint64_t)(i % 2 ? p->req->pos_out : p->req->pos_in) + piece->e.at;

		same = !disk_resolve(&map, p->dev[i % 2], pos, &now, &reason) &&
		       now.disk->dev == p->disk[i % 2 ? piece->dst : piece->src].dev &&
		       now.start == (i % 2 ? piece->e.to : piece->e.from);
	}
	disk_map_free(&map);
	return !same;
}

/* A disk and its partition are two files for the core, and so are two volumes. */
static bool overlaps(const struct plan *p)
{
	for (unsigned i = 0; i < p->pieces; i++)
		for (unsigned k = 0; k < p->pieces; k++) {
			const struct piece *a = &p->piece[i], *b = &p->piece[k];

			if (a->src == b->dst && a->e.from < b->e.to + b->e.len &&
			    b->e.to < a->e.from + a->e.len)
				return true;
		}
	return false;
}

static int refused(const struct xcopy *x, struct copy_result *res)
{
	struct copy_why why = REFUSAL(x->reason, EXDEV);

	if (x->scope == XCOPY_RANGE)
		why.scope = COPY_THIS_RANGE;
	why.after = x->after;
	return decline(res, COPY_OFFLOAD, why);
}

/* What goes from one disk to another; *done: how far the request is done then at most. */
static int run_pair(struct plan *p, struct xcopy *x, unsigned src, unsigned dst, uint64_t *done)
{
	struct xcopy_extent *extent = calloc(p->pieces, sizeof(*extent));
	unsigned n = 0;
	int err;

	*x = (struct xcopy){.len = 0};
	if (!extent)
		return -ENOMEM;
	*x = (struct xcopy){.src = &p->disk[src].lu,
			    .dst = &p->disk[dst].lu,
			    .stop = p->req->stop,
			    .extent = extent};
	for (unsigned i = 0; i < p->pieces; i++)
		if (p->piece[i].src == src && p->piece[i].dst == dst) {
			extent[n] = p->piece[i].e;
			extent[n++].at = x->len;
			x->len += p->piece[i].e.len;
		}
	x->extents = n;
	if (p->pieces == 1) { /* its ends need not be whole blocks */
		x->from = extent->from;
		x->to = extent->to;
		x->extent = NULL;
		x->extents = 0;
	}
	if (!x->dst->copies && x->dst->tokens)
		scsi_probe_copies(x->src);
	err = x->dst->copies || !x->dst->tokens ? xcopy_run(x) : odx_run(x);
	for (unsigned i = 0, k = 0; i < p->pieces && k < n; i++)
		if (p->piece[i].src == src && p->piece[i].dst == dst) {
			const struct xcopy_extent *e = &extent[k++];

			if (x->done < e->at + e->len) {
				*done = min64(*done, p->piece[i].e.at + (x->done - e->at));
				break;
			}
		}
	free(extent);
	return err;
}

/* Whether it is the first piece of its pair of disks. */
static bool is_first(const struct plan *p, unsigned i)
{
	for (unsigned k = 0; k < i; k++)
		if (p->piece[k].src == p->piece[i].src && p->piece[k].dst == p->piece[i].dst)
			return false;
	return true;
}

/* Pair by pair; after an error those that follow have nothing done. */
static int run_pairs(struct plan *p, struct xcopy *failed, uint64_t *done, bool *wrote)
{
	struct xcopy x;
	int err = 0;

	*done = p->len;
	for (unsigned i = 0; i < p->pieces; i++) {
		if (!is_first(p, i))
			continue;
		if (err) {
			*done = min64(*done, p->piece[i].e.at);
			continue;
		}
		err = run_pair(p, &x, p->piece[i].src, p->piece[i].dst, done);
		*wrote |= x.commands;
		*failed = x;
		if (err && !x.done)
			*done = min64(*done, p->piece[i].e.at);
	}
	return err;
}

static int run(struct plan *p, struct copy_result *res)
{
	const struct copy_req *req = p->req;
	uint64_t done = 0;
	struct xcopy x = {.len = 0};
	bool wrote = false;
	int err, after;

	if (overlaps(p))
		return decline(res, COPY_OFFLOAD,
			       REFUSAL("both are the same part of one disk", EINVAL));
	err = req->len ? settle(&p->map[0], false) : 0;
	if (!err && req->len)
		err = settle(&p->map[1], true);
	if (err)
		return decline(
			res, COPY_OFFLOAD,
			REFUSAL("what the kernel has cached of the disks cannot be written", -err));
	err = run_pairs(p, &x, &done, &wrote);
	/* Also when it failed: nobody knows what it has written. */
	after = wrote ? settle(&p->map[1], true) : 0;
	if (p->pieces > 1 && x.scope == XCOPY_RANGE)
		x.after = p->len;
	if (err == -EOPNOTSUPP && !done)
		return refused(&x, res);
	if (done && movable(p) && moved(p))
		return -ESTALE;
	res->bytes = done;
	res->command = x.command;
	return err && err != -EOPNOTSUPP ? err : after;
}

int disk_describe(const struct file *file, char *text, size_t size)
{
	struct copy_req req = {.in = (struct file *)file, .out = (struct file *)file};
	struct plan *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->req = &req;
	err = plan_make(p);
	if (!err)
		lu_describe(&p->disk[0].lu, text, size);
	plan_free(p);
	return err == -ENODEV ? -EOPNOTSUPP : err;
}

int disk_copy_range(const struct copy_req *req, struct copy_result *res)
{
	struct plan *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->req = req;
	err = plan_make(p);
	if (!err)
		err = run(p, res);
	else if (err == -ENODEV)
		err = decline(res, COPY_OFFLOAD, REFUSAL(p->reason, EXDEV));
	plan_free(p);
	return err;
}
