// SPDX-License-Identifier: GPL-2.0-or-later
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "apply.h"
#include "lib/crc32c.h"

#define MAGIC	      UINT64_C(0x3276656365722d6f) /* "o-recev2" */
#define HASHES	      16u			   /* of the last commands: done is among them */
#define RECORD_FOLDER "/dev/shm/"
#define BOOT_ID	      "/proc/sys/kernel/random/boot_id"

/* The subvolume in hand: written beside the one that counts, and then it counts. */
struct in_hand {
	uint64_t subvol, root_ino;
};

/* Each store is whole, and they are made in the order of the program. */
struct record_page {
	uint64_t magic;
	atomic_uint_least64_t done, begun;
	atomic_uint which;
	struct in_hand in_hand[2];
	uint64_t hash[HASHES];
	atomic_uint_least64_t slots[STATE_SLOTS];
};

/* The file. */
struct on_disk {
	uint64_t magic;
	char boot_id[40];
	char record[64]; /* below RECORD_FOLDER, or "" */
	uint32_t has_position;
	uint32_t pad;
	struct state_position position;
	char temp[STATE_NAME], checkpoint[STATE_NAME];
	uint64_t sum; /* XXH3 of all before */
};

struct state {
	struct file *target;
	char file_name[STATE_NAME + 16];
	struct on_disk disk;
	char temp[STATE_NAME]; /* of the subvolume in hand */
	struct record_page *page;
	int record_fd; /* locked; -1: the page is plain memory */
	uint64_t hash;
	unsigned next_slot;
};

struct state *state_new(struct file *target, const char *name)
{
	struct state *s = calloc(1, sizeof(*s));
	uint64_t h = XXH3_64bits(name, strlen(name));

	if (!s)
		return NULL;
	s->target = target;
	s->record_fd = -1;
	if (strlen(name) > 240)
		snprintf(s->file_name, sizeof(s->file_name), "%.200s.%016llx.state", name,
			 (unsigned long long)h);
	else
		snprintf(s->file_name, sizeof(s->file_name), "%s.state", name);
	return s;
}

static void boot_id(char id[40])
{
	int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, id, 39);

	id[n < 0 ? 0 : n] = '\0';
	if (fd >= 0)
		close(fd);
}

/* The file --------------------------------------------------------------------------- */

static int open_folder(struct state *s, struct file **dirp)
{
	return cr_openat(s->target, RECEIVE_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0,
			 dirp);
}

int state_load(struct state *s)
{
	struct file *dir, *file;
	ssize_t n;
	int err = open_folder(s, &dir);

	if (err)
		return err;
	err = cr_openat(dir, s->file_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0,
			&file);
	cr_close(dir);
	if (err)
		return err;
	n = cr_read(file, &s->disk, sizeof(s->disk), 0);
	cr_close(file);
	if (n < 0)
		return (int)n;
	if ((size_t)n != sizeof(s->disk) || s->disk.magic != MAGIC ||
	    s->disk.sum != XXH3_64bits(&s->disk, offsetof(struct on_disk, sum)))
		return -EUCLEAN;
	s->disk.record[sizeof(s->disk.record) - 1] = '\0';
	s->disk.temp[STATE_NAME - 1] = s->disk.checkpoint[STATE_NAME - 1] = '\0';
	return 0;
}

static int write_new(struct state *s, struct file *dir, const char *temp)
{
	struct file *file;
	ssize_t n;
	int err = cr_openat(dir, temp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600,
			    &file);

	if (err)
		return err;
	n = cr_write(file, &s->disk, sizeof(s->disk), 0);
	err = n < 0 ? (int)n : (size_t)n < sizeof(s->disk) ? -EIO : 0;
	if (!err && s->disk.has_position)
		err = cr_sync(file, false);
	cr_close(file);
	return err;
}

/* Without a position it is of no use after the machine went down: no sync then. */
static int write_file(struct state *s)
{
	char temp[sizeof(s->file_name) + 4];
	struct file *dir;
	int err = cr_mkdir(s->target, RECEIVE_DIR, 0700);

	if (err && err != -EEXIST)
		return err;
	err = open_folder(s, &dir);
	if (err)
		return err;
	s->disk.magic = MAGIC;
	s->disk.sum = XXH3_64bits(&s->disk, offsetof(struct on_disk, sum));
	snprintf(temp, sizeof(temp), "%.*s.new", (int)sizeof(s->file_name) - 12, s->file_name);
	err = write_new(s, dir, temp);
	if (!err)
		err = cr_rename(dir, temp, s->file_name, 0);
	if (!err && s->disk.has_position)
		err = cr_sync(dir, false);
	cr_close(dir);
	return err;
}

/* The record ------------------------------------------------------------------------- */

static int record_path(char path[96], const char *name)
{
	if (!*name || strchr(name, '/'))
		return -ENOENT;
	snprintf(path, 96, RECORD_FOLDER "%.64s", name);
	return 0;
}

/* Only our own, and nobody else's file of that name. */
static int record_open(struct state *s)
{
	char path[96];
	struct stat st;
	int fd, err = record_path(path, s->disk.record);

	if (err)
		return err;
	fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -ENOENT;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    st.st_size != sizeof(*s->page))
		err = -ENOENT;
	else if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		err = -EBUSY;
	if (!err) {
		s->page = mmap(NULL, sizeof(*s->page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (s->page == MAP_FAILED) {
			s->page = NULL;
			err = -ENOENT;
		}
	}
	if (!err && s->page->magic == MAGIC) {
		s->record_fd = fd;
		return 0;
	}
	close(fd);
	return err ? err : -ENOENT;
}

/* All of its pages are there from the start: a full memory is an error now, and no signal later. */
static void record_new(struct state *s)
{
	struct record_page empty = {.magic = MAGIC};
	uint64_t random;
	char path[96];

	s->disk.record[0] = '\0';
	if (getrandom(&random, sizeof(random), 0) == sizeof(random)) {
		snprintf(s->disk.record, sizeof(s->disk.record), "ocp-receive.%016llx",
			 (unsigned long long)random);
		record_path(path, s->disk.record);
		s->record_fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	}
	if (s->record_fd >= 0 && (pwrite(s->record_fd, &empty, sizeof(empty), 0) != sizeof(empty) ||
				  flock(s->record_fd, LOCK_EX | LOCK_NB) < 0)) {
		unlink(path);
		close(s->record_fd);
		s->record_fd = -1;
	}
	if (s->record_fd >= 0)
		s->page = mmap(NULL, sizeof(*s->page), PROT_READ | PROT_WRITE, MAP_SHARED,
			       s->record_fd, 0);
	if (s->record_fd < 0 || s->page == MAP_FAILED)
		s->page = NULL;
}

void state_drop_record(struct state *s)
{
	char path[96];

	if (s && s->record_fd >= 0 && !record_path(path, s->disk.record))
		unlink(path);
}

static void record_remove(struct state *s)
{
	state_drop_record(s);
	if (s->record_fd >= 0 && s->page)
		munmap(s->page, sizeof(*s->page));
	else
		free(s->page);
	if (s->record_fd >= 0)
		close(s->record_fd);
	s->page = NULL;
	s->record_fd = -1;
}

static void page_to(const struct record_page *page, struct state_position *pos)
{
	struct in_hand hand = page->in_hand[atomic_load(&page->which) & 1];

	*pos = (struct state_position){
		.done = atomic_load(&page->done),
		.begun = atomic_load(&page->begun),
		.subvol = hand.subvol,
		.root_ino = hand.root_ino,
	};
	if (pos->begun < pos->done)
		pos->begun = pos->done;
	pos->hash = page->hash[pos->done % HASHES];
	for (unsigned i = 0; i < STATE_SLOTS; i++)
		pos->slots[i] = atomic_load(&page->slots[i]);
}

int state_position(struct state *s, struct state_position *pos, char temp[STATE_NAME],
		   char checkpoint[STATE_NAME])
{
	char now[40];
	int err;

	boot_id(now);
	memcpy(temp, s->disk.temp, STATE_NAME);
	checkpoint[0] = '\0';
	err = strcmp(now, s->disk.boot_id) != 0 ? -ENOENT : record_open(s);
	if (!err) {
		page_to(s->page, pos);
		record_remove(s); /* another one takes over */
		return 0;
	}
	if (err == -EBUSY)
		return err;
	if (!s->disk.has_position)
		return -ESTALE;
	*pos = s->disk.position;
	memcpy(checkpoint, s->disk.checkpoint, STATE_NAME);
	return 0;
}

const char *state_checkpoint(const struct state *s)
{
	return s ? s->disk.checkpoint : "";
}

int state_start(struct state *s, const struct state_position *pos)
{
	boot_id(s->disk.boot_id);
	if (!s->disk.checkpoint[0])
		s->disk.has_position = 0;
	record_new(s);
	if (!s->page) {
		s->disk.record[0] = '\0';
		s->page = calloc(1, sizeof(*s->page));
	}
	if (!s->page)
		return -ENOMEM;
	if (pos) {
		s->page->in_hand[0] = (struct in_hand){pos->subvol, pos->root_ino};
		s->page->hash[pos->done % HASHES] = pos->hash;
		for (unsigned i = 0; i < STATE_SLOTS; i++)
			atomic_store(&s->page->slots[i], pos->slots[i]);
		atomic_store(&s->page->begun, pos->begun);
		atomic_store(&s->page->done, pos->done);
	}
	return write_file(s);
}

/* As it goes ------------------------------------------------------------------------- */

/* Its header has its length and its checksum, which the reader found right. */
uint64_t state_command(struct state *s, const struct stream_cmd *cmd)
{
	if (!s)
		return 0;
	s->hash = XXH3_64bits_withSeed(cmd->bytes, STREAM_CMD_LEN, s->hash);
	return s->hash;
}

void state_subvol(struct state *s, uint64_t count, uint64_t root_ino, const char *temp)
{
	unsigned other;

	if (!s)
		return;
	snprintf(s->temp, sizeof(s->temp), "%s", temp);
	other = (atomic_load(&s->page->which) & 1) ^ 1;
	s->page->in_hand[other] = (struct in_hand){count, root_ino};
	atomic_store(&s->page->which, other);
}

void state_begun(struct state *s, uint64_t count)
{
	if (s)
		atomic_store_explicit(&s->page->begun, count, memory_order_release);
}

void state_done(struct state *s, uint64_t count, uint64_t hash)
{
	if (!s)
		return;
	s->page->hash[count % HASHES] = hash;
	atomic_store_explicit(&s->page->done, count, memory_order_release);
}

void state_slot_set(struct state *s, struct op *op)
{
	op->slot = -1;
	if (!s)
		return;
	for (unsigned i = 0; i < STATE_SLOTS; i++) {
		unsigned slot = (s->next_slot + i) % STATE_SLOTS;
		uint64_t there = atomic_load_explicit(&s->page->slots[slot], memory_order_relaxed);

		if (there && there != op->command)
			continue;
		s->next_slot = slot + 1;
		op->slot = (int)slot;
		atomic_store_explicit(&s->page->slots[slot], op->command, memory_order_release);
		return;
	}
}

void state_slot_clear(struct state *s, int slot)
{
	if (s && slot >= 0)
		atomic_store_explicit(&s->page->slots[slot], 0, memory_order_release);
}

void state_forget(struct state *s, uint64_t count)
{
	for (unsigned i = 0; s && i < STATE_SLOTS; i++)
		if (atomic_load_explicit(&s->page->slots[i], memory_order_relaxed) == count)
			atomic_store_explicit(&s->page->slots[i], 0, memory_order_release);
}

int state_save(struct state *s, const char *checkpoint)
{
	if (!s)
		return 0;
	page_to(s->page, &s->disk.position);
	s->disk.has_position = 1;
	memcpy(s->disk.temp, s->temp, sizeof(s->disk.temp));
	memset(s->disk.checkpoint, 0, sizeof(s->disk.checkpoint));
	if (checkpoint)
		snprintf(s->disk.checkpoint, sizeof(s->disk.checkpoint), "%s", checkpoint);
	return write_file(s);
}

void state_remove(struct state *s)
{
	struct file *dir;

	if (!s)
		return;
	if (!open_folder(s, &dir)) {
		cr_unlink(dir, s->file_name, 0);
		cr_close(dir);
	}
	cr_unlink(s->target, RECEIVE_DIR, AT_REMOVEDIR); /* unless there are records in it */
	record_remove(s);
}

void state_free(struct state *s)
{
	if (!s)
		return;
	if (s->page && s->record_fd >= 0)
		munmap(s->page, sizeof(*s->page));
	else
		free(s->page);
	if (s->record_fd >= 0)
		close(s->record_fd);
	free(s);
}
