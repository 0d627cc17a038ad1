"""Progress at the console: rich on a terminal, plain lines elsewhere. A sentence a line, with the seconds since the start."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TextIO

from rich.console import Console
from rich.markup import escape

from shared.embedded.folder import Progress


@contextlib.contextmanager
def console_progress(stream: TextIO) -> Iterator[Progress]:
    """A progress that writes to ``stream``."""
    begun = time.monotonic()
    console = Console(file=stream, highlight=False, soft_wrap=True) if stream.isatty() else None

    def tell(sentence: str) -> None:
        seconds = f"{time.monotonic() - begun:6.1f} s"
        if console is None:
            print(f"{seconds}  {sentence}", file=stream, flush=True)
        else:
            console.print(f"[dim]{seconds}[/dim]  {escape(sentence)}")

    yield tell
