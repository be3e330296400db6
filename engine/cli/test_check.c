#include "cli/test_check.h"

#include "cli/test_order.h"

#include "cli/suggest.h"

#include <stdlib.h>

static const char stateless[] =
    "A view must not depend on how its events are delivered. Handlers attach a table in one place only, as each place has its "
    "own copy from the next batch on, and keep no state outside `doc`. If the script does neither, this is a fault of "
    "viewfold: report it with this test.";

struct check {
    struct vf_test_subject *subject;
    const struct vf_test_case *test;
    struct vf_arena *arena;
    struct vf_arena *scratch; /* of one run */
    size_t *order;            /* as given */
    struct vf_test_result plain;
    struct vf_test_outcome *outcome;
    struct vf_error *error;
};

static struct vf_test_failure *fail(struct check *check, enum vf_test_failure_kind kind, const char *what)
{
    struct vf_test_failure *failure = vf_arena_calloc(check->arena, 1, sizeof *failure);
    failure->kind = kind;
    failure->what = what;
    check->outcome->failure = failure;
    return failure;
}

static void add_error(struct check *check, const struct vf_test_result *result, struct vf_test_failure *failure)
{
    failure->error = vf_arena_copy(check->arena, vf_bytes_from(result->error)).data;
    failure->event = result->failed_event == SIZE_MAX ? NULL : &check->test->events[result->failed_event];
}

/* An event type that no handler has, but nearly: the author's slip, more often than not. NULL: there is none. */
static const char *find_slip(struct check *check)
{
    const struct vf_projection *projection = check->subject->projection;
    for (size_t i = 0; i < check->test->event_count; i++) {
        const struct vf_test_event *event = &check->test->events[i];
        const char *near = NULL;
        bool handled = false;
        for (size_t h = 0; h < projection->handler_count; h++) {
            const struct vf_handler *handler = &projection->handlers[h];
            if (!handler->kind || vf_bytes_is(event->kind, handler->kind)) {
                handled = handled || strcmp(handler->type, event->type) == 0;
                vf_suggest_offer(event->type, handler->type, &near);
            }
        }
        for (size_t u = 0; u < projection->upcast_count; u++) { /* it becomes another type, which may have one */
            handled = handled || strcmp(projection->upcast_types[u], event->type) == 0;
        }
        if (!handled && near) {
            return vf_arena_printf(check->arena, "There is no handler for %s (%s:%d); did you mean %s?", event->type,
                                   check->test->path, (int)event->place.line, near)
                .data;
        }
    }
    return NULL;
}

static bool is_listed(const struct vf_projection *projection, struct vf_bytes kind)
{
    for (size_t i = 0; i < projection->route_count; i++) {
        if (vf_bytes_is(kind, projection->routes[i].kind)) {
            return true;
        }
    }
    return false;
}

/* Where no event at all is for the view, it is another projection's test, or its `key` lacks a kind. NULL: there is one. */
static const char *find_strangers(struct check *check)
{
    const struct vf_projection *projection = check->subject->projection;
    struct vf_buffer kinds;
    for (size_t i = 0; i < check->test->event_count; i++) {
        if (is_listed(projection, check->test->events[i].kind)) {
            return NULL;
        }
    }
    vf_buffer_init(&kinds);
    for (size_t i = 0; i < projection->route_count; i++) {
        vf_buffer_printf(&kinds, "%s%s", i ? ", " : "", projection->routes[i].kind);
    }
    const char *advice =
        vf_arena_printf(check->arena,
                        "None of these events is for this view: the `key` of %s lists the kinds %s. Is "
                        "this another projection's test?",
                        projection->name, kinds.size ? kinds.data : "(none)")
            .data;
    vf_buffer_done(&kinds);
    return check->test->event_count > 0 ? advice : NULL;
}

/* --- the given order, in one batch -------------------------------------------------------------------------------- */

static const char sequences[] =
    "In a test integer versions are 1, 2, 3 and so on without holes, whatever integers the topic has. An event that is given "
    "twice, with one number, is a repeat.";

static enum vf_code run_plain(struct check *check)
{
    struct vf_test_plan plan = {.order = check->order, .count = check->test->event_count, .record = true};
    enum vf_code code = vf_test_run(check->subject, check->test, &plan, check->arena, &check->plain, check->error);
    if (code != VF_OK) {
        return code;
    }
    if (check->plain.error) {
        struct vf_test_failure *failure = fail(check, VF_TEST_NOT_TAKEN, "an event cannot be taken in");
        add_error(check, &check->plain, failure);
        /* The message is the one of `run`, and speaks of the topic's numbers. */
        failure->advice = strstr(failure->error, ": a gap: ") ? sequences : NULL;
        return VF_OK;
    }
    struct vf_test_differences differences;
    vf_test_diff_expected(check->test, &check->plain, check->arena, &differences);
    if (differences.count > 0) {
        struct vf_test_failure *failure = fail(check, VF_TEST_UNEXPECTED, "the view is not the expected one");
        failure->differences = differences;
        failure->left_label = "expected";
        failure->right_label = "got";
        failure->advice = find_strangers(check);
        failure->advice = failure->advice ? failure->advice : find_slip(check);
        failure->advice = failure->advice ? failure->advice : check->plain.held;
    }
    return VF_OK;
}

/* --- other ways of delivering the same ---------------------------------------------------------------------------- */

/* Runs it so, and compares. `label` names the way in a difference, `what` says what is wrong with it. */
static enum vf_code run_variant(struct check *check, struct vf_test_plan plan, const char *label, const char *what)
{
    struct vf_test_result result;
    plan.order = check->order;
    plan.count = check->test->event_count;
    vf_arena_reset(check->scratch);
    enum vf_code code = vf_test_run(check->subject, check->test, &plan, check->scratch, &result, check->error);
    if (code != VF_OK || vf_test_result_equal(&result, &check->plain)) {
        return code;
    }
    struct vf_test_failure *failure =
        fail(check, VF_TEST_UNSTABLE, vf_arena_printf(check->arena, "the view is another one %s", what).data);
    failure->left_label = "in one batch";
    failure->right_label = label;
    failure->advice = stateless;
    if (result.error) {
        add_error(check, &result, failure);
    } else {
        vf_test_diff_results(&check->plain, &result, check->arena, &failure->differences);
    }
    return VF_OK;
}

/* Where no version is kept, repeats are counted again: that is what the author has asked for. */
static enum vf_code run_repeats(struct check *check)
{
    if (check->subject->projection->versions == VF_VERSIONS_NONE) {
        return VF_OK;
    }
    enum vf_code code =
        run_variant(check, (struct vf_test_plan){.repeat_each = true}, "each twice", "when every event comes twice");
    if (code == VF_OK && !check->outcome->failure) {
        code = run_variant(check, (struct vf_test_plan){.repeat_all = true}, "all again",
                           "when all events come again behind the last one");
    }
    return code;
}

static enum vf_code run_break_at(struct check *check, enum vf_test_break kind, size_t at, const char *label,
                                 const char *what)
{
    const struct vf_test_event *event = &check->test->events[check->order[at - 1]];
    struct vf_test_plan plan = {.kind = kind, .at = at};
    const char *where = vf_arena_printf(check->scratch, "%s behind %s (%s:%d)", what, event->notation,
                                        check->test->path, (int)event->place.line)
                            .data;
    char *kept = vf_strdup(where); /* the run forgets the scratch */
    enum vf_code code = run_variant(check, plan, label, kept);
    free(kept);
    return code;
}

/* As many as deliver `events` events in all, within limits. */
static size_t few_for(const struct vf_test_case *test, size_t events, size_t least, size_t most)
{
    size_t few = test->event_count ? events / test->event_count : most;
    return few < least ? least : few > most ? most : few;
}

/* A break behind each event by itself, then behind all of them in one run. */
static enum vf_code run_breaks(struct check *check, enum vf_test_break kind, const char *label, const char *what)
{
    size_t places = check->test->event_count ? check->test->event_count - 1 : 0;
    size_t most = few_for(check->test, VF_TEST_POINTS_EVENTS, VF_TEST_POINTS_MIN, VF_TEST_POINTS_MAX);
    size_t points = places < most ? places : most;
    enum vf_code code = VF_OK;
    for (size_t i = 0; code == VF_OK && !check->outcome->failure && i < points; i++) {
        code = run_break_at(check, kind, 1 + i * places / points, label, what);
    }
    if (code == VF_OK && !check->outcome->failure && points > 1) {
        struct vf_test_plan plan = {.kind = kind, .at = VF_TEST_EVERYWHERE};
        char *everywhere = vf_strdup(vf_arena_printf(check->scratch, "%s behind every event", what).data);
        code = run_variant(check, plan, label, everywhere);
        free(everywhere);
    }
    return code;
}

static enum vf_code run_variants(struct check *check)
{
    static const struct {
        enum vf_test_break kind;
        const char *label, *what;
    } breaks[] = {
        {VF_TEST_CUT, "in two batches", "when a batch ends"},
        {VF_TEST_COLD, "read again", "when documents are read again from the store"},
        {VF_TEST_RESTART, "restarted", "when a worker is restarted"},
    };
    enum vf_code code = run_repeats(check);
    for (size_t i = 0; code == VF_OK && !check->outcome->failure && i < sizeof breaks / sizeof breaks[0]; i++) {
        code = run_breaks(check, breaks[i].kind, breaks[i].label, breaks[i].what);
    }
    return code;
}

enum vf_code vf_test_check(struct vf_test_subject *subject, const struct vf_test_case *test, int64_t interleavings,
                           struct vf_arena *arena, struct vf_test_outcome *ret_outcome, struct vf_error *error)
{
    struct vf_test_outcome outcome = {0};
    struct check check = {.subject = subject,
                          .test = test,
                          .arena = arena,
                          .scratch = vf_arena_new(),
                          .order = vf_arena_alloc(arena, (test->event_count + 1) * sizeof(size_t)),
                          .outcome = &outcome,
                          .error = error};
    size_t before = subject->runs;
    for (size_t i = 0; i < test->event_count; i++) {
        check.order[i] = i;
    }
    vf_test_watch_forget_lines(&subject->watch);
    enum vf_code code = run_plain(&check);
    if (code == VF_OK && !outcome.failure) {
        code = run_variants(&check);
    }
    if (code == VF_OK && !outcome.failure) {
        int64_t orders = interleavings == VF_TEST_ORDERS_UNSAID
                             ? (int64_t)few_for(test, VF_TEST_ORDERS_EVENTS, VF_TEST_ORDERS_MIN, VF_TEST_ORDERS_MAX)
                             : interleavings;
        code = vf_test_order_check(subject, test, &check.plain, orders, arena, &outcome, error);
    }
    vf_arena_free(check.scratch);
    outcome.runs = subject->runs - before;
    if (code == VF_OK) {
        *ret_outcome = outcome;
    }
    return code;
}
