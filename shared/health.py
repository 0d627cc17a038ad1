"""A process's health on a port of its own: ``/livez /readyz /startupz /healthz /metrics``.

``livez`` tests nothing outside: only that the event loop turns (lag under 5 s). ``readyz`` asks each dependency within 1 s and says no
while draining. ``healthz`` shows every check. Source: draft-inadarei-api-health-check (health+json), Prometheus text format.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.errors import SantralError
from shared.logs import get_log
from shared.metrics import LOOP_LAG

log = get_log(__name__)
BEAT_S: Final = 0.1
LAG_S_MAX: Final = 5.0
CHECK_S: Final = 1.0
Check = Callable[[], Awaitable[str]]  # what is so, in words; raises SantralError when it is not


class Health:
    """What a process knows of itself. ``started`` and ``draining`` are set by its main; ``on_beat`` is told how late each beat of its loop was."""

    def __init__(self, process: str, checks: Mapping[str, Check], *, on_beat: Callable[[float], None] | None = None) -> None:
        self.process = process
        self.started = False
        self.draining = False
        self._checks = dict(checks)
        self._beat = time.monotonic()
        self._on_beat = on_beat

    async def beat(self) -> None:
        """Measures the loop for ever."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(BEAT_S)
            self._beat = time.monotonic()
            late_s = max(0.0, self._beat - before - BEAT_S)
            LOOP_LAG.set(late_s)
            if self._on_beat is not None:
                self._on_beat(late_s)

    def alive(self) -> bool:
        """The loop turned within the last seconds."""
        return time.monotonic() - self._beat < LAG_S_MAX

    async def results(self) -> dict[str, tuple[bool, str]]:
        """Every check by name: whether it holds, and what it says."""
        names = list(self._checks)
        found = await asyncio.gather(*(self._one(name) for name in names))
        return dict(zip(names, found, strict=True))

    async def _one(self, name: str) -> tuple[bool, str]:
        try:
            async with asyncio.timeout(CHECK_S):
                return True, await self._checks[name]()
        except TimeoutError:
            return False, f"no answer within {CHECK_S:g} s"
        except SantralError as error:
            return False, str(error)
        except Exception:
            log.exception("a check failed unforeseen", action="not_ready", name=name)
            return False, "the check itself failed; see the log"


def health_app(health: Health) -> Starlette:
    """The ASGI app of the health port."""

    async def livez(_: Request) -> Response:
        return JSONResponse({"status": "pass" if health.alive() else "fail"}, status_code=200 if health.alive() else 503)

    async def startupz(_: Request) -> Response:
        return JSONResponse({"status": "pass" if health.started else "fail"}, status_code=200 if health.started else 503)

    async def readyz(_: Request) -> Response:
        if health.draining or not health.started:
            return JSONResponse({"status": "fail", "output": "draining" if health.draining else "starting"}, status_code=503)
        failed = {name: text for name, (ok, text) in (await health.results()).items() if not ok}
        return JSONResponse({"status": "fail" if failed else "pass", "failed": failed}, status_code=503 if failed else 200)

    async def healthz(_: Request) -> Response:
        results = await health.results()
        bad = not all(ok for ok, _ in results.values())
        body = {
            "status": "fail" if bad else "pass",
            "serviceId": f"santral-{health.process}",
            "checks": {
                name: [{"status": "pass" if ok else "fail", "output": text}] for name, (ok, text) in sorted(results.items())
            },
        }
        return JSONResponse(body, media_type="application/health+json", status_code=503 if bad else 200)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    paths = {"/": healthz, "/livez": livez, "/startupz": startupz, "/readyz": readyz, "/healthz": healthz, "/metrics": metrics}
    return Starlette(routes=[Route(path, endpoint) for path, endpoint in paths.items()])
