"""What all rules together may take of a router's loop, in which all workspaces' messages stand behind each other.

Rules cannot be stopped, and nothing else goes on while they are asked; so who writes dear ones and is written to in masses would hold up
everybody. Half of the time is theirs, with a store of a second for what comes at once. It is given in equal parts to the workspaces that have
taken more than they were given so far: whose rules take little are given it at once and always asked, and what they leave is the others'.
Who is further behind than an equal part of the store goes where messages go whose rules take too long, until time has been given. Who is
alone in the deployment holds up nobody else and is not limited.
**Units**: seconds; what is taken is this thread's processor time, which a busy machine does not stretch. **Identity**: a workspace by its id.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable
from typing import Final, Self
from uuid import UUID

from router.policy.policy import BUDGET_S
from shared.logs import get_log
from shared.metrics import POLICY_UNASKED

log = get_log(__name__)
A_SECOND_S: Final = 0.5
STORE_S: Final = 1.0
MOST_S: Final = 4 * STORE_S
"""That all together may be behind. Who takes little meets it only where hundreds of workspaces come at once: each first one is asked."""
SAY_AGAIN_S: Final = 60.0


class RuleTime:
    """Of one process. ``is_alone``: whether there is one workspace only.

    ``_given_s`` is what each who is behind has been given since nobody was, ``_behind`` up to where in it each has taken, and ``_next`` the same
    as a heap, in which an entry may be older than what its workspace has taken since.
    """

    def __init__(
        self, *, is_alone: Callable[[], bool], now_s: Callable[[], float] = time.monotonic,
        taken_s: Callable[[], float] = time.thread_time,
    ) -> None:  # fmt: skip
        self._is_alone = is_alone
        self._now_s = now_s
        self._taken_s = taken_s
        self._at_s = now_s()
        self._given_s = 0.0
        self._owed_s = 0.0
        self._behind: dict[UUID, float] = {}
        self._next: list[tuple[float, UUID]] = []
        self._said_s: dict[UUID, float] = {}
        self._whose = UUID(int=0)
        self._began_s: float | None = None

    def of(self, workspace_id: UUID) -> Self:
        """To be entered for one message, which is asked about within; nothing may be awaited there."""
        self._whose = workspace_id
        return self

    def __enter__(self) -> float:
        """What the rules may take of the message: nothing where time has to be given first. What they take is counted."""
        self._began_s = None
        if self._is_alone():
            return BUDGET_S
        self._give()
        up_to_s = self._behind.get(self._whose)
        if (up_to_s is not None and (up_to_s - self._given_s) * len(self._behind) > STORE_S) or self._owed_s > MOST_S:
            self._say(self._whose)
            return 0.0
        self._began_s = self._taken_s()
        return BUDGET_S

    def __exit__(self, *_: object) -> None:
        if self._began_s is None:
            return
        taken_s = self._taken_s() - self._began_s
        self._owed_s += taken_s
        up_to_s = self._behind.get(self._whose)
        if up_to_s is not None:
            self._behind[self._whose] = up_to_s + taken_s
        else:
            self._behind[self._whose] = up_to_s = self._given_s + taken_s
            heapq.heappush(self._next, (up_to_s, self._whose))

    def _give(self) -> None:
        """Gives the time since the last look in equal parts to all who are behind."""
        now_s = self._now_s()
        time_s, self._at_s = A_SECOND_S * (now_s - self._at_s), now_s
        while self._next:
            noted_s, workspace_id = self._next[0]
            up_to_s = self._behind[workspace_id]
            if up_to_s > noted_s:
                heapq.heapreplace(self._next, (up_to_s, workspace_id))
                continue
            wanted_s = (up_to_s - self._given_s) * len(self._next)
            if wanted_s > time_s:
                self._given_s += time_s / len(self._next)
                self._owed_s -= time_s
                return
            time_s -= wanted_s
            self._given_s = up_to_s
            self._owed_s -= wanted_s
            heapq.heappop(self._next)
            del self._behind[workspace_id]
        self._given_s = self._owed_s = 0.0

    def _say(self, workspace_id: UUID) -> None:
        POLICY_UNASKED.inc()
        if self._at_s < self._said_s.get(workspace_id, -math.inf) + SAY_AGAIN_S:
            return
        self._said_s[workspace_id] = self._at_s
        log.warning(
            "a workspace's rules take too long of late; its messages go to its default queue", action="throttled", kind="rules",
            workspace=str(workspace_id),
        )  # fmt: skip
