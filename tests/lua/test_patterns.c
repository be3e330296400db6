/*
 * The pattern matcher of this room against the language's own, on random short patterns and texts, with bytes of every
 * kind among them:
 *
 *   test_lua_patterns [patterns [first seed]]
 *
 * Both run the same Lua code over find, match, gmatch and gsub and answer with one string. They may differ in one thing:
 * a malformed pattern, which the language notices when the match gets there, is refused here at once.
 */
#include "lua/lua_test.h"

#include <inttypes.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

#define PATTERNS 20000

static const char *const letters[] = {"a",    "b",        "ab",   "(", ")", "1", " ",  "_", "-",  ".",
                                      "%",    "A",        "[",    "]", "^", "$", "\n", "0", "\t", "\x7f",
                                      "\x80", "\xc3\xa4", "\xff", "Z", "f", "G", "@",  "{", "~",  "!"};
static const char *const parts[] = {"a",      "b",
                                    "a*",     "b+",
                                    "a-",     "b?",
                                    ".",      ".-",
                                    ".*",     ".?",
                                    "%a",     "%d+",
                                    "%s*",    "%w-",
                                    "%p",     "%A",
                                    "[ab]",   "[^a]",
                                    "%c",     "[%w_]+",
                                    "[]]",    "(",
                                    ")",      "(a)",
                                    "(.-)",   "()",
                                    "%1",     "%2",
                                    "%b()",   "%bab",
                                    "%f[a]",  "$",
                                    "^",      "%.",
                                    "%%",     "%l+",
                                    "%u",     "%x",
                                    "*",      "-",
                                    "%g",     "[a-]",
                                    "%S+",    "%",
                                    "[",      "[^",
                                    "[]",     "[%",
                                    "[%a",    "%f",
                                    "%b",     "%0",
                                    "%9",     "[a-b]*",
                                    "[^]]",   "[]-a]",
                                    "[a%]",   "[--a]",
                                    "[%a-z]", "[^%s]",
                                    "\xff",   "[\x80-\xff]+",
                                    "%D",     "%W",
                                    "%P*",    "%X",
                                    "%C-",    "%U?",
                                    "%L",     "%G",
                                    "(b)*",   "a**",
                                    "+",      "?",
                                    "(()",    "(a*(.)%w(%s*))",
                                    "%f[%w]", "%f[^a]",
                                    "[%f]",   "$$",
                                    "^^",     "a$b",
                                    "(^a)",   "[+--]",
                                    "%z"};

#define LENGTH(list) (sizeof(list) / sizeof *(list))

/* s and p are what is tried. 0 is written for each byte 1 of them, as neither side of the test can hold it otherwise. */
static const char code[] =
    "s, p = s:gsub('\\1', '\\0'), p:gsub('\\1', '\\0')\n"
    "local function all(...) local r = {} for i = 1, select('#', ...) do r[i] = tostring((select(i, ...))) end "
    "return table.concat(r, ',') end\n"
    "local r = { all(s:find(p)), all(s:match(p, 2)), all(s:gsub(p, '<%0>')), all(s:gsub(p, '%1', 2)), all(s:find(p, -2)),\n"
    "  all(s:find(p, 1, true)), all(s:match(p, 100)), all(s:gsub(p, '', 0)), all(s:gsub(p, 'x%%', -1)) }\n"
    "local n = 0 for a, b in s:gmatch(p) do n = n + 1 r[#r + 1] = tostring(a) .. tostring(b) if n > 20 then break end end\n"
    "for a in s:gmatch(p, 2) do n = n + 1 r[#r + 1] = tostring(a) if n > 40 then break end end\n"
    "r[#r + 1] = all(s:gsub(p, function(a, b) if a == 'a' then return false end return (a or '') .. (b or '') end))\n"
    "r[#r + 1] = all(s:gsub(p, { a = 'x', [1] = 'y' }))\n"
    "for _, w in ipairs { '%2', '%', '%x' } do r[#r + 1] = all(pcall(string.gsub, s, p, w)):gsub('^false.*', 'false') end\n";

/* Both sides answer in hexadecimal: a document keeps UTF-8 only. */
#define ANSWER "(table.concat(r, '|'):gsub('.', function(c) return ('%02x'):format(c:byte()) end))"

static uint64_t random_state;

static unsigned random_below(size_t limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((random_state >> 33) % limit);
}

static void random_text(char *text, const char *const *choices, size_t count, unsigned most)
{
    text[0] = '\0';
    for (unsigned left = random_below(most + 1); left > 0; left--)
        strcat(text, random_below(40) ? choices[random_below(count)] : "\1");
}

/* What the language's own library answers; "error" where it fails. */
static const char *language_answer(lua_State *L, const char *text, const char *pattern)
{
    lua_settop(L, 1);
    lua_pushstring(L, text);
    lua_setglobal(L, "s");
    lua_pushstring(L, pattern);
    lua_setglobal(L, "p");
    lua_pushvalue(L, 1);
    if (lua_pcall(L, 0, 1, 0) != LUA_OK)
        return "error";
    return lua_tostring(L, -1);
}

/* What a handler answers. The two come as headers, which carry any bytes. */
static const char *our_answer(struct vf_projector *projector, const char *text, const char *pattern)
{
    const struct vf_header headers[] = {{VF_LITERAL("s"), vf_bytes_from(text), false},
                                        {VF_LITERAL("p"), vf_bytes_from(pattern), false}};
    struct vf_event *event = an_event("Happened", "{}");
    struct vf_record record = *event->record;
    struct vf_bytes bson;
    enum vf_handled handled;
    bool aliased;
    bson_t view;
    bson_iter_t iter;
    record.headers = headers;
    record.header_count = 2;
    event->record = &record;
    vf_warm document = warm(projector);
    if (LUA->handle(projector, event, VF_LITERAL("d"), document, 0, &handled, &test_error) != VF_OK ||
        LUA->body(projector, document, test_arena, &bson, &aliased, &test_error) != VF_OK) {
        fprintf(stderr, "%s\n", test_error.text);
        return "(failed)";
    }
    LUA->cool(projector, document);
    if (!bson_init_static(&view, (const uint8_t *)bson.data, bson.size) || !bson_iter_init_find(&iter, &view, "r"))
        return "(nothing)";
    return vf_arena_printf(test_arena, "%s", bson_iter_utf8(&iter, NULL)).data;
}

/* Where a [set] ends, as the manual has it; NULL: nowhere. `at` is behind its bracket. */
static const char *set_end(const char *at)
{
    at += *at == '^';
    for (bool first = true; *at != '\0'; first = false) {
        if (*at == ']' && !first)
            return at + 1;
        at += *at == '%' && at[1] != '\0' ? 2 : 1;
    }
    return NULL;
}

/* Whether the manual (6.4.1) calls this a pattern: what is refused has to be none. */
static bool is_pattern(const char *at)
{
    int captures = 0, open[64], depth = 0;
    bool closed[64] = {false};
    for (at += *at == '^'; at && *at != '\0';) {
        char c = *at++;
        if (c == '(' && *at == ')') {
            closed[captures++] = true;
            at++;
        } else if (c == '(') {
            open[depth++] = captures++;
        } else if (c == ')') {
            if (depth == 0)
                return false;
            closed[open[--depth]] = true;
        } else if (c == '[') {
            at = set_end(at);
        } else if (c == '%') {
            c = *at++;
            if (c == '\0' || (c == 'f' && *at != '[') || (c == 'b' && (at[0] == '\0' || at[1] == '\0')))
                return false;
            if (c >= '0' && c <= '9' && (c == '0' || c - '1' >= captures || !closed[c - '1']))
                return false;
            if (c == 'f')
                at = set_end(at + 1);
            else if (c == 'b')
                at += 2;
        }
    }
    return at && depth == 0;
}

static void show(const char *name, const char *text)
{
    fprintf(stderr, "%s: ", name);
    for (; *text; text++)
        fprintf(stderr, *text >= ' ' && *text < 0x7f ? "%c" : "\\x%02x", (unsigned char)*text);
    fprintf(stderr, "\n");
}

int main(int count, char **arguments)
{
    unsigned patterns = count > 1 ? (unsigned)strtoul(arguments[1], NULL, 10) : PATTERNS;
    uint64_t from = count > 2 ? strtoull(arguments[2], NULL, 10) : 1;
    unsigned matched = 0, errors = 0, early = 0;
    char text[200], pattern[200];
    lua_test_setup(NULL);
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    struct vf_bytes chunk = vf_arena_printf(test_arena, "%sreturn %s", code, ANSWER);
    if (luaL_loadbuffer(L, chunk.data, chunk.size, "=language") != LUA_OK)
        return 2;
    struct vf_projector *projector = open_handler(
        vf_arena_printf(test_arena,
                        "local s, p = e.headers.s, e.headers.p\nlocal ok, text = pcall(function()\n%sreturn %s end)\n"
                        "doc.r = ok and text or 'error'",
                        code, ANSWER)
            .data);
    for (unsigned i = 0; i < patterns; i++) {
        random_state = (from + i) * 77;
        random_text(text, letters, LENGTH(letters), 10);
        random_text(pattern, parts, LENGTH(parts), 5);
        const char *wanted = language_answer(L, text, pattern), *got = our_answer(projector, text, pattern);
        bool refused = strcmp(got, "error") == 0, error = strcmp(wanted, "error") == 0;
        errors += error;
        matched += !error && strncmp(wanted, "6e696c", 6) != 0; /* nil */
        early += refused && !error;
        if (strcmp(got, wanted) != 0 && (!refused || is_pattern(pattern))) {
            fprintf(stderr, "seed %" PRIu64 "\nwanted %s\ngot    %s\n", from + i, wanted, got);
            show("pattern", pattern);
            show("text", text);
            return 1;
        }
        vf_arena_reset(test_arena);
    }
    printf("%u patterns from seed %" PRIu64 ": %u matched, %u are malformed, %u more are noticed at once\n", patterns,
           from, matched, errors, early);
    lua_close(L);
    LUA->close(projector);
    lua_test_teardown(NULL);
    return patterns >= 5000 && (matched < patterns / 5 || errors < patterns / 50);
}
