/* With which scripts a generation may go on: whatever the view remembers has to stay good. */
#include "run/generation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *const topics[] = {"orders"};
static const struct vf_link links[] = {{"Given", NULL}, {"Issued", "account"}};
static const struct vf_route routes[] = {
    {.kind = "account", .route = VF_ROUTE_LINK, .links = links, .link_count = 1},
    {.kind = "card", .route = VF_ROUTE_LINK, .links = links, .link_count = 2},
};
static const struct vf_index indexes[] = {{.name = "by_city", .by = "city"}, {.name = "recent", .sort = "created"}};
static const struct vf_handler handlers[] = {{NULL, "Given"}, {"card", "Issued"}};
static const char *const upcasts[] = {"Old"};

static const struct vf_projection had = {.name = "v",
                                         .version = 1,
                                         .topics = topics,
                                         .topic_count = 1,
                                         .routes = routes,
                                         .route_count = 2,
                                         .ttl_ms = 43200000,
                                         .indexes = indexes,
                                         .index_count = 2};

#define INSTEAD "; adopting takes no other documents than there are. Drop the generation, and it is built anew"

static void refused(const struct vf_projection *before, const struct vf_projection *after, const char *why)
{
    struct vf_error error = {0};
    char wanted[400];
    snprintf(wanted, sizeof wanted, "%s" INSTEAD, why);
    assert_int_equal(vf_generation_check_adoption(before, after, &error), VF_E_CONFIG);
    assert_string_equal(error.text, wanted);
}

static void what_is_only_said_otherwise_is_taken(void **state)
{
    struct vf_error error;
    struct vf_projection has = had;
    (void)state;
    assert_int_equal(vf_generation_check_adoption(&had, &has, &error), VF_OK);
    has.handlers = handlers;
    has.handler_count = 2;
    has.upcast_types = upcasts;
    has.upcast_count = 1;
    has.upcasts = true;
    assert_int_equal(vf_generation_check_adoption(&had, &has, &error), VF_OK);
    assert_int_equal(vf_generation_check_adoption(&has, &had, &error), VF_OK);
}

static void another_end_of_documents_is_refused(void **state)
{
    struct vf_projection has = had;
    (void)state;
    has.ttl_ms = 0;
    refused(&had, &has, "the script now says ttl = none, and said \"12h\": each document keeps when it ends");
    refused(&has, &had, "the script now says ttl = \"12h\", and said none: each document keeps when it ends");
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{INT64_C(2592000000), "30d"}, {60000, "1m"}, {90000, "90s"}, {1500, "1500ms"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char wanted[200];
        has.ttl_ms = cases[i].ms;
        snprintf(wanted, sizeof wanted,
                 "the script now says ttl = \"%s\", and said \"12h\": each document keeps when it ends", cases[i].text);
        refused(&had, &has, wanted);
    }
}

static void another_answer_to_what_is_not_linked_is_refused(void **state)
{
    struct vf_projection has = had;
    (void)state;
    has.unlinked = VF_UNLINKED_IGNORE;
    refused(
        &had, &has,
        "the script now says unlinked = \"ignore\", and said \"hold\": events whose link is not known are dealt with "
        "already");
    has.unlinked = VF_UNLINKED_PARK;
    refused(&has, &had,
            "the script now says unlinked = \"hold\", and said \"park\": events whose link is not known are dealt with "
            "already");
}

static void other_indexes_are_refused(void **state)
{
    struct vf_projection has = had;
    struct vf_index other[2] = {indexes[0], indexes[1]};
    (void)state;
    has.index_count = 1;
    refused(
        &had, &has,
        "the script no longer has the index recent, whose entries would stay as they are now, and readers would find "
        "them");
    refused(&has, &had, "the script now has the index recent, in which the documents that there are would be missing");
    has.index_count = 2;
    has.indexes = other;
    static const char *const wanted =
        "the script's index by_city is over other fields than it was: its entries are of the "
        "former ones";
    other[0].by = "town";
    refused(&had, &has, wanted);
    other[0] = (struct vf_index){.name = "by_city", .sort = "city"};
    refused(&had, &has, wanted);
    other[0] = (struct vf_index){.name = "by_city", .by = "city", .where = "open"};
    refused(&had, &has, wanted);
    refused(&has, &had, wanted);
}

static void other_links_are_refused(void **state)
{
    struct vf_projection has = had;
    struct vf_route other[2] = {routes[0], routes[1]};
    struct vf_link said[2] = {links[0], links[1]};
    (void)state;
    has.routes = other;
    static const char *const wanted =
        "the script's key now links card by other events than it did: the links of those that "
        "are under way are of the former ones";
    other[1].link_count = 1;
    refused(&had, &has, wanted);
    refused(&has, &had, wanted);
    other[1].link_count = 2;
    other[1].links = said;
    said[1].through = NULL;
    refused(&had, &has, wanted);
    refused(&has, &had, wanted);
    said[1] = (struct vf_link){NULL, "account"}; /* every type */
    refused(&had, &has, wanted);
    said[1] = (struct vf_link){"Issued", "customer"};
    refused(&had, &has, wanted);
    said[1] = (struct vf_link){"Issued", "account"};
    struct vf_error error;
    assert_int_equal(vf_generation_check_adoption(&had, &has, &error), VF_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_only_said_otherwise_is_taken),
        cmocka_unit_test(another_end_of_documents_is_refused),
        cmocka_unit_test(another_answer_to_what_is_not_linked_is_refused),
        cmocka_unit_test(other_indexes_are_refused),
        cmocka_unit_test(other_links_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
