/* What is said about how long Kafka keeps a topic's records. */
#include "run/keeping.h"
#include "run/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* What is logged about these topics, as a text that the caller frees. */
static char *said(const char *const *topics, const bool *partial, const struct vf_keeping *keepings, size_t count)
{
    char path[] = "/tmp/vf_keeping_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    vf_log_setup(VF_LOG_INFO, VF_LOG_LOGFMT, fd);
    vf_keeping_say(topics, partial, keepings, count);
    off_t size = lseek(fd, 0, SEEK_END);
    char *text = vf_calloc(1, (size_t)size + 1);
    assert_int_equal(pread(fd, text, (size_t)size, 0), size);
    close(fd);
    return text;
}

static void expect_said(struct vf_keeping keeping, bool partial, const char *level, const char *words)
{
    const char *topic = "orders";
    char *text = said(&topic, &partial, &keeping, 1);
    if (!strstr(text, level) || !strstr(text, words) || !strstr(text, " topic=orders "))
        fail_msg("wanted %s ... %s; found %s", level, words, text);
    free(text);
}

static void what_a_view_can_be_built_again_from_is_said(void **state)
{
    (void)state;
    const struct vf_keeping all = {.deletes = true, .retention_ms = -1, .retention_bytes = -1};
    const struct vf_keeping days = {.deletes = true, .retention_ms = 604800000, .retention_bytes = -1};
    const struct vf_keeping bytes = {.deletes = true, .retention_ms = -1, .retention_bytes = 1000};
    const struct vf_keeping both = {.deletes = true, .retention_ms = 3600000, .retention_bytes = 1000};
    const struct vf_keeping last = {.compacts = true, .retention_ms = 604800000, .retention_bytes = -1};
    const struct vf_keeping mixed = {.compacts = true, .deletes = true, .retention_ms = 1, .retention_bytes = -1};
    expect_said(all, false, "level=info", "Kafka keeps all records");
    expect_said(days, false, "level=warn", "for 7 days only");
    expect_said(days, false, "level=warn", "retention_ms=604800000");
    expect_said(days, true, "level=info", "for 7 days only");
    expect_said(bytes, false, "level=warn", "for 1000 bytes a partition only");
    expect_said(both, false, "level=warn", "for 1 hour or 1000 bytes a partition only");
    expect_said(last, false, "level=warn", "cleanup_policy=compact");
    expect_said(last, false, "level=warn", "only the last record of each key");
    expect_said(last, true, "level=info", "only the last record of each key");
    expect_said(mixed, false, "level=warn", "cleanup_policy=compact,delete");
}

static void what_is_not_known_is_said_once_for_all(void **state)
{
    (void)state;
    const char *topics[] = {"a", "b", "c", "d"};
    const bool partial[] = {false, false, true, false};
    const struct vf_keeping keepings[] = {
        {.code = VF_E_DENIED}, {.code = VF_E_UNAVAILABLE}, {.code = VF_E_DENIED}, {.code = VF_E_TIMEOUT}};
    char *text = said(topics, partial, keepings, 4);
    assert_non_null(strstr(text, "not shown to this login, for: a, c. Grant it DescribeConfigs"));
    assert_non_null(strstr(text, "not answered in time, for: b, d\""));
    assert_null(strstr(text, "level=warn"));
    size_t lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, 2);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_view_can_be_built_again_from_is_said),
        cmocka_unit_test(what_is_not_known_is_said_once_for_all),
    };
    return cmocka_run_group_tests_name("keeping", tests, NULL, NULL);
}
