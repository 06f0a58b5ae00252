/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quote.h"

static const struct message messages[MSG_COUNT] = {
	[MSG_STAT] = {"stat", "cannot stat %1"},
	[MSG_ACCESS] = {"opendir", "cannot access %1"},
	[MSG_OPEN] = {"open", "cannot open %1 for reading"},
	[MSG_FSTAT] = {"fstat", "cannot fstat %1"},
	[MSG_READ] = {"read", "error reading %1"},
	[MSG_WRITE] = {"write", "error writing %1"},
	[MSG_COPY] = {"copy", "error copying %1 to %2"},
	[MSG_CLONE] = {"clone", "failed to clone %1 from %2"},
	[MSG_CREATE] = {"create", "cannot create regular file %1"},
	[MSG_MKDIR] = {"mkdir", "cannot create directory %1"},
	[MSG_MKDIR_PARENT] = {"mkdir", "cannot make directory %1"},
	[MSG_MKFIFO] = {"mknod", "cannot create fifo %1"},
	[MSG_MKNOD] = {"mknod", "cannot create special file %1"},
	[MSG_SYMLINK] = {"symlink", "cannot create symbolic link %1"},
	[MSG_SYMLINK_TO] = {"symlink", "cannot create symbolic link %1 to %2"},
	[MSG_LINK] = {"link", "cannot create hard link %1 to %2"},
	[MSG_READLINK] = {"readlink", "cannot read symbolic link %1"},
	[MSG_REMOVE] = {"unlink", "cannot remove %1"},
	[MSG_RENAME] = {"rename", "cannot rename %1 to %2"},
	[MSG_TRUNCATE] = {"truncate", "failed to extend %1"},
	[MSG_CLOSE] = {"close", "failed to close %1"},
	[MSG_SYNC] = {"sync", "cannot sync %1"},
	[MSG_TIMES] = {"utimes", "preserving times for %1"},
	[MSG_OWNER] = {"chown", "failed to preserve ownership for %1"},
	[MSG_MODE] = {"chmod", "preserving permissions for %1"},
	[MSG_SET_MODE] = {"chmod", "setting permissions for %1"},
	[MSG_LISTXATTR] = {"listxattr", "listing attributes of %1"},
	[MSG_GETXATTR] = {"getxattr", "getting attribute %2 of %1"},
	[MSG_SETXATTR] = {"setxattr", "setting attribute %2 for %1"},
	[MSG_CONTEXT_GET] = {"context", "failed to get security context of %1"},
	[MSG_CONTEXT_SET] = {"context", "failed to set the security context of %1"},
	[MSG_CONTEXT_TO] = {"context", "failed to set default file creation context to %1"},
	[MSG_CONTEXT_FOR] = {"context", "failed to set default file creation context for %1"},
	[MSG_CONTEXT_ROOM] =
		{"context",
		 "warning: ignoring --context: %1 is not in a file system of this machine"},
	[MSG_BACKUP] = {"backup", "cannot backup %1"},
	[MSG_UNBACKUP] = {"backup", "cannot un-backup %1"},
	[MSG_BACKUP_SOURCE] = {"backup", "backing up %1 might destroy source;  %2 not copied"},
	[MSG_RESERVE] = {"fallocate", "reserving space for %1"},
	[MSG_FLAGS] = {"fileattr", "preserving file flags for %1"},
	[MSG_TARGET_DIR] = {"target", "target directory %1"},
	[MSG_TARGET] = {"target", "target %1"},
	[MSG_TARGET_NOT_DIR] = {"target", "target %1 is not a directory"},
	[MSG_NOT_DIR] = {"mkdir", "%1 exists but is not a directory"},
	[MSG_OMIT_DIR] = {"check", "-r not specified; omitting directory %1"},
	[MSG_SAME_FILE] = {"check", "%1 and %2 are the same file"},
	[MSG_INTO_ITSELF] = {"check", "cannot copy a directory, %1, into itself, %2"},
	[MSG_LINK_TO_DIR] = {"link", "will not create hard link %1 to directory %2"},
	[MSG_DIR_OVER_FILE] = {"check", "cannot overwrite non-directory %1 with directory %2"},
	[MSG_FILE_OVER_DIR] = {"check", "cannot overwrite directory %1 with non-directory"},
	[MSG_JUST_CREATED] = {"check", "will not overwrite just-created %1 with %2"},
	[MSG_COPY_SYMLINK_JUST] = {"check", "will not copy %1 through just-created symlink %2"},
	[MSG_TWICE] = {"check", "warning: source file %1 specified more than once"},
	[MSG_TWICE_DIR] = {"check", "warning: source directory %1 specified more than once"},
	[MSG_DANGLING] = {"check", "not writing through dangling symlink %1"},
	[MSG_CYCLE] = {"check", "cannot copy cyclic symbolic link %1"},
	[MSG_RELATIVE_SYMLINK] = {"symlink",
				  "%3: can make relative symbolic links only in current directory"},
	[MSG_REPLACED] = {"check", "skipping file %1, as it was replaced while being copied"},
	[MSG_UNKNOWN_TYPE] = {"check", "%1 has unknown file type"},
	[MSG_NOT_REPLACING] = {"check", "not replacing %1"},
	[MSG_PARENTS_DIR] = {"target", "with --parents, the destination must be a directory"},
	[MSG_CHANGED] = {"read", "%1 became shorter while it was copied"},
	[MSG_JOURNAL] = {"journal", "cannot keep the journal %1"},
	[MSG_BUSY] = {"journal", "another ocp --resume copies this: it has locked %1"},
	[MSG_DIFFERS] = {"verify", "when read back, %1 differs from %2"},
	[MSG_READ_BACK] = {"verify", "cannot read back %1"},
	[MSG_MANIFEST] = {"manifest", "cannot create %1"},
	[MSG_MANIFEST_WRITE] = {"manifest", "error writing %1"},
	[MSG_DEVICE_MOUNTED] = {"open", "not writing to %1, which is mounted on %2"},
	[MSG_DEVICE_USED] = {"open", "not writing to %1, which is used by %2"},
	[MSG_INTERRUPTED] = {"copy", "interrupted: %1 was not completed"},
	[MSG_NO_MEMORY] = {"memory", "memory exhausted"},
};

const struct message *message_of(enum ocp_msg msg)
{
	return &messages[msg];
}

char *message_text(enum ocp_msg msg, const char *path, const char *path2)
{
	char *quoted[3] = {path ? quote_name(path) : NULL, path2 ? quote_name(path2) : NULL,
			   path ? quote_needed(path) : NULL};
	const char *at = message_of(msg)->text, *fill;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (; out && *at; at++) {
		if (*at != '%') {
			fputc(*at, out);
			continue;
		}
		fill = quoted[*++at - '1'];
		fputs(fill ? fill : "''", out);
	}
	if (out && fclose(out)) {
		free(text);
		text = NULL;
	}
	free(quoted[0]);
	free(quoted[1]);
	free(quoted[2]);
	return text;
}
