"""What every browser socket has in common: the first frame, the pace, the watch over its token, and how it is closed.

Close codes: 4400 a frame that is no frame of ours · 4401 no good token · 4403 revoked, or not yours · 4409 too slow, resume · 1008 too many
frames that were refused · 1012 we restart · 1013 we cannot take messages now, have no place for one more socket, or need this one's for
somebody who has fewer (`socket_places.py`; where that is known before the socket is accepted, its handshake is answered 503).
Pace: nothing is queued here. A socket reads from the database what it can send, so memory per socket is the transport's own
buffer; a client that takes nothing for five seconds is closed and resumes by its sequence.
Source: RFC 6455 §7.4; the tokens travel in the first frame, never in an address.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import to_json
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from services.api.principal import Credentials, Principal, principal_of
from services.frame.problems import problem, problem_response
from services.frame.processor_time import counted
from services.frame.rates import Rates
from shared.database import Database
from shared.errors import InputRejected, SantralError, Throttled, Unavailable
from shared.ids import new_id
from shared.json_bounds import MESSAGE, Bounds, require_bounded
from shared.logs import get_log
from shared.metrics import SOCKETS_DROPPED

log = get_log(__name__)
SUBPROTOCOL: Final = "santral.v1"
HELLO_S: Final = 10.0
HELLO_CHARS_MAX: Final = 16 * 1024
HELLO: Final = Bounds(depth=8, values=1000)
"""A first frame is read of whoever comes, before a token is looked at."""
PATIENCE_S: Final = 5.0
GUARD_S: Final = 2.0
OF_ONE_TOKEN_MAX: Final = 50
_GOOD: Final = """
select p.id as public_id, c.* from unnest($1::text[], $2::text[]) as p(kind, id) cross join lateral santral.credential(p.kind, p.id) c
"""
Model = TypeVar("Model", bound=BaseModel)


class Frame(BaseModel):
    """A frame from a browser; unknown members are refused."""

    model_config = ConfigDict(extra="forbid")


class Closed(Exception):
    """Ends a socket with a code; what stands in ``reason`` reaches the client."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Line:
    """An accepted socket, written to by any number of tasks."""

    def __init__(self, websocket: WebSocket, *, patience_s: float) -> None:
        self._websocket = websocket
        self._patience_s = patience_s
        self._turn = asyncio.Lock()

    async def send(self, frame: Mapping[str, Any]) -> None:
        """Sends a frame. Raises `Closed` 4409 when the client takes nothing."""
        text = to_json(frame, exclude_none=False).decode()
        async with self._turn:
            try:
                async with asyncio.timeout(self._patience_s):
                    await self._websocket.send_text(text)
            except TimeoutError as error:
                SOCKETS_DROPPED.inc()
                raise Closed(4409, "too slow: connect again and resume") from error
            except RuntimeError as error:  # the server's word for a peer that closed meanwhile
                raise WebSocketDisconnect(1006) from error

    async def fail(self, error: SantralError, **more: Any) -> None:
        """Says what is wrong with the client's last frame; the socket stays open."""
        body = problem(
            status=error.status,
            kind=error.kind,
            detail=error.message,
            field=error.field,
            remedy=error.remedy,
            request_id=str(new_id()),
        )
        await self.send({"type": "error", "problem": body, **more})

    async def receive(self) -> str:
        """The next frame's text. Raises `Closed` for a binary one, `WebSocketDisconnect` at the end."""
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        text = message.get("text")
        if text is None:
            raise Closed(4400, "frames are JSON text")
        return str(text)


class Refusals:
    """What is refused of one token's frames: answered so many times in a time, then the socket ends, because an answer costs us more."""

    def __init__(self, line: Line, rates: Rates, principal: Principal) -> None:
        self._line, self._rates, self._whose = line, rates, str(principal.id)

    async def tell(self, error: SantralError, **more: Any) -> None:
        """Says what is wrong with a frame. Raises `Closed` 1008 where there were too many."""
        try:
            self._rates.take("refused", self._whose)
        except Throttled as over:
            raise Closed(1008, f"too many frames that are refused; {over.remedy}") from over
        await self._line.fail(error, **more)


async def opened(websocket: WebSocket, model: type[Model]) -> tuple[Line, Model]:
    """Accepts the socket and reads its first frame. Raises `Closed`."""
    offered = websocket.scope.get("subprotocols") or []
    await websocket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None)
    line = Line(websocket, patience_s=websocket.app.state.patience_s)
    try:
        async with asyncio.timeout(HELLO_S):
            return line, read_frame(await line.receive(), model, HELLO)
    except TimeoutError as error:
        raise Closed(4401, "no hello came") from error
    except InputRejected as error:
        raise Closed(4400, str(error)[:120]) from error


def read_frame(text: str, model: type[Model], bounds: Bounds = MESSAGE) -> Model:
    """A frame as ``model``. Raises `InputRejected` naming the member."""
    if bounds is HELLO and len(text) > HELLO_CHARS_MAX:
        raise InputRejected("a hello that is too long", field="frame", remedy=f"at most {HELLO_CHARS_MAX} characters")
    require_bounded(text.encode(), bounds)
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise InputRejected(str(first["msg"]), field=".".join(str(part) for part in first["loc"]) or "frame") from error


async def first_of(*works: Awaitable[None]) -> None:
    """Runs works together until the first ends, ends the others, and raises what the first raised."""
    tasks = [asyncio.create_task(counted(work)) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def ending(websocket: WebSocket) -> AsyncIterator[None]:
    """What ends a socket within the block closes it, and says why."""
    try:
        yield
    except Closed as closed:
        await close(websocket, closed.code, closed.reason)
    except Unavailable:
        await close(websocket, 1013, "try again in a moment")
    except (WebSocketDisconnect, OSError):
        return


async def close(websocket: WebSocket, code: int, reason: str) -> None:
    """Closes a socket; one that takes nothing is left to the server's ping. Before it was accepted the handshake is answered 503."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            if websocket.application_state is WebSocketState.CONNECTING:
                refusal = problem_response(Unavailable(reason), request_id=websocket.scope.get("santral.request_id"))
                await websocket.send_denial_response(refusal)
            else:
                await websocket.close(code, reason.encode()[:120].decode("utf-8", "ignore"))
    except (TimeoutError, RuntimeError, WebSocketDisconnect, OSError):
        log.debug("a socket did not take its close", action="socket_closed", code=code)


class Guard:
    """Closes sockets whose token is not good any more, or means something else now, and those of a chat that is not there any more: one
    statement for all of them, every two seconds.

    An open socket is somebody at work: their session does not end for want of use.
    """

    def __init__(self, db: Database, credentials: Credentials) -> None:
        self._db = db
        self._credentials = credentials
        self._open: dict[tuple[str, str], set[_Watched]] = {}
        self._chats: dict[str, set[asyncio.Event]] = {}

    async def ended(self, kind: str, public_id: str, principal: Principal) -> None:
        """Waits, and raises `Closed`: 4403 once the token is not good, 1012 once its role or what it sees is another."""
        watched = _Watched(principal)
        waiting = self._open.setdefault((kind, public_id), set())
        if len(waiting) >= OF_ONE_TOKEN_MAX:
            raise Closed(1013, "too many sockets with one token; close some")
        waiting.add(watched)
        try:
            await watched.changed.wait()
        finally:
            waiting.discard(watched)
            if not waiting:
                self._open.pop((kind, public_id), None)
        if watched.gone:
            raise Closed(4403, "the token was revoked or ran out")
        raise Closed(1012, "what you may see has changed: connect again")

    async def chat_ended(self, widget_token: str) -> None:
        """Waits, and raises `Closed` 4403 once the chat of this address is not there any more: its inbox was disabled or removed."""
        ended = asyncio.Event()
        waiting = self._chats.setdefault(widget_token, set())
        waiting.add(ended)
        try:
            await ended.wait()
        finally:
            waiting.discard(ended)
            if not waiting:
                self._chats.pop(widget_token, None)
        raise Closed(4403, "this chat is closed")

    async def run(self) -> None:
        """Looks for ever; while the database is away nobody is closed."""
        while True:
            await asyncio.sleep(GUARD_S)
            try:
                await self.look()
                await self._credentials.note_uses()
            except Unavailable as error:
                log.warning("tokens could not be checked again", action="dependency_down", error=str(error))

    async def look(self) -> None:
        """One look at all open sockets' tokens and chats."""
        tokens: Sequence[tuple[str, str]] = list(self._open)
        chats = list(self._chats)
        if not tokens and not chats:
            return
        asked = [*tokens, *(("inbox", chat) for chat in chats)]
        async with self._db.session() as connection:
            rows = await connection.fetch(_GOOD, [kind for kind, _ in asked], [public_id for _, public_id in asked])
        there = {row["public_id"] for row in rows if _is_chat(row["subject"])}
        for chat in chats:
            if chat not in there:
                for ended in self._chats.get(chat, ()):
                    ended.set()
        good = {row["public_id"]: principal_of(dict(row)) for row in rows if row["subject"]["kind"] != "inbox"}
        for token in tokens:
            now = good.get(token[1])
            for watched in self._open.get(token, ()):
                if now is not None:
                    self._credentials.used(now)
                watched.compare(now)


def _is_chat(subject: Mapping[str, Any]) -> bool:
    return subject["kind"] == "inbox" and subject["provider"] == "webchat" and bool(subject["enabled"])


class _Watched:
    """One open socket's caller as they came in."""

    def __init__(self, principal: Principal) -> None:
        self._principal = principal
        self.changed = asyncio.Event()
        self.gone = False

    def compare(self, now: Principal | None) -> None:
        """Rings when the credential is gone or allows something else."""
        self.gone = now is None
        before = self._principal
        if now is None or (now.scopes, now.visibility) != (before.scopes, before.visibility):
            self.changed.set()
