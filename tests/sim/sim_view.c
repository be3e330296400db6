#include "sim/sim_view.h"

#include "sim/plain_projector.h"

#include <stdio.h>

#define HOUR_MS 3600000

static const struct vf_index indexes[] = {
    {.name = "all", .sort = "x_total"},
    {.name = "odd", .sort = "x_total", .where = "x_odd"},
    {.name = "third", .by = "x_third"},
};

static uint64_t below(struct sim_producer *producer, uint64_t limit)
{
    return vf_sim_random_below(producer->random, limit);
}

static void choose_topics(struct sim_view *view, struct sim_producer *producer, enum vf_versions_mode versions)
{
    bool many = versions != VF_VERSIONS_DOCUMENT; /* a document for an aggregate is not enough for them */
    int *topics = producer->topics, count = 0;
    topics[count++] = SIM_CUSTOMERS;
    topics[count++] = SIM_ORDERS;
    if (many && (!view->joins || below(producer, 2)))
        topics[count++] = SIM_TAGS;
    if (view->joins && below(producer, 4)) {
        topics[count++] = SIM_ACCOUNTS;
        topics[count++] = SIM_CARDS;
        if (below(producer, 2))
            topics[count++] = SIM_NOTES;
    }
    if (many && view->joins && below(producer, 2))
        topics[count++] = SIM_DAYS;
    producer->topic_count = count;
}

static void choose_numbers(struct sim_view *view, struct sim_producer *producer, enum sim_kind numbers, int place)
{
    static struct vf_envelope_plan text_plan; /* versions are strings */
    text_plan = vf_envelope_standard;
    text_plan.parts[VF_PART_VERSION].as = VF_AS_UTF8;
    int topic = producer->topics[place];
    struct sim_numbers chosen = sim_producer_choose(producer, topic, numbers);
    producer->partitions[topic] = 1 + (int)below(producer, SIM_PARTITIONS_MAX);
    vf_memory_log_add_topic(producer->log, sim_topics[topic].topic, producer->partitions[topic]);
    view->topics[place] = sim_topics[topic].topic;
    view->routes[place] = sim_topics[topic].route;
    view->readings[place] =
        (struct vf_reading_topic){.topic = sim_topics[topic].topic,
                                  .envelope = {.numbers = chosen.numbers,
                                               .first = chosen.first,
                                               .gaps_allowed = chosen.allowed,
                                               .history_partial = chosen.any,
                                               .repeats = chosen.repeats,
                                               .plan = chosen.text ? &text_plan : &vf_envelope_standard}};
}

void sim_view_choose(struct sim_view *view, struct sim_producer *producer, enum vf_versions_mode versions,
                     enum sim_kind numbers)
{
    producer->versions = versions;
    producer->joins = view->joins;
    choose_topics(view, producer, versions);
    for (int i = 0; i < producer->topic_count; i++)
        choose_numbers(view, producer, numbers, i);
    view->projection = (struct vf_projection){
        .name = "view",
        .version = 1,
        .topics = view->topics,
        .topic_count = (size_t)producer->topic_count,
        .routes = view->routes,
        .route_count = (size_t)producer->topic_count,
        .versions = versions,
        .unlinked = VF_UNLINKED_PARK,
    };
    view->forget_ms = 0;
    if (view->joins) {
        view->projection.unlinked = below(producer, 4) ? VF_UNLINKED_HOLD : VF_UNLINKED_IGNORE;
        view->projection.indexes = indexes;
        view->projection.index_count = below(producer, 2) ? sizeof indexes / sizeof *indexes : 0;
        view->projection.ttl_ms = below(producer, 2) ? HOUR_MS : 0;
        if (below(producer, 4) == 0) {
            view->forget_ms = HOUR_MS * 2;
            producer->without_repeats = true; /* they may be forgotten */
        }
    }
    vf_plain_describe(&view->projection);
}

/* --- the same in Lua ---------------------------------------------------------------------------------------------- */

static const char functions[] =
    "local function count(doc, name, e)\n"
    "  local part = doc[name] or { h = 0, n = 0 }\n"
    "  doc[name] = part\n"
    "  part.n = part.n + 1\n"
    "  local version = math.type(e.version) and e.version or tonumber(e.version, 16)\n"
    "  local number = e.event_id and tonumber(e.event_id:sub(2)) or 0\n"
    "  part.h = part.h * 1000003 + version * 31 + number * 257 + e.type:byte()\n"
    "end\n"
    "local indexed = %s\n"
    "local function total(doc)\n"
    "  if not indexed then return end\n"
    "  local sum = 0\n"
    "  for name, part in pairs(doc) do if type(part) == 'table' then sum = sum + part.n end end\n"
    "  doc.x_odd, doc.x_third, doc.x_total = sum %% 2 == 1, sum %% 3, sum\n"
    "end\n"
    "local function take(doc, e, from)\n"
    "  if from then\n"
    "    local part = from[e.aggregate] or doc[e.aggregate] or { h = 0, n = 0 }\n"
    "    doc[e.aggregate], from[e.aggregate] = part, nil\n"
    "    count(from, 'left ' .. e.aggregate, e)\n"
    "    part.h = part.h + from['left ' .. e.aggregate].n\n"
    "    total(from)\n"
    "  end\n"
    "  count(doc, e.aggregate, e)\n"
    "  if e.type == 'Broken' then error('broken') end\n"
    "  if e.type == 'Unkept' then doc[e.aggregate].n = take return end\n"
    "  total(doc)\n"
    "end\n"
    "local function to(e) if e.data.to == null then return nil end return e.data.to end\n";

static const char joined[] =
    "local function gone(doc, e, from) take(doc, e, from) return delete end\n"
    "return {\n"
    "  name = 'view', topics = { %s },\n"
    "  key = { %s },\n"
    "  versions = '%s', unlinked = '%s', %s%s\n"
    "  on = { Created = take, Changed = take, Flaky = take, Shared = take, Issued = take, Reassigned = take,\n"
    "         Broken = take, Deleted = gone, Removed = gone },\n"
    "}\n";

/* What `key` says with joins, by topic. */
static const char *const key_lines[SIM_TOPICS] = {
    [SIM_CUSTOMERS] = "customer = own",
    [SIM_ORDERS] = "order = link { Created = to, Reassigned = to, Removed = to, Renoted = to }",
    [SIM_TAGS] = "tag = to",
    [SIM_ACCOUNTS] = "account = link { Created = to, Reassigned = to, Removed = to, Renoted = to }",
    [SIM_CARDS] = "card = link { Created = to, Issued = through('account', 'via'), Reassigned = to, Removed = to }",
    [SIM_NOTES] = "note = through('card', 'via')",
    [SIM_DAYS] = "day = to",
};

static const char simple[] =
    "return {\n"
    "  name = 'view', topics = { %s },\n"
    "  key = { customer = own, order = link { Created = to }%s },\n"
    "  versions = '%s', unlinked = 'park',\n"
    "  on = { Created = take, Changed = take, Flaky = take, Broken = take, Shared = take, Unkept = take },\n"
    "}\n";

static const char index_lines[] =
    "indexes = { all = { sort = 'x_total' }, odd = { sort = 'x_total', where = 'x_odd' }, "
    "third = { by = 'x_third' } },";

size_t sim_view_script(const struct sim_view *view, char *script, size_t size)
{
    static const char *const versions[] = {"document", "record", "none"};
    const struct vf_projection *projection = &view->projection;
    char topics[200] = "", keys[1000] = "";
    for (size_t i = 0, used = 0, key_used = 0; i < projection->topic_count; i++) {
        used += (size_t)snprintf(topics + used, sizeof topics - used, "%s'%s'", i ? ", " : "", view->topics[i]);
        for (int topic = 0; topic < SIM_TOPICS; topic++)
            if (strcmp(sim_topics[topic].topic, view->topics[i]) == 0)
                key_used += (size_t)snprintf(keys + key_used, sizeof keys - key_used, "%s%s", i ? ",\n          " : "",
                                             key_lines[topic]);
    }
    const char *mode = versions[projection->versions];
    int used = snprintf(script, size, functions, projection->index_count ? "true" : "false");
    if (view->joins)
        used += snprintf(script + used, size - (size_t)used, joined, topics, keys, mode,
                         projection->unlinked == VF_UNLINKED_HOLD ? "hold" : "ignore",
                         projection->ttl_ms ? "ttl = '1h', " : "", projection->index_count ? index_lines : "");
    else
        used += snprintf(script + used, size - (size_t)used, simple, topics,
                         projection->topic_count == 3 ? ", tag = to" : "", mode);
    return (size_t)used;
}
