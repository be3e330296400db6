/*
 * The command line: one table of verbs and flags, from which come the parser, `--help`, and later the completion and the
 * reference page. The table is constant; a parsed command line belongs to one thread and borrows from argv.
 */
#ifndef VF_CLI_OPTIONS_H
#define VF_CLI_OPTIONS_H

#include "core/bytes.h"
#include "core/error.h"

struct vf_cli;
struct vf_options;

enum vf_flag_type {
    VF_FLAG_SWITCH,
    VF_FLAG_TEXT,
    VF_FLAG_INT,      /* min to max */
    VF_FLAG_DURATION, /* 2s; milliseconds */
    VF_FLAG_CHOICE,   /* one of `argument`, "auto|always|never": its index */
    VF_FLAG_UNBUILT,  /* decided, not built yet: refused by name */
};

struct vf_flag {
    const char *name; /* without --; NULL ends a list */
    char letter;      /* 0: none */
    enum vf_flag_type type;
    const char *argument; /* what stands for the value in help, or the choices */
    int64_t min;
    int64_t max;
    bool repeatable;
    const char *help;
};

struct vf_verb {
    const char *name;      /* NULL ends the table */
    const char *arguments; /* "VIEW ID..." */
    size_t arguments_min;
    size_t arguments_max;
    const char *help;
    int (*run)(struct vf_cli *cli); /* the exit status; NULL: decided, not built yet */
    const struct vf_flag *flags;    /* ended by a NULL name; NULL: none but the common ones */
};

extern const struct vf_verb vf_verbs[];
extern const struct vf_flag vf_common_flags[];

/* VF_E_USAGE says what is wrong, with "did you mean". The error's text is one line. */
VF_MUSTCHECK enum vf_code vf_options_parse(int argc, char *const *argv, struct vf_options **ret_options,
                                           struct vf_error *error);
void vf_options_free(struct vf_options *options); /* NULL is fine */

const struct vf_verb *vf_options_verb(const struct vf_options *options); /* NULL: none was given, only --help */
size_t vf_options_argument_count(const struct vf_options *options);
const char *const *vf_options_arguments(const struct vf_options *options);

bool vf_options_has(const struct vf_options *options, const char *flag);
const char *vf_options_text(const struct vf_options *options, const char *flag); /* or NULL */
int64_t vf_options_number(const struct vf_options *options, const char *flag, int64_t otherwise);
/* The index-th value of a repeatable flag, or NULL behind the last. */
const char *vf_options_text_at(const struct vf_options *options, const char *flag, size_t index);

/* Help on everything (verb NULL), or on one verb. */
void vf_options_help(const struct vf_verb *verb, struct vf_buffer *out);

#endif
