"""The gateway: webhooks on one port, SMTP on another; what it takes in is on the broker, or in its spool, before it says yes.

It starts without the brokers when it has a spool, but never without the database: it would not know whose inbox an address is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Final

from ingest.directory import Directory
from ingest.masking_worker import Masker
from ingest.parse import Parser
from ingest.receive import Receiver
from services.frame.bodies import Bodies, room_check
from services.frame.doors import ListenerDoor, WebDoor
from services.frame.process import Process, database_check, database_entry, host_worker, kafka_check, run_process
from services.frame.processor_time import CountedApp, ProcessorTime
from services.frame.rates import Rates
from services.frame.settings import Settings
from services.frame.strangers import Strangers
from services.gateway.app import create_gateway
from services.gateway.mail_border import border_of
from services.gateway.mail_room import MailRoom
from services.gateway.one_time_tokens import ReplayGuard
from services.gateway.smtp import MailHandler, listen
from shared.blobs_files import FileBlobs
from shared.clock import SystemClock
from shared.database import Database
from shared.errors import Conflict, Unavailable
from shared.health import Check
from shared.hints import Hints
from shared.kafka import Publisher
from shared.logs import get_log
from shared.sealing import Sealer
from shared.spool import Spool

log = get_log(__name__)
_AGAIN_S: Final = 0.5
_UVICORN: Final[dict[str, Any]] = {"timeout_keep_alive": 75, "limit_concurrency": 2000}


async def run(settings: Settings) -> None:
    """Runs the gateway until it is told to stop. Raises what `run_process` raises."""
    secret = settings.deployment_secret()
    kafka = settings.kafka()
    border = settings.mail_border()
    async with AsyncExitStack() as stack:
        db = await Database.open(settings.database("worker"), name="gateway")
        stack.push_async_callback(db.close)
        hints = Hints(settings.database("worker"))
        await hints.start()
        stack.push_async_callback(hints.stop)
        publisher = Publisher(kafka)
        stack.push_async_callback(publisher.stop)
        spool = Spool(settings.spool_dir) if settings.spool_dir is not None else None
        if spool is not None:
            stack.callback(spool.close)
        clock = SystemClock()
        defaults = {"smtp": {"authserv_id": border.authserv_id}} if border is not None else {}
        judge = await stack.enter_async_context(border_of(border)) if border is not None else None
        directory = Directory(db, Sealer(secret), defaults=defaults, grace_until=settings.grace_until())
        receiver = Receiver(
            publisher=publisher, topic=settings.topics().messages, blobs=FileBlobs(settings.blob_dir), secret=secret, clock=clock,
            spool=spool, masker=await stack.enter_async_context(Masker()),
        )  # fmt: skip
        parser = await stack.enter_async_context(Parser())
        bodies, rates, processor_time, strangers = Bodies(), Rates(settings.rates()), ProcessorTime(), Strangers()
        app = create_gateway(
            directory=directory, receiver=receiver, parser=parser, replays=ReplayGuard(db), clock=clock, bodies=bodies, rates=rates,
            strangers=strangers,
        )  # fmt: skip
        mail = MailHandler(directory=directory, receiver=receiver, clock=clock, parser=parser, border=judge)
        broker = kafka_check(kafka)
        workers: dict[str, Callable[[], Awaitable[None]]] = {
            "directory": lambda: directory.follow(hints.waiter("config")),
            "producer": publisher.start,
            "host": host_worker(db, settings, "gateway", settings.gateway_health_port),
        }
        if spool is not None:
            workers["spool"] = lambda: drain(spool, publisher)
        await run_process(
            Process(
                name="gateway",
                host=settings.host,
                health_port=settings.gateway_health_port,
                checks={
                    "database": database_check(db),
                    "broker": broker if spool is None else _or_spool(broker),
                    "configuration": _configuration(directory),
                    "bodies": room_check(bodies),
                },
                entry=database_entry(db, kafka, patient=spool is None, one_machine=not settings.blob_shared),
                doors=[
                    _webhook_door(settings, CountedApp(app, times=processor_time)),
                    _mail_door(settings, mail, rates, processor_time, strangers),
                ],
                workers=workers,
                on_beat=processor_time.beat,
            )
        )


def _webhook_door(settings: Settings, app: CountedApp) -> WebDoor:
    return WebDoor(
        app, host=settings.host, port=settings.webhook_port, setting="SANTRAL_WEBHOOK_PORT", trusted_proxies=settings.proxies(), **_UVICORN
    )  # fmt: skip


def _mail_door(
    settings: Settings, mail: MailHandler, rates: Rates, processor_time: ProcessorTime, strangers: Strangers
) -> ListenerDoor:
    room = MailRoom()
    return ListenerDoor(
        lambda bound: listen(mail, bound, room=room, rates=rates, processor_time=processor_time, strangers=strangers),
        host=settings.host, port=settings.smtp_port, setting="SANTRAL_SMTP_PORT",
    )  # fmt: skip


async def drain(spool: Spool, publisher: Publisher) -> None:
    """Empties the spool whenever something is in it, for ever; twice a second while it cannot.

    Often, because what comes in at another door meanwhile (the API's, another gateway's) does not wait behind it.
    """
    said = ""
    while True:
        await spool.filled.wait()
        try:
            await spool.drain(publisher.publish)
            said = ""
        except Unavailable as error:
            if said != str(error):
                said = str(error)
                log.warning("messages wait in the spool", action="dependency_down", error=said)
            await asyncio.sleep(_AGAIN_S)


def _or_spool(broker: Check) -> Check:
    async def check() -> str:
        try:
            return await broker()
        except Unavailable as error:
            return f"{error.message}; messages go to the spool"

    return check


def _configuration(directory: Directory) -> Check:
    async def check() -> str:
        if not directory.loaded:
            raise Conflict("the inboxes have not been read yet")
        return "inboxes are known"

    return check
