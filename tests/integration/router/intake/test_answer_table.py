"""The table of who gets the answer through the real router and database: which conversation, and whom REST and the courier answer then."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ingest.adapter import MailCall, draft_message
from ingest.adapters.smtp import own_message_id
from ingest.directory import Directory
from ingest.mail.reply_token import conversation_of, reply_address
from services.courier.deliveries import Deliveries
from shared.blobs_files import FileBlobs
from shared.clock import SystemClock
from shared.ids import InboxId, WorkspaceId, message_id, new_id
from shared.message import InboundMessage
from tests.support.answer_table import ADDRESS, COLUMNS, ROWS, TABLE, Mail, asks, draft_of, raw
from tests.support.api import Api
from tests.support.intake_line import SECRET, rows
from tests.support.placements import Regroup, regroup_of
from tests.support.shift import Shift
from tests.support.way_out import Kept


@pytest.fixture
async def desk(api: Api, shift: Shift) -> Regroup:
    return await regroup_of(api, shift)


class Post:
    """Mails of one column into one workspace, and what became of them."""

    def __init__(self, desk: Regroup, column: str) -> None:
        self.desk = desk
        self.column = column

    def message(self, mail: Mail, *, tag: str, name: str, signed: str = "", ours: str = "") -> InboundMessage:
        workspace = self.desk.shift.workspace
        column = "pass" if name == "first" and self.column != "no border" else self.column
        content = raw(mail, column, tag=tag, name=name, signed=signed, ours=ours)
        draft = draft_of(workspace.id, workspace.inboxes["smtp"], content, column)
        named = {ref: conversation_of(ref.removeprefix("address:"), SECRET) for ref in draft.values["refs"]}
        refs = tuple(f"conversation:{named[ref]}" if named[ref] else ref for ref in named)
        identity = message_id(SECRET, WorkspaceId(workspace.id), InboxId(workspace.inboxes["smtp"]), draft.external_id)
        return draft_message(
            replace(draft, values={**draft.values, "refs": refs}), message_id=identity, accepted_at=SystemClock().now(),
            external_id=draft.external_id,
        )  # fmt: skip

    async def taken(self, message: InboundMessage) -> dict[str, Any]:
        """The message's row once the router has taken it in."""
        self.desk.shift.line.add(message)
        await self.desk.shift.member.take(self.desk.shift.line)
        (row,) = await rows(self.desk.shift.db, "select * from santral.message where id = $1", message.id)
        return row

    async def recipient(self, conversation: UUID) -> str | None:
        answer = await self.desk.api.client.get(f"/v1/conversations/{conversation}", headers=self.desk.admin)
        found = answer.json()["reply_to"]
        return found["value"] if found else None

    async def answered(self, conversation: UUID, text: str) -> UUID:
        sent = await self.desk.post(f"conversations/{conversation}/replies", 202, content={"kind": "text", "text": text})
        return UUID(sent["id"])


@pytest.mark.parametrize("column", COLUMNS)
async def test_a_column_through_the_router(desk: Regroup, tmp_path: Path, column: str) -> None:
    post, expected, found = Post(desk, column), {}, {}
    answers: dict[str, tuple[UUID, str | None]] = {}
    for tag, (row, (first, then)) in enumerate(ROWS.items()):
        began = await post.taken(post.message(first, tag=str(tag), name="first"))
        conversation = began["conversation_id"]
        ours = own_message_id(await post.answered(conversation, "Bakıyoruz"), ADDRESS)
        signed = reply_address(ADDRESS, conversation, SECRET)
        came = await post.taken(post.message(then, tag=str(tag), name="then", signed=signed, ours=ours))
        before, asked = asks(first, str(tag)), asks(then, str(tag))
        joined, now = came["conversation_id"] == conversation, await post.recipient(conversation)
        expected[row] = TABLE[row][column].rpartition(",")[0]
        if joined:
            assert came["body"].get("aside", False) == ("aside" in expected[row]), row
            found[row] = "joins, answered" if now == asked else f"joins, {'aside' if now == before else 'lost'}"
            found[row] = expected[row] if asked == before == now else found[row]
        else:
            found[row] = "apart" if now == before else "apart, and moved"
            assert await post.recipient(came["conversation_id"]) == asked, row
        if asked is not None:
            reply = await post.answered(came["conversation_id"], f"Cevap {tag}")
            answers[row] = (reply, asked if "answered" in expected[row] or not joined else before)
    assert found == expected
    outgoing = Kept()
    directory = Directory(desk.shift.db, desk.api.sealer)
    await directory.refresh()
    courier = Deliveries(
        db=desk.shift.db, directory=directory, outgoing=outgoing, blobs=FileBlobs(tmp_path), hints=desk.api.hints, owner=new_id(),
        secret=SECRET,
    )  # fmt: skip
    while await courier.round():
        pass
    sent = {call.content.partition(b"Message-ID: <")[2].partition(b"@")[0].decode(): call for call in outgoing.calls}
    went = {row: sent[str(reply)].recipients for row, (reply, _) in answers.items()}
    assert went == {row: (to,) for row, (_, to) in answers.items()}
    assert all(isinstance(call, MailCall) for call in outgoing.calls)
    await desk.shift.sound()
