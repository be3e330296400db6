/* The registry: which generations there are, the script of each, and which one readers see. */
#include "connectors/mongodb/mongodb_internal.h"

#include <errno.h>
#include <stdlib.h>

#define SERVER_DUPLICATE_KEY 11000u

/* --- an entry and its BSON ------------------------------------------------------------------------------------------- */

/* A script's text is UTF-8, which other clients can show, or else bytes. */
static void append_file(bson_t *list, size_t index, const struct vf_file *file)
{
    char buffer[16];
    const char *key;
    bson_t entry;

    bson_uint32_to_string((uint32_t)index, &key, buffer, sizeof(buffer));
    bson_append_document_begin(list, key, -1, &entry);
    vf_mongodb_append_text(&entry, "name", file->name);
    if (vf_bytes_is_utf8(file->text))
        vf_mongodb_append_text(&entry, "text", file->text);
    else
        bson_append_binary(&entry, "text", -1, BSON_SUBTYPE_BINARY, (const uint8_t *)file->text.data,
                           (uint32_t)file->text.size);
    bson_append_document_end(list, &entry);
}

void vf_mongodb_append_script(bson_t *into, const struct vf_generation *generation)
{
    bson_t files;
    size_t i;

    BSON_APPEND_UTF8(into, "main", generation->script);
    BSON_APPEND_ARRAY_BEGIN(into, "files", &files);
    for (i = 0; i < generation->file_count; i++)
        append_file(&files, i, &generation->files[i]);
    bson_append_array_end(into, &files);
    BSON_APPEND_UTF8(into, "hash", generation->script_hash);
}

static void append_entry(bson_t *entry, const struct vf_mongodb_names *names, const struct vf_generation *generation)
{
    bson_t script;

    BSON_APPEND_UTF8(entry, "_id", names->documents);
    BSON_APPEND_UTF8(entry, "state", generation->state);
    BSON_APPEND_UTF8(entry, "phase", ""); /* of a switch that is under way; none */
    vf_mongodb_append_stamp(entry, "stamp", generation->stamp);
    BSON_APPEND_INT64(entry, "projection_version", generation->projection_version);
    BSON_APPEND_DOCUMENT_BEGIN(entry, "script", &script);
    vf_mongodb_append_script(&script, generation);
    bson_append_document_end(entry, &script);
    BSON_APPEND_DATE_TIME(entry, "created", generation->created_ms);
    BSON_APPEND_INT64(entry, "format", generation->format);
    if (generation->follows_drop)
        BSON_APPEND_BOOL(entry, "follows_drop", true);
}

static bool read_file(const bson_iter_t *value, struct vf_arena *arena, struct vf_file *ret_file)
{
    struct vf_bytes name = {0}, text = {0};
    bool has_text = false;
    bson_iter_t iter;
    uint32_t size;

    if (!BSON_ITER_HOLDS_DOCUMENT(value) || !bson_iter_recurse(value, &iter))
        return false;
    while (bson_iter_next(&iter)) {
        const char *key = bson_iter_key(&iter);

        if (strcmp(key, "name") == 0 && BSON_ITER_HOLDS_UTF8(&iter)) {
            const char *data = bson_iter_utf8(&iter, &size);

            name = vf_bytes(data, size);
        } else if (strcmp(key, "text") == 0 && BSON_ITER_HOLDS_UTF8(&iter)) {
            const char *data = bson_iter_utf8(&iter, &size);

            text = vf_bytes(data, size);
            has_text = true;
        } else if (strcmp(key, "text") == 0 && BSON_ITER_HOLDS_BINARY(&iter)) {
            const uint8_t *data;
            bson_subtype_t subtype;

            bson_iter_binary(&iter, &subtype, &size, &data);
            text = vf_bytes(data, size);
            has_text = true;
        }
    }
    ret_file->name = vf_arena_copy(arena, name);
    ret_file->text = vf_arena_copy(arena, text);
    return name.size > 0 && has_text;
}

static bool read_files(const bson_iter_t *value, struct vf_arena *arena, struct vf_generation *generation)
{
    struct vf_file *files;
    bson_iter_t iter;
    size_t count = 0;

    if (!BSON_ITER_HOLDS_ARRAY(value) || !bson_iter_recurse(value, &iter))
        return false;
    while (bson_iter_next(&iter))
        count++;
    files = vf_arena_calloc(arena, count, sizeof(*files));
    bson_iter_recurse(value, &iter);
    for (count = 0; bson_iter_next(&iter); count++)
        if (!read_file(&iter, arena, &files[count]))
            return false;
    generation->files = files;
    generation->file_count = count;
    return count > 0;
}

/* In a list, and where the generation is not active, there are no files. */
static bool read_script(const bson_iter_t *value, struct vf_arena *arena, bool wants_files,
                        struct vf_generation *generation)
{
    bool has_main = false, has_hash = false, has_files = !wants_files;
    bson_iter_t iter;

    if (!BSON_ITER_HOLDS_DOCUMENT(value) || !bson_iter_recurse(value, &iter))
        return false;
    while (bson_iter_next(&iter)) {
        const char *key = bson_iter_key(&iter);
        uint32_t size = 0;

        if (strcmp(key, "files") == 0) {
            has_files = read_files(&iter, arena, generation);
        } else if (strcmp(key, "main") == 0 && BSON_ITER_HOLDS_UTF8(&iter)) {
            const char *data = bson_iter_utf8(&iter, &size);

            generation->script = vf_arena_bytes(arena, data, size).data;
            has_main = true;
        } else if (strcmp(key, "hash") == 0 && BSON_ITER_HOLDS_UTF8(&iter)) {
            const char *data = bson_iter_utf8(&iter, &size);

            has_hash = size < sizeof(generation->script_hash);
            if (has_hash)
                memcpy(generation->script_hash, data, size + 1);
        }
    }
    return has_main && has_hash && has_files;
}

static bool text_is_hash(const bson_iter_t *iter, char ret_hash[65])
{
    uint32_t size = 0;
    const char *text = BSON_ITER_HOLDS_UTF8(iter) ? bson_iter_utf8(iter, &size) : NULL;

    if (!text || size > 64)
        return false;
    memcpy(ret_hash, text, size + 1);
    return true;
}

static bool read_position(const bson_iter_t *value, struct vf_arena *arena, struct vf_reached *ret_reached)
{
    bson_iter_t iter;

    if (!BSON_ITER_HOLDS_DOCUMENT(value) || !bson_iter_recurse(value, &iter))
        return false;
    while (bson_iter_next(&iter)) {
        const char *key = bson_iter_key(&iter);
        uint32_t size = 0;

        if (strcmp(key, "topic") == 0 && BSON_ITER_HOLDS_UTF8(&iter)) {
            const char *topic = bson_iter_utf8(&iter, &size);

            ret_reached->partition.topic = vf_arena_bytes(arena, topic, size).data;
        } else if (strcmp(key, "partition") == 0) {
            ret_reached->partition.partition = (int32_t)bson_iter_as_int64(&iter);
        } else if (strcmp(key, "next") == 0) {
            ret_reached->next = bson_iter_as_int64(&iter);
        }
    }
    return ret_reached->partition.topic != NULL;
}

static size_t count_of(const bson_iter_t *list)
{
    bson_iter_t iter;
    size_t count = 0;

    if (BSON_ITER_HOLDS_ARRAY(list) && bson_iter_recurse(list, &iter))
        while (bson_iter_next(&iter))
            count++;
    return count;
}

static bool read_positions(const bson_iter_t *list, struct vf_arena *arena, struct vf_adoption *adoption)
{
    struct vf_reached *positions = vf_arena_calloc(arena, count_of(list), sizeof(*positions));
    bson_iter_t iter;
    size_t count = 0;

    if (!BSON_ITER_HOLDS_ARRAY(list) || !bson_iter_recurse(list, &iter))
        return false;
    while (bson_iter_next(&iter))
        if (!read_position(&iter, arena, &positions[count++]))
            return false;
    adoption->positions = positions;
    adoption->position_count = count;
    return true;
}

static bool read_adoption(const bson_iter_t *value, struct vf_arena *arena, struct vf_adoption *ret_adoption)
{
    bson_iter_t iter;
    bool fine = BSON_ITER_HOLDS_DOCUMENT(value) && bson_iter_recurse(value, &iter);

    while (fine && bson_iter_next(&iter)) {
        const char *key = bson_iter_key(&iter);

        if (strcmp(key, "at") == 0 && BSON_ITER_HOLDS_DATE_TIME(&iter))
            ret_adoption->adopted_ms = bson_iter_date_time(&iter);
        else if (strcmp(key, "from") == 0)
            fine = text_is_hash(&iter, ret_adoption->from_hash);
        else if (strcmp(key, "to") == 0)
            fine = text_is_hash(&iter, ret_adoption->to_hash);
        else if (strcmp(key, "positions") == 0)
            fine = read_positions(&iter, arena, ret_adoption);
    }
    return fine;
}

static bool read_adoptions(const bson_t *entry, struct vf_arena *arena, struct vf_generation *generation)
{
    bson_iter_t list, iter;
    struct vf_adoption *adoptions;
    size_t count = 0;

    if (!bson_iter_init_find(&list, entry, "adoptions"))
        return true;
    adoptions = vf_arena_calloc(arena, count_of(&list), sizeof(*adoptions));
    if (!BSON_ITER_HOLDS_ARRAY(&list) || !bson_iter_recurse(&list, &iter))
        return false;
    while (bson_iter_next(&iter))
        if (!read_adoption(&iter, arena, &adoptions[count++]))
            return false;
    generation->adoptions = adoptions;
    generation->adoption_count = count;
    return true;
}

static int64_t int_at(const bson_t *bson, const char *key)
{
    bson_iter_t iter;

    return bson_iter_init_find(&iter, bson, key) ? bson_iter_as_int64(&iter) : 0;
}

/* The format is looked at before anything else: what a newer viewfold wrote may have another form. */
static enum vf_code check_format(const struct vf_store *store, const struct vf_mongodb_names *names,
                                 const bson_t *entry, struct vf_error *error)
{
    int64_t format = int_at(entry, "format");

    /* GUARD mongodb-format: an older viewfold would read, and write, what it does not understand */
    if (format > VF_FORMAT)
        return vf_fail(error, VF_E_CONFIG,
                       "store \"%s\" (mongodb, %s): generation %s has format %lld, this viewfold knows up to %d: use a "
                       "newer viewfold",
                       store->name, store->hosts, names->documents, (long long)format, VF_FORMAT);
    return VF_OK;
}

static enum vf_code read_entry(const struct vf_store *store, const struct vf_mongodb_names *names, int32_t number,
                               const bson_t *entry, bool wants_files, struct vf_arena *arena,
                               struct vf_generation *ret_generation, struct vf_error *error)
{
    struct vf_generation generation = {.number = number};
    struct vf_bytes state, stamp;
    bson_iter_t iter;
    enum vf_code code = check_format(store, names, entry, error);

    if (code != VF_OK)
        return code;
    if (!vf_mongodb_text_at(entry, "state", &state) || !vf_mongodb_text_at(entry, "stamp", &stamp) ||
        !vf_stamp_parse(stamp, &generation.stamp) || !bson_iter_init_find(&iter, entry, "script") ||
        !read_script(&iter, arena, wants_files && vf_bytes_is(state, VF_GENERATION_ACTIVE), &generation) ||
        !read_adoptions(entry, arena, &generation))
        return vf_fail(
            error, VF_E_CONFIG,
            "store \"%s\" (mongodb, %s): the entry %s in %s cannot be read: state, stamp or script is missing",
            store->name, store->hosts, names->documents, VF_MONGODB_GENERATIONS);
    generation.state = vf_arena_copy(arena, state).data;
    generation.projection_version = int_at(entry, "projection_version");
    if (bson_iter_init_find(&iter, entry, "created") && BSON_ITER_HOLDS_DATE_TIME(&iter))
        generation.created_ms = bson_iter_date_time(&iter);
    generation.format = (int32_t)int_at(entry, "format");
    generation.follows_drop = bson_iter_init_find(&iter, entry, "follows_drop") && bson_iter_as_bool(&iter);
    *ret_generation = generation;
    return VF_OK;
}

/* --- reading and making ---------------------------------------------------------------------------------------------- */

/* VF_OK with found = false where there is no entry. Linearizable: whoever runs a script must not have read an entry that a
 * fail-over then takes back, and another process makes anew with another script. */
static enum vf_code find_entry(struct vf_store *store, const struct vf_mongodb_names *names, int32_t number,
                               struct vf_arena *arena, struct vf_generation *ret_generation, bool *ret_found,
                               struct vf_error *error)
{
    bson_t filter = BSON_INITIALIZER;
    enum vf_code code = VF_OK;
    mongoc_cursor_t *cursor;
    bson_error_t failure;
    const bson_t *entry;
    bool found;

    BSON_APPEND_UTF8(&filter, "_id", names->documents);
    cursor = vf_mongodb_find(store, VF_MONGODB_GENERATIONS, &filter, 2, "linearizable");
    found = mongoc_cursor_next(cursor, &entry);
    if (mongoc_cursor_error(cursor, &failure))
        code = vf_mongodb_fail(store, &failure, NULL, "read " VF_MONGODB_GENERATIONS, error);
    else if (found)
        code = read_entry(store, names, number, entry, true, arena, ret_generation, error);
    if (code == VF_OK)
        *ret_found = found;
    mongoc_cursor_destroy(cursor);
    bson_destroy(&filter);
    return code;
}

static enum vf_code insert_entry(struct vf_store *store, const struct vf_mongodb_names *names,
                                 const struct vf_generation *proposed, bool *ret_inserted, struct vf_error *error)
{
    bson_t command = BSON_INITIALIZER, list, entry, reply;
    enum vf_code code = VF_OK;
    bson_error_t failure;
    bool done;

    BSON_APPEND_UTF8(&command, "insert", VF_MONGODB_GENERATIONS);
    BSON_APPEND_ARRAY_BEGIN(&command, "documents", &list);
    BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &entry);
    append_entry(&entry, names, proposed);
    bson_append_document_end(&list, &entry);
    bson_append_array_end(&command, &list);
    done = vf_mongodb_write(store, &command, &reply, &failure);
    if (!done && failure.code != SERVER_DUPLICATE_KEY)
        code = vf_mongodb_fail(store, &failure, &reply, "write " VF_MONGODB_GENERATIONS, error);
    else
        *ret_inserted = done;
    bson_destroy(&reply);
    bson_destroy(&command);
    return code;
}

/* A dropped one's entry becomes the proposed one's, unless somebody else is faster. */
static enum vf_code replace_dropped(struct vf_store *store, const struct vf_mongodb_names *names,
                                    const struct vf_generation *proposed, uint64_t dropped_stamp, bool *ret_replaced,
                                    struct vf_error *error)
{
    struct vf_generation generation = *proposed;
    bson_t command = BSON_INITIALIZER, list, statement, query, entry, reply;
    enum vf_code code = VF_OK;
    bson_error_t failure;

    generation.follows_drop = true;
    BSON_APPEND_UTF8(&command, "update", VF_MONGODB_GENERATIONS);
    BSON_APPEND_ARRAY_BEGIN(&command, "updates", &list);
    BSON_APPEND_DOCUMENT_BEGIN(&list, "0", &statement);
    BSON_APPEND_DOCUMENT_BEGIN(&statement, "q", &query);
    BSON_APPEND_UTF8(&query, "_id", names->documents);
    BSON_APPEND_UTF8(&query, "state", VF_GENERATION_DROPPED);
    vf_mongodb_append_stamp(&query, "stamp", dropped_stamp);
    bson_append_document_end(&statement, &query);
    BSON_APPEND_DOCUMENT_BEGIN(&statement, "u", &entry);
    append_entry(&entry, names, &generation);
    bson_append_document_end(&statement, &entry);
    bson_append_document_end(&list, &statement);
    bson_append_array_end(&command, &list);
    if (!vf_mongodb_write(store, &command, &reply, &failure))
        code = vf_mongodb_fail(store, &failure, &reply, "write " VF_MONGODB_GENERATIONS, error);
    else
        *ret_replaced = int_at(&reply, "n") == 1;
    bson_destroy(&reply);
    bson_destroy(&command);
    return code;
}

enum vf_code vf_mongodb_prepare(struct vf_store *store, const char *view, const struct vf_generation *proposed,
                                struct vf_arena *arena, struct vf_generation *ret_generation, bool *ret_created,
                                struct vf_error *error)
{
    struct vf_view of = {.name = view, .generation = proposed->number};
    struct vf_generation generation;
    struct vf_mongodb_names names;
    bool found = false, created = false, dropped = false;
    enum vf_code code = vf_mongodb_names(store, of, &names, error);

    store->prepares = true;
    if (code == VF_OK)
        code = find_entry(store, &names, of.generation, arena, &generation, &found, error);
    if (code == VF_OK && found && strcmp(generation.state, VF_GENERATION_ACTIVE) != 0) {
        dropped = strcmp(generation.state, VF_GENERATION_DROPPED) == 0;
        /* GUARD mongodb-drop-stays: a worker that had been running a dropped generation makes it again, with the script of then */
        if (proposed->again || !dropped)
            goto out;
    }
    /* The view first: a name that is somebody else's is seen before anything was made. The entry last: it says that all is
     * there. What a crash left out is made by the next call. */
    if (code == VF_OK)
        code = vf_mongodb_make_view(store, view, &names, error);
    if (code == VF_OK)
        code = vf_mongodb_make_collections(store, &names, error);
    if (code == VF_OK && (!found || dropped)) {
        if (dropped)
            code = replace_dropped(store, &names, proposed, generation.stamp, &created, error);
        else
            code = insert_entry(store, &names, proposed, &created, error);
        if (code == VF_OK)
            code = find_entry(store, &names, of.generation, arena, &generation, &found, error);
    }
    if (code == VF_OK && !found)
        code = vf_fail_retriable(error, VF_E_UNAVAILABLE,
                                 "store \"%s\" (mongodb, %s): the entry %s went away while it was made", store->name,
                                 store->hosts, names.documents);
out:
    if (code != VF_OK)
        return code;
    *ret_generation = generation;
    *ret_created = created;
    return VF_OK;
}

enum vf_code vf_mongodb_generation(struct vf_store *store, struct vf_view view, struct vf_arena *arena,
                                   struct vf_generation *ret_generation, struct vf_error *error)
{
    struct vf_generation generation;
    struct vf_mongodb_names names;
    bool found = false;
    enum vf_code code = vf_mongodb_names(store, view, &names, error);

    if (code == VF_OK)
        code = find_entry(store, &names, view.generation, arena, &generation, &found, error);
    if (code == VF_OK && !found)
        code = vf_fail(error, VF_E_NOT_FOUND, "store \"%s\" (mongodb, %s): there is no generation %d of view \"%s\"",
                       store->name, store->hosts, (int)view.generation, view.name);
    if (code == VF_OK)
        *ret_generation = generation;
    return code;
}

/* --- which one readers see ------------------------------------------------------------------------------------------- */

/* {_id: {$gte: "customer_orders.g", $lt: "customer_orders.h"}}: a view's name holds no dot. */
static void append_view_query(bson_t *filter, const char *view)
{
    struct vf_buffer bound;
    bson_t range;

    vf_buffer_init(&bound);
    BSON_APPEND_DOCUMENT_BEGIN(filter, "_id", &range);
    vf_buffer_printf(&bound, "%s.g", view);
    BSON_APPEND_UTF8(&range, "$gte", bound.data);
    bound.data[bound.size - 1] = 'h';
    BSON_APPEND_UTF8(&range, "$lt", bound.data);
    bson_append_document_end(filter, &range);
    vf_buffer_done(&bound);
}

/* The number behind "customer_orders.g"; 0 where there is none. */
static int32_t number_of(const bson_t *entry, const char *view)
{
    size_t prefix = strlen(view) + 2;
    struct vf_bytes id;
    char *end;
    long number;

    if (!vf_mongodb_text_at(entry, "_id", &id) || id.size <= prefix)
        return 0;
    errno = 0;
    number = strtol(id.data + prefix, &end, 10);
    return errno || *end || number < 1 || number > INT32_MAX ? 0 : (int32_t)number;
}

enum vf_code vf_mongodb_state(struct vf_store *store, const char *view, struct vf_view_state *ret_state,
                              struct vf_error *error)
{
    bson_t filter = BSON_INITIALIZER;
    struct vf_view_state state = {0};
    struct vf_mongodb_names names;
    enum vf_code code = VF_OK;
    mongoc_cursor_t *cursor;
    bson_error_t failure;
    const bson_t *entry;

    append_view_query(&filter, view);
    BSON_APPEND_UTF8(&filter, "state", VF_GENERATION_ACTIVE);
    cursor = vf_mongodb_find(store, VF_MONGODB_GENERATIONS, &filter, 2, "local");
    if (mongoc_cursor_next(cursor, &entry)) {
        state.active = number_of(entry, view);
        code = vf_mongodb_names(store, (struct vf_view){.name = view, .generation = state.active}, &names, error);
        if (code == VF_OK)
            code = check_format(store, &names, entry, error);
    }
    if (code == VF_OK && mongoc_cursor_error(cursor, &failure))
        code = vf_mongodb_fail(store, &failure, NULL, "read " VF_MONGODB_GENERATIONS, error);
    mongoc_cursor_destroy(cursor);
    bson_destroy(&filter);
    if (code == VF_OK && state.active > 0)
        code = vf_mongodb_is_frozen(store, &names, &state.frozen, error);
    if (code == VF_OK)
        *ret_state = state;
    return code;
}

/* --- the list, and one stamp ----------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    int32_t left = ((const struct vf_generation *)a)->number, right = ((const struct vf_generation *)b)->number;

    return (left > right) - (left < right);
}

enum vf_code vf_mongodb_generations(struct vf_store *store, const char *view, struct vf_arena *arena,
                                    struct vf_generation **ret_generations, size_t *ret_count, struct vf_error *error)
{
    bson_t filter = BSON_INITIALIZER, fields = BSON_INITIALIZER;
    struct vf_generation *list = NULL;
    enum vf_code code = VF_OK;
    mongoc_cursor_t *cursor;
    bson_error_t failure;
    const bson_t *entry;
    size_t count = 0;

    append_view_query(&filter, view);
    BSON_APPEND_INT32(&fields, "script.files", 0);
    cursor = vf_mongodb_find_fields(store, VF_MONGODB_GENERATIONS, &filter, 0, "local", &fields);
    while (code == VF_OK && mongoc_cursor_next(cursor, &entry)) {
        struct vf_view of = {.name = view, .generation = number_of(entry, view)};
        struct vf_mongodb_names names;

        if (of.generation == 0)
            continue;
        list = vf_realloc(list, (count + 1) * sizeof(*list));
        code = vf_mongodb_names(store, of, &names, error);
        if (code == VF_OK)
            code = read_entry(store, &names, of.generation, entry, false, arena, &list[count++], error);
    }
    if (code == VF_OK && mongoc_cursor_error(cursor, &failure))
        code = vf_mongodb_fail(store, &failure, NULL, "read " VF_MONGODB_GENERATIONS, error);
    if (code == VF_OK) {
        *ret_generations = vf_arena_calloc(arena, count, sizeof(*list));
        *ret_count = count;
        if (count > 0) {
            qsort(list, count, sizeof(*list), by_number);
            memcpy(*ret_generations, list, count * sizeof(*list));
        }
    }
    mongoc_cursor_destroy(cursor);
    bson_destroy(&fields);
    bson_destroy(&filter);
    free(list);
    return code;
}

enum vf_code vf_mongodb_generation_stamp(struct vf_store *store, struct vf_view view, uint64_t *ret_stamp,
                                         bool *ret_there, struct vf_error *error)
{
    bson_t filter = BSON_INITIALIZER, fields = BSON_INITIALIZER;
    struct vf_mongodb_names names;
    mongoc_cursor_t *cursor = NULL;
    struct vf_bytes text = {0};
    bson_error_t failure;
    const bson_t *entry;
    uint64_t stamp = 0;
    bool there = false;
    enum vf_code code = vf_mongodb_names(store, view, &names, error);

    if (code != VF_OK)
        goto out;
    BSON_APPEND_UTF8(&filter, "_id", names.documents);
    BSON_APPEND_INT32(&fields, "stamp", 1);
    cursor = vf_mongodb_find_fields(store, VF_MONGODB_GENERATIONS, &filter, 0, "local", &fields);
    there = mongoc_cursor_next(cursor, &entry);
    if (mongoc_cursor_error(cursor, &failure))
        code = vf_mongodb_fail(store, &failure, NULL, "read " VF_MONGODB_GENERATIONS, error);
    else if (there && (!vf_mongodb_text_at(entry, "stamp", &text) || !vf_stamp_parse(text, &stamp)))
        code = vf_fail(error, VF_E_CONFIG, "store \"%s\" (mongodb, %s): the entry %s in %s has no stamp", store->name,
                       store->hosts, names.documents, VF_MONGODB_GENERATIONS);
    if (code == VF_OK) {
        *ret_stamp = stamp;
        *ret_there = there;
    }
out:
    mongoc_cursor_destroy(cursor);
    bson_destroy(&fields);
    bson_destroy(&filter);
    return code;
}
