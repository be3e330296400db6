"""The guards of what operators do about events that are set aside: engine/run/retrying.c, engine/cli/parked_retry.c; and of what is
parked or missing, in engine/run/aside.c and take_in.c."""

from guard import Guard

DROPS = "test_cli_retry :of_two_who_drop_an_event_at_once_one_does"
OTHERS = "test_cli_lost :what_somebody_else_has_done_is_not_told_as_dropped_when_a_request_was_lost"

PARKED = [
    Guard(
        "filled-noted",
        [("if (!code && vf_cached_drains_early(record) && !record->base_draining)", "if (false)")],
        ["test_parking :a_hole_that_is_filled_is_noted_where_its_batch_is_full"],
    ),
    Guard(
        "aliased-before",
        [("if (!code && aliased)", "if (false)")],
        ["test_parking :what_shares_tables_is_not_kept_as_it_is_by_an_event_that_fails"],
    ),
    Guard(
        "aliased-left",
        [("bool goes_elsewhere = is_left && document->head.changed;", "bool goes_elsewhere = is_left && false;")],
        ["test_joins :what_shares_tables_does_not_take_along_what_has_changed_twice"],
    ),
    Guard(
        "seen-in-turn",
        [("    row->seen = false;\n", "")],
        ["test_parking :what_had_no_place_and_has_one_now_is_the_last_one_seen"],
    ),
    Guard("aside-elsewhere", [("return here || tools->has_aside ||", "return here ||")], ["test_parking :what_is_parked_is_not_passed_by_way_of_another_partition"]),
    Guard("parked-once", [("return row->reading && !row->unreadable &&", "return false && row->reading && !row->unreadable &&")], ["test_parking :a_repeat_of_what_is_parked_is_not_parked"]),
    Guard("sweep-aside", [("if (code || is_waited_in)\n        return code;", "if (code)\n        return code;")], ["test_sweep :a_document_that_is_over_waits_for_what_is_set_aside"]),
    Guard("sweep-own", [("if (projection->routes[i].route == VF_ROUTE_OWN)\n            names", "if (projection->routes[i].route == VF_ROUTE_OWN && false)\n            names")], ["test_sweep :a_document_waits_for_what_is_to_be_its_first"]),
    Guard("sweep-again", [("if (*ret_left > 0)", "if (*ret_left > 0 && false)")], ["test_joins :what_another_has_deleted_is_forgotten_in_time"]),
    Guard("sweep-past", [("worker->sweep_past = past + left;", "worker->sweep_past = 0;")], ["test_sweep :documents_that_wait_do_not_keep_others"]),
    Guard("forget-aside", [("worker->setup.forget_ms > 0 && !worker->has_aside &&", "worker->setup.forget_ms > 0 &&")], ["test_sweep :nothing_is_forgotten_while_something_is_set_aside"]),
    Guard("room-itself", [("if (reading->room_itself)", "if (reading->room_itself && false)")], ["test_room :what_fails_and_finds_no_room_is_not_tried_in_vain"]),
    Guard("room-filled", [("return is_behind_gap(&known, aggregate, vf_early_number(reading->room_place));", "return is_behind_gap(&known, aggregate, vf_early_number(reading->room_place)) || true;")], ["test_room :what_found_no_room_goes_on_when_what_was_missing_has_come"]),
    Guard("room-asked", [("if (which == VF_LIST_EARLY && is_behind_open(record, reading->room_place))", "if (false && is_behind_open(record, reading->room_place))")], ["test_revisions :what_finds_no_room_behind_what_waits_to_be_asked_for_is_not_tried_in_vain"]),
    Guard("room-behind", [("(which == VF_LIST_OWN && is_behind)", "(which == VF_LIST_OWN && (is_behind || true))")], ["test_room :what_found_no_room_goes_on_when_what_failed_before_it_is_taken_in"]),
    Guard("behind-early", [("if (record && vf_cached_is_behind_early(record, &row->event))", "if (record && vf_cached_is_behind_early(record, &row->event) && false)")], ["test_parking :what_waits_comes_first_where_its_gap_is_not_minded_any_more"]),
    Guard("allowed-late", [("return row->envelope->gaps_allowed && has_read;", "return row->envelope->gaps_allowed || (has_read && false);")], ["test_parking :what_waits_comes_first_where_its_gap_is_not_minded_any_more"]),
    Guard("read-all", [(".has_read_all = vf_worker_has_read_all(worker) && !vf_worker_has_stopped(worker),", ".has_read_all = vf_worker_is_at_ends(worker),")], ["test_parking :what_waits_comes_while_others_keep_the_worker_busy"]),
    Guard("gaps-again", [("bool is_looked_at = !worker->drain_due;", "bool is_looked_at = true;")], ["test_parking :who_has_caught_up_leaves_nothing_early_that_is_next"]),
    Guard("given-up-late", [("    if (event->version < next)\n        return VF_DUPLICATE;\n", "    if (order == VF_NEXT)\n        return order;\n")], ["test_parking :what_was_given_up_is_not_taken_in_by_a_rebuild"]),
    Guard("allowed-early", [("bool is_missing = order == VF_GAP && !allowed && !gives_up;", "bool is_missing = order == VF_GAP && !gives_up;")], ["test_parking :what_waits_comes_first_where_its_gap_is_not_minded_any_more"]),
    Guard("drop-meant", [("there && same_place(", "(there && first.offset >= 0) || same_place(")], [DROPS]),
    Guard("drop-stands", [("if (!stands_on(retrying, attempt))", "if (!stands_on(retrying, attempt) && false)")], [DROPS]),
    Guard("drop-decided", [("if (sent->decision.aggregate.size > 0)", "if (sent->decision.aggregate.size > 0 && sent->last.list.size == 0)")], [OTHERS]),
    Guard("drop-own", [("if (a->dropped_ms != b->dropped_ms || !vf", "if (!vf")], [OTHERS]),
    Guard("retry-traces", [("held ? VF_OK : find_traces(", "held || sent.stamp ? VF_OK : find_traces(")], ["test_cli_lost :a_retry_whose_reply_was_lost_is_told_when_a_worker_has_written_since"]),
    Guard("retry-late", [("if (sent.stamp == 0 || (record->exists && record->stamp == sent.base_stamp))", "if (sent.stamp == 0)")], ["test_cli_lost :a_commit_that_lands_after_the_look_is_told"]),
    Guard(
        "retry-fresh",
        [("vf_cache_drop_all(retrying->cache);", ";")],
        ["test_cli_retry :a_retry_beside_live_writes_is_folded_again"],
    ),
    Guard(
        "retry-empty",
        [("if (fold->empty)\n            return meet_conflict(", "if (fold->empty)\n            return end(")],
        ["test_cli_retry :what_others_take_in_at_once_is_gone"],
    ),
    Guard("parked-yes", [("if (code == VF_OK && number > 1) {", "if (code == VF_OK && number > 100) {")], ["test_cli_retry :several_are_dropped_only_with_yes"]),
]
