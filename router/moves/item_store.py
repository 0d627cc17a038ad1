"""Work items between their rows and `router/item/item.py`'s state. Times are aware UTC in rows, epoch seconds in the core."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from router.item.goals import moved_due
from router.item.item import OPEN, Exclusion, ItemState, Terms
from router.item.terms import terms_for
from router.moves.capacity import Held
from router.policy.plan_document import plan_of
from shared.database import Connection, Contended

_COLUMNS: Final = """
i.workspace_id, i.id, i.conversation_id, i.queue_id, i.channel, i.kind, i.state, i.version, i.due_class, i.due_at, i.enqueued_at,
i.plan, i.step, i.step_at, i.skills, i.held, i.agent_id, i.offer_id, i.sticky_agent_id, i.sticky_until, i.last_agent_id,
i.excluded, i.target_agent_id, i.giver_agent_id, i.last_offered_agent_id, i.hold_until,
i.expires_at, i.overflowed, i.timer_at, i.decision_id, i.external, i.outcome->'escalated' as escalated,
case when i.reopened_from is null or i.assigned_at is not null or i.outcome ? 'failed' then false else exists (
    select 1 from santral.decision d where d.workspace_id = i.workspace_id and d.id = i.decision_id and d.item_id = i.id
) end as with_room,
q.name as queue_name, q.offer_s, q.wrap_s, q.goals_s, o.id as overflow_id, o.goals_s as overflow_goals_s, w.settings
"""
_FROM: Final = """
from santral.work_item i
join santral.queue q on q.workspace_id = i.workspace_id and q.id = i.queue_id
join santral.workspace w on w.workspace_id = i.workspace_id
left join santral.queue o on o.workspace_id = q.workspace_id and o.name = q.overflow and o.enabled and o.id <> q.id
"""
_PREFETCH: Final = 1000
_UNTOUCHED: Final[Mapping[UUID, Exclusion]] = {}  # one for all items that nobody declined
_BY_IDS: Final = f"""
select {_COLUMNS} {_FROM}
join (select (g->>'w')::uuid as workspace_id, (g->>'i')::uuid as id from jsonb_array_elements($1::jsonb) g) given
  on given.workspace_id = i.workspace_id and given.id = i.id
"""
_OPEN: Final = f"select {_COLUMNS} {_FROM} where i.workspace_id = any($1::uuid[]) and i.state = any($2)"
_LOCK_CONVERSATIONS: Final = """
select c.id from santral.conversation c
join santral.work_item i on i.workspace_id = c.workspace_id and i.conversation_id = c.id
join (select (g->>'w')::uuid as workspace_id, (g->>'i')::uuid as id from jsonb_array_elements($1::jsonb) g) given
  on given.workspace_id = i.workspace_id and given.id = i.id
order by c.workspace_id, c.id for no key update of c
"""
_ELSEWHERE: Final = """
select 1 from santral.work_item i
join (select (g->>'w')::uuid as workspace_id, (g->>'i')::uuid as id from jsonb_array_elements($1::jsonb) g) given
  on given.workspace_id = i.workspace_id and given.id = i.id
where i.conversation_id <> all($2::uuid[]) limit 1
"""
_WRITE: Final = """
update santral.work_item i
set state = n.state, version = n.version, queue_id = n.queue_id, due_class = n.due_class, due_at = to_timestamp(n.due),
    enqueued_at = to_timestamp(n.enqueued), queued_at = case when n.state = i.state then i.queued_at else clock_timestamp() end,
    step = n.step, step_at = to_timestamp(n.step_at), held = n.held, agent_id = n.agent_id,
    offer_id = n.offer_id, sticky_agent_id = n.preferred_id, sticky_until = to_timestamp(n.wait_until), excluded = n.excluded,
    target_agent_id = n.target_id, giver_agent_id = n.giver_id, last_offered_agent_id = n.last_offered_id,
    hold_until = to_timestamp(n.hold_until), expires_at = to_timestamp(n.expires), overflowed = n.overflowed,
    timer_at = to_timestamp(n.deadline),
    last_agent_id = case when n.state in ('assigned', 'wrapping') then n.agent_id else i.last_agent_id end,
    plan = case when n.queue_id = i.queue_id then i.plan else coalesce((
        select q.plan from santral.queue q where q.workspace_id = i.workspace_id and q.id = n.queue_id), '[]') end,
    skills = case when n.queue_id = i.queue_id then i.skills
                  else jsonb_strip_nulls(jsonb_build_object('~person', i.skills->'~person')) end,
    decision_id = coalesce(n.decision_id, i.decision_id),
    assigned_at = case when n.state = 'assigned' and i.state <> 'assigned' then clock_timestamp() else i.assigned_at end,
    parked_at = case when n.state = 'parked' and i.state <> 'parked' then clock_timestamp() else i.parked_at end,
    closed_at = case when n.state in ('completed', 'abandoned', 'canceled') then clock_timestamp() end,
    own_word_at = case when n.trigger = 'reassign' then null else i.own_word_at end,
    by_name = case when n.trigger in ('assign', 'claim', 'accept', 'reassign')
                   then n.trigger = 'reassign' or coalesce(n.agent_id = i.target_agent_id, false) else i.by_name end,
    outcome = i.outcome || coalesce(n.outcome, '{}')
from jsonb_to_recordset($1::jsonb) as n(
    workspace_id uuid, id uuid, state text, version bigint, queue_id uuid, due_class smallint, due double precision,
    enqueued double precision, step smallint, step_at double precision, held jsonb, agent_id uuid, offer_id uuid,
    preferred_id uuid, wait_until double precision, excluded jsonb, target_id uuid, giver_id uuid, last_offered_id uuid,
    hold_until double precision, expires double precision, overflowed boolean, deadline double precision, decision_id uuid,
    outcome jsonb, trigger text)
where i.workspace_id = n.workspace_id and i.id = n.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredItem:
    """An item's state with what only the row knows. ``overflow_id``: the queue to which its queue overflows.

    ``goals_s`` / ``overflow_goals_s``: the goals by channel of its queue, and of that one.
    """

    workspace_id: UUID
    conversation_id: UUID
    kind: str
    queue_name: str
    offer_id: UUID | None
    held: tuple[Held, ...]
    decision_id: UUID | None
    last_agent_id: UUID | None
    settings: Mapping[str, Any]
    external: bool
    overflow_id: UUID | None
    goals_s: Mapping[str, Any]
    overflow_goals_s: Mapping[str, Any]
    state: ItemState
    escalated: Sequence[str] | None = None  # the last alarm: its reason and the queue

    def due_with(self, goals_s: Mapping[str, Any]) -> float:
        """Its key in a queue with these goals, epoch seconds."""
        return moved_due(self.state.due, channel=self.state.terms.channel, goals=self.goals_s, to_goals=goals_s)


def epoch(at: datetime | None) -> float | None:
    """Epoch seconds of an aware time."""
    return None if at is None else at.timestamp()


def moment(seconds: float) -> datetime:
    """The aware time of epoch seconds."""
    return datetime.fromtimestamp(seconds, UTC)


def stored_item(row: Mapping[str, Any]) -> StoredItem:
    """A row of :func:`read_items` as the core's state."""
    terms = terms_for(row["channel"], row["settings"], row["offer_s"], row["wrap_s"])
    if row["external"]:
        terms = replace(terms, grace_s=None)  # the agent is on the phone, whatever becomes of their page
    state = ItemState(
        id=row["id"],
        version=row["version"],
        state=row["state"],
        terms=terms,
        queue=row["queue_id"],
        due=row["due_at"].timestamp(),
        enqueued_at=row["enqueued_at"].timestamp(),
        urgency=row["due_class"],
        plan=plan_of(row["plan"], row["skills"], row["queue_id"]),
        step=row["step"],
        step_at=row["step_at"].timestamp(),
        agent=row["agent_id"],
        giver=row["giver_agent_id"],
        target=row["target_agent_id"],
        preferred=row["sticky_agent_id"],
        wait_until=epoch(row["sticky_until"]) or 0.0,
        with_room=row["with_room"],
        exclusions={UUID(agent): Exclusion(**one) for agent, one in row["excluded"].items()} or _UNTOUCHED,
        last_offered=row["last_offered_agent_id"],
        hold_until=epoch(row["hold_until"]) or 0.0,
        deadline=epoch(row["timer_at"]),
        expires_at=_expires_at(row, terms),
        overflowed=row["overflowed"],
    )
    held = tuple(
        Held(workspace_id=row["workspace_id"], agent_id=UUID(agent), channel=row["channel"], **price)
        for agent, price in row["held"].items()
    )
    return StoredItem(
        workspace_id=row["workspace_id"], conversation_id=row["conversation_id"], kind=row["kind"], queue_name=row["queue_name"],
        offer_id=row["offer_id"], held=held, decision_id=row["decision_id"], last_agent_id=row["last_agent_id"],
        settings=row["settings"], external=row["external"], overflow_id=row["overflow_id"], goals_s=row["goals_s"],
        overflow_goals_s=row["overflow_goals_s"] or {}, state=state, escalated=row["escalated"],
    )  # fmt: skip


def _expires_at(row: Mapping[str, Any], terms: Terms) -> float | None:
    """The end of its time to live: what the row says once it overflowed, else what the channel's terms say."""
    if row["expires_at"] is not None or terms.live_s is None or row["overflowed"]:
        return epoch(row["expires_at"])
    at: float = row["enqueued_at"].timestamp() + terms.live_s
    return at


async def read_items(connection: Connection, ids: Sequence[tuple[UUID, UUID]]) -> list[StoredItem]:
    """Items by (workspace, id), as they stand, unlocked."""
    return [stored_item(dict(row)) for row in await connection.fetch(_BY_IDS, _given(ids))]


async def read_open_items(connection: Connection, workspaces: Sequence[UUID]) -> AsyncIterator[StoredItem]:
    """Every item of these workspaces that is not final, as it stands, unlocked; in a transaction of the caller's.

    Rows come a thousand at a time, so a floor of any size never stands in memory as rows and as states at once.
    """
    async for row in connection.cursor(_OPEN, list(workspaces), list(OPEN), prefetch=_PREFETCH):
        yield stored_item(dict(row))


async def lock_items(connection: Connection, ids: Sequence[tuple[UUID, UUID]], *, skip_locked: bool = False) -> list[StoredItem]:
    """Locks conversations, then items, in id order, and reads the items as they stand then. Raises `Contended`.

    ``skip_locked`` leaves out what somebody else holds (dispatch tries it again later).
    """
    given = _given(ids)
    skip = " skip locked" if skip_locked else ""
    locked = {row["id"] for row in await connection.fetch(_LOCK_CONVERSATIONS + skip, given)}
    rows = await connection.fetch(
        f"{_BY_IDS} where i.conversation_id = any($2::uuid[]) order by i.workspace_id, i.id for no key update of i{skip}",
        given, list(locked),
    )  # fmt: skip
    if len(rows) < len(given) and not skip_locked and await connection.fetchval(_ELSEWHERE, given, list(locked)):
        raise Contended("an item went to another conversation meanwhile", retry_after_s=1)
    return [stored_item(dict(row)) for row in rows]


def _given(ids: Sequence[tuple[UUID, UUID]]) -> list[dict[str, str]]:
    return [{"w": str(workspace), "i": str(item)} for workspace, item in ids]


def item_row(
    stored: StoredItem,
    after: ItemState,
    *,
    held: Sequence[Held],
    offer_id: UUID | None,
    decision_id: UUID | None,
    outcome: Any,
    trigger: str = "",
) -> dict[str, Any]:
    """What :func:`write_items` needs of an item that moved."""
    return {
        "workspace_id": str(stored.workspace_id),
        "id": str(after.id),
        "state": after.state,
        "version": after.version,
        "queue_id": str(after.queue),
        "due_class": after.urgency,
        "due": after.due,
        "enqueued": after.enqueued_at,
        "step": after.step,
        "step_at": after.step_at,
        "held": {
            str(one.agent_id): {"cost": one.cost, "interruptible": one.interruptible, "exclusive": one.exclusive} for one in held
        },
        "agent_id": _text(after.agent),
        "offer_id": _text(offer_id),
        "preferred_id": _text(after.preferred),
        "wait_until": after.wait_until or None,
        "excluded": {str(agent): {"count": one.count, "until": one.until} for agent, one in after.exclusions.items()},
        "target_id": _text(after.target),
        "giver_id": _text(after.giver),
        "last_offered_id": _text(after.last_offered),
        "hold_until": after.hold_until or None,
        "expires": after.expires_at,
        "overflowed": after.overflowed,
        "deadline": after.deadline,
        "decision_id": _text(decision_id),
        "outcome": outcome,
        "trigger": trigger,
    }


async def write_items(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes items that moved, in one statement; the caller holds their locks."""
    if rows:
        await connection.execute(_WRITE, list(rows))


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
