"""Asterisk's call detail records: rows of Master.csv, and the calls they join to.

A row is one path between two channels, not one call: parallel dials, queues, transfers and parking make several.

Source: Asterisk, "CDR Specification"; `cdr_csv` column order.
**Identity**: a row by (uniqueid, linkedid, sequence), a call by its linkedid; without those
columns a row is its own call, named by its digest.
**Units**: seconds; times in the PBX's zone unless ``usegmtime=yes``, given by the inbox.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from shared.text import clean_line

BASE: Final = (
    "accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata", "start", "answer", "end",
    "duration", "billsec", "disposition", "amaflags",
)  # fmt: skip
_NEW: Final = ("peeraccount", "linkedid", "sequence")
_LAYOUTS: Final = {
    len(columns): columns
    for columns in (
        BASE,
        (*BASE, "uniqueid"),
        (*BASE, "uniqueid", "userfield"),
        (*BASE, *_NEW),
        (*BASE, "uniqueid", *_NEW),
        (*BASE, "uniqueid", "userfield", *_NEW),
    )
}
_TIME: Final = "%Y-%m-%d %H:%M:%S"
_CHANNEL_SUFFIX: Final = re.compile(r"-[0-9a-fA-F]{8}(;[12])?$")
WITHHELD: Final = frozenset(
    {"", "anonymous", "restricted", "private", "unavailable", "unknown", "withheld", "+266696687", "266696687"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One record, times aware UTC."""

    call_id: str
    key: str
    src: str
    dst: str
    context: str
    name: str
    channel: str
    dst_channel: str
    app: str
    start: datetime
    answer: datetime | None
    end: datetime
    talk_s: int
    disposition: str
    line: str

    @property
    def agent(self) -> str:
        """The device that was reached, without its per-call suffix; empty for an application or a local leg."""
        if not self.dst_channel or self.dst_channel.startswith("Local/"):
            return ""
        return _CHANNEL_SUFFIX.sub("", self.dst_channel)

    @property
    def answered(self) -> bool:
        """A real agent's device took this leg."""
        return self.disposition == "ANSWERED" and bool(self.agent)


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedCall:
    """A call's rows as one. ``wait_s`` from the first ring to the first agent; ``talk_s`` while any agent was on it."""

    call_id: str
    caller: str
    callee: str
    context: str
    name: str
    answered: bool
    started_at: datetime
    ended_at: datetime
    wait_s: int
    talk_s: int
    agents: tuple[str, ...]
    dispositions: tuple[str, ...]


def lines_of(text: str) -> Iterator[str]:
    """The records of a CSV text, one line each; a quoted line break stays inside its record."""
    pending = ""
    for line in text.splitlines():
        pending = f"{pending}\n{line}" if pending else line
        if pending.count('"') % 2 == 0:
            if pending.strip():
                yield pending
            pending = ""
    if pending.strip():
        yield pending


def read_row(line: str, *, zone: ZoneInfo, columns: Sequence[str] = ()) -> Row:
    """One row. ``columns`` names a custom order. Raises ``ValueError`` naming the column or the count that is wrong."""
    fields = next(csv.reader(io.StringIO(line), strict=True), [])
    names = tuple(columns) or _LAYOUTS.get(len(fields), ())
    if len(fields) != len(names) or not names:
        wanted = str(len(columns)) if columns else ", ".join(str(count) for count in sorted(_LAYOUTS))
        raise ValueError(f"{len(fields)} columns where {wanted} are expected; set the inbox's columns to the order in cdr.conf")
    values = {name: clean_line(value) for name, value in zip(names, fields, strict=True)}
    start = _time(values, "start", zone)
    end = _time(values, "end", zone) if values.get("end") else start
    digest = hashlib.blake2b(line.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    unique, linked = values.get("uniqueid", ""), values.get("linkedid", "")
    return Row(
        call_id=linked or unique or f"row-{digest}",
        key=f"{unique}/{linked}/{values['sequence']}" if values.get("sequence") else digest,
        src=values["src"],
        dst=values["dst"],
        context=values.get("dcontext", ""),
        name=_name(values.get("clid", "")),
        channel=values["channel"],
        dst_channel=values["dstchannel"],
        app=values.get("lastapp", ""),
        start=start,
        answer=_time(values, "answer", zone) if values.get("answer") else None,
        end=end,
        talk_s=_seconds(values, "billsec"),
        disposition=values["disposition"].upper(),
        line=line,
    )


def _time(values: Mapping[str, str], column: str, zone: ZoneInfo) -> datetime:
    try:
        return datetime.strptime(values[column], _TIME).replace(tzinfo=zone).astimezone(UTC)
    except ValueError as error:
        raise ValueError(f"{column}: {values[column]!r} is not a time like 2026-03-04 13:11:18") from error


def _seconds(values: Mapping[str, str], column: str) -> int:
    try:
        return int(values.get(column) or 0)
    except ValueError as error:
        raise ValueError(f"{column}: {values[column]!r} is not a number of seconds") from error


def _name(clid: str) -> str:
    """``"Ayşe Yılmaz" <0532…>`` → the name; a bare number is no name."""
    name = clid.partition("<")[0].strip().strip('"').strip()
    return "" if name.strip("+").isdigit() else name


def joined(rows: Sequence[Row]) -> JoinedCall:
    """A call from all its rows, in any order. Missed means no row in which an agent's device answered."""
    ordered = sorted({row.key: row for row in rows}.values(), key=lambda row: (row.start, row.key))
    first = ordered[0]
    taken = [row for row in ordered if row.answered and row.answer is not None]
    answered_at = min((row.answer for row in taken if row.answer is not None), default=None)
    ended_at = max(row.end for row in ordered)
    return JoinedCall(
        call_id=first.call_id,
        caller=first.src,
        callee=first.dst,
        context=first.context,
        name=next((row.name for row in ordered if row.name), ""),
        answered=bool(taken),
        started_at=first.start,
        ended_at=ended_at,
        wait_s=max(0, int(((answered_at or ended_at) - first.start).total_seconds())),
        talk_s=_covered_s(taken),
        agents=tuple(dict.fromkeys(row.agent for row in ordered if row.agent)),
        dispositions=tuple(row.disposition for row in ordered),
    )


def _covered_s(rows: Sequence[Row]) -> int:
    """Seconds in which at least one of these rows was talking; overlapping legs count once."""
    covered, until = 0.0, datetime.min.replace(tzinfo=UTC)
    for row in sorted(rows, key=lambda row: row.answer or row.start):
        begin = max(row.answer or row.start, until)
        if row.end > begin:
            covered += (row.end - begin).total_seconds()
            until = row.end
    return int(covered)
