"""The rows of placements: conversations with their messages as `router/placements/placements.py` sees them, read under lock and written back.

The order of locks is every writer's: receipts, conversations, then items and agents, which are `router/placements/work.py`'s.
What was read before its lock is read again under it. A message that came in meanwhile is carried too: only its own writer, who has
committed, could have held its receipt.
**Units**: times aware UTC. **Identity**: an operation by its id; operations and placements are ordered by their numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from router.placements.placements import Before, Facts, Place, Placed, Said
from shared.database import Connection, Contended
from shared.errors import Conflict, NotFound, Unprocessable
from shared.ids import new_id

MESSAGES_MAX: Final = 5000
_MESSAGE_IDS: Final = "select id from santral.message where workspace_id = $1 and conversation_id = $2 limit $3"
_LOCK_RECEIPTS: Final = (
    "select 1 from santral.receipt where workspace_id = $1 and id = any($2::uuid[]) order by id for no key update"
)
_LOCK: Final = """
select c.*, (select h.kind = 'erased' from santral.handle h where h.workspace_id = c.workspace_id and h.id = c.handle_id) as erased,
       clock_timestamp() as now
from santral.conversation c where c.workspace_id = $1 and c.id = any($2::uuid[]) order by c.id for no key update of c
"""
_FOLLOWERS: Final = "select id from santral.conversation where workspace_id = $1 and merged_into = any($2::uuid[])"
_MESSAGES: Final = """
select m.conversation_id, m.id, m.seq, m.direction, m.kind, m.channel, m.accepted_at, m.inbox_id, m.handle_id,
       m.direction = 'in' and m.kind not in ('system', 'call', 'reaction', 'delete', 'edit') and not m.body ? 'automatic' as work,
       m.kind = 'system' or m.body ? 'automatic' as machine, m.body ? 'aside' as aside
from santral.message m where m.workspace_id = $1 and m.conversation_id = any($2::uuid[]) order by m.seq
"""
_AMENDING: Final = """
select e.id, coalesce(t.id, n.message_id) as amends from santral.message e
left join santral.message t on t.workspace_id = e.workspace_id and t.conversation_id = e.conversation_id and t.inbox_id = e.inbox_id
  and t.external_id = e.body->>'in_reply_to'
left join santral.thread_ref n on n.workspace_id = e.workspace_id and n.conversation_id = e.conversation_id
  and n.ref = 'ext:' || e.inbox_id || ':' || (e.body->>'in_reply_to')
where e.workspace_id = $1 and e.conversation_id = any($2::uuid[]) and e.kind in ('edit', 'delete', 'reaction')
"""
_CARRY: Final = """
with way as (
    select * from unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::uuid[], $6::bigint[]) as w(m, f, fs, t, ts)
), said as (
    update santral.message x set conversation_id = w.t, seq = w.ts from way w
    where x.workspace_id = $1 and x.conversation_id = w.f and x.seq = w.fs and x.id = w.m returning x.id
), known as (
    update santral.receipt r set conversation_id = w.t, seq = w.ts from way w where r.workspace_id = $1 and r.id = w.m returning r.id
), threaded as (
    update santral.thread_ref t set conversation_id = w.t from way w
    where t.workspace_id = $1 and t.conversation_id = w.f and t.message_id = w.m
)
select (select count(*) from said) as said, (select count(*) from known) as known
"""
_BEING_ERASED: Final = """
select 1 from unnest($2::uuid[], $3::bigint[]) as w(f, fs)
join santral.message m on m.workspace_id = $1 and m.conversation_id = w.f and m.seq = w.fs and not m.body ? 'erased'
join santral.handle h on h.workspace_id = m.workspace_id and h.id = m.handle_id and h.kind = 'erased' limit 1
"""
_PLACE: Final = """
insert into santral.placement (workspace_id, id, message_id, from_conversation_id, from_seq, to_conversation_id, to_seq, actor,
    operation_id, undo)
select $1, w.i, w.m, w.f, w.fs, w.t, w.ts, $8, $9, $10
from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[], $6::uuid[], $7::bigint[]) with ordinality as w(i, m, f, fs, t, ts, n)
order by w.n
"""
_WRITE: Final = """
update santral.conversation set last_in_at = $3, last_out_at = $4, last_inbox_id = $5, last_handle_id = $6, channels = $7,
    window_expires_at = $8, subject = $9, merged_into = $10 where workspace_id = $1 and id = $2
"""
_OPEN: Final = """
insert into santral.conversation (workspace_id, id, handle_id, inbox_id, last_inbox_id, last_handle_id, channel, channels, visibility,
    subject, language, state, thread_key, opened_at, closed_at)
select c.workspace_id, $3, $4, $5, $5, $4, $6, array[$6::text], c.visibility, '', c.language, 'closed', c.thread_key, $7, $8
from santral.conversation c where c.workspace_id = $1 and c.id = $2
"""
_FOLLOW: Final = """
update santral.conversation c set merged_into = $3 where c.workspace_id = $1 and c.id = any($2::uuid[]) and c.merged_into is not null
"""
_OWN_WAY: Final = """
select from_conversation_id as id from santral.placement_operation
where workspace_id = $1 and from_conversation_id = any($2::uuid[]) and kind = 'merge' and undone_at is null and number > $3
"""
_MERGE: Final = """
select id from santral.placement_operation
where workspace_id = $1 and from_conversation_id = $2 and to_conversation_id = $3 and kind = 'merge' and undone_at is null
"""
_UNDONE: Final = "update santral.placement_operation set undone_at = $3, undone_by = $4 where workspace_id = $1 and id = $2"
_OPERATION: Final = """
insert into santral.placement_operation (workspace_id, id, kind, from_conversation_id, to_conversation_id, reason, actor, prior, done_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_PRIOR: Final = "update santral.placement_operation set prior = prior || $3 where workspace_id = $1 and id = $2"
_READ_OPERATION: Final = "select * from santral.placement_operation where workspace_id = $1 and id = $2"
_PLACED: Final = """
select message_id, from_conversation_id, from_seq, to_conversation_id, to_seq from santral.placement
where workspace_id = $1 and operation_id = $2 and not undo order by number
"""
_LATER: Final = """
select o.id, o.kind, o.done_at from santral.placement_operation o
where o.workspace_id = $1 and o.number > $2 and o.undone_at is null and o.id in (
    select p.operation_id from santral.placement own
    join santral.placement p on p.workspace_id = own.workspace_id and p.message_id = own.message_id and not p.undo
    where own.workspace_id = $1 and own.operation_id = $3
    union all
    select t.id from santral.placement_operation t
    where t.workspace_id = $1 and (t.from_conversation_id = $4 or t.to_conversation_id = $4)
    union all
    select m.id from santral.placement_operation m
    where m.workspace_id = $1 and m.kind = 'merge' and m.from_conversation_id in ($5, $6))
order by o.number desc limit 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A conversation under lock: as the pure part sees it, and what only its row knows. ``now``: the database's clock."""

    place: Place
    subject: str
    window_expires_at: datetime | None
    state: str
    closed_at: datetime | None
    now: datetime
    followers: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation's row; ``prior`` is what its undo needs beside the placements."""

    id: UUID
    number: int
    kind: Any
    from_id: UUID
    to_id: UUID
    actor: str
    prior: Mapping[str, Any]
    undone_at: datetime | None


async def message_ids(connection: Connection, workspace_id: UUID, conversation_id: UUID) -> list[UUID]:
    """The messages of a conversation, before it is locked. Raises `Unprocessable` when there are too many to carry at once."""
    rows = await connection.fetch(_MESSAGE_IDS, workspace_id, conversation_id, MESSAGES_MAX + 1)
    require_carried(len(rows))
    return [row["id"] for row in rows]


async def with_amendments(
    connection: Connection, workspace_id: UUID, conversation_id: UUID, messages: Sequence[UUID]
) -> list[UUID]:
    """These messages and what goes with them, before the conversation is locked."""
    amending = await _amending(connection, workspace_id, [conversation_id])
    heads = {amending.get(one, one) for one in messages}
    return [
        *messages,
        *(heads - set(messages)),
        *(one for one, amends in amending.items() if amends in heads and one not in messages),
    ]


async def _amending(connection: Connection, workspace_id: UUID, conversations: Collection[UUID]) -> dict[UUID, UUID]:
    """Of each amendment that stands beside its message: that message."""
    rows = await connection.fetch(_AMENDING, workspace_id, list(conversations))
    return {row["id"]: row["amends"] for row in rows if row["amends"] is not None}


def require_carried(count: int) -> None:
    """Raises `Unprocessable` for more messages than one operation carries."""
    if count > MESSAGES_MAX:
        raise Unprocessable(
            f"more than {MESSAGES_MAX} messages",
            field="messages",
            remedy="leave such a conversation as it is, or split it in parts",
        )


async def lock(
    connection: Connection, workspace_id: UUID, conversations: Collection[UUID], messages: Sequence[UUID]
) -> dict[UUID, Stored]:
    """Locks these messages' receipts, then the conversations and those merged into them, in id order, and reads them.

    Raises `NotFound`, `Contended`.
    """
    await connection.execute(_LOCK_RECEIPTS, workspace_id, list(messages))
    wanted = set(conversations)
    followers = {row["id"] for row in await connection.fetch(_FOLLOWERS, workspace_id, list(wanted))}
    rows = {row["id"]: row for row in await connection.fetch(_LOCK, workspace_id, sorted(wanted | followers))}
    missing = wanted - rows.keys()
    if missing:
        raise NotFound("no such conversation", field="conversation", remedy="the id of a conversation of this workspace")
    now_following = await connection.fetch(_FOLLOWERS, workspace_id, list(wanted))
    if not {row["id"] for row in now_following} <= rows.keys():
        raise Contended("a conversation was merged meanwhile", retry_after_s=1)
    amending = await _amending(connection, workspace_id, wanted)
    said: dict[UUID, list[Said]] = {one: [] for one in wanted}
    for row in await connection.fetch(_MESSAGES, workspace_id, list(wanted)):
        said[row["conversation_id"]].append(
            Said(
                id=row["id"], seq=row["seq"], direction=row["direction"], kind=row["kind"], channel=row["channel"],
                at=row["accepted_at"], inbox_id=row["inbox_id"], handle_id=row["handle_id"], work=row["work"],
                machine=row["machine"],
                aside=row["aside"], amends=amending.get(row["id"]),
            )
        )  # fmt: skip
    return {
        one: _stored(rows[one], said[one], tuple(sorted(other for other, row in rows.items() if row["merged_into"] == one)))
        for one in wanted
    }


def _stored(row: Any, said: Sequence[Said], followers: tuple[UUID, ...]) -> Stored:
    facts = Facts(
        last_in_at=row["last_in_at"], last_out_at=row["last_out_at"], last_inbox_id=row["last_inbox_id"],
        last_handle_id=row["last_handle_id"], channels=tuple(row["channels"]),
    )  # fmt: skip
    place = Place(
        id=row["id"], channel=row["channel"], inbox_id=row["inbox_id"], handle_id=row["handle_id"], visibility=row["visibility"],
        seq=row["seq"], facts=facts, messages=tuple(said), merged_into=row["merged_into"], erased=bool(row["erased"]),
    )  # fmt: skip
    return Stored(
        place=place, subject=row["subject"], window_expires_at=row["window_expires_at"], state=row["state"],
        closed_at=row["closed_at"], now=row["now"], followers=followers,
    )  # fmt: skip


async def carry(
    connection: Connection, workspace_id: UUID, operation_id: UUID, placed: Sequence[Placed], *, actor: str, undo: bool = False
) -> None:
    """Takes messages their way, with their receipts and what may be answered of them, and notes it.

    Raises `Conflict` while one of those who wrote them is being erased: what looks for their words must not pass them by.
    """
    if not placed:
        return
    ids, sources, numbers = [one.message_id for one in placed], [one.from_id for one in placed], [one.from_seq for one in placed]
    targets, places = [one.to_id for one in placed], [one.to_seq for one in placed]
    if await connection.fetchval(_BEING_ERASED, workspace_id, sources, numbers):
        raise Conflict("who wrote one of these is being erased", field="messages", remedy="try again in some minutes")
    done = await connection.fetchrow(_CARRY, workspace_id, ids, sources, numbers, targets, places)
    assert done is not None
    assert done["said"] == len(placed), "messages are carried under their conversation's lock"
    await connection.execute(
        _PLACE, workspace_id, [new_id() for _ in placed], ids, sources, numbers, targets, places, actor, operation_id, undo
    )


async def write_place(
    connection: Connection, workspace_id: UUID, place: Place, *, window_expires_at: datetime | None, subject: str
) -> None:  # fmt: skip
    """Writes what a conversation knows of its messages. Its number and state are written where events and items are."""
    facts = place.facts
    await connection.execute(
        _WRITE, workspace_id, place.id, facts.last_in_at, facts.last_out_at, facts.last_inbox_id, facts.last_handle_id,
        list(facts.channels), window_expires_at, subject, place.merged_into,
    )  # fmt: skip


async def open_place(
    connection: Connection, workspace_id: UUID, source_id: UUID, place: Place, opened_at: datetime, now: datetime
) -> None:
    """Inserts the conversation that a split makes, closed until it has work."""
    await connection.execute(
        _OPEN, workspace_id, source_id, place.id, place.handle_id, place.inbox_id, place.channel, opened_at, now
    )


async def follow(connection: Connection, workspace_id: UUID, followers: Collection[UUID], into: UUID) -> None:
    """What was merged into a conversation before goes where that one goes. The rows are locked."""
    if followers:
        await connection.execute(_FOLLOW, workspace_id, list(followers), into)


async def unfollow(
    connection: Connection, workspace_id: UUID, operation: Operation, followers: Collection[UUID], into: UUID
) -> None:  # fmt: skip
    """Those that came along with a merge go back with it, but for those that somebody merged by themselves since."""
    rows = await connection.fetch(_OWN_WAY, workspace_id, list(followers), operation.number)
    await follow(connection, workspace_id, set(followers) - {row["id"] for row in rows}, into)


async def merge_of(connection: Connection, workspace_id: UUID, source_id: UUID, target_id: UUID) -> UUID | None:
    """The operation by which a conversation was merged into another, while it holds."""
    found: UUID | None = await connection.fetchval(_MERGE, workspace_id, source_id, target_id)
    return found


async def mark_undone(connection: Connection, workspace_id: UUID, operation_id: UUID, actor: str, at: datetime) -> None:
    """Notes that an operation holds no more."""
    await connection.execute(_UNDONE, workspace_id, operation_id, at, actor)


async def write_operation(
    connection: Connection, workspace_id: UUID, operation: Operation, *, reason: str | None, at: datetime
) -> None:  # fmt: skip
    """Inserts an operation."""
    await connection.execute(
        _OPERATION, workspace_id, operation.id, operation.kind, operation.from_id, operation.to_id, reason, operation.actor,
        dict(operation.prior), at,
    )  # fmt: skip


async def add_prior(connection: Connection, workspace_id: UUID, operation_id: UUID, prior: Mapping[str, Any]) -> None:
    """Adds to what an operation's undo needs."""
    await connection.execute(_PRIOR, workspace_id, operation_id, dict(prior))


async def read_operation(connection: Connection, workspace_id: UUID, operation_id: UUID, *, lock: bool = False) -> Operation:
    """An operation; its row is locked after its conversations. Raises `NotFound`."""
    row = await connection.fetchrow(_READ_OPERATION + (" for no key update" if lock else ""), workspace_id, operation_id)
    if row is None:
        raise NotFound("no such operation", field="operation_id", remedy="an id from a conversation's placements")
    return Operation(
        id=row["id"], number=row["number"], kind=row["kind"], from_id=row["from_conversation_id"], to_id=row["to_conversation_id"],
        actor=row["actor"], prior=row["prior"], undone_at=row["undone_at"],
    )  # fmt: skip


async def placed_by(connection: Connection, workspace_id: UUID, operation_id: UUID) -> list[Placed]:
    """The messages' ways in an operation, in order."""
    return [
        Placed(
            message_id=row["message_id"], from_id=row["from_conversation_id"], from_seq=row["from_seq"],
            to_id=row["to_conversation_id"], to_seq=row["to_seq"],
        )
        for row in await connection.fetch(_PLACED, workspace_id, operation_id)
    ]  # fmt: skip


async def later_one(connection: Connection, workspace_id: UUID, operation: Operation) -> Mapping[str, Any] | None:
    """The newest operation that builds on this one and still holds; None when this one may be undone."""
    made = operation.to_id if operation.kind == "split" else None
    row = await connection.fetchrow(_LATER, workspace_id, operation.number, operation.id, made, operation.from_id, operation.to_id)
    return None if row is None else dict(row)


def prior_of(before: Before) -> dict[str, Any]:
    """Facts as they were, as JSON."""
    return {"facts": _facts_json(before.facts), "worked_out": _facts_json(before.worked_out)}


def before_of(prior: Mapping[str, Any]) -> Before:
    """Facts as they were, from JSON."""
    return Before(facts=_facts(prior["facts"]), worked_out=_facts(prior["worked_out"]))


def _facts_json(facts: Facts) -> dict[str, Any]:
    return {
        "last_in_at": facts.last_in_at, "last_out_at": facts.last_out_at, "last_inbox_id": facts.last_inbox_id,
        "last_handle_id": facts.last_handle_id, "channels": list(facts.channels),
    }  # fmt: skip


def _facts(stored: Mapping[str, Any]) -> Facts:
    return Facts(
        last_in_at=when(stored["last_in_at"]), last_out_at=when(stored["last_out_at"]), last_inbox_id=UUID(stored["last_inbox_id"]),
        last_handle_id=UUID(stored["last_handle_id"]), channels=tuple(stored["channels"]),
    )  # fmt: skip


def when(text: str | None) -> datetime | None:
    """A time as JSON holds it."""
    return None if text is None else datetime.fromisoformat(text)
