"""What each workspace's rules may take of a router's loop, in which all workspaces' messages stand behind each other.

Rules cannot be stopped, and nothing else goes on while they are asked; so who writes dear ones and is written to in masses would hold up
everybody. What a message takes beyond its first millisecond comes out of its workspace's store, which fills by a quarter of a second a second.
Where that is used up, messages go where those go whose rules take too long, until it has filled for a second. Who is alone in the
deployment holds up nobody else and is not limited.
**Units**: seconds; what is taken is this thread's processor time, which a busy machine does not stretch. **Identity**: a workspace by its id.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from router.policy.policy import BUDGET_S
from shared.logs import get_log
from shared.metrics import POLICY_UNASKED

log = get_log(__name__)
FREE_S: Final = 0.001
A_SECOND_S: Final = 0.25
STORE_S: Final = 2.0
SAY_AGAIN_S: Final = 60.0


@dataclass(slots=True)
class _Store:
    """``left_s`` at ``at_s``, below nothing where the last message took more than there was."""

    at_s: float
    left_s: float = STORE_S
    used_up: bool = False
    said_s: float = -math.inf


class RuleTime:
    """Of one process. ``is_alone``: whether there is one workspace only."""

    def __init__(
        self, *, is_alone: Callable[[], bool], now_s: Callable[[], float] = time.monotonic,
        taken_s: Callable[[], float] = time.thread_time,
    ) -> None:  # fmt: skip
        self._is_alone = is_alone
        self._now_s = now_s
        self._taken_s = taken_s
        self._stores: dict[UUID, _Store] = {}

    def budget_s(self, workspace_id: UUID) -> float:
        """What the rules may take of the message that is asked about next: nothing while the workspace's store is used up."""
        store = self._stores.get(workspace_id)
        if store is None or self._is_alone():
            return BUDGET_S
        self._fill(store)
        if store.used_up and store.left_s < A_SECOND_S:
            POLICY_UNASKED.inc()
            return 0.0
        store.used_up = False
        return BUDGET_S

    @contextmanager
    def of(self, workspace_id: UUID) -> Iterator[None]:
        """Counts what is done within it for one message; nothing may be awaited there."""
        began_s = self._taken_s()
        try:
            yield
        finally:
            beyond_s = self._taken_s() - began_s - FREE_S
            if beyond_s > 0 and not self._is_alone():
                self._take(workspace_id, beyond_s)

    def _take(self, workspace_id: UUID, seconds: float) -> None:
        store = self._stores.setdefault(workspace_id, _Store(self._now_s()))
        self._fill(store)
        store.left_s -= seconds
        if store.left_s > 0:
            return
        store.used_up = True
        if store.said_s + SAY_AGAIN_S <= store.at_s:
            store.said_s = store.at_s
            log.warning(
                "a workspace's rules take too long of late; its messages go to its default queue", action="throttled", kind="rules",
                workspace=str(workspace_id),
            )  # fmt: skip

    def _fill(self, store: _Store) -> None:
        now_s = self._now_s()
        store.left_s = min(STORE_S, store.left_s + A_SECOND_S * (now_s - store.at_s))
        store.at_s = now_s
