#include "cli/config_read.h"

#include "cli/config_check.h"
#include "cli/config_envelope.h"
#include "cli/config_keys.h"
#include "cli/config_tree.h"
#include "cli/suggest.h"

#include <stdlib.h>

struct reading {
    const char *folder; /* the file's */
    struct vf_arena *arena;
    struct vf_findings *findings;
    const struct vf_config_rules *rules;
    struct vf_config *config;
};

/* Getters: what is wrong was found by vf_config_check already, so they answer the default for it and stay silent. */

/* The number of `map`'s member whose path in the table is `path`, else the table's default, else `otherwise`. */
static int64_t number_or(const struct vf_node *map, const char *path, int64_t otherwise)
{
    const struct vf_key *key = vf_key_find(path);
    const struct vf_node *node = vf_node_member(map, strrchr(path, '.') + 1);
    struct vf_error error;
    int64_t number;
    if (node && node->kind == VF_NODE_SCALAR && !node->bad &&
        vf_key_read(key, node->text, node->source, &number, &error) == VF_OK) {
        return number;
    }
    if (key->standard && vf_key_read(key, key->standard, key->standard, &number, &error) == VF_OK) {
        return number;
    }
    return otherwise;
}

static int64_t number_of(const struct vf_node *map, const char *path)
{
    return number_or(map, path, 0);
}

static const char *text_or(const struct vf_node *map, const char *name, const char *otherwise)
{
    const struct vf_node *node = vf_node_member(map, name);
    return node && node->kind == VF_NODE_SCALAR && !node->bad ? node->text : otherwise;
}

static size_t count_of(const struct vf_node *node)
{
    size_t count = 0;
    if (node && node->kind == VF_NODE_SCALAR) {
        return 1; /* VF_KEY_TEXTS takes one text for a list of one */
    }
    for (const struct vf_node *child = node ? node->first : NULL; child; child = child->next) {
        count++;
    }
    return count;
}

/* The first of VF_KEY_TEXTS' items. */
static const struct vf_node *items_of(const struct vf_node *node)
{
    return node && node->kind != VF_NODE_SCALAR ? node->first : node;
}

/* The one after it: a lone text has a `next` too, that of its map. */
static const struct vf_node *item_after(const struct vf_node *list, const struct vf_node *item)
{
    return list == item ? NULL : item->next;
}

static bool only_holds(const char *text, const char *extra)
{
    for (; *text; text++) {
        bool plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') || (*text >= '0' && *text <= '9');
        if (!plain && !strchr(extra, *text)) {
            return false;
        }
    }
    return true;
}

bool vf_view_name_is_valid(const char *name)
{
    if (name[0] < 'a' || name[0] > 'z' || strcmp(name, "viewfold") == 0) {
        return false;
    }
    for (const char *at = name; *at; at++) {
        if (!((*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == '_')) {
            return false;
        }
    }
    return true;
}

static void check_property(struct reading *reading, const struct vf_node *node)
{
    const struct vf_config_rules *rules = reading->rules;
    const char *reason = rules->property_refusal ? rules->property_refusal(node->key) : NULL;
    struct vf_error error;
    if (reason) {
        vf_findings_add(reading->findings, node->key_place, "kafka.properties.%s is not yours to set: %s", node->key,
                        reason);
    } else if (rules->property_check && !node->bad && node->kind == VF_NODE_SCALAR &&
               rules->property_check(node->key, node->text, &error) != VF_OK) {
        /* The reason may quote the value, and one that was put in may be secret: then it is asked about what is written. */
        if (strstr(node->source, "${") && rules->property_check(node->key, node->source, &error) == VF_OK) {
            vf_fail(&error, VF_E_CONFIG, "kafka.properties: %s: librdkafka does not take the value of %s", node->key,
                    node->source);
        }
        vf_findings_add(reading->findings, node->key_place, "%s", error.text);
    }
}

static void check_brokers(struct reading *reading, const struct vf_node *item)
{
    const struct vf_kafka_config *kafka = &reading->config->kafka;
    struct vf_error error;
    if (!reading->rules->brokers_check || item->kind != VF_NODE_SCALAR || item->bad || item->text[0] == 0 ||
        reading->rules->brokers_check(item->text, kafka->properties, kafka->property_count, &error) == VF_OK) {
        return;
    }
    if (strstr(item->source, "${")) { /* the reason may quote what was put in */
        vf_fail(&error, VF_E_CONFIG,
                "kafka.brokers: %s stands for no list of brokers: host:port is wanted, with commas between several",
                strchr(item->source, '@') ? "${...}" : item->source);
    }
    vf_findings_add(reading->findings, item->place, "%s", error.text);
}

static void read_properties(struct reading *reading, const struct vf_node *list)
{
    struct vf_source_property *properties = vf_arena_calloc(reading->arena, count_of(list), sizeof *properties);
    size_t count = 0;
    for (const struct vf_node *node = list && list->kind == VF_NODE_MAP ? list->first : NULL; node; node = node->next) {
        check_property(reading, node);
        properties[count++] = (struct vf_source_property){.name = node->key, .value = node->text};
    }
    reading->config->kafka.properties = properties;
    reading->config->kafka.property_count = count;
}

static void read_kafka(struct reading *reading, const struct vf_node *kafka)
{
    struct vf_kafka_config *config = &reading->config->kafka;
    const struct vf_node *brokers = vf_node_member(kafka, "brokers");
    struct vf_buffer joined;
    read_properties(reading, vf_node_member(kafka, "properties"));
    vf_buffer_init(&joined);
    vf_buffer_add_text(&joined, "");
    for (const struct vf_node *item = items_of(brokers); item; item = item_after(brokers, item)) {
        vf_buffer_add_text(&joined, joined.size > 0 ? "," : "");
        vf_buffer_add_text(&joined, item->text);
        check_brokers(reading, item);
    }
    config->brokers = vf_arena_bytes(reading->arena, joined.data, joined.size).data;
    vf_buffer_done(&joined);

    config->group = text_or(kafka, "group", vf_key_find("kafka.group")->standard);
    config->instance = text_or(kafka, "instance", NULL);
}

#define ADDRESS_HIDDEN "..."

/* host:port/database of a URL: without scheme, login and options, so that messages may show it. */
static const char *address_of(struct reading *reading, const char *url)
{
    const char *begin = strstr(url, "://");
    begin = begin ? begin + 3 : url;
    size_t size = strcspn(begin, "?#");
    /* A login ends at the last '@': a password may hold a raw one. One behind a '?' may end a login whose password holds a
     * raw '?', or stand in an option: nothing is shown then. */
    const char *login_end = strrchr(begin, '@');
    if (login_end && login_end > begin + size) {
        return ADDRESS_HIDDEN;
    }
    const char *host = login_end ? login_end + 1 : begin;
    return vf_arena_bytes(reading->arena, host, (size_t)(begin + size - host)).data;
}

/* What its connector would refuse before it connects. */
static void check_by_connector(struct reading *reading, const struct vf_node *node, const char *store,
                               const char *type_name)
{
    const struct vf_store_type *const *type = reading->rules->stores;
    struct vf_error error;
    while (type && *type && strcmp((*type)->name, type_name) != 0) {
        type++;
    }
    if (type && *type && (*type)->check_url && (*type)->check_url(store, node->text, &error) != VF_OK) {
        vf_findings_add(reading->findings, node->place, "%s", error.text);
    }
}

static void check_url(struct reading *reading, const struct vf_node *node, const char *store, bool redis)
{
    const char *url = node->text;
    size_t before = vf_findings_count(reading->findings);
    if (node->kind != VF_NODE_SCALAR || node->bad || url[0] == 0) {
        return;
    }
    /* The URL itself is never shown: it may hold a password. */
    if (redis && strncmp(url, "redis://", 8) != 0 && strncmp(url, "rediss://", 9) != 0) {
        vf_findings_add(reading->findings, node->place, "stores.%s.redis: a URL redis://host:port/database is wanted",
                        store);
    }
    if (!redis && strncmp(url, "mongodb://", 10) != 0 && strncmp(url, "mongodb+srv://", 14) != 0) {
        vf_findings_add(reading->findings, node->place, "stores.%s.mongodb: a URL mongodb://hosts/database is wanted",
                        store);
    } else if (!redis) {
        const char *address = address_of(reading, url);
        const char *slash = strrchr(address, '/');
        if (strcmp(address, ADDRESS_HIDDEN) != 0 && (!slash || slash[1] == 0)) {
            vf_findings_add(reading->findings, node->place,
                            "stores.%s.mongodb: the URL names no database: mongodb://hosts/DATABASE?...", store);
        }
    }
    if (vf_findings_count(reading->findings) == before) {
        check_by_connector(reading, node, store, redis ? "redis" : "mongodb");
    }
}

static void read_store(struct reading *reading, const struct vf_node *node, struct vf_store_entry *store)
{
    const struct vf_node *redis = vf_node_member(node, "redis");
    const struct vf_node *mongodb = vf_node_member(node, "mongodb");
    const struct vf_node *prefix = vf_node_member(node, "prefix");
    const struct vf_node *url = redis ? redis : mongodb;
    if (!only_holds(node->key, "_-")) {
        vf_findings_add(reading->findings, node->key_place,
                        "stores.%s: a store's name is made of letters, digits, _ and -", node->key);
    }
    if (node->kind == VF_NODE_MAP && !redis == !mongodb) {
        vf_findings_add(reading->findings, redis ? mongodb->key_place : node->key_place,
                        "stores.%s: one of redis and mongodb is wanted, %s", node->key,
                        redis ? "not both" : "with its URL");
    }
    if (mongodb && !redis && prefix) {
        vf_findings_add(reading->findings, prefix->key_place,
                        "stores.%s.prefix is for redis: a MongoDB store is told apart by its database", node->key);
    }
    if (url) {
        check_url(reading, url, node->key, redis != NULL);
    }
    *store = (struct vf_store_entry){
        .name = node->key,
        .type = redis ? "redis" : "mongodb",
        .url = url ? url->text : "",
        .address = url ? address_of(reading, url->text) : "",
        .username = text_or(node, "username", NULL),
        .password = text_or(node, "password", NULL),
        .prefix = text_or(node, "prefix", vf_key_find("stores.*.prefix")->standard),
        .emptied_stop = number_of(node, "stores.*.emptied") == 1,
        .place = node->key_place,
    };
}

static void read_stores(struct reading *reading, const struct vf_node *list)
{
    struct vf_store_entry *stores = vf_arena_calloc(reading->arena, count_of(list), sizeof *stores);
    size_t count = 0;
    for (const struct vf_node *node = list && list->kind == VF_NODE_MAP ? list->first : NULL; node; node = node->next) {
        read_store(reading, node, &stores[count++]);
    }
    reading->config->stores = stores;
    reading->config->store_count = count;
}

static void read_topic(struct reading *reading, const struct vf_config_envelopes *envelopes, const struct vf_node *node,
                       struct vf_topic_entry *topic)
{
    const char *kafka_name = text_or(node, "topic", node->key);
    const char *kind = text_or(node, "kind", NULL);
    struct vf_envelope envelope = vf_config_envelope_of(envelopes, node, reading->arena, reading->findings);

    if (!only_holds(kafka_name, "._-") || strlen(kafka_name) > 249) {
        const struct vf_node *said = vf_node_member(node, "topic");
        vf_findings_add(reading->findings, said ? said->place : node->key_place,
                        "topics.%s: a Kafka topic's name is made of up to 249 letters, digits, '.', _ and -",
                        node->key);
    }
    if (kind && (strchr(kind, '/') || strlen(kind) > VF_ID_BYTES_MAX)) {
        vf_findings_add(reading->findings, vf_node_member(node, "kind")->place,
                        "topics.%s.kind: a kind has no '/' and at most %d bytes", node->key, VF_ID_BYTES_MAX);
    }
    envelope.history_partial = number_of(node, "topics.*.history") == 1;
    envelope.keys_stay = number_of(node, "topics.*.partitions_added") == 1;
    *topic = (struct vf_topic_entry){
        .name = node->key,
        .topic = kafka_name,
        .envelope = envelope,
        .place = node->key_place,
    };
}

/* Offsets of two topics are not comparable: a topic of them whose kind is in each record has none that another one fixes. */
static void keep_kinds_apart(struct reading *reading, struct vf_topic_entry *topics, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct vf_envelope *envelope = &topics[i].envelope;
        if (envelope->kind || envelope->numbers != VF_NUMBERS_OFFSET) {
            continue;
        }
        const char **kinds = vf_arena_calloc(reading->arena, count, sizeof *kinds);
        for (size_t j = 0; j < count; j++) {
            if (topics[j].envelope.kind && strcmp(topics[j].topic, topics[i].topic) != 0) {
                kinds[envelope->other_kind_count++] = topics[j].envelope.kind;
            }
        }
        envelope->other_kinds = kinds;
    }
}

static void read_topics(struct reading *reading, const struct vf_node *named, const struct vf_node *list)
{
    const struct vf_config_envelopes *envelopes = vf_config_envelopes_read(named, reading->arena, reading->findings);
    struct vf_topic_entry *topics = vf_arena_calloc(reading->arena, count_of(list), sizeof *topics);
    size_t count = 0;
    for (const struct vf_node *node = list && list->kind == VF_NODE_MAP ? list->first : NULL; node; node = node->next) {
        read_topic(reading, envelopes, node, &topics[count++]);
    }
    keep_kinds_apart(reading, topics, count);
    reading->config->topics = topics;
    reading->config->topic_count = count;
}

static struct vf_errors_config read_errors(const struct vf_node *node)
{
    return (struct vf_errors_config){
        .retries = (int32_t)number_of(node, "defaults.errors.retries"),
        .backoff_ms = number_of(node, "defaults.errors.backoff"),
        .then = number_of(node, "defaults.errors.then") == 1 ? VF_THEN_STOP : VF_THEN_PARK,
    };
}

/* What a projection says about errors, over the defaults. */
static struct vf_errors_config read_errors_over(const struct vf_node *node, struct vf_errors_config standard)
{
    int64_t then = standard.then == VF_THEN_STOP ? 1 : 0;
    return (struct vf_errors_config){
        .retries = (int32_t)number_or(node, "projections.[].errors.retries", standard.retries),
        .backoff_ms = number_or(node, "projections.[].errors.backoff", standard.backoff_ms),
        .then = number_or(node, "projections.[].errors.then", then) == 1 ? VF_THEN_STOP : VF_THEN_PARK,
    };
}

static void find_store(struct reading *reading, const struct vf_node *item, struct vf_projection_entry *projection,
                       struct vf_projection_store *stores)
{
    if (item->kind != VF_NODE_SCALAR || item->bad || item->text[0] == 0) {
        return;
    }
    const struct vf_store_entry *store = vf_config_store(reading->config, item->text);
    const char *near = NULL;
    if (!store) {
        for (size_t i = 0; i < reading->config->store_count; i++) {
            vf_suggest_offer(item->text, reading->config->stores[i].name, &near);
        }
        vf_findings_add(reading->findings, item->place, "there is no store %s under stores%s%s%s", item->source,
                        near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
        return;
    }
    for (size_t i = 0; i < projection->store_count; i++) {
        if (stores[i].store == store) {
            vf_findings_add(reading->findings, item->place, "the store %s stands here twice", item->source);
            return;
        }
    }
    stores[projection->store_count++] = (struct vf_projection_store){.store = store, .view_name = NULL};
}

static void read_names(struct reading *reading, const struct vf_node *names,
                       const struct vf_projection_entry *projection, struct vf_projection_store *stores)
{
    if (!names || names->kind != VF_NODE_MAP) {
        return;
    }
    for (const struct vf_node *node = names->first; node; node = node->next) {
        struct vf_projection_store *found = NULL;
        for (size_t i = 0; i < projection->store_count; i++) {
            found = strcmp(stores[i].store->name, node->key) == 0 ? &stores[i] : found;
        }
        if (!found) {
            vf_findings_add(reading->findings, node->key_place, "names: %s is none of this projection's stores",
                            node->key);
        } else if (node->kind == VF_NODE_SCALAR && !node->bad && !vf_view_name_is_valid(node->text)) {
            vf_findings_add(reading->findings, node->place,
                            "names.%s: a view's name is [a-z][a-z0-9_]*, and viewfold is taken", node->key);
        } else {
            found->view_name = node->text;
        }
    }
}

static void read_script_path(struct reading *reading, struct vf_projection_entry *projection, const char *script)
{
    struct vf_arena *arena = reading->arena;
    const char *path = script[0] == '/' || strcmp(reading->folder, ".") == 0
                           ? script
                           : vf_arena_printf(arena, "%s/%s", reading->folder, script).data;
    const char *slash = strrchr(path, '/');
    projection->script = path;
    projection->script_name = slash ? slash + 1 : path;
    projection->script_folder = !slash          ? "."
                                : slash == path ? "/"
                                                : vf_arena_bytes(arena, path, (size_t)(slash - path)).data;
}

static void read_projection(struct reading *reading, const struct vf_node *node, const struct vf_node *defaults,
                            struct vf_projection_entry *projection)
{
    const struct vf_config *config = reading->config;
    const struct vf_node *script = vf_node_member(node, "script");
    const struct vf_node *list = vf_node_member(node, "stores");
    size_t wanted = list ? count_of(list) : 1;
    struct vf_projection_store *stores = vf_arena_calloc(reading->arena, wanted, sizeof *stores);

    projection->place = script ? script->place : node->place;
    read_script_path(reading, projection, text_or(node, "script", ""));
    for (const struct vf_node *item = items_of(list); item; item = item_after(list, item)) {
        find_store(reading, item, projection, stores);
    }
    if (!list && config->store_count == 1) {
        stores[projection->store_count++] =
            (struct vf_projection_store){.store = &config->stores[0], .view_name = NULL};
    } else if (!list && config->store_count > 1) {
        vf_findings_add(reading->findings, node->place,
                        "stores is missing: which of %s, %s%s does this projection write to?", config->stores[0].name,
                        config->stores[1].name, config->store_count > 2 ? ", ..." : "");
    }
    read_names(reading, vf_node_member(node, "names"), projection, stores);
    projection->stores = stores;
    projection->workers = (int32_t)number_or(node, "projections.[].workers", number_of(defaults, "defaults.workers"));
    projection->errors =
        read_errors_over(vf_node_member(node, "errors"), read_errors(vf_node_member(defaults, "errors")));
}

static void read_projections(struct reading *reading, const struct vf_node *list, const struct vf_node *defaults)
{
    struct vf_projection_entry *projections = vf_arena_calloc(reading->arena, count_of(list), sizeof *projections);
    size_t count = 0;
    for (const struct vf_node *node = list && list->kind == VF_NODE_LIST ? list->first : NULL; node;
         node = node->next) {
        if (node->kind == VF_NODE_MAP) {
            read_projection(reading, node, defaults, &projections[count++]);
        }
    }
    reading->config->projections = projections;
    reading->config->projection_count = count;
}

static void read_rest(struct vf_config *config, const struct vf_node *defaults, const struct vf_node *log)
{
    const struct vf_node *batch = vf_node_member(defaults, "batch");
    const struct vf_node *limits = vf_node_member(defaults, "limits");
    config->batch = (struct vf_batch_config){
        .events_max = (int32_t)number_of(batch, "defaults.batch.events"),
        .bytes_max = number_of(batch, "defaults.batch.bytes"),
        .written_bytes_max = number_of(batch, "defaults.batch.written"),
        .wait_ms = number_of(batch, "defaults.batch.wait"),
    };
    config->limits = (struct vf_limits_config){
        .document_bytes_max = number_of(limits, "defaults.limits.document"),
        .lua_memory_bytes = number_of(limits, "defaults.limits.lua_memory"),
        .lua_instructions_max = number_of(limits, "defaults.limits.lua_instructions"),
        .handler_ms_max = number_of(limits, "defaults.limits.handler"),
        .aside_max = number_of(limits, "defaults.limits.aside"),
        .aside_bytes_max = number_of(limits, "defaults.limits.aside_bytes"),
    };
    config->cache_bytes = number_of(defaults, "defaults.cache");
    config->drain_ms = number_of(defaults, "defaults.drain");
    config->forget_ms = number_of(defaults, "defaults.forget");
    config->log_level = (enum vf_log_level)number_of(log, "log.level");
    config->log_format = (enum vf_log_format)number_of(log, "log.format");
}

static const char *folder_of(struct vf_arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    return !slash ? "." : slash == path ? "/" : vf_arena_bytes(arena, path, (size_t)(slash - path)).data;
}

const struct vf_node *vf_config_tree_read(const char *path, struct vf_bytes text, struct vf_arena *arena,
                                          struct vf_findings *findings)
{
    return vf_config_tree_parse(text, folder_of(arena, path), arena, findings);
}

struct vf_config *vf_config_look(const char *path, struct vf_bytes text, const struct vf_config_rules *rules,
                                 struct vf_findings *findings)
{
    struct vf_config *config = vf_calloc(1, sizeof *config);
    config->arena = vf_arena_new();
    config->path = vf_arena_bytes(config->arena, path, strlen(path)).data;
    struct reading reading = {.folder = folder_of(config->arena, path),
                              .arena = config->arena,
                              .findings = findings,
                              .rules = rules,
                              .config = config};

    const struct vf_node *root = vf_config_tree_read(path, text, config->arena, findings);
    if (root) {
        vf_config_check(root, findings);
        const struct vf_node *defaults = vf_node_member(root, "defaults");
        read_kafka(&reading, vf_node_member(root, "kafka"));
        read_stores(&reading, vf_node_member(root, "stores"));
        read_topics(&reading, vf_node_member(root, "envelopes"), vf_node_member(root, "topics"));
        read_projections(&reading, vf_node_member(root, "projections"), defaults);
        read_rest(config, defaults, vf_node_member(root, "log"));
    }
    return config;
}

enum vf_code vf_config_read_text(const char *path, struct vf_bytes text, const struct vf_config_rules *rules,
                                 struct vf_findings *findings, struct vf_config **ret_config, struct vf_error *error)
{
    struct vf_config *config = vf_config_look(path, text, rules, findings);
    if (vf_findings_count(findings) > 0) {
        vf_config_free(config);
        return vf_fail(error, VF_E_CONFIG, "%s cannot be used", path);
    }
    *ret_config = config;
    return VF_OK;
}
