/*
 * Which test files a command line means: the files themselves, scripts, folders with all that is in them, or, where nothing
 * is said, those beside viewfold.yaml's projections. Nothing of the configuration but its scripts is read, so no variable
 * that it takes from outside need be set.
 */
#ifndef VF_CLI_TEST_FIND_H
#define VF_CLI_TEST_FIND_H

#include "cli/cli.h"

struct vf_test_paths {
    char **tests;   /* "projections/customer_orders.test.yaml" */
    char **scripts; /* scripts[i] is the one that tests[i] is of */
    size_t count;
};

/* Prints what is wrong with a path and goes on: *ret_status is then the exit status, 0 otherwise. */
void vf_test_find(struct vf_cli *cli, struct vf_test_paths *ret_paths, int *ret_status);
void vf_test_paths_done(struct vf_test_paths *paths);

#endif
