// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * proxy - between an NFS client and its server, to break what is there
 *
 *	proxy PORT [OPTION...]		of a server on 127.0.0.1
 *	--lose N	each Nth reply is lost with its connection: the server has done
 *			what was asked, the client does not know
 *	--cut N		each Nth call is lost with its connection
 *	--deaf		callbacks of the server do not arrive
 *	--slow MS	each reply takes so long
 *
 * Prints its own port, then "N M" on each line it reads: bytes to the server, and
 * from it, so far.  A line "cut" breaks all connections first, "hang" forwards nothing
 * more, "go" ends that.  Ends with its input.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNS	   32
#define RECORD_MAX (4u << 20)
#define LAST	   (1u << 31)
#define RPC_CALL   0u

/* One direction of a connection: records are passed on whole. */
struct lane {
	uint8_t *buf;
	size_t len;
};

struct conn {
	int client, server; /* -1: free */
	struct lane up, down;
};

struct proxy {
	int listener;
	uint16_t port;
	unsigned lose, cut, slow;
	bool deaf, hang;
	unsigned calls, replies;
	unsigned long long up, down;
	struct conn conn[CONNS];
};

static int connect_to(uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd >= 0 && connect(fd, (struct sockaddr *)&in, sizeof(in)) < 0) {
		close(fd);
		return -1;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void hang_up(struct conn *c)
{
	if (c->client < 0)
		return;
	close(c->client);
	close(c->server);
	c->client = c->server = -1;
	c->up.len = c->down.len = 0;
}

static void take(struct proxy *p)
{
	int fd = accept(p->listener, NULL, NULL), one = 1;

	for (unsigned i = 0; fd >= 0 && i < CONNS; i++) {
		struct conn *c = &p->conn[i];

		if (c->client >= 0)
			continue;
		c->server = connect_to(p->port);
		if (c->server < 0)
			break;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		c->client = fd;
		return;
	}
	if (fd >= 0)
		close(fd);
}

static bool put(int fd, const uint8_t *buf, size_t len)
{
	while (len) {
		ssize_t n = send(fd, buf, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		buf += n;
		len -= (size_t)n;
	}
	return true;
}

static uint32_t word(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return be32toh(v);
}

/* Bytes of the first record of a lane, marks included; 0: it is not whole. */
static size_t record(const struct lane *l)
{
	size_t at = 0;

	while (at + 4 <= l->len) {
		uint32_t mark = word(l->buf + at);

		at += 4 + (mark & ~LAST);
		if (at > l->len)
			return 0;
		if (mark & LAST)
			return at;
	}
	return 0;
}

/* What becomes of a record: 1 it passes, 0 it vanishes, -1 the connection breaks. */
static int fate(struct proxy *p, const uint8_t *rec, size_t len, bool down)
{
	bool call = len >= 12 && word(rec + 8) == RPC_CALL;
	const struct timespec ts = {p->slow / 1000, (long)(p->slow % 1000) * 1000000};

	if (down && call)
		return p->deaf ? 0 : 1;
	if (down && p->slow)
		nanosleep(&ts, NULL);
	if (down && p->lose && ++p->replies % p->lose == 0)
		return -1;
	if (!down && call && p->cut && ++p->calls % p->cut == 0)
		return -1;
	return 1;
}

static bool pass(struct proxy *p, struct lane *l, int to, bool down)
{
	size_t len;

	while ((len = record(l))) {
		int how = fate(p, l->buf, len, down);

		if (how < 0 || (how && !put(to, l->buf, len)))
			return false;
		*(down ? &p->down : &p->up) += len;
		l->len -= len;
		memmove(l->buf, l->buf + len, l->len);
	}
	return true;
}

static bool forward(struct proxy *p, struct lane *l, int from, int to, bool down)
{
	ssize_t n = recv(from, l->buf + l->len, RECORD_MAX - l->len, 0);

	if (n <= 0)
		return false;
	l->len += (size_t)n;
	return pass(p, l, to, down);
}

/* False at the end of the input. */
static bool obey(struct proxy *p)
{
	char line[64];

	if (!fgets(line, sizeof(line), stdin))
		return false;
	if (!strcmp(line, "cut\n"))
		for (unsigned i = 0; i < CONNS; i++)
			hang_up(&p->conn[i]);
	if (!strcmp(line, "hang\n"))
		p->hang = true;
	if (!strcmp(line, "go\n"))
		p->hang = false;
	printf("%llu %llu\n", p->up, p->down);
	return true;
}

static void serve(struct proxy *p)
{
	struct pollfd fds[2 + 2 * CONNS];

	for (;;) {
		fds[0] = (struct pollfd){.fd = 0, .events = POLLIN};
		fds[1] = (struct pollfd){.fd = p->hang ? -1 : p->listener, .events = POLLIN};
		for (unsigned i = 0; i < CONNS; i++) {
			struct conn *c = &p->conn[i];

			fds[2 + 2 * i] = (struct pollfd){p->hang ? -1 : c->client, POLLIN, 0};
			fds[3 + 2 * i] = (struct pollfd){p->hang ? -1 : c->server, POLLIN, 0};
		}
		if (poll(fds, 2 + 2 * CONNS, -1) < 0 && errno != EINTR)
			return;
		if (fds[0].revents && !obey(p))
			return;
		if (fds[1].revents)
			take(p);
		for (unsigned i = 0; i < CONNS; i++) {
			struct conn *c = &p->conn[i];
			bool ok = true;

			if (c->client >= 0 && fds[2 + 2 * i].revents)
				ok = forward(p, &c->up, c->client, c->server, false);
			if (ok && c->server >= 0 && fds[3 + 2 * i].revents)
				ok = forward(p, &c->down, c->server, c->client, true);
			if (!ok)
				hang_up(c);
		}
	}
}

static bool options(struct proxy *p, int argc, char **argv)
{
	if (argc < 2)
		return false;
	p->port = (uint16_t)strtoul(argv[1], NULL, 10);
	for (int i = 2; i < argc; i++) {
		unsigned n = i + 1 < argc ? (unsigned)strtoul(argv[i + 1], NULL, 10) : 0;

		if (!strcmp(argv[i], "--deaf")) {
			p->deaf = true;
			continue;
		}
		if (!strcmp(argv[i], "--lose"))
			p->lose = n;
		else if (!strcmp(argv[i], "--cut"))
			p->cut = n;
		else if (!strcmp(argv[i], "--slow"))
			p->slow = n;
		else
			return false;
		i++;
	}
	return true;
}

int main(int argc, char **argv)
{
	static struct proxy p;
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(in);

	if (!options(&p, argc, argv)) {
		fprintf(stderr, "usage: proxy PORT [--lose N] [--cut N] [--deaf] [--slow MS]\n");
		return 2;
	}
	for (unsigned i = 0; i < CONNS; i++) {
		p.conn[i].client = p.conn[i].server = -1;
		p.conn[i].up.buf = malloc(RECORD_MAX);
		p.conn[i].down.buf = malloc(RECORD_MAX);
		if (!p.conn[i].up.buf || !p.conn[i].down.buf)
			return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	p.listener = socket(AF_INET, SOCK_STREAM, 0);
	if (p.listener < 0 || bind(p.listener, (struct sockaddr *)&in, sizeof(in)) < 0 ||
	    listen(p.listener, 64) < 0 || getsockname(p.listener, (struct sockaddr *)&in, &len) < 0)
		return 1;
	printf("%u\n", ntohs(in.sin_port));
	serve(&p);
	return 0;
}
