"""Merge, split, move and their undo as pure functions: what each does, what it refuses, and that an undo is exact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from router.placements import placements
from router.placements.placements import Done, Facts, Place, Said, facts_of, unanswered
from shared.errors import Conflict, SantralError, Unprocessable

NAMES = UUID(int=7)
T0 = datetime(2026, 5, 4, 9, tzinfo=UTC)
INBOXES = (UUID(int=11), UUID(int=12))
HANDLES = (UUID(int=21), UUID(int=22))


def named(name: object) -> UUID:
    return uuid5(NAMES, str(name))


def said(n: int, *, minute: int | None = None, direction: str = "in", who: int = 0, **more: object) -> Said:
    values: dict[str, object] = {
        "id": named(n), "seq": n, "direction": direction, "kind": "text", "channel": "email", "at": T0 + timedelta(minutes=minute or n),
        "inbox_id": INBOXES[who], "handle_id": HANDLES[who] if direction != "note" else None, "work": direction == "in",
    }  # fmt: skip
    return Said(**{**values, **more})  # type: ignore[arg-type]


def place(name: str, *messages: Said, who: int = 0, **more: object) -> Place:
    facts = Facts(last_in_at=None, last_out_at=None, last_inbox_id=INBOXES[who], last_handle_id=HANDLES[who], channels=())
    made = Place(
        id=named(name), channel="email", inbox_id=INBOXES[who], handle_id=HANDLES[who], visibility="private",
        seq=max((one.seq for one in messages), default=0), facts=facts, messages=messages,
    )  # fmt: skip
    return replace(replace(made, facts=facts_of(made)), **more)  # type: ignore[arg-type]


def test_a_merge_takes_all_messages_in_the_order_they_were_said_to_the_next_numbers() -> None:
    source, target = place("a", said(1), said(4, minute=2), said(3)), place("b", said(2, minute=50, who=1), who=1)
    done = placements.merge(source, target)
    assert [(one.from_seq, one.to_seq) for one in done.placed] == [(1, 4), (4, 5), (3, 6)]
    assert (done.source.messages, done.source.merged_into, done.source.seq) == ((), target.id, source.seq + 1)
    assert done.source.facts == source.facts
    assert done.target.seq == 6
    # Who wrote last is answered, whichever conversation it was in.
    assert (done.target.facts.last_handle_id, done.target.facts.last_inbox_id) == (HANDLES[1], INBOXES[1])


def test_what_a_conversation_knows_follows_its_messages() -> None:
    first, answer, last = said(1), said(2, direction="out"), said(3, who=1, channel="chat")
    source, target = place("a", first, answer, last), place("b", said(9, minute=1))
    done = placements.move(source, target, last.id)
    assert (done.source.facts.last_in_at, done.source.facts.channels) == (first.at, ("email",))
    assert (done.target.facts.last_in_at, done.target.facts.channels) == (last.at, ("email", "chat"))
    assert done.target.facts.last_handle_id == HANDLES[1]
    assert done.target.messages[-1].seq == 10


def test_words_that_moved_nothing_move_nothing_here() -> None:
    held = place("a", said(1), said(3, who=1, aside=True))
    assert (held.facts.last_in_at, held.facts.last_handle_id, held.facts.last_inbox_id) == (said(3).at, HANDLES[0], INBOXES[0])
    # Alone, they are who is answered: somebody put them there.
    done = placements.split(held, named("new"), [named(3)])
    assert (done.target.facts.last_handle_id, done.target.facts.last_in_at) == (HANDLES[1], said(3).at)
    assert done.source.facts.last_handle_id == HANDLES[0]


@pytest.mark.parametrize("kind", ["call", "missed_call", "voicemail"])
def test_a_call_beside_words_moves_nothing_of_who_is_answered(kind: str) -> None:
    call = said(4, who=1, kind=kind, channel="phone")
    merged = placements.merge(place("calls", call, who=1), place("mail", said(1)))
    facts = merged.target.facts
    assert (facts.last_in_at, facts.last_handle_id, facts.last_inbox_id) == (call.at, HANDLES[0], INBOXES[0])
    assert facts.channels == ("email", "phone")
    # Where there are only calls, the last one says who called.
    assert place("calls", said(1, kind=kind), call).facts.last_handle_id == HANDLES[1]


def test_edits_and_notes_are_no_contact() -> None:
    source = place("a", said(1), said(2, kind="edit"), said(3, direction="note"), said(4, direction="out", kind="reaction"))
    assert (source.facts.last_in_at, source.facts.last_out_at) == (said(1).at, None)
    assert facts_of(place("a", said(2, kind="edit"))).last_in_at == said(2).at


def test_what_amends_a_message_goes_with_it_and_takes_it_along() -> None:
    source = place("a", said(1), said(2), said(3, kind="delete", amends=named(2)), said(4), said(5, kind="edit", amends=named(9)))
    for picked in ([named(2)], [named(3)]):
        done = placements.split(source, named("new"), picked)
        assert [one.message_id for one in done.placed] == [named(2), named(3)]
    assert [one.message_id for one in placements.move(source, place("b", said(8)), named(2)).placed] == [named(2), named(3)]


def test_a_split_is_of_the_customer_who_wrote_its_first_message() -> None:
    source = place("a", said(1), said(2, direction="out"), said(3, who=1, channel="chat"), said(4))
    done = placements.split(source, named("new"), [named(2), named(3)])
    assert (done.target.handle_id, done.target.inbox_id, done.target.channel) == (HANDLES[1], INBOXES[1], "chat")
    # One number for opening it, one for the split, then the messages.
    assert [one.to_seq for one in done.placed] == [3, 4]
    assert [one.seq for one in done.source.messages] == [1, 4]


def test_what_nobody_answered_is_the_customers_words_after_the_last_answer() -> None:
    waiting = place("a", said(1), said(2, direction="out"), said(3), said(4))
    first = unanswered(waiting)
    assert first is not None
    assert first.seq == 3
    assert unanswered(waiting, {named(1)}) is None
    assert unanswered(place("a", said(1), said(2, direction="out"))) is None
    assert unanswered(place("a", said(1, work=False))) is None


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        (lambda a, b: placements.merge(a, a), Unprocessable),
        (lambda a, b: placements.move(a, a, named(1)), Unprocessable),
        (lambda a, b: placements.merge(a, replace(b, merged_into=named("c"))), Conflict),
        (lambda a, b: placements.merge(replace(a, merged_into=named("c")), b), Conflict),
        (lambda a, b: placements.merge(a, replace(b, visibility="public")), Conflict),
        (lambda a, b: placements.merge(replace(a, erased=True), b), Conflict),
        (lambda a, b: placements.split(a, named("n"), [named(1), named(2)]), Unprocessable),
        (lambda a, b: placements.split(a, named("n"), []), Unprocessable),
        (lambda a, b: placements.split(a, named("n"), [named(99)]), Unprocessable),
        (lambda a, b: placements.split(replace(a, merged_into=b.id), named("n"), [named(1)]), Conflict),
        (lambda a, b: placements.move(b, a, named(8)), Unprocessable),
    ],
)
def test_what_makes_no_sense_is_refused(operation: Callable[[Place, Place], Done], error: type[SantralError]) -> None:
    a, b = place("a", said(1), said(2), said(3, direction="note")), place("b", said(8))
    with pytest.raises(error) as refused:
        operation(a, b)
    assert refused.value.field is not None
    assert refused.value.remedy is not None


# --- random operations and undos


@dataclass(slots=True)
class World:
    """Conversations, and the operations that hold, newest last."""

    places: dict[UUID, Place] = field(default_factory=dict)
    done: list[Done] = field(default_factory=list)
    made: int = 0

    def view(self) -> dict[UUID, tuple[object, ...]]:
        """What an undo brings back: everything but the numbers given, which only grow."""
        return {
            one.id: (one.facts, frozenset((m.id, m.seq) for m in one.messages), one.merged_into)
            for one in self.places.values()
            if one.messages or one.merged_into is None
        }

    def keep(self, done: Done) -> None:
        self.places |= {done.source.id: done.source, done.target.id: done.target}
        self.done.append(done)

    def builds_on(self, done: Done) -> bool:
        """Whether a later operation that holds needs this one: the rule of `placement_rows.later_one`."""
        mine = {one.message_id for one in done.placed}
        both = {done.source.id, done.target.id}
        for later in self.done[self.done.index(done) + 1 :]:
            if mine & {one.message_id for one in later.placed}:
                return True
            if done.kind == "split" and done.target.id in (later.source.id, later.target.id):
                return True
            if later.kind == "merge" and later.source.id in both:
                return True
        return False

    def undo(self, done: Done) -> None:
        source, target = self.places[done.source.id], self.places[done.target.id]
        _, home, left = placements.undo(done.kind, done.placed, source, target, done.source_before, done.target_before)
        self.places |= {home.id: home, left.id: left}
        self.done.remove(done)

    def says(self, name: UUID, minute: int, direction: str, who: int) -> None:
        """A message comes in; what is merged away gets none."""
        one = self.places[name]
        if one.merged_into is None:
            self.made += 1
            seq = one.seq + 1
            message = said(seq, minute=minute, direction=direction, who=who, id=named(f"m{self.made}"))
            grown = replace(one, seq=seq, messages=(*one.messages, message))
            self.places[name] = replace(grown, facts=facts_of(grown))


def operate(world: World, kind: str, a: UUID, b: UUID, pick: int) -> None:
    """One operation; what is refused changes nothing."""
    source = world.places[a]
    try:
        if kind == "merge":
            world.keep(placements.merge(source, world.places[b]))
        elif kind == "move" and source.messages:
            world.keep(placements.move(source, world.places[b], source.messages[pick % len(source.messages)].id))
        elif kind == "split":
            world.made += 1
            some = [one.id for n, one in enumerate(source.messages) if pick >> n & 1]
            world.keep(placements.split(source, named(f"n{world.made}"), some))
    except (Conflict, Unprocessable):
        return


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["merge", "move", "split", "undo", "say"]), st.integers(0, 9), st.integers(0, 9), st.integers(0, 255),
        st.sampled_from(["in", "out", "note"]),
    ),
    max_size=25,
)  # fmt: skip
WORLDS = st.lists(
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["in", "in", "out", "note"]), st.integers(0, 1)), min_size=1, max_size=5),
    min_size=2, max_size=4,
)  # fmt: skip


def world_of(drawn: list[list[tuple[int, str, int]]]) -> World:
    world = World()
    for n, messages in enumerate(drawn):
        world.places[named(n)] = place(str(n), who=n % 2, id=named(n))
        for minute, direction, who in messages:
            world.says(named(n), minute, direction, who)
    return world


@settings(max_examples=200, deadline=None)
@given(WORLDS, STEPS)
@example(
    [[(0, "in", 0)], [(0, "in", 1)], [(0, "in", 0)]],
    [("say", 0, 0, 0, "in")] * 2 + [("merge", 1, 2, 0, "in"), ("merge", 0, 2, 0, "in")],
)
def test_whatever_was_done_undoing_all_of_it_in_any_allowed_order_restores_everything(
    drawn: list[list[tuple[int, str, int]]], steps: list[tuple[str, int, int, int, str]]
) -> None:
    world = world_of(drawn)
    before = world.view()
    everything = {one.id for place_ in world.places.values() for one in place_.messages}
    for kind, a, b, pick, _ in steps:
        names = sorted(world.places)
        if kind == "undo" and world.done:
            done = world.done[a % len(world.done)]
            if not world.builds_on(done):
                world.undo(done)
        elif kind != "say":
            operate(world, kind, names[a % len(names)], names[b % len(names)], pick)
        held = [(one.id, place_.id) for place_ in world.places.values() for one in place_.messages]
        assert {message for message, _ in held} == everything
        assert len(held) == len(everything)
        for place_ in world.places.values():
            numbers = [one.seq for one in place_.messages]
            assert len(set(numbers)) == len(numbers)
            assert all(number <= place_.seq for number in numbers)
            assert place_.merged_into is None or not place_.messages
    while world.done:
        free = [one for one in world.done if not world.builds_on(one)]
        assert free, "the newest operation can always be undone"
        world.undo(free[len(steps) % len(free)])
    assert world.view() == before


@settings(max_examples=200, deadline=None)
@given(WORLDS, STEPS)
def test_what_is_said_meanwhile_stays_and_the_facts_are_true(
    drawn: list[list[tuple[int, str, int]]], steps: list[tuple[str, int, int, int, str]]
) -> None:
    world = world_of(drawn)
    for kind, a, b, pick, direction in steps:
        names = sorted(world.places)
        name = names[a % len(names)]
        if kind == "say":
            world.says(name, pick, direction, b % 2)
        elif kind == "undo":
            if world.done and not world.builds_on(world.done[-1]):
                world.undo(world.done[-1])
        else:
            operate(world, kind, name, names[b % len(names)], pick)
    count = sum(len(one.messages) for one in world.places.values())
    while world.done:
        world.undo(world.done[-1])
    assert sum(len(one.messages) for one in world.places.values()) == count
    for one in world.places.values():
        if one.merged_into is None:
            assert one.facts == facts_of(one)


def test_facts_that_its_messages_alone_would_not_say_come_back_as_they_were() -> None:
    # The last one taken in was accepted before the one before it: intake kept its time, and so does an undo.
    source, target = place("a", said(1)), place("b", said(2, minute=9), said(3, minute=8))
    odd = replace(target, facts=replace(target.facts, last_in_at=said(3, minute=8).at))
    done = placements.merge(source, odd)
    _, home, left = placements.undo("merge", done.placed, done.source, done.target, done.source_before, done.target_before)
    assert left.facts == odd.facts
    assert home.messages == source.messages


def test_a_machines_word_is_not_what_a_conversation_answers() -> None:
    person, machine = said(1), said(2, who=1, machine=True, work=False)
    assert facts_of(place("a", person, machine)) == facts_of(place("a", person))
    assert facts_of(place("a", machine)).last_in_at is None
