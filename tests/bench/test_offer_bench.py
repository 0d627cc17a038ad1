"""From a message posted by another system to its offer on the agent's own socket, through every process of a running deployment.

The agents have room for everything, so nobody has to finish work meanwhile: what is measured is the way in, not the agents' clicks.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import websockets

from tests.support.figures import Figures, percentile
from tests.support.posting import Posting
from tests.support.serving import Served, serving

RATES = tuple(int(rate) for rate in os.environ.get("SANTRAL_BENCH_RATES", "50,100,200").split(","))
SECONDS = float(os.environ.get("SANTRAL_BENCH_SECONDS", "10"))
AGENTS = 40
_TAKEN = """
select r.id, r.conversation_id from santral.receipt r
join santral.message m on m.workspace_id = r.workspace_id and m.conversation_id = r.conversation_id and m.seq = r.seq
where m.external_id like $1
"""

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]


async def desk(http: str, token: str, seen: dict[str, float]) -> None:
    """An agent's socket that notes when each conversation reached it."""
    url = http.replace("http://", "ws://") + "/v1/stream"
    async with websockets.connect(url, subprotocols=[websockets.Subprotocol("santral.v1")], max_size=None) as socket:
        await socket.send(json.dumps({"type": "hello", "token": token}))
        async for text in socket:
            frame = json.loads(text)
            event = frame.get("event") or {}
            if frame["type"] == "event" and event.get("type") in ("offer.made", "item.assigned"):
                seen.setdefault(event["conversation_id"], time.perf_counter())


async def prepared(served: Served) -> list[str]:
    """Agents with room for everything, online, and their tokens."""
    tokens = []
    async with httpx.AsyncClient(base_url=served.facts["http"], headers=served.headers, timeout=60) as client:
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


async def at_rate(served: Served, rate: int, seen: dict[str, float]) -> tuple[list[float], list[float]]:
    """Posts at a steady rate. Milliseconds from post to socket and from post to answer, for every message."""
    posting = Posting(served.facts["http"], served.headers)
    posted: dict[str, float] = {}
    answered: list[float] = []

    async def one(n: int) -> None:
        body: dict[str, Any] = {
            "inbox": "api", "external_id": f"{rate}-{n}", "from": {"kind": "email", "value": f"k{rate}-{n}@ornek.com"},
            "text": "Merhaba, siparişim nerede?",
        }  # fmt: skip
        began = time.perf_counter()
        status, answer = await posting.post("/v1/messages", body)
        assert status == 202, answer
        answered.append((time.perf_counter() - began) * 1000)
        posted[answer["id"]] = began

    began = time.perf_counter()
    tasks = []
    for n in range(int(rate * SECONDS)):
        await asyncio.sleep(max(0.0, began + n / rate - time.perf_counter()))
        tasks.append(asyncio.create_task(one(n)))
    await asyncio.gather(*tasks)
    await posting.close()
    taken: dict[str, str] = {}
    connection = await asyncpg.connect(served.facts["postgres"])
    async with asyncio.timeout(60):
        while len(taken) < len(posted) or not set(taken.values()) <= seen.keys():
            await asyncio.sleep(0.1)
            taken = {str(row["id"]): str(row["conversation_id"]) for row in await connection.fetch(_TAKEN, f"{rate}-%")}
    await connection.close()
    return [(seen[taken[message]] - at) * 1000 for message, at in posted.items()], answered


async def test_arrival_to_offer(tmp_path: Path) -> None:
    figures = Figures("Arrival → offer on the agent's socket; broker, database, load and all processes on this machine")
    async with serving(tmp_path) as served:
        seen: dict[str, float] = {}
        tokens = await prepared(served)
        desks = [asyncio.create_task(desk(served.facts["http"], token, seen)) for token in tokens]
        for rate in RATES:
            took, answered = await at_rate(served, rate, seen)
            figures.add(
                f"{rate}/s for {SECONDS:g} s", f"p50 {percentile(took, 0.5):.0f} ms, p99 {percentile(took, 0.99):.0f} ms",
                f"{len(took)} messages; posts answered p50 {percentile(answered, 0.5):.0f} ms",
            )  # fmt: skip
        for one in desks:
            one.cancel()
        await asyncio.gather(*desks, return_exceptions=True)
    print(figures.show())
