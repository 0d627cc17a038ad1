"""Log lines of a real process: JSON, an action, and nothing that nobody listed."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

from shared.logs import Action

ROOT = Path(__file__).resolve().parents[3]
SPEAKER = """
import logging
from shared.logs import configure_logs, get_log
configure_logs("gateway", form="json")
log = get_log("test")
log.debug("not shown", action="started")
log.info("a message came in", action="message_taken", message="m1", body="Ayse'nin siparisi", count=3)
try:
    raise ValueError("boom")
except ValueError:
    log.exception("it failed", action="worker_failed")
    logging.getLogger("somebody.else").exception("a library speaks")
"""


def spoken() -> list[dict[str, object]]:
    done = subprocess.run([sys.executable, "-c", SPEAKER], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_every_line_is_json_with_its_process_and_unlisted_fields_become_lengths() -> None:
    taken, failed, foreign = spoken()
    assert taken["event"] == "a message came in"
    assert taken["action"] == "message_taken"
    assert taken["process"] == "gateway"
    assert taken["level"] == "info"
    assert taken["count"] == 3
    assert taken["body"] == "<17 characters>"
    assert str(taken["timestamp"]).endswith("Z")
    assert "ValueError: boom" in str(failed["exception"])
    assert foreign["event"] == "a library speaks"
    assert "ValueError: boom" in str(foreign.get("exception", ""))


def test_every_action_used_is_on_the_closed_list() -> None:
    used: dict[str, str] = {}
    for room in ("shared", "ingest", "profiles", "router", "services"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                    continue
                if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "log"):
                    continue
                for keyword in node.keywords:
                    if keyword.arg == "action" and isinstance(keyword.value, ast.Constant):
                        used[str(keyword.value.value)] = str(path.relative_to(ROOT))
    assert used
    unlisted = {action: where for action, where in used.items() if action not in get_args(Action)}
    assert unlisted == {}
