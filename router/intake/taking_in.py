"""What becomes of one message, given what the batch found: its conversation, its work, its events. Pure; no I/O.

| message | effect |
|---|---|
| a customer's words | stored; an open item is woken, else one is opened with a routing decision |
| only thanks, to work that is parked, wrapping up or completed | stored, nobody is woken |
| mail that nobody vouches for, from or for another mailbox than is answered | stored and work, answered where it was before |
| mail that is only marked | a customer's words or automatic mail, as the workspace's ``marked_mail`` says |
| bulk mail from nobody we know, where there is a queue for it | work there; a person's words in its conversation take it out |
| automatic mail, a bounce, an echo of our own, a system notice | stored and shown, never work; moves nothing of how it is answered |
| a notice that somebody's number or id changed | the same, but answers go to the new one where they went to the old |
| an edit, a deletion, a reaction | stored beside what it amends, as an amendment |
| a missed call, a voicemail | stored, work: of kind ``callback`` where there is a number |
| an answered or outgoing call | stored; the work was done on the phone; a call-back to the same number ends |
| any call in a conversation with words | stored; who is answered, and where, stays |
| a delivery receipt | handed to the courier, no message |

Taking a message in either changes the view and the effects completely, or raises before it changed anything.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from router.commands.external_calls import CallRecord
from router.intake.arrivals import Arrival
from router.intake.batch_view import BatchView, Conversation, Person, ProviderWord
from router.intake.bulk import bulk_queue_for
from router.intake.effects import Effects
from router.intake.opening import Opening
from router.intake.rule_time import RuleTime
from router.intake.threads import Writer, asked_of, choose, key_by_handle, moves_answer, thread_key
from router.item.calls import CALLS
from router.signals.signals import Signals
from router.workspace.workspace import Workspace
from shared.handle import is_left
from shared.ids import new_id
from shared.message import AMENDMENTS, Call, InboundMessage

_NO_WORK: Final = frozenset({"system", "call", "reaction", "delete"})


class TakingIn:
    """Takes the messages of one batch in, in order."""

    def __init__(self, view: BatchView, rule_time: RuleTime) -> None:
        self._view = view
        self.effects = Effects()
        self._opening = Opening(view, self.effects, rule_time)

    def take_in(self, arrival: Arrival, message: InboundMessage, person: Person | None, workspace: Workspace) -> None:
        """Adds one message's effects. Raises `InputRejected` when it cannot be routed, with nothing added."""
        if message.kind == "receipt" and message.receipt is not None:
            self._receipt(message)
            return
        if message.kind == "edit" and message.call is not None and self._is_unknown(message):
            # Late rows of a call that made no message before: they are what is known of it.
            over = message.call.answered or message.direction == "out"
            message = message.model_copy(
                update={"kind": "call" if over else "missed_call", "refs": (), "defines": message.refs, "in_reply_to": None}
            )
        key = thread_key(message)
        writer = None
        if person is not None:
            writer = Writer(
                handle_id=person.handle_id, profile_id=person.profile_id, assurance=person.assurance, former_ids=person.former_ids,
                is_doubted=person.is_doubted,
            )  # fmt: skip
        chosen = choose(message, writer, key, self._view.candidates)
        conversation = None if chosen is None else self._view.conversations.get((chosen.workspace_id, chosen.id))
        accepted_at = min(message.accepted_at, self._view.now)
        amends = message.kind in AMENDMENTS and conversation is not None
        if conversation is None:
            if person is None:
                # Our own words to nobody we know (a comment under our own post): the receipt remembers, there is no customer.
                self.effects.receipt(message)
                return
            own_key = key_by_handle(key, doubted=person.is_doubted)
            conversation = self._opened(message, person, own_key, accepted_at, workspace)
        signals = arrival.signals.said_after(conversation.language)
        signals = self._signals(signals, message, conversation, accepted_at, workspace)
        bulk = None if amends else bulk_queue_for(message, signals, person, conversation, workspace)
        if bulk is not None:
            signals = replace(signals, do_not_answer=True)
        route = None
        if not amends and _is_work(message, signals):
            route = self._opening.route(message, conversation, signals, person, workspace, bulk=bulk)
        self._store(
            message, conversation, person, signals, accepted_at, amends=amends, is_work=route is not None, bulk=bulk is not None
        )
        if route is not None:
            self._opening.open_item(message, conversation, route, accepted_at, workspace, person)
        elif not amends and _wakes(message, signals):
            self._opening.wake(conversation, accepted_at, workspace)
            if bulk is None:
                self._opening.leave_bulk(message, conversation, signals, person, workspace, accepted_at)
            item = conversation.item
            if signals.person and item is not None and item.state in ("offered", "assigned", "wrapping"):
                self.effects.persons.add((conversation.workspace_id, item.id))
        if message.call is not None:
            self._call(message, message.call, conversation, person)
        if message.automatic is not None and message.automatic.kind == "bounce" and message.automatic.permanent:
            self.effects.words.append(_bounce(message, conversation, self._view.now, self._named(message)))

    def _call(self, message: InboundMessage, call: Call, conversation: Conversation, person: Person | None) -> None:
        if person is not None:
            self.effects.called.add((conversation.workspace_id, person.handle_id))
        if call.answered:
            self.effects.calls.append(
                CallRecord(
                    workspace_id=conversation.workspace_id, conversation_id=conversation.id, inbox_id=message.inbox_id, call=call
                )
            )  # fmt: skip

    def _is_unknown(self, message: InboundMessage) -> bool:
        return all((message.workspace_id, ref) not in self._view.candidates.by_ref for ref in message.refs)

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
            visibility=message.visibility, subject=message.subject, language=_preferred(person, workspace), state="closed", seq=0, thread_key=key,
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

    def _store(
        self, message: InboundMessage, conversation: Conversation, person: Person | None, signals: Signals, accepted_at: datetime,
        *, amends: bool, is_work: bool, bulk: bool,
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
        aside = False
        if not amends and not machine:
            # A call beside words moves nothing either, but nobody has to be warned of it.
            is_left = person is not None and person.is_left
            aside = not answered_as(conversation, message, handle_id, accepted_at, is_left=is_left) and message.kind not in CALLS
        if (
            person is not None
            and conversation.last_handle_id in person.former_ids
            and (conversation.last_inbox_id == message.inbox_id or conversation.last_handle_id in _left(message, person))
        ):
            conversation.last_inbox_id, conversation.last_handle_id = message.inbox_id, handle_id
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
            bulk=bulk,
        )
        kind: Any = "message.amended" if amends else "message.received"
        measures = _measures(message, signals, language, accepted_at)
        if amends and (about := self._named(message)) is not None:
            measures["amends"] = about
        effects.event(kind, conversation, now, measures, seq=seq)
        for ref in message.defines:
            self._view.named.setdefault((message.workspace_id, ref), message.id)
        goes_on = conversation.last_handle_id if machine or aside else handle_id
        self._view.candidates.add(
            conversation.found(), refs=message.defines, handle_id=goes_on,
            profile_id=person.profile_id if person is not None and goes_on == handle_id else None,
            is_open=is_work or conversation.state == "open",
        )  # fmt: skip


def _left(message: InboundMessage, person: Person) -> set[UUID]:
    """Of a notice that somebody moved, the numbers that they have no more: nobody is answered there, in whichever inbox it was."""
    return {one for one, handle in zip(person.former_ids, message.other_handles, strict=True) if is_left(handle.handle())}


def _preferred(person: Person, workspace: Workspace) -> str:
    """The language a customer is known to prefer, where the workspace speaks it."""
    told = "" if person.snapshot is None else str(person.snapshot.language)[:2].lower()
    return told if told in workspace.languages else ""


def _is_machines(message: InboundMessage, signals: Signals) -> bool:
    """Whether a program wrote it: it is shown, and changes nothing of who is answered, how, as what and until when."""
    return signals.automatic or message.kind == "system"


def answered_as(
    conversation: Conversation, message: InboundMessage, handle_id: UUID, accepted_at: datetime, *, is_left: bool
) -> bool:
    """A person's words: to whom, through which inbox and under which subject the next answer goes; whether it goes to their writer.

    Late words from a number that their writer has no more (``is_left``) move nothing: nobody is answered there.
    """
    # Where nobody has spoken yet the subject is that of the machine which began the conversation.
    nobody_yet = conversation.last_in_at is None and conversation.last_out_at is None
    moves = message.direction != "in" or (
        not is_left
        and (message.kind not in CALLS or all(channel == message.channel for channel in conversation.channels))
        and moves_answer(
            message, is_recipient=handle_id == conversation.last_handle_id, asked_before=conversation.asked, nobody_yet=nobody_yet
        )
    )
    # Whoever does not change who is answered does not change what the conversation is called either: nobody vouches for them.
    if moves and (not conversation.subject or (nobody_yet and message.subject)):
        conversation.subject = message.subject
    if message.direction != "in":
        return True
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
