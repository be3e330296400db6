#include "lua/script.h"

#include "lua/names.h"

#include <ctype.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

#define FILES_MAX 256

/* The parser is given so much of a file at once, and pays a step a byte. */
#define PIECE_BYTES 512

/* Reads a file and remembers it. NULL with *error set where it cannot be read. */
static const struct vf_file *read_file(struct vf_projector *projector, const char *name, struct vf_error *error)
{
    struct vf_bytes text;
    if (projector->reader->read(projector->reader->self, name, &text, error) != VF_OK)
        return NULL;
    size_t count = projector->file_count;
    projector->files = vf_realloc(projector->files, (count + 1) * sizeof *projector->files);
    struct vf_file *file = &projector->files[count];
    file->name = vf_bytes_from(vf_strdup(name));
    char *copy = vf_alloc(text.size + 1); /* may hold NUL: Lua says what is wrong with it */
    if (text.size)
        memcpy(copy, text.data, text.size);
    file->text = vf_bytes(copy, text.size);
    projector->file_count = count + 1;
    return file;
}

/* Hands the parser the next piece of a text. */
static const char *next_piece(lua_State *L, void *self, size_t *ret_size)
{
    struct vf_bytes *left = self;
    const char *piece = left->data;
    *ret_size = left->size < PIECE_BYTES ? left->size : PIECE_BYTES;
    left->data += *ret_size;
    left->size -= *ret_size;
    /* GUARD lua-parser: no instruction is counted while a file is read, and 300,000 `or` in a row take minutes */
    vf_lua_spend(L, (int64_t)*ret_size);
    return piece;
}

/* Compiles a file (text only: a precompiled chunk can do anything) and pushes its function. */
static void push_chunk(lua_State *L, const struct vf_file *file)
{
    struct vf_projector *projector = vf_lua_projector(L);
    const char *before = projector->running;
    struct vf_bytes left = file->text;
    lua_pushfstring(L, "@%s", file->name.data);
    projector->running = file->name.data;
    projector->parsing = true;
    /* GUARD lua-text-only: a precompiled chunk reads and writes memory at will */
    int status = lua_load(L, next_piece, &left, lua_tostring(L, -1), "t");
    projector->running = before;
    projector->parsing = false;
    if (status != LUA_OK) {
        vf_lua_pass_on(L, status);
        const char *reason = lua_tostring(L, -1);
        bool placed = strncmp(reason, file->name.data, file->name.size) == 0; /* not where it nests too deep */
        vf_lua_raise(L, "%s%s%s", placed ? "" : file->name.data, placed ? "" : ": ", reason);
    }
    lua_remove(L, -2);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vf_lua_projector(L)->environment);
    lua_setupvalue(L, -2, 1);
}

void vf_lua_run_main(lua_State *L)
{
    struct vf_projector *projector = vf_lua_projector(L);
    struct vf_error error;
    const struct vf_file *file = read_file(projector, projector->main_name, &error);
    if (!file)
        vf_lua_raise(L, "%s", error.text);
    int before = lua_gettop(L);
    push_chunk(L, file);
    lua_call(L, 0, LUA_MULTRET);
    int returned = lua_gettop(L) - before;
    if (returned > 1)
        vf_lua_raise(
            L, "%s: the file returns %d values: it ends with return { name = ..., key = ..., on = ... }, one table",
            projector->main_name, returned);
    if (returned == 0 || lua_type(L, -1) != LUA_TTABLE)
        vf_lua_raise(L, "%s: the file returns no table: it ends with return { name = ..., key = ..., on = ... }",
                     projector->main_name);
}

/* "lib.money" -> "lib/money.lua" in `path`; false for anything that is no such name. */
static bool module_path(const char *name, char *path, size_t room)
{
    size_t size = strlen(name);
    if (size == 0 || size + sizeof ".lua" > room)
        return false;
    for (size_t i = 0; i < size; i++) {
        bool dot = name[i] == '.';
        /* GUARD lua-require-path: a script reads files outside its folder */
        if (dot && (i == 0 || i + 1 == size || name[i + 1] == '.'))
            return false;
        if (!dot && !isalnum((unsigned char)name[i]) && name[i] != '_' && name[i] != '-')
            return false;
        path[i] = dot ? '/' : name[i];
    }
    memcpy(path + size, ".lua", sizeof ".lua");
    return true;
}

static const struct vf_file *read_module(lua_State *L, const char *name, const char *path)
{
    struct vf_projector *projector = vf_lua_projector(L);
    struct vf_error error;
    if (projector->file_count >= FILES_MAX)
        luaL_error(L, "require: more than %d files", FILES_MAX);
    const struct vf_file *file = read_file(projector, path, &error);
    if (!file && error.code == VF_E_NOT_FOUND)
        luaL_error(L, "require \"%s\": there is no %s beside the projection", name, path);
    if (!file)
        luaL_error(L, "require \"%s\": %s", name, error.text);
    return file;
}

int vf_lua_require(lua_State *L)
{
    struct vf_projector *projector = vf_lua_projector(L);
    char path[256];
    size_t size;
    luaL_argexpected(L, lua_type(L, 1) == LUA_TSTRING, 1, "string");
    const char *name = lua_tolstring(L, 1, &size);
    if (!projector->loading)
        return luaL_error(L, "require works only while the file is loaded: put it at the top, outside of functions");
    if (strlen(name) != size || !module_path(name, path, sizeof path))
        return luaL_error(L, "require takes names like \"lib.money\", for lib/money.lua beside the projection");
    lua_settop(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, projector->modules);
    lua_pushvalue(L, 1);
    int type = lua_rawget(L, 2);
    if (type == LUA_TLIGHTUSERDATA && lua_touserdata(L, -1) == projector)
        return luaL_error(L, "require \"%s\": the modules require each other in a circle", name);
    if (type != LUA_TNIL)
        return 1;
    lua_pop(L, 1);
    lua_pushvalue(L, 1);
    lua_pushlightuserdata(L, projector); /* it is being loaded */
    lua_rawset(L, 2);
    push_chunk(L, read_module(L, name, path));
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushboolean(L, 1);
    }
    lua_pushvalue(L, 1);
    lua_pushvalue(L, -2);
    lua_rawset(L, 2);
    return 1;
}

const char *vf_lua_push_place(lua_State *L, const char *name)
{
    struct vf_projector *projector = vf_lua_projector(L);
    struct vf_lua_place place = {0, 0};
    if (projector->file_count)
        place = vf_lua_place_of(projector->files[0].text, name, place);
    if (place.line)
        return lua_pushfstring(L, "%s:%d", projector->main_name, place.line);
    return lua_pushstring(L, projector->main_name);
}

static int compare_files(const void *a, const void *b)
{
    return vf_bytes_compare(((const struct vf_file *)a)->name, ((const struct vf_file *)b)->name);
}

void vf_lua_sort_files(struct vf_projector *projector)
{
    if (projector->file_count > 2)
        qsort(projector->files + 1, projector->file_count - 1, sizeof *projector->files, compare_files);
}

void vf_lua_free_files(struct vf_projector *projector)
{
    for (size_t i = 0; i < projector->file_count; i++) {
        free((char *)projector->files[i].name.data);
        free((char *)projector->files[i].text.data);
    }
    free(projector->files);
}
