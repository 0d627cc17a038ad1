"""Moving messages between conversations: merge, split, move, and the exact undo of each. Pure; no I/O.

| kind | what it does | its undo |
|---|---|---|
| merge | all messages of a conversation go into another; it is gone into that one | they go back, the conversation is there again |
| split | some messages become a new conversation | they go back, and with them whatever was said there since; the new one is gone |
| move | one message goes into another conversation | it goes back |

A message that comes into a conversation takes its next number there; one that goes back takes the number it had. What a conversation
knows of its messages (when the customer wrote last, and how) is worked out anew from those that are there.
**Identity**: messages and conversations are their ids. **Units**: times aware UTC.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from router.item.calls import CALLS
from shared.errors import Conflict, Unprocessable
from shared.message import AMENDMENTS

Kind = Literal["merge", "split", "move"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A message in a conversation, at its number. ``work``: the customer's words that ask for an answer; ``machine``: a program's;
    ``aside``: words that moved nothing of who is answered; ``amends``: the message here that an edit, a deletion or a reaction is about."""

    id: UUID
    seq: int
    direction: str
    kind: str
    channel: str
    at: datetime
    inbox_id: UUID
    handle_id: UUID | None
    work: bool = False
    machine: bool = False
    aside: bool = False
    amends: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a conversation knows of its messages: with what and how it is answered follows from it."""

    last_in_at: datetime | None
    last_out_at: datetime | None
    last_inbox_id: UUID
    last_handle_id: UUID
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A conversation: ``channel``, ``inbox_id`` and ``handle_id`` are those it began with, ``seq`` the last number given."""

    id: UUID
    channel: str
    inbox_id: UUID
    handle_id: UUID
    visibility: str
    seq: int
    facts: Facts
    messages: tuple[Said, ...] = ()
    merged_into: UUID | None = None
    erased: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One message's way from a number in one conversation to a number in another."""

    message_id: UUID
    from_id: UUID
    from_seq: int
    to_id: UUID
    to_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """A conversation's facts as they were, and as its messages alone would have said then."""

    facts: Facts
    worked_out: Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What an operation did: both conversations after it, the messages in their order, and what an undo needs."""

    kind: Kind
    placed: tuple[Placed, ...]
    source: Place
    target: Place
    source_before: Before
    target_before: Before


def facts_of(place: Place) -> Facts:
    """A conversation's facts by its messages: of two, the later counts; of two at once, the one with the higher number."""
    came = [one for one in place.messages if one.direction == "in" and not one.machine]
    spoken = [one for one in came if one.kind not in AMENDMENTS] or came
    sent = [one for one in place.messages if one.direction == "out" and one.kind not in AMENDMENTS]
    ordered = sorted(spoken, key=lambda one: (one.at, one.seq))
    moved = [one for one in ordered if not one.aside] or ordered
    # A call beside words says when the customer last spoke to us, not where they are answered.
    last = next(reversed([one for one in moved if one.kind not in CALLS] or moved), None)
    return Facts(
        last_in_at=ordered[-1].at if ordered else None,
        last_out_at=max((one.at for one in sent), default=None),
        last_inbox_id=place.inbox_id if last is None else last.inbox_id,
        last_handle_id=place.handle_id if last is None or last.handle_id is None else last.handle_id,
        channels=tuple(dict.fromkeys((place.channel, *(one.channel for one in ordered)))),
    )


def unanswered(place: Place, among: Collection[UUID] | None = None) -> Said | None:
    """The first of the customer's words that nobody has answered in this conversation; of these messages, where some are named."""
    asked = [
        one
        for one in place.messages
        if one.work and (among is None or one.id in among) and (place.facts.last_out_at is None or one.at > place.facts.last_out_at)
    ]
    return min(asked, key=lambda one: (one.at, one.seq), default=None)


def merge(source: Place, target: Place) -> Done:
    """All of ``source`` goes into ``target``. Raises `Unprocessable`, `Conflict`."""
    _require_fit(source, target)
    return _carried("merge", source, target, source.messages, headed=True)


def split(source: Place, new_id: UUID, messages: Collection[UUID]) -> Done:
    """These messages become the conversation ``new_id``, of the handle and inbox of the first of them that the customer wrote.

    Raises `Unprocessable` for messages that are not there, or that leave nothing behind.
    """
    _require_there(source)
    going = _picked(source, messages)
    if not going:
        raise Unprocessable("no messages", field="messages", remedy="name those that become a conversation of their own")
    _require_something_left(source, going, "messages")
    came = [one for one in going if one.direction == "in"]
    first = min(came, key=lambda one: (one.machine, one.aside, one.at, one.seq), default=None)
    target = Place(
        id=new_id,
        channel=going[0].channel if first is None else first.channel,
        inbox_id=source.inbox_id if first is None else first.inbox_id,
        handle_id=source.handle_id if first is None or first.handle_id is None else first.handle_id,
        visibility=source.visibility,
        seq=1,
        facts=source.facts,
    )
    return _carried("split", source, replace(target, facts=facts_of(target)), going, headed=True)


def move(source: Place, target: Place, message: UUID) -> Done:
    """One message goes into another conversation. Raises `Unprocessable`, `Conflict`."""
    _require_fit(source, target)
    going = _picked(source, {message})
    if not going:
        raise Conflict("the message is in another conversation by now", field="message_id", remedy="read it again")
    _require_something_left(source, going, "message_id")
    return _carried("move", source, target, going, headed=False)


def undo(
    kind: Kind, placed: Sequence[Placed], source: Place, target: Place, source_before: Before, target_before: Before
) -> tuple[tuple[Placed, ...], Place, Place]:
    """The messages' way back, and both conversations after it: ``source`` is where they came from, ``target`` where they are.

    What was said since in a conversation that a split made comes along, at new numbers. Raises `Conflict` where a message is not
    where the operation put it.
    """
    there = {one.id: one for one in target.messages}
    if any(one.message_id not in there for one in placed):
        raise Conflict("a message of it is elsewhere by now", field="operation_id", remedy="undo what was done later first")
    back = [
        Placed(
            message_id=one.message_id, from_id=target.id, from_seq=there[one.message_id].seq, to_id=source.id, to_seq=one.from_seq
        )
        for one in placed
    ]
    since = _in_order(one for one in target.messages if one.id not in {way.message_id for way in placed}) if kind == "split" else []
    first = source.seq + 2
    back += [
        Placed(message_id=one.id, from_id=target.id, from_seq=one.seq, to_id=source.id, to_seq=first + n)
        for n, one in enumerate(since)
    ]
    returned = [replace(there[way.message_id], seq=way.to_seq) for way in back]
    gone = {way.message_id for way in back}
    home = replace(
        source,
        messages=_by_number((*source.messages, *returned)),
        seq=source.seq + 1 + len(since),
        merged_into=None if kind == "merge" else source.merged_into,
    )
    left = replace(
        target,
        messages=tuple(one for one in target.messages if one.id not in gone),
        seq=target.seq + 1,
        merged_into=source.id if kind == "split" else target.merged_into,
    )
    home = replace(home, facts=home.facts if kind == "merge" else restored(home, source_before))
    left = replace(left, facts=left.facts if kind == "split" else restored(left, target_before))
    return tuple(back), home, left


def restored(place: Place, before: Before) -> Facts:
    """A conversation's facts after an undo: exactly what they were, except for what its messages say otherwise now."""
    now = facts_of(place)
    if now == before.worked_out:
        return before.facts
    values = {
        name: getattr(before.facts if getattr(now, name) == getattr(before.worked_out, name) else now, name)
        for name in ("last_out_at", "channels")
    }
    # Two may have written at once: the time alone does not say that the last word is the same one's.
    last = before.facts if _last_word(now) == _last_word(before.worked_out) else now
    return replace(now, last_in_at=last.last_in_at, last_inbox_id=last.last_inbox_id, last_handle_id=last.last_handle_id, **values)


def _last_word(facts: Facts) -> tuple[datetime | None, UUID, UUID]:
    return facts.last_in_at, facts.last_inbox_id, facts.last_handle_id


def _carried(kind: Kind, source: Place, target: Place, going: Iterable[Said], *, headed: bool) -> Done:
    """``headed``: an event of the operation itself takes a number in the target before the messages do."""
    first = target.seq + (2 if headed else 1)
    ordered = _in_order(going)
    placed = tuple(
        Placed(message_id=one.id, from_id=source.id, from_seq=one.seq, to_id=target.id, to_seq=first + n)
        for n, one in enumerate(ordered)
    )
    gone = {one.message_id for one in placed}
    left = replace(source, messages=tuple(one for one in source.messages if one.id not in gone), seq=source.seq + 1)
    arrived = [replace(one, seq=way.to_seq) for one, way in zip(ordered, placed, strict=True)]
    filled = replace(target, messages=(*target.messages, *arrived), seq=first + len(ordered) - 1)
    return Done(
        kind=kind,
        placed=placed,
        # What was merged away keeps its facts: nothing is written there until it is back.
        source=replace(left, merged_into=target.id) if kind == "merge" else replace(left, facts=facts_of(left)),
        target=replace(filled, facts=facts_of(filled)),
        source_before=Before(facts=source.facts, worked_out=facts_of(source)),
        target_before=Before(facts=target.facts, worked_out=facts_of(target)),
    )


def _require_fit(source: Place, target: Place) -> None:
    if source.id == target.id:
        raise Unprocessable("it is the same conversation", field="conversation", remedy="name another one")
    _require_there(source)
    _require_there(target)
    if source.visibility != target.visibility:
        raise Conflict(
            "one of them is public, the other is not",
            field="conversation",
            remedy="an answer would go to the wrong place; keep them apart",
        )


def _require_there(place: Place) -> None:
    if place.merged_into is not None:
        raise Conflict(
            f"the conversation {place.id} was merged into {place.merged_into}", field="conversation",
            remedy=f"use {place.merged_into}, or undo the merge first", conversation_id=str(place.merged_into),
        )  # fmt: skip
    if place.erased:
        raise Conflict(
            f"the customer of the conversation {place.id} was erased",
            field="conversation",
            remedy="what is left of it stays where it is",
        )


def _picked(source: Place, messages: Collection[UUID]) -> list[Said]:
    there = {one.id for one in source.messages}
    missing = sorted(str(one) for one in messages if one not in there)
    if missing:
        raise Unprocessable(
            f"not in this conversation: {', '.join(missing[:5])}", field="messages", remedy="ids of messages of this conversation"
        )
    # What amends a message goes where the message goes: left behind, what was deleted would be read again.
    heads = {one.amends or one.id for one in source.messages if one.id in set(messages)}
    return [one for one in source.messages if (one.amends or one.id) in heads]


def _require_something_left(source: Place, going: Sequence[Said], field: str) -> None:
    left = {one.id for one in source.messages if one.direction != "note"} - {one.id for one in going}
    if not left:
        raise Unprocessable(
            "nothing would be left of the conversation",
            field=field,
            remedy="merge the whole conversation into the other one instead",
        )


def _in_order(messages: Iterable[Said]) -> list[Said]:
    """As they were said; what came at once, by number."""
    return sorted(messages, key=lambda one: (one.at, one.seq))


def _by_number(messages: Iterable[Said]) -> tuple[Said, ...]:
    return tuple(sorted(messages, key=lambda one: one.seq))
