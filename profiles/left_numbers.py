"""Numbers that somebody has no more: kept with them under a scope of their own, so that whoever has the number next is somebody else.

A number leaves its person where the network says so (a notice names the handle as `shared.handle.left` makes it), or where it comes with
another business-scoped id than before and nothing says that the one gave way to the other. The row keeps its id, its links and its history;
the number's own name is free for the next message. Ids of several businesses' portfolios tell nothing of each other: where connections do not
say of which they are, a second id is no other person.

**Identity**: the message by which the number left. Doing it twice changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Final
from uuid import UUID

from profiles.sighting import Key, Sighting
from shared.database import Connection
from shared.handle import Handle, is_left, left

NUMBERS: Final = frozenset({"phone", "wa_id"})
TURNS_MAX: Final = 5
_ID: Final = "bsuid"
_LINKED: Final = """exists (
    select 1 from santral.link l
    join santral.handle u on u.workspace_id = l.workspace_id and u.id = case when l.a = h.id then l.b else l.a end and u.kind = 'bsuid'
    where l.workspace_id = h.workspace_id and h.id in (l.a, l.b) and l.kind = 'same_message' and l.assurance <> 'asserted'
      and l.retracted_at is null and (l.expires_at is null or l.expires_at > now())
      and u.scope = g.id_scope and {which})"""
# A number that comes with an id the notice does not name is its next owner's already: notices may be late.
_TOLD: Final = f"""
update santral.handle h set scope = g.scope
from jsonb_to_recordset($1::jsonb) as g(w uuid, kind text, value text, scope text, id_scope text, ids jsonb)
where h.workspace_id = g.w and h.kind = g.kind and h.scope = '' and h.value = g.value
  and (g.ids = '[]' or {_LINKED.format(which="g.ids ? u.value")} or not {_LINKED.format(which="not g.ids ? u.value")})
  and not exists (select 1 from santral.handle t
                  where t.workspace_id = g.w and t.kind = g.kind and t.scope = g.scope and t.value = g.value)
"""
_OTHERS: Final = f"""
update santral.handle h set scope = g.scope
from jsonb_to_recordset($1::jsonb) as g(w uuid, kind text, value text, scope text, id_scope text, ids jsonb)
where h.workspace_id = g.w and h.kind = g.kind and h.scope = '' and h.value = g.value
  and {_LINKED.format(which="not g.ids ? u.value")} and not {_LINKED.format(which="g.ids ? u.value")}
  and (g.id_scope <> '' or 2 > (select count(*) from santral.connection c
                                where c.workspace_id = g.w and c.provider = 'meta' and coalesce(c.settings->>'portfolio', '') = ''))
"""


def in_turns(sightings: Sequence[Sighting]) -> Iterator[list[Sighting]]:
    """The sightings in parts, in order: in none does a number come with two ids, or after it left its person.

    Each part is a transaction that all others of the batch wait for, so a workspace makes `TURNS_MAX` of them at most: nobody's customers
    change their numbers more often at once, and what is said beyond that is taken as it comes.
    """
    turn: list[Sighting] = []
    held: dict[Key, set[Handle] | None] = {}
    turns: Counter[UUID] = Counter()
    for sighting in sightings:
        ids = {seen.handle for seen in sighting.senders if seen.handle.kind == _ID}
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


def _is_anothers(before: Collection[Handle] | None, ids: Collection[Handle]) -> bool:
    return before is None or bool(ids and before and not set(ids) & set(before))


async def let_go(connection: Connection, sightings: Sequence[Sighting]) -> bool:
    """Takes the numbers of these messages from whom they were before, in one part of `in_turns`; False where none can be concerned."""
    told, others = [], []
    for sighting in sightings:
        ids = [seen.handle for seen in sighting.senders if seen.handle.kind == _ID and seen.assurance != "asserted"]
        for seen in sighting.senders:
            one = seen.handle
            if one.kind not in NUMBERS:
                continue
            row = {
                "w": str(sighting.workspace_id), "kind": one.kind, "value": one.value, "id_scope": ids[0].scope if ids else "",
                "ids": [named.value for named in ids],
            }  # fmt: skip
            if is_left(one):
                told.append({**row, "scope": one.scope})
            elif ids and seen.assurance != "asserted":
                others.append({**row, "scope": left(one, str(sighting.message_id)).scope})
    if told:
        await connection.execute(_TOLD, told)
    if others:
        await connection.execute(_OTHERS, others)
    return bool(told or others)
