#include "lua/order.h"

#include "lua/event.h"

#include <lauxlib.h>
#include <stdlib.h>

/* Up to here an insertion sort is quicker than a call of qsort. */
#define INSERTION_MAX 16

static uint64_t key_prefix(struct vf_bytes key)
{
    uint64_t prefix = 0;
    memcpy(&prefix, key.data, key.size < sizeof prefix ? key.size : sizeof prefix);
    return __builtin_bswap64(prefix);
}

struct vf_lua_field *vf_lua_field_add(struct vf_projector *projector, struct vf_bytes key)
{
    if (projector->field_count == projector->field_capacity) {
        size_t capacity = projector->field_capacity ? projector->field_capacity * 2 : 128;
        vf_lua_count_scratch(projector, (capacity - projector->field_capacity) * sizeof *projector->fields);
        projector->field_capacity = capacity;
        projector->fields = vf_realloc(projector->fields, projector->field_capacity * sizeof *projector->fields);
    }
    struct vf_lua_field *field = &projector->fields[projector->field_count++];
    field->key = key;
    field->prefix = key.size ? key_prefix(key) : 0;
    return field;
}

static inline int compare_strings(const struct vf_lua_field *a, const struct vf_lua_field *b)
{
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix ? -1 : 1;
    return vf_bytes_compare(a->key, b->key);
}

static int compare_fields(const void *a, const void *b)
{
    return compare_strings(a, b);
}

static void sort(struct vf_lua_field *fields, size_t count, int (*compare)(const void *, const void *))
{
    if (count > INSERTION_MAX) {
        qsort(fields, count, sizeof *fields, compare);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        if (compare(&fields[i - 1], &fields[i]) <= 0)
            continue;
        struct vf_lua_field moving = fields[i];
        size_t to = i;
        do {
            fields[to] = fields[to - 1];
            to--;
        } while (to > 0 && compare(&fields[to - 1], &moving) > 0);
        fields[to] = moving;
    }
}

void vf_lua_sort_fields(struct vf_lua_field *fields, size_t count)
{
    sort(fields, count, compare_fields);
}

static int compare_numbers(const struct vf_lua_field *a, const struct vf_lua_field *b)
{
    if (a->is_integer && b->is_integer)
        return (a->value.integer > b->value.integer) - (a->value.integer < b->value.integer);
    double x = a->is_integer ? (double)a->value.integer : a->value.number;
    double y = b->is_integer ? (double)b->value.integer : b->value.number;
    if (x != y)
        return x < y ? -1 : 1;
    /* Lua keeps a float key only where no integer equals it, so a mixed tie is an integer near 2^63, and the float
     * 2^63. */
    return (int)b->is_integer - (int)a->is_integer;
}

static int compare_keys(const void *left, const void *right)
{
    const struct vf_lua_field *a = left, *b = right;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->kind == VF_FIELD_STRING)
        return compare_strings(a, b);
    if (a->kind == VF_FIELD_NUMBER)
        return compare_numbers(a, b);
    return (int)(a->value.integer - b->value.integer);
}

/* What orders the key at `index`. */
static struct vf_lua_field key_at(lua_State *L, int index)
{
    struct vf_lua_field field = {.kind = VF_FIELD_STRING};
    switch (lua_type(L, index)) {
    case LUA_TSTRING:
        field.key.data = lua_tolstring(L, index, &field.key.size);
        field.prefix = key_prefix(field.key);
        break;
    case LUA_TNUMBER:
        field.kind = VF_FIELD_NUMBER;
        field.is_integer = lua_isinteger(L, index);
        if (field.is_integer)
            field.value.integer = lua_tointeger(L, index);
        else
            field.value.number = lua_tonumber(L, index);
        break;
    case LUA_TBOOLEAN:
        field.kind = VF_FIELD_BOOLEAN;
        field.value.integer = lua_toboolean(L, index);
        break;
    default:
        luaL_error(L, "a table with a %s as key has no order: use strings or numbers as keys", luaL_typename(L, index));
    }
    return field;
}

void vf_lua_push_sorted_keys(lua_State *L, int index)
{
    struct vf_projector *projector = vf_lua_projector(L);
    size_t base = projector->field_count;
    index = lua_absindex(L, index);
    vf_lua_check_stack(L, 6);

    lua_newtable(L); /* the keys as they come: holds on to them while the loop's body changes the table */
    int unsorted = lua_gettop(L);
    lua_Integer count = 0;
    lua_pushnil(L);
    while (lua_next(L, index)) {
        lua_pop(L, 1);
        vf_lua_spend(L, 2 + vf_lua_text_cost(L, -1));
        struct vf_lua_field key = key_at(L, -1);
        lua_pushvalue(L, -1);
        lua_rawseti(L, unsorted, ++count);
        struct vf_lua_field *field = vf_lua_field_add(projector, vf_bytes(NULL, 0));
        *field = key;
        field->position = count;
    }
    struct vf_lua_field *fields = projector->fields + base;
    /* GUARD lua-order: pairs goes in another order in each worker, and so does what a handler makes of it */
    sort(fields, (size_t)count, compare_keys);
    lua_createtable(L, count < 1 << 20 ? (int)count : 0, 0);
    for (lua_Integer i = 0; i < count; i++) {
        lua_rawgeti(L, unsorted, projector->fields[base + (size_t)i].position);
        lua_rawseti(L, -2, i + 1);
    }
    projector->field_count = base;
    lua_remove(L, unsorted);
}

/* The iterator of pairs. Upvalues: the keys in order, how many were given, what is walked. What has become nil
 * meanwhile is left out, what has been added is not seen. */
static int pairs_step(lua_State *L)
{
    lua_Integer position = lua_tointeger(L, lua_upvalueindex(2));
    for (;;) {
        vf_lua_spend(L, 1);
        int type = lua_rawgeti(L, lua_upvalueindex(1), ++position);
        if (type == LUA_TNIL)
            return 1;
        lua_pushvalue(L, -1);
        type = lua_gettable(L, lua_upvalueindex(3));
        if (type != LUA_TNIL)
            break;
        lua_pop(L, 2);
    }
    lua_pushinteger(L, position);
    lua_replace(L, lua_upvalueindex(2));
    return 2;
}

lua_CFunction vf_lua_pairs_step(void)
{
    return pairs_step;
}

int vf_lua_pairs(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    if (vf_lua_is_event(L, 1)) {
        vf_lua_push_event_keys(L);
        lua_pushinteger(L, 0);
        lua_pushvalue(L, 1);
    } else {
        luaL_checktype(L, 1, LUA_TTABLE);
        vf_lua_push_contents(L, 1);
        vf_lua_push_sorted_keys(L, 2);
        lua_pushinteger(L, 0);
        lua_rotate(L, 2, -1);
    }
    lua_pushcclosure(L, pairs_step, 3);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

/* next: the smallest key above the one given. A walk over all keys each time, so pairs is the way to loop. */
int vf_lua_next(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    vf_lua_push_contents(L, 1);
    lua_replace(L, 1);
    bool from_start = lua_isnil(L, 2);
    struct vf_lua_field after = {.kind = VF_FIELD_STRING};
    if (!from_start)
        after = key_at(L, 2);

    struct vf_lua_field best = {.kind = VF_FIELD_STRING};
    bool found = false;
    lua_pushnil(L); /* 3: the best key so far */
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        lua_pop(L, 1);
        vf_lua_spend(L, 2 + vf_lua_text_cost(L, -1));
        struct vf_lua_field key = key_at(L, -1);
        if ((!from_start && compare_keys(&key, &after) <= 0) || (found && compare_keys(&key, &best) >= 0))
            continue;
        best = key;
        found = true;
        lua_pushvalue(L, -1);
        lua_replace(L, 3);
    }
    if (!found)
        return 1; /* the nil */
    lua_pushvalue(L, 3);
    lua_pushvalue(L, 3);
    lua_rawget(L, 1);
    return 2;
}
