#include "core/framing.h"

#include <endian.h>
#include <stdio.h>
#include <strings.h>

/* Confluent: a zero and the schema's number; since its version 1, a one and the schema's GUID. AWS Glue: its version 3, a byte for
 * the compression, and the schema version's UUID. */
#define CONFLUENT_GUID_BYTES 17
#define GLUE_BYTES           18

#define ADVICE                                                                                               \
    "Schema registries are not built yet, and nothing is read without its schema: have it written as plain " \
    "JSON (a JSON or string serializer without a registry; in Kafka Connect "                                \
    "value.converter=org.apache.kafka.connect.json.JsonConverter), or copied to a topic as that"

/* "6f9619ff-8b86-d011-b42d-00cf4fc964ff" */
static void print_uuid(char text[37], const char *bytes)
{
    size_t used = 0;
    for (int i = 0; i < 16; i++)
        used += (size_t)snprintf(text + used, 37 - used, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                                 (unsigned char)bytes[i]);
}

enum vf_code vf_framing_check(struct vf_bytes bytes, const char *what, struct vf_error *error)
{
    char uuid[37];
    if (!vf_framing_is_likely(bytes))
        return VF_OK;
    if (bytes.data[0] == 0) {
        uint32_t schema;
        memcpy(&schema, bytes.data + 1, sizeof schema);
        return vf_fail(
            error, VF_E_DATA,
            "%s is framed by Confluent's schema registry (it begins with the byte 0 and the schema id %u). %s", what,
            (unsigned)be32toh(schema), ADVICE);
    }
    if (bytes.data[0] == 1 && bytes.size >= CONFLUENT_GUID_BYTES) {
        print_uuid(uuid, bytes.data + 1);
        return vf_fail(error, VF_E_DATA,
                       "%s is framed by Confluent's schema registry (it begins with the byte 1 and the schema %s). %s",
                       what, uuid, ADVICE);
    }
    if (bytes.data[0] == 3 && bytes.size >= GLUE_BYTES && (bytes.data[1] == 0 || bytes.data[1] == 5)) {
        print_uuid(uuid, bytes.data + 2);
        return vf_fail(error, VF_E_DATA,
                       "%s is framed by AWS Glue's schema registry (it begins with the byte 3, %s, and the schema "
                       "version %s). %s",
                       what, bytes.data[1] == 5 ? "5 for zlib" : "0 for no compression", uuid, ADVICE);
    }
    return VF_OK;
}

static const struct vf_header *find_header(const struct vf_record *record, const char *name)
{
    for (size_t i = record->header_count; i-- > 0;)
        if (vf_bytes_is(record->headers[i].name, name))
            return &record->headers[i];
    return NULL;
}

/* Whether a media type says JSON: its subtype is json, or ends with +json. */
static bool is_json_type(struct vf_bytes type)
{
    size_t size = 0;
    while (size < type.size && type.data[size] != ';' && type.data[size] != ' ')
        size++;
    return size >= 5 && strncasecmp(type.data + size - 4, "json", 4) == 0 &&
           (type.data[size - 5] == '/' || type.data[size - 5] == '+');
}

void vf_framing_explain(const struct vf_record *record, struct vf_error *error)
{
    const struct vf_header *schema = find_header(record, "__value_schema_id");
    const struct vf_header *type = find_header(record, "content-type");
    if (schema) {
        (void)vf_fail(error, VF_E_DATA,
                      "the value is no JSON, and has a schema in Confluent's schema registry (the header "
                      "__value_schema_id). %s",
                      ADVICE);
        return;
    }
    if (vf_framing_check(record->value, "the value", error) != VF_OK || !type || type->value.size == 0 ||
        is_json_type(type->value))
        return;
    struct vf_bytes text = type->value;
    bool is_shown = text.size <= 100 && vf_bytes_is_utf8(text);
    struct vf_error reason = *error;
    (void)vf_fail(error, VF_E_DATA, "%s. Its content-type is %.*s, and JSON is what viewfold reads", reason.text,
                  is_shown ? (int)text.size : 11, is_shown ? text.data : "another one");
}
