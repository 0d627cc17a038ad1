"""Times as people give them to commands: ISO 8601, or how long before now (``30m``, ``24h``, ``7d``)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.errors import InputRejected

_BEFORE: Final = re.compile(r"(\d{1,6})([mhd])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


def moment(given: str, option: str, *, now: datetime | None = None) -> str:
    """The time in ISO 8601; one without a zone is UTC. Raises `InputRejected` naming the option."""
    before = _BEFORE.fullmatch(given)
    if before is not None:
        return ((now or datetime.now(UTC)) - timedelta(**{_UNITS[before[2]]: int(before[1])})).isoformat()
    try:
        at = datetime.fromisoformat(given)
    except ValueError as error:
        raise InputRejected("not a time", field=option, remedy="like 2026-03-01T09:00, 24h or 7d") from error
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).isoformat()
