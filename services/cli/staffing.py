"""`santral staffing`: how many agents keep a service level, by Erlang's formulas or by simulation until chance is out of the answer."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from router.simulator.document import Document, document_of
from router.simulator.quantities import per_second, seconds
from router.simulator.runs import play
from router.simulator.staffing import ITEMS_MAX, Goal, group_of, staffing
from services.cli.console import say
from services.cli.simulation_files import read_document, writable, write_answer
from services.cli.simulation_progress import print_table, processors, progress
from shared.errors import InputRejected

_METHODS: Final = {"erlang_c": "Erlang C", "erlang_a": "Erlang A"}
_ALONE_MAX: Final = 20_000
_ITEMS_MIN, _ITEMS_PER_LOAD = 10_000, 200
_TARGET: Final = re.compile(r"^(\d+(?:\.\d+)?)\s*%?\s*/\s*(.+)$")


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("staffing", help="How many agents: --rate 200/h --aht 180 --target 80/20, or a document and its --group.")
    def command(
        given: Annotated[Path | None, typer.Argument(metavar="[INPUT]", help="A document instead of --rate and --aht.")] = None,
        rate: Annotated[str | None, typer.Option(help="Arrivals: 200/h, 3/min, 0.05/s.")] = None,
        aht: Annotated[str | None, typer.Option(help="Mean handling time: 180, 3m.")] = None,
        target: Annotated[str, typer.Option(help="So many percent within such a time: 80/20, 90/1m.")] = "80/20",
        patience: Annotated[str | None, typer.Option(help="Mean patience: 300, 5m. Without it nobody leaves.")] = None,
        shrinkage: Annotated[float, typer.Option(min=0, max=0.95, help="Share of paid time not at the desk: 0.3.")] = 0.0,
        max_occupancy: Annotated[float | None, typer.Option(min=0.05, max=1, help="Agents busy at most this share.")] = None,
        max_abandonment: Annotated[float | None, typer.Option(min=0, max=1, help="At most this share leaves.")] = None,
        group: Annotated[str | None, typer.Option(help="Whose number is asked for, in a document with several groups.")] = None,
        kind: Annotated[str | None, typer.Option("--class", help="The target of this class instead of everybody's.")] = None,
        runs: Annotated[int | None, typer.Option(min=2, max=1000, help="Simulated runs at first; more where needed.")] = None,
        seed: Annotated[int | None, typer.Option(help="The same seed, the same customers.")] = None,
        by_simulation: Annotated[bool, typer.Option("--simulate", help="Simulate even where a formula is exact.")] = False,
        max_items: Annotated[int, typer.Option(min=1, help="At most so many customers simulated per number.")] = ITEMS_MAX,
        out: Annotated[Path | None, typer.Option(help="Write the answer here as JSON.")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
    ) -> None:
        writable(out, "--out")
        if (given is None) == (rate is None or aht is None):
            raise InputRejected("no work to do", field="--rate", remedy="give --rate and --aht, or a document, and not both")
        document = read_document(given, runs=runs, seed=seed) if given else _simple(rate, aht, patience, runs=runs, seed=seed)
        share, within_s = _goal(target)
        goal = Goal(share=share, within_s=within_s, occupancy_max=max_occupancy, abandonment_max=max_abandonment, kind=kind)
        answer = staffing(document, group_of(document, group), goal, _play, always=by_simulation, items_max=max_items)
        answer = {**answer, "shrinkage": shrinkage, "scheduled": math.ceil(answer["agents"] / (1 - shrinkage) - 1e-9)}
        if out is not None:
            write_answer(out, answer)
        if as_json:
            say(json.dumps(answer, ensure_ascii=False))
        else:
            _show(answer)


def _play(document: Document, numbers: Sequence[int], title: str) -> list[dict[str, Any]]:
    little = (document.horizon.items or _ALONE_MAX) * len(numbers) < _ALONE_MAX  # over before other processes have begun
    with progress(title, len(numbers)) as shown:
        return play(document, numbers, processes=1 if little else processors(), show=shown)


def _simple(rate: str | None, aht: str | None, patience: str | None, *, runs: int | None, seed: int | None) -> Document:
    flow = _read(rate, "--rate", per_second)
    handling_s = _read(aht, "--aht", seconds)
    service = {"kind": "exponential", "mean": handling_s}
    leaving = {} if patience is None else {"patience": {"kind": "exponential", "mean": _read(patience, "--patience", seconds)}}
    return document_of(
        {
            "classes": [{"name": "customers", "arrivals": {"rate": flow}, "service": service, **leaving}],
            "agents": [{"name": "agents"}],
            "horizon": {"items": max(_ITEMS_MIN, math.ceil(_ITEMS_PER_LOAD * flow * handling_s))},
            "runs": runs or 8,
            "seed": 1 if seed is None else seed,
        }
    )


def _read(text: str | None, option: str, reading: Any) -> float:
    try:
        value = float(reading(_plain(text)))
    except ValueError as error:
        raise InputRejected(str(error), field=option, remedy="correct it") from error
    if value <= 0:
        raise InputRejected(f"{text} is not above 0", field=option, remedy="give a number above 0")
    return value


def _plain(text: str | None) -> float | str | None:
    try:
        return float(text or "")
    except ValueError:
        return text


def _goal(text: str) -> tuple[float, float]:
    found = _TARGET.match(text.strip())
    if found is None or not 0 < float(found[1]) <= 100:
        raise InputRejected(f"{text} is not a target", field="--target", remedy="80/20 is 80 % within 20 seconds")
    return float(found[1]) / 100, _read(found[2], "--target", seconds)


def _show(answer: dict[str, Any]) -> None:
    goal = answer["goal"]
    whose = f" of {goal['class']}" if goal["class"] else ""
    scheduled = f"; {answer['scheduled']} scheduled with {100 * answer['shrinkage']:g} % shrinkage" if answer["shrinkage"] else ""
    low, high = answer["between"]
    number = f"{high} agents" if low == high else f"Between {low} and {high} agents"
    say(f"{number} ({answer['group']}) answer {100 * goal['share']:g} %{whose} in {goal['within_s']:g} s{scheduled}.")
    theories = [name for name in ("erlang_c", "erlang_a") if any(one.get(name) for one in answer["tried"])]
    titles = [_METHODS[one] for one in theories]
    table = Table("agents", "in time", "mean wait s", "p99 s", "max s", "leave", "occupancy", "played", *titles)
    for column in table.columns:
        column.justify = "right"
    for one in answer["tried"]:
        half = one["service_level"]["half_width"]
        level = f"{100 * one['service_level']['mean']:.2f}{f' ± {100 * half:.2f}' if half else ''} %"
        told = [f"{100 * one[name]['service_level']:.2f} %" if one[name] else "no end" for name in theories]
        table.add_row(
            f"{'→ ' if low <= one['agents'] <= high else ''}{one['agents']}", level, _mean(one["wait_mean"]),
            _mean(one["wait_p99"]), _mean(one["wait_max"]), _share(one["p_abandon"]), _share(one["occupancy"]),
            f"{one['items']:,}", *told,
        )  # fmt: skip
    print_table(table)
    if answer["method"] in _METHODS:
        say(f"By {_METHODS[answer['method']]}, which is exact here; --simulate plays it. In time: of all who came.")
        return
    percent = 100 * answer["confidence"]
    say(f"{answer['items']:,} customers simulated; mean ± half of the {percent:g} % interval. In time: of all who came.")
    if low != high:
        undecided = f"interval of {low} still holds" if high - low == 1 else f"intervals of {low} to {high - 1} still hold"
        say(f"The {undecided} the target; --max-items lets more be played.")


def _mean(one: dict[str, Any] | None) -> str:
    return "-" if one is None else f"{one['mean']:,.1f}"


def _share(one: dict[str, Any] | None) -> str:
    return "-" if one is None else f"{100 * one['mean']:.1f} %"
