"""Why: decision records with names, and the test that they re-evaluate to themselves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from router.evaluation import decision_view
from router.evaluation import store as evaluation_store
from router.evaluation.decision_view import Checker, with_names
from router.evaluation.evaluation import Difference
from router.evaluation.store import Decided, first_id, read_range
from router.policy.policy import Policy
from services.api.document import may_answer
from services.api.lists import Cursor, Limit, Page, cursor_of, id_of
from services.api.principal import ConfigReader, ConversationReader
from services.api.unseen_customers import shown_records
from services.api.visibility import require_conversation, require_everything
from shared.database import Connection
from shared.errors import NotFound, Unprocessable
from shared.given import Given
from shared.moments import Moment

router = APIRouter(prefix="/v1/decisions", tags=["records"])
CHECKED_MAX: Final = 10_000
PAGE: Final = 250
TIME_S: Final = 10.0
DIFFERING_MAX: Final = 100


class DecisionOut(BaseModel):
    """A decision. ``record``: of routing the rules, facts and versions; of dispatch the candidates, exclusions, step, key, scores."""

    id: UUID
    kind: Literal["routing", "dispatch"]
    conversation_id: UUID
    item_id: UUID | None
    message_id: UUID | None
    record: dict[str, Any]
    decided_at: datetime


class ReEvaluated(BaseModel):
    """Whether a record gives its own answer again, and what differs. ``equal`` null: it cannot be asked any more, ``reason`` says why."""

    id: UUID
    kind: str
    equal: bool | None
    reason: str | None = None
    differences: list[Difference] = []


class CheckRange(Given):
    """Which decisions to ask again."""

    since: Moment
    until: Moment | None = None
    kind: Literal["routing", "dispatch"] | None = None
    limit: Annotated[int, Field(ge=1, le=CHECKED_MAX)] = CHECKED_MAX
    cursor: Annotated[str, Field(max_length=500)] | None = None


class CheckedRange(BaseModel):
    """What came of it: at most 100 that differ are listed. ``next`` goes on where the budget ended."""

    checked: int
    equal: int
    differing: int
    not_possible: int
    items: list[ReEvaluated]
    next: str | None


@router.get("", summary="Why, by conversation, item or message", responses=may_answer(404))
async def list_decisions(
    request: Request, principal: ConversationReader, conversation_id: UUID | None = None, item_id: UUID | None = None,
    message_id: UUID | None = None, limit: Limit = 50, cursor: Cursor = None,
) -> Page[DecisionOut]:  # fmt: skip
    """The decisions about one conversation, oldest first; an item or a message narrows it."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        found = await _conversation(connection, principal.workspace_id, conversation_id, item_id, message_id)
        if found is None:
            raise NotFound("nothing is known of it", field="conversation_id")
        await require_conversation(connection, principal, found)
        rows = await decision_view.list_decisions(
            connection, principal.workspace_id, found, item_id=item_id, message_id=message_id, after=id_of(cursor), limit=limit + 1
        )
        records = await shown_records(connection, principal, found, [row["record"] for row in rows[:limit]])
    more = cursor_of(str(rows[limit - 1]["id"])) if len(rows) > limit else None
    shown = [{**row, "record": record} for row, record in zip(rows, records, strict=False)]
    return Page(items=[DecisionOut(**row) for row in shown], next=more)


@router.get("/{decision_id}", summary="Why")
async def read_decision(request: Request, principal: ConversationReader, decision_id: UUID) -> DecisionOut:
    """The record of a routing or dispatch decision: candidates with names, exclusions, scores, versions."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        found = await evaluation_store.read_decision(connection, principal.workspace_id, decision_id)
        if found is None:
            raise NotFound("no such decision", field="decision_id")
        await require_conversation(connection, principal, found.conversation_id)
        named = await with_names(connection, principal.workspace_id, [found.record])
        (record,) = await shown_records(connection, principal, found.conversation_id, named)
    return DecisionOut(
        id=found.id, kind=found.kind, conversation_id=found.conversation_id, item_id=found.item_id, message_id=found.message_id,
        record=record, decided_at=found.decided_at,
    )  # fmt: skip


@router.post("/{decision_id}/re-evaluate", summary="Ask again")
async def re_evaluate_decision(request: Request, principal: ConversationReader, decision_id: UUID) -> ReEvaluated:
    """Routing: the policy of the recorded version over the recorded facts. Dispatch: the comparator over the candidates."""
    state = request.app.state
    async with state.thought_turns.of(principal):
        async with state.db.batch(principal.workspace_id) as connection:
            found = await evaluation_store.read_decision(connection, principal.workspace_id, decision_id)
            if found is None:
                raise NotFound("no such decision", field="decision_id")
            await require_conversation(connection, principal, found.conversation_id)
            checker = Checker(connection, principal.workspace_id)
            await checker.load([found])
        answer = await asyncio.to_thread(checker.differences, found)
    return _shown(found.id, found.kind, answer)


@router.post("/check", summary="Ask a stretch of time again")
async def check_decisions(request: Request, principal: ConfigReader, body: CheckRange) -> CheckedRange:
    """Every decision of a stretch of time, up to a budget; nothing is written."""
    require_everything(principal, "decisions are of everybody")
    until = body.until or datetime.now(UTC)
    if until <= body.since:
        raise Unprocessable("not a stretch of time", field="until", remedy="later than since")
    kinds = [body.kind] if body.kind else ["routing", "dispatch"]
    last, end = id_of(body.cursor) or first_id(body.since), first_id(until)
    policies: dict[int | None, Policy | None] = {}
    counts = {"checked": 0, "equal": 0, "differing": 0, "not_possible": 0}
    items: list[ReEvaluated] = []
    left, more = body.limit, True
    ends_at = time.monotonic() + TIME_S
    while left and more and time.monotonic() < ends_at:
        # Rules are asked in a thread, a page at a time, so that other requests are answered meanwhile.
        async with request.app.state.thought_turns.of(principal):
            async with request.app.state.db.batch(principal.workspace_id) as connection:
                page = await read_range(
                    connection, principal.workspace_id, after=last, before=end, limit=min(PAGE, left), kinds=kinds
                )
                checker = Checker(connection, principal.workspace_id, policies)
                await checker.load(page)
            answers = await asyncio.to_thread(_asked_again, checker, page, ends_at)
        for answer in answers:
            counts["checked"] += 1
            counts["not_possible" if answer.equal is None else "equal" if answer.equal else "differing"] += 1
            if answer.equal is False and len(items) < DIFFERING_MAX:
                items.append(answer)
        more = len(answers) < len(page) or len(page) == min(PAGE, left)
        left -= len(answers)
        last = answers[-1].id if answers else last
    return CheckedRange(**counts, items=items, next=cursor_of(str(last)) if more else None)


def _asked_again(checker: Checker, page: Sequence[Decided], ends_at: float) -> list[ReEvaluated]:
    """The page's decisions asked again, in order, as far as there is time, and at least one."""
    answers: list[ReEvaluated] = []
    for one in page:
        if answers and time.monotonic() > ends_at:
            break
        answers.append(_shown(one.id, one.kind, checker.differences(one)))
    return answers


def _shown(identity: UUID, kind: str, answer: Any) -> ReEvaluated:
    if isinstance(answer, str):
        return ReEvaluated(id=identity, kind=kind, equal=None, reason=answer)
    return ReEvaluated(id=identity, kind=kind, equal=not answer, differences=answer)


async def _conversation(
    connection: Connection, workspace_id: UUID, conversation_id: UUID | None, item_id: UUID | None, message_id: UUID | None
) -> UUID | None:
    """The conversation that the given ids mean. Raises `Unprocessable` without any."""
    if conversation_id is not None:
        return conversation_id
    found: UUID | None
    if item_id is not None:
        found = await connection.fetchval(
            "select conversation_id from santral.work_item where workspace_id = $1 and id = $2", workspace_id, item_id
        )
    elif message_id is not None:
        found = await connection.fetchval(
            "select conversation_id from santral.receipt where workspace_id = $1 and id = $2", workspace_id, message_id
        )
    else:
        raise Unprocessable("of which conversation?", field="conversation_id", remedy="give conversation_id, item_id or message_id")
    return found
