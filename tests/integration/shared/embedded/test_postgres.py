"""The embedded PostgreSQL: what it hands out, what it survives, and whom it leaves alone."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from shared.embedded.account import programs
from shared.embedded.errors import FolderInUse, FolderUnusable, ServerFailed
from shared.embedded.postgres import EmbeddedPostgres
from shared.embedded.process import Account, processes_of
from tests.support.embedded_run import gone, host, open_interpreter

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's parent death signal and pidfd")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
NOBODY = 65534


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    async with EmbeddedPostgres(tmp_path) as running:
        yield running


async def value(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_three_doors_and_none_is_a_superuser(server: EmbeddedPostgres) -> None:
    urls = server.urls()
    for url, role in ((urls.owner, "santral_owner"), (urls.api, "santral_api"), (urls.worker, "santral_worker")):
        assert urlsplit(url).hostname == "127.0.0.1"
        assert await value(url, "select current_user") == role
        assert (
            await value(
                url, "select rolsuper or rolbypassrls or rolcreaterole or rolcreatedb from pg_roles where rolname = current_user"
            )
            is False
        )
    assert await value(urls.owner, "select pg_get_userbyid(datdba) from pg_database where datname = 'santral'") == "santral_owner"
    assert "santral_api:" not in repr(urls)


async def test_settings_are_durable_and_utc(server: EmbeddedPostgres) -> None:
    wanted = {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "TimeZone": "UTC",
        "jit": "off",
        "max_connections": "200",
    }
    for name, setting in wanted.items():
        assert await value(server.urls().api, f"select current_setting('{name}')") == setting
    assert str(await value(server.urls().api, "show server_version")).startswith("18.")
    assert await value(server.urls().api, "select lower('ÇĞÖŞÜ')") == "çğöşü"


async def test_the_owner_sets_the_runtime_roles_settings_and_has_none_of_their_rights(server: EmbeddedPostgres) -> None:
    connection = await asyncpg.connect(server.urls().owner)
    await connection.execute("set role santral_api; alter role santral_api set lock_timeout = '2s'; reset role")
    assert await connection.fetchval("select pg_has_role('santral_owner', 'santral_api', 'usage')") is False
    await connection.close()
    assert await value(server.urls().api, "show lock_timeout") == "2s"


@pytest.mark.parametrize("role", ["postgres", "santral_api"])
async def test_nobody_enters_without_the_password(server: EmbeddedPostgres, role: str) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(server.urls().api.replace("santral_api:", f"{role}:wrong"))


async def test_databases_are_made_from_a_template_and_dropped(server: EmbeddedPostgres) -> None:
    first = await server.create_database("first")
    connection = await asyncpg.connect(first.owner)
    await connection.execute("create table greeting as select 'merhaba' as text")
    await connection.close()
    second = await server.create_database("second", template="first")
    assert await value(second.owner, "select text from greeting") == "merhaba"
    lingering = await asyncpg.connect(second.api)
    await server.drop_database("second")
    await server.drop_database("second")
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(second.owner)
    await lingering.close()
    with pytest.raises(ValueError, match="not a database name"):
        await server.create_database('x"; drop database santral; --')


async def test_a_second_start_keeps_data_port_and_passwords(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    urls = await server.start()
    assert list(await asyncio.gather(server.start(), server.start())) == [urls, urls]
    connection = await asyncpg.connect(urls.owner)
    await connection.execute("create table kept as select 42 as n")
    await connection.close()
    await server.stop()
    await server.stop()
    async with EmbeddedPostgres(tmp_path) as again:
        assert again.urls() == urls
        assert await value(urls.owner, "select n from kept") == 42
    assert not (tmp_path / "postgres" / "data" / "postmaster.pid").exists()


async def test_secrets_are_for_this_account_only(server: EmbeddedPostgres) -> None:
    assert stat.S_IMODE((server.folder / "passwords.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((server.folder / "data").stat().st_mode) == 0o700


async def test_folders_above_keep_their_modes(tmp_path: Path) -> None:
    closed = tmp_path / "home"
    closed.mkdir(mode=0o700)
    above = [closed, tmp_path, *tmp_path.parents]
    before = [(step.stat().st_mode, step.stat().st_uid) for step in above]
    async with EmbeddedPostgres(closed / "data"):
        assert [(step.stat().st_mode, step.stat().st_uid) for step in above] == before


@linux
@pytest.mark.parametrize("whole_tree", [True, False])
async def test_acknowledged_rows_survive_a_kill(tmp_path: Path, *, whole_tree: bool) -> None:
    async with host("postgres", tmp_path) as writer:
        await writer.hear_acknowledged(50)
        if whole_tree:
            os.kill(writer.server_pid, signal.SIGKILL)
        await writer.kill()
        await asyncio.wait_for(gone(writer.server_pid), 30)
    async with EmbeddedPostgres(tmp_path) as server:
        count = await value(server.urls().owner, "select count(*) from kept")
        assert isinstance(count, int)
        assert count >= len(writer.acknowledged)


@linux
async def test_a_server_left_behind_is_ended_and_its_rows_are_kept(tmp_path: Path) -> None:
    async with host("postgres", tmp_path) as writer:
        await writer.hear_acknowledged(10)
        os.kill(writer.server_pid, signal.SIGSTOP)  # it cannot follow its parent
        await writer.kill()
        assert writer.server_pid in processes_of(tmp_path / "postgres" / "data", "postgres")
        sentences: list[str] = []
        server = EmbeddedPostgres(tmp_path)
        await server.start(sentences.append)
    await asyncio.wait_for(gone(writer.server_pid), 5)
    assert any("left behind" in sentence for sentence in sentences)
    assert await value(server.urls().owner, "select count(*) from kept") in range(len(writer.acknowledged), 10_000)
    await server.stop()


async def test_the_same_object_starts_again_after_a_kill(server: EmbeddedPostgres) -> None:
    urls, first = server.urls(), server.pid
    await server.kill()
    assert not server.running
    assert await server.start() == urls
    assert server.pid != first
    assert await value(urls.owner, "select 1") == 1


async def test_a_stranger_with_the_old_number_is_left_alone(tmp_path: Path) -> None:
    pid_file = tmp_path / "postgres" / "data" / "postmaster.pid"
    async with EmbeddedPostgres(tmp_path) as server:
        written = pid_file.read_text()
        account = pid_file.stat().st_uid if os.geteuid() == 0 else None  # the server's own: for it, the number looks alive
        await server.kill()
    with subprocess.Popen(["sleep", "600"], user=account) as stranger:
        try:
            pid_file.write_text(f"{stranger.pid}\n" + written.partition("\n")[2])
            async with EmbeddedPostgres(tmp_path) as server:
                assert await value(server.urls().owner, "select 1") == 1
                assert stranger.poll() is None
            assert stranger.poll() is None
        finally:
            stranger.kill()


async def test_a_folder_in_use_is_refused_by_name(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path) as server:
        with pytest.raises(FolderInUse, match=f"process {os.getpid()}"):
            await EmbeddedPostgres(tmp_path).start()
        async with host("postgres", tmp_path) as second:
            assert (await second.hear()).startswith(f"refused The folder {tmp_path / 'postgres'} is in use by another Santral")
        assert await value(server.urls().owner, "select 1") == 1


async def test_two_racing_for_a_new_folder_give_one_server(tmp_path: Path) -> None:
    async with host("postgres", tmp_path) as one, host("postgres", tmp_path) as other:
        answers = sorted(line.split()[0] for line in await asyncio.gather(one.hear(), other.hear()))
        assert answers == ["refused", "server"]


async def test_a_taken_port_is_replaced_and_told(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path) as server:
        before = urlsplit(server.urls().owner).port
    assert before is not None
    sentences: list[str] = []
    with socket.create_server(("127.0.0.1", before)):
        server = EmbeddedPostgres(tmp_path)
        urls = await server.start(sentences.append)
        assert urlsplit(urls.owner).port != before
        assert any(f"Port {before} is taken" in sentence for sentence in sentences)
        await server.stop()


async def test_half_a_first_start_is_begun_anew(tmp_path: Path) -> None:
    leftover = tmp_path / "postgres" / "data.new"
    leftover.mkdir(parents=True)
    (leftover / "PG_VERSION").write_text("18\n")
    async with EmbeddedPostgres(tmp_path) as server:
        assert await value(server.urls().owner, "select 1") == 1


async def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "postgres").write_text("")
    with pytest.raises(FolderUnusable, match="a file stands where a folder is needed"):
        await EmbeddedPostgres(tmp_path).start()


async def test_lost_passwords_are_told_and_nothing_is_made_up(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path) as server:
        passwords = server.folder / "passwords.json"
    passwords.unlink()
    with pytest.raises(ServerFailed, match="bring it back from a backup"):
        await EmbeddedPostgres(tmp_path).start()
    assert not passwords.exists()


async def test_version_16_runs_and_18_refuses_its_folder(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path, version=16) as server:
        assert str(await value(server.urls().api, "show server_version")).startswith("16.")
        assert await value(server.urls().api, "select lower('ÇĞÖŞÜ')") == "çğöşü"
    with pytest.raises(ServerFailed, match="made by PostgreSQL 16"):
        await EmbeddedPostgres(tmp_path, version=18).start()


@as_root
async def test_a_plain_user_runs_it_and_root_goes_on_with_it() -> None:
    interpreter = open_interpreter()
    if interpreter is None:
        pytest.skip("every Python here lies in a closed folder")
    folder = Path(tempfile.mkdtemp())
    try:
        os.chown(folder, NOBODY, NOBODY)
        async with host("postgres", folder, user=NOBODY, interpreter=interpreter) as writer:
            await writer.hear_acknowledged(1)
            assert Path(f"/proc/{writer.server_pid}").stat().st_uid == NOBODY
        await asyncio.wait_for(gone(writer.server_pid), 30)
        async with EmbeddedPostgres(folder) as server:  # root goes on with it, as the data's owner
            assert Path(f"/proc/{server.pid}").stat().st_uid == NOBODY
            assert await value(server.urls().owner, "select count(*) > 0 from kept") is True
    finally:
        shutil.rmtree(folder)


@as_root
async def test_root_runs_it_as_an_unprivileged_account(server: EmbeddedPostgres) -> None:
    assert Path(f"/proc/{server.pid}").stat().st_uid != 0


def test_programs_open_to_everybody_are_used_in_place() -> None:
    told: list[str] = []
    found = programs(18, Account(name="nobody", uid=NOBODY, gid=NOBODY), told.append)
    assert (found / "postgres").exists()
    with pytest.raises(ServerFailed, match="use 16 or 18"):
        programs(9, None, told.append)
