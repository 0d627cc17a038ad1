"""A new item after the last one of a conversation ended: what came back undelivered, a call-back, what is taken out of quarantine.

The customer's own words reopen through intake, with a decision of the policy; here the last item's queue, plan and skills stand.
Times: the key counts from now, with the boost of reopened work.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from router.item.goals import due_key
from router.item.terms import terms_for
from router.moves.new_items import NewItem, begin_item, item_again
from router.workspace.workspace import REOPEN_BOOST_S
from shared.database import Connection

_LAST: Final = """
select i.id, i.state, i.channel, q.goals_s, w.settings
from santral.work_item i
join santral.queue q on q.workspace_id = i.workspace_id and q.id = i.queue_id
join santral.workspace w on w.workspace_id = i.workspace_id
where i.workspace_id = $1 and i.conversation_id = $2 order by i.closed_at desc nulls first, i.id desc limit 1
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
    before = await item_again(connection, workspace_id, last["id"])
    key = due_key(at, channel=last["channel"], goals=last["goals_s"], boost_s=REOPEN_BOOST_S)
    item = NewItem(
        workspace_id=workspace_id, conversation_id=conversation_id, queue_id=before.queue_id, channel=before.channel,
        kind=kind or before.kind, due_class=before.due_class, due_at=key.due_at, enqueued_at=at, queued_at=at, plan=before.plan,
        skills=before.skills, sticky_agent_id=sticky,
        sticky_until=None if sticky is None else at + timedelta(seconds=terms_for(last["channel"], last["settings"]).sticky_s),
        last_agent_id=sticky or before.last_agent_id, reopened_from=before.reopened_from, reopen_count=before.reopen_count + 1,
        policy_version=before.policy_version, profile_version=before.profile_version, decision_id=before.decision_id,
        own_word_at=at if own_word else before.own_word_at,
    )  # fmt: skip
    await connection.execute(
        "update santral.conversation set state = 'open', closed_at = null where workspace_id = $1 and id = $2",
        workspace_id, conversation_id,
    )  # fmt: skip
    return await begin_item(connection, item, trigger=trigger, at=at)
