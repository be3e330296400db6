#include "redis/redis_draft.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

void draft_init(struct draft *draft, const char *view, uint64_t stamp)
{
    *draft = (struct draft){.commit = {.view = {view, 1}, .stamp = stamp}, .arena = vf_arena_new()};
    draft->documents = vf_calloc(DRAFT_CHANGES_MAX, sizeof(*draft->documents));
    draft->aggregates = vf_calloc(DRAFT_CHANGES_MAX, sizeof(*draft->aggregates));
    draft->asides = vf_calloc(DRAFT_ASIDES_MAX, sizeof(*draft->asides));
    draft->taken = vf_calloc(DRAFT_ASIDES_MAX, sizeof(*draft->taken));
    draft->commit.asides = draft->asides;
    draft->commit.taken = draft->taken;
    draft->commit.dropped = draft->dropped;
    draft->commit.progress = draft->progress;
    draft->commit.documents = draft->documents;
    draft->commit.aggregates = draft->aggregates;
}

void draft_done(struct draft *draft)
{
    vf_arena_free(draft->arena);
    free(draft->documents);
    free(draft->aggregates);
    free(draft->asides);
    free(draft->taken);
}

void draft_move(struct draft *draft, int64_t from, int64_t to)
{
    struct vf_progress_change *change = &draft->progress[draft->commit.progress_count++];
    change->partition = (struct vf_partition){"orders", 3};
    change->from = (struct vf_progress){.exists = from >= 0, .next = from >= 0 ? from : 0, .of = 7};
    change->to = (struct vf_progress){.exists = true, .next = to, .of = 7};
}

struct vf_document_change *draft_body(struct draft *draft, struct vf_bytes id, int64_t revision, const bson_t *body)
{
    struct vf_document_change *change = &draft->documents[draft->commit.document_count++];
    struct vf_version *version = vf_arena_calloc(draft->arena, 1, sizeof(*version));
    *version = (struct vf_version){VF_LITERAL("order/1"), revision, NULL};
    change->next = (struct vf_document){
        .id = id,
        .presence = body ? VF_PRESENT : VF_HUSK_NEW,
        .stamp = draft->commit.stamp,
        .revision = revision,
        .versions = version,
        .version_count = 1,
    };
    if (body)
        change->next.body = vf_arena_bytes(draft->arena, bson_get_data(body), body->len);
    return change;
}

struct vf_document_change *draft_document(struct draft *draft, struct vf_bytes id, int64_t revision, const char *json)
{
    struct vf_json_parser *parser = vf_json_parser_new();
    struct vf_json root, value;
    struct vf_bytes name;
    bson_t body = BSON_INITIALIZER;
    struct vf_error error;
    if (json) {
        assert_int_equal(vf_json_parse(parser, vf_bytes_from(json), &root, &error), VF_OK);
        struct vf_json_iterator iterator = vf_json_iterate(root);
        while (vf_json_next(&iterator, &name, &value))
            assert_int_equal(vf_body_append_json(&body, name, value, &error), VF_OK);
    }
    struct vf_document_change *change = draft_body(draft, id, revision, json ? &body : NULL);
    bson_destroy(&body);
    vf_json_parser_free(parser);
    return change;
}

struct vf_aggregate_change *draft_link(struct draft *draft, const char *aggregate, const char *id)
{
    struct vf_aggregate_change *change = &draft->aggregates[draft->commit.aggregate_count++];
    change->next = (struct vf_aggregate){
        .aggregate = vf_bytes_from(aggregate), .exists = true, .has_link = true, .link = vf_bytes_from(id)};
    return change;
}

struct vf_aside *draft_aside(struct draft *draft, const char *list, int64_t place, const char *aggregate,
                             int64_t offset, const char *record)
{
    struct vf_aside *event =
        record ? &draft->asides[draft->commit.aside_count++] : &draft->taken[draft->commit.taken_count++];
    *event = (struct vf_aside){.list = vf_bytes_from(list),
                               .place = place,
                               .aggregate = vf_bytes_from(aggregate),
                               .partition = {"orders", 3},
                               .offset = offset,
                               .record = vf_bytes_from(record)};
    return event;
}

enum vf_outcome draft_run(struct draft *draft, struct vf_store *store, struct vf_commit_result *ret_result)
{
    vf_redis_store_type.commit_send(store, &draft->commit);
    vf_redis_store_type.commit_wait(store, ret_result);
    return ret_result->outcome;
}

void draft_must_commit(struct draft *draft, struct vf_store *store)
{
    struct vf_commit_result result;
    if (draft_run(draft, store, &result) != VF_COMMITTED)
        fail_msg("outcome %d, failed %u: %s", (int)result.outcome, result.failed, result.error.text);
}

struct vf_document draft_load(struct draft *draft, struct vf_store *store, struct vf_bytes id)
{
    struct vf_document document;
    struct vf_error error;
    if (vf_redis_store_type.load(store, draft->commit.view, &id, 1, NULL, 0, draft->arena, &document, NULL, &error) !=
        VF_OK)
        fail_msg("%s", error.text);
    return document;
}
