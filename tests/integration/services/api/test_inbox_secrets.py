"""A secret is made with each new inbox and shown once; addresses are for who may post; inboxes from before stay open until a day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ingest.adapter import Request
from ingest.directory import Directory
from ingest.registry import adapter_for
from services.doctor.open_inboxes import look_at_open_inboxes
from shared.database import Database
from shared.errors import Unauthenticated
from tests.support.api import Api
from tests.support.workspaces import Workspace

PROOFS = {"api": "signing_secret", "asterisk": "post_secret", "smtp": "post_secret"}
TOMORROW = datetime.now(UTC) + timedelta(days=1)
YESTERDAY = TOMORROW - timedelta(days=2)


@pytest.mark.parametrize(("provider", "name"), PROOFS.items())
async def test_a_new_inbox_has_a_secret_that_is_shown_once(api: Api, workspace: Workspace, provider: str, name: str) -> None:
    headers = await api.key(workspace.id)
    body = {"name": "yeni", "provider": provider, "address": "yeni@ornek.com"}
    made = (await api.client.post("/v1/inboxes", json=body, headers=headers)).json()
    assert made["secrets_set"] == [name]
    assert made["secrets_made"][name].startswith("whsec_")
    again = (await api.client.get(f"/v1/inboxes/{made['id']}", headers=headers)).json()
    assert (again["secrets_set"], again["secrets_made"]) == ([name], None)
    replaced = (await api.client.put(f"/v1/inboxes/{made['id']}", json=body, headers=headers)).json()
    assert (replaced["secrets_set"], replaced["secrets_made"]) == ([name], None), "a replacement keeps it"
    own = {**body, "name": "kendi", "address": "kendi@ornek.com", "secrets": {name: "a secret that somebody chose"}}
    assert (await api.client.post("/v1/inboxes", json=own, headers=headers)).json()["secrets_made"] is None


@pytest.mark.parametrize(("provider", "name"), [*PROOFS.items(), ("webchat", "identity_secret")])
async def test_an_empty_secret_is_refused_and_a_wrong_one_is_not_told_again(
    api: Api, workspace: Workspace, provider: str, name: str
) -> None:
    headers = await api.key(workspace.id)
    body = {"name": "yeni", "provider": provider, "address": "yeni@ornek.com" if provider == "smtp" else None}
    made = (await api.client.post("/v1/inboxes", json=body, headers=headers)).json()
    for value in ("", " ", "kısa"):
        given = {**body, "secrets": {name: value}}
        answers = [
            await api.client.post("/v1/inboxes", json=given | {"name": "other"}, headers=headers),
            await api.client.put(f"/v1/inboxes/{made['id']}", json=given, headers=headers),
        ]
        assert [(one.status_code, one.json()["field"]) for one in answers] == [(422, f"secrets.{name}")] * 2
        assert not any("kısa" in one.text for one in answers)
    again = (await api.client.get(f"/v1/inboxes/{made['id']}", headers=headers)).json()
    assert set(again["secrets_set"]) >= set(made["secrets_set"])


async def test_who_only_reads_the_configuration_is_not_told_the_addresses(api: Api, workspace: Workspace) -> None:
    for scopes, told in (
        (("config:read",), False), (("config:read", "messages:write"), True), (("config:read", "config:write"), True), ((), True),
    ):  # fmt: skip
        headers = await api.key(workspace.id, *scopes)
        text = (await api.client.get("/v1/inboxes", headers=headers)).text
        for provider in PROOFS:
            assert (f"token-{workspace.inboxes[provider]}" in text) is told, (scopes, provider)


async def test_inboxes_from_before_stay_open_until_the_day(api: Api, workspace: Workspace, worker_db: Database) -> None:
    new = {"name": "yeni", "provider": "asterisk"}
    made = (await api.client.post("/v1/inboxes", json=new, headers=await api.key(workspace.id))).json()
    async with worker_db.batch() as connection:
        await connection.execute("update santral.inbox set secrets = null where name = 'yeni'")
        path = await connection.fetchval("select path_token from santral.inbox where name = 'yeni'")
    assert made["webhook_path"] == f"/in/{path}"
    request = Request(method="POST", url="", headers={}, query={}, body=b"", received_at=datetime.now(UTC))
    for until, before in ((TOMORROW, True), (YESTERDAY, False)):
        directory = Directory(worker_db, api.sealer, grace_until=until)
        await directory.refresh()
        for token, is_open in ((f"token-{workspace.inboxes['asterisk']}", before), (path, False)):
            target = directory.target(token)
            if is_open:
                assert adapter_for("asterisk").verify(target, request) is None
            else:
                with pytest.raises(Unauthenticated, match="has no secret"):
                    adapter_for("asterisk").verify(target, request)


async def test_the_doctor_names_them(api: Api, workspace: Workspace, worker_db: Database) -> None:
    sealed = api.sealer.seal({"signing_secret": "a secret from before then"})
    async with worker_db.batch() as connection:
        await connection.execute("update santral.inbox set secrets = $1 where name = 'api'", sealed)
    said = [finding.text for finding in await look_at_open_inboxes(worker_db, api.sealer, TOMORROW)]
    assert len(said) == 3
    assert "inbox asterisk has no post_secret and takes posts of anybody" in said[0]
    assert "inbox smtp has no post_secret" in said[1]
    assert said[2].startswith("1 still take the first scheme")
    said = [finding.text for finding in await look_at_open_inboxes(worker_db, api.sealer, YESTERDAY)]
    assert [text.rpartition(" and ")[2] for text in said] == ["takes no posts", "takes no posts"]
    async with worker_db.batch() as connection:
        await connection.execute("update santral.inbox set grace = false")
    (finding,) = await look_at_open_inboxes(worker_db, api.sealer, TOMORROW)
    assert finding.state == "OK"
