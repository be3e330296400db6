/*
 * The source seam over Kafka, on librdkafka 2.0.2 and later.
 *
 * One source is one member of a consumer group with a librdkafka handle of its own; one thread uses it. Errors are
 * values; librdkafka's own log lines are never printed, the latest of them ends up in a message where it explains one.
 */
#ifndef VF_KAFKA_SOURCE_H
#define VF_KAFKA_SOURCE_H

#include "source.h"

extern const struct vf_source_type vf_kafka_source_type;

/* Why the user may not set this librdkafka property (one that viewfold owns), as a phrase that can follow the property's
 * name; NULL where it may be set. Names are librdkafka's, as in kafka.properties. Says nothing about whether librdkafka
 * knows the name. */
const char *vf_kafka_property_refusal(const char *name);

/* Checks one of the user's properties without any server: owned, unknown to this librdkafka, or a value that it does not
 * take. VF_E_CONFIG with the reason. */
VF_MUSTCHECK enum vf_code vf_kafka_property_check(const char *name, const char *value, struct vf_error *error);

/* Checks the text of kafka.brokers without any server: addresses host[:port] or PROTOCOL://host[:port], with commas between
 * them. The user's properties say which protocol it is. VF_E_CONFIG with what is wrong; a password that somebody put there is
 * not shown. */
VF_MUSTCHECK enum vf_code vf_kafka_brokers_check(const char *brokers, const struct vf_source_property *properties,
                                                 size_t count, struct vf_error *error);

/* librdkafka's version as it runs, "2.0.2". */
const char *vf_kafka_library_version(void);

#endif
