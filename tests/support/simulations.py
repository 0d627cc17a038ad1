"""Lines with a known answer: documents for the simulator, and the exact values they must reproduce.

Source: Erlang's and Palm's formulas; Cobham (1954) for strict priority; Kleinrock (1964) for priority that accumulates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from router.simulator.document import Document, document_of
from router.simulator.intervals import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A document without its lengths, and (path into the answer, exact value)."""

    name: str
    document: dict[str, Any]
    exact: tuple[tuple[str, float], ...]
    options: dict[str, Any] = field(default_factory=dict)

    def of(self, items: int, **more: Any) -> Document:
        """The document with so many measured items per run."""
        return document_of({**self.document, "horizon": {"items": items}, "runs": 8, "seed": 7, **more})


def exponential(mean_s: float) -> dict[str, Any]:
    return {"kind": "exponential", "mean": mean_s}


def simple(
    rate: str | float, handling_s: float, agents: int, *, slots: int = 1, comparator: str = "load", order: str = "key", **more: Any
) -> dict[str, Any]:
    """One class, one group."""
    return {
        "queues": {"main": {"comparator": comparator, "order": order}},
        "classes": [{"name": "calls", "arrivals": {"rate": rate}, "service": exponential(handling_s), **more}],
        "agents": [{"name": "team", "count": agents, "slots": slots}],
    }


def two_classes(rates: Sequence[float], agents: int, order: str, *fields: dict[str, Any]) -> dict[str, Any]:
    """Two classes of unit service that differ in some fields."""
    return {
        "queues": {"main": {"order": order}},
        "classes": [
            {"name": name, "arrivals": {"rate": rate}, "service": exponential(1.0), **more}
            for name, rate, more in zip(("first", "second"), rates, fields, strict=True)
        ],
        "agents": [{"name": "team", "count": agents}],
    }


def _delay(per_h: int, handling_s: int, agents: int, p_wait: float, wait_s: float, level: float) -> Line:
    return Line(
        name=f"erlang-c-{per_h}-{handling_s}-{agents}",
        document=simple(f"{per_h}/h", handling_s, agents),
        exact=(
            ("overall.p_wait", p_wait),
            ("overall.wait_all.mean", wait_s),
            ("overall.service_level.20.of_arrived", level),
            ("occupancy", per_h * handling_s / 3600 / agents),
        ),
    )


DELAY = (
    _delay(200, 180, 11, 0.682118, 122.781, 0.38961),
    _delay(200, 180, 12, 0.449388, 40.445, 0.64016),
    _delay(200, 180, 13, 0.285270, 17.116, 0.79560),
    _delay(200, 180, 14, 0.174132, 7.836, 0.88835),
    _delay(360, 240, 28, 0.333139, 19.988, 0.76130),
    _delay(360, 240, 30, 0.172862, 6.914, 0.89515),
)
LEAVING = Line(
    name="erlang-a",
    document=simple("200/h", 180, 14, patience=exponential(300)),
    exact=(
        ("overall.p_wait", 0.14526),
        ("overall.p_abandon", 0.013984),
        ("occupancy", 0.704297),
        ("overall.wait_all.mean", 4.195),
    ),
)
SLOTS = tuple(
    Line(
        name=f"seven-agents-of-two-slots-by-{comparator}",
        document=simple("200/h", 180, 7, slots=2, comparator=comparator),
        exact=(("overall.p_wait", 0.174132), ("overall.wait_all.mean", 7.836), ("overall.service_level.20.of_arrived", 0.88835)),
    )
    for comparator in ("load", "round_robin", "best_skill", "least_flexible")
)
STRICT = Line(
    name="strict-priority",
    document=two_classes((2.7, 6.3), 10, "key", {"urgency": 0}, {"urgency": 1}),
    exact=(
        ("classes.first.wait_all.mean", 0.091607),
        ("classes.second.wait_all.mean", 0.916071),
        ("overall.wait_all.mean", 0.668732),
    ),
)
SLOPES = Line(
    name="slopes",
    document=two_classes((0.3, 0.6), 1, "slope", {"slope": 1}, {"slope": 2}),
    exact=(("classes.first.wait_all.mean", 12.857), ("classes.second.wait_all.mean", 7.0714)),
)
LINES = (*DELAY, LEAVING, *SLOTS, STRICT, SLOPES)


def at(answer: dict[str, Any], path: str) -> Estimate:
    """The estimate at a path like ``overall.wait_all.mean``."""
    found: Any = answer
    for name in path.split("."):
        found = found[name]
    return Estimate(mean=found["mean"], half_width=found["half_width"])
