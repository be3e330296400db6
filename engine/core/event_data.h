/*
 * An event's data, found in its record when somebody asks for it, and taken out of what it is wrapped in: a string that holds
 * JSON, or what Kafka Connect's JSON converter puts around everything. Any thread, each with its own parser.
 */
#ifndef VF_CORE_EVENT_DATA_H
#define VF_CORE_EVENT_DATA_H

#include "core/error.h"
#include "core/event.h"
#include "core/json.h"

/*
 * Parses what an upcast has left of the data, or else the record's value, and finds the data in it. *ret_has is false where there is none; *ret_data borrows from the parser
 * until it parses again. VF_E_DATA where the value, or the string that holds the data, is no JSON; with what it is instead.
 */
VF_MUSTCHECK enum vf_code vf_event_data(const struct vf_event *event, struct vf_json_parser *parser, bool *ret_has,
                                        struct vf_json *ret_data, struct vf_error *error);

/* Of an object that is just {"schema": (null, or an object with a type), "payload": …}, as Kafka Connect's JSON converter
 * writes anything, the payload. False: it is none. */
bool vf_connect_payload(struct vf_json json, struct vf_json *ret_payload);

#endif
