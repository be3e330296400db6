#include "cli/findings.h"

#include <stdarg.h>
#include <stdlib.h>

struct finding {
    struct vf_place place;
    size_t order; /* as added: keeps what stands at one place in order */
    char *message;
};

struct vf_findings {
    char *file;
    struct finding kept[VF_FINDINGS_MAX];
    size_t kept_count;
    size_t count;
};

struct vf_findings *vf_findings_new(const char *file)
{
    struct vf_findings *findings = vf_calloc(1, sizeof *findings);
    findings->file = vf_strdup(file);
    return findings;
}

void vf_findings_free(struct vf_findings *findings)
{
    if (!findings) {
        return;
    }
    for (size_t i = 0; i < findings->kept_count; i++) {
        free(findings->kept[i].message);
    }
    free(findings->file);
    free(findings);
}

void vf_findings_add(struct vf_findings *findings, struct vf_place place, const char *format, ...)
{
    findings->count++;
    if (findings->kept_count == VF_FINDINGS_MAX) {
        return;
    }
    char text[VF_ERROR_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    findings->kept[findings->kept_count] =
        (struct finding){.place = place, .order = findings->kept_count, .message = vf_strdup(text)};
    findings->kept_count++;
}

size_t vf_findings_count(const struct vf_findings *findings)
{
    return findings->count;
}

static int compare(const void *left, const void *right)
{
    const struct finding *a = left;
    const struct finding *b = right;
    if (a->place.line != b->place.line) {
        return a->place.line < b->place.line ? -1 : 1;
    }
    if (a->place.column != b->place.column) {
        return a->place.column < b->place.column ? -1 : 1;
    }
    return a->order < b->order ? -1 : 1;
}

void vf_findings_print(const struct vf_findings *findings, struct vf_buffer *out)
{
    struct finding sorted[VF_FINDINGS_MAX];
    memcpy(sorted, findings->kept, sizeof sorted);
    qsort(sorted, findings->kept_count, sizeof sorted[0], compare);
    for (size_t i = 0; i < findings->kept_count; i++) {
        vf_buffer_add_text(out, findings->file);
        if (sorted[i].place.line > 0) {
            vf_buffer_printf(out, ":%d:%d", (int)sorted[i].place.line, (int)sorted[i].place.column);
        }
        vf_buffer_printf(out, ": %s\n", sorted[i].message);
    }
    if (findings->count > findings->kept_count) {
        vf_buffer_printf(out, "%s: and %zu more\n", findings->file, findings->count - findings->kept_count);
    }
}
