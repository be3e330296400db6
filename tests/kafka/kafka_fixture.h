/*
 * For tests against a real Kafka (VIEWFOLD_KAFKA): topics of their own, what is produced into them, and members that are
 * polled until something holds. Everything fails the test that calls it.
 */
#ifndef VF_TESTS_KAFKA_FIXTURE_H
#define VF_TESTS_KAFKA_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "connectors/kafka/kafka_source.h"

/* No wait of a test is longer: what has not come by then does not come. */
#define FIXTURE_WAIT_MS 60000

const char *fixture_brokers(void);
int64_t fixture_now_ms(void);

/* Names: random, so that runs do not meet. Freed with free. */
char *fixture_name(const char *what);
char *fixture_topic(int partitions);

/* Produces `count` records with the values "first".."first+count-1" and as keys the same; waits for the reports. */
void fixture_produce(const char *topic, int32_t partition, int first, int count);

/* The same in a transaction of its own; its marker is in the log when this returns. */
void fixture_produce_transaction(const char *topic, int32_t partition, int first, int count, bool commit);

/* One record; NULL is null. Header values may be NULL; names end with a NULL. */
void fixture_produce_one(const char *topic, int32_t partition, const char *key, const char *value,
                         const char *const (*headers)[2]);

/* Removes the records before the offset from the log. */
void fixture_delete_before(const char *topic, int32_t partition, int64_t offset);

/* A transaction that stays open until it is ended. */
struct fixture_transaction;
struct fixture_transaction *fixture_transaction_begin(const char *topic, int32_t partition, int first, int count);
void fixture_transaction_end(struct fixture_transaction *transaction, bool commit);

/* One row that a member got. */
struct fixture_row {
    enum vf_row_kind kind;
    uint64_t assignment;
    int32_t partition;
    int64_t offset;
    int value; /* of a record */
};

struct member {
    struct vf_source *source;
    char *topic;
    uint64_t assignment;
    /* The last rebalance, and how often there was one. */
    bool assigned_due, revoked_due, lost;
    int assignments, revocations;
    int32_t partitions[16];
    size_t partition_count;
    struct fixture_row *rows;
    size_t row_count, row_capacity;
    int faults;
    struct vf_error fault;
};

/* Opens a member with sessions of 2 s. `more` are further properties. */
void member_open(struct member *member, const char *group, const char *topic, const struct vf_source_property *more,
                 size_t more_count);
void member_close(struct member *member);

/* One poll of up to 100 ms; what it brought is in the member. */
void member_poll(struct member *member);

/* Answers: reads every partition of the last VF_ASSIGNED at its offset in `offsets` (by partition), or nothing. */
void member_assign(struct member *member, const int64_t *offsets);
void member_assign_none(struct member *member);
void member_assign_one(struct member *member, int32_t partition, int64_t offset);

/* Polls until the condition holds (an expression over what the caller sees). */
#define POLL_UNTIL(member, condition)                                              \
    do {                                                                           \
        int64_t begin_ = fixture_now_ms();                                         \
        while (!(condition)) {                                                     \
            member_poll(member);                                                   \
            if (fixture_now_ms() - begin_ > FIXTURE_WAIT_MS)                       \
                fail_msg("%s:%d: never held: %s", __FILE__, __LINE__, #condition); \
        }                                                                          \
    } while (0)

/* Opens, waits for the assignment, and assigns partition 0 at the offset. */
void member_open_at(struct member *member, const char *topic, int64_t offset);

/* How many rows of a kind there are in a partition (-1: in all), and the nth of them. */
size_t member_count(const struct member *member, enum vf_row_kind kind, int32_t partition);
const struct fixture_row *member_row(const struct member *member, enum vf_row_kind kind, int32_t partition, size_t n);
void member_forget(struct member *member);

/* The records of a partition must have exactly the offsets from..to-1. */
void member_expect_offsets(const struct member *member, int32_t partition, int64_t from, int64_t to);

/* librdkafka's queue of what is fetched and not polled. */
int member_queued(const struct member *member);

/* Waits, without polling the member (but `other`, if any), until as much is queued. */
void member_await_queued(const struct member *member, int count, struct member *other);

#endif
