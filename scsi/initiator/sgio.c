// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sgio.c - commands through the kernel's SG_IO, on a disk, a partition of it (which means the
 * disk) or a generic device.
 *
 * EXTENDED COPY and what belongs to it need CAP_SYS_RAWIO (Linux drivers/scsi/scsi_ioctl.c).
 * The call waits, so one command is under way at a time.
 */
#include <errno.h>
#include <scsi/sg.h>
#include <sys/ioctl.h>

#include "initiator.h"
#include "scsi/proto/scsi.h"

/* Of sg_io_hdr.host_status, Linux include/scsi/scsi_status.h. */
enum { HOST_NO_CONNECT = 1, HOST_TIME_OUT = 3, HOST_DISRUPTED = 0xe, HOST_FAILFAST = 0xf };

static int host_errno(unsigned host)
{
	switch (host) {
	case 0:
		return 0;
	case HOST_TIME_OUT:
		return -ETIMEDOUT;
	case HOST_DISRUPTED: /* the kernel tries to get there again, and lets commands wait */
		return -ECONNRESET;
	case HOST_NO_CONNECT:
	case HOST_FAILFAST:
		return -ENOTCONN;
	default:
		return -EIO;
	}
}

static void take_answer(struct scsi_cmd *cmd, const struct sg_io_hdr *io)
{
	cmd->status = io->status;
	if (io->sb_len_wr)
		cmd->sensed = !sense_decode(&cmd->sense, io->sbp, io->sb_len_wr);
	/* Drivers set no status where there are sense data. */
	if (cmd->sensed && !cmd->status)
		cmd->status = STATUS_CHECK_CONDITION;
	if (cmd->in && !cmd->status)
		cmd->got = io->resid > 0 && (unsigned)io->resid <= cmd->len
				   ? cmd->len - (uint32_t)io->resid
				   : cmd->len;
	cmd->err = cmd->status ? 0 : host_errno(io->host_status);
}

static void start(struct scsi_cmd *cmd)
{
	const struct sgio_port *port = cmd->lu->port;
	unsigned size = scsi_cdb_size(cmd->cdb[0]);
	uint8_t sense[SENSE_MAX] = {0};
	struct sg_io_hdr io = {
		.interface_id = 'S',
		.dxfer_direction = cmd->out  ? SG_DXFER_TO_DEV
				   : cmd->in ? SG_DXFER_FROM_DEV
					     : SG_DXFER_NONE,
		.cmd_len = (unsigned char)(size ? size : CDB_MAX),
		.mx_sb_len = sizeof(sense),
		.dxfer_len = cmd->len,
		.dxferp = cmd->out ? (void *)cmd->out : cmd->in,
		.cmdp = cmd->cdb,
		.sbp = sense,
		.timeout = cmd->timeout * 1000,
	};

	if (ioctl(port->fd, SG_IO, &io) < 0)
		cmd->err = -errno;
	else
		take_answer(cmd, &io);
	cmd->done(cmd);
}

const struct scsi_transport sgio_transport = {
	.name = "sg",
	.start = start,
};
