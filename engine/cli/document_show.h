/*
 * A document as `get` and `find` print it, and whether a reader may see it.
 */
#ifndef VF_CLI_DOCUMENT_SHOW_H
#define VF_CLI_DOCUMENT_SHOW_H

#include "cli/view_open.h"

/* So much of an id is shown to people. */
#define VF_SHOWN_BYTES_MAX 1024

/* Appends {"document":...,"generation":...} with a newline. VF_E_DATA for a body that cannot be printed. */
VF_MUSTCHECK enum vf_code vf_document_show_json(const struct vf_open_view *view, int32_t generation,
                                                const struct vf_document *document, struct vf_buffer *out,
                                                struct vf_error *error);

/* The same for people: indented, coloured if they like. */
VF_MUSTCHECK enum vf_code vf_document_show(const struct vf_open_view *view, int32_t generation,
                                           const struct vf_document *document, struct vf_buffer *out,
                                           struct vf_error *error);

/* A husk is hidden from readers, and so is what has expired by the clock and has not been swept yet. */
bool vf_document_is_visible(const struct vf_open_view *view, const struct vf_document *document);

#endif
