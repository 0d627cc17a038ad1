"""The two questions of matching: which agent for this item, which item for this agent.

Pure reads over lanes. Both answers respect the same exclusions, so an agent's best item always has a best agent.
Cost: an item looks at the best entry of its lanes, an agent at the head of its lanes; each goes past an entry only
when the item was declined by, or comes from, exactly this agent, or is younger than the agent's delay.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final, Literal

from router.dispatch.lane_book import LaneBook
from router.dispatch.lanes import Agent, Item, Lane, Rank
from router.dispatch.sorted_entries import Entry
from router.dispatch.vocabulary import Candidate, Decision
from router.item.item import ItemState
from router.item.plan import turns

_FIRST: Final = (0,)


def barred(item: Item, agent: Agent, now: float) -> bool:
    """Whether the item may not go to this agent, for what happened between the two.

    Who declined it is asked again only after a cool-down, fewer than k times, when everybody else who is there has
    declined it too, and not twice in a row while somebody else may still be asked.
    """
    facts = item.facts
    if agent.id == facts.giver:
        return True
    mine = facts.exclusions.get(agent.id)
    if mine is None:
        return False
    most = facts.terms.offers_max
    if mine.count >= most or now < mine.until:
        return True
    for lane in item.lanes:
        for other in lane.present:
            if other is agent or other.id == facts.giver:
                continue
            theirs = facts.exclusions.get(other.id)
            if theirs is None or (agent.id == facts.last_offered and theirs.count < most):
                return True
    return False


def standing(item: Item, lanes: tuple[Lane, ...]) -> Literal["open", "all_declined", "exhausted", "nobody"]:
    """What the agents who are there have said to the item: is anybody left to ask for the first time, or again?"""
    facts = item.facts
    found: Literal["all_declined", "exhausted", "nobody"] = "nobody"
    for lane in lanes:
        for agent in lane.present:
            if agent.id == facts.giver:
                continue
            exclusion = facts.exclusions.get(agent.id)
            if exclusion is None:
                return "open"
            if exclusion.count < facts.terms.offers_max:
                found = "all_declined"
            elif found == "nobody":
                found = "exhausted"
    return found


def can_ever(book: LaneBook, facts: ItemState, step: int) -> bool:
    """Whether any agent of the workspace, there or not, can meet what this step of the item's plan names."""
    one = facts.plan.steps[step]
    return any(book.can_ever(queue or facts.queue, one.requires) for queue in one.queues)


def best_agent(item: Item, freed: Iterable[Agent], now: float) -> tuple[Agent, Lane | None] | None:
    """The agent for a waiting item, with the lane they met in (None: the item waits for that agent alone).

    ``freed``: agents with room that their lanes may not know of yet.
    """
    if item.owner is not None:
        return (item.owner, None) if item.owner.fits(item, now) else None
    facts = item.facts
    contested = bool(facts.exclusions) or facts.giver is not None
    own = item.lanes[0]
    best: tuple[int, Entry[Agent], Lane] | None = None
    for lane, turn in zip(item.lanes, turns(facts.plan, item.step) if len(item.lanes) > 1 else _FIRST, strict=True):
        # In a lane its own comparator decides, between lanes that of the item's own queue.
        first: Entry[Agent] | None = None
        guest = lane.queue != facts.queue
        for delay_s, pool in lane.crew.pools.items():
            if not pool.size or (delay_s > 0 and facts.enqueued_at + delay_s > now):
                continue
            for entry in lane.ranked(delay_s):
                if (contested and barred(item, entry[4], now)) or (guest and facts.queue in entry[4].full):
                    continue
                if first is None or entry < first:
                    first = entry
                break
        for agent in freed:
            if not lane.unaware(agent) or facts.enqueued_at + lane.crew.members[agent][0] > now:
                continue
            if (contested and barred(item, agent, now)) or (guest and facts.queue in agent.full):
                continue
            entry = lane.entry(agent, lane.requires)
            if first is None or entry < first:
                first = entry
        if first is None:
            continue
        if lane.crew.comparator != own.crew.comparator:
            first = own.entry(first[4], lane.requires)
        if best is None or (turn, first) < best[:2]:
            best = (turn, first, lane)
    return None if best is None else (best[1][4], best[2])


def best_item(agent: Agent, now: float) -> tuple[Rank, Item] | None:
    """The item for an agent: of what waits for it alone and of its lanes' heads, the best by (priority, key)."""
    best: tuple[Rank, Item] | None = None
    for entry in agent.personal if agent.personal.size else ():
        item = entry[4]
        if agent.fits(item, now):
            pull = agent.facts.queues.get(item.facts.queue)
            best = ((pull.priority if pull else 0, entry[0], entry[1], entry[2], entry[3]), item)
            break
    for channel, places in agent.crews.items():
        if agent.status[channel] is not None:
            continue
        for crew, priority, delay_s in places:
            if agent.full and crew.queue in agent.full:
                continue
            for lane in crew.busy:
                if not (lane.whole or lane.able >> agent.bit & 1) or (delay_s > 0 and not lane.visible(delay_s, now)):
                    continue
                head = lane.waiting.first()
                if delay_s > 0 or lane.contested or (agent.full and lane.guests):
                    found = _first_for(agent, lane, delay_s, now)
                    if found is None:
                        continue
                    head = found
                rank = lane.rank(head, priority, now) if lane.slope > 0 else (priority, head[0], head[1], head[2], head[3])
                if best is None or rank < best[0]:
                    best = (rank, head[4])
    return best


def _first_for(agent: Agent, lane: Lane, delay_s: float, now: float) -> Entry[Item] | None:
    """The first item of the lane that is old enough for the agent, and that the agent may take after all that happened."""
    for entry in lane.waiting:
        if delay_s <= 0 or entry[2] + delay_s <= now:
            facts = entry[4].facts
            if facts.queue in agent.full:
                continue
            if not ((facts.exclusions or facts.giver is not None) and barred(entry[4], agent, now)):
                return entry
    return None


def decide(
    item: Item, agent: Agent, lane: Lane | None, freed: Iterable[Agent], book: LaneBook, agents: int, most: int, now: float
) -> Decision:
    """Record why ``agent``: at most ``most`` others by the lane's order, and how many were out and why.

    ``agents`` is how many the workspace has, ``freed`` those whose room the lane may not know of. Call before the
    reservation changes the agent's load.
    """
    facts = item.facts
    candidates = [_candidate(agent, lane, now)]
    excluded: dict[str, int]
    if lane is None:
        excluded = {"sticky_wait": agents - 1} if agents > 1 else {}
    else:
        unaware = [one for one in freed if lane.unaware(one)]
        crew = lane.crew
        stale = Counter(crew.members[one][2] for one in unaware)
        excluded = {reason: number for reason in crew.blocked if (number := lane.count(reason) - stale[reason]) > 0}
        members = len(book.members.get(lane.queue, ()))
        later = sum(1 for one in unaware if facts.enqueued_at + crew.members[one][0] > now)
        for delay_s, free in crew.free.items():
            if delay_s > 0 and facts.enqueued_at + delay_s > now:
                later += (lane.able & free).bit_count()
        for reason, number in (
            ("not_member", agents - members),
            ("skill_missing", members - lane.able.bit_count()),
            ("queue_delay", later),
            ("excluded", len(facts.exclusions)),
        ):
            if number > 0:
                excluded[reason] = number
        if most > 0:
            candidates.extend(_runners_up(item, agent, lane, unaware, most, now))
    return Decision(
        queue=facts.queue if lane is None else lane.queue,
        comparator="load" if lane is None else lane.crew.comparator,
        personal=lane is None,
        step=item.step,
        urgency=facts.urgency,
        due=facts.due,
        waited_s=now - facts.enqueued_at,
        candidates=tuple(candidates),
        excluded=excluded,
        unmet=tuple(step for step in range(item.step) if not can_ever(book, facts, step)) if item.step else (),
    )


def _runners_up(item: Item, agent: Agent, lane: Lane, unaware: Sequence[Agent], most: int, now: float) -> list[Candidate]:
    facts = item.facts
    contested = bool(facts.exclusions) or facts.giver is not None
    found: list[Entry[Agent]] = []
    for delay_s in lane.crew.pools:
        if delay_s > 0 and facts.enqueued_at + delay_s > now:
            continue
        found.extend(islice(lane.ranked(delay_s), most + 1 + len(facts.exclusions)))
    found.extend(lane.entry(one, lane.requires) for one in unaware if facts.enqueued_at + lane.crew.members[one][0] <= now)
    if len(lane.crew.pools) > 1 or unaware:
        found.sort()
    others = [
        one
        for one in found
        if one[4] is not agent and not (contested and barred(item, one[4], now)) and facts.queue not in one[4].full
    ]
    return [(one[4].id, one[4].ratio, max(0.0, now - one[4].idle_since), one[0], one[1]) for one in others[:most]]


def _candidate(agent: Agent, lane: Lane | None, now: float) -> Candidate:
    first, second = (agent.ratio, agent.idle_since) if lane is None else lane.crew.score(agent, lane.queue, lane.requires)
    return (agent.id, agent.ratio, max(0.0, now - agent.idle_since), first, second)
