/*
 * A document's body: BSON in memory, JSON where people and Redis read it.
 *
 * Types and their ways: int64, double, string (UTF-8), bool, null, array, object, date (top level only; JSON: RFC 3339 in
 * UTC with milliseconds). Canonical JSON: keys sorted bytewise at every level, no spaces, a double always shows '.' or 'e'
 * and reads back to the same bits, no NaN or infinity. Functions are pure; any thread with its own parser.
 */
#ifndef VF_CORE_BODY_H
#define VF_CORE_BODY_H

#include "core/arena.h"
#include "core/bytes.h"
#include "core/error.h"
#include "core/json.h"

#include <bson/bson.h>

/* Appends a BSON document as canonical JSON. VF_E_DATA for a type outside the list above, for a date below the top level and
 * for damaged BSON, with the path; `out` is then as it was before. */
VF_MUSTCHECK enum vf_code vf_body_print(struct vf_buffer *out, struct vf_bytes bson, struct vf_error *error);

/* Appends one BSON value, a top-level field's, as canonical JSON; a string is quoted, a date is quoted RFC 3339. Fails as
 * vf_body_print. */
VF_MUSTCHECK enum vf_code vf_body_print_value(struct vf_buffer *out, const bson_iter_t *value, struct vf_error *error);

/* Appends a JSON string, quoted and escaped (control characters, quote, backslash; other UTF-8 as it is). */
void vf_json_print_string(struct vf_buffer *out, struct vf_bytes text);

/* Appends a double so that it reads back exactly and shows '.' or 'e' (1.0, 1e300). The number must be finite. */
void vf_json_print_double(struct vf_buffer *out, double number);

/* Appends a parsed JSON value to `bson` under `key`: integers as int64, the rest as listed above; of repeated keys the
 * last counts, in the last one's place; keys keep the text's order. VF_E_DATA for an integer beyond 64 bits or a key holding
 * NUL: `bson` is then well formed, but holds only a part of the value. */
VF_MUSTCHECK enum vf_code vf_body_append_json(bson_t *bson, struct vf_bytes key, struct vf_json value,
                                              struct vf_error *error);

/* The years 0000 to 9999 in Unix milliseconds: what RFC 3339 can write. */
#define VF_TIME_MS_MIN (-INT64_C(62167219200000))
#define VF_TIME_MS_MAX INT64_C(253402300799999)

/* RFC 3339 in UTC with milliseconds, 24 characters and NUL: 2026-03-01T10:00:00.000Z. Years 0000 to 9999 (clamped). */
#define VF_TIME_TEXT_BYTES 25
void vf_time_print(char text[VF_TIME_TEXT_BYTES], int64_t unix_ms);

/* Reads RFC 3339 (any offset, any number of fractional digits, cut to milliseconds). False where it is not one. */
bool vf_time_parse(struct vf_bytes text, int64_t *ret_unix_ms);

/* Reads a duration: a whole number with its unit, 5ms, 20s, 10m, 2h, 30d. False where it is none, or is too long. */
bool vf_duration_parse(const char *text, int64_t *ret_ms);

/* Reads a time as HTTP's headers have it, in whole seconds: "Sun, 01 Mar 2026 10:00:00 GMT", as java.time's RFC_1123_DATE_TIME
 * writes and reads it (a day of one digit, +hhmm for GMT). False where it is not one. */
bool vf_time_parse_rfc1123(struct vf_bytes text, int64_t *ret_unix_ms);

#endif
