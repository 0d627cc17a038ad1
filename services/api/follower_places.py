"""Where a follower is in what it follows: table ``poll``, read and written by programs outside (`santral ingest cdr`).

**Identity**: (inbox, source). A place is the follower's own JSON; putting it again changes nothing but its time.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict
from sqlalchemy.dialects.postgresql import insert

from ingest.tables import follower_place, inbox
from services.api.audit import audit
from services.api.principal import ConfigWriter
from shared.errors import NotFound, Unprocessable
from shared.given import Given

router = APIRouter(prefix="/v1/inboxes", tags=["configuration"])
PLACE_BYTES_MAX: Final = 256 * 1024
Source = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,100}$", description="The follower's name for what it follows")]


class PlaceIn(Given):
    """A place to keep."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"place": {"offset": 4096}}]})

    place: dict[str, Any]


class PlaceOut(BaseModel):
    """A place that is kept."""

    source: str
    place: dict[str, Any]
    updated_at: datetime


@router.get("/{inbox_id}/places/{source}", summary="Where a follower is")
async def read_place(request: Request, principal: ConfigWriter, inbox_id: UUID, source: Source) -> PlaceOut:
    """404 before the first one was kept."""
    mine = sa.and_(
        follower_place.c.workspace_id == principal.workspace_id,
        follower_place.c.inbox_id == inbox_id,
        follower_place.c.source == source,
    )
    async with request.app.state.db.transaction(principal.workspace_id) as connection:
        row = (await connection.execute(sa.select(follower_place).where(mine))).mappings().first()
    if row is None:
        raise NotFound("no place is kept", field="source", remedy="put one first")
    return PlaceOut(source=source, place=row["place"], updated_at=row["updated_at"])


@router.put("/{inbox_id}/places/{source}", summary="Keep a follower's place")
async def keep_place(request: Request, principal: ConfigWriter, inbox_id: UUID, source: Source, body: PlaceIn) -> PlaceOut:
    """Replaces the one before."""
    if len(json.dumps(body.place)) > PLACE_BYTES_MAX:
        raise Unprocessable("too large", field="place", remedy=f"at most {PLACE_BYTES_MAX} bytes of JSON")
    written = insert(follower_place).values(workspace_id=principal.workspace_id, inbox_id=inbox_id, source=source, place=body.place)
    written = written.on_conflict_do_update(
        index_elements=["workspace_id", "inbox_id", "source"], set_={"place": written.excluded.place, "updated_at": sa.func.now()}
    )
    mine = sa.and_(inbox.c.workspace_id == principal.workspace_id, inbox.c.id == inbox_id)
    async with request.app.state.db.transaction(principal.workspace_id) as connection:
        if (await connection.execute(sa.select(inbox.c.id).where(mine))).first() is None:
            raise NotFound("no such inbox", field="inbox_id")
        row = (await connection.execute(written.returning(follower_place.c.updated_at))).one()
        await audit(connection, principal, "place.kept", "inbox", str(inbox_id), {"source": source})
    return PlaceOut(source=source, place=body.place, updated_at=row.updated_at)
