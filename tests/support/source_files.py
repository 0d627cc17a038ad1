"""The rooms' source files as text and tree: their constants, imports and statements of SQL, read without running anything.

A file's statements are its string constants, with the names of other constants put in where an f-string or a sum names them. What
only the run knows is a gap (`GAP`): whoever asks must say what it stands for.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Final

from tests.support.statements import GAP
from tests.support.tables import ROOMS, ROOT

SCHEMA: Final = "santral."
TEXTUAL: Final = (ast.Constant, ast.JoinedStr, ast.BinOp, ast.IfExp, ast.Name)
"""The expressions that may be a text."""


@dataclass(frozen=True)
class Source:
    """A Python file of the rooms."""

    path: Path
    text: str = field(repr=False)

    @cached_property
    def tree(self) -> ast.Module:
        """The file as the compiler reads it."""
        return ast.parse(self.text)

    @cached_property
    def calls(self) -> list[ast.Call]:
        """Every call in the file."""
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]

    @property
    def name(self) -> str:
        """Its path from the root, as pages name it."""
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def constants(self) -> Mapping[str, ast.expr]:
        """Module-level names and what they are set to."""
        found: dict[str, ast.expr] = {}
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                found[node.targets[0].id] = node.value
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
                found[node.target.id] = node.value
        return found

    @cached_property
    def imports(self) -> Mapping[str, tuple[str, str]]:
        """Names from our rooms: (module's path, name in it), the name empty for a module itself."""
        found = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in ROOMS:
                for one in node.names:
                    inner = f"{node.module}.{one.name}".replace(".", "/") + ".py"
                    outer = (node.module.replace(".", "/") + ".py", one.name)
                    found[one.asname or one.name] = (inner, "") if (ROOT / inner).is_file() else outer
        return found

    @cached_property
    def turns(self) -> Mapping[str, tuple[str, ...]]:
        """Names that a comprehension gives one word after the other."""
        found: dict[str, tuple[str, ...]] = {}
        for node in ast.walk(self.tree) if SCHEMA in self.text else ():
            if isinstance(node, ast.comprehension) and isinstance(node.target, ast.Name) and isinstance(node.iter, ast.Tuple):
                found[node.target.id] = tuple(str(one.value) for one in node.iter.elts if isinstance(one, ast.Constant))
        return found

    def texts(self, node: ast.expr, within: frozenset[str] = frozenset()) -> list[str]:
        """The texts an expression may give; empty for what is no text. ``within`` are the names being looked up."""
        if isinstance(node, ast.Constant):
            return [node.value] if isinstance(node.value, str) else []
        if isinstance(node, ast.JoinedStr):
            parts = [self.texts(one.value if isinstance(one, ast.FormattedValue) else one, within) or [GAP] for one in node.values]
            return ["".join(one) for one in itertools.product(*parts)]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, right = self.texts(node.left, within), self.texts(node.right, within)
            return [one + other for one in left or [GAP] for other in right or [GAP]] if left or right else []
        if isinstance(node, ast.IfExp):
            return [*self.texts(node.body, within), *self.texts(node.orelse, within)]
        if isinstance(node, ast.Name) and node.id not in within:
            return self._named(node.id, within | {node.id})
        return []

    def _named(self, name: str, within: frozenset[str]) -> list[str]:
        if name in self.constants:
            return self.texts(self.constants[name], within)
        if name in self.imports and self.imports[name][1]:
            path, inner = self.imports[name]
            other = source(ROOT / path) if (ROOT / path).is_file() else None
            return other.texts(other.constants[inner]) if other is not None and inner in other.constants else []
        return list(self.turns.get(name, ()))

    def statements(self) -> Iterator[str]:
        """Every text that stands in a file that names the schema, docstrings aside."""
        stack: list[ast.AST] = [self.tree] if SCHEMA in self.text else []
        while stack:
            node = stack.pop()
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue
            texts = self.texts(node) if isinstance(node, TEXTUAL) and not isinstance(node, ast.Name) else []
            if texts:
                yield from texts
            else:
                stack.extend(ast.iter_child_nodes(node))


@cache
def source(path: Path) -> Source:
    """A file, read once."""
    return Source(path, path.read_text(encoding="utf-8"))


@cache
def sources() -> list[Source]:
    """Every Python file of the rooms."""
    paths = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py") if "node_modules" not in path.parts)
    return [source(path) for path in paths]
