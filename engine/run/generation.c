#include "run/generation.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

static int compare_files(const void *a, const void *b)
{
    return vf_bytes_compare(((const struct vf_file *)a)->name, ((const struct vf_file *)b)->name);
}

void vf_script_hash(const struct vf_file *files, size_t count, char ret_hash[65])
{
    struct vf_file *sorted = vf_alloc(count * sizeof *sorted);
    memcpy(sorted, files, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_files);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (!context || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1)
        vf_out_of_memory(0);
    for (size_t i = 0; i < count; i++) {
        char length[24];
        int digits = snprintf(length, sizeof length, "%zu", sorted[i].text.size);
        EVP_DigestUpdate(context, sorted[i].name.data, sorted[i].name.size);
        EVP_DigestUpdate(context, "", 1);
        EVP_DigestUpdate(context, length, (size_t)digits + 1);
        EVP_DigestUpdate(context, sorted[i].text.data, sorted[i].text.size);
    }
    EVP_DigestFinal_ex(context, digest, &size);
    EVP_MD_CTX_free(context);
    free(sorted);
    for (unsigned i = 0; i < 32; i++)
        snprintf(ret_hash + (size_t)i * 2, 3, "%02x", digest[i]);
}

/* --- where files come from ---------------------------------------------------------------------------------------- */

/* A script is read by people; one beyond this is a mistake. */
#define SCRIPT_BYTES_MAX (4 << 20)

static enum vf_code read_from_folder(void *self, const char *name, struct vf_bytes *ret_text, struct vf_error *error)
{
    const struct vf_script_folder *folder = self;
    struct vf_buffer path;
    vf_buffer_init(&path);
    vf_buffer_printf(&path, "%s%s%s", strcmp(folder->path, ".") == 0 ? "" : folder->path,
                     strcmp(folder->path, ".") == 0 ? "" : "/", name);
    FILE *file = fopen(path.data, "rb");
    enum vf_code code = VF_OK;
    struct vf_buffer text;
    vf_buffer_init(&text);
    if (!file) {
        code = vf_fail(error, VF_E_NOT_FOUND, "%s: %s", path.data, strerror(errno));
        goto out;
    }
    for (;;) {
        char *room = vf_buffer_reserve(&text, 65536);
        size_t got = fread(room, 1, 65536, file);
        text.size += got;
        if (text.size > SCRIPT_BYTES_MAX) {
            code = vf_fail(error, VF_E_CONFIG, "%s: larger than %d MiB", path.data, SCRIPT_BYTES_MAX >> 20);
            goto out;
        }
        if (got == 0)
            break;
    }
    if (ferror(file)) {
        code = vf_fail(error, VF_E_NOT_FOUND, "%s: %s", path.data, strerror(errno));
        goto out;
    }
    *ret_text = vf_arena_bytes(folder->arena, text.data, text.size);
out:
    if (file)
        fclose(file);
    vf_buffer_done(&text);
    vf_buffer_done(&path);
    return code;
}

struct vf_script_reader vf_script_folder_reader(struct vf_script_folder *folder)
{
    return (struct vf_script_reader){.read = read_from_folder, .self = folder};
}

static enum vf_code read_stored(void *self, const char *name, struct vf_bytes *ret_text, struct vf_error *error)
{
    const struct vf_generation *generation = self;
    for (size_t i = 0; i < generation->file_count; i++) {
        if (vf_bytes_is(generation->files[i].name, name)) {
            *ret_text = generation->files[i].text;
            return VF_OK;
        }
    }
    return vf_fail(error, VF_E_NOT_FOUND, "%s is not among the generation's stored files", name);
}

struct vf_script_reader vf_script_stored_reader(const struct vf_generation *generation)
{
    return (struct vf_script_reader){.read = read_stored, .self = (void *)(uintptr_t)generation};
}

/* --- proposing and checking --------------------------------------------------------------------------------------- */

/* A script's errors begin with its name, as its folder knows it: the folder goes in front, as people write paths. */
static enum vf_code name_whole_path(const struct vf_projection_entry *entry, struct vf_error *error)
{
    size_t length = strlen(entry->script_name);
    size_t folder_length = strlen(entry->script_folder);
    bool named = strncmp(error->text, entry->script_folder, folder_length) == 0 && error->text[folder_length] == '/';
    if (named || strcmp(entry->script_folder, ".") == 0)
        return error->code;
    if (strncmp(error->text, entry->script_name, length) != 0)
        return vf_error_prefix(error, "%s", entry->script);
    struct vf_buffer whole;
    vf_buffer_init(&whole);
    vf_buffer_printf(&whole, "%s/%s", entry->script_folder, error->text);
    enum vf_code code = vf_fail(error, error->code, "%s", whole.data);
    vf_buffer_done(&whole);
    return code;
}

enum vf_code vf_generation_propose(const struct vf_projection_entry *entry, const struct vf_projector_type *type,
                                   const struct vf_projector_limits *limits, int64_t now_ms,
                                   struct vf_projector **ret_projector, struct vf_generation *ret_proposed,
                                   struct vf_error *error)
{
    struct vf_script_folder folder = {.path = entry->script_folder, .arena = vf_arena_new()};
    struct vf_script_reader reader = vf_script_folder_reader(&folder);
    struct vf_projector *projector = NULL;
    enum vf_code code = type->open(entry->script_name, &reader, limits, NULL, NULL, &projector, error);
    vf_arena_free(folder.arena);
    if (code)
        return code == VF_E_NOT_FOUND ? code : name_whole_path(entry, error);
    struct vf_generation proposed = {
        .number = 1,
        .state = "active",
        .projection_version = type->describe(projector)->version,
        .script = entry->script_name,
        .created_ms = now_ms,
        .format = VF_FORMAT,
    };
    type->files(projector, &proposed.files, &proposed.file_count);
    vf_script_hash(proposed.files, proposed.file_count, proposed.script_hash);
    *ret_proposed = proposed;
    *ret_projector = projector;
    return VF_OK;
}

enum vf_code vf_generation_check(const char *view, const struct vf_generation *registered,
                                 const struct vf_generation *proposed, struct vf_error *error)
{
    if (registered->format > VF_FORMAT)
        return vf_fail(error, VF_E_CONFIG,
                       "%s: generation %d has format %d, and this viewfold knows %d: use a newer one", view,
                       registered->number, registered->format, VF_FORMAT);
    /* GUARD dropping: a view is built on what is still being removed */
    if (strcmp(registered->state, VF_GENERATION_ACTIVE) != 0)
        return vf_fail(error, VF_E_CONFIG,
                       "%s: generation %d is being dropped, and that was not finished: finish it with `viewfold "
                       "generations drop %s`, then start again, and the view is built from the log's beginning",
                       view, registered->number, view);
    if (strcmp(registered->script_hash, proposed->script_hash) == 0)
        return VF_OK;
    /* GUARD other-script: a view half folded by one script and half by another */
    if (registered->projection_version == proposed->projection_version)
        return vf_fail(
            error, VF_E_CONFIG,
            "%s: %s differs from the script that generation %d runs (%.12s, here %.12s), and both say version %lld. "
            "Workers run what the store holds, so nothing was started. Put the old script back, or decide:\n"
            "  adopt    generation %d goes on with this script from where it is; what is folded already stays as it is "
            "(for a mended handler): viewfold generations adopt %s\n"
            "  rebuild  raise the script's version, and the view is built anew while this one is served: not built yet\n"
            "  drop     the view is removed, and the next `run` builds it from the log's beginning; until then readers "
            "miss it: viewfold generations drop %s",
            view, proposed->script, registered->number, registered->script_hash, proposed->script_hash,
            (long long)proposed->projection_version, registered->number, view, view);
    return vf_fail(
        error, VF_E_CONFIG,
        "%s: %s says version %lld, and generation %d was built with version %lld: a rebuild is wanted, and that is not "
        "built yet. Put the old script back, or decide:\n"
        "  drop     the view is removed, and the next `run` builds it from the log's beginning; until then readers miss "
        "it: viewfold generations drop %s\n"
        "  adopt    where the result does not change after all: put the version back to %lld, and this generation goes "
        "on with the script: viewfold generations adopt %s",
        view, proposed->script, (long long)proposed->projection_version, registered->number,
        (long long)registered->projection_version, view, (long long)registered->projection_version, view);
}

/* --- adopting ------------------------------------------------------------------------------------------------------ */

static const char *route_name(enum vf_route_kind route)
{
    switch (route) {
    case VF_ROUTE_OWN: return "own";
    case VF_ROUTE_FIELD: return "a field";
    case VF_ROUTE_FUNCTION: return "a function";
    case VF_ROUTE_LINK: return "link";
    }
    return "?";
}

static const struct vf_route *find_route(const struct vf_projection *projection, const char *kind)
{
    for (size_t i = 0; i < projection->route_count; i++)
        if (strcmp(projection->routes[i].kind, kind) == 0)
            return &projection->routes[i];
    return NULL;
}

static bool has_topic(const struct vf_projection *projection, const char *topic)
{
    for (size_t i = 0; i < projection->topic_count; i++)
        if (strcmp(projection->topics[i], topic) == 0)
            return true;
    return false;
}

#define INSTEAD "; adopting takes no other documents than there are. Drop the generation, and it is built anew"

static enum vf_code check_topics(const struct vf_projection *had, const struct vf_projection *has,
                                 struct vf_error *error)
{
    for (size_t i = 0; i < has->topic_count; i++)
        if (!has_topic(had, has->topics[i]))
            return vf_fail(error, VF_E_CONFIG,
                           "the script now reads the topic %s: its past would come behind all that is folded" INSTEAD,
                           has->topics[i]);
    for (size_t i = 0; i < had->topic_count; i++)
        if (!has_topic(has, had->topics[i]))
            return vf_fail(error, VF_E_CONFIG,
                           "the script no longer reads the topic %s, of which the documents hold the past" INSTEAD,
                           had->topics[i]);
    return VF_OK;
}

/* NULL is equal to NULL only. */
static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_links(const struct vf_route *a, const struct vf_route *b)
{
    if (a->link_count != b->link_count)
        return false;
    for (size_t i = 0; i < a->link_count; i++)
        if (!same_text(a->links[i].type, b->links[i].type) || !same_text(a->links[i].through, b->links[i].through))
            return false;
    return true;
}

static enum vf_code check_routes(const struct vf_projection *had, const struct vf_projection *has,
                                 struct vf_error *error)
{
    for (size_t i = 0; i < has->route_count; i++) {
        const struct vf_route *next = &has->routes[i];
        const struct vf_route *route = find_route(had, next->kind);
        if (!route)
            return vf_fail(error, VF_E_CONFIG,
                           "the script's key now has the kind %s, whose earlier events went by" INSTEAD, next->kind);
        /* GUARD adopt-route: links that were never remembered are missed */
        if (route->route != next->route)
            return vf_fail(error, VF_E_CONFIG,
                           "the script's key now says %s for %s, and said %s: what the view remembers of each %s is "
                           "for that" INSTEAD,
                           route_name(next->route), next->kind, route_name(route->route), next->kind);
        /* GUARD adopt-links: an aggregate that is under way moves, or does not, by another rule than it did */
        if (route->route == VF_ROUTE_LINK && !same_links(route, next))
            return vf_fail(error, VF_E_CONFIG,
                           "the script's key now links %s by other events than it did: the links of those that are "
                           "under way are of the former ones" INSTEAD,
                           next->kind);
    }
    for (size_t i = 0; i < had->route_count; i++)
        if (!find_route(has, had->routes[i].kind))
            return vf_fail(error, VF_E_CONFIG,
                           "the script's key no longer has the kind %s, of which the documents hold the past" INSTEAD,
                           had->routes[i].kind);
    return VF_OK;
}

static bool same_index(const struct vf_index *a, const struct vf_index *b)
{
    return same_text(a->sort, b->sort) && same_text(a->by, b->by) && same_text(a->where, b->where);
}

static const struct vf_index *find_index(const struct vf_projection *projection, const char *name)
{
    for (size_t i = 0; i < projection->index_count; i++)
        if (strcmp(projection->indexes[i].name, name) == 0)
            return &projection->indexes[i];
    return NULL;
}

static enum vf_code check_indexes(const struct vf_projection *had, const struct vf_projection *has,
                                  struct vf_error *error)
{
    for (size_t i = 0; i < has->index_count; i++) {
        const char *name = has->indexes[i].name;
        const struct vf_index *index = find_index(had, name);
        /* GUARD adopt-index: readers find in an index only what was written since it was there */
        if (!index)
            return vf_fail(
                error, VF_E_CONFIG,
                "the script now has the index %s, in which the documents that there are would be missing" INSTEAD,
                name);
        if (!same_index(index, &has->indexes[i]))
            return vf_fail(error, VF_E_CONFIG,
                           "the script's index %s is over other fields than it was: its entries are of the former "
                           "ones" INSTEAD,
                           name);
    }
    for (size_t i = 0; i < had->index_count; i++)
        if (!find_index(has, had->indexes[i].name))
            return vf_fail(
                error, VF_E_CONFIG,
                "the script no longer has the index %s, whose entries would stay as they are now, and readers "
                "would find them" INSTEAD,
                had->indexes[i].name);
    return VF_OK;
}

/* As a script says it. */
static const char *ttl_text(int64_t ttl_ms, char text[40])
{
    static const struct {
        const char *name;
        int64_t factor_ms;
    } units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
    size_t unit = 0;
    while (ttl_ms % units[unit].factor_ms != 0)
        unit++;
    if (ttl_ms == 0)
        return "none";
    snprintf(text, 40, "\"%lld%s\"", (long long)(ttl_ms / units[unit].factor_ms), units[unit].name);
    return text;
}

/* What the documents and records that there are were written by. */
static enum vf_code check_settings(const struct vf_projection *had, const struct vf_projection *has,
                                   struct vf_error *error)
{
    static const char *const unlinked[] = {
        [VF_UNLINKED_HOLD] = "hold", [VF_UNLINKED_PARK] = "park", [VF_UNLINKED_IGNORE] = "ignore"};
    char texts[2][40];
    /* GUARD adopt-ttl: documents end by the rule that each was written under, and a replay ends them otherwise */
    if (had->ttl_ms != has->ttl_ms)
        return vf_fail(error, VF_E_CONFIG,
                       "the script now says ttl = %s, and said %s: each document keeps when it ends" INSTEAD,
                       ttl_text(has->ttl_ms, texts[0]), ttl_text(had->ttl_ms, texts[1]));
    /* GUARD adopt-unlinked: what is held would wait, while what comes behind it goes by */
    if (had->unlinked != has->unlinked)
        return vf_fail(error, VF_E_CONFIG,
                       "the script now says unlinked = \"%s\", and said \"%s\": events whose link is not known are "
                       "dealt with already" INSTEAD,
                       unlinked[has->unlinked], unlinked[had->unlinked]);
    return check_indexes(had, has, error);
}

enum vf_code vf_generation_check_adoption(const struct vf_projection *had, const struct vf_projection *has,
                                          struct vf_error *error)
{
    if (strcmp(had->name, has->name) != 0)
        return vf_fail(
            error, VF_E_CONFIG,
            "the script is now the projection %s, and the generation is one of %s: that is another view. Put "
            "the name back",
            has->name, had->name);
    /* GUARD adopt-version: what wants a rebuild is half folded by one script and half by another */
    if (had->version != has->version)
        return vf_fail(
            error, VF_E_CONFIG,
            "the script says version %lld, and the generation was built with version %lld: another version is "
            "for a rebuild (not built yet). To adopt, leave the version as it is; or drop the generation, "
            "and it is built anew",
            (long long)has->version, (long long)had->version);
    /* GUARD adopt-versions: last versions are looked for where none were kept, so repeats are taken in */
    if (had->versions != has->versions) {
        static const char *const names[] = {"document", "record", "none"};
        return vf_fail(
            error, VF_E_CONFIG,
            "the script now says versions = \"%s\", and said \"%s\": where each aggregate's last version lies "
            "would change" INSTEAD,
            names[has->versions], names[had->versions]);
    }
    enum vf_code code = check_topics(had, has, error);
    if (!code)
        code = check_routes(had, has, error);
    return code ? code : check_settings(had, has, error);
}
