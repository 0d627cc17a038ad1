"""What the health port answers in each state of a process."""

from __future__ import annotations

import asyncio

import httpx

from shared.errors import Unavailable
from shared.health import Health, health_app


async def good() -> str:
    return "answers"


async def away() -> str:
    raise Unavailable("the database cannot be reached")


async def broken() -> str:
    raise RuntimeError("a defect with a secret in it")


async def silent() -> str:
    await asyncio.Event().wait()
    return "never"


async def ask(health: Health, path: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=health_app(health)), base_url="http://health") as client:
        return await client.get(path)


async def test_starting_ready_draining() -> None:
    health = Health("api", {"database": good})
    assert (await ask(health, "/startupz")).status_code == 503
    assert (await ask(health, "/readyz")).json() == {"status": "fail", "output": "starting"}
    health.started = True
    assert (await ask(health, "/startupz")).status_code == 200
    assert (await ask(health, "/readyz")).status_code == 200
    health.draining = True
    assert (await ask(health, "/readyz")).status_code == 503
    assert (await ask(health, "/livez")).status_code == 200


async def test_a_dependency_that_is_away_makes_it_unready_but_not_dead() -> None:
    health = Health("api", {"database": away, "broker": good})
    health.started = True
    answer = await ask(health, "/readyz")
    assert answer.status_code == 503
    assert list(answer.json()["failed"]) == ["database"]
    assert (await ask(health, "/livez")).status_code == 200


async def test_health_shows_every_check() -> None:
    health = Health("router", {"one": good, "two": away, "three": broken, "four": silent})
    async with asyncio.timeout(3):
        answer = await ask(health, "/healthz")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/health+json"
    body = answer.json()
    assert body["serviceId"] == "santral-router"
    assert {name: check[0]["status"] for name, check in body["checks"].items()} == {
        "one": "pass", "two": "fail", "three": "fail", "four": "fail",
    }  # fmt: skip
    assert "secret" not in answer.text


async def test_the_beat_says_whether_the_loop_turns() -> None:
    health = Health("api", {})
    beating = asyncio.create_task(health.beat())
    assert health.alive()
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)


async def test_metrics_have_our_names_only_and_no_workspace() -> None:
    answer = await ask(Health("api", {}), "/metrics")
    names = {line.split()[2] for line in answer.text.splitlines() if line.startswith("# TYPE")}
    ours = {name for name in names if not name.startswith(("python_", "process_"))}
    assert len(ours) > 20
    assert all(name.startswith("santral_") for name in ours)
    assert not any(label in answer.text for label in ("workspace=", "agent=", "customer="))
