"""Work opened for a message: the policy asked with the facts of the moment, the item, its decision and its event; an open item woken. Pure.

Used by intake for what comes, and by whoever says later that something kept out is work after all (`router/intake/making_work.py`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from router.intake.batch_view import BatchView, Conversation, LastItem, Person
from router.intake.effects import Effects, Leaving, Wake
from router.intake.rule_time import RuleTime
from router.item.calls import kind_of_work
from router.item.goals import due_key
from router.moves.new_items import NewItem, begun
from router.policy.agent_filter import PERSON
from router.policy.decision import profile_facts, routing_record
from router.policy.expressions import Facts, facts_of
from router.policy.fields import message_facts
from router.policy.plan_document import live_s_of, preferred_of
from router.policy.policy import BUDGET_S, Choice, queue_for
from router.signals.contents import contents_of_message
from router.signals.signals import Signals
from router.workspace.workspace import Queue, Workspace
from shared.ids import new_id
from shared.message import InboundMessage

Route = tuple[Choice, Facts, bool, bool]
"""A choice with the facts it was made from; whether work is reopened; whether the customer could not be looked up."""


class Opening:
    """Opens and wakes work in a batch's view, and notes the effects."""

    def __init__(self, view: BatchView, effects: Effects, rule_time: RuleTime | None = None) -> None:
        self._view = view
        self._effects = effects
        self._rule_time = rule_time

    def route(
        self, message: InboundMessage, conversation: Conversation, signals: Signals, person: Person | None, workspace: Workspace,
        *, bulk: Queue | None = None,
    ) -> Route | None:  # fmt: skip
        """The policy's choice when the message needs a new item; None when there is one, or thanks need none.

        ``bulk``: the queue it goes to before any rule is asked.
        """
        item = conversation.item
        if item is not None and item.is_open:
            return None
        if item is not None and item.state == "completed" and signals.thanks:
            return None
        reopened = (
            item is not None
            and item.state == "completed"
            and item.closed_at is not None
            and item.closed_at > self._view.now - timedelta(seconds=workspace.reopen_within_s)
        )
        return self._asked(message, conversation, signals, person, workspace, reopened, bulk)

    def _asked(
        self, message: InboundMessage, conversation: Conversation, signals: Signals, person: Person | None, workspace: Workspace,
        reopened: bool, bulk: Queue | None,
    ) -> Route:  # fmt: skip
        degraded = person is None or person.degraded
        with nullcontext(BUDGET_S) if self._rule_time is None else self._rule_time.of(workspace.id) as budget_s:
            facts = self._facts(message, conversation, signals, person, workspace, reopened, bulk, figures=budget_s > 0)
            began = time.perf_counter()
            choice = queue_for(workspace.policy, facts, budget_s=budget_s)
            self._effects.rule_seconds.append(time.perf_counter() - began)
        workspace.queue(choice.queue)
        self._effects.rule_errors += len(choice.errors)
        return choice, facts, reopened, degraded

    def _facts(
        self, message: InboundMessage, conversation: Conversation, signals: Signals, person: Person | None, workspace: Workspace,
        reopened: bool, bulk: Queue | None, *, figures: bool,
    ) -> Facts:  # fmt: skip
        now = self._view.now
        values: dict[str, Any] = {
            "message": message_facts(
                channel=message.channel,
                provider=message.provider,
                inbox=workspace.inboxes.get(message.inbox_id, str(message.inbox_id)),
                kind=message.kind,
                visibility=message.visibility,
                language=signals.language or conversation.language,
                subject=message.subject,
                text=message.text_stripped or message.text,
                attachments=sum(part.role == "attachment" for part in message.parts),
                contents=contents_of_message(message),
                about=message.about,
                authenticated=message.authenticated,
                filtered=None if message.filtered is None else message.filtered.model_dump(),
            ),
            "signals": signals.values(),
            "conversation": {
                "reopened": reopened,
                "channels": list(conversation.channels),
                "messages": conversation.received,
                "age_s": max(0, int((now - conversation.opened_at).total_seconds())),
            },
            "now": workspace.calendar.facts(now),
            "profile": profile_facts(
                None if person is None else person.snapshot, workspace.policy, self._open_conversations(workspace.id, person)
            ),
        }
        if workspace.policy.asks_queues and figures:
            values["queue"] = workspace.figures
        if bulk is not None:
            values["bulk"] = {"queue": bulk.name}
        return facts_of(values)

    def _open_conversations(self, workspace_id: UUID, person: Person | None) -> int | None:
        if person is None or person.open_conversations is None:
            return None
        return person.open_conversations + self._view.opened[workspace_id, person.profile_id]

    def open_item(
        self, message: InboundMessage, conversation: Conversation, route: Route, accepted_at: datetime, workspace: Workspace,
        person: Person | None, *, made_work_by: str = "",
    ) -> None:  # fmt: skip
        """The item, its decision and its event; ``accepted_at`` is when waiting begins, ``made_work_by`` who said that it is work."""
        choice, facts, reopened, degraded = route
        queue = workspace.queue(choice.queue)
        before = conversation.item if reopened else None
        boost = choice.boost_s + (workspace.reopen_boost_s if reopened else 0)
        key = due_key(accepted_at, channel=message.channel, goals=queue.goals_s, boost_s=boost, strict=choice.due_class == 0)
        item_id = new_id()
        kind = kind_of_work(message.kind, None if message.sender is None else message.sender.kind)
        plan = workspace.plans.get(choice.plan or "", queue.plan)
        sticky = None if before is None or choice.bulk else (before.agent_id or before.last_agent_id)
        sticky_s, owner = workspace.sticky_s(message.channel), None
        last_agent = sticky
        wanted = preferred_of(plan)
        if sticky is None and wanted is not None:
            sticky, owner = _preferred(wanted[0], person, conversation)
            sticky_s = wanted[1]
        live_s = live_s_of(plan)
        sticky_until = self._view.now + timedelta(seconds=sticky_s)
        version = facts.values["profile"].get("version")
        record = routing_record(
            policy=workspace.policy, choice=choice, queue=queue.name, key=key, facts=facts, reopened=reopened, degraded=degraded,
            made_work_by=made_work_by,
        )  # fmt: skip
        decision_id = self._decided(message, conversation, item_id, record)
        foretold = workspace.figures.get(queue.name, {})
        item = NewItem(
            workspace_id=conversation.workspace_id, id=item_id, conversation_id=conversation.id, queue_id=queue.id,
            channel=message.channel, kind=kind, due_class=key.due_class, due_at=key.due_at, enqueued_at=accepted_at,
            queued_at=self._view.now, plan=plan, skills=_skills(choice, facts), sticky_agent_id=sticky,
            sticky_until=None if sticky is None and owner is None else sticky_until, last_agent_id=last_agent, account_owner=owner,
            expires_at=None if live_s is None else accepted_at + timedelta(seconds=live_s),
            reopened_from=None if before is None else before.id, policy_version=workspace.policy.version, profile_version=version,
            decision_id=decision_id, reopen_count=0 if before is None else before.reopen_count + 1,
            predicted_s=foretold.get("expected_wait_s"), predicted_p90_s=foretold.get("expected_wait_p90_s"),
        )  # fmt: skip
        self._effects.items.append(item)
        conversation.item = LastItem(
            id=item_id, state="queued", queue_id=queue.id, channel=message.channel,
            reopen_count=0 if before is None else before.reopen_count + 1,
        )  # fmt: skip
        if conversation.state != "open" and conversation.profile_id is not None:
            self._view.opened[conversation.workspace_id, conversation.profile_id] += 1
        conversation.state, conversation.closed_at = "open", None
        data = begun(item, trigger="message", queue=queue.name, rule=choice.rule)
        self._effects.event("item.queued", conversation, self._view.now, data)

    def _decided(self, message: InboundMessage, conversation: Conversation, item_id: UUID, record: Mapping[str, Any]) -> UUID:
        decision_id = new_id()
        self._effects.decisions.append(
            {"w": conversation.workspace_id, "i": decision_id, "c": conversation.id, "t": item_id, "m": message.id, "r": record}
        )
        return decision_id

    def leave_bulk(
        self, message: InboundMessage, conversation: Conversation, signals: Signals, person: Person | None, workspace: Workspace,
        accepted_at: datetime,
    ) -> None:  # fmt: skip
        """A person's words in the conversation of an item that waits among bulk mail: the policy says where it waits from now on."""
        item = conversation.item
        if item is None or not workspace.is_bulk(item.queue_id) or item.state not in ("queued", "parked"):
            return
        choice, facts, _, degraded = self._asked(message, conversation, signals, person, workspace, False, None)
        queue = workspace.queue(choice.queue)
        key = due_key(
            accepted_at, channel=message.channel, goals=queue.goals_s, boost_s=choice.boost_s, strict=choice.due_class == 0
        )
        record = routing_record(
            policy=workspace.policy, choice=choice, queue=queue.name, key=key, facts=facts, reopened=False, degraded=degraded
        )
        self._effects.leaving[conversation.workspace_id, item.id] = Leaving(
            queue_id=queue.id, queue=queue.name, channel=message.channel, due_at=key.due_at, due_class=key.due_class,
            enqueued_at=accepted_at, plan=workspace.plans.get(choice.plan or "", queue.plan), skills=_skills(choice, facts),
            decision_id=self._decided(message, conversation, item.id, record),
        )  # fmt: skip
        item.queue_id = queue.id

    def wake(self, conversation: Conversation, accepted_at: datetime, workspace: Workspace) -> None:
        """An open item learns that the customer wrote: parked work queues again, wrapped-up work goes on, timers stop."""
        item = conversation.item
        if item is None or not (item.state in ("parked", "wrapping") or (item.state == "assigned" and item.has_timer)):
            return
        at = (conversation.workspace_id, item.id)
        if at in self._effects.wakes:
            return
        goals = next((queue.goals_s for queue in workspace.queues.values() if queue.id == item.queue_id), {})
        key = due_key(accepted_at, channel=item.channel, goals=goals)
        self._effects.wakes[at] = Wake(
            workspace_id=conversation.workspace_id, item_id=item.id, due_at=key.due_at, due_class=key.due_class
        )


def _skills(choice: Choice, facts: Facts) -> Mapping[str, int]:
    """What who takes it must know; and no bot gets what no machine may answer."""
    return {**choice.skills, PERSON: 1} if facts.values["signals"].get("do_not_answer") else choice.skills


def _preferred(of: Sequence[str], person: Person | None, conversation: Conversation) -> tuple[UUID | None, str | None]:
    """Whom a plan waits for first: an agent's id, or the name or id that the profile gives as its account's owner."""
    snapshot = None if person is None else person.snapshot
    for one in of:
        if one == "last_agent":
            last = conversation.last_agent_id or (None if snapshot is None else snapshot.last_agent_id)
            if last is not None:
                return last, None
        elif snapshot is not None and isinstance(owner := snapshot.attributes.get("account_owner"), str) and owner:
            return None, owner
    return None, None
