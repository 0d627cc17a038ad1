"""What a provider delivered, taken in whatever it holds: what nobody foresaw goes to quarantine with its bytes, never back.

A refusal for good makes a mail server bounce and a provider drop; so only what is not durable now is refused, and may be sent again.
This is the gateway's edge: the one place where any error of an adapter, or of building its message, becomes an answer.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from ingest.adapter import Draft, Parsed, Request, Target, Unparsed
from ingest.parse import Parser, not_understood, whole
from ingest.receive import Accepted, Receiver
from shared.errors import SantralError, Unavailable

log = structlog.get_logger(__name__)


async def take_in(parser: Parser, receiver: Receiver, target: Target, request: Request) -> list[Accepted]:
    """Everything in the request, durable. Raises `Unavailable` when it is not; calling again is harmless.

    Elements that cannot be made a message are taken in as unparsed; the others of the same request are not held up by them.
    """
    try:
        parsed = await parser.parse(target, request)
    except Unavailable:
        raise
    except Exception as error:
        parsed = whole(target, request, _reason(error, target))
    if not target.every:
        return await _received(receiver, target, request, parsed)
    accepted: list[Accepted] = []
    for inbox in target.inboxes:
        accepted += await _received(receiver, target, request, [one for one in parsed if one.inbox is inbox])
    return accepted


async def _received(receiver: Receiver, target: Target, request: Request, parsed: Sequence[Parsed]) -> list[Accepted]:
    try:
        return await receiver.receive(target, parsed, request=request)
    except Unavailable:
        raise
    except Exception as error:
        if all(isinstance(one, Unparsed) for one in parsed):
            raise Unavailable("it could not be kept as it is either") from error
        return await _one_by_one(receiver, target, request, parsed)


async def _one_by_one(receiver: Receiver, target: Target, request: Request, parsed: Sequence[Parsed]) -> list[Accepted]:
    accepted: list[Accepted] = []
    for one in parsed:
        try:
            accepted += await receiver.receive(target, [one], request=request)
        except Unavailable:
            raise
        except Exception as error:
            kept = Unparsed(inbox=one.inbox, original=one.original or request.body, reason=_reason(error, target))
            if not isinstance(one, Draft):
                raise Unavailable("it could not be kept as it is either") from error
            accepted += await receiver.receive(target, [kept], request=request)
    return accepted


def _reason(error: Exception, target: Target) -> str:
    kind = type(error).__name__
    log.error("what was delivered was not understood", action="not_understood", kind=kind, provider=target.provider)
    # Our own errors name fields and limits; those of others may hold the customer's words.
    return str(error) if isinstance(error, SantralError) else not_understood(kind)
