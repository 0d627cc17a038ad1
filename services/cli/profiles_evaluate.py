"""`santral profiles evaluate`: how good suggestions and automatic merges are on a labelled list; nothing leaves the machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from services.cli.console import say
from services.client.labelled_list import THRESHOLD, Question, Shown, evaluated

Files = Annotated[list[Path], typer.Option("--csv", help="CSV or JSON Lines; twice: pairs of the two files.")]
Maps = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        help="kind=column, like family_name=surname; again, or with commas; birth_year=, birth_month=, birth_day=. Left out: guessed.",
    ),
]


def add_to(group: typer.Typer) -> None:
    """Adds the command."""
    group.command("evaluate", help="Precision, recall and speed of suggestions and automatic rules on a labelled list.")(_evaluate)


def _evaluate(
    files: Files,
    maps: Maps = None,
    truth: Annotated[str | None, typer.Option("--truth", help="The column that is equal for duplicates.")] = None,
    truth_pattern: Annotated[
        str | None, typer.Option("--truth-pattern", help="Its part that counts: a pattern with one group.")
    ] = None,
    pairs: Annotated[Path | None, typer.Option("--pairs", help="Instead of --truth: a file of two id columns.")] = None,
    id_column: Annotated[str | None, typer.Option("--id", help="The column those ids stand in.")] = None,
    delimiter: Annotated[str | None, typer.Option("--delimiter", help="Left out: found in the first line.")] = None,
    encoding: Annotated[str | None, typer.Option("--encoding", help="Left out: UTF-8, or UTF-16 with its mark.")] = None,
    train: Annotated[bool, typer.Option("--train", help="Learn the weights from the list itself, without its labels.")] = False,
    within: Annotated[bool, typer.Option("--within", help="With several files: pairs inside a file, too.")] = False,
    threshold: Annotated[float, typer.Option("--threshold", help="The weight in bits from which a pair is suggested.")] = THRESHOLD,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    question = Question(
        files=files, maps=maps or (), truth=truth, truth_pattern=truth_pattern, pairs=pairs, id_column=id_column,
        delimiter="\t" if delimiter in ("\\t", "tab") else delimiter, encoding=encoding, train=train, within=within,
        threshold=threshold,
    )  # fmt: skip
    with _progress() as shown:
        report = evaluated(question, shown)
    if as_json:
        say(json.dumps(report, ensure_ascii=False))
        return
    _print(report)


@contextmanager
def _progress() -> Iterator[Shown]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _what, _share: None
        return
    columns = (TextColumn("{task.description:<28}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("reading", total=1.0)
        yield lambda what, share: bar.update(task, description=what, completed=share)


def _with(field: dict[str, Any]) -> str:
    others = [column for column in field.get("parts", ()) if column not in field["column"].split("+")]
    return f" (with {', '.join(others)})" if others else ""


def _print(report: dict[str, Any]) -> None:
    compared = ", ".join(f"{field['column']} as {field['kind']}{_with(field)}" for field in report["fields"])
    if report["repeated_columns"]:
        say(f"not compared, for a date says it already: {', '.join(report['repeated_columns'])}")
    blocking, chosen, automatic, best = report["blocking"], report["suggestions"], report["automatic"], report["best"]
    say(f"{report['rows']} rows, {report['true_pairs']} true pairs; compared: {compared}")
    say(
        f"blocking: {blocking['pairs']} of {blocking['comparable_pairs']} pairs compared (reduction {blocking['reduction_ratio']:.4%}),"
        f" {blocking['pair_completeness']:.2%} of the true ones among them"
    )
    table = Table(
        "weight", "probability", "suggested", "right", "precision", "recall", "F1", title="suggestions", title_justify="left"
    )
    for row in report["thresholds"]:
        table.add_row(
            f"{row['weight']:g}", f"{row['probability']:.4f}", str(row["pairs"]), str(row["right"]), f"{row['precision']:.4f}",
            f"{row['recall']:.4f}", f"{row['f1']:.4f}",
        )  # fmt: skip
    Console(width=None if Console().is_terminal else 120).print(table)
    say(
        f"at {chosen['weight']:g}: precision {chosen['precision']:.4f}, recall {chosen['recall']:.4f}, F1 {chosen['f1']:.4f}"
        f"; the best threshold afterwards would be {best['weight']}: F1 {best['f1']:.4f}"
    )
    say(f"automatic rules: {automatic['pairs']} merges, precision {automatic['precision']:.4f}, recall {automatic['recall']:.4f}")
    say(f"{report['rows_per_s']:.0f} rows/s ({report['took_s']:.2f} s)")
