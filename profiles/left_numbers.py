"""Numbers that somebody has no more: kept with them under a scope of their own, so that whoever has the number next is somebody else.

A number leaves its person where the network says so (a notice names the handle as `shared.handle.left` makes it), or where it comes with
another business-scoped id than before and nothing says that the one gave way to the other. The row keeps its id, its links and its history;
the number's own name is free for the next message. Ids of several businesses tell nothing of each other: a second id is another person only
where it came to an account at which the first was seen, or where connections say that both are one business's (their `portfolio`).

What somebody wrote from the number before it left them, and what comes late, is theirs still: `as_said`. Only a channel's own word takes a
number from anybody, and none that is still to be left: releases up to 0.1.0 took a caller's word for either.

**Identity**: the message by which the number left. Doing it twice changes nothing. **Units**: times aware UTC.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from profiles.handles import put_aside
from profiles.sighting import BUSINESS_ID, Key, SeenHandle, Sighting
from shared.database import Connection, Database
from shared.handle import Handle, is_left, left, left_at
from shared.ids import HandleId, WorkspaceId

NUMBERS: Final = frozenset({"phone", "wa_id"})
TURNS_MAX: Final = 5
# Which account an id of an earlier release was seen at nobody knows: there one connection that says nothing else is one business.
_COMPARABLE: Final = """(g.id_scope <> '' or g.account = any(u.accounts) or (g.account = '' or u.accounts = '{}') and 2 > (
    select count(*) from santral.connection c
    where c.workspace_id = g.w and c.provider = 'meta' and coalesce(c.settings->>'portfolio', '') = ''))"""
_LINKED: Final = """exists (
    select 1 from santral.link l
    join santral.handle u on u.workspace_id = l.workspace_id and u.id = case when l.a = h.id then l.b else l.a end and u.kind = 'bsuid'
    where l.workspace_id = h.workspace_id and h.id in (l.a, l.b) and l.kind = 'same_message' and l.assurance <> 'asserted'
      and l.retracted_at is null and (l.expires_at is null or l.expires_at > now())
      and u.scope = g.id_scope and {which})"""
_ITS_OWN: Final = _LINKED.format(which="g.ids ? u.value")
_ANOTHERS: Final = _LINKED.format(which=f"not g.ids ? u.value and {_COMPARABLE}")
# A number that comes with an id the notice does not name is its next owner's already: notices may be late.
_LEAVING: Final = f"""
select h.workspace_id, h.id, g.scope
from jsonb_to_recordset($1::jsonb) as g(w uuid, kind text, value text, told bool, scope text, id_scope text, ids jsonb, account text)
join santral.handle h on h.workspace_id = g.w and h.kind = g.kind and h.scope = '' and h.value = g.value
where case when g.told then g.ids = '[]' or {_ITS_OWN} or not {_ANOTHERS} else {_ANOTHERS} and not {_ITS_OWN} end
  and not exists (select 1 from santral.handle t
                  where t.workspace_id = g.w and t.kind = g.kind and t.scope = g.scope and t.value = g.value)
"""
# Whoever comes with an id is the one who left only by that id: what the next owner wrote may come in turned order.
_FORMER: Final = f"""
select g.place, h.kind, h.scope, h.value
from jsonb_to_recordset($1::jsonb) as g(place int, w uuid, kind text, value text, id_scope text, ids jsonb)
join santral.handle h on h.workspace_id = g.w and h.kind = g.kind and h.value = g.value and h.scope like 'left:%'
where g.ids = '[]' or {_ITS_OWN}
"""


def in_turns(sightings: Sequence[Sighting]) -> Iterator[list[Sighting]]:
    """The sightings in parts, in order: in none does a number come with two ids of one business, or after it left its person.

    Each part is a transaction that all others of the batch wait for, so a workspace makes `TURNS_MAX` of them at most: nobody's customers
    change their numbers more often at once, and what is said beyond that is taken as it comes.
    """
    turn: list[Sighting] = []
    held: dict[Key, set[_Id] | None] = {}
    turns: Counter[UUID] = Counter()
    for sighting in sightings:
        ids = {_Id(seen.handle, sighting.account) for seen in sighting.senders if seen.handle.kind == BUSINESS_ID}
        numbers = {
            (sighting.workspace_id, Handle(kind=seen.handle.kind, value=seen.handle.value)): is_left(seen.handle)
            for seen in sighting.senders
            if seen.handle.kind in NUMBERS
        }
        if turns[sighting.workspace_id] < TURNS_MAX and any(
            one in held and (gone or _is_anothers(held[one], ids)) for one, gone in numbers.items()
        ):
            turns[sighting.workspace_id] += 1
            yield turn
            turn, held = [], {}
        turn.append(sighting)
        held |= {one: None if gone else (held.get(one) or set()) | ids for one, gone in numbers.items()}
    if turn:
        yield turn


class _Id(NamedTuple):
    """An id with the account that it came to; a scope says of itself which business it is of."""

    handle: Handle
    account: str

    def is_comparable(self, other: _Id) -> bool:
        """Whether both are one business's, as far as they say."""
        if self.handle.scope != "" or other.handle.scope != "":
            return self.handle.scope == other.handle.scope
        return self.account == other.account or "" in (self.account, other.account)


def _is_anothers(before: Collection[_Id] | None, ids: Collection[_Id]) -> bool:
    if before is None:
        return True
    known = {one.handle for one in before}
    return all(one.handle not in known for one in ids) and any(one.is_comparable(other) for one in ids for other in before)


async def as_said(connection: Connection, sightings: Sequence[Sighting]) -> list[Sighting]:
    """The sightings with numbers that their writers left since they wrote under the names that these have now; one statement."""
    rows = [
        {"place": place, **_row(sighting, seen, _ids(sighting))}
        for place, sighting in enumerate(sightings)
        for seen in sighting.senders
        if seen.handle.kind in NUMBERS and not is_left(seen.handle)
    ]
    former: dict[int, dict[Handle, dict[datetime, Handle]]] = {}
    now = datetime.now(UTC)
    for row in await connection.fetch(_FORMER, rows) if rows else ():
        one = Handle(kind=row["kind"], scope=row["scope"], value=row["value"])
        if (at := left_at(one)) is not None and _said_at(sightings[row["place"]]) < at <= now:
            former.setdefault(row["place"], {}).setdefault(replace(one, scope=""), {})[at] = one
    return [_then(sighting, former[place]) if place in former else sighting for place, sighting in enumerate(sightings)]


def _then(sighting: Sighting, former: Mapping[Handle, Mapping[datetime, Handle]]) -> Sighting:
    names = {number: left_by[min(left_by)] for number, left_by in former.items()}
    return replace(sighting, senders=tuple(replace(seen, handle=names.get(seen.handle, seen.handle)) for seen in sighting.senders))


async def leaving(connection: Connection, sightings: Sequence[Sighting]) -> dict[tuple[WorkspaceId, HandleId], tuple[str, str]]:
    """Which rows these messages take from whom they were before, with the scopes they have and get; of one part of `in_turns`."""
    rows = []
    for sighting in sightings:
        ids = _ids(sighting)
        for seen in sighting.senders:
            if seen.handle.kind not in NUMBERS:
                continue
            told = is_left(seen.handle)
            if (told or ids) and seen.assurance != "asserted":
                scope = seen.handle.scope if told else left(seen.handle, str(sighting.message_id), _said_at(sighting)).scope
                rows.append({**_row(sighting, seen, ids), "told": told, "scope": scope, "account": sighting.account})
    found = await connection.fetch(_LEAVING, rows) if rows else []
    return {(row["workspace_id"], row["id"]): ("", row["scope"]) for row in found}


async def let_go(
    db: Database, scopes: Mapping[tuple[WorkspaceId, HandleId], tuple[str, str]], *, lock_ms: int | None = None
) -> None:
    """Takes them. In a transaction of its own: what begins under the free name is inserted before other handles are locked."""
    async with db.batch(lock_ms=lock_ms) as connection:
        await put_aside(connection, scopes)


def _said_at(sighting: Sighting) -> datetime:
    return sighting.said_at or sighting.seen_at


def _ids(sighting: Sighting) -> list[Handle]:
    return [one.handle for one in sighting.senders if one.handle.kind == BUSINESS_ID and one.assurance != "asserted"]


def _row(sighting: Sighting, seen: SeenHandle, ids: Sequence[Handle]) -> dict[str, Any]:
    return {
        "w": str(sighting.workspace_id), "kind": seen.handle.kind, "value": seen.handle.value, "id_scope": ids[0].scope if ids else "",
        "ids": [one.value for one in ids],
    }  # fmt: skip
