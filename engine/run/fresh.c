#include "run/fresh.h"

#include "core/json.h"
#include "core/versions.h"

/* What being set aside means for an event that is waited for. */
struct aside {
    enum vf_freshness freshness;
    const char *why; /* NULL: it is not set aside */
};

struct look {
    const struct vf_store_type *type;
    struct vf_store *store;
    struct vf_view view;
    struct vf_arena *arena;
    const struct vf_token *tokens;
    size_t token_count;
    const struct vf_bytes *ids;
    size_t id_count;
    const struct vf_fresh_kind *kinds;
    size_t kind_count;

    struct vf_progress_row *rows;
    size_t row_count;
    struct vf_rebuilding rebuilding; /* all of them together */
    struct aside *asides;            /* for tokens[i], where it is an offset token that progress has passed */
    struct vf_aggregate *records;    /* tokens[i]'s, where it is a version token */
    struct vf_document *elsewhere;   /* for tokens[i]: the document its record links to, or else that of its own id */
    struct vf_document *documents;
};

void vf_stopped_parse(const char *reason, struct vf_arena *arena, struct vf_stopped *ret_stopped)
{
    struct vf_json_parser *parser = vf_json_parser_new();
    struct vf_stopped stopped = {.error = vf_bytes_from(reason)};
    struct vf_error error;
    struct vf_json root;
    struct vf_json member;
    if (vf_json_parse(parser, vf_bytes_from(reason), &root, &error) == VF_OK) {
        struct {
            const char *name;
            struct vf_bytes *text;
        } const parts[] = {{"aggregate", &stopped.aggregate}, {"at", &stopped.at}, {"error", &stopped.error}};
        for (size_t i = 0; i < 3; i++) {
            if (vf_json_member(root, vf_bytes_from(parts[i].name), &member) && vf_json_type(member) == VF_JSON_STRING) {
                *parts[i].text = vf_arena_copy(arena, vf_json_string(member));
            }
        }
        stopped.degraded = vf_json_member(root, VF_LITERAL("degraded"), &member) &&
                           vf_json_type(member) == VF_JSON_BOOL && vf_json_bool(member);
    }
    vf_json_parser_free(parser);
    *ret_stopped = stopped;
}

void vf_rebuilding_add(struct vf_rebuilding *rebuilding, const struct vf_progress *progress)
{
    if (!vf_progress_is_rebuilding(progress)) {
        return;
    }
    rebuilding->partitions++;
    rebuilding->at += progress->next;
    rebuilding->of += progress->had;
}

void vf_rebuilding_print(const struct vf_rebuilding *rebuilding, struct vf_buffer *out)
{
    vf_buffer_printf(out, "is being rebuilt from the log (at %lld of %lld), as its store had lost it",
                     (long long)rebuilding->at, (long long)rebuilding->of);
}

static enum vf_code load_progress(struct look *look, struct vf_error *error)
{
    enum vf_code code =
        look->type->progress(look->store, look->view, look->arena, &look->rows, &look->row_count, error);
    for (size_t i = 0; code == VF_OK && i < look->row_count; i++) {
        vf_rebuilding_add(&look->rebuilding, &look->rows[i].progress);
    }
    return code;
}

static enum vf_code load_records(struct look *look, struct vf_error *error)
{
    struct vf_bytes *names = vf_arena_calloc(look->arena, look->token_count, sizeof *names);
    size_t *of_token = vf_arena_calloc(look->arena, look->token_count, sizeof *of_token);
    size_t count = 0;
    for (size_t i = 0; i < look->token_count; i++) {
        if (look->tokens[i].kind != VF_TOKEN_VERSION) {
            continue;
        }
        size_t at = 0;
        while (at < count && !vf_bytes_equal(names[at], look->tokens[i].aggregate)) {
            at++;
        }
        names[at] = look->tokens[i].aggregate;
        of_token[i] = at;
        count = at == count ? count + 1 : count;
    }
    look->records = vf_arena_calloc(look->arena, look->token_count, sizeof *look->records);
    if (count == 0) {
        return VF_OK;
    }
    struct vf_aggregate *loaded = vf_arena_calloc(look->arena, count, sizeof *loaded);
    enum vf_code code =
        look->type->load(look->store, look->view, NULL, 0, names, count, look->arena, NULL, loaded, error);
    for (size_t i = 0; code == VF_OK && i < look->token_count; i++) {
        if (look->tokens[i].kind == VF_TOKEN_VERSION) {
            look->records[i] = loaded[of_token[i]];
        }
    }
    return code;
}

/* The aggregate's events go to one document, and its versions are there; otherwise its own record may say the version. */
static bool is_linked(const struct vf_aggregate *record)
{
    return record->exists && record->has_link && !record->link_is_none;
}

/* Which document's versions hold the token's aggregate, as far as its record and its name tell. False: none. */
static bool document_of(const struct look *look, size_t token, struct vf_bytes *ret_id)
{
    const struct vf_aggregate *record = &look->records[token];
    if (look->tokens[token].kind != VF_TOKEN_VERSION) {
        return false;
    }
    if (is_linked(record)) {
        *ret_id = record->link;
        return true;
    }
    if (record->exists && (record->has_version || record->has_link)) {
        return false;
    }
    /* No record: an `own` route, so the document has the aggregate's own id (a kind has no '/'). */
    struct vf_bytes aggregate = look->tokens[token].aggregate;
    const char *slash = memchr(aggregate.data, '/', aggregate.size);
    *ret_id = slash ? vf_bytes(slash + 1, aggregate.size - (size_t)(slash + 1 - aggregate.data)) : aggregate;
    return ret_id->size > 0;
}

/* Documents to be read before those asked for. */
static enum vf_code load_elsewhere(struct look *look, struct vf_error *error)
{
    struct vf_bytes *ids = vf_arena_calloc(look->arena, look->token_count, sizeof *ids);
    size_t *of_token = vf_arena_calloc(look->arena, look->token_count, sizeof *of_token);
    size_t count = 0;
    look->elsewhere = vf_arena_calloc(look->arena, look->token_count, sizeof *look->elsewhere);
    for (size_t i = 0; i < look->token_count; i++) {
        struct vf_bytes id;
        of_token[i] = SIZE_MAX;
        if (!document_of(look, i, &id)) {
            continue;
        }
        size_t at = 0;
        while (at < count && !vf_bytes_equal(ids[at], id)) {
            at++;
        }
        ids[at] = id;
        of_token[i] = at;
        count = at == count ? count + 1 : count;
    }
    if (count == 0) {
        return VF_OK;
    }
    struct vf_document *loaded = vf_arena_calloc(look->arena, count, sizeof *loaded);
    enum vf_code code =
        look->type->load(look->store, look->view, ids, count, NULL, 0, look->arena, loaded, NULL, error);
    for (size_t i = 0; code == VF_OK && i < look->token_count; i++) {
        if (of_token[i] != SIZE_MAX) {
            look->elsewhere[i] = loaded[of_token[i]];
        }
    }
    return code;
}

/* The version of the aggregate that this document has taken in; a husk counts. */
static struct vf_last version_in(const struct vf_document *document, struct vf_bytes aggregate)
{
    for (size_t i = 0; document->presence != VF_ABSENT && i < document->version_count; i++) {
        if (vf_bytes_equal(document->versions[i].aggregate, aggregate)) {
            return (struct vf_last){true, document->versions[i].version, document->versions[i].more};
        }
    }
    return (struct vf_last){0};
}

static bool has_id(const struct vf_version_more *more, struct vf_bytes wanted)
{
    struct vf_bytes rest = more->ids, id;
    while (vf_event_ids_next(&rest, &id)) {
        if (vf_bytes_equal(id, wanted)) {
            return true;
        }
    }
    return false;
}

/* Whether the last version has reached the token's. They are of one form (check_form). */
static bool is_reached(const struct vf_last *last, const struct vf_token *token)
{
    if (last->more && last->more->text.size > 0) {
        return vf_bytes_compare(last->more->text, token->text) >= 0;
    }
    /* GUARD fresh-version: a version token is fresh only once the aggregate's last version has reached it */
    if (last->version < token->version) {
        return false;
    }
    bool shared = last->version == token->version && last->more && !last->more->is_window;
    /* GUARD fresh-revision: several events share a revision, and the one that the reader waits for may not be there yet */
    return !shared || has_id(last->more, token->event_id);
}

/* The view's numbers of this aggregate are of another form than the token's, which can then never be fresh. */
static enum vf_code check_form(const struct vf_last *last, const struct vf_token *token, struct vf_error *error)
{
    struct vf_bytes aggregate = token->aggregate, text = token->text;
    struct vf_bytes there = last->exists && last->more ? last->more->text : (struct vf_bytes){0};
    if (!last->exists || (there.size == 0 && token->is_integer) || (there.size > 0 && there.size == text.size)) {
        return VF_OK;
    }
    if (there.size == 0) {
        return vf_fail(error, VF_E_USAGE, "the versions of %.*s are integers, it is at %lld: \"%.*s\" is none",
                       (int)aggregate.size, aggregate.data, (long long)last->version, (int)text.size, text.data);
    }
    return vf_fail(
        error, VF_E_USAGE, "the versions of %.*s are strings of %zu bytes, it is at \"%.*s\": \"%.*s\" is none",
        (int)aggregate.size, aggregate.data, there.size, (int)there.size, there.data, (int)text.size, text.data);
}

/* Why a version token is not fresh yet; in the arena. */
static const char *why_pending(struct vf_arena *arena, const struct vf_last *last, const struct vf_token *token)
{
    struct vf_bytes aggregate = token->aggregate, text = token->text, id = token->event_id;
    int size = (int)aggregate.size;
    if (!last->exists) {
        return vf_arena_printf(arena, "no version of %.*s has been taken in, wanted %.*s", size, aggregate.data,
                               (int)text.size, text.data)
            .data;
    }
    if (last->more && last->more->text.size > 0) {
        return vf_arena_printf(arena, "%.*s is at version %.*s, wanted %.*s", size, aggregate.data,
                               (int)last->more->text.size, last->more->text.data, (int)text.size, text.data)
            .data;
    }
    if (last->version != token->version) {
        return vf_arena_printf(arena, "%.*s is at version %lld, wanted %lld", size, aggregate.data,
                               (long long)last->version, (long long)token->version)
            .data;
    }
    if (id.size > 0) {
        return vf_arena_printf(arena, "%.*s is at version %lld, and has not taken in its event %.*s", size,
                               aggregate.data, (long long)last->version, (int)id.size, id.data)
            .data;
    }
    return vf_arena_printf(arena,
                           "%.*s is at version %lld, which several events may share: the token has to say which one "
                           "is waited for, v:%.*s@%lld~EVENT-ID",
                           size, aggregate.data, (long long)last->version, size, aggregate.data,
                           (long long)last->version)
        .data;
}

/* The last version of the token's aggregate, where it lives: in the linked document, which outweighs a version that the record
 * kept from before its link was known; else in the record; else in the document of its own id, or one that is asked for. */
static struct vf_last last_of(const struct look *look, size_t index)
{
    struct vf_bytes aggregate = look->tokens[index].aggregate;
    const struct vf_aggregate *record = &look->records[index];
    struct vf_last last = version_in(&look->elsewhere[index], aggregate);
    /* GUARD fresh-record: with `versions = "record"` a linked aggregate's tokens would never be fresh */
    if (!last.exists && record->exists && record->has_version) {
        return (struct vf_last){true, record->version, record->version_more};
    }
    for (size_t i = 0; !last.exists && i < look->id_count; i++) {
        last = version_in(&look->documents[i], aggregate);
    }
    return last;
}

static const char *why_parked(struct vf_arena *arena, struct vf_bytes aggregate, const struct vf_aggregate *record)
{
    return vf_arena_printf(arena, "%.*s is parked: %.*s", (int)aggregate.size, aggregate.data,
                           (int)record->failure.error.size, record->failure.error.data)
        .data;
}

/* Where the event that is waited for is set aside: what for. NULL: it is not. */
static const char *why_held(const struct look *look, size_t index)
{
    const struct vf_aggregate *record = &look->records[index];
    const struct vf_token *token = &look->tokens[index];
    struct vf_last seen = {true, record->seen, record->seen_more};
    struct vf_error ignored;
    if (record->exists && record->parked) /* also of what has not come yet: it goes behind */
        return why_parked(look->arena, token->aggregate, record);
    /* GUARD fresh-held: a reader is told to wait for what is there already, and waits for a link */
    if (!record->exists || !record->has_seen || check_form(&seen, token, &ignored) || !is_reached(&seen, token))
        return NULL;
    struct vf_bytes awaited = record->waits_for.size ? record->waits_for : token->aggregate;
    if (record->draining)
        return vf_arena_printf(look->arena,
                               "%.*s is held: what it waited for has come, and its events are not all taken in yet",
                               (int)token->aggregate.size, token->aggregate.data)
            .data;
    return vf_arena_printf(look->arena, "%.*s is held: it waits for the link of %.*s, or behind what does",
                           (int)token->aggregate.size, token->aggregate.data, (int)awaited.size, awaited.data)
        .data;
}

/* Whether the topic may carry events of this aggregate. */
static bool may_carry(const struct look *look, const char *topic, struct vf_bytes aggregate)
{
    const char *slash = memchr(aggregate.data, '/', aggregate.size);
    struct vf_bytes kind = vf_bytes(aggregate.data, slash ? (size_t)(slash - aggregate.data) : aggregate.size);
    bool other = false;
    for (size_t i = 0; i < look->kind_count; i++) {
        if (strcmp(look->kinds[i].topic, topic) != 0) {
            continue;
        }
        if (!look->kinds[i].kind || vf_bytes_is(kind, look->kinds[i].kind)) {
            return true;
        }
        other = true;
    }
    return !other;
}

/* Whether a version of this aggregate may be missing because the store had lost it. Where none of its partitions has begun,
 * while others are being rebuilt, it was lost too. */
static bool is_rebuilding(const struct look *look, struct vf_bytes aggregate)
{
    bool begun = false;
    for (size_t i = 0; i < look->row_count; i++) {
        const struct vf_progress_row *row = &look->rows[i];
        bool is_its = row->progress.exists && may_carry(look, row->partition.topic, aggregate);
        if (is_its && vf_progress_is_rebuilding(&row->progress)) {
            return true;
        }
        begun |= is_its;
    }
    return !begun && look->rebuilding.partitions > 0;
}

/* What is pending may be so because the store had lost the view. */
static void say_rebuilding(const struct look *look, bool is_rebuilding, enum vf_freshness *freshness, const char **why)
{
    if (*freshness != VF_PENDING || !is_rebuilding) {
        return;
    }
    struct vf_buffer text;
    vf_buffer_init(&text);
    vf_buffer_printf(&text, "%s; the view ", *why);
    vf_rebuilding_print(&look->rebuilding, &text);
    *freshness = VF_REBUILDING;
    *why = vf_arena_bytes(look->arena, text.data, text.size).data;
    vf_buffer_done(&text);
}

/* Why a partition goes no further, of which there is a note that says so. */
static const char *why_stopped(const struct look *look, const struct vf_progress_row *row)
{
    struct vf_stopped stopped;
    vf_stopped_parse(row->stopped, look->arena, &stopped);
    return vf_arena_printf(look->arena, "%s/%d %s: %.*s", row->partition.topic, (int)row->partition.partition,
                           stopped.degraded ? "is degraded" : "stopped", (int)stopped.error.size, stopped.error.data)
        .data;
}

/* Whether some partition of the row's topic has not begun, as far as is known. */
static bool is_partly_begun(const struct look *look, const struct vf_progress_row *row)
{
    int32_t begun = 0;
    for (size_t i = 0; i < look->row_count; i++)
        begun += strcmp(look->rows[i].partition.topic, row->partition.topic) == 0;
    return begun < row->progress.of;
}

/* The first of the partitions that may carry the aggregate, where all of them have stopped. NULL: its events may still come. */
static const struct vf_progress_row *stopped_for(const struct look *look, struct vf_bytes aggregate)
{
    const struct vf_progress_row *first = NULL;
    for (size_t i = 0; i < look->row_count; i++) {
        const struct vf_progress_row *row = &look->rows[i];
        if (!may_carry(look, row->partition.topic, aggregate))
            continue;
        if (!row->stopped || is_partly_begun(look, row))
            return NULL;
        first = first ? first : row;
    }
    return first;
}

/* An aggregate that is at a gap: the event that is waited for may be there, behind it. */
static const char *why_behind_gap(const struct look *look, size_t index)
{
    const struct vf_aggregate *record = &look->records[index];
    const struct vf_token *token = &look->tokens[index];
    if (!record->exists || record->early_count == 0 || !token->is_integer ||
        token->version < vf_early_number(record->early_from))
        return NULL;
    return vf_arena_printf(look->arena,
                           "%.*s is at a gap: numbers before %lld are missing, and what has come behind them waits for "
                           "them",
                           (int)token->aggregate.size, token->aggregate.data,
                           (long long)vf_early_number(record->early_from))
        .data;
}

static enum vf_code judge_version(const struct look *look, size_t index, enum vf_freshness *ret_freshness,
                                  const char **ret_why, struct vf_error *error)
{
    const struct vf_token *token = &look->tokens[index];
    struct vf_last last = last_of(look, index);
    enum vf_code code = check_form(&last, token, error);
    if (code) {
        return code;
    }
    *ret_freshness = VF_FRESH;
    if (last.exists && is_reached(&last, token)) {
        return VF_OK;
    }
    for (size_t i = 0; i < look->row_count; i++) {
        struct vf_stopped stopped;
        if (!look->rows[i].stopped) {
            continue;
        }
        vf_stopped_parse(look->rows[i].stopped, look->arena, &stopped);
        if (vf_bytes_equal(stopped.aggregate, token->aggregate)) {
            *ret_why =
                vf_arena_printf(look->arena, "%.*s stopped at %.*s: %.*s", (int)token->aggregate.size,
                                token->aggregate.data, (int)stopped.at.size, stopped.at.data ? stopped.at.data : "",
                                (int)stopped.error.size, stopped.error.data)
                    .data;
            *ret_freshness = VF_STOPPED;
            return VF_OK;
        }
    }
    *ret_why = why_held(look, index);
    *ret_freshness = *ret_why && look->records[index].parked ? VF_STOPPED : VF_PENDING;
    if (!*ret_why)
        *ret_why = why_behind_gap(look, index);
    const struct vf_progress_row *stopped_row = *ret_why ? NULL : stopped_for(look, token->aggregate);
    /* GUARD fresh-stopped: a reader is told to wait for what will not come by itself */
    if (stopped_row) {
        *ret_freshness = VF_STOPPED;
        *ret_why = why_stopped(look, stopped_row);
        return VF_OK;
    }
    /* What waits for a link waits for an event of another aggregate. */
    bool rebuilding = *ret_why ? look->rebuilding.partitions > 0 : is_rebuilding(look, token->aggregate);
    if (!*ret_why)
        *ret_why = why_pending(look->arena, &last, token);
    /* GUARD fresh-rebuilding: a reader is told to wait a moment for what takes as long as a rebuild */
    say_rebuilding(look, rebuilding, ret_freshness, ret_why);
    return VF_OK;
}

static const struct vf_progress_row *row_of(const struct look *look, const struct vf_token *token)
{
    for (size_t i = 0; i < look->row_count; i++) {
        if (vf_bytes_is(token->topic, look->rows[i].partition.topic) &&
            look->rows[i].partition.partition == token->partition) {
            return &look->rows[i];
        }
    }
    return NULL;
}

static bool is_passed(const struct vf_progress_row *row, const struct vf_token *token)
{
    /* GUARD fresh-offset: an offset token is fresh only once progress has passed its record */
    return row && row->progress.exists && row->progress.next > token->offset;
}

/* Whether the event at the token's offset, which progress has passed, is set aside, and why. */
static enum vf_code look_aside(const struct look *look, const struct vf_progress_row *row, const struct vf_token *token,
                               struct aside *ret_aside, struct vf_error *error)
{
    struct vf_bytes list;
    bool there = false;
    enum vf_code code =
        look->type->aside_at(look->store, look->view, row->partition, token->offset, look->arena, &there, &list, error);
    /* GUARD fresh-aside: progress passes what is set aside, and the view does not show it */
    if (code || !there)
        return code;
    enum vf_list which;
    struct vf_aggregate record;
    struct vf_bytes aggregate = vf_list_aggregate(list, &which);
    code = look->type->load(look->store, look->view, NULL, 0, &aggregate, 1, look->arena, NULL, &record, error);
    if (code)
        return code;
    if (which == VF_LIST_OWN && record.parked) {
        /* It does not come by itself. */
        *ret_aside = (struct aside){VF_STOPPED, why_parked(look->arena, aggregate, &record)};
        return VF_OK;
    }
    struct vf_bytes why = vf_arena_printf(
        look->arena,
        which == VF_LIST_EARLY ? "%s/%d@%lld is set aside: numbers before it are missing of %.*s"
                               : "%s/%d@%lld is held: it waits for the link of %.*s, or behind what does",
        row->partition.topic, (int)row->partition.partition, (long long)token->offset, (int)aggregate.size,
        aggregate.data);
    *ret_aside = (struct aside){VF_PENDING, why.data};
    return VF_OK;
}

/* Which of the events that progress has passed are set aside. */
static enum vf_code load_asides(struct look *look, struct vf_error *error)
{
    look->asides = vf_arena_calloc(look->arena, look->token_count, sizeof *look->asides);
    enum vf_code code = VF_OK;
    for (size_t i = 0; code == VF_OK && i < look->token_count && look->type->aside_at; i++) {
        const struct vf_token *token = &look->tokens[i];
        const struct vf_progress_row *row = token->kind == VF_TOKEN_OFFSET ? row_of(look, token) : NULL;
        if (is_passed(row, token) && row->progress.aside > 0)
            code = look_aside(look, row, token, &look->asides[i], error);
    }
    return code;
}

static enum vf_code judge_offset(const struct look *look, size_t index, enum vf_freshness *ret_freshness,
                                 const char **ret_why)
{
    const struct vf_token *token = &look->tokens[index];
    const struct vf_progress_row *row = row_of(look, token);
    if (is_passed(row, token)) {
        *ret_freshness = look->asides[index].freshness;
        *ret_why = look->asides[index].why;
        say_rebuilding(look, look->rebuilding.partitions > 0, ret_freshness, ret_why);
        return VF_OK;
    }
    if (row && row->stopped) {
        *ret_why = why_stopped(look, row);
        *ret_freshness = VF_STOPPED;
        return VF_OK;
    }
    if (row && row->progress.exists) {
        *ret_why =
            vf_arena_printf(look->arena, "%s/%d is at %lld, wanted beyond %lld", row->partition.topic,
                            (int)row->partition.partition, (long long)row->progress.next, (long long)token->offset)
                .data;
    } else {
        *ret_why = vf_arena_printf(look->arena, "%.*s/%d has no progress in this view yet", (int)token->topic.size,
                                   token->topic.data, (int)token->partition)
                       .data;
    }
    *ret_freshness = VF_PENDING;
    say_rebuilding(
        look, row && row->progress.exists ? vf_progress_is_rebuilding(&row->progress) : look->rebuilding.partitions > 0,
        ret_freshness, ret_why);
    return VF_OK;
}

enum vf_code vf_fresh_look(const struct vf_store_type *type, struct vf_store *store, struct vf_view view,
                           const struct vf_fresh_question *question, struct vf_arena *arena,
                           struct vf_fresh_look *ret_look, struct vf_error *error)
{
    struct look look = {.type = type,
                        .store = store,
                        .view = view,
                        .arena = arena,
                        .tokens = question->tokens,
                        .token_count = question->token_count,
                        .ids = question->ids,
                        .id_count = question->id_count,
                        .kinds = question->kinds,
                        .kind_count = question->kind_count};
    struct vf_fresh_look answer = {.freshness = VF_FRESH};
    enum vf_code code = load_progress(&look, error);
    /* GUARD fresh-order: what was set aside, and is taken in after the documents were read, would not be found aside any more */
    if (code == VF_OK) {
        code = load_asides(&look, error);
    }
    if (code == VF_OK) {
        code = load_records(&look, error);
    }
    if (code == VF_OK) {
        code = load_elsewhere(&look, error);
    }
    if (code == VF_OK) {
        look.documents = vf_arena_calloc(arena, look.id_count, sizeof *look.documents);
        code = type->load(store, view, look.ids, look.id_count, NULL, 0, arena, look.documents, NULL, error);
    }
    if (code != VF_OK) {
        return code;
    }
    for (size_t i = 0; i < look.token_count; i++) {
        const char *why = NULL;
        enum vf_freshness found = VF_FRESH;
        if (look.tokens[i].kind == VF_TOKEN_OFFSET) {
            code = judge_offset(&look, i, &found, &why);
        } else {
            code = judge_version(&look, i, &found, &why, error);
        }
        if (code != VF_OK) {
            return code;
        }
        if (found > answer.freshness) { /* what will not come outweighs what has not come yet */
            answer = (struct vf_fresh_look){.freshness = found, .token = i, .why = why};
        }
    }
    answer.documents = look.documents;
    answer.rebuilding = look.rebuilding;
    *ret_look = answer;
    return VF_OK;
}
