"""A customer list on its way in or out over the REST API: in chunks, as a stream, so that memory stays flat.

Going in, the server keeps the place; what cannot be taken is handed to ``left_out`` row by row. Going out, a CSV file's columns are known
only at its end: the people go through a temporary file first, and the file appears under its name when it is whole.

**Units**: rows from 1, bytes. **Identity** of an import: the file's bytes with the mapping.
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TextIO

from services.client.import_mapping import ImportMapping
from services.client.private_file import private_text
from services.client.rest_client import RestClient
from services.client.table_file import Row, TableFile
from shared.errors import InputRejected
from shared.spreadsheets import cell, json_cell

ROWS: Final = 2000
_CHUNK_CHARS: Final = 600_000
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerList:
    """How a list is taken in."""

    table: TableFile
    mapping: ImportMapping
    source: str
    assurance: str = "channel_verified"
    observed_at: datetime | None = None
    dry_run: bool = False
    resume: bool = False
    shown: Callable[[int], None] = lambda _row: None
    left_out: Callable[[Json], None] = lambda _row: None


async def import_list(client: RestClient, people: CustomerList) -> Json:
    """Gives the whole list; the counts of this run. May be interrupted anywhere and run again. Raises the client's errors."""
    digest = hashlib.sha256(f"{people.table.digest()} {people.mapping.pairs}".encode()).hexdigest()
    observed_at = people.observed_at or datetime.fromtimestamp(people.table.path.stat().st_mtime, UTC)
    job = await client.call(
        "POST", "/v1/profiles/imports",
        {"source": people.source, "digest": digest, "assurance": people.assurance, "observed_at": observed_at.isoformat(),
         "resume": people.resume or people.dry_run},
    )  # fmt: skip
    counts = {"rows": 0, "created": 0, "changed": 0, "unchanged": 0, "rejected": 0}
    first = 1 if people.dry_run else job["next_row"]
    counts["skipped"] = first - 1
    query = "&dry_run=true" if people.dry_run else ""
    for rows, problems, start, following in _chunks(people, first):
        answer = await client.call(
            "PUT", f"/v1/profiles/imports/{job['id']}/rows?first_row={start}{query}", {"rows": rows, "next_row": following}
        )
        rejected = sorted([*problems, *answer["rejected"]], key=lambda one: one["row"])
        for one in rejected:
            people.left_out(one)
        for name in ("created", "changed", "unchanged"):
            counts[name] += answer[name]
        counts["rejected"] += len(rejected)
        counts["rows"] += following - start
        people.shown(following - 1)
    await client.call("POST", f"/v1/profiles/imports/{job['id']}/finish" + ("?dry_run=true" if people.dry_run else ""))
    return counts


def _chunks(people: CustomerList, first: int) -> Iterator[tuple[list[Json], list[Json], int, int]]:
    rows: list[Json] = []
    problems: list[Json] = []
    start, size, following = first, 0, first
    for given in people.table.rows():
        if given.number < first:
            continue
        try:
            row = _row(people, given)
            rows.append(row)
            size += 60 + sum(len(str(value)) + 40 for value in given.values.values() if value not in ("", None))
        except InputRejected as error:
            problems.append(
                {"row": given.number, "field": error.field or "", "reason": error.message, "remedy": error.remedy or ""}
            )
        following = given.number + 1
        if following - start >= ROWS or size >= _CHUNK_CHARS:
            yield rows, problems, start, following
            rows, problems, start, size = [], [], following, 0
    if following > start:
        yield rows, problems, start, following


def _row(people: CustomerList, given: Row) -> Json:
    if given.problem:
        raise InputRejected(given.problem, field="row", remedy="repair the row")
    if people.table.delimiter is None and isinstance(given.values.get("handles"), list):
        return {**given.values, "row": given.number}
    return people.mapping.row(given.number, given.values)


async def export_list(client: RestClient, out: Path, *, as_csv: bool, shown: Callable[[int], None]) -> int:
    """Writes everybody to a file that this account alone reads; how many there were. The file is whole or not there."""
    people = 0
    columns: dict[str, bool] = {}
    with private_text(out) as written, tempfile.TemporaryDirectory(dir=out.parent, prefix=".export-") as folder:
        lines = Path(folder) / "people.jsonl"
        with lines.open("w", encoding="utf-8") as file:
            cursor: str | None = None
            while True:
                page = await client.call("GET", "/v1/profiles/export?limit=1000" + (f"&cursor={cursor}" if cursor else ""))
                for person in page["items"]:
                    file.write(json.dumps(person, ensure_ascii=False) + "\n")
                    if as_csv:
                        for column, _, plain in _cells(person):
                            columns[column] = columns.get(column, True) and plain
                people += len(page["items"])
                shown(people)
                cursor = page["next"]
                if cursor is None:
                    break
        if as_csv:
            _write_csv(lines, written, columns)
        else:
            with lines.open(encoding="utf-8", newline="") as file:
                shutil.copyfileobj(file, written)
    return people


def _write_csv(lines: Path, out: TextIO, columns: dict[str, bool]) -> None:
    order = sorted(columns, key=_column_order)
    header = [column if columns[column] else column.replace("trait.", "json.", 1) for column in order]
    with lines.open(encoding="utf-8") as file:
        writer = csv.writer(out)
        writer.writerow([cell(column) for column in header] or ["external_id"])
        for line in file:
            cells = {column: value for column, value, _ in _cells(json.loads(line))}
            writer.writerow(
                [
                    json_cell(cells[column])
                    if column in cells and not columns[column]
                    else cell("" if cells.get(column) is None else str(cells[column]))
                    for column in order
                ]
            )


def _cells(person: Json) -> Iterator[tuple[str, Any, bool]]:
    """Column, value, and whether the value can stand in a cell as it is."""
    counts: dict[str, int] = {}
    for handle in person["handles"]:
        name = f"{handle['kind']}/{handle['scope']}" if handle["scope"] else handle["kind"]
        counts[name] = counts.get(name, 0) + 1
        yield (name if counts[name] == 1 else f"{name}_{counts[name]}", handle["value"], True)
    if person["name"]:
        yield "name", person["name"], True
    for name, value in person["traits"].items():
        yield f"trait.{name}", value, isinstance(value, str) and value == value.strip() and value != "" and "\r" not in value
    for said in person["consents"]:
        yield f"consent.{said['purpose']}.{said['channel']}", "yes" if said["granted"] else "no", True


def _column_order(column: str) -> tuple[int, str]:
    first = ("external_id", "email", "phone", "name")
    if column in first:
        return (first.index(column), column)
    return (4 if "." not in column else 5 if column.startswith("trait.") else 6, column)
