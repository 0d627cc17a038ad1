"""Erasing a person: canaries put in through messages as gateways publish them, searched for everywhere, the log replayed."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from router.intake.classifier import Answer, Question
from router.intake.replay import replay
from services.privacy.blob_removals import remove_come_again, remove_left
from services.privacy.erasures import Erasures
from services.privacy.person_export import PersonExports
from services.privacy.quarantine import PIECE_BYTES
from services.privacy.registry import COVERS
from shared.blobs_files import FileBlobs
from shared.database import Contended, Database
from shared.errors import Unprocessable
from shared.ids import new_id
from shared.message import InboundMessage, Part
from tests.support.api import Api
from tests.support.intake_line import SECRET, TOPIC, Line, Member, member_of, message_to, rows
from tests.support.office import through_quarantine
from tests.support.workspaces import Workspace, add_item, make_workspace

MAIL, NAME, PHONE, WORD = "kanarya.serce@ornek.com", "Kanarya Serçe", "+905321234567", "papağanotu"
VISITOR = "0198c5f2-7b1e-7c3a-9d42-5f0e8a6b1c2d"
LABEL = "kuzgun"
CANARIES = (MAIL, "Serçe", "serçe", PHONE, "905321234567", WORD, LABEL)


class Copying:
    """A model that gives back a word of what it was shown."""

    async def classify(self, questions: Sequence[Question]) -> Mapping[UUID, Answer]:
        return {one.id: Answer(model="copies", labels={LABEL: 0.9}) for one in questions if WORD in one.text}


def erasures(db: Database, blobs: FileBlobs) -> Erasures:
    return Erasures(db=db, blobs=blobs, hints=None, secret=SECRET, settle_s=0)


async def run_out(job: Erasures) -> None:
    while await job.round():
        pass


async def written(worker_db: Database, workspace: Workspace, blobs: FileBlobs) -> tuple[Member, Line]:
    """A mail with a file, a chat that claims the mail's address, a posted message and a call, all of one person."""
    async with worker_db.batch() as connection:
        await connection.execute(
            "update santral.workspace set settings = settings || '{\"classify\": true}' where id = $1", workspace.id
        )
    line, member = Line(), await member_of(worker_db, classifier=Copying())
    mail = message_to(
        workspace, "smtp", "<1@kanarya>", who=MAIL, subject=WORD, text=f"{WORD} {NAME}", defines=("mid:1@kanarya",),
        sender={"kind": "email", "value": MAIL, "raw": MAIL.upper(), "name": NAME, "assurance": "channel_verified"},
        other_handles=({"kind": "phone", "value": PHONE, "assurance": "channel_verified"},),
        original="cGFwYcSfYW5vdHU=",
    )  # fmt: skip
    key = f"{workspace.id}/{mail.id}/attachment-1"
    await blobs.put(key, WORD.encode())
    part = {"blob": key, "name": f"{NAME}.txt", "content_type": "text/plain", "size_bytes": 12}
    mail = mail.model_copy(update={"parts": (type(mail).model_validate({**mail.model_dump(), "parts": (part,)}).parts[0],)})
    line.add(
        mail,
        message_to(workspace, "api", "kanarya-2", who=MAIL, text=WORD),
        message_to(
            workspace, "asterisk", "call-1", who=PHONE, kind="call", text="",
            call={"call_id": "1", "direction": "in", "answered": False, "started_at": datetime.now(UTC), "ended_at": datetime.now(UTC),
                  "caller": PHONE},
        ),
        message_to(workspace, "smtp", "<2@other>", who="baska@ornek.com", text="başka biri",
                   participants=({"kind": "email", "value": MAIL, "name": NAME},)),
    )  # fmt: skip
    await member.take(line)
    return member, line


async def profile_of(db: Database, mail: str = MAIL) -> UUID:
    found = await rows(db, "select profile_id from santral.handle where value = $1", mail)
    return UUID(str(found[0]["profile_id"]))


async def canaries_in(db: Database, workspace_id: UUID | None = None) -> dict[str, list[str]]:
    """Tables in whose rows a canary stands, whole rows as text, bytes as text too."""
    found: dict[str, list[str]] = {}
    for table in await rows(db, "select table_name as name from information_schema.tables where table_schema = 'santral'"):
        name = table["name"]
        for row in await rows(db, f'select to_jsonb(x)::text as whole from santral."{name}" x'):
            whole = json.dumps(json.loads(row["whole"]), ensure_ascii=False)
            whole += "".join(bytes.fromhex(v[2:]).decode("utf-8", "replace") for v in json.loads(row["whole"]).values()
                             if isinstance(v, str) and v.startswith("\\x"))  # fmt: skip
            if workspace_id is not None and str(workspace_id) not in whole:
                continue
            seen = [canary for canary in CANARIES if canary in whole]
            if seen:
                found.setdefault(name, []).extend(seen)
    return found


async def replayed(db: Database, line: Line) -> Any:
    """The whole line read again from its first record, by a router that never saw it."""
    async with db.batch() as connection:
        await connection.execute("delete from santral.partition_lease")
    return await (await member_of(db, topic=TOPIC)).take(line)


async def test_after_an_erasure_no_table_and_no_file_holds_a_canary_and_a_replay_brings_none_back(
    api: Api, worker_db: Database, workspace: Workspace, tmp_path: Path
) -> None:
    blobs = FileBlobs(tmp_path)
    _, line = await written(worker_db, workspace, blobs)
    profile = await profile_of(worker_db)
    assert {"handle", "message", "conversation", "profile"} <= set(await canaries_in(worker_db))
    headers = await api.key(workspace.id, "profiles:erase")
    body = {"reason": "consent_withdrawn", "confirm": str(profile)}
    asked = await api.client.post(f"/v1/profiles/{profile}/erase", headers=headers, json=body)
    assert asked.status_code == 202, asked.text
    again = await api.client.post(f"/v1/profiles/{profile}/erase", headers=headers, json=body)
    assert again.json()["id"] == asked.json()["id"]
    job = erasures(worker_db, blobs)
    await run_out(job)
    receipt = (await api.client.get(asked.headers["location"], headers=headers)).json()
    assert receipt["state"] == "done"
    assert (datetime.fromisoformat(receipt["log_ends_at"]) - datetime.fromisoformat(receipt["erased_at"])).days == 7
    assert await canaries_in(worker_db) == {}
    assert await blobs.keys(f"{workspace.id}/") == []
    items = await rows(worker_db, "select i.state, i.outcome from santral.work_item i join santral.conversation c on c.id = i.conversation_id"
                       " join santral.handle h on h.id = c.handle_id where h.kind = 'erased'")  # fmt: skip
    assert items
    assert all(item == {"state": "canceled", "outcome": {"erased": True}} for item in items)
    before = await rows(worker_db, "select count(*) as n from santral.message")
    await replayed(worker_db, line)
    assert await canaries_in(worker_db) == {}
    assert await rows(worker_db, "select count(*) as n from santral.message") == before
    late = (await api.client.post(f"/v1/profiles/{profile}/erase", headers=headers, json=body)).json()
    assert late["id"] == asked.json()["id"]
    assert late["state"] == "done"


async def test_what_was_observed_before_is_refused_even_without_a_receipt_and_a_later_contact_is_somebody_new(
    api: Api, worker_db: Database, workspace: Workspace, tmp_path: Path
) -> None:
    blobs = FileBlobs(tmp_path)
    member, line = await written(worker_db, workspace, blobs)
    profile = await profile_of(worker_db)
    late = message_to(workspace, "smtp", "<3@kanarya>", who=MAIL, text=WORD)
    await ask(worker_db, workspace, profile)
    await run_out(erasures(worker_db, blobs))
    line.add(late, message_to(workspace, "webchat", "c1", who=VISITOR, text="x", accepted_at=late.accepted_at,
                              other_handles=({"kind": "email", "value": MAIL, "assurance": "asserted"},)))  # fmt: skip
    await member.take(line)
    assert await canaries_in(worker_db) == {}
    state = await rows(worker_db, "select state from santral.receipt where id = $1", late.id)
    assert state == [{"state": "erased"}]
    line.add(message_to(workspace, "smtp", "<4@kanarya>", who=MAIL, text="yeniden", accepted_at=datetime.now(UTC)))
    await member.take(line)
    assert await profile_of(worker_db) != profile


async def test_files_that_a_provider_delivers_once_more_after_the_erasure_go_again(
    worker_db: Database, workspace: Workspace, tmp_path: Path
) -> None:
    blobs = FileBlobs(tmp_path)
    await written(worker_db, workspace, blobs)
    (key,) = await blobs.keys(f"{workspace.id}/")
    await ask(worker_db, workspace, await profile_of(worker_db))
    await run_out(erasures(worker_db, blobs))
    other = f"{workspace.id}/{new_id()}/attachment-2"
    for again in (key, other):
        await blobs.put(again, WORD.encode())
    assert await remove_come_again(worker_db, blobs) == 1
    assert await blobs.keys(f"{workspace.id}/") == [other]


async def ask(db: Database, workspace: Workspace, profile: UUID) -> UUID:
    erasure_id = new_id()
    async with db.batch() as connection:
        await connection.execute(
            "insert into santral.erasure (workspace_id, id, profile_id, reason, actor) values ($1, $2, $3, 'law', 'test')",
            workspace.id, erasure_id, profile,
        )  # fmt: skip
    return erasure_id


async def test_quarantined_words_of_the_person_go_too_and_their_entry_cannot_be_replayed(
    worker_db: Database, workspace: Workspace, tmp_path: Path
) -> None:
    blobs = FileBlobs(tmp_path)
    member, line = await written(worker_db, workspace, blobs)
    line.add(
        message_to(workspace, "smtp", "<9@x>", who=MAIL, kind="unparsed", original="S0FOQVJZQS5TRVJDRUBvcm5lay5jb20=", reason=WORD)
    )
    await member.take(line)
    assert "quarantine" in await canaries_in(worker_db)
    await ask(worker_db, workspace, await profile_of(worker_db))
    await run_out(erasures(worker_db, blobs))
    assert await canaries_in(worker_db) == {}
    assert await rows(worker_db, "select state from santral.quarantine") == [{"state": "discarded"}]


@pytest.mark.parametrize("place", [70_000, PIECE_BYTES - 5])
async def test_words_in_a_quarantined_original_that_was_too_long_for_its_record_go_too(
    worker_db: Database, workspace: Workspace, tmp_path: Path, place: int
) -> None:
    blobs = FileBlobs(tmp_path)
    member, line = await written(worker_db, workspace, blobs)
    own, other = (
        message_to(workspace, "smtp", name, sender=None, kind="unparsed", reason="no boundary") for name in ("own", "other")
    )
    for message, address in ((own, MAIL), (other, "baska.serce@ornek.com")):
        key = f"{workspace.id}/{message.id}/original-1"
        await blobs.put(key, b"." * place + address.upper().encode() + b"." * 70_000)
        line.add(message.model_copy(update={"parts": (Part(blob=key, size_bytes=place + 70_000, role="original"),)}))
    await member.take(line)
    await ask(worker_db, workspace, await profile_of(worker_db))
    await run_out(erasures(worker_db, blobs))
    entries = await rows(worker_db, "select message_id, state, octet_length(record) = 0 as emptied from santral.quarantine")
    assert {(one["message_id"], one["state"], one["emptied"]) for one in entries} == {
        (own.id, "discarded", True), (other.id, "open", False),
    }  # fmt: skip
    assert (await blobs.keys(f"{workspace.id}/{own.id}/"), len(await blobs.keys(f"{workspace.id}/{other.id}/"))) == ([], 1)


async def test_what_reached_quarantine_beside_the_erasure_goes_when_it_can_be_read_and_is_never_replayed(
    worker_db: Database, workspace: Workspace, tmp_path: Path
) -> None:
    blobs = FileBlobs(tmp_path)
    member, line = await written(worker_db, workspace, blobs)
    late, word = (
        message_to(workspace, "smtp", "<8@x>", who=MAIL, text=WORD),
        message_to(workspace, "smtp", "<9@x>", who="biri@ornek.com"),
    )
    erasure_id = await ask(worker_db, workspace, await profile_of(worker_db))
    job = erasures(worker_db, blobs)
    async with worker_db.batch() as connection:
        await connection.execute("update santral.erasure set state = 'running'")
    await through_quarantine(job, workspace, erasure_id)
    async with worker_db.batch() as connection:
        await connection.execute("update santral.work_item set state = 'completed', closed_at = now() - interval '60 days'")
        await connection.execute("update santral.conversation set state = 'closed', closed_at = now() - interval '60 days'")
        await connection.execute("update santral.queue set enabled = false, version = version + 1")
    await member.configuration.refresh()
    line.add(late, word)
    await member.take(line)
    entries = await rows(worker_db, "select id from santral.quarantine where message_id = $1", late.id)
    assert await job._advance(workspace.id, erasure_id, "person") == "conversations"
    async with worker_db.batch() as connection:
        await connection.execute("update santral.queue set enabled = true, version = version + 1")
    await member.configuration.refresh()
    with pytest.raises(Unprocessable, match="was erased"):
        await replay(
            worker_db, member.intake.batch, member.configuration, workspace_id=workspace.id, entry_id=entries[0]["id"], actor="t",
            secret=SECRET,
        )  # fmt: skip
    async with worker_db.batch() as connection:
        await connection.execute("update santral.erasure set due_at = now()")
    await run_out(job)
    assert await canaries_in(worker_db) == {}
    states = await rows(worker_db, "select state, message_id = $1 as late from santral.quarantine", late.id)
    assert {(one["state"], one["late"]) for one in states} == {("discarded", True), ("open", False)}


class Meanwhile:
    """A database; before its ``at``-th transaction something else is done, once."""

    def __init__(self, db: Database, at: int, done: Callable[[], Awaitable[None]]) -> None:
        self._db, self._left, self._done = db, at, done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    @contextlib.asynccontextmanager
    async def _then(self, opened: AbstractAsyncContextManager[Any]) -> AsyncIterator[Any]:
        self._left -= 1
        if self._left == 0:
            await self._done()
        async with opened as connection:
            yield connection

    def session(self, *given: Any, **named: Any) -> AbstractAsyncContextManager[Any]:
        return self._then(self._db.session(*given, **named))

    def batch(self, *given: Any, **named: Any) -> AbstractAsyncContextManager[Any]:
        return self._then(self._db.batch(*given, **named))


@pytest.mark.parametrize("at", [3, 4])
async def test_an_erasure_in_the_middle_of_a_replay_misses_nothing(
    worker_db: Database, workspace: Workspace, tmp_path: Path, at: int
) -> None:
    """Whether anybody was erased is asked before the replay's own transaction: what it brings in goes when the erasure has settled."""
    blobs = FileBlobs(tmp_path)
    member, line = await written(worker_db, workspace, blobs)
    erasure_id, job = await ask(worker_db, workspace, await profile_of(worker_db)), erasures(worker_db, blobs)
    async with worker_db.batch() as connection:
        await connection.execute("update santral.erasure set state = 'running'")
        await connection.execute("update santral.queue set enabled = false, version = version + 1")
    await through_quarantine(job, workspace, erasure_id)
    late = message_to(workspace, "smtp", "<8@x>", who=MAIL, text=WORD)
    async with worker_db.batch() as connection:
        await connection.execute("update santral.conversation set state = 'closed', closed_at = now() - interval '60 days'")
    await member.configuration.refresh()
    line.add(late)
    await member.take(line)
    (entry,) = await rows(worker_db, "select id from santral.quarantine where message_id = $1", late.id)
    async with worker_db.batch() as connection:
        await connection.execute("update santral.queue set enabled = true, version = version + 1")
    await member.configuration.refresh()
    steps: list[str] = ["person"]

    async def erased() -> None:
        while steps[-1] != "settle":
            steps.append(await job._advance(workspace.id, erasure_id, steps[-1]))

    with contextlib.suppress(Contended):  # where the handle it found is gone
        await replay(
            Meanwhile(worker_db, at, erased), member.intake.batch, member.configuration, workspace_id=workspace.id,  # type: ignore[arg-type]
            entry_id=entry["id"], actor="t", secret=SECRET,
        )  # fmt: skip
    assert steps[-1] == "settle", "it came in the middle"
    async with worker_db.batch() as connection:
        await connection.execute("update santral.erasure set due_at = now()")
    await run_out(job)
    assert await canaries_in(worker_db) == {}


async def test_a_finished_export_goes_with_the_person(api: Api, worker_db: Database, workspace: Workspace, tmp_path: Path) -> None:
    blobs = api.app.state.blobs
    await written(worker_db, workspace, FileBlobs(tmp_path))
    profile = await profile_of(worker_db)
    headers = await api.key(workspace.id, "profiles:export")
    asked = await api.client.post(f"/v1/profiles/{profile}/export", headers=headers)
    assert await PersonExports(db=worker_db, blobs=blobs).round()
    assert [key for key in await blobs.keys(f"{workspace.id}/") if "/export-" in key]
    await ask(worker_db, workspace, profile)
    await run_out(erasures(worker_db, blobs))
    assert [key for key in await blobs.keys(f"{workspace.id}/") if "/export-" in key] == []
    assert (await api.client.get(asked.headers["location"], headers=headers)).json()["state"] == "expired"
    assert (await api.client.get(f"{asked.headers['location']}/file", headers=headers)).status_code == 404


async def test_the_mail_of_somebody_else_keeps_its_words_and_loses_its_headers(
    worker_db: Database, workspace: Workspace, tmp_path: Path
) -> None:
    blobs = FileBlobs(tmp_path)
    member, line = await written(worker_db, workspace, blobs)
    copied = ({"kind": "email", "value": MAIL, "name": NAME},)

    async def mail(number: int) -> InboundMessage:
        made = message_to(workspace, "smtp", f"<{number}@other>", who="baska@ornek.com", text="ikimizin", participants=copied)
        parts = []
        for role in ("original", "attachment"):
            key = f"{workspace.id}/{made.id}/{role}-1"
            await blobs.put(key, NAME.encode() if role == "original" else b"dosya")
            parts.append({"blob": key, "name": "a.txt", "content_type": "text/plain", "size_bytes": 5, "role": role})
        given = made.model_dump() | {"parts": parts, "original": None if number % 2 else "S2FuYXJ5YQ=="}
        return type(made).model_validate(given)

    line.add(await mail(70), await mail(71))
    await member.take(line)
    late = await mail(72)
    await ask(worker_db, workspace, await profile_of(worker_db))
    await run_out(erasures(worker_db, blobs))
    line.add(late)
    await member.take(line)
    await remove_left(worker_db, blobs)
    assert await canaries_in(worker_db) == {}
    found = await rows(worker_db, "select body from santral.message where text = 'ikimizin'")
    assert [[part["role"] for part in one["body"]["parts"]] for one in found] == [["attachment"]] * 3
    assert not any("original" in one["body"] for one in found)
    assert [key.rpartition("/")[2] for key in await blobs.keys(f"{workspace.id}/")] == ["attachment-1"] * 3


async def test_an_export_holds_every_canary_and_the_file_until_it_expires(
    api: Api, worker_db: Database, workspace: Workspace, tmp_path: Path
) -> None:
    blobs = api.app.state.blobs
    await written(worker_db, workspace, blobs)
    headers = await api.key(workspace.id, "profiles:export")
    asked = await api.client.post(f"/v1/profiles/{await profile_of(worker_db)}/export", headers=headers)
    assert asked.status_code == 202, asked.text
    file = f"{asked.headers['location']}/file"
    assert (await api.client.get(file, headers=headers)).status_code == 404
    job = PersonExports(db=worker_db, blobs=blobs)
    assert await job.round()
    shown = (await api.client.get(asked.headers["location"], headers=headers)).json()
    assert (shown["state"], shown["done"]) == ("done", shown["parts"])
    with zipfile.ZipFile(io.BytesIO((await api.client.get(file, headers=headers)).content)) as archive:
        names = archive.namelist()
        assert {f"{cover.kind}.json" for cover in COVERS if cover.kind} < set(names)
        whole = "".join(archive.read(name).decode() for name in names)
    assert [canary for canary in CANARIES if canary not in whole] == ["serçe"]
    assert any(name.startswith("files/") for name in names)
    assert "başka biri" not in whole
    async with worker_db.batch() as connection:
        await connection.execute("update santral.person_export set due_at = now()")
    assert await job.round()
    assert (await api.client.get(file, headers=headers)).status_code == 404
    assert not [key for key in await blobs.keys(f"{workspace.id}/") if "/export-" in key]


async def test_another_workspace_keeps_its_person_and_cannot_erase_ours(
    api: Api, worker_db: Database, workspace: Workspace, tmp_path: Path
) -> None:
    blobs = FileBlobs(tmp_path)
    other = await make_workspace(worker_db, name="baska")
    member, line = await written(worker_db, workspace, blobs)
    await member.configuration.refresh()
    line.add(message_to(other, "smtp", "<1@kanarya>", who=MAIL, text=WORD))
    await member.take(line)
    mine = await rows(worker_db, "select profile_id from santral.handle where value = $1 and workspace_id = $2", MAIL, workspace.id)
    profile = mine[0]["profile_id"]
    foreign = await api.key(other.id, "profiles:erase")
    body = {"reason": "law", "confirm": str(profile)}
    assert (await api.client.post(f"/v1/profiles/{profile}/erase", headers=foreign, json=body)).status_code == 404
    await ask(worker_db, workspace, profile)
    await run_out(erasures(worker_db, blobs))
    assert await canaries_in(worker_db, workspace.id) == {}
    assert "message" in await canaries_in(worker_db, other.id)


async def test_an_erasure_needs_its_scope_the_right_confirmation_and_a_person_that_is_there(
    api: Api, worker_db: Database, workspace: Workspace
) -> None:
    nobody = new_id()
    body = {"reason": "law", "confirm": str(nobody)}
    weak = await api.key(workspace.id, "profiles:write")
    assert (await api.client.post(f"/v1/profiles/{nobody}/erase", headers=weak, json=body)).status_code == 403
    headers = await api.key(workspace.id, "profiles:erase")
    assert (await api.client.post(f"/v1/profiles/{nobody}/erase", headers=headers, json=body)).status_code == 404
    await add_item(worker_db, workspace)
    found = await rows(worker_db, "select c.handle_id from santral.conversation c where c.workspace_id = $1", workspace.id)
    wrong = await api.client.post(f"/v1/profiles/{found[0]['handle_id']}/erase", headers=headers, json=body)
    assert (wrong.status_code, wrong.json()["field"]) == (422, "confirm")
    free = await api.client.post(f"/v1/profiles/{nobody}/erase", headers=headers, json={**body, "reason": "Ayşe asked"})
    assert free.status_code == 422


async def test_an_erasure_that_stops_at_any_step_goes_on_where_it_was(
    worker_db: Database, workspace: Workspace, tmp_path: Path
) -> None:
    blobs = FileBlobs(tmp_path)
    await written(worker_db, workspace, blobs)
    erasure_id = await ask(worker_db, workspace, await profile_of(worker_db))
    steps = []
    for _ in range(40):
        async with worker_db.batch() as connection:
            row = await connection.fetchrow(
                "update santral.erasure set state = 'running', due_at = now() where state <> 'done' returning step"
            )
        if row is None:
            break
        steps.append(row["step"])
        await erasures(worker_db, blobs)._advance(workspace.id, erasure_id, row["step"])
    assert {"quarantine", "person", "conversations", "mentions", "answers", "files", "settle"} == set(steps)
    assert await canaries_in(worker_db) == {}
