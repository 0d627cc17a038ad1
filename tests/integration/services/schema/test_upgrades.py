"""A schema of another release: what processes and `santral migrate` make of one that is older, newer, too new, or nobody's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from services.api.workspaces import make_workspace
from services.frame.process import require_revision
from services.schema.compatibility import SchemaState, read_state
from services.schema.migrate import current, head, migrate
from services.schema.migrations import HEAD, NEEDS
from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from shared.errors import Conflict
from tests.support.schema import migrate_to, revisions, say_revision
from tests.support.servers import PostgresServer

NEWER = "9999"


@pytest.fixture
async def first_release(postgres: PostgresServer) -> AsyncIterator[PostgresUrls]:
    """A database as release 0.1.0 left it."""
    name = f"test_{uuid4().hex[:12]}"
    urls = await postgres.create_database(name)
    await migrate_to(urls.owner, "0003")
    yield urls
    await postgres.drop_database(name)


async def test_a_database_of_the_first_release_is_worked_on_and_migrated(first_release: PostgresUrls) -> None:
    db = await Database.open(first_release.worker, name="test")
    try:
        async with db.session() as connection:
            assert await read_state(connection) == SchemaState(revision="0003")
        assert NEEDS > "0003" or await require_revision(db) == "answers, revision 0003"
        assert await migrate(first_release.owner) == HEAD
        assert await require_revision(db) == f"answers, revision {HEAD}"
        async with db.session() as connection:
            assert await read_state(connection) == SchemaState(revision=HEAD, oldest_head=revisions()[-1].module.WORKS_WITH)
    finally:
        await db.close()


async def test_a_newer_schema_that_works_with_this_release_is_worked_on_and_left_alone(
    database_urls: PostgresUrls, worker_db: Database, api_db: Database
) -> None:
    await say_revision(database_urls.owner, NEWER, HEAD)
    for db in (worker_db, api_db):
        assert await require_revision(db) == f"answers, revision {NEWER}"
    said: list[str] = []
    assert await migrate(database_urls.owner, said.append) == NEWER
    assert said == [f"database schema is at {NEWER}, newer than this release's {head()}, and stays as it is"]
    assert await current(database_urls.owner) == NEWER


@pytest.mark.parametrize(
    ("revision", "oldest_head", "remedy"),
    [
        (NEWER, NEWER, "start the release that migrated it, or a newer one"),
        ("d00d", HEAD, "point at Santral's database, or restore it"),
    ],
)
async def test_another_schema_is_refused_and_left_alone(
    database_urls: PostgresUrls, worker_db: Database, revision: str, oldest_head: str, remedy: str
) -> None:
    await say_revision(database_urls.owner, revision, oldest_head)
    with pytest.raises(Conflict, match=remedy):
        await require_revision(worker_db)
    with pytest.raises(Conflict, match=remedy):
        await migrate(database_urls.owner)
    async with worker_db.session() as connection:
        assert await read_state(connection) == SchemaState(revision=revision, oldest_head=oldest_head)
    await say_revision(database_urls.owner, HEAD, HEAD)
    assert await migrate(database_urls.owner) == HEAD, "the lock was given back"


async def test_an_empty_database_says_so(postgres: PostgresServer) -> None:
    name = f"test_{uuid4().hex[:12]}"
    urls = await postgres.create_database(name)
    db = await Database.open(urls.worker, name="test")
    try:
        with pytest.raises(Conflict, match=f"at nothing, this release works on {NEEDS} to {HEAD}.*run: santral migrate"):
            await require_revision(db)
    finally:
        await db.close()
        await postgres.drop_database(name)


async def test_the_answer_is_one_statement_and_only_the_owner_writes_it(database_urls: PostgresUrls, worker_db: Database) -> None:
    statements: list[str] = []
    for url in (database_urls.api, database_urls.worker):
        connection = await asyncpg.connect(url)
        connection.add_query_logger(lambda query: statements.append(query.query))
        assert (await read_state(connection)).revision == HEAD
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("update santral.revision set oldest_head = '0001'")
        await connection.close()
    assert len([one for one in statements if one.startswith("select")]) == 2


async def test_workspaces_there_are_go_on_as_before_and_new_ones_begin_anew(first_release: PostgresUrls) -> None:
    connection = await asyncpg.connect(first_release.owner)
    try:
        await connection.execute(
            "insert into santral.workspace (workspace_id, id, name, settings)"
            " select i, i, 'w' || n, s from unnest($1::uuid[], array[1, 2], array['{}', '{\"region\": \"TR\"}']::jsonb[]) as g(i, n, s)",
            [uuid4(), uuid4()],
        )
        await migrate(first_release.owner)
        stored = [row["settings"] for row in await connection.fetch("select settings from santral.workspace order by name")]
        assert [json.loads(one) for one in stored] == [{"marked_mail": "aside"}, {"region": "TR", "marked_mail": "aside"}]
        valid = "select indisvalid from pg_index where indexrelid = 'santral.message_aside_ix'::regclass"
        assert await connection.fetchval(valid), "built beside writers, and finished"
    finally:
        await connection.close()
    db = await Database.open(first_release.worker, name="test")
    try:
        made = await make_workspace(db, name="yeni")
        async with db.session() as session:
            settings = await session.fetchval("select settings from santral.workspace where id = $1", made.workspace_id)
    finally:
        await db.close()
    assert settings["marked_mail"] == "work"
