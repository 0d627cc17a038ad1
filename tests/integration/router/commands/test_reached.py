"""A call-back ends once the customer was reached, whichever way and in whichever order the calls are told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from router.commands.reached import end_callbacks
from router.commands.work import park
from tests.support.api import Api
from tests.support.calls import NUMBER, call
from tests.support.intake_line import message_to, rows
from tests.support.shift import Shift


async def callbacks(shift: Shift) -> list[tuple[str, str | None]]:
    """(state, why it was canceled) of every call-back, the oldest first."""
    found = await rows(
        shift.db, "select state, outcome->>'canceled' as why from santral.work_item where kind = 'callback' order by id"
    )
    return [(one["state"], one["why"]) for one in found]


ENDED = [("canceled", "reached")]


@pytest.mark.parametrize("direction", ["in", "out"])
async def test_it_ends_when_the_number_is_answered_and_the_call_counts(shift: Shift, direction: str) -> None:
    await shift.writes("", **call("c-1", 0))
    item = await shift.newest()
    await shift.writes("", **call("c-2", 5, answered=True, direction=direction))
    assert await callbacks(shift) == ENDED
    assert (await shift.item(item))["outcome"] == {"canceled": "reached", "reached": {"call_id": "c-2"}}
    events = await rows(shift.db, "select type, data from santral.event where data->>'item_id' = $1 order by seq", str(item))
    assert [one["type"] for one in events] == ["item.queued", "item.canceled"]
    assert {name: events[1]["data"][name] for name in ("reason", "actor", "trigger")} == {
        "reason": "reached", "actor": "pbx", "trigger": "cancel",
    }  # fmt: skip
    (finished,) = await rows(shift.db, "select outcome from santral.work_item where kind = 'call' and state = 'completed'")
    assert finished["outcome"]["call"]["talk_s"] == 90
    assert [one["state"] for one in await rows(shift.db, "select state from santral.conversation")] == ["closed"]
    async with shift.db.batch() as connection:
        (handle,) = await connection.fetch("select id from santral.handle")
        assert await end_callbacks(connection, [(shift.workspace.id, handle["id"])], datetime.now(UTC), actor="pbx") == []
    await shift.sound()


async def test_while_it_is_offered_and_while_it_is_parked(shift: Shift) -> None:
    await shift.writes("", **call("c-1", 0))
    first = await shift.newest()
    await shift.settle()
    assert (await shift.state(first), await shift.used()) == ("offered", 100)
    await shift.writes("", **call("c-2", 5, answered=True))
    assert (await callbacks(shift), await shift.used()) == (ENDED, 0)
    assert await shift.offers(first) == [(shift.deniz, "rescinded")]
    await shift.writes("", **call("c-3", 10))
    second = await shift.newest()
    await shift.settle()
    await shift.accept(second)
    await shift.writes("", **call("c-4", 12, answered=True, direction="out"))
    assert await shift.state(second) == "assigned", "what an agent has is theirs to finish"
    async with shift.db.batch(shift.workspace.id) as connection:
        await park(connection, workspace_id=shift.workspace.id, item_id=second, agent_id=shift.deniz)
    await shift.writes("", **call("c-5", 15, answered=True))
    assert await callbacks(shift) == ENDED * 2
    await shift.sound()


async def test_whichever_record_comes_first(shift: Shift) -> None:
    await shift.writes("", **call("c-2", 5, answered=True))
    await shift.writes("", **call("c-1", 0))
    assert await callbacks(shift) == ENDED
    together = [message_to(shift.workspace, who=NUMBER, external_id=f"x{n}", text="", **{k: v for k, v in one.items() if k != "who"})
                for n, one in enumerate((call("c-4", 15, answered=True), call("c-3", 10)))]  # fmt: skip
    shift.line.add(*together)
    await shift.member.take(shift.line)
    assert await callbacks(shift) == ENDED * 2
    await shift.sound()


@pytest.mark.parametrize(
    "reached",
    [
        call("c-2", -5, answered=True),  # before the call that was missed
        call("c-2", 5, direction="out"),  # nobody answered us
        call("c-2", 5, answered=True, who="+905334440004"),
    ],
)
async def test_it_stays_where_nobody_was_reached_since(shift: Shift, reached: dict[str, Any]) -> None:
    await shift.writes("", **call("c-1", 0))
    await shift.writes("", **reached)
    assert await callbacks(shift) == [("queued", None)]
    await shift.sound()


async def test_a_call_missed_again_and_words_that_wait_keep_it(shift: Shift) -> None:
    await shift.writes("", **call("c-1", 0))
    await shift.writes("", **call("c-3", 10))
    await shift.writes("", **call("c-2", 5, answered=True))
    assert await callbacks(shift) == [("queued", None)]
    sender = {"kind": "phone", "value": NUMBER, "assurance": "channel_verified"}
    await shift.writes("Faturam da yanlış", provider="api", who="x@ornek.com", sender=sender)
    assert len(await rows(shift.db, "select 1 from santral.conversation where state = 'open'")) == 1
    await shift.writes("", **call("c-4", 15, answered=True))
    assert await callbacks(shift) == [("queued", None)]
    await shift.sound()


async def test_late_rows_that_say_it_was_answered_end_it(shift: Shift) -> None:
    reference = f"ext:{shift.workspace.inboxes['asterisk']}:c-1"
    await shift.writes("", defines=(reference,), **call("c-1", 0))
    late = {**call("c-1", 0, answered=True), "kind": "edit"}
    await shift.writes("", refs=(reference,), in_reply_to="c-1", **late)
    assert await callbacks(shift) == ENDED
    await shift.sound()


async def test_late_rows_of_a_call_nobody_knew_are_that_call(shift: Shift) -> None:
    await shift.writes("", **call("c-0", -30, answered=True))
    reference = f"ext:{shift.workspace.inboxes['asterisk']}:c-1"
    await shift.writes("", refs=(reference,), in_reply_to="c-1", **{**call("c-1", 0), "kind": "edit"})
    assert await callbacks(shift) == [("queued", None)]
    late = {**call("c-1", 0, answered=True), "kind": "edit"}
    await shift.writes("", refs=(reference,), in_reply_to="c-1", **late)
    assert await callbacks(shift) == ENDED
    said = await rows(shift.db, "select kind from santral.message order by seq")
    assert [one["kind"] for one in said] == ["call", "missed_call", "edit"]
    await shift.sound()


async def test_a_live_call_ends_it_and_says_who(api: Api, shift: Shift) -> None:
    await shift.writes("", **call("c-1", 0))
    item = await shift.newest()
    headers = await api.key(shift.workspace.id, "conversations:write")
    body = {"inbox": "asterisk", "call_id": "c-2", "direction": "out", "number": NUMBER, "agent": "Deniz"}
    for _ in range(2):
        assert (await api.client.post("/v1/calls", json=body, headers=headers)).status_code == 201
    assert await callbacks(shift) == ENDED
    audited = await rows(shift.db, "select details from santral.audit where action = 'call.connected' order by id")
    assert [(one["details"].get("canceled"), one["details"].get("reason")) for one in audited] == [
        ([str(item)], "reached"), (None, None),
    ]  # fmt: skip
    ended = await api.client.post("/v1/calls/c-2/end", json={"inbox": "asterisk"}, headers=headers)
    assert ended.status_code == 200
    await shift.writes("", **call("c-0", -2))
    assert await callbacks(shift) == ENDED * 2, "the record of an earlier call, after the live one"
    await shift.sound()


@pytest.mark.parametrize("seen", [True, False])
async def test_an_agents_own_word_ends_what_they_see(api: Api, shift: Shift, seen: bool) -> None:
    """A call that an agent says they are on, and that no telephone system ever told of."""
    await shift.writes("", **call("c-1", 0))
    if not seen:
        await shift.execute("delete from santral.queue_member")
    headers = await api.agent(shift.workspace.id, shift.deniz)
    body = {"inbox": "asterisk", "call_id": "made-up", "direction": "out", "number": NUMBER}
    assert (await api.client.post("/v1/calls", json=body, headers=headers)).status_code == 201
    assert await callbacks(shift) == (ENDED if seen else [("queued", None)])
    (audited,) = await rows(shift.db, "select details from santral.audit where action = 'call.connected'")
    assert ("canceled" in audited["details"]) == seen


async def test_an_agents_own_word_ends_nothing_that_is_told_later(api: Api, shift: Shift) -> None:
    await shift.writes("", **call("c-1", 0))
    await shift.execute("delete from santral.queue_member")
    headers = await api.agent(shift.workspace.id, shift.deniz)
    body = {"inbox": "asterisk", "call_id": "made-up", "direction": "out", "number": NUMBER}
    assert (await api.client.post("/v1/calls", json=body, headers=headers)).status_code == 201
    ended = await api.client.post("/v1/calls/made-up/end", json={"inbox": "asterisk", "talk_s": 60}, headers=headers)
    assert ended.status_code == 200, ended.text
    await shift.writes("", **call("c-2", 5))
    assert set(await callbacks(shift)) == {("queued", None)}
    await shift.writes("", **call("c-3", 10, answered=True))
    assert set(await callbacks(shift)) == set(ENDED), "the telephone system's word counts"


@pytest.mark.parametrize(("measured", "reached"), [({"talk_s": 0, "wait_s": 9}, False), ({"talk_s": 1}, True)])
async def test_a_live_call_in_which_nobody_talked_ends_nothing_told_after_it(
    api: Api, shift: Shift, measured: dict[str, int], reached: bool
) -> None:
    headers = await api.key(shift.workspace.id, "conversations:write")
    body = {"inbox": "asterisk", "call_id": "c-2", "direction": "out", "number": NUMBER, "agent": "Deniz"}
    assert (await api.client.post("/v1/calls", json=body, headers=headers)).status_code == 201
    ended = await api.client.post("/v1/calls/c-2/end", json={"inbox": "asterisk", **measured}, headers=headers)
    assert ended.status_code == 200, ended.text
    await shift.writes("", **call("c-1", 0))
    assert await callbacks(shift) == (ENDED if reached else [("queued", None)])


async def test_a_call_that_nobody_connected_has_no_end(api: Api, shift: Shift) -> None:
    await shift.writes("", **call("c-1", 0))
    headers = await api.key(shift.workspace.id, "conversations:write")
    answer = await api.client.post("/v1/calls/never/end", json={"inbox": "asterisk", "talk_s": 60}, headers=headers)
    assert answer.status_code == 404
    assert await callbacks(shift) == [("queued", None)]


async def test_who_calls_without_a_number_is_work_and_no_call_back(shift: Shift) -> None:
    for number in (1, 2):
        sender = {"kind": "visitor", "scope": f"call:{shift.workspace.inboxes['asterisk']}", "value": f"c-{number}"}
        await shift.writes("", sender=sender, **call(f"c-{number}", number))
    found = await rows(shift.db, "select kind, state from santral.work_item")
    assert [(one["kind"], one["state"]) for one in found] == [("conversation", "queued")] * 2
    assert len(await rows(shift.db, "select distinct profile_id from santral.handle where shared_by = 'withheld'")) == 2
    await shift.sound()


async def test_a_voicemail_is_work_and_ends_like_a_missed_call(shift: Shift) -> None:
    await shift.writes("", **{**call("c-1", 0), "kind": "voicemail"})
    assert await callbacks(shift) == [("queued", None)]
    await shift.writes("", **call("c-2", 5, answered=True, direction="out"))
    assert await callbacks(shift) == ENDED
    await shift.sound()
