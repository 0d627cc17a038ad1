"""A mail's target as its agent sees it: reckoned by the calendar of the office, and met by the answer."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from tests.support.counter import Counter
from tests.support.waiting import eventually


async def event_of(counter: Counter, conversation: str, kind: str) -> dict[str, Any]:
    async def found() -> dict[str, Any] | None:
        events = (await counter.admin.get(f"/v1/conversations/{conversation}/events")).json()["items"]
        return next((one for one in events if one["type"] == kind), None)

    return await eventually(found, 30, f"{kind} of {conversation}")


async def test_an_item_says_its_target_and_the_answer_meets_it(counter: Counter) -> None:
    for name in ("Ece", "Mert"):
        await counter.online(name, "away")
    await counter.online("Deniz")
    routed = await counter.post("Merhaba, kahve ne zaman gelir?", value=f"hedef-{uuid4()}@ornek.com")
    held = await counter.held("Deniz", routed["conversation_id"])

    async def clocked() -> dict[str, Any] | None:
        item: dict[str, Any] = (await counter.admin.get(f"/v1/items/{held['id']}")).json()
        return item if item["sla"] else None

    item = await eventually(clocked, 20, "the item has its target")
    assert (item["sla"]["kind"], item["sla"]["target_s"], item["sla"]["state"]) == ("first_response", 28800, "running")
    asked = {"calendar": "office", "start": item["enqueued_at"], "target": "8h"}
    reckoned = (await counter.admin.post("/v1/calendars/deadline", json=asked)).json()
    due = [datetime.fromisoformat(at) for at in (reckoned["due_at"], item["sla"]["due_at"])]
    assert abs(due[0] - due[1]) < timedelta(milliseconds=1)
    reply = {"content": {"kind": "text", "text": "Yarın elinizde."}}
    path = f"/v1/conversations/{routed['conversation_id']}/replies"
    assert (await counter.agents["Deniz"].post(path, json=reply)).status_code == 202
    met = await event_of(counter, routed["conversation_id"], "sla.met")
    data = met.get("data", met)
    assert (data["kind"], data["late"], data["item_id"]) == ("first_response", False, held["id"])
    after = (await counter.admin.get(f"/v1/items/{held['id']}")).json()
    assert after["sla"] is None
