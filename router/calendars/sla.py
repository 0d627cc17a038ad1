"""Service levels: which targets hold for an item, and what its clocks do. Pure.

A clock starts with the item, counts the open time of its calendar, stands still while the item waits for the customer, and ends with
the first public answer of a person (``first_response``; on the telephone, with the call being taken) or with the work's completion.
What it does follows from the item's row alone, so a clock that was not looked at for a while is right again after one look.

An item that goes to another queue has that queue's targets from then on. What a clock has counted goes on under the new target, because
the customer waits on; a target that the old queue did not have begins when the item comes; one that the new queue does not have ends,
neither met nor missed. What is over (a first response) stays over.

A set of targets is chosen by the policy, else it is the one named ``default``, else the shipped one. Of its targets the one that says
most of the item holds: a tier counts more than a queue, a queue more than a channel.

**Units**: seconds of open time; moments aware UTC, by the database's clock. Identity: a clock by item and kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

from router.calendars.calendar import Calendar, deadline, elapsed

Kind = Literal["first_response", "resolution"]
Happening = Literal["warned", "breached", "met"]
KINDS: Final[tuple[Kind, ...]] = ("first_response", "resolution")
DEFAULT: Final = "default"
PRESETS_S: Final[Mapping[str, int]] = {"email": 24 * 3600, "chat": 60, "phone": 15, "social": 3600}
OTHER_PRESET_S: Final = 24 * 3600
WARN_SHARE: Final = 0.8
_FINAL: Final = frozenset({"completed", "abandoned", "canceled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What holds for the items it speaks of; a member that is None speaks of all. ``calendar`` None: the queue's."""

    channel: str | None = None
    queue: str | None = None
    tier: str | None = None
    first_response_s: int | None = None
    resolution_s: int | None = None
    calendar: str | None = None
    escalate_to: str | None = None

    def seconds(self, kind: Kind) -> int | None:
        """The target of this kind."""
        return self.first_response_s if kind == "first_response" else self.resolution_s

    def weight(self, channel: str, queue: str, tier: str) -> int | None:
        """How much it says of such an item; None when it speaks of others."""
        if any(said is not None and said != is_ for said, is_ in ((self.channel, channel), (self.queue, queue), (self.tier, tier))):
            return None
        return 4 * (self.tier is not None) + 2 * (self.queue is not None) + (self.channel is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sla:
    """A named set of targets. ``warn_share``: after which share of the target it warns."""

    name: str
    targets: Sequence[Target] = ()
    calendar: str | None = None
    escalate_to: str | None = None
    warn_share: float = WARN_SHARE


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The target that holds for one item and kind."""

    sla: str
    kind: Kind
    target_s: int
    warn_s: int
    calendar: str | None
    escalate_to: str | None


def target_for(
    kind: Kind, *, channel: str, queue: str, tier: str = "", asked: str = "", slas: Mapping[str, Sla], queue_targets_s: Mapping[str, Any],
) -> Chosen | None:  # fmt: skip
    """The target of an item: of the set the policy asked for, else of the default one, the queue's own, the shipped ones.

    Every item has a target for the first response; one for the resolution only where somebody set it.
    """
    if asked in slas and asked != DEFAULT:
        chosen = _best(slas[asked], kind, channel, queue, tier)
        if chosen is not None:
            return chosen[1]
    own = queue_targets_s.get(channel) if kind == "first_response" else None
    default = slas.get(DEFAULT)
    found = None if default is None else _best(default, kind, channel, queue, tier)
    if isinstance(own, int) and not isinstance(own, bool) and own >= 0 and (found is None or found[0] < 3):
        return _chosen(default or Sla(name=""), Target(), kind, own)
    if found is not None:
        return found[1]
    if kind != "first_response":
        return None
    return _chosen(default or Sla(name=""), Target(), kind, PRESETS_S.get(channel, OTHER_PRESET_S))


def _best(sla: Sla, kind: Kind, channel: str, queue: str, tier: str) -> tuple[int, Chosen] | None:
    found: tuple[int, Target] | None = None
    for target in sla.targets:
        weight = target.weight(channel, queue, tier)
        if weight is not None and target.seconds(kind) is not None and (found is None or weight > found[0]):
            found = (weight, target)
    if found is None:
        return None
    seconds = found[1].seconds(kind)
    assert seconds is not None, "only targets of this kind were looked at"
    return found[0], _chosen(sla, found[1], kind, seconds)


def _chosen(sla: Sla, target: Target, kind: Kind, seconds: int) -> Chosen:
    return Chosen(
        sla=sla.name, kind=kind, target_s=seconds, warn_s=int(seconds * sla.warn_share),
        calendar=target.calendar or sla.calendar, escalate_to=target.escalate_to or sla.escalate_to,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What the clocks see of an item. ``woken_at``: since when it waits or is worked on after it was parked last."""

    state: str
    channel: str
    started_at: datetime
    parked_at: datetime | None = None
    woken_at: datetime | None = None
    replied_at: datetime | None = None
    assigned_at: datetime | None = None
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """One target being counted. ``resumed_at`` None: it stands still. ``elapsed_s`` was counted before ``resumed_at``."""

    kind: Kind
    target_s: int
    warn_s: int
    started_at: datetime
    resumed_at: datetime | None
    paused_at: datetime | None = None
    elapsed_s: float = 0.0
    due_at: datetime | None = None
    warn_at: datetime | None = None
    warned_at: datetime | None = None
    breached_at: datetime | None = None
    met_at: datetime | None = None
    stopped_at: datetime | None = None

    @property
    def runs(self) -> bool:
        """Whether it goes on by itself."""
        return self.resumed_at is not None and not self.ended

    @property
    def ended(self) -> bool:
        """Whether nothing happens to it any more."""
        return self.met_at is not None or self.stopped_at is not None

    @property
    def next_at(self) -> datetime | None:
        """When it warns or is breached by itself; None when nothing is left to happen."""
        if not self.runs or self.breached_at is not None:
            return None
        return self.due_at if self.warned_at is not None or self.warn_at is None else self.warn_at


def started(chosen: Chosen, calendar: Calendar, work: Work) -> Clock:
    """A new clock of an item, counting since the customer began to wait."""
    fresh = Clock(
        kind=chosen.kind, target_s=chosen.target_s, warn_s=chosen.warn_s, started_at=work.started_at, resumed_at=work.started_at
    )
    return _running(fresh, calendar, work.started_at)


def moved(
    clock: Clock | None, chosen: Chosen | None, *, before: Calendar, calendar: Calendar, work: Work, at: datetime
) -> Clock | None:
    """The clock of an item that went to another queue at ``at``: ``chosen`` by its target there, counted by ``calendar`` from then on.

    ``before`` counted it until then. None where there was none and is none. What the old target missed is kept only if the new one is
    missed too: a miss is told once, and a later one under a longer target is told again. A met clock, and a first response that was
    given, stay as they are.
    """
    if clock is not None and clock.met_at is not None:
        return clock
    answered = work.replied_at is not None or (work.channel == "phone" and work.assigned_at is not None)
    if clock is None:
        over = chosen is None or (chosen.kind == "first_response" and answered)
        return None if over or chosen is None else started(chosen, calendar, replace(work, started_at=at))
    kept = replace(_stopped(clock, before, at), due_at=None, warn_at=None)
    if chosen is None:
        return replace(kept, stopped_at=clock.stopped_at or at)
    warned = kept.elapsed_s >= chosen.warn_s
    missed = kept.elapsed_s >= chosen.target_s
    fresh = replace(
        kept, target_s=chosen.target_s, warn_s=chosen.warn_s, stopped_at=None, warned_at=kept.warned_at if warned else None,
        breached_at=kept.breached_at if missed else None,
    )  # fmt: skip
    if work.state == "parked":
        return replace(fresh, paused_at=fresh.paused_at or at)
    return _running(replace(fresh, resumed_at=at, paused_at=None), calendar, at)


def looked_at(clock: Clock, calendar: Calendar, work: Work, now: datetime) -> tuple[Clock, tuple[Happening, ...]]:
    """The clock as the item's row makes it at ``now``, and what happened to it since the last look, in order.

    Looking twice changes nothing the second time. A pause of which the row does not tell any more is not seen.
    """
    if clock.ended:
        return clock, ()
    happened: list[Happening] = []
    ends_at, met = _end(clock, work)
    clock = _paused_and_resumed(clock, calendar, work, ends_at or now, happened)
    clock = _passed(clock, ends_at or now, happened)
    if ends_at is None:
        return clock, tuple(happened)
    clock = _stopped(clock, calendar, max(ends_at, clock.resumed_at or ends_at))
    if not met:
        return replace(clock, stopped_at=ends_at), tuple(happened)
    return replace(clock, met_at=ends_at), (*happened, "met")


def _end(clock: Clock, work: Work) -> tuple[datetime | None, bool]:
    """When the item ended the clock, and whether it did what was asked."""
    if clock.kind == "first_response":
        answered = work.assigned_at if work.channel == "phone" and work.replied_at is None else work.replied_at
        if answered is not None:
            # An item that began with our own message, and to which the customer wrote: what was said before is no answer to that.
            return max(answered, clock.started_at), answered >= clock.started_at
    if work.state in _FINAL:
        return work.closed_at, work.state == "completed"
    return None, False


def _paused_and_resumed(clock: Clock, calendar: Calendar, work: Work, until: datetime, happened: list[Happening]) -> Clock:
    parked = work.parked_at
    if (
        clock.resumed_at is not None
        and parked is not None
        and parked <= until
        and (work.state == "parked" or clock.resumed_at < parked)
    ):
        at = max(parked, clock.resumed_at)
        clock = _passed(clock, at, happened)
        clock = replace(_stopped(clock, calendar, at), paused_at=at, due_at=None, warn_at=None)
    if clock.resumed_at is None and work.state != "parked" and work.state not in _FINAL:
        at = work.woken_at if work.woken_at is not None and (clock.paused_at is None or work.woken_at > clock.paused_at) else until
        clock = _running(replace(clock, resumed_at=at, paused_at=None), calendar, at)
    return clock


def _running(clock: Clock, calendar: Calendar, at: datetime) -> Clock:
    """Due and warning times of a clock that runs from ``at``."""
    due_at = deadline(calendar, at, max(0.0, clock.target_s - clock.elapsed_s))
    warn_at = deadline(calendar, at, max(0.0, clock.warn_s - clock.elapsed_s))
    return replace(clock, due_at=due_at, warn_at=None if clock.warned_at is not None else warn_at)


def _stopped(clock: Clock, calendar: Calendar, at: datetime) -> Clock:
    if clock.resumed_at is None:
        return clock
    return replace(clock, resumed_at=None, elapsed_s=clock.elapsed_s + elapsed(calendar, clock.resumed_at, at))


def _passed(clock: Clock, until: datetime, happened: list[Happening]) -> Clock:
    """Warns and breaches what was due by ``until``; no warning comes with the breach itself."""
    if clock.due_at is None or clock.resumed_at is None or clock.breached_at is not None:
        return clock
    if clock.due_at <= until:
        happened.append("breached")
        return replace(clock, breached_at=clock.due_at)
    if clock.warned_at is None and clock.warn_at is not None and clock.warn_at <= until:
        happened.append("warned")
        return replace(clock, warned_at=clock.warn_at)
    return clock
