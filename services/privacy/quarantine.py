"""Whose words lie in quarantine: entries are read for a person's addresses, because nothing else says whose they are.

Looked at are the record, the original inside it, the headers and the error. **Identity**: the entry's id.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from profiles.erasure_tombstones import is_buried
from profiles.forgetting import OwnHandle
from shared.cloudevent import decode_message
from shared.database import Connection
from shared.errors import InputRejected
from shared.handle import Handle

PAGE: Final = 50
NEEDLE_CHARS_MIN: Final = 5
_ENTRIES: Final = """
select id, message_id, headers, record, error from santral.quarantine
where workspace_id = $1 and id > $2 and octet_length(record) > 0 order by id limit $3
"""

_SINCE: Final = """
select message_id, headers, record from santral.quarantine
where workspace_id = $1 and id > $2 and octet_length(record) > 0 order by id
"""


def needles_of(handles: Iterable[OwnHandle]) -> set[bytes]:
    """How their addresses may stand in a provider's bytes: as they are, escaped, and a number without its plus; in lower case."""
    found: set[bytes] = set()
    for one in handles:
        for text in (one.handle.value.lower(), one.raw.lower()):
            forms = {text, text.lstrip("+"), json.dumps(text)[1:-1]}
            found |= {form.encode("utf-8", "surrogatepass") for form in forms if len(form) >= NEEDLE_CHARS_MIN}
    return found


async def entries_of(
    connection: Connection, workspace_id: UUID, needles: Collection[bytes], *, after: UUID
) -> tuple[list[UUID], UUID | None]:
    """A page of quarantine: the messages' ids of entries that hold an address, and where the page ended; None at the end."""
    rows = await connection.fetch(_ENTRIES, workspace_id, after, PAGE)
    found = [row["message_id"] for row in rows if _holds(dict(row), needles)]
    return found, rows[-1]["id"] if len(rows) == PAGE else None


async def entries_come_again(
    connection: Connection, secret: bytes, workspace_id: UUID, hashes: Collection[bytes], *, since: UUID
) -> list[UUID]:
    """Messages' ids of entries written since an id was made, whose record can be read and names an erased sender or participant."""
    rows = await connection.fetch(_SINCE, workspace_id, since)
    return [row["message_id"] for row in rows if any(is_buried(one, hashes, secret, workspace_id) for one in _named(dict(row)))]


def _named(row: Mapping[str, Any]) -> list[Handle]:
    try:
        message = decode_message({name: value.encode() for name, value in row["headers"].items()}, row["record"])
    except InputRejected:
        return []
    people = (*(() if message.sender is None else (message.sender,)), *message.other_handles, *message.participants)
    return [one.handle() for one in people]


def _holds(row: Mapping[str, Any], needles: Collection[bytes]) -> bool:
    record: bytes = row["record"]
    texts = [record, json.dumps(row["headers"]).encode(), row["error"].encode(), *_original(record)]
    return any(needle in text.lower() for text in texts for needle in needles)


def _original(record: bytes) -> list[bytes]:
    try:
        original = json.loads(record).get("original")
        return [base64.b64decode(original)] if isinstance(original, str) else []
    except (ValueError, AttributeError, binascii.Error):
        return []
