#include "cli/generations.h"
#include "cli/output.h"
#include "cli/status.h"
#include "core/body.h"

#include <stdio.h>

size_t vf_status_idle(const struct vf_status_row *row)
{
    return row->members > row->partitions_most ? row->members - row->partitions_most : 0;
}

/* A view whose script cannot be read goes by its file, where nothing else names it. */
static const char *name_of(const struct vf_status_row *row)
{
    return row->entry->view ? row->entry->view : row->entry->configured->script_name;
}

/* Only its entry is left, or not even that is settled. */
static bool is_dropped(const struct vf_status_row *row)
{
    return row->generation == 0 && row->registered;
}

bool vf_status_lag(const struct vf_status_partition *partition, int64_t *ret_lag)
{
    if (!partition->end_known) {
        return false;
    }
    int64_t from = partition->progress.exists ? partition->progress.next : partition->low;
    *ret_lag = partition->end > from ? partition->end - from : 0;
    return true;
}

const char *vf_status_state(const struct vf_status_row *row)
{
    bool stopped = false;
    bool begun = false;
    for (size_t i = 0; i < row->partition_count; i++) {
        if (row->partitions[i].stopped && row->partitions[i].why.degraded) {
            return "degraded";
        }
        stopped |= row->partitions[i].stopped != NULL;
        begun |= row->partitions[i].progress.exists;
    }
    if (stopped) {
        return "stopped";
    }
    if (row->frozen) {
        return "frozen";
    }
    if (row->unread) {
        return "unknown";
    }
    if (!row->store_known || !row->kafka_known) {
        return "waiting";
    }
    if (row->members == 0) {
        return "stopped";
    }
    if (is_dropped(row)) {
        return "waiting"; /* those who run wait for one who starts anew */
    }
    /* GUARD status-rebuilding: a view that its store has lost is said to be running, and half of it is not there */
    if (row->rebuilding.partitions > 0) {
        return "rebuilding";
    }
    return begun ? "running" : "starting";
}

/* --- JSON: keys sorted, as everywhere ----------------------------------------------------------------------------- */

static void add_number(struct vf_buffer *out, const char *key, bool known, int64_t number)
{
    vf_buffer_printf(out, "\"%s\":", key);
    if (known) {
        vf_buffer_add_int(out, number);
    } else {
        vf_buffer_add_text(out, "null");
    }
}

static void add_text(struct vf_buffer *out, const char *key, const char *text)
{
    vf_buffer_printf(out, "\"%s\":", key);
    if (text) {
        vf_json_print_string(out, vf_bytes_from(text));
    } else {
        vf_buffer_add_text(out, "null");
    }
}

static void add_partition(struct vf_buffer *out, const struct vf_status_partition *partition)
{
    add_number(out, "end", partition->end_known, partition->end);
    vf_buffer_add_text(out, ",\"error\":");
    /* The store's own text: an object if it is whole, and it was parsed to tell. */
    if (!partition->stopped) {
        vf_buffer_add_text(out, "null");
    } else if (partition->why.at.size > 0) {
        vf_buffer_add_text(out, partition->stopped);
    } else {
        vf_json_print_string(out, vf_bytes_from(partition->stopped));
    }
    vf_buffer_add_char(out, ',');
    add_number(out, "lag", partition->lag_known, partition->lag);
    vf_buffer_add_char(out, ',');
    add_number(out, "partition", true, partition->partition.partition);
    vf_buffer_add_char(out, ',');
    add_number(out, "progress", partition->progress.exists, partition->progress.next);
    vf_buffer_add_char(out, ',');
    add_text(out, "topic", partition->partition.topic);
}

/* The last adoption, and when the generation was dropped. */
static void add_registered(struct vf_buffer *out, const struct vf_status_row *row)
{
    const struct vf_generation *registered = row->registered;
    const struct vf_adoption *adoption = registered ? vf_adoption_last(registered) : NULL;
    vf_buffer_add_text(out, "\"adopted\":");
    if (adoption) {
        vf_adoption_print_json(adoption, out);
    } else {
        vf_buffer_add_text(out, "null");
    }
    vf_buffer_printf(out, ",\"aside\":%lld,", (long long)row->aside);
    add_number(out, "draining", true, (int64_t)row->draining);
    vf_buffer_add_text(out, ",\"dropped\":");
    if (registered && strcmp(registered->state, VF_GENERATION_DROPPED) == 0) {
        char when[VF_TIME_TEXT_BYTES];
        vf_time_print(when, registered->created_ms);
        vf_json_print_string(out, vf_bytes_from(when));
    } else {
        vf_buffer_add_text(out, "null");
    }
    vf_buffer_add_char(out, ',');
}

static void add_rebuilding(struct vf_buffer *out, const struct vf_rebuilding *rebuilding)
{
    if (rebuilding->partitions == 0) {
        vf_buffer_add_text(out, "\"rebuilding\":null");
        return;
    }
    vf_buffer_printf(out, "\"rebuilding\":{\"at\":%lld,\"of\":%lld}", (long long)rebuilding->at,
                     (long long)rebuilding->of);
}

static void add_row(struct vf_buffer *out, const struct vf_status_row *row)
{
    vf_buffer_add_char(out, '{');
    add_registered(out, row);
    add_number(out, "gap", true, row->aggregates[VF_ASIDE_GAP]);
    vf_buffer_add_char(out, ',');
    add_number(out, "generation", row->generation > 0, row->generation);
    vf_buffer_add_char(out, ',');
    add_number(out, "held", true, row->aggregates[VF_ASIDE_HELD]);
    vf_buffer_add_char(out, ',');
    add_text(out, "held_up", row->held_up);
    vf_buffer_add_char(out, ',');
    add_number(out, "idle", row->kafka_known, (int64_t)vf_status_idle(row));
    vf_buffer_add_char(out, ',');
    add_number(out, "members", row->kafka_known, (int64_t)row->members);
    vf_buffer_add_char(out, ',');
    add_number(out, "parked", true, row->aggregates[VF_ASIDE_PARKED]);
    vf_buffer_add_text(out, ",\"partitions\":[");
    for (size_t i = 0; i < row->partition_count; i++) {
        vf_buffer_add_text(out, i > 0 ? ",{" : "{");
        add_partition(out, &row->partitions[i]);
        vf_buffer_add_char(out, '}');
    }
    vf_buffer_add_text(out, "],");
    add_text(out, "projection", row->entry->projection);
    vf_buffer_add_char(out, ',');
    add_rebuilding(out, &row->rebuilding);
    vf_buffer_add_char(out, ',');
    add_text(out, "script_error", row->unread);
    vf_buffer_add_char(out, ',');
    add_text(out, "script_hash", row->generation > 0 && row->registered ? row->registered->script_hash : NULL);
    vf_buffer_add_char(out, ',');
    add_text(out, "state", row->state);
    vf_buffer_add_char(out, ',');
    add_text(out, "store", row->entry->store->name);
    vf_buffer_add_char(out, ',');
    add_text(out, "view", row->entry->view);
    vf_buffer_add_char(out, '}');
}

void vf_status_print_json(const struct vf_status_row *rows, size_t count, struct vf_buffer *out)
{
    vf_buffer_add_text(out, "{\"projections\":[");
    for (size_t i = 0; i < count; i++) {
        vf_buffer_add_text(out, i > 0 ? "," : "");
        add_row(out, &rows[i]);
    }
    vf_buffer_add_text(out, "]}\n");
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

/* The sum of what is known; false where a partition's lag is not, or none is known of. */
static bool sum_lag(const struct vf_status_row *row, int64_t *ret_sum)
{
    int64_t sum = 0;
    for (size_t i = 0; i < row->partition_count; i++) {
        if (!row->partitions[i].lag_known) {
            return false;
        }
        sum += row->partitions[i].lag;
    }
    *ret_sum = sum;
    return row->partition_count > 0;
}

static enum vf_color color_of(const char *state)
{
    if (strcmp(state, "running") == 0) {
        return VF_COLOR_GREEN;
    }
    return strcmp(state, "stopped") == 0 || strcmp(state, "degraded") == 0 ? VF_COLOR_RED : VF_COLOR_YELLOW;
}

#define WHY_BYTES_MAX 300

static void add_why(struct vf_buffer *out, const struct vf_status_partition *partition)
{
    const struct vf_stopped *why = &partition->why;
    const char *line_end = why->error.size ? memchr(why->error.data, '\n', why->error.size) : NULL;
    struct vf_bytes first = line_end ? vf_bytes(why->error.data, (size_t)(line_end - why->error.data)) : why->error;
    vf_buffer_add_text(out, why->degraded ? "degraded" : "stopped");
    if (why->at.size > 0) {
        vf_buffer_add_text(out, " at ");
        vf_output_plain(out, why->at, WHY_BYTES_MAX, false);
    }
    bool said = why->aggregate.size > 0 && why->aggregate.size <= first.size &&
                memcmp(first.data, why->aggregate.data, why->aggregate.size) == 0;
    if (why->aggregate.size > 0 && !said) { /* many an error begins with the aggregate */
        vf_buffer_add_text(out, ", ");
        vf_output_plain(out, why->aggregate, WHY_BYTES_MAX, false);
    }
    vf_buffer_add_text(out, ": ");
    vf_output_plain(out, first, WHY_BYTES_MAX, false);
}

/* The workers that run do not mind: theirs is what the store holds. The next `run` does. */
static void add_unread(struct vf_buffer *out, const struct vf_status_row *row)
{
    vf_buffer_add_text(out, "its script cannot be read: ");
    vf_output_plain(out, vf_bytes_from(row->unread), VF_ERROR_TEXT_BYTES, false);
}

static void add_partition_line(struct vf_buffer *out, bool color, bool store_known,
                               const struct vf_status_partition *partition)
{
    vf_buffer_printf(out, "  %s/%d", partition->partition.topic, (int)partition->partition.partition);
    if (partition->progress.exists) {
        vf_buffer_printf(out, "  at %lld", (long long)partition->progress.next);
    } else {
        vf_buffer_add_text(out, store_known ? "  not begun" : "  progress unknown");
    }
    if (partition->end_known) {
        vf_buffer_printf(out, " of %lld", (long long)partition->end);
    }
    if (partition->lag_known && partition->lag > 0) {
        vf_buffer_printf(out, ", %lld behind", (long long)partition->lag);
    }
    if (vf_progress_is_rebuilding(&partition->progress)) {
        vf_buffer_printf(out, ", rebuilding up to %lld", (long long)partition->progress.had);
    }
    if (partition->stopped) {
        struct vf_buffer why;
        vf_buffer_init(&why);
        add_why(&why, partition);
        vf_buffer_add_text(out, "\n    ");
        vf_output_add(out, color, VF_COLOR_RED, why.data);
        vf_buffer_done(&why);
    }
    vf_buffer_add_char(out, '\n');
}

/* "3 aggregates are parked: an event of theirs failed (viewfold parked list)" */
static void add_state(struct vf_buffer *out, int64_t count, const char *one, const char *many)
{
    vf_buffer_printf(out, "%lld aggregate%s", (long long)count, count == 1 ? one : many);
}

static void add_parked(struct vf_buffer *out, const struct vf_status_row *row)
{
    add_state(out, row->aggregates[VF_ASIDE_PARKED], " is parked, as an event of its failed",
              "s are parked, as an event of theirs failed");
    vf_buffer_add_text(out, "; `viewfold parked list` says why");
}

static void add_gaps(struct vf_buffer *out, int64_t count)
{
    add_state(out, count, " waits for a number that is missing", "s wait for numbers that are missing");
    vf_buffer_add_text(out, "; `viewfold parked list` says which");
}

static void add_aside_lines(struct vf_buffer *out, bool color, const struct vf_status_row *row)
{
    struct vf_buffer text;
    vf_buffer_init(&text);
    if (row->aggregates[VF_ASIDE_PARKED] > 0) {
        add_parked(&text, row);
        vf_buffer_add_text(out, "  ");
        vf_output_add(out, color, VF_COLOR_RED, text.data);
        vf_buffer_add_char(out, '\n');
        vf_buffer_clear(&text);
    }
    if (row->aggregates[VF_ASIDE_GAP] > 0) {
        add_gaps(&text, row->aggregates[VF_ASIDE_GAP]);
        vf_buffer_add_text(out, "  ");
        vf_output_add(out, color, row->gaps_lasting > 0 ? VF_COLOR_RED : VF_COLOR_YELLOW, text.data);
        vf_buffer_add_char(out, '\n');
    }
    if (row->aggregates[VF_ASIDE_HELD] > 0) {
        vf_buffer_add_text(out, "  ");
        add_state(out, row->aggregates[VF_ASIDE_HELD], " is held, until its link is known",
                  "s are held, until their link is known");
        vf_buffer_add_char(out, '\n');
    }
    if (row->aside > 0) {
        vf_buffer_printf(out, "  %lld event%s set aside in all\n", (long long)row->aside,
                         row->aside == 1 ? " is" : "s are");
    }
    if (row->draining > 0) {
        vf_buffer_printf(out,
                         "  of %zu aggregates the events need not wait any more, and are not taken in yet: if that "
                         "stays so, the log of `viewfold run` says what fails\n",
                         row->draining);
    }
    vf_buffer_done(&text);
}

static void add_rebuilding_line(struct vf_buffer *out, const struct vf_status_row *row)
{
    if (row->rebuilding.partitions > 0) {
        vf_buffer_add_text(out, "  ");
        vf_rebuilding_print(&row->rebuilding, out);
        vf_buffer_add_char(out, '\n');
    }
}

static void add_unread_line(struct vf_buffer *out, bool color, const struct vf_status_row *row)
{
    struct vf_buffer text;
    if (!row->unread) {
        return;
    }
    vf_buffer_init(&text);
    add_unread(&text, row);
    vf_buffer_add_text(out, "  ");
    vf_output_add(out, color, VF_COLOR_RED, text.data);
    vf_buffer_add_char(out, '\n');
    vf_buffer_done(&text);
}

static void add_registered_line(struct vf_buffer *out, const struct vf_status_row *row)
{
    const struct vf_adoption *adoption = row->registered ? vf_adoption_last(row->registered) : NULL;
    if (is_dropped(row) && strcmp(row->registered->state, VF_GENERATION_DROPPED) == 0) {
        char when[VF_TIME_TEXT_BYTES];
        vf_time_print(when, row->registered->created_ms);
        vf_buffer_printf(out, "  dropped %s: the next `viewfold run` builds it from the log's beginning\n", when);
    } else if (is_dropped(row)) {
        vf_buffer_printf(out, "  is being dropped; if that was interrupted: viewfold generations drop %s\n",
                         row->entry->view);
    } else if (adoption) {
        vf_buffer_add_text(out, "  ");
        vf_adoption_print(adoption, out);
        vf_buffer_add_char(out, '\n');
    }
}

static int widest(const struct vf_status_row *rows, size_t count, const char *title, bool store)
{
    size_t width = strlen(title);
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(store ? rows[i].entry->store->name : name_of(&rows[i]));
        width = size > width ? size : width;
    }
    return (int)width;
}

void vf_status_print_table(const struct vf_status_row *rows, size_t count, bool color, bool all, struct vf_buffer *out)
{
    int view_width = widest(rows, count, "view", false);
    int store_width = widest(rows, count, "store", true);
    struct vf_buffer head;
    vf_buffer_init(&head);
    vf_buffer_printf(&head, "%-*s  %-*s  gen  %-10s  %7s  %10s  %10s", view_width, "view", store_width, "store",
                     "state", "members", "partitions", "lag");
    vf_output_add(out, color, VF_COLOR_DIM, head.data);
    vf_buffer_done(&head);
    vf_buffer_add_char(out, '\n');
    for (size_t i = 0; i < count; i++) {
        const struct vf_status_row *row = &rows[i];
        char members[32] = "?";
        char lag[32] = "?";
        char generation[16] = "-";
        char state[16];
        int64_t sum = 0;
        snprintf(state, sizeof state, "%-10s", row->state);
        if (row->kafka_known) {
            snprintf(members, sizeof members, "%zu", row->members);
        }
        if (sum_lag(row, &sum)) {
            snprintf(lag, sizeof lag, "%lld", (long long)sum);
        }
        if (row->generation > 0) {
            snprintf(generation, sizeof generation, "%d", (int)row->generation);
        }
        vf_buffer_printf(out, "%-*s  %-*s  %3s  ", view_width, name_of(row), store_width, row->entry->store->name,
                         generation);
        vf_output_add(out, color, color_of(row->state), state);
        vf_buffer_printf(out, "  %7s  %10zu  %10s\n", members, row->partition_count, lag);
        if (row->kafka_known && vf_status_idle(row) > 0) {
            vf_buffer_printf(out, "  %zu idle: more members than partitions\n", vf_status_idle(row));
        }
        if (row->held_up) {
            vf_buffer_printf(out, "  %s\n", row->held_up);
        }
        add_rebuilding_line(out, row);
        add_aside_lines(out, color, row);
        add_unread_line(out, color, row);
        add_registered_line(out, row);
        for (size_t p = 0; p < row->partition_count; p++) {
            const struct vf_status_partition *partition = &row->partitions[p];
            if (all || partition->stopped || !partition->lag_known || partition->lag > 0) {
                add_partition_line(out, color, row->store_known, partition);
            }
        }
    }
}

/* --- --check ------------------------------------------------------------------------------------------------------ */

void vf_status_check(const struct vf_status_row *rows, size_t count, int64_t lag_max, struct vf_buffer *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct vf_status_row *row = &rows[i];
        const char *view = name_of(row);
        const char *store = row->entry->store->name;
        bool said = false, lags = row->unread;
        if (row->unread) {
            vf_buffer_printf(out, "%s in %s: ", view, store);
            add_unread(out, row);
            vf_buffer_add_char(out, '\n');
        }
        for (size_t p = 0; p < row->partition_count; p++) {
            const struct vf_status_partition *partition = &row->partitions[p];
            const char *topic = partition->partition.topic;
            int number = (int)partition->partition.partition;
            lags |= !partition->lag_known || partition->lag > 0;
            if (partition->stopped) {
                vf_buffer_printf(out, "%s in %s: %s/%d ", view, store, topic, number);
                add_why(out, partition);
                vf_buffer_add_char(out, '\n');
                said = true;
            } else if (!row->unread && (!partition->lag_known || partition->lag > lag_max)) {
                vf_buffer_printf(out, "%s in %s: %s/%d ", view, store, topic, number);
                if (partition->lag_known) {
                    vf_buffer_printf(out, "lags %lld behind, %lld allowed%s\n", (long long)partition->lag,
                                     (long long)lag_max,
                                     vf_progress_is_rebuilding(&partition->progress) ? ": it is being rebuilt" : "");
                } else {
                    vf_buffer_add_text(out, "lags nobody knows how far\n");
                }
            }
        }
        if (row->held_up && lags) { /* else it may be another view's */
            vf_buffer_printf(out, "%s in %s: %s\n", view, store, row->held_up);
        }
        if (row->aggregates[VF_ASIDE_PARKED] > 0) {
            vf_buffer_printf(out, "%s in %s: ", view, store);
            add_parked(out, row);
            vf_buffer_add_char(out, '\n');
        }
        if (row->gaps_lasting > 0) {
            vf_buffer_printf(out, "%s in %s: ", view, store);
            add_gaps(out, row->gaps_lasting);
            vf_buffer_add_char(out, '\n');
        }
        if (is_dropped(row)) {
            vf_buffer_printf(out, "%s in %s: was dropped, and is not built again yet\n", view, store);
        } else if (strcmp(row->state, "stopped") == 0 && !said) {
            vf_buffer_printf(out, "%s in %s: no worker runs\n", view, store);
        } else if (strcmp(row->state, "waiting") == 0) {
            vf_buffer_printf(out, "%s in %s: a server could not be asked\n", view, store);
        }
    }
}
