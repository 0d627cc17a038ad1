"""An operator's model: a local server that speaks the classifier's protocol, and misbehaves when told to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.frame.doors import WebDoor


@dataclass(slots=True)
class Model:
    """What was asked of it, and how it answers: by words, with ``instead``, or only when ``waits_for`` is set."""

    url: str = ""
    name: str = "topics-3"
    labels: dict[str, str] = field(default_factory=lambda: {"iade": "refund", "kargo": "delivery"})
    asked: list[dict[str, Any]] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    calls: int = 0
    instead: Response | None = None
    waits_for: asyncio.Event | None = None

    async def classify(self, request: Request) -> Response:
        """POST /classify."""
        messages = (await request.json())["messages"]
        self.calls += 1
        self.asked += messages
        self.tokens.append(request.headers.get("authorization"))
        if self.waits_for is not None:
            await self.waits_for.wait()
        if self.instead is not None:
            return self.instead
        said = [{"id": one["id"], **self._said(one["text"].lower())} for one in messages]
        return JSONResponse({"model": self.name, "messages": said})

    def _said(self, text: str) -> dict[str, Any]:
        found = {label: 0.9 for word, label in self.labels.items() if word in text}
        return {"labels": {**found, "other": 0.2, text: 1.0}, "urgency": 0.7 if found else None}


@contextlib.asynccontextmanager
async def model_server() -> AsyncIterator[Model]:
    """The server on a free port."""
    model = Model()
    door = WebDoor(
        Starlette(routes=[Route("/classify", model.classify, methods=["POST"])]), host="127.0.0.1", port=0, setting="test"
    )
    await door.open()
    model.url = f"http://127.0.0.1:{door.port}/classify"
    try:
        yield model
    finally:
        if model.waits_for is not None:
            model.waits_for.set()
        await door.close(2)
