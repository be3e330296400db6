/*
 * An event's data on its way: JSON, a handler's tables, BSON, Redis' fields and MongoDB's document, and back. Wherever it comes out
 * it is what went in, in canonical form, which is told by another way that shares nothing with Lua; where it does not come out, the
 * rules for documents say why not.
 *
 * An input is the data's JSON. A string that begins with '@' stands for something that no JSON is ("@nan", "@cycle", ...): then a
 * document may be refused, but what is accepted has to come back as it went.
 */
#include "fuzz/fuzz_redis.h"

#include "connectors/mongodb/mongodb_internal.h"
#include "connectors/redis/redis_store.h"
#include "core/body.h"
#include "core/index.h"
#include "fuzz/fuzz.h"
#include "lua/lua_projector.h"

#define LUA            (&vf_lua_projector_type)
#define DEPTH_MAX      100 /* of a document, itself included: docs/projections.md */
#define DOCUMENT_BYTES 100000

static const char script[] =
    "local shared, list = { k = 1 }, array { 1, { 2 } }\n"
    "local makes = {\n"
    "  ['@nan'] = function() return 0 / 0 end, ['@inf'] = function() return 1 / 0 end,\n"
    "  ['@float'] = function() return 1.0 end, ['@least'] = function() return math.mininteger end,\n"
    "  ['@function'] = function() return next end, ['@own'] = function() return own end,\n"
    "  ['@event'] = function(t, e) return e end, ['@cycle'] = function(t) return t end,\n"
    "  ['@date'] = function() return date('2026-03-01T10:00:00.5Z') end, ['@math'] = function() return math end,\n"
    "  ['@shared'] = function() return shared end, ['@list'] = function() return list end,\n"
    "  ['@initial'] = function(t, e, doc) return doc.initial end, ['@nil'] = function() return nil end,\n"
    "  ['@integers'] = function() return { [1] = 2, [3] = 4 } end, ['@boolean'] = function() return { [true] = 1 } end,\n"
    "  ['@table'] = function() return { [{}] = 1 } end, ['@hole'] = function() return array { 1, nil, 3 } end,\n"
    "  ['@zero'] = function() local a = array { 1 } a[0] = 1 return a end,\n"
    "  ['@field'] = function() local a = array { 1 } a.x = 1 return a end,\n"
    "  ['@backward'] = function() local a = array {} for i = 40, 1, -1 do a[i] = i end return a end,\n"
    "  ['@bytes'] = function() return '\\xff' end, ['@key'] = function() return { ['\\xff'] = 1 } end,\n"
    "  ['@nul'] = function() return { ['a\\0b'] = 1 } end, ['@empty'] = function() return array {} end,\n"
    "  ['@long'] = function() return ('x'):rep(3000) end, ['@huge'] = function() return ('x'):rep(200000) end,\n"
    "  ['@both'] = function() local a = { 1 } return array { a, a } end, ['@other'] = function(t, e, doc, from) return from end,\n"
    "  ['@theirs'] = function(t, e, doc, from) return from and from.initial end,\n"
    "  ['@many'] = function() local t = {} for i = 1, 250 do t['k' .. i] = { i } end return t end,\n"
    "  ['@compare'] = function() local a, b = date('2026-03-01T10:00:00Z'), date('2027-03-01T10:00:00Z')\n"
    "    return array { a < b, a <= b, a == b, a < '2027-03-01T10:00:00Z', b ~= a } end,\n"
    "  ['@later'] = function() return date('2026-03-01T10:00:00Z') < 'later' end,\n"
    "  ['@one'] = function() return date('2026-03-01T10:00:00Z') < 1 end,\n"
    "  ['@joined'] = function() local d = date('2026-03-01T10:00:00Z') return tostring(d) .. 'x' .. tostring(d) .. 1 end,\n"
    "  ['@wrongly'] = function() return date('2026-03-01T10:00:00Z') .. 'x' end,\n"
    "  ['@index'] = function() return date('2026-03-01T10:00:00Z').year end,\n"
    "  ['@texts'] = function(t, e) return tostring(null) .. tostring(own) .. tostring(delete) .. tostring(e) .. tostring(t)\n"
    "    .. tostring(date('2026-03-01T10:00:00Z')) .. tostring(print) .. tostring(1.5) end,\n"
    "  ['@link'] = function() return through 'a' end, ['@delete'] = function() return delete end,\n"
    "}\n"
    "local function put(t, e, doc, from)\n"
    "  for k, v in pairs(t) do\n"
    "    local make = type(v) == 'string' and makes[v]\n"
    "    if make then t[k] = make(t, e, doc, from) elseif type(v) == 'table' then put(v, e, doc, from) end\n"
    "  end\n"
    "end\n"
    "return { name = 'v', topics = { 't' }, key = { order = own }, initial = { initial = { list = array { 1 } } },\n"
    "  on = {\n"
    "    Happened = function(doc, e, from)\n"
    "      local data = e.data\n"
    "      if e.headers.object then\n"
    "        if e.headers.special then put(data, e, doc, from) end\n"
    "        doc.initial = nil\n"
    "        for k, v in pairs(data) do doc[k] = v end\n"
    "      else\n"
    "        doc.initial = nil\n"
    "        doc.d = data\n"
    "      end\n"
    "    end,\n"
    "  },\n"
    "  upcast = { Old = function(e) local was = e.data\n"
    "    if e.headers.special then put(was, e, {}, {}) end\n"
    "    e.data = { w = was } end },\n"
    "}\n";

static struct vf_projector *projector;
static struct vf_json_parser *parser;

static enum vf_code read_script(void *self, const char *name, struct vf_bytes *ret_text, struct vf_error *error)
{
    (void)self;
    *ret_text = vf_bytes(script, sizeof script - 1);
    return strcmp(name, "view.lua") == 0 ? VF_OK : vf_fail(error, VF_E_NOT_FOUND, "there is no %s", name);
}

static void open_all(void)
{
    struct vf_script_reader reader = {.read = read_script};
    struct vf_projector_limits limits = {.memory_bytes_max = 8 << 20,
                                         .instructions_max = 1000000,
                                         .handler_ms_max = 600000,
                                         .document_bytes_max = DOCUMENT_BYTES};
    struct vf_error error = {0};
    enum vf_code code = LUA->open("view.lua", &reader, &limits, NULL, NULL, &projector, &error);
    FUZZ_WANT(code == VF_OK, "%s", error.text);
    parser = vf_json_parser_new();
}

/* --- the data by itself ------------------------------------------------------------------------------------------------ */

/* What the JSON is, as far as the rules for documents ask. */
struct looks {
    int depth; /* of tables in it, itself included */
    bool has_big;
    bool has_nul; /* in a key */
    bool is_object;
    bool has_engines_name; /* of an object: a member whose name is viewfold's */
};

static void look(struct vf_json json, int depth, struct looks *looks)
{
    enum vf_json_type type = vf_json_type(json);
    looks->has_big |= type == VF_JSON_BIG;
    if (type != VF_JSON_ARRAY && type != VF_JSON_OBJECT)
        return;
    looks->depth = depth > looks->depth ? depth : looks->depth;
    struct vf_json_iterator members = vf_json_iterate(json);
    struct vf_bytes key = {0};
    for (struct vf_json member; vf_json_next(&members, &key, &member); look(member, depth + 1, looks)) {
        if (type == VF_JSON_ARRAY)
            continue;
        looks->has_nul |= key.size > 0 && memchr(key.data, '\0', key.size);
        looks->has_engines_name |= depth == 1 && (vf_bytes_is(key, "id") || (key.size > 0 && key.data[0] == '_'));
    }
}

/* The JSON's canonical form, without Lua. */
static void print_plainly(struct vf_json json, struct vf_buffer *out)
{
    struct vf_error error = {0};
    bson_t bson;
    bson_iter_t iter;
    bson_init(&bson);
    FUZZ_WANT(vf_body_append_json(&bson, VF_LITERAL("v"), json, &error) == VF_OK, "%s", error.text);
    FUZZ_WANT(bson_iter_init_find(&iter, &bson, "v"), "the value is not there");
    FUZZ_WANT(vf_body_print_value(out, &iter, &error) == VF_OK, "%s", error.text);
    bson_destroy(&bson);
}

/* Canonical JSON is JSON, whose canonical form it is. */
static void want_canonical(const struct vf_buffer *text)
{
    struct vf_error error = {0};
    struct vf_json root;
    struct vf_buffer again;
    vf_buffer_init(&again);
    FUZZ_WANT(vf_json_parse(parser, fuzz_bytes(text), &root, &error) == VF_OK, "%s: %s", error.text, text->data);
    print_plainly(root, &again);
    FUZZ_WANT(vf_bytes_equal(fuzz_bytes(text), fuzz_bytes(&again)), "%s\nand %s", text->data, again.data);
    vf_buffer_done(&again);
}

/* --- a document in the stores -------------------------------------------------------------------------------------------- */

static struct vf_document draft(struct vf_bytes body)
{
    static const struct vf_version versions[] = {{.aggregate = {"order/42", 8}, .version = 7}};
    return (struct vf_document){.id = VF_LITERAL("doc 1"),
                                .presence = VF_PRESENT,
                                .stamp = 0xab,
                                .revision = 12,
                                .versions = versions,
                                .version_count = 1,
                                .body = body,
                                .has_expires = true,
                                .expires_ms = -5};
}

static void want_document(const char *where, const struct vf_document *document, struct vf_bytes canonical)
{
    struct vf_error error = {0};
    struct vf_buffer text;
    vf_buffer_init(&text);
    FUZZ_WANT(document->presence == VF_PRESENT && document->revision == 12 && document->version_count == 1 &&
                  document->has_expires && document->expires_ms == -5 && document->stamp == 0xab,
              "%s: the head is another one", where);
    FUZZ_WANT(vf_body_print(&text, document->body, &error) == VF_OK, "%s: %s", where, error.text);
    FUZZ_WANT(vf_bytes_equal(fuzz_bytes(&text), canonical), "%s: %s\nis %.*s", where, text.data, FUZZ_TEXT(canonical));
    vf_buffer_done(&text);
}

static void through_redis(struct vf_bytes body, struct vf_bytes canonical, struct vf_arena *arena)
{
    struct vf_document document = draft(body), loaded;
    struct vf_error error = {0};
    enum vf_code code = fuzz_redis_write(&document, &error);
    FUZZ_WANT(code == VF_OK, "Redis: %s", error.text);
    code = vf_redis_store_type.load(fuzz_redis_store(), (struct vf_view){"v", 1}, &document.id, 1, NULL, 0, arena,
                                    &loaded, NULL, &error);
    FUZZ_WANT(code == VF_OK, "Redis: %s", error.text);
    want_document("Redis", &loaded, canonical);
}

static void through_mongodb(struct vf_bytes body, struct vf_bytes canonical, struct vf_arena *arena)
{
    struct vf_document document = draft(body), loaded;
    struct vf_error error = {0};
    bson_t bson;
    bson_init(&bson);
    vf_mongodb_append_document(&bson, &document, document.stamp);
    enum vf_code code = vf_mongodb_read_document(&bson, arena, &loaded, &error);
    FUZZ_WANT(code == VF_OK, "MongoDB: %s", error.text);
    want_document("MongoDB", &loaded, canonical);
    FUZZ_WANT(vf_bytes_equal(loaded.body, body), "MongoDB: not byte for byte");
    bson_destroy(&bson);
}

/* An index takes the document in, or says why not. */
static void into_indexes(struct vf_bytes body, struct vf_arena *arena)
{
    static const struct vf_index indexes[] = {{.name = "a", .sort = "a", .by = "b", .where = "c"},
                                              {.name = "d", .sort = "d"}};
    struct vf_index_entry *entries, *again;
    struct vf_error error = {0};
    enum vf_code code = vf_index_entries(indexes, 2, body, arena, &entries, &error);
    FUZZ_WANT(code == VF_OK || (code == VF_E_SCRIPT && error.text[0]), "%d", (int)code);
    if (code == VF_OK && vf_index_entries(indexes, 2, body, arena, &again, &error) == VF_OK)
        FUZZ_WANT(vf_index_entry_equal(&entries[0], &again[0]) && vf_index_entry_equal(&entries[1], &again[1]),
                  "an entry is not itself");
}

/* A body that a handler has left: warm again it is the same, and in every store. */
static void want_kept(struct vf_bytes body, struct vf_arena *arena)
{
    struct vf_error error = {0};
    struct vf_buffer canonical;
    struct vf_bytes again;
    vf_warm document = 0;
    bool aliased;
    vf_buffer_init(&canonical);
    FUZZ_WANT(vf_body_print(&canonical, body, &error) == VF_OK, "%s", error.text);
    want_canonical(&canonical);
    enum vf_code code = LUA->warm(projector, body, &document, &error);
    if (code == VF_OK)
        code = LUA->body(projector, document, arena, &again, &aliased, &error);
    FUZZ_WANT(code == VF_OK || code == VF_E_MEMORY, "%s", error.text);
    FUZZ_WANT(code || (vf_bytes_equal(body, again) && !aliased), "a body does not come back as it went: %s",
              canonical.data);
    LUA->cool(projector, document);
    through_redis(body, fuzz_bytes(&canonical), arena);
    through_mongodb(body, fuzz_bytes(&canonical), arena);
    into_indexes(body, arena);
    vf_buffer_done(&canonical);
}

/* --- through Lua ------------------------------------------------------------------------------------------------------- */

static bool is_limit(enum vf_code code)
{
    return code == VF_E_LIMIT || code == VF_E_MEMORY;
}

/* The event's data becomes a document's, and must be what it was. */
static void handle(struct vf_event *event, const struct looks *looks, bool special, struct vf_bytes plain,
                   struct vf_arena *arena)
{
    struct vf_error error = {0};
    struct vf_bytes body;
    struct vf_buffer text;
    enum vf_handled handled;
    vf_warm document = 0, from = 0;
    bool aliased;
    bool fits = !looks->has_big && !looks->has_nul && looks->depth + (looks->is_object ? 0 : 1) <= DEPTH_MAX &&
                !(looks->is_object && looks->has_engines_name);
    vf_buffer_init(&text);
    enum vf_code code = LUA->warm(projector, vf_bytes(NULL, 0), &document, &error);
    if (code == VF_OK && special)
        code = LUA->warm(projector, vf_bytes(NULL, 0), &from, &error);
    if (code == VF_OK)
        code = LUA->handle(projector, event, VF_LITERAL("d"), document, from, &handled, &error);
    if (code == VF_OK)
        code = LUA->body(projector, document, arena, &body, &aliased, &error);
    FUZZ_WANT(code == VF_OK || code == VF_E_SCRIPT || is_limit(code), "%d %s", (int)code, error.text);
    FUZZ_WANT(code == VF_OK || error.text[0], "no reason is given");
    FUZZ_WANT(is_limit(code) || special || (code == VF_OK) == fits, "%s: %.*s", code ? error.text : "taken",
              FUZZ_TEXT(plain));
    if (code == VF_OK && !special) {
        FUZZ_WANT(!aliased, "something is shared");
        FUZZ_WANT(vf_body_print(&text, body, &error) == VF_OK, "%s", error.text);
        struct vf_bytes got = fuzz_bytes(&text);
        if (!looks->is_object) /* {"d":...} */
            got = vf_bytes(text.data + 5, text.size - 6);
        FUZZ_WANT(vf_bytes_equal(got, plain), "Lua: %.*s\nis %.*s", FUZZ_TEXT(got), FUZZ_TEXT(plain));
    }
    if (code == VF_OK)
        want_kept(body, arena);
    if (code == VF_OK && from && LUA->body(projector, from, arena, &body, &aliased, &error) == VF_OK)
        want_kept(body, arena);
    LUA->cool(projector, document);
    LUA->cool(projector, from);
    vf_buffer_done(&text);
}

/* The event's data becomes another event's, as JSON. */
static void upcast(struct vf_event *event, const struct looks *looks, bool special, struct vf_bytes plain,
                   struct vf_arena *arena)
{
    struct vf_error error = {0};
    struct vf_json root, was;
    struct vf_buffer text;
    vf_buffer_init(&text);
    enum vf_code code = LUA->upcast(projector, event, arena, &error);
    bool fits = !looks->has_big && looks->depth < VF_JSON_DEPTH_MAX;
    FUZZ_WANT(code == VF_OK || code == VF_E_SCRIPT || is_limit(code), "%d %s", (int)code, error.text);
    FUZZ_WANT(is_limit(code) || special || (code == VF_OK) == fits, "upcast: %s", code ? error.text : "taken");
    if (code == VF_OK) {
        code = vf_json_parse(parser, event->data_text, &root, &error);
        FUZZ_WANT(code == VF_OK, "upcast: %s: %.*s", error.text, FUZZ_TEXT(event->data_text));
        if (vf_json_at(root, "/w", &was) && !special && !looks->has_nul) {
            print_plainly(was, &text);
            FUZZ_WANT(vf_bytes_equal(fuzz_bytes(&text), plain), "upcast: %s\nis %.*s", text.data, FUZZ_TEXT(plain));
        }
    }
    vf_buffer_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!projector)
        open_all();
    struct vf_arena *arena = vf_arena_new();
    struct vf_bytes input = vf_arena_bytes(arena, data, size);
    struct vf_error error = {0};
    struct vf_json root;
    struct vf_buffer plain;
    struct looks looks = {0};
    vf_buffer_init(&plain);
    enum vf_code code = vf_json_parse(parser, input, &root, &error);
    FUZZ_WANT(code == VF_OK || (code == VF_E_DATA && error.text[0]), "%d", (int)code);
    if (code == VF_OK) {
        look(root, 1, &looks);
        looks.is_object = vf_json_type(root) == VF_JSON_OBJECT;
        bool special = looks.is_object && memchr(input.data, '@', input.size);
        if (!looks.has_big && !looks.has_nul) {
            print_plainly(root, &plain);
            want_canonical(&plain);
        }
        struct vf_header headers[2];
        struct vf_record record = {.topic = "t", .timestamp_ms = 1, .value = input, .headers = headers};
        if (looks.is_object)
            headers[record.header_count++] = (struct vf_header){.name = VF_LITERAL("object"), .value = VF_LITERAL("1")};
        if (special)
            headers[record.header_count++] =
                (struct vf_header){.name = VF_LITERAL("special"), .value = VF_LITERAL("1")};
        struct vf_event event = {.record = &record,
                                 .kind = VF_LITERAL("order"),
                                 .id = VF_LITERAL("42"),
                                 .aggregate = VF_LITERAL("order/42"),
                                 .type = VF_LITERAL("Happened"),
                                 .version = 7,
                                 .schema = 1,
                                 .data_pointer = ""};
        handle(&event, &looks, special, fuzz_bytes(&plain), arena);
        event.type = VF_LITERAL("Old");
        upcast(&event, &looks, special, fuzz_bytes(&plain), arena);
    }
    vf_buffer_done(&plain);
    vf_arena_free(arena);
    return 0;
}
