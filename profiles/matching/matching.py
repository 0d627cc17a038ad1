"""Are two records the same person? A weight of evidence, summed over the fields both have. Pure.

The weight of a field is log2(m / u) of the level its two values reach; equal values that many people share weigh less than rare
ones. Fields that say the same thing twice (street, city, postcode) count in full for the strongest and in part for the others.
The sum starts at the odds that any two records are the same person, so a weight of 0 is an even chance.

**Units**: weights in bits; a probability is 2^w / (1 + 2^w). **Identity**: a pair has no order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from profiles.matching.levels import LEVELS, MISSING, SWAPPED, Level, level_of, swapped
from profiles.matching.split_dates import Parts, fuller, split_date
from profiles.matching.values import Kind, compared

Record: TypeAlias = tuple[str, ...]
WEIGHT_MAX: Final = 24.0
SHARE_OF_REST: Final = 0.6
YEAR_WEIGHT_MAX: Final = 6.0  # two people of some seventy years have one in common that often
_GROUPS: Final[Mapping[str, str]] = {
    "address": "where", "place": "where", "postcode": "where", "number": "where", "category": "", "given_name": "", "family_name": "",
    "name": "",
}  # fmt: skip
_TELLING: Final = frozenset({"given_name", "family_name", "name", "place", "category", "date", "company", "postcode", "number"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a record and how it is compared. ``group`` holds fields that repeat each other; empty stands alone.

    ``parts``: columns that say a part of the same date; where all of it is in parts, no column has the field's name.
    """

    name: str
    kind: Kind
    group: str = ""
    parts: Parts = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that the value may come from."""
        return (self.name, *(column for _, column in self.parts))

    def form(self, values: Mapping[str, str | None]) -> str:
        """The compared form of a record's value: of a date and its parts whichever says more."""
        own = compared(self.kind, values.get(self.name))
        if not self.parts:
            return own
        return fuller(own, split_date({part: values.get(column) or "" for part, column in self.parts}))


class Evidence(NamedTuple):
    """What one field says: the level reached and its weight. No value of anybody is in it."""

    field: str
    level: str
    weight: float


class Weighed(NamedTuple):
    """The verdict on a pair."""

    weight: float
    evidence: tuple[Evidence, ...]

    @property
    def probability(self) -> float:
        """Between 0 and 1."""
        return probability(self.weight)


def probability(weight: float) -> float:
    """The probability a weight stands for."""
    return 1.0 / (1.0 + math.exp2(-max(-500.0, min(500.0, weight))))


def field_of(name: str, kind: Kind) -> Field:
    """A field with the group its kind belongs to."""
    return Field(name=name, kind=kind, group=_GROUPS.get(kind, ""))


def record_of(fields: Sequence[Field], values: Mapping[str, str | None]) -> Record:
    """The compared forms of a record's values, in the order of the fields."""
    return tuple(one.form(values) for one in fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frequencies:
    """How often values and words occur among ``records`` records; without them every value is as telling as its kind."""

    records: int
    values: tuple[Mapping[str, int], ...]
    words: tuple[Mapping[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Fields with the weight of each level. ``prior``: the weight before anything is compared."""

    fields: tuple[Field, ...]
    weights: tuple[tuple[float, ...], ...]
    prior: float
    m: tuple[tuple[float, ...], ...]
    u: tuple[tuple[float, ...], ...]
    frequencies: Frequencies | None = None
    _places: Mapping[str, int] = field(default_factory=dict)

    def levels(self, one: Record, other: Record) -> tuple[int, ...]:
        """The level of each field."""
        found = [
            level_of(spec.kind, one[place], other[place], self.rarity(place) if spec.kind in _WORDY else None)
            for place, spec in enumerate(self.fields)
        ]
        given, family = self._places.get("given_name"), self._places.get("family_name")
        if given is not None and family is not None and found[given] < 2 and found[family] < 2:
            parts = (one[given], other[given], one[family], other[family])
            if all(parts) and swapped((one[given], other[given]), (one[family], other[family])):
                found[given] = found[family] = SWAPPED
        return tuple(found)

    def levels_of(self, place: int) -> tuple[Level, ...]:
        """The levels a field can reach, the least alike first."""
        return LEVELS[self.fields[place].kind]

    def rarity(self, place: int) -> _Rarity | None:
        """How much a word of this field says."""
        known = self.frequencies
        return None if known is None else _Rarity(known.words[place], known.records)

    def weight_of(self, place: int, level: int, value: str) -> float:
        """The weight of one field's level; for equal values that of this value."""
        if level == MISSING:
            return 0.0
        weights = self.weights[place]
        if self.fields[place].kind == "date" and value.endswith("0000") and level == len(weights) - 1:
            return min(weights[level], YEAR_WEIGHT_MAX)
        if level < len(weights) - 1 or self.frequencies is None or self.fields[place].kind not in _TELLING:
            return weights[level]
        share = self.frequencies.values[place].get(value, 1) / self.frequencies.records
        here = math.log2(self.m[place][-1] / max(share, 1.5 / self.frequencies.records))
        # A value may be rarer or commoner than its field's average, but it is one observation: half way to its own share.
        return min(WEIGHT_MAX, 0.5 * (weights[level] + here))

    def weigh(self, one: Record, other: Record, levels: Sequence[int] | None = None) -> Weighed:
        """The weight of a pair with what each field adds; fields that one of them lacks say nothing."""
        reached = self.levels(one, other) if levels is None else levels
        said = [
            (spec, level, self.weight_of(place, level, one[place]))
            for place, (spec, level) in enumerate(zip(self.fields, reached, strict=True))
            if level != MISSING
        ]
        strongest: dict[str, float] = {}
        for spec, _, weight in said:
            if spec.group and weight > 0:
                strongest[spec.group] = max(weight, strongest.get(spec.group, 0.0))
        total, evidence = self.prior, []
        for spec, level, weight in said:
            if spec.group and 0 < weight < strongest[spec.group]:
                weight *= SHARE_OF_REST
            total += weight
            evidence.append(Evidence(spec.name, LEVELS[spec.kind][level].name, round(weight, 2)))
        return Weighed(total, tuple(evidence))


class _Rarity:
    __slots__ = ("_most", "_words")

    def __init__(self, words: Mapping[str, int], records: int) -> None:
        self._words = words
        self._most = math.log(records + 1)

    def __call__(self, word: str) -> float:
        return max(0.2, self._most - math.log(self._words.get(word, 1)))


_WORDY: Final = frozenset({"name", "address", "company", "text"})


def default_model(fields: Sequence[Field], *, records: int = 10_000) -> Model:
    """The model nothing was measured for: assumed chances, and one expected duplicate per record among ``records``."""
    return made_model(
        fields,
        m=[tuple(level.m for level in LEVELS[spec.kind]) for spec in fields],
        u=[tuple(level.u for level in LEVELS[spec.kind]) for spec in fields],
        prior=-math.log2(max(records, 2)),
    )


def made_model(
    fields: Sequence[Field],
    *,
    m: Sequence[Sequence[float]],
    u: Sequence[Sequence[float]],
    prior: float,
    frequencies: Frequencies | None = None,
) -> Model:
    """A model from chances per field and level."""
    return Model(
        fields=tuple(fields),
        weights=tuple(
            tuple(max(-WEIGHT_MAX, min(WEIGHT_MAX, math.log2(a / b))) for a, b in zip(yes, no, strict=True))
            for yes, no in zip(m, u, strict=True)
        ),
        prior=prior,
        m=tuple(tuple(chances) for chances in m),
        u=tuple(tuple(chances) for chances in u),
        frequencies=frequencies,
        _places={spec.kind: place for place, spec in reversed(list(enumerate(fields)))},
    )
