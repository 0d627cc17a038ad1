"""A run in which agents are asked, customers wait for the agent of before, and work waits for the customer.

Each item's row is moved by the one transition function of production; here is only what people do: answer, decline, say nothing,
write again. Who says nothing is not responding until their group's ``back_after``. A customer's wait ends when an agent accepts; waits
after waking are counted apart. **Units**: seconds from 0. **Identity**: an item by its id, a happening by the row's version it meets.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from random import Random
from uuid import UUID

from router.dispatch.vocabulary import Advance, Escalate, Reserve, Told, Widen
from router.item.item import FINAL, ItemState, is_new_to
from router.item.transition import Change, transition
from router.simulator.desk import SimulatedDesk
from router.simulator.observation import Asked
from router.simulator.run import Customer, Run
from router.simulator.scenario import Asking, Scenario


class OfferedRun(Run):
    """One run; :meth:`play` it once. Classes that ask nobody are played as in :class:`Run`."""

    def _prepare(self) -> None:
        kinds = self._scenario.kinds
        self._customers: dict[UUID, Customer] = {}
        self._servers: list[list[UUID]] = [[] for _ in kinds]
        self._answers = [self._stream(kind.name, "answers") for kind in kinds]
        self._returns = [self._stream(kind.name, "returns") for kind in kinds]
        self._replies = [self._stream(kind.name, "replies") for kind in kinds]

    def _known(self, customer: Customer, row: ItemState) -> ItemState:
        number, asking = customer.kind.number, _asking(customer)
        if asking.returning:
            returns, served = self._returns[number], self._servers[number]
            if served and returns.random() < asking.returning:
                row = replace(row, preferred=returns.choice(served), wait_until=self._now + asking.wait_for_s)
                if customer.counted:
                    self._asked(customer).returning += 1
        self._rows[row.id] = row
        self._customers[row.id] = customer
        return row

    def _tell(self, told: Iterable[Told]) -> None:
        """Tell the core, and do what it asks; what time did to an item is told at once."""
        for effect in self._core.steps(told, self._now):
            if isinstance(effect, Reserve):
                if effect.item in self._rows:
                    self._reserved(effect)
                else:
                    customer = self._waiting.pop(effect.item)
                    self._desks[effect.agent].ask((customer.kind.queue, effect.queue), self._now, new=True)
                    self._start(customer, self._desks[effect.agent])
            elif isinstance(effect, Widen):
                self._observation.widened += 1
                if effect.item in self._rows:
                    self._rows[effect.item] = replace(self._rows[effect.item], step=effect.step, step_at=effect.step_at)
            elif isinstance(effect, Advance):
                # After this answer: the core is told again only when it has said all.
                self._at(self._now, self._passed, effect)
            else:
                assert isinstance(effect, Escalate)
                self._observation.escalated += 1

    def _asked(self, customer: Customer) -> Asked:
        found = self._observation.asked[customer.kind.number]
        assert found is not None
        return found

    def _move(self, customer: Customer, change: Change) -> ItemState:
        row = self._rows[customer.id] = transition(self._rows[customer.id], change, self._now)
        return row

    # --- offers

    def _reserved(self, effect: Reserve) -> None:
        customer, desk = self._customers[effect.item], self._desks[effect.agent]
        before = self._rows[customer.id]
        desk.ask((before.queue, effect.queue), self._now, new=is_new_to(before, effect.agent))
        if effect.kind == "assign":
            self._move(customer, Change(trigger="assign", agent=effect.agent))
            desk.lend(customer.kind.terms.channel, self._now)
            self._taken(customer, desk, before)
            return
        row = self._move(customer, Change(trigger="offer", agent=effect.agent))
        desk.lend(customer.kind.terms.channel, self._now)
        if customer.counted:
            asked = self._asked(customer)
            asked.offers += 1
            asked.asked += before.last_offered is None and not before.exclusions and customer.waiting
        asking, answers = _asking(customer), self._answers[customer.kind.number]
        delay_s = 0.0 if asking.delay is None else asking.delay(answers)
        declines = _chance(answers, asking.decline)
        if delay_s < row.terms.offer_s:
            self._at(self._now + delay_s, self._answer, (customer, desk, row, before, declines))

    def _answer(self, subject: tuple[Customer, SimulatedDesk, ItemState, ItemState, bool]) -> None:
        customer, desk, offered, before, declines = subject
        if self._rows.get(customer.id) is not offered:
            return  # the customer left meanwhile
        if declines:
            if customer.counted:
                self._asked(customer).declined += 1
            row = self._move(customer, Change(trigger="decline", agent=offered.agent))
            self._tell((row, desk.release(customer.kind.terms.channel, self._now)))
            return
        row = self._move(customer, Change(trigger="accept", agent=offered.agent))
        self._taken(customer, desk, before)
        self._tell((row,))

    def _passed(self, effect: Advance) -> None:
        row = self._rows.get(effect.item)
        if row is None or row.version != effect.item_version:
            return
        customer = self._customers[effect.item]
        assert effect.trigger == "offer_expired", f"nothing here lets time do this to an item: {effect}"
        assert row.agent is not None
        desk = self._desks[row.agent]
        if customer.counted:
            self._asked(customer).expired += 1
        row = self._move(customer, Change(trigger="offer_expired"))
        desk.release(customer.kind.terms.channel, self._now)
        told = desk.respond(responding=False)
        self._at(self._now + desk.worker.back_after_s, self._back, desk)
        self._tell((row, told))

    def _back(self, desk: SimulatedDesk) -> None:
        self._tell((desk.respond(responding=True),))

    # --- work

    def _taken(self, customer: Customer, desk: SimulatedDesk, before: ItemState) -> None:
        now, number = self._now, customer.kind.number
        hit = before.preferred == desk.row.id
        if customer.waiting:
            del self._waiting[customer.id]
            self._served(customer)
            if customer.counted:
                self._asked(customer).sticky_hits += hit
        elif customer.counted:
            asked = self._asked(customer)
            asked.wakes.append(now - before.enqueued_at)
            asked.wake_hits += hit
        if _asking(customer).returning:
            self._servers[number].append(desk.row.id)
        desk.items += 1
        self._at(now + self._work_s(customer, desk), self._finish, (customer, desk))

    def _finish(self, subject: tuple[Customer, SimulatedDesk]) -> None:
        customer, desk = subject
        if customer.id not in self._rows:
            super()._finish(subject)
            return
        asking, replies = _asking(customer), self._replies[customer.kind.number]
        agent = desk.give_back(customer.kind.terms.channel, self._now)
        if asking.reply is not None and _chance(replies, asking.parking):
            if customer.counted:
                self._asked(customer).parked += 1
            row = self._move(customer, Change(trigger="park", agent=desk.row.id))
            self._at(self._now + asking.reply(replies), self._write, customer)
        else:
            row = self._move(customer, Change(trigger="done", agent=desk.row.id))
            self._forget(customer)
        self._tell((row, agent))

    def _write(self, customer: Customer) -> None:
        """The customer answers: the item queues again, due as one that comes now."""
        due = self._now + self._rows[customer.id].due - customer.at
        row = self._move(customer, Change(trigger="customer_wrote", due=due))
        customer.at = self._now
        self._tell((row,))

    def _leave(self, customer: Customer) -> None:
        row = self._rows.get(customer.id)
        if row is None or not customer.waiting:
            super()._leave(customer)
            return
        self._abandoned(customer)
        left = self._move(customer, Change(trigger="customer_left"))
        self._forget(customer)
        told: list[Told] = [left]
        if row.state == "offered":
            assert row.agent is not None
            told.append(self._desks[row.agent].release(customer.kind.terms.channel, self._now))
        self._tell(told)

    def _forget(self, customer: Customer) -> None:
        assert self._rows.pop(customer.id).state in FINAL
        del self._customers[customer.id]


def run_of(scenario: Scenario, number: int) -> Run:
    """A run of the scenario, with offers where a class has them."""
    offered = any(kind.asking is not None for kind in scenario.kinds)
    return OfferedRun(scenario, number) if offered else Run(scenario, number)


def _asking(customer: Customer) -> Asking:
    assert customer.kind.asking is not None
    return customer.kind.asking


def _chance(random: Random, share: float) -> bool:
    """No number is drawn where nothing is left to chance."""
    return share > 0 and random.random() < share
