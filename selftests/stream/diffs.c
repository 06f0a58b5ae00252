// SPDX-License-Identifier: GPL-2.0-or-later
/* Two trees become operations: applied to a model of the old tree, they give the new one. */
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "userspace/stream/diff.h"

#define NODES	 120
#define INODES	 400
#define NAME_LEN 24

/* A small file system in memory: names, and the inodes they belong to. */
struct node {
	bool used;
	int parent; /* -1: the tree itself */
	int inode;
	char name[NAME_LEN];
};

struct inode {
	uint64_t ino, born;
	unsigned type;
	int tag; /* of the model: which inode of the old tree, or a new one */
};

struct model {
	struct node node[NODES];
	struct inode inode[INODES];
	int ninodes;
	uint64_t next_ino, clock;
	unsigned seed;
	bool reuses, btime;
};

static int rnd(struct model *m, int n)
{
	return (int)((unsigned)rand_r(&m->seed) % (unsigned)n);
}

static bool is_dir(const struct model *m, int n)
{
	return m->inode[m->node[n].inode].type == S_IFDIR;
}

static int find(const struct model *m, int dir, const char *name)
{
	for (int i = 1; i < NODES; i++)
		if (m->node[i].used && m->node[i].parent == dir && !strcmp(m->node[i].name, name))
			return i;
	return -1;
}

static int add(struct model *m, int dir, const char *name, int inode)
{
	for (int i = 1; i < NODES; i++)
		if (!m->node[i].used) {
			m->node[i].used = true;
			m->node[i].parent = dir;
			m->node[i].inode = inode;
			snprintf(m->node[i].name, NAME_LEN, "%s", name);
			return i;
		}
	return -1;
}

static int new_inode(struct model *m, unsigned type)
{
	struct inode *i = &m->inode[m->ninodes];

	if (m->ninodes == INODES)
		return -1;
	i->ino = m->reuses && m->next_ino > 300 && !rnd(m, 3) ? 300 + (uint64_t)rnd(m, 20)
							      : m->next_ino++;
	for (int n = 0; n < NODES; n++) /* one number, one inode at a time */
		if (m->node[n].used && m->inode[m->node[n].inode].ino == i->ino)
			i->ino = m->next_ino++;
	i->born = m->clock++;
	i->type = type;
	return m->ninodes++;
}

static bool is_below(const struct model *m, int n, int dir)
{
	for (; n >= 0; n = m->node[n].parent)
		if (n == dir)
			return true;
	return false;
}

static int any_node(struct model *m, bool dir)
{
	for (int tries = 0; tries < 50; tries++) {
		int n = rnd(m, NODES);

		if (m->node[n].used && (!dir || is_dir(m, n)))
			return n;
	}
	return 0;
}

static void drop(struct model *m, int n)
{
	for (int i = 1; i < NODES; i++)
		if (m->node[i].used && m->node[i].parent == n)
			drop(m, i);
	m->node[n].used = false;
}

static void edit_create(struct model *m)
{
	static const unsigned types[] = {S_IFREG, S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO};
	int dir = any_node(m, true), inode;
	char name[NAME_LEN];

	snprintf(name, sizeof(name), "%c", 'a' + rnd(m, 6));
	if (!rnd(m, 20)) /* what an orphan might be called */
		snprintf(name, sizeof(name), "o%d-%d", 256 + rnd(m, 40), rnd(m, 6));
	if (find(m, dir, name) >= 0)
		return;
	inode = new_inode(m, types[rnd(m, 5)]);
	if (inode >= 0)
		add(m, dir, name, inode);
}

static void edit_move(struct model *m)
{
	int n = any_node(m, false), dir = any_node(m, true), there;
	char name[NAME_LEN];

	snprintf(name, sizeof(name), "%c", 'a' + rnd(m, 6));
	if (!n || is_below(m, dir, n))
		return;
	there = find(m, dir, name);
	if (there == n)
		return;
	if (there >= 0) {
		if (is_below(m, n, there))
			return;
		drop(m, there);
	}
	m->node[n].parent = dir;
	memcpy(m->node[n].name, name, NAME_LEN);
}

static void edit_swap(struct model *m)
{
	int x = any_node(m, false), y = any_node(m, false), inode;

	if (!x || !y || x == y)
		return;
	if (is_dir(m, x) || is_dir(m, y)) { /* a directory takes what is in it along */
		struct node was = m->node[x];

		if (is_below(m, x, y) || is_below(m, y, x))
			return;
		m->node[x].parent = m->node[y].parent;
		memcpy(m->node[x].name, m->node[y].name, NAME_LEN);
		m->node[y].parent = was.parent;
		memcpy(m->node[y].name, was.name, NAME_LEN);
		return;
	}
	inode = m->node[x].inode;
	m->node[x].inode = m->node[y].inode;
	m->node[y].inode = inode;
}

/* A directory and one in it change places: in/out becomes out/in. */
static void edit_invert(struct model *m)
{
	int in = any_node(m, true), out = m->node[in].parent, top;

	if (!in || out <= 0)
		return;
	top = m->node[out].parent;
	if (find(m, in, "x") >= 0)
		return;
	m->node[in].parent = top;
	memcpy(m->node[in].name, m->node[out].name, NAME_LEN);
	m->node[out].parent = in;
	snprintf(m->node[out].name, NAME_LEN, "x");
}

static void edit_link(struct model *m)
{
	int n = any_node(m, false), dir = any_node(m, true);
	char name[NAME_LEN];

	snprintf(name, sizeof(name), "%c", 'a' + rnd(m, 6));
	if (n && !is_dir(m, n) && find(m, dir, name) < 0)
		add(m, dir, name, m->node[n].inode);
}

static void edit(struct model *m)
{
	int n;

	switch (rnd(m, 9)) {
	case 0:
	case 1:
		edit_create(m);
		break;
	case 2:
	case 3:
		edit_move(m);
		break;
	case 4:
		edit_swap(m);
		break;
	case 5:
		edit_invert(m);
		break;
	case 6:
		edit_link(m);
		break;
	default:
		n = any_node(m, false);
		if (n && rnd(m, 2))
			drop(m, n);
		break;
	}
}

static void model_init(struct model *m, unsigned seed)
{
	*m = (struct model){.seed = seed, .next_ino = 256, .clock = 1};
	m->reuses = seed % 3 == 1;
	m->btime = seed % 4 != 3;
	m->node[0].used = true;
	m->node[0].parent = -1;
	m->node[0].inode = new_inode(m, S_IFDIR);
	for (int i = 0; i < 60; i++)
		if (rnd(m, 4))
			edit_create(m);
		else
			edit(m);
}

/* As a list; @index gets where each node stands in it. */
static void list(const struct model *m, int n, uint32_t parent, struct tree *t)
{
	struct tree_entry *e = tree_add(t);
	const struct inode *i = &m->inode[m->node[n].inode];
	uint32_t self = t->n - 1;

	e->parent = parent;
	e->name = strdup(m->node[n].name);
	e->mode = i->type | 0644;
	e->ino = i->ino;
	e->nlink = 1;
	e->has_btime = m->btime;
	e->btime.tv_sec = (time_t)i->born;
	e->ctime.tv_sec = (time_t)i->born;
	for (int c = 1; c < NODES; c++)
		if (m->node[c].used && m->node[c].parent == n)
			list(m, c, self, t);
}

/* Operations ------------------------------------------------------------------ */

struct play {
	struct model *m;
	const struct tree *a, *b;
	const char *wrong;
	int left; /* directories left */
	char seen[256];
};

static int resolve(const struct model *m, const char *path, int *dir, char *last)
{
	char copy[4096], *save = NULL, *part, *next;
	int at = 0;

	snprintf(copy, sizeof(copy), "%s", path);
	*dir = -1;
	for (part = strtok_r(copy, "/", &save); part; part = next) {
		next = strtok_r(NULL, "/", &save);
		snprintf(last, NAME_LEN, "%s", part);
		*dir = at;
		at = find(m, at, part);
		if (at < 0)
			return next ? -2 : -1;
	}
	return at;
}

static const char *play_rename(struct model *m, int n, const char *path2)
{
	char last[NAME_LEN];
	int dir, there = resolve(m, path2, &dir, last);

	if (n <= 0)
		return "renamed what is not there";
	if (there != -1 || dir < 0 || !is_dir(m, dir))
		return "renamed to a place that is taken or cannot be";
	if (is_below(m, dir, n))
		return "moved a directory into itself";
	m->node[n].parent = dir;
	memcpy(m->node[n].name, last, NAME_LEN);
	return NULL;
}

static const char *play_new(struct play *p, const struct diff_item *item, int n, int dir,
			    const char *last)
{
	int inode, other, unused;
	char other_last[NAME_LEN];

	if (n != -1 || dir < 0 || !is_dir(p->m, dir))
		return "made what is there, or cannot be";
	if (item->op == DIFF_LINK) {
		other = resolve(p->m, item->path2, &unused, other_last);
		if (other <= 0 || is_dir(p->m, other))
			return "linked to what is no file";
		inode = p->m->node[other].inode;
	} else {
		inode = new_inode(p->m, p->b->v[item->b].mode & S_IFMT);
		p->m->inode[inode].tag = -1;
	}
	return add(p->m, dir, last, inode) < 0 ? "no room in the model" : NULL;
}

static const char *play_one(struct play *p, const struct diff_item *item)
{
	char last[NAME_LEN] = "";
	int dir, n = resolve(p->m, item->path, &dir, last);

	switch (item->op) {
	case DIFF_UNLINK:
	case DIFF_RMDIR:
		if (n <= 0 || is_dir(p->m, n) != (item->op == DIFF_RMDIR))
			return "removed what is not there, or something else";
		for (int c = 1; c < NODES; c++)
			if (p->m->node[c].used && p->m->node[c].parent == n)
				return "removed a directory that is not empty";
		p->m->node[n].used = false;
		return NULL;
	case DIFF_RENAME:
		return play_rename(p->m, n, item->path2);
	case DIFF_CREATE:
	case DIFF_LINK:
		return play_new(p, item, n, dir, last);
	case DIFF_ENTRY:
		return n < 0 ? "said that something is there" : NULL;
	case DIFF_UPDATE:
		if (n < 0 || p->m->inode[p->m->node[n].inode].ino != p->a->v[item->a].ino ||
		    p->m->inode[p->m->node[n].inode].tag < 0)
			return "updated another inode";
		return NULL;
	default:
		p->left++;
		return n < 0 || !is_dir(p->m, n) ? "left what is no directory" : NULL;
	}
}

static int play(void *arg, const struct diff_item *item)
{
	struct play *p = arg;

	p->wrong = play_one(p, item);
	if (p->wrong)
		snprintf(p->seen, sizeof(p->seen), "op %d %s %s", item->op, item->path,
			 item->path2 ? item->path2 : "");
	return p->wrong ? -1 : 0;
}

/* The same names, the same types, and names that share an inode share one. */
static const char *compare(const struct model *m, const struct tree *b)
{
	int names = 0, of[INODES * 4];
	char last[NAME_LEN];

	memset(of, 0xff, sizeof(of));
	for (int n = 0; n < NODES; n++)
		names += m->node[n].used;
	if ((uint32_t)names != b->n)
		return "not as many names";
	for (uint32_t e = 0; e < b->n; e++) {
		char *path = tree_path(b, e);
		int dir, n = resolve(m, path, &dir, last), inode;

		free(path);
		if (n < 0)
			return "a name is missing";
		inode = m->node[n].inode;
		if (m->inode[inode].type != (b->v[e].mode & S_IFMT))
			return "another type";
		if (of[b->v[e].ino] >= 0 && of[b->v[e].ino] != inode)
			return "names that do not share an inode";
		of[b->v[e].ino] = inode;
	}
	for (uint32_t x = 0; x < b->n; x++)
		for (uint32_t y = 0; y < x; y++)
			if (of[b->v[x].ino] == of[b->v[y].ino] && b->v[x].ino != b->v[y].ino)
				return "names that share an inode and should not";
	return NULL;
}

static const char *one_round(unsigned seed, char *seen)
{
	struct model *old = malloc(sizeof(*old)), *new = malloc(sizeof(*new));
	struct tree a = {0}, b = {0};
	struct play p = {.m = old, .a = &a, .b = &b};
	int err, dirs = 0;

	model_init(old, seed);
	*new = *old;
	for (int i = rnd(new, 40); i > 0; i--)
		edit(new);
	list(old, 0, TREE_NONE, &a);
	list(new, 0, TREE_NONE, &b);
	for (uint32_t e = 0; e < b.n; e++)
		dirs += S_ISDIR(b.v[e].mode);
	err = diff_trees(&a, &b, play, &p);
	if (!p.wrong && err)
		p.wrong = "no operations";
	if (!p.wrong)
		p.wrong = compare(old, &b);
	if (!p.wrong && p.left != dirs)
		p.wrong = "not every directory was left";
	memcpy(seen, p.seen, sizeof(p.seen));
	tree_free(&a);
	tree_free(&b);
	free(old);
	free(new);
	return p.wrong;
}

TEST(random_edits_give_the_new_tree)
{
	for (unsigned seed = 1; seed <= 20000; seed++) {
		char seen[256] = "";
		const char *wrong = one_round(seed, seen);

		ASSERT_EQ(NULL, wrong)
		{
			TH_LOG("seed %u: %s: %s", seed, wrong, seen);
		}
	}
}

/* The same tree, and nothing to do but to leave its directories. */
static int only_quiet(void *arg, const struct diff_item *item)
{
	return item->op < DIFF_UPDATE || (item->op == DIFF_LEAVE && item->touched);
}

TEST(equal_trees_need_nothing)
{
	struct model *m = malloc(sizeof(*m));
	struct tree a = {0}, b = {0};

	model_init(m, 6);
	list(m, 0, TREE_NONE, &a);
	list(m, 0, TREE_NONE, &b);
	EXPECT_EQ(0, diff_trees(&a, &b, only_quiet, NULL));
	tree_free(&a);
	tree_free(&b);
	free(m);
}

/* A name and its inode, which has no birth time but a time of change. */
static void one_entry(struct tree *t, uint32_t mode, time_t changed)
{
	struct tree_entry *e = tree_add(t);

	*e = (struct tree_entry){.parent = TREE_NONE, .mode = S_IFDIR | 0755, .ino = 256};
	e->name = strdup("");
	e = tree_add(t);
	*e = (struct tree_entry){.mode = mode, .ino = 257, .nlink = 1, .ctime.tv_sec = changed};
	e->name = strdup("name");
}

static int find_create(void *arg, const struct diff_item *item)
{
	*(bool *)arg |= item->op == DIFF_CREATE;
	return 0;
}

/* Whether what has this number is taken for another inode when its change time is another. */
static bool is_made_again(uint32_t mode, time_t changed)
{
	struct tree a = {0}, b = {0};
	bool created = false;

	one_entry(&a, mode, 1);
	one_entry(&b, mode, changed);
	if (diff_trees(&a, &b, find_create, &created))
		abort();
	tree_free(&a);
	tree_free(&b);
	return created;
}

/* What cannot be compared by its contents may be another inode of the same number. */
TEST(without_birth_times_the_change_time_tells_inodes_apart)
{
	static const struct {
		uint32_t mode;
		bool again;
	} rows[] = {
		{S_IFLNK | 0777, true}, {S_IFIFO | 0644, true},	 {S_IFSOCK | 0644, true},
		{S_IFCHR | 0644, true}, {S_IFREG | 0644, false}, {S_IFDIR | 0755, false},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		EXPECT_EQ(rows[i].again, is_made_again(rows[i].mode, 2))
		{
			TH_LOG("mode %o, changed", rows[i].mode);
		}
		EXPECT_FALSE(is_made_again(rows[i].mode, 1))
		{
			TH_LOG("mode %o", rows[i].mode);
		}
	}
}

TEST_HARNESS_MAIN
