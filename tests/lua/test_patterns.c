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
#include "lua/pattern_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PATTERNS 20000

static const char *const letters[] = {"a",    "b",        "ab",   "(", ")", "1", " ",  "_", "-",  ".",
                                      "%",    "A",        "[",    "]", "^", "$", "\n", "0", "\t", "\x7f",
                                      "\x80", "\xc3\xa4", "\xff", "Z", "f", "G", "@",  "{", "~",  "!"};
static const char *const parts[] = {
    "a",       "b",       "a*",     "b+",     "a-",   "b?",           ".",    ".-",    ".*",     ".?",
    "%a",      "%d+",     "%s*",    "%w-",    "%p",   "%A",           "[ab]", "[^a]",  "%c",     "[%w_]+",
    "[]]",     "(",       ")",      "(a)",    "(.-)", "()",           "%1",   "%2",    "%b()",   "%bab",
    "%f[a]",   "$",       "^",      "%.",     "%%",   "%l+",          "%u",   "%x",    "*",      "-",
    "%g",      "[a-]",    "%S+",    "%",      "[",    "[^",           "[]",   "[%",    "[%a",    "%f",
    "%b",      "%0",      "%9",     "[a-b]*", "[^]]", "[]-a]",        "[a%]", "[--a]", "[%a-z]", "[^%s]",
    "[a-%]b]", "[!-%%b]", "[%]-a]", "[a-%",   "\xff", "[\x80-\xff]+", "%D",   "%W",    "%P*",    "%X",
    "%C-",     "%U?",     "%L",     "%G",     "(b)*", "a**",          "+",    "?",     "(()",    "(a*(.)%w(%s*))",
    "%f[%w]",  "%f[^a]",  "[%f]",   "$$",     "^^",   "a$b",          "(^a)", "[+--]", "%z"};

#define LENGTH(list) (sizeof(list) / sizeof *(list))

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
    lua_State *L = pattern_language_open();
    struct vf_projector *projector = open_handler(
        vf_arena_printf(test_arena,
                        "local s, p = e.headers.s, e.headers.p\nlocal ok, text = pcall(function()\n%sreturn %s end)\n"
                        "doc.r = ok and text or 'error'",
                        PATTERN_CODE, PATTERN_ANSWER)
            .data);
    for (unsigned i = 0; i < patterns; i++) {
        random_state = (from + i) * 77;
        random_text(text, letters, LENGTH(letters), 10);
        random_text(pattern, parts, LENGTH(parts), 5);
        const char *wanted = pattern_language_answer(L, vf_bytes_from(text), vf_bytes_from(pattern)),
                   *got = our_answer(projector, text, pattern);
        bool refused = strcmp(got, "error") == 0, error = !wanted;
        errors += error;
        matched += !error && strncmp(wanted, "nil", 3) != 0;
        early += refused && !error;
        wanted = wanted ? wanted : "error";
        if (strcmp(got, wanted) != 0 && (!refused || pattern_is_one(vf_bytes_from(pattern)))) {
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
