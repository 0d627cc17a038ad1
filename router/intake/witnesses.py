"""Whether it is the deployment that fails, or what it was sent: messages that got through before, asked again.

When too many messages fail, a bad release or a broken database fails with those too that got through yesterday. Where these would still be
taken in, what fails is what somebody sends, however many and from however many workspaces, and stops nobody.
**Identity**: one witness of a workspace, the last; the workspaces heard last. A process that took nothing in yet has none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final
from uuid import UUID

from router.intake.arrivals import LogRecord
from router.intake.batch import Outcome
from router.intake.batch_view import Key
from router.intake.lookups import Resolution
from shared.errors import Unavailable
from shared.logs import get_log

log = get_log(__name__)
WITNESSES_MAX: Final = 8
BYTES_MAX: Final = 65_536
"""Of a record that is kept here; larger ones are not typical of what comes."""
Asked = Callable[[LogRecord, Resolution], Awaitable[bool]]


class Witnesses:
    """Of one reader. ``would_take``: whether a record would be taken in now, without keeping anything of it."""

    def __init__(self, would_take: Asked) -> None:
        self._would_take = would_take
        self._last: dict[UUID, tuple[LogRecord, Resolution]] = {}

    def see(
        self, outcomes: Sequence[Outcome], resolved: Mapping[Key, Resolution], records: Mapping[tuple[int, int], LogRecord]
    ) -> None:
        """Remembers of each workspace the last that somebody wrote and that was taken in. What a provider says of answers asks for too little."""
        newest = {
            one.arrival.workspace_id: one.arrival
            for one in outcomes
            if not one.quarantined
            and (one.arrival.workspace_id, one.arrival.id) in resolved
            and len(records[one.arrival.partition, one.arrival.offset].value) <= BYTES_MAX
        }
        for workspace_id, arrival in newest.items():
            self._last.pop(workspace_id, None)
            self._last[workspace_id] = (records[arrival.partition, arrival.offset], resolved[workspace_id, arrival.id])
        while len(self._last) > WITNESSES_MAX:
            del self._last[next(iter(self._last))]

    async def are_taken(self) -> bool:
        """Whether any of them would be taken in today. Raises `Unavailable` where that cannot be said now."""
        unsaid: Unavailable | None = None
        for record, resolution in reversed(self._last.values()):
            try:
                taken = await self._would_take(record, resolution)
            except Exception as error:
                if isinstance(error, Unavailable):
                    unsaid = error
                log.warning("what was taken in before would not be today", action="witness_refused", error=type(error).__name__)
            else:
                if taken:
                    log.warning(
                        "many messages fail that somebody sends; what is sound is taken in as before", action="limit_forgiven"
                    )
                    return True
        if unsaid is not None:
            raise unsaid
        return False
