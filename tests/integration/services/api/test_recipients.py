"""Who gets the answer, over REST: read before it is written, said with it, settled when it is written; never ourselves, never nobody."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ingest.directory import Directory
from router.commands.reply import write_reply
from services.api.conversations import ReplyIn
from services.courier.deliveries import Deliveries
from services.privacy.erasures import Erasures
from shared.blobs_files import FileBlobs
from shared.ids import new_id
from tests.support.answer_table import ADDRESS
from tests.support.api import Api
from tests.support.intake_line import SECRET, rows
from tests.support.placements import Regroup, regroup_of
from tests.support.shift import Shift
from tests.support.waiting import eventually
from tests.support.way_out import Kept

AYSE, OFIS, CAN = "ayse@ornek.net", "ofis@uzak.example", "can@baska.example"
ASSERTED: dict[str, Any] = {"authenticated": False}


@pytest.fixture
async def desk(api: Api, shift: Shift) -> Regroup:
    return await regroup_of(api, shift)


async def read(desk: Regroup, conversation: UUID) -> Any:
    return (await desk.api.client.get(f"/v1/conversations/{conversation}", headers=desk.admin)).json()["reply_to"]


async def said(desk: Regroup, conversation: UUID) -> list[dict[str, Any]]:
    found = await desk.api.client.get(f"/v1/conversations/{conversation}/messages", headers=desk.admin)
    return list(found.json()["items"])


async def replied(desk: Regroup, conversation: UUID, status: int, **more: Any) -> Any:
    return await desk.post(f"conversations/{conversation}/replies", status, content={"kind": "text", "text": "Cevap"}, **more)


async def test_a_conversation_says_who_is_answered_and_each_message_what_it_asked(desk: Regroup) -> None:
    one = await desk.begun("Nerede?", provider="smtp", who=AYSE, defines=("mid:1@x",), traits={"verdict": "pass", "reply_to": OFIS})
    elsewhere = {"kind": "email", "value": OFIS, "name": "", "asked": True, "differs": True}
    assert await read(desk, one) == elsewhere
    await desk.shift.writes("Bana yazın", provider="smtp", who=CAN, refs=("mid:1@x",), traits={"verdict": "none"}, **ASSERTED)
    assert await read(desk, one) == elsewhere, "nobody vouches for who wrote last"
    first, second = await said(desk, one)
    told = ("verdict", "reply_to", "written_from", "aside")
    assert [first[name] for name in told] == ["pass", OFIS, None, False]
    assert [second[name] for name in told] == ["none", None, None, True]
    await desk.shift.writes("Benim", provider="smtp", who=CAN, refs=("mid:1@x",), traits={"verdict": "pass"})
    assert await read(desk, one) == {"kind": "email", "value": CAN, "name": "", "asked": False, "differs": False}
    near = await desk.begun("Nerede?", provider="smtp", who=CAN, traits={"reply_to": "can.ev@baska.example"})
    assert await read(desk, near) == {"kind": "email", "value": "can.ev@baska.example", "name": "", "asked": True, "differs": False}
    idn = await desk.begun("Nerede?", provider="smtp", who="ali@xn--rnek-4qa.com", traits={"reply_to": "ofis@örnek.com"})
    assert [(await read(desk, idn))[name] for name in ("value", "asked", "differs")] == ["ofis@örnek.com", True, False]
    # As releases before wrote it: the writer's own address.
    own = await desk.begun("Nerede?", provider="smtp", who="dogan@ornek.net", traits={"reply_to": "Dogan@ornek.net"})
    assert (await read(desk, own))["asked"] is False
    chat = await desk.begun("Selam")
    assert (await read(desk, chat))["kind"] == "visitor"


async def test_an_answer_goes_to_whom_its_writer_saw_or_not_at_all(desk: Regroup, tmp_path: Path) -> None:
    one = await desk.begun("Nerede?", provider="smtp", who=AYSE, defines=("mid:1@x",))
    refused = await replied(desk, one, 409, reply_to=OFIS)
    assert (refused["field"], bool(refused["remedy"])) == ("reply_to", True)
    assert await said(desk, one) == (await said(desk, one))[:1]
    await replied(desk, one, 202, reply_to=AYSE.upper())
    # Who is vouched for asks for another address while the answer waits: that one is for the next.
    await desk.shift.writes("Oraya yazın", provider="smtp", who=AYSE, refs=("mid:1@x",), traits={"reply_to": OFIS})
    await replied(desk, one, 202, reply_to=OFIS)
    await desk.shift.writes("Ya da buraya", provider="smtp", who=AYSE, refs=("mid:1@x",), traits={"reply_to": CAN})
    outgoing, directory = Kept(), Directory(desk.shift.db, desk.api.sealer)
    await directory.refresh()
    courier = Deliveries(
        db=desk.shift.db, directory=directory, outgoing=outgoing, blobs=FileBlobs(tmp_path), hints=desk.api.hints, owner=new_id(),
        secret=SECRET,
    )  # fmt: skip
    while await courier.round():
        pass
    assert [call.recipients for call in outgoing.calls] == [(AYSE,), (OFIS,)]


async def test_nobody_else_is_answered_who_writes_while_the_answer_is_written(
    desk: Regroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await desk.begun("Nerede?", provider="smtp", who=AYSE, defines=("mid:1@x",))
    came: list[asyncio.Task[Any]] = []

    async def beside_another(*given: Any, **named: Any) -> Any:
        writes = desk.shift.writes("Benim", provider="smtp", who=CAN, refs=("mid:1@x",), traits={"verdict": "pass"})
        came.append(asyncio.create_task(writes))

        async def as_far_as_it_can() -> bool:
            waits = await rows(desk.shift.db, "select count(*) > 0 as any from pg_locks where not granted")
            return came[0].done() or bool(waits[0]["any"])

        await eventually(as_far_as_it_can, 2, "the other's mail")
        return await write_reply(*given, **named)

    monkeypatch.setattr("services.api.conversations.write_reply", beside_another)
    await replied(desk, one, 202, reply_to=AYSE)
    await asyncio.gather(*came)
    asked = "select h.value from santral.delivery d join santral.handle h on h.id = d.handle_id"
    assert await rows(desk.shift.db, asked) == [{"value": AYSE}]
    monkeypatch.undo()
    assert (await replied(desk, one, 409, reply_to=AYSE))["field"] == "reply_to", "the other's mail is there"


async def test_no_answer_outlives_the_erasure_in_whose_moment_it_is_written(
    desk: Regroup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await desk.begun("Nerede?", provider="smtp", who=AYSE, traits={"reply_to": OFIS})
    (person,) = await rows(desk.shift.db, "select profile_id from santral.handle where value = $1", AYSE)
    whose = str(person["profile_id"])
    await desk.post(f"profiles/{whose}/erase", 202, reason="law", confirm=whose)
    job = Erasures(db=desk.shift.db, blobs=FileBlobs(tmp_path), hints=None, secret=SECRET, settle_s=0)
    erasing: list[asyncio.Task[None]] = []

    async def erased() -> None:
        while await job.round():
            pass

    async def beside_it(*given: Any, **named: Any) -> Any:
        erasing.append(asyncio.create_task(erased()))

        async def as_far_as_it_can() -> bool:
            waits = await rows(desk.shift.db, "select count(*) > 0 as any from pg_locks where not granted")
            return erasing[0].done() or bool(waits[0]["any"])

        await eventually(as_far_as_it_can, 10, "the erasure")
        return await write_reply(*given, **named)

    monkeypatch.setattr("services.api.conversations.write_reply", beside_it)
    await replied(desk, one, 202)
    await asyncio.gather(*erasing)
    await erased()
    assert [row["state"] for row in await rows(desk.shift.db, "select state from santral.erasure")] == ["done"]
    assert await rows(desk.shift.db, "select text from santral.message where text = 'Cevap'") == []
    assert await rows(desk.shift.db, "select id from santral.delivery where request::text like $1", f"%{OFIS}%") == []


def test_a_call_that_names_nobody_is_what_it_was() -> None:
    body = ReplyIn.model_validate({"content": {"kind": "text", "text": "x"}})
    assert "reply_to" not in body.model_dump_json(), "a retry across an upgrade is the same call"
    assert '"reply_to":"a@b.c"' in body.model_copy(update={"reply_to": "a@b.c"}).model_dump_json()


async def test_nobody_and_ourselves_are_not_answered(desk: Regroup) -> None:
    inbox = desk.shift.workspace.inboxes["smtp"]
    nobody = {"kind": "visitor", "scope": f"mail:{inbox}", "value": "1@ornek.net"}
    one = await desk.begun("Kimden?", provider="smtp", sender=nobody)
    assert await read(desk, one) is None
    refused = await replied(desk, one, 422)
    assert (refused["field"], bool(refused["remedy"])) == ("to", True)
    await desk.shift.execute(
        "insert into santral.inbox (workspace_id, id, name, channel, provider, address, path_token, settings)"
        " values ($1, $2, 'satis', 'email', 'smtp', 'satis@ornek.com', 'satis', $3)",
        desk.shift.workspace.id, new_id(), {"aliases": ["siparis@ornek.com"]},
    )  # fmt: skip
    await desk.shift.execute(
        "update santral.workspace set settings = settings || $2 where id = $1",
        desk.shift.workspace.id, {"own_addresses": ["eski@ornek.com", "+908502223344"]},
    )  # fmt: skip
    for own in (ADDRESS, "Destek+x@ornek.com", "satis@ornek.com", "siparis@ornek.com", "eski@ornek.com"):
        assert (await replied(desk, one, 422, to=own))["field"] == "to"
    await replied(desk, one, 202, to=AYSE)
    directory = Directory(desk.shift.db, desk.api.sealer)
    await directory.refresh()
    known = directory.inbox(inbox)
    assert known is not None
    assert known.own is not None
    assert known.own.mailboxes.values == {ADDRESS, "satis@ornek.com", "siparis@ornek.com", "eski@ornek.com"}
    assert known.own.numbers == {"+908502223344"}
    found = await rows(desk.shift.db, "select id from santral.inbox where provider = 'webchat'")
    assert [directory.inbox(row["id"]).own is known.own for row in found] == [True], "one object for all"  # type: ignore[union-attr]
