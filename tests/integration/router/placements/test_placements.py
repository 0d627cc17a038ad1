"""Merging, splitting and moving through REST on a real PostgreSQL: messages, references, what comes next, and the undo of each."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from router.views.conversations import conversation_events
from shared.database import Database
from shared.ids import new_id
from tests.support.api import Api
from tests.support.intake_line import rows
from tests.support.placements import Regroup, regroup_of
from tests.support.shift import Shift
from tests.support.workspaces import make_workspace


@pytest.fixture
async def desk(api: Api, shift: Shift) -> Regroup:
    return await regroup_of(api, shift)


async def test_a_merge_carries_everything_and_its_undo_brings_it_back(desk: Regroup) -> None:
    shift = desk.shift
    mails = await desk.begun("Bir", provider="smtp", who="ayse@ornek.com", subject="Sipariş", defines=("mid:1@x",))
    await shift.writes(provider="smtp", who="ayse@ornek.com", text="İki", defines=("mid:2@x",))
    chat = await desk.begun("Üç")
    before = await desk.picture()
    operation = await desk.merge(mails, chat, reason="Aynı kişi")
    assert (operation["kind"], operation["from"], operation["to"]) == ("merge", str(mails), str(chat))
    assert operation["messages"] == [str(await desk.message("Bir")), str(await desk.message("İki"))]
    assert (operation["reason"], operation["undoable"], operation["why_not"]) == ("Aynı kişi", True, None)
    assert operation["actor"]["kind"] == "key"
    assert (await desk.texts(mails), await desk.texts(chat)) == ([], ["Üç", "Bir", "İki"])
    shown = (await desk.api.client.get(f"/v1/conversations/{mails}", headers=desk.admin)).json()
    assert (shown["merged_into"], shown["state"]) == (str(chat), "closed")
    listed = (await desk.api.client.get("/v1/conversations", headers=desk.admin)).json()["items"]
    assert [(one["id"], one["channels"], one["subject"]) for one in listed] == [(str(chat), ["chat", "email"], "")]
    open_items = await rows(shift.db, "select conversation_id from santral.work_item where state = 'queued'")
    assert [item["conversation_id"] for item in open_items] == [chat]
    (ended,) = await rows(shift.db, "select outcome from santral.work_item where state = 'canceled'")
    assert ended["outcome"] == {"merged": True}
    await shift.sound()
    # The same again is what is there.
    assert (await desk.merge(mails, chat))["id"] == operation["id"]
    undone = await desk.undo(operation)
    assert undone["undone_at"] is not None
    assert (undone["undoable"], undone["why_not"]) == (False, "it was undone")
    assert await desk.picture() == before
    assert (await desk.undo(operation))["undone_at"] == undone["undone_at"]
    for one in (mails, chat):
        listed = (await desk.api.client.get(f"/v1/conversations/{one}/placements", headers=desk.admin)).json()["data"]
        assert [entry["id"] for entry in listed] == [operation["id"]]
    await shift.writes(provider="smtp", who="ayse@ornek.com", text="Dört")
    assert await desk.texts(mails) == ["Bir", "İki", "Dört"]
    audited = await rows(shift.db, "select action, details->>'operation_id' as id from santral.audit order by id")
    assert [one["action"] for one in audited] == ["conversation.merge"] * 2 + ["placement.undo"] * 2
    assert {one["id"] for one in audited} == {operation["id"]}
    await shift.sound()


async def test_a_split_makes_a_conversation_with_work_and_its_undo_takes_along_what_was_said_since(desk: Regroup) -> None:
    shift = desk.shift
    item = await shift.mine(text="Kargom nerede?", subject="Kargo")
    one = await desk.of(item)
    await shift.reply(item, "Yolda.")
    await shift.writes(text="Bir de fatura istiyorum", who="v1")
    operation = await desk.split(one, "Bir de fatura istiyorum", reason="İki konu")
    new = UUID(operation["to"])
    assert (operation["kind"], operation["from"], len(operation["messages"])) == ("split", str(one), 1)
    assert (await desk.texts(one), await desk.texts(new)) == (["Kargom nerede?", "Yolda."], ["Bir de fatura istiyorum"])
    old, made = await desk.row(one), await desk.row(new)
    assert (made["handle_id"], made["inbox_id"], made["state"]) == (old["handle_id"], old["inbox_id"], "open")
    assert (made["subject"], old["subject"]) == ("Kargo", "Kargo")
    opened = await desk.open_item(new)
    assert opened is not None
    assert (opened["state"], opened["sticky_agent_id"]) == ("queued", shift.deniz)
    assert (opened["enqueued_at"], made["opened_at"]) == (made["last_in_at"], made["last_in_at"])
    events = await rows(shift.db, "select type from santral.event where conversation_id = $1 order by seq", new)
    assert [event["type"] for event in events] == ["conversation.opened", "conversation.split", "message.moved", "item.queued"]
    await shift.sound()
    await shift.writes(text="Acele", who="v1")
    assert await desk.texts(new) == ["Bir de fatura istiyorum", "Acele"]
    await desk.undo(operation)
    assert await desk.texts(one) == ["Kargom nerede?", "Yolda.", "Bir de fatura istiyorum", "Acele"]
    assert ((await desk.row(new))["merged_into"], (await desk.row(new))["state"]) == (one, "closed")
    assert (await shift.state(item), await desk.open_item(new)) == ("assigned", None)
    await shift.writes(text="Orada mısınız?", who="v1")
    assert (await desk.texts(one))[-1] == "Orada mısınız?"
    await shift.sound()


async def test_a_split_of_what_was_answered_makes_no_work(desk: Regroup) -> None:
    item = await desk.shift.mine(text="Bir")
    one = await desk.of(item)
    await desk.shift.reply(item, "Cevap")
    await desk.shift.writes(text="İki", who="v1")
    before = await desk.picture()
    operation = await desk.split(one, "Bir", "Cevap")
    assert await desk.open_item(UUID(operation["to"])) is None
    assert (await desk.row(UUID(operation["to"])))["state"] == "closed"
    await desk.undo(operation)
    after = await desk.picture()
    after["conversations"] = [row for row in after["conversations"] if row["merged_into"] is None]
    assert after == before


async def test_what_answers_a_moved_message_lands_where_it_is(desk: Regroup) -> None:
    shift = desk.shift
    mine = await desk.begun("Bir", provider="smtp", who="ayse@ornek.com", defines=("mid:1@x",))
    await shift.writes(provider="smtp", who="ayse@ornek.com", text="İki", defines=("mid:2@x",))
    other = await desk.begun("Üç", provider="smtp", who="can@ornek.com", defines=("mid:3@x",))
    before = await desk.picture()
    operation = await desk.move("İki", other)
    assert (await desk.texts(mine), await desk.texts(other)) == (["Bir"], ["Üç", "İki"])
    await shift.writes(provider="smtp", who="veli@ornek.com", text="Ona cevap", refs=("mid:2@x",))
    assert (await desk.texts(other))[-1] == "Ona cevap"
    await desk.undo(operation)
    await shift.writes(provider="smtp", who="veli@ornek.com", text="Bir daha", refs=("mid:2@x",))
    assert (await desk.texts(mine))[-1] == "Bir daha"
    after = await desk.picture()
    assert after["refs"] == before["refs"]
    kept = {row["id"]: row for row in after["messages"]}
    assert [kept[row["id"]] for row in before["messages"]] == before["messages"]
    await shift.sound()


async def test_a_moved_question_is_work_where_it_goes_and_no_more_when_it_goes_back(desk: Regroup) -> None:
    shift = desk.shift
    done = await shift.mine(text="Eski", who="v2")
    other = await desk.of(done)
    await shift.reply(done, "Tamam")
    await shift.done(done)
    one = await desk.begun("Bir")
    await shift.writes(text="İki", who="v1", accepted_at=datetime.now(UTC))
    assert await desk.open_item(other) is None
    before = await desk.picture()
    operation = await desk.move("İki", other)
    assert (await desk.open_item(other) or {})["state"] == "queued"
    await desk.undo(operation)
    assert await desk.picture() == before
    (ended,) = await rows(shift.db, "select outcome from santral.work_item where state = 'canceled'")
    assert ended["outcome"] == {"moved": True}
    assert await desk.open_item(one) is not None
    await shift.sound()


async def test_after_a_merge_the_customer_writes_to_the_one_that_goes_on(desk: Regroup) -> None:
    shift = desk.shift
    gone = await desk.begun("Bir", who="v1")
    into = await desk.begun("İki", provider="smtp", who="ayse@ornek.com")
    last = await desk.begun("Üç", provider="smtp", who="can@ornek.com")
    first = await desk.merge(gone, into)
    await shift.writes(text="Aynı kanaldan", who="v1")
    await shift.writes(provider="smtp", who="veli@ornek.com", text="Adresiyle", refs=(f"conversation:{gone}",))
    assert await desk.texts(into) == ["İki", "Bir", "Aynı kanaldan", "Adresiyle"]
    # Merged once more, all of it goes on; taken back, each is where it was.
    second = await desk.merge(into, last)
    assert ((await desk.row(gone))["merged_into"], (await desk.row(into))["merged_into"]) == (last, last)
    await shift.writes(text="Yine", who="v1")
    assert (await desk.texts(last))[-1] == "Yine"
    problem = await desk.undo(first, 409)
    assert second["id"] in problem["remedy"]
    listed = (await desk.api.client.get(f"/v1/conversations/{gone}/placements", headers=desk.admin)).json()["data"]
    assert (listed[0]["undoable"], second["id"] in listed[0]["why_not"]) == (False, True)
    await desk.undo(second)
    assert ((await desk.row(gone))["merged_into"], (await desk.row(into))["merged_into"]) == (into, None)
    await desk.undo(first)
    assert (await desk.texts(gone), await desk.texts(last)) == (["Bir"], ["Üç", "Yine"])
    await shift.sound()


async def test_events_tell_what_happened_in_both_and_nobodys_words(desk: Regroup) -> None:
    shift = desk.shift
    item = await shift.mine(text="gizli kelime")
    one, other = await desk.of(item), await desk.begun("öteki", who="v2")
    operation = await desk.merge(one, other, reason="kanarya")
    await desk.undo(operation)
    async with shift.db.session() as connection:
        gone = await conversation_events(connection, shift.workspace.id, one, after_seq=0)
        grown = await conversation_events(connection, shift.workspace.id, other, after_seq=0)
    told = [event for event in (*gone, *grown) if event["data"].get("operation_id") == operation["id"]]
    assert [(event["type"], event["data"].get("undone", False)) for event in told] == [
        ("conversation.merged", False), ("conversation.merged", True),
        ("conversation.merged", False), ("message.moved", False), ("conversation.merged", True),
    ]  # fmt: skip
    assert {event["data"]["from_conversation_id"] for event in told} == {str(one)}
    # The agent who has the work hears of it on their own stream.
    assert told[0]["agent_id"] == shift.deniz
    for word in ("kanarya", "gizli"):
        assert await rows(shift.db, f"select 1 from santral.event e where e::text like '%{word}%'") == []
    assert await rows(shift.db, "select 1 from santral.audit a where a::text like '%kanarya%'") == []


async def test_what_makes_no_sense_is_refused_with_the_field(desk: Regroup, worker_db: Database) -> None:
    shift = desk.shift
    one, other = await desk.begun("Bir"), await desk.begun("İki", who="v2")
    elsewhere = await make_workspace(worker_db, name="komsu")
    foreign = await regroup_of(
        desk.api, Shift(db=shift.db, workspace=elsewhere, matcher=shift.matcher, member=shift.member, line=shift.line)
    )
    await shift.member.configuration.refresh()
    theirs = await foreign.begun("Komşu")
    before = await desk.picture()
    assert (await desk.merge(one, one, 422))["field"] == "conversation"
    assert (await desk.merge(one, new_id(), 404))["field"] == "conversation_id"
    await desk.merge(one, theirs, 404)
    await foreign.merge(theirs, one, 404)
    assert (await desk.split(one, "Bir", status=422))["field"] == "messages"
    assert (await desk.split(one, "İki", status=422))["field"] == "messages"
    assert (await desk.post(f"conversations/{one}/split", 422, messages=[]))["field"] == "body.messages"
    assert (await desk.move("Bir", other, 422))["remedy"].startswith("merge")
    assert (await desk.move("Bir", one, 409))["field"] == "conversation"
    await desk.post(f"messages/{new_id()}/move", 404, conversation=str(one))
    await desk.post(f"placements/{new_id()}/undo", 404)
    assert (await desk.post(f"conversations/{one}/merge", 422, into=str(other), why="x"))["field"] == "body.why"
    assert await desk.picture() == before
    await desk.merge(one, other)
    assert str(other) in (await desk.merge(one, await desk.begun("Üç", who="v3"), 409))["remedy"]
    assert str(other) in (await desk.merge(other, one, 409))["remedy"]
    reply = await desk.post(f"conversations/{one}/replies", 409, content={"kind": "text", "text": "Merhaba"})
    assert reply["remedy"] == f"answer in {other}"
    await shift.sound()


async def test_public_and_private_words_stay_apart(desk: Regroup) -> None:
    one, other = await desk.begun("Bir"), await desk.begun("Herkese", who="v2")
    await desk.shift.execute("update santral.conversation set visibility = 'public' where id = $1", other)
    assert "public" in (await desk.merge(one, other, 409))["detail"]


async def test_who_may(desk: Regroup) -> None:
    shift = desk.shift
    item = await shift.mine(text="Bir")
    one, queue = await desk.of(item), await shift.add_queue("fatura")
    other, hidden = await desk.begun("İki", who="v2"), await desk.begun("Üç", who="v3")
    await shift.execute("update santral.work_item set queue_id = $2 where conversation_id = $1", hidden, queue)
    deniz = await desk.api.agent(shift.workspace.id, shift.deniz)
    ece = await desk.api.agent(shift.workspace.id, await shift.colleague())
    reader = await desk.api.key(shift.workspace.id, "conversations:read")
    await desk.merge(one, other, 403, headers=reader)
    # Ece sees both in her queue, but the work is Deniz's; Deniz does not see what is in another queue.
    assert (await desk.merge(one, other, 403, headers=ece))["field"] == "conversation_id"
    await desk.merge(one, hidden, 403, headers=deniz)
    operation = await desk.merge(one, other, headers=deniz)
    assert operation["actor"] == {"kind": "agent", "id": str(shift.deniz), "name": "Deniz"}
    await desk.undo(operation, 403, ece)
    await desk.undo(operation, headers=deniz)
    assert await shift.state(item) == "assigned"
    await shift.sound()
