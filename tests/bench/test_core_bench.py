"""The dispatch core by itself, and the simulator: decisions a second with 50,000 waiting, taking that state over, items a second."""

from __future__ import annotations

import os
import random
import statistics
import time
from collections import deque
from dataclasses import replace
from uuid import UUID

import pytest

from router.dispatch.agents import AgentState, Pull
from router.dispatch.core import Dispatch
from router.dispatch.vocabulary import ItemRemoved, QueueState, Reserve, Told
from router.item.admission import ChannelRule
from router.item.item import ItemState, Terms
from router.item.plan import Plan, Step
from router.simulator.document import document_of
from router.simulator.runs import simulate
from services.cli.simulation_progress import processors
from tests.support.figures import Figures
from tests.support.simulations import simple

WAITING, AGENTS, QUEUES, TOGETHER = 50_000, 10_000, 100, 200
DECISIONS = int(os.environ.get("SANTRAL_BENCH_DECISIONS", "100000"))
ITEMS = int(os.environ.get("SANTRAL_BENCH_ITEMS", "50000"))
TERMS = Terms(channel="email", auto_accept=True, grace_s=None)
RULES = {"email": ChannelRule(cost=20, cap=5)}
NEEDS = (Plan(), *(Plan((Step(requires=one),)) for one in ((("tr", 2),), (("en", 2),), (("en", 4),))))
QUEUE_IDS = [UUID(int=number + 1) for number in range(QUEUES)]

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]


class FullHouse:
    """Agents who are all busy and a line that never gets shorter: who finishes something gets the next, and one more comes."""

    def __init__(self, *, explain: bool) -> None:
        self.chance = random.Random(1)
        self.core = Dispatch(sure=True, explain=explain)
        self.agents = [self._agent(number) for number in range(AGENTS)]
        self.came = 0

    def _agent(self, number: int) -> AgentState:
        skills = {"tr": self.chance.randint(1, 5), "en": self.chance.randint(1, 5)}
        queues = dict.fromkeys(self.chance.sample(QUEUE_IDS, 2), Pull())
        return AgentState(
            id=UUID(int=1_000_000 + number), version=1, queues=queues, channels=RULES, skills=skills, used=100, counts={"email": 5}
        )

    def customer(self, now: float) -> ItemState:
        self.came += 1
        return ItemState(
            id=UUID(int=self.came), version=1, state="queued", terms=TERMS, queue=self.chance.choice(QUEUE_IDS), due=now + 14_400,
            enqueued_at=now, plan=self.chance.choice(NEEDS),
        )  # fmt: skip

    def take_over(self) -> float:
        told: list[Told] = [QueueState(id=queue, comparator="load") for queue in QUEUE_IDS]
        told += [*self.agents, *(self.customer(-self.chance.random() * 3600) for _ in range(WAITING))]
        began = time.perf_counter()
        assert self.core.steps(told, 0.0) == []
        assert self.core.waiting == WAITING
        return time.perf_counter() - began

    def decide_together(self, count: int, together: int) -> float:
        """Processor seconds spent in decisions when so many agents finish something in one step."""
        spent = 0.0
        for turn in range(count // together):
            now = 1_000 + turn / 100
            places = self.chance.sample(range(AGENTS), together)
            rows = [
                replace(self.agents[place], version=self.agents[place].version + 1, used=80, counts={"email": 4}, idle_since=now)
                for place in places
            ]
            began = time.thread_time()
            effects = self.core.steps(rows, now)
            spent += time.thread_time() - began
            assert len(effects) == together
            for place, row in zip(places, rows, strict=True):
                self.agents[place] = replace(row, version=row.version + 1, used=100, counts={"email": 5})
            gone = [ItemRemoved(id=effect.item, version=9) for effect in effects if isinstance(effect, Reserve)]
            assert self.core.steps((*gone, *(self.customer(now) for _ in gone)), now) == []
        return spent

    def decide(self, count: int) -> tuple[float, float, list[float]]:
        """Processor seconds spent in decisions, and in all of the core; how long each decision took."""
        steps = self.core.steps
        deciding, telling, each = 0.0, 0.0, []
        finished: deque[UUID] = deque()
        for number in range(1, count + 1):
            now = number / 10_000
            place = self.chance.randrange(AGENTS)
            row = replace(self.agents[place], version=self.agents[place].version + 1, used=80, counts={"email": 4}, idle_since=now)
            began, used = time.perf_counter(), time.thread_time()
            (reserve,) = steps((row,), now)
            deciding += time.thread_time() - used
            each.append(time.perf_counter() - began)
            assert isinstance(reserve, Reserve)
            assert reserve.agent == row.id
            self.agents[place] = replace(row, version=row.version + 1, used=100, counts={"email": 5})
            finished.append(reserve.item)
            told = (ItemRemoved(id=finished.popleft(), version=9), self.customer(now))
            used = time.thread_time()
            assert steps(told, now) == []
            telling += time.thread_time() - used
        return deciding, deciding + telling, each


def test_decisions_of_the_core() -> None:
    figures = Figures(f"The core alone: {WAITING:,} waiting, {AGENTS:,} agents in {QUEUES} queues, skills on (processor time)")
    for explain in (False, True):
        full = FullHouse(explain=explain)
        took_over_s = full.take_over()
        deciding_s, all_s, each = full.decide(DECISIONS)
        what = "with their records" if explain else "bare"
        if not explain:
            figures.add("take-over of that state", f"{took_over_s:.2f} s", "5 s", f"{took_over_s / 5:.2f}")
        figures.add(f"decisions {what}", f"{DECISIONS / deciding_s:,.0f}/s", "50,000/s", f"{DECISIONS / deciding_s / 50_000:.2f}")
        figures.add(f"  and one who comes, one who is done, {what}", f"{DECISIONS / all_s:,.0f}/s")
        p99_ms = 1000 * statistics.quantiles(each, n=100)[98]
        figures.add(f"  p99 of a decision {what}", f"{p99_ms:.3f} ms", "100 ms")
        assert full.core.waiting == WAITING
        together_s = full.decide_together(DECISIONS // 5, TOGETHER)
        figures.add(f"  {TOGETHER} at once, {what}", f"{DECISIONS // 5 / together_s:,.0f}/s")
    print(figures.show())


def test_items_of_the_simulator() -> None:
    figures = Figures(f"The simulator: M/M/14, 8 runs of {ITEMS:,} items")
    document = document_of({**simple("200/h", 180, 14), "horizon": {"items": ITEMS}, "runs": 8})
    items = 8 * (ITEMS + ITEMS // 10)
    for processes in dict.fromkeys((1, processors())):
        began = time.perf_counter()
        answer = simulate(document, processes=processes)
        rate = items / (time.perf_counter() - began)
        figures.add(
            f"{processes} process{'es' if processes > 1 else ''}", f"{rate:,.0f} items/s", "15,000/s", f"{rate / 15_000:.2f}"
        )
        assert answer["overall"]["arrived"]["mean"] == ITEMS
    print(figures.show())
