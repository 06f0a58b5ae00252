// SPDX-License-Identifier: GPL-2.0-or-later
/* What the RECEIVE COPY RESULTS family of commands answers. */
#include <errno.h>
#include <string.h>

#include "lib/bytes.h"
#include "xcopy.h"

size_t copy_limits_encode(const struct copy_limits_data *limits, uint8_t *data)
{
	unsigned codes = limits->codes < COPY_LIMITS_CODES ? limits->codes : COPY_LIMITS_CODES;
	size_t len = 44 + codes;

	memset(data, 0, len);
	put_be32(data, (uint32_t)(len - 4));
	data[4] = limits->snlid ? 1 : 0;
	put_be16(data + 8, limits->cscds);
	put_be16(data + 10, limits->segments);
	put_be32(data + 12, limits->list_len);
	put_be32(data + 16, limits->segment_bytes);
	put_be32(data + 20, limits->inline_bytes);
	put_be32(data + 24, limits->held_bytes);
	put_be32(data + 28, limits->stream_bytes);
	put_be16(data + 34, limits->total_copies);
	data[36] = limits->copies;
	data[37] = limits->granularity;
	data[38] = limits->inline_granularity;
	data[39] = limits->held_granularity;
	data[43] = (uint8_t)codes;
	memcpy(data + 44, limits->code, codes);
	return len;
}

int copy_limits_decode(struct copy_limits_data *limits, const uint8_t *data, size_t len)
{
	unsigned codes;

	*limits = (struct copy_limits_data){0};
	if (len < 44 || get_be32(data) < 40)
		return -EBADMSG;
	limits->snlid = data[4] & 1;
	limits->cscds = get_be16(data + 8);
	limits->segments = get_be16(data + 10);
	limits->list_len = get_be32(data + 12);
	limits->segment_bytes = get_be32(data + 16);
	limits->inline_bytes = get_be32(data + 20);
	limits->held_bytes = get_be32(data + 24);
	limits->stream_bytes = get_be32(data + 28);
	limits->total_copies = get_be16(data + 34);
	limits->copies = data[36];
	limits->granularity = data[37];
	limits->inline_granularity = data[38];
	limits->held_granularity = data[39];
	codes = data[43] < len - 44 ? data[43] : (unsigned)(len - 44);
	limits->codes = (uint8_t)(codes < COPY_LIMITS_CODES ? codes : COPY_LIMITS_CODES);
	memcpy(limits->code, data + 44, limits->codes);
	return 0;
}

void copy_status_lid1_encode(const struct copy_status_lid1 *status, uint8_t *data)
{
	memset(data, 0, COPY_STATUS_LID1_SIZE);
	put_be32(data, COPY_STATUS_LID1_SIZE - 4);
	data[4] = (uint8_t)((status->held_discarded ? 0x80 : 0) | (status->status & 0x7f));
	put_be16(data + 5, status->segments);
	data[7] = status->units;
	put_be32(data + 8, status->count);
}

int copy_status_lid1_decode(struct copy_status_lid1 *status, const uint8_t *data, size_t len)
{
	*status = (struct copy_status_lid1){0};
	if (len < COPY_STATUS_LID1_SIZE || get_be32(data) < COPY_STATUS_LID1_SIZE - 4)
		return -EBADMSG;
	status->held_discarded = data[4] & 0x80;
	status->status = data[4] & 0x7f;
	status->segments = get_be16(data + 5);
	status->units = data[7];
	status->count = get_be32(data + 8);
	return 0;
}

size_t copy_status_lid4_encode(const struct copy_status_lid4 *status, size_t more, uint8_t *data)
{
	size_t sense = status->sense_len <= COPY_SENSE_MAX ? status->sense_len : COPY_SENSE_MAX;
	size_t field = (sense + 3) & ~(size_t)3;

	memset(data, 0, 32 + field);
	put_be32(data, (uint32_t)(28 + field + more));
	data[4] = status->response_to & 0x1f;
	data[5] = status->status & 0x7f;
	put_be16(data + 6, status->counter);
	put_be32(data + 8, status->delay_ms);
	data[12] = status->completion;
	data[13] = (uint8_t)field;
	data[14] = (uint8_t)sense;
	data[15] = status->units;
	put_be64(data + 16, status->count);
	put_be16(data + 24, status->segments);
	memcpy(data + 32, status->sense, sense);
	return 32 + field;
}

int copy_status_lid4_decode(struct copy_status_lid4 *status, const uint8_t *data, size_t len)
{
	*status = (struct copy_status_lid4){0};
	if (len < 32 || get_be32(data) < 28 || len - 32 < data[13] || data[14] > data[13])
		return -EBADMSG;
	status->response_to = data[4] & 0x1f;
	status->status = data[5] & 0x7f;
	status->counter = get_be16(data + 6);
	status->delay_ms = get_be32(data + 8);
	status->completion = data[12];
	status->units = data[15];
	status->count = get_be64(data + 16);
	status->segments = get_be16(data + 24);
	status->sense_len = data[14] <= COPY_SENSE_MAX ? data[14] : COPY_SENSE_MAX;
	memcpy(status->sense, data + 32, status->sense_len);
	return 32 + data[13];
}

size_t copy_failure_encode(const struct copy_failure *failure, uint8_t *data)
{
	size_t sense = failure->sense_len <= COPY_SENSE_MAX ? failure->sense_len : COPY_SENSE_MAX;

	memset(data, 0, 60);
	put_be32(data, (uint32_t)(56 + sense));
	data[56] = failure->status;
	put_be16(data + 58, (uint16_t)sense);
	memcpy(data + 60, failure->sense, sense);
	return 60 + sense;
}

int copy_failure_decode(struct copy_failure *failure, const uint8_t *data, size_t len)
{
	*failure = (struct copy_failure){0};
	if (len < 60 || get_be32(data) < 56 || get_be16(data + 58) > len - 60)
		return -EBADMSG;
	failure->status = data[56];
	failure->sense_len = get_be16(data + 58);
	if (failure->sense_len > COPY_SENSE_MAX)
		failure->sense_len = COPY_SENSE_MAX;
	memcpy(failure->sense, data + 60, failure->sense_len);
	return 0;
}
