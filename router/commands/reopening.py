"""A new item after the last one of a conversation ended: what came back undelivered, a call-back, what is taken out of quarantine.

The customer's own words reopen through intake, with a decision of the policy; here the last item's queue, plan and skills stand.
Times: the key counts from now, with the boost of reopened work.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from router.item.goals import due_key
from router.item.terms import terms_for
from router.moves.moves import feed, numbered
from router.moves.plan_again import PLAN_AGAIN
from router.workspace.workspace import REOPEN_BOOST_S
from shared.database import Connection
from shared.event import Event
from shared.ids import new_id
from shared.outbox import record

_LAST: Final = """
select i.id, i.state, i.queue_id, i.channel, q.goals_s, w.settings
from santral.work_item i
join santral.queue q on q.workspace_id = i.workspace_id and q.id = i.queue_id
join santral.workspace w on w.workspace_id = i.workspace_id
where i.workspace_id = $1 and i.conversation_id = $2 order by i.closed_at desc nulls first, i.id desc limit 1
"""
_INSERT: Final = f"""
insert into santral.work_item (workspace_id, id, conversation_id, queue_id, channel, kind, state, due_class, due_at, enqueued_at,
    queued_at, step_at, plan, skills, sticky_agent_id, sticky_until, last_agent_id, reopened_from, reopen_count, policy_version,
    profile_version, decision_id, own_word_at)
select i.workspace_id, $3, i.conversation_id, i.queue_id, i.channel, coalesce($4, i.kind), 'queued', i.due_class, $5,
       $6::timestamptz, $6::timestamptz, $6::timestamptz, {PLAN_AGAIN}, i.skills, $7::uuid,
       case when $7::uuid is not null then $6::timestamptz + $8 * interval '1 s' end, coalesce($7, i.last_agent_id),
       i.id, i.reopen_count + 1, i.policy_version, i.profile_version, i.decision_id,
       case when $9 then $6::timestamptz else i.own_word_at end
from santral.work_item i where i.workspace_id = $1 and i.id = $2
"""


async def reopen(
    connection: Connection,
    *,
    workspace_id: UUID,
    conversation_id: UUID,
    at: datetime,
    trigger: str,
    kind: str | None = None,
    sticky: UUID | None = None,
    own_word: bool = False,
) -> UUID | None:
    """Opens an item after the conversation's last one and returns its id; None where none ended or one is open.

    ``sticky`` is asked first, for the channel's time. ``own_word``: an agent's own act brought it back, not the customer's.
    The caller holds the conversation's lock.
    """
    last = await connection.fetchrow(_LAST, workspace_id, conversation_id)
    if last is None or last["state"] not in ("completed", "abandoned", "canceled"):
        return None
    item_id = new_id()
    key = due_key(at, channel=last["channel"], goals=last["goals_s"], boost_s=REOPEN_BOOST_S)
    sticky_s = terms_for(last["channel"], last["settings"]).sticky_s
    await connection.execute(_INSERT, workspace_id, last["id"], item_id, kind, key.due_at, at, sticky, sticky_s, own_word)
    await connection.execute(
        "update santral.conversation set state = 'open', closed_at = null where workspace_id = $1 and id = $2",
        workspace_id, conversation_id,
    )  # fmt: skip
    data = {
        "item_id": str(item_id), "state": "queued", "version": 1, "queue_id": str(last["queue_id"]), "channel": last["channel"],
        "kind": kind, "trigger": trigger, "due_at": key.due_at.isoformat(), "enqueued_at": at.isoformat(),
        "reopened_from": str(last["id"]),
    }  # fmt: skip
    event = Event(
        id=new_id(), workspace_id=workspace_id, type="item.queued", at=at, conversation_id=conversation_id,
        data={name: value for name, value in data.items() if value is not None},
    )  # fmt: skip
    await record(connection, await numbered(connection, [event]))
    await feed(connection, [(workspace_id, "item", item_id)])
    return item_id
