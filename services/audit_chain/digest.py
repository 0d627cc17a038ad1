"""What the chain's digests are made of. Pure.

A row's digest is the SHA-256 of a JSON array in UTF-8, without spaces, as `json.dumps` with ``ensure_ascii=False`` writes it: the name of
the form, the workspace, then the row's columns as texts or null, in the order of `COLUMNS`. ``at`` is UTC with six digits of a second;
``details`` is PostgreSQL's own text of the document.

A link's digest is the SHA-256 of: the digest before it (32 bytes), its number (8 bytes, big-endian), the row's id (16 bytes), the row's
time as in its digest, the row's digest (32 bytes). Before the first link stands the SHA-256 of the name of the form and the workspace's id.

**Identity**: an erasure may take the key ``reason`` out of the details of canceled and assigned work (the function ``audit_forget``), so
that key of those rows is not part of their digest.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final, Protocol
from uuid import UUID

FORM: Final = "santral audit 1"
COLUMNS: Final = ("id", "at", "actor", "action", "target_kind", "target_id", "details", "address", "software", "request_id")


def at_text(column: str) -> str:
    """SQL: a time as digests have it, whatever the session's settings."""
    return f"""pg_catalog.to_char({column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


# Functions are named with their schema: nobody who may create one is asked what a row says.
ROW: Final = f"""a.id::text as id, {at_text("a.at")} as at, a.actor, a.action, a.target_kind, a.target_id,
    (case when a.action in ('item.cancel', 'item.assign') and pg_catalog.jsonb_typeof(a.details) = 'object'
          then a.details operator(pg_catalog.-) 'reason'::text else a.details end)::text as details,
    a.address, a.software, a.request_id"""
"""SQL: the columns of `COLUMNS` of an audit row ``a``, all as text."""


class Row(Protocol):
    """A row as `ROW` selects it, by names of columns."""

    def __getitem__(self, name: str, /) -> Any: ...


def first_digest(workspace_id: UUID) -> bytes:
    """What stands before link 1."""
    return hashlib.sha256(FORM.encode() + workspace_id.bytes).digest()


def row_digest(workspace_id: UUID, row: Row) -> bytes:
    """The digest of an audit row."""
    values = [FORM, str(workspace_id), *(row[name] for name in COLUMNS)]
    return hashlib.sha256(json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()).digest()


def link_digest(before: bytes, number: int, audit_id: UUID, at: str, row: bytes) -> bytes:
    """The digest of a link: of the one ``before`` it, and of what it says of its row."""
    return hashlib.sha256(before + number.to_bytes(8) + audit_id.bytes + at.encode() + row).digest()
