"""What docs/ has from the source, written anew: the reference, the table of writers and the register of decisions.

python -m tests.support.generated           writes what changed
python -m tests.support.generated --rooms   prints the section ``Writes`` that each README should have
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from tests.support import decisions, writers
from tests.support.reference_pages import PAGES
from tests.support.reference_rest import rest
from tests.support.tables import ROOT

START: Final = "<!-- generated -->"
END: Final = "<!-- end -->"


def between_marks(page: str, made: str) -> str:
    """A page with what was made between its marks."""
    head, _, rest = page.partition(START)
    return f"{head}{START}\n{made}\n{END}{rest.partition(END)[2]}"


def register(page: str) -> str:
    """The page of the register with every decision in it, new ones under today."""
    today = datetime.now().astimezone().date()
    return between_marks(page, decisions.table_of(decisions.completed(decisions.registered(page), decisions.decisions(), today)))


def reference() -> dict[Path, str]:
    """Every page of the reference that is written from the source."""
    return {ROOT / f"docs/reference/{name}.md": made() for name, made in {**PAGES, "rest": rest}.items()}


def write(path: Path, text: str) -> None:
    """Writes a page that says something else."""
    if path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def main(words: Sequence[str]) -> None:
    """Writes every generated page, or prints the rooms' sections."""
    writers.main(words)
    if "--rooms" not in words:
        for path, text in reference().items():
            write(path, text)
        write(decisions.REGISTER, register(decisions.REGISTER.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main(sys.argv[1:])
