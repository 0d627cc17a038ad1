"""No body takes a member that is not in its schema. By the document, so no operation is missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from shared.database import Database
from tests.support.api import Api
from tests.support.operations import body_of, filled, operations, query_of, seeded
from tests.support.workspaces import Workspace

Json = dict[str, Any]
NEVER_THEIRS = ("workspace_id", "role", "id")


def json_of(holder: Json | None) -> Json | None:
    schema: Json | None = (holder or {}).get("content", {}).get("application/json", {}).get("schema")
    return schema


def objects(schema: Json, document: Json, seen: frozenset[str] = frozenset()) -> Iterator[tuple[str, Json]]:
    """Every object in a schema with the name of the model it stands in."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name not in seen:
            for inside, found in objects(document["components"]["schemas"][name], document, seen | {name}):
                yield inside or name, found
        return
    if schema.get("type") == "object":
        yield "", schema
    below = [
        *schema.get("properties", {}).values(), *schema.get("patternProperties", {}).values(), *schema.get("prefixItems", ()),
        schema.get("items"), schema.get("additionalProperties"), *(one for word in ("anyOf", "oneOf", "allOf") for one in schema.get(word, ())),
    ]  # fmt: skip
    for one in below:
        if isinstance(one, dict):
            yield from objects(one, document, seen)


def test_every_object_of_a_body_is_closed(api: Api) -> None:
    document, bodies = api.app.openapi(), 0
    for _, _, operation in operations(api):
        schema = json_of(operation.get("requestBody"))
        if schema is None:
            continue
        bodies += 1
        for model, found in objects(schema, document):
            if "properties" in found:
                assert found.get("additionalProperties") is False, (operation["operationId"], model)
    assert bodies > 60


@pytest.mark.parametrize("name", NEVER_THEIRS)
async def test_a_body_with_a_member_more_is_refused(api: Api, workspace: Workspace, worker_db: Database, name: str) -> None:
    document, headers, ids = api.app.openapi(), await api.key(workspace.id), await seeded(worker_db, workspace)
    refused = set()
    for verb, path, operation in operations(api):
        schema = json_of(operation.get("requestBody"))
        if schema is None or any(name in found.get("properties", {}) for _, found in _outermost(schema, document)):
            continue
        body = {**(body_of(operation, document) or {}), name: str(workspace.id)}
        place = filled(path, {**ids, "widget_token": f"token-{workspace.inboxes['webchat']}"})
        answer = await api.client.request(verb, place, json=body, params=query_of(operation, document), headers=headers)
        problem = answer.json()
        assert answer.status_code == 422, (operation["operationId"], answer.text)
        told = {one["field"]: one["detail"] for one in problem.get("errors", ())}
        if operation["operationId"] == "put_import_rows":  # read as it comes in
            assert name in problem["detail"]
        else:
            assert told[f"body.{name}"] == "Extra inputs are not permitted", (operation["operationId"], told)
        refused.add(operation["operationId"])
    assert len(refused) > 55


def _outermost(schema: Json, document: Json) -> Iterator[tuple[str, Json]]:
    if "$ref" in schema:
        yield from _outermost(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    elif "anyOf" in schema and "properties" not in schema:
        for one in schema["anyOf"]:
            yield from _outermost(one, document)
    else:
        yield "", schema
