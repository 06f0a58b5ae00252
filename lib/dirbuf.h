/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dirbuf.h - entries into and out of a struct dirbuf (attr.h). */
#ifndef CR_DIRBUF_H
#define CR_DIRBUF_H

#include <stdbool.h>

#include "attr.h"

/* The next entry but "." and "..": true and @view, which points into @buf; false at the end. */
bool dirbuf_next(struct dirbuf *buf, struct dirent_view *view);

/* Append an entry: false when it does not fit. */
bool dirbuf_put(struct dirbuf *buf, const struct dirent_view *view);

#endif
