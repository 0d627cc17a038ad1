"""The loops in which workspaces stand behind each other: what the source shows of them, and what the page says of each.

Found are functions that call one of `CALLS`, or run a statement that goes over every workspace: one that names them all, or that picks
those which have something due. Who makes a pool of processes that all wait for is one of them (`WorkerProcesses`). What is done for one
workspace names it and is none. Beside them stand the loops that processes run for ever.
**Identity**: the path of a file and the name in it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from tests.support.source_files import Source, source, sources
from tests.support.tables import ROOT

PAGE: Final = ROOT / "docs/inside/shared-loops.md"
CALLS: Final = frozenset({"each_alone", "step_of_each", "follow_all", "drawn_workspace", "WorkerProcesses"})
_PROCESSES: Final = (
    "services/api/process.py",
    "services/courier/process.py",
    "services/gateway/process.py",
    "services/router/process.py",
)
_ALL: Final = re.compile(r"\bfrom santral\.workspace\b(?P<rest>.*)", re.DOTALL)
_ONE: Final = re.compile(r"\b(?:id|name|workspace_id)\s*=\s*(?:any\()?(?:[$:]|\w+\.workspace_id)")
_DISTINCT: Final = re.compile(r"\bselect distinct (?:\w+\.)?workspace_id(?:, [\w.]+)? from santral\.")
_COMMANDS: Final = ("services/cli/", "services/doctor/")
"""Where somebody looks once and waits for it alone."""
_ROW: Final = re.compile(r"^\| (?P<codes>`[^|]+`) \|(?P<worker>[^|]*)\|(?P<cost>[^|]*)\|$", re.MULTILINE)


class Loop(NamedTuple):
    """A row of the page: its functions, and the workers that run it, as process and name; none where it is a part of other loops."""

    codes: frozenset[str]
    workers: frozenset[str]
    cost: str


def said() -> list[Loop]:
    """What the page says."""
    rows = _ROW.finditer(PAGE.read_text(encoding="utf-8"))
    return [
        Loop(
            frozenset(re.findall(r"`([^`]+)`", row["codes"])),
            frozenset(re.findall(r"[a-z]+: [a-z_]+", row["worker"])),
            row["cost"].strip(),
        )
        for row in rows
    ]


def is_over_all(statement: str) -> bool:
    """Whether a statement goes over every workspace."""
    text = " ".join(statement.lower().split())
    named = _ALL.search(text)
    return bool(_DISTINCT.search(text)) or (named is not None and not _ONE.search(named["rest"]))


def found() -> set[str]:
    """The functions that the source shows: ``path:function``."""
    return {f"{file.name}:{name}" for file in sources() if not file.name.startswith(_COMMANDS) for name in _loops(file)}


def _loops(file: Source) -> Iterator[str]:
    shared = {name for name, value in file.constants.items() if _goes_over_all(file, value)}
    for name, function in _functions(file.tree, ""):
        names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
        own = any(_goes_over_all(file, node) for node in ast.walk(function) if isinstance(node, ast.Constant | ast.JoinedStr))
        if own or names & (shared | CALLS):
            yield name


def _goes_over_all(file: Source, node: ast.expr) -> bool:
    called = {one.func.id for one in ast.walk(node) if isinstance(one, ast.Call) and isinstance(one.func, ast.Name)}
    return bool(called & CALLS) or any(is_over_all(text) for text in file.texts(node))


def _functions(node: ast.AST, within: str) -> Iterator[tuple[str, ast.AST]]:
    """Functions and methods by their name in the file; what stands inside of one is a part of it."""
    for one in ast.iter_child_nodes(node):
        if isinstance(one, ast.ClassDef):
            yield from _functions(one, f"{within}{one.name}.")
        elif isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{within}{one.name}", one


def workers() -> set[str]:
    """The loops that processes run for ever: process and name."""
    return {f"{path.split('/')[1]}: {name}" for path in _PROCESSES for name in _named(source(ROOT / path))}


def _named(file: Source) -> Iterator[str]:
    for node in ast.walk(file.tree):
        if isinstance(node, ast.keyword) and node.arg == "workers" and isinstance(node.value, ast.Dict):
            yield from _keys(node.value)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "workers":
            assert isinstance(node.value, ast.Dict), "a process writes its workers down"
            yield from _keys(node.value)
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "workers":
            assert isinstance(node.slice, ast.Constant)
            yield str(node.slice.value)


def _keys(node: ast.Dict) -> Iterator[str]:
    for key in node.keys:
        assert isinstance(key, ast.Constant), "a worker's name is written out"
        yield str(key.value)
