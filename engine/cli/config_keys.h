/*
 * The keys of viewfold.yaml: one table with name, type, default, range and help. The reader, its messages and (later) the
 * reference page come from it. Constant; any thread.
 *
 * A path is written with dots; `*` stands for a name that the file's author chooses, `[]` for each item of a list.
 */
#ifndef VF_CLI_CONFIG_KEYS_H
#define VF_CLI_CONFIG_KEYS_H

#include "core/bytes.h"
#include "core/error.h"

enum vf_key_type {
    VF_KEY_MAP,      /* of the keys in this table */
    VF_KEY_NAMES,    /* a map of names that the author chooses; each value is path.* */
    VF_KEY_LIST,     /* each item is path.[] */
    VF_KEY_TEXT,     /* not empty, unless `min` is 0 */
    VF_KEY_TEXTS,    /* a list of texts, or one */
    VF_KEY_PAIRS,    /* a map of names to texts */
    VF_KEY_INT,      /* min to max */
    VF_KEY_DURATION, /* milliseconds; written 5ms, 20s, 10m, 2h, 30d */
    VF_KEY_SIZE,     /* bytes; written 512B, 64KiB, 4MiB, 1GiB */
    VF_KEY_CHOICE,   /* one of `choices` */
    VF_KEY_UNBUILT,  /* decided, not built yet: refused by name */
};

struct vf_key {
    const char *path;
    enum vf_key_type type;
    const char *standard; /* the default as it would be written, or NULL: there is none */
    int64_t min;
    int64_t max;
    const char *
        choices; /* "park|stop|!wait": what follows a '!' is decided, but not built yet. Of a duration: the word for 0 */
    bool required;
    const char *help; /* of an unbuilt key: what to do instead, or NULL */
};

extern const struct vf_key vf_keys[];
extern const size_t vf_key_count;

const struct vf_key *vf_key_find(const char *path); /* or NULL */

/* The built key of `path`'s map that is nearest to `name`, or NULL: for "did you mean". */
const char *vf_key_suggest(const char *path, const char *name);

/*
 * A value as it is written, read for a key: integers, durations in ms, sizes in bytes, choices as their index. VF_E_CONFIG
 * says what is wrong with it ("a duration carries its unit: 5ms, 20s, ..."). The message shows `source`, what stands in the
 * file, never what an interpolation put there.
 */
VF_MUSTCHECK enum vf_code vf_key_read(const struct vf_key *key, const char *text, const char *source,
                                      int64_t *ret_number, struct vf_error *error);

/* A size by itself, as command lines take it too. False: it is none. (A duration: core/body.h.) */
bool vf_size_parse(const char *text, int64_t *ret_bytes);

#endif
