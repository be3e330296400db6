/* `viewfold run`: what the command line says, handed to the supervisor. */
#include "cli/cli.h"
#include "cli/verbs.h"
#include "cli/views.h"
#include "run/supervisor.h"

int vf_verb_run(struct vf_cli *cli)
{
    const struct vf_registry *registry = cli->registry;
    struct vf_views *views = NULL;
    struct vf_error error;
    int status = 0;
    vf_cli_log(cli);
    struct vf_config *config = vf_cli_config(cli, &status);
    if (!config) {
        return status;
    }
    /* Two entries that would share a consumer group or a view are found before any worker starts. */
    enum vf_code code = vf_views_open(cli, config, &views, &error);
    if (code == VF_OK) {
        struct vf_supervisor_setup setup = {
            .config = config,
            .clock = registry->clock,
            .source_type = registry->source,
            .projector_type = registry->projector,
            .store_types = registry->stores,
            .projections = vf_options_arguments(cli->options),
            .projection_count = vf_options_argument_count(cli->options),
            .workers = (int32_t)vf_options_number(cli->options, "workers", 0),
            .once = vf_options_has(cli->options, "once"),
            .drain_ms = vf_options_number(cli->options, "drain", -1),
        };
        code = vf_supervisor_run(&setup, &status, &error);
    }
    if (code != VF_OK) {
        status = vf_cli_fail(cli, &error);
    }
    vf_views_free(views);
    vf_config_free(config);
    return status;
}
