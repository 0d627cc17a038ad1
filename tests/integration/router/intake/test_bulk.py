"""Bulk mail from nobody we know: a queue of its own, no target, no figures, after everybody, never an automatic answer; out by a word."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from router.clocks.pace import measure
from router.intake.bulk_digest import digest_next_day
from router.views.routing_report import routing_report
from services.chores.bulk_digests import day_of_all
from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from shared.message import Automatic, Call, Filtered
from tests.support.api import Api
from tests.support.intake_line import rows
from tests.support.keeper import keeper_of
from tests.support.shift import Shift

SPAM = Filtered(verdict="spam", by="rspamd", score=12.0)
CAMPAIGN = Automatic(kind="bulk", marked_only=True, evidence=("Feedback-ID", "List-Unsubscribe"))
GROUP = Automatic(kind="bulk", marked_only=True, evidence=("Precedence", "List-Id", "List-Unsubscribe"))
MAIL: dict[str, Any] = {"provider": "smtp", "who": "firsat@ornek.net", "subject": "Büyük fırsat"}
ADD_PURPOSE = "update santral.queue set purpose = 'bulk' where id = $1"


async def bulk_queue(shift: Shift) -> UUID:
    queue = await shift.add_queue("toplu", shift.deniz)
    await shift.configure("update santral.workspace set settings = settings || jsonb_build_object('marked_mail', 'work')")
    await shift.configure(ADD_PURPOSE, queue)
    await shift.tell("agent", shift.deniz)
    return queue


async def place(shift: Shift, **mail: Any) -> UUID:
    found: UUID = (await shift.item(await shift.waiting(**(MAIL | mail))))["queue_id"]
    return found


async def test_without_such_a_queue_it_is_work_like_any_other(shift: Shift) -> None:
    assert await place(shift, filtered=SPAM) == shift.workspace.queue_id
    assert [one["body"].get("bulk") for one in await rows(shift.db, "select body from santral.message")] == [None]


async def test_what_is_bulk_from_a_stranger_goes_there_and_says_why(api: Api, shift: Shift) -> None:
    bulk = await bulk_queue(shift)
    mails: list[tuple[dict[str, Any], UUID]] = [
        ({"filtered": SPAM}, bulk),
        ({"filtered": Filtered(verdict="phishing", by="scl")}, bulk),
        ({"automatic": CAMPAIGN}, bulk),
        ({"automatic": GROUP}, shift.workspace.queue_id),
        ({"filtered": Filtered(verdict="clean", by="scl")}, shift.workspace.queue_id),
        ({}, shift.workspace.queue_id),
    ]
    for number, (more, queue) in enumerate(mails):
        assert await place(shift, who=f"kisi{number}@ornek.net", **more) == queue, more
    (decision,) = await rows(shift.db, "select record from santral.decision order by id limit 1")
    assert decision["record"]["summary"] == "Queue toplu: bulk from somebody never in contact."
    assert (decision["record"]["rule"], decision["record"]["bulk"]) == (None, True)
    admin = await api.key(shift.workspace.id)
    since = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    checked = (await api.client.post("/v1/decisions/check", json={"since": since, "limit": 100}, headers=admin)).json()
    assert (checked["checked"], checked["equal"], checked["differing"]) == (6, 6, 0), checked
    body = {"document": {"rules": [{"name": "hepsi", "queue": "genel"}], "default_queue": "genel"}, "since": since}
    what_if = (await api.client.post("/v1/policies/evaluate", json=body, headers=admin)).json()["report"]
    moves = {(one["before"], one["after"]): one["count"] for one in what_if["queues"]}
    assert moves == {("toplu", "toplu"): 3, ("genel", "genel"): 3}, "another policy would not have been asked either"


@pytest.mark.parametrize("how", ["answered", "wrote_first", "spoke"])
async def test_with_whom_there_was_contact_is_a_customer(shift: Shift, how: str) -> None:
    bulk = await bulk_queue(shift)
    if how == "answered":
        await shift.reply(await shift.mine(provider="smtp", who=MAIL["who"], subject="Eski"))
    elif how == "wrote_first":
        await shift.writes(provider="smtp", who=MAIL["who"], subject="Eski", direction="out")
    else:
        now = datetime.now(UTC)
        call = Call(call_id="c", direction="in", answered=True, started_at=now, ended_at=now, talk_s=60)
        await shift.writes(
            provider="asterisk", who="+905321112233", kind="call", call=call, text="", accepted_at=now - timedelta(days=40)
        )
        await shift.execute("update santral.handle set profile_id = (select profile_id from santral.handle where kind = 'phone')")
        await shift.writes(**MAIL, direction="in")  # the mail's handle, of the same person
        await shift.execute("update santral.handle set profile_id = (select profile_id from santral.handle where kind = 'phone')")
    await shift.execute("update santral.conversation set state = 'closed', closed_at = now() - interval '60 days'")
    await shift.execute("update santral.work_item set state = 'completed', closed_at = now() - interval '60 days', agent_id = null")
    assert await place(shift, subject="Yeni", filtered=SPAM) == shift.workspace.queue_id
    assert await place(shift, who="baska@ornek.net", filtered=SPAM) == bulk


async def test_nobody_waits_in_it(shift: Shift, database_urls: PostgresUrls) -> None:
    bulk = await bulk_queue(shift)
    keeper = await keeper_of(shift.db, database_urls)
    await shift.configure("update santral.queue set targets_s = '{\"email\": 60}'")
    item = await shift.waiting(**MAIL, filtered=SPAM)
    customer = await shift.waiting(provider="smtp", who="ayse@ornek.com")
    await keeper.look()
    assert [one["item_id"] for one in await rows(shift.db, "select item_id from santral.sla_clock")] == [customer]
    await shift.settle()
    async with shift.db.batch() as connection:
        await measure(connection)
        now = datetime.now(UTC)
        report = await routing_report(
            connection, [shift.workspace.id], since=now - timedelta(hours=1), until=now + timedelta(hours=1)
        )
    assert [one["queue_id"] for one in await rows(shift.db, "select queue_id from santral.queue_pace")] == [
        shift.workspace.queue_id
    ]
    assert [one.queue for one in report.queues] == ["genel"]
    assert report.whole is not None
    assert (report.whole.reserved, [one.taken for one in report.agents]) == (1, [1])
    # An agent puts a customer's item there: what was counted ends.
    await shift.execute("update santral.work_item set queue_id = $2 where id = $1", customer, bulk)
    await shift.execute("update santral.sla_clock set next_at = now(), due_at = now()")
    await keeper.look()
    (clock,) = await rows(shift.db, "select stopped_at, breached_at from santral.sla_clock")
    assert (clock["stopped_at"] is not None, clock["breached_at"]) == (True, None)
    assert (await shift.item(item))["queue_id"] == bulk


async def test_it_comes_after_everybody_whatever_the_agents_order_of_queues_is(shift: Shift) -> None:
    bulk = await bulk_queue(shift)
    await shift.execute("update santral.queue_member set priority = 90 where queue_id = $1", shift.workspace.queue_id)
    await shift.execute("update santral.queue_member set priority = 0 where queue_id = $1", bulk)
    await shift.execute("update santral.agent set presence = 'away', version = version + 1")
    await shift.tell("agent", shift.deniz)
    old = datetime.now(UTC) - timedelta(hours=3)
    first = await shift.waiting(**MAIL, filtered=SPAM, accepted_at=old)
    second = await shift.waiting(provider="smtp", who="ayse@ornek.com")
    channels = {"email": {"cost": 100, "cap": 1}}
    await shift.execute("update santral.agent set presence = 'online', channels = $1, version = version + 1", channels)
    await shift.tell("agent", shift.deniz)
    assert await shift.state(second) in ("offered", "assigned")
    assert await shift.state(first) == "queued"
    await shift.done(second)
    await shift.settle()
    await shift.execute(
        "update santral.work_item set timer_at = now() - interval '1 s', version = version + 1 where state = 'wrapping'"
    )
    await shift.tell("item", second)
    assert await shift.state(first) in ("offered", "assigned"), "and then it is its turn"
    await shift.sound()


async def test_no_machine_answers_it(api: Api, shift: Shift) -> None:
    await bulk_queue(shift)
    item = await shift.waiting(**MAIL, filtered=SPAM)
    conversation = (await shift.item(item))["conversation_id"]
    body = {"content": {"kind": "text", "text": "Aldık."}}
    answer = await api.client.post(
        f"/v1/conversations/{conversation}/replies", json=body, headers=await api.key(shift.workspace.id)
    )
    assert answer.status_code == 429
    (message,) = await rows(shift.db, "select body, signals from santral.message")
    assert (message["body"]["bulk"], message["signals"]["do_not_answer"]) == (True, True)


@pytest.mark.parametrize("parked", [False, True])
async def test_a_persons_words_take_it_out_by_the_policy(shift: Shift, parked: bool) -> None:
    bulk = await bulk_queue(shift)
    item = await shift.waiting(**MAIL, filtered=SPAM)
    conversation = (await shift.item(item))["conversation_id"]
    await shift.writes(**MAIL, filtered=SPAM)
    assert (await shift.item(item))["queue_id"] == bulk, "more of the same changes nothing"
    if parked:
        await shift.execute(
            "update santral.work_item set state = 'parked', parked_at = now(), version = version + 1 where id = $1", item
        )
    before = datetime.now(UTC) - timedelta(seconds=5)
    await shift.writes(**(MAIL | {"text": "Gerçekten yazıyorum."}), refs=(f"conversation:{conversation}",))
    after = await shift.item(item)
    assert (after["queue_id"], after["state"]) == (shift.workspace.queue_id, "queued")
    assert after["enqueued_at"] >= before, "waiting begins with the person's words"
    decisions = await rows(shift.db, "select id, record from santral.decision where item_id = $1 order by id", item)
    assert [one["record"]["queue"] for one in decisions] == ["toplu", "genel"]
    assert after["decision_id"] == decisions[-1]["id"]
    moved = await rows(shift.db, "select data from santral.event where type = 'item.requeued'")
    assert [(one["data"]["queue"], one["data"]["trigger"]) for one in moved][-1] == ("genel", "customer_wrote")
    await shift.settle()
    assert await shift.state(item) in ("offered", "assigned")
    await shift.sound()


async def on_a_day_that_is_over(shift: Shift) -> None:
    """All came about noon of a day that is over in every zone, whatever time it is here."""
    await shift.execute("update santral.workspace set created_at = now() - interval '4 days'")
    noon = "date_trunc('day', now()) - interval '36 hours'"
    await shift.execute(f"update santral.message set accepted_at = {noon} + (accepted_at - now())")


async def test_a_day_has_one_digest_with_one_event_however_often_it_is_tried(api: Api, shift: Shift) -> None:
    await bulk_queue(shift)
    for number, who in enumerate(("a@ornek.net", "a@ornek.net", "b@ornek.net")):
        await shift.writes(**(MAIL | {"who": who, "subject": f"Fırsat {number}"}), filtered=SPAM)
    await shift.writes(provider="smtp", who="ayse@ornek.com")
    await on_a_day_that_is_over(shift)
    while any(await asyncio.gather(*(day_of_all(shift.db) for _ in range(3)))):
        pass
    assert await day_of_all(shift.db) is False
    made = await rows(shift.db, "select day, mails, senders from santral.bulk_digest where mails > 0")
    assert [(one["mails"], one["senders"]) for one in made] == [(3, 2)]
    told = await rows(shift.db, "select data from santral.event where type = 'bulk.digested'")
    assert [one["data"] for one in told] == [{"day": made[0]["day"].isoformat(), "mails": 3, "senders": 2}]
    admin = await api.key(shift.workspace.id)
    (shown,) = (await api.client.get("/v1/kept-out/digests", headers=admin)).json()["items"]
    assert [one["subject"] for one in shown["messages"]] == ["Fırsat 2", "Fırsat 1", "Fırsat 0"]
    assert {one["sender"] for one in shown["messages"]} == {"a@ornek.net", "b@ornek.net"}
    agent = await api.agent(shift.workspace.id, shift.deniz)
    assert (await api.client.get("/v1/kept-out/digests", headers=agent)).status_code == 403


async def test_a_digest_that_was_not_committed_is_made_again(shift: Shift) -> None:
    await bulk_queue(shift)
    await shift.writes(**MAIL, filtered=SPAM)
    await on_a_day_that_is_over(shift)

    async def killed() -> None:
        async with shift.db.batch() as connection:
            while await digest_next_day(connection, shift.workspace.id):
                pass
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await killed()
    assert await rows(shift.db, "select 1 from santral.bulk_digest") == []
    while await day_of_all(shift.db):
        pass
    assert len(await rows(shift.db, "select 1 from santral.event where type = 'bulk.digested'")) == 1


async def test_a_workspace_without_such_a_queue_has_no_digests(worker_db: Database, shift: Shift) -> None:
    await shift.writes(**MAIL, filtered=SPAM)
    await on_a_day_that_is_over(shift)
    assert await day_of_all(worker_db) is False
    assert await rows(worker_db, "select 1 from santral.bulk_digest") == []


async def test_a_queue_for_bulk_mail_is_kept_apart_from_customers_queues(api: Api, shift: Shift) -> None:
    admin = await api.key(shift.workspace.id)

    async def saved(status: int, **queue: Any) -> dict[str, Any]:
        answer = await api.client.post("/v1/queues", json=queue, headers=admin)
        assert answer.status_code == status, answer.text
        found: dict[str, Any] = answer.json()
        return found

    assert (await saved(201, name="toplu", purpose="bulk"))["purpose"] == "bulk"
    assert (await saved(201, name="yeni"))["purpose"] == "customers"
    assert (await saved(422, name="x", overflow="toplu"))["field"] == "overflow"
    assert (await saved(422, name="x", purpose="bulk", overflow="genel"))["field"] == "overflow"
    assert (await saved(422, name="x", purpose="bulk", targets_s={"email": 60}))["field"] == "targets_s"
    assert (await saved(422, name="x", purpose="vip"))["field"] == "body.purpose"
