/*
 * What the source and the admin share: a librdkafka handle with its configuration, its last words, and what its error
 * codes mean to viewfold. Private to connectors/kafka.
 *
 * A client belongs to one thread, but for its last words, which librdkafka's own threads write (log_cb) under a lock.
 */
#ifndef VF_KAFKA_CLIENT_H
#define VF_KAFKA_CLIENT_H

#include "source.h"

#include <librdkafka/rdkafka.h>
#include <pthread.h>

/* Longest question to a broker that a worker waits for (watermarks, committed, a commit that waits). */
#define VF_KAFKA_ASK_MS_MAX 2000

struct vf_kafka_client {
    rd_kafka_t *rk;
    char *brokers;
    void *owner;

    pthread_mutex_t lock; /* of last_error */
    char last_error[512];

    /* Noted by the error callback, which only the owning thread's polls call. */
    rd_kafka_resp_err_t denied;  /* the login was refused */
    rd_kafka_resp_err_t down;    /* no broker is left; 0 when that was taken notice of */
    rd_kafka_resp_err_t garbled; /* an answer could not be read; 0 when that was taken notice of */
};

int64_t vf_kafka_now_ms(void);

/* A configuration with the user's properties, each checked. VF_E_CONFIG. The caller owns *ret_conf. */
VF_MUSTCHECK enum vf_code vf_kafka_conf_make(const struct vf_source_property *properties, size_t count,
                                             rd_kafka_conf_t **ret_conf, struct vf_error *error);

/* Sets a property that viewfold owns: a refusal is our own fault or the library's age, VF_E_BUG. */
VF_MUSTCHECK enum vf_code vf_kafka_conf_own(rd_kafka_conf_t *conf, const char *name, const char *value,
                                            struct vf_error *error);

/* Makes the handle. Takes conf, also on failure. VF_E_CONFIG. */
VF_MUSTCHECK enum vf_code vf_kafka_client_start(struct vf_kafka_client *client, void *owner, const char *brokers,
                                                rd_kafka_conf_t *conf, struct vf_error *error);

/* Releases what is left; the handle must be destroyed before (or never have been made). */
void vf_kafka_client_done(struct vf_kafka_client *client);

/* Calls end(memory), which destroys a handle, and then free_memory(memory), in a thread of its own, and waits for that at
 * most as long as said: librdkafka gives up what it has sent to a silent coordinator only after 45 s and more, and when
 * an answer of ours meets the group's end in its queue, it waits for ever. The thread sees to the rest by itself. */
void vf_kafka_end_within(int64_t timeout_ms, void (*end)(void *memory), void (*free_memory)(void *memory),
                         void *memory);

/* Waits until a broker has answered and knows the topics. VF_E_UNAVAILABLE, VF_E_DENIED, VF_E_NOT_FOUND. Calls
 * `serve` now and then, which runs the handle's callbacks. */
VF_MUSTCHECK enum vf_code vf_kafka_client_contact(struct vf_kafka_client *client, const char *const *topics,
                                                  size_t topic_count, int64_t timeout_ms, void (*serve)(rd_kafka_t *rk),
                                                  struct vf_error *error);

/* How many partitions the topic has, within the time limit. Codes as vf_kafka_client_fail. */
VF_MUSTCHECK enum vf_code vf_kafka_client_partition_count(struct vf_kafka_client *client, const char *topic,
                                                          int64_t timeout_ms, int32_t *ret_count,
                                                          struct vf_error *error);

/* Sets every element of `low` to its log's first offset and of `high` to its end as read_committed sees it, within the
 * time limit: two requests a broker. VF_OK means all of them. */
VF_MUSTCHECK enum vf_code vf_kafka_client_ends(struct vf_kafka_client *client, rd_kafka_topic_partition_list_t *low,
                                               rd_kafka_topic_partition_list_t *high, int64_t timeout_ms,
                                               struct vf_error *error);

/* What librdkafka's code means here: VF_E_DENIED, VF_E_NOT_FOUND, VF_E_BUG (fatal), VF_E_UNAVAILABLE (all else). */
enum vf_code vf_kafka_code(rd_kafka_resp_err_t err);

/* An error out of librdkafka's code: "kafka BROKERS: ABOUT: reason (last error: ...)". */
enum vf_code vf_kafka_client_fail(struct vf_kafka_client *client, rd_kafka_resp_err_t err, struct vf_error *error,
                                  const char *format, ...) VF_PRINTF(4, 5);

/* Keeps words that may explain a later failure. Any thread. */
void vf_kafka_client_note(struct vf_kafka_client *client, const char *text);

/* " (last error: ...)" or "". */
struct vf_kafka_words {
    char text[600];
};
struct vf_kafka_words vf_kafka_client_last_words(struct vf_kafka_client *client);

#endif
