#include "core/preset.h"

/* As many event ids as a relay may send again after a crash, and a document can carry. */
#define REPEATS 64

#define HEADER(text)                           \
    {                                          \
        .from = VF_FROM_HEADER, .name = (text) \
    }
#define VALUE(text)                           \
    {                                         \
        .from = VF_FROM_VALUE, .name = (text) \
    }

/* CloudEvents 1.0, Kafka protocol binding and JSON format. The mapping is that of the binary mode; vf_envelope_resolve makes the
 * structured mode's of it. */
static const struct vf_preset cloudevents = {
    .name = "cloudevents",
    .wire = VF_WIRE_CLOUDEVENTS,
    .null_is_event = true,
    .numbers = VF_NUMBERS_OFFSET,
    .repeats = REPEATS,
    .parts =
        {
            [VF_PART_ID] = HEADER("ce_subject"),
            [VF_PART_TYPE] = HEADER("ce_type"),
            [VF_PART_TIME] = {.from = VF_FROM_HEADER,
                              .as = VF_AS_RFC3339,
                              .name = "ce_time",
                              .has_missing = true,
                              .missing = {"timestamp", 9}},
            [VF_PART_EVENT_ID] = HEADER("ce_id"),
            [VF_PART_DATA] = VALUE(""),
        },
    .advice =
        {
            [VF_PART_ID] = "a CloudEvent need not have a subject; where the aggregate's id is elsewhere, say so in the "
                           "topic's override, as in id: {key: utf8}",
        },
    .stranger = "this is no CloudEvent: it has neither a content-type of application/cloudevents+json, nor a header "
                "ce_specversion, nor a value that is a JSON object with specversion",
};

/* Eventuate Tram writes everything into the value, {"payload":"<JSON>","headers":{...}}, and no header of Kafka's. */
static const struct vf_preset eventuate_tram = {
    .name = "eventuate-tram",
    .wire = VF_WIRE_EVENTUATE,
    .numbers = VF_NUMBERS_OFFSET,
    .repeats = REPEATS,
    .parts =
        {
            [VF_PART_KIND] = VALUE("/headers/event-aggregate-type"),
            [VF_PART_ID] = VALUE("/headers/event-aggregate-id"),
            [VF_PART_TYPE] = VALUE("/headers/event-type"),
            [VF_PART_TIME] = {.from = VF_FROM_VALUE,
                              .as = VF_AS_RFC1123,
                              .name = "/headers/DATE",
                              .has_missing = true,
                              .missing = {"timestamp", 9}},
            [VF_PART_EVENT_ID] = VALUE("/headers/ID"),
            [VF_PART_DATA] = {.from = VF_FROM_VALUE, .as = VF_AS_JSON, .name = "/payload"},
        },
    .advice = {[VF_PART_TYPE] = "commands and replies have none: they are no events"},
    .stranger = "this is no message of Eventuate Tram: its value is no JSON object with payload and headers",
};

/* Debezium's outbox event router, with an event type, which it sends only when it is told to. */
static const struct vf_preset debezium_outbox = {
    .name = "debezium-outbox",
    .wire = VF_WIRE_OUTBOX,
    .null_is_event = true,
    .numbers = VF_NUMBERS_OFFSET,
    .repeats = REPEATS,
    .parts =
        {
            [VF_PART_ID] = {.from = VF_FROM_KEY, .as = VF_AS_CONNECT},
            [VF_PART_TYPE] = {.from = VF_FROM_HEADER, .as = VF_AS_CONNECT, .name = "eventType"},
            [VF_PART_EVENT_ID] = {.from = VF_FROM_HEADER, .as = VF_AS_CONNECT, .name = "id"},
            [VF_PART_DATA] = {.from = VF_FROM_VALUE, .as = VF_AS_CONNECT, .name = ""},
        },
    .advice =
        {
            [VF_PART_TYPE] = "the router sends it where it has "
                             "table.fields.additional.placement=type:header:eventType",
        },
    .stranger = "this is no record of Debezium's outbox router: it has no header id",
};

const struct vf_preset *const vf_presets[] = {&cloudevents, &eventuate_tram, &debezium_outbox};
const size_t vf_preset_count = sizeof vf_presets / sizeof vf_presets[0];

const struct vf_preset *vf_preset_find(const char *name)
{
    for (size_t i = 0; i < vf_preset_count; i++)
        if (strcmp(vf_presets[i]->name, name) == 0)
            return vf_presets[i];
    return NULL;
}
