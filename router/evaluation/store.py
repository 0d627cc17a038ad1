"""Reading what was decided: routing decisions with the facts of their messages, a page at a time; what queues did meanwhile. Reads only.

A decision's id carries its time, so a stretch of time is a stretch of the primary key. Texts are cut where rules stop reading, so a
page stays small whatever customers write.

**Identity**: a decision by (workspace, id). **Units**: times aware UTC.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from profiles.snapshot import Snapshot, snapshots
from router.calendars.calendar import Calendar
from router.evaluation.evaluation import not_there
from router.evaluation.waits import Observed
from router.intake.store import open_conversations
from router.policy.decision import facts_again, profile_facts
from router.policy.expression_errors import without_words
from router.policy.fields import TEXT_CHARS_SEEN
from router.policy.policy import Policy
from router.signals.contents import contents_of
from shared.database import Connection
from shared.ids import HandleId, WorkspaceId

_WORDS: Final = f"""
       left(m.subject, {TEXT_CHARS_SEEN}) as subject,
       left(coalesce(nullif(m.body->>'text_stripped', ''), m.text), {TEXT_CHARS_SEEN}) as text,
       coalesce(m.signals->>'language', '') as language, coalesce(m.body->>'authenticated', 'true') = 'true' as authenticated,
       (select count(*) from jsonb_path_query(m.body, '$.parts[*] ? (@.role == "attachment")')) as attachments,
       coalesce(m.body->>'about', '') as about, m.body->'contents' as told, m.body->'parts' as parts,
       m.body->'filtered' as filtered, coalesce(i.name, m.inbox_id::text) as inbox
"""
_READ: Final = f"""
select d.id, d.kind, d.conversation_id, d.item_id, d.message_id, d.record, d.decided_at,
       m.id is null or r.state = 'erased' as gone, m.channel, m.provider, m.kind as message_kind, m.visibility, m.handle_id, {_WORDS}
from santral.decision d
left join santral.receipt r on r.workspace_id = d.workspace_id and r.id = d.message_id
left join santral.message m on m.workspace_id = r.workspace_id and m.conversation_id = r.conversation_id and m.seq = r.seq
left join santral.inbox i on i.workspace_id = m.workspace_id and i.id = m.inbox_id
"""
_RANGE: Final = _READ + "where d.workspace_id = $1 and d.id > $2 and d.id < $3 and d.kind = any($5::text[]) order by d.id limit $4"
_SOME: Final = _READ + "where d.workspace_id = $1 and d.id = any($2::uuid[])"
_ONE: Final = _READ + "where d.workspace_id = $1 and d.id = $2"
_OF_MESSAGE: Final = f"""
{_READ} where d.workspace_id = $1 and d.message_id = $2 and d.kind = 'routing'
  and d.conversation_id = (select c.conversation_id from santral.receipt c where c.workspace_id = $1 and c.id = $2)
order by d.id desc limit 1
"""
_MESSAGE: Final = f"""
select m.channel, m.provider, m.kind, m.visibility, m.handle_id, m.accepted_at, m.signals, m.seq, c.channels,
       greatest(0, extract(epoch from m.accepted_at - c.opened_at))::bigint as age_s, {_WORDS}
from santral.receipt r
join santral.message m on m.workspace_id = r.workspace_id and m.conversation_id = r.conversation_id and m.seq = r.seq
join santral.conversation c on c.workspace_id = m.workspace_id and c.id = m.conversation_id
left join santral.inbox i on i.workspace_id = m.workspace_id and i.id = m.inbox_id
where r.workspace_id = $1 and r.id = $2 and r.state = 'taken' and m.direction = 'in'
"""
_ERRORS: Final = """
select d.id, d.message_id, d.record->'errors' as errors, d.decided_at from santral.decision d
where d.workspace_id = $1 and d.record ? 'errors' and (d.record->>'policy_version')::bigint = $2 order by d.id desc limit $3
"""
_OBSERVED: Final = """
select q.name as queue, count(i.assigned_at) as items,
       (avg(extract(epoch from i.assigned_at - i.enqueued_at)))::float8 as wait_s,
       (percentile_cont(0.9) within group (order by extract(epoch from i.assigned_at - i.enqueued_at)))::float8 as wait_p90_s,
       (avg(extract(epoch from i.closed_at - i.assigned_at)) filter (where i.closed_at > i.assigned_at))::float8 as handling_s,
       count(s.breached_at) as breached, avg(s.target_s)::float8 as target_s
from santral.work_item i
join santral.queue q on q.workspace_id = i.workspace_id and q.id = i.queue_id
left join santral.sla_clock s on s.workspace_id = i.workspace_id and s.item_id = i.id and s.kind = 'first_response'
where i.workspace_id = $1 and i.id > $2 and i.id < $3 and q.purpose <> 'bulk' group by q.name
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A decision as it is stored. ``facts`` are what the rules saw; None for dispatch, and where the message is gone."""

    id: UUID
    kind: str
    conversation_id: UUID
    item_id: UUID | None
    message_id: UUID | None
    handle_id: UUID | None
    record: Mapping[str, Any]
    decided_at: datetime
    facts: dict[str, dict[str, Any]] | None = None


Completed = tuple[Decided, dict[str, dict[str, Any]], list[str]]
"""A decision, its facts for another policy, and which of them nobody recorded then."""


def first_id(at: datetime) -> UUID:
    """The smallest id that can have been made at this time."""
    return UUID(int=(int(at.timestamp() * 1000) << 80) | (0x7 << 76) | (0x2 << 62))


async def read_range(
    connection: Connection, workspace_id: UUID, *, after: UUID, before: UUID, limit: int, kinds: Sequence[str] = ("routing",)
) -> list[Decided]:
    """The next decisions between two ids, oldest first."""
    rows = await connection.fetch(_RANGE, workspace_id, after, before, limit, list(kinds))
    return [_decided(row) for row in rows]


async def read_decisions(connection: Connection, workspace_id: UUID, ids: Sequence[UUID]) -> list[Decided]:
    """These decisions, in no order."""
    return [_decided(row) for row in await connection.fetch(_SOME, workspace_id, list(ids))]


async def read_decision(connection: Connection, workspace_id: UUID, decision_id: UUID) -> Decided | None:
    """One decision."""
    row = await connection.fetchrow(_ONE, workspace_id, decision_id)
    return None if row is None else _decided(row)


async def decision_of_message(connection: Connection, workspace_id: UUID, message_id: UUID) -> Decided | None:
    """The newest routing decision that a message caused; None for one that joined work already there."""
    row = await connection.fetchrow(_OF_MESSAGE, workspace_id, message_id)
    return None if row is None else _decided(row)


async def facts_of_message(
    connection: Connection, workspace_id: UUID, message_id: UUID, policy: Policy, calendar: Calendar
) -> tuple[dict[str, dict[str, Any]], list[str]] | None:
    """Facts of a customer's message of which no decision was made, and which of them are of today. None when it is not there."""
    row = await connection.fetchrow(_MESSAGE, workspace_id, message_id)
    if row is None:
        return None
    snapshot = None
    if row["handle_id"] is not None:
        pair = (WorkspaceId(workspace_id), HandleId(row["handle_id"]))
        snapshot = (await snapshots(connection, [pair])).get(pair)
    facts = facts_again({}, _message(row, row["kind"]))
    facts["signals"] |= {name: value for name, value in row["signals"].items() if name != "language"}
    facts["conversation"] = {
        "reopened": False, "channels": list(row["channels"]), "messages": row["seq"] - 1, "age_s": row["age_s"],
    }  # fmt: skip
    facts["now"] = calendar.facts(row["accepted_at"])
    people = [] if snapshot is None or not policy.asks_open_conversations else [(workspace_id, snapshot.profile_id)]
    counted = await open_conversations(connection, people) if people else {}
    facts["profile"] = dict(profile_facts(snapshot, policy, next(iter(counted.values()), None)))
    return facts, ["profile", "conversation", *(["queue"] if policy.asks_queues else [])]


async def completed_facts(
    connection: Connection, workspace_id: UUID, decided: Sequence[Decided], policy: Policy
) -> list[Completed]:
    """Each decision's facts for another policy: what it did not record of the profile is of today, and is named.

    A policy names as many attributes as it likes, so they are gone through in a thread.
    """
    found = await asyncio.to_thread(_with_missing, decided, policy)
    wanted = [one.handle_id for one, _, missing in found if one.handle_id is not None and any(name != "queue" for name in missing)]
    if wanted:
        owner = WorkspaceId(workspace_id)
        known = await snapshots(connection, [(owner, HandleId(handle)) for handle in dict.fromkeys(wanted)])
        people = {(workspace_id, one.profile_id) for one in known.values()} if policy.asks_open_conversations else set()
        counted = await open_conversations(connection, people) if people else {}
        await asyncio.to_thread(
            _complete,
            found,
            {handle: one for (_, handle), one in known.items()},
            {person: count for (_, person), count in counted.items()},
        )
    return found


def _with_missing(decided: Sequence[Decided], policy: Policy) -> list[Completed]:
    return [(one, one.facts, not_there(policy, one.facts)) for one in decided if one.facts is not None]


def _complete(found: Sequence[Completed], known: Mapping[UUID, Snapshot], counted: Mapping[UUID, int]) -> None:
    for one, facts, missing in found:
        snapshot = None if one.handle_id is None else known.get(one.handle_id)
        if snapshot is None or not facts.get("profile", {}).get("known"):
            continue
        given = {
            name: snapshot.attributes[name]
            for name in (fact.removeprefix("profile.attributes.") for fact in missing)
            if name in snapshot.attributes
        }
        facts["profile"] = {**facts["profile"], "attributes": {**(facts["profile"].get("attributes") or {}), **given}}
        if "profile.open_conversations" in missing:
            facts["profile"]["open_conversations"] = counted[snapshot.profile_id]


async def read_document(connection: Connection, workspace_id: UUID, version: int | None) -> Mapping[str, Any] | None:
    """A stored version as it was saved; without a version, of no policy. None when there is no such version."""
    if version is None:
        return {}
    document: Mapping[str, Any] | None = await connection.fetchval(
        "select document from santral.policy where workspace_id = $1 and version = $2", workspace_id, version
    )
    return document


async def rule_errors(connection: Connection, workspace_id: UUID, version: int, *, limit: int) -> list[dict[str, Any]]:
    """Rules of a version that erred in the newest ``limit`` decisions with errors: how often, and the message that did it last."""
    found: dict[str, dict[str, Any]] = {}
    for row in await connection.fetch(_ERRORS, workspace_id, version, limit):
        for rule, error in without_words(row["errors"]).items():
            known = found.setdefault(rule, {
                "rule": rule, "count": 0, "error": error, "message_id": row["message_id"], "decision_id": row["id"],
                "last_at": row["decided_at"], "first_at": row["decided_at"], "message_ids": [],
            })  # fmt: skip
            known["count"] += 1
            known["first_at"] = row["decided_at"]
            if len(known["message_ids"]) < 5:
                known["message_ids"].append(row["message_id"])
    return list(found.values())


async def observed(connection: Connection, workspace_id: UUID, *, after: UUID, before: UUID) -> list[Observed]:
    """What queues did with the items that came between two ids."""
    return [Observed(**dict(row)) for row in await connection.fetch(_OBSERVED, workspace_id, after, before)]


def _message(row: Any, kind: str) -> dict[str, Any]:
    """The message's row as its facts are made of it."""
    contents = contents_of(kind=kind, told=row["told"], parts=row["parts"], has_words=bool(row["text"].strip()))
    return {**dict(row), "kind": kind, "contents": contents}


def _decided(row: Any) -> Decided:
    facts = None
    if row["kind"] == "routing" and not row["gone"]:
        facts = facts_again(row["record"], _message(row, row["message_kind"]))
    return Decided(
        id=row["id"], kind=row["kind"], conversation_id=row["conversation_id"], item_id=row["item_id"], message_id=row["message_id"],
        handle_id=row["handle_id"], record=row["record"], decided_at=row["decided_at"], facts=facts,
    )  # fmt: skip
