"""An archive ends with whoever is erased whose words it holds, also where they were one person with somebody only when it was made, and with
what is redacted of it."""

from __future__ import annotations

import io
import zipfile
from typing import Any, BinaryIO
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.privacy.erasures import Erasures
from services.privacy.person_export import PersonExports
from services.schema.migrate import migrate
from shared.blobs import Blobs
from shared.blobs_files import FileBlobs
from shared.database import Database
from shared.ids import new_id
from tests.support.api import Api
from tests.support.intake_line import SECRET, Line, Member, member_of, message_to, rows
from tests.support.schema import migrate_to
from tests.support.servers import PostgresServer
from tests.support.workspaces import Workspace

SAID = {"ayse@ornek.com": "Ayşenin sözü", "bora@ornek.com": "Boranın sözü"}


class Desk:
    """Two people who wrote, and an administrator."""

    def __init__(
        self, api: Api, workspace: Workspace, headers: dict[str, str], people: dict[str, str], line: Line, member: Member
    ) -> None:
        self.api, self.workspace, self.headers, self.people = api, workspace, headers, people
        self.line, self.member = line, member
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

    async def joins(self, text: str, beside: str, *, who: str) -> None:
        """Somebody writes into the conversation of the message with these words, with a file."""
        (there,) = await rows(self.api.worker, "select conversation_id as id from santral.message where text = $1", beside)
        key = f"{self.workspace.id}/{new_id()}/attachment-1"
        await self.blobs.put(key, b"dosya")
        part = {"blob": key, "name": "a.txt", "content_type": "text/plain", "size_bytes": 5}
        self.line.add(
            message_to(self.workspace, "smtp", "araya", who=who, text=text, refs=(f"conversation:{there['id']}",), parts=(part,))
        )
        await self.member.take(self.line)

    async def stranger(self) -> str:
        """Somebody else who wrote."""
        self.line.add(message_to(self.workspace, "smtp", "cem", who="cem@ornek.com"))
        await self.member.take(self.line)
        (found,) = await rows(self.api.worker, "select id from santral.handle where value = 'cem@ornek.com'")
        return str(found["id"])

    async def redact(self, text: str, part: int | None = None) -> None:
        (place,) = await rows(self.api.worker, "select conversation_id as id, seq from santral.message where text = $1", text)
        file = "" if part is None else f"/parts/{part}"
        done = await self.call("POST", f"/v1/conversations/{place['id']}/messages/{place['seq']}{file}/redact", {"reason": "law"})
        assert done["changed"]

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
        return [key for key in await self.blobs.keys(f"{self.workspace.id}/") if "/export-" in key]


@pytest.fixture
async def desk(api: Api, worker_db: Database, workspace: Workspace) -> Desk:
    line = Line()
    line.add(*(message_to(workspace, "smtp", who, who=who, text=said) for who, said in SAID.items()))
    member = await member_of(worker_db)
    await member.take(line)
    people = {one["value"]: str(one["id"]) for one in await rows(worker_db, "select id, value from santral.handle")}
    return Desk(api, workspace, await api.key(workspace.id), people, line, member)


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


@pytest.mark.parametrize("part", [None, 0], ids=["words", "a file"])
async def test_an_archive_ends_with_what_is_redacted_of_it(desk: Desk, part: int | None) -> None:
    ayse, bora = desk.people.values()
    before = await desk.export(ayse)
    await desk.made()
    await desk.joins("Boranın araya girdiği söz", SAID["ayse@ornek.com"], who="bora@ornek.com")
    hers, his, others = [await desk.export(one) for one in (ayse, bora, await desk.stranger())]
    for _ in range(3):
        await desk.made()
    for one in (hers, his):
        assert "araya girdiği" in (await desk.words(one) or "")
    waits = await desk.export(ayse)
    await desk.redact("Boranın araya girdiği söz", part)
    assert [await desk.state(one) for one in (before, hers, his, others, waits)] == ["done", "expired", "expired", "done", "asked"]
    assert [await desk.words(one) for one in (hers, his)] == [None, None]
    assert len(await desk.archives()) == 2
    await desk.made()
    words = await desk.words(waits) or ""
    assert SAID["ayse@ornek.com"] in words
    assert ("araya girdiği" in words) is (part is not None)


async def test_an_archive_of_where_it_stood_before_ends_too(desk: Desk) -> None:
    ayse, bora = desk.people.values()
    export = await desk.export(ayse)
    await desk.made()
    (said,) = await rows(
        desk.api.worker, "select id, conversation_id as there from santral.message where handle_id = $1", UUID(ayse)
    )
    (into,) = await rows(desk.api.worker, "select id from santral.conversation where handle_id = $1", UUID(bora))
    await desk.call("POST", f"/v1/conversations/{said['there']}/merge", {"into": str(into["id"])})
    async with desk.api.worker.batch() as connection:
        await connection.execute("update santral.message set handle_id = null where id = $1", said["id"])  # as a note has it
    await desk.redact(SAID["ayse@ornek.com"])
    assert (await desk.state(export), await desk.archives()) == ("expired", [])


async def test_an_export_on_its_way_ends_with_what_is_redacted_of_it(desk: Desk) -> None:
    ayse, bora = desk.people.values()
    export = await desk.export(ayse)
    joined = await desk.call("POST", f"/v1/profiles/{ayse}/merge", {"with": bora})  # after it was asked for

    class Redacting(FileBlobs):
        async def put_file(self, key: str, file: BinaryIO) -> None:
            await desk.redact(SAID["bora@ornek.com"])
            await super().put_file(key, file)

    assert joined
    await desk.made(Redacting(desk.blobs._folder))
    assert (await desk.state(export), await desk.archives()) == ("expired", [])


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
