"""`santral profiles import` and `export`: customer lists in and out, with a dry run, a file of errors, and a place to go on from."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.cli.console import say
from services.cli.profiles import ApiKey, AsJson, Url, connected
from services.client.customer_list import CustomerList, Json, export_list, import_list
from services.client.import_mapping import import_mapping
from services.client.private_file import private_opener, require_folder
from services.client.rest_client import RestClient
from services.client.table_file import TableFile, single_pairs, table_file
from shared.errors import InputRejected

_LINE_EVERY_S: Final = 2.0


def add_to(group: typer.Typer) -> None:
    """Adds the commands."""
    group.command("import", help="Take in a list of customers: CSV or JSON Lines.")(_import)
    group.command("export", help="Write every customer in the shape that import takes.")(_export)


def _import(
    file: Annotated[Path, typer.Argument(help="CSV or JSON Lines.")],
    maps: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            help="target=column; again, or with commas. Split dates: birth_year=, birth_month=, birth_day=. Left out: guessed from names.",
        ),
    ] = None,
    source: Annotated[str, typer.Option("--source", help="The system the list comes from.")] = "crm",
    assurance: Annotated[
        str, typer.Option("--assurance", help="channel_verified joins handles; asserted joins nobody.")
    ] = "channel_verified",
    as_of: Annotated[datetime | None, typer.Option("--as-of", help="When the list was drawn; left out: the file's time.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an interrupted import was.")] = False,
    errors: Annotated[Path | None, typer.Option("--errors", help="A CSV file for the rows left out.")] = None,
    encoding: Annotated[str | None, typer.Option("--encoding", help="Left out: UTF-8, or UTF-16 with its mark.")] = None,
    delimiter: Annotated[str | None, typer.Option("--delimiter", help="Left out: found in the first line.")] = None,
    url: Url = "http://127.0.0.1:8080",
    api_key: ApiKey = "",
    as_json: AsJson = False,
) -> None:
    table = table_file(file, encoding=encoding, delimiter="\t" if delimiter in ("\\t", "tab") else delimiter)
    own_shape = table.delimiter is None and "handles" in table.columns
    mapping = import_mapping(single_pairs(maps or (), table.columns), ["email"] if own_shape else table.columns)
    if mapping.ignored and not own_shape:
        say(f"left out: {', '.join(mapping.ignored[:20])}{' …' if len(mapping.ignored) > 20 else ''}", err=True)
    with _error_file(errors, again=resume) as left_out, progress("importing", _lines(table)) as shown:
        people = CustomerList(
            table=table, mapping=mapping, source=source, assurance=assurance, observed_at=as_of.astimezone() if as_of else None,
            dry_run=dry_run, resume=resume, shown=shown, left_out=left_out,
        )  # fmt: skip
        try:
            counts = connected(url, api_key, lambda client: import_list(client, people))
        except KeyboardInterrupt:
            say("stopped; the rows so far are written, --resume goes on after them", err=True)
            raise typer.Exit(130) from None
    if as_json:
        say(json.dumps(counts))
        return
    would = "would be " if dry_run else ""
    say(
        f"{counts['rows']} rows: {counts['created']} {would}new, {counts['changed']} {would}changed, {counts['unchanged']} as they were,"
        f" {counts['rejected']} left out" + (f"; {counts['skipped']} were taken before" if counts["skipped"] else "")
    )


def _export(
    out: Annotated[Path, typer.Option("--out", help="The file to write.")],
    form: Annotated[str, typer.Option("--format", help="csv or jsonl.")] = "csv",
    url: Url = "http://127.0.0.1:8080",
    api_key: ApiKey = "",
) -> None:
    if form not in ("csv", "jsonl"):
        raise InputRejected(f"unknown format {form!r}", field="--format", remedy="csv or jsonl")
    require_folder(out, field="--out")

    async def work(client: RestClient) -> Any:
        with progress("exporting", None) as shown:
            return await export_list(client, out, as_csv=form == "csv", shown=shown)

    say(f"{connected(url, api_key, work)} people in {out}")


@contextmanager
def _error_file(path: Path | None, *, again: bool) -> Iterator[Callable[[Json], None]]:
    if path is None:
        told = {"rows": 0}

        def line(one: Json) -> None:
            told["rows"] += 1
            if told["rows"] <= 20:
                say(f"row {one['row']}, {one['field']}: {one['reason']} ({one['remedy']})", err=True)

        yield line
        if told["rows"] > 20:
            say(f"and {told['rows'] - 20} more; --errors FILE keeps them all", err=True)
        return
    mode: Literal["a", "w"] = "a" if again and path.exists() else "w"
    with open(path, mode, encoding="utf-8", newline="", opener=private_opener) as file:
        writer = csv.DictWriter(file, ["row", "field", "reason", "remedy"])
        if mode == "w":
            writer.writeheader()
        yield writer.writerow


@contextmanager
def progress(title: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, a line now and then elsewhere; call what it gives with how many are done."""
    console = Console(stderr=True)
    if not console.is_terminal:
        told = {"at_s": time.monotonic()}

        def line(row: int) -> None:
            if time.monotonic() - told["at_s"] >= _LINE_EVERY_S:
                told["at_s"] = time.monotonic()
                print(f"{title}: {row}" + (f" of about {total}" if total else ""), file=sys.stderr, flush=True)

        yield line
        return
    with Progress(
        TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console, transient=True
    ) as bar:
        task = bar.add_task(title, total=total)
        yield lambda row: bar.update(task, completed=row)


def _lines(table: TableFile) -> int:
    with table.path.open("rb") as file:
        return max(1, sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b"")))
