"""How far a partition was read, and whether the log under that position is still the one that was read. Pure.

A topic may be deleted and made again under its name, and the client at hand cannot ask for a topic's own id. So with a position stands
a mark: the record before it. A log that ends before the position, or has another record there, is another log, and what stands in it
before the position was never read.

**Identity** of a log at a position: offset, time and digest of value of the record before it. Units: offsets; times as Kafka gives them,
in milliseconds.

| what the log holds now | state |
|---|---|
| the record of the mark | ``same`` |
| no mark was kept (0.1.0 moved the position), or its record has run out and the next one is the log's first | ``unknown``: read on |
| a start after the position | ``ran out``: that many records were never taken |
| an end before the position, or no such record, or another in its place | ``another`` |
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, Protocol

State = Literal["same", "unknown", "ran out", "another"]
STOPS: Final = frozenset[State]({"ran out", "another"})
REMEDY: Final = "restore the topic, or confirm the loss, and that another log is read from its start: santral topics accept-loss"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SAID: Final = 3


class LogRecord(Protocol):
    """What is compared of a record."""

    @property
    def offset(self) -> int: ...
    @property
    def value(self) -> bytes: ...
    @property
    def timestamp_ms(self) -> int: ...


class Log(Protocol):
    """What is asked of a log (`shared.kafka_reader.KafkaLog`)."""

    async def bounds(self, partitions: Sequence[int]) -> Mapping[int, tuple[int, int]]:
        """By partition: the log's first offset, and the one that its next record will have."""
        ...

    async def firsts(self, places: Mapping[int, int]) -> Mapping[int, LogRecord]:
        """The first record at or after each offset, by partition, as far as there is one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A record as it is known again."""

    offset: int
    at: datetime
    digest: bytes


def mark_of(record: LogRecord) -> Mark:
    """The mark of a record that was read."""
    digest = hashlib.blake2b(record.value, digest_size=16).digest()
    return Mark(offset=record.offset, at=_EPOCH + timedelta(milliseconds=record.timestamp_ms), digest=digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far a partition was read: the offset that comes next, and the mark of what came before, where one was kept."""

    partition: int
    next_offset: int
    mark: Mark | None = None

    def comparable(self, start: int, end: int) -> bool:
        """Whether the log may hold the record before the position. A mark of another offset is an older release's leftover."""
        return self.mark is not None and self.mark.offset == self.next_offset - 1 and start < self.next_offset <= end


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A position held against the log: its ``state``, the log's first offset, how many records are missing, and that in words."""

    partition: int
    state: State
    start: int
    records: int = 0
    text: str = ""


def compared(position: Position, bounds: tuple[int, int], found: LogRecord | None) -> Comparison:
    """``found`` is the log's first record from the mark on, where the position is comparable."""
    (start, end), place, partition = bounds, position.next_offset, position.partition
    if place < start:
        text = f"{start - place} records ran out of the log before they were taken"
        return Comparison(partition=partition, state="ran out", start=start, records=start - place, text=text)
    if place > end:
        text = f"the log ends {place - end} records before what was taken already"
        return Comparison(partition=partition, state="another", start=start, records=place - end, text=text)
    if not position.comparable(start, end):
        gone = position.mark is not None and position.mark.offset == place - 1
        text = "what was read last has run out of the log, which goes on without a gap" if gone else ""
        return Comparison(partition=partition, state="unknown", start=start, text=text)
    if found is not None and mark_of(found) == position.mark:
        return Comparison(partition=partition, state="same", start=start)
    return Comparison(
        partition=partition, state="another", start=start, text=f"the log has another record at {place - 1} than was taken there"
    )


async def look(log: Log, positions: Iterable[Position]) -> list[Comparison]:
    """Each position held against the log. Raises what ``log`` does."""
    wanted = list(positions)
    if not wanted:
        return []
    bounds = dict(await log.bounds([one.partition for one in wanted]))
    places = {one.partition: one.next_offset - 1 for one in wanted if one.comparable(*bounds[one.partition])}
    found = await log.firsts(places) if places else {}
    gone = [partition for partition, offset in places.items() if partition not in found or found[partition].offset != offset]
    if gone:
        # The record may have run out between the two questions.
        bounds |= await log.bounds(gone)
    return [compared(one, bounds[one.partition], found.get(one.partition)) for one in wanted]


def said(comparisons: Iterable[Comparison]) -> str:
    """What is wrong, in words, the first few partitions by name; empty when nothing is."""
    wrong = [one for one in comparisons if one.state in STOPS]
    told = [f"partition {one.partition}: {one.text}" for one in wrong[:_SAID]]
    return "; ".join(told + ([f"and {len(wrong) - _SAID} partitions more"] if len(wrong) > _SAID else []))
