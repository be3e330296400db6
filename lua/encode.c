/*
 * A document's tables written as BSON, keys sorted, straight into the projector's buffer; and the look for tables that
 * are shared.
 *
 * A document shares no table with another, with the script, or with itself: it would not behave as one that was loaded
 * from its BSON. So a document's tables carry marks, which are metatables of its own, and cost nothing to look at: a
 * table without a mark is new and is marked; one with this document's mark is known; any other mark is somebody else's.
 * Within one walk, a set of the tables met says whether one was met before. Marks never say more than "take it through
 * BSON".
 *
 * A handler that has two documents in hand (an aggregate moved from one to the other) may move tables between them, which is
 * no sharing. So the walk over a document that was in such hands gives it a new mark, and its tables with it: where an old
 * mark is met later, its owner has let the table go. Where the mark of one that was in such hands is met, and its walk is
 * still to come, the table changes its owner; if it is still reachable there, that walk finds the new one's mark.
 */
#include "lua/convert.h"
#include "lua/order.h"
#include "lua/script.h"

#include <bson/bson.h>
#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Of one object's tables, so many wait on the Lua stack until their turn comes; more are read again by their keys. */
#define WAITING_MAX 200

#define PATH_TEXT_BYTES 400

/* Where a mark says whose it is: the document's handle. */
#define MARK_OWNER 2

/* Where in the document the walk is. */
struct step {
    struct vf_bytes key; /* data NULL: of a list, at `position` */
    lua_Integer position;
    const void *table; /* the table that this step is in */
};

struct walk {
    struct vf_projector *projector;
    struct vf_lua_document *document; /* NULL: nobody's */
    size_t limit_bytes;
    int object_mark; /* stack index of the mark, or 0 */
    int depth;       /* how many steps lead to the table that is written */
    bool aliased;
    struct step path[VF_LUA_DEPTH_MAX + 1];
};

/* True where it was written as a list. */
static bool write_table(lua_State *L, struct walk *walk, int table);

static __attribute__((noreturn)) void refuse(lua_State *L, struct walk *walk, const char *what)
{
    char text[PATH_TEXT_BYTES];
    size_t size = 0;
    text[0] = '\0';
    for (int i = 0; i < walk->depth && size < sizeof text; i++) {
        const struct step *step = &walk->path[i];
        int more = step->key.data ? snprintf(text + size, sizeof text - size, "%s%.*s", i ? "." : "",
                                             step->key.size > 80 ? 80 : (int)step->key.size, step->key.data)
                                  : snprintf(text + size, sizeof text - size, "[%lld]", (long long)step->position);
        size += more > 0 ? (size_t)more : 0;
    }
    const char *place = walk->document ? "" : vf_lua_push_place(L, "initial");
    const char *whose = walk->document ? "the document" : ": initial";
    if (walk->depth > 0)
        vf_lua_raise(L, "%s%s's field `%s` %s", place, whose, text, what);
    vf_lua_raise(L, "%s%s %s", place, whose, what);
}

/* The same about a field of the table that is written; a list's element (no key) is on the path already. */
static __attribute__((noreturn)) void refuse_key(lua_State *L, struct walk *walk, struct vf_bytes key, const char *what)
{
    if (key.data)
        walk->path[walk->depth++].key = key;
    refuse(L, walk, what);
}

/* Writing */

static inline char *reserve(lua_State *L, struct walk *walk, size_t size)
{
    struct vf_buffer *out = &walk->projector->out;
    /* GUARD lua-document-bytes: a document that a store refuses, or that takes the machine's memory */
    if (size > walk->limit_bytes || out->size + size > walk->limit_bytes)
        vf_lua_stop(L, VF_E_LIMIT, "the document is larger than %zu bytes (limits.document)", walk->limit_bytes);
    return vf_buffer_reserve(out, size);
}

/* A field's type and name. `room` more bytes are reserved for its value; the answer is where they begin. */
static inline char *begin_field(lua_State *L, struct walk *walk, bson_type_t type, struct vf_bytes key, size_t room)
{
    char *at = reserve(L, walk, 1 + key.size + 1 + room);
    *at++ = (char)type;
    memcpy(at, key.data, key.size);
    at += key.size;
    *at++ = '\0';
    walk->projector->out.size += 2 + key.size;
    return at;
}

static inline void put_int32(char *at, size_t number)
{
    uint32_t little = BSON_UINT32_TO_LE((uint32_t)number);
    memcpy(at, &little, sizeof little);
}

static inline void write_eight(lua_State *L, struct walk *walk, bson_type_t type, struct vf_bytes key, uint64_t bits)
{
    uint64_t little = BSON_UINT64_TO_LE(bits);
    memcpy(begin_field(L, walk, type, key, sizeof little), &little, sizeof little);
    walk->projector->out.size += sizeof little;
}

static bool is_ascii(const char *data, size_t size)
{
    uint64_t bits = 0, word;
    for (; size >= sizeof word; data += sizeof word, size -= sizeof word) {
        memcpy(&word, data, sizeof word);
        bits |= word;
    }
    word = 0;
    memcpy(&word, data, size);
    return ((bits | word) & UINT64_C(0x8080808080808080)) == 0;
}

static inline bool is_utf8(struct vf_bytes text)
{
    return is_ascii(text.data, text.size) || vf_bytes_is_utf8(text);
}

static void write_string(lua_State *L, struct walk *walk, struct vf_bytes key, struct vf_bytes text)
{
    char *at = begin_field(L, walk, BSON_TYPE_UTF8, key, 4 + text.size + 1);
    put_int32(at, text.size + 1);
    memcpy(at + 4, text.data, text.size);
    at[4 + text.size] = '\0';
    walk->projector->out.size += 4 + text.size + 1;
}

static void write_double(lua_State *L, struct walk *walk, struct vf_bytes key, double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    write_eight(L, walk, BSON_TYPE_DOUBLE, key, bits);
}

static size_t begin_container(lua_State *L, struct walk *walk)
{
    size_t start = walk->projector->out.size;
    reserve(L, walk, 4);
    walk->projector->out.size += 4;
    return start;
}

static void end_container(lua_State *L, struct walk *walk, size_t start)
{
    struct vf_buffer *out = &walk->projector->out;
    *reserve(L, walk, 1) = '\0';
    out->size++;
    put_int32(out->data + start, out->size - start);
}

/* Marks */

static bool seen_before(struct vf_projector *projector, const void *table);

static void grow_seen(struct vf_projector *projector)
{
    struct vf_lua_seen *old = projector->seen;
    size_t old_capacity = projector->seen_capacity;
    size_t capacity = old_capacity ? old_capacity * 2 : 128;
    vf_lua_count_scratch(projector, (capacity - old_capacity) * sizeof *projector->seen);
    projector->seen_capacity = capacity;
    projector->seen = vf_calloc(projector->seen_capacity, sizeof *projector->seen);
    projector->seen_count = 0;
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].round == projector->seen_round)
            seen_before(projector, old[i].table);
    free(old);
}

static bool seen_before(struct vf_projector *projector, const void *table)
{
    if (projector->seen_count * 2 >= projector->seen_capacity)
        grow_seen(projector);
    size_t mask = projector->seen_capacity - 1;
    size_t slot = (size_t)(((uintptr_t)table >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 20) & mask;
    for (;; slot = (slot + 1) & mask) {
        struct vf_lua_seen *entry = &projector->seen[slot];
        if (entry->round != projector->seen_round) {
            entry->round = projector->seen_round;
            entry->table = table;
            projector->seen_count++;
            return false;
        }
        if (entry->table == table)
            return true;
    }
}

/* The document's mark for lists is made when it has its first one, and kept behind its mark for objects. */
static void push_array_mark(lua_State *L, struct walk *walk)
{
    if (walk->document->array_mark) {
        lua_getmetatable(L, walk->object_mark);
        return;
    }
    lua_createtable(L, 2, 0);
    lua_pushinteger(L, VF_SHAPE_ARRAY);
    lua_rawseti(L, -2, 1);
    lua_pushinteger(L, walk->document - walk->projector->documents);
    lua_rawseti(L, -2, MARK_OWNER);
    lua_pushvalue(L, -1);
    lua_setmetatable(L, walk->object_mark);
    walk->document->array_mark = lua_topointer(L, -1);
}

/* Whether the table whose mark is on top has changed its owner; pops the mark. */
static bool has_moved(lua_State *L, const struct walk *walk, const void *mark)
{
    lua_Integer owner = lua_rawgeti(L, -1, MARK_OWNER) == LUA_TNUMBER ? lua_tointeger(L, -1) : 0;
    lua_pop(L, 2);
    if (owner == 0)
        return false; /* the script's own, or a library */
    const struct vf_lua_document *document = &walk->projector->documents[owner];
    /* GUARD lua-moved: what two documents hold after a move changes in both */
    return document->moved || (mark != document->object_mark && mark != document->array_mark);
}

/* What the table at `table` is, and whose. Marks it as the document's where it is new. */
static enum vf_lua_shape take_table(lua_State *L, struct walk *walk, int table)
{
    struct vf_lua_document *document = walk->document;
    if (!lua_getmetatable(L, table)) {
        if (document) {
            lua_pushvalue(L, walk->object_mark);
            lua_setmetatable(L, table);
        }
        return VF_SHAPE_OBJECT;
    }
    const void *mark = lua_topointer(L, -1);
    if (document && (mark == document->object_mark || mark == document->array_mark)) {
        lua_pop(L, 1);
        return mark == document->object_mark ? VF_SHAPE_OBJECT : VF_SHAPE_ARRAY;
    }
    if (mark == walk->projector->array_mark) {
        lua_pop(L, 1);
    } else if (!has_moved(L, walk, mark) || !document) {
        /* GUARD lua-alias-owner: two documents, or a document and the script, change with each other */
        walk->aliased = true;
        return vf_lua_shape(L, table);
    }
    enum vf_lua_shape shape = vf_lua_shape(L, table);
    if (document) {
        if (shape == VF_SHAPE_ARRAY)
            push_array_mark(L, walk);
        else
            lua_pushvalue(L, walk->object_mark);
        lua_setmetatable(L, table);
    }
    return shape;
}

/* Objects */

/* What cannot be kept is told when its turn comes: of several, the first in order is named, on every machine. */
static bool refuse_later(struct vf_lua_field *field, const char *why)
{
    field->kind = VF_FIELD_REFUSED;
    field->value.why = why;
    return false;
}

static bool note_userdata(lua_State *L, struct walk *walk, struct vf_lua_field *field)
{
    int64_t date;
    if (!vf_lua_to_date(L, -1, &date))
        return refuse_later(field, "is the event or a link: it cannot be kept");
    if (walk->depth > 0)
        return refuse_later(field, "is a date: dates are kept in top-level fields only (tostring gives its text)");
    field->kind = VF_FIELD_BSON_DATE;
    field->value.integer = date;
    return false;
}

/* A value of an object, noted for when the keys are in order. The value is on top; it stays there if it is to wait. */
static bool note_value(lua_State *L, struct walk *walk, struct vf_lua_field *field, int *waiting)
{
    switch (lua_type(L, -1)) {
    case LUA_TSTRING:
        field->kind = VF_FIELD_BSON_STRING;
        field->value.text.data = lua_tolstring(L, -1, &field->value.text.size);
        return is_utf8(field->value.text) ? false : refuse_later(field, "is a string that is not UTF-8");
    case LUA_TNUMBER:
        field->kind = lua_isinteger(L, -1) ? VF_FIELD_BSON_INT64 : VF_FIELD_BSON_DOUBLE;
        if (field->kind == VF_FIELD_BSON_INT64)
            field->value.integer = lua_tointeger(L, -1);
        else
            field->value.number = lua_tonumber(L, -1);
        if (field->kind == VF_FIELD_BSON_DOUBLE && !isfinite(field->value.number))
            return refuse_later(field, "is infinite or not a number (1/0, 0/0): it cannot be kept");
        return false;
    case LUA_TBOOLEAN:
        field->kind = VF_FIELD_BSON_BOOL;
        field->value.integer = lua_toboolean(L, -1);
        return false;
    case LUA_TTABLE:
        field->kind = VF_FIELD_TABLE;
        if (*waiting == WAITING_MAX)
            return false;
        field->kind = VF_FIELD_TABLE_ON_STACK;
        (*waiting)++;
        return true;
    case LUA_TLIGHTUSERDATA:
        field->kind = VF_FIELD_BSON_NULL;
        if (lua_touserdata(L, -1) != &walk->projector->null_token)
            return refuse_later(field, "is `own` or `delete`: it cannot be kept");
        return false;
    case LUA_TUSERDATA: return note_userdata(L, walk, field);
    default: return refuse_later(field, "is a function: it cannot be kept");
    }
}

/* The key at `index`. False where it cannot be kept. */
static inline bool take_key(lua_State *L, const struct walk *walk, int index, struct vf_bytes *ret_key)
{
    if (lua_type(L, index) != LUA_TSTRING)
        return false;
    ret_key->data = lua_tolstring(L, index, &ret_key->size);
    if (memchr(ret_key->data, '\0', ret_key->size) || !is_utf8(*ret_key))
        return false;
    return walk->depth > 0 || (ret_key->data[0] != '_' && !vf_bytes_is(*ret_key, "id"));
}

/* Says what is wrong with the first in order of the table's keys that cannot be kept; one cannot. */
static __attribute__((noreturn)) void refuse_keys(lua_State *L, struct walk *walk, int table)
{
    char what[160];
    struct vf_bytes key;
    lua_pushnil(L);
    while (lua_next(L, table)) {
        lua_pop(L, 1);
        int type = lua_type(L, -1);
        if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TBOOLEAN)
            refuse(L, walk, "has a table, a function or the like as key: keys are strings");
    }
    vf_lua_push_sorted_keys(L, table);
    for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL && take_key(L, walk, -1, &key); i++)
        lua_pop(L, 1);
    if (lua_isinteger(L, -1)) {
        snprintf(what, sizeof what, "has the integer key %lld: use array {...} for a list, tostring for a key",
                 (long long)lua_tointeger(L, -1));
        refuse(L, walk, what);
    }
    if (lua_type(L, -1) != LUA_TSTRING) {
        snprintf(what, sizeof what, "has a %s as key: keys are strings", luaL_typename(L, -1));
        refuse(L, walk, what);
    }
    if (memchr(key.data, '\0', key.size) || !is_utf8(key))
        refuse(L, walk, "has a key that is not UTF-8, or holds a NUL");
    refuse_key(L, walk, key, "has a name that belongs to viewfold (`id`, and what begins with `_`)");
}

/* The table at `table` as the value of a field or element, which the path's last step names already. */
static void write_nested(lua_State *L, struct walk *walk, int table, struct vf_bytes key)
{
    struct vf_buffer *out = &walk->projector->out;
    size_t type_at = out->size;
    begin_field(L, walk, BSON_TYPE_DOCUMENT, key, 0);
    walk->depth++;
    if (write_table(L, walk, table))
        out->data[type_at] = BSON_TYPE_ARRAY;
    walk->depth--;
}

static void write_field_table(lua_State *L, struct walk *walk, int table, const struct vf_lua_field *field)
{
    struct vf_bytes key = field->key;
    if (field->kind == VF_FIELD_TABLE_ON_STACK) {
        lua_pushvalue(L, field->value.slot);
    } else {
        lua_pushlstring(L, key.data, key.size);
        lua_rawget(L, table);
    }
    walk->path[walk->depth].key = key;
    write_nested(L, walk, lua_gettop(L), key);
    lua_pop(L, 1);
}

static void write_field(lua_State *L, struct walk *walk, int table, const struct vf_lua_field *field)
{
    struct vf_bytes key = field->key;
    switch (field->kind) {
    case VF_FIELD_BSON_STRING: write_string(L, walk, key, field->value.text); return;
    case VF_FIELD_BSON_INT64: write_eight(L, walk, BSON_TYPE_INT64, key, (uint64_t)field->value.integer); return;
    case VF_FIELD_BSON_DATE: write_eight(L, walk, BSON_TYPE_DATE_TIME, key, (uint64_t)field->value.integer); return;
    case VF_FIELD_BSON_DOUBLE: write_double(L, walk, key, field->value.number); return;
    case VF_FIELD_BSON_BOOL:
        *begin_field(L, walk, BSON_TYPE_BOOL, key, 1) = (char)field->value.integer;
        walk->projector->out.size++;
        return;
    case VF_FIELD_BSON_NULL: begin_field(L, walk, BSON_TYPE_NULL, key, 0); return;
    case VF_FIELD_REFUSED: refuse_key(L, walk, key, field->value.why);
    default: write_field_table(L, walk, table, field); return;
    }
}

static void write_object(lua_State *L, struct walk *walk, int table)
{
    struct vf_projector *projector = walk->projector;
    size_t base = projector->field_count;
    int top = lua_gettop(L), waiting = 0;

    lua_pushnil(L);
    while (lua_next(L, table)) {
        struct vf_bytes key;
        if (!take_key(L, walk, -2, &key))
            refuse_keys(L, walk, table);
        struct vf_lua_field *field = vf_lua_field_add(projector, key);
        if (note_value(L, walk, field, &waiting)) {
            field->value.slot = lua_gettop(L) - 1;
            lua_insert(L, -2); /* below the key, which lua_next wants on top */
        } else {
            lua_pop(L, 1);
        }
        if ((projector->field_count - base) * 3 > walk->limit_bytes) /* the shortest field has three bytes */
            reserve(L, walk, walk->limit_bytes);
    }
    size_t count = projector->field_count - base;
    vf_lua_sort_fields(projector->fields + base, count);
    size_t start = begin_container(L, walk);
    for (size_t i = 0; i < count; i++) {
        struct vf_lua_field field = projector->fields[base + i]; /* a copy: what is nested moves the array */
        write_field(L, walk, table, &field);
    }
    end_container(L, walk, start);
    projector->field_count = base;
    lua_settop(L, top);
}

/* Lists */

static void write_element(lua_State *L, struct walk *walk, lua_Integer position)
{
    struct vf_lua_field field = {0};
    char name[16];
    const char *digits;
    size_t size = bson_uint32_to_string((uint32_t)(position - 1), &digits, name, sizeof name);
    int waiting = 0, top = lua_gettop(L);

    walk->path[walk->depth].key = vf_bytes(NULL, 0);
    walk->path[walk->depth].position = position;
    if (lua_type(L, top) == LUA_TTABLE) {
        write_nested(L, walk, top, vf_bytes(digits, size));
        return;
    }
    walk->depth++; /* what is wrong with the value is told of this path */
    note_value(L, walk, &field, &waiting);
    if (field.kind == VF_FIELD_REFUSED)
        refuse(L, walk, field.value.why);
    walk->depth--;
    field.key = vf_bytes(digits, size);
    write_field(L, walk, 0, &field);
}

/* Whether the table is a list, 1 to *ret_count, when its slots did not come in order. Otherwise it is said why. */
static lua_Integer check_list(lua_State *L, struct walk *walk, int table)
{
    char what[120];
    lua_Integer count = 0, last = 0;
    lua_pushnil(L);
    while (lua_next(L, table)) {
        lua_pop(L, 1);
        if (!lua_isinteger(L, -1))
            refuse(L, walk, "is a list, and has a key that is no integer");
        lua_Integer position = lua_tointeger(L, -1);
        if (position < 1)
            refuse(L, walk, "is a list, and has a key below 1");
        count++;
        last = position > last ? position : last;
    }
    if (last == count)
        return count;
    for (lua_Integer i = 1; i < last; i++) {
        int type = lua_rawgeti(L, table, i);
        lua_pop(L, 1);
        if (type == LUA_TNIL) {
            snprintf(what, sizeof what, "is a list with a hole at [%lld] (use null for \"nothing here\")",
                     (long long)i);
            refuse(L, walk, what);
        }
    }
    return count;
}

static void write_array(lua_State *L, struct walk *walk, int table)
{
    size_t start = begin_container(L, walk);
    lua_Integer expected = 0;
    bool in_order = true;
    lua_pushnil(L);
    while (in_order && lua_next(L, table)) {
        in_order = lua_isinteger(L, -2) && lua_tointeger(L, -2) == expected + 1;
        if (in_order)
            write_element(L, walk, ++expected);
        lua_pop(L, 1);
    }
    if (!in_order) {
        lua_pop(L, 1);
        lua_Integer count = check_list(L, walk, table);
        for (lua_Integer i = expected + 1; i <= count; i++) {
            lua_rawgeti(L, table, i);
            write_element(L, walk, i);
            lua_pop(L, 1);
        }
    }
    end_container(L, walk, start);
}

static bool write_table(lua_State *L, struct walk *walk, int table)
{
    struct vf_projector *projector = walk->projector;
    const void *identity = lua_topointer(L, table);
    int top = lua_gettop(L);
    for (int i = 0; i < walk->depth; i++)
        if (walk->path[i].table == identity)
            refuse(L, walk, "is a table that holds itself");
    if (walk->depth >= VF_LUA_DEPTH_MAX)
        refuse(L, walk, "nests too deep (100 tables at most)");
    walk->path[walk->depth].table = identity;
    vf_lua_check_stack(L, WAITING_MAX + 10);
    /* GUARD lua-alias-twice: a handler changes one table and both places show it, until the document is loaded again */
    if (seen_before(projector, identity))
        walk->aliased = true;
    enum vf_lua_shape shape = take_table(L, walk, table);
    switch (shape) {
    case VF_SHAPE_LIBRARY: refuse(L, walk, "is a library of the language: it cannot be kept");
    case VF_SHAPE_FROZEN_OBJECT:
    case VF_SHAPE_FROZEN_ARRAY:
        vf_lua_push_contents(L, table);
        table = lua_gettop(L);
        break;
    default: break;
    }
    bool is_array = shape == VF_SHAPE_ARRAY || shape == VF_SHAPE_FROZEN_ARRAY;
    if (is_array)
        write_array(L, walk, table);
    else
        write_object(L, walk, table);
    lua_settop(L, top);
    return is_array;
}

/* The document's mark for objects lies behind its own table. Pushes it; makes it where there is none yet. */
static void push_object_mark(lua_State *L, struct walk *walk, int table)
{
    struct vf_lua_document *document = walk->document;
    if (lua_getmetatable(L, table)) {
        bool mine = lua_topointer(L, -1) == document->object_mark;
        if (mine && !document->moved)
            return;
        lua_pop(L, 1);
        if (vf_lua_shape(L, table) != VF_SHAPE_OBJECT)
            refuse(L, walk, "cannot be a list itself");
        walk->aliased = !mine; /* another document has taken this one's table */
    }
    lua_createtable(L, 2, 0);
    lua_pushinteger(L, walk->document - walk->projector->documents);
    lua_rawseti(L, -2, MARK_OWNER);
    lua_pushvalue(L, -1);
    lua_setmetatable(L, table);
    document->object_mark = lua_topointer(L, -1);
    document->array_mark = NULL;
    document->moved = false;
}

void vf_lua_encode(lua_State *L, int index, struct vf_lua_document *document, size_t limit_bytes, bool *ret_aliased)
{
    struct vf_projector *projector = vf_lua_projector(L);
    struct walk walk; /* the path is set as it is walked: clearing it would cost more than a small document */
    walk.projector = projector;
    walk.document = document;
    walk.limit_bytes = limit_bytes;
    walk.object_mark = 0;
    walk.depth = 0;
    walk.aliased = false;
    index = lua_absindex(L, index);
    int top = lua_gettop(L);
    vf_lua_check_stack(L, 10);
    if (document) {
        push_object_mark(L, &walk, index);
        walk.object_mark = lua_gettop(L);
    }
    vf_buffer_clear(&projector->out);
    projector->seen_round++;
    projector->seen_count = 0;
    write_table(L, &walk, index);
    lua_settop(L, top);
    if (ret_aliased)
        *ret_aliased = walk.aliased;
}
