#include "core/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int vf_bytes_compare(struct vf_bytes a, struct vf_bytes b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    if (order)
        return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

/* The length of the well-formed sequence of two to four bytes at `at`, or 0 (RFC 3629, section 4). */
static size_t utf8_sequence(const unsigned char *at, size_t left)
{
    unsigned char lead = at[0];
    unsigned char low = 0x80, high = 0xBF; /* the range of the second byte */
    size_t size;

    if (lead >= 0xC2 && lead <= 0xDF) {
        size = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        size = 3;
        if (lead == 0xE0)
            low = 0xA0; /* overlong */
        if (lead == 0xED)
            high = 0x9F; /* surrogates */
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        size = 4;
        if (lead == 0xF0)
            low = 0x90; /* overlong */
        if (lead == 0xF4)
            high = 0x8F; /* beyond U+10FFFF */
    } else {
        return 0;
    }
    if (left < size || at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    }
    return size;
}

bool vf_bytes_is_utf8(struct vf_bytes bytes)
{
    const unsigned char *data = (const unsigned char *)bytes.data;
    size_t i = 0;
    while (i < bytes.size) {
        uint64_t eight;
        if (bytes.size - i >= sizeof eight) {
            memcpy(&eight, data + i, sizeof eight);
            if (!(eight & UINT64_C(0x8080808080808080))) {
                i += sizeof eight;
                continue;
            }
        }
        if (data[i] < 0x80) {
            i++;
            continue;
        }
        size_t size = utf8_sequence(data + i, bytes.size - i);
        if (!size)
            return false;
        i += size;
    }
    return true;
}

void vf_out_of_memory(size_t size)
{
    /* stderr is not buffered, so this needs no memory. */
    fprintf(stderr, "viewfold: out of memory: %zu bytes were wanted\n", size);
    _Exit(70);
}

void *vf_alloc(size_t size)
{
    void *memory = malloc(size ? size : 1);
    if (!memory)
        vf_out_of_memory(size);
    return memory;
}

void *vf_calloc(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size ? size : 1);
    if (!memory)
        vf_out_of_memory(size && count > SIZE_MAX / size ? SIZE_MAX : count * size);
    return memory;
}

void *vf_realloc(void *memory, size_t size)
{
    void *moved = realloc(memory, size ? size : 1);
    if (!moved)
        vf_out_of_memory(size);
    return moved;
}

char *vf_strdup(const char *text)
{
    return vf_strndup(text, strlen(text));
}

char *vf_strndup(const char *text, size_t size)
{
    size_t length = strnlen(text, size);
    if (length == SIZE_MAX)
        vf_out_of_memory(length);
    char *copy = vf_alloc(length + 1);
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

void vf_buffer_init(struct vf_buffer *buffer)
{
    *buffer = (struct vf_buffer){0};
}

void vf_buffer_done(struct vf_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct vf_buffer){0};
}

void vf_buffer_clear(struct vf_buffer *buffer)
{
    buffer->size = 0;
    if (buffer->data)
        buffer->data[0] = '\0';
}

char *vf_buffer_reserve(struct vf_buffer *buffer, size_t size)
{
    if (size >= SIZE_MAX - buffer->size)
        vf_out_of_memory(size);
    size_t wanted = buffer->size + size + 1; /* the NUL */
    if (wanted > buffer->capacity) {
        size_t capacity = buffer->capacity < 64 ? 64 : buffer->capacity;
        while (capacity < wanted)
            capacity = capacity > SIZE_MAX / 2 ? wanted : capacity * 2;
        buffer->data = vf_realloc(buffer->data, capacity);
        buffer->capacity = capacity;
    }
    return buffer->data + buffer->size;
}

void vf_buffer_add(struct vf_buffer *buffer, const void *data, size_t size)
{
    char *end = vf_buffer_reserve(buffer, size);
    if (size)
        memcpy(end, data, size);
    end[size] = '\0';
    buffer->size += size;
}

void vf_buffer_add_text(struct vf_buffer *buffer, const char *text)
{
    vf_buffer_add(buffer, text, strlen(text));
}

void vf_buffer_add_bytes(struct vf_buffer *buffer, struct vf_bytes bytes)
{
    vf_buffer_add(buffer, bytes.data, bytes.size);
}

void vf_buffer_add_int(struct vf_buffer *buffer, int64_t number)
{
    char digits[20]; /* -9223372036854775808 */
    size_t at = sizeof digits;
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (number < 0)
        digits[--at] = '-';
    vf_buffer_add(buffer, digits + at, sizeof digits - at);
}

void vf_buffer_printf(struct vf_buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0) /* beyond INT_MAX bytes */
        vf_out_of_memory(SIZE_MAX);
    char *end = vf_buffer_reserve(buffer, (size_t)size);
    vsnprintf(end, (size_t)size + 1, format, again);
    va_end(again);
    buffer->size += (size_t)size;
}
