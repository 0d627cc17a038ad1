"""Tables of scenarios in the docstrings of tests name tests that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TABLES = [
    path
    for folder in ("integration", "unit/router")
    for path in sorted((ROOT / folder).rglob("test_*.py"))
    if "| test |" in (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "")
]


def test_there_are_tables() -> None:
    assert {path.name for path in TABLES} >= {"test_item_rows_queue.py", "test_item_rows_hands.py", "test_item_rows_ends.py"}


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_every_row_has_its_test(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    rows = [line for line in (ast.get_docstring(tree) or "").splitlines() if line.startswith("| ")][1:]
    named = {name for row in rows for name in re.findall(r"\btest_\w+", row.rsplit(" | ", 1)[-1])}
    there = {one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert rows
    assert named
    assert named <= there
    assert all(re.search(r"\btest_\w+", row) for row in rows)
