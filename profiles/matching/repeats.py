"""Fields whose values only repeat a date's year, month or day, or an age reckoned from it, whatever their columns are called. Pure.

Two such fields agree and differ together, so counting both would count one fact twice. What repeats is seen in the records
themselves: in most of those that have both, the value is the date's part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from profiles.matching.matching import Field, Record

_RECORDS_MIN: Final = 20
_SHARE_MIN: Final = 0.7  # slips of the pen stand in either of the two
_AGE_MAX: Final = 120
_KINDS: Final = frozenset({"number", "category", "date", "amount", "text", "identifier"})


def without_repeats(fields: Sequence[Field], records: Sequence[Record]) -> tuple[tuple[Field, ...], list[Record], list[str]]:
    """Fields and records without what repeats a date, and the names of the fields that were left out."""
    out = {place for date, spec in enumerate(fields) if spec.kind == "date" for place in _repeating(fields, records, date)}
    kept = [place for place in range(len(fields)) if place not in out]
    return (
        tuple(fields[place] for place in kept),
        [tuple(record[place] for place in kept) for record in records] if out else list(records),
        [fields[place].name for place in sorted(out)],
    )


def _repeating(fields: Sequence[Field], records: Sequence[Record], date: int) -> Iterator[int]:
    for place, spec in enumerate(fields):
        if place == date or spec.kind not in _KINDS or (spec.kind == "date" and not _shorter(records, place, date)):
            continue
        both = [(record[date], record[place]) for record in records if len(record[date]) == 8 and record[place]]
        if len(both) >= _RECORDS_MIN and max(_shares(both)) >= _SHARE_MIN:
            yield place


def _shares(both: Sequence[tuple[str, str]]) -> Iterator[float]:
    """In which share of the records the value is the date's year, month, day, or an age by it."""
    for begin, end in ((0, 4), (4, 6), (6, 8)):
        if len({date[begin:end] for date, _ in both}) > 1:
            yield sum(_plain(value) == date[begin:end].lstrip("0") for date, value in both) / len(both)
    # Told on one day, year and age add up to that day's year, or before the birthday to one less.
    sums = Counter(int(date[:4]) + int(value) for date, value in both if value.isdigit() and int(value) <= _AGE_MAX)
    yield max((count + sums[one + 1] for one, count in sums.items()), default=0) / len(both)


def _plain(value: str) -> str:
    return (value[:4] if len(value) == 8 and value.endswith("0000") else value).lstrip("0")


def _shorter(records: Sequence[Record], place: int, date: int) -> bool:
    """Whether the one date says less than the other: years beside days."""
    return sum(record[place].endswith("0000") for record in records) > sum(record[date].endswith("0000") for record in records)
