"""Places for questions: one for each owner at a time, held by nobody who waits, and the late ones behind the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

import pytest

from shared.errors import Throttled
from shared.shares import Share
from shared.worker_places import WorkerPlaces


class Asked:
    """Questions that end when they are told to; ``inside`` are those that have a place."""

    def __init__(self, places: WorkerPlaces) -> None:
        self.places = places
        self.inside: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def ask(self, name: str, *owners: Hashable, sender: str | None = None, late: bool = False) -> None:
        self.ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._ask(name, owners, sender, late=late))
        await settled()

    async def _ask(self, name: str, owners: tuple[Hashable, ...], sender: str | None, *, late: bool) -> None:
        senders = () if sender is None else (Share(sender),)
        async with self.places.of(*owners, senders=senders, late=late):
            self.inside.append(name)
            await self.ends[name].wait()
            self.inside.remove(name)

    async def end(self, name: str) -> None:
        self.ends[name].set()
        await settled()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@asynccontextmanager
async def places(count: int, waiting_max: int = 200) -> AsyncIterator[Asked]:
    asked = Asked(WorkerPlaces(count, waiting_max=waiting_max))
    yield asked
    for task in asked.tasks.values():
        task.cancel()
    await asyncio.gather(*asked.tasks.values(), return_exceptions=True)


async def test_one_sender_with_many_workspaces_and_many_senders_to_one_have_one_place() -> None:
    async with places(3) as asked:
        for number in range(5):
            await asked.ask(f"sender {number}", f"workspace {number}", "sender")
            await asked.ask(f"workspace {number}", "workspace", f"sender {number}")
        assert asked.inside == ["sender 0", "workspace 0"]
        await asked.ask("quiet", "another", "elsewhere")
        assert "quiet" in asked.inside


async def test_who_waits_holds_nothing() -> None:
    async with places(2) as asked:
        await asked.ask("first", "busy", "a")
        await asked.ask("second", "busy", "relay")  # waits for the busy workspace
        await asked.ask("third", "quiet", "relay")
        assert asked.inside == ["first", "third"]


async def test_masses_of_one_let_another_in_after_one_question() -> None:
    async with places(1) as asked:
        for number in range(5):
            await asked.ask(f"loud {number}", "loud")
        await asked.ask("quiet", "quiet")
        await asked.end("loud 0")
        assert asked.inside == ["quiet"]


async def test_of_one_workspaces_questions_senders_have_turns_and_no_place_of_their_own() -> None:
    async with places(3) as asked:
        for number in range(5):
            await asked.ask(f"masses {number}", "workspace", sender="one")
        await asked.ask("another's", "workspace", sender="another")
        await asked.ask("elsewhere", "another workspace", sender="one")
        assert asked.inside == ["masses 0", "elsewhere"]
        await asked.end("masses 0")
        assert asked.inside == ["elsewhere", "another's"]
        await asked.end("another's")
        assert asked.inside == ["elsewhere", "masses 1"]


async def test_the_late_come_behind_the_others_and_have_one_place_together() -> None:
    async with places(2) as asked:
        await asked.ask("late a", "a", late=True)
        await asked.ask("late b", "b", late=True)
        await asked.ask("c", "c")
        assert asked.inside == ["late a", "c"]
        await asked.ask("d", "d")
        await asked.end("late a")
        assert asked.inside == ["c", "d"]
        await asked.end("c")
        assert asked.inside == ["d", "late b"]


async def test_neighbours_have_half_of_the_places_together() -> None:
    async with places(4) as asked:
        for number in range(6):
            await asked.ask(f"house {number}", Share(f"house {number}"), Share("street", 8))
        assert asked.inside == ["house 0", "house 1"]


async def test_too_many_of_one_are_told_and_who_gives_up_leaves_no_trace() -> None:
    async with places(1, waiting_max=1) as asked:
        await asked.ask("first", "a")
        await asked.ask("second", "a")
        with pytest.raises(Throttled):
            async with asked.places.of("a"):
                pass
        asked.tasks["second"].cancel()
        await settled()
        await asked.ask("third", "a")
        await asked.end("first")
        assert asked.inside == ["third"]
