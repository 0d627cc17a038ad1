"""`santral migrate`: the schema to this release, with the owner's address."""

from __future__ import annotations

import asyncio

import typer

from services.frame.settings import read_settings
from services.schema.migrate import migrate


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command("migrate", help="Bring the database schema to this release (SANTRAL_DATABASE_OWNER_URL). Safe to run again.")
    def command() -> None:
        asyncio.run(migrate(read_settings().database("owner"), typer.echo))
