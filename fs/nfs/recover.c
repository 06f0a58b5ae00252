// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * recover.c - a session with a server, the first time and after any loss: RFC 8881
 * sections 2.4, 2.10 and 8.4.
 *
 *	connection lost		connect, bind it to the session (for callbacks)
 *	session lost		CREATE_SESSION, when the server still knows us
 *	server restarted	EXCHANGE_ID, CREATE_SESSION, reclaim the opens,
 *	or lease expired	RECLAIM_COMPLETE
 *
 * One thread at a time is here (call.c), so fields that only it writes need no lock.
 */
#include <errno.h>
#include <string.h>

#include "fs/nfs/nfs.h"

#define CONTACT_MS 15000u /* for an answer of a server that has not been heard yet */
#define GOODBYE_MS 1000u

static void closed(void *ctx, struct rpc_conn *conn, int err)
{
	struct nfs_client *clp = ctx;

	pthread_mutex_lock(&clp->lock);
	if (clp->conn == conn) {
		clp->conn_up = false;
		clp->conn_err = err ? err : -ECONNRESET;
	}
	pthread_cond_broadcast(&clp->changed);
	pthread_mutex_unlock(&clp->lock);
}

static void drop_conn(struct nfs_client *clp)
{
	struct rpc_conn *conn;

	pthread_mutex_lock(&clp->lock);
	conn = clp->conn;
	clp->conn = NULL;
	clp->conn_up = false;
	pthread_mutex_unlock(&clp->lock);
	if (conn)
		rpc_conn_close(conn);
	rpc_conn_put(conn);
}

static int connect_to(struct nfs_client *clp)
{
	const struct rpc_options opt = {
		.record_max = NFS_IO_MAX + 65536,
		.call = nfs_callback,
		.closed = closed,
		.ctx = clp,
	};
	int err;

	drop_conn(clp);
	pthread_mutex_lock(&clp->lock); /* closed() may come at once */
	err = rpc_connect(clp->loop, (struct sockaddr *)&clp->addr, true, &opt, &clp->conn);
	clp->conn_up = !err;
	clp->conn_err = 0;
	pthread_mutex_unlock(&clp->lock);
	return err;
}

/* Who we are; the server's answer says whether it knows us. */
static int exchange_id(struct nfs_client *clp, struct nfs4_exchange_id_res *res,
		       struct nfs_req *req)
{
	struct nfs4_exchange_id_args args = {
		.owner = xdr_str(clp->owner),
		.flags = EXCHGID4_FLAG_USE_NON_PNFS,
		.protect = SP4_NONE,
	};
	int err;

	memcpy(args.verf, clp->verf, sizeof(args.verf));
	nfs_begin(req, clp);
	nfs_add(req, OP_EXCHANGE_ID, &args, res);
	err = nfs_call_bare(req, nfs_patience(clp, CONTACT_MS));
	if (!err && req->status == NFS4ERR_MINOR_VERS_MISMATCH && clp->minor > clp->url.minor_low &&
	    !clp->have_clientid) {
		clp->minor--;
		nfs_end(req);
		return exchange_id(clp, res, req);
	}
	return err == -EOPNOTSUPP ? -EPROTONOSUPPORT : nfs_result(req, err);
}

static void note_server(struct nfs_client *clp, const struct nfs4_exchange_id_res *res)
{
	size_t major = res->server_major.len, scope = res->scope.len;

	if (major > NFS_SCOPE_MAX / 2)
		major = NFS_SCOPE_MAX / 2;
	if (scope > NFS_SCOPE_MAX / 2)
		scope = NFS_SCOPE_MAX / 2;
	pthread_mutex_lock(&clp->room->devs_lock);
	memcpy(clp->major, res->server_major.data, major);
	memcpy(clp->major + major, res->scope.data, scope);
	clp->major_len = (uint32_t)(major + scope);
	pthread_mutex_unlock(&clp->room->devs_lock);
}

static void session_args(const struct nfs_client *clp, struct nfs4_create_session_args *args)
{
	*args = (struct nfs4_create_session_args){
		.clientid = clp->clientid,
		.seqid = clp->create_seq,
		.flags = CREATE_SESSION4_FLAG_CONN_BACK_CHAN,
		.fore = {.maxrequest = NFS_IO_MAX + 4096,
			 .maxresponse = NFS_IO_MAX + 4096,
			 .maxresponse_cached = 4096,
			 .maxops = NFS_REQ_OPS,
			 .maxrequests = NFS_SLOTS},
		.back = {.maxrequest = 4096, .maxresponse = 4096, .maxops = 8, .maxrequests = 1},
		.cb_program = NFS_CB_PROGRAM,
		.nsecs = 1,
		.sec = {{RPC_AUTH_SYS, clp->cred.uid, clp->cred.gid}},
	};
}

static int session_begin(struct nfs_client *clp, const struct nfs4_create_session_res *res)
{
	const struct nfs4_channel *fore = &res->fore;

	if (fore->maxrequest < 8192 || fore->maxresponse < 8192 || fore->maxops < 8 ||
	    !fore->maxrequests)
		return -EPROTONOSUPPORT;
	pthread_mutex_lock(&clp->lock);
	memcpy(clp->s.id, res->sessionid, sizeof(clp->s.id));
	clp->s.gen++;
	clp->s.nslots = fore->maxrequests < NFS_SLOTS ? fore->maxrequests : NFS_SLOTS;
	clp->s.target = clp->s.nslots;
	clp->s.maxrequest =
		fore->maxrequest < NFS_IO_MAX + 4096 ? fore->maxrequest : NFS_IO_MAX + 4096;
	clp->s.maxresponse =
		fore->maxresponse < NFS_IO_MAX + 4096 ? fore->maxresponse : NFS_IO_MAX + 4096;
	clp->s.maxops = fore->maxops < NFS_REQ_OPS ? fore->maxops : NFS_REQ_OPS;
	for (unsigned i = 0; i < NFS_SLOTS; i++)
		clp->s.slot[i] = (struct nfs_slot){.seq = 1};
	clp->cb_seq = 0;
	clp->cb_len = 0;
	pthread_mutex_unlock(&clp->lock);
	return 0;
}

static int create_session(struct nfs_client *clp, uint32_t *status)
{
	struct nfs4_create_session_args args;
	struct nfs4_create_session_res res;
	struct nfs_req req;
	int err;

	session_args(clp, &args);
	nfs_begin(&req, clp);
	nfs_add(&req, OP_CREATE_SESSION, &args, &res);
	err = nfs_call_bare(&req, nfs_patience(clp, CONTACT_MS));
	*status = err ? NFS4_OK : req.status;
	err = nfs_result(&req, err);
	if (!err) {
		clp->create_seq++;
		err = session_begin(clp, &res);
	}
	nfs_end(&req);
	return err;
}

static int reclaim_complete(struct nfs_client *clp)
{
	struct nfs4_reclaim_complete_args args = {.one_fs = false};
	struct nfs_req req;
	int err;

	nfs_begin(&req, clp);
	nfs_add(&req, OP_RECLAIM_COMPLETE, &args, &args);
	err = nfs_call_slot0(&req, nfs_patience(clp, CONTACT_MS));
	if (!err && req.status != NFS4ERR_COMPLETE_ALREADY)
		err = nfs4_status_errno(req.status);
	nfs_end(&req);
	return err;
}

/* The server has nothing of us (any more): what was open is claimed again. */
static int reclaim_all(struct nfs_client *clp)
{
	int err = nfs_reclaim(clp);

	if (!err)
		err = reclaim_complete(clp);
	pthread_mutex_lock(&clp->lock);
	clp->reclaim = err != 0;
	pthread_mutex_unlock(&clp->lock);
	return err;
}

static int new_session(struct nfs_client *clp)
{
	struct nfs4_exchange_id_res res;
	struct nfs_req req;
	uint32_t status;
	bool known;
	int err = exchange_id(clp, &res, &req);

	if (err) {
		nfs_end(&req);
		return err;
	}
	known = clp->have_clientid && clp->clientid == res.clientid &&
		(res.flags & EXCHGID4_FLAG_CONFIRMED_R);
	if (!known) {
		clp->create_seq = res.seqid;
		pthread_mutex_lock(&clp->lock);
		clp->reclaim = true;
		clp->boots++;
		pthread_mutex_unlock(&clp->lock);
	}
	clp->clientid = res.clientid;
	clp->have_clientid = true;
	note_server(clp, &res);
	nfs_end(&req);
	err = create_session(clp, &status);
	/* Our count and the server's differ after a reply that was lost. */
	if (err && status == NFS4ERR_SEQ_MISORDERED)
		clp->create_seq = res.seqid;
	else if (err && status == NFS4ERR_STALE_CLIENTID)
		clp->have_clientid = false;
	return err;
}

static int bind_conn(struct nfs_client *clp, uint32_t *status)
{
	struct nfs4_bind_conn args = {.dir = CDFC4_FORE_OR_BOTH}, res;
	struct nfs_req req;
	int err;

	memcpy(args.sessionid, clp->s.id, sizeof(args.sessionid));
	nfs_begin(&req, clp);
	nfs_add(&req, OP_BIND_CONN_TO_SESSION, &args, &res);
	err = nfs_call_bare(&req, nfs_patience(clp, CONTACT_MS));
	*status = req.status;
	nfs_end(&req);
	return err;
}

/* An old session on a new connection: 0 it goes on, -ESTALE it does not. */
static int resume(struct nfs_client *clp)
{
	uint32_t status;
	int err = bind_conn(clp, &status);

	if (err)
		return err;
	pthread_mutex_lock(&clp->lock);
	clp->bind_wanted = false;
	pthread_mutex_unlock(&clp->lock);
	/* A server without that operation binds by SEQUENCE; it may lack callbacks then. */
	if (!status || status == NFS4ERR_NOTSUPP)
		return 0;
	return status == NFS4ERR_DELAY ? -EAGAIN : -ESTALE;
}

/* What is there: *conn and *session. */
static void look(struct nfs_client *clp, bool *conn, bool *session, bool *reclaim)
{
	pthread_mutex_lock(&clp->lock);
	*conn = clp->conn_up;
	*session = clp->session_up;
	*reclaim = clp->reclaim;
	pthread_mutex_unlock(&clp->lock);
}

static int bring_session(struct nfs_client *clp, bool session)
{
	int err = session ? resume(clp) : -ESTALE;
	bool conn, reclaim;

	if (err == -ESTALE) {
		pthread_mutex_lock(&clp->lock);
		clp->session_up = false;
		pthread_mutex_unlock(&clp->lock);
		err = new_session(clp);
	}
	look(clp, &conn, &session, &reclaim);
	return !err && reclaim ? reclaim_all(clp) : err;
}

/* nfs_recover - one attempt to have a connection, a session and our open files again */
int nfs_recover(struct nfs_client *clp)
{
	bool conn, session, reclaim;
	int err;

	look(clp, &conn, &session, &reclaim);
	err = conn ? 0 : connect_to(clp);
	if (!err)
		err = bring_session(clp, session);
	pthread_mutex_lock(&clp->lock);
	/* Why there is no connection is told a moment after the first attempt to use it. */
	for (unsigned i = 0; err == -ENOTCONN && !clp->conn_err && i < 20; i++)
		nfs_cond_wait(&clp->changed, &clp->lock, 50);
	if (err == -ENOTCONN && clp->conn_err)
		err = clp->conn_err;
	if (!err)
		clp->session_up = true;
	else if (err != -EAGAIN)
		clp->conn_up = false;
	pthread_mutex_unlock(&clp->lock);
	return err;
}

/* nfs_first_contact - the first session: no second attempt, the user waits for an answer */
int nfs_first_contact(struct nfs_client *clp)
{
	int err = nfs_recover(clp);

	for (unsigned i = 0; (err == -EAGAIN && i < 50) || (err == -ECONNRESET && i < 3); i++) {
		err = nfs_sleep(clp, ev_now(), 200, NULL);
		if (!err)
			err = nfs_recover(clp);
	}
	return err;
}

/* nfs_goodbye - the server may forget us; best effort, in a second */
void nfs_goodbye(struct nfs_client *clp)
{
	struct nfs4_sessionid_args session;
	struct nfs4_clientid_args client = {.clientid = clp->clientid};
	struct nfs4_void none;
	struct nfs_req req;

	bool conn, up, reclaim;

	look(clp, &conn, &up, &reclaim);
	if (up && conn) {
		memcpy(session.sessionid, clp->s.id, sizeof(session.sessionid));
		nfs_begin(&req, clp);
		nfs_add(&req, OP_DESTROY_SESSION, &session, &none);
		if (!nfs_call_bare(&req, GOODBYE_MS) && !req.status) {
			nfs_end(&req);
			nfs_begin(&req, clp);
			nfs_add(&req, OP_DESTROY_CLIENTID, &client, &none);
			nfs_call_bare(&req, GOODBYE_MS);
		}
		nfs_end(&req);
	}
	drop_conn(clp);
}
