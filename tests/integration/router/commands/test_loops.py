"""Machines that answer each other: they end after the limit, it is seen, and a person's answer always goes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
import pytest

from ingest.adapter import Inbox, MailCall, Reply
from ingest.mail.automatic import read_automatic
from ingest.mail.mime import read_mail
from ingest.registry import adapter_for
from router.commands.loop_governor import LIMITS
from shared.message import Automatic
from tests.support.api import Api
from tests.support.intake_line import rows
from tests.support.shift import Shift

MOST, MINUTES = LIMITS[0]


async def answer(api: Api, headers: dict[str, str], conversation: UUID, text: str = "Mesajınızı aldık.") -> httpx.Response:
    body = {"content": {"kind": "text", "text": text}}
    return await api.client.post(f"/v1/conversations/{conversation}/replies", json=body, headers=headers)


async def conversation_of(shift: Shift, item: UUID) -> UUID:
    found: UUID = (await shift.item(item))["conversation_id"]
    return found


async def stops(shift: Shift) -> list[dict[str, Any]]:
    return [row["data"] for row in await rows(shift.db, "select data from santral.event where type = 'reply.stopped' order by at")]


async def sent(shift: Shift) -> int:
    ((count,),) = [
        tuple(row.values()) for row in await rows(shift.db, "select count(*) as n from santral.message where direction = 'out'")
    ]
    assert isinstance(count, int)
    return count


async def test_two_machines_end_after_the_limit_and_a_person_goes_on(api: Api, shift: Shift) -> None:
    conversation = await conversation_of(shift, await shift.mine())
    program, agent = await api.key(shift.workspace.id), await api.agent(shift.workspace.id, shift.deniz)
    answers = []
    for turn in range(MOST + 4):
        answers.append(await answer(api, program, conversation))
        await shift.writes(f"Talebiniz alındı {turn}")
    assert [one.status_code for one in answers] == [202] * MOST + [429] * 4
    refused = answers[MOST]
    assert refused.json()["type"].endswith("loop-stopped"), refused.text
    assert 0 < int(refused.headers["retry-after"]) <= MINUTES * 60
    assert await sent(shift) == MOST
    assert [(one["messages"], one["minutes"], one["reason"]) for one in await stops(shift)] == [(MOST, MINUTES, "too_many")]
    for _ in range(MOST + 1):
        assert (await answer(api, agent, conversation, "Ben Deniz, bakıyorum.")).status_code == 202
    assert (await answer(api, program, conversation)).status_code == 429
    await shift.sound()


@pytest.mark.parametrize("named", ["written_from", "reply_to"])
async def test_a_machine_that_names_somebody_new_each_time_is_one_counterpart(api: Api, shift: Shift, named: str) -> None:
    program = await api.key(shift.workspace.id)
    codes = []
    for turn in range(MOST + 2):
        ticket = f"talep+{turn}@sistem.example"
        who, traits = (
            (ticket, {named: "noreply@sistem.example"}) if named == "written_from" else ("talep@sistem.example", {named: ticket})
        )
        await shift.writes(f"Talebiniz alındı {turn}", provider="smtp", who=who, traits=traits, authenticated=False)
        codes.append((await answer(api, program, await conversation_of(shift, await shift.newest()))).status_code)
    assert codes == [202] * MOST + [429] * 2
    assert len(await rows(shift.db, "select 1 from santral.conversation")) == MOST + 2, "each has a conversation of its own"
    await shift.writes(
        "Başka form", provider="smtp", who="ayse@ornek.net", traits={"written_from": "form@baska.example"}, authenticated=False
    )
    assert (await answer(api, program, await conversation_of(shift, await shift.newest()))).status_code == 202
    await shift.sound()


async def test_a_stop_is_told_once_however_often_it_is_tried(api: Api, shift: Shift) -> None:
    conversation = await conversation_of(shift, await shift.mine())
    program = await api.key(shift.workspace.id)
    for _ in range(MOST + 5):
        await answer(api, program, conversation)
    assert len(await stops(shift)) == 1
    # Out of the window it may write again, and the next stop is news.
    await shift.execute("update santral.message set accepted_at = accepted_at - interval '11 minutes' where direction = 'out'")
    codes = [(await answer(api, program, conversation)).status_code for _ in range(MOST)]
    assert codes == [202] * 5 + [429] * 5, "15 in 30 minutes holds"
    assert [one["messages"] for one in await stops(shift)] == [MOST, 15]


async def test_a_bot_is_a_machine(api: Api, shift: Shift) -> None:
    await shift.execute("update santral.agent set kind = 'bot' where id = $1", shift.deniz)
    conversation = await conversation_of(shift, await shift.mine())
    bot = await api.agent(shift.workspace.id, shift.deniz)
    codes = [(await answer(api, bot, conversation)).status_code for _ in range(MOST + 1)]
    assert codes == [202] * MOST + [429]


async def test_an_absence_note_is_never_answered_by_a_machine_until_a_person_writes(api: Api, shift: Shift) -> None:
    mail = {"provider": "smtp", "who": "ayse@ornek.com"}
    conversation = await conversation_of(shift, await shift.mine(**mail))
    program, agent = await api.key(shift.workspace.id), await api.agent(shift.workspace.id, shift.deniz)
    assert (await answer(api, program, conversation)).status_code == 202
    await shift.writes(
        "Ofis dışındayım.", automatic=Automatic(kind="out_of_office"), refs=(f"conversation:{conversation}",), **mail
    )
    assert (await answer(api, program, conversation)).status_code == 429
    assert (await answer(api, program, conversation)).status_code == 429
    assert [one["reason"] for one in await stops(shift)] == ["machine_wrote"]
    assert await sent(shift) == 1
    await shift.writes("Ben yazıyorum.", refs=(f"conversation:{conversation}",), **mail)
    assert (await answer(api, program, conversation)).status_code == 202
    await shift.writes(
        "Ofis dışındayım.", automatic=Automatic(kind="out_of_office"), refs=(f"conversation:{conversation}",), **mail
    )
    assert (await answer(api, agent, conversation)).status_code == 202


async def test_a_new_conversation_does_not_begin_the_count_anew_and_others_are_counted_alone(api: Api, shift: Shift) -> None:
    first = await conversation_of(shift, await shift.waiting(provider="smtp", who="a@ornek.com", subject="Bir"))
    second = await conversation_of(shift, await shift.waiting(provider="smtp", who="b@ornek.com", subject="İki"))
    program = await api.key(shift.workspace.id)
    codes = [(await answer(api, program, first)).status_code for _ in range(MOST)]
    # The same counterpart, as in another thread of theirs.
    await shift.execute(
        "update santral.conversation set state = 'closed', closed_at = now() - interval '60 days' where id = $1", first
    )
    await shift.execute("update santral.work_item set state = 'completed', closed_at = now() where conversation_id = $1", first)
    third = await conversation_of(shift, await shift.waiting(provider="smtp", who="a@ornek.com", subject="Üç"))
    assert third not in (first, second)
    assert [*codes, (await answer(api, program, third)).status_code] == [202] * MOST + [429]
    assert (await answer(api, program, second)).status_code == 202


async def mailed(shift: Shift, reply: str) -> str | None:
    """What another system of this kind takes the mail for that this reply becomes."""
    (row,) = await rows(shift.db, "select * from santral.delivery where message_id = $1", UUID(reply))
    inbox = Inbox(
        workspace_id=row["workspace_id"], id=row["inbox_id"], name="posta", channel="email", provider="smtp",
        address="destek@ornek.com", settings={},
    )  # fmt: skip
    call = adapter_for("smtp").reply(
        Reply(
            id=row["message_id"], conversation_id=row["conversation_id"], at=row["created_at"], inbox=inbox, to_kind="email",
            to_scope="", to_value="ayse@ornek.com", content=row["request"]["content"], subject="Sipariş",
            in_reply_to="bir@ornek.com", token_secret=b"x" * 32,
        )
    )  # fmt: skip
    assert isinstance(call, MailCall)
    mail = read_mail(call.content)
    found = read_automatic(mail.headers, mail.attachments, mail.text)
    assert found is None or not found.marked_only
    return None if found is None else found.kind


async def test_mail_of_a_machine_says_so_and_an_agents_does_not(api: Api, shift: Shift) -> None:
    conversation = await conversation_of(shift, await shift.mine(provider="smtp", who="ayse@ornek.com"))
    program, agent = await api.key(shift.workspace.id), await api.agent(shift.workspace.id, shift.deniz)
    theirs = (await answer(api, program, conversation)).json()["id"]
    mine = (await answer(api, agent, conversation, "Ben Deniz, bakıyorum.")).json()["id"]
    assert (await mailed(shift, theirs), await mailed(shift, mine)) == ("auto_reply", None)
