// SPDX-License-Identifier: GPL-2.0-or-later
/* conn.c - bytes of a connection: PDUs come together and go out. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "iscsi.h"
#include "socket.h"

#define IOV_BATCH 48

void conn_new(struct server *s, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct conn *c = s->n_conns < CONNS_MAX ? calloc(1, sizeof(*c)) : NULL;
	int one = 1;

	if (!c) {
		close(fd);
		return;
	}
	c->login = calloc(1, sizeof(*c->login));
	event.data.ptr = c;
	if (!c->login || epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		free(c->login);
		free(c);
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->server = s;
	c->fd = fd;
	c->out_last = &c->out;
	c->events = EPOLLIN;
	c->began = c->last_rx = c->last_tx = s->now;
	c->to = (uint8_t *)&c->bhs;
	c->left = ISCSI_BHS;
	c->params = (struct params){.initial_r2t = true,
				    .immediate = true,
				    .max_burst = 262144,
				    .first_burst = 65536,
				    .segment = LOGIN_SEGMENT};
	c->agreed = c->params;
	socket_text(fd, false, c->address, sizeof(c->address));
	c->next = s->conns;
	s->conns = c;
	s->n_conns++;
}

/* It is freed when nobody in this turn of the loop can come across it any more. */
void conn_drop(struct conn *c, const char *why)
{
	char peer[80];

	if (c->dead)
		return;
	c->dead = true;
	if (!c->server->verbose)
		return;
	socket_text(c->fd, true, peer, sizeof(peer));
	fprintf(stderr, "ocp-target: %s: %s\n", peer, why);
}

static void free_tx(struct tx *tx)
{
	if (tx->task)
		task_free(tx->task);
	free(tx);
}

void conn_free(struct conn *c)
{
	struct server *s = c->server;
	struct conn **at = &s->conns;

	c->dead = true;
	if (c->session)
		session_close(c->session);
	while (c->tasks)
		task_abort(c->tasks, NULL);
	conn_forget_tmfs(c);
	while (c->out) {
		struct tx *tx = c->out;

		c->out = tx->next;
		free_tx(tx);
	}
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	s->n_conns--;
	close(c->fd);
	free(c->text);
	free(c->scratch);
	free(c->login);
	free(c);
}

void conn_check_time(struct conn *c)
{
	uint64_t now = c->server->now, seen = c->last_rx;
	struct tx *tx;

	/* While it does not take what it has asked for, nothing is read either. */
	if (c->out && c->last_tx > seen)
		seen = c->last_tx;

	if (c->state != CONN_FULL && now - c->began > LOGIN_TIME) {
		conn_drop(c, "no login in time");
	} else if (c->out && now - c->last_tx > STUCK_TIME) {
		conn_drop(c, "takes nothing");
	} else if (c->step != RX_HEAD && now - c->pdu_began > PDU_TIME) {
		conn_drop(c, "a PDU that does not end");
	} else if (now - seen > DEAD_TIME) {
		conn_drop(c, "does not answer");
	} else if (c->state == CONN_FULL && !c->pinged && now - seen > IDLE_TIME) {
		tx = conn_tx(c, ISCSI_NOP_IN, 0);
		if (!tx)
			return;
		put_be32(((struct iscsi_bhs *)tx->head)->itt, ISCSI_NO_TAG);
		put_be32(((struct iscsi_bhs *)tx->head)->ttt, c->next_ttt++);
		conn_stamp(c, (struct iscsi_bhs *)tx->head, false);
		c->pinged = true;
		conn_send(c, tx);
	}
}

/* Sending -------------------------------------------------------------------------------- */

struct tx *conn_tx(struct conn *c, uint8_t opcode, size_t own)
{
	struct tx *tx = calloc(1, sizeof(*tx) + own);

	if (!tx) {
		conn_drop(c, "no memory");
		return NULL;
	}
	tx->head[0] = opcode;
	tx->head[1] = ISCSI_FINAL;
	tx->head_len = ISCSI_BHS;
	tx->data = tx->bytes;
	tx->len = own;
	return tx;
}

void conn_stamp(struct conn *c, struct iscsi_bhs *bhs, bool advance)
{
	uint32_t room = c->n_tasks < WINDOW ? WINDOW - c->n_tasks : 0;

	/* It never goes back: what was promised is taken. */
	if ((int32_t)(c->exp_cmdsn + room - 1 - c->max_cmdsn) > 0)
		c->max_cmdsn = c->exp_cmdsn + room - 1;
	put_be32(bhs->sn, c->statsn);
	c->statsn += advance;
	put_be32(bhs->exp_sn, c->exp_cmdsn);
	put_be32(bhs->max_sn, c->max_cmdsn);
}

void conn_send(struct conn *c, struct tx *tx)
{
	unsigned pad = (unsigned)(-tx->len & 3);

	put_be24(((struct iscsi_bhs *)tx->head)->data_len, (uint32_t)tx->len);
	if (c->params.header_digest) {
		iscsi_digest(&c->server->crc, tx->head, ISCSI_BHS, tx->head + ISCSI_BHS);
		tx->head_len += ISCSI_DIGEST;
	}
	tx->tail_len = pad;
	if (c->params.data_digest && tx->len) {
		iscsi_digest_padded(&c->server->crc, tx->data, tx->len, tx->tail + pad);
		tx->tail_len += ISCSI_DIGEST;
	}
	if (!c->out)
		c->last_tx = c->server->now;
	*c->out_last = tx;
	c->out_last = &tx->next;
	c->n_out++;
}

/* What is left of one PDU, as up to three pieces. */
static int pieces(const struct tx *tx, struct iovec *v)
{
	const struct iovec all[3] = {{(void *)tx->head, tx->head_len},
				     {(void *)tx->data, tx->len},
				     {(void *)tx->tail, tx->tail_len}};
	size_t skip = tx->sent;
	int n = 0;

	for (unsigned i = 0; i < 3; i++) {
		if (skip >= all[i].iov_len) {
			skip -= all[i].iov_len;
			continue;
		}
		v[n++] = (struct iovec){(char *)all[i].iov_base + skip, all[i].iov_len - skip};
		skip = 0;
	}
	return n;
}

static void sent(struct conn *c, size_t n)
{
	while (n && c->out) {
		struct tx *tx = c->out;
		size_t left = tx->head_len + tx->len + tx->tail_len - tx->sent;

		if (n < left) {
			tx->sent += n;
			return;
		}
		n -= left;
		c->out = tx->next;
		c->n_out--;
		if (!c->out)
			c->out_last = &c->out;
		free_tx(tx);
	}
}

static void watch(struct conn *c, bool blocked)
{
	uint32_t in = c->n_out > OUT_MAX || c->closing ? 0 : EPOLLIN, out = blocked ? EPOLLOUT : 0;
	struct epoll_event event = {.events = in | out, .data.ptr = c};

	if (c->events == event.events)
		return;
	c->events = event.events;
	epoll_ctl(c->server->epoll, EPOLL_CTL_MOD, c->fd, &event);
}

void conn_write(struct conn *c)
{
	while (c->out && !c->dead) {
		struct iovec v[IOV_BATCH];
		struct msghdr m = {.msg_iov = v};
		ssize_t n;

		for (struct tx *tx = c->out; tx && m.msg_iovlen + 3 <= IOV_BATCH; tx = tx->next)
			m.msg_iovlen += (size_t)pieces(tx, v + m.msg_iovlen);
		n = sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			watch(c, true);
			return;
		}
		if (n < 0) {
			conn_drop(c, strerror(errno));
			return;
		}
		c->last_tx = c->server->now;
		sent(c, (size_t)n);
	}
	watch(c, false);
	if (c->closing)
		conn_drop(c, "logged out");
}

/* Receiving -------------------------------------------------------------------------------- */

static bool check_head(struct conn *c)
{
	uint8_t digest[ISCSI_DIGEST];
	struct iscsi_size *z = &c->size;
	uint32_t crc;

	if (!c->params.header_digest)
		return true;
	crc = crc32c(&c->server->crc, ~0u, &c->bhs, ISCSI_BHS);
	put_le32(digest, ~crc32c(&c->server->crc, crc, c->rest, z->ahs));
	return memcmp(digest, c->rest + z->ahs, sizeof(digest)) == 0;
}

static bool check_data(struct conn *c)
{
	uint8_t digest[ISCSI_DIGEST];
	uint32_t crc;

	if (!c->params.data_digest || !c->size.data || c->ignored)
		return true;
	crc = crc32c(&c->server->crc, ~0u, c->data, c->size.data);
	put_le32(digest, ~crc32c(&c->server->crc, crc, c->tail, c->size.pad));
	return memcmp(digest, c->tail + c->size.pad, sizeof(digest)) == 0;
}

static void expect(struct conn *c, enum rx_step step, void *to, size_t left)
{
	c->step = step;
	c->to = to;
	c->left = left;
}

/* Where data go that belong to no command. */
static bool take_scratch(struct conn *c)
{
	if (!c->scratch)
		c->scratch = malloc(OUR_SEGMENT);
	c->data = c->scratch;
	return c->scratch;
}

void conn_forget(struct conn *c)
{
	uint8_t *data = c->data;

	c->task = NULL;
	c->ignored = true;
	if (c->dead || !data || data == c->scratch)
		return;
	if (take_scratch(c))
		c->to = c->step == RX_DATA ? c->scratch + (c->to - data) : c->to;
	else
		conn_drop(c, "no memory");
}

static bool head_done(struct conn *c)
{
	uint32_t limit = c->state == CONN_FULL ? OUR_SEGMENT : LOGIN_SEGMENT;

	iscsi_size(&c->size, &c->bhs);
	c->pdu_began = c->server->now;
	if (c->size.data > limit) {
		conn_drop(c, "more data in a PDU than we take");
		return false;
	}
	expect(c, RX_REST, c->rest, c->size.ahs + (c->params.header_digest ? ISCSI_DIGEST : 0));
	return true;
}

static bool rest_done(struct conn *c)
{
	if (!check_head(c)) {
		conn_drop(c, "wrong header digest");
		return false;
	}
	c->data = NULL;
	c->task = NULL;
	c->ignored = false;
	if (!pdu_begin(c))
		return false;
	if (c->size.data && !c->data && !take_scratch(c)) {
		conn_drop(c, "no memory");
		return false;
	}
	expect(c, RX_DATA, c->data, c->size.data);
	return true;
}

static bool tail_done(struct conn *c)
{
	if (!check_data(c)) {
		/* Of level 0 the way out is another session. */
		conn_drop(c, "wrong data digest");
		return false;
	}
	expect(c, RX_HEAD, &c->bhs, ISCSI_BHS);
	return !c->closing && pdu_end(c) && !c->dead;
}

/* What was expected is there: what comes next?  False: nothing more from this peer. */
static bool step(struct conn *c)
{
	switch (c->step) {
	case RX_HEAD:
		return head_done(c);
	case RX_REST:
		return rest_done(c);
	case RX_DATA:
		expect(c, RX_TAIL, c->tail,
		       c->size.pad + (c->params.data_digest && c->size.data ? ISCSI_DIGEST : 0));
		return true;
	case RX_TAIL:
		return tail_done(c);
	}
	return false;
}

/* Use up what was read; false when the connection is to be read no more. */
static bool consume(struct conn *c)
{
	for (;;) {
		size_t n = c->rx_len - c->rx_at < c->left ? c->rx_len - c->rx_at : c->left;

		if (n) {
			memcpy(c->to, c->rx + c->rx_at, n);
			c->rx_at += n;
			c->to += n;
			c->left -= n;
		}
		if (c->left)
			return true;
		if (!step(c))
			return false;
	}
}

/* Data go straight to their command, what follows them to the buffer. */
void conn_read(struct conn *c)
{
	for (unsigned turns = 0; turns < 16 && !c->dead && !c->closing && c->n_out <= OUT_MAX;
	     turns++) {
		struct iovec v[2] = {{c->to, c->left}, {c->rx, sizeof(c->rx)}};
		ssize_t n = readv(c->fd, v, 2);
		size_t direct;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			conn_drop(c, n ? strerror(errno) : "closed by the initiator");
			return;
		}
		c->last_rx = c->server->now;
		c->pinged = false;
		direct = (size_t)n < c->left ? (size_t)n : c->left;
		c->to += direct;
		c->left -= direct;
		c->rx_at = 0;
		c->rx_len = (size_t)n - direct;
		if (!consume(c))
			return;
		if ((size_t)n < v[0].iov_len + v[1].iov_len)
			return;
	}
}
