/*
 * The MongoDB connector: the store seam on libmongoc. One store is one client of its own (mongoc_client_t is for one thread),
 * connected to a replica set's primary. What lies in the database is docs/formats.md's MongoDB section.
 *
 * A commit is one transaction, done whole by commit_send: libmongoc cannot overlap. Nothing here prints; libmongoc's own log
 * is silenced for the process when the first store is opened.
 *
 * Time limits: each command, and a commit as a whole, has command_timeout_ms, which the server keeps. A server that has fallen
 * silent costs one command_timeout_ms for the answer that does not come, and up to two connect_timeout_ms for the attempt to
 * end the transaction over a new connection, which libmongoc makes twice.
 */
#ifndef VF_MONGODB_STORE_H
#define VF_MONGODB_STORE_H

#include "store.h"

extern const struct vf_store_type vf_mongodb_store_type;

#endif
