/*
 * JSON read by simdjson, behind C. A parser belongs to one thread; a value borrows from its parser until the next
 * parse. Integers are exact: one beyond int64 is a parse error or a VF_JSON_BIG value that no reader takes. The text is
 * checked whole (grammar and UTF-8); a byte order mark in front of it is passed over. Nesting is limited to VF_JSON_DEPTH_MAX.
 */
#ifndef VF_CORE_JSON_H
#define VF_CORE_JSON_H

#include "core/bytes.h"
#include "core/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* BSON in MongoDB nests to 178; what cannot be kept need not be read. */
#define VF_JSON_DEPTH_MAX 128

struct vf_json_parser;

/* One value in a parsed text. Plain data, passed by value. Treat the members as private. */
struct vf_json {
    const void *document;
    size_t index;
};

enum vf_json_type {
    VF_JSON_NULL,
    VF_JSON_BOOL,
    VF_JSON_INT,
    VF_JSON_BIG, /* an integer between 2^63 and 2^64: fits no int64 */
    VF_JSON_DOUBLE,
    VF_JSON_STRING,
    VF_JSON_ARRAY,
    VF_JSON_OBJECT,
};

struct vf_json_iterator {
    const void *document;
    size_t index;
    size_t end;
    bool object;
};

struct vf_json_parser *vf_json_parser_new(void);
void vf_json_parser_free(struct vf_json_parser *parser);

/* Parses one text (copied into the parser's own padded buffer). VF_E_DATA with the reason where it is not JSON. */
VF_MUSTCHECK enum vf_code vf_json_parse(struct vf_json_parser *parser, struct vf_bytes text, struct vf_json *ret_root,
                                        struct vf_error *error);

enum vf_json_type vf_json_type(struct vf_json value);
bool vf_json_bool(struct vf_json value);              /* of a VF_JSON_BOOL */
int64_t vf_json_int(struct vf_json value);            /* of a VF_JSON_INT */
double vf_json_double(struct vf_json value);          /* of a VF_JSON_DOUBLE */
struct vf_bytes vf_json_string(struct vf_json value); /* of a VF_JSON_STRING; borrowed from the parser */

/* Walks an array or object in the text's order: false at the end. `ret_key` may be NULL, and is not set for arrays. */
struct vf_json_iterator vf_json_iterate(struct vf_json value);
bool vf_json_next(struct vf_json_iterator *iterator, struct vf_bytes *ret_key, struct vf_json *ret_value);

/* The member of an object; of repeated keys the last. False when absent or when `value` is no object. */
bool vf_json_member(struct vf_json value, struct vf_bytes key, struct vf_json *ret_member);

/* The members of an object by these names, found in one pass; of repeated keys the last. What is absent, or all of them where
 * `value` is no object, has no document (NULL). `sizes`: bit n is set where some name has n (modulo 64) bytes. */
void vf_json_members(struct vf_json value, const struct vf_bytes *names, size_t count, uint64_t sizes,
                     struct vf_json *ret_members);

/* A JSON pointer (RFC 6901); "" is the value itself. False when nothing is there. */
bool vf_json_at(struct vf_json value, const char *pointer, struct vf_json *ret_value);

#ifdef __cplusplus
}
#endif

#endif
