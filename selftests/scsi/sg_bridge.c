// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sg_bridge.c - programs that speak to SCSI disks through the kernel speak to LUNs of iSCSI.
 *
 *	SG_BRIDGE='/dev/sg90=iscsi://HOST:PORT/IQN/0 /dev/sg91=...' LD_PRELOAD=sg_bridge.so sg_xcopy
 *...
 *
 * A name of SG_BRIDGE looks like a character device of the sg driver; SG_IO on it is a command
 * to the LUN by libiscsi, one at a time on a session of its own.  No such device is needed, nor
 * a kernel that has the driver.
 */
#undef _FORTIFY_SOURCE /* its open() is an inline one */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <scsi/sg.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define EXPORT	      __attribute__((visibility("default")))
#define DEVICES_MAX   8
#define FDS_MAX	      1024
#define SG_MAJOR      21
#define SG_VERSION    30536 /* version 3 of the interface */
#define HOST_ERROR    7
#define DRIVER_SENSE  8
#define NAMES_MAX     4096
#define SENSE_LEN     2 /* bytes before the sense data, that say how many there are */
#define MS_PER_SECOND 1000

/* The process is a tool of one thread; what it has open is the process's. */
static struct device {
	const char *name, *url;
	struct iscsi_context *iscsi;
	int lun;
} devices[DEVICES_MAX];
static unsigned n_devices;
static signed char device_of[FDS_MAX]; /* and 1; 0: none */

#define NEXT(type, name) ((type)dlsym(RTLD_NEXT, name))
typedef int open_fn(const char *, int, ...);
typedef int stat_fn(const char *, struct stat64 *);
typedef int fstat_fn(int, struct stat64 *);
typedef int ioctl_fn(int, unsigned long, ...);
typedef int close_fn(int);

/* Constructors of libraries come here before one of ours could run. */
static void read_names(void)
{
	static char copy[NAMES_MAX];
	const char *names = getenv("SG_BRIDGE");
	char *word, *rest = copy, *equals;

	if (*copy || !names)
		return;
	snprintf(copy, sizeof(copy), "%s", names);
	while (n_devices < DEVICES_MAX && (word = strsep(&rest, " "))) {
		equals = strchr(word, '=');
		if (!equals)
			continue;
		*equals = 0;
		devices[n_devices++] = (struct device){.name = word, .url = equals + 1};
	}
}

static struct device *by_name(const char *name)
{
	read_names();
	for (unsigned i = 0; name && i < n_devices; i++)
		if (!strcmp(devices[i].name, name))
			return &devices[i];
	return NULL;
}

static struct device *by_fd(int fd)
{
	return fd >= 0 && fd < FDS_MAX && device_of[fd] ? &devices[device_of[fd] - 1] : NULL;
}

static bool log_in(struct device *d)
{
	struct iscsi_url *url = NULL;

	if (d->iscsi)
		return true;
	d->iscsi = iscsi_create_context("iqn.2026-11.test:bridge");
	if (d->iscsi)
		url = iscsi_parse_full_url(d->iscsi, d->url);
	if (!url)
		return false;
	d->lun = url->lun;
	iscsi_set_session_type(d->iscsi, ISCSI_SESSION_NORMAL);
	if (!iscsi_set_targetname(d->iscsi, url->target) &&
	    !iscsi_full_connect_sync(d->iscsi, url->portal, url->lun)) {
		iscsi_destroy_url(url);
		return true;
	}
	fprintf(stderr, "sg_bridge: %s: %s\n", d->url, iscsi_get_error(d->iscsi));
	iscsi_destroy_url(url);
	iscsi_destroy_context(d->iscsi);
	d->iscsi = NULL;
	return false;
}

static int open_device(struct device *d, int flags)
{
	int fd;

	if (!log_in(d)) {
		errno = ENXIO;
		return -1;
	}
	fd = NEXT(open_fn *, "open64")("/dev/null", flags);
	if (fd >= FDS_MAX) {
		NEXT(close_fn *, "close")(fd);
		errno = EMFILE;
		return -1;
	}
	if (fd >= 0)
		device_of[fd] = (signed char)(d - devices + 1);
	return fd;
}

EXPORT int open64(const char *name, int flags, ...)
{
	struct device *d = by_name(name);
	va_list args;
	mode_t mode;

	if (d)
		return open_device(d, flags);
	va_start(args, flags);
	mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
	va_end(args);
	return NEXT(open_fn *, "open64")(name, flags, mode);
}

/* What a call of open() with two arguments becomes in hardened programs. */
EXPORT int __open64_2(const char *name, int flags);
int __open64_2(const char *name, int flags)
{
	struct device *d = by_name(name);

	return d ? open_device(d, flags) : NEXT(open_fn *, "open64")(name, flags);
}

EXPORT int close(int fd)
{
	if (by_fd(fd))
		device_of[fd] = 0;
	return NEXT(close_fn *, "close")(fd);
}

static int stat_device(const struct device *d, struct stat64 *st)
{
	*st = (struct stat64){.st_mode = S_IFCHR | 0600,
			      .st_nlink = 1,
			      .st_rdev = makedev(SG_MAJOR, d - devices)};
	return 0;
}

EXPORT int stat64(const char *name, struct stat64 *st)
{
	struct device *d = by_name(name);

	return d ? stat_device(d, st) : NEXT(stat_fn *, "stat64")(name, st);
}

EXPORT int fstat64(int fd, struct stat64 *st)
{
	struct device *d = by_fd(fd);

	return d ? stat_device(d, st) : NEXT(fstat_fn *, "fstat64")(fd, st);
}

static void answer(struct sg_io_hdr *io, const struct scsi_task *task)
{
	int sense = task->datain.size - SENSE_LEN;

	io->status = (unsigned char)task->status;
	io->masked_status = (unsigned char)(task->status >> 1 & 0x1f);
	if (task->residual_status == SCSI_RESIDUAL_UNDERFLOW)
		io->resid = (int)task->residual;
	if (task->status == SCSI_STATUS_CHECK_CONDITION && io->sbp && sense > 0) {
		if (sense > io->mx_sb_len)
			sense = io->mx_sb_len;
		memcpy(io->sbp, task->datain.data + SENSE_LEN, (size_t)sense);
		io->sb_len_wr = (unsigned char)sense;
		io->driver_status = DRIVER_SENSE;
	}
	if (task->status)
		io->info |= SG_INFO_CHECK;
}

static int command(struct device *d, struct sg_io_hdr *io)
{
	bool out = io->dxfer_direction == SG_DXFER_TO_DEV && io->dxfer_len;
	bool in = io->dxfer_direction == SG_DXFER_FROM_DEV && io->dxfer_len;
	struct iscsi_data data = {.size = io->dxfer_len, .data = io->dxferp};
	struct scsi_task *task, *done;

	if (io->interface_id != 'S' || io->iovec_count || io->cmd_len > SCSI_CDB_MAX_SIZE) {
		errno = EINVAL;
		return -1;
	}
	io->status = io->masked_status = io->msg_status = io->sb_len_wr = 0;
	io->host_status = io->driver_status = 0;
	io->resid = 0;
	io->info = 0;
	task = scsi_create_task(io->cmd_len, io->cmdp,
				out  ? SCSI_XFER_WRITE
				: in ? SCSI_XFER_READ
				     : SCSI_XFER_NONE,
				(int)(out || in ? io->dxfer_len : 0));
	if (task && in && scsi_task_add_data_in_buffer(task, (int)io->dxfer_len, io->dxferp))
		task = NULL;
	if (!task) {
		errno = ENOMEM;
		return -1;
	}
	iscsi_set_timeout(d->iscsi, (int)(io->timeout / MS_PER_SECOND));
	done = iscsi_scsi_command_sync(d->iscsi, d->lun, task, out ? &data : NULL);
	if (done && done->status <= 0xff)
		answer(io, done);
	else
		io->host_status = HOST_ERROR;
	scsi_free_scsi_task(task);
	return 0;
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
	struct device *d = by_fd(fd);
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (!d)
		return NEXT(ioctl_fn *, "ioctl")(fd, request, arg);
	switch (request) {
	case SG_IO:
		return command(d, arg);
	case SG_GET_VERSION_NUM:
		*(int *)arg = SG_VERSION;
		return 0;
	default:
		errno = ENOTTY;
		return -1;
	}
}
