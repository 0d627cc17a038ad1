"""The courier: replies to their providers, events from the outbox to the log."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Final

from ingest.directory import Directory
from profiles import expiry
from services.chores import audit_links, bulk_digests, duplicates, handle_renewal, identity_rules, undecided_handles
from services.chores.unused_filters import UnusedFilters
from services.courier.deliveries import Deliveries
from services.courier.outgoing import Outgoing
from services.frame.process import Process, database_check, database_entry, host_worker, kafka_check, run_process
from services.frame.settings import Settings
from services.privacy.erasures import Erasures
from services.privacy.person_export import PersonExports
from services.privacy.retention import Retention
from shared.blobs_files import FileBlobs
from shared.database import Database
from shared.hints import Hints
from shared.ids import new_id
from shared.kafka import Publisher
from shared.leases import Leases
from shared.outbox_relay import OutboxRelay
from shared.sealing import Sealer

BUCKETS: Final = 64
_MEASURE_S: Final = 5.0


async def run(settings: Settings) -> None:
    """Runs the courier until it is told to stop. Raises what `run_process` raises."""
    secret = settings.deployment_secret()
    kafka = settings.kafka()
    owner = new_id()
    async with AsyncExitStack() as stack:
        db = await Database.open(settings.database("worker"), name="courier")
        stack.push_async_callback(db.close)
        hints = Hints(settings.database("worker"))
        await hints.start()
        stack.push_async_callback(hints.stop)
        publisher = Publisher(kafka)
        stack.push_async_callback(publisher.stop)
        outgoing = Outgoing(smtp_relay=settings.smtp_relay, allowed=settings.egress())
        stack.push_async_callback(outgoing.close)
        directory = Directory(db, Sealer(secret))
        leases = Leases(db, kind="outbox", slots=BUCKETS, owner=owner)
        relay = OutboxRelay(db=db, publisher=publisher, topic=settings.topics().events, leases=leases)
        blobs = FileBlobs(settings.blob_dir)
        erasures = Erasures(db=db, blobs=blobs, hints=hints, secret=secret)
        exports = PersonExports(db=db, blobs=blobs)
        keepers = Leases(db, kind="retention", slots=1, owner=owner)
        retention = Retention(db=db, blobs=blobs, leases=keepers)
        deliveries = Deliveries(
            db=db,
            directory=directory,
            outgoing=outgoing,
            blobs=blobs,
            hints=hints,
            owner=owner,
            secret=secret,
        )

        async def deliver() -> None:
            # Without the inboxes every reply would look as if its inbox were gone.
            await directory.refresh()
            await deliveries.run(hints.waiter("delivery"))

        await run_process(
            Process(
                name="courier",
                host=settings.host,
                health_port=settings.courier_health_port,
                checks={"database": database_check(db), "broker": kafka_check(kafka)},
                entry=database_entry(db, kafka, one_machine=not settings.blob_shared),
                workers={
                    "directory": lambda: directory.follow(hints.waiter("config")),
                    "leases": leases.run,
                    "relay": lambda: relay.run(hints.waiter("outbox")),
                    "deliveries": deliver,
                    "erasures": lambda: erasures.run(hints.waiter("privacy")),
                    "keepers": keepers.run,
                    "retention": lambda: retention.run(hints.waiter("privacy")),
                    "exports": lambda: exports.run(hints.waiter("privacy")),
                    "measure": lambda: _measure(relay),
                    "expiry": lambda: expiry.follow(db),
                    "duplicates": lambda: duplicates.follow(db),
                    "handle_renewal": lambda: handle_renewal.follow(db),
                    "identity_rules": lambda: identity_rules.follow(db),
                    "undecided_handles": lambda: undecided_handles.follow(db),
                    "audit_links": lambda: audit_links.follow(db),
                    "bulk_digests": lambda: bulk_digests.follow(db, hints),
                    "unused_filters": lambda: UnusedFilters().follow(db),
                    "host": host_worker(db, settings, "courier", settings.courier_health_port, owner=owner),
                },
            )
        )


async def _measure(relay: OutboxRelay) -> None:
    while True:
        await relay.measure()
        await asyncio.sleep(_MEASURE_S)
