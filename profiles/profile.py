"""What a new partition means for the profiles there were: which begin, go on, are absorbed, or come back. Pure.

A profile has the id of its component's oldest handle and one row for as long as the workspace lives: absorbed, the row names the
profile it went into; after an un-merge it is found again. Its version grows with every change.

**Identity**: profile id = handle id of the oldest handle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from uuid import UUID

from shared.event import EventType


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A profile's row as it is: ``merged_into`` is None while it is the head of a component."""

    id: UUID
    version: int
    merged_into: UUID | None
    effective: Mapping[str, Any]
    search: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """An event to publish about a profile: ids and measures only."""

    type: EventType
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A profile's row as it is to be; ``happenings`` in order. ``what`` is kept with the version: words and ids, never a value."""

    id: UUID
    version: int
    merged_into: UUID | None
    effective: Mapping[str, Any]
    search: str = ""
    happenings: tuple[Happening, ...] = ()
    what: Mapping[str, Any] = field(default_factory=dict)


def changes(
    components: Mapping[UUID, tuple[UUID, ...]],
    *,
    before: Mapping[UUID, UUID],
    rows: Mapping[UUID, Standing],
    effective: Mapping[UUID, Mapping[str, Any]],
    search: Mapping[UUID, str] = MappingProxyType({}),
) -> list[Change]:
    """The rows to write, by id. Nothing when nothing changed, so recomputing twice is safe.

    ``before``: every handle's profile as it was; ``rows``: the rows there are; ``effective``: head → values that count now;
    ``search``: head → the words they are found by.
    """
    written: list[Change] = []
    were: defaultdict[UUID, set[UUID]] = defaultdict(set)
    for handle_id, profile in before.items():
        were[profile].add(handle_id)
    for head, members in components.items():
        written += _of_component(head, members, before, were[head], rows, effective.get(head, {}), search.get(head, ""))
    return sorted(written, key=lambda change: change.id)


def _of_component(
    head: UUID,
    members: tuple[UUID, ...],
    before: Mapping[UUID, UUID],
    was: Collection[UUID],
    rows: Mapping[UUID, Standing],
    effective: Mapping[str, Any],
    search: str,
) -> list[Change]:
    row = rows.get(head)
    absorbed = [
        handle_id for handle_id in members if handle_id != head and handle_id in rows and rows[handle_id].merged_into is None
    ]
    moved = [
        handle_id
        for handle_id in members
        if handle_id != head and handle_id in rows and rows[handle_id].merged_into not in (None, head)
    ]
    version = row.version + 1 if row is not None else 1
    happenings: list[Happening] = []
    if row is None and any(before[handle_id] not in members for handle_id in members):
        happenings.append(
            Happening(type="profile.unmerged", data={"from": sorted({str(before[handle_id]) for handle_id in members})})
        )
    elif row is None and not absorbed:
        happenings.append(Happening(type="profile.created"))
    elif row is not None and row.merged_into is not None:
        happenings.append(Happening(type="profile.unmerged", data={"from": [str(row.merged_into)]}))
    if absorbed:
        happenings.append(Happening(type="profile.merged", data={"from": [str(handle_id) for handle_id in absorbed]}))
    if row is not None and not happenings:
        what = [
            name
            for name, different in (
                ("handles", was != set(members)),
                ("attributes", row.effective != effective),
                ("name", was == set(members) and row.effective == effective and row.search != search),
            )
            if different
        ]
        if not what and not moved:
            return []
        if what:
            happenings.append(Happening(type="profile.changed", data={"what": what}))
    measures = {"version": version, "handles": len(members)}
    own = Change(
        id=head, version=version, merged_into=None, effective=effective, search=search,
        happenings=tuple(Happening(type=h.type, data={**measures, **h.data}) for h in happenings),
        what=_what(happenings, row.effective if row is not None else {}, effective),
    )  # fmt: skip
    gone = [
        Change(id=handle_id, version=rows[handle_id].version + 1, merged_into=head, effective={}, what={"into": str(head)})
        for handle_id in (*absorbed, *moved)
    ]
    return [own, *gone]


def _what(happenings: list[Happening], before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {"types": [happening.type for happening in happenings]}
    for happening in happenings:
        said.update(happening.data)
    attributes = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    return {**said, **({"attributes": attributes} if attributes else {})}
