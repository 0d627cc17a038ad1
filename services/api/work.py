"""Offers and items: an agent's answers and commands. Each is one conditional change in one transaction: 200, or 409 at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from router.commands import offer as offers
from router.commands import transfer as transfers
from router.commands import work
from router.commands.bot_handover import hand_over
from router.commands.work import ItemView
from router.moves.notes import NOTE_CHARS_MAX
from router.views.desk import desk_snapshot, list_items, read_item, transfer_targets
from services.api.audit import audit
from services.api.document import may_answer
from services.api.lists import Cursor, Limit, Page, cursor_of, place_of
from services.api.principal import ConversationReader, ConversationWriter, Principal
from services.api.unseen_customers import hide_customers
from services.api.visibility import require_conversation, require_everything, require_queue, sight_of
from services.api.work_models import ShownItem, TargetsOut
from services.api.written_words import masked_words
from shared.database import Connection, retried
from shared.errors import Conflict, Forbidden, Unprocessable
from shared.given import Given, exactly_one
from shared.moments import Moment

router = APIRouter(prefix="/v1", tags=["work"])
Json = dict[str, Any]
_OVER_OTHERS: Final = "only who sees the whole workspace decides over others' work"


class Declined(Given):
    """Why an offer is not taken."""

    reason: Annotated[str, Field(max_length=200)] = ""


class Outcome(Given):
    """What came of the work."""

    reason: Annotated[str, Field(max_length=100)] | None = None
    resolved: bool | None = None
    note: Annotated[str, Field(max_length=2000)] | None = None


class Parked(Given):
    """Until when to wait for the customer, within a year; left out, as long as the channel's rule says."""

    wake_at: Moment | None = None


class Transferred(Given):
    """To whom an item goes: one agent, or a queue. The note is for agents only; ``wait_s`` is when it comes back untaken."""

    model_config = ConfigDict(
        json_schema_extra={
            **exactly_one("to_agent", "to_queue"),
            "examples": [{"to_queue": "fatura", "note": "İade onayı bekliyor."}],
        }
    )

    to_agent: UUID | None = None
    to_queue: Annotated[str, Field(max_length=100)] | None = None
    note: Annotated[str, Field(max_length=NOTE_CHARS_MAX, pattern=r"^[^\x00]*$")] = ""
    wait_s: Annotated[int, Field(ge=5, le=7 * 24 * 3600)] | None = None


_REASONED: Final[dict[str, Any]] = {
    "if": {"required": ["override"], "properties": {"override": {"const": True}}},
    "then": {"required": ["reason"], "properties": {"reason": {"pattern": r"\S"}}},
}


class Assigned(Given):
    """The agent who gets an item, whoever had it. ``override`` exceeds their capacity and needs a reason. The note is for agents."""

    model_config = ConfigDict(json_schema_extra=_REASONED)

    agent: UUID
    override: bool = False
    reason: Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")] = ""
    note: Annotated[str, Field(max_length=NOTE_CHARS_MAX, pattern=r"^[^\x00]*$")] = ""


class HandedOver(Given):
    """To which people: of a queue (left out: the item's own), with skills. The note is for agents only."""

    queue: Annotated[str, Field(max_length=100)] | None = None
    skills: Annotated[dict[str, Annotated[int, Field(ge=1, le=5)]], Field(max_length=50)] = Field(default_factory=dict)
    note: Annotated[str, Field(max_length=NOTE_CHARS_MAX, pattern=r"^[^\x00]*$")] = ""


class Canceled(Given):
    """Why an item is ended without an answer."""

    reason: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]


class ItemOut(BaseModel):
    """An item as a command left it."""

    id: UUID
    conversation_id: UUID
    queue_id: UUID
    channel: str
    state: str
    version: int
    agent_id: UUID | None


def _agent(principal: Principal) -> UUID:
    if principal.agent_id is None:
        raise Forbidden("only an agent works on items", field="Authorization", remedy="use the agent's token")
    return principal.agent_id


async def _command(
    request: Request, principal: Principal, action: str, target: UUID, work_on: Callable[[Connection], Awaitable[Any]],
    details: Json | None = None,
) -> Any:  # fmt: skip
    """Runs a command in a transaction of its own, audited, and wakes those who wait for it."""
    state = request.app.state

    async def once() -> Any:
        async with state.db.batch(principal.workspace_id) as connection:
            result = await work_on(connection)
            await audit(connection, principal, action, action.partition(".")[0], str(target), details)
            return result

    result = await retried(once)
    for topic in ("dispatch", "outbox"):
        state.hints.wake(topic)
    state.hints.wake("stream", str(principal.workspace_id))
    return result


async def _on_item(
    request: Request, principal: Principal, action: str, item_id: UUID, work_on: Callable[[Connection], Awaitable[ItemView]],
    details: Json | None = None,
) -> ItemOut:  # fmt: skip
    """A command on an item. Why it is refused is told to who sees the item; others hear what they hear when they read it.

    The refusal comes first and sight is asked then: who sees nothing of a queue they are a member of may claim from it.
    """

    async def told(connection: Connection) -> ItemView:
        try:
            return await work_on(connection)
        except Conflict:
            stands = await work.item_of(connection, principal.workspace_id, item_id)
            await require_conversation(connection, principal, stands.conversation_id)
            raise

    return ItemOut(**asdict(await _command(request, principal, action, item_id, told, details)))


@router.get("/offers", summary="My open offers")
async def my_offers(request: Request, principal: ConversationReader) -> Page[ShownItem]:
    """What is offered to the agent now."""
    async with request.app.state.db.batch(principal.workspace_id, isolation="repeatable_read") as connection:
        desk = await desk_snapshot(connection, principal.workspace_id, _agent(principal))
        await hide_customers(connection, principal, desk["offers"])
    return Page(items=[ShownItem(**one) for one in desk["offers"]])


@router.post("/offers/{offer_id}/accept", summary="Take an offer")
async def accept(request: Request, principal: ConversationWriter, offer_id: UUID) -> ItemOut:
    """Of any number of answers exactly one wins; a late one is 409."""
    agent = _agent(principal)
    view = await _command(
        request, principal, "offer.accept", offer_id,
        lambda c: offers.accept(c, workspace_id=principal.workspace_id, offer_id=offer_id, agent_id=agent),
    )  # fmt: skip
    return ItemOut(**asdict(view))


@router.post("/offers/{offer_id}/decline", status_code=204, summary="Decline an offer")
async def decline(request: Request, principal: ConversationWriter, offer_id: UUID, body: Declined | None = None) -> None:
    """The item keeps its place and goes to somebody else."""
    agent = _agent(principal)
    reason = await masked_words(request, principal, (body or Declined()).reason)
    await _command(
        request, principal, "offer.decline", offer_id,
        lambda c: offers.decline(c, workspace_id=principal.workspace_id, offer_id=offer_id, agent_id=agent, reason=reason),
    )  # fmt: skip


@router.get("/items", summary="Items, in the order they are served", responses=may_answer(404))
async def items(
    request: Request, principal: ConversationReader, limit: Limit = 100, queue: str | None = None, agent: UUID | None = None,
    state: Literal["queued", "offered", "assigned", "parked", "wrapping", "completed", "abandoned", "canceled"] | None = None,
    cursor: Cursor = None,
) -> Page[ShownItem]:  # fmt: skip
    """Those that the caller's visibility reaches; a queue that it does not reach is refused."""
    sight = sight_of(principal)
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        if queue is not None:
            await require_queue(connection, principal, queue)
        found, last = await list_items(
            connection, principal.workspace_id, state=state, queue=queue, agent_id=agent, seer=sight.seer, in_queues=sight.in_queues,
            limit=limit, after=place_of(cursor),
        )  # fmt: skip
        await hide_customers(connection, principal, found)
    return Page(
        items=[ShownItem(**one) for one in found], next=None if last is None else cursor_of(last[0], last[1].isoformat(), last[2])
    )


@router.get("/items/{item_id}", summary="Read an item")
async def item(request: Request, principal: ConversationReader, item_id: UUID) -> ShownItem:
    """One item with its conversation and why it is where it is."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        found = await read_item(connection, principal.workspace_id, item_id)
        await require_conversation(connection, principal, found["conversation_id"])
        await hide_customers(connection, principal, [found])
    return ShownItem(**found)


@router.post("/items/{item_id}/claim", summary="Take a waiting item")
async def claim(request: Request, principal: ConversationWriter, item_id: UUID) -> ItemOut:
    """Where the queue allows it."""
    agent = _agent(principal)
    return await _on_item(
        request, principal, "item.claim", item_id,
        lambda c: work.claim(c, workspace_id=principal.workspace_id, item_id=item_id, agent_id=agent),
    )  # fmt: skip


@router.post("/items/{item_id}/done", summary="Finish an item")
async def done(request: Request, principal: ConversationWriter, item_id: UUID, body: Outcome | None = None) -> ItemOut:
    """The capacity comes back."""
    agent = _agent(principal)
    outcome = await masked_words(request, principal, (body or Outcome()).model_dump(exclude_none=True))
    return await _on_item(
        request, principal, "item.done", item_id,
        lambda c: work.done(c, workspace_id=principal.workspace_id, item_id=item_id, agent_id=agent, outcome=outcome),
    )  # fmt: skip


@router.post("/items/{item_id}/park", summary="Wait for the customer")
async def park(request: Request, principal: ConversationWriter, item_id: UUID, body: Parked | None = None) -> ItemOut:
    """The capacity comes back, the owner is remembered."""
    agent = _agent(principal)
    wake_at: datetime | None = (body or Parked()).wake_at
    return await _on_item(
        request, principal, "item.park", item_id,
        lambda c: work.park(c, workspace_id=principal.workspace_id, item_id=item_id, agent_id=agent, wake_at=wake_at),
    )  # fmt: skip


@router.get("/targets", summary="To whom an item can be handed")
async def targets(request: Request, principal: ConversationReader) -> TargetsOut:
    """Agents who are there, least loaded first, and queues."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        return TargetsOut(**await transfer_targets(connection, principal.workspace_id, but=principal.agent_id))


@router.post("/items/{item_id}/transfer", summary="Hand an item over")
async def transfer(request: Request, principal: ConversationWriter, item_id: UUID, body: Transferred) -> ItemOut:
    """The giver's capacity stays taken until somebody accepted; declined or unanswered, the item comes back."""
    agent = _agent(principal)
    given = body.model_dump(mode="json", include={"to_agent", "to_queue", "wait_s"}, exclude_none=True)
    note = await masked_words(request, principal, body.note)

    async def work_on(c: Connection) -> ItemView:
        return await transfers.transfer(
            c, workspace_id=principal.workspace_id, item_id=item_id, agent_id=agent, to_agent=body.to_agent, to_queue=body.to_queue,
            note=note, wait_s=body.wait_s,
        )  # fmt: skip

    return await _on_item(request, principal, "item.transfer", item_id, work_on, given)


@router.post("/items/{item_id}/handover", summary="A bot hands an item to people")
async def handover(request: Request, principal: ConversationWriter, item_id: UUID, body: HandedOver | None = None) -> ItemOut:
    """The item keeps its place and its conversation; no bot gets it again."""
    agent, given = _agent(principal), body or HandedOver()
    details = given.model_dump(include={"queue", "skills"}, exclude_none=True)
    note = await masked_words(request, principal, given.note)

    async def work_on(c: Connection) -> ItemView:
        return await hand_over(
            c,
            workspace_id=principal.workspace_id,
            item_id=item_id,
            agent_id=agent,
            queue=given.queue,
            skills=given.skills,
            note=note,
        )

    return await _on_item(request, principal, "item.handover", item_id, work_on, details)


@router.post("/items/{item_id}/assign", summary="Give an open item to an agent")
async def assign(request: Request, principal: ConversationWriter, item_id: UUID, body: Assigned) -> ItemOut:
    """Whoever had it; for those who see the whole workspace. An agent without room is 409, unless ``override`` says so with a reason."""
    require_everything(principal, _OVER_OTHERS)
    if body.override and not body.reason.strip():
        raise Unprocessable("an override without a reason", field="reason", remedy="say why the agent's limit is exceeded")
    given = {"agent": str(body.agent)} | ({"override": True} if body.override else {})
    words = await masked_words(request, principal, {"note": body.note, "reason": body.reason})

    async def work_on(c: Connection) -> ItemView:
        return await work.assign(
            c, workspace_id=principal.workspace_id, item_id=item_id, agent_id=body.agent, actor=principal.actor, override=body.override,
            **words,
        )  # fmt: skip

    return await _on_item(request, principal, "item.assign", item_id, work_on, given)


@router.post("/items/{item_id}/cancel", summary="End an open item without an answer")
async def cancel(request: Request, principal: ConversationWriter, item_id: UUID, body: Canceled) -> ItemOut:
    """From every open state; for those who see the whole workspace. The reason is kept with the item."""
    require_everything(principal, _OVER_OTHERS)
    reason = await masked_words(request, principal, body.reason)

    async def work_on(c: Connection) -> ItemView:
        return await work.cancel(c, workspace_id=principal.workspace_id, item_id=item_id, actor=principal.actor, reason=reason)

    return await _on_item(request, principal, "item.cancel", item_id, work_on)
