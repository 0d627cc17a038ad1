"""Which column of a customer list is what: `target=column`, or understood from the column's name. Pure.

Targets: a kind of handle (`external_id`, `email`, `phone`, `psid/page-42` with its scope), `name`, `given_name` and `family_name`
(together the name), `birth_year`, `birth_month` and `birth_day` (together `trait.date_of_birth`), `trait.NAME`, `json.NAME` (a cell of
JSON), `consent.PURPOSE.CHANNEL` (yes or no). The same target may stand for several columns, but for those of the date. An export names
its columns by their targets, so it is read again without a mapping.

**Identity** of a mapping: its targets and columns in order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from profiles.matching.columns import folded_column, guessed_fields, parts_of
from profiles.matching.split_dates import TARGETS, Part, split_date
from shared.errors import InputRejected
from shared.handle import KINDS

_IDS: Final = frozenset({
    "externalid", "customerid", "customerno", "customernumber", "clientid", "crmid", "id", "musterino", "musteriid", "musterinumarasi",
    "carikod",
})  # fmt: skip
_NUMBERED: Final = re.compile(r"(.+?)_\d+")
_TRAIT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_YES: Final = frozenset({"1", "yes", "y", "true", "t", "evet", "e", "granted", "opt-in", "var"})
_NO: Final = frozenset({"0", "no", "n", "false", "f", "hayır", "hayir", "h", "denied", "opt-out", "yok"})
_BORN: Final = "date_of_birth"
_NAMES: Final = ("name", "given_name", "family_name")
_REMEDY: Final = (
    "email=COLUMN, external_id=COLUMN, name=COLUMN, birth_year=COLUMN, trait.NAME=COLUMN, consent.PURPOSE.CHANNEL=COLUMN"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportMapping:
    """Pairs of target and column; ``ignored`` columns are left out."""

    pairs: tuple[tuple[str, str], ...]
    ignored: tuple[str, ...] = ()

    def row(self, number: int, values: Mapping[str, Any]) -> dict[str, Any]:
        """The row as the API takes it; empty cells say nothing. Raises `InputRejected` naming the column."""
        handles: list[dict[str, str]] = []
        traits: dict[str, Any] = {}
        consents: list[dict[str, Any]] = []
        names: dict[str, str] = {}
        born: dict[Part, tuple[str, str]] = {}
        for target, column in self.pairs:
            value = values.get(column)
            if value is None or value == "":
                continue
            head, _, rest = target.partition(".")
            if target in _NAMES:
                names[target] = str(value)
            elif target in TARGETS:
                born[TARGETS[target]] = (column, str(value))
            elif head == "trait":
                traits[rest] = value
            elif head == "json":
                traits[rest] = _json(str(value), column)
            elif head == "consent":
                purpose, _, channel = rest.partition(".")
                consents.append({"purpose": purpose, "channel": channel, "granted": _said(value, column)})
            else:
                kind, _, scope = target.partition("/")
                handles.append({"kind": kind, "scope": scope, "value": str(value), "field": column})
        if born:
            traits.setdefault(_BORN, _date(born, {TARGETS[target]: column for target, column in self.pairs if target in TARGETS}))
        name = names.get("name") or " ".join(names[one] for one in _NAMES[1:] if one in names)
        return {"row": number, "handles": handles, "name": name, "traits": traits, "consents": consents}


def import_mapping(maps: Sequence[str], columns: Sequence[str]) -> ImportMapping:
    """The mapping given, or the one that the columns' names give. Raises `InputRejected` naming the pair."""
    if maps:
        pairs = tuple(_pair(given, columns) for given in maps)
        _whole(pairs)
    else:
        pairs = _guesses(columns)
    if not any(_is_handle(target) for target, _ in pairs):
        raise InputRejected("no column is a handle", field="--map", remedy=_REMEDY)
    mapped = {column for _, column in pairs}
    return ImportMapping(pairs=pairs, ignored=tuple(column for column in columns if column not in mapped))


def _pair(given: str, columns: Sequence[str]) -> tuple[str, str]:
    target, equals, column = given.partition("=")
    if not equals:
        raise InputRejected(f"{given!r} is no pair", field="--map", remedy=_REMEDY)
    if column not in columns:
        raise InputRejected(f"there is no column {column!r}", field="--map", remedy=f"one of {', '.join(columns[:40])}")
    if not _is_target(target):
        raise InputRejected(f"{target!r} is nothing a column can be", field="--map", remedy=_REMEDY)
    return target, column


def _whole(pairs: Sequence[tuple[str, str]]) -> None:
    """Raises `InputRejected` where a date in several columns lacks one of them, or has two, or is in one column too."""
    given = [target for target, _ in pairs if target in TARGETS]
    if given and f"trait.{_BORN}" in dict(pairs):
        raise InputRejected(
            f"{_BORN} is in one column and in several", field="--map", remedy=f"leave out {', '.join(given)}, or trait.{_BORN}"
        )
    for target in TARGETS if given else ():
        if given.count(target) != 1:
            said = "is missing" if target not in given else "is given twice"
            raise InputRejected(f"{target} {said}", field="--map", remedy="one column for each of " + ", ".join(TARGETS))


def _guesses(columns: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """What the names say. A date in three columns is one, unless a column has all of it; other parts of one are attributes."""
    parts = dict(parts_of(columns))
    targets = {column: _guessed(column) for column in columns if column not in parts.values()}
    split = {parts[part]: target for target, part in TARGETS.items() if part in parts}
    if len(split) == len(TARGETS) and not any(one.kind == "date" for one in guessed_fields(list(targets))):
        targets |= split
    for part, column in parts.items():
        if part != "age" and column not in targets and _TRAIT.fullmatch(_trait_name(column)):
            targets[column] = f"trait.{_trait_name(column)}"
    return tuple((target, column) for column in columns if (target := targets.get(column)) is not None)


def _guessed(column: str) -> str | None:
    numbered = _NUMBERED.fullmatch(column)
    for plain in (column, numbered[1] if numbered else column):
        if _is_target(plain):
            return plain
    if folded_column(column) in _IDS:
        return "external_id"
    found = guessed_fields([column])
    kind = found[0].kind if found else None
    if kind in ("email", "phone", "name", "given_name", "family_name"):
        return kind
    trait = _trait_name(column)
    return f"trait.{trait}" if kind is not None and _TRAIT.fullmatch(trait) else None


def _trait_name(column: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "_", column).strip("_").lower()


def _date(born: Mapping[Part, tuple[str, str]], columns: Mapping[Part, str]) -> str:
    """The date of birth that a row's cells say, ISO 8601. Raises `InputRejected` naming the column."""
    for part, column in columns.items():
        if part not in born:
            raise InputRejected(
                "the date of birth is not whole", field=column, remedy=f"give the {part}, or leave all its cells empty"
            )
    form = split_date({part: text for part, (_, text) in born.items()})
    try:
        return datetime.strptime(form, "%Y%m%d").date().isoformat()  # noqa: DTZ007  a day has no zone
    except ValueError as error:
        told = ", ".join(f"{column} {text[:20]!r}" for column, text in born.values())
        raise InputRejected(
            f"no day of the calendar: {told}", field=born["day"][0], remedy="a year, a month (1 to 12 or its name) and a day"
        ) from error


def _is_handle(target: str) -> bool:
    return target.partition("/")[0] in KINDS


def _is_target(target: str) -> bool:
    head, _, rest = target.partition(".")
    if head in ("trait", "json"):
        return _TRAIT.fullmatch(rest) is not None
    if head == "consent":
        return rest.count(".") == 1
    return target in _NAMES or target in TARGETS or _is_handle(target)


def _json(text: str, column: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InputRejected(f"not JSON: {error}", field=column, remedy="a cell of JSON, or map it as trait.NAME") from error


def _said(value: Any, column: str) -> bool:
    said = str(value).strip().lower()
    if said in _YES or said in _NO:
        return said in _YES
    raise InputRejected(
        f"{str(value)[:40]!r} is neither yes nor no", field=column, remedy="yes or no, evet or hayır, 1 or 0, or empty"
    )
