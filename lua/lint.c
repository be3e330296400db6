#include "lua/lint.h"

#include "lua/saying.h"
#include "lua/scan.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

/* More are of no help to anybody. */
#define FINDINGS_MAX 500

struct finding {
    char *file;
    char *message;
    struct vf_lua_place place;
    bool note;
};

struct vf_lua_lint {
    struct finding *findings;
    size_t count;
};

/* --- gathering ---------------------------------------------------------------------------------------------------- */

void vf_lua_lint_add(struct vf_projector *projector, const char *file, struct vf_lua_place place, bool note,
                     const char *message)
{
    struct vf_lua_lint *lint = projector->lint;
    for (size_t i = 0; i < lint->count; i++)
        if (lint->findings[i].place.line == place.line && strcmp(lint->findings[i].message, message) == 0 &&
            strcmp(lint->findings[i].file, file) == 0)
            return; /* the text said it already, and running it said it again */
    if (lint->count == FINDINGS_MAX)
        return;
    lint->findings = vf_realloc(lint->findings, (lint->count + 1) * sizeof *lint->findings);
    lint->findings[lint->count++] =
        (struct finding){.file = vf_strdup(file), .message = vf_strdup(message), .place = place, .note = note};
}

static const struct vf_file *file_of(const struct vf_projector *projector, const char *name, size_t size)
{
    for (size_t i = 0; i < projector->file_count; i++)
        if (vf_bytes_equal(projector->files[i].name, vf_bytes(name, size)))
            return &projector->files[i];
    return NULL;
}

static int first_column(struct vf_bytes line)
{
    size_t i = 0;
    while (i < line.size && (line.data[i] == ' ' || line.data[i] == '\t'))
        i++;
    return i < line.size ? (int)i + 1 : 1;
}

/* Where `word` stands in the line by itself; 0: nowhere. */
static int column_of(struct vf_bytes line, const char *word, size_t size, size_t from)
{
    for (size_t i = from; size > 0 && i + size <= line.size; i++)
        if (memcmp(line.data + i, word, size) == 0)
            return (int)i + 1;
    return 0;
}

/* Lua says at which token it stopped, and in which line: of several such tokens it is the first up to which the text fails
 * in the same way. */
static int column_of_syntax(lua_State *L, const struct vf_file *file, struct vf_bytes line, const char *message)
{
    const char *near = strstr(message, " near ");
    const char *begin = near ? strchr(near, '\'') : NULL;
    const char *end = begin ? strrchr(begin + 1, '\'') : NULL;
    if (!end)
        return line.size > 0 ? (int)line.size + 1 : 1; /* near <eof> */
    char chunk[300];
    snprintf(chunk, sizeof chunk, "=%s", file->name.data);
    size_t size = (size_t)(end - begin - 1);
    for (int column = 0; (column = column_of(line, begin + 1, size, (size_t)column)) > 0;) {
        size_t prefix = (size_t)(line.data - file->text.data) + (size_t)column - 1 + size;
        int status = luaL_loadbufferx(L, file->text.data, prefix, chunk, "t");
        const char *said = status == LUA_OK ? NULL : lua_tostring(L, -1);
        bool here = said && strstr(said, message);
        lua_pop(L, 1);
        if (here)
            return column;
    }
    return first_column(line);
}

/* What the message quotes, `through` or 'x', where it stands in the line. */
static int column_of_quoted(struct vf_bytes line, const char *message)
{
    const char *begin = strchr(message, '`');
    const char *end = begin ? strchr(begin + 1, '`') : NULL;
    if (!end) {
        begin = strchr(message, '\''); /* Lua's own: attempt to index a nil value (local 'x') */
        end = begin ? strchr(begin + 1, '\'') : NULL;
    }
    int column = end ? column_of(line, begin + 1, (size_t)(end - begin - 1), 0) : 0;
    return column > 0 ? column : first_column(line);
}

void vf_lua_lint_add_raised(lua_State *L, const char *text)
{
    struct vf_projector *projector = vf_lua_projector(L);
    char message[VF_ERROR_TEXT_BYTES];
    const char *colon = strstr(text, ".lua:");
    const struct vf_file *file = colon ? file_of(projector, text, (size_t)(colon + 4 - text)) : NULL;
    char *rest = NULL;
    struct vf_lua_place place = {0, 0};
    if (file)
        place.line = (int)strtol(colon + 5, &rest, 10);
    if (place.line > 0 && rest[0] == ':')
        text = rest + 1;
    else if (file)
        text = colon + 5;
    text += strspn(text, " ");
    snprintf(message, sizeof message, "%.*s", (int)strcspn(text, "\n"), text);
    if (place.line > 0) {
        struct vf_bytes line = vf_lua_line(file->text, place.line);
        place.column =
            strstr(message, " near ") ? column_of_syntax(L, file, line, message) : column_of_quoted(line, message);
    }
    vf_lua_lint_add(projector, file ? file->name.data : projector->main_name, place, false, message);
}

/* --- parts -------------------------------------------------------------------------------------------------------- */

struct part_call {
    vf_lua_part *part;
    lua_Integer item;
};

static int run_part(lua_State *L)
{
    const struct part_call *call = lua_touserdata(L, 1);
    vf_lua_check_stack(L, 20);
    lua_remove(L, 1);
    call->part(L, 1, call->item);
    return 0;
}

void vf_lua_lint_part(lua_State *L, int table, vf_lua_part *part, lua_Integer item)
{
    struct vf_projector *projector = vf_lua_projector(L);
    int top = lua_gettop(L);
    if (!projector->lint) {
        part(L, table, item);
        lua_settop(L, top);
        return;
    }
    struct part_call call = {.part = part, .item = item};
    lua_pushcfunction(L, run_part);
    lua_pushlightuserdata(L, &call);
    lua_pushvalue(L, table);
    int behind = top > table;
    if (behind)
        lua_pushvalue(L, table + 1);
    int status = lua_pcall(L, 2 + behind, 0, 0);
    if (status != LUA_OK) {
        vf_lua_pass_on(L, status);
        if (lua_type(L, -1) == LUA_TSTRING)
            vf_lua_lint_add_raised(L, lua_tostring(L, -1));
    }
    lua_settop(L, top);
}

void vf_lua_lint_skip(lua_State *L)
{
    lua_pushlightuserdata(L, vf_lua_projector(L)->lint);
    lua_error(L);
    abort();
}

/* --- names -------------------------------------------------------------------------------------------------------- */

struct scanning {
    lua_State *L;
    struct vf_projector *projector;
    const struct vf_file *file;
};

/* The nearest name to `name` among the fields of the table on top; NULL: none is near. */
static const char *nearest_field(lua_State *L, const char *name)
{
    const char *best[2] = {NULL, NULL};
    const char *near = NULL;
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            continue;
        const char *candidate = lua_tostring(L, -1);
        const char *both[3] = {near, candidate, NULL};
        best[0] = candidate;
        const char *better = near ? vf_lua_nearest(name, both) : vf_lua_nearest(name, best);
        near = better ? better : near;
    }
    return near;
}

static int get_global(lua_State *L)
{
    lua_gettable(L, 1);
    return 1;
}

static int set_global(lua_State *L)
{
    lua_settable(L, 1);
    return 0;
}

/* What reading or setting the global would raise when the script runs; NULL: nothing. Pushes it. */
static const char *push_refusal(lua_State *L, const char *name, bool set)
{
    lua_pushcfunction(L, set ? set_global : get_global);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vf_lua_projector(L)->environment);
    lua_pushstring(L, name);
    if (set)
        lua_pushinteger(L, 1);
    int status = lua_pcall(L, set ? 3 : 2, set ? 0 : 1, 0);
    if (set && status == LUA_OK)
        lua_pushnil(L);
    vf_lua_pass_on(L, status);
    return status == LUA_OK ? NULL : lua_tostring(L, -1);
}

static void add_global(struct scanning *scanning, const struct vf_scanned_name *name, const char *text)
{
    lua_State *L = scanning->L;
    struct vf_lua_place place = {name->line, name->column};
    char message[512];
    const char *near = NULL;
    const char *refusal = push_refusal(L, text, name->what == VF_SCANNED_WRITE);
    if (!refusal)
        return;
    near = name->near;
    if (!near && name->what != VF_SCANNED_WRITE) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, scanning->projector->environment);
        vf_lua_push_contents(L, -1);
        near = nearest_field(L, text);
    }
    snprintf(message, sizeof message, "%s%s%s%s", refusal, near ? ": did you mean `" : "", near ? near : "",
             near ? "`?" : "");
    vf_lua_lint_add(scanning->projector, scanning->file->name.data, place, false, message);
}

/* string.fromat: what a library has not is nil, and calling it fails only when an event comes. */
static void add_member(struct scanning *scanning, const struct vf_scanned_name *name, const char *global)
{
    lua_State *L = scanning->L;
    char member[64];
    char message[256];
    if (name->member.size >= sizeof member || push_refusal(L, global, false))
        return;
    if (lua_type(L, -1) != LUA_TTABLE || vf_lua_shape(L, -1) != VF_SHAPE_LIBRARY)
        return;
    snprintf(member, sizeof member, "%.*s", (int)name->member.size, name->member.data);
    vf_lua_push_contents(L, -1);
    lua_pushstring(L, member);
    if (lua_rawget(L, -2) != LUA_TNIL)
        return;
    lua_pop(L, 1);
    const char *near = nearest_field(L, member);
    snprintf(message, sizeof message, "there is no `%.60s.%s` here%s%s%s", global, member,
             near ? ": did you mean `" : "", near ? near : "", near ? "`?" : "");
    vf_lua_lint_add(scanning->projector, scanning->file->name.data, (struct vf_lua_place){name->line, name->column},
                    false, message);
}

static void found_name(void *self, const struct vf_scanned_name *name)
{
    struct scanning *scanning = self;
    int top = lua_gettop(scanning->L);
    char text[128];
    char message[256];
    if (name->what > VF_SCANNED_UNUSED || name->name.size >= sizeof text)
        return; /* the rest is advice.c's */
    snprintf(text, sizeof text, "%.*s", (int)name->name.size, name->name.data);
    if (name->what == VF_SCANNED_UNUSED) {
        snprintf(message, sizeof message, "nothing reads the local `%s`", text);
        vf_lua_lint_add(scanning->projector, scanning->file->name.data, (struct vf_lua_place){name->line, name->column},
                        true, message);
    } else {
        add_global(scanning, name, text);
        if (name->what == VF_SCANNED_MEMBER)
            add_member(scanning, name, text);
    }
    lua_settop(scanning->L, top);
}

/* In the gate. A file that does not compile has been found already. */
static int run_scan(lua_State *L)
{
    struct vf_projector *projector = vf_lua_projector(L);
    vf_lua_check_stack(L, 40);
    for (size_t i = 0; i < projector->file_count; i++) {
        const struct vf_file *file = &projector->files[i];
        int status = luaL_loadbufferx(L, file->text.data, file->text.size, "=scan", "t");
        vf_lua_pass_on(L, status);
        lua_pop(L, 1);
        if (status != LUA_OK)
            continue;
        struct scanning scanning = {.L = L, .projector = projector, .file = file};
        vf_lua_scan(file->text, found_name, &scanning);
    }
    return 0;
}

/* --- the seam ----------------------------------------------------------------------------------------------------- */

struct raised_call {
    const char *text;
};

static int run_add_raised(lua_State *L)
{
    const struct raised_call *call = lua_touserdata(L, 1);
    vf_lua_lint_add_raised(L, call->text);
    return 0;
}

static void tell(struct vf_lua_lint *lint, vf_script_found *found, void *self)
{
    for (size_t i = 0; i < lint->count; i++) {
        struct finding *finding = &lint->findings[i];
        char *hint = strstr(finding->message, ": did you mean ");
        if (hint) {
            *hint = 0;
            hint += strlen(": ");
        }
        found(self, &(struct vf_script_finding){.file = finding->file,
                                                .line = finding->place.line,
                                                .column = finding->place.column,
                                                .note = finding->note,
                                                .message = finding->message,
                                                .hint = hint});
        free(finding->file);
        free(finding->message);
    }
    free(lint->findings);
}

void vf_lua_lint(struct vf_projector *projector, lua_CFunction load, vf_script_found *found, void *self)
{
    struct vf_lua_lint lint = {0};
    struct vf_error error;
    struct vf_error second;
    projector->lint = &lint;
    enum vf_code code = vf_lua_gate(projector, load, NULL, &error);
    projector->loading = false;
    /* The text first: what it says has the exact column, and running it would say it again without. */
    struct vf_lua_lint loaded = lint;
    lint = (struct vf_lua_lint){0};
    if (projector->environment && vf_lua_gate(projector, run_scan, NULL, &second) != VF_OK)
        vf_lua_lint_add(projector, projector->main_name, (struct vf_lua_place){0, 0}, false, second.text);
    if (code == VF_OK && vf_lua_gate(projector, vf_lua_run_advice, NULL, &second) != VF_OK)
        vf_lua_lint_add(projector, projector->main_name, (struct vf_lua_place){0, 0}, false, second.text);
    for (size_t i = 0; i < loaded.count; i++) {
        vf_lua_lint_add(projector, loaded.findings[i].file, loaded.findings[i].place, loaded.findings[i].note,
                        loaded.findings[i].message);
        free(loaded.findings[i].file);
        free(loaded.findings[i].message);
    }
    free(loaded.findings);
    if (code != VF_OK) {
        struct raised_call call = {.text = error.text};
        if (vf_lua_gate(projector, run_add_raised, &call, &second) != VF_OK)
            vf_lua_lint_add(projector, projector->main_name, (struct vf_lua_place){0, 0}, false, error.text);
    }
    projector->lint = NULL;
    tell(&lint, found, self);
}

void vf_lua_place_word(const struct vf_projector *projector, const char *field, const char *word, int32_t *ret_line,
                       int32_t *ret_column)
{
    struct vf_lua_place place = {0, 0};
    if (projector->file_count > 0) {
        struct vf_bytes script = projector->files[0].text;
        const char *last = strrchr(field, '.');
        char parents[300];
        snprintf(parents, sizeof parents, "%.*s", last ? (int)(last - field) : 0, field);
        struct vf_lua_place from = vf_lua_place_in(projector, parents, last ? last + 1 : field);
        place = vf_lua_place_of(script, word, from);
        struct vf_lua_place string = vf_lua_place_of_string(script, word, from);
        bool earlier = string.line && (!place.line || string.line < place.line ||
                                       (string.line == place.line && string.column < place.column));
        place = earlier ? string : place;
        place = place.line && from.line ? place : from;
    }
    *ret_line = place.line;
    *ret_column = place.column;
}
