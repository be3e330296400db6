#include "sim/sim_wishes.h"

#include <string.h>

struct sim_wishes sim_wishes_read(int count, char **arguments)
{
    struct sim_wishes wishes = {.numbers = SIM_KINDS};
    for (int i = 3; i < count; i++) {
        wishes.verbose |= strcmp(arguments[i], "v") == 0;
        wishes.joins |= strcmp(arguments[i], "joins") == 0;
        wishes.simple |= strcmp(arguments[i], "simple") == 0;
        wishes.drops |= strcmp(arguments[i], "drops") == 0;
        wishes.allow |= strcmp(arguments[i], "allow") == 0;
        for (enum sim_kind kind = 0; kind < SIM_KINDS; kind++)
            if (strcmp(arguments[i], sim_kind_names[kind]) == 0)
                wishes.numbers = kind;
    }
    return wishes;
}
