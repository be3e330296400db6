/*
 * What an operator decides about a generation. Each decision goes by the entry's stamp as it was read, so of two operators at
 * once the slower one is told, and nothing of his happens.
 */
#include "cli/generations_change.h"

#include "cli/generations.h"
#include "core/body.h"
#include "run/generation.h"
#include "run/supervisor.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#define CLUSTER_TIMEOUT_MS 5000
#define COUNTER_MS         200 /* between two looks of the counter on a terminal */

/* One generation of a target, as the registry has it. */
struct chosen {
    const struct vf_generations_target *target;
    const struct vf_store_type *type;
    struct vf_store *store;
    struct vf_generation generation; /* without files */
    bool there;
};

static const char *state_of(const struct chosen *chosen)
{
    return chosen->generation.state;
}

static bool is_in(const struct chosen *chosen, const char *state)
{
    return strcmp(state_of(chosen), state) == 0;
}

static struct vf_view view_of(const struct chosen *chosen)
{
    return (struct vf_view){chosen->target->view, chosen->generation.number};
}

static enum vf_code fail_none(const struct vf_generations *generations, struct vf_error *error)
{
    if (generations->number > 0) {
        return vf_fail(error, VF_E_NOT_FOUND,
                       "there is no generation %d; `viewfold generations list` shows those that are there",
                       (int)generations->number);
    }
    return vf_fail(error, VF_E_NOT_FOUND, "there is no generation yet: `viewfold run` makes it");
}

/* G; without it the only one that is not gone, or the last one that was dropped. */
static enum vf_code choose(struct vf_generations *generations, struct chosen *chosen, struct vf_error *error)
{
    struct vf_generation *all;
    size_t count;
    size_t live = 0;
    enum vf_code code =
        chosen->type->generations(chosen->store, chosen->target->view, generations->arena, &all, &count, error);
    if (code != VF_OK) {
        return code;
    }
    for (size_t i = 0; i < count; i++) {
        bool gone = strcmp(all[i].state, VF_GENERATION_DROPPED) == 0;
        if (generations->number > 0 ? all[i].number == generations->number : !gone || live == 0) {
            chosen->generation = all[i];
            chosen->there = true;
        }
        live += gone ? 0 : 1;
    }
    if (generations->number == 0 && live > 1) {
        return vf_fail(error, VF_E_USAGE, "there are %zu generations: say which one, behind %s", live,
                       chosen->target->view);
    }
    return chosen->there ? VF_OK : fail_none(generations, error);
}

/* Opens the target's store and chooses. False: it was said why not. */
static bool begin(struct vf_generations *generations, const struct vf_generations_target *target, struct chosen *chosen)
{
    struct vf_error error;
    *chosen = (struct chosen){.target = target};
    chosen->store = vf_generations_store(generations, target, &chosen->type);
    if (!chosen->store) {
        return false;
    }
    if (choose(generations, chosen, &error) != VF_OK) {
        vf_generations_fail(generations, target, &error);
        return false;
    }
    return true;
}

static enum vf_code fail_changed(struct vf_error *error)
{
    return vf_fail_retriable(error, VF_E_TIMEOUT,
                             "somebody else changed the generation in this moment, and nothing was done; look with "
                             "`viewfold generations list`, then try again");
}

/* Kafka, where it can be asked: what it knows is told besides, and nothing depends on it. NULL: it cannot. */
static struct vf_cluster *open_cluster(struct vf_generations *generations)
{
    struct vf_cluster *cluster = NULL;
    return generations->cli->registry->cluster->open(&generations->config->kafka, CLUSTER_TIMEOUT_MS, &cluster, NULL) ==
                   VF_OK
               ? cluster
               : NULL;
}

/* How many workers run it now; 0 also where nobody can say. */
static size_t workers_of(struct vf_generations *generations, const struct chosen *chosen)
{
    const struct vf_cluster_type *type = generations->cli->registry->cluster;
    const struct vf_view_entry *entry = chosen->target->entry;
    size_t members = 0;
    struct vf_cluster *cluster = entry ? open_cluster(generations) : NULL;
    if (!cluster) {
        return 0;
    }
    const char *group = vf_arena_printf(generations->arena, "%s.%s.%s.g%d", generations->config->kafka.group,
                                        entry->projection, entry->store->name, (int)chosen->generation.number)
                            .data;
    if (type->members(cluster, group, &members, NULL) != VF_OK) {
        members = 0;
    }
    type->close(cluster);
    return members;
}

/* A line at a time, as each is done. */
static void print(struct vf_generations *generations, struct vf_buffer *line)
{
    vf_buffer_add_char(line, '\n');
    fwrite(line->data, 1, line->size, generations->cli->out);
    fflush(generations->cli->out);
    vf_buffer_clear(line);
}

static void add_text(struct vf_buffer *out, const char *key, const char *text)
{
    vf_buffer_printf(out, "\"%s\":", key);
    vf_json_print_string(out, vf_bytes_from(text));
}

/* --- adopt -------------------------------------------------------------------------------------------------------- */

struct adoption {
    struct chosen chosen;
    struct vf_generation next; /* what lies on disk */
    struct vf_projector *projector;
};

static enum vf_code check_state(const struct chosen *chosen, struct vf_error *error)
{
    int number = (int)chosen->generation.number;
    if (is_in(chosen, VF_GENERATION_DROPPED)) {
        return vf_fail(error, VF_E_NOT_FOUND,
                       "generation %d was dropped: there is nothing to go on with. `viewfold run` builds the view from "
                       "the log's beginning, with the script as it is then",
                       number);
    }
    if (!is_in(chosen, VF_GENERATION_ACTIVE)) {
        return vf_fail(
            error, VF_E_CONFIG,
            "generation %d is being dropped, and that was not finished: finish it with `viewfold generations "
            "drop %s`; `viewfold run` then builds the view from the log's beginning, with the script as it is "
            "then",
            number, chosen->target->view);
    }
    return VF_OK;
}

/* Compares with what the stored script says of itself. */
static enum vf_code check_script(struct vf_generations *generations, const struct adoption *adoption,
                                 struct vf_error *error)
{
    const struct chosen *chosen = &adoption->chosen;
    const struct vf_projector_type *type = generations->cli->registry->projector;
    struct vf_projector_limits limits = vf_projector_limits_of(generations->config);
    struct vf_projector *had = NULL;
    struct vf_generation stored;
    enum vf_code code = chosen->type->generation(chosen->store, view_of(chosen), generations->arena, &stored, error);
    if (code != VF_OK) {
        return code;
    }
    struct vf_script_reader reader = vf_script_stored_reader(&stored);
    code = type->open(stored.script, &reader, &limits, NULL, NULL, &had, error);
    if (code != VF_OK) {
        return vf_error_prefix(error, "the script stored with generation %d cannot be compared", (int)stored.number);
    }
    code = vf_generation_check_adoption(type->describe(had), type->describe(adoption->projector), error);
    type->close(had);
    return code == VF_OK ? VF_OK : vf_error_prefix(error, "%s cannot be adopted", adoption->next.script);
}

/* What the registry now says of this adoption: positions are those of its own step. NULL: another one came behind it. */
static const struct vf_adoption *find_recorded(struct vf_generations *generations, const struct adoption *adoption)
{
    const struct chosen *chosen = &adoption->chosen;
    struct vf_generation *all;
    size_t count;
    enum vf_code code =
        chosen->type->generations(chosen->store, chosen->target->view, generations->arena, &all, &count, NULL);
    for (size_t i = 0; code == VF_OK && i < count; i++) {
        if (all[i].number == chosen->generation.number && all[i].stamp == adoption->next.stamp) {
            return vf_adoption_last(&all[i]);
        }
    }
    return NULL;
}

static void say_adopted(struct vf_generations *generations, const struct adoption *adoption, bool changed)
{
    const struct chosen *chosen = &adoption->chosen;
    const struct vf_adoption *recorded = changed ? find_recorded(generations, adoption) : NULL;
    const char *view = chosen->target->view;
    const char *store = chosen->target->store->name;
    int number = (int)chosen->generation.number;
    struct vf_buffer line;
    vf_buffer_init(&line);
    if (generations->cli->json) {
        vf_buffer_add_text(&line, "{\"adopted\":");
        if (recorded) {
            vf_adoption_print_json(recorded, &line);
        } else {
            vf_buffer_add_text(&line, "null");
        }
        vf_buffer_printf(&line, ",\"changed\":%s,\"generation\":%d,", changed ? "true" : "false", number);
        add_text(&line, "projection", chosen->target->entry->projection);
        vf_buffer_add_char(&line, ',');
        add_text(&line, "script_hash", adoption->next.script_hash);
        vf_buffer_add_char(&line, ',');
        add_text(&line, "store", store);
        vf_buffer_add_char(&line, ',');
        add_text(&line, "view", view);
        vf_buffer_add_char(&line, '}');
        print(generations, &line);
    } else if (!changed) {
        vf_buffer_printf(&line, "%s in %s: generation %d runs this script (%s %.*s) already: nothing to adopt", view,
                         store, number, adoption->next.script, VF_HASH_SHOWN, adoption->next.script_hash);
        print(generations, &line);
    } else {
        vf_buffer_printf(&line, "%s in %s: generation %d goes on with %s %.*s instead of %.*s", view, store, number,
                         adoption->next.script, VF_HASH_SHOWN, adoption->next.script_hash, VF_HASH_SHOWN,
                         chosen->generation.script_hash);
        if (recorded) {
            vf_buffer_add_text(&line, ", from ");
            vf_adoption_print_positions(recorded, &line);
            vf_buffer_add_text(&line, " on");
        }
        print(generations, &line);
    }
    vf_buffer_done(&line);
    size_t workers = changed ? workers_of(generations, chosen) : 0;
    if (workers > 0) {
        vf_cli_note(generations->cli, "%s in %s: %zu running worker%s take%s it over by %s", view, store, workers,
                    workers == 1 ? "" : "s", workers == 1 ? "s" : "", workers == 1 ? "itself" : "themselves");
    }
}

static enum vf_code adopt(struct vf_generations *generations, struct adoption *adoption, struct vf_error *error)
{
    const struct vf_registry *registry = generations->cli->registry;
    const struct chosen *chosen = &adoption->chosen;
    bool done = false;
    enum vf_code code = check_state(chosen, error);
    if (code != VF_OK) {
        return code;
    }
    bool changed = strcmp(chosen->generation.script_hash, adoption->next.script_hash) != 0;
    if (changed) {
        code = check_script(generations, adoption, error);
        if (code == VF_OK) {
            adoption->next.stamp = registry->clock->random(registry->clock->self);
            code = chosen->type->adopt(chosen->store, view_of(chosen), chosen->generation.stamp, &adoption->next, &done,
                                       error);
        }
        if (code == VF_OK && !done) {
            code = fail_changed(error);
        }
    }
    if (code == VF_OK) {
        say_adopted(generations, adoption, changed);
    }
    return code;
}

static enum vf_code adopt_target(struct vf_generations *generations, struct adoption *adoption, struct vf_error *error)
{
    const struct vf_registry *registry = generations->cli->registry;
    const struct vf_generations_target *target = adoption->chosen.target;
    struct vf_projector_limits limits = vf_projector_limits_of(generations->config);
    if (!target->entry) {
        vf_fail(error, VF_E_NOT_FOUND, "%s has no projection of that name, so there is no script to adopt",
                generations->config->path);
        return vf_views_doubt(generations->views, "", error);
    }
    enum vf_code code = vf_generation_propose(target->entry->configured, registry->projector, &limits,
                                              registry->clock->wall_ms(registry->clock->self), &adoption->projector,
                                              &adoption->next, error);
    if (code == VF_OK) {
        code = adopt(generations, adoption, error);
        registry->projector->close(adoption->projector);
    }
    return code;
}

void vf_generations_adopt(struct vf_generations *generations)
{
    for (size_t i = 0; i < generations->target_count; i++) {
        struct adoption adoption;
        struct vf_error error;
        memset(&adoption, 0, sizeof adoption);
        if (begin(generations, &generations->targets[i], &adoption.chosen) &&
            adopt_target(generations, &adoption, &error) != VF_OK) {
            vf_generations_fail(generations, &generations->targets[i], &error);
        }
    }
}

/* --- drop --------------------------------------------------------------------------------------------------------- */

/* Which of a topic's partitions no longer begin at their beginning: "; orders/0 begins at 500 now". */
static void add_lost_of(struct vf_generations *generations, struct vf_cluster *cluster, const char *topic,
                        struct vf_buffer *lost)
{
    const struct vf_cluster_type *type = generations->cli->registry->cluster;
    int32_t partitions = 0;
    if (type->partition_count(cluster, topic, &partitions, NULL) != VF_OK || partitions <= 0) {
        return;
    }
    struct vf_reach *reach = vf_arena_calloc(generations->arena, (size_t)partitions, sizeof *reach);
    for (int32_t i = 0; i < partitions; i++) {
        reach[i].partition = (struct vf_partition){topic, i};
    }
    if (type->reach(cluster, reach, (size_t)partitions, NULL) != VF_OK) {
        return;
    }
    for (int32_t i = 0; i < partitions; i++) {
        if (reach[i].low > 0) {
            vf_buffer_printf(lost, "%s%s/%d begins at %lld", lost->size > 0 ? ", " : "", topic, (int)i,
                             (long long)reach[i].low);
        }
    }
}

/* A view can be built again from what the log still holds, and from nothing else. */
static void add_lost(struct vf_generations *generations, const struct vf_view_entry *entry, struct vf_buffer *lost)
{
    struct vf_cluster *cluster = entry ? open_cluster(generations) : NULL;
    for (size_t i = 0; cluster && i < entry->topic_count; i++) {
        add_lost_of(generations, cluster, entry->topics[i], lost);
    }
    generations->cli->registry->cluster->close(cluster);
}

/* Where a script cannot be read, its topics are not known, and so not whether they still begin at their beginning. */
static const char *doubt_log(const struct vf_generations *generations)
{
    bool known = generations->views->unread_count == 0;
    for (size_t i = 0; i < generations->target_count && !known; i++) {
        known = generations->targets[i].entry != NULL;
    }
    return known ? "" : " (whether the log still has one is not known, as its script cannot be read here)";
}

/* Removing what readers see is never done by a slip. */
static enum vf_code confirm(struct vf_generations *generations, const struct chosen *all, size_t count,
                            struct vf_error *error)
{
    struct vf_buffer what, lost;
    if (vf_options_has(generations->cli->options, "yes")) {
        return VF_OK;
    }
    vf_buffer_init(&what);
    vf_buffer_init(&lost);
    for (size_t i = 0; i < count; i++) {
        if (all[i].there && is_in(&all[i], VF_GENERATION_ACTIVE)) {
            size_t workers = workers_of(generations, &all[i]);
            if (what.size == 0) { /* the topics are those of all */
                add_lost(generations, all[i].target->entry, &lost);
            }
            vf_buffer_printf(&what, "%s%s in %s, generation %d", what.size > 0 ? "; " : "", all[i].target->view,
                             all[i].target->store->name, (int)all[i].generation.number);
            if (workers > 0) {
                vf_buffer_printf(&what, " (%zu worker%s running)", workers, workers == 1 ? " is" : "s are");
            }
        }
    }
    /* GUARD drop-yes: a view that is being read is removed by a slip */
    bool is_served = what.size > 0;
    if (is_served) {
        vf_fail(error, VF_E_USAGE,
                "this removes %s: all documents and all progress. Readers miss the view until `viewfold run` has built "
                "it again from the log's beginning%s%s%s%s. Nothing was done; if it is what you want, say --yes",
                what.data, lost.size > 0 ? "; and that is gone, for good: " : "", lost.size > 0 ? lost.data : "",
                lost.size > 0 ? " now" : "", doubt_log(generations));
    }
    vf_buffer_done(&lost);
    vf_buffer_done(&what);
    return is_served ? VF_E_USAGE : VF_OK;
}

/* On a terminal: how far it is. */
struct counter {
    const struct vf_generations *generations;
    bool shown;
    int64_t next_ms;
};

static void count(struct counter *counter, const struct chosen *chosen, size_t removed)
{
    const struct vf_cli *cli = counter->generations->cli;
    const struct vf_clock *clock = cli->registry->clock;
    int fd = fileno(cli->err);
    int64_t now_ms = clock->monotonic_ms(clock->self);
    if (cli->quiet || fd < 0 || !isatty(fd) || now_ms < counter->next_ms) {
        return;
    }
    counter->shown = true;
    counter->next_ms = now_ms + COUNTER_MS;
    fprintf(cli->err, "\r%s in %s: %zu removed", chosen->target->view, chosen->target->store->name, removed);
    fflush(cli->err);
}

static void end_counter(const struct counter *counter)
{
    if (counter->shown) {
        fputs("\r\033[K", counter->generations->cli->err); /* to the line's beginning, the line cleared */
    }
}

static enum vf_code remove_all(struct vf_generations *generations, const struct chosen *chosen, size_t *ret_removed,
                               struct vf_error *error)
{
    const struct vf_clock *clock = generations->cli->registry->clock;
    struct counter counter = {.generations = generations};
    uint64_t stamp = clock->random(clock->self);
    enum vf_drop drop = VF_DROP_MORE;
    bool done;
    enum vf_code code =
        chosen->type->drop_begin(chosen->store, view_of(chosen), chosen->generation.stamp, stamp, &done, error);
    if (code == VF_OK && !done) {
        return fail_changed(error);
    }
    while (code == VF_OK && drop == VF_DROP_MORE) {
        size_t removed;
        code = chosen->type->drop_more(chosen->store, view_of(chosen), stamp, clock->wall_ms(clock->self), &drop,
                                       &removed, error);
        if (code == VF_OK) {
            *ret_removed += removed;
            count(&counter, chosen, *ret_removed);
        }
    }
    end_counter(&counter);
    if (code != VF_OK) {
        return vf_error_prefix(error,
                               "dropping generation %d was begun and not finished (the same command goes on with "
                               "it)",
                               (int)chosen->generation.number);
    }
    if (drop == VF_DROP_SUPERSEDED) {
        return vf_fail_retriable(error, VF_E_TIMEOUT,
                                 "another `viewfold generations drop` has taken over, and removes the rest");
    }
    return VF_OK;
}

static void say_dropped(struct vf_generations *generations, const struct chosen *chosen, bool changed, size_t removed)
{
    const char *view = chosen->target->view;
    const char *store = chosen->target->store->name;
    int number = (int)chosen->generation.number;
    struct vf_buffer line;
    vf_buffer_init(&line);
    if (generations->cli->json) {
        vf_buffer_printf(&line, "{\"changed\":%s,\"generation\":%d,\"removed\":%zu,", changed ? "true" : "false",
                         number, removed);
        add_text(&line, "store", store);
        vf_buffer_add_char(&line, ',');
        add_text(&line, "view", view);
        vf_buffer_add_char(&line, '}');
    } else if (!changed) {
        char when[VF_TIME_TEXT_BYTES];
        vf_time_print(when, chosen->generation.created_ms);
        vf_buffer_printf(&line, "%s in %s: generation %d was dropped already, %s", view, store, number, when);
    } else {
        vf_buffer_printf(&line, "%s in %s: generation %d is dropped; %zu documents and records removed", view, store,
                         number, removed);
    }
    print(generations, &line);
    vf_buffer_done(&line);
    size_t workers = changed ? workers_of(generations, chosen) : 0;
    if (workers > 0) {
        vf_cli_note(
            generations->cli,
            "%s in %s: %zu running worker%s wait%s: a `viewfold run` that is started now (one restart is enough) "
            "builds the view from the log's beginning, with its script; then they go on, too",
            view, store, workers, workers == 1 ? "" : "s", workers == 1 ? "s" : "");
    } else if (changed && chosen->target->entry) {
        vf_cli_note(generations->cli, "%s in %s: the next `viewfold run` builds it from the log's beginning", view,
                    store);
    }
}

void vf_generations_drop(struct vf_generations *generations)
{
    struct chosen *all = vf_calloc(generations->target_count, sizeof *all);
    struct vf_error error;
    for (size_t i = 0; i < generations->target_count; i++) {
        all[i].there = begin(generations, &generations->targets[i], &all[i]);
    }
    if (confirm(generations, all, generations->target_count, &error) != VF_OK) {
        int status = vf_cli_fail(generations->cli, &error);
        generations->status = generations->code == VF_OK ? status : generations->status;
        free(all);
        return;
    }
    for (size_t i = 0; i < generations->target_count; i++) {
        size_t removed = 0;
        if (!all[i].there) {
            continue;
        }
        bool changed = !is_in(&all[i], VF_GENERATION_DROPPED);
        if (changed && remove_all(generations, &all[i], &removed, &error) != VF_OK) {
            vf_generations_fail(generations, &generations->targets[i], &error);
        } else {
            say_dropped(generations, &all[i], changed, removed);
        }
    }
    free(all);
}
