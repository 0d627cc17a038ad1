"""Times that others give: with a zone, and within the years in which every clock, zone and table here can count.

**Source**: RFC 3339. **Units**: instants in UTC; what is computed from one (a day later, its local time) still has to be a time. A zone is not
kept: tables take fewer of them than callers may write.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, WithJsonSchema

FIRST: Final = datetime(1900, 1, 1, tzinfo=UTC)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]")
LAST: Final = datetime(9990, 1, 1, tzinfo=UTC)


def require_moment(given: datetime) -> datetime:
    """The same instant in UTC. Raises `ValueError` for a time without a zone, before 1900 or after 9989."""
    if given.tzinfo is None:
        raise ValueError("a time without a zone; like 2026-03-01T09:00:00Z")
    if not FIRST <= given < LAST:
        raise ValueError("a time from 1900 to 9989")
    return given.astimezone(UTC)


def moment_or_none(given: Any) -> Any:
    """A time that a sender's clock gave, in UTC, and None for one that nobody can count with: it says nothing."""
    if not isinstance(given, datetime) or given.tzinfo is None:
        return given
    return given.astimezone(UTC) if FIRST <= given < LAST else None


def _written(given: Any) -> Any:
    """A number is no time: nobody would know of seconds or milliseconds."""
    if not isinstance(given, datetime) and not (isinstance(given, str) and _DATE.match(given)):
        raise ValueError("not a time; like 2026-03-01T09:00:00Z")
    return given


Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_written),
    AfterValidator(require_moment),
    WithJsonSchema(
        {"type": "string", "format": "date-time", "pattern": "^(19[0-9]{2}|[2-8][0-9]{3}|9[0-8][0-9]{2}|99[0-8][0-9])-"}
    ),
]
