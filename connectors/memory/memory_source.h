/*
 * A source in memory, for tests: engine/source.h to the letter, where the test is broker, coordinator and time.
 *
 * A log (`struct vf_memory_log`) holds topics and consumer groups, and outlives the sources that read from it. Sources are
 * opened through the type with a config.brokers of vf_memory_log_brokers(log); there are no globals. One thread uses a log and
 * all of its sources. What is left to chance comes from the log's seed, so a run repeats itself.
 *
 * Nothing happens by itself: a member that joined gets partitions with the next vf_memory_log_rebalance, one that closed or
 * became a zombie keeps them until then. Controls name a member by its config.instance.
 */
#ifndef VF_MEMORY_SOURCE_H
#define VF_MEMORY_SOURCE_H

#include "source.h"

struct vf_memory_log;

extern const struct vf_source_type vf_memory_source_type;

struct vf_memory_log *vf_memory_log_new(uint64_t seed);
void vf_memory_log_free(struct vf_memory_log *log);                 /* after its sources are closed; NULL is fine */
const char *vf_memory_log_brokers(const struct vf_memory_log *log); /* for config.brokers */

/* ---- records ---- */

/* Makes the topic; one that is there gets more partitions. */
void vf_memory_log_add_topic(struct vf_memory_log *log, const char *topic, int32_t partitions);

/* Copies the record; its offset. A key or value whose data is NULL is null. */
int64_t vf_memory_log_append(struct vf_memory_log *log, struct vf_partition partition, struct vf_bytes key,
                             struct vf_bytes value, int64_t timestamp_ms);

/* The same with headers: the record's key, value, headers and timestamp count. */
int64_t vf_memory_log_append_record(struct vf_memory_log *log, struct vf_partition partition,
                                    const struct vf_record *record);

/* `count` offsets that hold no record, as transaction markers and compaction leave them. */
void vf_memory_log_leave_hole(struct vf_memory_log *log, struct vf_partition partition, int64_t count);

/* The log begins at `low` now: a position below is out of range. */
void vf_memory_log_trim(struct vf_memory_log *log, struct vf_partition partition, int64_t low);

/* The topic was deleted and made again: empty, from offset 0. */
void vf_memory_log_recreate(struct vf_memory_log *log, const char *topic);

/* The first record at or after `offset`, borrowed until the log changes; false where there is none. For a model to walk. */
bool vf_memory_log_at(const struct vf_memory_log *log, struct vf_partition partition, int64_t offset,
                      struct vf_record *ret_record);

/* ---- delivery ---- */

/* A poll brings 1 to `rows_max` rows, at random; 0 (at first): as many as its own limits allow. Rows of several partitions
 * come mixed at random, in order within each. */
void vf_memory_log_set_rows_max(struct vf_memory_log *log, size_t rows_max);

/* From now on rows of several partitions come in the order in which they were appended, and ends behind them. */
void vf_memory_log_set_in_order(struct vf_memory_log *log);

/* So often (in a thousand assigns; 0 at first) the first poll after an assign still brings some rows from before, with the
 * older assignment's number. */
void vf_memory_log_set_stale(struct vf_memory_log *log, unsigned in_a_thousand);

/* The n-th call from now (1: the next; 0: none), of any source, fails with VF_E_UNAVAILABLE, retriable, and does nothing. */
void vf_memory_log_fail_call(struct vf_memory_log *log, unsigned n);

/* ---- groups ---- */

/* Divides the partitions among the group's members, those that are zombies excepted: member by member in the order of joining,
 * shifted by one with each rebalance, so that partitions move. At their next polls the members learn it: VF_REVOKED where they
 * had been given some, then VF_ASSIGNED. Zombies are expelled and do not learn of it. */
void vf_memory_log_rebalance(struct vf_memory_log *log, const char *group);

/* Whether a member joined, left, became a zombie or came back since the last rebalance. */
bool vf_memory_log_wants_rebalance(const struct vf_memory_log *log, const char *group);

/* A zombie's polls go on reading its old positions and bring no news of the group. When it comes back, and was expelled
 * meanwhile, it gets VF_REVOKED with `lost`, and partitions with the next rebalance. */
void vf_memory_log_set_zombie(struct vf_memory_log *log, const char *group, const char *instance, bool zombie);

/* The group's committed offset, -1 where there is none; and moved behind everybody's back (-1: forgotten). */
int64_t vf_memory_log_committed(const struct vf_memory_log *log, const char *group, struct vf_partition partition);
void vf_memory_log_set_committed(struct vf_memory_log *log, const char *group, struct vf_partition partition,
                                 int64_t offset);

#endif
