"""In which order a function of ours comes to lock rows, read from the source: statements and calls in the order in which they stand.

A branch counts as if it were taken, a loop as if it ran once, so this is the longest way there is. What counts is the first time a
class is met: by a lock, an update, a delete, or an insert that may find somebody else's row. An insert under a fresh id waits for nobody.
Calls through a collaborator or a callback are followed where `HANDED_OVER` says what stands behind them.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from tests.support.source_files import TEXTUAL, Source, source, sources
from tests.support.statements import HOLDS, IDENTITY, SESSIONS, Verb, touches_of
from tests.support.tables import ROOT

CLASSES: Final[Mapping[str, str]] = {
    "lease": "leases", "partition_lease": "leases", "receipt": "receipts", HOLDS: "holds", IDENTITY: "identity", "handle": "handles", "link": "links",
    "profile": "profiles", "conversation": "conversations", "delivery": "deliveries", "work_item": "work items", "agent": "agents",
    "erasure": "erasure", "import_job": "import", "rules_pass": "rules pass", "handle_renewal": "renewal",
    "suggestion": "suggestion",
    "suggestion_place": "suggestion place", "quarantine": "quarantine", "sla_clock": "clocks", "placement_operation": "operation",
    "message": "messages", "idempotency": "retry key", "workspace": "workspace", "policy": "policy", SESSIONS: "sessions",
}  # fmt: skip
"""Table → the class of lock that the page names. Tables that are only inserted into, or written under another's lock, are none."""
_WAITS: Final[frozenset[Verb]] = frozenset({"lock", "update", "delete", "meet"})
_OPENS: Final = frozenset({"batch", "transaction"})
_UNDER_LOCK: Final = frozenset({"router/moves/moves.py:numbered"})
"""Functions that write only rows which their callers hold, as they say."""
_LEASES: Final = "shared/leases.py:Leases.lock_and_check"
HANDED_OVER: Final[Mapping[tuple[str, str], str]] = {
    ("router/intake/intake.py", "lock_and_check"): "shared/partition_leases.py:PartitionLeases.lock_and_check",
    ("router/intake/intake.py", "take"): "router/intake/batch.py:Batch.take",
    ("router/intake/intake.py", "advance"): "shared/partition_leases.py:PartitionLeases.advance",
    ("router/intake/batch.py", "_on_provider_words"): "services/router/delivery_receipts.py:apply_receipts",
    ("router/intake/replay.py", "route"): "router/intake/batch.py:Batch.route",
    ("router/matcher/matcher.py", "lock_and_check"): _LEASES,
    ("router/clocks/shifts.py", "lock_and_check"): _LEASES,
    ("router/clocks/sla.py", "lock_and_check"): _LEASES,
    ("services/privacy/retention.py", "lock_and_check"): _LEASES,
    ("shared/outbox_relay.py", "lock_and_check"): _LEASES,
}
"""(file, name called on something handed in) → the function behind it."""


@cache
def lock_orders(name: str) -> list[list[str]]:
    """The classes of lock that each transaction of a function (``path.py:name``) comes to take, each where it is met first.

    A function that opens none runs in its caller's, and counts as one.
    """
    path, _, inner = name.partition(":")
    file, function = source(ROOT / path), found(source(ROOT / path), inner)
    opened: list[ast.AST] = [*_opened(function)] or [function]
    return [list(dict.fromkeys(_Walk(name).node(file, inner.rpartition(".")[0], one))) for one in opened]


def transactions() -> Iterator[str]:
    """Every function of the rooms (``path.py:name``) that opens a transaction."""
    for file in sources():
        owners: list[ast.Module | ast.ClassDef] = [file.tree, *(one for one in file.tree.body if isinstance(one, ast.ClassDef))]
        for owner in owners:
            prefix = f"{owner.name}." if isinstance(owner, ast.ClassDef) else ""
            for node in owner.body:
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(_opened(node)):
                    yield f"{file.name}:{prefix}{node.name}"


def _opened(function: ast.AST) -> Iterator[ast.AsyncWith]:
    """The blocks of a function that are a transaction each."""
    for node in ast.walk(function):
        calls = [one.context_expr for one in node.items] if isinstance(node, ast.AsyncWith) else []
        opens = [
            one for one in calls if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) and one.func.attr in _OPENS
        ]
        if opens and isinstance(node, ast.AsyncWith):
            yield node


class _Walk:
    """One walk; a function that is met again, with the same choices, adds nothing to what it has met."""

    def __init__(self, name: str) -> None:
        self._met = {(name, frozenset[tuple[str, bool]]())}
        self._chosen: list[Mapping[str, bool]] = [{}]

    def node(self, file: Source, owner: str, node: ast.AST) -> Iterator[str]:
        """The classes met in a node of a file, of the class ``owner`` where it is a method's."""
        if texts := file.texts(_Chosen(self._chosen[-1]).visit(copy.deepcopy(node))) if isinstance(node, TEXTUAL) else []:
            yield from (CLASSES[table] for text in texts for table, verb in touches_of(text) if verb in _WAITS and table in CLASSES)
            return
        for child in _in_order(node):
            yield from self.node(file, owner, child)
        if isinstance(node, ast.Call):
            yield from self._call(_called(file, owner, node.func), node)

    def _call(self, called: str | None, call: ast.Call) -> Iterator[str]:
        if called is None or called in _UNDER_LOCK:
            return
        path, _, inner = called.partition(":")
        file = source(ROOT / path)
        function = found(file, inner)
        assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        given = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
        said = {one.arg: one.value for one in call.keywords}
        values = {one.arg: said.get(one.arg, default) for one, default in given}
        chosen = {name: one.value is True for name, one in values.items() if isinstance(one, ast.Constant)}
        if (called, frozenset(chosen.items())) in self._met:
            return
        self._met.add((called, frozenset(chosen.items())))
        self._chosen.append(chosen)
        yield from self.node(file, inner.rpartition(".")[0], function)
        self._chosen.pop()


class _Chosen(ast.NodeTransformer):
    """Takes the branch of ``a if name else b`` that a call has chosen by what it gave, or left, for ``name``."""

    def __init__(self, chosen: Mapping[str, bool]) -> None:
        self._chosen = chosen

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        if isinstance(node.test, ast.Name) and node.test.id in self._chosen:
            chosen: ast.AST = self.visit(node.body if self._chosen[node.test.id] else node.orelse)
            return chosen
        return self.generic_visit(node)


def _called(file: Source, owner: str, func: ast.expr) -> str | None:
    """The function of ours that a call is of; None for anything else."""
    if isinstance(func, ast.Name):
        return _known(*file.imports.get(func.id, (file.name, func.id)))
    if not isinstance(func, ast.Attribute):
        return None
    if isinstance(func.value, ast.Name):
        if func.value.id == "self" and _known(file.name, f"{owner}.{func.attr}"):
            return f"{file.name}:{owner}.{func.attr}"
        path, inner = file.imports.get(func.value.id, ("", "-"))
        if not inner:
            return _known(path, func.attr)
    return HANDED_OVER.get((file.name, func.attr))


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    """What stands in a node, in the order in which it runs: a comprehension's source before its words, a docstring not at all."""
    if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
        yield from node.generators
    for child in ast.iter_child_nodes(node):
        docstring = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
        if not docstring and not isinstance(child, ast.comprehension):
            yield child


def found(file: Source, inner: str) -> ast.AST:
    """The class, function, method or constant that a file has under ``inner``. Raises `LookupError`."""
    node: ast.AST = file.tree
    for name in inner.split("."):
        named = [one for one in ast.iter_child_nodes(node) if name in _names(one)]
        if not named:
            raise LookupError(f"{file.name} has no {inner}")
        node = named[0]
    return node


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [one.id for one in targets if isinstance(one, ast.Name)]


@cache
def _known(path: str, inner: str) -> str | None:
    """``path:inner`` where that is a function of ours."""
    if not (ROOT / path).is_file():
        return None
    try:
        node = found(source(ROOT / path), inner)
    except LookupError:
        return None
    return f"{path}:{inner}" if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else None
