#include "store_contract.h"

#include "contract/scene.h"

#include <stdio.h>

int vf_store_contract_run(const char *name, const struct vf_store_contract *contract)
{
    const struct vf_store_type *type = contract->type;
    const struct {
        const char *what;
        int (*run)(const char *group);
        bool built; /* until all connectors have all of the seam */
    } groups[] = {
        {"registry", contract_registry_run, true},
        {"changing", contract_changing_run, true},
        {"round trips", contract_roundtrip_run, true},
        {"conditions", contract_condition_run, true},
        {"commits", contract_commit_run, true},
        {"races", contract_race_run, true},
        {"lost replies", contract_loss_run, true},
        {"husks and records", contract_records_run, type->aside_load != NULL},
        {"set aside", contract_aside_run, type->aside_load != NULL},
        {"what is due", contract_due_run, type->due != NULL},
        {"indexes", contract_find_run, type->find != NULL},
        {"dropping all of it", contract_drop_run, type->find != NULL},
    };
    int failed = 0;
    contract_under_test = contract;
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (!groups[i].built || (contract->parts && (int)i % contract->parts != contract->part - 1))
            continue;
        char group[128];
        snprintf(group, sizeof(group), "%s: %s", name, groups[i].what);
        printf("---- %s\n", group); /* cmocka 1.1.5 does not say the group's name */
        fflush(stdout);
        failed += groups[i].run(group);
    }
    return failed;
}
