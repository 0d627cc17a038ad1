"""What commands print: customers' words may hold orders to a terminal, which are shown and not carried out."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path

import pytest

from services.cli.console import plain, say, show_table

ORDERS = "\x1b]0;title\x07 \x9b2J \x7f \u202eters"


def test_orders_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    say(ORDERS)
    show_table(["name"], [[ORDERS]])
    out = capsys.readouterr().out
    assert re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", out) == []
    assert out.count(r"\u001b]0;title\u0007 \u009b2J \u007f \u202eters") == 2


def test_words_lines_and_tabs_stay() -> None:
    assert plain("a\r\nb") == "a\nb"
    assert plain("Çağrı\tİzmir\n日本 🙂") == "Çağrı\tİzmir\n日本 🙂"


def test_json_stays_json_of_the_same_value() -> None:
    assert json.loads(plain(json.dumps({"name": ORDERS}, ensure_ascii=False))) == {"name": ORDERS}


def test_no_command_prints_by_another_way() -> None:
    """`typer.echo` stands where `say` is made, and where a colour of our own is printed."""
    folder = Path(__file__).parents[4] / "services" / "cli"
    found = {path.name for path in folder.glob("*.py") if "typer.echo(" in path.read_text(encoding="utf-8")}
    assert found == {"console.py", "doctor.py"}


async def test_a_command_prints_no_line_of_a_librarys(tmp_path: Path) -> None:
    """What the broker's client says while it looks for a topic that was made a moment ago is not what the person asked."""
    says = "import logging; logging.getLogger('aiokafka.cluster').error('not found')"
    program = tmp_path / "console.py"
    program.write_text(
        f"import sys, typer\nfrom services.cli import main\n"
        f"def looked():\n    {says}\n"
        f"def create_app(verb):\n    app = typer.Typer()\n    app.command()(looked)\n    return app\n"
        f"main.create_app = create_app\nmain.main()\n",
        encoding="utf-8",
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, program, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert (process.returncode, said) == (0, b"")
