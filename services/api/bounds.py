"""How much of each kind of configuration a workspace may have: said here once, asked when it is saved (docs/reference/bounds.md).

Routers, gateways and couriers keep every workspace's configuration in memory, and one's must not cost the others theirs. What was saved
before a bound stays and may be replaced by less; `santral doctor` names it. Who saves at the same moment may come as many beyond.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from router.signals.signals import OWN_WORD_CHARS_MAX, OWN_WORDS_MAX, own_words
from router.workspace.tables import queue, queue_member
from shared.errors import Unprocessable
from shared.own_addresses import OWN_ADDRESSES_MAX

BOUNDS: Final[Mapping[str, int]] = {
    "roles": 200,
    "skills": 1_000,
    "users": 10_000,
    "connections": 100,
    "inboxes": 1_000,
    "calendars": 500,
    "queues": 1_000,
    "plans": 1_000,
    "slas": 500,
    "agents": 10_000,
}
"""Of a workspace, by the path that they stand under."""
ENTRIES: Final[Mapping[str, int]] = {
    "languages": 50,
    "keywords": 50,
    "skills": 200,
    "queues": BOUNDS["queues"],
    "channels": 50,
    "goals_s": 50,
    "targets_s": 50,
    "terms": 50,
    "mask_numbers": BOUNDS["inboxes"],
}
"""Entries of a list or an object, by the field of an agent, a queue or the workspace's settings."""
KEYS_MAX: Final = 1_000
"""API keys of a workspace that are not revoked."""
SHIFTS_MAX: Final = 1_000
"""Dated shifts and leave of an agent that are not over."""
MEMBERSHIPS_MAX: Final = 100_000
"""Places of a workspace's agents in its queues."""
SETTINGS_CHARS_MAX: Final = 5_000_000
"""Of the settings of a workspace's inboxes and connections as JSON, with their secrets."""
LIMITED_QUEUES_MAX: Final = 100
"""Queues of a workspace that say how many of their items an agent may have: dispatch counts each of them at every agent."""
_REMEDY: Final = "delete what is not used, or use another workspace"
_TOTAL: Final = sa.text("""
select coalesce(sum(of_one.own), 0)::bigint as own, coalesce(sum(of_one.chars), 0)::bigint as chars from (
    select coalesce(x.channel in ('email', 'phone') and x.address > '', false)::int
             + case when jsonb_typeof(more.listed) = 'array' then jsonb_array_length(more.listed) else 0 end as own,
           length(x.settings::text) + coalesce(length(x.secrets), 0) as chars
    from santral.inbox x cross join lateral (
        select case when x.channel = 'phone' then x.settings->'numbers' when x.provider = 'smtp' then x.settings->'aliases' end as listed
    ) more where x.workspace_id = :workspace
    union all
    select 0, length(settings::text) + coalesce(length(secrets), 0) from santral.connection where workspace_id = :workspace
    union all
    select case when jsonb_typeof(settings->'own_addresses') = 'array' then jsonb_array_length(settings->'own_addresses') else 0 end, 0
    from santral.workspace where id = :workspace
) of_one
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """What something saved brings along: addresses of the workspace's own, characters of settings and secrets."""

    own: int = 0
    chars: int = 0


def weight_of(row: Mapping[str, Any] | None) -> Weight:
    """Of an inbox or a connection, as it is stored or about to be."""
    if row is None:
        return Weight()
    settings, channel = row["settings"], row.get("channel")
    listed = settings.get("numbers") if channel == "phone" else settings.get("aliases") if row["provider"] == "smtp" else None
    own = int(channel in ("email", "phone") and bool(row.get("address"))) + (len(listed) if isinstance(listed, list) else 0)
    return Weight(own=own, chars=len(json.dumps(settings, ensure_ascii=False)) + len(row["secrets"] or b""))


async def require_room(connection: AsyncConnection, workspace_id: UUID, kind: str, table: sa.Table) -> None:
    """Before one more of a kind of `BOUNDS` is made. Raises `Unprocessable` where there are as many as may be."""
    there = await connection.scalar(sa.select(sa.func.count()).where(table.c.workspace_id == workspace_id))
    if there is not None and there >= BOUNDS[kind]:
        raise too_many(kind, BOUNDS[kind])


def require_few_entries(given: BaseModel, *, where: str = "") -> None:
    """Before something is saved. Raises `Unprocessable` naming the field that has more entries than it may."""
    for name, most in ENTRIES.items():
        entries = getattr(given, name, None)
        if isinstance(entries, list | dict) and len(entries) > most:
            raise Unprocessable(f"more than {most} entries", field=f"{where}{name}", remedy=f"at most {most}")


def require_few_keywords(given: Mapping[str, Any], before: Any) -> None:
    """Before a workspace's own words are saved. Raises `Unprocessable` naming the list that has more or longer ones than count, and than before.

    ``before``: what is stored, whatever it is.
    """
    for name, listed in given.items():
        words, known = own_words(listed), own_words(before.get(name) if isinstance(before, Mapping) else None)
        field = f"settings.keywords.{name}"
        if len(words) > max(OWN_WORDS_MAX, len(known)):
            raise Unprocessable(f"more than {OWN_WORDS_MAX} words", field=field, remedy=f"at most {OWN_WORDS_MAX} in a list")
        if max(map(len, words), default=0) > max([OWN_WORD_CHARS_MAX, *map(len, known)]):
            raise Unprocessable(
                f"a word of more than {OWN_WORD_CHARS_MAX} characters", field=field, remedy="give its beginning, by which it is found",
            )  # fmt: skip


async def require_light(connection: AsyncConnection, workspace_id: UUID, *, now: Weight, before: Weight, field: str) -> None:
    """Before something takes the place of what weighed ``before``. Raises `Unprocessable` where it is more than the workspace has room for.

    ``field`` names where addresses stand. What weighs no more than before may always be saved.
    """
    if now.own <= before.own and now.chars <= before.chars:
        return
    total = (await connection.execute(_TOTAL, {"workspace": workspace_id})).mappings().one()
    if now.own > before.own and total["own"] - before.own + now.own > OWN_ADDRESSES_MAX:
        raise Unprocessable(
            f"a workspace has at most {OWN_ADDRESSES_MAX} addresses and numbers of its own, all inboxes together", field=field,
            remedy="leave out those at which nobody writes to you, or use another workspace",
        )  # fmt: skip
    if now.chars > before.chars and total["chars"] - before.chars + now.chars > SETTINGS_CHARS_MAX:
        raise Unprocessable(
            f"the settings of a workspace's inboxes and connections have at most {SETTINGS_CHARS_MAX} characters together",
            field="settings", remedy=_REMEDY,
        )  # fmt: skip


async def require_few_memberships(connection: AsyncConnection, workspace_id: UUID, agent_id: UUID, given: int) -> None:
    """Before an agent has ``given`` places in queues. Raises `Unprocessable` where all agents' are too many, and these more than before."""
    mine = queue_member.c.workspace_id == workspace_id
    there = await connection.scalar(sa.select(sa.func.count()).where(mine)) or 0
    before = await connection.scalar(sa.select(sa.func.count()).where(mine, queue_member.c.agent_id == agent_id)) or 0
    if given > before and there - before + given > MEMBERSHIPS_MAX:
        raise too_many("places of agents in queues", MEMBERSHIPS_MAX, field="queues")


async def require_few_limited(connection: AsyncConnection, workspace_id: UUID, name: str) -> None:
    """Before the queue of this name limits how many of its items an agent may have. Raises `Unprocessable`."""
    others = sa.and_(queue.c.workspace_id == workspace_id, queue.c.items_max.is_not(None), queue.c.name != name)
    if (await connection.scalar(sa.select(sa.func.count()).where(others)) or 0) >= LIMITED_QUEUES_MAX:
        raise too_many("queues with items_max", LIMITED_QUEUES_MAX, field="items_max")


def too_many(kind: str, most: int, *, field: str | None = None) -> Unprocessable:
    """The error of whoever makes one more."""
    return Unprocessable(f"a workspace has at most {most} {kind}", field=field or kind, remedy=_REMEDY)
