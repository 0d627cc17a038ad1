"""Meta's side of a conversation: a local server that speaks the Graph API's send endpoints, and signed webhooks."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from services.frame.doors import WebDoor

APP_SECRET = "the app secret of a test"


@dataclass(slots=True)
class Graph:
    """What was asked of it, and what it answers next."""

    url: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    failures: list[tuple[int, dict[str, Any]]] = field(default_factory=list)

    async def send(self, request: Request) -> JSONResponse:
        """POST /{account}/messages, /{comment}/replies, /{comment}/comments."""
        body = await request.json()
        call = {"path": request.url.path, "token": request.headers.get("authorization"), "body": body}
        self.calls.append(call)
        if self.failures:
            status, answer = self.failures.pop(0)
            return JSONResponse(answer, status_code=status)
        number = len(self.calls)
        if body.get("messaging_product") == "whatsapp":
            return JSONResponse({"messaging_product": "whatsapp", "messages": [{"id": f"wamid.OUT{number}"}]})
        if "recipient" in body:
            return JSONResponse({"recipient_id": body["recipient"]["id"], "message_id": f"m_OUT{number}"})
        return JSONResponse({"id": f"comment_OUT{number}"})


@contextlib.asynccontextmanager
async def graph_server() -> AsyncIterator[Graph]:
    """The server on a free port."""
    graph = Graph()
    app = Starlette(routes=[Route("/{account}/{edge}", graph.send, methods=["POST"])])
    door = WebDoor(app, host="127.0.0.1", port=0, setting="test")
    await door.open()
    graph.url = f"http://127.0.0.1:{door.port}"
    try:
        yield graph
    finally:
        await door.close(2)


def signed(body: Any) -> tuple[bytes, dict[str, str]]:
    """A webhook's raw body as Meta sends it, with its signature."""
    raw = json.dumps(body).encode()
    digest = hmac.new(APP_SECRET.encode(), raw, hashlib.sha256).hexdigest()
    return raw, {"x-hub-signature-256": f"sha256={digest}", "content-type": "application/json"}
