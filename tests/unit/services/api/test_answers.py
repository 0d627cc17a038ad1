"""The document says of every answer which members it has; what is free by its nature is named here, with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, cast

import pytest
from pydantic import ValidationError

from services.api.app import create_app
from services.api.shown import Shown
from shared.database import Database

Json = dict[str, Any]
_NOBODY: Final = cast("Any", None)
"""What the app hands on and its document never asks."""
JSON: Final = ("application/json", "application/problem+json")
ONLY_TOLD: Final = frozenset({"title", "description", "default", "examples"})
FREE: Final = {
    "AttributeOut.value": "an attribute of a customer is any JSON value",
    "profiles__search__Found.attributes": "the same",
    "ExportedPerson.traits": "the same",
    "ConnectionOut.settings": "each provider has its own",
    "InboxOut.settings": "each provider has its own",
    "PlaceOut.place": "a follower's own",
    "LinkView.evidence": "each kind of evidence has its own",
    "Version.what": "each kind of change has its own",
    "Version.cause": "each kind of change has its own",
    "EventOut.data": "each type of event has its own",
    "AuditRow.details": "each action has its own",
    "DecisionOut.record": "kept as the release wrote it that decided",
    "ShownItem.why": "the same",
    "Difference.recorded": "what of the record differs, of any kind",
    "Difference.now": "the same",
    "AskedRule.saw": "values of facts, which are of any kind",
    "Evaluated.facts": "the same",
    "PolicyOut.document": "a language of its own, with its schema in the vocabulary",
    "Vocabulary.rule": "a JSON Schema",
}
"""Places of answers whose members, or values, nobody can name beforehand, and why. It only becomes shorter."""


def document() -> Json:
    app = create_app(
        db=Database("", name="", pool=_NOBODY, engine=_NOBODY), receiver=_NOBODY, hints=_NOBODY, sealer=_NOBODY,
        blobs=_NOBODY, clock=_NOBODY, secret=b"", front=_NOBODY,
        cleaner=_NOBODY, thumbnails=_NOBODY, parser=_NOBODY,
    )  # fmt: skip
    return app.openapi()


def answers(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Operation, media type and schema of every body of an answer."""
    for verbs in document["paths"].values():
        for operation in verbs.values():
            for answer in operation["responses"].values():
                if "$ref" in answer:
                    answer = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
                for kind, body in answer.get("content", {}).items():
                    yield operation["operationId"], kind, body.get("schema", {})


def is_free(schema: Json) -> bool:
    """Whether it allows members, or values, that it does not describe."""
    if schema.keys() <= ONLY_TOLD:
        return True
    if schema.get("type") == "array":
        return not {"items", "prefixItems"} & schema.keys()
    if schema.get("type") != "object":
        return False
    return schema.get("additionalProperties", "properties" not in schema and "patternProperties" not in schema) is True


def free_places(schema: Json, place: str, document: Json, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """Where a schema is free: ``Model.member``, or ``place`` outside every model."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name not in seen:
            yield from free_places(document["components"]["schemas"][name], name, document, seen | {name})
        return
    if is_free(schema):
        yield place
    for name, one in schema.get("properties", {}).items():
        yield from free_places(one, f"{place}.{name}", document, seen)
    below = [schema.get("items"), schema.get("additionalProperties"), *schema.get("patternProperties", {}).values()]
    below += [one for word in ("prefixItems", "anyOf", "oneOf", "allOf") for one in schema.get(word, ())]
    for one in below:
        if isinstance(one, dict):
            yield from free_places(one, place, document, seen)


def test_every_member_of_an_answer_is_described_but_for_what_is_free() -> None:
    made = document()
    found: dict[str, set[str]] = {}
    for operation, kind, schema in answers(made):
        if kind in JSON:
            for place in free_places(schema, operation, made):
                found.setdefault(place, set()).add(operation)
    assert found.keys() == FREE.keys(), {place: found[place] for place in found.keys() - FREE.keys()}


def test_every_answer_says_what_it_is() -> None:
    bare = {(operation, kind) for operation, kind, schema in answers(document()) if schema.keys() <= ONLY_TOLD}
    assert not bare


class _Answer(Shown):
    """An answer with one member."""

    name: str


def test_what_is_made_here_has_no_member_that_is_not_declared() -> None:
    with pytest.raises(ValidationError, match="workspace_id"):
        _Answer.model_validate({"name": "x", "workspace_id": "y"})


def test_readers_are_told_to_expect_more() -> None:
    assert "additionalProperties" not in _Answer.model_json_schema()
