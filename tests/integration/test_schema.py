"""The schema as it is: row-level security on every table, composite keys, what each role may, one history."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import asyncpg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import create_async_engine

import ingest.tables  # noqa: F401
import profiles.tables  # noqa: F401
import router.tables  # noqa: F401
import services.tables  # noqa: F401  the rooms register their tables
from services.migrate import current, head, migrate
from shared.database import Database
from shared.embedded_postgres import PostgresUrls
from shared.errors import InputRejected
from shared.hosts import require_safe_role
from shared.tables import metadata
from tests.support.servers import PostgresServer
from tests.support.workspaces import Workspace, make_workspace

WITHOUT_WORKSPACE = {"deployment", "host", "lease", "partition_lease", "revision"}


async def tables(db: Database) -> set[str]:
    async with db.session() as connection:
        return {row["tablename"] for row in await connection.fetch("select tablename from pg_tables where schemaname = 'santral'")}


async def test_every_table_is_held_by_row_level_security(worker_db: Database) -> None:
    async with worker_db.session() as connection:
        rows = await connection.fetch(
            "select c.relname, c.relrowsecurity and c.relforcerowsecurity as held, count(p.polname) as policies"
            " from pg_class c join pg_namespace n on n.oid = c.relnamespace left join pg_policy p on p.polrelid = c.oid"
            " where n.nspname = 'santral' and c.relkind = 'r' group by 1, 2"
        )
    for row in rows:
        if row["relname"] not in WITHOUT_WORKSPACE:
            assert (row["held"], row["policies"]) == (True, 3), row["relname"]
    assert {row["relname"] for row in rows} - WITHOUT_WORKSPACE == {
        table.name for table in metadata.tables.values()
    } - WITHOUT_WORKSPACE


async def test_keys_begin_with_the_workspace(worker_db: Database) -> None:
    for table in metadata.tables.values():
        if table.name in WITHOUT_WORKSPACE:
            continue
        if table.primary_key.columns:
            assert next(iter(table.primary_key.columns)).name == "workspace_id", table.name
        for key in table.foreign_key_constraints:
            assert key.column_keys[0] == "workspace_id", (table.name, key.name)
    assert await tables(worker_db)


async def test_the_api_sees_nothing_without_a_workspace_and_only_its_own_with_one(worker_db: Database, api_db: Database) -> None:
    mine, other = await make_workspace(worker_db, name="mine"), await make_workspace(worker_db, name="other")
    async with api_db.session() as connection:
        assert await connection.fetchval("select count(*) from santral.agent") == 0
    async with api_db.batch(mine.id) as connection:
        assert await connection.fetchval("select array_agg(distinct workspace_id) from santral.agent") == [mine.id]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with api_db.batch(mine.id) as connection:
            await connection.execute("insert into santral.skill (workspace_id, name) values ($1, 'x')", other.id)


@pytest.mark.parametrize("table", ["host", "lease", "partition_lease"])
async def test_the_api_has_no_business_with_leases_and_hosts(api_db: Database, table: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with api_db.session() as connection:
            await connection.fetchval(f"select count(*) from santral.{table}")


@pytest.mark.parametrize("statement", ["update santral.audit set actor = 'x'", "delete from santral.audit"])
async def test_the_audit_only_grows(api_db: Database, worker_db: Database, workspace: Workspace, statement: str) -> None:
    for db in (api_db, worker_db):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.batch(workspace.id) as connection:
                await connection.execute(statement)


async def test_a_reference_never_leaves_its_workspace(worker_db: Database) -> None:
    mine, other = await make_workspace(worker_db, name="mine"), await make_workspace(worker_db, name="other")
    with pytest.raises(InputRejected):
        async with worker_db.session() as connection:
            await connection.execute(
                "insert into santral.queue_member (workspace_id, queue_id, agent_id) values ($1, $2, $3)",
                mine.id, mine.queue_id, other.agent_id,
            )  # fmt: skip


async def test_the_tables_in_code_are_the_tables_in_the_database(database_urls: PostgresUrls) -> None:
    engine = create_async_engine(database_urls.owner.replace("postgresql://", "postgresql+asyncpg://"))

    def compared(connection: Connection) -> list[object]:
        context = MigrationContext.configure(
            connection, opts={"include_schemas": True, "version_table": "revision", "version_table_schema": "santral"}
        )
        return list(compare_metadata(context, metadata))

    async with engine.connect() as connection:
        await connection.execute(sa.text("set search_path = public"))
        differences = await connection.run_sync(compared)
    await engine.dispose()
    assert differences == []


async def test_twenty_migrations_at_once_are_one(postgres: PostgresServer) -> None:
    name = f"storm_{uuid4().hex[:10]}"
    urls = await postgres.create_database(name)
    try:
        assert await current(urls.owner) is None
        assert set(await asyncio.gather(*(migrate(urls.owner) for _ in range(20)))) == {head()}
        assert await current(urls.worker) == head()
    finally:
        await postgres.drop_database(name)


async def test_runtime_roles_are_safe(worker_db: Database, api_db: Database) -> None:
    await require_safe_role(worker_db)
    await require_safe_role(api_db)
