"""What a reply that waits goes out under: what it answered when it was written, wherever it stands by then."""

from __future__ import annotations

from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ingest.adapter import Adapter, Call, HttpCall, Outcome
from ingest.mail.reply_token import reply_address
from services.courier.outgoing import Outgoing
from services.frame.egress import PUBLIC_ONLY
from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from tests.integration.services.courier.test_deliveries import answer, courier_of, due_again
from tests.support.api import Api
from tests.support.intake_line import SECRET, rows
from tests.support.placements import Regroup, regroup_of
from tests.support.shift import shift_of
from tests.support.way_out import Kept
from tests.support.workspaces import Workspace

AYSE, CAN = "ayse@ornek.com", "can@ornek.com"


@pytest.fixture
async def desk(api: Api, worker_db: Database, database_urls: PostgresUrls, workspace: Workspace) -> Regroup:
    return await regroup_of(api, await shift_of(worker_db, database_urls, workspace))


async def merge(desk: Regroup, one: UUID, other: UUID) -> None:
    await desk.merge(one, other)


async def merge_the_other_in(desk: Regroup, one: UUID, other: UUID) -> None:
    await desk.merge(other, one)


async def move_the_answered(desk: Regroup, one: UUID, other: UUID) -> None:
    await desk.move("Nerede?", other)


async def move_the_answer(desk: Regroup, one: UUID, other: UUID) -> None:
    await desk.move("Cevap", other)


async def split_the_answer_off(desk: Regroup, one: UUID, other: UUID) -> None:
    await desk.split(one, "Cevap")


async def split_the_answered_off(desk: Regroup, one: UUID, other: UUID) -> None:
    await desk.split(one, "Nerede?")


async def merge_and_undo(desk: Regroup, one: UUID, other: UUID) -> None:
    await desk.undo(await desk.merge(one, other))


async def write_again(desk: Regroup, one: UUID, other: UUID) -> None:
    await desk.shift.writes("Bir de", provider="smtp", who=AYSE, subject="Siparis 8", refs=("mid:kisi@x",), defines=("mid:yeni@x",))


MEANWHILE = [
    merge, merge_the_other_in, move_the_answered, move_the_answer, split_the_answer_off, split_the_answered_off, merge_and_undo, write_again,
]  # fmt: skip


async def sent(desk: Regroup, folder: Path) -> list[Message]:
    outgoing = Kept()
    courier = await courier_of(desk, folder, outgoing)
    while await courier.round():
        await due_again(desk)
    return [message_from_bytes(call.content) for call in outgoing.calls]


@pytest.mark.parametrize("subject", ["Siparis 7", ""])
@pytest.mark.parametrize("happens", MEANWHILE)
async def test_what_waits_goes_under_what_it_answered(desk: Regroup, tmp_path: Path, happens: Any, subject: str) -> None:
    one = await desk.begun("Nerede?", provider="smtp", who=AYSE, subject=subject, defines=("mid:kisi@x",))
    other = await desk.begun("Gizli", provider="smtp", who=CAN, subject="Can'in davasi", defines=("mid:can@x",))
    await answer(desk, one)
    await desk.shift.writes(
        "Gizli de", provider="smtp", who=CAN, subject="Can'in davasi", refs=("mid:can@x",), defines=("mid:can2@x",)
    )
    await happens(desk, one, other)
    (mail,) = await sent(desk, tmp_path)
    assert (mail["In-Reply-To"], mail["References"]) == ("<kisi@x>", "<kisi@x>")
    assert mail["Subject"].strip() == f"Re: {subject}".strip()


async def test_the_answer_to_a_reply_that_was_merged_comes_back_with_an_undo(desk: Regroup, tmp_path: Path) -> None:
    one = await desk.begun("Nerede?", provider="smtp", who=AYSE, defines=("mid:kisi@x",))
    other = await desk.begun("Gizli", provider="smtp", who=CAN, defines=("mid:can@x",))
    await answer(desk, one)
    await desk.merge(one, other)
    (mail,) = await sent(desk, tmp_path)
    address = (await rows(desk.shift.db, "select address from santral.inbox where provider = 'smtp'"))[0]["address"]
    assert mail["Reply-To"] == f"<{reply_address(address, one, SECRET)}>"


async def test_a_redacted_message_names_no_answer_that_waits(desk: Regroup, tmp_path: Path) -> None:
    one = await desk.begun("Nerede?", provider="smtp", who=AYSE, subject="Kart 4242", defines=("mid:kisi@x",))
    await answer(desk, one)
    (said,) = await rows(desk.shift.db, "select seq from santral.message where text = 'Nerede?'")
    await desk.post(f"conversations/{one}/messages/{said['seq']}/redact", 200, reason="card_number")
    (mail,) = await sent(desk, tmp_path)
    assert (mail["In-Reply-To"], mail["Subject"].strip()) == ("<kisi@x>", "Re:")


class Posted(Outgoing):
    """A provider that takes every post."""

    def __init__(self) -> None:
        super().__init__(smtp_relay=None, allowed=PUBLIC_ONLY)
        self.calls: list[Call] = []

    async def execute(self, adapter: Adapter, call: Call) -> Outcome:
        self.calls.append(call)
        return Outcome(state="sent")


@pytest.mark.parametrize("happens", [merge, move_the_answer, split_the_answer_off, move_the_answered])
async def test_an_answer_has_the_window_and_the_quote_of_what_it_answered(desk: Regroup, tmp_path: Path, happens: Any) -> None:
    one, other = await desk.begun("Nerede?", provider="smtp", who=AYSE), await desk.begun("Gizli", provider="smtp", who=CAN)
    await desk.shift.execute(
        "update santral.inbox set provider = 'whatsapp', channel = 'social', address = '1100' where provider = 'smtp'"
    )
    await desk.shift.execute("update santral.conversation set window_expires_at = now() + interval '1 hour' where id = $1", one)
    content = {"kind": "text", "text": "Cevap", "quote": True}
    reply = await desk.post(f"conversations/{one}/replies", 202, content=content)
    await happens(desk, one, other)
    outgoing = Posted()
    await (await courier_of(desk, tmp_path, outgoing)).round()
    (delivery,) = await rows(desk.shift.db, "select state, reason from santral.delivery where message_id = $1", UUID(reply["id"]))
    assert (delivery["state"], delivery["reason"]) == ("sent", "")
    (call,) = outgoing.calls
    assert isinstance(call, HttpCall)
    assert call.json is not None
    (answered,) = await rows(desk.shift.db, "select external_id from santral.message where text = 'Nerede?'")
    assert call.json["context"] == {"message_id": answered["external_id"]}
