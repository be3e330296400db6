/*
 * Programs from a grammar that likes nasty things, each run under limits, in two Lua states that hash and allocate
 * differently, and twice in the first of them:
 *
 *   test_lua_fuzz [programs [first seed [v]]]
 *
 * Whatever a program does, the call ends with a code; the next event works; the result is the same in both states and
 * both times (nothing random can be reached, and nothing is kept between events); a body that came out goes in and comes
 * out again; what an upcast leaves is an event; two documents that a handler had in hand behave, kept warm, as those that
 * are loaded again, unless it is said that they share something; and the heap stays below its cap. `v` shows the programs. A failure prints its seed and its program.
 */
#include "lua/lua_test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PROGRAMS          700 /* some seconds, with a sanitizer too */
#define DEPTH_MAX         7
#define PROGRAM_BYTES_MAX 6000

static uint64_t random_state;

static unsigned random_below(unsigned limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((random_state >> 33) % limit);
}

/* The grammar: $ and a letter is a rule, which is one of these at random. The first `leaves` need no other rule. */
struct rule {
    char letter;
    unsigned leaves;
    const char *const *choices;
};

static const char *const numbers[] = {"0",
                                      "1",
                                      "-1",
                                      "2",
                                      "3",
                                      "7",
                                      "100",
                                      "3000",
                                      "100000",
                                      "1e9",
                                      "math.maxinteger",
                                      "math.mininteger",
                                      "2^53",
                                      "1e308",
                                      "(0/0)",
                                      "(1/0)",
                                      "(-0.0)",
                                      "0.1",
                                      "1e15",
                                      "#($T)",
                                      "#($S)",
                                      "$N + $N",
                                      "$N * $N",
                                      "$N - 1",
                                      "($N) // ($N)",
                                      "$N % $N",
                                      "-($N)",
                                      "$N ~ $N",
                                      "$N << $N",
                                      "$N / $N",
                                      "$N ^ $N",
                                      "math.floor($N)",
                                      "math.tointeger($E)",
                                      "tonumber($E)",
                                      "tonumber($S, $N)",
                                      "select('#', $A)",
                                      "utf8.len($S, $N, $N)",
                                      "utf8.offset($S, $N)",
                                      "string.byte($S, $N)",
                                      "math.ult($N, $N)",
                                      "math.fmod($N, $N)",
                                      "$S + $N",
                                      "e.version",
                                      "e.time_ms",
                                      "math.max($N, $N)",
                                      "utf8.codepoint($S, $N)",
                                      NULL};
static const char *const strings[] = {"''",
                                      "'a'",
                                      "'ab'",
                                      "'x y z'",
                                      "'10'",
                                      "'0x7f'",
                                      "'%d'",
                                      "'%s|%5.2f|%q'",
                                      "'a\\0b'",
                                      "'\\xff\\xfe'",
                                      "'\xc3\xa4'",
                                      "e.id",
                                      "e.type",
                                      "e.time",
                                      "e.kind",
                                      "('aXbc'):rep(50)",
                                      "tostring($E)",
                                      "$S .. $S",
                                      "$S .. $N",
                                      "($S):rep($N)",
                                      "($S):rep(20, $S)",
                                      "($S):sub($N, $N)",
                                      "($S):upper()",
                                      "($S):reverse()",
                                      "string.format($S, $A)",
                                      "('%s %d'):format($E, $N)",
                                      "('%q'):format($E)",
                                      "('%99.9f'):format($N)",
                                      "('%-20s|'):format($S)",
                                      "('%a'):format($N)",
                                      "('%c%x'):format($N, $N)",
                                      "string.char($N, $N)",
                                      "table.concat($T, $S)",
                                      "table.concat($T, $S, $N, $N)",
                                      "(($S):gsub($P, $S))",
                                      "(($S):gsub($P, $F))",
                                      "(($S):gsub($P, $T))",
                                      "(($S):match($P))",
                                      "($S):match($P, $N)",
                                      "utf8.char($N)",
                                      "type($E)",
                                      "math.type($N)",
                                      "tostring(date(e.time))",
                                      NULL};
static const char *const patterns[] = {"'a'",
                                       "'.'",
                                       "'.-'",
                                       "'.*'",
                                       "'%a+'",
                                       "'(.-)(.-)b'",
                                       "'%b()'",
                                       "'%f[%w]'",
                                       "'()'",
                                       "'(.)%1'",
                                       "'^a*'",
                                       "'[^a]-$'",
                                       "'%'",
                                       "'['",
                                       "'[%w_]+'",
                                       "'[]]'",
                                       "('.-'):rep(9) .. 'b'",
                                       "('a?'):rep(30)",
                                       "('('):rep(40)",
                                       "'(()'",
                                       "'%1'",
                                       "'[a-'",
                                       "$S",
                                       "$S .. $S",
                                       NULL};
static const char *const tables[] = {"{}",
                                     "{ 1, 2, 3 }",
                                     "{ 'b', 'a', 'c' }",
                                     "{ x = 1, y = { z = 2 } }",
                                     "array {}",
                                     "array { 1, 2, 3 }",
                                     "doc",
                                     "doc.t",
                                     "e.data",
                                     "from",
                                     "from.t",
                                     "e.headers",
                                     "constant",
                                     "deep.list",
                                     "t",
                                     "u",
                                     "{ $E, $E }",
                                     "{ [$E] = $E }",
                                     "array { $E, $E, $E }",
                                     "{ a = $E, b = $T }",
                                     "table.pack($A)",
                                     "{ ($S):byte(1, -1) }",
                                     "table.move($T, $N, $N, $N)",
                                     "table.move($T, 1, $N, 2, $T)",
                                     "array($T)",
                                     "{ $A }",
                                     "select(2, pcall(function(...) return $T end))",
                                     NULL};
static const char *const functions[] = {"pcall",
                                        "xpcall",
                                        "error",
                                        "tostring",
                                        "pairs",
                                        "next",
                                        "ipairs",
                                        "select",
                                        "type",
                                        "assert",
                                        "string.rep",
                                        "string.gsub",
                                        "string.format",
                                        "string.find",
                                        "string.gmatch",
                                        "table.sort",
                                        "table.concat",
                                        "table.unpack",
                                        "table.insert",
                                        "table.remove",
                                        "math.max",
                                        "utf8.char",
                                        "utf8.codes",
                                        "array",
                                        "date",
                                        "link",
                                        "log",
                                        "own",
                                        "f",
                                        "g",
                                        "helper",
                                        "function(...) end",
                                        "function(...) return ... end",
                                        "function(a, b, ...) return a < b end",
                                        "function(...) $X end",
                                        "function(a, b, ...) $X return $E end",
                                        "function(...) $X return $A end",
                                        "function(a, ...) return f(a) end",
                                        "function(...) error($E) end",
                                        NULL};
static const char *const expressions[] = {"nil",
                                          "true",
                                          "false",
                                          "null",
                                          "delete",
                                          "own",
                                          "e",
                                          "doc",
                                          "string",
                                          "math",
                                          "_ENV",
                                          "t",
                                          "a",
                                          "b",
                                          "n",
                                          "s",
                                          "date(e.time)",
                                          "$N",
                                          "$N",
                                          "$S",
                                          "$S",
                                          "$S",
                                          "$T",
                                          "$T",
                                          "$F",
                                          "($F)($A)",
                                          "($F)($A)",
                                          "($T)[$E]",
                                          "($T).x",
                                          "$E == $E",
                                          "$E < $E",
                                          "$E and $E",
                                          "$E or $E",
                                          "not $E",
                                          "(pcall($F, $A))",
                                          "select($N, $A)",
                                          "next($T)",
                                          "next($T, $E)",
                                          "$E .. $E",
                                          "#($E)",
                                          "($S):find($P)",
                                          "($S):gmatch($P)",
                                          "link { A = $E }",
                                          "table.unpack($T)",
                                          "table.unpack($T, $N, $N)",
                                          "table.remove($T, $N)",
                                          "(function(...) $X return $A end)($A)",
                                          NULL};
static const char *const arguments[] = {
    "", "1", "'a'", "doc", "$E", "$E", "$E, $E", "$E, $E, $E", "$T, $F", "$S, $P, $E", "table.unpack($T)", "...", NULL};
static const char *const statements[] = {"doc.x = 1",
                                         "doc.n = (doc.n or 0) + 1",
                                         "t[#t + 1] = 1",
                                         "s = s .. 'x'",
                                         "n = n + 1",
                                         "log(s, n)",
                                         "doc.n = n",
                                         "doc.s = s",
                                         "doc.v = $E",
                                         "doc.v = $E",
                                         "doc.t = $T",
                                         "doc.s = tostring($E)",
                                         "doc.n = $N",
                                         "doc[$S] = $E",
                                         "doc.l = array { $E, $E }",
                                         "local a, b = $E, $E $X",
                                         "t[$E] = $E",
                                         "t.x = $T",
                                         "u = $T",
                                         "s = $S",
                                         "n = $N",
                                         "a = $E",
                                         "; ($T)[$E] = $E",
                                         "; ($T).x = $E",
                                         "pcall(function(...) $X end)",
                                         "pcall(function(...) $X end)",
                                         "pcall(function(...) $X end)",
                                         "pcall(function(...) $X $X end)",
                                         "local ok, m = pcall($F, $A) doc.m = tostring(m)",
                                         "xpcall(function(...) $X end, $F)",
                                         "xpcall($F, function(m, ...) $X return m end, $A)",
                                         "for i = $N, $N do $X end",
                                         "for i = $N, $N, $N do $X end",
                                         "for k, v in pairs($T) do $X end",
                                         "for k, v in pairs($T) do ($T)[k] = $E end",
                                         "for k, v in ipairs($T) do $X end",
                                         "for k, v in next, $T do $X end",
                                         "for w, z in ($S):gmatch($P) do $X end",
                                         "for p, c in utf8.codes($S) do $X end",
                                         "for i = 1, 20 do $X end",
                                         "for i = 1, 3 do $X end",
                                         "while $E do $X break end",
                                         "while true do $X end",
                                         "repeat $X until $E",
                                         "if $E then $X else $X end",
                                         "do goto skip $X ::skip:: end",
                                         "do local i = 0 ::top:: i = i + 1 $X if i < 5 then goto top end end",
                                         "local function f(...) $X return $A end f($A)",
                                         "local function g(x, ...) if x > 0 then return g(x - 1) end $X end g($N)",
                                         "table.sort($T, $F)",
                                         "table.sort($T)",
                                         "table.insert($T, $E)",
                                         "table.insert($T, $N, $E)",
                                         "table.remove($T, $N)",
                                         "array($T)",
                                         "log($A)",
                                         "error($E)",
                                         "assert($E, $E)",
                                         "; ($F)($A)",
                                         "; ($F)($A)",
                                         "; ($S):gsub($P, $F)",
                                         "do return $A end",
                                         "constant.x = $E",
                                         "_ENV.x = $E",
                                         "string.rep = $E",
                                         "local _ENV = { doc = doc, pcall = pcall } $X",
                                         "doc.shared = t doc.other = t",
                                         "doc.v = from.t from.t = nil",
                                         "from.v, doc.t = doc.t, nil",
                                         "doc.t, from.t = from.t, doc.t",
                                         "doc.v, from.v = t, t",
                                         "doc.was = from",
                                         "e.data.x = $E",
                                         "helper($A)",
                                         "for _, step in ipairs { 1, 2, 3 } do pcall(function(...) $X end) end",
                                         "$X $X",
                                         "$X $X",
                                         "$X $X $X",
                                         NULL};

static const struct rule rules[] = {{'N', 19, numbers},  {'S', 16, strings},   {'P', 22, patterns},
                                    {'T', 14, tables},   {'F', 33, functions}, {'E', 17, expressions},
                                    {'A', 4, arguments}, {'X', 8, statements}};

static void expand(struct vf_buffer *program, const char *text, int depth);

static void expand_rule(struct vf_buffer *program, char letter, int depth)
{
    const struct rule *rule = rules;
    while (rule->letter != letter)
        rule++;
    unsigned count = 0;
    while (rule->choices[count])
        count++;
    bool leaf = depth >= DEPTH_MAX || program->size > PROGRAM_BYTES_MAX || (letter != 'X' && random_below(3) == 0);
    expand(program, rule->choices[random_below(leaf ? rule->leaves : count)], depth + 1);
}

static void expand(struct vf_buffer *program, const char *text, int depth)
{
    for (; *text; text++) {
        if (*text == '$' && text[1] >= 'A' && text[1] <= 'Z')
            expand_rule(program, *++text, depth);
        else
            vf_buffer_add_char(program, *text);
    }
}

static const char *make_program(uint64_t seed)
{
    struct vf_buffer program;
    random_state = seed * 2654435761u + 1;
    vf_buffer_init(&program);
    vf_buffer_add_text(
        &program,
        "local constant, deep = { eu = 19, us = 7 }, { list = array { 'a', 'b', 'c' } }\n"
        "local function f(...) return ... end\nlocal function g(n) return n end\n"
        "local function helper(...)\nlocal a, b, n, s, t, u = 1, 'b', 0, 'local', {}, {}\nlocal doc, e, from = {}, { data = {}, headers = {} }, {}\n");
    expand(&program, "$X $X", random_below(4) ? 5 : 3);
    vf_buffer_add_text(&program, "\nend\n");
    if (random_below(8) == 0) /* at load time, where other rules hold */
        expand(&program,
               "pcall(function(...) local a, b, n, s, t, u, doc, e, from = 1, 'b', 0, '', {}, {}, {}, {}, {} $X end)\n",
               3);
    vf_buffer_add_text(
        &program, "return { name = 'v', topics = {'t'}, key = { order = own }, initial = { t = { k = 1 } }, on = {\n"
                  "Fine = function(doc) doc.fine = true end,\n"
                  "Happened = function(doc, e, from, ...)\nlocal a, b, n, s, t, u = nil, nil, 0, '', {}, {}\n"
                  "from = from or { t = {} }\n");
    for (unsigned i = 0, count = 1 + random_below(5); i < count; i++) {
        expand(&program, random_below(3) ? "pcall(function(...)\n$X\n$X end)" : "$X", 1);
        vf_buffer_add_char(&program, '\n');
    }
    vf_buffer_add_text(&program,
                       "end }, upcast = { Old = function(e)\nlocal a, b, n, s, t, u = nil, nil, 0, '', {}, {}\n"
                       "local doc, from = { t = {} }, { t = {} }\n");
    expand(&program, "pcall(function(...) $X end)\n", 3);
    if (random_below(2))
        expand(&program, "e.type = tostring($S)\n", 2);
    if (random_below(2))
        expand(&program, "e.data = { a = $E, b = e.data, c = doc }\n", 2);
    vf_buffer_add_text(&program, "end } }\n");
    const char *text = vf_arena_bytes(test_arena, program.data, program.size).data;
    vf_buffer_done(&program);
    return text;
}

static struct {
    unsigned refused, fine, failed, limited, full, upcast, moves, shared;
} seen;

/* What came of one call, as far as it has to be the same everywhere. */
struct outcome {
    enum vf_code code;
    bool limited; /* by memory or instructions, which other things in the heap may change */
    size_t log_lines;
    const char *text; /* the body, or the error */
    struct vf_bytes body;
};

static struct outcome run_once(struct vf_projector *projector)
{
    static const char data[] =
        "{\"n\":1,\"list\":[3,1,2],\"o\":{\"b\":1,\"a\":[]},\"s\":\"text\",\"f\":1.5,\"z\":null}";
    struct outcome outcome = {.code = VF_OK};
    vf_warm document = 0;
    bool aliased;
    test_log.lines = 0;
    outcome.code = LUA->warm(projector, vf_bytes(NULL, 0), &document, &test_error);
    if (outcome.code == VF_OK)
        outcome.code = handle(projector, document, "Happened", data);
    if (outcome.code == VF_OK)
        outcome.code = LUA->body(projector, document, test_arena, &outcome.body, &aliased, &test_error);
    outcome.log_lines = test_log.lines;
    outcome.limited = outcome.code == VF_E_LIMIT || outcome.code == VF_E_MEMORY;
    if (outcome.code == VF_OK)
        outcome.text = body_json(projector, document, NULL);
    else
        outcome.text = vf_arena_copy(test_arena, vf_bytes(test_error.text, strlen(test_error.text) + 1)).data;
    LUA->cool(projector, document);
    return outcome;
}

/* The event as the upcast has left it, or why it has not. */
static struct outcome upcast_once(struct vf_projector *projector)
{
    struct outcome outcome = {.code = VF_OK};
    struct vf_event event = *an_event("Old", "{\"n\":1,\"list\":[3,{}],\"z\":null}");
    test_log.lines = 0;
    outcome.code = LUA->upcast(projector, &event, test_arena, &test_error);
    outcome.log_lines = test_log.lines;
    outcome.limited = outcome.code == VF_E_LIMIT || outcome.code == VF_E_MEMORY;
    outcome.text = outcome.code == VF_OK
                       ? vf_arena_printf(test_arena, "%.*s %s %.*s", (int)event.type.size, event.type.data,
                                         event.data_pointer ? event.data_pointer : "", (int)event.data_text.size,
                                         event.data_text.size ? event.data_text.data : "")
                             .data
                       : vf_arena_copy(test_arena, vf_bytes(test_error.text, strlen(test_error.text) + 1)).data;
    struct vf_json_parser *parser = vf_json_parser_new();
    struct vf_json root;
    if (outcome.code == VF_OK && (event.type.size == 0 || !vf_bytes_is_utf8(event.type)))
        outcome.text = NULL;
    if (event.data_text.size > 0 && vf_json_parse(parser, event.data_text, &root, &test_error) != VF_OK)
        outcome.text = NULL;
    vf_json_parser_free(parser);
    return outcome;
}

static const char *program_text;
static uint64_t program_seed;

static __attribute__((noreturn)) void broken(const char *what, const char *first, const char *second)
{
    fprintf(stderr, "seed %" PRIu64 ": %s\n--- one\n%s\n--- other\n%s\n--- program\n%s\n", program_seed, what, first,
            second, program_text);
    exit(1);
}

static void want_same(const char *what, struct outcome a, struct outcome b)
{
    if (a.limited || b.limited)
        return;
    if (a.code != b.code || !a.text || !b.text || strcmp(a.text, b.text) != 0 || a.log_lines != b.log_lines)
        broken(what, a.text ? a.text : "(none)", b.text ? b.text : "(none)");
}

static void want_sound(struct vf_projector *projector, struct outcome outcome)
{
    vf_warm document = 0;
    struct vf_bytes again;
    bool aliased;
    if (outcome.code != VF_OK && outcome.code != VF_E_SCRIPT && !outcome.limited)
        broken("ended with a code that no script may cause", outcome.text, "");
    if (outcome.code != VF_OK && (outcome.text[0] == '\0' || strlen(outcome.text) >= VF_ERROR_TEXT_BYTES))
        broken("the error has no text, or no end", outcome.text, "");
    const char *traceback = outcome.code != VF_OK ? strstr(outcome.text, "\nstack traceback:\n\t") : NULL;
    if (traceback && strstr(traceback + 1, "\nstack traceback:\n\t"))
        broken("more than one traceback", outcome.text, "");
    if (LUA->memory_bytes(projector) > test_limits.memory_bytes_max)
        broken("more memory than there may be", outcome.text, "");
    if (outcome.code == VF_OK) {
        if (LUA->warm(projector, outcome.body, &document, &test_error) != VF_OK ||
            LUA->body(projector, document, test_arena, &again, &aliased, &test_error) != VF_OK)
            broken("a body that came out does not go in again", outcome.text, test_error.text);
        if (!vf_bytes_equal(again, outcome.body) || aliased)
            broken("a body does not come back as it went", outcome.text, "");
        LUA->cool(projector, document);
    }
    LUA->collect(projector);
    if (LUA->warm(projector, vf_bytes(NULL, 0), &document, &test_error) != VF_OK ||
        handle(projector, document, "Fine", "{}") != VF_OK)
        broken("the next event does not work", test_error.text, outcome.text);
    LUA->cool(projector, document);
}

/* The codes and bodies of two documents, after one event each. */
static const char *go_on(struct vf_projector *projector, const vf_warm documents[2])
{
    struct vf_buffer text;
    vf_buffer_init(&text);
    for (int i = 0; i < 2; i++) {
        enum vf_code code = handle(projector, documents[i], "Happened", "{\"n\":2,\"list\":[]}");
        const char *body = code == VF_OK ? body_json(projector, documents[i], NULL) : NULL;
        if (test_error.code == VF_E_LIMIT || test_error.code == VF_E_MEMORY)
            code = VF_E_LIMIT;
        vf_buffer_printf(&text, "%s\n", code == VF_E_LIMIT ? "limited" : body ? body : test_error.text);
        test_error.code = VF_OK;
    }
    const char *copy = vf_arena_bytes(test_arena, text.data, text.size).data;
    vf_buffer_done(&text);
    return copy;
}

/* A handler has two documents in hand. */
static void move_between(struct vf_projector *projector)
{
    vf_warm documents[2] = {warm_json(projector, "{\"t\":{\"k\":{}}}"),
                            warm_json(projector, "{\"t\":{\"f\":[{}]},\"o\":{\"x\":1}}")};
    vf_warm loaded[2] = {0, 0};
    struct vf_bytes bodies[2];
    bool aliased[2] = {false, false};
    enum vf_handled handled;
    int first = (int)random_below(2);
    if (random_below(2)) /* their tables have marks, or have none yet */
        for (int i = 0; i < 2; i++)
            (void)body_json(projector, documents[i], NULL);
    enum vf_code code = LUA->handle(projector, an_event("Happened", "{\"n\":1}"), VF_LITERAL("d"), documents[0],
                                    documents[1], &handled, &test_error);
    for (int i = 0; i < 2 && code == VF_OK; i++) {
        int at = i == 0 ? first : 1 - first;
        code = LUA->body(projector, documents[at], test_arena, &bodies[at], &aliased[at], &test_error);
    }
    for (int i = 0; i < 2 && code == VF_OK; i++)
        code = LUA->warm(projector, bodies[i], &loaded[i], &test_error);
    seen.moves += code == VF_OK;
    seen.shared += code == VF_OK && (aliased[0] || aliased[1]);
    if (code == VF_OK && !aliased[0] && !aliased[1]) {
        test_error.code = VF_OK;
        const char *warm_text = go_on(projector, documents);
        const char *loaded_text = go_on(projector, loaded);
        if (strcmp(warm_text, loaded_text) != 0 && !strstr(warm_text, "limited") && !strstr(loaded_text, "limited"))
            broken("documents that were kept warm behave otherwise than those that were loaded", warm_text,
                   loaded_text);
    }
    for (int i = 0; i < 2; i++) {
        LUA->cool(projector, documents[i]);
        LUA->cool(projector, loaded[i]);
    }
}

/* Other addresses, other chains in Lua's tables of strings, other moments of collection. */
static void disturb(struct vf_projector *projector, void **blocks, size_t count)
{
    vf_warm documents[20];
    for (size_t i = 0; i < count; i++)
        blocks[i] = malloc(16 + random_below(2000));
    for (int i = 0; i < 20; i++) {
        const char *json =
            vf_arena_printf(test_arena, "{\"k%u\":{\"l\":[1,\"%u\",{}]}}", random_below(100), random_below(1000000))
                .data;
        documents[i] = warm_json(projector, json);
    }
    for (int i = 0; i < 20; i += 2)
        LUA->cool(projector, documents[i]);
}

static void try_program(void)
{
    void *blocks[50];
    struct vf_projector *one = try_open(program_text);
    if (!one) {
        const char *text = vf_arena_copy(test_arena, vf_bytes(test_error.text, strlen(test_error.text) + 1)).data;
        if (try_open(program_text) || (strcmp(text, test_error.text) != 0 && test_error.code != VF_E_MEMORY))
            broken("opening ends differently", text, test_error.text);
        seen.refused++;
        return;
    }
    struct outcome first = run_once(one);
    want_sound(one, first);
    want_same("the second event of the same kind ends differently: something is kept", first, run_once(one));
    struct outcome upcast = upcast_once(one);
    want_same("the second event that is upcast ends differently: something is kept", upcast, upcast_once(one));
    for (int i = 0; i < 4; i++)
        move_between(one);
    struct vf_projector *other = try_open(program_text);
    if (!other)
        broken("opening ends differently", "", test_error.text);
    disturb(other, blocks, 50);
    want_same("another Lua state ends differently", first, run_once(other));
    want_same("an event that is upcast in another Lua state ends differently", upcast, upcast_once(other));
    LUA->close(one);
    LUA->close(other);
    for (int i = 0; i < 50; i++)
        free(blocks[i]);
    seen.upcast += upcast.code == VF_OK;
    seen.fine += first.code == VF_OK;
    seen.failed += first.code == VF_E_SCRIPT;
    seen.limited += first.code == VF_E_LIMIT;
    seen.full += first.code == VF_E_MEMORY;
}

int main(int count, char **arguments_given)
{
    unsigned programs = count > 1 ? (unsigned)strtoul(arguments_given[1], NULL, 10) : PROGRAMS;
    uint64_t from = count > 2 ? strtoull(arguments_given[2], NULL, 10) : 1;
    lua_test_setup(NULL);
    test_limits.memory_bytes_max = 2u << 20;
    test_limits.instructions_max = 300000;
    test_limits.document_bytes_max = 1u << 20;
    for (unsigned i = 0; i < programs; i++) {
        program_seed = from + i;
        program_text = make_program(program_seed);
        if (count > 3)
            fprintf(stderr, "--- seed %" PRIu64 "\n%s", program_seed, program_text);
        try_program();
        vf_arena_reset(test_arena);
    }
    printf("%u programs from seed %" PRIu64
           ": %u refused when loaded, %u fine, %u failed, %u met the instructions' limit, "
           "%u the memory's; %u upcasts were fine, and of %u moves %u left something shared\n",
           programs, from, seen.refused, seen.fine, seen.failed, seen.limited, seen.full, seen.upcast, seen.moves,
           seen.shared);
    lua_test_teardown(NULL);
    return programs >= 500 &&
           (seen.upcast < programs / 10 || seen.moves - seen.shared < programs / 10 || seen.shared < programs / 50 ||
            seen.fine < programs / 10 || seen.failed < programs / 20 || seen.limited == 0 || seen.full == 0);
}
