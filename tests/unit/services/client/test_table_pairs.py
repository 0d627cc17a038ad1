"""`--map` as people write it: pair by pair, or several with commas."""

from __future__ import annotations

import pytest

from services.client.table_file import single_pairs


@pytest.mark.parametrize(
    ("maps", "columns", "pairs"),
    [
        (["email=mail", "name=full"], ["mail", "full"], ("email=mail", "name=full")),
        (["email=mail,name=full", "phone=tel"], ["mail", "full", "tel"], ("email=mail", "name=full", "phone=tel")),
        (["email=mail, name=full"], ["mail", "full"], ("email=mail", "name=full")),
        (["name=last, first"], ["last, first"], ("name=last, first",)),
        (["name=a,b"], ["c"], ("name=a,b",)),
        ([], ["c"], ()),
    ],
)
def test_pairs_of_map(maps: list[str], columns: list[str], pairs: tuple[str, ...]) -> None:
    assert single_pairs(maps, columns) == pairs
