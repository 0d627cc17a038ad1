"""The invariants of dispatch under random interleavings: answers, losses, refusals, duplicates, passing time."""

from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from router.admission import ChannelRule, admissible
from router.agents import Pull
from router.dispatch import Dispatch
from router.item import FINAL, ItemState, holders
from router.plan import Plan, Step
from router.transition import Change
from tests.support.dispatch_world import CHAT, EMAIL, PHONE, World, uid

QUEUES = (uid(1), uid(2))
WIDENING = Plan((Step(requires=(("tr", 3),), timeout_s=20.0), Step(timeout_s=20.0), Step(queues=(None, uid(2)))))
RULES = {
    "chat": ChannelRule(cost=20, cap=2),
    "email": ChannelRule(cost=20, cap=3, interruptible=True),
    "phone": ChannelRule(cost=100, cap=1, exclusive=True),
}
TERMS = st.sampled_from([CHAT, CHAT, EMAIL, PHONE])
PICK = st.integers(0, 10_000)


class Life(RuleBasedStateMachine):
    """Agents and customers do what they like; after every rule the rows and the core are judged."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.made = 0
        self.keys: dict[UUID, tuple[float, float]] = {}
        self.quiet = True

    @initialize(agents=st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0.0, 15.0])), min_size=1, max_size=4))
    def staff(self, agents: list[tuple[int, float]]) -> None:
        for number, (kind, delay_s) in enumerate(agents):
            queues = QUEUES if kind == 2 else (QUEUES[kind],)
            pulls = {queue: Pull(priority=place, delay_s=delay_s) for place, queue in enumerate(queues)}
            more = {"channels": RULES} if number != 1 else {}
            self.world.agent(100 + number, pulls=pulls, skills={"tr": 4} if number % 2 else {}, **more)

    @rule(terms=TERMS, queue=st.sampled_from(QUEUES), goal_s=st.sampled_from([10.0, 60.0, 60.0, 3600.0]), wide=st.booleans())
    def arrive(self, terms: object, queue: UUID, goal_s: float, wide: bool) -> None:
        self.made += 1
        more = {"plan": WIDENING} if wide and queue == QUEUES[0] else {}
        self.world.item(1000 + self.made, queue, terms, goal_s=goal_s, **more)  # type: ignore[arg-type]

    def some(self, pick: int, *states: str) -> ItemState | None:
        found = [item for item in self.world.items.values() if item.state in states]
        return found[pick % len(found)] if found else None

    @rule(pick=PICK, trigger=st.sampled_from(["accept", "accept", "decline"]))
    def answer(self, pick: int, trigger: str) -> None:
        item = self.some(pick, "offered")
        if item is not None:
            before = (item.urgency, item.due, item.enqueued_at)
            self.world.change(item.id, Change(trigger=trigger, agent=item.agent))  # type: ignore[arg-type]
            after = self.world.items[item.id]
            assert before == (after.urgency, after.due, after.enqueued_at)

    @rule(pick=PICK, trigger=st.sampled_from(["reply", "done", "customer_wrote", "delivery_failed"]))
    def work(self, pick: int, trigger: str) -> None:
        item = self.some(pick, "assigned")
        if item is not None:
            self.world.change(item.id, Change(trigger=trigger, agent=item.agent))  # type: ignore[arg-type]

    @rule(pick=PICK, trigger=st.sampled_from(["customer_wrote", "done", "cancel"]))
    def later(self, pick: int, trigger: str) -> None:
        item = self.some(pick, "parked", "wrapping")
        if item is not None:
            self.world.change(item.id, Change(trigger=trigger, agent=item.agent, due=self.world.now + 60))  # type: ignore[arg-type]

    @rule(pick=PICK)
    def leave(self, pick: int) -> None:
        item = self.some(pick, "queued", "offered")
        if item is not None:
            self.world.change(item.id, Change(trigger="customer_left"))

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

    @rule(pick=PICK, presence=st.sampled_from(["online", "online", "busy", "away", "offline"]))
    def presence(self, pick: int, presence: str) -> None:
        agent = self.pick_agent(pick)
        if presence not in ("online", "busy"):
            self.world.note_absent(agent)
        self.world.set_agent(agent, presence=presence)

    @rule(pick=PICK, lease_s=st.sampled_from([None, None, 5.0, 30.0]))
    def lease(self, pick: int, lease_s: float | None) -> None:
        agent = self.pick_agent(pick)
        self.world.note_absent(agent)
        self.world.set_agent(agent, lease_until=None if lease_s is None else self.world.now + lease_s)

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
        self.world.deliver()

    @precondition(lambda self: len(self.world.said) > 3)
    @rule(picks=st.lists(PICK, min_size=1, max_size=6))
    def tell_again(self, picks: list[int]) -> None:
        """I14: what was told once is told again, out of order: nothing happens."""
        self.catch_up()
        self.world.wait(0.05)
        before = (dict(self.world.items), dict(self.world.agents), len(self.world.offers))
        self.world.tell(*(self.world.said[pick % len(self.world.said)] for pick in picks))
        assert before == (self.world.items, self.world.agents, len(self.world.offers))

    @rule(batch_min=st.sampled_from([2, 8, 64]))
    def crash(self, batch_min: int) -> None:
        """The core is lost and built again from the rows, without disturbing what is agreed."""
        world = self.world
        held = {item.id: item.agent for item in world.items.values() if item.state in ("offered", "assigned")}
        world.core = Dispatch(batch_min=batch_min)
        world.in_flight.clear()
        world.tell(*world.agents.values(), *world.items.values())
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
        for agent in self.world.agents.values():
            held = [one.terms.channel for one in self.world.items.values() if agent.id in holders(one)]
            for channel in set(held):
                assert held.count(channel) <= agent.channels[channel].cap
            firm = sum(agent.channels[one].cost for one in held if not agent.channels[one].interruptible)
            assert firm <= agent.budget
            assert sum(agent.channels[one].exclusive for one in held) <= 1

    @invariant()
    def i4_capacity_returns(self) -> None:
        if all(item.state in FINAL or item.state == "parked" for item in self.world.items.values()):
            assert all(agent.used == 0 and not any(agent.counts.values()) for agent in self.world.agents.values())
        for agent in self.world.agents.values():
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
            if known.hold_until > world.now or item.target is not None or known.pending is not None:
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
                pulls = [pull.delay_s for pull in agent.queues.values()]
                if known.owner is None and item.enqueued_at + max(pulls) > world.now:
                    continue
                known_agent = world.core._floor.agents[agent.id]
                assert admissible(known_agent, item.terms.channel, world.now) is not None, (item, agent)

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
            assert all(number >= 0 for number in lane.blocked.values())
            in_pools = sum(pool.size for pool in lane.pools.values())
            assert in_pools + sum(lane.blocked.values()) == len(lane.members)
        assert floor.waiting == sum(1 for item in floor.items.values() if item.entry is not None)
        assert not floor.unshown, "after a step, lanes know of all room"


TestDispatchLife = Life.TestCase
TestDispatchLife.settings = settings(
    max_examples=150, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
