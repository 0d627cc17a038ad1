"""What came in a time range, as the simulator replays it: when, to which queue, how long the work took. Nothing personal.

Handling is the time an item was assigned or wrapped up, by its events; who left says how long they were patient. What an agent
began, calls that a PBX gave to somebody, and bulk mail, for which nobody waits, are left out. Another policy may be asked where it would
have put each of them, over the facts that were recorded when it was routed. **Units**: seconds; times aware UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from router.evaluation.evaluation import choice_of, recorded_choice
from router.evaluation.store import Completed, completed_facts, first_id, read_decisions
from router.policy.expressions import facts_of
from router.policy.policy import Policy
from shared.database import Connection

_ARRIVALS: Final = """
select i.id, i.channel, i.skills, i.state, q.name as queue, told.at, told.handling_s, told.left_at,
       (select d.id from santral.decision d
        where d.workspace_id = i.workspace_id and d.conversation_id = i.conversation_id and d.item_id = i.id and d.kind = 'routing'
        order by d.id limit 1) as decision_id
from santral.work_item i
join santral.queue q on q.workspace_id = i.workspace_id and q.id = i.queue_id
cross join lateral (
    select min(at) as at, (array_agg(state order by version))[1] as first,
           sum(extract(epoch from until - at)) filter (where state in ('assigned', 'wrapping')) as handling_s,
           min(at) filter (where state = 'abandoned') as left_at
    from (select version, state, at, lead(at) over (order by version) as until
          from (select (e.data->>'version')::bigint as version, e.data->>'state' as state, min(e.at) as at
                from santral.event e
                where e.workspace_id = i.workspace_id and e.conversation_id = i.conversation_id
                  and e.data->>'item_id' = i.id::text and e.data ? 'version' and e.data ? 'state'
                group by 1, 2) moved) spans
) told
where i.workspace_id = $1 and i.id > $2 and i.id < $3 and not i.external and told.first = 'queued' and q.purpose <> 'bulk'
order by i.id limit $4
"""


async def recorded_arrivals(
    connection: Connection, workspace_id: UUID, *, since: datetime, until: datetime, after: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """The next arrivals of the range, oldest first; ``handling_s`` None while the work is not over, ``patience_s`` of who left."""
    rows = await connection.fetch(_ARRIVALS, workspace_id, after or first_id(since), first_id(until), limit)
    return [
        {
            "id": row["id"],
            "decision_id": row["decision_id"],
            "at": row["at"],
            "queue": row["queue"],
            "channel": row["channel"],
            "handling_s": _seconds(row["handling_s"]) if row["state"] == "completed" else None,
            "patience_s": _seconds((row["left_at"] - row["at"]).total_seconds()) if row["left_at"] else None,
            "skills": {name: level for name, level in row["skills"].items() if not name.startswith("~")} or None,
        }
        for row in rows
    ]


async def decided_arrivals(
    connection: Connection, workspace_id: UUID, rows: Sequence[Mapping[str, Any]], policy: Policy
) -> dict[UUID, Completed]:
    """The decisions of these arrivals with their facts for the policy, by item.

    What was erased, or was never routed by rules, is not in the answer.
    """
    items = {row["decision_id"]: row["id"] for row in rows if row["decision_id"] is not None}
    decided = await read_decisions(connection, workspace_id, list(items))
    return {items[one[0].id]: one for one in await completed_facts(connection, workspace_id, decided, policy)}


def changed_places(
    decided: Mapping[UUID, Completed], policy: Policy, queue: Callable[[str], str]
) -> dict[UUID, dict[str, Any]]:  # fmt: skip
    """Where the policy would have put these arrivals, by item: ``queue``, ``skills``, ``earlier_s``. For a thread: rules of any length are asked.

    ``queue`` tells the queue that a chosen name comes to.
    """
    found: dict[UUID, dict[str, Any]] = {}
    for item, (one, facts, _) in decided.items():
        choice = choice_of(policy, facts_of(facts))
        found[item] = {
            "queue": queue(choice.queue),
            "skills": dict(choice.skills) or None,
            "earlier_s": float(choice.boost_s - recorded_choice(one.record).boost_s),
        }
    return found


def _seconds(value: Any) -> float | None:
    return None if value is None else round(float(value), 3)
