/* The log: one line for each thing, whatever is in it. */
#include "core/json.h"
#include "run/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/vf_log_XXXXXX";
static int fd = -1;

/* What was logged since the last call, without the time, which is the machine's. */
static char *take_lines(void)
{
    off_t size = lseek(fd, 0, SEEK_END);
    char *text = vf_calloc(1, (size_t)size + 1);
    assert_int_equal(pread(fd, text, (size_t)size, 0), size);
    assert_int_equal(ftruncate(fd, 0), 0);
    return text;
}

static char *skip_time(char *line)
{
    char *rest = strchr(line, ' ');
    assert_non_null(rest);
    assert_memory_equal(line, "time=", 5);
    assert_int_equal(rest - line, 5 + 24);
    return rest + 1;
}

static int open_log(void **state)
{
    (void)state;
    fd = mkstemp(path);
    assert_true(fd >= 0);
    /* Appending: truncating between tests must not leave a hole. */
    assert_int_equal(fcntl(fd, F_SETFL, O_APPEND), 0);
    return 0;
}

static int close_log(void **state)
{
    (void)state;
    close(fd);
    return unlink(path);
}

static void a_line_names_worker_projection_store_and_place(void **state)
{
    (void)state;
    const struct vf_record record = {.topic = "orders", .partition = 3, .offset = 1042};
    struct vf_error error;
    vf_fail(&error, VF_E_SCRIPT, "a.lua:3: boom\nstack traceback:\n\tin f");
    vf_log_setup(VF_LOG_INFO, VF_LOG_LOGFMT, fd);
    vf_log(VF_LOG_WARN,
           &(struct vf_log_about){.worker = "w 1",
                                  .projection = "customer_orders",
                                  .store = "cache",
                                  .record = &record,
                                  .aggregate = VF_LITERAL("order/42"),
                                  .error = &error,
                                  .fields = (const struct vf_log_field[]){{"tries", NULL, 3}, {"why", "a=b", 0}, {0}}},
           "the handler failed %d times", 3);
    char *lines = take_lines();
    assert_string_equal(skip_time(lines),
                        "level=warn worker=\"w 1\" projection=customer_orders store=cache at=orders/3@1042 "
                        "aggregate=order/42 tries=3 why=\"a=b\" msg=\"the handler failed 3 times\" "
                        "error=\"a.lua:3: boom\\nstack traceback:\\n\\tin f\"\n");
    free(lines);
}

static void json_lines_parse(void **state)
{
    (void)state;
    const struct vf_partition partition = {"orders", 3};
    struct vf_json_parser *parser = vf_json_parser_new();
    struct vf_json root;
    struct vf_json member;
    struct vf_error error;
    vf_log_setup(VF_LOG_INFO, VF_LOG_JSON, fd);
    vf_log_text(
        VF_LOG_ERROR,
        &(struct vf_log_about){.partition = &partition, .fields = (const struct vf_log_field[]){{"n", NULL, -5}, {0}}},
        VF_LITERAL("quote \" back \\ line\nbreak \x01 \x7f \xff \xc2\x9b[2J \xc3\xa9"));
    char *lines = take_lines();
    assert_int_equal(vf_json_parse(parser, vf_bytes_from(lines), &root, &error), VF_OK);
    assert_true(vf_json_member(root, VF_LITERAL("at"), &member));
    assert_true(vf_bytes_is(vf_json_string(member), "orders/3"));
    assert_true(vf_json_member(root, VF_LITERAL("n"), &member));
    assert_int_equal(vf_json_int(member), -5);
    assert_true(vf_json_member(root, VF_LITERAL("msg"), &member));
    assert_true(vf_bytes_is(vf_json_string(member),
                            "quote \" back \\ line\nbreak \x01 \x7f \xef\xbf\xbd \xc2\x9b[2J \xc3\xa9"));
    /* Nothing in the line itself breaks it, or is obeyed by a terminal. */
    assert_ptr_equal(strchr(lines, '\n'), lines + strlen(lines) - 1);
    assert_null(strstr(lines, "\xc2\x9b"));
    assert_null(strchr(lines, '\x7f'));
    free(lines);
    vf_json_parser_free(parser);
}

static void what_is_below_the_level_is_dropped(void **state)
{
    (void)state;
    vf_log_setup(VF_LOG_WARN, VF_LOG_LOGFMT, fd);
    vf_log(VF_LOG_INFO, NULL, "not this");
    assert_false(vf_log_on(VF_LOG_INFO));
    vf_log(VF_LOG_WARN, NULL, "this");
    char *lines = take_lines();
    assert_string_equal(skip_time(lines), "level=warn msg=this\n");
    free(lines);
}

static void a_value_that_is_too_long_is_cut_between_characters(void **state)
{
    (void)state;
    struct vf_buffer text;
    vf_buffer_init(&text);
    for (int i = 0; i < VF_LOG_VALUE_BYTES_MAX; i++) {
        vf_buffer_add_text(&text, "\xc3\xa9");
    }
    vf_log_setup(VF_LOG_INFO, VF_LOG_LOGFMT, fd);
    vf_log_text(VF_LOG_INFO, NULL, vf_bytes(text.data + 1, text.size - 1)); /* begins in the middle of a character */
    char *lines = take_lines();
    assert_true(vf_bytes_is_utf8(vf_bytes_from(lines)));
    assert_true(strlen(lines) < VF_LOG_VALUE_BYTES_MAX + 200);
    assert_string_equal(lines + strlen(lines) - 5, "...\"\n");
    free(lines);
    vf_buffer_done(&text);
}

#define THREADS    4
#define LINES_EACH 100
#define LONG_BYTES 6000 /* more than a pipe takes in one piece (4096), so that one write is not enough */

static void *log_many(void *self)
{
    char text[LONG_BYTES + 1];
    memset(text, *(const char *)self, LONG_BYTES);
    text[LONG_BYTES] = 0;
    for (int i = 0; i < LINES_EACH; i++) {
        vf_log_text(VF_LOG_INFO, &(struct vf_log_about){.worker = self}, vf_bytes(text, LONG_BYTES));
    }
    return NULL;
}

static void *read_all(void *self)
{
    const int *end = self;
    struct vf_buffer *all = vf_calloc(1, sizeof *all);
    vf_buffer_init(all);
    for (;;) {
        ssize_t got = read(*end, vf_buffer_reserve(all, 4096), 4096);
        if (got <= 0) {
            return all;
        }
        all->size += (size_t)got;
    }
}

static void lines_of_threads_do_not_mix(void **state)
{
    (void)state;
    static char names[THREADS][2] = {"a", "b", "c", "d"};
    pthread_t threads[THREADS];
    pthread_t reader;
    int ends[2];
    void *result = NULL;
    size_t lines_seen = 0;
    assert_int_equal(pipe(ends), 0);
    vf_log_setup(VF_LOG_INFO, VF_LOG_LOGFMT, ends[1]);
    assert_int_equal(pthread_create(&reader, NULL, read_all, &ends[0]), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, names[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    vf_log_setup(VF_LOG_INFO, VF_LOG_LOGFMT, fd);
    close(ends[1]);
    pthread_join(reader, &result);
    close(ends[0]);

    struct vf_buffer *all = result;
    vf_buffer_add_char(all, 0);
    char *rest = NULL;
    for (char *line = strtok_r(all->data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *text = skip_time(line);
        assert_memory_equal(text, "level=info worker=", 18);
        char letters[2] = {text[18], 0};
        assert_memory_equal(text + 19, " msg=", 5);
        assert_int_equal(strspn(text + 24, letters), LONG_BYTES);
        assert_int_equal(text[24 + LONG_BYTES], 0);
        lines_seen++;
    }
    assert_int_equal(lines_seen, THREADS * LINES_EACH);
    vf_buffer_done(all);
    free(all);
}

static void a_limiter_lets_a_burst_through_and_then_one_an_interval(void **state)
{
    (void)state;
    struct vf_log_rate rate = {.burst = 3, .interval_ms = 100};
    int64_t dropped = -1;
    for (int i = 0; i < 3; i++) {
        assert_true(vf_log_rate_allow(&rate, 5000, &dropped));
        assert_int_equal(dropped, 0);
    }
    for (int i = 0; i < 7; i++) {
        assert_false(vf_log_rate_allow(&rate, 5099, &dropped));
    }
    assert_true(vf_log_rate_allow(&rate, 5100, &dropped));
    assert_int_equal(dropped, 7);
    assert_false(vf_log_rate_allow(&rate, 5199, &dropped));
    assert_true(vf_log_rate_allow(&rate, 5200, &dropped));
    assert_int_equal(dropped, 1);
    for (int i = 0; i < 3; i++) { /* after a long rest: the burst again, not more */
        assert_true(vf_log_rate_allow(&rate, 9000000, &dropped));
    }
    assert_false(vf_log_rate_allow(&rate, 9000000, &dropped));
}

/* A log collector that hangs must not hang the workers: the log goes to a pipe, and nobody reads it. */
static void lines_that_nobody_reads_are_left_out_and_counted(void **state)
{
    (void)state;
    int ends[2];
    char long_text[6000], read_back[1 << 17];
    memset(long_text, 'x', sizeof long_text);
    assert_int_equal(pipe(ends), 0);
    vf_log_setup(VF_LOG_INFO, VF_LOG_LOGFMT, ends[1]);
    for (int i = 0; i < (1 << 16) / 6000 + 12; i++) {
        vf_log_text(VF_LOG_INFO, NULL, vf_bytes(long_text, sizeof long_text));
    }
    assert_true(read(ends[0], read_back, sizeof read_back) > 0);
    vf_log(VF_LOG_INFO, NULL, "read again");
    ssize_t size = read(ends[0], read_back, sizeof read_back - 1);
    assert_true(size > 0);
    read_back[size] = 0;
    char *line = skip_time(read_back[0] == '\n' ? read_back + 1 : read_back);
    long lost = 0;
    assert_int_equal(sscanf(line, "level=warn lost=%ld msg=\"log lines were lost", &lost), 1);
    assert_true(lost >= 10);
    assert_string_equal(skip_time(strchr(line, '\n') + 1), "level=info msg=\"read again\"\n");
    close(ends[0]);
    vf_log(VF_LOG_INFO, NULL, "nobody is there at all"); /* and SIGPIPE is ignored, as in every process of viewfold */
    close(ends[1]);
}

static void lines_for_which_there_is_no_room_are_left_out(void **state)
{
    (void)state;
    int full = open("/dev/full", O_WRONLY);
    assert_true(full >= 0);
    vf_log_setup(VF_LOG_INFO, VF_LOG_LOGFMT, full);
    vf_log(VF_LOG_INFO, NULL, "to a full disk");
    vf_log(VF_LOG_INFO, NULL, "again");
    vf_log_setup(VF_LOG_INFO, VF_LOG_LOGFMT, fd);
    vf_log(VF_LOG_INFO, NULL, "room");
    char *lines = take_lines();
    char *told = skip_time(lines);
    assert_memory_equal(told, "level=warn lost=", 16);
    assert_string_equal(skip_time(strchr(told, '\n') + 1), "level=info msg=room\n");
    free(lines);
    close(full);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_names_worker_projection_store_and_place),
        cmocka_unit_test(json_lines_parse),
        cmocka_unit_test(what_is_below_the_level_is_dropped),
        cmocka_unit_test(a_value_that_is_too_long_is_cut_between_characters),
        cmocka_unit_test(lines_of_threads_do_not_mix),
        cmocka_unit_test(lines_that_nobody_reads_are_left_out_and_counted),
        cmocka_unit_test(lines_for_which_there_is_no_room_are_left_out),
        cmocka_unit_test(a_limiter_lets_a_burst_through_and_then_one_an_interval),
    };
    return cmocka_run_group_tests(tests, open_log, close_log);
}
