// SPDX-License-Identifier: GPL-2.0-or-later
/* diff_match.c - inodes by their numbers, names by their directories: see diff_match.h. */
#include "diff_match.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a, 64 bits; spread over the table by a product. */
static uint64_t hash_bytes(uint64_t h, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	while (len--)
		h = (h ^ *p++) * UINT64_C(0x100000001b3);
	return h;
}

static size_t hash_name(uint32_t dir, const char *name)
{
	uint64_t h = hash_bytes(UINT64_C(0xcbf29ce484222325), name, strlen(name));

	return (size_t)((h ^ dir) * UINT64_C(0x9e3779b97f4a7c15) >> 24);
}

static size_t hash_inode(const struct tree_entry *e)
{
	return (size_t)((e->ino ^ e->dev << 40) * UINT64_C(0x9e3779b97f4a7c15) >> 24);
}

static int table_new(struct table *t, uint32_t n)
{
	size_t size = 16;

	while (size < (size_t)n * 2)
		size *= 2;
	t->slots = malloc(size * sizeof(*t->slots));
	if (!t->slots)
		return -ENOMEM;
	memset(t->slots, 0xff, size * sizeof(*t->slots));
	t->mask = size - 1;
	return 0;
}

static void put_name(struct table *t, const struct tree *tree, uint32_t entry)
{
	size_t at = hash_name(tree->v[entry].parent, tree->v[entry].name);

	for (at &= t->mask; t->slots[at] != TREE_NONE; at = (at + 1) & t->mask)
		;
	t->slots[at] = entry;
}

static uint32_t find_name(const struct table *t, const struct tree *tree, uint32_t dir,
			  const char *name)
{
	for (size_t at = hash_name(dir, name) & t->mask;; at = (at + 1) & t->mask) {
		uint32_t e = t->slots[at];

		if (e == TREE_NONE || (tree->v[e].parent == dir && !strcmp(tree->v[e].name, name)))
			return e;
	}
}

/* Names of one inode: number, device and type are all there is to go by inside a tree. */
static bool one_inode(const struct tree_entry *x, const struct tree_entry *y)
{
	return x->ino == y->ino && x->dev == y->dev && (x->mode & S_IFMT) == (y->mode & S_IFMT) &&
	       !S_ISDIR(x->mode);
}

static bool same_time(struct timespec x, struct timespec y)
{
	return x.tv_sec == y.tv_sec && x.tv_nsec == y.tv_nsec;
}

/*
 * An inode of both trees.  Where no birth time tells, the number may be another
 * inode's by now: that costs a comparison of contents, but what a symbolic link
 * or a device says is not compared, so their change time must be the same.
 */
static bool same_inode(const struct tree_entry *x, const struct tree_entry *y)
{
	if (x->ino != y->ino || x->dev != y->dev || (x->mode & S_IFMT) != (y->mode & S_IFMT) ||
	    x->rdev != y->rdev || x->has_btime != y->has_btime)
		return false;
	if (x->has_btime)
		return same_time(x->btime, y->btime);
	return S_ISDIR(x->mode) || S_ISREG(x->mode) || same_time(x->ctime, y->ctime);
}

/* One side: numbers for its inodes, and where names are. */
struct side {
	const struct tree *tree;
	uint32_t *inode, *first, *next;
	struct table *names, *inodes;
};

static void number_inodes(const struct side *s)
{
	const struct tree *t = s->tree;
	uint32_t count = 0;

	for (uint32_t e = 0; e < t->n; e++) {
		size_t at = hash_inode(&t->v[e]) & s->inodes->mask;

		while (s->inodes->slots[at] != TREE_NONE &&
		       !one_inode(&t->v[s->first[s->inodes->slots[at]]], &t->v[e]))
			at = (at + 1) & s->inodes->mask;
		if (s->inodes->slots[at] == TREE_NONE) {
			s->inodes->slots[at] = count;
			s->first[count] = e;
			s->inode[e] = count++;
		} else {
			uint32_t first = s->first[s->inodes->slots[at]];

			s->inode[e] = s->inodes->slots[at];
			s->next[e] = s->next[first];
			s->next[first] = e;
		}
		if (e)
			put_name(s->names, t, e);
	}
}

static void pair(struct match *m, uint32_t ia, uint32_t ib)
{
	m->b_of[ia] = ib;
	m->a_of[ib] = ia;
}

static void pair_by_number(struct match *m)
{
	for (uint32_t e = 1; e < m->b->n; e++) {
		uint32_t ib = m->inode_b[e], ia;
		size_t at = hash_inode(&m->b->v[e]) & m->inodes_a.mask;

		for (; (ia = m->inodes_a.slots[at]) != TREE_NONE; at = (at + 1) & m->inodes_a.mask)
			if (m->a_of[ib] == TREE_NONE && m->b_of[ia] == TREE_NONE &&
			    same_inode(&m->a->v[m->first_a[ia]], &m->b->v[e]) && m->first_a[ia])
				pair(m, ia, ib);
	}
}

/* The rest by place: a file that was written anew under the same name. */
static void pair_by_place(struct match *m)
{
	for (uint32_t e = 1; e < m->b->n; e++) {
		uint32_t ib = m->inode_b[e], up = m->a_of[m->inode_b[m->b->v[e].parent]], was;
		unsigned type = m->b->v[e].mode & S_IFMT;

		if (m->a_of[ib] != TREE_NONE || up == TREE_NONE ||
		    (type != S_IFREG && type != S_IFDIR))
			continue;
		was = match_child_a(m, m->first_a[up], m->b->v[e].name);
		if (was != TREE_NONE && m->b_of[m->inode_a[was]] == TREE_NONE &&
		    (m->a->v[was].mode & S_IFMT) == type)
			pair(m, m->inode_a[was], ib);
	}
}

static uint32_t *numbers(uint32_t n)
{
	uint32_t *v = malloc(((size_t)n + 1) * sizeof(*v));

	if (v)
		memset(v, 0xff, ((size_t)n + 1) * sizeof(*v)); /* TREE_NONE */
	return v;
}

int match_begin(struct match *m, const struct tree *a, const struct tree *b)
{
	struct side sa, sb;

	*m = (struct match){.a = a, .b = b};
	m->inode_a = numbers(a->n);
	m->first_a = numbers(a->n);
	m->next_a = numbers(a->n);
	m->b_of = numbers(a->n);
	m->inode_b = numbers(b->n);
	m->first_b = numbers(b->n);
	m->next_b = numbers(b->n);
	m->a_of = numbers(b->n);
	if (!m->inode_a || !m->first_a || !m->next_a || !m->b_of || !m->inode_b || !m->first_b ||
	    !m->next_b || !m->a_of || table_new(&m->names_a, a->n) ||
	    table_new(&m->names_b, b->n) || table_new(&m->inodes_a, a->n) ||
	    table_new(&m->inodes_b, b->n))
		return -ENOMEM;
	sa = (struct side){a, m->inode_a, m->first_a, m->next_a, &m->names_a, &m->inodes_a};
	sb = (struct side){b, m->inode_b, m->first_b, m->next_b, &m->names_b, &m->inodes_b};
	number_inodes(&sa);
	number_inodes(&sb);
	pair(m, m->inode_a[0], m->inode_b[0]);
	pair_by_number(m);
	pair_by_place(m);
	return 0;
}

void match_end(struct match *m)
{
	free(m->inode_a);
	free(m->first_a);
	free(m->next_a);
	free(m->b_of);
	free(m->inode_b);
	free(m->first_b);
	free(m->next_b);
	free(m->a_of);
	free(m->names_a.slots);
	free(m->names_b.slots);
	free(m->inodes_a.slots);
	free(m->inodes_b.slots);
}

uint32_t match_to_b(const struct match *m, uint32_t dir)
{
	uint32_t ib = m->b_of[m->inode_a[dir]];

	return ib == TREE_NONE ? TREE_NONE : m->first_b[ib];
}

uint32_t match_child_a(const struct match *m, uint32_t dir, const char *name)
{
	return find_name(&m->names_a, m->a, dir, name);
}

uint32_t match_child_b(const struct match *m, uint32_t dir, const char *name)
{
	return find_name(&m->names_b, m->b, dir, name);
}
