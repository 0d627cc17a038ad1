"""The governor of loops at its place: asked under the conversation's lock before an automatic message is stored, told when it stopped one.

A stop is an event of its conversation, ``reply.stopped``, once until an
automatic message goes again, however often the machine tries; the metric counts every try.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from router.commands.loop_governor import LOOKED_AT, LOOKED_BACK, Stop, stop_of
from router.commands.work import database_now
from router.moves.moves import numbered
from router.moves.vouched import UNVOUCHED
from shared.database import Connection
from shared.errors import Throttled
from shared.event import Event
from shared.ids import first_id_at, new_id
from shared.metrics import LOOPS_STOPPED
from shared.outbox import record

_IS_PERSON: Final = "select kind <> 'bot' from santral.agent where workspace_id = $1 and id = $2"
# Words of ours that a provider echoed have no actor: a person may have written them elsewhere.
_AUTOMATIC: Final = """m.direction = 'out' and m.body ? 'actor' and (m.agent_id is null or exists (
    select 1 from santral.agent a where a.workspace_id = m.workspace_id and a.id = m.agent_id and a.kind = 'bot'))"""
_SENT: Final = f"""
select m.accepted_at from santral.conversation c
join santral.message m on m.workspace_id = c.workspace_id and m.conversation_id = c.id
where c.workspace_id = $1 and (c.id = $2 or c.handle_id = $3 or c.last_handle_id = $3) and (c.id = $2 or m.handle_id = $3)
  and m.accepted_at > $4 and {_AUTOMATIC}
order by m.accepted_at desc limit $5
"""
# Whoever writes from one address in the name of ever new people is one counterpart; each of these conversations is young, and a
# conversation's id begins with its time.
_PAIR: Final = (
    f"select replace(thread_key, '{UNVOUCHED}', '') from santral.conversation where workspace_id = $1 and id = $2"
    " and thread_key like 'pair:%'"
)
_SENT_TO_PAIR: Final = f"""
select m.accepted_at from santral.conversation c
join santral.message m on m.workspace_id = c.workspace_id and m.conversation_id = c.id
where c.workspace_id = $1 and c.id >= $2 and c.thread_key in ($3, $3 || '{UNVOUCHED}') and m.accepted_at > $4 and {_AUTOMATIC}
order by m.accepted_at desc limit $5
"""
# The last words of theirs are those since ours before them: what an agent answered to a list's mail does not make it a person's alone.
_THEIR_LAST_WORDS: Final = """
with theirs as (
    select m.seq, m.body ? 'automatic' as machine, m.body ?| array['marks', 'bulk'] as marked from santral.message m
    where m.workspace_id = $1 and m.conversation_id = $2 and m.direction = 'in' and m.kind not in ('edit', 'delete', 'reaction')
), ours as (
    select max(m.seq) as seq, max(m.seq) filter (where m.seq < (select max(seq) from theirs)) as before from santral.message m
    where m.workspace_id = $1 and m.conversation_id = $2 and m.direction = 'out'
)
select coalesce(bool_and(machine) filter (where theirs.seq > coalesce(ours.seq, 0)), false) as machine_wrote,
       coalesce(bool_and(machine or marked) and bool_or(marked), false) as forbidden
from theirs cross join ours where theirs.seq > coalesce(ours.before, 0)
"""
_TOLD: Final = f"""
select exists (select 1 from santral.event e where e.workspace_id = $1 and e.conversation_id = $2 and e.type = 'reply.stopped'
  and e.at > coalesce((select max(m.accepted_at) from santral.message m
      where m.workspace_id = $1 and m.conversation_id = $2 and {_AUTOMATIC}),
      '-infinity'))
"""


class LoopStopped(Throttled):
    """A machine would answer a machine; nothing was sent. ``stop`` says why."""

    kind = "loop-stopped"

    def __init__(self, stop: Stop, conversation_id: UUID, handle_id: UUID) -> None:
        if stop.reason == "machine_wrote":
            text, remedy = "what came last was written by a machine", "wait until a person writes, or let an agent answer"
        elif stop.reason == "forbidden":
            text, remedy = "what came last asks machines not to answer", "let an agent answer"
        else:
            text = f"{stop.messages} automatic messages within {stop.minutes} minutes"
            remedy = "let an agent answer, or wait: two machines may be answering each other"
        super().__init__(text, retry_after_s=stop.again_s or 3600, remedy=remedy)
        self.stop = stop
        self.conversation_id = conversation_id
        self.handle_id = handle_id


async def require_no_loop(
    connection: Connection, *, workspace_id: UUID, conversation_id: UUID, handle_id: UUID, agent_id: UUID | None, at: datetime
) -> bool:
    """Raises `LoopStopped` when this automatic message would go on with a loop; a person's never is. Returns whether it is automatic.

    The caller holds the conversation's lock, so that two messages at once cannot both be the last one. ``handle_id`` is the counterpart.
    """
    if agent_id is not None and await connection.fetchval(_IS_PERSON, workspace_id, agent_id) is not False:
        return False
    theirs = await connection.fetchrow(_THEIR_LAST_WORDS, workspace_id, conversation_id)
    assert theirs is not None
    since = at - LOOKED_BACK
    rows = await connection.fetch(_SENT, workspace_id, conversation_id, handle_id, since, LOOKED_AT)
    stop = stop_of([row["accepted_at"] for row in rows], at, **theirs)
    if stop is None and (pair := await connection.fetchval(_PAIR, workspace_id, conversation_id)) is not None:
        rows = await connection.fetch(_SENT_TO_PAIR, workspace_id, first_id_at(since), pair, since, LOOKED_AT)
        stop = stop_of([row["accepted_at"] for row in rows], at)
    if stop is not None:
        LOOPS_STOPPED.labels(reason=stop.reason).inc()
        raise LoopStopped(stop, conversation_id, handle_id)
    return True


async def tell_of_stop(
    connection: Connection, *, workspace_id: UUID, stopped: LoopStopped, actor: str, agent_id: UUID | None
) -> bool:
    """Records that a loop ended, in a transaction after the refused one. Returns whether it is news; telling twice is harmless."""
    stop, conversation_id = stopped.stop, stopped.conversation_id
    await connection.execute(
        "select 1 from santral.conversation where workspace_id = $1 and id = $2 for no key update", workspace_id, conversation_id
    )
    if await connection.fetchval(_TOLD, workspace_id, conversation_id):
        return False
    data: dict[str, Any] = {"reason": stop.reason, "actor": actor}
    if stop.reason == "too_many":
        data |= {"messages": stop.messages, "minutes": stop.minutes, "again_s": stop.again_s}
    if agent_id is not None:
        await connection.execute(
            "select 1 from santral.agent where workspace_id = $1 and id = $2 for no key update", workspace_id, agent_id
        )
    event = Event(
        id=new_id(), workspace_id=workspace_id, type="reply.stopped", at=await database_now(connection),
        conversation_id=conversation_id, agent_id=agent_id, data=data,
    )  # fmt: skip
    await record(connection, await numbered(connection, [event]))
    return True
