"""How far a simulation is: a bar on a terminal, plain lines elsewhere, both on standard error; what Ctrl-C leaves behind; tables."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

Show = Callable[[int, float], None]
_LINE_EVERY_S: Final = 2.0
_WIDTH_ELSEWHERE: Final = 200


def processors() -> int:
    """How many processes may run at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def print_table(table: Table) -> None:
    """On a terminal in its width, elsewhere without breaking lines."""
    Console(width=None if sys.stdout.isatty() else _WIDTH_ELSEWHERE).print(table)


@contextlib.contextmanager
def progress(title: str, runs: int) -> Iterator[Show]:
    """Gives a function that is told which run has come how far. Ctrl-C says how many were finished, and ends with status 130."""
    shares: dict[int, float] = {}

    def finished() -> int:
        return sum(1 for share in shares.values() if share >= 1)

    try:
        with _shown(title, runs, shares, finished) as show:
            yield show
    except KeyboardInterrupt:
        print(f"{title}: stopped; {finished()} of {runs} runs were finished, nothing is written", file=sys.stderr)
        raise typer.Exit(130) from None


@contextlib.contextmanager
def _shown(title: str, runs: int, shares: dict[int, float], finished: Callable[[], int]) -> Iterator[Show]:
    if sys.stderr.isatty():
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f} %"), TimeElapsedColumn())
        with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
            task = bar.add_task(title, total=runs)

            def move(run: int, share: float) -> None:
                shares[run] = share
                bar.update(task, completed=sum(shares.values()))

            yield move
        return
    told = {"at_s": time.monotonic()}

    def line(run: int, share: float) -> None:
        shares[run] = share
        if time.monotonic() - told["at_s"] >= _LINE_EVERY_S:
            told["at_s"] = time.monotonic()
            print(
                f"{title}: {100 * sum(shares.values()) / runs:.0f} %, {finished()} of {runs} runs finished",
                file=sys.stderr,
                flush=True,
            )

    yield line
