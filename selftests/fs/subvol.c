// SPDX-License-Identifier: GPL-2.0-or-later
/* Subvolumes of btrfs through the core. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "fixture.h"
#include "kselftest_harness.h"
#include "vfs.h"

#define UUID ((const uint8_t *)"fedcba9876543210")

FIXTURE(subvol)
{
	struct cr_ns *ns;
	const char *path;
	struct file *top, *one;
};

FIXTURE_SETUP(subvol)
{
	self->path = fixture_fs("btrfs", 128, NULL);
	if (!self->path)
		SKIP(return, "%s", fixture_why());
	self->ns = cr_ns_new();
	ASSERT_NE(NULL, self->ns);
	ASSERT_EQ(0, cr_open(self->ns, self->path, O_RDONLY | O_DIRECTORY, 0, &self->top));
	ASSERT_EQ(0, cr_subvol_create(self->top, "one"));
	ASSERT_EQ(0, cr_openat(self->top, "one", O_RDONLY | O_DIRECTORY, 0, &self->one));
}

FIXTURE_TEARDOWN(subvol)
{
	cr_close(self->one);
	cr_close(self->top);
	cr_ns_free(self->ns);
}

TEST_F(subvol, says_what_it_is)
{
	struct subvol_info info, top;

	ASSERT_EQ(0, cr_subvol_info(self->one, &info));
	ASSERT_EQ(0, cr_subvol_info(self->top, &top));
	EXPECT_EQ(5, top.id);
	EXPECT_LE(256, info.id);
	EXPECT_EQ(5, info.parent_id);
	EXPECT_STREQ("one", info.name);
	EXPECT_EQ(0, info.flags);
	EXPECT_NE(0, info.ctransid);
	EXPECT_NE(0, memcmp(info.uuid, info.parent_uuid, 16));
}

TEST_F(subvol, snapshots_know_their_origin_and_hold_its_files)
{
	struct subvol_info info, snap;
	struct file *dir, *file;
	struct statx stx;

	ASSERT_EQ(0, cr_openat(self->one, "file", O_WRONLY | O_CREAT, 0600, &file));
	cr_close(file);
	ASSERT_EQ(0, cr_snap_create(self->one, self->top, "snap", SUBVOL_RDONLY));
	ASSERT_EQ(0, cr_openat(self->top, "snap", O_RDONLY | O_DIRECTORY, 0, &dir));
	ASSERT_EQ(0, cr_subvol_info(self->one, &info));
	ASSERT_EQ(0, cr_subvol_info(dir, &snap));
	EXPECT_EQ(0, memcmp(info.uuid, snap.parent_uuid, 16));
	EXPECT_EQ(SUBVOL_RDONLY, snap.flags);
	EXPECT_EQ(0, cr_getattr(dir, "file", &stx));
	EXPECT_EQ(-EROFS, cr_mkdir(dir, "no", 0700));
	ASSERT_EQ(0, cr_subvol_setflags(dir, 0));
	EXPECT_EQ(0, cr_mkdir(dir, "yes", 0700));
	cr_close(dir);
	EXPECT_EQ(0, cr_snap_destroy(self->top, "snap"));
	EXPECT_EQ(-ENOENT, cr_getattr(self->top, "snap", &stx));
}

TEST_F(subvol, is_found_by_either_uuid)
{
	struct subvol_info info;
	uint64_t id[4];

	ASSERT_EQ(0, cr_subvol_info(self->one, &info));
	ASSERT_EQ(1, cr_subvol_find(self->top, SUBVOL_UUID, info.uuid, id, 4));
	EXPECT_EQ(info.id, id[0]);
	EXPECT_EQ(0, cr_subvol_find(self->top, SUBVOL_RECEIVED_UUID, UUID, id, 4));
	ASSERT_EQ(0, cr_set_received_subvol(self->one, UUID, 77));
	ASSERT_EQ(1, cr_subvol_find(self->top, SUBVOL_RECEIVED_UUID, UUID, id, 4));
	EXPECT_EQ(info.id, id[0]);
	ASSERT_EQ(0, cr_subvol_info(self->one, &info));
	EXPECT_EQ(77, info.stransid);
	EXPECT_EQ(0, memcmp(UUID, info.received_uuid, 16));
	/* A second one received from the same. */
	ASSERT_EQ(0, cr_snap_create(self->one, self->top, "snap", 0));
	ASSERT_EQ(0, cr_subvol_create(self->top, "two"));
	cr_close(self->one);
	ASSERT_EQ(0, cr_openat(self->top, "two", O_RDONLY | O_DIRECTORY, 0, &self->one));
	ASSERT_EQ(0, cr_set_received_subvol(self->one, UUID, 78));
	EXPECT_LE(2, cr_subvol_find(self->top, SUBVOL_RECEIVED_UUID, UUID, id, 4));
	EXPECT_EQ(1, cr_subvol_find(self->top, SUBVOL_RECEIVED_UUID, UUID, id, 1));
}

TEST_F(subvol, is_opened_by_its_id_where_no_path_leads)
{
	struct subvol_info info, again;
	struct file *other, *dir, *none;
	char path[300];

	ASSERT_EQ(0, cr_subvol_info(self->one, &info));
	ASSERT_EQ(0, cr_subvol_create(self->top, "two"));
	ASSERT_EQ(0, cr_subvol_create(self->one, "inside"));
	snprintf(path, sizeof(path), "%s/two", self->path);
	ASSERT_EQ(0, cr_open(self->ns, path, O_RDONLY | O_DIRECTORY, 0, &other));
	ASSERT_EQ(0, cr_subvol_open(other, info.id, &dir));
	ASSERT_EQ(0, cr_subvol_info(dir, &again));
	EXPECT_EQ(info.id, again.id);
	EXPECT_EQ(0, cr_snap_create(dir, self->top, "snap", 0));
	EXPECT_EQ(-ESTALE, cr_subvol_open(other, 99999, &none));
	cr_close(dir);
	cr_close(other);
}

TEST_F(subvol, names_are_single_components)
{
	char name[300];

	EXPECT_EQ(-EINVAL, cr_subvol_create(self->top, "a/b"));
	EXPECT_EQ(-EINVAL, cr_snap_create(self->one, self->top, "", 0));
	EXPECT_EQ(-EEXIST, cr_subvol_create(self->top, "one"));
	memset(name, 'x', 299);
	name[299] = '\0';
	EXPECT_EQ(-ENAMETOOLONG, cr_snap_destroy(self->top, name));
}

TEST_F(subvol, works_stacked)
{
	struct subvol_info info;
	struct file *top, *one;
	char name[300];
	uint64_t id;

	snprintf(name, sizeof(name), "fault:subvol_find@2=EDOM:%s", self->path);
	if (cr_open(self->ns, name, O_RDONLY | O_DIRECTORY, 0, &top))
		SKIP(return, "the fault room is left out of this build");
	ASSERT_EQ(0, cr_subvol_info(self->one, &info));
	ASSERT_EQ(1, cr_subvol_find(top, SUBVOL_UUID, info.uuid, &id, 1));
	EXPECT_EQ(-EDOM, cr_subvol_find(top, SUBVOL_UUID, info.uuid, &id, 1));
	ASSERT_EQ(0, cr_subvol_open(top, id, &one));
	EXPECT_EQ(0, cr_snap_create(one, top, "snap", 0));
	EXPECT_EQ(-EXDEV, cr_snap_create(self->one, top, "snap2", 0));
	cr_close(one);
	cr_close(top);
}

TEST_F(subvol, attributes_can_be_removed)
{
	struct xattr x = {.key = "user.x", .value = "y", .len = 1};
	char buf[8];

	ASSERT_EQ(0, cr_setxattr(self->top, "one", &x));
	EXPECT_EQ(1, cr_getxattr(self->top, "one", "user.x", buf, sizeof(buf)));
	EXPECT_EQ(0, cr_removexattr(self->top, "one", "user.x"));
	EXPECT_EQ(-ENODATA, cr_getxattr(self->top, "one", "user.x", buf, sizeof(buf)));
	EXPECT_EQ(-ENODATA, cr_removexattr(self->one, NULL, "user.x"));
}

TEST_F(subvol, modes_are_not_set_through_a_symlink)
{
	struct iattr attr = {.valid = ATTR_MODE, .mode = 0751};
	struct file *file;
	struct statx stx;

	ASSERT_EQ(0, cr_openat(self->top, "file", O_WRONLY | O_CREAT, 0600, &file));
	cr_close(file);
	ASSERT_EQ(0, cr_symlink(self->top, "link", "file"));
	EXPECT_EQ(-EOPNOTSUPP, cr_setattr(self->top, "link", &attr));
	ASSERT_EQ(0, cr_getattr(self->top, "file", &stx));
	EXPECT_EQ(0600, stx.stx_mode & 07777);
	EXPECT_EQ(0, cr_setattr(self->top, "file", &attr));
	ASSERT_EQ(0, cr_getattr(self->top, "file", &stx));
	EXPECT_EQ(0751, stx.stx_mode & 07777);
}

TEST_HARNESS_MAIN
