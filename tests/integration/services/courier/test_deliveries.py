"""The courier on a real PostgreSQL: whom an answer goes to after machines wrote, and what one delivery's surprise does to others."""

from __future__ import annotations

from email import message_from_bytes
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ingest.adapter import MailCall
from ingest.directory import Directory
from services.courier import deliveries
from services.courier.deliveries import LEASE_S, SCHEDULE_S, TRY_S, Deliveries
from services.courier.outgoing import Outgoing
from shared.blobs_files import FileBlobs
from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from shared.ids import new_id
from shared.message import Automatic
from tests.support.api import Api
from tests.support.intake_line import SECRET, rows
from tests.support.placements import Regroup, regroup_of
from tests.support.shift import shift_of
from tests.support.way_out import Hanging, Kept
from tests.support.workspaces import Workspace

AYSE = "ayse@ornek.com"
MACHINES = [
    {"who": "mailer-daemon@ornek.net", "automatic": Automatic(kind="bounce", permanent=False, reason="4.4.1 delayed")},
    {"who": "meslektas@ornek.com", "automatic": Automatic(kind="out_of_office")},
    {"who": AYSE, "automatic": Automatic(kind="out_of_office"), "traits": {"reply_to": "makine@ornek.net"}},
    {"who": "haber@ornek.net", "automatic": Automatic(kind="bulk")},
    {"who": "sistem@ornek.net", "kind": "system"},
]


@pytest.fixture
async def desk(api: Api, worker_db: Database, database_urls: PostgresUrls, workspace: Workspace) -> Regroup:
    return await regroup_of(api, await shift_of(worker_db, database_urls, workspace))


async def courier_of(desk: Regroup, folder: Path, outgoing: Outgoing) -> Deliveries:
    directory = Directory(desk.shift.db, desk.api.sealer)
    await directory.refresh()
    return Deliveries(
        db=desk.shift.db, directory=directory, outgoing=outgoing, blobs=FileBlobs(folder), hints=desk.api.hints, owner=new_id(),
        secret=SECRET,
    )  # fmt: skip


async def answer(desk: Regroup, conversation: UUID, text: str = "Cevap", **more: Any) -> UUID:
    sent = await desk.post(f"conversations/{conversation}/replies", 202, content={"kind": "text", "text": text}, **more)
    return UUID(sent["id"])


async def state_of(desk: Regroup, reply: UUID) -> dict[str, Any]:
    (found,) = await rows(desk.shift.db, "select * from santral.delivery where message_id = $1", reply)
    return found


async def due_again(desk: Regroup) -> None:
    await desk.shift.execute("update santral.delivery set due_at = clock_timestamp() where state = 'queued'")


@pytest.mark.parametrize("machine", MACHINES, ids=["report", "colleague", "own-vacation", "newsletter", "system"])
async def test_an_answer_goes_to_the_person_whatever_a_machine_wrote_since(
    desk: Regroup, tmp_path: Path, machine: dict[str, Any]
) -> None:
    shift = desk.shift
    one = await desk.begun(
        "Nerede?", provider="smtp", who=AYSE, subject="Siparis 7", defines=("mid:kisi@x",), traits={"reply_to": "ofis@ornek.com"}
    )
    before = await desk.row(one)
    await shift.writes("Otomatik", provider="smtp", subject="Otomatik", refs=("mid:kisi@x",), defines=("mid:makine@x",), **machine)
    after = await desk.row(one)
    assert after["seq"] > before["seq"], "the machine's word stands in the conversation"
    unmoved = ("last_handle_id", "last_inbox_id", "last_in_at", "window_expires_at", "subject", "channels")
    assert {name: after[name] for name in unmoved} == {name: before[name] for name in unmoved}
    await answer(desk, one)
    outgoing = Kept()
    assert await (await courier_of(desk, tmp_path, outgoing)).round() == 1
    (call,) = outgoing.calls
    mail = message_from_bytes(call.content)
    assert call.recipients == ("ofis@ornek.com",)
    assert (mail["In-Reply-To"], mail["References"], mail["Subject"]) == ("<kisi@x>", "<kisi@x>", "Re: Siparis 7")


async def test_a_second_answer_answers_the_person_too(desk: Regroup, tmp_path: Path) -> None:
    one = await desk.begun("Nerede?", provider="smtp", who=AYSE, defines=("mid:kisi@x",))
    await answer(desk, one)
    outgoing = Kept()
    courier = await courier_of(desk, tmp_path, outgoing)
    await courier.round()
    await answer(desk, one, "Ek")
    await courier.round()
    first, second = (message_from_bytes(call.content) for call in outgoing.calls)
    assert second["In-Reply-To"] == "<kisi@x>"
    assert second["References"].split() == [first["Message-ID"], "<kisi@x>"]


async def test_what_only_a_machine_wrote_is_answered_as_it_says(desk: Regroup, tmp_path: Path) -> None:
    # A form on a site sends mail that says it was generated, with the customer in Reply-To.
    await desk.shift.writes(
        "Form", provider="smtp", who="form@ornek.net", subject="Form", defines=("mid:form@x",),
        automatic=Automatic(kind="auto_reply"), traits={"reply_to": AYSE},
    )  # fmt: skip
    (row,) = await rows(desk.shift.db, "select id, subject from santral.conversation")
    assert row["subject"] == "Form"
    # A supervisor's answer: keys are machines, which do not answer machines.
    await desk.shift.execute(
        "insert into santral.delivery (workspace_id, id, conversation_id, message_id, inbox_id, handle_id, request)"
        " select workspace_id, gen_random_uuid(), id, gen_random_uuid(), last_inbox_id, last_handle_id, $2 from santral.conversation"
        " where id = $1",
        row["id"], {"content": {"kind": "text", "text": "Cevap"}},
    )  # fmt: skip
    outgoing = Kept()
    await (await courier_of(desk, tmp_path, outgoing)).round()
    (call,) = outgoing.calls
    assert (call.recipients, message_from_bytes(call.content)["In-Reply-To"]) == ((AYSE,), "<form@x>")


async def test_an_answer_to_one_person_does_not_go_where_another_asks(desk: Regroup, tmp_path: Path) -> None:
    one = await desk.begun("Nerede?", provider="smtp", who=AYSE, defines=("mid:kisi@x",))
    await answer(desk, one)
    await desk.shift.writes(
        "Ben de", provider="smtp", who="can@ornek.com", refs=("mid:kisi@x",), traits={"reply_to": "can.ofis@ornek.com"}
    )
    outgoing = Kept()
    await (await courier_of(desk, tmp_path, outgoing)).round()
    assert outgoing.calls[0].recipients == (AYSE,)


async def test_a_surprise_is_its_own_deliverys_failure(desk: Regroup, tmp_path: Path) -> None:
    bad = await desk.begun("Bir", provider="smtp", who="kotu@ornek.com")
    good = await desk.begun("İki", provider="smtp", who=AYSE)
    lost, sent = await answer(desk, bad), await answer(desk, good)

    def surprise(call: MailCall) -> None:
        if call.recipients == ("kotu@ornek.com",):
            raise UnicodeEncodeError("ascii", "gizli sözler", 0, 1, "ordinal not in range")

    courier = await courier_of(desk, tmp_path, Kept(surprise))
    assert await courier.round() == 2
    assert (await state_of(desk, sent))["state"] == "sent"
    row = await state_of(desk, lost)
    assert (row["state"], row["attempts"], row["reason"]) == ("queued", 1, "unforeseen: UnicodeEncodeError")
    for _ in SCHEDULE_S:
        await due_again(desk)
        assert await courier.round() == 1
    row = await state_of(desk, lost)
    assert (row["state"], row["reason"]) == ("failed", "given up after 8 tries: unforeseen: UnicodeEncodeError")
    (told,) = await rows(desk.shift.db, "select conversation_id from santral.event where type = 'reply.failed'")
    assert told["conversation_id"] == bad
    await desk.shift.sound()


async def test_what_cannot_be_written_down_is_not_sent_for_ever(desk: Regroup, tmp_path: Path) -> None:
    one = await desk.begun("Bir", provider="smtp", who=AYSE)
    reply = await answer(desk, one)
    # Eight couriers took it, and none could say what became of it.
    await desk.shift.execute("update santral.delivery set attempts = 8 where message_id = $1", reply)
    outgoing = Kept()
    courier = await courier_of(desk, tmp_path, outgoing)
    assert await courier.round() == 1
    row = await state_of(desk, reply)
    assert (outgoing.calls, row["state"], row["reason"]) == ([], "failed", "given up after 8 tries")


async def test_what_was_sent_and_cannot_be_told_is_not_sent_again(desk: Regroup, tmp_path: Path) -> None:
    one, other = await desk.begun("Bir", provider="smtp", who=AYSE), await desk.begun("İki", provider="smtp", who="can@ornek.com")
    reply, good = await answer(desk, one), await answer(desk, other)
    outgoing = Kept(provider_id="a\x00b")
    courier = await courier_of(desk, tmp_path, outgoing)
    assert await courier.round() == 2
    await due_again(desk)
    assert (await courier.round(), len(outgoing.calls)) == (0, 2)
    assert [(await state_of(desk, each))["state"] for each in (reply, good)] == ["sent", "sent"]


async def test_files_that_are_gone_fail_one_answer(desk: Regroup, tmp_path: Path) -> None:
    gone, good = await desk.begun("Bir", provider="smtp", who="b@ornek.com"), await desk.begun("İki", provider="smtp", who=AYSE)
    lost, sent = await answer(desk, gone), await answer(desk, good)
    await desk.shift.execute(
        'update santral.delivery set request = request || \'{"files": [{"blob": "x/y/z"}]}\' where message_id = $1', lost
    )
    courier = await courier_of(desk, tmp_path, Kept())
    assert await courier.round() == 2
    assert (await state_of(desk, sent))["state"] == "sent"
    assert (await state_of(desk, lost))["state"] in ("failed", "queued")


async def test_a_template_never_becomes_an_empty_mail(desk: Regroup, tmp_path: Path) -> None:
    reply = await answer(desk, await desk.begun("Bir", provider="smtp", who=AYSE))
    # As a release wrote it that did not refuse it yet.
    await desk.shift.execute(
        "update santral.delivery set request = jsonb_set(request, '{content}', $2) where message_id = $1",
        reply, {"kind": "template", "name": "hello", "text": ""},
    )  # fmt: skip
    outgoing = Kept()
    assert await (await courier_of(desk, tmp_path, outgoing)).round() == 1
    row = await state_of(desk, reply)
    assert (outgoing.calls, row["state"], "template" in row["reason"]) == ([], "failed", True)


async def test_a_try_ends_before_its_lease(desk: Regroup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conversation = await desk.begun("Merhaba", provider="smtp", who="yavas@ornek.com")
    sent = await answer(desk, conversation)
    courier = await courier_of(desk, tmp_path, Hanging())
    assert TRY_S < LEASE_S
    monkeypatch.setattr(deliveries, "TRY_S", 0.1)
    assert await courier.round() == 1
    found = await state_of(desk, sent)
    assert (found["state"], "longer than" in found["reason"]) == ("queued", True)
