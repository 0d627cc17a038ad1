"""`santral api`: REST, sockets and pages on one port.

On SIGTERM every open socket is closed with 1012 and clients connect to another replica, where they resume without a gap.
Limits: connections and sockets as `socket_places.py` has them, frames of a browser ≤ 64 kB and whole, pings every 10 s answered within
10 s, bodies ≤ 1 MB.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Final

from ingest.mail.html_worker import HtmlCleaner
from ingest.masking_worker import Masker
from ingest.parse import Parser
from ingest.receive import Receiver
from services.api.app import create_app
from services.api.socket_places import CONNECTIONS_MAX, SocketPlaces
from services.api.static_pages import DIST, GUIDE, Front
from services.api.thumbnails import Thumbnails
from services.frame.bodies import Bodies, room_check
from services.frame.browser_frames import BrowserFrames
from services.frame.descriptors import room_for
from services.frame.doors import WebDoor
from services.frame.process import Process, database_check, database_entry, kafka_check, run_process
from services.frame.processor_time import CountedApp, ProcessorTime
from services.frame.rates import Rates
from services.frame.settings import Settings
from shared.blobs_files import FileBlobs
from shared.clock import SystemClock
from shared.database import Database
from shared.hints import Hints
from shared.kafka import Publisher
from shared.sealing import Sealer

POOL: Final = 16
UVICORN: Final[dict[str, Any]] = {
    "ws": BrowserFrames, "ws_max_size": 64 * 1024, "ws_max_queue": 32, "ws_ping_interval": 10.0, "ws_ping_timeout": 10.0,
    "ws_per_message_deflate": False, "timeout_keep_alive": 75, "limit_concurrency": CONNECTIONS_MAX, "timeout_graceful_shutdown": 10,
}  # fmt: skip


async def run(settings: Settings) -> None:
    """Runs the API until it is told to stop. Raises what `run_process` raises."""
    secret = settings.deployment_secret()
    kafka = settings.kafka()
    connections = room_for(CONNECTIONS_MAX)
    async with AsyncExitStack() as stack:
        db = await Database.open(settings.database("api"), name="api", pool_size=POOL)
        stack.push_async_callback(db.close)
        hints = Hints(settings.database("api"))
        await hints.start()
        stack.push_async_callback(hints.stop)
        publisher = Publisher(kafka)
        stack.push_async_callback(publisher.stop)
        cleaner = await stack.enter_async_context(HtmlCleaner())
        thumbnails = await stack.enter_async_context(Thumbnails())
        parser = await stack.enter_async_context(Parser())
        clock, bodies, processor_time = SystemClock(), Bodies(), ProcessorTime()
        blobs = FileBlobs(settings.blob_dir)
        receiver = Receiver(
            publisher=publisher, topic=settings.topics().messages, blobs=blobs, secret=secret, clock=clock,
            masker=await stack.enter_async_context(Masker()),
        )  # fmt: skip
        shown = settings.shows_docs()
        app = create_app(
            db=db, receiver=receiver, hints=hints, sealer=Sealer(secret), blobs=blobs, clock=clock, secret=secret,
            front=Front.read(DIST), cleaner=cleaner, thumbnails=thumbnails, parser=parser, public_url=settings.public_url, docs=shown,
            site=Front.read(GUIDE) if shown else None,
            demo_dir=settings.demo_dir if shown else None,
            allowed=settings.egress(), bodies=bodies, rates=Rates(settings.rates()), unsent_bytes_max=settings.unsent_files_bytes_max,
            places=SocketPlaces.within(connections, visitors_of_address=settings.chats_of_address),
        )  # fmt: skip
        await run_process(
            Process(
                name="api",
                host=settings.host,
                health_port=settings.api_health_port,
                checks={"database": database_check(db), "broker": kafka_check(kafka), "bodies": room_check(bodies)},
                entry=database_entry(db, None),
                doors=[
                    WebDoor(
                        CountedApp(app, times=processor_time),
                        host=settings.host,
                        port=settings.http_port,
                        setting="SANTRAL_HTTP_PORT",
                        trusted_proxies=settings.proxies(),
                        **{**UVICORN, "limit_concurrency": connections},
                    )
                ],
                workers={
                    "fanout": partial(app.state.fanout.run, hints.waiter("stream")),
                    "guard": app.state.guard.run,
                    "producer": publisher.start,
                },
                on_beat=processor_time.beat,
            )
        )
