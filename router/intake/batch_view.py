"""One batch's view of the conversations it touches: as they were locked, then as each message changes them in turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from router.intake.threads import Candidates, Found
from shared.handle import Handle

Key = tuple[UUID, UUID]
"""(workspace, id): ids of one workspace never meet those of another."""


def key_columns(keys: Iterable[Key]) -> tuple[list[UUID], list[UUID]]:
    """Keys as two columns for `unnest`, in the order in which rows are locked."""
    ordered = sorted(keys)
    return [workspace for workspace, _ in ordered], [one for _, one in ordered]


@dataclass(slots=True, kw_only=True)
class LastItem:
    """A conversation's open work item, or the last one it had."""

    id: UUID
    state: str
    queue_id: UUID
    channel: str
    closed_at: datetime | None = None
    agent_id: UUID | None = None
    last_agent_id: UUID | None = None
    has_timer: bool = False
    reopen_count: int = 0

    @property
    def is_open(self) -> bool:
        """Whether work on it goes on."""
        return self.state not in ("completed", "abandoned", "canceled")


@dataclass(slots=True, kw_only=True)
class Conversation:
    """A conversation's row. ``seq`` is the last number given; ``is_new`` until it is written; nothing is placed in a merged one.

    ``asked``: the mailbox at which who is answered asks to be answered, empty for their own.
    """

    workspace_id: UUID
    id: UUID
    handle_id: UUID
    inbox_id: UUID
    last_inbox_id: UUID
    last_handle_id: UUID
    channel: str
    channels: list[str]
    visibility: str
    subject: str
    language: str
    state: str
    seq: int
    thread_key: str
    last_agent_id: UUID | None
    opened_at: datetime
    last_in_at: datetime | None = None
    last_out_at: datetime | None = None
    window_expires_at: datetime | None = None
    closed_at: datetime | None = None
    merged_into: UUID | None = None
    profile_id: UUID | None = None
    is_new: bool = False
    asked: str = ""
    item: LastItem | None = None
    received: int = 0

    def next_seq(self) -> int:
        """One number for one happening."""
        self.seq += 1
        return self.seq

    def found(self) -> Found:
        """As threading looks at it."""
        return Found(
            workspace_id=self.workspace_id, id=self.id, handle_id=self.handle_id, last_handle_id=self.last_handle_id,
            profile_id=self.profile_id, channel=self.channel, visibility=self.visibility, thread_key=self.thread_key,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose a locked handle is, the best assurance it ever had (``known_as``), and whether it is a number they have no more."""

    profile_id: UUID
    known_as: str
    is_left: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who wrote: the locked handle, its profile and what is known of it. ``snapshot`` None: not known in time;
    ``open_conversations`` None: no rule asks; ``contacted`` None: nobody asked whether they were ever answered;
    ``former_ids``: with a notice that they moved, their further handles; ``is_doubted``: `threads.is_doubted` of the message;
    ``is_left``: the handle is a number they have no more."""

    handle_id: UUID
    profile_id: UUID
    assurance: str
    former_ids: tuple[UUID, ...] = ()
    is_doubted: bool = False
    is_left: bool = False
    snapshot: Any = None
    open_conversations: int | None = None
    contacted: bool | None = None
    degraded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderWord:
    """What a provider said of one of our replies: its own receipt, or a bounce.

    ``provider_id`` may be empty for a bounce. ``message_id`` is our message where a reference names it. With ``until`` it is about
    everything that was sent to ``person`` through this inbox until then. Times aware UTC.
    """

    workspace_id: UUID
    inbox_id: UUID
    provider_id: str
    refs: tuple[str, ...]
    state: str
    reason: str
    permanent: bool
    at: datetime
    conversation_id: UUID | None = None
    message_id: UUID | None = None
    until: datetime | None = None
    person: Handle | None = None


@dataclass(slots=True)
class BatchView:
    """Everything the batch looked up, overlaid by what it did so far."""

    now: datetime
    candidates: Candidates = field(default_factory=Candidates)
    conversations: dict[Key, Conversation] = field(default_factory=dict)
    named: dict[tuple[UUID, str], UUID] = field(default_factory=dict)
    opened: Counter[Key] = field(default_factory=Counter)
    """How many conversations this batch opened of a profile, on top of what was open before it."""
