/* `viewfold config`: the configuration as it takes effect. */
#include "cli/cli.h"
#include "cli/config_show.h"
#include "cli/output.h"
#include "cli/verbs.h"

int vf_verb_config(struct vf_cli *cli)
{
    int status = 0;
    struct vf_config *config = vf_cli_config(cli, &status); /* says what is wrong */
    if (!config) {
        return status;
    }
    struct vf_error error;
    struct vf_bytes text;
    enum vf_code code = vf_config_file_read(config->path, VF_CONFIG_FILE_BYTES_MAX, config->arena, &text, &error);
    if (code != VF_OK) {
        vf_config_free(config);
        return vf_cli_fail(cli, &error);
    }
    struct vf_findings *findings = vf_findings_new(config->path);
    const struct vf_node *root = vf_config_tree_read(config->path, text, config->arena, findings);
    if (root && vf_findings_count(findings) == 0) {
        struct vf_shown *shown = vf_config_show(root, vf_options_has(cli->options, "defaults"), config->arena);
        struct vf_buffer out;
        vf_buffer_init(&out);
        if (cli->json) {
            vf_config_show_json(shown, &out);
            vf_buffer_add_char(&out, '\n');
        } else {
            vf_config_show_yaml(shown, &out);
        }
        fwrite(out.data, 1, out.size, cli->out);
        vf_buffer_done(&out);
    } else {
        vf_fail(&error, VF_E_UNAVAILABLE, "%s changed while it was read; try again", config->path);
        status = vf_cli_fail(cli, &error);
    }
    vf_findings_free(findings);
    vf_config_free(config);
    return status;
}
