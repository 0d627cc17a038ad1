"""What aliases of a YAML file stand for is bounded, wherever one is read, and the line that is too much is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.cli.deadline import _given
from services.cli.simulation_files import read_document
from services.client.policy_file import read_policy_file
from services.client.workspace_file import read_workspace_file
from services.client.yaml_text import ALIASED_MAX, BoundedLoader, PlainLoader, read_yaml
from shared.errors import InputRejected, Unprocessable

NESTED = "a: &a [1, 2]\nb: &b [*a, *a]\nc: [*b, *b]\n"
"""Its aliases stand for twice 3 values and twice 7."""
READERS: dict[str, Callable[[Path], Any]] = {
    "workspace": read_workspace_file,
    "policy": read_policy_file,
    "simulation": read_document,
    "calendar": lambda path: _given(str(path)),
}


@pytest.mark.parametrize("loader", [BoundedLoader, PlainLoader])
def test_what_aliases_stand_for_is_counted(monkeypatch: pytest.MonkeyPatch, loader: type[BoundedLoader]) -> None:
    assert loader.aliased_max == ALIASED_MAX
    monkeypatch.setattr(loader, "aliased_max", 20)
    assert read_yaml(NESTED, source="x", loader=loader).document["c"] == [[[1, 2], [1, 2]]] * 2
    assert len(read_yaml("- 1\n" * 50, source="x", loader=loader).document) == 50
    monkeypatch.setattr(loader, "aliased_max", 19)
    with pytest.raises(Unprocessable, match="stand for more than 19 values") as refused:
        read_yaml(NESTED, source="x.yaml", loader=loader)
    assert (refused.value.field, bool(refused.value.remedy)) == ("x.yaml:3", True)


def test_what_merges_into_a_mapping_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  z: 3\n"
    assert read_yaml(text, source="x").document["b"] == {"x": 1, "y": 2, "z": 3}
    monkeypatch.setattr(BoundedLoader, "aliased_max", 4)
    with pytest.raises(Unprocessable) as refused:
        read_yaml(text, source="x.yaml")
    assert refused.value.field == "x.yaml:3"


@pytest.mark.parametrize("reader", READERS)
def test_each_reader_of_yaml_names_the_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: str) -> None:
    monkeypatch.setattr(BoundedLoader, "aliased_max", 19)
    path = tmp_path / "given.yaml"
    for text, line in ((NESTED, 3), ("x: 1\na: &a [*a]\n", 2)):
        path.write_text(text)
        with pytest.raises(InputRejected) as refused:
            READERS[reader](path)
        said = f"{refused.value.field} {refused.value.message}"
        assert f"given.yaml:{line} " in said or f"line {line}," in said
        assert "alias" in said
