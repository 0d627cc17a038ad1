"""`/v1/chat/{widget_token}/socket`: a visitor's socket.

    client  hello {token, resume?: {incarnation, conversation_id, seq}}
    server  welcome {incarnation, conversation_id, seq, messages, state, position, agent}
    client  message {id, text}      id: the browser's; sending it again is the same message
    server  accepted {id, message_id}     the broker has it
            message {message: {seq, direction, text, at, agent_name?, client_id?}, conversation_id}
            welcome, once more, when the visitor's messages are in another conversation now
            position {position, wait} · state {state, agent, conversation_id}
            error {problem, id?, retry_after_s?}    with the last: not taken now, send it again after so many seconds
    client  leave {}                the place in line is given up, unless others wait in it too

One publish is in flight per socket. When the broker does not take it the socket closes 1013 and the client sends again what was not accepted.
A visitor sees public fields of their own conversation and nothing else (`router/views/visitor.py`).
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, WebSocket
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from ingest.adapter import Target
from ingest.adapters.webchat import draft_of
from ingest.receive import Receiver
from router.commands.work import abandon
from router.views.desk import place_in_line
from router.views.visitor import Own, own_conversation, public_messages
from services.api.agent_socket import incarnation_of
from services.api.chat import Widget, allowed_origin, widget_at
from services.api.chat_sessions import customer_of, visitors_of, wrote
from services.api.credentials import read_token
from services.api.fanout import FanOut, Kind
from services.api.principal import Credentials, Principal
from services.api.socket_places import Places, Stay
from services.api.sockets import Closed, Frame, Guard, Line, Refusals, ending, first_of, opened
from services.frame.peers import peer_of, shares_of
from services.frame.processor_time import turn_again
from services.frame.rates import Rates
from shared.clock import Clock
from shared.database import Connection, Database, retried
from shared.errors import Forbidden, InputRejected, NotFound, Throttled, Unauthenticated, Unavailable
from shared.hints import Hints
from shared.logs import get_log
from shared.metrics import SOCKETS

log = get_log(__name__)
router = APIRouter()
POSITION_EVERY_S: Final = 2.0
LOOK_AGAIN_S: Final = 0.02


class Resume(BaseModel):
    """What the page has already."""

    incarnation: UUID
    conversation_id: UUID | None = None
    seq: Annotated[int, Field(ge=0)] = 0


class Hello(Frame):
    """The first frame."""

    type: Literal["hello"]
    token: Annotated[str, Field(max_length=200)]
    resume: Resume | None = None


class Message(Frame):
    """What the visitor says."""

    type: Literal["message"]
    id: Annotated[str, Field(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9-]+$")]
    text: Annotated[str, Field(max_length=20_000)]


class Leave(Frame):
    """The visitor goes."""

    type: Literal["leave"]


_FRAMES: Final[TypeAdapter[Message | Leave]] = TypeAdapter(Annotated[Message | Leave, Field(discriminator="type")])


class VisitorSocket:
    """One open socket of a visitor."""

    def __init__(
        self, *, db: Database, line: Line, fanout: FanOut, receiver: Receiver, hints: Hints, clock: Clock, widget: Widget,
        principal: Principal, visitor_id: UUID, secret: bytes, rates: Rates, stay: Stay,
    ) -> None:  # fmt: skip
        self._db = db
        self._line = line
        self._fanout = fanout
        self._receiver = receiver
        self._hints = hints
        self._clock = clock
        self._inbox = widget.inbox
        self._workspace_id = widget.inbox.workspace_id
        self._principal = principal
        self._visitor_id = visitor_id
        self._customer_id = customer_of(secret, widget.inbox, principal.claims)
        self._wrote = False
        self._rates = rates
        self._stay = stay
        self._refusals = Refusals(line, rates, principal)
        self._own: Own | None = None
        self._seq = 0
        self._place: dict[str, Any] = {}
        self._awaited: set[UUID] = set()
        self._ring = asyncio.Event()

    def changed(self, kind: Kind, followed: UUID) -> None:
        """The visitor's conversation moved on."""
        self._ring.set()

    def woken(self) -> None:
        """Something happened in the workspace: perhaps a message of ours was routed."""
        if self._awaited:
            self._ring.set()

    async def welcome(self, resume: Resume | None) -> None:
        """Says where the visitor stands; with a resume that holds, only what was missed."""
        self._fanout.join(self, self._workspace_id)
        await self._begin(resume)
        self._ring.set()

    async def _begin(self, resume: Resume | None) -> None:
        async with self._db.batch(self._workspace_id, isolation="repeatable_read") as connection:
            incarnation = await incarnation_of(connection)
            own = await self._find(connection)
            after, messages = 0, []
            if own is not None:
                holds = (
                    resume is not None and str(resume.incarnation) == incarnation and resume.conversation_id == own.conversation_id
                )
                after = resume.seq if holds and resume is not None and resume.seq <= own.seq else 0
                messages = await public_messages(connection, self._workspace_id, self._inbox.id, own, after_seq=after)
                self._place = await place_in_line(connection, self._workspace_id, own.conversation_id)
        self._take(own)
        self._seq = own.seq if own is not None else 0
        await self._line.send(
            {
                "type": "welcome", "incarnation": incarnation, "conversation_id": own.conversation_id if own else None,
                "seq": self._seq, "messages": messages, "state": self._place.get("state", "idle"),
                "position": self._place.get("position"), "wait": self._place.get("wait"), "agent": self._place.get("agent"),
            }
        )  # fmt: skip

    async def _find(self, connection: Connection) -> Own | None:
        """The conversation that this session may see now: who may see what can change while a socket is open."""
        visitors = await visitors_of(connection, self._inbox, self._visitor_id, self._customer_id)
        return await own_conversation(connection, self._workspace_id, self._inbox.id, visitors)

    def _take(self, own: Own | None) -> None:
        """Follows the visitor's conversation, in place of the one before."""
        before = self._own.conversation_id if self._own else None
        now = own.conversation_id if own else None
        if before != now:
            if before is not None:
                self._fanout.unfollow(self, self._workspace_id, "conversation", before)
            if now is not None:
                self._fanout.follow(self, self._workspace_id, "conversation", now)
        self._own = own

    async def listen(self) -> None:
        """Takes the visitor's frames until they go."""
        while True:
            with self._stay.waiting():
                text = await self._line.receive()
            try:
                frame = _FRAMES.validate_json(text)
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False)[0]
                where = ".".join(str(part) for part in first["loc"]) or "frame"
                await self._refusals.tell(InputRejected(str(first["msg"]), field=where))
                continue
            if isinstance(frame, Leave):
                await self._leave()
            else:
                await self._say(frame)

    async def _say(self, frame: Message) -> None:
        try:
            self._rates.take("visitor", str(self._visitor_id))
            await turn_again()
        except Throttled as error:
            await self._refusals.tell(error, id=frame.id, retry_after_s=error.retry_after_s)
            return
        claims = {name: value for name, value in self._principal.claims.items() if name not in ("locale", "identity_scope")}
        try:
            draft = draft_of(
                self._inbox, visitor_id=self._visitor_id, client_id=frame.id, text=frame.text, claims=claims, asserted={},
                sent_at=self._clock.now(),
            )  # fmt: skip
        except InputRejected as error:
            await self._refusals.tell(error, id=frame.id)
            return
        if not self._wrote:
            async with self._db.batch(self._workspace_id) as connection:
                await wrote(connection, self._workspace_id, self._principal.id)
            self._wrote = True
        target = Target(id=self._inbox.id, workspace_id=self._workspace_id, provider="webchat", inboxes=(self._inbox,))
        try:
            (accepted,) = await self._receiver.receive(target, [draft])
        except Unavailable as error:
            raise Closed(1013, "the message was not taken; connect again and send it again") from error
        self._awaited.add(accepted.message_id)
        await self._line.send({"type": "accepted", "id": frame.id, "message_id": accepted.message_id})

    async def _leave(self) -> None:
        try:
            self._rates.take("visitor", str(self._visitor_id))
            await turn_again()
        except Throttled as error:
            await self._refusals.tell(error, retry_after_s=error.retry_after_s)
            return

        async def work() -> None:
            async with self._db.batch(self._workspace_id) as connection:
                own = await self._find(connection)
                if own is None:
                    return
                await abandon(
                    connection, workspace_id=self._workspace_id, conversation_id=own.conversation_id, reason="the visitor left",
                    chat=self._inbox.id, handle_ids=own.handle_ids,
                )  # fmt: skip

        try:
            await retried(work)
        except (InputRejected, Unavailable) as error:
            await self._refusals.tell(error)
            return
        self._hints.wake("dispatch")
        self._hints.wake("outbox")
        self._hints.wake("stream", str(self._workspace_id))

    async def send_news(self) -> None:
        """Sends messages and the visitor's place whenever they changed, the place in line at least every two seconds."""
        while True:
            try:
                async with asyncio.timeout(POSITION_EVERY_S if self._place.get("state") == "waiting" else None):
                    await self._ring.wait()
            except TimeoutError:
                pass  # others left the line: only the position may have changed
            self._ring.clear()
            try:
                await self._look()
            except Unavailable as error:
                log.warning("a socket waits for the database", action="dependency_down", error=str(error))
                await asyncio.sleep(1)
                self._ring.set()
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _look(self) -> None:
        async with self._db.batch(self._workspace_id, isolation="repeatable_read") as connection:
            if self._awaited:
                rows = await connection.fetch(
                    "select id from santral.receipt where workspace_id = $1 and id = any($2)",
                    self._workspace_id,
                    list(self._awaited),
                )
                self._awaited -= {row["id"] for row in rows}
            own = await self._find(connection)
            if own is None and self._own is None:
                return
            other = own is None or (self._own is not None and _place_of(self._own) != _place_of(own))
            if own is not None and not other:
                after = 0 if self._own is None else self._seq
                messages = await public_messages(connection, self._workspace_id, self._inbox.id, own, after_seq=after)
                place = await place_in_line(connection, self._workspace_id, own.conversation_id)
        if own is None or other:
            # Begun anew, put into another one, or another's now: its numbers are its own, so the page begins anew too.
            await self._begin(None)
            return
        self._take(own)
        for message in messages:
            await self._line.send({"type": "message", "message": message, "conversation_id": own.conversation_id})
            self._stay.used()
        self._seq = own.seq
        await self._show_place(place, own.conversation_id)

    async def _show_place(self, place: dict[str, Any], conversation_id: UUID) -> None:
        before, self._place = self._place, place
        if (place["state"], place["agent"]) != (before.get("state"), before.get("agent")):
            await self._line.send(
                {"type": "state", "state": place["state"], "agent": place["agent"], "conversation_id": conversation_id}
            )
        if place["position"] is not None and _shown(place) != _shown(before):
            await self._line.send({"type": "position", "position": place["position"], "wait": place["wait"]})


def _place_of(own: Own) -> tuple[Any, ...]:
    """What a page's numbers belong to: the conversation, and whose words in it are the visitor's."""
    return (own.conversation_id, own.handle_ids)


def _shown(place: dict[str, Any]) -> tuple[Any, ...]:
    """What a customer would notice: the position, and the wait in minutes."""
    wait = place.get("wait")
    return (place.get("position"), None if wait is None else (round(wait["p50_s"] / 60), round(wait["p90_s"] / 60)))


@router.websocket("/v1/chat/{widget_token}/socket")
async def chat(websocket: WebSocket, widget_token: str) -> None:
    """Serves one visitor's socket to its end. A foreign origin that the inbox does not list is refused at the handshake."""
    places: Places = websocket.app.state.places.visitors
    owners = shares_of(peer_of(websocket.scope))
    async with ending(websocket):
        with places.open.one(owners) as place:
            try:
                widget = await widget_at(websocket.app.state, widget_token)
                allowed_origin(websocket, widget)
            except (NotFound, Forbidden):
                await websocket.close()
                return
            with places.of_workspace.one(widget.inbox.workspace_id, owners) as there:
                with places.silent.one(owners) as silent, Stay(place, there, silent).waiting():
                    line, hello = await opened(websocket, Hello)
                await _serve(websocket, widget_token, widget, line, hello, Stay(place, there))


async def _serve(websocket: WebSocket, widget_token: str, widget: Widget, line: Line, hello: Hello, stay: Stay) -> None:
    state = websocket.app.state
    fanout: FanOut = state.fanout
    guard: Guard = state.guard
    principal = await _visitor(state.credentials, hello.token, peer_of(websocket.scope), widget)
    assert principal.visitor_id is not None
    socket = VisitorSocket(
        db=state.db, line=line, fanout=fanout, receiver=state.receiver, hints=state.hints, clock=state.clock, widget=widget,
        principal=principal, visitor_id=principal.visitor_id, secret=state.secret, rates=state.rates, stay=stay,
    )  # fmt: skip
    SOCKETS.labels(kind="visitor").inc()
    try:
        await socket.welcome(hello.resume)
        await first_of(
            socket.listen(), socket.send_news(), guard.ended("visitor", read_token(hello.token).public_id, principal),
            guard.chat_ended(widget_token),
        )  # fmt: skip
    finally:
        SOCKETS.labels(kind="visitor").dec()
        fanout.leave(socket, widget.inbox.workspace_id)


async def _visitor(credentials: Credentials, token: str, peer: str, widget: Widget) -> Principal:
    try:
        principal = await credentials.principal(token, peer=peer)
    except Unauthenticated as error:
        raise Closed(4401, str(error)) from error
    if principal.visitor_id is None or principal.inbox_id != widget.inbox.id:
        raise Closed(4401, "this token is not of this chat")
    return principal
