// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * shard.c - --shard=I/N: which names are ours.
 *
 * What is no directory belongs to one of N runs by the names that lead to it from
 * the operand on, so that it does not matter from where or on which machine a run
 * starts; of an inode with several names that are to stay links, all belong to one,
 * by its number.  Directories are made by whoever comes first and get their
 * attributes from everyone, each time after the last thing that run does in them:
 * so the last of all is right, and no run waits for another.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "ocp.h"

/* FNV-1a: the partition must not change between versions or machines. */
#define FNV_START 14695981039346656037u
#define FNV_PRIME 1099511628211u

static uint64_t hash_on(uint64_t h, const char *text)
{
	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * FNV_PRIME;
	return h * FNV_PRIME; /* as of a NUL */
}

static uint64_t hash_path(const struct item *it)
{
	uint64_t h = hash_on(FNV_START, it->name);

	for (const struct node *k = it->dir->node; !k->root; k = k->up)
		h = hash_on(h, k->src_name);
	return h;
}

static bool is_ours(const struct ocp_opts *o, uint64_t h)
{
	return (h ^ h >> 32) % o->shards == o->shard - 1;
}

/* shard_skips_early - not ours, as far as can be told before it is looked at */
bool shard_skips_early(const struct ocp *ocp, const struct item *it)
{
	const struct ocp_opts *o = ocp->o;

	if (!o->shards || it->operand || (o->preserve & PRESERVE_LINKS))
		return false;
	if (it->type == DT_DIR || it->type == DT_UNKNOWN ||
	    (it->type == DT_LNK && o->deref == DEREF_ALWAYS))
		return false;
	return !is_ours(o, hash_path(it));
}

/* shard_skips - the same, with it->src */
bool shard_skips(const struct ocp *ocp, const struct item *it)
{
	const struct ocp_opts *o = ocp->o;
	char number[24];

	if (!o->shards || S_ISDIR(it->src.stx_mode))
		return false;
	if (!(o->preserve & PRESERVE_LINKS) || it->src.stx_nlink < 2)
		return !is_ours(o, hash_path(it));
	snprintf(number, sizeof(number), "%llu", (unsigned long long)it->src.stx_ino);
	return !is_ours(o, hash_on(FNV_START, number));
}
