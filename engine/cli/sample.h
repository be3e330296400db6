/*
 * A record as a line of JSON, for `lint --sample`: what `kcat -J` prints, or what somebody writes by hand. docs/configuration.md
 * has the form. Pure; one thread.
 */
#ifndef VF_CLI_SAMPLE_H
#define VF_CLI_SAMPLE_H

#include "core/arena.h"
#include "core/error.h"
#include "core/event.h"
#include "core/json.h"

/*
 * Reads one line into *ret_record, which borrows from the arena, and from `line` where its value is JSON. What the line leaves
 * out stays as it is in *ret_record, but for key, headers and value: those are null, none and null. VF_E_DATA says what is
 * wrong with the line.
 */
VF_MUSTCHECK enum vf_code vf_sample_read(struct vf_bytes line, struct vf_json_parser *parser, struct vf_arena *arena,
                                         struct vf_record *ret_record, struct vf_error *error);

#endif
