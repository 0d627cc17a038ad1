"""Legal holds: a person or a conversation of whom nothing is removed while one is in force, with who placed it, why and until when.

What a hold reaches is asked of the database (`held_handles`, `held_conversations`, `held_messages` of the revision that brought it), so
every room asks the same: a person's handles, those of now and those of when it was placed, their conversations, and messages that were
moved out of these. `held.py` asks before something is removed.

**States**: in force until ``until`` or until it is lifted, whichever comes first; ended ones stay. **Identity**: the hold's id.
**Units**: times aware UTC, by the database's clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from shared.database import Connection
from shared.errors import NotFound, Unprocessable
from shared.ids import new_id

HoldKind = Literal["person", "case"]
REASON_CHARS_MAX: Final = 500
_IN_FORCE: Final = "(lifted_at is null and (until is null or until > now())) as in_force"
_COLUMNS: Final = f"id, kind, subject_id, reason, placed_by, placed_at, until, lifted_by, lifted_at, {_IN_FORCE}"
_PLACE: Final = f"""
insert into santral.hold (workspace_id, id, kind, subject_id, handles, reason, placed_by, until)
values ($1, $2, $3, $4, $5, $6, $7, $8) returning {_COLUMNS}
"""
_LIFT: Final = """
update santral.hold set lifted_by = $3, lifted_at = now()
where workspace_id = $1 and id = $2 and lifted_at is null and (until is null or until > now()) returning id
"""
_GO_ON: Final = "update santral.erasure set due_at = now() where workspace_id = $1 and state = 'held'"
_READ: Final = f"select {_COLUMNS} from santral.hold where workspace_id = $1 and id = $2"
_LIST: Final = f"""
select * from (select {_COLUMNS} from santral.hold where workspace_id = $1) x
where ($2::uuid is null or subject_id = $2) and ($3::boolean is null or in_force = $3) and ($4::uuid is null or id < $4)
order by id desc limit $5
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A hold as it was placed. ``in_force`` says whether it still stands; ``until`` and ``lifted_at`` say how it ended."""

    id: UUID
    kind: HoldKind
    subject_id: UUID
    reason: str
    placed_by: str
    placed_at: datetime
    until: datetime | None
    lifted_by: str | None
    lifted_at: datetime | None
    in_force: bool


async def place_hold(
    connection: Connection,
    workspace_id: UUID,
    *,
    kind: HoldKind,
    subject_id: UUID,
    handles: Sequence[UUID],
    reason: str,
    until: datetime | None,
    actor: str,
) -> Hold:
    """Places a hold: once the caller's transaction has committed, nothing that it reaches is removed. Twice is two holds.

    ``handles``: a person's now, read under `lock_holds` alone, which waits for what is being removed at this moment. Raises
    `Unprocessable` for an end that has passed.
    """
    row = await connection.fetchrow(_PLACE, workspace_id, new_id(), kind, subject_id, list(handles), reason, actor, until)
    assert row is not None, "an insert under a fresh id returns its row"
    if not row["in_force"]:
        raise Unprocessable(
            "this end has passed", field="until", remedy="a time to come, or null for a hold that is lifted by hand"
        )
    return Hold(**dict(row))


async def lift_hold(connection: Connection, workspace_id: UUID, hold_id: UUID, *, actor: str) -> bool:
    """Ends a hold and lets waiting erasures look again; False when it had ended before. Raises `NotFound`."""
    if await connection.fetchval(_LIFT, workspace_id, hold_id, actor) is None:
        await read_hold(connection, workspace_id, hold_id)
        return False
    await connection.execute(_GO_ON, workspace_id)
    return True


async def read_hold(connection: Connection, workspace_id: UUID, hold_id: UUID) -> Hold:
    """One hold, ended ones too. Raises `NotFound`."""
    row = await connection.fetchrow(_READ, workspace_id, hold_id)
    if row is None:
        raise NotFound("no such hold", field="hold_id")
    return Hold(**dict(row))


async def list_holds(
    connection: Connection, workspace_id: UUID, *, subject_id: UUID | None, in_force: bool | None, before: UUID | None, limit: int
) -> list[Hold]:
    """Holds, newest first; ``before`` is the last id of the page before."""
    rows: Sequence[Any] = await connection.fetch(_LIST, workspace_id, subject_id, in_force, before, limit)
    return [Hold(**dict(row)) for row in rows]
