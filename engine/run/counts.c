#include "run/counts.h"

void vf_counts_add(struct vf_counts *sum, const struct vf_counts *more)
{
#define VF_COUNT_ADD(name) sum->name += more->name;
    VF_COUNTS(VF_COUNT_ADD)
#undef VF_COUNT_ADD
}
