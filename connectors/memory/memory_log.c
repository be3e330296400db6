#include "connectors/memory/memory_log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

uint64_t vf_memory_log_random(struct vf_memory_log *log, uint64_t limit)
{
    /* splitmix64: its constants are its definition. */
    uint64_t mixed = log->random += 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return (mixed ^ (mixed >> 31)) % limit;
}

struct vf_memory_log *vf_memory_log_new(uint64_t seed)
{
    struct vf_memory_log *log = vf_calloc(1, sizeof(*log));
    log->random = seed;
    snprintf(log->brokers, sizeof(log->brokers), "memory:%p", (void *)log);
    return log;
}

const char *vf_memory_log_brokers(const struct vf_memory_log *log)
{
    return log->brokers;
}

static void free_records(struct vf_memory_partition *partition, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free((void *)(uintptr_t)partition->records[i].key.data);
        free((void *)(uintptr_t)partition->records[i].value.data);
        free(partition->records[i].headers);
    }
}

static void clear_partition(struct vf_memory_partition *partition)
{
    free_records(partition, partition->count);
    free(partition->records);
    *partition = (struct vf_memory_partition){0};
}

void vf_memory_log_free(struct vf_memory_log *log)
{
    if (!log)
        return;
    while (log->topics) {
        struct vf_memory_topic *topic = log->topics;
        log->topics = topic->next;
        for (int32_t i = 0; i < topic->partition_count; i++)
            clear_partition(&topic->partitions[i]);
        free(topic->partitions);
        free(topic->name);
        free(topic);
    }
    while (log->groups) {
        struct vf_memory_group *group = log->groups;
        log->groups = group->next;
        assert(!group->members);
        while (group->committed) {
            struct vf_memory_committed *committed = group->committed;
            group->committed = committed->next;
            free(committed);
        }
        free(group->name);
        free(group);
    }
    free(log);
}

/* ---- records ---- */

struct vf_memory_topic *vf_memory_log_topic(const struct vf_memory_log *log, const char *name)
{
    struct vf_memory_topic *topic = log->topics;
    while (topic && strcmp(topic->name, name) != 0)
        topic = topic->next;
    return topic;
}

struct vf_memory_partition *vf_memory_log_partition(const struct vf_memory_log *log, struct vf_partition at)
{
    struct vf_memory_topic *topic = vf_memory_log_topic(log, at.topic);
    return topic && at.partition >= 0 && at.partition < topic->partition_count ? &topic->partitions[at.partition]
                                                                               : NULL;
}

size_t vf_memory_partition_find(const struct vf_memory_partition *partition, int64_t offset)
{
    size_t from = 0, to = partition->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (partition->records[middle].offset < offset)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

void vf_memory_log_add_topic(struct vf_memory_log *log, const char *name, int32_t partitions)
{
    struct vf_memory_topic *topic = vf_memory_log_topic(log, name);
    if (!topic) {
        struct vf_memory_topic **end = &log->topics;
        while (*end)
            end = &(*end)->next;
        topic = *end = vf_calloc(1, sizeof(*topic));
        topic->name = vf_strdup(name);
    }
    if (partitions <= topic->partition_count)
        return;
    topic->partitions = vf_realloc(topic->partitions, (size_t)partitions * sizeof(*topic->partitions));
    for (int32_t i = topic->partition_count; i < partitions; i++)
        topic->partitions[i] = (struct vf_memory_partition){0};
    topic->partition_count = partitions;
}

static struct vf_bytes own(struct vf_bytes bytes)
{
    if (!bytes.data)
        return bytes;
    char *copy = vf_alloc(bytes.size ? bytes.size : 1);
    memcpy(copy, bytes.data, bytes.size);
    return vf_bytes(copy, bytes.size);
}

struct vf_header *vf_memory_copy_headers(const struct vf_header *headers, size_t count)
{
    size_t size = count * sizeof(*headers);
    if (count == 0)
        return NULL;
    for (size_t i = 0; i < count; i++)
        size += headers[i].name.size + headers[i].value.size;
    struct vf_header *copy = vf_alloc(size);
    char *text = (char *)(copy + count);
    memcpy(copy, headers, count * sizeof(*headers));
    for (size_t i = 0; i < count; i++) {
        struct vf_bytes *parts[] = {&copy[i].name, &copy[i].value};
        for (size_t p = 0; p < 2; p++) {
            if (parts[p]->size > 0)
                memcpy(text, parts[p]->data, parts[p]->size);
            parts[p]->data = text;
            text += parts[p]->size;
        }
    }
    return copy;
}

int64_t vf_memory_log_append(struct vf_memory_log *log, struct vf_partition at, struct vf_bytes key,
                             struct vf_bytes value, int64_t timestamp_ms)
{
    struct vf_record record = {.key = key, .value = value, .timestamp_ms = timestamp_ms};
    return vf_memory_log_append_record(log, at, &record);
}

int64_t vf_memory_log_append_record(struct vf_memory_log *log, struct vf_partition at, const struct vf_record *record)
{
    struct vf_memory_partition *partition = vf_memory_log_partition(log, at);
    assert(partition);
    if (partition->count == partition->capacity) {
        partition->capacity = partition->capacity ? 2 * partition->capacity : 16;
        partition->records = vf_realloc(partition->records, partition->capacity * sizeof(*partition->records));
    }
    int64_t offset = partition->high++;
    partition->records[partition->count++] =
        (struct vf_memory_record){.offset = offset,
                                  .timestamp_ms = record->timestamp_ms,
                                  .turn = log->turns++,
                                  .key = own(record->key),
                                  .value = own(record->value),
                                  .headers = vf_memory_copy_headers(record->headers, record->header_count),
                                  .header_count = record->header_count};
    return offset;
}

void vf_memory_log_leave_hole(struct vf_memory_log *log, struct vf_partition at, int64_t count)
{
    struct vf_memory_partition *partition = vf_memory_log_partition(log, at);
    assert(partition && count >= 0);
    partition->high += count;
}

void vf_memory_log_trim(struct vf_memory_log *log, struct vf_partition at, int64_t low)
{
    struct vf_memory_partition *partition = vf_memory_log_partition(log, at);
    assert(partition && low >= partition->low && low <= partition->high);
    size_t gone = vf_memory_partition_find(partition, low);
    free_records(partition, gone);
    partition->count -= gone;
    if (gone > 0)
        memmove(partition->records, partition->records + gone, partition->count * sizeof(*partition->records));
    partition->low = low;
}

void vf_memory_log_recreate(struct vf_memory_log *log, const char *name)
{
    struct vf_memory_topic *topic = vf_memory_log_topic(log, name);
    assert(topic);
    for (int32_t i = 0; i < topic->partition_count; i++)
        clear_partition(&topic->partitions[i]);
}

bool vf_memory_log_at(const struct vf_memory_log *log, struct vf_partition at, int64_t offset,
                      struct vf_record *ret_record)
{
    const struct vf_memory_topic *topic = vf_memory_log_topic(log, at.topic);
    const struct vf_memory_partition *partition = vf_memory_log_partition(log, at);
    assert(partition);
    size_t i = vf_memory_partition_find(partition, offset);
    if (i == partition->count)
        return false;
    const struct vf_memory_record *record = &partition->records[i];
    *ret_record = (struct vf_record){
        .row = VF_ROW_RECORD,
        .topic = topic->name,
        .partition = at.partition,
        .offset = record->offset,
        .timestamp_ms = record->timestamp_ms,
        .key = record->key,
        .value = record->value,
        .key_is_null = !record->key.data,
        .value_is_null = !record->value.data,
        .headers = record->headers,
        .header_count = record->header_count,
    };
    return true;
}

/* ---- orders ---- */

void vf_memory_log_set_rows_max(struct vf_memory_log *log, size_t rows_max)
{
    log->rows_max = rows_max;
}

void vf_memory_log_set_in_order(struct vf_memory_log *log)
{
    log->in_order = true;
}

void vf_memory_log_set_stale(struct vf_memory_log *log, unsigned in_a_thousand)
{
    log->stale_in_a_thousand = in_a_thousand;
}

void vf_memory_log_fail_call(struct vf_memory_log *log, unsigned n)
{
    log->fail_in = n;
}

/* ---- groups ---- */

static struct vf_memory_group *find_group(const struct vf_memory_log *log, const char *name)
{
    struct vf_memory_group *group = log->groups;
    while (group && strcmp(group->name, name) != 0)
        group = group->next;
    return group;
}

struct vf_memory_group *vf_memory_log_group(struct vf_memory_log *log, const char *name)
{
    struct vf_memory_group *group = find_group(log, name);
    if (!group) {
        group = vf_calloc(1, sizeof(*group));
        group->name = vf_strdup(name);
        group->next = log->groups;
        log->groups = group;
    }
    return group;
}

static bool reads_topic(const struct vf_source *member, const char *topic)
{
    for (size_t i = 0; i < member->topic_count; i++) {
        if (strcmp(member->topics[i], topic) == 0)
            return true;
    }
    return false;
}

/* Gives each partition of the topic to one of the members that read it and are awake. */
static void divide(const struct vf_memory_group *group, const struct vf_memory_topic *topic)
{
    size_t readers = 0;
    for (const struct vf_source *member = group->members; member; member = member->next)
        readers += !member->zombie && reads_topic(member, topic->name);
    for (int32_t p = 0; readers > 0 && p < topic->partition_count; p++) {
        size_t turn = ((size_t)p + group->rebalances) % readers;
        struct vf_source *member = group->members;
        while (member->zombie || !reads_topic(member, topic->name) || turn-- > 0)
            member = member->next;
        struct vf_memory_share *share = &member->share;
        share->partitions = vf_realloc(share->partitions, (share->count + 1) * sizeof(*share->partitions));
        share->partitions[share->count++] = (struct vf_partition){topic->name, p};
    }
}

void vf_memory_log_rebalance(struct vf_memory_log *log, const char *name)
{
    struct vf_memory_group *group = vf_memory_log_group(log, name);
    for (struct vf_source *member = group->members; member; member = member->next) {
        if (member->zombie) {
            member->expelled = true;
            continue;
        }
        if (member->told) { /* otherwise it has nothing to lose, or has not heard yet that it lost it */
            member->told = false;
            member->revoke_pending = true;
            free(member->revoked.partitions);
            member->revoked = member->share;
        } else {
            free(member->share.partitions);
        }
        member->share = (struct vf_memory_share){NULL, 0};
        member->assign_pending = true;
        member->expelled = false;
    }
    for (const struct vf_memory_topic *topic = log->topics; topic; topic = topic->next)
        divide(group, topic);
    group->rebalances++;
    group->wants_rebalance = false;
}

bool vf_memory_log_wants_rebalance(const struct vf_memory_log *log, const char *name)
{
    const struct vf_memory_group *group = find_group(log, name);
    return group && group->wants_rebalance;
}

/* It was asleep while others were given what it had; now it learns. */
static void learn_of_expulsion(struct vf_source *member)
{
    if (member->told) {
        member->told = false;
        member->revoke_pending = true;
        free(member->revoked.partitions);
        member->revoked = member->share;
    } else {
        free(member->share.partitions);
    }
    member->share = (struct vf_memory_share){NULL, 0};
    member->lost = member->revoke_pending;
    member->assign_pending = false;
}

void vf_memory_log_set_zombie(struct vf_memory_log *log, const char *name, const char *instance, bool zombie)
{
    struct vf_memory_group *group = vf_memory_log_group(log, name);
    struct vf_source *member = group->members;
    while (member && strcmp(member->instance, instance) != 0)
        member = member->next;
    assert(member);
    if (member->zombie == zombie)
        return;
    member->zombie = zombie;
    group->wants_rebalance = true;
    if (!zombie && member->expelled)
        learn_of_expulsion(member);
}

int64_t vf_memory_log_committed(const struct vf_memory_log *log, const char *name, struct vf_partition at)
{
    const struct vf_memory_group *group = find_group(log, name);
    for (const struct vf_memory_committed *one = group ? group->committed : NULL; one; one = one->next) {
        if (one->partition.partition == at.partition && strcmp(one->partition.topic, at.topic) == 0)
            return one->offset;
    }
    return -1;
}

void vf_memory_log_set_committed(struct vf_memory_log *log, const char *name, struct vf_partition at, int64_t offset)
{
    struct vf_memory_group *group = vf_memory_log_group(log, name);
    const struct vf_memory_topic *topic = vf_memory_log_topic(log, at.topic);
    assert(topic);
    struct vf_memory_committed *one = group->committed;
    while (one && (one->partition.partition != at.partition || one->partition.topic != topic->name))
        one = one->next;
    if (!one) {
        one = vf_calloc(1, sizeof(*one));
        one->partition = (struct vf_partition){topic->name, at.partition};
        one->next = group->committed;
        group->committed = one;
    }
    one->offset = offset;
}
