/*
 * Order: keys sorted, the same on every machine, whatever Lua's tables do. Numbers come first by value, then strings by
 * their bytes, then false and true. The fields are scratch memory of the projector, used as a stack: a caller remembers
 * field_count and sets it back; after a raise the gate does.
 */
#ifndef VF_LUA_ORDER_H
#define VF_LUA_ORDER_H

#include "lua/host.h"

enum vf_lua_field_kind {
    VF_FIELD_NUMBER, /* keys only, as the next three */
    VF_FIELD_STRING,
    VF_FIELD_BOOLEAN,
    VF_FIELD_BSON_INT64, /* values of an object that is encoded, as the rest */
    VF_FIELD_BSON_DOUBLE,
    VF_FIELD_BSON_STRING,
    VF_FIELD_BSON_BOOL,
    VF_FIELD_BSON_NULL,
    VF_FIELD_BSON_DATE,
    VF_FIELD_TABLE_ON_STACK, /* value.slot: its stack index */
    VF_FIELD_TABLE,          /* to be read by its key */
    VF_FIELD_REFUSED,        /* cannot be kept: value.why */
};

struct vf_lua_field {
    uint64_t prefix;     /* the key's first bytes, so that most comparisons are one */
    struct vf_bytes key; /* of a string key; lives as long as the table holds it */
    enum vf_lua_field_kind kind;
    bool is_integer; /* of a number */
    union {
        int64_t integer; /* also a boolean, a date */
        double number;
        struct vf_bytes text;
        const char *why;
        int slot;
    } value;
    lua_Integer position; /* of a key: where it is in the unsorted list */
};

/* One more field on the scratch stack; its key is set, and `prefix`. Raises where memory is full. */
struct vf_lua_field *vf_lua_field_add(struct vf_projector *projector, struct vf_bytes key);

/* Sorts fields with string keys. Does not raise. */
void vf_lua_sort_fields(struct vf_lua_field *fields, size_t count);

/* Pushes a list of the keys of the table at `index` in order. Raises for keys that have none (tables, functions). */
void vf_lua_push_sorted_keys(lua_State *L, int index);

/* The globals `pairs` and `next`. */
int vf_lua_pairs(lua_State *L);
int vf_lua_next(lua_State *L);

/* The function that `pairs` answers with: it remembers where it is. */
lua_CFunction vf_lua_pairs_step(void);

#endif
