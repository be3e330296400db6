/*
 * Scripts that are wrong or hostile, one by one. Each ends with the right code, and the next event works on the same
 * projector (assert_fails looks). None may run for long: the suite's own time limit would tell.
 */
#include "lua/lua_test.h"

#include <stdlib.h>

static void endless_loops_end(void **state)
{
    (void)state;
    assert_fails("while true do end", VF_E_LIMIT,
                 "view.lua:3: the call took more than 10000000 instructions (limits.lua_");
    test_limits.instructions_max = 1000000;
    assert_fails("local function f() return f() end f()", VF_E_LIMIT, "instructions");
    assert_fails("repeat local x = ('x'):upper() until false", VF_E_LIMIT, "instructions");
    assert_fails("for i = 1, math.huge do end", VF_E_LIMIT, "instructions");
    assert_fails("local t = {} while true do t[1] = (t[1] or 0) + 1 end", VF_E_LIMIT, "instructions");
    assert_fails("goto a ::a:: goto b ::b:: ::c:: goto c", VF_E_LIMIT, "instructions");
}

static void no_script_catches_a_limit(void **state)
{
    (void)state;
    test_limits.instructions_max = 1000000;
    assert_fails("pcall(function() while true do end end) doc.x = 1", VF_E_LIMIT, "instructions");
    assert_fails("while true do pcall(function() while true do end end) end", VF_E_LIMIT, "instructions");
    assert_fails("local function f() pcall(f) while true do end end f()", VF_E_LIMIT, "instructions");
    assert_fails("pcall(pcall, pcall, pcall, function() while true do end end)", VF_E_LIMIT, "instructions");
    assert_fails("xpcall(function() while true do end end, function() return 1 end) doc.x = 1", VF_E_LIMIT,
                 "instructions");
    /* The handler of an error that the hook raised would run with hooks off. */
    assert_fails("xpcall(function() while true do end end, function() while true do end end)", VF_E_LIMIT,
                 "instructions");
    assert_fails("xpcall(error, function() while true do end end)", VF_E_LIMIT, "instructions");
    assert_fails("local function h() xpcall(error, h) while true do end end xpcall(error, h)", VF_E_LIMIT,
                 "instructions");
    assert_fails("while true do xpcall(error, error) end", VF_E_LIMIT, "instructions");
    assert_fails("table.sort({ 3, 2, 1 }, function() pcall(function() while true do end end) return true end)",
                 VF_E_LIMIT, "instructions");
    assert_fails("('x'):gsub('x', function() pcall(function() while true do end end) end)", VF_E_LIMIT, "instructions");
    assert_fails("for i = 1, 10 do pcall(('a'):rep(400).find, ('a'):rep(400), ('.-'):rep(20) .. 'b') end", VF_E_LIMIT,
                 "instructions");
}

static void recursion_ends(void **state)
{
    (void)state;
    test_limits.memory_bytes_max = 256u << 20; /* Lua's own limit takes some 70 MB */
    assert_fails("local function f() return 1 + f() end f()", VF_E_SCRIPT, "stack overflow");
    assert_fails("local function f(...) return f(1, ...) + 1 end f()", VF_E_SCRIPT, "stack overflow");
    assert_fails("local function f() return ('x'):gsub('x', f) end f()", VF_E_SCRIPT, "C stack overflow");
    assert_fails("local function f() pcall(f) end while true do f() end", VF_E_LIMIT, "instructions");
    assert_fails("local function f() xpcall(f, f) end f() while true do end", VF_E_LIMIT, "instructions");
    assert_fails("local t = {} for i = 1, 300 do t = { t } end doc.x = ('x'):rep(10) .. #t error(t)", VF_E_SCRIPT,
                 "is no text but a table");
}

static void pattern_bombs_end(void **state)
{
    (void)state;
    assert_fails("local x = ('a'):rep(400):find('.-.-.-.-.-b')", VF_E_LIMIT, "view.lua:3: the call took more than");
    assert_fails("local x = ('a'):rep(3000):match(('a*'):rep(20) .. 'b')", VF_E_LIMIT, "instructions");
    assert_fails("for x in ('a'):rep(400):gmatch(('.-'):rep(9) .. 'b') do end", VF_E_LIMIT, "instructions");
    assert_fails("local x = ('a'):rep(400):gsub(('a?'):rep(30) .. ('a-'):rep(5) .. 'b', '')", VF_E_LIMIT,
                 "instructions");
    assert_fails("local x = ('('):rep(100000):find('%b()')", VF_E_LIMIT, "instructions");
    assert_fails("local s = ('a'):rep(1000000) while true do s:find('b', 1, true) end", VF_E_LIMIT, "instructions");
    assert_fails("local s = ('a'):rep(1000000) while true do s:find('[b]') end", VF_E_LIMIT, "instructions");
    assert_fails("local x = ('a'):find(('a?'):rep(100000))", VF_E_SCRIPT, "pattern too complex");
    assert_fails("local x = ('a'):find(('('):rep(40))", VF_E_SCRIPT, "too many captures");
    assert_fails("local x = ('a'):find(('a'):rep(20000000))", VF_E_LIMIT, "instructions");
    assert_fails("local x = ('x'):rep(1000):gsub('', ('y'):rep(100000))", VF_E_MEMORY, "memory is full");
    assert_becomes("doc.x = ('a'):rep(400):find('.-b') == nil", "{}", "{\"x\":true}");
}

static void loops_in_c_end(void **state)
{
    (void)state;
    test_limits.instructions_max = 2000000;
    assert_fails("local x = (''):rep(1e18 // 1 | 0, 'x')", VF_E_LIMIT, "instructions");
    assert_becomes("doc.x = (''):rep(math.maxinteger)", "{}", "{\"x\":\"\"}");
    assert_fails("local x = ('x'):rep(1000000000)", VF_E_LIMIT, "instructions");
    assert_fails("local x = ('xxxxxxxxxx'):rep(math.maxinteger)", VF_E_SCRIPT, "resulting string too large");
    assert_fails("local x = ('x'):rep(1000):rep(80000)", VF_E_MEMORY, "memory is full");
    assert_fails("local s = ('x'):rep(1000000) while true do s = s:upper() end", VF_E_LIMIT, "instructions");
    assert_fails("local s = ('x'):rep(1000000) while true do local a = s .. 'y' end", VF_E_LIMIT, "instructions");
    assert_fails("local s = ('x'):rep(1000000) while true do local a = s:sub(2) end", VF_E_LIMIT, "instructions");
    assert_fails("local s = ('x'):rep(1000000) while true do local a = utf8.len(s) end", VF_E_LIMIT, "instructions");
    assert_fails("local s = ('1'):rep(1000000) while true do local a = tonumber(s) end", VF_E_LIMIT, "instructions");
    assert_fails("local s = ('x'):rep(1000000) while true do local a = ('%s'):format(s) end", VF_E_LIMIT,
                 "instructions");
    assert_fails("local f = ('%99.99f'):rep(1000) local t = {} for i = 1, 1000 do t[i] = 1e308 end while true do "
                 "f:format(table.unpack(t)) end",
                 VF_E_LIMIT, "instructions");
    assert_fails("table.concat({}, 'x', 1, math.maxinteger)", VF_E_SCRIPT, "invalid value");
    assert_fails("local t = {} for i = 1, 1000 do t[i] = 'x' end while true do table.concat(t) end", VF_E_LIMIT,
                 "instructions");
    assert_fails(
        "local t = {} for i = 1, 10000 do t[i] = 1 end while true do table.insert(t, 1, 1) table.remove(t, 1) end",
        VF_E_LIMIT, "instructions");
    assert_fails("table.move({}, 1, math.maxinteger - 1, 2)", VF_E_LIMIT, "instructions");
    assert_fails("local t = {} table.move(t, 1, 1e9 // 1 | 0, 5)", VF_E_LIMIT, "instructions");
    assert_fails("local t = {} for i = 1, 10000 do t[i] = i end while true do table.unpack(t) end", VF_E_LIMIT,
                 "instructions");
    assert_fails("local t = {} for i = 1, 10000 do t[i] = -i end while true do table.sort(t) end", VF_E_LIMIT,
                 "instructions");
    assert_fails("table.sort({ 1, 2, 3 }, function() while true do end end)", VF_E_LIMIT, "instructions");
    assert_becomes("local t = { 3, 1, 2 } table.sort(t, function() return true end) doc.n = #t", "{}", "{\"n\":3}");
    assert_becomes(
        "local t = { 3, 1, 2 } table.sort(t, function(a, b) t[1] = nil t[7] = 1 return a < b end) doc.n = t[2]", "{}",
        "{\"n\":2}");
    assert_fails("local t = {} for i = 1, 1000 do t['k' .. i] = i end while true do for k in pairs(t) do break end end",
                 VF_E_LIMIT, "instructions");
    assert_fails("local t = {} for i = 1, 1000 do t['k' .. i] = i end while true do next(t) end", VF_E_LIMIT,
                 "instructions");
    assert_fails("while true do select('#', table.unpack({}, 1, 100000)) end", VF_E_LIMIT, "instructions");
    assert_fails("while true do log('x') end", VF_E_LIMIT, "instructions");
    assert_fails("local t = {} for i = 1, 100000 do t[i] = i end while true do array(t) end", VF_E_LIMIT,
                 "instructions");
}

/* A call with a text of 160,000 bytes costs 10,000 instructions at least, so a hundred calls meet the limit. If one of
 * these did not pay, its hundred calls would be a thousand instructions, and end well. */
static void what_reads_a_text_pays_for_its_length(void **state)
{
    (void)state;
    static const char *const calls[] = {
        "s:byte(1, 2)",
        "s:lower()",
        "s:upper()",
        "s:reverse()",
        "s:sub(2)",
        "s:rep(1)",
        "s:rep(2, s)",
        "s:find('b')",
        "s:find('b', 1, true)",
        "s:find('[b]')",
        "s:match('b')",
        "s:match('a*')",
        "s:gmatch('b')()",
        "s:gsub('b', '')",
        "('x'):gsub('x', s)",
        "('x'):gsub('x', function() return s end)",
        "('x'):gsub('x', { x = s })",
        "('x'):find(s)",
        "('x'):match(s)",
        "('x'):gmatch(s)",
        "('%s'):format(s)",
        "('%q'):format(s)",
        "('%.1s'):format(s)",
        "s:format()",
        "utf8.len(s)",
        "utf8.codepoint(s, 1)",
        "utf8.offset(s, 100000)",
        "tonumber(s)",
        "tonumber(s, 36)",
        "table.concat({ s, 'x' })",
        "table.concat({ 'x', 'x' }, s)",
        "table.sort({ s, s })",
        "next({ [s] = 1 })",
        "pairs({ [s] = 1 })",
        "log(s, s)",
        "error(s)",
    };
    test_limits.instructions_max = 900000;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        const char *body = vf_arena_printf(test_arena,
                                           "local s = ('a'):rep(160000) for i = 1, 100 do "
                                           "pcall(function() local x = %s end) end",
                                           calls[i])
                               .data;
        assert_fails(body, VF_E_LIMIT, "instructions");
    }
    /* Joining them, too. */
    assert_fails("local s = ('a'):rep(160000) for i = 1, 100 do local x = s .. i end", VF_E_LIMIT, "instructions");
    assert_fails("local s = ('a'):rep(160000) for i = 1, 100 do local x = { [s .. i] = 1 } end", VF_E_LIMIT,
                 "instructions");
}

static void slow_instructions_meet_the_clock(void **state)
{
    (void)state;
    /* Comparing long strings is one instruction each. Real time is what the limit is about; it is long enough for a busy
     * machine to open the script within it. */
    test_limits.handler_ms_max = 300;
    test_limits.instructions_max = 1000000000;
    assert_fails(
        "local a = ('x'):rep(10000000) local b = a .. '' .. ('y'):rep(1) a = a .. 'x' while true do local c = a < b end",
        VF_E_LIMIT, "limits.handler");
    assert_fails("while true do pcall(function() while true do end end) end", VF_E_LIMIT, "limits.handler");
}

/* Each of these asks a function in C often, which asks a function in C: no instruction of Lua is counted in between. */
static void loops_in_c_that_call_c_end(void **state)
{
    (void)state;
    test_limits.memory_bytes_max = 128u << 20;
    test_limits.instructions_max = 2000000;
    /* 100,000 references to a few long strings: comparing two of them is a millisecond, sorting them half an hour. */
    assert_fails("local s, t = ('x'):rep(10000000), {} for i = 1, 4 do t[i] = s .. i end "
                 "for i = 5, 100000 do t[i] = t[i % 4 + 1] end table.sort(t)",
                 VF_E_LIMIT, "limit");
    assert_fails(
        "local s, t = ('0'):rep(10000000) .. '1', {} for i = 1, 100000 do t[i] = s end table.sort(t, math.ult)",
        VF_E_LIMIT, "limit");
    assert_fails("local s, t = ('x'):rep(10000000), {} for i = 1, 20000 do t[i] = s end "
                 "local x = ('%.1s'):rep(20000):format(table.unpack(t))",
                 VF_E_LIMIT, "limit");
    assert_fails("local t = {} for i = 1, 60 do t[('x'):rep(1000000) .. i] = i end while true do next(t) end",
                 VF_E_LIMIT, "limit");
    assert_fails("local t = {} for i = 1, 60 do t[('x'):rep(1000000) .. i] = i end while true do pairs(t) end",
                 VF_E_LIMIT, "limit");
    assert_fails("local t = {} for i = 1, 100000 do t[i] = ('x'):rep(900) end "
                 "for i = 1, 20 do table.sort(t, string.find) end",
                 VF_E_LIMIT, "limit");
    assert_fails("local t = {} for i = 1, 3000 do t[i] = pairs end for i = 1, 1e9 do table.sort(t, pcall) end",
                 VF_E_LIMIT, "limit");
    assert_fails("local s = ('ab'):rep(100000) for i = 1, 1e9 do s:gsub('.', string.upper) end", VF_E_LIMIT, "limit");
    assert_fails("local s = ('ab'):rep(2000) while true do s:gsub('()', ('%1'):rep(2000)) end", VF_E_LIMIT, "limit");
}

/* The clock is looked at in C's loops too, and oftener where something large is around. */
static void loops_in_c_meet_the_clock(void **state)
{
    (void)state;
    test_limits.handler_ms_max = 300; /* as above */
    test_limits.instructions_max = 1000000000000;
    test_limits.memory_bytes_max = 256u << 20;
    /* A table of a million slots that are empty costs time to go through, and none of it is counted. */
    assert_fails("local h = {} for i = 1, 1 << 20 do h[i] = 1 end for i = 1, 1 << 20 do h[i] = nil end "
                 "local t = {} for i = 1, 1 << 16 do t[i] = h end table.sort(t, pairs)",
                 VF_E_LIMIT, "limits.handler");
    assert_fails("local t = {} for i = 1, 1 << 18 do t[i] = i end while true do table.sort(t) end", VF_E_LIMIT,
                 "limits.handler");
    assert_fails("local s = ('0'):rep(30000000) while true do local n = s + 1 end", VF_E_LIMIT, "limits.handler");
    assert_fails("local function f(...) while true do select(2, ...) end end "
                 "local t = {} for i = 1, 300000 do t[i] = i end f(table.unpack(t))",
                 VF_E_LIMIT, "limits.handler");
}

static void scratch_memory_counts_as_the_scripts(void **state)
{
    (void)state;
    /* A million keys take 40 MB in Lua, and twice as much again to be put in order. */
    test_limits.memory_bytes_max = 48u << 20;
    assert_fails("local t = {} for i = 1, 600000 do t[i] = i end doc.n = #t for k in pairs(t) do break end",
                 VF_E_MEMORY, "memory is full");
    assert_no_body("local t = {} for i = 1, 400000 do t['k' .. i] = i end doc.t = t", VF_E_MEMORY, "memory is full");
    /* What a call took is given back after it. */
    test_limits.memory_bytes_max = 64u << 20;
    struct vf_projector *projector = open_handler("local t = {} for i = 1, 200000 do t[i] = i end "
                                                  "for k in pairs(t) do doc.last = k end");
    vf_warm document;
    size_t before = 0;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(happen(projector, "{}", &document), VF_OK);
        LUA->cool(projector, document);
        LUA->collect(projector);
        if (i == 0)
            before = LUA->memory_bytes(projector);
        assert_true(LUA->memory_bytes(projector) <= before + 4096);
    }
    assert_true(before < 1u << 20);
    LUA->close(projector);
}

static void memory_bombs_end(void **state)
{
    (void)state;
    test_limits.memory_bytes_max = 32u << 20;
    /* Lua asks nobody where it stood: the handler's first line has to do. */
    assert_fails("local t = {} for i = 1, 1e9 do t[i] = i end", VF_E_MEMORY,
                 "view.lua:2: the script's memory is full (");
    assert_fails("local s = 'x' while true do s = s .. s end", VF_E_MEMORY, "memory is full");
    assert_fails("while true do doc = { doc } end", VF_E_MEMORY, "memory is full");
    assert_fails("local t = {} pcall(function() for i = 1, 1e9 do t[i] = {} end end) doc.x = 1", VF_E_MEMORY,
                 "memory is full");
    assert_fails("while true do pcall(string.rep, ('x'):rep(1000), 100000) end", VF_E_MEMORY, "memory is full");
    assert_fails("local t = {} for i = 1, 1e9 do t[i] = e.id .. i end", VF_E_MEMORY, "memory is full");
    assert_fails("local t = {} for i = 1, 1e9 do t[i] = function() return i end end", VF_E_MEMORY, "memory is full");
    assert_fails("local s = '' for i = 1, 40000 do s = s .. ('x'):rep(1000) end", VF_E_LIMIT, "instructions");
    /* The language's own functions call this a stack overflow, or a slice that is too long; pcall must not catch it. */
    test_limits.memory_bytes_max = 4u << 20;
    assert_fails("local s = ('x'):rep(400000) local ok = pcall(string.byte, s, 1, -1) doc.ok = ok", VF_E_MEMORY,
                 "memory is full");
    assert_fails("local s = ('x'):rep(400000) local ok = s:byte(1, -1)", VF_E_MEMORY, "memory is full");
    /* A heap full of live documents: no endless collecting. */
    test_limits.memory_bytes_max = 2u << 20;
    struct vf_projector *projector = open_handler("local x = ('x'):rep(1000)");
    vf_warm documents[20000];
    size_t count = 0;
    while (count < 20000 &&
           LUA->warm(projector, json_to_bson("{\"a\":{\"b\":[{},{},{}]}}"), &documents[count], &test_error) == VF_OK)
        count++;
    assert_true(count > 1000 && count < 20000);
    assert_int_equal(test_error.code, VF_E_MEMORY);
    while (count > 0)
        LUA->cool(projector, documents[--count]);
    LUA->collect(projector);
    vf_warm document;
    assert_int_equal(happen(projector, "{}", &document), VF_OK);
    LUA->close(projector);
}

static void a_full_heap_is_empty_for_the_next_try(void **state)
{
    (void)state;
    struct vf_projector *projector = open_handler("local t = {} for i = 1, 1e9 do t[i] = {} end");
    vf_warm document;
    assert_int_equal(happen(projector, "{}", &document), VF_E_MEMORY);
    assert_true(LUA->memory_bytes(projector) < 1u << 20);
    LUA->close(projector);
}

/* Memory runs out at some moment in the middle of a handler, another one each time; others' documents are as before. */
static void a_handler_that_ran_out_leaves_the_others_alone(void **state)
{
    (void)state;
    test_limits.memory_bytes_max = 2u << 20;
    struct vf_projector *projector = open_handler(
        "doc.list = doc.list or array {} doc.list[#doc.list + 1] = { at = e.time, n = #doc.list } doc.name = ('x'):rep(20)\n"
        "if e.data.fill then local t = { ('y'):rep(e.data.fill) } for i = 1, 1e9 do "
        "t[i] = { [e.id .. i] = doc.list, ('z'):rep(i % 100) } doc[e.id .. i] = t[i] end end");
    vf_warm other, failing;
    assert_int_equal(happen(projector, "{}", &other), VF_OK);
    const char *before = body_json(projector, other, NULL);
    assert_non_null(before);
    for (int i = 0; i < 50; i++) {
        const char *data = vf_arena_printf(test_arena, "{\"fill\":%d}", i * 997).data;
        assert_int_equal(happen(projector, data, &failing), VF_E_MEMORY);
        LUA->cool(projector, failing);
        assert_string_equal(body_json(projector, other, NULL), before);
    }
    assert_int_equal(happen(projector, "{}", &failing), VF_OK);
    assert_string_equal(body_json(projector, failing, NULL), before);
    LUA->close(projector);
}

static void huge_documents_end(void **state)
{
    (void)state;
    test_limits.document_bytes_max = 1u << 20;
    assert_no_body("for i = 1, 60000 do doc['key ' .. i] = i end", VF_E_LIMIT, "limits.document");
    assert_no_body("doc[('k'):rep(1100000)] = 1", VF_E_LIMIT, "limits.document");
    assert_no_body("doc.x = {} for i = 1, 50000 do doc.x[('%09d'):format(i)] = { i = {} } end", VF_E_LIMIT,
                   "limits.document");
    assert_no_body("local a = array {} for i = 1, 100000 do a[i] = i end doc.a = a", VF_E_LIMIT, "limits.document");
    /* 2^60 tables when it is written out, 60 when it is not. */
    assert_no_body("local t = {} for i = 1, 60 do t = { a = t, b = t } end doc.x = t", VF_E_LIMIT, "limits.document");
}

static void no_metatable_can_be_reached(void **state)
{
    (void)state;
    assert_becomes("doc.a, doc.b, doc.c = tostring((''). __index), tostring(array {}.__index), tostring(doc.__index)",
                   "{}", "{\"a\":\"nil\",\"b\":\"nil\",\"c\":\"nil\"}");
    assert_becomes("doc.a, doc.b = tostring(string.__index), tostring(doc.__gc)", "{}",
                   "{\"a\":\"nil\",\"b\":\"nil\"}");
    assert_fails("local m = _ENV.__index", VF_E_SCRIPT, "there is no global `__index`");
    assert_fails("local m = e.__index", VF_E_SCRIPT, "an event has no field `__index`");
    assert_fails("local m = date(e.time).__lt", VF_E_SCRIPT, "a date has no fields");
    assert_fails("local m = link({ A = own }).x", VF_E_SCRIPT, "a link has no fields");
    assert_fails("local m = null.x", VF_E_SCRIPT, "attempt to index a userdata value");
    assert_fails("null.x = 1", VF_E_SCRIPT, "attempt to index a userdata value");
    assert_fails("local m = own()", VF_E_SCRIPT, "attempt to call a userdata value");
}

static void metamethods_in_a_document_are_plain_names(void **state)
{
    (void)state;
    assert_becomes("doc.x = { __gc = 'no', __mode = 'k', __len = 3, __index = doc } doc.n = #doc.x doc.x.__index = nil",
                   "{}", "{\"n\":0,\"x\":{\"__gc\":\"no\",\"__len\":3,\"__mode\":\"k\"}}");
    assert_no_body("doc.__index = 1", VF_E_SCRIPT, "`__index` has a name that belongs to viewfold");
}

static void what_goes_wrong_at_load_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum vf_code code;
    } cases[] = {
        {"while true do end", VF_E_CONFIG},
        {"pcall(function() while true do end end) return {}", VF_E_CONFIG},
        {"local s = 'x' while true do s = s .. s end", VF_E_MEMORY},
        {"x = 1", VF_E_CONFIG},
        {"return setmetatable({}, {})", VF_E_CONFIG},
        {"local t = { name = 'v' } t.key = t return t", VF_E_CONFIG},
        {"local t = { name = 'v', topics = {'t'}, key = { a = own }, on = {} } t.initial = t return t", VF_E_CONFIG},
        {"return { name = 'v', topics = {'t'}, key = { a = own }, on = {}, initial = { x = ('x'):rep(9000000) } }",
         VF_E_CONFIG},
        {"error({})", VF_E_CONFIG},
        {"error()", VF_E_CONFIG},
        {"return ...", VF_E_CONFIG},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_null(try_open(cases[i].text));
        if (test_error.code != cases[i].code)
            fail_msg("%s: code %d: %s", cases[i].text, (int)test_error.code, test_error.text);
    }
    /* Deeply nested text: Lua's own limit on C levels. */
    char *nested = malloc(200002);
    memset(nested, '(', 200000);
    memcpy(nested, "return ", 7);
    nested[200000] = '\0';
    assert_null(try_open(nested));
    assert_text_has(test_error.text, "view.lua: C stack overflow");
    free(nested);
    /* Tables of the script nested deep and in circles are frozen without recursion. */
    struct vf_projector *projector = open_script(
        "local t = {} local top = t for i = 1, 100000 do t.x = {} t = t.x end t.x = top\n"
        "return { name = 'v', topics = {'t'}, key = { order = own }, on = { Happened = function(doc) doc.x = top.x == nil end } }");
    vf_warm document;
    assert_int_equal(happen(projector, "{}", &document), VF_OK);
    LUA->close(projector);
}

/* What Lua's parser takes a time for that grows with the square of its length. It would be half a minute with these. */
static void a_file_that_takes_long_to_read_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *begin, *again, *end;
    } cases[] = {
        {"local a = 1 local x = a", " or a", ""},
        {"local a = 1 local x = a", " and a", ""},
        {"local a = 1 if a == 2 then ", "elseif a then ", "end"},
    };
    test_limits.handler_ms_max = 20;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vf_buffer text;
        vf_buffer_init(&text);
        vf_buffer_add_text(&text, cases[i].begin);
        for (int times = 0; times < 100000; times++)
            vf_buffer_add_text(&text, cases[i].again);
        vf_buffer_add_text(&text, cases[i].end);
        const struct test_file files[] = {{"view.lua", "require 'large'", 0}, {"large.lua", text.data, text.size}, {0}};
        assert_null(try_open_files(files));
        assert_int_equal(test_error.code, VF_E_CONFIG);
        assert_text_has(test_error.text, "large.lua: the call took longer than 20 ms (limits.handler)");
        vf_buffer_done(&text);
    }
    /* The instructions' limit knows a file's length, too. */
    test_reset_limits();
    test_limits.instructions_max = 1000000;
    char *spaces = malloc(1100001);
    memset(spaces, ' ', 1100000);
    spaces[1100000] = '\0';
    assert_null(try_open(spaces));
    assert_text_has(test_error.text, "view.lua: the call took more than 1000000 instructions");
    free(spaces);
}

static void a_thousand_failures_leave_nothing_behind(void **state)
{
    (void)state;
    struct vf_projector *projector =
        open_handler("if e.data.bad then doc.x = { y = ('x'):rep(1000) } error('no') end doc.n = 1");
    vf_warm document;
    size_t before = 0;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(happen(projector, i % 2 ? "{\"bad\":true}" : "{}", &document), i % 2 ? VF_E_SCRIPT : VF_OK);
        LUA->cool(projector, document);
        if (i == 100) {
            LUA->collect(projector);
            before = LUA->memory_bytes(projector);
        }
    }
    LUA->collect(projector);
    assert_true(LUA->memory_bytes(projector) <= before + 4096);
    LUA->close(projector);
}

static void upcasts_meet_the_same_limits(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        enum vf_code code;
    } cases[] = {
        {"while true do end", VF_E_LIMIT},
        {"while true do pcall(function() while true do end end) end", VF_E_LIMIT},
        {"local s = ('x'):rep(1e9)", VF_E_LIMIT},
        {"local t = {} for i = 1, 1e9 do t[i] = { i } end", VF_E_MEMORY},
        {"local t = e.data for i = 1, 1e9 do t[('k'):rep(100) .. i] = {} end", VF_E_LIMIT},
        {"e.type = ('x'):rep(1e9)", VF_E_LIMIT},
        {"(('a'):rep(400)):find(('.-'):rep(30) .. 'b')", VF_E_LIMIT},
        {"local t = {} for i = 1, 200 do t = { t } end e.data = t", VF_E_SCRIPT},
        {"local t = {} for i = 1, 200 do t = { t = t } end e.data = t", VF_E_SCRIPT},
        {"local t = array {} for i = 1, 30 do t = array { t, t, t } end e.data = t", VF_E_LIMIT},
        {"local t = {} for i = 1, 2000 do t['k' .. i] = ('x'):rep(1000) end e.data = t", VF_E_LIMIT},
        {"setmetatable(e, {})", VF_E_SCRIPT},
        {"e.data = setmetatable", VF_E_SCRIPT},
        {"e.data = _ENV", VF_E_SCRIPT},
        {"local f = function() return e end e.data = { f = f }", VF_E_SCRIPT},
    };
    test_limits.memory_bytes_max = 4u << 20;
    test_limits.instructions_max = 1000000;
    test_limits.document_bytes_max = 1u << 20;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vf_projector *projector = open_script(
            vf_arena_printf(
                test_arena,
                "return { name = 'v', topics = {'t'}, key = { order = own }, upcast = { Old = function(e) ;%s "
                "end, Fine = function(e) e.type = 'Happened' end },\n"
                "on = { Happened = function(doc, e) doc.n = e.data.n end } }",
                cases[i].body)
                .data);
        for (int turn = 0; turn < 2; turn++) {
            struct vf_event event = *an_event("Old", "{\"n\":1}");
            enum vf_code code = LUA->upcast(projector, &event, test_arena, &test_error);
            if (code != cases[i].code)
                fail_msg("%s: code %d: %s", cases[i].body, (int)code, code ? test_error.text : "");
            assert_true(LUA->memory_bytes(projector) <= test_limits.memory_bytes_max);
            event = *an_event("Fine", "{\"n\":1}");
            assert_int_equal(LUA->upcast(projector, &event, test_arena, &test_error), VF_OK);
            vf_warm document = warm(projector);
            enum vf_handled handled;
            assert_int_equal(LUA->handle(projector, &event, VF_LITERAL("d"), document, 0, &handled, &test_error),
                             VF_OK);
            assert_string_equal(body_json(projector, document, NULL), "{\"n\":1}");
            LUA->cool(projector, document);
        }
        LUA->close(projector);
    }
}

/* The event that an upcast has seen is over when it ends, whatever keeps hold of it. */
static void nothing_of_an_upcast_is_there_afterwards(void **state)
{
    (void)state;
    struct vf_projector *projector = open_script(
        "return { name = 'v', topics = {'t'}, key = { order = function(e) return e.data.id end }, upcast = {\n"
        "Old = function(e) e.type = 'Happened' e.data = { id = 'a', from_upcast = true } end,\n"
        "Fails = function(e) e.type = 'Happened' e.data = { id = 'b', from_upcast = true } error('no') end },\n"
        "on = { Happened = function(doc, e) doc.type, doc.seen = e.type, e.data.from_upcast == true end } }");
    for (int turn = 0; turn < 3; turn++) {
        struct vf_event event = *an_event(turn == 1 ? "Fails" : "Old", "{\"id\":\"own\"}");
        assert_int_equal(LUA->upcast(projector, &event, test_arena, &test_error), turn == 1 ? VF_E_SCRIPT : VF_OK);
        vf_warm document = warm(projector);
        enum vf_handled handled;
        event = *an_event("Happened", "{\"id\":\"own\"}"); /* another event, which has no upcast */
        assert_int_equal(LUA->upcast(projector, &event, test_arena, &test_error), VF_OK);
        struct vf_routed routed;
        assert_int_equal(
            LUA->route(projector, LUA->describe(projector)->routes, &event, test_arena, &routed, &test_error), VF_OK);
        assert_true(vf_bytes_is(routed.ids[0], "own"));
        assert_int_equal(LUA->handle(projector, &event, VF_LITERAL("d"), document, 0, &handled, &test_error), VF_OK);
        assert_string_equal(body_json(projector, document, NULL), "{\"seen\":false,\"type\":\"Happened\"}");
        LUA->cool(projector, document);
    }
    LUA->close(projector);
}

/* Whatever a handler does with both of its documents, and where memory runs out meanwhile, a third one is as it was. */
static void two_documents_in_hand_do_no_harm_to_others(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "array(from) doc.l = from",
        "doc.a, doc.b, from.a = from, from, doc",
        "from.from = from",
        "for k, v in pairs(from) do from[k] = nil doc[k] = v end doc.self = doc.o",
        "doc.o = from.o for i = 1, 1e9 do from.o[i] = { doc.o } end",
        "from.o.l[1] = doc.o doc.o.l[1] = from.o",
        "table.move(from.o.l, 1, 3, 1, doc.o.l)",
        "doc.o, from.o = from.o, doc.o return delete",
        "from = nil doc = nil",
        "local f = function() from.o = doc end pcall(f) error(from)",
        "table.sort(from.o.l, function(a, b) from.o.l = nil doc.o = nil return true end)",
        "doc.o.l = from.o.l for i = 1, 1000 do doc = { doc } end from.deep = doc",
    };
    test_limits.memory_bytes_max = 4u << 20;
    test_limits.instructions_max = 1000000;
    static const char json[] = "{\"o\":{\"l\":[1,{\"x\":1},[]]}}";
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct vf_projector *projector = open_script(
            vf_arena_printf(test_arena,
                            "return { name = 'v', topics = {'t'}, key = { order = own }, on = {\n"
                            "Happened = function(doc, e, from) %s end, Fine = function(doc) doc.o.n = 1 end } }",
                            bodies[i])
                .data);
        vf_warm third = warm_json(projector, json);
        for (int turn = 0; turn < 4; turn++) {
            vf_warm hands[2] = {warm_json(projector, json), warm_json(projector, json)};
            enum vf_handled handled;
            enum vf_code ended = LUA->handle(projector, an_event("Happened", "{}"), VF_LITERAL("d"), hands[0], hands[1],
                                             &handled, &test_error);
            assert_true(ended == VF_OK || ended == VF_E_SCRIPT || ended == VF_E_LIMIT || ended == VF_E_MEMORY);
            if (turn & 1)
                (void)body_json(projector, hands[1], NULL);
            (void)body_json(projector, hands[0], NULL);
            (void)body_json(projector, hands[1], NULL);
            if (turn & 2) {
                LUA->cool(projector, hands[0]);
                (void)body_json(projector, hands[1], NULL);
            }
            LUA->cool(projector, hands[1]);
            if (!(turn & 2))
                LUA->cool(projector, hands[0]);
            bool aliased = true;
            assert_string_equal(body_json(projector, third, &aliased), json);
            assert_false(aliased);
        }
        assert_int_equal(handle(projector, third, "Fine", "{}"), VF_OK);
        assert_string_equal(body_json(projector, third, NULL), "{\"o\":{\"l\":[1,{\"x\":1},[]],\"n\":1}}");
        LUA->close(projector);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(endless_loops_end),
        A_TEST(no_script_catches_a_limit),
        A_TEST(recursion_ends),
        A_TEST(pattern_bombs_end),
        A_TEST(loops_in_c_end),
        A_TEST(what_reads_a_text_pays_for_its_length),
        A_TEST(slow_instructions_meet_the_clock),
        A_TEST(loops_in_c_that_call_c_end),
        A_TEST(loops_in_c_meet_the_clock),
        A_TEST(scratch_memory_counts_as_the_scripts),
        A_TEST(memory_bombs_end),
        A_TEST(a_full_heap_is_empty_for_the_next_try),
        A_TEST(a_handler_that_ran_out_leaves_the_others_alone),
        A_TEST(huge_documents_end),
        A_TEST(no_metatable_can_be_reached),
        A_TEST(metamethods_in_a_document_are_plain_names),
        A_TEST(what_goes_wrong_at_load_is_refused),
        A_TEST(a_file_that_takes_long_to_read_is_refused),
        A_TEST(a_thousand_failures_leave_nothing_behind),
        A_TEST(upcasts_meet_the_same_limits),
        A_TEST(nothing_of_an_upcast_is_there_afterwards),
        A_TEST(two_documents_in_hand_do_no_harm_to_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
