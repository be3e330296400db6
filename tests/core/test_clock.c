#include "core_test.h"

#include "clock.h"

static void time_goes_forward_and_the_wall_clock_is_unix_time(void **state)
{
    (void)state;
    const struct vf_clock *clock = vf_clock_system();
    int64_t before = clock->monotonic_ms(clock->self);
    clock->sleep_ms(clock->self, 0);
    clock->sleep_ms(clock->self, -5);
    clock->sleep_ms(clock->self, 1);
    assert_true(clock->monotonic_ms(clock->self) >= before);
    int64_t seconds_before = (int64_t)time(NULL);
    int64_t wall = clock->wall_ms(clock->self);
    int64_t seconds_after = (int64_t)time(NULL);
    assert_true(wall / 1000 >= seconds_before - 1 && wall / 1000 <= seconds_after + 1);
}

static void random_numbers_use_all_bits_and_do_not_repeat(void **state)
{
    (void)state;
    const struct vf_clock *clock = vf_clock_system();
    uint64_t ones = 0, zeros = 0, last = 0;
    for (int i = 0; i < 200; i++) {
        uint64_t bits = clock->random(clock->self);
        assert_true(bits != last);
        last = bits;
        ones |= bits;
        zeros |= ~bits;
    }
    assert_true(ones == UINT64_MAX && zeros == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_goes_forward_and_the_wall_clock_is_unix_time),
        cmocka_unit_test(random_numbers_use_all_bits_and_do_not_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
