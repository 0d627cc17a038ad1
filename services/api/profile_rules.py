"""How far changed rules of identity have come to the people who were known before."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request
from pydantic import BaseModel

from profiles.rules_pass import read_pass
from services.api.principal import ConfigReader
from services.api.visibility import require_everything

router = APIRouter(prefix="/v1/profiles", tags=["profiles"])


class RulesPassOut(BaseModel):
    """``looked``: handles so far; ``changed``: changes of people that came of it. Before the first look the state is `waiting`."""

    state: str
    looked: int = 0
    changed: int = 0
    began_at: datetime | None = None
    ended_at: datetime | None = None


@router.get("/rules", summary="How far changed rules have come")
async def read_rules_pass(request: Request, principal: ConfigReader) -> RulesPassOut:
    """`running` while people are decided anew, page by page, by the rules that hold now; `done` when all are.

    Of who sees the whole workspace: its numbers are of everybody.
    """
    require_everything(principal, "these numbers are of everybody")
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        found = await read_pass(connection, principal.workspace_id)
    if found is None:
        return RulesPassOut(state="waiting")
    return RulesPassOut(
        state=found.state, looked=found.looked, changed=found.changed, began_at=found.began_at, ended_at=found.ended_at
    )
