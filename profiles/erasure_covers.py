"""Personal data in the tables of who is writing: where a person's rows are and what erasure leaves of them."""

from __future__ import annotations

from typing import Final

from shared.personal import Cover

ERASED_KIND: Final = "erased"
"""The kind of a handle without a value; no channel makes one, so nothing finds it any more."""

_ENDS: Final = "x.a = any({handles}) or x.b = any({handles})"
_OWN: Final = "x.handle_id = any({handles})"

COVERS: Final = (
    Cover(
        table="handle", rows="x.id = any({handles})", columns=("value", "raw", "name"), kind="handles",
        erase={"kind": f"'{ERASED_KIND}'", "scope": "''", "value": "x.id::text", "raw": "''", "name": "''", "shared": "true",
               "shared_by": f"'{ERASED_KIND}'"},
        also=("id", "kind", "scope", "assurance", "first_seen_at", "last_seen_at"),
    ),
    Cover(
        table="profile", rows="x.id = any({handles})", columns=("effective", "search"), kind="profile",
        erase={"effective": "'{}'", "search": "''"}, also=("id", "version", "created_at", "changed_at"),
    ),
    Cover(table="note", rows=_OWN, columns=("text",), kind="notes", also=("id", "actor", "written_at")),
    Cover(table="fact", rows=_OWN, columns=("value",), kind="attributes", also=("name", "source", "assurance", "observed_at")),
    Cover(
        table="link", rows=_ENDS, columns=("evidence",), kind="links", erase={"evidence": "'{}'"},
        also=("id", "a", "b", "kind", "assurance", "first_seen_at", "last_seen_at", "retracted_at"),
    ),
    Cover(
        table="cannot_link", rows=_ENDS, columns=("reason",), kind="kept_apart", erase={"reason": "''"},
        also=("id", "a", "b", "stated_at", "retracted_at"),
    ),
)  # fmt: skip

STATEMENTS: Final = (
    Cover(
        table="consent", rows=_OWN, columns=(), kind="consent",
        also=("purpose", "channel", "granted", "explicit", "source", "stated_at", "expires_at"),
    ),
    Cover(
        table="suggestion", rows=_ENDS, columns=(), kind="suggestions",
        also=("id", "a", "b", "weight", "probability", "evidence", "state", "made_at"),
    ),
    Cover(table="suggestion_key", rows="x.profile_id = any({handles})", columns=(), kind="suggestion_keys", also=("profile_id", "key")),
)  # fmt: skip
"""Rows without personal data of their own that are about the person: they go and are handed over with them."""
