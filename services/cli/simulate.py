"""`santral simulate`: what waits, service levels and occupancy would be, by the core that runs in production.

From a document (router/simulator/README.md), or with a recorded day against one document or two. `--record` writes such a day
through REST; with `--policy` it also asks a changed policy where it would have put each arrival, and a replay shows both.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from router.simulator.document import Document
from router.simulator.runs import simulate
from router.simulator.trace import Arrival, line_of
from services.cli.console import say
from services.cli.simulation_files import draw, drawable, read_document, read_recorded, writable, write_answer
from services.cli.simulation_progress import print_table, processors, progress
from services.client.policy_file import read_policy_file
from services.client.private_file import private_text
from services.client.rest_client import RestClient
from shared.errors import InputRejected


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("simulate", help="Play a document, or a recorded day, against the dispatch core under a simulated clock.")
    def command(
        given: Annotated[Path | None, typer.Argument(metavar="INPUT", help="The document, JSON or YAML.")] = None,
        replay: Annotated[Path | None, typer.Option(help="A recorded day, one JSON object per line.")] = None,
        compare: Annotated[Path | None, typer.Option(help="A changed document, to show before and after.")] = None,
        out: Annotated[Path | None, typer.Option(help="Write the answer (with --record: the trace) here.")] = None,
        plot: Annotated[Path | None, typer.Option(help="Draw a picture: .svg or .png.")] = None,
        runs: Annotated[int | None, typer.Option(min=1, max=10_000, help="Instead of the document's.")] = None,
        seed: Annotated[int | None, typer.Option(help="Instead of the document's.")] = None,
        processes: Annotated[int, typer.Option(min=0, max=256, help="Runs at the same time; 0: as many as processors.")] = 0,
        as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
        record: Annotated[str | None, typer.Option(metavar="FROM..TO", help="Record a time range of a deployment instead.")] = None,
        policy: Annotated[Path | None, typer.Option(help="With --record: a changed policy to ask about each arrival.")] = None,
        url: Annotated[
            str, typer.Option(envvar="SANTRAL_API_URL", help="Where the API is (for --record).")
        ] = "http://127.0.0.1:8080",
        api_key: Annotated[
            str,
            typer.Option(
                envvar="SANTRAL_API_KEY", help="A key with events:read; with --policy, config:read and conversations:read."
            ),
        ] = "",
    ) -> None:
        writable(out, "--out")
        drawable(plot)
        if record is not None:
            say(asyncio.run(_record(record, out, policy, url, api_key)))
            return
        if policy is not None:
            raise InputRejected("asks a deployment", field="--policy", remedy="use it with --record, then replay what that wrote")
        if given is None:
            raise InputRejected(
                "no document", field="INPUT", remedy="name a JSON or YAML file; router/simulator/README.md has an example"
            )
        before = read_document(given, runs=runs, seed=seed)
        after = None if compare is None else read_document(compare, runs=runs, seed=seed)
        day = None if replay is None else read_recorded(replay, before)
        changed = day if replay is None or after is None else read_recorded(replay, after)
        parts = [("", before, day.recorded if day else ())]
        if after is not None or (day is not None and day.changed is not None):
            parts = [
                ("before ", *parts[0][1:]),
                ("after ", after or before, (changed.changed or changed.recorded) if changed else ()),
            ]
        answers = [
            (title, _play(title or "simulate ", document, arrivals, processes or processors()))
            for title, document, arrivals in parts
        ]
        if plot is not None:
            draw(plot, answers)
        told = told_as_json(answers)
        if day is not None and day.changed is not None:
            told["elsewhere"] = day.elsewhere
        if out is not None:
            write_answer(out, told)
        if as_json:
            say(json.dumps(told, ensure_ascii=False))
        else:
            show(answers)
            if day is not None and day.changed is not None:
                say(f"{day.elsewhere:,} of {len(day.recorded):,} arrivals go to another queue after the change")


def told_as_json(answers: Sequence[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """One answer as it is, two as before and after; without what only a picture needs."""
    lean = [(title.strip(), {name: value for name, value in answer.items() if name != "curves"}) for title, answer in answers]
    return lean[0][1] if len(lean) == 1 else dict(lean)


def show(answers: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """For people: a row per class, mean and half of the interval."""
    first = answers[0][1]
    threshold = next(iter(first["overall"]["service_level"]), None)
    heads = ["class", "arrived", "waits", "mean s", "p50 s", "p90 s", "p99 s", "max s", "leaves", "unserved"]
    table = Table(*heads, *([f"in {threshold} s"] if threshold else []))
    for column in table.columns[1:]:
        column.justify = "right"
    for title, answer in answers:
        for name, one in [*answer["classes"].items(), ("all", answer["overall"])]:
            wait = one["wait_all"]
            level = [_percent(one["service_level"][threshold]["of_arrived"])] if threshold else []
            table.add_row(
                f"{title}{name}", _number(one["arrived"]), _percent(one["p_wait"]),
                *(_number(wait[name]) for name in ("mean", "p50", "p90", "p99", "max")),
                _percent(one["p_abandon"]), _number(one["unserved"]), *level,
            )  # fmt: skip
    print_table(table)
    for title, answer in answers:
        groups = ", ".join(f"{name} {_percent(one['occupancy'])}" for name, one in answer["groups"].items())
        say(f"{title}occupancy: {_percent(answer['occupancy'])} ({groups})")
    confidence = f"{100 * first['confidence']:g} %"
    say(f"{first['runs']} runs, seed {first['seed']}; mean ± half of the {confidence} interval; waits over everybody who came")


def _play(title: str, document: Document, recorded: Sequence[Arrival], processes: int) -> dict[str, Any]:
    with progress(title.strip(), document.runs) as shown:
        return simulate(document, recorded, processes=processes, show=shown)


def _number(one: dict[str, Any] | None) -> str:
    return _with_half(one, 1.0, "")


def _percent(one: dict[str, Any] | None) -> str:
    return _with_half(one, 100.0, " %")


def _with_half(one: dict[str, Any] | None, factor: float, unit: str) -> str:
    if one is None:
        return "-"
    half = f" ± {factor * one['half_width']:,.4g}" if one["half_width"] else ""
    return f"{factor * one['mean']:,.4g}{half}{unit}" if abs(factor * one["mean"]) < 1e4 else f"{factor * one['mean']:,.0f}{unit}"


async def _record(span: str, out: Path | None, policy: Path | None, url: str, api_key: str) -> str:
    begins, dots, ends = span.partition("..")
    if not (dots and begins and ends):
        raise InputRejected(f"{span} is not a time range", field="--record", remedy="2026-05-04T00:00Z..2026-05-05T00:00Z")
    if out is None:
        raise InputRejected("no file to write", field="--out", remedy="name one, for example --out day.jsonl")
    if not api_key:
        raise InputRejected("no API key", field="--api-key", remedy="give it, or set SANTRAL_API_KEY")
    count = 0
    async with RestClient(url, api_key) as client:
        rows = client.pages(f"/v1/reports/arrivals?from={_quoted(begins)}&to={_quoted(ends)}")
        if policy is not None:
            asked = {"from": begins.strip(), "to": ends.strip(), "document": read_policy_file(policy).document}
            rows = _asked(client, asked)
        with private_text(out) as file:
            async for row in rows:
                file.write(line_of(row) + "\n")
                count += 1
    return f"{count} arrivals are in {out}"


async def _asked(client: RestClient, asked: dict[str, Any]) -> AsyncIterator[Any]:
    while True:
        page = await client.call("POST", "/v1/reports/arrivals", asked)
        for row in page["items"]:
            yield row
        if page["next"] is None:
            return
        asked["cursor"] = page["next"]


def _quoted(moment: str) -> str:
    return moment.strip().replace("+", "%2B").replace(" ", "%20")
