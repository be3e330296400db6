/*
 * Tokens: what is read, printed by the notation's rules, reads as the same token again, and prints the same. Of a token that is
 * not read, it is said what is wrong.
 */
#include "fuzz/fuzz.h"

#include "core/body.h"
#include "core/event.h"
#include "core/token.h"

#include <inttypes.h>

/* Percent-encoded where the page on tokens wants it (docs/protocol.md): in a name all that a URL would not carry, and behind the
 * '@' what would end the part. */
static void print_encoded(struct vf_buffer *out, struct vf_bytes text, const char *also)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c <= ' ' || c == '%' || c >= 0x7f || strchr(also, c))
            vf_buffer_printf(out, "%%%02X", c);
        else
            vf_buffer_add_char(out, (char)c);
    }
}

static void print_token(struct vf_buffer *out, const struct vf_token *token)
{
    if (token->kind == VF_TOKEN_OFFSET) {
        vf_buffer_printf(out, "o:%.*s/%d@%" PRId64, FUZZ_TEXT(token->topic), (int)token->partition, token->offset);
        return;
    }
    vf_buffer_add_text(out, "v:");
    print_encoded(out, token->aggregate, "");
    vf_buffer_add_char(out, '@');
    print_encoded(out, token->text, "@~");
    if (token->event_id.size) {
        vf_buffer_add_char(out, '~');
        print_encoded(out, token->event_id, "@");
    }
}

static void want_sound(const struct vf_token *token)
{
    if (token->kind == VF_TOKEN_OFFSET) {
        FUZZ_WANT(token->topic.size > 0 && token->topic.size <= 249, "%zu", token->topic.size);
        FUZZ_WANT(token->topic.data[token->topic.size] == '\0', "the topic is a text for Kafka, too");
        FUZZ_WANT(token->partition >= 0 && token->offset >= 0, "%d %" PRId64, (int)token->partition, token->offset);
        return;
    }
    char number[24];
    const char *slash = memchr(token->aggregate.data, '/', token->aggregate.size);
    FUZZ_WANT(slash && slash > token->aggregate.data, "%.*s", FUZZ_TEXT(token->aggregate));
    FUZZ_WANT(slash + 1 < token->aggregate.data + token->aggregate.size, "%.*s", FUZZ_TEXT(token->aggregate));
    FUZZ_WANT(vf_bytes_is_utf8(token->aggregate) && vf_bytes_is_utf8(token->text), "%.*s", FUZZ_TEXT(token->aggregate));
    FUZZ_WANT(token->text.size > 0 && token->text.size <= VF_ID_BYTES_MAX, "%zu", token->text.size);
    /* It is an integer just where printing that integer gives the text. */
    snprintf(number, sizeof number, "%" PRId64, token->version);
    FUZZ_WANT(!token->is_integer || vf_bytes_is(token->text, number), "%s %.*s", number, FUZZ_TEXT(token->text));
    char *end;
    char digits[VF_ID_BYTES_MAX + 1];
    snprintf(digits, sizeof digits, "%.*s", FUZZ_TEXT(token->text));
    snprintf(number, sizeof number, "%lld", strtoll(digits, &end, 10));
    FUZZ_WANT(token->is_integer == (strcmp(digits, number) == 0), "%s", digits);
}

static void want_equal(const struct vf_token *a, const struct vf_token *b)
{
    FUZZ_WANT(a->kind == b->kind && a->partition == b->partition && a->offset == b->offset, "another place");
    FUZZ_WANT(a->is_integer == b->is_integer && a->version == b->version, "another version");
    FUZZ_WANT(vf_bytes_equal(a->aggregate, b->aggregate) && vf_bytes_equal(a->text, b->text) &&
                  vf_bytes_equal(a->event_id, b->event_id) && vf_bytes_equal(a->topic, b->topic),
              "another text");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vf_arena *arena = vf_arena_new();
    struct vf_error error = {0};
    struct vf_token token, again;
    struct vf_buffer text, text_again;
    vf_buffer_init(&text);
    vf_buffer_init(&text_again);
    enum vf_code code = vf_token_parse(vf_bytes(data, size), arena, &token, &error);
    if (code) {
        FUZZ_WANT(code == VF_E_USAGE && error.code == code && strlen(error.text) > 20, "%d %s", (int)code, error.text);
    } else {
        want_sound(&token);
        print_token(&text, &token);
        code = vf_token_parse(fuzz_bytes(&text), arena, &again, &error);
        FUZZ_WANT(code == VF_OK, "%s: %s", text.data, error.text);
        want_equal(&token, &again);
        print_token(&text_again, &again);
        FUZZ_WANT(strcmp(text.data, text_again.data) == 0, "%s, and %s", text.data, text_again.data);
    }
    vf_buffer_done(&text);
    vf_buffer_done(&text_again);
    vf_arena_free(arena);
    return 0;
}
