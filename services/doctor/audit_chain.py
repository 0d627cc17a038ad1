"""Whether the audit is what was written: each workspace's chain verified, its first break named, its head for a witness outside."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from services.audit_chain.verification import Verified, Witness, verify
from services.doctor.finding import Finding, fail, ok, warn
from shared.database import Database
from shared.errors import InputRejected

CHECK: Final = "audit chain"
WAITING_S: Final = 300.0
_BROKEN: Final = (
    "keep the database as it is, compare it with a backup, find who had the owner's rights: docs/operate/audit-chain.md"
)
_WITNESS: Final = re.compile(r"(?P<workspace>.+):(?P<number>[0-9]{1,18}):(?P<digest>[0-9a-f]{64})")
_WORKSPACES: Final = "select id, name from santral.workspace order by name"


def witnesses(texts: Sequence[str]) -> dict[str, Witness]:
    """What the lines said of heads, by workspace: `<workspace>:<number>:<digest>`. Raises `InputRejected`."""
    found = {}
    for text in texts:
        said = _WITNESS.fullmatch(text)
        if said is None:
            raise InputRejected(
                f"{text!r} is no witness",
                field="--audit-witness",
                remedy="give it as doctor's line had it: workspace:number:digest",
            )
        found[said["workspace"]] = Witness(number=int(said["number"]), digest=bytes.fromhex(said["digest"]))
    return found


async def look_at_audit_chain(db: Database, known: Mapping[str, Witness] | None = None) -> Sequence[Finding]:
    """A line for each workspace; ``known`` heads of earlier are compared. A name of a workspace that is not there is a finding too."""
    known = known or {}
    async with db.session() as connection:
        rows = await connection.fetch(_WORKSPACES)
    names = {row["name"] for row in rows}
    found = [_finding(row["name"], await verify(db, row["id"], known.get(row["name"]))) for row in rows]
    found += [
        fail(CHECK, f"there is no workspace {name}, which a witness knows", "correct its name; see docs/operate/audit-chain.md")
        for name in known
        if name not in names
    ]  # fmt: skip
    return found or [ok(CHECK, "there is no workspace yet")]


def _finding(name: str, verified: Verified) -> Finding:
    if verified.break_:
        return fail(CHECK, f"{name}: {verified.break_}", _BROKEN)
    head = f"witness {name}:{verified.head.number}:{verified.head.digest.hex()}" if verified.head else "nothing is linked yet"
    text = f"{name}: {verified.linked} links in order, {head}"
    if verified.waiting_s > WAITING_S:
        text = f"{text}; {verified.waiting} rows wait to be linked, the oldest for {verified.waiting_s:.0f} s"
        return warn(CHECK, text, "a courier must run: santral courier")
    if verified.too_old:
        return warn(CHECK, f"{text}; the given witness is older than what retention left", "keep a newer one")
    return ok(CHECK, text)
