"""Moved messages at the edges: two writers at once, visitors' widgets, replies on their way, people who are erased or told apart."""

from __future__ import annotations

import asyncio
import io
import json
import random
import zipfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ingest.adapter import Adapter, Call, MailCall, Outcome
from ingest.directory import Directory
from router.intake.batch_view import ProviderWord
from router.placements import commands as placement_commands
from router.placements.commands import Operated
from router.views.visitor import own_conversation, public_messages
from services.api.placements import take_along
from services.courier.deliveries import Deliveries
from services.courier.outgoing import Outgoing
from services.frame.egress import PUBLIC_ONLY
from services.privacy.erasures import Erasures
from services.privacy.person_export import PersonExports
from services.privacy.retention import Retention, plan
from services.router.delivery_receipts import apply_receipts
from services.router.process import replay_asked
from shared.blobs_files import FileBlobs
from shared.database import Database, retried
from shared.embedded.postgres import PostgresUrls
from shared.errors import Conflict, Unprocessable
from shared.ids import new_id
from shared.leases import Leases
from tests.support.api import Api
from tests.support.intake_line import SECRET, Line, member_of, message_to, rows
from tests.support.placements import Regroup, regroup_of
from tests.support.shift import shift_of
from tests.support.waiting import eventually
from tests.support.workspaces import Workspace

_WAITING = "select count(*) from pg_locks where not granted"


@pytest.fixture
async def desk(api: Api, worker_db: Database, database_urls: PostgresUrls, workspace: Workspace) -> Regroup:
    return await regroup_of(api, await shift_of(worker_db, database_urls, workspace))


async def merged(desk: Regroup, connection: Any, one: UUID, into: UUID) -> Operated:
    workspace_id = desk.shift.workspace.id
    done = await placement_commands.merge(
        connection, workspace_id=workspace_id, conversation_id=one, into=into, reason=None, actor="key:test", by=None
    )
    await take_along(connection, workspace_id, done.placed)
    return done


async def somebody_waits(db: Database) -> None:
    async def one() -> bool:
        return bool((await rows(db, _WAITING))[0]["count"])

    await eventually(one, 2, "a writer that waits for the other's locks")


async def test_a_message_that_meets_a_merge_lands_in_the_one_that_goes_on(desk: Regroup) -> None:
    shift = desk.shift
    gone, into = await desk.begun("Bir", who="v1"), await desk.begun("İki", who="v2")
    async with shift.db.batch() as connection:
        await merged(desk, connection, gone, into)
        # The router finds the conversation as it was, and waits for its lock; then it is gone into the other.
        arriving = asyncio.create_task(shift.writes(text="Üç", who="v1"))
        await somebody_waits(shift.db)
    await arriving
    assert (await desk.texts(gone), await desk.texts(into)) == ([], ["İki", "Bir", "Üç"])
    await shift.sound()


async def test_a_merge_that_meets_a_message_takes_it_along(desk: Regroup) -> None:
    shift = desk.shift
    gone, into = await desk.begun("Bir", who="v1"), await desk.begun("İki", who="v2")
    async with shift.db.batch() as connection:
        await connection.execute("select 1 from santral.conversation where id = $1 for no key update", gone)
        merging = asyncio.create_task(desk.merge(gone, into))
        await somebody_waits(shift.db)
        # What a router writes under the lock it has: a message at the next number.
        await connection.execute(
            "insert into santral.event (workspace_id, id, type, at, conversation_id, seq, data)"
            " select workspace_id, gen_random_uuid(), 'message.received', now(), id, seq + 1, jsonb_build_object('message_id', $2::text)"
            " from santral.conversation where id = $1",
            gone, str(late := new_id()),
        )  # fmt: skip
        await connection.execute(
            "insert into santral.message (workspace_id, conversation_id, seq, id, direction, kind, channel, provider, inbox_id,"
            " handle_id, visibility, external_id, text, accepted_at) select workspace_id, id, seq + 1, $2, 'in', 'text', channel,"
            " 'webchat', inbox_id, handle_id, visibility, 'late', 'Geç', now() from santral.conversation where id = $1",
            gone, late,
        )  # fmt: skip
        await connection.execute(
            "insert into santral.receipt (workspace_id, id, state, conversation_id, seq)"
            " select workspace_id, $2, 'taken', id, seq + 1 from santral.conversation where id = $1",
            gone, late,
        )  # fmt: skip
        await connection.execute("update santral.conversation set seq = seq + 1 where id = $1", gone)
    operation = await merging
    assert str(late) in operation["messages"]
    assert await desk.texts(into) == ["İki", "Bir", "Geç"]
    await shift.sound()


async def test_routers_and_people_at_once_lose_nothing_and_leave_no_gap(desk: Regroup, worker_db: Database) -> None:
    shift = desk.shift
    people = [f"v{n}" for n in range(4)]
    places = [await desk.begun(who, who=who) for who in people]
    random_ = random.Random(7)
    lines = [Line(partition=n + 1) for n in range(2)]
    for n in range(60):
        lines[n % 2].add(message_to(shift.workspace, "webchat", f"x{n}", who=people[n % 4], text=f"x{n}"))
    routers = [await member_of(worker_db) for _ in lines]

    async def route(n: int) -> None:
        for _ in range(10):
            await routers[n].take(lines[n], batch=3)

    async def regroup() -> None:
        done: list[UUID] = []
        for _ in range(12):
            one, into = random_.sample(places, 2)

            async def once(one: UUID = one, into: UUID = into) -> None:
                async with shift.db.batch() as connection:
                    if done and random_.random() < 0.5:
                        await placement_commands.undo(
                            connection, workspace_id=shift.workspace.id, operation_id=done[-1], actor="key:test", by=None
                        )
                    else:
                        done.append((await merged(desk, connection, one, into)).id)

            try:
                await retried(once)
            except (Conflict, Unprocessable):
                done[-1:] = []

    await asyncio.gather(route(0), route(1), regroup(), regroup())
    # On a busy machine one may have met locks until it was put aside; a router brings those in by itself.
    while await replay_asked(worker_db, routers[0].intake, routers[0].configuration):
        pass
    texts = await rows(
        shift.db, "select m.text, c.merged_into from santral.message m join santral.conversation c on c.id = m.conversation_id"
    )
    assert sorted(row["text"] for row in texts) == sorted([*people, *(f"x{n}" for n in range(60))])
    assert {row["merged_into"] for row in texts} == {None}
    double = await rows(
        shift.db, "select conversation_id from santral.work_item where state = 'queued' group by 1 having count(*) > 1"
    )
    assert double == []
    away = await rows(
        shift.db,
        "select 1 from santral.work_item i join santral.conversation c on c.id = i.conversation_id"
        " where c.merged_into is not null and i.state not in ('completed', 'abandoned', 'canceled')",
    )
    assert away == []
    await shift.sound()


async def seen_by(desk: Regroup, visitor: str) -> list[str]:
    """What a visitor's widget shows."""
    workspace = desk.shift.workspace
    async with desk.shift.db.batch(workspace.id) as connection:
        own = await own_conversation(connection, workspace.id, workspace.inboxes["webchat"], [visitor])  # type: ignore[list-item]
        if own is None:
            return []
        return [one["text"] for one in await public_messages(connection, workspace.id, workspace.inboxes["webchat"], own)]


async def test_a_visitor_sees_their_own_words_wherever_they_are_and_nobody_elses(desk: Regroup) -> None:
    shift = desk.shift
    ayse, can = str(new_id()), str(new_id())
    item = await shift.mine(text="Ayşe", who=ayse)
    one = await desk.of(item)
    await shift.reply(item, "Cevap")
    other = await desk.begun("Can", who=can)
    operation = await desk.merge(one, other)
    assert (await seen_by(desk, ayse), await seen_by(desk, can)) == (["Ayşe", "Cevap"], ["Can"])
    await shift.writes(text="Ayşe yine", who=ayse)
    assert (await seen_by(desk, ayse), await seen_by(desk, can)) == (["Ayşe", "Cevap", "Ayşe yine"], ["Can"])
    await desk.undo(operation)
    assert (await seen_by(desk, ayse), await seen_by(desk, can)) == (["Ayşe yine"], ["Can"])
    await shift.writes(text="İlk", who=ayse)
    assert "Can" not in await seen_by(desk, ayse)


async def test_a_moved_word_of_one_visitor_is_never_shown_to_another(desk: Regroup) -> None:
    shift = desk.shift
    ayse, can = str(new_id()), str(new_id())
    one, other = await desk.begun("Ayşe", who=ayse), await desk.begun("Can", who=can)
    await shift.writes(text="Can'ın sırrı", who=can)
    await desk.move("Can'ın sırrı", one)
    assert await desk.texts(one) == ["Ayşe", "Can'ın sırrı"]
    assert await seen_by(desk, ayse) == ["Ayşe"]
    await desk.split(one, "Can'ın sırrı")
    assert await seen_by(desk, ayse) == ["Ayşe"]
    assert "Ayşe" not in await seen_by(desk, can)
    assert await desk.texts(other) == ["Can"]


async def test_replies_on_their_way_follow_their_messages(desk: Regroup) -> None:
    shift = desk.shift
    one, other = await desk.begun("Bir", provider="smtp", who="ayse@ornek.com"), await desk.begun("İki", who="v2")
    sent = await desk.post(f"conversations/{one}/replies", 202, content={"kind": "text", "text": "Cevap"})
    before = await desk.picture()
    operation = await desk.merge(one, other)
    (delivery,) = await rows(shift.db, "select * from santral.delivery")
    assert delivery["conversation_id"] == other
    async with shift.db.batch() as connection:
        await connection.execute("update santral.delivery set state = 'sent'")
        said = ProviderWord(
            workspace_id=shift.workspace.id, inbox_id=delivery["inbox_id"], provider_id="", refs=(), message_id=UUID(sent["id"]),
            state="delivered", reason="", permanent=False, at=datetime.now(UTC),
        )  # fmt: skip
        await apply_receipts(connection, [said])
    (event,) = await rows(shift.db, "select conversation_id from santral.event where type = 'reply.delivered'")
    assert event["conversation_id"] == other
    shown = (await desk.api.client.get(f"/v1/replies/{sent['id']}", headers=desk.admin)).json()
    assert (shown["conversation_id"], shown["state"]) == (str(other), "delivered")
    await desk.undo(operation)
    assert await desk.picture() == before
    await shift.sound()


class Meanwhile(Outgoing):
    """A way out on which something happens while a reply is with the provider."""

    def __init__(self, happens: Callable[[], Awaitable[object]]) -> None:
        super().__init__(smtp_relay=None, allowed=PUBLIC_ONLY)
        self._happens = happens
        self.calls: list[Call] = []

    async def execute(self, adapter: Adapter, call: Call) -> Outcome:
        self.calls.append(call)
        await self._happens()
        return Outcome(state="sent", provider_id="p-1")


async def test_a_reply_that_is_with_the_provider_during_a_merge_is_told_where_it_is_then(desk: Regroup, tmp_path: Path) -> None:
    shift = desk.shift
    one = await desk.begun("Bir", provider="smtp", who="ayse@ornek.com", defines=("mid:1@x",))
    other = await desk.begun("İki", provider="smtp", who="can@ornek.com", defines=("mid:2@x",))
    sent = await desk.post(f"conversations/{one}/replies", 202, content={"kind": "text", "text": "Cevap"})
    directory = Directory(shift.db, desk.api.sealer)
    await directory.refresh()
    outgoing = Meanwhile(lambda: desk.merge(one, other))
    courier = Deliveries(
        db=shift.db, directory=directory, outgoing=outgoing, blobs=FileBlobs(tmp_path), hints=desk.api.hints, owner=new_id(),
        secret=SECRET,
    )  # fmt: skip
    assert await courier.round() == 1
    await outgoing.close()
    (call,) = outgoing.calls
    assert isinstance(call, MailCall)
    assert (call.recipients, b"In-Reply-To: <1@x>" in call.content) == (("ayse@ornek.com",), True)
    (told,) = await rows(shift.db, "select conversation_id from santral.event where type = 'reply.sent'")
    assert told["conversation_id"] == other
    refs = await rows(shift.db, "select ref, conversation_id from santral.thread_ref where message_id = $1", UUID(sent["id"]))
    assert {row["conversation_id"] for row in refs} == {other}
    assert any(row["ref"].startswith("ext:") for row in refs)
    await shift.sound()


async def profile_of(desk: Regroup, value: str) -> UUID:
    found = await rows(desk.shift.db, "select profile_id from santral.handle where value = $1", value)
    return UUID(str(found[0]["profile_id"]))


async def test_telling_two_people_apart_leaves_a_merge_to_be_undone_as_any(desk: Regroup) -> None:
    shift = desk.shift
    one = await desk.begun("Bir", provider="smtp", who="ayse@ornek.com")
    other = await desk.begun("İki", provider="smtp", who="ayse.yilmaz@ornek.com")
    before = await desk.picture()
    first, second = await profile_of(desk, "ayse@ornek.com"), await profile_of(desk, "ayse.yilmaz@ornek.com")
    more: dict[str, Any] = {"with": str(second)}
    joined = await desk.post(f"profiles/{first}/merge", 200, **more)
    operation = await desk.merge(one, other)
    await desk.post(f"profiles/{first}/unmerge", 200, link=joined["link_id"])
    shown = (await desk.api.client.get(f"/v1/conversations/{other}", headers=desk.admin)).json()
    assert shown["customer"]["profile_id"] == str(second)
    await desk.undo(operation)
    assert await desk.picture() == before
    shown = (await desk.api.client.get(f"/v1/conversations/{one}", headers=desk.admin)).json()
    assert (shown["customer"]["profile_id"], shown["merged_into"]) == (str(first), None)
    await shift.sound()


async def noted(desk: Regroup, item: UUID, text: str) -> None:
    await desk.post(f"items/{item}/assign", 200, agent=str(await desk.shift.colleague(f"a{text}")), note=text)


async def test_an_erasure_and_an_export_reach_what_was_moved_and_why(desk: Regroup, tmp_path: Path) -> None:
    shift = desk.shift
    blobs = FileBlobs(tmp_path)
    item = await shift.mine(text="Kanarya", provider="smtp", who="kanarya@ornek.com", subject="Kanarya")
    one = await desk.of(item)
    await noted(desk, item, "Kanarya notu")
    await desk.post(f"conversations/{one}/replies", 202, content={"kind": "text", "text": "Sayın Kanarya"})
    other = await desk.begun("Başkası", provider="smtp", who="baska@ornek.com")
    await desk.merge(one, other, reason="Kanarya da yazdı")
    profile = await profile_of(desk, "kanarya@ornek.com")
    await desk.post(f"profiles/{profile}/export", 202)
    exports = PersonExports(db=shift.db, blobs=blobs)
    while await exports.round():
        pass
    (made,) = await rows(shift.db, "select blob from santral.person_export")
    with zipfile.ZipFile(io.BytesIO(await blobs.get(made["blob"]))) as archive:
        said = {message["text"] for message in json.loads(archive.read("messages.json"))}
        reasons = [one["reason"] for one in json.loads(archive.read("placements.json"))]
    assert (said, reasons) == ({"Kanarya", "Kanarya notu", "Sayın Kanarya"}, ["Kanarya da yazdı"])
    await desk.post(f"profiles/{profile}/erase", 202, reason="consent_withdrawn", confirm=str(profile))
    job = Erasures(db=shift.db, blobs=blobs, hints=None, secret=SECRET, settle_s=0)
    while await job.round():
        pass
    for table in ("conversation", "message", "thread_ref", "delivery", "placement_operation", "decision", "event", "handle"):
        assert await rows(shift.db, f"select * from santral.{table} x where x::text ilike '%kanarya%'") == [], table
    assert sorted(await desk.texts(other)) == ["", "", "", "Başkası"]


async def test_a_redaction_takes_the_reason_along(desk: Regroup) -> None:
    one, other = await desk.begun("4111 1111 1111 1111", who="v1"), await desk.begun("İki", who="v2")
    operation = await desk.merge(one, other, reason="kart numarası yazmış")
    (moved,) = await rows(desk.shift.db, "select seq from santral.message where text like '4111%'")
    await desk.post(f"conversations/{other}/messages/{moved['seq']}/redact", 200, reason="card_number")
    assert (await desk.undo(operation))["reason"] is None
    assert await desk.texts(one) == [""]


async def test_what_an_erasure_is_about_to_empty_is_not_moved(desk: Regroup) -> None:
    one, other = await desk.begun("Bir", who="v1"), await desk.begun("İki", who="v2")
    await desk.shift.writes(text="Üç", who="v2")
    await desk.shift.writes(text="Onun sözü", who="v1")
    third = await desk.begun("Dört", who="v3")
    await desk.shift.execute(
        "update santral.message set handle_id = (select id from santral.handle where value = 'v2') where text = 'Onun sözü'"
    )
    await desk.shift.execute("update santral.handle set kind = 'erased' where value = 'v2'")
    before = await desk.picture()
    assert "erased" in (await desk.move("Onun sözü", third, 409))["detail"]
    assert "erased" in (await desk.merge(one, third, 409))["detail"]
    assert "erased" in (await desk.merge(other, one, 409))["detail"]
    assert "erased" in (await desk.merge(one, other, 409))["detail"]
    assert "erased" in (await desk.split(other, "Üç", status=409))["detail"]
    assert await desk.picture() == before


async def test_retention_of_messages_takes_the_reason_of_what_is_long_over(desk: Regroup) -> None:
    shift = desk.shift
    one, other = await desk.begun("Bir", who="v1"), await desk.begun("İki", who="v2")
    operation = await desk.merge(one, other, reason="özel")
    days = {"retention": {"messages": 30}}
    await shift.execute("update santral.workspace set settings = settings || $2 where id = $1", shift.workspace.id, days)
    leases = Leases(shift.db, kind="retention", slots=1, owner=new_id())
    await leases.round()
    keeper = Retention(db=shift.db, blobs=desk.api.app.state.blobs, leases=leases)
    assert await keeper.round() == 0, "its work is open"
    await shift.execute("update santral.work_item set state = 'completed'")
    await shift.execute("update santral.conversation set state = 'closed', closed_at = now() - interval '31 days'")
    (planned,) = await plan(shift.db, desk.api.app.state.blobs, shift.workspace.id)
    assert (planned["rows"], await keeper.round(), await keeper.round()) == (3, 3, 0)
    assert (await rows(shift.db, "select reason from santral.placement_operation")) == [{"reason": None}]
    assert (await desk.undo(operation))["undone_at"] is not None
