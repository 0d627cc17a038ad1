"""Nobody takes the gateway down by sending much, slowly, or half: bodies, connections, heads of requests, mails."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import httpx
import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message

from ingest.adapter import Inbox, Target
from ingest.directory import Directory
from services.api.body_guard import BodyGuard
from services.frame.bodies import Bodies, room_check
from services.frame.connections import HEAD_BYTES_MAX, Connections, protocol_of
from services.frame.doors import WebDoor, listening_socket
from services.frame.peers import shares_of
from services.gateway.app import create_gateway
from services.gateway.mail_room import MailRoom
from services.gateway.smtp import listen
from shared.clock import SystemClock
from shared.errors import NotFound, TooLarge, TooSlow, Unavailable
from tests.integration.services.gateway.test_posts import Trusting
from tests.support.api import Api, listening
from tests.support.mail_door import ADDRESS, MailDoor, mail_door
from tests.support.workspaces import Workspace

ROOT = Path(__file__).resolve().parents[4]
SECRET = "a secret of an inbox here"
MIB = 1024 * 1024


class Many(Directory):
    """A directory of telephone inboxes ``a``, ``b`` … in workspaces 1 and 2, and a chat ``chat``."""

    def __init__(self) -> None:
        super().__init__(cast("Any", None), cast("Any", None))
        self.loaded = True

    def target(self, path_token: str) -> Target:
        name, _, workspace = path_token.partition("-")
        provider = "webchat" if name == "chat" else "asterisk"
        if name not in {"a", "b", "c", "d", "chat"}:
            raise NotFound("no inbox or connection has this address")
        ids = UUID(int=ord(name[0])), UUID(int=int(workspace or 1))
        inbox = Inbox(workspace_id=ids[1], id=ids[0], name=name, channel="phone", provider=provider, settings={"time_zone": "UTC"})
        return Target(
            id=ids[0],
            workspace_id=ids[1],
            provider=provider,
            inboxes=(inbox,),
            settings=inbox.settings,
            secrets={"post_secret": SECRET},
        )


@contextlib.asynccontextmanager
async def gateway(folder: Path, bodies: Bodies, **options: Any) -> AsyncIterator[int]:
    async with mail_door(folder) as door:
        app = create_gateway(
            directory=Many(),
            receiver=door.receiver,
            parser=door.parser,
            replays=cast("Any", Trusting()),
            clock=SystemClock(),
            bodies=bodies,
        )
        web = WebDoor(app, host="127.0.0.1", port=0, setting="test", **options)
        await web.open()
        try:
            yield web.port
        finally:
            await web.close(0)


async def begun(
    port: int, path: str, *, size: int, sent: int, headers: str = "", address: str = "127.0.0.1"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A post of ``size`` bytes of which only some come."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\nAuthorization: Bearer {SECRET}\r\n{headers}\r\n"
    writer.write(head.encode() + b"x" * sent)
    await writer.drain()
    return reader, writer


async def status(reader: asyncio.StreamReader) -> int:
    """The answer before the connection ended; 0 when it ended without one that could be read, because what was sent was not."""
    line = b""
    async with asyncio.timeout(10):
        with contextlib.suppress(ConnectionResetError):
            line = await reader.readline()
            await reader.read()
    return int(line.split()[1]) if line else 0


async def good(port: int, path: str) -> int:
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        answer = await client.post(
            f"http://127.0.0.1:{port}{path}", content=b'"a","row"\n', headers={"authorization": f"Bearer {SECRET}"}
        )
        return answer.status_code


async def test_silent_posts_hold_nobody_else_up_and_end(tmp_path: Path) -> None:
    """As many as the room would hold, from one address at one inbox: another's posts are taken, and the silent ones end with 408."""
    bodies = Bodies(
        total_bytes=8 * MIB, shares={"target": 0.25, "workspace": 0.5, "address": 1}, silence_s=1.5, least_bytes=16 * 1024
    )
    async with gateway(tmp_path, bodies) as port:
        silent = [await begun(port, "/in/a-1", size=4 * MIB, sent=MIB) for _ in range(4)]
        assert {await status(reader) for reader, _ in silent} <= {503, 408, 0}
        assert await good(port, "/in/b-2") == 200
        again = [await begun(port, "/in/a-1", size=4 * MIB, sent=900_000) for _ in range(2)]
        for _ in range(3):
            assert await good(port, "/in/b-2") == 200
            assert await good(port, "/in/c-1") == 200, "another inbox of that workspace"
        assert {await status(reader) for reader, _ in again} == {408}
        for _, writer in (*silent, *again):
            writer.close()
        assert bodies.held == 0
        assert await good(port, "/in/a-1") == 200


async def test_what_takes_no_posts_is_answered_unread(tmp_path: Path) -> None:
    async with gateway(tmp_path, Bodies(silence_s=60)) as port:
        for path, size in (("/in/chat", 4 * MIB), ("/in/nobody", 4 * MIB), ("/in/a-1", 900 * MIB)):
            reader, writer = await begun(port, path, size=size, sent=10)
            assert await status(reader) == (413 if size > 800 * MIB else 404)
            writer.close()


async def test_a_body_without_a_length_is_counted_as_it_comes(tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536

    async with gateway(tmp_path, Bodies()) as port, httpx.AsyncClient(trust_env=False, timeout=20) as client:
        with contextlib.suppress(httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
            answer = await client.post(f"http://127.0.0.1:{port}/in/a-1", content=endless())
            assert answer.status_code == 413
        assert await good(port, "/in/a-1") == 200


async def test_an_address_has_a_share_of_the_connections(tmp_path: Path) -> None:
    """Idle connections count against everybody's limit; one address may not use it up."""
    async with gateway(tmp_path, Bodies(), limit_concurrency=40) as port:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(10)]
        reader, writer = await begun(port, "/in/a-1", size=0, sent=0)
        assert await status(reader) == 503
        for _, held in [*idle, (None, writer)]:
            held.close()
            await held.wait_closed()
        async with asyncio.timeout(5):
            while await _tried(port) != 200:
                await asyncio.sleep(0)


async def _tried(port: int) -> int:
    try:
        return await good(port, "/in/a-1")
    except httpx.HTTPError:
        return 0


async def test_a_head_comes_in_time_and_in_size(tmp_path: Path) -> None:
    connections = Connections(400, head_s=0.5)
    async with gateway(tmp_path, Bodies(), http=protocol_of(connections)) as port:
        for begin in (b"", b"POST /in/a-1 HT", b"POST /in/a-1 HTTP/1.1\r\nHost: x\r\nX-A: "):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(begin)
            assert await status(reader) == 408
            writer.close()
        for head in (b"GET /in/a HTTP/1.1\r\nX-A: " + b"a" * HEAD_BYTES_MAX, b"GET /" + b"a" * HEAD_BYTES_MAX,
                     b"GET /in/a HTTP/1.1\r\n" + b"X-A: b\r\n" * 10_000):  # fmt: skip
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head + b"\r\n\r\n")
            assert await status(reader) == 431
            writer.close()
        assert await good(port, "/in/a-1") == 200


async def _room(bodies: Bodies) -> str:
    return await room_check(bodies)()


async def test_readiness_says_that_there_is_no_room() -> None:
    bodies = Bodies(total_bytes=100, shares={"address": 1})
    assert "room" in await _room(bodies)
    with bodies.open(address=shares_of("a")) as body:
        assert await body.read(_pieces([b"x" * 60]), bytes_max=100) == b"x" * 60
        with pytest.raises(Unavailable), bodies.open(address=shares_of("b")) as other:
            await other.read(_pieces([b"x" * 60]), bytes_max=100)
        with pytest.raises(Unavailable):
            await _room(bodies)


async def test_when_there_is_no_room_a_body_that_is_waited_for_ends_of_who_holds_most() -> None:
    """Not one that came: it is worked on. Not one of who holds less."""
    bodies = Bodies(total_bytes=1000, shares={"address": 0.5, "target": 0.5}, silence_s=60)
    waited: asyncio.Queue[str] = asyncio.Queue()

    async def silent(address: str, size: int) -> None:
        async def receive() -> Message:
            message = await pieces()
            waited.put_nowait(address)
            return message  # type: ignore[no-any-return]

        pieces = _pieces([b"x" * size], then="silence")
        with bodies.open(target=address, address=shares_of(address)) as body:
            await body.read(receive, bytes_max=1000)

    async with asyncio.timeout(10):
        with bodies.open(target="192.0.2.1", address=shares_of("192.0.2.1")) as worked_on:
            await worked_on.read(_pieces([b"x" * 200]), bytes_max=1000)
            many = [asyncio.create_task(silent("192.0.2.1", 150)) for _ in range(2)]
            few = [asyncio.create_task(silent(f"192.0.2.{one}", 160)) for one in range(2, 5)]
            for _ in (*many, *few):
                await waited.get()
            assert bodies.held == 980
            with bodies.open(target="192.0.2.9", address=shares_of("192.0.2.9")) as newcomer:
                assert await newcomer.read(_pieces([b"x" * 100]), bytes_max=1000) == b"x" * 100
                with pytest.raises(Unavailable, match="others need the room"):
                    await many[0]
                assert bodies.held == 930
                await newcomer.read(_pieces([b"x" * 150]), bytes_max=1000)
                with pytest.raises(Unavailable, match="others need the room"):
                    await many[1]
                with pytest.raises(Unavailable):
                    await newcomer.read(_pieces([b"x" * 150]), bytes_max=1000)
            assert not any(one.done() for one in few)
            for one in few:
                one.cancel()
            await asyncio.gather(*few, return_exceptions=True)
    assert bodies.held == 0


async def test_silent_posts_of_a_few_addresses_keep_no_other_out(tmp_path: Path) -> None:
    bodies = Bodies(total_bytes=2 * MIB, shares={"target": 1, "workspace": 1, "address": 0.25}, silence_s=60)
    async with gateway(tmp_path, bodies) as port:
        silent = [await begun(port, "/in/a-1", size=MIB, sent=512 * 1024, address=f"127.0.0.{one}") for one in range(2, 6)]
        async with asyncio.timeout(10):
            while bodies.held < 2 * MIB:
                await asyncio.sleep(0)
        assert await good(port, "/in/b-2") == 200
        assert await status(silent[0][0]) == 503
        for _, writer in silent:
            writer.close()


def _pieces(pieces: list[bytes], *, then: str = "end") -> Any:
    left = list(pieces)

    async def receive() -> Message:
        if left:
            body = left.pop(0)
            return {"type": "http.request", "body": body, "more_body": bool(left) or then != "end"}
        if then == "disconnect":
            return {"type": "http.disconnect"}
        await asyncio.Event().wait()
        raise AssertionError

    return receive


async def test_a_body_ends_too_slow_too_large_or_with_its_sender() -> None:
    bodies = Bodies(total_bytes=1000, shares={"address": 0.5}, silence_s=0.05, least_bytes=10)
    for pieces, then, error in (
        ([b"x" * 9], "silence", TooSlow), ([b"x" * 200], "silence", TooSlow), ([b"x"] * 3, "disconnect", ClientDisconnect),
        ([b"x" * 101], "end", TooLarge), ([b"x" * 90] * 6, "end", TooLarge),
    ):  # fmt: skip
        with pytest.raises(error), bodies.open(address=shares_of("a")) as body:
            await body.read(_pieces(pieces, then=then), bytes_max=100 if error is TooLarge else 400)
        assert bodies.held == 0
    with pytest.raises(TooLarge), bodies.open(address=shares_of("a")) as body:
        await body.read(_pieces([]), bytes_max=100, announced="101")


@pytest.mark.parametrize("path", ["/v1/queues", "/v1/files?name=a.txt"])
async def test_the_api_reads_no_body_of_who_shows_no_credential_and_ends_silent_ones(
    api: Api, workspace: Workspace, path: str
) -> None:
    """Whether a body is read before the framework (JSON) or inside of it (a file): nobody without a credential, nobody silent."""
    headers = await api.key(workspace.id)
    _bound(api, Bodies(silence_s=0.5))
    async with listening(api) as address:
        port = int(address.rpartition(":")[2])
        nobody = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
        assert (await _sent(port, nobody)).startswith("HTTP/1.1 401 ")
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: {headers['authorization']}\r\n"
        silent = await _sent(port, head + "Content-Length: 1000\r\n\r\n{")
        assert silent.startswith("HTTP/1.1 408 ")
        assert "connection: close" in silent
        assert '"field":"body"' in silent.replace(" ", "")
        _bound(api, Bodies(total_bytes=100))
        full = await _sent(port, head + "Content-Length: 1000\r\n\r\n" + "x" * 101)
        assert full.startswith("HTTP/1.1 503 ")
        assert "retry-after: 2" in full


async def _sent(port: int, request: str) -> str:
    """All that is answered until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode())
    try:
        async with asyncio.timeout(10):
            return (await reader.read()).decode()
    finally:
        writer.close()


def _bound(api: Api, bodies: Bodies) -> None:
    for layer in _layers(api.app):
        if isinstance(layer, BodyGuard):
            layer._bodies = bodies


def _layers(app: Any) -> list[Any]:
    app.middleware_stack = app.middleware_stack or app.build_middleware_stack()
    found, layer = [], app.middleware_stack
    while layer is not None:
        found.append(layer)
        layer = getattr(layer, "app", None) or getattr(layer, "_app", None)
    return found


async def _session(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(5):
        return reader, writer, await reader.readline()


async def test_mail_has_room_for_everybody(tmp_path: Path) -> None:
    async with mail_door(tmp_path) as door:
        server = await listen(
            _handler(door),
            listening_socket("127.0.0.1", 0, setting="port"),
            room=MailRoom(connections_each=2, coming_bytes_each=MIB),
        )
        port = server.sockets[0].getsockname()[1]
        first, second = await _session(port), await _session(port)
        reader, refused, said = await _session(port)
        assert said.startswith(b"421")
        assert await reader.read() == b""
        refused.close()
        second[1].close()
        async with asyncio.timeout(5):
            while not (third := await _session(port))[2].startswith(b"220"):
                third[1].close()
                await asyncio.sleep(0)
        reader, writer, _ = first
        for line in (b"HELO x", b"MAIL FROM:<a@ornek.net>", b"RCPT TO:<" + ADDRESS.encode() + b">", b"DATA"):
            writer.write(line + b"\r\n")
            assert (await reader.readline())[:1] in b"23"
        writer.write(b"x" * (2 * MIB))
        async with asyncio.timeout(5):
            assert (await reader.readline()).startswith(b"451 4.3.1")
        assert door.messages == []
        for _, open_writer, _ in (first, third):
            open_writer.close()
        server.close()


def _handler(door: MailDoor) -> Any:
    from services.gateway.smtp import MailHandler
    from tests.support.mail_door import OneInbox

    return MailHandler(directory=OneInbox(door.inbox), receiver=door.receiver, clock=SystemClock(), parser=door.parser)


async def test_a_thousand_mails_that_never_end_take_no_memory() -> None:
    """Two megabytes each; what is taken after the first half stays what it is, but for what the allocator keeps."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.aborted_mails", "1000", str(2 * MIB), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await asyncio.wait_for(process.communicate(), 100)
    taken = json.loads(said)
    assert len(taken) == 10
    assert taken[-1] - taken[4] < 24 * MIB, [size // MIB for size in taken]
