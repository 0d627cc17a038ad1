"""A call joined from its rows: which way it went, who called, who answered, how long somebody waited and talked. Pure.

Missed means that no device of the house answered: a row says ``ANSWERED`` for a caller who heard music or left a voicemail too. Of a
call that we made, the customer's line answers, and whoever placed it is its agent. Paths between devices of the house tell nothing of a
customer; where a call has no others it is none of a customer's.

Source: Asterisk, "CDR Specification". **Identity**: the rows' call id. **Units**: seconds; times aware UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from ingest.phone.cdr import Row, device_of
from ingest.phone.switchboard import Direction, Switchboard
from shared.callers import is_no_name

_VOICEMAIL: Final = frozenset({"voicemail", "minivmrecord"})


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedCall:
    """A call's rows as one. ``number`` and ``name`` are the customer's, empty where nobody is named.

    ``wait_s``: from the first ring to whoever answered; ``talk_s``: while anybody was talking to the customer. ``agents``: devices of
    the house that talked to the customer, in order, or where nobody did, that rang; of our own calls that placed them.
    """

    call_id: str
    kind: Literal["call", "missed_call", "voicemail"]
    direction: Literal["in", "out"]
    number: str
    name: str
    caller: str
    callee: str
    answered: bool
    started_at: datetime
    ended_at: datetime
    wait_s: int
    talk_s: int
    agents: tuple[str, ...]
    dispositions: tuple[str, ...]


def joined(rows: Sequence[Row], board: Switchboard) -> JoinedCall | None:
    """A call from all its rows, in any order; None for one inside the house."""
    unique = {row.key: row for row in rows}.values()
    ordered = sorted(unique, key=lambda row: (row.start, _is_local(row), row.sequence, row.key))
    ways = [(board.direction(row), row) for row in ordered]
    customers = [one for one in ways if one[0] != "internal"]
    if not customers:
        return None
    # The switchboard's own paths tell the way only where there are no others, and a call that it places for an agent is ours.
    way, first = min(customers, key=lambda one: (_is_local(one[1]), _is_local(one[1]) and one[0] == "in"))
    direction: Literal["in", "out"] = "out" if way == "out" else "in"
    taken, agents = _parties(board, ways, outgoing=direction == "out", caller=first.channel)
    ended_at = max(row.end for row in ordered)
    answered_at = min((row.answer for row in taken if row.answer is not None), default=ended_at)
    number = first.src if direction == "in" else first.dst
    return JoinedCall(
        call_id=first.call_id,
        kind=_kind(direction, [row for row in ordered if row.channel == first.channel or _is_local(row)], answered=bool(taken)),
        direction=direction,
        number=number if board.is_customers(number) else "",
        name=_name(first, ordered, board) if direction == "in" else "",
        caller=first.src,
        callee=first.dst,
        answered=bool(taken),
        started_at=first.start,
        ended_at=ended_at,
        wait_s=max(0, int((answered_at - first.start).total_seconds())),
        talk_s=_covered_s(taken),
        agents=tuple(dict.fromkeys(filter(None, agents))),
        dispositions=tuple(row.disposition for row in ordered),
    )


def _parties(
    board: Switchboard, ways: Sequence[tuple[Direction, Row]], *, outgoing: bool, caller: str
) -> tuple[list[Row], list[str]]:
    """The paths on which the customer was talked to, and the devices that talked or placed the call, empty ones among them.

    Where nobody talked, those that rang. What an agent dials beside a customer's call, to ask somebody, is no answer to that customer.
    """
    taken, agents, rang = [], [], []
    for way, row in ways:
        if way == "out":
            agents.append(board.placed_by(row) if outgoing else "")
            talks = outgoing and board.reached_customer(row)
        elif board.reached_agent(row, caller=caller):
            rang.append(device_of(row.dst_channel))
            talks = not outgoing or (way == "in" and not _is_local(row))
        else:
            continue
        if talks and row.answered:
            taken.append(row)
    talked = [] if outgoing else [device_of(row.dst_channel) for row in sorted(taken, key=lambda row: row.answer or row.start)]
    return taken, [*agents, *(talked or rang)]


def _is_local(row: Row) -> bool:
    return row.channel.startswith("Local/")


def _kind(direction: str, theirs: Sequence[Row], *, answered: bool) -> Literal["call", "missed_call", "voicemail"]:
    """A call that ended in a mailbox is a voicemail, also when somebody answered before and passed it on: there is something to hear.

    ``theirs``: the caller's own paths. An agent who listens to a mailbox meanwhile left nothing in it.
    """
    if direction == "out":
        return "call"
    mailboxes = [row.app.lower() in _VOICEMAIL for row in theirs]
    if mailboxes[-1] or (not answered and any(mailboxes)):
        return "voicemail"
    return "call" if answered else "missed_call"


def _name(first: Row, ordered: Sequence[Row], board: Switchboard) -> str:
    """What the caller is called: only the caller's own rows tell, and nothing where the number does not name a person."""
    if not board.is_customers(first.src):
        return ""
    return next((row.name for row in ordered if row.src == first.src and row.name and not is_no_name(row.name)), "")


def _covered_s(rows: Sequence[Row]) -> int:
    """Seconds in which at least one of these rows was talking; overlapping legs count once."""
    covered, until = 0.0, datetime.min.replace(tzinfo=UTC)
    for row in sorted(rows, key=lambda row: row.answer or row.start):
        begin = max(row.answer or row.start, until)
        if row.end > begin:
            covered += (row.end - begin).total_seconds()
            until = row.end
    return int(covered)
