"""Large mails of one address leave the places for them to others."""

from __future__ import annotations

import asyncio

from services.gateway.mail_room import LARGE_AT_ONCE, LARGE_BYTES, MailRoom


async def test_large_mails_of_one_address_are_worked_on_one_by_one() -> None:
    room, leave = MailRoom(), asyncio.Event()
    inside: asyncio.Queue[str] = asyncio.Queue()

    async def work(owner: str) -> None:
        async with room.working(owner, LARGE_BYTES + 1):
            inside.put_nowait(owner)
            await leave.wait()

    many = [asyncio.create_task(work("192.0.2.1")) for _ in range(2 * LARGE_AT_ONCE)]
    other = asyncio.create_task(work("198.51.100.7"))
    async with asyncio.timeout(5):
        assert [await inside.get(), await inside.get()] == ["192.0.2.1", "198.51.100.7"]
        assert inside.empty()
        async with room.working("192.0.2.1", LARGE_BYTES):
            pass
        leave.set()
        await asyncio.gather(other, *many)
