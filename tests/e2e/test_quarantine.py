"""What could not be understood, from the command line: its bytes, its reason, taking it in again after a repair."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import httpx

from tests.support.counter import Counter
from tests.support.serving import said_by
from tests.support.waiting import eventually


async def quarantine(counter: Counter, *words: str) -> str:
    status, said = await said_by("quarantine", *words, "--url", counter.facts["http"], "--api-key", counter.facts["api_key"])
    assert status == 0, said
    return said


async def kept_with(counter: Counter, words: str) -> dict[str, Any]:
    """The open entry with these words among its bytes."""

    async def found() -> dict[str, Any] | None:
        for one in (await counter.admin.get("/v1/quarantine?limit=50")).json()["items"]:
            if words in await quarantine(counter, "show", one["id"]):
                return dict(one)
        return None

    return await eventually(found, 30, f"{words!r} is in quarantine")


async def test_a_short_row_is_kept_with_its_bytes_and_reason(counter: Counter) -> None:
    inboxes = (await counter.admin.get("/v1/inboxes?limit=200")).json()["items"]
    path = next(one["webhook_path"] for one in inboxes if one["name"] == "switchboard")
    mark = f"short-{uuid4().hex[:8]}"
    async with httpx.AsyncClient(base_url=counter.facts["webhooks"], trust_env=False, timeout=30) as client:
        assert (await client.post(path, content=f'"{mark}","row"\n', headers=counter.switchboard)).status_code == 200
    kept = await kept_with(counter, mark)
    assert kept["id"] in await quarantine(counter, "list")
    listed = {one["id"]: one for one in json.loads(await quarantine(counter, "list", "--json"))}
    assert listed[kept["id"]]["reason"]
    shown = await quarantine(counter, "show", kept["id"])
    assert "reason: " in shown
    assert mark in shown
    assert "0 of 1" in (refused := await quarantine(counter, "replay", kept["id"])), refused
    assert "stays" in refused
    assert kept["id"] in await quarantine(counter, "list")
    assert (await counter.admin.post(f"/v1/quarantine/{kept['id']}/discard")).status_code == 204
    assert kept["id"] not in await quarantine(counter, "list")


async def test_wrong_words_are_answered_with_a_remedy(counter: Counter) -> None:
    address = ("--url", counter.facts["http"], "--api-key", counter.facts["api_key"])
    for words, expected in (
        (("quarantine", "replay", *address), "--all"),
        (("quarantine", "show", str(uuid4()), *address), "no such"),
        (("quarantine", "list", "--url", counter.facts["http"], "--api-key", "santral_live_wrong"), "not one of our tokens"),
        (("quarantine", "list", "--url", "http://127.0.0.1:1", "--api-key", "x"), "--url"),
    ):
        status, said = await said_by(*words)
        assert status != 0, said
        assert "Traceback" not in said
        assert expected in said
