"""What becomes of one message, given what the batch found: its conversation, its work, its events. Pure; no I/O.

| message | effect |
|---|---|
| a customer's words | stored; an open item is woken, else one is opened with a routing decision |
| only thanks, to work that is parked, wrapping up or completed | stored, nobody is woken |
| mail that nobody vouches for, from or for another mailbox than is answered | stored and work, answered where it was before |
| mail that is only marked | a customer's words or automatic mail, as the workspace's ``marked_mail`` says |
| automatic mail, a bounce, an echo of our own, a system notice | stored and shown, never work; moves nothing of how it is answered |
| an edit, a deletion, a reaction | stored beside what it amends, as an amendment |
| a missed call | stored, work of kind ``callback`` |
| an answered or outgoing call | stored; the work was done on the phone |
| a delivery receipt | handed to the courier, no message |

Taking a message in either changes the view and the effects completely, or raises before it changed anything.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from router.commands.external_calls import CallRecord
from router.intake.arrivals import Arrival
from router.intake.batch_view import BatchView, Conversation, LastItem, Person, ProviderWord
from router.intake.effects import Effects, Wake
from router.intake.threads import Writer, asked_of, choose, moves_answer, thread_key
from router.item.goals import due_key
from router.policy.decision import profile_facts, routing_record
from router.policy.expressions import Facts, facts_of
from router.policy.fields import message_facts
from router.policy.plan_document import live_s_of, preferred_of
from router.policy.policy import Choice, queue_for
from router.signals.signals import Signals
from router.workspace.workspace import Workspace
from shared.ids import new_id
from shared.message import InboundMessage

_AMENDMENTS: Final = frozenset({"edit", "delete", "reaction"})
_NO_WORK: Final = frozenset({"system", "call", "reaction", "delete"})
_CALLBACKS: Final = frozenset({"missed_call", "voicemail"})


class TakingIn:
    """Takes the messages of one batch in, in order."""

    def __init__(self, view: BatchView) -> None:
        self._view = view
        self.effects = Effects()

    def take_in(self, arrival: Arrival, message: InboundMessage, person: Person | None, workspace: Workspace) -> None:
        """Adds one message's effects. Raises `InputRejected` when it cannot be routed, with nothing added."""
        if message.kind == "receipt" and message.receipt is not None:
            self._receipt(message)
            return
        key = thread_key(message)
        writer = None
        if person is not None:
            writer = Writer(handle_id=person.handle_id, profile_id=person.profile_id, assurance=person.assurance)
        chosen = choose(message, writer, key, self._view.candidates)
        conversation = None if chosen is None else self._view.conversations.get((chosen.workspace_id, chosen.id))
        accepted_at = min(message.accepted_at, self._view.now)
        amends = message.kind in _AMENDMENTS and conversation is not None
        if conversation is None:
            if person is None:
                # Our own words to nobody we know (a comment under our own post): the receipt remembers, there is no customer.
                self.effects.receipt(message)
                return
            conversation = self._opened(message, person, key, accepted_at, workspace)
        signals = self._signals(arrival.signals, message, conversation, accepted_at, workspace)
        route = None
        if not amends and _is_work(message, signals):
            route = self._route(message, conversation, signals, person, workspace, accepted_at)
        self._store(message, conversation, person, signals, accepted_at, amends=amends, is_work=route is not None)
        if route is not None:
            self._open_item(message, conversation, route, accepted_at, workspace, person)
        elif not amends and _wakes(message, signals):
            self._wake(conversation, accepted_at, workspace)
            item = conversation.item
            if signals.person and item is not None and item.state in ("offered", "assigned", "wrapping"):
                self.effects.persons.add((conversation.workspace_id, item.id))
        if message.kind == "call" and message.call is not None and message.call.answered:
            self.effects.calls.append(
                CallRecord(
                    workspace_id=conversation.workspace_id, conversation_id=conversation.id, inbox_id=message.inbox_id,
                    call=message.call,
                )
            )  # fmt: skip
        if message.automatic is not None and message.automatic.kind == "bounce" and message.automatic.permanent:
            self.effects.words.append(_bounce(message, conversation, self._view.now, self._named(message)))

    def _receipt(self, message: InboundMessage) -> None:
        assert message.receipt is not None
        found = next(
            (f for ref in message.refs if (f := self._view.candidates.by_ref.get((message.workspace_id, ref))) is not None), None
        )
        self.effects.receipt(message, None if found is None else found.id)
        self.effects.words.append(
            ProviderWord(
                workspace_id=message.workspace_id, inbox_id=message.inbox_id, provider_id=message.receipt.provider_id,
                refs=message.refs, state=message.receipt.state, reason=message.receipt.reason,
                permanent=message.receipt.permanent, at=message.sent_or_accepted_at(),
                conversation_id=None if found is None else found.id, message_id=self._named(message),
                until=message.receipt.until, person=None if message.sender is None else message.sender.handle(),
            )
        )  # fmt: skip

    def _named(self, message: InboundMessage) -> UUID | None:
        """Which of our messages the provider speaks of, where a reference tells."""
        named = (self._view.named.get((message.workspace_id, ref)) for ref in message.refs)
        return next((one for one in named if one is not None), None)

    def _opened(
        self, message: InboundMessage, person: Person, key: str, accepted_at: datetime, workspace: Workspace
    ) -> Conversation:
        return Conversation(
            workspace_id=workspace.id, id=new_id(), handle_id=person.handle_id, inbox_id=message.inbox_id,
            last_inbox_id=message.inbox_id, last_handle_id=person.handle_id, channel=message.channel, channels=[message.channel],
            visibility=message.visibility, subject=message.subject, language="", state="closed", seq=0, thread_key=key,
            last_agent_id=None, opened_at=accepted_at, profile_id=person.profile_id, is_new=True,
            asked=asked_of(message),
        )  # fmt: skip

    def _signals(
        self, signals: Signals, message: InboundMessage, conversation: Conversation, accepted_at: datetime, workspace: Workspace
    ) -> Signals:
        last_in, last_out = conversation.last_in_at, conversation.last_out_at
        unanswered = last_in is not None and (last_out is None or last_out < last_in)
        if not unanswered or last_in is None or signals.automatic or message.direction == "out":
            return signals
        waiting_s = (accepted_at - last_in).total_seconds()
        # Lines typed one after another are one contact.
        return signals.repeated() if 300 <= waiting_s <= workspace.repeat_within_s else signals

    def _route(
        self, message: InboundMessage, conversation: Conversation, signals: Signals, person: Person | None, workspace: Workspace,
        accepted_at: datetime,
    ) -> tuple[Choice, Facts, bool, bool] | None:  # fmt: skip
        """The policy's choice when the message needs a new item; None when there is one, or thanks need none."""
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
        degraded = person is None or person.degraded
        facts = self._facts(message, conversation, signals, person, workspace, reopened)
        began = time.perf_counter()
        choice = queue_for(workspace.policy, facts)
        self.effects.rule_seconds.append(time.perf_counter() - began)
        workspace.queue(choice.queue)
        self.effects.rule_errors += len(choice.errors)
        return choice, facts, reopened, degraded

    def _facts(
        self, message: InboundMessage, conversation: Conversation, signals: Signals, person: Person | None, workspace: Workspace,
        reopened: bool,
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
        if workspace.policy.asks_queues:
            values["queue"] = workspace.figures
        return facts_of(values)

    def _open_conversations(self, workspace_id: UUID, person: Person | None) -> int | None:
        if person is None or person.open_conversations is None:
            return None
        return person.open_conversations + self._view.opened[workspace_id, person.profile_id]

    def _store(
        self, message: InboundMessage, conversation: Conversation, person: Person | None, signals: Signals, accepted_at: datetime,
        *, amends: bool, is_work: bool,
    ) -> None:  # fmt: skip
        now, effects = self._view.now, self.effects
        if conversation.is_new and conversation.seq == 0:
            self._view.conversations[conversation.workspace_id, conversation.id] = conversation
            opened = {"channel": message.channel, "inbox_id": message.inbox_id, "visibility": message.visibility}
            effects.event("conversation.opened", conversation, now, opened)
        if signals.language and not amends:
            conversation.language = conversation.language if signals.automatic and conversation.language else signals.language
        handle_id = conversation.last_handle_id if person is None else person.handle_id
        machine = _is_machines(message, signals)
        aside = message.direction == "in" and not amends
        if not amends and not machine:
            aside = not _answered_as(conversation, message, handle_id, accepted_at)
        if message.direction == "out" and not amends:
            conversation.last_out_at = accepted_at
        if message.window_expires_at is not None and not machine:
            conversation.window_expires_at = message.window_expires_at
        if conversation.is_new and conversation.item is None and not is_work:
            conversation.closed_at = now
        seq = conversation.next_seq()
        language = signals.language or conversation.language
        effects.message(
            message,
            conversation,
            seq,
            handle_id=handle_id,
            language=language,
            signals=signals,
            accepted_at=accepted_at,
            aside=aside,
        )
        kind: Any = "message.amended" if amends else "message.received"
        effects.event(kind, conversation, now, _measures(message, signals, language, accepted_at), seq=seq)
        self._view.candidates.add(
            conversation.found(), refs=message.defines, handle_id=conversation.last_handle_id if aside else handle_id,
            is_open=is_work or conversation.state == "open",
        )  # fmt: skip

    def _open_item(
        self, message: InboundMessage, conversation: Conversation, route: tuple[Choice, Facts, bool, bool], accepted_at: datetime,
        workspace: Workspace, person: Person | None,
    ) -> None:  # fmt: skip
        choice, facts, reopened, degraded = route
        queue = workspace.queue(choice.queue)
        before = conversation.item if reopened else None
        boost = choice.boost_s + (workspace.reopen_boost_s if reopened else 0)
        key = due_key(accepted_at, channel=message.channel, goals=queue.goals_s, boost_s=boost, strict=choice.due_class == 0)
        item_id, decision_id = new_id(), new_id()
        kind = "callback" if message.kind in _CALLBACKS else "conversation"
        plan = workspace.plans.get(choice.plan or "", queue.plan)
        sticky = None if before is None else (before.agent_id or before.last_agent_id)
        sticky_s, owner = workspace.sticky_s(message.channel), None
        last_agent = sticky
        wanted = preferred_of(plan)
        if sticky is None and wanted is not None:
            sticky, owner = _preferred(wanted[0], person, conversation)
            sticky_s = wanted[1]
        live_s = live_s_of(plan)
        sticky_until = self._view.now + timedelta(seconds=sticky_s)
        version = facts.values["profile"].get("version")
        self.effects.decisions.append(
            {
                "w": conversation.workspace_id, "i": decision_id, "c": conversation.id, "t": item_id, "m": message.id,
                "r": routing_record(
                    policy=workspace.policy, choice=choice, queue=queue.name, key=key, facts=facts, reopened=reopened,
                    degraded=degraded,
                ),
            }
        )  # fmt: skip
        foretold = workspace.figures.get(queue.name, {})
        self.effects.items.append(
            {
                "workspace_id": conversation.workspace_id, "id": item_id, "conversation_id": conversation.id,
                "queue_id": queue.id, "channel": message.channel, "kind": kind, "due_class": key.due_class,
                "due_at": key.due_at, "enqueued_at": accepted_at, "plan": plan, "skills": choice.skills,
                "sticky_agent_id": sticky, "sticky_until": None if sticky is None and owner is None else sticky_until,
                "last_agent_id": last_agent, "account_owner": owner,
                "expires_at": None if live_s is None else accepted_at + timedelta(seconds=live_s),
                "reopened_from": None if before is None else before.id, "policy_version": workspace.policy.version,
                "profile_version": version, "decision_id": decision_id,
                "reopen_count": 0 if before is None else before.reopen_count + 1,
                "predicted_s": foretold.get("expected_wait_s"), "predicted_p90_s": foretold.get("expected_wait_p90_s"),
            }
        )  # fmt: skip
        conversation.item = LastItem(
            id=item_id, state="queued", queue_id=queue.id, channel=message.channel,
            reopen_count=0 if before is None else before.reopen_count + 1,
        )  # fmt: skip
        if conversation.state != "open" and conversation.profile_id is not None:
            self._view.opened[conversation.workspace_id, conversation.profile_id] += 1
        conversation.state, conversation.closed_at = "open", None
        data = {
            "item_id": item_id, "state": "queued", "version": 1, "queue_id": queue.id, "queue": queue.name,
            "channel": message.channel, "kind": kind, "due_at": key.due_at, "due_class": key.due_class,
            "enqueued_at": accepted_at, "rule": choice.rule, "decision_id": decision_id,
        }  # fmt: skip
        if before is not None:
            data["reopened_from"] = before.id
        self.effects.event("item.queued", conversation, self._view.now, data)

    def _wake(self, conversation: Conversation, accepted_at: datetime, workspace: Workspace) -> None:
        """An open item learns that the customer wrote: parked work queues again, wrapped-up work goes on, timers stop."""
        item = conversation.item
        if item is None or not (item.state in ("parked", "wrapping") or (item.state == "assigned" and item.has_timer)):
            return
        at = (conversation.workspace_id, item.id)
        if at in self.effects.wakes:
            return
        goals = next((queue.goals_s for queue in workspace.queues.values() if queue.id == item.queue_id), {})
        key = due_key(accepted_at, channel=item.channel, goals=goals)
        self.effects.wakes[at] = Wake(
            workspace_id=conversation.workspace_id, item_id=item.id, due_at=key.due_at, due_class=key.due_class
        )


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


def _is_machines(message: InboundMessage, signals: Signals) -> bool:
    """Whether a program wrote it: it is shown, and changes nothing of who is answered, how, as what and until when."""
    return signals.automatic or message.kind == "system"


def _answered_as(conversation: Conversation, message: InboundMessage, handle_id: UUID, accepted_at: datetime) -> bool:
    """A person's words: to whom, through which inbox and under which subject the next answer goes; whether it goes to their writer."""
    # Where nobody has spoken yet the subject is that of the machine which began the conversation.
    nobody_yet = conversation.last_in_at is None and conversation.last_out_at is None
    if not conversation.subject or (nobody_yet and message.subject):
        conversation.subject = message.subject
    if message.direction != "in":
        return True
    moves = moves_answer(
        message, is_recipient=handle_id == conversation.last_handle_id, asked_before=conversation.asked, nobody_yet=nobody_yet
    )
    conversation.last_in_at = accepted_at
    conversation.received += 1
    if message.channel not in conversation.channels:
        conversation.channels.append(message.channel)
    if moves:
        conversation.last_inbox_id, conversation.last_handle_id = message.inbox_id, handle_id
        conversation.asked = asked_of(message)
    return moves


def _is_work(message: InboundMessage, signals: Signals) -> bool:
    """Whether a message without an open item needs one."""
    return message.direction == "in" and not signals.automatic and message.kind not in _NO_WORK


def _wakes(message: InboundMessage, signals: Signals) -> bool:
    """Whether a message to an open item is more than thanks or a machine's word."""
    return _is_work(message, signals) and not signals.thanks


def _bounce(message: InboundMessage, conversation: Conversation, now: datetime, named: UUID | None) -> ProviderWord:
    assert message.automatic is not None
    mail = next((ref[4:] for ref in message.refs if ref.startswith("mid:")), "")
    return ProviderWord(
        workspace_id=message.workspace_id, inbox_id=message.inbox_id, provider_id=mail, refs=message.refs, state="failed",
        reason=message.automatic.reason or "the mail came back", permanent=True, at=now, conversation_id=conversation.id,
        message_id=named,
    )  # fmt: skip


def _measures(message: InboundMessage, signals: Signals, language: str, accepted_at: datetime) -> dict[str, Any]:
    """What an event may tell of a message: ids, states and measures, never its words."""
    measures: dict[str, Any] = {
        "message_id": message.id, "direction": message.direction, "kind": message.kind, "channel": message.channel,
        "provider": message.provider, "inbox_id": message.inbox_id, "visibility": message.visibility, "language": language,
        "accepted_at": accepted_at, "urgency": signals.urgency, "chars": len(message.text),
    }  # fmt: skip
    for name in ("complaint", "thanks", "repeat_contact"):
        if getattr(signals, name):
            measures[name] = True
    if message.automatic is not None:
        measures["automatic" if signals.automatic else "marked"] = message.automatic.kind
    if message.parts:
        measures["parts"] = len(message.parts)
    return measures
