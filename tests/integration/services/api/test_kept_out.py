"""What is kept out of work: listed with its reason, found, and one call makes it work, as intake would have."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.ids import new_id
from shared.message import Automatic, Filtered, Part
from tests.support.api import Api
from tests.support.intake_line import rows
from tests.support.shift import Shift
from tests.support.workspaces import make_workspace

PICTURE = Part(blob="b", name="a.png", content_type="image/png", size_bytes=10, inline=True)
LIST = Automatic(kind="bulk", marked_only=True, evidence=("List-Id",))
AWAY = Automatic(kind="out_of_office", evidence=("Auto-Submitted",))
BOUNCE = Automatic(kind="bounce", permanent=True, reason="550 no such user", evidence=("multipart/report",))


async def listed(api: Api, headers: dict[str, str], **asked: Any) -> list[dict[str, Any]]:
    answer = await api.client.get("/v1/kept-out", params=asked, headers=headers)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def made(api: Api, headers: dict[str, str], one: Any, status: int = 200, **body: Any) -> dict[str, Any]:
    answer = await api.client.post(f"/v1/kept-out/{one}/work", json=body, headers=headers)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def conversation_of(shift: Shift, one: UUID) -> dict[str, Any]:
    (found,) = await rows(
        shift.db, "select c.*, h.value as answered from santral.conversation c join santral.handle h on h.id = c.last_handle_id where c.id = $1",
        one,
    )  # fmt: skip
    return found


async def test_each_is_listed_with_its_reason_and_found_by_kind_inbox_time_and_words(api: Api, shift: Shift) -> None:
    now = datetime.now(UTC)
    mails: list[dict[str, Any]] = [
        {"who": "haber@ornek.net", "subject": "Kasım İNDİRİMİ %50", "text": "", "parts": (PICTURE,), "automatic": LIST,
         "accepted_at": now - timedelta(days=3)},
        {"who": "ayse@ornek.com", "subject": "İzindeyim", "automatic": AWAY, "filtered": Filtered(verdict="clean", by="rspamd", score=-1.0)},
        {"who": "mailer-daemon@ornek.org", "subject": "Undelivered", "automatic": BOUNCE},
        {"who": "insan@ornek.com", "subject": "Siparişim nerede"},
    ]  # fmt: skip
    for one in mails:
        await shift.writes(provider="smtp", **one)
    admin = await api.key(shift.workspace.id)
    found = await listed(api, admin)
    assert [one["kind"] for one in found] == ["bounce", "out_of_office", "bulk"]
    bounce, away, news = found
    assert (bounce["reason"], bounce["evidence"], bounce["marked_only"]) == ("550 no such user", ["multipart/report"], False)
    assert (away["sender"]["value"], away["subject"], away["inbox"], away["filtered"]["verdict"]) == (
        "ayse@ornek.com", "İzindeyim", "smtp", "clean",
    )  # fmt: skip
    assert (news["marked_only"], news["evidence"]) == (True, ["List-Id"])
    assert [(one["preview"], one["preview_contents"]) for one in (news, away)] == [
        ("", ["photo"]),
        ("Merhaba, siparişim nerede?", []),
    ]
    for asked, kinds in (
        ({"kind": "bulk"}, ["bulk"]), ({"kind": ["bulk", "bounce"]}, ["bounce", "bulk"]), ({"marked_only": True}, ["bulk"]),
        ({"inbox": "smtp"}, ["bounce", "out_of_office", "bulk"]), ({"inbox": "webchat"}, []),
        ({"since": (now - timedelta(days=1)).isoformat()}, ["bounce", "out_of_office"]),
        ({"q": "kasim indirimi"}, ["bulk"]), ({"q": "KASIM haber@"}, ["bulk"]), ({"q": "%50"}, ["bulk"]), ({"q": "5_"}, []),
        ({"q": "ızındeyım"}, ["out_of_office"]), ({"q": "siparisim"}, []),
    ):  # fmt: skip
        assert [one["kind"] for one in await listed(api, admin, **asked)] == kinds, asked
    first = (await api.client.get("/v1/kept-out", params={"limit": 2}, headers=admin)).json()
    rest = (await api.client.get("/v1/kept-out", params={"limit": 2, "cursor": first["next"]}, headers=admin)).json()
    assert [one["id"] for one in (*first["items"], *rest["items"])] == [one["id"] for one in found]
    assert rest["next"] is None


async def test_one_call_makes_it_work_and_its_author_is_answered(api: Api, shift: Shift) -> None:
    supervisor = await api.agent(shift.workspace.id, shift.deniz)
    user = new_id()
    await shift.execute(
        "insert into santral.user (workspace_id, id, name, role) values ($1, $2, 'deniz', 'supervisor')", shift.workspace.id, user
    )
    await shift.execute("update santral.agent set user_id = $2 where id = $1", shift.deniz, user)
    await shift.writes(provider="smtp", who="ayse@ornek.com", subject="Sipariş listesi", text="Siparişim nerede?", automatic=LIST)
    (kept,) = await listed(api, supervisor)
    before = datetime.now(UTC)
    work = await made(api, supervisor, kept["id"])
    assert work["queue"] == "genel"
    item = await shift.item(UUID(work["item_id"]))
    assert (item["state"], item["queue_id"], item["conversation_id"]) == (
        "queued",
        shift.workspace.queue_id,
        UUID(kept["conversation_id"]),
    )
    assert item["enqueued_at"] >= before, "waiting begins when somebody said that it is work"
    conversation = await conversation_of(shift, item["conversation_id"])
    assert (conversation["state"], conversation["answered"], conversation["subject"]) == (
        "open",
        "ayse@ornek.com",
        "Sipariş listesi",
    )
    assert conversation["last_in_at"] is not None
    why = (await api.client.get(f"/v1/decisions/{work['decision_id']}", headers=supervisor)).json()["record"]
    assert (why["made_work_by"], why["made_work_by_name"]) == (f"agent:{shift.deniz}", "Deniz")
    assert "somebody made it work" in why["summary"]
    assert why["facts"]["signals"]["bulk"] is False
    (told,) = await rows(shift.db, "select data from santral.event where type = 'message.made_work'")
    assert told["data"] == {
        "message_id": kept["id"], "kind": "bulk", "actor": f"agent:{shift.deniz}", "item_id": work["item_id"],
    }  # fmt: skip
    assert [one["actor"] for one in await rows(shift.db, "select actor from santral.audit where action = 'message.made_work'")] == [
        f"agent:{shift.deniz}"
    ]
    assert await listed(api, supervisor) == []
    assert await made(api, supervisor, kept["id"]) == work, "again is the same answer"
    assert len(await rows(shift.db, "select 1 from santral.work_item")) == 1
    await shift.settle()
    assert await shift.state(UUID(work["item_id"])) == "assigned"
    await shift.reply(UUID(work["item_id"]))
    await shift.sound()
    check = {"since": (before - timedelta(days=1)).isoformat(), "limit": 100}
    checked = (await api.client.post("/v1/decisions/check", json=check, headers=await api.key(shift.workspace.id))).json()
    assert (checked["differing"], checked["checked"]) == (0, checked["equal"])


async def test_two_at_once_make_one_item(api: Api, shift: Shift) -> None:
    await shift.writes(provider="smtp", automatic=AWAY, who="ayse@ornek.com")
    admin = await api.key(shift.workspace.id)
    (kept,) = await listed(api, admin)
    first, *others = await asyncio.gather(*(made(api, admin, kept["id"]) for _ in range(4)))
    assert others == [first] * 3
    assert len(await rows(shift.db, "select 1 from santral.work_item")) == 1
    assert len(await rows(shift.db, "select 1 from santral.audit where action = 'message.made_work'")) == 1
    await shift.sound()


async def test_an_open_item_is_woken_and_a_person_who_wrote_since_stays_the_one_who_is_answered(api: Api, shift: Shift) -> None:
    mail = {"provider": "smtp", "who": "ayse@ornek.com"}
    item = await shift.mine(**mail)
    conversation = (await shift.item(item))["conversation_id"]
    here: dict[str, Any] = {"refs": (f"conversation:{conversation}",)}
    old = datetime.now(UTC) - timedelta(hours=1)
    await shift.writes(provider="smtp", who="eski@ornek.com", automatic=AWAY, accepted_at=old, **here)
    await shift.writes(provider="smtp", who="yeni@ornek.com", automatic=AWAY, **here)
    admin = await api.key(shift.workspace.id)
    await shift.reply(item)
    assert await shift.state(item) == "parked"
    newest, oldest = await listed(api, admin)
    for one, answered in ((oldest, "ayse@ornek.com"), (newest, "yeni@ornek.com")):
        work = await made(api, admin, one["id"])
        assert (work["item_id"], work["queue"], work["decision_id"]) == (str(item), None, None)
        assert (await conversation_of(shift, conversation))["answered"] == answered
    assert await shift.state(item) in ("queued", "offered")
    await shift.sound()


@pytest.mark.parametrize(("vouched", "answered"), [(True, "baska@ornek.com"), (False, "ayse@ornek.com")])
async def test_what_nobody_vouches_for_takes_the_answer_from_nobody(api: Api, shift: Shift, vouched: bool, answered: str) -> None:
    """As for any other person's mail; and where nobody else spoke its author is answered."""
    admin = await api.key(shift.workspace.id)
    item = await shift.mine(provider="smtp", who="ayse@ornek.com")
    conversation = (await shift.item(item))["conversation_id"]
    here: dict[str, Any] = {"refs": (f"conversation:{conversation}",), "authenticated": vouched}
    await shift.writes(provider="smtp", who="baska@ornek.com", automatic=AWAY, **here)
    await shift.writes(provider="smtp", who="yalniz@ornek.com", automatic=AWAY, authenticated=False)
    alone, joined = await listed(api, admin)
    await made(api, admin, joined["id"])
    assert (await conversation_of(shift, conversation))["answered"] == answered
    (body,) = [one["body"] for one in await rows(shift.db, "select body from santral.message where id = $1", UUID(joined["id"]))]
    assert ("aside" in body) is not vouched
    await made(api, admin, alone["id"])
    await api.client.post(
        f"/v1/conversations/{alone['conversation_id']}/replies", json={"content": {"kind": "text", "text": "Buyurun."}},
        headers=await api.agent(shift.workspace.id, shift.deniz),
    )  # fmt: skip
    (sent,) = await rows(
        shift.db, "select h.value from santral.delivery d join santral.handle h on h.id = d.handle_id where d.conversation_id = $1",
        UUID(alone["conversation_id"]),
    )  # fmt: skip
    assert sent["value"] == "yalniz@ornek.com"


async def test_the_author_of_a_report_is_answered_only_where_somebody_says_that_a_person_wrote(api: Api, shift: Shift) -> None:
    admin = await api.key(shift.workspace.id)
    await shift.writes(provider="smtp", who="mailer-daemon@ornek.org", automatic=BOUNCE)
    (alone,) = await listed(api, admin)
    refused = await made(api, admin, alone["id"], 409)
    assert "person: true" in refused["remedy"]
    assert await rows(shift.db, "select 1 from santral.work_item") == []
    assert (await listed(api, admin))[0]["id"] == alone["id"]
    item = await shift.mine(provider="smtp", who="ayse@ornek.com")
    conversation = (await shift.item(item))["conversation_id"]
    await shift.done(item)
    await shift.writes(provider="smtp", who="posta@ornek.org", automatic=BOUNCE, refs=(f"conversation:{conversation}",))
    report = (await listed(api, admin))[0]
    work = await made(api, admin, report["id"])
    assert work["item_id"] != str(item)
    assert (await conversation_of(shift, conversation))["answered"] == "ayse@ornek.com"
    shown = await api.client.get(f"/v1/conversations/{conversation}/messages", headers=admin)
    assert shown.json()["items"][-1]["automatic"] == "bounce", "a report stays one"
    assert [one["id"] for one in await listed(api, admin)] == [alone["id"]]
    await made(api, admin, alone["id"], person=True)
    assert (await conversation_of(shift, UUID(alone["conversation_id"])))["answered"] == "mailer-daemon@ornek.org"
    await shift.sound()


async def test_what_is_work_already_or_nothing_at_all_is_refused(api: Api, shift: Shift) -> None:
    await shift.writes(provider="smtp")
    admin = await api.key(shift.workspace.id)
    (person,) = await rows(shift.db, "select id from santral.message")
    await made(api, admin, person["id"], 409)
    await made(api, admin, new_id(), 404)
    await made(api, await api.key(shift.workspace.id, "conversations:read"), person["id"], 403)


@pytest.mark.parametrize("visibility", ["own", "queue"])
async def test_rights_are_those_over_conversations(api: Api, shift: Shift, visibility: str) -> None:
    item = await shift.mine(provider="smtp", who="ayse@ornek.com")
    conversation = (await shift.item(item))["conversation_id"]
    await shift.writes(provider="smtp", who="ayse@ornek.com", automatic=AWAY, refs=(f"conversation:{conversation}",))
    await shift.writes(provider="smtp", who="haber@ornek.net", automatic=LIST)
    user = new_id()
    await shift.execute(
        "insert into santral.role (workspace_id, name, scopes, visibility)"
        " values ($1, 'r', array['conversations:read', 'conversations:write'], $2)", shift.workspace.id, visibility,
    )  # fmt: skip
    await shift.execute(
        "insert into santral.user (workspace_id, id, name, role) values ($1, $2, 'deniz', 'r')", shift.workspace.id, user
    )
    await shift.execute("update santral.agent set user_id = $2 where id = $1", shift.deniz, user)
    agent, admin = await api.agent(shift.workspace.id, shift.deniz), await api.key(shift.workspace.id)
    assert [one["kind"] for one in await listed(api, agent)] == ["out_of_office"]
    everything = await listed(api, admin)
    assert [one["kind"] for one in everything] == ["bulk", "out_of_office"]
    await made(api, agent, everything[0]["id"], 403)
    await made(api, agent, everything[1]["id"])


async def test_another_workspace_sees_and_makes_nothing(api: Api, shift: Shift) -> None:
    await shift.writes(provider="smtp", automatic=LIST)
    (kept,) = await listed(api, await api.key(shift.workspace.id))
    other = await api.key((await make_workspace(shift.db, name="baska")).id)
    assert await listed(api, other) == []
    await made(api, other, kept["id"], 404)
