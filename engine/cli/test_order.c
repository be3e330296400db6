#include "cli/test_order.h"

#include <math.h>
#include <stdlib.h>

/* Runs that making a found pair smaller may cost. */
#define SHRINK_RUNS_MAX 400
/* Sums that differ by less than this part of them differ by rounding. */
#define ROUNDING 1e-9

static const char rounding[] =
    "The sums differ in their last digits only: floats that are added in another order are rounded otherwise. Keep amounts as "
    "integers (cents), which add up exactly.";

static const char advice[] =
    "Events of different aggregates come in no fixed order, so their handlers must give the same result in either. Keep what "
    "each aggregate says under a key of its own (doc.orders[e.id] = ...), add up instead of overwriting, or decide by what "
    "the events say (e.time), never by which came first.";

struct search {
    struct vf_test_subject *subject;
    const struct vf_test_case *test;
    const struct vf_test_result *plain;
    struct vf_arena *arena;
    struct vf_arena *scratch; /* of one comparison */
    struct vf_test_outcome *outcome;
    struct vf_error *error;
    enum vf_code code; /* of the run that went wrong by itself */
    uint64_t random;
};

static uint64_t draw(struct search *search, uint64_t limit)
{
    /* splitmix64: its constants are its definition. */
    uint64_t mixed = search->random += 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return (mixed ^ (mixed >> 31)) % limit;
}

static size_t aggregate_of(const struct search *search, size_t event)
{
    return search->test->events[event].aggregate;
}

/* Runs an order. False where a run could not be made: then everything ends. */
static bool run(struct search *search, const size_t *order, size_t count, struct vf_arena *arena,
                struct vf_test_result *ret_result)
{
    struct vf_test_plan plan = {.order = order, .count = count};
    search->code = vf_test_run(search->subject, search->test, &plan, arena, ret_result, search->error);
    return search->code == VF_OK;
}

/* Whether this order of all events gives another view than the given one. */
static bool differs(struct search *search, const size_t *order)
{
    struct vf_test_result result;
    vf_arena_reset(search->scratch);
    return run(search, order, search->test->event_count, search->scratch, &result) &&
           !vf_test_result_equal(&result, search->plain);
}

/* --- making it small ---------------------------------------------------------------------------------------------- */

/* Two orders that differ in an exchange of neighbours. */
struct pair {
    size_t *order;
    size_t count;
    size_t at;
    bool fails; /* at least one of them ends with an event that cannot be taken in */
};

static void exchange(size_t *order, size_t at)
{
    size_t kept = order[at];
    order[at] = order[at + 1];
    order[at + 1] = kept;
}

/* Runs both orders; whether they end differently, and in the way the pair is known for. */
static bool proves(struct search *search, const struct pair *pair)
{
    struct vf_test_result one, other;
    vf_arena_reset(search->scratch);
    if (!run(search, pair->order, pair->count, search->scratch, &one)) {
        return false;
    }
    exchange(pair->order, pair->at);
    bool ran = run(search, pair->order, pair->count, search->scratch, &other);
    exchange(pair->order, pair->at);
    return ran && !vf_test_result_equal(&one, &other) && pair->fails == (one.error || other.error);
}

/* Tries the pair without the events whose `drop` is set; keeps it so where it still proves the point. */
static bool try_without(struct search *search, struct pair *pair, const bool *drop)
{
    size_t *order = vf_alloc((pair->count + 1) * sizeof *order);
    struct pair smaller = {.order = order, .fails = pair->fails};
    for (size_t i = 0; i < pair->count; i++) {
        smaller.at += i < pair->at && !drop[i];
        if (!drop[i]) {
            order[smaller.count++] = pair->order[i];
        }
    }
    bool kept = smaller.count < pair->count && proves(search, &smaller);
    if (kept) {
        memcpy(pair->order, order, smaller.count * sizeof *order);
        pair->count = smaller.count;
        pair->at = smaller.at;
    }
    free(order);
    return kept;
}

/* Whether what is left of its aggregate can be without it: versions have no holes, but for those that are texts. */
static bool can_go(const struct search *search, const struct pair *pair, size_t index)
{
    if (search->test->events[pair->order[index]].numbers == VF_NUMBERS_ORDERED ||
        search->subject->projection->versions == VF_VERSIONS_NONE) {
        return true;
    }
    for (size_t i = index + 1; i < pair->count; i++) {
        if (aggregate_of(search, pair->order[i]) == aggregate_of(search, pair->order[index])) {
            return false;
        }
    }
    return true;
}

/* Takes other aggregates out, whole: half of them at a time, then fewer, as long as a try costs one run or two. */
static void drop_aggregates(struct search *search, struct pair *pair, bool *drop, size_t runs_end)
{
    size_t count = search->test->aggregate_count;
    size_t left = aggregate_of(search, pair->order[pair->at]), right = aggregate_of(search, pair->order[pair->at + 1]);
    for (size_t chunk = (count + 1) / 2; chunk > 0; chunk = chunk > 1 ? (chunk + 1) / 2 : 0) {
        for (size_t from = 0; from < count && search->code == VF_OK && search->subject->runs < runs_end;
             from += chunk) {
            bool any = false;
            for (size_t i = 0; i < pair->count; i++) {
                size_t aggregate = aggregate_of(search, pair->order[i]);
                drop[i] = aggregate >= from && aggregate < from + chunk && aggregate != left && aggregate != right;
                any = any || drop[i];
            }
            if (any) {
                try_without(search, pair, drop);
            }
        }
    }
}

/* Takes the last events of an aggregate that is needed: half of them, then fewer. */
static void drop_tail(struct search *search, struct pair *pair, bool *drop, size_t aggregate, size_t runs_end)
{
    for (size_t chunk = pair->count / 2; chunk > 0 && search->code == VF_OK && search->subject->runs < runs_end;) {
        size_t left = chunk;
        memset(drop, 0, pair->count * sizeof *drop);
        for (size_t i = pair->at; i > 0 && left > 0; i--) {
            drop[i - 1] = aggregate_of(search, pair->order[i - 1]) == aggregate;
            left -= drop[i - 1];
        }
        if (left > 0 || !try_without(search, pair, drop)) {
            chunk /= 2;
        }
    }
}

/* Takes out what is not needed: all that comes behind the pair, other aggregates, then single events from the end of their
 * aggregate. An aggregate loses its last events first: versions have no holes. */
static void shrink(struct search *search, struct pair *pair)
{
    size_t runs_end = search->subject->runs + SHRINK_RUNS_MAX;
    bool *drop = vf_calloc(pair->count + 1, sizeof *drop);
    for (size_t i = pair->at + 2; i < pair->count; i++) {
        drop[i] = true;
    }
    try_without(search, pair, drop);
    drop_aggregates(search, pair, drop, runs_end);
    for (size_t aggregate = 0; aggregate < search->test->aggregate_count; aggregate++) {
        if (aggregate != aggregate_of(search, pair->order[pair->at]) &&
            aggregate != aggregate_of(search, pair->order[pair->at + 1])) {
            drop_tail(search, pair, drop, aggregate, runs_end);
        }
    }
    for (bool again = true; again && search->code == VF_OK && search->subject->runs < runs_end;) {
        again = false;
        for (size_t i = pair->count; !again && i > 0 && search->subject->runs < runs_end; i--) {
            size_t index = i - 1;
            if (index == pair->at || index == pair->at + 1 || !can_go(search, pair, index)) {
                continue;
            }
            memset(drop, 0, pair->count * sizeof *drop);
            drop[index] = true;
            again = try_without(search, pair, drop);
        }
    }
    free(drop);
}

static const char *name_first(struct search *search, size_t event)
{
    return vf_arena_printf(search->arena, "%s first", search->test->events[event].notation).data;
}

/* Two printed floats that hardly differ. */
static bool is_rounding(const struct vf_test_difference *difference)
{
    char *left_end, *right_end;
    if (!difference->left || !difference->right || !strpbrk(difference->left, ".e")) {
        return false;
    }
    double left = strtod(difference->left, &left_end), right = strtod(difference->right, &right_end);
    return !*left_end && !*right_end && fabs(left - right) <= ROUNDING * fmax(fabs(left), fabs(right));
}

static const char *advise(const struct vf_test_differences *differences)
{
    for (size_t i = 0; i < differences->count; i++) {
        if (!is_rounding(&differences->all[i])) {
            return advice;
        }
    }
    return differences->count > 0 ? rounding : advice;
}

/* What the report tells of the pair. */
static void report(struct search *search, const struct pair *pair)
{
    struct vf_test_failure *failure = vf_arena_calloc(search->arena, 1, sizeof *failure);
    size_t *order = vf_arena_alloc(search->arena, pair->count * sizeof *order);
    struct vf_test_result one, other;
    memcpy(order, pair->order, pair->count * sizeof *order);
    *failure = (struct vf_test_failure){
        .kind = VF_TEST_UNORDERED,
        .what = "the result depends on the order of two events of different aggregates",
        .left_label = name_first(search, order[pair->at]),
        .right_label = name_first(search, order[pair->at + 1]),
        .advice = advice,
        .order = order,
        .order_count = pair->count,
        .pair = pair->at,
    };
    if (!run(search, order, pair->count, search->arena, &one)) {
        return;
    }
    exchange(pair->order, pair->at);
    if (!run(search, pair->order, pair->count, search->arena, &other)) {
        return;
    }
    const struct vf_test_result *failed = other.error ? &other : &one;
    if (failed->error) {
        failure->error = failed->error;
        failure->event = failed->failed_event == SIZE_MAX ? NULL : &search->test->events[failed->failed_event];
    }
    if (!failed->error) {
        vf_test_diff_results(&one, &other, search->arena, &failure->differences);
        failure->advice = advise(&failure->differences);
    }
    search->outcome->failure = failure;
}

static void prove(struct search *search, const size_t *order, size_t at)
{
    size_t count = search->test->event_count;
    struct pair pair = {.order = vf_alloc(count * sizeof *order), .count = count, .at = at};
    struct vf_test_result one, other;
    memcpy(pair.order, order, count * sizeof *order);
    vf_arena_reset(search->scratch);
    if (run(search, pair.order, count, search->scratch, &one)) {
        exchange(pair.order, at);
        if (run(search, pair.order, count, search->scratch, &other)) {
            exchange(pair.order, at);
            pair.fails = one.error || other.error;
            shrink(search, &pair);
            if (search->code == VF_OK) {
                report(search, &pair);
            }
        }
    }
    free(pair.order);
}

/* --- finding it --------------------------------------------------------------------------------------------------- */

/* `order` gives another view than the given one. On the way from the one to the other, by exchanges of neighbours, there is
 * a step that makes the difference. */
static void narrow(struct search *search, const size_t *order)
{
    size_t count = search->test->event_count, steps = 0;
    size_t *work = vf_alloc(count * sizeof *work);
    size_t *swaps = vf_alloc((count * count / 2 + 1) * sizeof *swaps);
    memcpy(work, order, count * sizeof *work);
    for (size_t pass = 0; pass < count; pass++) { /* events are numbered as given: sorting leads there */
        for (size_t i = 0; i + 1 < count; i++) {
            if (work[i] > work[i + 1]) {
                exchange(work, i);
                swaps[steps++] = i;
            }
        }
    }
    size_t low = 0, high = steps; /* after `low` steps it differs, after `high` it does not */
    while (high - low > 1 && search->code == VF_OK) {
        size_t middle = low + (high - low) / 2;
        memcpy(work, order, count * sizeof *work);
        for (size_t i = 0; i < middle; i++) {
            exchange(work, swaps[i]);
        }
        if (differs(search, work)) {
            low = middle;
        } else {
            high = middle;
        }
    }
    if (search->code == VF_OK) {
        memcpy(work, order, count * sizeof *work);
        for (size_t i = 0; i < high; i++) {
            exchange(work, swaps[i]);
        }
        prove(search, work, swaps[high - 1]);
    }
    free(swaps);
    free(work);
}

/* The order that a row of aggregates stands for: each place takes its aggregate's next event. */
static void fill_order(const struct search *search, const size_t *aggregates, size_t *ret_order)
{
    size_t count = search->test->event_count;
    size_t *next = vf_calloc(search->test->aggregate_count + 1, sizeof *next);
    for (size_t i = 0; i < count; i++) {
        size_t event = next[aggregates[i]];
        while (aggregate_of(search, event) != aggregates[i]) {
            event++;
        }
        ret_order[i] = event;
        next[aggregates[i]] = event + 1;
    }
    free(next);
}

/* How many orders there are, or `limit` + 1 where there are more than `limit`. */
static size_t count_orders(const struct search *search, size_t limit)
{
    size_t *sizes = vf_calloc(search->test->aggregate_count + 1, sizeof *sizes);
    uint64_t orders = 1;
    size_t placed = 0;
    for (size_t i = 0; i < search->test->event_count; i++) {
        sizes[aggregate_of(search, i)]++;
    }
    /* The product of binomials, one factor after the other: exact at every step. */
    for (size_t aggregate = 0; aggregate < search->test->aggregate_count && orders <= limit; aggregate++) {
        for (size_t i = 1; i <= sizes[aggregate] && orders <= limit; i++) {
            placed++;
            orders = orders * placed / i;
        }
    }
    free(sizes);
    return orders > limit ? limit + 1 : (size_t)orders;
}

/* The next row in lexicographic order; false behind the last. */
static bool next_row(size_t *row, size_t count)
{
    size_t i = count;
    while (i > 1 && row[i - 2] >= row[i - 1]) {
        i--;
    }
    if (i < 2) {
        return false;
    }
    size_t j = count - 1;
    while (row[j] <= row[i - 2]) {
        j--;
    }
    size_t kept = row[i - 2];
    row[i - 2] = row[j];
    row[j] = kept;
    for (size_t a = i - 1, b = count - 1; a < b; a++, b--) {
        kept = row[a];
        row[a] = row[b];
        row[b] = kept;
    }
    return true;
}

static int compare_sizes(const void *a, const void *b)
{
    size_t left = *(const size_t *)a, right = *(const size_t *)b;
    return left < right ? -1 : left > right;
}

static void shuffle(struct search *search, size_t *row, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = draw(search, i);
        size_t kept = row[i - 1];
        row[i - 1] = row[j];
        row[j] = kept;
    }
}

static bool goes_on(const struct search *search)
{
    return search->code == VF_OK && !search->outcome->failure;
}

/* How far to step through `count` candidates so that at most `most` are tried, evenly spread; 0: none. */
static size_t stride(size_t count, int64_t most)
{
    return most <= 0 ? 0 : (count + (size_t)most - 1) / (size_t)most;
}

/* One exchange of neighbours in the given order: what is found here needs no explaining. */
static void swap_neighbours(struct search *search, int64_t most, size_t *order)
{
    size_t count = search->test->event_count;
    size_t step = stride(count - 1, most);
    for (size_t i = 0; i < count; i++) {
        order[i] = i;
    }
    for (size_t i = 0; step > 0 && i + 1 < count && goes_on(search); i += step) {
        if (aggregate_of(search, i) == aggregate_of(search, i + 1)) {
            continue;
        }
        exchange(order, i);
        search->outcome->interleavings++;
        bool found = differs(search, order);
        exchange(order, i);
        if (found && search->code == VF_OK) {
            prove(search, order, i);
        }
    }
}

/* The given order with all events of one aggregate in front, or behind. False where that is the given order itself. */
static bool move_aggregate(const struct search *search, size_t aggregate, bool to_front, size_t *ret_order)
{
    size_t placed = 0;
    bool moved = false;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < search->test->event_count; i++) {
            if ((aggregate_of(search, i) == aggregate) == (to_front == (pass == 0))) {
                moved = moved || placed != i;
                ret_order[placed++] = i;
            }
        }
    }
    return moved;
}

/* Each aggregate comes wholly before all others, and wholly behind them: mixing at random hardly ever does that to a long one. */
static void move_aggregates(struct search *search, int64_t most, size_t *order)
{
    size_t count = 2 * search->test->aggregate_count;
    size_t step = stride(count, most);
    for (size_t i = 0; step > 0 && i < count && goes_on(search); i += step) {
        if (!move_aggregate(search, i / 2, i % 2 == 0, order)) {
            continue;
        }
        search->outcome->interleavings++;
        if (differs(search, order)) {
            narrow(search, order);
        }
    }
}

static void try_all(struct search *search, size_t *row, size_t *order)
{
    size_t count = search->test->event_count;
    qsort(row, count, sizeof *row, compare_sizes);
    search->outcome->interleavings = 0;
    search->outcome->all_orders = true;
    do {
        fill_order(search, row, order);
        search->outcome->interleavings++;
        if (differs(search, order)) {
            narrow(search, order);
        }
    } while (goes_on(search) && next_row(row, count));
}

static void try_some(struct search *search, int64_t most, size_t *row, size_t *order)
{
    size_t count = search->test->event_count;
    while (goes_on(search) && (int64_t)search->outcome->interleavings < most) {
        shuffle(search, row, count);
        fill_order(search, row, order);
        search->outcome->interleavings++;
        if (differs(search, order)) {
            narrow(search, order);
        }
    }
}

/* A third of the tries goes to exchanges of neighbours, a third to whole aggregates, what is left to chance. */
static void try_orders(struct search *search, int64_t most)
{
    size_t count = search->test->event_count;
    size_t *row = vf_alloc(count * sizeof *row);
    size_t *order = vf_alloc(count * sizeof *order);
    bool all = count_orders(search, (size_t)most) <= (size_t)most;
    for (size_t i = 0; i < count; i++) {
        row[i] = aggregate_of(search, i);
    }
    swap_neighbours(search, all ? most : most / 3, order);
    if (goes_on(search) && !all) {
        move_aggregates(search, most / 3, order);
    }
    if (goes_on(search) && all) {
        try_all(search, row, order);
    } else if (goes_on(search)) {
        try_some(search, most, row, order);
    }
    free(row);
    free(order);
}

/* The same for the same test, so that what was found is found again. */
static uint64_t seed_of(const char *name)
{
    uint64_t seed = 0xcbf29ce484222325u; /* FNV-1a */
    for (; *name; name++) {
        seed = (seed ^ (unsigned char)*name) * 0x100000001b3u;
    }
    return seed;
}

enum vf_code vf_test_order_check(struct vf_test_subject *subject, const struct vf_test_case *test,
                                 const struct vf_test_result *plain, int64_t interleavings, struct vf_arena *arena,
                                 struct vf_test_outcome *outcome, struct vf_error *error)
{
    struct search search = {.subject = subject,
                            .test = test,
                            .plain = plain,
                            .arena = arena,
                            .scratch = vf_arena_new(),
                            .outcome = outcome,
                            .error = error,
                            .random = seed_of(test->name)};
    outcome->seed = search.random;
    if (test->aggregate_count < 2) {
        outcome->all_orders = true;
    } else if (interleavings > 0) {
        try_orders(&search, interleavings);
    }
    vf_arena_free(search.scratch);
    return search.code;
}
