#include "connectors/memory/memory_data.h"

static void *take(struct vf_arena *arena, size_t size)
{
    return arena ? vf_arena_alloc(arena, size) : vf_alloc(size ? size : 1);
}

struct vf_bytes vf_memory_copy_bytes(struct vf_arena *arena, struct vf_bytes from)
{
    if (from.size == 0)
        return (struct vf_bytes){NULL, 0};
    char *data = take(arena, from.size);
    memcpy(data, from.data, from.size);
    return vf_bytes(data, from.size);
}

char *vf_memory_copy_text(struct vf_arena *arena, const char *text)
{
    if (!text)
        return NULL;
    size_t size = strlen(text) + 1;
    char *copy = take(arena, size);
    memcpy(copy, text, size);
    return copy;
}

void vf_memory_copy_document(struct vf_arena *arena, const struct vf_document *from, struct vf_document *ret_to)
{
    struct vf_version *versions = NULL;
    if (from->version_count > 0) {
        versions = take(arena, from->version_count * sizeof(*versions));
        for (size_t i = 0; i < from->version_count; i++) {
            versions[i].aggregate = vf_memory_copy_bytes(arena, from->versions[i].aggregate);
            versions[i].version = from->versions[i].version;
            versions[i].more = vf_version_more_copy(arena, from->versions[i].more);
        }
    }
    *ret_to = (struct vf_document){
        .id = vf_memory_copy_bytes(arena, from->id),
        .presence = from->presence,
        .stamp = from->stamp,
        .revision = from->revision,
        .versions = versions,
        .version_count = from->version_count,
        .body = vf_memory_copy_bytes(arena, from->body),
        .has_expires = from->has_expires,
        .expires_ms = from->expires_ms,
        .since_ms = from->since_ms,
        .deleted_by = vf_memory_copy_bytes(arena, from->deleted_by),
    };
}

void vf_memory_copy_aggregate(struct vf_arena *arena, const struct vf_aggregate *from, struct vf_aggregate *ret_to)
{
    struct vf_aggregate copy = *from;
    copy.aggregate = vf_memory_copy_bytes(arena, from->aggregate);
    copy.link = vf_memory_copy_bytes(arena, from->link);
    copy.version_more = vf_version_more_copy(arena, from->version_more);
    copy.link_via = vf_memory_copy_bytes(arena, from->link_via);
    copy.waits_for = vf_memory_copy_bytes(arena, from->waits_for);
    copy.seen_more = vf_version_more_copy(arena, from->seen_more);
    copy.failure.error = vf_memory_copy_bytes(arena, from->failure.error);
    copy.failure.traceback = vf_memory_copy_bytes(arena, from->failure.traceback);
    copy.failure.script = vf_memory_copy_bytes(arena, from->failure.script);
    *ret_to = copy;
}

void vf_memory_copy_generation(struct vf_arena *arena, const struct vf_generation *from, struct vf_generation *ret_to)
{
    struct vf_generation copy = *from;
    struct vf_file *files = take(arena, from->file_count * sizeof(*files));
    for (size_t i = 0; i < from->file_count; i++)
        files[i] = (struct vf_file){vf_memory_copy_bytes(arena, from->files[i].name),
                                    vf_memory_copy_bytes(arena, from->files[i].text)};
    struct vf_adoption *adoptions = take(arena, from->adoption_count * sizeof(*adoptions));
    for (size_t i = 0; i < from->adoption_count; i++) {
        const struct vf_adoption *one = &from->adoptions[i];
        struct vf_reached *positions = take(arena, one->position_count * sizeof(*positions));
        for (size_t p = 0; p < one->position_count; p++) {
            positions[p] = one->positions[p];
            positions[p].partition.topic = vf_memory_copy_text(arena, one->positions[p].partition.topic);
        }
        adoptions[i] = *one;
        adoptions[i].positions = positions;
    }
    copy.state = vf_memory_copy_text(arena, from->state);
    copy.script = vf_memory_copy_text(arena, from->script);
    copy.files = files;
    copy.adoptions = adoptions;
    *ret_to = copy;
}

void vf_memory_copy_row(struct vf_arena *arena, const struct vf_progress_row *from, struct vf_progress_row *ret_to)
{
    struct vf_progress_row copy = *from;
    copy.partition.topic = vf_memory_copy_text(arena, from->partition.topic);
    copy.stopped = vf_memory_copy_text(arena, from->stopped);
    *ret_to = copy;
}

void vf_memory_copy_entry(struct vf_arena *arena, const struct vf_index_entry *from, struct vf_index_entry *ret_to)
{
    struct vf_index_entry copy = *from;
    copy.by = vf_memory_copy_bytes(arena, from->by);
    copy.sort.text = vf_memory_copy_bytes(arena, from->sort.text);
    *ret_to = copy;
}

void vf_memory_copy_aside(struct vf_arena *arena, const struct vf_aside *from, struct vf_aside *ret_to)
{
    struct vf_aside copy = *from;
    copy.list = vf_memory_copy_bytes(arena, from->list);
    copy.aggregate = vf_memory_copy_bytes(arena, from->aggregate);
    copy.partition.topic = vf_memory_copy_text(arena, from->partition.topic);
    copy.record = vf_memory_copy_bytes(arena, from->record);
    *ret_to = copy;
}

void vf_memory_copy_dropped(struct vf_arena *arena, const struct vf_dropped *from, struct vf_dropped *ret_to)
{
    struct vf_dropped copy = *from;
    copy.aggregate = vf_memory_copy_bytes(arena, from->aggregate);
    copy.partition.topic = vf_memory_copy_text(arena, from->partition.topic);
    copy.error = vf_memory_copy_bytes(arena, from->error);
    *ret_to = copy;
}

static struct vf_aside *copy_asides(struct vf_arena *arena, const struct vf_aside *from, size_t count)
{
    struct vf_aside *copies = take(arena, count * sizeof(*copies));
    for (size_t i = 0; i < count; i++)
        vf_memory_copy_aside(arena, &from[i], &copies[i]);
    return copies;
}

static const struct vf_index_entry *copy_entries(struct vf_arena *arena, const struct vf_index_entry *from,
                                                 size_t count)
{
    if (!from)
        return NULL;
    struct vf_index_entry *copies = take(arena, count * sizeof(*copies));
    for (size_t i = 0; i < count; i++)
        vf_memory_copy_entry(arena, &from[i], &copies[i]);
    return copies;
}

static const struct vf_index *copy_indexes(struct vf_arena *arena, const struct vf_index *from, size_t count)
{
    struct vf_index *copies = take(arena, count * sizeof(*copies));
    for (size_t i = 0; i < count; i++) {
        copies[i].name = vf_memory_copy_text(arena, from[i].name);
        copies[i].sort = vf_memory_copy_text(arena, from[i].sort);
        copies[i].by = vf_memory_copy_text(arena, from[i].by);
        copies[i].where = vf_memory_copy_text(arena, from[i].where);
    }
    return copies;
}

struct vf_commit *vf_memory_copy_commit(struct vf_arena *arena, const struct vf_commit *from)
{
    struct vf_commit *copy = take(arena, sizeof(*copy));
    struct vf_progress_change *progress = take(arena, from->progress_count * sizeof(*progress));
    struct vf_document_change *documents = take(arena, from->document_count * sizeof(*documents));
    struct vf_aggregate_change *aggregates = take(arena, from->aggregate_count * sizeof(*aggregates));
    for (size_t i = 0; i < from->progress_count; i++) {
        progress[i] = from->progress[i];
        progress[i].partition.topic = vf_memory_copy_text(arena, from->progress[i].partition.topic);
    }
    for (size_t i = 0; i < from->document_count; i++) {
        documents[i] = from->documents[i];
        vf_memory_copy_document(arena, &from->documents[i].next, &documents[i].next);
        documents[i].base_entries = copy_entries(arena, from->documents[i].base_entries, from->index_count);
        documents[i].next_entries = copy_entries(arena, from->documents[i].next_entries, from->index_count);
    }
    for (size_t i = 0; i < from->aggregate_count; i++) {
        aggregates[i] = from->aggregates[i];
        vf_memory_copy_aggregate(arena, &from->aggregates[i].next, &aggregates[i].next);
    }
    struct vf_dropped *dropped = take(arena, from->dropped_count * sizeof(*dropped));
    for (size_t i = 0; i < from->dropped_count; i++)
        vf_memory_copy_dropped(arena, &from->dropped[i], &dropped[i]);
    *copy = *from;
    copy->dropped = dropped;
    copy->view.name = vf_memory_copy_text(arena, from->view.name);
    copy->progress = progress;
    copy->documents = documents;
    copy->aggregates = aggregates;
    copy->asides = copy_asides(arena, from->asides, from->aside_count);
    copy->taken = copy_asides(arena, from->taken, from->taken_count);
    copy->indexes = copy_indexes(arena, from->indexes, from->index_count);
    return copy;
}
