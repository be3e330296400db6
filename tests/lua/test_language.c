/* The language that scripts get: what is there works as the manual says, in one order on every machine; what is not,
 * is not. */
#include "lua/lua_test.h"

#include <stdio.h>
#include <stdlib.h>

static void what_is_not_allowed_is_not_there(void **state)
{
    (void)state;
    static const char *const names[] = {
        "os",       "io",       "debug",  "coroutine",      "load",         "loadstring",
        "loadfile", "dofile",   "print",  "getmetatable",   "setmetatable", "rawget",
        "rawset",   "rawequal", "rawlen", "collectgarbage", "package",      "_G"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_fails(vf_arena_printf(test_arena, "local x = %s", names[i]).data, VF_E_SCRIPT,
                     vf_arena_printf(test_arena, "there is no `%s`", names[i]).data);
        assert_fails(vf_arena_printf(test_arena, "local x = _ENV['%s']", names[i]).data, VF_E_SCRIPT,
                     vf_arena_printf(test_arena, "there is no `%s`", names[i]).data);
    }
    assert_becomes("doc.n = tostring(string.dump) .. tostring(math.random) .. tostring(math.randomseed) .. "
                   "tostring(('').dump) .. tostring(string.pack)",
                   "{}", "{\"n\":\"nilnilnilnilnil\"}");
    assert_fails("unknown()", VF_E_SCRIPT, "view.lua:3: there is no global `unknown`");
}

/* docs/projections.md, "What a script can use", lists the same. What is added here pays for its loops, answers the same on
 * every machine, and shows no address. */
static void this_and_nothing_else_is_reachable(void **state)
{
    (void)state;
    assert_becomes(
        "for _, name in ipairs { 'string', 'table', 'math', 'utf8' } do local names = {} "
        "for key in pairs(_ENV[name]) do names[#names + 1] = key end doc[name] = table.concat(names, ' ') end "
        "local names = {} for key in pairs(_ENV) do names[#names + 1] = key end "
        "doc.globals = table.concat(names, ' ')",
        "{}",
        "{\"globals\":\"_VERSION array assert date delete error ipairs link log math next null own pairs pcall "
        "require select string table through tonumber tostring type utf8 xpcall\","
        "\"math\":\"abs acos asin atan ceil cos deg exp floor fmod huge log max maxinteger min mininteger "
        "modf pi rad sin sqrt tan tointeger type ult\","
        "\"string\":\"byte char find format gmatch gsub len lower match rep reverse sub upper\","
        "\"table\":\"concat insert move pack remove sort unpack\","
        "\"utf8\":\"char charpattern codepoint codes len offset\"}");
    /* Neither by a method, nor as a field of what a script is given. */
    assert_becomes("local s, names = '', {} for _, name in ipairs { 'dump', 'pack', 'packsize', 'unpack' } do "
                   "names[#names + 1] = tostring(s[name]) end doc.names = table.concat(names, ' ')",
                   "{}", "{\"names\":\"nil nil nil nil\"}");
}

static void globals_and_libraries_are_read_only(void **state)
{
    (void)state;
    assert_fails("counter = 1", VF_E_SCRIPT, "view.lua:3: the global `counter` is set, and there are no globals here");
    assert_fails("_ENV.counter = 1", VF_E_SCRIPT, "the global `counter` is set");
    assert_fails("pairs = nil", VF_E_SCRIPT, "the global `pairs` is set");
    assert_fails("function helper() end", VF_E_SCRIPT, "the global `helper` is set");
    assert_fails("string.rep = nil", VF_E_SCRIPT, "the libraries cannot be changed");
    assert_fails("math.mine = 1", VF_E_SCRIPT, "the libraries cannot be changed");
    assert_fails("table.insert(_ENV, 1)", VF_E_SCRIPT, "or a library is changed");
    assert_fails("table.insert(string, 1)", VF_E_SCRIPT, "or a library is changed");
    assert_fails("table.move({1}, 1, 1, 1, math)", VF_E_SCRIPT, "or a library is changed");
    assert_fails("array(_ENV)", VF_E_SCRIPT, "cannot become a list");
    assert_fails("('').x = 1", VF_E_SCRIPT, "attempt to index a string value");
    assert_fails("local s = '' ; s.rep = function() end", VF_E_SCRIPT, "attempt to index a string value");
    assert_becomes("local _ENV = { doc = doc } doc.x = 1", "{}", "{\"x\":1}");
}

static void what_is_left_of_the_language_works(void **state)
{
    (void)state;
    assert_becomes("local ok, err = pcall(error, 'x', 0) doc.ok, doc.err = ok, err", "{}",
                   "{\"err\":\"x\",\"ok\":false}");
    assert_becomes("local ok, a, b = pcall(function(...) return ... end, 1, 2) doc.ok, doc.a, doc.b = ok, a, b", "{}",
                   "{\"a\":1,\"b\":2,\"ok\":true}");
    assert_becomes("local ok, t = pcall(error, { code = 7 }) doc.code = t.code", "{}", "{\"code\":7}");
    assert_becomes("local ok, m = xpcall(error, function(m) return 'handled ' .. m end, 'x', 0) doc.ok, doc.m = ok, m",
                   "{}", "{\"m\":\"handled x\",\"ok\":false}");
    assert_becomes("local ok, a, b = xpcall(function(...) return ... end, error, 1, 2) doc.ok, doc.a, doc.b = ok, a, b",
                   "{}", "{\"a\":1,\"b\":2,\"ok\":true}");
    assert_becomes("local ok, m = xpcall(error, function() error('again', 0) end, 'x') doc.ok, doc.m = ok, m", "{}",
                   "{\"m\":\"again\",\"ok\":false}");
    assert_becomes("doc.a, doc.b, doc.c, doc.d = tonumber('0x10'), tonumber('z', 36), tostring(12), tostring(1e15)",
                   "{}", "{\"a\":16,\"b\":35,\"c\":\"12\",\"d\":\"1e+15\"}");
    assert_becomes("doc.a, doc.b, doc.c = select('#', nil, nil), select(-1, 1, 2), type(null)", "{}",
                   "{\"a\":2,\"b\":2,\"c\":\"userdata\"}");
    assert_becomes(
        "doc.u, doc.l, doc.r, doc.s, doc.b, doc.c, doc.n = ('aB'):upper(), ('aB'):lower(), ('ab'):reverse(), "
        "('abc'):sub(-2), ('a'):byte(), string.char(65, 66), #'abc'",
        "{}", "{\"b\":97,\"c\":\"AB\",\"l\":\"ab\",\"n\":3,\"r\":\"ba\",\"s\":\"bc\",\"u\":\"AB\"}");
    assert_becomes("doc.a, doc.b, doc.c, doc.d = ('ab'):rep(3), ('ab'):rep(2, '-'), ('x'):rep(0), ('x'):rep(-1)", "{}",
                   "{\"a\":\"ababab\",\"b\":\"ab-ab\",\"c\":\"\",\"d\":\"\"}");
    assert_becomes("doc.a = ('%5.2f|%-4d|%s|%q|%x|%c|%%|%i'):format(1.5, 7, 'x', 'a\\n', 255, 65, 3)", "{}",
                   "{\"a\":\" 1.50|7   |x|\\\"a\\\\\\n\\\"|ff|A|%|3\"}");
    assert_becomes(
        "doc.a, doc.b = utf8.char(228, 8364), utf8.len('\xc3\xa4\xe2\x82\xac') for p, c in utf8.codes('\xc3\xa4') do "
        "doc.c = c end for c in ('\xc3\xa4x'):gmatch(utf8.charpattern) do doc.d = (doc.d or '') .. c .. '.' end",
        "{}", "{\"a\":\"\xc3\xa4\xe2\x82\xac\",\"b\":2,\"c\":228,\"d\":\"\xc3\xa4.x.\"}");
    assert_becomes(
        "doc.a, doc.b, doc.c, doc.d = math.max(1, 2.5), math.floor(2.7), math.type(1.0), math.tointeger(3.0)", "{}",
        "{\"a\":2.5,\"b\":2,\"c\":\"float\",\"d\":3}");
}

static void tostring_and_format_name_the_type(void **state)
{
    (void)state;
    assert_becomes("doc.a, doc.b, doc.c, doc.d, doc.e, doc.f = tostring({}), tostring(pairs), tostring(e), "
                   "tostring(link { A = own }), ('%s|%10s'):format({}, pairs), ('%s %s'):format(null, nil)",
                   "{}",
                   "{\"a\":\"table\",\"b\":\"function\",\"c\":\"event\",\"d\":\"link\",\"e\":\"table|  function\","
                   "\"f\":\"null nil\"}");
    assert_fails("local s = ('%p'):format({})", VF_E_SCRIPT, "there is no '%p' here");
    assert_fails("local s = ('%5p'):format('x')", VF_E_SCRIPT, "there is no '%p' here");
    assert_fails("local s = ('%d'):format({})", VF_E_SCRIPT, "bad argument #1");
    assert_fails("local s = ('%q'):format({})", VF_E_SCRIPT, "no literal");
    assert_fails("local s = ('%y'):format(1)", VF_E_SCRIPT, "invalid conversion");
    assert_fails("local s = ('%s'):format()", VF_E_SCRIPT, "bad argument #1");
    assert_fails("local s = ('%'):format(1)", VF_E_SCRIPT, "invalid conversion");
}

static void pairs_and_next_go_in_key_order(void **state)
{
    (void)state;
    assert_becomes("local s = '' for k, v in pairs({ b = 1, a = 2, [10] = 3, [2] = 4, [-1] = 5, [1.5] = 6, [true] = 7, "
                   "[false] = 8, aa = 9, [''] = 0 }) do s = s .. tostring(k) .. '=' .. v .. ' ' end doc.s = s",
                   "{}", "{\"s\":\"-1=5 1.5=6 2=4 10=3 =0 a=2 aa=9 b=1 false=8 true=7 \"}");
    assert_becomes(
        "local s = '' local t = { b = 1, a = 2, [3] = 4, [1.5] = 1, [-0.5] = 0, [true] = 1 } local k, v = next(t) "
        "while k do s = s .. tostring(k) .. ' ' k, v = next(t, k) end doc.s = s doc.e = next({}) == nil",
        "{}", "{\"e\":true,\"s\":\"-0.5 1.5 3 a b true \"}");
    /* What is removed on the way is left out, what is added is not seen, what is set may be. */
    assert_becomes(
        "local t, s = { a = 1, b = 2, c = 3 }, '' for k, v in pairs(t) do s = s .. k .. v t.b = nil t.d = 1 t.c = 9 end "
        "doc.s = s",
        "{}", "{\"s\":\"a1c9\"}");
    assert_becomes("local s = '' for k, v in next, { b = 1, a = 2 } do s = s .. k end doc.s = s", "{}",
                   "{\"s\":\"ab\"}");
    assert_becomes(
        "local s, n = '', 0 for k in pairs(e.data) do n = n + 1 s = s .. k end doc.n, doc.s = n, s",
        "{\"k3\":1,\"k1\":1,\"k2\":1,\"k20\":1,\"k11\":1,\"k12\":1,\"k13\":1,\"k14\":1,\"k15\":1,\"k16\":1,\"k17\":1,"
        "\"k18\":1,\"k19\":1,\"kkkkkkkk2\":1,\"kkkkkkkk1\":1,\"kkkkkkkk\":1}",
        "{\"n\":16,\"s\":\"k1k11k12k13k14k15k16k17k18k19k2k20k3kkkkkkkkkkkkkkkk1kkkkkkkk2\"}");
    assert_becomes("local n = 0 for k in pairs({}) do n = n + 1 end doc.n = n", "{}", "{\"n\":0}");
    assert_fails("for k in pairs({ [{}] = 1 }) do end", VF_E_SCRIPT, "a table with a table as key has no order");
    assert_fails("for k in pairs(nil) do end", VF_E_SCRIPT, "bad argument #1");
    assert_fails("for k in pairs('x') do end", VF_E_SCRIPT, "table expected");
}

static void the_table_library_keeps_its_edges(void **state)
{
    (void)state;
    assert_becomes(
        "local t = array { 1, 2, 3 } doc.a, doc.b, doc.c = table.remove(t), table.remove(t, 1), table.remove(t, 2) "
        "doc.t = t doc.e = table.remove({}) == nil",
        "{}", "{\"a\":3,\"b\":1,\"e\":true,\"t\":[2]}");
    assert_becomes("local t = table.pack(1, nil, 3) doc.n, doc.c = t.n, table.concat({ 1, 2.5, 'x' }, ', ', 2, 3)",
                   "{}", "{\"c\":\"2.5, x\",\"n\":3}");
    assert_becomes("local t = table.move({ 1, 2, 3, 4 }, 1, 3, 2) doc.s = table.concat(t, ' ') "
                   "t = table.move({ 1, 2, 3, 4 }, 2, 4, 1) doc.u = table.concat(t, ' ') "
                   "doc.v = table.concat(table.move({ 1, 2 }, 1, 2, 3, { 8, 9 }), ' ')",
                   "{}", "{\"s\":\"1 1 2 3\",\"u\":\"2 3 4 4\",\"v\":\"8 9 1 2\"}");
    assert_becomes("local t = { 'b', 'a', 'd', 'c', 'e' } table.sort(t) doc.s = table.concat(t) "
                   "table.sort(t, function(x, y) return x > y end) doc.r = table.concat(t) "
                   "t = {} for i = 1, 100 do t[i] = (i * 37) % 101 end table.sort(t) doc.ok = true "
                   "for i = 2, 100 do doc.ok = doc.ok and t[i - 1] < t[i] end",
                   "{}", "{\"ok\":true,\"r\":\"edcba\",\"s\":\"abcde\"}");
    assert_fails("table.sort({ 1, 'x' })", VF_E_SCRIPT, "attempt to compare");
    assert_fails("table.insert({ 1 }, 5, 2)", VF_E_SCRIPT, "position out of bounds");
    assert_fails("table.insert({ 1 })", VF_E_SCRIPT, "wrong number of arguments");
    assert_fails("table.remove({ 1, 2 }, 5)", VF_E_SCRIPT, "position out of bounds");
    assert_fails("table.concat({ 1, {} })", VF_E_SCRIPT, "invalid value (a table) at index 2");
    assert_fails("table.unpack({}, 1, 1e8 // 1 | 0)", VF_E_LIMIT, "instructions");
    assert_fails("table.unpack({}, 1, 5000000)", VF_E_SCRIPT, "too many results to unpack");
    assert_fails("table.move({ 1 }, 1, math.maxinteger, 2)", VF_E_LIMIT, "instructions");
    assert_fails("table.move({}, math.mininteger, math.maxinteger, 2)", VF_E_SCRIPT, "too many elements");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(what_is_not_allowed_is_not_there),    A_TEST(this_and_nothing_else_is_reachable),
        A_TEST(globals_and_libraries_are_read_only), A_TEST(what_is_left_of_the_language_works),
        A_TEST(tostring_and_format_name_the_type),   A_TEST(pairs_and_next_go_in_key_order),
        A_TEST(the_table_library_keeps_its_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
