#include "cli/config_show.h"

#include "cli/config_envelope.h"
#include "cli/config_keys.h"
#include "core/body.h"
#include "core/preset.h"

#include <stdlib.h>

#define MASK "***"

struct showing {
    struct vf_arena *arena;
    const struct vf_node *root;
    bool defaults;
    const struct vf_node *topic; /* the one under `topics` that is being shown, or NULL */
};

/* --- secrets ------------------------------------------------------------------------------------------------------ */

/* Behind a ${...} that begins here; `at` itself where none does. */
static const char *behind_reference(const char *at)
{
    const char *end = at[0] == '$' && at[1] == '{' ? strchr(at, '}') : NULL;
    return end ? end + 1 : at;
}

/* Whether the text is made of ${...} and nothing else. */
static bool only_references(const char *begin, const char *end)
{
    for (const char *at = begin; at < end;) {
        const char *next = behind_reference(at);
        if (next == at) {
            return false;
        }
        at = next;
    }
    return begin < end;
}

static bool contains_any(const char *text, size_t size, const char *const *words)
{
    char lower[128];
    size = size < sizeof lower - 1 ? size : sizeof lower - 1;
    for (size_t i = 0; i < size; i++) {
        lower[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + 'a' - 'A') : text[i];
    }
    lower[size] = 0;
    for (; *words; words++) {
        if (strstr(lower, *words)) {
            return true;
        }
    }
    return false;
}

/* Kafka's properties and URLs' options that hold secrets, by what their names say. */
static const char *const secret_words[] = {
    "password", "secret", "token", "jaas", ".pem", "oauthbearer.config", "mechanismproperties", "passphrase", NULL};

/* One option of a URL, from the name on. */
static void add_option(struct vf_buffer *out, const char *begin, const char *end)
{
    const char *equals = memchr(begin, '=', (size_t)(end - begin));
    bool secret = equals && contains_any(begin, (size_t)(equals - begin), secret_words);
    if (secret && !only_references(equals + 1, end)) {
        vf_buffer_add(out, begin, (size_t)(equals + 1 - begin));
        vf_buffer_add_text(out, MASK);
    } else {
        vf_buffer_add(out, begin, (size_t)(end - begin));
    }
}

/* A URL as it was written, its password masked unless it is a reference. */
static const char *mask_url(struct vf_arena *arena, const char *url)
{
    const char *authority = strstr(url, "://");
    const char *login_end = NULL;
    const char *options = NULL;
    const char *colon = NULL;
    if (!authority) {
        return only_references(url, url + strlen(url)) ? url : MASK;
    }
    authority += 3;
    for (const char *at = authority; *at;) {
        const char *next = behind_reference(at);
        if (next == at) {
            login_end = *at == '@' ? at : login_end; /* the last one: a password may hold a raw one */
            options = *at == '?' && !options ? at : options;
            next++;
        }
        at = next;
    }
    if (login_end && options && options < login_end) {
        return MASK; /* a raw '?' in a password, or an '@' in an option: nobody can tell where the login ends */
    }
    for (const char *at = authority; login_end && at < login_end && !colon;) {
        const char *next = behind_reference(at);
        colon = next == at && *at == ':' ? at : NULL;
        at = next == at ? at + 1 : next;
    }
    struct vf_buffer out;
    vf_buffer_init(&out);
    const char *rest = url;
    if (colon && !only_references(colon + 1, login_end)) {
        vf_buffer_add(&out, url, (size_t)(colon + 1 - url));
        vf_buffer_add_text(&out, MASK);
        rest = login_end;
    }
    const char *plain_end = options ? options : url + strlen(url);
    vf_buffer_add(&out, rest, (size_t)(plain_end - rest));
    for (const char *at = options; at && *at;) {
        vf_buffer_add_char(&out, *at++); /* ? or & */
        const char *end = at + strcspn(at, "&;");
        add_option(&out, at, end);
        at = end;
    }
    const char *masked = vf_arena_bytes(arena, out.data ? out.data : "", out.size).data;
    vf_buffer_done(&out);
    return masked;
}

static bool is_printable(const char *text)
{
    for (const char *at = text; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f) {
            return false;
        }
    }
    return vf_bytes_is_utf8(vf_bytes_from(text));
}

/* What may be shown of a scalar. `path` is the table's, `name` its last part. */
static const char *shown_text(struct showing *showing, const char *path, const struct vf_node *node)
{
    bool from_outside = strstr(node->source, "${") != NULL;
    bool property = strcmp(path, "kafka.properties") == 0;
    bool secret = strcmp(path, "stores.*.password") == 0 || strcmp(path, "serve.bearer_token") == 0 ||
                  (property && contains_any(node->key, strlen(node->key), secret_words));
    /* GUARD config-mask: a password on somebody's screen */
    if (secret) {
        return only_references(node->source, node->source + strlen(node->source)) ? node->source : MASK;
    }
    if (strcmp(path, "stores.*.redis") == 0 || strcmp(path, "stores.*.mongodb") == 0) {
        return mask_url(showing->arena, node->source);
    }
    /* A value that holds "${" would be taken for a reference when it is read back. */
    bool shows_source = from_outside && (property || strstr(node->source, "${file:") || strstr(node->text, "${") ||
                                         !is_printable(node->text));
    return shows_source ? node->source : node->text;
}

/* --- building ----------------------------------------------------------------------------------------------------- */

static struct vf_shown *shown_new(struct showing *showing, enum vf_node_kind kind, const char *key)
{
    struct vf_shown *shown = vf_arena_calloc(showing->arena, 1, sizeof *shown);
    *shown = (struct vf_shown){.kind = kind, .key = key, .text = ""};
    return shown;
}

static struct vf_shown *scalar(struct showing *showing, const char *key, const char *text, bool number)
{
    struct vf_shown *shown = shown_new(showing, VF_NODE_SCALAR, key);
    shown->text = text;
    shown->number = number;
    return shown;
}

static void append(struct vf_shown *parent, struct vf_shown *child)
{
    struct vf_shown **end = &parent->first;
    while (*end) {
        end = &(*end)->next;
    }
    *end = child;
}

/* A value of the file, under `name`. An integer is shown as a number where its value is shown and not its source. */
static struct vf_shown *show_scalar(struct showing *showing, const struct vf_key *key, const struct vf_node *node,
                                    const char *name)
{
    const char *text = shown_text(showing, key->path, node);
    struct vf_error error;
    int64_t number;
    if (key->type == VF_KEY_INT && text == node->text &&
        vf_key_read(key, node->text, node->source, &number, &error) == VF_OK) {
        return scalar(showing, name, vf_arena_printf(showing->arena, "%lld", (long long)number).data, true);
    }
    return scalar(showing, name, text, false);
}

static struct vf_shown *show_node(struct showing *showing, const char *path, const struct vf_node *node);

/* The defaults that another key of the file decides. NULL: none. */
static const struct vf_node *inherited(struct showing *showing, const char *path)
{
    static const char part[] = "projections.[].";
    const struct vf_node *node = vf_node_member(showing->root, "defaults");
    if (strncmp(path, part, sizeof part - 1) != 0) {
        return NULL;
    }
    const char *name = path + sizeof part - 1; /* workers, errors.retries */
    if (strncmp(name, "errors.", 7) == 0) {
        node = vf_node_member(node, "errors");
        name += 7;
    }
    return vf_node_member(node, name);
}

/* A projection's keys have no default of their own in the table: it is that of `defaults`. */
static const char *standard_of(const struct vf_key *key)
{
    static const char part[] = "projections.[].";
    if (key->standard || strncmp(key->path, part, sizeof part - 1) != 0) {
        return key->standard;
    }
    char path[128];
    snprintf(path, sizeof path, "defaults.%s", key->path + sizeof part - 1);
    const struct vf_key *from = vf_key_find(path);
    return from ? from->standard : NULL;
}

/* What an override's version gets from the topic's envelope, as the file writes it; NULL: the envelope does not say it. */
static const struct vf_node *from_envelope(struct showing *showing, const char *name)
{
    const struct vf_node *envelope = vf_node_member(showing->topic, "envelope");
    const struct vf_node *envelopes = vf_node_member(showing->root, "envelopes");
    return envelope ? vf_node_member(vf_node_member(vf_node_member(envelopes, envelope->text), "version"), name) : NULL;
}

/* The form that a part has where `as` is left out, or NULL: no word for it means the same. */
static const char *form_of(const char *part, const struct vf_node *map)
{
    bool is_number = strcmp(part, "version") == 0 || strcmp(part, "schema") == 0;
    bool in_value = vf_node_member(map, "value") != NULL;
    if (!in_value && !vf_node_member(map, "header")) {
        return NULL; /* a key says its form itself */
    }
    if (strcmp(part, "data") == 0 || (in_value && (is_number || strcmp(part, "id") == 0))) {
        return NULL; /* JSON's own */
    }
    return is_number ? "int" : strcmp(part, "time") == 0 ? "rfc3339" : "utf8";
}

/* The envelope of the topic that is being shown, where it is a built-in one; else NULL. */
static const struct vf_preset *preset_of(const struct showing *showing)
{
    const struct vf_node *envelope = vf_node_member(showing->topic, "envelope");
    return envelope && envelope->kind == VF_NODE_SCALAR ? vf_preset_find(envelope->text) : NULL;
}

/* A part of a built-in envelope as the file would say it. */
static struct vf_shown *show_preset_part(struct showing *showing, enum vf_part part, const struct vf_mapping *mapping)
{
    struct vf_shown *shown = shown_new(showing, VF_NODE_MAP, vf_part_name(part));
    const char *as = vf_config_as_name(mapping->as);
    bool is_text = mapping->as == VF_AS_UNSAID && (part == VF_PART_KIND || part == VF_PART_TYPE ||
                                                   part == VF_PART_EVENT_ID || mapping->from == VF_FROM_HEADER);
    as = is_text && part != VF_PART_DATA ? "utf8" : as;
    if (mapping->from == VF_FROM_KEY) {
        append(shown, scalar(showing, "key", as, false));
        return shown;
    }
    append(shown, scalar(showing, mapping->from == VF_FROM_HEADER ? "header" : "value", mapping->name, false));
    if (as[0]) {
        append(shown, scalar(showing, "as", as, false));
    }
    if (mapping->has_missing) {
        append(shown, scalar(showing, "missing", mapping->missing.data, false));
    }
    return shown;
}

/* What a built-in envelope means by `name`, or NULL: nothing. */
static struct vf_shown *show_preset_key(struct showing *showing, const struct vf_preset *preset, const char *name,
                                        bool numbers_are_offsets)
{
    for (int part = 0; part < VF_PART_COUNT; part++) {
        if (strcmp(name, vf_part_name((enum vf_part)part)) == 0 && preset->parts[part].from != VF_FROM_NOWHERE &&
            !(part == VF_PART_KIND && vf_node_member(showing->topic, "kind"))) {
            return show_preset_part(showing, (enum vf_part)part, &preset->parts[part]);
        }
    }
    if (strcmp(name, "version") == 0) {
        struct vf_shown *version = shown_new(showing, VF_NODE_MAP, name);
        append(version, scalar(showing, "numbers", "offset", false)); /* no preset carries numbers */
        return version;
    }
    if (strcmp(name, "repeats") == 0 && numbers_are_offsets) {
        return scalar(showing, name, vf_arena_printf(showing->arena, "%d", preset->repeats).data, true);
    }
    return NULL;
}

/* All that an override does not say is the built-in envelope's: so that people see what that is. */
static struct vf_shown *fill_override(struct showing *showing, const struct vf_preset *preset, struct vf_shown *said)
{
    static const char at[] = "topics.*.override.";
    struct vf_shown *whole = shown_new(showing, VF_NODE_MAP, "override");
    const struct vf_node *version = vf_node_member(vf_node_member(showing->topic, "override"), "version");
    const struct vf_node *numbers = vf_node_member(version, "numbers");
    for (size_t i = 0; i < vf_key_count; i++) {
        const char *name = vf_keys[i].path + sizeof at - 1;
        if (strncmp(vf_keys[i].path, at, sizeof at - 1) != 0 || strchr(name, '.')) {
            continue;
        }
        struct vf_shown *child = said ? said->first : NULL;
        while (child && strcmp(child->key, name) != 0) {
            child = child->next;
        }
        if (child) { /* a copy, as it stands in the other list */
            struct vf_shown *copy = shown_new(showing, child->kind, name);
            *copy = *child;
            copy->next = NULL;
            append(whole, copy);
            continue;
        }
        child = show_preset_key(showing, preset, name, !numbers || strcmp(numbers->text, "offset") == 0);
        if (child) {
            append(whole, child);
        }
    }
    return whole;
}

/* What stands for a key of an envelope, or of an override, that the file leaves out. `rest` is its path within that. */
static struct vf_shown *show_envelope_default(struct showing *showing, const struct vf_key *key, const char *rest,
                                              const struct vf_node *map)
{
    const char *name = strrchr(key->path, '.') + 1;
    const struct vf_node *envelope = NULL;
    if (strcmp(name, "as") == 0) {
        char part[16];
        snprintf(part, sizeof part, "%.*s", (int)strcspn(rest, "."), rest);
        const char *form = form_of(part, map);
        return form ? scalar(showing, name, form, false) : NULL;
    }
    if (!key->standard) {
        return NULL;
    }
    if (strncmp(rest, "version.", 8) == 0) {
        const struct vf_node *numbers = vf_node_member(map, "numbers");
        numbers = numbers ? numbers : from_envelope(showing, "numbers");
        bool counted = !numbers || strcmp(numbers->text, "sequence") == 0 || strcmp(numbers->text, "revision") == 0;
        if (strcmp(name, "numbers") != 0 && !counted) {
            return NULL;
        }
        envelope = from_envelope(showing, name);
    } else if (showing->topic) {
        return NULL; /* it stays the envelope's */
    }
    return envelope ? show_scalar(showing, key, envelope, name)
                    : scalar(showing, name, key->standard, key->type == VF_KEY_INT);
}

/* The path of a key within an envelope or an override, or NULL. */
static const char *within_envelope(const char *path)
{
    static const char *const maps[] = {"envelopes.*.", "topics.*.override."};
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
        if (strncmp(path, maps[i], strlen(maps[i])) == 0) {
            return path + strlen(maps[i]);
        }
    }
    return NULL;
}

/* What stands for a key that the file leaves out, or NULL: nothing. `map` is where it would stand. */
static struct vf_shown *show_default(struct showing *showing, const struct vf_key *key, const struct vf_node *map)
{
    const char *name = strrchr(key->path, '.') ? strrchr(key->path, '.') + 1 : key->path;
    const struct vf_node *from = inherited(showing, key->path);
    const char *in_envelope = within_envelope(key->path);
    if (in_envelope) {
        return show_envelope_default(showing, key, in_envelope, map);
    }
    if (strcmp(key->path, "stores.*.prefix") == 0 && !vf_node_member(map, "redis")) {
        return NULL; /* refused there */
    }
    if (strcmp(key->path, "topics.*.topic") == 0) {
        return scalar(showing, name, map->key, false);
    }
    if (strcmp(key->path, "projections.[].stores") == 0) {
        struct vf_shown *list = shown_new(showing, VF_NODE_LIST, name);
        append(list, scalar(showing, NULL, vf_node_member(showing->root, "stores")->first->key, false));
        return list;
    }
    if (from) {
        return show_scalar(showing, key, from, name);
    }
    const char *standard = standard_of(key);
    return standard ? scalar(showing, name, standard, key->type == VF_KEY_INT) : NULL;
}

/* Whether the defaults below a map that the file leaves out are shown: not within what only some entries have. */
static bool fills(const char *path)
{
    return strncmp(path, "topics.*.", 9) != 0 && strncmp(path, "envelopes", 9) != 0;
}

static struct vf_shown *show_map(struct showing *showing, const char *path, const struct vf_node *map, const char *name)
{
    struct vf_shown *shown = shown_new(showing, VF_NODE_MAP, name);
    size_t size = strlen(path);
    for (size_t i = 1; i < vf_key_count; i++) {
        const struct vf_key *key = &vf_keys[i];
        const char *rest = key->path;
        if (size > 0) {
            if (strncmp(rest, path, size) != 0 || rest[size] != '.') {
                continue;
            }
            rest += size + 1;
        }
        if (strchr(rest, '.')) {
            continue;
        }
        const struct vf_node *node = vf_node_member(map, rest);
        struct vf_shown *child = NULL;
        if (showing->defaults && strcmp(key->path, "topics.*.override") == 0 && preset_of(showing)) {
            struct vf_shown *said = node ? show_node(showing, key->path, node) : NULL;
            child = fill_override(showing, preset_of(showing), said);
        } else if (node) {
            child = show_node(showing, key->path, node);
        } else if (showing->defaults && key->type == VF_KEY_MAP && fills(key->path)) {
            child = show_map(showing, key->path, NULL, rest);
            child = child->first ? child : NULL;
        } else if (showing->defaults) {
            child = show_default(showing, key, map);
        }
        if (child) {
            append(shown, child);
        }
    }
    return shown;
}

static struct vf_shown *show_children(struct showing *showing, const char *path, const struct vf_node *node,
                                      enum vf_node_kind kind)
{
    struct vf_shown *shown = shown_new(showing, kind, node->key);
    for (const struct vf_node *child = node->first; child; child = child->next) {
        append(shown, show_node(showing, path, child));
    }
    return shown;
}

static struct vf_shown *show_node(struct showing *showing, const char *path, const struct vf_node *node)
{
    const struct vf_key *key = vf_key_find(path);
    char below[256];
    showing->topic = strcmp(path, "topics.*") == 0 ? node : showing->topic;
    switch (key ? key->type : VF_KEY_TEXT) {
    case VF_KEY_MAP: return show_map(showing, path, node, node->key);
    case VF_KEY_NAMES:
        snprintf(below, sizeof below, "%s.*", path);
        return show_children(showing, below, node, VF_NODE_MAP);
    case VF_KEY_LIST:
        snprintf(below, sizeof below, "%s.[]", path);
        return show_children(showing, below, node, VF_NODE_LIST);
    case VF_KEY_TEXTS:
    case VF_KEY_PAIRS: {
        struct vf_shown *shown = shown_new(showing, key->type == VF_KEY_TEXTS ? VF_NODE_LIST : VF_NODE_MAP, node->key);
        if (node->kind == VF_NODE_SCALAR) { /* one text for a list of one */
            append(shown, scalar(showing, NULL, shown_text(showing, path, node), false));
        }
        for (const struct vf_node *child = node->first; child; child = child->next) {
            append(shown, scalar(showing, child->key, shown_text(showing, path, child), false));
        }
        return shown;
    }
    default: return show_scalar(showing, key, node, node->key);
    }
}

struct vf_shown *vf_config_show(const struct vf_node *root, bool defaults, struct vf_arena *arena)
{
    struct showing showing = {.arena = arena, .root = root, .defaults = defaults};
    return show_map(&showing, "", root, NULL);
}
