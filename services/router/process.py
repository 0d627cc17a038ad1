"""The router: intake (which conversation, which queue) and dispatch (which agent), and replays out of quarantine."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Final
from uuid import UUID

from profiles.snapshot import snapshots
from router.clocks.pace import Pace
from router.clocks.shifts import Shifts
from router.clocks.sla import SlaClocks
from router.intake.intake import Intake
from router.intake.quarantine import asked_replays, put_back
from router.intake.replay import replay
from router.matcher.matcher import Matcher
from router.signals import language
from router.workspace.configuration import RouterConfiguration
from services.frame.process import Process, database_check, database_entry, host_worker, kafka_check, run_process
from services.frame.settings import Settings
from services.router.delivery_receipts import apply_receipts
from services.router.http_classifier import HttpClassifier
from services.router.intake_loop import IntakeLoop
from shared.database import Contended, Database, concerns_all
from shared.errors import Conflict, InputRejected
from shared.hints import Hints, Waiter
from shared.ids import new_id
from shared.kafka_reader import Reader
from shared.leases import Leases
from shared.logs import get_log
from shared.metrics import QUARANTINE_OPEN
from shared.partition_leases import PartitionLeases

log = get_log(__name__)
SLOTS: Final = 64
_LOOK_S: Final = 1.0
_OPEN: Final = "select count(*) from santral.quarantine where state in ('open', 'replaying')"


async def run(settings: Settings) -> None:
    """Runs the router until it is told to stop. Raises what `run_process` raises."""
    kafka, topics = settings.kafka(), settings.topics()
    owner = new_id()
    async with AsyncExitStack() as stack:
        db = await Database.open(settings.database("worker"), name="router")
        stack.push_async_callback(db.close)
        hints = Hints(settings.database("worker"))
        await hints.start()
        stack.push_async_callback(hints.stop)
        configuration = RouterConfiguration(db)
        leases = PartitionLeases(db, topic=topics.messages, owner=owner)
        classifier = classifier_of(settings)
        if classifier is not None:
            stack.push_async_callback(classifier.close)
        intake = Intake(
            db,
            topic=topics.messages,
            leases=leases,
            configuration=configuration,
            secret=settings.deployment_secret(),
            snapshots=snapshots,
            on_provider_words=apply_receipts,
            classifier=classifier,
        )
        reader = Reader(kafka, topic=topics.messages, group=f"{settings.topic_prefix}-router")
        loop = IntakeLoop(reader=reader, leases=leases, intake=intake, hints=hints)
        slots = Leases(db, kind="dispatch", slots=SLOTS, owner=owner)
        matcher = Matcher(db=db, leases=slots, hints=hints)
        clock_lease = Leases(db, kind="sla", slots=1, owner=owner)
        pace_lease = Leases(db, kind="pace", slots=1, owner=owner)
        pace = Pace(db, leases=pace_lease)
        clocks = SlaClocks(db=db, leases=clock_lease, hints=hints, workspaces=configuration)
        shift_lease = Leases(db, kind="shifts", slots=1, owner=owner)
        shifts = Shifts(db=db, leases=shift_lease, hints=hints)

        async def take_in() -> None:
            # Without the workspaces every message would look as if its own were gone; without the model the first would wait.
            await configuration.refresh()
            await asyncio.to_thread(language.load)
            await loop.run()

        await run_process(
            Process(
                name="router",
                host=settings.host,
                health_port=settings.router_health_port,
                checks={"database": database_check(db), "broker": kafka_check(kafka), "intake": loop.check},
                entry=database_entry(db, kafka),
                workers={
                    "configuration": lambda: configuration.follow(hints.waiter("config")),
                    "intake": take_in,
                    "replays": lambda: follow_replays(db, intake, configuration, hints, hints.waiter("intake")),
                    "slots": slots.run,
                    "dispatch": lambda: matcher.run(hints.waiter("dispatch")),
                    "clock_lease": clock_lease.run,
                    "clocks": clocks.run,
                    "shift_lease": shift_lease.run,
                    "shifts": shifts.run,
                    "pace_lease": pace_lease.run,
                    "pace": pace.run,
                    "host": host_worker(db, settings, "router", settings.router_health_port, owner=owner),
                },
            )
        )


def classifier_of(settings: Settings) -> HttpClassifier | None:
    """The operator's own model, where one is named."""
    if settings.classifier_url is None:
        return None
    token = settings.classifier_token.get_secret_value() if settings.classifier_token else None
    return HttpClassifier(settings.classifier_url, token=token, budget_s=settings.classifier_budget_ms / 1000)


async def follow_replays(db: Database, intake: Intake, configuration: RouterConfiguration, hints: Hints, waiter: Waiter) -> None:
    """Does the replays that were asked for, for ever; one that fails is open again with its new reason."""
    while True:
        done = await replay_asked(db, intake, configuration)
        for workspace_id in done:
            hints.wake("dispatch")
            hints.wake("outbox")
            hints.wake("stream", str(workspace_id))
        if not done:
            await waiter.wait(_LOOK_S)


async def replay_asked(db: Database, intake: Intake, configuration: RouterConfiguration) -> set[UUID]:
    """Each replay that was asked for, once; the workspaces where something was done. Where somebody holds rows the next look tries again."""
    async with db.session() as connection:
        asked = await asked_replays(connection)
        QUARANTINE_OPEN.set(await connection.fetchval(_OPEN))
    done: set[UUID] = set()
    held: set[UUID] = set()
    for workspace_id, entry_id, actor in asked:
        if workspace_id in held:
            continue
        try:
            await _replay_one(db, intake, configuration, workspace_id, entry_id, actor)
        except Contended:
            held.add(workspace_id)
        else:
            done.add(workspace_id)
    return done


async def _replay_one(
    db: Database, intake: Intake, configuration: RouterConfiguration, workspace_id: UUID, entry_id: UUID, actor: str
) -> None:
    """One replay; what fails is open again. Raises `Contended` where somebody holds its rows, and `Unavailable`."""
    try:
        await replay(
            db, intake.batch, configuration, workspace_id=workspace_id, entry_id=entry_id, actor=actor, secret=intake.secret
        )
    except Conflict:
        log.info("a replay lost against another", action="message_quarantined", id=str(entry_id))
        async with db.batch() as connection:
            await put_back(connection, workspace_id, entry_id, error="the message was resolved otherwise")
    except InputRejected as error:
        # The entry keeps the words: they may quote the customer's.
        log.warning("a replay failed again", action="message_quarantined", id=str(entry_id), error=type(error).__name__)
        async with db.batch() as connection:
            await put_back(connection, workspace_id, entry_id, error=str(error))
    except Exception as error:
        if concerns_all(error):
            raise
        # Said by its kind: an exception's words and locals may be the customer's.
        log.error("a replay met something unforeseen", action="message_quarantined", id=str(entry_id), error=type(error).__name__)  # noqa: TRY400
        async with db.batch() as connection:
            await put_back(connection, workspace_id, entry_id, error=f"unforeseen: {type(error).__name__}")
