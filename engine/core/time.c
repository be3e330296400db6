/* Times as text (body.h): the proleptic Gregorian calendar by arithmetic, no time zones, no library state. */
#include "core/body.h"

#define DAY_SECONDS 86400

/*
 * Both directions count years from 1 March, so that the leap day is the year's last, in eras of 400 years (146,097 days).
 * 1970-01-01 is day 719,468 since 0000-03-01.
 */
static inline int64_t days_from_date(int64_t year, int month, int day)
{
    int64_t shifted = month <= 2 ? year - 1 : year;
    int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
    int64_t year_of_era = shifted - era * 400;
    int month_from_march = (month + 9) % 12;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void date_from_days(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    *ret_day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    *ret_month = month;
    *ret_year = (int)(year_of_era + era * 400 + (month <= 2));
}

static void print_digits(char *text, int number, int digits)
{
    while (digits-- > 0) {
        text[digits] = (char)('0' + number % 10);
        number /= 10;
    }
}

void vf_time_print(char text[VF_TIME_TEXT_BYTES], int64_t unix_ms)
{
    if (unix_ms < VF_TIME_MS_MIN)
        unix_ms = VF_TIME_MS_MIN;
    if (unix_ms > VF_TIME_MS_MAX)
        unix_ms = VF_TIME_MS_MAX;

    int64_t day_ms = (int64_t)DAY_SECONDS * 1000;
    int64_t days = (unix_ms >= 0 ? unix_ms : unix_ms - (day_ms - 1)) / day_ms;
    int in_day = (int)(unix_ms - days * day_ms);
    int year, month, day;
    date_from_days(days, &year, &month, &day);

    memcpy(text, "0000-00-00T00:00:00.000Z", VF_TIME_TEXT_BYTES);
    print_digits(text, year, 4);
    print_digits(text + 5, month, 2);
    print_digits(text + 8, day, 2);
    print_digits(text + 11, in_day / 3600000, 2);
    print_digits(text + 14, in_day / 60000 % 60, 2);
    print_digits(text + 17, in_day / 1000 % 60, 2);
    print_digits(text + 20, in_day % 1000, 3);
}

/* What is left to read of a text. A mismatch leaves it where it is. */
struct reader {
    const char *at;
    const char *end;
};

static bool read_digits(struct reader *reader, int digits, int low, int high, int *ret_number)
{
    if (reader->end - reader->at < digits)
        return false;
    int number = 0;
    for (int i = 0; i < digits; i++) {
        char c = reader->at[i];
        if (c < '0' || c > '9')
            return false;
        number = number * 10 + (c - '0');
    }
    if (number < low || number > high)
        return false;
    reader->at += digits;
    *ret_number = number;
    return true;
}

static bool read_one_of(struct reader *reader, const char *characters, char *ret_character)
{
    if (reader->at == reader->end)
        return false;
    while (*characters && *characters != *reader->at) /* strchr would cost more than all else here: it is a call */
        characters++;
    if (!*characters)
        return false;
    if (ret_character)
        *ret_character = *reader->at;
    reader->at++;
    return true;
}

static inline bool is_in_month(int year, int month, int day)
{
    static const signed char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day <= lengths[month - 1] + (leap && month == 2);
}

static bool read_date(struct reader *reader, int64_t *ret_days)
{
    int year, month, day;
    if (!read_digits(reader, 4, 0, 9999, &year) || !read_one_of(reader, "-", NULL) ||
        !read_digits(reader, 2, 1, 12, &month) || !read_one_of(reader, "-", NULL) ||
        !read_digits(reader, 2, 1, 31, &day) || !is_in_month(year, month, day))
        return false;
    *ret_days = days_from_date(year, month, day);
    return true;
}

/* A fraction of one digit or more, cut to milliseconds. No '.' is a fraction of 0. */
static bool read_fraction(struct reader *reader, int *ret_ms)
{
    int ms = 0, digits = 0, digit;
    if (read_one_of(reader, ".", NULL)) {
        while (read_digits(reader, 1, 0, 9, &digit)) {
            if (digits < 3)
                ms = ms * 10 + digit;
            digits++;
        }
        if (!digits)
            return false;
        for (; digits < 3; digits++)
            ms *= 10;
    }
    *ret_ms = ms;
    return true;
}

static bool read_offset(struct reader *reader, int *ret_seconds)
{
    char sign;
    int hours, minutes;
    if (read_one_of(reader, "Zz", NULL)) {
        *ret_seconds = 0;
        return true;
    }
    if (!read_one_of(reader, "+-", &sign) || !read_digits(reader, 2, 0, 23, &hours) ||
        !read_one_of(reader, ":", NULL) || !read_digits(reader, 2, 0, 59, &minutes))
        return false;
    *ret_seconds = (hours * 60 + minutes) * 60 * (sign == '-' ? -1 : 1);
    return true;
}

bool vf_time_parse(struct vf_bytes text, int64_t *ret_unix_ms)
{
    if (!text.size)
        return false;
    struct reader reader = {text.data, text.data + text.size};
    int64_t days;
    int hour, minute, second, ms, offset;
    if (!read_date(&reader, &days) || !read_one_of(&reader, "Tt", NULL) || !read_digits(&reader, 2, 0, 23, &hour) ||
        !read_one_of(&reader, ":", NULL) || !read_digits(&reader, 2, 0, 59, &minute) ||
        !read_one_of(&reader, ":", NULL) || !read_digits(&reader, 2, 0, 60, &second) || !read_fraction(&reader, &ms) ||
        !read_offset(&reader, &offset) || reader.at != reader.end)
        return false;

    int64_t seconds = days * DAY_SECONDS + hour * 3600 + minute * 60 + second - offset;
    /* A leap second is inserted at the end of a UTC day only; Unix time gives it the next day's first second. */
    if (second == 60 && seconds % DAY_SECONDS != 0)
        return false;
    *ret_unix_ms = seconds * 1000 + ms;
    return true;
}

bool vf_duration_parse(const char *text, int64_t *ret_ms)
{
    static const struct {
        const char *name;
        int64_t factor_ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", DAY_SECONDS * INT64_C(1000)}};
    int64_t number = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, *at - '0', &number))
            return false;
    for (size_t i = 0; at > text && i < sizeof units / sizeof *units; i++)
        if (strcmp(at, units[i].name) == 0)
            return !__builtin_mul_overflow(number, units[i].factor_ms, ret_ms);
    return false;
}

/* One of twelve or seven names of three letters, by its number from 0. */
static bool read_name(struct reader *reader, const char *names, int *ret_number)
{
    if (reader->end - reader->at < 3)
        return false;
    for (int i = 0; names[3 * i]; i++) {
        if (memcmp(names + (size_t)3 * (size_t)i, reader->at, 3) == 0) {
            reader->at += 3;
            *ret_number = i;
            return true;
        }
    }
    return false;
}

/* Whether `text` comes next; it is passed over. */
static bool read_literal(struct reader *reader, const char *text)
{
    size_t size = strlen(text);
    if ((size_t)(reader->end - reader->at) < size || memcmp(reader->at, text, size) != 0)
        return false;
    reader->at += size;
    return true;
}

/* "Sun, 1 Mar 2026": the day may have one digit (java.time writes it so), and its name has to be right. */
static bool read_named_date(struct reader *reader, int64_t *ret_days)
{
    int weekday, day, month, year;
    if (!read_name(reader, "SunMonTueWedThuFriSat", &weekday) || !read_literal(reader, ", ") ||
        (!read_digits(reader, 2, 1, 31, &day) && !read_digits(reader, 1, 1, 9, &day)) || !read_literal(reader, " ") ||
        !read_name(reader, "JanFebMarAprMayJunJulAugSepOctNovDec", &month) || !read_literal(reader, " ") ||
        !read_digits(reader, 4, 0, 9999, &year) || !is_in_month(year, month + 1, day))
        return false;
    *ret_days = days_from_date(year, month + 1, day);
    return (*ret_days % 7 + 7 + 4) % 7 == weekday; /* 1970-01-01 was a Thursday */
}

bool vf_time_parse_rfc1123(struct vf_bytes text, int64_t *ret_unix_ms)
{
    if (!text.size)
        return false;
    struct reader reader = {text.data, text.data + text.size};
    int64_t days;
    int hour, minute, second, hours = 0, minutes = 0;
    char sign = '+';
    if (!read_named_date(&reader, &days) || !read_literal(&reader, " ") || !read_digits(&reader, 2, 0, 23, &hour) ||
        !read_literal(&reader, ":") || !read_digits(&reader, 2, 0, 59, &minute) || !read_literal(&reader, ":") ||
        !read_digits(&reader, 2, 0, 59, &second) || !read_literal(&reader, " "))
        return false;
    bool is_zoned = !read_literal(&reader, "GMT");
    if (is_zoned && (!read_one_of(&reader, "+-", &sign) || !read_digits(&reader, 2, 0, 23, &hours) ||
                     !read_digits(&reader, 2, 0, 59, &minutes)))
        return false;
    if (reader.at != reader.end)
        return false;
    int offset = (hours * 60 + minutes) * 60 * (sign == '-' ? -1 : 1);
    *ret_unix_ms = (days * DAY_SECONDS + hour * 3600 + minute * 60 + second - offset) * 1000;
    return true;
}
