"""Every table of every room: each `tables.py` registers its own in the one metadata, so a new room cannot be forgotten."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import sqlalchemy as sa

from shared.tables import metadata

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("shared", "profiles", "ingest", "router", "services")


def table_modules() -> dict[str, str]:
    """The modules that declare tables, by the folder they stand in: ``router/moves`` → ``router.moves.tables``."""
    paths = sorted(path.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("tables.py"))
    return {str(path.parent): ".".join(path.with_suffix("").parts) for path in paths}


def all_tables() -> sa.MetaData:
    """The metadata with every room's tables in it."""
    for module in table_modules().values():
        import_module(module)
    return metadata
