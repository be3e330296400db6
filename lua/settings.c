/* What a projection's table says beside its routes and handlers: versions, unlinked, ttl, indexes. */
#include "core/body.h"
#include "core/index.h"
#include "lua/order.h"
#include "lua/saying.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

/* As many indexes as one MongoDB collection takes, with its own beside them. */
#define INDEXES_MAX 60

/* Beyond this a document would be gone at a time that no clock can say. */
#define TTL_MS_MAX (INT64_C(1000) * 366 * 86400 * 1000)

/* The field's value as one of the words; `standard` where it is missing. */
static int read_word(lua_State *L, int table, const char *name, const char *const *words, int standard)
{
    int type = vf_lua_push_field(L, table, name);
    const char *said = type == LUA_TSTRING ? lua_tostring(L, -1) : "";
    int chosen = 0;
    while (words[chosen] && strcmp(words[chosen], said) != 0)
        chosen++;
    if (type != LUA_TNIL && !words[chosen])
        vf_lua_wrong(L, name, "`%s` is \"%s\", \"%s\" or \"%s\"", name, words[0], words[1], words[2]);
    lua_pop(L, 1);
    return type == LUA_TNIL ? standard : chosen;
}

void vf_lua_read_versions(lua_State *L, int table, lua_Integer item)
{
    static const char *const words[] = {
        [VF_VERSIONS_DOCUMENT] = "document", [VF_VERSIONS_RECORD] = "record", [VF_VERSIONS_NONE] = "none", NULL};
    struct vf_projector *projector = vf_lua_projector(L);
    bool one_document = true;
    (void)item;
    for (size_t i = 0; i < projector->projection.route_count; i++)
        one_document =
            one_document && (projector->routes[i].route == VF_ROUTE_OWN || projector->routes[i].route == VF_ROUTE_LINK);
    enum vf_versions_mode standard = one_document ? VF_VERSIONS_DOCUMENT : VF_VERSIONS_RECORD;
    projector->projection.versions = standard;
    enum vf_versions_mode mode = (enum vf_versions_mode)read_word(L, table, "versions", words, (int)standard);
    /* GUARD lua-versions: a document would have to name each aggregate of which it holds only a part */
    if (mode == VF_VERSIONS_DOCUMENT && !one_document)
        vf_lua_wrong(L, "versions",
                     "`versions` is \"document\", which goes only where all routes are own, link or through: use "
                     "\"record\"");
    projector->projection.versions = mode;
}

void vf_lua_read_unlinked(lua_State *L, int table, lua_Integer item)
{
    static const char *const words[] = {
        [VF_UNLINKED_HOLD] = "hold", [VF_UNLINKED_PARK] = "park", [VF_UNLINKED_IGNORE] = "ignore", NULL};
    struct vf_projector *projector = vf_lua_projector(L);
    (void)item;
    projector->projection.unlinked = (enum vf_unlinked)read_word(L, table, "unlinked", words, VF_UNLINKED_HOLD);
    bool links = false;
    for (size_t i = 0; i < projector->projection.route_count; i++)
        links = links || projector->routes[i].route == VF_ROUTE_LINK;
    if (!links && vf_lua_push_field(L, table, "unlinked") != LUA_TNIL)
        vf_lua_remark(L, NULL, "unlinked", "`unlinked` says nothing here: no route of `key` is a link or through");
}

void vf_lua_read_ttl(lua_State *L, int table, lua_Integer item)
{
    struct vf_projector *projector = vf_lua_projector(L);
    int64_t ttl_ms = 0;
    (void)item;
    int type = vf_lua_push_field(L, table, "ttl");
    if (type == LUA_TNIL)
        return;
    const char *said = type == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    if (!said || strlen(said) != lua_rawlen(L, -1) || !vf_duration_parse(said, &ttl_ms) || ttl_ms == 0)
        vf_lua_wrong(L, "ttl",
                     "`ttl` is a whole number with its unit (ms, s, m, h or d), more than none: ttl = \"30d\"");
    if (ttl_ms > TTL_MS_MAX)
        vf_lua_wrong(L, "ttl",
                     "`ttl` is \"%.40s\", which is longer than a thousand years: leave it out, and documents stay",
                     said);
    projector->projection.ttl_ms = ttl_ms;
}

/* --- indexes ------------------------------------------------------------------------------------------------------ */

/* Why no index can be over a field of this name; NULL where it can. */
static const char *field_fault(const char *name, size_t size)
{
    if (size == 0 || strlen(name) != size || !vf_bytes_is_utf8(vf_bytes(name, size)))
        return "is empty, holds a NUL or is not UTF-8";
    if (name[0] == '_' || strcmp(name, "id") == 0)
        return "belongs to viewfold: documents of equal value are in the order of their ids anyway";
    if (strchr(name, '.') || name[0] == '$')
        return "is not the name of a top-level field: keep what is to be found by there, doc.city = doc.address.city";
    return NULL;
}

/* The index's table is on top. */
static char *read_part(lua_State *L, const char *index, const char *part)
{
    int table = lua_gettop(L);
    char parents[120];
    size_t size;
    char *field = NULL;
    snprintf(parents, sizeof parents, "indexes.%.100s", index);
    int type = vf_lua_push_field(L, table, part);
    if (type != LUA_TNIL && type != LUA_TSTRING)
        vf_lua_wrong_in(L, parents, part, "indexes.%.100s: its %s is a %s, and the name of a field is wanted", index,
                        part, luaL_typename(L, -1));
    if (type == LUA_TSTRING) {
        const char *name = lua_tolstring(L, -1, &size);
        const char *fault = field_fault(name, size);
        if (fault)
            vf_lua_wrong_in(L, parents, part, "indexes.%.100s: its %s \"%.60s\" %s", index, part, name, fault);
        field = vf_strdup(name);
    }
    lua_settop(L, table);
    return field;
}

static void check_parts(lua_State *L, const char *index)
{
    static const char *const parts[] = {"sort", "by", "where", NULL};
    int table = lua_gettop(L);
    char parents[120];
    snprintf(parents, sizeof parents, "indexes.%.100s", index);
    vf_lua_push_sorted_keys(L, table);
    for (lua_Integer i = 1; lua_rawgeti(L, table + 1, i) != LUA_TNIL; i++) {
        const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
        bool known = false;
        for (size_t j = 0; name && parts[j]; j++)
            known = known || strcmp(name, parts[j]) == 0;
        const char *near = name && !known ? vf_lua_nearest(name, parts) : NULL;
        if (near)
            vf_lua_complain(L, parents, name, "indexes.%.100s: an index has no `%.60s`: did you mean `%s`?", index,
                            name, near);
        else if (!known)
            vf_lua_complain(L, parents, name ? name : index,
                            "indexes.%.100s: an index has sort, by and where, and no `%.60s`", index,
                            name ? name : luaL_typename(L, -1));
        lua_pop(L, 1);
    }
    lua_settop(L, table);
}

static bool same_field(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

/* The item-th of the names in order; `indexes` is the table, with the list of their names behind it. */
static void read_index(lua_State *L, int indexes, lua_Integer item)
{
    struct vf_projector *projector = vf_lua_projector(L);
    size_t size;
    if (lua_rawgeti(L, indexes + 1, item) != LUA_TSTRING)
        vf_lua_wrong(L, "indexes", "`indexes` has a %s as name: indexes = { recent = { sort = \"created\" } }",
                     luaL_typename(L, -1));
    const char *name = lua_tolstring(L, -1, &size);
    if (!vf_lua_is_plain_name(name, size))
        vf_lua_wrong_in(L, "indexes", name,
                        "indexes.%.60s: an index's name begins with a letter a-z and goes on with a-z, 0-9 and _",
                        name);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, indexes) != LUA_TTABLE)
        vf_lua_wrong_in(L, "indexes", name, "indexes.%.100s is a %s: an index is { sort = ..., by = ..., where = ... }",
                        name, luaL_typename(L, -1));
    check_parts(L, name);
    struct vf_index *index = &projector->indexes[projector->projection.index_count++];
    index->name = vf_strdup(name);
    index->sort = read_part(L, name, "sort");
    index->by = read_part(L, name, "by");
    index->where = read_part(L, name, "where");
    if (!index->sort && !index->by && !index->where)
        vf_lua_complain(L, "indexes", name,
                        "indexes.%.100s says no field: sort a number, date or string, by one that is equal, where a "
                        "boolean",
                        name);
    if (same_field(index->sort, index->by) || same_field(index->sort, index->where) ||
        same_field(index->by, index->where))
        vf_lua_complain(L, "indexes", name,
                        "indexes.%.100s names one field twice: sort, by and where are of different ones", name);
}

void vf_lua_read_indexes(lua_State *L, int table, lua_Integer item)
{
    struct vf_projector *projector = vf_lua_projector(L);
    (void)item;
    int type = vf_lua_push_field(L, table, "indexes");
    int indexes = lua_gettop(L);
    if (type == LUA_TNIL)
        return;
    if (type != LUA_TTABLE)
        vf_lua_wrong(L, "indexes", "`indexes` is a %s: indexes = { recent = { sort = \"created\" } }",
                     luaL_typename(L, -1));
    vf_lua_push_sorted_keys(L, indexes);
    size_t count = lua_rawlen(L, indexes + 1);
    if (count > INDEXES_MAX)
        vf_lua_wrong(L, "indexes", "`indexes` names %zu, and a view has %d at most", count, INDEXES_MAX);
    projector->indexes = vf_calloc(count + 1, sizeof *projector->indexes);
    projector->projection.indexes = projector->indexes;
    for (size_t i = 0; i < count; i++)
        vf_lua_lint_part(L, indexes, read_index, (lua_Integer)i + 1);
}
