"""``/in/{token}``: every provider's door.

Answers: 200 with the ids taken in (or the handshake's text) · 401 signature wrong, missing, or a one-time token reused for
another body · 404 unknown address, or one that takes no posts · 405 · 408 a body that does not come · 413 over the provider's
limit · 503 with Retry-After when neither broker nor spool took it, there is no room for the body,
posts come more often than their rate, or their workspace is put off (`services/frame/processor_time.py`).
What an adapter cannot understand is taken in as quarantine and answered 200: the provider must not drop or unsubscribe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ingest.adapter import Adapter, Challenge, Request, Target
from ingest.directory import Directory
from ingest.parse import Parser
from ingest.receive import Receiver
from ingest.registry import adapter_for
from ingest.signatures import is_first_scheme
from services.frame.bodies import Bodies
from services.frame.peers import peer_of, shares_of, with_each
from services.frame.problems import problem_response
from services.frame.processor_time import turn_again, turn_of
from services.frame.rates import Kind, Rates
from services.frame.strangers import Strangers
from services.gateway.one_time_tokens import ReplayGuard
from services.gateway.taking_in import take_in as take_in_request
from shared.clock import Clock
from shared.errors import InputRejected, NotFound, SantralError, Throttled, Unavailable
from shared.metrics import GATEWAY_REQUESTS, MESSAGES_IN, UNPROVEN_POSTS
from shared.shares import Share


def create_gateway(
    *,
    directory: Directory,
    receiver: Receiver,
    parser: Parser,
    replays: ReplayGuard,
    clock: Clock,
    bodies: Bodies,
    rates: Rates | None = None,
    strangers: Strangers | None = None,
) -> Starlette:
    """The ASGI app. It reads nothing but its collaborators."""
    counters, line = rates or Rates(), strangers or Strangers()

    async def take_in(http: HttpRequest) -> Response:
        provider = "unknown"
        try:
            address = shares_of(peer_of(http.scope))
            target = await _target(directory, http.path_params["token"], counters, line, address)
            provider = target.provider
            adapter = adapter_for(provider)
            if adapter.body_bytes_max == 0:
                raise NotFound("nothing is posted to this inbox", remedy="copy webhook_path from another inbox")
            inbox, workspace = str(target.id), str(target.workspace_id)
            # A provider's address, or a relay's, is many workspaces': what it brings to one of them counts for that one alone.
            _count(counters, posts=inbox, workspace=workspace, **{"posts-address": with_each(address, workspace)})
            await turn_of(target.workspace_id, target.id)
            with bodies.open(target=inbox, workspace=workspace, address=address) as open_body:
                announced = http.headers.get("content-length")
                body = await open_body.read(http.receive, bytes_max=adapter.body_bytes_max, announced=announced)
                await turn_again()
                # A body may take minutes: whether there is such an inbox, and with which secrets, is what counts now.
                target = directory.target(http.path_params["token"])
                response = await _answer(http, target, adapter_for(target.provider), body)
        except ClientDisconnect:
            return Response(status_code=400)
        except SantralError as error:
            refused = problem_response(_to_come_again(error))
            GATEWAY_REQUESTS.labels(provider=provider, status=str(refused.status_code)).inc()
            refused.headers["connection"] = "close"  # what was not read of it is not waited for
            return refused
        GATEWAY_REQUESTS.labels(provider=provider, status=str(response.status_code)).inc()
        return response

    async def _answer(http: HttpRequest, target: Target, adapter: Adapter, body: bytes) -> Response:
        provider = target.provider
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
        # What was let in is proven, but to an inbox from before that has nothing to prove it by.
        request = replace(request, proven=adapter.proof is None or bool(target.secrets.get(adapter.proof)))
        await replays.check(target, token, body)
        if adapter.proof is not None and target.has_grace(request.received_at):
            _count_grace(target, request, adapter.proof)
        accepted = await take_in_request(parser, receiver, target, request)
        # The post itself was counted as it came; how many messages it brings is known now only.
        counters.take_more("workspace", str(target.workspace_id), len(accepted) - 1)
        await replays.remember(target, token, body)
        for one in accepted:
            MESSAGES_IN.labels(provider=provider, understood="yes" if one.understood else "no").inc()
        return JSONResponse({"accepted": [{"external_id": one.external_id, "id": str(one.message_id)} for one in accepted]})

    return Starlette(routes=[Route("/in/{token}", take_in, methods=["GET", "POST", "HEAD"])])


async def _target(directory: Directory, token: str, rates: Rates, line: Strangers, address: Sequence[Share]) -> Target:
    """What a post is for. One for nobody counts for its address, so guessing is as slow as any flood."""
    try:
        return directory.target(token)
    except NotFound:
        _count(rates, **{"posts-address": address})
        await line.turn(address)
        raise


def _count(rates: Rates, **owners: str | Sequence[Share]) -> None:
    """Counts a post for each of its owners, by kind. Raises `Throttled`."""
    for kind, whose in owners.items():
        rates.take(cast("Kind", kind), whose)


def _to_come_again(error: SantralError) -> SantralError:
    """What is put off is 503, for some providers send again after a 5xx only."""
    if not isinstance(error, Throttled):
        return error
    return Unavailable(error.message, retry_after_s=error.retry_after_s, remedy=error.remedy, **error.details)


def _count_grace(target: Target, request: Request, proof: str) -> None:
    if not target.secrets.get(proof):
        UNPROVEN_POSTS.labels(provider=target.provider, reason="no_secret").inc()
    elif "santral-signature" in request.headers and is_first_scheme(request.headers):
        UNPROVEN_POSTS.labels(provider=target.provider, reason="first_scheme").inc()
