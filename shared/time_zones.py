"""Time zones by the names people give them.

Source: IANA Time Zone Database. **Identity**: the name as given.
"""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo


def zone_of(name: Any) -> ZoneInfo | None:
    """The zone of a name; None where there is none: no text, empty, a folder of the database (``Europe``), a path out of it."""
    if not isinstance(name, str) or not name:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None
