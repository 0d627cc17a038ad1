"""A document's runs, one after the other or on several processors, and what they say together.

The answer does not depend on the number of processes. **Units**: seconds; shares 0..1. Ctrl-C ends the other processes.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Final

from router.simulator.document import Document
from router.simulator.intervals import over_runs
from router.simulator.measures import bins, measures
from router.simulator.offered_run import run_of
from router.simulator.scenario import scenario_of
from router.simulator.trace import Arrival
from shared.errors import Unavailable

FORMAT: Final = "santral.simulation/1"
Show = Callable[[int, float], None]
"""Told which run (from 0) has come how far (0..1)."""


def simulate(
    document: Document, recorded: Sequence[Arrival] = (), *, processes: int = 1, show: Show = lambda run, share: None
) -> dict[str, Any]:
    """Play all runs of a document, against recorded arrivals where given. Returns the answer as JSON, see router/simulator/README.md.

    Raises `InputRejected` for a document that no agent could ever serve.
    """
    scenario = scenario_of(document, recorded)
    told = over_runs(play(document, range(document.runs), recorded, processes=processes, show=show), document.confidence)
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


def play(
    document: Document,
    numbers: Sequence[int],
    recorded: Sequence[Arrival] = (),
    *,
    processes: int = 1,
    show: Show = lambda run, share: None,
) -> list[dict[str, Any]]:
    """The measures of each of these runs, in their order. A run is the same whichever others are played."""
    if processes <= 1 or len(numbers) == 1:
        return [one_run(document, recorded, number, show) for number in numbers]
    return _spread(document, recorded, numbers, min(processes, len(numbers)), show)


def one_run(document: Document, recorded: Sequence[Arrival], number: int, show: Show) -> dict[str, Any]:
    """One run's measures."""
    scenario = scenario_of(document, recorded)
    return measures(run_of(scenario, number).play(lambda share: show(number, share)), scenario)


def _spread(
    document: Document, recorded: Sequence[Arrival], numbers: Sequence[int], processes: int, show: Show
) -> list[dict[str, Any]]:
    """Each process plays every so-many-th run and tells over a pipe of its own: nothing is shared that a killed one could hold."""
    context = multiprocessing.get_context("spawn")
    played: dict[int, dict[str, Any]] = {}
    workers: dict[Connection, SpawnProcess] = {}
    try:
        for first in range(processes):
            ours, theirs = context.Pipe(duplex=False)
            worker = context.Process(target=_work, args=(document, recorded, numbers[first::processes], theirs), daemon=True)
            workers[ours] = worker
            worker.start()
            theirs.close()
        while workers:
            for pipe in wait(list(workers)):
                assert isinstance(pipe, Connection)
                try:
                    number, told = pipe.recv()
                except EOFError:
                    _end(pipe, workers.pop(pipe))
                    continue
                if isinstance(told, float):
                    show(number, told)
                else:
                    played[number] = told
    finally:
        for pipe, worker in workers.items():
            worker.kill()  # it holds nothing that would have to be put back
            worker.join()
            pipe.close()
    if len(played) < len(numbers):
        raise Unavailable(
            f"{len(numbers) - len(played)} of {len(numbers)} runs ended early", remedy="look at memory; try --processes 1"
        )
    return [played[number] for number in numbers]


def _end(pipe: Connection, worker: SpawnProcess) -> None:
    worker.join()
    pipe.close()


def _work(document: Document, recorded: Sequence[Arrival], numbers: Sequence[int], told: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the first process's; it ends us
    for number in numbers:
        told.send((number, one_run(document, recorded, number, lambda run, share: told.send((run, float(share))))))
    told.close()
