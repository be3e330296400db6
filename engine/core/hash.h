/*
 * uthash's tables, whose memory is asked for like all other (core/bytes.h): when there is none, the process ends with a message.
 * By itself uthash would end it without a word.
 */
#ifndef VF_CORE_HASH_H
#define VF_CORE_HASH_H

#include "core/bytes.h"

#define uthash_malloc(size) vf_alloc(size)
#include <uthash.h>

#endif
