"""Many at once for one thing: 50 accepts of one offer have one winner; 50 answered mails give all capacity back (R14)."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import httpx

from tests.support.desks import Desks, desk_client
from tests.support.effects import connect, drained, effects, require_invariants
from tests.support.house import everything_finished
from tests.support.load import Load
from tests.support.serving import Served
from tests.support.waiting import eventually

_ANSWERED = """
select count(distinct m.conversation_id) from santral.message m
where exists (select from santral.message r where r.conversation_id = m.conversation_id and r.direction = 'out' and r.seq > m.seq)
  and split_part(translate(m.external_id, '#', ':'), ':', 1) = any($1::text[])
"""


async def test_fifty_accepts_of_one_offer_have_one_winner(house: Served, load: Load, desks: Desks) -> None:
    await everything_finished(house, desks)
    headers, agent = load.headers, house.facts["agents"][0]
    async with httpx.AsyncClient(base_url=house.facts["http"], headers=headers, trust_env=False) as admin:
        inbox = await load.chat_inbox()
        async with desk_client(house.facts["http"], agent) as desk:
            (await desk.put("/v1/agents/me/presence", json={"presence": "online"})).raise_for_status()
            sender = {"kind": "email", "value": f"one-{load.run}@load.example"}
            message = {"inbox": inbox, "external_id": f"one-{load.run}", "from": sender, "text": "Merhaba"}
            (await admin.post("/v1/messages", json=message)).raise_for_status()

            async def offered() -> Any:
                found = (await desk.get("/v1/offers")).json()["items"]
                return found[0] if found else None

            offer = await eventually(offered, 20, "the offer")
            accepts = await asyncio.gather(*(desk.post(f"/v1/offers/{offer['offer']['id']}/accept") for _ in range(50)))
            answers = Counter(one.status_code for one in accepts)
            used = (await desk.get("/v1/agents/me/desk")).json()["agent"]["used"]
            print(f"\n50 accepts of one offer: won {answers[200]}, refused {answers[409]}, capacity used {used}")
            assert answers == {200: 1, 409: 49}
            assert used == 33
            await require_invariants(house.facts["postgres"])
            assert (await desk.post(f"/v1/items/{offer['id']}/done")).status_code == 200
            await desk.put("/v1/agents/me/presence", json={"presence": "offline"})


async def test_fifty_answered_mails_use_no_capacity(house: Served, load: Load, desks: Desks) -> None:
    await everything_finished(house, desks)
    await asyncio.gather(*(load.deliver("mail", f"mail-{n}-{load.run}@load.example", 0) for n in range(50)))
    wanted = [one.external_id for one in load.acknowledged]
    connection = await connect(house.facts["postgres"])
    try:
        async with desks.working(answering=True, finishing=False, pause_s=0.1):

            async def answered() -> bool:
                return bool(await connection.fetchval(_ANSWERED, wanted) == 50)

            await eventually(answered, 60, "all 50 are answered")
        rows = await connection.fetch(
            "select i.state, count(*) as n from santral.work_item i join santral.message m using (workspace_id, conversation_id)"
            " where split_part(translate(m.external_id, '#', ':'), ':', 1) = any($1::text[]) group by 1",
            wanted,
        )
        states: dict[str, int] = {row["state"]: row["n"] for row in rows}
    finally:
        await connection.close()
    used = []
    for agent in house.facts["agents"]:
        async with desk_client(house.facts["http"], agent) as desk:
            used.append((await desk.get("/v1/agents/me/desk")).json()["agent"]["used"])
    await drained(house.facts["postgres"], load, 30)
    found = await effects(house.facts["postgres"], load)
    print(found.line("50 answered mails", capacity_used=sum(used), **states))
    assert states == {"parked": 50}
    assert used == [0] * len(used)
    assert (found.lost, found.duplicated, desks.failures) == ((), (), 0)
    await require_invariants(house.facts["postgres"])
