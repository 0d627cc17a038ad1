"""Saying who is who: identify, merge, un-merge; attributes and notes that people of the workspace write.

What is said is evidence in the ledger, so everything here can be taken back. An error changes nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, TypeVar
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from profiles.attribute import unfit
from profiles.contact import checked_preference
from profiles.erasure_tombstones import erased_handles
from profiles.facts import observe
from profiles.identify import HANDLES_MAX, TRAITS_MAX, Identification, Identified, identify
from profiles.ledger import declare_shared
from profiles.merge import Merged, Unmerged, merge, unmerge_handles, unmerge_link
from profiles.notes import Note, write_note
from profiles.store import profile_view
from profiles.survivorship import Observation
from router.commands.whose_answer import return_answers_of
from services.api.audit import audit
from services.api.principal import Principal, ProfileWriter
from services.api.profiles import HandleIn, ProfileOut, normalized_all, require_standing, shown_profile
from services.api.visibility import needs_everything, require_all_of, require_person, sight_of
from services.api.written_words import masked_words
from services.privacy.awaited import awaited_of, joined_to, require_no_erasure
from shared.database import Connection, retried
from shared.errors import Conflict, Forbidden, NotFound, Unprocessable
from shared.given import Given, exactly_one
from shared.handle import assurance_rank
from shared.ids import HandleId, WorkspaceId
from shared.moments import Moment

router = APIRouter(prefix="/v1/profiles", tags=["profiles"])
Identifier = Annotated[Principal, Depends(needs_everything("profiles:identify", "whose handles these are shows who is a customer"))]
Attribute = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
_AHEAD: Final = timedelta(minutes=5)
_REGION: Final = "select settings->>'region' as region, clock_timestamp() as now from santral.workspace where id = $1"
_PERSONS_HANDLES: Final = """
select h.id from santral.handle h
where h.workspace_id = $1 and h.profile_id in (select o.profile_id from santral.handle o where o.workspace_id = $1 and o.id = any($2::uuid[]))
"""
_ID: Final = "0198c5f2-7b1e-7c3a-9d42-5f0e8a6b1c2d"
Result = TypeVar("Result")


class IdentifyIn(Given):
    """One customer as another system knows them. ``source`` names that system in provenance and in trusted orders of sources.

    ``assurance`` is at most what the key may vouch for: ``asserted`` with `profiles:identify` alone, ``channel_verified`` with
    `profiles:write`, ``authenticated`` with `profiles:authenticate`; left out, it is just that.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "handles": [{"kind": "external_id", "value": "C-1042"}, {"kind": "email", "value": "ayse@ornek.com"}],
                    "name": "Ayşe Yılmaz", "traits": {"city": "İzmir", "tier": "gold"}, "source": "crm",
                }
            ]
        },
    )  # fmt: skip

    handles: Annotated[list[HandleIn], Field(min_length=1, max_length=HANDLES_MAX)]
    name: Annotated[str, Field(max_length=200)] = ""
    traits: Annotated[dict[Attribute, Any], Field(max_length=TRAITS_MAX)] = Field(default_factory=dict)
    source: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")] = "api"
    assurance: Literal["asserted", "channel_verified", "authenticated"] | None = None
    observed_at: Moment | None = None


class AttachedOut(BaseModel):
    """A handle of the call. ``attached`` is False when it is not this person's, with the ``reason``: shared or not_verified."""

    id: UUID
    kind: str
    scope: str
    value: str
    profile_id: UUID
    attached: bool
    reason: str = ""


class IdentifyOut(BaseModel):
    """The person. ``changed`` is False when all of it was known."""

    profile_id: UUID
    version: int
    created: bool
    changed: bool
    handles: list[AttachedOut]


class MergeIn(Given):
    """Another profile that is the same person. ``overrule`` takes back that they were said to be two."""

    model_config = ConfigDict(
        populate_by_name=True,
        json_schema_extra={"examples": [{"with": _ID, "reason": "called from her new number"}]},
    )

    other: Annotated[UUID, Field(alias="with")]
    reason: Annotated[str, Field(max_length=500)] = ""
    overrule: bool = False


class UnmergeIn(Given):
    """Either one ``link`` to take back, or two ``handles`` that are two people, which is remembered.

    ``keep_apart`` with a link remembers it too.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"link": _ID, "reason": "two sisters with one telephone"}],
            **exactly_one("link", "handles"),
        }
    )

    link: UUID | None = None
    handles: Annotated[list[UUID], Field(min_length=2, max_length=2)] | None = None
    keep_apart: bool = False
    reason: Annotated[str, Field(max_length=500)] = ""


class SharedIn(Given):
    """A handle of the profile, and whether it belongs to no single person."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"handle": _ID, "shared": True}]})

    handle: UUID
    shared: bool = True


class AttributesIn(Given):
    """Values that somebody of the workspace enters; null takes back what they entered before."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"values": {"language": "tr", "quiet_hours": "22:00-08:00"}}]})

    values: Annotated[dict[Attribute, Any], Field(min_length=1, max_length=TRAITS_MAX)]


class NoteIn(Given):
    """A note about a person."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "Prefers to be called in the afternoon."}]})

    text: Annotated[str, Field(min_length=1, max_length=10_000)]


@router.post("/identify", summary="Say which handles are one customer, and what is known of them")
async def identify_profile(request: Request, principal: Identifier, body: IdentifyIn) -> IdentifyOut:
    """Idempotent: the same call twice changes nothing.

    422 names the handle or trait that cannot be; 409 the handle that the rules keep from this person; nothing is changed then.
    """
    for name, value in body.traits.items():
        _checked_value(name, value, field=f"traits.{name}")

    async def work(connection: Connection) -> Identified:
        row = await connection.fetchrow(_REGION, principal.workspace_id)
        assert row is not None, "a credential belongs to a workspace"
        observed_at = body.observed_at or row["now"]
        if observed_at.tzinfo is None or observed_at > row["now"] + _AHEAD:
            raise Unprocessable(
                "a time that is still to come, or without a zone", field="observed_at", remedy="like 2026-03-01T09:00:00Z"
            )
        given = Identification(
            workspace_id=principal.workspace_id, handles=tuple(normalized_all(body.handles, row["region"])),
            raws=tuple(handle.value for handle in body.handles), source=body.source, assurance=_assurance(principal, body.assurance),
            observed_at=observed_at, actor=principal.actor, name=body.name, traits=body.traits,
        )  # fmt: skip
        if body.observed_at is not None:
            await _require_not_erased(connection, request.app.state.secret, given)
        await _require_nobody_awaited(connection, given)
        own = await request.app.state.own_book.of(connection, principal.workspace_id)
        done = await identify(connection, given, own=own.handles)
        if done.changed:
            await audit(connection, principal, "profile.identified", "profile", str(done.profile_id), {"source": body.source})
        return done

    done = await _changed(request, principal, work)
    handles = [
        AttachedOut(
            id=one.id, kind=one.handle.kind, scope=one.handle.scope, value=one.handle.value, profile_id=one.profile_id,
            attached=one.profile_id == done.profile_id, reason=one.reason,
        )
        for one in done.handles
    ]  # fmt: skip
    return IdentifyOut(
        profile_id=done.profile_id, version=done.version, created=done.created, changed=done.changed, handles=handles
    )


@router.post("/{profile_id}/merge", summary="Say that two profiles are one person")
async def merge_profiles(request: Request, principal: ProfileWriter, profile_id: UUID, body: MergeIn) -> Merged:
    """Adds one link; nothing is moved, and un-merging that link gives everything back. One person already: nothing changes."""

    async def work(connection: Connection) -> Merged:
        await _require(connection, principal, profile_id, field="profile_id")
        await _require(connection, principal, body.other, field="with")
        await require_all_of(connection, principal, [profile_id, body.other], field="with")
        await require_no_erasure(connection, principal.workspace_id, [profile_id, body.other], field="with")
        done = await merge(
            connection, principal.workspace_id, profile_id, body.other, actor=principal.actor, reason=body.reason,
            overrule=body.overrule,
        )  # fmt: skip
        if done.changed:
            details = {"with": str(body.other), "link": str(done.link_id), "overrule": body.overrule}
            await audit(connection, principal, "profile.merged", "profile", str(done.profile_id), details)
        return done

    return await _changed(request, principal, work)


@router.post("/{profile_id}/unmerge", summary="Say that one profile is two people")
async def unmerge_profile(request: Request, principal: ProfileWriter, profile_id: UUID, body: UnmergeIn) -> Unmerged:
    """Conversations, messages, notes and attributes return to the person they came from. ``apart`` says whether it was enough."""
    if (body.link is None) == (body.handles is None):
        raise Unprocessable("either a link or two handles", field="link", remedy="an id from GET /v1/profiles/{id}/links")

    async def work(connection: Connection) -> Unmerged:
        await _require(connection, principal, profile_id, field="profile_id")
        for handle_id in body.handles or ():
            await _require(connection, principal, handle_id, field="handles")

        async def apart() -> Unmerged:
            if body.link is not None:
                return await unmerge_link(
                    connection, principal.workspace_id, profile_id, body.link, actor=principal.actor, keep_apart=body.keep_apart,
                    reason=body.reason,
                )  # fmt: skip
            assert body.handles is not None, "one of the two is given"
            one, other = body.handles
            return await unmerge_handles(
                connection, principal.workspace_id, profile_id, (HandleId(one), HandleId(other)), actor=principal.actor,
                reason=body.reason,
            )  # fmt: skip

        done = await _joining_nobody_unseen(connection, principal, profile_id, apart)
        if done.apart:
            await return_answers_of(connection, principal.workspace_id, {whose for _, whose in done.handles})
        details = {"link": str(body.link or ""), "cannot_link": str(done.cannot_link_id or ""), "apart": done.apart}
        await audit(connection, principal, "profile.unmerged", "profile", str(profile_id), details)
        return done

    return await _changed(request, principal, work)


@router.post("/{profile_id}/shared", summary="Say that a handle is nobody's, or take that back")
async def share_handle(request: Request, principal: ProfileWriter, profile_id: UUID, body: SharedIn) -> ProfileOut:
    """A reception's telephone or a family's mailbox joins nobody, whatever evidence there is. The handle's person as shown now."""

    async def work(connection: Connection) -> ProfileOut:
        await _require(connection, principal, profile_id, field="profile_id")
        view = await profile_view(connection, principal.workspace_id, profile_id)
        if body.handle not in [handle.id for handle in view.handles]:
            raise NotFound("no such handle of this profile", field="handle", remedy="an id from GET /v1/profiles/{id}")

        async def said() -> None:
            await declare_shared(
                connection, principal.workspace_id, HandleId(body.handle), shared=body.shared, actor=principal.actor
            )

        await _joining_nobody_unseen(connection, principal, profile_id, said)
        details = {"handle": str(body.handle), "shared": body.shared}
        await audit(connection, principal, "profile.shared", "profile", str(profile_id), details)
        return shown_profile(await profile_view(connection, principal.workspace_id, body.handle))

    return await _changed(request, principal, work)


@router.post("/{profile_id}/attributes", summary="Enter values by hand")
async def enter_attributes(request: Request, principal: ProfileWriter, profile_id: UUID, body: AttributesIn) -> ProfileOut:
    """Kept with who entered them; the workspace's strategies choose among several sources. The person as shown now."""
    for name, value in body.values.items():
        _checked_value(name, value, field=f"values.{name}")

    async def work(connection: Connection) -> ProfileOut:
        await _require(connection, principal, profile_id, field="profile_id")
        now = await connection.fetchval("select clock_timestamp()")
        seen = [
            Observation(name=name, value=value, source=principal.actor, assurance="channel_verified", observed_at=now)
            for name, value in body.values.items()
        ]
        await observe(connection, principal.workspace_id, HandleId(profile_id), seen, cause={"actor": principal.actor})
        await audit(connection, principal, "profile.attributes", "profile", str(profile_id), {"names": sorted(body.values)})
        return shown_profile(await profile_view(connection, principal.workspace_id, profile_id))

    return await _changed(request, principal, work)


@router.post("/{profile_id}/notes", status_code=201, summary="Write a note about a person")
async def add_profile_note(request: Request, principal: ProfileWriter, profile_id: UUID, body: NoteIn) -> Note:
    """It stands in the timeline; search finds the person by it."""
    text = await masked_words(request, principal, body.text)

    async def work(connection: Connection) -> Note:
        await _require(connection, principal, profile_id, field="profile_id")
        note = await write_note(connection, principal.workspace_id, profile_id, text, actor=principal.actor)
        await audit(connection, principal, "profile.noted", "profile", str(profile_id), {"note": str(note.id)})
        return note

    return await _changed(request, principal, work)


async def _require_not_erased(connection: Connection, secret: bytes, given: Identification) -> None:
    """Raises `Unprocessable` for what was observed before its person was erased: it is not to be known any more."""
    workspace_id = WorkspaceId(given.workspace_id)
    erased = await erased_handles(connection, secret, workspace_id, given.handles, given.observed_at)
    for place, handle in enumerate(given.handles):
        if handle in erased:
            raise Unprocessable(
                "this person was erased after that was observed",
                field=f"handles.{place}.value",
                remedy="send what was observed since",
            )


async def _require_nobody_awaited(connection: Connection, given: Identification) -> None:
    """Raises `Conflict` where the call would join somebody to who is to be erased; a claim joins nobody."""
    if given.assurance == "asserted":
        return
    awaited = await awaited_of(connection, given.workspace_id, given.handles)
    one = joined_to(given.handles, awaited)
    if one is not None:
        raise Conflict(
            "this person is to be erased", field=f"handles.{given.handles.index(one)}.value",
            remedy=f"wait for the erasure {awaited[one]}", erasure_id=str(awaited[one]),
        )  # fmt: skip


async def _changed(request: Request, principal: Principal, work: Callable[[Connection], Awaitable[Result]]) -> Result:
    """One transaction, again when the database asks for it; then the relay is woken."""
    state = request.app.state

    async def once() -> Result:
        async with state.db.batch(principal.workspace_id) as connection:
            return await work(connection)

    done = await retried(once)
    state.hints.wake("outbox")
    return done


async def _joining_nobody_unseen(
    connection: Connection, principal: Principal, profile_id: UUID, work: Callable[[], Awaitable[Result]]
) -> Result:
    """Does it, unless it would join people of whom the caller does not see all: what is taken back lets other evidence count.

    Raises `Forbidden`; nothing is changed then. Who sees the whole workspace is asked nothing.
    """
    if sight_of(principal).seer is None:
        return await work()
    before = await connection.fetch(_PERSONS_HANDLES, principal.workspace_id, [profile_id])
    handles = [row["id"] for row in before]
    await connection.execute("savepoint joining")
    done = await work()
    after = await connection.fetch(_PERSONS_HANDLES, principal.workspace_id, handles)
    joined = {row["id"] for row in after} - set(handles)
    if joined:
        await connection.execute("rollback to savepoint joining")
        await require_all_of(connection, principal, [profile_id, *joined], field="profile_id")
        done = await work()
    return done


async def _require(connection: Connection, principal: Principal, profile_id: UUID, *, field: str) -> None:
    """Raises `NotFound`, `Conflict` for somebody erased, `Forbidden` when the person is outside the caller's visibility."""
    try:
        view = await profile_view(connection, WorkspaceId(principal.workspace_id), profile_id)
    except NotFound as error:
        raise NotFound(error.message, field=field, remedy=error.remedy) from error
    await require_person(connection, principal, [handle.id for handle in view.handles], field=field)
    require_standing(view, field=field)


def _assurance(principal: Principal, asked: str | None) -> str:
    """What the caller vouches for. Raises `Forbidden` for more than its scopes allow."""
    may = "asserted"
    for scope, assurance in (("profiles:write", "channel_verified"), ("profiles:authenticate", "authenticated")):
        if principal.kind == "key" and ({scope, "admin"} & principal.scopes):
            may = assurance
    if asked is not None and assurance_rank(asked) > assurance_rank(may):
        raise Forbidden(f"this key vouches for no more than {may}", field="assurance", remedy="leave it out, or use another key")
    return asked or may


def _checked_value(name: str, value: Any, *, field: str) -> None:
    checked_preference(name, value, field=field)
    if (why := unfit(value)) is not None:
        raise Unprocessable(why[0], field=field, remedy=why[1])
