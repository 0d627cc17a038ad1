"""The invariants of dispatch under random interleavings of all that the core is told and all that its shell may do.

600 lives of 50 rules each; ``CORE_MACHINE_LIVES`` asks for more, lets them differ from run to run, and looks for
the shortest life that fails (minutes).
"""

import os
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from router.dispatch.agents import AgentState, Comparator, Pull
from router.dispatch.vocabulary import Order
from router.item.admission import ChannelRule, admissible
from router.item.item import FINAL, ItemState, Terms, holders
from router.item.plan import Plan, Step, meets
from router.item.transition import Change
from tests.support.core_world import CoreWorld
from tests.support.dispatch_world import CHAT, EMAIL, PHONE, uid

QUEUES = (uid(1), uid(2))
WIDENING = Plan((Step(requires=(("tr", 3),), timeout_s=20.0), Step(timeout_s=20.0), Step(queues=(None, uid(2)))))
MOVING = Plan((Step(timeout_s=15.0), Step(queues=(uid(2),), raise_s=30.0)))
SHORT_LIVED = replace(CHAT, live_s=40.0, callback=True)
GOALS_S = (10.0, 60.0, 60.0, 3600.0)
RULES = {
    "chat": ChannelRule(cost=20, cap=2),
    "email": ChannelRule(cost=20, cap=3, interruptible=True),
    "phone": ChannelRule(cost=100, cap=1, exclusive=True),
}
TERMS = st.sampled_from([CHAT, CHAT, EMAIL, PHONE, SHORT_LIVED])
RAMPS_S = (1.0, 10.0)
PICK = st.integers(0, 10_000)


def some_are(*states: str) -> Callable[["Life"], bool]:
    """A precondition: there are items in one of these states."""
    return lambda life: any(item.state in states for item in life.world.items.values())


class Life(RuleBasedStateMachine):
    """Agents and customers do what they like; after every rule the rows and the core are judged."""

    def __init__(self) -> None:
        super().__init__()
        self.world = CoreWorld(goals_differ_s=max(GOALS_S) - min(GOALS_S))
        self.made = 0
        self.unanswered: set[UUID] = set()
        self.lowered: set[UUID] = set()  # agents whose limits fell below what they hold

    @initialize(agents=st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0.0, 15.0])), min_size=1, max_size=4))
    def staff(self, agents: list[tuple[int, float]]) -> None:
        for number, (kind, delay_s) in enumerate(agents):
            queues = QUEUES if kind == 2 else (QUEUES[kind],)
            pulls = {queue: Pull(priority=place, delay_s=delay_s) for place, queue in enumerate(queues)}
            more = {"channels": RULES} if number != 1 else {}
            self.world.agent(100 + number, pulls=pulls, skills={"tr": 4} if number % 2 else {}, **more)

    @rule(
        terms=TERMS,
        queue=st.sampled_from(QUEUES),
        goal_s=st.sampled_from(GOALS_S),
        plan=st.sampled_from([None, None, WIDENING, MOVING]),
        slope=st.sampled_from([0.0, 0.0, 0.0, 1.0]),
        urgency=st.sampled_from([1, 1, 1, 0]),
        wanted=st.none() | st.none() | PICK,
        burst=st.integers(1, 4),
    )
    def arrive(
        self,
        terms: Terms,
        queue: UUID,
        goal_s: float,
        plan: Plan | None,
        slope: float,
        urgency: int,
        wanted: int | None,
        burst: int,
    ) -> None:
        more: dict[str, object] = {"slope": slope, "urgency": urgency}
        if plan is not None and queue == QUEUES[0]:
            more["plan"] = plan
        if wanted is not None:
            more |= {"preferred": self.pick_agent(wanted), "wait_until": self.world.now + 25.0}
        if terms.live_s is not None:
            more["expires_at"] = self.world.now + terms.live_s
        for _ in range(burst):
            self.made += 1
            self.world.wait(0.125)
            item = self.world.item(1000 + self.made, queue, terms, goal_s=goal_s, **more)
            if wanted is not None and not self.world.is_there(self.pick_agent(wanted)):
                self.world.freed.add(item)

    def some(self, pick: int, *states: str) -> ItemState | None:
        found = [item for item in self.world.items.values() if item.state in states]
        return found[pick % len(found)] if found else None

    @precondition(some_are("offered"))
    @rule(pick=PICK, trigger=st.sampled_from(["accept", "accept", "decline"]))
    def answer(self, pick: int, trigger: str) -> None:
        item = self.some(pick, "offered")
        if item is not None:
            before = (item.urgency, item.due, item.enqueued_at)
            self.world.change(item.id, Change(trigger=trigger, agent=item.agent))  # type: ignore[arg-type]
            after = self.world.items[item.id]
            assert before == (after.urgency, after.due, after.enqueued_at)

    @rule(pick=PICK, other=PICK)
    def accept_late(self, pick: int, other: int) -> None:
        """I11: what was accepted, or never offered, is not accepted again, nor by another agent."""
        item = self.some(pick, "assigned", "queued", "parked", "wrapping", "completed")
        if item is not None:
            agent = item.agent or self.pick_agent(other)
            self.world.refused_for_good(item.id, Change(trigger="accept", agent=agent))
        offered = self.some(pick, "offered")
        agent = self.pick_agent(other)
        if offered is not None and offered.agent != agent:
            self.world.refused_for_good(offered.id, Change(trigger="accept", agent=agent))

    @precondition(some_are("queued"))
    @rule(pick=PICK, other=PICK)
    def claim(self, pick: int, other: int) -> None:
        item = self.some(pick, "queued")
        agent = self.pick_agent(other)
        if item is not None and item.target is None and agent != item.giver and self.world.fits(self.world.agents[agent], item):
            self.world.change(item.id, Change(trigger="claim", agent=agent))

    @precondition(some_are("assigned"))
    @rule(pick=PICK, trigger=st.sampled_from(["reply", "reply", "done", "customer_wrote", "delivery_failed", "park"]))
    def work(self, pick: int, trigger: str) -> None:
        item = self.some(pick, "assigned")
        if item is not None:
            until = self.world.now + 40.0 if trigger == "park" else None
            self.world.change(item.id, Change(trigger=trigger, agent=item.agent, until=until))  # type: ignore[arg-type]
            self.note_word(item.id, trigger)

    @precondition(some_are("parked", "wrapping"))
    @rule(pick=PICK, trigger=st.sampled_from(["customer_wrote", "customer_wrote", "customer_thanked", "done", "cancel"]))
    def later(self, pick: int, trigger: str) -> None:
        item = self.some(pick, "parked", "wrapping")
        if item is not None:
            due = self.world.now + 60 if trigger == "customer_wrote" else None
            gone = item.agent not in self.world.agents
            self.world.change(item.id, Change(trigger=trigger, agent=item.agent, due=due, gone=gone))  # type: ignore[arg-type]
            after = self.world.items[item.id]
            if after.preferred is not None and not self.world.is_there(after.preferred):
                self.world.freed.add(item.id)
            self.note_word(item.id, trigger)

    def note_word(self, item: UUID, trigger: str) -> None:
        """Who spoke last, as far as I12 asks."""
        if trigger == "customer_wrote":
            self.unanswered.add(item)
        elif trigger in ("reply", "done", "park", "cancel"):
            self.unanswered.discard(item)

    @precondition(some_are("queued", "offered"))
    @rule(pick=PICK)
    def leave(self, pick: int) -> None:
        item = self.some(pick, "queued", "offered")
        if item is not None:
            self.world.change(item.id, Change(trigger="customer_left"))

    @precondition(some_are("assigned"))
    @rule(pick=PICK, other=PICK, direct=st.booleans())
    def hand_over(self, pick: int, other: int, direct: bool) -> None:
        item = self.some(pick, "assigned")
        target = self.pick_agent(other)
        if item is None or target == item.agent:
            return
        change = Change(trigger="transfer", agent=item.agent, queue=QUEUES[other % 2])
        if direct:
            change = Change(trigger="transfer", agent=item.agent, target=target)
        self.world.change(item.id, change)

    def pick_agent(self, pick: int) -> UUID:
        return list(self.world.agents)[pick % len(self.world.agents)]

    def shift(self, agent: UUID, **changed: object) -> None:
        """Change an agent's row, and remember whom nobody has to wait for any more."""
        before = self.world.is_there(agent)
        row = replace(self.world.agents[agent], **changed)  # type: ignore[arg-type]
        if not before or not self.world.there(row):
            self.world.note_absent(agent)
        self.world.set_agent(agent, **changed)

    @rule(pick=PICK, presence=st.sampled_from(["online", "online", "busy", "away", "not_responding", "offline"]))
    def presence(self, pick: int, presence: str) -> None:
        self.shift(self.pick_agent(pick), presence=presence)

    @rule(pick=PICK, lease_s=st.sampled_from([None, None, 5.0, 30.0]))
    def lease(self, pick: int, lease_s: float | None) -> None:
        self.shift(self.pick_agent(pick), lease_until=None if lease_s is None else self.world.now + lease_s)

    @rule(pick=PICK)
    def heartbeat(self, pick: int) -> None:
        agent = self.pick_agent(pick)
        row = self.world.agents[agent]
        if row.lease_until is not None:
            if not self.world.is_there(agent):
                self.world.note_absent(agent)
            until = max(row.lease_until, self.world.now + 30.0)
            self.world.agents[agent] = replace(row, lease_until=until)
            self.world.renew(agent, until)

    @rule(pick=PICK, ramp_s=st.sampled_from(RAMPS_S))
    def come_slowly(self, pick: int, ramp_s: float) -> None:
        now = self.world.now
        self.shift(self.pick_agent(pick), presence="online", ramp_until=now + 60.0, ramp_s=ramp_s, not_before=now + ramp_s)

    @rule(pick=PICK, channel=st.sampled_from(["chat", "email", "phone"]))
    def one_channel(self, pick: int, channel: str) -> None:
        """A presence of its own per channel."""
        agent = self.pick_agent(pick)
        rules = dict(self.world.agents[agent].channels)
        rules[channel] = replace(rules[channel], enabled=not rules[channel].enabled)
        self.shift(agent, channels=rules)

    @rule(
        pick=PICK, budget=st.sampled_from([0, 39, 98, 99, 100]), cap=st.integers(0, 4), channel=st.sampled_from(["chat", "email"])
    )
    def limits(self, pick: int, budget: int, cap: int, channel: str) -> None:
        agent = self.pick_agent(pick)
        rules = dict(self.world.agents[agent].channels)
        rules[channel] = replace(rules[channel], cap=cap)
        self.lowered.add(agent)
        self.shift(agent, channels=rules, budget=budget)

    @rule(pick=PICK, queue=st.sampled_from(QUEUES), most=st.sampled_from([None, 1, 1, 2]))
    def so_many_of_a_queue(self, pick: int, queue: UUID, most: int | None) -> None:
        agent = self.pick_agent(pick)
        others = {one: limit for one, limit in self.world.agents[agent].items_max.items() if one != queue}
        self.shift(agent, items_max=others if most is None else {**others, queue: most})

    @rule(pick=PICK, most=st.integers(0, 3), within_s=st.sampled_from([5.0, 60.0]))
    def so_many_new(self, pick: int, most: int, within_s: float) -> None:
        self.shift(self.pick_agent(pick), new_items_max=most, new_items_s=within_s)

    @rule(pick=PICK, skills=st.sampled_from([{}, {"tr": 2}, {"tr": 5, "en": 1}]), kind=st.integers(0, 2))
    def moved(self, pick: int, skills: dict[str, int], kind: int) -> None:
        """Other skills, other queues."""
        queues = QUEUES if kind == 2 else (QUEUES[kind],)
        self.shift(self.pick_agent(pick), skills=skills, queues=dict.fromkeys(queues, Pull()))

    @rule(pick=PICK, enabled=st.booleans())
    def switched_off(self, pick: int, enabled: bool) -> None:
        """Whoever is not enabled is not there, and does not count as somebody who might be."""
        self.shift(self.pick_agent(pick), enabled=enabled, presence="online" if enabled else "offline")

    @precondition(lambda self: len(self.world.agents) > 1)
    @rule(pick=PICK)
    def leaves_for_good(self, pick: int) -> None:
        self.catch_up()
        self.world.remove_agent(self.pick_agent(pick))

    @rule(
        queue=st.sampled_from(QUEUES),
        comparator=st.sampled_from(["load", "round_robin", "best_skill", "least_flexible"]),
        order=st.sampled_from(["due", "due", "newest_first"]),
    )
    def queue(self, queue: UUID, comparator: Comparator, order: Order) -> None:
        self.world.order(queue, comparator, order)

    @rule(seconds=st.sampled_from([0.0, 0.0, 1.0, 100.0, 86_400.0]))
    def clock_jumps(self, seconds: float) -> None:
        """Nothing is heard for so long, not even a wake-up."""
        self.world.now += seconds
        self.world.settle(())

    @rule(number=st.integers(1, 2))
    def lose_answers(self, number: int) -> None:
        self.world.lose_next = number

    @rule(seconds=st.sampled_from([0.01, 1.0, 6.0, 21.0, 35.0, 200.0]))
    def pass_time(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule(number=st.integers(1, 3))
    def refuse(self, number: int) -> None:
        self.world.refuse_next = number

    @rule()
    def slow_down(self) -> None:
        self.world.slow = True

    @rule()
    def catch_up(self) -> None:
        self.world.slow = False
        self.world.lose_next = 0
        self.world.deliver()
        self.world.find_out()

    @precondition(lambda self: len(self.world.said) > 3)
    @rule(picks=st.lists(PICK, min_size=1, max_size=6))
    def tell_again(self, picks: list[int]) -> None:
        """I14: what was told once is told again, out of order: nothing happens."""
        self.catch_up()
        self.world.refuse_next = 0
        self.world.wait(max(RAMPS_S) + 0.05)  # a row read again ends the pause after a refusal, which is no news
        before = (dict(self.world.items), dict(self.world.agents), len(self.world.offers))
        self.world.tell(*(self.world.said[pick % len(self.world.said)] for pick in picks))
        assert before == (self.world.items, self.world.agents, len(self.world.offers))

    @rule(batch_min=st.sampled_from([2, 8, 64]))
    def crash(self, batch_min: int) -> None:
        """The core is lost and built again from the rows, without disturbing what is agreed."""
        world = self.world
        agreed = [item for item in world.items.values() if item.state in ("offered", "assigned") and item.id not in world.untold]
        held = {item.id: item.agent for item in agreed}
        world.crash(batch_min)
        assert held.items() <= {item.id: item.agent for item in world.items.values()}.items()

    @invariant()
    def i1_every_item_is_in_exactly_one_state_and_nobody_forgets_it(self) -> None:
        assert len(self.world.items) == self.made
        assert set(self.world.core._floor.items) == {item.id for item in self.world.open}

    @invariant()
    def i2_at_most_one_holder(self) -> None:
        for item in self.world.items.values():
            assert len(holders(item)) <= 1 or item.giver is not None

    @invariant()
    def i3_capacity_is_never_exceeded(self) -> None:
        """Who holds more than new limits allow gets nothing (the judge sees to it) until it fits, and is watched again then."""
        for agent in self.world.agents.values():
            fits = self.fits(agent)
            if fits:
                self.lowered.discard(agent.id)
            assert fits or agent.id in self.lowered

    def fits(self, agent: AgentState) -> bool:
        held = [one.terms.channel for one in self.world.items.values() if agent.id in holders(one)]
        firm = sum(agent.channels[one].cost for one in held if not agent.channels[one].interruptible)
        return (
            all(held.count(channel) <= agent.channels[channel].cap for channel in held)
            and firm <= agent.budget
            and sum(agent.channels[one].exclusive for one in held) <= 1
        )

    @invariant()
    def i4_capacity_returns(self) -> None:
        if all(item.state in FINAL or item.state == "parked" for item in self.world.items.values()):
            assert all(agent.used == 0 and not any(agent.counts.values()) for agent in self.world.agents.values())
        for agent in self.world.agents.values():
            if self.world.untold:
                break  # what the core does not know it cannot count
            known = self.world.core._floor.agents[agent.id]
            promised = [one.channel for one in self.world.in_flight if one.ticket in known.pending]
            assert len(promised) == len(known.pending)
            assert known.used == agent.used + sum(agent.channels[channel].cost for channel in promised)
            for channel in agent.channels:
                assert known.counts.get(channel, 0) == agent.counts.get(channel, 0) + promised.count(channel)

    @invariant()
    def i6_no_admissible_pair_is_left(self) -> None:
        """But for named holds: a refusal's 20 ms, a sticky wait, a direct transfer, a cool-down, a pull delay."""
        world = self.world
        for item in world.waiting:
            known = world.core._floor.items[item.id]
            if known.hold_until > world.now or item.target is not None or known.pending is not None or item.id in world.untold:
                continue
            for agent in world.agents.values():
                if world.core._floor.agents[agent.id].not_before > world.now or agent.id == item.giver:
                    continue
                if known.owner is not None and known.owner.id != agent.id:
                    continue
                if known.owner is None and not world.qualified(item, agent, known.step):
                    continue
                if known.owner is None and agent.id in item.exclusions:
                    continue
                pulls = [pull.delay_s for pull in agent.queues.values()] or [0.0]
                if known.owner is None and item.enqueued_at + max(pulls) > world.now:
                    continue
                known_agent = world.core._floor.agents[agent.id]
                limited = known_agent.full or (known_agent.open_at > world.now and known.owner is None)
                assert limited or admissible(known_agent, item.terms.channel, world.now) is not None, (item, agent)

    @invariant()
    def limits_are_counted_from_what_there_is(self) -> None:
        """Who has as many of a queue as they may is known as full there, nobody else is; paced agents are let go on in time."""
        world = self.world
        if world.untold:
            return
        for agent in world.agents.values():
            known = world.core._floor.agents[agent.id]
            if agent.items_max or known.full:
                promised = [world.items[one.item].queue for one in world.in_flight if one.ticket in known.pending]
                assert known.full == {
                    queue for queue, most in agent.items_max.items() if world.has(agent, queue) + promised.count(queue) >= most
                }
            if agent.new_items_max and not known.pending:
                assert (known.open_at <= world.now) == world.paced(agent)

    @invariant()
    def i8_nobody_waits_for_one_agent_beyond_the_deadline(self) -> None:
        for item in self.world.waiting:
            known = self.world.core._floor.items[item.id]
            if item.target is None and item.wait_until <= self.world.now and known.pending is None:
                assert known.owner is None, item

    @invariant()
    def no_offer_rings_where_nobody_hears_it(self) -> None:
        """Away, offline, lost, or closed for the channel: taken back, as far as the shell has written what the core said."""
        for item in self.world.items.values():
            if item.state == "offered" and item.id not in self.world.untold and item.agent is not None:
                agent = self.world.core._floor.agents.get(item.agent)
                known = self.world.core._floor.items[item.id]
                if agent is not None and agent.deaf_to(item.terms.channel, self.world.now) is not None:
                    assert known.said == "agent_lost", item

    @invariant()
    def nobody_waits_in_a_step_that_nobody_can_ever_meet(self) -> None:
        """But in the last one, and while a refusal's pause or a promise lasts."""
        for item in self.world.waiting:
            if len(item.plan.steps) == 1:
                continue
            known = self.world.core._floor.items[item.id]
            held = known.pending is not None or known.hold_until > self.world.now or item.target is not None
            if not held and item.id not in self.world.untold and known.step + 1 < len(item.plan.steps):
                assert self.world.can_ever(item, known.step), (item, known.step)

    @invariant()
    def i12_unanswered_text_has_an_open_item(self) -> None:
        for item in self.unanswered:
            assert self.world.items[item].state not in ("parked", "wrapping", "completed")

    @invariant()
    def i15_answered_work_holds_no_capacity(self) -> None:
        for item in self.world.items.values():
            assert item.state != "parked" or holders(item) == ()

    @invariant()
    def lines_are_whole(self) -> None:
        """What stands in a lane is waiting, once, and every waiting item stands somewhere or is held by name."""
        floor = self.world.core._floor
        for lane in floor.book._lanes.values():
            for entry in lane.waiting:
                assert lane in entry[4].lanes
                assert entry[4].state == "queued"
            assert list(lane.crew.busy).count(lane) == (lane.waiting.size > 0)
            if not lane.waiting.size:
                continue  # seen to when something comes to wait in it
            with_room = [entry for delay_s in lane.crew.pools for entry in lane.ranked(delay_s)]
            assert {entry[4] for entry in with_room} | {
                one for one, (_, _, reason) in lane.crew.members.items() if reason is not None and lane.has(one)
            } == {one for one in lane.crew.members if meets(one.facts.skills, lane.requires)}
            assert len(with_room) + sum(map(lane.count, lane.crew.blocked)) == lane.able.bit_count()
            for delay_s in lane.crew.pools:
                ranked = [entry[:4] for entry in lane.ranked(delay_s)]
                assert ranked == sorted(lane.entry(entry[4], lane.requires)[:4] for entry in lane.ranked(delay_s))
        assert floor.waiting == sum(1 for item in floor.items.values() if item.entry is not None)
        assert not floor.unshown, "after a step, lanes know of all room"

    @invariant()
    def every_lane_knows_what_its_agents_have_room_for(self) -> None:
        for agent in self.world.core._floor.agents.values():
            for channel, places in agent.crews.items():
                for crew, _, _ in places:
                    _, entry, reason = crew.members[agent]
                    assert reason == (agent.status[channel] or ("limit_reached" if crew.queue in agent.full else None))
                    assert entry == (crew.entry(agent, ()) if reason is None else None)


LIVES = os.environ.get("CORE_MACHINE_LIVES")
TestCoreLife = Life.TestCase
TestCoreLife.settings = settings(
    max_examples=int(LIVES or 600),
    stateful_step_count=50,
    deadline=None,
    report_multiple_bugs=False,
    phases=(Phase.generate,) if LIVES is None else (Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
    derandomize=LIVES is None,
)
