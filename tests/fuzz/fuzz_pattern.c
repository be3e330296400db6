/*
 * Lua's patterns: a handler that tries a pattern on a text in all ways gets what the language's own library gives. Where the
 * handler's few instructions do not suffice, it is stopped, and the library is not asked: it would take as long.
 *
 * An input is a pattern and, behind a separator, a text.
 */
#include "fuzz/fuzz.h"

#include "core/body.h"
#include "lua/lua_projector.h"
#include "lua/pattern_model.h"

#define LUA              (&vf_lua_projector_type)
#define INSTRUCTIONS_MAX 100000

static const char script[] =
    "return { name = 'v', topics = {'t'}, key = { order = own }, on = { Happened = function(doc, e)\n"
    "local s, p = e.headers.s, e.headers.p\n"
    "local ok, text = pcall(function()\n" PATTERN_CODE "return " PATTERN_ANSWER " end)\n"
    "doc.r = ok and text or nil\n"
    "doc.e = not ok and tostring(text) or nil\n"
    "end } }\n";

static enum vf_code read_script(void *self, const char *name, struct vf_bytes *ret_text, struct vf_error *error)
{
    (void)self;
    *ret_text = vf_bytes(script, sizeof script - 1);
    return strcmp(name, "view.lua") == 0 ? VF_OK : vf_fail(error, VF_E_NOT_FOUND, "there is no %s", name);
}

static struct vf_projector *projector;
static lua_State *language;

static void open_both(void)
{
    struct vf_script_reader reader = {.read = read_script};
    struct vf_projector_limits limits = {.memory_bytes_max = 8 << 20,
                                         .instructions_max = INSTRUCTIONS_MAX,
                                         .handler_ms_max = 600000,
                                         .document_bytes_max = 1 << 20};
    struct vf_error error = {0};
    enum vf_code code = LUA->open("view.lua", &reader, &limits, NULL, NULL, &projector, &error);
    FUZZ_WANT(code == VF_OK, "%s", error.text);
    language = pattern_language_open();
}

/* What the handler has made of it. False: it was stopped at a limit. */
static bool ask(struct vf_bytes text, struct vf_bytes pattern, struct vf_arena *arena, const char **ret_answer,
                const char **ret_refusal)
{
    const struct vf_header headers[] = {{VF_LITERAL("s"), text, false}, {VF_LITERAL("p"), pattern, false}};
    struct vf_record record = {
        .topic = "t", .timestamp_ms = 1, .value = VF_LITERAL("{}"), .headers = headers, .header_count = 2};
    struct vf_event event = {.record = &record,
                             .kind = VF_LITERAL("order"),
                             .id = VF_LITERAL("1"),
                             .aggregate = VF_LITERAL("order/1"),
                             .type = VF_LITERAL("Happened"),
                             .version = 1,
                             .schema = 1};
    struct vf_error error = {0};
    struct vf_bytes bson;
    enum vf_handled handled;
    bool aliased;
    bson_t view;
    bson_iter_t iter;
    vf_warm document = 0;
    enum vf_code code = LUA->warm(projector, vf_bytes(NULL, 0), &document, &error);
    if (code == VF_OK)
        code = LUA->handle(projector, &event, VF_LITERAL("d"), document, 0, &handled, &error);
    bool limited = code == VF_E_LIMIT || code == VF_E_MEMORY;
    if (!limited) {
        FUZZ_WANT(code == VF_OK, "%s", error.text);
        code = LUA->body(projector, document, arena, &bson, &aliased, &error);
        FUZZ_WANT(code == VF_OK && bson_init_static(&view, (const uint8_t *)bson.data, bson.size), "%s", error.text);
        if (bson_iter_init_find(&iter, &view, "r"))
            *ret_answer = bson_iter_utf8(&iter, NULL);
        else if (bson_iter_init_find(&iter, &view, "e"))
            *ret_refusal = bson_iter_utf8(&iter, NULL);
        FUZZ_WANT(*ret_answer || *ret_refusal, "neither an answer nor an error");
    }
    LUA->cool(projector, document);
    return !limited;
}

/* The language's own matcher tries everything, and nothing stops it: whether it comes to an end. */
static bool is_comparable(struct vf_bytes text, struct vf_bytes pattern)
{
    double tries = 1;
    for (size_t i = 0; i < pattern.size; i++)
        if (memchr("*+-?", pattern.data[i], 4))
            tries *= (double)text.size + 2;
    return tries < 1e8;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!projector)
        open_both();
    struct vf_arena *arena = vf_arena_new();
    struct vf_bytes input = vf_bytes(data, size);
    struct vf_bytes pattern = fuzz_part(&input, arena), text = fuzz_part(&input, arena);
    const char *answer = NULL, *refusal = NULL;
    bool is_tried = pattern.size > 0 && pattern.size <= 60 && text.size <= 200;
    if (is_tried && ask(text, pattern, arena, &answer, &refusal) && is_comparable(text, pattern)) {
        const char *wanted = pattern_language_answer(language, text, pattern);
        const char *failed = wanted ? "" : lua_tostring(language, -1);
        /* How deep a match may go is each one's own. */
        bool too_deep = (refusal && strstr(refusal, "too complex")) || strstr(failed, "too complex");
        if (!too_deep && answer)
            FUZZ_WANT(wanted && strcmp(answer, wanted) == 0, "wanted %s (%s)\n  got    %s", wanted, failed, answer);
        if (!too_deep && refusal && wanted)
            FUZZ_WANT(!pattern_is_one(pattern), "refused: %s\n  wanted %s", refusal, wanted);
    }
    lua_settop(language, 1);
    vf_arena_free(arena);
    return 0;
}
