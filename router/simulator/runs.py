"""A document's runs, one after the other or on several processors, and what they say together.

The answer does not depend on the number of processes. **Units**: seconds; shares 0..1. Ctrl-C ends the other processes.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Sequence
from multiprocessing.queues import Queue
from typing import Any, Final

from router.simulator.document import Document
from router.simulator.intervals import over_runs
from router.simulator.measures import bins, measures
from router.simulator.run import Run
from router.simulator.scenario import scenario_of
from router.simulator.trace import Arrival

FORMAT: Final = "santral.simulation/1"
_LOOK_S: Final = 0.2
Show = Callable[[int, float], None]
"""Told which run (from 0) has come how far (0..1)."""

_told: Queue[tuple[int, float]] | None = None  # a worker's way to say how far it is


def simulate(
    document: Document, recorded: Sequence[Arrival] = (), *, processes: int = 1, show: Show = lambda run, share: None
) -> dict[str, Any]:
    """Play all runs of a document, against recorded arrivals where given. Returns the answer as JSON, see router/README.md.

    Raises `InputRejected` for a document that no agent could ever serve.
    """
    scenario = scenario_of(document, recorded)
    if processes <= 1 or document.runs == 1:
        played = [one_run(document, recorded, number, show) for number in range(document.runs)]
    else:
        played = _spread(document, recorded, min(processes, document.runs), show)
    told = over_runs(played, document.confidence)
    if scenario.span_s is not None:
        stretches = bins(scenario.warm_up_s, scenario.span_s)
        told["over_time"] = [
            {"from_s": begins, "to_s": ends, **one} for (begins, ends), one in zip(stretches, told["over_time"], strict=True)
        ]
    return {
        "format": FORMAT,
        "runs": document.runs,
        "seed": document.seed,
        "confidence": document.confidence,
        "horizon": document.horizon.model_dump() if not recorded else {"items": len(recorded), "time": None},
        "warm_up": {"items": scenario.warm_up_items, "time": scenario.warm_up_s},
        "agents_count": len(scenario.workers),
        **told,
    }


def one_run(document: Document, recorded: Sequence[Arrival], number: int, show: Show) -> dict[str, Any]:
    """One run's measures."""
    scenario = scenario_of(document, recorded)
    return measures(Run(scenario, number).play(lambda share: show(number, share)), scenario)


def _spread(document: Document, recorded: Sequence[Arrival], processes: int, show: Show) -> list[dict[str, Any]]:
    context = multiprocessing.get_context("spawn")
    told: Queue[tuple[int, float]] = context.Queue()
    played: list[dict[str, Any]] = []
    with context.Pool(processes, _begin_process, (told,)) as pool:
        found = pool.imap(_one, [(document, recorded, number) for number in range(document.runs)])
        while len(played) < document.runs:
            with contextlib.suppress(multiprocessing.TimeoutError):  # then nothing is finished yet
                played.append(found.next(_LOOK_S))
            while not told.empty():
                show(*told.get())
    return played


def _begin_process(told: Queue[tuple[int, float]]) -> None:
    global _told
    _told = told
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the first process's; it ends us


def _one(asked: tuple[Document, Sequence[Arrival], int]) -> dict[str, Any]:
    document, recorded, number = asked
    assert _told is not None, "a worker is told where to report"
    told = _told
    return one_run(document, recorded, number, lambda run, share: told.put((run, share)))
