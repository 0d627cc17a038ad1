"""An export that two couriers came to make, one after the other's lease: one archive, its own try's, and it is there."""

from __future__ import annotations

import asyncio
import contextlib
import io
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO
from uuid import UUID

import pytest

from services.privacy.blob_orphans import collect_orphans
from services.privacy.person_export import TRIES, PersonExports
from shared.blobs_files import FileBlobs
from shared.errors import Unavailable
from shared.ids import first_id_at
from tests.support.api import Api
from tests.support.intake_line import rows
from tests.support.waiting import eventually
from tests.support.workspaces import Workspace, add_item


class Held(FileBlobs):
    """A store that takes an archive when it is told to, and may be away then."""

    def __init__(self, store: FileBlobs) -> None:
        super().__init__(store._folder)
        self.reached, self.go_on, self.away = asyncio.Event(), asyncio.Event(), False

    async def put_file(self, key: str, file: BinaryIO) -> None:
        self.reached.set()
        await self.go_on.wait()
        if self.away:
            raise Unavailable("the store is away")
        await super().put_file(key, file)


class Asked:
    """An export that was asked for."""

    def __init__(self, api: Api, workspace: Workspace, headers: dict[str, str]) -> None:
        self.api, self.workspace, self.headers, self.id = api, workspace, headers, ""
        self.store: FileBlobs = api.app.state.blobs

    async def ask(self) -> None:
        (person,) = await rows(self.api.worker, "select profile_id as id from santral.handle")
        asked = await self.api.client.post(f"/v1/profiles/{person['id']}/export", headers=self.headers)
        assert asked.status_code == 202, asked.text
        self.id = asked.json()["id"]

    def courier(self, store: FileBlobs | None = None, **options: float) -> PersonExports:
        return PersonExports(db=self.api.worker, blobs=store or self.store, **options)

    @contextlib.asynccontextmanager
    async def held(self, **options: float) -> AsyncIterator[tuple[Held, asyncio.Task[bool]]]:
        """A courier that has made the archive and is about to keep it."""
        store = Held(self.store)
        making = asyncio.create_task(self.courier(store, **options).round())
        try:
            async with asyncio.timeout(30):
                await store.reached.wait()
            yield store, making
        finally:
            making.cancel()
            await asyncio.gather(making, return_exceptions=True)

    async def execute(self, statement: str, *values: Any) -> None:
        async with self.api.worker.batch() as connection:
            await connection.execute(statement, *values)

    async def runs_out(self) -> None:
        await self.execute("update santral.person_export set due_at = clock_timestamp()")

    async def writes(self, text: str) -> None:
        await self.execute("update santral.handle set name = $1", text)

    async def row(self) -> dict[str, Any]:
        (found,) = await rows(self.api.worker, "select * from santral.person_export where id = $1", UUID(self.id))
        return dict(found)

    async def words(self) -> str:
        answer = await self.api.client.get(f"/v1/exports/{self.id}/file", headers=self.headers)
        assert answer.status_code == 200, answer.text
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            return "".join(archive.read(name).decode() for name in archive.namelist())

    async def files(self) -> list[str]:
        return await self.store.keys(f"{self.workspace.id}/{self.id}/")


@pytest.fixture
async def asked(api: Api, workspace: Workspace) -> Asked:
    await add_item(api.worker, workspace)
    export = Asked(api, workspace, await api.key(workspace.id))
    await export.ask()
    return export


async def test_who_is_overtaken_takes_nobodys_archive_with_it(asked: Asked) -> None:
    async with asked.held() as (store, making):
        await asked.runs_out()
        await asked.writes("sonradan")
        assert await asked.courier().round()
        store.go_on.set()
        assert await making
    assert "sonradan" in await asked.words()
    made = await asked.row()
    assert (made["state"], await asked.files()) == ("done", [made["blob"]])
    assert await asked.store.size(made["blob"]) == made["size_bytes"]


async def test_who_is_overtaken_does_not_end_what_another_makes(asked: Asked) -> None:
    async with asked.held() as (overtaken, first):
        await asked.runs_out()
        async with asked.held() as (store, second):
            await asked.writes("sonradan")
            overtaken.go_on.set()
            assert await first
            assert (await asked.row())["state"] == "running"
            store.go_on.set()
            assert await second
    await asked.words()
    assert await asked.files() == [(await asked.row())["blob"]]


async def test_what_a_try_left_behind_is_not_taken_for_the_next_ones(asked: Asked) -> None:
    async with asked.held() as (store, making):
        store.go_on.set()
        await making
    left = await asked.row()
    # The process ended between the store and the row.
    await asked.execute("update santral.person_export set state = 'running', blob = null, due_at = clock_timestamp()")
    await asked.writes("sonradan")
    assert await asked.courier().round()
    assert "sonradan" in await asked.words()
    made = await asked.row()
    assert made["blob"] != left["blob"]
    assert await asked.store.size(made["blob"]) == made["size_bytes"]
    await asked.runs_out()
    assert await asked.courier().round()
    assert ((await asked.row())["state"], await asked.files()) == ("expired", [])


async def test_a_lease_is_kept_however_long_the_making_takes(asked: Asked) -> None:
    async with asked.held(lease_s=0.3) as (store, making):
        taken = await asked.row()

        async def kept() -> bool:
            row = await asked.row()
            return bool(row["due_at"] > taken["due_at"])

        await eventually(kept, 10, "the lease was kept")
        store.go_on.set()
        assert await making
    assert ((await asked.row())["attempts"], await asked.files()) == (1, [(await asked.row())["blob"]])


async def test_tries_that_nobody_could_tell_the_end_of_are_no_more_than_others(asked: Asked) -> None:
    await asked.store.put(f"{asked.workspace.id}/{asked.id}/export-1.zip", b"left by a courier that ended")
    await asked.execute("update santral.person_export set state = 'running', attempts = $1", TRIES)
    assert await asked.courier().round()
    assert ((await asked.row())["state"], await asked.files()) == ("failed", [])


async def test_an_archive_that_no_export_names_goes_a_day_later(asked: Asked) -> None:
    assert await asked.courier().round()
    old = first_id_at(datetime.now(UTC) - timedelta(days=2))
    left, named = (f"{asked.workspace.id}/{old}/export-{number}.zip" for number in (1, 2))
    await asked.execute(
        "insert into santral.person_export (workspace_id, id, profile_id, actor, state, blob, due_at)"
        " select workspace_id, $1, profile_id, actor, 'done', $2, due_at from santral.person_export",
        old, named,
    )  # fmt: skip
    for key in (left, named):
        await asked.store.put(key, b"x")
    assert await collect_orphans(asked.api.worker, asked.store) == 1
    assert await asked.store.keys(f"{asked.workspace.id}/") == sorted([named, (await asked.row())["blob"]])
