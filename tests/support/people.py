"""People as tests meet them: handles, what a message shows of who wrote it, and the partition as stored and as the pure function says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from profiles.partition import Link, Node, partition
from profiles.resolve import resolve
from profiles.sighting import Resolved, SeenHandle, Sighting
from shared.database import Database
from shared.handle import Handle
from shared.ids import MessageId, WorkspaceId

START = datetime(2026, 3, 1, 9, tzinfo=UTC)


def mail(value: str = "ayse@ornek.com") -> Handle:
    return Handle(kind="email", value=value)


def phone(value: str = "+905321234567") -> Handle:
    return Handle(kind="phone", value=value)


def seen(handle: Handle, assurance: str = "channel_verified", name: str = "") -> SeenHandle:
    return SeenHandle(handle=handle, raw=handle.value, name=name, assurance=assurance)


def sighting(workspace: WorkspaceId, *senders: SeenHandle, minute: float = 0) -> Sighting:
    return Sighting(
        workspace_id=workspace, message_id=MessageId(uuid4()), senders=senders, seen_at=START + timedelta(minutes=minute)
    )


async def resolved(db: Database, *sightings: Sighting) -> list[Resolved]:
    found = await resolve(db, sightings)
    return [found[one.workspace_id, one.message_id] for one in sightings]


async def stored_and_pure(db: Database, workspace: WorkspaceId) -> tuple[dict[UUID, UUID], dict[UUID, UUID]]:
    """handle → profile as the tables have it, and as the pure function says from all rows."""
    async with db.batch() as connection:
        handles = await connection.fetch("select * from santral.handle where workspace_id = $1", workspace)
        links = await connection.fetch("select * from santral.link where workspace_id = $1", workspace)
        cannot = await connection.fetch(
            "select a, b from santral.cannot_link where workspace_id = $1 and retracted_at is null", workspace
        )
    names = ("a", "b", "kind", "assurance", "first_seen_at", "expires_at", "retracted_at")
    found = partition(
        [
            Node(
                id=row["id"], kind=row["kind"], scope=row["scope"], value=row["value"], first_seen_at=row["first_seen_at"],
                shared=row["shared"] and row["shared_by"] != "fan_out",
            )
            for row in handles
        ],
        [Link(**{name: row[name] for name in names}) for row in links],
        [(row["a"], row["b"]) for row in cannot],
        as_of=datetime.now(UTC),
    )  # fmt: skip
    assert {row["id"] for row in handles if row["shared_by"] == "fan_out"} == found.shared
    return {row["id"]: row["profile_id"] for row in handles}, dict(found.head_of)
