// SPDX-License-Identifier: GPL-2.0-or-later
/* mode.c - MODE SENSE and MODE SELECT: the caching, control and exceptions pages. */
#include <string.h>

#include "lib/bytes.h"
#include "lu.h"

#define PAGE_CACHING	0x08
#define PAGE_CONTROL	0x0a
#define PAGE_EXCEPTIONS 0x1c
#define PAGE_ALL	0x3f
#define SUBPAGE_ALL	0xff

#define CACHING_LEN    20
#define CONTROL_LEN    12
#define EXCEPTIONS_LEN 12
#define PAGES_LEN      (CACHING_LEN + CONTROL_LEN + EXCEPTIONS_LEN)

/* Bits */
#define CACHING_WCE	0x04
#define CONTROL_D_SENSE 0x04
#define CONTROL_SWP	0x08
#define WRITE_PROTECTED 0x80
#define DPOFUA		0x10

/* PAGE CONTROL */
enum { CURRENT, CHANGEABLE, DEFAULT, SAVED };

static size_t put_caching(const struct lu_mode *m, unsigned control, uint8_t *p)
{
	memset(p, 0, CACHING_LEN);
	p[0] = PAGE_CACHING;
	p[1] = CACHING_LEN - 2;
	p[2] = control == CURRENT ? (m->wce ? CACHING_WCE : 0) : CACHING_WCE;
	return CACHING_LEN;
}

static size_t put_control(const struct lu_mode *m, unsigned control, uint8_t *p)
{
	memset(p, 0, CONTROL_LEN);
	p[0] = PAGE_CONTROL;
	p[1] = CONTROL_LEN - 2;
	switch (control) {
	case CURRENT:
		p[2] = m->d_sense ? CONTROL_D_SENSE : 0;
		p[4] = m->swp ? CONTROL_SWP : 0;
		break;
	case CHANGEABLE:
		p[2] = CONTROL_D_SENSE;
		p[4] = CONTROL_SWP;
		break;
	default:
		break;
	}
	if (control != CHANGEABLE) {
		p[3] = 0x10;		 /* commands are reordered without restriction */
		put_be16(p + 8, 0xffff); /* BUSY TIMEOUT PERIOD: not limited */
	}
	return CONTROL_LEN;
}

static size_t put_exceptions(uint8_t *p)
{
	memset(p, 0, EXCEPTIONS_LEN);
	p[0] = PAGE_EXCEPTIONS;
	p[1] = EXCEPTIONS_LEN - 2;
	return EXCEPTIONS_LEN;
}

static size_t put_pages(const struct lu_mode *m, unsigned page, unsigned control, uint8_t *p)
{
	size_t len = 0;

	if (page == PAGE_CACHING || page == PAGE_ALL)
		len += put_caching(m, control, p + len);
	if (page == PAGE_CONTROL || page == PAGE_ALL)
		len += put_control(m, control, p + len);
	if (page == PAGE_EXCEPTIONS || page == PAGE_ALL)
		len += put_exceptions(p + len);
	return len;
}

/* Of 8 bytes, or of 16 where more blocks than 32 bits count are asked for with LLBAA. */
static size_t put_block_descriptor(const struct lu *lu, bool wide, uint8_t *p)
{
	memset(p, 0, wide ? 16 : 8);
	if (wide) {
		put_be64(p, lu->blocks);
		put_be32(p + 12, BLOCK);
		return 16;
	}
	put_be32(p, lu->blocks > UINT32_MAX ? UINT32_MAX : (uint32_t)lu->blocks);
	put_be24(p + 5, BLOCK);
	return 8;
}

void cmd_mode_sense(struct scsi_task *t)
{
	bool six = t->cdb[0] == OP_MODE_SENSE_6, blocks = !(t->cdb[1] & 0x08);
	unsigned control = t->cdb[2] >> 6, page = t->cdb[2] & 0x3f;
	size_t head = six ? 4 : 8, len = head, desc = 0;
	struct lu_mode mode = lu_mode(t->lu);
	bool wide = !six && (t->cdb[1] & 0x10);
	uint8_t data[8 + 16 + PAGES_LEN] = {0};
	size_t pages;

	if (control == SAVED) {
		task_check(t, KEY_ILLEGAL_REQUEST, ASC_SAVING_NOT_SUPPORTED);
		return;
	}
	if (blocks)
		desc = put_block_descriptor(t->lu, wide, data + head);
	len += desc;
	pages = put_pages(&mode, page, control, data + len);
	if (!pages || (t->cdb[3] && !(t->cdb[3] == SUBPAGE_ALL && page == PAGE_ALL))) {
		task_bad_cdb(t, pages ? 3 : 2);
		return;
	}
	len += pages;
	data[six ? 2 : 3] = (uint8_t)(DPOFUA | (t->lun->ro || mode.swp ? WRITE_PROTECTED : 0));
	if (six) {
		data[0] = (uint8_t)(len - 1);
		data[3] = (uint8_t)desc;
	} else {
		put_be16(data, (uint16_t)(len - 2));
		data[4] = wide && blocks ? 1 : 0;
		put_be16(data + 6, (uint16_t)desc);
	}
	task_reply(t, data, len);
}

/* Everything but what is changeable has to be as it is. */
static bool page_fits(const uint8_t *page, const uint8_t *now, const uint8_t *mask, size_t len)
{
	for (size_t i = 2; i < len; i++)
		if ((page[i] ^ now[i]) & ~mask[i])
			return false;
	return true;
}

static bool take_page(struct lu_mode *m, const uint8_t *page, size_t len)
{
	uint8_t now[PAGES_LEN] = {0}, mask[PAGES_LEN] = {0};
	size_t size;

	size = put_pages(m, page[0] & 0x3f, CURRENT, now);
	if ((page[0] & 0x40) || (page[0] & 0x3f) == PAGE_ALL || size != len || page[1] != len - 2)
		return false;
	put_pages(m, page[0] & 0x3f, CHANGEABLE, mask);
	if ((page[0] & 0x3f) == PAGE_EXCEPTIONS)
		memset(mask, 0, sizeof(mask));
	if (!page_fits(page, now, mask, len))
		return false;
	if ((page[0] & 0x3f) == PAGE_CACHING) {
		m->wce = page[2] & CACHING_WCE;
	} else if ((page[0] & 0x3f) == PAGE_CONTROL) {
		m->d_sense = page[2] & CONTROL_D_SENSE;
		m->swp = page[4] & CONTROL_SWP;
	}
	return true;
}

static void take_list(struct scsi_task *t, struct lu_mode *m)
{
	bool six = t->cdb[0] == OP_MODE_SELECT_6;
	size_t at = six ? 4 : 8, len;

	if (t->len < at) {
		task_check(t, KEY_ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH);
		return;
	}
	at += six ? t->data[3] : get_be16(t->data + 6);
	while (at < t->len) {
		if (t->len - at < 2 || t->len - at < 2u + t->data[at + 1]) {
			task_check(t, KEY_ILLEGAL_REQUEST, ASC_PARAMETER_LIST_LENGTH);
			return;
		}
		len = 2u + t->data[at + 1];
		if (!take_page(m, t->data + at, len)) {
			task_bad_list(t, (unsigned)at);
			return;
		}
		at += len;
	}
}

void cmd_mode_select(struct scsi_task *t)
{
	struct lu_mode before, mode;
	int err;

	/* Pages are as the standard says (PF), and not saved. */
	if (!(t->cdb[1] & 0x10) || (t->cdb[1] & 1)) {
		task_bad_cdb(t, 1);
		return;
	}
	if (!t->len)
		return;
	before = mode = lu_mode(t->lu);
	take_list(t, &mode);
	if (t->status != STATUS_GOOD)
		return;
	/* What was promised to be written later is written now. */
	err = before.wce && !mode.wce && !t->lu->ro ? cr_sync(t->lu->file, true) : 0;
	if (err) {
		task_error(t, err, true);
		return;
	}
	pthread_mutex_lock(&t->lu->lock);
	t->lu->mode = mode;
	pthread_mutex_unlock(&t->lu->lock);
	if (memcmp(&before, &mode, sizeof(mode)) != 0)
		attention_raise(t->nexus->target->engine, t->lu, ATTENTION_MODE, t->nexus);
}
