#include "cli/document_show.h"

#include "cli/output.h"
#include "core/body.h"

enum vf_code vf_document_show_json(const struct vf_open_view *view, int32_t generation,
                                   const struct vf_document *document, struct vf_buffer *out, struct vf_error *error)
{
    vf_buffer_add_text(out, "{\"document\":");
    if (document->body.size == 0) {
        vf_buffer_add_text(out, "{}");
    } else {
        enum vf_code code = vf_body_print(out, document->body, error);
        if (code != VF_OK) {
            return code;
        }
    }
    vf_buffer_printf(out, ",\"generation\":%d,\"id\":", (int)generation);
    vf_json_print_string(out, document->id);
    vf_buffer_printf(out, ",\"revision\":%lld,\"store\":", (long long)document->revision);
    vf_json_print_string(out, vf_bytes_from(view->entry->name));
    vf_buffer_add_text(out, ",\"versions\":");
    vf_versions_print(out, document->versions, document->version_count);
    vf_buffer_add_text(out, ",\"view\":");
    vf_json_print_string(out, vf_bytes_from(view->name));
    vf_buffer_add_text(out, "}\n");
    return VF_OK;
}

/* As a token carries it behind its '@'. */
static void add_encoded(struct vf_buffer *text, struct vf_bytes part, const char *encoded)
{
    struct vf_buffer printed;
    vf_buffer_init(&printed);
    for (size_t i = 0; i < part.size; i++) {
        unsigned char c = (unsigned char)part.data[i];
        if (c <= ' ' || c == 0x7f || strchr(encoded, c)) {
            vf_buffer_printf(&printed, "%%%02X", c);
        } else {
            vf_buffer_add_char(&printed, (char)c);
        }
    }
    vf_output_plain(text, vf_bytes(printed.data, printed.size), VF_SHOWN_BYTES_MAX, false);
    vf_buffer_done(&printed);
}

/* Of a revision with the id of its last event. */
static void add_version(struct vf_buffer *text, const struct vf_version *version)
{
    const struct vf_version_more *more = version->more;
    struct vf_bytes rest = more ? more->ids : (struct vf_bytes){0}, id = {0};
    vf_buffer_add_char(text, '@');
    if (more && more->text.size > 0) {
        add_encoded(text, more->text, "%@~");
        return;
    }
    vf_buffer_add_int(text, version->version);
    if (more && !more->is_window) {
        while (vf_event_ids_next(&rest, &id)) {
        }
        vf_buffer_add_char(text, '~');
        add_encoded(text, id, "%@");
    }
}

enum vf_code vf_document_show(const struct vf_open_view *view, int32_t generation, const struct vf_document *document,
                              struct vf_buffer *out, struct vf_error *error)
{
    bool color = view->cli->color;
    struct vf_buffer text;
    enum vf_code code = VF_OK;
    vf_buffer_init(&text);
    vf_output_plain(&text, document->id, VF_SHOWN_BYTES_MAX, false);
    vf_output_add(out, color, VF_COLOR_BOLD, text.data);
    vf_buffer_clear(&text);
    vf_buffer_printf(&text, "  %s in %s, generation %d, revision %lld\n", view->name, view->entry->name,
                     (int)generation, (long long)document->revision);
    for (size_t i = 0; i < document->version_count; i++) {
        vf_buffer_add_text(&text, i == 0 ? "  versions " : ", ");
        vf_output_plain(&text, document->versions[i].aggregate, VF_SHOWN_BYTES_MAX, false);
        add_version(&text, &document->versions[i]);
    }
    vf_buffer_add_text(&text, document->version_count > 0 ? "\n" : "");
    vf_output_add(out, color, VF_COLOR_DIM, text.data);
    vf_buffer_clear(&text);
    if (document->body.size > 0) {
        code = vf_body_print(&text, document->body, error);
    } else {
        vf_buffer_add_text(&text, "{}");
    }
    if (code == VF_OK) {
        vf_output_json(out, color, vf_bytes(text.data, text.size));
        vf_buffer_add_char(out, '\n');
    }
    vf_buffer_done(&text);
    return code;
}

/* A husk is hidden from readers, and so is what has expired and has not been swept yet. */
bool vf_document_is_visible(const struct vf_open_view *view, const struct vf_document *document)
{
    const struct vf_clock *clock = view->cli->registry->clock;
    /* GUARD get-expired: a document would be read beyond its time */
    return document->presence == VF_PRESENT &&
           (!document->has_expires || document->expires_ms > clock->wall_ms(clock->self));
}
