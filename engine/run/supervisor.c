#include "run/supervisor.h"

#include "run/generation.h"
#include "run/keeping.h"
#include "run/log.h"
#include "run/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* What a Kafka client may prefetch. librdkafka counts payloads; with its own structures each takes some four times as much
 * (measured: 75 MB for 16 MiB of 250-byte events). A fetch is counted when it is unpacked, and then
 * with several times what it was. 4 MiB are 16,000 events of 250 bytes; kafka_prefetch.h keeps them coming. */
#define QUEUE_BYTES_MAX   (4 << 20)
#define IDLE_POLL_MS      100
#define WATCH_INTERVAL_MS 50
/* How often a worker's counts are said, where they have changed: at info, and with -v. */
#define COUNTS_INTERVAL_MS       10000
#define COUNTS_DEBUG_INTERVAL_MS 1000

/* How long a start waits for brokers to say how long they keep records. */
#define KEEPING_MS 1000

/* One projection in one store: the names that its workers share. */
struct instance {
    struct vf_projector *projector; /* that proposed the script; owned by the first instance of its projection */
    struct vf_generation proposed;
    struct vf_reading_topic *topics;
    const char **topic_names;
    size_t topic_count;
};

struct member {
    struct vf_worker *worker;
    struct vf_worker_setup setup;
    pthread_t thread;
    bool started;
    atomic_bool done;
    struct supervisor *supervisor;
    pthread_mutex_t mutex; /* of the report */
    struct vf_worker_report report;
    int64_t said_records; /* what the counts said last */
};

/* How long Kafka keeps each topic's records: asked before anything begins, said when all has begun. */
struct keeping {
    const char **topics;
    bool *partial; /* `history: partial` */
    struct vf_keeping *rows;
    size_t count;
};

struct supervisor {
    const struct vf_supervisor_setup *setup;
    struct vf_arena *arena;     /* names and arrays that live as long as the run */
    struct instance *instances; /* one for each projection entry */
    struct member *members;
    size_t member_count;
    struct keeping keeping;
    atomic_bool stopping;
    int64_t said_at_ms;
};

struct vf_projector_limits vf_projector_limits_of(const struct vf_config *config)
{
    return (struct vf_projector_limits){
        .memory_bytes_max = (size_t)(config->cache_bytes + config->limits.lua_memory_bytes),
        .instructions_max = config->limits.lua_instructions_max,
        .handler_ms_max = config->limits.handler_ms_max,
        .document_bytes_max = (size_t)config->limits.document_bytes_max,
    };
}

struct vf_store_config vf_store_config_of(const struct vf_store_entry *store)
{
    return (struct vf_store_config){
        .name = store->name,
        .url = store->url,
        .username = store->username,
        .password = store->password,
        .prefix = store->prefix ? store->prefix : "",
        .connect_timeout_ms = VF_CONNECT_TIMEOUT_MS,
        .command_timeout_ms = VF_COMMAND_TIMEOUT_MS,
    };
}

static int64_t now_ms(const struct supervisor *supervisor)
{
    return supervisor->setup->clock->monotonic_ms(supervisor->setup->clock->self);
}

/* --- setting up --------------------------------------------------------------------------------------------------- */

static bool is_wanted(const struct vf_supervisor_setup *setup, const char *name)
{
    if (setup->projection_count == 0)
        return true;
    for (size_t i = 0; i < setup->projection_count; i++)
        if (strcmp(setup->projections[i], name) == 0)
            return true;
    return false;
}

static enum vf_code check_wanted(const struct supervisor *supervisor, struct vf_error *error)
{
    const struct vf_supervisor_setup *setup = supervisor->setup;
    for (size_t i = 0; i < setup->projection_count; i++) {
        bool found = false;
        for (size_t p = 0; p < setup->config->projection_count; p++) {
            const struct vf_projector *projector = supervisor->instances[p].projector;
            found |= strcmp(setup->projector_type->describe(projector)->name, setup->projections[i]) == 0;
        }
        if (!found)
            return vf_fail(error, VF_E_NOT_FOUND, "%s has no projection named %s", setup->config->path,
                           setup->projections[i]);
    }
    return VF_OK;
}

static enum vf_code propose(struct supervisor *supervisor, size_t index, struct vf_error *error)
{
    const struct vf_supervisor_setup *setup = supervisor->setup;
    struct instance *instance = &supervisor->instances[index];
    const struct vf_projection_entry *entry = &setup->config->projections[index];
    struct vf_projector_limits limits = vf_projector_limits_of(setup->config);
    enum vf_code code =
        vf_generation_propose(entry, setup->projector_type, &limits, setup->clock->wall_ms(setup->clock->self),
                              &instance->projector, &instance->proposed, error);
    if (code)
        return code;
    instance->proposed.stamp = setup->clock->random(setup->clock->self);
    const struct vf_projection *projection = setup->projector_type->describe(instance->projector);
    code = vf_config_check_topics(setup->config, projection->name, projection->topics, projection->topic_count, error);
    if (code)
        return vf_error_prefix(error, "%s:%d:%d", setup->config->path, (int)entry->place.line,
                               (int)entry->place.column);
    instance->topic_count = projection->topic_count;
    instance->topics = vf_arena_calloc(supervisor->arena, projection->topic_count, sizeof *instance->topics);
    instance->topic_names = vf_arena_calloc(supervisor->arena, projection->topic_count, sizeof *instance->topic_names);
    for (size_t i = 0; i < projection->topic_count; i++) {
        struct vf_topic_entry topic = vf_config_topic(setup->config, projection->topics[i]);
        instance->topics[i] = (struct vf_reading_topic){.topic = topic.topic, .envelope = topic.envelope};
        instance->topic_names[i] = topic.topic;
    }
    return VF_OK;
}

static const struct vf_store_type *find_store_type(const struct vf_supervisor_setup *setup, const char *name)
{
    for (size_t i = 0; setup->store_types[i]; i++)
        if (strcmp(setup->store_types[i]->name, name) == 0)
            return setup->store_types[i];
    return NULL;
}

static const char *text_of(struct supervisor *supervisor, struct vf_bytes bytes)
{
    return vf_arena_copy(supervisor->arena, bytes).data;
}

static struct vf_worker_setup worker_setup(struct supervisor *supervisor, size_t index,
                                           const struct vf_projection_store *where, int32_t number)
{
    const struct vf_supervisor_setup *setup = supervisor->setup;
    const struct vf_config *config = setup->config;
    const struct vf_projection_entry *entry = &config->projections[index];
    const struct instance *instance = &supervisor->instances[index];
    const char *projection = setup->projector_type->describe(instance->projector)->name;
    struct vf_arena *arena = supervisor->arena;
    const char *store = where->store->name;
    const char *member = NULL;
    if (config->kafka.instance)
        member = text_of(supervisor,
                         vf_arena_printf(arena, "%s.%s.%s.%d", config->kafka.instance, projection, store, number));
    return (struct vf_worker_setup){
        .name = text_of(supervisor, vf_arena_printf(arena, "%s.%s.%d", projection, store, number)),
        .projection = projection,
        .view = where->view_name ? where->view_name : projection,
        .clock = setup->clock,
        .source_type = setup->source_type,
        .source =
            {
                .brokers = config->kafka.brokers,
                .group =
                    text_of(supervisor, vf_arena_printf(arena, "%s.%s.%s.g1", config->kafka.group, projection, store)),
                .instance = member,
                .topics = instance->topic_names,
                .topic_count = instance->topic_count,
                .properties = config->kafka.properties,
                .property_count = config->kafka.property_count,
                .queue_bytes_max = QUEUE_BYTES_MAX,
                .connect_timeout_ms = VF_CONNECT_TIMEOUT_MS,
            },
        .store_type = find_store_type(setup, where->store->type),
        .store = vf_store_config_of(where->store),
        .projector_type = setup->projector_type,
        .projector_limits = vf_projector_limits_of(config),
        .proposed = &instance->proposed,
        .topics = instance->topics,
        .topic_count = instance->topic_count,
        .batch = config->batch,
        .errors = entry->errors,
        .cache_bytes = config->cache_bytes,
        .forget_ms = config->forget_ms,
        .aside_max = config->limits.aside_max,
        .aside_bytes_max = config->limits.aside_bytes_max,
        .sweeps = true,
        .emptied_stop = where->store->emptied_stop,
        .once = setup->once,
        .idle_poll_ms = IDLE_POLL_MS,
    };
}

static void plan_members(struct supervisor *supervisor)
{
    const struct vf_supervisor_setup *setup = supervisor->setup;
    const struct vf_config *config = setup->config;
    size_t most = 0;
    for (size_t p = 0; p < config->projection_count; p++)
        most += config->projections[p].store_count *
                (size_t)(setup->workers ? setup->workers : config->projections[p].workers);
    supervisor->members = vf_calloc(most, sizeof *supervisor->members);
    for (size_t p = 0; p < config->projection_count; p++) {
        const struct vf_projection_entry *entry = &config->projections[p];
        if (!is_wanted(setup, setup->projector_type->describe(supervisor->instances[p].projector)->name))
            continue;
        for (size_t s = 0; s < entry->store_count; s++) {
            int32_t workers = setup->workers ? setup->workers : entry->workers;
            for (int32_t n = 0; n < workers; n++) {
                struct member *member = &supervisor->members[supervisor->member_count++];
                member->supervisor = supervisor;
                member->setup = worker_setup(supervisor, p, &entry->stores[s], n);
                pthread_mutex_init(&member->mutex, NULL);
            }
        }
    }
}

/* --- the workers' threads ----------------------------------------------------------------------------------------- */

static void publish(struct member *member)
{
    struct vf_worker_report report;
    vf_worker_report(member->worker, &report);
    pthread_mutex_lock(&member->mutex);
    member->report = report;
    pthread_mutex_unlock(&member->mutex);
}

static struct vf_worker_report read_report(struct member *member)
{
    pthread_mutex_lock(&member->mutex);
    struct vf_worker_report report = member->report;
    pthread_mutex_unlock(&member->mutex);
    return report;
}

static void *run_member(void *self)
{
    struct member *member = self;
    while (!atomic_load_explicit(&member->supervisor->stopping, memory_order_relaxed)) {
        vf_worker_step(member->worker);
        publish(member);
    }
    vf_worker_drain(member->worker);
    publish(member);
    vf_worker_close(member->worker);
    member->worker = NULL;
    atomic_store(&member->done, true);
    return NULL;
}

static void say_counts(struct member *member, enum vf_log_level level, const char *text)
{
    struct vf_worker_report report = read_report(member);
    struct vf_log_field fields[sizeof(struct vf_counts) / sizeof(int64_t) + 2];
    size_t count = 0;
    fields[count++] = (struct vf_log_field){.key = "partitions", .number = (int64_t)report.partitions};
#define VF_COUNT_FIELD(name) \
    if (report.counts.name)  \
        fields[count++] = (struct vf_log_field){.key = #name, .number = report.counts.name};
    VF_COUNTS(VF_COUNT_FIELD)
#undef VF_COUNT_FIELD
    fields[count] = (struct vf_log_field){0};
    vf_log(level,
           &(struct vf_log_about){.worker = member->setup.name,
                                  .projection = member->setup.projection,
                                  .store = member->setup.store.name,
                                  .fields = fields},
           "%s", text);
    member->said_records = report.counts.records;
}

static void say_all_counts(struct supervisor *supervisor)
{
    bool debug = vf_log_on(VF_LOG_DEBUG);
    int64_t now = now_ms(supervisor);
    if (now - supervisor->said_at_ms < (debug ? COUNTS_DEBUG_INTERVAL_MS : COUNTS_INTERVAL_MS))
        return;
    supervisor->said_at_ms = now;
    for (size_t i = 0; i < supervisor->member_count; i++) {
        struct member *member = &supervisor->members[i];
        if (debug || read_report(member).counts.records != member->said_records)
            say_counts(member, debug ? VF_LOG_DEBUG : VF_LOG_INFO, "counts");
    }
}

/* --- signals and the end ------------------------------------------------------------------------------------------ */

/* Waits a moment for SIGTERM or SIGINT; 0: none came. */
static int wait_signal(int64_t duration_ms)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    struct timespec duration = {.tv_sec = duration_ms / 1000, .tv_nsec = duration_ms % 1000 * 1000000};
    int signal_number = sigtimedwait(&set, NULL, &duration);
    return signal_number > 0 ? signal_number : 0;
}

static bool all_caught_up(struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->member_count; i++)
        if (!read_report(&supervisor->members[i]).caught_up)
            return false;
    return true;
}

static bool all_done(struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->member_count; i++)
        if (supervisor->members[i].started && !atomic_load(&supervisor->members[i].done))
            return false;
    return true;
}

/* Tells the workers to stop and waits for them. A second signal, or the deadline, ends the process. */
static void drain(struct supervisor *supervisor)
{
    const struct vf_supervisor_setup *setup = supervisor->setup;
    int64_t limit_ms = setup->drain_ms >= 0 ? setup->drain_ms : setup->config->drain_ms;
    int64_t deadline_ms = now_ms(supervisor) + limit_ms;
    atomic_store(&supervisor->stopping, true);
    while (!all_done(supervisor)) {
        int again = wait_signal(10);
        if (again) {
            vf_log(VF_LOG_WARN, NULL,
                   "a second signal: ended at once; what was under way is abandoned, nothing is half done");
            _exit(128 + again);
        }
        if (now_ms(supervisor) > deadline_ms) {
            vf_log(VF_LOG_WARN, NULL,
                   "not drained within %lld ms: ended; what was under way is abandoned, nothing is half done",
                   (long long)limit_ms);
            _exit(vf_code_exit_status(VF_E_TIMEOUT));
        }
    }
    for (size_t i = 0; i < supervisor->member_count; i++) {
        if (!supervisor->members[i].started)
            continue;
        pthread_join(supervisor->members[i].thread, NULL);
        supervisor->members[i].started = false;
        say_counts(&supervisor->members[i], VF_LOG_INFO, "ended");
    }
}

/* A signal before anything is under way: there is nothing to drain, and a server that does not answer need not be waited
 * for. */
static void end_at_once(int signal_number)
{
    (void)signal_number;
    _exit(0);
}

/* While the handlers are exchanged the signals are blocked, so that none meets the default in between. */
static void take_signals(void (*handler)(int), int how)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGTERM, handler);
    signal(SIGINT, handler);
    pthread_sigmask(how, &set, NULL);
}

/* Are all stores there? Asked before there is any member of a group. */
static enum vf_code try_stores(struct supervisor *supervisor, struct vf_error *error)
{
    for (size_t i = 0; i < supervisor->member_count; i++) {
        const struct vf_worker_setup *setup = &supervisor->members[i].setup;
        bool tried = false;
        for (size_t j = 0; j < i; j++)
            tried |= strcmp(supervisor->members[j].setup.store.name, setup->store.name) == 0;
        if (tried)
            continue;
        struct vf_store *store;
        enum vf_code code = setup->store_type->open(&setup->store, &store, error);
        if (code)
            return code;
        setup->store_type->close(store);
    }
    return VF_OK;
}

/* Asks how long Kafka keeps each topic's records. Nothing depends on the answer, so it is not waited for, but for a moment. */
static void ask_keeping(struct supervisor *supervisor, const struct vf_source_config *all)
{
    const struct vf_source_type *type = supervisor->setup->source_type;
    struct keeping *keeping = &supervisor->keeping;
    if (!type->keeping)
        return;
    keeping->topics = vf_arena_calloc(supervisor->arena, all->topic_count, sizeof *keeping->topics);
    keeping->partial = vf_arena_calloc(supervisor->arena, all->topic_count, sizeof *keeping->partial);
    for (size_t m = 0; m < supervisor->member_count; m++) {
        const struct vf_worker_setup *setup = &supervisor->members[m].setup;
        for (size_t t = 0; t < setup->topic_count; t++) {
            size_t i = 0;
            while (i < keeping->count && strcmp(keeping->topics[i], setup->topics[t].topic) != 0)
                i++;
            if (i == keeping->count)
                keeping->topics[keeping->count++] = setup->topics[t].topic;
            keeping->partial[i] |= setup->topics[t].envelope.history_partial;
        }
    }
    struct vf_source_config once = *all;
    once.topics = keeping->topics;
    once.topic_count = keeping->count;
    keeping->rows = vf_arena_calloc(supervisor->arena, keeping->count, sizeof *keeping->rows);
    type->keeping(&once, KEEPING_MS, keeping->rows);
}

/* Are all topics there? Asked before a store is told of any generation: what could not begin leaves nothing behind, and a
 * script that is mended next is not another one than a store's. */
static enum vf_code try_topics(struct supervisor *supervisor, struct vf_error *error)
{
    const struct vf_source_type *type = supervisor->setup->source_type;
    size_t count = 0;
    for (size_t i = 0; i < supervisor->member_count; i++)
        count += supervisor->members[i].setup.source.topic_count;
    if (count == 0)
        return VF_OK;
    struct vf_source_config all = supervisor->members[0].setup.source;
    const char **topics = vf_arena_calloc(supervisor->arena, count, sizeof *topics);
    all.topics = topics;
    all.topic_count = 0;
    for (size_t i = 0; i < supervisor->member_count; i++) {
        const struct vf_source_config *source = &supervisor->members[i].setup.source;
        bool tried = i > 0 && supervisor->members[i - 1].setup.source.topics == source->topics;
        for (size_t t = 0; t < source->topic_count && !tried; t++)
            topics[all.topic_count++] = source->topics[t];
    }
    enum vf_code code = type->look(&all, error);
    if (!code)
        ask_keeping(supervisor, &all);
    return code;
}

static enum vf_code open_workers(struct supervisor *supervisor, bool *ret_interrupted, struct vf_error *error)
{
    /* Stores and brokers that do not answer are waited for here, and a signal ends that at once. From the first worker on
     * there are members of a group, who leave it properly. */
    take_signals(end_at_once, SIG_UNBLOCK);
    enum vf_code code = try_stores(supervisor, error);
    if (!code)
        code = try_topics(supervisor, error);
    for (size_t i = 0; i < supervisor->member_count && !code; i++) {
        struct member *member = &supervisor->members[i];
        if (i > 0 && wait_signal(0)) {
            *ret_interrupted = true;
            return VF_OK;
        }
        code = vf_worker_open(&member->setup, &member->worker, error);
        if (i == 0)
            take_signals(SIG_DFL, SIG_BLOCK);
    }
    return code;
}

static enum vf_code start_threads(struct supervisor *supervisor, struct vf_error *error)
{
    for (size_t i = 0; i < supervisor->member_count; i++) {
        struct member *member = &supervisor->members[i];
        int failure = pthread_create(&member->thread, NULL, run_member, member);
        if (failure)
            return vf_fail(error, VF_E_UNAVAILABLE, "no thread for worker %s: %s", member->setup.name,
                           strerror(failure));
        member->started = true;
    }
    const struct keeping *keeping = &supervisor->keeping;
    vf_keeping_say(keeping->topics, keeping->partial, keeping->rows, keeping->count);
    vf_log(VF_LOG_INFO, NULL, "running %zu workers", supervisor->member_count);
    return VF_OK;
}

/* With --once nobody waits for a generation that was dropped. */
static bool any_dropped(struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->member_count; i++)
        if (read_report(&supervisor->members[i]).dropped)
            return true;
    return false;
}

static void watch(struct supervisor *supervisor)
{
    for (;;) {
        int signal_number = wait_signal(WATCH_INTERVAL_MS);
        if (signal_number) {
            vf_log(VF_LOG_INFO, NULL, "%s: draining", signal_number == SIGTERM ? "SIGTERM" : "SIGINT");
            return;
        }
        say_all_counts(supervisor);
        if (supervisor->setup->once && all_caught_up(supervisor)) {
            vf_log(VF_LOG_INFO, NULL, "caught up");
            return;
        }
        if (supervisor->setup->once && any_dropped(supervisor))
            return;
    }
}

static int status_of(struct supervisor *supervisor)
{
    if (!supervisor->setup->once)
        return 0;
    for (size_t i = 0; i < supervisor->member_count; i++)
        if (read_report(&supervisor->members[i]).stopped || read_report(&supervisor->members[i]).stuck)
            return 1;
    return any_dropped(supervisor) ? 1 : 0;
}

static void free_supervisor(struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->member_count; i++) {
        vf_worker_close(supervisor->members[i].worker);
        pthread_mutex_destroy(&supervisor->members[i].mutex);
    }
    free(supervisor->members);
    for (size_t p = 0; p < supervisor->setup->config->projection_count; p++)
        supervisor->setup->projector_type->close(supervisor->instances[p].projector);
    vf_arena_free(supervisor->arena);
}

enum vf_code vf_supervisor_run(const struct vf_supervisor_setup *setup, int *ret_status, struct vf_error *error)
{
    struct supervisor supervisor = {.setup = setup, .arena = vf_arena_new()};
    supervisor.instances =
        vf_arena_calloc(supervisor.arena, setup->config->projection_count, sizeof *supervisor.instances);
    supervisor.said_at_ms = now_ms(&supervisor);
    take_signals(SIG_DFL, SIG_BLOCK);
    signal(SIGPIPE, SIG_IGN);
    enum vf_code code = VF_OK;
    for (size_t p = 0; p < setup->config->projection_count && !code; p++)
        code = propose(&supervisor, p, error);
    if (!code)
        code = check_wanted(&supervisor, error);
    if (code)
        goto out;
    plan_members(&supervisor);
    bool interrupted = false;
    *ret_status = 0;
    code = open_workers(&supervisor, &interrupted, error);
    if (code || interrupted)
        goto out;
    code = start_threads(&supervisor, error);
    if (!code)
        watch(&supervisor);
    drain(&supervisor);
    *ret_status = status_of(&supervisor);
out:
    free_supervisor(&supervisor);
    return code;
}
