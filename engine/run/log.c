#include "run/log.h"

#include "clock.h"
#include "core/body.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* So long a line waits for whoever reads a full pipe; the next ones, as long as he does not, not at all. */
#define READER_MS_MAX 1000

/* The process has one stderr, so it has one log. Set once before threads start; atomics only so that a late reader is
 * defined. */
static atomic_int log_level = VF_LOG_INFO;
static atomic_int log_format = VF_LOG_LOGFMT;
static atomic_int log_fd = STDERR_FILENO;
static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER; /* of a line's way out, and of what follows */
static int64_t lost_lines;                                    /* since the last one that came out */
static bool begins_anew;                                      /* the last line was broken off in its middle */

void vf_log_setup(enum vf_log_level level, enum vf_log_format format, int fd)
{
    atomic_store(&log_level, (int)level);
    atomic_store(&log_format, (int)format);
    atomic_store(&log_fd, fd);
}

bool vf_log_on(enum vf_log_level level)
{
    return (int)level >= atomic_load(&log_level);
}

static const char *level_name(enum vf_log_level level)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    return names[level];
}

/* How many bytes of well-formed UTF-8 begin here; 0: none. */
static size_t utf8_length(const unsigned char *p, size_t size)
{
    size_t length = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    return length <= size && vf_bytes_is_utf8(vf_bytes(p, length)) ? length : 0;
}

/* JSON's quoting, which logfmt readers take too. C1 controls are escaped as well: a terminal obeys them. */
static void add_quoted(struct vf_buffer *line, struct vf_bytes text)
{
    const unsigned char *p = (const unsigned char *)text.data;
    size_t size = text.size > VF_LOG_VALUE_BYTES_MAX ? VF_LOG_VALUE_BYTES_MAX : text.size;
    vf_buffer_add_char(line, '"');
    for (size_t i = 0; i < size;) {
        unsigned char c = p[i];
        if (c == '"' || c == '\\') {
            vf_buffer_add_char(line, '\\');
            vf_buffer_add_char(line, (char)c);
            i++;
        } else if (c == '\n' || c == '\t' || c == '\r') {
            vf_buffer_add_text(line, c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r");
            i++;
        } else if (c < 0x20 || c == 0x7f) {
            vf_buffer_printf(line, "\\u%04x", c);
            i++;
        } else {
            size_t length = utf8_length(p + i, text.size - i);
            if (length == 0) {
                vf_buffer_add_text(line, "\\ufffd");
                i++;
            } else if (length == 2 && c == 0xc2 && p[i + 1] < 0xa0) {
                vf_buffer_printf(line, "\\u%04x", p[i + 1]);
                i += length;
            } else {
                vf_buffer_add(line, p + i, length);
                i += length;
            }
        }
    }
    if (size < text.size) {
        vf_buffer_add_text(line, "...");
    }
    vf_buffer_add_char(line, '"');
}

static bool is_bare(struct vf_bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c != 0 && strchr("_-./:@+,#~%", c) != NULL);
        if (!plain) {
            return false;
        }
    }
    return text.size > 0 && text.size <= VF_LOG_VALUE_BYTES_MAX;
}

/* `json` is decided once a line. */
static void add_pair(struct vf_buffer *line, bool json, const char *key, struct vf_bytes value)
{
    if (json) {
        vf_buffer_printf(line, "%s\"%s\":", line->size > 1 ? "," : "", key);
        add_quoted(line, value);
        return;
    }
    vf_buffer_printf(line, "%s%s=", line->size > 0 ? " " : "", key);
    if (is_bare(value)) {
        vf_buffer_add_bytes(line, value);
    } else {
        add_quoted(line, value);
    }
}

static void add_number(struct vf_buffer *line, bool json, const char *key, int64_t number)
{
    if (json) {
        vf_buffer_printf(line, "%s\"%s\":", line->size > 1 ? "," : "", key);
    } else {
        vf_buffer_printf(line, "%s%s=", line->size > 0 ? " " : "", key);
    }
    vf_buffer_add_int(line, number);
}

static void add_text(struct vf_buffer *line, bool json, const char *key, const char *text)
{
    if (text) {
        add_pair(line, json, key, vf_bytes_from(text));
    }
}

static void add_about(struct vf_buffer *line, bool json, const struct vf_log_about *about)
{
    char at[512];
    add_text(line, json, "worker", about->worker);
    add_text(line, json, "projection", about->projection);
    add_text(line, json, "store", about->store);
    if (about->record) {
        const struct vf_record *record = about->record;
        snprintf(at, sizeof at, "%s/%d@%lld", record->topic, (int)record->partition, (long long)record->offset);
        add_text(line, json, "at", at);
    } else if (about->partition) {
        snprintf(at, sizeof at, "%s/%d", about->partition->topic, (int)about->partition->partition);
        add_text(line, json, "at", at);
    }
    if (about->aggregate.size > 0) {
        add_pair(line, json, "aggregate", about->aggregate);
    }
    for (const struct vf_log_field *field = about->fields; field && field->key; field++) {
        if (field->text) {
            add_text(line, json, field->key, field->text);
        } else {
            add_number(line, json, field->key, field->number);
        }
    }
}

/* Only what somebody reads at the other end can be full for a while; and it takes this much without waiting when it says that it
 * has room. */
static size_t piece_bytes(int fd)
{
    struct stat about;
    bool is_read = fstat(fd, &about) == 0 && (S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode));
    return is_read ? PIPE_BUF : SIZE_MAX;
}

/* False: not all of it could be written; *ret_done says how much. */
static bool write_within(int fd, const struct vf_buffer *line, int wait_ms, size_t *ret_done)
{
    size_t most = piece_bytes(fd), done = 0;
    while (done < line->size) {
        struct pollfd room = {.fd = fd, .events = POLLOUT};
        size_t size = line->size - done < most ? line->size - done : most;
        ssize_t wrote;
        /* Else whoever reads the log, and does not, would hold up the views, and the end of the process. */
        int ready = poll(&room, 1, wait_ms);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready == 0)
            break;
        wrote = write(fd, line->data + done, size);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            break;
        done += (size_t)wrote;
    }
    *ret_done = done;
    return done == line->size;
}

static void begin_line(struct vf_buffer *line, bool json, enum vf_log_level level)
{
    const struct vf_clock *clock = vf_clock_system();
    char time[VF_TIME_TEXT_BYTES];
    if (json) {
        vf_buffer_add_char(line, '{');
    }
    vf_time_print(time, clock->wall_ms(clock->self));
    add_text(line, json, "time", time);
    add_text(line, json, "level", level_name(level));
}

/* Says how many lines were lost before one that may come out again. */
static bool tell_lost(int fd, bool json)
{
    struct vf_buffer line;
    size_t done;
    vf_buffer_init(&line);
    if (begins_anew) {
        vf_buffer_add_char(&line, '\n');
    }
    begin_line(&line, json, VF_LOG_WARN);
    add_number(&line, json, "lost", lost_lines);
    add_text(&line, json, "msg", "log lines were lost: nobody read them, or there was no room");
    vf_buffer_add_text(&line, json ? "}\n" : "\n");
    bool told = write_within(fd, &line, 0, &done);
    begins_anew |= !told && done > 0;
    if (told) {
        lost_lines = 0;
        begins_anew = false;
    }
    vf_buffer_done(&line);
    return told;
}

static void write_line(const struct vf_buffer *line, bool json)
{
    int fd = atomic_load(&log_fd);
    size_t done = 0;
    pthread_mutex_lock(&log_mutex);
    bool stuck = lost_lines > 0 && !tell_lost(fd, json);
    if (stuck || !write_within(fd, line, READER_MS_MAX, &done)) {
        lost_lines++;
        begins_anew |= done > 0;
    }
    pthread_mutex_unlock(&log_mutex);
}

void vf_log_text(enum vf_log_level level, const struct vf_log_about *about, struct vf_bytes text)
{
    if (!vf_log_on(level)) {
        return;
    }
    bool json = atomic_load(&log_format) == VF_LOG_JSON;
    struct vf_buffer line;

    vf_buffer_init(&line);
    begin_line(&line, json, level);
    if (about) {
        add_about(&line, json, about);
    }
    add_pair(&line, json, "msg", text);
    if (about && about->error) {
        add_text(&line, json, "error", about->error->text);
    }
    vf_buffer_add_text(&line, json ? "}\n" : "\n");
    write_line(&line, json);
    vf_buffer_done(&line);
}

void vf_log(enum vf_log_level level, const struct vf_log_about *about, const char *format, ...)
{
    if (!vf_log_on(level)) {
        return;
    }
    char text[VF_ERROR_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (size < 0) {
        return;
    }
    size_t kept = (size_t)size < sizeof text ? (size_t)size : sizeof text - 1;
    vf_log_text(level, about, vf_bytes(text, kept));
}

bool vf_log_rate_allow(struct vf_log_rate *rate, int64_t monotonic_ms, int64_t *ret_dropped)
{
    /* What was spent is given back with time, one a whole interval. */
    int64_t back = rate->interval_ms > 0 ? (monotonic_ms - rate->since_ms) / rate->interval_ms : rate->spent;
    if (back >= rate->spent) {
        rate->spent = 0;
        rate->since_ms = monotonic_ms;
    } else if (back > 0) {
        rate->spent -= back;
        rate->since_ms += back * rate->interval_ms;
    }
    if (rate->spent >= rate->burst) {
        rate->dropped++;
        return false;
    }
    rate->spent++;
    *ret_dropped = rate->dropped;
    rate->dropped = 0;
    return true;
}
