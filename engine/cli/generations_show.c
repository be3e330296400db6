#include "cli/generations.h"
#include "cli/output.h"
#include "core/body.h"
#include "core/json.h"

#include <stdio.h>

const struct vf_adoption *vf_adoption_last(const struct vf_generation *generation)
{
    return generation->adoption_count > 0 ? &generation->adoptions[generation->adoption_count - 1] : NULL;
}

static void add_time(struct vf_buffer *out, int64_t unix_ms)
{
    char text[VF_TIME_TEXT_BYTES];
    vf_time_print(text, unix_ms);
    vf_buffer_add_text(out, text);
}

/* Of more partitions than this the rest is counted: a line of a thousand says no more. JSON has them all. */
#define POSITIONS_SHOWN 8

/* --- adoptions ---------------------------------------------------------------------------------------------------- */

void vf_adoption_print_positions(const struct vf_adoption *adoption, struct vf_buffer *out)
{
    if (adoption->position_count == 0) {
        vf_buffer_add_text(out, "the beginning");
    }
    size_t shown = adoption->position_count < POSITIONS_SHOWN ? adoption->position_count : POSITIONS_SHOWN;
    for (size_t i = 0; i < shown; i++) {
        const struct vf_reached *reached = &adoption->positions[i];
        vf_buffer_printf(out, "%s%s/%d@%lld", i > 0 ? ", " : "", reached->partition.topic,
                         (int)reached->partition.partition, (long long)reached->next);
    }
    if (shown < adoption->position_count) {
        vf_buffer_printf(out, " and %zu more (--json: all)", adoption->position_count - shown);
    }
}

void vf_adoption_print(const struct vf_adoption *adoption, struct vf_buffer *out)
{
    vf_buffer_add_text(out, "adopted ");
    add_time(out, adoption->adopted_ms);
    vf_buffer_printf(out, ": script %.*s instead of %.*s, from ", VF_HASH_SHOWN, adoption->to_hash, VF_HASH_SHOWN,
                     adoption->from_hash);
    vf_adoption_print_positions(adoption, out);
    vf_buffer_add_text(out, " on");
}

static void add_text(struct vf_buffer *out, const char *key, const char *text)
{
    vf_buffer_printf(out, "\"%s\":", key);
    if (text) {
        vf_json_print_string(out, vf_bytes_from(text));
    } else {
        vf_buffer_add_text(out, "null");
    }
}

static void add_time_member(struct vf_buffer *out, const char *key, bool known, int64_t unix_ms)
{
    char text[VF_TIME_TEXT_BYTES];
    vf_time_print(text, unix_ms);
    add_text(out, key, known ? text : NULL);
}

void vf_adoption_print_json(const struct vf_adoption *adoption, struct vf_buffer *out)
{
    vf_buffer_add_char(out, '{');
    add_time_member(out, "at", true, adoption->adopted_ms);
    vf_buffer_add_char(out, ',');
    add_text(out, "from", adoption->from_hash);
    vf_buffer_add_text(out, ",\"positions\":{");
    for (size_t i = 0; i < adoption->position_count; i++) {
        const struct vf_reached *reached = &adoption->positions[i];
        /* A topic's name needs no escaping: Kafka has only letters, digits, '.', '_' and '-'. */
        vf_buffer_printf(out, "%s\"%s/%d\":%lld", i > 0 ? "," : "", reached->partition.topic,
                         (int)reached->partition.partition, (long long)reached->next);
    }
    vf_buffer_add_text(out, "},");
    add_text(out, "to", adoption->to_hash);
    vf_buffer_add_char(out, '}');
}

/* --- JSON: keys sorted, as everywhere ----------------------------------------------------------------------------- */

static void add_row(struct vf_buffer *out, const struct vf_generations_row *row)
{
    const struct vf_generation *generation = &row->generation;
    bool dropped = strcmp(generation->state, VF_GENERATION_DROPPED) == 0;
    vf_buffer_add_text(out, "{\"adopted\":[");
    for (size_t i = 0; i < generation->adoption_count; i++) {
        vf_buffer_add_text(out, i > 0 ? "," : "");
        vf_adoption_print_json(&generation->adoptions[i], out);
    }
    vf_buffer_add_text(out, "],");
    add_time_member(out, "dropped", dropped, generation->created_ms);
    vf_buffer_printf(out, ",\"format\":%d,\"generation\":%d,", (int)generation->format, (int)generation->number);
    add_text(out, "here", row->here);
    vf_buffer_add_char(out, ',');
    add_text(out, "projection", row->projection);
    vf_buffer_printf(out, ",\"projection_version\":%lld,", (long long)generation->projection_version);
    add_text(out, "script", generation->script);
    vf_buffer_add_char(out, ',');
    add_text(out, "script_hash", generation->script_hash);
    vf_buffer_printf(out, ",\"served\":%s,", row->served ? "true" : "false");
    add_text(out, "state", generation->state);
    vf_buffer_add_char(out, ',');
    add_text(out, "store", row->store->name);
    vf_buffer_add_char(out, ',');
    add_time_member(out, "stored", !dropped, generation->created_ms);
    vf_buffer_add_char(out, ',');
    add_text(out, "view", row->view);
    vf_buffer_add_char(out, '}');
}

void vf_generations_print_json(const struct vf_generations_row *rows, size_t count, struct vf_buffer *out)
{
    bool any = false;
    vf_buffer_add_text(out, "{\"generations\":[");
    for (size_t i = 0; i < count; i++) {
        if (rows[i].there) {
            vf_buffer_add_text(out, any ? "," : "");
            add_row(out, &rows[i]);
            any = true;
        }
    }
    vf_buffer_add_text(out, "]}\n");
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

static int widest(const struct vf_generations_row *rows, size_t count, const char *title, bool store)
{
    size_t width = strlen(title);
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(store ? rows[i].store->name : rows[i].view);
        width = size > width ? size : width;
    }
    return (int)width;
}

static enum vf_color color_of(const struct vf_generations_row *row)
{
    return strcmp(row->generation.state, VF_GENERATION_ACTIVE) == 0 ? VF_COLOR_GREEN : VF_COLOR_YELLOW;
}

/* The script that it runs, and whether that is what lies here. */
static void add_script(struct vf_buffer *out, bool color, const struct vf_generations_row *row)
{
    const struct vf_generation *generation = &row->generation;
    vf_output_plain(out, vf_bytes_from(generation->script), 200, false);
    vf_buffer_printf(out, " %.*s", VF_HASH_SHOWN, generation->script_hash);
    if (row->here && strcmp(row->here, generation->script_hash) != 0 &&
        strcmp(generation->state, VF_GENERATION_ACTIVE) == 0) {
        char differs[64];
        snprintf(differs, sizeof differs, " (here: %.*s)", VF_HASH_SHOWN, row->here);
        vf_output_add(out, color, VF_COLOR_YELLOW, differs);
    }
}

void vf_generations_print_table(const struct vf_generations_row *rows, size_t count, bool color, struct vf_buffer *out)
{
    int view_width = widest(rows, count, "view", false);
    int store_width = widest(rows, count, "store", true);
    struct vf_buffer text;
    vf_buffer_init(&text);
    vf_buffer_printf(&text, "%-*s  %-*s  gen  %-8s  served  version  %-24s  script", view_width, "view", store_width,
                     "store", "state", "since");
    vf_output_add(out, color, VF_COLOR_DIM, text.data);
    vf_buffer_add_char(out, '\n');
    for (size_t i = 0; i < count; i++) {
        const struct vf_generations_row *row = &rows[i];
        const struct vf_generation *generation = &row->generation;
        vf_buffer_printf(out, "%-*s  %-*s  ", view_width, row->view, store_width, row->store->name);
        if (!row->there) {
            vf_buffer_add_text(out, "  -  none yet\n");
            continue;
        }
        vf_buffer_printf(out, "%3d  ", (int)generation->number);
        vf_buffer_clear(&text);
        vf_buffer_printf(&text, "%-8s", generation->state);
        vf_output_add(out, color, color_of(row), text.data);
        vf_buffer_printf(out, "  %6s  %7lld  ", row->served ? "yes" : "no", (long long)generation->projection_version);
        add_time(out, generation->created_ms);
        vf_buffer_add_text(out, "  ");
        add_script(out, color, row);
        vf_buffer_add_char(out, '\n');
        for (size_t a = 0; a < generation->adoption_count; a++) {
            vf_buffer_add_text(out, "  ");
            vf_adoption_print(&generation->adoptions[a], out);
            vf_buffer_add_char(out, '\n');
        }
    }
    vf_buffer_done(&text);
}
