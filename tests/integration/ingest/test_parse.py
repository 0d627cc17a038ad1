"""Requests that a process parses: what one workspace brings in masses makes no other wait behind it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from ingest.adapter import Draft, Inbox, Parsed, Request, Target, Unparsed
from ingest.parse import INLINE_BYTES_MAX, SMALL_BYTES_MAX, TIME_LEAST_S, TIME_LIMIT_S, Parser, is_small
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


def request_of(body: bytes) -> Request:
    return Request(method="POST", url="", headers={}, query={}, body=body, received_at=datetime.now(UTC))


async def test_a_small_mail_has_places_that_large_ones_do_not_take(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = asyncio.Event()

    async def held(*_: Any, **__: Any) -> bytes:
        await gate.wait()
        raise TimeoutError

    async with Parser(workers=1) as parser:
        monkeypatch.setattr(parser._large, "ask", held)
        waiting = asyncio.create_task(parser.parse(target_of(new_id()), request_of(LARGE + b"x" * SMALL_BYTES_MAX)))
        assert isinstance((await parser.parse(target_of(new_id()), request_of(LARGE)))[0], Draft)
        assert not waiting.done()
        gate.set()
        assert isinstance((await waiting)[0], Unparsed)


async def test_what_an_inbox_got_that_took_too_long_puts_it_behind_others() -> None:
    done: list[str] = []
    slow = target_of(new_id())

    async def parse(parser: Parser, name: str, target: Target) -> None:
        await parser.parse(target, request_of(LARGE + name.encode()))
        done.append(name)

    async with Parser(workers=1, timeout_s=0.001) as parser:
        await parse(parser, "first", slow)
        again = [asyncio.create_task(parse(parser, "other", target_of(new_id()))), asyncio.create_task(parse(parser, "slow", slow))]
        await asyncio.sleep(0)
        await asyncio.gather(*again, *(parse(parser, f"quiet {place}", target_of(new_id())) for place in range(3)))
    assert done[-1] == "slow"


def test_a_small_body_has_little_time_and_a_large_one_has_more() -> None:
    parser = Parser()
    assert parser.limit_s(20_000) < TIME_LEAST_S + 0.1
    assert parser.limit_s(10 * 2**20) == TIME_LEAST_S + 10
    assert parser.limit_s(50 * 2**20) == TIME_LIMIT_S
    assert Parser(timeout_s=2).limit_s(0) == 2


async def test_what_took_too_long_is_not_tried_again_for_another_inbox() -> None:
    async with Parser(workers=1, timeout_s=0.001) as parser:
        for expected in ("not parsed within 0 seconds", "not parsed within 0 seconds before, and not tried again for 10 minutes"):
            (parsed,) = await parser.parse(target_of(new_id()), request_of(LARGE))
            assert isinstance(parsed, Unparsed)
            assert (parsed.reason, parsed.original) == (expected, LARGE)
        (parsed,) = await parser.parse(target_of(new_id()), request_of(LARGE + b"x"))
        assert isinstance(parsed, Unparsed)
        assert "tried again" not in parsed.reason
