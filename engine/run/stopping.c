#include "run/stopping.h"

#include "core/body.h"

char *vf_stop_reason(const struct vf_partition *partition, int64_t offset, struct vf_bytes aggregate,
                     const struct vf_error *error, bool degraded)
{
    struct vf_buffer out, at;
    vf_buffer_init(&out);
    vf_buffer_init(&at);
    vf_buffer_add_text(&out, "{");
    if (aggregate.size) {
        vf_buffer_add_text(&out, "\"aggregate\":");
        vf_json_print_string(&out, aggregate);
        vf_buffer_add_text(&out, ",");
    }
    vf_buffer_printf(&at, "%s/%d@%lld", partition->topic, partition->partition, (long long)offset);
    vf_buffer_add_text(&out, "\"at\":");
    vf_json_print_string(&out, vf_bytes(at.data, at.size));
    vf_buffer_printf(&out, ",\"degraded\":%s,\"error\":", degraded ? "true" : "false");
    vf_json_print_string(&out, vf_bytes_from(error->text));
    vf_buffer_add_text(&out, "}");
    vf_buffer_done(&at);
    return out.data;
}
