"""What an agent may take, from three places: what is usual, what the workspace says of a channel, what the agent's own row says. Pure.

The guarded statement in `router/moves/capacity.py` merges the same three in SQL. A presence of its own on a channel that is not ``online``
closes the channel. **Units**: capacity in the agent's budget units, seconds, times in epoch seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final, NamedTuple

from router.item.admission import DEFAULT_RULES, ChannelRule

UNKNOWN: Final[Mapping[str, Any]] = {"cost": 100, "cap": 0, "enabled": True, "exclusive": False, "interruptible": False}
DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = {channel: asdict(rule) for channel, rule in DEFAULT_RULES.items()}
RAMP_WINDOW_S: Final = 60.0


class Ramp(NamedTuple):
    """How fast an agent who has just come online is filled: until ``until``, one item each ``every_s``."""

    until: float = 0.0
    every_s: float = 0.0
    not_before: float = 0.0


def channel_rules(
    own: Mapping[str, Mapping[str, Any]], workspace: Mapping[str, Mapping[str, Any]] | None, presences: Mapping[str, str]
) -> Mapping[str, ChannelRule]:
    """The rule of every channel that one of the three names; members that are left out or null come from the place before."""
    if not own and not workspace and not presences:
        return DEFAULT_RULES
    rules: dict[str, ChannelRule] = {}
    for channel in {**DEFAULTS, **(workspace or {}), **own}:
        given = {**DEFAULTS.get(channel, UNKNOWN)}
        for place in ((workspace or {}).get(channel), own.get(channel)):
            given |= {name: value for name, value in (place or {}).items() if name in UNKNOWN and value is not None}
        if presences.get(channel, "online") != "online":
            given["enabled"] = False
        rules[channel] = ChannelRule(**given)
    return rules


def ramp_of(setting: Mapping[str, Any] | None, online_since: float | None, last_offer_at: float | None) -> Ramp:
    """The ramp of an agent who came online then; none without the setting. ``{items, window_s}`` or ``{per_s, window_s}``."""
    if not setting or online_since is None:
        return Ramp()
    window_s = float(setting.get("window_s") or RAMP_WINDOW_S)
    items, per_s = setting.get("items"), setting.get("per_s")
    if not items and not per_s:
        return Ramp()
    every_s = window_s / float(items) if items else 1.0 / float(per_s or 1.0)
    until = online_since + window_s
    taken_in_it = last_offer_at is not None and online_since <= last_offer_at < until
    return Ramp(until=until, every_s=every_s, not_before=(last_offer_at or 0.0) + every_s if taken_in_it else 0.0)
