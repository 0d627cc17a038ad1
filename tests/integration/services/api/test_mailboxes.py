"""A mail address is one inbox's in the whole deployment: no other workspace gets the mail of it, nor of its plus-addresses."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from ingest.directory import Directory
from services.schema.migrate import migrate
from shared.database import Database
from tests.support.api import Api
from tests.support.schema import migrate_to
from tests.support.servers import PostgresServer
from tests.support.workspaces import Workspace, make_workspace

HELP = "yardim@ornek.com"


async def create(api: Api, workspace: Workspace, address: str | None, **more: Any) -> httpx.Response:
    body = {"name": f"mail-{uuid4().hex[:8]}", "provider": "smtp", "address": address, **more}
    return await api.client.post("/v1/inboxes", json=body, headers=await api.key(workspace.id))


async def receiver_at(api: Api, address: str) -> UUID | None:
    """The workspace that gets a mail to this address."""
    directory = Directory(api.worker, api.sealer)
    await directory.refresh()
    inbox = directory.mailbox(address)
    return None if inbox is None else inbox.workspace_id


@pytest.fixture
async def rival(worker_db: Database) -> Workspace:
    return await make_workspace(worker_db)


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [(HELP, HELP), (HELP, "Yardim@ORNEK.com"), ("yardim@örnek.com", "yardim@xn--rnek-4qa.com"), (HELP, '"yardim"@ornek.com')],
)
async def test_another_workspace_does_not_get_the_mail_of_an_address(
    api: Api, workspace: Workspace, rival: Workspace, mine: str, theirs: str
) -> None:
    assert (await create(api, workspace, mine)).status_code == 201
    answer = await create(api, rival, theirs)
    assert (answer.status_code, answer.json()["field"]) == (409, "address"), answer.text
    assert str(workspace.id) not in answer.text
    other = (await create(api, rival, "baska@ornek.com")).json()
    moved = await api.client.put(
        f"/v1/inboxes/{other['id']}", json={"name": "baska", "provider": "smtp", "address": theirs}, headers=await api.key(rival.id)
    )
    assert (moved.status_code, moved.json()["field"]) == (409, "address")
    assert await receiver_at(api, mine) == await receiver_at(api, theirs) == workspace.id


@pytest.mark.parametrize(("first", "second"), [(HELP, "yardim+vip@ornek.com"), ("yardim+vip@ornek.com", HELP)])
async def test_a_plus_address_is_whose_it_or_its_own_address_was_first(
    api: Api, workspace: Workspace, rival: Workspace, first: str, second: str
) -> None:
    for whose, address in ((workspace, first), (rival, second)):
        assert (await create(api, whose, address)).status_code == 201
    assert await receiver_at(api, first) == await receiver_at(api, "yardim+vip@ornek.com") == workspace.id


async def test_an_address_that_is_given_up_is_free_and_one_that_stays_keeps_its_place(
    api: Api, workspace: Workspace, rival: Workspace
) -> None:
    made, headers = (await create(api, workspace, HELP)).json(), await api.key(workspace.id)
    tagged = "yardim+vip@ornek.com"
    assert (await create(api, rival, tagged)).status_code == 201
    kept = {"name": "yardim", "provider": "smtp", "address": "YARDIM@ornek.com", "enabled": False}
    assert (await api.client.put(f"/v1/inboxes/{made['id']}", json=kept, headers=headers)).status_code == 200
    assert (await create(api, rival, HELP)).status_code == 409, "disabled, and still its own"
    assert (await api.client.put(f"/v1/inboxes/{made['id']}", json=kept | {"enabled": True}, headers=headers)).status_code == 200
    assert await receiver_at(api, tagged) == workspace.id
    gone = {"name": "yardim", "provider": "api", "address": None}
    assert (await api.client.put(f"/v1/inboxes/{made['id']}", json=gone, headers=headers)).status_code == 200
    assert (await create(api, rival, HELP)).status_code == 201
    assert await receiver_at(api, HELP) == rival.id


async def test_what_a_release_before_wrote_gets_no_mail_of_an_address_that_is_somebodys(
    api: Api, workspace: Workspace, rival: Workspace
) -> None:
    made = (await create(api, workspace, HELP)).json()
    async with api.worker.batch() as connection:
        await connection.execute("update santral.inbox set address = $2 where id = $1", rival.inboxes["smtp"], HELP)
    assert await receiver_at(api, HELP) == workspace.id
    async with api.worker.batch() as connection:
        await connection.execute("delete from santral.inbox where id = $1", UUID(made["id"]))
    assert await receiver_at(api, HELP) == rival.id, "nobody's by the rule, and told in no other way"


async def test_of_inboxes_with_one_address_from_before_it_is_the_oldest_ones(postgres: PostgresServer) -> None:
    name = f"test_{uuid4().hex[:12]}"
    urls = await postgres.create_database(name)
    try:
        await migrate_to(urls.owner, "0013")
        connection = await asyncpg.connect(urls.owner)
        try:
            ids = [uuid4() for _ in range(4)]
            for at, (one, provider, address) in enumerate(
                [
                    (ids[0], "smtp", "A@ornek.com"),
                    (ids[1], "smtp", "a@Ornek.com"),
                    (ids[2], "smtp", None),
                    (ids[3], "api", "a@ornek.com"),
                ]
            ):
                workspace = uuid4()
                await connection.execute(
                    "insert into santral.workspace (id, workspace_id, name, title) values ($1, $1, $2, '')",
                    workspace,
                    str(workspace),
                )
                await connection.execute(
                    "insert into santral.inbox (workspace_id, id, name, channel, provider, address, path_token, created_at)"
                    " values ($1, $2, 'mail', 'email', $3, $4, $5, now() + $6 * interval '1 s')",
                    workspace, one, provider, address, str(one), at,
                )  # fmt: skip
            await migrate(urls.owner)
            rows = await connection.fetch(
                "select id, mailbox, mailbox_at = created_at as since from santral.inbox where mailbox is not null"
            )
            assert [tuple(row) for row in rows] == [(ids[0], "a@ornek.com", True)]
        finally:
            await connection.close()
    finally:
        await postgres.drop_database(name)
