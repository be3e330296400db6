#include "cli/findings.h"

#include "cli/output.h"
#include "core/body.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* What a message of vf_findings_add may say behind its text. */
#define HINT_BEGINS "; did you mean "

struct kept {
    struct vf_finding finding;
    size_t file;  /* as first spoken of */
    size_t order; /* as added: keeps what stands at one place in order */
};

struct vf_findings {
    char **files;
    size_t file_count;
    struct kept *kept;
    size_t kept_count;
    size_t capacity;
    size_t error_count;
    size_t note_count;
};

static size_t file_index(struct vf_findings *findings, const char *name)
{
    for (size_t i = 0; i < findings->file_count; i++) {
        if (strcmp(findings->files[i], name) == 0) {
            return i;
        }
    }
    findings->files = vf_realloc(findings->files, (findings->file_count + 1) * sizeof *findings->files);
    findings->files[findings->file_count] = vf_strdup(name);
    return findings->file_count++;
}

struct vf_findings *vf_findings_new(const char *file)
{
    struct vf_findings *findings = vf_calloc(1, sizeof *findings);
    file_index(findings, file);
    return findings;
}

void vf_findings_free(struct vf_findings *findings)
{
    if (!findings) {
        return;
    }
    for (size_t i = 0; i < findings->kept_count; i++) {
        free((char *)findings->kept[i].finding.message);
        free((char *)findings->kept[i].finding.hint);
    }
    for (size_t i = 0; i < findings->file_count; i++) {
        free(findings->files[i]);
    }
    free(findings->files);
    free(findings->kept);
    free(findings);
}

void vf_findings_put(struct vf_findings *findings, const struct vf_finding *finding)
{
    size_t file = file_index(findings, finding->file);
    *(finding->level == VF_FINDING_ERROR ? &findings->error_count : &findings->note_count) += 1;
    if (findings->kept_count == VF_FINDINGS_KEPT_MAX) {
        return;
    }
    if (findings->kept_count == findings->capacity) {
        findings->capacity = findings->capacity ? findings->capacity * 2 : 16;
        findings->kept = vf_realloc(findings->kept, findings->capacity * sizeof *findings->kept);
    }
    struct kept *kept = &findings->kept[findings->kept_count];
    *kept = (struct kept){.finding = *finding, .file = file, .order = findings->kept_count};
    kept->finding.file = findings->files[file];
    kept->finding.message = vf_strdup(finding->message);
    kept->finding.hint = finding->hint ? vf_strdup(finding->hint) : NULL;
    findings->kept_count++;
}

void vf_findings_add(struct vf_findings *findings, struct vf_place place, const char *format, ...)
{
    char text[VF_ERROR_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char *hint = strstr(text, HINT_BEGINS);
    if (hint) {
        *hint = 0;
        hint += strlen("; ");
    }
    vf_findings_put(findings,
                    &(struct vf_finding){.file = findings->files[0], .place = place, .message = text, .hint = hint});
}

void vf_findings_copy(struct vf_findings *findings, const struct vf_findings *from)
{
    for (size_t i = 0; i < from->kept_count; i++) {
        vf_findings_put(findings, &from->kept[i].finding);
    }
}

size_t vf_findings_count(const struct vf_findings *findings)
{
    return findings->error_count;
}

size_t vf_findings_note_count(const struct vf_findings *findings)
{
    return findings->note_count;
}

static int compare(const void *left, const void *right)
{
    const struct kept *a = left;
    const struct kept *b = right;
    if (a->file != b->file) {
        return a->file < b->file ? -1 : 1;
    }
    if (a->finding.place.line != b->finding.place.line) {
        return a->finding.place.line < b->finding.place.line ? -1 : 1;
    }
    if (a->finding.place.column != b->finding.place.column) {
        return a->finding.place.column < b->finding.place.column ? -1 : 1;
    }
    return a->order < b->order ? -1 : 1;
}

size_t vf_findings_each(const struct vf_findings *findings, size_t shown_max,
                        void (*visit)(void *self, const struct vf_finding *finding), void *self)
{
    size_t shown = findings->kept_count < shown_max ? findings->kept_count : shown_max;
    if (findings->kept_count == 0) {
        return 0;
    }
    struct kept *sorted = vf_alloc(findings->kept_count * sizeof *sorted);
    memcpy(sorted, findings->kept, findings->kept_count * sizeof *sorted);
    qsort(sorted, findings->kept_count, sizeof *sorted, compare);
    for (size_t i = 0; i < shown; i++) {
        visit(self, &sorted[i].finding);
    }
    free(sorted);
    return findings->error_count + findings->note_count - shown;
}

struct printing {
    struct vf_buffer *out;
    bool color;
};

static void print_one(void *self, const struct vf_finding *finding)
{
    const struct printing *printing = self;
    struct vf_buffer *out = printing->out;
    struct vf_buffer place;
    vf_buffer_init(&place);
    vf_buffer_add_text(&place, finding->file);
    if (finding->place.line > 0) {
        vf_buffer_printf(&place, ":%d", (int)finding->place.line);
    }
    if (finding->place.line > 0 && finding->place.column > 0) {
        vf_buffer_printf(&place, ":%d", (int)finding->place.column);
    }
    vf_buffer_add_text(&place, ": ");
    vf_output_add(out, printing->color, VF_COLOR_BOLD, place.data);
    if (finding->level == VF_FINDING_NOTE) {
        vf_output_add(out, printing->color, VF_COLOR_DIM, "note: ");
    }
    vf_output_plain(out, vf_bytes_from(finding->message), VF_ERROR_TEXT_BYTES, false);
    if (finding->hint) {
        vf_buffer_add_text(out, "; ");
        vf_output_plain(out, vf_bytes_from(finding->hint), VF_ERROR_TEXT_BYTES, false);
    }
    vf_buffer_add_char(out, '\n');
    vf_buffer_done(&place);
}

void vf_findings_print(const struct vf_findings *findings, size_t shown_max, bool color, struct vf_buffer *out)
{
    struct printing printing = {.out = out, .color = color};
    size_t left = vf_findings_each(findings, shown_max, print_one, &printing);
    if (left > 0) {
        vf_buffer_printf(out, "%s: and %zu more\n", findings->files[0], left);
    }
}

static void add_member(struct vf_buffer *out, const char *name, const char *text)
{
    vf_buffer_printf(out, "\"%s\":", name);
    if (text) {
        vf_json_print_string(out, vf_bytes_from(text));
    } else {
        vf_buffer_add_text(out, "null");
    }
}

static void print_one_json(void *self, const struct vf_finding *finding)
{
    struct vf_buffer *out = self;
    vf_buffer_printf(out, "{\"column\":%d,", (int)finding->place.column);
    add_member(out, "file", finding->file);
    vf_buffer_add_char(out, ',');
    add_member(out, "hint", finding->hint);
    vf_buffer_printf(out, ",\"level\":\"%s\",\"line\":%d,", finding->level == VF_FINDING_NOTE ? "note" : "error",
                     (int)finding->place.line);
    add_member(out, "message", finding->message);
    vf_buffer_add_text(out, "}\n");
}

void vf_findings_print_json(const struct vf_findings *findings, struct vf_buffer *out)
{
    vf_findings_each(findings, VF_FINDINGS_KEPT_MAX, print_one_json, out);
}
