#include "run/keeping.h"

#include "run/log.h"

bool vf_keeping_is_limited(const struct vf_keeping *keeping)
{
    return keeping->deletes && (keeping->retention_ms >= 0 || keeping->retention_bytes >= 0);
}

static void print_time(struct vf_buffer *out, int64_t duration_ms)
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = {{86400000, "day"}, {3600000, "hour"}, {60000, "minute"}, {1000, "second"}, {1, "millisecond"}};
    size_t unit = 0;
    while (unit < 4 && (duration_ms == 0 || duration_ms % units[unit].ms != 0))
        unit++;
    vf_buffer_printf(out, "%lld %s%s", (long long)(duration_ms / units[unit].ms), units[unit].name,
                     duration_ms == units[unit].ms ? "" : "s");
}

void vf_keeping_print_limit(struct vf_buffer *out, const struct vf_keeping *keeping)
{
    if (keeping->retention_ms >= 0)
        print_time(out, keeping->retention_ms);
    if (keeping->retention_ms >= 0 && keeping->retention_bytes >= 0)
        vf_buffer_add_text(out, " or ");
    if (keeping->retention_bytes >= 0)
        vf_buffer_printf(out, "%lld bytes a partition", (long long)keeping->retention_bytes);
}

static void say_one(const char *topic, bool partial, const struct vf_keeping *keeping)
{
    const struct vf_log_field fields[] = {
        {.key = "topic", .text = topic},
        {.key = "cleanup_policy",
         .text = keeping->compacts ? keeping->deletes ? "compact,delete" : "compact" : "delete"},
        {.key = "retention_ms", .number = keeping->retention_ms},
        {.key = "retention_bytes", .number = keeping->retention_bytes},
        {0},
    };
    const struct vf_log_about about = {.fields = fields};
    struct vf_buffer limit;
    vf_buffer_init(&limit);
    vf_keeping_print_limit(&limit, keeping);
    enum vf_log_level level = partial ? VF_LOG_INFO : VF_LOG_WARN;
    if (keeping->compacts)
        vf_log(
            level, &about,
            "Kafka keeps only the last record of each key: events vanish, so a view cannot be built again, and a sequence "
            "has gaps. Set cleanup.policy=delete and retention.ms=-1; or say `history: partial`, if each record holds all "
            "that the view needs");
    else if (vf_keeping_is_limited(keeping))
        vf_log(level, &about,
               "Kafka keeps records for %s only: later on the view cannot be built again from the beginning. Set "
               "retention.ms=-1 and retention.bytes=-1; or say `history: partial`, if a view of what is left is right",
               limit.data);
    else
        vf_log(VF_LOG_INFO, &about, "Kafka keeps all records: views can be built again from the beginning");
    vf_buffer_done(&limit);
}

void vf_keeping_say(const char *const *topics, const bool *partial, const struct vf_keeping *keepings, size_t count)
{
    struct vf_buffer denied, unknown;
    vf_buffer_init(&denied);
    vf_buffer_init(&unknown);
    for (size_t i = 0; i < count; i++) {
        struct vf_buffer *list = keepings[i].code == VF_E_DENIED ? &denied : &unknown;
        if (keepings[i].code == VF_OK)
            say_one(topics[i], partial[i], &keepings[i]);
        else
            vf_buffer_printf(list, "%s%s", list->size ? ", " : "", topics[i]);
    }
    if (denied.size)
        vf_log(
            VF_LOG_INFO, NULL,
            "how long Kafka keeps its records is not shown to this login, for: %s. Grant it DescribeConfigs on them to "
            "have it said here",
            denied.data);
    if (unknown.size)
        vf_log(VF_LOG_INFO, NULL,
               "how long Kafka keeps its records is not known, as it has not answered in time, for: %s", unknown.data);
    vf_buffer_done(&denied);
    vf_buffer_done(&unknown);
}
