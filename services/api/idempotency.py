"""Equal calls: which body a key, or an id the caller gives, was used with before.

A stored digest says by its first byte which version it is. Version 2 is over the fields that the caller set, so a field that a later
release adds makes no conflict; what 0.1.0 stored (32 bytes, no version) is over all fields with their defaults and is still known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel

from shared.database import Connection
from shared.errors import Conflict, Unprocessable

_VERSION: Final = b"\x02"
# The update changes nothing; it makes the row that was there before come back. An id's first row is what anybody used the id for before.
_CLAIM: Final = """
insert into santral.idempotency (workspace_id, key, body_hash, message_id) values ($1, $2, $3, $4)
on conflict (workspace_id, key) do update set key = excluded.key returning body_hash, message_id
"""
# Not one of now, which has the form of one of before where its key begins with the caller.
_FORMER: Final = """
select k.body_hash, k.message_id from santral.idempotency k
join santral.receipt r on r.workspace_id = k.workspace_id and r.id = k.message_id
join santral.message m on m.workspace_id = r.workspace_id and m.conversation_id = r.conversation_id and m.seq = r.seq
where k.workspace_id = $1 and k.key = $2 and m.body->>'actor' = $3 and split_part($2, ':', 3) || ':' || split_part($2, ':', 4) <> $3
"""
_CLAIM_ID: Final = """
insert into santral.idempotency (workspace_id, key, body_hash, message_id)
select $1, $2, coalesce((
    select k.body_hash from santral.idempotency k where k.workspace_id = $1 and k.message_id = $4 order by k.created_at limit 1), $3), $4
on conflict (workspace_id, key) do update set key = excluded.key returning body_hash, message_id
"""


def digest_of(body: BaseModel) -> bytes:
    """What is stored of a body: 33 bytes, over the fields that were set."""
    return _VERSION + hashlib.sha256(body.model_dump_json(by_alias=True, exclude_unset=True).encode()).digest()


def is_of(stored: bytes, body: BaseModel) -> bool:
    """Whether a stored digest is this body's, by whichever version it was made."""
    if stored[:1] == _VERSION and len(stored) == 33:
        return stored == digest_of(body)
    return stored in [hashlib.sha256(body.model_dump_json(by_alias=alias).encode()).digest() for alias in (True, False)]


async def same_call(connection: Connection, workspace_id: UUID, marker: str, body: BaseModel, message_id: UUID) -> UUID | None:
    """The message an equal call with this marker made before; None when this call is the first and makes ``message_id``.

    Raises `Unprocessable` when the marker was used for another body.
    """
    known = await connection.fetchrow(_CLAIM, workspace_id, marker, digest_of(body), message_id)
    assert known is not None
    made = _of_the_same(dict(known), body)
    return None if made == message_id else made


async def same_reply(
    connection: Connection, workspace_id: UUID, conversation_id: UUID, actor: str, key: str, body: BaseModel, message_id: UUID
) -> UUID | None:
    """`same_call` of a reply, whose key is its caller's and its conversation's.

    0.1.0 said in a marker nothing of the caller, who is read from what was written: such a row is known until its time is over.
    """
    known = await connection.fetchrow(_FORMER, workspace_id, f"reply:{conversation_id}:{key}", actor)
    if known is not None:
        return _of_the_same(dict(known), body)
    return await same_call(connection, workspace_id, f"reply:{conversation_id}:{actor}:{key}", body, message_id)


def _of_the_same(known: Mapping[str, Any], body: BaseModel) -> UUID:
    if not is_of(known["body_hash"], body):
        raise Unprocessable("this key was used for another body", field="Idempotency-Key", remedy="use a new key for a new message")
    made: UUID = known["message_id"]
    return made


async def same_message(connection: Connection, workspace_id: UUID, marker: str, body: BaseModel, message_id: UUID) -> None:
    """The caller's own id of a message, ``marker``, stands for one body. Raises `Conflict` when it was used for another; again is harmless."""
    known = await connection.fetchrow(_CLAIM_ID, workspace_id, marker, digest_of(body), message_id)
    assert known is not None
    if not is_of(known["body_hash"], body):
        raise Conflict(
            f"this external_id is another message: {message_id}", field="external_id", remedy="give a new message an id of its own"
        )
