/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quote.h - names for people: GNU's shell-escape-always, as in cp's messages. */
#ifndef OCP_QUOTE_H
#define OCP_QUOTE_H

#include <stddef.h>

/**
 * quote_name - write @name so that a shell would read it back
 *
 * 'a b', "it's", 'a'$'\n''b'.  Which bytes are printable is asked of the
 * locale (LC_CTYPE), as GNU does.
 * Return: a string of malloc(), or NULL without memory.
 */
char *quote_name(const char *name);

/** quote_name_n - the same for the first @len bytes, which may hold NULs */
char *quote_name_n(const char *name, size_t len);

/** quote_needed - as quote_name(), but a name a shell would take as it is stays so; no colons in it
 */
char *quote_needed(const char *name);

#endif
