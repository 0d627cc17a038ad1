"""Plans, shifts and limits through REST and the real router: what is refused, what is warned of, and what an item then does."""

from __future__ import annotations

from typing import Any

from tests.support.api import Api
from tests.support.intake_line import rows
from tests.support.shift import Shift


async def made(api: Api, headers: dict[str, str], path: str, body: Any) -> Any:
    answer = await api.client.post(f"/v1/{path}", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def replaced(api: Api, headers: dict[str, str], path: str, body: Any) -> Any:
    answer = await api.client.put(f"/v1/{path}", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_named_plan_widens_from_a_queue_to_its_neighbour(api: Api, shift: Shift) -> None:
    key = await api.key(shift.workspace.id)
    ece = await shift.colleague()
    neighbour = await made(api, key, "queues", {"name": "fatura"})
    assert neighbour["warnings"] == ["no agent is a member: what comes here waits until one is, or overflows"]
    await shift.execute("delete from santral.queue_member where agent_id = $1", ece)
    await replaced(api, key, f"agents/{ece}", {"name": "Ece", "queues": [{"queue": "fatura"}]})
    await made(api, key, "skills", {"name": "english"})
    # Not there, but somebody who might be: else nobody waited for the step.
    await made(api, key, "agents", {"name": "Naz", "queues": [{"queue": "genel"}], "skills": {"english": 3}})
    queue = {"name": "genel", "mode": "both", "plan": "wide"}
    first = await replaced(api, key, f"queues/{shift.workspace.queue_id}", queue)
    assert first["warnings"] == ["there is no plan wide yet: until there is, only the queue's own agents are asked"]
    plan = {"name": "wide", "steps": [{"skills": {"english": 3}, "timeout_s": 60}, {"own": False, "queues": ["fatura"]}]}
    assert (await made(api, key, "plans", plan))["warnings"] == []
    assert (await replaced(api, key, f"queues/{shift.workspace.queue_id}", queue))["warnings"] == []
    await shift.member.configuration.refresh()
    item = await shift.waiting()
    await shift.settle()
    assert (await shift.state(item), (await shift.item(item))["step"]) == ("queued", 0)
    shift.matcher.forget()
    await shift.passes(item, 61, "step_at")
    assert ((await shift.item(item))["agent_id"], (await shift.item(item))["step"]) == (ece, 1)
    # The item carries the plan it was given; the next one gets the new one.
    await replaced(api, key, "plans/wide", {"name": "wide", "steps": [{}]})
    await shift.member.configuration.refresh()
    assert len((await shift.item(item))["plan"]) == 2
    second = await shift.waiting(who="v2")
    assert (await shift.item(second))["plan"] == [{"queues": [None]}]
    for path in (f"queues/{neighbour['id']}", "plans/wide"):
        answer = await api.client.delete(f"/v1/{path}", headers=key)
        assert answer.status_code == (204 if path.startswith("queues") else 409), answer.text
    await shift.sound()


async def test_a_rule_names_a_plan_and_its_skills_hold_in_every_step(api: Api, shift: Shift) -> None:
    key = await api.key(shift.workspace.id)
    for name in ("turkish", "returns"):
        await made(api, key, "skills", {"name": name})
    await made(api, key, "plans", {"name": "relaxing", "steps": [{"timeout_s": 30}, {"relax": ["returns"]}]})
    rule = {"name": "all", "queue": "genel", "skills": {"turkish": 3, "returns": 2}, "plan": "relaxing"}
    bad = await api.client.post(
        "/v1/policies", json={"document": {"rules": [{**rule, "plan": "relaxed"}], "default_queue": "genel"}}, headers=key
    )
    assert (bad.status_code, "unknown plan" in bad.json()["detail"]) == (422, True)
    await made(api, key, "policies", {"document": {"rules": [rule], "default_queue": "genel"}})
    await shift.member.configuration.refresh()
    await shift.execute("update santral.agent set skills = '{\"turkish\": 4}'")
    skills = {"turkish": 3, "returns": 2}
    await made(api, key, "agents", {"name": "Naz", "queues": [{"queue": "genel"}], "skills": skills})  # not there now
    item = await shift.waiting()
    await shift.settle()
    assert await shift.state(item) == "queued"
    shift.matcher.forget()
    await shift.passes(item, 31, "step_at")
    assert await shift.state(item) == "offered"
    assert (await api.client.delete("/v1/plans/relaxing", headers=key)).status_code == 409
    await shift.sound()


async def test_a_filter_over_agents_chooses_among_them(api: Api, shift: Shift) -> None:
    key = await api.key(shift.workspace.id)
    ece = await shift.colleague()
    await replaced(
        api,
        key,
        f"agents/{ece}",
        {"name": "Ece", "queues": [{"queue": "genel"}], "attributes": {"team": "vip"}, "languages": ["en"]},
    )
    bad = {"name": "vip", "steps": [{"filter": "agent.teem == 'vip'"}]}
    answer = await api.client.post("/v1/plans", json=bad, headers=key)
    assert (answer.status_code, answer.json()["field"]) == (422, "steps.0.filter")
    plan = {"steps": [{"filter": 'agent.attributes["team"] == "vip" && "en" in agent.languages'}]}
    await replaced(api, key, f"queues/{shift.workspace.queue_id}", {"name": "genel", "mode": "both", "plan": plan})
    await shift.member.configuration.refresh()
    await shift.settle()
    for who in ("v1", "v2"):
        item = await shift.waiting(who=who)
        await shift.settle()
        assert (await shift.item(item))["agent_id"] == ece
    # Whoever is made to meet it is asked for items that wait already.
    third = await shift.waiting(who="v3")
    fourth = await shift.waiting(who="v4")
    await shift.settle()
    assert ((await shift.item(third))["agent_id"], await shift.state(fourth)) == (ece, "queued")
    body = {"name": "Deniz", "queues": [{"queue": "genel"}], "attributes": {"team": "vip"}, "languages": ["en"]}
    await replaced(api, key, f"agents/{shift.deniz}", body)
    await shift.settle()
    assert (await shift.item(fourth))["agent_id"] == shift.deniz
    await shift.sound()


async def test_a_plan_waits_for_the_last_agent_and_limits_its_life(api: Api, shift: Shift) -> None:
    key = await api.key(shift.workspace.id)
    await shift.colleague()
    plan = {"steps": [{}], "preferred": {"of": ["account_owner", "last_agent"], "wait_s": 300}, "live_s": 900}
    await replaced(api, key, f"queues/{shift.workspace.queue_id}", {"name": "genel", "mode": "both", "plan": plan})
    await shift.member.configuration.refresh()
    first = await shift.waiting()
    row = await shift.item(first)
    assert (row["expires_at"] - row["enqueued_at"]).total_seconds() == 900
    assert row["sticky_agent_id"] is None
    await shift.settle()
    await shift.accept(first)
    served = (await shift.item(first))["agent_id"]
    await shift.done(first)
    await shift.execute("update santral.conversation set state = 'closed', closed_at = now()")
    await shift.execute("update santral.work_item set closed_at = now() - interval '30 days'")
    second = await shift.waiting()
    row = await shift.item(second)
    assert (row["sticky_agent_id"], row["sticky_until"] is not None) == (served, True)
    await shift.settle()
    assert (await shift.item(second))["agent_id"] == served
    await shift.sound()


async def test_what_cannot_work_is_refused_or_warned_of(api: Api, shift: Shift) -> None:
    key = await api.key(shift.workspace.id)
    await made(api, key, "queues", {"name": "b", "overflow": "genel"})
    answer = await replaced(api, key, f"queues/{shift.workspace.queue_id}", {"name": "genel", "mode": "both", "overflow": "b"})
    assert answer["warnings"] == ["overflow goes in a circle: genel → b → genel; an item overflows once, then it is given up"]
    itself = await api.client.post("/v1/queues", json={"name": "c", "overflow": "c"}, headers=key)
    assert (itself.status_code, itself.json()["field"]) == (422, "overflow")
    nobody = await made(api, key, "agents", {"name": "Kimse", "budget": 0})
    assert len(nobody["warnings"]) == 2
    shrinking = {"name": "s", "steps": [{"timeout_s": 30}, {"filter": 'agent.kind == "bot"', "timeout_s": 30}, {"queues": ["b"]}]}
    warnings = (await made(api, key, "plans", shrinking))["warnings"]
    assert [one.partition(":")[0] for one in warnings] == ["steps.1", "steps.2"]
    assert "stays reached" in warnings[0]
    assert "no agents" in warnings[1]
    for steps, field in (
        ([{"queues": ["d"]}], "steps.0.queues.0"),
        ([{"skills": {"x": 3}}], "steps.0.skills.x"),
        ([{"own": False, "queues": [{"queue": "b", "delay_s": 5}]}], "steps.0.queues"),
        ([{"timeout_s": 5, "queues": [{"queue": "b", "delay_s": 5}]}], "steps.0.queues.0.delay_s"),
    ):
        answer = await api.client.post("/v1/plans", json={"name": "bad", "steps": steps}, headers=key)
        assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
    assert await rows(shift.db, "select 1 from santral.plan where name = 'bad'") == []
