"""Rows of a customer list as they are given, and the people understood from them, or why a row cannot be. Pure.

A row is one customer: handles, a name, attributes, statements of consent. It is taken whole or not at all, so a row that was repaired
can simply be given again. A handle that stands for nobody, two customer ids in one row, or the customer id of an earlier row of the
same chunk are errors of that row alone.

**Identity** of a row: its number in the file, from 1. **Units**: none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from profiles.attribute import unfit
from profiles.blocked import blocked_reason
from profiles.partition import DEFAULT_RULES
from shared.errors import InputRejected
from shared.handle import Handle, normalized
from shared.text import clean_line

ROWS_MAX: Final = 5000
HANDLES_MAX: Final = 20
TRAITS_MAX: Final = 1000
_NAME_CHARS_MAX: Final = 500
_ATTRIBUTE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")


class GivenHandle(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A handle as written in the list; ``field`` is the column it came from."""

    kind: str
    value: str
    scope: str = ""
    field: str = ""


class GivenConsent(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A statement the list carries; it was not made here, so it only narrows."""

    purpose: str
    channel: str
    granted: bool


class GivenRow(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One row."""

    row: int
    handles: list[GivenHandle]
    name: str = ""
    traits: dict[str, Any] = {}
    consents: list[GivenConsent] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A row understood: ``hub`` is the handle the others hang on, the customer id where there is one."""

    row: int
    hub: Handle
    handles: tuple[Handle, ...]
    raws: tuple[str, ...]
    name: str
    traits: Mapping[str, Any] = field(default_factory=dict)
    consents: tuple[GivenConsent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRow:
    """Why a row was left out; ``field`` is the column."""

    row: int
    field: str
    reason: str
    remedy: str


def understood(
    rows: Sequence[GivenRow], *, region: str | None, own: Collection[Handle] = ()
) -> tuple[list[Person], list[RejectedRow]]:
    """The people, and the rows that are none. ``region`` is for numbers without a country; ``own``: the workspace's addresses."""
    people: list[Person] = []
    rejected: list[RejectedRow] = []
    seen: dict[Handle, int] = {}
    for given in rows:
        try:
            person = _person(given, region, own)
        except InputRejected as error:
            rejected.append(
                RejectedRow(row=given.row, field=error.field or "", reason=error.message, remedy=error.remedy or "repair the row")
            )
            continue
        first = seen.setdefault(person.hub, given.row)
        if first != given.row:
            rejected.append(
                RejectedRow(row=given.row, field=person.hub.kind, reason=f"row {first} has the same {person.hub.kind}", remedy="keep one of them")
            )  # fmt: skip
            continue
        people.append(person)
    return people, rejected


def _person(given: GivenRow, region: str | None, own: Collection[Handle]) -> Person:
    found: dict[Handle, str] = {}
    unique: dict[tuple[str, str], str] = {}
    for one in given.handles:
        column = one.field or one.kind
        handle = _handle(one, column, region)
        why = blocked_reason(handle.kind, handle.value, handle.scope) or ("own" if handle in own else None)
        if why is not None:
            raise InputRejected(f"this stands for nobody ({why.replace('_', ' ')})", field=column, remedy="leave the cell empty")
        one_value = unique.setdefault((handle.kind, handle.scope), handle.value)
        if handle.kind in DEFAULT_RULES.immutable_unique and one_value != handle.value:
            raise InputRejected("two customer ids in one row", field=column, remedy="one row for each customer")
        found.setdefault(handle, one.value)
    if not found:
        raise InputRejected("no handle", field="handles", remedy="a customer id, an address or a number")
    if len(found) > HANDLES_MAX:
        raise InputRejected(f"{len(found)} handles", field="handles", remedy=f"at most {HANDLES_MAX}")
    hub = next((handle for handle in found if handle.kind in DEFAULT_RULES.immutable_unique), next(iter(found)))
    for said in given.consents:
        if not _WORD.fullmatch(said.purpose) or not _WORD.fullmatch(said.channel):
            raise InputRejected(
                "not a purpose and a channel", field=f"consent.{said.purpose}.{said.channel}", remedy="like consent.marketing.email"
            )
    return Person(
        row=given.row, hub=hub, handles=tuple(found), raws=tuple(found.values()), name=clean_line(given.name)[:_NAME_CHARS_MAX],
        traits=_traits(given.traits), consents=tuple(given.consents),
    )  # fmt: skip


def _handle(given: GivenHandle, column: str, region: str | None) -> Handle:
    try:
        return normalized(given.kind, given.value, scope=given.scope, region=region)
    except InputRejected as error:
        raise InputRejected(error.message, field=column, remedy=error.remedy) from error


def _traits(given: Mapping[str, Any]) -> dict[str, Any]:
    if len(given) > TRAITS_MAX:
        raise InputRejected(f"{len(given)} attributes", field="traits", remedy=f"at most {TRAITS_MAX}")
    kept = {}
    for name, value in given.items():
        if not _ATTRIBUTE.fullmatch(name):
            raise InputRejected("not a name of an attribute", field=name[:80], remedy="letters, digits and _, at most 64")
        if isinstance(value, str):
            value = value.replace("\x00", "")
        if (why := unfit(value)) is not None:
            raise InputRejected(why[0], field=name, remedy=why[1])
        if value is not None and value != "":
            kept[name] = value
    return kept
