"""Rows "none: a call is connected by the PBX's own queue" and "none: an agent calls first" of the work item's table.

Live calls through REST, their records through intake, on real PostgreSQL.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from profiles.suggestions.people import known_of
from shared.ids import WorkspaceId
from shared.message import Call
from tests.support.api import Api
from tests.support.intake_line import rows
from tests.support.shift import Shift
from tests.support.waiting import eventually

NUMBER = "+905321234567"
LIVE = {"inbox": "asterisk", "call_id": "1718.1", "direction": "in", "number": NUMBER, "agent": "Deniz"}


async def pbx(api: Api, shift: Shift, path: str, body: Any) -> httpx.Response:
    headers = await api.key(shift.workspace.id, "conversations:write")
    return await api.client.post(f"/v1/calls{path}", json=body, headers=headers)


def record(call_id: str, **values: Any) -> Call:
    """What the telephone system wrote about a call of 95 s, 12 of them waiting."""
    ended = datetime.now(UTC)
    base = {
        "call_id": call_id, "direction": "in", "answered": True, "started_at": ended - timedelta(seconds=107), "ended_at": ended,
        "talk_s": 95, "wait_s": 12, "caller": NUMBER, "callee": "850", "agents": ("PJSIP/101",),
    }  # fmt: skip
    return Call.model_validate({**base, **values})


async def test_none_call_connected_by_the_pbx_is_assigned_external(api: Api, shift: Shift) -> None:
    answer = await pbx(api, shift, "", LIVE)
    assert (answer.status_code, answer.json()["state"]) == (201, "assigned"), answer.text
    assert (await pbx(api, shift, "", LIVE)).json()["id"] == answer.json()["id"]
    other = await pbx(api, shift, "", {**LIVE, "number": "+905329999999"})
    assert (other.status_code, other.json()["field"]) == (409, "call_id")
    assert answer.json()["id"] in other.json()["detail"]
    item = await shift.item(answer.json()["id"])
    assert (item["external"], item["kind"], item["agent_id"], await shift.used()) == (True, "call", shift.deniz, 100)
    # No chat is offered to someone on the phone.
    chat = await shift.waiting()
    await shift.settle()
    assert await shift.state(chat) == "queued"
    # The page's connection has nothing to do with the line's.
    await shift.lease_ran_out(shift.deniz, ago_s=600)
    assert await shift.state(item["id"]) == "assigned"
    await shift.execute("update santral.agent set lease_until = now() + interval '30 s', version = version + 1")
    await shift.tell("agent", shift.deniz)
    ended = await pbx(api, shift, "/1718.1/end", {"inbox": "asterisk", "talk_s": 95})
    assert (ended.status_code, ended.json()["state"]) == (200, "completed"), ended.text
    assert (await shift.item(item["id"]))["outcome"] == {"call": {"talk_s": 95}}
    assert await shift.events(item["id"]) == [("item.assigned", shift.deniz), ("item.completed", shift.deniz)]
    await shift.settle()
    assert (await shift.state(chat), await shift.used()) == ("offered", 33)
    for entry in await rows(shift.db, "select details from santral.audit where action = 'call.connected'"):
        assert entry["details"] == {"call_id": "1718.1", "direction": "in", "agent": str(shift.deniz)}
    await shift.sound()


async def test_a_call_may_exceed_capacity_and_says_so(api: Api, shift: Shift) -> None:
    await shift.mine()
    answer = await pbx(api, shift, "", LIVE)
    assert (answer.status_code, await shift.used()) == (201, 133)
    assert (await shift.events(answer.json()["id"]))[-1] == ("agent.over_capacity", shift.deniz)
    await pbx(api, shift, "/1718.1/end", {"inbox": "asterisk"})
    assert await shift.used() == 33
    await shift.sound()


async def test_the_same_id_of_two_numbers_at_one_moment_is_refused_by_its_name(api: Api, shift: Shift) -> None:
    other = {**LIVE, "number": "+905329999999"}
    for number, body in enumerate((LIVE, other)):  # who is new waits behind others who are
        assert (await pbx(api, shift, "", {**body, "call_id": f"before-{number}"})).status_code == 201
    async with shift.db.batch() as connection:
        await connection.execute("lock table santral.conversation in share mode")  # both have looked for the call, and found none
        both = [asyncio.create_task(pbx(api, shift, "", body)) for body in (LIVE, other)]

        async def waiting() -> bool:
            found = "select count(*) from pg_locks where not granted and relation = 'santral.conversation'::regclass"
            return bool(await connection.fetchval(found) == 2)

        await eventually(waiting, 10, "both calls wait")
    answers = sorted(await asyncio.gather(*both), key=lambda one: one.status_code)
    assert [one.status_code for one in answers] == [201, 409]
    assert (answers[1].json()["field"], answers[0].json()["id"] in answers[1].json()["detail"]) == ("call_id", True)
    await shift.sound()


@pytest.mark.parametrize("call_id", [" ", "1718.1 ", " 1718.1", "1718\u200b.1", "\u3164", "1718\t1", "1718\u00a01"])
async def test_an_id_that_is_not_seen_whole_is_refused_by_its_name(api: Api, shift: Shift, call_id: str) -> None:
    answer = await pbx(api, shift, "", {**LIVE, "call_id": call_id})
    assert (answer.status_code, answer.json()["field"]) == (422, "body.call_id"), answer.text


async def test_saying_it_twice_has_one_effect(api: Api, shift: Shift) -> None:
    answers = await asyncio.gather(*(pbx(api, shift, "", LIVE) for _ in range(8)))
    assert {one.status_code for one in answers} == {201}
    assert (len({one.json()["id"] for one in answers}), await shift.used()) == (1, 100)
    for _ in range(3):
        ended = await pbx(api, shift, "/1718.1/end", {"inbox": "asterisk", "talk_s": 3})
        assert (ended.status_code, ended.json()["state"]) == (200, "completed")
    assert await shift.used() == 0
    await shift.sound()


async def test_none_agent_calls_first_is_assigned_external(api: Api, shift: Shift) -> None:
    headers = await api.agent(shift.workspace.id, shift.deniz)
    body = {"inbox": "asterisk", "call_id": "1718.2", "direction": "out", "number": "0532 123 45 67"}
    answer = await api.client.post("/v1/calls", json=body, headers=headers)
    assert (answer.status_code, answer.json()["agent_id"]) == (201, str(shift.deniz)), answer.text
    (handle,) = await rows(shift.db, "select kind, value from santral.handle")
    assert handle == {"kind": "phone", "value": NUMBER}
    await shift.colleague()
    other = await api.client.post("/v1/calls", json={**body, "call_id": "1718.3", "agent": "Ece"}, headers=headers)
    assert (other.status_code, other.json()["field"]) == (403, "agent")
    await shift.sound()


async def test_wrap_time_follows_a_call(api: Api, shift: Shift) -> None:
    await shift.terms("phone", wrap_s=30)
    item = (await pbx(api, shift, "", LIVE)).json()["id"]
    ended = await pbx(api, shift, "/1718.1/end", {"inbox": "asterisk"})
    assert (ended.json()["state"], await shift.used()) == ("wrapping", 100)
    await shift.settle()
    await shift.passes(item)
    assert (await shift.state(item), await shift.used()) == ("completed", 0)
    await shift.sound()


async def test_the_record_of_a_call_ends_what_is_open(api: Api, shift: Shift) -> None:
    item = (await pbx(api, shift, "", LIVE)).json()["id"]
    await shift.writes("", provider="asterisk", who=NUMBER, kind="call", call=record("1718.1"))
    row = await shift.item(item)
    assert (row["state"], await shift.used()) == ("completed", 0)
    assert row["outcome"] == {"call": {"talk_s": 95, "wait_s": 12, "direction": "in"}}
    assert len(await rows(shift.db, "select 1 from santral.work_item")) == 1
    assert len(await rows(shift.db, "select 1 from santral.conversation")) == 1
    await shift.sound()


async def test_the_record_of_a_call_that_was_ended_adds_nothing(api: Api, shift: Shift) -> None:
    item = (await pbx(api, shift, "", LIVE)).json()["id"]
    await pbx(api, shift, "/1718.1/end", {"inbox": "asterisk", "talk_s": 95})
    await shift.writes("", provider="asterisk", who=NUMBER, kind="call", call=record("1718.1"))
    assert [one["id"] for one in await rows(shift.db, "select id::text from santral.work_item")] == [item]
    await shift.sound()


@pytest.mark.parametrize(
    ("more", "agent"),
    [
        ({}, "Deniz"),
        ({"agents": ("PJSIP/999",)}, None),
        ({"direction": "out", "caller": "101", "callee": NUMBER, "agents": ("PJSIP/hat",)}, "Deniz"),
        ({"direction": "out", "caller": "02125550000", "callee": NUMBER}, "Deniz"),
    ],
)
async def test_a_call_nobody_registered_becomes_a_finished_item(shift: Shift, more: dict[str, Any], agent: str | None) -> None:
    await shift.execute(
        "update santral.inbox set settings = $1 where name = 'asterisk'", {"agents": {"PJSIP/101": "Deniz", "101": "Deniz"}}
    )
    direction = more.get("direction", "in")
    await shift.writes("", provider="asterisk", who=NUMBER, kind="call", direction=direction, call=record("1718.9", **more))
    (item,) = await rows(shift.db, "select * from santral.work_item")
    assert (item["state"], item["external"], item["kind"], item["agent_id"]) == ("completed", True, "call", None)
    assert item["last_agent_id"] == (shift.deniz if agent else None)
    assert item["outcome"]["call"] == {"talk_s": 95, "wait_s": 12, "direction": direction}
    assert (item["closed_at"] - item["assigned_at"]).total_seconds() == 95
    assert await shift.events(item["id"]) == [("item.completed", shift.deniz if agent else None)]
    assert await shift.used() == 0
    await shift.sound()


async def test_a_call_in_the_middle_of_other_work_leaves_that_as_it_is(shift: Shift) -> None:
    sender = {"kind": "phone", "value": NUMBER, "assurance": "channel_verified"}
    await shift.writes("Faturam yanlış", provider="api", sender=sender)
    item = await shift.newest()
    await shift.writes("", provider="asterisk", who=NUMBER, kind="call", call=record("1718.5"))
    assert (await shift.state(item), (await shift.item(item))["kind"]) == ("queued", "conversation")
    assert len(await rows(shift.db, "select 1 from santral.work_item")) == 1
    await shift.sound()


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("", {**LIVE, "inbox": "smtp"}, 404, "inbox"),
        ("", {**LIVE, "agent": "Kimse"}, 404, "agent"),
        ("", {name: value for name, value in LIVE.items() if name != "agent"}, 422, "agent"),
        ("", {**LIVE, "queue": "nowhere"}, 404, "queue"),
        ("", {**LIVE, "direction": "sideways"}, 422, "body.direction"),
        ("/unknown/end", {"inbox": "asterisk"}, 404, "call_id"),
    ],
)
async def test_calls_that_cannot_be(api: Api, shift: Shift, path: str, body: Any, status: int, field: str) -> None:
    answer = await pbx(api, shift, path, body)
    assert (answer.status_code, answer.json()["field"]) == (status, field), answer.text
    assert await rows(shift.db, "select 1 from santral.conversation") == []


@pytest.mark.parametrize("number", ["anonymous", "", "+266696687", "(0212) 555 00 00", "+902125550000"])
async def test_a_call_without_a_customers_number_is_nobodys_profile(api: Api, shift: Shift, number: str) -> None:
    await shift.execute("update santral.inbox set settings = $1 where name = 'asterisk'", {"numbers": ["0212 555 00 00"]})
    for call_id in ("1718.6", "1718.7"):
        body = {**LIVE, "call_id": call_id, "number": number, "name": "Ayşe Yılmaz"}
        assert (await pbx(api, shift, "", body)).status_code == 201
        await pbx(api, shift, f"/{call_id}/end", {"inbox": "asterisk"})
    handles = await rows(shift.db, "select kind, value, scope, shared_by, profile_id from santral.handle order by value")
    assert [(row["kind"], row["value"], row["shared_by"]) for row in handles] == [
        ("visitor", "1718.6", "withheld"),
        ("visitor", "1718.7", "withheld"),
    ]
    one, other = (row["profile_id"] for row in handles)
    headers = await api.key(shift.workspace.id, "profiles:write", "profiles:identify")
    merged = await api.client.post(f"/v1/profiles/{one}/merge", json={"with": str(other)}, headers=headers)
    assert merged.status_code == 409, merged.text
    named = {
        "handles": [{"kind": "email", "value": "ayse@ornek.com"}, {name: handles[0][name] for name in ("kind", "scope", "value")}]
    }
    said = await api.client.post("/v1/profiles/identify", json=named, headers=headers)
    assert (said.status_code, said.json()["field"]) == (422, "handles.1.value"), said.text
    async with shift.db.batch(shift.workspace.id) as connection:
        assert await known_of(connection, WorkspaceId(shift.workspace.id), [one, other]) == {}
    await shift.sound()
