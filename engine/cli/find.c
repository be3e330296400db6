/*
 * `viewfold find VIEW INDEX`: the documents that an index leads to, in its order, the same from either store.
 *
 * It goes through the index in pages, each behind the last place of the one before, and loads the documents of a page; each is
 * looked at again, as it may have changed since it was found (docs/configuration.md has what that guarantees).
 */
#include "cli/document_show.h"
#include "cli/output.h"
#include "cli/suggest.h"
#include "cli/verbs.h"
#include "core/body.h"
#include "core/hash.h"
#include "run/generation.h"
#include "run/supervisor.h"

#include <bson/bson.h>
#include <math.h>
#include <stdlib.h>

#define LIMIT_DEFAULT 100
#define PAGE_MAX      500

/* An id that was printed, so that a document that moves along the index meanwhile is not printed twice. */
struct printed {
    UT_hash_handle hh;
    size_t size;
    char id[];
};

struct find {
    struct vf_cli *cli;
    struct vf_open_view opened;
    struct vf_view view;
    const struct vf_index *index; /* in the projector */
    struct vf_projector *projector;
    struct vf_find question;
    int64_t left; /* documents that may still be printed; -1: no limit */
    struct printed *printed;
    struct vf_arena *arena;      /* lives as long as the command */
    struct vf_arena *page_arena; /* one page's */
};

/* --- the question -------------------------------------------------------------------------------------------------- */

/* A bound as it is typed: a JSON number, a date (RFC 3339, or a day), a JSON string, else text as it is. */
static enum vf_code read_sort(const char *flag, const char *text, struct vf_arena *arena, struct vf_sort *ret_sort,
                              struct vf_error *error)
{
    struct vf_json_parser *parser = vf_json_parser_new();
    struct vf_json json;
    struct vf_error ignored;
    int64_t time_ms;
    char day[32];
    *ret_sort = (struct vf_sort){.kind = VF_SORT_STRING, .text = vf_bytes_from(text)};
    bool is_day = strlen(text) == 10;
    snprintf(day, sizeof day, "%sT00:00:00Z", is_day ? text : "");
    if (vf_time_parse(vf_bytes_from(text), &time_ms) || (is_day && vf_time_parse(vf_bytes_from(day), &time_ms))) {
        *ret_sort = (struct vf_sort){.kind = VF_SORT_DATE, .number = (double)time_ms};
    } else if (vf_json_parse(parser, vf_bytes_from(text), &json, &ignored) == VF_OK) {
        switch (vf_json_type(json)) {
        case VF_JSON_INT:
            *ret_sort = (struct vf_sort){.kind = VF_SORT_NUMBER, .number = (double)vf_json_int(json)};
            break;
        case VF_JSON_DOUBLE:
            *ret_sort = (struct vf_sort){.kind = VF_SORT_NUMBER, .number = vf_json_double(json)};
            break;
        case VF_JSON_STRING: ret_sort->text = vf_arena_copy(arena, vf_json_string(json)); break;
        default: break;
        }
    }
    vf_json_parser_free(parser);
    if (ret_sort->kind == VF_SORT_STRING && !vf_bytes_is_utf8(ret_sort->text)) {
        return vf_fail(error, VF_E_USAGE, "--%s is not UTF-8", flag);
    }
    return VF_OK;
}

static enum vf_code read_bound(struct find *find, const char *flag, bool *ret_has, struct vf_sort *ret_sort,
                               struct vf_error *error)
{
    const char *text = vf_options_text(find->cli->options, flag);
    *ret_has = text != NULL;
    if (!text) {
        return VF_OK;
    }
    if (!find->index->sort) {
        return vf_fail(error, VF_E_USAGE, "--%s asks for a range, and the index %s has no `sort`", flag,
                       find->index->name);
    }
    return read_sort(flag, text, find->arena, ret_sort, error);
}

/* Where the value of VALUE,ID ends: behind the quotes of a string, as there may be commas in it and in the id. */
static const char *find_comma(const char *text)
{
    if (text[0] != '"') {
        return strchr(text, ',');
    }
    const char *at = text + 1;
    while (*at && *at != '"') {
        at += at[0] == '\\' && at[1] ? 2 : 1;
    }
    return at[0] == '"' && at[1] == ',' ? at + 1 : NULL;
}

/* --after VALUE,ID, or ID where the index has no `sort`: a place, also where no document is any more. */
static enum vf_code read_after(struct find *find, struct vf_error *error)
{
    const char *text = vf_options_text(find->cli->options, "after");
    if (!text) {
        return VF_OK;
    }
    struct vf_find *question = &find->question;
    question->has_after = true;
    const char *comma = find->index->sort ? find_comma(text) : NULL;
    if (find->index->sort && !comma) {
        return vf_fail(error, VF_E_USAGE, "--after is VALUE,ID, as find prints it: the place to go on behind");
    }
    if (!comma) {
        question->after_id = vf_bytes_from(text);
        return VF_OK;
    }
    question->after_id = vf_bytes_from(comma + 1);
    const char *value = vf_arena_bytes(find->arena, text, (size_t)(comma - text)).data;
    return read_sort("after", value, find->arena, &question->after, error);
}

static enum vf_code read_question(struct find *find, struct vf_error *error)
{
    const struct vf_options *options = find->cli->options;
    struct vf_find *question = &find->question;
    const char *by = vf_options_text(options, "by");
    question->index = find->index;
    question->reverse = vf_options_has(options, "reverse");
    find->left = vf_options_number(options, "limit", LIMIT_DEFAULT);
    find->left = find->left == 0 ? -1 : find->left;
    if (by && !find->index->by) {
        return vf_fail(error, VF_E_USAGE, "--by asks for a value, and the index %s has no `by`", find->index->name);
    }
    if (!by && find->index->by) {
        return vf_fail(error, VF_E_USAGE, "the index %s is by `%s`: say which one, --by VALUE", find->index->name,
                       find->index->by);
    }
    if (by) {
        question->by = vf_bytes_from(by);
    }
    enum vf_code code = read_bound(find, "from", &question->has_from, &question->from, error);
    if (code == VF_OK) {
        code = read_bound(find, "to", &question->has_to, &question->to, error);
    }
    if (code == VF_OK && question->has_from && question->has_to && question->from.kind != question->to.kind) {
        code = vf_fail(error, VF_E_USAGE, "--from and --to are of two kinds: numbers, dates or strings");
    }
    return code == VF_OK ? read_after(find, error) : code;
}

static enum vf_code fail_no_index(const struct find *find, const struct vf_projection *projection, const char *wanted,
                                  struct vf_error *error)
{
    const char *near = NULL;
    for (size_t i = 0; i < projection->index_count; i++) {
        vf_suggest_offer(wanted, projection->indexes[i].name, &near);
    }
    if (projection->index_count == 0) {
        return vf_fail(error, VF_E_NOT_FOUND, "the projection of the view %s has no `indexes`", find->view.name);
    }
    return vf_fail(error, VF_E_NOT_FOUND, "the view %s has no index %s%s%s%s", find->view.name, wanted,
                   near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

/* The script that the view is built with says what an index is, as the store holds it. */
static enum vf_code find_index(struct find *find, const struct vf_config *config, struct vf_error *error)
{
    const struct vf_projector_type *type = find->cli->registry->projector;
    const char *wanted = vf_options_arguments(find->cli->options)[1];
    struct vf_projector_limits limits = vf_projector_limits_of(config);
    struct vf_generation generation;
    enum vf_code code = find->opened.type->generation(find->opened.store, find->view, find->arena, &generation, error);
    if (code != VF_OK) {
        return code;
    }
    struct vf_script_reader reader = vf_script_stored_reader(&generation);
    code = type->open(generation.script, &reader, &limits, NULL, NULL, &find->projector, error);
    if (code != VF_OK) {
        return vf_error_prefix(error, "the script stored with %s generation %d", find->view.name,
                               (int)find->view.generation);
    }
    const struct vf_projection *projection = type->describe(find->projector);
    for (size_t i = 0; i < projection->index_count; i++) {
        if (strcmp(projection->indexes[i].name, wanted) == 0) {
            find->index = &projection->indexes[i];
            return VF_OK;
        }
    }
    return fail_no_index(find, projection, wanted, error);
}

/* --- the answer ---------------------------------------------------------------------------------------------------- */

static bool is_within(const struct vf_find *question, const struct vf_sort *sort)
{
    if (question->has_from && (sort->kind != question->from.kind || vf_sort_compare(sort, &question->from) < 0)) {
        return false;
    }
    return !question->has_to || (sort->kind == question->to.kind && vf_sort_compare(sort, &question->to) <= 0);
}

/* Whether the document, as it is now, is an answer. */
static bool is_answer(struct find *find, const struct vf_document *document, struct vf_sort *ret_sort)
{
    struct vf_index_entry *entry;
    /* GUARD find-visible: what was deleted, or has expired, is found by an index that has not been told yet */
    if (!vf_document_is_visible(&find->opened, document)) {
        return false;
    }
    if (vf_index_entries(find->index, 1, document->body, find->page_arena, &entry, NULL) != VF_OK || !entry->in) {
        return false;
    }
    /* It may have changed since it was found. */
    *ret_sort = entry->sort;
    return (!find->index->by || vf_bytes_equal(entry->by, find->question.by)) &&
           is_within(&find->question, &entry->sort);
}

static bool is_printed(struct find *find, struct vf_bytes id)
{
    struct printed *one;
    HASH_FIND(hh, find->printed, id.data, id.size, one);
    return one != NULL;
}

static void note_printed(struct find *find, struct vf_bytes id)
{
    struct printed *one = vf_arena_alloc(find->arena, sizeof *one + id.size);
    one->size = id.size;
    memcpy(one->id, id.data, id.size);
    HASH_ADD_KEYPTR(hh, find->printed, one->id, one->size, one);
}

static enum vf_code print_document(struct find *find, const struct vf_document *document, struct vf_error *error)
{
    struct vf_buffer out;
    vf_buffer_init(&out);
    enum vf_code code = find->cli->json
                            ? vf_document_show_json(&find->opened, find->view.generation, document, &out, error)
                            : vf_document_show(&find->opened, find->view.generation, document, &out, error);
    if (code == VF_OK) {
        fwrite(out.data, 1, out.size, find->cli->out);
    }
    vf_buffer_done(&out);
    return code;
}

/* Loads what a page has found and prints what is an answer still. */
static enum vf_code print_page(struct find *find, const struct vf_found *found, size_t count, struct vf_error *error)
{
    struct vf_bytes *ids = vf_arena_calloc(find->page_arena, count, sizeof *ids);
    struct vf_document *documents = vf_arena_calloc(find->page_arena, count, sizeof *documents);
    for (size_t i = 0; i < count; i++) {
        ids[i] = found[i].id;
    }
    enum vf_code code = find->opened.type->load(find->opened.store, find->view, ids, count, NULL, 0, find->page_arena,
                                                documents, NULL, error);
    for (size_t i = 0; i < count && code == VF_OK && find->left != 0; i++) {
        /* GUARD find-once: one that moves along the index while it is gone through comes again */
        struct vf_sort sort;
        if (is_printed(find, ids[i]) || !is_answer(find, &documents[i], &sort)) {
            continue;
        }
        code = print_document(find, &documents[i], error);
        note_printed(find, ids[i]);
        find->left -= find->left > 0;
        find->question.after_id = vf_arena_copy(find->arena, found[i].id);
        find->question.after = sort; /* a store may not tell a date from a number */
        find->question.after.text = vf_arena_copy(find->arena, sort.text);
    }
    return code;
}

static void print_sort(struct vf_buffer *out, const struct vf_sort *sort)
{
    char text[VF_TIME_TEXT_BYTES];
    switch (sort->kind) {
    case VF_SORT_NONE: return;
    case VF_SORT_NUMBER: vf_buffer_printf(out, "%.17g,", sort->number); return;
    case VF_SORT_DATE:
        vf_time_print(text, (int64_t)sort->number);
        vf_buffer_printf(out, "%s,", text);
        return;
    case VF_SORT_STRING:
        vf_json_print_string(out, sort->text);
        vf_buffer_add_char(out, ',');
        return;
    }
}

/* The limit was reached, and there may be more: where to go on. */
static void say_more(const struct find *find)
{
    struct vf_buffer place;
    vf_buffer_init(&place);
    print_sort(&place, &find->question.after);
    vf_buffer_add_bytes(&place, find->question.after_id);
    if (!find->cli->quiet) {
        fflush(find->cli->out);
        fprintf(find->cli->err, "viewfold: there may be more; go on with --after '%s'\n", place.data);
    }
    vf_buffer_done(&place);
}

static enum vf_code answer(struct find *find, struct vf_error *error)
{
    for (;;) {
        struct vf_found *found;
        size_t count;
        vf_arena_reset(find->page_arena);
        find->question.limit = find->left > 0 && find->left < PAGE_MAX ? (size_t)find->left : PAGE_MAX;
        enum vf_code code = find->opened.type->find(find->opened.store, find->view, &find->question, find->page_arena,
                                                    &found, &count, error);
        if (code == VF_OK && count > 0) {
            struct vf_found last = found[count - 1];
            code = print_page(find, found, count, error);
            if (code == VF_OK && find->left == 0) {
                say_more(find);
                return VF_OK;
            }
            find->question.has_after = true;
            find->question.after_id = vf_arena_copy(find->arena, last.id);
            find->question.after = last.sort;
            find->question.after.text = vf_arena_copy(find->arena, last.sort.text);
        }
        if (code != VF_OK || count < find->question.limit) {
            return code;
        }
    }
}

static enum vf_code say_rebuilding(struct find *find, struct vf_error *error)
{
    struct vf_progress_row *rows;
    struct vf_rebuilding rebuilding = {0};
    size_t count = 0;
    enum vf_code code = find->opened.type->progress(find->opened.store, find->view, find->arena, &rows, &count, error);
    for (size_t i = 0; code == VF_OK && i < count; i++) {
        vf_rebuilding_add(&rebuilding, &rows[i].progress);
    }
    vf_open_view_say_rebuilding(&find->opened, &rebuilding);
    return code;
}

int vf_verb_find(struct vf_cli *cli)
{
    struct find find = {.cli = cli, .arena = vf_arena_new(), .page_arena = vf_arena_new()};
    struct vf_error error;
    int status = 0;
    struct vf_config *config = vf_cli_config(cli, &status);
    if (config) {
        enum vf_code code = vf_open_view(cli, config, vf_options_arguments(cli->options)[0], &find.opened, &error);
        if (code == VF_OK) {
            int32_t generation = (int32_t)vf_options_number(cli->options, "generation", 0);
            code = vf_open_view_generation(&find.opened, generation, find.arena, &find.view, &error);
        }
        if (code == VF_OK) {
            code = find_index(&find, config, &error);
        }
        if (code == VF_OK) {
            code = read_question(&find, &error);
        }
        if (code == VF_OK) {
            code = say_rebuilding(&find, &error);
        }
        if (code == VF_OK) {
            code = answer(&find, &error);
        }
        status = code == VF_OK ? 0 : vf_cli_fail(cli, &error);
    }
    HASH_CLEAR(hh, find.printed);
    vf_open_view_close(&find.opened);
    cli->registry->projector->close(find.projector);
    vf_config_free(config);
    vf_arena_free(find.page_arena);
    vf_arena_free(find.arena);
    return status;
}
