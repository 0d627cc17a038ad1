"""Quarantine over REST: list, show with the bytes, take in again, discard.

What a router refused is replayed by the router from its record. What an adapter could not understand (``unparsed``) is parsed again
here, from the bytes as they came, with the inbox as it is now; understood, it goes in by the front door and the entry is resolved.
When it came and who was believed then stay (`ingest/provenance.py`): it vouches for nobody more, and brings back nobody erased since.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from ingest.adapter import Draft, Inbox, Target, draft_message
from ingest.masks import Masks
from ingest.parse import TOO_LONG, Parser
from ingest.provenance import brought_again, vouched_then
from router.intake.forgotten import are_forgotten
from router.intake.quarantine import Entry, ask_replay, discard, end_entry, list_entries, show_entry
from services.api.audit import audit
from services.api.lists import Cursor, Limit, Page, cursor_of, id_of
from services.api.own_book import OwnBook
from services.api.principal import Principal
from services.api.shown import Shown
from services.api.visibility import needs_everything
from services.privacy.held import lock_holds, require_entries_free
from shared.cloudevent import decode_message
from shared.database import Connection
from shared.errors import Conflict, InputRejected, SantralError, Unprocessable
from shared.given import Given
from shared.message import InboundMessage
from shared.sealing import Sealer

router = APIRouter(prefix="/v1/quarantine", tags=["quarantine"])
_OF_ALL: Final = "what could not be understood may be anybody's"
Reader = Annotated[Principal, Depends(needs_everything("quarantine:read", _OF_ALL))]
Writer = Annotated[Principal, Depends(needs_everything("quarantine:write", _OF_ALL))]


class EntryOut(Shown):
    """What could not be understood, without its bytes. ``source``: topic, partition and offset."""

    id: UUID
    message_id: UUID
    inbox_id: UUID | None
    reason: str
    error: str
    error_hash: Annotated[str, Field(description="The same for entries that failed alike")]
    headers: dict[str, str]
    source: dict[str, str | int]
    attempts: int
    state: Literal["open", "replaying", "replayed", "discarded"]
    accepted_at: datetime
    quarantined_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None
    record_bytes: int


class WholeEntry(EntryOut):
    """An entry with its bytes in base64: ``record`` as it stands in the log, ``original`` as the provider sent it, where it was kept."""

    record: str
    original: str | None


class ReplayedOut(Shown):
    """What became of an entry, or would."""

    id: UUID
    state: Literal["replayed", "replaying", "would be taken in", "would be asked of the router"]


class Replay(Given):
    """``dry_run`` only says whether it would be understood now."""

    dry_run: bool = False


@router.get("", summary="Open entries, newest first")
async def entries(
    request: Request, principal: Reader, limit: Limit = 50, cursor: Cursor = None, state: str = "open"
) -> Page[EntryOut]:
    """Without their bytes."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        found = await list_entries(connection, principal.workspace_id, state=state, before=id_of(cursor), limit=limit + 1)
    items = [EntryOut.model_validate(entry, from_attributes=True) for entry in found[:limit]]
    return Page(items=items, next=cursor_of(found[limit - 1].id) if len(found) > limit else None)


@router.get("/{entry_id}", summary="One entry with its bytes and reason")
async def entry(request: Request, principal: Reader, entry_id: UUID) -> WholeEntry:
    """``record`` and ``original`` are base64; reading them is audited."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        found = await show_entry(connection, principal.workspace_id, entry_id)
        await audit(connection, principal, "quarantine.read", "quarantine", str(entry_id))
    message = _message(found)
    return WholeEntry(
        **EntryOut.model_validate(found, from_attributes=True).model_dump(),
        record=base64.b64encode(found.record).decode(),
        original=message.original if message is not None else None,
    )


@router.post("/{entry_id}/replay", summary="Take an entry in again")
async def replay(request: Request, principal: Writer, entry_id: UUID, body: Replay | None = None) -> ReplayedOut:
    """409 when it is resolved already, 422 when it still cannot be understood."""
    state, dry_run = request.app.state, (body or Replay()).dry_run
    async with state.db.batch(principal.workspace_id) as connection:
        found = await show_entry(connection, principal.workspace_id, entry_id)
        message = _message(found)
        target = (
            await _target(connection, message, state.sealer, state.own_book)
            if message is not None and message.kind == "unparsed"
            else None
        )
    if target is not None and message is not None:
        if found.state not in ("open", "replaying"):  # before anything of it is taken in
            raise Conflict(f"the entry is {found.state}", field="state")
        # One process parses them: one of a workspace at a time, and its bytes are read when it is their turn.
        async with state.page_turns.of(principal):
            parsed = await _parsed_again(state.parser, target, message, await _original(request, message))
        async with state.db.batch(principal.workspace_id) as connection:
            parsed = await _of_nobody_erased(connection, state.secret, message, parsed)
        if dry_run:
            return ReplayedOut(id=entry_id, state="would be taken in")
        prepared = await state.receiver.prepare(target, parsed, at=message.accepted_at)
        async with state.db.batch(principal.workspace_id) as connection:
            await end_entry(connection, principal.workspace_id, entry_id, state="replayed", actor=principal.actor)
            await audit(connection, principal, "quarantine.replayed", "quarantine", str(entry_id))
            # The entry is held while it goes in: whoever discards it meanwhile, or erases its sender, is before it or finds it resolved.
            await state.receiver.publish(prepared)
        return ReplayedOut(id=entry_id, state="replayed")
    if dry_run:
        return ReplayedOut(id=entry_id, state="would be asked of the router")
    async with state.db.batch(principal.workspace_id) as connection:
        await ask_replay(connection, principal.workspace_id, entry_id, actor=principal.actor)
        await audit(connection, principal, "quarantine.replayed", "quarantine", str(entry_id))
    state.hints.wake("intake")
    return ReplayedOut(id=entry_id, state="replaying")


@router.post("/{entry_id}/discard", status_code=204, summary="End an entry without its message")
async def throw_away(request: Request, principal: Writer, entry_id: UUID) -> None:
    """It never comes back; the audit says who decided. 409 while a legal hold reaches it."""
    state = request.app.state
    # Its bytes are searched for everybody who is under a legal hold.
    async with state.thought_turns.of(principal), state.db.batch(principal.workspace_id) as connection:
        found = await show_entry(connection, principal.workspace_id, entry_id)
        await lock_holds(connection, principal.workspace_id)
        await require_entries_free(connection, state.blobs, principal.workspace_id, [found.message_id])
        await discard(connection, principal.workspace_id, entry_id, actor=principal.actor)
        await audit(connection, principal, "quarantine.discarded", "quarantine", str(entry_id))


def _message(found: Entry) -> InboundMessage | None:
    """The record as a message; None when not even that can be read."""
    try:
        return decode_message({name: value.encode() for name, value in found.headers.items()}, found.record)
    except InputRejected:
        return None


async def _original(request: Request, message: InboundMessage) -> bytes:
    if message.original is not None:
        return base64.b64decode(message.original)
    stored = next((part for part in message.parts if part.role == "original"), None)
    if stored is None:
        raise Unprocessable("its bytes were too large to keep", field="entry_id", remedy="ask the provider to send it again")
    content: bytes = await request.app.state.blobs.get(stored.blob)
    return content


async def _parsed_again(parser: Parser, target: Target, message: InboundMessage, original: bytes) -> list[Draft]:
    target, request = brought_again(target, message.traits, original, at=message.accepted_at)
    try:
        parsed = list(await parser.parse(target, request))
    except SantralError:
        raise
    except Exception as error:  # the edge: what it was quarantined for may still be so
        raise Unprocessable(
            f"not understood: {type(error).__name__}",
            field="entry_id",
            remedy="discard the entry, or replay it after an upgrade",
        ) from error
    drafts: list[Draft] = []
    for one in parsed:
        if not isinstance(one, Draft):
            again = "replay it in ten minutes" if one.reason.startswith(TOO_LONG) else "mend the inbox's configuration"
            raise Unprocessable(one.reason, field="entry_id", remedy=f"{again}, or discard the entry")
        drafts.append(vouched_then(one, message.traits))
    if not drafts:
        raise Unprocessable("nothing in it is a message", field="entry_id", remedy="discard the entry")
    return drafts


async def _of_nobody_erased(connection: Connection, secret: bytes, entry: InboundMessage, drafts: Sequence[Draft]) -> list[Draft]:
    """Those whose sender was not erased since they came; intake asks again. Raises `Unprocessable` where none is left."""
    messages = [
        draft_message(one, message_id=entry.id, accepted_at=entry.accepted_at, external_id=one.external_id or entry.external_id)
        for one in drafts
    ]
    gone = await are_forgotten(connection, secret, messages)
    left = [one for one, is_gone in zip(drafts, gone, strict=True) if not is_gone]
    if not left:
        raise Unprocessable("its sender was erased after it was accepted", field="entry_id", remedy="discard the entry")
    return left


async def _target(connection: Connection, message: InboundMessage, sealer: Sealer, book: OwnBook) -> Target:
    """What the bytes were addressed to, as it is configured now: an inbox, or a connection with its inboxes."""
    shared = await connection.fetchrow(
        "select id, provider, settings, secrets from santral.connection where workspace_id = $1 and (id = $2 or id ="
        " (select connection_id from santral.inbox where workspace_id = $1 and id = $2))",
        message.workspace_id, message.inbox_id,
    )  # fmt: skip
    rows = await connection.fetch(
        "select i.id, i.name, i.channel, i.provider, i.address, i.settings, i.connection_id,"
        " i.settings->>'region' as region from santral.inbox i where i.workspace_id = $1 and i.enabled and (i.id = $2 or i.connection_id = $3)",
        message.workspace_id, message.inbox_id, shared["id"] if shared else None,
    )  # fmt: skip
    workspace = await connection.fetchrow(
        "select settings->>'region' as region, settings->'mask_numbers' as mask_numbers from santral.workspace where id = $1",
        message.workspace_id,
    )  # fmt: skip
    assert workspace is not None, "a message belongs to a workspace"
    masks, own = Masks(workspace["mask_numbers"]), (await book.of(connection, message.workspace_id)).addresses
    inboxes = tuple(
        Inbox(
            workspace_id=message.workspace_id, id=row["id"], name=row["name"], channel=row["channel"], provider=row["provider"],
            address=row["address"] or "", settings=row["settings"], region=row["region"] or workspace["region"], connection_id=row["connection_id"],
            own=own, mask_numbers=masks.of(row["name"]),
        )
        for row in rows
    )  # fmt: skip
    if shared is not None:
        secrets = sealer.open(shared["secrets"]) if shared["secrets"] else {}
        return Target(
            id=shared["id"], workspace_id=message.workspace_id, provider=shared["provider"], settings=shared["settings"],
            secrets=secrets, inboxes=inboxes,
        )  # fmt: skip
    if not inboxes:
        raise Unprocessable("its inbox is gone or disabled", field="entry_id", remedy="enable the inbox, or discard the entry")
    return Target(
        id=inboxes[0].id,
        workspace_id=message.workspace_id,
        provider=inboxes[0].provider,
        settings=inboxes[0].settings,
        inboxes=inboxes,
    )
