// SPDX-License-Identifier: GPL-2.0-or-later
/* The tree of ranges against a plain list: what one finds, the other finds. */
#include <stdlib.h>
#include <string.h>

#include "kernel/share_tree.h"
#include "kselftest_harness.h"

#define UNITS 4096 /* places for ranges in each of two spaces */

FIXTURE(tree)
{
	struct share_tree tree;
	uint32_t model[2][UNITS]; /* the node that holds a place, or 0 */
};

FIXTURE_SETUP(tree)
{
	self->tree.max = 100000;
}

FIXTURE_TEARDOWN(tree)
{
	share_tree_free(&self->tree);
}

static uint32_t insert(FIXTURE_DATA(tree) * self, uint32_t space, uint64_t addr, uint32_t len)
{
	struct share_node node = {.space = space, .addr = addr, .len = len, .off = addr * 7};
	uint32_t i = share_tree_insert(&self->tree, &node);

	for (uint32_t u = 0; i && u < len; u++)
		self->model[space][addr + u] = i;
	return i;
}

/* What the list says to share_tree_at(). */
static uint32_t model_at(FIXTURE_DATA(tree) * self, uint32_t space, uint64_t addr)
{
	while (addr < UNITS && !self->model[space][addr])
		addr++;
	return addr < UNITS ? self->model[space][addr] : 0;
}

TEST_F(tree, an_empty_one_finds_nothing)
{
	EXPECT_EQ(0, share_tree_at(&self->tree, 0, 0));
	EXPECT_EQ(0, share_tree_at(&self->tree, 7, 123456));
}

TEST_F(tree, finds_the_range_that_holds_or_follows)
{
	uint32_t a = insert(self, 0, 100, 10), b = insert(self, 0, 200, 10);

	EXPECT_EQ(a, share_tree_at(&self->tree, 0, 0));
	EXPECT_EQ(a, share_tree_at(&self->tree, 0, 100));
	EXPECT_EQ(a, share_tree_at(&self->tree, 0, 109));
	EXPECT_EQ(b, share_tree_at(&self->tree, 0, 110));
	EXPECT_EQ(b, share_tree_at(&self->tree, 0, 209));
	EXPECT_EQ(0, share_tree_at(&self->tree, 0, 210));
}

TEST_F(tree, spaces_are_apart)
{
	uint32_t a = insert(self, 1, 100, 10);

	EXPECT_EQ(0, share_tree_at(&self->tree, 0, 100));
	EXPECT_EQ(a, share_tree_at(&self->tree, 1, 100));
	EXPECT_EQ(0, share_tree_at(&self->tree, 2, 100));
}

TEST_F(tree, takes_no_more_than_it_may)
{
	unsigned put = 0;

	self->tree.max = 100;
	for (unsigned i = 0; i < 200; i++)
		put += insert(self, 0, i * 2, 1) != 0;
	EXPECT_EQ(99, put);
	share_tree_remove(&self->tree, share_tree_at(&self->tree, 0, 0));
	EXPECT_NE(0, insert(self, 0, 1001, 1));
	EXPECT_EQ(0, insert(self, 0, 1003, 1));
}

TEST_F(tree, does_as_a_list_does)
{
	srand(1);
	for (unsigned step = 0; step < 100000; step++) {
		uint32_t space = (uint32_t)rand() % 2, len = 1 + (uint32_t)rand() % 8, i;
		uint64_t addr = (uint64_t)rand() % (UNITS - 8);
		uint32_t at = share_tree_at(&self->tree, space, addr);

		ASSERT_EQ(model_at(self, space, addr), at);
		if (at && rand() % 3 == 0) {
			struct share_node node = *share_node(&self->tree, at);

			ASSERT_EQ(node.addr * 7, node.off);
			share_tree_remove(&self->tree, at);
			memset(&self->model[space][node.addr], 0, node.len * sizeof(uint32_t));
			continue;
		}
		for (i = 0; i < len && !self->model[space][addr + i]; i++)
			;
		if (i == len)
			ASSERT_NE(0, insert(self, space, addr, len));
	}
}

TEST_HARNESS_MAIN
