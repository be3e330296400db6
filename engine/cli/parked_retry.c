/*
 * `viewfold parked retry` and `drop`. Aggregates are done one after the other, each to its end; what each has come to is printed
 * as it is done.
 */
#include "cli/parked.h"
#include "cli/parked_show.h"
#include "run/generation.h"
#include "run/retrying.h"
#include "run/supervisor.h"

#include <stdlib.h>
#include <unistd.h>

#define COUNTER_MS    200 /* between two looks of the counter on a terminal */
#define NAMED_AT_MOST 8   /* of many that would be dropped, so many are named */

/* One view while its aggregates are done. */
struct work {
    const struct vf_parked_target *target;
    struct vf_retrying *retrying; /* NULL: it could not be opened, or there is no such view */
};

struct retry {
    struct vf_parked *parked;
    enum vf_retry_deed deed;
    bool tries;                         /* --dry-run */
    bool all;                           /* --all or --error */
    struct vf_projection_entry at_hand; /* --script */
    const char *at_hand_name;           /* the projection that it is; NULL: no --script */
    struct work *works;
    bool *found; /* of each argument: something is set aside somewhere */
    struct vf_buffer out;
    bool unread; /* nobody reads any more */
    bool ended;  /* a store has failed */

    /* What it all has come to. */
    int64_t released, parked_still, gone, waiting, taken, dropped, given_up;
    int64_t total; /* how many that will be, where it is known; else 0 */
    bool counter_shown;
    int64_t counter_next_ms;
};

/* --- opening ------------------------------------------------------------------------------------------------------ */

/* --script: its folder, its name, and the projection that it says it is. */
static enum vf_code read_script(struct retry *retry, struct vf_error *error)
{
    struct vf_parked *parked = retry->parked;
    const char *path = vf_options_text(parked->cli->options, "script");
    const struct vf_projector_type *type = parked->cli->registry->projector;
    if (!path) {
        return VF_OK;
    }
    const char *slash = strrchr(path, '/');
    size_t folder = slash ? (size_t)(slash - path) : 0;
    retry->at_hand.script = path;
    retry->at_hand.script_name = slash ? slash + 1 : path;
    retry->at_hand.script_folder = !slash ? "." : folder > 0 ? vf_arena_bytes(parked->arena, path, folder).data : "/";
    struct vf_projector_limits limits = vf_projector_limits_of(parked->config);
    struct vf_projector *projector = NULL;
    struct vf_generation ignored;
    enum vf_code code = vf_generation_propose(&retry->at_hand, type, &limits, 0, &projector, &ignored, error);
    if (code != VF_OK) {
        return code;
    }
    const char *name = type->describe(projector)->name;
    retry->at_hand_name = vf_arena_bytes(parked->arena, name, strlen(name)).data;
    type->close(projector);
    return VF_OK;
}

static bool is_for(const struct retry *retry, const struct vf_parked_target *target)
{
    return !retry->at_hand_name || !target->entry || strcmp(target->entry->projection, retry->at_hand_name) == 0;
}

static void open_work(struct retry *retry, struct work *work)
{
    struct vf_parked *parked = retry->parked;
    const struct vf_registry *registry = parked->cli->registry;
    struct vf_error error;
    const struct vf_retrying_setup setup = {
        .config = parked->config,
        .clock = registry->clock,
        .projector_type = registry->projector,
        .store_type = vf_cli_store_type(parked->cli, work->target->store->type),
        .store = work->target->store,
        .view = work->target->view,
        .at_hand = retry->at_hand_name ? &retry->at_hand : NULL,
        .only_parked = retry->all,
    };
    enum vf_code code = vf_retrying_open(&setup, &work->retrying, &error);
    if (code == VF_OK) {
        return;
    }
    work->retrying = NULL;
    if (code != VF_E_NOT_FOUND) { /* a view that is not begun yet has nothing set aside */
        vf_parked_fail(parked, work->target, &error);
    }
}

static enum vf_code open_works(struct retry *retry, struct vf_error *error)
{
    struct vf_parked *parked = retry->parked;
    size_t count = 0;
    retry->works = vf_arena_calloc(parked->arena, parked->target_count, sizeof *retry->works);
    retry->found = vf_arena_calloc(parked->arena, parked->aggregate_count, sizeof *retry->found);
    enum vf_code code = read_script(retry, error);
    for (size_t i = 0; code == VF_OK && i < parked->target_count; i++) {
        retry->works[i].target = &parked->targets[i];
        if (is_for(retry, retry->works[i].target)) {
            open_work(retry, &retry->works[i]);
            count++;
        }
    }
    if (code == VF_OK && count == 0 && retry->at_hand_name) {
        return vf_fail(error, VF_E_NOT_FOUND, "%s is the projection %s, which is none of those that are meant",
                       retry->at_hand.script, retry->at_hand_name);
    }
    return code;
}

static void close_works(struct retry *retry)
{
    for (size_t i = 0; retry->works && i < retry->parked->target_count; i++) {
        vf_retrying_close(retry->works[i].retrying);
    }
}

/* --- one aggregate ------------------------------------------------------------------------------------------------ */

/* On a terminal: how far it is. */
static void count(struct retry *retry)
{
    const struct vf_cli *cli = retry->parked->cli;
    const struct vf_clock *clock = cli->registry->clock;
    int fd = fileno(cli->err);
    int64_t now_ms = clock->monotonic_ms(clock->self);
    if (!retry->all || cli->quiet || fd < 0 || !isatty(fd) || now_ms < retry->counter_next_ms) {
        return;
    }
    retry->counter_shown = true;
    retry->counter_next_ms = now_ms + COUNTER_MS;
    int64_t done = retry->released + retry->parked_still + retry->gone + retry->waiting;
    fprintf(cli->err, "\r%lld", (long long)done);
    if (retry->total >= done) {
        fprintf(cli->err, " of %lld", (long long)retry->total);
    }
    fprintf(cli->err, " aggregates done, %lld parked still", (long long)retry->parked_still);
    fflush(cli->err);
}

static void end_counter(struct retry *retry)
{
    if (retry->counter_shown) {
        fputs("\r\033[K", retry->parked->cli->err); /* to the line's beginning, the line cleared */
        fflush(retry->parked->cli->err);
    }
    retry->counter_shown = false;
}

static void add_up(struct retry *retry, const struct vf_retried *retried)
{
    bool done = retried->taken > 0 || retried->dropped > 0 || retried->given_up > 0;
    retry->taken += retried->taken;
    retry->dropped += retried->dropped;
    retry->given_up += retried->given_up;
    switch (retried->state) {
    case VF_RETRIED_RELEASED: retry->released++; break;
    case VF_RETRIED_GONE: retry->gone++; break;
    case VF_RETRIED_PARKED:
        retry->parked_still++;
        vf_parked_find(retry->parked, 1);
        break;
    case VF_RETRIED_GAP:
    case VF_RETRIED_HELD:
        retry->waiting++;
        if (!done) {
            vf_parked_find(retry->parked, vf_code_exit_status(VF_E_TIMEOUT));
        }
        break;
    }
    if (retried->drop_missed) {
        vf_parked_find(retry->parked, vf_code_exit_status(VF_E_TIMEOUT));
    }
}

/* What is not as it should be is always said, the rest where it was asked for by name. */
static bool is_told(const struct retry *retry, const struct vf_retried *retried)
{
    const struct vf_cli *cli = retry->parked->cli;
    return cli->json || !retry->all || cli->verbose || retry->tries || retried->state == VF_RETRIED_PARKED ||
           retried->drop_missed;
}

static enum vf_code tell(struct retry *retry, const struct work *work, struct vf_bytes aggregate,
                         const struct vf_retried *retried, struct vf_error *error)
{
    struct vf_parked *parked = retry->parked;
    int32_t generation = vf_retrying_generation(work->retrying)->number;
    struct vf_arena *arena = vf_arena_new();
    struct vf_parked_event event;
    const struct vf_parked_event *first = NULL;
    enum vf_code code = VF_OK;
    if (retried->state == VF_RETRIED_PARKED && retried->has_first) {
        vf_parked_read(parked, work->target, &retried->first, arena, &event);
        first = &event;
    }
    if (parked->cli->json) {
        code = vf_parked_print_retried_json(work->target, generation, aggregate, retried, first, retry->tries,
                                            &retry->out, error);
        vf_buffer_add_char(&retry->out, '\n');
    } else {
        vf_parked_print_retried(work->target, generation, aggregate, retried, first, retry->tries, parked->cli->color,
                                &retry->out);
        if (retry->tries && retried->taken > 0) {
            vf_parked_print_changes(retried, parked->cli->color, &retry->out);
        }
    }
    end_counter(retry);
    if (code == VF_OK) {
        retry->unread = !vf_parked_print(parked, &retry->out);
        fflush(parked->cli->out);
    }
    vf_buffer_clear(&retry->out);
    vf_arena_free(arena);
    return code;
}

static void do_aggregate(struct retry *retry, struct work *work, struct vf_bytes aggregate)
{
    struct vf_retried retried;
    struct vf_error error;
    enum vf_code code = retry->tries ? vf_retrying_rehearse(work->retrying, aggregate, &retried, &error)
                                     : vf_retrying_run(work->retrying, retry->deed, aggregate, &retried, &error);
    if (code == VF_OK) {
        add_up(retry, &retried);
        if (is_told(retry, &retried)) {
            code = tell(retry, work, aggregate, &retried, &error);
        }
        count(retry);
    }
    if (code != VF_OK) {
        end_counter(retry);
        retry->ended |= code != VF_E_TIMEOUT && code != VF_E_DATA; /* the others may come through */
        vf_parked_fail(retry->parked, work->target, &error);
    }
}

/* --- all that are meant ------------------------------------------------------------------------------------------- */

static bool goes_on(const struct retry *retry)
{
    return !retry->unread && !retry->ended;
}

static bool is_aside(const struct vf_aggregate *record)
{
    return record->exists && record->state != VF_ASIDE_NONE;
}

/* Those that are parked, page by page. */
static void do_parked(struct retry *retry, struct work *work)
{
    struct vf_arena *arena = vf_arena_new();
    struct vf_buffer after;
    struct vf_error error;
    size_t count = 1;
    enum vf_code code = VF_OK;
    vf_buffer_init(&after);
    while (code == VF_OK && count > 0 && goes_on(retry)) {
        struct vf_bytes *aggregates;
        vf_arena_reset(arena);
        code = vf_retrying_parked(work->retrying, vf_bytes(after.data, after.size), arena, &aggregates, &count, &error);
        for (size_t i = 0; code == VF_OK && i < count && goes_on(retry); i++) {
            struct vf_aggregate record = {0};
            if (retry->parked->error) {
                code = vf_retrying_load(work->retrying, aggregates[i], arena, &record, &error);
            }
            if (code == VF_OK && (!retry->parked->error || vf_parked_has_error(&record, retry->parked->error))) {
                do_aggregate(retry, work, aggregates[i]);
            }
        }
        if (code == VF_OK && count > 0) {
            vf_buffer_clear(&after);
            vf_buffer_add_bytes(&after, aggregates[count - 1]);
        }
    }
    if (code != VF_OK) {
        vf_parked_fail(retry->parked, work->target, &error);
    }
    vf_buffer_done(&after);
    vf_arena_free(arena);
}

/* Those that the arguments name. */
static void do_named(struct retry *retry, struct work *work)
{
    const struct vf_parked *parked = retry->parked;
    struct vf_arena *arena = vf_arena_new();
    for (size_t i = 0; i < parked->aggregate_count && goes_on(retry); i++) {
        struct vf_bytes aggregate = vf_bytes_from(parked->aggregates[i]);
        struct vf_aggregate record = {0};
        struct vf_error error;
        vf_arena_reset(arena);
        if (vf_retrying_load(work->retrying, aggregate, arena, &record, &error) != VF_OK) {
            vf_parked_fail(retry->parked, work->target, &error);
            retry->ended = true;
        } else if (is_aside(&record)) {
            retry->found[i] = true;
            do_aggregate(retry, work, aggregate);
        }
    }
    vf_arena_free(arena);
}

static void say_missing(struct retry *retry)
{
    struct vf_parked *parked = retry->parked;
    for (size_t i = 0; i < parked->aggregate_count && !retry->ended; i++) {
        struct vf_error error;
        if (!retry->found[i]) {
            vf_fail(&error, VF_E_NOT_FOUND, "nothing of %s is set aside", parked->aggregates[i]);
            int status = vf_cli_fail(parked->cli, &error);
            parked->status = parked->status == 0 ? status : parked->status;
        }
    }
}

static void sum_up(struct retry *retry)
{
    struct vf_parked *parked = retry->parked;
    int64_t done = retry->released + retry->parked_still + retry->gone + retry->waiting;
    if (parked->cli->json || (!retry->all && done < 2)) {
        return;
    }
    const char *would = retry->tries ? "would be " : "";
    vf_buffer_printf(&retry->out, "%lld %sreleased, %lld %sparked%s", (long long)retry->released, would,
                     (long long)retry->parked_still, would, retry->tries ? "" : " still");
    if (retry->waiting > 0) {
        vf_buffer_printf(&retry->out, ", %lld behind a gap or held", (long long)retry->waiting);
    }
    if (retry->gone > 0) {
        vf_buffer_printf(&retry->out, ", %lld gone meanwhile", (long long)retry->gone);
    }
    vf_buffer_printf(&retry->out, "; %lld event%s %staken in", (long long)retry->taken, retry->taken == 1 ? "" : "s",
                     would);
    if (retry->dropped > 0) {
        vf_buffer_printf(&retry->out, ", %lld left out for good", (long long)retry->dropped);
    }
    if (retry->given_up > 0) {
        vf_buffer_printf(&retry->out, ", %lld missing numbers given up for good", (long long)retry->given_up);
    }
    vf_buffer_add_char(&retry->out, '\n');
    vf_parked_print(parked, &retry->out);
}

/* For the counter, and for nothing else. */
static void count_total(struct retry *retry)
{
    for (size_t i = 0; retry->all && !retry->parked->error && i < retry->parked->target_count; i++) {
        struct vf_error ignored;
        int64_t count = 0;
        if (retry->works[i].retrying && vf_retrying_count(retry->works[i].retrying, &count, &ignored) == VF_OK) {
            retry->total += count;
        }
    }
}

static void do_all(struct retry *retry)
{
    count_total(retry);
    for (size_t i = 0; i < retry->parked->target_count; i++) {
        struct work *work = &retry->works[i];
        retry->ended = false; /* another store is another matter */
        if (work->retrying && retry->all) {
            do_parked(retry, work);
        } else if (work->retrying) {
            do_named(retry, work);
        }
    }
    end_counter(retry);
    vf_parked_say_unread(retry->parked, "left as it is");
    say_missing(retry);
    sum_up(retry);
}

void vf_parked_retry(struct vf_parked *parked)
{
    const struct vf_options *options = parked->cli->options;
    struct retry retry = {.parked = parked,
                          .deed = VF_RETRY,
                          .tries = vf_options_has(options, "dry-run"),
                          .all = parked->error || vf_options_has(options, "all")};
    struct vf_error error;
    vf_buffer_init(&retry.out);
    if (open_works(&retry, &error) != VF_OK) {
        parked->status = vf_cli_fail(parked->cli, &error);
    } else {
        do_all(&retry);
    }
    close_works(&retry);
    vf_buffer_done(&retry.out);
}

/* --- drop --------------------------------------------------------------------------------------------------------- */

/* What would be left out, of one aggregate; appended. *count says how many it is by now. */
static enum vf_code name_victim(struct retry *retry, struct work *work, const char *name, size_t *number,
                                struct vf_buffer *what, struct vf_error *error)
{
    struct vf_arena *arena = vf_arena_new();
    struct vf_aggregate record = {0};
    struct vf_aside first;
    struct vf_parked_event event;
    bool there = false;
    enum vf_code code = vf_retrying_load(work->retrying, vf_bytes_from(name), arena, &record, error);
    if (code == VF_OK && is_aside(&record)) {
        code = vf_retrying_first(work->retrying, &record, arena, &there, &first, error);
        if (code == VF_OK && (*number)++ < NAMED_AT_MOST) {
            vf_buffer_add_text(what, *number > 1 ? "; " : "");
            if (record.parked && there) {
                vf_parked_read(retry->parked, work->target, &first, arena, &event);
                vf_parked_print_place(&event, what);
            } else if (record.state == VF_ASIDE_GAP) {
                vf_buffer_printf(what, "what is missing of %s before number %lld", name,
                                 (long long)vf_early_number(record.early_from));
            } else {
                int64_t own = record.waits_for.size > 0 ? 0 : record.aside_to - record.aside_from;
                int64_t waiters = record.waiters_to - record.waiters_from;
                vf_buffer_printf(what, "%lld events that wait for the link of %s", (long long)(own + waiters), name);
                *number += own + waiters > 1; /* several at once */
            }
            vf_buffer_printf(what, " (%s in %s)", work->target->view, work->target->store->name);
        }
    }
    vf_arena_free(arena);
    return code;
}

/* What is left out stays left out. One event that was named is what was meant; more than that is asked for twice. */
static enum vf_code confirm(struct retry *retry, struct vf_error *error)
{
    struct vf_parked *parked = retry->parked;
    struct vf_buffer what;
    size_t number = 0;
    enum vf_code code = VF_OK;
    if (vf_options_has(parked->cli->options, "yes")) {
        return VF_OK;
    }
    vf_buffer_init(&what);
    if (retry->all) {
        number = 2;
        vf_buffer_printf(&what, "the event that failed of every aggregate that is parked%s%s%s",
                         parked->error ? " with \"" : "", parked->error ? parked->error : "",
                         parked->error ? "\"" : "");
    }
    for (size_t i = 0; i < parked->target_count && !retry->all; i++) {
        for (size_t j = 0; code == VF_OK && retry->works[i].retrying && j < parked->aggregate_count; j++) {
            code = name_victim(retry, &retry->works[i], parked->aggregates[j], &number, &what, error);
        }
    }
    if (code == VF_OK && number > NAMED_AT_MOST && !retry->all) {
        vf_buffer_printf(&what, " and %zu more", number - NAMED_AT_MOST);
    }
    /* GUARD parked-yes: events are left out for good by a slip */
    if (code == VF_OK && number > 1) {
        code =
            vf_fail(error, VF_E_USAGE,
                    "this leaves out for good, and in every rebuild: %s. Nothing was done; if it is what you want, say "
                    "--yes",
                    what.data);
    }
    vf_buffer_done(&what);
    return code;
}

void vf_parked_drop(struct vf_parked *parked)
{
    struct retry retry = {
        .parked = parked, .deed = VF_DROP, .all = parked->error || vf_options_has(parked->cli->options, "all")};
    struct vf_error error;
    vf_buffer_init(&retry.out);
    if (open_works(&retry, &error) != VF_OK || confirm(&retry, &error) != VF_OK) {
        parked->status = vf_cli_fail(parked->cli, &error);
    } else {
        do_all(&retry);
    }
    close_works(&retry);
    vf_buffer_done(&retry.out);
}
