"""What a batch of messages says about who wrote: the handles to find and the links to record. Pure.

Within a message every further handle is linked to the one that says most: the customer id a signed session carries, else the
sender. So a shared browser does not stand between a customer's id and address. A link is only as good as its weaker end.

**Identity** of a link: source (the message), pair and kind; it is recorded once however often the message comes.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from profiles.blocked import blocked_reason
from profiles.partition import DEFAULT_RULES, RENEWED
from shared.handle import Handle, assurance_rank
from shared.handle_forms import NORMALIZATION
from shared.ids import HandleId, MessageId, ProfileId, WorkspaceId

Key: TypeAlias = tuple[WorkspaceId, Handle]
BUSINESS_ID: Final = "bsuid"
"""The kind of an id by which one business alone knows a customer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenHandle:
    """A handle as one message shows it; ``assurance`` says how far the channel vouches for it in this message."""

    handle: Handle
    raw: str = ""
    name: str = ""
    assurance: str = "asserted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One message's view of who wrote it. ``senders[0]`` is the sender, the rest are further handles of the same person.

    ``said_at``: when they wrote it, where that is known; ``seen_at``: when it came. ``account``: the business's account with the provider
    that it came to, where ids are a business's own.
    """

    workspace_id: WorkspaceId
    message_id: MessageId
    senders: tuple[SeenHandle, ...]
    seen_at: datetime
    said_at: datetime | None = None
    account: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """Whose message it is. ``handle_id`` is the sender's handle, kept by message and conversation.

    ``identity_handle_id`` is the handle whose profile counts: the sender's, or on a shared device the signed-in customer's;
    ``profile_id`` and ``profile_version`` are that handle's.
    """

    handle_id: HandleId
    profile_id: ProfileId
    profile_version: int
    other_handle_ids: tuple[HandleId, ...]
    identity_handle_id: HandleId


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedHandle:
    """A handle of the batch: best assurance, first and last time, the latest name. ``present``: somebody really wrote with it."""

    key: Key
    raw: str
    name: str
    assurance: str
    first_seen_at: datetime
    last_seen_at: datetime
    present: bool
    kept_apart: str  # why it may never link: placeholder, own address …; empty when it may
    account: str = ""  # of an id that is a business's own: where it was seen last

    @property
    def sort_key(self) -> tuple[int, str, str, str]:
        """The order in which rows of handles are inserted everywhere."""
        workspace_id, handle = self.key
        return (workspace_id.int, handle.kind, handle.scope, handle.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedLink:
    """Evidence of one message; ``one`` and ``other`` sort by handle, their ids are not known yet."""

    one: Key
    other: Key
    kind: str
    assurance: str
    source: str
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Everything a batch asks of the tables, each once, in the order of its natural key."""

    handles: tuple[WantedHandle, ...]
    links: tuple[WantedLink, ...]


def identity_of(senders: Sequence[SeenHandle]) -> SeenHandle:
    """The handle that says most about who it is: a signed-in customer id, else the sender."""
    for seen in senders:
        if (
            seen.handle.kind in DEFAULT_RULES.immutable_unique
            and seen.assurance == "authenticated"
            and blocked_reason(seen.handle.kind, seen.handle.value, seen.handle.scope) is None
        ):
            return seen
    return senders[0]


def wanted_of(sightings: Iterable[Sighting], own: Container[Key] = frozenset()) -> Wanted:
    """The plan of a batch; ``own`` are the workspaces' own addresses and numbers, which link nobody."""
    handles: dict[Key, WantedHandle] = {}
    links: dict[tuple[Key, Key, str, str], WantedLink] = {}
    for sighting in sightings:
        for place, seen in enumerate(sighting.senders):
            key = (sighting.workspace_id, seen.handle)
            handles[key] = _widened(handles.get(key), key, seen, sighting, own, present=place == 0)
        for link in _links(sighting):
            if handles[link.one].kept_apart or handles[link.other].kept_apart:
                continue
            place_of = (link.one, link.other, link.kind, link.assurance)
            earlier = links.get(place_of)
            if earlier is None or (link.seen_at, link.source) < (earlier.seen_at, earlier.source):
                links[place_of] = link
    return Wanted(
        handles=tuple(sorted(handles.values(), key=lambda wanted: wanted.sort_key)),
        links=tuple(links.values()),
    )


def renewal_link(now: Key, before: Key, since: datetime) -> WantedLink:
    """That a handle is the one which an earlier release called otherwise. Vouched for: it is the same raw value."""
    return WantedLink(
        one=now, other=before, kind=RENEWED, assurance="authenticated", source=f"normalization:{NORMALIZATION}", seen_at=since
    )


def _widened(
    known: WantedHandle | None, key: Key, seen: SeenHandle, sighting: Sighting, own: Container[Key], *, present: bool
) -> WantedHandle:
    present = present or seen.assurance != "asserted"
    if known is None:
        why = blocked_reason(seen.handle.kind, seen.handle.value, seen.handle.scope) or ("own" if key in own else "")
        return WantedHandle(
            key=key, raw=seen.raw, name=seen.name, assurance=seen.assurance, first_seen_at=sighting.seen_at,
            last_seen_at=sighting.seen_at, present=present, kept_apart=why, account=_account(seen, sighting),
        )  # fmt: skip
    # A name is only as good as the assurance it came with: an unverified sender renames nobody.
    had, has = assurance_rank(known.assurance), assurance_rank(seen.assurance)
    name = known.name
    if has > had or (has == had and seen.name and (not name or sighting.seen_at >= known.last_seen_at)):
        name = seen.name
    return WantedHandle(
        key=key, raw=known.raw, name=name, assurance=max(known.assurance, seen.assurance, key=assurance_rank),
        first_seen_at=min(known.first_seen_at, sighting.seen_at), last_seen_at=max(known.last_seen_at, sighting.seen_at),
        present=known.present or present, kept_apart=known.kept_apart, account=_account(seen, sighting) or known.account,
    )  # fmt: skip


def _account(seen: SeenHandle, sighting: Sighting) -> str:
    return sighting.account if seen.handle.kind == BUSINESS_ID and seen.assurance != "asserted" else ""


def _links(sighting: Sighting) -> Iterable[WantedLink]:
    hub = identity_of(sighting.senders)
    for seen in sighting.senders:
        if seen.handle == hub.handle:
            continue
        one, other = sorted((hub.handle, seen.handle))
        weaker = min(hub.assurance, seen.assurance, key=assurance_rank)
        yield WantedLink(
            one=(sighting.workspace_id, one),
            other=(sighting.workspace_id, other),
            kind="authenticated_session" if weaker == "authenticated" else "same_message",
            assurance=weaker,
            source=f"message:{sighting.message_id}",
            seen_at=sighting.seen_at,
        )
