#include "lua/json_text.h"

#include "core/body.h"
#include "lua/convert.h"
#include "lua/order.h"

#include <math.h>
#include <stdio.h>

#define PATH_TEXT_BYTES 400

/* One level down: a key, or (data NULL) a place in a list. */
struct step {
    struct vf_bytes key;
    lua_Integer position;
};

struct writer {
    struct vf_buffer *out;
    const struct vf_projector *projector;
    const char *where;
    const char *what;
    size_t limit_bytes;
    int depth;
    struct step path[VF_JSON_DEPTH_MAX + 1];
};

static void write_value(lua_State *L, struct writer *writer);

static __attribute__((noreturn)) void refuse(lua_State *L, const struct writer *writer, const char *fault)
{
    char text[PATH_TEXT_BYTES];
    size_t size = 0;
    text[0] = '\0';
    for (int i = 0; i < writer->depth && size < sizeof text; i++) {
        const struct step *step = &writer->path[i];
        int shown = step->key.size > 80 ? 80 : (int)step->key.size;
        int more = step->key.data
                       ? snprintf(text + size, sizeof text - size, "%s%.*s", i ? "." : "", shown, step->key.data)
                       : snprintf(text + size, sizeof text - size, "[%lld]", (long long)step->position);
        size += more > 0 ? (size_t)more : 0;
    }
    if (writer->depth > 0)
        vf_lua_raise(L, "%s: %s's field `%s` %s", writer->where, writer->what, text, fault);
    vf_lua_raise(L, "%s: %s %s", writer->where, writer->what, fault);
}

/* Before `size` more bytes are written. */
static void pay(lua_State *L, const struct writer *writer, size_t size)
{
    vf_lua_spend(L, 1 + vf_lua_bytes_cost(size));
    /* GUARD lua-upcast-bytes: one table in two places, and that in two, makes a text that takes the machine's memory */
    if (size > writer->limit_bytes || writer->out->size + size > writer->limit_bytes)
        vf_lua_stop(L, VF_E_LIMIT, "%s is larger than %zu bytes", writer->what, writer->limit_bytes);
}

static void write_string(lua_State *L, struct writer *writer, int index)
{
    struct vf_bytes text;
    text.data = lua_tolstring(L, index, &text.size);
    if (!vf_bytes_is_utf8(text))
        refuse(L, writer, "is a string that is not UTF-8");
    pay(L, writer, text.size + 2);
    vf_json_print_string(writer->out, text);
}

static void write_number(lua_State *L, struct writer *writer)
{
    pay(L, writer, 32);
    if (lua_isinteger(L, -1)) {
        vf_buffer_add_int(writer->out, lua_tointeger(L, -1));
        return;
    }
    if (!isfinite(lua_tonumber(L, -1)))
        refuse(L, writer, "is infinite or not a number (1/0, 0/0): no JSON says that");
    vf_json_print_double(writer->out, lua_tonumber(L, -1));
}

/* How many places the list at `table` has. */
static lua_Integer check_list(lua_State *L, struct writer *writer, int table)
{
    lua_Integer count = 0, last = 0;
    lua_pushnil(L);
    while (lua_next(L, table)) {
        lua_pop(L, 1);
        vf_lua_spend(L, 1);
        if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) < 1)
            refuse(L, writer, "is a list, and has a key that is no number from 1 on");
        count++;
        last = lua_tointeger(L, -1) > last ? lua_tointeger(L, -1) : last;
    }
    if (last != count)
        refuse(L, writer, "is a list with a hole (use null for \"nothing here\")");
    return count;
}

static void write_list(lua_State *L, struct writer *writer, int table)
{
    lua_Integer count = check_list(L, writer, table);
    vf_buffer_add_char(writer->out, '[');
    for (lua_Integer i = 1; i <= count; i++) {
        pay(L, writer, 1);
        if (i > 1)
            vf_buffer_add_char(writer->out, ',');
        writer->path[writer->depth++] = (struct step){.position = i};
        lua_rawgeti(L, table, i);
        write_value(L, writer);
        lua_pop(L, 1);
        writer->depth--;
    }
    vf_buffer_add_char(writer->out, ']');
}

static void check_keys(lua_State *L, struct writer *writer, int table)
{
    lua_pushnil(L);
    while (lua_next(L, table)) {
        lua_pop(L, 1);
        vf_lua_spend(L, 1);
        if (lua_type(L, -1) == LUA_TNUMBER)
            refuse(L, writer, "has a number as key: use array {...} for a list, tostring for a key");
        if (lua_type(L, -1) != LUA_TSTRING)
            refuse(L, writer, "has a key that is no string");
    }
}

static void write_object(lua_State *L, struct writer *writer, int table)
{
    check_keys(L, writer, table);
    vf_lua_push_sorted_keys(L, table);
    int keys = lua_gettop(L);
    vf_buffer_add_char(writer->out, '{');
    for (lua_Integer i = 1; lua_rawgeti(L, keys, i) != LUA_TNIL; i++) {
        struct step *step = &writer->path[writer->depth++];
        step->key.data = lua_tolstring(L, -1, &step->key.size);
        pay(L, writer, 2);
        if (i > 1)
            vf_buffer_add_char(writer->out, ',');
        write_string(L, writer, -1);
        vf_buffer_add_char(writer->out, ':');
        lua_rawget(L, table);
        write_value(L, writer);
        lua_pop(L, 1);
        writer->depth--;
    }
    vf_buffer_add_char(writer->out, '}');
}

/* The table on top. */
static void write_table(lua_State *L, struct writer *writer)
{
    enum vf_lua_shape shape = vf_lua_shape(L, -1);
    int top = lua_gettop(L);
    if (writer->depth >= VF_JSON_DEPTH_MAX)
        refuse(L, writer, "nests too deep (128 tables at most), or holds itself");
    if (shape == VF_SHAPE_LIBRARY)
        refuse(L, writer, "is a library of the language");
    vf_lua_check_stack(L, 10);
    pay(L, writer, 2);
    vf_lua_push_contents(L, -1);
    if (shape == VF_SHAPE_ARRAY || shape == VF_SHAPE_FROZEN_ARRAY)
        write_list(L, writer, top + 1);
    else
        write_object(L, writer, top + 1);
    lua_settop(L, top);
}

/* The value on top. */
static void write_value(lua_State *L, struct writer *writer)
{
    int64_t date;
    switch (lua_type(L, -1)) {
    case LUA_TSTRING: write_string(L, writer, -1); return;
    case LUA_TNUMBER: write_number(L, writer); return;
    case LUA_TTABLE: write_table(L, writer); return;
    case LUA_TBOOLEAN:
        pay(L, writer, 5);
        vf_buffer_add_text(writer->out, lua_toboolean(L, -1) ? "true" : "false");
        return;
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L, -1) != &writer->projector->null_token)
            refuse(L, writer, "is `own` or `delete`");
        pay(L, writer, 4);
        vf_buffer_add_text(writer->out, "null");
        return;
    case LUA_TUSERDATA:
        refuse(L, writer,
               vf_lua_to_date(L, -1, &date)
                   ? "is a date, which no JSON is: keep its text (tostring), and make it a date in "
                     "the handler"
                   : "is the event or a link");
    default: refuse(L, writer, "is a function");
    }
}

void vf_lua_print_json(lua_State *L, int index, const char *where, const char *what, size_t limit_bytes)
{
    struct vf_projector *projector = vf_lua_projector(L);
    struct writer writer; /* the path is set as it is walked */
    writer.out = &projector->out;
    writer.projector = projector;
    writer.where = where;
    writer.what = what;
    writer.limit_bytes = limit_bytes;
    writer.depth = 0;
    vf_buffer_clear(&projector->out);
    lua_pushvalue(L, index);
    write_value(L, &writer);
    lua_pop(L, 1);
}
