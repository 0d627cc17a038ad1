"""Databases at other revisions than this release's: of before, and as if a newer release had migrated."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

import services.schema.migrations


def revisions() -> list[Script]:
    """This release's, oldest first."""
    return list(ScriptDirectory.from_config(_config()).walk_revisions())[::-1]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(services.schema.migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    return config


async def migrate_to(owner_url: str, revision: str) -> None:
    """Brings an empty database to a revision of before, as a release of then would have."""

    def upgrade(connection: sa.Connection) -> None:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    engine = create_async_engine(make_url(owner_url).set(drivername="postgresql+asyncpg"))
    async with engine.connect() as connection:
        await connection.execute(sa.text("create schema santral"))
        await connection.commit()
        await connection.run_sync(upgrade)
        await connection.commit()
    await engine.dispose()


async def say_revision(owner_url: str, revision: str, oldest_head: str) -> None:
    """Lets a database say that it is at a revision which works with releases that know ``oldest_head``; nothing else changes."""
    connection = await asyncpg.connect(owner_url)
    await connection.execute("update santral.revision set version_num = $1, oldest_head = $2", revision, oldest_head)
    await connection.close()
