"""May we write to this person first? One pure answer from consent, their preferences and the hour where they are.

An answer to what a customer just wrote is never asked about here; a first contact and a template after a silence are. A refusal names
what stands against it and, for the hour, when it ends.

``service`` (about their own case) needs no consent but is stopped by an explicit no; every other purpose needs a yes. A preferred
channel binds every purpose but ``service``.

**Identity**: purpose and channel. **Units**: times aware; quiet hours ``HH:MM-HH:MM`` in the person's time zone, over midnight too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from profiles.consent import Statement, consent_for
from shared.errors import Unprocessable
from shared.time_zones import zone_of

SERVICE: Final = "service"
PREFERENCES: Final = ("preferred_channel", "language", "quiet_hours", "time_zone")
"""The attributes that say how a person wants to be reached."""
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_CHANNEL: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``reason``: consent_denied, consent_missing, other_channel or quiet_hours; ``not_before`` when waiting helps."""

    allowed: bool
    reason: str = ""
    remedy: str = ""
    not_before: datetime | None = None


def may_contact(
    statements: Iterable[Statement],
    attributes: Mapping[str, Any],
    *,
    purpose: str,
    channel: str,
    now: datetime,
    time_zone: str = "UTC",
) -> Verdict:
    """Whether a first contact for this purpose on this channel is right now.

    ``attributes``: name → value as shown of the person; ``time_zone`` is the workspace's, where the person's is not known.
    """
    said = consent_for(statements, purpose=purpose, channel=channel, as_of=now)
    if said.granted is False:
        return Verdict(allowed=False, reason="consent_denied", remedy=f"they said no to {purpose} by {channel}")
    if said.granted is None and purpose != SERVICE:
        return Verdict(allowed=False, reason="consent_missing", remedy=f"record their consent to {purpose} by {channel} first")
    preferred = attributes.get("preferred_channel")
    if purpose != SERVICE and isinstance(preferred, str) and preferred and preferred != channel:
        return Verdict(allowed=False, reason="other_channel", remedy=f"they want to be reached by {preferred}")
    ends = quiet_until(attributes.get("quiet_hours"), now=now, zone=_zone(attributes.get("time_zone"), time_zone))
    if ends is not None:
        return Verdict(allowed=False, reason="quiet_hours", remedy=f"after {ends.isoformat()}", not_before=ends)
    return Verdict(allowed=True)


def quiet_until(hours: Any, *, now: datetime, zone: ZoneInfo) -> datetime | None:
    """When the quiet hours that now lies in are over, in that zone; None outside of them or without any."""
    found = _HOURS.fullmatch(hours) if isinstance(hours, str) else None
    if found is None:
        return None
    begin, end = time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4]))
    here = now.astimezone(zone)
    if begin == end:
        return None
    at = here.time().replace(tzinfo=None)
    inside = begin <= at < end if begin < end else at >= begin or at < end
    if not inside:
        return None
    day = here.date() + timedelta(days=1 if at >= end else 0)
    return datetime.combine(day, end, tzinfo=zone)


def checked_preference(name: str, value: Any, *, field: str) -> None:
    """Raises `Unprocessable` for a preference nobody could follow; other attributes and taking one back are always fine."""
    if name not in PREFERENCES or value is None:
        return
    good = (
        isinstance(value, str)
        and {
            "preferred_channel": lambda: _CHANNEL.fullmatch(value) is not None,
            "language": lambda: _LANGUAGE.fullmatch(value) is not None,
            "quiet_hours": lambda: _HOURS.fullmatch(value) is not None,
            "time_zone": lambda: zone_of(value) is not None,
        }[name]()
    )
    if not good:
        like = {"preferred_channel": "email", "language": "tr", "quiet_hours": "22:00-08:00", "time_zone": "Europe/Istanbul"}[name]
        raise Unprocessable(f"not a {name.replace('_', ' ')}", field=field, remedy=f"like {like}")


def _zone(person: Any, workspace: str) -> ZoneInfo:
    return zone_of(person) or zone_of(workspace) or ZoneInfo("UTC")
