/* Links by several events, through, and handlers that have two documents in hand. */
#include "lua/lua_test.h"

#define SCRIPT                                                                                           \
    "return { name = 'v', topics = {'t'}, initial = { orders = {} },\n"                                  \
    "key = { customer = own, account = link { Opened = 'c' },\n"                                         \
    "order = link { Created = 'c', Given = 'to', Kept = own, Asked = function(e) return e.data.f end,\n" \
    "               Through = through('account', 'a.id') } }, on = {\n"

static const struct vf_route *order_route(struct vf_projector *projector)
{
    const struct vf_projection *says = LUA->describe(projector);
    for (size_t i = 0; i < says->route_count; i++)
        if (strcmp(says->routes[i].kind, "order") == 0)
            return &says->routes[i];
    return NULL;
}

static enum vf_code ask(struct vf_projector *projector, const char *type, const char *data,
                        struct vf_routed *ret_routed)
{
    *ret_routed = (struct vf_routed){0};
    return LUA->route(projector, order_route(projector), an_event(type, data), test_arena, ret_routed, &test_error);
}

static void assert_leads_to(struct vf_projector *projector, const char *type, const char *data, const char *id)
{
    struct vf_routed routed;
    if (ask(projector, type, data, &routed) != VF_OK)
        fail_msg("%s %s: %s", type, data, test_error.text);
    assert_int_equal(routed.count, 1);
    assert_true(vf_bytes_is(routed.ids[0], id));
    assert_int_equal(routed.through.size, 0);
}

static void each_type_has_its_own_route(void **state)
{
    (void)state;
    struct vf_projector *projector = open_script(SCRIPT "} }");
    assert_leads_to(projector, "Created", "{\"c\":\"a\",\"to\":\"b\"}", "a");
    assert_leads_to(projector, "Given", "{\"c\":\"a\",\"to\":\"b\"}", "b");
    assert_leads_to(projector, "Kept", "{}", "42");
    assert_leads_to(projector, "Asked", "{\"f\":\"x\"}", "x");
    struct vf_routed routed;
    assert_int_equal(ask(projector, "Asked", "{}", &routed), VF_OK);
    assert_int_equal(routed.count, 0);
    assert_int_equal(routed.through.size, 0);
    LUA->close(projector);
}

static void through_says_an_aggregate(void **state)
{
    (void)state;
    struct vf_projector *projector = open_script(SCRIPT "} }");
    struct vf_routed routed;
    assert_int_equal(ask(projector, "Through", "{\"a\":{\"id\":\"9\"}}", &routed), VF_OK);
    assert_int_equal(routed.count, 0);
    assert_true(vf_bytes_is(routed.through, "account/9"));
    assert_int_equal(ask(projector, "Through", "{\"a\":{\"id\":7}}", &routed), VF_OK);
    assert_true(vf_bytes_is(routed.through, "account/7"));
    assert_int_equal(ask(projector, "Through", "{\"a\":{\"id\":[\"7\",7]}}", &routed), VF_OK);
    assert_true(vf_bytes_is(routed.through, "account/7"));
    assert_int_equal(ask(projector, "Through", "{\"a\":{\"id\":[]}}", &routed), VF_OK);
    assert_int_equal(routed.count + routed.through.size, 0);
    static const char *const wrong[][2] = {
        {"{\"a\":{}}", "view.lua:4: key.order: `a.id` of Through's data is missing"},
        {"{\"a\":{\"id\":null}}", "is null"},
        {"{\"a\":{\"id\":\"\"}}", "is empty"},
        {"{\"a\":{\"id\":1.5}}", "is no string, integer"},
        {"{\"a\":{\"id\":[1,2]}}", "a link leads to one document, and Through says 2"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(ask(projector, "Through", wrong[i][0], &routed), VF_E_SCRIPT);
        assert_text_has(test_error.text, wrong[i][1]);
    }
    LUA->close(projector);
}

/* --- from --------------------------------------------------------------------------------------------------------- */

static void move(struct vf_projector *projector, const char *type, vf_warm document, vf_warm from)
{
    enum vf_handled handled;
    if (LUA->handle(projector, an_event(type, "{}"), VF_LITERAL("d"), document, from, &handled, &test_error) != VF_OK)
        fail_msg("%s: %s", type, test_error.text);
}

static void assert_body(struct vf_projector *projector, vf_warm document, bool aliased, const char *json)
{
    bool found;
    const char *body = body_json(projector, document, &found);
    if (!body)
        fail_msg("%s", test_error.text);
    assert_string_equal(body, json);
    assert_int_equal(found, aliased);
}

#define MOVES                                                                                                       \
    SCRIPT "Moved = function(doc, e, from) doc.orders[e.id] = from.orders[e.id] from.orders[e.id] = nil end,\n"     \
           "Back = function(doc, e, from) from.orders.b = doc.orders.b doc.orders.b = nil end,\n"                   \
           "Copied = function(doc, e, from) doc.orders[e.id] = from.orders[e.id] end,\n"                            \
           "Whole = function(doc, e, from) doc.was = from end, Into = function(doc, e, from) from.now = doc end,\n" \
           "New = function(doc, e, from) local t = { x = 1 } doc.t, from.t = t, t end,\n"                           \
           "Made = function(doc, e) doc.orders[e.id] = { lines = array { { n = 1 } } } end,\n"                      \
           "Changed = function(doc, e) doc.orders[e.id].lines[1].n = 2 end,\n"                                      \
           "Says = function(doc, e, from) doc.from = from == nil and 'none' or 'some' end,\n"                       \
           "Gone = function(doc, e, from) from.orders[e.id] = nil return delete end } }"

#define ONE   "{\"orders\":{\"42\":{\"lines\":[{\"n\":1}]}}}"
#define TWO   "{\"orders\":{\"42\":{\"lines\":[{\"n\":2}]}}}"
#define EMPTY "{\"orders\":{}}"

static void from_is_the_document_that_was_left_and_else_nil(void **state)
{
    (void)state;
    struct vf_projector *projector = open_script(MOVES);
    vf_warm a = warm(projector), b = warm(projector);
    move(projector, "Says", a, 0);
    assert_body(projector, a, false, "{\"from\":\"none\",\"orders\":{}}");
    move(projector, "Says", a, b);
    assert_body(projector, a, false, "{\"from\":\"some\",\"orders\":{}}");
    assert_body(projector, b, false, EMPTY);
    move(projector, "Says", a, 0);
    assert_body(projector, a, false, "{\"from\":\"none\",\"orders\":{}}");
    LUA->close(projector);
}

/* Each way of asking for the bodies, before the move, after it, and of either first. */
static void what_a_handler_moves_is_no_longer_shared(void **state)
{
    (void)state;
    struct vf_projector *projector = open_script(MOVES);
    for (int way = 0; way < 8; way++) {
        vf_warm from = way & 4 ? warm_json(projector, ONE) : warm(projector), doc = warm(projector);
        if (!(way & 4))
            move(projector, "Made", from, 0);
        if (way & 1) {
            assert_body(projector, from, false, ONE);
            assert_body(projector, doc, false, EMPTY);
        }
        move(projector, "Moved", doc, from);
        for (int i = 0; i < 2; i++) {
            if ((way & 2) == 0)
                assert_body(projector, from, false, EMPTY);
            assert_body(projector, doc, false, ONE);
            if (way & 2)
                assert_body(projector, from, false, EMPTY);
        }
        move(projector, "Changed", doc, 0);
        assert_body(projector, doc, false, TWO);
        /* And back, from the one that had it. */
        move(projector, "Moved", from, doc);
        assert_body(projector, from, false, TWO);
        assert_body(projector, doc, false, EMPTY);
        LUA->cool(projector, doc);
        LUA->cool(projector, from);
    }
    LUA->close(projector);
}

static void what_moves_on_and_on_in_one_batch_is_not_shared_either(void **state)
{
    (void)state;
    struct vf_projector *projector = open_script(MOVES);
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (int way = 0; way < 6; way++) {
        vf_warm chain[3] = {warm_json(projector, ONE), warm(projector),
                            warm_json(projector, "{\"orders\":{\"b\":{}}}")};
        const char *bodies[3] = {"{\"orders\":{\"b\":{}}}", EMPTY, ONE};
        for (int i = 0; i < 3; i++)
            assert_non_null(body_json(projector, chain[i], NULL));
        move(projector, "Moved", chain[1], chain[0]);
        move(projector, "Moved", chain[2], chain[1]);
        move(projector, "Back", chain[2], chain[0]); /* the other way, in one handler */
        for (int again = 0; again < 2; again++)
            for (int i = 0; i < 3; i++)
                assert_body(projector, chain[orders[way][i]], false, bodies[orders[way][i]]);
        for (int i = 0; i < 3; i++)
            LUA->cool(projector, chain[i]);
    }
    LUA->close(projector);
}

/* One of the two bodies says so, whichever comes first: the batch is folded again, through BSON. */
static void assert_shared(struct vf_projector *projector, const char *type, bool known, const char *doc_json,
                          const char *from_json)
{
    for (int way = 0; way < 2; way++) {
        vf_warm from = warm_json(projector, ONE), doc = warm(projector);
        bool aliased[2];
        if (known)
            for (int i = 0; i < 2; i++)
                assert_non_null(body_json(projector, i ? doc : from, NULL));
        move(projector, type, doc, from);
        for (int i = 0; i < 2; i++) {
            bool is_doc = i == way;
            const char *body = body_json(projector, is_doc ? doc : from, &aliased[i]);
            assert_non_null(body);
            assert_string_equal(body, is_doc ? doc_json : from_json);
        }
        if (!aliased[0] && !aliased[1])
            fail_msg("%s: nobody noticed, known %d, way %d", type, known, way);
        LUA->cool(projector, doc);
        LUA->cool(projector, from);
    }
}

static void what_both_documents_hold_is_noticed(void **state)
{
    (void)state;
    struct vf_projector *projector = open_script(MOVES);
    for (int known = 0; known < 2; known++) {
        assert_shared(projector, "Copied", known, ONE, ONE);
        assert_shared(projector, "New", known, "{\"orders\":{},\"t\":{\"x\":1}}",
                      "{\"orders\":{\"42\":{\"lines\":[{\"n\":1}]}},\"t\":{\"x\":1}}");
        assert_shared(projector, "Whole", known, "{\"orders\":{},\"was\":" ONE "}", ONE);
        assert_shared(projector, "Into", known, EMPTY,
                      "{\"now\":" EMPTY ",\"orders\":{\"42\":{\"lines\":[{\"n\":1}]}}}");
    }
    LUA->close(projector);
}

/* As the engine folds a batch again: each handler's result is taken through BSON at once. */
static void taken_through_bson_each_has_its_own_copy(void **state)
{
    (void)state;
    struct vf_projector *projector = open_script(MOVES);
    vf_warm from = warm_json(projector, ONE), doc = warm(projector);
    bool aliased;
    struct vf_bytes bodies[2];
    move(projector, "Copied", doc, from);
    assert_int_equal(LUA->body(projector, doc, test_arena, &bodies[0], &aliased, &test_error), VF_OK);
    LUA->cool(projector, doc);
    assert_int_equal(LUA->body(projector, from, test_arena, &bodies[1], &aliased, &test_error), VF_OK);
    LUA->cool(projector, from);
    assert_int_equal(LUA->warm(projector, bodies[0], &doc, &test_error), VF_OK);
    assert_int_equal(LUA->warm(projector, bodies[1], &from, &test_error), VF_OK);
    move(projector, "Changed", doc, 0);
    assert_body(projector, doc, false, TWO);
    assert_body(projector, from, false, ONE);
    LUA->close(projector);
}

/* A copy of `initial` stands in for a document that is gone, and is thrown away. */
static void a_copy_that_is_thrown_away_leaves_nothing_behind(void **state)
{
    (void)state;
    struct vf_projector *projector = open_script(MOVES);
    vf_warm scratch = warm_json(projector, ONE), doc = warm(projector);
    assert_non_null(body_json(projector, doc, NULL));
    move(projector, "Moved", doc, scratch);
    LUA->cool(projector, scratch);
    scratch = warm(projector); /* in the same place */
    assert_body(projector, doc, false, ONE);
    assert_body(projector, scratch, false, EMPTY);
    enum vf_handled handled;
    assert_int_equal(
        LUA->handle(projector, an_event("Gone", "{}"), VF_LITERAL("d"), scratch, doc, &handled, &test_error), VF_OK);
    assert_int_equal(handled, VF_DELETED);
    LUA->cool(projector, scratch);
    assert_body(projector, doc, false, EMPTY);
    LUA->close(projector);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(each_type_has_its_own_route),
        A_TEST(through_says_an_aggregate),
        A_TEST(from_is_the_document_that_was_left_and_else_nil),
        A_TEST(what_a_handler_moves_is_no_longer_shared),
        A_TEST(what_moves_on_and_on_in_one_batch_is_not_shared_either),
        A_TEST(what_both_documents_hold_is_noticed),
        A_TEST(taken_through_bson_each_has_its_own_copy),
        A_TEST(a_copy_that_is_thrown_away_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
