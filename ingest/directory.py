"""The inboxes and connections of every workspace, in memory, with their secrets unsealed; reread when the configuration changes.

The last known state stays in use while the database is away, so the gateway goes on taking messages in. A change is seen
within a second: a hint wakes the reader, and it looks by itself every second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID

import structlog

from ingest.adapter import Inbox, Target
from shared.database import Database
from shared.errors import InputRejected, NotFound, Unavailable
from shared.handle import normalized
from shared.hints import Waiter
from shared.metrics import CONFIGURATION_AGE
from shared.sealing import Sealer

log = structlog.get_logger(__name__)
LOOK_S: Final = 1.0
_STAMP: Final = """
select coalesce(sum(version), 0)::text || '/' || count(*)::text || '/' || coalesce(max(updated_at)::text, '')
from (select version, updated_at from santral.inbox union all select version, updated_at from santral.connection) as both_kinds
"""
OWN_ADDRESSES: Final = """
case when i.provider = 'smtp' then array(
    select o.address from santral.inbox o where o.workspace_id = i.workspace_id and o.channel = 'email' and o.address > ''
    union all
    select a from santral.inbox o cross join lateral jsonb_array_elements_text(
        case when jsonb_typeof(o.settings->'aliases') = 'array' then o.settings->'aliases' else '[]' end) a
    where o.workspace_id = i.workspace_id and o.provider = 'smtp'
    union all
    select a from jsonb_array_elements_text(
        case when jsonb_typeof(w.settings->'own_addresses') = 'array' then w.settings->'own_addresses' else '[]' end) a
) when i.channel = 'phone' then array(
    select o.address from santral.inbox o where o.workspace_id = i.workspace_id and o.channel = 'phone' and o.address > ''
    union all
    select a from santral.inbox o cross join lateral jsonb_array_elements_text(
        case when jsonb_typeof(o.settings->'numbers') = 'array' then o.settings->'numbers' else '[]' end) a
    where o.workspace_id = i.workspace_id and o.channel = 'phone'
    union all
    select a from jsonb_array_elements_text(
        case when jsonb_typeof(w.settings->'own_addresses') = 'array' then w.settings->'own_addresses' else '[]' end) a
) end
"""
"""Where a workspace receives mail, or is called, for statements that call an inbox ``i`` and its workspace ``w``: its inboxes' addresses,
aliases and numbers, and what it lists itself."""
_CONNECTIONS: Final = "select workspace_id, id, provider, path_token, settings, secrets from santral.connection"
_INBOXES: Final = f"""
select i.workspace_id, i.id, i.name, i.channel, i.provider, i.connection_id, i.address, i.path_token, i.settings, i.secrets,
       i.enabled, w.settings->>'region' as region,
       coalesce(w.settings->'mask_numbers' = 'true' or w.settings->'mask_numbers' ? i.name, false) as mask_numbers,
       c.secrets as connection_secrets, c.settings as connection_settings,
       {OWN_ADDRESSES} as own_addresses
from santral.inbox i
join santral.workspace w using (workspace_id)
left join santral.connection c on c.workspace_id = i.workspace_id and c.id = i.connection_id
"""


class Directory:
    """Every target and inbox by the names the outside uses. Lookups are synchronous and never wait for the database."""

    def __init__(self, db: Database, sealer: Sealer, *, defaults: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """``defaults`` are settings by provider for inboxes that do not say otherwise."""
        self._db = db
        self._sealer = sealer
        self._defaults = defaults or {}
        self._stamp = ""
        self._targets: dict[str, Target] = {}
        self._inboxes: dict[UUID, Inbox] = {}
        self._mailboxes: dict[str, Inbox] = {}
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
        local, _, domain = _mailbox_key(address).rpartition("@")
        return self._mailboxes.get(f"{local}@{domain}") or self._mailboxes.get(f"{local.partition('+')[0]}@{domain}")

    async def refresh(self) -> bool:
        """Rereads when something changed; True when it did."""
        async with self._db.session() as connection:
            stamp = await connection.fetchval(_STAMP)
            if stamp == self._stamp:
                return False
            connections = await connection.fetch(_CONNECTIONS)
            inboxes = await connection.fetch(_INBOXES)
        self._fill([dict(row) for row in connections], [dict(row) for row in inboxes])
        self._stamp = stamp
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

    def _fill(self, connections: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
        targets: dict[str, Target] = {}
        inboxes: dict[UUID, Inbox] = {}
        by_connection: dict[UUID, list[Inbox]] = {}
        for row in rows:
            if not row["enabled"]:
                continue
            inbox = self._inbox(row)
            inboxes[inbox.id] = inbox
            if inbox.connection_id is not None:
                by_connection.setdefault(inbox.connection_id, []).append(inbox)
            targets[row["path_token"]] = Target(
                id=inbox.id, workspace_id=inbox.workspace_id, provider=inbox.provider, settings=inbox.settings,
                secrets=inbox.secrets, inboxes=(inbox,),
            )  # fmt: skip
        for row in connections:
            targets[row["path_token"]] = Target(
                id=row["id"], workspace_id=row["workspace_id"], provider=row["provider"], settings=row["settings"],
                secrets=self._unsealed(row["secrets"], row["id"]), inboxes=tuple(by_connection.get(row["id"], ())),
            )  # fmt: skip
        self._targets, self._inboxes = targets, inboxes
        self._mailboxes = by_mailbox(inboxes.values())

    def _inbox(self, row: Mapping[str, Any]) -> Inbox:
        secrets = self._unsealed(row["connection_secrets"], row["id"]) | self._unsealed(row["secrets"], row["id"])
        return Inbox(
            workspace_id=row["workspace_id"], id=row["id"], name=row["name"], channel=row["channel"], provider=row["provider"],
            address=row["address"] or "", connection_id=row["connection_id"],
            settings={**self._defaults.get(row["provider"], {}), **(row["connection_settings"] or {}), **row["settings"]},
            secrets=secrets,
            region=row["settings"].get("region") or row["region"], path_token=row["path_token"], mask_numbers=row["mask_numbers"],
            own_addresses=tuple(row["own_addresses"] or ()),
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


def by_mailbox(inboxes: Iterable[Inbox]) -> dict[str, Inbox]:
    """Mail inboxes by the one form of their address."""
    return {_mailbox_key(inbox.address): inbox for inbox in inboxes if inbox.provider == "smtp" and inbox.address}


def _mailbox_key(address: str) -> str:
    """One form for one mailbox, as for the handles of those who write there."""
    try:
        return normalized("email", address).value
    except InputRejected:
        return address.lower()
