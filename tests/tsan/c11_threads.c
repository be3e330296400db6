/*
 * For the ThreadSanitizer build only. TSan of gcc 12 and clang 14 knows threads that pthread_create made, and glibc's
 * thrd_create, which librdkafka uses, goes past it: such a thread crashes at its first allocation. These two stand in
 * front of glibc's (the program exports its symbols) and go through pthread_create.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

struct start {
    thrd_start_t function;
    void *argument;
};

static void *run(void *self)
{
    struct start start = *(struct start *)self;
    free(self);
    return (void *)(intptr_t)start.function(start.argument);
}

int thrd_create(thrd_t *ret_thread, thrd_start_t function, void *argument)
{
    struct start *start = malloc(sizeof *start);
    if (!start)
        return thrd_nomem;
    *start = (struct start){function, argument};
    if (pthread_create(ret_thread, NULL, run, start) == 0)
        return thrd_success;
    free(start);
    return thrd_error;
}

int thrd_join(thrd_t thread, int *ret_result)
{
    void *result;
    if (pthread_join(thread, &result) != 0)
        return thrd_error;
    if (ret_result)
        *ret_result = (int)(intptr_t)result;
    return thrd_success;
}
