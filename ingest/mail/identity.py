"""What makes two mails the same: what their writer's program wrote of them, octet by octet, and nothing that a parser makes of it.

Source: RFC 5322 §3.6.4 (Message-ID). One real mail in six has no Message-ID or repeats another's, so it never stands alone.
**Identity**: Message-ID with a digest of the fields Date, From and Subject and of the octets after the header block. Fields that
servers add on the way differ between two deliveries of one mail and do not count; ends of lines and folds do not either. A better
reading of a mail therefore never makes another mail of it. Without a Message-ID the Date stands in; without both the caller adds
the day.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

_COUNTED: Final = (b"date", b"from", b"subject")
_LINE_END: Final = re.compile(rb"\r\n?")
_FIELD: Final = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
_ID_CHARS_MAX: Final = 900


def mail_identity(raw: bytes, message_id: str | None) -> str:
    """The mail's external id; empty when it has neither Message-ID nor Date and is to be told apart by the day. Pure; linear."""
    head, _, body = _LINE_END.sub(b"\n", raw).partition(b"\n\n")
    fields = _fields(head)
    told = hashlib.blake2b(digest_size=16)
    for name in _COUNTED:
        told.update(name + b":" + fields.get(name, b"") + b"\n")
    told.update(b"\n" + body.rstrip(b"\n"))
    if message_id:
        return f"{message_id[:_ID_CHARS_MAX]}#{told.hexdigest()}"
    return f"#{told.hexdigest()}" if fields.get(b"date") else ""


def _fields(head: bytes) -> dict[bytes, bytes]:
    """The first field of each counted name, unfolded, blanks as one."""
    found: dict[bytes, bytes] = {}
    for line in re.split(rb"\n(?![ \t])", head):
        field = _FIELD.fullmatch(line)
        if field is not None and (name := field[1].lower()) in _COUNTED:
            found.setdefault(name, b" ".join(field[2].split()))
    return found
