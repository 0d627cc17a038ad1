"""Whose customers a site's signed ids are: the workspace's, or its own where the inbox says so."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from ingest.adapter import Inbox
from ingest.adapters.webchat import draft_of
from services.api.chat_sessions import vouch
from services.doctor.customer_ids import look_at_customer_ids
from shared.database import Database
from shared.ids import new_id
from tests.support.api import Api
from tests.support.chat import IDENTITY
from tests.support.intake_line import SECRET, Line, member_of, message_to, rows
from tests.support.workspaces import Workspace

OTHER = "the other site's secret of enough characters"


async def sites(api: Api, workspace: Workspace, *settings: dict[str, Any]) -> list[Inbox]:
    """A chat inbox for each of the settings, each with a signing key of its own."""
    made = []
    for place, one in enumerate(settings):
        inbox = workspace.inboxes["webchat"] if place == 0 else new_id()
        secrets = api.sealer.seal({"identity_secret": (IDENTITY, OTHER)[place]})
        async with api.worker.batch() as connection:
            await connection.execute(
                "insert into santral.inbox (workspace_id, id, name, channel, provider, path_token, settings, secrets)"
                " values ($1, $2, $3, 'chat', 'webchat', $3, $4, $5)"
                " on conflict (workspace_id, id) do update set settings = excluded.settings, secrets = excluded.secrets",
                workspace.id, inbox, f"site-{place}", one, secrets,
            )  # fmt: skip
        made.append(
            Inbox(workspace_id=workspace.id, id=inbox, name=f"site-{place}", channel="chat", provider="webchat", settings=one)
        )
    return made


async def written(worker_db: Database, workspace: Workspace, inboxes: list[Inbox]) -> list[tuple[UUID, UUID]]:
    """What customer 7 of each site says is taken in: whose it is, and its conversation."""
    line, member = Line(), await member_of(worker_db)
    for inbox in inboxes:
        visitor, name = uuid4(), str(uuid4())
        draft = draft_of(
            inbox,
            visitor_id=visitor,
            client_id=name,
            text=inbox.name,
            claims={"external_id": "7"},
            asserted={},
            sent_at=datetime.now(UTC),
        )
        line.add(message_to(workspace, "webchat", name, **{**draft.values, "inbox_id": inbox.id}))
        await member.take(line)
    found = await rows(
        worker_db,
        "select h.profile_id, m.conversation_id from santral.message m join santral.handle h on h.id = m.handle_id where m.direction = 'in'"
        " order by m.accepted_at, m.text",
    )
    return [(row["profile_id"], row["conversation_id"]) for row in found]


@pytest.mark.parametrize(("settings", "people"), [(({}, {}), 1), (({}, {"identity_scope": "workspace"}), 1),
                                                  (({}, {"identity_scope": "site-b"}), 2),
                                                  (({"identity_scope": "both"}, {"identity_scope": "both"}), 1)])  # fmt: skip
async def test_the_same_id_of_two_sites(
    api: Api, workspace: Workspace, worker_db: Database, settings: tuple[dict[str, Any], ...], people: int
) -> None:
    found = await written(worker_db, workspace, await sites(api, workspace, *settings))
    assert len(found) == 2
    assert len({profile for profile, _ in found}) == people
    assert len({conversation for _, conversation in found}) == people


async def test_who_signs_in_while_they_chat_is_the_sites_customer(api: Api, workspace: Workspace, worker_db: Database) -> None:
    first, second = await sites(api, workspace, {}, {"identity_scope": "site-b"})
    [(profile, _)] = await written(worker_db, workspace, [first])
    visitor, line, member = uuid4(), Line(partition=1), await member_of(worker_db)
    draft = draft_of(second, visitor_id=visitor, client_id="one", text="hello", claims={}, asserted={}, sent_at=datetime.now(UTC))
    line.add(message_to(workspace, "webchat", "one", **{**draft.values, "inbox_id": second.id}))
    await member.take(line)
    async with worker_db.batch() as connection:
        assert await vouch(
            connection, inbox=second, secret=SECRET, visitor_id=visitor, claims={"external_id": "7"}, now=datetime.now(UTC)
        )
        owner = await connection.fetchval(
            "select profile_id from santral.handle where kind = 'visitor' and value = $1", str(visitor)
        )
        scopes = await connection.fetch("select scope from santral.handle where kind = 'external_id' order by scope")
    assert owner != profile
    assert [row["scope"] for row in scopes] == ["", "site-b"]


@pytest.mark.parametrize(
    ("settings", "state"),
    [
        (({}, {}), "WARN"),
        (({}, {"identity_scope": "site-b"}), "OK"),
        (({"identity_scope": "workspace"}, {}), "OK"),
    ],
)
async def test_doctor_names_sites_that_do_not_say(
    api: Api, workspace: Workspace, worker_db: Database, settings: tuple[dict[str, Any], ...], state: str
) -> None:
    await sites(api, workspace, *settings)
    [finding] = await look_at_customer_ids(worker_db, api.sealer)
    assert finding.state == state
    assert (state == "WARN") == ("webchat, site-1" in finding.text or "site-1, webchat" in finding.text)
    assert IDENTITY not in finding.text


async def test_one_key_in_two_chats_is_one_list_of_customers(api: Api, workspace: Workspace, worker_db: Database) -> None:
    await sites(api, workspace, {}, {})
    async with worker_db.batch() as connection:
        secrets = {"identity_secret": OTHER, "identity_secret_previous": IDENTITY}
        await connection.execute("update santral.inbox set secrets = $1 where name = 'site-1'", api.sealer.seal(secrets))
    assert [one.state for one in await look_at_customer_ids(worker_db, api.sealer)] == ["OK"]
