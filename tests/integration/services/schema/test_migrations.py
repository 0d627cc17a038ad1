"""The schema: migrated once by however many ask at once, and equal to what the code's tables say."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from services.schema.migrate import current, head, migrate
from shared.embedded.postgres import PostgresUrls
from shared.tables import SCHEMA
from tests.support.servers import PostgresServer
from tests.support.tables import all_tables


async def test_many_that_migrate_an_empty_database_at_once_make_it_once(postgres: PostgresServer) -> None:
    name = f"migrated_{uuid4().hex[:12]}"
    urls = await postgres.create_database(name)
    try:
        assert await current(urls.owner) is None
        said: list[str] = []
        assert await asyncio.gather(*(migrate(urls.owner, said.append) for _ in range(4))) == [head()] * 4
        assert len(said) == 4
        assert await migrate(urls.owner) == head()
        assert [await current(url) for url in (urls.owner, urls.api, urls.worker)] == [head()] * 3
        engine = create_async_engine(make_url(urls.owner).set(drivername="postgresql+asyncpg"))
        async with engine.connect() as connection:
            assert (await connection.execute(sa.text("select count(*) from santral.deployment"))).scalar_one() == 1
        await engine.dispose()
    finally:
        await postgres.drop_database(name)


async def test_the_migrated_schema_is_what_the_tables_say(database_urls: PostgresUrls) -> None:
    metadata = all_tables()
    engine = create_async_engine(make_url(database_urls.owner).set(drivername="postgresql+asyncpg"))

    def differences(connection: sa.Connection) -> list[object]:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, _: kind != "schema" or name == SCHEMA,
                "include_object": lambda thing, name, kind, reflected, _: not (kind == "table" and name == "revision"),
                "compare_type": True,
                "compare_server_default": True,
            },
        )
        return list(compare_metadata(context, metadata))

    async with engine.connect() as connection:
        found = await connection.run_sync(differences)
        checks = await connection.execute(
            sa.text(
                "select t.relname, c.conname from pg_constraint c join pg_class t on t.oid = c.conrelid"
                " join pg_namespace n on n.oid = t.relnamespace where n.nspname = 'santral' and c.contype = 'c'"
            )
        )
        migrated = {(row[0], row[1]) for row in checks}
    await engine.dispose()
    assert found == []
    assert len(metadata.tables) > 30
    declared = {
        (table.name, str(constraint.name))
        for table in metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, sa.CheckConstraint)
    }
    assert migrated == declared
