"""`santral serve` as a user meets it: first start, kill -9, second start, Ctrl-C, deaths of its parts, and bad input."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from shared.embedded.postgres import PostgresUrls
from shared.embedded.process import processes_of
from shared.topics import Topics
from tests.support.serving import Served, said_by, santral, serving, start

pytestmark = pytest.mark.timeout(240)
SECOND_START_S = 10.0
STARTS_MAX = 3


async def ask(url: str, **options: dict[str, str]) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        return await client.get(url, **options)  # type: ignore[arg-type]


async def until(holds: Callable[[], Awaitable[bool]], *, within_s: float) -> None:
    """Asks again and again; another process tells no event that a test could await."""
    async with asyncio.timeout(within_s):
        while not await holds():
            await asyncio.sleep(0.05)


async def ready(served: Served, name: str) -> bool:
    try:
        return (await ask(f"{served.facts['health'][name]}/readyz")).status_code == 200
    except httpx.HTTPError:
        return False


def left_over(served: Served) -> list[int]:
    folders = {"processes": "python", "postgres/data": "postgres", "kafka": "java"}
    return [pid for place, program in folders.items() for pid in processes_of(served.folder / place, program)]


async def test_first_start_kill_and_second_start_with_all_data(tmp_path: Path) -> None:
    first = await start(tmp_path)
    try:
        facts = first.facts
        assert facts.keys() == {"http", "webhooks", "smtp", "shop", "postgres", "kafka", "api_key", "agents", "health", "secrets"}
        assert stat.S_IMODE(first.ready_file.stat().st_mode) == 0o600
        for name, address in facts["health"].items():
            for path in ("livez", "readyz", "startupz", "healthz", "metrics"):
                assert (await ask(f"{address}/{path}")).status_code == 200, (name, path)
        host, _, port = facts["smtp"].rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        assert (await reader.readline()).startswith(b"220 ")
        writer.close()
        for path in ("/docs", "/openapi.json", "/shop", "/desk"):
            assert (await ask(facts["http"] + path)).status_code == 200, path
        assert facts["agents"], "the demo has agents"
        assert all(agent["page"].startswith(f"{facts['http']}/desk#code=santral_code_") for agent in facts["agents"])
        before = (await ask(f"{facts['http']}/v1/workspace", headers=first.headers)).json()
    finally:
        await first.kill_everything()
    # Other work on the machine only makes a start slower, so the fastest of a few is what it takes.
    starts_s: list[float] = []
    while not starts_s or (min(starts_s) > SECOND_START_S and len(starts_s) < STARTS_MAX):
        again = await start(tmp_path)
        starts_s.append(again.took_s)
        await again.kill_everything()
    assert min(starts_s) <= SECOND_START_S
    async with serving(tmp_path) as second:
        same = ("http", "webhooks", "smtp", "kafka", "postgres", "api_key", "health")
        assert {name: second.facts[name] for name in same} == {name: facts[name] for name in same}
        assert (await ask(f"{facts['http']}/v1/workspace", headers=second.headers)).json() == before
        assert {agent["page"] for agent in second.facts["agents"]}.isdisjoint(agent["page"] for agent in facts["agents"])
        assert await second.interrupt() == 0
        assert second.said[-1].endswith("Stopped.")
        assert left_over(second) == []
        assert not (second.folder / "serve.json").exists()


async def test_what_dies_is_started_again(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for name in ("gateway", "router", "api", "courier"):
            pid = served.child(name)
            os.kill(pid, signal.SIGKILL)

            async def again(name: str = name, pid: int = pid) -> bool:
                try:
                    return served.child(name) != pid and await ready(served, name)  # type: ignore[arg-type]
                except LookupError:
                    return False

            await until(again, within_s=30)
        for server in ("kafka", "postgres"):
            os.kill(served.server(server), signal.SIGKILL)

            async def answers() -> bool:
                return all([await ready(served, name) for name in served.facts["health"]])

            async def noticed() -> bool:
                return not await answers()

            await until(noticed, within_s=10)
            await until(answers, within_s=60)
        assert (await ask(f"{served.facts['http']}/v1/workspace", headers=served.headers)).status_code == 200


async def test_a_second_one_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path, demo=False) as served:
        status, said = await said_by("serve", "--data", str(served.folder), "--port", "0")
        assert status == 1
        assert said == (
            f"santral: The folder {served.folder} is in use by another Santral (process {served.process.pid}):"
            " stop that one, or choose another folder."
        )


async def test_a_taken_port_and_an_unusable_folder_are_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, said = await said_by("serve", "--data", str(tmp_path / "data"), "--port", str(port))
    assert status == 1
    assert (
        said.splitlines()[-1]
        == f"santral: --port: port {port} is taken by another program (stop it, name another, or 0 for a free one)"
    )
    (tmp_path / "file").write_text("")
    status, said = await said_by("serve", "--data", str(tmp_path / "file" / "data"))
    assert (status, said.count("\n")) == (1, 0)
    assert "a file stands where a folder is needed" in said
    status, said = await said_by("serve", "--data", str(tmp_path / "data"), "--smtp-relay", "nonsense")
    assert (status, said) == (1, "santral: --smtp-relay: 'nonsense' is not an address (HOST:PORT, as in mail.example:25)")
    status, said = await said_by("serve", "--data", str(tmp_path / "data"), "--ready-file", str(tmp_path / "file" / "ready.json"))
    assert status == 1
    assert "Traceback" not in said


async def test_a_wrong_use_is_status_two_and_an_unknown_setting_is_refused_when_strict(tmp_path: Path) -> None:
    assert (await said_by("serve", "--nonsense"))[0] == 2
    assert (await said_by("nonsense"))[0] == 2
    status, said = await said_by("serve", "--data", str(tmp_path), "--strict", environment={"SANTRAL_KAFKA_BOOTSTRAP": "x:1"})
    assert status == 1
    assert said.splitlines()[-1].endswith(
        "SANTRAL_KAFKA_BOOTSTRAP: no such setting (did you mean SANTRAL_KAFKA_BOOTSTRAP_SERVERS?)"
    )


async def test_a_second_ctrl_c_does_not_wait(tmp_path: Path) -> None:
    async with serving(tmp_path, demo=False) as served:
        os.kill(served.child("api"), signal.SIGSTOP)
        served.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(10):
            while not served.said[-1].endswith("Once more stops faster."):
                await asyncio.sleep(0.01)
        assert await served.interrupt() == 0
        assert left_over(served) == []


async def test_ctrl_c_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    process = await santral("serve", "--data", str(tmp_path / "data"), "--port", "0")
    assert process.stdout is not None
    async for line in process.stdout:
        if b"PostgreSQL answers" in line:
            process.send_signal(signal.SIGINT)
            break
    rest = (await process.stdout.read()).decode()
    assert await process.wait() == 0
    assert rest.rstrip().endswith("Stopped.")
    assert processes_of(tmp_path / "data" / "postgres" / "data", "postgres") == []
    assert processes_of(tmp_path / "data" / "kafka", "java") == []


async def test_servers_of_ones_own_are_used_and_none_is_started(
    kafka: str, topics: Topics, database_urls: PostgresUrls, tmp_path: Path
) -> None:
    environment = {
        "SANTRAL_DATABASE_URL": database_urls.api,
        "SANTRAL_DATABASE_WORKER_URL": database_urls.worker,
        "SANTRAL_KAFKA_BOOTSTRAP_SERVERS": kafka,
        "SANTRAL_TOPIC_PREFIX": topics.messages.removesuffix(".messages.v1"),
    }
    async with serving(tmp_path, demo=False, environment=environment) as served:
        assert (served.facts["kafka"], served.facts["postgres"]) == (kafka, "")
        assert not (served.folder / "postgres").exists()
        assert not (served.folder / "kafka").exists()
        assert (await ask(f"{served.facts['http']}/v1/workspace", headers=served.headers)).json()["name"] == "default"
