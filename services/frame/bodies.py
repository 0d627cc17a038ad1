"""Bodies on their way in: how many bytes may be held at once, by whom, and how long they may take.

What one caller, one address of ours or one workspace sends never keeps the others out, because each has a share of the room; nobody holds
room by being silent, because a body has to keep coming; and when there is none left, a body that is waited for ends (503) of the address
that holds most (`making_room.py`).
Source: OWASP API Security Top 10 (2023), API4; RFC 9110 §15.5.9 (408).
**Units**: bytes, seconds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from services.frame.making_room import Full, Place, Room
from shared.errors import TooLarge, TooSlow, Unavailable
from shared.health import Check
from shared.metrics import BODIES_REFUSED, BODY_BYTES
from shared.shares import Held, Share

Owners = Sequence[tuple[str, Sequence[Share]]]
"""By kind: ``target``, ``workspace``."""

TOTAL_BYTES: Final = 256 * 1024 * 1024
SHARES: Final[Mapping[str, float]] = {"target": 0.25, "workspace": 0.5, "address": 0.25}
"""How much of the room one of each kind may hold."""
SILENCE_S: Final = 10.0
LEAST_BYTES: Final = 16 * 1024
"""What a body that is not at its end has to bring in `SILENCE_S`."""
DEADLINE_S: Final = 300.0
FULL_S: Final = 10.0


class Bodies:
    """The room for bodies of one process."""

    def __init__(
        self, *, total_bytes: int = TOTAL_BYTES, shares: Mapping[str, float] = SHARES, silence_s: float = SILENCE_S,
        least_bytes: int = LEAST_BYTES, deadline_s: float = DEADLINE_S,
    ) -> None:  # fmt: skip
        self.silence_s, self.least_bytes, self.deadline_s = silence_s, least_bytes, deadline_s
        self._room = Room(each=int(total_bytes * shares.get("address", 1)), most=total_bytes)
        self._of = {kind: Held(int(total_bytes * share), total_bytes) for kind, share in shares.items() if kind != "address"}
        self._full_at = float("-inf")

    @property
    def held(self) -> int:
        """The bytes of all bodies."""
        return self._room.held

    def open(self, *, target: str = "", workspace: str = "", address: Sequence[Share] = ()) -> Body:
        """A body of these owners, ``address`` in all its groups. Use it as a context: what it holds is given back."""
        named = {"target": target, "workspace": workspace}
        return Body(self, self._room, [(kind, (Share(name),)) for kind, name in named.items() if name], address)

    @property
    def is_full(self) -> bool:
        """Whether somebody was turned away for want of room in the last seconds."""
        return time.monotonic() - self._full_at < FULL_S

    def take(self, owners: Owners, place: Place, size: int) -> None:
        """Raises `Unavailable`: no room, or none left of an owner's share; then nothing is taken."""
        for at, (kind, shares) in enumerate(owners):
            if not self._of[kind].take(shares, size):
                self._give(owners[:at], size)
                raise self._refusal(kind)
        try:
            place.grow(size)
        except Full as full:
            self._give(owners, size)
            raise self._refusal("address" if full.lack == "share" else "") from full
        BODY_BYTES.set(self.held)

    def give(self, owners: Owners, size: int) -> None:
        """What was taken, back; what the place held it gives back itself."""
        self._give(owners, size)
        BODY_BYTES.set(self.held)

    def _give(self, owners: Owners, size: int) -> None:
        for kind, shares in owners:
            self._of[kind].give(shares, size)

    def _refusal(self, kind: str) -> Unavailable:
        BODIES_REFUSED.labels(reason=f"share_of_{kind}" if kind else "no_room").inc()
        if kind:
            return Unavailable(f"too many bodies in flight from this {kind}", retry_after_s=2)
        self._full_at = time.monotonic()
        return Unavailable("too many bodies in flight", retry_after_s=2)


class Body:
    """One body while it is read and worked on."""

    def __init__(self, bodies: Bodies, room: Room, owners: Owners, address: Sequence[Share]) -> None:
        self._bodies = bodies
        self._owners = owners
        self._place = Place(room, address, self._make_room)
        self._patience: asyncio.Timeout | None = None
        self._made_room = False
        self._held = self._came = 0
        self._began = self._window = time.monotonic()

    def __enter__(self) -> Body:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._place.leave()
        self._bodies.give(self._owners, self._held)
        self._held = 0

    async def read(self, receive: Receive, *, bytes_max: int, announced: str | None = None) -> bytes:
        """The whole body. Raises `TooLarge`, `TooSlow`, `Unavailable`, or ``ClientDisconnect``; what came so far is forgotten."""
        require_size(announced, bytes_max)
        body = bytearray()
        async for chunk in self.chunks(receive):
            body += chunk
            if len(body) > bytes_max:
                raise too_large(bytes_max)
        return bytes(body)

    async def chunks(self, receive: Receive) -> AsyncIterator[bytes]:
        """Each piece as it comes, within the time a body has."""
        more = True
        while more:
            message = await self.message(receive)
            yield message.get("body", b"")
            more = message.get("more_body", False)

    async def message(self, receive: Receive) -> Message:
        """The server's next message of this body, counted. Raises as `read`."""
        while True:
            try:
                with self._place.waiting():
                    async with asyncio.timeout(
                        max(0.0, self._window + self._bodies.silence_s - time.monotonic())
                    ) as self._patience:
                        message = await receive()
            except TimeoutError:
                self._require_pace()
                self._window, self._came = time.monotonic(), 0
                continue
            if self._made_room:
                self._require_pace()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            size = len(message.get("body", b""))
            self._bodies.take(self._owners, self._place, size)
            self._held += size
            self._came += size
            return message

    def _require_pace(self) -> None:
        """Raises `Unavailable` for a body that made room, `TooSlow` for one that did not come in its time."""
        if self._made_room:
            # It came as it should: some providers send again after 503 and never after 408.
            raise Unavailable("others need the room that this body waits in", retry_after_s=2)
        if self._came < self._bodies.least_bytes or time.monotonic() - self._began > self._bodies.deadline_s:
            BODIES_REFUSED.labels(reason="too_slow").inc()
            raise TooSlow("the body does not come", field="body", remedy="send it in one go")

    def _make_room(self) -> None:
        BODIES_REFUSED.labels(reason="made_room").inc()
        self._made_room = True
        self._bodies.give(self._owners, self._held)
        self._held = 0
        if self._patience is not None and not self._patience.expired():
            self._patience.reschedule(asyncio.get_running_loop().time())


def room_check(bodies: Bodies) -> Check:
    """For readiness: a process that turns bodies away says so."""

    async def check() -> str:
        if bodies.is_full:
            raise Unavailable("bodies are turned away for want of room")
        return "there is room for bodies"

    return check


def brings_body(scope: Scope) -> bool:
    """Whether a request says that a body follows (RFC 9112 §6.3); whether one comes is seen when it is read."""
    headers = Headers(scope=scope)
    return "transfer-encoding" in headers or headers.get("content-length", "0") not in ("", "0")


def require_size(announced: str | None, bytes_max: int) -> None:
    """Raises `TooLarge` for a length that is announced and over the limit; what is no length the server has refused."""
    if announced is not None and announced.isascii() and announced.isdigit() and int(announced[:20]) > bytes_max:
        BODIES_REFUSED.labels(reason="too_large").inc()
        raise too_large(bytes_max)


def too_large(bytes_max: int) -> TooLarge:
    """One sentence for a body over its limit."""
    return TooLarge(f"the body is over {bytes_max} bytes", field="body", remedy="send less in one post")
