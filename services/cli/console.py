"""How commands show rows: a table where a person looks at a terminal, plain columns where another program reads."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.client.rest_client import RestClient
from shared.errors import InputRejected


def is_terminal() -> bool:
    """Whether a person looks at standard output."""
    return sys.stdout.isatty()


_CONTROLS: Final = {
    code: f"\\u{code:04x}" for code in (*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}
"""What would be an order to a terminal, or turn the direction of what follows; shown as JSON writes it."""


def plain(text: str) -> str:
    """A text that a terminal only shows: customers' words may hold anything."""
    return text.replace("\r\n", "\n").translate(_CONTROLS)


def say(text: object = "", *, err: bool = False, nl: bool = True) -> None:
    """Prints one line of plain text."""
    typer.echo(plain(str(text)), err=err, nl=nl)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "") -> None:
    """Rows under their columns; None is an empty cell. Without a terminal: one line each, two blanks between, no colours."""
    cells = [["" if one is None else plain(str(one)) for one in row] for row in rows]
    if is_terminal():
        table = Table(*columns, title=title or None, box=box.SIMPLE, title_justify="left", header_style="bold")
        for row in cells:
            table.add_row(*(Text(cell) for cell in row))
        Console().print(table)
        return
    if title:
        typer.echo(title)
    widths = [max(len(row[at]) for row in [list(columns), *cells]) for at in range(len(columns))]
    for row in [list(columns), *cells]:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def connected(url: str, api_key: str, work: Callable[[RestClient], Awaitable[Any]]) -> Any:
    """Runs ``work`` with a client of the API. Raises `InputRejected` without a key."""
    if not api_key:
        raise InputRejected("no API key", field="--api-key", remedy="give it, or set SANTRAL_API_KEY")

    async def once() -> Any:
        async with RestClient(url, api_key) as client:
            return await work(client)

    return asyncio.run(once())


def say_progress(text: str) -> None:
    """One line on standard error that the next one replaces; nothing where nobody looks."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[2K{text}")
        sys.stderr.flush()
