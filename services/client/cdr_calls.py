"""Rows of a growing CDR file, and the calls they settle to. Pure: no clock, no file.

A call settles `SETTLE_S` after its last row was read, because its rows are written one by one; rows that come later amend it. Of every
settled call the byte its rows reached is remembered, so that reading a part of the file again neither posts nor amends anything twice.

**Identity**: a call by its id (`ingest/phone/cdr.py`); a row that names none, or cannot be read, by its content.
**Units**: positions in bytes from the file's start; seconds of any clock that only goes forward.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from ingest.phone.cdr import read_row

SETTLE_S: Final = 5.0
SETTLED_KEPT: Final = 1000
PENDING_MAX: Final = 500
RECORD_BYTES_MAX: Final = 16 * 1024
_CALL_ID_CHARS_MAX: Final = 100
_BY_CONTENT: Final = ("row-", "unreadable-")
_UTC: Final = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class CdrRecord:
    """One record as it stands in the file, without its line end. ``end`` is the first byte after it."""

    call_id: str
    line: bytes
    begin: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledCall:
    """All rows of a call that are posted together. ``through`` is the byte they reach."""

    call_id: str
    lines: tuple[bytes, ...]
    through: int
    amends: bool

    @property
    def alone(self) -> bool:
        """An unclosed quote would swallow the rows after it: such a line travels by itself."""
        return any(line.count(b'"') % 2 for line in self.lines)


class RecordSplitter:
    """Bytes to records. A line break inside quotes stays inside its record; an unclosed quote costs its own line only."""

    def __init__(self, position: int, *, columns: Sequence[str] = ()) -> None:
        self.position = position
        self._columns = tuple(columns)
        self._pending = b""

    def feed(self, chunk: bytes) -> list[CdrRecord]:
        """The records that are whole now; ``position`` is where the next one begins."""
        self._pending += chunk
        found: list[CdrRecord] = []
        while (size := self._whole()) is not None:
            self._take(size, found)
        return found

    def rest(self) -> list[CdrRecord]:
        """At the end of the file: the last lines, should the last one have no line end; one that is not a whole row stays."""
        found: list[CdrRecord] = []
        while self._pending and (b"\n" in self._pending or self._call_id(self._pending) is not None):
            self._take(self._pending.find(b"\n") + 1 or len(self._pending), found)
        return found

    @property
    def left_bytes(self) -> int:
        """Bytes of a record that is not whole yet."""
        return len(self._pending)

    def _whole(self) -> int | None:
        """The size of the first record with its line end; None while more must come."""
        first = size = self._pending.find(b"\n") + 1
        while size and self._pending.count(b'"', 0, size) % 2:
            following = self._pending.find(b"\n", size) + 1
            if not following:
                return first if len(self._pending) > RECORD_BYTES_MAX else None
            if following > RECORD_BYTES_MAX or self._call_id(self._pending[size:following]) is not None:
                return first
            size = following
        return size or None

    def _take(self, size: int, found: list[CdrRecord]) -> None:
        line, begin = self._pending[:size].rstrip(b"\r\n"), self.position
        self._pending = self._pending[size:]
        self.position += size
        if line.strip():
            call_id = self._call_id(line) or f"unreadable-{_digest(line)}"
            call_id = call_id if len(call_id) <= _CALL_ID_CHARS_MAX else f"long-{_digest(call_id.encode())}"
            found.append(CdrRecord(call_id=call_id, line=line, begin=begin, end=self.position))

    def _call_id(self, line: bytes) -> str | None:
        try:
            return read_row(line.decode("utf-8", "replace").rstrip("\r\n"), zone=_UTC, columns=self._columns).call_id
        except (ValueError, csv.Error):
            return None


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=12).hexdigest()


@dataclass(slots=True)
class _Pending:
    records: list[CdrRecord]
    read_at_s: float


class Calls:
    """The calls of one file that are not settled, and the last ones that are."""

    def __init__(self, settled: Mapping[str, int] | None = None, *, settle_s: float = SETTLE_S) -> None:
        self._settle_s = settle_s
        self.settled: dict[str, int] = dict(settled or {})
        self._pending: dict[str, _Pending] = {}

    def add(self, record: CdrRecord, *, at_s: float) -> None:
        """A row that was read. One that was posted already is passed over."""
        through = self.settled.get(record.call_id)
        if through is not None and (record.end <= through or record.call_id.startswith(_BY_CONTENT)):
            return
        pending = self._pending.setdefault(record.call_id, _Pending([], at_s))
        pending.records.append(record)
        pending.read_at_s = at_s

    def due(self, *, at_s: float, caught_up: bool, at_end: bool = False) -> list[SettledCall]:
        """Calls that settle, in the order of their first rows; they stay here until :meth:`settle`.

        While there is a backlog the time of reading says nothing: then only calls beyond `PENDING_MAX` settle, the oldest first.
        """
        waiting = sorted(self._pending.items(), key=lambda one: one[1].records[0].begin)
        if at_end:
            chosen = waiting
        elif caught_up:
            chosen = [(call_id, one) for call_id, one in waiting if at_s - one.read_at_s >= self._settle_s]
        else:
            chosen = waiting[: max(0, len(waiting) - PENDING_MAX)]
        return [self._settled(call_id, one.records) for call_id, one in chosen]

    def _settled(self, call_id: str, records: Sequence[CdrRecord]) -> SettledCall:
        lines = tuple(record.line for record in records)
        return SettledCall(call_id=call_id, lines=lines, through=records[-1].end, amends=call_id in self.settled)

    def settle(self, calls: Iterable[SettledCall]) -> None:
        """These were posted."""
        for call in calls:
            self._pending.pop(call.call_id, None)
            self.settled.pop(call.call_id, None)
            self.settled[call.call_id] = call.through
        while len(self.settled) > SETTLED_KEPT:
            self.settled.pop(next(iter(self.settled)))

    @property
    def oldest(self) -> int | None:
        """Where the oldest row stands that is not settled; None when all are."""
        return min((one.records[0].begin for one in self._pending.values()), default=None)

    @property
    def waiting(self) -> int:
        """How many calls are not settled."""
        return len(self._pending)

    def begin_file(self) -> None:
        """Another file from its first byte: what was settled stays so, its bytes are of a file that is gone."""
        self.settled = dict.fromkeys(self.settled, 0)


def unfinished(records: Iterable[CdrRecord], posting: Mapping[str, int], settled: Mapping[str, int]) -> list[SettledCall]:
    """The calls of a post whose fate an interruption hid, with exactly the rows it had: posted again they are the same calls."""
    rows: dict[str, list[CdrRecord]] = {}
    for record in records:
        if settled.get(record.call_id, -1) < record.end <= posting.get(record.call_id, -1):
            rows.setdefault(record.call_id, []).append(record)
    return [
        SettledCall(
            call_id=call_id, lines=tuple(one.line for one in found), through=posting[call_id], amends=call_id in settled
        )
        for call_id, found in rows.items()
    ]  # fmt: skip
