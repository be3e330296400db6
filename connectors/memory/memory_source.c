#include "connectors/memory/memory_source.h"

#include "connectors/memory/memory_log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* How many rows of an older assignment may still come after an assign. */
#define STALE_ROWS_MAX 4

/* Whether this call fails, as the test has ordered. */
static enum vf_code begin_call(struct vf_memory_log *log, const char *what, struct vf_error *error)
{
    if (log->fail_in > 0 && --log->fail_in == 0)
        return vf_fail_retriable(error, VF_E_UNAVAILABLE, "memory log: %s: the brokers do not answer", what);
    return VF_OK;
}

/* ---- joining and leaving ---- */

static enum vf_code find_log(const struct vf_source_config *config, const char *what, struct vf_memory_log **ret_log,
                             struct vf_error *error)
{
    void *address = NULL;
    if (!config->brokers || sscanf(config->brokers, "memory:%p", &address) != 1)
        return vf_fail(error, VF_E_CONFIG, "a memory log's brokers are what vf_memory_log_brokers says");
    struct vf_memory_log *log = address;
    enum vf_code code = begin_call(log, what, error);
    if (code != VF_OK)
        return code;
    for (size_t i = 0; i < config->topic_count; i++) {
        if (!vf_memory_log_topic(log, config->topics[i]))
            return vf_fail(error, VF_E_NOT_FOUND, "memory log: there is no topic %s", config->topics[i]);
    }
    *ret_log = log;
    return VF_OK;
}

static enum vf_code source_look(const struct vf_source_config *config, struct vf_error *error)
{
    struct vf_memory_log *log = NULL;
    return find_log(config, "look", &log, error);
}

static enum vf_code source_open(const struct vf_source_config *config, struct vf_source **ret_source,
                                struct vf_error *error)
{
    struct vf_memory_log *log = NULL;
    enum vf_code code = find_log(config, "open", &log, error);
    if (code != VF_OK)
        return code;
    struct vf_source *source = vf_calloc(1, sizeof(*source));
    source->log = log;
    source->group = vf_memory_log_group(log, config->group);
    source->instance = vf_strdup(config->instance ? config->instance : "");
    source->topic_count = config->topic_count;
    source->topics = vf_calloc(config->topic_count, sizeof(*source->topics));
    for (size_t i = 0; i < config->topic_count; i++)
        source->topics[i] = vf_strdup(config->topics[i]);
    source->expelled = true; /* a member with the next rebalance */
    struct vf_source **end = &source->group->members;
    while (*end)
        end = &(*end)->next;
    *end = source;
    source->group->wants_rebalance = true;
    *ret_source = source;
    return VF_OK;
}

static void free_polled(struct vf_polled *polled)
{
    if (!polled)
        return;
    for (size_t i = 0; i < polled->row_count; i++) {
        free((void *)(uintptr_t)polled->rows[i].topic); /* the block of all but its headers */
        free((void *)(uintptr_t)polled->rows[i].headers);
    }
    free((void *)(uintptr_t)polled->rows);
    free((void *)(uintptr_t)polled->partitions);
    free(polled);
}

static void source_close(struct vf_source *source)
{
    if (!source)
        return;
    assert(source->polls == 0);
    struct vf_source **link = &source->group->members;
    while (*link != source)
        link = &(*link)->next;
    *link = source->next;
    source->group->wants_rebalance = true;
    for (size_t i = 0; i < source->topic_count; i++)
        free(source->topics[i]);
    free(source->topics);
    free(source->instance);
    free(source->positions);
    free(source->share.partitions);
    free(source->revoked.partitions);
    free_polled(source->stale);
    free(source);
}

/* ---- rows ---- */

/* A copy of its own for each row, so that ASan finds who reads one after its release. */
static void add_row(struct vf_polled *polled, const struct vf_record *row)
{
    size_t topic_size = strlen(row->topic) + 1;
    char *block = vf_alloc(topic_size + row->key.size + row->value.size);
    struct vf_record copy = *row;
    copy.headers = vf_memory_copy_headers(row->headers, row->header_count);
    memcpy(block, row->topic, topic_size);
    copy.topic = block;
    if (row->key.size > 0)
        memcpy(block + topic_size, row->key.data, row->key.size);
    if (row->value.size > 0)
        memcpy(block + topic_size + row->key.size, row->value.data, row->value.size);
    copy.key = row->key.data ? vf_bytes(block + topic_size, row->key.size) : row->key;
    copy.value = row->value.data ? vf_bytes(block + topic_size + row->key.size, row->value.size) : row->value;

    struct vf_record *rows = (struct vf_record *)(uintptr_t)polled->rows;
    if ((polled->row_count & (polled->row_count - 1)) == 0)
        rows = vf_realloc(rows, (polled->row_count ? 2 * polled->row_count : 1) * sizeof(*rows));
    rows[polled->row_count++] = copy;
    polled->rows = rows;
    polled->bytes += row->key.size + row->value.size;
}

/* The next row of one position, if it has one; moves it on. */
static bool next_row(struct vf_source *source, struct vf_memory_position *position, struct vf_record *ret_row)
{
    const struct vf_memory_partition *partition = vf_memory_log_partition(source->log, position->partition);
    if (position->out_of_range)
        return false;
    if (position->next == VF_OFFSET_BEGINNING)
        position->next = partition->low;
    struct vf_record row = {.assignment = source->assignment,
                            .topic = position->partition.topic,
                            .partition = position->partition.partition,
                            .timestamp_ms = -1,
                            .key_is_null = true,
                            .value_is_null = true};
    if (position->next < partition->low || position->next > partition->high) {
        position->out_of_range = true;
        row.row = VF_ROW_OUT_OF_RANGE;
        row.offset = position->next;
    } else if (vf_memory_log_at(source->log, position->partition, position->next, &row)) {
        row.assignment = source->assignment;
        position->next = row.offset + 1;
        position->end_told = -1;
    } else if (position->end_told != partition->high) {
        position->end_told = position->next = partition->high;
        row.row = VF_ROW_END;
        row.offset = partition->high;
    } else {
        return false;
    }
    *ret_row = row;
    return true;
}

/* When a position's next record was appended; UINT64_MAX where it has none left. */
static uint64_t next_turn(const struct vf_source *source, const struct vf_memory_position *position)
{
    const struct vf_memory_partition *partition = vf_memory_log_partition(source->log, position->partition);
    int64_t next = position->next == VF_OFFSET_BEGINNING ? partition->low : position->next;
    size_t record = vf_memory_partition_find(partition, next);
    return record < partition->count ? partition->records[record].turn : UINT64_MAX;
}

/* The index of the smallest; of equal ones the first. */
static size_t smallest(const uint64_t *turns, size_t count)
{
    size_t first = 0;
    for (size_t i = 1; i < count; i++)
        first = turns[i] < turns[first] ? i : first;
    return first;
}

/* Adds rows of all positions, each time of one at random, or in order, until a limit is reached or nothing is left. */
static void gather(struct vf_source *source, size_t rows_max, size_t bytes_max, struct vf_polled *polled)
{
    size_t count = source->position_count, gathered = 0;
    struct vf_memory_position **open = vf_calloc(count, sizeof(*open));
    uint64_t *turns = vf_calloc(count, sizeof(*turns)); /* of the open ones; only where they come in order */
    bool in_order = source->log->in_order;
    for (size_t i = 0; i < count; i++) {
        open[i] = &source->positions[i];
        turns[i] = in_order ? next_turn(source, open[i]) : 0;
    }
    while (count > 0 && gathered < rows_max && (gathered == 0 || polled->bytes < bytes_max)) {
        size_t which = in_order ? smallest(turns, count) : vf_memory_log_random(source->log, count);
        struct vf_record row;
        if (next_row(source, open[which], &row)) {
            add_row(polled, &row);
            gathered++;
            turns[which] = in_order ? next_turn(source, open[which]) : 0;
        } else {
            open[which] = open[--count];
            turns[which] = turns[count];
        }
    }
    free(turns);
    free(open);
}

/* ---- polling ---- */

static struct vf_partition *copy_share(const struct vf_memory_share *share)
{
    struct vf_partition *partitions = vf_calloc(share->count, sizeof(*partitions));
    if (share->count > 0)
        memcpy(partitions, share->partitions, share->count * sizeof(*partitions));
    return partitions;
}

static void drop_positions(struct vf_source *source)
{
    free(source->positions);
    source->positions = NULL;
    source->position_count = 0;
    free_polled(source->stale);
    source->stale = NULL;
}

/* News of the group, if there is some. */
static bool tell(struct vf_source *source, struct vf_polled *polled)
{
    if (source->zombie || !(source->revoke_pending || source->assign_pending))
        return false;
    drop_positions(source);
    if (source->revoke_pending) {
        polled->happening = VF_REVOKED;
        polled->partitions = copy_share(&source->revoked);
        polled->partition_count = source->revoked.count;
        polled->lost = source->lost;
        source->revoke_pending = source->lost = false;
    } else {
        polled->happening = VF_ASSIGNED;
        polled->partitions = copy_share(&source->share);
        polled->partition_count = source->share.count;
        source->assign_pending = false;
        source->told = true;
    }
    return true;
}

static enum vf_code source_poll(struct vf_source *source, const struct vf_poll_limits *limits,
                                struct vf_polled **ret_polled, struct vf_error *error)
{
    struct vf_memory_log *log = source->log;
    enum vf_code code = begin_call(log, "poll", error);
    if (code != VF_OK)
        return code;
    struct vf_polled *polled = vf_calloc(1, sizeof(*polled));
    if (!tell(source, polled)) {
        if (source->stale && source->stale->row_count <= limits->rows_max) {
            free_polled(polled);
            polled = source->stale;
            source->stale = NULL;
        }
        size_t rows_max = limits->rows_max;
        if (log->rows_max > 0) {
            size_t cut = 1 + vf_memory_log_random(log, log->rows_max);
            rows_max = cut < rows_max ? cut : rows_max;
        }
        rows_max = rows_max > polled->row_count ? rows_max - polled->row_count : 0;
        gather(source, rows_max, limits->bytes_max, polled);
        polled->happening = polled->row_count > 0 ? VF_ROWS : VF_NOTHING;
    }
    source->polls++;
    *ret_polled = polled;
    return VF_OK;
}

static void source_release(struct vf_source *source, struct vf_polled *polled)
{
    if (!polled)
        return;
    source->polls--;
    free_polled(polled);
}

/* ---- positions ---- */

/* Keeps some rows of the positions that are about to be replaced, as a client's queue may. */
static void keep_stale(struct vf_source *source)
{
    struct vf_memory_log *log = source->log;
    free_polled(source->stale);
    source->stale = NULL;
    if (log->stale_in_a_thousand == 0 || vf_memory_log_random(log, 1000) >= log->stale_in_a_thousand)
        return;
    struct vf_polled *stale = vf_calloc(1, sizeof(*stale));
    gather(source, 1 + vf_memory_log_random(log, STALE_ROWS_MAX), SIZE_MAX, stale);
    source->stale = stale;
}

static enum vf_code source_assign(struct vf_source *source, const struct vf_position *positions, size_t count,
                                  uint64_t *ret_assignment, struct vf_error *error)
{
    struct vf_memory_log *log = source->log;
    enum vf_code code = begin_call(log, "assign", error);
    if (code != VF_OK)
        return code;
    for (size_t i = 0; i < count; i++) {
        if (!vf_memory_log_partition(log, positions[i].partition))
            return vf_fail(error, VF_E_NOT_FOUND, "memory log: there is no %s/%d", positions[i].partition.topic,
                           positions[i].partition.partition);
        assert(positions[i].offset >= 0 || positions[i].offset == VF_OFFSET_BEGINNING);
    }
    keep_stale(source);
    free(source->positions);
    source->positions = vf_calloc(count, sizeof(*source->positions));
    source->position_count = count;
    for (size_t i = 0; i < count; i++) {
        const struct vf_memory_topic *topic = vf_memory_log_topic(log, positions[i].partition.topic);
        source->positions[i] = (struct vf_memory_position){
            .partition = {topic->name, positions[i].partition.partition}, .next = positions[i].offset, .end_told = -1};
    }
    source->assignment = ++log->assignments;
    *ret_assignment = source->assignment;
    return VF_OK;
}

static enum vf_code source_commit(struct vf_source *source, const struct vf_position *positions, size_t count,
                                  bool wait, struct vf_error *error)
{
    (void)wait;
    enum vf_code code = begin_call(source->log, "commit", error);
    if (code != VF_OK)
        return code;
    if (source->expelled || !source->told)
        return vf_fail_retriable(error, VF_E_UNAVAILABLE,
                                 "memory log: commit: no member of this generation of the group");
    for (size_t i = 0; i < count; i++) {
        if (vf_memory_log_partition(source->log, positions[i].partition))
            vf_memory_log_set_committed(source->log, source->group->name, positions[i].partition, positions[i].offset);
    }
    return VF_OK;
}

/* ---- questions ---- */

static enum vf_code source_watermarks(struct vf_source *source, struct vf_partition at, int64_t *ret_low,
                                      int64_t *ret_high, struct vf_error *error)
{
    enum vf_code code = begin_call(source->log, "watermarks", error);
    if (code != VF_OK)
        return code;
    const struct vf_memory_partition *partition = vf_memory_log_partition(source->log, at);
    if (!partition)
        return vf_fail(error, VF_E_NOT_FOUND, "memory log: there is no %s/%d", at.topic, at.partition);
    *ret_low = partition->low;
    *ret_high = partition->high;
    return VF_OK;
}

static enum vf_code source_partition_count(struct vf_source *source, const char *topic, int32_t *ret_count,
                                           struct vf_error *error)
{
    enum vf_code code = begin_call(source->log, "partition count", error);
    if (code != VF_OK)
        return code;
    const struct vf_memory_topic *found = vf_memory_log_topic(source->log, topic);
    if (!found)
        return vf_fail(error, VF_E_NOT_FOUND, "memory log: there is no topic %s", topic);
    *ret_count = found->partition_count;
    return VF_OK;
}

static enum vf_code source_committed(struct vf_source *source, struct vf_position *positions, size_t count,
                                     struct vf_error *error)
{
    enum vf_code code = begin_call(source->log, "committed", error);
    if (code != VF_OK)
        return code;
    for (size_t i = 0; i < count; i++)
        positions[i].offset = vf_memory_log_committed(source->log, source->group->name, positions[i].partition);
    return VF_OK;
}

const struct vf_source_type vf_memory_source_type = {
    .name = "memory",
    .open = source_open,
    .close = source_close,
    .look = source_look,
    .poll = source_poll,
    .release = source_release,
    .assign = source_assign,
    .commit = source_commit,
    .watermarks = source_watermarks,
    .partition_count = source_partition_count,
    .committed = source_committed,
};
