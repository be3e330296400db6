#include "connectors/memory/memory_data.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* A view's name with its generation, or a topic (249 bytes in Kafka) with its partition. */
#define KEY_BYTES_MAX 320

static void clear_bytes(struct vf_bytes *bytes)
{
    free((void *)(uintptr_t)bytes->data);
    *bytes = (struct vf_bytes){NULL, 0};
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
    clear_bytes(&document->deleted_by);
    *document = (struct vf_document){0};
}

static void clear_entries(struct vf_memory_document *document)
{
    for (size_t i = 0; i < document->entry_count; i++) {
        struct vf_memory_entry *one = &document->entries[i];
        free((void *)(uintptr_t)one->index);
        clear_bytes(&one->entry.by);
        clear_bytes(&one->entry.sort.text);
    }
    free(document->entries);
    document->entries = NULL;
    document->entry_count = 0;
}

static void clear_aggregate(struct vf_aggregate *aggregate)
{
    clear_bytes(&aggregate->aggregate);
    clear_bytes(&aggregate->link);
    free((void *)(uintptr_t)aggregate->version_more);
    clear_bytes(&aggregate->link_via);
    clear_bytes(&aggregate->waits_for);
    free((void *)(uintptr_t)aggregate->seen_more);
    clear_bytes(&aggregate->failure.error);
    clear_bytes(&aggregate->failure.traceback);
    clear_bytes(&aggregate->failure.script);
    *aggregate = (struct vf_aggregate){0};
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

struct vf_memory_generation *vf_memory_data_generation(struct vf_memory_data *data, struct vf_view view, bool make)
{
    char key[KEY_BYTES_MAX];
    int size = snprintf(key, sizeof(key), "%s@%d", view.name, view.generation);
    assert(size > 0 && (size_t)size < sizeof(key));
    struct vf_memory_generation *found = NULL;
    HASH_FIND(hh, data->generations, key, (unsigned)size, found);
    if (!found && make) {
        found = vf_calloc(1, sizeof(*found));
        found->key = vf_memory_copy_bytes(NULL, vf_bytes(key, (size_t)size));
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
        found->view = vf_memory_copy_bytes(NULL, vf_bytes_from(view));
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
struct vf_memory_document *vf_memory_put_document(struct vf_memory_generation *generation,
                                                  const struct vf_document *value)
{
    struct vf_memory_document *item = vf_memory_find_document(generation, value->id);
    if (item)
        HASH_DEL(generation->documents, item);
    else
        item = vf_calloc(1, sizeof(*item));
    clear_entries(item);
    clear_document(&item->value);
    vf_memory_copy_document(NULL, value, &item->value);
    HASH_ADD_KEYPTR(hh, generation->documents, item->value.id.data, (unsigned)item->value.id.size, item);
    return item;
}

void vf_memory_add_entry(struct vf_memory_document *document, const char *index, const struct vf_index_entry *entry)
{
    size_t count = document->entry_count + 1;
    document->entries = vf_realloc(document->entries, count * sizeof(*document->entries));
    struct vf_memory_entry *added = &document->entries[document->entry_count];
    added->index = vf_memory_copy_text(NULL, index);
    added->id = document->value.id;
    vf_memory_copy_entry(NULL, entry, &added->entry);
    document->entry_count = count;
}

static void remove_document(struct vf_memory_generation *generation, struct vf_memory_document *document)
{
    HASH_DEL(generation->documents, document);
    clear_entries(document);
    clear_document(&document->value);
    free(document);
}

void vf_memory_remove_document(struct vf_memory_generation *generation, struct vf_bytes id)
{
    struct vf_memory_document *document = vf_memory_find_document(generation, id);
    if (document)
        remove_document(generation, document);
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

static void remove_aggregate(struct vf_memory_generation *generation, struct vf_memory_aggregate *aggregate)
{
    HASH_DEL(generation->aggregates, aggregate);
    clear_aggregate(&aggregate->value);
    free(aggregate);
}

void vf_memory_remove_aggregate(struct vf_memory_generation *generation, struct vf_bytes name)
{
    struct vf_memory_aggregate *aggregate = vf_memory_find_aggregate(generation, name);
    if (aggregate)
        remove_aggregate(generation, aggregate);
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
        found->key = vf_memory_copy_bytes(NULL, vf_bytes(key, (size_t)size));
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

/* ---- what is set aside ---- */

struct vf_memory_list *vf_memory_find_list(struct vf_memory_generation *generation, struct vf_bytes list)
{
    struct vf_memory_list *found = NULL;
    HASH_FIND(hh, generation->lists, list.data, (unsigned)list.size, found);
    return found;
}

/* Where a place is in its list, or would be. */
static size_t position_of(const struct vf_memory_list *list, int64_t place)
{
    size_t at = list->count;
    while (at > 0 && list->asides[at - 1].place >= place)
        at--;
    return at;
}

const struct vf_aside *vf_memory_find_aside(struct vf_memory_generation *generation, struct vf_bytes list,
                                            int64_t place)
{
    const struct vf_memory_list *found = vf_memory_find_list(generation, list);
    size_t at = found ? position_of(found, place) : 0;
    return found && at < found->count && found->asides[at].place == place ? &found->asides[at] : NULL;
}

void vf_memory_add_aside(struct vf_memory_generation *generation, const struct vf_aside *aside)
{
    struct vf_memory_list *list = vf_memory_find_list(generation, aside->list);
    if (!list) {
        list = vf_calloc(1, sizeof(*list));
        list->list = vf_memory_copy_bytes(NULL, aside->list);
        HASH_ADD_KEYPTR(hh, generation->lists, list->list.data, (unsigned)list->list.size, list);
    }
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 4;
        list->asides = vf_realloc(list->asides, list->capacity * sizeof(*list->asides));
    }
    size_t at = position_of(list, aside->place);
    memmove(&list->asides[at + 1], &list->asides[at], (list->count - at) * sizeof(*list->asides));
    list->count++;
    struct vf_aside value = *aside;
    value.list = (struct vf_bytes){NULL, 0};
    vf_memory_copy_aside(NULL, &value, &list->asides[at]);
    list->asides[at].list = list->list;
}

static void take_at(struct vf_memory_generation *generation, struct vf_memory_list *list, size_t at)
{
    struct vf_aside *aside = &list->asides[at];
    clear_bytes(&aside->aggregate);
    clear_bytes(&aside->record);
    free((void *)(uintptr_t)aside->partition.topic);
    list->count--;
    memmove(aside, aside + 1, (list->count - at) * sizeof(*aside));
    if (list->count > 0)
        return;
    HASH_DEL(generation->lists, list);
    clear_bytes(&list->list);
    free(list->asides);
    free(list);
}

void vf_memory_take_aside(struct vf_memory_generation *generation, struct vf_bytes list, int64_t place)
{
    struct vf_memory_list *found = vf_memory_find_list(generation, list);
    assert(found && vf_memory_find_aside(generation, list, place));
    take_at(generation, found, position_of(found, place));
}

void vf_memory_add_dropped(struct vf_memory_generation *generation, const struct vf_dropped *dropped)
{
    size_t size = (generation->dropped_count + 1) * sizeof(*generation->dropped);
    generation->dropped = vf_realloc(generation->dropped, size);
    vf_memory_copy_dropped(NULL, dropped, &generation->dropped[generation->dropped_count++]);
}

static void remove_last_dropped(struct vf_memory_generation *generation)
{
    struct vf_dropped *dropped = &generation->dropped[--generation->dropped_count];
    clear_bytes(&dropped->aggregate);
    clear_bytes(&dropped->error);
    free((void *)(uintptr_t)dropped->partition.topic);
}

/* ---- all of it ---- */

size_t vf_memory_remove_some(struct vf_memory_generation *generation, size_t most)
{
    size_t removed = 0;
    for (; generation->documents && removed < most; removed++)
        remove_document(generation, generation->documents);
    for (; generation->aggregates && removed < most; removed++)
        remove_aggregate(generation, generation->aggregates);
    for (; generation->lists && removed < most; removed++)
        take_at(generation, generation->lists, generation->lists->count - 1);
    return removed; /* what an operator has left out for good stays: it must not come back when the view is built anew */
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
    while (generation->dropped_count > 0)
        remove_last_dropped(generation);
    vf_memory_remove_progress(generation);
    clear_generation(&generation->entry);
    clear_bytes(&generation->key);
    free(generation->dropped);
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
    to->key = vf_memory_copy_bytes(NULL, from->key);
    to->registered = from->registered;
    to->frozen = from->frozen;
    if (from->registered)
        vf_memory_copy_generation(NULL, &from->entry, &to->entry);
    for (struct vf_memory_document *one = from->documents; one; one = one->hh.next) {
        struct vf_memory_document *copy = vf_memory_put_document(to, &one->value);
        for (size_t i = 0; i < one->entry_count; i++)
            vf_memory_add_entry(copy, one->entries[i].index, &one->entries[i].entry);
    }
    for (struct vf_memory_list *one = from->lists; one; one = one->hh.next) {
        for (size_t i = 0; i < one->count; i++)
            vf_memory_add_aside(to, &one->asides[i]);
    }
    for (struct vf_memory_aggregate *one = from->aggregates; one; one = one->hh.next)
        vf_memory_put_aggregate(to, &one->value);
    for (size_t i = 0; i < from->dropped_count; i++)
        vf_memory_add_dropped(to, &from->dropped[i]);
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
        pointer->view = vf_memory_copy_bytes(NULL, one->view);
        pointer->active = one->active;
        HASH_ADD_KEYPTR(hh, copy.pointers, pointer->view.data, (unsigned)pointer->view.size, pointer);
    }
    *ret_copy = copy;
}
