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
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from router.calendars.store import read_calendars
from router.evaluation.evaluation import choice_json, choice_of, compared, evaluate, recorded_choice, whole
from router.evaluation.report import Report
from router.evaluation.store import (
    Decided,
    completed_facts,
    decision_of_message,
    facts_of_message,
    first_id,
    observed,
    read_policy,
    read_range,
)
from router.evaluation.waits import waits
from router.policy.check import checked
from router.policy.expressions import facts_of
from router.policy.fields import ROOTS
from router.policy.policy import Policy, policy_of
from router.views.messages import is_gone
from router.workspace.workspace import Workspace, read_queues, workspace_of
from services.api.lists import cursor_of, id_of
from services.api.policies import names_in
from services.api.principal import ConfigReader, Principal
from shared.database import Connection, Database
from shared.errors import InputRejected, NotFound, Unprocessable

router = APIRouter(prefix="/v1/policies", tags=["configuration"])
MESSAGES_MAX: Final = 10_000
PAGE: Final = 250
TIME_S: Final = 10.0
RANGE_DAYS: Final = 400
_WORDS: Final = ("message.text", "message.subject", "message.about")


class AskedPolicy(BaseModel):
    """The policy to ask: ``document``, or ``version``, or neither for the active one."""

    model_config = ConfigDict(extra="forbid")

    document: dict[str, Any] | None = None
    version: int | None = None


class Evaluate(AskedPolicy):
    """What to ask, and whom.

    The messages: ``facts`` by hand (``{"message": {"channel": "email", …}, "profile": …}``), or ``message_id``, or ``since`` and ``until``
    with a ``limit`` and the ``cursor`` of the answer before.
    """

    facts: dict[str, dict[str, Any]] | None = None
    message_id: UUID | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    limit: Annotated[int, Field(ge=1, le=MESSAGES_MAX)] = MESSAGES_MAX
    cursor: Annotated[str, Field(max_length=500)] | None = None


class Evaluated(BaseModel):
    """Of one message: the choice and the trace. ``before`` and ``differences``: what really happened, where it is a stored one.

    ``not_recorded``: facts the policy asks that nobody recorded then; attributes and open conversations among them are of today. A message that
    joined work already there was not decided on: its profile and conversation are those of today. Words that their writer took back, or that
    were taken away here, are not among the facts that are shown; the rules were asked with those of then.
    """

    policy_version: int | None
    queue: str
    choice: dict[str, Any]
    rules: list[dict[str, Any]]
    facts: dict[str, Any]
    not_recorded: list[str]
    decision_id: UUID | None = None
    before: dict[str, Any] | None = None
    differences: list[dict[str, Any]] = []


class RangeEvaluated(BaseModel):
    """Of a stretch of time: the difference against what really happened. ``next`` goes on where the budget ended."""

    policy_version: int | None
    since: datetime
    until: datetime
    report: dict[str, Any]
    waits: list[dict[str, Any]]
    next: str | None


@router.post("/evaluate", summary="What would a policy do?")
async def evaluate_policy(request: Request, principal: ConfigReader, body: Evaluate) -> Evaluated | RangeEvaluated:
    """One message with the full trace, or a stretch of time with the difference against what really happened."""
    _check(body)
    db: Database = request.app.state.db
    async with db.batch(principal.workspace_id) as connection:
        policy = await asked_policy(connection, principal, body)
        workspace = await workspace_with(connection, principal, policy)
    if body.facts is not None:
        return _inline(policy, workspace, body.facts)
    if body.message_id is not None:
        return await _stored(db, principal, policy, workspace, body.message_id)
    assert body.since is not None
    return await _range(db, principal, policy, workspace, body)


def _check(body: Evaluate) -> None:
    asked = [name for name in ("facts", "message_id", "since") if getattr(body, name) is not None]
    if len(asked) != 1:
        raise Unprocessable("one of facts, message_id and since", field="body", remedy="say which message, or which time, is meant")
    if body.facts is not None:
        unknown = set(body.facts) - set(ROOTS)
        if unknown:
            raise Unprocessable(f"unknown facts {min(unknown)}", field="facts", remedy=f"some of {', '.join(ROOTS)}")
        try:
            json.dumps(body.facts, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise Unprocessable("half of a character pair", field="facts", remedy="write the character itself") from error
    if body.since is not None:
        until = body.until or datetime.now(UTC)
        if until <= body.since or until - body.since > timedelta(days=RANGE_DAYS):
            raise Unprocessable("not a stretch of time", field="until", remedy=f"later than since, at most {RANGE_DAYS} days later")


async def asked_policy(connection: Connection, principal: Principal, body: AskedPolicy) -> Policy:
    """The policy that is asked. Raises `NotFound`, and `Unprocessable` naming each fault of a document."""
    if body.document is not None and body.version is not None:
        raise Unprocessable("both document and version", field="version", remedy="leave one out")
    if body.document is not None:
        names = await names_in(connection, principal)
        await asyncio.to_thread(checked, body.document, names)
        return await asyncio.to_thread(policy_of, body.document)
    version = body.version
    if version is None:
        version = await connection.fetchval(
            "select version from santral.policy where workspace_id = $1 and active", principal.workspace_id
        )
    found = await read_policy(connection, principal.workspace_id, version) if version is None or 0 < version < 2**63 else None
    if found is None:
        raise NotFound("no such version", field="version")
    return found


async def workspace_with(connection: Connection, principal: Principal, policy: Policy) -> Workspace:
    """The queues that exist, so that a choice comes to the queue it would really come to."""
    queues = (await read_queues(connection)).get(principal.workspace_id, [])
    calendars = (await read_calendars(connection)).get(principal.workspace_id, {})
    settings = await connection.fetchval("select settings from santral.workspace where id = $1", principal.workspace_id)
    return workspace_of(principal.workspace_id, settings, policy=policy, queues=queues, calendars=calendars)


def queue_of(workspace: Workspace, chosen: str) -> str:
    """The queue that a chosen name comes to."""
    try:
        return workspace.queue(chosen).name
    except InputRejected:
        return chosen


def _inline(policy: Policy, workspace: Workspace, given: dict[str, dict[str, Any]]) -> Evaluated:
    facts = whole(given)
    return _evaluated(policy, workspace, facts, [])


def _evaluated(policy: Policy, workspace: Workspace, facts: dict[str, dict[str, Any]], missing: list[str]) -> Evaluated:
    done = evaluate(policy, facts_of(facts))
    return Evaluated(
        policy_version=policy.version, queue=queue_of(workspace, done.choice.queue), choice=choice_json(done.choice),
        rules=[asdict(one) for one in done.rules], facts=facts, not_recorded=missing,
    )  # fmt: skip


def _without_words(answer: Evaluated) -> Evaluated:
    """The same answer of rules that saw the words, without them: their writer took them back."""
    answer.facts["message"] |= {name.partition(".")[2]: "" for name in _WORDS}
    for rule in answer.rules:
        rule["saw"] = {name: "" if name in _WORDS else value for name, value in rule["saw"].items()}
    return answer


async def _stored(db: Database, principal: Principal, policy: Policy, workspace: Workspace, message_id: UUID) -> Evaluated:
    answer = await _asked(db, principal, policy, workspace, message_id)
    async with db.batch(principal.workspace_id) as connection:
        gone = await is_gone(connection, principal.workspace_id, message_id)
    return _without_words(answer) if gone else answer


async def _asked(db: Database, principal: Principal, policy: Policy, workspace: Workspace, message_id: UUID) -> Evaluated:
    async with db.batch(principal.workspace_id) as connection:
        decided = await decision_of_message(connection, principal.workspace_id, message_id)
        if decided is None:
            undecided = await facts_of_message(connection, principal.workspace_id, message_id, policy, workspace.calendar)
            if undecided is None:
                raise NotFound("no such message of a customer", field="message_id")
            return _evaluated(policy, workspace, *undecided)
        found = await completed_facts(connection, principal.workspace_id, [decided], policy)
    if not found:
        raise NotFound("the words of this message were erased", field="message_id", remedy="give facts instead")
    _, facts, missing = found[0]
    answer = _evaluated(policy, workspace, facts, missing)
    before = recorded_choice(decided.record)
    answer.decision_id = decided.id
    answer.before = {
        "policy_version": decided.record.get("policy_version"),
        "queue": decided.record["queue"],
        **choice_json(before),
    }
    now = choice_of(policy, facts_of(facts))
    answer.differences = [asdict(one) for one in compared(before, now)]
    return answer


async def _range(
    db: Database, principal: Principal, policy: Policy, workspace: Workspace, body: Evaluate
) -> RangeEvaluated:  # fmt: skip
    assert body.since is not None
    until = body.until or datetime.now(UTC)
    start, end = id_of(body.cursor) or first_id(body.since), first_id(until)
    report = Report(policy)
    last, left, more = start, body.limit, True
    ends_at = time.monotonic() + TIME_S
    while left and more and time.monotonic() < ends_at:
        async with db.batch(principal.workspace_id) as connection:
            page = await read_range(connection, principal.workspace_id, after=last, before=end, limit=min(PAGE, left))
            found = await completed_facts(connection, principal.workspace_id, page, policy)
        more = len(page) == min(PAGE, left)
        left -= len(page)
        if page:
            last = page[-1].id
        # Rules are asked in a thread, a page at a time, so that other requests are answered meanwhile.
        await asyncio.to_thread(_add, report, policy, workspace, page, found)
    shown = report.as_json()
    covered = last if more else end
    return RangeEvaluated(
        policy_version=policy.version, since=_time(start), until=_time(covered), report=shown,
        waits=await _waits(db, principal, report, start, covered), next=cursor_of(str(last)) if more else None,
    )  # fmt: skip


def _add(
    report: Report, policy: Policy, workspace: Workspace, page: list[Decided],
    found: list[tuple[Decided, dict[str, dict[str, Any]], list[str]]],
) -> None:  # fmt: skip
    for _ in range(len(page) - len(found)):
        report.leave_out("erased")
    for decided, facts, missing in found:
        choice = choice_of(policy, facts_of(facts))
        report.add(
            decided.record, choice, queue_of(workspace, choice.queue), message_id=decided.message_id, decision_id=decided.id,
            missing=missing,
        )  # fmt: skip


async def _waits(db: Database, principal: Principal, report: Report, start: UUID, end: UUID) -> list[dict[str, Any]]:
    before: dict[str, int] = {}
    after: dict[str, int] = {}
    for (was, is_), move in report.moves.items():
        before[was] = before.get(was, 0) + move["count"]
        after[is_] = after.get(is_, 0) + move["count"]
    async with db.batch(principal.workspace_id) as connection:
        seen = await observed(connection, principal.workspace_id, after=start, before=end)
    return waits(seen, before, after, (_time(end) - _time(start)).total_seconds())


def _time(identity: UUID) -> datetime:
    return datetime.fromtimestamp((identity.int >> 80) / 1000, UTC)
