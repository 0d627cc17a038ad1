"""``/in/{token}``: every provider's door.

Answers: 200 with the ids taken in (or the handshake's text) · 401 signature wrong, missing, or a one-time token reused for
another body · 404 unknown address · 405 · 413 over the limit · 503 with Retry-After when neither broker nor spool took it.
What an adapter cannot understand is taken in as quarantine and answered 200: the provider must not drop or unsubscribe.
"""

from __future__ import annotations

from typing import Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ingest.adapter import Challenge, Request
from ingest.directory import Directory
from ingest.parse import Parser
from ingest.receive import Receiver
from ingest.registry import adapter_for
from services.frame.problems import problem_response
from services.gateway.one_time_tokens import ReplayGuard
from services.gateway.taking_in import take_in as take_in_request
from shared.clock import Clock
from shared.errors import InputRejected, SantralError, TooLarge, Unavailable
from shared.metrics import GATEWAY_REQUESTS, MESSAGES_IN

BODY_BYTES_MAX: Final = 64 * 1024 * 1024
IN_FLIGHT_BYTES_MAX: Final = 256 * 1024 * 1024


class Load:
    """Bytes of bodies held in memory; over the bound new posts are turned away, so memory stays flat."""

    def __init__(self, limit_bytes: int = IN_FLIGHT_BYTES_MAX) -> None:
        self._limit = limit_bytes
        self._held = 0

    def take(self, size: int) -> None:
        """Raises `Unavailable` when there is no room."""
        if self._held + size > self._limit:
            raise Unavailable("too many bodies in flight", retry_after_s=2)
        self._held += size

    def give(self, size: int) -> None:
        """What was taken, back."""
        self._held -= size


def create_gateway(
    *,
    directory: Directory,
    receiver: Receiver,
    parser: Parser,
    replays: ReplayGuard,
    clock: Clock,
    body_bytes_max: int = BODY_BYTES_MAX,
) -> Starlette:
    """The ASGI app. It reads nothing but its collaborators."""
    load = Load()

    async def take_in(http: HttpRequest) -> Response:
        taken = 0
        provider = "unknown"
        try:
            target = directory.target(http.path_params["token"])
            provider = target.provider
            body = bytearray()
            async for chunk in http.stream():
                load.take(len(chunk))
                taken += len(chunk)
                if taken > body_bytes_max:
                    raise TooLarge(f"the body is over {body_bytes_max} bytes", field="body", remedy="send less in one post")
                body += chunk
            response = await _answer(http, target.provider, bytes(body))
        except ClientDisconnect:
            return Response(status_code=400)
        except SantralError as error:
            GATEWAY_REQUESTS.labels(provider=provider, status=str(error.status)).inc()
            return problem_response(error)
        finally:
            load.give(taken)
        GATEWAY_REQUESTS.labels(provider=provider, status=str(response.status_code)).inc()
        return response

    async def _answer(http: HttpRequest, provider: str, body: bytes) -> Response:
        target = directory.target(http.path_params["token"])
        adapter = adapter_for(provider)
        request = Request(
            method=http.method, url=str(http.url), headers={name.lower(): value for name, value in http.headers.items()},
            query=dict(http.query_params), body=body, received_at=clock.now(),
        )  # fmt: skip
        challenge = adapter.challenge(target, request)
        if isinstance(challenge, Challenge):
            return PlainTextResponse(challenge.text, media_type=challenge.content_type)
        if http.method != "POST":
            raise InputRejected("a delivery is a POST", field="method", remedy="POST")
        token = adapter.verify(target, request)
        await replays.check(target, token, body)
        accepted = await take_in_request(parser, receiver, target, request)
        await replays.remember(target, token, body)
        for one in accepted:
            MESSAGES_IN.labels(provider=provider, understood="yes" if one.understood else "no").inc()
        return JSONResponse({"accepted": [{"external_id": one.external_id, "id": str(one.message_id)} for one in accepted]})

    return Starlette(routes=[Route("/in/{token}", take_in, methods=["GET", "POST", "HEAD"])])
