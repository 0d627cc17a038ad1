"""How a workspace handles each channel: what is offered and what is assigned at once, and how long things take.

Units: seconds. The workspace's settings may say otherwise per channel under ``terms``, a queue the length of its offers
and of wrapping up. ``grace_s`` None: what an agent had stays theirs until their shift is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from router.item.item import Terms

_DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "chat": {"offer_s": 30.0, "grace_s": 60.0, "park_after_reply_s": 180.0, "close_after_s": 3600.0},
    "phone": {"offer_s": 30.0, "grace_s": 0.0, "park_after_reply_s": 180.0, "close_after_s": 24 * 3600.0},
    "email": {"auto_accept": True, "grace_s": None, "close_after_s": 7 * 24 * 3600.0},
    "social": {"auto_accept": True, "grace_s": None, "close_after_s": 3 * 24 * 3600.0},
}
_OTHER: Final[Mapping[str, Any]] = {"auto_accept": True, "grace_s": None, "close_after_s": 7 * 24 * 3600.0}
_SETTABLE: Final = frozenset(
    {
        "auto_accept", "offer_s", "wrap_s", "grace_s", "sticky_s", "cooldown_s", "offers_max", "park_after_reply_s", "close_after_s",
        "live_s", "callback",
    }
)  # fmt: skip


def terms_for(channel: str, settings: Mapping[str, Any], offer_s: float | None = None, wrap_s: float | None = None) -> Terms:
    """The terms of a channel in a workspace with these settings; equal inputs give the same object.

    ``offer_s`` and ``wrap_s`` are the queue's: the workspace's setting for the channel goes before the first, the second before it.
    """
    own = (settings.get("terms") or {}).get(channel) or {}
    return _terms(channel, offer_s, wrap_s, tuple(sorted((name, value) for name, value in own.items() if name in _SETTABLE)))


@lru_cache(maxsize=1024)
def _terms(channel: str, offer_s: float | None, wrap_s: float | None, own: tuple[tuple[str, Any], ...]) -> Terms:
    values = {**_DEFAULTS.get(channel, _OTHER)}
    if offer_s is not None:
        values["offer_s"] = float(offer_s)
    values |= dict(own)
    if wrap_s is not None:
        values["wrap_s"] = float(wrap_s)
    return Terms(channel=channel, **values)
