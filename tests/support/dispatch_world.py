"""A shell for the dispatch core in memory: rows of agents and items, a guard, agents who answer, and a judge.

The rows are the truth, moved by ``router.item.item.transition``; the core only sees them as it is told. The judge recounts
everything from the rows and from what happened, with its own arithmetic.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from router.dispatch.agents import AgentState, Pull
from router.dispatch.core import Dispatch
from router.dispatch.vocabulary import (
    Advance,
    AgentRemoved,
    Committed,
    Effect,
    Escalate,
    Refused,
    Reserve,
    Told,
    Widen,
    winner,
)
from router.item.admission import ABSENT, DEFAULT_RULES, admissible
from router.item.item import FINAL, ItemState, Terms, holders, is_new_to
from router.item.plan import OWN_QUEUE, Plan
from router.item.transition import Change, transition

EMAIL = Terms(channel="email", auto_accept=True, grace_s=None, close_after_s=3600.0)
CHAT = Terms(channel="chat", wrap_s=5.0, park_after_reply_s=180.0, close_after_s=600.0)
PHONE = Terms(channel="phone", wrap_s=5.0, grace_s=0.0)


def uid(number: int) -> UUID:
    return UUID(int=number)


def order_of(item: ItemState, newest_first: bool) -> tuple[float, ...]:
    """What decides between two items that are alike, smaller first."""
    if newest_first:
        return (item.urgency, -item.enqueued_at)
    return (item.urgency, item.due if item.slope == 0 else 0, item.enqueued_at)


@dataclass
class World:
    """Everything outside the core. ``settle`` runs the core until it has nothing more to ask for."""

    now: float = 1000.0
    core: Dispatch = field(default_factory=Dispatch)
    agents: dict[UUID, AgentState] = field(default_factory=dict)
    items: dict[UUID, ItemState] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    offers: list[tuple[UUID, UUID]] = field(default_factory=list)  # item, agent in order of commit
    refuse_next: int = 0
    said: list[Told] = field(default_factory=list)
    slow: bool = False  # reservations are executed only when ``deliver`` is called
    in_flight: list[Reserve] = field(default_factory=list)
    promised: dict[int, float] = field(default_factory=dict)  # when what is in flight was decided: the core paces by that

    # --- rows

    def agent(self, number: int, *queues: UUID, pulls: Mapping[UUID, Pull] | None = None, **more: object) -> UUID:
        given = {"channels": DEFAULT_RULES, **more}
        row = AgentState(id=uid(number), version=1, queues=pulls or dict.fromkeys(queues, Pull()), **given)  # type: ignore[arg-type]
        self.agents[row.id] = row
        self.tell(row)
        return row.id

    def item(self, number: int, queue: UUID, terms: Terms = CHAT, *, goal_s: float = 60.0, **more: object) -> UUID:
        given = {"due": self.now + goal_s, "enqueued_at": self.now, "step_at": self.now, **more}
        row = ItemState(id=uid(number), version=1, state="queued", terms=terms, queue=queue, **given)  # type: ignore[arg-type]
        self.items[row.id] = row
        self.tell(row)
        return row.id

    def set_agent(self, agent: UUID, **changed: object) -> None:
        row = self.agents[agent]
        self.agents[agent] = replace(row, version=row.version + 1, **changed)  # type: ignore[arg-type]
        self.tell(self.agents[agent])

    def remove_agent(self, agent: UUID) -> None:
        row = self.agents.pop(agent)
        self.tell(AgentRemoved(id=agent, version=row.version + 1))

    def change(self, item: UUID, change: Change) -> None:
        """Apply a change to the row, recount the agents concerned, tell the core."""
        self._apply(item, change)
        self.tell(self.items[item], *(self.agents[one] for one in self._touched))

    def _apply(self, item: UUID, change: Change) -> None:
        before = self.items[item]
        self.items[item] = after = transition(before, change, self.now)
        concerned = dict.fromkeys((*holders(before), *holders(after)))
        self._touched = [one for one in concerned if one in self.agents]
        for agent in self._touched:
            self._recount(agent, idle=agent not in holders(after))

    def _recount(self, agent: UUID, *, idle: bool) -> None:
        row = self.agents[agent]
        counts: dict[str, int] = {}
        for one in self.items.values():
            if agent in holders(one):
                counts[one.terms.channel] = counts.get(one.terms.channel, 0) + 1
        rules = {channel: row.channels[channel] for channel in counts}
        self.agents[agent] = replace(
            row,
            version=row.version + 1,
            counts=counts,
            used=sum(rules[channel].cost * number for channel, number in counts.items()),
            interruptible_used=sum(rules[c].cost * n for c, n in counts.items() if rules[c].interruptible),
            exclusive_held=sum(number for channel, number in counts.items() if rules[channel].exclusive),
            idle_since=self.now if idle else row.idle_since,
        )

    # --- the shell

    def tell(self, *told: Told) -> None:
        self.said.extend(told)
        self.settle(told)

    def wait(self, seconds: float) -> None:
        """Let time pass, stopping at every wake-up the core asked for."""
        until = self.now + seconds
        while (wake := self.core.next_wake_at) is not None and wake <= until:
            self.now = max(self.now, wake)
            self.settle(())
        self.now = until
        self.settle(())

    def settle(self, told: Iterable[Told]) -> None:
        answers = list(told)
        for _ in range(1000):
            effects = self.ask(answers)
            self.effects.extend(effects)
            answers = []
            for effect in effects:
                answers.extend(self._execute(effect))
            if not answers and (self.core.next_wake_at is None or self.core.next_wake_at > self.now):
                return
        raise AssertionError("the core never comes to rest")

    def ask(self, told: list[Told]) -> list[Effect]:
        """One step of the core."""
        return self.core.steps(told, self.now)

    def _execute(self, effect: Effect) -> list[Told]:
        if isinstance(effect, Reserve):
            if self.slow:
                self.promised[effect.ticket] = self.now
                self.in_flight.append(effect)
                return []
            return self._reserve(effect, late=False)
        if isinstance(effect, Advance):
            return self._advance(effect)
        if isinstance(effect, Widen):
            self.items[effect.item] = replace(self.items[effect.item], step=effect.step, step_at=effect.step_at)
            return []
        assert isinstance(effect, Escalate)
        return []

    def _advance(self, effect: Advance) -> list[Told]:
        item = self.items[effect.item]
        if item.version != effect.item_version:
            return []
        gone = (item.giver or item.agent) not in self.agents
        if effect.trigger == "time_to_live_passed":
            change = Change(trigger=effect.trigger, queue=item.queue, wait_s=item.terms.live_s)
        else:
            change = Change(trigger=effect.trigger, agent=effect.agent, gone=gone)
        self._apply(item.id, change)
        return [self.items[item.id], *(self.agents[one] for one in self._touched)]

    def deliver(self) -> None:
        """Execute what is in flight."""
        late, self.in_flight = self.in_flight, []
        for effect in late:
            self.settle(self._reserve(effect, late=True))

    def _reserve(self, effect: Reserve, *, late: bool) -> list[Told]:
        item, agent = self.items[effect.item], self.agents.get(effect.agent)
        stale = item.version != effect.item_version or agent is None
        assert late or not stale, "proposed from an old row"
        if self.refuse_next > 0:
            self.refuse_next -= 1
            return [Refused(ticket=effect.ticket)]
        if agent is None or stale or (late and not self.fits(agent, item)):
            return [Refused(ticket=effect.ticket), item, *([agent] if agent else [])]
        self._judge(effect, item, agent, late=late)
        # The core counts the ramp from its decision; it cannot know that one was executed late.
        not_before = self.now + agent.ramp_s if self.now < agent.ramp_until and not late else agent.not_before
        turns = {**agent.turns, item.queue: self.now, effect.queue: self.now}
        recent = (*agent.recent, self.promised.pop(effect.ticket, self.now)) if is_new_to(item, agent.id) else agent.recent
        self.agents[agent.id] = replace(agent, turns=turns, recent=recent[-20:], not_before=not_before)
        self._apply(item.id, Change(trigger=effect.kind, agent=agent.id))
        self.offers.append((item.id, agent.id))
        versions = {"item_version": self.items[item.id].version, "agent_version": self.agents[agent.id].version}
        givers = [self.agents[one] for one in self._touched if one != agent.id]
        return [Committed(ticket=effect.ticket, **versions), *givers]

    def fits(self, agent: AgentState, item: ItemState) -> bool:
        """The capacity rule once more, in other words."""
        rule = agent.channels[item.terms.channel]
        held = [one.terms.channel for one in self.items.values() if agent.id in holders(one)]
        firm = sum(agent.channels[one].cost for one in held if not agent.channels[one].interruptible)
        total = sum(agent.channels[one].cost for one in held)
        return (
            agent.presence == "online"
            and rule.enabled
            and agent.not_before <= self.now
            and (agent.lease_until is None or agent.lease_until > self.now)
            and not any(agent.channels[one].exclusive for one in held)
            and held.count(item.terms.channel) < rule.cap
            and self.has(agent, item.queue) < agent.items_max.get(item.queue, 1000)
            and (total if rule.interruptible else firm) + rule.cost <= agent.budget
        )

    def has(self, agent: AgentState, queue: UUID) -> int:
        """How many items of the queue the agent has."""
        return sum(one.queue == queue and one.agent == agent.id and agent.id in holders(one) for one in self.items.values())

    def paced(self, agent: AgentState) -> bool:
        """Whether one more new item may come to the agent now."""
        since = self.now - agent.new_items_s
        return not agent.new_items_max or sum(at > since for at in agent.recent) < agent.new_items_max

    # --- the judge

    def _judge(self, effect: Reserve, item: ItemState, agent: AgentState, *, late: bool) -> None:
        """I2, I3, I5, I8, I10 and I16 at the moment of the reservation, from the rows alone."""
        assert item.state == "queued", "I2: an item that is taken is not given again"
        assert self.fits(agent, item), "I3"
        assert winner(effect.decision) == agent.id, "I16"
        assert agent.id != item.giver
        assert late or effect.decision.personal or self.paced(agent), "no more new items than the pace allows"
        if item.target is not None:
            assert agent.id == item.target, "a direct transfer goes to its target"
            return
        if item.preferred is not None and self.now < item.wait_until and item.preferred not in item.exclusions:
            owner = self.agents.get(item.preferred)
            if owner is not None and self.there(owner) and not effect.decision.personal and not item.with_room:
                # It may wait for anybody only because the owner was away in the meantime.
                assert item.id in self.freed, "I8: before the deadline only the sticky agent"
        if late:
            return  # what was true when it was decided need not be true any more
        if not effect.decision.personal:
            assert self.qualified(item, agent, step=effect.decision.step)
        self._judge_order(item, agent)
        mine = item.exclusions.get(agent.id)
        if mine is not None:
            assert mine.count < item.terms.offers_max, "I10: at most k offers"
            assert self.now >= mine.until, "I10: the cool-down has passed"
            for other in self.others_there(item, agent.id, effect.decision.step):
                theirs = item.exclusions.get(other)
                assert theirs is not None, "I10: somebody was not asked yet"
                if agent.id == item.last_offered:
                    assert theirs.count >= item.terms.offers_max, "I10: twice in a row"

    def _judge_order(self, item: ItemState, agent: AgentState) -> None:
        """I5, I7: nobody with an older key, equal in all that matters, is passed over (but for a refusal's 20 ms).

        Nor is anybody by somebody who came later than the goals' difference allows.
        """
        newest_first = item.queue in self.core._floor.newest_first
        for other in self.waiting:
            known = self.core._floor.items[other.id]
            alike = (other.queue, other.terms, other.plan, other.slope, known.step) == (
                item.queue,
                item.terms,
                item.plan,
                item.slope,
                self.core._floor.items[item.id].step,
            )
            free = other.preferred is None and other.target is None and not other.exclusions and other.giver is None
            # What changed while the answer of the core is executed, the core could not know.
            unheld = known.hold_until <= self.now and known.pending is None and known.version == other.version
            delay_s = max((pull.delay_s for pull in agent.queues.values()), default=0.0)
            visible = other.enqueued_at + delay_s <= self.now
            if alike and free and unheld and visible and item.preferred is None:
                assert order_of(item, newest_first) <= order_of(other, newest_first), "I5"
                if item.urgency == other.urgency and not newest_first:
                    assert item.enqueued_at - other.enqueued_at <= (self.goals_differ_s if item.slope == 0 else 0), "I7"

    goals_differ_s: float = float("inf")
    freed: set[UUID] = field(default_factory=set)

    def note_absent(self, agent: UUID) -> None:
        """Remember the items that may stop waiting for this agent."""
        self.freed.update(item.id for item in self.items.values() if item.preferred == agent)

    def is_there(self, agent: UUID) -> bool:
        return agent in self.agents and self.there(self.agents[agent])

    def there(self, agent: AgentState) -> bool:
        lost = agent.lease_until is not None and agent.lease_until <= self.now
        return agent.presence in ("online", "busy") and not lost

    def qualified(self, item: ItemState, agent: AgentState, step: int) -> bool:
        """I9: whoever met any step so far still may take it."""
        return any(
            (queue or item.queue) in agent.queues and all(agent.skills.get(skill, 0) >= level for skill, level in one.requires)
            for one in item.plan.steps[: step + 1]
            for queue in one.queues
        )

    def can_ever(self, item: ItemState, step: int) -> bool:
        """Whether anybody enabled, there or not, meets what this step names."""
        one = item.plan.steps[step]
        return any(
            agent.enabled
            and (queue or item.queue) in agent.queues
            and all(agent.skills.get(skill, 0) >= level for skill, level in one.requires)
            for agent in self.agents.values()
            for queue in one.queues
        )

    def others_there(self, item: ItemState, but: UUID, step: int) -> list[UUID]:
        return [
            agent.id
            for agent in self.agents.values()
            if agent.id not in (but, item.giver)
            and self.qualified(item, agent, step)
            and admissible(agent, item.terms.channel, self.now) not in ABSENT
        ]

    # --- what tests ask

    def state(self, item: UUID) -> str:
        return self.items[item].state

    def holder(self, item: UUID) -> UUID | None:
        return self.items[item].agent

    def used(self, agent: UUID) -> int:
        return self.agents[agent].used

    def accept(self, item: UUID) -> None:
        self.change(item, Change(trigger="accept", agent=self.items[item].agent))

    def decline(self, item: UUID) -> None:
        self.change(item, Change(trigger="decline", agent=self.items[item].agent))

    def done(self, item: UUID) -> None:
        self.change(item, Change(trigger="done", agent=self.items[item].agent))

    def reply(self, item: UUID) -> None:
        self.change(item, Change(trigger="reply", agent=self.items[item].agent))

    @property
    def waiting(self) -> list[ItemState]:
        return [item for item in self.items.values() if item.state == "queued"]

    @property
    def open(self) -> list[ItemState]:
        return [item for item in self.items.values() if item.state not in FINAL]


__all__ = ["CHAT", "EMAIL", "OWN_QUEUE", "PHONE", "Plan", "World", "uid"]
