/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ops.h - the codecs of single operations, for table.c and cb.c: x_ arguments, r_ results. */
#ifndef CR_NFS4_OPS_H
#define CR_NFS4_OPS_H

#include "lib/nfs4/proto.h"

/* ops_file.c */
void x_none(struct xdr *x, void *p);
void r_none(struct xdr *x, void *p, uint32_t status);
void x_name(struct xdr *x, void *p);
void x_stateid(struct xdr *x, void *p);
void r_stateid(struct xdr *x, void *p, uint32_t status);
void x_clientid(struct xdr *x, void *p);
void r_change(struct xdr *x, void *p, uint32_t status);
void x_access(struct xdr *x, void *p);
void r_access(struct xdr *x, void *p, uint32_t status);
void x_create(struct xdr *x, void *p);
void r_create(struct xdr *x, void *p, uint32_t status);
void x_map(struct xdr *x, void *p);
void x_fattr(struct xdr *x, void *p);
void r_fattr(struct xdr *x, void *p, uint32_t status);
void x_fh(struct xdr *x, void *p);
void r_fh(struct xdr *x, void *p, uint32_t status);
void r_readlink(struct xdr *x, void *p, uint32_t status);
void x_rename(struct xdr *x, void *p);
void r_rename(struct xdr *x, void *p, uint32_t status);
void x_readdir(struct xdr *x, void *p);
void r_readdir(struct xdr *x, void *p, uint32_t status);
void x_secinfo_no_name(struct xdr *x, void *p);
void r_secinfo(struct xdr *x, void *p, uint32_t status);
void x_setattr(struct xdr *x, void *p);
void r_setattr(struct xdr *x, void *p, uint32_t status);
void x_openattr(struct xdr *x, void *p);

/* ops_data.c */
void x_read(struct xdr *x, void *p);
void r_read(struct xdr *x, void *p, uint32_t status);
void x_write(struct xdr *x, void *p);
void r_write(struct xdr *x, void *p, uint32_t status);
void x_commit(struct xdr *x, void *p);
void r_commit(struct xdr *x, void *p, uint32_t status);
void x_range(struct xdr *x, void *p);
void x_seek(struct xdr *x, void *p);
void r_seek(struct xdr *x, void *p, uint32_t status);
void x_io_advise(struct xdr *x, void *p);
void r_io_advise(struct xdr *x, void *p, uint32_t status);
void r_read_plus(struct xdr *x, void *p, uint32_t status);
void x_write_same(struct xdr *x, void *p);
void r_write_response(struct xdr *x, void *p, uint32_t status);

/* ops_state.c */
void x_open(struct xdr *x, void *p);
void r_open(struct xdr *x, void *p, uint32_t status);
void x_close(struct xdr *x, void *p);
void x_open_downgrade(struct xdr *x, void *p);
void x_lock(struct xdr *x, void *p);
void r_lock(struct xdr *x, void *p, uint32_t status);
void x_lockt(struct xdr *x, void *p);
void r_lockt(struct xdr *x, void *p, uint32_t status);
void x_locku(struct xdr *x, void *p);
void x_test_stateid(struct xdr *x, void *p);
void r_test_stateid(struct xdr *x, void *p, uint32_t status);

/* ops_session.c */
void x_exchange_id(struct xdr *x, void *p);
void r_exchange_id(struct xdr *x, void *p, uint32_t status);
void x_create_session(struct xdr *x, void *p);
void r_create_session(struct xdr *x, void *p, uint32_t status);
void x_sessionid(struct xdr *x, void *p);
void x_bind_conn(struct xdr *x, void *p);
void r_bind_conn(struct xdr *x, void *p, uint32_t status);
void x_backchannel_ctl(struct xdr *x, void *p);
void x_sequence(struct xdr *x, void *p);
void r_sequence(struct xdr *x, void *p, uint32_t status);
void x_reclaim_complete(struct xdr *x, void *p);

/* ops_copy.c */
void x_copy(struct xdr *x, void *p);
void r_copy(struct xdr *x, void *p, uint32_t status);
void x_copy_notify(struct xdr *x, void *p);
void r_copy_notify(struct xdr *x, void *p, uint32_t status);
void r_offload_status(struct xdr *x, void *p, uint32_t status);
void x_clone(struct xdr *x, void *p);

/* ops_xattr.c */
void r_getxattr(struct xdr *x, void *p, uint32_t status);
void x_setxattr(struct xdr *x, void *p);
void x_listxattrs(struct xdr *x, void *p);
void r_listxattrs(struct xdr *x, void *p, uint32_t status);

#endif
