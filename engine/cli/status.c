/*
 * `viewfold status`: how far each projection is in each store, from any host: progress and stops out of the stores, ends and
 * group members out of Kafka.
 */
#include "cli/status.h"

#include "cli/cli.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "run/fresh.h"

#include <stdlib.h>

/* So many lists that are being taken in are counted. */
#define LISTS_MAX          1000
#define CLUSTER_TIMEOUT_MS 5000
#define WATCH_INTERVAL_MS  1000
#define MEMBERS_RETRY_MS   200

struct status {
    struct vf_cli *cli;
    const struct vf_config *config;
    const struct vf_views *views;
    struct vf_arena *arena;             /* one round's */
    struct vf_cluster *cluster;         /* NULL while it cannot be reached */
    const struct vf_store_type **types; /* of each of the configuration's stores */
    struct vf_store **stores;           /* NULL while not open */
    enum vf_code code;                  /* the first thing that could not be asked in this round */
};

/* --- gathering ---------------------------------------------------------------------------------------------------- */

/* Something could not be asked: said once a round, and it decides the exit status. */
static void note_failure(struct status *status, const struct vf_error *error)
{
    vf_cli_fail(status->cli, error);
    if (status->code == VF_OK) {
        status->code = error->code;
    }
}

/* The open store; NULL where it could not be opened in this round (*tried), which was said then. */
static struct vf_store *open_store(struct status *status, const struct vf_store_entry *entry, bool *tried)
{
    size_t index = (size_t)(entry - status->config->stores);
    struct vf_error error;
    if (!status->stores[index] && !tried[index]) {
        tried[index] = true;
        if (vf_cli_open_store(status->cli, entry, &status->types[index], &status->stores[index], &error) != VF_OK) {
            note_failure(status, &error);
        }
    }
    return status->stores[index];
}

static void drop_store(struct status *status, const struct vf_store_entry *entry)
{
    size_t index = (size_t)(entry - status->config->stores);
    status->types[index]->close(status->stores[index]);
    status->stores[index] = NULL;
}

static void drop_cluster(struct status *status)
{
    status->cli->registry->cluster->close(status->cluster);
    status->cluster = NULL;
}

/* Which script it runs, since when, and whether it was dropped. */
static enum vf_code ask_registry(struct status *status, struct vf_status_row *row, const struct vf_store_type *type,
                                 struct vf_store *store, struct vf_error *error)
{
    struct vf_generation *all;
    size_t count;
    enum vf_code code = type->generations(store, row->entry->view, status->arena, &all, &count, error);
    for (size_t i = 0; code == VF_OK && i < count; i++) {
        bool is_active = strcmp(all[i].state, VF_GENERATION_ACTIVE) == 0;
        if (row->generation > 0 ? all[i].number == row->generation : !is_active) {
            row->registered = &all[i];
        }
    }
    return code;
}

/* How many events are set aside. */
static enum vf_code ask_total(const struct vf_store_type *type, struct vf_store *store, struct vf_view view,
                              const struct vf_progress_row *rows, size_t count, int64_t *ret_total,
                              struct vf_error *error)
{
    enum vf_code code = VF_OK;
    for (size_t i = 0; code == VF_OK && i < count; i++) {
        struct vf_aside_total total = {0};
        if (rows[i].progress.aside > 0) {
            code = type->aside_total(store, view, rows[i].partition, &total, error);
        }
        *ret_total += total.count;
    }
    return code;
}

/* How long the gaps of this view's topics may last before anybody minds: the shortest time and the longest. */
static void find_waits(const struct vf_status_row *row, int64_t *ret_least_ms, int64_t *ret_most_ms)
{
    size_t count = row->unread ? 0 : row->entry->topic_count;
    *ret_least_ms = count > 0 ? INT64_MAX : 0;
    *ret_most_ms = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t wait_ms = row->entry->envelopes[i].gaps_wait_ms;
        *ret_least_ms = wait_ms < *ret_least_ms ? wait_ms : *ret_least_ms;
        *ret_most_ms = wait_ms > *ret_most_ms ? wait_ms : *ret_most_ms;
    }
}

/* How long this gap may: as the topic says that its first event is of. */
static enum vf_code ask_wait(struct status *status, const struct vf_status_row *row, const struct vf_store_type *type,
                             struct vf_store *store, const struct vf_aggregate *record, int64_t *ret_wait_ms,
                             struct vf_error *error)
{
    struct vf_view view = {row->entry->view, row->generation};
    struct vf_bytes list = vf_list_key(status->arena, VF_LIST_EARLY, record->aggregate);
    struct vf_aside *asides;
    size_t count = 0;
    enum vf_code code =
        type->aside_load(store, view, list, record->early_from, 1, 0, status->arena, &asides, &count, error);
    for (size_t i = 0; code == VF_OK && count > 0 && i < row->entry->topic_count; i++) {
        if (strcmp(row->entry->topics[i], asides[0].partition.topic) == 0) {
            *ret_wait_ms = row->entry->envelopes[i].gaps_wait_ms;
        }
    }
    return code;
}

/* Of those behind a gap, which are so for too long. */
static enum vf_code ask_gaps(struct status *status, struct vf_status_row *row, const struct vf_store_type *type,
                             struct vf_store *store, struct vf_error *error)
{
    const struct vf_clock *clock = status->cli->registry->clock;
    struct vf_view view = {row->entry->view, row->generation};
    struct vf_bytes *names;
    size_t count = 0;
    int64_t least_ms, most_ms, now_ms = clock->wall_ms(clock->self);
    enum vf_code code = type->aside_aggregates(store, view, VF_ASIDE_GAP, (struct vf_bytes){0}, LISTS_MAX,
                                               status->arena, &names, &count, error);
    struct vf_aggregate *records = vf_arena_calloc(status->arena, count, sizeof *records);
    if (code == VF_OK && count > 0) {
        code = type->load(store, view, NULL, 0, names, count, status->arena, NULL, records, error);
    }
    find_waits(row, &least_ms, &most_ms);
    for (size_t i = 0; code == VF_OK && i < count; i++) {
        int64_t lasts_ms = now_ms - records[i].since_ms, wait_ms = most_ms;
        if (lasts_ms >= least_ms && lasts_ms < most_ms) {
            code = ask_wait(status, row, type, store, &records[i], &wait_ms, error);
        }
        row->gaps_lasting += lasts_ms >= wait_ms && records[i].state == VF_ASIDE_GAP;
    }
    return code;
}

/* What is set aside. */
static enum vf_code ask_aside(struct status *status, struct vf_status_row *row, const struct vf_store_type *type,
                              struct vf_store *store, const struct vf_progress_row *rows, size_t count,
                              struct vf_error *error)
{
    struct vf_view view = {row->entry->view, row->generation};
    struct vf_bytes *lists;
    enum vf_code code = ask_total(type, store, view, rows, count, &row->aside, error);
    if (code == VF_OK) {
        code = type->aside_counts(store, view, row->aggregates, error);
    }
    if (code == VF_OK && row->aggregates[VF_ASIDE_GAP] > 0) {
        code = ask_gaps(status, row, type, store, error);
    }
    if (code == VF_OK && row->aside > 0) {
        code = type->draining(store, view, LISTS_MAX, status->arena, &lists, &row->draining, error);
    }
    return code;
}

/* What the store says: generation, frozen, progress. False: it could not be asked. */
static bool ask_store(struct status *status, struct vf_status_row *row, bool *tried, struct vf_progress_row **ret_rows,
                      size_t *ret_count)
{
    const struct vf_store_entry *entry = row->entry->store;
    struct vf_store *store = open_store(status, entry, tried);
    if (!store) {
        return false;
    }
    const struct vf_store_type *type = status->types[entry - status->config->stores];
    struct vf_view_state state;
    struct vf_error error;
    enum vf_code code = type->state(store, row->entry->view, &state, &error);
    if (code == VF_OK) {
        row->generation = state.active;
        row->frozen = state.frozen;
        code = ask_registry(status, row, type, store, &error);
        if (code == VF_OK && state.active > 0) {
            struct vf_view view = {row->entry->view, state.active};
            code = type->progress(store, view, status->arena, ret_rows, ret_count, &error);
            if (code == VF_OK) {
                code = ask_aside(status, row, type, store, *ret_rows, *ret_count, &error);
            }
            if (code == VF_OK && type->held_up) {
                code = type->held_up(store, status->arena, &row->held_up, &error);
            }
        }
    }
    if (code != VF_OK) {
        note_failure(status, &error);
        drop_store(status, entry);
        return false;
    }
    return true;
}

/* Makes a row for each partition of the view's topics. False: Kafka could not be asked. */
static bool ask_partitions(struct status *status, struct vf_status_row *row, struct vf_error *error)
{
    const struct vf_cluster_type *type = status->cli->registry->cluster;
    size_t topics = row->entry->topic_count;
    int32_t *counts = vf_arena_calloc(status->arena, topics, sizeof *counts);
    size_t total = 0;
    for (size_t i = 0; i < topics; i++) {
        if (type->partition_count(status->cluster, row->entry->topics[i], &counts[i], error) != VF_OK) {
            return false;
        }
        total += (size_t)counts[i];
        row->partitions_most = (size_t)counts[i] > row->partitions_most ? (size_t)counts[i] : row->partitions_most;
    }
    struct vf_reach *reach = vf_arena_calloc(status->arena, total, sizeof *reach);
    size_t at = 0;
    for (size_t i = 0; i < topics; i++) {
        for (int32_t p = 0; p < counts[i]; p++) {
            reach[at++].partition = (struct vf_partition){row->entry->topics[i], p};
        }
    }
    if (total > 0 && type->reach(status->cluster, reach, total, error) != VF_OK) {
        return false;
    }
    row->partitions = vf_arena_calloc(status->arena, total, sizeof *row->partitions);
    row->partition_count = total;
    for (size_t i = 0; i < total; i++) {
        row->partitions[i] = (struct vf_status_partition){
            .partition = reach[i].partition, .low = reach[i].low, .end = reach[i].high, .end_known = true};
    }
    return true;
}

/* How many members the group has. A coordinator that is just being appointed (a new cluster, a broker that was restarted)
 * refuses for a moment, although Kafka is there: it is asked again while the time limit lasts. */
static enum vf_code ask_members(struct status *status, const char *group, size_t *ret_members, struct vf_error *error)
{
    const struct vf_clock *clock = status->cli->registry->clock;
    int64_t end_ms = clock->monotonic_ms(clock->self) + CLUSTER_TIMEOUT_MS;
    for (;;) {
        enum vf_code code = status->cli->registry->cluster->members(status->cluster, group, ret_members, error);
        if (code != VF_E_UNAVAILABLE || clock->monotonic_ms(clock->self) + MEMBERS_RETRY_MS > end_ms) {
            return code;
        }
        clock->sleep_ms(clock->self, MEMBERS_RETRY_MS);
    }
}

static bool ask_kafka(struct status *status, struct vf_status_row *row)
{
    struct vf_error error;
    if (!status->cluster) {
        return false;
    }
    int32_t generation = row->generation > 0 ? row->generation : 1;
    const char *group = vf_arena_printf(status->arena, "%s.%s.%s.g%d", status->config->kafka.group,
                                        row->entry->projection, row->entry->store->name, (int)generation)
                            .data;
    if (!ask_partitions(status, row, &error)) {
        note_failure(status, &error);
        if (error.code != VF_E_NOT_FOUND) {
            drop_cluster(status); /* the other views need not wait for it too */
        }
        return false;
    }
    if (ask_members(status, group, &row->members, &error) != VF_OK) {
        note_failure(status, &error);
        return false;
    }
    return true;
}

/* What the store knows of a partition, put beside what Kafka knows; partitions that Kafka did not tell of are appended. */
static void merge_progress(struct status *status, struct vf_status_row *row, const struct vf_progress_row *rows,
                           size_t count)
{
    struct vf_status_partition *all = vf_arena_calloc(status->arena, row->partition_count + count, sizeof *all);
    if (row->partition_count > 0) {
        memcpy(all, row->partitions, row->partition_count * sizeof *all);
    }
    row->partitions = all;
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        while (at < row->partition_count && (all[at].partition.partition != rows[i].partition.partition ||
                                             strcmp(all[at].partition.topic, rows[i].partition.topic) != 0)) {
            at++;
        }
        if (at == row->partition_count) {
            all[row->partition_count++].partition = rows[i].partition;
        }
        all[at].progress = rows[i].progress;
        all[at].stopped = rows[i].stopped;
    }
}

static int compare_partitions(const void *left, const void *right)
{
    const struct vf_status_partition *a = left;
    const struct vf_status_partition *b = right;
    int order = strcmp(a->partition.topic, b->partition.topic);
    if (order == 0) {
        order = a->partition.partition < b->partition.partition ? -1 : a->partition.partition > b->partition.partition;
    }
    return order;
}

static void gather_row(struct status *status, struct vf_status_row *row, bool *tried)
{
    struct vf_progress_row *rows = NULL;
    size_t count = 0;
    row->store_known = row->entry->view && ask_store(status, row, tried, &rows, &count);
    row->kafka_known = !row->unread && ask_kafka(status, row);
    merge_progress(status, row, rows, count);
    qsort(row->partitions, row->partition_count, sizeof *row->partitions, compare_partitions);
    for (size_t i = 0; i < row->partition_count; i++) {
        struct vf_status_partition *partition = &row->partitions[i];
        if (partition->stopped) {
            vf_stopped_parse(partition->stopped, status->arena, &partition->why);
        }
        partition->lag_known = row->store_known && vf_status_lag(partition, &partition->lag);
        vf_rebuilding_add(&row->rebuilding, &partition->progress);
    }
    row->state = vf_status_state(row);
}

/* The rows of all views, those whose script cannot be read behind the others. */
static struct vf_status_row *make_rows(struct status *status, size_t *ret_count)
{
    const struct vf_views *views = status->views;
    size_t count = views->count;
    for (size_t i = 0; i < views->unread_count; i++) {
        count += views->unread[i].configured->store_count;
    }
    struct vf_status_row *rows = vf_arena_calloc(status->arena, count, sizeof *rows);
    struct vf_view_entry *unread = vf_arena_calloc(status->arena, count - views->count, sizeof *unread);
    struct vf_status_row *row = rows;
    for (size_t i = 0; i < views->count; i++) {
        (row++)->entry = &views->entries[i];
    }
    for (size_t i = 0; i < views->unread_count; i++) {
        const struct vf_projection_entry *configured = views->unread[i].configured;
        for (size_t j = 0; j < configured->store_count; j++, unread++, row++) {
            unread->configured = configured;
            unread->view = configured->stores[j].view_name;
            unread->store = configured->stores[j].store;
            *row = (struct vf_status_row){.entry = unread, .unread = views->unread[i].why};
        }
    }
    *ret_count = count;
    return rows;
}

static struct vf_status_row *gather(struct status *status, size_t *ret_count)
{
    struct vf_cli *cli = status->cli;
    struct vf_status_row *rows = make_rows(status, ret_count);
    bool *tried = vf_arena_calloc(status->arena, status->config->store_count, sizeof *tried);
    struct vf_error error;
    status->code = VF_OK;
    if (!status->cluster &&
        cli->registry->cluster->open(&status->config->kafka, CLUSTER_TIMEOUT_MS, &status->cluster, &error) != VF_OK) {
        status->cluster = NULL;
        note_failure(status, &error);
    }
    for (size_t i = 0; i < *ret_count; i++) {
        gather_row(status, &rows[i], tried);
    }
    return rows;
}

/* --- the verb ----------------------------------------------------------------------------------------------------- */

static int show_once(struct status *status)
{
    struct vf_cli *cli = status->cli;
    struct vf_buffer out;
    vf_arena_reset(status->arena);
    size_t count;
    const struct vf_status_row *rows = gather(status, &count);
    vf_buffer_init(&out);
    if (cli->json) {
        vf_status_print_json(rows, count, &out);
    } else {
        if (vf_options_has(cli->options, "watch") && cli->terminal) {
            vf_buffer_add_text(&out, "\033[H\033[2J"); /* the cursor home, the screen cleared */
        }
        vf_status_print_table(rows, count, cli->color, cli->verbose, &out);
    }
    fwrite(out.data, 1, out.size, cli->out);
    fflush(cli->out);
    vf_buffer_done(&out);
    if (status->code != VF_OK) {
        return vf_code_exit_status(status->code);
    }
    if (!vf_options_has(cli->options, "check")) {
        return 0;
    }
    vf_buffer_init(&out);
    vf_status_check(rows, count, vf_options_number(cli->options, "max-lag", 0), &out);
    bool clean = out.size == 0;
    if (!clean && !cli->quiet) {
        fwrite(out.data, 1, out.size, cli->err);
    }
    vf_buffer_done(&out);
    return clean ? 0 : 1;
}

static int show(struct status *status)
{
    const struct vf_clock *clock = status->cli->registry->clock;
    bool watch = vf_options_has(status->cli->options, "watch");
    int result = show_once(status);
    while (watch && !ferror(status->cli->out)) {
        clock->sleep_ms(clock->self, WATCH_INTERVAL_MS);
        result = show_once(status);
    }
    return result;
}

int vf_verb_status(struct vf_cli *cli)
{
    struct vf_views *views = NULL;
    struct vf_error error;
    int result = 0;
    if (vf_options_has(cli->options, "watch") && vf_options_has(cli->options, "check")) {
        vf_fail(&error, VF_E_USAGE, "--check answers once, --watch never ends: one of them");
        return vf_cli_fail(cli, &error);
    }
    struct vf_config *config = vf_cli_config(cli, &result);
    if (!config) {
        return result;
    }
    if (vf_views_look(cli, config, &views, &error) != VF_OK) {
        vf_config_free(config);
        return vf_cli_fail(cli, &error);
    }
    struct status status = {.cli = cli, .config = config, .views = views, .arena = vf_arena_new()};
    status.types = vf_calloc(config->store_count, sizeof *status.types);
    status.stores = vf_calloc(config->store_count, sizeof *status.stores);
    result = show(&status);
    for (size_t i = 0; i < config->store_count; i++) {
        if (status.stores[i]) {
            drop_store(&status, &config->stores[i]);
        }
    }
    cli->registry->cluster->close(status.cluster);
    free(status.types);
    free(status.stores);
    vf_arena_free(status.arena);
    vf_views_free(views);
    vf_config_free(config);
    return result;
}
