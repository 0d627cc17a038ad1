"""The loop of a chore: take what is due, again at once while there is more, else at the next hint or the next look.

Units: seconds. A dependency that is away is waited for and said once a look; what a round had begun stays due.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from shared.errors import Unavailable
from shared.hints import Waiter
from shared.logs import get_log

log = get_log(__name__)


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
