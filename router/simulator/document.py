"""What `santral simulate` is given: classes of customers, agents, queues and how long to watch. Pydantic, nothing unknown accepted.

**Units**: durations in seconds or as text with a unit, rates a second or as text with a unit (`quantities.py`); the simulated clock
starts at 0. **Identity**: queues, classes and groups by their names.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from router.dispatch.agents import Comparator
from router.simulator.quantities import Duration, Part, PerSecond, Positive, Seconds
from shared.errors import InputRejected

Name = Annotated[str, Field(min_length=1, max_length=100)]
Level = Annotated[int, Field(ge=1, le=5)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
_ERRORS_SHOWN: Final = 5


class Rate(Part):
    """From a moment on, so many arrivals."""

    at: Seconds = 0.0
    rate: PerSecond


class Arrivals(Part):
    """When customers of a class come. Exactly one of the four.

    ``rate``: a Poisson process. ``profile``: one whose rate changes at given moments, over again each ``repeat`` where that is
    given. ``interval``: independent times between arrivals. ``at``: these moments.
    """

    rate: PerSecond | None = None
    profile: tuple[Rate, ...] | None = None
    repeat: Positive | None = None
    interval: Duration | None = None
    at: tuple[Seconds, ...] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in ("rate", "profile", "interval", "at") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of rate, profile, interval, at")
        if self.repeat is not None and self.profile is None:
            raise ValueError("repeat belongs to a profile; remove it")
        if self.profile is not None:
            moments = [one.at for one in self.profile]
            if not moments or moments[0] != 0 or sorted(set(moments)) != moments:
                raise ValueError("profile: the first entry is at 0, and each later than the one before it")
            if self.repeat is not None and self.repeat <= moments[-1]:
                raise ValueError("repeat ends before the profile does; make it longer")
            if not any(one.rate for one in self.profile):
                raise ValueError("profile: every rate is 0; nobody would come")
        return self


class PlanStep(Part):
    """A step of a plan; ``queues`` empty: the class's own."""

    requires: dict[Name, Level] = Field(default_factory=dict)
    queues: tuple[Name, ...] = ()
    timeout: Positive | None = None
    raises: Seconds = 0.0


class Offer(Part):
    """The channel asks before it assigns. ``delay``: until the agent answers; one that is not before ``timeout`` runs out.

    ``decline``: the share of answers that are no. ``cooldown`` and ``most``: when, and how often, one agent is asked again.
    """

    timeout: Positive = 20.0
    delay: Duration | None = None
    decline: Share = 0.0
    cooldown: Seconds = 30.0
    most: int = Field(default=3, ge=1, le=1000)


class Sticky(Part):
    """This share of customers was here before and waits for the agent of then until the deadline, then for anybody."""

    share: Share
    deadline: Seconds


class Park(Part):
    """This share of answers waits for the customer, who writes after ``reply``; then the same agent has ``sticky`` to take it."""

    share: Share
    reply: Duration
    sticky: Seconds = 120.0

    @field_validator("share")
    @classmethod
    def _ends(cls, given: float) -> float:
        if given >= 1:
            raise ValueError("every answer would wait for the customer and no work would end; give less than 1")
        return given


class CustomerClass(Part):
    """One kind of customer. Smaller ``urgency`` is served first, whatever waits; then what is due first: arrival + goal − boost."""

    name: Name
    arrivals: Arrivals | None = None
    service: Duration | None = None
    wrap: Duration | None = None
    patience: Duration | None = None
    queue: Name = "main"
    channel: Name = "work"
    requires: dict[Name, Level] = Field(default_factory=dict)
    plan: tuple[PlanStep, ...] = ()
    urgency: int = Field(default=1, ge=0, le=1000)
    goal: Seconds = 0.0
    boost: Seconds = 0.0
    slope: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    offer: Offer | None = None
    sticky: Sticky | None = None
    park: Park | None = None
    target: Seconds | None = None

    @model_validator(mode="after")
    def _either(self) -> Self:
        if self.plan and self.requires:
            raise ValueError("requires and plan: write the requirement into the plan's steps")
        return self


class Queue(Part):
    """How a queue orders and chooses.

    ``key``: what is due first. ``fifo``: who came first. ``lifo``: who came last. ``slope``: accumulating priority, age times the
    class's slope. Urgency goes before all of them. ``items_max``: at most so many items of it at one agent at once.
    """

    order: Literal["key", "fifo", "lifo", "slope"] = "key"
    comparator: Comparator = "load"
    items_max: int | None = Field(default=None, ge=1, le=1000)


class Member(Part):
    """How a group takes from a queue: smaller priority first, and only who has waited for the delay; its own ``items_max``."""

    priority: int = 0
    delay: Seconds = 0.0
    items_max: int | None = Field(default=None, ge=1, le=1000)


class Channel(Part):
    """What one item of a channel asks of an agent of the group."""

    cost: int = Field(default=100, ge=0, le=100_000)
    cap: int = Field(default=1, ge=0, le=100_000)
    exclusive: bool = False
    interruptible: bool = False


class Shift(Part):
    """When the group is there. At the end work is finished and nothing new is taken."""

    start: Seconds
    end: Seconds

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end <= self.start:
            raise ValueError("end is not after start; a shift over midnight ends after 24:00, for example 30h")
        return self


class Ramp(Part):
    """After a shift's start, for so long, at least ``every`` passes between two items of an agent."""

    within: Positive
    every: Positive


class NewItems(Part):
    """In any ``within`` at most so many new items come to an agent; what comes back to them is not new."""

    items: int = Field(ge=1, le=200)
    within: Positive


def _names(given: Any) -> Any:
    if not isinstance(given, list | tuple):
        return given
    if wrong := [one for one in given if not isinstance(one, str)]:
        raise ValueError(f"{wrong[0]!r} is not a queue's name; write names, or a mapping of names to priority and delay")
    return {one: {} for one in given}


class Group(Part):
    """Equal agents. ``slots``: so many items at once, of any channel; or ``budget`` and ``channels`` as in production.

    ``back_after``: an offer ran out, so they count as not responding until so long after it.
    """

    name: Name
    count: int = Field(default=1, ge=0, le=100_000)
    slots: int | None = Field(default=None, ge=1, le=1000)
    budget: int | None = Field(default=None, ge=1, le=100_000)
    channels: dict[Name, Channel] | None = None
    skills: dict[Name, Level] = Field(default_factory=dict)
    queues: Annotated[dict[Name, Member], BeforeValidator(_names)] | None = None
    shifts: tuple[Shift, ...] = ()
    ramp: Ramp | None = None
    new_items: NewItems | None = None
    back_after: Positive = 60.0
    service: dict[Name, Duration] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _capacity(self) -> Self:
        if self.slots is not None and (self.channels is not None or self.budget is not None):
            raise ValueError("slots is the short form of budget and channels; give one of the two")
        if self.budget is not None and self.channels is None:
            raise ValueError("budget needs channels with their costs and caps")
        if self.ramp is not None and not self.shifts:
            raise ValueError("ramp begins with a shift; give shifts, or remove it")
        ordered = sorted(self.shifts, key=lambda one: one.start)
        if any(one.end > other.start for one, other in pairwise(ordered)):
            raise ValueError("shifts overlap; make one of them, or a second group")
        return self


class Span(Part):
    """A number of items, or a time."""

    items: int | None = Field(default=None, ge=0, le=100_000_000)
    time: Seconds | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.items is None) == (self.time is None):
            raise ValueError("give items or time, and not both")
        return self


class Document(Part):
    """A whole simulation.

    ``horizon``: how much is measured; ``warm_up``: how much goes before it and is not measured (a tenth of the horizon where
    rates are constant and nobody has shifts, else nothing). Arrivals end with the horizon, and who is waiting then is served.
    """

    classes: tuple[CustomerClass, ...] = ()
    agents: tuple[Group, ...] = ()
    queues: dict[Name, Queue] = Field(default_factory=dict)
    horizon: Span = Span(items=20_000)
    warm_up: Span | None = None
    runs: int = Field(default=8, ge=1, le=10_000)
    seed: int = 1
    confidence: float = Field(default=0.99, gt=0, lt=1)
    thresholds: tuple[Seconds, ...] = (20.0,)

    @field_validator("horizon")
    @classmethod
    def _some(cls, given: Span) -> Span:
        if not given.items and not given.time:
            raise ValueError("nothing would be measured; give items or time above 0")
        return given

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        if not self.agents:
            raise ValueError("agents: nobody works; add at least one group")
        for what, names in (("classes", [one.name for one in self.classes]), ("agents", [one.name for one in self.agents])):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what}: {twice[0]} is there twice; names are unique")
        known = {*self.queues, *(one.queue for one in self.classes)}
        for one in self.classes:
            for step in one.plan:
                for queue in step.queues:
                    if queue not in known:
                        raise ValueError(f"classes {one.name}: the plan names the unknown queue {queue}; add it under queues")
        return self

    @property
    def stationary(self) -> bool:
        """Whether nothing but chance changes over time."""
        flows = [one.arrivals for one in self.classes]
        constant = all(flow is not None and flow.profile is None and flow.at is None for flow in flows)
        return constant and not any(one.shifts for one in self.agents)


def document_of(given: Any) -> Document:
    """The document from parsed JSON or YAML. Raises `InputRejected` that names each field at fault, at most five."""
    if not isinstance(given, dict):
        raise InputRejected("the document is not a mapping", field="document", remedy="start with classes: and agents:")
    try:
        return Document.model_validate(given)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        told = "; ".join(f"{_place(one['loc'])}: {one['msg'].removeprefix('Value error, ')}" for one in found[:_ERRORS_SHOWN])
        more = f"; and {len(found) - _ERRORS_SHOWN} more" if len(found) > _ERRORS_SHOWN else ""
        raise InputRejected(told + more, remedy="the fields are described in router/simulator/README.md") from error


def _place(loc: tuple[int | str, ...]) -> str:
    text = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in loc)
    return text.lstrip(".") or "document"
