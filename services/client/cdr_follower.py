"""`santral ingest cdr`: follows Asterisk's ``Master.csv`` and posts its calls to the gateway, each call once and whole.

The place is kept in the database through the API (`services/api/follower_places.py`), under the inbox and the name of the source:

    {"file": {inode, head_bytes, head}, "offset": byte, "settled": [[call id, byte]…], "posting": {call id: byte}}

``offset`` is where the oldest row stands that is not settled. ``posting`` is written before a post: when its answer is lost, the next run
posts the same calls with the same rows, which the gateway's ids make one. Nothing is kept on this machine.
A rotated or truncated file is read to its end where the rotation left it; then its calls are settled, and the new file begins.
Units: bytes, seconds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import httpx

from services.client.cdr_calls import SETTLE_S, Calls, CdrRecord, RecordSplitter, SettledCall, unfinished
from services.client.cdr_file import Fingerprint, FollowedFile, elder_of
from services.client.rest_client import RestClient
from shared.errors import Forbidden, InputRejected, NotFound, Unauthenticated, Unavailable

CALLS_PER_POST: Final = 200
_CHUNK_BYTES: Final = 256 * 1024
_BACKOFF_S: Final = (0.5, 30.0)
_TIMEOUT_S: Final = 60.0
_UNKNOWN_TIMES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """What is followed, and where its rows go. ``source`` names the place; ``secret`` is the inbox's ``post_secret``."""

    file: Path
    inbox: str
    source: str
    webhook_url: str
    secret: str | None = field(default=None, repr=False)
    follow: bool = False
    settle_s: float = SETTLE_S
    look_s: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far it is."""

    position: int = 0
    size: int = 0
    calls: int = 0
    amended: int = 0
    rows: int = 0
    waiting: int = 0
    incomplete_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedInbox:
    """The inbox into which a file is followed, as the API shows it."""

    place_path: str
    webhook: str
    columns: tuple[str, ...]


Show = Callable[[Standing], None]
Say = Callable[[str], None]


async def follow_cdr(follow: Follow, client: RestClient, *, show: Show, say: Say) -> Standing:
    """Posts what is new; with ``follow.follow`` for ever. Calling it again goes on where it stopped.

    Raises `InputRejected` for a file, an inbox or a secret that is wrong. A server that is away is waited for.
    """
    async with httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=False) as http:
        return await CdrFollower(follow, client, http, show=show, say=say).run()


async def followed_inbox(client: RestClient, follow: Follow) -> FollowedInbox:
    """The inbox that is followed into. Raises `NotFound`, `InputRejected` when it is no telephone log's."""
    async for inbox in client.pages("/v1/inboxes"):
        if inbox["name"] == follow.inbox:
            break
    else:
        raise NotFound(f"there is no inbox {follow.inbox}", field="--inbox", remedy="create it with provider asterisk")
    if inbox["provider"] != "asterisk":
        raise InputRejected(
            f"{follow.inbox} is an inbox of {inbox['provider']}", field="--inbox", remedy="one of provider asterisk"
        )
    if not inbox["webhook_path"]:
        raise Forbidden("the key may not hand messages in", field="--api-key", remedy="a key with config:read and messages:write")
    return FollowedInbox(
        place_path=f"/v1/inboxes/{inbox['id']}/places/{follow.source}",
        webhook=follow.webhook_url.rstrip("/") + inbox["webhook_path"],
        columns=tuple(inbox["settings"].get("columns", ())),
    )


class CdrFollower:
    """One file, one inbox. Collaborators are opened and closed by the caller."""

    def __init__(self, follow: Follow, client: RestClient, http: httpx.AsyncClient, *, show: Show, say: Say) -> None:
        self._follow = follow
        self._client = client
        self._http = http
        self._show = show
        self._say = say
        self._calls = Calls(settle_s=follow.settle_s)
        self._standing = Standing()
        self._unknown_times = 0
        self._saved: dict[str, Any] | None = None

    async def run(self) -> Standing:
        """See `follow_cdr`."""
        # Who follows is started with the machine and waits for the rest of it; who runs it once wants to hear of a wrong address.
        self._inbox = await (self._patiently(self._look) if self._follow.follow else self._look())
        file, position = await self._resume(await self._load())
        while True:
            try:
                position = await self._read(file, position, ends=not self._follow.follow)
                if not self._follow.follow:
                    return self._standing
                await self._read_elder(file.fingerprint, position)
            finally:
                file.close()
            self._say("the file was rotated; its successor begins")
            file, position = await self._open(), 0
            self._calls.begin_file()

    async def _look(self) -> FollowedInbox:
        return await followed_inbox(self._client, self._follow)

    async def _open(self) -> FollowedFile:
        while True:
            if self._follow.file.exists() or not self._follow.follow:
                return FollowedFile(self._follow.file)
            await asyncio.sleep(self._follow.look_s)

    async def _load(self) -> dict[str, Any] | None:
        try:
            found = await self._patiently(lambda: self._client.call("GET", self._inbox.place_path))
        except NotFound:
            return None
        place: dict[str, Any] = found["place"]
        return place

    async def _resume(self, place: dict[str, Any] | None) -> tuple[FollowedFile, int]:
        """The file and the byte to go on from, after what an interruption left half done."""
        file = await self._open()
        if place is None:
            return file, 0
        self._saved = place
        self._calls = Calls(dict(place["settled"]), settle_s=self._follow.settle_s)
        known, position = Fingerprint(**place["file"]), int(place["offset"])
        if file.holds(known, position):
            await self._post_again(file, position, place["posting"])
            return file, position
        if not await self._read_elder(known, position, posting=place["posting"]):
            self._say("the file is not the one that was followed before, and that one is not beside it: beginning at its first row")
        self._calls.begin_file()
        return file, 0

    async def _read_elder(self, known: Fingerprint, position: int, *, posting: dict[str, int] | None = None) -> bool:
        """What a rotation moved away after ``position``; False when it is not there, or has nothing more."""
        elder = elder_of(self._follow.file, known, position)
        if elder is None:
            return False
        self._say(f"reading the rest of {elder.path.name}")
        try:
            await self._post_again(elder, position, posting or {})
            await self._read(elder, position, ends=True)
        finally:
            elder.close()
        return True

    async def _post_again(self, file: FollowedFile, position: int, posting: dict[str, int]) -> None:
        if not posting:
            return
        records: list[CdrRecord] = []
        splitter = RecordSplitter(position, columns=self._inbox.columns)
        until = max(posting.values())
        while splitter.position < until:
            chunk = file.read(splitter.position + splitter.left_bytes, _CHUNK_BYTES)
            records += splitter.feed(chunk) if chunk else splitter.rest()
            if not chunk:
                break
        again = unfinished(records, posting, self._calls.settled)
        self._say(f"posting {len(again)} calls again: the answer to their last post was lost")
        await self._post(file, again, position)

    async def _read(self, file: FollowedFile, position: int, *, ends: bool) -> int:
        """Reads and posts until the end, or until another file has taken the name; returns the byte reached, all calls settled."""
        splitter = RecordSplitter(position, columns=self._inbox.columns)
        last = ends
        while True:
            whole = file.holds(file.fingerprint, splitter.position)
            last = last or not whole
            chunk = file.read(splitter.position + splitter.left_bytes, _CHUNK_BYTES) if whole else b""
            now_s = time.monotonic()
            over = not chunk and last
            for record in splitter.rest() if over else splitter.feed(chunk):
                self._calls.add(record, at_s=now_s)
            due = self._calls.due(at_s=now_s, caught_up=not chunk, at_end=over)
            self._tell(file, splitter)
            for first in range(0, len(due), CALLS_PER_POST):
                await self._post(file, due[first : first + CALLS_PER_POST], splitter.position)
            if over or (not chunk and not due):
                await self._save(file, splitter.position, posting=())
            self._tell(file, splitter)
            if over:
                return splitter.position
            if not chunk and file.renamed:
                last = True
            elif not chunk:
                await asyncio.sleep(self._follow.look_s)

    def _tell(self, file: FollowedFile, splitter: RecordSplitter) -> None:
        self._standing = replace(
            self._standing, position=splitter.position, size=file.size, waiting=self._calls.waiting, incomplete_bytes=splitter.left_bytes
        )  # fmt: skip
        self._show(self._standing)

    async def _post(self, file: FollowedFile, calls: Sequence[SettledCall], position: int) -> None:
        """Posts calls, the place before and after it, so that every interruption is one that `_post_again` heals."""
        await self._save(file, position, posting=calls)
        plain = [call for call in calls if not call.alone]
        for group in (
            [call for call in plain if not call.amends],
            [call for call in plain if call.amends],
            *([call] for call in calls if call.alone),
        ):
            if group:
                await self._patiently(lambda group=group: self._send(group))  # type: ignore[misc]
        self._calls.settle(calls)
        self._standing = replace(
            self._standing,
            calls=self._standing.calls + sum(1 for call in calls if not call.amends),
            amended=self._standing.amended + sum(1 for call in calls if call.amends),
            rows=self._standing.rows + sum(len(call.lines) for call in calls),
        )
        self._show(self._standing)

    async def _send(self, calls: Sequence[SettledCall]) -> None:
        body = b"".join(line + b"\n" for call in calls for line in call.lines)
        headers = {"content-type": "text/csv; charset=utf-8"}
        if self._follow.secret:
            headers["authorization"] = f"Bearer {self._follow.secret}"
        query = {"amends": "true"} if calls[0].amends else {}
        try:
            answer = await self._http.post(self._inbox.webhook, content=body, headers=headers, params=query)
        except httpx.HTTPError as error:
            raise Unavailable(
                f"the gateway at {self._follow.webhook_url} does not answer ({type(error).__name__})", retry_after_s=0
            ) from error
        if answer.status_code >= 500 or answer.status_code == 429:
            after = answer.headers.get("retry-after", "")
            raise Unavailable(f"the gateway answered {answer.status_code}", retry_after_s=int(after) if after.isdigit() else 0)
        if answer.status_code in (401, 403):
            raise Unauthenticated("the gateway refuses the secret", field="--secret", remedy="give the inbox's post_secret")
        if answer.status_code == 404 and self._unknown_times < _UNKNOWN_TIMES:
            # An inbox that was made a moment ago is known to every gateway within a second.
            self._unknown_times += 1
            raise Unavailable("the gateway does not know the inbox yet", retry_after_s=0)
        if not answer.is_success:
            raise InputRejected(
                f"the gateway answered {answer.status_code}: {answer.text[:200]}",
                field="--webhook-url",
                remedy="see santral doctor",
            )

    async def _save(self, file: FollowedFile, position: int, *, posting: Sequence[SettledCall]) -> None:
        oldest = self._calls.oldest
        place = {
            "file": asdict(file.fingerprint),
            "offset": position if oldest is None else min(position, oldest),
            "settled": [list(one) for one in self._calls.settled.items()],
            "posting": {call.call_id: call.through for call in posting},
        }
        if place == self._saved:
            return
        await self._patiently(lambda: self._client.call("PUT", self._inbox.place_path, {"place": place}))
        self._saved = place

    async def _patiently(self, call: Callable[[], Any]) -> Any:
        """The call's answer, however long the server is away: waits as long as it asks, else 0.5 to 30 s."""
        least_s, most_s = _BACKOFF_S
        wait_s = least_s
        while True:
            try:
                return await call()
            except Forbidden as error:
                raise Forbidden(error.message, field="--key", remedy="a key with config:read and config:write") from error
            except Unavailable as error:
                hinted_s = min(float(error.retry_after_s), most_s)
                pause_s = max(wait_s, hinted_s)
                self._say(f"{error}; trying again in {pause_s:g} s")
                await asyncio.sleep(pause_s)
                wait_s = min(most_s, wait_s * 2)
