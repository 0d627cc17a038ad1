"""`/v1/stream`: an agent's socket. It shows the desk, then everything that happens, in order and without gaps.

    client  hello {token, resume?: {incarnation, agent_seq, conversations: {id: seq}}}
    server  welcome {incarnation, agent_seq, desk?}     no desk: the resume holds, what was missed follows
            event {event}                               with agent_seq on the agent's stream, with seq on a conversation's
            message {message}                           in a followed conversation, in place of its event; after the event
                                                        of an amendment, the message that it is about, as it stands now
            queue {queue, items} · queue_item {…}       a followed queue: a snapshot, then absolute states with versions
            error {problem}
    client  follow {conversation_id, seq} · unfollow {conversation_id} · follow_queue {queue} · unfollow_queue {queue}

Each stream has a cursor of its own here, moved only when its rows were sent: an event of both streams comes on both, with the
sequence of the one it came on, so the client's cursors never jump. While the socket answers pings the agent's lease is renewed;
closing sets nothing: the lease runs out. **Units**: seconds. **Identity**: event id; a client drops one it has seen.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, WebSocket
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from router.commands.presence import renew_lease
from router.views.conversations import agent_events, conversation_events, read_conversation
from router.views.desk import desk_snapshot, queue_snapshot
from router.views.messages import messages_at, messages_page
from services.api.conversations import add_deliveries
from services.api.credentials import read_token
from services.api.fanout import FanOut, Kind
from services.api.principal import Credentials, Principal
from services.api.profile_seen import note_glances, people_on
from services.api.queue_stream import QueueStream
from services.api.socket_places import Places, Stay
from services.api.sockets import Closed, Frame, Guard, Line, Refusals, ending, first_of, opened
from services.api.unseen import hide_ends
from services.api.unseen_customers import hide_customers, hide_writers
from services.api.visibility import require_conversation, require_queue
from services.frame.peers import peer_of, shares_of
from services.frame.processor_time import turn_again, turn_of
from services.frame.rates import Rates
from shared.database import Connection, Database
from shared.errors import Forbidden, InputRejected, SantralError, Unauthenticated, Unavailable
from shared.hints import Hints
from shared.logs import get_log
from shared.metrics import SOCKETS

log = get_log(__name__)
router = APIRouter()
LEASE_EVERY_S: Final = 10.0
PAGE: Final = 200
MISSED_MAX: Final = 2000
FOLLOWED_MAX: Final = 200
QUEUE_EVERY_S: Final = 0.5
_GONE_ELSEWHERE: Final = "this is outside the role's visibility now"


class Resume(BaseModel):
    """Where a client was: per stream the last sequence it has."""

    incarnation: UUID
    agent_seq: Annotated[int, Field(ge=0)]
    conversations: dict[UUID, Annotated[int, Field(ge=0)]] = Field(default_factory=dict, max_length=FOLLOWED_MAX)


class Hello(Frame):
    """The first frame."""

    type: Literal["hello"]
    token: Annotated[str, Field(max_length=200)]
    resume: Resume | None = None


class Follow(Frame):
    """Show a conversation from after ``seq`` on."""

    type: Literal["follow"]
    conversation_id: UUID
    seq: Annotated[int, Field(ge=0)] = 0


class Unfollow(Frame):
    """Show it no more."""

    type: Literal["unfollow"]
    conversation_id: UUID


class FollowQueue(Frame):
    """Show who waits in a queue."""

    type: Literal["follow_queue"]
    queue: Annotated[str, Field(max_length=200)]


class UnfollowQueue(Frame):
    """Show it no more."""

    type: Literal["unfollow_queue"]
    queue: Annotated[str, Field(max_length=200)]


_FRAMES: Final[TypeAdapter[Follow | Unfollow | FollowQueue | UnfollowQueue]] = TypeAdapter(
    Annotated[Follow | Unfollow | FollowQueue | UnfollowQueue, Field(discriminator="type")]
)


async def incarnation_of(connection: Connection) -> str:
    """Which life of the database this is; a resume from another one gets a snapshot."""
    return str(await connection.fetchval("select incarnation from santral.deployment"))


async def desk_of(connection: Connection, principal: Principal, agent_id: UUID) -> dict[str, Any]:
    """The desk as REST and the welcome show it to the caller; the transaction is a snapshot."""
    desk = await desk_snapshot(connection, principal.workspace_id, agent_id)
    await hide_customers(connection, principal, [*desk["items"], *desk["offers"]])
    return {"incarnation": await incarnation_of(connection), **desk}


@dataclass(slots=True)
class Cursor:
    """How far a followed conversation was sent; following it again begins a new one."""

    seq: int


class AgentSocket:
    """One open socket of an agent: its cursors, and what rings it."""

    def __init__(
        self, *, db: Database, line: Line, fanout: FanOut, hints: Hints, principal: Principal, agent_id: UUID, rates: Rates
    ) -> None:
        self._db = db
        self._hints = hints
        self._line = line
        self._fanout = fanout
        self._principal = principal
        self._workspace_id = principal.workspace_id
        self._agent_id = agent_id
        self._rates = rates
        self._refusals = Refusals(line, rates, principal)
        self._agent_seq = 0
        self._conversations: dict[UUID, Cursor] = {}
        self._queues: dict[str, QueueStream] = {}
        self._ring = asyncio.Event()
        self._queue_ring = asyncio.Event()
        self._agent_rung = True
        self._rung: set[UUID] = set()

    def changed(self, kind: Kind, followed: UUID) -> None:
        """The fan-out's ring."""
        if kind == "agent":
            self._agent_rung = True
        else:
            self._rung.add(followed)
        self._ring.set()

    def woken(self) -> None:
        """Something happened in the workspace: queues may look different."""
        self._queue_ring.set()

    async def welcome(self, resume: Resume | None) -> None:
        """Follows the agent and says where the stream begins: at the resume when it holds, else with the desk."""
        self._fanout.join(self, self._workspace_id)
        self._fanout.follow(self, self._workspace_id, "agent", self._agent_id)
        async with self._db.batch(self._workspace_id, isolation="repeatable_read") as connection:
            desk = await desk_of(connection, self._principal, self._agent_id)
            await note_glances(connection, self._principal, people_on(desk))
        now = desk["agent"]["agent_seq"]
        if resume is not None and str(resume.incarnation) == desk["incarnation"] and 0 <= now - resume.agent_seq <= MISSED_MAX:
            self._agent_seq = resume.agent_seq
            frame = {"type": "welcome", "incarnation": desk["incarnation"], "agent_seq": resume.agent_seq}
            await self._line.send(frame)
            for conversation_id, seq in resume.conversations.items():
                await self._try(Follow(type="follow", conversation_id=conversation_id, seq=seq))
        else:
            self._agent_seq = now
            await self._line.send({"type": "welcome", "incarnation": desk["incarnation"], "agent_seq": now, "desk": desk})
        self._ring.set()

    async def listen(self) -> None:
        """Takes the client's frames until it goes."""
        while True:
            text = await self._line.receive()
            try:
                frame = _FRAMES.validate_json(text)
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False)[0]
                where = ".".join(str(part) for part in first["loc"]) or "frame"
                await self._refusals.tell(InputRejected(str(first["msg"]), field=where, remedy="see /docs"))
                continue
            await self._try(frame, counted=True)

    async def _try(self, frame: Follow | Unfollow | FollowQueue | UnfollowQueue, *, counted: bool = False) -> None:
        try:
            if counted:
                self._rates.take("frames", str(self._principal.id))
                await turn_again()
            await self._take(frame)
        except (InputRejected, Unavailable) as error:
            about = {"conversation_id": frame.conversation_id} if isinstance(frame, Follow | Unfollow) else {"queue": frame.queue}
            # What a page resumes may be out of sight by now, and is told whatever it asks for then.
            await (self._refusals.tell if counted else self._line.fail)(error, **about)

    async def _take(self, frame: Follow | Unfollow | FollowQueue | UnfollowQueue) -> None:
        if isinstance(frame, Unfollow):
            self._conversations.pop(frame.conversation_id, None)
            self._fanout.unfollow(self, self._workspace_id, "conversation", frame.conversation_id)
        elif isinstance(frame, UnfollowQueue):
            self._queues.pop(frame.queue, None)
        elif isinstance(frame, FollowQueue):
            await self._follow_queue(frame.queue)
        else:
            await self._follow(frame.conversation_id, frame.seq)

    async def _follow(self, conversation_id: UUID, seq: int) -> None:
        if len(self._conversations) >= FOLLOWED_MAX and conversation_id not in self._conversations:
            raise InputRejected(f"more than {FOLLOWED_MAX} conversations", field="conversation_id", remedy="unfollow some")
        async with self._db.batch(self._workspace_id) as connection:
            await read_conversation(connection, self._workspace_id, conversation_id)
            await require_conversation(connection, self._principal, conversation_id)
        self._fanout.follow(self, self._workspace_id, "conversation", conversation_id)
        self._conversations[conversation_id] = Cursor(seq)
        self.changed("conversation", conversation_id)

    async def _follow_queue(self, queue: str) -> None:
        async with self._db.batch(self._workspace_id) as connection:
            await require_queue(connection, self._principal, queue)
            items = await queue_snapshot(connection, self._workspace_id, queue)
        stream = QueueStream(queue)
        await self._line.send({"type": "queue", "queue": queue, "items": items})
        stream.begin(items)
        self._queues[queue] = stream

    async def send_events(self) -> None:
        """Sends what is new, each time it is rung; conversations before the agent's own."""
        while True:
            await self._ring.wait()
            self._ring.clear()
            rung, self._rung = self._rung, set()
            agent_rung, self._agent_rung = self._agent_rung, False
            try:
                for conversation_id in rung & self._conversations.keys():
                    await self._send_conversation(conversation_id)
                if agent_rung:
                    await self._send_agent()
            except Unavailable as error:
                log.warning("a socket waits for the database", action="dependency_down", error=str(error))
                self._rung |= rung
                self._agent_rung |= agent_rung
                await asyncio.sleep(1)
                self._ring.set()

    async def _send_conversation(self, conversation_id: UUID) -> None:
        cursor = self._conversations.get(conversation_id)
        more = True
        while more and cursor is not None:
            async with self._db.batch(self._workspace_id, isolation="repeatable_read") as connection:
                if not await self._sees(connection, conversation_id):
                    break
                events = await conversation_events(
                    connection, self._workspace_id, conversation_id, after_seq=cursor.seq, limit=PAGE
                )
                await hide_ends(connection, self._principal, events)
                messages = await messages_page(connection, self._workspace_id, conversation_id, after_seq=cursor.seq, limit=PAGE)
                amended = {one["seq"]: one["amends"]["seq"] for one in messages if one["amends"]}
                anew = await messages_at(connection, self._workspace_id, conversation_id, list(amended.values())) if amended else []
                await add_deliveries(connection, self._workspace_id, [*messages, *anew])
                await hide_writers(connection, self._principal, conversation_id, [*messages, *anew])
            more = len(events) == PAGE
            end = events[-1]["seq"] if events else cursor.seq
            frames: dict[int, dict[str, Any]] = {event["seq"]: _event(event, "seq") for event in events}
            said = {one["seq"]: {"type": "message", "message": one} for one in (*messages, *anew)}
            frames |= {one["seq"]: said[one["seq"]] for one in messages if one["seq"] <= end and not one["amends"]}
            for seq in sorted(frames):
                await self._line.send(frames[seq])
                if seq in amended:
                    await self._line.send(said[amended[seq]])
                cursor.seq = seq
                if self._conversations.get(conversation_id) is not cursor:
                    return
        else:
            return
        await self._lose(Unfollow(type="unfollow", conversation_id=conversation_id), _GONE_ELSEWHERE)

    async def _sees(self, connection: Connection, conversation_id: UUID) -> bool:
        """Whether a followed conversation may still be shown: its work may have gone to somebody else, or its queue away."""
        try:
            await require_conversation(connection, self._principal, conversation_id)
        except Forbidden:
            return False
        return True

    async def _lose(self, frame: Unfollow | UnfollowQueue, why: str) -> None:
        await self._take(frame)
        about = {"conversation_id": frame.conversation_id} if isinstance(frame, Unfollow) else {"queue": frame.queue}
        await self._line.fail(Forbidden(why, remedy="ask a supervisor"), **about)

    async def _send_agent(self) -> None:
        while True:
            async with self._db.batch(self._workspace_id) as connection:
                events = await agent_events(connection, self._workspace_id, self._agent_id, after_seq=self._agent_seq, limit=PAGE)
                await hide_ends(connection, self._principal, events)
            for event in events:
                await self._line.send(_event(event, "agent_seq"))
                self._agent_seq = event["agent_seq"]
            if len(events) < PAGE:
                return

    async def send_queues(self) -> None:
        """Sends what changed in followed queues, at most twice a second."""
        while True:
            await self._queue_ring.wait()
            self._queue_ring.clear()
            for queue, stream in list(self._queues.items()):
                with contextlib.suppress(Unavailable):  # the next second looks again
                    try:
                        async with self._db.batch(self._workspace_id) as connection:
                            await require_queue(connection, self._principal, queue)
                            frames = await stream.changes(connection, self._workspace_id)
                    except InputRejected:
                        await self._lose(UnfollowQueue(type="unfollow_queue", queue=queue), _GONE_ELSEWHERE)
                        continue
                    for frame in frames:
                        await self._line.send({"type": "queue_item", "queue": queue, **frame})
            await asyncio.sleep(QUEUE_EVERY_S)

    async def keep_lease(self) -> None:
        """Renews the agent's lease; an agent who was disabled or removed is put out."""
        while True:
            try:
                async with self._db.batch(self._workspace_id) as connection:
                    enabled = await connection.fetchval(
                        "select enabled from santral.agent where workspace_id = $1 and id = $2", self._workspace_id, self._agent_id
                    )
                    if not enabled:
                        raise Closed(4403, "this agent is gone or disabled")
                    await renew_lease(connection, workspace_id=self._workspace_id, agent_id=self._agent_id)
                self._hints.wake("dispatch")
            except SantralError as error:
                log.warning("a lease was not renewed", action="dependency_down", agent=str(self._agent_id), error=str(error))
            await asyncio.sleep(LEASE_EVERY_S)


def _event(event: dict[str, Any], place: str) -> dict[str, Any]:
    """An event on one stream: with that stream's sequence only."""
    other = "seq" if place == "agent_seq" else "agent_seq"
    return {"type": "event", "event": {name: value for name, value in event.items() if name != other}}


@router.websocket("/v1/stream")
async def stream(websocket: WebSocket) -> None:
    """Serves one agent's socket to its end."""
    places: Places = websocket.app.state.places.agents
    owners = shares_of(peer_of(websocket.scope))
    async with ending(websocket):
        with places.open.one(owners) as place:
            with places.silent.one(owners) as silent, Stay(place, silent).waiting():
                line, hello = await opened(websocket, Hello)
            principal = await _principal(websocket.app.state.credentials, hello.token, peer_of(websocket.scope))
            with places.of_workspace.one(principal.workspace_id, owners):
                await turn_of(principal.workspace_id, principal.actor)
                await _serve(websocket, line, hello, principal)


async def _serve(websocket: WebSocket, line: Line, hello: Hello, principal: Principal) -> None:
    state = websocket.app.state
    fanout: FanOut = state.fanout
    guard: Guard = state.guard
    assert principal.agent_id is not None
    socket = AgentSocket(
        db=state.db, line=line, fanout=fanout, hints=state.hints, principal=principal, agent_id=principal.agent_id, rates=state.rates
    )  # fmt: skip
    SOCKETS.labels(kind="agent").inc()
    try:
        await socket.welcome(hello.resume)
        await first_of(
            socket.listen(), socket.send_events(), socket.send_queues(), socket.keep_lease(),
            guard.ended("agent", read_token(hello.token).public_id, principal),
        )  # fmt: skip
    finally:
        SOCKETS.labels(kind="agent").dec()
        fanout.leave(socket, principal.workspace_id)


async def _principal(credentials: Credentials, token: str, peer: str) -> Principal:
    try:
        principal = await credentials.principal(token, peer=peer)
        principal.require("conversations:read")
    except Unauthenticated as error:
        raise Closed(4401, str(error)) from error
    except Forbidden as error:
        raise Closed(4403, str(error)) from error
    if principal.agent_id is None:
        raise Closed(4403, "this stream is an agent's; use an agent's token")
    return principal
