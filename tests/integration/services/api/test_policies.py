"""Policies over REST: drafts, versions, roll-back, what the editor is told, and what would have happened under another one."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from profiles.identify import Identification, identify
from router.workspace.configuration import RouterConfiguration
from shared.database import Database
from shared.handle import normalized
from shared.hints import Hints
from shared.ids import WorkspaceId, new_id
from tests.support.api import Api
from tests.support.intake_line import TABLES, Line, counts, member_of, message_to, rows
from tests.support.workspaces import Workspace


async def add_queue(db: Database, workspace: Workspace, name: str) -> None:
    async with db.batch() as connection:
        await connection.execute(
            "insert into santral.queue (workspace_id, id, name) values ($1, $2, $3)", workspace.id, new_id(), name
        )


class Policies:
    """The policies of one workspace."""

    def __init__(self, api: Api, headers: dict[str, str]) -> None:
        self._api, self._headers = api, headers

    async def call(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = await self._api.client.request(method, f"/v1/policies{path}", json=body, headers=self._headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def evaluate(self, facts: str) -> Any:
        """By hand, as raw JSON."""
        headers = {**self._headers, "content-type": "application/json"}
        return await self._api.client.post("/v1/policies/evaluate", content=f'{{"facts": {facts}}}', headers=headers)

    async def save(self, *rules: dict[str, Any], **values: Any) -> Any:
        return await self.call("POST", "", {"document": {"rules": list(rules), "default_queue": "genel"}, **values}, 201)


@pytest.fixture
async def policies(api: Api, workspace: Workspace) -> Policies:
    return Policies(api, await api.key(workspace.id))


COMPLAINTS = {"name": "complaints", "when": {"field": "signals.complaint", "op": "is_true"}, "queue": "genel", "boost_s": 600}


async def test_a_draft_waits_until_it_is_activated_and_the_version_before_comes_back(policies: Policies) -> None:
    draft = await policies.save(COMPLAINTS, active=False, note="spring")
    assert (draft["version"], draft["active"], draft["activated_at"], draft["note"]) == (2, False, None, "spring")
    assert (await policies.call("GET", "/active"))["version"] == 1
    active = await policies.call("POST", "/2/activate")
    assert (active["active"], active["activated_by"]) == (True, active["actor"])
    third = await policies.save({"name": "all", "queue": "genel"})
    assert third["active"]
    assert (await policies.call("POST", "/rollback"))["version"] == 2
    assert (await policies.call("POST", "/rollback"))["version"] == 3
    page = await policies.call("GET", "?limit=2")
    assert [(one["version"], one["active"]) for one in page["items"]] == [(3, True), (2, False)]
    rest = await policies.call("GET", f"?limit=2&cursor={page['next']}")
    assert ([one["version"] for one in rest["items"]], rest["next"]) == ([1], None)
    await policies.call("POST", "/9/activate", status=404)
    await policies.call("GET", "/99999999999999999999", status=404)


async def test_who_activated_what_is_in_the_audit(policies: Policies, worker_db: Database) -> None:
    await policies.save(COMPLAINTS)
    await policies.call("POST", "/1/activate")
    found = await rows(worker_db, "select action, target_id, details from santral.audit order by id")
    assert [(one["action"], one["target_id"], one["details"].get("before")) for one in found] == [
        ("policy.saved", "2", 1), ("policy.activated", "1", 2),
    ]  # fmt: skip


async def test_an_older_version_whose_queue_is_gone_is_not_activated(
    policies: Policies, worker_db: Database, workspace: Workspace
) -> None:
    await add_queue(worker_db, workspace, "iade")
    await policies.save({"name": "returns", "when_cel": "signals.complaint", "queue": "iade"})
    await policies.call("POST", "/1/activate")
    async with worker_db.batch() as connection:
        await connection.execute("update santral.queue set enabled = false where name = 'iade'")
    problem = await policies.call("POST", "/rollback", status=422)
    assert problem["field"] == "rules[0] 'returns'.queue"
    assert (await policies.call("GET", "/active"))["version"] == 1


async def test_the_editor_is_told_everything_with_its_place(policies: Policies) -> None:
    bad: list[dict[str, Any]] = [
        {"name": "typo", "when_cel": "now.open &&\n message.chanel == 'x'", "queue": "genle"},
        {"name": "types", "when": {"all": [{"field": "now.hour", "op": "is", "value": "nine"}]}, "queue": "genel"},
        {"name": "skills", "when_cel": "now.open", "queue": "genel", "skills": {"dance": 3}, "sla": "gold"},
        {"name": "nothing", "when": {"any": []}, "queue": "genel"},
    ]
    body = {"document": {"rules": bad, "default_queue": "genel"}}
    answer = await policies.call("POST", "/check", body)
    assert not answer["ok"]
    found = {(one["field"], one["line"], one["character"]): one for one in answer["problems"]}
    assert "did you mean message.channel?" in found["rules[0] 'typo'.when_cel", 2, 10]["remedy"]
    assert "did you mean genel?" in found["rules[0] 'typo'.queue", 0, 0]["remedy"]
    assert found["rules[1] 'types'.when.all[0].value", 0, 0]["path"] == ["rules", 1, "when", "all", 0, "value"]
    assert "rules[2] 'skills'.skills.dance" in {one["field"] for one in answer["problems"]}
    assert "rules[2] 'skills'.sla" in {one["field"] for one in answer["problems"]}
    refused = await policies.call("POST", "", body, status=422)
    assert len(refused["errors"]) == len(answer["problems"]) == 6
    saved = await policies.save(bad[3])
    assert [one["severity"] for one in saved["warnings"]] == ["warning"]
    anything: list[Any] = [None, [], "x", {"rules": 3}, {"rules": [None]}]
    for nonsense in anything:
        assert not (await policies.call("POST", "/check", {"document": nonsense}))["ok"]


async def test_a_body_nested_without_end_is_refused(api: Api, workspace: Workspace) -> None:
    headers = {**await api.key(workspace.id), "content-type": "application/json"}
    deep = b'{"document":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    answer = await api.client.post("/v1/policies/check", content=deep, headers=headers)
    assert answer.status_code == 413


async def test_a_page_finds_everything_it_needs_to_edit_a_condition(policies: Policies) -> None:
    vocabulary = await policies.call("GET", "/vocabulary")
    fields = {one["name"]: one for one in vocabulary["fields"]}
    assert fields["message.attachments"]["type"] == "number"
    assert "contains" not in fields["message.attachments"]["operators"]
    assert "queue.<name>.waiting" in fields
    assert vocabulary["names"]["queues"] == ["genel"]
    operators = {one["name"]: one["takes"] for one in vocabulary["operators"]}
    # Every leaf that the vocabulary offers can be saved.
    values = {"text": "x", "number": 1, "yes_no": True, "texts": "x", "any": "x"}
    leaves: list[Any] = []
    for one in fields.values():
        for operator in one["operators"]:
            leaf = {"field": one["name"].replace("queue.<name>", "queue.genel").replace("<name>", "plan"), "op": operator}
            value = values[one["type"]] if operator not in ("contains", "starts_with", "ends_with") else "x"
            if operators[operator] != "nothing":
                leaf["value"] = [value] if operators[operator] == "list" else value
            leaves.append(leaf)
    rules = [{"name": str(n), "when": {"any": leaves[n : n + 90]}, "queue": "genel"} for n in range(0, len(leaves), 90)]
    assert (await policies.save(*rules))["warnings"] == []


async def test_a_rule_that_errs_is_shown_with_the_message_that_broke_it(
    policies: Policies, worker_db: Database, workspace: Workspace
) -> None:
    saved = await policies.save(
        {"name": "happy", "when_cel": "profile.csat > 3 && message.channel == 'email'", "queue": "genel"},
        {"name": "fine", "when_cel": "message.channel == 'chat'", "queue": "genel"},
    )
    line = Line()
    messages = [message_to(workspace, "smtp", f"m{n}", who=f"p{n}@ornek.com") for n in range(7)]
    line.add(*messages)
    await (await member_of(worker_db)).take(line)
    (error,) = (await policies.call("GET", f"/{saved['version']}/errors"))["items"]
    assert (error["rule"], error["count"], error["error"]) == ("happy", 7, "csat is not there")
    assert error["message_id"] == str(messages[-1].id)
    assert len(error["message_ids"]) == 5
    assert (await policies.call("GET", "/1/errors"))["items"] == []


async def test_an_error_tells_no_word_of_the_message_that_broke_the_rule(
    api: Api, policies: Policies, worker_db: Database, workspace: Workspace
) -> None:
    asked = {
        "text": "{'zz': true}[message.text]", "subject": "{'zz': true}[message.subject]",
        "timed": "timestamp(message.text) > timestamp('2026-01-01T00:00:00Z')", "number": "int(message.text) > 3",
        "mixed": "dyn(message.text) > 3", "member": "dyn(message.text).zz == 1", "named": "profile.csat > 3",
    }  # fmt: skip
    saved = await policies.save(*({"name": name, "when_cel": rule, "queue": "genel"} for name, rule in asked.items()))
    line = Line()
    line.add(mail := message_to(workspace, "smtp", "m1", text="hunter2", subject="Correcthorse"))
    await (await member_of(worker_db)).take(line)
    found = (await policies.call("GET", f"/{saved['version']}/errors"))["items"]
    assert {one["rule"] for one in found} >= {"text", "subject", "timed", "number", "named"}
    assert {one["rule"]: one["error"] for one in found}["named"] == "csat is not there"
    key, params = await api.key(workspace.id), {"message_id": str(mail.id)}
    decisions = (await api.client.get("/v1/decisions", params=params, headers=key)).json()["items"]
    shown = [one["record"]["errors"] for one in decisions if one["record"].get("errors")]
    assert shown
    told = json.dumps([found, shown])
    assert "hunter2" not in told
    assert "Correcthorse" not in told
    assert str(mail.id) in told


async def test_which_rules_err_is_told_to_who_may_read_messages(api: Api, policies: Policies, workspace: Workspace) -> None:
    saved = await policies.save({"name": "pin", "when_cel": "1 / size('') > int(message.text)", "queue": "genel"})
    for scopes, status in ((("config:read", "config:write"), 403), (("config:read", "conversations:read"), 200)):
        key = await api.key(workspace.id, *scopes)
        assert (await api.client.get(f"/v1/policies/{saved['version']}/errors", headers=key)).status_code == status


async def test_an_attribute_beyond_64_bits_is_no_matter_to_other_rules(
    policies: Policies, worker_db: Database, workspace: Workspace
) -> None:
    await add_queue(worker_db, workspace, "vip")
    saved = await policies.save(
        {
            "name": "big",
            "when": {"field": "profile.attributes.number", "op": "more", "value": 5},
            "continue": True,
            "tags": ["big"],
        },
        {"name": "gold", "when": {"field": "profile.attributes.plan", "op": "is", "value": "gold"}, "queue": "vip"},
    )
    number = 12345678901234567890
    known = Identification(
        workspace_id=WorkspaceId(workspace.id), handles=(normalized("email", "big@ornek.com"),), raws=("",), source="crm",
        assurance="channel_verified", observed_at=datetime.now(UTC), actor="key:crm",
        traits={"number": number, "plan": "gold", "csat": 10**400},
    )  # fmt: skip
    async with worker_db.batch() as connection:
        await identify(connection, known)
    line, message = Line(), message_to(workspace, "smtp", "b1", who="big@ornek.com")
    line.add(message)
    await (await member_of(worker_db)).take(line)
    assert (await policies.call("GET", f"/{saved['version']}/errors"))["items"] == []
    answer = await policies.call("POST", "/evaluate", {"message_id": str(message.id)})
    assert (answer["queue"], answer["choice"]["tags"], answer["differences"]) == ("vip", ["big"], [])
    assert answer["facts"]["profile"]["attributes"] == {"number": number, "plan": "gold"}
    # By hand such values do not come in at all.
    for value in (str(number), "1e999", "NaN", "-Infinity", "9" * 4000, "[" * 200 + "]" * 200, '"\\ud83d"'):
        by_hand = await policies.evaluate(f'{{"profile": {{"attributes": {{"number": {value}, "plan": "gold"}}}}}}')
        assert by_hand.status_code in (413, 422), (value[:20], by_hand.text[:500])
    within = await policies.evaluate(f'{{"profile": {{"attributes": {{"number": {2**63 - 1}, "plan": "gold"}}}}}}')
    assert (within.status_code, within.json()["queue"]) == (200, "vip")


async def test_a_draft_is_asked_about_a_message_by_hand(policies: Policies) -> None:
    document = {
        "rules": [
            {"name": "vip", "when": {"field": "profile.tier", "op": "is", "value": "gold"}, "continue": True, "tags": ["vip"]},
            {"name": "broken", "when_cel": "profile.csat > 3", "queue": "genel"},
            {"name": "mail", "when": {"field": "message.channel", "op": "is", "value": "email"}, "queue": "genel", "class": 0},
            {"name": "late", "when_cel": "now.hour > 20", "queue": "genel"},
        ],
        "default_queue": "genel",
    }
    facts = {"message": {"channel": "email"}, "profile": {"tier": "gold"}}
    answer = await policies.call("POST", "/evaluate", {"document": document, "facts": facts})
    assert [(one["name"], one["outcome"]) for one in answer["rules"]] == [
        ("vip", "matched"), ("broken", "error"), ("mail", "matched"), ("late", "not_asked"),
    ]  # fmt: skip
    assert answer["rules"][0]["saw"] == {"profile.tier": "gold"}
    assert answer["rules"][1]["saw"] == {"profile.csat": None}
    assert (answer["queue"], answer["choice"]["rule"], answer["choice"]["class"]) == ("genel", "mail", 0)
    assert answer["choice"]["tags"] == ["vip"]
    assert (await policies.call("POST", "/evaluate", {"facts": facts}))["policy_version"] == 1
    bad: list[Any] = [
        {}, {"facts": facts, "since": "2026-01-01T00:00:00Z"}, {"facts": {"mesage": {}}}, {"document": {"rules": 3}, "facts": {}},
    ]  # fmt: skip
    for body in bad:
        await policies.call("POST", "/evaluate", body, status=422)
    await policies.call("POST", "/evaluate", {"facts": {}, "version": 77}, status=404)
    await policies.call("POST", "/evaluate", {"message_id": str(new_id())}, status=404)


async def test_a_stored_message_is_shown_to_who_may_read_messages(api: Api, workspace: Workspace) -> None:
    asked = {"message_id": str(new_id())}
    for scopes, status in ((("config:read",), 403), (("config:read", "conversations:read"), 404)):
        key = await api.key(workspace.id, *scopes)
        assert (await api.client.post("/v1/policies/evaluate", json=asked, headers=key)).status_code == status


async def test_a_stretch_of_time_tells_what_would_have_been_different(
    policies: Policies, worker_db: Database, workspace: Workspace
) -> None:
    await add_queue(worker_db, workspace, "iade")
    await policies.save(COMPLAINTS)
    line = Line()
    texts = ["İade etmek istiyorum", "Bu bir rezalet!", "Merhaba", "iade ve rezalet"]
    line.add(*(message_to(workspace, "smtp", f"m{n}", who=f"p{n}@ornek.com", text=texts[n % 4]) for n in range(40)))
    await (await member_of(worker_db)).take(line)
    before = await counts(worker_db)
    draft = {
        "rules": [
            {"name": "returns", "when_cel": "message.text.contains('ade')", "queue": "iade", "tags": ["return"]},
            {"name": "gold", "when": {"field": "profile.attributes.plan", "op": "is", "value": "gold"}, "queue": "iade"},
            {"name": "broken", "when_cel": "profile.csat > 3", "queue": "genel"},
            COMPLAINTS,
        ],
        "default_queue": "genel",
    }
    stretch = {"document": draft, "since": (datetime.now(UTC) - timedelta(hours=1)).isoformat()}
    answer = await policies.call("POST", "/evaluate", stretch)
    report = answer["report"]
    assert (answer["next"], report["messages"], report["changed"]) == (None, 40, 20)
    moves = {(one["before"], one["after"]): one for one in report["queues"]}
    assert (moves["genel", "iade"]["count"], moves["genel", "genel"]["count"]) == (20, 20)
    assert len(moves["genel", "iade"]["examples"]) == 3
    assert report["boosts"] == {"raised": 0, "lowered": 10, "seconds": -6000}
    assert report["tags"]["added"] == {"return": 20}
    assert report["never_matched"] == ["gold", "broken"]
    assert {one["name"]: one["decided"] for one in report["rules"]} == {"returns": 20, "gold": 0, "broken": 0, "complaints": 10}
    assert (report["errors"][0]["rule"], report["errors"][0]["count"]) == ("broken", 20)
    assert report["not_recorded"] == {"profile.attributes.plan": 40}
    assert {one["queue"]: (one["items_before"], one["items_after"]) for one in answer["waits"]} == {
        "genel": (40, 20),
        "iade": (0, 20),
    }
    example = moves["genel", "iade"]["examples"][0]
    one = await policies.call("POST", "/evaluate", {"document": draft, "message_id": example["message_id"]})
    assert (one["queue"], one["before"]["queue"], one["decision_id"]) == ("iade", "genel", example["decision_id"])
    assert {"what": "queue", "recorded": "genel", "now": "iade"} in one["differences"]
    # In portions it comes to the same.
    seen, cursor = 0, None
    while True:
        part = await policies.call("POST", "/evaluate", {**stretch, "limit": 15, "cursor": cursor})
        seen, cursor = seen + part["report"]["messages"], part["next"]
        if cursor is None:
            break
    assert seen == 40
    assert await counts(worker_db) == before
    assert set(before) == set(TABLES)


async def test_a_message_that_joined_work_is_asked_about_too(policies: Policies, worker_db: Database, workspace: Workspace) -> None:
    line = Line()
    later = message_to(workspace, "smtp", "m2", text="rezalet")
    line.add(message_to(workspace, "smtp", "m1"), later)
    await (await member_of(worker_db)).take(line)
    document = {"rules": [COMPLAINTS], "default_queue": "genel"}
    answer = await policies.call("POST", "/evaluate", {"document": document, "message_id": str(later.id)})
    assert (answer["choice"]["rule"], answer["before"], answer["decision_id"]) == ("complaints", None, None)
    assert (answer["facts"]["message"]["text"], answer["facts"]["profile"]["known"]) == ("rezalet", True)
    assert answer["not_recorded"] == ["profile", "conversation"]


async def test_open_conversations_that_nobody_counted_then_are_those_of_today(
    policies: Policies, worker_db: Database, workspace: Workspace
) -> None:
    line = Line()
    posts = [message_to(workspace, "webchat", f"m{n}", visibility="public", traits={"post": str(n)}) for n in range(3)]
    line.add(*posts)
    await (await member_of(worker_db)).take(line)
    busy = {"name": "busy", "when": {"field": "profile.open_conversations", "op": "at_least", "value": 3}, "queue": "genel"}
    document = {"rules": [busy], "default_queue": "genel"}
    answer = await policies.call("POST", "/evaluate", {"document": document, "message_id": str(posts[0].id)})
    assert (answer["choice"]["rule"], answer["facts"]["profile"]["open_conversations"]) == ("busy", 3)
    assert answer["not_recorded"] == ["profile.open_conversations"]


async def test_the_policy_that_was_active_changes_nothing(policies: Policies, worker_db: Database, workspace: Workspace) -> None:
    await policies.save(COMPLAINTS)
    line = Line()
    line.add(*(message_to(workspace, "smtp", f"m{n}", who=f"p{n}@ornek.com", text="rezalet") for n in range(5)))
    await (await member_of(worker_db)).take(line)
    answer = await policies.call("POST", "/evaluate", {"since": (datetime.now(UTC) - timedelta(hours=1)).isoformat()})
    assert (answer["report"]["messages"], answer["report"]["changed"]) == (5, 0)


async def test_who_asks_of_stored_messages_may_read_them(api: Api, worker_db: Database, workspace: Workspace) -> None:
    line = Line()
    line.add(mail := message_to(workspace, "smtp", "m1", text="rezalet"))
    await (await member_of(worker_db)).take(line)
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    asked: tuple[dict[str, Any], ...] = (
        {"since": since},
        {"message_id": str(mail.id)},
        {"facts": {"message": {"channel": "email"}}},
    )
    statuses = {}
    for scopes in (("config:read",), ("config:read", "conversations:read")):
        headers = await api.key(workspace.id, *scopes)
        answers = [
            await api.client.post(
                "/v1/policies/evaluate",
                json={"document": {"rules": [COMPLAINTS], "default_queue": "genel"}, **one},
                headers=headers,
            )
            for one in asked
        ]
        statuses[scopes[-1]] = [answer.status_code for answer in answers]
    assert statuses == {"config:read": [403, 403, 200], "conversations:read": [200, 200, 200]}


async def test_a_new_version_is_used_by_a_running_router_within_a_second(
    policies: Policies, worker_db: Database, workspace: Workspace
) -> None:
    member = await member_of(worker_db)
    configuration = member.configuration
    hints = Hints(worker_db.url)
    await hints.start()
    following = asyncio.create_task(configuration.follow(hints.waiter("config")))
    try:
        saved = await policies.save({**COMPLAINTS, "when_cel": "true", "when": None})
        async with asyncio.timeout(1):
            await until_version(configuration, workspace, saved["version"])
        line = Line()
        line.add(message_to(workspace, "smtp", "m1"))
        await member.take(line)
        (item,) = await rows(worker_db, "select policy_version from santral.work_item")
        assert item["policy_version"] == saved["version"]
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await hints.stop()


async def until_version(configuration: RouterConfiguration, workspace: Workspace, version: int) -> None:
    while (now := configuration.workspace(workspace.id)) is None or now.policy.version != version:
        await configuration.next_change()
