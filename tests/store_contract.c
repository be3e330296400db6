#include "store_contract.h"

#include "contract/scene.h"

#include <stdio.h>

int vf_store_contract_run(const char *name, const struct vf_store_contract *contract)
{
    static const struct {
        const char *what;
        int (*run)(const char *group);
    } groups[] = {
        {"registry", contract_registry_run},     {"changing", contract_changing_run},
        {"round trips", contract_roundtrip_run}, {"conditions", contract_condition_run},
        {"commits", contract_commit_run},        {"races", contract_race_run},
        {"lost replies", contract_loss_run},     {"husks and records", contract_records_run},
        {"set aside", contract_aside_run},       {"what is due", contract_due_run},
        {"indexes", contract_find_run},          {"states and drops", contract_parking_run},
    };
    int failed = 0;
    contract_under_test = contract;
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (contract->parts && (int)i % contract->parts != contract->part - 1)
            continue;
        char group[128];
        snprintf(group, sizeof(group), "%s: %s", name, groups[i].what);
        printf("---- %s\n", group); /* cmocka 1.1.5 does not say the group's name */
        fflush(stdout);
        failed += groups[i].run(group);
    }
    return failed;
}
