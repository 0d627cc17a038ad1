"""Nobody holds the gateway's loop up by asking without waiting for answers: commands of mail, requests one behind the other."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from services.frame.bodies import Bodies
from services.frame.connections import WAITING_MAX
from services.gateway.smtp import COMMANDS_MAX
from tests.integration.services.gateway.test_bounds import SECRET, gateway, good
from tests.support.mail_door import ADDRESS, mail_door

END_S = 20
MAIL = f"MAIL FROM:<a@ornek.net>\r\nRCPT TO:<{ADDRESS}>\r\n".encode()
ROW = b'"a","row"\n'
REQUEST = f"POST /in/a-1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\nContent-Length: {len(ROW)}\r\n\r\n".encode() + ROW


async def answers(port: int, sent: bytes, *, until: bytes = b"") -> bytes:
    """What is answered until the connection ends, or until these last words."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    said = b""
    try:
        async with asyncio.timeout(END_S):
            writer.write(sent)
            with contextlib.suppress(ConnectionError):
                while (piece := await reader.read(65536)) and not (until and (said + piece).endswith(until)):
                    said += piece
                said += piece
    finally:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return said


@pytest.mark.parametrize(
    "many", [b"NOOP\r\n", b"RSET\r\n" + MAIL, b"VRFY a\r\n", b"EHLO x\r\n"], ids=["noop", "rset", "vrfy", "ehlo"]
)
async def test_a_session_of_commands_without_a_mail_ends_and_others_have_their_turn(tmp_path: Path, many: bytes) -> None:
    async with mail_door(tmp_path) as door:
        turns = asyncio.create_task(_turns())
        lines = (await answers(door.port, b"EHLO x\r\n" + many * 20_000)).splitlines()
        turns.cancel()
        assert lines[-1].startswith(b"421 4.7.0") or len(lines) > COMMANDS_MAX - 10, "it may be cut off with what was not read"
        assert len(lines) < COMMANDS_MAX * 10
        with pytest.raises(asyncio.CancelledError):
            await turns
        assert (await answers(door.port, b"QUIT\r\n")).splitlines()[-1].startswith(b"221")


async def _turns() -> None:
    """Fails when commands that are answered leave nobody a turn."""
    while True:
        async with asyncio.timeout(END_S / 2):
            await asyncio.sleep(0)


async def test_commands_are_counted_from_mail_to_mail(tmp_path: Path) -> None:
    async with mail_door(tmp_path) as door:
        mail = MAIL + b"DATA\r\nFrom: <a@ornek.net>\r\nSubject: %d\r\n\r\nmerhaba\r\n.\r\n"
        idle = b"NOOP\r\n" * (COMMANDS_MAX - 20)
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        async with asyncio.timeout(END_S):
            writer.write(b"EHLO x\r\n")
            for number in range(2):
                writer.write(idle + mail % number)
                while not (await reader.readline()).startswith(b"250 2.0.0"):
                    pass
            writer.write(b"QUIT\r\n")
            assert (await reader.readline()).startswith(b"221")
        writer.close()
        await writer.wait_closed()
        assert [one.subject for one in door.messages] == ["0", "1"]


async def test_requests_that_wait_behind_one_are_few(tmp_path: Path) -> None:
    async with gateway(tmp_path, Bodies()) as port:
        said = await answers(port, REQUEST * 5_000)
        assert said.count(b"HTTP/1.1") <= 2 * WAITING_MAX
        assert await good(port, "/in/a-1") == 200
        last = REQUEST.replace(b"Host: x", b"Host: x\r\nConnection: close")
        assert (await answers(port, REQUEST * (WAITING_MAX - 1) + last)).count(b"HTTP/1.1 200") == WAITING_MAX
