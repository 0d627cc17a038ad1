"""docs/reference/rest.md, written from the OpenAPI document: every operation with what it takes, its scope and its statuses."""

from __future__ import annotations

from typing import Any, cast

from services.api.app import create_app
from tests.support.reference_pages import page, table

Json = dict[str, Any]


class _NoDatabase:
    """What the app is put together with, and never asks."""

    def beginning(self, _: object) -> _NoDatabase:
        return self


def openapi() -> Json:
    """The document, of an app that serves nobody."""
    nobody = cast("Any", None)
    app = create_app(
        db=cast("Any", _NoDatabase()), receiver=nobody, hints=nobody, sealer=nobody, blobs=nobody, clock=nobody, secret=b"", front=nobody,
        cleaner=nobody, thumbnails=nobody, parser=nobody,
    )  # fmt: skip
    document: Json = app.openapi()
    return document


def rest() -> str:
    """Every operation by its tag."""
    document = openapi()
    operations = [operation for verbs in document["paths"].values() for operation in verbs.values()]
    always = set.intersection(*(set(operation["responses"]) for operation in operations))
    by_tag: dict[str, list[list[str]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            by_tag.setdefault(operation["tags"][0], []).append(_row(path, verb, operation, always))
    parts = []
    for tag in document["tags"]:
        head = ["call", "what", "scope", "answers", "may refuse with"]
        parts += [f"## {tag['name'].capitalize()}", tag["description"], table(head, by_tag[tag["name"]])]
    return page(
        "REST",
        "`/docs` of a running Santral shows each call with its parameters, bodies and answers; `/openapi.json` is the document. Each refusal is\n"
        "a problem (RFC 9457) that names the field and the remedy. Where a call needs a credential it may be refused with 401 and 403; beside\n"
        "what its row says, any call with:",
        table(
            ["status", "when"],
            [[one, document["components"]["responses"][one]["description"]] for one in sorted(always) if one >= "400"],
        ),
        *parts,
    )


def _row(path: str, verb: str, operation: Json, always: set[str]) -> list[str]:
    statuses = sorted(operation["responses"])
    scopes = [scope for one in operation.get("security", ()) for scope in one.get("bearer", ())]
    scope = ", ".join(f"`{one}`" for one in scopes) or ("any credential" if operation.get("security") else "")
    usual = always | ({"401", "403"} if operation.get("security") else set())
    return [
        f"`{verb.upper()} {path}`",
        operation["summary"],
        scope,
        ", ".join(one for one in statuses if one < "400"),
        ", ".join(one for one in statuses if one >= "400" and one not in usual),
    ]
