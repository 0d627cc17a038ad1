"""Policies: versions that are validated when saved, made active at once or kept as drafts, and rolled back by activating an older one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request
from pydantic import Field

from router.evaluation.store import rule_errors
from router.policy.check import DOCUMENT_CHARS_MAX, Names, Problem, checked, problems_of
from router.policy.fields import BY_NAME, OPERATORS, QUEUE_FIELDS, Type, operators_for
from router.policy.policy import BUDGET_S, RULES_MAX, RuleDocument
from services.api.audit import audit
from services.api.if_match import IfMatch, require_version
from services.api.lists import Cursor, Limit, Page, cursor_of, number, values_of
from services.api.policy_models import (
    Checked,
    FactOut,
    PolicyOut,
    PolicyProblem,
    RuleError,
    RuleErrors,
    Vocabulary,
    VocabularyLimits,
    VocabularyNames,
)
from services.api.principal import ConfigReader, ConfigWriter, Principal
from services.api.visibility import require_everything
from shared.database import Connection, Contended, retried
from shared.errors import Conflict, NotFound
from shared.given import Given

router = APIRouter(prefix="/v1/policies", tags=["configuration"])
_COLUMNS = "version, document, active, managed_digest, actor, created_at, note, activated_at, activated_by"
_ACTIVE: Final = "select version from santral.policy where workspace_id = $1 and active"
_ERRORS_READ: Final = 2000
CHECKED_TRIES: Final = 3
"""Of a policy, while what it names is taken away: the second look says so."""


class PolicyIn(Given):
    """A document to save. ``active`` false keeps it as a draft, which nothing uses until it is activated."""

    document: dict[str, Any]
    managed_digest: Annotated[str, Field(max_length=128)] | None = None
    active: bool = True
    note: Annotated[str, Field(max_length=500)] = ""


class Document(Given):
    """A document to look at."""

    document: Any


@router.get("", summary="Versions, newest first")
async def list_policies(request: Request, principal: ConfigReader, limit: Limit = 50, cursor: Cursor = None) -> Page[PolicyOut]:
    """Every version that was ever saved, with who made and who activated it."""
    below = _version_of(cursor)
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        rows = await connection.fetch(
            f"select {_COLUMNS} from santral.policy where workspace_id = $1 and ($2::bigint is null or version < $2)"
            " order by version desc limit $3",
            principal.workspace_id, below, limit + 1,
        )  # fmt: skip
    more = cursor_of(rows[limit - 1]["version"]) if len(rows) > limit else None
    return Page(items=[PolicyOut(**dict(row)) for row in rows[:limit]], next=more)


def _shown(problems: Iterable[Problem]) -> list[PolicyProblem]:
    return [PolicyProblem(**one.as_json()) for one in problems]


def _version_of(cursor: str | None) -> int | None:
    values = values_of(cursor, number)
    return None if values is None else values[0]


@router.get("/active", summary="The active version")
async def active_policy(request: Request, principal: ConfigReader) -> PolicyOut | None:
    """Null before the first one."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        row = await connection.fetchrow(
            f"select {_COLUMNS} from santral.policy where workspace_id = $1 and active", principal.workspace_id
        )
    return None if row is None else PolicyOut(**dict(row))


@router.get("/vocabulary", summary="What a rule can ask and do")
async def policy_vocabulary(request: Request, principal: ConfigReader) -> Vocabulary:
    """Everything that a page needs to edit conditions: facts with types and help, operators, names that exist, limits."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        names = await names_in(connection, principal)
    facts = [
        FactOut(name=one.name, type=one.type, help=one.help, always=one.always, values=list(one.values), operators=_asked(one.type))
        for one in BY_NAME.values()
    ]
    facts += [_named("profile.attributes.<name>", "any", "an attribute of the customer")]
    facts += [_named(f"queue.<name>.{name}", "number", about) for name, about in QUEUE_FIELDS.items()]
    return Vocabulary(
        fields=facts,
        operators=list(OPERATORS.values()),
        rule=RuleDocument.model_json_schema(by_alias=True),
        names=VocabularyNames(
            queues=sorted(names.queues or ()), skills=sorted(names.skills or ()), slas=sorted(names.slas or ()),
            plans=sorted(names.plans or ()),
        ),
        limits=VocabularyLimits(rules=RULES_MAX, document_chars=DOCUMENT_CHARS_MAX, budget_ms=1000 * BUDGET_S),
    )  # fmt: skip


def _named(name: str, kind: Type, about: str) -> FactOut:
    """A fact that has a name of the workspace in its own."""
    return FactOut(name=name, type=kind, help=about, always=False, values=[], operators=_asked(kind))


def _asked(kind: Type) -> list[str]:
    return list(operators_for(kind))


@router.post("/check", summary="Check a document without saving it")
async def check_policy(request: Request, principal: ConfigReader, body: Document) -> Checked:
    """Every problem at once, each with its rule, its place in the expression or the tree, and the remedy."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        names = await names_in(connection, principal)
    async with request.app.state.thought_turns.of(principal):
        found = await asyncio.to_thread(problems_of, body.document, names)
    return Checked(ok=all(one.severity == "warning" for one in found), problems=_shown(found))


@router.post("", status_code=201, summary="Save a policy")
async def save_policy(request: Request, principal: ConfigWriter, body: PolicyIn, if_match: IfMatch = None) -> PolicyOut:
    """Validated first: types, unknown names, limits. An active one is effective everywhere within a second.

    ``If-Match`` names the version that is active, 0 where none is: 409 when that is another one by now.
    """
    found = await retried(lambda: _saved(request, principal, body, if_match), tries=CHECKED_TRIES)
    if body.active:
        request.app.state.hints.wake("config")
    return found


async def _saved(request: Request, principal: Principal, body: PolicyIn, if_match: str | None) -> PolicyOut:
    state = request.app.state
    async with state.db.batch(principal.workspace_id) as connection:
        names = await names_in(connection, principal)
    # Compiling a large document takes up to seconds, which the loop has not, and the threads not for one workspace alone.
    async with state.thought_turns.of(principal):
        warnings = await asyncio.to_thread(checked, body.document, names)
    async with state.db.batch(principal.workspace_id) as connection:
        await _lock(connection, principal, body.document, names)
        if if_match is not None:
            require_version(if_match, await connection.fetchval(_ACTIVE, principal.workspace_id) or 0)
        version = await connection.fetchval(
            "select coalesce(max(version), 0) + 1 from santral.policy where workspace_id = $1", principal.workspace_id
        )
        await connection.execute(
            "insert into santral.policy (workspace_id, version, document, managed_digest, actor, note) values ($1, $2, $3, $4, $5, $6)",
            principal.workspace_id, version, body.document, body.managed_digest, principal.actor, body.note,
        )  # fmt: skip
        details: dict[str, Any] = {"active": body.active}
        if body.active:
            details["before"] = await _activate(connection, principal, version)
        await audit(connection, principal, "policy.saved", "policy", str(version), details)
        found = await _version(connection, principal, version)
    found.warnings = _shown(warnings)
    return found


@router.post("/rollback", summary="Back to the version that was active before")
async def rollback_policy(request: Request, principal: ConfigWriter) -> PolicyOut:
    """Activates the version that was active last before this one; doing it again returns to the present one."""

    async def before(connection: Connection) -> int:
        version: int | None = await connection.fetchval(
            "select version from santral.policy where workspace_id = $1 and not active and activated_at is not null"
            " order by activated_at desc, version desc limit 1",
            principal.workspace_id,
        )
        if version is None:
            raise Conflict("no version was active before this one", field="version", remedy="activate a version by its number")
        return version

    return await _activated(request, principal, before)


@router.get("/{version}", summary="One version")
async def read_policy(request: Request, principal: ConfigReader, version: int) -> PolicyOut:
    """As it was saved."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        return await _version(connection, principal, version)


@router.get("/{version}/errors", summary="Rules of a version that could not be evaluated")
async def read_policy_errors(request: Request, principal: ConfigReader, version: int) -> RuleErrors:
    """Each with the message that broke it; from at most the newest 2,000 decisions with an error.

    It needs the scope `conversations:read` too: a rule can ask for words, and which of many rules err tells them.
    """
    require_everything(principal, "errors are of everybody's messages", remedy="use a key of the workspace")
    principal.require("conversations:read")
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        await _version(connection, principal, version)
        items = await rule_errors(connection, principal.workspace_id, version, limit=_ERRORS_READ)
    return RuleErrors(items=[RuleError(**one) for one in items], looked_at=_ERRORS_READ)


@router.post("/{version}/activate", summary="Make a version active")
async def activate_policy(request: Request, principal: ConfigWriter, version: int) -> PolicyOut:
    """Rolling back is activating an older version. It is validated again: the queues it names may be gone."""

    async def this(_: Connection) -> int:
        return version

    return await _activated(request, principal, this)


async def names_in(connection: Connection, principal: Principal) -> Names:
    """What exists in the caller's workspace and may be named in a policy."""
    rows = await connection.fetch(
        "select 'queue' as kind, name from santral.queue where workspace_id = $1 and enabled"
        " union all select 'skill', name from santral.skill where workspace_id = $1"
        " union all select 'sla', name from santral.sla where workspace_id = $1"
        " union all select 'plan', name from santral.plan where workspace_id = $1",
        principal.workspace_id,
    )
    by_kind: dict[str, list[str]] = {"queue": [], "skill": [], "sla": [], "plan": []}
    for row in rows:
        by_kind[row["kind"]].append(row["name"])
    return Names(queues=by_kind["queue"], skills=by_kind["skill"], slas=by_kind["sla"], plans=by_kind["plan"])


async def _lock(connection: Connection, principal: Principal, document: Any, names: Names) -> None:
    """Versions are counted and switched by one writer at a time, in turn with whoever takes a name away.

    Raises `Contended` where the document says a name that went since it was checked with these: it is checked again.
    """
    await connection.execute("select 1 from santral.workspace where id = $1 for no key update", principal.workspace_id)
    now, text = await names_in(connection, principal), json.dumps(document, ensure_ascii=False)
    gone = [set(getattr(names, kind) or ()) - set(getattr(now, kind) or ()) for kind in ("queues", "skills", "slas", "plans")]
    if any(json.dumps(name, ensure_ascii=False)[1:-1] in text for name in set().union(*gone)):
        raise Contended("what this policy names is being taken away", retry_after_s=1)


async def _activated(request: Request, principal: Principal, chosen: Callable[[Connection], Awaitable[int]]) -> PolicyOut:
    """Checks the chosen version, in the workspace's turn and while no connection waits for it, and makes it active."""
    found = await retried(lambda: _made_active(request, principal, chosen), tries=CHECKED_TRIES)
    request.app.state.hints.wake("config")
    return found


async def _made_active(request: Request, principal: Principal, chosen: Callable[[Connection], Awaitable[int]]) -> PolicyOut:
    state = request.app.state
    async with state.thought_turns.of(principal):
        async with state.db.batch(principal.workspace_id) as connection:
            version = await chosen(connection)
            found = await _version(connection, principal, version)
            names = await names_in(connection, principal)
        await asyncio.to_thread(checked, found.document, names)
        async with state.db.batch(principal.workspace_id) as connection:
            await _lock(connection, principal, found.document, names)
            if await chosen(connection) != version:
                raise Conflict(
                    "another version was activated meanwhile", field="version", remedy="look at the versions, and try again"
                )
            before = await _activate(connection, principal, version)
            await audit(connection, principal, "policy.activated", "policy", str(version), {"before": before})
            found = await _version(connection, principal, version)
    return found


async def _activate(connection: Connection, principal: Principal, version: int) -> int | None:
    """Returns the version that was active before."""
    before: int | None = await connection.fetchval(
        "update santral.policy set active = false where workspace_id = $1 and active returning version", principal.workspace_id
    )
    await connection.execute(
        "update santral.policy set active = true, activated_at = clock_timestamp(), activated_by = $3"
        " where workspace_id = $1 and version = $2",
        principal.workspace_id, version, principal.actor,
    )  # fmt: skip
    return before


async def _version(connection: Connection, principal: Principal, version: int) -> PolicyOut:
    row = None
    if 0 < version < 2**63:
        row = await connection.fetchrow(
            f"select {_COLUMNS} from santral.policy where workspace_id = $1 and version = $2", principal.workspace_id, version
        )
    if row is None:
        raise NotFound("no such version", field="version")
    return PolicyOut(**dict(row))
