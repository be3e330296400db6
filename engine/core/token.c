#include "core/token.h"

#include "core/event.h"

/* Kafka's own limit on a topic's name. */
#define TOPIC_BYTES_MAX 249

static enum vf_code wrong(struct vf_bytes text, const char *what, struct vf_error *error)
{
    return vf_fail(error, VF_E_USAGE,
                   "the token %.*s is wrong: %s. A token looks like v:order/42@7 (an aggregate's version) or "
                   "o:orders/3@1042 (topic/partition@offset)",
                   text.size < 200 ? (int)text.size : 200, text.size ? text.data : "", what);
}

/* The place of the last `c` in the text, or -1. */
static ptrdiff_t last_of(struct vf_bytes text, char c)
{
    ptrdiff_t i = (ptrdiff_t)text.size - 1;
    while (i >= 0 && text.data[i] != c)
        i--;
    return i;
}

/* A number as viewfold and Kafka print it: digits, no sign, no leading zeros. */
static bool read_number(struct vf_bytes digits, int64_t high, int64_t *ret_number)
{
    int64_t number = 0;
    if (!digits.size || (digits.size > 1 && digits.data[0] == '0'))
        return false;
    for (size_t i = 0; i < digits.size; i++) {
        int digit = digits.data[i] - '0';
        if (digit < 0 || digit > 9 || number > (high - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *ret_number = number;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool decode_percent(struct vf_bytes text, struct vf_arena *arena, struct vf_bytes *ret_decoded)
{
    char *decoded = vf_arena_alloc(arena, text.size + 1);
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == '%') {
            int high = i + 2 < text.size ? hex_digit(text.data[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(text.data[i + 2]) : -1;
            if (low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        decoded[size++] = c;
    }
    decoded[size] = '\0';
    *ret_decoded = vf_bytes(decoded, size);
    return true;
}

/* An integer as viewfold prints a version: an int64 without plus, blanks or leading zeros. */
static bool read_integer(struct vf_bytes text, int64_t *ret_number)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    if (!negative)
        return read_number(text, INT64_MAX, ret_number);
    if (vf_bytes_is(text, "-9223372036854775808")) {
        *ret_number = INT64_MIN;
        return true;
    }
    bool readable = read_number(vf_bytes(text.data + 1, text.size - 1), INT64_MAX, ret_number) && *ret_number != 0;
    *ret_number = -*ret_number;
    return readable;
}

/* Text as a token may carry it: blanks and control characters are encoded, or a mistake. */
static bool has_blanks(struct vf_bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] <= ' ' || text.data[i] == 0x7f)
            return true;
    return false;
}

/* Reads 7, 00ab, 7~abc: the part behind the last '@'. */
static enum vf_code read_version(struct vf_bytes text, struct vf_bytes part, struct vf_arena *arena,
                                 struct vf_token *token, struct vf_error *error)
{
    const char *tilde = part.size ? memchr(part.data, '~', part.size) : NULL;
    size_t size = tilde ? (size_t)(tilde - part.data) : part.size;
    struct vf_bytes id = tilde ? vf_bytes(tilde + 1, part.size - size - 1) : (struct vf_bytes){0};
    if (size == 0 || has_blanks(part))
        return wrong(text, "what follows the last '@' is no version", error);
    if (!decode_percent(vf_bytes(part.data, size), arena, &token->text) || !decode_percent(id, arena, &token->event_id))
        return wrong(text, "'%' is not followed by two hex digits", error);
    if (token->text.size > VF_ID_BYTES_MAX || token->event_id.size > VF_ID_BYTES_MAX)
        return wrong(text, "versions and event ids have at most 1024 bytes", error);
    if (tilde && token->event_id.size == 0)
        return wrong(text, "there is no event id behind '~'", error);
    const struct vf_bytes both[] = {token->text, token->event_id};
    for (int i = 0; i < 2; i++)
        if (both[i].size && (memchr(both[i].data, '\0', both[i].size) || !vf_bytes_is_utf8(both[i])))
            return wrong(text, "versions and event ids are UTF-8 without NUL", error);
    token->is_integer = read_integer(token->text, &token->version);
    return VF_OK;
}

static enum vf_code read_version_token(struct vf_bytes text, struct vf_bytes name, struct vf_bytes number,
                                       struct vf_arena *arena, struct vf_token *token, struct vf_error *error)
{
    token->kind = VF_TOKEN_VERSION;
    enum vf_code code = read_version(text, number, arena, token, error);
    if (code)
        return code;
    if (!decode_percent(name, arena, &token->aggregate))
        return wrong(text, "'%' is not followed by two hex digits", error);

    struct vf_bytes aggregate = token->aggregate;
    const char *slash = aggregate.size ? memchr(aggregate.data, '/', aggregate.size) : NULL;
    if (!slash)
        return wrong(text, "an aggregate is kind/id, and there is no '/'", error);
    size_t kind_size = (size_t)(slash - aggregate.data);
    size_t id_size = aggregate.size - kind_size - 1;
    if (!kind_size || kind_size > VF_ID_BYTES_MAX)
        return wrong(text, "a kind has 1 to 1024 bytes", error);
    if (!id_size || id_size > VF_ID_BYTES_MAX)
        return wrong(text, "an id has 1 to 1024 bytes", error);
    if (memchr(aggregate.data, '\0', aggregate.size) || !vf_bytes_is_utf8(aggregate))
        return wrong(text, "kinds and ids are UTF-8 without NUL", error);
    return VF_OK;
}

static bool is_topic_name(struct vf_bytes name)
{
    static const char characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    if (!name.size || name.size > TOPIC_BYTES_MAX || vf_bytes_is(name, ".") || vf_bytes_is(name, ".."))
        return false;
    for (size_t i = 0; i < name.size; i++) {
        if (!memchr(characters, name.data[i], sizeof characters - 1))
            return false;
    }
    return true;
}

static enum vf_code read_offset_token(struct vf_bytes text, struct vf_bytes name, struct vf_bytes number,
                                      struct vf_arena *arena, struct vf_token *token, struct vf_error *error)
{
    token->kind = VF_TOKEN_OFFSET;
    if (!read_number(number, INT64_MAX, &token->offset))
        return wrong(text, "what follows the last '@' is no offset", error);
    ptrdiff_t slash = last_of(name, '/');
    if (slash < 0)
        return wrong(text, "a partition is topic/number, and there is no '/'", error);
    int64_t partition;
    struct vf_bytes digits = vf_bytes(name.data + slash + 1, name.size - (size_t)slash - 1);
    if (!read_number(digits, INT32_MAX, &partition))
        return wrong(text, "what stands between '/' and '@' is no partition's number", error);
    token->partition = (int32_t)partition;
    if (!decode_percent(vf_bytes(name.data, (size_t)slash), arena, &token->topic))
        return wrong(text, "'%' is not followed by two hex digits", error);
    if (!is_topic_name(token->topic))
        return wrong(text, "that is no name of a Kafka topic", error);
    return VF_OK;
}

enum vf_code vf_token_parse(struct vf_bytes text, struct vf_arena *arena, struct vf_token *ret_token,
                            struct vf_error *error)
{
    if (text.size < 2 || text.data[1] != ':' || (text.data[0] != 'v' && text.data[0] != 'o'))
        return wrong(text, "it begins neither with v: nor with o:", error);
    struct vf_bytes rest = vf_bytes(text.data + 2, text.size - 2);
    ptrdiff_t at = last_of(rest, '@');
    if (at < 0)
        return wrong(text, "there is no '@'", error);

    struct vf_bytes name = vf_bytes(rest.data, (size_t)at);
    struct vf_bytes number = vf_bytes(rest.data + at + 1, rest.size - (size_t)at - 1);
    struct vf_token token = {0};
    enum vf_code code = text.data[0] == 'v' ? read_version_token(text, name, number, arena, &token, error)
                                            : read_offset_token(text, name, number, arena, &token, error);
    if (!code)
        *ret_token = token;
    return code;
}
