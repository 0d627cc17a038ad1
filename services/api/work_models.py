"""Work as clients read it: items, offers among them, an agent's desk, and to whom an item can be handed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from router.calendars.sla import Kind as TargetKind
from router.item.item import State
from services.api.conversation_models import CustomerOut, Previewed
from services.api.shown import Shown

Presence = Literal["online", "busy", "away", "not_responding", "offline"]


class ClockOut(Shown):
    """The service level's target that is due next. Paused while the customer is waited for, and then without times."""

    kind: TargetKind
    target_s: int
    due_at: datetime | None
    warn_at: datetime | None
    state: Literal["running", "warned", "breached", "paused"]


class OfferOut(Shown):
    """An open offer: taken or declined until then."""

    id: UUID
    made_at: datetime
    until: datetime


class TransferOut(Shown):
    """An item on its way: who gives it, to whom if to one agent, and what they say to them."""

    giver_id: UUID
    giver: str | None
    target_id: UUID | None
    note: str | None


class FailedReply(BaseModel):
    """The reply that never arrived, and why: it brought the item back."""

    message_id: UUID
    reason: str
    at: datetime


class ShownItem(Previewed):
    """An item with its conversation and why it is where it is."""

    id: UUID
    conversation_id: UUID
    state: State
    version: int
    channel: str
    kind: Annotated[str, Field(description="conversation, callback or call")]
    queue: str
    queue_title: str
    agent_id: UUID | None
    agent_name: str | None
    due_at: datetime
    sla: ClockOut | None
    enqueued_at: datetime
    timer_at: Annotated[datetime | None, Field(description="When something happens by itself: an offer ends, it parks, wakes …")]
    reopened_from: UUID | None
    subject: str
    language: str
    visibility: str
    seq: Annotated[int, Field(description="The conversation's last number")]
    last_in_at: datetime | None
    last_out_at: datetime | None
    customer: CustomerOut
    offer: OfferOut | None
    transfer: TransferOut | None
    failed: FailedReply | None
    external: Annotated[bool, Field(description="A telephone system has connected it")]
    decision_id: UUID | None
    why: Annotated[
        dict[str, Any] | None, Field(description="The record of its last decision: see `GET /v1/decisions/{decision_id}`")
    ]


class ChannelRoom(Shown):
    """What an item of a channel costs the agent, and how many they take at once."""

    cost: int
    cap: int
    enabled: bool


class DeskAgent(Shown):
    """The agent of a desk. ``presences``: channels closed by themselves; ``agent_seq``: the number of their last event."""

    id: UUID
    name: str
    presence: Presence
    presence_reason: str
    presence_at: datetime
    used: int
    budget: int
    counts: Annotated[dict[str, int], Field(description="Items held, by channel")]
    presences: dict[str, str]
    off_shift: bool
    channels: dict[str, ChannelRoom]
    agent_seq: int


class DeskQueue(Shown):
    """A queue that the agent serves, and how many wait in it."""

    name: str
    title: str
    mode: Literal["push", "pull", "both"]
    waiting: int


class DeskOut(Shown):
    """An agent's desk at one moment. ``incarnation``: which life of the database its numbers are of."""

    incarnation: UUID
    agent: DeskAgent
    offers: list[ShownItem]
    items: list[ShownItem]
    queues: list[DeskQueue]


class TargetAgent(Shown):
    """An agent who is there."""

    id: UUID
    name: str
    title: str
    presence: Presence
    used: int
    budget: int


class TargetQueue(Shown):
    """A queue that takes work."""

    name: str
    title: str


class TargetsOut(Shown):
    """To whom an item can be handed: agents, least loaded first, and queues by title."""

    agents: list[TargetAgent]
    queues: list[TargetQueue]
