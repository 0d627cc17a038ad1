"""The inboxes and connections of every workspace, in memory, with their secrets unsealed; reread when the configuration changes.

The last known state stays in use while the database is away, so the gateway goes on taking messages in. A change is seen
within a second: a hint wakes the reader, and it looks by itself every second. Only workspaces that changed are read again, each made
beside the event loop, and what they own (addresses, masks, their connections' secrets) once for all their inboxes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog

from ingest.adapter import Inbox, Target
from ingest.mailboxes import Mailboxes, Named, named
from ingest.masks import Masks
from ingest.own_addresses import OwnAddresses, own_addresses_of
from ingest.registry import adapters
from shared.database import Connection, Database
from shared.errors import InputRejected, NotFound, Unavailable
from shared.hints import Waiter
from shared.metrics import CONFIGURATION_AGE
from shared.own_addresses import OWN_ADDRESSES, OWN_ADDRESSES_MAX
from shared.sealing import Sealer
from shared.workspace_parts import Raw, WorkspaceParts, changes_of

log = structlog.get_logger(__name__)
LOOK_S: Final = 1.0
_CHANGES: Final = changes_of("workspace", "connection", "inbox")
_WORKSPACES: Final = f"""
select w.id, w.settings->>'region' as region, w.settings->'mask_numbers' as mask_numbers, {OWN_ADDRESSES} as own
from santral.workspace w where w.id = any($1::uuid[])
"""
_CONNECTIONS: Final = """
select workspace_id, id, provider, path_token, settings, secrets from santral.connection where workspace_id = any($1::uuid[])
"""
_INBOXES: Final = """
select workspace_id, id, name, channel, provider, connection_id, address, path_token, settings, secrets, grace, mailbox, mailbox_at
from santral.inbox where workspace_id = any($1::uuid[]) and enabled
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """A workspace's rows."""

    region: str | None
    masks: Masks
    own: Sequence[Any]
    connections: list[Mapping[str, Any]]
    inboxes: list[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A workspace's targets by their path, inboxes by their id, and mail inboxes by their mailbox."""

    targets: Mapping[str, Target]
    inboxes: Mapping[UUID, Inbox]
    mail: Sequence[Named]


class Directory:
    """Every target and inbox by the names the outside uses. Lookups are synchronous and never wait for the database."""

    def __init__(
        self, db: Database, sealer: Sealer, *, defaults: Mapping[str, Mapping[str, Any]] | None = None,
        grace_until: datetime | None = None,
    ) -> None:  # fmt: skip
        """``defaults`` are settings by provider for inboxes that do not say otherwise.

        ``grace_until``: how long inboxes from before may be posted to without a secret, and signed by the first scheme.
        """
        self._grace_until = grace_until
        self._sealer = sealer
        self._defaults = defaults or {}
        self._parts = WorkspaceParts(db, changes=_CHANGES, read=_read, made=self._made)
        self._reading = asyncio.Lock()
        self._targets: dict[str, Target] = {}
        self._inboxes: dict[UUID, Inbox] = {}
        self._mailboxes = Mailboxes()
        self.loaded = False

    def target(self, path_token: str) -> Target:
        """What ``/in/{path_token}`` stands for. Raises `NotFound`, or `Unavailable` before the first load."""
        if not self.loaded:
            raise Unavailable("the configuration has not been read yet", retry_after_s=1)
        found = self._targets.get(path_token)
        if found is None:
            raise NotFound("no inbox or connection has this address", remedy="copy webhook_path from the inbox")
        return found

    def inbox(self, inbox_id: UUID) -> Inbox | None:
        """An inbox by its id."""
        return self._inboxes.get(inbox_id)

    def mailbox(self, address: str) -> Inbox | None:
        """The mail inbox that receives at this address, its domain as A-labels or as letters: exact, else without its plus-tag."""
        return self._mailboxes.at(address)

    async def refresh(self) -> bool:
        """Rereads what changed; True when something did. Raises `Unavailable`, keeping what it had."""
        async with self._reading:
            if not await self._parts.refresh():
                return False
            self._targets, self._inboxes, self._mailboxes = await asyncio.to_thread(_together, list(self._parts.parts.values()))
            self.loaded = True
            return True

    async def follow(self, waiter: Waiter) -> None:
        """Refreshes for ever. While the database is away the last known state serves."""
        while True:
            try:
                await self.refresh()
                CONFIGURATION_AGE.set_to_current_time()
            except Unavailable as error:
                log.warning("the configuration could not be read again", action="configuration_stale", error=str(error))
            await waiter.wait(LOOK_S)

    def _made(self, workspace_id: UUID, stored: _Stored, _: _Part | None) -> _Part:
        own = own_addresses_of(stored.own[:OWN_ADDRESSES_MAX], region=stored.region)
        if len(stored.own) > OWN_ADDRESSES_MAX:
            log.warning(
                "a workspace has more addresses of its own than are known as such; see santral doctor",
                action="configuration_stale", workspace=str(workspace_id), count=OWN_ADDRESSES_MAX,
            )  # fmt: skip
        shared = {row["id"]: (row["settings"] or {}, self._unsealed(row["secrets"], row["id"])) for row in stored.connections}
        inboxes = [self._inbox(row, shared.get(row["connection_id"], ({}, {})), stored, own) for row in stored.inboxes]
        by_connection: dict[UUID | None, list[Inbox]] = {}
        for inbox in inboxes:
            by_connection.setdefault(inbox.connection_id, []).append(inbox)
        targets = {
            inbox.path_token: Target(
                id=inbox.id, workspace_id=workspace_id, provider=inbox.provider, settings=inbox.settings,
                secrets=inbox.secrets, inboxes=(inbox,), grace_until=self._grace_until if inbox.grace else None,
            )
            for inbox in inboxes
        }  # fmt: skip
        targets |= {
            row["path_token"]: Target(
                id=row["id"], workspace_id=workspace_id, provider=row["provider"], settings=row["settings"],
                secrets=shared[row["id"]][1], inboxes=tuple(by_connection.get(row["id"], ())),
            )
            for row in stored.connections
        }  # fmt: skip
        mail = (named(inbox, kept=row["mailbox"], at=row["mailbox_at"]) for inbox, row in zip(inboxes, stored.inboxes, strict=True))
        return _Part(
            targets=_signed(targets), inboxes={inbox.id: inbox for inbox in inboxes}, mail=[one for one in mail if one is not None]
        )

    def _inbox(
        self, row: Mapping[str, Any], shared: tuple[Mapping[str, Any], Mapping[str, str]], stored: _Stored, own: OwnAddresses
    ) -> Inbox:
        settings, secrets = shared
        return Inbox(
            workspace_id=row["workspace_id"], id=row["id"], name=row["name"], channel=row["channel"], provider=row["provider"],
            address=row["address"] or "", connection_id=row["connection_id"],
            settings={**self._defaults.get(row["provider"], {}), **settings, **row["settings"]},
            secrets={**secrets, **self._unsealed(row["secrets"], row["id"])},
            region=row["settings"].get("region") or stored.region, path_token=row["path_token"], grace=row["grace"],
            mask_numbers=stored.masks.of(row["name"]), own=own,
        )  # fmt: skip

    def _unsealed(self, sealed: bytes | None, owner: UUID) -> dict[str, str]:
        if not sealed:
            return {}
        try:
            return self._sealer.open(sealed)
        except InputRejected as error:
            log.exception(
                "secrets cannot be unsealed with this deployment's secret",
                action="secret_unreadable",
                id=str(owner),
                error=str(error),
            )
            return {}


def _signed(targets: Mapping[str, Target]) -> dict[str, Target]:
    """The targets of a workspace, each with the first of its secret: what was signed for one of them is used up for all."""
    first: dict[str, UUID] = {}
    for target in sorted(targets.values(), key=lambda one: one.id):
        first.setdefault(_proof(target), target.id)
    return {path: replace(target, signed_as=first[_proof(target)] if _proof(target) else None) for path, target in targets.items()}


def _proof(target: Target) -> str:
    """The secret that posts to it are proven by; empty where there is none, or an adapter that is not installed would know."""
    adapter = adapters().get(target.provider)
    return "" if adapter is None or adapter.proof is None else target.secrets.get(adapter.proof, "")


async def _read(connection: Connection, wanted: Sequence[UUID]) -> Raw:
    stored: Raw = {
        row["id"]: _Stored(region=row["region"], masks=Masks(row["mask_numbers"]), own=row["own"], connections=[], inboxes=[])
        for row in await connection.fetch(_WORKSPACES, wanted)
    }
    for row in await connection.fetch(_CONNECTIONS, wanted):
        if row["workspace_id"] in stored:
            stored[row["workspace_id"]].connections.append(row)
    for row in await connection.fetch(_INBOXES, wanted):
        if row["workspace_id"] in stored:
            stored[row["workspace_id"]].inboxes.append(row)
    return stored


def _together(parts: Iterable[_Part]) -> tuple[dict[str, Target], dict[UUID, Inbox], Mailboxes]:
    targets: dict[str, Target] = {}
    inboxes: dict[UUID, Inbox] = {}
    mail: list[Named] = []
    for part in parts:
        targets |= part.targets
        inboxes |= part.inboxes
        mail += part.mail
    return targets, inboxes, Mailboxes(mail)
