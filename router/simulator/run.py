"""One run: customers come, the core says who takes them, work ends, patience ends. The core is the one of production.

It is told what its shell would tell it, row by row, and it alone decides. Random numbers come from one stream per class and purpose,
so two scenarios with one seed meet the same customers; service is drawn when it begins, so that the same amounts of work are done
in the same order whatever the order of the queue is. **Units**: seconds from 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush
from random import Random
from typing import Any, Final
from uuid import UUID

from router.dispatch.core import Dispatch
from router.dispatch.vocabulary import Escalate, ItemRemoved, Reserve, Told, Widen
from router.item.item import ItemState
from router.item.plan import Plan
from router.simulator.desk import SimulatedDesk
from router.simulator.flow import moments
from router.simulator.observation import Observation
from router.simulator.scenario import Kind, Scenario, Worker, plan_for
from router.simulator.trace import Arrival

_SHOW_EVERY: Final = 4096
_WAITING, _FINAL = 1, 2  # versions of an item: as it comes, and when it is assigned or gone


class Customer:
    """One who came. ``handling_s`` None: drawn when work begins."""

    __slots__ = ("at", "counted", "handling_s", "id", "kind", "waiting")

    def __init__(self, number: int, kind: Kind, at: float, handling_s: float | None, counted: bool) -> None:
        self.id = UUID(int=number)
        self.kind = kind
        self.at = at
        self.handling_s = handling_s
        self.counted = counted
        self.waiting = True


class Run:
    """One run of a scenario; :meth:`play` it once."""

    def __init__(self, scenario: Scenario, number: int) -> None:
        self._scenario = scenario
        self._number = number
        self._core = Dispatch(sure=True, explain=False)
        self._desks = {worker.row.id: SimulatedDesk(worker, self._own_service(worker)) for worker in scenario.workers}
        self._waiting: dict[UUID, Customer] = {}
        self._events: list[tuple[float, int, Callable[[Any], None], Any]] = []
        self._scheduled = 0
        self._came = 0
        self._measured = 0
        self._rows: dict[UUID, ItemState] = {}  # of items that may be offered, wait for somebody or park
        self._prepare()
        self._flowing = sum(1 for kind in scenario.kinds if kind.arrivals is not None)
        self._now = 0.0
        self._measuring = self._ended = False
        self._observation = Observation(scenario.kinds)
        self._patience = [self._stream(kind.name, "patience") for kind in scenario.kinds]
        self._service = [self._stream(kind.name, "service") for kind in scenario.kinds]
        self._wrap = [self._stream(kind.name, "wrap") for kind in scenario.kinds]

    def _stream(self, *purpose: str) -> Random:
        return Random("/".join((str(self._scenario.seed), str(self._number), *purpose)))  # noqa: S311  chance, not a secret

    def _prepare(self) -> None:
        """Where a run with offers gets what it needs."""

    def _own_service(self, worker: Worker) -> dict[int, Any]:
        return {
            kind.number: (worker.service[kind.name], self._stream(kind.name, "service", worker.name))
            for kind in self._scenario.kinds
            if kind.name in worker.service
        }

    def play(self, show: Callable[[float], None]) -> Observation:
        """From the first arrival until nobody waits whom anybody could serve.

        ``show`` is told now and then which share (0..1) of the run is over.
        """
        core, events = self._core, self._events
        self._open()
        while True:
            wake = core.next_wake_at
            if wake is not None and (not events or wake <= events[0][0]) and (events or self._waiting or self._rows):
                self._now = max(wake, self._now)
                self._tell(())
                continue
            if not events:
                break
            self._now, number, happens, subject = heappop(events)
            happens(subject)
            if not number % _SHOW_EVERY:
                show(self._share())
        if not self._ended:
            self._end(None)
        for customer in self._waiting.values():
            if customer.counted:
                self._observation.waits[customer.kind.number].unserved += 1
        show(1.0)
        return self._observation

    def _open(self) -> None:
        scenario = self._scenario
        self._tell((*scenario.queues, *(worker.row for worker in scenario.workers)))
        if scenario.warm_up_s:
            self._at(scenario.warm_up_s, self._begin, None)
        elif not scenario.warm_up_items:
            self._begin(None)
        for desk in self._desks.values():
            for start, end in desk.worker.shifts:
                self._at(start, self._come, desk)
                self._at(end, self._go, desk)
        for kind in scenario.kinds:
            for one in kind.recorded:
                self._at(one.at, self._replay, (kind, one))
            if kind.arrivals is not None:
                self._next(kind, moments(kind.arrivals, self._stream(kind.name, "arrivals")))

    def _at(self, at: float, happens: Callable[[Any], None], subject: Any) -> None:
        self._scheduled += 1
        heappush(self._events, (at, self._scheduled, happens, subject))

    def _share(self) -> float:
        scenario = self._scenario
        if scenario.items is not None:
            return min(1.0, self._came / (scenario.warm_up_items + scenario.items))
        return min(1.0, self._now / (scenario.warm_up_s + (scenario.time_s or 1.0)))

    def _tell(self, told: Iterable[Told]) -> None:
        """Tell the core, and do what it asks."""
        for effect in self._core.steps(told, self._now):
            if isinstance(effect, Reserve):
                customer = self._waiting.pop(effect.item)
                self._desks[effect.agent].ask((customer.kind.queue, effect.queue), self._now, new=True)
                self._start(customer, self._desks[effect.agent])
            elif isinstance(effect, Widen):
                self._observation.widened += 1
            else:
                assert isinstance(effect, Escalate), f"nothing here lets time do this to an item: {effect}"
                self._observation.escalated += 1

    # --- what is measured

    def _begin(self, _: None) -> None:
        self._measuring = True
        self._observation.began_at = self._now
        for desk in self._desks.values():
            desk.begin(self._now)
        if self._scenario.time_s is not None:
            self._at(self._now + self._scenario.time_s, self._end, None)

    def _end(self, _: None) -> None:
        if self._ended:
            return
        self._ended = True
        self._observation.ended_at = self._now
        for desk in self._desks.values():
            self._observation.uses[desk.worker.name] = (desk.worker.group, desk.use(self._now))

    # --- agents

    def _come(self, desk: SimulatedDesk) -> None:
        self._tell((desk.appear(self._now, there=True),))

    def _go(self, desk: SimulatedDesk) -> None:
        self._tell((desk.appear(self._now, there=False),))

    # --- customers

    def _next(self, kind: Kind, flow: Iterator[float]) -> None:
        at = next(flow, None)
        if at is not None:
            self._at(at, self._arrive, (kind, flow))
            return
        self._flowing -= 1
        if not self._flowing and self._scenario.time_s is None:
            self._end(None)

    def _arrive(self, subject: tuple[Kind, Iterator[float]]) -> None:
        kind, flow = subject
        if not self._ended:
            patience_s = None if kind.patience is None else kind.patience(self._patience[kind.number])
            self._enter(kind, kind.plan, patience_s, None)
            self._next(kind, flow)

    def _replay(self, subject: tuple[Kind, Arrival]) -> None:
        kind, one = subject
        patience_s = one.patience_s
        if patience_s is None and kind.patience is not None:
            patience_s = kind.patience(self._patience[kind.number])
        plan = kind.plan if one.requires is None else plan_for(one.requires)
        self._enter(kind, plan, patience_s, one.handling_s, one.earlier_s if kind.keyed else 0.0)

    def _enter(self, kind: Kind, plan: Plan, patience_s: float | None, handling_s: float | None, earlier_s: float = 0.0) -> None:
        scenario, now = self._scenario, self._now
        if not self._measuring and not scenario.warm_up_s and self._came >= scenario.warm_up_items:
            self._begin(None)
        self._came += 1
        customer = Customer(self._came, kind, now, handling_s, self._measuring and not self._ended)
        self._waiting[customer.id] = customer
        row = ItemState(
            id=customer.id,
            version=_WAITING,
            state="queued",
            terms=kind.terms,
            queue=kind.queue,
            due=now + kind.lead_s - earlier_s,
            enqueued_at=now,
            urgency=kind.urgency,
            plan=plan,
            step_at=now,
            slope=kind.slope,
        )
        if customer.counted:
            self._measured += 1
        self._tell((row if kind.asking is None else self._known(customer, row),))
        if customer.waiting and patience_s is not None:
            self._at(now + patience_s, self._leave, customer)
        if self._measured == scenario.items:
            self._end(None)

    def _known(self, customer: Customer, row: ItemState) -> ItemState:
        """The row of a customer who may be offered, wait for somebody or park."""
        raise AssertionError("a class with offers is played by a run with offers")

    def _start(self, customer: Customer, desk: SimulatedDesk) -> None:
        service_s = self._work_s(customer, desk)
        self._served(customer)
        desk.take(customer.kind.terms.channel, self._now)
        self._at(self._now + service_s, self._finish, (customer, desk))

    def _served(self, customer: Customer) -> None:
        customer.waiting = False
        if customer.counted:
            waits = self._observation.waits[customer.kind.number]
            waits.served.append(self._now - customer.at)
            waits.served_at.append(customer.at)

    def _work_s(self, customer: Customer, desk: SimulatedDesk) -> float:
        """How long the work takes that begins now, with its wrap-up."""
        kind, service_s = customer.kind, customer.handling_s
        if service_s is None:
            own = desk.service.get(kind.number)
            if own is not None:
                service_s = own[0](own[1])
            else:
                assert kind.service is not None, "a scenario says how long its work takes"
                service_s = kind.service(self._service[kind.number])
        if kind.wrap is not None:
            service_s += kind.wrap(self._wrap[kind.number])
        return service_s

    def _finish(self, subject: tuple[Customer, SimulatedDesk]) -> None:
        customer, desk = subject
        row = desk.give_back(customer.kind.terms.channel, self._now)
        self._tell((ItemRemoved(id=customer.id, version=_FINAL), row))

    def _leave(self, customer: Customer) -> None:
        if not customer.waiting:
            return
        self._abandoned(customer)
        self._tell((ItemRemoved(id=customer.id, version=_FINAL),))

    def _abandoned(self, customer: Customer) -> None:
        customer.waiting = False
        del self._waiting[customer.id]
        if customer.counted:
            waits = self._observation.waits[customer.kind.number]
            waits.abandoned.append(self._now - customer.at)
            waits.abandoned_at.append(customer.at)
