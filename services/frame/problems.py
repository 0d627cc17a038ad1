"""Errors as RFC 9457 problem details: one shape on every door, with a request id and no internals."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import JSONResponse

from services.frame.rates import headers_of
from shared.errors import SantralError, Unauthenticated, Unavailable
from shared.ids import new_id

MEDIA_TYPE: Final = "application/problem+json"
_TITLES: Final = {
    400: "The input is not acceptable", 401: "Who are you?", 403: "Not allowed", 404: "Not found", 405: "Method not allowed",
    408: "Too slow", 409: "Conflict", 413: "Too large", 415: "Unsupported media type", 422: "The input is not acceptable", 429: "Too many requests",
    500: "Something went wrong here", 503: "Not available now",
}  # fmt: skip


def problem(
    *, status: int, kind: str, detail: str, request_id: str, field: str | None = None, remedy: str | None = None, **more: Any
) -> dict[str, Any]:
    """The body of a problem. ``type`` is a stable URN; ``field``, ``remedy`` and the ``rule`` that refused are there when known."""
    body = {
        "type": f"urn:santral:problem:{kind}",
        "title": _TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "field": field,
        "remedy": remedy,
        "request_id": request_id,
        **more,
    }
    return {name: value for name, value in body.items() if value is not None}


def problem_response(error: SantralError, *, request_id: str | None = None) -> JSONResponse:
    """The response for one of our errors; `Unavailable` carries Retry-After, 401 the scheme we understand."""
    headers = {}
    if isinstance(error, Unavailable):
        headers["retry-after"] = str(error.retry_after_s)
    if "standing" in error.details:
        headers |= headers_of([error.details["standing"]])
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = "Bearer"
    body = problem(
        status=error.status, kind=error.kind, detail=error.message, field=error.field, remedy=error.remedy,
        request_id=request_id or str(new_id()), errors=error.details.get("errors"), rule=error.details.get("rule"),
    )  # fmt: skip
    return JSONResponse(body, status_code=error.status, media_type=MEDIA_TYPE, headers=headers)
