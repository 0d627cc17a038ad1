"""Row-level security of every table there is: found in the catalogue, not listed here, so a new table cannot be forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import asyncpg
import pytest

from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from shared.errors import Conflict
from tests.support.workspaces import Workspace, add_item, make_workspace

WITHOUT_WORKSPACE = {"deployment", "host", "lease", "partition_lease", "revision"}
ROLES = ("santral_api", "santral_worker", "santral_owner")
NOT_BY_THE_API = {"audit_link", "audit_anchor"}
"""Tables that the API reads and never writes."""
TOKENS = {"public_id", "path_token"}
NOT_YOURS = "42501"


@pytest.fixture
async def api(database_urls: PostgresUrls) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """The API's role without our wrapper: what the database itself holds."""
    connection = await asyncpg.connect(database_urls.api)
    yield connection
    await connection.close()


async def names(db: Database) -> list[str]:
    async with db.session() as connection:
        rows = await connection.fetch("select tablename from pg_tables where schemaname = 'santral' order by 1")
    return [row["tablename"] for row in rows]


async def of_workspaces(db: Database) -> list[str]:
    return [name for name in await names(db) if name not in WITHOUT_WORKSPACE]


async def test_every_table_is_forced_and_has_its_three_policies(worker_db: Database) -> None:
    async with worker_db.session() as connection:
        tables = await connection.fetch(
            "select c.relname as name, c.relrowsecurity as enabled, c.relforcerowsecurity as forced,"
            " (select count(*) from pg_attribute a where a.attrelid = c.oid and a.attname = 'workspace_id' and a.attnotnull) as owned"
            " from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'santral' and c.relkind in ('r', 'p')"
        )
        policies = await connection.fetch(
            "select tablename, roles::text[] as roles, cmd, qual, with_check from pg_policies where schemaname = 'santral'"
        )
    assert {row["name"] for row in tables if not row["owned"]} == WITHOUT_WORKSPACE
    for table in tables:
        found = {tuple(row["roles"]): row for row in policies if row["tablename"] == table["name"]}
        if table["name"] in WITHOUT_WORKSPACE:
            assert found == {}
            continue
        assert (table["enabled"], table["forced"]) == (True, True), table["name"]
        assert set(found) == {(role,) for role in ROLES}, table["name"]
        assert {row["cmd"] for row in found.values()} == {"ALL"}
        for role in ("santral_worker", "santral_owner"):
            assert (found[(role,)]["qual"], found[(role,)]["with_check"]) == ("true", "true")
        own = found[("santral_api",)]
        assert own["qual"] == own["with_check"]
        assert "workspace_id" in own["qual"]
        assert "app.workspace" in own["qual"]


async def test_keys_have_the_workspace_in_them(worker_db: Database) -> None:
    """A unique key without the workspace would tell one tenant what another has; only random tokens may be unique for all."""
    async with worker_db.session() as connection:
        rows = await connection.fetch(
            "select t.relname as name, (select array_agg(a.attname::text order by k.place) from unnest(i.indkey) with ordinality"
            " as k(number, place) join pg_attribute a on a.attrelid = t.oid and a.attnum = k.number) as columns"
            " from pg_index i join pg_class t on t.oid = i.indrelid join pg_namespace n on n.oid = t.relnamespace"
            " where n.nspname = 'santral' and i.indisunique"
        )
    others = {
        (row["name"], *row["columns"])
        for row in rows
        if row["name"] not in WITHOUT_WORKSPACE and "workspace_id" not in row["columns"] and row["columns"][-1] not in TOKENS
    }
    # Whoever may write a mail can ask which addresses there are, and an address that two had would be the mail of one read by the other.
    assert others == {("workspace", "name"), ("inbox", "mailbox")}


async def test_no_role_may_pass_over_the_policies(worker_db: Database) -> None:
    async with worker_db.session() as connection:
        rows = await connection.fetch("select rolname, rolsuper, rolbypassrls from pg_roles where rolname = any($1)", list(ROLES))
        member = await connection.fetchval(
            "select count(*) from pg_auth_members m join pg_roles r on r.oid = m.member where r.rolname = any($1)",
            ["santral_api", "santral_worker"],
        )
        owners = await connection.fetch("select distinct tableowner from pg_tables where schemaname = 'santral'")
    assert len(rows) == 3
    assert not any(row["rolsuper"] or row["rolbypassrls"] for row in rows)
    assert member == 0
    assert [row["tableowner"] for row in owners] == ["santral_owner"]


async def test_without_a_workspace_the_api_sees_nothing(
    worker_db: Database, workspace: Workspace, api: asyncpg.Connection[asyncpg.Record]
) -> None:
    await add_item(worker_db, workspace)
    seen = 0
    for table in await of_workspaces(worker_db):
        assert await api.fetchval(f'select count(*) from santral."{table}"') == 0, table
        async with worker_db.session() as connection:
            seen += await connection.fetchval(f'select count(*) from santral."{table}"') > 0
    assert seen >= 10


async def test_a_workspace_sees_its_own_and_touches_no_other(
    worker_db: Database, workspace: Workspace, api_db: Database, api: asyncpg.Connection[asyncpg.Record]
) -> None:
    other = await make_workspace(worker_db, name="other")
    await add_item(worker_db, other)
    for table in await of_workspaces(worker_db):
        async with api_db.batch(workspace.id) as connection:
            foreign = await connection.fetchval(f'select count(*) from santral."{table}" where workspace_id <> $1', workspace.id)
            assert foreign == 0, table
    async with api_db.batch(workspace.id) as connection:
        assert await connection.fetchval("select count(*) from santral.inbox") == len(workspace.inboxes)
        assert await connection.execute("update santral.agent set title = 'x' where id = $1", other.agent_id) == "UPDATE 0"
        assert await connection.execute("delete from santral.inbox where workspace_id = $1", other.id) == "DELETE 0"
    assert await state_of(api, "update santral.agent set workspace_id = $1", workspace.id, other.id) == NOT_YOURS


async def state_of(api: asyncpg.Connection[asyncpg.Record], statement: str, workspace: UUID | None, *values: UUID) -> str | None:
    """The SQLSTATE that a statement of this workspace's ends with; None when it succeeds. Nothing is kept."""
    transaction = api.transaction()
    await transaction.start()
    try:
        if workspace is not None:
            await api.execute("select set_config('app.workspace', $1, true)", str(workspace))
        await api.execute(statement, *values)
    except asyncpg.PostgresError as error:
        return str(error.sqlstate)
    finally:
        await transaction.rollback()
    return None


async def test_no_row_can_be_written_into_another_workspace(
    worker_db: Database, workspace: Workspace, api: asyncpg.Connection[asyncpg.Record]
) -> None:
    other = uuid4()
    for table in await of_workspaces(worker_db):
        insert = f'insert into santral."{table}" (workspace_id) values ($1)'
        assert await state_of(api, insert, workspace.id, other) == NOT_YOURS, table
        assert await state_of(api, insert, None, other) == NOT_YOURS, table
        assert (await state_of(api, insert, workspace.id, workspace.id) == NOT_YOURS) == (table in NOT_BY_THE_API), table


async def test_leases_and_hosts_are_out_of_the_apis_reach(
    worker_db: Database, workspace: Workspace, api: asyncpg.Connection[asyncpg.Record]
) -> None:
    for table in ("host", "lease", "partition_lease"):
        assert await state_of(api, f"select 1 from santral.{table}", workspace.id) == NOT_YOURS
        assert await state_of(api, f"delete from santral.{table}", workspace.id) == NOT_YOURS
    assert await state_of(api, "select incarnation from santral.deployment", workspace.id) is None
    assert await state_of(api, "update santral.deployment set kafka_cluster_id = null", workspace.id) == NOT_YOURS
    assert await state_of(api, "update santral.revision set version_num = 'x'", workspace.id) == NOT_YOURS
    assert await state_of(api, "create table santral.mine (x int)", workspace.id) == NOT_YOURS


async def test_what_may_only_grow_is_never_changed_by_a_running_process(worker_db: Database) -> None:
    async with worker_db.session() as connection:
        for role in ("santral_api", "santral_worker"):
            for table in ("audit", "placement"):
                rights = {
                    right: await connection.fetchval("select has_table_privilege($1, $2, $3)", role, f"santral.{table}", right)
                    for right in ("select", "insert", "update", "delete", "truncate")
                }
                assert rights == {"select": True, "insert": True, "update": False, "delete": False, "truncate": False}


async def test_the_chain_of_the_audit_is_written_by_the_worker_and_begun_anew_by_the_owner_alone(worker_db: Database) -> None:
    async with worker_db.session() as connection:
        for role, table, writes in (
            ("santral_api", "audit_link", False), ("santral_worker", "audit_link", True),
            ("santral_api", "audit_anchor", False), ("santral_worker", "audit_anchor", False),
        ):  # fmt: skip
            rights = {
                right: await connection.fetchval("select has_table_privilege($1, $2, $3)", role, f"santral.{table}", right)
                for right in ("select", "insert", "update", "delete", "truncate")
            }
            assert rights == {"select": True, "insert": writes, "update": False, "delete": False, "truncate": False}, (role, table)
        for function in ("audit_expire(uuid, timestamptz, integer)", "audit_link_expire(uuid, integer)"):
            rights = {
                role: await connection.fetchval("select has_function_privilege($1, $2, 'execute')", role, f"santral.{function}")
                for role in ("santral_api", "santral_worker")
            }
            assert rights == {"santral_api": False, "santral_worker": True}


async def test_the_one_way_to_find_a_workspace_is_the_credentials(
    worker_db: Database, workspace: Workspace, api: asyncpg.Connection[asyncpg.Record]
) -> None:
    token = f"token-{workspace.inboxes['webchat']}"
    assert await api.fetchval("select workspace_id from santral.credential('inbox', $1)", token) == workspace.id
    assert await api.fetchval("select count(*) from santral.credential('inbox', '')") == 0
    async with worker_db.session() as connection:
        definers = await connection.fetch(
            "select p.proname as name, p.proacl::text as rights, p.proconfig from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
            " where n.nspname = 'santral' and p.prosecdef"
        )
    assert "credential" in {row["name"] for row in definers}
    for row in definers:
        assert row["rights"] is not None
        assert not any(right.startswith("=") for right in row["rights"].strip("{}").split(",")), row["name"]
        assert any(one.startswith("search_path=") for one in row["proconfig"] or ()), row["name"]


async def test_a_setting_left_behind_does_not_reach_the_next_transaction(api_db: Database, workspace: Workspace) -> None:
    async with api_db.batch(workspace.id) as connection:
        assert await connection.fetchval("select count(*) from santral.inbox") > 0
    for _ in range(api_db.pool_size + 1):
        async with api_db.batch() as connection:
            assert await connection.fetchval("select count(*) from santral.inbox") == 0


async def test_a_reference_never_leaves_its_workspace(worker_db: Database) -> None:
    mine, other = await make_workspace(worker_db, name="mine"), await make_workspace(worker_db, name="other")
    with pytest.raises(Conflict):
        async with worker_db.session() as connection:
            await connection.execute(
                "insert into santral.queue_member (workspace_id, queue_id, agent_id) values ($1, $2, $3)",
                mine.id, mine.queue_id, other.agent_id,
            )  # fmt: skip
