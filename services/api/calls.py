"""Calls as a telephone system, or the agent's own telephone, reports them: connected, ended.

While a call is on, its agent is offered nothing that does not fit beside it. What was missed or never reported comes with the call's
record (`santral ingest cdr`). A key reports anybody's calls, an agent's token their own.
**Identity**: inbox and ``call_id``; the same report twice has one effect. **Units**: seconds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import ConfigDict, Field

from ingest.own_addresses import OwnAddresses
from ingest.phone.own_numbers import is_own
from profiles.facts import note_agent
from profiles.identify import Identification, identify
from router.commands.external_calls import agent_on, call_connected, call_ended, conversation_of_call
from router.commands.reached import REASON
from router.commands.work import ItemView, database_now
from services.api.audit import audit
from services.api.document import may_answer
from services.api.principal import ConversationWriter, Principal
from services.api.visibility import began_unseen, conversations_seen, require_conversation, sight_of
from services.api.work import ItemOut
from shared.callers import CALL_SCOPE, is_withheld
from shared.database import Connection, retried
from shared.errors import Forbidden, InputRejected, NotFound, Unprocessable
from shared.given import Given
from shared.handle import Handle, normalized
from shared.ids import AgentId, WorkspaceId

router = APIRouter(prefix="/v1/calls", tags=["work"])
CallId = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[!-.0-~](?:[ -.0-~]*[!-.0-~])?$")]
"""What is seen of an id is all of it: printable ASCII without a slash, blanks within. Source: RFC 3261 §25.1 (callid)."""
_INBOX: Final = """
select i.id, coalesce(i.settings->>'region', w.settings->>'region') as region
from santral.inbox i join santral.workspace w on w.workspace_id = i.workspace_id
where i.workspace_id = $1 and i.name = $2 and i.channel = 'phone' and i.enabled
"""


class CallIn(Given):
    """A call that was just connected. ``agent``: an id, a name, or a device that the inbox's ``agents`` knows."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"inbox": "santral", "call_id": "1718000000.42", "direction": "in", "number": "+905321234567", "agent": "PJSIP/101"}
            ]
        },
    )

    inbox: Annotated[str, Field(max_length=100)]
    call_id: CallId
    direction: Literal["in", "out"]
    number: Annotated[str, Field(max_length=64)] = ""
    name: Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")] = ""
    agent: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    queue: Annotated[str, Field(max_length=100)] | None = None


class EndIn(Given):
    """What the ended call measured, as far as it is known."""

    inbox: Annotated[str, Field(max_length=100)]
    talk_s: Annotated[int, Field(ge=0, le=86_400)] | None = None
    wait_s: Annotated[int, Field(ge=0, le=86_400)] | None = None


@router.post("", status_code=201, summary="A call was connected", responses=may_answer(404))
async def connected(request: Request, principal: ConversationWriter, body: CallIn) -> ItemOut:
    """Takes the agent's capacity, whether there is room or not: the call is there.

    Call-backs of the number end by it: for an agent's token those of conversations that they see, for a key all.
    """

    async def work(connection: Connection) -> ItemView:
        inbox = await _inbox(connection, principal, body.inbox)
        agent_id = await _agent(connection, principal, inbox["id"], body)
        known = await conversation_of_call(connection, principal.workspace_id, inbox["id"], body.call_id)
        if known is not None:
            await require_conversation(connection, principal, known)
        at = await database_now(connection)
        own = await request.app.state.own_book.of(connection, principal.workspace_id)
        who = Identification(
            workspace_id=WorkspaceId(principal.workspace_id), handles=(_handle(inbox, body, own.addresses),), raws=(body.number,), source="phone",
            assurance="asserted", observed_at=at, actor=principal.actor, name=body.name,
        )  # fmt: skip
        (attached,) = (await identify(connection, who)).handles
        await note_agent(connection, WorkspaceId(principal.workspace_id), attached.id, AgentId(agent_id))
        unseen = await began_unseen(connection, principal, attached.id)
        item, reached = await call_connected(
            connection, workspace_id=principal.workspace_id, inbox_id=inbox["id"], call_id=body.call_id, handle_id=attached.id,
            agent_id=agent_id, actor=principal.actor, at=at, queue=body.queue, begun_by=unseen, own_word=sight_of(principal).seer is not None,
            seen_of=partial(conversations_seen, connection, principal),
        )  # fmt: skip
        details: dict[str, Any] = {"call_id": body.call_id, "direction": body.direction, "agent": str(agent_id)}
        if reached:  # the customer is on the line: what waited for a call back is over
            details |= {"canceled": [str(one) for one in reached], "reason": REASON}
        await audit(connection, principal, "call.connected", "item", str(item.id), details)
        return item

    return ItemOut(**asdict(await _done(request, principal, work)))


@router.post("/{call_id}/end", summary="A call ended")
async def ended(request: Request, principal: ConversationWriter, call_id: CallId, body: EndIn) -> ItemOut:
    """The capacity comes back, at once or after the channel's wrap time. The call's record, when it comes, adds nothing to it."""
    measures = body.model_dump(include={"talk_s", "wait_s"}, exclude_none=True)

    async def work(connection: Connection) -> ItemView:
        inbox = await _inbox(connection, principal, body.inbox)
        at = await database_now(connection)
        item = await call_ended(
            connection, workspace_id=principal.workspace_id, inbox_id=inbox["id"], call_id=call_id, actor=principal.actor, at=at,
            measures=measures,
        )  # fmt: skip
        if principal.agent_id not in (None, item.agent_id):
            raise Forbidden("an agent reports their own calls", field="call_id")
        await audit(connection, principal, "call.ended", "item", str(item.id), {"call_id": call_id, **measures})
        return item

    return ItemOut(**asdict(await _done(request, principal, work)))


async def _done(request: Request, principal: Principal, work: Callable[[Connection], Awaitable[ItemView]]) -> ItemView:
    state = request.app.state

    async def once() -> ItemView:
        async with state.db.batch(principal.workspace_id) as connection:
            return await work(connection)

    item = await retried(once)
    for topic in ("dispatch", "outbox"):
        state.hints.wake(topic)
    state.hints.wake("stream", str(principal.workspace_id))
    return item


async def _inbox(connection: Connection, principal: Principal, name: str) -> Any:
    row = await connection.fetchrow(_INBOX, principal.workspace_id, name)
    if row is None:
        raise NotFound("no such inbox for calls", field="inbox", remedy="the name of an inbox of channel phone")
    return row


async def _agent(connection: Connection, principal: Principal, inbox_id: UUID, body: CallIn) -> UUID:
    if body.agent is None:
        if principal.agent_id is None:
            raise Unprocessable("who is on the phone?", field="agent", remedy="name the agent or the device")
        return principal.agent_id
    found = await agent_on(connection, workspace_id=principal.workspace_id, inbox_id=inbox_id, devices=[body.agent])
    if found is None:
        raise NotFound("no such agent", field="agent", remedy="an agent's id or name, or a device under the inbox's agents")
    if principal.agent_id not in (None, found):
        raise Forbidden("an agent reports their own calls", field="agent", remedy="leave it out")
    return found


def _handle(inbox: Any, body: CallIn, own: OwnAddresses) -> Handle:
    """The customer's number; without one, or with one of our own, the call alone stands for whoever is on the line."""
    region = inbox["region"]
    ours = is_own(body.number, own.numbers, region=region)
    if not ours and not is_withheld(body.number):
        try:
            return normalized("phone", body.number, region=region)
        except InputRejected:
            pass
    return normalized("visitor", body.call_id, scope=f"{CALL_SCOPE}{inbox['id']}")
