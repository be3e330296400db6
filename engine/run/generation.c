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
    if (strcmp(registered->script_hash, proposed->script_hash) == 0)
        return VF_OK;
    /* GUARD other-script: a view half folded by one script and half by another */
    if (registered->projection_version == proposed->projection_version)
        return vf_fail(
            error, VF_E_CONFIG,
            "%s: %s differs from the script that generation %d was built with (%.12s, here %.12s), and both say "
            "version %lld. Workers run what the store holds, so nothing was started. Put the old script back; or, "
            "to let this one take effect, remove the view from the store and let it be built anew "
            "(`generations adopt`, `generations drop` and `rebuild` are not built yet)",
            view, proposed->script, registered->number, registered->script_hash, proposed->script_hash,
            (long long)proposed->projection_version);
    return vf_fail(
        error, VF_E_CONFIG,
        "%s: %s says version %lld, and generation %d was built with version %lld: a rebuild is wanted, and "
        "`rebuild` is not built yet. Put the old script back; or remove the view from the store and let it be "
        "built anew",
        view, proposed->script, (long long)proposed->projection_version, registered->number,
        (long long)registered->projection_version);
}
