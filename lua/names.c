#include "lua/names.h"

#include <ctype.h>

#define NAME_BYTES_MAX 40

/* How many letters must be put in, left out, changed or swapped with their neighbour to make one of the other. */
static size_t distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t rows[3][NAME_BYTES_MAX + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_size; j++)
        above[j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
        size_t *free_row = before;
        before = above;
        above = row;
        row = free_row;
    }
    return above[b_size];
}

const char *vf_lua_nearest(const char *name, const char *const *known)
{
    size_t size = strlen(name), best = 0;
    const char *nearest = NULL;
    if (size > NAME_BYTES_MAX)
        return NULL;
    for (; *known; known++) {
        size_t known_size = strlen(*known);
        size_t apart = distance(name, size, *known, known_size);
        size_t allowed = known_size <= 3 ? 1 : 2;
        if (apart <= allowed && (!nearest || apart < best)) {
            nearest = *known;
            best = apart;
        }
    }
    return nearest;
}

/* A walk over the text that skips what is no code. */
struct walk {
    const char *at, *end, *line_begin;
    int line;
};

static bool ahead(const struct walk *walk, const char *text)
{
    size_t size = strlen(text);
    return (size_t)(walk->end - walk->at) >= size && memcmp(walk->at, text, size) == 0;
}

static void step(struct walk *walk)
{
    if (*walk->at++ == '\n') {
        walk->line++;
        walk->line_begin = walk->at;
    }
}

/* Skips [[...]] or [=[...]=]; false where none begins here. */
static bool skip_long(struct walk *walk)
{
    const char *at = walk->at + 1;
    size_t level = 0;
    while (at < walk->end && *at == '=')
        at++, level++;
    if (at >= walk->end || *at != '[')
        return false;
    for (; walk->at < walk->end; step(walk)) {
        const char *close = walk->at;
        if (close <= at || *close != ']')
            continue;
        size_t found = 0;
        while (close + 1 + found < walk->end && close[1 + found] == '=' && found < level)
            found++;
        if (found == level && close + 1 + level < walk->end && close[1 + level] == ']') {
            walk->at = close + level + 2;
            return true;
        }
    }
    return true;
}

static void skip_comment(struct walk *walk)
{
    walk->at += 2;
    if (walk->at < walk->end && *walk->at == '[' && skip_long(walk))
        return;
    while (walk->at < walk->end && *walk->at != '\n')
        walk->at++;
}

/* Skips a quoted string and tells what is in it. */
static struct vf_bytes skip_quoted(struct walk *walk)
{
    char quote = *walk->at++;
    const char *begin = walk->at;
    while (walk->at < walk->end && *walk->at != quote && *walk->at != '\n') {
        if (*walk->at == '\\' && walk->at + 1 < walk->end)
            step(walk);
        step(walk);
    }
    struct vf_bytes inside = vf_bytes(begin, (size_t)(walk->at - begin));
    if (walk->at < walk->end && *walk->at == quote)
        walk->at++;
    return inside;
}

/* Whether `=` (and not `==`) follows, after `]` if there was a bracket. */
static bool is_set(const struct walk *walk, bool bracket)
{
    const char *at = walk->at;
    while (at < walk->end && (isspace((unsigned char)*at) || (bracket && *at == ']')))
        at++;
    return at < walk->end && *at == '=' && (at + 1 == walk->end || at[1] != '=');
}

static struct vf_lua_place find(struct vf_bytes script, const char *wanted, struct vf_lua_place from, bool string)
{
    struct walk walk = {script.data, script.data + script.size, script.data, 1};
    while (walk.at < walk.end) {
        struct vf_lua_place place = {walk.line, (int)(walk.at - walk.line_begin) + 1};
        struct vf_bytes word = {NULL, 0};
        bool quoted = false;
        if (ahead(&walk, "--")) {
            skip_comment(&walk);
        } else if (*walk.at == '"' || *walk.at == '\'') {
            quoted = true;
            word = skip_quoted(&walk);
        } else if (*walk.at == '[' && skip_long(&walk)) {
            continue;
        } else if (isalpha((unsigned char)*walk.at) || *walk.at == '_') {
            const char *begin = walk.at;
            while (walk.at < walk.end && (isalnum((unsigned char)*walk.at) || *walk.at == '_'))
                walk.at++;
            word = vf_bytes(begin, (size_t)(walk.at - begin));
        } else {
            step(&walk);
        }
        bool behind = place.line > from.line || (place.line == from.line && place.column >= from.column);
        bool fits = string ? quoted : word.data && is_set(&walk, quoted);
        if (word.data && behind && fits && vf_bytes_is(word, wanted))
            return place;
    }
    return (struct vf_lua_place){0, 0};
}

struct vf_lua_place vf_lua_place_of(struct vf_bytes script, const char *name, struct vf_lua_place from)
{
    return find(script, name, from, false);
}

struct vf_lua_place vf_lua_place_of_string(struct vf_bytes script, const char *text, struct vf_lua_place from)
{
    return find(script, text, from, true);
}

struct vf_bytes vf_lua_line(struct vf_bytes script, int line)
{
    const char *at = script.data, *end = script.data + script.size;
    for (; line > 1 && at < end; at++)
        line -= *at == '\n';
    const char *stop = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
    return vf_bytes(at, (size_t)((stop ? stop : end) - at));
}
