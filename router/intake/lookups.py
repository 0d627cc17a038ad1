"""What a batch has to look up to find its conversations. Pure: keys and how far back they reach, nothing is read here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from router.intake.arrivals import Arrival, Workspaces
from router.intake.batch_view import Key, Owner
from router.intake.threads import has_moved, is_doubted, key_by_handle, thread_key
from shared.message import InboundMessage


class Resolution(Protocol):
    """Who wrote, as `profiles.resolve` says it."""

    @property
    def handle_id(self) -> UUID: ...
    @property
    def profile_id(self) -> UUID: ...
    @property
    def identity_handle_id(self) -> UUID: ...
    @property
    def other_handle_ids(self) -> Sequence[UUID]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUps:
    """JSON rows for `store.find_conversations`: references, (handle, thread) pairs, profiles; each once.

    ``since`` of a pair: from when on finished ones count too, null for none of them.
    """

    refs: Sequence[Mapping[str, Any]]
    handles: Sequence[Mapping[str, Any]]
    profiles: Sequence[Mapping[str, Any]]


def look_ups(
    fresh: Sequence[Arrival],
    senders: Mapping[Key, Key],
    owners: Mapping[Key, Owner],
    resolved: Mapping[Key, Resolution],
    workspaces: Workspaces,
) -> LookUps:
    """What to look for. ``senders`` are messages' handles, ``owners`` whose they are as they were locked."""
    refs: dict[tuple[UUID, str], dict[str, Any]] = {}
    handles: dict[tuple[UUID, UUID, str], dict[str, Any]] = {}
    people: dict[Key, dict[str, Any]] = {}
    for arrival in fresh:
        message, workspace = arrival.message, workspaces.workspace(arrival.workspace_id)
        if message is None or workspace is None:
            continue
        at, owner = (arrival.workspace_id, arrival.id), arrival.workspace_id
        for ref in message.refs:
            if "\x00" not in ref:
                refs[arrival.workspace_id, ref] = {"w": owner, "ref": ref, "c": _token(ref)}
        sender = senders.get(at)
        if sender is None:
            continue
        profile, doubted = owners[sender].profile_id, is_doubted(message, known_as=owners[sender].known_as)
        key = key_by_handle(thread_key(message), doubted=doubted)
        who = resolved.get(at)
        if who is not None and who.identity_handle_id != who.handle_id:
            profile = who.profile_id
        since = None if doubted else _since(arrival, workspace.reopen_within_s)
        for handle_id in (sender[1], *former_ids(message, who)):
            handles.setdefault((owner, handle_id, key), {"w": owner, "h": handle_id, "k": key, "p": profile, "since": since})
        people.setdefault(
            (arrival.workspace_id, profile), {"w": owner, "p": profile, "since": _since(arrival, workspace.continue_within_s)}
        )
    return LookUps(refs=list(refs.values()), handles=list(handles.values()), profiles=list(people.values()))


def former_ids(message: InboundMessage, who: Resolution | None) -> tuple[UUID, ...]:
    """The further handles of a notice that somebody moved, those of before among them: their conversations are this person's."""
    return tuple(who.other_handle_ids) if who is not None and has_moved(message) else ()


def readable_sender(arrival: Arrival) -> tuple[UUID, str, str, str] | None:
    """(workspace, kind, scope, value) of a refused message's sender, where the database can be asked about it."""
    message = arrival.message
    if message is None or message.sender is None or message.workspace_id != arrival.workspace_id:
        return None
    sender = message.sender
    text = sender.kind + sender.scope + sender.value
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        return None
    return (arrival.workspace_id, sender.kind, sender.scope, sender.value)


def _since(arrival: Arrival, seconds: int) -> datetime:
    return arrival.accepted_at - timedelta(seconds=seconds)


def _token(ref: str) -> str | None:
    """The conversation a signed reference names; the edge checked the signature."""
    if not ref.startswith("conversation:"):
        return None
    try:
        return str(UUID(ref.removeprefix("conversation:")))
    except ValueError:
        return None
