/*
 * Tokens: what a writer hands a reader. v:order/42@7 (an aggregate's version; read from its last '@'; '%' '@' and bytes that
 * a URL would not carry are percent-encoded where needed), o:orders/3@1042 (topic/partition@offset). PROTOCOL.md 10.
 */
#ifndef VF_CORE_TOKEN_H
#define VF_CORE_TOKEN_H

#include "core/arena.h"
#include "core/error.h"

enum vf_token_kind { VF_TOKEN_VERSION, VF_TOKEN_OFFSET };

struct vf_token {
    enum vf_token_kind kind;
    struct vf_bytes aggregate; /* of a version token, decoded: order/42; in the arena */
    int64_t version;
    struct vf_bytes topic; /* of an offset token; in the arena, NUL-terminated */
    int32_t partition;
    int64_t offset;
};

/* VF_E_USAGE with what is wrong and what a token looks like. */
VF_MUSTCHECK enum vf_code vf_token_parse(struct vf_bytes text, struct vf_arena *arena, struct vf_token *ret_token,
                                         struct vf_error *error);

#endif
