"""Asterisk's call detail records: rows of Master.csv.

A row is one path between two channels, not one call: parallel dials, queues, transfers and parking make several.

Source: Asterisk, "CDR Specification"; `cdr_csv` column order.
**Identity**: a row by (uniqueid, linkedid, sequence), a call by its linkedid; without those
columns a row is its own call, named by its digest.
**Units**: seconds; times in the PBX's zone unless ``usegmtime=yes``, given by the inbox; what they mean is `ingest/phone/times.py`'s.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from ingest.phone.times import moments
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
_CHANNEL_SUFFIX: Final = re.compile(r"-(?:[0-9a-fA-F]{8}|[0-9]{2,})(?:;[12])?$")
_SECONDS: Final = re.compile(r"-?[0-9]{1,9}")
_REQUIRED: Final = frozenset({"src", "dst", "channel", "dstchannel", "start", "disposition"})


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
    data: str
    start: datetime
    answer: datetime | None
    end: datetime
    disposition: str
    sequence: int
    line: str

    @property
    def answered(self) -> bool:
        """Somebody or something took this leg."""
        return self.disposition == "ANSWERED" and self.answer is not None


def device_of(channel: str) -> str:
    """A channel's name without the part that tells its calls apart: ``PJSIP/101-00000002`` → ``PJSIP/101``."""
    return _CHANNEL_SUFFIX.sub("", channel)


def lines_of(text: str) -> Iterator[str]:
    """The records of a CSV text, one line each; a quoted line break stays inside its record. Each line is looked at once."""
    pending: list[str] = []
    is_open = False
    for line in text.splitlines():
        pending.append(line)
        is_open ^= line.count('"') % 2 == 1
        if not is_open:
            if line.strip() or len(pending) > 1:
                yield "\n".join(pending)
            pending = []
    if pending:
        yield "\n".join(pending)


def read_row(line: str, *, zone: ZoneInfo, columns: Sequence[str] = ()) -> Row:
    """One row. ``columns`` names a custom order. Raises ``ValueError`` naming the column or the count that is wrong."""
    fields = next(csv.reader(io.StringIO(line), strict=True), [])
    names = tuple(columns) or _LAYOUTS.get(len(fields), ())
    if len(fields) != len(names) or not names:
        wanted = str(len(columns)) if columns else ", ".join(str(count) for count in sorted(_LAYOUTS))
        raise ValueError(f"{len(fields)} columns where {wanted} are expected; set the inbox's columns to the order in cdr.conf")
    if missing := sorted(_REQUIRED - set(names)):
        raise ValueError(f"the inbox's columns lack {', '.join(missing)}; set them to the order in cdr.conf")
    values = {name: clean_line(value) for name, value in zip(names, fields, strict=True)}
    start = _time(values, "start")
    digest = hashlib.blake2b(line.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    unique, linked = values.get("uniqueid", ""), values.get("linkedid", "")
    when = moments(
        zone,
        start=start,
        answer=_time(values, "answer") if values.get("answer") else None,
        end=_time(values, "end") if values.get("end") else start,
        duration_s=_seconds(values, "duration"),
        billsec_s=_seconds(values, "billsec"),
        ids=(unique, linked),
    )
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
        data=values.get("lastdata", ""),
        start=when.start,
        answer=when.answer,
        end=when.end,
        disposition=values["disposition"].upper(),
        sequence=int(values["sequence"]) if values.get("sequence", "").isdecimal() else 0,
        line=line,
    )


def _time(values: Mapping[str, str], column: str) -> datetime:
    """A local time as it stands in the row."""
    try:
        at = datetime.strptime(values[column], _TIME)  # noqa: DTZ007
    except ValueError as error:
        raise ValueError(f"{column}: {values[column]!r} is not a time like 2026-03-04 13:11:18") from error
    if not 1970 <= at.year < 9999:
        raise ValueError(f"{column}: {values[column]!r} is not a time that a call can have")
    return at


def _seconds(values: Mapping[str, str], column: str) -> int | None:
    """A count of seconds; None where the row has none."""
    given = values.get(column)
    if not given:
        return None
    # Bounded in digits before it is a number: with hundreds of them it is none that a time can be reckoned with.
    if not _SECONDS.fullmatch(given.strip()):
        raise ValueError(f"{column}: {given[:40]!r} is not a number of seconds")
    return int(given)


def _name(clid: str) -> str:
    """``"Ayşe Yılmaz" <0532…>`` → the name, whoever it is of."""
    return clid.partition("<")[0].strip().strip('"').strip()
