/* The Lua heap's blocks: contents stay through every change of size, and chunks are used again for other sizes. */
#include "lua/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define BLOCKS 600

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

static void fill(char *block, size_t from, size_t size, size_t seed)
{
    for (size_t i = from; i < size; i++)
        block[i] = (char)(seed + i * 7);
}

static void check(const char *block, size_t size, size_t seed)
{
    for (size_t i = 0; i < size; i++)
        assert_int_equal((unsigned char)block[i], (unsigned char)(seed + i * 7));
}

static size_t some_size(uint64_t *random)
{
    uint64_t kind = next_random(random) % 10;
    return 1 + next_random(random) % (kind < 7 ? 80 : kind < 9 ? 700 : 20000);
}

static void what_is_in_a_block_stays_when_its_size_changes(void **state)
{
    (void)state;
    struct vf_lua_heap heap = {0};
    char *blocks[BLOCKS] = {NULL};
    size_t sizes[BLOCKS] = {0};
    uint64_t random = 1;
    for (int step = 0; step < 60000; step++) {
        size_t i = next_random(&random) % BLOCKS;
        if (blocks[i])
            check(blocks[i], sizes[i], i);
        if (blocks[i] && next_random(&random) % 3 == 0) {
            vf_lua_heap_free(&heap, blocks[i], sizes[i]);
            blocks[i] = NULL;
            continue;
        }
        size_t size = some_size(&random), kept = blocks[i] && sizes[i] < size ? sizes[i] : blocks[i] ? size : 0;
        blocks[i] = vf_lua_heap_move(&heap, blocks[i], sizes[i], size);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        fill(blocks[i], kept, size, i);
        sizes[i] = size;
    }
    for (size_t i = 0; i < BLOCKS; i++)
        vf_lua_heap_free(&heap, blocks[i], sizes[i]);
    assert_true(heap.chunk_bytes <= VF_LUA_HEAP_SIZES * (size_t)16384); /* at most an empty one of each size */
    vf_lua_heap_done(&heap);
}

static void blocks_of_one_size_make_room_for_those_of_another(void **state)
{
    (void)state;
    enum { COUNT = 40000 };
    struct vf_lua_heap heap = {0};
    void **blocks = vf_calloc(COUNT, sizeof *blocks);
    size_t most = 0;
    for (size_t size = 16; size <= 512; size += 16) {
        for (size_t i = 0; i < COUNT * 16 / size; i++)
            blocks[i] = vf_lua_heap_move(&heap, NULL, 0, size);
        most = heap.chunk_bytes > most ? heap.chunk_bytes : most;
        for (size_t i = 0; i < COUNT * 16 / size; i++)
            vf_lua_heap_free(&heap, blocks[i], size);
    }
    assert_true(most <= COUNT * 16 + COUNT + VF_LUA_HEAP_SIZES * (size_t)16384);
    free(blocks);
    vf_lua_heap_done(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_in_a_block_stays_when_its_size_changes),
        cmocka_unit_test(blocks_of_one_size_make_room_for_those_of_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
