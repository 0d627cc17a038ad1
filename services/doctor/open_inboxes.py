"""Inboxes from before every inbox got a secret: which still take posts of anybody, or posts signed by the first scheme, and until when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from ingest.registry import adapters
from services.doctor.finding import Finding, ok, warn
from shared.database import Database
from shared.sealing import Sealer

_FROM_BEFORE: Final = """
select w.name as workspace, i.name, i.provider, i.secrets, now() < $1 as open
from santral.inbox i join santral.workspace w on w.workspace_id = i.workspace_id
where i.grace and i.enabled order by 1, 2
"""


async def look_at_open_inboxes(db: Database, sealer: Sealer, grace_until: datetime) -> Sequence[Finding]:
    """A line for each that has no secret, and one for those that may still be posted to by the first scheme."""
    async with db.session() as connection:
        rows = await connection.fetch(_FROM_BEFORE, grace_until)
    known, found, signed = adapters(), [], 0
    for row in rows:
        proof = known[row["provider"]].proof if row["provider"] in known else None
        if proof is None:
            continue
        if not (sealer.open(row["secrets"]) if row["secrets"] else {}).get(proof):
            state = (
                f"takes posts of anybody who knows its address until {grace_until:%Y-%m-%d}" if row["open"] else "takes no posts"
            )
            found.append(
                warn(
                    "open inboxes", f"{row['workspace']}: inbox {row['name']} has no {proof} and {state}",
                    f"set secrets.{proof} and give it to who posts there (santral apply, or PUT /v1/inboxes/…)",
                )
            )  # fmt: skip
        elif proof == "signing_secret" and row["open"]:
            signed += 1
    if signed:
        found.append(
            warn(
                "open inboxes", f"{signed} still take the first scheme of signatures until {grace_until:%Y-%m-%d}",
                "let who posts there sign as v2= or by Standard Webhooks (docs/integrate/signing.md)",
            )
        )  # fmt: skip
    return found or [ok("open inboxes", "none is left from before every inbox got a secret")]
