"""The OpenAPI document: what every operation may answer, error by error, with its media type and headers.

A route states what is its own (its successes, a conflict or a miss that its path does not show: `may_answer`); what holds by rule is added here.
Source: OpenAPI 3.1; RFC 9457 (problems); RFC 9110 (``Retry-After``, ``WWW-Authenticate``, ``Location``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from services.api.policy_models import PolicyProblem
from services.frame.problems import MEDIA_TYPE

Json = dict[str, Any]
_READS: Final = ("get", "head", "options")
_MEANT: Final[Mapping[int, str]] = {
    400: "A value that is not acceptable: the field is named",
    401: "No good token",
    403: "The token has not the scope, or does not see this",
    404: "Not there, or another workspace's",
    408: "The body did not come in time",
    409: "Somebody was first, it is in use, or its state does not allow this: read again and decide",
    413: "Over a documented limit: the field is named",
    415: "Another kind of body than the one described",
    422: "Well-formed and not acceptable: the field is named",
    429: "Too often: come again after Retry-After",
    500: "Something went wrong here: it may have been done, or not",
    503: "Not available now: the same call may succeed after Retry-After",
}
_ALWAYS: Final = (408, 413, 422, 429, 500, 503)
"""Any request may have a body that is too long or too slow and an address that holds a NUL, whatever the operation makes of them."""
_TEXT: Final = {"type": "string"}
_LATER: Final = {
    "description": "Seconds until the same call may succeed.",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
}
BYTES: Final = {"type": "string", "format": "binary"}
"""The schema of a body that is a file."""
_HEADERS: Final[Mapping[str, Json]] = {
    "X-Request-Id": {
        "description": "The request's id: the one that came in X-Request-Id, or a fresh one.", "required": True,
        "schema": {**_TEXT, "pattern": "^[A-Za-z0-9._-]{8,64}$"},
    },
    "RateLimit-Policy": {
        "description": "How often: amount `q` in `w` seconds, for each counter of the call.",
        "schema": {**_TEXT, "pattern": '^"[a-z-]+";q=[0-9]+;w=[0-9]+(, "[a-z-]+";q=[0-9]+;w=[0-9]+)*$'},
    },
    "RateLimit": {
        "description": "What is left of each: `r` calls, all of them again after `t` seconds.",
        "schema": {**_TEXT, "pattern": '^"[a-z-]+";r=[0-9]+;t=[0-9]+(, "[a-z-]+";r=[0-9]+;t=[0-9]+)*$'},
    },
}  # fmt: skip
_OF_STATUS: Final[Mapping[int, Mapping[str, Json]]] = {
    401: {
        "WWW-Authenticate": {"description": "The scheme we understand.", "required": True, "schema": {**_TEXT, "const": "Bearer"}}
    },
    429: {"Retry-After": _LATER},
    503: {"Retry-After": _LATER},
}


class FieldAtFault(BaseModel):
    """One place at fault of several."""

    model_config = ConfigDict(extra="forbid")

    field: str = Field(examples=["body.role"])
    detail: str


class Problem(BaseModel):
    """An error. ``field`` names the input at fault and ``remedy`` what to do, where they are known."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(pattern=r"^urn:santral:problem:[a-z-]+$", examples=["urn:santral:problem:unprocessable"])
    title: str = Field(examples=["The input is not acceptable"])
    status: int = Field(ge=400, le=599, examples=[422])
    detail: str = Field(examples=["Extra inputs are not permitted"])
    field: str = Field(default="", examples=["body.role"])
    remedy: str = Field(default="", examples=["leave it out"])
    rule: str = Field(default="", description="The rule of identity that refused", examples=["erased"])
    request_id: str
    errors: list[FieldAtFault | PolicyProblem] = Field(default=[], description="Every place at fault, where there are several")


def may_answer(*statuses: int) -> dict[int | str, Json]:
    """For a route's ``responses``: errors that neither its path nor its verb shows."""
    return {status: {"description": _MEANT[status]} for status in statuses}


def header(description: str, *, required: bool = False, **schema: Any) -> Json:
    """A response header for a route's ``responses``."""
    return {"description": description, "required": required, "schema": {**_TEXT, **schema}}


DISPOSITION: Final = header("The name to keep it under", required=True, pattern='^attachment; filename="[^"]+"$')
"""The header of an answer that is a file to keep."""


def located(status: int) -> dict[int | str, Json]:
    """For a route's ``responses``: the success that makes something says where it is."""
    return {status: {"headers": {"Location": header("The path of what was made", required=True, pattern="^/v1/")}}}


def document(schema: Json) -> Json:
    """The document that the routes make, completed: each operation's answers, all of them with headers, each error as a problem."""
    components = schema.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas |= _problem()
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    components["headers"] = {name: header for headers in (_HEADERS, *_OF_STATUS.values()) for name, header in headers.items()}
    components["responses"] = {str(status): _refusal(status) for status in _MEANT}
    _close(schema)
    for path, operations in schema.get("paths", {}).items():
        for verb, operation in operations.items():
            _without_nul([one["schema"] for one in operation.get("parameters", ()) if one["in"] != "header"])
            operation["responses"].pop("422", None)
            stated = {int(status): answer for status, answer in operation["responses"].items()}
            operation["responses"] = {
                str(status): {"$ref": f"#/components/responses/{status}"} if status >= 400 else _success(stated[status])
                for status in sorted({*stated, *_by_rule(path, verb, operation)})
            }
    return schema


def _close(node: Any) -> None:
    """What is refused and schemas leave open: names beside a map's pattern, a choice that is not named, integers beyond 64 bits."""
    if isinstance(node, list):
        for one in node:
            _close(one)
    if not isinstance(node, dict):
        return
    if "patternProperties" in node:
        node.setdefault("additionalProperties", False)
    if "oneOf" in node and "discriminator" in node:
        node["required"] = [node["discriminator"]["propertyName"]]
    if node.get("type") == "integer":
        if "exclusiveMaximum" not in node:
            node.setdefault("maximum", 2**63 - 1)
        if "exclusiveMinimum" not in node:
            node.setdefault("minimum", -(2**63))
    for one in node.values():
        _close(one)


def _without_nul(node: Any) -> None:
    """Texts of an address: `json_door` refuses one with a NUL, wherever it stands."""
    if isinstance(node, list):
        for one in node:
            _without_nul(one)
    elif isinstance(node, dict):
        if node.get("type") == "string" and not {"pattern", "format", "enum", "const"} & node.keys():
            node["pattern"] = r"^[^\x00]*$"
        _without_nul([node.get("items"), *node.get("anyOf", ())])


def _problem() -> Json:
    """The schema of a problem, with those that it names."""
    made = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    for name in ("field", "remedy", "rule", "errors"):
        del made["properties"][name]["default"]  # left out, not empty, where they are not known
    return {**made.pop("$defs"), "Problem": made}


def _by_rule(path: str, verb: str, operation: Mapping[str, Any]) -> Iterator[int]:
    """The errors that an operation's path, verb and security show."""
    yield from _ALWAYS
    if operation.get("security"):
        yield from (401, 403)
    if "{" in path:
        yield 404
    if "requestBody" in operation or operation.get("parameters"):
        yield 400
    if verb not in _READS:
        yield 409


def _success(stated: Mapping[str, Any]) -> Json:
    return {**stated, "headers": {**_references(_HEADERS), **stated.get("headers", {})}}


def _refusal(status: int) -> Json:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": _MEANT[status], "headers": _references({**_HEADERS, **_OF_STATUS.get(status, {})}), "content": content}


def _references(headers: Mapping[str, Json]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
