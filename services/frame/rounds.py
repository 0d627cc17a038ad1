"""The loop of a chore: take what is due, again at once while there is more, else at the next hint or the next look.

Units: seconds. A dependency that is away is waited for and said once a look; what a round had begun stays due.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from shared.database import Contended, Overlong
from shared.errors import Unavailable
from shared.hints import Waiter
from shared.logs import get_log

log = get_log(__name__)
Row = TypeVar("Row")
Result = TypeVar("Result")


async def go_round(chore: Callable[[], Awaitable[bool]], waiter: Waiter, *, look_s: float, action: str) -> None:
    """Works for ever. ``chore`` does one round and says whether there is more; ``action`` is how the log names its waiting."""
    while True:
        try:
            more = await chore()
        except Unavailable as error:
            log.warning("a chore waits for a dependency", action=action, error=str(error))
            more = False
        if not more:
            await waiter.wait(look_s)


async def each_alone(rows: Iterable[Row], work: Callable[[Row], Awaitable[Result]], *, action: str) -> list[Result]:
    """Works on each by itself; what came of those that went well. One that raises is said by its kind and stops no other.

    Raises `Unavailable` when a dependency is away, because it is so for all; what was done before stays done. A statement of one that takes
    too long is that one's own.
    """
    done: list[Result] = []
    for row in rows:
        try:
            done.append(await work(row))
        except Unavailable as error:
            if not isinstance(error, Contended | Overlong):
                raise
            log.warning("a chore waits for others", action=action, error=type(error).__name__)
        except Exception as error:
            # An exception's words and locals may be somebody's.
            log.error("a chore failed for one of many", action=action, error=type(error).__name__)  # noqa: TRY400
    return done
