"""Intake on a real PostgreSQL: what each kind of message leaves behind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from profiles.identify import Identification, identify
from router.commands.offer import accept
from router.commands.work import done, park
from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from shared.handle import normalized
from shared.ids import WorkspaceId, new_id
from shared.message import Automatic, Call, DeliveryReceipt
from tests.support.intake_line import Line, Member, assert_contiguous, member_of, message_to, rows
from tests.support.shift import shift_of
from tests.support.workspaces import Workspace


@pytest.fixture
async def member(worker_db: Database, workspace: Workspace) -> Member:
    return await member_of(worker_db)


async def item_of(db: Database) -> dict[str, Any]:
    found = await rows(db, "select * from santral.work_item order by id desc limit 1")
    return found[0]


async def assigned(db: Database, workspace: Workspace) -> UUID:
    """The newest item in the agent's hands; returns its id."""
    item = await item_of(db)
    offer = new_id()
    async with db.batch() as connection:
        await connection.execute(
            "insert into santral.offer (workspace_id, id, item_id, agent_id, decision_id, state, until)"
            " values ($1, $2, $3, $4, $5, 'open', now() + interval '1 min')",
            workspace.id, offer, item["id"], workspace.agent_id, item["decision_id"],
        )  # fmt: skip
        await connection.execute(
            "update santral.work_item set state = 'offered', agent_id = $3, offer_id = $4, timer_at = now() + interval '1 min',"
            " version = version + 1, held = jsonb_build_object($5::text, '{\"cost\": 20, \"interruptible\": true, \"exclusive\": false}'::jsonb)"
            " where workspace_id = $1 and id = $2",
            workspace.id, item["id"], workspace.agent_id, offer, str(workspace.agent_id),
        )  # fmt: skip
        await connection.execute(
            "update santral.agent set used = 20, interruptible_used = 20, counts = '{\"email\": 1}' where id = $1",
            workspace.agent_id,
        )
        await accept(connection, workspace_id=workspace.id, offer_id=offer, agent_id=workspace.agent_id)
    found: UUID = item["id"]
    return found


async def test_a_first_message_opens_a_conversation_with_work(worker_db: Database, workspace: Workspace, member: Member) -> None:
    line = Line()
    line.add(message_to(workspace, "smtp", "1", subject="Sipariş", defines=("mid:1@x",)))
    taken = await member.take(line)
    assert taken.next_offsets == {0: 1}
    (conversation,) = await rows(worker_db, "select * from santral.conversation")
    assert (conversation["state"], conversation["channel"], conversation["language"]) == ("open", "email", "tr")
    (message,) = await rows(worker_db, "select * from santral.message")
    assert message["seq"] == 2
    item = await item_of(worker_db)
    assert (item["state"], item["queue_id"], item["policy_version"]) == ("queued", workspace.queue_id, 1)
    assert item["due_at"] == message["accepted_at"] + timedelta(hours=4)
    (decision,) = await rows(worker_db, "select * from santral.decision")
    assert decision["record"]["queue"] == "genel"
    assert decision["record"]["facts"]["profile"]["known"] is True
    events = await rows(worker_db, "select type, seq from santral.event where conversation_id is not null order by seq")
    assert [(event["type"], event["seq"]) for event in events] == [
        ("conversation.opened", 1), ("message.received", 2), ("item.queued", 3),
    ]  # fmt: skip
    (change,) = await rows(worker_db, "select * from santral.dispatch_change where kind = 'item'")
    assert change["id"] == item["id"]
    await assert_contiguous(worker_db)


async def test_no_event_tells_a_word_or_an_address(worker_db: Database, workspace: Workspace, member: Member) -> None:
    line = Line()
    line.add(
        message_to(workspace, "smtp", "1", who="canary@ornek.com", subject="canary", text="canary text", traits={"a": "canary"})
    )
    await member.take(line)
    for table in ("event", "decision"):
        assert await rows(worker_db, f"select 1 from santral.{table} x where x::text like '%canary%'") == []


async def test_what_follows_joins_by_handle_reference_and_person(worker_db: Database, workspace: Workspace, member: Member) -> None:
    line = Line()
    line.add(
        message_to(workspace, "smtp", "1", defines=("mid:1@x",)),
        message_to(workspace, "smtp", "2"),
        message_to(workspace, "smtp", "3", who="colleague@ornek.com", refs=("mid:1@x",)),
    )
    await member.take(line, batch=2)
    await member.take(line)
    assert len(await rows(worker_db, "select 1 from santral.conversation")) == 1
    assert len(await rows(worker_db, "select 1 from santral.work_item")) == 1
    # A chat visitor whose site signs the same address is the same person.
    signed = {"kind": "email", "value": "ayse@ornek.com", "assurance": "authenticated"}
    visitor = {"kind": "visitor", "scope": str(workspace.inboxes["webchat"]), "value": "v1", "assurance": "authenticated"}
    line.add(message_to(workspace, "webchat", "4", sender=visitor, other_handles=(signed,)))
    await member.take(line)
    (conversation,) = await rows(worker_db, "select * from santral.conversation")
    assert conversation["channels"] == ["email", "chat"]
    # Mail that nobody vouches for opens its own.
    line.add(
        message_to(workspace, "webchat", "5", who="v2"), message_to(workspace, "api", "6", who="v3@ornek.com", authenticated=False)
    )
    await member.take(line)
    assert len(await rows(worker_db, "select 1 from santral.conversation")) == 3
    await assert_contiguous(worker_db)


async def test_a_conversation_keeps_its_language_until_enough_is_said(
    worker_db: Database, workspace: Workspace, member: Member
) -> None:
    line = Line()
    line.add(message_to(workspace, "webchat", "1", who="v1", text="Siparişim nerede?"))
    for number, text in enumerate(("super", "ok", "👍", "12345", "olur", "Where is my invoice?", "danke"), 2):
        line.add(message_to(workspace, "webchat", str(number), who="v1", text=text))
    # Whose language is known needs to say nothing of it; who says enough is believed.
    known = Identification(
        workspace_id=WorkspaceId(workspace.id), handles=(normalized("email", "known@ornek.com"),), raws=("",), source="crm",
        assurance="channel_verified", observed_at=datetime.now(UTC), actor="key:crm", traits={"language": "en"},
    )  # fmt: skip
    async with worker_db.batch() as connection:
        await identify(connection, known)
    line.add(message_to(workspace, "smtp", "20", who="known@ornek.com", text="tamam"))
    line.add(message_to(workspace, "smtp", "21", who="known@ornek.com", text="Bu akşam gelir mi acaba?"))
    line.add(message_to(workspace, "webchat", "30", who="v2", text="olur"))
    await member.take(line)
    said = await rows(
        worker_db, "select m.external_id, m.signals->>'language' as language from santral.message m order by m.external_id::int"
    )
    assert [row["language"] for row in said] == ["tr", "tr", "tr", "tr", "tr", "tr", "en", "en", "en", "tr", ""]


async def test_machines_wake_nobody(worker_db: Database, workspace: Workspace, member: Member) -> None:
    line = Line()
    line.add(
        message_to(workspace, "smtp", "1", automatic=Automatic(kind="out_of_office")),
        message_to(workspace, "smtp", "2", who="b@ornek.com", automatic=Automatic(kind="bulk")),
        message_to(workspace, "webchat", "3", who="v", direction="out", automatic=Automatic(kind="echo")),
    )
    await member.take(line)
    assert len(await rows(worker_db, "select 1 from santral.message")) == 3
    assert await rows(worker_db, "select 1 from santral.work_item") == []
    assert {row["state"] for row in await rows(worker_db, "select state from santral.conversation")} == {"closed"}
    # The person behind the machine writes: the same conversation, now with work.
    line.add(message_to(workspace, "smtp", "4"))
    await member.take(line)
    assert len(await rows(worker_db, "select 1 from santral.conversation")) == 3
    assert (await item_of(worker_db))["state"] == "queued"
    await assert_contiguous(worker_db)


@pytest.mark.parametrize("machine", [{"kind": "system"}, {"automatic": Automatic(kind="auto_reply")}])
async def test_a_channels_notice_moves_nothing_of_how_it_is_answered(
    worker_db: Database, workspace: Workspace, member: Member, machine: dict[str, Any]
) -> None:
    line, now = Line(), datetime.now(UTC)
    line.add(message_to(workspace, "webchat", "1", who="v", window_expires_at=now + timedelta(hours=1)))
    await member.take(line)
    (before,) = await rows(worker_db, "select * from santral.conversation")
    line.add(message_to(workspace, "webchat", "2", who="v", subject="x", window_expires_at=now + timedelta(hours=9), **machine))
    await member.take(line)
    (after,) = await rows(worker_db, "select * from santral.conversation")
    assert {name for name in before if before[name] != after[name]} == {"seq"}
    await assert_contiguous(worker_db)


async def test_a_persons_first_words_head_what_a_machine_began(worker_db: Database, workspace: Workspace, member: Member) -> None:
    line = Line()
    line.add(
        message_to(workspace, "smtp", "1", subject="Yokum", automatic=Automatic(kind="out_of_office")),
        message_to(workspace, "smtp", "2", subject="Sipariş"),
        message_to(workspace, "smtp", "3", subject="Başka"),
    )
    await member.take(line, batch=1)
    assert (await rows(worker_db, "select subject, last_in_at from santral.conversation")) == [
        {"subject": "Yokum", "last_in_at": None}
    ]
    await member.take(line)
    assert [row["subject"] for row in await rows(worker_db, "select subject from santral.conversation")] == ["Sipariş"]


async def test_receipts_and_bounces_go_to_the_courier(worker_db: Database, workspace: Workspace, member: Member) -> None:
    line = Line()
    line.add(
        message_to(workspace, "smtp", "1", defines=("mid:ours@santral",)),
        message_to(
            workspace, "smtp", "2", who="mailer-daemon@ornek.com", refs=("mid:ours@santral",),
            automatic=Automatic(kind="bounce", permanent=True, reason="550 no such user"),
        ),
        message_to(workspace, "webchat", "3", sender=None, kind="receipt", receipt=DeliveryReceipt(provider_id="p1", state="read")),
    )  # fmt: skip
    await member.take(line, batch=1)
    await member.take(line)
    bounce, read = member.words
    assert (bounce.state, bounce.provider_id, bounce.reason) == ("failed", "ours@santral", "550 no such user")
    assert bounce.message_id is not None
    assert (read.state, read.provider_id) == ("read", "p1")
    assert len(await rows(worker_db, "select 1 from santral.message")) == 2
    assert len(await rows(worker_db, "select 1 from santral.receipt")) == 3
    assert len(await rows(worker_db, "select 1 from santral.conversation")) == 1


async def test_amendments_stand_beside_what_they_amend(worker_db: Database, workspace: Workspace, member: Member) -> None:
    inbox = workspace.inboxes["webchat"]
    line = Line()
    line.add(
        message_to(workspace, "webchat", "m1", who="v", defines=(f"ext:{inbox}:m1",)),
        message_to(
            workspace, "webchat", "m1:e", who="v", kind="edit", in_reply_to="m1", refs=(f"ext:{inbox}:m1",), text="corrected"
        ),
        message_to(workspace, "webchat", "m1:d", who="v", kind="delete", in_reply_to="m1", refs=(f"ext:{inbox}:m1",), text=""),
        message_to(
            workspace, "webchat", "m9:e", who="w", kind="edit", in_reply_to="m9", refs=(f"ext:{inbox}:m9",), text="never seen"
        ),
    )
    await member.take(line)
    events = await rows(worker_db, "select type from santral.event where type like 'message.%' order by id")
    assert [event["type"] for event in events].count("message.amended") == 2
    # An edit of something that never came is a customer's text and gets work.
    assert len(await rows(worker_db, "select 1 from santral.work_item")) == 2
    await assert_contiguous(worker_db)


async def test_calls(worker_db: Database, workspace: Workspace, member: Member) -> None:
    now = datetime.now(UTC)
    call = {"direction": "in", "answered": False, "started_at": now, "ended_at": now}
    line = Line()
    line.add(
        message_to(workspace, "asterisk", "1", who="+905321234567", kind="missed_call", call=Call(call_id="1", **call)),
        message_to(
            workspace, "asterisk", "2", who="+905321234568", kind="call", call=Call(call_id="2", **{**call, "answered": True})
        ),
    )
    await member.take(line)
    (item,) = await rows(worker_db, "select * from santral.work_item where state = 'queued'")
    assert (item["kind"], item["channel"]) == ("callback", "phone")
    (call,) = await rows(worker_db, "select * from santral.work_item where state = 'completed'")
    assert (call["kind"], call["external"]) == ("call", True)
    assert len(await rows(worker_db, "select 1 from santral.message")) == 2


async def test_parked_work_wakes_with_its_owner(worker_db: Database, workspace: Workspace, member: Member) -> None:
    line = Line()
    line.add(message_to(workspace, "smtp", "1"))
    await member.take(line)
    item_id = await assigned(worker_db, workspace)
    async with worker_db.batch() as connection:
        await park(connection, workspace_id=workspace.id, item_id=item_id, agent_id=workspace.agent_id, wake_at=None)
    line.add(message_to(workspace, "smtp", "2", text="Teşekkürler!"))
    await member.take(line)
    assert (await item_of(worker_db))["state"] == "parked"
    line.add(message_to(workspace, "smtp", "3", text="Ama hala gelmedi"))
    await member.take(line)
    item = await item_of(worker_db)
    assert (item["id"], item["state"], item["sticky_agent_id"]) == (item_id, "queued", workspace.agent_id)
    assert item["sticky_until"] > datetime.now(UTC)
    assert (await rows(worker_db, "select used from santral.agent"))[0]["used"] == 0
    await assert_contiguous(worker_db)


async def test_finished_work_is_reopened_but_not_by_thanks(worker_db: Database, workspace: Workspace, member: Member) -> None:
    line = Line()
    line.add(message_to(workspace, "smtp", "1"))
    await member.take(line)
    item_id = await assigned(worker_db, workspace)
    async with worker_db.batch() as connection:
        await done(connection, workspace_id=workspace.id, item_id=item_id, agent_id=workspace.agent_id, outcome={})
    line.add(message_to(workspace, "smtp", "2", text="Çok teşekkür ederim"))
    await member.take(line)
    assert len(await rows(worker_db, "select 1 from santral.work_item")) == 1
    assert len(await rows(worker_db, "select 1 from santral.message")) == 2
    line.add(message_to(workspace, "smtp", "3", text="Yine bozuldu"))
    await member.take(line)
    item = await item_of(worker_db)
    assert (item["reopened_from"], item["reopen_count"], item["state"]) == (item_id, 1, "queued")
    assert item["sticky_agent_id"] == workspace.agent_id
    assert len(await rows(worker_db, "select 1 from santral.conversation where state = 'open'")) == 1
    # Long after, it is another conversation.
    async with worker_db.batch() as connection:
        await connection.execute("update santral.work_item set state = 'completed', closed_at = now() - interval '30 days'")
        await connection.execute("update santral.conversation set state = 'closed', closed_at = now() - interval '30 days'")
    line.add(message_to(workspace, "smtp", "4", text="Başka bir konu"))
    await member.take(line)
    assert len(await rows(worker_db, "select 1 from santral.conversation")) == 2
    assert (await item_of(worker_db))["reopened_from"] is None
    await assert_contiguous(worker_db)


async def test_the_policy_decides_and_changes_within_a_second(worker_db: Database, workspace: Workspace, member: Member) -> None:
    second = new_id()
    document = {
        "rules": [
            {
                "name": "angry",
                "when": {"field": "signals.complaint", "op": "is_true"},
                "queue": "kizgin",
                "boost_s": 600,
                "tags": ["x"],
            }
        ],
        "default_queue": "genel",
    }
    async with worker_db.batch() as connection:
        await connection.execute(
            "insert into santral.queue (workspace_id, id, name) values ($1, $2, 'kizgin')", workspace.id, second
        )
        await connection.execute("update santral.policy set active = false")
        await connection.execute(
            "insert into santral.policy (workspace_id, version, document, active) values ($1, 2, $2, true)", workspace.id, document
        )
    assert await member.configuration.refresh()
    line = Line()
    line.add(message_to(workspace, "smtp", "1", text="Bu bir rezalet, şikayetçiyim"))
    await member.take(line)
    item = await item_of(worker_db)
    assert (item["queue_id"], item["policy_version"]) == (second, 2)
    (decision,) = await rows(worker_db, "select record from santral.decision")
    assert (decision["record"]["rule"], decision["record"]["boost_s"], decision["record"]["tags"]) == ("angry", 600, ["x"])
    assert item["due_at"] == item["enqueued_at"] + timedelta(hours=4, seconds=-600)


async def test_a_message_of_a_new_workspace_is_not_refused(worker_db: Database, workspace: Workspace, member: Member) -> None:
    from tests.support.workspaces import make_workspace

    younger = await make_workspace(worker_db, name="yeni")
    line = Line()
    line.add(message_to(younger, "smtp", "1"))
    taken = await member.take(line)
    assert not taken.outcomes[0].quarantined


@pytest.mark.parametrize("at_once", [False, True], ids=["one by one", "in one batch"])
async def test_rules_see_how_many_conversations_the_customer_has_open(
    worker_db: Database, database_urls: PostgresUrls, workspace: Workspace, *, at_once: bool
) -> None:
    shift = await shift_of(worker_db, database_urls, workspace)
    rule = {
        "name": "many",
        "when": {"field": "profile.open_conversations", "op": "at_least", "value": 2},
        "tags": ["many"],
        "queue": "genel",
    }
    await shift.configure("update santral.policy set version = 2, document = $1", {"rules": [rule], "default_queue": "genel"})
    said = [("v1", "1"), ("v1", "2"), ("v1", "3"), ("v2", "1")]
    messages = [
        message_to(shift.workspace, "webchat", f"post-{place}", who=who, visibility="public", traits={"post": post})
        for place, (who, post) in enumerate(said)
    ]
    for some in [messages] if at_once else [[one] for one in messages]:
        shift.line.add(*some)
        await shift.member.take(shift.line)
    records = [
        row["record"] for row in await rows(shift.db, "select record from santral.decision where kind = 'routing' order by id")
    ]
    assert [one["facts"]["profile"]["open_conversations"] for one in records] == [0, 1, 2, 0]
    assert [one["rule"] for one in records] == [None, None, "many", None]
