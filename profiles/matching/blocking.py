"""Which pairs are worth comparing: records that share something telling. Pure.

Every record yields keys (a name's sound, a number's last digits, single words, and combinations of what is common alone); a key that
too many records share says nothing and is passed over. A record is compared with the few others it shares most with, weighed by
how rare the shared keys are. So the work grows with the records, not with their square.

**Identity** of a key: kind of field, and a digest-free short text. The same records give the same pairs in any order.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from profiles.matching.matching import Field, Record
from profiles.matching.values import email_parts

BLOCK_MAX = 60
NEIGHBOURS_MAX = 25
_CODES = str.maketrans(
    {
        **dict.fromkeys("bfpv", "1"), **dict.fromkeys("cgjkqsxz", "2"), **dict.fromkeys("dt", "3"), "l": "4",
        **dict.fromkeys("mn", "5"), "r": "6",
    }
)  # fmt: skip


def sound(word: str) -> str:
    """How a name sounds, roughly: its first letter and the classes of its consonants (Soundex, US Census), four signs."""
    if not word:
        return ""
    code, last = word[0], ""
    for c in word.translate(_CODES)[1:]:
        if c.isdigit() and c != last:
            code += c
        last = c if c not in "hw" else last
        if len(code) == 4:
            break
    return code


def keys_of(fields: Sequence[Field], record: Record) -> set[str]:
    """The keys of a record."""
    keys: set[str] = set()
    weak: list[str] = []
    for spec, value in zip(fields, record, strict=True):
        if value:
            strong, common = _keys(spec, value)
            keys.update(strong)
            weak += common
    # What many share alone is telling in twos: a family's sound with a year, a street's word with a postcode.
    weak = sorted(set(weak))[:14]
    keys.update(f"{one}&{other}" for place, one in enumerate(weak) for other in weak[place + 1 :])
    return keys


def _keys(spec: Field, value: str) -> tuple[list[str], list[str]]:
    kind = spec.kind
    if kind in ("given_name", "family_name"):
        # Both under one word, because people and forms exchange them.
        words = value.split()
        return [f"n:{word}" for word in words], [f"s:{sound(word)}" for word in words[:2]]
    if kind == "date":
        common = [f"y:{value[:4]}", f"md:{value[4:]}"] if len(value) == 8 else []
        return [f"d:{value}"], [key for key in common if key != "md:0000"]
    if kind == "email":
        local, _ = email_parts(value)
        return [f"e:{value}", f"l:{local}"], []
    if kind == "phone":
        return [f"p:{value[-7:]}", f"p:{value[:-1]}"], []
    if kind == "identifier":
        return [f"i:{value}", f"i<{value[: len(value) // 2]}", f"i>{value[len(value) // 2 :]}"], []
    if kind in ("postcode", "place"):
        return [f"{spec.name}:{value}"], [f"{spec.name}:{value}"]
    if kind == "category":
        return [], []
    if kind in ("number", "amount"):
        return [], [f"{spec.name}:{value}"]
    words = value.split()
    strong = [f"{spec.name}:{word}" for word in words if len(word) > 1]
    strong += [f"{spec.name}<{word[:5]}" for word in words if len(word) > 6]
    return strong, [f"{spec.name}:{word}" for word in words[:4]] if kind in ("address", "name", "company") else []


def candidates(
    fields: Sequence[Field],
    records: Sequence[Record],
    *,
    sources: Sequence[int] | None = None,
    block_max: int = BLOCK_MAX,
    neighbours_max: int = NEIGHBOURS_MAX,
) -> Iterator[tuple[int, int]]:
    """Pairs of places, the smaller first, each once. With ``sources`` only pairs of records from different ones."""
    counts: Counter[str] = Counter()
    for record in records:
        counts.update(keys_of(fields, record))
    kept = {key for key, count in counts.items() if 1 < count <= block_max}
    say = math.log(len(records) + 1)
    blocks: dict[str, list[int]] = {}
    for place, record in enumerate(records):
        shared: Counter[int] = Counter()
        for key in sorted(keys_of(fields, record) & kept):
            block = blocks.setdefault(key, [])
            weight = say - math.log(counts[key])
            for other in block:
                shared[other] += weight  # type: ignore[assignment]  # a Counter adds any number
            block.append(place)
        others = ((other, weight) for other, weight in shared.items() if sources is None or sources[other] != sources[place])
        best = sorted(others, key=lambda pair: (-pair[1], pair[0]))[:neighbours_max]
        for other, _ in best:
            yield other, place


def kept_keys(fields: Sequence[Field], record: Record) -> set[str]:
    """The few keys of a record that are worth keeping: a name's sounds together, or one of them with something exact.

    So two slips at once, in a name and in an address, still meet at the birth date, the number or the postcode.
    """
    values: dict[str, list[str]] = {}
    for spec, value in zip(fields, record, strict=True):
        if value:
            values.setdefault(spec.kind, []).append(value)
    words = [word for kind in ("given_name", "family_name", "name") for value in values.get(kind, ()) for word in value.split()]
    sounds = sorted({sound(word) for word in words if len(word) > 1})[:3]
    exact = [f"d{value}" for value in values.get("date", ()) if len(value) == 8]
    exact += [f"p{value[-4:]}" for value in values.get("phone", ()) if len(value) >= 7]
    exact += [f"c{value}" for kind in ("postcode", "identifier") for value in values.get(kind, ())]
    exact += [f"e{sound(email_parts(value)[0])}" for value in values.get("email", ())]
    keys = {f"{one}&{other}" for place, one in enumerate(sounds) for other in sounds[place + 1 :]}
    keys |= {f"{one}&{said}" for one in sounds for said in exact[:6]}
    keys |= {f"i{value}" for value in values.get("identifier", ())}
    for value in values.get("phone", ()):
        keys |= {f"p{value[-7:]}", f"p{value[:-1]}"}
    addresses = [word for value in values.get("address", ()) for word in value.split()[:3] if len(word) > 2]
    keys |= {f"{said}&a{word}" for said in exact[:4] for word in addresses}
    return keys
