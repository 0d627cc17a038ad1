"""A workspace's own addresses as requests ask for them: read and made once a change of the workspace, and beside the event loop.

**Identity**: a workspace, and the state of its rows (`shared/workspace_parts.py`).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from ingest.own_addresses import OwnAddresses, own_addresses_of
from profiles.own import own_handles
from shared.database import Connection
from shared.handle import Handle
from shared.own_addresses import OWN_ADDRESSES, OWN_ADDRESSES_MAX
from shared.workspace_parts import changes_of

WORKSPACES_MAX: Final = 100
_STAMP: Final = f"select stamp from ({changes_of('workspace', 'inbox')}) c where workspace_id = $1"
_OWN: Final = f"select w.settings->>'region' as region, {OWN_ADDRESSES} as entries from santral.workspace w where w.id = $1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """As messages name them, and as the handles that are nobody's."""

    addresses: OwnAddresses
    handles: frozenset[Handle]


class OwnBook:
    """Those of the workspaces that asked last, `WORKSPACES_MAX` of them."""

    def __init__(self) -> None:
        self._kept: OrderedDict[UUID, tuple[str, Own]] = OrderedDict()

    async def of(self, connection: Connection, workspace_id: UUID) -> Own:
        """A workspace's, as they stand in the connection's transaction."""
        stamp = await connection.fetchval(_STAMP, workspace_id)
        known = self._kept.get(workspace_id)
        if known is None or known[0] != stamp:
            row = await connection.fetchrow(_OWN, workspace_id)
            assert row is not None, "a credential belongs to a workspace"
            known = stamp, await asyncio.to_thread(_made, row["entries"][:OWN_ADDRESSES_MAX], row["region"])
        self._kept[workspace_id] = known
        self._kept.move_to_end(workspace_id)
        while len(self._kept) > WORKSPACES_MAX:
            self._kept.popitem(last=False)
        return known[1]


def _made(entries: Any, region: str | None) -> Own:
    return Own(addresses=own_addresses_of(entries, region=region), handles=own_handles(entries, region=region))
