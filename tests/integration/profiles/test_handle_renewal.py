"""Handles of an earlier release, which mapped domains and numbers otherwise: their people are found, another's owner is nobody of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from ingest.adapter import Inbox
from ingest.meta.whatsapp import draft
from profiles.erasure_tombstones import erased_handles
from profiles.forgetting import forget
from profiles.handles import set_aside
from profiles.ledger import add_link
from profiles.renewal import renew
from profiles.sighting import Resolved, SeenHandle
from profiles.store import lookup, profile_view
from services.chores.handle_renewal import page_of_all
from shared.database import Database
from shared.handle import Handle, normalized
from shared.ids import ProfileId, WorkspaceId, new_id
from tests.support.api import running_api
from tests.support.people import START, mail, phone, resolved, seen, sighting, stored_and_pure
from tests.support.workspaces import Workspace

SECRET = b"x" * 32
RAW = "zeynep@faß.example"
BEFORE = mail("zeynep@fass.example")
NOW = mail("zeynep@xn--fa-hia.example")


@pytest.fixture
def somewhere() -> WorkspaceId:
    return WorkspaceId(new_id())


def met(raw: str, assurance: str = "channel_verified", name: str = "") -> SeenHandle:
    return SeenHandle(handle=normalized("email", raw), raw=raw, name=name, assurance=assurance)


async def of_before(db: Database, workspace: WorkspaceId, stored: Handle, raw: str, *others: SeenHandle) -> Resolved:
    """A person as an earlier release left them: its name for the handle, and what it was made of."""
    found = (await resolved(db, sighting(workspace, seen(mail(f"{uuid4()}@ornek.com"), name="Zeynep"), *others)))[0]
    async with db.batch() as connection:
        await connection.execute("update santral.handle set value = $2, raw = $3 where id = $1", found.handle_id, stored.value, raw)
    return found


async def walked(db: Database, workspace: WorkspaceId, page: int = 500) -> dict[str, Any]:
    more = True
    while more:
        async with db.batch() as connection:
            more = await renew(connection, workspace, page=page)
    async with db.batch() as connection:
        return dict(await connection.fetchrow("select * from santral.handle_renewal where workspace_id = $1", workspace) or {})


async def rows(db: Database, workspace: WorkspaceId) -> dict[tuple[str, str], Any]:
    async with db.batch() as connection:
        found = await connection.fetch("select * from santral.handle where workspace_id = $1", workspace)
    return {(row["scope"], row["value"]): row for row in found}


async def test_a_person_of_before_is_found_by_the_present_name(worker_db: Database, somewhere: WorkspaceId) -> None:
    known = await of_before(worker_db, somewhere, BEFORE, RAW, seen(phone()))
    (again,) = await resolved(worker_db, sighting(somewhere, met(RAW), minute=5))
    assert again.profile_id == known.profile_id
    assert again.handle_id != known.handle_id
    # And the message after that costs nothing more.
    assert await resolved(worker_db, sighting(somewhere, met(RAW), minute=6)) == [again]
    kept = await rows(worker_db, somewhere)
    assert kept["", BEFORE.value]["id"] == known.handle_id  # the old row stays as it was
    assert kept["", NOW.value]["raw"] == RAW
    stored, pure = await stored_and_pure(worker_db, somewhere)
    assert stored == pure
    # The walk finds it done.
    assert (await walked(worker_db, somewhere))["clashed"] == 0
    assert len(await rows(worker_db, somewhere)) == 3


async def test_the_owner_of_the_other_domain_is_a_person_of_their_own(worker_db: Database, somewhere: WorkspaceId) -> None:
    known = await of_before(worker_db, somewhere, BEFORE, RAW)
    (other,) = await resolved(worker_db, sighting(somewhere, met(BEFORE.value), minute=5))
    assert other.profile_id != known.profile_id
    kept = await rows(worker_db, somewhere)
    assert kept[set_aside(BEFORE).scope, BEFORE.value]["id"] == known.handle_id
    assert kept["", BEFORE.value]["id"] == other.handle_id
    # Whoever the row was of is found all the same, and stays apart.
    (again,) = await resolved(worker_db, sighting(somewhere, met(RAW), minute=6))
    assert again.profile_id == known.profile_id
    assert await resolved(worker_db, sighting(somewhere, met(BEFORE.value), minute=7)) == [other]
    async with worker_db.batch() as connection:
        found = await lookup(connection, somewhere, [BEFORE, NOW])
    assert {handle: profile for handle, (_, profile) in found.items()} == {BEFORE: other.profile_id, NOW: known.profile_id}


async def test_both_in_one_batch(worker_db: Database, somewhere: WorkspaceId) -> None:
    known = await of_before(worker_db, somewhere, BEFORE, RAW)
    mine, other = await resolved(
        worker_db, sighting(somewhere, met(RAW), minute=5), sighting(somewhere, met(BEFORE.value), minute=5)
    )
    assert mine.profile_id == known.profile_id != other.profile_id


async def test_the_walk_gives_each_its_present_name_and_goes_on_where_it_was(worker_db: Database, somewhere: WorkspaceId) -> None:
    known = await of_before(worker_db, somewhere, BEFORE, RAW, seen(phone()))
    quoted = await of_before(worker_db, somewhere, mail('"ayse"@ornek.com'), '"ayse"@ornek.com')
    broken = await of_before(worker_db, somewhere, mail('aliveli"@ornek.com'), 'aliveli"@ornek.com')
    await resolved(worker_db, sighting(somewhere, seen(mail("biri@ornek.com"))))
    async with worker_db.batch() as connection:
        assert await renew(connection, somewhere, page=2)
    done = await walked(worker_db, somewhere, page=2)
    assert (done["state"], done["looked"], done["renewed"], done["clashed"], done["unreadable"]) == ("done", 7, 2, 0, 1)
    kept = await rows(worker_db, somewhere)
    assert kept["", NOW.value]["profile_id"] == known.profile_id
    assert kept["", "ayse@ornek.com"]["profile_id"] == quoted.profile_id
    assert kept["", 'aliveli"@ornek.com']["id"] == broken.handle_id
    assert {(one["what"], one["handle"]) for one in done["findings"]} == {
        ("renewed", str(known.handle_id)), ("renewed", str(quoted.handle_id)), ("unreadable", str(broken.handle_id)),
    }  # fmt: skip
    stored, pure = await stored_and_pure(worker_db, somewhere)
    assert stored == pure
    # Done once; what comes again later finds the person at once.
    assert await walked(worker_db, somewhere) == done
    (again,) = await resolved(worker_db, sighting(somewhere, met(RAW), minute=9))
    assert (again.profile_id, again.handle_id) == (known.profile_id, kept["", NOW.value]["id"])


async def test_a_present_name_that_is_somebody_elses_is_suggested_and_not_merged(
    worker_db: Database, somewhere: WorkspaceId
) -> None:
    (new,) = await resolved(worker_db, sighting(somewhere, seen(mail("ayse@ornek.com")), minute=1))
    old = await of_before(worker_db, somewhere, mail('"ayse"@ornek.com'), '"ayse"@ornek.com')
    assert await apart(worker_db, somewhere) == {old.profile_id, new.profile_id}
    done = await walked(worker_db, somewhere)
    assert (done["renewed"], done["clashed"]) == (0, 1)
    assert await apart(worker_db, somewhere) == {old.profile_id, new.profile_id}
    async with worker_db.batch() as connection:
        suggested = await connection.fetch("select a, b, state from santral.suggestion where workspace_id = $1", somewhere)
    assert [(row["a"], row["b"], row["state"]) for row in suggested] == [(*sorted((old.handle_id, new.handle_id)), "open")]


async def apart(db: Database, workspace: WorkspaceId) -> set[ProfileId]:
    return {row["profile_id"] for row in (await rows(db, workspace)).values()}


async def test_a_person_at_the_limit_of_addresses_keeps_all_of_them(worker_db: Database, somewhere: WorkspaceId) -> None:
    """The two names of one address count as one."""
    known = await of_before(worker_db, somewhere, BEFORE, RAW)
    for number in range(4):
        (other,) = await resolved(worker_db, sighting(somewhere, seen(mail(f"z{number}@ornek.com")), minute=number))
        async with worker_db.batch() as connection:
            await add_link(
                connection,
                somewhere,
                known.handle_id,
                other.handle_id,
                kind="agent",
                assurance="channel_verified",
                source=f"user:{number}",
                seen_at=START,
            )
    assert len(await apart(worker_db, somewhere)) == 1
    await walked(worker_db, somewhere)
    assert len(await apart(worker_db, somewhere)) == 1
    assert ("", NOW.value) in await rows(worker_db, somewhere)


async def test_an_erased_person_stays_erased_under_every_name(worker_db: Database, somewhere: WorkspaceId) -> None:
    known = await of_before(worker_db, somewhere, BEFORE, RAW)
    at = datetime.now(UTC)
    async with worker_db.batch() as connection:
        await forget(connection, somewhere, known.profile_id, erasure_id=uuid4(), secret=SECRET, at=at)
    earlier = datetime(2026, 1, 1, tzinfo=UTC)
    async with worker_db.batch() as connection:
        assert await erased_handles(connection, SECRET, somewhere, [BEFORE, NOW, mail("biri@ornek.com")], earlier) == {BEFORE, NOW}
        assert await erased_handles(connection, SECRET, somewhere, [NOW], datetime.now(UTC)) == set()
    assert (await walked(worker_db, somewhere))["renewed"] == 0  # nothing brings it back


async def test_a_row_that_was_set_aside_under_earlier_rules_is_found_as_well(worker_db: Database, somewhere: WorkspaceId) -> None:
    known = await of_before(worker_db, somewhere, BEFORE, RAW)
    scope = set_aside(BEFORE, 2).scope
    async with worker_db.batch() as connection:
        await connection.execute("update santral.handle set scope = $2 where id = $1", known.handle_id, scope)
    (again,) = await resolved(worker_db, sighting(somewhere, met(RAW), minute=5))
    assert (scope, again.profile_id) == ("before:2:", known.profile_id)


async def test_a_row_that_was_set_aside_is_buried_under_the_name_it_had(worker_db: Database, somewhere: WorkspaceId) -> None:
    known = await of_before(worker_db, somewhere, BEFORE, RAW)
    await resolved(worker_db, sighting(somewhere, met(BEFORE.value), minute=5))
    async with worker_db.batch() as connection:
        await forget(connection, somewhere, known.profile_id, erasure_id=uuid4(), secret=SECRET, at=datetime.now(UTC))
        assert NOW in await erased_handles(connection, SECRET, somewhere, [NOW], datetime(2026, 1, 1, tzinfo=UTC))


async def test_every_workspace_is_walked(worker_db: Database, workspace: Workspace) -> None:
    known = await of_before(worker_db, WorkspaceId(workspace.id), BEFORE, RAW)
    while await page_of_all(worker_db):
        pass
    async with worker_db.batch() as connection:
        person = await profile_view(connection, WorkspaceId(workspace.id), known.profile_id)
    assert {one.value for one in person.handles} == {BEFORE.value, NOW.value}


async def test_what_other_systems_say_of_the_owner_reaches_no_row_of_before(
    api_db: Database, worker_db: Database, workspace: Workspace
) -> None:
    """`identify` and imports begin the owner's own handle, whatever an earlier release had under that name."""
    somewhere = WorkspaceId(workspace.id)
    known = await of_before(worker_db, somewhere, BEFORE, RAW)
    other = await of_before(worker_db, somewhere, mail("a@fussball.example"), "a@fußball.example")
    async with running_api(api_db, worker_db) as api:
        headers = await api.key(workspace.id)
        body = {"handles": [{"kind": "email", "value": BEFORE.value}], "source": "crm"}
        said = await api.client.post("/v1/profiles/identify", json=body, headers=headers)
        assert said.status_code == 200, said.text
        begun = await api.client.post("/v1/profiles/imports", json={"source": "crm", "digest": "0123456789"}, headers=headers)
        row = {"row": 1, "handles": [{"kind": "email", "value": "a@fussball.example"}], "name": "Ali", "traits": {}}
        address = f"/v1/profiles/imports/{begun.json()['id']}/rows?first_row=1"
        taken = await api.client.put(address, json={"rows": [row], "next_row": 2}, headers=headers)
        assert (taken.status_code, taken.json()["created"]) == (200, 1), taken.text
    kept = await rows(worker_db, somewhere)
    assert str(kept["", BEFORE.value]["profile_id"]) == said.json()["profile_id"] != str(known.profile_id)
    assert kept["", "a@fussball.example"]["profile_id"] not in (other.profile_id, known.profile_id)
    assert kept[set_aside(BEFORE).scope, "a@fussball.example"]["id"] == other.handle_id


@pytest.mark.parametrize(
    ("wa_id", "called", "number"),
    [
        ("5215512345678", "+52 55 1234 5678", "+525512345678"),
        ("5491123456789", "+54 11 2345-6789", "+541123456789"),
        ("5491123456789", "+54 9 11 2345-6789", "+541123456789"),
        ("555481234567", "+55 54 98123-4567", "+5554981234567"),
    ],
)
async def test_who_writes_by_whatsapp_and_calls_is_one_person(
    worker_db: Database, somewhere: WorkspaceId, wa_id: str, called: str, number: str
) -> None:
    (call,) = await resolved(worker_db, sighting(somewhere, number_met(called)))
    (wrote,) = await resolved(worker_db, sighting(somewhere, *by_whatsapp(wa_id), minute=5))
    assert wrote.profile_id == call.profile_id
    kept = await rows(worker_db, somewhere)
    # WhatsApp is answered at its own name of them.
    assert {value for _, value in kept} == {wa_id, number}
    assert kept["", wa_id]["id"] == wrote.handle_id


def number_met(raw: str) -> SeenHandle:
    return SeenHandle(handle=normalized("phone", raw), raw=raw, assurance="channel_verified")


def by_whatsapp(wa_id: str) -> list[SeenHandle]:
    """The handles of a message as the Cloud API brings it."""
    inbox = Inbox(workspace_id=uuid4(), id=uuid4(), name="wa", channel="social", provider="whatsapp", address="1100")
    message = {"from": wa_id, "id": "wamid.1", "timestamp": "1790000000", "type": "text", "text": {"body": "Hola"}}
    found = draft(inbox, {"field": "messages", "value": {"contacts": [{"wa_id": wa_id}], "messages": [message]}})
    assert found is not None
    senders = [found.values["sender"], *found.values["other_handles"]]
    return [SeenHandle(handle=one.handle(), raw=one.raw, assurance=one.assurance) for one in senders]


async def test_a_number_of_before_gets_its_one_form(worker_db: Database, somewhere: WorkspaceId) -> None:
    before, now = phone("+5491123456789"), phone("+541123456789")
    known = await of_before(worker_db, somewhere, before, "+54 9 11 2345-6789")
    async with worker_db.batch() as connection:
        await connection.execute("update santral.handle set kind = 'phone' where id = $1", known.handle_id)
    done = await walked(worker_db, somewhere)
    assert (done["renewed"], done["clashed"], done["unreadable"]) == (1, 0, 0)
    kept = await rows(worker_db, somewhere)
    assert kept["", before.value]["id"] == known.handle_id
    assert kept["", now.value]["profile_id"] == known.profile_id
    (wrote,) = await resolved(worker_db, sighting(somewhere, *by_whatsapp("5491123456789"), minute=5))
    assert wrote.profile_id == known.profile_id
    stored, pure = await stored_and_pure(worker_db, somewhere)
    assert stored == pure
    # Who is erased is erased under both forms.
    async with worker_db.batch() as connection:
        await forget(connection, somewhere, known.profile_id, erasure_id=uuid4(), secret=SECRET, at=datetime.now(UTC))
        earlier = datetime(2026, 1, 1, tzinfo=UTC)
        assert await erased_handles(connection, SECRET, somewhere, [before, now], earlier) == {before, now}


async def test_two_people_of_two_forms_are_suggested_and_not_merged(worker_db: Database, somewhere: WorkspaceId) -> None:
    (new,) = await resolved(worker_db, sighting(somewhere, seen(phone("+541123456789")), minute=1))
    old = await of_before(worker_db, somewhere, phone("+5491123456789"), "+5491123456789")
    async with worker_db.batch() as connection:
        await connection.execute("update santral.handle set kind = 'phone' where id = $1", old.handle_id)
    assert (await walked(worker_db, somewhere))["clashed"] == 1
    assert await apart(worker_db, somewhere) == {old.profile_id, new.profile_id}
    async with worker_db.batch() as connection:
        (evidence,) = await connection.fetch("select evidence from santral.suggestion where workspace_id = $1", somewhere)
    assert evidence["evidence"] == [{"field": "phone", "level": "renewed", "weight": 0}]
