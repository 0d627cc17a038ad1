"""Two people who are one, and one who are two: what a person or another system says, and its undoing.

A merge is one link in the ledger; nothing is moved, so taking the link back gives each handle's person exactly what was theirs. What
the rules of identity forbid is refused as a whole, with the rule. Each command locks the workspace's identity first and runs in the
caller's transaction, which an error leaves to be rolled back.

**Identity** of a merge: its link. **Units**: times aware UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

from profiles.blocked import blocked_reason
from profiles.erasure_covers import ERASED_KIND
from profiles.explain import Explanation, explain
from profiles.identity_lock import lock_identity
from profiles.ledger import add_cannot_link, add_link, retract_cannot_link, retract_link
from shared.database import Connection
from shared.errors import Conflict, InputRejected, NotFound
from shared.ids import HandleId, ProfileId, WorkspaceId, new_id

_PERSON: Final = """
select m.id, m.kind, m.scope, m.value, m.shared, m.shared_by, m.profile_id, now() as as_of from santral.handle h
join santral.handle m on m.workspace_id = h.workspace_id and m.profile_id = h.profile_id
where h.workspace_id = $1 and h.id = $2 order by m.first_seen_at, m.id
"""
_KEPT_APART: Final = """
select id from santral.cannot_link where workspace_id = $1 and retracted_at is null
  and ((a = any($2::uuid[]) and b = any($3::uuid[])) or (a = any($3::uuid[]) and b = any($2::uuid[]))) order by id
"""
_LINK: Final = "select a, b, retracted_at from santral.link where workspace_id = $1 and id = $2"
_OF: Final = "select id, profile_id from santral.handle where workspace_id = $1 and id = any($2::uuid[])"
_VERSION: Final = "select version from santral.profile where workspace_id = $1 and id = $2"
RULES: Final = {
    "cannot_link": "somebody said that these are two people",
    "immutable_unique": "each has a customer id of their own",
    "limit": "together they have more handles of one kind than a person may",
    "awaits_erasure": "one of them is to be erased",
    "shared": "the handle belongs to no single person",
    "retracted": "this evidence was taken back",
    "blocked": "the handle stands for nobody",
    "expired": "the evidence is too old",
    "not_verified": "nobody vouched for it",
}
_REMEDIES: Final = {
    "cannot_link": "overrule it, or leave them apart",
    "immutable_unique": "correct the customer id in the system it comes from",
    "limit": "take a handle away first, or raise profile.limits",
    "awaits_erasure": "wait for the erasure",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """``link_id`` is what an un-merge takes back; None when they were one person already."""

    profile_id: ProfileId
    version: int
    changed: bool
    link_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmerged:
    """Whose the two handles are now. ``apart`` is False when other evidence still makes them one person: see ``explain``."""

    apart: bool
    handles: tuple[tuple[HandleId, ProfileId], ...]
    cannot_link_id: UUID | None = None


async def merge(
    connection: Connection,
    workspace_id: WorkspaceId,
    one_id: UUID,
    other_id: UUID,
    *,
    actor: str,
    reason: str = "",
    kind: Literal["agent", "identify", "import"] = "agent",
    overrule: bool = False,
) -> Merged:
    """Says that two people are one. ``overrule`` takes back what was said against it before.

    Any ids the two ever had will do; one person already: nothing changes. Raises `InputRejected` for a profile and itself,
    `NotFound` naming the field, `Conflict` naming the rule that forbids it.
    """
    if one_id == other_id:
        raise InputRejected("a profile cannot be merged with itself", field="with", remedy="name the other profile")
    await lock_identity(connection, [workspace_id])
    one = await _person(connection, workspace_id, one_id, field="id")
    other = await _person(connection, workspace_id, other_id, field="with")
    if one[0]["profile_id"] == other[0]["profile_id"]:
        profile_id = one[0]["profile_id"]
        return Merged(profile_id=profile_id, version=await _version(connection, workspace_id, profile_id), changed=False)
    ends = [_linkable(one, one_id, field="id"), _linkable(other, other_id, field="with")]
    if overrule:
        apart = await connection.fetch(_KEPT_APART, workspace_id, [row["id"] for row in one], [row["id"] for row in other])
        for row in apart:
            await retract_cannot_link(connection, workspace_id, row["id"], actor=actor)
    link_id = await add_link(
        connection, workspace_id, ends[0], ends[1], kind=kind, assurance="channel_verified", source=f"{actor}:{new_id()}",
        seen_at=one[0]["as_of"], actor=actor, evidence={"reason": reason} if reason else {},
    )  # fmt: skip
    whose = await _whose(connection, workspace_id, ends)
    if whose[ends[0]] != whose[ends[1]]:
        raise refusal(await explain(connection, workspace_id, ends[0], ends[1]), field="with")
    profile_id = whose[ends[0]]
    version = await _version(connection, workspace_id, profile_id)
    return Merged(profile_id=profile_id, version=version, changed=True, link_id=link_id)


async def unmerge_link(
    connection: Connection, workspace_id: WorkspaceId, any_id: UUID, link_id: UUID, *, actor: str, keep_apart: bool = False,
    reason: str = "",
) -> Unmerged:  # fmt: skip
    """Takes one link of this person back; ``keep_apart`` also remembers that its two handles are two people.

    Twice changes nothing. Raises `NotFound` for a link that is not this person's.
    """
    await lock_identity(connection, [workspace_id])
    row = await connection.fetchrow(_LINK, workspace_id, link_id)
    mine = {handle["id"] for handle in await _person(connection, workspace_id, any_id, field="id")}
    if row is None or not ({row["a"], row["b"]} & mine):
        raise NotFound("no such link of this profile", field="link", remedy="an id from GET /v1/profiles/{id}/links")
    await retract_link(connection, workspace_id, link_id, actor=actor)
    cannot_id = None
    if keep_apart:
        cannot_id = await add_cannot_link(connection, workspace_id, row["a"], row["b"], reason=reason, actor=actor)
    return await _unmerged(connection, workspace_id, (row["a"], row["b"]), cannot_id)


async def unmerge_handles(
    connection: Connection, workspace_id: WorkspaceId, any_id: UUID, handles: tuple[HandleId, HandleId], *, actor: str, reason: str = ""
) -> Unmerged:  # fmt: skip
    """Remembers that two handles are two people, whatever evidence there is or will be. Twice changes nothing.

    Raises `NotFound` when neither handle is this person's or one is not there, `InputRejected` for a handle and itself.
    """
    await lock_identity(connection, [workspace_id])
    mine = {handle["id"] for handle in await _person(connection, workspace_id, any_id, field="id")}
    whose = await _whose(connection, workspace_id, handles)
    if len(whose) < len(set(handles)) or not (set(handles) & mine):
        raise NotFound("no such handle of this profile", field="handles", remedy="two ids from GET /v1/profiles/{id}")
    cannot_id = await add_cannot_link(connection, workspace_id, handles[0], handles[1], reason=reason, actor=actor)
    return await _unmerged(connection, workspace_id, handles, cannot_id)


def refusal(why: Explanation, *, field: str) -> Conflict:
    """What the rules of identity say against one person out of these handles."""
    rules = [refused.rule for refused in why.refused]
    rule = "cannot_link" if why.kept_apart else next((known for known in RULES if known in rules), "blocked")
    return Conflict(
        f"these stay two people: {RULES[rule]}", field=field, remedy=_REMEDIES.get(rule, "see GET /v1/profiles/explain"), rule=rule
    )


async def _unmerged(
    connection: Connection, workspace_id: WorkspaceId, handles: tuple[HandleId, HandleId], cannot_id: UUID | None
) -> Unmerged:
    whose = await _whose(connection, workspace_id, handles)
    return Unmerged(
        apart=whose[handles[0]] != whose[handles[1]],
        handles=tuple((handle_id, whose[handle_id]) for handle_id in handles),
        cannot_link_id=cannot_id,
    )


async def _person(connection: Connection, workspace_id: WorkspaceId, any_id: UUID, *, field: str) -> list[Any]:
    rows = await connection.fetch(_PERSON, workspace_id, any_id)
    if not rows:
        raise NotFound(
            "no such profile", field=field, remedy="any id of a profile or a handle of this workspace, not an erased one"
        )
    return list(rows)


def _linkable(handles: Sequence[Any], asked: UUID, *, field: str) -> HandleId:
    """The handle that was named, where it may link; else the person's oldest that may."""
    for row in sorted(handles, key=lambda row: row["id"] != asked):
        if not row["shared"] and blocked_reason(row["kind"], row["value"], row["scope"]) is None:
            return HandleId(row["id"])
    if all(row["shared_by"] == ERASED_KIND for row in handles):
        raise Conflict("this person was erased", field=field, remedy="what they write later is a new profile's")
    raise Conflict("this profile has only handles that belong to no single person", field=field, remedy="merge another handle")


async def _whose(connection: Connection, workspace_id: WorkspaceId, handle_ids: Sequence[HandleId]) -> dict[HandleId, ProfileId]:
    rows = await connection.fetch(_OF, workspace_id, list(handle_ids))
    return {row["id"]: row["profile_id"] for row in rows}


async def _version(connection: Connection, workspace_id: WorkspaceId, profile_id: ProfileId) -> int:
    return int(await connection.fetchval(_VERSION, workspace_id, profile_id) or 1)
