"""Which records of a list the automatic rules would make one person: those that share a handle, when nothing speaks against it. Pure.

The partition of `profiles/partition.py` decides, with the records' handles as nodes, every handle taken as vouched for. A handle that
stands in records which contradict each other (other names, another date of birth) belongs to a household or a counter, not to a
person: it merges nobody.

**Identity** of a record: its place in the list.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from profiles.blocked import blocked_reason
from profiles.matching.levels import level_of
from profiles.matching.matching import Field, Record
from profiles.matching.split_dates import agree
from profiles.partition import Link, Node, partition

_HANDLES: Final = frozenset({"email", "phone"})
_NAMES: Final = frozenset({"given_name", "family_name", "name", "company", "text"})
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_SHARED_MAX: Final = 20


def automatic_pairs(fields: Sequence[Field], records: Sequence[Record]) -> Iterator[tuple[int, int]]:
    """Pairs of places that one component holds, the smaller first."""
    holders: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, record in enumerate(records):
        for spec, value in zip(fields, record, strict=True):
            if spec.kind in _HANDLES and value and blocked_reason(spec.kind, value) is None:
                holders[spec.kind, value].append(place)
    nodes = [Node(id=UUID(int=place), kind="record", value=f"row {place}", first_seen_at=_EPOCH) for place in range(len(records))]
    links = []
    for number, ((kind, value), places) in enumerate(sorted(holders.items()), start=len(records)):
        if len(places) < 2 or not _one_person(fields, [records[place] for place in places]):
            continue
        handle_id = UUID(int=number)
        nodes.append(Node(id=handle_id, kind=kind, value=value, first_seen_at=_EPOCH))
        links += [
            Link(a=UUID(int=place), b=handle_id, kind="import", assurance="channel_verified", first_seen_at=_EPOCH)
            for place in places
        ]
    found = partition(nodes, links, as_of=_EPOCH)
    for members in found.components.values():
        rows = sorted(member.int for member in members if member.int < len(records))
        for at, one in enumerate(rows):
            for other in rows[at + 1 :]:
                yield one, other


def _one_person(fields: Sequence[Field], records: Sequence[Record]) -> bool:
    """Whether everybody a handle was given by may be the same: all named, no name and no date of birth that differs."""
    if len(records) > _SHARED_MAX:
        return False
    return all(
        _agree(fields, one, other) for place, one in enumerate(records) for other in records[place + 1 :]
    )  # fmt: skip


def _agree(fields: Sequence[Field], one: Record, other: Record) -> bool:
    named = False
    for spec, here, there in zip(fields, one, other, strict=True):
        if not here or not there:
            continue
        top = here == there
        if spec.kind == "date" and not agree(here, there):
            return False
        if spec.kind in _NAMES and spec.kind != "text":
            if not top and level_of(spec.kind, here, there) < (2 if spec.kind.endswith("_name") else 4):
                return False
            named = True
    return named
