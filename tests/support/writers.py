"""Who writes which table: what each room's README says under ``## Writes``, what its code says, and the page that shows it whole.

`make reference` rewrites the generated part of docs/inside/locks-and-writers.md from the READMEs; with ``ARGS=--rooms`` it prints the section
that each README should have.

A room is a folder with a README; a file belongs to the nearest one above it and is named by its path from there, without ``.py``.
**Identity**: room, table, verb and file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from tests.support.source_files import sources
from tests.support.table_writes import COLUMNS, Column, all_writes, declared_tables
from tests.support.tables import ROOMS, ROOT

PAGE: Final = ROOT / "docs/inside/locks-and-writers.md"
START: Final = "<!-- writers: generated -->"
END: Final = "<!-- end -->"
HEADING: Final = "## Writes"
NOTHING: Final = "Writes: nothing."
_HEAD: Final = "| table | insert | update | delete | locks |"
_PAGE_HEAD: Final = "| table | declared in | inserted by | updated by | deleted by | locked by |"


class Stated(NamedTuple):
    """One file's verb on one table, as a room says it."""

    table: str
    verb: Column
    file: str


def rooms() -> list[str]:
    """The folders with a README and with code of their own, which say what they write."""
    owned = {room_of(one.name) for one in sources() if PurePosixPath(one.name).name != "__init__.py"}
    return sorted(owned - {""})


def room_of(path: str) -> str:
    """The nearest folder above a file that has a README; empty when none has."""
    folders = (str(one) for one in PurePosixPath(path).parents if one.parts and one.parts[0] in ROOMS)
    return next((one for one in folders if (ROOT / one / "README.md").is_file()), "")


def written(room: str) -> set[Stated]:
    """What the files of a room write, as the code says."""
    mine = [one for one in all_writes() if room_of(one.file) == room]
    return {Stated(one.table, one.verb, str(PurePosixPath(one.file).relative_to(room).with_suffix(""))) for one in mine}


def stated(room: str) -> set[Stated] | None:
    """What a room's README says it writes; None where it does not say."""
    return stated_in((ROOT / room / "README.md").read_text(encoding="utf-8"))


def stated_in(readme: str) -> set[Stated] | None:
    """What a README says under ``## Writes``. Raises `ValueError` for a table of another shape."""
    lines = [line.strip() for line in readme.splitlines()]
    if NOTHING in lines:
        return set()
    if HEADING not in lines:
        return None
    section = lines[lines.index(HEADING) + 1 :]
    ends = next((place for place, line in enumerate(section) if line.startswith("## ")), len(section))
    rows = [line for line in section[:ends] if line.startswith("|")]
    if rows[:1] != [_HEAD]:
        raise ValueError(f"the table under {HEADING!r} begins with {rows[:1]}, not with {_HEAD}")
    return {one for row in rows[2:] for one in _row(row)}


def _row(row: str) -> Iterable[Stated]:
    table, *cells = [cell.strip() for cell in row.strip("|").split("|")]
    for verb, cell in zip(COLUMNS, cells, strict=True):
        for file in filter(None, (one.strip(" `") for one in cell.split(","))):
            yield Stated(table.strip("`"), verb, file)


def differences(room: str, said: set[Stated] | None) -> list[str]:
    """What a room says otherwise than its code, line by line: the line its README should have, and the one it has."""
    found = written(room)
    if said is None:
        return [f"{room}/README.md does not say what the room writes; add:\n\n{section_of(room)}"]
    told = []
    for table in sorted({one.table for one in found ^ said}):
        right, wrong = ([one for one in rows if one.table == table] for rows in (found, said))
        told.append(
            f"{room}/README.md: {_line(table, right) if right else 'no line'}, not {_line(table, wrong) if wrong else 'none'}"
        )
    return told


def section_of(room: str) -> str:
    """The section that says what a room writes, as the code has it."""
    found = written(room)
    if not found:
        return f"{HEADING}\n\n{NOTHING}\n"
    rows = [_line(table, [one for one in found if one.table == table]) for table in sorted({one.table for one in found})]
    return "\n".join([HEADING, "", _HEAD, "|---|---|---|---|---|", *rows, ""])


def _line(table: str, found: Sequence[Stated]) -> str:
    return _cells(table, *(", ".join(sorted(one.file for one in found if one.verb == verb)) for verb in COLUMNS))


def _cells(*cells: str) -> str:
    return f"|{''.join(f' {cell} |' if cell else ' |' for cell in cells)}"


def page_table(said: Mapping[str, Iterable[Stated]]) -> str:
    """All tables with who writes them, from what rooms say."""
    declared = {table: path for (path, _), table in declared_tables().items()}
    rows = [
        _cells(f"`{table}`", f"`{declared[table]}`", *(_cell(said, table, verb) for verb in COLUMNS)) for table in sorted(declared)
    ]
    return "\n".join([_PAGE_HEAD, "|---|---|---|---|---|---|", *rows])


def _cell(said: Mapping[str, Iterable[Stated]], table: str, verb: Column) -> str:
    found = {
        room: sorted(one.file for one in rows if (one.table, one.verb) == (table, verb)) for room, rows in sorted(said.items())
    }
    return "; ".join(f"{room}: {', '.join(files)}" for room, files in found.items() if files)


def said_by_rooms() -> dict[str, set[Stated]]:
    """What every room says; a room that does not say is left out."""
    return {room: rows for room in rooms() if (rows := stated(room)) is not None}


def generated_part(page: str) -> str:
    """What stands between the two marks of a page."""
    return page.partition(START)[2].partition(END)[0].strip()


def rewritten(page: str, table: str) -> str:
    """The page with a table between its marks."""
    head, _, rest = page.partition(START)
    return f"{head}{START}\n{table}\n{END}{rest.partition(END)[2]}"


def main(words: Sequence[str], page: Path = PAGE) -> None:
    """Prints the rooms' sections, or rewrites the page."""
    if "--rooms" in words:
        for room in rooms():
            print(f"{room}/README.md\n\n{section_of(room)}")
        return
    page.write_text(rewritten(page.read_text(encoding="utf-8"), page_table(said_by_rooms())), encoding="utf-8")
