#include "connectors/memory/memory_data.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* A view's name with its generation, or a topic (249 bytes in Kafka) with its partition. */
#define KEY_BYTES_MAX 320

/* ---- copies ---- */

static void *take(struct vf_arena *arena, size_t size)
{
    return arena ? vf_arena_alloc(arena, size) : vf_alloc(size ? size : 1);
}

static struct vf_bytes copy_bytes(struct vf_arena *arena, struct vf_bytes from)
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

static void clear_bytes(struct vf_bytes *bytes)
{
    free((void *)(uintptr_t)bytes->data);
    *bytes = (struct vf_bytes){NULL, 0};
}

void vf_memory_copy_document(struct vf_arena *arena, const struct vf_document *from, struct vf_document *ret_to)
{
    struct vf_version *versions = NULL;
    if (from->version_count > 0) {
        versions = take(arena, from->version_count * sizeof(*versions));
        for (size_t i = 0; i < from->version_count; i++) {
            versions[i].aggregate = copy_bytes(arena, from->versions[i].aggregate);
            versions[i].version = from->versions[i].version;
            versions[i].more = vf_version_more_copy(arena, from->versions[i].more);
        }
    }
    *ret_to = (struct vf_document){
        .id = copy_bytes(arena, from->id),
        .presence = from->presence,
        .stamp = from->stamp,
        .revision = from->revision,
        .versions = versions,
        .version_count = from->version_count,
        .body = copy_bytes(arena, from->body),
    };
}

static void clear_document(struct vf_document *document)
{
    for (size_t i = 0; i < document->version_count; i++) {
        struct vf_bytes aggregate = document->versions[i].aggregate;
        clear_bytes(&aggregate);
        free((void *)(uintptr_t)document->versions[i].more);
    }
    free((void *)(uintptr_t)document->versions);
    clear_bytes(&document->id);
    clear_bytes(&document->body);
    *document = (struct vf_document){0};
}

void vf_memory_copy_aggregate(struct vf_arena *arena, const struct vf_aggregate *from, struct vf_aggregate *ret_to)
{
    struct vf_aggregate copy = *from;
    copy.aggregate = copy_bytes(arena, from->aggregate);
    copy.link = copy_bytes(arena, from->link);
    copy.version_more = vf_version_more_copy(arena, from->version_more);
    *ret_to = copy;
}

static void clear_aggregate(struct vf_aggregate *aggregate)
{
    clear_bytes(&aggregate->aggregate);
    clear_bytes(&aggregate->link);
    free((void *)(uintptr_t)aggregate->version_more);
    *aggregate = (struct vf_aggregate){0};
}

void vf_memory_copy_generation(struct vf_arena *arena, const struct vf_generation *from, struct vf_generation *ret_to)
{
    struct vf_generation copy = *from;
    struct vf_file *files = take(arena, from->file_count * sizeof(*files));
    for (size_t i = 0; i < from->file_count; i++)
        files[i] = (struct vf_file){copy_bytes(arena, from->files[i].name), copy_bytes(arena, from->files[i].text)};
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

static void clear_generation(struct vf_generation *generation)
{
    for (size_t i = 0; i < generation->file_count; i++) {
        struct vf_file file = generation->files[i];
        clear_bytes(&file.name);
        clear_bytes(&file.text);
    }
    for (size_t i = 0; i < generation->adoption_count; i++) {
        const struct vf_adoption *one = &generation->adoptions[i];
        for (size_t p = 0; p < one->position_count; p++)
            free((void *)(uintptr_t)one->positions[p].partition.topic);
        free((void *)(uintptr_t)one->positions);
    }
    free((void *)(uintptr_t)generation->adoptions);
    free((void *)(uintptr_t)generation->files);
    free((void *)(uintptr_t)generation->state);
    free((void *)(uintptr_t)generation->script);
    *generation = (struct vf_generation){0};
}

void vf_memory_copy_row(struct vf_arena *arena, const struct vf_progress_row *from, struct vf_progress_row *ret_to)
{
    struct vf_progress_row copy = *from;
    copy.partition.topic = vf_memory_copy_text(arena, from->partition.topic);
    copy.stopped = vf_memory_copy_text(arena, from->stopped);
    *ret_to = copy;
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
    }
    for (size_t i = 0; i < from->aggregate_count; i++) {
        aggregates[i] = from->aggregates[i];
        vf_memory_copy_aggregate(arena, &from->aggregates[i].next, &aggregates[i].next);
    }
    *copy = *from;
    copy->view.name = vf_memory_copy_text(arena, from->view.name);
    copy->progress = progress;
    copy->documents = documents;
    copy->aggregates = aggregates;
    return copy;
}

/* ---- tables ---- */

struct vf_memory_generation *vf_memory_data_generation(struct vf_memory_data *data, struct vf_view view, bool make)
{
    char key[KEY_BYTES_MAX];
    int size = snprintf(key, sizeof(key), "%s@%d", view.name, view.generation);
    assert(size > 0 && (size_t)size < sizeof(key));
    struct vf_memory_generation *found = NULL;
    HASH_FIND(hh, data->generations, key, (unsigned)size, found);
    if (!found && make) {
        found = vf_calloc(1, sizeof(*found));
        found->key = copy_bytes(NULL, vf_bytes(key, (size_t)size));
        HASH_ADD_KEYPTR(hh, data->generations, found->key.data, (unsigned)found->key.size, found);
    }
    return found;
}

struct vf_memory_pointer *vf_memory_data_pointer(struct vf_memory_data *data, const char *view, bool make)
{
    struct vf_memory_pointer *found = NULL;
    HASH_FIND(hh, data->pointers, view, (unsigned)strlen(view), found);
    if (!found && make) {
        found = vf_calloc(1, sizeof(*found));
        found->view = copy_bytes(NULL, vf_bytes_from(view));
        HASH_ADD_KEYPTR(hh, data->pointers, found->view.data, (unsigned)found->view.size, found);
    }
    return found;
}

struct vf_memory_document *vf_memory_find_document(struct vf_memory_generation *generation, struct vf_bytes id)
{
    struct vf_memory_document *found = NULL;
    HASH_FIND(hh, generation->documents, id.data, (unsigned)id.size, found);
    return found;
}

struct vf_memory_aggregate *vf_memory_find_aggregate(struct vf_memory_generation *generation, struct vf_bytes aggregate)
{
    struct vf_memory_aggregate *found = NULL;
    HASH_FIND(hh, generation->aggregates, aggregate.data, (unsigned)aggregate.size, found);
    return found;
}

/* The table's key lies in the value, so a value is replaced by taking the item out and putting it back. */
void vf_memory_put_document(struct vf_memory_generation *generation, const struct vf_document *value)
{
    struct vf_memory_document *item = vf_memory_find_document(generation, value->id);
    if (item)
        HASH_DEL(generation->documents, item);
    else
        item = vf_calloc(1, sizeof(*item));
    clear_document(&item->value);
    vf_memory_copy_document(NULL, value, &item->value);
    HASH_ADD_KEYPTR(hh, generation->documents, item->value.id.data, (unsigned)item->value.id.size, item);
}

void vf_memory_put_aggregate(struct vf_memory_generation *generation, const struct vf_aggregate *value)
{
    struct vf_memory_aggregate *item = vf_memory_find_aggregate(generation, value->aggregate);
    if (item)
        HASH_DEL(generation->aggregates, item);
    else
        item = vf_calloc(1, sizeof(*item));
    clear_aggregate(&item->value);
    vf_memory_copy_aggregate(NULL, value, &item->value);
    HASH_ADD_KEYPTR(hh, generation->aggregates, item->value.aggregate.data, (unsigned)item->value.aggregate.size, item);
}

struct vf_memory_progress *vf_memory_find_progress(struct vf_memory_generation *generation,
                                                   struct vf_partition partition, bool make)
{
    char key[KEY_BYTES_MAX];
    int size = snprintf(key, sizeof(key), "%s/%d", partition.topic, partition.partition);
    assert(size > 0 && (size_t)size < sizeof(key));
    struct vf_memory_progress *found = NULL;
    HASH_FIND(hh, generation->progress, key, (unsigned)size, found);
    if (!found && make) {
        found = vf_calloc(1, sizeof(*found));
        found->key = copy_bytes(NULL, vf_bytes(key, (size_t)size));
        found->value.partition.topic = vf_memory_copy_text(NULL, partition.topic);
        found->value.partition.partition = partition.partition;
        HASH_ADD_KEYPTR(hh, generation->progress, found->key.data, (unsigned)found->key.size, found);
    }
    return found;
}

void vf_memory_put_entry(struct vf_memory_generation *generation, const struct vf_generation *entry)
{
    struct vf_generation copy;
    vf_memory_copy_generation(NULL, entry, &copy);
    clear_generation(&generation->entry);
    generation->entry = copy;
    generation->registered = true;
}

void vf_memory_remove_pointer(struct vf_memory_data *data, struct vf_memory_pointer *pointer)
{
    HASH_DEL(data->pointers, pointer);
    clear_bytes(&pointer->view);
    free(pointer);
}

size_t vf_memory_remove_some(struct vf_memory_generation *generation, size_t most)
{
    size_t removed = 0;
    for (; generation->documents && removed < most; removed++) {
        struct vf_memory_document *document = generation->documents;
        HASH_DEL(generation->documents, document);
        clear_document(&document->value);
        free(document);
    }
    for (; generation->aggregates && removed < most; removed++) {
        struct vf_memory_aggregate *aggregate = generation->aggregates;
        HASH_DEL(generation->aggregates, aggregate);
        clear_aggregate(&aggregate->value);
        free(aggregate);
    }
    return removed;
}

void vf_memory_remove_progress(struct vf_memory_generation *generation)
{
    struct vf_memory_progress *progress, *next_progress;
    HASH_ITER (hh, generation->progress, progress, next_progress) {
        HASH_DEL(generation->progress, progress);
        clear_bytes(&progress->key);
        free((void *)(uintptr_t)progress->value.partition.topic);
        free((void *)(uintptr_t)progress->value.stopped);
        free(progress);
    }
    generation->frozen = false;
}

static void free_generation(struct vf_memory_generation *generation)
{
    (void)vf_memory_remove_some(generation, SIZE_MAX);
    vf_memory_remove_progress(generation);
    clear_generation(&generation->entry);
    clear_bytes(&generation->key);
    free(generation);
}

void vf_memory_data_done(struct vf_memory_data *data)
{
    struct vf_memory_generation *generation, *next_generation;
    HASH_ITER (hh, data->generations, generation, next_generation) {
        HASH_DEL(data->generations, generation);
        free_generation(generation);
    }
    struct vf_memory_pointer *pointer, *next_pointer;
    HASH_ITER (hh, data->pointers, pointer, next_pointer) {
        vf_memory_remove_pointer(data, pointer);
    }
}

static struct vf_memory_generation *copy_tables(const struct vf_memory_generation *from)
{
    struct vf_memory_generation *to = vf_calloc(1, sizeof(*to));
    to->key = copy_bytes(NULL, from->key);
    to->registered = from->registered;
    to->frozen = from->frozen;
    if (from->registered)
        vf_memory_copy_generation(NULL, &from->entry, &to->entry);
    for (struct vf_memory_document *one = from->documents; one; one = one->hh.next)
        vf_memory_put_document(to, &one->value);
    for (struct vf_memory_aggregate *one = from->aggregates; one; one = one->hh.next)
        vf_memory_put_aggregate(to, &one->value);
    for (struct vf_memory_progress *one = from->progress; one; one = one->hh.next) {
        struct vf_memory_progress *copy = vf_memory_find_progress(to, one->value.partition, true);
        copy->value.progress = one->value.progress;
        copy->value.stopped = vf_memory_copy_text(NULL, one->value.stopped);
    }
    return to;
}

void vf_memory_data_copy(const struct vf_memory_data *data, struct vf_memory_data *ret_copy)
{
    struct vf_memory_data copy = {0};
    for (struct vf_memory_generation *one = data->generations; one; one = one->hh.next) {
        struct vf_memory_generation *tables = copy_tables(one);
        HASH_ADD_KEYPTR(hh, copy.generations, tables->key.data, (unsigned)tables->key.size, tables);
    }
    for (struct vf_memory_pointer *one = data->pointers; one; one = one->hh.next) {
        struct vf_memory_pointer *pointer = vf_calloc(1, sizeof(*pointer));
        pointer->view = copy_bytes(NULL, one->view);
        pointer->active = one->active;
        HASH_ADD_KEYPTR(hh, copy.pointers, pointer->view.data, (unsigned)pointer->view.size, pointer);
    }
    *ret_copy = copy;
}
