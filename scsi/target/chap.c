// SPDX-License-Identifier: GPL-2.0-or-later
/* chap.c - who is it, and who are we: CHAP with MD5 (RFC 7143, 12.1.3; RFC 1994). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "iscsi.h"
#include "lib/md5.h"

#define ALGORITHM_MD5 5

/* False: no key of CHAP, or a value that cannot be one. */
bool chap_key(struct login *l, const char *key, const char *value)
{
	const struct {
		const char *key;
		char *to;
		size_t room;
	} keys[] = {
		{"CHAP_A", l->chap_a, sizeof(l->chap_a)}, {"CHAP_N", l->chap_n, sizeof(l->chap_n)},
		{"CHAP_R", l->chap_r, sizeof(l->chap_r)}, {"CHAP_C", l->chap_c, sizeof(l->chap_c)},
		{"CHAP_I", l->chap_i, sizeof(l->chap_i)},
	};

	for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!strcmp(key, keys[i].key))
			return (size_t)snprintf(keys[i].to, keys[i].room, "%s", value) <
			       keys[i].room;
	return false;
}

static void response(uint8_t id, const char *secret, const uint8_t *challenge, size_t len,
		     uint8_t digest[MD5_SIZE])
{
	struct md5 m;

	md5_init(&m);
	md5_add(&m, &id, 1);
	md5_add(&m, secret, strlen(secret));
	md5_add(&m, challenge, len);
	md5_end(&m, digest);
}

/* One of the algorithms that it offers has to be ours. */
static bool offers_md5(const char *list)
{
	char *end;

	for (;; list = end + 1) {
		if (strtoul(list, &end, 10) == ALGORITHM_MD5 && (!*end || *end == ','))
			return true;
		end = strchr(list, ',');
		if (!end)
			return false;
	}
}

static int challenge(struct login *l)
{
	char text[2 * CHAP_BYTES + 3], number[8];
	uint8_t random[CHAP_BYTES + 1];

	if (!offers_md5(l->chap_a) || getrandom(random, sizeof(random), 0) != sizeof(random))
		return LOGIN_AUTHENTICATION;
	l->chap_id = random[CHAP_BYTES];
	memcpy(l->challenge, random, CHAP_BYTES);
	iscsi_text_hex(l->challenge, CHAP_BYTES, text);
	snprintf(number, sizeof(number), "%u", l->chap_id);
	if (login_answer(l, "CHAP_A", "5") || login_answer(l, "CHAP_I", number) ||
	    login_answer(l, "CHAP_C", text))
		return LOGIN_INITIATOR_ERROR;
	l->step = AUTH_CHALLENGED;
	return LOGIN_OK;
}

/* All of both is looked at, whatever differs. */
static bool same(const uint8_t *a, const uint8_t *b, size_t len)
{
	unsigned differ = 0;

	for (size_t i = 0; i < len; i++)
		differ |= (unsigned)(a[i] ^ b[i]);
	return !differ;
}

static bool is_right(const struct conn *c)
{
	const struct auth *in = &c->server->in;
	const struct login *l = c->login;
	uint8_t got[MD5_SIZE], want[MD5_SIZE];

	response(l->chap_id, in->secret, l->challenge, CHAP_BYTES, want);
	return iscsi_text_binary(l->chap_r, got, sizeof(got)) == MD5_SIZE &&
	       same(got, want, MD5_SIZE) && !strcmp(l->chap_n, in->user);
}

/* It asks who we are.  Our own challenge sent back would make us tell the answer to it. */
static int answer(struct conn *c)
{
	const struct auth *out = &c->server->out;
	struct login *l = c->login;
	uint8_t asked[CHAP_MAX], digest[MD5_SIZE];
	char text[2 * MD5_SIZE + 3];
	uint32_t id;
	int len;

	if (!*l->chap_i && !*l->chap_c)
		return LOGIN_OK;
	len = iscsi_text_binary(l->chap_c, asked, sizeof(asked));
	if (!*out->user || len < 1 || iscsi_text_number(l->chap_i, 0, 255, &id))
		return LOGIN_AUTHENTICATION;
	if (len == CHAP_BYTES && same(asked, l->challenge, CHAP_BYTES))
		return LOGIN_AUTHENTICATION;
	response((uint8_t)id, out->secret, asked, (size_t)len, digest);
	iscsi_text_hex(digest, sizeof(digest), text);
	if (login_answer(l, "CHAP_N", out->user) || login_answer(l, "CHAP_R", text))
		return LOGIN_INITIATOR_ERROR;
	return LOGIN_OK;
}

int chap_step(struct conn *c)
{
	struct login *l = c->login;
	int status;

	if (l->step == AUTH_CHOSEN && *l->chap_a)
		return challenge(l);
	if (l->step != AUTH_CHALLENGED || (!*l->chap_r && !*l->chap_n))
		return LOGIN_OK;
	if (!is_right(c))
		return LOGIN_AUTHENTICATION;
	status = answer(c);
	if (status == LOGIN_OK)
		l->step = AUTH_DONE;
	return status;
}
