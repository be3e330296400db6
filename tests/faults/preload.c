/*
 * Loaded into a viewfold process before everything else (LD_PRELOAD), for F19: allocations that fail, and a clock that is wrong. Nothing
 * of the product knows of it.
 *
 *   FAULT_ALLOCATION=n        the nth allocation of the process fails, of viewfold and of all its libraries; n < 0: none. FAULT_COUNT=file:
 *                             how many there have been is in this file, 8 bytes, at any time.
 *                             Who asked for it is on stderr, a frame a line behind "no memory for".
 *   FAULT_ALLOCATIONS=m       and the m - 1 behind it
 *   FAULT_OWN=1               counts only what the program's own code asks for
 *   FAULT_CLOCK=file          8 bytes: so many seconds the wall clock is ahead of the true one. It may change at any time.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

static int64_t first = -1, last = -1;
static uintptr_t own_from, own_to; /* the program's code; both 0: all is counted */
static _Atomic int64_t own_count;
static _Atomic int64_t *count = &own_count;
static _Atomic int64_t *ahead;

static void *shared(const char *path)
{
    int fd = path ? open(path, O_RDWR) : -1;
    void *memory = fd < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    return memory == MAP_FAILED ? NULL : memory;
}

/* The first that is told of is the program itself. */
static int find_own(struct dl_phdr_info *about, size_t size, void *unused)
{
    (void)size;
    (void)unused;
    for (int i = 0; i < about->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &about->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && part->p_flags & PF_X) {
            own_from = about->dlpi_addr + part->p_vaddr;
            own_to = own_from + part->p_memsz;
        }
    }
    return 1;
}

__attribute__((constructor)) static void begin(void)
{
    void *frames[1];
    backtrace(frames, 1); /* which allocates the first time */
    const char *wanted = getenv("FAULT_ALLOCATION"), *many = getenv("FAULT_ALLOCATIONS");
    if (shared(getenv("FAULT_COUNT")))
        count = shared(getenv("FAULT_COUNT"));
    if (getenv("FAULT_OWN"))
        dl_iterate_phdr(find_own, NULL);
    ahead = shared(getenv("FAULT_CLOCK"));
    if (wanted) {
        first = atoll(wanted);
        last = first + (many ? atoll(many) : 1) - 1;
    }
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

static int fails(const void *caller)
{
    if (own_to && ((uintptr_t)caller < own_from || (uintptr_t)caller >= own_to))
        return 0;
    int64_t number = atomic_fetch_add_explicit(count, 1, memory_order_relaxed) + 1;
    if (number < first || number > last)
        return 0;
    void *frames[12];
    static const char words[] = "no memory for\n";
    if (write(2, words, sizeof words - 1) > 0)
        backtrace_symbols_fd(frames, backtrace(frames, 12), 2);
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t some, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(some, size);
}

void *realloc(void *memory, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(memory, size);
}

/* --- the clock ---------------------------------------------------------------------------------------------------- */

static int64_t seconds_ahead(void)
{
    return ahead ? atomic_load_explicit(ahead, memory_order_relaxed) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int answer = real(clock, time);
    if (!answer && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        time->tv_sec += seconds_ahead();
    return answer;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *ret_time)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (ret_time)
        *ret_time = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *now, int base)
{
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, now) == 0 ? base : 0;
}

/* Whoever waits until a time of the wrong clock waits as long as he would with a right one. Times of the monotonic clock, which counts
 * from the machine's start, are far from both. */
static struct timespec truly(const struct timespec *until)
{
    struct timespec time = *until, now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (llabs((long long)(time.tv_sec - now.tv_sec)) < 12 * 3600)
        time.tv_sec -= seconds_ahead();
    return time;
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex, const struct timespec *restrict until)
{
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    if (!real)
        real = (int (*)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *))dlvsym(RTLD_NEXT, "pthread_cond_timedwait",
                                                                                             "GLIBC_2.3.2");
    struct timespec time = truly(until);
    return real(condition, mutex, &time);
}

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict until)
{
    static int (*real)(cnd_t *, mtx_t *, const struct timespec *);
    if (!real)
        real = (int (*)(cnd_t *, mtx_t *, const struct timespec *))dlsym(RTLD_NEXT, "cnd_timedwait");
    struct timespec time = truly(until);
    return real(condition, mutex, &time);
}
