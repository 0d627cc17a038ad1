"""Edited, deleted and marked messages over REST and the sockets: each stands as it is now, wherever somebody put it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from router.views.amendments import AMENDMENTS_MAX, read_amendments
from shared.ids import new_id
from shared.message import Part
from tests.support.api import Api
from tests.support.intake_line import assert_contiguous, message_to, rows
from tests.support.placements import Regroup, regroup_of
from tests.support.shift import Shift

NOW = datetime.now(UTC)
_SAID = """
select m.*, h.profile_id as writer_profile_id, m.accepted_at as at from santral.message m join santral.handle h on h.id = m.handle_id
where m.conversation_id = $1 and m.external_id = '1'
"""
ANSWERED = {"call_id": "c1", "direction": "in", "answered": True, "started_at": NOW, "ended_at": NOW, "talk_s": 65}


@dataclass(slots=True)
class Talk:
    """Customers who write, and amend what they wrote, in one inbox."""

    shift: Shift
    api: Api
    admin: dict[str, str]

    async def says(self, name: str, text: str = "", *, who: str = "ayse@ornek.com", about: str | None = None, **more: Any) -> None:
        """A message that others may name; ``about``: the one it amends."""
        inbox = self.shift.workspace.inboxes["api"]
        values: dict[str, Any] = {"text": text, "defines": (f"ext:{inbox}:{name}",), **more}
        if about is not None:
            values |= {"in_reply_to": about, "refs": (f"ext:{inbox}:{about}",)}
        self.shift.line.add(message_to(self.shift.workspace, "api", name, who=who, **values))
        await self.shift.member.take(self.shift.line)

    async def of(self, name: str) -> UUID:
        """Where a message stands now."""
        (found,) = await rows(self.shift.db, "select conversation_id from santral.message where external_id = $1", name)
        one: UUID = found["conversation_id"]
        return one

    async def get(self, path: str, status: int = 200) -> Any:
        answer: httpx.Response = await self.api.client.get(f"/v1/{path}", headers=self.admin)
        assert answer.status_code == status, answer.text
        return answer.json() if status == 200 else None

    async def shown(self, conversation: UUID) -> list[dict[str, Any]]:
        """The bubbles of a conversation: its messages without what only amends another one."""
        return [one for one in (await self.get(f"conversations/{conversation}/messages"))["items"] if one["amends"] is None]


@pytest.fixture
async def talk(api: Api, shift: Shift) -> Talk:
    return Talk(shift, api, await api.key(shift.workspace.id))


async def test_what_was_edited_or_deleted_is_read_as_it_stands_now_everywhere(talk: Talk) -> None:
    part = Part(blob="b", name="a.png", content_type="image/png", size_bytes=10)
    await talk.says("1", "Cuma gelin")
    await talk.says("2", "", parts=(part,), contents=("photo",))
    conversation = await talk.of("1")
    asked = f"conversations/{conversation}"
    assert (await talk.get(asked))["preview_contents"] == ["photo"]
    await talk.says("1e", "Pazartesi gelin", about="1", kind="edit")
    await talk.says("2r", "❤", about="2", kind="reaction")
    first, second = await talk.shown(conversation)
    assert (first["text"], [one["text"] for one in first["earlier"]], bool(first["edited_at"])) == (
        "Pazartesi gelin",
        ["Cuma gelin"],
        True,
    )
    assert ([one["text"] for one in second["reactions"]], len(second["files"])) == (["❤"], 1)
    await talk.says("2d", "", about="2", kind="delete")
    first, second = await talk.shown(conversation)
    assert (second["gone"], bool(second["deleted_at"]), second["files"], second["contents"]) == ("deleted", True, [], [])
    assert await talk.get(f"{asked}/messages/{second['seq']}") == second
    await talk.get(f"{asked}/messages/{second['seq']}/parts/0", 404)
    for one in ((await talk.get("conversations"))["items"][0], await talk.get(asked), (await talk.get("items"))["items"][0]):
        assert (one["preview"], one["preview_contents"]) == ("", ["deleted"])
    events = (await talk.get(f"{asked}/events"))["items"]
    assert [one["data"]["amends"] for one in events if one["type"] == "message.amended"] == [
        first["id"],
        second["id"],
        second["id"],
    ]
    await assert_contiguous(talk.shift.db)


async def test_what_if_of_a_deleted_message_answers_without_its_words(talk: Talk) -> None:
    await talk.says("1", "Kartım 4242")
    conversation = await talk.of("1")
    (only,) = await talk.shown(conversation)
    rule = {"name": "card", "when": {"field": "message.text", "op": "contains", "value": "4242"}, "queue": "genel"}
    asked = {"document": {"rules": [rule], "default_queue": "genel"}, "message_id": only["id"]}

    async def answered() -> Any:
        answer = await talk.api.client.post("/v1/policies/evaluate", json=asked, headers=talk.admin)
        assert answer.status_code == 200, answer.text
        return answer.json()

    before = await answered()
    assert (before["rules"][0]["outcome"], before["facts"]["message"]["text"]) == ("matched", "Kartım 4242")
    await talk.says("1d", "", about="1", kind="delete")
    after = await answered()
    assert (after["rules"][0]["outcome"], after["rules"][0]["saw"]) == ("matched", {"message.text": ""})
    assert after["facts"] == {**before["facts"], "message": {**before["facts"]["message"], "text": "", "subject": "", "about": ""}}


async def test_no_stranger_amends_and_what_came_first_waits_for_its_message(talk: Talk) -> None:
    await talk.says("1", "Cuma gelin")
    await talk.says("x", "Hesaba havale yapın", about="1", kind="edit", who="berk@ornek.com")
    await talk.says("y", "", about="1", kind="delete", who="berk@ornek.com")
    (only,) = await talk.shown(await talk.of("1"))
    assert (only["text"], only["edited_at"], only["gone"]) == ("Cuma gelin", None, None)
    assert await talk.of("x") != await talk.of("1")
    # An edit that overtakes its message has nobody to be about yet: it is work, and joins when the message is there.
    await talk.says("e", "Öbür gün", about="m", kind="edit", who="can@ornek.com", sent_at=NOW + timedelta(seconds=5))
    (early,) = await talk.shown(await talk.of("e"))
    assert early["text"] == "Öbür gün"
    await talk.says("m", "Yarın", who="can@ornek.com", sent_at=NOW)
    (late,) = await talk.shown(await talk.of("m"))
    assert (late["text"], late["id"] != early["id"]) == ("Öbür gün", True)


async def test_what_amends_a_message_goes_where_it_goes(talk: Talk, api: Api, shift: Shift) -> None:
    regroup: Regroup = await regroup_of(api, shift)
    await talk.says("1", "Siparişim nerede?")
    await talk.says("2", "Kartım 4242")
    await talk.says("2d", "", about="2", kind="delete")
    await talk.says("other", "Merhaba", who="berk@ornek.com")
    home, elsewhere = await talk.of("1"), await talk.of("other")
    moved = await regroup.move("Kartım 4242", elsewhere)
    assert [one["gone"] for one in await talk.shown(elsewhere)] == [None, "deleted"]
    assert [one["text"] for one in await talk.shown(home)] == ["Siparişim nerede?"]
    await regroup.undo(moved)
    assert [one["gone"] for one in await talk.shown(home)] == [None, "deleted"]
    # What she says of a message later follows it into another customer's conversation.
    await talk.says("3", "Adresim değişti")
    await regroup.move("Adresim değişti", elsewhere)
    await talk.says("3e", "Adresim: Moda", about="3", kind="edit")
    assert [one["text"] for one in await talk.shown(elsewhere)] == ["Merhaba", "Adresim: Moda"]
    await talk.says("3x", "Adresim: Çankaya", about="3", kind="edit", who="can@ornek.com")
    assert [one["text"] for one in await talk.shown(elsewhere)] == ["Merhaba", "Adresim: Moda"]
    # Berk merges with her: everything stands as before.
    await regroup.merge(home, elsewhere)
    assert sorted(one["text"] for one in await talk.shown(elsewhere)) == ["", "Adresim: Moda", "Merhaba", "Siparişim nerede?"]


async def test_a_redacted_message_does_not_come_back_by_its_edits(talk: Talk) -> None:
    await talk.says("1", "Kartım 4242")
    await talk.says("1e", "Kartım 4242 4242", about="1", kind="edit")
    conversation = await talk.of("1")
    (only,) = await talk.shown(conversation)
    answer = await talk.api.client.post(
        f"/v1/conversations/{conversation}/messages/{only['seq']}/redact", json={"reason": "card_number"}, headers=talk.admin
    )
    assert answer.status_code == 200, answer.text
    every = (await talk.get(f"conversations/{conversation}/messages"))["items"]
    assert {(one["text"], one["gone"]) for one in every} == {("", "redacted")}
    assert await rows(talk.shift.db, "select 1 from santral.message where text like '%4242%'") == []


async def test_a_call_is_read_by_its_corrected_record(talk: Talk) -> None:
    missed = {**ANSWERED, "answered": False, "talk_s": 0}
    await talk.says("c1", kind="missed_call", call=missed)
    await talk.says("c1:2", kind="edit", call=ANSWERED, about="c1")
    (call,) = await talk.shown(await talk.of("c1"))
    assert (call["kind"], call["call"]["talk_s"], call["contents"]) == ("call", 65, ["call"])
    person = (await talk.get(f"conversations/{call['conversation_id']}"))["customer"]["profile_id"]
    (entry,) = (await talk.get(f"profiles/{person}/timeline?kind=call"))["items"]
    assert (entry["data"]["kind"], entry["data"]["call"]["talk_s"]) == ("call", 65)


async def test_a_group_is_named(talk: Talk) -> None:
    await talk.says("g", "Selam", channel="social", traits={"group": "120363"})
    (only,) = await talk.shown(await talk.of("g"))
    assert only["group"] == {"id": "120363"}
    assert (await talk.get(f"conversations/{only['conversation_id']}"))["group"] == {"id": "120363"}


async def test_of_a_message_that_was_edited_for_ever_the_newest_words_are_read(talk: Talk) -> None:
    """A stranger who edits it too takes nobody's place, and what is gone takes all its edits with it, also those that are not read."""
    await talk.says("1", "Gün 0")
    conversation = await talk.of("1")
    many = AMENDMENTS_MAX + 20
    copy = (
        "insert into santral.message (workspace_id, conversation_id, seq, id, direction, kind, channel, provider, inbox_id, handle_id,"
        " visibility, external_id, text, body, accepted_at)"
        " select m.workspace_id, m.conversation_id, m.seq + $2 + g, gen_random_uuid(), 'in', $3, m.channel, m.provider, m.inbox_id, $4::uuid,"
        " m.visibility, $3 || ($2 + g), $5 || g, m.body || jsonb_build_object('in_reply_to', m.external_id), m.accepted_at + g * interval '1 s'"
        " from santral.message m, generate_series(1, $6) g where m.conversation_id = $1 and m.external_id = '1'"
    )
    async with talk.shift.db.batch() as connection:
        hers = await connection.fetchval("select handle_id from santral.message where external_id = '1'")
        stranger = await connection.fetchval(
            "insert into santral.handle (workspace_id, id, kind, value, profile_id) values ($1, $2, 'email', 'x@ornek.com', $2) returning id",
            talk.shift.workspace.id, new_id(),
        )  # fmt: skip
        await connection.execute(copy, conversation, 1_000, "edit", hers, "Gün ", many)
        await connection.execute(copy, conversation, 10_000, "edit", stranger, "Hayır ", many)
        amendments = await read_amendments(connection, talk.shift.workspace.id, [conversation])
        every = await read_amendments(connection, talk.shift.workspace.id, [conversation], every=True)
        (said,) = [dict(row) for row in await connection.fetch(_SAID, conversation)]
    assert [len(one.about(said)) for one in (amendments, every)] == [AMENDMENTS_MAX, many]
    (first, *strangers) = await talk.shown(conversation)
    assert (first["text"], first["edits"], len(first["earlier"])) == (f"Gün {many}", many, AMENDMENTS_MAX)
    assert first["earlier"][-1]["text"] == f"Gün {many - 1}"
    assert {one["text"].partition(" ")[0] for one in strangers} == {"Hayır"}, "old edits are no bubbles either"
    await talk.says("1d", "", about="1", kind="delete")
    shown = await talk.get(f"conversations/{conversation}/messages")
    assert not [one for one in shown["items"] if "Gün" in one["text"]]
    redacted = await talk.api.client.post(
        f"/v1/conversations/{conversation}/messages/{first['seq']}/redact", json={"reason": "card_number"}, headers=talk.admin
    )
    assert redacted.status_code == 200, redacted.text
    assert await rows(talk.shift.db, "select text from santral.message where text like 'Gün%'") == []
