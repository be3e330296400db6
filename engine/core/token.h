/*
 * Tokens: what a writer hands a reader (docs/protocol.md). o:orders/3@1042: topic/partition@offset. v:order/42@7 is an
 * aggregate's version; v:order/42@7~abc names one event of a revision by its id; v:order/42@00ab is a version that is a
 * string. All are read from their last '@'. Percent-encoded where needed: '%' anywhere, '@' behind the last '@', '~' in a
 * version, and bytes that a URL would not carry.
 */
#ifndef VF_CORE_TOKEN_H
#define VF_CORE_TOKEN_H

#include "core/arena.h"
#include "core/error.h"

enum vf_token_kind { VF_TOKEN_VERSION, VF_TOKEN_OFFSET };

struct vf_token {
    enum vf_token_kind kind;
    struct vf_bytes aggregate; /* of a version token, decoded: order/42; in the arena */
    struct vf_bytes text;      /* of a version token, decoded: the version as it stands there; in the arena */
    bool is_integer;           /* whether it reads as one: which one it is, the view's entry says */
    int64_t version;           /* with is_integer */
    struct vf_bytes event_id;  /* behind '~', decoded; size 0: none; in the arena */
    struct vf_bytes topic;     /* of an offset token; in the arena, NUL-terminated */
    int32_t partition;
    int64_t offset;
};

/* VF_E_USAGE with what is wrong and what a token looks like. */
VF_MUSTCHECK enum vf_code vf_token_parse(struct vf_bytes text, struct vf_arena *arena, struct vf_token *ret_token,
                                         struct vf_error *error);

#endif
