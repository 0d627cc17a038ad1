"""Every list of the API, by the document: more rows than a page, all pages walked, each row once, `next` null only at the end."""

from __future__ import annotations

import json
from typing import Any, Final
from uuid import UUID

from shared.database import Connection, Database
from shared.ids import new_id
from tests.support.api import Api
from tests.support.operations import filled, operations, seeded
from tests.support.workspaces import Workspace, add_item

MORE: Final = 4
"""How many rows each list gets beside the first."""

_COPY: Final = """
insert into santral.{0} select (jsonb_populate_record(null::santral.{0}, to_jsonb(t) || $2::jsonb)).*
from santral.{0} t where t.workspace_id = $1 and {1} limit 1
"""
QUERIES: Final = {
    "read_arrivals": {"from": "2000-01-01T00:00:00Z", "to": "2000-01-20T00:00:00Z"},
    "list_decisions": {"conversation_id": "{conversation_id}"},
}  # fmt: skip


def lists(api: Api) -> dict[str, tuple[str, int]]:
    """The path, and the largest page, of every operation that answers in pages. Whoever takes a limit takes a cursor too."""
    found = {}
    for verb, path, operation in operations(api):
        asked = {one["name"]: one["schema"] for one in operation.get("parameters", ())}
        # Reading the audit adds to it: `test_audit_reader.py` walks through its pages.
        if verb == "GET" and "limit" in asked and operation["operationId"] != "list_audit":
            assert "cursor" in asked, f"{operation['operationId']} has pages and takes no cursor"
            found[operation["operationId"]] = (path, asked["limit"]["maximum"])
    return found


async def fill(db: Database, workspace: Workspace, ids: dict[str, str]) -> None:
    """More of everything that there is a list of."""
    w, profile, conversation = workspace.id, UUID(ids["profile_id"]), UUID(ids["conversation_id"])
    items = [await add_item(db, workspace, age_s=n) for n in range(MORE)]
    async with db.batch() as connection:
        await connection.execute(
            "insert into santral.profile (workspace_id, id) values ($1, $2) on conflict do nothing", w, profile
        )
        # A key and a role without scopes reach nobody.
        await connection.execute("update santral.api_key set scopes = '{profiles:read}' where id = $1", UUID(ids["key_id"]))
        await connection.execute(
            "update santral.role set scopes = '{profiles:read}', visibility = 'workspace' where name = 'special'"
        )
        await connection.execute("update santral.plan set document = $2 where workspace_id = $1", w, {"steps": [{}]})
        await connection.execute("update santral.sla set targets = $2 where workspace_id = $1", w, [{"first_response_s": 60}])

        async def copied(table: str, where: str, **changes: Any) -> None:
            await connection.execute(_COPY.format(table, where), w, json.loads(json.dumps(changes, default=str)))

        for n in range(MORE):
            one = new_id()
            await copied("message", "seq = 1", id=one, seq=2 + n, external_id=str(one), body={"automatic": {"kind": "bulk"}})
            await copied("receipt", f"id = '{ids['message_id']}'", id=one, seq=2 + n)
            await copied("decision", f"id = '{ids['decision_id']}'", id=new_id())
            await copied("quarantine", f"id = '{ids['entry_id']}'", id=new_id(), message_id=new_id())
            await copied("api_key", f"id = '{ids['key_id']}'", id=new_id(), public_id=f"public{n}")
            await copied("shift", f"id = '{ids['shift_id']}'", id=new_id())
            await copied("hold", f"id = '{ids['hold_id']}'", id=new_id())
            await copied("policy", "version = 77", version=78 + n)
            await copied("connection", f"id = '{ids['connections']}'", id=new_id(), name=f"meta{n}", path_token=f"path{n}")
            await copied("agent", f"id = '{ids['agent_id']}'", id=new_id(), name=f"agent{n}")
            await copied("queue", f"id = '{ids['queues']}'", id=new_id(), name=f"queue{n}")
            await copied("user", f"id = '{ids['users']}'", id=new_id(), name=f"user{n}")
            for table in ("skill", "calendar", "sla", "plan", "role"):
                await copied(table, f"name = '{'special' if table == 'role' else 'kahve'}'", name=f"{table}{n}")
            await _happened(connection, w, conversation, items[n], n)
            other = await connection.fetchval(
                "insert into santral.handle (workspace_id, id, kind, value, profile_id) values ($1, $2, 'email', $3, $2) returning id",
                w, new_id(), f"kisi{n}@ornek.com",
            )  # fmt: skip
            a, b = sorted((profile, other))
            await copied("suggestion", f"id = '{ids['suggestion_id']}'", id=new_id(), a=a, b=b)
            await connection.execute(
                "insert into santral.profile_view (workspace_id, id, profile_id, actor) values ($1, $2, $3, $4)",
                w, new_id(), profile, f"agent:{n}",
            )  # fmt: skip
            await connection.execute(
                "insert into santral.profile_change (workspace_id, profile_id, version, what, cause) values ($1, $2, $3, '{}', '{}')",
                w, profile, 2 + n,
            )  # fmt: skip
            await connection.execute(
                "insert into santral.note (workspace_id, id, handle_id, text, actor) values ($1, $2, $3, 'x', 'user:1')",
                w, new_id(), profile,
            )  # fmt: skip
            await connection.execute(
                "insert into santral.bulk_digest (workspace_id, day, mails, senders, message_ids) values ($1, current_date - $2::int, 1, 1, '{}')",
                w, n,
            )  # fmt: skip

        await connection.execute(
            "insert into santral.profile (workspace_id, id) select workspace_id, id from santral.handle on conflict do nothing"
        )


async def _happened(connection: Connection, workspace_id: UUID, conversation: UUID, item: UUID, n: int) -> None:
    """An event of the conversation, and an item that came in the range that reports are asked about."""
    event = (
        "insert into santral.event (workspace_id, id, type, at, conversation_id, seq, data) values ($1, $2, $3, now(), $4, $5, $6)"
    )
    await connection.execute(event, workspace_id, new_id(), "item.woken", conversation, 1 + n, {"n": n})
    # An item's id carries its time.
    old = UUID(int=(946_900_000_000 + n << 80) | 0x7 << 76 | 0x8 << 60 | n)
    own = await connection.fetchval("select conversation_id from santral.work_item where id = $1", item)
    await connection.execute("update santral.work_item set id = $3 where workspace_id = $1 and id = $2", workspace_id, item, old)
    await connection.execute(
        event, workspace_id, new_id(), "item.queued", own, 1, {"item_id": str(old), "state": "queued", "version": 1}
    )


async def test_all_pages_of_every_list_are_the_whole_list(api: Api, workspace: Workspace, worker_db: Database) -> None:
    ids = await seeded(worker_db, workspace)
    await fill(worker_db, workspace, ids)
    headers, wrong = await api.key(workspace.id), []
    for name, (path, most) in lists(api).items():

        async def page(limit: int, cursor: str | None = None, name: str = name, path: str = path) -> tuple[list[Any], str | None]:
            asked = {word: value.format(**ids) for word, value in QUERIES.get(name, {}).items()}
            query: dict[str, str | int] = {**asked, "limit": limit, **({"cursor": cursor} if cursor else {})}
            answer = await api.client.get(filled(path, ids), params=query, headers=headers)
            if answer.status_code != 200:
                wrong.append(f"{name}: {answer.text}")
                return [], None
            return answer.json()["items"], answer.json()["next"]

        whole, after = await page(most)
        if len(whole) < 3:
            wrong.append(f"{name}: this test makes no rows of it")
            continue
        if after is not None:
            wrong.append(f"{name}: more behind the end")
        for limit in (1, 2, len(whole) - 1, len(whole)):
            walked: list[Any] = []
            sizes: list[int] = []
            cursor: str | None = None
            while True:
                items, cursor = await page(limit, cursor)
                walked += items
                sizes.append(len(items))
                if cursor is None or len(sizes) > len(whole):
                    break
            if walked != whole or sizes[:-1] != [limit] * (len(sizes) - 1) or not sizes[-1]:
                wrong.append(f"{name} by {limit}: {sizes} of {len(whole)}")
    assert wrong == []


async def test_a_conversation_of_230_has_a_next_page(api: Api, workspace: Workspace, worker_db: Database) -> None:
    ids = await seeded(worker_db, workspace)
    async with worker_db.batch() as connection:
        await connection.execute(
            "insert into santral.message select (jsonb_populate_record(null::santral.message, to_jsonb(t) || jsonb_build_object("
            "'id', gen_random_uuid(), 'seq', n, 'external_id', n))).* from santral.message t, generate_series(2, 230) n"
            " where t.workspace_id = $1 and t.seq = 1",
            workspace.id,
        )
    headers, path = await api.key(workspace.id), f"/v1/conversations/{ids['conversation_id']}/messages"
    first = (await api.client.get(path, headers=headers)).json()
    assert (len(first["items"]), first["next"]) == (200, "200")
    for name in ("cursor", "after_seq"):
        rest = (await api.client.get(path, headers=headers, params={name: first["next"]})).json()
        assert ([one["seq"] for one in rest["items"]], rest["next"]) == (list(range(201, 231)), None)
    bad = await api.client.get(path, headers=headers, params={"cursor": "x"})
    assert (bad.status_code, bad.json()["field"]) == (422, "cursor")
