"""Whose words lie in quarantine: entries are read for a person's addresses, because nothing else says whose they are.

Looked at are the record, the original inside it, the headers and the error, and what was too long for the record, piece by piece; in a thread,
a few entries at a time, because anybody may fill a workspace's quarantine. A number that changed hands is whose it was when the entry's
message was written, or came where that cannot be read.
**Identity**: the entry's id. **Units**: times aware UTC.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
import unicodedata
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

from profiles.erasure_tombstones import is_buried_at
from profiles.forgetting import OwnHandle
from router.intake.forgotten import observed_at, people
from services.privacy.needles import HEAD_BYTES, Needles
from shared.blobs import Blobs
from shared.cloudevent import decode_message
from shared.database import Connection, pages
from shared.errors import InputRejected, NotFound
from shared.mailbox import as_letters
from shared.message import InboundMessage
from shared.text import fold_turkish

PAGE: Final = 50
AT_ONCE: Final = 4
"""Entries in memory and in a thread at once: what is read in a transaction may not let it stand idle for long."""
PAGE_S: Final = 2.0
"""A page ends earlier where what is stored takes longer: mails of 50 MB may stand behind each other."""
PIECE_BYTES: Final = 4 * 1024 * 1024
NEEDLE_CHARS_MIN: Final = HEAD_BYTES
_LONG: Final = frozenset({"original", "text", "html"})
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

    def standing(self, texts: Iterable[bytes]) -> set[int]:
        """Which of them stand in any of these: 0 for ``always``, else the number among ``at_times``, from 1 on."""
        folded = [_folded(one) for one in texts]
        needles = (self.always, *(one for one, *_ in self.at_times))
        return {place for place, one in enumerate(needles) if any(one.within(text) for text in folded)}

    def bytes_max(self) -> int:
        """Of the longest that is looked for."""
        return max(self.always.bytes_max, *(one.bytes_max for one, *_ in self.at_times), 1)


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


async def entries_of(
    connection: Connection, blobs: Blobs, workspace_id: UUID, whose: Sought, *, after: UUID
) -> tuple[list[UUID], UUID | None]:
    """A page of quarantine: the messages' ids of entries that hold an address, and where the page ended; None at the end.

    Raises `Unavailable` where what is stored cannot be read.
    """
    return await _page(connection, workspace_id, after, lambda rows: holding(connection, blobs, rows, whose))


async def entries_come_again(
    connection: Connection, secret: bytes, workspace_id: UUID, until: Mapping[bytes, datetime], *, after: UUID
) -> tuple[list[UUID], UUID | None]:
    """The same of entries whose record can be read and names a sender or participant erased after it was observed; by tombstones."""

    def is_late(row: Entry) -> bool:
        message = _message(row)
        return message is not None and any(
            is_buried_at(one.handle(), observed_at(message), until, secret, workspace_id) for one in people(message)
        )

    return await _page(
        connection, workspace_id, after, lambda rows: asyncio.to_thread(lambda: [row for row in rows if is_late(row)])
    )


async def _page(
    connection: Connection, workspace_id: UUID, after: UUID, wanted: Callable[[Sequence[Entry]], Awaitable[list[Entry]]]
) -> tuple[list[UUID], UUID | None]:
    found: list[UUID] = []
    seen, last, ends_s = 0, after, time.monotonic() + PAGE_S
    async for rows in pages(connection, _ENTRIES, workspace_id, after, PAGE, rows=AT_ONCE):
        found += [row["message_id"] for row in await wanted(rows)]
        seen, last = seen + len(rows), rows[-1]["id"]
        if time.monotonic() > ends_s:
            return found, last
    return found, last if seen == PAGE else None


async def holding(connection: Connection, blobs: Blobs, rows: Sequence[Entry], whose: Sought) -> list[Entry]:
    """Those of a few entries (``record``, ``headers``, ``error``, ``accepted_at``) in which one of these stands; looked for beside the
    event loop.

    Raises `Unavailable` where what is stored cannot be read.
    """

    def looked_at() -> list[tuple[set[int], list[str]]]:
        return [_looked_at(row, whose) for row in rows]

    found = []
    for row, (standing, keys) in zip(rows, await asyncio.to_thread(looked_at), strict=True):
        for key in keys:
            if 0 not in standing:
                standing |= await _standing_in(connection, blobs, key, whose)
        if await asyncio.to_thread(lambda row=row, standing=standing: _is_theirs(row, standing, whose)):  # type: ignore[misc]
            found.append(row)
    return found


def _looked_at(row: Entry, whose: Sought) -> tuple[set[int], list[str]]:
    """What stands in the row itself, and the keys of what its record only names."""
    record: bytes = row["record"]
    originals, keys = _beside(record)
    return whose.standing((record, json.dumps(row["headers"]).encode(), row["error"].encode(), *originals)), keys


async def _standing_in(connection: Connection, blobs: Blobs, key: str, whose: Sought) -> set[int]:
    standing: set[int] = set()
    start, before = 0, b""
    with suppress(NotFound):
        while 0 not in standing and (piece := await blobs.piece(key, start, PIECE_BYTES)):
            text = before + piece
            standing |= await asyncio.to_thread(whose.standing, [text])
            start, before = start + len(piece), text[-whose.bytes_max() :]
            # A transaction that stood still for so long would be ended.
            await connection.execute("select 1")
    return standing


def _message(row: Entry) -> InboundMessage | None:
    try:
        return decode_message({name: value.encode() for name, value in row["headers"].items()}, row["record"])
    except InputRejected:
        return None


def _is_theirs(row: Entry, standing: set[int], whose: Sought) -> bool:
    if not standing or 0 in standing:
        return bool(standing)
    message = _message(row)
    at = row["accepted_at"] if message is None else observed_at(message)
    times = [time for place, (_, *time) in enumerate(whose.at_times, start=1) if place in standing]
    return any((since is None or since <= at) and (until is None or at < until) for since, until in times)


def _beside(record: bytes) -> tuple[list[bytes], list[str]]:
    """The original in a record, decoded, and the keys of what was too long for it: the original, a text, a page."""
    try:
        body = json.loads(record)
        original = body.get("original")
        parts = [one for one in body.get("parts") or () if one.get("role") in _LONG]
        return [base64.b64decode(original)] if isinstance(original, str) else [], [str(one["blob"]) for one in parts]
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
        return [], []
