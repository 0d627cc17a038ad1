"""How a person is reached on a channel: ``(kind, scope, value)``, normalized.

Normalization is idempotent and never guesses; what cannot be normalized stays unresolved. The raw value is kept beside. Of an address
and a number people write many forms; an id is given by a machine, to the letter, so one that would have to be changed is refused: two
that differ never become one handle.

**Identity**: two handles are the same when kind, scope and normalized value are equal. Provider ids are opaque strings in the
scope of the account they belong to (a Page, a bot, a phone number's business), because providers hand out ids per account.
Source: RFC 5321 §2.4 (the domain of a mailbox is case-insensitive; in practice the local part is too), ITU-T E.164; one form for one
mailbox in `shared/mailbox.py`, for one number in `shared/telephone.py`. Whoever changes what comes out says in `shared/handle_forms.py`
what came out before.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from shared.errors import InputRejected
from shared.ids import WorkspaceId
from shared.mailbox import a_labels, local_content, local_part
from shared.telephone import number_of
from shared.text import clean_text

PHONE_KINDS: Final = frozenset({"phone"})
KINDS: Final = frozenset(
    {
        "email", "phone", "external_id", "wa_id", "bsuid", "psid", "igsid", "fb_user", "ig_user", "telegram", "slack", "line",
        "viber", "x", "mastodon", "bluesky", "visitor",
    }
)  # fmt: skip
VALUE_LENGTH_MAX: Final = 512
NORMAL_FORM: Final = "give it composed (Unicode NFC), without blanks around it"
HANDLE_BYTES_MAX: Final = 2400
"""Of kind, scope and value together in UTF-8: what an index over them takes, with room for the workspace's id."""
_LITERAL: Final = re.compile(r"\[[a-z0-9:.]+\]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_ASSURANCE_RANK: Final = {"asserted": 0, "channel_verified": 1, "authenticated": 2}
ASSURANCES: Final = tuple(_ASSURANCE_RANK)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Handle:
    """A normalized handle. Make one with :func:`normalized`; ``scope`` is empty for kinds that are global."""

    kind: str
    scope: str = ""
    value: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.scope}:{self.value}"

    def fits(self) -> bool:
        """Whether an index takes it: at most `HANDLE_BYTES_MAX` bytes."""
        return len(str(self).encode("utf-8", "surrogatepass")) <= HANDLE_BYTES_MAX


_LEFT: Final = "left:"
_LEFT_AT: Final = re.compile(rf"{_LEFT}([0-9]{{1,15}}):")


def assurance_rank(assurance: str) -> int:
    """``asserted`` 0 < ``channel_verified`` 1 < ``authenticated`` 2."""
    return _ASSURANCE_RANK[assurance]


def normalized(kind: str, value: str, *, scope: str = "", region: str | None = None) -> Handle:
    """The handle for a raw value as a provider or a person gave it.

    ``region`` is the inbox's two-letter country, needed for phone numbers without ``+``. Raises ``InputRejected`` naming the
    kind when the value cannot be a handle of that kind, and the scope when it is one that only we give (`left`). Idempotent: normalizing a
    handle's value gives the handle.
    """
    if kind not in KINDS:
        raise InputRejected(f"unknown kind of handle {kind!r}", field="kind", remedy=f"one of {', '.join(sorted(KINDS))}")
    text = unicodedata.normalize("NFC", clean_text(value.replace("\x00", ""))).strip()
    if scope.startswith(_LEFT):
        raise InputRejected("a scope that nobody gives a handle", field="scope", remedy=f"none that begins with {_LEFT}")
    if not text or len(text) > VALUE_LENGTH_MAX:
        raise InputRejected(f"a {kind} of {len(text)} characters", field="value", remedy=f"1 to {VALUE_LENGTH_MAX}")
    if kind == "email":
        return Handle(kind=kind, value=_email(text))
    if kind in PHONE_KINDS:
        return Handle(kind=kind, value=_phone(text, region))
    if text != value:
        raise InputRejected(f"a {kind} that is not in its normal form", field="value", remedy=NORMAL_FORM)
    handle = Handle(kind=kind, scope=clean_text(scope), value=text)
    if not handle.fits():
        raise InputRejected(
            f"value and scope of {len(str(handle).encode())} bytes", field="scope", remedy=f"at most {HANDLE_BYTES_MAX}"
        )
    return handle


def _email(text: str) -> str:
    written, at, domain = text.strip("<> ").rpartition("@")
    content = local_content(written) if at else None
    if content is None or written != written.strip() or not content[0].strip() or _CONTROL.search(written):
        raise InputRejected("not an e-mail address", field="value", remedy="like ayse@ornek.com")
    host = domain.rstrip(".").lower() if _LITERAL.fullmatch(domain.lower()) else a_labels(domain, lenient=True)
    if not host or domain != domain.strip():
        raise InputRejected("the domain is not valid", field="value", remedy="like ayse@ornek.com")
    # Folding ASCII only: 'İ'.lower() gives two code points, and a mailbox that differs in them is another mailbox.
    # Some letters compose with an accent in lower case only (w and a ring), so the result is composed once more.
    folded = unicodedata.normalize("NFC", "".join(c.lower() if c.isascii() else c for c in content[0]))
    value = f"{local_part(folded, quoted=content[1])}@{host}"
    if len(value) > VALUE_LENGTH_MAX:
        raise InputRejected(f"an address of {len(value)} characters", field="value", remedy=f"1 to {VALUE_LENGTH_MAX}")
    return value


def _phone(text: str, region: str | None) -> str:
    if not text.startswith("+") and region is None:
        raise InputRejected("a number without + and without the inbox's region", field="value", remedy="like +905321234567")
    number = number_of(text, region)
    if not number:
        raise InputRejected("not a valid phone number", field="value", remedy="like +905321234567")
    return number


def left(handle: Handle, by: str, at: datetime) -> Handle:
    """How a number is kept of somebody who has it no more since ``at``, ``by`` the message that said so: under a scope that no channel gives."""
    return Handle(kind=handle.kind, scope=f"{_LEFT}{int(at.timestamp() * 1000)}:{by}", value=handle.value)


def is_left(handle: Handle) -> bool:
    """Whether it is a number that somebody had: nobody is written to there, for somebody else may have it."""
    return handle.scope.startswith(_LEFT)


def left_at(handle: Handle) -> datetime | None:
    """Since when somebody has this number no more, to the millisecond; None for a handle that nobody left, or left when no calendar knows."""
    found = _LEFT_AT.match(handle.scope)
    try:
        return datetime.fromtimestamp(int(found[1]) / 1000, UTC) if found else None
    except (ValueError, OverflowError, OSError):
        return None


def partition_key(secret: bytes, workspace_id: WorkspaceId, handle: Handle) -> bytes:
    """The key under which this sender's messages travel: 16 bytes, keyed, so the log shows no address."""
    return hashlib.blake2b(
        workspace_id.bytes + str(handle).encode(), key=secret[:64], digest_size=16, person=b"santral.sender"
    ).digest()
