/*
 * A test file, X.test.yaml beside X.lua, as plain data. Everything that is wrong in it is found in one go, with line and
 * column. All of it lives in the file's arena; immutable once it is read.
 */
#ifndef VF_CLI_TEST_FILE_H
#define VF_CLI_TEST_FILE_H

#include "cli/findings.h"
#include "core/arena.h"
#include "core/event.h"
#include "projector.h"

#define VF_TEST_FILE_BYTES_MAX (4 << 20)
#define VF_TEST_EVENTS_MAX     2000 /* in one test */

struct vf_node;

struct vf_test_event {
    struct vf_place place;
    const char *notation; /* "order/63-0@1 OrderCreated", for messages */
    struct vf_bytes kind, id;
    struct vf_bytes version; /* as it is written; NUL-terminated */
    bool version_is_text;    /* it is no integer as integers are written */
    bool is_revision;        /* its event id stands behind it */
    enum vf_numbers numbers; /* of all of the topic's events in this test: sequence, revision, or ordered, as text */
    const char *event_id;    /* or NULL */
    const struct vf_node *data, *schema; /* or NULL */
    const char *type;
    const char *topic;      /* NUL-terminated: the long form's, or the one that its kind suggests */
    struct vf_bytes record; /* the record's value: JSON in the default envelope */
    int64_t time_ms;
    const struct vf_header *headers;
    size_t header_count;
    size_t aggregate;  /* which of the test's aggregates: 0, 1, ... in order of first mention */
    int32_t partition; /* each aggregate has one of its own in each topic */
};

struct vf_test_expected {
    struct vf_place place;
    const char *id;
    bool absent;
    struct vf_bytes body; /* BSON */
};

struct vf_test_case {
    const char *path; /* the file's */
    struct vf_place place;
    const char *name;
    const struct vf_test_event *events;
    size_t event_count;
    size_t aggregate_count;
    const struct vf_test_expected *expected; /* the whole view; ids are not repeated */
    size_t expected_count;
};

struct vf_test_file {
    const char *path;
    const struct vf_test_case *cases;
    size_t case_count;
    struct vf_arena *arena;
};

/* Reads the file for a projection, whose kinds, topics and types its events name. VF_E_NOT_FOUND, VF_E_DENIED: it cannot be
 * read. VF_E_CONFIG: `findings` say what is wrong in it. */
VF_MUSTCHECK enum vf_code vf_test_file_read(const char *path, const struct vf_projection *projection,
                                            struct vf_findings *findings, struct vf_test_file **ret_file,
                                            struct vf_error *error);
void vf_test_file_free(struct vf_test_file *file); /* NULL is fine */

#endif
