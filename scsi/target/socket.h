/* SPDX-License-Identifier: GPL-2.0-or-later */
/* socket.h - addresses as text. */
#ifndef SCSI_TARGET_SOCKET_H
#define SCSI_TARGET_SOCKET_H

#include <stdbool.h>
#include <stddef.h>

/* "127.0.0.1:3260" or "[::1]:3260", of the other end or of ours; "?" where there is none. */
void socket_text(int fd, bool peer, char *text, size_t room);

/**
 * socket_listen - ADDRESS:PORT, [ADDRESS]:PORT, ADDRESS or :PORT; port 0: the kernel chooses
 * @why: set to what failed where the result is negative
 *
 * Return: a descriptor that does not block, or a negative errno.
 */
int socket_listen(const char *address, const char **why);

#endif
