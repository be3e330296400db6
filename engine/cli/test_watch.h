/*
 * A projector that passes everything on to the real one, and notes what a test's report tells: which handlers ran, and what
 * the script logged. The worker cannot tell the difference.
 *
 * A batch may be folded more than once; what a script logged for an event in an earlier try is then forgotten. The seam's
 * tables carry no self, so one watch is the current one, of the thread that made it so: `test` runs one worker at a time.
 */
#ifndef VF_CLI_TEST_WATCH_H
#define VF_CLI_TEST_WATCH_H

#include "projector.h"

#define VF_TEST_LOG_LINES_MAX      200 /* of one test */
#define VF_TEST_LOG_LINE_BYTES_MAX 2048

struct vf_test_log_line {
    char *topic; /* of the event; "" where the script logged while it was loaded */
    int32_t partition;
    int64_t offset;
    char *document; /* "" in a route */
    char *text;     /* may hold line breaks; control characters are the report's to deal with */
};

struct vf_test_watch {
    bool recording;
    /* How often each of the projection's handlers and upcasts was called, and each of its links was asked for (of all routes,
     * one behind the other), over all recorded runs. */
    size_t *handler_runs;
    size_t *upcast_runs;
    size_t *link_runs;
    struct vf_test_log_line *lines;
    size_t line_count;
    size_t lines_dropped;
    const char *document; /* the one that is being changed; while a call runs */
};

void vf_test_watch_init(struct vf_test_watch *watch, const struct vf_projection *projection);
void vf_test_watch_done(struct vf_test_watch *watch);
void vf_test_watch_forget_lines(struct vf_test_watch *watch);

/* The watching projector in front of `real`, for workers that are opened until the next call. */
const struct vf_projector_type *vf_test_watch_type(struct vf_test_watch *watch, const struct vf_projector_type *real);

#endif
