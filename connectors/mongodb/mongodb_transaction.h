/*
 * One transaction of a commit, and the commands within it. Included by the commit's files only. Functions that return bool
 * say whether to go on; when not, the result holds the outcome.
 */
#ifndef VF_MONGODB_TRANSACTION_H
#define VF_MONGODB_TRANSACTION_H

#include "connectors/mongodb/mongodb_internal.h"

struct vf_mongodb_transaction {
    struct vf_store *store;
    const struct vf_commit *commit;
    struct vf_mongodb_names names;
    mongoc_client_session_t *session;
    int64_t deadline_us;
    unsigned part; /* the VF_FAILED_ bit of what is being written now */
    struct vf_commit_result *result;
};

/* Both set the outcome, and are always false. */
bool vf_mongodb_refused(struct vf_mongodb_transaction *transaction, enum vf_code code, bool retriable,
                        const char *text);
bool vf_mongodb_conflict(struct vf_mongodb_transaction *transaction);

/* A command before the commit that failed: nothing of the transaction will be written. `reply` may be NULL. Always false. */
bool vf_mongodb_command_failed(struct vf_mongodb_transaction *transaction, const bson_error_t *failure,
                               const bson_t *reply);

bool vf_mongodb_transaction_begin(struct vf_mongodb_transaction *transaction);

/* Sends commitTransaction, repeats only that while its outcome is unknown, and sets the outcome. */
void vf_mongodb_transaction_commit(struct vf_mongodb_transaction *transaction);

/* Aborts what was not committed, and lets the session go; for every way out. */
void vf_mongodb_transaction_end(struct vf_mongodb_transaction *transaction);

/* A command that is being built: one verb on one collection with a growing list of statements. When the list is full it is
 * sent, and another one is begun. */
struct vf_mongodb_command {
    struct vf_mongodb_transaction *transaction;
    const char *verb;     /* "update" */
    const char *list_key; /* "updates" */
    const char *collection;
    bool modifies; /* each statement has to modify its document, or upsert it */
    bson_t bson;
    bson_t list;
    uint32_t count;
};

void vf_mongodb_command_init(struct vf_mongodb_command *command, struct vf_mongodb_transaction *transaction,
                             const char *verb, const char *list_key, const char *collection);

/* Makes room for a statement of about `size` bytes. False: what was there was sent, and failed; the command is gone. */
bool vf_mongodb_command_room(struct vf_mongodb_command *command, size_t size);

void vf_mongodb_statement_begin(struct vf_mongodb_command *command, bson_t *statement);
void vf_mongodb_statement_end(struct vf_mongodb_command *command, bson_t *statement);

/* Sends what is in the list, if anything, and checks that all of it was done. The command is gone afterwards. */
bool vf_mongodb_command_send(struct vf_mongodb_command *command);

/* The same for a command with one update of many documents: each that it matched has to be modified. */
bool vf_mongodb_command_send_multi(struct vf_mongodb_command *command);

/* mongodb_aside.c */

/* Takes out of lists what leaves them, and puts in what comes. */
bool vf_mongodb_write_asides(struct vf_mongodb_transaction *transaction);

/* What an event that is set aside takes in a command, about. */
size_t vf_mongodb_aside_bytes(const struct vf_aside *aside);

/* mongodb_drops.c */

/* Puts down what has been dropped, behind what there is. */
bool vf_mongodb_write_drops(struct vf_mongodb_transaction *transaction);

/* What a decision takes in a command, about. */
size_t vf_mongodb_drop_bytes(const struct vf_dropped *dropped);

/* mongodb_guard.c: conditions in pipelines, and progress. */

/* operator: [path, value] */
void vf_mongodb_append_pair(bson_t *into, const char *operator, const char * path, const char *value);

/* Tests the stamp of the generation's entry, and touches it. */
bool vf_mongodb_touch_entry(struct vf_mongodb_transaction *transaction);

/* Tests and moves the progress of the commit's partitions; without any, tests that the generation is not frozen. */
bool vf_mongodb_update_progress(struct vf_mongodb_transaction *transaction);

#endif
