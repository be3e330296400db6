#include "core/error.h"

#include "core/bytes.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* A text that was cut may end inside a UTF-8 sequence; logs and JSON want whole ones. */
static void drop_partial_character(char *text, size_t size)
{
    size_t start = size;
    while (start > 0 && size - start < 4) {
        unsigned char byte = (unsigned char)text[--start];
        if ((byte & 0xC0) == 0x80)
            continue;
        size_t wanted = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
        if (size - start < wanted)
            text[start] = '\0';
        return;
    }
}

/* A script raises any bytes, and a name may be cut in the middle. Errors lie in stores and come out as JSON. */
static void replace_what_is_not_utf8(char *text)
{
    size_t left = strlen(text);
    if (vf_bytes_is_utf8(vf_bytes(text, left)))
        return;
    while (left > 0) {
        unsigned char byte = (unsigned char)*text;
        size_t wanted = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
        if (wanted > left || !vf_bytes_is_utf8(vf_bytes(text, wanted))) {
            *text = '?';
            wanted = 1;
        }
        text += wanted;
        left -= wanted;
    }
}

static void print(char *text, const char *format, va_list arguments)
{
    int size = vsnprintf(text, VF_ERROR_TEXT_BYTES, format, arguments);
    if (size >= VF_ERROR_TEXT_BYTES)
        drop_partial_character(text, VF_ERROR_TEXT_BYTES - 1);
    /* GUARD error-utf8: a stop's note that no reader of JSON takes */
    replace_what_is_not_utf8(text);
}

enum vf_code vf_fail(struct vf_error *error, enum vf_code code, const char *format, ...)
{
    assert(code != VF_OK);
    if (error) {
        error->code = code;
        error->retriable = false;
        va_list arguments;
        va_start(arguments, format);
        print(error->text, format, arguments);
        va_end(arguments);
    }
    return code;
}

enum vf_code vf_fail_retriable(struct vf_error *error, enum vf_code code, const char *format, ...)
{
    assert(code != VF_OK);
    if (error) {
        error->code = code;
        error->retriable = true;
        va_list arguments;
        va_start(arguments, format);
        print(error->text, format, arguments);
        va_end(arguments);
    }
    return code;
}

enum vf_code vf_error_prefix(struct vf_error *error, const char *format, ...)
{
    char prefix[VF_ERROR_TEXT_BYTES];
    if (!error)
        return VF_E_BUG;
    va_list arguments;
    va_start(arguments, format);
    print(prefix, format, arguments);
    va_end(arguments);

    size_t prefix_size = strlen(prefix);
    size_t room = VF_ERROR_TEXT_BYTES - 1;
    if (prefix_size > room / 2) /* it would push out what happened, which counts for more */
        return error->code;

    size_t kept = strlen(error->text);
    bool cut = kept > room - prefix_size - 2;
    if (cut)
        kept = room - prefix_size - 2;
    memmove(error->text + prefix_size + 2, error->text, kept);
    memcpy(error->text, prefix, prefix_size);
    memcpy(error->text + prefix_size, ": ", 2);
    error->text[prefix_size + 2 + kept] = '\0';
    if (cut)
        drop_partial_character(error->text, prefix_size + 2 + kept);
    return error->code;
}

int vf_code_exit_status(enum vf_code code)
{
    switch (code) {
    case VF_OK: return 0;
    case VF_E_USAGE: return 64;
    case VF_E_NOT_FOUND: return 66;
    case VF_E_UNAVAILABLE: return 69;
    case VF_E_BUG: return 70;
    case VF_E_TIMEOUT: return 75;
    case VF_E_DENIED: return 77;
    case VF_E_CONFIG: return 78;
    case VF_E_DATA: /* findings: the events, the script or their limits, not the call or the set-up */
    case VF_E_SCRIPT:
    case VF_E_LIMIT:
    case VF_E_MEMORY: return 1;
    }
    return 70;
}
