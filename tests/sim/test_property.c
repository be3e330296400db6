/*
 * The property test: three workers over one store and one log, all in memory, stepped one at a time through random
 * deliveries, crashes, zombies, rebalances, rewinds, lost, late and refused replies, freezes and restarts, while an operator
 * adopts scripts (of another text and the same meaning) and drops the generation, all or half of it. At every commit the
 * store's whole contents are held against a plain fold of the log, event by event, in the order of the commits (sim_model.c);
 * in the end everything must have been dealt with, drained and swept.
 *
 *     test_property [SEEDS [FIRST [KIND] [joins|simple] [allow] [drops] [v]]]  each seed runs with a cold and with a warm cache
 *
 * Every other seed has joins: links that come early, late and never, through other aggregates, moves, deletes, expiry, sweeps
 * and indexes; `joins` and `simple` want one of both for all. A topic's numbers are of any kind, or of KIND (sim_kind_names);
 * some topics' gaps are allowed, with `allow` all; with `drops` all who park leave some of it out for good.
 * A failure prints the seed: `test_property 1 SEED v` repeats it and shows every commit. test_property_lua is the same with
 * the real projector, running a script that keeps the same documents as plain_projector.c.
 */
#include "connectors/memory/memory_source.h"
#include "connectors/memory/memory_store.h"
#ifdef SIM_LUA
#include "lua/lua_projector.h"
#endif
#include "run/generation.h"
#include "run/log.h"
#include "run/worker.h"
#include "sim/plain_projector.h"
#include "sim/sim_clock.h"
#include "sim/sim_compare.h"
#include "sim/sim_cut.h"
#include "sim/sim_decisions.h"
#include "sim/sim_model.h"
#include "sim/sim_operator.h"
#include "sim/sim_producer.h"
#include "sim/sim_retry.h"
#include "sim/sim_show.h"
#include "sim/sim_sum.h"
#include "sim/sim_view.h"
#include "sim/sim_wishes.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define WORKERS 3
#ifndef SEEDS
#define SEEDS 700
#endif
#define SNAPSHOTS_MAX 8
#define GROUP         "sim.view.memory.g1"
#define ACTIONS       900

struct sim {
    uint64_t seed;
    bool cold;
    struct vf_sim_random random;
    struct vf_sim_clock clock;
    struct vf_memory_server *server;
    struct vf_memory_log *log;
    char missing[80];  /* an event that is_finished has missed */
    bool with_rewinds; /* otherwise the log is trimmed now and then */
    struct sim_cut cut;
    bool went_back; /* the store has lost something: what the group has committed may be ahead of it */

    struct sim_producer producer;
    struct sim_view view;
    struct sim_model model;

    struct vf_worker_setup setups[WORKERS];
    char names[WORKERS][8];
    struct vf_worker *workers[WORKERS];
    bool zombie[WORKERS];
    bool down, frozen;
    bool parks; /* what fails is parked; else it stops its partition */
    bool drops; /* and the operator leaves some of it out for good */
    struct sim_decisions decisions;
    struct vf_generation proposed;
    struct vf_file file;
    char script[4096];
    size_t script_size; /* without the line that tells one adopted text from another */
    struct sim_operator operator;
    struct vf_memory_snapshot *snapshots[SNAPSHOTS_MAX];
    struct sim_model *models[SNAPSHOTS_MAX]; /* of the same moments */
    size_t snapshot_count;
    struct vf_counts counts;
    int64_t checks;
    struct sim_kind_tally tallies[SIM_KINDS];
    char trace[64][48]; /* the last actions */
    size_t traced;
};

static const struct vf_view view = {"view", 1};

static uint64_t below(struct sim *sim, uint64_t limit)
{
    return vf_sim_random_below(&sim->random, limit);
}

static struct sim_wishes wishes;

static void trace(struct sim *sim, const char *what, int64_t number)
{
    if (wishes.verbose)
        printf("%s %lld\n", what, (long long)number);
    snprintf(sim->trace[sim->traced++ % 64], sizeof sim->trace[0], "%s %lld", what, (long long)number);
}

__attribute__((noreturn, format(printf, 2, 3))) static void broken(struct sim *sim, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("seed %llu (%s cache, versions %d): ", (unsigned long long)sim->seed, sim->cold ? "cold" : "warm",
           (int)sim->model.versions);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\nlast actions:");
    for (size_t i = sim->traced > 64 ? sim->traced - 64 : 0; i < sim->traced; i++)
        printf(" %s;", sim->trace[i % 64]);
    printf("\n");
    exit(1);
}

/* --- the model ---------------------------------------------------------------------------------------------------- */

static int64_t next_of(void *self, const char *topic, int partition)
{
    const struct vf_memory_contents *contents = self;
    for (size_t i = 0; i < contents->row_count; i++)
        if (contents->rows[i].progress.exists && strcmp(contents->rows[i].partition.topic, topic) == 0 &&
            contents->rows[i].partition.partition == partition)
            return contents->rows[i].progress.next;
    return 0;
}

/* The view is empty, and what it is has been chosen. */
static void reset(struct sim *sim)
{
    sim->model = (struct sim_model){.versions = sim->view.projection.versions,
                                    .unlinked = sim->view.projection.unlinked,
                                    .ttl_ms = sim->view.projection.ttl_ms,
                                    .forget_ms = sim->view.forget_ms,
                                    .indexed = sim->view.projection.index_count > 0,
                                    .parks = sim->parks};
}

/* Where the generation was dropped since: but not what was left out of it for good. */
static void build_anew(struct sim *sim, int64_t drops_begun)
{
    if (sim->operator.drops_begun == drops_begun)
        return;
    struct sim_model *before = vf_alloc(sizeof *before);
    *before = sim->model;
    reset(sim);
    sim->model.dropped_count = before->dropped_count;
    memcpy(sim->model.dropped, before->dropped, sizeof before->dropped);
    free(before);
}

static struct sim_log log_of(const struct sim *sim)
{
    return (struct sim_log){sim->producer.events, sim->producer.event_count, sim->clock.wall_ms, &sim->decisions};
}

/* The store's whole contents against what the model has come to. */
static void compare(struct sim *sim)
{
    struct vf_arena *arena = vf_arena_new();
    struct vf_memory_contents contents;
    struct sim_log log = log_of(sim);
    vf_memory_server_read(sim->server, view, arena, &contents);
    for (size_t i = 0; i < sim->producer.event_count && !sim->parks; i++)
        if (sim_producer_stops(&sim->producer, i) &&
            sim->producer.events[i].offset <
                next_of(&contents, sim->producer.events[i].topic, sim->producer.events[i].partition))
            broken(sim, "progress has passed %s/%d@%lld, %s/%s@%lld %s, which cannot be taken in",
                   sim->producer.events[i].topic, sim->producer.events[i].partition,
                   (long long)sim->producer.events[i].offset, sim->producer.events[i].kind, sim->producer.events[i].id,
                   (long long)sim->producer.events[i].version, sim->producer.events[i].type);
    struct vf_error error;
    if (sim_compare(&contents, &sim->model, &log, &error))
        broken(sim, "%s", error.text);
    vf_arena_free(arena);
    sim->checks++;
}

static void on_commit(void *self, const struct vf_commit *commit)
{
    struct sim *sim = self;
    struct sim_log log = log_of(sim);
    struct vf_error error;
    if (wishes.verbose)
        sim_show_commit(&log, commit);
    if (sim_model_step(&sim->model, &log, commit, &error))
        broken(sim, "%s", error.text);
    compare(sim);
}

/* --- workers ------------------------------------------------------------------------------------------------------ */

static void decide(struct sim *sim)
{
    int64_t begun = sim->operator.drops_begun;
    sim_operator_decide(&sim->operator);
    build_anew(sim, begun);
}

static void open_worker(struct sim *sim, size_t i)
{
    struct vf_error error;
    sim->proposed.stamp = sim->clock.clock.random(sim->clock.clock.self);
    if (sim->workers[i] || !vf_worker_open(&sim->setups[i], &sim->workers[i], &error) || error.retriable)
        return;
    if (!sim_operator_is_asked(&error))
        broken(sim, "worker %zu cannot start: %s", i, error.text);
    trace(sim, "decide", (int64_t)i);
    decide(sim);
}

static void gather_counts(struct sim *sim, size_t i)
{
    struct vf_worker_report report;
    vf_worker_report(sim->workers[i], &report);
    vf_counts_add(&sim->counts, &report.counts);
}

/* A crash: what is in flight is abandoned, whatever becomes of it. */
static void close_worker(struct sim *sim, size_t i)
{
    if (!sim->workers[i])
        return;
    gather_counts(sim, i);
    vf_worker_close(sim->workers[i]);
    sim->workers[i] = NULL;
}

/* Offsets are committed only after the store holds what they cover: promise 4. A store that goes back may take that back. */
static void check_committed(struct sim *sim)
{
    struct vf_arena *arena = vf_arena_new();
    struct vf_memory_contents contents;
    vf_memory_server_read(sim->server, view, arena, &contents);
    for (int e = 0; e < sim->producer.topic_count; e++)
        for (int p = 0; p < sim->producer.partitions[sim->producer.topics[e]]; p++) {
            struct vf_partition at = {sim_topics[sim->producer.topics[e]].topic, p};
            int64_t committed = vf_memory_log_committed(sim->log, GROUP, at);
            if (committed > next_of(&contents, at.topic, p))
                broken(sim, "%s/%d: offset %lld is committed, and progress is %lld", at.topic, p, (long long)committed,
                       (long long)next_of(&contents, at.topic, p));
        }
    vf_arena_free(arena);
}

static void step(struct sim *sim, size_t i)
{
    if (!sim->workers[i])
        return;
    if (sim->cold)
        vf_worker_drop_cache(sim->workers[i]);
    vf_worker_step(sim->workers[i]);
    if (!sim->went_back)
        check_committed(sim);
}

/* --- chance ------------------------------------------------------------------------------------------------------- */

/* A store that loses its tail: the group's offsets are then ahead, until the next commits, by a fault that is reported. */
static void forget_committed(struct sim *sim)
{
    for (int e = 0; e < sim->producer.topic_count; e++)
        for (int p = 0; p < sim->producer.partitions[sim->producer.topics[e]]; p++) {
            struct vf_partition at = {sim_topics[sim->producer.topics[e]].topic, p};
            vf_memory_log_set_committed(sim->log, GROUP, at, below(sim, 2) ? -1 : 0);
        }
}

/* The store has lost its tail, or all. */
static void go_back(struct sim *sim)
{
    sim->went_back = true;
    forget_committed(sim);
}

static void wipe(struct sim *sim, const char *what)
{
    trace(sim, what, 0);
    for (size_t i = 0; i < WORKERS && sim->model.dropped_count > 0; i++)
        close_worker(sim, i); /* as in rewind_store */
    vf_memory_server_wipe(sim->server);
    reset(sim);
    go_back(sim);
}

static void keep(struct sim *sim)
{
    if (sim->snapshot_count == SNAPSHOTS_MAX)
        return;
    struct sim_model *model = vf_alloc(sizeof *model);
    *model = sim->model;
    sim->models[sim->snapshot_count] = model;
    sim->snapshots[sim->snapshot_count++] = vf_memory_server_snapshot(sim->server);
}

static void rewind_store(struct sim *sim, size_t number)
{
    /* A decision that is lost is still known to a worker who has read it: until he is assigned anew, he goes by it. */
    if (memcmp(sim->models[number]->dropped, sim->model.dropped, sizeof sim->model.dropped) != 0 ||
        !sim_cut_may_go_back(&sim->cut, sim->models[number]))
        return;
    trace(sim, "rewind", 0);
    vf_memory_server_restore(sim->server, sim->snapshots[number]);
    sim->model = *sim->models[number];
    go_back(sim);
}

static void write_script(struct sim *sim, uint64_t number)
{
    char *end = sim->script + sim->script_size;
    int size = snprintf(end, sizeof sim->script - sim->script_size, "-- %llu\n", (unsigned long long)number);
    sim->file.text = vf_bytes(sim->script, sim->script_size + (size_t)size);
    vf_script_hash(&sim->file, 1, sim->proposed.script_hash);
}

static void operate(struct sim *sim)
{
    int64_t begun = sim->operator.drops_begun;
    if (below(sim, 3)) {
        trace(sim, "adopt", 0);
        write_script(sim, below(sim, 1000));
        sim_operator_adopt(&sim->operator);
    } else if (sim->with_rewinds) { /* otherwise the log may no longer begin at its beginning */
        trace(sim, "drop", 0);
        sim->went_back = true;
        sim_operator_drop(&sim->operator, below(sim, 2) ? SIZE_MAX : (size_t)below(sim, 3));
        build_anew(sim, begun);
    }
}

static int retry_parked(struct sim *sim);

static void act(struct sim *sim)
{
    size_t i = (size_t)below(sim, WORKERS);
    uint64_t chance = below(sim, 1000);
    if (sim->drops && below(sim, 15) == 0) {
        trace(sim, "drop or retry", retry_parked(sim));
    } else if (chance < 620) {
        step(sim, i);
    } else if (chance < 720) {
        for (uint64_t n = 1 + below(sim, 3); n; n--)
            sim_produce(&sim->producer);
    } else if (chance < 790) {
        vf_sim_clock_advance(&sim->clock, (int64_t)below(sim, below(sim, 4) ? 100 : 5000));
    } else if (chance < 815) {
        trace(sim, "rebalance", 0);
        vf_memory_log_rebalance(sim->log, GROUP);
    } else if (chance < 830) {
        trace(sim, "crash", (int64_t)i);
        close_worker(sim, i);
    } else if (chance < 865) {
        open_worker(sim, i);
    } else if (chance < 895) {
        enum vf_memory_commit_fault fault = (enum vf_memory_commit_fault)below(sim, VF_MEMORY_REFUSE + 1);
        trace(sim, "commit fault", (int64_t)fault);
        vf_memory_server_fault_commit(sim->server, fault);
    } else if (chance < 910) {
        size_t late = vf_memory_server_late_count(sim->server);
        trace(sim, "land", (int64_t)late);
        if (late)
            vf_memory_server_land(sim->server, (size_t)below(sim, late));
    } else if (chance < 925) {
        sim->zombie[i] = !sim->zombie[i];
        trace(sim, "zombie", (int64_t)i);
        if (sim->workers[i])
            vf_memory_log_set_zombie(sim->log, GROUP, sim->names[i], sim->zombie[i]);
        vf_memory_log_rebalance(sim->log, GROUP);
    } else if (chance < 940) {
        keep(sim);
    } else if (chance < 946) {
        if (!sim->with_rewinds && !(sim->cut.cuts && sim->snapshot_count && below(sim, 3) == 0)) {
            trace(sim, "trim", sim_cut_trim(&sim->cut, &sim->producer, &sim->model));
        } else if (sim->snapshot_count) {
            rewind_store(sim, (size_t)below(sim, sim->snapshot_count));
        }
    } else if (chance < 950) {
        trace(sim, "cut", 0);
        vf_memory_server_cut_connections(sim->server);
    } else if (chance < 960) {
        sim->down = !sim->down;
        trace(sim, "down", sim->down);
        vf_memory_server_set_down(sim->server, sim->down);
    } else if (chance < 966) {
        vf_memory_server_fail_call(sim->server, 1 + (unsigned)below(sim, 4));
    } else if (chance < 970) {
        vf_memory_log_fail_call(sim->log, 1 + (unsigned)below(sim, 4));
    } else if (chance < 980) {
        if (sim->workers[i])
            vf_worker_drop_cache(sim->workers[i]);
    } else if (chance < 988) {
        sim->frozen = !sim->frozen;
        vf_memory_server_set_frozen(sim->server, view, sim->frozen);
    } else if (sim->parks && chance < 991) {
        trace(sim, "retry", retry_parked(sim));
    } else if (chance < 994) {
        vf_plain_flaky = sim->parks                 ? (int)below(sim, 10)
                         : sim->producer.with_stops ? (int)below(sim, 4)
                                                    : sim->view.joins;
    } else if (chance < 996) {
        operate(sim);
    } else if (chance < 997 && sim->with_rewinds) {
        wipe(sim, "wipe");
    } else {
        forget_committed(sim);
    }
}

/* --- one run ------------------------------------------------------------------------------------------------------ */

#ifdef SIM_LUA
static const struct vf_projector_type *const projector_type = &vf_lua_projector_type;
static const bool parks_wanted = false; /* a script cannot be mended from outside */
#else
static const struct vf_projector_type *const projector_type = &vf_plain_projector_type;
static const bool parks_wanted = true;
#endif

static void set_up_view(struct sim *sim)
{
    sim->producer.with_stops = below(sim, 4) == 0;
    sim->with_rewinds = below(sim, 3) != 0;
    sim->producer.with_sharing = below(sim, 4) == 0;
    sim->producer.gaps_allowed = wishes.allow;
    sim->view.joins = wishes.joins || (!wishes.simple && sim->seed % 2 == 0);
    sim->parks = sim->view.joins && parks_wanted && below(sim, 2);
    if (sim->parks)
        sim->producer.with_stops = sim->producer.with_gaps = below(sim, 4) != 0;
    sim->producer.misdirects = sim->parks && below(sim, 2);
    sim->cut.cuts = !sim->with_rewinds && below(sim, sim->parks ? 4 : 2);
    sim_view_choose(&sim->view, &sim->producer, (enum vf_versions_mode)(sim->seed % 3), wishes.numbers);
    /* What is forgotten takes along the numbers that a decision would be about. */
    sim->drops = sim->parks && sim->view.forget_ms == 0 && (wishes.drops || below(sim, 2));
    if (sim->view.joins)
        vf_memory_log_set_in_order(sim->log); /* or the model would not know in which order a batch had its rows */
    reset(sim);
}

static void set_up_script(struct sim *sim)
{
    sim->script_size = sim_view_script(&sim->view, sim->script, sizeof sim->script);
    sim->file = (struct vf_file){.name = VF_LITERAL("view.lua")};
    sim->proposed = (struct vf_generation){.number = 1,
                                           .state = "active",
                                           .projection_version = 1,
                                           .script = "view.lua",
                                           .files = &sim->file,
                                           .file_count = 1,
                                           .format = VF_FORMAT};
    write_script(sim, 0);
    sim->operator=(struct sim_operator){
        .server = sim->server, .view = view, .clock = &sim->clock.clock, .proposed = &sim->proposed};
}

static void set_up_workers(struct sim *sim)
{
    set_up_script(sim);
    for (size_t i = 0; i < WORKERS; i++) {
        snprintf(sim->names[i], sizeof sim->names[i], "w%zu", i);
        sim->setups[i] = (struct vf_worker_setup){
            .name = sim->names[i],
            .projection = "view",
            .view = "view",
            .clock = &sim->clock.clock,
            .source_type = &vf_memory_source_type,
            .source = {.brokers = vf_memory_log_brokers(sim->log),
                       .group = GROUP,
                       .instance = sim->names[i],
                       .topics = sim->view.topics,
                       .topic_count = sim->view.projection.topic_count},
            .store_type = &vf_memory_store_type,
            .store = {.name = "memory", .url = "memory:sim", .prefix = ""},
            .projector_type = projector_type,
            .projector_limits = {.memory_bytes_max = 16 << 20,
                                 .instructions_max = 1000000,
                                 .handler_ms_max = 10000,
                                 .document_bytes_max = 1 << 20},
            .proposed = &sim->proposed,
            .topics = sim->view.readings,
            .topic_count = sim->view.projection.topic_count,
            .forget_ms = sim->view.forget_ms,
            .sweeps = true,
            .batch = {.events_max = 1 + (int32_t)below(sim, 20),
                      .bytes_max = 1 << 20,
                      .written_bytes_max = below(sim, 3) ? 1 << 20 : 300},
            .errors = {.retries = 3, .backoff_ms = 100, .then = sim->parks ? VF_THEN_PARK : VF_THEN_STOP},
            .cache_bytes = below(sim, 2) ? 1 << 20 : 2000,
            .idle_poll_ms = 100,
        };
    }
}

/* Whether an event that the view has not dealt with yet may be one that it never can deal with. */
static bool may_stop(const struct sim *sim, size_t index)
{
    return sim_producer_stops(&sim->producer, index) ||
           (sim->view.joins && strcmp(sim->producer.events[index].type, "Broken") == 0);
}

static bool is_dealt_with(const struct vf_memory_contents *contents, const struct sim_event *event)
{
    return event->offset < next_of((void *)(uintptr_t)contents, event->topic, event->partition);
}

/* Its partition has stopped at it, or before it, or has lost what comes before it. */
static bool is_excused(const struct sim *sim, const struct vf_memory_contents *contents, size_t index)
{
    const struct sim_event *events = sim->producer.events;
    if (sim_cut_has_lost(&sim->cut, &sim->model, events[index].topic_number, events[index].partition))
        return true;
    for (size_t i = 0; i <= index; i++)
        if (may_stop(sim, i) && strcmp(events[i].topic, events[index].topic) == 0 &&
            events[i].partition == events[index].partition && !is_dealt_with(contents, &events[i]))
            return true;
    return false;
}

/* What waits for nothing any more must be taken in too, unless it cannot be. */
static bool is_drained(struct sim *sim)
{
    for (int i = 0; i < sim->model.aggregate_count; i++) {
        enum vf_list which;
        struct sim_log log = log_of(sim);
        if (!sim_model_is_draining(&sim->model, &log, i, &which) || which == VF_LIST_EARLY ||
            may_stop(sim, sim_model_first(&sim->model, i, which)->event))
            continue;
        snprintf(sim->missing, sizeof sim->missing, "the list of %.63s", sim->model.aggregates[i].name);
        return false;
    }
    return true;
}

static bool is_finished(struct sim *sim, bool excuses)
{
    struct vf_arena *arena = vf_arena_new();
    struct vf_memory_contents contents;
    bool finished = true;
    vf_memory_server_read(sim->server, view, arena, &contents);
    for (size_t i = 0; i < sim->producer.event_count && finished; i++) {
        const struct sim_event *event = &sim->producer.events[i];
        finished = is_dealt_with(&contents, event) || (excuses && is_excused(sim, &contents, i));
        if (!finished)
            snprintf(sim->missing, sizeof sim->missing, "%.31s/%d@%lld", event->topic, event->partition,
                     (long long)event->offset);
    }
    vf_arena_free(arena);
    return finished && is_drained(sim);
}

/* Whether the view has come to this event, which stops its partition. */
static bool is_stopped_at(struct sim *sim, const struct vf_memory_contents *contents, size_t index)
{
    const struct sim_event *event = &sim->producer.events[index];
    for (size_t i = 0; i < index; i++) {
        const struct sim_event *before = &sim->producer.events[i];
        if (strcmp(before->topic, event->topic) == 0 && before->partition == event->partition &&
            before->offset >= next_of((void *)(uintptr_t)contents, event->topic, event->partition))
            return false;
    }
    return sim_producer_stops(&sim->producer, index);
}

/* What has come of the events of each kind of numbers, and which situations there were. */
static void tally(struct sim *sim)
{
    struct vf_arena *arena = vf_arena_new();
    struct vf_memory_contents contents;
    vf_memory_server_read(sim->server, view, arena, &contents);
    for (size_t kind = 0; kind < SIM_KINDS; kind++)
        sim->tallies[kind].model = sim->model.tallies[kind];
    for (size_t i = 0; i < sim->producer.event_count; i++)
        if (sim->producer.events[i].misnumbered && is_stopped_at(sim, &contents, i))
            sim->tallies[sim_kind_of(&sim->producer.events[i].numbers)].refused++;
    vf_arena_free(arena);
}

/* One of each worker's, and time passes. */
static void turn(struct sim *sim, int64_t pass_ms)
{
    for (size_t i = 0; i < WORKERS; i++)
        step(sim, i);
    vf_sim_clock_advance(&sim->clock, pass_ms);
}

/* Everything that can be dealt with must be, in a bounded number of turns. */
static void catch_up(struct sim *sim)
{
    int turns = 0;
    for (; !is_finished(sim, true) || vf_memory_log_wants_rebalance(sim->log, GROUP); turns++) {
        if (turns == 30000)
            broken(sim, "faults have ended, and the view has not caught up: %s is missing", sim->missing);
        if (turns % 7 == 0 && vf_memory_log_wants_rebalance(sim->log, GROUP))
            vf_memory_log_rebalance(sim->log, GROUP);
        turn(sim, 50);
        if (turns == 50) /* what a dead worker sent long ago arrives at last */
            while (vf_memory_server_late_count(sim->server))
                vf_memory_server_land(sim->server, 0);
    }
    compare(sim);
    /* Idle workers commit what they hold, and never more. */
    for (int n = 0; n < 40; n++)
        turn(sim, 300);
    compare(sim);
    check_committed(sim);
    struct vf_error error;
    if (sim_operator_read(&sim->operator, & error) ||
        sim_cut_check(&sim->cut, &sim->producer, &sim->model, sim->server, view, &error))
        broken(sim, "%s", error.text);
}

/* The operator tries again what is parked; or he drops some of what is set aside, whatever it waits for. */
static bool choose_deed(void *self, struct vf_bytes aggregate, enum vf_aside_state state,
                        struct vf_fold_retry *ret_retry)
{
    struct sim *sim = self;
    static const uint64_t deeds[] = {1, [VF_ASIDE_HELD] = 6, [VF_ASIDE_GAP] = 1, [VF_ASIDE_PARKED] = 2};
    struct sim_decision decision;
    struct sim_log log = log_of(sim);
    bool is_tried = state == VF_ASIDE_PARKED || (state == VF_ASIDE_GAP && (sim->model.mended || below(sim, 4) == 0));
    ret_retry->asks = state == VF_ASIDE_GAP && sim_ask(&sim->decisions, aggregate);
    ret_retry->asks_to = INT64_MAX;
    if (!sim->drops || sim->model.mended || below(sim, deeds[state]))
        return is_tried;
    if (!sim_decide(&sim->decisions, &sim->model, &log, aggregate, &decision))
        return false;
    ret_retry->drop_missing = decision.missing;
    ret_retry->drop_first = !decision.missing;
    return true;
}

static int retry_parked(struct sim *sim)
{
    struct vf_script_reader reader = vf_script_stored_reader(&sim->proposed);
    struct sim_retry retry = {.server = sim->server,
                              .view = view,
                              .clock = &sim->clock.clock,
                              .topics = sim->view.readings,
                              .topic_count = sim->view.projection.topic_count,
                              .forget_ms = sim->view.forget_ms,
                              .projector_type = projector_type,
                              .reader = &reader,
                              .rows_max = 1 + (size_t)below(sim, 20),
                              .choose = choose_deed,
                              .self = sim};
    return sim_retry_all(&retry);
}

static bool is_released(struct sim *sim)
{
    struct sim_log log = log_of(sim);
    return sim_model_is_released(&sim->model, &log);
}

/* What failed is mended, and somebody tries it again. */
static void mend(struct sim *sim)
{
    for (int n = 0; n < 8 && sim->drops; n++) { /* some of it is left out before that */
        (void)retry_parked(sim);
        turn(sim, 300);
    }
    vf_plain_mended = sim->model.mended = true;
    for (int tries = 0; !is_released(sim); tries++) {
        if (tries == 100)
            broken(sim, "what was mended stays parked");
        (void)retry_parked(sim);
        turn(sim, 300);
    }
    catch_up(sim);
}

/* Hours pass, and nothing comes: what has expired goes, and what is to be forgotten. Then it goes on. */
static void wait_for_sweep(struct sim *sim)
{
    int64_t until_ms = sim->clock.wall_ms;
    bool swept = false;
    sim->clock.wall_ms += (int64_t)100 * 3600000;
    for (int turns = 0; !swept; turns++) {
        swept = true;
        for (int i = 0; i < sim->model.document_count; i++) {
            const struct sim_document *document = &sim->model.documents[i];
            if (sim_model_is_due(&sim->model, document, until_ms + 3600000)) {
                swept = false;
                snprintf(sim->missing, sizeof sim->missing, "%s", document->id);
            }
        }
        if (turns == 2000)
            broken(sim, "%s should have been swept long ago", sim->missing);
        turn(sim, 50);
    }
    compare(sim);
    for (int n = 0; n < 20 && !sim->cut.cuts;
         n++) /* what the log has lost may come again now, as a repeat of nothing */
        sim_produce(&sim->producer);
    catch_up(sim);
}

/* Faults end. */
static void heal(struct sim *sim)
{
    trace(sim, "heal", 0);
    vf_memory_server_set_down(sim->server, false);
    vf_memory_server_set_frozen(sim->server, view, false);
    vf_memory_server_fault_commit(sim->server, VF_MEMORY_NONE);
    vf_memory_server_fail_call(sim->server, 0);
    vf_memory_log_fail_call(sim->log, 0);
    vf_plain_flaky = 0;
    decide(sim);
    close_worker(sim, 0); /* one that starts makes a generation that was dropped */
    for (size_t i = 0; i < WORKERS; i++) {
        open_worker(sim, i);
        vf_memory_log_set_zombie(sim->log, GROUP, sim->names[i], false);
    }
    catch_up(sim);
    if (!sim->with_rewinds || below(sim, 3))
        return;
    wipe(sim, "wipe at rest");
    for (size_t i = 0; i < WORKERS; i++)
        open_worker(sim, i);
    if (below(sim, 2))
        vf_memory_log_rebalance(sim->log, GROUP);
    catch_up(sim);
}

static void run(uint64_t seed, bool cold, struct sim_sum *sum)
{
    struct sim *sim = vf_calloc(1, sizeof *sim);
    sim->seed = seed;
    sim->cold = cold;
    sim->random.state = seed * 2 + 77;
    vf_sim_clock_init(&sim->clock, seed);
    sim->server = vf_memory_server_new("sim");
    sim->log = vf_memory_log_new(seed);
    vf_plain_flaky = vf_plain_mended = 0;
    sim->producer = (struct sim_producer){.random = &sim->random, .clock = &sim->clock, .log = sim->log};
    vf_memory_log_set_rows_max(sim->log, below(sim, 3) ? (size_t)below(sim, 12) : 0);
    vf_memory_log_set_stale(sim->log, 300);
    vf_memory_server_set_touch(sim->server, below(sim, 2) != 0);
    vf_memory_server_observe(sim->server, on_commit, sim);
    set_up_view(sim);
    set_up_workers(sim);
    for (size_t i = 0; i < WORKERS; i++)
        open_worker(sim, i);
    vf_memory_log_rebalance(sim->log, GROUP);
    for (int n = 0; n < ACTIONS; n++)
        act(sim);
    heal(sim);
    int64_t released = sim->model.situations.retried, degraded = sim_cut_count(&sim->cut, &sim->model);
    if (sim->parks)
        mend(sim);
    sum->degraded += degraded;
    sum->degraded_retried += degraded ? sim->model.situations.retried - released : 0;
    sum->degraded_beside += sim->cut.beside;
    if (sim->view.joins && is_finished(sim, false))
        wait_for_sweep(sim);
    tally(sim);
    for (size_t i = 0; i < WORKERS; i++)
        close_worker(sim, i);
    if (sim->counts.rewinds && !sim->with_rewinds && !sim->cut.cuts && !sim->operator.drops)
        broken(sim, "%lld times progress was said to be lower than it had been", (long long)sim->counts.rewinds);
    if (sim->counts.stops && !sim->producer.with_stops && !sim->cut.cuts)
        broken(sim, "%lld times a partition stopped, and nothing was wrong", (long long)sim->counts.stops);
    for (size_t i = 0; i < sim->snapshot_count; i++) {
        vf_memory_snapshot_free(sim->snapshots[i]);
        free(sim->models[i]);
    }
    vf_counts_add(&sum->counts, &sim->counts);
    sum->checks += sim->checks;
    sum->parks = parks_wanted;
    sum->adoptions += sim->operator.adoptions;
    sum->drops += sim->operator.drops;
    sim_sum_add(sum, &sim->model, sim->tallies);
    vf_memory_log_free(sim->log);
    vf_memory_server_free(sim->server);
    free(sim);
}

int main(int count, char **arguments)
{
    uint64_t seeds = count > 1 ? strtoull(arguments[1], NULL, 10) : SEEDS;
    uint64_t first = count > 2 ? strtoull(arguments[2], NULL, 10) : 1;
    wishes = sim_wishes_read(count, arguments);
    vf_log_setup(VF_LOG_INFO, VF_LOG_LOGFMT, wishes.verbose ? 1 : open("/dev/null", O_WRONLY));
    struct sim_sum sum = {.allows = wishes.allow || seeds < 500, .few = seeds < 200}; /* few gaps last */
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        run(seed, false, &sum);
        run(seed, true, &sum);
    }
    printf("%llu seeds, cold and warm: ", (unsigned long long)seeds);
    bool complete = sim_sum_print(&sum, wishes.numbers, !wishes.simple);
    if (seeds >= 100 && !complete) {
        printf("something that the test is about never happened\n");
        return 1;
    }
    return 0;
}
