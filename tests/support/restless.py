"""Agents who do at random whatever an agent may do, some of it twice, and a look at the database while they do it."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx

from tests.support.desks import Desks, desk_client
from tests.support.effects import connect

# At every moment, not only at rest: what an agent uses is what the items hold; more than the limits only where an event says so.
_WRONG_NOW = """
select a.name, a.used, a.budget, a.counts, coalesce(h.used, 0) as held
from santral.agent a left join lateral (
    select sum((one.value->>'cost')::int)::int as used from santral.work_item i, jsonb_each(i.held) one
    where i.workspace_id = a.workspace_id and one.key = a.id::text
) h on true
where a.used <> coalesce(h.used, 0)
   or (a.used - a.interruptible_used > a.budget and not exists (
       select from santral.event e
       where e.workspace_id = a.workspace_id and e.agent_id = a.id and e.type = 'agent.over_capacity'))
"""
_TWO_OPEN_NOW = """
select conversation_id::text from santral.work_item where state not in ('completed', 'abandoned', 'canceled')
group by workspace_id, conversation_id having count(*) > 1
"""
_AGENT_GAPS = """
select agent_id::text, count(*) as n, min(agent_seq) as first, max(agent_seq) as last from santral.event
where agent_id is not null group by workspace_id, agent_id
having count(*) <> max(agent_seq) or min(agent_seq) <> 1 or count(*) <> count(distinct agent_seq)
"""
_TOLD_TWICE = """
select data->>'item_id' as item, data->>'version' as version, agent_id::text, count(*) as n from santral.event
where data ? 'version' and data ? 'item_id' group by workspace_id, 1, 2, 3 having count(*) > 1
"""
_TOLD_DIFFERENTLY = """
select data->>'item_id' as item, data->>'version' as version, array_agg(distinct type) as types from santral.event
where data ? 'version' and data ? 'item_id' group by workspace_id, 1, 2 having count(distinct type) > 1
"""
_ACCEPTED_TWICE = """
select data->>'offer_id' as offer, count(*) as n from santral.event where type = 'offer.accepted'
group by workspace_id, 1 having count(distinct data->>'version') > 1
"""
_OFFERS_UNTOLD = """
select o.id::text, o.state from santral.offer o
where 1 <> (select count(distinct e.data->>'version') from santral.event e
            where e.workspace_id = o.workspace_id and e.type = 'offer.made' and e.data->>'offer_id' = o.id::text)
   or (o.state = 'accepted') <> exists (
       select from santral.event e
       where e.workspace_id = o.workspace_id and e.type = 'offer.accepted' and e.data->>'offer_id' = o.id::text)
"""
_WITHOUT_ITEM = """
select m.conversation_id::text from santral.message m
where m.direction = 'in' and not exists (
    select from santral.work_item i where i.workspace_id = m.workspace_id and i.conversation_id = m.conversation_id)
"""
_STILL_USED = (
    "select name, used, interruptible_used, exclusive_held, counts from santral.agent where used <> 0 or interruptible_used <> 0"
    " or exclusive_held <> 0 or exists (select from jsonb_each_text(counts) c where c.value::int <> 0)"
)


_ACCEPTED_AWAY = """
select e.agent_id, e.agent_seq, said.presence from santral.event e
cross join lateral (
    select p.data->>'presence' as presence from santral.event p
    where p.workspace_id = e.workspace_id and p.agent_id = e.agent_id and p.type = 'presence.changed' and p.agent_seq < e.agent_seq
    order by p.agent_seq desc limit 1) said
where e.type = 'offer.accepted' and e.agent_id::text = e.data->>'holder_id' and said.presence not in ('online', 'busy')
"""
_UNHEARD = """
select o.id, a.presence from santral.offer o
join santral.agent a on a.workspace_id = o.workspace_id and a.id = o.agent_id
where o.state = 'open' and a.presence not in ('online', 'busy') and a.presence_at < clock_timestamp() - interval '5 s'
"""


@dataclass(slots=True, kw_only=True)
class Restless:
    """The demo's agents, each with a generator of its own. ``won`` and ``lost`` count the answers to accepts sent twice."""

    desks: Desks
    seed: int
    pause_s: float = 0.1
    won: int = 0
    twice: list[str] = field(default_factory=list)  # offers of which two accepts succeeded
    looks: int = 0

    @contextlib.asynccontextmanager
    async def working(self, url: str) -> AsyncIterator[None]:
        """They work while the block runs, and the database is looked at; afterwards they keep what they have."""
        stopping = asyncio.Event()
        tasks = [
            asyncio.create_task(self._work(agent, random.Random(self.seed + number), stopping))
            for number, agent in enumerate(self.desks.agents)
        ]
        tasks.append(asyncio.create_task(self._look(url, stopping)))
        try:
            yield
        finally:
            stopping.set()
            await asyncio.gather(*tasks)

    async def _work(self, agent: dict[str, Any], chance: random.Random, stopping: asyncio.Event) -> None:
        call = self.desks.call
        async with desk_client(self.desks.http, agent) as client:
            while not stopping.is_set():
                presence = chance.choices(["online", "busy", "away"], [18, 1, 1])[0]
                await call(client, "presence", "PUT", "/v1/agents/me/presence", {"presence": presence})
                desk = await call(client, "desk", "GET", "/v1/agents/me/desk") or {}
                for offer in desk.get("offers", []):
                    await self._answer(client, offer["offer"]["id"], chance)
                for item in desk.get("items", []):
                    await self._handle(client, item, chance)
                if chance.random() < 0.3:
                    waiting = await call(client, "waiting", "GET", "/v1/items?state=queued&limit=5") or {}
                    for item in waiting.get("items", [])[:1]:
                        await call(client, "claim", "POST", f"/v1/items/{item['id']}/claim")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), self.pause_s)

    async def _answer(self, client: httpx.AsyncClient, offer: str, chance: random.Random) -> None:
        way = chance.choices(["accept", "twice", "decline", "ignore"], [5, 3, 2, 1])[0]
        path = f"/v1/offers/{offer}/accept"
        if way == "decline":
            await self.desks.call(client, "decline", "POST", f"/v1/offers/{offer}/decline")
        elif way == "accept":
            await self.desks.call(client, "accept", "POST", path)
        elif way == "twice":
            both = await asyncio.gather(*(self.desks.call(client, "accept", "POST", path) for _ in range(2)))
            wins = sum(one is not None for one in both)
            self.won += wins
            if wins > 1:
                self.twice.append(offer)

    async def _handle(self, client: httpx.AsyncClient, item: dict[str, Any], chance: random.Random) -> None:
        call = self.desks.call
        if item["state"] not in ("assigned", "wrapping"):
            return
        way = chance.choices(["reply", "done", "transfer", "park", "nothing"], [4, 4, 2, 1, 2])[0]
        if way == "reply":
            reply = {"content": {"kind": "text", "text": "Bakıyorum."}}
            await call(client, "reply", "POST", f"/v1/conversations/{item['conversation_id']}/replies", reply)
        elif way == "done" and await call(client, "done", "POST", f"/v1/items/{item['id']}/done"):
            self.desks.done += 1
        elif way == "park":
            await call(client, "park", "POST", f"/v1/items/{item['id']}/park")
        elif way == "transfer":
            targets = await call(client, "targets", "GET", "/v1/targets") or {"agents": [], "queues": []}
            to: dict[str, Any] = {"to_queue": "general", "wait_s": 5}
            if targets["agents"] and chance.random() < 0.7:
                to = {"to_agent": chance.choice(targets["agents"])["id"], "wait_s": 5}
            await call(client, "transfer", "POST", f"/v1/items/{item['id']}/transfer", to)

    async def _look(self, url: str, stopping: asyncio.Event) -> None:
        connection = await connect(url)
        try:
            while not stopping.is_set():
                await _nothing(connection, {"capacity": _WRONG_NOW, "two open items": _TWO_OPEN_NOW})
                self.looks += 1
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), 0.5)
        finally:
            await connection.close()


async def _nothing(connection: asyncpg.Connection, statements: dict[str, str]) -> None:
    for what, statement in statements.items():
        broken = [dict(row) for row in await connection.fetch(statement)]
        assert not broken, f"{what}: {broken[:5]}"


async def require_dispatch_invariants(url: str, *, finished: bool) -> None:
    """What holds of items, offers and agents beside `effects.require_invariants`; ``finished``: nothing is in work any more."""
    connection = await connect(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            checks = {
                "an agent's sequence has gaps": _AGENT_GAPS,
                "a transition told twice to one agent": _TOLD_TWICE,
                "a transition told in two ways": _TOLD_DIFFERENTLY,
                "an offer accepted twice": _ACCEPTED_TWICE,
                "an offer not told, or told otherwise than it ended": _OFFERS_UNTOLD,
                "a message without an item": _WITHOUT_ITEM,
                "capacity": _WRONG_NOW,
                "an offer accepted while away": _ACCEPTED_AWAY,
                "an offer that rings where nobody hears it": _UNHEARD,
            }
            await _nothing(connection, checks | ({"all is finished and capacity is used": _STILL_USED} if finished else {}))
    finally:
        await connection.close()
