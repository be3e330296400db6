/*
 * The program around its verbs: what main.c wires together, and what every verb is handed. One thread.
 */
#ifndef VF_CLI_CLI_H
#define VF_CLI_CLI_H

#include "cli/cluster.h"
#include "cli/config_read.h"
#include "cli/options.h"
#include "clock.h"
#include "projector.h"
#include "rehearsal.h"
#include "run/config.h"
#include "source.h"
#include "store.h"

#include <stdio.h>

/* Everything that implements a seam, as main.c lists it. */
struct vf_registry {
    const struct vf_source_type *source;
    const struct vf_store_type *const *stores; /* ended by NULL; a store's key in viewfold.yaml is its type's name */
    const struct vf_projector_type *projector;
    const struct vf_cluster_type *cluster;
    const struct vf_rehearsal_type *rehearsal;
    struct vf_config_rules rules;        /* what the connectors know about their keys */
    const char *(*source_library)(void); /* librdkafka's version, "2.0.2", or NULL */
    const struct vf_clock *clock;
};

struct vf_cli {
    const struct vf_registry *registry;
    const struct vf_options *options;
    FILE *out; /* data */
    FILE *err; /* all else */
    bool json;
    bool color; /* of what goes to `out` */
    bool quiet;
    bool verbose;
    bool terminal;  /* whether `out` is one */
    bool logs;      /* a verb that runs unattended: where its log is JSON, so are its errors */
    bool logs_json; /* set by vf_cli_log and vf_cli_config */
};

/* The whole program: reads the command line, runs the verb, answers the exit status. Prints errors, once. */
int vf_cli_main(int argc, char *const *argv, const struct vf_registry *registry, FILE *out, FILE *err);

/* For a verb that runs unattended: says so, and sets up the log by the command line until the configuration is read. */
void vf_cli_log(struct vf_cli *cli);

/* The configuration that the command line names, or the default one; sets up the log by it. Prints what is wrong.
 * Answers NULL with *ret_status set to the exit status. */
struct vf_config *vf_cli_config(struct vf_cli *cli, int *ret_status);

/* The path of that configuration; NULL with *error: there is none. */
const char *vf_cli_config_path(const struct vf_cli *cli, struct vf_error *error);

/* Prints "viewfold: text" (a line of the log instead, where that is JSON) and answers the code's exit status. */
int vf_cli_fail(struct vf_cli *cli, const struct vf_error *error);

/* A note on stderr, unless -q. */
void vf_cli_note(struct vf_cli *cli, const char *format, ...) VF_PRINTF(2, 3);

/* The store type of that name, or NULL. */
const struct vf_store_type *vf_cli_store_type(const struct vf_cli *cli, const char *name);

/* Opens a configured store. */
VF_MUSTCHECK enum vf_code vf_cli_open_store(const struct vf_cli *cli, const struct vf_store_entry *entry,
                                            const struct vf_store_type **ret_type, struct vf_store **ret_store,
                                            struct vf_error *error);

#endif
