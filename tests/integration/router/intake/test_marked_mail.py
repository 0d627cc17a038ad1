"""Mail that is marked and not a machine's: as the workspace's setting says, and never answered by a machine of ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from shared.message import Automatic, Filtered
from tests.support.api import Api
from tests.support.intake_line import assert_contiguous, rows
from tests.support.shift import Shift

LIST = Automatic(kind="bulk", marked_only=True, evidence=("List-Id", "Precedence: list"))
SET = "update santral.workspace set settings = settings || jsonb_build_object('marked_mail', $2::text) where id = $1"
MAIL: dict[str, Any] = {"provider": "smtp", "who": "ayse@ornek.com"}
OTHER: dict[str, Any] = {"provider": "smtp", "who": "mehmet@ornek.com"}


async def switch(shift: Shift, to: str) -> None:
    await shift.configure(SET, shift.workspace.id, to)


async def said(shift: Shift) -> list[dict[str, Any]]:
    return await rows(
        shift.db, "select id, text, body, signals from santral.message where direction = 'in' order by accepted_at, seq"
    )


async def test_a_workspace_that_never_said_keeps_marked_mail_aside(shift: Shift) -> None:
    await shift.writes("Listeden", automatic=LIST, **MAIL)
    await switch(shift, "aside")
    await shift.writes("Listeden", automatic=LIST, **OTHER)
    assert await rows(shift.db, "select 1 from santral.work_item") == []
    for one in await said(shift):
        assert one["body"]["automatic"]["marked_only"] is True
        assert "marks" not in one["body"]
    assert [one["last_in_at"] for one in await rows(shift.db, "select last_in_at from santral.conversation")] == [None, None]


async def test_marked_mail_is_a_persons_in_every_respect_where_it_is_work(shift: Shift) -> None:
    await switch(shift, "work")
    conversation = (await shift.item(await shift.waiting(subject="Sipariş", text="Merhaba", **MAIL)))["conversation_id"]
    until = (datetime.now(UTC) + timedelta(hours=3)).replace(microsecond=0)
    await shift.writes(
        "This is the order I wrote about, where is it now?", automatic=LIST, refs=(f"conversation:{conversation}",),
        window_expires_at=until, **OTHER,
    )  # fmt: skip
    (row,) = await rows(
        shift.db,
        "select c.*, h.value as answered from santral.conversation c join santral.handle h on h.id = c.last_handle_id",
    )
    assert (row["answered"], row["window_expires_at"], row["language"]) == ("mehmet@ornek.com", until, "en")
    second = (await said(shift))[1]
    assert "automatic" not in second["body"]
    assert second["body"]["marks"]["evidence"] == list(LIST.evidence)
    assert (second["signals"]["do_not_answer"], second["signals"]["marks"]) == (True, list(LIST.evidence))
    assert (second["signals"]["bulk"], second["signals"]["auto_reply"]) == (False, False)
    await assert_contiguous(shift.db)


async def test_marked_mail_opens_work_and_its_decision_names_the_marks(shift: Shift) -> None:
    await switch(shift, "work")
    item = await shift.waiting(automatic=LIST, subject="Teklif", **MAIL)
    assert (await shift.item(item))["state"] == "queued"
    (decision,) = await rows(shift.db, "select record from santral.decision")
    assert decision["record"]["facts"]["signals"]["marks"] == list(LIST.evidence)
    received = await rows(shift.db, "select data from santral.event where type = 'message.received'")
    assert (received[0]["data"].get("marked"), received[0]["data"].get("automatic")) == ("bulk", None)


async def test_rules_see_marks_and_what_the_border_filter_says(shift: Shift) -> None:
    await switch(shift, "work")
    lists, doubtful = await shift.add_queue("listeler"), await shift.add_queue("supheli")
    rules = [
        {"name": "filtre", "when": {"all": [
            {"field": "message.filter_verdict", "op": "is", "value": "spam"}, {"field": "message.filter_score", "op": "more", "value": 5},
        ]}, "queue": "supheli"},
        {"name": "liste", "when": {"all": [
            {"field": "signals.do_not_answer", "op": "is_true"}, {"field": "signals.marks", "op": "has", "value": "List-Id"},
        ]}, "queue": "listeler"},
    ]  # fmt: skip
    await shift.configure("update santral.policy set active = false where workspace_id = $1", shift.workspace.id)
    await shift.configure(
        "insert into santral.policy (workspace_id, version, document, active) values ($1, 2, $2, true)",
        shift.workspace.id, {"rules": rules, "default_queue": "genel"},
    )  # fmt: skip
    places = []
    mails: list[dict[str, Any]] = [
        {"automatic": LIST}, {"filtered": Filtered(verdict="spam", by="rspamd", score=9.5)},
        {"filtered": Filtered(verdict="spam", by="rspamd", score=1.0)}, {"filtered": Filtered(verdict="spam", by="scl")},
    ]  # fmt: skip
    for number, more in enumerate(mails):
        item = await shift.waiting(provider="smtp", who=f"kisi{number}@ornek.com", **more)
        places.append((await shift.item(item))["queue_id"])
    assert places == [lists, doubtful, shift.workspace.queue_id, shift.workspace.queue_id]


async def test_no_bot_is_asked_to_take_what_no_machine_may_answer(shift: Shift) -> None:
    await switch(shift, "work")
    bot = await shift.colleague("Bot", kind="bot")
    await shift.execute("update santral.agent set presence = 'away', version = version + 1 where id = $1", shift.deniz)
    await shift.tell("agent", shift.deniz)
    await shift.tell("agent", bot)
    marked, free = await shift.waiting(automatic=LIST, **MAIL), await shift.waiting(**OTHER)
    await shift.settle()
    assert ((await shift.item(free))["agent_id"], await shift.state(marked)) == (bot, "queued")
    await shift.execute("update santral.agent set presence = 'online', version = version + 1 where id = $1", shift.deniz)
    await shift.tell("agent", shift.deniz)
    assert (await shift.item(marked))["agent_id"] == shift.deniz
    await shift.sound()


async def answer(api: Api, headers: dict[str, str], conversation: UUID) -> int:
    body = {"content": {"kind": "text", "text": "Mesajınızı aldık."}}
    return (await api.client.post(f"/v1/conversations/{conversation}/replies", json=body, headers=headers)).status_code


async def test_no_machine_of_ours_answers_marked_mail_and_an_agent_does(api: Api, shift: Shift) -> None:
    await switch(shift, "work")
    conversation = (await shift.item(await shift.mine(automatic=LIST, **MAIL)))["conversation_id"]
    program, agent = await api.key(shift.workspace.id), await api.agent(shift.workspace.id, shift.deniz)
    assert await answer(api, program, conversation) == 429
    assert await answer(api, agent, conversation) == 202
    assert await answer(api, program, conversation) == 429, "an agent's answer does not make the list a person"
    (told,) = await rows(shift.db, "select data from santral.event where type = 'reply.stopped'")
    assert told["data"]["reason"] == "forbidden"
    await shift.writes("Ben yazıyorum.", refs=(f"conversation:{conversation}",), **MAIL)
    assert await answer(api, program, conversation) == 202


async def test_decisions_about_marked_and_filtered_mail_give_their_own_answer_again(api: Api, shift: Shift) -> None:
    await switch(shift, "work")
    await shift.writes(automatic=LIST, filtered=Filtered(verdict="bulk", by="rspamd", score=4.0), **MAIL)
    await shift.writes(**OTHER)
    # As a release wrote it that knew neither.
    await shift.execute(
        "update santral.decision set record = record #- '{facts,signals,do_not_answer}' #- '{facts,signals,marks}'"
        " where id = (select id from santral.decision order by id desc limit 1)"
    )
    admin = await api.key(shift.workspace.id)
    now = datetime.now(UTC)
    span = {"since": (now - timedelta(days=1)).isoformat(), "until": (now + timedelta(days=1)).isoformat()}
    found = (await api.client.post("/v1/decisions/check", json={**span, "limit": 100}, headers=admin)).json()
    assert (found["checked"], found["equal"], found["differing"]) == (2, 2, 0), found
    messages = await rows(shift.db, "select conversation_id, seq from santral.message order by seq")
    shown = await api.client.get(f"/v1/conversations/{messages[0]['conversation_id']}/messages", headers=admin)
    everything = [one for one in shown.json()["items"] if one["filtered"]]
    assert [(one["marks"], one["filtered"]["verdict"], one["automatic"]) for one in everything] == [
        (list(LIST.evidence), "bulk", None)
    ]
