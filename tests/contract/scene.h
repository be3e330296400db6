/*
 * What every test of the store contract starts from: two stores on one server, a fresh view that is prepared, an arena; and
 * the small tools to write commits and compare what came back. The main thread only, but for what says otherwise.
 */
#ifndef VF_CONTRACT_SCENE_H
#define VF_CONTRACT_SCENE_H

#include "store_contract.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <bson/bson.h>

struct scene {
    const struct vf_store_type *type;
    struct vf_arena *arena;
    struct vf_store *store;
    struct vf_store *other;
    char name[64]; /* of the view */
    struct vf_view view;
    const struct vf_index *indexes; /* of its drafts: scene_indexes */
    size_t index_count;
};

/* Set by vf_store_contract_run for all tests. */
extern const struct vf_store_contract *contract_under_test;

int scene_setup(void **state);
int scene_teardown(void **state);

#define SCENE_TEST(function) cmocka_unit_test_setup_teardown(function, scene_setup, scene_teardown)

/* The groups of tests, each in its file; how many failed. */
int contract_registry_run(const char *group);
int contract_changing_run(const char *group);
int contract_roundtrip_run(const char *group);
int contract_condition_run(const char *group);
int contract_commit_run(const char *group);
int contract_race_run(const char *group);
int contract_loss_run(const char *group); /* needs kill_connection */
int contract_records_run(const char *group);
int contract_aside_run(const char *group);
int contract_parking_run(const char *group);
int contract_due_run(const char *group);
int contract_find_run(const char *group);

struct vf_store *scene_open(void);
void scene_reopen(struct scene *scene, struct vf_store **store);
void scene_unique_name(char *name, size_t size);
uint64_t random_bits(void); /* any thread */
void scene_prepare(struct scene *scene, const char *name);

/* Fails the test with the error's text where code is not VF_OK. */
#define assert_ok(expression) assert_ok_at((expression), &error, #expression, __FILE__, __LINE__)
void assert_ok_at(enum vf_code code, const struct vf_error *error, const char *what, const char *file, int line);

/* ---- commits ---- */

/* A commit being written down. Grows; lives in the scene's arena. */
struct draft {
    struct scene *scene;
    struct vf_view view;
    uint64_t generation_stamp; /* 0: as scene_prepare makes it */
    uint64_t stamp;
    struct vf_progress_change *progress;
    struct vf_document_change *documents;
    struct vf_aggregate_change *aggregates;
    struct vf_aside *asides, *taken;
    struct vf_dropped *dropped;
    size_t progress_count, document_count, aggregate_count, aside_count, taken_count, dropped_count;
};

struct draft draft_new(struct scene *scene); /* of the scene's view, with a fresh random stamp */

void draft_progress(struct draft *draft, const char *topic, int32_t partition, struct vf_progress from,
                    struct vf_progress to);

/* `base` is what was loaded (NULL: absent). The index entries of both are those of their bodies. */
void draft_write(struct draft *draft, const struct vf_document *base, struct vf_document next);
void draft_consult(struct draft *draft, const char *id, const struct vf_document *base);
void draft_write_aggregate(struct draft *draft, const struct vf_aggregate *base, struct vf_aggregate next);
void draft_remove_aggregate(struct draft *draft, const struct vf_aggregate *base);
void draft_consult_aggregate(struct draft *draft, enum vf_intent intent, const char *aggregate,
                             const struct vf_aggregate *base);

void draft_remove(struct draft *draft, const struct vf_document *base);
void draft_aside(struct draft *draft, struct vf_aside aside);
void draft_take(struct draft *draft, const struct vf_aside *held);
void draft_drop(struct draft *draft, struct vf_dropped dropped);
void *draft_grow(struct draft *draft, void *items, size_t count, size_t size); /* room for one more behind `count` */

struct vf_commit draft_commit(const struct draft *draft);

/* Sends and waits. An error of VF_UNKNOWN or VF_REFUSED is printed. The second is for any thread. */
enum vf_outcome draft_send(const struct draft *draft, struct vf_store *store);
enum vf_outcome commit_now(struct vf_store *store, const struct vf_commit *commit, struct vf_commit_result *ret_result);

/* On the scene's first store; must be committed. */
void draft_must_commit(const struct draft *draft);

/* One document in a commit of its own, in place of what is there. */
void must_write(struct scene *scene, struct vf_document next);
void must_remove(struct scene *scene, const char *id);

/* Makes what the store needs for these indexes; from now on the scene's drafts keep them. */
void scene_indexes(struct scene *scene, const struct vf_index *indexes, size_t count, bool expires);

void scene_freeze(struct scene *scene, bool frozen);

/* ---- values ---- */

struct vf_document a_document(const char *id, int64_t revision, struct vf_bytes body);
struct vf_document a_husk(const char *id, int64_t revision);
struct vf_document a_deleted_husk(const char *id, int64_t revision, const char *by, int64_t since_ms);
struct vf_document an_expired_husk(const char *id, int64_t revision, int64_t since_ms);
struct vf_document with_expiry(struct vf_document document, int64_t expires_ms);
struct vf_aggregate a_link(const char *aggregate, const char *to, int64_t version); /* to NULL: linked to nothing */
struct vf_aggregate a_waiting(const char *aggregate, int64_t from, int64_t to);     /* held, with such a list */
struct vf_aggregate a_parked(const char *aggregate, int64_t from, int64_t to);
const char *scene_list(struct scene *scene, enum vf_list list, const char *aggregate);             /* the list's key */
struct vf_aside scene_aside(struct scene *scene, const char *list, int64_t place, int64_t offset); /* of orders/0 */
void scene_fill_list(struct scene *scene, const char *list, int64_t first_offset,
                     int64_t count);                         /* makes its record too */
struct vf_bytes all_bytes(struct scene *scene, size_t size); /* whatever a record may hold */

/* Ids and names that mean something to some store, shell or parser, and the longest ones. */
const char **hostile_names(struct scene *scene, size_t *ret_count);

struct vf_progress a_progress(int64_t next);
extern const struct vf_progress no_progress;

struct vf_bytes a_body(struct scene *scene, const char *field, int64_t number);
struct vf_bytes body_from(struct scene *scene, bson_t *bson); /* copies, and destroys `bson` */

/* ---- looking ---- */

struct vf_document load_document(struct scene *scene, const char *id); /* by the second store */
struct vf_aggregate load_aggregate(struct scene *scene, const char *aggregate);
struct vf_aside *scene_load_list(struct scene *scene, const char *list, size_t *ret_count);
struct vf_aside *scene_load_part(struct scene *scene, const char *list, int64_t place, size_t count, size_t bytes_max,
                                 size_t *ret_count);
struct vf_aside_total scene_load_total(struct scene *scene, const char *topic, int32_t partition);
const char *scene_list_at(struct scene *scene, const char *topic, int32_t partition,
                          int64_t offset); /* NULL: not set aside */
struct vf_dropped *scene_load_dropped(struct scene *scene, size_t first, size_t most, size_t *ret_count);
struct vf_progress_row load_row(struct scene *scene, const char *topic, int32_t partition);

/* Everything that a list of names and the generation's progress show. */
struct picture {
    struct vf_document *documents;
    struct vf_aggregate *aggregates;
    size_t document_count, aggregate_count;
    struct vf_progress_row *rows;
    size_t row_count;
    struct vf_aside *asides; /* of those records' lists, where it may matter */
    size_t aside_count;
    struct vf_dropped *dropped; /* all of the view */
    size_t dropped_count;
};
struct picture picture_take(struct scene *scene, const struct draft *of); /* of all that the draft names */
void assert_same_picture(const struct picture *a, const struct picture *b);

/* Whole, stamps too; bodies as values with their types, in any order of fields. */
void assert_same_document(const struct vf_document *a, const struct vf_document *b);
void assert_same_content(const struct vf_document *a, const struct vf_document *b); /* all but the stamp */
void assert_same_aggregate(const struct vf_aggregate *a, const struct vf_aggregate *b);
void assert_same_aside(const struct vf_aside *a, const struct vf_aside *b);
void assert_same_dropped(const struct vf_dropped *a, const struct vf_dropped *b);
void assert_same_list(struct scene *scene, const char *list, const struct vf_aside *wanted, size_t wanted_count);
void assert_same_body(struct vf_bytes a, struct vf_bytes b);
void assert_same_progress(const struct vf_progress *a, const struct vf_progress *b);

#endif
