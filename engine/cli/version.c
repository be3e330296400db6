/* `viewfold version`. */
#include "cli/cli.h"
#include "cli/verbs.h"

int vf_verb_version(struct vf_cli *cli)
{
    const char *library = cli->registry->source_library ? cli->registry->source_library() : "";
    if (cli->json) {
        fprintf(cli->out, "{\"format\":%d,\"librdkafka\":\"%s\",\"version\":\"%s\"}\n", VF_FORMAT, library,
                VIEWFOLD_VERSION);
    } else {
        fprintf(cli->out, "viewfold %s\n", VIEWFOLD_VERSION);
        vf_cli_note(cli, "store format %d, librdkafka %s", VF_FORMAT, library);
    }
    return 0;
}
