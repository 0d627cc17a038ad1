"""`identify`: another system says which handles are one customer, and what it knows of them.

All or nothing: a value that names nobody, two customer ids in one call, or handles that the rules of identity keep apart are errors
that name the field, and the caller's transaction is rolled back. What is known already is not written again, so the same call twice
changes nothing. How much a caller is believed is the caller's assurance: what is only asserted joins nobody and tells nothing about
people somebody else vouched for.

**Identity**: handle, attribute and source. **Units**: times aware UTC.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from profiles.blocked import blocked_reason
from profiles.evidence import Evidence, evidence_of, weighed
from profiles.explain import explain
from profiles.facts import write_facts
from profiles.handles import KnownHandle, begin_handles, known_handles, lock_handles, touch_handles
from profiles.identity_lock import lock_identity
from profiles.ledger import record_links
from profiles.merge import refusal
from profiles.partition import DEFAULT_RULES
from profiles.recompute import reach, rebuild, rebuild_unseen
from profiles.sighting import Key, WantedHandle, WantedLink
from profiles.survivorship import Observation
from shared import outbox
from shared.database import Connection
from shared.errors import Unprocessable
from shared.handle import Handle, assurance_rank
from shared.ids import HandleId, ProfileId, WorkspaceId

HANDLES_MAX: Final = 20
TRAITS_MAX: Final = 100
_FACTS: Final = """
select name, value, assurance, observed_at from santral.fact where workspace_id = $1 and handle_id = $2 and source = $3
"""
_ALONE: Final = "select count(*) = 1 from santral.handle where workspace_id = $1 and profile_id = $2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identification:
    """What is said: ``handles`` normalized, in the order given, with ``raws`` beside them; ``source`` like ``crm``."""

    workspace_id: WorkspaceId
    handles: tuple[Handle, ...]
    raws: tuple[str, ...]
    source: str
    assurance: str
    observed_at: datetime
    actor: str
    name: str = ""
    traits: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A handle of the call and whose it is now; ``reason`` says why it is not this person's."""

    id: HandleId
    handle: Handle
    profile_id: ProfileId
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """The person, and whether the call changed anything."""

    profile_id: ProfileId
    version: int
    created: bool
    changed: bool
    handles: tuple[Attached, ...]


async def identify(connection: Connection, given: Identification, *, own: Collection[Handle] = ()) -> Identified:
    """Who this is now. ``own`` are the workspace's addresses and numbers.

    Raises `Unprocessable` for what can never be, `Conflict` for what the rules refuse; nothing stays once the caller rolls back.
    """
    checked(given, own)
    wanted = _wanted(given)
    known = await known_handles(connection, wanted)
    hub = hub_of(given.handles)
    if all(handle.key in known for handle in wanted):
        news = await _news(connection, given, known, hub)
        if not news.links and not news.traits and not _touched(given, wanted, known):
            return _identified(given, known, known, hub)
    if not known and given.assurance != "asserted":
        begun = await _begin(connection, given, wanted, hub)
        if begun is not None:
            return _identified(given, known, begun, hub)
    else:
        await _write(connection, given, wanted, known, hub)
    return _identified(given, known, await _together(connection, given, wanted, hub), hub)


def hub_of(handles: Sequence[Handle]) -> Handle:
    """The handle the others hang on: the customer id, else the first."""
    return next((handle for handle in handles if handle.kind in DEFAULT_RULES.immutable_unique), handles[0])


def checked(given: Identification, own: Collection[Handle]) -> None:
    """Raises `Unprocessable` naming the handle that can never be one of a person's. Who called without a number may stand alone."""
    unique: dict[tuple[str, str], str] = {}
    for place, handle in enumerate(given.handles):
        at = f"handles.{place}.value"
        why = blocked_reason(handle.kind, handle.value, handle.scope) or ("own" if handle in own else None)
        if why is not None and not (handle.kind == "visitor" and len(given.handles) == 1):
            raise Unprocessable(
                f"this {handle.kind} stands for nobody ({why.replace('_', ' ')})", field=at, remedy="leave the handle out"
            )
        if (
            handle.kind in DEFAULT_RULES.immutable_unique
            and unique.setdefault((handle.kind, handle.scope), handle.value) != handle.value
        ):
            raise Unprocessable(f"two values of {handle.kind} in one call", field=at, remedy="one call for each customer")


@dataclass(frozen=True, slots=True, kw_only=True)
class _News:
    links: tuple[Evidence, ...]
    traits: tuple[Observation, ...]


async def _begin(
    connection: Connection, given: Identification, wanted: Sequence[WantedHandle], hub: Handle
) -> dict[Key, KnownHandle] | None:
    """Somebody whom nobody knew: all rows are ours alone. None when it turned out otherwise, or when a rule keeps them apart."""
    workspace_id = given.workspace_id
    fresh = await begin_handles(connection, wanted)
    known = await known_handles(connection, wanted)
    if {row.id for row in known.values()} != fresh:
        await _write(connection, given, wanted, known, hub)
        return None
    evidence = evidence_of(_links(given, hub), known)
    link_ids = await record_links(connection, evidence, actor=given.actor)
    middle = known[workspace_id, hub].id
    traits = [_observation(given, name, value) for name, value in given.traits.items()]
    attributes = await write_facts(connection, workspace_id, middle, traits)
    found, events = await rebuild_unseen(
        connection,
        workspace_id,
        [
            {
                "id": known[one.key].id, "kind": one.key[1].kind, "scope": one.key[1].scope, "value": one.key[1].value,
                "name": one.name, "first_seen_at": one.first_seen_at, "shared": one.kept_apart != "", "shared_by": one.kept_apart,
                "profile_id": known[one.key].id,
            }
            for one in wanted
        ],
        [
            {
                "id": link_id, "a": link.a, "b": link.b, "kind": link.kind, "assurance": link.assurance,
                "first_seen_at": link.seen_at, "expires_at": None,
            }
            for link_id, link in zip(link_ids, evidence, strict=True)
        ],
        [
            {
                "handle_id": middle, "name": seen.name, "value": seen.value, "source": seen.source, "assurance": seen.assurance,
                "observed_at": seen.observed_at,
            }
            for seen in traits
        ],
        cause=_cause(given, attributes),
    )  # fmt: skip
    await outbox.record(connection, events)
    if len(found.components) > 1:
        return None
    return {key: replace(row, profile_id=ProfileId(found.head_of[row.id]), profile_version=1) for key, row in known.items()}


async def _write(
    connection: Connection, given: Identification, wanted: Sequence[WantedHandle], seen: Mapping[Key, KnownHandle], hub: Handle
) -> None:
    workspace_id = given.workspace_id
    missing = [handle for handle in wanted if handle.key not in seen]
    fresh = await begin_handles(connection, missing) if missing else set()
    await lock_identity(connection, [workspace_id])
    known = await known_handles(connection, wanted)
    news = await _news(connection, given, known, hub)
    if given.assurance == "asserted" and news.traits and known[workspace_id, hub].id not in fresh:
        await _require_unvouched(connection, workspace_id, known[workspace_id, hub])
    await record_links(connection, news.links, actor=given.actor)
    touched = _touched(given, wanted, known, fresh)
    joining = {known[workspace_id, hub].id} if given.assurance == "asserted" else {row.id for row in known.values()}
    seeds = {(workspace_id, handle_id) for handle_id in joining}
    places = await reach(connection, seeds) if fresh != joining else seeds
    await lock_handles(connection, places | {(workspace_id, known[handle.key].id) for handle in touched})
    await touch_handles(connection, touched, known)
    attributes = await write_facts(connection, workspace_id, known[workspace_id, hub].id, news.traits)
    await outbox.record(connection, await rebuild(connection, places, cause=_cause(given, attributes)))


async def _together(
    connection: Connection, given: Identification, wanted: Sequence[WantedHandle], hub: Handle
) -> dict[Key, KnownHandle]:
    """The handles as they are now. Raises `Conflict` when the rules keep one of them from the person."""
    known = await known_handles(connection, wanted)
    middle = known[given.workspace_id, hub]
    if given.assurance == "asserted" or middle.shared:
        return known
    for place, handle in enumerate(given.handles):
        row = known[given.workspace_id, handle]
        if row.profile_id != middle.profile_id and not row.shared:
            why = await explain(connection, given.workspace_id, middle.id, row.id)
            raise refusal(why, field=f"handles.{place}.value")
    return known


async def _news(connection: Connection, given: Identification, known: Mapping[Key, KnownHandle], hub: Handle) -> _News:
    links = _links(given, hub)
    found = await weighed(connection, evidence_of(links, known))
    row = known[given.workspace_id, hub]
    stored = {
        fact["name"]: fact for fact in await connection.fetch(_FACTS, given.workspace_id, row.id, f"identify:{given.source}")
    } if given.traits else {}  # fmt: skip
    traits = []
    for name, value in given.traits.items():
        before = stored.get(name)
        # The same value said again is no news, whenever it is said; an older one does not replace what came after it.
        if before is not None and (
            before["observed_at"] > given.observed_at
            or (before["value"] == value and assurance_rank(before["assurance"]) >= assurance_rank(given.assurance))
        ):
            continue
        traits.append(_observation(given, name, value))
    return _News(links=found.new, traits=tuple(traits))


def _observation(given: Identification, name: str, value: Any) -> Observation:
    return Observation(
        name=name, value=value, source=f"identify:{given.source}", assurance=given.assurance, observed_at=given.observed_at
    )


def _cause(given: Identification, attributes: Sequence[str]) -> dict[str, Any]:
    facts = {"facts": list(attributes)} if attributes else {}
    return {"actor": given.actor, "source": f"identify:{given.source}", **facts}


async def _require_unvouched(connection: Connection, workspace_id: WorkspaceId, hub: KnownHandle) -> None:
    alone = await connection.fetchval(_ALONE, workspace_id, hub.profile_id)
    if hub.assurance != "asserted" or not alone:
        raise Unprocessable(
            "this person is vouched for already; a claim changes nothing about them", field="traits",
            remedy="use a key with profiles:write, or leave the traits out",
        )  # fmt: skip


def _wanted(given: Identification) -> list[WantedHandle]:
    found: dict[Handle, WantedHandle] = {}
    hub = hub_of(given.handles)
    for handle, raw in zip(given.handles, given.raws, strict=True):
        found[handle] = WantedHandle(
            key=(given.workspace_id, handle), raw=raw, name=given.name if handle == hub else "", assurance=given.assurance,
            first_seen_at=given.observed_at, last_seen_at=given.observed_at, present=handle == hub or given.assurance != "asserted",
            kept_apart=blocked_reason(handle.kind, handle.value, handle.scope) or "",
        )  # fmt: skip
    return [found[handle] for handle in sorted(found)]


def _touched(
    given: Identification, wanted: Sequence[WantedHandle], known: Mapping[Key, KnownHandle], fresh: Collection[HandleId] = ()
) -> list[WantedHandle]:
    # A claim about a handle that is there says nothing about it: not since when it is known, not by which name.
    if given.assurance == "asserted":
        return []
    return [
        handle
        for handle in wanted
        if (row := known[handle.key]).id not in fresh
        and (row.needs(handle) or row.profile_version is None or _renamed(row, handle))
    ]


def _renamed(row: KnownHandle, handle: WantedHandle) -> bool:
    return handle.name not in ("", row.name) and assurance_rank(handle.assurance) >= assurance_rank(row.assurance)


def _links(given: Identification, hub: Handle) -> list[WantedLink]:
    links = []
    for handle in dict.fromkeys(given.handles):
        if handle == hub:
            continue
        one, other = sorted((hub, handle))
        links.append(
            WantedLink(
                one=(given.workspace_id, one), other=(given.workspace_id, other), kind="identify", assurance=given.assurance,
                # With the assurance in it, being vouched for later is a piece of evidence of its own.
                source=f"identify:{given.source}:{given.assurance}", seen_at=given.observed_at,
            )
        )  # fmt: skip
    return links


def _identified(
    given: Identification, before: Mapping[Key, KnownHandle], known: Mapping[Key, KnownHandle], hub: Handle
) -> Identified:
    middle = known[given.workspace_id, hub]
    handles = []
    for handle in dict.fromkeys(given.handles):
        row = known[given.workspace_id, handle]
        attached = row.profile_id == middle.profile_id
        reason = "" if attached else "shared" if row.shared or middle.shared else "not_verified"
        handles.append(Attached(id=row.id, handle=handle, profile_id=row.profile_id, reason=reason))
    was = {row.profile_version for row in before.values() if row.profile_id == middle.profile_id} - {None}
    return Identified(
        profile_id=middle.profile_id, version=middle.profile_version or 1, created=not was,
        changed=middle.profile_version not in was, handles=tuple(handles),
    )  # fmt: skip
