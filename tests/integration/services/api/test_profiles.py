"""People over REST: identify, merge and back, why, versions; what is refused changes nothing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from profiles.erasure_tombstones import tombstone_hash
from shared.database import Database
from shared.handle import Handle
from shared.ids import new_id
from tests.support.api import SECRET, Api
from tests.support.workspaces import Workspace, make_workspace

Json = dict[str, Any]
CUSTOMER = {"kind": "external_id", "value": "C-1042"}
MAIL = {"kind": "email", "value": "Ayse@Ornek.com"}
PHONE = {"kind": "phone", "value": "0532 123 45 67"}


@pytest.fixture
async def admin(api: Api, workspace: Workspace) -> dict[str, str]:
    return await api.key(workspace.id)


async def identify(api: Api, headers: dict[str, str], *handles: Json, status: int = 200, **rest: Any) -> Json:
    answer = await api.client.post("/v1/profiles/identify", json={"handles": list(handles), **rest}, headers=headers)
    assert answer.status_code == status, answer.text
    found: Json = answer.json()
    return found


async def post(api: Api, headers: dict[str, str], path: str, body: Json, status: int = 200) -> Json:
    answer = await api.client.post(f"/v1/profiles/{path}", json=body, headers=headers)
    assert answer.status_code == status, answer.text
    found: Json = answer.json()
    return found


async def get(api: Api, headers: dict[str, str], path: str, status: int = 200) -> Json:
    answer = await api.client.get(f"/v1/profiles/{path}", headers=headers)
    assert answer.status_code == status, answer.text
    found: Json = answer.json()
    return found


async def counts(db: Database, workspace: Workspace) -> list[int]:
    """How many rows every table about people has: an error leaves them as they were."""
    tables = ("handle", "profile", "link", "cannot_link", "fact", "profile_change", "event", "outbox", "audit")
    async with db.batch() as connection:
        return [
            await connection.fetchval(f"select count(*) from santral.{table} where workspace_id = $1", workspace.id)
            for table in tables
        ]


async def test_identify_is_one_customer_and_the_same_call_twice_changes_nothing(
    api: Api, admin: dict[str, str], worker_db: Database, workspace: Workspace
) -> None:
    body: Json = {"name": "Ayşe Yılmaz", "traits": {"city": "İzmir", "tier": "gold"}, "source": "crm"}
    first = await identify(api, admin, CUSTOMER, MAIL, PHONE, **body)
    assert (first["created"], first["changed"], first["version"]) == (True, True, 1)
    assert [(one["value"], one["attached"]) for one in first["handles"]] == [
        ("C-1042", True), ("ayse@ornek.com", True), ("+905321234567", True),
    ]  # fmt: skip
    before = await counts(worker_db, workspace)
    again = await identify(api, admin, CUSTOMER, MAIL, PHONE, **body)
    assert again == {**first, "created": False, "changed": False}
    assert await counts(worker_db, workspace) == before
    view = await get(api, admin, first["profile_id"])
    assert (view["name"], view["attributes"]["tier"]["value"]) == ("Ayşe Yılmaz", "gold")
    assert view["attributes"]["city"]["source"] == "identify:crm"
    assert view["attributes"]["city"]["assurance"] == "authenticated"
    async with worker_db.batch() as connection:
        events = await connection.fetch(
            "select type, data::text as data from santral.event where workspace_id = $1 and profile_id is not null", workspace.id
        )
    assert [row["type"] for row in events] == ["profile.created"]
    assert "İzmir" not in events[0]["data"]
    assert "ayse" not in events[0]["data"]


async def test_identify_grows_a_known_person_and_says_what_changed(api: Api, admin: dict[str, str]) -> None:
    first = await identify(api, admin, MAIL, traits={"city": "İzmir"}, source="crm")
    second = await identify(api, admin, CUSTOMER, MAIL, traits={"city": "Ankara"}, source="crm")
    assert (second["profile_id"], second["created"], second["version"]) == (first["profile_id"], False, 2)
    third = await identify(api, admin, CUSTOMER, traits={"city": None}, source="crm")
    assert third["version"] == 3
    view = await get(api, admin, first["profile_id"])
    assert view["attributes"]["city"]["value"] == "İzmir"  # said of the mail address, before the customer id was known
    page = await get(api, admin, f"{first['profile_id']}/versions")
    assert [row["version"] for row in page["items"]] == [3, 2]
    assert page["items"][1]["what"]["types"] == ["profile.changed"]
    assert page["items"][1]["cause"]["source"] == "identify:crm"
    assert page["items"][1]["what"]["attributes"] == ["city"]
    assert (await get(api, admin, f"{first['profile_id']}/versions?limit=1"))["next"] is not None


@pytest.mark.parametrize(
    ("handles", "field", "status"),
    [
        ([{"kind": "external_id", "value": "null"}], "handles.0.value", 422),
        ([CUSTOMER, {"kind": "email", "value": "noreply@ornek.com"}], "handles.1.value", 422),
        ([CUSTOMER, {"kind": "email", "value": "destek@ornek.com"}], "handles.1.value", 422),  # the workspace's own inbox
        ([CUSTOMER, {"kind": "email", "value": "yok"}], "handles.1.value", 422),
        ([CUSTOMER, {"kind": "fax", "value": "1"}], "handles.1.kind", 422),
        ([CUSTOMER, {"kind": "external_id", "value": "C-2"}], "handles.1.value", 422),
        ([{"kind": "email", "value": f"a{n}@ornek.com"} for n in range(6)], "handles.5.value", 409),
        ([{"kind": "email", "value": f"a{n}@ornek.com"} for n in range(21)], "body.handles", 422),
        ([], "body.handles", 422),
    ],
)  # fmt: skip
async def test_what_cannot_be_one_person_is_refused_whole(
    api: Api, admin: dict[str, str], worker_db: Database, workspace: Workspace, handles: list[Json], field: str, status: int
) -> None:
    before = await counts(worker_db, workspace)
    problem = await identify(api, admin, *handles, status=status, traits={"city": "x"})
    assert problem["field"] == field
    assert problem["remedy"]
    assert await counts(worker_db, workspace) == before


async def test_a_million_handles_are_too_much(api: Api, admin: dict[str, str]) -> None:
    problem = await identify(api, admin, *([MAIL] * 100_000), status=413)
    assert problem["title"]


async def test_a_handle_of_another_customer_is_a_conflict_and_changes_nothing(
    api: Api, admin: dict[str, str], worker_db: Database, workspace: Workspace
) -> None:
    await identify(api, admin, CUSTOMER, MAIL)
    renamed = await identify(api, admin, CUSTOMER, MAIL, name="Ayşe Demir")
    assert (renamed["changed"], renamed["version"]) == (True, 2)
    assert (await get(api, admin, renamed["profile_id"]))["name"] == "Ayşe Demir"
    before = await counts(worker_db, workspace)
    problem = await identify(api, admin, {"kind": "external_id", "value": "C-2"}, MAIL, status=409, traits={"city": "x"})
    assert problem["field"] == "handles.1.value"
    assert "customer id" in problem["detail"]
    assert await counts(worker_db, workspace) == before


@pytest.mark.parametrize(
    ("traits", "field"),
    [
        ({"quiet_hours": "late"}, "traits.quiet_hours"),
        ({"time_zone": "Mars/Olympus"}, "traits.time_zone"),
        ({"language": 5}, "traits.language"),
        ({"city": "x" * 10_001}, "traits.city"),
    ],
)
async def test_a_trait_that_nobody_could_follow_is_named(api: Api, admin: dict[str, str], traits: Json, field: str) -> None:
    assert (await identify(api, admin, MAIL, status=422, traits=traits))["field"] == field


async def test_a_key_vouches_for_no_more_than_its_scopes(api: Api, admin: dict[str, str], workspace: Workspace) -> None:
    weak = await api.key(workspace.id, "profiles:identify")
    usual = await api.key(workspace.id, "profiles:identify", "profiles:write")
    assert (await identify(api, weak, MAIL, status=403, assurance="channel_verified"))["field"] == "assurance"
    known = await identify(api, usual, MAIL, CUSTOMER, traits={"city": "İzmir"}, name="Ayşe")
    before = await get(api, admin, known["profile_id"])
    # A claim joins nobody, renames nobody and tells nothing about a person who is vouched for.
    claimed = await identify(api, weak, {"kind": "visitor", "value": "v1"}, MAIL, name="Sahte")
    assert [(one["attached"], one["reason"]) for one in claimed["handles"]] == [(True, ""), (False, "not_verified")]
    assert claimed["profile_id"] != known["profile_id"]
    assert (await identify(api, weak, MAIL, status=422, traits={"city": "Ankara"}))["field"] == "traits"
    assert await get(api, admin, known["profile_id"]) == before
    await identify(api, await api.key(workspace.id, "profiles:write"), MAIL, status=403)


async def test_a_merge_and_its_undoing_give_everything_back(api: Api, admin: dict[str, str], workspace: Workspace) -> None:
    one = await identify(api, admin, MAIL, traits={"city": "İzmir"}, name="Ayşe")
    other = await identify(api, admin, PHONE, traits={"plan": "b"}, name="A. Yılmaz")
    ids = [one["profile_id"], other["profile_id"]]
    before = [await get(api, admin, one_id) for one_id in ids]
    merged = await post(api, admin, f"{ids[1]}/merge", {"with": ids[0], "reason": "same voice"})
    assert (merged["changed"], merged["profile_id"], merged["version"]) == (True, ids[0], 2)
    for any_id in ids:
        view = await get(api, admin, any_id)
        assert (view["id"], view["asked_id"], set(view["attributes"])) == (ids[0], any_id, {"city", "plan"})
    assert (await post(api, admin, f"{ids[0]}/merge", {"with": ids[1]}))["changed"] is False
    links = (await get(api, admin, f"{ids[1]}/links"))["items"]
    assert [(link["id"], link["kind"], link["evidence"]) for link in links] == [
        (merged["link_id"], "agent", {"reason": "same voice"})
    ]
    kinds = [entry["kind"] for entry in (await get(api, admin, f"{ids[0]}/timeline"))["items"]]
    assert set(kinds) == {"merged", "linked", "handle_seen"}
    undone = await post(api, admin, f"{ids[0]}/unmerge", {"link": merged["link_id"]})
    assert undone["apart"] is True
    assert undone == await post(api, admin, f"{ids[1]}/unmerge", {"link": merged["link_id"]})
    for was in before:
        view = await get(api, admin, was["id"])
        for gone in ("version", "changed_at"):
            assert view.pop(gone) != was.pop(gone)
        assert view == was
    versions = (await get(api, admin, f"{ids[1]}/versions"))["items"]
    assert [row["what"].get("types", [row["what"].get("into")]) for row in versions] == [["profile.unmerged"], [ids[0]]]
    assert versions[0]["cause"]["retracted"] == merged["link_id"]
    # Merged again, it is a merge of its own.
    assert (await post(api, admin, f"{ids[0]}/merge", {"with": ids[1]}))["changed"] is True


async def test_what_cannot_be_merged_names_the_field(
    api: Api, admin: dict[str, str], worker_db: Database, workspace: Workspace
) -> None:
    one = (await identify(api, admin, MAIL, CUSTOMER))["profile_id"]
    other = (await identify(api, admin, PHONE, {"kind": "external_id", "value": "C-2"}))["profile_id"]
    elsewhere = await make_workspace(worker_db, name="other")
    theirs = (await identify(api, await api.key(elsewhere.id), MAIL))["profile_id"]
    before = await counts(worker_db, workspace)
    for wanted, status, field in ((one, 400, "with"), (theirs, 404, "with"), (str(new_id()), 404, "with"), (other, 409, "with")):
        problem = await post(api, admin, f"{one}/merge", {"with": wanted}, status)
        assert problem["field"] == field, problem
    assert (await post(api, admin, f"{one}/unmerge", {}, 422))["field"] == "link"
    assert (await post(api, admin, f"{one}/unmerge", {"link": str(new_id())}, 404))["field"] == "link"
    assert (await post(api, admin, f"{one}/unmerge", {"handles": [one, theirs]}, 404))["field"] == "handles"
    assert await counts(worker_db, workspace) == before


async def test_people_said_to_be_two_stay_two_until_that_is_overruled(api: Api, admin: dict[str, str]) -> None:
    made = await identify(api, admin, MAIL, PHONE)
    mail, phone = (one["id"] for one in made["handles"])
    undone = await post(api, admin, f"{made['profile_id']}/unmerge", {"handles": [mail, phone], "reason": "sisters"})
    assert undone["apart"] is True
    problem = await identify(api, admin, MAIL, PHONE, {"kind": "wa_id", "value": "905321234567"}, status=409)
    assert "two people" in problem["detail"]
    assert (await post(api, admin, f"{mail}/merge", {"with": phone}, 409))["field"] == "with"
    why = await get(api, admin, f"explain?a={mail}&b={phone}")
    assert why["together"] is False
    assert why["kept_apart"][0]["reason"] == "sisters"
    assert [refused["rule"] for refused in why["refused"]] == ["cannot_link"]
    assert (await post(api, admin, f"{mail}/merge", {"with": phone, "overrule": True}))["changed"] is True


async def test_explain_walks_from_one_handle_to_the_other(api: Api, admin: dict[str, str]) -> None:
    made = await identify(api, admin, MAIL, CUSTOMER, PHONE, source="crm")
    customer, mail, phone = (
        one["id"] for one in sorted(made["handles"], key=lambda one: ["external_id", "email", "phone"].index(one["kind"]))
    )
    why = await post(api, admin, "explain", {"handles": [MAIL, PHONE]})
    assert why["together"] is True
    assert [(step["from_handle"], step["to_handle"]) for step in why["path"]] == [(mail, customer), (customer, phone)]
    assert {step["link"]["source"] for step in why["path"]} == {"identify:crm:authenticated"}
    assert why == await get(api, admin, f"explain?a={mail}&b={phone}")
    assert (await get(api, admin, f"explain?a={mail}&b={mail}"))["path"] == []
    assert (await post(api, admin, "explain", {"handles": [MAIL, {"kind": "email", "value": "b@b.co"}]}, 404))[
        "field"
    ] == "handles.1"
    assert (await get(api, admin, f"explain?a={new_id()}&b={mail}", 404))["field"] == "a"


async def test_an_agent_merges_only_whom_they_may_see(api: Api, admin: dict[str, str], workspace: Workspace) -> None:
    one = (await identify(api, admin, MAIL))["profile_id"]
    other = (await identify(api, admin, PHONE))["profile_id"]
    agent = await api.agent(workspace.id, workspace.agent_id)
    assert (await post(api, agent, f"{one}/merge", {"with": other}, 403))["field"] == "profile_id"
    assert (await post(api, agent, f"{UUID(one)}/notes", {"text": "x"}, 403))["field"] == "profile_id"
    assert (await get(api, agent, f"explain?a={one}&b={other}", 403))["field"] == "a"


async def test_a_handle_said_to_be_nobodys_joins_nobody(api: Api, admin: dict[str, str]) -> None:
    made = await identify(api, admin, CUSTOMER, PHONE, MAIL)
    phone = made["handles"][1]["id"]
    alone = await post(api, admin, f"{made['profile_id']}/shared", {"handle": phone})
    assert (alone["id"], alone["handles"][0]["shared_by"]) == (phone, "agent")
    assert len((await get(api, admin, made["profile_id"]))["handles"]) == 2
    again = await identify(api, admin, {"kind": "external_id", "value": "C-2"}, PHONE)
    assert [(one["attached"], one["reason"]) for one in again["handles"]] == [(True, ""), (False, "shared")]
    assert (await post(api, admin, f"{made['profile_id']}/merge", {"with": phone}, 409))["field"] == "with"
    assert (await post(api, admin, f"{made['profile_id']}/shared", {"handle": phone}, 404))["field"] == "handle"
    back = await post(api, admin, f"{phone}/shared", {"handle": phone, "shared": False})
    assert back["id"] == made["profile_id"]  # the older evidence counts again


async def test_nothing_is_written_about_somebody_erased(
    api: Api, admin: dict[str, str], worker_db: Database, workspace: Workspace
) -> None:
    gone, one = (await identify(api, admin, MAIL))["profile_id"], (await identify(api, admin, PHONE))["profile_id"]
    async with worker_db.batch() as connection:  # as an erasure leaves the row
        await connection.execute(
            "update santral.handle set kind = 'erased', value = id::text, raw = '', shared = true, shared_by = 'erased' where id = $1",
            UUID(gone),
        )
    before = await counts(worker_db, workspace)
    consent = {"purpose": "survey", "channel": "email", "granted": True, "source": "form"}
    for path, body, field in (
        (f"{one}/merge", {"with": gone}, "with"),
        (f"{gone}/merge", {"with": one}, "profile_id"),
        (f"{gone}/notes", {"text": "x"}, "profile_id"),
        (f"{gone}/attributes", {"values": {"city": "x"}}, "profile_id"),
        (f"{gone}/consents", consent, "profile_id"),
    ):
        problem = await post(api, admin, path, body, 409)
        assert (problem["detail"], problem["field"]) == ("this person was erased", field)
    assert await counts(worker_db, workspace) == before
    assert (await identify(api, admin, MAIL))["profile_id"] not in (gone, one)


async def test_what_was_observed_before_an_erasure_brings_nobody_back(
    api: Api, admin: dict[str, str], workspace: Workspace
) -> None:
    observed = "2026-01-01T00:00:00Z"
    gone = (await identify(api, admin, MAIL, observed_at=observed))["profile_id"]
    handle = Handle(kind="email", value="ayse@ornek.com")
    async with api.worker.batch() as connection:
        await connection.execute(
            "insert into santral.tombstone (workspace_id, handle_id, erasure_id, hash, erased_at) values ($1, $2, $2, $3, now())",
            workspace.id, UUID(gone), tombstone_hash(SECRET, workspace.id, handle),
        )  # fmt: skip
        await connection.execute(
            "update santral.handle set kind = 'erased', value = id::text, shared = true, shared_by = 'erased' where id = $1",
            UUID(gone),
        )
    problem = await identify(api, admin, PHONE, MAIL, observed_at=observed, status=422)
    assert (problem["field"], "erased" in problem["detail"]) == ("handles.1.value", True)
    assert (await identify(api, admin, PHONE, MAIL))["profile_id"] != gone
