"""SECURITY.md names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| (S\d+) \| [^|]+ \| (.+) \|$", re.MULTILINE)


def rows() -> list[tuple[str, str]]:
    return ROW.findall((ROOT / "SECURITY.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("convention", "proofs"), rows(), ids=[convention for convention, _ in rows()])
def test_what_is_said_to_be_proven_has_its_test(convention: str, proofs: str) -> None:
    named = re.findall(r"`([^`]+)`", proofs)
    assert named, convention
    for one in named:
        path, _, name = one.partition("::")
        assert (ROOT / path).is_file(), one
        if name:
            assert re.search(rf"def {name}\(", (ROOT / path).read_text(encoding="utf-8")), one


def test_every_convention_is_proven_or_said_not_to_be() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    missing = re.findall(r"S\d+", text.partition("has no test of this kind yet:")[2])
    proven = [convention for convention, _ in rows()]
    assert sorted([*proven, *missing], key=lambda one: int(one[1:])) == [f"S{number}" for number in range(1, 35)]
