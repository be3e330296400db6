#include "cli/config_check.h"

#include "cli/config_keys.h"

#include <stdio.h>

#define PATH_BYTES_MAX 512

/* Where the walk is: the table's path ("stores.*.redis") and the one that people read ("stores.cache.redis"). */
struct path {
    char key[PATH_BYTES_MAX];
    char shown[PATH_BYTES_MAX];
};

static void check_node(const struct vf_node *node, const struct path *path, struct vf_findings *findings);

/* False where a path is longer than any that the table has: then the name is unknown anyway. */
static bool join(const struct path *path, const char *key, const char *shown, struct path *ret_path)
{
    const char *dot = path->shown[0] && shown[0] != '[' ? "." : "";
    int key_size = snprintf(ret_path->key, PATH_BYTES_MAX, "%s%s%s", path->key, path->key[0] ? "." : "", key);
    int shown_size = snprintf(ret_path->shown, PATH_BYTES_MAX, "%s%s%s", path->shown, dot, shown);
    if (shown_size >= PATH_BYTES_MAX) {
        strcpy(ret_path->shown + PATH_BYTES_MAX - 4, "...");
    }
    return key_size < PATH_BYTES_MAX;
}

static void check_map(const struct vf_node *map, const struct path *path, struct vf_findings *findings)
{
    for (const struct vf_node *child = map->first; child; child = child->next) {
        struct path below;
        if (join(path, child->key, child->key, &below) && strcmp(child->key, "*") != 0 && vf_key_find(below.key)) {
            check_node(child, &below, findings);
            continue;
        }
        const char *near = vf_key_suggest(path->key, child->key);
        vf_findings_add(findings, child->key_place, "unknown key %s%s%s%s%s%s", child->key,
                        path->shown[0] ? " in " : "", path->shown, near ? "; did you mean " : "", near ? near : "",
                        near ? "?" : "");
    }
    size_t depth_size = strlen(path->key);
    for (size_t i = 1; i < vf_key_count; i++) {
        const char *name = vf_keys[i].path;
        if (depth_size > 0) {
            if (strncmp(name, path->key, depth_size) != 0 || name[depth_size] != '.') {
                continue;
            }
            name += depth_size + 1;
        }
        if (vf_keys[i].required && !strchr(name, '.') && !vf_node_member(map, name)) {
            vf_findings_add(findings, map->place, "%s%s%s is missing: %s", path->shown, path->shown[0] ? "." : "", name,
                            vf_keys[i].help);
        }
    }
}

static void check_text(const struct vf_node *node, const struct path *path, int64_t min, struct vf_findings *findings)
{
    if (node->bad) {
        return;
    }
    if (node->kind != VF_NODE_SCALAR) {
        vf_findings_add(findings, node->place, "%s: one value is wanted, not a %s", path->shown,
                        node->kind == VF_NODE_MAP ? "map" : "list");
    } else if (node->text[0] == 0 && (min > 0 || !node->quoted)) {
        bool put_in = strstr(node->source, "${") != NULL; /* say what was empty; the value cannot tell anything */
        vf_findings_add(findings, node->place, "%s is empty%s%s", path->shown, put_in ? ": " : "",
                        put_in ? node->source : "");
    }
}

static void check_children(const struct vf_node *node, const struct vf_key *key, const struct path *path,
                           struct vf_findings *findings)
{
    size_t index = 0;
    for (const struct vf_node *child = node->first; child; child = child->next, index++) {
        struct path below;
        char number[32];
        snprintf(number, sizeof number, "[%zu]", index);
        switch (key->type) {
        case VF_KEY_MAP: break;
        case VF_KEY_NAMES:
            if (join(path, "*", child->key, &below)) {
                check_node(child, &below, findings);
            }
            break;
        case VF_KEY_LIST:
            if (join(path, "[]", number, &below)) {
                check_node(child, &below, findings);
            }
            break;
        default: /* texts and pairs */
            join(path, "", key->type == VF_KEY_PAIRS ? child->key : number, &below);
            check_text(child, &below, key->type == VF_KEY_PAIRS ? 0 : 1, findings);
            break;
        }
    }
}

/* A map or a list where one is wanted; an empty one says nothing, so it is refused. */
static void check_shape(const struct vf_node *node, const struct vf_key *key, const struct path *path,
                        struct vf_findings *findings)
{
    bool list = key->type == VF_KEY_LIST || key->type == VF_KEY_TEXTS;
    if (key->type == VF_KEY_TEXTS && node->kind == VF_NODE_SCALAR) {
        check_text(node, path, 1, findings);
    } else if (node->kind != (list ? VF_NODE_LIST : VF_NODE_MAP)) {
        vf_findings_add(findings, node->place, "%s: a %s is wanted: %s", path->shown[0] ? path->shown : "the file",
                        list ? "list" : "map", key->help);
    } else if (!node->first && key->type != VF_KEY_MAP) {
        vf_findings_add(findings, node->place, "%s is empty: %s", path->shown, key->help);
    } else if (key->type == VF_KEY_MAP) {
        check_map(node, path, findings);
    } else {
        check_children(node, key, path, findings);
    }
}

static void check_node(const struct vf_node *node, const struct path *path, struct vf_findings *findings)
{
    const struct vf_key *key = vf_key_find(path->key);
    struct vf_error error;
    int64_t number;
    if (node->bad && key->type != VF_KEY_UNBUILT) {
        return;
    }
    switch (key->type) {
    case VF_KEY_UNBUILT:
        vf_findings_add(findings, node->key_place, "%s is not built yet%s%s", path->shown, key->help ? ": " : "",
                        key->help ? key->help : "");
        break;
    case VF_KEY_TEXT: check_text(node, path, key->min, findings); break;
    case VF_KEY_INT:
    case VF_KEY_DURATION:
    case VF_KEY_SIZE:
    case VF_KEY_CHOICE:
        if (node->kind != VF_NODE_SCALAR || node->text[0] == 0) {
            check_text(node, path, 1, findings);
        } else if (vf_key_read(key, node->text, node->source, &number, &error) != VF_OK) {
            vf_findings_add(findings, node->place, "%s: %s", path->shown, error.text);
        }
        break;
    default: check_shape(node, key, path, findings); break;
    }
}

void vf_config_check(const struct vf_node *root, struct vf_findings *findings)
{
    struct path path = {.key = "", .shown = ""};
    check_node(root, &path, findings);
}
