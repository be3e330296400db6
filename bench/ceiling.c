/*
 * bench-ceiling: what a store takes at most. The same documents as viewfold would write, in the same batches, by the same
 * commit protocol (condition on progress and on every stamp, all or nothing), from a bare loop: no Kafka, no Lua, nothing is
 * read. The documents are folded by hand below, and bench.py compares what came of them with the model, as it does for
 * viewfold's.
 *
 *     bench-ceiling redis|mongodb URL PREFIX WORKERS BATCH WORKLOAD EVENTS KEYS CUSTOMERS
 *
 * Each worker is a thread with a connection of its own, its share of the documents (so nobody conflicts) and its share of
 * four partitions. The next batch is made while the last one is in flight. Prints {"events":N,"seconds":S,"documents":W,
 * "batches":B}, from the first commit's sending to the last one's answer.
 */
#include "connectors/mongodb/mongodb_store.h"
#include "connectors/redis/redis_store.h"
#include "workload.h"

#include <bson/bson.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PARTITIONS    4
#define CONFLICTS_MAX 100
#define SCRIPT        "return {}"

/* What is known of a document between batches. */
struct document {
    char id[24];
    bool exists;
    uint64_t stamp;
    int64_t revision;
    uint64_t batch; /* that touched it last */
    uint64_t at;    /* where in that batch */
    struct vf_version *versions;
    size_t version_count;
    uint64_t last; /* of an order or account: its version. Of a customer: 1 once created */
    uint64_t customer, orders, steps, balance;
};

/* An order's link to its customer. */
struct link {
    char aggregate[32];
    char target[24];
    bool exists;
    uint64_t stamp;
    uint64_t batch;
};

struct batch {
    struct vf_arena *arena;
    struct vf_commit commit;
    struct vf_document_change *documents;
    struct vf_aggregate_change *aggregates;
    struct vf_progress_change progress;
};

struct worker {
    pthread_t thread;
    const struct bench_workload *workload;
    const struct vf_store_type *type;
    struct vf_store *store;
    uint64_t number, workers, batch_events;
    struct document *documents; /* shared array; each entry is one worker's */
    struct link *links;
    struct vf_progress progress[PARTITIONS];
    struct batch batches[2];
    uint64_t batch_number;
    uint64_t events_done, documents_written;
    double began, ended;
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static __attribute__((noreturn)) void stop(const char *what, const struct vf_error *error)
{
    fprintf(stderr, "bench-ceiling: %s: %s\n", what, error ? error->text : "");
    exit(1);
}

static uint64_t random_stamp(struct worker *worker)
{
    uint64_t x = (worker->batch_number << 8 | worker->number) * UINT64_C(0x9E3779B97F4A7C15);
    return x ^ x >> 29;
}

/* --- folding by hand ---------------------------------------------------------------------------------------------- */

static void set_version(struct document *document, const struct bench_event *event)
{
    char text[64];
    int size = snprintf(text, sizeof text, "%s/%c%" PRIu64, event->kind, event->letter, event->number);
    struct vf_bytes aggregate = vf_bytes(text, (size_t)size);
    size_t low = 0, high = document->version_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = vf_bytes_compare(document->versions[middle].aggregate, aggregate);
        if (order == 0) {
            document->versions[middle].version = (int64_t)event->version;
            return;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    size_t count = document->version_count;
    if ((count & (count - 1)) == 0) /* 0 and powers of two: that many are there, and no more */
        document->versions = vf_realloc(document->versions, (count ? count * 2 : 1) * sizeof *document->versions);
    memmove(document->versions + low + 1, document->versions + low, (count - low) * sizeof *document->versions);
    document->versions[low] =
        (struct vf_version){vf_bytes(vf_strndup(text, (size_t)size), (size_t)size), (int64_t)event->version, NULL};
    document->version_count++;
}

static void take_in(const struct bench_workload *workload, struct document *document, const struct bench_event *event)
{
    document->revision++;
    set_version(document, event);
    if (event->letter == 'c' || workload->kind != BENCH_CUSTOMER_JOIN)
        document->last = event->version;
    document->customer = event->customer;
    document->orders += event->letter == 'o' && event->version == 1;
    document->steps += event->letter == 'o' && event->version > 1;
    document->balance += event->version > 1 ? event->amount : 0;
}

static void add_text(bson_t *body, const char *name, const char *format, uint64_t number)
{
    char text[64];
    int size = snprintf(text, sizeof text, format, number);
    bson_append_utf8(body, name, -1, text, size);
}

/* The body, its fields in order, as the projections in this folder make it. */
static void print_body(const struct bench_workload *workload, uint64_t number, const struct document *document,
                       bson_t *body)
{
    char note[BENCH_TEXT_BYTES];
    bson_t limit;
    if (workload->kind == BENCH_CUSTOMER_JOIN) {
        if (document->last) {
            BSON_APPEND_DOCUMENT_BEGIN(body, "creditLimit", &limit);
            BSON_APPEND_UTF8(&limit, "amount", "2000");
            bson_append_document_end(body, &limit);
            BSON_APPEND_UTF8(body, "name", "Fred");
        }
        BSON_APPEND_INT64(body, "orders", (int64_t)document->orders);
        BSON_APPEND_INT64(body, "steps", (int64_t)document->steps);
        return;
    }
    if (document->last > 1)
        BSON_APPEND_UTF8(body, "at", BENCH_TIME);
    if (workload->kind == BENCH_HOT_ACCOUNTS) {
        BSON_APPEND_INT64(body, "balance", (int64_t)document->balance);
        BSON_APPEND_INT64(body, "moves", (int64_t)document->last - 1);
        add_text(body, "owner", "c%" PRIu64, number % 7);
        return;
    }
    add_text(body, "customer", "c%" PRIu64, document->customer);
    if (document->last > 1) {
        struct bench_event event;
        bench_event_at(workload, (document->last - 1) * workload->keys + number, &event);
        bson_append_utf8(body, "note", -1, note, (int)bench_event_note(&event, note));
        add_text(body, "place", "%" PRIu64, number * document->last % 997);
    }
    BSON_APPEND_INT64(body, "step", (int64_t)document->last);
    add_text(body, "total", "%" PRIu64, number * 7 % 100000);
}

/* --- batches ------------------------------------------------------------------------------------------------------ */

static void consult_document(struct worker *worker, struct batch *batch, const struct bench_event *event)
{
    struct document *document = &worker->documents[event->document];
    if (document->batch != worker->batch_number) {
        document->batch = worker->batch_number;
        document->at = batch->commit.document_count++;
        batch->documents[document->at] = (struct vf_document_change){
            .intent = VF_WRITE,
            .base = document->exists ? VF_PRESENT : VF_ABSENT,
            .base_stamp = document->stamp,
            .next = {.id = vf_bytes_from(document->id)},
        };
    }
    take_in(worker->workload, document, event);
}

static void consult_link(struct worker *worker, struct batch *batch, const struct bench_event *event)
{
    struct link *link = &worker->links[event->number];
    if (link->batch == worker->batch_number)
        return;
    link->batch = worker->batch_number;
    bool make = !link->exists;
    batch->aggregates[batch->commit.aggregate_count++] = (struct vf_aggregate_change){
        .intent = make ? VF_WRITE : VF_CONSULT_OWN,
        .base_exists = link->exists,
        .base_stamp = link->stamp,
        .next = {.aggregate = vf_bytes_from(link->aggregate),
                 .exists = true,
                 .stamp = batch->commit.stamp,
                 .has_link = true,
                 .link = vf_bytes_from(link->target)},
    };
    if (make) {
        link->exists = true;
        link->stamp = batch->commit.stamp;
    }
}

static void seal(struct worker *worker, struct batch *batch)
{
    struct vf_commit *commit = &batch->commit;
    for (size_t i = 0; i < commit->document_count; i++) {
        struct vf_document *next = &batch->documents[i].next;
        uint64_t number = strtoull(next->id.data + 1, NULL, 10);
        struct document *document = &worker->documents[number];
        bson_t body = BSON_INITIALIZER;
        print_body(worker->workload, number, document, &body);
        next->presence = VF_PRESENT;
        next->stamp = document->stamp = commit->stamp;
        next->revision = document->revision;
        next->body = vf_arena_bytes(batch->arena, bson_get_data(&body), body.len);
        next->version_count = document->version_count;
        next->versions = (const struct vf_version *)(const void *)vf_arena_bytes(
                             batch->arena, document->versions, document->version_count * sizeof *next->versions)
                             .data;
        document->exists = true;
        bson_destroy(&body);
    }
    /* One partition a batch, in turn, of those that are this worker's. */
    uint64_t mine = PARTITIONS / worker->workers ? PARTITIONS / worker->workers : 1;
    uint64_t partition = worker->batch_number % mine * worker->workers + worker->number;
    struct vf_progress *progress = &worker->progress[partition % PARTITIONS];
    struct vf_progress to = *progress;
    to.exists = to.has_last = true;
    to.next += (int64_t)worker->batch_events;
    to.of = PARTITIONS;
    to.last_offset = to.next - 1;
    to.last_timestamp_ms = INT64_C(1772359200000) + to.next;
    to.last_hash = commit->stamp;
    batch->progress = (struct vf_progress_change){{"bench", (int32_t)partition}, *progress, to};
    *progress = to;
    commit->progress = &batch->progress;
    commit->progress_count = 1;
    commit->documents = batch->documents;
    commit->aggregates = batch->aggregates;
}

/* Fills a batch with this worker's events from *index on. False: there are none left. */
static bool make_batch(struct worker *worker, struct batch *batch, uint64_t *index)
{
    uint64_t total = bench_workload_events(worker->workload), events = 0;
    vf_arena_reset(batch->arena);
    worker->batch_number++;
    batch->commit = (struct vf_commit){.view = {worker->workload->name, 1}, .stamp = random_stamp(worker)};
    batch->documents = vf_arena_alloc(batch->arena, worker->batch_events * sizeof *batch->documents);
    batch->aggregates = vf_arena_alloc(batch->arena, worker->batch_events * sizeof *batch->aggregates);
    for (; *index < total && events < worker->batch_events; (*index)++) {
        struct bench_event event;
        bench_event_at(worker->workload, *index, &event);
        if (event.document % worker->workers != worker->number)
            continue;
        consult_document(worker, batch, &event);
        if (worker->workload->kind == BENCH_CUSTOMER_JOIN && event.letter == 'o')
            consult_link(worker, batch, &event);
        events++;
    }
    if (events == 0)
        return false;
    seal(worker, batch);
    worker->events_done += events;
    worker->documents_written += batch->commit.document_count;
    return true;
}

/* Nobody else writes what this worker writes, so a conflict passes: the same commit is sent again. MongoDB's workers meet
 * where each makes its first partition's progress. */
static void settle(struct worker *worker)
{
    const struct batch *in_flight = &worker->batches[worker->batch_number % 2];
    struct vf_commit_result result = {.outcome = VF_CONFLICT};
    worker->type->commit_wait(worker->store, &result);
    for (int i = 0; i < CONFLICTS_MAX && result.outcome == VF_CONFLICT; i++) {
        worker->type->commit_send(worker->store, &in_flight->commit);
        worker->type->commit_wait(worker->store, &result);
    }
    if (result.outcome == VF_CONFLICT)
        vf_fail(&result.error, VF_E_DATA, "its conditions do not hold (%u)", result.failed);
    if (result.outcome != VF_COMMITTED)
        stop("a commit did not take hold", &result.error);
}

static void *run_worker(void *self)
{
    struct worker *worker = self;
    uint64_t index = 0;
    bool in_flight = false;
    worker->began = now();
    while (make_batch(worker, &worker->batches[worker->batch_number % 2], &index)) {
        struct batch *batch = &worker->batches[(worker->batch_number - 1) % 2];
        if (in_flight)
            settle(worker);
        worker->type->commit_send(worker->store, &batch->commit);
        in_flight = true;
    }
    if (in_flight)
        settle(worker);
    worker->ended = now();
    return NULL;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static void open_store(struct worker *worker, const struct vf_store_config *config)
{
    struct vf_error error;
    struct vf_arena *arena = vf_arena_new();
    struct vf_file file = {VF_LITERAL("bench.lua"), VF_LITERAL(SCRIPT)};
    struct vf_generation proposed = {.number = 1,
                                     .state = "active",
                                     .projection_version = 1,
                                     .script_hash = "0000000000000000000000000000000000000000000000000000000000000000",
                                     .script = "bench.lua",
                                     .files = &file,
                                     .file_count = 1,
                                     .created_ms = 1,
                                     .format = VF_FORMAT};
    struct vf_generation generation;
    bool created;
    /* The generation's stamp stays 0, as the commits have it: the store tests it all the same. */
    if (worker->type->open(config, &worker->store, &error))
        stop("open", &error);
    if (worker->type->prepare(worker->store, worker->workload->name, &proposed, arena, &generation, &created, &error))
        stop("prepare", &error);
    vf_arena_free(arena);
    worker->batches[0].arena = vf_arena_new();
    worker->batches[1].arena = vf_arena_new();
}

static struct document *make_documents(const struct bench_workload *workload)
{
    uint64_t count = bench_workload_documents(workload);
    struct document *documents = vf_calloc(count, sizeof *documents);
    for (uint64_t i = 0; i < count; i++)
        snprintf(documents[i].id, sizeof documents[i].id, "%c%" PRIu64, bench_workload_document_letter(workload), i);
    return documents;
}

static struct link *make_links(const struct bench_workload *workload)
{
    if (workload->kind != BENCH_CUSTOMER_JOIN)
        return NULL;
    struct link *links = vf_calloc(workload->keys, sizeof *links);
    for (uint64_t i = 0; i < workload->keys; i++) {
        snprintf(links[i].aggregate, sizeof links[i].aggregate, "order/o%" PRIu64, i);
        snprintf(links[i].target, sizeof links[i].target, "c%" PRIu64, bench_customer_of(workload, i));
    }
    return links;
}

static void print_result(const struct worker *workers, uint64_t count)
{
    double began = workers[0].began, ended = workers[0].ended;
    uint64_t events = 0, documents = 0, batches = 0;
    for (uint64_t i = 0; i < count; i++) {
        began = workers[i].began < began ? workers[i].began : began;
        ended = workers[i].ended > ended ? workers[i].ended : ended;
        events += workers[i].events_done;
        documents += workers[i].documents_written;
        batches += workers[i].batch_number - 1;
    }
    printf("{\"events\":%" PRIu64 ",\"seconds\":%.4f,\"documents\":%" PRIu64 ",\"batches\":%" PRIu64 "}\n", events,
           ended - began, documents, batches);
}

int main(int count, char **arguments)
{
    if (count != 10) {
        fprintf(stderr, "usage: bench-ceiling redis|mongodb URL PREFIX WORKERS BATCH WORKLOAD EVENTS KEYS CUSTOMERS\n");
        return 64;
    }
    struct bench_workload workload;
    bench_workload_init(&workload, arguments[6], arguments[7], arguments[8], arguments[9]);
    if (workload.kind > BENCH_HOT_ACCOUNTS) {
        fprintf(stderr, "bench-ceiling: %s is not folded by hand here\n", workload.name);
        return 64;
    }
    struct vf_store_config config = {.name = "bench",
                                     .url = arguments[2],
                                     .prefix = arguments[3],
                                     .connect_timeout_ms = 10000,
                                     .command_timeout_ms = 60000};
    uint64_t worker_count = strtoull(arguments[4], NULL, 10);
    uint64_t batch_events = strtoull(arguments[5], NULL, 10);
    if (worker_count < 1 || worker_count > PARTITIONS || batch_events < 1) {
        fprintf(stderr, "bench-ceiling: 1 to %d workers, and batches of 1 or more\n", PARTITIONS);
        return 64;
    }
    struct document *documents = make_documents(&workload);
    struct link *links = make_links(&workload);
    struct worker *workers = vf_calloc(worker_count, sizeof *workers);
    for (uint64_t i = 0; i < worker_count; i++) {
        workers[i] = (struct worker){
            .workload = &workload,
            .type = strcmp(arguments[1], "redis") == 0 ? &vf_redis_store_type : &vf_mongodb_store_type,
            .number = i,
            .workers = worker_count,
            .batch_events = batch_events,
            .documents = documents,
            .links = links,
        };
        open_store(&workers[i], &config);
    }
    for (uint64_t i = 0; i < worker_count; i++)
        if (pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]))
            stop("no thread", NULL);
    for (uint64_t i = 0; i < worker_count; i++)
        pthread_join(workers[i].thread, NULL);
    print_result(workers, worker_count);
    for (uint64_t i = 0; i < worker_count; i++)
        workers[i].type->close(workers[i].store);
    return 0;
}
