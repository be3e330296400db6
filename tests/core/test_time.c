#include "core_test.h"

#include "core/body.h"

static void expect_time(const char *text, int64_t wanted)
{
    int64_t found;
    if (!vf_time_parse(vf_bytes_from(text), &found))
        fail_msg("%s was refused", text);
    if (found != wanted)
        fail_msg("%s is %lld, wanted %lld", text, (long long)found, (long long)wanted);
}

static void rfc_3339_is_read(void **state)
{
    (void)state;
    expect_time("1970-01-01T00:00:00Z", 0);
    expect_time("2026-03-01T10:00:00.000Z", 1772359200000);
    expect_time("2026-03-01t10:00:00z", 1772359200000);
    expect_time("2026-03-01T12:30:00+02:30", 1772359200000);
    expect_time("2026-03-01T00:00:00-10:00", 1772359200000);
    expect_time("2026-03-01T10:00:00-00:00", 1772359200000);
    expect_time("2026-02-28T23:59:59.999+00:00", 1772323199999);
    expect_time("1969-12-31T23:59:59.999Z", -1);
    expect_time("1969-12-31T23:59:59Z", -1000);
    expect_time("0000-01-01T00:00:00Z", -62167219200000);
    expect_time("9999-12-31T23:59:59.999Z", 253402300799999);
}

static void fractions_are_cut_to_milliseconds(void **state)
{
    (void)state;
    expect_time("1970-01-01T00:00:01.1Z", 1100);
    expect_time("1970-01-01T00:00:01.12Z", 1120);
    expect_time("1970-01-01T00:00:01.123Z", 1123);
    expect_time("1970-01-01T00:00:01.1239Z", 1123);
    expect_time("1970-01-01T00:00:01.12399Z", 1123);
    expect_time("1970-01-01T00:00:01.123999Z", 1123);
    expect_time("1970-01-01T00:00:01.1239999Z", 1123);
    expect_time("1970-01-01T00:00:01.12399999Z", 1123);
    expect_time("1970-01-01T00:00:01.999999999Z", 1999);
    expect_time("1970-01-01T00:00:01.0009999999999999999999999999999999999999999Z", 1000);
    expect_time("1969-12-31T23:59:58.001Z", -1999);
}

static void leap_years_are_known(void **state)
{
    (void)state;
    expect_time("2000-02-29T00:00:00Z", 951782400000);
    expect_time("2024-02-29T00:00:00Z", 1709164800000);
    expect_time("2024-03-01T00:00:00Z", 1709251200000);
    expect_time("0000-02-29T00:00:00Z", -62162121600000);
    expect_time("1600-02-29T00:00:00Z", -11670998400000);
}

static void a_leap_second_is_the_next_day(void **state)
{
    (void)state;
    expect_time("2016-12-31T23:59:60Z", 1483228800000);
    expect_time("2017-01-01T00:59:60+01:00", 1483228800000);
}

static void what_is_no_rfc_3339_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "2026",
        "2026-03-01",
        "2026-03-01T10:00:00",
        "2026-03-01 10:00:00Z",
        "2026-03-01T10:00Z",
        "2026-3-1T10:00:00Z",
        "2026-03-01T10:00:00.Z",
        "2026-03-01T10:00:00,5Z",
        "2026-03-01T10:00:00.5",
        "2026-03-01T10:00:00+0200",
        "2026-03-01T10:00:00+02",
        "2026-03-01T10:00:00+24:00",
        "2026-03-01T10:00:00+02:60",
        "2026-03-01T10:00:00Zx",
        " 2026-03-01T10:00:00Z",
        "2026-03-01T10:00:00Z ",
        "2026-00-01T10:00:00Z",
        "2026-13-01T10:00:00Z",
        "2026-03-00T10:00:00Z",
        "2026-03-32T10:00:00Z",
        "2026-04-31T10:00:00Z",
        "2026-02-29T10:00:00Z",
        "1900-02-29T10:00:00Z",
        "2100-02-29T10:00:00Z",
        "2000-02-30T10:00:00Z",
        "2026-03-01T24:00:00Z",
        "2026-03-01T10:60:00Z",
        "2026-03-01T10:00:61Z",
        "2026-03-01T10:00:60Z",
        "2017-01-01T00:59:60Z",
        "-026-03-01T10:00:00Z",
        "+2026-03-01T10:00:00Z",
        "12026-03-01T10:00:00Z",
        "2026-03-01T+1:00:00Z",
        "2026-03-01T10:00:00 Z",
        "1772359200000",
        "not a date",
    };
    int64_t unused = 42;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        if (vf_time_parse(vf_bytes_from(texts[i]), &unused))
            fail_msg("\"%s\" was taken as %lld", texts[i], (long long)unused);
    }
    assert_false(vf_time_parse(vf_bytes("2026-03-01T10:00:00\0Z", 21), &unused));
    assert_false(vf_time_parse(vf_bytes("2026\0"
                                        "03-01T10:00:00Z",
                                        20),
                               &unused));
    assert_false(vf_time_parse(vf_bytes("2026-03-01T10:00:00\0", 20), &unused));
    assert_false(vf_time_parse(vf_bytes(NULL, 0), &unused));
    assert_int_equal(unused, 42);
}

static void rfc_1123_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *same; /* as RFC 3339; NULL: it is none */
    } cases[] = {
        {"Tue, 15 Nov 1994 08:12:31 GMT", "1994-11-15T08:12:31Z"},
        {"Tue, 3 Jun 2008 11:05:30 GMT", "2008-06-03T11:05:30Z"},
        {"Tue, 03 Jun 2008 11:05:30 GMT", "2008-06-03T11:05:30Z"},
        {"Tue, 03 Jun 2008 11:05:30 +0200", "2008-06-03T11:05:30+02:00"},
        {"Tue, 03 Jun 2008 11:05:30 -0130", "2008-06-03T11:05:30-01:30"},
        {"Thu, 29 Feb 2024 23:59:59 GMT", "2024-02-29T23:59:59Z"},
        {"Wed, 31 Dec 1969 23:59:59 GMT", "1969-12-31T23:59:59Z"},
        {"Sat, 01 Jan 0000 00:00:00 GMT", "0000-01-01T00:00:00Z"},
        {"Fri, 31 Dec 9999 23:59:59 GMT", "9999-12-31T23:59:59Z"},
        {"Wed, 15 Nov 1994 08:12:31 GMT", NULL}, /* it was a Tuesday */
        {"tue, 15 Nov 1994 08:12:31 GMT", NULL},
        {"Tue, 15 nov 1994 08:12:31 GMT", NULL},
        {"Tue, 15 Nov 1994 08:12:31 UTC", NULL},
        {"Tue, 15 Nov 1994 08:12:31 gmt", NULL},
        {"Tue, 15 Nov 1994 08:12:31", NULL},
        {"Tue, 15 Nov 1994 08:12:31 GMT ", NULL},
        {"Tue, 15 Nov 1994 8:12:31 GMT", NULL},
        {"Tue, 15 Nov 94 08:12:31 GMT", NULL},
        {"Tue, 15 Nov 1994 24:00:00 GMT", NULL},
        {"Tue, 15 Nov 1994 08:12:60 GMT", NULL},
        {"Tue, 0 Nov 1994 08:12:31 GMT", NULL},
        {"Wed, 29 Feb 2023 00:00:00 GMT", NULL},
        {"Wed, 31 Jun 2023 00:00:00 GMT", NULL},
        {"Tue, 15 Nov 1994 08:12:31 +2400", NULL},
        {"Tue, 15 Nov 1994 08:12:31 +02:00", NULL},
        {"Tuesday, 15-Nov-94 08:12:31 GMT", NULL},
        {"Tue Nov 15 08:12:31 1994", NULL},
        {"1994-11-15T08:12:31Z", NULL},
        {"Tue", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t wanted = 42, found = 42;
        size_t size = strlen(cases[i].text);
        char *exact = malloc(size ? size : 1); /* so that ASan sees a byte too many */
        memcpy(exact, cases[i].text, size);
        if (cases[i].same)
            assert_true(vf_time_parse(vf_bytes_from(cases[i].same), &wanted));
        if (vf_time_parse_rfc1123(vf_bytes(exact, size), &found) != (cases[i].same != NULL) || found != wanted)
            fail_msg("\"%s\": %lld, wanted %lld", cases[i].text, (long long)found, (long long)wanted);
        free(exact);
    }
}

static void the_days_of_10000_years_have_their_names(void **state)
{
    (void)state;
    for (int64_t day = -719528; day <= 2932896; day += 31) {
        time_t seconds = (time_t)day * 86400;
        struct tm tm;
        char text[64];
        int64_t found = 0;
        assert_non_null(gmtime_r(&seconds, &tm));
        static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        int size = snprintf(text, sizeof text, "%.3s, %d %.3s %04d 00:00:00 GMT", days + 3 * (size_t)tm.tm_wday,
                            tm.tm_mday, months + 3 * (size_t)tm.tm_mon, tm.tm_year + 1900);
        assert_true(vf_time_parse_rfc1123(vf_bytes(text, (size_t)size), &found));
        assert_true(found == day * 86400000);
    }
}

static void times_beyond_four_digit_years_are_clamped(void **state)
{
    (void)state;
    char text[VF_TIME_TEXT_BYTES];
    vf_time_print(text, INT64_MIN);
    assert_string_equal(text, "0000-01-01T00:00:00.000Z");
    vf_time_print(text, INT64_MAX);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
    vf_time_print(text, -1);
    assert_string_equal(text, "1969-12-31T23:59:59.999Z");
    vf_time_print(text, 0);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
}

static void expect_as_the_c_library(int64_t unix_ms)
{
    time_t seconds = (time_t)((unix_ms - (unix_ms % 1000 + 1000) % 1000) / 1000);
    struct tm tm;
    assert_non_null(gmtime_r(&seconds, &tm));
    char wanted[96], found[VF_TIME_TEXT_BYTES];
    snprintf(wanted, sizeof wanted, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
             tm.tm_hour, tm.tm_min, tm.tm_sec, (int)((unix_ms % 1000 + 1000) % 1000));
    vf_time_print(found, unix_ms);
    assert_string_equal(found, wanted);
    expect_time(found, unix_ms);
}

static void every_day_of_10000_years_agrees_with_the_c_library(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    for (int64_t day = -719528; day <= 2932896; day++)
        expect_as_the_c_library(day * 86400000 + (int64_t)(next_random(&random) % 86400000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_3339_is_read),
        cmocka_unit_test(fractions_are_cut_to_milliseconds),
        cmocka_unit_test(leap_years_are_known),
        cmocka_unit_test(a_leap_second_is_the_next_day),
        cmocka_unit_test(what_is_no_rfc_3339_is_refused),
        cmocka_unit_test(rfc_1123_is_read),
        cmocka_unit_test(the_days_of_10000_years_have_their_names),
        cmocka_unit_test(times_beyond_four_digit_years_are_clamped),
        cmocka_unit_test(every_day_of_10000_years_agrees_with_the_c_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
