"""Every error of the API as a problem (RFC 9457): one shape, a request id, no internals.

The handlers here stand at the HTTP edge: the one place besides worker loops where any exception is caught.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from services.api.body_guard import BodyRefused
from services.frame.problems import MEDIA_TYPE, problem, problem_response
from shared.errors import SantralError
from shared.ids import new_id
from shared.logs import get_log

log = get_log(__name__)
_KINDS: Final[Mapping[int, str]] = {
    400: "input-rejected", 404: "not-found", 405: "method-not-allowed", 413: "too-large", 415: "unsupported-media-type",
}  # fmt: skip
_REMEDIES: Final[Mapping[str, str]] = {
    "extra_forbidden": "leave it out; see the schema in /openapi.json",
    "missing": "send it",
    "json_invalid": "send valid JSON as application/json",
}
_SEE_SCHEMA: Final = "see the schema in /openapi.json"
SCHEMA_REMEDIES: Final = frozenset({*_REMEDIES.values(), _SEE_SCHEMA})
"""What is said of input that its schema does not allow; a rule of ours has a remedy of its own."""


def request_id(request: Request) -> str:
    """The request's id: given by a proxy in X-Request-Id where it looks like one, else made at the edge."""
    return str(request.scope.get("santral.request_id") or new_id())


def place_of(location: Sequence[Any]) -> str:
    """``body.content.text`` from a validation error's location."""
    return ".".join(str(part) for part in location) or "body"


def refusal(scope: Scope, error: SantralError) -> Response:
    """The answer for one of our errors; what was our own fault is logged."""
    request = Request(scope)
    if error.status >= 500:
        log.warning(
            "a request could not be served", action="request_failed", path=request.url.path, status=error.status,
            error=str(error), request_id=request_id(request),
        )  # fmt: skip
    return problem_response(error, request_id=request_id(request))


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, SantralError)
    return refusal(request.scope, error)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    first = found[0]
    errors = [{"field": place_of(one["loc"]), "detail": str(one["msg"])} for one in found[:20]]
    body = problem(
        status=422, kind="unprocessable", detail=str(first["msg"]), field=place_of(first["loc"]),
        remedy=_REMEDIES.get(str(first["type"]), _SEE_SCHEMA), request_id=request_id(request), errors=errors,
    )  # fmt: skip
    return JSONResponse(body, status_code=422, media_type=MEDIA_TYPE)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, BodyRefused):
        return await _ours(request, error.error)
    status = error.status_code
    body = problem(
        status=status, kind=_KINDS.get(status, "error"), detail=str(error.detail), request_id=request_id(request),
        remedy="see /openapi.json" if status in (404, 405) else None,
    )  # fmt: skip
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE, headers=error.headers)


def unexpected(scope: Scope, error: Exception) -> Response:
    """The answer to what nobody foresaw. Whether anything was done is not known here, so nothing is said of it."""
    request = Request(scope)
    identity = request_id(request)
    log.error(
        "an unexpected error", action="request_failed", path=request.url.path, method=request.method, request_id=identity,
        exc_info=error,
    )  # fmt: skip
    body = problem(
        status=500, kind="error", detail="an unexpected error; this may have been done, or not", request_id=identity,
        remedy="read before you repeat it, and report the request id",
    )  # fmt: skip
    return JSONResponse(body, status_code=500, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Every error of the app in one shape; `unexpected` stands at the edge, outside all layers, where the headers are."""
    app.add_exception_handler(SantralError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
