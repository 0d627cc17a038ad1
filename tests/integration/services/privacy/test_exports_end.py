"""An archive ends with whoever is erased whose words it holds, also where they were one person with somebody only when it was made."""

from __future__ import annotations

import io
import zipfile
from typing import Any, BinaryIO
from uuid import uuid4

import asyncpg
import pytest

from services.privacy.erasures import Erasures
from services.privacy.person_export import PersonExports
from services.schema.migrate import migrate
from shared.blobs import Blobs
from shared.blobs_files import FileBlobs
from shared.database import Database
from tests.support.api import Api
from tests.support.intake_line import SECRET, Line, member_of, message_to, rows
from tests.support.schema import migrate_to
from tests.support.servers import PostgresServer
from tests.support.workspaces import Workspace

SAID = {"ayse@ornek.com": "Ayşenin sözü", "bora@ornek.com": "Boranın sözü"}


class Desk:
    """Two people who wrote, and an administrator."""

    def __init__(self, api: Api, workspace: Workspace, headers: dict[str, str], people: dict[str, str]) -> None:
        self.api, self.workspace, self.headers, self.people = api, workspace, headers, people
        self.blobs: FileBlobs = api.app.state.blobs

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.api.client.request(method, path, json=body, headers=self.headers)
        assert answer.is_success, answer.text
        return answer.json()

    async def export(self, profile: str) -> str:
        asked: str = (await self.call("POST", f"/v1/profiles/{profile}/export"))["id"]
        return asked

    async def made(self, blobs: Blobs | None = None) -> None:
        assert await PersonExports(db=self.api.worker, blobs=blobs or self.blobs).round()

    async def erase(self, profile: str) -> None:
        await self.call("POST", f"/v1/profiles/{profile}/erase", {"reason": "consent_withdrawn", "confirm": profile})
        job = Erasures(db=self.api.worker, blobs=self.blobs, hints=None, secret=SECRET, settle_s=0)
        while await job.round():
            pass

    async def words(self, export: str) -> str | None:
        """All that the archive holds; None when there is none."""
        answer = await self.api.client.get(f"/v1/exports/{export}/file", headers=self.headers)
        if answer.status_code == 404:
            return None
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            return "".join(archive.read(name).decode() for name in archive.namelist())

    async def state(self, export: str) -> str:
        found: str = (await self.call("GET", f"/v1/exports/{export}"))["state"]
        return found

    async def archives(self) -> list[str]:
        return [key for key in await self.blobs.keys(f"{self.workspace.id}/") if key.endswith("export.zip")]


@pytest.fixture
async def desk(api: Api, worker_db: Database, workspace: Workspace) -> Desk:
    line = Line()
    line.add(*(message_to(workspace, "smtp", who, who=who, text=said) for who, said in SAID.items()))
    await (await member_of(worker_db)).take(line)
    people = {one["value"]: str(one["id"]) for one in await rows(worker_db, "select id, value from santral.handle")}
    return Desk(api, workspace, await api.key(workspace.id), people)


async def test_an_archive_of_who_was_one_person_ends_when_either_half_is_erased(desk: Desk) -> None:
    ayse, bora = desk.people.values()
    merged = await desk.call("POST", f"/v1/profiles/{ayse}/merge", {"with": bora})
    head: str = merged["profile_id"]
    (other,) = {ayse, bora} - {head}
    export = await desk.export(head)
    await desk.made()
    words = await desk.words(export)
    assert words is not None
    assert all(said in words for said in SAID.values())
    waits = await desk.export(head)
    await desk.call("POST", f"/v1/profiles/{head}/unmerge", {"link": merged["link_id"]})
    own = await desk.export(head)
    await desk.erase(other)
    assert (await desk.words(export), await desk.state(export), await desk.archives()) == (None, "expired", [])
    assert (await desk.state(waits), await desk.state(own)) == ("expired", "asked")
    await desk.made()
    assert (await desk.words(own) or "").count("sözü") > 0


async def test_an_archive_ends_with_somebody_else_who_wrote_in_it(desk: Desk) -> None:
    ayse, bora = desk.people.values()
    async with desk.api.worker.batch() as connection:
        await connection.execute(
            "update santral.message set handle_id = $1, text = 'Boranın araya girdiği söz' where handle_id = $2", bora, ayse
        )
    export = await desk.export(ayse)
    await desk.made()
    assert "araya girdiği" in (await desk.words(export) or "")
    await desk.erase(bora)
    assert (await desk.words(export), await desk.archives()) == (None, [])


class Waiting(FileBlobs):
    """A store that lets somebody act before it takes an archive."""

    def __init__(self, desk: Desk, who: str) -> None:
        super().__init__(desk.blobs._folder)
        self.desk, self.who = desk, who

    async def put_file(self, key: str, file: BinaryIO) -> None:
        await self.desk.erase(self.who)
        await super().put_file(key, file)


async def test_an_export_on_its_way_ends_when_somebody_in_it_is_erased(desk: Desk) -> None:
    ayse, bora = desk.people.values()
    merged = await desk.call("POST", f"/v1/profiles/{ayse}/merge", {"with": bora})
    head: str = merged["profile_id"]
    (other,) = {ayse, bora} - {head}
    export = await desk.export(head)
    async with desk.api.worker.batch() as connection:  # it was asked for before they were one person
        await connection.execute("update santral.person_export set handles = array[$1::uuid]", head)

    class Unmerging(Waiting):
        async def put_file(self, key: str, file: BinaryIO) -> None:
            await desk.call("POST", f"/v1/profiles/{head}/unmerge", {"link": merged["link_id"]})
            await super().put_file(key, file)

    await desk.made(Unmerging(desk, other))
    assert (await desk.state(export), await desk.archives()) == ("expired", [])


async def test_an_archive_from_before_is_everybodys_who_was_ever_joined_to_its_person(postgres: PostgresServer) -> None:
    name = f"test_{uuid4().hex[:12]}"
    urls = await postgres.create_database(name)
    try:
        await migrate_to(urls.owner, "0018")
        connection = await asyncpg.connect(urls.owner)
        try:
            workspace = uuid4()
            head, same, once, before, other = (uuid4() for _ in range(5))
            await connection.execute(
                "insert into santral.workspace (id, workspace_id, name, title) values ($1, $1, 'eski', '')", workspace
            )
            for one, profile in ((head, head), (same, head), (once, once), (before, before), (other, other)):
                await connection.execute(
                    "insert into santral.handle (workspace_id, id, profile_id, kind, scope, value, raw) values ($1, $2, $3, 'x', '', $4, '')",
                    workspace, one, profile, str(one),
                )  # fmt: skip
            for a, b in ((same, once), (before, once)):
                await connection.execute(
                    "insert into santral.link (workspace_id, id, a, b, kind, assurance, source, first_seen_at, last_seen_at, retracted_at)"
                    " values ($1, gen_random_uuid(), least($2::uuid, $3::uuid), greatest($2::uuid, $3::uuid), 'manual', 'asserted', '{}',"
                    " now(), now(), now())",
                    workspace, a, b,
                )  # fmt: skip
            for state in ("done", "expired"):
                await connection.execute(
                    "insert into santral.person_export (workspace_id, id, profile_id, actor, state)"
                    " values ($1, gen_random_uuid(), $2, 'x', $3)",
                    workspace, head, state,
                )  # fmt: skip
            await migrate(urls.owner)
            kept = await connection.fetch("select state, handles from santral.person_export order by state")
            assert [(row["state"], set(row["handles"])) for row in kept] == [
                ("done", {head, same, once, before}),
                ("expired", set()),
            ]
        finally:
            await connection.close()
    finally:
        await postgres.drop_database(name)
