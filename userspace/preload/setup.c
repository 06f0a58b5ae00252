// SPDX-License-Identifier: GPL-2.0-or-later
/* setup.c - what is settled before main(): the environment, and who is next. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "preload.h"

struct preload preload;

static void in_child(void)
{
	preload.pid = getpid();
}

bool may_take_over(void)
{
	return preload.pid == getpid();
}

/* A relative name means the place where the program was started, wherever it goes. */
static void set_trace(const char *name)
{
	size_t n = 0;

	if (!name || !*name)
		return;
	if (!strcmp(name, "stderr")) {
		preload.trace_stderr = true;
		return;
	}
	if (*name != '/' && getcwd(preload.trace, sizeof(preload.trace) - 1)) {
		n = strlen(preload.trace);
		preload.trace[n++] = '/';
	}
	if (strlen(name) < sizeof(preload.trace) - n)
		memcpy(preload.trace + n, name, strlen(name) + 1);
	else
		preload.trace[0] = '\0';
}

static void set_options(void)
{
	const char *offload = secure_getenv("OCP_OFFLOAD"), *clone = secure_getenv("OCP_CLONE");

	set_trace(secure_getenv("OCP_TRACE"));
	if (offload && *offload && served_flags(offload, &preload.flags))
		dprintf(STDERR_FILENO, "libocp-preload: OCP_OFFLOAD: not known: %s\n", offload);
	preload.clone_copies = clone && !strcmp(clone, "copy");
	if (clone && *clone && !preload.clone_copies)
		dprintf(STDERR_FILENO, "libocp-preload: OCP_CLONE: not known: %s\n", clone);
}

/* Before this has run, calls of other constructors go to the kernel. */
__attribute__((constructor)) static void setup(void)
{
	preload.copy_file_range = dlsym(RTLD_NEXT, "copy_file_range");
	preload.sendfile = dlsym(RTLD_NEXT, "sendfile64");
	preload.ioctl = dlsym(RTLD_NEXT, "ioctl");
	set_options();
	if (!pthread_atfork(NULL, NULL, in_child))
		in_child();
}
