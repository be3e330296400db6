/*
 * What indexes hold, and what is due: questions to the sorted sets that commits keep (library_side.lua).
 */
#include "connectors/redis/internal.h"

#include <math.h>
#include <stdlib.h>

/* Entries of one call. */
#define PAGE_LEAST 1000
#define PAGE_MOST  10000

/* --- what is due ------------------------------------------------------------------------------------------------- */

enum vf_code vf_redis_due(struct vf_store *store, struct vf_view view, enum vf_due due, int64_t limit_ms, size_t most,
                          struct vf_arena *arena, struct vf_bytes **ret_ids, size_t *ret_count, struct vf_error *error)
{
    struct vf_redis_request *request = &store->request;
    vf_redis_begin(store);
    vf_redis_keys_set(&store->keys, store->prefix, view.name, view.generation);
    vf_redis_request_begin(request, 8);
    vf_redis_request_add_text(request, "ZRANGE");
    vf_redis_request_add(request, due == VF_DUE_EXPIRED ? store->keys.expires : store->keys.husks);
    vf_redis_request_add_text(request, "-inf");
    vf_redis_request_add_int(request, limit_ms);
    vf_redis_request_add_text(request, "BYSCORE");
    vf_redis_request_add_text(request, "LIMIT");
    vf_redis_request_add_int(request, 0);
    vf_redis_request_add_int(request, (int64_t)most);
    redisReply *reply = NULL;
    enum vf_code code = vf_redis_ask(store, "ZRANGE of what is due", vf_redis_deadline(store), &reply, error);
    if (code != VF_OK)
        return code;
    vf_redis_copy_list(reply, arena, ret_ids, ret_count);
    freeReplyObject(reply);
    return VF_OK;
}

/* --- indexes ----------------------------------------------------------------------------------------------------- */

/* A find under way. */
struct finding {
    const struct vf_find *find;
    struct vf_arena *arena;
    struct vf_bytes key;
    bool has_after; /* the place to go on behind */
    struct vf_sort after;
    struct vf_bytes after_id;
    struct vf_found *found;
    size_t got, size;
};

/* The kind that documents have to have, or VF_SORT_NONE: any. */
static enum vf_sort_kind wanted_kind(const struct vf_find *find)
{
    return find->has_from ? find->from.kind : find->has_to ? find->to.kind : VF_SORT_NONE;
}

/* Bounds that no document is within. */
static bool means_nothing(const struct vf_find *find)
{
    bool unlike = find->has_from && find->has_to && find->from.kind != find->to.kind;
    return unlike || (find->has_from && isnan(find->from.number)) || (find->has_to && isnan(find->to.number));
}

/* "from" or "to", the score, and a place among those with this score. */
static void add_place(struct vf_redis_request *request, const char *which, double score, struct vf_bytes place)
{
    vf_redis_request_add_text(request, which);
    vf_redis_add_score(request, score);
    vf_redis_request_add(request, place);
}

/* A text's members are TEXT NUL ID: those of one text lie between TEXT NUL and TEXT 1, and any others do not. */
static void add_text_bound(struct vf_redis_request *request, const char *which, struct vf_bytes text, char end,
                           struct vf_arena *arena)
{
    struct vf_bytes place = vf_arena_printf(arena, "=%.*s%c", (int)text.size, text.data ? text.data : "", end);
    add_place(request, which, 0, place);
}

static void add_bounds(struct vf_redis_request *request, const struct vf_find *find, struct vf_arena *arena)
{
    if (find->has_from && find->from.kind == VF_SORT_STRING)
        add_text_bound(request, "from", find->from.text, '\0', arena);
    else if (find->has_from)
        add_place(request, "from", find->from.number, VF_LITERAL("="));
    if (find->has_to && find->to.kind == VF_SORT_STRING)
        add_text_bound(request, "to", find->to.text, '\1', arena);
    else if (find->has_to)
        add_place(request, "to", find->to.number, VF_LITERAL("+"));
}

static void add_after(struct vf_redis_request *request, const struct finding *finding)
{
    bool text = finding->after.kind == VF_SORT_STRING, reverse = finding->find->reverse;
    struct vf_bytes sort = finding->after.text, id = finding->after_id;
    struct vf_buffer place;
    vf_buffer_init(&place);
    vf_buffer_add_char(&place, '=');
    if (text) {
        vf_buffer_add_bytes(&place, sort);
        vf_buffer_add_char(&place, '\0');
    }
    vf_buffer_add_bytes(&place, id);
    if (!reverse) /* the next text in the order of bytes: nothing is between */
        vf_buffer_add_char(&place, '\0');
    bool scored = finding->after.kind == VF_SORT_NUMBER || finding->after.kind == VF_SORT_DATE;
    add_place(request, reverse ? "to" : "from", scored ? finding->after.number : 0, vf_bytes(place.data, place.size));
    vf_buffer_done(&place);
}

/* One page, of at most `count`. */
static enum vf_code ask_page(struct vf_store *store, const struct finding *finding, size_t count,
                             redisReply **ret_reply, struct vf_error *error)
{
    struct vf_redis_request *request = &store->request;
    vf_redis_request_begin_uncounted(request);
    vf_redis_request_add_text(request, "FCALL_RO");
    vf_redis_request_add_text(request, store->function_find);
    vf_redis_request_add_int(request, 1);
    vf_redis_request_add(request, finding->key);
    vf_redis_request_add_text(request, finding->find->reverse ? "reverse" : "");
    vf_redis_request_add_int(request, (int64_t)count);
    add_bounds(request, finding->find, finding->arena);
    if (finding->has_after)
        add_after(request, finding);
    vf_redis_request_end_uncounted(request);
    enum vf_code code =
        vf_redis_ask_function(store, "FCALL_RO (asking an index)", vf_redis_deadline(store), ret_reply, error);
    if (code == VF_OK && ((*ret_reply)->type != REDIS_REPLY_ARRAY || (*ret_reply)->elements % 2 != 0)) {
        freeReplyObject(*ret_reply);
        code = vf_redis_fail_form(store, "an index", error);
    }
    return code;
}

/* A member with its score, as the entry that it stands for. Scores do not say whether they are numbers or dates: then it is
 * what was asked for. */
static struct vf_found read_entry(const struct finding *finding, const redisReply *member, const redisReply *score)
{
    struct vf_bytes text = vf_arena_copy(finding->arena, vf_redis_bytes(member));
    const char *stop = text.size ? memchr(text.data, '\0', text.size) : NULL;
    struct vf_found found = {.id = text};
    if (stop) {
        size_t size = (size_t)(stop - text.data);
        found.sort.kind = VF_SORT_STRING;
        found.sort.text = vf_bytes(text.data, size);
        found.id = vf_bytes(stop + 1, text.size - size - 1);
    } else if (finding->find->index->sort) {
        found.sort.kind = wanted_kind(finding->find) == VF_SORT_DATE ? VF_SORT_DATE : VF_SORT_NUMBER;
        found.sort.number = strtod(score->str, NULL);
    }
    return found;
}

static void take_page(struct finding *finding, const redisReply *reply)
{
    size_t pairs = reply->elements / 2;
    for (size_t i = 0; i < pairs && finding->got < finding->find->limit; i++) {
        size_t at = 2 * (finding->find->reverse ? pairs - 1 - i : i);
        struct vf_found found = read_entry(finding, reply->element[at], reply->element[at + 1]);
        finding->has_after = true;
        finding->after = found.sort;
        finding->after_id = found.id;
        enum vf_sort_kind wanted = wanted_kind(finding->find);
        /* GUARD redis-find-kind: a question about texts is answered with numbers whose ids lie between the texts */
        if (wanted != VF_SORT_NONE && wanted != found.sort.kind)
            continue;
        if (finding->got == finding->size) {
            size_t size = 2 * finding->size + PAGE_LEAST;
            struct vf_found *more = vf_arena_calloc(finding->arena, size, sizeof(*more));
            if (finding->got)
                memcpy(more, finding->found, finding->got * sizeof(*more));
            finding->found = more;
            finding->size = size;
        }
        finding->found[finding->got++] = found;
    }
}

enum vf_code vf_redis_find(struct vf_store *store, struct vf_view view, const struct vf_find *find,
                           struct vf_arena *arena, struct vf_found **ret_found, size_t *ret_count,
                           struct vf_error *error)
{
    struct finding finding = {
        .find = find, .arena = arena, .has_after = find->has_after, .after = find->after, .after_id = find->after_id};
    enum vf_code code = VF_OK;
    vf_redis_begin(store);
    vf_redis_keys_set(&store->keys, store->prefix, view.name, view.generation);
    finding.key = vf_redis_keys_index(&store->keys, view.generation, find->index, arena);
    if (find->index->by)
        finding.key = vf_arena_printf(arena, "%s%.*s", finding.key.data, (int)find->by.size, find->by.data);
    bool more = !means_nothing(find);
    for (size_t pages = 0; more && code == VF_OK && finding.got < find->limit; pages++) {
        redisReply *reply = NULL;
        size_t count = find->limit - finding.got;
        if (pages > 0 && count < PAGE_LEAST) /* entries of other kinds were among the first */
            count = PAGE_LEAST;
        if (count > PAGE_MOST)
            count = PAGE_MOST;
        code = ask_page(store, &finding, count, &reply, error);
        if (code != VF_OK)
            break;
        take_page(&finding, reply);
        more = reply->elements / 2 == count;
        freeReplyObject(reply);
    }
    if (code != VF_OK)
        return code;
    *ret_found = finding.found;
    *ret_count = finding.got;
    return VF_OK;
}
