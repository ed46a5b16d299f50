"""Every protection of the protocol: where it stands in the code, what its absence looks like, and the check that fails.

The names are those of docs/protocol.md, followed by those that the protocol takes for granted. Each is taken out by
changing the source, so that nothing in the code has to be made for it.
"""

from __future__ import annotations

from dataclasses import dataclass

CONTROL, DATA = "tests/replicator/control", "tests/replicator/data"
ORDERED = f"{CONTROL}/test_ordered.py"
STORY = f"{CONTROL}/test_protections.py::test_with_all_protections_nothing_is_lost"


@dataclass(frozen=True)
class Edit:
    """`old` stands exactly once in the file."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Protection:
    """`check`: the test that fails when it is taken out; `edits` do that."""

    name: str
    check: str
    edits: tuple[Edit, ...]


def _one(name: str, check: str, file: str, old: str, new: str) -> Protection:
    return Protection(name, check, (Edit(file, old, new),))


# fmt: off
THE_TURN = (
    _one("settle", f"{STORY}[WithoutSettling-a_batch_from_before_the_turn_is_delayed-0]", "steps.py",
         "            watch(self, reader)", "            pass"),
    _one("seal", f"{STORY}[WithoutSeal-writers_never_stop-0]", "steps.py",
         "        self._place(self.turn.to.other, Mode.SEALED)\n", "        return self.enter(Phase.SEALED)\n"),
    _one("spread", f"{STORY}[WithoutWaitingForTheSeal-a_policy_reaches_one_client_late-0]", "steps.py",
         "spread = refused and found.complete and now - began >= waits.spread and now - last_write >= waits.quiet",
         "spread = True"),
    Protection("fence", f"{STORY}[WithoutFence-a_write_of_the_mirror_lingers-0]", (
        Edit("policies.py", "Mode.FENCED: (roles.look,)",
             "Mode.FENCED: (roles.look, roles.replicator), Mode.OPEN: (roles.replicator,)"),
        Edit("policies.py", "if mode is Mode.FENCED:", "if False:"),
        Edit("steps.py", "and crew.probes.replicator(self.other.name) is Outcome.REFUSED", ""),
    )),
    _one("drain", f"{CONTROL}/test_turn.py::test_an_invocation_that_began_before_the_fence_is_waited_for", "steps.py",
         "            and not self._still_writing(began)\n", ""),
    _one("look", f"{STORY}[WithoutLooking-the_mirror_is_slow_when_the_table_is_sealed-0]", "steps.py",
         "look.copy(self.owner.name, self.other.name, keys, self.ahead, self.deadline, self.alive)", "pass"),
    _one("read_again", f"{CONTROL}/test_ahead.py::"
         "test_a_write_that_slips_through_the_seal_after_the_owner_was_read_comes_along", "ahead.py",
         "            self._known.pop(identity(record.key), None)", "            pass"),
    _one("answered", f"{CONTROL}/test_turn.py::TestUndone::"
         "test_when_a_write_of_the_look_is_not_answered_and_the_comparison_is_void", "tables.py",
         "if not self._repeat_unanswered:", "if False:"),
    _one("open_refuses_ours", f"{CONTROL}/test_policies.py::test_only_whom_the_mode_names_can_write[open]",
         "policies.py", "Mode.FENCED: (roles.look,)", "Mode.FENCED: (roles.look,), Mode.OPEN: (roles.replicator,)"),
    _one("hold", f"{CONTROL}/test_release.py::test_nothing_is_released_before_the_hold_is_over", "release.py",
         "crew.clock() < turn.opened_at + crew.waits.hold", "False"),
    _one("strays are looked for", f"{CONTROL}/test_release.py::"
         "test_a_write_that_a_late_policy_lets_through_is_kept_and_reported", "release.py",
         "        _report(crew, pair, turn, _strays(crew, pair, turn))\n", ""),
)

WHO_MAY_ACT = (
    _one("token", f"{CONTROL}/test_state.py::TestTurns::test_whoever_was_taken_over_writes_nothing_any_more",
         "state.py", '                "attribute_exists(#Turn) AND #Token = :token",\n',
         '                "attribute_exists(#Turn) AND (#Token = :token OR #Token <> :token)",\n'),
    _one("one_holder", f"{CONTROL}/test_state.py::TestTurns::"
         "test_a_turn_begins_once_because_two_must_never_hold_the_same_token", "state.py",
         '"#Epoch = :epoch AND attribute_not_exists(#Turn) AND #Token = :was"',
         '"#Epoch = :epoch AND (#Token = :was OR #Token <> :was)"'),
    _one("own_fence", f"{CONTROL}/test_protections.py::"
         "test_a_look_that_lingers_from_a_dead_turn_does_not_pass_the_fence_of_the_next[True]", "policies.py",
         "if mode is Mode.FENCED:", "if False:"),
    Protection("revision", f"{CONTROL}/test_gate.py::TestRaces::"
               "test_a_gate_that_hangs_before_it_puts_a_policy_does_not_open_what_a_turn_has_sealed", (
        Edit("access.py", "if ours is not None and ours[1] > token:", "if False:"),
        Edit("access.py", "                self._state.hold(pair.pair_id, token)\n            if self._clock() >=",
             "            if self._clock() >="),
    )),
    _one("fresh_revisions", f"{CONTROL}/test_policies.py::"
         "test_no_two_documents_of_ours_are_equal_so_that_each_has_a_revision_of_its_own", "policies.py",
         'sid = f"{PREFIX}{mode.capitalize()}{token}"', 'sid = f"{PREFIX}{mode.capitalize()}0"'),
    _one("undo_in_order", f"{CONTROL}/test_interrupted.py::"
         "test_a_recovery_waits_until_the_very_session_that_the_fence_let_in_is_refused", "recover.py",
         "            _until_refused(crew, pair, turn)\n", ""),
    _one("forward_only", f"{CONTROL}/test_interrupted.py::"
         "test_a_turn_that_dies_once_the_owner_has_changed_is_finished_and_not_undone", "recover.py",
         "if turn.phase in (Phase.OWNED, Phase.OPENED):", "if turn.phase is Phase.OPENED:"),
    _one("lease", f"{CONTROL}/test_watchdog.py::TestTurns::test_one_that_lives_is_not", "watchdog.py",
         "pair.turn.lease_until < now", "pair.turn.started_at < now"),
    _one("the lease is renewed", f"{CONTROL}/test_turn.py::test_a_turn_says_that_it_lives_as_long_as_it_waits",
         "steps.py", ">= self.crew.waits.lease / 4", ">= 1e9"),
    _one("a dead turn is ended", f"{CONTROL}/test_watchdog.py::TestTurns::"
         "test_one_whose_lease_has_run_out_is_recovered", "watchdog.py", "pair.turn.lease_until < now", "False"),
    _one("the owner changes only after the look", f"{CONTROL}/test_state.py::TestTurns::"
         "test_the_owner_changes_only_after_the_look_and_the_change_can_be_repeated", "state.py",
         '"#Token = :token AND (#Epoch = :was AND #Turn.#Phase = :looked "',
         '"#Token = :token AND (#Epoch = :was AND (#Turn.#Phase = :looked OR #Turn.#Phase <> :looked) "'),
)

THE_NEWEST_REQUEST = (
    Protection("newest_request: begins", f"{ORDERED}::TestForwardThenRollback::"
               "test_ordered_then_the_rollback_stays_then_the_execution_begins", (
        Edit("ordered.py", "return pair.ordered is None or pair.ordered.request == request", "return True"),
        Edit("ordered.py",
             "return noted is None or (noted.request == request and noted.state is OrderState.WAITING)", "return True"),
        Edit("state.py", '" AND #Ordered.#Request = :request AND #Ordered.#State = :waiting"',
             '" AND (#Ordered.#Request = :request OR #Ordered.#State = :waiting OR #Token = :was)"'),
    )),
    _one("newest_request: decides", f"{ORDERED}::TestForwardThenRollback::"
         "test_evidence_is_gathered_then_the_rollback_stays_then_the_gate_goes_on", "ordered.py",
         'f"{_MINE} AND (#Ordered.#State = :deciding OR #Ordered.#State = :state)"',
         'f"({_MINE} OR #Ordered.#State <> :deciding OR #Ordered.#State = :state)"'),
    _one("newest_request: notes itself", f"{ORDERED}::TestForwardThenRollback::"
         "test_the_forward_one_reads_the_record_then_the_rollback_stays_then_the_forward_one_gives_way", "ordered.py",
         "AND ({was} OR {_MINE}", "AND (attribute_exists(#Pair) OR {was} OR {_MINE}"),
    _one("newest_request: the status is read behind the record", f"{ORDERED}::TestForwardThenRollback::"
         "test_the_forward_one_asks_for_the_status_then_the_rollback_stays_then_the_forward_one_gives_way",
         "arrival.py",
         "            pair = self.own(request)\n            going_back = self.going_back(request)\n",
         "            going_back = self.going_back(request)\n            pair = self.own(request)\n"),
    _one("newest_request: the rollback wins", f"{ORDERED}::TestForwardThenRollback::"
         "test_the_rollback_reads_the_record_then_the_forward_one_orders_then_the_rollback_is_the_newer", "arrival.py",
         "                if forward:\n", "                if True:\n"),
    _one("newest_request: a rollback has one stage", f"{ORDERED}::TestRollbackThenForward::"
         "test_the_rollback_stays_at_cutover_then_the_way_back_comes_then_it_gives_way", "arrival.py",
         "if noted is None or not noted.returns or request.kind is not Kind.UPDATE:", "if True:"),
    _one("newest_request: a late forward one is no rollback", f"{ORDERED}::TestRollbackThenForward::"
         "test_the_stack_rolls_back_then_the_forward_one_comes_first_then_the_rollback_is_followed", "arrival.py",
         "returns=going_back and stage is not None and stage == before,", "returns=going_back and before is not None,"),
    _one("newest_request: a record that is made", f"{ORDERED}::TestRemoval::"
         "test_a_record_is_made_then_the_removal_has_found_none_then_the_record_goes", "gate.py",
         "if not must_not_fail and self.arrival.going_back(request):", "if False:"),
    _one("newest_request: a rollback's turn is tried again", f"{ORDERED}::TestForwardThenRollback::"
         "test_the_rollback_waits_for_the_turn_then_its_invocation_dies_then_it_is_tried_again", "turn.py",
         "order.must_not_fail and is_waiting(", "False and is_waiting("),
    _one("a dead order is answered", f"{CONTROL}/test_watchdog.py::TestOrders::"
         "test_one_whose_execution_ended_without_a_word_is_answered_once", "watchdog.py",
         "        self._end_dead_order(pair, now)\n", ""),
    _one("a dead order begins no turn", f"{CONTROL}/test_watchdog.py::TestOrders::"
         "test_its_turn_begins_after_the_record_was_read_then_nothing_is_said", "ordered.py",
         'f"{_MINE} AND (#Ordered.#State = :waiting OR #Ordered.#State = :state)"',
         'f"{_MINE} AND (#Ordered.#State = :waiting OR #Ordered.#State <> :state)"'),
)

THE_REGISTER = (
    _one("owner_read, registers_first", f"{DATA}/test_mirror_beside_turns.py::TestTurns::"
         "test_the_turn_changes_the_owner_just_before_the_registration", "mirror.py",
         "            pair = self._again(pair.pair_id, born)\n        except", "            pass\n        except"),
    _one("echoes_end", f"{DATA}/test_mirror.py::TestWhatIsWritten::"
         "test_an_echo_from_before_the_look_that_made_the_twin_the_owner_is_not_mirrored_back", "mirror.py",
         "held, _newer(batch, pair), records", "held, batch, records"),
    _one("registers_put_off", f"{DATA}/test_mirror_beside_turns.py::TestTurns::"
         "test_a_turn_has_closed_the_table_then_the_batch_is_put_off_and_stays_registered", "mirror.py",
         "        if pair.closed_to_replicator:\n            self._register.put_off(held)",
         "        if pair.closed_to_replicator:\n            self._register.end(held)"),
    _one("by_age", f"{CONTROL}/test_settling.py::"
         "test_a_record_that_is_known_to_be_older_than_the_mark_must_be_mirrored_whenever_its_batch_began",
         "settling.py", " or (one.lane != WORKER and one.oldest_at <= self.marked_at + 2)", ""),
    _one("workers_register", f"{DATA}/test_worker.py::TestRegister::"
         "test_a_worker_is_registered_while_it_copies_and_signed_off_after", "worker.py",
         "        if not self._writes:\n            return self._pages()",
         "        if True:\n            return self._pages()"),
    _one("a batch of an earlier migration holds up no turn", f"{DATA}/test_sweep.py::"
         "test_a_batch_that_the_closed_twin_refused_after_its_migration_was_removed", "sweep.py",
         "pair is not None and _is_former(one, pair)", "False"),
    _one("a batch of an earlier migration is not mirrored", f"{DATA}/test_sweep.py::"
         "test_begun_anew_between_reading_and_registering_the_batch_is_left_to_come_again", "mirror.py",
         "if pair.born != born:", "if False:"),
    _one("a removal looks whose the record is", f"{CONTROL}/test_removal.py::TestBegunAnew::"
         "test_before_the_removal_has_ended_keeps_what_is_its_own", "state.py",
         "if found is not None and found.born != pair.born:", "if False:"),
    _one("a removal takes only its own record", f"{CONTROL}/test_removal.py::TestBegunAnew::"
         "test_before_the_removal_has_ended_keeps_what_is_its_own", "state.py",
         '"attribute_not_exists(Pair) OR Born = :born"',
         '"attribute_not_exists(Pair) OR Born <= :born OR Born > :born"'),
    _one("a migration begun anew waits for the removal", f"{CONTROL}/test_removal.py::TestBegunAnew::"
         "test_while_the_removal_has_not_ended_waits_for_it", "gate.py",
         "            pair = self._after_removal(pair)\n", ""),
    _one("workers_check: the epoch", f"{DATA}/test_worker.py::TestOvertaken::"
         "test_by_a_change_of_the_pair_it_stops_before_the_next_page", "segments.py",
         "if pair.epoch != self.epoch or pair.owner is not self.owner:", "if False:"),
    _one("workers_check: a turn", f"{DATA}/test_worker.py::TestOvertaken::"
         "test_by_a_change_of_the_pair_it_stops_before_the_next_page", "segments.py",
         "if pair.turn is not None:", "if False:"),
    _one("partial batches: the first that failed is reported", f"{DATA}/test_mirror.py::TestFailures::"
         "test_several_keys_are_rejected_then_the_first_record_is_reported", "mirror.py",
         "min(stops, key=lambda stop: stop.place, default=None)",
         "max(stops, key=lambda stop: stop.place, default=None)"),
    _one("partial batches: nothing behind a bad record", f"{DATA}/test_mirror.py::TestFailures::"
         "test_a_poisoned_record_in_the_middle_everything_before_it_is_written_and_nothing_behind_it", "mirror.py",
         "        if stop is None and batch.poison is not None:", "        if False:"),
    _one("partial batches: what DynamoDB leaves over is sent again", f"{DATA}/test_tables.py::TestWrite::"
         "test_unprocessed_items_are_sent_again_until_there_are_none", "tables.py",
         'return _left(answer, "UnprocessedItems", table)', "return []"),
)

EVIDENCE = (
    _one("failure_voids", f"{CONTROL}/test_state.py::TestComparison::test_counts_when_it_began_after_the_last_failure",
         "pair.py", "            and found.started_at > (self.failed_at or 0)\n", ""),
    _one("failure_undoes", f"{CONTROL}/test_settling.py::test_a_failure_since_the_last_comparison_is_not_waited_for",
         "settling.py", "if not sight.sound:", "if False:"),
    _one("compare_from_start", f"{DATA}/test_job.py::TestJob::test_a_failure_during_the_comparison_voids_it",
         "population.py", "started_at=result.compared_from", "started_at=now"),
    _one("compare_waits", f"{CONTROL}/test_state.py::TestComparison::"
         "test_counts_when_what_failed_cannot_land_any_more", "pair.py",
         "            and found.started_at >= (self.void_until or 0)\n", ""),
    _one("damage_looks_back", f"{CONTROL}/test_turn.py::TestWayBack::"
         "test_with_a_mirror_that_stands_still_every_write_comes_along", "settle.py",
         "crew.streams.beginning(turn.owner.stream_arn)", "crew.streams.mark(turn.owner.stream_arn)"),
    _one("late_found", f"{DATA}/test_mirror_beside_turns.py::TestTurns::"
         "test_a_record_comes_only_after_the_turn_that_it_is_older_than_then_it_is_kept_as_a_stray", "mirror.py",
         "if pair.marked_at:", "if False:"),
    _one("late_found, during the turn", f"{CONTROL}/test_turn.py::TestUndone::"
         "test_when_a_record_from_before_the_mark_comes_to_the_mirror_behind_the_fence", "steps.py",
         "        self._require_nothing_older()\n", ""),
    _one("evidence", f"{CONTROL}/test_evidence.py::TestCutover::"
         "test_is_refused_without_a_copy_and_a_clean_comparison", "evidence.py",
         "        *_comparison(pair),\n        *_mirror(pair, facts, Side.SOURCE),",
         "        *_mirror(pair, facts, Side.SOURCE),"),
)

THE_COPY = (
    _one("the second look", f"{DATA}/test_copy.py", "copy.py",
         "            pending = self._changed(pending, deadline)\n            if",
         "            pending = {}\n            if"),
    _one("a page half done voids the comparison", f"{DATA}/test_sweep.py::"
         "test_a_worker_that_died_once_it_is_certainly_over_and_comparisons_are_void", "sweep.py",
         "    if dead:\n        means.state.note_failure(pair_id, now)\n", ""),
    _one("compare scans both tables", f"{DATA}/test_worker.py::TestCopy::"
         "test_killed_at_any_call_after_the_copy_has_revived_a_deleted_item", "segments.py",
         "compare = (Part.COMPARE_OWNER, Part.COMPARE_OTHER)", "compare = (Part.COMPARE_OWNER,)"),
)

# fmt: on
PROTECTIONS = (*THE_TURN, *WHO_MAY_ACT, *THE_NEWEST_REQUEST, *THE_REGISTER, *EVIDENCE, *THE_COPY)
