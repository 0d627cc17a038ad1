"""What a process makes sure of before it starts: its role, its cluster, its own row."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from shared.database import Database
from shared.embedded.postgres import EmbeddedPostgres, PostgresUrls
from shared.errors import Conflict, Forbidden
from shared.hosts import Host, incarnation, require_cluster, require_one_machine, require_safe_role
from tests.support.servers import PostgresServer


async def test_the_runtime_roles_are_let_in(worker_db: Database, api_db: Database) -> None:
    await require_safe_role(worker_db)
    await require_safe_role(api_db)


async def test_a_role_over_the_policies_is_not(postgres: PostgresServer, database_urls: PostgresUrls) -> None:
    if not isinstance(postgres, EmbeddedPostgres):
        pytest.skip("nobody gives away the superuser of a server that is not ours")
    url = make_url(database_urls.owner).set(username="postgres", password=postgres._passwords["postgres"])
    db = await Database.open(url.render_as_string(hide_password=False), name="test")
    try:
        with pytest.raises(Forbidden, match="row-level security") as caught:
            await require_safe_role(db)
        assert caught.value.remedy == "connect as santral_api or santral_worker"
    finally:
        await db.close()


async def test_files_in_a_folder_are_refused_to_a_second_machine(worker_db: Database) -> None:
    await Host(worker_db, id=uuid4(), process="gateway", health_url=None).register()
    await require_one_machine(worker_db)
    async with worker_db.batch() as connection:
        await connection.execute("update santral.host set machine = 'another'")
    with pytest.raises(Conflict, match="a gateway runs on another") as caught:
        await require_one_machine(worker_db)
    assert "SANTRAL_BLOB_SHARED" in (caught.value.remedy or "")
    async with worker_db.batch() as connection:
        await connection.execute("update santral.host set seen_at = now() - interval '2 minutes'")
    await require_one_machine(worker_db)


async def test_a_database_belongs_to_the_cluster_it_met_first(worker_db: Database) -> None:
    await asyncio.gather(*(require_cluster(worker_db, "first") for _ in range(4)))
    await require_cluster(worker_db, "first")
    with pytest.raises(Conflict, match="belong to the Kafka cluster first, not to second") as caught:
        await require_cluster(worker_db, "second")
    assert "accept-cluster" in str(caught.value)
    await require_cluster(worker_db, "first")


async def test_both_roles_know_the_incarnation(worker_db: Database, api_db: Database) -> None:
    assert await incarnation(worker_db) == await incarnation(api_db)


async def test_a_process_keeps_its_row_and_sweeps_those_that_are_gone(worker_db: Database) -> None:
    host = Host(worker_db, id=uuid4(), process="router", health_url="http://127.0.0.1:9102")
    async with worker_db.session() as connection:
        await connection.execute(
            "insert into santral.host (id, process, machine, pid, version, seen_at)"
            " values ($1, 'api', 'gone', 1, '0', now() - interval '2 minutes')",
            uuid4(),
        )
    await host.register()
    first = await seen(worker_db)
    await host.register()
    (again,) = await seen(worker_db)
    assert [row["process"] for row in first] == ["router"]
    assert again["seen_at"] > first[0]["seen_at"]


async def seen(db: Database) -> list[asyncpg.Record]:
    async with db.session() as connection:
        return await connection.fetch("select process, seen_at from santral.host")
