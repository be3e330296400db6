"""The guards of generations that change: adopted, dropped, and read again by their workers (guards.py has the others)."""

from guard import CONTRACT, Guard, mongodb, redis, scenario

FORMER = "commits_that_go_by_the_former_entry_are_superseded"
OLDER = "an_adoption_that_goes_by_an_older_entry_changes_nothing"
ANEW = "what_was_dropped_is_made_anew_by_a_new_start_only"
TAKEN_OVER = "a_removal_that_was_taken_over_removes_nothing_any_more"
ZOMBIE = "who_had_written_it_writes_nothing_any_more"

CHANGING = [
    Guard(
        "memory-superseded",
        [("generation->entry.stamp != stamp)", "(generation->entry.stamp != stamp && false))")],
        [CONTRACT],
    ),
    Guard("memory-drop-stays", [("(dropped && !proposed->again)", "dropped")], [CONTRACT]),
    Guard(
        "memory-adopt-once",
        [("if (generation->entry.stamp != base_stamp ||", "if ((generation->entry.stamp != base_stamp && false) ||")],
        [CONTRACT],
    ),
    Guard(
        "memory-drop-own",
        [
            (
                "if (!generation || !is_in(generation, VF_GENERATION_DROPPING))",
                "if (!generation && !(generation = vf_memory_data_generation(data, view, false)))",
            )
        ],
        [CONTRACT],
    ),
    Guard("redis-superseded", [("if values[2] ~= plan.entry then", "if false then")], [redis(FORMER)]),
    Guard("redis-drop-stays", [("and args[6] ~= ''", "")], [redis(ANEW)]),
    Guard(
        "redis-adopt-once",
        [
            (
                "if not entry_of(keys[1], args[1], args[2], 'active') then",
                "if not entry_of(keys[1], args[1], args[2], 'active') and false then",
            )
        ],
        [redis("of_two_adoptions_at_once_one_wins")],
    ),
    Guard(
        "redis-adopt-fences",
        [("  call('HSET', keys[3], 'generation', args[3])\n  return { 'ok' }", "  return { 'ok' }")],
        [redis(FORMER)],
    ),
    Guard("redis-drop-own", [("if not entry then", "if not entry and false then")], [redis(TAKEN_OVER)]),
    Guard(
        "redis-drop-ours",
        [("ours = told and id == string.sub(keys[i], head + 1)", "ours = true")],
        ["test_redis_store :what_only_begins_like_a_document_is_not_dropped"],
    ),
    Guard("redis-note", [("if call('HGET', keys[1], 'generation') ~= args[1] then", "if false then")], [redis(ZOMBIE)]),
    Guard(
        "redis-scan-escape",
        [("if (strchr(", "if (false && strchr(")],
        ["test_redis_store :a_prefix_of_patterns_is_taken_as_it_is"],
    ),
    Guard(
        "mongodb-superseded",
        [("append_same_stamp(&all, \"5\", \"$generation\", generation_stamp);", "if (false)\n            append_same_stamp(&all, \"5\", \"$generation\", generation_stamp);")],
        [mongodb(FORMER)],
    ),
    Guard(
        "mongodb-superseded-entry",
        [('vf_mongodb_append_stamp(&query, "stamp", commit->generation_stamp);', "(void)commit;")],
        [mongodb(FORMER)],
    ),
    Guard("mongodb-drop-stays", [("if (proposed->again || !dropped)", "if (!dropped)")], [mongodb(ANEW)]),
    Guard(
        "mongodb-change-once",
        [('vf_mongodb_append_stamp(&query, "stamp", transaction->commit->generation_stamp);', "")],
        [mongodb(TAKEN_OVER)],
    ),
    Guard(
        "mongodb-adopt-fences",
        [("if (!restamp_progress(transaction, adoption->next_stamp))", "if (false)")],
        [mongodb(FORMER)],
    ),
    Guard(
        "mongodb-drop-own",
        [("if (!entry_end(&command, &statement))", "if (!entry_end(&command, &statement) && false)")],
        [mongodb(TAKEN_OVER)],
    ),
    Guard("mongodb-note", [("if (!vf_mongodb_touch_entry(transaction))", "if (false)")], [mongodb(ZOMBIE)]),
    Guard(
        "look-entry",
        [("if (!vf_worker_is_current(worker))", "if (false)")],
        [scenario("a_stopped_partition_is_tried_again_with_the_script_that_was_adopted")],
    ),
    Guard(
        "renewed-stops",
        [("reading->state = VF_READING;", "(void)reading;")],
        [scenario("a_stopped_partition_is_tried_again_with_the_script_that_was_adopted")],
    ),
    Guard(
        "begun-after-drop",
        [("*ret_dropped = there &&", "*ret_dropped = there && false &&")],
        [scenario("a_dropped_generation_is_made_again_only_by_a_new_start")],
    ),
    Guard(
        "dropping",
        [("if (strcmp(registered->state, VF_GENERATION_ACTIVE) != 0)", "if (false)")],
        [scenario("nothing_is_built_on_what_is_being_dropped")],
    ),
    Guard(
        "adopt-version",
        [("if (had->version != has->version)", "if (false)")],
        ["test_cli_generations"],
    ),
    Guard("adopt-versions", [("if (had->versions != has->versions) {", "if (false) {")], ["test_cli_generations"]),
    Guard("adopt-route", [("if (route->route != next->route)", "if (false)")], ["test_cli_generations"]),
    Guard("adopt-links", [("if (route->route == VF_ROUTE_LINK && !same_links(route, next))", "if (false && !same_links(route, next))")], ["test_run_adoption"]),
    Guard("adopt-index", [("        if (!index)\n            return vf_fail(", "        if (!index)\n            continue;\n        if (false)\n            return vf_fail(")], ["test_run_adoption"]),
    Guard("adopt-ttl", [("if (had->ttl_ms != has->ttl_ms)", "if (false)")], ["test_run_adoption"]),
    Guard("adopt-unlinked", [("if (had->unlinked != has->unlinked)", "if (false)")], ["test_run_adoption"]),
    Guard(
        "drop-yes",
        [("bool is_served = what.size > 0;", "bool is_served = what.size > 0 && false;")],
        ["test_cli_generations"],
    ),
]
