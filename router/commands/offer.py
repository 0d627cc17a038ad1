"""What an agent answers to an offer. Each is one transaction of the caller's; a late or second answer is a `Conflict`."""

from __future__ import annotations

from typing import Final, Literal
from uuid import UUID

from router.commands.work import ItemView, move_item
from router.item.transition import Change
from shared.database import Connection
from shared.errors import Conflict, NotFound

HEARING: Final = ("online", "busy")


async def _item_of(
    connection: Connection, workspace_id: UUID, offer_id: UUID, agent_id: UUID, answer: Literal["accept", "decline"]
) -> UUID:
    row = await connection.fetchrow(
        "select o.item_id, o.agent_id, o.state, a.presence, a.presences->>i.channel as on_channel from santral.offer o"
        " join santral.agent a on a.workspace_id = o.workspace_id and a.id = o.agent_id"
        " join santral.work_item i on i.workspace_id = o.workspace_id and i.id = o.item_id"
        " where o.workspace_id = $1 and o.id = $2",
        workspace_id, offer_id,
    )  # fmt: skip
    if row is None or row["agent_id"] != agent_id:
        raise NotFound("no such offer for this agent", field="offer_id")
    if row["state"] != "open":
        raise Conflict(f"this offer is {row['state']}", field="offer_id", remedy="take the next one")
    if answer == "accept" and (row["presence"] not in HEARING or row["on_channel"] is not None):
        presence = row["presence"] if row["presence"] not in HEARING else row["on_channel"]
        raise Conflict(f"you are {presence}, so the offer goes back", field="presence", remedy="go online, and you are asked again")
    item_id: UUID = row["item_id"]
    return item_id


async def accept(connection: Connection, *, workspace_id: UUID, offer_id: UUID, agent_id: UUID) -> ItemView:
    """The agent takes the item. Of any number of answers at once exactly one wins; who went away meanwhile takes nothing."""
    item_id = await _item_of(connection, workspace_id, offer_id, agent_id, "accept")
    return await move_item(
        connection, workspace_id=workspace_id, item_id=item_id, change=Change(trigger="accept", agent=agent_id),
        actor=f"agent:{agent_id}", offer_id=offer_id,
    )  # fmt: skip


async def decline(connection: Connection, *, workspace_id: UUID, offer_id: UUID, agent_id: UUID, reason: str = "") -> None:
    """The agent does not take it: the capacity comes back, the item keeps its key and waits for another.

    An offer by transfer goes back to who gave it away.
    """
    item_id = await _item_of(connection, workspace_id, offer_id, agent_id, "decline")
    await move_item(
        connection, workspace_id=workspace_id, item_id=item_id, change=Change(trigger="decline", agent=agent_id),
        actor=f"agent:{agent_id}", reason=reason, offer_id=offer_id,
    )  # fmt: skip
