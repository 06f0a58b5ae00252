/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * args.h - arguments and results of the operations, as both ends hold them.
 *
 * Strings and opaque data (struct xdr_bytes) of what was decoded point into the
 * message.  Lists have room for more than anyone sends; longer ones are refused.
 */
#ifndef CR_NFS4_ARGS_H
#define CR_NFS4_ARGS_H

#include "lib/nfs4/types.h"

/* Several operations have no more than these. */
struct nfs4_void {
	char nothing;
};

struct nfs4_name_args {
	struct xdr_bytes name;
};

struct nfs4_stateid_args {
	struct nfs4_stateid stateid;
};

struct nfs4_clientid_args {
	uint64_t clientid;
};

struct nfs4_map_args {
	struct nfs4_bitmap map;
};

struct nfs4_fattr_args {
	struct nfs4_fattr attr;
};

struct nfs4_change_res {
	struct nfs4_change_info cinfo;
};

/* Files and directories: ops_file.c */

struct nfs4_access_args {
	uint32_t access;
};

struct nfs4_access_res {
	uint32_t supported, access;
};

struct nfs4_create_args {
	uint32_t type; /* enum nfs_ftype4 */
	struct xdr_bytes link;
	uint32_t major, minor; /* NF4BLK, NF4CHR */
	struct xdr_bytes name;
	struct nfs4_fattr attr;
};

struct nfs4_create_res {
	struct nfs4_change_info cinfo;
	struct nfs4_bitmap attrset;
};

struct nfs4_fh_args {
	struct nfs4_fh fh;
};

struct nfs4_rename_args {
	struct xdr_bytes from, to;
};

struct nfs4_rename_res {
	struct nfs4_change_info source, target;
};

struct nfs4_readdir_args {
	uint64_t cookie;
	uint8_t verf[NFS4_VERIFIER_SIZE];
	uint32_t dircount, maxcount;
	struct nfs4_bitmap attrs;
};

struct nfs4_readdir_res {
	uint8_t verf[NFS4_VERIFIER_SIZE];
	struct xdr_bytes entries; /* encoded: nfs4_entry() */
	bool eof;
};

struct nfs4_entry {
	uint64_t cookie;
	struct xdr_bytes name;
	struct nfs4_fattr attr;
};

struct nfs4_secinfo {
	uint32_t flavor;
	struct xdr_bytes oid; /* RPC_GSS: and the rest */
	uint32_t qop, service;
};

struct nfs4_secinfo_res {
	uint32_t n;
	struct nfs4_secinfo sec[NFS4_SECS_MAX];
};

struct nfs4_secinfo_no_name_args {
	uint32_t style;
};

struct nfs4_setattr_args {
	struct nfs4_stateid stateid;
	struct nfs4_fattr attr;
};

struct nfs4_setattr_res {
	struct nfs4_bitmap attrset; /* whatever the status is */
};

/* Data: ops_data.c */

struct nfs4_read_args {
	struct nfs4_stateid stateid;
	uint64_t offset;
	uint32_t count;
};

struct nfs4_read_res {
	bool eof;
	struct xdr_bytes data;
};

struct nfs4_write_args {
	struct nfs4_stateid stateid;
	uint64_t offset;
	uint32_t stable;
	struct xdr_bytes data;
};

struct nfs4_write_res {
	uint32_t count, committed;
	uint8_t verf[NFS4_VERIFIER_SIZE];
};

struct nfs4_commit_args {
	uint64_t offset;
	uint32_t count;
};

struct nfs4_commit_res {
	uint8_t verf[NFS4_VERIFIER_SIZE];
};

/* ALLOCATE, DEALLOCATE */
struct nfs4_range_args {
	struct nfs4_stateid stateid;
	uint64_t offset, length;
};

struct nfs4_seek_args {
	struct nfs4_stateid stateid;
	uint64_t offset;
	uint32_t what;
};

struct nfs4_seek_res {
	bool eof;
	uint64_t offset;
};

struct nfs4_io_advise_args {
	struct nfs4_stateid stateid;
	uint64_t offset, count;
	struct nfs4_bitmap hints;
};

struct nfs4_read_plus_res {
	bool eof;
	uint32_t segments;
	struct xdr_bytes contents; /* encoded: nfs4_content() */
};

struct nfs4_content {
	uint32_t type; /* enum data_content4 */
	uint64_t offset, length;
	struct xdr_bytes data;
};

struct nfs4_write_same_args {
	struct nfs4_stateid stateid;
	uint32_t stable;
	uint64_t offset, block_size, block_count, reloff_blocknum;
	uint32_t block_num;
	uint64_t reloff_pattern;
	struct xdr_bytes pattern;
};

/* Opens and locks: ops_state.c */

struct nfs4_open_args {
	uint32_t seqid; /* no meaning in 4.1 */
	uint32_t share_access, share_deny;
	struct nfs4_owner owner;
	uint32_t opentype, createmode;
	struct nfs4_fattr createattrs; /* not EXCLUSIVE4 */
	uint8_t createverf[NFS4_VERIFIER_SIZE];
	uint32_t claim;
	uint32_t delegate_type;		/* CLAIM_PREVIOUS */
	struct nfs4_stateid delegation; /* CLAIM_DELEGATE_CUR, CLAIM_DELEG_CUR_FH */
	struct xdr_bytes name;		/* CLAIM_NULL, CLAIM_DELEGATE_CUR, CLAIM_DELEGATE_PREV */
};

struct nfs4_delegation {
	uint32_t type; /* enum open_delegation_type4 */
	struct nfs4_stateid stateid;
	bool recall;
	uint32_t limit_by; /* of a write delegation: 1 size, 2 blocks */
	uint64_t limit_size;
	uint32_t limit_blocks, limit_block_bytes;
	struct nfs4_ace ace;
	uint32_t why; /* OPEN_DELEGATE_NONE_EXT */
	bool will_signal;
};

struct nfs4_open_res {
	struct nfs4_stateid stateid;
	struct nfs4_change_info cinfo;
	uint32_t rflags;
	struct nfs4_bitmap attrset;
	struct nfs4_delegation delegation;
};

struct nfs4_close_args {
	uint32_t seqid;
	struct nfs4_stateid stateid;
};

struct nfs4_open_downgrade_args {
	struct nfs4_stateid stateid;
	uint32_t seqid, share_access, share_deny;
};

struct nfs4_openattr_args {
	bool createdir;
};

struct nfs4_lock_args {
	uint32_t type; /* enum nfs_lock_type4 */
	bool reclaim;
	uint64_t offset, length;
	bool new_owner;
	uint32_t open_seqid;
	struct nfs4_stateid open_stateid; /* new_owner */
	uint32_t lock_seqid;
	struct nfs4_owner owner;	  /* new_owner */
	struct nfs4_stateid lock_stateid; /* else */
};

struct nfs4_lock_denied {
	uint64_t offset, length;
	uint32_t type;
	struct nfs4_owner owner;
};

struct nfs4_lock_res {
	struct nfs4_stateid stateid;
	struct nfs4_lock_denied denied; /* NFS4ERR_DENIED */
};

struct nfs4_lockt_args {
	uint32_t type;
	uint64_t offset, length;
	struct nfs4_owner owner;
};

struct nfs4_locku_args {
	uint32_t type, seqid;
	struct nfs4_stateid stateid;
	uint64_t offset, length;
};

struct nfs4_test_stateid_args {
	uint32_t n;
	struct xdr_bytes stateids; /* 16 bytes each: nfs4_stateid_at() */
};

struct nfs4_test_stateid_res {
	uint32_t n;
	struct xdr_bytes status; /* 4 bytes each, as on the wire */
};

/* Sessions: ops_session.c */

struct nfs4_exchange_id_args {
	uint8_t verf[NFS4_VERIFIER_SIZE];
	struct xdr_bytes owner;
	uint32_t flags, protect; /* enum state_protect_how4 */
	struct nfs4_bitmap must_enforce, may_allow;
	struct nfs4_impl_id impl;
};

struct nfs4_exchange_id_res {
	uint64_t clientid;
	uint32_t seqid, flags, protect;
	struct nfs4_bitmap must_enforce, may_allow;
	uint64_t server_minor;
	struct xdr_bytes server_major, scope;
	struct nfs4_impl_id impl;
};

struct nfs4_channel {
	uint32_t headerpad, maxrequest, maxresponse, maxresponse_cached, maxops, maxrequests;
	uint32_t nrdma, rdma;
};

struct nfs4_cb_sec {
	uint32_t flavor, uid, gid; /* of AUTH_SYS */
};

struct nfs4_create_session_args {
	uint64_t clientid;
	uint32_t seqid, flags;
	struct nfs4_channel fore, back;
	uint32_t cb_program;
	uint32_t nsecs;
	struct nfs4_cb_sec sec[NFS4_SECS_MAX];
};

struct nfs4_create_session_res {
	uint8_t sessionid[NFS4_SESSIONID_SIZE];
	uint32_t seqid, flags;
	struct nfs4_channel fore, back;
};

struct nfs4_sessionid_args {
	uint8_t sessionid[NFS4_SESSIONID_SIZE];
};

struct nfs4_bind_conn {
	uint8_t sessionid[NFS4_SESSIONID_SIZE];
	uint32_t dir;
	bool rdma;
};

struct nfs4_backchannel_ctl_args {
	uint32_t cb_program, nsecs;
	struct nfs4_cb_sec sec[NFS4_SECS_MAX];
};

struct nfs4_sequence_args {
	uint8_t sessionid[NFS4_SESSIONID_SIZE];
	uint32_t seqid, slot, highest_slot;
	bool cachethis;
};

struct nfs4_sequence_res {
	uint8_t sessionid[NFS4_SESSIONID_SIZE];
	uint32_t seqid, slot, highest_slot, target_slot, status_flags;
};

struct nfs4_reclaim_complete_args {
	bool one_fs;
};

/* Copies: ops_copy.c */

struct nfs4_copy_args {
	struct nfs4_stateid src, dst;
	uint64_t src_offset, dst_offset, count;
	bool consecutive, synchronous;
	struct nfs4_netlocs source;
};

/* write_response4 */
struct nfs4_write_response {
	bool async;
	struct nfs4_stateid callback; /* async */
	uint64_t count;
	uint32_t committed;
	uint8_t verf[NFS4_VERIFIER_SIZE];
};

struct nfs4_copy_res {
	struct nfs4_write_response write; /* NFS4_OK alone */
	bool consecutive, synchronous;	  /* NFS4_OK, NFS4ERR_OFFLOAD_NO_REQS */
};

struct nfs4_copy_notify_args {
	struct nfs4_stateid src;
	struct nfs4_netloc dst;
};

struct nfs4_copy_notify_res {
	struct nfs4_time lease;
	struct nfs4_stateid stateid;
	struct nfs4_netlocs source;
};

struct nfs4_offload_status_res {
	uint64_t count;
	bool complete;
	uint32_t status; /* complete */
};

struct nfs4_clone_args {
	struct nfs4_stateid src, dst;
	uint64_t src_offset, dst_offset, count;
};

/* Extended attributes: ops_xattr.c; names without "user." */

struct nfs4_getxattr_res {
	struct xdr_bytes value;
};

struct nfs4_setxattr_args {
	uint32_t option;
	struct xdr_bytes name, value;
};

struct nfs4_listxattrs_args {
	uint64_t cookie;
	uint32_t maxcount;
};

struct nfs4_listxattrs_res {
	uint64_t cookie;
	uint32_t n;
	struct xdr_bytes names; /* encoded: xdr_var() each */
	bool eof;
};

union nfs4_args {
	struct nfs4_void none;
	struct nfs4_name_args name;	  /* LOOKUP, REMOVE, SECINFO, LINK, GETXATTR, REMOVEXATTR */
	struct nfs4_stateid_args stateid; /* FREE_STATEID, DELEGRETURN, OFFLOAD_* */
	struct nfs4_clientid_args clientid; /* DESTROY_CLIENTID, DELEGPURGE */
	struct nfs4_map_args getattr;
	struct nfs4_fattr_args verify; /* VERIFY, NVERIFY */
	struct nfs4_access_args access;
	struct nfs4_create_args create;
	struct nfs4_fh_args putfh;
	struct nfs4_rename_args rename;
	struct nfs4_readdir_args readdir;
	struct nfs4_secinfo_no_name_args secinfo_no_name;
	struct nfs4_setattr_args setattr;
	struct nfs4_read_args read; /* READ_PLUS */
	struct nfs4_write_args write;
	struct nfs4_commit_args commit;
	struct nfs4_range_args range; /* ALLOCATE, DEALLOCATE */
	struct nfs4_seek_args seek;
	struct nfs4_io_advise_args io_advise;
	struct nfs4_write_same_args write_same;
	struct nfs4_open_args open;
	struct nfs4_close_args close;
	struct nfs4_open_downgrade_args open_downgrade;
	struct nfs4_openattr_args openattr;
	struct nfs4_lock_args lock;
	struct nfs4_lockt_args lockt;
	struct nfs4_locku_args locku;
	struct nfs4_test_stateid_args test_stateid;
	struct nfs4_exchange_id_args exchange_id;
	struct nfs4_create_session_args create_session;
	struct nfs4_sessionid_args sessionid; /* DESTROY_SESSION */
	struct nfs4_bind_conn bind_conn;
	struct nfs4_backchannel_ctl_args backchannel_ctl;
	struct nfs4_sequence_args sequence;
	struct nfs4_reclaim_complete_args reclaim_complete;
	struct nfs4_copy_args copy;
	struct nfs4_copy_notify_args copy_notify;
	struct nfs4_clone_args clone;
	struct nfs4_setxattr_args setxattr;
	struct nfs4_listxattrs_args listxattrs;
};

union nfs4_res {
	struct nfs4_void none;
	struct nfs4_change_res change;	  /* LINK, REMOVE, SETXATTR, REMOVEXATTR */
	struct nfs4_stateid_args stateid; /* CLOSE, LOCKU, OPEN_DOWNGRADE */
	struct nfs4_fattr_args getattr;
	struct nfs4_access_res access;
	struct nfs4_create_res create;
	struct nfs4_fh_args getfh;
	struct nfs4_name_args readlink;
	struct nfs4_rename_res rename;
	struct nfs4_readdir_res readdir;
	struct nfs4_secinfo_res secinfo; /* SECINFO, SECINFO_NO_NAME */
	struct nfs4_setattr_res setattr;
	struct nfs4_read_res read;
	struct nfs4_write_res write;
	struct nfs4_commit_res commit;
	struct nfs4_seek_res seek;
	struct nfs4_map_args io_advise;
	struct nfs4_read_plus_res read_plus;
	struct nfs4_write_response write_same;
	struct nfs4_open_res open;
	struct nfs4_lock_res lock; /* LOCK, LOCKT */
	struct nfs4_test_stateid_res test_stateid;
	struct nfs4_exchange_id_res exchange_id;
	struct nfs4_create_session_res create_session;
	struct nfs4_bind_conn bind_conn;
	struct nfs4_sequence_res sequence;
	struct nfs4_copy_res copy;
	struct nfs4_copy_notify_res copy_notify;
	struct nfs4_offload_status_res offload_status;
	struct nfs4_getxattr_res getxattr;
	struct nfs4_listxattrs_res listxattrs;
};

/* Callbacks: cb.c */

struct nfs4_cb_getattr_args {
	struct nfs4_fh fh;
	struct nfs4_bitmap map;
};

struct nfs4_cb_recall_args {
	struct nfs4_stateid stateid;
	bool truncate;
	struct nfs4_fh fh;
};

struct nfs4_cb_recall_any_args {
	uint32_t keep;
	struct nfs4_bitmap types;
};

struct nfs4_cb_recall_slot_args {
	uint32_t target_slot;
};

struct nfs4_cb_sequence_args {
	uint8_t sessionid[NFS4_SESSIONID_SIZE];
	uint32_t seqid, slot, highest_slot;
	bool cachethis;
	/* One referring call is what anyone sends; of more the first is kept. */
	bool referring;
	uint8_t ref_sessionid[NFS4_SESSIONID_SIZE];
	uint32_t ref_seqid, ref_slot;
};

struct nfs4_cb_sequence_res {
	uint8_t sessionid[NFS4_SESSIONID_SIZE];
	uint32_t seqid, slot, highest_slot, target_slot;
};

struct nfs4_cb_notify_lock_args {
	struct nfs4_fh fh;
	struct nfs4_owner owner;
};

struct nfs4_cb_offload_args {
	struct nfs4_fh fh;
	struct nfs4_stateid stateid;
	uint32_t status;
	struct nfs4_write_response write; /* NFS4_OK; never async */
	uint64_t bytes_copied;		  /* any other status */
};

union nfs4_cb_args {
	struct nfs4_void none;
	struct nfs4_cb_getattr_args getattr;
	struct nfs4_cb_recall_args recall;
	struct nfs4_cb_recall_any_args recall_any;
	struct nfs4_cb_recall_slot_args recall_slot;
	struct nfs4_cb_sequence_args sequence;
	struct nfs4_cb_notify_lock_args notify_lock;
	struct nfs4_cb_offload_args offload;
};

union nfs4_cb_res {
	struct nfs4_void none;
	struct nfs4_fattr_args getattr;
	struct nfs4_cb_sequence_res sequence;
};

#endif
