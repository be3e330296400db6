"""How each guard is taken out, and which tests are tried, quickest first. mutants.py says what an entry of `tests` is."""

from guard import CONTRACT, PROPERTY, Guard, mongodb, scenario
from guards_changing import CHANGING
from guards_joins import JOINING
from guards_parked import PARKED
from guards_rebuilding import REBUILDING
from guards_redis import REDIS

# --- what is folded: engine/core, engine/run/fold.c, seal.c -----------------------------------------------------------

FOLD = [
    Guard(
        "rule-duplicate",
        [("    if (event->version <= last->version)", "    if (false)")],
        ["test_core_versions"],
    ),
    Guard("rule-gap", [("if (event->version - 1 != last->version)", "if (false)")], ["test_core_versions"]),
    Guard(
        "rule-first",
        [("event->first_any || event->version == event->first", "event->first_any || event->version >= event->first")],
        ["test_core_versions"],
    ),
    Guard(
        "rule-revision-id",
        [
            (
                "if (event->event_id.size == 0 || event->event_id.size > VF_ID_BYTES_MAX)",
                "if (event->event_id.size == 0)",
            )
        ],
        ["test_core_versions"],
    ),
    Guard("rule-no-ids", [("if (!last->more || last->more->is_window)", "if (!last->more)")], ["test_core_versions"]),
    Guard("rule-repeat", [("if (is_among(last->more->ids, event->event_id, 0))", "if (false)")], [PROPERTY]),
    Guard(
        "cloudevents-source",
        [
            (
                "event->event_id.data, XXH64(source.data, source.size, 0));",
                "event->event_id.data, XXH64(source.data, 0, 0));",
            )
        ],
        ["test_core_preset"],
    ),
    Guard(
        "other-kinds",
        [("if (vf_bytes_is(kind, reading->envelope->other_kinds[i]))", "if (kind.size == 0)")],
        ["test_cli_lint"],
    ),
    Guard(
        "parsed-since",
        [("    reading->root.document = NULL; /* of a value", "    /* of a value")],
        ["test_core_preset"],
    ),
    Guard(
        "event-without-data",
        [("reading->is_tombstone = reading->is_tombstone && !is_event_without_data(reading);", "(void)is_event_without_data;")],
        ["test_core_preset"],
    ),
    Guard("framed", [("    if (!reading->record->value_is_null)\n        code = vf_framing_check(", "    if (reading->record->value_is_null)\n        code = vf_framing_check(")], ["test_cli_presets"]),
    Guard("rule-siblings", [("if (last->more->id_count >= VF_REPEATS_MAX)", "if (false)")], ["test_core_versions"]),
    Guard(
        "rule-length",
        [("if (event->version_text.size != last->more->text.size)", "if (false)")],
        [PROPERTY],
    ),
    Guard("rule-offset", [("if (last->exists && event->version <= last->version)", "if (false)")], ["test_core_versions"]),
    Guard("rule-window", [("if (is_in_window(event, last))", "if (is_in_window(event, last) && event->repeats < 0)")], [PROPERTY]),
    Guard(
        "rule-form",
        [("if (last->exists && (event->version_text.size > 0) != has_text(last))", "if (false)")],
        ["test_core_versions"],
    ),
    Guard(
        "ids-of-version",
        [("if (before && !before->is_window && last->version == event->version) {", "if (false) {")],
        [PROPERTY],
    ),
    Guard(
        "window-bound",
        [("while (count > room && vf_event_ids_next(&kept, &id))", "while (count > room + VF_REPEATS_MAX && vf_event_ids_next(&kept, &id))")],
        [PROPERTY],
    ),
    Guard(
        "duplicate",
        [("if (order == VF_DUPLICATE) {", "if (false) {")],
        [PROPERTY],
    ),
    Guard(
        "duplicate-before-route",
        [
            (
                "    if (order == VF_DUPLICATE) {",
                "    if (order == VF_DUPLICATE && record && row->route->route == VF_ROUTE_LINK)\n"
                "        return vf_fold_apply_linked(run, row, record, error);\n"
                "    if (order == VF_DUPLICATE) {",
            )
        ],
        [scenario("a_repeat_of_a_link_event_is_not_followed")],
    ),
    Guard("gap", [("if (order != VF_NEXT)", "if (false)")], [PROPERTY]),
    Guard("husk", [("document->presence = VF_HUSK_NEW;", "document->presence = VF_PRESENT;")], [PROPERTY]),
    Guard(
        "older-assignment",
        [
            (
                "if (record->assignment != tools->assignment || !reading)",
                "if (record->assignment > tools->assignment || !reading)",
            )
        ],
        [PROPERTY],
    ),
    Guard(
        "behind-stop",
        [("return reading->state != VF_STOPPING || record->offset < reading->stop_offset;", "return true;")],
        [PROPERTY],
    ),
    Guard(
        "shorter-log",
        [("record->row == VF_ROW_END && record->offset < progress->next", "false")],
        [scenario("a_topic_made_anew_is_known_by_its_end")],
    ),
    Guard(
        "other-log",
        [
            (
                "record->offset != progress->last_offset ||\n        (record->timestamp_ms == progress->last_timestamp_ms && vf_record_hash(record) == progress->last_hash)",
                "true",
            )
        ],
        [scenario("a_topic_made_anew_is_known_by_its_last_record")],
    ),
    Guard("below-position", [("if (record->offset < reading->folded.next)", "if (false)")], [PROPERTY]),
    Guard(
        "in-flight-copy",
        [
            (
                "struct vf_version *versions = vf_arena_alloc(arena, document->version_count * sizeof *versions);",
                "struct vf_version *versions = document->versions;",
            )
        ],
        [PROPERTY],
    ),
    Guard(
        "in-flight-ids",
        [
            (
                "versions[i].more = vf_version_more_copy(arena, versions[i].more);",
                "(void)vf_version_more_copy(arena, versions[i].more);",
            )
        ],
        [PROPERTY],
    ),
    Guard(
        "in-flight-record",
        [
            (
                "next->version_more = vf_version_more_copy(run->fold->arena, aggregate->version_more);",
                "next->version_more = aggregate->version_more;",
            )
        ],
        [PROPERTY],
    ),
    Guard("aliased", [("if (aliased)", "if (false)")], [PROPERTY]),
    Guard(
        "stamp",
        [("fold->commit.stamp = run->tools->clock->random(run->tools->clock->self);", "fold->commit.stamp = 1;")],
        [PROPERTY],
    ),
    Guard(
        "relied-on",
        [("    if (record)", "    if (record && record->head.bytes == SIZE_MAX)")],
        [scenario("what_is_left_out_because_of_a_record_is_left_out_where_the_record_is")],
    ),
    Guard(
        "consulted",
        [("document_count++;", "document_count += documents[document_count].intent == VF_WRITE;")],
        [scenario("what_a_batch_only_read_is_in_its_condition")],
    ),
]

# --- what is written, and what becomes of it: engine/run/settling.c, cache.c ------------------------------------------

SETTLING = [
    Guard(
        "cache",
        [
            (
                "    vf_worker_discard(worker, 0);\n",
                "    vf_worker_discard(worker, worker->batch > 1 ? worker->batch - 1 : 0);\n",
            ),
            ("    vf_cache_drop_all(worker->cache);\n    release_all(worker);", "    release_all(worker);"),
        ],
        [PROPERTY],
    ),
    Guard(
        "conflict-drop",
        [("vf_worker_discard(worker, number);", "vf_worker_discard(worker, number + worker->batch);")],
        [PROPERTY],
    ),
    Guard(
        "commit-last",
        [("{reading->partition, reading->stored.next};", "{reading->partition, reading->folded.next};")],
        [PROPERTY],
    ),
    Guard("unknown", [("break;", "took_hold(worker);\n        return true;")], [PROPERTY]),
    Guard(
        "fresh-before-stop",
        [("reading->failures > retries", "reading->failures > 0 * retries")],
        [scenario("an_event_that_fails_on_an_old_document_is_folded_on_a_fresh_one")],
    ),
    Guard(
        "failed-ahead",
        [("!vf_worker_settle(worker))", "!vf_worker_settle(worker) && (!worker->store || !worker->chunks))")],
        [scenario("a_failure_on_top_of_a_batch_that_came_to_nothing_does_not_count")],
    ),
    Guard(
        "failed-drop",
        [("vf_worker_discard(worker, fold->number);", "vf_worker_discard(worker, fold->number + 1);")],
        [PROPERTY],
    ),
    Guard(
        "fold-ahead",
        [("!vf_worker_settle(worker))", "!vf_worker_settle(worker) && (!worker->store || !worker->chunks))")],
        [PROPERTY],
    ),
    Guard(
        "cache-whole",
        [("    cache->whole = false;\n    unlink_entry", "    unlink_entry")],
        [scenario("what_another_has_written_into_an_empty_generation_is_read_after_one_conflict")],
    ),
    Guard("evict-in-use", [(" && cache->oldest->batch < in_use) {", ") {\n        (void)in_use;")], [PROPERTY]),
]

# --- where to read on, and what stops: engine/run/positions.c, worker.c, generation.c ---------------------------------

POSITIONS = [
    Guard(
        "resume",
        [
            (
                "*ret_offset = stored->next;",
                "*ret_offset = stored->next;\n"
                "    struct vf_position at = {.partition = reading->partition};\n"
                "    if (!worker->setup.source_type->committed(worker->source, &at, 1, error) && at.offset >= 0)\n"
                "        *ret_offset = at.offset;\n",
            ),
            (
                "    reading->verify = stored->has_last;\n    if (stored->has_last)\n        *ret_offset = stored->last_offset;\n",
                "",
            ),
        ],
        [PROPERTY],
    ),
    Guard(
        "stop",
        [
            (
                "if (vf_worker_progress_is_ours(worker, &store_error, &lost))",
                "(void)store_error, lost = false;\n    if (true)",
            )
        ],
        [PROPERTY],
    ),
    Guard(
        "history",
        [("if (low == 0 || reading->topic->envelope.history_partial)", "if (true)")],
        [scenario("a_log_without_its_beginning_is_refused")],
    ),
    Guard(
        "partition-count",
        [("return reading->topic->envelope.numbers == VF_NUMBERS_SEQUENCE &&", "return")],
        [scenario("more_partitions_stop_a_topic_of_offset_numbers")],
    ),
    Guard(
        "partition-count-none",
        [("projection->versions != VF_VERSIONS_NONE;", "projection;")],
        ["test_log :partitions_added_stop_a_view_that_keeps_no_versions"],
    ),
    Guard(
        "keys-stay",
        [("if (reading->topic->envelope.keys_stay)", "if (false)")],
        ["test_log :partitions_added_go_on_where_the_operator_says_that_keys_stay"],
    ),
    Guard(
        "log-doubt",
        [("if (reading->is_committed && positions[i].offset < 0)", "if (false)")],
        ["test_log :a_topic_made_anew_while_it_is_read_is_noticed"],
    ),
    Guard(
        "log-evidence",
        [("if (vf_progress_equal(&to, &reading->stored))", "if (true)")],
        ["test_log :a_topic_made_anew_while_it_is_read_is_noticed"],
    ),
    Guard(
        "proof-ahead",
        [("|| reading->proofs[i].next > reading->stored.next)", ")"),
         ("|| proof->last_offset >= reading->stored.next)", ")")],
        ["test_log :offsets_that_are_gone_hide_no_rewind"],
    ),
    Guard(
        "fewer-partitions",
        [("if (progress->of > reading->of)", "if (progress->of > reading->of && reading->of > 1000)")],
        ["test_log :fewer_partitions_stop_a_sequence_too"],
    ),
    Guard(
        "one-topic",
        [("if (!may_mix(&one->envelope, &other->envelope)) {", "if (!may_mix(&one->envelope, &other->envelope) || one) {")],
        [scenario("a_kind_whose_numbers_are_no_sequence_comes_from_one_topic")],
    ),
    Guard(
        "emptied",
        [("if (!worker->setup.emptied_stop) {", "if (true) {")],
        [scenario("an_emptied_store_stops_where_its_owner_wants_to_be_asked")],
    ),
    Guard(
        "refused-parked",
        [("if (row->dropped || !vf_refused_is(", "if (true || row->dropped || !vf_refused_is(")],
        ["test_refused :its_event_is_parked_and_all_others_go_on"],
    ),
    Guard(
        "refused-fresh",
        [("    vf_refused_clear(&worker->refused_event);\n}", "}")],
        ["test_refused :what_the_store_takes_after_all_is_taken_in"],
    ),
    Guard(
        "refused-apart",
        [("if (fold->counts.released > 0 && ", "if (fold->counts.released > 1000 && ")],
        ["test_refused :the_first_that_waits_is_parked_and_not_the_event_that_brings_its_link"],
    ),
    Guard(
        "refused-retry",
        [("if (why->code == VF_E_LIMIT && commit->taken_count == 1 && ", "if (false && ")],
        ["system/test_refused.py what_mongodb_never_takes_is_parked_with_its_aggregate_alone"],
    ),
    Guard(
        "judged-before",
        [("bool was_next = is_beyond && vf_version_order(&row->event, &seen) == VF_DUPLICATE;", "bool was_next = is_beyond && seen.exists && false;")],
        ["test_refused :a_link_whose_event_is_refused_leaves_what_waits_where_it_is"],
    ),
    Guard(
        "stopped-stays",
        [
            (
                "if (vf_progress_equal(&found, &reading->stored))",
                "if (vf_progress_equal(&found, &reading->stored) && false)",
            )
        ],
        [scenario("a_stopped_partition_stays_stopped_and_others_go_on")],
    ),
    Guard(
        "rewound-registry",
        [("if (worker->prepare_due) {", "if (false) {")],
        [scenario("an_emptied_store_that_the_log_cannot_fill_says_so")],
    ),
    Guard(
        "stop-current",
        [("if (!vf_worker_is_current(worker))", "if (false)")],
        [scenario("nothing_stops_because_the_generation_is_being_dropped")],
    ),
    Guard(
        "history-gone",
        [
            ("if (low <= next && next <= high) {", "if (next <= high) {"),
            # ... and from where the log begins instead of from where the view is.
            (
                "return reading->verify ? reading->stored.last_offset : reading->stored.next;",
                "return reading->verify ? reading->stored.last_offset : VF_OFFSET_BEGINNING;",
            ),
        ],
        [scenario("history_that_is_gone_stops_its_partition")],
    ),
    Guard(
        "script",
        [("vf_script_stored_reader(&worker->generation)", "vf_script_stored_reader(setup->proposed)")],
        [scenario("a_worker_runs_the_script_that_the_store_holds")],
    ),
    Guard(
        "look-store",
        [("if (!worker->setup.store_type->look(worker->store, &error))", "if (true)")],
        ["test_rewinds :a_store_that_would_lose_documents_gets_none_until_it_is_mended"],
    ),
    Guard(
        "rewind-committed",
        [("return reading->committed;", "return -1;")],
        ["test_rewinds :a_tail_lost_while_nobody_ran_is_told_by_who_comes_next"],
    ),
    Guard(
        "dropped-offsets",
        [("        if (reading->of_dropped)\n", "        if (false)\n")],
        ["test_rewinds :nothing_is_told_of_what_was_dropped"],
    ),
    Guard(
        "trouble-changed",
        [("hash == worker->trouble_said ||", "true ||")],
        ["test_rewinds :each_reason_for_waiting_is_said_once"],
    ),
    Guard("look", [("looked_at_ms >= LOOK_INTERVAL_MS) {", "looked_at_ms >= LOOK_INTERVAL_MS * 1000) {")], [PROPERTY]),
    Guard(
        "other-script",
        [
            (
                "if (registered->projection_version == proposed->projection_version)",
                "if (registered->projection_version == proposed->projection_version)\n        return VF_OK;\n    if (!error)",
            )
        ],
        [scenario("another_script_of_the_same_version_is_refused")],
    ),
]

# --- how fresh a read is: engine/run/fresh.c --------------------------------------------------------------------------

FRESH = [
    Guard("fresh-record", [("if (!last.exists && record->exists && record->has_version) {", "if (!last.exists && record->exists && record->has_version && !record->has_link) {")], ["test_cli_get"]),
    Guard("fresh-version", [("if (last->version < token->version) {", "if (false) {")], ["test_cli_get"]),
    Guard(
        "fresh-revision",
        [("return !shared || has_id(last->more, token->event_id);", "return !shared || has_id(last->more, last->more->text) || true;")],
        ["test_cli_get"],
    ),
    Guard(
        "fresh-offset",
        [
            (
                "return row && row->progress.exists && row->progress.next > token->offset;",
                "return row && row->progress.exists && row->progress.next >= token->offset;",
            )
        ],
        ["test_cli_get"],
    ),
]

# --- the stores -------------------------------------------------------------------------------------------------------

MEMORY = [
    Guard(
        "memory-document-absent",
        [("if (presence != change->base)", "if (held && presence != change->base && change->base != VF_ABSENT)")],
        [CONTRACT],
    ),
    Guard(
        "memory-document-stamp", [("if (held && held->value.stamp != change->base_stamp)", "if (false)")], [CONTRACT]
    ),
    Guard(
        "memory-aggregate-absent",
        [("if ((held != NULL) != change->base_exists)", "if (!held && change->base_exists)")],
        [CONTRACT],
    ),
    Guard(
        "memory-aggregate-stamp", [("if (held && held->value.stamp != change->base_stamp)", "if (false)")], [CONTRACT]
    ),
    Guard(
        "memory-progress",
        [
            (
                "if (!progress_holds(generation, &commit->progress[i]))",
                "if (false && !progress_holds(generation, &commit->progress[i]))",
            )
        ],
        [CONTRACT],
    ),
    Guard("memory-frozen", [("if (generation->frozen)", "if (false)")], [CONTRACT]),
    Guard("memory-consulted", [("failed |= check_changes(generation, commit, false, server->touch);", "")], [CONTRACT]),
    Guard(
        "memory-all-or-nothing",
        [
            (
                "    if (failed != 0)\n        return VF_CONFLICT;\n",
                "    if (failed != 0) {\n"
                "        struct vf_commit half = *commit;\n"
                "        half.progress_count = 0;\n"
                "        write_all(generation, &half, false);\n"
                "        return VF_CONFLICT;\n"
                "    }\n",
            )
        ],
        [CONTRACT],
    ),
    Guard(
        "memory-lock",
        [
            ("pthread_mutex_lock(&server->lock);", ""),
            (
                "the server is full\");\n        }\n    }\n    pthread_mutex_unlock(&server->lock);\n",
                "the server is full\");\n        }\n    }\n",
            ),
            # A pause, so that they do meet there.
            (
                "*ret_failed = failed;",
                "*ret_failed = failed;\n    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);",
            ),
        ],
        [CONTRACT],
    ),
]

CLI = [
    Guard("config-mask", [("if (secret) {", "if (secret && false) {")], ["test_cli_show"]),
]

MONGODB = [
    Guard(
        "mongodb-progress-next",
        [('append_equal_int(&all, "0", "$next", from->next);', "")],
        [mongodb("progress_higher_than_ours")],
    ),
    Guard(
        "mongodb-progress-of",
        [('append_equal_int(&all, "1", "$of", from->of);', "")],
        [mongodb("progress_of_another_partition_count")],
    ),
    Guard(
        "mongodb-progress-last",
        [('append_same_last(&all, "2", from);', "(void)append_same_last;")],
        [mongodb("progress_with_another_last_*")],
    ),
    Guard(
        "mongodb-progress-aside",
        [('append_equal_int(&all, "3", "$aside", from->aside);', "")],
        [mongodb("progress_with_more_aside")],
    ),
    Guard(
        "mongodb-progress-stamp",
        [('append_same_stamp(&all, "6", "$stamp", from->stamp);', "")],
        [mongodb("progress_that_another_commit_wrote")],
    ),
    Guard(
        "mongodb-progress-absent",
        [('append_missing(&all, "0", "$next");', "")],
        [mongodb("progress_that_we_took_for_absent")],
    ),
    Guard(
        "mongodb-frozen",
        [('append_not_frozen(&all, "4");', "")],
        [mongodb("a_frozen_generation_takes_nothing_until_it_thaws")],
    ),
    Guard(
        "mongodb-frozen-without-progress",
        [('append_not_frozen(&all, "0");', "")],
        [mongodb("a_commit_without_progress_finds_it_frozen_too")],
    ),
    Guard(
        "mongodb-stamp",
        [
            (
                'vf_mongodb_append_pair(&guard, "$eq", items->stamp_path, base);',
                'vf_mongodb_append_pair(&guard, "$ne", items->stamp_path, "");',
            )
        ],
        [mongodb("*another_stamp")],
    ),
    Guard(
        "mongodb-touch",
        [("if (!is_written(&item))", "if (false)")],
        [mongodb("a_consulted_document_with_another_stamp")],
    ),
    Guard(
        "mongodb-touch-absent",
        [("if (!touch_absent(items))", "if (false && !touch_absent(items))")],
        [mongodb("a_consulted_document_that_we_took_for_absent")],
    ),
    Guard(
        "mongodb-insert",
        [
            (
                "    if (is_written(item))\n        append_value(&statement, item, command->transaction->commit->stamp);\n"
                "    else\n        vf_mongodb_append_text(&statement, \"_id\", item->id);",
                "    bson_t value;\n    append_id_query(&statement, item->id);\n    BSON_APPEND_DOCUMENT_BEGIN(&statement, \"u\", &value);\n"
                "    if (is_written(item))\n        append_value(&value, item, command->transaction->commit->stamp);\n"
                "    else\n        vf_mongodb_append_text(&value, \"_id\", item->id);\n"
                "    bson_append_document_end(&statement, &value);\n    BSON_APPEND_BOOL(&statement, \"upsert\", true);",
            ),
            (
                'items->transaction, "insert", "documents", items->collection',
                'items->transaction, "update", "updates", items->collection',
            ),
        ],
        [mongodb("a_written_document_that_we_took_for_absent")],
    ),
    Guard(
        "mongodb-remove",
        [("vf_mongodb_append_stamp(&query, items->stamp_field, item.base_stamp);", "")],
        ["test_mongodb_views :what_has_changed_since_is_not_removed"],
    ),
    Guard(
        "mongodb-drop-own-indexes",
        [("if (code == VF_OK && (!there || stamp != removal->base_stamp))", "if (false)")],
        ["test_mongodb_indexes :a_dropped_generation_leaves_no_index"],
    ),
    Guard(
        "mongodb-all-modified",
        [('if (going && count_at(&reply, "n") != count_at(&reply, "nModified"))', "if (false)")],
        [mongodb("a_commit_without_progress_finds_it_frozen_too")],
    ),
    Guard(
        "mongodb-all-done",
        [("if (going && done != (int64_t)command->count)", "(void)done;\n    if (false)")],
        [mongodb("*another_stamp")],
    ),
    Guard(
        "mongodb-transaction",
        [
            (
                "done = mongoc_client_session_append(transaction->session, &options, &failure);",
                "done = transaction->session != NULL;",
            )
        ],
        [mongodb("a_written_aggregate_*")],
    ),
    Guard(
        "mongodb-settled",
        [('store->prepares ? "linearizable" : vf_mongodb_level(store)', 'store->prepares ? "local" : "local"')],
        ["test_mongodb_views :workers_wait_for_a_majority_and_readers_see_no_more_than_it_has"],
    ),
    Guard(
        "mongodb-unique",
        [("    if (fault == VF_FAULT_DUPLICATE && reply && !is_of_id(reply))", "    if (false && !is_of_id(reply))")],
        ["test_mongodb_indexes :a_document_that_the_server_never_takes_is_refused_for_good"],
    ),
    Guard(
        "mongodb-majority",
        [("mongoc_transaction_opts_set_write_concern(options, store->concern);", "")],
        ["test_mongodb_store :every_commit_asks_for_a_majoritys_journal"],
    ),
    Guard(
        "mongodb-format", [("if (format > VF_FORMAT)", "if (format > 1000000)")], [mongodb("a_newer_format_is_refused")]
    ),
]

# --- the source: connectors/kafka -------------------------------------------------------------------------------------

KAFKA = [
    Guard(
        "kafka-stopped",
        [("err = rd_kafka_assignment(rk, &now);", "err = RD_KAFKA_RESP_ERR_NO_ERROR;")],
        ["test_kafka_source :assigning_again_and_again_at_once_is_fine"],
    ),
    Guard(
        "kafka-no-reset",
        [('{"auto.offset.reset", "error"},', '{"auto.offset.reset", "earliest"},')],
        ["test_kafka_source :a_position_before_the_beginning_is_said_not_jumped_over"],
    ),
    Guard(
        "kafka-read-committed",
        [('{"isolation.level", "read_committed"},', '{"isolation.level", "read_uncommitted"},')],
        ["test_kafka_source :the_end_is_behind_transaction_markers"],
    ),
    Guard(
        "kafka-stale-range",
        [("if (offset == place->position && offset >= 0) {", "if (offset >= 0) {")],
        ["test_kafka_source :nor_does_one_count_that_comes_behind_other_records"],
    ),
    Guard(
        "kafka-explicit-offset",
        [("if (position->offset < 0 && position->offset != VF_OFFSET_BEGINNING)", "if (false)")],
        ["test_kafka_source :an_offset_must_be_said"],
    ),
]

# --- scripts that may be wrong or hostile: lua/ -----------------------------------------------------------------------

VALUES, PROJECTION = "test_lua_values", "test_lua_projection"


def hostile(name):
    return f"test_lua_hostile :{name}"


LUA = [
    Guard("error-utf8", [("    replace_what_is_not_utf8(text);", "    (void)replace_what_is_not_utf8;")], ["test_core_error"]),
    Guard("lua-text-only", [('lua_tostring(L, -1), "t");', 'lua_tostring(L, -1), "bt");')], [PROJECTION]),
    Guard(
        "lua-parser",
        [("    vf_lua_spend(L, (int64_t)*ret_size);\n", "    (void)L;\n")],
        [hostile("a_file_that_takes_long_to_read_is_refused")],
    ),
    Guard(
        "lua-require-path",
        [
            ("if (dot && (i == 0 || i + 1 == size || name[i + 1] == '.'))", "if (false)"),
            ("if (!dot && !isalnum((unsigned char)name[i]) && name[i] != '_' && name[i] != '-')", "if (false)"),
        ],
        [PROJECTION],
    ),
    Guard("lua-pattern-budget", [("vf_lua_spend(match->L, 1);", "")], [hostile("pattern_bombs_end")]),
    Guard(
        "lua-memory",
        [("if (over || projector->refusals >= REFUSALS_MAX) {", "if (false && over) {")],
        [hostile("memory_bombs_end")],
    ),
    Guard(
        "lua-instructions", [("if (projector->instructions_left < 0)", "if (false)")], [hostile("endless_loops_end")]
    ),
    Guard(
        "lua-deadline",
        [("if (now > projector->deadline_ms)", "if (false)")],
        [hostile("slow_instructions_meet_the_clock")],
    ),
    Guard(
        "lua-pass-on",
        [
            ("    if (projector->stop != VF_OK)\n        raise_stop(L);\n", ""),
            # Two more nets are below it: the next instruction, and the call's end.
            ("    lua_sethook(L, limits_hook, LUA_MASKCOUNT, 1);\n    raise_stop(L);", "    raise_stop(L);"),
            ("if (status == LUA_OK && projector->stop == VF_OK)", "if (status == LUA_OK)"),
        ],
        [hostile("no_script_catches_a_limit")],
    ),
    Guard(
        "lua-spend",
        [("if (projector->instructions_left < projector->look_below)", "if (false)")],
        [hostile("loops_in_c_end")],
    ),
    Guard(
        "lua-scratch",
        [("if (more_bytes > limit || projector->memory_bytes > limit - more_bytes)", "if (false && limit)")],
        [hostile("scratch_memory_counts_as_the_scripts")],
    ),
    Guard("lua-kept-variable", [("if (found.upvalue == 0)", "if (true)")], ["test_lua_state"]),
    Guard("lua-kept-iterator", [("if (is_iterator(L, -1))", "if (false && is_iterator(L, -1))")], ["test_lua_state"]),
    Guard(
        "lua-document-bytes",
        [("if (size > walk->limit_bytes || out->size + size > walk->limit_bytes)", "if (false)")],
        [VALUES],
    ),
    Guard(
        "lua-alias-owner",
        [
            (
                "        walk->aliased = true;\n        return vf_lua_shape(L, table);",
                "        return vf_lua_shape(L, table);",
            )
        ],
        [VALUES],
    ),
    Guard(
        "lua-alias-twice",
        [
            (
                "if (seen_before(projector, identity))\n        walk->aliased = true;",
                "(void)seen_before(projector, identity);",
            )
        ],
        [VALUES],
    ),
    Guard(
        "lua-moved",
        [("return document->moved || (", "return true || (")],
        ["test_lua_moving"],
    ),
    Guard("lua-kind-first", [("if (projector->handlers.of_kinds)", "if (false)")], ["test_lua_upcast"]),
    Guard(
        "lua-upcast-bytes",
        [("if (size > writer->limit_bytes || writer->out->size + size > writer->limit_bytes)", "if (false)")],
        ["test_lua_upcast"],
    ),
    Guard("lua-upcast-one", [("    if (lua_gettop(L) > 1)\n        vf_lua_raise(", "    if (false)\n        vf_lua_raise(")], ["test_lua_upcast"]),
    Guard("lua-upcast-only", [("    if (!projector->upcasting)\n", "    if (false)\n")], ["test_lua_upcast"]),
    Guard("lua-circle", [("    check_circles(L);\n}", "    (void)check_circles;\n}")], [PROJECTION]),
    Guard(
        "lua-write-locked",
        [
            (
                "if (shape != VF_SHAPE_OBJECT && shape != VF_SHAPE_ARRAY)\n        luaL_error(L, \"a table of",
                "if (shape != VF_SHAPE_OBJECT && shape != VF_SHAPE_ARRAY && false)\n        luaL_error(L, \"a table of",
            )
        ],
        ["test_lua_language"],
    ),
    Guard("lua-charge", [("if (more >= CHARGED_BYTES)", "if (false)")], [hostile("what_reads_a_text_pays_for_its_length")]),
    Guard(
        "lua-paid",
        [("    vf_lua_spend(L, cost);\n", "    (void)cost;\n")],
        [hostile("what_reads_a_text_pays_for_its_length")],
    ),
    Guard(
        "lua-locked",
        [("    lua_pushcfunction(L, newindex);", "    (void)newindex, lua_pushnil(L);")],
        ["test_lua_language"],
    ),
    Guard("lua-frozen", [("    lua_pushcfunction(L, frozen_write);", "    (void)frozen_write, lua_pushnil(L);")], [VALUES]),
    Guard("lua-address", [("if (what == 'p')", "if (false)")], ["test_lua_language"]),
    Guard("lua-order", [("    sort(fields, (size_t)count, compare_keys);\n", "    (void)fields;\n")], ["test_lua_language"]),
    Guard(
        "lua-versions",
        [("if (mode == VF_VERSIONS_DOCUMENT && !one_document)", "if (false && !one_document)")],
        [PROJECTION],
    ),
]

GUARDS = CHANGING + JOINING + PARKED + REBUILDING + FOLD + SETTLING + POSITIONS + FRESH + CLI + MEMORY + REDIS + MONGODB + KAFKA + LUA
