"""The API's operations by its document, what each may be called with, and one object of each kind to call it about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from shared.database import Database
from shared.ids import new_id
from tests.support.api import Api
from tests.support.workspaces import Workspace, add_item


def operations(api: Api) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, verbs in api.app.openapi()["paths"].items():
        for verb, operation in verbs.items():
            yield verb.upper(), path, operation


def example(schema: dict[str, Any], document: dict[str, Any], place: int) -> Any:
    """A small value that a schema accepts, as far as these schemas go."""
    if "$ref" in schema:
        return example(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document, place)
    if schema.get("examples"):
        return schema["examples"][0]
    rules = [schema, *(schema[word][0] for word in ("anyOf", "oneOf") if "properties" in schema and word in schema)]
    rules += [one["oneOf"][0] for one in schema.get("allOf", ()) if "oneOf" in one]
    for word in ("anyOf", "oneOf"):
        if word in schema and "properties" not in schema:
            return example(schema[word][0], document, place)
    kind = schema.get("type")
    if "const" in schema or "enum" in schema:
        return schema.get("const", (schema.get("enum") or [None])[0])
    if kind == "object":
        return {name: example(schema["properties"][name], document, place) for one in rules for name in one.get("required", ())}
    if kind == "array":
        return [example(schema["items"], document, place)] * schema.get("minItems", 0)
    if kind == "integer":
        return schema.get("minimum", 1)
    if schema.get("format") == "uuid":
        return str(UUID(int=place + 1))
    return f"x{place}" if kind == "string" else True


def body_of(operation: dict[str, Any], document: dict[str, Any], place: int = 0) -> Any:
    if operation["operationId"] == "put_import_rows":  # read as it comes in, so the document has no model of it
        row = {"row": 1, "handles": [{"kind": "email", "value": "a@ornek.com"}], "name": "A", "traits": {}, "consents": []}
        return {"rows": [row], "next_row": 2}
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return None if content is None else example(content["schema"], document, place)


async def seeded(worker: Database, workspace: Workspace) -> dict[str, str]:
    """Ids of one object of each kind in a workspace, by path parameter."""
    item = await add_item(worker, workspace)
    names = "message decision offer entry key reply erasure export import suggestion shift operation hold".split()  # noqa: SIM905
    ids = {f"{name}_id": new_id() for name in names} | {"connection": new_id(), "user": new_id()}
    async with worker.batch() as connection:
        conversation, handle = await connection.fetchrow(
            "select i.conversation_id, c.handle_id from santral.work_item i join santral.conversation c on c.id = i.conversation_id"
            " where i.id = $1",
            item,
        )  # type: ignore[misc]
        w = workspace.id
        await connection.execute(
            "insert into santral.message (workspace_id, conversation_id, seq, id, direction, kind, channel, provider, inbox_id, handle_id,"
            " visibility, external_id, text, accepted_at) values ($1, $2, 1, $3, 'in', 'text', 'chat', 'webchat', $4, $5, 'private', 'x',"
            " 'Merhaba', now())",
            w, conversation, ids["message_id"], workspace.inboxes["webchat"], handle,
        )  # fmt: skip
        await connection.execute(
            "insert into santral.receipt (workspace_id, id, state, conversation_id, seq) values ($1, $2, 'taken', $3, 1), ($1, $4, 'taken', $3, 1)",
            w, ids["message_id"], conversation, ids["reply_id"],
        )  # fmt: skip
        await connection.execute(
            "insert into santral.delivery (workspace_id, id, conversation_id, message_id, inbox_id, handle_id, request)"
            " values ($1, $2, $3, $2, $4, $5, '{}')",
            w, ids["reply_id"], conversation, workspace.inboxes["webchat"], handle,
        )  # fmt: skip
        await connection.execute(
            "insert into santral.decision (workspace_id, id, kind, conversation_id, item_id, record) values ($1, $2, 'routing', $3, $4, '{}')",
            w, ids["decision_id"], conversation, item,
        )  # fmt: skip
        await connection.execute(
            "insert into santral.offer (workspace_id, id, item_id, agent_id, decision_id, state, until)"
            " values ($1, $2, $3, $4, $5, 'open', now() + interval '1 hour')",
            w, ids["offer_id"], item, workspace.agent_id, ids["decision_id"],
        )  # fmt: skip
        await connection.execute(
            "insert into santral.quarantine (workspace_id, id, message_id, reason, record, accepted_at) values ($1, $2, $2, 'x', 'x', now())",
            w, ids["entry_id"],
        )  # fmt: skip
        await connection.execute(
            "insert into santral.erasure (workspace_id, id, profile_id, reason, actor) values ($1, $2, $2, 'law', 'test')",
            w,
            ids["erasure_id"],
        )
        await connection.execute(
            "insert into santral.person_export (workspace_id, id, profile_id, actor) values ($1, $2, $2, 'test')",
            w,
            ids["export_id"],
        )
        await connection.execute(
            "insert into santral.api_key (workspace_id, id, public_id, secret_hash, name, scopes) values ($1, $2, $3, 'x', 'k', '{}')",
            w, ids["key_id"], ids["key_id"].hex[-8:],
        )  # fmt: skip
        await connection.execute(
            "insert into santral.connection (workspace_id, id, name, provider, path_token) values ($1, $2, 'meta', 'meta', $3)",
            w, ids["connection"], str(ids["connection"]),
        )  # fmt: skip
        await connection.execute(
            "insert into santral.role (workspace_id, name, scopes, visibility) values ($1, 'special', '{}', 'own')", w
        )
        await connection.execute(
            "insert into santral.import_job (workspace_id, id, source, digest, assurance, observed_at, actor)"
            " values ($1, $2, 'crm', 'd', 'asserted', now(), 'test')",
            w, ids["import_id"],
        )  # fmt: skip
        other = await connection.fetchval(
            "insert into santral.handle (workspace_id, id, kind, value, profile_id) values ($1, $2, 'email', 'iki@ornek.com', $2) returning id",
            w, new_id(),
        )  # fmt: skip
        await connection.execute(
            "insert into santral.suggestion (workspace_id, id, a, b, weight, probability, evidence)"
            " values ($1, $2, least($3, $4::uuid), greatest($3, $4::uuid), 5, 0.9, '[]')",
            w, ids["suggestion_id"], handle, other,
        )  # fmt: skip
        await connection.execute(
            "insert into santral.shift (workspace_id, id, agent_id, kind, starts_at, ends_at)"
            " values ($1, $2, $3, 'leave', now() + interval '1 day', now() + interval '2 days')",
            w, ids["shift_id"], workspace.agent_id,
        )  # fmt: skip
        await connection.execute(
            "insert into santral.placement_operation (workspace_id, id, kind, from_conversation_id, to_conversation_id, actor, prior,"
            " undone_at) values ($1, $2, 'split', $3, $3, 'test', '{}', now())",
            w, ids["operation_id"], conversation,
        )  # fmt: skip
        # On somebody to whom nothing else is done here.
        await connection.execute(
            "insert into santral.hold (workspace_id, id, kind, subject_id, handles, reason, placed_by)"
            " values ($1, $2, 'person', $3, $4, 'x', 'test')",
            w, ids["hold_id"], other, [other],
        )  # fmt: skip
        await connection.execute(
            "insert into santral.plan (workspace_id, name, document) values ($1, 'kahve', $2)", w, {"steps": [{}]}
        )
        for table in ("skill", "calendar"):
            await connection.execute(f"insert into santral.{table} (workspace_id, name) values ($1, 'kahve')", w)
        await connection.execute(
            "insert into santral.sla (workspace_id, name, targets) values ($1, 'kahve', $2)", w, [{"first_response_s": 60}]
        )
        await connection.execute(
            "insert into santral.user (workspace_id, id, name, role) values ($1, $2, 'u', 'special')", w, ids["user"]
        )
        await connection.execute(
            "insert into santral.policy (workspace_id, version, document) values ($1, 77, $2)", w, {"default_queue": "genel"}
        )
    shown = {name: str(value) for name, value in ids.items()}
    return {
        **shown, "conversation_id": str(conversation), "item_id": str(item), "profile_id": str(handle), "agent_id": str(workspace.agent_id),
        "inboxes": str(workspace.inboxes["api"]), "queues": str(workspace.queue_id), "agents": str(workspace.agent_id), "users": shown["user"],
        "user_id": shown["user"],
        "connections": shown["connection"], "roles": "special", "skills": "kahve", "calendars": "kahve", "slas": "kahve", "plans": "kahve",
        "seq": "1", "n": "0", "version": "77",
        "inbox_id": str(workspace.inboxes["asterisk"]), "source": "cdr", "call_id": "1718000000.42",
    }  # fmt: skip


def query_of(operation: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """What an operation insists on in its query."""
    asked = [one for one in operation.get("parameters", ()) if one["in"] == "query" and one["required"]]
    return {one["name"]: example(one["schema"], document, 0) for one in asked}


def filled(path: str, ids: dict[str, str]) -> str:
    kind = path.split("/")[2]
    return re.sub(r"\{(\w+)\}", lambda match: ids[kind if match[1] == "key" else match[1]], path)
