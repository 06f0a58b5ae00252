// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer target for receiving: streams made of few names, links and sizes, or any bytes
 * below right checksums, or streams with some bytes changed, are received into a directory of a
 *small tmpfs; some of them with
 * --verify, in part (--path), or broken off in the middle and gone on with.  Whatever
 * becomes of that, nothing beside the directory may change.
 *
 *	make fuzz; build/selftests/fuzz/apply_fuzz -max_total_time=60
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/bytes.h"
#include "selftests/stream/lab.h"
#include "userspace/stream/apply.h"
#include "userspace/stream/partial.h"
#include "userspace/stream/verify.h"

/* What an interrupted receive is gone on with lies here, too: so it is mounted anew each time. */
#define TOP "/dev/shm"
#define BOX TOP "/box"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "apply_fuzz: %s: %s\n", what, strerror(errno));
	abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct rlimit files = {1 << 20, 1 << 20};

	if (unshare(CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0)) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		fprintf(stderr, "apply_fuzz: SKIP no mounts of its own: %s\n", strerror(errno));
		exit(0);
	}
	setrlimit(RLIMIT_FSIZE, &files);
	umask(077);
	return 0;
}

/* The canary, and a directory. ------------------------------------------------------- */

static struct stat outside;

static void make_box(void)
{
	int fd;

	signal(SIGXFSZ, SIG_IGN); /* libFuzzer sets it after its start */
	check(!mount("fuzz", TOP, "tmpfs", 0, "size=8m,nr_inodes=2000"), "mount");
	check(!mkdir(BOX, 0700) && !mkdir(BOX "/in", 0700), "mkdir");
	fd = open(BOX "/outside", O_WRONLY | O_CREAT | O_EXCL, 0640);
	check(fd >= 0 && write(fd, "safe", 4) == 4, "outside");
	close(fd);
	check(!stat(BOX "/outside", &outside), "outside");
}

static void check_box(void)
{
	DIR *dir = opendir(BOX);
	struct dirent *entry;
	unsigned names = 0;
	struct stat st;
	char text[8] = "";
	int fd = open(BOX "/outside", O_RDONLY | O_NOFOLLOW);

	check(dir && fd >= 0, "what lies outside is gone");
	while ((entry = readdir(dir)))
		names++;
	check(names == 4, "names beside the target");
	check(read(fd, text, sizeof(text)) == 4 && !strcmp(text, "safe"), "contents outside");
	check(!fstat(fd, &st) && st.st_mode == outside.st_mode && st.st_nlink == 1 &&
		      st.st_uid == outside.st_uid && st.st_ino == outside.st_ino &&
		      !memcmp(&st.st_ctim, &outside.st_ctim, sizeof(st.st_ctim)),
	      "the inode outside was changed");
	close(fd);
	closedir(dir);
	check(!umount2(TOP, MNT_DETACH), "umount");
}

/* Streams ---------------------------------------------------------------------------- */

struct bytes {
	const uint8_t *at;
	size_t left;
};

static uint8_t next(struct bytes *b)
{
	if (!b->left)
		return 0;
	b->left--;
	return *b->at++;
}

static const char *path(uint8_t byte)
{
	static const char *const paths[] = {
		"a",
		"b",
		"d",
		"d/a",
		"d/e",
		"d/e/f",
		"o257-7-0",
		"l",
		"l/box",
		"l/x",
		"l/outside",
		"d/l",
		"d/a/x",
		".ocp-receive",
		"",
		"../outside",
		"a/..",
		"e",
		".ocp-sources",
		"d//a",
		"/a",
		".vol.receiving",
		"vol",
		"l/in/x",
	};

	return paths[byte % (sizeof(paths) / sizeof(paths[0]))];
}

static const char *link_text(uint8_t byte)
{
	static const char *const texts[] = {"..",	    "../..", "../../outside", BOX, "a",
					    BOX "/outside", "d",     "../../../box"};

	return texts[byte % (sizeof(texts) / sizeof(texts[0]))];
}

static uint64_t number(enum stream_attr_id attr, uint8_t byte)
{
	static const uint64_t sizes[] = {0,	1,	4095,	4096,	 8192,
					 65536, 131072, 200000, 1 << 30, INT64_MAX};
	static const uint64_t modes[] = {0, 0644, 04755, 0777, 0500, S_IFIFO, S_IFCHR, S_IFBLK};

	switch (attr) {
	case STREAM_A_MODE:
		return modes[byte % 8];
	case STREAM_A_UID:
	case STREAM_A_GID:
	case STREAM_A_COMPRESSION:
	case STREAM_A_FALLOCATE_MODE:
		return byte % 8;
	case STREAM_A_FILEATTR:
		return (uint64_t)1 << byte % 13;
	case STREAM_A_ENCRYPTION:
		return 0;
	default:
		return sizes[byte % (sizeof(sizes) / sizeof(sizes[0]))];
	}
}

static void put_text(struct stream_writer *w, enum stream_cmd_id id, enum stream_attr_id attr,
		     uint8_t byte)
{
	static const char *const keys[] = {"user.a",
					   "security.capability",
					   "trusted.t",
					   "system.posix_acl_access",
					   "btrfs.compression",
					   "none"};

	if (attr == STREAM_A_XATTR_NAME)
		stream_put_text(w, attr, keys[byte % 6]);
	else if (id == STREAM_C_SYMLINK && attr == STREAM_A_PATH_LINK)
		stream_put_text(w, attr, link_text(byte));
	else
		stream_put_text(w, attr, path(byte));
}

static void put_attr(struct stream_writer *w, enum stream_cmd_id id, enum stream_attr_id attr,
		     struct bytes *b)
{
	uint8_t byte = next(b);
	size_t len = byte < b->left ? byte : b->left;

	switch (stream_attr_row(attr)->class) {
	case STREAM_NUMBER:
		stream_put_number(w, attr, number(attr, byte));
		break;
	case STREAM_TIME:
		stream_put_time(w, attr, (struct timespec){byte, byte});
		break;
	case STREAM_UUID:
		stream_put_bytes(w, attr, byte % 4 ? "0123456789abcdef" : "another one here", 16);
		break;
	case STREAM_PATH:
	case STREAM_STRING:
		put_text(w, id, attr, byte);
		break;
	default:
		stream_put_bytes(w, attr, b->at, len);
		b->at += len;
		b->left -= len;
		break;
	}
}

static void put_command(struct stream_writer *w, enum stream_cmd_id id, struct bytes *b)
{
	const struct stream_cmd_row *row = stream_cmd_row(id);

	stream_begin(w, id);
	for (unsigned attr = 1; attr < STREAM_ATTRS; attr++)
		if (attr != STREAM_A_DATA && (row->must & STREAM_BIT(attr)))
			put_attr(w, id, attr, b);
	if (row->must & STREAM_BIT(STREAM_A_DATA))
		put_attr(w, id, STREAM_A_DATA, b);
	stream_end(w); /* what makes no sense is left out */
}

/* One byte says which command, one each what is in it. */
static void compose(struct lab *lab, struct bytes *b, unsigned version)
{
	struct stream_writer *w = stream_writer_new(lab_write, lab, version);
	struct bytes vol = {NULL, 0};

	check(w != NULL, "memory");
	stream_begin(w, STREAM_C_SUBVOL);
	stream_put_text(w, STREAM_A_PATH, "vol");
	stream_put_bytes(w, STREAM_A_UUID, "0123456789abcdef", 16);
	stream_put_number(w, STREAM_A_CTRANSID, 7);
	check(!stream_end(w), "a subvolume");
	while (b->left) {
		unsigned id = 1 + next(b) % (STREAM_CMDS - 1);

		if (stream_cmd_row(id) && stream_cmd_row(id)->version <= version &&
		    id != STREAM_C_END)
			put_command(w, id, b);
	}
	put_command(w, STREAM_C_END, &vol);
	stream_writer_free(w);
}

/* Any payloads. */
static void wrap(struct lab *lab, struct bytes *b, unsigned version)
{
	size_t len;

	lab_header(lab, version);
	lab_subvol(lab);
	while (b->left >= 3) {
		lab_begin(lab, next(b) % (STREAM_CMDS + 1));
		len = next(b);
		if (len > b->left)
			len = b->left;
		lab_append(lab, b->at, len);
		lab_end(lab);
		b->at += len;
		b->left -= len;
	}
	lab_begin(lab, STREAM_C_END);
	lab_end(lab);
}

/* A stream, and checksums that fit to what has become of it. */
static void mend(struct lab *lab, struct bytes *b)
{
	size_t at = STREAM_HEADER_LEN, len;

	lab_append(lab, b->at, b->left);
	while (lab->len > at && lab->len - at >= STREAM_CMD_LEN) {
		len = get_le32(lab->bytes + at);
		if (len > lab->len - at - STREAM_CMD_LEN)
			break;
		len += STREAM_CMD_LEN;
		put_le32(lab->bytes + at + 6, 0);
		put_le32(lab->bytes + at + 6, lab_crc32c(0, lab->bytes + at, len));
		at += len;
	}
}

/* Receiving -------------------------------------------------------------------------- */

static void silent(const char *text)
{
}

static int pass(struct stream_reader *r, struct apply *a, struct partial *p, bool look, size_t most)
{
	struct stream_cmd cmd;
	int ret = 0;

	while (most-- && !ret && (ret = stream_reader_next(r, &cmd)) > 0)
		ret = look ? partial_look(p, &cmd)
		      : p  ? partial_command(p, a, &cmd)
			   : apply_command(a, &cmd);
	return ret;
}

static bool look(struct lab *lab, struct partial *p)
{
	struct stream_reader *r = stream_reader_new(lab_read, lab);
	int ret;

	lab->at = 0;
	check(r != NULL, "memory");
	ret = pass(r, NULL, p, true, SIZE_MAX);
	stream_reader_free(r);
	return !ret && !partial_looked(p);
}

/* As run.c does it.  @most: it breaks off after so many commands. */
static void receive(struct lab *lab, struct apply_opts opts, struct partial *p, size_t most)
{
	struct apply a = {.o = opts, .warn = silent};
	struct stream_reader *r = stream_reader_new(lab_read, lab);
	struct cr_ns *ns = cr_ns_new();
	struct file *target = NULL;
	int err;

	lab->at = 0;
	check(r && ns && !cr_open(ns, BOX "/in", O_RDONLY | O_DIRECTORY, 0, &target), "target");
	if (lab->len % 3 == 0)
		a.verify = verify_new();
	check(!apply_init(&a, target, r), "apply_init");
	err = pass(r, &a, p, false, most);
	if (!err)
		err = apply_settle(&a);
	else
		apply_settle(&a);
	if (!err && most == SIZE_MAX)
		err = apply_complete(&a);
	if (err || most != SIZE_MAX) {
		apply_stop(&a);
		if (p)
			partial_drop(&a);
	}
	apply_end(&a);
	verify_free(a.verify);
	cr_close(target);
	cr_ns_free(ns);
	stream_reader_free(r);
}

static void receive_part(struct lab *lab, struct apply_opts opts)
{
	char *patterns[] = {"d", "?"};
	struct partial *p = partial_new(patterns, lab->len % 2 + 1);

	check(p != NULL, "memory");
	opts.partial = true;
	if (look(lab, p))
		receive(lab, opts, p, SIZE_MAX);
	partial_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct apply_opts opts = {.jobs = 1};
	struct lab lab = {0};
	struct bytes b = {data + 2, size - 2};

	if (size < 3)
		return 0;
	make_box();
	opts.trust = data[0] & 8;
	opts.force_decompress = data[0] & 16;
	if (data[0] & 128)
		mend(&lab, &b);
	else if (data[0] & 4)
		wrap(&lab, &b, 1 + data[0] % 3);
	else
		compose(&lab, &b, 1 + data[0] % 3);
	if (data[0] & 32) {
		receive_part(&lab, opts);
	} else if (data[0] & 64) {
		receive(&lab, opts, NULL, data[1] % 16);
		opts.resume = true;
		receive(&lab, opts, NULL, SIZE_MAX);
	} else {
		receive(&lab, opts, NULL, SIZE_MAX);
	}
	lab_free(&lab);
	check_box();
	return 0;
}
