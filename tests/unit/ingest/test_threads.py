"""Threads of the pool that all share: who uses them for what comes in, and why it is short there. Nothing else does."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[3]
ALLOWED = {
    "ingest/directory.py:Directory.refresh": "configuration that was let in when it was saved; no stranger's bytes",
    "ingest/mail/html_worker.py:_as_text": "a page that the process did not clean, shown to the agent who asked for it",
    "ingest/receive.py:_digest": "a millisecond a megabyte, without the interpreter's lock",
    "services/gateway/smtp.py:MailHandler._traced": "the fields' head read by one pattern; less than a twentieth of a second a megabyte",
}
CALLS = {"to_thread", "run_in_executor"}


def uses_of_threads(path: Path) -> set[str]:
    """The functions of a file that hand something to a thread, with the class they are in."""
    found = set()

    def visit(node: ast.AST, names: tuple[str, ...]) -> None:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names = (*names, node.name)
        if isinstance(node, ast.Attribute) and node.attr in CALLS:
            found.add(f"{path.relative_to(ROOT)}:{'.'.join(names)}")
        for child in ast.iter_child_nodes(node):
            visit(child, names)

    visit(ast.parse(path.read_text(encoding="utf-8")), ())
    return found


def test_what_strangers_send_is_not_worked_on_in_threads_that_all_share() -> None:
    files = [path for room in ("ingest", "services/gateway") for path in sorted((ROOT / room).rglob("*.py"))]
    found = set().union(*(uses_of_threads(path) for path in files))
    assert found == set(ALLOWED), "what may take long belongs in a process that can be killed (`shared/worker_process.py`)"
