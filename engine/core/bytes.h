/*
 * A run of bytes that somebody else owns (bytes), and a growing buffer of its own (buffer). Any thread, no locks.
 * Bytes may hold NUL; where a function wants text without NUL it says so.
 */
#ifndef VF_CORE_BYTES_H
#define VF_CORE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

struct vf_bytes {
    const char *data; /* NULL only when size is 0 */
    size_t size;
};

#define VF_LITERAL(text) ((struct vf_bytes){(text), sizeof(text) - 1})

static inline struct vf_bytes vf_bytes(const void *data, size_t size)
{
    return (struct vf_bytes){(const char *)data, size};
}

static inline struct vf_bytes vf_bytes_from(const char *text)
{
    return (struct vf_bytes){text, text ? strlen(text) : 0};
}

static inline bool vf_bytes_equal(struct vf_bytes a, struct vf_bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool vf_bytes_is(struct vf_bytes bytes, const char *text)
{
    return vf_bytes_equal(bytes, vf_bytes_from(text));
}

/* Order of unsigned bytes; a prefix comes first. The one order in which keys and aggregates are kept everywhere. */
int vf_bytes_compare(struct vf_bytes a, struct vf_bytes b);

/* True for well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool vf_bytes_is_utf8(struct vf_bytes bytes);

/* malloc and friends that never return NULL: out of memory ends the process with a message (see core/arena.h). */
void *vf_alloc(size_t size);
void *vf_calloc(size_t count, size_t size);
void *vf_realloc(void *memory, size_t size);
char *vf_strdup(const char *text);
char *vf_strndup(const char *text, size_t size);
__attribute__((noreturn)) void vf_out_of_memory(size_t size);

struct vf_buffer {
    char *data; /* always NUL-terminated once anything was appended */
    size_t size;
    size_t capacity;
};

void vf_buffer_init(struct vf_buffer *buffer);
void vf_buffer_done(struct vf_buffer *buffer);
void vf_buffer_clear(struct vf_buffer *buffer);
char *vf_buffer_reserve(struct vf_buffer *buffer, size_t size); /* room for `size` more bytes; where they begin */
void vf_buffer_add(struct vf_buffer *buffer, const void *data, size_t size);
void vf_buffer_add_text(struct vf_buffer *buffer, const char *text);
void vf_buffer_add_bytes(struct vf_buffer *buffer, struct vf_bytes bytes);
static inline void vf_buffer_add_char(struct vf_buffer *buffer, char c)
{
    char *end = buffer->size + 1 < buffer->capacity ? buffer->data + buffer->size : vf_buffer_reserve(buffer, 1);
    end[0] = c;
    end[1] = '\0';
    buffer->size++;
}
void vf_buffer_add_int(struct vf_buffer *buffer, int64_t number);
void vf_buffer_printf(struct vf_buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif

#endif
