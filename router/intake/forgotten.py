"""Keeping what was observed before somebody's erasure from coming in again: replays, late deliveries, what others say of them.

**Units**: times aware UTC. Identity: a person by their handles' tombstones.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from profiles.erasure_tombstones import ScopedHandle, erased_at
from router.intake.arrivals import Arrival
from router.intake.batch_view import Key
from shared.database import Connection
from shared.message import InboundMessage, Sender

CLOCK_SKEW: Final[Mapping[str, timedelta]] = {"email": timedelta(hours=1)}
"""How far the writer's own clock may be behind: a mail's date is what its sender's machine believes."""

_REMOVE: Final = """
insert into santral.blob_removal (workspace_id, key, cause) select w, k, $3 from unnest($1::uuid[], $2::text[]) as g(w, k)
on conflict do nothing
"""
_INTAKE: Final = UUID(int=0)


async def forgotten(
    connection: Connection, secret: bytes, arrivals: Sequence[Arrival], buried: Collection[UUID]
) -> tuple[set[Key], list[Arrival]]:
    """What may not come in, because its sender was erased after it was observed; and the arrivals with others' erased handles left out.

    ``buried``: the workspaces in which anybody was ever erased; of the others nothing is asked.
    """
    asked = [one for one in arrivals if one.workspace_id in buried and one.message is not None]
    named: set[ScopedHandle] = {(one.workspace_id, who.handle()) for one in asked for who in people(one.message)}
    known = await erased_at(connection, secret, {one for one in named if "\x00" not in str(one[1])})
    refused: set[Key] = set()
    kept: list[Arrival] = []
    originals: list[tuple[UUID, str]] = []
    for arrival in arrivals:
        message = arrival.message
        if message is None or not known:
            kept.append(arrival)
            continue
        gone = {
            who
            for who in people(message)
            if (at := known.get((arrival.workspace_id, who.handle()))) is not None and observed_at(message) < at
        }
        if message.sender in gone:
            refused.add((arrival.workspace_id, arrival.id))
        if gone and message.sender not in gone:
            originals += [(arrival.workspace_id, one.blob) for one in message.parts if one.role == "original"]
        kept.append(replace(arrival, message=_without(message, gone)) if gone else arrival)
    if originals:
        await connection.execute(_REMOVE, [one for one, _ in originals], [key for _, key in originals], _INTAKE)
    return refused, kept


async def are_forgotten(connection: Connection, secret: bytes, messages: Sequence[InboundMessage]) -> list[bool]:
    """Of each message, whether its sender was erased after it was observed. They are of any workspace."""
    asked = {(one.workspace_id, one.sender.handle()) for one in messages if one.sender is not None}
    known = await erased_at(connection, secret, asked)

    def is_forgotten(message: InboundMessage) -> bool:
        at = known.get((message.workspace_id, message.sender.handle())) if message.sender is not None else None
        return at is not None and observed_at(message) < at

    return [is_forgotten(one) for one in messages]


def observed_at(message: InboundMessage) -> datetime:
    """When the customer said it: our clock or the provider's, whichever is earlier, with an allowance for clocks of customers."""
    if message.sent_at is None:
        return message.accepted_at
    return min(message.accepted_at, message.sent_at + CLOCK_SKEW.get(message.channel, timedelta()))


def people(message: InboundMessage | None) -> tuple[Sender, ...]:
    """Everybody whom a message names: who wrote it, their further handles, who takes part."""
    if message is None:
        return ()
    return (*(() if message.sender is None else (message.sender,)), *message.other_handles, *message.participants)


def _without(message: InboundMessage, gone: Collection[Sender]) -> InboundMessage:
    return message.model_copy(
        update={
            "other_handles": tuple(one for one in message.other_handles if one not in gone),
            "participants": tuple(one for one in message.participants if one not in gone),
            "original": None,
            "parts": tuple(one for one in message.parts if one.role != "original"),
        }
    )
