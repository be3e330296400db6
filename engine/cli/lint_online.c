#include "cli/lint.h"
void vf_lint_online(struct vf_lint *lint, const struct vf_config *config, struct vf_projector *const *projectors)
{
    (void)lint;
    (void)config;
    (void)projectors;
}
