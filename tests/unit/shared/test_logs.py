"""Log lines of a real process: JSON, an action, and nothing that nobody listed."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from shared.logs import Action

ROOT = Path(__file__).resolve().parents[3]
SPEAKER = """
import asyncio, gc, logging
from shared.errors import Unavailable
from shared.logs import configure_logs, get_log
configure_logs("gateway", form="json")
log = get_log("test")
log.debug("not shown", action="started")
log.info("a message came in", action="message_taken", message="m1", body="Ayse'nin siparisi", count=3)
try:
    try:
        raise ValueError("Key (address)=(ayse@ornek.com) already exists")
    except ValueError as error:
        raise Unavailable("the store is away") from error
except Unavailable:
    log.exception("it failed", action="worker_failed")
    logging.getLogger("somebody.else").exception("a library speaks of %s", "ayse@ornek.com")
    try:
        raise ExceptionGroup("two", [KeyError("TR330006100519786457841326"), FileNotFoundError(2, "No such file", "/x/10000000146")])
    except ExceptionGroup:
        log.exception("two failed", action="worker_failed")

async def nobody_awaits():
    raise ValueError("10000000146")

async def main():
    task = asyncio.create_task(nobody_awaits())
    await asyncio.wait([task])
    del task
    gc.collect()
asyncio.run(main())
"""
PERSONAL = ("ayse@ornek.com", "TR330006100519786457841326", "10000000146")


def raw(form: str) -> str:
    speaker = SPEAKER.replace('form="json"', f'form="{form}"')
    done = subprocess.run([sys.executable, "-c", speaker], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr


def spoken() -> list[dict[str, object]]:
    return [json.loads(line) for line in raw("json").splitlines()]


def test_every_line_is_json_with_its_process_and_unlisted_fields_become_lengths() -> None:
    taken, failed, foreign, *_ = spoken()
    assert taken["event"] == "a message came in"
    assert taken["action"] == "message_taken"
    assert taken["process"] == "gateway"
    assert taken["level"] == "info"
    assert taken["count"] == 3
    assert taken["body"] == "<17 characters>"
    assert str(taken["timestamp"]).endswith("Z")
    assert "Unavailable: the store is away" in str(failed["exception"])
    assert foreign["event"] == "a library speaks of %s"


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_says_where_and_of_what_kind_but_not_what_the_input_was(form: str) -> None:
    said = raw(form)
    assert "ValueError: <45 characters>" in said
    assert "Unavailable: the store is away" in said
    assert "FileNotFoundError: No such file" in said
    assert "KeyError: <28 characters>" in said
    assert "Task exception was never retrieved" in said
    assert said.count("in <module>") >= 4
    quoted = [line for line in said.replace("\\n", "\n").splitlines() if "raise " not in line]  # a frame quotes its line of code
    assert [line for line in quoted if any(one in line for one in PERSONAL)] == []


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
