"""Who a site's signed identity names without a word written: erased and handed over with the person."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from profiles.forgetting import person_handles
from services.privacy.erasures import Erasures
from services.privacy.visitors import visitors_who_are
from shared.blobs_files import FileBlobs
from shared.database import Database
from shared.ids import WorkspaceId
from tests.support.api import Api
from tests.support.chat import IDENTITY, good_claims, open_session, signed
from tests.support.intake_line import SECRET, rows
from tests.support.workspaces import Workspace


async def _opened(api: Api, workspace: Workspace, worker_db: Database) -> str:
    """A customer whom a system knows, their silent chat, and one of somebody else who shares the address; the customer's profile."""
    widget = workspace.inboxes["webchat"]
    async with worker_db.batch() as connection:
        await connection.execute(
            "update santral.inbox set secrets = $2 where id = $1", widget, api.sealer.seal({"identity_secret": IDENTITY})
        )
    headers = await api.key(workspace.id)
    found = []
    for customer in ("customer-7", "customer-8"):
        handles = [{"kind": "external_id", "value": customer}]
        handles += [{"kind": "email", "value": "kanarya@ornek.com"}] if customer == "customer-7" else []
        known = await api.client.post("/v1/profiles/identify", headers=headers, json={"handles": handles})
        found.append(known.json()["profile_id"])
        claims = good_claims(sub=customer, email="kanarya@ornek.com", phone="+905321234567", name=f"Kanarya {customer}")
        await open_session(api, f"token-{widget}", identity=signed(claims))
    claims = good_claims(sub="nobody-knows", email="Kanarya@ornek.com", phone="+905321234567", name="Kanarya")
    await open_session(api, f"token-{widget}", identity=signed(claims))
    return str(found[0])


async def _left(worker_db: Database) -> list[str]:
    found = await rows(worker_db, "select claims from santral.session where kind = 'visitor'")
    return sorted(row["claims"]["external_id"] for row in found)


async def test_an_erasure_takes_the_identity_of_a_chat_in_which_nothing_was_written(
    api: Api, workspace: Workspace, worker_db: Database, tmp_path: Path
) -> None:
    profile = await _opened(api, workspace, worker_db)
    assert await _left(worker_db) == ["customer-7", "customer-8", "nobody-knows"]
    headers = await api.key(workspace.id)
    asked = await api.client.post(
        f"/v1/profiles/{profile}/erase", headers=headers, json={"reason": "consent_withdrawn", "confirm": profile}
    )
    assert asked.status_code == 202, asked.text
    job = Erasures(db=worker_db, blobs=FileBlobs(tmp_path), hints=None, secret=SECRET, settle_s=0)
    while await job.round():
        pass
    assert [row["state"] for row in await rows(worker_db, "select state from santral.erasure")] == ["done"]
    # The address is also another customer's, whom the site names by an id of their own.
    assert await _left(worker_db) == ["customer-8"]


async def test_an_export_finds_the_same_visitors(api: Api, workspace: Workspace, worker_db: Database) -> None:
    profile = await _opened(api, workspace, worker_db)
    async with worker_db.batch() as connection:
        handles = await person_handles(connection, WorkspaceId(workspace.id), profile)  # type: ignore[arg-type]
        visitors = await visitors_who_are(connection, workspace.id, handles)
        claims = await connection.fetch("select claims from santral.session where visitor_id = any($1)", list(visitors))
    assert sorted(row["claims"]["external_id"] for row in claims) == ["customer-7", "nobody-knows"]


async def test_a_site_names_them_as_it_writes_them(api: Api, workspace: Workspace, worker_db: Database) -> None:
    widget = workspace.inboxes["webchat"]
    async with worker_db.batch() as connection:
        await connection.execute(
            "update santral.inbox set secrets = $2, settings = settings || '{\"region\": \"TR\"}' where id = $1",
            widget, api.sealer.seal({"identity_secret": IDENTITY}),
        )  # fmt: skip
    handles = [{"kind": "phone", "value": "+905326054137"}, {"kind": "email", "value": "ayse@xn--mteri-kva70e.example"}]
    known = await api.client.post("/v1/profiles/identify", headers=await api.key(workspace.id), json={"handles": handles})
    for name, claims in {
        "national": {"phone": "0532 605 4137"}, "other digits": {"phone": "+\u0669\u0660 532 605 41 37"},
        "in letters": {"email": "Ayse@M\u00fc\u015fteri.example"}, "somebody else": {"phone": "0532 605 4138", "email": "ay\u015fe@ornek.com"},
        "no number": {"phone": "4137"},
    }.items():  # fmt: skip
        await open_session(api, f"token-{widget}", identity=signed({**_nameless(name), **claims}))
    async with worker_db.batch() as connection:
        found = await person_handles(connection, WorkspaceId(workspace.id), UUID(known.json()["profile_id"]))
        visitors = await visitors_who_are(connection, workspace.id, found)
        left = await connection.fetch("select claims from santral.session where visitor_id = any($1)", list(visitors))
    assert sorted(row["claims"]["external_id"] for row in left) == ["in letters", "national", "other digits"]


def _nameless(customer: str) -> dict[str, Any]:
    return {name: value for name, value in good_claims(sub=customer).items() if name not in ("email", "phone")}


async def test_the_same_id_at_a_site_with_customers_of_its_own_is_somebody_else(
    api: Api, workspace: Workspace, worker_db: Database
) -> None:
    await _scoped(worker_db, workspace, "site-b")
    profile = await _opened(api, workspace, worker_db)
    assert await _silent(worker_db, workspace, profile) == []


async def test_visitors_are_whose_customers_they_came_as(api: Api, workspace: Workspace, worker_db: Database) -> None:
    profile = await _opened(api, workspace, worker_db)
    await _scoped(worker_db, workspace, "site-b")
    assert await _silent(worker_db, workspace, profile) == ["customer-7"]


async def _scoped(worker_db: Database, workspace: Workspace, scope: str) -> None:
    async with worker_db.batch() as connection:
        await connection.execute(
            "update santral.inbox set settings = $2 where id = $1", workspace.inboxes["webchat"], {"identity_scope": scope}
        )


async def _silent(worker_db: Database, workspace: Workspace, profile: str) -> list[str]:
    """The ids that the site gave those visitors who are the profile's by such an id alone."""
    async with worker_db.batch() as connection:
        handles = await person_handles(connection, WorkspaceId(workspace.id), profile)  # type: ignore[arg-type]
        visitors = await visitors_who_are(connection, workspace.id, [one for one in handles if one.handle.kind == "external_id"])
        found = await connection.fetch(
            "select claims->>'external_id' as id from santral.session where visitor_id = any($1)", visitors
        )
    return sorted(row["id"] for row in found)
