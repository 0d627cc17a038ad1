"""Who was within reach of a key, a user or an agent, as a list: what a report of a breach needs to name. For the scope `admin`.

Two things stand beside each other and are not the same: whom the credential *could* read (its scopes and its visibility, as they are now,
over who was there in that time: `visibility.py` decides), and whom it *was shown* (`looked`: rows of views, from the time itself; each lasts
its hour, for it is not noted again in that). What changed meanwhile — scopes, roles, agents, a key revoked — stands in `changes`, from the
audit, with what was before where it says so.
Whoever was shown to it and is beyond its reach now is in the list too (`reachable: false`). Who was erased since is counted, not named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from services.api.audit import audit
from services.api.audit_reader import AuditRow
from services.api.csv_answers import OR_CSV, csv_answer
from services.api.lists import Cursor, Limit, Page, cursor_of, id_of
from services.api.principal import Principal, Visibility
from services.api.profile_seen import looks_of
from services.api.visibility import needs_everything, reached_people
from shared.database import Connection
from shared.errors import NotFound, Unprocessable
from shared.moments import Moment

router = APIRouter(prefix="/v1", tags=["records"])
Administrator = Annotated[Principal, Depends(needs_everything("admin", "whom somebody reaches is of everybody"))]
From = Annotated[
    Moment | None, Query(alias="from", description="Left out: since there is the credential; its use began no earlier")
]
To = Annotated[Moment | None, Query(alias="to", description="Left out: now. A key's time ends when it was revoked or ran out")]
Form = Annotated[Literal["json", "csv"], Query(alias="format")]
READING: Final = frozenset(
    ("admin", "profiles:read", "profiles:export", "conversations:read", "messages:read", "events:read", "quarantine:read", "agents:token")
)  # fmt: skip
"""Scopes whose operations tell something of customers; `agents:token` signs in as others, who read."""
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CHANGES_MAX: Final = 200
_KEY: Final = """
select id, name, scopes, 'workspace' as visibility, null as role, array[]::uuid[] as agents, created_at,
       least(revoked_at + interval '5 seconds', expires_at) as ended_at  -- other processes know a key for seconds
from santral.api_key where workspace_id = $1 and id = $2
"""
_USER: Final = """
select u.id, u.name, coalesce(r.scopes, '{}') as scopes, coalesce(r.visibility, 'own') as visibility, u.role, u.created_at,
       null::timestamptz as ended_at,
       array(select a.id from santral.agent a where a.workspace_id = u.workspace_id and a.user_id = u.id) as agents
from santral.user u left join santral.role r on r.workspace_id = u.workspace_id and r.name = u.role
where u.workspace_id = $1 and u.id = $2
"""
_AGENT: Final = """
select a.id, a.name, coalesce(r.scopes, '{}') as scopes, coalesce(r.visibility, 'own') as visibility, r.name as role,
       u.created_at, null::timestamptz as ended_at, array[a.id] as agents
from santral.agent a
left join santral.user u on u.workspace_id = a.workspace_id and u.id = a.user_id
left join santral.role r on r.workspace_id = a.workspace_id and r.name = coalesce(u.role, a.role)
where a.workspace_id = $1 and a.id = $2
"""
_CHANGES: Final = """
select id, at, actor, action, target_kind, target_id, details, address, software, request_id from santral.audit
where workspace_id = $1 and at >= $4 and at < $5
  and (target_kind, target_id) in (select * from unnest($2::text[], $3::text[]))
  and action ~ '[.](create|created|replaced|deleted|revoked|token|code)$|^create$'
order by at desc, id desc limit $6
"""
_ACTS: Final = """
select action, count(*) as times from santral.audit
where workspace_id = $1 and actor = any($2::text[]) and at >= $3 and at < $4 group by action order by action
"""
_ERASED: Final = "select count(*) from santral.erasure where workspace_id = $1 and erased_at >= $2"
_SEEN_FROM: Final = """
select profile_id, min(first_seen_at) as at from santral.handle where workspace_id = $1 and profile_id = any($2::uuid[]) group by profile_id
"""


class Reached(BaseModel):
    """One person. ``conversations``: those within reach, null where all of theirs are."""

    profile_id: UUID
    known_since: datetime
    reachable: bool = Field(description="Whether the credential's scopes and visibility reach the person as they are now")
    conversations: list[UUID] | None
    looked: int = Field(
        description="How often it is noted that the credential was shown the person in this time, or in the hour before: of pages that are read"
        " again and again a look is noted once an hour"
    )
    first_looked_at: datetime | None = Field(description="When that was noted first; up to an hour before the time asked about")
    last_looked_at: datetime | None


class CredentialOut(BaseModel):
    """What it is about, as it is now. ``reads_by``: the scopes that let it read of customers."""

    kind: Literal["key", "user", "agent"]
    id: UUID
    name: str
    role: str | None
    scopes: list[str]
    visibility: Visibility
    agents: list[UUID]
    reads_by: list[str]


class ReachOut(Page[Reached]):
    """A page of people, by profile's id, and what to know of the whole."""

    credential: CredentialOut
    since: datetime
    until: datetime
    changes: list[AuditRow] = Field(
        description="What changed of the credential, its role and its agents in this time, newest first, 200 at most"
    )
    acts: dict[str, int] = Field(description="What the audit has of the credential's own acts in this time, by action")
    erased: int = Field(description="People erased since the time began; who they were is not known any more")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What a caller wants to know: of which time, and which page."""

    since: datetime | None
    until: datetime | None
    limit: int
    after: UUID | None


async def _asked(since: From = None, until: To = None, limit: Limit = 100, cursor: Cursor = None) -> _Asked:
    if since is not None and until is not None and since > until:
        raise Unprocessable("ends before it begins", field="from", remedy="a time before `to`")
    return _Asked(since=since, until=until, limit=limit, after=id_of(cursor))


Asked = Annotated[_Asked, Depends(_asked)]


@router.get("/keys/{key_id}/reach", summary="Who was within reach of a key", responses=OR_CSV, response_model=ReachOut)
async def read_key_reach(
    request: Request, principal: Administrator, key_id: UUID, asked: Asked, form: Form = "json"
) -> ReachOut | Response:
    """Everybody of the workspace who was there while the key worked, when its scopes read of customers; else who was shown to it."""
    return await _answer(request, principal, "key", key_id, asked, form)


@router.get("/users/{user_id}/reach", summary="Who was within reach of a user", responses=OR_CSV, response_model=ReachOut)
async def read_user_reach(
    request: Request, principal: Administrator, user_id: UUID, asked: Asked, form: Form = "json"
) -> ReachOut | Response:
    """By the user's role, over all agents the user is. A narrow role reaches whose work and queues are theirs, conversation by conversation."""
    return await _answer(request, principal, "user", user_id, asked, form)


@router.get("/agents/{agent_id}/reach", summary="Who was within reach of an agent", responses=OR_CSV, response_model=ReachOut)
async def read_agent_reach(
    request: Request, principal: Administrator, agent_id: UUID, asked: Asked, form: Form = "json"
) -> ReachOut | Response:
    """The same for one agent, with or without a user."""
    return await _answer(request, principal, "agent", agent_id, asked, form)


async def _answer(
    request: Request, principal: Principal, kind: Literal["key", "user", "agent"], one: UUID, asked: _Asked, form: str
) -> ReachOut | Response:
    """The page. With ``format=csv`` the people alone, and the next page's cursor in the header Santral-Next."""
    async with request.app.state.db.batch(principal.workspace_id, isolation="repeatable_read") as connection:
        found = await _reach(connection, principal.workspace_id, kind, one, asked)
        await audit(
            connection,
            principal,
            "reach.read",
            kind,
            str(one),
            {"since": found.since.isoformat(), "until": found.until.isoformat()},
        )
    return found if form == "json" else csv_answer(f"reach-of-{kind}.csv", Reached, found.items, found.next)


async def _reach(
    connection: Connection, workspace_id: UUID, kind: Literal["key", "user", "agent"], one: UUID, asked: _Asked
) -> ReachOut:
    statement = {"key": _KEY, "user": _USER, "agent": _AGENT}[kind]
    row = await connection.fetchrow(statement, workspace_id, one)
    if row is None:
        raise NotFound(
            f"no such {kind}", field=f"{kind}_id", remedy="what the audit has of one who was deleted: GET /v1/audit?actor=…"
        )
    now = await connection.fetchval("select now()")
    since = max(asked.since or _BEGINNING, row["created_at"] or _BEGINNING)
    until = max(since, min(asked.until or now, row["ended_at"] or now, now))
    credential = CredentialOut(
        kind=kind, id=one, name=row["name"], role=row["role"], scopes=sorted(row["scopes"]), visibility=row["visibility"],
        agents=row["agents"], reads_by=sorted(READING & set(row["scopes"])),
    )  # fmt: skip
    actors = [f"agent:{agent}" for agent in row["agents"]] if kind != "key" else [f"key:{one}"]
    people = await _people(connection, workspace_id, credential, actors, since, until, asked)
    changes = await connection.fetch(_CHANGES, workspace_id, *_targets(credential), since, until, _CHANGES_MAX)
    acts = await connection.fetch(_ACTS, workspace_id, actors, since, until)
    return ReachOut(
        items=people[: asked.limit], next=cursor_of(people[asked.limit - 1].profile_id) if len(people) > asked.limit else None,
        credential=credential, since=since, until=until, changes=[AuditRow(**dict(row)) for row in changes],
        acts={row["action"]: row["times"] for row in acts}, erased=await connection.fetchval(_ERASED, workspace_id, since),
    )  # fmt: skip


async def _people(
    connection: Connection, workspace_id: UUID, credential: CredentialOut, actors: Sequence[str], since: datetime, until: datetime,
    asked: _Asked,
) -> list[Reached]:  # fmt: skip
    """One more than a page: of each list what comes next by id, put together."""
    limit = asked.limit + 1
    reached: dict[UUID, list[UUID] | None] = {}
    if credential.reads_by and since < until:
        # Whoever signs others in sees what any of them sees.
        sees = "workspace" if "agents:token" in credential.reads_by else credential.visibility
        reached = await reached_people(
            connection, workspace_id, sees, credential.agents, before=until, after=asked.after, limit=limit
        )
    looks = await looks_of(connection, workspace_id, actors, since=since, until=until, after=asked.after, limit=limit)
    ids = sorted({*reached, *looks})[:limit]
    known = {row["profile_id"]: row["at"] for row in await connection.fetch(_SEEN_FROM, workspace_id, ids)}
    return [
        Reached(
            profile_id=one, known_since=known[one], reachable=one in reached, conversations=reached.get(one, []),
            looked=looks[one].looks if one in looks else 0, first_looked_at=looks[one].first_at if one in looks else None,
            last_looked_at=looks[one].last_at if one in looks else None,
        )
        for one in ids
    ]  # fmt: skip


def _targets(credential: CredentialOut) -> tuple[list[str], list[str]]:
    """Kinds and ids that the audit names the credential, its role and its agents by."""
    targets: list[tuple[str, str]] = [
        (credential.kind, str(credential.id)),
        *(("agent", str(agent)) for agent in credential.agents),
    ]
    if credential.role is not None:
        targets.append(("role", credential.role))
    return [kind for kind, _ in targets], [one for _, one in targets]
