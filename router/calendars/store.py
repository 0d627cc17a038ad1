"""The rows of calendars and service levels as what they stand for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from router.calendars.calendar import Calendar
from router.calendars.hours import kept_calendar
from router.calendars.sla import Sla, Target
from shared.errors import Unprocessable
from shared.logs import get_log

log = get_log(__name__)


def calendars_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, Calendar]:
    """A workspace's calendars by name, unchanged ones with the years they have made.

    One that an older release accepted and this one does not is left out, and said.
    """
    found: dict[str, Calendar] = {}
    for row in rows:
        document = {name: row[name] for name in ("time_zone", "hours", "holidays", "overrides")}
        try:
            found[row["name"]] = kept_calendar(document, name=row["name"])
        except Unprocessable as error:
            log.error(  # noqa: TRY400
                "a stored calendar is not acceptable any more", action="configuration_stale",
                workspace=str(row["workspace_id"]), error=str(error),
            )  # fmt: skip
    return found


def slas_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, Sla]:
    """A workspace's service levels by name."""
    return {
        row["name"]: Sla(
            name=row["name"], targets=tuple(Target(**one) for one in row["targets"]), calendar=row["calendar"],
            escalate_to=row["escalate_to"], warn_share=row["warn_share"],
        )
        for row in rows
    }  # fmt: skip
