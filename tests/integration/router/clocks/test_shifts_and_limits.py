"""Who may take what, and when, on real PostgreSQL: shifts and leave, the ramp, presence by channel, overflow, overrides, bots."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from router.clocks import shifts as clock_of_shifts
from router.clocks.shifts import Shifts
from router.commands.presence import set_presence
from services.client.apply import apply_file
from services.client.export import export_workspace
from services.client.workspace_file import parse_workspace_file
from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from shared.errors import Unprocessable
from shared.hints import Hints
from shared.leases import Leases
from tests.support.api import Api, listening
from tests.support.intake_line import rows
from tests.support.shift import Shift
from tests.support.workspaces import add_item, make_workspace


@pytest.fixture
async def shifts(worker_db: Database, database_urls: PostgresUrls) -> Shifts:
    leases = Leases(worker_db, kind="shifts", slots=1, owner=uuid4())
    await leases.round()
    return Shifts(db=worker_db, leases=leases, hints=Hints(database_urls.worker, listening=False))


async def look(shift: Shift, shifts: Shifts) -> None:
    while await shifts.round():
        pass
    await shift.settle()


async def presence(shift: Shift, agent: UUID, **given: Any) -> None:
    async with shift.db.batch(shift.workspace.id) as connection:
        await set_presence(connection, workspace_id=shift.workspace.id, agent_id=agent, **given)
    await shift.settle()


async def settings(shift: Shift, **given: Any) -> None:
    await shift.configure("update santral.workspace set settings = settings || $1", given)


async def test_on_leave_nothing_new_comes_and_mail_goes_back_once_they_have_gone(api: Api, shift: Shift, shifts: Shifts) -> None:
    key = await api.key(shift.workspace.id)
    mail = await shift.mine(provider="smtp", who="ayse@ornek.com")
    chat = await shift.mine()
    at = datetime.now(UTC)
    leave = {"kind": "leave", "starts_at": (at - timedelta(hours=1)).isoformat(), "ends_at": (at + timedelta(hours=1)).isoformat()}
    path = f"/v1/agents/{shift.deniz}/shifts"
    assert (await api.client.post(path, json={**leave, "ends_at": leave["starts_at"]}, headers=key)).status_code == 422
    one = (await api.client.post(path, json=leave, headers=key)).json()
    await look(shift, shifts)
    waiting = await shift.waiting(who="v2")
    await shift.settle()
    # They are still there: what they have stays theirs, and nothing new comes.
    assert [await shift.state(item) for item in (mail, chat, waiting)] == ["assigned", "assigned", "queued"]
    await shift.lease_ran_out(shift.deniz, 5)
    await look(shift, shifts)
    assert [await shift.state(item) for item in (mail, chat)] == ["queued", "assigned"]
    assert (await api.client.get(path, headers=key)).json()["items"][0]["id"] == one["id"]
    assert (await api.client.delete(f"/v1/shifts/{one['id']}", headers=key)).status_code == 204
    assert (await api.client.delete(f"/v1/shifts/{one['id']}", headers=key)).status_code == 404
    await look(shift, shifts)
    await presence(shift, shift.deniz, presence="away")
    await presence(shift, shift.deniz, presence="online")
    assert [await shift.state(item) for item in (mail, waiting)] == ["assigned", "offered"]
    await shift.sound()


async def test_a_workspace_file_leaves_dated_shifts_and_leave_alone(api: Api, shift: Shift) -> None:
    key = await api.key(shift.workspace.id)
    at = datetime.now(UTC)
    leave = {"kind": "leave", "starts_at": at.isoformat(), "ends_at": (at + timedelta(days=1)).isoformat(), "reason": "hastalık"}
    path = f"/v1/agents/{shift.deniz}/shifts"
    made = (await api.client.post(path, json=leave, headers=key)).json()
    async with listening(api) as address:
        url, admin = address.replace("ws://", "http://"), key["authorization"].removeprefix("Bearer ")
        text = await export_workspace(url=url, api_key=admin)
        assert "hastalık" not in text
        for _ in range(2):
            found = parse_workspace_file(text, source="workspace.yaml")
            done = await apply_file(found, url=url, api_key=admin, take_over=True, prune=True)
        assert {step.action for step in done.steps if step.section == "agents"} == {"same"}
        assert (await api.client.get(path, headers=key)).json()["items"] == [made]
        dated = parse_workspace_file("agents:\n  - name: Deniz\n    shifts: []\n", source="workspace.yaml")
        with pytest.raises(Unprocessable) as refused:
            await apply_file(dated, url=url, api_key=admin, take_over=True)
    assert refused.value.field == "workspace.yaml:3"


async def test_outside_the_hours_of_their_week_agents_are_not_asked(api: Api, shift: Shift, shifts: Shifts) -> None:
    key = await api.key(shift.workspace.id)
    body: dict[str, Any] = {"name": "Deniz", "queues": [{"queue": "genel"}], "hours": {"hours": {}}}
    path = f"/v1/agents/{shift.deniz}"
    assert (await api.client.put(path, json=body, headers=key)).status_code == 422
    day = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[(datetime.now(UTC).weekday() + 3) % 7]
    body["hours"] = {"time_zone": "UTC", "hours": {day: [["09:00", "10:00"]]}}
    assert (await api.client.put(path, json=body, headers=key)).status_code == 200
    await look(shift, shifts)
    item = await shift.waiting()
    await shift.settle()
    shown = (await api.client.get(path, headers=key)).json()
    assert (await shift.state(item), shown["off_shift"], shown["hours"]["hours"]) == ("queued", True, {day: [["09:00", "10:00"]]})
    assert (await shift.row("agent", shift.deniz))["shift_next_at"] is not None
    at = datetime.now(UTC)
    extra = {"kind": "shift", "starts_at": (at - timedelta(hours=1)).isoformat(), "ends_at": (at + timedelta(hours=1)).isoformat()}
    assert (await api.client.post(f"{path}/shifts", json=extra, headers=key)).status_code == 201
    await look(shift, shifts)
    assert await shift.state(item) == "offered"
    await shift.sound()


async def test_the_ramp_fills_whoever_has_just_come_online_slowly(shift: Shift) -> None:
    await settings(shift, ramp={"items": 2, "window_s": 600})
    await presence(shift, shift.deniz, presence="offline")
    for who in ("v1", "v2", "v3"):
        await shift.waiting(who=who)
    await presence(shift, shift.deniz, presence="online")
    assert await shift.used() == 33
    # Half of the window later the next one comes, by the row alone: another desk takes over.
    await shift.execute(
        "update santral.agent set online_since = online_since - interval '301 s', last_offer_at = last_offer_at - interval '301 s',"
        " version = version + 1"
    )
    shift.matcher.forget()
    await shift.settle()
    assert await shift.used() == 66
    await shift.execute("update santral.agent set online_since = online_since - interval '1 h', version = version + 1")
    shift.matcher.forget()
    await shift.settle()
    assert await shift.used() == 99
    await shift.sound()


async def test_an_agent_is_online_for_chat_and_away_for_mail(api: Api, shift: Shift) -> None:
    headers = await api.agent(shift.workspace.id, shift.deniz)
    answer = await api.client.put(
        "/v1/agents/me/presence", json={"presence": "online", "channels": {"email": "away"}}, headers=headers
    )
    assert (answer.status_code, answer.json()["presences"]) == (200, {"email": "away"})
    mail = await shift.waiting(provider="smtp", who="ayse@ornek.com")
    chat = await shift.waiting()
    await shift.settle()
    assert (await shift.state(mail), await shift.state(chat)) == ("queued", "offered")
    # The guard says the same to who claims it.
    assert (await api.client.post(f"/v1/items/{mail}/claim", headers=headers)).status_code == 409
    desk = (await api.client.get("/v1/agents/me/desk", headers=headers)).json()["agent"]
    assert desk["channels"]["email"] == {"cost": 20, "cap": 5, "enabled": False}
    assert desk["channels"]["chat"] == {"cost": 33, "cap": 3, "enabled": True}
    await api.client.put("/v1/agents/me/presence", json={"presence": "online"}, headers=headers)
    await shift.settle()
    assert await shift.state(mail) == "queued"
    await api.client.put("/v1/agents/me/presence", json={"presence": "online", "channels": {}}, headers=headers)
    await shift.settle()
    assert await shift.state(mail) == "assigned"
    bad = await api.client.put(
        "/v1/agents/me/presence", json={"presence": "online", "channels": {"email": "gone"}}, headers=headers
    )
    assert bad.status_code == 422
    await shift.sound()


async def test_the_workspace_s_limits_hold_where_the_agent_s_say_nothing_and_held_work_keeps_its_price(shift: Shift) -> None:
    await settings(shift, channels={"chat": {"cost": 50, "cap": 2}})
    first = await shift.mine()
    assert await shift.used() == 50
    await settings(shift, channels={"chat": {"cost": 25}})
    await shift.tell("agent", shift.deniz)
    await shift.mine(who="v2")
    assert await shift.used() == 75
    await shift.done(first)
    assert await shift.used() == 25
    await shift.execute("update santral.agent set channels = $1", {"chat": {"cap": 1}})
    await shift.tell("agent", shift.deniz)
    third = await shift.waiting(who="v3")
    await shift.settle()
    assert await shift.state(third) == "queued"
    await shift.sound()


async def test_a_queue_s_wrap_up_holds_the_room_until_its_end_or_until_the_agent_ends_it(shift: Shift) -> None:
    await shift.configure("update santral.queue set wrap_s = 60")
    item = await shift.mine()
    assert ((await shift.done(item)).state, await shift.used()) == ("wrapping", 33)
    assert ((await shift.done(item)).state, await shift.used()) == ("completed", 0)
    second = await shift.mine(who="v2")
    await shift.done(second)
    await shift.passes(second)
    assert (await shift.state(second), await shift.used()) == ("completed", 0)
    await shift.sound()


async def test_an_exhausted_plan_overflows_once_and_says_so(shift: Shift) -> None:
    ece = await shift.colleague()
    await shift.execute("delete from santral.queue_member where agent_id = $1", ece)
    backup = await shift.add_queue("backup", ece)
    steps = [{"queues": [None], "skills": {"fransizca": 3}, "timeout_s": 60}]
    await shift.configure("update santral.queue set plan = $1, overflow = 'backup' where name = 'genel'", steps)
    item = await shift.waiting()
    await shift.settle()
    shift.matcher.forget()
    await shift.passes(item, 61, "step_at")
    row = await shift.item(item)
    assert (row["queue_id"], row["overflowed"], row["agent_id"], row["state"]) == (backup, True, ece, "offered")
    (alarm,) = await rows(shift.db, "select data from santral.event where type = 'item.escalated'")
    assert (alarm["data"]["reason"], alarm["data"]["overflow_id"]) == ("plan_passed", str(backup))
    # Nobody there takes it either: it is said once, also by a desk that comes later, and there is no second overflow.
    await shift.configure("update santral.queue set overflow = 'genel' where name = 'backup'")
    await shift.terms("chat", offers_max=1)
    await shift.decline(item)
    for _ in range(2):
        shift.matcher.forget()
        await shift.settle()
    row = await shift.item(item)
    assert (row["queue_id"], row["state"]) == (backup, "queued")
    alarms = await rows(shift.db, "select data->>'reason' as reason from santral.event where type = 'item.escalated' order by id")
    assert [one["reason"] for one in alarms] == ["plan_passed", "exhausted"]
    await shift.sound()


async def test_only_an_override_with_a_reason_exceeds_an_agent_s_limit(api: Api, shift: Shift) -> None:
    key = await api.key(shift.workspace.id)
    for who in ("v1", "v2", "v3"):
        await shift.mine(who=who)
    item = await shift.waiting(who="v4")
    path = f"/v1/items/{item}/assign"
    assert (await api.client.post(path, json={"agent": str(shift.deniz)}, headers=key)).status_code == 409
    body = {"agent": str(shift.deniz), "override": True}
    assert (await api.client.post(path, json=body, headers=key)).status_code == 422
    agent = await api.agent(shift.workspace.id, shift.deniz)
    assert (await api.client.post(path, json={**body, "reason": "VIP"}, headers=agent)).status_code == 403
    answer = await api.client.post(path, json={**body, "reason": "VIP"}, headers=key)
    assert (answer.status_code, await shift.used()) == (200, 132)
    (event,) = await rows(shift.db, "select data, agent_id from santral.event where type = 'agent.over_capacity'")
    (audited,) = await rows(
        shift.db, "select actor, details from santral.audit where action = 'item.assign' and details ? 'override'"
    )
    assert (event["agent_id"], event["data"]["reason"], event["data"]["actor"]) == (shift.deniz, "VIP", audited["actor"])
    await shift.done(item)
    assert await shift.used() == 99
    await shift.sound()


async def test_a_bot_hands_over_to_a_person_with_the_note_and_never_gets_it_again(api: Api, shift: Shift) -> None:
    await presence(shift, shift.deniz, presence="away")
    bot = await shift.colleague("Robot", kind="bot")
    item = await shift.mine()
    before = await shift.item(item)
    assert before["agent_id"] == bot
    headers, person = await api.agent(shift.workspace.id, bot), await api.agent(shift.workspace.id, shift.deniz)
    path = f"/v1/items/{item}/handover"
    assert (await api.client.post(path, json={"skills": {"x": 1}}, headers=headers)).status_code == 422
    answer = await api.client.post(path, json={"note": "Sipariş 42 soruluyor."}, headers=headers)
    assert (answer.status_code, answer.json()["state"], await shift.used(bot)) == (200, "queued", 0), answer.text
    assert (await api.client.post(path, headers=headers)).status_code == 409
    await shift.settle()
    assert await shift.state(item) == "queued"
    await presence(shift, shift.deniz, presence="online")
    after = await shift.item(item)
    assert (after["agent_id"], after["due_at"], after["conversation_id"]) == (
        shift.deniz,
        before["due_at"],
        before["conversation_id"],
    )
    notes = await rows(shift.db, "select text from santral.message where direction = 'note'")
    assert [one["text"] for one in notes] == ["Sipariş 42 soruluyor."]
    await shift.accept(item)
    assert (await api.client.post(path, headers=person)).status_code == 403
    await shift.sound()


async def test_who_asks_for_a_person_gets_one_whatever_the_bot_does(shift: Shift) -> None:
    await presence(shift, shift.deniz, presence="away")
    bot = await shift.colleague("Robot", kind="bot")
    item = await shift.mine()
    await shift.writes("Kargom nerede?")
    assert (await shift.item(item))["agent_id"] == bot
    await shift.writes("Beni gerçek bir insana bağlar mısınız?")
    await shift.settle()
    row = await shift.item(item)
    assert (row["state"], row["skills"], await shift.used(bot)) == ("queued", {"~person": 1}, 0)
    await presence(shift, shift.deniz, presence="online")
    assert (await shift.item(item))["agent_id"] == shift.deniz
    await shift.accept(item)
    # A person stays with them.
    await shift.writes("Temsilci istiyorum")
    assert (await shift.item(item))["agent_id"] == shift.deniz
    await shift.sound()


async def test_work_that_stays_with_who_has_gone_keeps_no_other_from_going_back(
    worker_db: Database, shifts: Shifts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock_of_shifts, "BATCH", 5)
    kept = {"terms": {"email": {"grace_s": 3600}}}
    places = [
        await make_workspace(worker_db, name=name, settings=kept if name == "kept" else None) for name in ("kept", "first", "last")
    ]
    items = {}
    for place, many in zip(places, (12, 1, 1), strict=True):
        for _ in range(many):
            items[place.id] = await add_item(worker_db, place, channel="email", provider="smtp")
        async with worker_db.batch() as connection:
            await connection.execute(
                "update santral.work_item set state = 'assigned', agent_id = $2, assigned_at = now() where workspace_id = $1",
                place.id, place.agent_id,
            )  # fmt: skip
            await connection.execute(
                "update santral.agent set off_shift = true, presence = 'offline' where workspace_id = $1", place.id
            )
    for _ in range(4):
        await shifts.round()
    states = {row["id"]: row["state"] for row in await rows(worker_db, "select id, state from santral.work_item")}
    assert [states[items[place.id]] for place in places] == ["assigned", "queued", "queued"]
