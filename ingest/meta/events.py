"""What Meta's events share: their clock, words that may be null, and the people of a Page or an account.

**Units**: Unix seconds or milliseconds, as numbers or as words: Meta's own pages show the same field in both.
**Handles**: ids that a Page or an account alone has for a person, in its scope; those of private messages are not those of public comments.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from ingest.adapter import Inbox
from shared.message import Automatic, Sender
from shared.moments import require_moment
from shared.text import clean_line

OURS: Final[Mapping[str, Any]] = {"direction": "out", "automatic": Automatic(kind="echo")}
"""The fields of what our own side wrote elsewhere: an outgoing line, never work."""
_MILLISECONDS_FROM: Final = 10**11
"""As seconds this is far from now either way; as milliseconds it is 1973."""
_KINDS: Final = {"messenger": ("psid", "fb_user"), "instagram": ("igsid", "ig_user")}


def moment(told: Any) -> datetime:
    """The time in UTC. Raises ``ValueError`` or ``TypeError`` for what is no number, or no time that anybody can count with."""
    number = int(told)
    try:
        return require_moment(datetime.fromtimestamp(number / 1000 if number >= _MILLISECONDS_FROM else number, UTC))
    except (OverflowError, OSError) as error:
        raise ValueError("no time") from error


def given(values: Mapping[str, Any], name: str) -> str:
    """An id or words without which there is no message, as text: null would make one thing of all that have none.

    Raises ``KeyError`` or ``ValueError`` naming it.
    """
    value = values[name]
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise ValueError(f"no {name}")
    return str(value)


def told(values: Mapping[str, Any], name: str) -> str:
    """A word that may be missing or null; empty then."""
    value = values.get(name)
    return "" if value is None else str(value)


def private_person(inbox: Inbox, person: str) -> Sender:
    """Who takes part in a private conversation with the account."""
    return Sender(kind=_KINDS[inbox.provider][0], scope=inbox.address, value=person, raw=person, assurance="channel_verified")


def public_person(inbox: Inbox, person: str, name: str) -> Sender:
    """Who writes where all can read it."""
    return Sender(
        kind=_KINDS[inbox.provider][1], scope=inbox.address, value=person, raw=person, name=clean_line(name)[:500],
        assurance="channel_verified",
    )  # fmt: skip


def nobody_known(inbox: Inbox, said: str) -> Sender:
    """Without the permission to see authors what was said still has to reach somebody: it stands for its writer."""
    return Sender(kind=_KINDS[inbox.provider][1], scope=inbox.address, value=f"comment:{said}", assurance="asserted")
