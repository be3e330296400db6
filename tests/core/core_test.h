/* What the tests of engine/core share: cmocka with its headers, and a few comparisons that say what they saw. */
#ifndef VF_CORE_TEST_H
#define VF_CORE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/arena.h"
#include "core/bytes.h"
#include "core/error.h"
#include "core/json.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if defined(__SANITIZE_ADDRESS__)
#define TEST_HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TEST_HAS_ASAN 1
#endif
#endif

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static inline void must(enum vf_code code, const struct vf_error *error)
{
    if (code != VF_OK)
        fail_msg("code %d: %s", (int)code, error->text);
}

static inline void expect_text(struct vf_bytes found, const char *wanted)
{
    if (!vf_bytes_is(found, wanted))
        fail_msg("wanted %s, found %.*s", wanted, (int)found.size, found.data ? found.data : "");
}

static inline void expect_contains(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("wanted a text with \"%s\", found \"%s\"", part, text);
}

/* Bytes that malloc has mapped for large blocks and not given back; 0 under ASan, which keeps its own books. */
static inline size_t large_blocks_bytes(void)
{
    return mallinfo2().hblkhd;
}

/* xorshift64*: the same numbers everywhere for one seed. */
static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

/* VF_TEST_SEED repeats a run. */
static inline uint64_t test_seed(void)
{
    const char *given = getenv("VF_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * 2654435761u + 1;
    printf("seed: VF_TEST_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

#endif
