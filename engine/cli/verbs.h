/*
 * The verbs, one file each (get.c, run.c, ...). Each answers the exit status and has printed its errors.
 */
#ifndef VF_CLI_VERBS_H
#define VF_CLI_VERBS_H

struct vf_cli;

int vf_verb_run(struct vf_cli *cli);
int vf_verb_config(struct vf_cli *cli);
int vf_verb_generations(struct vf_cli *cli);
int vf_verb_find(struct vf_cli *cli);
int vf_verb_get(struct vf_cli *cli);
int vf_verb_lint(struct vf_cli *cli);
int vf_verb_parked(struct vf_cli *cli);
int vf_verb_status(struct vf_cli *cli);
int vf_verb_test(struct vf_cli *cli);
int vf_verb_version(struct vf_cli *cli);

#endif
