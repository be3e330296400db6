#include "cli/config_keys.h"

#include "cli/suggest.h"
#include "core/body.h"
#include "core/event.h"

#include <stdio.h>

#define SECOND_MS 1000LL
#define HOUR_MS   (3600 * SECOND_MS)
#define KIB       1024LL
#define MIB       (1024 * KIB)
#define GIB       (1024 * MIB)

/* clang-format off */
#define FORMS "utf8|int|be64|rfc3339|unix_ms|rfc1123|json|connect"

/* Where one part of an event is. What does not fit this part is refused with the reason, in config_envelope.c. */
#define PART(at, what) \
    {.path = at, .type = VF_KEY_MAP, .help = what}, \
    {.path = at ".key", .type = VF_KEY_CHOICE, .choices = FORMS, .help = "it is the record's key, in this form"}, \
    {.path = at ".header", .type = VF_KEY_TEXT, .min = 1, .help = "it is the header of exactly this name"}, \
    {.path = at ".value", .type = VF_KEY_TEXT, .help = "it is at this JSON pointer in the value; \"\" is all of it"}, \
    {.path = at ".as", .type = VF_KEY_CHOICE, .choices = FORMS, .help = "the form in the header or value"}
#define MISSING .help = "what stands in where it is missing or null"

#define ENVELOPE(at) \
    PART(at ".kind", "the aggregate's kind; or the topic fixes it"), \
    {.path = at ".kind.missing", .type = VF_KEY_TEXT, .min = 1, MISSING}, \
    PART(at ".id", "the aggregate's id"), \
    {.path = at ".id.missing", .type = VF_KEY_TEXT, .min = 1, MISSING}, \
    PART(at ".version", "the event's number within its aggregate"), \
    {.path = at ".version.missing", .type = VF_KEY_TEXT, .min = 1, MISSING}, \
    {.path = at ".version.numbers", .type = VF_KEY_CHOICE, .standard = "sequence", \
     .choices = "sequence|revision|ordered|offset", \
     .help = "sequence: no holes; revision: may repeat; ordered: only grows; offset: none carried"}, \
    {.path = at ".version.first", .type = VF_KEY_INT, .standard = "1", .min = 0, .max = INT64_MAX - 1, \
     .help = "an aggregate's first number"}, \
    {.path = at ".version.gaps", .type = VF_KEY_TEXT, .standard = "park", .min = 1, \
     .help = "park: what comes behind a hole is set aside; wait 30s: so, and no trouble for so long; allow: taken in"}, \
    PART(at ".event_id", "what tells the event from all others"), \
    {.path = at ".event_id.missing", .type = VF_KEY_TEXT, .min = 1, MISSING}, \
    PART(at ".type", "the event's type"), \
    {.path = at ".type.missing", .type = VF_KEY_TEXT, .min = 1, MISSING}, \
    PART(at ".schema", "the number of the type's schema; default: 1"), \
    {.path = at ".schema.missing", .type = VF_KEY_INT, .min = 0, .max = INT64_MAX, MISSING}, \
    PART(at ".time", "when it happened; default: the record's timestamp"), \
    {.path = at ".time.missing", .type = VF_KEY_CHOICE, .choices = "timestamp", MISSING}, \
    PART(at ".data", "what the event says"), \
    {.path = at ".data.missing", .type = VF_KEY_TEXT, .min = 1, MISSING}, \
    {.path = at ".tombstone", .type = VF_KEY_TEXT, .min = 1, \
     .help = "a null value: ignore, or the name of an event type; default: it is unreadable"}, \
    {.path = at ".unreadable", .type = VF_KEY_CHOICE, .standard = "park", .choices = "park|stop", \
     .help = "park: with its aggregate; where that is not known, alone (of a sequence), or it stops; stop: the partition"}, \
    {.path = at ".repeats", .type = VF_KEY_INT, .min = 1, .max = VF_REPEATS_MAX, \
     .help = "numbers: offset: event ids that are remembered an aggregate"}

const struct vf_key vf_keys[] = {
    {.path = "", .type = VF_KEY_MAP, .help = "viewfold's configuration"},

    {.path = "kafka", .type = VF_KEY_MAP, .required = true, .help = "where events come from"},
    {.path = "kafka.brokers", .type = VF_KEY_TEXTS, .required = true, .help = "brokers to ask first, host:port"},
    {.path = "kafka.group", .type = VF_KEY_TEXT, .standard = "viewfold", .min = 1,
     .help = "consumer groups are GROUP.projection.store.gN"},
    {.path = "kafka.instance", .type = VF_KEY_TEXT, .min = 1, .help = "static membership; made unique per worker"},
    {.path = "kafka.properties", .type = VF_KEY_PAIRS, .help = "librdkafka's properties, those excepted that viewfold owns"},

    {.path = "stores", .type = VF_KEY_NAMES, .required = true, .help = "where views live"},
    {.path = "stores.*", .type = VF_KEY_MAP, .help = "one store: redis or mongodb"},
    {.path = "stores.*.redis", .type = VF_KEY_TEXT, .min = 1, .help = "redis://host:port/database"},
    {.path = "stores.*.mongodb", .type = VF_KEY_TEXT, .min = 1, .help = "mongodb://hosts/database?replicaSet=..."},
    {.path = "stores.*.username", .type = VF_KEY_TEXT, .min = 1, .help = "login"},
    {.path = "stores.*.password", .type = VF_KEY_TEXT, .min = 1, .help = "better ${file:PATH} than here"},
    {.path = "stores.*.prefix", .type = VF_KEY_TEXT, .standard = "", .help = "Redis: what every key begins with"},
    {.path = "stores.*.emptied", .type = VF_KEY_CHOICE, .standard = "rebuild", .choices = "rebuild|stop",
     .help = "when the store has lost everything"},

    {.path = "envelopes", .type = VF_KEY_NAMES, .help = "where the parts of an event are"},
    {.path = "envelopes.*", .type = VF_KEY_MAP, .help = "one envelope"},
    ENVELOPE("envelopes.*"),

    {.path = "topics", .type = VF_KEY_NAMES, .help = "the names that projections use"},
    {.path = "topics.*", .type = VF_KEY_MAP, .help = "one name"},
    {.path = "topics.*.topic", .type = VF_KEY_TEXT, .min = 1, .help = "the Kafka topic; default: the name itself"},
    {.path = "topics.*.kind", .type = VF_KEY_TEXT, .min = 1, .help = "the aggregates' kind; default: read from each record"},
    {.path = "topics.*.envelope", .type = VF_KEY_TEXT, .min = 1,
     .help = "cloudevents, eventuate-tram, debezium-outbox, or a name under envelopes; default: JSON {\"kind\",\"id\",\"version\",\"event_id\",\"type\",\"time\",\"data\"}"},
    {.path = "topics.*.history", .type = VF_KEY_CHOICE, .standard = "complete", .choices = "complete|partial",
     .help = "complete: a log that no longer begins at its beginning is refused"},
    {.path = "topics.*.partitions_added", .type = VF_KEY_CHOICE, .standard = "stop", .choices = "stop|keys_stay",
     .help = "stop: views whose order may be broken by it stop; keys_stay: producers send no aggregate elsewhere"},
    {.path = "topics.*.override", .type = VF_KEY_MAP, .help = "only what differs from the envelope"},
    ENVELOPE("topics.*.override"),

    {.path = "projections", .type = VF_KEY_LIST, .required = true, .help = "what runs, and into which stores"},
    {.path = "projections.[]", .type = VF_KEY_MAP, .help = "one projection"},
    {.path = "projections.[].script", .type = VF_KEY_TEXT, .required = true, .min = 1,
     .help = "its Lua file, from this file's folder"},
    {.path = "projections.[].stores", .type = VF_KEY_TEXTS, .help = "names under stores; default: the only one"},
    {.path = "projections.[].workers", .type = VF_KEY_INT, .min = 1, .max = 256,
     .help = "threads a store in each process; default: defaults.workers"},
    {.path = "projections.[].names", .type = VF_KEY_PAIRS, .help = "store: the view's name there; default: the projection's"},
    {.path = "projections.[].errors", .type = VF_KEY_MAP, .help = "default: defaults.errors"},
    {.path = "projections.[].errors.retries", .type = VF_KEY_INT, .min = 0, .max = 10, .help = "tries after the first"},
    {.path = "projections.[].errors.backoff", .type = VF_KEY_DURATION, .min = 1, .max = 10000,
     .help = "before the first retry, doubled for each further one"},
    {.path = "projections.[].errors.then", .type = VF_KEY_CHOICE, .choices = "park|stop",
     .help = "park: it is set aside with its aggregate; stop: its partition stops"},

    {.path = "defaults", .type = VF_KEY_MAP, .help = "for all projections"},
    {.path = "defaults.workers", .type = VF_KEY_INT, .standard = "1", .min = 1, .max = 256,
     .help = "threads a store in each process"},
    {.path = "defaults.errors", .type = VF_KEY_MAP, .help = "what happens to an event whose handler fails"},
    {.path = "defaults.errors.retries", .type = VF_KEY_INT, .standard = "3", .min = 0, .max = 10,
     .help = "tries after the first"},
    {.path = "defaults.errors.backoff", .type = VF_KEY_DURATION, .standard = "100ms", .min = 1, .max = 10000,
     .help = "before the first retry, doubled for each further one"},
    {.path = "defaults.errors.then", .type = VF_KEY_CHOICE, .standard = "park", .choices = "park|stop",
     .help = "park: it is set aside with its aggregate; stop: its partition stops"},
    {.path = "defaults.batch", .type = VF_KEY_MAP, .help = "what a worker does in one turn, at most"},
    {.path = "defaults.batch.events", .type = VF_KEY_INT, .standard = "1000", .min = 1, .max = 100000, .help = "events"},
    {.path = "defaults.batch.bytes", .type = VF_KEY_SIZE, .standard = "4MiB", .min = KIB, .max = 256 * MIB,
     .help = "of records"},
    {.path = "defaults.batch.written", .type = VF_KEY_SIZE, .standard = "4MiB", .min = KIB, .max = 256 * MIB,
     .help = "of documents"},
    {.path = "defaults.batch.wait", .type = VF_KEY_DURATION, .standard = "5ms", .min = 0, .max = 10 * SECOND_MS,
     .help = "how long it gathers behind its first event"},
    {.path = "defaults.cache", .type = VF_KEY_SIZE, .standard = "64MiB", .min = MIB, .max = 64 * GIB,
     .help = "a worker's warm documents"},
    {.path = "defaults.limits", .type = VF_KEY_MAP, .help = "what no script or event may exceed"},
    {.path = "defaults.limits.document", .type = VF_KEY_SIZE, .standard = "8MiB", .min = KIB, .max = 15 * MIB,
     .help = "a document's body (MongoDB takes 16MiB with what viewfold adds)"},
    {.path = "defaults.limits.lua_memory", .type = VF_KEY_SIZE, .standard = "64MiB", .min = MIB, .max = 64 * GIB,
     .help = "the Lua heap beyond the cache"},
    {.path = "defaults.limits.lua_instructions", .type = VF_KEY_INT, .standard = "10000000", .min = 1000,
     .max = 1000000000000LL, .help = "a call"},
    {.path = "defaults.limits.handler", .type = VF_KEY_DURATION, .standard = "2s", .min = 1, .max = HOUR_MS,
     .help = "a call, as a last resort"},
    {.path = "defaults.limits.aside", .type = VF_KEY_INT, .standard = "100000", .min = 1, .max = 1000000000,
     .help = "events of a partition that may be set aside: at this, the partition waits"},
    {.path = "defaults.limits.aside_bytes", .type = VF_KEY_SIZE, .standard = "1GiB", .min = KIB, .max = 1024 * GIB,
     .help = "bytes of their records"},
    {.path = "defaults.drain", .type = VF_KEY_DURATION, .standard = "20s", .min = 0, .max = 24 * HOUR_MS,
     .help = "how long a stopping process may finish its batches"},
    {.path = "defaults.forget", .type = VF_KEY_DURATION, .standard = "never", .choices = "never", .min = 1,
     .max = 36500LL * 24 * HOUR_MS, .help = "when husks of deleted and expired documents go: never, or so long after"},

    {.path = "admin", .type = VF_KEY_UNBUILT},
    {.path = "serve", .type = VF_KEY_UNBUILT},

    {.path = "log", .type = VF_KEY_MAP, .help = "the level and the format of what is logged to stderr"},
    {.path = "log.level", .type = VF_KEY_CHOICE, .standard = "info", .choices = "debug|info|warn|error", .help = "the least"},
    {.path = "log.format", .type = VF_KEY_CHOICE, .standard = "logfmt", .choices = "logfmt|json", .help = "how"},
};
/* clang-format on */

const size_t vf_key_count = sizeof vf_keys / sizeof vf_keys[0];

const struct vf_key *vf_key_find(const char *path)
{
    for (size_t i = 0; i < vf_key_count; i++) {
        if (strcmp(vf_keys[i].path, path) == 0) {
            return &vf_keys[i];
        }
    }
    return NULL;
}

const char *vf_key_suggest(const char *path, const char *name)
{
    const char *best = NULL;
    size_t size = strlen(path);
    for (size_t i = 1; i < vf_key_count; i++) {
        const char *candidate = vf_keys[i].path;
        if (size > 0) {
            if (strncmp(candidate, path, size) != 0 || candidate[size] != '.') {
                continue;
            }
            candidate += size + 1;
        }
        if (!strchr(candidate, '.') && strcmp(candidate, "*") != 0 && vf_keys[i].type != VF_KEY_UNBUILT) {
            vf_suggest_offer(name, candidate, &best);
        }
    }
    return best;
}

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit duration_units[] = {{"ms", 1},      {"s", SECOND_MS},    {"m", 60 * SECOND_MS},
                                             {"h", HOUR_MS}, {"d", 24 * HOUR_MS}, {NULL, 0}};
static const struct unit size_units[] = {{"B", 1}, {"KiB", KIB}, {"MiB", MIB}, {"GiB", GIB}, {NULL, 0}};

/* Digits, as far as they go; NULL where there are none or too many. */
static const char *read_digits(const char *text, int64_t *ret_number)
{
    int64_t number = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, *at - '0', &number)) {
            return NULL;
        }
    }
    *ret_number = number;
    return at == text ? NULL : at;
}

static bool read_with_unit(const char *text, const struct unit *units, int64_t *ret_number)
{
    int64_t number;
    const char *unit = read_digits(text, &number);
    for (; unit && units->name; units++) {
        if (strcmp(unit, units->name) == 0) {
            return !__builtin_mul_overflow(number, units->factor, ret_number);
        }
    }
    return false;
}

bool vf_size_parse(const char *text, int64_t *ret_bytes)
{
    return read_with_unit(text, size_units, ret_bytes);
}

static bool read_int(const char *text, int64_t *ret_number)
{
    bool negative = text[0] == '-';
    int64_t number;
    const char *end = read_digits(text + (negative ? 1 : 0), &number);
    if (!end || *end != 0) {
        return false;
    }
    *ret_number = negative ? -number : number;
    return true;
}

/* A number with the largest unit that keeps it whole. */
static const char *print_number(enum vf_key_type type, int64_t number, char text[32])
{
    const struct unit *units = type == VF_KEY_DURATION ? duration_units : size_units;
    const struct unit *chosen = &units[0];
    if (type == VF_KEY_INT) {
        snprintf(text, 32, "%lld", (long long)number);
        return text;
    }
    for (const struct unit *unit = units; unit->name; unit++) {
        if (number != 0 && number % unit->factor == 0) {
            chosen = unit;
        }
    }
    snprintf(text, 32, "%lld%s", (long long)(number / chosen->factor), chosen->name);
    return text;
}

/* The value's first word among the choices ("wait 30s" is the choice wait). */
static enum vf_code read_choice(const struct vf_key *key, const char *text, const char *source, int64_t *ret_number,
                                struct vf_error *error)
{
    char built[256] = "";
    size_t word_size = strcspn(text, " ");
    const char *best = NULL;
    char names[8][32];
    int64_t index = 0;
    for (const char *choice = key->choices; *choice; index++) {
        size_t size = strcspn(choice, "|");
        bool unbuilt = choice[0] == '!';
        const char *name = choice + (unbuilt ? 1 : 0);
        size_t name_size = size - (unbuilt ? 1 : 0);
        bool same = name_size == word_size && memcmp(name, text, name_size) == 0;
        if (unbuilt && same) {
            return vf_fail(error, VF_E_CONFIG, "%s is not built yet", source);
        }
        if (!unbuilt && same && text[word_size] == 0) {
            *ret_number = index;
            return VF_OK;
        }
        if (!unbuilt && index < 8) {
            size_t used = strlen(built);
            snprintf(built + used, sizeof built - used, "%s%.*s", used > 0 ? ", " : "", (int)name_size, name);
            snprintf(names[index], sizeof names[index], "%.*s", (int)name_size, name);
            vf_suggest_offer(text, names[index], &best);
        }
        choice += size + (choice[size] == '|' ? 1 : 0);
    }
    if (best) {
        return vf_fail(error, VF_E_CONFIG, "%s is none of: %s; did you mean %s?", source, built, best);
    }
    return vf_fail(error, VF_E_CONFIG, "%s is none of: %s", source, built);
}

enum vf_code vf_key_read(const struct vf_key *key, const char *text, const char *source, int64_t *ret_number,
                         struct vf_error *error)
{
    int64_t number = 0;
    char least[32];
    char most[32];
    switch (key->type) {
    case VF_KEY_CHOICE: return read_choice(key, text, source, ret_number, error);
    case VF_KEY_INT:
        if (!read_int(text, &number)) {
            return vf_fail(error, VF_E_CONFIG, "%s is no whole number", source);
        }
        break;
    case VF_KEY_DURATION:
        if (key->choices && strcmp(text, key->choices) == 0) {
            *ret_number = 0;
            return VF_OK;
        }
        if (!vf_duration_parse(text, &number)) {
            return vf_fail(error, VF_E_CONFIG,
                           "%s is no duration: a whole number with its unit, as in 5ms, 20s, 10m, 2h, 30d", source);
        }
        break;
    case VF_KEY_SIZE:
        if (!vf_size_parse(text, &number)) {
            return vf_fail(error, VF_E_CONFIG,
                           "%s is no size: a whole number with its unit, as in 512B, 64KiB, 4MiB, 1GiB", source);
        }
        break;
    default: return vf_fail(error, VF_E_BUG, "%s holds no number", key->path);
    }
    if (number < key->min || number > key->max) {
        return vf_fail(error, VF_E_CONFIG, "%s is out of range: %s to %s", source,
                       print_number(key->type, key->min, least), print_number(key->type, key->max, most));
    }
    *ret_number = number;
    return VF_OK;
}
