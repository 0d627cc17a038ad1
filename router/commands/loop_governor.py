"""Whether a machine of ours may write once more, so that two machines do not answer each other for ever. Pure; no I/O.

A machine is a bot, or a caller that stands for no agent. What a person writes is never asked about.

| refused | until |
|---|---|
| all that came since our last word is from machines (absence notes, bounces, mailing lists) | a person writes |
| all that came last asks for no automatic answers (a list, a program that marks its mail), whatever we wrote since | unmarked mail comes |
| as many automatic messages as a limit allows, in one conversation or to one counterpart | the oldest of them is out of the limit's window |

**Units**: limits are messages in minutes, the answer in seconds. **Source**: RFC 3834 §2 for never answering a machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

LIMITS: Final = ((10, 10), (15, 30), (25, 60), (50, 180), (100, 600))
"""(messages, minutes): so many automatic messages in so many minutes."""
LOOKED_AT: Final = max(most for most, _ in LIMITS)
LOOKED_BACK: Final = timedelta(minutes=max(minutes for _, minutes in LIMITS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Why a machine may not write. ``again_s``: when it may, if nothing else is sent; None until a person writes."""

    reason: Literal["machine_wrote", "forbidden", "too_many"]
    messages: int = 0
    minutes: int = 0
    again_s: int | None = None


def stop_of(sent_at: Sequence[datetime], now: datetime, *, machine_wrote: bool = False, forbidden: bool = False) -> Stop | None:
    """Whether one more automatic message would be a loop; None when it may go.

    ``sent_at`` are the times of earlier automatic messages, newest first, at least the newest `LOOKED_AT`. Of several limits that are
    reached the one that holds longest is told.
    """
    if machine_wrote:
        return Stop(reason="machine_wrote")
    if forbidden:
        return Stop(reason="forbidden")
    found: Stop | None = None
    for most, minutes in LIMITS:
        if len(sent_at) < most:
            continue
        left_s = (sent_at[most - 1] + timedelta(minutes=minutes) - now).total_seconds()
        if left_s > 0 and (found is None or found.again_s is None or left_s > found.again_s):
            found = Stop(reason="too_many", messages=most, minutes=minutes, again_s=int(left_s) + 1)
    return found
