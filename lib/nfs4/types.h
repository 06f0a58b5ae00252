/* SPDX-License-Identifier: GPL-2.0-or-later */
/* types.h - the small types that operations are made of. */
#ifndef CR_NFS4_TYPES_H
#define CR_NFS4_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/nfs4/nfs4.h"
#include "lib/xdr.h"

#define NFS4_MAP_WORDS	 3u
#define NFS4_NETLOCS_MAX 8u
#define NFS4_SECS_MAX	 8u

struct nfs4_stateid {
	uint32_t seqid;
	uint8_t other[NFS4_OTHER_SIZE];
};

struct nfs4_fh {
	uint32_t len;
	uint8_t data[NFS4_FHSIZE];
};

struct nfs4_time {
	int64_t sec;
	uint32_t nsec;
};

struct nfs4_fsid {
	uint64_t major, minor;
};

struct nfs4_change_info {
	bool atomic;
	uint64_t before, after;
};

/* A set of attributes or operations; beyond: bits that nobody here has a name for. */
struct nfs4_bitmap {
	uint32_t word[NFS4_MAP_WORDS];
	bool beyond;
};

static inline bool nfs4_bit(const struct nfs4_bitmap *map, unsigned bit)
{
	return map->word[bit / 32] >> bit % 32 & 1;
}

static inline void nfs4_bit_set(struct nfs4_bitmap *map, unsigned bit)
{
	map->word[bit / 32] |= 1u << bit % 32;
}

static inline void nfs4_bit_clear(struct nfs4_bitmap *map, unsigned bit)
{
	map->word[bit / 32] &= ~(1u << bit % 32);
}

/* Attributes as they are on the wire: see attr.h for what is in them. */
struct nfs4_fattr {
	struct nfs4_bitmap map;
	struct xdr_bytes vals;
};

struct nfs4_owner {
	uint64_t clientid;
	struct xdr_bytes owner;
};

struct nfs4_netloc {
	uint32_t type;
	struct xdr_bytes name; /* NL4_NAME, NL4_URL; NL4_NETADDR: netid */
	struct xdr_bytes uaddr;
};

struct nfs4_netlocs {
	uint32_t n;
	struct nfs4_netloc loc[NFS4_NETLOCS_MAX];
};

struct nfs4_impl_id {
	bool given;
	struct xdr_bytes domain, name;
	struct nfs4_time date;
};

struct nfs4_ace {
	uint32_t type, flag, mask;
	struct xdr_bytes who;
};

#endif
