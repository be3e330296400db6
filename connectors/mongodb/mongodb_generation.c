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

static void append_entry(bson_t *entry, const struct vf_mongodb_names *names, const struct vf_generation *generation)
{
    bson_t script, files;
    size_t i;

    BSON_APPEND_UTF8(entry, "_id", names->documents);
    BSON_APPEND_UTF8(entry, "state", generation->state);
    BSON_APPEND_UTF8(entry, "phase", ""); /* of a switch that is under way; none */
    BSON_APPEND_INT64(entry, "projection_version", generation->projection_version);
    BSON_APPEND_DOCUMENT_BEGIN(entry, "script", &script);
    BSON_APPEND_UTF8(&script, "main", generation->script);
    BSON_APPEND_ARRAY_BEGIN(&script, "files", &files);
    for (i = 0; i < generation->file_count; i++)
        append_file(&files, i, &generation->files[i]);
    bson_append_array_end(&script, &files);
    BSON_APPEND_UTF8(&script, "hash", generation->script_hash);
    bson_append_document_end(entry, &script);
    BSON_APPEND_DATE_TIME(entry, "created", generation->created_ms);
    BSON_APPEND_INT64(entry, "format", generation->format);
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

static bool read_script(const bson_iter_t *value, struct vf_arena *arena, struct vf_generation *generation)
{
    bool has_main = false, has_hash = false, has_files = false;
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
                               const bson_t *entry, struct vf_arena *arena, struct vf_generation *ret_generation,
                               struct vf_error *error)
{
    struct vf_generation generation = {.number = number};
    struct vf_bytes state;
    bson_iter_t iter;
    enum vf_code code = check_format(store, names, entry, error);

    if (code != VF_OK)
        return code;
    if (!vf_mongodb_text_at(entry, "state", &state) || !bson_iter_init_find(&iter, entry, "script") ||
        !read_script(&iter, arena, &generation))
        return vf_fail(error, VF_E_CONFIG,
                       "store \"%s\" (mongodb, %s): the entry %s in %s cannot be read: state or script is missing",
                       store->name, store->hosts, names->documents, VF_MONGODB_GENERATIONS);
    generation.state = vf_arena_copy(arena, state).data;
    generation.projection_version = int_at(entry, "projection_version");
    if (bson_iter_init_find(&iter, entry, "created") && BSON_ITER_HOLDS_DATE_TIME(&iter))
        generation.created_ms = bson_iter_date_time(&iter);
    generation.format = (int32_t)int_at(entry, "format");
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
        code = read_entry(store, names, number, entry, arena, ret_generation, error);
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

enum vf_code vf_mongodb_prepare(struct vf_store *store, const char *view, const struct vf_generation *proposed,
                                struct vf_arena *arena, struct vf_generation *ret_generation, bool *ret_created,
                                struct vf_error *error)
{
    struct vf_view of = {.name = view, .generation = proposed->number};
    struct vf_generation generation;
    struct vf_mongodb_names names;
    bool found = false, created = false;
    enum vf_code code = vf_mongodb_names(store, of, &names, error);

    if (code == VF_OK)
        code = find_entry(store, &names, of.generation, arena, &generation, &found, error);
    /* The view first: a name that is somebody else's is seen before anything was made. The entry last: it says that all is
     * there. What a crash left out is made by the next call. */
    if (code == VF_OK)
        code = vf_mongodb_make_view(store, view, &names, error);
    if (code == VF_OK)
        code = vf_mongodb_make_collections(store, &names, error);
    if (code == VF_OK && !found) {
        code = insert_entry(store, &names, proposed, &created, error);
        if (code == VF_OK)
            code = find_entry(store, &names, of.generation, arena, &generation, &found, error);
    }
    if (code == VF_OK && !found)
        code = vf_fail_retriable(error, VF_E_UNAVAILABLE,
                                 "store \"%s\" (mongodb, %s): the entry %s went away while it was made", store->name,
                                 store->hosts, names.documents);
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

/* {_id: {$gte: "customer_orders.g", $lt: "customer_orders.h"}, state: "active"}: a view's name holds no dot. */
static void append_active_query(bson_t *filter, const char *view)
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
    BSON_APPEND_UTF8(filter, "state", "active");
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

    append_active_query(&filter, view);
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
