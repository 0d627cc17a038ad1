"""A person over REST: found by what was typed, consent and contact, notes, values by hand, one history; roles see their own."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.database import Database
from shared.ids import new_id
from tests.support.api import Api
from tests.support.workspaces import Workspace, add_item, make_workspace

Json = dict[str, Any]
MAIL = {"kind": "email", "value": "ayse@ornek.com"}
PHONE = {"kind": "phone", "value": "+905321234567"}


@pytest.fixture
async def admin(api: Api, workspace: Workspace) -> dict[str, str]:
    return await api.key(workspace.id)


async def call(api: Api, headers: dict[str, str], method: str, path: str, body: Json | None = None, status: int = 200) -> Json:
    answer = await api.client.request(method, path, json=body, headers=headers)
    assert answer.status_code == status, answer.text
    found: Json = answer.json()
    return found


async def person(api: Api, headers: dict[str, str], handle: Json, **rest: Any) -> str:
    made = await call(api, headers, "POST", "/v1/profiles/identify", {"handles": [handle], **rest})
    return str(made["profile_id"])


async def found(api: Api, headers: dict[str, str], text: str = "", **rest: Any) -> list[str]:
    page = await call(api, headers, "POST", "/v1/profiles/search", {"text": text, **rest})
    return [row["id"] for row in page["items"]]


async def test_people_are_found_by_name_handle_attribute_and_note(
    api: Api, admin: dict[str, str], worker_db: Database, workspace: Workspace
) -> None:
    ayse = await person(api, admin, MAIL, name="Ayşe IŞIK", traits={"city": "Karşıyaka İzmir"})
    ismail = await person(api, admin, PHONE, name="İSMAİL Çağrı", traits={"city": "Ankara", "tags": ["toptan"]})
    elsewhere = await make_workspace(worker_db, name="other")
    theirs = await api.key(elsewhere.id)
    other = await person(api, theirs, MAIL, name="Ayşe Işık")
    for text in ("ayşe", "AYSE isik", "ışık", "ISIK", "ayse@ornek.com", "ornek", "karsiyaka", "Ayşe'yi"):
        assert await found(api, admin, text) == [ayse], text
        assert await found(api, theirs, text) == ([other] if text != "karsiyaka" else [])
    for text in ("ismail", "ISMAIL", "İsmail çağrı", "0532 123", "1234567", "toptan"):
        assert await found(api, admin, text) == [ismail], text
    assert await found(api, admin, attributes={"city": "ANKARA"}) == [ismail]
    assert await found(api, admin, "ismail", attributes={"city": "İzmir"}) == []
    await call(api, admin, "POST", f"/v1/profiles/{ayse}/notes", {"text": "Siparişlerini hep kapıda ödüyor."}, 201)
    assert await found(api, admin, "sipariş") == [ayse]  # the word's stem, as Turkish bends it
    assert (await call(api, admin, "POST", "/v1/profiles/search", {"text": " - "}, 422))["field"] == "text"
    await call(api, admin, "POST", f"/v1/profiles/{ayse}/merge", {"with": ismail})
    assert await found(api, admin, "ayşe toptan") == [ayse]


async def test_a_search_goes_on_by_cursor(api: Api, admin: dict[str, str]) -> None:
    made = {await person(api, admin, {"kind": "email", "value": f"k{n}@ornek.com"}, name=f"Kaya {n}") for n in range(5)}
    seen: list[str] = []
    cursor = None
    while True:
        page = await call(api, admin, "POST", "/v1/profiles/search", {"text": "kaya", "limit": 2, "cursor": cursor})
        seen += [row["id"] for row in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == 5
    assert set(seen) == made
    assert (await call(api, admin, "POST", "/v1/profiles/search", {"text": "kaya", "cursor": "x"}, 422))["field"] == "cursor"


async def test_an_agent_finds_only_whom_they_may_see(
    api: Api, admin: dict[str, str], worker_db: Database, workspace: Workspace
) -> None:
    agent = await api.agent(workspace.id, workspace.agent_id)
    hidden = await person(api, admin, MAIL, name="Kaya Gizli")
    item = await add_item(worker_db, workspace)
    async with worker_db.batch() as connection:
        handle = await connection.fetchval(
            "select c.handle_id from santral.work_item i join santral.conversation c on c.id = i.conversation_id where i.id = $1",
            item,
        )
        await connection.execute("update santral.handle set name = 'Kaya Görünen' where id = $1", handle)
        value = await connection.fetchval("select value from santral.handle where id = $1", handle)
    await person(api, admin, {"kind": "visitor", "value": value}, name="Kaya Görünen")
    assert sorted(await found(api, admin, "kaya")) == sorted([hidden, str(handle)])
    assert await found(api, agent, "kaya") == [str(handle)]
    await call(api, agent, "GET", f"/v1/profiles/{hidden}/consents?purpose=service&channel=email", status=403)


async def test_consent_narrows_on_a_merge_and_returns_with_its_undoing(api: Api, admin: dict[str, str]) -> None:
    one, other = await person(api, admin, MAIL), await person(api, admin, PHONE)
    said = {"purpose": "marketing", "channel": "email", "source": "form"}
    earlier = (datetime.now(UTC) - timedelta(days=9)).isoformat()
    yes = await call(api, admin, "POST", f"/v1/profiles/{one}/consents", {**said, "granted": True, "stated_at": earlier}, 201)
    assert yes["effective"]["granted"] is True
    carried = {**said, "granted": False, "explicit": False, "source": "import:1"}
    await call(api, admin, "POST", f"/v1/profiles/{other}/consents", carried, 201)
    may = f"/v1/profiles/{one}/may-contact?purpose=marketing&channel=email"
    assert (await call(api, admin, "GET", may))["allowed"] is True
    merged = await call(api, admin, "POST", f"/v1/profiles/{one}/merge", {"with": other})
    assert (await call(api, admin, "GET", may))["reason"] == "consent_denied"
    await call(api, admin, "POST", f"/v1/profiles/{one}/consents", {**said, "granted": True}, 201)
    assert (await call(api, admin, "GET", may))["allowed"] is True
    await call(api, admin, "POST", f"/v1/profiles/{one}/unmerge", {"link": merged["link_id"]})
    page = await call(api, admin, "GET", f"/v1/profiles/{other}/consents?purpose=marketing&channel=email")
    assert (page["effective"]["granted"], [row["source"] for row in page["items"]]) == (False, ["import:1"])
    assert len((await call(api, admin, "GET", f"/v1/profiles/{one}/consents?purpose=marketing&channel=email"))["items"]) == 2
    # Every read names its purpose.
    assert (await call(api, admin, "GET", f"/v1/profiles/{one}/consents?channel=email", status=422))["field"] == "query.purpose"


async def test_a_statement_that_cannot_be_names_the_field(api: Api, admin: dict[str, str]) -> None:
    one, other = await person(api, admin, MAIL), await person(api, admin, PHONE)
    said = {"purpose": "marketing", "channel": "email", "granted": True, "source": "form"}
    soon, past = (datetime.now(UTC) + timedelta(days=1)).isoformat(), (datetime.now(UTC) - timedelta(days=1)).isoformat()
    for wrong, status, field in (
        ({"stated_at": soon}, 400, "stated_at"),
        ({"expires_at": past}, 400, "expires_at"),
        ({"stated_at": "2026-01-01T00:00:00"}, 422, "body.stated_at"),
        ({"handle_id": other}, 422, "handle_id"),
        ({"purpose": "A b"}, 422, "body.purpose"),
    ):
        problem = await call(api, admin, "POST", f"/v1/profiles/{one}/consents", {**said, **wrong}, status)
        assert problem["field"] == field
    assert (await call(api, admin, "GET", f"/v1/profiles/{one}"))["version"] == 1


async def test_values_by_hand_are_kept_beside_those_of_other_systems(api: Api, admin: dict[str, str], workspace: Workspace) -> None:
    known = await call(api, admin, "GET", "/v1/workspace")
    settings = known["settings"] | {"profile": {"attributes": {"city": {"strategy": "trusted_source", "sources": ["crm", "key"]}}}}
    await call(api, admin, "PUT", "/v1/workspace", {"title": known["title"], "settings": settings})
    one = await person(api, admin, MAIL, traits={"city": "İzmir"}, source="shop")
    shown = await call(api, admin, "POST", f"/v1/profiles/{one}/attributes", {"values": {"city": "Bursa", "language": "tr"}})
    assert (shown["attributes"]["city"]["value"], shown["attributes"]["city"]["source"][:4]) == ("Bursa", "key:")
    await person(api, admin, MAIL, traits={"city": "Ankara"}, source="crm")
    view = await call(api, admin, "GET", f"/v1/profiles/{one}")
    assert (view["attributes"]["city"]["value"], view["version"]) == ("Ankara", 3)
    wrong = {"profile": {"attributes": {"city": {"strategy": "dice"}}}}
    problem = await call(api, admin, "PUT", "/v1/workspace", {"settings": wrong}, 422)
    assert problem["field"] == "body.settings.profile.attributes.city.strategy"
    assert (await call(api, admin, "POST", f"/v1/profiles/{one}/attributes", {"values": {"quiet_hours": "x"}}, 422))["field"] == (
        "values.quiet_hours"
    )


async def test_one_history_over_every_kind_of_contact(
    api: Api, admin: dict[str, str], worker_db: Database, workspace: Workspace
) -> None:
    one, other = await person(api, admin, MAIL), await person(api, admin, PHONE)
    conversations = []
    async with worker_db.batch() as connection:
        for place, (handle, kind) in enumerate(((one, "text"), (other, "call"), (other, "missed_call"))):
            conversation, at = new_id(), datetime(2026, 1, 1 + place, tzinfo=UTC)
            conversations.append(str(conversation))
            await connection.execute(
                "insert into santral.conversation (workspace_id, id, handle_id, inbox_id, last_inbox_id, last_handle_id, channel, opened_at)"
                " values ($1, $2, $3, $4, $4, $3, 'phone', $5)",
                workspace.id, conversation, UUID(handle), workspace.inboxes["asterisk"], at,
            )  # fmt: skip
            await connection.execute(
                "insert into santral.message (workspace_id, conversation_id, seq, id, direction, kind, channel, provider, inbox_id, handle_id,"
                " visibility, external_id, accepted_at) values ($1, $2, 1, $3, 'in', $4, 'phone', 'asterisk', $5, $6, 'private', $7, $8)",
                workspace.id, conversation, new_id(), kind, workspace.inboxes["asterisk"], UUID(handle), kind, at + timedelta(hours=1),
            )  # fmt: skip
    note = await call(api, admin, "POST", f"/v1/profiles/{other}/notes", {"text": "öğleden sonra"}, 201)
    consent = {"purpose": "survey", "channel": "phone", "granted": False, "source": "call"}
    await call(api, admin, "POST", f"/v1/profiles/{one}/consents", consent, 201)
    merged = await call(api, admin, "POST", f"/v1/profiles/{one}/merge", {"with": other})
    whole = await call(api, admin, "GET", f"/v1/profiles/{other}/timeline?limit=200")
    kinds = [entry["kind"] for entry in whole["items"]]
    assert sorted(kinds) == sorted(
        ["merged", "linked", "consent", "note", "handle_seen", "handle_seen", "conversation", "conversation", "conversation", "call", "call"]
    )  # fmt: skip
    assert [entry["at"] for entry in whole["items"]] == sorted((entry["at"] for entry in whole["items"]), reverse=True)
    assert [row["id"] for row in whole["conversations"]] == conversations[::-1]
    assert kinds[-5:] == ["call", "conversation", "call", "conversation", "conversation"]
    assert {"öğleden sonra"} == {entry["data"]["text"] for entry in whole["items"] if entry["kind"] == "note"}
    paged: list[Json] = []
    cursor = ""
    while True:
        page = await call(api, admin, "GET", f"/v1/profiles/{one}/timeline?limit=3{cursor}")
        assert len(page["items"]) <= 3
        paged += page["items"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert paged == whole["items"]
    some = await call(api, admin, "GET", f"/v1/profiles/{one}/timeline?kind=note&kind=call&limit=2")
    rest = await call(api, admin, "GET", f"/v1/profiles/{one}/timeline?kind=note&kind=call&cursor={some['next']}")
    assert [*some["items"], *rest["items"]] == [entry for entry in whole["items"] if entry["kind"] in ("note", "call")]
    assert (await api.client.get(f"/v1/profiles/{one}/timeline?kind=visit", headers=admin)).status_code == 422
    reader = await api.key(workspace.id, "profiles:read")
    without = await call(api, reader, "GET", f"/v1/profiles/{one}/timeline?limit=200")
    assert without["items"] == [entry for entry in whole["items"] if entry["kind"] not in ("conversation", "call")]
    assert without["conversations"] == []
    for kind, status in (("note", 200), ("call", 403), ("conversation", 403)):
        assert (await api.client.get(f"/v1/profiles/{one}/timeline?kind={kind}", headers=reader)).status_code == status
    # The un-merge gives each their own back: conversations, calls, notes, consent.
    await call(api, admin, "POST", f"/v1/profiles/{one}/unmerge", {"link": merged["link_id"]})
    theirs = [await call(api, admin, "GET", f"/v1/profiles/{any_id}/timeline") for any_id in (one, other)]
    assert [[row["id"] for row in history["conversations"]] for history in theirs] == [conversations[:1], conversations[:0:-1]]
    assert note["id"] not in str(theirs[0])
    assert note["id"] in str(theirs[1])
    assert "unmerged" in [entry["kind"] for entry in theirs[1]["items"]]


async def test_two_that_identify_one_customer_at_once_are_one_person(api: Api, admin: dict[str, str]) -> None:
    handles = [[MAIL, PHONE], [PHONE, {"kind": "external_id", "value": "c1"}], [MAIL, {"kind": "external_id", "value": "c1"}]]
    bodies = [{"handles": handles[n % 3], "traits": {"n": n}, "source": f"s{n}"} for n in range(9)]
    answers = await asyncio.gather(*(call(api, admin, "POST", "/v1/profiles/identify", body) for body in bodies))
    last = await call(api, admin, "POST", "/v1/profiles/lookup", {"handles": [MAIL, PHONE, {"kind": "external_id", "value": "c1"}]})
    assert len({one["profile_id"] for one in last["items"]}) == 1
    assert len(answers) == 9


async def test_who_is_identified_without_a_name_keeps_theirs(api: Api, admin: dict[str, str], workspace: Workspace) -> None:
    one = await person(api, await api.key(workspace.id, "profiles:identify"), MAIL, name="Ali Veli")
    await person(api, admin, MAIL, traits={"city": "Bursa"}, assurance="authenticated")
    assert (await call(api, admin, "GET", f"/v1/profiles/{one}"))["name"] == "Ali Veli"


async def test_why_two_are_one_is_not_told_of_whom_one_does_not_see(
    api: Api, admin: dict[str, str], workspace: Workspace, worker_db: Database
) -> None:
    """A hidden customer and nobody are answered the same."""
    await person(api, admin, MAIL)
    await person(api, admin, PHONE)
    agent = await api.agent(workspace.id, workspace.agent_id)
    nobody = {"kind": "email", "value": "nobody@ornek.com"}
    answers = [await call(api, agent, "POST", "/v1/profiles/explain", {"handles": [one, PHONE]}, 404) for one in (MAIL, nobody)]
    assert {one.pop("request_id") is None for one in answers} == {False}
    assert answers[0] == answers[1]
    assert (await call(api, admin, "POST", "/v1/profiles/explain", {"handles": [MAIL, PHONE]}))["together"] is False


async def test_nobody_is_joined_to_who_is_to_be_erased(api: Api, admin: dict[str, str]) -> None:
    gone, other = await person(api, admin, MAIL), await person(api, admin, PHONE)
    asked = await call(api, admin, "POST", f"/v1/profiles/{gone}/erase", {"reason": "law", "confirm": gone}, 202)
    for one, with_ in ((gone, other), (other, gone)):
        refused = await call(api, admin, "POST", f"/v1/profiles/{one}/merge", {"with": with_}, 409)
        assert (refused["field"], asked["id"] in refused["remedy"]) == ("with", True)
    refused = await call(api, admin, "POST", "/v1/profiles/identify", {"handles": [PHONE, MAIL]}, 409)
    assert (refused["field"], asked["id"] in refused["remedy"]) == ("handles.1.value", True)
    refused = await call(
        api, admin, "POST", "/v1/profiles/identify", {"handles": [MAIL, {"kind": "email", "value": "yeni@ornek.com"}]}, 409
    )
    assert refused["field"] == "handles.0.value"
    alone = await call(api, admin, "POST", "/v1/profiles/identify", {"handles": [MAIL]})
    assert alone["profile_id"] == gone, "who is joined to nobody is still known"


async def test_nobody_says_of_whom_they_do_not_see_that_they_are_two(
    api: Api, admin: dict[str, str], workspace: Workspace, worker_db: Database
) -> None:
    hidden, item = await person(api, admin, MAIL), await add_item(worker_db, workspace)
    async with worker_db.batch() as connection:
        seen = await connection.fetchval(
            "select c.handle_id from santral.work_item i join santral.conversation c on c.id = i.conversation_id where i.id = $1",
            item,
        )
    agent = await api.agent(workspace.id, workspace.agent_id)
    refused = await call(api, agent, "POST", f"/v1/profiles/{seen}/unmerge", {"handles": [str(seen), hidden]}, 403)
    assert refused["field"] == "handles"
    async with worker_db.batch() as connection:
        assert await connection.fetchval("select count(*) from santral.cannot_link") == 0


async def test_a_key_of_a_call_is_its_callers_own(api: Api, workspace: Workspace) -> None:
    """Two systems may both count 1, 2, 3, and none can take another operation's."""
    first, second = [await api.key(workspace.id, "messages:write") for _ in range(2)]
    body = {"inbox": "api", "from": {"kind": "email", "value": "ali@ornek.com"}, "text": "Merhaba"}
    for headers, name in ((first, "a"), (second, "b")):
        answer = await api.client.post(
            "/v1/messages", json={**body, "external_id": name}, headers=headers | {"idempotency-key": "1"}
        )
        assert answer.status_code == 202, answer.text
    again = await api.client.post("/v1/messages", json={**body, "external_id": "c"}, headers=first | {"idempotency-key": "1"})
    assert (again.status_code, again.json()["field"]) == (422, "Idempotency-Key")
