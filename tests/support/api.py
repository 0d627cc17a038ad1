"""The API for tests: the app over real PostgreSQL, keys and agents' tokens, and a server on a free port for sockets."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI

from ingest.mail.html_worker import HtmlCleaner
from ingest.masking_worker import Masker
from ingest.parse import Parser
from ingest.receive import Receiver
from services.api.app import create_app
from services.api.credentials import Kind, new_token
from services.api.principal import Principal
from services.api.process import UVICORN
from services.api.static_pages import Front
from services.api.thumbnails import Thumbnails
from services.frame.doors import WebDoor
from services.frame.processor_time import CountedApp, ProcessorTime
from services.frame.rates import Rates
from shared.blobs_files import FileBlobs
from shared.clock import SystemClock
from shared.database import Database
from shared.errors import Unavailable
from shared.hints import Hints
from shared.ids import WorkspaceId, new_id
from shared.kafka import Record
from shared.sealing import Sealer

SECRET = b"a secret of thirty-two characters!"
FRONT = Front(
    {
        "desk.html": b"<!doctype html><title>desk</title>", "chat.html": b"<!doctype html><title>chat</title>",
        "shop.html": b"<!doctype html><title>shop</title>", "santral-chat.js": b"1", "assets/a-123.js": b"2",
    }
)  # fmt: skip


class Broker:
    """A broker that keeps what it is given; `down` makes it refuse."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.down = False

    async def publish(self, topic: str, records: Sequence[Record]) -> None:
        if self.down:
            raise Unavailable("the broker cannot be reached")
        self.records.extend(records)


@dataclass(slots=True, kw_only=True)
class Api:
    """The app with what stands behind it."""

    app: FastAPI
    db: Database
    worker: Database
    hints: Hints
    broker: Broker
    client: httpx.AsyncClient
    sealer: Sealer = field(default_factory=lambda: Sealer(SECRET))

    async def key(self, workspace_id: UUID, *scopes: str) -> dict[str, str]:
        """The header of a fresh API key; without scopes an administrator's."""
        token = new_token("live")
        async with self.worker.batch() as connection:
            await connection.execute(
                "insert into santral.api_key (workspace_id, id, public_id, secret_hash, name, scopes) values ($1, $2, $3, $4, 'test', $5)",
                workspace_id, new_id(), token.public_id, token.secret_hash, list(scopes) or ["admin"],
            )  # fmt: skip
        return {"authorization": f"Bearer {token.text}"}

    async def session(self, workspace_id: UUID, kind: Kind, **columns: Any) -> str:
        """The token of a fresh session."""
        token = new_token(kind)
        names = "".join(f", {name}" for name in columns)
        values = "".join(f", ${place}" for place in range(6, 6 + len(columns)))
        async with self.worker.batch() as connection:
            await connection.execute(
                f"insert into santral.session (workspace_id, id, kind, public_id, secret_hash, expires_at{names})"
                f" values ($1, $2, $3, $4, $5, now() + interval '1 hour'{values})",
                workspace_id, new_id(), kind, token.public_id, token.secret_hash, *columns.values(),
            )  # fmt: skip
        return token.text

    async def agent(self, workspace_id: UUID, agent_id: UUID) -> dict[str, str]:
        """The header of an agent's token."""
        return {"authorization": f"Bearer {await self.session(workspace_id, 'agent', agent_id=agent_id)}"}


def somebody_of(workspace_id: UUID) -> Principal:
    """A caller of a workspace, for what is held in its turn."""
    return Principal(workspace_id=WorkspaceId(workspace_id), id=new_id(), kind="key")


@contextlib.asynccontextmanager
async def running_api(
    api_db: Database,
    worker_db: Database,
    *,
    demo_dir: Path | None = None,
    docs: bool = True,
    rates: Rates | None = None,
    site: Front | None = None,
) -> AsyncIterator[Api]:
    """The app and a client that calls it in this process."""
    with tempfile.TemporaryDirectory() as folder:
        hints = Hints(api_db.url)
        await hints.start()
        broker, blobs = Broker(), FileBlobs(Path(folder))
        async with (
            HtmlCleaner() as cleaner,
            Thumbnails(timeout_s=20) as thumbnails,
            Parser(workers=1) as parser,
            Masker() as masker,
        ):
            receiver = Receiver(publisher=broker, topic="t", blobs=blobs, secret=SECRET, clock=SystemClock(), masker=masker)
            app = create_app(
                db=api_db, receiver=receiver, hints=hints,
                sealer=Sealer(SECRET), blobs=blobs, clock=SystemClock(), secret=SECRET, front=FRONT, cleaner=cleaner,
                thumbnails=thumbnails, parser=parser,
                public_url="http://santral.test", demo_dir=demo_dir, docs=docs, rates=rates, site=site,
            )  # fmt: skip
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://santral.test") as client:
                yield Api(app=app, db=api_db, worker=worker_db, hints=hints, broker=broker, client=client)
        await hints.stop()


@contextlib.asynccontextmanager
async def listening(api: Api, *, times: ProcessorTime | None = None, **options: Any) -> AsyncIterator[str]:
    """The app on a port, as in production: ``ws://127.0.0.1:port``."""
    app = CountedApp(api.app, times=times or ProcessorTime())
    door = WebDoor(app, host="127.0.0.1", port=0, setting="port", **{**UVICORN, **options})
    await door.open()
    try:
        yield f"ws://127.0.0.1:{door.port}"
    finally:
        await door.close(5)
