"""Records as they come from the log, decoded and looked at by themselves, before any transaction.

**Identity**: the message's own id; a record that cannot be decoded is known by topic, partition and offset.
"""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal, Protocol
from uuid import UUID

from router.signals.signals import Signals, signals_of
from router.workspace.workspace import Workspace
from shared.cloudevent import decode_message
from shared.database import driver_id
from shared.errors import InputRejected, Unavailable
from shared.handle_forms import renewed
from shared.ids import InboxId, WorkspaceId, message_id
from shared.message import InboundMessage

Reason = Literal["unparsed", "undecodable", "unknown_workspace", "not_routable", "refused_by_database", "failed", "busy"]
NOWHERE: Final = UUID(int=0)
NO_SIGNALS: Final = Signals()


class LogRecord(Protocol):
    """What is read of a record."""

    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def value(self) -> bytes: ...
    @property
    def headers(self) -> tuple[tuple[str, bytes], ...]: ...
    @property
    def timestamp_ms(self) -> int: ...
    @property
    def since(self) -> int | None:
        """Where its reader stood before it; None where nobody counts."""
        ...


class Workspaces(Protocol):
    """The configuration in memory."""

    def workspace(self, workspace_id: UUID) -> Workspace | None:
        """A workspace's configuration as it is now."""
        ...

    def first(self) -> Workspace | None:
        """The deployment's oldest workspace, where what belongs to nobody is shown."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a record goes to quarantine. ``trace_hash`` groups equal failures."""

    reason: Reason
    error: str
    trace_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One record, understood or not. ``workspace_id`` and ``id`` are where its receipt stands."""

    partition: int
    offset: int
    workspace_id: UUID
    id: UUID
    accepted_at: datetime
    value: bytes = field(repr=False)
    headers: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    message: InboundMessage | None = None
    signals: Signals = NO_SIGNALS
    refusal: Refusal | None = None

    @property
    def waits(self) -> bool:
        """Whether it only met a lock, and is replayed by itself."""
        return self.refusal is not None and self.refusal.reason == "busy"

    def refused(self, reason: Reason, error: Exception) -> Arrival:
        """The same record on its way to quarantine."""
        return replace(self, refusal=refusal_of(reason, error))


def refusal_of(reason: Reason, error: Exception) -> Refusal:
    """The refusal an exception stands for: its text for people, a hash of kind and place for grouping."""
    places = [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    digest = hashlib.blake2b("|".join([type(error).__name__, *places[-3:]]).encode(), digest_size=8).hexdigest()
    return Refusal(reason=reason, error=f"{type(error).__name__}: {error}"[:2000], trace_hash=digest)


def arrival_of(record: LogRecord, *, topic: str, secret: bytes, workspaces: Workspaces) -> Arrival:
    """Decodes a record and looks at its message. Never raises on content; `Unavailable` while there is no workspace at all."""
    try:
        message = decode_message(record.headers, record.value)
    except InputRejected as error:
        return _undecodable(record, topic, secret, workspaces, error)
    workspace = workspaces.workspace(message.workspace_id)
    message = _named_anew(message)
    arrival = Arrival(
        partition=record.partition,
        offset=record.offset,
        workspace_id=_first(workspaces).id if workspace is None else workspace.id,
        id=driver_id(message.id),
        accepted_at=message.accepted_at,
        value=record.value,
        headers=record.headers,
        message=message,
        signals=NO_SIGNALS if workspace is None else _signals(message, workspace),
    )
    if workspace is None:
        unknown = InputRejected("no such workspace", field="workspace_id", remedy="create it, then replay")
        return arrival.refused("unknown_workspace", unknown)
    if message.kind == "unparsed":
        return arrival.refused("unparsed", InputRejected(message.reason or "the provider's bytes could not be understood"))
    return arrival


def of_message(message: InboundMessage, *, workspace: Workspace, headers: Mapping[str, Any] | None = None) -> Arrival:
    """A message that comes from quarantine instead of the log."""
    message = _named_anew(message)
    return Arrival(
        partition=-1, offset=-1, workspace_id=workspace.id, id=message.id, accepted_at=message.accepted_at, value=b"",
        message=message, signals=_signals(message, workspace),
    )  # fmt: skip


def _named_anew(message: InboundMessage) -> InboundMessage:
    """What a gateway of an earlier release put on the log, with handles as this release normalizes them."""
    people = [one for one in (message.sender, *message.other_handles, *message.participants) if one is not None]
    again = {one: now for one in people if (now := renewed(one.handle(), one.raw)) != one.handle()}
    if not again:
        return message

    def anew(one: Any) -> Any:
        return one.model_copy(update={"value": again[one].value}) if one in again else one

    update: dict[str, Any] = {
        "sender": anew(message.sender),
        "other_handles": tuple(map(anew, message.other_handles)),
        "participants": tuple(map(anew, message.participants)),
    }
    return message.model_copy(update=update)


def _signals(message: InboundMessage, workspace: Workspace) -> Signals:
    return signals_of(message, words=workspace.words, languages=workspace.languages, marked_mail=workspace.marked_mail)


def _first(workspaces: Workspaces) -> Workspace:
    first = workspaces.first()
    if first is None:
        raise Unavailable("there is no workspace yet, and a record waits", remedy="create a workspace")
    return first


def _undecodable(record: LogRecord, topic: str, secret: bytes, workspaces: Workspaces, error: InputRejected) -> Arrival:
    """Under the workspace its header names, where that can be read and exists; else under the oldest one."""
    named = dict(record.headers).get("ce_workspace", b"").decode("ascii", "replace")
    try:
        workspace = workspaces.workspace(UUID(named))
    except ValueError:
        workspace = None
    owner = workspace or _first(workspaces)
    place = f"{topic}:{record.partition}:{record.offset}"
    arrival = Arrival(
        partition=record.partition, offset=record.offset, workspace_id=owner.id,
        id=message_id(secret, WorkspaceId(owner.id), InboxId(NOWHERE), place),
        accepted_at=datetime.fromtimestamp(max(0, record.timestamp_ms) / 1000, UTC), value=record.value, headers=record.headers,
    )  # fmt: skip
    return arrival.refused("undecodable", error)
