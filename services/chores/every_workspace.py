"""The loop of a chore over every workspace: a bounded step for each, soon again while there is more, else at the next look."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Final, TypeVar

from services.frame.rounds import each_alone
from shared.database import Database, retried
from shared.errors import SantralError
from shared.logs import get_log

log = get_log(__name__)
TRIES: Final = 2
Row = TypeVar("Row")
Result = TypeVar("Result")


async def follow_all(round_of_all: Callable[[], Awaitable[object]], *, again_s: float, look_s: float, waits: str) -> None:
    """Runs for ever; while the database is away the next look tries again. ``round_of_all`` says whether there is more, ``waits`` is logged."""
    while True:
        more: object = False
        try:
            more = await round_of_all()
        except SantralError as error:
            log.info(waits, action="chore_waits", error=str(error))
        await asyncio.sleep(again_s if more else look_s)


async def step_of_each(db: Database, rows: Iterable[Row], step: Callable[[Database, Row], Awaitable[Result]]) -> list[Result]:
    """A step for each row, each by itself and once again where the database asks for it. Raises `Unavailable`.

    What somebody holds is waited for at the next look rather than here, as the others' turn comes after it.
    """
    return await each_alone(rows, lambda row: retried(partial(step, db, row), tries=TRIES), action="chore_waits")
