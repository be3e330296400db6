"""The guards of joins, moves, deletes and expiry: engine/run/linking.c, take_in.c, apart.c, upkeep.c (guards.py has the others)."""

from guard import Guard

JOINS = "test_property 60 1 joins"
PARKING = "test_property 200 1 joins"

JOINING = [
    Guard("behind-held", [("if (!row->in_turn && is_behind(record, is_linking))", "if (false && is_behind(record, is_linking))")], [JOINS]),
    Guard("seen", [("vf_cached_set_seen(run->tools->cache, record, &row->event, record->has_seen ? &seen : &row->last);", "record->has_seen = true;\n    (void)seen;\n    (void)run;")], [JOINS]),
    Guard("ignored-version", [("vf_cached_mark_changed(record);\n        vf_cached_set_record_version(run->tools->cache, record, event, &row->last);", ";")], [JOINS]),
    Guard(
        "followed-once",
        [("if (record->has_link && vf_bytes_equal(record->link_via, row->routed.through)) {", "if (false) {")],
        [JOINS],
    ),
    Guard("awaited-consulted", [("awaited->head.relied_on = true;", ";")], ["test_joins :a_link_is_followed_to_where_it_is_now"]),
    Guard("move", [("if (record->has_link && !same && !record->link_is_none) {", "if (false) {")], [JOINS]),
    Guard("left-at-once", [("if (!add->left)", "if (true)")], [JOINS]),
    Guard("expire", [("if (document->presence == VF_PRESENT && document->has_expires && row->event.time_ms > document->expires_ms)", "if (row->event.time_ms < 0)")], [JOINS]),
    Guard("expiry-newest", [("if (!document->has_expires || expires_ms > document->expires_ms)", "")], [JOINS]),
    Guard("from-scratch", [("left->presence == VF_PRESENT ? left : NULL", "left")], ["test_joins :a_document_that_is_gone_keeps_nothing_of_what_leaves_it"]),
    Guard("deleted", [("if (is_gone && !vf_bytes_equal(document->deleted_by, row->event.aggregate)) {", "if (is_gone && false) {")], [JOINS]),
    Guard("left-entered", [("enter(run, row, left);", ";")], [JOINS]),
    Guard("drain-on", [("static bool drain(struct vf_worker *worker)\n{", "static bool drain(struct vf_worker *worker)\n{\n    if (worker)\n        return true;")], [JOINS]),
    Guard("tokens-again", [("    if (get->tokens_checked) {\n        return VF_OK;\n    }\n", "    if (get->tokens_checked) {\n        return VF_OK;\n    }\n    get->tokens_checked = true;\n")], ["test_cli_get :a_token_that_never_comes_is_not_waited_for_where_the_store_was_away"]),
    Guard("fresh-held", [("if (!record->exists ||", "if (true || !record->exists ||")], ["test_cli_get :a_token_for_what_is_held_is_not_fresh"]),
    Guard("fresh-aside", [("if (code || !there)", "if (true)")], ["test_cli_get :a_token_for_what_is_held_is_not_fresh"]),
    Guard(
        "fresh-order",
        [
            ("    if (code == VF_OK) {\n        code = load_asides(&look, error);\n    }\n", ""),
            (
                "    for (size_t i = 0; i < look.token_count; i++) {\n        const char *why = NULL;",
                "    code = load_asides(&look, error);\n    for (size_t i = 0; i < look.token_count; i++) {\n        const char *why = NULL;",
            ),
        ],
        ["test_cli_get :what_is_taken_in_while_it_is_asked_for_is_not_fresh_yet"],
    ),
    Guard("get-expired", [("(!document->has_expires ||", "(true || !document->has_expires ||")], ["test_cli_get :what_has_expired_is_not_there"]),
    Guard("find-visible", [("if (!vf_document_is_visible(&find->opened, document)) {", "if (false) {")], ["test_cli_find :what_a_page_has_found_is_looked_at_again"]),
    Guard(
        "drain-before",
        [("fold->drained_before_failed > 0", "false")],
        ["test_joins :what_waits_and_cannot_be_taken_in_stops_no_partition"],
    ),
    Guard("largest", [("run->touched_bytes - run->largest_bytes >", "run->touched_bytes >")], ["test_written :events_of_a_document_larger_than_a_batch_are_one_write"]),
    Guard("drain-rest", [("if (count > LISTS_MAX && worker->counts.batches > batches)", "if (count > LISTS_MAX && worker->counts.batches > batches && false)")], ["test_joins :who_has_caught_up_has_taken_in_all_lists"]),
    Guard(
        "drain-stale",
        [("run.trouble = VF_TROUBLE_STALE;", ";")],
        ["test_parking :who_has_caught_up_leaves_nothing_early_that_is_next"],
    ),
    Guard("sweep-stale", [("run->trouble = VF_TROUBLE_STALE;", ";")], ["test_joins :what_another_has_deleted_is_forgotten_in_time"]),
    Guard("find-once", [("if (is_printed(find, ids[i]) ||", "if ((is_printed(find, ids[i]) && !find->cli) ||")], ["test_cli_find :what_moves_along_an_index_is_not_printed_twice"]),
    Guard(
        "link-behind-drain",
        [("if (is_linking && vf_cached_drains_waiters(record))", "if (false)")],
        ["test_property 400 1 joins"],
    ),
    Guard("progress-stamp", [("if (a->stamp != b->stamp)", "if (false)")], ["test_memory_contract"]),
    Guard("once-gaps", [("vf_worker_is_at_ends(worker) && !vf_worker_owes_look(worker)", "vf_worker_is_at_ends(worker)")], ["test_parking :who_has_caught_up_leaves_nothing_early_that_is_next"]),
    Guard("link-sought", [("(was_parked || run.drops_first) && record->by_link", "!record->exists && record->by_link")], ["test_parking :a_link_far_behind_what_was_left_out_is_found"]),
    Guard("dropped-unfit", [("    if (row->dropped) {\n        run->fold->counts.not_for_view++;", "    if (row->dropped && false) {\n        run->fold->counts.not_for_view++;")], ["test_parking :what_has_no_place_stays_out_when_the_view_is_built_anew"]),
    Guard("dropped-copy", [("row->dropped |= vf_drops_has_copy(drops, &row->event);", "(void)vf_drops_has_copy;")], ["test_parking :a_copy_of_what_was_left_out_stays_out_when_the_view_is_built_anew", "test_property 300 1 drops"]),
    Guard("dropped-twice", [("->identity == identity)", "->identity == identity && false)")], ["test_parking :a_copy_behind_what_is_dropped_is_dropped_with_it"]),
    Guard("drain-known", [("if (is_draining && outcome == VF_FOLDED && fold->empty)", "if (false && is_draining)")], ["test_parking :what_a_retry_has_left_is_taken_in_by_who_remembers_it_parked"]),
    Guard("sought-placed", [("if (!has_place(run, &row, page->record))\n            continue;", "(void)has_place;")], ["test_parking :a_link_without_a_place_is_not_brought_forward"]),
    Guard("early-link", [("row->in_turn = page->list != VF_LIST_EARLY || !vf_cached_waits(record);", "row->in_turn = true;")], ["test_parking :a_link_among_what_came_early_is_followed", PARKING]),
    Guard("drained-repeat", [("*ret_taken = !code &&", "*ret_taken = false && !code &&")], ["test_joins :a_repeat_of_what_came_early_is_a_duplicate_while_that_is_drained"]),
    Guard("overtaken", [("    return vf_version_fail(&row->event, &row->last, order, error);", "    *ret_done = true;\n    return VF_OK;")], ["test_cli_retry :what_comes_too_late_is_left_to_its_operator"]),
    Guard("drops-read", [("code = vf_drops_load(worker->drops, worker->setup.store_type, worker->store, vf_worker_view(worker), error);", "")], ["test_parking :what_was_left_out_stays_out_when_the_view_is_built_anew"]),
    Guard("dropped-record", [("found->timestamp_ms == record->timestamp_ms &&", "true &&")], ["test_parking :only_what_was_left_out_is"]),
    Guard("redis-drops-stay", [("if (rest && vf_bytes_equal(key, store->keys.drops))", "if (false)")], ["test_redis_contract"]),
    Guard("mongodb-drops-stay", [("names.aside};\n\n        for (i = 0; i < 3 &&", "names.aside, names.drops};\n\n        for (i = 0; i < 4 &&")], ["test_mongodb_contract"]),
    Guard("early-repeat", [("if (there) {", "if (false) {")], [PARKING]),
    Guard("parked-in-order", [("if (vf_cached_waits(record) && !row->in_turn && !row->overtakes)", "if (false)")], [PARKING]),
    Guard("undo", [("vf_fold_undo(run);\n    enum vf_code code", "enum vf_code code")], [PARKING]),
    Guard("parked-waits", [("vf_cached_has_own(aggregate) && !aggregate->parked &&", "vf_cached_has_own(aggregate) &&")], [PARKING]),
    Guard("behind-parked", [("if (record && !row->in_turn && vf_cached_waits(record))", "if (false)")], [PARKING]),
    Guard("aside-looked-for", [("bool here = !row->reading || row->reading->folded.aside > 0;", "bool here = !row->reading;")], [PARKING]),
    Guard("fresh-before-park", [("if (failures > retries) {\n        vf_suspects_condemn", "if (failures > retries || failures > 0) {\n        vf_suspects_condemn")], ["test_parking :an_event_is_tried_as_often_as_errors_says_before_it_is_parked"]),
    Guard("sweep-behind", [("if (!reached)", "if (false)")], [JOINS]),
]
