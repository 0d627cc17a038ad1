"""`santral migrate`: brings the schema to this release, once, however many processes ask at once.

An advisory lock makes parallel runs wait for the first; a lock time-out of 3 s with retries keeps a waiting ALTER from
queueing everybody behind it. A schema that a newer release has migrated is left as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from services.schema.compatibility import READ, SchemaState, is_newer, require_range
from services.schema.migrations import HEAD
from shared.database import translated
from shared.errors import Unavailable

_LOCK: Final = 0x5A17A1
_TRIES: Final = 10
_LOOK_S: Final = 0.1


def head() -> str:
    """The newest revision this release knows."""
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
    """Upgrades to :func:`head` and returns the schema's revision; calling it again changes nothing.

    A newer release's schema that this one may run on stays, and its revision comes back. Raises `Conflict` for one that it may not run
    on, nothing changed then; `Unavailable` when locks stay taken.
    """
    engine = create_async_engine(make_url(owner_url).set(drivername="postgresql+asyncpg"), connect_args={"timeout": 5})
    try:
        for attempt in range(_TRIES):
            try:
                with translated():
                    async with engine.connect() as connection:
                        await _lock(connection)
                        await connection.execute(sa.text("set lock_timeout = '3s'"))
                        await connection.execute(sa.text("create schema if not exists santral"))
                        await connection.commit()
                        found = await _state(connection)
                        await connection.commit()
                        newer = found.revision if is_newer(found) else None
                        if newer:
                            require_range(found)
                        else:
                            await connection.run_sync(_upgrade)
                            await connection.commit()
                        await connection.execute(sa.text("select pg_advisory_unlock(:key)"), {"key": _LOCK})
                        await connection.commit()
                more = f", newer than this release's {head()}, and stays as it is" if newer else ""
                progress(f"database schema is at {newer or head()}{more}")
                return newer or head()
            except Unavailable:
                if attempt == _TRIES - 1:
                    raise
                await asyncio.sleep(0.5 * (attempt + 1))
        raise AssertionError("unreachable: the loop returns or raises")
    finally:
        await engine.dispose()


async def _lock(connection: AsyncConnection) -> None:
    """The lock of migrations, waited for without an open transaction: an index that is built beside writers waits for those."""
    while not (await connection.execute(sa.text("select pg_try_advisory_lock(:key)"), {"key": _LOCK})).scalar_one():
        await connection.commit()
        await asyncio.sleep(_LOOK_S)


async def _state(connection: AsyncConnection) -> SchemaState:
    """As `read_state`, in a transaction, which a missing table must not end."""
    if (await connection.execute(sa.text("select to_regclass('santral.revision')"))).scalar_one() is None:
        return SchemaState()
    row = (await connection.execute(sa.text(READ))).one_or_none()
    return SchemaState() if row is None else SchemaState(revision=row.version_num, oldest_head=row.oldest_head)


async def current(url: str) -> str | None:
    """The revision the database has, seen by any role; None before the first migration."""
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), connect_args={"timeout": 5})
    try:
        with translated():
            async with engine.connect() as connection:
                return (await _state(connection)).revision
    finally:
        await engine.dispose()
