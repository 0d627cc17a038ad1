"""Whose words lie in quarantine: entries are read for a person's addresses, because nothing else says whose they are.

Looked at are the record, the original inside it, the headers and the error; in a thread, a few entries at a time, because anybody may fill
a workspace's quarantine. A number that changed hands is whose it was when the entry's message was written, or came where that cannot be read.
**Identity**: the entry's id. **Units**: times aware UTC.
"""

from __future__ import annotations

import asyncio
import base64
import json
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

from profiles.erasure_tombstones import is_buried_at
from profiles.forgetting import OwnHandle
from router.intake.forgotten import observed_at, people
from services.privacy.needles import HEAD_BYTES, Needles
from shared.cloudevent import decode_message
from shared.database import Connection, pages
from shared.errors import InputRejected
from shared.mailbox import as_letters
from shared.message import InboundMessage
from shared.text import fold_turkish

PAGE: Final = 50
AT_ONCE: Final = 4
"""Entries in memory and in a thread at once: what is read in a transaction may not let it stand idle for long."""
NEEDLE_CHARS_MIN: Final = HEAD_BYTES
Entry: TypeAlias = Mapping[str, Any]
"""A row of quarantine as the driver reads it."""
_ENTRIES: Final = """
select id, message_id, headers, record, error, accepted_at from santral.quarantine
where workspace_id = $1 and id > $2 and octet_length(record) > 0 order by id limit $3
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Whose words are looked for: addresses that were theirs at any time, and numbers with the time from when until when they were."""

    always: Needles = field(default_factory=Needles)
    at_times: tuple[tuple[Needles, datetime | None, datetime | None], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.always or self.at_times)


def sought(handles: Iterable[OwnHandle]) -> Sought:
    """Made beside the event loop: there may be many."""
    by_time: dict[tuple[datetime | None, datetime | None], list[OwnHandle]] = {}
    for one in handles:
        by_time.setdefault((one.since, one.until), []).append(one)
    always = Needles(needles_of(by_time.pop((None, None), ())))
    return Sought(always=always, at_times=tuple((Needles(needles_of(those)), *time) for time, those in by_time.items()))


def needles_of(handles: Iterable[OwnHandle]) -> set[bytes]:
    """How their addresses may stand in a provider's bytes: as written or in small letters, composed or not, a domain in letters or not,
    a number without its plus, escaped as JSON does; all of it `_folded`, as what they are looked for in.
    """
    found: set[bytes] = set()
    for text in {written for one in handles for written in _written(one)}:
        forms = (text, text.lstrip("+"), json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
        found |= {_folded(form.encode("utf-8", "surrogatepass")) for form in forms if len(form) >= NEEDLE_CHARS_MIN}
    return found


def words_of(handles: Iterable[OwnHandle]) -> Needles:
    """Their addresses and names as people write them, in any letters; looked for in what `shared.text.fold_turkish` makes of words."""
    texts = {fold_turkish(text) for one in handles for text in (*_written(one), one.name)}
    return Needles({text.encode() for text in texts if len(text) >= NEEDLE_CHARS_MIN})


def _written(one: OwnHandle) -> set[str]:
    texts = {one.handle.value, one.raw}
    if one.handle.kind == "email":
        local, _, domain = one.handle.value.rpartition("@")
        texts.add(f"{local}@{as_letters(domain)}")
    texts |= {text.lower() for text in texts}
    return texts | {unicodedata.normalize(form, text) for text in texts for form in ("NFC", "NFD")}


def _folded(text: bytes) -> bytes:
    """ASCII letters made small, and no others: what is found in bytes may be of any charset, and ``İ`` has no small letter of its own."""
    return text.lower()


async def entries_of(connection: Connection, workspace_id: UUID, whose: Sought, *, after: UUID) -> tuple[list[UUID], UUID | None]:
    """A page of quarantine: the messages' ids of entries that hold an address, and where the page ended; None at the end."""
    return await _page(connection, workspace_id, after, lambda row: _contains(row, whose))


async def entries_come_again(
    connection: Connection, secret: bytes, workspace_id: UUID, until: Mapping[bytes, datetime], *, after: UUID
) -> tuple[list[UUID], UUID | None]:
    """The same of entries whose record can be read and names a sender or participant erased after it was observed; by tombstones."""

    def is_late(row: Entry) -> bool:
        message = _message(row)
        return message is not None and any(
            is_buried_at(one.handle(), observed_at(message), until, secret, workspace_id) for one in people(message)
        )

    return await _page(connection, workspace_id, after, is_late)


async def _page(
    connection: Connection, workspace_id: UUID, after: UUID, wanted: Callable[[Entry], bool]
) -> tuple[list[UUID], UUID | None]:
    found: list[UUID] = []
    seen, last = 0, after
    async for rows in pages(connection, _ENTRIES, workspace_id, after, PAGE, rows=AT_ONCE):
        found += [row["message_id"] for row in await asyncio.to_thread(_those, rows, wanted)]
        seen, last = seen + len(rows), rows[-1]["id"]
    return found, last if seen == PAGE else None


async def holding(rows: Sequence[Entry], whose: Sought) -> list[Entry]:
    """Those of a few entries (``record``, ``headers``, ``error``, ``accepted_at``) in which one of these stands; looked for beside the
    event loop.
    """
    return await asyncio.to_thread(_those, rows, lambda row: _contains(row, whose))


def _those(rows: Sequence[Entry], wanted: Callable[[Entry], bool]) -> list[Entry]:
    return [row for row in rows if wanted(row)]


def _message(row: Entry) -> InboundMessage | None:
    try:
        return decode_message({name: value.encode() for name, value in row["headers"].items()}, row["record"])
    except InputRejected:
        return None


def _contains(row: Entry, whose: Sought) -> bool:
    record: bytes = row["record"]
    texts = [_folded(one) for one in (record, json.dumps(row["headers"]).encode(), row["error"].encode(), *_original(record))]
    if any(whose.always.within(text) for text in texts):
        return True
    times = [time for needles, *time in whose.at_times if any(needles.within(text) for text in texts)]
    if not times:
        return False
    message = _message(row)
    at = row["accepted_at"] if message is None else observed_at(message)
    return any((since is None or since <= at) and (until is None or at < until) for since, until in times)


def _original(record: bytes) -> list[bytes]:
    try:
        original = json.loads(record).get("original")
        return [base64.b64decode(original)] if isinstance(original, str) else []
    except (ValueError, AttributeError, RecursionError):
        return []
