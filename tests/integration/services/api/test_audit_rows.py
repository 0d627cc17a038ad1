"""Every changing operation writes exactly one audit row, in its own transaction. By the document, so that no operation is missing.

Each is called twice: with an audit that takes no row, when nothing may change at all, and as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import httpx
import pytest

from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from shared.ids import new_id
from shared.message import Automatic
from tests.support.api import Api
from tests.support.intake_line import rows
from tests.support.operations import body_of, filled, operations, seeded
from tests.support.shift import Shift
from tests.support.workspaces import Workspace, make_workspace

UNWRITTEN: Final = {
    "post_message": "the message is the record: it names the key that gave it",
    "open_chat_session": "anybody may open one: a row for each would let strangers fill the audit",
    "end_chat_session": "a customer's own",
}
"""Operations that change something and leave no row, and why."""

READS: Final = {
    "search_profiles", "explain_written_handles", "look_up_profiles", "ask_arrivals", "re_evaluate_decision", "check_decisions",
    "evaluate_policy", "check_policy", "compute_deadline",
}  # fmt: skip
"""Operations that only ask, with more than an address can hold."""

FAIL: Final = """
create function santral.no_audit() returns trigger language plpgsql as $$ begin raise query_canceled; end $$;
create trigger no_audit before insert on santral.audit for each row execute function santral.no_audit();
"""
WORK: Final = "drop trigger no_audit on santral.audit; drop function santral.no_audit()"

NOW: Final = datetime.now(UTC)
SPAN: Final = {"from": (NOW - timedelta(days=1)).isoformat(), "to": NOW.isoformat()}
IMPORT: Final = {
    "rows": [{"row": 1, "handles": [{"kind": "email", "value": "a@ornek.com"}], "traits": {}, "consents": []}],
    "next_row": 2,
}


@dataclass(slots=True, kw_only=True)
class Stage:
    """One workspace to call an operation in."""

    api: Api
    db: Database
    workspace: Workspace
    shift: Shift | None
    ids: dict[str, str] = field(default_factory=dict)
    admin: dict[str, str] = field(default_factory=dict)
    deniz: dict[str, str] = field(default_factory=dict)

    async def made(self, path: str, **body: Any) -> str:
        """The id of what was created."""
        answer = await self.api.client.post(f"/v1/{path}", json=body, headers=self.admin)
        assert answer.status_code < 300, answer.text
        said = answer.json()
        return str(said.get("id") or said.get("name") or said["version"])

    async def others(self) -> tuple[str, str]:
        """A handle of the seeded customer, and one of another."""
        found = await rows(
            self.db, "select id from santral.handle where workspace_id = $1 order by value = 'iki@ornek.com', id", self.workspace.id
        )
        return str(found[0]["id"]), str(found[-1]["id"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """How an operation is called: what stands in the path, the body and the query, and by whom."""

    ids: dict[str, str] = field(default_factory=dict)
    body: Any = None
    params: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] | None = None
    content: bytes | None = None


Calls = dict[str, Callable[[Stage], Awaitable[Given]]]
SEEDED: Final[Calls] = {}
ON_SHIFT: Final[Calls] = {}


def seeded_call(prepare: Callable[[Stage], Awaitable[Given]]) -> Callable[[Stage], Awaitable[Given]]:
    """A call on one seeded object of each kind; the others of that sort are called with the document's examples."""
    SEEDED[prepare.__name__] = prepare
    return prepare


def shift_call(prepare: Callable[[Stage], Awaitable[Given]]) -> Callable[[Stage], Awaitable[Given]]:
    """A call on work that came in and was given out."""
    ON_SHIFT[prepare.__name__] = prepare
    return prepare


for name, body in {
    "create_connection": {"name": "c", "provider": "meta"},
    "replace_connection": {"name": "meta", "provider": "meta", "secrets": {"app_secret": "x" * 32}},
    "create_inbox": {"name": "i", "provider": "asterisk"},
    "replace_inbox": {"name": "api", "provider": "api", "enabled": False},
    "replace_role": {"name": "special", "scopes": ["config:read"], "visibility": "own"},
    "create_user": {"name": "u2", "role": "special"},
    "replace_user": {"name": "u3", "role": "special"},
    "create_sla": {"name": "s", "targets": [{"channel": "chat", "first_response_s": 60}]},
    "replace_sla": {"name": "s", "targets": [{"channel": "chat", "first_response_s": 60}]},
    "make_key": {"name": "k", "scopes": ["config:read"]},
    "save_policy": {"document": {"default_queue": "genel"}, "active": True},
    "ask_arrivals": {**SPAN, "document": {"default_queue": "genel"}},
    "check_decisions": {"since": SPAN["from"]},
    "compute_deadline": {"start": "2026-03-28T10:00:00Z", "target_s": 60},
    "evaluate_policy": {"facts": {"message": {"channel": "chat"}}, "document": {"default_queue": "genel"}},
}.items():
    SEEDED[name] = lambda stage, body=body: asyncio.sleep(0, Given(body=body))  # type: ignore[misc]


@seeded_call
async def delete_queue(stage: Stage) -> Given:
    return Given(ids={"queues": await stage.made("queues", name="gider")})


@seeded_call
async def delete_role(stage: Stage) -> Given:
    return Given(ids={"roles": await stage.made("roles", name="gider", scopes=[], visibility="own")})


@seeded_call
async def delete_agent(stage: Stage) -> Given:
    return Given(ids={"agents": await stage.made("agents", name="Giden")})


@seeded_call
async def rollback_policy(stage: Stage) -> Given:
    for _ in range(2):
        await stage.made("policies", document={"default_queue": "genel"}, active=True)
    return Given()


@seeded_call
async def erase_profile(stage: Stage) -> Given:
    handle, _ = await stage.others()
    return Given(ids={"profile_id": handle}, body={"reason": "law", "confirm": handle})


@seeded_call
async def place_hold(stage: Stage) -> Given:
    handle, _ = await stage.others()
    return Given(body={"kind": "person", "subject_id": handle, "reason": "dava"})


@seeded_call
async def redact_part(stage: Stage) -> Given:
    blob = f"{stage.workspace.id}/{new_id()}/attachment-1"
    part = {
        "blob": blob,
        "name": "a.png",
        "content_type": "image/png",
        "size_bytes": 1,
        "role": "attachment",
    }
    async with stage.db.batch() as connection:
        await connection.execute(
            "update santral.message set body = body || $1 where id = $2", {"parts": [part]}, UUID(stage.ids["message_id"])
        )
    return Given(body={"reason": "secret"})


@seeded_call
async def keep_file(stage: Stage) -> Given:
    return Given(content=b"bytes", params={"name": "a.txt"})


@seeded_call
async def exchange_code(stage: Stage) -> Given:
    return Given(body={"code": await stage.api.session(stage.workspace.id, "code", agent_id=stage.workspace.agent_id)}, headers={})


@seeded_call
async def sign_out(stage: Stage) -> Given:
    return Given(headers=stage.deniz)


@seeded_call
async def sign_out_everywhere(stage: Stage) -> Given:
    return Given(headers=stage.deniz)


@seeded_call
async def put_import_rows(stage: Stage) -> Given:
    return Given(body=IMPORT, params={"first_row": 1})


@seeded_call
async def merge_profiles(stage: Stage) -> Given:
    one, other = await stage.others()
    return Given(ids={"profile_id": one}, body={"with": other})


@seeded_call
async def unmerge_profile(stage: Stage) -> Given:
    one, other = await stage.others()
    done = await stage.api.client.post(f"/v1/profiles/{one}/merge", json={"with": other}, headers=stage.admin)
    return Given(ids={"profile_id": one}, body={"link": done.json()["link_id"]})


@seeded_call
async def share_handle(stage: Stage) -> Given:
    one, _ = await stage.others()
    return Given(ids={"profile_id": one}, body={"handle": one})


@seeded_call
async def explain_written_handles(stage: Stage) -> Given:
    found = await rows(
        stage.db, "select kind, scope, value from santral.handle where workspace_id = $1 limit 2", stage.workspace.id
    )
    return Given(body={"handles": found})


def on(stage: Stage) -> Shift:
    assert stage.shift is not None
    return stage.shift


async def colleague(stage: Stage) -> UUID:
    return await on(stage).colleague()


@shift_call
async def accept_offer(stage: Stage) -> Given:
    item = await on(stage).waiting()
    await on(stage).settle()
    return Given(ids={"offer_id": str((await on(stage).offer(item))["id"])}, headers=stage.deniz)


@shift_call
async def decline_offer(stage: Stage) -> Given:
    return await accept_offer(stage)


@shift_call
async def claim_item(stage: Stage) -> Given:
    return Given(ids={"item_id": str(await on(stage).waiting())}, headers=stage.deniz)


@shift_call
async def cancel_item(stage: Stage) -> Given:
    return Given(ids={"item_id": str(await on(stage).waiting())}, body={"reason": "doppelt"})


async def mine(stage: Stage, **body: Any) -> Given:
    return Given(ids={"item_id": str(await on(stage).mine())}, headers=stage.deniz, body=body)


@shift_call
async def finish_item(stage: Stage) -> Given:
    return await mine(stage)


@shift_call
async def park_item(stage: Stage) -> Given:
    return await mine(stage)


@shift_call
async def transfer_item(stage: Stage) -> Given:
    return await mine(stage, to_agent=str(await colleague(stage)))


@shift_call
async def assign_item(stage: Stage) -> Given:
    given = await mine(stage, agent=str(await colleague(stage)))
    return Given(ids=given.ids, body=given.body)


@shift_call
async def handover(stage: Stage) -> Given:
    bot = await on(stage).colleague("Robot", kind="bot")
    item = await on(stage).waiting()
    await on(stage).execute(
        "update santral.agent set presence = 'offline', version = version + 1 where id = $1", stage.workspace.agent_id
    )
    await on(stage).tell("agent", stage.workspace.agent_id)
    if (await on(stage).item(item))["state"] == "offered":
        await on(stage).accept(item)
    return Given(ids={"item_id": str(item)}, headers=await stage.api.agent(stage.workspace.id, bot), body={})


@shift_call
async def register_call(stage: Stage) -> Given:
    return Given(body={"inbox": "asterisk", "call_id": "1.2", "direction": "out", "number": "0532 123 45 67"}, headers=stage.deniz)


@shift_call
async def end_call(stage: Stage) -> Given:
    given = await register_call(stage)
    answer = await stage.api.client.post("/v1/calls", json=given.body, headers=stage.deniz)
    assert answer.status_code == 201, answer.text
    return Given(ids={"call_id": "1.2"}, body={"inbox": "asterisk"}, headers=stage.deniz)


@shift_call
async def write_first(stage: Stage) -> Given:
    body = {"inbox": "smtp", "to": {"value": "ayse@ornek.com"}, "subject": "S", "content": {"kind": "text", "text": "Merhaba"}}
    return Given(body=body, headers=stage.deniz)


@shift_call
async def write_reply(stage: Stage) -> Given:
    item = await on(stage).mine()
    conversation = str((await on(stage).item(item))["conversation_id"])
    return Given(
        ids={"conversation_id": conversation}, body={"content": {"kind": "text", "text": "Bakıyorum"}}, headers=stage.deniz
    )


async def two_conversations(stage: Stage) -> tuple[str, str]:
    found = [str((await on(stage).item(await on(stage).waiting(who="v1", text=text)))["conversation_id"]) for text in ("bir",)]
    await on(stage).writes("iki", who="v1")
    other = await on(stage).item(await on(stage).waiting(who="v2", text="üç"))
    return found[0], str(other["conversation_id"])


async def said(stage: Stage, text: str) -> str:
    return str((await rows(stage.db, "select id from santral.message where text = $1", text))[0]["id"])


@shift_call
async def merge_conversation(stage: Stage) -> Given:
    one, other = await two_conversations(stage)
    return Given(ids={"conversation_id": one}, body={"into": other})


@shift_call
async def split_conversation(stage: Stage) -> Given:
    one, _ = await two_conversations(stage)
    return Given(ids={"conversation_id": one}, body={"messages": [await said(stage, "iki")]})


@shift_call
async def move_message(stage: Stage) -> Given:
    _, other = await two_conversations(stage)
    return Given(ids={"message_id": await said(stage, "iki")}, body={"conversation": other})


@shift_call
async def undo_placement(stage: Stage) -> Given:
    given = await merge_conversation(stage)
    path = f"conversations/{given.ids['conversation_id']}/merge"
    return Given(ids={"operation_id": await stage.made(path, **given.body)})


@shift_call
async def make_work(stage: Stage) -> Given:
    mark = Automatic(kind="bulk", marked_only=True, evidence=("List-Id",))
    await on(stage).writes("Haber", provider="smtp", who="haber@ornek.net", automatic=mark)
    return Given(ids={"message_id": await said(stage, "Haber")}, body={})


async def picture(db: Database, workspace: UUID) -> dict[str, str]:
    """Every row of a workspace, by table; when a credential was last used is no change of anybody's."""
    tables = await rows(
        db, "select table_name as name from information_schema.columns where table_schema = 'santral' and column_name = 'workspace_id'"
        " and table_name in (select relname from pg_class where relkind = 'r')",
    )  # fmt: skip
    parts = " union all ".join(
        f"select '{one['name']}' as name, md5(coalesce(string_agg((to_jsonb(t) - 'used_at')::text, '|' order by (to_jsonb(t) - 'used_at')::text),"
        f" '')) as digest from santral.\"{one['name']}\" t where workspace_id = '{workspace}'"
        for one in tables
    )  # fmt: skip
    return {row["name"]: row["digest"] for row in await rows(db, parts)}


@asynccontextmanager
async def no_audit(urls: PostgresUrls) -> AsyncIterator[None]:
    """An audit that takes no row, for a while."""
    connection = await asyncpg.connect(urls.owner.replace("+asyncpg", ""))
    try:
        await connection.execute(FAIL)
        yield
        await connection.execute(WORK)
    finally:
        await connection.close()


def by_id(api: Api) -> dict[str, tuple[str, str, dict[str, Any]]]:
    return {one["operationId"]: (verb, path, one) for verb, path, one in operations(api) if verb != "GET"}


async def stage_of(api: Api, db: Database, workspace: Workspace, shift: Shift | None = None) -> Stage:
    stage = Stage(api=api, db=db, workspace=workspace, shift=shift)
    stage.ids = {} if shift else await seeded(db, workspace)
    stage.admin, stage.deniz = await api.key(workspace.id), await api.agent(workspace.id, workspace.agent_id)
    return stage


async def audited(db: Database, workspace: UUID) -> list[dict[str, Any]]:
    return await rows(db, "select * from santral.audit where workspace_id = $1 order by id", workspace)


async def wrong_with(name: str, stage: Stage, urls: PostgresUrls) -> str | None:
    """What is not as it should be with one operation; None where all is."""
    verb, path, operation = by_id(stage.api)[name]
    prepare = (ON_SHIFT if stage.shift else SEEDED).get(name)
    given = await prepare(stage) if prepare else Given(body=body_of(operation, stage.api.app.openapi(), 9))
    headers = stage.admin if given.headers is None else given.headers

    async def call() -> httpx.Response:
        what: dict[str, Any] = {"content": given.content} if given.content is not None else {"json": given.body}
        url = filled(path, {**stage.ids, **given.ids})
        return await stage.api.client.request(verb, url, **what, params=given.params, headers=headers)

    before, known = await picture(stage.db, stage.workspace.id), len(await audited(stage.db, stage.workspace.id))
    if name in READS:
        answer = await call()
        now = await picture(stage.db, stage.workspace.id)
        # Who looked at whom is written down of every look.
        changed = [table for table, digest in now.items() if before[table] != digest and table != "profile_view"]
        return f"{answer.status_code} {answer.text}" if answer.status_code != 200 else f"changed {changed}" if changed else None
    async with no_audit(urls):
        refused = await call()
        after = await picture(stage.db, stage.workspace.id)
    if refused.status_code < 500:
        return f"answers {refused.status_code} without its row: {refused.text}"
    if changed := [table for table, digest in after.items() if before[table] != digest]:
        return f"changed {changed} without its row"
    answer = await call()
    if answer.status_code >= 300:
        return f"{answer.status_code} {answer.text}"
    written = (await audited(stage.db, stage.workspace.id))[known:]
    return None if len(written) == 1 else f"wrote {[one['action'] for one in written]}"


async def test_every_change_writes_one_row_in_its_transaction(api: Api, worker_db: Database, database_urls: PostgresUrls) -> None:
    wrong = {}
    for name in by_id(api).keys() - UNWRITTEN.keys() - ON_SHIFT.keys():
        stage = await stage_of(api, worker_db, await make_workspace(worker_db, name=name.replace("_", "-")))
        if (found := await wrong_with(name, stage, database_urls)) is not None:
            wrong[name] = found
    assert not wrong, "\n".join(f"{name}: {why}" for name, why in wrong.items())


@pytest.mark.parametrize("name", ON_SHIFT)
async def test_every_work_on_items_writes_one_row_in_its_transaction(
    api: Api, shift: Shift, database_urls: PostgresUrls, name: str
) -> None:
    stage = await stage_of(api, shift.db, shift.workspace, shift)
    assert await wrong_with(name, stage, database_urls) is None


async def test_what_is_named_here_is_an_operation(api: Api) -> None:
    assert {*UNWRITTEN, *READS, *SEEDED, *ON_SHIFT} - by_id(api).keys() == set()


async def test_a_row_says_what_stood_there_and_what_stands_there_and_no_secret(
    api: Api, workspace: Workspace, worker_db: Database
) -> None:
    admin = await api.key(workspace.id)
    body = {
        "name": "dis",
        "provider": "asterisk",
        "settings": {"region": "TR"},
        "secrets": {"post_secret": "canary-secret-0123456789"},
    }
    answer = await api.client.post("/v1/inboxes", json=body, headers=admin)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    path = f"/v1/inboxes/{made['id']}"
    body = {**body, "settings": {"region": "DE"}, "secrets": {"post_secret": "canary-secret-9876543210"}}
    assert (await api.client.put(path, json=body, headers=admin)).status_code == 200
    assert (await api.client.delete(path, headers=admin)).status_code == 204
    created, replaced, deleted = [one["details"] for one in await audited(worker_db, workspace.id)]
    assert (created["after"]["name"], created["after"]["webhook_path"], created["secrets"]) == (
        "dis",
        "•••",
        {"post_secret": "•••"},
    )
    assert "before" not in created
    assert {side: replaced[side]["settings"]["region"] for side in ("before", "after")} == {"before": "TR", "after": "DE"}
    assert (set(replaced["after"]), replaced["secrets"]) == ({"settings"}, {"post_secret": "•••"})
    assert (deleted["before"]["name"], "after" in deleted) == ("dis", False)
    everything = str(await audited(worker_db, workspace.id))
    assert "canary" not in everything
    assert made["webhook_path"] not in everything


async def test_a_long_value_is_told_by_its_length(api: Api, workspace: Workspace, worker_db: Database) -> None:
    admin = await api.key(workspace.id)
    days: dict[str, list[Any]] = {f"{2000 + year}-01-{day:02}": [] for year in range(35) for day in range(1, 29)}
    made = await api.client.post("/v1/calendars", json={"name": "uzun", "overrides": days}, headers=admin)
    assert made.status_code == 201, made.text
    (row,) = await audited(worker_db, workspace.id)
    assert row["details"]["after"]["overrides"].endswith(" characters")


async def test_a_name_that_others_use_is_kept(api: Api, workspace: Workspace, worker_db: Database) -> None:
    await seeded(worker_db, workspace)
    admin = await api.key(workspace.id)
    answer = await api.client.put("/v1/roles/special", json={"name": "other", "scopes": [], "visibility": "own"}, headers=admin)
    assert (answer.status_code, await audited(worker_db, workspace.id)) == (409, []), answer.text


async def test_an_id_of_nobody_is_no_change(api: Api, workspace: Workspace, worker_db: Database) -> None:
    answer = await api.client.delete(f"/v1/keys/{new_id()}", headers=await api.key(workspace.id))
    assert (answer.status_code, await audited(worker_db, workspace.id)) == (404, [])
