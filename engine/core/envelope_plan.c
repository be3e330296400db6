/* An envelope resolved: the default's plan, and plans made from mappings. Reading with them is in envelope.c. */
#include "core/preset.h"

static const char *const names[VF_PART_COUNT] = {
    [VF_PART_KIND] = "kind",     [VF_PART_ID] = "id",     [VF_PART_VERSION] = "version",   [VF_PART_TYPE] = "type",
    [VF_PART_SCHEMA] = "schema", [VF_PART_TIME] = "time", [VF_PART_EVENT_ID] = "event_id", [VF_PART_DATA] = "data",
};

const char *vf_part_name(enum vf_part part)
{
    return names[part];
}

/* What vf_envelope_resolve would make of these pointers (a test compares), as a constant: it needs no arena. */
#define MEMBER(text, at)                                                    \
    {                                                                       \
        .from = VF_FROM_VALUE, .name = "/" text, .member = (at), .rest = "" \
    }
#define SIZE(text) (UINT64_C(1) << (sizeof(text) - 1))

const struct vf_envelope_plan vf_envelope_standard = {
    .parts =
        {
            [VF_PART_KIND] = MEMBER("kind", 0),
            [VF_PART_ID] = MEMBER("id", 1),
            [VF_PART_VERSION] = MEMBER("version", 2),
            [VF_PART_TYPE] = MEMBER("type", 3),
            [VF_PART_TIME] =
                {.from = VF_FROM_VALUE, .name = "/time", .member = 4, .rest = "", .has_missing = true /* timestamp */},
            [VF_PART_EVENT_ID] = MEMBER("event_id", 5),
            [VF_PART_DATA] = MEMBER("data", 6),
        },
    .members = {{"kind", 4}, {"id", 2}, {"version", 7}, {"type", 4}, {"time", 4}, {"event_id", 8}, {"data", 4}},
    .member_count = 7,
    .member_sizes = SIZE("kind") | SIZE("id") | SIZE("version") | SIZE("event_id"),
    .parses_value = true,
};

/* A pointer's first reference token as the name that it stands for: ~1 is '/', ~0 is '~'. */
static struct vf_bytes first_token(const char *pointer, size_t size, struct vf_arena *arena)
{
    char *name = vf_arena_alloc(arena, size + 1);
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        name[used++] = pointer[i];
        if (pointer[i] == '~' && i + 1 < size)
            name[used - 1] = pointer[++i] == '1' ? '/' : '~';
    }
    name[used] = '\0';
    return vf_bytes(name, used);
}

static void resolve_pointer(struct vf_envelope_plan *plan, struct vf_mapping *mapping, struct vf_arena *arena)
{
    mapping->member = -1;
    if (!mapping->name[0])
        return;
    size_t size = strcspn(mapping->name + 1, "/");
    struct vf_bytes name = first_token(mapping->name + 1, size, arena);
    mapping->rest = mapping->name + 1 + size;
    for (mapping->member = 0; mapping->member < plan->member_count; mapping->member++)
        if (vf_bytes_equal(plan->members[mapping->member], name))
            return;
    plan->members[plan->member_count++] = name;
    plan->member_sizes |= UINT64_C(1) << (name.size & 63);
}

static enum vf_data_form data_form_of(enum vf_as as)
{
    return as == VF_AS_JSON ? VF_DATA_IN_STRING : as == VF_AS_CONNECT ? VF_DATA_CONNECT : VF_DATA_PLAIN;
}

static struct vf_envelope_plan *make_plan(const struct vf_envelope *envelope,
                                          const struct vf_mapping mappings[VF_PART_COUNT], struct vf_arena *arena)
{
    struct vf_envelope_plan *plan = vf_arena_calloc(arena, 1, sizeof *plan);
    for (int part = 0; part < VF_PART_COUNT; part++) {
        struct vf_mapping *mapping = &plan->parts[part];
        if ((part == VF_PART_KIND && envelope->kind) ||
            (part == VF_PART_VERSION && envelope->numbers == VF_NUMBERS_OFFSET))
            continue;
        *mapping = mappings[part];
        if (mapping->name)
            mapping->name = vf_arena_copy(arena, vf_bytes_from(mapping->name)).data;
        mapping->missing = vf_arena_copy(arena, mapping->missing);
        plan->has_connect |= part != VF_PART_DATA && mapping->as == VF_AS_CONNECT;
        if (mapping->from != VF_FROM_VALUE)
            continue;
        resolve_pointer(plan, mapping, arena);
        plan->parses_value |= part != VF_PART_DATA;
    }
    plan->data_form = data_form_of(plan->parts[VF_PART_DATA].as);
    plan->preset = envelope->preset;
    return plan;
}

static bool is_attribute(const struct vf_mapping *mapping)
{
    return mapping->from == VF_FROM_HEADER && strncmp(mapping->name, "ce_", 3) == 0;
}

/* Where a structured CloudEvent has what a binary one has in these places: attributes are members, the data is below `data`.
 * The key and other headers are the record's, in both. */
static struct vf_mapping structured_mapping(enum vf_part part, struct vf_mapping mapping, struct vf_arena *arena)
{
    if (mapping.from == VF_FROM_VALUE)
        mapping.name = vf_arena_printf(arena, "/data%s", mapping.name).data;
    if (!is_attribute(&mapping))
        return mapping;
    mapping.from = VF_FROM_VALUE;
    mapping.name = vf_arena_printf(arena, "/%s", mapping.name + 3).data;
    if (mapping.as == VF_AS_UNSAID && (part == VF_PART_VERSION || part == VF_PART_SCHEMA))
        mapping.as = VF_AS_INT; /* an attribute may be a number or a string of digits: `sequence` is a string */
    return mapping;
}

static struct vf_envelope_plan *make_structured(const struct vf_envelope *envelope,
                                                const struct vf_mapping mappings[VF_PART_COUNT], struct vf_arena *arena)
{
    struct vf_mapping structured[VF_PART_COUNT];
    for (int part = 0; part < VF_PART_COUNT; part++)
        structured[part] = structured_mapping((enum vf_part)part, mappings[part], arena);
    struct vf_envelope_plan *plan = make_plan(envelope, structured, arena);
    plan->parses_value = true; /* specversion is there, whatever is mapped */
    if (plan->data_form == VF_DATA_PLAIN)
        plan->data_form = VF_DATA_CLOUDEVENT;
    return plan;
}

void vf_envelope_resolve(struct vf_envelope *envelope, const struct vf_mapping mappings[VF_PART_COUNT],
                         struct vf_arena *arena)
{
    struct vf_envelope_plan *plan = make_plan(envelope, mappings, arena);
    if (envelope->preset && envelope->preset->wire == VF_WIRE_CLOUDEVENTS) {
        struct vf_envelope_plan *structured = make_structured(envelope, mappings, arena);
        const struct vf_mapping *event_id = &mappings[VF_PART_EVENT_ID];
        plan->joins_source = event_id->from == VF_FROM_HEADER && strcmp(event_id->name, "ce_id") == 0;
        structured->joins_source = plan->joins_source;
        plan->structured = structured;
    }
    envelope->plan = plan;
}
