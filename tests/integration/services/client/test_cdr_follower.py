"""The follower against a server that plays the API and the gateway: growth, interruption, rotation, outages."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.client.cdr_follower import Follow, Standing, follow_cdr
from services.client.rest_client import RestClient
from shared.errors import InputRejected, NotFound, Unauthenticated


def row(call: str, number: int) -> str:
    cells = ["", "05321112233", "5000", "from-trunk", "", "PJSIP/t-00000001", "PJSIP/101-00000002", "Queue", ""]
    cells += [
        "2026-03-04 13:11:18",
        "",
        "2026-03-04 13:11:48",
        "30",
        "0",
        "NO ANSWER",
        "DOCUMENTATION",
        call,
        "",
        "",
        call,
        str(number),
    ]
    return ",".join(f'"{cell}"' for cell in cells) + "\n"


class Deployment:
    """What was posted, by call; the place; and what goes wrong next."""

    def __init__(self) -> None:
        self.place: dict[str, Any] | None = None
        self.posts: list[tuple[bool, list[str]]] = []
        self.refusals: list[int] = []
        self.lost_answers = 0
        self.changed = asyncio.Event()
        self.secret = "a secret of the switchboard"

    async def inboxes(self, request: Request) -> Response:
        items = [
            {"id": "0190", "name": "switchboard", "provider": "asterisk", "settings": {}, "webhook_path": "/in/tok"},
            {"id": "0191", "name": "mail", "provider": "smtp", "settings": {}, "webhook_path": "/in/mail"},
        ]
        return JSONResponse({"items": items, "next": None})

    async def places(self, request: Request) -> Response:
        if request.method == "PUT":
            self.place = (await request.json())["place"]
        if self.place is None:
            return JSONResponse({"detail": "no place is kept"}, status_code=404)
        return JSONResponse({"source": "s", "place": self.place, "updated_at": "2026-03-04T10:00:00Z"})

    async def gateway(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {self.secret}":
            return JSONResponse({"detail": "wrong secret"}, status_code=401)
        if self.refusals:
            return JSONResponse({"detail": "later"}, status_code=self.refusals.pop(0))
        lines = (await request.body()).decode("utf-8", "replace").splitlines(keepends=True)
        self.posts.append((request.query_params.get("amends") == "true", lines))
        self.changed.set()
        if self.lost_answers:
            self.lost_answers -= 1
            return JSONResponse({"detail": "the answer was lost"}, status_code=400)
        return JSONResponse({"accepted": []})

    def calls(self) -> dict[tuple[bool, str], list[list[str]]]:
        """Posts by (amends, call): each a list of rows."""
        found: dict[tuple[bool, str], list[list[str]]] = defaultdict(list)
        for amends, lines in self.posts:
            rows: dict[str, list[str]] = defaultdict(list)
            for line in lines:
                rows[line.split('"')[-4] if '"' in line else line].append(line)
            for call, its in rows.items():
                found[amends, call].append(its)
        return found

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@contextlib.asynccontextmanager
async def serving(deployment: Deployment) -> AsyncIterator[str]:
    app = Starlette(
        routes=[
            Route("/v1/inboxes", deployment.inboxes),
            Route("/v1/inboxes/{id}/places/{source}", deployment.places, methods=["GET", "PUT"]),
            Route("/in/tok", deployment.gateway, methods=["POST"]),
        ]
    )
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    sockets = [server.config.bind_socket()]
    running = asyncio.create_task(server.serve(sockets=sockets))
    yield f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    server.should_exit = True
    await running


@pytest.fixture
def deployment() -> Deployment:
    return Deployment()


@pytest.fixture
async def url(deployment: Deployment) -> AsyncIterator[str]:
    async with serving(deployment) as address:
        yield address


Run = Callable[..., Awaitable[Standing]]


@pytest.fixture
def run(url: str, deployment: Deployment, tmp_path: Path) -> Run:
    async def running(*, inbox: str = "switchboard", follow: bool = False, secret: str | None = None) -> Standing:
        asked = Follow(
            file=tmp_path / "Master.csv", inbox=inbox, source="s", webhook_url=url, secret=secret or deployment.secret,
            follow=follow, settle_s=0.05, look_s=0.01,
        )  # fmt: skip
        async with RestClient(url, "key") as client:
            return await follow_cdr(asked, client, show=lambda _: None, say=lambda _: None)

    return running


@contextlib.asynccontextmanager
async def following(run: Run) -> AsyncIterator[None]:
    task = asyncio.ensure_future(run(follow=True))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_each_call_once_and_nothing_when_run_again(deployment: Deployment, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "Master.csv"
    file.write_text(row("a", 1) + row("b", 2) + row("a", 3) + "short,row\n" + row("c", 4)[:50], encoding="utf-8")
    done = await run()
    assert (done.calls, done.rows, done.amended, done.incomplete_bytes) == (3, 4, 0, 50)
    again = await run()
    assert (again.calls, again.rows) == (0, 0)
    assert len(deployment.posts) == 1
    file.write_text(file.read_text(encoding="utf-8")[:-50] + row("c", 4) + row("a", 5), encoding="utf-8")
    more = await run()
    assert (more.calls, more.amended) == (1, 1)
    assert deployment.calls()[True, "a"] == [[row("a", 5)]]


async def test_follows_what_is_written(deployment: Deployment, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "Master.csv"
    async with following(run):
        with file.open("a", encoding="utf-8") as writing:
            writing.write(row("a", 1) + row("b", 2)[:30])
            writing.flush()
            await deployment.until(lambda: (False, "a") in deployment.calls())
            writing.write(row("b", 2)[30:])
            writing.flush()
            await deployment.until(lambda: (False, "b") in deployment.calls())
            writing.write(row("a", 3))
            writing.flush()
            await deployment.until(lambda: (True, "a") in deployment.calls())
    assert len(deployment.posts) == 3


@pytest.mark.parametrize("copy", [False, True])
async def test_a_rotation_loses_no_row(deployment: Deployment, run: Run, tmp_path: Path, *, copy: bool) -> None:
    file, rotated = tmp_path / "Master.csv", tmp_path / "Master.csv.1"
    file.write_text(row("a", 1), encoding="utf-8")
    async with following(run):
        await deployment.until(lambda: (False, "a") in deployment.calls())
        content = file.read_text(encoding="utf-8") + row("b", 2)
        if copy:
            rotated.write_text(content, encoding="utf-8")
            file.write_text(row("c", 3), encoding="utf-8")
        else:
            file.rename(rotated)
            rotated.write_text(content, encoding="utf-8")
            file.write_text(row("c", 3), encoding="utf-8")
        await deployment.until(lambda: {(False, "b"), (False, "c")} <= set(deployment.calls()))
    assert all(len(posts) == 1 for posts in deployment.calls().values())


async def test_a_rotation_while_nobody_followed(deployment: Deployment, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "Master.csv"
    file.write_text(row("a", 1), encoding="utf-8")
    await run()
    (tmp_path / "Master.csv-20260305").write_text(row("a", 1) + row("b", 2), encoding="utf-8")
    file.write_text(row("c", 3) + row("a", 4), encoding="utf-8")
    await run()
    assert sorted(deployment.calls()) == [(False, "a"), (False, "b"), (False, "c"), (True, "a")]


async def test_an_interrupted_post_is_repeated_with_the_same_rows(deployment: Deployment, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "Master.csv"
    file.write_text(row("a", 1) + row("a", 2), encoding="utf-8")
    deployment.lost_answers = 1
    with pytest.raises(InputRejected, match="the gateway answered 400"):
        await run()
    assert deployment.place is not None
    assert list(deployment.place["posting"]) == ["a"]
    file.write_text(row("a", 1) + row("a", 2) + row("a", 3), encoding="utf-8")
    await run()
    assert deployment.calls() == {(False, "a"): [[row("a", 1), row("a", 2)]] * 2, (True, "a"): [[row("a", 3)]]}
    assert deployment.place["posting"] == {}


async def test_an_outage_is_waited_for(deployment: Deployment, run: Run, tmp_path: Path) -> None:
    (tmp_path / "Master.csv").write_text("".join(row(f"c{number}", number) for number in range(450)), encoding="utf-8")
    deployment.refusals = [503, 404]
    done = await run()
    assert done.calls == 450
    assert [len(lines) for _, lines in deployment.posts] == [200, 200, 50]


async def test_what_is_wrong_is_said(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputRejected, match="No such file"):
        await run()
    (tmp_path / "Master.csv").write_text(row("a", 1), encoding="utf-8")
    with pytest.raises(NotFound, match="no inbox nobody"):
        await run(inbox="nobody")
    with pytest.raises(InputRejected, match="an inbox of smtp"):
        await run(inbox="mail")
    with pytest.raises(Unauthenticated, match="post_secret"):
        await run(secret="wrong")
