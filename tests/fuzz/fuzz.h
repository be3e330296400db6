/*
 * What the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput, which reads an input, looks whether what came
 * of it is right, and ends the process where it is not. Built by clang it is a fuzzer (./dev fuzz); built as all else is, with
 * replay.c, it is a unit test that runs the kept seeds.
 */
#ifndef VF_FUZZ_H
#define VF_FUZZ_H

#include "core/arena.h"
#include "core/bytes.h"
#include "core/error.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process, which the fuzzer takes for a finding, where something does not hold. */
#define FUZZ_WANT(holds, ...)                                                                 \
    do {                                                                                      \
        if (!(holds)) {                                                                       \
            fprintf(stderr, "%s:%d: this does not hold: %s\n  ", __FILE__, __LINE__, #holds); \
            fprintf(stderr, __VA_ARGS__);                                                     \
            fputc('\n', stderr);                                                              \
            abort();                                                                          \
        }                                                                                     \
    } while (0)

/* For "%.*s". */
#define FUZZ_TEXT(bytes) (int)(bytes).size, (bytes).size ? (bytes).data : ""

/* Between an input's parts: a byte that no UTF-8 has, so that a part can hold any text. */
#define FUZZ_SEPARATOR 0xfe

/* Takes the input's next part off it, up to the separator or the end. Copied into the arena, so that the sanitizer sees a byte
 * too many, and with a NUL behind it. */
static inline struct vf_bytes fuzz_part(struct vf_bytes *input, struct vf_arena *arena)
{
    const char *end = input->size ? memchr(input->data, FUZZ_SEPARATOR, input->size) : NULL;
    size_t size = end ? (size_t)(end - input->data) : input->size;
    struct vf_bytes part = vf_arena_bytes(arena, input->data, size);
    *input = end ? vf_bytes(end + 1, input->size - size - 1) : vf_bytes(NULL, 0);
    return part;
}

/* Takes one byte off the input, for a choice among `count` things; 0 where there is none left. */
static inline size_t fuzz_choice(struct vf_bytes *input, size_t count)
{
    if (input->size == 0)
        return 0;
    size_t choice = (unsigned char)input->data[0] % count;
    *input = vf_bytes(input->data + 1, input->size - 1);
    return choice;
}

static inline struct vf_bytes fuzz_bytes(const struct vf_buffer *buffer)
{
    return vf_bytes(buffer->data, buffer->size);
}

#endif
