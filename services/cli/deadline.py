"""`santral deadline`: when something is due by a calendar, with the spans that were counted.

A calendar in a file is reckoned here, without any server; a stored one is asked of the API by its name.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from router.calendars.calendar import ALWAYS, ROUND_THE_CLOCK_CALENDAR, Calendar
from router.calendars.deadline import reckoned, start_in, target_seconds
from router.calendars.hours import calendar_from
from services.cli.console import say
from services.client.rest_client import RestClient
from services.client.yaml_text import PlainLoader
from shared.errors import InputRejected, Unprocessable


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("deadline", help="Compute when something is due by a calendar, and show the spans counted.")
    def deadline(
        calendar: Annotated[
            str, typer.Option(help="A file (of one calendar, or FILE#NAME of several), a stored one's name, or always.")
        ],
        start: Annotated[
            str, typer.Option(help="From when, like 2026-03-28T22:00: the calendar's own time unless it has an offset.")
        ],
        target: Annotated[str, typer.Option(help="How much open time: 90s, 30m, 4h, 2d (of 24 h each), 1h30m, or seconds.")],
        url: Annotated[
            str, typer.Option(envvar="SANTRAL_API_URL", help="Where the API is, for a stored calendar.")
        ] = "http://127.0.0.1:8080",
        api_key: Annotated[str, typer.Option(envvar="SANTRAL_API_KEY", help="A key with config:read, for a stored calendar.")] = "",
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        given = _given(calendar)
        if given is not None:
            answer = asdict(reckoned(given, start_in(given, start), target_seconds(target)))
        else:
            answer = asyncio.run(_asked(url, api_key, {"calendar": calendar, "start": start, "target_s": target_seconds(target)}))
        if as_json:
            say(json.dumps(answer, ensure_ascii=False, default=_text))
            return
        _say(json.loads(json.dumps(answer, default=_text)))


def _given(text: str) -> Calendar | None:
    """The calendar of a file; None for a name."""
    if text == ALWAYS:
        return ROUND_THE_CLOCK_CALENDAR
    path, _, name = text.partition("#")
    if not Path(path).is_file():
        if path.endswith((".yaml", ".yml", ".json")) or "/" in path:
            raise InputRejected(f"{path} is not a file", field="--calendar", remedy="name a file that exists, or a stored calendar")
        return None
    try:
        document = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=PlainLoader)  # noqa: S506  a SafeLoader
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputRejected(f"{path} cannot be read: {error}", field="--calendar", remedy="YAML or JSON in UTF-8") from error
    if isinstance(document, dict) and isinstance(document.get("calendars"), list):
        document = _one_of(document["calendars"], name, path)
    if not isinstance(document, dict):
        raise Unprocessable(
            f"{path} is not a calendar", field="--calendar", remedy="a mapping with time_zone, hours, holidays, overrides"
        )
    known = str(document.get("name", Path(path).stem))
    return calendar_from({key: value for key, value in document.items() if key not in ("name", "title")}, name=known)


def _one_of(entries: list[Any], name: str, path: str) -> Any:
    names = [str(entry.get("name")) for entry in entries if isinstance(entry, dict)]
    if not name and len(entries) == 1:
        return entries[0]
    if name not in names:
        raise Unprocessable(f"{path} has the calendars {', '.join(names)}", field="--calendar", remedy=f"{path}#NAME")
    return next(entry for entry in entries if isinstance(entry, dict) and entry.get("name") == name)


async def _asked(url: str, api_key: str, body: dict[str, Any]) -> Any:
    if not api_key:
        raise InputRejected(
            "no API key", field="--api-key", remedy="give it, or set SANTRAL_API_KEY; a calendar in a file needs none"
        )
    async with RestClient(url, api_key) as client:
        return await client.call("POST", "/v1/calendars/deadline", body)


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _say(answer: dict[str, Any]) -> None:
    opened = "open" if answer["open_at_start"] else "closed"
    say(f"due       {_wall(answer['due_at'])}")
    say(f"start     {_wall(answer['start_at'])}  {opened}")
    say(f"target    {_duration(answer['target_s'])} of {answer['calendar']} ({answer['time_zone']})")
    for place, span in enumerate(answer["spans"]):
        label = "counted" if place == 0 else ""
        say(f"{label:<10}{_wall(span['starts_at'])} – {_wall(span['ends_at'])}  {_duration(span['counted_s'])}")
    if answer["spans_left_out"]:
        say(f"          and {answer['spans_left_out']} more")
    for place, day in enumerate(answer["unusual_days"]):
        label = "unusual" if place == 0 else ""
        say(f"{label:<10}{day['date']}  {day['holiday'] or 'the calendar has hours of its own for it'}")


def _wall(text: str) -> str:
    at = datetime.fromisoformat(text)
    seconds = (
        "" if at.second == 0 and at.microsecond == 0 else at.strftime(":%S") + (f".{at.microsecond:06}" if at.microsecond else "")
    )
    offset = at.strftime("%z")
    return f"{at:%a %Y-%m-%d %H:%M}{seconds} {offset[:3]}:{offset[3:5]}"


def _duration(seconds: float) -> str:
    whole, rest = divmod(seconds, 1)
    hours, left = divmod(int(whole), 3600)
    minutes, last = divmod(left, 60)
    parts = [f"{hours} h" if hours else "", f"{minutes} min" if minutes else "", f"{last + rest:g} s" if last or rest else ""]
    return " ".join(part for part in parts if part) or "0 s"
