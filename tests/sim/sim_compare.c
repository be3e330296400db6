#include "sim/sim_compare.h"

#include <bson/bson.h>
#include <stdio.h>

#define DIFFERS(...) return vf_fail(error, VF_E_DATA, __VA_ARGS__)

/* --- documents ---------------------------------------------------------------------------------------------------- */

/* The chain that a body has under this name; NULL: the model knows no such name. */
static const struct sim_chain *find_chain(const struct sim_model *model, const struct sim_document *wanted,
                                          const char *name)
{
    bool left = strncmp(name, "left ", 5) == 0;
    for (int i = 0; i < model->aggregate_count; i++)
        if (strcmp(model->aggregates[i].name, left ? name + 5 : name) == 0)
            return left ? &wanted->parts[i].left : &wanted->parts[i].here;
    return NULL;
}

static enum vf_code compare_body(const struct vf_document *found, const struct sim_document *wanted,
                                 const struct sim_model *model, struct vf_error *error)
{
    bson_t bson;
    bson_iter_t field, inner;
    int fields = 0, expected = 0;
    for (int i = 0; i < model->aggregate_count; i++)
        expected += (wanted->parts[i].here.count > 0) + (wanted->parts[i].left.count > 0);
    if (!bson_init_static(&bson, (const uint8_t *)found->body.data, found->body.size) || !bson_iter_init(&field, &bson))
        DIFFERS("document %s: no body", wanted->id);
    while (bson_iter_next(&field)) {
        if (!BSON_ITER_HOLDS_DOCUMENT(&field))
            continue; /* for indexes only */
        const struct sim_chain *chain = find_chain(model, wanted, bson_iter_key(&field));
        int64_t hash = 0, count = 0;
        bson_iter_recurse(&field, &inner);
        while (bson_iter_next(&inner))
            *(bson_iter_key(&inner)[0] == 'h' ? &hash : &count) = bson_iter_int64(&inner);
        if (!chain || chain->count != count || chain->hash != hash)
            DIFFERS("document %s: %s has %lld events handled, chain %llx; wanted %lld, %llx", wanted->id,
                    bson_iter_key(&field), (long long)count, (unsigned long long)hash,
                    chain ? (long long)chain->count : 0, chain ? (unsigned long long)chain->hash : 0);
        fields++;
    }
    if (fields != expected)
        DIFFERS("document %s: %d aggregates in its body, wanted %d", wanted->id, fields, expected);
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
    for (int i = 0; i < wanted->id_count; i++) {
        char text[SIM_TEXT];
        snprintf(text, sizeof text, "e%d", wanted->ids[i]);
        if (!vf_event_ids_next(&rest, &id) || !vf_bytes_is(id, text))
            return false;
    }
    return rest.size == 0 && (more ? more->id_count : 0) == (uint32_t)wanted->id_count;
}

static enum vf_code fail_version(const char *where, const char *aggregate, int64_t version,
                                 const struct vf_version_more *more, const struct sim_version *wanted,
                                 struct vf_error *error)
{
    struct vf_buffer found;
    vf_buffer_init(&found);
    vf_version_print(&found, version, more);
    (void)vf_fail(error, VF_E_DATA, "%s: %s at version %s, wanted %lld %s with %d ids, the last one e%d", where,
                  aggregate, found.data, (long long)wanted->version, wanted->text, wanted->id_count,
                  wanted->id_count ? wanted->ids[wanted->id_count - 1] : -1);
    vf_buffer_done(&found);
    return VF_E_DATA;
}

static enum vf_code compare_versions(const struct vf_document *found, const struct sim_document *wanted,
                                     const struct sim_model *model, struct vf_error *error)
{
    size_t expected = 0;
    for (int i = 0; i < model->aggregate_count; i++)
        expected += model->versions == VF_VERSIONS_DOCUMENT && wanted->parts[i].entered;
    if (found->version_count != expected)
        DIFFERS("document %s: %zu versions, wanted %zu", wanted->id, found->version_count, expected);
    for (size_t i = 0; i < found->version_count; i++) {
        const struct vf_version *version = &found->versions[i];
        const struct sim_part *part = NULL;
        if (i && vf_bytes_compare(found->versions[i - 1].aggregate, version->aggregate) >= 0)
            DIFFERS("document %s: versions are not sorted", wanted->id);
        for (int a = 0; a < model->aggregate_count; a++)
            if (vf_bytes_is(version->aggregate, model->aggregates[a].name) && wanted->parts[a].entered)
                part = &wanted->parts[a];
        if (!part)
            DIFFERS("document %s has a version of %.*s", wanted->id, (int)version->aggregate.size,
                    version->aggregate.data);
        char name[2 * SIM_TEXT];
        snprintf(name, sizeof name, "%.*s", (int)version->aggregate.size, version->aggregate.data);
        if (!part->loose && !is_version(version->version, version->more, &part->last))
            return fail_version(wanted->id, name, version->version, version->more, &part->last, error);
    }
    return VF_OK;
}

static const char *deleted_by(const struct sim_model *model, const struct sim_document *document)
{
    return document->presence == VF_HUSK_DELETED ? model->aggregates[document->deleted_by].name : "";
}

static enum vf_code compare_document(const struct vf_document *found, const struct sim_document *wanted,
                                     const struct sim_model *model, struct vf_error *error)
{
    if (found->presence != wanted->presence)
        DIFFERS("document %s: presence %d, wanted %d", wanted->id, (int)found->presence, (int)wanted->presence);
    if (found->revision != wanted->revision)
        DIFFERS("document %s: revision %lld, wanted %lld", wanted->id, (long long)found->revision,
                (long long)wanted->revision);
    if (found->has_expires != wanted->has_expires || (found->has_expires && found->expires_ms != wanted->expires_ms))
        DIFFERS("document %s: expires %d %lld, wanted %d %lld", wanted->id, (int)found->has_expires,
                (long long)found->expires_ms, (int)wanted->has_expires, (long long)wanted->expires_ms);
    bool has_since = wanted->presence == VF_HUSK_DELETED || wanted->presence == VF_HUSK_EXPIRED;
    if (has_since && found->since_ms != wanted->since_ms)
        DIFFERS("document %s: gone since %lld, wanted %lld", wanted->id, (long long)found->since_ms,
                (long long)wanted->since_ms);
    if (!vf_bytes_is(found->deleted_by, deleted_by(model, wanted)))
        DIFFERS("document %s: deleted by %.*s, wanted %s", wanted->id, (int)found->deleted_by.size,
                found->deleted_by.size ? found->deleted_by.data : "", deleted_by(model, wanted));
    if (wanted->presence != VF_PRESENT && found->body.size)
        DIFFERS("document %s is a husk with a body", wanted->id);
    enum vf_code code = compare_versions(found, wanted, model, error);
    if (code || wanted->presence != VF_PRESENT)
        return code;
    return compare_body(found, wanted, model, error);
}

static enum vf_code compare_documents(const struct vf_memory_contents *contents, const struct sim_model *model,
                                      struct vf_error *error)
{
    size_t expected = 0;
    for (int i = 0; i < model->document_count; i++) {
        const struct vf_document *found = NULL;
        if (model->documents[i].presence == VF_ABSENT)
            continue;
        expected++;
        for (size_t d = 0; d < contents->document_count; d++)
            if (vf_bytes_is(contents->documents[d].id, model->documents[i].id))
                found = &contents->documents[d];
        if (!found)
            DIFFERS("document %s is missing", model->documents[i].id);
        enum vf_code code = compare_document(found, &model->documents[i], model, error);
        if (code)
            return code;
    }
    if (contents->document_count != expected)
        DIFFERS("%zu documents, and the model has %zu", contents->document_count, expected);
    return VF_OK;
}

/* --- aggregate records -------------------------------------------------------------------------------------------- */

static enum vf_code compare_link(const struct vf_aggregate *found, const struct sim_aggregate *wanted,
                                 const struct sim_model *model, struct vf_error *error)
{
    bool is_none = wanted->has_link && wanted->link[0] == 0;
    if (found->has_link != wanted->has_link ||
        (wanted->has_link && (found->link_is_none != is_none || !vf_bytes_is(found->link, wanted->link))))
        DIFFERS("aggregate record %s: link %.*s, wanted %s", wanted->name, (int)found->link.size,
                found->link.size ? found->link.data : "", wanted->has_link ? wanted->link : "(unknown)");
    const char *via = wanted->via >= 0 ? model->aggregates[wanted->via].name : "";
    if (!vf_bytes_is(found->link_via, via))
        DIFFERS("aggregate record %s: linked through %.*s, wanted %s", wanted->name, (int)found->link_via.size,
                found->link_via.size ? found->link_via.data : "", via);
    return VF_OK;
}

/* The places of what waits in a list are the record's, without a hole. */
static enum vf_code compare_list(int64_t from, int64_t to, int number, enum vf_list which,
                                 const struct sim_model *model, struct vf_error *error)
{
    int64_t count = 0;
    for (int i = 0; i < model->waiting_count; i++) {
        const struct sim_waiting *waiting = &model->waiting[i];
        if (waiting->list != number || waiting->which != which)
            continue;
        char name[SIM_LIST_TEXT];
        sim_model_list_name(model, waiting, name);
        if (waiting->place != from + count)
            DIFFERS("%s: place %lld is the %lld. of the list from %lld", name, (long long)waiting->place,
                    (long long)count, (long long)from);
        count++;
    }
    if (to - from != count)
        DIFFERS("aggregate record %s: list %d from %lld to %lld, and %lld events wait there",
                model->aggregates[number].name, (int)which, (long long)from, (long long)to, (long long)count);
    return VF_OK;
}

static enum vf_code compare_waiting(const struct vf_aggregate *found, int number, const struct sim_model *model,
                                    const struct sim_log *log, struct vf_error *error)
{
    const struct sim_aggregate *wanted = &model->aggregates[number];
    const char *awaited = wanted->waits_for >= 0 ? model->aggregates[wanted->waits_for].name : "";
    if (!vf_bytes_is(found->waits_for, awaited))
        DIFFERS("aggregate record %s: waits for %.*s, wanted %s", wanted->name, (int)found->waits_for.size,
                found->waits_for.size ? found->waits_for.data : "", awaited);
    if (found->has_seen != wanted->behind)
        DIFFERS("aggregate record %s: has_seen %d, and %d of its events wait", wanted->name, (int)found->has_seen,
                wanted->waiting);
    if (found->has_seen && model->versions != VF_VERSIONS_NONE &&
        !is_version(found->seen, found->seen_more, &wanted->last))
        return fail_version("seen", wanted->name, found->seen, found->seen_more, &wanted->last, error);
    enum vf_list which;
    bool draining = sim_model_is_draining(model, log, number, &which);
    bool may_look = wanted->early; /* whether its early events are next, it has yet to look */
    if (found->draining != draining && !(found->draining && may_look))
        DIFFERS("aggregate record %s: draining %d, wanted %d", wanted->name, (int)found->draining, (int)draining);
    enum vf_code code = compare_list(found->aside_from, found->aside_to, number, VF_LIST_OWN, model, error);
    if (!code)
        code = compare_list(found->waiters_from, found->waiters_to, number, VF_LIST_WAITERS, model, error);
    if (code)
        return code;
    if (found->parked != wanted->parked)
        DIFFERS("aggregate record %s: parked %d, wanted %d", wanted->name, (int)found->parked, (int)wanted->parked);
    if (found->early_count != wanted->early)
        DIFFERS("aggregate record %s: %lld early events, wanted %d", wanted->name, (long long)found->early_count,
                wanted->early);
    const struct sim_waiting *early = sim_model_early(model, log, number);
    if (early && vf_early_number(found->early_from) != log->events[early->event].version)
        DIFFERS("aggregate record %s: early from %lld, wanted %lld", wanted->name, (long long)found->early_from,
                (long long)log->events[early->event].version);
    return VF_OK;
}

static enum vf_code compare_aggregate(const struct vf_aggregate *found, int number, const struct sim_model *model,
                                      const struct sim_log *log, struct vf_error *error)
{
    const struct sim_aggregate *wanted = &model->aggregates[number];
    enum vf_code code = compare_link(found, wanted, model, error);
    if (!code)
        code = compare_waiting(found, number, model, log, error);
    if (code || wanted->behind)
        return code;
    /* While events wait, it is `seen` that counts, and after a link to a document its entry. */
    bool wants_version =
        wanted->last.exists &&
        (model->versions == VF_VERSIONS_RECORD ||
         (model->versions == VF_VERSIONS_DOCUMENT && wanted->linked && (!wanted->has_link || !wanted->link[0])));
    if (wants_version && (!found->has_version || !is_version(found->version, found->version_more, &wanted->last)))
        return fail_version("aggregate record", wanted->name, found->has_version ? found->version : -1,
                            found->version_more, &wanted->last, error);
    return VF_OK;
}

/* Whether there is something to keep about an aggregate. */
static bool has_record(const struct sim_model *model, int number)
{
    const struct sim_aggregate *aggregate = &model->aggregates[number];
    bool is_ignored = aggregate->linked && !aggregate->has_link && aggregate->last.exists;
    return aggregate->has_link || aggregate->waiting > 0 || aggregate->early > 0 ||
           sim_model_first(model, number, VF_LIST_OWN) || sim_model_first(model, number, VF_LIST_WAITERS) ||
           (model->versions == VF_VERSIONS_RECORD && aggregate->last.exists) ||
           (model->versions == VF_VERSIONS_DOCUMENT && is_ignored);
}

static enum vf_code compare_aggregates(const struct vf_memory_contents *contents, const struct sim_model *model,
                                       const struct sim_log *log, struct vf_error *error)
{
    size_t expected = 0;
    for (int i = 0; i < model->aggregate_count; i++) {
        const struct vf_aggregate *found = NULL;
        if (!has_record(model, i))
            continue;
        expected++;
        for (size_t a = 0; a < contents->aggregate_count; a++)
            if (vf_bytes_is(contents->aggregates[a].aggregate, model->aggregates[i].name))
                found = &contents->aggregates[a];
        if (!found)
            DIFFERS("aggregate record %s is missing", model->aggregates[i].name);
        enum vf_code code = compare_aggregate(found, i, model, log, error);
        if (code)
            return code;
    }
    if (contents->aggregate_count != expected)
        DIFFERS("%zu aggregate records, wanted %zu", contents->aggregate_count, expected);
    return VF_OK;
}

/* --- what is set aside -------------------------------------------------------------------------------------------- */

static enum vf_code compare_asides(const struct vf_memory_contents *contents, const struct sim_model *model,
                                   const struct sim_log *log, struct vf_error *error)
{
    for (int i = 0; i < model->waiting_count; i++) {
        const struct sim_waiting *waiting = &model->waiting[i];
        const struct sim_event *event = &log->events[waiting->event];
        size_t found = 0;
        char list[SIM_LIST_TEXT];
        sim_model_list_name(model, waiting, list);
        for (size_t a = 0; a < contents->aside_count; a++) {
            const struct vf_aside *aside = &contents->asides[a];
            char owner[2 * SIM_TEXT];
            snprintf(owner, sizeof owner, "%s/%s", event->kind, event->id);
            found += aside->offset == event->offset && aside->partition.partition == event->partition &&
                     strcmp(aside->partition.topic, event->topic) == 0 && aside->place == waiting->place &&
                     vf_bytes_is(aside->list, list) && vf_bytes_is(aside->aggregate, owner);
        }
        if (found != 1)
            DIFFERS("%s/%d@%lld is set aside %zu times at place %lld of the list %s", event->topic, event->partition,
                    (long long)event->offset, found, (long long)waiting->place, list);
    }
    if (contents->aside_count != (size_t)model->waiting_count)
        DIFFERS("%zu events are set aside, and %d wait", contents->aside_count, model->waiting_count);
    for (size_t i = 0; i < contents->row_count; i++) {
        const struct vf_progress_row *row = &contents->rows[i];
        for (size_t e = 0; e < log->count && row->progress.exists; e++) {
            const struct sim_event *event = &log->events[e];
            if (strcmp(event->topic, row->partition.topic) != 0)
                continue;
            int64_t wanted = model->aside[event->topic_number][row->partition.partition];
            if (row->progress.aside != wanted)
                DIFFERS("%s/%d: %lld events were ever set aside, wanted %lld", event->topic, row->partition.partition,
                        (long long)row->progress.aside, (long long)wanted);
            break;
        }
    }
    return VF_OK;
}

/* --- indexes ------------------------------------------------------------------------------------------------------ */

/* How many entries of the index there are that say this of the document. */
static size_t count_entries(const struct vf_memory_contents *contents, const char *index, const char *id,
                            const char *by, bool sorted, int64_t sort)
{
    size_t count = 0;
    for (size_t i = 0; i < contents->entry_count; i++) {
        const struct vf_memory_entry *entry = &contents->entries[i];
        enum vf_sort_kind kind = sorted ? VF_SORT_NUMBER : VF_SORT_NONE;
        count += strcmp(entry->index, index) == 0 && vf_bytes_is(entry->id, id) && vf_bytes_is(entry->entry.by, by) &&
                 entry->entry.sort.kind == kind && (!sorted || (int64_t)entry->entry.sort.number == sort);
    }
    return count;
}

static enum vf_code compare_entries(const struct vf_memory_contents *contents, const struct sim_model *model,
                                    struct vf_error *error)
{
    size_t expected = 0;
    for (int i = 0; i < model->document_count && model->indexed; i++) {
        const struct sim_document *document = &model->documents[i];
        int64_t total = 0;
        for (int a = 0; a < model->aggregate_count; a++)
            total += document->parts[a].here.count + document->parts[a].left.count;
        if (document->presence != VF_PRESENT)
            continue;
        char third[SIM_TEXT];
        snprintf(third, sizeof third, "%lld", (long long)(total % 3));
        expected += total % 2 ? 3 : 2;
        if (count_entries(contents, "all", document->id, "", true, total) != 1 ||
            count_entries(contents, "odd", document->id, "", true, total) != (size_t)(total % 2) ||
            count_entries(contents, "third", document->id, third, false, 0) != 1)
            DIFFERS("document %s: its index entries are not those of %lld events", document->id, (long long)total);
    }
    if (contents->entry_count != expected)
        DIFFERS("%zu index entries, wanted %zu", contents->entry_count, expected);
    return VF_OK;
}

/* Every decision is kept, in order: a view that is built anew has to go by it. */
static enum vf_code compare_dropped(const struct vf_memory_contents *contents, const struct sim_model *model,
                                    const struct sim_log *log, struct vf_error *error)
{
    if (contents->dropped_count != (size_t)model->dropped_count)
        DIFFERS("%zu drops are kept, wanted %d", contents->dropped_count, model->dropped_count);
    for (int i = 0; i < model->dropped_count; i++)
        if (!sim_model_is_dropped(model, log, i, &contents->dropped[i]))
            DIFFERS("the drop %d of %.*s is another one", i, (int)contents->dropped[i].aggregate.size,
                    contents->dropped[i].aggregate.data);
    return VF_OK;
}

enum vf_code sim_compare(const struct vf_memory_contents *contents, const struct sim_model *model,
                         const struct sim_log *log, struct vf_error *error)
{
    enum vf_code code = compare_documents(contents, model, error);
    if (!code)
        code = compare_aggregates(contents, model, log, error);
    if (!code)
        code = compare_asides(contents, model, log, error);
    if (!code)
        code = compare_entries(contents, model, error);
    if (!code)
        code = compare_dropped(contents, model, log, error);
    return code;
}
