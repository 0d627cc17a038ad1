"""Processes that are here, and the deployment they belong to: tables ``host`` and ``deployment``.

At start a process refuses a database role that could see past row-level security, and a Kafka cluster that is not the one this
database's positions belong to.
"""

from __future__ import annotations

import asyncio
import os
import socket
from importlib.metadata import PackageNotFoundError, version
from typing import Final
from uuid import UUID

from shared.database import Database
from shared.errors import Conflict, Forbidden, SantralError
from shared.logs import get_log

log = get_log(__name__)
BEAT_S: Final = 10.0
GONE_S: Final = 60


def release() -> str:
    """This release's version."""
    try:
        return version("santral")
    except PackageNotFoundError:
        return "unpackaged"


async def require_safe_role(db: Database) -> None:
    """Raises `Forbidden` when the role is a superuser or may bypass row-level security."""
    async with db.session() as connection:
        row = await connection.fetchrow("select rolname, rolsuper, rolbypassrls from pg_roles where rolname = current_user")
    assert row is not None
    if row["rolsuper"] or row["rolbypassrls"]:
        raise Forbidden(
            f"the database role {row['rolname']} sees past row-level security",
            field="SANTRAL_DATABASE_URL", remedy="connect as santral_api or santral_worker",
        )  # fmt: skip


async def require_cluster(db: Database, cluster_id: str) -> None:
    """Binds the database to its Kafka cluster at the first start. Raises `Conflict` for another one until an operator confirms."""
    async with db.batch() as connection:
        known = await connection.fetchval("select kafka_cluster_id from santral.deployment for update")
        if known is None:
            await connection.execute("update santral.deployment set kafka_cluster_id = $1", cluster_id)
        elif known != cluster_id:
            raise Conflict(
                f"this database's positions belong to the Kafka cluster {known}, not to {cluster_id}",
                field="SANTRAL_KAFKA_BOOTSTRAP_SERVERS", remedy="point at the old cluster, or run: santral topics accept-cluster",
            )  # fmt: skip


async def require_one_machine(db: Database) -> None:
    """Raises `Conflict` when a process that reads or writes blobs lives on another machine, where a folder is another folder."""
    async with db.session() as connection:
        other = await connection.fetchrow(
            "select process, machine from santral.host where machine <> $1 and process in ('gateway', 'courier')"
            " and seen_at > now() - $2 * interval '1 s' limit 1",
            socket.gethostname(), GONE_S,
        )  # fmt: skip
    if other is not None:
        raise Conflict(
            f"a {other['process']} runs on {other['machine']}, and the files of messages lie in a folder of this machine",
            field="SANTRAL_BLOB_DIR", remedy="mount one volume on both and set SANTRAL_BLOB_SHARED=true",
        )  # fmt: skip


async def incarnation(db: Database) -> UUID:
    """The database's incarnation; a restore starts a new one, and streams of an old one get a snapshot."""
    async with db.session() as connection:
        found: UUID = await connection.fetchval("select incarnation from santral.deployment")
    return found


class Host:
    """This process's row."""

    def __init__(self, db: Database, *, id: UUID, process: str, health_url: str | None) -> None:  # noqa: A002  the column's name
        self._db = db
        self._id = id
        self._process = process
        self._health_url = health_url

    async def register(self) -> None:
        """Writes the row and forgets processes that have not been seen for a minute."""
        async with self._db.batch() as connection:
            await connection.execute("delete from santral.host where seen_at < now() - $1 * interval '1 s'", GONE_S)
            await connection.execute(
                "insert into santral.host (id, process, machine, pid, version, health_url) values ($1, $2, $3, $4, $5, $6)"
                " on conflict (id) do update set seen_at = now()",
                self._id, self._process, socket.gethostname(), os.getpid(), release(), self._health_url,
            )  # fmt: skip

    async def beat(self) -> None:
        """Keeps the row fresh for ever."""
        while True:
            try:
                await self.register()
            except SantralError as error:
                log.debug("the process could not register", action="dependency_down", error=str(error))
            await asyncio.sleep(BEAT_S)
