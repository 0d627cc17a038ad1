"""Every error this product raises, classed by what the caller should do about it.

    SantralError
    ├── InputRejected        never retried; 4xx; a message goes to quarantine
    │   ├── Unauthenticated  401, who are you
    │   ├── Forbidden        403, you may not
    │   ├── NotFound         404, not there, or not yours
    │   ├── TooSlow          408, a body that does not come
    │   ├── TooLarge         413, over a documented limit
    │   └── Unprocessable    422, well-formed but not acceptable
    ├── Conflict             409, somebody else was first; read again and decide
    │   ├── Fenced           the lease moved on; drop what you hold, write nothing
    │   └── Held             a legal hold stands against removing it; nothing was changed
    └── Unavailable          503, the same call may succeed later; no offset is committed
        └── Throttled        429, slow down

Source: RFC 9457 (problem details) for what the HTTP edge renders. Third-party exceptions are translated where the
technology is wrapped (`shared/database.py`, `shared/kafka.py`), with ``raise … from``.
"""

from __future__ import annotations

from typing import Any, ClassVar


class SantralError(Exception):
    """The root. ``field`` names the input at fault, ``remedy`` what to do about it; both reach the caller."""

    status: ClassVar[int] = 500
    kind: ClassVar[str] = "error"

    def __init__(self, message: str, *, field: str | None = None, remedy: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.remedy = remedy
        self.details = details

    def __str__(self) -> str:
        where = f"{self.field}: " if self.field else ""
        remedy = f" ({self.remedy})" if self.remedy else ""
        return f"{where}{self.message}{remedy}"


class InputRejected(SantralError):
    """The input can never succeed as it is."""

    status = 400
    kind = "input-rejected"


class Unauthenticated(InputRejected):
    """No credential, or one that proves nothing."""

    status = 401
    kind = "unauthenticated"


class Forbidden(InputRejected):
    """A good credential without the scope or the visibility."""

    status = 403
    kind = "forbidden"


class NotFound(InputRejected):
    """Not there, or in another workspace: the answer is the same."""

    status = 404
    kind = "not-found"


class TooSlow(InputRejected):
    """What was begun did not come to its end in time."""

    status = 408
    kind = "too-slow"


class TooLarge(InputRejected):
    """Over a documented limit."""

    status = 413
    kind = "too-large"


class Unprocessable(InputRejected):
    """Well-formed, but a value is not acceptable."""

    status = 422
    kind = "unprocessable"


class Conflict(SantralError):
    """An expected loss of a race, or a state that does not allow the command."""

    status = 409
    kind = "conflict"


class Fenced(Conflict):
    """The lease this work was done under belongs to somebody else now; nothing was written."""

    kind = "fenced"


class Held(Conflict):
    """What was to be removed is under a legal hold; nothing was changed."""

    kind = "held"


class Unavailable(SantralError):
    """A dependency is down. ``retry_after_s`` is the hint given to the caller."""

    status = 503
    kind = "unavailable"

    def __init__(self, message: str, *, retry_after_s: int = 5, remedy: str | None = None, **details: Any) -> None:
        super().__init__(message, remedy=remedy, **details)
        self.retry_after_s = retry_after_s


class Throttled(Unavailable):
    """Over a quota; the same call succeeds later."""

    status = 429
    kind = "throttled"
