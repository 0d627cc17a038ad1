"""Agents' presence and the lease that says they are there.

The lease (30 s) is renewed while the agent's socket answers protocol pings, never by a page's timer. All but ``online`` block new
offers; none drops existing work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, get_args
from uuid import UUID

from router.item.admission import Presence
from router.moves.moves import feed, numbered
from shared.database import Connection
from shared.errors import NotFound, Unprocessable
from shared.event import Event
from shared.ids import new_id
from shared.outbox import record

LEASE_S: Final = 30
PRESENCES: Final[tuple[str, ...]] = get_args(Presence)
CHANNEL_PRESENCES: Final = ("online", "busy", "away", "offline")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentView:
    """An agent's presence and load."""

    id: UUID
    name: str
    presence: str
    reason: str
    used: int
    budget: int
    counts: dict[str, int]
    lease_until: datetime | None
    seq: int
    presences: dict[str, str]
    off_shift: bool


async def set_presence(
    connection: Connection, *, workspace_id: UUID, agent_id: UUID, presence: str, reason: str = "", actor: str = "",
    channels: Mapping[str, str] | None = None,
) -> AgentView:  # fmt: skip
    """Changes an agent's presence; the event carries how long the last one lasted. Setting the same again writes nothing.

    ``channels`` closes single channels while the agent is online for the others: channel → away, busy or offline. It replaces
    what was closed before; None leaves that as it is, and going offline opens all of them again.

    Going online takes the lease too, so that an agent who has just come can be offered work before the first ping.
    """
    if presence not in PRESENCES:
        raise Unprocessable(f"{presence!r} is no presence", field="presence", remedy=f"one of {', '.join(PRESENCES)}")
    for channel, one in (channels or {}).items():
        if one not in CHANNEL_PRESENCES:
            remedy = f"one of {', '.join(CHANNEL_PRESENCES)}"
            raise Unprocessable(f"{one!r} is no presence on a channel", field=f"channels.{channel}", remedy=remedy)
    before = await connection.fetchrow(
        "select presence, presence_reason, presence_at, presences from santral.agent where workspace_id = $1 and id = $2 for no key update",
        workspace_id, agent_id,
    )  # fmt: skip
    if before is None:
        raise NotFound("no such agent", field="agent_id")
    closed = dict(before["presences"]) if channels is None else {name: one for name, one in channels.items() if one != "online"}
    if presence == "offline":
        closed = {}
    if (before["presence"], before["presence_reason"], before["presences"]) == (presence, reason, closed):
        await renew_lease(connection, workspace_id=workspace_id, agent_id=agent_id)
        return await agent_view(connection, workspace_id=workspace_id, agent_id=agent_id)
    at = await connection.fetchval(
        "update santral.agent set presence = $3, presence_reason = $4, version = version + 1, presences = $6,"
        " presence_at = case when presence = $3 and presence_reason = $4 then presence_at else clock_timestamp() end,"
        " online_since = case when $3 = 'online' and presence not in ('online', 'busy') then clock_timestamp() else online_since end,"
        " lease_until = case when $3 = 'offline' then lease_until"
        " else greatest(lease_until, clock_timestamp() + $5 * interval '1 s') end,"
        " idle_since = case when $3 = 'online' and presence <> 'online' then clock_timestamp() else idle_since end"
        " where workspace_id = $1 and id = $2 returning clock_timestamp()",
        workspace_id, agent_id, presence, reason, LEASE_S, closed,
    )  # fmt: skip
    data = {
        "presence": presence,
        "reason": reason,
        "before": before["presence"],
        "before_reason": before["presence_reason"],
        "lasted_ms": int((at - before["presence_at"]).total_seconds() * 1000),
        "actor": actor or f"agent:{agent_id}",
    }
    if closed or before["presences"]:
        data["channels"] = closed
    event = Event(id=new_id(), workspace_id=workspace_id, type="presence.changed", at=at, agent_id=agent_id, data=data)
    await record(connection, await numbered(connection, [event]))
    await feed(connection, [(workspace_id, "agent", agent_id)])
    return await agent_view(connection, workspace_id=workspace_id, agent_id=agent_id)


async def note_no_answer(connection: Connection, *, workspace_id: UUID, agent_id: UUID, offer_id: UUID) -> None:
    """An offer ran out at an agent: not responding, until they say otherwise. What they chose after it began stands."""
    heard = await connection.fetchval(
        "select a.presence in ('online', 'busy') and a.presence_at <= o.made_at from santral.offer o"
        " join santral.agent a on a.workspace_id = o.workspace_id and a.id = o.agent_id"
        " where o.workspace_id = $1 and o.id = $2 and a.id = $3",
        workspace_id, offer_id, agent_id,
    )  # fmt: skip
    if heard:
        await set_presence(
            connection, workspace_id=workspace_id, agent_id=agent_id, presence="not_responding", reason="offer not answered",
            actor="dispatch",
        )  # fmt: skip


async def renew_lease(connection: Connection, *, workspace_id: UUID, agent_id: UUID) -> None:
    """Keeps the agent's lease for another 30 s of the database's clock, and tells dispatch."""
    renewed = await connection.fetchval(
        "with before as (select workspace_id, id, lease_until from santral.agent"
        " where workspace_id = $1 and id = $2 for no key update)"
        " update santral.agent a set lease_until = clock_timestamp() + $3 * interval '1 s', version = version + 1,"
        # Who was lost and is back has just come online, as far as filling them up goes.
        " online_since = case when before.lease_until > clock_timestamp() then a.online_since else clock_timestamp() end"
        " from before where a.workspace_id = before.workspace_id and a.id = before.id"
        " returning a.id",
        workspace_id, agent_id, LEASE_S,
    )  # fmt: skip
    if renewed is not None:
        await feed(connection, [(workspace_id, "agent", agent_id)])


async def agent_view(connection: Connection, *, workspace_id: UUID, agent_id: UUID) -> AgentView:
    """The agent as it stands. Raises `NotFound`."""
    row = await connection.fetchrow(
        "select id, name, presence, presence_reason, used, budget, counts, lease_until, seq, presences, off_shift from santral.agent"
        " where workspace_id = $1 and id = $2",
        workspace_id, agent_id,
    )  # fmt: skip
    if row is None:
        raise NotFound("no such agent", field="agent_id")
    return AgentView(
        id=row["id"], name=row["name"], presence=row["presence"], reason=row["presence_reason"], used=row["used"],
        budget=row["budget"], counts=row["counts"], lease_until=row["lease_until"], seq=row["seq"], presences=row["presences"],
        off_shift=row["off_shift"],
    )  # fmt: skip
