"""The guards of the Redis connector, but for those of generations that change (guards_changing.py)."""

from guard import Guard, redis

LISTS = "test_redis_side :a_commit_that_does_not_fit_the_lists_changes_nothing"
SIDE_TYPE = "test_redis_side :a_wrong_type_at_any_key_on_the_side_makes_nothing_happen"

REDIS = [
    Guard("redis-evict", [('if (!vf_bytes_is(value, "noeviction"))', "if (false)")], ["test_redis_server"]),
    Guard(
        "redis-rights",
        [("return not redis.acl_check_cmd(command, ...)", "return false")],
        ["test_redis_faults :a_right_that_goes_leaves_no_half_batch"],
    ),
    Guard(
        "redis-frozen",
        [("if whole(values[1]) > now_ms() then return", "if false then return")],
        [redis("a_frozen_generation_takes_nothing_until_it_thaws")],
    ),
    Guard(
        "redis-progress",
        [("if present ~= args[plan.expected_from + i - 1] then", "if false then")],
        [redis("progress_*")],
    ),
    Guard(
        "redis-absent",
        [("if call('EXISTS', unpack(keys, from, to)) > 0 then", "if false then")],
        [redis("*took_for_absent")],
    ),
    Guard("redis-stamp", [("if present ~= args[offset + i] then", "if false then")], [redis("*another_stamp")]),
    Guard(
        "redis-consulted",
        [("for i = plan.written_from, plan.keys do", "for i = plan.written_from, plan.written_to do")],
        [redis("a_consulted_*")],
    ),
    Guard(
        "redis-all-or-nothing",
        [
            (
                "  if answer then return answer end\n  write(keys, args, plan)\n",
                "  if answer and answer[2] ~= 'absent' and answer[2] ~= 'stamp' then return answer end\n"
                "  if answer then plan.moved = 0; check_writes(plan) end\n"
                "  write(keys, args, plan)\n"
                "  if answer then return answer end\n",
            )
        ],
        [redis("*another_stamp")],
    ),
    Guard(
        "redis-type",
        [("must_be_hash(keys, 2)", "")],
        ["test_redis_store :a_wrong_type_at_any_key_makes_nothing_happen"],
    ),
    Guard(
        "redis-stale-field",
        [("if index >= plan.written_from and call('HLEN', key) ~= own + values / 2 then", "if false then")],
        ["test_redis_layout :a_replaced_document_keeps_no_stale_field"],
    ),
    Guard(
        "redis-format",
        [("if format > tonumber(args[4]) then", "if false then")],
        ["test_redis_layout :a_newer_format_is_refused"],
    ),
    # What lies on the side.
    Guard(
        "redis-side-score",
        [("if not score or score ~= score then", "if not score then")],
        ["test_redis_side :a_sort_value_that_is_no_number_makes_nothing_happen"],
    ),
    Guard(
        "redis-side-rights",
        [("if denied(need[1], key, unpack(need, 2)) then", "if false then")],
        ["test_redis_faults :a_right_that_goes_leaves_no_half_batch_on_the_side"],
    ),
    Guard("redis-side-type", [("call('ZCARD', keys[group.index])", "")], [SIDE_TYPE]),
    Guard(
        "redis-aside-taken",
        [("if call('ZLEXCOUNT', key, from_place(args[i]), to_place(args[i + 1])) ~= tonumber(args[i + 2]) then", "if false then")],
        [LISTS],
    ),
    Guard("redis-aside-place", [("if not leaves(args, group, place) and is_there(key, place) then", "if false then")], [LISTS]),
    Guard("redis-aside-offset", [("if #found ~= 1 or list ~= args[i + 1] then", "if #found ~= 1 then")], [LISTS]),
    Guard("redis-aside-twice", [("if not leaving[offset] and is_there(key, offset) then", "if false then")], [LISTS]),
    Guard(
        "redis-aside-bytes",
        [("if total < 0 then", "if false then")],
        ["test_redis_side :a_count_of_bytes_that_cannot_be_makes_nothing_happen"],
    ),
    Guard("redis-aside-bug", [("if (events && both &&", "if (false && events && both &&")], [LISTS]),
    Guard(
        "redis-index-leave",
        [("if (base->in && !same_member(base, next))", "if (false && !same_member(base, next))")],
        [redis("an_entry_moves_and_goes_with_its_field")],
    ),
    Guard(
        "redis-due-leave",
        [("else if (was)", "else if (false && was)")],
        ["test_redis_side :a_document_goes_from_any_presence_to_any_other"],
    ),
    Guard(
        "redis-draining-leave",
        [("if (draining != change->base_draining)", "if (draining)")],
        ["test_redis_side :records_are_draining_as_long_as_they_say_so"],
    ),
    Guard(
        "redis-state-leave",
        [("if (change->base_state != VF_ASIDE_NONE)", "if (false)")],
        ["test_redis_side :records_are_listed_by_state_as_long_as_they_say_so"],
    ),
    Guard("redis-drops-type", [("call('LLEN', keys[group.index])", "")], [SIDE_TYPE]),
    Guard(
        "redis-look-functions",
        [("return flushed ? vf_redis", "return flushed && !store ? vf_redis")],
        ["test_redis_faults :a_look_loads_what_was_flushed"],
    ),
    Guard(
        "redis-identity",
        [("if (!vf_redis_same_server(&store->identity, &identity))", "if (false)")],
        ["test_redis_faults :a_look_tells_that_the_server_is_a_replica_or_was_one"],
    ),
    Guard(
        "redis-find-place",
        [("if is_before(call('ZRANGE', key, middle, middle)[1], member) then", "if false then")],
        ["test_redis_index :a_page_among_equal_values_begins_exactly_behind_its_place"],
    ),
    Guard(
        "redis-find-kind",
        [("if (wanted != VF_SORT_NONE && wanted != found.sort.kind)", "if (wanted > VF_SORT_STRING)")],
        ["test_redis_index :of_mixed_kinds_those_of_the_bound_are_meant"],
    ),
    Guard(
        "redis-drop-index",
        [("if (!ours && !(rest && is_index(&store->keys, generation, key)))", "if (!ours && !(rest && generation < 0 && is_index(&store->keys, generation, key)))")],
        ["test_redis_index :a_dropped_generation_leaves_nothing_on_the_side"],
    ),
]
