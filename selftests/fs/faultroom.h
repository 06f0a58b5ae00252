/* SPDX-License-Identifier: GPL-2.0-or-later */
/* faultroom.h - the fixture of the fault room's tests: a directory, and files in it that break. */
#ifndef SELFTESTS_FS_FAULTROOM_H
#define SELFTESTS_FS_FAULTROOM_H

#include <limits.h>
#include <stdio.h>

#include "kernel/core.h"
#include "fixture.h"
#include "kselftest_harness.h"

#define URL_MAX (PATH_MAX + 512)

FIXTURE(fault)
{
	struct cr_ns *ns;
	const char *dir;
};

FIXTURE_SETUP(fault)
{
	self->dir = fixture_dir();
	self->ns = cr_ns_new();
	ASSERT_NE(NULL, self->ns);
}

FIXTURE_TEARDOWN(fault)
{
	cr_ns_free(self->ns);
}

static int open_in(FIXTURE_DATA(fault) * self, const char *rules, const char *name,
		   struct file **file)
{
	char url[URL_MAX];

	snprintf(url, sizeof(url), "fault:%s:%s/%s", rules, self->dir, name);
	return cr_open(self->ns, url, O_RDWR | O_CREAT, 0600, file);
}

static int open_dir(FIXTURE_DATA(fault) * self, const char *rules, struct file **dir)
{
	char url[URL_MAX];

	snprintf(url, sizeof(url), "fault:%s:%s", rules, self->dir);
	return cr_open(self->ns, url, O_RDONLY | O_DIRECTORY, 0, dir);
}

#endif
