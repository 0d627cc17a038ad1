"""How many replies are on their way at once, of all and of each workspace. Pure.

A workspace may hold a `SHARE`th of what is free when it takes a place, `OF_ONE` at most, and always one while any is free. So what many
hold whose providers do not answer grows by less with each of them and leaves room for who comes with one answer: by lot, ten at a time
(`deliveries.py`), some ninety workspaces would have to wait for their providers at once to take the last place.
**Units**: places. A reply takes one, with files `HEAVY`, as their bytes stand in memory while it is tried.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

ROOM: Final = 500
SHARE: Final = 25
OF_ONE: Final = 20
HEAVY: Final = 5


def places_of(request: Mapping[str, Any]) -> int:
    """What a reply takes, from what is to be sent."""
    return HEAVY if "files" in request else 1


class Places:
    """Of one courier."""

    def __init__(self) -> None:
        self._held: Counter[UUID] = Counter()

    @property
    def free(self) -> int:
        """Places that nobody has; less than none where the last was taken by a reply with files."""
        return ROOM - self._held.total()

    @property
    def share(self) -> int:
        """How many places a workspace may have now, with those it has; 0 when none is free."""
        return min(OF_ONE, max(1, self.free // SHARE)) if self.free > 0 else 0

    @property
    def held(self) -> Mapping[UUID, int]:
        """The workspaces that hold any."""
        return self._held

    def take(self, workspace_id: UUID, places: int) -> None:
        """A reply sets out."""
        self._held[workspace_id] += places

    def give_back(self, workspace_id: UUID, places: int) -> None:
        """It has come to its end."""
        self._held[workspace_id] -= places
        if self._held[workspace_id] <= 0:
            del self._held[workspace_id]
