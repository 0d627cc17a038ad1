"""Values that name nobody: placeholders, role mailboxes, withheld numbers. They never link and never merge.

A placeholder that many records share would otherwise fuse hundreds of people into one. Pure; the workspace's own addresses are
data and are given by the caller.

Source: RFC 2142 and RFC 5321 §4.5.1 (role mailboxes), RFC 9562 §5.9 (the nil UUID); of withheld numbers `shared/callers.py`.
Identity: the normalized value, case aside.
"""

from __future__ import annotations

import re
from typing import Final

from shared.callers import CALL_SCOPE, is_withheld

_ZEROS: Final = re.compile(r"[0-]*")
_PLACEHOLDERS: Final = frozenset(
    {"-1", "null", "none", "nil", "undefined", "n/a", "na", "nan", "anonymous", "unknown", "unavailable", "restricted", "private", "test"}
)  # fmt: skip
_ROLES: Final = frozenset(
    {"noreply", "donotreply", "postmaster", "mailerdaemon", "bounce", "bounces", "abuse", "hostmaster", "webmaster"}
)
_SEPARATORS: Final = re.compile(r"[._-]")


def blocked_reason(kind: str, value: str, scope: str = "") -> str | None:
    """Why this handle may never link: ``placeholder``, ``withheld`` or ``role_mailbox``; None when it may.

    Asks the normalized value, so the answer is the same for ever and needs no state. ``withheld`` is also who called without a number:
    their handle stands for that call.
    """
    if kind == "visitor" and scope.startswith(CALL_SCOPE):
        return "withheld"
    text = value.strip().casefold()
    if _ZEROS.fullmatch(text) or text in _PLACEHOLDERS:
        return "placeholder"
    if kind == "phone" and is_withheld(text):
        return "withheld"
    if kind == "email":
        local = text.partition("@")[0].partition("+")[0]
        if _ZEROS.fullmatch(local) or local in _PLACEHOLDERS:
            return "placeholder"
        if _SEPARATORS.sub("", local) in _ROLES:
            return "role_mailbox"
    return None
