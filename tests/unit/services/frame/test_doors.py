"""How many connections a loop takes in a round: as many as listeners it is given, on the loop that servers run on here."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import uvloop

from services.frame.doors import ACCEPTED_AT_ONCE, listeners, listening_socket

CAME = 4 * ACCEPTED_AT_ONCE
"""Connections that stand in the kernel's line before the loop looks."""


def test_what_stands_before_the_door_is_taken_many_at_a_time() -> None:
    made, rounds = 0, 0

    class Counting(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            nonlocal made
            made += 1
            transport.close()

    async def served(bound: socket.socket) -> None:
        nonlocal rounds
        servers = [await asyncio.get_running_loop().create_server(Counting, sock=one) for one in listeners(bound)]
        while made < CAME:
            await asyncio.sleep(0)
            rounds += 1
        for server in servers:
            server.close()

    bound = listening_socket("127.0.0.1", 0, setting="port")
    with contextlib.ExitStack() as stack:
        for _ in range(CAME):
            stack.enter_context(socket.create_connection(bound.getsockname()))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(asyncio.wait_for(served(bound), 30))
    assert rounds < CAME / 2
