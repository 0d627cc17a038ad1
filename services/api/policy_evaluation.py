"""What if: a draft or a stored version asked about one message or about a stretch of time. Nothing is written.

The rules are asked by the code that intake uses; the facts come from the record of the decision and the message's row. A stretch is
read in pages, each a short transaction of its own, so memory and locks stay small however long it is.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import ConfigDict, Field

from router.evaluation.evaluation import choice_json, choice_of, compared, evaluate, recorded_choice, whole
from router.evaluation.report import Report
from router.evaluation.store import (
    Completed,
    Decided,
    completed_facts,
    decision_of_message,
    facts_of_message,
    first_id,
    observed,
    read_document,
    read_range,
)
from router.evaluation.waits import waits
from router.policy.check import checked
from router.policy.expressions import facts_of
from router.policy.fields import ROOTS
from router.policy.policy import Policy, kept_policy, policy_of
from router.views.messages import is_gone
from router.workspace.stored import made_workspace, read_workspaces
from router.workspace.workspace import Workspace
from services.api.caller_turns import CallerTurns
from services.api.document import may_answer
from services.api.lists import cursor_of, id_of
from services.api.policies import names_in
from services.api.policy_models import AskedRule, ChoiceOut, Evaluated, QueueWait, RangeEvaluated, RecordedChoice, ReportOut
from services.api.principal import ConfigReader, Principal
from services.api.visibility import require_everything
from shared.database import Connection, Database
from shared.errors import InputRejected, NotFound, Unprocessable
from shared.given import Given, exactly_one, not_both
from shared.moments import Moment

router = APIRouter(prefix="/v1/policies", tags=["configuration"])
MESSAGES_MAX: Final = 10_000
PAGE: Final = 250
TIME_S: Final = 10.0
FACTS_CHARS_MAX: Final = 100_000
RANGE_DAYS: Final = 400
_WORDS: Final = ("message.text", "message.subject", "message.about")


class AskedPolicy(Given):
    """The policy to ask: ``document``, or ``version``, or neither for the active one."""

    model_config = ConfigDict(json_schema_extra=not_both("document", "version"))

    document: dict[str, Any] | None = None
    version: int | None = None


class Evaluate(AskedPolicy):
    """What to ask, and whom.

    The messages: ``facts`` by hand (``{"message": {"channel": "email", …}, "profile": …}``), or ``message_id``, or ``since`` and ``until``
    with a ``limit`` and the ``cursor`` of the answer before. Stored messages need the scope `conversations:read` too.
    """

    model_config = ConfigDict(
        json_schema_extra={"allOf": [not_both("document", "version"), exactly_one("facts", "message_id", "since")]}
    )

    facts: dict[Annotated[str, Field(json_schema_extra={"enum": list(ROOTS)})], dict[str, Any]] | None = None
    message_id: UUID | None = None
    since: Moment | None = None
    until: Moment | None = None
    limit: Annotated[int, Field(ge=1, le=MESSAGES_MAX)] = MESSAGES_MAX
    cursor: Annotated[str, Field(max_length=500)] | None = None


@router.post("/evaluate", summary="What would a policy do?", responses=may_answer(404))
async def evaluate_policy(request: Request, principal: ConfigReader, body: Evaluate) -> Evaluated | RangeEvaluated:
    """One message with the full trace, or a stretch of time with the difference against what really happened."""
    _check(body)
    if body.facts is None:
        require_everything(principal, "stored messages are of everybody", remedy="ask with facts by hand")
        # Who asks a condition of their own about words, letter by letter, reads them.
        principal.require("conversations:read")
    db: Database = request.app.state.db
    turns: CallerTurns = request.app.state.thought_turns
    async with turns.of(principal):
        policy = await asked_policy(db, principal, body)
        async with db.batch(principal.workspace_id) as connection:
            workspace = await workspace_with(connection, principal, policy)
    if body.facts is not None:
        async with turns.of(principal):
            return await asyncio.to_thread(_evaluated, policy, workspace, whole(body.facts), [])
    if body.message_id is not None:
        return await _stored(db, turns, principal, policy, workspace, body.message_id)
    assert body.since is not None
    return await _range(db, turns, principal, policy, workspace, body)


def _check(body: Evaluate) -> None:
    asked = [name for name in ("facts", "message_id", "since") if getattr(body, name) is not None]
    if len(asked) != 1:
        raise Unprocessable("one of facts, message_id and since", field="body", remedy="say which message, or which time, is meant")
    if body.facts is not None:
        unknown = set(body.facts) - set(ROOTS)
        if unknown:
            raise Unprocessable(f"unknown facts {min(unknown)}", field="facts", remedy=f"some of {', '.join(ROOTS)}")
        written = json.dumps(body.facts, ensure_ascii=False)
        if len(written) > FACTS_CHARS_MAX:
            raise Unprocessable(f"facts of {len(written)} characters", field="facts", remedy=f"at most {FACTS_CHARS_MAX}")
        try:
            written.encode()
        except UnicodeEncodeError as error:
            raise Unprocessable("half of a character pair", field="facts", remedy="write the character itself") from error
    if body.since is not None:
        until = body.until or datetime.now(UTC)
        if until <= body.since or until - body.since > timedelta(days=RANGE_DAYS):
            raise Unprocessable("not a stretch of time", field="until", remedy=f"later than since, at most {RANGE_DAYS} days later")


async def asked_policy(db: Database, principal: Principal, body: AskedPolicy) -> Policy:
    """The policy that is asked, in the workspace's turn. Raises `NotFound`, and `Unprocessable` naming each fault of a document.

    A document is compiled in a thread, and no connection waits for it: it may take seconds.
    """
    if body.document is not None and body.version is not None:
        raise Unprocessable("both document and version", field="version", remedy="leave one out")
    if body.document is not None:
        async with db.batch(principal.workspace_id) as connection:
            names = await names_in(connection, principal)
        await asyncio.to_thread(checked, body.document, names)
        return await asyncio.to_thread(policy_of, body.document)
    async with db.batch(principal.workspace_id) as connection:
        version = body.version
        if version is None:
            version = await connection.fetchval(
                "select version from santral.policy where workspace_id = $1 and active", principal.workspace_id
            )
        document = await read_document(connection, principal.workspace_id, version) if 0 < (version or 1) < 2**63 else None
    if document is None:
        raise NotFound("no such version", field="version")
    return (await asyncio.to_thread(kept_policy, version, document))[0]


async def workspace_with(connection: Connection, principal: Principal, policy: Policy) -> Workspace:
    """The queues that exist, so that a choice comes to the queue it would really come to."""
    stored = (await read_workspaces(connection, [principal.workspace_id]))[principal.workspace_id]
    return await asyncio.to_thread(made_workspace, stored, policy=policy)


def queue_of(workspace: Workspace, chosen: str) -> str:
    """The queue that a chosen name comes to."""
    try:
        return workspace.queue(chosen).name
    except InputRejected:
        return chosen


def _evaluated(
    policy: Policy, workspace: Workspace, facts: dict[str, dict[str, Any]], missing: list[str], decided: Decided | None = None
) -> Evaluated:
    """For a thread: rules of any length are asked. ``decided``: what really happened, beside which the answer is put."""
    done = evaluate(policy, facts_of(facts))
    answer = Evaluated(
        policy_version=policy.version, queue=queue_of(workspace, done.choice.queue), choice=ChoiceOut(**choice_json(done.choice)),
        rules=[AskedRule(**asdict(one)) for one in done.rules], facts=facts, not_recorded=missing,
    )  # fmt: skip
    if decided is not None:
        before = recorded_choice(decided.record)
        answer.decision_id = decided.id
        answer.before = RecordedChoice(policy_version=decided.record.get("policy_version"), **choice_json(before))
        answer.differences = compared(before, done.choice)
    return answer


def _without_words(answer: Evaluated) -> Evaluated:
    """The same answer of rules that saw the words, without them: their writer took them back."""
    answer.facts["message"] |= {name.partition(".")[2]: "" for name in _WORDS}
    for rule in answer.rules:
        rule.saw = {name: "" if name in _WORDS else value for name, value in rule.saw.items()}
    return answer


async def _stored(
    db: Database, turns: CallerTurns, principal: Principal, policy: Policy, workspace: Workspace, message_id: UUID
) -> Evaluated:  # fmt: skip
    async with turns.of(principal):
        asked = await _facts_then(db, principal, policy, workspace, message_id)
        answer = await asyncio.to_thread(_evaluated, policy, workspace, *asked)
    async with db.batch(principal.workspace_id) as connection:
        gone = await is_gone(connection, principal.workspace_id, message_id)
    return _without_words(answer) if gone else answer


async def _facts_then(
    db: Database, principal: Principal, policy: Policy, workspace: Workspace, message_id: UUID
) -> tuple[dict[str, dict[str, Any]], list[str], Decided | None]:
    """The facts of a message, those that nobody recorded, and what was decided. Raises `NotFound`."""
    async with db.batch(principal.workspace_id) as connection:
        decided = await decision_of_message(connection, principal.workspace_id, message_id)
        if decided is None:
            undecided = await facts_of_message(connection, principal.workspace_id, message_id, policy, workspace.calendar)
            if undecided is None:
                raise NotFound("no such message of a customer", field="message_id")
            return *undecided, None
        found = await completed_facts(connection, principal.workspace_id, [decided], policy)
    if not found:
        raise NotFound("the words of this message were erased", field="message_id", remedy="give facts instead")
    _, facts, missing = found[0]
    return facts, missing, decided


async def _range(
    db: Database, turns: CallerTurns, principal: Principal, policy: Policy, workspace: Workspace, body: Evaluate
) -> RangeEvaluated:  # fmt: skip
    assert body.since is not None
    until = body.until or datetime.now(UTC)
    start, end = id_of(body.cursor) or first_id(body.since), first_id(until)
    report = Report(policy)
    last, left, more = start, body.limit, True
    ends_at = time.monotonic() + TIME_S
    while left and more and time.monotonic() < ends_at:
        # Rules are asked in a thread, a page at a time, so that other requests are answered meanwhile.
        async with turns.of(principal):
            async with db.batch(principal.workspace_id) as connection:
                page = await read_range(connection, principal.workspace_id, after=last, before=end, limit=min(PAGE, left))
                found = await completed_facts(connection, principal.workspace_id, page, policy)
            added = await asyncio.to_thread(_add, report, policy, workspace, page, found, ends_at)
        more = added < len(page) or len(page) == min(PAGE, left)
        left -= added
        if page:
            last = page[added - 1].id
    covered = last if more else end
    return RangeEvaluated(
        policy_version=policy.version, since=_time(start), until=_time(covered), report=ReportOut(**report.as_json()),
        waits=await _waits(db, principal, report, start, covered), next=cursor_of(str(last)) if more else None,
    )  # fmt: skip


def _add(
    report: Report, policy: Policy, workspace: Workspace, page: list[Decided], found: list[Completed], ends_at: float
) -> int:  # fmt: skip
    """Adds the page to the report, as far as there is time, and at least one; how many were added."""
    known = {decided.id: (facts, missing) for decided, facts, missing in found}
    for place, decided in enumerate(page):
        if place and time.monotonic() > ends_at:
            return place
        if decided.id not in known:
            report.leave_out("erased")
            continue
        facts, missing = known[decided.id]
        choice = choice_of(policy, facts_of(facts))
        report.add(
            decided.record, choice, queue_of(workspace, choice.queue), message_id=decided.message_id, decision_id=decided.id,
            missing=missing,
        )  # fmt: skip
    return len(page)


async def _waits(db: Database, principal: Principal, report: Report, start: UUID, end: UUID) -> list[QueueWait]:
    before: dict[str, int] = {}
    after: dict[str, int] = {}
    for (was, is_), move in report.moves.items():
        before[was] = before.get(was, 0) + move["count"]
        after[is_] = after.get(is_, 0) + move["count"]
    async with db.batch(principal.workspace_id) as connection:
        seen = await observed(connection, principal.workspace_id, after=start, before=end)
    span_s = (_time(end) - _time(start)).total_seconds()
    return [QueueWait(**one) for one in waits(seen, before, after, span_s)]


def _time(identity: UUID) -> datetime:
    return datetime.fromtimestamp((identity.int >> 80) / 1000, UTC)
