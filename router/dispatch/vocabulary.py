"""What the dispatch core is told and what it asks for.

All that it is told is absolute and carries a version, so it may be told twice or late. All that it asks for may be
refused: a shell executes the effects against the store and tells what became of them. Times: epoch seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from router.dispatch.agents import AgentState, Comparator
from router.item.item import ItemState, Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLease:
    """An agent's lease was renewed; nothing else about the agent changed. A later one wins."""

    id: UUID
    lease_until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRemoved:
    """The agent does not exist any more, or not here; what it held goes back."""

    id: UUID
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRemoved:
    """The item does not exist any more, or not here. A final ``ItemState`` says the same."""

    id: UUID
    version: int


Order = Literal["due", "newest_first"]
"""Which of a queue's waiting items goes first: by their key (or slope), or who came last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """How a queue chooses among agents, and how it orders who waits. One that was never told: by load, by key.

    ``pulled``: its agents take from it by themselves and are not known as members here.

    Urgency goes before either order. Where an agent takes from queues of different orders, give it priorities among
    them: newest first, slopes and keys do not compare.
    """

    id: UUID
    comparator: Comparator
    order: Order = "due"
    pulled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """A reservation was made; the versions are those of the rows that were written."""

    ticket: int
    item_version: int
    agent_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A reservation was not made: the item was locked or gone, or the guard said no. Unknown tickets are ignored."""

    ticket: int


Told = ItemState | AgentState | AgentLease | AgentRemoved | ItemRemoved | QueueState | Committed | Refused

Candidate = tuple[UUID, float, float, float, float]
"""Agent, load ratio, idle seconds, and the two numbers of the comparator's score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Why this agent. ``candidates`` starts with the winner, best first, at most eleven.

    ``excluded`` counts agents by reason, within the queue through which the item was matched; an item that was
    waiting for one agent in particular (``personal``) excludes everybody else by ``sticky_wait``. ``unmet``: steps of the plan so
    far that no agent of the workspace can ever meet; they were not waited out.
    """

    queue: UUID
    comparator: Comparator
    personal: bool
    step: int
    urgency: int
    due: float
    waited_s: float
    candidates: tuple[Candidate, ...]
    excluded: Mapping[str, int]
    unmet: tuple[int, ...] = ()


UNEXPLAINED = Decision(
    queue=UUID(int=0), comparator="load", personal=False, step=0, urgency=0, due=0.0, waited_s=0.0, candidates=(), excluded={}
)
"""What a core that was told not to explain records."""


def winner(decision: Decision) -> UUID:
    """The agent whom the comparator chooses from the recorded candidates: the same one again."""
    return min(decision.candidates, key=lambda one: (one[3], one[4], one[0].int))[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve:
    """Take capacity of the agent for the item: as an offer with a deadline, or at once. Answer with its ticket.

    ``queue``: through which the two met; the item's own where it waited for the agent by name.
    """

    ticket: int
    item: UUID
    item_version: int
    agent: UUID
    channel: str
    queue: UUID
    kind: Literal["offer", "assign"]
    deadline_s: float | None
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """Time has done something to the item: apply this change of ``router/item/item.py``. Said again after a second.

    ``reason``: why an offer was taken back, as a word.
    """

    item: UUID
    item_version: int
    trigger: Trigger
    agent: UUID | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Widen:
    """The item entered a later step of its plan. ``nobody``: no agent of the workspace could ever meet the step before it.

    Store it without a new version: the core goes on at once, and a reservation by the version it knows may follow in
    the same answer. Who forgets to store it loses nothing, the core comes to the same step again.
    """

    item: UUID
    item_version: int
    step: int
    step_at: float
    reason: Literal["timeout", "all_declined", "nobody"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalate:
    """Nobody is left who would take it: alarm, and for ``exhausted`` the overflow queue. The item keeps waiting."""

    item: UUID
    item_version: int
    reason: Literal["all_declined", "exhausted", "plan_passed"]


Effect = Reserve | Advance | Widen | Escalate
