/*
 * Errors as values.
 *
 * A fallible function returns an enum vf_code (VF_OK is 0), takes a struct vf_error * last, and leaves its outputs
 * untouched on failure. The caller owns the error and whoever decides prints it, once; libraries never print. Any thread;
 * nothing is allocated.
 */
#ifndef VF_CORE_ERROR_H
#define VF_CORE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VF_MUSTCHECK                            __attribute__((warn_unused_result))
#define VF_PRINTF(format_index, first_argument) __attribute__((format(printf, format_index, first_argument)))

enum vf_code {
    VF_OK = 0,
    VF_E_USAGE,       /* the command line or the call is wrong (exit 64) */
    VF_E_NOT_FOUND,   /* no such view, topic, document, generation, file (exit 66) */
    VF_E_UNAVAILABLE, /* a server cannot be reached, or not now (exit 69) */
    VF_E_BUG,         /* viewfold's own fault (exit 70) */
    VF_E_TIMEOUT,     /* not yet: a wait ran out (exit 75) */
    VF_E_DENIED,      /* a server refused login or a right (exit 77) */
    VF_E_CONFIG,      /* configuration or script wrong; a server that cannot serve (exit 78) */
    VF_E_DATA,        /* a record cannot be read, or a value cannot be kept as it is */
    VF_E_SCRIPT,      /* a handler or route failed on an event */
    VF_E_LIMIT,       /* a named limit was exceeded (instructions, document size, ...) */
    VF_E_MEMORY,      /* the Lua heap's cap was reached */
};

/* Longest text of an error, in bytes with its NUL. A Lua traceback fits; longer ones are cut. */
#define VF_ERROR_TEXT_BYTES 4096

struct vf_error {
    enum vf_code code;
    bool retriable; /* the same call may succeed later without anybody changing anything */
    char text[VF_ERROR_TEXT_BYTES];
};

/* Sets *error (which may be NULL) and returns `code`, so that a caller can write `return vf_fail(...)`. Not retriable. */
enum vf_code vf_fail(struct vf_error *error, enum vf_code code, const char *format, ...) VF_PRINTF(3, 4);

/* The same, for what may go away by itself. */
enum vf_code vf_fail_retriable(struct vf_error *error, enum vf_code code, const char *format, ...) VF_PRINTF(3, 4);

/* Puts "text: " in front of what the error says: a caller adds what it was about. Returns error->code; of no error (NULL), where
 * the code is not known here, VF_E_BUG. */
enum vf_code vf_error_prefix(struct vf_error *error, const char *format, ...) VF_PRINTF(2, 3);

/* The exit status that a command ends with for this code (docs/configuration.md). */
int vf_code_exit_status(enum vf_code code);

#ifdef __cplusplus
}
#endif

#endif
