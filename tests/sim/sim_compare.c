#include "sim/sim_compare.h"

#include <bson/bson.h>

#define DIFFERS(...) return vf_fail(error, VF_E_DATA, __VA_ARGS__)

static enum vf_code compare_body(const struct vf_document *found, const struct sim_document *wanted,
                                 struct vf_error *error)
{
    bson_t bson;
    bson_iter_t field, inner;
    size_t fields = 0, expected = 0;
    for (size_t i = 0; i < wanted->part_count; i++)
        expected += wanted->parts[i].count > 0;
    if (!bson_init_static(&bson, (const uint8_t *)found->body.data, found->body.size) || !bson_iter_init(&field, &bson))
        DIFFERS("document %s: no body", wanted->id);
    for (; bson_iter_next(&field); fields++) {
        const struct sim_part *part = NULL;
        for (size_t i = 0; i < wanted->part_count; i++)
            if (strcmp(wanted->parts[i].aggregate, bson_iter_key(&field)) == 0)
                part = &wanted->parts[i];
        int64_t hash = 0, count = 0;
        bson_iter_recurse(&field, &inner);
        while (bson_iter_next(&inner))
            *(bson_iter_key(&inner)[0] == 'h' ? &hash : &count) = bson_iter_int64(&inner);
        if (!part || part->count != count || part->hash != hash)
            DIFFERS("document %s: %s has %lld events handled, chain %llx; wanted %lld, %llx", wanted->id,
                    bson_iter_key(&field), (long long)count, (unsigned long long)hash,
                    part ? (long long)part->count : 0, part ? (unsigned long long)part->hash : 0);
    }
    if (fields != expected)
        DIFFERS("document %s: %zu aggregates in its body, wanted %zu", wanted->id, fields, expected);
    return VF_OK;
}

/* Whether a version and what is kept beside it are those of the model. */
static bool is_version(int64_t version, const struct vf_version_more *more, const struct sim_version *wanted)
{
    struct vf_bytes rest = more ? more->ids : (struct vf_bytes){0}, id;
    if (version != (wanted->text[0] ? 0 : wanted->version))
        return false;
    if (!vf_bytes_is(more ? more->text : (struct vf_bytes){0}, wanted->text))
        return false;
    if (more && more->id_count > 0 && more->is_window != (wanted->numbers.numbers == VF_NUMBERS_OFFSET))
        return false;
    for (int i = 0; i < wanted->id_count; i++)
        if (!vf_event_ids_next(&rest, &id) || !vf_bytes_is(id, wanted->ids[i]))
            return false;
    return rest.size == 0 && (more ? more->id_count : 0) == (uint32_t)wanted->id_count;
}

static enum vf_code fail_version(const char *where, const char *aggregate, int64_t version,
                                 const struct vf_version_more *more, const struct sim_version *wanted,
                                 struct vf_error *error)
{
    struct vf_buffer found;
    vf_buffer_init(&found);
    vf_version_print(&found, version, more);
    (void)vf_fail(error, VF_E_DATA, "%s: %s at version %s, wanted %lld %s with %d ids, the last one %s", where,
                  aggregate, found.data, (long long)wanted->version, wanted->text, wanted->id_count,
                  wanted->id_count ? wanted->ids[wanted->id_count - 1] : "(none)");
    vf_buffer_done(&found);
    return VF_E_DATA;
}

static enum vf_code compare_document(const struct vf_document *found, const struct sim_document *wanted,
                                     enum vf_versions_mode versions, struct vf_error *error)
{
    if (!vf_bytes_is(found->id, wanted->id))
        DIFFERS("document %.*s is there, the model has %s", (int)found->id.size, found->id.data, wanted->id);
    if (found->presence != (wanted->present ? VF_PRESENT : VF_HUSK_NEW))
        DIFFERS("document %s: presence %d, and the model says %s", wanted->id, (int)found->presence,
                wanted->present ? "present" : "husk");
    if (found->revision != wanted->revision)
        DIFFERS("document %s: revision %lld, wanted %lld", wanted->id, (long long)found->revision,
                (long long)wanted->revision);
    if (found->version_count != (versions == VF_VERSIONS_DOCUMENT ? wanted->part_count : 0))
        DIFFERS("document %s: %zu versions, wanted %zu", wanted->id, found->version_count, wanted->part_count);
    for (size_t i = 0; i < found->version_count; i++)
        if (!vf_bytes_is(found->versions[i].aggregate, wanted->parts[i].aggregate) ||
            !is_version(found->versions[i].version, found->versions[i].more, &wanted->parts[i].last))
            return fail_version(wanted->id, wanted->parts[i].aggregate, found->versions[i].version,
                                found->versions[i].more, &wanted->parts[i].last, error);
    return wanted->present ? compare_body(found, wanted, error) : VF_OK;
}

static enum vf_code compare_aggregate(const struct vf_aggregate *found, const struct sim_last *last,
                                      enum vf_versions_mode versions, struct vf_error *error)
{
    bool is_none = last->link[0] == 0;
    if (last->has_link && (!found->has_link || found->link_is_none != is_none ||
                           (!found->link_is_none && !vf_bytes_is(found->link, last->link))))
        DIFFERS("aggregate record %s: wrong link", last->aggregate);
    bool wants_version =
        versions == VF_VERSIONS_RECORD || (versions == VF_VERSIONS_DOCUMENT && last->has_link && is_none);
    if (found->has_version != wants_version ||
        (wants_version && !is_version(found->version, found->version_more, &last->last)))
        return fail_version("aggregate record", last->aggregate, found->version, found->version_more, &last->last,
                            error);
    return VF_OK;
}

static enum vf_code compare_aggregates(const struct vf_memory_contents *contents, const struct sim_model *model,
                                       enum vf_versions_mode versions, struct vf_error *error)
{
    size_t expected = 0;
    for (size_t i = 0; i < model->last_count; i++) {
        const struct sim_last *last = &model->lasts[i];
        if (!(versions == VF_VERSIONS_RECORD ? last->last.exists : last->has_link))
            continue;
        expected++;
        const struct vf_aggregate *found = NULL;
        for (size_t a = 0; a < contents->aggregate_count; a++)
            if (vf_bytes_is(contents->aggregates[a].aggregate, last->aggregate))
                found = &contents->aggregates[a];
        if (!found)
            DIFFERS("aggregate record %s is missing", last->aggregate);
        enum vf_code code = compare_aggregate(found, last, versions, error);
        if (code)
            return code;
    }
    if (contents->aggregate_count != expected)
        DIFFERS("%zu aggregate records, wanted %zu", contents->aggregate_count, expected);
    return VF_OK;
}

enum vf_code sim_compare(const struct vf_memory_contents *contents, const struct sim_model *model,
                         enum vf_versions_mode versions, struct vf_error *error)
{
    if (contents->document_count != model->document_count)
        DIFFERS("%zu documents, and the model has %zu", contents->document_count, model->document_count);
    for (size_t i = 0; i < model->document_count; i++) {
        enum vf_code code = compare_document(&contents->documents[i], &model->documents[i], versions, error);
        if (code)
            return code;
    }
    return compare_aggregates(contents, model, versions, error);
}
