"""The guards of what operators do about events that are set aside: engine/run/retrying.c, engine/cli/parked_retry.c."""

from guard import Guard

DROPS = "test_cli_retry :of_two_who_drop_an_event_at_once_one_does"

PARKED = [
    Guard("drop-meant", [("there && same_place(", "(there && first.offset >= 0) || same_place(")], [DROPS]),
    Guard("drop-stands", [("if (!stands_on(retrying, attempt))", "if (!stands_on(retrying, attempt) && false)")], [DROPS]),
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
