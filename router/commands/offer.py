"""What an agent answers to an offer. Each is one transaction of the caller's; a late or second answer is a `Conflict`."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from router.commands.work import ItemView, move_item
from router.item.transition import Change
from shared.database import Connection
from shared.errors import Conflict, NotFound

HEARING: Final = ("online", "busy")


async def _item_of(connection: Connection, workspace_id: UUID, offer_id: UUID, agent_id: UUID) -> UUID:
    row = await connection.fetchrow(
        "select item_id, agent_id, state from santral.offer where workspace_id = $1 and id = $2", workspace_id, offer_id
    )
    if row is None or row["agent_id"] != agent_id:
        raise NotFound("no such offer for this agent", field="offer_id")
    if row["state"] != "open":
        raise Conflict(f"this offer is {row['state']}", field="offer_id", remedy="take the next one")
    item_id: UUID = row["item_id"]
    return item_id


async def accept(connection: Connection, *, workspace_id: UUID, offer_id: UUID, agent_id: UUID) -> ItemView:
    """The agent takes the item. Of any number of answers at once exactly one wins.

    Who went away meanwhile takes nothing: `Conflict`, and the caller's transaction is to end with it.
    """
    item_id = await _item_of(connection, workspace_id, offer_id, agent_id)
    taken = await move_item(
        connection, workspace_id=workspace_id, item_id=item_id, change=Change(trigger="accept", agent=agent_id),
        actor=f"agent:{agent_id}", offer_id=offer_id,
    )  # fmt: skip
    # Asked now, because the move holds the agent's row: nobody goes away between this and the commit.
    said = await connection.fetchrow(
        "select presence, presences->>$3 as on_channel from santral.agent where workspace_id = $1 and id = $2",
        workspace_id, agent_id, taken.channel,
    )  # fmt: skip
    assert said is not None, "the move found the agent"
    presence = said["presence"] if said["presence"] not in HEARING else said["on_channel"]
    if presence is not None:
        raise Conflict(f"you are {presence}, so the offer goes back", field="presence", remedy="go online, and you are asked again")
    return taken


async def decline(connection: Connection, *, workspace_id: UUID, offer_id: UUID, agent_id: UUID, reason: str = "") -> None:
    """The agent does not take it: the capacity comes back, the item keeps its key and waits for another.

    An offer by transfer goes back to who gave it away.
    """
    item_id = await _item_of(connection, workspace_id, offer_id, agent_id)
    await move_item(
        connection, workspace_id=workspace_id, item_id=item_id, change=Change(trigger="decline", agent=agent_id),
        actor=f"agent:{agent_id}", reason=reason, offer_id=offer_id,
    )  # fmt: skip
