"""Files and functions stay small enough to be read at once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("shared", "profiles", "ingest", "router", "services")
MODULE_LINES_MAX = 400
TEST_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
TREES = {**dict.fromkeys(ROOMS, MODULE_LINES_MAX), "tests": TEST_LINES_MAX}


def sources(tree: str) -> list[Path]:
    return [path for path in sorted((ROOT / tree).rglob("*.py")) if "node_modules" not in path.parts]


def long_functions(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            lines = node.end_lineno - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name} has {lines} lines"


@pytest.mark.parametrize("tree", TREES)
def test_modules_stop_at_their_limit(tree: str) -> None:
    found = sources(tree)
    assert found, f"{tree} has no modules"
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in found}
    assert [f"{path.relative_to(ROOT)}: {count}" for path, count in lines.items() if count > TREES[tree]] == []


@pytest.mark.parametrize("tree", ROOMS)
def test_functions_stop_at_their_limit(tree: str) -> None:
    assert [line for path in sources(tree) for line in long_functions(path)] == []
