"""Quarantine over REST: list, show with the bytes, take in again, discard.

What a router refused is replayed by the router from its record. What an adapter could not understand (``unparsed``) is parsed again
here, from the bytes as they came, with the inbox as it is now; understood, it goes in by the front door and the entry is resolved.
"""

from __future__ import annotations

import base64
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict

from ingest.adapter import Draft, Inbox, Parsed, Target
from ingest.adapter import Request as ProviderRequest
from ingest.directory import OWN_ADDRESSES
from ingest.parse import Parser
from router.intake.quarantine import Entry, ask_replay, discard, end_entry, list_entries, show_entry
from services.api.audit import audit
from services.api.lists import Cursor, Limit, Page, cursor_of, id_of
from services.api.principal import Principal, needs
from shared.cloudevent import decode_message
from shared.database import Connection
from shared.errors import InputRejected, SantralError, Unprocessable
from shared.message import InboundMessage
from shared.sealing import Sealer

router = APIRouter(prefix="/v1/quarantine", tags=["quarantine"])
Reader = Annotated[Principal, Depends(needs("quarantine:read"))]
Writer = Annotated[Principal, Depends(needs("quarantine:write"))]
Json = dict[str, Any]


class Replay(BaseModel):
    """``dry_run`` only says whether it would be understood now."""

    model_config = ConfigDict(extra="forbid")

    dry_run: bool = False


@router.get("", summary="Open entries, newest first")
async def entries(request: Request, principal: Reader, limit: Limit = 50, cursor: Cursor = None, state: str = "open") -> Page[Json]:
    """Without their bytes."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        found = await list_entries(connection, principal.workspace_id, state=state, before=id_of(cursor), limit=limit + 1)
    items = [_shown(entry) for entry in found[:limit]]
    return Page(items=items, next=cursor_of(found[limit - 1].id) if len(found) > limit else None)


@router.get("/{entry_id}", summary="One entry with its bytes and reason")
async def entry(request: Request, principal: Reader, entry_id: UUID) -> Json:
    """``record`` and ``original`` are base64; reading them is audited."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        found = await show_entry(connection, principal.workspace_id, entry_id)
        await audit(connection, principal, "quarantine.read", "quarantine", str(entry_id))
    message = _message(found)
    return {
        **_shown(found),
        "record": base64.b64encode(found.record).decode(),
        "original": message.original if message is not None else None,
    }


@router.post("/{entry_id}/replay", summary="Take an entry in again")
async def replay(request: Request, principal: Writer, entry_id: UUID, body: Replay | None = None) -> Json:
    """409 when it is resolved already, 422 when it still cannot be understood."""
    state, dry_run = request.app.state, (body or Replay()).dry_run
    async with state.db.batch(principal.workspace_id) as connection:
        found = await show_entry(connection, principal.workspace_id, entry_id)
        message = _message(found)
        target = await _target(connection, message, state.sealer) if message is not None and message.kind == "unparsed" else None
    if target is not None and message is not None:
        parsed = await _parsed_again(target, await _original(request, message))
        if dry_run:
            return {"id": entry_id, "state": "would be taken in"}
        await state.receiver.receive(target, parsed)
        async with state.db.batch(principal.workspace_id) as connection:
            await end_entry(connection, principal.workspace_id, entry_id, state="replayed", actor=principal.actor)
            await audit(connection, principal, "quarantine.replayed", "quarantine", str(entry_id))
        return {"id": entry_id, "state": "replayed"}
    if dry_run:
        return {"id": entry_id, "state": "would be asked of the router"}
    async with state.db.batch(principal.workspace_id) as connection:
        await ask_replay(connection, principal.workspace_id, entry_id, actor=principal.actor)
        await audit(connection, principal, "quarantine.replayed", "quarantine", str(entry_id))
    state.hints.wake("intake")
    return {"id": entry_id, "state": "replaying"}


@router.post("/{entry_id}/discard", status_code=204, summary="End an entry without its message")
async def throw_away(request: Request, principal: Writer, entry_id: UUID) -> None:
    """It never comes back; the audit says who decided."""
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        await discard(connection, principal.workspace_id, entry_id, actor=principal.actor)
        await audit(connection, principal, "quarantine.discarded", "quarantine", str(entry_id))


def _shown(found: Entry) -> Json:
    return {name: value for name, value in asdict(found).items() if name not in ("record", "workspace_id")}


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


async def _parsed_again(target: Target, original: bytes) -> list[Parsed]:
    request = ProviderRequest(method="POST", url="", headers={}, query={}, body=original, received_at=datetime.now(UTC))
    async with Parser(workers=1) as parser:
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
    for one in parsed:
        if not isinstance(one, Draft):
            raise Unprocessable(one.reason, field="entry_id", remedy="mend the inbox's configuration, or discard the entry")
    if not parsed:
        raise Unprocessable("nothing in it is a message", field="entry_id", remedy="discard the entry")
    return parsed


async def _target(connection: Connection, message: InboundMessage, sealer: Sealer) -> Target:
    """What the bytes were addressed to, as it is configured now: an inbox, or a connection with its inboxes."""
    shared = await connection.fetchrow(
        "select id, provider, settings, secrets from santral.connection where workspace_id = $1 and (id = $2 or id ="
        " (select connection_id from santral.inbox where workspace_id = $1 and id = $2))",
        message.workspace_id, message.inbox_id,
    )  # fmt: skip
    rows = await connection.fetch(
        "select i.id, i.name, i.channel, i.provider, i.address, i.settings, i.connection_id,"
        f" coalesce(i.settings->>'region', w.settings->>'region') as region, {OWN_ADDRESSES} as own_addresses"
        " from santral.inbox i join santral.workspace w on w.workspace_id = i.workspace_id"
        " where i.workspace_id = $1 and i.enabled and (i.id = $2 or i.connection_id = $3)",
        message.workspace_id, message.inbox_id, shared["id"] if shared else None,
    )  # fmt: skip
    inboxes = tuple(
        Inbox(
            workspace_id=message.workspace_id, id=row["id"], name=row["name"], channel=row["channel"], provider=row["provider"],
            address=row["address"] or "", settings=row["settings"], region=row["region"], connection_id=row["connection_id"],
            own_addresses=tuple(row["own_addresses"] or ()),
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
