/* The addresses of kafka.brokers, read as librdkafka reads them, which leaves out what it cannot read and says so only in its
 * log: workers would then wait for brokers that nobody looks for. */
#include "connectors/kafka/kafka_source.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define WANTED "host:port is wanted, as in kafka-1:9092"

#define SHOWN_BYTES_MAX 80
#define SHOWN(entry)    (int)((entry).size < SHOWN_BYTES_MAX ? (entry).size : SHOWN_BYTES_MAX), (entry).data

static enum vf_code no_address(struct vf_bytes entry, struct vf_error *error)
{
    return vf_fail(error, VF_E_CONFIG,
                   "kafka.brokers: %.*s is no address of a broker: " WANTED ", with commas between several",
                   SHOWN(entry));
}

/* "SSL://": librdkafka leaves out a broker of another protocol than the property's. */
static enum vf_code check_protocol(struct vf_bytes entry, size_t size, const char *security, struct vf_error *error)
{
    static const char *const known[] = {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strlen(known[i]) != size || strncasecmp(known[i], entry.data, size) != 0)
            continue;
        if (strcasecmp(known[i], security) == 0)
            return VF_OK;
        return vf_fail(error, VF_E_CONFIG,
                       "kafka.brokers: %.*s is for %s, and security.protocol under kafka.properties is not: leave out "
                       "the %s:// here, or let them agree",
                       SHOWN(entry), known[i], known[i]);
    }
    return no_address(entry, error);
}

static enum vf_code check_port(struct vf_bytes entry, struct vf_bytes port, struct vf_error *error)
{
    int number = 0;
    for (size_t i = 0; i < port.size; i++) {
        bool digit = isdigit((unsigned char)port.data[i]);
        number = digit && number < 100000 ? number * 10 + (port.data[i] - '0') : 100000;
    }
    if (number >= 1 && number <= 65535)
        return VF_OK;
    return vf_fail(error, VF_E_CONFIG, "kafka.brokers: %.*s: a port is a number from 1 to 65535", SHOWN(entry));
}

/* All of `host` is made of letters, digits and `more`. */
static bool is_host(struct vf_bytes host, const char *more)
{
    for (size_t i = 0; i < host.size; i++)
        if (!isalnum((unsigned char)host.data[i]) && (!host.data[i] || !strchr(more, host.data[i])))
            return false;
    return host.size > 0;
}

static enum vf_code check_address(struct vf_bytes entry, const char *at, struct vf_error *error)
{
    const char *end = entry.data + entry.size;
    bool bracket = at < end && *at == '[';
    const char *host = bracket ? at + 1 : at;
    const char *host_end = host;
    while (host_end < end && *host_end != (bracket ? ']' : ':'))
        host_end++;
    const char *rest = bracket && host_end < end ? host_end + 1 : host_end;
    struct vf_bytes name = vf_bytes(host, (size_t)(host_end - host));
    bool fine = is_host(name, bracket ? ":.%-_" : ".-_") && (!bracket || host_end < end);
    if (fine && !bracket && rest < end && memchr(rest + 1, ':', (size_t)(end - rest - 1)))
        return vf_fail(error, VF_E_CONFIG,
                       "kafka.brokers: %.*s: an IPv6 address stands in brackets, as in [2001:db8::1]:9092",
                       SHOWN(entry));
    if (!fine || (rest < end && *rest != ':'))
        return no_address(entry, error);
    return rest < end ? check_port(entry, vf_bytes(rest + 1, (size_t)(end - rest - 1)), error) : VF_OK;
}

static enum vf_code check_entry(const char *text, size_t size, const char *security, struct vf_error *error)
{
    struct vf_bytes entry = vf_bytes(text, size);
    const char *at = text;
    if (memchr(text, '@', size))
        return vf_fail(error, VF_E_CONFIG,
                       "kafka.brokers: an address holds an '@': a login is sasl.username and sasl.password under "
                       "kafka.properties");
    for (const char *slashes = text; slashes + 3 <= text + size; slashes++) {
        if (strncmp(slashes, "://", 3) != 0)
            continue;
        enum vf_code code = check_protocol(entry, (size_t)(slashes - text), security, error);
        if (code != VF_OK)
            return code;
        at = slashes + 3;
        break;
    }
    return check_address(entry, at, error);
}

enum vf_code vf_kafka_brokers_check(const char *brokers, const struct vf_source_property *properties, size_t count,
                                    struct vf_error *error)
{
    const char *security = "plaintext"; /* librdkafka's default */
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        if (properties[i].value && strcmp(properties[i].name, "security.protocol") == 0)
            security = properties[i].value;
    for (const char *at = brokers; *at;) {
        size_t size = strcspn(at, ",");
        if (*at == ',' || *at == ' ') { /* librdkafka goes over these, too */
            at++;
            continue;
        }
        enum vf_code code = check_entry(at, size, security, error);
        if (code != VF_OK)
            return code;
        found++;
        at += size;
    }
    return found > 0 ? VF_OK : vf_fail(error, VF_E_CONFIG, "kafka.brokers: no address of a broker: " WANTED);
}
