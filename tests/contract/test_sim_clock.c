/* The simulator's clock and generator: the same seed gives the same run. */
#include "sim/sim_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void time_moves_only_when_it_is_told_to(void **state)
{
    (void)state;
    struct vf_sim_clock sim;
    vf_sim_clock_init(&sim, 1);
    const struct vf_clock *clock = &sim.clock;
    int64_t monotonic = clock->monotonic_ms(clock->self), wall = clock->wall_ms(clock->self);
    assert_int_equal(clock->monotonic_ms(clock->self), monotonic);
    vf_sim_clock_advance(&sim, 5);
    clock->sleep_ms(clock->self, 7);
    clock->sleep_ms(clock->self, -7);
    assert_int_equal(clock->monotonic_ms(clock->self), monotonic + 12);
    assert_int_equal(clock->wall_ms(clock->self), wall + 12);
    assert_int_equal(sim.slept_ms, 7);
    sim.wall_ms = 0; /* the wall's clock may be set, the other goes on */
    assert_int_equal(clock->wall_ms(clock->self), 0);
    assert_int_equal(clock->monotonic_ms(clock->self), monotonic + 12);
}

static void a_seed_repeats_its_numbers(void **state)
{
    (void)state;
    struct vf_sim_clock one, two, other;
    vf_sim_clock_init(&one, 42);
    vf_sim_clock_init(&two, 42);
    vf_sim_clock_init(&other, 43);
    int same = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t number = one.clock.random(one.clock.self);
        assert_true(number == two.clock.random(two.clock.self));
        same += number == other.clock.random(other.clock.self);
    }
    assert_int_equal(same, 0);
}

static void chances_come_as_often_as_they_should(void **state)
{
    (void)state;
    struct vf_sim_random random = {7};
    int hits = 0, counts[5] = {0};
    for (int i = 0; i < 10000; i++) {
        hits += vf_sim_random_chance(&random, 250);
        counts[vf_sim_random_below(&random, 5)]++;
        assert_false(vf_sim_random_chance(&random, 0));
        assert_true(vf_sim_random_chance(&random, 1000));
    }
    assert_in_range(hits, 2300, 2700);
    for (int i = 0; i < 5; i++)
        assert_in_range(counts[i], 1850, 2150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_moves_only_when_it_is_told_to),
        cmocka_unit_test(a_seed_repeats_its_numbers),
        cmocka_unit_test(chances_come_as_often_as_they_should),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
