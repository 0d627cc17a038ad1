"""What a person agreed to: statements per purpose and channel, never overwritten, and the one answer that follows from them. Pure.

The latest explicit statement counts; what is carried over or assumed (an import, a default) can only narrow it. Without an explicit
one the most restrictive unexpired statement counts. Statements stay with the handle they were made at, so a merge widens nothing and
an un-merge gives each person theirs. ``all`` stands for every purpose or every channel.

**Identity**: a statement's id. **Units**: times aware UTC.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from shared.ids import HandleId

EVERY: Final = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement. ``explicit``: the person said so themselves; ``source`` like ``form``, ``import:<id>``, ``agent``."""

    id: UUID
    handle_id: HandleId
    purpose: str
    channel: str
    granted: bool
    explicit: bool
    source: str
    actor: str | None
    stated_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """The answer for one purpose on one channel; ``granted`` is None when nobody ever said anything. ``by``: the statement."""

    purpose: str
    channel: str
    granted: bool | None
    by: Statement | None = None


def consent_for(statements: Iterable[Statement], *, purpose: str, channel: str, as_of: datetime) -> Consent:
    """What holds for this purpose on this channel at that moment; the order of statements does not matter."""
    valid = [
        said
        for said in statements
        if said.purpose in (purpose, EVERY)
        and said.channel in (channel, EVERY)
        and said.stated_at <= as_of
        and (said.expires_at is None or said.expires_at > as_of)
    ]
    # Of two statements at the same moment the narrower one counts as the later.
    explicit = max((said for said in valid if said.explicit), key=lambda s: (s.stated_at, not s.granted, s.id), default=None)
    counting = [said for said in valid if said is explicit or (not said.explicit and _after(said, explicit))]
    by = min(counting, key=lambda s: (s.granted, -s.stated_at.timestamp(), s.id), default=None)
    return Consent(purpose=purpose, channel=channel, granted=None if by is None else by.granted, by=by)


def _after(said: Statement, explicit: Statement | None) -> bool:
    return explicit is None or said.stated_at > explicit.stated_at
