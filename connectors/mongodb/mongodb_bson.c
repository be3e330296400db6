#include "connectors/mongodb/mongodb_internal.h"

static const char *const husk_names[] = {
    [VF_HUSK_NEW] = "new", [VF_HUSK_DELETED] = "deleted", [VF_HUSK_EXPIRED] = "expired"};

static const char *const aside_states[VF_ASIDE_STATES] = {
    [VF_ASIDE_HELD] = "held", [VF_ASIDE_GAP] = "gap", [VF_ASIDE_PARKED] = "parked"};

void vf_mongodb_append_stamp(bson_t *into, const char *key, uint64_t stamp)
{
    char text[VF_STAMP_TEXT_BYTES];

    vf_stamp_print(text, stamp);
    bson_append_utf8(into, key, -1, text, VF_STAMP_TEXT_BYTES - 1);
}

/* A version, under `key`; event ids beside it. */
static void append_version(bson_t *into, const char *key, int64_t version, const struct vf_version_more *more)
{
    struct vf_bytes rest, id;
    bson_t list;
    char buffer[16];
    const char *place;
    uint32_t i;

    if (more && more->text.size > 0)
        vf_mongodb_append_text(into, key, more->text);
    else
        BSON_APPEND_INT64(into, key, version);
    if (!more || more->id_count == 0)
        return;
    bson_append_array_begin(into, more->is_window ? "recent" : "ids", -1, &list);
    rest = more->ids;
    for (i = 0; vf_event_ids_next(&rest, &id); i++) {
        bson_uint32_to_string(i, &place, buffer, sizeof(buffer));
        vf_mongodb_append_text(&list, place, id);
    }
    bson_append_array_end(into, &list);
}

static void append_versions(bson_t *view, const struct vf_version *versions, size_t count)
{
    bson_t list, entry;
    char buffer[16];
    const char *key;
    size_t i;

    BSON_APPEND_ARRAY_BEGIN(view, "versions", &list);
    for (i = 0; i < count; i++) {
        size_t size = bson_uint32_to_string((uint32_t)i, &key, buffer, sizeof(buffer));

        bson_append_document_begin(&list, key, (int)size, &entry);
        vf_mongodb_append_text(&entry, "a", versions[i].aggregate);
        append_version(&entry, "v", versions[i].version, versions[i].more);
        bson_append_document_end(&list, &entry);
    }
    bson_append_array_end(view, &list);
}

/* What stays where there is no body: of which kind, since when, and who alone can bring the document back. */
static void append_husk(bson_t *view, const struct vf_document *document)
{
    if (!vf_is_husk(document->presence))
        return;
    BSON_APPEND_UTF8(view, "husk", husk_names[document->presence]);
    if (document->presence == VF_HUSK_DELETED)
        vf_mongodb_append_text(view, "by", document->deleted_by);
    if (document->presence != VF_HUSK_NEW)
        BSON_APPEND_DATE_TIME(view, "since", document->since_ms);
}

void vf_mongodb_append_document(bson_t *into, const struct vf_document *document, uint64_t stamp)
{
    bson_t body, view;

    vf_mongodb_append_text(into, "_id", document->id);
    if (document->presence == VF_PRESENT && document->body.size > 0 &&
        bson_init_static(&body, (const uint8_t *)document->body.data, document->body.size))
        bson_concat(into, &body); /* byte for byte: no name or value in it is looked at */
    BSON_APPEND_DOCUMENT_BEGIN(into, "_view", &view);
    BSON_APPEND_INT64(&view, "rev", document->revision);
    vf_mongodb_append_stamp(&view, "stamp", stamp);
    if (document->version_count > 0)
        append_versions(&view, document->versions, document->version_count);
    append_husk(&view, document);
    if (document->has_expires)
        BSON_APPEND_DATE_TIME(&view, "expires", document->expires_ms);
    bson_append_document_end(into, &view);
}

const char *vf_mongodb_state_name(enum vf_aside_state state)
{
    return aside_states[state];
}

enum vf_aside_state vf_mongodb_state_named(struct vf_bytes name)
{
    enum vf_aside_state state;

    for (state = VF_ASIDE_NONE + 1; state < VF_ASIDE_STATES; state++)
        if (vf_bytes_is(name, aside_states[state]))
            return state;
    return VF_ASIDE_NONE;
}

/* key: [first, second] */
static void append_ints(bson_t *into, const char *key, int64_t first, int64_t second)
{
    bson_t list;

    bson_append_array_begin(into, key, -1, &list);
    BSON_APPEND_INT64(&list, "0", first);
    BSON_APPEND_INT64(&list, "1", second);
    bson_append_array_end(into, &list);
}

static void append_early(bson_t *into, const struct vf_aggregate *aggregate)
{
    bson_t list;

    bson_append_array_begin(into, "early", -1, &list);
    BSON_APPEND_INT64(&list, "0", aggregate->early_from);
    BSON_APPEND_INT64(&list, "1", aggregate->early_last);
    BSON_APPEND_INT64(&list, "2", aggregate->early_count);
    bson_append_array_end(into, &list);
}

static void append_failure(bson_t *into, const struct vf_failure *failure)
{
    bson_t parked;

    BSON_APPEND_DOCUMENT_BEGIN(into, "parked", &parked);
    vf_mongodb_append_text(&parked, "error", failure->error);
    if (failure->traceback.size > 0)
        vf_mongodb_append_text(&parked, "traceback", failure->traceback);
    vf_mongodb_append_text(&parked, "script", failure->script);
    BSON_APPEND_DATE_TIME(&parked, "at", failure->failed_ms);
    bson_append_document_end(into, &parked);
}

/* What a record says of events that are set aside: in its lists, and of its own. */
static void append_aside(bson_t *into, const struct vf_aggregate *aggregate)
{
    bson_t part;

    if (aggregate->aside_to > 0) /* also where the list is empty again: its places only grow */
        append_ints(into, "aside", aggregate->aside_from, aggregate->aside_to);
    if (aggregate->waiters_to > 0)
        append_ints(into, "waiters", aggregate->waiters_from, aggregate->waiters_to);
    if (aggregate->early_count > 0)
        append_early(into, aggregate);
    if (aggregate->waits_for.size > 0)
        vf_mongodb_append_text(into, "waits_for", aggregate->waits_for);
    if (aggregate->has_seen) {
        BSON_APPEND_DOCUMENT_BEGIN(into, "seen", &part);
        append_version(&part, "v", aggregate->seen, aggregate->seen_more);
        bson_append_document_end(into, &part);
    }
    if (aggregate->parked)
        append_failure(into, &aggregate->failure);
    if (aggregate->since_ms != 0)
        BSON_APPEND_DATE_TIME(into, "since", aggregate->since_ms);
    if (aggregate->draining)
        BSON_APPEND_BOOL(into, "draining", true);
    if (aggregate->state != VF_ASIDE_NONE)
        BSON_APPEND_UTF8(into, "state", aside_states[aggregate->state]);
}

void vf_mongodb_append_aggregate(bson_t *into, const struct vf_aggregate *aggregate, uint64_t stamp)
{
    vf_mongodb_append_text(into, "_id", aggregate->aggregate);
    vf_mongodb_append_stamp(into, "stamp", stamp);
    if (aggregate->has_link && aggregate->link_is_none)
        BSON_APPEND_NULL(into, "link");
    else if (aggregate->has_link)
        vf_mongodb_append_text(into, "link", aggregate->link);
    if (aggregate->link_via.size > 0)
        vf_mongodb_append_text(into, "via", aggregate->link_via);
    if (aggregate->has_version)
        append_version(into, "version", aggregate->version, aggregate->version_more);
    append_aside(into, aggregate);
}

void vf_mongodb_append_progress(bson_t *into, const struct vf_progress *progress)
{
    bson_t last;

    if (!progress->exists)
        return;
    BSON_APPEND_INT64(into, "next", progress->next);
    BSON_APPEND_INT64(into, "of", progress->of);
    if (progress->has_last) {
        BSON_APPEND_ARRAY_BEGIN(into, "last", &last);
        BSON_APPEND_INT64(&last, "0", progress->last_offset);
        BSON_APPEND_INT64(&last, "1", progress->last_timestamp_ms);
        vf_mongodb_append_stamp(&last, "2", progress->last_hash);
        bson_append_array_end(into, &last);
    }
    BSON_APPEND_INT64(into, "aside", progress->aside);
    if (progress->had > 0)
        BSON_APPEND_INT64(into, "had", progress->had);
    vf_mongodb_append_stamp(into, "stamp", progress->stamp);
}

/* --- reading --------------------------------------------------------------------------------------------------------- */

static bool iter_text(const bson_iter_t *iter, struct vf_bytes *ret_text)
{
    uint32_t size;
    const char *text;

    if (!BSON_ITER_HOLDS_UTF8(iter))
        return false;
    text = bson_iter_utf8(iter, &size);
    *ret_text = vf_bytes(text, size);
    return true;
}

static bool iter_int(const bson_iter_t *iter, int64_t *ret_number)
{
    if (!BSON_ITER_HOLDS_INT64(iter) && !BSON_ITER_HOLDS_INT32(iter))
        return false;
    *ret_number = bson_iter_as_int64(iter);
    return true;
}

bool vf_mongodb_iter_stamp(const bson_iter_t *iter, uint64_t *ret_stamp)
{
    struct vf_bytes text;

    return iter_text(iter, &text) && vf_stamp_parse(text, ret_stamp);
}

bool vf_mongodb_text_at(const bson_t *bson, const char *key, struct vf_bytes *ret_text)
{
    bson_iter_t iter;

    return bson_iter_init_find(&iter, bson, key) && iter_text(&iter, ret_text);
}

static enum vf_code not_ours(const char *what, const bson_t *bson, const char *why, struct vf_error *error)
{
    struct vf_bytes id = VF_LITERAL("(no string)");

    (void)vf_mongodb_text_at(bson, "_id", &id);
    return vf_fail(
        error, VF_E_CONFIG,
        "the %s with _id \"%.*s\" was not written by this viewfold (%s): remove it, or read with the viewfold "
        "that wrote it",
        what, (int)id.size, id.data, why);
}

/* What lies about one version, while it is read: the value, and the event ids beside it. */
struct version_parts {
    bool has_value;
    int64_t number;
    struct vf_version_more more; /* borrows from the BSON and from `packed` */
    bool has_ids;
    struct vf_buffer packed;
    bool wrong;
};

static bool read_ids(const bson_iter_t *value, struct version_parts *parts)
{
    bson_iter_t iter;
    struct vf_bytes id;

    if (parts->has_ids || !BSON_ITER_HOLDS_ARRAY(value) || !bson_iter_recurse(value, &iter))
        return false;
    parts->has_ids = true;
    for (; bson_iter_next(&iter); parts->more.id_count++) {
        if (parts->more.id_count == VF_REPEATS_MAX || !iter_text(&iter, &id) || id.size == 0 ||
            id.size > VF_ID_BYTES_MAX)
            return false;
        vf_event_ids_add(&parts->packed, id);
    }
    return parts->more.id_count > 0;
}

/* Takes one field of an entry or record whose version lies under `name`. False: it is another field. */
static bool take_version_field(const bson_iter_t *field, const char *name, struct version_parts *parts)
{
    const char *key = bson_iter_key(field);

    if (strcmp(key, name) == 0) {
        parts->has_value = true;
        if (!iter_int(field, &parts->number))
            parts->wrong |= !iter_text(field, &parts->more.text) || parts->more.text.size == 0 ||
                            parts->more.text.size > VF_ID_BYTES_MAX;
        return true;
    }
    if (strcmp(key, "ids") != 0 && strcmp(key, "recent") != 0)
        return false;
    parts->more.is_window = key[0] == 'r';
    parts->wrong |= !read_ids(field, parts);
    return true;
}

/* False: what was taken is no version. */
static bool finish_version(struct version_parts *parts, struct vf_arena *arena, int64_t *ret_version,
                           const struct vf_version_more **ret_more)
{
    bool fine =
        !parts->wrong && (parts->has_value || !parts->has_ids) && !(parts->has_ids && parts->more.text.size > 0);

    if (fine) {
        parts->more.ids = vf_bytes(parts->packed.data, parts->packed.size);
        *ret_version = parts->number;
        *ret_more = vf_version_more_copy(arena, &parts->more);
    }
    vf_buffer_done(&parts->packed);
    return fine;
}

static bool read_entry(const bson_iter_t *value, struct vf_arena *arena, struct vf_version *ret_version)
{
    bson_iter_t entry;
    struct vf_bytes aggregate = {0};
    struct version_parts parts = {0};

    if (!BSON_ITER_HOLDS_DOCUMENT(value) || !bson_iter_recurse(value, &entry))
        return false;
    while (bson_iter_next(&entry)) {
        if (strcmp(bson_iter_key(&entry), "a") == 0)
            iter_text(&entry, &aggregate);
        else
            take_version_field(&entry, "v", &parts);
    }
    if (!finish_version(&parts, arena, &ret_version->version, &ret_version->more))
        return false;
    ret_version->aggregate = vf_arena_copy(arena, aggregate);
    return aggregate.size > 0 && parts.has_value;
}

static bool read_versions(const bson_iter_t *value, struct vf_arena *arena, struct vf_document *document)
{
    bson_iter_t iter;
    struct vf_version *versions;
    size_t count = 0;

    if (!BSON_ITER_HOLDS_ARRAY(value) || !bson_iter_recurse(value, &iter))
        return false;
    while (bson_iter_next(&iter))
        count++;
    versions = vf_arena_calloc(arena, count, sizeof(*versions));
    bson_iter_recurse(value, &iter);
    for (count = 0; bson_iter_next(&iter); count++)
        if (!read_entry(&iter, arena, &versions[count]))
            return false;
    document->versions = versions;
    document->version_count = count;
    return true;
}

static bool iter_date(const bson_iter_t *iter, int64_t *ret_ms)
{
    if (!BSON_ITER_HOLDS_DATE_TIME(iter))
        return false;
    *ret_ms = bson_iter_date_time(iter);
    return true;
}

static bool read_husk(const bson_iter_t *value, enum vf_presence *ret_presence)
{
    struct vf_bytes name;
    enum vf_presence husk;

    if (!iter_text(value, &name))
        return false;
    for (husk = VF_HUSK_NEW; husk <= VF_HUSK_EXPIRED; husk++)
        if (vf_bytes_is(name, husk_names[husk])) {
            *ret_presence = husk;
            return true;
        }
    return false;
}

/* Takes one field of `_view`; NULL, or why it cannot be read. */
static const char *take_view_field(const bson_iter_t *field, struct vf_arena *arena, struct vf_document *document)
{
    const char *key = bson_iter_key(field);

    if (strcmp(key, "versions") == 0)
        return read_versions(field, arena, document) ? NULL : "_view.versions cannot be read";
    if (strcmp(key, "husk") == 0)
        return read_husk(field, &document->presence) ? NULL : "_view.husk is of no kind that this build knows";
    if (strcmp(key, "by") == 0)
        return iter_text(field, &document->deleted_by) ? NULL : "_view.by is no string";
    if (strcmp(key, "since") == 0)
        return iter_date(field, &document->since_ms) ? NULL : "_view.since is no date";
    if (strcmp(key, "expires") == 0) {
        document->has_expires = true;
        return iter_date(field, &document->expires_ms) ? NULL : "_view.expires is no date";
    }
    return NULL;
}

/* Reads `_view`; NULL, or why it cannot be read. */
static const char *read_view(const bson_iter_t *value, struct vf_arena *arena, struct vf_document *document)
{
    bson_iter_t iter;
    bool has_stamp = false, has_revision = false, has_since = false;
    const char *why = NULL;

    if (!BSON_ITER_HOLDS_DOCUMENT(value) || !bson_iter_recurse(value, &iter))
        return "_view is no document";
    while (!why && bson_iter_next(&iter)) {
        const char *key = bson_iter_key(&iter);

        has_since = has_since || strcmp(key, "since") == 0;
        if (strcmp(key, "stamp") == 0)
            has_stamp = vf_mongodb_iter_stamp(&iter, &document->stamp);
        else if (strcmp(key, "rev") == 0)
            has_revision = iter_int(&iter, &document->revision);
        else
            why = take_view_field(&iter, arena, document);
    }
    if (why)
        return why;
    if (document->presence == VF_HUSK_DELETED && document->deleted_by.size == 0)
        return "_view.by is missing: who deleted it";
    if ((document->presence == VF_HUSK_DELETED || document->presence == VF_HUSK_EXPIRED) && !has_since)
        return "_view.since is missing: when it went";
    document->deleted_by = vf_arena_copy(arena, document->deleted_by);
    if (!has_stamp)
        return "_view.stamp is missing or no stamp";
    return has_revision ? NULL : "_view.rev is missing or no integer";
}

/* Copies the body's bytes [from, to) of `bson`, elements as they lie there. */
static void body_add(struct vf_arena *arena, const bson_t *bson, uint32_t from, uint32_t to, char **body, size_t *size)
{
    if (!*body)
        *body = vf_arena_alloc(arena, bson->len);
    memcpy(*body + *size, bson_get_data(bson) + from, to - from);
    *size += to - from;
}

enum vf_code vf_mongodb_read_document(const bson_t *bson, struct vf_arena *arena, struct vf_document *ret_document,
                                      struct vf_error *error)
{
    struct vf_document document = {.presence = VF_PRESENT};
    const char *why = "_view is missing";
    bool has_id = false;
    bson_iter_t iter;
    char *body = NULL;
    size_t size = sizeof(int32_t);
    uint32_t run_from = 0; /* where a run of body elements began; 0: in none */
    uint32_t length;

    if (!bson_iter_init(&iter, bson))
        return vf_fail(error, VF_E_CONFIG, "a document is no BSON");
    while (bson_iter_next(&iter)) {
        const char *key = bson_iter_key(&iter);
        bool is_id = strcmp(key, "_id") == 0;
        bool is_view = strcmp(key, "_view") == 0;
        uint32_t at = bson_iter_offset(&iter);

        if (!is_id && !is_view) {
            if (run_from == 0)
                run_from = at;
            continue;
        }
        if (run_from > 0)
            body_add(arena, bson, run_from, at, &body, &size);
        run_from = 0;
        if (is_id)
            has_id = iter_text(&iter, &document.id);
        else
            why = read_view(&iter, arena, &document);
    }
    if (!has_id || why)
        return not_ours("document", bson, why ? why : "its _id is no string", error);
    body_add(arena, bson, run_from ? run_from : bson->len - 1, bson->len, &body, &size); /* and the NUL that ends it */
    length = BSON_UINT32_TO_LE((uint32_t)size);
    memcpy(body, &length, sizeof(length));
    document.id = vf_arena_copy(arena, document.id);
    if (document.presence == VF_PRESENT)
        document.body = vf_bytes(body, size);
    *ret_document = document;
    return VF_OK;
}

static bool read_ints(const bson_iter_t *value, int64_t *ret_first, int64_t *ret_second)
{
    bson_iter_t iter;

    return BSON_ITER_HOLDS_ARRAY(value) && bson_iter_recurse(value, &iter) && /* */
           bson_iter_next(&iter) && iter_int(&iter, ret_first) &&             /* */
           bson_iter_next(&iter) && iter_int(&iter, ret_second);
}

static bool read_early(const bson_iter_t *value, struct vf_aggregate *aggregate)
{
    bson_iter_t iter;

    return BSON_ITER_HOLDS_ARRAY(value) && bson_iter_recurse(value, &iter) &&  /* */
           bson_iter_next(&iter) && iter_int(&iter, &aggregate->early_from) && /* */
           bson_iter_next(&iter) && iter_int(&iter, &aggregate->early_last) && /* */
           bson_iter_next(&iter) && iter_int(&iter, &aggregate->early_count) && aggregate->early_count > 0;
}

static bool read_places(const bson_iter_t *value, int64_t *ret_from, int64_t *ret_to)
{
    return read_ints(value, ret_from, ret_to) && *ret_from >= 0 && *ret_from <= *ret_to;
}

static bool read_failure(const bson_iter_t *value, struct vf_arena *arena, struct vf_failure *failure)
{
    bool has_error = false, has_script = false, has_time = false, fine = true;
    bson_iter_t iter;

    if (!BSON_ITER_HOLDS_DOCUMENT(value) || !bson_iter_recurse(value, &iter))
        return false;
    while (fine && bson_iter_next(&iter)) {
        const char *key = bson_iter_key(&iter);

        if (strcmp(key, "error") == 0)
            fine = has_error = iter_text(&iter, &failure->error);
        else if (strcmp(key, "traceback") == 0)
            fine = iter_text(&iter, &failure->traceback);
        else if (strcmp(key, "script") == 0)
            fine = has_script = iter_text(&iter, &failure->script);
        else if (strcmp(key, "at") == 0)
            fine = has_time = iter_date(&iter, &failure->failed_ms);
        else
            fine = false;
    }
    failure->error = vf_arena_copy(arena, failure->error);
    failure->traceback = vf_arena_copy(arena, failure->traceback);
    failure->script = vf_arena_copy(arena, failure->script);
    return fine && has_error && has_script && has_time;
}

static bool read_state(const bson_iter_t *value, enum vf_aside_state *ret_state)
{
    struct vf_bytes name;

    *ret_state = iter_text(value, &name) ? vf_mongodb_state_named(name) : VF_ASIDE_NONE;
    return *ret_state != VF_ASIDE_NONE;
}

static bool read_seen(const bson_iter_t *value, struct vf_arena *arena, struct vf_aggregate *aggregate)
{
    struct version_parts parts = {0};
    bson_iter_t iter;
    bool fine = BSON_ITER_HOLDS_DOCUMENT(value) && bson_iter_recurse(value, &iter);

    while (fine && bson_iter_next(&iter))
        fine = take_version_field(&iter, "v", &parts);
    aggregate->has_seen = true;
    return finish_version(&parts, arena, &aggregate->seen, &aggregate->seen_more) && fine && parts.has_value;
}

/* Takes one field that says what is set aside. False: unknown, or of the wrong type. */
static bool take_aside_field(const bson_iter_t *field, struct vf_arena *arena, struct vf_aggregate *aggregate)
{
    const char *key = bson_iter_key(field);

    if (strcmp(key, "aside") == 0)
        return read_places(field, &aggregate->aside_from, &aggregate->aside_to);
    if (strcmp(key, "waiters") == 0)
        return read_places(field, &aggregate->waiters_from, &aggregate->waiters_to);
    if (strcmp(key, "early") == 0)
        return read_early(field, aggregate);
    if (strcmp(key, "waits_for") == 0)
        return iter_text(field, &aggregate->waits_for);
    if (strcmp(key, "seen") == 0)
        return read_seen(field, arena, aggregate);
    if (strcmp(key, "parked") == 0) {
        aggregate->parked = true;
        return read_failure(field, arena, &aggregate->failure);
    }
    if (strcmp(key, "since") == 0)
        return iter_date(field, &aggregate->since_ms);
    if (strcmp(key, "state") == 0)
        return read_state(field, &aggregate->state);
    if (strcmp(key, "draining") == 0) {
        aggregate->draining = BSON_ITER_HOLDS_BOOL(field) && bson_iter_bool(field);
        return aggregate->draining;
    }
    return false; /* of a later build, which this one would not keep */
}

/* Takes one field of a record that its version is none of. False: unknown, or of the wrong type. */
static bool take_aggregate_field(const bson_iter_t *field, struct vf_arena *arena, struct vf_aggregate *aggregate)
{
    const char *key = bson_iter_key(field);

    if (strcmp(key, "link") == 0) {
        aggregate->has_link = true;
        aggregate->link_is_none = BSON_ITER_HOLDS_NULL(field);
        return aggregate->link_is_none || iter_text(field, &aggregate->link);
    }
    if (strcmp(key, "via") == 0)
        return iter_text(field, &aggregate->link_via);
    return take_aside_field(field, arena, aggregate);
}

enum vf_code vf_mongodb_read_aggregate(const bson_t *bson, struct vf_arena *arena, struct vf_aggregate *ret_aggregate,
                                       struct vf_error *error)
{
    struct vf_aggregate aggregate = {.exists = true};
    bool has_id = false, has_stamp = false, readable = true;
    struct version_parts version = {0};
    bson_iter_t iter;

    if (!bson_iter_init(&iter, bson))
        return vf_fail(error, VF_E_CONFIG, "an aggregate record is no BSON");
    while (bson_iter_next(&iter)) {
        const char *key = bson_iter_key(&iter);

        if (strcmp(key, "_id") == 0)
            has_id = iter_text(&iter, &aggregate.aggregate);
        else if (strcmp(key, "stamp") == 0)
            has_stamp = vf_mongodb_iter_stamp(&iter, &aggregate.stamp);
        else if (!take_version_field(&iter, "version", &version))
            readable = take_aggregate_field(&iter, arena, &aggregate) && readable;
    }
    aggregate.has_version = version.has_value;
    readable = finish_version(&version, arena, &aggregate.version, &aggregate.version_more) && readable;
    if (!has_id || !has_stamp || !readable)
        return not_ours("aggregate record", bson, "a field is missing, unknown or of the wrong type", error);
    aggregate.aggregate = vf_arena_copy(arena, aggregate.aggregate);
    aggregate.link = vf_arena_copy(arena, aggregate.link);
    aggregate.link_via = vf_arena_copy(arena, aggregate.link_via);
    aggregate.waits_for = vf_arena_copy(arena, aggregate.waits_for);
    *ret_aggregate = aggregate;
    return VF_OK;
}

static bool read_last(const bson_iter_t *value, struct vf_progress *progress)
{
    bson_iter_t iter;

    progress->has_last = true;
    return BSON_ITER_HOLDS_ARRAY(value) && bson_iter_recurse(value, &iter) &&        /* */
           bson_iter_next(&iter) && iter_int(&iter, &progress->last_offset) &&       /* */
           bson_iter_next(&iter) && iter_int(&iter, &progress->last_timestamp_ms) && /* */
           bson_iter_next(&iter) && vf_mongodb_iter_stamp(&iter, &progress->last_hash);
}

bool vf_mongodb_read_partition(struct vf_bytes text, struct vf_arena *arena, struct vf_partition *ret_partition)
{
    int64_t number = 0;
    size_t slash, i;

    if (text.size == 0)
        return false;
    slash = text.size - 1;
    while (slash > 0 && text.data[slash] != '/')
        slash--;
    if (slash == 0 || slash == text.size - 1 || memchr(text.data, '\0', slash)) /* a topic is text that ends with NUL */
        return false;
    for (i = slash + 1; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || number > INT32_MAX)
            return false;
        number = number * 10 + (text.data[i] - '0');
    }
    if (number > INT32_MAX)
        return false;
    ret_partition->topic = vf_arena_bytes(arena, text.data, slash).data;
    ret_partition->partition = (int32_t)number;
    return true;
}

/* "customer_orders.g1 orders/3" into topic and partition. */
static bool read_progress_id(struct vf_bytes id, const struct vf_mongodb_names *names, struct vf_arena *arena,
                             struct vf_partition *ret_partition)
{
    size_t prefix = strlen(names->documents) + 1;

    return id.size > prefix &&
           vf_mongodb_read_partition(vf_bytes(id.data + prefix, id.size - prefix), arena, ret_partition);
}

enum vf_code vf_mongodb_read_progress(const bson_t *bson, const struct vf_mongodb_names *names, struct vf_arena *arena,
                                      struct vf_progress_row *ret_row, struct vf_error *error)
{
    struct vf_progress_row row = {0};
    struct vf_bytes text = {0};
    bool readable = true, has_stamp = false;
    int64_t of = 0;
    bson_iter_t iter;

    if (!vf_mongodb_text_at(bson, "_id", &text) || !read_progress_id(text, names, arena, &row.partition))
        return not_ours("progress", bson, "its _id names no partition", error);
    if (!bson_iter_init(&iter, bson))
        return vf_fail(error, VF_E_CONFIG, "progress is no BSON");
    while (bson_iter_next(&iter)) {
        const char *key = bson_iter_key(&iter);

        if (strcmp(key, "next") == 0) {
            row.progress.exists = true;
            readable = readable && iter_int(&iter, &row.progress.next);
        } else if (strcmp(key, "of") == 0) {
            readable = readable && iter_int(&iter, &of) && of >= 0 && of <= INT32_MAX;
        } else if (strcmp(key, "last") == 0) {
            readable = readable && read_last(&iter, &row.progress);
        } else if (strcmp(key, "aside") == 0) {
            readable = readable && iter_int(&iter, &row.progress.aside);
        } else if (strcmp(key, "had") == 0) {
            readable = readable && iter_int(&iter, &row.progress.had) && row.progress.had > 0; /* else it is left out */
        } else if (strcmp(key, "stamp") == 0) {
            has_stamp = vf_mongodb_iter_stamp(&iter, &row.progress.stamp);
        } else if (strcmp(key, "stopped") == 0) {
            readable = readable && iter_text(&iter, &text);
            if (readable)
                row.stopped = vf_arena_copy(arena, text).data;
        }
    }
    if (!readable || (row.progress.exists && !has_stamp))
        return not_ours("progress", bson, "a field is missing, or of the wrong type", error);
    row.progress.of = (int32_t)of;
    *ret_row = row;
    return VF_OK;
}
