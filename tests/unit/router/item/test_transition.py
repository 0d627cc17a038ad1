"""The work item's lifecycle, walked whole: every trigger in every state either leads where the table says or is a conflict.

| row of failures and of the table | test |
|---|---|
| whatever is not in the table | test_what_the_table_does_not_know_is_a_conflict |
| whatever is in it, with every combination of facts | test_every_way_leads_where_the_table_says |
| the key survives all but a new enqueue | test_only_a_new_enqueue_changes_the_key |
| final states end | test_final_states_are_ends_and_open_ones_can_be_canceled |
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any, get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.item.item import FINAL, OPEN, Exclusion, ItemState, State, Terms, Trigger, holders
from router.item.lifecycle import LEGAL
from router.item.plan import OWN_QUEUE, Plan, Step
from router.item.transition import Change, transition
from shared.errors import Conflict

NOW = 10_000.0
A, B, C, QUEUE, OTHER = (UUID(int=number) for number in range(1, 6))
TERMS = Terms(channel="chat", wrap_s=30.0, park_after_reply_s=180.0, close_after_s=3600.0)
ENQUEUED_ANEW = {("parked", "customer_wrote"), ("wrapping", "customer_wrote"), ("parked", "silence_passed")}


def item(state: State, **more: object) -> ItemState:
    agent = A if state in ("offered", "assigned", "parked", "wrapping") else None
    known: dict[str, Any] = {"agent": agent, "terms": TERMS, "plan": Plan((Step(timeout_s=60.0), Step())), **more}
    return ItemState(id=C, version=7, state=state, queue=QUEUE, due=500.0, enqueued_at=100.0, urgency=1, step_at=100.0, **known)


def items(state: State) -> list[ItemState]:
    """An item of a state with every combination of what may be known of it."""
    found = []
    for wrap_s, park_s, giver, target, hold in product((0.0, 30.0), (0.0, 180.0), (None, B), (None, A), (0.0, NOW)):
        if state not in ("queued", "offered") and (giver or target):
            continue
        terms = replace(TERMS, wrap_s=wrap_s, park_after_reply_s=park_s)
        found.append(item(state, terms=terms, giver=giver, target=target, hold_until=hold if state == "parked" else 0.0))
    return found


def changes(trigger: Trigger) -> list[Change]:
    return [
        Change(trigger=trigger, agent=agent, queue=queue, target=target, gone=gone, due=9.0, urgency=0)
        for agent, queue, target, gone in product((A, B), (None, OTHER), (None, B), (False, True))
    ]


@pytest.mark.parametrize(
    ("state", "trigger"), [(state, trigger) for state in LEGAL for trigger in get_args(Trigger) if trigger not in LEGAL[state]]
)
def test_what_the_table_does_not_know_is_a_conflict(state: State, trigger: Trigger) -> None:
    for change in changes(trigger):
        with pytest.raises(Conflict):
            transition(item(state), change, NOW)


@pytest.mark.parametrize(("state", "trigger"), [(state, trigger) for state, ways in LEGAL.items() for trigger in ways])
def test_every_way_leads_where_the_table_says(state: State, trigger: Trigger) -> None:
    reached: set[State] = set()
    for before, change in product(items(state), changes(trigger)):
        try:
            after = transition(before, change, NOW)
        except Conflict:
            continue  # a guard: another agent's item, a target that has it already, a step that is not later
        assert after.version == before.version + 1
        assert (after.id, after.terms) == (before.id, before.terms)
        assert len(set(holders(after))) == len(holders(after)) <= 2
        if after.state in ("assigned", "wrapping"):
            assert after.giver is None or after.giver not in holders(after)
            assert after.agent is not None
        if after.state == "queued":
            assert after.agent is None
        reached.add(after.state)
    assert reached == set(LEGAL[state][trigger]), "a state that the table names is reached by some combination of facts"


@given(
    way=st.sampled_from([(state, trigger) for state, ways in LEGAL.items() for trigger in ways]),
    pick=st.tuples(st.integers(0, 31), st.integers(0, 15)),
    now=st.floats(200.0, 1e9),
)
def test_only_a_new_enqueue_changes_the_key(way: tuple[State, Trigger], pick: tuple[int, int], now: float) -> None:
    state, trigger = way
    ready, asked = items(state), changes(trigger)
    before, change = ready[pick[0] % len(ready)], asked[pick[1] % len(asked)]
    try:
        after = transition(before, change, now)
    except Conflict:
        return
    if (state, trigger) in ENQUEUED_ANEW and after.state == "queued":
        return
    assert (after.urgency, after.enqueued_at) == (before.urgency, before.enqueued_at)
    assert after.due == (before.due if after.queue == before.queue else change.due)


@pytest.mark.parametrize(
    ("state", "change"),
    [
        ("assigned", Change(trigger="transfer", agent=A, queue=OTHER, due=9.0)),
        ("assigned", Change(trigger="hand_over", agent=A, queue=OTHER, due=9.0)),
        ("queued", Change(trigger="overflow", queue=OTHER, due=9.0, wait_s=60.0)),
        ("queued", Change(trigger="time_to_live_passed", queue=OTHER, due=9.0, wait_s=60.0)),
    ],
    ids=lambda one: one if isinstance(one, str) else one.trigger,
)
def test_in_another_queue_an_item_begins_its_plan_its_time_to_live_and_its_key(state: State, change: Change) -> None:
    terms, declined = replace(TERMS, live_s=60.0), {B: Exclusion(count=3, until=NOW)}
    before = item(state, terms=terms, expires_at=50.0, step=1, exclusions=declined, overflowed=state == "assigned")
    after = transition(before, change, NOW)
    assert (after.state, after.queue, after.due, after.enqueued_at) == ("queued", OTHER, 9.0, 100.0)
    assert (after.plan, after.step, after.step_at, after.exclusions) == (OWN_QUEUE, 0, NOW, {})
    assert (after.expires_at, after.overflowed) == (NOW + 60, state == "queued")


@pytest.mark.parametrize("trigger", ["overflow", "time_to_live_passed"])
def test_what_overflows_waits_for_nobody_in_particular(trigger: Trigger) -> None:
    """The excluded are asked again there, so the preferred agent who let it pass would be waited for again after a restart."""
    before = item("queued", preferred=A, wait_until=NOW + 60, exclusions={A: Exclusion(count=1, until=NOW)})
    after = transition(before, Change(trigger=trigger, queue=OTHER), NOW)
    assert (after.preferred, after.wait_until) == (None, 0.0)
    given = replace(before, preferred=None, giver=B)
    assert transition(given, Change(trigger=trigger, queue=OTHER), NOW).wait_until == NOW + 60, "a giver's deadline stays"


@pytest.mark.parametrize(
    ("state", "trigger"),
    [("assigned", "agent_lost"), ("assigned", "transfer"), ("assigned", "delivery_failed"), ("parked", "customer_wrote"),
     ("parked", "delivery_failed"), ("wrapping", "hand_over")],
)  # fmt: skip
def test_what_comes_back_from_an_agent_lives_anew(state: State, trigger: Trigger) -> None:
    """Its first wait is over, and days in somebody's hands are no wait: it must not expire on the spot."""
    old = item(state, terms=replace(TERMS, live_s=60.0), expires_at=160.0)
    assert transition(old, Change(trigger=trigger, agent=A, target=B), NOW).expires_at == NOW + 60


def test_final_states_are_ends_and_open_ones_can_be_canceled() -> None:
    assert set(LEGAL) == OPEN | FINAL
    assert {state for state, ways in LEGAL.items() if not ways} == FINAL
    for state in OPEN:
        assert transition(item(state), Change(trigger="cancel"), NOW).state == "canceled"
        assert holders(transition(item(state, giver=B if state == "queued" else None), Change(trigger="cancel"), NOW)) == ()


def test_a_giver_keeps_the_capacity_until_somebody_accepts() -> None:
    waiting = transition(item("assigned"), Change(trigger="transfer", agent=A, target=B), NOW)
    assert (waiting.state, holders(waiting)) == ("queued", (A,))
    asked = transition(waiting, Change(trigger="offer", agent=B), NOW)
    assert set(holders(asked)) == {A, B}
    assert holders(transition(asked, Change(trigger="accept", agent=B), NOW)) == (B,)
    refused = transition(asked, Change(trigger="decline", agent=B), NOW)
    assert (refused.state, holders(refused)) == ("assigned", (A,))
    nobody = transition(asked, Change(trigger="decline", agent=B, gone=True), NOW)
    assert (nobody.state, holders(nobody)) == ("queued", ())


def test_an_offer_that_is_taken_back_counts_against_nobody() -> None:
    offered = item("offered", preferred=A, wait_until=NOW + 5, expires_at=NOW + 60, last_offered=A)
    back = transition(offered, Change(trigger="agent_lost", agent=A), NOW)
    assert (back.state, back.due, back.enqueued_at, back.exclusions) == ("queued", 500.0, 100.0, {})
    assert (back.preferred, back.expires_at) == (A, NOW + 60)
    given = item("offered", target=A, giver=B)
    assert transition(given, Change(trigger="agent_lost", agent=A), NOW).agent == B
    assert transition(given, Change(trigger="agent_lost", agent=A, gone=True), NOW).giver is None
