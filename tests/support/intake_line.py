"""Messages as gateways publish them, a log in memory to read them from, and intakes that read it: for tests of the router."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from profiles.snapshot import snapshots
from router.intake.batch_view import ProviderWord
from router.intake.classifier import Classifier
from router.intake.intake import Intake, Taken
from router.intake.quarantine_limit import QuarantineLimit
from router.intake.rule_time import RuleTime
from router.workspace.configuration import RouterConfiguration
from shared.cloudevent import encode_message
from shared.database import Connection, Database
from shared.ids import InboxId, WorkspaceId, message_id, new_id
from shared.kafka import Fetched, Headers, Record
from shared.message import InboundMessage
from shared.partition_leases import PartitionLeases
from tests.support.workspaces import Workspace

SECRET = b"a secret of thirty-two characters!"
TOPIC = "test.messages.v1"


def message_to(
    workspace: Workspace, provider: str, external_id: str, *, who: str = "ayse@ornek.com", **values: Any
) -> InboundMessage:
    """A message to one of the workspace's inboxes; ``who`` is the sender's address, number or visitor id."""
    inbox = workspace.inboxes[provider]
    kinds = {"smtp": ("email", "email"), "api": ("email", "email"), "webchat": ("chat", "visitor"), "asterisk": ("phone", "phone")}
    channel, kind = kinds[provider]
    base: dict[str, Any] = {
        "id": message_id(SECRET, WorkspaceId(workspace.id), InboxId(inbox), external_id),
        "workspace_id": workspace.id,
        "inbox_id": inbox,
        "external_id": external_id,
        "channel": channel,
        "provider": provider,
        "sender": {"kind": kind, "scope": str(inbox) if kind == "visitor" else "", "value": who, "assurance": "channel_verified"},
        "text": "Merhaba, siparişim nerede?",
        "authenticated": True,
        "accepted_at": datetime.now(UTC) - timedelta(seconds=1),
    }
    return InboundMessage.model_validate({**base, **values})


def record_of(message: InboundMessage) -> Record:
    """The record a gateway publishes for it."""
    return encode_message(message, key=message.id.bytes)


@dataclass(slots=True)
class Line:
    """One partition's log."""

    partition: int = 0
    records: list[Fetched] = field(default_factory=list)

    def add(self, *messages: InboundMessage) -> None:
        """Appends messages."""
        for message in messages:
            record = record_of(message)
            self.add_raw(record.value, record.headers)

    def add_raw(self, value: bytes, headers: Headers = ()) -> None:
        """Appends any bytes."""
        now_ms = int(datetime.now(UTC).timestamp() * 1000)
        self.records.append(
            Fetched(partition=self.partition, offset=len(self.records), key=b"k", value=value, headers=headers, timestamp_ms=now_ms)
        )

    async def bounds(self, partitions: Sequence[int]) -> dict[int, tuple[int, int]]:
        """The log's first offset and the next record's, as Kafka's says them."""
        assert list(partitions) == [self.partition]
        return {self.partition: (0, len(self.records))}

    async def firsts(self, places: Mapping[int, int]) -> dict[int, Fetched]:
        """The record at each offset."""
        return {partition: self.records[offset] for partition, offset in places.items()}


@dataclass(slots=True)
class Member:
    """One router: its leases, its intake, and what it handed to the courier."""

    db: Database
    leases: PartitionLeases
    intake: Intake
    configuration: RouterConfiguration
    words: list[ProviderWord] = field(default_factory=list)

    async def take(self, *lines: Line, batch: int = 500) -> Taken:
        """Takes the leases it lacks and reads each line from its position, up to ``batch`` records, as one fetch."""
        fetch = {}
        for line in lines:
            if line.partition not in self.leases.held:
                await self.leases.take([line.partition], line)
            start = self.leases.held[line.partition].next_offset
            found = line.records[start : start + batch]
            if found:
                fetch[line.partition] = found
        return await self.intake.take(fetch)


async def member_of(
    db: Database, *, owner: UUID | None = None, limit: QuarantineLimit | None = None, topic: str = TOPIC,
    classifier: Classifier | None = None, rule_time: Callable[[Callable[[], bool]], RuleTime] | None = None,
) -> Member:  # fmt: skip
    """A router on this database with its configuration read."""
    leases = PartitionLeases(db, topic=topic, owner=owner or new_id())
    configuration = RouterConfiguration(db)
    await configuration.refresh()
    words: list[ProviderWord] = []

    async def keep(connection: Connection, given: Sequence[ProviderWord]) -> None:
        words.extend(given)

    intake = Intake(
        db, topic=topic, leases=leases, configuration=configuration, secret=SECRET, snapshots=snapshots, on_provider_words=keep,
        limit=limit, classifier=classifier, rule_time=None if rule_time is None else rule_time(configuration.alone),
    )  # fmt: skip
    return Member(db=db, leases=leases, intake=intake, configuration=configuration, words=words)


TABLES = (
    "receipt", "handle", "profile", "link", "conversation", "message", "thread_ref", "work_item", "decision", "event", "outbox",
    "quarantine", "dispatch_change",
)  # fmt: skip


async def counts(db: Database) -> dict[str, int]:
    """Rows of every table that intake writes."""
    async with db.session() as connection:
        return {table: await connection.fetchval(f"select count(*) from santral.{table}") for table in TABLES}


async def rows(db: Database, statement: str, *values: Any) -> list[dict[str, Any]]:
    """What a statement answers."""
    async with db.session() as connection:
        return [dict(row) for row in await connection.fetch(statement, *values)]


async def assert_contiguous(db: Database) -> None:
    """Every conversation's and every agent's events are numbered 1..n without a gap, and messages have their event's number."""
    bad = await rows(
        db,
        "select c.id, c.seq, count(e.*) as events, max(e.seq) as last from santral.conversation c"
        " left join santral.event e on e.workspace_id = c.workspace_id and e.conversation_id = c.id"
        " group by c.id, c.seq having count(e.*) <> c.seq or coalesce(max(e.seq), 0) <> c.seq",
    )
    assert bad == []
    unnamed = await rows(
        db,
        "select m.id from santral.message m left join santral.event e on e.workspace_id = m.workspace_id"
        " and e.conversation_id = m.conversation_id and e.seq = m.seq where e.id is null or e.data->>'message_id' <> m.id::text",
    )
    assert unnamed == []
    lost = await rows(
        db,
        "select r.id from santral.receipt r left join santral.message m on m.workspace_id = r.workspace_id"
        " and m.conversation_id = r.conversation_id and m.seq = r.seq and m.id = r.id"
        " where r.state = 'taken' and r.seq is not null and m.id is null",
    )
    assert lost == []
