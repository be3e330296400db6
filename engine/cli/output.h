/*
 * How things look on stdout: JSON indented and coloured for people, and colours alone. Pure.
 */
#ifndef VF_CLI_OUTPUT_H
#define VF_CLI_OUTPUT_H

#include "core/bytes.h"

enum vf_color { VF_COLOR_DIM, VF_COLOR_BOLD, VF_COLOR_RED, VF_COLOR_GREEN, VF_COLOR_YELLOW, VF_COLOR_BLUE };

/* Appends `text`, in the colour where `color` is on. */
void vf_output_add(struct vf_buffer *out, bool color, enum vf_color which, const char *text);

/* Appends canonical JSON (one line, no spaces) indented by two, one member a line. Control characters that JSON lets pass
 * (0x7f, C1) are escaped, as a terminal would obey them. */
void vf_output_json(struct vf_buffer *out, bool color, struct vf_bytes json);

/* Whether U+FFFE or U+FFFF begins here, which neither XML nor YAML holds. NUL-terminated. */
bool vf_output_is_noncharacter(const char *at);

/* Appends text for a terminal or a report: control characters and U+FFFE, U+FFFF become '?', but for line breaks and tabs where `lines`; at most `size_max`
 * bytes, with "..." behind. */
void vf_output_plain(struct vf_buffer *out, struct vf_bytes text, size_t size_max, bool lines);

#endif
