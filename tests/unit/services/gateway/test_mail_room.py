"""Large mails of one address leave the places for them to others."""

from __future__ import annotations

import asyncio
import contextlib

from services.frame.peers import shares_of
from services.gateway.mail_room import LARGE_AT_ONCE, LARGE_BYTES, MailRoom


async def test_large_mails_of_one_address_are_worked_on_one_by_one() -> None:
    room, leave = MailRoom(), asyncio.Event()
    inside: asyncio.Queue[str] = asyncio.Queue()

    async def work(owner: str) -> None:
        async with room.working(shares_of(owner), LARGE_BYTES + 1):
            inside.put_nowait(owner)
            await leave.wait()

    many = [asyncio.create_task(work("192.0.2.1")) for _ in range(2 * LARGE_AT_ONCE)]
    other = asyncio.create_task(work("198.51.100.7"))
    async with asyncio.timeout(5):
        assert [await inside.get(), await inside.get()] == ["192.0.2.1", "198.51.100.7"]
        assert inside.empty()
        async with room.working(shares_of("192.0.2.1"), LARGE_BYTES):
            pass
        leave.set()
        await asyncio.gather(other, *many)


def test_a_machine_with_a_whole_prefix_has_half_of_the_room_at_most() -> None:
    room = MailRoom(connections=10, connections_each=2, coming_bytes=10_000, coming_bytes_each=3_000)
    machine = [shares_of(f"2001:db8:0:{subnet:x}::1") for subnet in range(20)]
    places = [place for one in machine if (place := room.enter(one, _nothing))]
    assert len(places) == 5
    assert room.enter(shares_of("192.0.2.1"), _nothing)
    with contextlib.ExitStack() as stack:
        mails = [stack.enter_context(room.mail(one, _nothing)) for one in machine]
        assert sum(one.grow(1_000) for one in mails) == 5
        assert stack.enter_context(room.mail(shares_of("2001:db8:1::1"), _nothing)).grow(3_000)
    for place in places:
        place.leave()
    assert room.enter(machine[9], _nothing)
    with room.mail(machine[9], _nothing) as mail:
        assert mail.grow(3_000)


def _nothing() -> None:
    pass
