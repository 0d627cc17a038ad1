"""How something was brought to us, kept with what was not understood: parsed again, it vouches for whom it vouched for then, and no further.

Kept among the traits of the unparsed message, which nobody outside writes. Of what earlier releases kept this is not known: then nobody is
vouched for, and who was denied stays denied, as far as the inbox's border can be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from ingest.adapter import Draft, Inbox, Request, Target
from shared.message import Sender

_DOOR: Final = "door"
_PROVEN: Final = "proven"
_BELIEVED: Final = ("authserv_id", "caller_numbers")
"""Settings that say who is believed. All others are an inbox's as it is now: to be mended is why something is parsed again."""


def kept(request: Request, settings: Mapping[str, Any]) -> dict[str, str]:
    """What the door knew, as traits; ``settings`` are those of the inbox it was for."""
    believed = {name: str(settings[name]) for name in _BELIEVED if settings.get(name)}
    return {_DOOR: request.method, _PROVEN: "yes" if request.proven else "no", **believed}


def brought_again(target: Target, traits: Mapping[str, str], body: bytes, *, at: datetime) -> tuple[Target, Request]:
    """The target and the request as they were when it came, ``at`` that time."""
    request = Request(
        method=traits.get(_DOOR, "POST"),
        url="",
        headers={},
        query={},
        body=body,
        received_at=at,
        proven=traits.get(_PROVEN) == "yes",
    )
    if not _is_known(traits):
        return target, request
    return replace(target, inboxes=tuple(_as_then(inbox, traits) for inbox in target.inboxes)), request


def vouched_then(draft: Draft, traits: Mapping[str, str]) -> Draft:
    """The draft of what was parsed again, without anybody's word for its writer where it is not known how it came."""
    if _is_known(traits):
        return draft
    values = dict(draft.values)
    given = values.get("traits", {})
    return replace(
        draft,
        values={
            **values,
            "sender": None if values.get("sender") is None else _asserted(values["sender"]),
            "other_handles": tuple(map(_asserted, values.get("other_handles", ()))),
            "authenticated": False,
            # A mail of which nobody said anything goes on with no conversation of whom a border knows.
            "traits": {**given, "verdict": "none"} if given.get("verdict", "fail") != "fail" else given,
        },
    )


def _is_known(traits: Mapping[str, str]) -> bool:
    return _DOOR in traits


def _as_then(inbox: Inbox, traits: Mapping[str, str]) -> Inbox:
    settings = {name: value for name, value in inbox.settings.items() if name not in _BELIEVED}
    return replace(inbox, settings=settings | {name: traits[name] for name in _BELIEVED if name in traits})


def _asserted(who: Sender) -> Sender:
    return who.model_copy(update={"assurance": "asserted"})
