#include "sim/sim_sum.h"

#include <stdio.h>

void sim_sum_add(struct sim_sum *sum, const struct sim_model *model, const struct sim_kind_tally tallies[SIM_KINDS])
{
#define ADD_SITUATION(name) sum->situations.name += model->situations.name;
    SIM_SITUATIONS(ADD_SITUATION)
    for (size_t kind = 0; kind < SIM_KINDS; kind++) {
        struct sim_kind_tally *to = &sum->tallies[kind];
        const struct sim_kind_tally *from = &tallies[kind];
        to->model.taken += from->model.taken;
        to->model.siblings += from->model.siblings;
        to->model.by_number += from->model.by_number;
        to->model.by_id += from->model.by_id;
        to->refused += from->refused;
    }
}

/* A run in which nothing went wrong proves nothing. */
static bool has_seen_every_fault(const struct sim_sum *sum)
{
    const struct vf_counts *counts = &sum->counts;
    printf("adoptions %lld, drops %lld, degraded %lld, beside what is set aside %lld, retried beside them %lld\n",
           (long long)sum->adoptions, (long long)sum->drops, (long long)sum->degraded, (long long)sum->degraded_beside,
           (long long)sum->degraded_retried);
    return counts->conflicts && counts->refolds && counts->unknown && counts->lost_replies && counts->rewinds &&
           counts->rebalances && counts->stops && counts->store_losses && counts->frozen && counts->superseded &&
           counts->evicted && sum->adoptions && sum->drops && sum->degraded &&
           ((sum->degraded_beside && sum->degraded_retried) || !sum->parks || sum->allows);
}

/* Nor does a kind of numbers whose repeats, siblings and impossible numbers never came. */
static bool has_seen_every_number(const struct sim_sum *sum, enum sim_kind kind_wanted)
{
    bool complete = true;
    for (enum sim_kind kind = 0; kind < SIM_KINDS; kind++) {
        const struct sim_kind_tally *tally = &sum->tallies[kind];
        const struct sim_tally *model = &tally->model;
        bool by_number = kind != SIM_OFFSET && kind != SIM_WINDOW;
        bool by_id = kind == SIM_REVISION || kind == SIM_WINDOW;
        bool may_pass = sum->few || (kind == SIM_SEQUENCE && sum->allows); /* nothing of it may have been refused */
        if (kind_wanted != SIM_KINDS && kind_wanted != kind)
            continue;
        printf("%s: taken in %lld, repeats told by number %lld, by id %lld, siblings %lld, refused %lld\n",
               sim_kind_names[kind], (long long)model->taken, (long long)model->by_number, (long long)model->by_id,
               (long long)model->siblings, (long long)tally->refused);
        complete &= model->taken && !model->by_number == !by_number && !model->by_id == !by_id &&
                    !model->siblings == (kind != SIM_REVISION) &&
                    (kind == SIM_OFFSET ? !tally->refused : tally->refused || may_pass);
    }
    return complete;
}

/* Which ones only views have that park what fails. */
static bool is_of_parking(const char *situation)
{
    static const char *const all[] = {"early",  "filled",  "parked",  "flaked",          "misfits", "behind_parked",
                                      "sought", "retried", "dropped", "misfits_dropped", "let_go",  "given_up"};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(situation, all[i]) == 0)
            return true;
    return false;
}

/* What a few hundred seeds may do without. */
static bool is_rare(const char *situation)
{
    static const char *const all[] = {"early", "filled", "given_up", "flaked", "misfits_dropped"};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(situation, all[i]) == 0)
            return true;
    return false;
}

/* Nor one in which nothing had to wait, moved or went away. */
static bool has_seen_every_situation(const struct sim_sum *sum)
{
    bool complete = true;
#define PRINT_SITUATION(name)                                   \
    printf(" %s %lld", #name, (long long)sum->situations.name); \
    complete &= sum->situations.name > 0 || (!sum->parks && is_of_parking(#name)) || (sum->allows && is_rare(#name));
    SIM_SITUATIONS(PRINT_SITUATION)
    printf("\n");
    return complete;
}

bool sim_sum_print(const struct sim_sum *sum, enum sim_kind kind_wanted, bool joins)
{
    printf("%lld states compared;", (long long)sum->checks);
#define PRINT(name) printf(" %s %lld", #name, (long long)sum->counts.name);
    VF_COUNTS(PRINT)
    printf("\n");
    bool complete = has_seen_every_number(sum, kind_wanted);
    complete &= has_seen_every_fault(sum);
    if (joins)
        complete &= has_seen_every_situation(sum);
    return complete;
}
