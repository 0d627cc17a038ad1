"""The API as an ASGI app: `create_app` takes collaborators and reads nothing.

REST under ``/v1``, sockets under ``/v1/stream`` and ``/v1/chat/…``, pages and assets beside them. ``/openapi.json`` describes REST,
``/docs`` shows it, ``/docs/guide`` has the rest of the documentation.
Errors are problems (RFC 9457); unknown members of a body are refused; every answer carries a request id.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from ingest.mail.html_worker import HtmlCleaner
from ingest.parse import Parser
from ingest.receive import Receiver
from router.commands.kept_files import UNSENT_BYTES_MAX
from services.api import (
    agent_socket,
    agents,
    audit_reader,
    calendars,
    calls,
    chat,
    chat_socket,
    conversations,
    decisions,
    files,
    first_contact,
    follower_places,
    guide,
    holds,
    imports,
    kept_out,
    keys,
    message_parts,
    messages,
    placements,
    policies,
    policy_evaluation,
    privacy,
    privacy_records,
    profile_changes,
    profile_consent,
    profile_rules,
    profile_search,
    profile_timeline,
    profiles,
    quarantine,
    reach,
    records,
    reference,
    reports,
    shifts,
    static_pages,
    suggestions,
    work,
)
from services.api.asked_again import asked_again
from services.api.body_guard import BodyGuard
from services.api.caller_turns import SAVES_WAITING_MAX, THOUGHTS_WAITING_MAX, CallerTurns
from services.api.config import config_routes
from services.api.document import document
from services.api.edge import Edge
from services.api.fanout import FanOut
from services.api.json_door import JsonDoor
from services.api.methods import Methods
from services.api.own_book import OwnBook
from services.api.principal import Credentials
from services.api.problems import install, unexpected
from services.api.rate_door import RateDoor
from services.api.socket_places import SocketPlaces
from services.api.sockets import PATIENCE_S, Guard
from services.api.static_pages import Front
from services.api.thumbnails import Thumbnails
from services.frame.bodies import Bodies
from services.frame.egress import PUBLIC_ONLY, Allowed
from services.frame.rates import Rates
from services.frame.strangers import Strangers
from shared.blobs import Blobs
from shared.clock import Clock
from shared.database import Database
from shared.hints import Hints
from shared.sealing import Sealer
from shared.turns import WAITING_MAX

BODY_BYTES_MAX: Final = 1024 * 1024
_TAGS: Final = {
    "messages": "Hand messages in and see what became of them.",
    "conversations": "Conversations, their messages, events and replies.",
    "work": "Offers and work items: what agents answer and do.",
    "agents": "Presence, desks, tokens.",
    "profiles": "The unified customer.",
    "records": "Decisions and events: what happened and why.",
    "quarantine": "What could not be understood, until somebody resolves it.",
    "configuration": "Connections, inboxes, people, queues, skills, roles, calendars, service levels, policies, the workspace.",
    "keys": "API keys.",
    "chat": "The chat widget's sessions.",
}
_OPERATIONS: Final = {  # where the function's name alone would not say it
    "conversations": "list_conversations",
    "conversation": "read_conversation",
    "messages": "list_messages",
    "message": "read_message",
    "events": "list_conversation_events",
    "message_html": "read_message_html",
    "message_part": "read_message_part",
    "message_thumbnail": "read_message_thumbnail",
    "reply": "write_reply",
    "reply_by_id": "read_reply",
    "my_offers": "list_offers",
    "accept": "accept_offer",
    "decline": "decline_offer",
    "items": "list_items",
    "item": "read_item",
    "claim": "claim_item",
    "done": "finish_item",
    "park": "park_item",
    "transfer": "transfer_item",
    "assign": "assign_item",
    "cancel": "cancel_item",
    "targets": "list_transfer_targets",
    "connected": "register_call",
    "ended": "end_call",
    "presence": "set_presence",
    "desk": "read_desk",
    "token": "make_agent_token",
    "code": "make_agent_code",
    "exchange": "exchange_code",
    "look_up": "look_up_profiles",
    "read_events": "list_events",
    "list_kept": "list_kept_out",
    "make_kept_work": "make_work",
    "entries": "list_quarantine",
    "entry": "read_quarantined",
    "replay": "replay_quarantined",
    "throw_away": "discard_quarantined",
    "active_policy": "read_active_policy",
    "make_hold": "place_hold",
    "list_legal_holds": "list_holds",
    "read_legal_hold": "read_hold",
    "lift_legal_hold": "lift_hold",
}
_DESCRIPTION: Final = """
Every channel, one customer, the right agent, and the reason why.

**Authentication**: `Authorization: Bearer santral_…`, an API key or an agent's token. **Errors**: problem details (RFC 9457) with the field
and the remedy. **Lists**: `{"items": […], "next": cursor}`. **Retries**: send an `Idempotency-Key`. **Changes**: `If-Match: <version>`.
**Rates**: `RateLimit-Policy` and `RateLimit` say how often a key and a workspace may call and what is left; 429 with `Retry-After` is one too many.
"""


def create_app(
    *,
    db: Database,
    receiver: Receiver,
    hints: Hints,
    sealer: Sealer,
    blobs: Blobs,
    clock: Clock,
    secret: bytes,
    front: Front,
    cleaner: HtmlCleaner,
    thumbnails: Thumbnails,
    parser: Parser,
    public_url: str = "http://127.0.0.1:8080",
    docs: bool = True,
    site: Front | None = None,
    demo_dir: Path | None = None,
    desk_ancestors: tuple[str, ...] = (),
    allowed: Allowed = PUBLIC_ONLY,
    bodies: Bodies | None = None,
    rates: Rates | None = None,
    unsent_bytes_max: int = UNSENT_BYTES_MAX,
    places: SocketPlaces | None = None,
    body_bytes_max: int = BODY_BYTES_MAX,
    patience_s: float = PATIENCE_S,
) -> FastAPI:
    """The app. Its workers, `app.state.fanout.run` and `app.state.guard.run`, are the process's to start."""
    app = FastAPI(
        title="Santral", version="1", summary="Omnichannel message routing", description=_DESCRIPTION, docs_url=None, redoc_url=None,
        openapi_url=None,
        openapi_tags=[{"name": name, "description": text} for name, text in _TAGS.items()], redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )  # fmt: skip
    parts = urlsplit(public_url)
    state = app.state
    state.db, state.receiver, state.hints, state.sealer, state.blobs = db.beginning(asked_again), receiver, hints, sealer, blobs
    state.clock, state.secret, state.front = clock, secret, front
    state.cleaner, state.thumbnails, state.parser = cleaner, thumbnails, parser
    state.page_turns, state.picture_turns = (CallerTurns(waiting_max=WAITING_MAX, callers=5) for _ in range(2))
    waiting = (THOUGHTS_WAITING_MAX, SAVES_WAITING_MAX)
    state.thought_turns, state.saving_turns = (CallerTurns(waiting_max=most) for most in waiting)
    state.origin, state.desk_ancestors = f"{parts.scheme}://{parts.netloc}", desk_ancestors
    state.demo_dir, state.docs, state.guide, state.reference = demo_dir, docs, site or Front({}), None
    state.rates = counters = rates or Rates()
    state.strangers = Strangers()
    state.credentials, state.fanout = Credentials(db, counters, state.strangers), FanOut(db)
    state.places, state.own_book = places or SocketPlaces.within(), OwnBook()
    state.guard = Guard(db, state.credentials)
    state.patience_s, state.allowed, state.unsent_bytes_max = patience_s, allowed, unsent_bytes_max
    install(app)
    modules = [
        audit_reader, messages, conversations, message_parts, first_contact, files, work, calls, agents, imports, profile_search, profile_changes,
        profile_rules, profile_consent, profile_timeline, placements, profiles, kept_out, records, reports, decisions, keys, privacy,
        privacy_records, holds, reach,
        policy_evaluation, policies, calendars, shifts, follower_places, quarantine, chat, agent_socket, chat_socket, suggestions, static_pages,
    ]  # fmt: skip
    routers = [config_routes(), *(module.router for module in modules)]
    for router in routers:
        app.include_router(router)
    if docs:
        app.include_router(reference.router)
        app.include_router(guide.router)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    app.add_middleware(JsonDoor)
    app.add_middleware(Methods, routes=[route for router in routers for route in router.routes])
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=body_bytes_max)
    app.add_middleware(BodyGuard, bodies=bodies or Bodies())
    app.add_middleware(RateDoor, rates=counters, credentials=state.credentials, strangers=state.strangers)
    app.add_middleware(Edge, secure=parts.scheme == "https", unexpected=unexpected)
    return app


def _operation_id(route: APIRoute) -> str:
    """A name of its own for each operation, so clients made from the document read well and a moved path keeps its name."""
    return route.operation_id or _OPERATIONS.get(route.name, route.name)


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, summary=app.summary, description=app.description, routes=app.routes,
            tags=app.openapi_tags,
        )  # fmt: skip
        app.openapi_schema = document(schema)
    return app.openapi_schema
