"""Requests that a process parses: what one workspace brings in masses makes no other wait behind it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import UUID

from ingest.adapter import Draft, Inbox, Parsed, Request, Target, Unparsed
from ingest.parse import INLINE_BYTES_MAX, Parser, is_small
from shared.ids import new_id

LARGE = b"From: a@ornek.net\r\nSubject: x\r\n\r\n" + b"merhaba\r\n" * (INLINE_BYTES_MAX // 8)


def target_of(workspace_id: UUID) -> Target:
    inbox = Inbox(
        workspace_id=workspace_id,
        id=new_id(),
        name="mail",
        channel="email",
        provider="smtp",
        address="destek@ornek.com",
        region="TR",
    )
    return Target(id=inbox.id, workspace_id=workspace_id, provider="smtp", inboxes=(inbox,))


async def test_large_mails_of_one_workspace_let_anothers_in_after_one() -> None:
    loud, quiet, done = new_id(), new_id(), []

    async with Parser(workers=1) as parser:

        async def parse(name: str, workspace_id: UUID) -> None:
            request = Request(method="POST", url="", headers={}, query={}, body=LARGE, received_at=datetime.now(UTC))
            (parsed,) = await parser.parse(target_of(workspace_id), request)
            assert isinstance(parsed, Draft)
            done.append(name)

        masses = [asyncio.create_task(parse("loud", loud)) for _ in range(6)]
        await asyncio.sleep(0)
        await asyncio.gather(parse("quiet", quiet), *masses)
    assert done.index("quiet") <= 1
    assert len(done) == 7


async def test_a_small_mail_of_much_work_is_parsed_in_a_process_and_an_ordinary_one_at_once() -> None:
    workspace_id = new_id()
    costly = b"From: a@ornek.net\r\nTo: " + b"@a," * 2_000 + b"\r\n\r\nx"
    ordinary = b"From: a@ornek.net\r\nTo: destek@ornek.com\r\n\r\nmerhaba"
    assert is_small(costly)

    async def parse(parser: Parser, body: bytes) -> Parsed:
        request = Request(method="POST", url="", headers={}, query={}, body=body, received_at=datetime.now(UTC))
        (parsed,) = await parser.parse(target_of(workspace_id), request)
        return parsed

    # A process that has no time for anything shows which of them goes there.
    async with Parser(workers=1, timeout_s=0.001) as parser:
        assert isinstance(await parse(parser, costly), Unparsed)
        assert isinstance(await parse(parser, ordinary), Draft)
    async with Parser(workers=1) as parser:
        assert isinstance(await parse(parser, costly), Draft)
