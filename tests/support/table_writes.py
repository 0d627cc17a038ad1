"""Which table a source file inserts into, updates, deletes from or locks: its statements, and its calls of SQLAlchemy Core.

Three tables of what is written are said by declarations instead: configuration by the codecs (`Plain`), erasure by covers (`Cover`),
retention by rules (`_Rule`). **Identity**: file, table and verb.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import PurePosixPath
from typing import Final, Literal, NamedTuple

from tests.support.source_files import Source, source, sources
from tests.support.statements import GAP, HOLDS, IDENTITY, SESSIONS, Verb, touches_of
from tests.support.tables import ROOT, table_modules

Column = Literal["insert", "update", "delete", "lock"]
COLUMNS: Final[tuple[Column, ...]] = ("insert", "update", "delete", "lock")
_CORE: Final = frozenset({"insert", "update", "delete"})
_DECLARE: Final = ("Cover", "_Rule")
_MADE_ELSEWHERE: Final = frozenset({"shared/personal.py"})
"""Files that make statements of covers, which are counted where they are declared."""
_BY_FUNCTION: Final = frozenset({"audit"})
"""Tables whose rows no role of ours may change: a function of the owner's does it, and nothing is locked before."""


class Write(NamedTuple):
    """One file's verb on one table."""

    file: str
    table: str
    verb: Column


@cache
def declared_tables() -> dict[tuple[str, str], str]:
    """(path of tables.py, name of the variable) → table's name."""
    found = {}
    for folder in table_modules():
        path = f"{folder}/tables.py"
        for name, value in source(ROOT / path).constants.items():
            if isinstance(value, ast.Call) and ast.unparse(value.func) == "sa.Table" and isinstance(value.args[0], ast.Constant):
                found[path, name] = str(value.args[0].value)
    return found


def writes_of(file: Source) -> set[Write]:
    """What a file writes and locks. Raises `LookupError` where a statement's table cannot be told."""
    found: set[Write] = set()
    for statement in file.statements():
        for table, verb in touches_of(statement):
            if table not in (HOLDS, IDENTITY, SESSIONS) and verb != "meet":
                found |= {Write(file.name, one, verb) for one in _tables(file, table, verb)}
    for call in file.calls if "sqlalchemy" in file.text else ():
        found |= {Write(file.name, table, verb) for table, verb in _core(file, call)}
    declared = {Write(file.name, table, verb) for table, verb in _declared(file)}
    return found | declared


def _tables(file: Source, table: str, verb: Verb) -> list[str]:
    """The tables a statement's table stands for: itself, or where it is a gap those of the file's rules."""
    if table != GAP:
        return [table]
    if file.name in _MADE_ELSEWHERE:
        return []
    declared = _declared(file)
    if not declared:
        raise LookupError(f"{file.name}: a statement writes a table that only the run knows; name it, or declare it by rules")
    if verb != "lock":
        return [one for one, said in declared if said == verb]
    return sorted({one for one, _ in declared} - _BY_FUNCTION)


def _declared(file: Source) -> list[tuple[str, Column]]:
    """Tables of covers and rules: emptied where they say how, else deleted from."""
    found: list[tuple[str, Column]] = []
    for node in file.calls if any(f"{word}(" in file.text for word in _DECLARE) else ():
        if isinstance(node.func, ast.Name) and node.func.id in _DECLARE:
            said = {one.arg: one.value for one in node.keywords}
            change = said.get("erase") or said.get("change")
            emptied = change is not None and not (isinstance(change, ast.Constant) and change.value is None)
            found += [(table, "update" if emptied else "delete") for table in file.texts(said["table"])]
    return found


def _core(file: Source, call: ast.Call) -> Iterator[tuple[str, Column]]:
    """The tables that a call of SQLAlchemy Core is about: ``sa.insert(t)``, ``pg.insert(t)``, ``insert(t)``, ``t.insert()``."""
    called = call.func
    name = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
    if name == "with_for_update" and isinstance(called, ast.Attribute):
        yield from ((table, "lock") for table in _selected(file, called.value))
    if name not in _CORE:
        return
    given = call.args[0] if call.args else called.value if isinstance(called, ast.Attribute) else None
    for table in _named(file, given):
        yield table, "insert" if name == "insert" else "update" if name == "update" else "delete"


def _named(file: Source, node: ast.expr | None) -> list[str]:
    """The table that an expression is: a name from a tables.py, or whatever table a codec has."""
    if isinstance(node, ast.Attribute) and node.attr == "table":
        return sorted(_configured(PurePosixPath(file.name).parent))
    if not isinstance(node, ast.Name):
        return []
    table = declared_tables().get(file.imports.get(node.id, (file.name, node.id)))
    return [] if table is None else [table]


def _selected(file: Source, node: ast.expr) -> set[str]:
    """The tables that a query is about, through the name it was given before."""
    names = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    known = [one.value for one in ast.walk(file.tree) if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) in names]
    calls = [one for part in (node, *known) for one in ast.walk(part) if isinstance(one, ast.Call) and one.args]
    return {
        table
        for one in calls
        if ast.unparse(one.func).rpartition(".")[2] in ("select", "insert")
        for table in _named(file, one.args[0])
    }


@cache
def _configured(folder: PurePosixPath) -> frozenset[str]:
    """The tables of a folder's codecs: what `Plain` and the classes made of it are given."""
    found: set[str] = set()
    for file in (one for one in sources() if PurePosixPath(one.name).parent == folder):
        plain = [one for one in ast.walk(file.tree) if isinstance(one, ast.ClassDef) and "Plain" in map(ast.unparse, one.bases)]
        calls = [one for part in plain for one in ast.walk(part) if isinstance(one, ast.Call)]
        given = [one for one in calls if ast.unparse(one.func) == "super().__init__"]
        given += [one for one in file.calls if ast.unparse(one.func) == "Plain"]
        found.update(table for one in given for table in _named(file, one.args[0]))
    return frozenset(found)


@cache
def all_writes() -> frozenset[Write]:
    """What every file of the rooms writes and locks."""
    return frozenset(write for file in sources() for write in writes_of(file))
