"""`santral migrate`: brings the schema to this release, once, however many processes ask at once.

An advisory lock makes parallel runs wait for the first; a lock time-out of 3 s with retries keeps a waiting ALTER from
queueing everybody behind it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.ext.asyncio import create_async_engine

from services.schema.migrations import HEAD
from shared.database import translated
from shared.errors import Unavailable

_LOCK: Final = 0x5A17A1
_TRIES: Final = 10


def head() -> str:
    """The revision this release needs."""
    return HEAD


def _upgrade(connection: Connection) -> None:
    # Loaded here: every process asks for the revision, and hardly one migrates.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def migrate(owner_url: str, progress: Callable[[str], None] = lambda _: None) -> str:
    """Upgrades to :func:`head` and returns it; calling it again changes nothing. Raises `Unavailable` when locks stay taken."""
    engine = create_async_engine(make_url(owner_url).set(drivername="postgresql+asyncpg"), connect_args={"timeout": 5})
    try:
        for attempt in range(_TRIES):
            try:
                with translated():
                    async with engine.connect() as connection:
                        await connection.execute(sa.text("select pg_advisory_lock(:key)"), {"key": _LOCK})
                        await connection.execute(sa.text("set lock_timeout = '3s'"))
                        await connection.execute(sa.text("create schema if not exists santral"))
                        await connection.commit()
                        await connection.run_sync(_upgrade)
                        await connection.commit()
                        await connection.execute(sa.text("select pg_advisory_unlock(:key)"), {"key": _LOCK})
                        await connection.commit()
                progress(f"database schema is at {head()}")
                return head()
            except Unavailable:
                if attempt == _TRIES - 1:
                    raise
                await asyncio.sleep(0.5 * (attempt + 1))
        raise AssertionError("unreachable: the loop returns or raises")
    finally:
        await engine.dispose()


async def current(url: str) -> str | None:
    """The revision the database has, seen by any role; None before the first migration."""
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), connect_args={"timeout": 5})
    try:
        with translated():
            async with engine.connect() as connection:
                if (await connection.execute(sa.text("select to_regclass('santral.revision')"))).scalar_one() is None:
                    return None
                return (await connection.execute(sa.text("select version_num from santral.revision"))).scalar_one_or_none()
    finally:
        await engine.dispose()
