/*
 * The server-side functions as text (library*.lua, reader.lua; made into C by library.cmake), and getting them onto a server.
 */
#ifndef VF_REDIS_LIBRARY_H
#define VF_REDIS_LIBRARY_H

#include "core/error.h"

#include <stdint.h>

extern const char vf_redis_writer_library[]; /* ends with NUL */
extern const char vf_redis_writer_hash[];    /* 8 hex digits */
extern const char vf_redis_reader_library[];

struct vf_store;

/* Loads both libraries where they are not there yet. The reader's, whose name is a promise to readers, is replaced only by
 * a newer one of ours. Functions are the server's, not a database's. */
VF_MUSTCHECK enum vf_code vf_redis_library_load(struct vf_store *store, int64_t deadline_ms, struct vf_error *error);

/* The number in a reader library's "-- viewfold reader N", 0 where the text is not ours. */
int vf_redis_library_reader_number(const char *code);

#endif
