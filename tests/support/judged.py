"""Values that were judged against right ones: counted, shown, compared with a floor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One right value of one file, and what our reader found."""

    kind: str
    file: str
    source: str
    field: str
    expected: object
    found: object
    right: bool


@cache
def entries(folder: Path) -> list[dict[str, Any]]:
    """The right values of one kind's files."""
    found = yaml.safe_load((folder / "expected.yaml").read_text(encoding="utf-8"))
    assert isinstance(found, list)
    return found


def table(judged: Sequence[Judged]) -> str:
    """Right of all, for each kind and each of its fields."""
    rows: dict[tuple[str, str], list[bool]] = {}
    for one in judged:
        rows.setdefault((one.kind, ""), []).append(one.right)
        rows.setdefault((one.kind, one.field), []).append(one.right)
    lines = []
    for (kind, field), right in rows.items():
        label = f"  {field}" if field else kind
        lines.append(f"{label:<24}{sum(right):>6} of {len(right):>4}  {sum(right) / len(right):7.1%}")
    return "\n".join(lines)


def wrong(judged: Sequence[Judged]) -> str:
    """Every wrong value with the file, its source, what is right and what was found."""
    return "\n\n".join(
        f"{one.kind}/{one.file}: {one.field}\n  source    {one.source}\n  expected  {one.expected!r}\n  found     {_short(one.found)}"
        for one in judged
        if not one.right
    )


def _short(found: object) -> str:
    return repr(found[:400] if isinstance(found, str) else found)


def right_values(judged: Sequence[Judged]) -> dict[str, int]:
    """How many values of each kind are right."""
    counts: dict[str, int] = {}
    for one in judged:
        counts[one.kind] = counts.get(one.kind, 0) + one.right
    return counts


def below(counts: Mapping[str, int], floor: Mapping[str, int]) -> list[str]:
    """The kinds that have fallen below their floor, in words."""
    return [f"{kind}: {counts[kind]} right, {floor[kind]} before" for kind in counts if counts[kind] < floor.get(kind, 0)]
