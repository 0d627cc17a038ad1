"""Turns at what a workspace has one place of: drawn round its callers, so who asks for masses waits behind themselves.

A colleague waits for one question of each other caller at most, whatever these ask for. As a turn comes it is asked whether the caller may
still ask. **Identity** of a caller: as the audit names them, an agent in all their sessions.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Final

from services.api.asked_again import asked_again
from services.api.principal import Principal
from shared.shares import Share
from shared.turns import Turns

THOUGHTS_WAITING_MAX: Final = 8
"""Of one caller, of what keeps a thread busy for seconds: policies, plans of retention, rows of a list."""
SAVES_WAITING_MAX: Final = 50
"""Of one caller, of changes of the configuration."""
CALLERS: Final = 40
"""How many callers of a workspace may each wait for all that is theirs."""


class CallerTurns:
    """Of one kind of question in this process. ``waiting_max``: how many of one caller may wait; ``callers`` times that of a workspace."""

    def __init__(self, *, waiting_max: int, callers: int = CALLERS) -> None:
        self._turns = Turns(waiting_max=waiting_max, places=1, then=asked_again)
        self._callers = callers

    def of(self, principal: Principal) -> AbstractAsyncContextManager[None]:
        """Waits for the caller's own turn, then for the workspace's. Raises `Throttled` at once where too many of either wait (`Turns.of`)."""
        return self._turns.of((principal.workspace_id, principal.actor), Share(principal.workspace_id, self._callers))

    def own(self, principal: Principal) -> AbstractAsyncContextManager[None]:
        """Waits for the caller's own turn alone: for what others may do beside it. Raises `Throttled` at once where too many of theirs wait."""
        return self._turns.of((principal.workspace_id, principal.actor))
