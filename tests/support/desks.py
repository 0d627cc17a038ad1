"""Agents at work through REST: they come online, accept what is offered, and answer and finish what they have."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass(slots=True, kw_only=True)
class Desks:
    """The demo's agents. ``answers`` counts every answer by command and status; 0 is none."""

    http: str
    agents: list[dict[str, Any]]
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    done: int = 0

    @property
    def failures(self) -> int:
        """Answers of 5xx."""
        return sum(count for (_, status), count in self.answers.items() if status >= 500)

    @contextlib.asynccontextmanager
    async def working(self, *, pause_s: float = 0.2, answering: bool = False, finishing: bool = True) -> AsyncIterator[None]:
        """They work while the block runs (``answering``: with replies); afterwards they are offline and keep what they have."""
        stopping = asyncio.Event()
        tasks = [asyncio.create_task(self._work(agent, stopping, pause_s, answering, finishing)) for agent in self.agents]
        try:
            yield
        finally:
            stopping.set()
            await asyncio.gather(*tasks)

    async def _work(self, agent: dict[str, Any], stopping: asyncio.Event, pause_s: float, answering: bool, finishing: bool) -> None:
        async with desk_client(self.http, agent) as client:
            while not stopping.is_set():
                await self.call(client, "presence", "PUT", "/v1/agents/me/presence", {"presence": "online"})
                desk = await self.call(client, "desk", "GET", "/v1/agents/me/desk")
                for offer in (desk or {}).get("offers", []):
                    await self.call(client, "accept", "POST", f"/v1/offers/{offer['offer']['id']}/accept")
                for item in (desk or {}).get("items", []):
                    if item["state"] not in ("assigned", "wrapping"):
                        continue
                    if answering:
                        reply = {"content": {"kind": "text", "text": "Bakıyorum."}}
                        await self.call(client, "reply", "POST", f"/v1/conversations/{item['conversation_id']}/replies", reply)
                    if finishing and await self.call(client, "done", "POST", f"/v1/items/{item['id']}/done"):
                        self.done += 1
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), pause_s)
            await self.call(client, "presence", "PUT", "/v1/agents/me/presence", {"presence": "offline"})

    async def call(self, client: httpx.AsyncClient, name: str, method: str, path: str, body: Any = None) -> Any:
        """The answer's body when it is 2xx, else None."""
        try:
            answer = await client.request(method, path, json=body)
        except httpx.HTTPError:
            self.answers[name, 0] += 1
            return None
        self.answers[name, answer.status_code] += 1
        return answer.json() if answer.is_success and answer.content else None


def desk_client(http: str, agent: dict[str, Any]) -> httpx.AsyncClient:
    """A client with an agent's token."""
    return httpx.AsyncClient(base_url=http, headers={"authorization": f"Bearer {agent['token']}"}, trust_env=False, timeout=15)
