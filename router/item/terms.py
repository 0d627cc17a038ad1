"""How a workspace handles each channel: what is offered and what is assigned at once, and how long things take.

Units: seconds. The workspace's settings may say otherwise per channel under ``terms``, a queue the length of its offers
and of wrapping up. ``grace_s`` None: what an agent had stays theirs until their shift is over.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Final, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from router.item.item import Terms

_DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "chat": {"offer_s": 30.0, "grace_s": 60.0, "park_after_reply_s": 180.0, "close_after_s": 3600.0},
    "phone": {"offer_s": 30.0, "grace_s": 0.0, "park_after_reply_s": 180.0, "close_after_s": 24 * 3600.0},
    "email": {"auto_accept": True, "grace_s": None, "close_after_s": 7 * 24 * 3600.0},
    "social": {"auto_accept": True, "grace_s": None, "close_after_s": 3 * 24 * 3600.0},
}
_OTHER: Final[Mapping[str, Any]] = {"auto_accept": True, "grace_s": None, "close_after_s": 7 * 24 * 3600.0}
TermSeconds = Annotated[float, Field(ge=0, le=366 * 24 * 3600)]


class ChannelTerms(TypedDict, total=False):
    """What a workspace says of one channel; what it leaves out is as usual. In seconds; null, where it is taken: never."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    auto_accept: bool
    offer_s: TermSeconds
    wrap_s: TermSeconds
    grace_s: TermSeconds | None
    sticky_s: TermSeconds
    cooldown_s: TermSeconds
    offers_max: Annotated[int, Field(ge=1, le=1000)]
    park_after_reply_s: TermSeconds
    close_after_s: TermSeconds | None
    live_s: TermSeconds | None
    callback: bool


_CHECKS: Final = {name: TypeAdapter(kind) for name, kind in get_type_hints(ChannelTerms, include_extras=True).items()}


def terms_that_count(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The terms in a workspace's stored settings, by channel. What nobody could save today counts as not given, and work goes on."""
    return {channel: _counting(own) for channel, own in (settings.get("terms") or {}).items()}


def terms_for(channel: str, settings: Mapping[str, Any], offer_s: float | None = None, wrap_s: float | None = None) -> Terms:
    """The terms of a channel in a workspace with these settings; equal inputs give the same object.

    ``offer_s`` and ``wrap_s`` are the queue's: the workspace's setting for the channel goes before the first, the second before it.
    """
    own = (settings.get("terms") or {}).get(channel) or {}
    return _terms(channel, offer_s, wrap_s, tuple(sorted(own.items())))


def _counting(own: Mapping[str, Any]) -> dict[str, Any]:
    kept = {}
    for name, value in own.items():
        if name in _CHECKS:
            with contextlib.suppress(ValidationError):
                kept[name] = _CHECKS[name].validate_python(value, strict=isinstance(value, bool | str))
    return kept


@lru_cache(maxsize=1024)
def _terms(channel: str, offer_s: float | None, wrap_s: float | None, own: tuple[tuple[str, Any], ...]) -> Terms:
    values = {**_DEFAULTS.get(channel, _OTHER)}
    if offer_s is not None:
        values["offer_s"] = float(offer_s)
    values |= _counting(dict(own))
    if wrap_s is not None:
        values["wrap_s"] = float(wrap_s)
    return Terms(channel=channel, **values)
