/*
 * A commit as one FCALL: keys and arguments in the order that library_commit.lua describes. Numbers that mean something (stamps,
 * revisions, versions) pass as text and are only compared there.
 */
#include "connectors/redis/internal.h"

static bool is_absent(const struct vf_document_change *change)
{
    return change->base == VF_ABSENT;
}

/* What a change writes; VF_ABSENT where it writes nothing. */
static enum vf_presence written(const struct vf_document_change *change)
{
    return change->intent == VF_WRITE ? change->next.presence : VF_ABSENT;
}

static struct vf_bytes head_of(const struct vf_redis_keys *keys, enum vf_presence presence)
{
    return presence == VF_PRESENT ? keys->document : keys->husk;
}

/* What a change writes lies at the key that it was read from. */
static bool stays(const struct vf_document_change *change)
{
    enum vf_presence next = written(change);
    return next == VF_PRESENT ? change->base == VF_PRESENT : vf_is_husk(next) && vf_is_husk(change->base);
}

/* A document has two keys, of which at most one is there. Which of them must be absent:
 *   absent     both
 *   a husk     the document's
 *   present    the husk's is, as whatever wrote the document removed it; it is looked at where it is to be written */
static size_t absent_keys(const struct vf_document_change *change)
{
    if (is_absent(change))
        return 2;
    if (vf_is_husk(change->base))
        return 1;
    return vf_is_husk(written(change)) ? 1 : 0;
}

/* First the number of keys is needed, then the keys. */
static void count_keys(const struct vf_commit *commit, struct vf_redis_layout *layout)
{
    *layout = (struct vf_redis_layout){0};
    for (size_t i = 0; i < commit->document_count; i++) {
        const struct vf_document_change *change = &commit->documents[i];
        layout->absent_documents += absent_keys(change);
        if (!is_absent(change) && change->intent == VF_WRITE)
            layout->written_documents++;
        else if (!is_absent(change))
            layout->consulted_documents++;
    }
    layout->absent = layout->absent_documents;
    layout->written = layout->written_documents;
    layout->consulted = layout->consulted_documents;
    for (size_t i = 0; i < commit->aggregate_count; i++) {
        const struct vf_aggregate_change *change = &commit->aggregates[i];
        if (!change->base_exists)
            layout->absent++;
        else if (change->intent == VF_WRITE)
            layout->written++;
        else
            layout->consulted++;
    }
}

/* Adds the keys in their order, and notes the place (1..) of each that is written to. */
static void add_keys(struct vf_store *store, const struct vf_commit *commit)
{
    struct vf_redis_request *request = &store->commit_request;
    const struct vf_redis_keys *keys = &store->keys;
    size_t *places = store->commit_places;
    size_t *aggregate_places = places + commit->document_count;
    size_t place = 3;
    vf_redis_request_add(request, keys->progress);
    vf_redis_request_add(request, keys->stopped);
    for (size_t i = 0; i < commit->document_count; i++) {
        const struct vf_document_change *change = &commit->documents[i];
        enum vf_presence next = written(change);
        if (is_absent(change) || vf_is_husk(change->base)) {
            vf_redis_request_add_joined(request, keys->document, change->next.id);
            if (next == VF_PRESENT)
                places[i] = place;
            place++;
        }
        if (is_absent(change) || (change->base == VF_PRESENT && vf_is_husk(next))) {
            vf_redis_request_add_joined(request, keys->husk, change->next.id);
            if (vf_is_husk(next))
                places[i] = place;
            place++;
        }
    }
    for (size_t i = 0; i < commit->aggregate_count; i++) {
        if (commit->aggregates[i].base_exists)
            continue;
        vf_redis_request_add_joined(request, keys->aggregate, commit->aggregates[i].next.aggregate);
        aggregate_places[i] = place++;
    }
    /* Those that carry a stamp: first what is written, so that one UNLINK takes them all, then what was consulted. */
    for (int consulted = 0; consulted < 2; consulted++) {
        for (size_t i = 0; i < commit->document_count; i++) {
            const struct vf_document_change *change = &commit->documents[i];
            if (is_absent(change) || (change->intent != VF_WRITE) != consulted)
                continue;
            vf_redis_request_add_joined(request, head_of(keys, change->base), change->next.id);
            if (stays(change))
                places[i] = place;
            place++;
        }
        for (size_t i = 0; i < commit->aggregate_count; i++) {
            const struct vf_aggregate_change *change = &commit->aggregates[i];
            if (!change->base_exists || (change->intent != VF_WRITE) != consulted)
                continue;
            vf_redis_request_add_joined(request, keys->aggregate, change->next.aggregate);
            aggregate_places[i] = place++;
        }
    }
}

static bool moves(const struct vf_progress_change *change)
{
    return !vf_progress_equal(&change->from, &change->to);
}

static void add_partition(struct vf_store *store, struct vf_partition partition)
{
    vf_buffer_clear(&store->value);
    vf_buffer_printf(&store->value, "%s/%d", partition.topic, (int)partition.partition);
    vf_redis_request_add(&store->commit_request, vf_bytes(store->value.data, store->value.size));
}

static void add_progress_text(struct vf_store *store, const struct vf_progress *progress)
{
    vf_buffer_clear(&store->value);
    if (progress->exists)
        vf_progress_print(&store->value, progress);
    vf_redis_request_add(&store->commit_request, vf_bytes(store->value.data, store->value.size));
}

static void add_progress(struct vf_store *store, const struct vf_commit *commit)
{
    for (size_t i = 0; i < commit->progress_count; i++)
        add_partition(store, commit->progress[i].partition);
    for (size_t i = 0; i < commit->progress_count; i++)
        add_progress_text(store, &commit->progress[i].from);
    for (size_t i = 0; i < commit->progress_count; i++) {
        if (!moves(&commit->progress[i]))
            continue;
        add_partition(store, commit->progress[i].partition);
        add_progress_text(store, &commit->progress[i].to);
    }
}

/* In the order of the keys. */
static void add_stamps(struct vf_store *store, const struct vf_commit *commit)
{
    for (int consulted = 0; consulted < 2; consulted++) {
        for (size_t i = 0; i < commit->document_count; i++) {
            const struct vf_document_change *change = &commit->documents[i];
            if (!is_absent(change) && (change->intent != VF_WRITE) == consulted)
                vf_redis_add_stamp(&store->commit_request, change->base_stamp);
        }
        for (size_t i = 0; i < commit->aggregate_count; i++) {
            const struct vf_aggregate_change *change = &commit->aggregates[i];
            if (change->base_exists && (change->intent != VF_WRITE) == consulted)
                vf_redis_add_stamp(&store->commit_request, change->base_stamp);
        }
    }
}

static enum vf_code check_size(struct vf_store *store, struct vf_error *error)
{
    const struct vf_redis_request *request = &store->commit_request;
    if (request->buffer.size > VF_REDIS_COMMIT_BYTES_MAX)
        return vf_fail(error, VF_E_LIMIT, "%s: the batch is larger than %zu bytes", store->label,
                       VF_REDIS_COMMIT_BYTES_MAX);
    if (request->arguments > VF_REDIS_COMMIT_ARGUMENTS_MAX)
        return vf_fail(error, VF_E_LIMIT, "%s: the batch is larger than %zu arguments", store->label,
                       VF_REDIS_COMMIT_ARGUMENTS_MAX);
    return VF_OK;
}

static enum vf_code add_writes(struct vf_store *store, const struct vf_commit *commit, struct vf_error *error)
{
    const size_t *places = store->commit_places;
    enum vf_code code = check_size(store, error);
    for (size_t i = 0; i < commit->document_count && code == VF_OK; i++) {
        if (written(&commit->documents[i]) == VF_PRESENT)
            code = vf_redis_values_add_document(store, places[i], &commit->documents[i].next, error);
        if (code == VF_OK)
            code = check_size(store, error);
    }
    for (size_t i = 0; i < commit->document_count && code == VF_OK; i++) {
        if (vf_is_husk(written(&commit->documents[i])))
            vf_redis_values_add_husk(store, places[i], &commit->documents[i].next);
    }
    for (size_t i = 0; i < commit->aggregate_count && code == VF_OK; i++) {
        if (commit->aggregates[i].intent == VF_WRITE && commit->aggregates[i].next.exists)
            vf_redis_values_add_aggregate(store, places[commit->document_count + i], &commit->aggregates[i].next);
    }
    if (code == VF_OK)
        vf_redis_side_add_arguments(store);
    return code == VF_OK ? check_size(store, error) : code;
}

static enum vf_code check_ids(struct vf_store *store, const struct vf_commit *commit, struct vf_error *error)
{
    for (size_t i = 0; i < commit->document_count; i++) {
        struct vf_bytes id = commit->documents[i].next.id;
        if (id.size == 0 || id.size > VF_ID_BYTES_MAX || memchr(id.data, '\0', id.size))
            return vf_fail(error, VF_E_BUG, "%s: a document's id is empty, longer than %d bytes, or holds NUL",
                           store->label, VF_ID_BYTES_MAX);
    }
    if (commit->progress_count > VF_REDIS_COMMIT_PARTITIONS_MAX)
        return vf_fail(error, VF_E_LIMIT, "%s: the batch is of more than %d partitions", store->label,
                       VF_REDIS_COMMIT_PARTITIONS_MAX);
    return VF_OK;
}

static void add_counts(struct vf_store *store, const struct vf_commit *commit)
{
    struct vf_redis_request *request = &store->commit_request;
    const struct vf_redis_layout *layout = &store->commit_layout;
    int64_t moved = 0, documents = 0, husks = 0, aggregates = 0;
    for (size_t i = 0; i < commit->progress_count; i++)
        moved += moves(&commit->progress[i]);
    for (size_t i = 0; i < commit->document_count; i++) {
        documents += written(&commit->documents[i]) == VF_PRESENT;
        husks += vf_is_husk(written(&commit->documents[i]));
    }
    for (size_t i = 0; i < commit->aggregate_count; i++)
        aggregates += commit->aggregates[i].intent == VF_WRITE && commit->aggregates[i].next.exists;
    vf_redis_request_add_int(request, (int64_t)layout->absent);
    vf_redis_request_add_int(request, (int64_t)layout->written);
    vf_redis_request_add_int(request, (int64_t)layout->consulted);
    vf_redis_request_add_int(request, (int64_t)commit->progress_count);
    vf_redis_request_add_int(request, moved);
    vf_redis_request_add_int(request, documents);
    vf_redis_request_add_int(request, husks);
    vf_redis_request_add_int(request, aggregates);
    vf_redis_values_add_shapes(store, (size_t)(documents + husks + aggregates));
    vf_redis_add_stamp(request, commit->generation_stamp);
    vf_redis_side_add_shapes(store);
}

enum vf_code vf_redis_commit_build(struct vf_store *store, const struct vf_commit *commit, struct vf_error *error)
{
    struct vf_redis_request *request = &store->commit_request;
    struct vf_redis_layout *layout = &store->commit_layout;
    enum vf_code code = check_ids(store, commit, error);
    if (code != VF_OK)
        return code;
    size_t places = commit->document_count + commit->aggregate_count;
    if (places > store->commit_places_size) {
        store->commit_places = vf_realloc(store->commit_places, places * sizeof(*store->commit_places));
        store->commit_places_size = places;
    }
    vf_redis_keys_set(&store->keys, store->prefix, commit->view.name, commit->view.generation);
    count_keys(commit, layout);
    size_t side = 0;
    code = vf_redis_side_plan(store, commit, &side, error);
    if (code != VF_OK)
        return code;

    vf_redis_request_begin_uncounted(request);
    vf_redis_request_add_text(request, "FCALL");
    vf_redis_request_add_text(request, store->function_commit);
    vf_redis_request_add_int(request, (int64_t)(2 + layout->absent + layout->written + layout->consulted + side));
    add_keys(store, commit);
    vf_redis_side_add_keys(store);
    vf_redis_add_stamp(request, commit->stamp);
    vf_redis_request_add_int(request, commit->view.generation);
    vf_redis_request_add(request, store->keys.channel);
    add_counts(store, commit);
    add_progress(store, commit);
    add_stamps(store, commit);
    code = add_writes(store, commit, error);
    if (code == VF_OK)
        vf_redis_request_end_uncounted(request);
    return code;
}
