"""The rows of calendars and service levels, read whole."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from router.calendars.calendar import Calendar
from router.calendars.hours import calendar_from
from router.calendars.sla import Sla, Target
from shared.database import Connection
from shared.errors import Unprocessable
from shared.logs import get_log

log = get_log(__name__)
_CALENDARS: Final = "select workspace_id, name, time_zone, hours, holidays, overrides from santral.calendar"
_SLAS: Final = "select workspace_id, name, calendar, escalate_to, warn_share, targets from santral.sla"


async def read_calendars(connection: Connection) -> dict[UUID, dict[str, Calendar]]:
    """Each workspace's calendars by name. One that an older release accepted and this one does not is left out, and said."""
    found: dict[UUID, dict[str, Calendar]] = {}
    for row in await connection.fetch(_CALENDARS):
        document = {name: row[name] for name in ("time_zone", "hours", "holidays", "overrides")}
        try:
            calendar = calendar_from(document, name=row["name"])
        except Unprocessable as error:
            log.error(  # noqa: TRY400
                "a stored calendar is not acceptable any more", action="configuration_stale",
                workspace=str(row["workspace_id"]), error=str(error),
            )  # fmt: skip
            continue
        found.setdefault(row["workspace_id"], {})[row["name"]] = calendar
    return found


async def read_slas(connection: Connection) -> dict[UUID, dict[str, Sla]]:
    """Each workspace's service levels by name."""
    found: dict[UUID, dict[str, Sla]] = {}
    for row in await connection.fetch(_SLAS):
        found.setdefault(row["workspace_id"], {})[row["name"]] = Sla(
            name=row["name"], targets=tuple(Target(**one) for one in row["targets"]), calendar=row["calendar"],
            escalate_to=row["escalate_to"], warn_share=row["warn_share"],
        )  # fmt: skip
    return found
