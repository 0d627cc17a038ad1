"""A scenario: the document in the core's words, ready to be played any number of times.

Pure. **Units**: seconds of the simulated clock. **Identity**: queues and agents get ids in the order of the document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final
from uuid import UUID

from router.dispatch.agents import AgentState, Pull
from router.dispatch.vocabulary import QueueState
from router.item.admission import ChannelRule
from router.item.item import Terms
from router.item.plan import OWN_QUEUE, Plan, Requirement, Step, meets, reach
from router.simulator.document import Arrivals, CustomerClass, Document, Group
from router.simulator.quantities import Draw, Empirical
from router.simulator.trace import Arrival
from shared.errors import InputRejected

_WARM_UP: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What may happen between a match and the end of the work. ``decline``, ``returning``, ``parking``: shares 0..1."""

    delay: Draw | None
    decline: float
    returning: float
    wait_for_s: float
    parking: float
    reply: Draw | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A class of customers. ``lead_s`` is what its key is later than its arrival; ``keyed``: its queue goes by the key."""

    name: str
    number: int
    arrivals: Arrivals | None
    recorded: tuple[Arrival, ...]
    service: Draw | None
    wrap: Draw | None
    patience: Draw | None
    terms: Terms
    queue: UUID
    plan: Plan
    urgency: int
    lead_s: float
    keyed: bool
    slope: float
    asking: Asking | None
    thresholds_s: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """An agent before anything happened. ``shifts`` empty: always there. ``service``: by class, where its own differs."""

    name: str
    group: str
    row: AgentState
    shifts: tuple[tuple[float, float], ...]
    ramp: tuple[float, float] | None
    back_after_s: float
    service: Mapping[str, Draw]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """All that a run needs. Exactly one of ``items`` and ``time_s`` limits it; the warm-up comes before.

    ``span_s``: how long the measured part is, where it is known and something changes over time. A recorded day is measured from
    its first arrival on.
    """

    kinds: tuple[Kind, ...]
    workers: tuple[Worker, ...]
    queues: tuple[QueueState, ...]
    items: int | None
    time_s: float | None
    warm_up_items: int
    warm_up_s: float
    span_s: float | None
    thresholds_s: tuple[float, ...]
    seed: int


def scenario_of(document: Document, recorded: Sequence[Arrival] = ()) -> Scenario:
    """The scenario of a document, its classes' arrivals replaced by recorded ones where there are any.

    Raises `InputRejected`: a class without arrivals or service, or one that no agent could ever take.
    """
    classes = list(document.classes)
    known = {one.name for one in classes}
    for one in recorded:
        if one.kind not in known:
            known.add(one.kind)
            classes.append(CustomerClass(name=one.kind, queue=one.queue or "main", channel=one.channel or "work"))
    if not classes:
        raise InputRejected("nobody comes", field="classes", remedy="add a class with arrivals, or replay a recorded day")
    names = list(dict.fromkeys([*document.queues, *(one.queue for one in classes)]))
    queues = {name: UUID(int=number + 1) for number, name in enumerate(names)}
    for group in document.agents:
        for name in group.queues or ():
            if name not in queues:
                raise InputRejected(
                    f"no class and no queue has the name {name}", field=f"agents {group.name}.queues", remedy="correct the name"
                )
    channels = {one.channel for one in classes}
    workers = tuple(worker for group in document.agents for worker in _workers(group, document, queues, channels, known))
    workers = tuple(replace(one, row=replace(one.row, id=UUID(int=number + 1))) for number, one in enumerate(workers))
    kinds = tuple(_kind(one, number, document, queues, recorded) for number, one in enumerate(classes))
    for kind in kinds:
        _check(kind, workers, {one.id: name for name, one in zip(names, _states(document, queues), strict=True)})
    warm_items, warm_s = _warm_up(document)
    span_s = None if document.stationary else document.horizon.time
    if recorded:
        first, last = min(one.at for one in recorded), max(one.at for one in recorded)
        warm_items, warm_s, span_s = 0, first, last - first
    return Scenario(
        kinds=kinds, workers=workers, queues=_states(document, queues), items=len(recorded) or document.horizon.items,
        time_s=None if recorded else document.horizon.time, warm_up_items=warm_items, warm_up_s=warm_s, span_s=span_s,
        thresholds_s=document.thresholds, seed=document.seed,
    )  # fmt: skip


def _states(document: Document, queues: Mapping[str, UUID]) -> tuple[QueueState, ...]:
    found = []
    for name, queue in queues.items():
        given = document.queues.get(name)
        newest = given is not None and given.order == "lifo"
        comparator = given.comparator if given is not None else "load"
        found.append(QueueState(id=queue, comparator=comparator, order="newest_first" if newest else "due"))
    return tuple(found)


def _warm_up(document: Document) -> tuple[int, float]:
    given = document.warm_up
    if given is not None:
        return given.items or 0, given.time or 0.0
    if not document.stationary:
        return 0, 0.0
    return int(_WARM_UP * (document.horizon.items or 0)), _WARM_UP * (document.horizon.time or 0.0)


def _kind(one: CustomerClass, number: int, document: Document, queues: Mapping[str, UUID], recorded: Sequence[Arrival]) -> Kind:
    own = tuple(sorted((arrival for arrival in recorded if arrival.kind == one.name), key=lambda arrival: arrival.at))
    field_name = f"classes {one.name}"
    if one.arrivals is None and not recorded:
        raise InputRejected("nobody of it comes", field=f"{field_name}.arrivals", remedy="give rate, profile, interval or at")
    service = one.service
    measured = tuple(arrival.handling_s for arrival in own if arrival.handling_s is not None)
    if service is None and measured:
        service = Empirical(kind="empirical", values=measured)  # for those of whom it was not recorded
    everywhere = all(one.name in group.service for group in document.agents)
    if service is None and not everywhere and (own or not recorded):
        raise InputRejected("how long its work takes is not known", field=f"{field_name}.service", remedy="give a distribution")
    given = document.queues.get(one.queue)
    order = given.order if given is not None else "key"
    return Kind(
        name=one.name, number=number, arrivals=None if recorded else one.arrivals, recorded=own,
        service=service.draw() if service else None, wrap=one.wrap.draw() if one.wrap else None,
        patience=one.patience.draw() if one.patience else None,
        terms=_terms(one), asking=_asking(one), queue=queues[one.queue], plan=_plan(one, queues),
        urgency=one.urgency, lead_s=0.0 if order == "fifo" else one.goal - one.boost, keyed=order == "key",
        slope=one.slope if order == "slope" else 0.0,
        thresholds_s=tuple(sorted({*document.thresholds, *((one.target,) if one.target is not None else ())})),
    )  # fmt: skip


def _terms(one: CustomerClass) -> Terms:
    sticky_s = one.park.sticky if one.park is not None else 0.0
    if one.offer is None:
        return Terms(channel=one.channel, auto_accept=True, grace_s=None, sticky_s=sticky_s)
    return Terms(
        channel=one.channel, offer_s=one.offer.timeout, cooldown_s=one.offer.cooldown, offers_max=one.offer.most, grace_s=None,
        sticky_s=sticky_s,
    )  # fmt: skip


def _asking(one: CustomerClass) -> Asking | None:
    """None where an item is assigned at once, to anybody, and finished in one go."""
    if one.offer is None and one.sticky is None and one.park is None:
        return None
    delay = one.offer.delay if one.offer is not None else None
    return Asking(
        delay=delay.draw() if delay is not None else None, decline=one.offer.decline if one.offer is not None else 0.0,
        returning=one.sticky.share if one.sticky is not None else 0.0,
        wait_for_s=one.sticky.deadline if one.sticky is not None else 0.0,
        parking=one.park.share if one.park is not None else 0.0, reply=one.park.reply.draw() if one.park is not None else None,
    )  # fmt: skip


def _plan(one: CustomerClass, queues: Mapping[str, UUID]) -> Plan:
    if one.plan:
        return Plan(
            tuple(
                Step(
                    queues=tuple(queues[name] for name in step.queues) or (None,),
                    requires=tuple(step.requires.items()), timeout_s=step.timeout, raise_s=step.raises,
                )
                for step in one.plan
            )
        )  # fmt: skip
    return plan_for(tuple(sorted(one.requires.items())))


@lru_cache(maxsize=4096)
def plan_for(requires: Requirement) -> Plan:
    """The one-step plan of a requirement; the default plan for none."""
    return Plan((Step(requires=requires),)) if requires else OWN_QUEUE


def _workers(group: Group, document: Document, queues: Mapping[str, UUID], channels: set[str], known: set[str]) -> list[Worker]:
    unknown = sorted(set(group.service) - known)
    if unknown:
        raise InputRejected(f"no class has the name {unknown[0]}", field=f"agents {group.name}.service", remedy="correct the name")
    if group.channels is None:
        slots = group.slots or 1
        budget, rules = slots, dict.fromkeys(channels, ChannelRule(cost=1, cap=slots))
    else:
        budget = group.budget or 100
        rules = {
            name: ChannelRule(cost=one.cost, cap=one.cap, exclusive=one.exclusive, interruptible=one.interruptible)
            for name, one in group.channels.items()
        }
    pulls = {queues[name]: Pull(one.priority, one.delay) for name, one in (group.queues or {}).items()}
    if group.queues is None:
        pulls = dict.fromkeys(queues.values(), Pull())
    limits = {queues[name]: one.items_max for name, one in document.queues.items() if one.items_max is not None}
    limits |= {queues[name]: one.items_max for name, one in (group.queues or {}).items() if one.items_max is not None}
    row = AgentState(
        id=UUID(int=0), version=1, queues=pulls, channels=rules, budget=budget, skills=group.skills, items_max=limits,
        presence="offline" if group.shifts else "online",
        new_items_max=group.new_items.items if group.new_items else 0, new_items_s=group.new_items.within if group.new_items else 0.0,
    )  # fmt: skip
    service = {name: one.draw() for name, one in group.service.items()}
    shifts = tuple((one.start, one.end) for one in group.shifts)
    return [
        Worker(
            name=group.name if group.count == 1 else f"{group.name}/{number + 1}", group=group.name, row=row, shifts=shifts,
            ramp=None if group.ramp is None else (group.ramp.within, group.ramp.every), back_after_s=group.back_after,
            service=service,
        )
        for number in range(group.count)
    ]  # fmt: skip


def _check(kind: Kind, workers: Sequence[Worker], names: Mapping[UUID, str]) -> None:
    """Refuse a class that would wait for ever."""
    wanted = [(queue or kind.queue, requires) for queue, requires in reach(kind.plan, len(kind.plan.steps) - 1)]
    for worker in workers:
        row = worker.row
        rule = row.channels.get(kind.terms.channel)
        if rule is None or rule.cap < 1 or rule.cost > row.budget:
            continue
        if any(queue in row.queues and meets(row.skills, requires) for queue, requires in wanted):
            return
    raise InputRejected(
        f"no agent takes {kind.terms.channel} from {names[kind.queue]} with the skills it asks for",
        field=f"classes {kind.name}", remedy="add the queue, the channel or the skill to a group of agents",
    )  # fmt: skip
