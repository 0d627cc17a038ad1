"""Files kept for answers: each is one answer's and goes when that goes, never before; what no answer takes in a day goes by itself."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from router.commands.kept_files import COUNTED_BYTES_MIN, keep, run_out, take
from services.privacy.blob_orphans import note_unsent
from services.privacy.blob_removals import remove_left
from services.privacy.person_export import PersonExports
from services.schema.migrate import migrate
from shared.embedded.postgres import PostgresUrls
from shared.ids import new_id
from tests.support.api import Api
from tests.support.intake_line import rows
from tests.support.office import FREE, HELD, Office, office_of
from tests.support.waiting import eventually
from tests.support.workspaces import Workspace, make_workspace

Kept = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Desk:
    """An office whose agents answer with files."""

    office: Office

    async def upload(self, content: bytes = b"ek") -> httpx.Response:
        return await self.office.api.client.post("/v1/files?name=ek.txt", content=content, headers=self.office.admin)

    async def kept(self, content: bytes = b"ek") -> Kept:
        answer = await self.upload(content)
        assert answer.status_code == 201, answer.text
        found: Kept = answer.json()
        return found

    async def reply(self, to: str, files: Sequence[Kept], *, key: str = "") -> httpx.Response:
        """An answer in the conversation that an address began."""
        path = f"/v1/conversations/{await self.office.conversation(to)}/replies"
        headers = self.office.admin | ({"idempotency-key": key} if key else {})
        content = {"kind": "media", "text": "Ekte", "files": list(files)}
        return await self.office.api.client.post(path, json={"content": content}, headers=headers)

    async def answered(self, to: str, *files: Kept) -> Kept:
        answer = await self.reply(to, files)
        assert answer.status_code == 202, answer.text
        sent: Kept = answer.json()
        return sent

    async def redact(self, to: str, answer: Kept, status: int = 200) -> None:
        path = f"/v1/conversations/{await self.office.conversation(to)}/messages/{answer['seq']}/redact"
        await self.office.call("POST", path, {"reason": "law"}, status)

    async def stored(self) -> set[str]:
        """What lies in the store for answers."""
        keys = await self.office.api.app.state.blobs.keys(f"{self.office.workspace.id}/")
        return {key for key in keys if UUID(key.split("/")[1]).version == 7}

    async def share(self, file: Kept, answer: Kept) -> None:
        """Lets another answer name the file too, as an earlier release did."""
        await self.office.change(
            "insert into santral.kept_file (workspace_id, blob, number, message_id) values ($1, $2, 1, $3)",
            self.office.workspace.id, file["blob"], UUID(answer["id"]),
        )  # fmt: skip

    async def grown_old(self) -> None:
        await self.office.change("update santral.kept_file set kept_at = kept_at - interval '25 hours'")

    async def collected(self) -> int:
        """What the courier's look at unsent files notes, removed; how many."""
        noted = await note_unsent(self.office.api.worker)
        await remove_left(self.office.api.worker, self.office.api.app.state.blobs)
        return noted

    async def somebody_waits(self, what: str) -> None:
        async def waits() -> bool:
            return bool(await rows(self.office.api.worker, "select 1 from pg_locks where not granted"))

        await eventually(waits, 10, what)


@pytest.fixture
async def desk(api: Api, workspace: Workspace) -> Desk:
    return Desk(office=await office_of(api, workspace))


async def test_a_file_is_one_answers_and_the_same_call_again_is_answered_the_same(desk: Desk) -> None:
    file, other = await desk.kept(), await desk.kept()
    first = await desk.reply(HELD, [file, file], key="a")
    assert first.status_code == 202, first.text
    again = await desk.reply(HELD, [file, file], key="a")
    assert (again.status_code, again.json()) == (202, first.json())
    for to in (HELD, FREE):
        refused = await desk.reply(to, [other, file])
        assert (refused.status_code, refused.json()["field"]) == (422, "content.files")
        assert "another answer" in refused.json()["detail"]
        assert "POST /v1/files" in refused.json()["remedy"]
    await desk.answered(FREE, other)


async def test_a_first_message_takes_its_files_as_an_answer_does(desk: Desk) -> None:
    file = await desk.kept()
    await desk.answered(HELD, file)
    agent = await desk.office.api.agent(desk.office.workspace.id, desk.office.workspace.agent_id)
    content = {"kind": "media", "files": [file]}
    body = {"inbox": "smtp", "to": {"value": "cem@ornek.com"}, "subject": "S", "content": content}
    refused = await desk.office.call("POST", "/v1/conversations", body, 422, headers=agent)
    assert refused["field"] == "content.files"
    own = body | {"content": content | {"files": [await desk.kept()]}}
    await desk.office.call("POST", "/v1/conversations", own, 202, headers=agent)


async def test_of_two_answers_at_once_one_has_the_file(desk: Desk) -> None:
    file = await desk.kept()
    answers = await asyncio.gather(*(desk.reply(to, [file]) for to in (HELD, FREE)))
    assert sorted(one.status_code for one in answers) == [202, 422]


async def test_a_redacted_answer_takes_its_files_along_and_nobody_elses(desk: Desk) -> None:
    one, two, unsent = await desk.kept(), await desk.kept(), await desk.kept()
    first, _ = await desk.answered(HELD, one), await desk.answered(HELD, two)
    await desk.redact(HELD, first)
    assert await desk.stored() == {two["blob"], unsent["blob"]}
    assert (await desk.reply(HELD, [one])).json()["detail"] == "no such file"


async def test_one_file_of_an_answer_goes_with_what_would_send_it_and_the_rest_stays(desk: Desk) -> None:
    gone, stays, shared = await desk.kept(), await desk.kept(), await desk.kept()
    answer, other = await desk.answered(HELD, gone, stays, gone, shared), await desk.answered(FREE, await desk.kept())
    await desk.share(shared, other)
    path = f"/v1/conversations/{await desk.office.conversation(HELD)}/messages/{answer['seq']}/parts"
    hold = await desk.office.hold("person", await desk.office.profile(HELD))
    await desk.office.call("POST", f"{path}/0/redact", {"reason": "law"}, 409)
    await desk.office.lift(hold)
    for n, changed in ((0, True), (2, False), (0, False), (3, True)):
        assert (await desk.office.call("POST", f"{path}/{n}/redact", {"reason": "law"}, 200))["changed"] is changed
    await desk.office.call("POST", f"{path}/4/redact", {"reason": "law"}, 404)
    there = await desk.stored()
    assert gone["blob"] not in there
    assert there >= {stays["blob"], shared["blob"]}, "another answer has the last one too"
    (stored,) = await rows(desk.office.api.worker, "select text, body from santral.message where id = $1", UUID(answer["id"]))
    files = stored["body"]["content"]["files"]
    assert (stored["text"], [one.get("role", "file") for one in files]) == ("Ekte", ["redacted", "file", "redacted", "redacted"])
    assert files[1]["blob"] == stays["blob"]
    assert files[0]["redacted"]["reason"] == "law"
    (sent,) = await rows(
        desk.office.api.worker, "select state, request from santral.delivery where message_id = $1", UUID(answer["id"])
    )
    assert (sent["state"], sent["request"]) == ("failed", {})


async def test_a_file_under_a_held_answer_stays_until_the_hold_ends(desk: Desk) -> None:
    mine, shared = await desk.kept(), await desk.kept()
    held, free = await desk.answered(HELD, mine, shared), await desk.answered(FREE, await desk.kept())
    await desk.share(shared, free)
    hold = await desk.office.hold("person", await desk.office.profile(HELD))
    await desk.redact(HELD, held, 409)
    await desk.redact(FREE, free)
    assert await desk.stored() == {mine["blob"], shared["blob"]}, "the other answer's went, and what both have is held"
    await desk.office.lift(hold)
    await desk.redact(HELD, held)
    assert await desk.stored() == set()


async def test_a_file_that_several_answers_name_goes_with_the_last_of_them(desk: Desk) -> None:
    file = await desk.kept()
    first, second = await desk.answered(HELD, file), await desk.answered(FREE, await desk.kept())
    await desk.share(file, second)
    await desk.office.erase(await desk.office.profile(HELD))
    assert file["blob"] in await desk.stored()
    await desk.redact(FREE, second)
    assert await desk.stored() == set()
    assert first["id"] != second["id"]


@pytest.mark.parametrize("name", ["messages", "files"])
async def test_retention_of_either_class_takes_files_of_answers_and_leaves_held_ones(desk: Desk, name: str) -> None:
    kept, gone = await desk.kept(), await desk.kept()
    await desk.answered(HELD, kept)
    await desk.answered(FREE, gone)
    hold = await desk.office.hold("person", await desk.office.profile(HELD))
    await desk.office.close_all()
    assert await desk.office.retained(**{name: 30}) == 2
    assert await desk.stored() == {kept["blob"]}
    assert await desk.office.retained(**{name: 30}) == 0
    await desk.office.lift(hold)
    assert await desk.office.retained(**{name: 30}) == 2
    assert await desk.stored() == set()
    assert await rows(desk.office.api.worker, "select 1 from santral.message where body->'content' ? 'files'") == []


async def test_the_words_of_an_answer_stay_where_its_files_go(desk: Desk) -> None:
    answer = await desk.answered(FREE, await desk.kept())
    await desk.office.close_all()
    await desk.office.retained(files=30)
    path = f"/v1/conversations/{await desk.office.conversation(FREE)}/messages/{answer['seq']}"
    shown = await desk.office.call("GET", path)
    assert (shown["text"], shown["gone"]) == ("Ekte", None)


@pytest.mark.parametrize("name", ["messages", "files", None])
async def test_after_an_erasure_no_file_of_theirs_is_left_whatever_retention_took_before(desk: Desk, name: str | None) -> None:
    other = await desk.kept()
    await desk.answered(HELD, await desk.kept())
    await desk.answered(FREE, other)
    if name is not None:
        await desk.office.change("update santral.conversation set state = 'closed', closed_at = now() - interval '31 days' where id = $1",
                                 await desk.office.conversation(HELD))  # fmt: skip
        await desk.office.change("update santral.work_item set state = 'completed'")
        await desk.office.retained(**{name: 30})
    await desk.answered(HELD, await desk.kept())
    assert (await desk.office.erase(await desk.office.profile(HELD)))["state"] == "done"
    assert await desk.stored() == {other["blob"]}
    assert [row["blob"] for row in await rows(desk.office.api.worker, "select blob from santral.kept_file")] == [other["blob"]]


async def test_a_persons_export_holds_the_files_of_answers_to_them(desk: Desk) -> None:
    await desk.answered(HELD, await desk.kept(b"onun"))
    await desk.answered(FREE, await desk.kept(b"baskasinin"))
    api, profile = desk.office.api, await desk.office.profile(HELD)
    asked = await desk.office.call("POST", f"/v1/profiles/{profile}/export", status=202)
    assert await PersonExports(db=api.worker, blobs=api.app.state.blobs).round()
    done = await api.client.get(f"/v1/exports/{asked['id']}/file", headers=desk.office.admin)
    archive = zipfile.ZipFile(io.BytesIO(done.content))
    contents = {archive.read(name) for name in archive.namelist() if name.startswith("files/")}
    assert b"onun" in contents
    assert b"baskasinin" not in contents


async def test_what_no_answer_takes_in_a_day_goes_and_is_told_apart_from_then_on(desk: Desk) -> None:
    sent, unsent = await desk.kept(), await desk.kept()
    await desk.answered(HELD, sent)
    await desk.grown_old()
    fresh = await desk.kept()
    assert await desk.collected() == 1
    assert await desk.stored() == {sent["blob"], fresh["blob"]}
    refused = await desk.reply(HELD, [unsent])
    assert (refused.status_code, refused.json()["field"], refused.json()["detail"]) == (422, "content.files", "no such file")
    await desk.answered(HELD, fresh)
    assert await desk.collected() == 0


async def test_a_file_that_is_being_taken_is_passed_over_as_it_runs_out(desk: Desk) -> None:
    file, api = await desk.kept(), desk.office.api
    await desk.grown_old()
    async with api.worker.batch() as answering:
        await take(answering, desk.office.workspace.id, new_id(), [file["blob"]])
        assert await desk.collected() == 0
    assert await desk.collected() == 0
    assert await desk.stored() == {file["blob"]}


async def test_an_answer_that_comes_as_its_file_runs_out_is_refused_and_not_sent_without_it(desk: Desk) -> None:
    file, api = await desk.kept(), desk.office.api
    await desk.grown_old()

    async with api.worker.batch() as running_out:
        assert await run_out(running_out, cause=uuid4(), limit=9) == 1
        answer = asyncio.create_task(desk.reply(HELD, [file]))
        await desk.somebody_waits("the answer waits for its file")
    assert (await answer).json()["detail"] == "no such file"
    assert await rows(api.worker, "select 1 from santral.message where direction = 'out'") == []


async def test_unsent_files_of_a_workspace_take_no_more_than_their_quota_and_room_comes_with_the_answer(desk: Desk) -> None:
    state = desk.office.api.app.state
    state.unsent_bytes_max = 2 * 5 * COUNTED_BYTES_MIN
    large, small = await desk.kept(b"x" * (3 * COUNTED_BYTES_MIN)), await desk.kept(b"x")
    before = await desk.stored()
    answers = await asyncio.gather(*(desk.upload(b"y") for _ in range(6)))
    assert sorted(one.status_code for one in answers) == [201, 429, 429, 429, 429, 429], (
        "each counts for something, and none slips by"
    )
    refused = next(one for one in answers if one.status_code == 429)
    assert (refused.json()["field"], refused.json()["type"]) == ("body", "urn:santral:problem:throttled")
    assert "send the answers" in refused.json()["remedy"]
    assert 0 < int(refused.headers["retry-after"]) <= 24 * 3600
    assert len(await desk.stored()) == len(before) + 1, "what is refused is not kept"
    assert len(await rows(desk.office.api.worker, "select 1 from santral.audit where action = 'file.kept'")) == 3
    await desk.answered(HELD, large, small)
    await desk.kept(b"x" * (3 * COUNTED_BYTES_MIN))


async def test_uploads_at_once_are_counted_one_after_the_other(desk: Desk) -> None:
    api, most = desk.office.api, COUNTED_BYTES_MIN
    api.app.state.unsent_bytes_max = most
    async with api.worker.batch() as first:
        await keep(first, desk.office.workspace.id, "the last that fits", 1, kept_by="key:another", unsent_bytes_max=most)
        second = asyncio.create_task(desk.upload())
        await desk.somebody_waits("the second upload waits for the first")
    assert (await second).status_code == 429


async def test_who_fills_their_share_leaves_as_much_to_the_others(desk: Desk) -> None:
    api, workspace = desk.office.api, desk.office.workspace
    api.app.state.unsent_bytes_max = 8 * COUNTED_BYTES_MIN

    async def kept_by(headers: dict[str, str], number: int) -> list[int]:
        call = [await api.client.post("/v1/files?name=ek.txt", content=b"ek", headers=headers) for _ in range(number)]
        return [one.status_code for one in call]

    assert await kept_by(await api.key(workspace.id), 6) == [201] * 4 + [429] * 2
    agent = await api.agent(workspace.id, workspace.agent_id)
    assert await kept_by(agent, 2) == [201] * 2
    # Another token is the same agent's.
    assert await kept_by(await api.agent(workspace.id, workspace.agent_id), 1) == [429]
    assert await kept_by(await api.key(workspace.id), 1) == [201]


async def test_a_quota_and_a_file_are_their_workspaces(desk: Desk) -> None:
    api = desk.office.api
    api.app.state.unsent_bytes_max = COUNTED_BYTES_MIN
    file = await desk.kept()
    assert (await desk.upload()).status_code == 429
    other = await make_workspace(api.worker, name="other")
    theirs = await api.client.post("/v1/files?name=ek.txt", content=b"ek", headers=await api.key(other.id))
    assert theirs.status_code == 201, theirs.text
    assert (await desk.reply(HELD, [theirs.json()])).json()["detail"] == "no such file"
    await desk.answered(HELD, file)


async def test_answers_that_are_there_have_their_files_and_what_several_name_is_everybodys(
    desk: Desk, database_urls: PostgresUrls
) -> None:
    own, shared = await desk.kept(), await desk.kept()
    first, second = await desk.answered(HELD, own, shared), await desk.answered(FREE, await desk.kept())
    (mail,) = await rows(
        desk.office.api.worker, "select body->'parts'->1->>'blob' as blob from santral.message where text = 'baran'"
    )
    owner = await asyncpg.connect(database_urls.owner)
    try:
        # As before there were rows: another answer names the file too, and one of a message's own folder.
        await owner.execute("drop table santral.kept_file")
        # Of later revisions, which come again.
        await owner.execute("alter table santral.person_export drop column handles")
        await owner.execute("drop index santral.quarantine_replaying_ix")
        await owner.execute("drop table santral.undecided_handle")
        await owner.execute("alter table santral.work_item drop column own_word_at, drop column by_name")
        await owner.execute("alter table santral.handle drop column accounts")
        await owner.execute("drop index santral.signature_use_used_at_ix")
        await owner.execute("update santral.revision set version_num = '0017'")
        named = [shared, shared | {"name": "yine.txt"}, shared | {"blob": mail["blob"]}]
        files = "update santral.message set body = jsonb_set(body, '{content,files}', $2::jsonb) where id = $1"
        await owner.execute(files, UUID(second["id"]), json.dumps(named))
    finally:
        await owner.close()
    await migrate(database_urls.owner)
    found = await rows(desk.office.api.worker, "select blob, number, message_id from santral.kept_file")
    assert {(row["blob"], row["number"], str(row["message_id"])) for row in found} == {
        (own["blob"], 0, first["id"]), (shared["blob"], 0, first["id"]), (shared["blob"], 1, second["id"])
    }  # fmt: skip
    mails = await desk.office.api.app.state.blobs.keys(f"{desk.office.workspace.id}/")
    await desk.redact(HELD, first)
    await desk.redact(FREE, second)
    kept = await desk.office.api.app.state.blobs.keys(f"{desk.office.workspace.id}/")
    assert set(mails) - set(kept) == {own["blob"], shared["blob"]}
