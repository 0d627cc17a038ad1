"""Legal holds: placed, listed, lifted, ended by their date; erasure waits for them, redaction and discarding are refused, the rest goes on."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from profiles.forgetting import forget
from profiles.merge import merge
from services.privacy.erasures import Erasures
from services.privacy.held import lock_holds
from services.privacy.person_export import PersonExports
from shared.errors import Conflict, Held
from shared.ids import WorkspaceId, new_id
from tests.support.api import Api
from tests.support.intake_line import SECRET, rows
from tests.support.office import FREE, HELD, Office, office_of, through_quarantine
from tests.support.waiting import eventually
from tests.support.workspaces import Workspace, make_workspace

WORD = "dava 2026/118, ayse@ornek.com"


@pytest.fixture
async def office(api: Api, workspace: Workspace) -> Office:
    return await office_of(api, workspace)


async def picture(office: Office) -> dict[str, list[str]]:
    """Every row that an erasure or a redaction could change, whole, and the files."""
    tables = ("handle", "profile", "link", "fact", "note", "conversation", "message", "receipt", "thread_ref", "decision", "work_item",
              "delivery", "tombstone", "blob_removal", "quarantine", "consent")  # fmt: skip
    found = {
        name: [row["x"] for row in await rows(office.api.worker, f"select to_jsonb(x)::text as x from santral.{name} x order by 1")]
        for name in tables
    }
    return found | {"files": sorted(await office.api.app.state.blobs.keys(f"{office.workspace.id}/"))}


async def audited(office: Office, action: str) -> list[dict[str, Any]]:
    return await rows(office.api.worker, "select target_id, details from santral.audit where action = $1 order by id", action)


async def test_a_hold_is_placed_read_listed_and_lifted_and_each_is_audited_once(office: Office) -> None:
    profile, conversation = await office.profile(HELD), await office.conversation(HELD)
    body = {"kind": "person", "subject_id": str(profile), "reason": WORD}
    placed = await office.call("POST", "/v1/holds", body, 201)
    assert (placed["kind"], placed["subject_id"], placed["reason"], placed["in_force"]) == ("person", str(profile), WORD, True)
    assert (placed["until"], placed["lifted_at"], placed["lifted_by"]) == (None, None, None)
    assert placed["placed_by"].startswith("key:")
    assert await office.call("GET", f"/v1/holds/{placed['id']}") == placed
    second = await office.hold("case", conversation, until=datetime.now(UTC) + timedelta(days=1))
    first = await office.call("GET", "/v1/holds?limit=1")
    assert [one["id"] for one in first["items"]] == [second]
    rest = await office.call("GET", f"/v1/holds?limit=1&cursor={first['next']}")
    assert ([one["id"] for one in rest["items"]], rest["next"]) == ([placed["id"]], None)
    assert [one["id"] for one in (await office.call("GET", f"/v1/holds?subject_id={profile}"))["items"]] == [placed["id"]]
    for _ in range(2):
        await office.lift(placed["id"])
    ended = await office.call("GET", f"/v1/holds/{placed['id']}")
    assert (ended["in_force"], ended["lifted_by"]) == (False, placed["placed_by"])
    assert [one["id"] for one in (await office.call("GET", "/v1/holds?in_force=true"))["items"]] == [second]
    assert [one["id"] for one in (await office.call("GET", "/v1/holds?in_force=false"))["items"]] == [placed["id"]]
    assert [one["target_id"] for one in await audited(office, "hold.placed")] == [placed["id"], second]
    assert [one["target_id"] for one in await audited(office, "hold.lifted")] == [placed["id"]]
    assert WORD not in json.dumps(await audited(office, "hold.placed"))


async def test_who_is_held_and_which_conversation_is_seen_where_they_are_read(office: Office) -> None:
    async def seen(who: str) -> tuple[bool, bool]:
        profile = await office.call("GET", f"/v1/profiles/{await office.profile(who)}")
        conversation = await office.call("GET", f"/v1/conversations/{await office.conversation(who)}")
        return profile["held"], conversation["held"]

    assert await seen(HELD) == (False, False)
    person = await office.hold("person", await office.profile(HELD))
    case = await office.hold("case", await office.conversation(FREE), until=datetime.now(UTC) + timedelta(days=1))
    assert (await seen(HELD), await seen(FREE)) == ((True, True), (False, True))
    await office.lift(person)
    await office.pass_until(case)
    assert (await seen(HELD), await seen(FREE)) == ((False, False), (False, False))
    assert (await office.call("GET", f"/v1/holds/{case}"))["in_force"] is False


async def test_holds_have_their_scope_and_need_who_sees_everybody(office: Office) -> None:
    hold = await office.hold("person", await office.profile(HELD))
    body = {"kind": "person", "subject_id": str(await office.profile(HELD)), "reason": "x"}
    reader = await office.api.key(office.workspace.id, "events:read", "profiles:erase", "config:write", "profiles:write")
    keeper = await office.api.key(office.workspace.id, "holds:write")
    await office.call("POST", "/v1/holds", body, 403, reader)
    await office.call("DELETE", f"/v1/holds/{hold}", status=403, headers=reader)
    assert len((await office.call("GET", "/v1/holds", headers=reader))["items"]) == 1
    await office.call("GET", f"/v1/holds/{hold}", headers=reader)
    await office.call("GET", "/v1/holds", status=403, headers=keeper)
    await office.call("DELETE", f"/v1/holds/{hold}", status=204, headers=keeper)
    await office.call("POST", "/v1/holds", body, 201, keeper)
    agent = await office.api.agent(office.workspace.id, office.workspace.agent_id)
    await office.change("update santral.role set scopes = scopes || '{holds:write,events:read}' where name = 'agent'")
    for verb, path, given in (("POST", "/v1/holds", body), ("GET", "/v1/holds", None), ("DELETE", f"/v1/holds/{hold}", None)):
        await office.call(verb, path, given, 403, agent)


async def test_another_workspaces_people_conversations_and_holds_are_not_found(office: Office) -> None:
    other = await make_workspace(office.api.worker, name="baska")
    foreign = await office.api.key(other.id)
    hold = await office.hold("person", await office.profile(HELD))
    for kind, subject in (("person", await office.profile(HELD)), ("case", await office.conversation(HELD))):
        body = {"kind": kind, "subject_id": str(subject), "reason": "x"}
        assert (await office.call("POST", "/v1/holds", body, 404, foreign))["field"] == "subject_id"
    for verb in ("GET", "DELETE"):
        assert (await office.call(verb, f"/v1/holds/{hold}", status=404, headers=foreign))["field"] == "hold_id"
    assert (await office.call("GET", "/v1/holds", headers=foreign))["items"] == []
    assert (await office.call("GET", f"/v1/holds/{hold}"))["in_force"] is True


@pytest.mark.parametrize(
    ("change", "field"),
    [({"reason": "x" * 501}, "body.reason"), ({"reason": ""}, "body.reason"), ({"kind": "queue"}, "body.kind"), ({"by": "me"}, "body.by")],
)  # fmt: skip
async def test_a_hold_that_cannot_be_names_what_is_wrong(office: Office, change: dict[str, str], field: str) -> None:
    body = {"kind": "person", "subject_id": str(await office.profile(HELD)), "reason": "x"}
    assert (await office.call("POST", "/v1/holds", body | change, 422))["field"] == field


async def test_an_end_that_has_passed_is_refused_and_nothing_is_placed(office: Office) -> None:
    past = (datetime.now(UTC) - timedelta(seconds=5)).isoformat()
    body = {"kind": "person", "subject_id": str(await office.profile(HELD)), "reason": "x", "until": past}
    problem = await office.call("POST", "/v1/holds", body, 422)
    assert (problem["field"], bool(problem["remedy"])) == ("until", True)
    assert (await office.call("GET", "/v1/holds"))["items"] == []
    assert await audited(office, "hold.placed") == []


async def test_an_erasure_waits_for_the_last_hold_goes_on_by_itself_and_takes_the_reason(office: Office) -> None:
    profile = await office.profile(HELD)
    person = await office.hold("person", profile, reason=WORD)
    case = await office.hold("case", await office.conversation(HELD), reason=WORD)
    before = await picture(office)
    asked = await office.call("POST", f"/v1/profiles/{profile}/erase", {"reason": "law", "confirm": str(profile)}, 202)
    assert asked["state"] == "held"
    waits = await office.worked(asked["id"])
    assert (waits["state"], waits["step"], waits["erased_at"]) == ("held", "quarantine", None)
    again = await office.call("POST", f"/v1/profiles/{profile}/erase", {"reason": "law", "confirm": str(profile)}, 202)
    assert (again["id"], again["state"]) == (asked["id"], "held")
    await office.lift(person)
    assert (await office.worked(asked["id"]))["state"] == "held", "the conversation is held still"
    assert await picture(office) == before
    await office.lift(case)
    assert (await office.worked(asked["id"]))["state"] == "done"
    assert await office.words() == {"baran"}
    assert {one["reason"] for one in (await office.call("GET", "/v1/holds"))["items"]} == {""}
    assert not any("ayse" in row for name, found in (await picture(office)).items() for row in found if name != "files")


async def test_an_erasure_goes_on_when_the_holds_date_has_passed(office: Office) -> None:
    profile = await office.profile(HELD)
    hold = await office.hold("person", profile, until=datetime.now(UTC) + timedelta(days=9))
    waits = await office.erase(profile)
    assert waits["state"] == "held"
    await office.pass_until(hold)
    assert (await office.worked(waits["id"]))["state"] == "done"
    assert await audited(office, "hold.lifted") == []


async def test_who_is_not_held_is_erased_beside_who_is(office: Office) -> None:
    await office.hold("person", await office.profile(HELD))
    assert (await office.erase(await office.profile(FREE)))["state"] == "done"
    assert await office.words() == {"ayse"}


async def test_somebody_on_a_held_persons_mail_waits_and_the_mail_stays_whole(office: Office) -> None:
    named = ({"kind": "email", "value": FREE, "name": "Baran"},)
    await office.mail("<3@x>", HELD, text="ayse-iki", participants=named, defines=("mid:3@x",))
    hold = await office.hold(
        "case",
        (await rows(office.api.worker, "select conversation_id as id from santral.message where text = 'ayse-iki'"))[0]["id"],
    )
    before = await picture(office)
    waits = await office.erase(await office.profile(FREE))
    assert waits["state"] == "held"
    assert await picture(office) == before
    await office.lift(hold)
    assert (await office.worked(waits["id"]))["state"] == "done"
    assert not any(FREE in row for row in (await picture(office))["message"])


async def test_the_owner_of_a_conversation_with_a_held_persons_words_waits(office: Office) -> None:
    second = await office.mail("<3@x>", HELD, text="ayse-iki", defines=("mid:3@x",))
    await office.call("POST", f"/v1/messages/{second.id}/move", {"conversation": str(await office.conversation(FREE))})
    await office.hold("person", await office.profile(HELD))
    before = await picture(office)
    assert (await office.erase(await office.profile(FREE)))["state"] == "held"
    assert await picture(office) == before


async def test_a_mail_of_a_held_person_elsewhere_that_names_somebody_erased_keeps_their_name(office: Office) -> None:
    await office.mail("<4@x>", "cem@ornek.com", text="cem", defines=("mid:4@x",))
    named = ({"kind": "email", "value": "cem@ornek.com", "name": "Cem"},)
    second = await office.mail("<3@x>", HELD, text="ayse-iki", participants=named, defines=("mid:3@x",))
    await office.call("POST", f"/v1/messages/{second.id}/move", {"conversation": str(await office.conversation(FREE))})
    hold = await office.hold("person", await office.profile(HELD))
    waits = await office.erase(await office.profile("cem@ornek.com"))
    assert (waits["state"], waits["step"]) == ("held", "mentions")
    (kept,) = await rows(office.api.worker, "select body from santral.message where text = 'ayse-iki'")
    assert kept["body"]["participants"][0]["value"] == "cem@ornek.com"
    assert [part["role"] for part in kept["body"]["parts"]] == ["original", "attachment"]
    await office.lift(hold)
    assert (await office.worked(waits["id"]))["state"] == "done"
    assert not any("cem@ornek.com" in row for row in (await picture(office))["message"])


async def test_a_hold_on_a_conversation_stops_an_erasure_that_is_on_its_way(office: Office) -> None:
    profile, conversation = await office.profile(HELD), await office.conversation(HELD)
    asked = await office.call("POST", f"/v1/profiles/{profile}/erase", {"reason": "law", "confirm": str(profile)}, 202)
    await office.change("update santral.erasure set state = 'running', due_at = now() + interval '1 hour'")
    job = Erasures(db=office.api.worker, blobs=office.api.app.state.blobs, hints=None, secret=SECRET, settle_s=0)
    await through_quarantine(job, office.workspace, UUID(asked["id"]))
    assert await job._advance(office.workspace.id, UUID(asked["id"]), "person") == "conversations"
    hold = await office.hold("case", conversation)
    with pytest.raises(Held):
        await job._advance(office.workspace.id, UUID(asked["id"]), "conversations")
    assert await office.words() == {"ayse", "baran"}
    body = {"kind": "person", "subject_id": str(profile), "reason": "x"}
    assert (await office.call("POST", "/v1/holds", body, 409))["field"] == "subject_id", "nobody is there to hold any more"
    await office.change("update santral.erasure set due_at = now()")
    assert (await office.worked(asked["id"]))["state"] == "held"
    await office.lift(hold)
    assert (await office.worked(asked["id"]))["state"] == "done"
    assert await office.words() == {"baran"}


async def test_quarantined_bytes_that_two_people_stand_in_stay_while_one_is_held(office: Office) -> None:
    entry = new_id()
    await office.change(
        "insert into santral.quarantine (workspace_id, id, message_id, reason, record, accepted_at)"
        " values ($1, $2, $2, 'undecodable', convert_to('From: baran@ornek.com Cc: ayse@ornek.com', 'UTF8'), now())",
        office.workspace.id, entry,
    )  # fmt: skip
    hold = await office.hold("person", await office.profile(HELD))
    before = await picture(office)
    waits = await office.erase(await office.profile(FREE))
    assert waits["state"] == "held"
    assert await picture(office) == before
    refused = await office.call("POST", f"/v1/quarantine/{entry}/discard", status=409)
    assert refused["type"].endswith("held")
    assert "/v1/holds" in refused["remedy"]
    await office.lift(hold)
    assert (await office.worked(waits["id"]))["state"] == "done"
    assert await rows(office.api.worker, "select state, record from santral.quarantine") == [{"state": "discarded", "record": b""}]


async def test_an_entry_whose_original_was_too_long_for_its_record_stays_while_its_writer_is_held(office: Office) -> None:
    entry, workspace_id = new_id(), office.workspace.id
    key = f"{workspace_id}/{entry}/original-1"
    await office.api.app.state.blobs.put(key, b"." * 70_000 + b"From: ayse@ornek.com")
    await office.change(
        "insert into santral.quarantine (workspace_id, id, message_id, reason, record, accepted_at)"
        " values ($1, $2, $2, 'unparsed', convert_to($3, 'UTF8'), now())",
        workspace_id, entry, json.dumps({"parts": [{"role": "original", "blob": key}]}),
    )  # fmt: skip
    hold = await office.hold("person", await office.profile(HELD))
    await office.call("POST", f"/v1/quarantine/{entry}/discard", status=409)
    await office.lift(hold)
    await office.call("POST", f"/v1/quarantine/{entry}/discard", status=204)


async def test_discarding_an_entry_of_nobody_held_goes_on(office: Office) -> None:
    entry = new_id()
    await office.change(
        "insert into santral.quarantine (workspace_id, id, message_id, reason, record, accepted_at)"
        " values ($1, $2, $2, 'undecodable', convert_to('From: baran@ornek.com', 'UTF8'), now())",
        office.workspace.id, entry,
    )  # fmt: skip
    await office.hold("person", await office.profile(HELD))
    await office.call("POST", f"/v1/quarantine/{entry}/discard", status=204)


@pytest.mark.parametrize("kind", ["person", "case"])
async def test_a_redaction_is_refused_with_the_remedy_and_works_after_the_hold(office: Office, kind: str) -> None:
    conversation = await office.conversation(HELD)
    hold = await office.hold(kind, await office.profile(HELD) if kind == "person" else conversation)
    (said,) = await rows(office.api.worker, "select seq from santral.message where text = 'ayse'")
    whole = f"/v1/conversations/{conversation}/messages/{said['seq']}"
    before = await picture(office)
    for path in (f"{whole}/redact", f"{whole}/parts/1/redact"):
        refused = await office.call("POST", path, {"reason": "secret"}, 409)
        assert (refused["type"].rpartition(":")[2], "/v1/holds" in refused["remedy"]) == ("held", True)
    assert await picture(office) == before
    (free,) = await rows(office.api.worker, "select conversation_id, seq from santral.message where text = 'baran'")
    await office.call("POST", f"/v1/conversations/{free['conversation_id']}/messages/{free['seq']}/redact", {"reason": "secret"})
    await office.lift(hold)
    await office.call("POST", f"{whole}/redact", {"reason": "secret"})
    assert await office.words() == set()


async def test_a_hold_follows_merges_and_keeps_what_was_the_persons_through_an_unmerge(office: Office) -> None:
    ayse, baran = await office.profile(HELD), await office.profile(FREE)
    merged = await office.call("POST", f"/v1/profiles/{baran}/merge", {"with": str(ayse), "reason": "aynı kişi"})
    hold = await office.hold("person", ayse)
    assert (await office.call("GET", f"/v1/profiles/{baran}"))["held"] is True
    await office.mail("<5@x>", "cem@ornek.com", text="cem")
    cem = await office.profile("cem@ornek.com")
    later = await office.call("POST", f"/v1/profiles/{cem}/merge", {"with": str(baran)})
    waits = await office.erase(cem)
    assert waits["state"] == "held"
    await office.call("POST", f"/v1/profiles/{cem}/unmerge", {"link": later["link_id"]})
    await office.call("POST", f"/v1/profiles/{ayse}/unmerge", {"link": merged["link_id"], "keep_apart": True})
    held = {who: (await office.call("GET", f"/v1/profiles/{who}"))["held"] for who in (ayse, baran, cem)}
    assert held == {ayse: True, baran: True, cem: False}
    assert await office.profile(HELD) != await office.profile(FREE)
    await office.lift(hold)
    assert (await office.call("GET", f"/v1/profiles/{baran}"))["held"] is False


async def test_a_merge_beside_an_erasure_does_not_take_the_held_person_along(office: Office) -> None:
    await office.hold("person", await office.profile(HELD))
    held, free = await office.profile(HELD), await office.profile(FREE)
    asked = await office.call("POST", f"/v1/profiles/{free}/erase", {"reason": "law", "confirm": str(free)}, 202)
    assert asked["state"] == "asked"
    with pytest.raises(Conflict, match="stay two people"):  # also by who had looked before it was asked for
        async with office.api.worker.batch() as connection:
            await merge(connection, WorkspaceId(office.workspace.id), held, free, actor="test")
    before = await picture(office)
    with pytest.raises(Held):  # whatever was asked before the lock on who is who
        async with office.api.worker.batch() as connection:
            await forget(
                connection, WorkspaceId(office.workspace.id), held, erasure_id=new_id(), secret=SECRET, at=datetime.now(UTC)
            )
    assert await picture(office) == before
    assert (await office.worked(asked["id"]))["state"] == "done"
    assert await office.profile(HELD) == held


async def test_consent_merges_and_notes_go_on_and_an_export_tells_of_no_hold(office: Office) -> None:
    profile = await office.profile(HELD)
    hold = await office.hold("person", profile, reason=WORD.replace(HELD, "gizlisebep"))
    said = {"purpose": "marketing", "channel": "email", "granted": False, "source": "telefon"}
    await office.call("POST", f"/v1/profiles/{profile}/consents", said, 201)
    await office.call("POST", f"/v1/profiles/{profile}/notes", {"text": "aradı"}, 201)
    await office.call("POST", f"/v1/profiles/{profile}/merge", {"with": str(await office.profile(FREE))})
    asked = await office.call("POST", f"/v1/profiles/{profile}/export", status=202)
    assert await PersonExports(db=office.api.worker, blobs=office.api.app.state.blobs).round()
    answer = await office.api.client.get(f"/v1/exports/{asked['id']}/file", headers=office.admin)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        names = archive.namelist()
        whole = "".join(archive.read(name).decode() for name in names)
    assert "ayse@ornek.com" in whole
    assert not [word for word in ("gizlisebep", hold) if word in whole]
    assert not [name for name in names if "hold" in name]


async def test_placing_a_hold_waits_for_what_is_being_removed(office: Office) -> None:
    profile = await office.profile(HELD)
    async with office.api.worker.batch() as connection:
        await lock_holds(connection, office.workspace.id)
        placing = asyncio.create_task(office.hold("person", profile))
        await eventually(lambda: waiting(office), 10, "the hold waits")
        assert not placing.done()
        assert await rows(office.api.worker, "select 1 from santral.hold") == []
    hold = await placing
    assert (await office.call("GET", f"/v1/holds/{hold}"))["in_force"] is True


async def test_who_is_being_erased_at_that_moment_is_not_held_afterwards(office: Office) -> None:
    profile = await office.profile(HELD)
    async with office.api.worker.batch() as connection:
        await lock_holds(connection, office.workspace.id)
        body = {"kind": "person", "subject_id": str(profile), "reason": "x"}
        placing = asyncio.create_task(office.call("POST", "/v1/holds", body, 409))
        await eventually(lambda: waiting(office), 10, "the hold waits")
        await forget(
            connection, WorkspaceId(office.workspace.id), profile, erasure_id=new_id(), secret=SECRET, at=datetime.now(UTC)
        )
    assert (await placing)["field"] == "subject_id"
    assert (await office.call("GET", "/v1/holds"))["items"] == []


async def waiting(office: Office) -> bool:
    """Whether somebody waits for the lock on holds."""
    here = "(select oid from pg_database where datname = current_database())"
    found = await rows(
        office.api.worker, f"select 1 from pg_locks where locktype = 'advisory' and not granted and database = {here}"
    )
    return bool(found)
