"""The guards of `rebuilding`: a view that its store has lost, until it has come as far again (guards.py has the others)."""

from guard import Guard, mongodb


def rewinds(name):
    return f"test_rewinds :{name}"


REBUILDING = [
    Guard(
        "had-kept",
        [("found->had = from > reading->stored.had ? from : reading->stored.had;", "found->had = from > 0 ? from : 0;")],
        [rewinds("what_was_lost_is_known_until_the_store_holds_it")],
    ),
    Guard("had-end", [("if (stored->had > end)", "if (end < 0)")], [rewinds("no_more_is_rebuilt_than_the_log_has")]),
    Guard(
        "had-over",
        [("if (reading->folded.next >= reading->folded.had || reading->folded_end)", "if (reading->folded.next >= reading->folded.had)")],
        [rewinds("at_the_logs_end_a_view_is_rebuilt")],
    ),
    Guard(
        "had-dropped",
        [("if (!worker->generation.follows_drop) {", "if (worker) {")],
        [rewinds("a_view_that_was_dropped_on_purpose_is_not_rebuilt")],
    ),
    Guard(
        "had-renewed",
        [("reading->committed_known &= !reading->stored.exists;", "")],
        [rewinds("a_view_that_others_have_registered_anew_was_lost_all_the_same")],
    ),
    Guard(
        "had-found",
        [("unknown.had = reading->stored.exists ? 0 : reading->stored.had;", "")],
        [rewinds("what_was_found_lost_stays_so_when_others_have_registered_the_view_anew")],
    ),
    Guard(
        "had-after-drop",
        [("!found->exists && !worker->emptied_said;", "!found->exists;")],
        [rewinds("a_view_that_followed_a_drop_is_rebuilt")],
    ),
    Guard("fresh-rebuilding", [("say_rebuilding(look, rebuilding, ret_freshness, ret_why);", "(void)rebuilding;")], ["test_cli_get :what_is_being_rebuilt_says_so"]),
    Guard("set-back-said", [("    if (set_back)\n", "    if (false && set_back)\n")], [rewinds("an_adoption_that_was_lost_with_the_tail_is_told")]),
    Guard("fresh-stopped", [("    if (stopped_row) {\n", "    if (false) {\n")], ["test_cli_get :a_stopped_partition_ends_the_wait_with_why"]),
    Guard("status-rebuilding", [("if (row->rebuilding.partitions > 0) {", "if (false) {")], ["test_cli_status :what_is_being_rebuilt_says_how_far_it_is"]),
    Guard("mongodb-progress-had", [('append_same_had(&all, "7", from);', "(void)append_same_had;")], [mongodb("progress_that_*")]),
]
