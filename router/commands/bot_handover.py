"""From a bot to a person: the item goes back to the queue, its key and conversation kept, and only people may take it from then on.

A bot hands over by itself, with a note for whoever comes next; a customer who asks for a person is handed over whatever the bot does.
Unlike a transfer nothing of it stays with the bot: nobody waits for a machine to take its work back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from router.commands.work import ItemView, move_item
from router.item.transition import Change, transition
from router.moves.item_store import lock_items
from router.moves.marks import require_skills
from router.moves.moves import Move, write_moves
from router.policy.agent_filter import PERSON
from shared.database import Connection
from shared.errors import Forbidden, NotFound, Unprocessable

_WITH_BOTS: Final = """
select i.workspace_id, i.id from santral.work_item i
join unnest($1::uuid[], $2::uuid[]) as g(w, i) on g.w = i.workspace_id and g.i = i.id
join santral.agent a on a.workspace_id = i.workspace_id and a.id = i.agent_id and a.kind = 'bot'
"""


async def hand_over(
    connection: Connection,
    *,
    workspace_id: UUID,
    item_id: UUID,
    agent_id: UUID,
    queue: str | None = None,
    skills: Mapping[str, int] | None = None,
    note: str = "",
) -> ItemView:
    """A bot gives an item to people: of a queue, with these skills beside those it required.

    Raises `NotFound`, `Unprocessable` for a skill nobody knows, `Forbidden` for an agent who is no bot (they transfer), `Conflict` for
    one who has not the item; twice is such a conflict.
    """
    kind = await connection.fetchval("select kind from santral.agent where workspace_id = $1 and id = $2", workspace_id, agent_id)
    if kind != "bot":
        raise Forbidden("only a bot hands over", field="agent", remedy="transfer the item instead")
    queue_id = None
    if queue is not None:
        queue_id = await connection.fetchval(
            "select id from santral.queue where workspace_id = $1 and name = $2 and enabled", workspace_id, queue
        )
        if queue_id is None:
            raise NotFound("no such queue", field="queue", remedy="the name of a queue that is enabled")
    known = {row["name"] for row in await connection.fetch("select name from santral.skill where workspace_id = $1", workspace_id)}
    for name in skills or {}:
        if name not in known:
            raise Unprocessable(f"there is no skill {name!r}", field=f"skills.{name}", remedy="one of the workspace's skills")
    change = Change(trigger="hand_over", agent=agent_id, queue=queue_id)
    view = await move_item(
        connection, workspace_id=workspace_id, item_id=item_id, change=change, actor=f"agent:{agent_id}", note=note, author=agent_id
    )
    await require_skills(connection, workspace_id, item_id, {**(skills or {}), PERSON: 1})
    return view


async def hand_over_to_people(connection: Connection, items: Iterable[tuple[UUID, UUID]], at: datetime) -> None:
    """What customers who ask for a person have with a bot goes to people; other items stay as they are. Twice is harmless.

    Items are (workspace, id); their conversations are locked.
    """
    pairs = sorted(items)
    if not pairs:
        return
    rows = await connection.fetch(_WITH_BOTS, [workspace for workspace, _ in pairs], [item for _, item in pairs])
    moves = []
    for stored in await lock_items(connection, [(row["workspace_id"], row["id"]) for row in rows]) if rows else ():
        if stored.state.state in ("offered", "assigned", "wrapping"):
            after = transition(stored.state, Change(trigger="hand_over", agent=stored.state.agent), at.timestamp())
            moves.append(
                Move(stored=stored, after=after, trigger="hand_over", actor="customer", reason="the customer asked for a person")
            )
    await write_moves(connection, moves, at)
    for move in moves:
        await require_skills(connection, move.stored.workspace_id, move.after.id, {PERSON: 1})
