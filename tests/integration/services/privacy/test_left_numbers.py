"""A number that changed hands: what is kept, erased and held of its former and its next owner is each one's own."""

from __future__ import annotations

import base64
import json
import zipfile
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from profiles.forgetting import person_handles
from services.privacy.erasures import Erasures
from services.privacy.person_export import PersonExports
from services.privacy.visitors import visitors_who_are
from shared.blobs_files import FileBlobs
from shared.ids import WorkspaceId, new_id
from tests.support.api import Api
from tests.support.chat import IDENTITY, good_claims, open_session, signed
from tests.support.intake_line import SECRET, member_of, record_of, rows
from tests.support.office import Office, through_quarantine
from tests.support.whatsapp_line import BEGAN, WhatsApp, people
from tests.support.workspaces import Workspace

OLD, NEW = "905321000001", "905321000002"
GAVE_UP, LATER = 20, 40
_ENTRY = """
insert into santral.quarantine (workspace_id, id, message_id, reason, record, headers, accepted_at)
values ($1, $2, $3, 'busy', $4, $5, $6)
"""


class Number:
    """Ayse, who gave a number up, and Mehmet, who has it now; of each a word that waits in quarantine."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.whatsapp = WhatsApp(office.api.worker, office.workspace, office.member)

    async def changed_hands(self, user: str = "") -> None:
        """``user``: Ayse's id, where messages carry one."""
        former = {"user_id": "TR.2", "previous_user_id": user} if user else {}
        await self.whatsapp.text(OLD, user, "Ayse")
        await self.whatsapp.notice("user_changed_number", OLD, at=GAVE_UP, wa_id=NEW, **former)
        await self.whatsapp.text(OLD, "", "Mehmet", at=LATER)
        await self.waits("Ayse, waiting", GAVE_UP - 10)
        await self.waits("Mehmet, waiting", LATER + 10)

    async def waits(self, said: str, at: int) -> None:
        message = self.whatsapp.text_of(OLD, said=said, at=at)
        record = record_of(message)
        headers = {name: value.decode() for name, value in record.headers}
        place = (self.office.workspace.id, new_id(), message.id)
        async with self.office.api.worker.batch() as connection:
            await connection.execute(_ENTRY, *place, record.value, headers, message.accepted_at)

    async def waiting(self) -> list[str]:
        """Whose words wait still, oldest first."""
        found = await rows(self.office.api.worker, "select record from santral.quarantine where state = 'open' order by id")
        return [json.loads(row["record"])["text"] for row in found]

    async def entry(self, said: str) -> UUID:
        found = await rows(self.office.api.worker, "select id, record from santral.quarantine where state = 'open'")
        (one,) = (row["id"] for row in found if json.loads(row["record"])["text"] == said)
        return UUID(str(one))

    async def person(self, name: str) -> UUID:
        number = {"Ayse": (NEW, ""), "Mehmet": (OLD, "")}[name]
        (row,) = await rows(
            self.office.api.worker,
            "select profile_id from santral.handle where kind = 'wa_id' and value = $1 and scope = $2",
            *number,
        )
        return UUID(str(row["profile_id"]))


@pytest.fixture
async def number(api: Api, workspace: Workspace) -> Number:
    office = Office(api=api, workspace=workspace, admin=await api.key(workspace.id), member=await member_of(api.worker))
    return Number(office)


async def exported(number: Number, name: str, folder: Path) -> set[str]:
    """What quarantine holds in this person's export."""
    db = number.office.api.worker
    await number.office.call("POST", f"/v1/profiles/{await number.person(name)}/export", status=202)
    while await PersonExports(db=db, blobs=FileBlobs(folder)).round():
        pass
    (made,) = await rows(db, "select blob from santral.person_export order by id desc limit 1")
    with zipfile.ZipFile(folder / made["blob"]) as archive:
        found: list[dict[str, Any]] = json.loads(archive.read("quarantine.json"))
    return {json.loads(base64.b64decode(one["record"]))["text"] for one in found}


@pytest.mark.parametrize("name", ["Ayse", "Mehmet"])
async def test_an_export_holds_the_words_of_whoever_had_the_number_then(number: Number, tmp_path: Path, name: str) -> None:
    await number.changed_hands()
    assert await exported(number, name, tmp_path) == {f"{name}, waiting"}


@pytest.mark.parametrize(("name", "other"), [("Ayse", "Mehmet"), ("Mehmet", "Ayse")])
async def test_an_erasure_takes_the_words_of_whoever_had_the_number_then(number: Number, name: str, other: str) -> None:
    await number.changed_hands()
    await number.office.erase(await number.person(name))
    assert await number.waiting() == [f"{other}, waiting"]
    assert await people(number.office.api.worker) == [{other}]


@pytest.mark.parametrize(("name", "other"), [("Ayse", "Mehmet"), ("Mehmet", "Ayse")])
async def test_a_hold_keeps_the_words_of_whoever_had_the_number_then(number: Number, name: str, other: str) -> None:
    await number.changed_hands()
    await number.office.hold("person", await number.person(name))
    await number.office.call("POST", f"/v1/quarantine/{await number.entry(f'{name}, waiting')}/discard", status=409)
    await number.office.call("POST", f"/v1/quarantine/{await number.entry(f'{other}, waiting')}/discard", status=204)


@pytest.mark.parametrize("user", ["", "TR.1"])
async def test_late_words_of_who_was_erased_are_nobodys_and_the_next_owners_come_in(number: Number, user: str) -> None:
    await number.changed_hands(user)
    await number.office.erase(await number.person("Ayse"))
    for said, at in (("Ayse, late", GAVE_UP - 5), ("Mehmet, late", LATER - 5), ("Mehmet again", LATER + 20)):
        await number.whatsapp.text(OLD, "", said, at=at)
    assert await people(number.office.api.worker) == [{"Mehmet", "Mehmet, late", "Mehmet again"}]


async def test_what_reaches_quarantine_beside_the_erasure_is_told_apart_as_well(number: Number) -> None:
    await number.changed_hands()
    office, person = number.office, await number.person("Ayse")
    asked = await office.call("POST", f"/v1/profiles/{person}/erase", {"reason": "law", "confirm": str(person)}, 202)
    job = Erasures(db=office.api.worker, blobs=office.api.app.state.blobs, hints=None, secret=SECRET, settle_s=0)
    await office.change("update santral.erasure set state = 'running'")
    await through_quarantine(job, office.workspace, UUID(asked["id"]))
    await number.waits("Ayse, waiting too", GAVE_UP - 1)
    await number.waits("Mehmet, waiting too", LATER - 1)
    await office.change("update santral.erasure set due_at = now()")
    assert (await office.worked(asked["id"]))["state"] == "done"
    assert await number.waiting() == ["Mehmet, waiting", "Mehmet, waiting too"]


async def test_who_left_a_number_before_and_is_erased_afterwards_takes_nothing_of_its_third_owner(number: Number) -> None:
    for at, name in enumerate(("Ayse", "Mehmet", "Cem")):
        await number.whatsapp.text(OLD, f"TR.{at}", name, at=at * 100)
    for at, name in enumerate(("Ayse", "Mehmet", "Cem")):
        await number.waits(f"{name}, waiting", at * 100 + 50)
    (row,) = await rows(number.office.api.worker, "select profile_id from santral.handle where value = 'TR.1'")
    await number.office.erase(row["profile_id"])
    assert await number.waiting() == ["Ayse, waiting", "Cem, waiting"]
    for at, name in enumerate(("Mehmet", "Cem"), start=1):
        await number.whatsapp.text(OLD, "", f"{name}, late", at=at * 100 + 60)
    assert await people(number.office.api.worker) == [{"Ayse"}, {"Cem", "Cem, late"}]


async def test_a_silent_visitor_with_the_number_is_whoever_had_it_when_they_came(number: Number) -> None:
    await number.changed_hands()
    office = number.office
    widget = office.workspace.inboxes["webchat"]
    sealed = office.api.sealer.seal({"identity_secret": IDENTITY})
    await office.change("update santral.inbox set secrets = $2 where id = $1", widget, sealed)
    for name, at in (("Ayse", GAVE_UP - 1), ("Mehmet", LATER)):
        await open_session(office.api, f"token-{widget}", identity=signed(good_claims(sub=name, phone=f"+{OLD}")))
        came = "update santral.session set created_at = to_timestamp($2) where claims->>'external_id' = $1"
        await office.change(came, name, BEGAN + at)
    for name in ("Ayse", "Mehmet"):
        assert await visitors(number, name) == {name}


async def visitors(number: Number, name: str) -> set[str]:
    """Whom the site calls this person, of those who wrote nothing in the chat."""
    workspace_id = WorkspaceId(number.office.workspace.id)
    async with number.office.api.worker.batch() as connection:
        handles = await person_handles(connection, workspace_id, await number.person(name))
        found = await visitors_who_are(connection, workspace_id, handles)
        claims = await connection.fetch("select claims from santral.session where visitor_id = any($1)", list(found))
    return {row["claims"]["external_id"] for row in claims}
