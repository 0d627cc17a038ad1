"""Which workspaces mask card numbers, and where none are masked: in files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.doctor.finding import Finding, ok, warn
from shared.database import Database

_SETTINGS: Final = "select name, settings->'mask_numbers' as masks from santral.workspace order by name"
_FILES: Final = "files (pictures, PDFs, archives) are not looked into"
_REMEDY: Final = "set mask_numbers: cards in the workspace's settings (santral apply, or PUT /v1/workspace); what was stored before stays as it is"


async def look_at_card_numbers(db: Database) -> Sequence[Finding]:
    """A line for each workspace, saying what it masks."""
    async with db.session() as connection:
        rows = await connection.fetch(_SETTINGS)
    return [_of(row["name"], row["masks"]) for row in rows] or [ok("card numbers", "there is no workspace")]


def _of(name: str, masks: object) -> Finding:
    if masks == "cards":
        return ok("card numbers", f"{name} masks payment cards in what comes in and what is written; {_FILES}")
    if masks is True:
        return ok("card numbers", f"{name} masks card numbers and national ids in what comes in; {_FILES}")
    if isinstance(masks, list) and masks:
        return warn("card numbers", f"{name} masks card numbers and national ids at {', '.join(masks)} only; {_FILES}", _REMEDY)
    return warn("card numbers", f"{name} keeps card numbers as customers write them", _REMEDY)
