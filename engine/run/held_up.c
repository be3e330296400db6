/* What a worker says when conflict follows conflict and nobody has changed anything (worker_state.h). */
#include "run/worker_state.h"

void vf_worker_say_held_up(struct vf_worker *worker)
{
    const struct vf_store_type *type = worker->setup.store_type;
    const char *what = NULL;
    struct vf_error error;
    if (!type->held_up || worker->held_up_said)
        return;
    vf_arena_reset(worker->scratch);
    /* Whatever is wrong with the store, its next call says so. */
    if (type->held_up(worker->store, worker->scratch, &what, &error) || !what)
        return;
    worker->held_up_said = true;
    vf_worker_say(worker, VF_LOG_WARN, NULL, NULL, what);
}
