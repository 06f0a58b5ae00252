// SPDX-License-Identifier: GPL-2.0-or-later
/* pipe.c - pipes that data goes through without being copied: splice(2). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/sunrpc/conn.h"

#define SPARE_MAX 16u

struct rpc_pipes {
	atomic_uint refs;
	uint32_t size;
	pthread_mutex_t lock;
	struct rpc_pipe *spare; /* empty ones */
	unsigned nspare, made, max;
};

struct rpc_pipes *rpc_pipes_new(uint32_t size, unsigned max)
{
	struct rpc_pipes *pipes = calloc(1, sizeof(*pipes));

	if (!pipes)
		return NULL;
	atomic_init(&pipes->refs, 1);
	pipes->size = size;
	pipes->max = max;
	pthread_mutex_init(&pipes->lock, NULL);
	return pipes;
}

static void pipe_free(struct rpc_pipe *pipe)
{
	close(pipe->in);
	close(pipe->out);
	free(pipe);
}

void rpc_pipes_put(struct rpc_pipes *pipes)
{
	struct rpc_pipe *pipe;

	if (!pipes || atomic_fetch_sub(&pipes->refs, 1) != 1)
		return;
	while ((pipe = pipes->spare)) {
		pipes->spare = pipe->next;
		pipe_free(pipe);
	}
	pthread_mutex_destroy(&pipes->lock);
	free(pipes);
}

/* Large enough, or not at all: the kernel lets a user without privileges have so much. */
static struct rpc_pipe *pipe_new(struct rpc_pipes *pipes)
{
	struct rpc_pipe *pipe = malloc(sizeof(*pipe));
	int fd[2];

	if (!pipe)
		return NULL;
	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK)) {
		free(pipe);
		return NULL;
	}
	*pipe = (struct rpc_pipe){.pipes = pipes, .out = fd[0], .in = fd[1]};
	if (fcntl(fd[1], F_SETPIPE_SZ, (int)pipes->size) >= (int)pipes->size)
		return pipe;
	pipe_free(pipe);
	return NULL;
}

struct rpc_pipe *rpc_pipe_get(struct rpc_pipes *pipes)
{
	struct rpc_pipe *pipe;
	bool make;

	pthread_mutex_lock(&pipes->lock);
	pipe = pipes->spare;
	if (pipe) {
		pipes->spare = pipe->next;
		pipes->nspare--;
	}
	make = !pipe && pipes->made < pipes->max;
	pipes->made += make;
	pthread_mutex_unlock(&pipes->lock);
	if (make) {
		pipe = pipe_new(pipes);
		if (!pipe) {
			pthread_mutex_lock(&pipes->lock);
			pipes->max = --pipes->made; /* no more is to be had */
			pthread_mutex_unlock(&pipes->lock);
		}
	}
	if (pipe)
		atomic_fetch_add(&pipes->refs, 1);
	return pipe;
}

void rpc_pipe_put(struct rpc_pipe *pipe)
{
	struct rpc_pipes *pipes;
	bool keep;

	if (!pipe)
		return;
	pipes = pipe->pipes;
	pthread_mutex_lock(&pipes->lock);
	keep = !pipe->left && pipes->nspare < SPARE_MAX;
	if (keep) {
		pipe->next = pipes->spare;
		pipes->spare = pipe;
		pipes->nspare++;
	} else {
		pipes->made--;
	}
	pthread_mutex_unlock(&pipes->lock);
	if (!keep)
		pipe_free(pipe);
	rpc_pipes_put(pipes);
}
