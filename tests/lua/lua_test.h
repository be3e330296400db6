/* What the tests of the projector share: scripts from memory, events from JSON, bodies as canonical JSON. */
#ifndef LUA_TEST_H
#define LUA_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/arena.h"
#include "core/body.h"
#include "lua/lua_projector.h"

#define LUA (&vf_lua_projector_type)

struct test_file {
    const char *name;
    const char *text;
    size_t size; /* 0: up to the NUL */
};

/* A list that ends with a NULL name. */
enum vf_code read_test_file(void *self, const char *name, struct vf_bytes *ret_text, struct vf_error *error);

extern struct vf_projector_limits test_limits; /* generous; a test may change them, test_reset puts them back */
void test_reset_limits(void);

struct test_log {
    char text[4096];
    size_t lines;
};
extern struct test_log test_log;

/* Opens view.lua from `text`; NULL where it fails, with test_error set. */
struct vf_projector *try_open(const char *text);
struct vf_projector *try_open_files(const struct test_file *files);
struct vf_projector *open_script(const char *text); /* the test fails where it does */
/* The same for `on = { Happened = function(doc, e) <body> end }` of a projection that is otherwise plain. */
struct vf_projector *open_handler(const char *body);

extern struct vf_error test_error;
extern struct vf_arena *test_arena;

/* An event of order/42, in memory that the next call of this overwrites. data: JSON or NULL for none. */
struct vf_event *an_event(const char *type, const char *data);

/* Handles an event of this type on the document "doc1". */
enum vf_code handle(struct vf_projector *projector, vf_warm document, const char *type, const char *data);
/* A new warm document from `initial`, handled once with Happened. The code of the handler. */
enum vf_code happen(struct vf_projector *projector, const char *data, vf_warm *ret_document);

vf_warm warm(struct vf_projector *projector);
vf_warm warm_json(struct vf_projector *projector, const char *json);
struct vf_bytes json_to_bson(const char *json);

/* The body as canonical JSON; NULL where body fails, with test_error set. *ret_aliased may be NULL. */
const char *body_json(struct vf_projector *projector, vf_warm document, bool *ret_aliased);

/* Opens the handler, has it happen once with this data, and wants this body. */
void assert_becomes(const char *handler, const char *data, const char *json);
/* Wants the handler to fail with this code and a text that holds `part`; and that the projector still works after
 * it. */
void assert_fails(const char *handler, enum vf_code code, const char *part);
/* The same for the body that the handler leaves. */
void assert_no_body(const char *handler, enum vf_code code, const char *part);
void assert_text_has(const char *text, const char *part);

int lua_test_setup(void **state);
int lua_test_teardown(void **state);

#define A_TEST(function) cmocka_unit_test_setup_teardown(function, lua_test_setup, lua_test_teardown)

#endif
