#include "connectors/mongodb/mongodb_store.h"

#include "connectors/mongodb/mongodb_internal.h"

const struct vf_store_type vf_mongodb_store_type = {
    .name = "mongodb",
    .touches = true,
    .check_url = vf_mongodb_check_url,
    .open = vf_mongodb_open,
    .close = vf_mongodb_close,
    .prepare = vf_mongodb_prepare,
    .generation = vf_mongodb_generation,
    .generation_stamp = vf_mongodb_generation_stamp,
    .generations = vf_mongodb_generations,
    .adopt = vf_mongodb_adopt,
    .drop_begin = vf_mongodb_drop_begin,
    .drop_more = vf_mongodb_drop_more,
    .state = vf_mongodb_state,
    .load = vf_mongodb_load,
    .progress = vf_mongodb_progress,
    .commit_send = vf_mongodb_commit_send,
    .commit_wait = vf_mongodb_commit_wait,
    .note_stopped = vf_mongodb_note_stopped,
    .freeze = vf_mongodb_freeze,
    .make_indexes = vf_mongodb_make_indexes,
    .aside_load = vf_mongodb_aside_load,
    .aside_total = vf_mongodb_aside_total,
    .aside_at = vf_mongodb_aside_at,
    .draining = vf_mongodb_draining,
    .due = vf_mongodb_due,
    .find = vf_mongodb_find_by_index,
    .check_rights = vf_mongodb_check_rights,
};
