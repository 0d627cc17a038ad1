"""The capacity rule: may this agent be given one more item of this channel now?

One pure function. The guarded statement in ``router/moves/capacity.py`` says the same in SQL, over the columns of the
agent's row; whoever changes one changes the other. The dispatch core asks before it proposes, the statement
decides. Units: capacity in the agent's own budget units, time in epoch seconds.

``used`` counts assigned, offered and wrapping work. Interruptible work (mail, social) makes room for work that is
not: a chat may exceed the budget by as much as interruptible work covers; another mail may not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

Presence = Literal["online", "busy", "away", "not_responding", "offline"]

Reason = Literal[
    "offline",
    "lease_lost",
    "channel_disabled",
    "exclusive_held",
    "cap_reached",
    "budget",
    "ramp",
    "limit_reached",
    "excluded",
    "skill_missing",
    "not_member",
    "queue_delay",
    "sticky_wait",
]

ABSENT: frozenset[str | None] = frozenset({"offline", "lease_lost", "channel_disabled"})
"""Reasons that no finished work of the agent removes: who is refused by one of these is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRule:
    """What one item of a channel asks of one agent. A presence of its own per channel is folded into ``enabled``."""

    cost: int
    cap: int
    enabled: bool = True
    exclusive: bool = False
    interruptible: bool = False


DEFAULT_RULES: Mapping[str, ChannelRule] = {
    "chat": ChannelRule(cost=33, cap=3),
    "email": ChannelRule(cost=20, cap=5, interruptible=True),
    "social": ChannelRule(cost=20, cap=5, interruptible=True),
    "phone": ChannelRule(cost=100, cap=1, exclusive=True),
}


class Load(Protocol):
    """The columns of an agent's row that the rule reads."""

    @property
    def presence(self) -> Presence: ...
    @property
    def lease_until(self) -> float | None: ...
    @property
    def not_before(self) -> float: ...
    @property
    def budget(self) -> int: ...
    @property
    def used(self) -> int: ...
    @property
    def interruptible_used(self) -> int: ...
    @property
    def exclusive_held(self) -> int: ...
    @property
    def channels(self) -> Mapping[str, ChannelRule]: ...
    @property
    def counts(self) -> Mapping[str, int]: ...


def admissible(agent: Load, channel: str, now: float) -> Reason | None:
    """Return None when one more item of the channel fits, else the first reason why not.

    A lease of None never runs out (bots, simulated agents). ``not_before`` is the agent's ramp: how soon after
    coming online, or after the last item, the next one may follow.
    """
    if agent.presence != "online":
        return "offline"
    if agent.lease_until is not None and agent.lease_until <= now:
        return "lease_lost"
    rule = agent.channels.get(channel)
    if rule is None or not rule.enabled:
        return "channel_disabled"
    if agent.exclusive_held:
        return "exclusive_held"
    if agent.counts.get(channel, 0) >= rule.cap:
        return "cap_reached"
    excess = agent.used + rule.cost - agent.budget
    if excess > 0 and (rule.interruptible or excess > agent.interruptible_used):
        return "budget"
    if agent.not_before > now:
        return "ramp"
    return None
