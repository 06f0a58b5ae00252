// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * url.c - iscsi://[user[%password]@]host[:port]/iqn[/lun][?option=value[&...]]: timeout,
 * target_user, target_password
 *
 * As libiscsi writes them.  Passwords that stand in the environment (LIBISCSI_CHAP_PASSWORD,
 * LIBISCSI_CHAP_TARGET_PASSWORD) are not shown by ps(1) to everybody.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/block/block.h"

#define LUN_MAX	    16383 /* by the flat method of addressing */
#define TIMEOUT_DEF 180	  /* seconds */
#define TIMEOUT_MAX 86400

/* Copies @len bytes into @to, which has room for @room with its NUL. */
static int take(char *to, size_t room, const char *from, size_t len)
{
	if (len >= room)
		return -ENAMETOOLONG;
	memcpy(to, from, len);
	to[len] = '\0';
	return 0;
}

static int take_user(struct iscsi_place *p, const char *text, size_t len)
{
	const char *percent = memchr(text, '%', len),
		   *secret = secure_getenv("LIBISCSI_CHAP_PASSWORD");
	size_t n = percent ? (size_t)(percent - text) : len;
	int err = take(p->user, sizeof(p->user), text, n);

	if (!err && percent)
		err = take(p->password, sizeof(p->password), percent + 1, len - n - 1);
	else if (!err && secret)
		err = take(p->password, sizeof(p->password), secret, strlen(secret));
	return err || !n ? (err ? err : -EINVAL) : 0;
}

/* What the target has to prove, where the URL says nothing of it. */
static int take_peer(struct iscsi_place *p)
{
	const char *user = secure_getenv("LIBISCSI_CHAP_TARGET_USERNAME"),
		   *secret = secure_getenv("LIBISCSI_CHAP_TARGET_PASSWORD");
	int err = 0;

	if (user && p->user[0])
		err = take(p->peer, sizeof(p->peer), user, strlen(user));
	if (secret && !err)
		err = take(p->peer_password, sizeof(p->peer_password), secret, strlen(secret));
	return err;
}

static int take_seconds(unsigned *to, const char *text, size_t len)
{
	unsigned v = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		v = v * 10 + (unsigned)(text[i] - '0');
		if (v > TIMEOUT_MAX)
			return -EINVAL;
	}
	*to = v;
	return len ? 0 : -EINVAL;
}

/* @len bytes of "option=value". */
static int take_option(struct iscsi_place *p, const char *text, size_t len)
{
	const char *eq = memchr(text, '=', len), *value = eq ? eq + 1 : text + len;
	size_t key = (size_t)(value - text), n = len - key;

	if (key == 8 && !memcmp(text, "timeout=", key))
		return take_seconds(&p->timeout, value, n);
	if (key == 12 && !memcmp(text, "target_user=", key))
		return take(p->peer, sizeof(p->peer), value, n);
	if (key == 16 && !memcmp(text, "target_password=", key))
		return take(p->peer_password, sizeof(p->peer_password), value, n);
	return -EINVAL;
}

static int take_options(struct iscsi_place *p, const char *text)
{
	int err = take_peer(p);

	p->timeout = TIMEOUT_DEF;
	while (*text && !err) {
		size_t n = strcspn(text, "&");

		err = take_option(p, text, n);
		text += n + (text[n] == '&');
	}
	/* Whoever asks for a proof gives one first. */
	return !err && p->peer[0] && (!p->user[0] || !p->peer_password[0]) ? -EINVAL : err;
}

static int take_lun(int *lun, const char *text)
{
	unsigned long v;
	char *end;

	*lun = -1;
	while (*text == '/')
		text++;
	if (!*text || *text == '?')
		return 0;
	if (*text < '0' || *text > '9')
		return -ENOENT;
	v = strtoul(text, &end, 10);
	if ((*end && *end != '?') || v > LUN_MAX)
		return -ENOENT;
	*lun = (int)v;
	return 0;
}

int block_url_parse(const char *text, struct block_url *url)
{
	size_t authority = strcspn(text, "/"), iqn;
	const char *at = memrchr(text, '@', authority), *host = at ? at + 1 : text;
	int err = 0;

	*url = (struct block_url){.lun = -1};
	if (at)
		err = take_user(&url->place, text, (size_t)(at - text));
	if (!err)
		err = take(url->place.portal, sizeof(url->place.portal), host,
			   authority - (size_t)(host - text));
	if (err)
		return err;
	if (!url->place.portal[0] || !text[authority])
		return -EINVAL;
	text += authority + 1;
	iqn = strcspn(text, "/?");
	if (!iqn)
		return -EINVAL;
	err = take(url->place.target, sizeof(url->place.target), text, iqn);
	if (!err)
		err = take_lun(&url->lun, text + iqn);
	text += strcspn(text, "?");
	return err ? err : take_options(&url->place, *text ? text + 1 : text);
}
