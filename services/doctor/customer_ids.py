"""Chats of several sites whose customers' ids are taken for one list: each has a key of its own, and none says whose customers they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.doctor.finding import Finding, ok, warn
from shared.database import Database
from shared.sealing import Sealer

_CHATS: Final = """
select w.name as workspace, i.name, i.settings, i.secrets from santral.inbox i join santral.workspace w on w.workspace_id = i.workspace_id
where i.provider = 'webchat' and i.enabled order by 1, 2
"""
_REMEDY: Final = (
    "where the sites count their customers apart, name identity_scope in the settings of one before its customers write; where they have"
    " one list of customers, say identity_scope: workspace (santral apply, or PUT /v1/inboxes/…)"
)


async def look_at_customer_ids(db: Database, sealer: Sealer) -> Sequence[Finding]:
    """A line for each workspace with two such inboxes that share no key. No key is shown."""
    async with db.session() as connection:
        rows = await connection.fetch(_CHATS)
    signing: dict[str, dict[str, frozenset[str]]] = defaultdict(dict)
    for row in rows:
        keys = _keys(row["settings"], sealer.open(row["secrets"]) if row["secrets"] else {})
        if keys and "identity_scope" not in row["settings"]:
            signing[row["workspace"]][row["name"]] = keys
    found = []
    for workspace, inboxes in signing.items():
        apart = [name for name, keys in inboxes.items() if any(keys.isdisjoint(other) for other in inboxes.values())]
        if apart:
            text = f"{workspace}: inboxes {', '.join(apart)} have keys of their own, and the same sub in them is one person"
            found.append(warn("customer ids", text, _REMEDY))
    return found or [ok("customer ids", "no two sites with keys of their own share their customers' ids without saying so")]


def _keys(settings: Mapping[str, Any], secrets: Mapping[str, str]) -> frozenset[str]:
    """What signs who a visitor is, in an inbox."""
    shared = (secrets[name] for name in ("identity_secret", "identity_secret_previous") if secrets.get(name))
    return frozenset((*shared, *(one["public_key"].strip() for one in settings.get("identity_keys", ()))))
