"""From a message posted by another system to its offer on the agent's own socket, through every process of a running deployment."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

from tests.support.figures import Figures, percentile
from tests.support.serving import serving

RATES = (50, 200)
SECONDS = float(os.environ.get("SANTRAL_BENCH_SECONDS", "10"))
AGENTS = 40

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]


class Desk:
    """An agent's socket that notes when each conversation reached it, and finishes the work at once."""

    def __init__(self, http: str, token: str, seen: dict[str, float], client: httpx.AsyncClient) -> None:
        self._http, self._token, self._seen, self._client = http, token, seen, client

    async def run(self) -> None:
        url = self._http.replace("http://", "ws://") + "/v1/stream"
        headers = {"authorization": f"Bearer {self._token}"}
        async with websockets.connect(url, subprotocols=[websockets.Subprotocol("santral.v1")], max_size=None) as socket:
            await socket.send(json.dumps({"type": "hello", "token": self._token}))
            async for text in socket:
                frame = json.loads(text)
                event = frame.get("event") or {}
                if frame["type"] == "event" and event.get("type") in ("offer.made", "item.assigned"):
                    self._seen.setdefault(event["conversation_id"], time.perf_counter())
                    await self._client.post(f"/v1/items/{event['data']['item_id']}/done", headers=headers)


async def prepared(client: httpx.AsyncClient) -> list[str]:
    """Agents with room for everything, online, and their tokens."""
    tokens = []
    for n in range(AGENTS):
        body = {
            "name": f"Bench {n}", "budget": 10000, "channels": {"email": {"cost": 1, "cap": 1000}},
            "queues": [{"queue": "general"}, {"queue": "complaints"}, {"queue": "returns"}],
        }  # fmt: skip
        made = (await client.post("/v1/agents", json=body)).json()
        token = (await client.post(f"/v1/agents/{made['id']}/tokens")).json()["token"]
        await client.put("/v1/agents/me/presence", json={"presence": "online"}, headers={"authorization": f"Bearer {token}"})
        tokens.append(token)
    return tokens


async def at_rate(client: httpx.AsyncClient, rate: int, seen: dict[str, float]) -> list[float]:
    """Posts at a steady rate; milliseconds from post to socket, for every message."""
    posted: dict[str, float] = {}
    total = int(rate * SECONDS)

    async def one(n: int) -> None:
        body = {
            "inbox": "api", "external_id": f"{rate}-{n}", "from": {"kind": "email", "value": f"k{rate}-{n}@ornek.com"},
            "text": "Merhaba, siparişim nerede?",
        }  # fmt: skip
        began = time.perf_counter()
        answer = await client.post("/v1/messages", json=body)
        assert answer.status_code == 202, answer.text
        posted[answer.json()["id"]] = began

    began = time.perf_counter()
    tasks = []
    for n in range(total):
        await asyncio.sleep(max(0.0, began + n / rate - time.perf_counter()))
        tasks.append(asyncio.create_task(one(n)))
    await asyncio.gather(*tasks)
    conversations: dict[str, float] = {}
    for message, at in posted.items():
        state: dict[str, Any] = {"state": "accepted"}
        while state["state"] == "accepted":
            state = (await client.get(f"/v1/messages/{message}")).json()
        conversations[state["conversation_id"]] = at
    async with asyncio.timeout(60):
        while not conversations.keys() <= seen.keys():
            await asyncio.sleep(0.05)
    return [(seen[conversation] - at) * 1000 for conversation, at in conversations.items()]


async def test_arrival_to_offer(tmp_path: Path) -> None:
    figures = Figures("Arrival → offer on the agent's socket, all processes, broker and database on this machine")
    async with serving(tmp_path) as served:
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
        async with httpx.AsyncClient(base_url=served.facts["http"], headers=served.headers, limits=limits, timeout=60) as client:
            seen: dict[str, float] = {}
            desks = [asyncio.create_task(Desk(served.facts["http"], token, seen, client).run()) for token in await prepared(client)]
            for rate in RATES:
                took = await at_rate(client, rate, seen)
                figures.add(
                    f"{rate}/s for {SECONDS:g} s", f"p50 {percentile(took, 0.5):.0f} ms, p99 {percentile(took, 0.99):.0f} ms",
                    f"{len(took)} messages",
                )  # fmt: skip
            for desk in desks:
                desk.cancel()
            await asyncio.gather(*desks, return_exceptions=True)
    print(figures.show())
