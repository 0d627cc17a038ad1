"""How alike two compared values are, in a few levels per kind of field, each with the chances that make its weight. Pure.

``m``: how often values of one person's two records reach the level; ``u``: how often those of two people do. Both are
what is assumed until they are measured on the records at hand. A level's index grows with likeness; 0 is *different*.

Source: Fellegi and Sunter, "A Theory for Record Linkage" (1969); Winkler's string comparator (1990) through rapidfuzz.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from rapidfuzz.distance import OSA, JaroWinkler

from profiles.matching.values import Kind, email_parts

MISSING: Final = -1
Rarity = Callable[[str], float]


class Level(NamedTuple):
    """One level of likeness."""

    name: str
    m: float
    u: float


_NAME: Final = (
    Level("different", 0.06, 0.965), Level("similar", 0.07, 0.02), Level("close", 0.10, 0.006), Level("swapped", 0.03, 0.001),
    Level("equal", 0.74, 0.008),
)  # fmt: skip
_TEXT: Final = (
    Level("different", 0.06, 0.90), Level("little", 0.08, 0.06), Level("half", 0.12, 0.03), Level("much", 0.16, 0.008),
    Level("nearly all", 0.13, 0.001), Level("equal", 0.45, 0.001),
)  # fmt: skip
LEVELS: Final[Mapping[Kind, tuple[Level, ...]]] = {
    "given_name": _NAME,
    "family_name": _NAME,
    "name": _TEXT,
    "date": (
        Level("different", 0.05, 0.925), Level("same year", 0.02, 0.02), Level("two parts of three", 0.05, 0.05),
        Level("one slip", 0.10, 0.004), Level("equal", 0.78, 0.0005),
    ),
    "email": (
        Level("different", 0.25, 0.9965), Level("similar local part", 0.10, 0.002), Level("same local part", 0.10, 0.0008),
        Level("equal", 0.55, 0.00003),
    ),
    "phone": (
        Level("different", 0.25, 0.998), Level("one digit off", 0.08, 0.0005), Level("same last seven", 0.05, 0.0005),
        Level("equal", 0.62, 0.00005),
    ),
    "identifier": (Level("different", 0.10, 0.9985), Level("one slip", 0.12, 0.0005), Level("equal", 0.78, 0.0002)),
    "postcode": (Level("different", 0.12, 0.96), Level("one slip", 0.12, 0.02), Level("equal", 0.76, 0.02)),
    "place": (Level("different", 0.10, 0.94), Level("similar", 0.12, 0.02), Level("equal", 0.78, 0.04)),
    "category": (Level("different", 0.10, 0.70), Level("equal", 0.90, 0.30)),
    "number": (Level("different", 0.14, 0.94), Level("one slip", 0.12, 0.04), Level("equal", 0.74, 0.02)),
    "amount": (
        Level("different", 0.25, 0.85), Level("within a quarter", 0.15, 0.10), Level("within a twentieth", 0.15, 0.03),
        Level("equal", 0.45, 0.02),
    ),
    "address": _TEXT,
    "company": _TEXT,
    "text": _TEXT,
}  # fmt: skip
_NEARLY: Final = 0.90
_STEPS: Final = (0.30, 0.50, 0.70, _NEARLY)
SWAPPED: Final = 3


def level_of(kind: Kind, one: str, other: str, rarity: Rarity | None = None) -> int:
    """The level two compared values reach; :data:`MISSING` when one is empty. The same for both orders.

    ``rarity`` weighs the words of texts (a rare word says more); without it all count alike.
    """
    if not one or not other:
        return MISSING
    if one == other:
        return len(LEVELS[kind]) - 1
    return _UNEQUAL[kind](one, other, rarity)


def swapped(given: tuple[str, str], family: tuple[str, str]) -> bool:
    """Whether one record has the given name where the other has the family name; the pairs are (this record's, that one's)."""
    here = JaroWinkler.similarity(given[0], family[1])
    there = JaroWinkler.similarity(family[0], given[1])
    return min(here, there) >= 0.85 and here + there >= 1.8


def likeness(one: str, other: str, rarity: Rarity | None = None) -> float:
    """0 to 1: how much of two texts' weight is the same words, forgiving slips in words and other orders of them."""
    left, right = set(one.split()), set(other.split())
    weigh = rarity or _alike
    common = left & right
    shared = sum(weigh(word) ** 2 for word in common)
    rest_left, rest_right = left - common, right - common
    left_norm = shared + sum(weigh(word) ** 2 for word in rest_left)
    right_norm = shared + sum(weigh(word) ** 2 for word in rest_right)
    for word in sorted(rest_left):
        best, best_word = 0.0, ""
        for other_word in rest_right:
            near = _word_likeness(word, other_word)
            if near > best or (near == best and near and other_word < best_word):
                best, best_word = near, other_word
        if best:
            rest_right = rest_right - {best_word}
            shared += best * weigh(word) * weigh(best_word)
    if not left_norm or not right_norm:
        return 0.0
    cosine = shared / (left_norm * right_norm) ** 0.5
    contained = min(1.0, shared / min(left_norm, right_norm))
    return float(min(1.0, 0.6 * cosine + 0.4 * contained))


def _alike(_: str) -> float:
    return 1.0


def _word_likeness(one: str, other: str) -> float:
    if one[0] != other[0] and one[-1] != other[-1]:
        return 0.0
    if len(one) == 1 or len(other) == 1:
        return 0.6 if one[0] == other[0] and one.isalpha() and other.isalpha() else 0.0
    if any(c.isdigit() for c in one) or any(c.isdigit() for c in other):
        return 0.0
    return float(JaroWinkler.similarity(one, other, score_cutoff=0.88))


def _names(one: str, other: str, _: Rarity | None) -> int:
    near = JaroWinkler.similarity(one, other)
    if near >= 0.92 or one.replace(" ", "") == other.replace(" ", ""):
        return 2
    words, others = one.split(), other.split()
    if len(words) != len(others) and (set(words) <= set(others) or set(others) <= set(words)):
        return 2
    if near >= 0.82 or (min(len(one), len(other)) <= 2 and one[0] == other[0]):
        return 1
    return 1 if OSA.distance(one, other, score_cutoff=2) <= (1 if min(len(one), len(other)) < 6 else 2) else 0


def _texts(one: str, other: str, rarity: Rarity | None) -> int:
    near = likeness(one, other, rarity)
    level = sum(near >= step for step in _STEPS)
    if level < 4 and JaroWinkler.similarity(one, other) >= 0.95:
        return 4
    return level


def _dates(one: str, other: str, _: Rarity | None) -> int:
    if len(one) != 8 or len(other) != 8:
        return 3 if OSA.distance(one, other) == 1 else 0
    if "0000" in (one[4:], other[4:]):
        return 2 if one[:4] == other[:4] else 0
    if OSA.distance(one, other, score_cutoff=1) <= 1 or (one[:4] == other[:4] and one[4:6] == other[6:] and one[6:] == other[4:6]):
        return 3
    parts = (one[:4] == other[:4]) + (one[4:6] == other[4:6]) + (one[6:] == other[6:])
    if parts == 2:
        return 2
    return 1 if one[:4] == other[:4] else 0


def _emails(one: str, other: str, _: Rarity | None) -> int:
    local, domain = email_parts(one)
    other_local, other_domain = email_parts(other)
    if local == other_local or (len(local) >= 5 and OSA.distance(one, other, score_cutoff=1) <= 1):
        return 2
    near = JaroWinkler.similarity(local, other_local)
    return 1 if near >= (0.9 if domain == other_domain else 0.94) else 0


def _phones(one: str, other: str, _: Rarity | None) -> int:
    if one[-7:] == other[-7:] and min(len(one), len(other)) >= 7:
        return 2
    return 1 if OSA.distance(one, other, score_cutoff=1) <= 1 else 0


def _slips(one: str, other: str, _: Rarity | None) -> int:
    return 1 if OSA.distance(one, other, score_cutoff=1) <= 1 else 0


def _identifiers(one: str, other: str, _: Rarity | None) -> int:
    return 1 if OSA.distance(one, other, score_cutoff=1) <= 1 and min(len(one), len(other)) >= 4 else 0


def _places(one: str, other: str, _: Rarity | None) -> int:
    if JaroWinkler.similarity(one, other) >= 0.88 or one.replace(" ", "") == other.replace(" ", ""):
        return 1
    words, others = set(one.split()), set(other.split())
    return 1 if words <= others or others <= words else 0


def _amounts(one: str, other: str, _: Rarity | None) -> int:
    try:
        low, high = sorted((abs(float(one)), abs(float(other))))
    except ValueError:
        return 0
    return 0 if not high else 2 if low / high >= 0.95 else 1 if low / high >= 0.75 else 0


def _categories(_: str, __: str, ___: Rarity | None) -> int:
    return 0


_UNEQUAL: Final[Mapping[Kind, Callable[[str, str, Rarity | None], int]]] = {
    "given_name": _names, "family_name": _names, "name": _texts, "date": _dates, "email": _emails, "phone": _phones,
    "identifier": _identifiers, "postcode": _slips, "place": _places, "category": _categories, "number": _slips,
    "amount": _amounts, "address": _texts, "company": _texts, "text": _texts,
}  # fmt: skip
