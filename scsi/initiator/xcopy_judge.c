// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xcopy_judge.c - what sense data mean for a copy by the array (SPC-4 6.4.3, and what arrays
 * are known to answer).
 *
 *	05/2600		a field of the list, most often how the list is identified: in the
 *			other way, once
 *	05/2606 2608 1A00 260B	more than the array takes: half as many segments, and its
 *			limits are asked again
 *	05/2607		a CSCD descriptor it does not know: by the next name
 *	05/2609		a segment type: 02h, which all know
 *	05/2000 2400	no such command there: never again for this unit
 *	05/2615 2616	not for us, or not quickly: not for this pair
 *	0A/0D02 0804	cannot reach the other unit: not for this pair
 *	0A/..., 05/260A 260C 260D	this command failed: its range in another way
 *	05/2100, 07/27xx, a reservation	no way will do: an error
 *	no answer, since the session was lost	again in the next one, once the unit has shown that
 *			it is the same
 *	06/..., BUSY	again; limits and capacity are asked again where they changed
 */
#include <errno.h>

#include "scsi/proto/scsi.h"
#include "xcopy_impl.h"

/* Not in sense.h, since the target never says them. */
enum {
	ASC_UNREACHABLE_TARGET = 0x0804,
	ASC_INEXACT_SEGMENT = 0x260a,
	ASC_INVALID_OPERATION = 0x260c,
	ASC_GRANULARITY = 0x260d,
	ASC_NOT_AUTHORIZED = 0x2615,
	ASC_NOT_FAST = 0x2616,
	ASC_CAPACITY_CHANGED = 0x2a09,
	ASC_INQUIRY_CHANGED = 0x3f03,
	ASC_LUNS_CHANGED = 0x3f0e,
};

int xcopy_refuse(struct xcopy *x, enum xcopy_scope scope, const char *reason, uint64_t after)
{
	x->reason = reason;
	x->scope = scope;
	x->after = after;
	return -EOPNOTSUPP;
}

/* The first refusal is told: that of the lowest place may come later, and says much the same. */
static enum xcopy_verdict refuse(struct driver *d, const struct slot *slot, enum xcopy_scope scope,
				 const char *reason)
{
	if (slot->at < d->bad || !d->x->reason) {
		xcopy_refuse(d->x, scope, reason, 0);
		d->failed = slot->now;
	}
	return XCOPY_OVER;
}

static enum xcopy_verdict fatal(struct driver *d, int err)
{
	if (!d->err)
		d->err = err;
	return XCOPY_OVER;
}

static enum xcopy_verdict other_usage(struct driver *d, const struct slot *slot)
{
	/* Another command has learned it meanwhile. */
	if (slot->usage != d->usage || slot->lid4 != d->lid4)
		return XCOPY_AGAIN;
	if (d->usage_tried)
		return refuse(d, slot, XCOPY_UNIT, "the array does not take our parameter list");
	d->usage_tried = true;
	if (d->lid4) {
		d->lid4 = false;
		d->usage = d->x->dst->copy.snlid ? LIST_ID_NONE : LIST_ID_DISCARD;
	} else {
		d->usage = d->usage == LIST_ID_NONE ? LIST_ID_DISCARD : LIST_ID_NONE;
	}
	return XCOPY_AGAIN;
}

static enum xcopy_verdict smaller(struct driver *d, const struct slot *slot)
{
	if (d->segments == 1)
		return refuse(d, slot, XCOPY_UNIT, "the array does not take even one segment");
	d->segments /= 2;
	return XCOPY_AGAIN;
}

static enum xcopy_verdict other_type(struct driver *d, const struct slot *slot)
{
	if (slot->type != SEGMENT_BLOCKS) {
		d->type = SEGMENT_BLOCKS;
		xcopy_segments(d);
		return XCOPY_AGAIN;
	}
	return refuse(d, slot, XCOPY_UNIT, "the array does not copy from blocks to blocks");
}

static enum xcopy_verdict other_name(struct driver *d, struct slot *slot)
{
	if (slot->again++ > 8)
		return refuse(d, slot, XCOPY_PAIR,
			      "the array does not know its units by our names");
	if (d->name_dst + 1 < d->x->dst->names && d->name_src + 1 < d->x->src->names) {
		d->name_dst++;
		d->name_src++;
		return XCOPY_AGAIN;
	}
	return refuse(d, slot, XCOPY_PAIR, "the array does not know its units by our names");
}

static enum xcopy_verdict illegal(struct driver *d, struct slot *slot, uint16_t asc)
{
	switch (asc) {
	case ASC_INVALID_FIELD_IN_LIST:
		return other_usage(d, slot);
	case ASC_TOO_MANY_CSCDS:
	case ASC_TOO_MANY_SEGMENTS:
	case ASC_PARAMETER_LIST_LENGTH:
	case ASC_INLINE_TOO_LONG:
		return smaller(d, slot);
	case ASC_CSCD_TYPE:
		return other_name(d, slot);
	case ASC_SEGMENT_TYPE:
		return other_type(d, slot);
	case ASC_INVALID_OPCODE:
	case ASC_INVALID_FIELD_IN_CDB:
		if (slot->lid4) {
			d->lid4 = false;
			d->usage = d->x->dst->copy.snlid ? LIST_ID_NONE : LIST_ID_DISCARD;
			return XCOPY_AGAIN;
		}
		return refuse(d, slot, XCOPY_UNIT, "the array has no EXTENDED COPY");
	case ASC_NOT_AUTHORIZED:
		return refuse(d, slot, XCOPY_PAIR, "the array does not let us copy between these");
	case ASC_NOT_FAST:
		return refuse(d, slot, XCOPY_PAIR, "the array says that it cannot copy this fast");
	case ASC_GRANULARITY:
	case ASC_INEXACT_SEGMENT:
	case ASC_INVALID_OPERATION:
		return refuse(d, slot, XCOPY_RANGE, "the array does not copy ranges cut like this");
	case ASC_LBA_OUT_OF_RANGE:
		return fatal(d, -ENOSPC);
	case ASC_LUN_NOT_SUPPORTED:
		return fatal(d, -ENODEV);
	default:
		return refuse(d, slot, XCOPY_RANGE, "the array refused the copy");
	}
}

static enum xcopy_verdict aborted(struct driver *d, const struct slot *slot, uint16_t asc)
{
	if (d->aborted)
		return XCOPY_OVER;
	if (asc == ASC_COPY_TARGET_NOT_REACHABLE || asc == ASC_UNREACHABLE_TARGET)
		return refuse(d, slot, XCOPY_PAIR, "the array does not reach the other one");
	return refuse(d, slot, XCOPY_RANGE, "the array gave up the copy");
}

static enum xcopy_verdict check(struct driver *d, struct slot *slot)
{
	const struct sense *s = &slot->cmd.sense;

	switch (slot->cmd.sensed ? s->key : KEY_HARDWARE_ERROR) {
	case KEY_ILLEGAL_REQUEST:
		return illegal(d, slot, s->asc);
	case KEY_COPY_ABORTED:
		return aborted(d, slot, s->asc);
	case KEY_DATA_PROTECT:
		return fatal(d, s->asc == ASC_SPACE_ALLOCATION_FAILED ? -ENOSPC : -EROFS);
	default:
		return refuse(d, slot, XCOPY_RANGE, "the array failed to copy");
	}
}

enum xcopy_verdict xcopy_judge(struct driver *d, struct slot *slot)
{
	struct scsi_cmd *cmd = &slot->cmd;
	int err = scsi_errno(cmd);
	uint16_t asc = cmd->sensed ? cmd->sense.asc : 0;

	if (!err)
		return XCOPY_DONE;
	/* What a session that was lost had begun has ended with it: the same piece once more. */
	if (cmd->err && scsi_again(cmd, &slot->tries))
		return XCOPY_AGAIN;
	if (cmd->err) /* nobody knows whether the array still writes */
		return fatal(d, cmd->err);
	if (scsi_again(cmd, &slot->tries)) {
		if (asc == ASC_CAPACITY_CHANGED || asc == ASC_INQUIRY_CHANGED ||
		    asc == ASC_LUNS_CHANGED)
			err = scsi_probe_limits(cmd->lu);
		return asc && err == -ENODEV ? fatal(d, err) : XCOPY_AGAIN;
	}
	if (cmd->status == STATUS_RESERVATION_CONFLICT)
		return fatal(d, -EBUSY);
	if (cmd->status != STATUS_CHECK_CONDITION)
		return refuse(d, slot, XCOPY_RANGE, "the array is too busy to copy");
	return check(d, slot);
}

uint64_t xcopy_bytes(const struct copy_status_lid4 *s, uint32_t block)
{
	unsigned shift = s->units <= 6 ? s->units * 10u : 0;

	if (s->units == COPY_UNIT_BLOCKS)
		return s->count > INT64_MAX / block ? 0 : s->count * block;
	if (s->units > 6 || (shift && s->count >> (63 - shift)))
		return 0;
	return s->count << shift;
}
