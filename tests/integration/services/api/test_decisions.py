"""Decisions over REST: why, with names, and every record gives its own answer again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from router.matcher.matcher import Matcher
from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from shared.hints import Hints
from shared.ids import new_id
from shared.leases import Leases
from shared.message import Part
from tests.support.api import Api
from tests.support.intake_line import Line, member_of, message_to, rows
from tests.support.workspaces import Workspace, add_agent, add_item

RULES = [
    {"name": "tags", "when": {"field": "profile.known", "op": "is_true"}, "continue": True, "tags": ["known"], "skills": {"tr": 2}},
    {"name": "errs", "when_cel": "profile.csat > 3", "queue": "genel"},
    {"name": "plan", "when": {"field": "profile.attributes.plan", "op": "is", "value": "gold"}, "queue": "genel"},
    {"name": "busy", "when_cel": 'queue["genel"].waiting > 1000', "queue": "genel"},
    {"name": "made", "when": {"field": "message.contents", "op": "has", "value": "file"}, "continue": True, "tags": ["file"]},
    {"name": "ad", "when_cel": '"ad" in message.contents && message.about == "Yaz"', "continue": True, "boost_s": 60},
    {"name": "files", "when": {"field": "message.attachments", "op": "more", "value": 0}, "queue": "genel", "boost_s": 60},
    {
        "name": "inbox",
        "when_cel": 'message.inbox == "api" && signals.urgency >= 0.6',
        "queue": "genel",
        "class": 0,
        "sla": "fast",
    },
    {"name": "words", "when_cel": 'message.text.matches("(?i)rezalet|iade") || message.language == "en"', "queue": "gone"},
    {"name": "night", "when_cel": "!now.open || now.hour < 6", "queue": "genel", "tags": ["night"]},
]
TEXTS = ["Merhaba", "Bu bir REZALET!!", "iade istiyorum acil", "Hello, where is my order please?", "x" * 20_000, ""]


async def taken_in(db: Database, workspace: Workspace, number: int = 36) -> None:
    """Messages of every kind under a policy that asks for everything."""
    async with db.batch() as connection:
        await connection.execute(
            "update santral.policy set document = $2 where workspace_id = $1",
            workspace.id,
            {"rules": RULES, "default_queue": "genel"},
        )
    line = Line()
    part = Part(blob="b", name="a.pdf", content_type="application/pdf", size_bytes=10)
    for n in range(number):
        provider = ("smtp", "webchat", "api")[n % 3]
        line.add(
            message_to(
                workspace, provider, f"m{n}", who=f"p{n % 20}@ornek.com", text=TEXTS[n % len(TEXTS)], subject="Sipariş" if n % 2 else "",
                parts=(part,) if n % 5 == 0 else (), text_stripped="kısa" if n % 7 == 0 else None, authenticated=n % 4 > 0,
                contents=("photo", "ad") if n % 9 == 8 else (), about="Yaz" if n % 9 == 8 else "",
            )
        )  # fmt: skip
    member = await member_of(db)
    await member.configuration.refresh_figures()
    await member.take(line)


async def checked(api: Api, headers: dict[str, str], **body: Any) -> Any:
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    answer = await api.client.post("/v1/decisions/check", json={"since": since, **body}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_every_routing_record_re_evaluates_to_itself(api: Api, worker_db: Database, workspace: Workspace) -> None:
    await taken_in(worker_db, workspace)
    headers = await api.key(workspace.id)
    # What changes afterwards has no say in it: names, policies, figures.
    async with worker_db.batch() as connection:
        await connection.execute("update santral.inbox set name = name || '-2'")
    document = {"document": {"rules": [], "default_queue": "genel"}}
    assert (await api.client.post("/v1/policies", json=document, headers=headers)).status_code == 201
    answer = await checked(api, headers)
    assert answer["checked"] >= 30
    assert (answer["equal"], answer["items"], answer["next"]) == (answer["checked"], [], None)
    matched = {rule for row in await rows(worker_db, "select record from santral.decision") for rule in row["record"]["matched"]}
    assert {"tags", "made", "ad", "files", "words", "inbox"} <= matched
    # In portions it comes to the same.
    part = await checked(api, headers, limit=7)
    assert (part["checked"], bool(part["next"])) == (7, True)
    rest = await checked(api, headers, cursor=part["next"])
    assert rest["checked"] == answer["checked"] - 7


async def test_a_record_that_is_not_true_is_found(api: Api, worker_db: Database, workspace: Workspace) -> None:
    await taken_in(worker_db, workspace, 6)
    headers = await api.key(workspace.id)
    async with worker_db.batch() as connection:
        one = await connection.fetchval(
            'update santral.decision set record = record || \'{"rule": "night"}\' where id = (select max(id::text)::uuid from santral.decision)'
            " returning id"
        )
    (differing,) = (await checked(api, headers))["items"]
    assert differing["id"] == str(one)
    assert [(found["what"], found["recorded"]) for found in differing["differences"]] == [("rule", "night")]
    again = (await api.client.post(f"/v1/decisions/{one}/re-evaluate", headers=headers)).json()
    assert (again["equal"], again["differences"]) == (False, differing["differences"])


async def test_what_was_erased_is_not_asked_again(api: Api, worker_db: Database, workspace: Workspace) -> None:
    await taken_in(worker_db, workspace, 3)
    async with worker_db.batch() as connection:
        await connection.execute("update santral.receipt set state = 'erased'")
    answer = await checked(api, await api.key(workspace.id))
    assert (answer["checked"], answer["not_possible"]) == (3, 3)


async def test_dispatch_names_whom_it_considered_and_chooses_them_again(
    api: Api, worker_db: Database, workspace: Workspace, database_urls: PostgresUrls
) -> None:
    for name, used in (("Ada", 40), ("Bora", 60)):
        await add_agent(worker_db, workspace, new_id(), name, used=used)
    item = await add_item(worker_db, workspace)
    leases = Leases(worker_db, kind="dispatch", slots=64, owner=uuid4())
    await leases.round()
    matcher = Matcher(db=worker_db, leases=leases, hints=Hints(database_urls.worker, listening=False))
    while await matcher.round():
        pass
    headers = await api.key(workspace.id)
    listed = (await api.client.get(f"/v1/decisions?item_id={item}", headers=headers)).json()["items"]
    (dispatch,) = [one for one in listed if one["kind"] == "dispatch"]
    record = dispatch["record"]
    assert [one["name"] for one in record["candidates"]] == ["Deniz", "Ada", "Bora"]
    assert record["queue"] == "Genel"
    assert {"step", "key", "excluded", "comparator", "policy_version", "profile_version"} <= set(record)
    answer = await checked(api, headers, kind="dispatch")
    assert (answer["checked"], answer["equal"]) == (1, 1)
    mine = await api.agent(workspace.id, workspace.agent_id)
    desk_view = (await api.client.get("/v1/agents/me/desk", headers=mine)).json()
    assert [one["name"] for one in desk_view["offers"][0]["why"]["candidates"]] == ["Deniz", "Ada", "Bora"]
    async with worker_db.batch() as connection:
        await connection.execute(
            "update santral.decision set record = jsonb_set(record, '{candidates,0,score,0}', '9') where kind = 'dispatch'"
        )
    again = (await api.client.post(f"/v1/decisions/{dispatch['id']}/re-evaluate", headers=headers)).json()
    assert not again["equal"]
    assert again["differences"][0]["what"] == "agent_id"


async def test_decisions_are_found_by_message_and_by_conversation(api: Api, worker_db: Database, workspace: Workspace) -> None:
    await taken_in(worker_db, workspace, 2)
    headers = await api.key(workspace.id)
    (first, _) = await rows(worker_db, "select * from santral.decision order by id")
    for query in (
        f"message_id={first['message_id']}",
        f"item_id={first['item_id']}",
        f"conversation_id={first['conversation_id']}",
    ):
        page = (await api.client.get(f"/v1/decisions?{query}", headers=headers)).json()
        assert [one["id"] for one in page["items"]] == [str(first["id"])]
    one = (await api.client.get(f"/v1/decisions/{first['id']}", headers=headers)).json()
    assert one["record"]["policy_version"] == 1
    assert (await api.client.get("/v1/decisions", headers=headers)).status_code == 422
    assert (await api.client.get(f"/v1/decisions?item_id={new_id()}", headers=headers)).status_code == 404
    assert (await api.client.get(f"/v1/decisions/{new_id()}", headers=headers)).status_code == 404
    # Who may not see the conversation may not see why either.
    stranger = await add_agent(worker_db, workspace, new_id(), "Ece")
    async with worker_db.batch() as connection:
        await connection.execute("delete from santral.queue_member where agent_id = $1", stranger)
    hers = await api.agent(workspace.id, stranger)
    for path in (f"?conversation_id={first['conversation_id']}", f"/{first['id']}"):
        assert (await api.client.get(f"/v1/decisions{path}", headers=hers)).status_code == 403
