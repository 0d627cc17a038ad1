"""A company's own numbers as they are compared, whoever wrote them how. Pure.

**Identity**: the number in international form; where it cannot be read, its digits without zeros before them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from shared.callers import is_withheld
from shared.errors import InputRejected
from shared.handle import normalized


def own_numbers(numbers: Iterable[str], *, region: str | None) -> frozenset[str]:
    """A company's numbers as they are compared; what is no number is left out."""
    return frozenset(_comparable(one, region) for one in numbers if "@" not in one and not is_withheld(one))


def is_own(number: str, own: Collection[str], *, region: str | None) -> bool:
    """Whether a number, however it is written, is one of these `own_numbers`."""
    return bool(own) and _comparable(number, region) in own


def _comparable(number: str, region: str | None) -> str:
    try:
        return normalized("phone", number, region=region).value
    except InputRejected:
        return "".join(character for character in number if character.isdigit()).lstrip("0")
