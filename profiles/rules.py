"""What a workspace settled about its people: how attributes are chosen, how many handles a person may have, when links end.

Read from ``settings.profile`` of the workspace, where the API has checked it; what an older release left there and is not understood
counts as not given. Pure. **Units**: seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

from profiles.partition import DEFAULT_RULES, Rules
from profiles.survivorship import STRATEGIES, Strategy

# A number that nobody used for two years may have been given to somebody else.
EXPIRE_AFTER_S: Final[Mapping[str, int]] = MappingProxyType({"phone": 730 * 24 * 3600, "wa_id": 730 * 24 * 3600})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRules:
    """``expire_after``: kind of handle → how long a link to one counts after it was last seen."""

    strategies: Mapping[str, Strategy] = field(default_factory=lambda: MappingProxyType({}))
    identity: Rules = DEFAULT_RULES
    expire_after: Mapping[str, timedelta] = field(default_factory=lambda: _windows(EXPIRE_AFTER_S))


def profile_rules(settings: Mapping[str, Any] | None) -> ProfileRules:
    """The rules in ``settings.profile``; the defaults where it says nothing."""
    given = settings or {}
    strategies = {
        name: Strategy(name=said.get("strategy", Strategy().name), sources=tuple(said.get("sources") or ()))
        for name, said in (given.get("attributes") or {}).items()
        if said.get("strategy", Strategy().name) in STRATEGIES
    }
    identity = replace(
        DEFAULT_RULES,
        limits=MappingProxyType({**DEFAULT_RULES.limits, **(given.get("limits") or {}), **dict.fromkeys(_UNIQUE, 1)}),
        fan_out=MappingProxyType({**DEFAULT_RULES.fan_out, **(given.get("fan_out") or {})}),
    )
    return ProfileRules(
        strategies=MappingProxyType(strategies),
        identity=identity,
        expire_after=_windows({**EXPIRE_AFTER_S, **(given.get("expire_after_s") or {})}),
    )


_UNIQUE: Final = DEFAULT_RULES.immutable_unique


def _windows(seconds: Mapping[str, int]) -> Mapping[str, timedelta]:
    return MappingProxyType({kind: timedelta(seconds=wait) for kind, wait in seconds.items() if wait > 0})
